//! The timers of the transactions: their values (RFC 3261 17, table 4), which of them run in one machine, and
//! the one queue that knows whose deadline comes next.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The base values that all timers derive from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Estimated round trip: 500 ms.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and of responses to INVITE: 4 s.
    pub t2: Duration,
    /// Longest time that a message stays in the network: 5 s.
    pub t4: Duration,
}

impl Timers {
    /// 64*T1, the patience of timers B, F, H, J, L, M and D.
    pub fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// These values, none of them below `floor`.
    pub(crate) fn at_least(&self, floor: Duration) -> Self {
        Self { t1: self.t1.max(floor), t2: self.t2.max(floor), t4: self.t4.max(floor) }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// The timers of RFC 3261 17 and RFC 6026 by their letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// INVITE retransmission, unreliable transports.
    A,
    /// INVITE without any response.
    B,
    /// Client waits for repeats of a response of 300 or above.
    D,
    /// Non-INVITE retransmission, unreliable transports.
    E,
    /// Non-INVITE without a final response.
    F,
    /// Retransmission of a response of 300 or above to INVITE, unreliable transports.
    G,
    /// That response without ACK.
    H,
    /// Server waits for repeats of the ACK.
    I,
    /// Server waits for repeats of a non-INVITE request.
    J,
    /// Client waits for repeats of a final response to a non-INVITE request.
    K,
    /// Server waits for repeats of an INVITE that it answered with 2xx.
    L,
    /// Client waits for further 2xx of a forked INVITE.
    M,
}

/// The timers that run in one machine, at most `N` at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerTable<T, const N: usize> {
    armed: [Option<(T, Instant)>; N],
}

impl<T: Copy + PartialEq, const N: usize> TimerTable<T, N> {
    pub(crate) fn new() -> Self {
        Self { armed: [None; N] }
    }

    /// Starts or restarts a timer. Machines stop what they no longer need before they arm anything new, so a free
    /// slot exists; if a machine broke that rule the last slot would be lost rather than memory.
    pub(crate) fn arm(&mut self, timer: T, at: Instant) {
        let same = self.armed.iter().position(|slot| slot.is_some_and(|(t, _)| t == timer));
        let free = self.armed.iter().position(Option::is_none);
        debug_assert!(same.or(free).is_some(), "more timers than slots");
        if let Some(slot) = self.armed.get_mut(same.or(free).unwrap_or(N.saturating_sub(1))) {
            *slot = Some((timer, at));
        }
    }

    pub(crate) fn stop(&mut self, timer: T) {
        for slot in &mut self.armed {
            if slot.is_some_and(|(t, _)| t == timer) {
                *slot = None;
            }
        }
    }

    pub(crate) fn stop_all(&mut self) {
        self.armed = [None; N];
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.armed.iter().flatten().map(|&(_, at)| at).min()
    }

    /// Takes the earliest timer that has run out.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let slot = self
            .armed
            .iter_mut()
            .filter(|slot| slot.is_some_and(|(_, at)| at <= now))
            .min_by_key(|slot| slot.map(|(_, at)| at))?;
        slot.take().map(|(timer, _)| timer)
    }
}

/// The deadlines of all owners, one each, in order. Its size is the number of owners that wait for something, so
/// it needs no limit of its own.
#[derive(Debug)]
pub(crate) struct TimerQueue<K> {
    deadlines: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> TimerQueue<K> {
    pub(crate) fn new() -> Self {
        Self { deadlines: BTreeSet::new() }
    }

    /// Moves an owner from its old deadline, which the owner remembers, to its new one.
    pub(crate) fn reschedule(&mut self, owner: K, registered: &mut Option<Instant>, next: Option<Instant>) {
        if *registered == next {
            return;
        }
        if let Some(old) = registered.take() {
            self.deadlines.remove(&(old, owner));
        }
        if let Some(at) = next {
            self.deadlines.insert((at, owner));
        }
        *registered = next;
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Takes the first owner whose deadline has passed. What the owner remembers of it is no longer true.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let due = self.deadlines.first().is_some_and(|(at, _)| *at <= now);
        if due { self.deadlines.pop_first().map(|(_, owner)| owner) } else { None }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, TimerQueue, TimerTable};
    use std::time::{Duration, Instant};

    #[test]
    fn a_table_gives_back_due_timers_in_order_and_restarts_in_place() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut table: TimerTable<Timer, 2> = TimerTable::new();
        table.arm(Timer::B, at(32_000));
        table.arm(Timer::A, at(500));
        table.arm(Timer::A, at(1_000));
        assert_eq!(table.next(), Some(at(1_000)));
        assert_eq!(table.pop_due(at(999)), None);
        assert_eq!(table.pop_due(at(40_000)), Some(Timer::A));
        assert_eq!(table.pop_due(at(40_000)), Some(Timer::B));
        assert_eq!(table.next(), None);
    }

    #[test]
    fn a_queue_holds_one_deadline_per_owner() {
        let start = Instant::now();
        let mut queue = TimerQueue::new();
        let mut registered = None;
        for ms in [500, 100, 900] {
            queue.reschedule(7_u64, &mut registered, Some(start + Duration::from_millis(ms)));
        }
        assert_eq!(queue.next(), Some(start + Duration::from_millis(900)));
        queue.reschedule(8, &mut None, Some(start + Duration::from_millis(950)));
        assert_eq!(queue.pop_due(start + Duration::from_millis(899)), None);
        assert_eq!(queue.pop_due(start + Duration::from_secs(1)), Some(7));
        assert_eq!(queue.pop_due(start + Duration::from_secs(1)), Some(8));
        queue.reschedule(7, &mut registered, None);
        assert!(queue.is_empty());
    }
}
