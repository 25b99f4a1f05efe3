//! Records between the rings and the disk: framed, bounded, kept while the disk fails. No thread and no clock of its
//! own; [`SpoolWriter`](super::SpoolWriter) drives it.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::frame;
use super::segment::{AppendError, OpenSegment};
use super::stats::SpoolStats;
use crate::call::log::Record;

/// What is to be written, and the segment that it goes to.
#[derive(Debug)]
pub(super) struct Backlog {
    dir: PathBuf,
    max_bytes: u64,
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    segment: Option<OpenSegment>,
    next_segment: u64,
    stats: Arc<SpoolStats>,
}

impl Backlog {
    pub(super) fn new(dir: PathBuf, max_bytes: u64, next_segment: u64, stats: Arc<SpoolStats>) -> Self {
        Self { dir, max_bytes, frames: VecDeque::new(), bytes: 0, segment: None, next_segment, stats }
    }

    /// Takes one record, or drops and counts it: a detail above the size limit or while much waits for a failing disk, a
    /// milestone when even its reserve is used up.
    pub(super) fn accept(&mut self, record: &Record) {
        let is_milestone = record.event.is_milestone();
        let counter = if is_milestone { &self.stats.dropped_milestones } else { &self.stats.dropped_details };
        if !self.has_room_for(is_milestone) {
            counter.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut bytes = Vec::with_capacity(TYPICAL_FRAME);
        if let Err(error) = frame::encode(record, &mut bytes) {
            counter.fetch_add(1, Ordering::Relaxed);
            tracing::error!(call_id = %record.call, seq = record.seq, %error, "an event cannot be stored");
            return;
        }
        self.bytes += bytes.len();
        self.frames.push_back(bytes);
        self.stats.waiting.store(self.waiting(), Ordering::Relaxed);
    }

    /// The spool's counters.
    pub(super) fn stats(&self) -> Arc<SpoolStats> {
        Arc::clone(&self.stats)
    }

    /// How many records wait.
    pub(super) fn waiting(&self) -> u64 {
        u64::try_from(self.frames.len()).unwrap_or(u64::MAX)
    }

    /// Writes what waits. After an error everything that was not written still waits.
    pub(super) fn flush(&mut self, now: Instant) -> io::Result<()> {
        self.rotate(now);
        while !self.frames.is_empty() {
            if self.stats.disk_bytes() >= self.max_bytes.saturating_mul(2) {
                return Err(io::Error::new(
                    io::ErrorKind::QuotaExceeded,
                    "the spool has reached twice its size limit",
                ));
            }
            self.write_some(now)?;
            self.rotate(now);
        }
        Ok(())
    }

    /// Declares all segments complete: nothing is written any more.
    pub(super) fn seal(&mut self) {
        self.segment = None;
        self.stats.seal_below(u64::MAX);
    }

    fn has_room_for(&self, is_milestone: bool) -> bool {
        if is_milestone {
            return self.bytes < MEMORY_BYTES;
        }
        let waiting = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        self.bytes < MEMORY_BYTES_FOR_DETAILS
            && self.stats.disk_bytes().saturating_add(waiting) < self.max_bytes
    }

    fn write_some(&mut self, now: Instant) -> io::Result<()> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => {
                let number = self.next_segment;
                self.next_segment += 1;
                self.segment.insert(OpenSegment::create(&self.dir, number, now)?)
            }
        };
        let (batch, count) = batch(&self.frames);
        match segment.append(&batch) {
            Ok(()) => {
                self.frames.drain(..count);
                self.bytes -= batch.len();
                self.stats.add_disk_bytes(u64::try_from(batch.len()).unwrap_or(u64::MAX));
                self.stats.written.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
                self.stats.waiting.store(self.waiting(), Ordering::Relaxed);
                Ok(())
            }
            Err(AppendError { error, is_usable }) => {
                if !is_usable {
                    self.close_segment();
                }
                Err(error)
            }
        }
    }

    fn rotate(&mut self, now: Instant) {
        if self.segment.as_ref().is_some_and(|segment| segment.is_due_for_rotation(now)) {
            self.close_segment();
        }
    }

    fn close_segment(&mut self) {
        self.segment = None;
        self.stats.seal_below(self.next_segment);
    }
}

fn batch(frames: &VecDeque<Vec<u8>>) -> (Vec<u8>, usize) {
    let mut joined = Vec::new();
    let mut count = 0;
    for frame in frames {
        if count > 0 && joined.len() + frame.len() > WRITE_BYTES {
            break;
        }
        joined.extend_from_slice(frame);
        count += 1;
    }
    (joined, count)
}

/// Where most frames fit without growing.
const TYPICAL_FRAME: usize = 256;

/// Bytes handed to the file system at once.
const WRITE_BYTES: usize = 256 * 1024;

/// Framed records that wait in memory while the disk fails: about 50,000 of them. Beyond it milestones are lost.
const MEMORY_BYTES: usize = 16 * 1024 * 1024;

/// Of that, what details may use; the rest is for milestones.
const MEMORY_BYTES_FOR_DETAILS: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::call::log::{CallId, CallTime, Event, UnixMicros};
    use crate::store::spool::segment;

    fn record(seq: u64, event: Event) -> Record {
        Record {
            call: CallId::new(UnixMicros(1_700_000_000_000_000), [3; 10]),
            seq,
            at: CallTime(seq),
            event,
        }
    }

    fn backlog(dir: &Path, max_bytes: u64) -> Backlog {
        let stats = Arc::new(SpoolStats::new(Vec::new(), 0, 1));
        Backlog::new(dir.to_path_buf(), max_bytes, 1, stats)
    }

    #[test]
    fn above_the_size_limit_details_are_dropped_and_milestones_kept() {
        let dir = crate::store::scratch::Folder::new("spool-cap");
        let mut backlog = backlog(dir.path(), 2_000);
        let now = Instant::now();
        for seq in 0..200 {
            let event = if seq % 10 == 0 { Event::Answered } else { Event::TickLate { missed: 1 } };
            backlog.accept(&record(seq, event));
            backlog.flush(now).unwrap_or(());
        }
        let stats = &backlog.stats;
        assert!(stats.dropped_details() > 100, "{}", stats.dropped_details());
        assert_eq!(stats.dropped_milestones(), 0);
        assert_eq!(stats.written() + stats.waiting() + stats.dropped_details(), 200);
        assert!(stats.disk_bytes() < 4_200, "milestones may use as much again: {}", stats.disk_bytes());
        stats.subtract_disk_bytes(u64::MAX);
        assert!(backlog.flush(now).is_ok(), "once the database has caught up the rest is written");
        assert_eq!(backlog.waiting(), 0);
    }

    #[test]
    fn records_wait_in_bounded_memory_while_the_folder_cannot_be_written() {
        let dir = crate::store::scratch::Folder::new("spool-blocked");
        let blocked = dir.path().join("spool");
        fs::write(&blocked, "a file in the folder's place").unwrap();
        let mut backlog = backlog(&blocked, u64::MAX);
        let now = Instant::now();
        let what = "x".repeat(100_000);
        for seq in 0..100 {
            backlog.accept(&record(seq, Event::StreamReset { what: what.clone() }));
        }
        let kept_details = backlog.waiting();
        assert!((80..=84).contains(&kept_details), "{kept_details}");
        for seq in 100..300 {
            let file = what.clone();
            backlog.accept(&record(seq, Event::RecordingStarted { file }));
        }
        assert!(backlog.flush(now).is_err());
        assert!(backlog.stats.dropped_milestones() > 0, "even milestones have a bound");
        let waiting = backlog.waiting();
        fs::remove_file(&blocked).unwrap();
        backlog.flush(now).unwrap();
        assert_eq!(backlog.stats.written(), waiting);
    }

    #[test]
    fn segments_rotate_by_size_and_by_age() {
        let dir = crate::store::scratch::Folder::new("spool-rotate");
        let mut backlog = backlog(dir.path(), u64::MAX);
        let now = Instant::now();
        let what = "x".repeat(100_000);
        for seq in 0..11 {
            backlog.accept(&record(seq, Event::StreamReset { what: what.clone() }));
            backlog.flush(now).unwrap();
        }
        assert_eq!(backlog.stats.open_segment(), 2);
        backlog.accept(&record(11, Event::Answered));
        backlog.flush(now).unwrap();
        backlog.flush(now + Duration::from_secs(9)).unwrap();
        assert_eq!(backlog.stats.open_segment(), 2);
        backlog.flush(now + Duration::from_secs(10)).unwrap();
        assert_eq!(backlog.stats.open_segment(), 3);
        let numbers: Vec<u64> =
            segment::list(dir.path()).unwrap().iter().map(|segment| segment.number).collect();
        assert_eq!(numbers, [1, 2]);
    }
}
