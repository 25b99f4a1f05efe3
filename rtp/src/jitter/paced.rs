//! Paced release: exactly 20 ms at each tick, a fixed delay behind the packets' usual arrival.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::{Content, JitterBuffer, Paced, Slot};
use crate::frame::FRAME;

impl JitterBuffer {
    /// For [`Release::Paced`](super::Release::Paced): what is heard in this tick. Call it exactly once in 20 ms.
    ///
    /// A tick that comes late or not at all moves nothing by itself: the delay is measured from `now`, and what has become too
    /// old is left out within three ticks.
    pub fn next_paced(&mut self, now: Instant) -> Paced<'_> {
        let Some(mut position) = self.position.or_else(|| self.start(now)) else {
            self.missing_frames += u64::from(self.last_used.is_some());
            return Paced::Empty;
        };
        let excess_us = self.excess_us(position, now).unwrap_or(0);
        let correction = self.steering.steer(excess_us);
        match correction {
            Correction::Keep => {}
            Correction::Insert => {
                self.counters.slips_inserted += 1;
                return Paced::SlipInserted { timestamp: position };
            }
            Correction::Remove => {
                self.counters.slips_removed += 1;
                position = position.saturating_add(self.frame_units);
            }
            Correction::Skip(frames) => {
                self.counters.skipped += frames;
                position = position.saturating_add(frames.saturating_mul(self.frame_units));
            }
            Correction::Restart => {
                self.position = None;
                return Paced::Empty;
            }
        }
        self.release_at(position, correction != Correction::Keep)
    }

    /// Finds where to begin, or to go on after the buffer ran dry: with the first packet when the target delay has passed since
    /// its arrival, or a whole number of frames behind it where that moment is long over. `None` while it has not come.
    fn start(&mut self, now: Instant) -> Option<u64> {
        self.pass_packets_without_audio();
        let (front, back) = (*self.store.front()?, *self.store.back()?);
        let earliest_us = -(duration_us(self.target) + duration_us(EARLIEST));
        let is_too_late = self.excess_us(back.end(), now)? >= 0;
        let is_too_early = self.excess_us(front.timestamp, now)? < earliest_us;
        if is_too_late && !self.has_waited(front.arrival_ms, now) {
            return None;
        }
        if is_too_late || is_too_early {
            self.transit.clear();
            self.rebuild_transit();
        }
        let excess_us = u64::try_from(self.excess_us(front.timestamp, now)?).ok()?;
        let is_in_band = excess_us < REMOVE_ABOVE_US.unsigned_abs();
        let frames = if is_in_band { 0 } else { excess_us / duration_us(FRAME).unsigned_abs() };
        let position = front.timestamp.saturating_add(frames.saturating_mul(self.frame_units));
        while self.store.front().is_some_and(|front| front.end() <= position) {
            self.counters.late += u64::from(self.store.pop_front().is_some_and(|packet| packet.units > 0));
        }
        let first = self.store.front()?.sequence;
        self.last_used.get_or_insert(first.saturating_sub(1));
        self.steering.restart();
        self.position = Some(position);
        self.position
    }

    fn release_at(&mut self, position: u64, is_slip: bool) -> Paced<'_> {
        if self.is_pause_at(position) {
            // What follows a pause begins a frame of its own: it need not keep step with what was before.
            self.missing_frames += 1;
            self.position = None;
            return Paced::Empty;
        }
        let until = position.saturating_add(self.frame_units);
        self.position = Some(until);
        self.assemble(position);
        let is_head_missing = self.filled.start > 0 || self.filled.is_empty();
        self.missing_frames += u64::from(is_head_missing);
        self.use_packets_until(until);
        if self.filled.is_empty() {
            return self.release_nothing(position);
        }
        let is_tail_missing = self.filled.end < self.released.len();
        self.missing_frames += u64::from(is_tail_missing && !is_head_missing);
        self.steering.starved_ticks = 0;
        let slot = self.released_slot(position);
        if is_slip { Paced::SlipRemoved(slot) } else { Paced::Frame(slot) }
    }

    /// True if the next packet is there, follows on the last one, and begins later than now.
    fn is_pause_at(&self, position: u64) -> bool {
        let next = self.store.packets().find(|packet| packet.end() > position);
        next.is_some_and(|next| next.timestamp > position && self.gap_before(next.sequence) == 0)
    }

    /// There is no audio for this tick: it is lost, or late. Where nothing after it has come, nothing tells yet, and it is
    /// concealed until concealment has faded out.
    fn release_nothing(&mut self, position: u64) -> Paced<'_> {
        let is_dry = self.store.front().is_none();
        if is_dry && (self.is_pause_known || self.steering.starved_ticks == MAX_STARVED_TICKS) {
            self.position = None;
            return Paced::Empty;
        }
        self.steering.starved_ticks += u64::from(is_dry);
        Paced::Frame(Slot { timestamp: position, arrival: None, content: Content::Lost })
    }

    /// Accounts for the packets of which something lies before `until`, and lets go of those that end there.
    fn use_packets_until(&mut self, until: u64) {
        while let Some(front) = self.store.front().copied()
            && (front.timestamp < until || front.end() <= until)
        {
            self.use_packet(front.sequence, front.units);
            if front.end() > until {
                break;
            }
            self.store.pop_front();
        }
    }

    fn pass_packets_without_audio(&mut self) {
        while let Some(front) = self.store.front().copied()
            && front.units == 0
        {
            self.use_packet(front.sequence, 0);
            self.store.pop_front();
        }
    }

    /// Settles what was missing before a packet: lost as far as its sequence number tells, else the buffer was starved.
    fn use_packet(&mut self, sequence: u64, units: u32) {
        if self.last_used.is_some_and(|last| sequence <= last) {
            return;
        }
        let packets = self.gap_before(sequence);
        let missing = std::mem::take(&mut self.missing_frames);
        let gap_units = packets.saturating_mul(self.packet_units.into());
        let lost = missing.min(gap_units.div_ceil(self.frame_units));
        self.counters.lost += lost;
        self.counters.starved += (missing - lost).min(MAX_STARVED_TICKS);
        self.last_used = Some(sequence);
        self.is_pause_known = units == 0;
    }

    /// How much longer than the target a sample has waited, in microseconds.
    fn excess_us(&self, timestamp: u64, now: Instant) -> Option<i64> {
        let delay_us = self.transit.delay_us(timestamp, now)?;
        Some(delay_us.saturating_sub(duration_us(self.target + GUARD)))
    }

    fn has_waited(&mut self, arrival_ms: u32, now: Instant) -> bool {
        let waited_ms = self.since_epoch_ms(now).saturating_sub(arrival_ms);
        Duration::from_millis(waited_ms.into()) >= RETIME_AFTER
    }

    /// Measures arrivals anew, from the packets that are buffered.
    pub(super) fn rebuild_transit(&mut self) {
        let Some(epoch) = self.epoch else { return };
        for packet in self.store.packets().filter(|packet| packet.units > 0) {
            let arrival = epoch + Duration::from_millis(packet.arrival_ms.into());
            self.transit.note(arrival, packet.timestamp, packet.units);
        }
    }
}

/// Keeps the delay in its band.
#[derive(Clone, Debug, Default)]
pub(super) struct Steering {
    /// Excess delay at the last ticks, in microseconds.
    recent_us: ArrayVec<i64, CONFIRMING_TICKS>,
    /// Ticks in a row at which the delay was above its band.
    deep_ticks: u32,
    /// Ticks in a row at which the delay was below its band.
    shallow_ticks: u32,
    starved_ticks: u64,
    pub(super) is_quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Correction {
    Keep,
    Insert,
    Remove,
    Skip(u64),
    Restart,
}

impl Steering {
    fn restart(&mut self) {
        *self = Self { is_quiet: self.is_quiet, ..Self::default() };
    }

    /// Decides what to do about the delay at this tick.
    fn steer(&mut self, excess_us: i64) -> Correction {
        if self.recent_us.is_full() {
            self.recent_us.remove(0);
        }
        self.recent_us.push(excess_us);
        let margin_us = if self.is_quiet { QUIET_MARGIN_US } else { 0 };
        self.deep_ticks = if excess_us > REMOVE_ABOVE_US - margin_us { self.deep_ticks + 1 } else { 0 };
        self.shallow_ticks = if excess_us < margin_us { self.shallow_ticks + 1 } else { 0 };
        let correction = self.choose();
        match correction {
            Correction::Keep => {}
            Correction::Insert => self.shift(duration_us(FRAME)),
            Correction::Remove => self.shift(-duration_us(FRAME)),
            Correction::Skip(frames) => {
                let frames = i64::try_from(frames).unwrap_or(i64::MAX);
                self.shift(-duration_us(FRAME).saturating_mul(frames));
            }
            Correction::Restart => self.restart(),
        }
        correction
    }

    fn choose(&self) -> Correction {
        let recent_us = self.recent_us.iter().copied();
        if let (true, Some(lowest_us), Some(highest_us)) =
            (self.recent_us.is_full(), recent_us.clone().min(), recent_us.max())
        {
            if lowest_us >= SKIP_ABOVE_US {
                let frames = (lowest_us - SKIP_TO_US) / duration_us(FRAME);
                return Correction::Skip(frames.unsigned_abs());
            }
            if highest_us < RESTART_BELOW_US {
                return Correction::Restart;
            }
            if highest_us < INSERT_AT_ONCE_BELOW_US {
                return Correction::Insert;
            }
        }
        if self.deep_ticks >= SLIP_AFTER_TICKS {
            return Correction::Remove;
        }
        if self.shallow_ticks >= SLIP_AFTER_TICKS {
            return Correction::Insert;
        }
        Correction::Keep
    }

    fn shift(&mut self, by_us: i64) {
        self.deep_ticks = 0;
        self.shallow_ticks = 0;
        for excess_us in &mut self.recent_us {
            *excess_us = excess_us.saturating_add(by_us);
        }
    }

    /// The delay beyond the target at the last tick.
    pub(super) fn excess_us(&self) -> Option<i64> {
        self.recent_us.last().copied()
    }
}

fn duration_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A packet that is late by exactly the target, such as one overtaken by three others at 60 ms, is still in time.
pub(super) const GUARD: Duration = Duration::from_millis(1);

/// A tick that comes 20 ms late is common on a shared machine, three in a row are a stall that is over.
const CONFIRMING_TICKS: usize = 3;

/// The band above the target: one frame that a slip moves, and room on both sides of it for the noise of the measure.
const REMOVE_ABOVE_US: i64 = 37_000;

/// So much before the edge a quiet frame is taken instead of waiting for a loud one: 40 s of drift at 100 ppm.
const QUIET_MARGIN_US: i64 = 4_000;

/// Only a stall makes it so deep that one slip would not do.
const SKIP_ABOVE_US: i64 = REMOVE_ABOVE_US + 20_000;

/// Where a skip aims: up to 20 ms more than this remain, the middle of the band.
const SKIP_TO_US: i64 = 10_000;

/// So shallow, most packets come too late to be heard: nothing is gained by spreading the slips.
const INSERT_AT_ONCE_BELOW_US: i64 = -40_000;

/// The peer's timestamps have run away from its packets.
const RESTART_BELOW_US: i64 = -200_000;

/// What a slip corrects is slow. Waiting for so long keeps the noise of the measure from causing slips, and slips apart.
const SLIP_AFTER_TICKS: u32 = 32;

/// The frames after which concealment has faded to silence.
const MAX_STARVED_TICKS: u64 = 3;

/// Packets that are all too late mean a new delay, not a burst after a stall, when they have come for so long.
const RETIME_AFTER: Duration = Duration::from_millis(100);

/// A packet cannot be earlier than the fastest way through the network: if it seems so, its timestamp means something else.
const EARLIEST: Duration = Duration::from_millis(400);
