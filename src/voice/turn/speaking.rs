//! Speech that goes on, and what of it belongs to the present turn.

use std::time::{Duration, Instant};

use super::Ending;

/// The caller speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaking {
    /// Since when, as far as it belongs to this turn.
    pub(super) since: Instant,
    /// How the turn ended that what came before that belonged to, if it did.
    pub(super) cut: Option<Cut>,
}

/// What has ended a turn within speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It was as long as a turn may be: what goes on is the caller's.
    Longest,
    /// Whatever else: what goes on belongs to nobody until it is known to be more.
    Taken,
}

impl Speaking {
    /// How much of speech that was so long, and ended so long ago, belongs to this turn.
    pub(super) fn own(self, now: Instant, speech: Duration, silence: Duration) -> Duration {
        match self.cut {
            None => speech,
            Some(_) => now.saturating_duration_since(self.since).saturating_sub(silence).min(speech),
        }
    }
}

impl Cut {
    pub(super) fn by(ending: Ending) -> Self {
        match ending {
            Ending::Longest => Self::Longest,
            Ending::Silence | Ending::Words | Ending::Provider | Ending::Stalled | Ending::Key => Self::Taken,
        }
    }
}
