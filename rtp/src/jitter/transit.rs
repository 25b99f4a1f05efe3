//! When a stream's packets arrive, as a line through their arrival times: what "early" and "late" are measured against.
//!
//! Each packet's transit is its arrival minus its timestamp, both counted from the first packet. The line is the median
//! transit of the last second: a stall does not move it, a lasting change of the network's delay does after half a second, and
//! the drift of the sender's clock moves it as it should. Packets that arrive together, as they do after a stall, count as one,
//! by the transit of the fastest: the others tell how long the stall was, not how long the way is.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

#[derive(Clone, Debug)]
pub(super) struct Transit {
    clock_rate: i64,
    anchor: Option<Anchor>,
    /// Transits in microseconds relative to the anchor's, in order of arrival.
    recent: ArrayVec<i32, WINDOW_PACKETS>,
    /// The same, sorted.
    sorted: ArrayVec<i32, WINDOW_PACKETS>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    arrival: Instant,
    timestamp: u64,
    newest_arrival: Instant,
}

impl Transit {
    pub(super) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: i64::from(clock_rate.max(1)),
            anchor: None,
            recent: ArrayVec::new(),
            sorted: ArrayVec::new(),
        }
    }

    /// Takes the arrival of a packet that holds `units` of audio.
    pub(super) fn note(&mut self, arrival: Instant, timestamp: u64, units: u32) {
        if self
            .anchor
            .is_some_and(|anchor| arrival.saturating_duration_since(anchor.newest_arrival) > FORGET_AFTER)
        {
            self.clear();
        }
        let fresh = Anchor { arrival, timestamp, newest_arrival: arrival };
        let anchor = self.anchor.get_or_insert(fresh);
        let since_last = arrival.saturating_duration_since(anchor.newest_arrival);
        anchor.newest_arrival = anchor.newest_arrival.max(arrival);
        let transit = signed_us(arrival, anchor.arrival).saturating_sub(units_to_us(
            timestamp,
            anchor.timestamp,
            self.clock_rate,
        ));
        let mut transit = i32::try_from(transit).unwrap_or(if transit < 0 { i32::MIN } else { i32::MAX });
        if since_last < TOGETHER
            && let Some(last) = self.recent.pop()
        {
            self.unsort(last);
            transit = transit.min(last);
        }
        while self.recent.len() >= self.window_for(units) {
            let oldest = self.recent.remove(0);
            self.unsort(oldest);
        }
        self.recent.push(transit);
        self.sorted.insert(self.sorted.partition_point(|other| *other < transit), transit);
    }

    /// How long ago, in microseconds, a packet with this timestamp arrived or should have; negative if it is still to come.
    /// `None` before the first packet.
    pub(super) fn delay_us(&self, timestamp: u64, now: Instant) -> Option<i64> {
        let anchor = self.anchor?;
        let median = *self.sorted.get(self.sorted.len() / 2)?;
        let nominal = units_to_us(timestamp, anchor.timestamp, self.clock_rate).saturating_add(median.into());
        Some(signed_us(now, anchor.arrival).saturating_sub(nominal))
    }

    /// How much later, in microseconds, a packet with this timestamp is by now than the slowest of the window would be; negative if
    /// it may still come. `None` as long as few packets have come.
    pub(super) fn overdue_us(&self, timestamp: u64, now: Instant) -> Option<i64> {
        let anchor = self.anchor?;
        let slowest = *self.sorted.last().filter(|_| self.sorted.len() >= MIN_WINDOW_PACKETS)?;
        let due = units_to_us(timestamp, anchor.timestamp, self.clock_rate).saturating_add(slowest.into());
        Some(signed_us(now, anchor.arrival).saturating_sub(due))
    }

    pub(super) fn clear(&mut self) {
        self.anchor = None;
        self.recent.clear();
        self.sorted.clear();
    }

    /// The number of packets to look back on, so that the window is as long in time for long packets as for short ones.
    fn window_for(&self, units: u32) -> usize {
        let window_units = self.clock_rate * WINDOW.as_millis() as i64 / 1_000;
        let packets = window_units / i64::from(units.max(1));
        (packets as usize).clamp(MIN_WINDOW_PACKETS, WINDOW_PACKETS)
    }

    fn unsort(&mut self, transit: i32) {
        let place = self.sorted.partition_point(|other| *other < transit);
        self.sorted.pop_at(place);
    }
}

/// Microseconds from `earlier` to `later`, negative the other way around.
fn signed_us(later: Instant, earlier: Instant) -> i64 {
    let us = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    match later.checked_duration_since(earlier) {
        Some(duration) => us(duration),
        None => -us(earlier.saturating_duration_since(later)),
    }
}

fn units_to_us(later: u64, earlier: u64, clock_rate: i64) -> i64 {
    let units = later.wrapping_sub(earlier).cast_signed();
    units.saturating_mul(1_000_000) / clock_rate
}

/// Long enough that 30 ms of jitter leaves the median still to 5 ms, short enough to follow a change within a second.
const WINDOW: Duration = Duration::from_millis(1_280);

/// The window's packets at the usual 20 ms; shorter packets make the window shorter instead.
const WINDOW_PACKETS: usize = 64;

/// A median of fewer would jump about.
const MIN_WINDOW_PACKETS: usize = 16;

/// Closer than the shortest packets are sent.
const TOGETHER: Duration = Duration::from_millis(2);

/// After so long a pause the old arrivals say little: senders reset their clocks while they pause.
const FORGET_AFTER: Duration = Duration::from_millis(1_500);
