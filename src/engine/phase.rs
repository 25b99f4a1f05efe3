//! Finds out how long a caller's packets wait for their call's slot, so that the call can move to the slot that falls
//! soon after they arrive.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::wheel::{SLOTS, TICK};

/// Watches the arrivals of one call against its ticks.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    since: Instant,
    /// Packets by how long they waited, in steps of 2.5 ms.
    waits: [u16; STEPS],
}

impl Phase {
    /// Nothing seen yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, waits: [0; STEPS] }
    }

    /// A packet that arrived at `arrival` is served at the tick `due`.
    pub(super) fn record(&mut self, arrival: Instant, due: Instant) {
        let Some(waited) = due.checked_duration_since(arrival) else { return };
        let step = (waited.as_micros() % TICK.as_micros()) / STEP.as_micros();
        let count = &mut self.waits[step as usize % STEPS];
        *count = count.saturating_add(1);
    }

    /// By how many slots of 5 ms the call should be served earlier, asked at each tick. `None` while the packets are
    /// well met, too few, or spread too widely to have a phase. Starts a new observation every 5 s.
    pub(super) fn advice(&mut self, now: Instant) -> Option<u8> {
        if now.saturating_duration_since(self.since) < WINDOW {
            return None;
        }
        let waits = std::mem::replace(&mut self.waits, [0; STEPS]);
        self.since = now;
        let all: u32 = waits.iter().map(|&count| u32::from(count)).sum();
        if all < MIN_PACKETS {
            return None;
        }
        let count = |step: usize| u32::from(waits[step % STEPS]);
        let inside_from = |start: usize| (start..start + SPAN).map(count).sum::<u32>();
        let start = (0..STEPS).max_by_key(|&start| (inside_from(start), Reverse(start)))?;
        let inside = inside_from(start);
        if inside * 10 < all * 7 {
            return None;
        }
        // Each packet counts with the middle of its step, so that a span across the tick means a wait of 20 ms.
        let half_steps: u32 = (start..start + SPAN).map(|step| (2 * step as u32 + 1) * count(step)).sum();
        let wait = STEP * half_steps / (2 * inside);
        let slots = (wait.as_micros() / SLOT.as_micros()) as u8;
        (wait > TOLERATED_WAIT).then_some(slots.min(SLOTS as u8 - 1))
    }
}

const STEP: Duration = Duration::from_micros(2500);
const STEPS: usize = 8;
const SLOT: Duration = Duration::from_millis(5);
/// Packets of one phase fall within 5 ms.
const SPAN: usize = 2;
const TOLERATED_WAIT: Duration = Duration::from_micros(7500);
const WINDOW: Duration = Duration::from_secs(5);
/// Half of what five seconds bring.
const MIN_PACKETS: u32 = 125;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn advice_for(waits_ms: impl Fn(u32) -> f64) -> Option<u8> {
        let start = Instant::now();
        let mut phase = Phase::new(start);
        for n in 0..250 {
            let due = start + TICK * (n + 2);
            phase.record(due - Duration::from_secs_f64(waits_ms(n) / 1000.0), due);
        }
        phase.advice(start + WINDOW)
    }

    #[test]
    fn packets_that_wait_long_ask_for_an_earlier_slot() {
        assert_eq!(advice_for(|_| 2.0), None);
        assert_eq!(advice_for(|_| 7.0), None);
        assert_eq!(advice_for(|_| 9.0), Some(1));
        assert_eq!(advice_for(|_| 14.0), Some(2));
        assert_eq!(advice_for(|n| 12.0 + f64::from(n % 3)), Some(2));
        assert_eq!(advice_for(|n| f64::from(n % 2) * 18.0 + 1.0), Some(3), "packets that straddle the tick");
    }

    #[test]
    fn jitter_without_a_phase_asks_for_nothing() {
        assert_eq!(advice_for(|n| f64::from(n * 7 % 20)), None);
    }

    #[test]
    fn too_few_packets_or_too_short_a_time_say_nothing() {
        let start = Instant::now();
        let mut phase = Phase::new(start);
        for n in 0..50 {
            phase.record(start + TICK * n, start + TICK * n + MS * 12);
        }
        assert_eq!(phase.advice(start + WINDOW - MS), None);
        assert_eq!(phase.advice(start + WINDOW), None);
    }
}
