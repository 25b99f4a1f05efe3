//! Reading the spool: in order for the database writer, which deletes what it has committed; all at once for whoever
//! only looks.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::frame::{self, Scan};
use super::segment;
use crate::call::log::Record;

/// Reads a spool from its oldest segment on.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    dir: PathBuf,
    segment: u64,
    offset: u64,
}

/// Some records in order, and where reading goes on once they are committed.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The records.
    pub(crate) records: Vec<Record>,
    /// Bytes that were stepped over: torn tails, damaged stretches, events of another version.
    pub(crate) lost_bytes: u64,
    end: Option<(u64, u64)>,
    done: Vec<segment::Segment>,
}

impl Batch {
    /// True if there was nothing to read, to step over or to delete.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.lost_bytes == 0 && self.done.is_empty()
    }
}

impl SpoolReader {
    /// Begins at the oldest segment in `dir`.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, segment: 0, offset: 0 }
    }

    /// The next records, at most about `max_records`. Segments below `open_segment` are complete. Reading again without
    /// [`SpoolReader::commit`] gives the same records.
    pub(crate) fn read(&self, open_segment: u64, max_records: usize) -> io::Result<Batch> {
        let mut batch = Batch::default();
        for segment in segment::list(&self.dir)? {
            if segment.number < self.segment {
                // Committed before, but could not be deleted.
                batch.done.push(segment);
                continue;
            }
            let from = if segment.number == self.segment { self.offset } else { 0 };
            let is_complete = segment.number < open_segment;
            let Some(bytes) = read_from(&segment::path(&self.dir, segment.number), from)? else { continue };
            let taken = take_records(&bytes, is_complete, max_records, &mut batch);
            let to = from + u64::try_from(taken).unwrap_or(0);
            batch.end = Some((segment.number, to));
            if !is_complete || taken < bytes.len() {
                break;
            }
            batch.done.push(segment::Segment { number: segment.number, bytes: to });
            if batch.records.len() >= max_records {
                break;
            }
        }
        Ok(batch)
    }

    /// Goes on behind `batch` and deletes the segments that it completed. Returns how many bytes were freed.
    pub(crate) fn commit(&mut self, batch: &Batch) -> u64 {
        if let Some((segment, offset)) = batch.end {
            (self.segment, self.offset) = (segment, offset);
        }
        let mut freed = 0;
        for segment in &batch.done {
            let path = segment::path(&self.dir, segment.number);
            match fs::remove_file(&path) {
                Ok(()) => freed += segment.bytes,
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "a committed spool segment cannot be deleted");
                }
            }
            if segment.number == self.segment {
                (self.segment, self.offset) = (segment.number + 1, 0);
            }
        }
        freed
    }
}

/// The records in `dir`, a segment's at a time, oldest first; nothing is changed. `None` stands for a segment that
/// vanished meanwhile: the database has its records now.
pub(crate) fn look(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<Option<Vec<Record>>>>> {
    let segments = segment::list(dir)?;
    let dir = dir.to_path_buf();
    Ok(segments.into_iter().map(move |segment| {
        let bytes = read_from(&segment::path(&dir, segment.number), 0)?;
        Ok(bytes.map(|bytes| {
            let mut batch = Batch::default();
            take_records(&bytes, true, usize::MAX, &mut batch);
            batch.records
        }))
    }))
}

/// Takes up to `max_records` records off the front of `bytes`; what cannot be read is stepped over, but for a frame at
/// the end of a segment that is still being written. Returns how far it came.
fn take_records(bytes: &[u8], is_complete: bool, max_records: usize, batch: &mut Batch) -> usize {
    let mut at = 0;
    while at < bytes.len() && batch.records.len() < max_records {
        let rest = &bytes[at..];
        let step = match frame::scan(rest) {
            Scan::Record { record, bytes } => {
                batch.records.push(*record);
                bytes
            }
            Scan::Unreadable { bytes } | Scan::Damaged { bytes } => {
                batch.lost_bytes += u64::try_from(bytes).unwrap_or(0);
                bytes
            }
            Scan::Torn if is_complete => {
                batch.lost_bytes += u64::try_from(rest.len()).unwrap_or(0);
                rest.len()
            }
            Scan::Torn => break,
        };
        at += step;
    }
    at
}

/// The bytes of a file behind `offset`; `None` if it is gone.
fn read_from(path: &Path, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(MAX_SEGMENT_READ).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Far above the size at which segments rotate: a guard against a foreign file with one of our names.
const MAX_SEGMENT_READ: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::{CallId, CallTime, Event, UnixMicros};
    use crate::store::scratch::Folder;

    fn records(count: u64) -> Vec<Record> {
        let call = CallId::new(UnixMicros(1_700_000_000_000_000), [3; 10]);
        (0..count).map(|seq| Record { call, seq, at: CallTime(seq), event: Event::Answered }).collect()
    }

    fn framed(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            frame::encode(record, &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn a_complete_segment_is_deleted_once_committed_and_read_again_before() {
        let dir = Folder::new("reader-complete");
        let records = records(5);
        fs::write(segment::path(dir.path(), 1), framed(&records[..3])).unwrap();
        fs::write(segment::path(dir.path(), 2), framed(&records[3..])).unwrap();
        let mut reader = SpoolReader::new(dir.path().to_path_buf());
        assert_eq!(reader.read(2, 100).unwrap().records, records);
        let batch = reader.read(2, 2).unwrap();
        assert_eq!(batch.records, records[..2]);
        assert_eq!(reader.commit(&batch), 0);
        let batch = reader.read(2, 100).unwrap();
        assert_eq!(batch.records, records[2..]);
        assert!(reader.commit(&batch) > 0);
        assert!(!segment::path(dir.path(), 1).exists());
        assert!(segment::path(dir.path(), 2).exists(), "segment 2 is still being written");
        assert!(reader.read(2, 100).unwrap().is_empty());
        let batch = reader.read(3, 100).unwrap();
        assert!(batch.records.is_empty());
        reader.commit(&batch);
        assert!(!segment::path(dir.path(), 2).exists());
    }

    #[test]
    fn half_a_frame_waits_in_an_open_segment_and_is_cut_from_a_complete_one() {
        let dir = Folder::new("reader-torn");
        let records = records(2);
        let bytes = framed(&records);
        fs::write(segment::path(dir.path(), 1), &bytes[..bytes.len() - 1]).unwrap();
        let mut reader = SpoolReader::new(dir.path().to_path_buf());
        let open = reader.read(1, 100).unwrap();
        assert_eq!((open.records.len(), open.lost_bytes), (1, 0));
        let torn = reader.read(2, 100).unwrap();
        assert_eq!((torn.records.len(), torn.lost_bytes), (1, u64::try_from(bytes.len() / 2 - 1).unwrap()));
        reader.commit(&open);
        fs::write(segment::path(dir.path(), 1), &bytes).unwrap();
        assert_eq!(reader.read(1, 100).unwrap().records, records[1..]);
    }

    #[test]
    fn looking_at_a_spool_changes_nothing() {
        let dir = Folder::new("reader-look");
        let records = records(4);
        fs::write(segment::path(dir.path(), 7), framed(&records)).unwrap();
        let seen: Vec<Record> =
            look(dir.path()).unwrap().flat_map(|segment| segment.unwrap().unwrap()).collect();
        assert_eq!(seen, records);
        assert!(segment::path(dir.path(), 7).exists());
        let listed = look(dir.path()).unwrap();
        fs::remove_file(segment::path(dir.path(), 7)).unwrap();
        assert!(listed.map(Result::unwrap).eq([None]));
        assert_eq!(look(&dir.path().join("absent")).unwrap().count(), 0);
    }
}
