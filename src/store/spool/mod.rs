//! The spool: events from the rings on their way to the database, on disk, so that a database that is away costs
//! nothing. One thread empties the rings every 20 ms, or every 100 ms while nothing comes, and appends to numbered segment files every
//! 100 ms; the
//! [`StoreWriter`](super::StoreWriter) reads them and deletes what is committed.
//!
//! Sequence numbers belong to the calls. A record that is dropped here leaves a hole in its call's numbers, and whoever
//! reads the log shows the hole as a gap.

mod backlog;
pub(crate) mod frame;
mod reader;
mod ring;
pub(crate) mod segment;
mod stats;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use backlog::Backlog;
pub(crate) use reader::{Batch, SpoolReader, look};
pub use ring::{EventReceiver, EventSender, event_ring};
pub use stats::SpoolStats;

use crate::telemetry;

/// Starts the thread that writes the spool.
#[derive(Debug)]
pub struct SpoolWriter;

impl SpoolWriter {
    /// Begins to empty `rings` into segment files in `dir`, which is made if needed. Above `max_bytes` on disk details
    /// are dropped; milestones may use as much again.
    ///
    /// # Errors
    /// When the folder cannot be read or made, or the thread cannot be started.
    pub fn start(dir: &Path, rings: Vec<EventReceiver>, max_bytes: u64) -> Result<SpoolHandle, SpoolError> {
        let folder = |source| SpoolError::Folder { dir: dir.to_path_buf(), source };
        std::fs::create_dir_all(dir).map_err(folder)?;
        let segments = segment::list(dir).map_err(folder)?;
        let next = segments.last().map_or(1, |segment| segment.number + 1);
        let disk_bytes = segments.iter().map(|segment| segment.bytes).sum();
        let drops = rings.iter().map(EventReceiver::dropped).collect();
        let stats = Arc::new(SpoolStats::new(drops, disk_bytes, next));
        let backlog = Backlog::new(dir.to_path_buf(), max_bytes, next, Arc::clone(&stats));
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker { rings, backlog, stop: Arc::clone(&stop), failing_since: None };
        let thread = thread::Builder::new()
            .name("caly-spool".to_owned())
            .spawn(move || worker.run())
            .map_err(SpoolError::Thread)?;
        Ok(SpoolHandle { thread: Some(thread), stop, stats })
    }
}

/// Owns the spool's thread. Dropping it stops the thread too, but tells nobody what was lost.
#[derive(Debug)]
pub struct SpoolHandle {
    thread: Option<JoinHandle<Result<(), SpoolError>>>,
    stop: Arc<AtomicBool>,
    stats: Arc<SpoolStats>,
}

impl SpoolHandle {
    /// The spool's counters.
    pub fn stats(&self) -> Arc<SpoolStats> {
        Arc::clone(&self.stats)
    }

    /// Writes what the rings still hold and joins the thread. Call it after the last shard has stopped.
    ///
    /// # Errors
    /// [`SpoolError::Unwritten`] if the disk did not take everything.
    pub fn shutdown(mut self) -> Result<(), SpoolError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), SpoolError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stop.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join().unwrap_or(Err(SpoolError::Panicked))
    }
}

impl Drop for SpoolHandle {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "the spool did not end well");
        }
    }
}

/// What can go wrong with the spool as a whole. A disk that fails later is no error: records wait in memory.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The spool's folder cannot be used.
    #[error("the spool folder {} cannot be used: {source}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The operating system gives no thread.
    #[error("the spool's thread cannot be started: {0}")]
    Thread(io::Error),
    /// The thread panicked.
    #[error("the spool's thread panicked")]
    Panicked,
    /// At the end some events could not be written.
    #[error("{records} events could not be written to the spool and are lost: {source}")]
    Unwritten {
        /// How many.
        records: u64,
        /// What the file system said.
        source: io::Error,
    },
}

struct Worker {
    rings: Vec<EventReceiver>,
    backlog: Backlog,
    stop: Arc<AtomicBool>,
    failing_since: Option<Instant>,
}

impl Worker {
    fn run(mut self) -> Result<(), SpoolError> {
        let mut next_flush = Instant::now();
        loop {
            let is_last = self.stop.load(Ordering::Acquire);
            let is_busy = self.drain_rings();
            let now = Instant::now();
            if is_last {
                return self.finish(now);
            }
            if now >= next_flush {
                let is_well = self.flush(now);
                next_flush = now + if is_well { FLUSH_INTERVAL } else { RETRY_INTERVAL };
            }
            thread::park_timeout(if is_busy { DRAIN_INTERVAL } else { FLUSH_INTERVAL });
        }
    }

    fn finish(mut self, now: Instant) -> Result<(), SpoolError> {
        let written = self.backlog.flush(now);
        let records = self.backlog.waiting();
        self.backlog.seal();
        written.map_err(|source| SpoolError::Unwritten { records, source })
    }

    /// True if there was anything.
    fn drain_rings(&mut self) -> bool {
        let mut is_busy = false;
        for ring in &mut self.rings {
            // Only what waits now: a shard that never stops appending must not keep the others waiting.
            for _ in 0..ring.waiting() {
                let Some(record) = ring.next() else { break };
                telemetry::announce(&record);
                self.backlog.accept(&record);
                is_busy = true;
            }
        }
        is_busy
    }

    /// Writes what waits and tells the log when the disk begins to fail and when it works again.
    fn flush(&mut self, now: Instant) -> bool {
        let stats = self.backlog.stats();
        match self.backlog.flush(now) {
            Ok(()) => {
                if let Some(since) = self.failing_since.take() {
                    let seconds = now.duration_since(since).as_secs();
                    stats.is_failing.store(false, Ordering::Relaxed);
                    tracing::info!(seconds, "the spool can be written again");
                }
                true
            }
            Err(error) => {
                stats.write_errors.fetch_add(1, Ordering::Relaxed);
                stats.is_failing.store(true, Ordering::Relaxed);
                if self.failing_since.is_none() {
                    self.failing_since = Some(now);
                    tracing::error!(%error, "the spool cannot be written; events wait in memory, calls go on");
                }
                false
            }
        }
    }
}

/// How often the rings are emptied while something comes. A ring holds seconds of events; this bounds the size of a batch.
const DRAIN_INTERVAL: Duration = Duration::from_millis(20);

/// How often segments are appended to: what a killed process may lose of its calls' logs.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How long a failing disk is left alone.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
