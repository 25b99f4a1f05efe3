//! The beginning of a saying that waits because the caller speaks: since when, until when at the latest, and how often in a row one may
//! come to nothing.

use std::time::{Duration, Instant};

use super::exchange::UtteranceId;

/// Why a saying waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// It begins: nobody speaks.
    Silence,
    /// It begins: the caller only told the agent to go on.
    Backchannel,
    /// It begins, although somebody is heard who may be nobody.
    Longest,
    /// It is never begun: the caller has said more.
    Speech,
    /// It is never begun: he has pressed a key.
    Digit,
    /// It is never begun: the mind has dropped it.
    Stopped,
}

/// What is held, if anything is.
#[derive(Debug, Default)]
pub(super) struct Hold {
    held: Option<(UtteranceId, Instant)>,
    /// What was held last and may begin.
    released: Option<UtteranceId>,
    /// Sayings in a row that were held and never begun, as the caller had more to say.
    unbegun: u8,
}

impl Hold {
    /// Whether something is held.
    pub(super) fn is_on(&self) -> bool {
        self.held.is_some()
    }

    /// Whether this one may be held: once, if it comes behind no others that were.
    pub(super) fn may_hold(&self, utterance: UtteranceId) -> bool {
        self.unbegun < MOST_UNBEGUN && self.released != Some(utterance)
    }

    /// This one waits from now on.
    pub(super) fn begin(&mut self, now: Instant, utterance: UtteranceId) {
        self.held = Some((utterance, now));
    }

    /// Whether what is held has waited for as long as it may.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.held.is_some_and(|(_, since)| now.saturating_duration_since(since) >= LONGEST_HOLD)
    }

    /// It waits no longer: which, and how long it did.
    pub(super) fn end(&mut self, now: Instant, until: Until) -> Option<(UtteranceId, Duration)> {
        let (utterance, since) = self.held.take()?;
        // A key, and what the mind itself drops, are nothing that a room does.
        if until == Until::Speech {
            self.unbegun = self.unbegun.saturating_add(1);
        }
        self.released = Some(utterance);
        Some((utterance, now.saturating_duration_since(since)))
    }

    /// The agent is heard.
    pub(super) fn begun(&mut self) {
        self.unbegun = 0;
    }
}

impl Until {
    /// As the log has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Backchannel => "backchannel",
            Self::Longest => "longest",
            Self::Speech => "speech",
            Self::Digit => "digit",
            Self::Stopped => "stopped",
        }
    }
}

/// Twice what it usually takes to know whether a caller takes the floor: who is still heard and has not taken it may be a television. Longer
/// silence of the agent would be taken for a dead line.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(2);
/// Who dictates a number in groups may go on after each of them. Who has gone on so often may be a room: the next saying begins, and is
/// interrupted as any other.
pub(super) const MOST_UNBEGUN: u8 = 3;
