//! How long nobody has said anything.

use std::time::{Duration, Instant};

use super::patience::Patience;
use super::timers::{Timer, Timers};

/// Silence of both sides. It is counted while neither speaks, and begins anew when the caller is heard.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// Since when both are silent.
    since: Option<Instant>,
    /// Silence of the caller before that, since he was last heard; the agent's own words do not count.
    before: Duration,
}

impl Quiet {
    /// Both are silent from here.
    pub(super) fn begin(&mut self, now: Instant, patience: &Patience, timers: &mut Timers) {
        self.since = Some(now);
        timers.set(Timer::Idle, now + patience.idle);
        timers.set(Timer::IdleTooLong, now + patience.idle_too_long.saturating_sub(self.before));
    }

    /// Somebody speaks.
    pub(super) fn end(&mut self, now: Instant, timers: &mut Timers) {
        self.before = self.so_far(now);
        self.since = None;
        timers.stop(Timer::Idle);
        timers.stop(Timer::IdleTooLong);
    }

    /// The caller was heard, not necessarily by speech.
    pub(super) fn forget(&mut self, now: Instant, patience: &Patience, timers: &mut Timers) {
        self.before = Duration::ZERO;
        if self.since.is_some() {
            self.begin(now, patience, timers);
        }
    }

    /// The caller's silence so far.
    pub(super) fn so_far(&self, now: Instant) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}
