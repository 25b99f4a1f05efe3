//! In-order release: each 20 ms as soon as they are complete, waiting at a gap until the missing packet
//! would be the slowest for a second, and for 60 ms at most.

use std::time::{Duration, Instant};

use super::store::Stored;
use super::{JitterBuffer, Slot};

impl JitterBuffer {
    /// For [`Release::InOrder`](super::Release::InOrder): the next slot that is ready. Call it until it returns `None`, after
    /// every few packets and at each tick.
    ///
    /// Where the peer pauses, the timestamp jumps and no slot stands for the pause. A loss of more than 200 ms is counted in
    /// full, but only its last 200 ms are released as lost.
    pub fn next_in_order(&mut self, now: Instant) -> Option<Slot<'_>> {
        loop {
            if let Some(position) = self.position
                && self.run_end >= position.saturating_add(self.frame_units)
            {
                let is_whole = self.fill_released(position);
                self.counters.lost += u64::from(!is_whole);
                return Some(self.finish_slot(position, position.saturating_add(self.frame_units)));
            }
            let next = *self.store.packets().find(|packet| Some(packet.sequence) > self.last_used)?;
            let missing = self.gap_before(next.sequence);
            if missing > 0 && !self.is_given_up(&next, now) {
                return None;
            }
            let position = *self.position.get_or_insert(next.timestamp);
            if self.last_used.is_none() {
                self.run_end = position;
            }
            let joint = self.count_hole(&next, missing);
            if joint > self.run_end {
                let has_remainder = self.run_end > position;
                self.run_end = joint;
                if has_remainder {
                    self.fill_released(position);
                    return Some(self.finish_slot(position, joint));
                }
                self.position = Some(joint);
            }
            self.last_used = Some(next.sequence);
            self.run_end = self.run_end.max(next.end());
            self.drop_released();
        }
    }

    /// Where the stream goes on before a packet: behind the run if what is missing between them is lost, later if the peer
    /// paused. What is lost but will not be released as lost is counted here.
    fn count_hole(&mut self, next: &Stored, missing: u64) -> u64 {
        let between = next.timestamp.saturating_sub(self.run_end);
        let units = u64::from(next.units.max(self.packet_units));
        let lost = between.min(missing.saturating_mul(units));
        let released_as_lost = lost.min(MAX_LOST_FRAMES * self.frame_units);
        self.counters.lost += (lost - released_as_lost) / self.frame_units;
        next.timestamp.saturating_sub(released_as_lost)
    }

    /// Whether what is missing before a packet is not waited for any longer: it would be later than the slowest of the last
    /// second, or the packets behind it have waited for as long as any may.
    fn is_given_up(&mut self, next: &Stored, now: Instant) -> bool {
        let missing = next.timestamp.saturating_sub(self.packet_units.into());
        let overdue_us = self.transit.overdue_us(missing, now);
        overdue_us.is_some_and(|overdue_us| overdue_us >= OVERDUE_US) || self.waited_at_gap(now) >= MAX_WAIT
    }

    fn waited_at_gap(&mut self, now: Instant) -> Duration {
        let now_ms = self.since_epoch_ms(now);
        let behind_gap = self.store.packets().filter(|packet| Some(packet.sequence) > self.last_used);
        let seen_ms = behind_gap.map(|packet| packet.arrival_ms).min().unwrap_or(now_ms);
        Duration::from_millis(now_ms.saturating_sub(seen_ms).into())
    }

    /// Assembles the frame at `position`, and says whether all of it is there.
    fn fill_released(&mut self, position: u64) -> bool {
        self.assemble(position);
        self.filled.len() == self.released.len()
    }

    fn finish_slot(&mut self, position: u64, next_position: u64) -> Slot<'_> {
        self.position = Some(next_position);
        self.drop_released();
        self.released_slot(position)
    }

    /// Lets go of the packets that are released in full.
    fn drop_released(&mut self) {
        let position = self.position.unwrap_or(0);
        while self
            .store
            .front()
            .is_some_and(|front| Some(front.sequence) <= self.last_used && front.end() <= position)
        {
            self.store.pop_front();
        }
    }
}

/// Later than the slowest packet of the last second by this, a packet is lost: one that the next overtook just makes it.
const OVERDUE_US: i64 = 20_000;

/// Reordering that a listener waits for: three packets.
const MAX_WAIT: Duration = Duration::from_millis(60);

/// More silence in a row tells a listener nothing.
const MAX_LOST_FRAMES: u64 = 10;
