//! What the spool tells health and metrics, and what its writing and its reading side tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counters of one spool. All are totals since the start unless they say otherwise.
#[derive(Debug)]
pub struct SpoolStats {
    ring_drops: Vec<Arc<AtomicU64>>,
    pub(super) written: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) dropped_details: AtomicU64,
    pub(super) dropped_milestones: AtomicU64,
    pub(super) write_errors: AtomicU64,
    pub(super) is_failing: AtomicBool,
    disk_bytes: AtomicU64,
    open_segment: AtomicU64,
    news: Notify,
}

impl SpoolStats {
    /// Counters of a spool that has `disk_bytes` on disk and will write segment `open_segment` next.
    pub(super) fn new(ring_drops: Vec<Arc<AtomicU64>>, disk_bytes: u64, open_segment: u64) -> Self {
        Self {
            ring_drops,
            written: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            dropped_details: AtomicU64::new(0),
            dropped_milestones: AtomicU64::new(0),
            write_errors: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            disk_bytes: AtomicU64::new(disk_bytes),
            open_segment: AtomicU64::new(open_segment),
            news: Notify::new(),
        }
    }

    /// Records written to segments.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Records that wait in memory for the disk, now.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Bytes in the spool folder, now.
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes.load(Ordering::Relaxed)
    }

    /// Details dropped because the spool was near its size limit or the disk failed.
    pub fn dropped_details(&self) -> u64 {
        self.dropped_details.load(Ordering::Relaxed)
    }

    /// Milestones dropped because the last limit was reached: calls' rows may be wrong.
    pub fn dropped_milestones(&self) -> u64 {
        self.dropped_milestones.load(Ordering::Relaxed)
    }

    /// Records that a shard appended to a full ring.
    pub fn dropped_in_rings(&self) -> u64 {
        self.ring_drops.iter().map(|ring| ring.load(Ordering::Relaxed)).sum()
    }

    /// Attempts to write that failed.
    pub fn write_errors(&self) -> u64 {
        self.write_errors.load(Ordering::Relaxed)
    }

    /// True while the disk does not take what is to be written.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Segments with a smaller number are complete: nothing is appended to them any more.
    pub(crate) fn open_segment(&self) -> u64 {
        self.open_segment.load(Ordering::Acquire)
    }

    /// Returns when something was written, or a segment completed, since it returned last.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    pub(super) fn seal_below(&self, segment: u64) {
        self.open_segment.store(segment, Ordering::Release);
        self.news.notify_one();
    }

    pub(super) fn add_disk_bytes(&self, bytes: u64) {
        self.disk_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.news.notify_one();
    }

    /// The reading side deleted a segment of this size.
    pub(crate) fn subtract_disk_bytes(&self, bytes: u64) {
        let less = |now: u64| Some(now.saturating_sub(bytes));
        // The closure always returns a value, so this cannot fail.
        let _ = self.disk_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
