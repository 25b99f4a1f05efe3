//! The shard's day: 20 ms in four slots of 5 ms. A call lives in one slot and is served whenever that slot is due, at
//! absolute times, so that a late turn never delays the next.

use std::time::{Duration, Instant};

/// The time between two turns of one slot: one frame.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// Four wake-ups per frame: input waits 2.5 ms on average instead of 10, and wake-ups stay few.
pub(super) const SLOTS: usize = 4;

/// One of the four slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u8);

impl Slot {
    /// The slot whose turn comes `steps` x 5 ms earlier.
    #[must_use]
    pub(super) fn earlier(self, steps: u8) -> Self {
        Self((self.0 + SLOTS as u8 - steps % SLOTS as u8) % SLOTS as u8)
    }

    fn index(self) -> usize {
        usize::from(self.0) % SLOTS
    }
}

/// The slots' due times and members.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: [Members; SLOTS],
}

#[derive(Debug)]
struct Members {
    due: Instant,
    calls: Vec<usize>,
}

/// A slot that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Which slot.
    pub(super) slot: Slot,
    /// The tick that is served: the latest that is due.
    pub(super) due: Instant,
}

impl Wheel {
    /// A wheel whose first slot is due at `start`, the others 5 ms apart.
    pub(super) fn new(start: Instant) -> Self {
        let slots = std::array::from_fn(|index| Members {
            due: start + TICK / SLOTS as u32 * index as u32,
            calls: Vec::new(),
        });
        Self { slots }
    }

    /// The slot with the fewest calls.
    pub(super) fn emptiest(&self) -> Slot {
        let index = (0..SLOTS).min_by_key(|&index| self.slots[index].calls.len()).unwrap_or(0);
        Slot(index as u8)
    }

    /// Puts a call into a slot; returns the slot's next due time.
    pub(super) fn insert(&mut self, slot: Slot, call: usize) -> Instant {
        let members = &mut self.slots[slot.index()];
        members.calls.push(call);
        members.due
    }

    /// Takes a call out of its slot.
    pub(super) fn remove(&mut self, slot: Slot, call: usize) {
        let calls = &mut self.slots[slot.index()].calls;
        if let Some(position) = calls.iter().position(|&member| member == call) {
            calls.swap_remove(position);
        }
    }

    /// Whether one more call would make `slot` carry clearly more than its share.
    pub(super) fn is_crowded(&self, slot: Slot) -> bool {
        let all: usize = self.slots.iter().map(|members| members.calls.len()).sum();
        self.slots[slot.index()].calls.len() >= all / SLOTS * 3 / 2 + 8
    }

    /// The n-th call of a slot.
    pub(super) fn member(&self, slot: Slot, n: usize) -> Option<usize> {
        self.slots[slot.index()].calls.get(n).copied()
    }

    /// When the next slot is due.
    pub(super) fn next_due(&self) -> Instant {
        let [first, rest @ ..] = &self.slots;
        rest.iter().fold(first.due, |due, members| due.min(members.due))
    }

    /// The slot that is due longest, if any is. Ticks of it that are wholly past are passed over: its members see
    /// them as missed.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Turn> {
        let index = (0..SLOTS).min_by_key(|&index| self.slots[index].due)?;
        let members = &mut self.slots[index];
        let late = now.checked_duration_since(members.due)?;
        let missed = u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX);
        let due = members.due + TICK * missed;
        members.due = due + TICK;
        Some(Turn { slot: Slot(index as u8), due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slots_come_every_5_ms_and_each_every_20() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.take_due(start - MS), None);
        let turns: Vec<(u8, Duration)> = (0..8)
            .map(|_| {
                let due = wheel.next_due();
                let turn = wheel.take_due(due).unwrap();
                (turn.slot.0, turn.due - start)
            })
            .collect();
        let expected: Vec<(u8, Duration)> = (0..8).map(|n| (n as u8 % 4, MS * 5 * n)).collect();
        assert_eq!(turns, expected);
    }

    #[test]
    fn a_stall_serves_each_slot_once_and_stays_on_the_grid() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let now = start + MS * 107;
        let turns: Vec<(u8, Duration)> =
            std::iter::from_fn(|| wheel.take_due(now)).map(|turn| (turn.slot.0, turn.due - start)).collect();
        assert_eq!(turns, [(0, MS * 100), (1, MS * 105), (2, MS * 90), (3, MS * 95)]);
        assert_eq!(wheel.next_due() - start, MS * 110);
    }

    #[test]
    fn calls_go_to_the_emptiest_slot() {
        let mut wheel = Wheel::new(Instant::now());
        for call in 0..6 {
            let slot = wheel.emptiest();
            wheel.insert(slot, call);
        }
        let sizes: Vec<usize> = wheel.slots.iter().map(|members| members.calls.len()).collect();
        assert_eq!(sizes, [2, 2, 1, 1]);
        wheel.remove(Slot(1), 1);
        assert_eq!(wheel.emptiest(), Slot(1));
        assert_eq!(Slot(0).earlier(1), Slot(3));
    }
}
