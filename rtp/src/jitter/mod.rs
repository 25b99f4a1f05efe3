//! The jitter buffer: puts a stream's packets back in order, and releases them to listeners or to a peer's ear.
//!
//! Both releases cut the stream into 20 ms slots, whatever packet length the peer chose. For every packet of the stream, its
//! numbers unwrapped: [`JitterBuffer::insert`], or [`JitterBuffer::note_other`] for one that carries no audio of the codec
//! (RFC 4733 events, RFC 3389 comfort noise), so that its sequence number does not look lost.
//!
//! The paced release keeps a line through the arrival times (the median transit) and plays a packet between `target` and
//! `target` + 40 ms behind it. Clock drift walks through that band, and is met at its edge by leaving out or inserting one frame.

mod in_order;
mod paced;
mod store;
mod transit;

use std::ops::Range;
use std::time::{Duration, Instant};

use self::paced::{GUARD, Steering};
use self::store::{Store, Stored};
use self::transit::Transit;
use crate::frame::FRAME;

/// Buffers one stream.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    target: Duration,
    release: Release,
    frame_units: u64,
    store: Store,
    transit: Transit,
    steering: Steering,
    seen: Seen,
    /// The first arrival, from which stored arrivals are counted.
    epoch: Option<Instant>,
    /// Timestamp of the next unit to release; `None` while nothing is being released.
    position: Option<u64>,
    /// The last sequence number of which something was released, or that was given up.
    last_used: Option<u64>,
    /// In-order release: the admitted audio ends here.
    run_end: u64,
    /// Paced release: frames missing since the last that was there.
    missing_frames: u64,
    /// Units in the last packet with audio.
    packet_units: u32,
    /// Paced release: the packet used last carried no audio, so that nothing need follow it.
    is_pause_known: bool,
    /// The frame being released, and which part of it was there.
    released: Box<[u8]>,
    filled: Range<usize>,
    /// Arrival of the last packet in it, from the epoch.
    released_arrival_ms: Option<u32>,
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
    /// There was no room: the oldest packets were dropped for it, or it was itself the oldest and is dropped.
    Overflow,
}

/// 20 ms of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Slot<'a> {
    /// Unwrapped timestamp of its first sample.
    pub timestamp: u64,
    /// When the last packet of it was received, to the millisecond; `None` if nothing of it was.
    pub arrival: Option<Instant>,
    /// What there is of it.
    pub content: Content<'a>,
}

/// What there is of a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// All of it.
    Payload(&'a [u8]),
    /// A part; the rest was in a packet that is missing.
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
    /// Frames that were due and missing because a packet did not come, or not in time.
    pub lost: u64,
    /// Frames concealed while nothing was missing from the sequence: the network stalled, or the peer began a pause.
    pub starved: u64,
    /// Packets dropped for want of room.
    pub overflow: u64,
    /// Single frames left out to meet the target delay.
    pub slips_removed: u64,
    /// Single frames inserted to meet the target delay.
    pub slips_inserted: u64,
    /// Frames left out at once after a stall, to be back at the target delay.
    pub skipped: u64,
    /// Times the stream's numbering restarted.
    pub resets: u64,
}

impl JitterBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(config: JitterConfig, release: Release) -> Self {
        let clock_rate = config.clock_rate.clamp(MIN_CLOCK_RATE, MAX_CLOCK_RATE);
        let units_in = |duration: Duration| clock_rate as usize * duration.as_millis() as usize / 1_000;
        Self {
            target: config.target.clamp(MIN_TARGET, MAX_TARGET),
            release,
            frame_units: units_in(FRAME) as u64,
            store: Store::new(units_in(CAPACITY)),
            transit: Transit::new(clock_rate),
            steering: Steering::default(),
            seen: Seen::default(),
            epoch: None,
            position: None,
            last_used: None,
            run_end: 0,
            missing_frames: 0,
            packet_units: units_in(FRAME) as u32,
            is_pause_known: false,
            filled: 0..0,
            released_arrival_ms: None,
            released: vec![0; units_in(FRAME)].into_boxed_slice(),
            counters: JitterCounters::default(),
        }
    }

    /// Serves someone else from now on. What is buffered and was not released goes to them.
    pub fn set_release(&mut self, release: Release) {
        if self.release == release {
            return;
        }
        self.release = release;
        self.missing_frames = 0;
        self.steering = Steering::default();
        match release {
            Release::InOrder => {
                let admitted = self.store.front().filter(|front| Some(front.sequence) <= self.last_used);
                self.run_end = admitted.map_or(0, Stored::end).max(self.position.unwrap_or(0));
            }
            Release::Paced => {
                while self.store.front().is_some_and(|front| Some(front.sequence) <= self.last_used) {
                    self.store.pop_front();
                }
                self.position = None;
                self.transit.clear();
                self.rebuild_transit();
            }
        }
    }

    /// Takes a packet. `arrival` is when the kernel received it; the numbers are unwrapped.
    pub fn insert(&mut self, arrival: Instant, sequence: u64, timestamp: u64, payload: &[u8]) -> Inserted {
        let inserted = self.place(arrival, sequence, timestamp, payload);
        self.counters.received += 1;
        match inserted {
            Inserted::Accepted | Inserted::Overflow => {}
            Inserted::Reordered => self.counters.reordered += 1,
            Inserted::Duplicate => self.counters.duplicate += 1,
            Inserted::Late => self.counters.late += 1,
        }
        inserted
    }

    /// Takes note of a packet that is not the codec's audio: its number is taken, and nothing is released for it.
    pub fn note_other(&mut self, arrival: Instant, sequence: u64, timestamp: u64) {
        self.place(arrival, sequence, timestamp, &[]);
    }

    /// Says whether the frame released last was quiet. Slips prefer quiet moments.
    pub fn note_quiet(&mut self, is_quiet: bool) {
        self.steering.is_quiet = is_quiet;
    }

    /// Forgets what is buffered: the stream's numbering has restarted.
    pub fn reset(&mut self) {
        self.store.clear();
        self.transit.clear();
        self.steering = Steering::default();
        self.seen = Seen::default();
        self.position = None;
        self.last_used = None;
        self.run_end = 0;
        self.missing_frames = 0;
        self.counters.resets += 1;
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &JitterCounters {
        &self.counters
    }

    /// Paced release: the delay, at the last tick, between the usual arrival of a packet and its release. Zero while nothing
    /// is being released.
    #[must_use]
    pub fn depth(&self) -> Duration {
        let (Some(_), Some(excess_us)) = (self.position, self.steering.excess_us()) else {
            return Duration::ZERO;
        };
        let planned = self.target + GUARD;
        let excess = Duration::from_micros(excess_us.unsigned_abs());
        if excess_us < 0 { planned.saturating_sub(excess) } else { planned.saturating_add(excess) }
    }

    fn place(&mut self, arrival: Instant, sequence: u64, timestamp: u64, payload: &[u8]) -> Inserted {
        let age = self.seen.note(sequence);
        if age == Age::Duplicate {
            return Inserted::Duplicate;
        }
        let units = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let arrival_ms = self.since_epoch_ms(arrival);
        if units > 0 {
            self.transit.note(arrival, timestamp, units);
        }
        let packet = Stored { sequence, timestamp, units, arrival_ms };
        if age == Age::TooOld || self.is_late(&packet) {
            return Inserted::Late;
        }
        if units > 0 {
            self.packet_units = units;
        }
        match self.store.insert(packet, payload) {
            Some(0) if age == Age::Reordered => Inserted::Reordered,
            Some(0) => Inserted::Accepted,
            dropped => {
                self.counters.overflow += dropped.unwrap_or(1);
                Inserted::Overflow
            }
        }
    }

    fn is_late(&self, packet: &Stored) -> bool {
        if self.last_used.is_some_and(|last| packet.sequence <= last) {
            return true;
        }
        match self.release {
            Release::InOrder => false,
            Release::Paced => {
                packet.units > 0 && self.position.is_some_and(|position| packet.end() <= position)
            }
        }
    }

    /// Packets missing between the last that was used and this one.
    fn gap_before(&self, sequence: u64) -> u64 {
        self.last_used.map_or(0, |last| sequence.saturating_sub(last).saturating_sub(1))
    }

    /// Assembles the frame at `position`.
    fn assemble(&mut self, position: u64) {
        let assembled = self.store.assemble(position, &mut self.released);
        (self.filled, self.released_arrival_ms) = (assembled.filled, assembled.arrival_ms);
    }

    /// The frame that was assembled.
    fn released_slot(&self, position: u64) -> Slot<'_> {
        let after_epoch = |ms: u32| Some(self.epoch? + Duration::from_millis(ms.into()));
        let arrival = self.released_arrival_ms.and_then(after_epoch);
        Slot { timestamp: position, arrival, content: content_of(&self.released, &self.filled) }
    }

    fn since_epoch_ms(&mut self, instant: Instant) -> u32 {
        let epoch = *self.epoch.get_or_insert(instant);
        u32::try_from(instant.saturating_duration_since(epoch).as_millis()).unwrap_or(u32::MAX)
    }
}

fn content_of<'a>(released: &'a [u8], filled: &Range<usize>) -> Content<'a> {
    match released.get(filled.clone()) {
        None | Some([]) => Content::Lost,
        Some(payload) if payload.len() == released.len() => Content::Payload(payload),
        Some(payload) => Content::Partial { payload, missing_before: filled.start },
    }
}

/// The last 64 sequence numbers, to tell a duplicate from a packet that is late.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    newest: Option<u64>,
    /// Bit n is set if `newest` - n was received.
    received: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Newest,
    Reordered,
    Duplicate,
    TooOld,
}

impl Seen {
    fn note(&mut self, sequence: u64) -> Age {
        let Some(newest) = self.newest else {
            *self = Self { newest: Some(sequence), received: 1 };
            return Age::Newest;
        };
        if sequence > newest {
            let step = u32::try_from(sequence - newest).unwrap_or(u32::MAX);
            *self =
                Self { newest: Some(sequence), received: self.received.checked_shl(step).unwrap_or(0) | 1 };
            return Age::Newest;
        }
        let bit = u32::try_from(newest - sequence).ok().and_then(|back| 1_u64.checked_shl(back));
        match bit {
            None => Age::TooOld,
            Some(bit) if self.received & bit != 0 => Age::Duplicate,
            Some(bit) => {
                self.received |= bit;
                Age::Reordered
            }
        }
    }
}

const MIN_TARGET: Duration = Duration::from_millis(20);
const MAX_TARGET: Duration = Duration::from_millis(200);

/// The deepest target and a burst of the same length on top of it.
const CAPACITY: Duration = Duration::from_millis(400);

/// Telephone band and full band: the clock rates of RTP audio.
const MIN_CLOCK_RATE: u32 = 8_000;
const MAX_CLOCK_RATE: u32 = 48_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_buffer_of_g711_takes_six_and_a_half_kilobytes() {
        let config = JitterConfig { target: MAX_TARGET, clock_rate: 8_000 };
        let buffer = JitterBuffer::new(config, Release::Paced);
        let bytes = size_of_val(&buffer) + buffer.store.heap_bytes() + buffer.released.len();
        assert!(bytes <= 6_500, "{bytes} bytes");
    }

    #[test]
    fn a_packet_is_new_or_reordered_once_and_then_a_duplicate() {
        let mut seen = Seen::default();
        let ages = [100, 102, 101, 102, 101, 200, 137, 136].map(|sequence| seen.note(sequence));
        use Age::{Duplicate, Newest, Reordered, TooOld};
        assert_eq!(ages, [Newest, Newest, Reordered, Duplicate, Duplicate, Newest, Reordered, TooOld]);
    }
}
