//! Finds out how long a caller's packets wait for their call's slot, so that the call can move to the slot that falls
//! soon after they arrive.

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
        let (start, inside) = (0..STEPS)
            .map(|start| (start, (0..SPAN).map(|n| u32::from(waits[(start + n) % STEPS])).sum::<u32>()))
            .max_by_key(|&(start, inside)| (inside, std::cmp::Reverse(start)))?;
        let is_concentrated = inside * 10 >= all * 7;
        // `start` is the shortest wait of the span; below 7.5 ms the packets are met soon enough.
        (is_concentrated && start >= TOLERATED_STEPS)
            .then(|| ((start / STEPS_PER_SLOT) as u8).min(SLOTS as u8 - 1))
    }
}

const STEP: Duration = Duration::from_micros(2500);
const STEPS: usize = 8;
const STEPS_PER_SLOT: usize = 2;
/// Packets of one phase fall within 5 ms.
const SPAN: usize = 2;
/// 7.5 ms.
const TOLERATED_STEPS: usize = 3;
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
