//! The machine's timers, by name.

use std::time::Instant;

/// The timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The caller has been silent for long enough.
    EndOfTurn,
    /// No turn is longer.
    LongestTurn,
    /// The caller has been silent for long enough to think that he is done.
    Likely,
    /// Nobody said anything.
    Idle,
    /// Nobody said anything for too long.
    IdleTooLong,
}

/// When each of them runs out, if it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timer {
    /// In the order in which those that are due at once are handled: what ends a turn needs no guess whether it is over.
    const ALL: [Self; 5] = [Self::EndOfTurn, Self::LongestTurn, Self::Likely, Self::Idle, Self::IdleTooLong];

    fn index(self) -> usize {
        match self {
            Self::EndOfTurn => 0,
            Self::LongestTurn => 1,
            Self::Likely => 2,
            Self::Idle => 3,
            Self::IdleTooLong => 4,
        }
    }
}

impl Timers {
    /// Sets a timer, or stops it.
    pub(super) fn set(&mut self, timer: Timer, at: impl Into<Option<Instant>>) {
        self.deadlines[timer.index()] = at.into();
    }

    /// Stops a timer.
    pub(super) fn stop(&mut self, timer: Timer) {
        self.set(timer, None);
    }

    #[cfg(test)]
    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.deadlines[timer.index()].is_some()
    }

    /// A timer that has run out; it is stopped.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: &Timer| self.deadlines[timer.index()].is_some_and(|at| at <= now);
        let timer = Timer::ALL.into_iter().find(due)?;
        self.stop(timer);
        Some(timer)
    }
}
