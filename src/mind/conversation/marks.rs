//! Which points of a turn were reached: each is told once.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::call::hop::Mark;

/// The points of the present turn, and of one thought of ahead.
#[derive(Debug, Default)]
pub(in crate::mind) struct Marks {
    reached: BTreeSet<(u32, Mark)>,
    /// When the last words came, and by whom.
    heard: Option<(Instant, Option<String>)>,
}

impl Marks {
    /// Whether this point was not reached before.
    pub(in crate::mind) fn is_new(&mut self, turn: u32, mark: Mark) -> bool {
        // Older turns come to no more points.
        self.reached.retain(|(reached, _)| reached.saturating_add(2) > turn);
        self.reached.insert((turn, mark))
    }

    /// Words came.
    pub(in crate::mind) fn heard_at(&mut self, now: Instant, provider: Option<String>) {
        self.heard = Some((now, provider));
    }

    /// When the last words of the turn came that is over.
    pub(in crate::mind) fn take_heard(&mut self) -> Option<(Instant, Option<String>)> {
        self.heard.take()
    }
}
