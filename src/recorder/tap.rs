//! The shard's side of a recording: it hands over blocks of samples and never waits for a disk. Blocks go in chunks that are made when they are needed:
//! a ring of blocks would take memory for as long as a disk may stand still, in every call and all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use crate::call::log::CallId;

/// Samples of one block: 20 ms at 8 kHz.
pub const BLOCK_SAMPLES: usize = 160;

/// One shard's door to the recorder.
#[derive(Debug)]
pub struct RecorderPort {
    requests: Producer<Request>,
    reports: Consumer<RecordingReport>,
}

impl RecorderPort {
    /// Begins a recording in `file` (see [`file_name`](super::file_name)); `None` if too many are being opened at this
    /// moment, which is worth an event in the call and no more. Whether the file could be made is reported later.
    pub fn open(&mut self, call: CallId, file: impl Into<String>, sample_rate: u32) -> Option<Tap> {
        if self.requests.is_full() || self.requests.is_abandoned() {
            return None;
        }
        let (producer, consumer) = RingBuffer::new(TAP_CHUNKS);
        let missing = Arc::new(AtomicU64::new(0));
        let request =
            Request { call, file: file.into(), sample_rate, chunks: consumer, missing: Arc::clone(&missing) };
        self.requests.push(request).ok()?;
        Some(Tap { chunks: producer, filling: Vec::with_capacity(CHUNK_BLOCKS), missing })
    }

    /// The next recording that came to its end, well or not.
    pub fn poll_report(&mut self) -> Option<RecordingReport> {
        self.reports.pop().ok()
    }
}

/// Which side of the stereo file a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Left: what the caller said.
    Caller,
    /// Right: what we said.
    Agent,
}

/// One running recording. Dropping it closes the file once all that was pushed is written.
#[derive(Debug)]
pub struct Tap {
    chunks: Producer<Vec<Block>>,
    /// The chunk that is not full, or found no room.
    filling: Vec<Block>,
    missing: Arc<AtomicU64>,
}

impl Tap {
    /// Hands over one block. `block_index` is its place in the file, in blocks since the recording began; a caller's
    /// block may come up to 500 ms after the agent's block of the same index. Places that are never pushed are silence.
    /// If the writer is two seconds behind, the block becomes silence and is counted.
    pub fn push(&mut self, channel: Channel, block_index: u32, samples: &[i16; BLOCK_SAMPLES]) {
        if self.filling.len() >= CHUNK_BLOCKS && !self.hand_over() {
            self.missing.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.filling.push(Block { channel, index: block_index, samples: *samples });
        if self.filling.len() >= CHUNK_BLOCKS {
            self.hand_over();
        }
    }

    /// False if there is no room, and what is to be handed over stays.
    fn hand_over(&mut self) -> bool {
        if self.chunks.is_full() {
            return false;
        }
        let full = std::mem::replace(&mut self.filling, Vec::with_capacity(CHUNK_BLOCKS));
        self.chunks.push(full).is_ok()
    }

    /// False once the writer has given the file up (a full disk); what is pushed then goes nowhere.
    pub fn is_open(&self) -> bool {
        !self.chunks.is_abandoned()
    }

    /// Ends the recording; the report follows.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Tap {
    /// The last blocks; the ring is dropped behind them.
    fn drop(&mut self) {
        let last = std::mem::take(&mut self.filling);
        let count = last.len() as u64;
        if self.chunks.push(last).is_err() {
            self.missing.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// How a recording came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingReport {
    /// Whose recording.
    pub call: CallId,
    /// How it ended.
    pub outcome: RecordingOutcome,
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingOutcome {
    /// The file is complete.
    Finished {
        /// File name inside the recordings folder.
        file: String,
        /// Length in milliseconds.
        duration_ms: u64,
        /// Blocks that could not be handed over in time and are silence in the file.
        missing_blocks: u64,
    },
    /// The file ends early; what is in it can be played.
    Failed {
        /// File name inside the recordings folder.
        file: String,
        /// What the file system said.
        error: String,
        /// How much the file holds, in milliseconds.
        duration_ms: u64,
    },
}

/// A block on its way to the writer.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) channel: Channel,
    pub(super) index: u32,
    pub(super) samples: [i16; BLOCK_SAMPLES],
}

/// A recording that the writer is asked to begin.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) call: CallId,
    pub(super) file: String,
    pub(super) sample_rate: u32,
    pub(super) chunks: Consumer<Vec<Block>>,
    pub(super) missing: Arc<AtomicU64>,
}

/// The writer's ends of one port.
#[derive(Debug)]
pub(super) struct PortPeer {
    pub(super) requests: Consumer<Request>,
    pub(super) reports: Producer<RecordingReport>,
}

/// A port and the writer's side of it.
pub(super) fn port() -> (RecorderPort, PortPeer) {
    let (requests, asked) = RingBuffer::new(OPEN_REQUESTS);
    let (told, reports) = RingBuffer::new(REPORTS);
    (RecorderPort { requests, reports }, PortPeer { requests: asked, reports: told })
}

/// 100 ms of both channels at 50 blocks a second each: what is not handed over yet when a process is killed is lost.
const CHUNK_BLOCKS: usize = 10;

/// Two seconds: the writer wakes four times a second, and a disk may stand still for most of the rest. As long as it does not, no more than three
/// chunks of 3 kB wait.
const TAP_CHUNKS: usize = 20;

/// Recordings that one shard may begin between two wake-ups of the writer (250 ms); more than 1,000 calls a second.
const OPEN_REQUESTS: usize = 256;

/// Reports that wait for the shard, which reads them at every slot; the writer keeps what does not fit.
const REPORTS: usize = 256;
