//! The caller's turn that is not over: what is known of it, and when it will be over if nothing more comes.

use std::time::{Duration, Instant};

use super::Ending;
use super::patience::Patience;
use crate::voice::exchange::{ProviderTurn, Transcript};

/// The caller's present turn. There always is one; as long as the caller has not been heard in it, it is not open.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Its number within the call.
    pub(super) number: u32,
    /// Something was heard in it.
    pub(super) is_open: bool,
    /// It has stopped the agent: the mind waits for its end.
    pub(super) took_floor: bool,
    /// The mind was told that it is likely over.
    pub(super) is_likely: bool,
    /// Where its longest time begins.
    pub(super) since: Option<Instant>,
    /// Its speech so far, without what goes on.
    pub(super) speech: Duration,
    /// Since when the caller is silent in it.
    pub(super) silent_since: Option<Instant>,
    /// What the speech provider believes.
    pub(super) provider: Option<ProviderTurn>,
    words: Words,
}

#[derive(Debug, Default)]
struct Words {
    count: u16,
    completeness: f32,
    /// When there were last more of them, or fewer.
    changed_at: Option<Instant>,
}

impl Turn {
    /// The turn after this one.
    pub(super) fn close(&mut self) -> Self {
        let number = self.number.wrapping_add(1);
        std::mem::replace(self, Self { number, ..Self::default() })
    }

    pub(super) fn has_words(&self) -> bool {
        self.words.count > 0
    }

    /// The caller speaks: what was believed of his silence is void.
    pub(super) fn speak_on(&mut self) {
        self.is_open = true;
        self.silent_since = None;
        self.provider = None;
    }

    /// Takes new words; true if their number is another than before.
    pub(super) fn hear_words(&mut self, now: Instant, transcript: Transcript) -> bool {
        let Transcript { turn: _, words, is_backchannel: _, completeness } = transcript;
        self.words.completeness =
            if completeness.is_finite() { completeness.clamp(0.0, 1.0) } else { UNKNOWN };
        self.is_open |= words > 0;
        let is_other = words != self.words.count;
        if is_other {
            self.words.count = words;
            self.words.changed_at = Some(now);
            self.provider = None;
        }
        is_other
    }

    /// When the turn is over if nothing more is heard. Of no use while the caller speaks.
    pub(super) fn ends_at(&self, patience: &Patience, expects_words: bool) -> Option<Instant> {
        let silent_since = self.quiet_since()?;
        let at = if self.has_words() {
            let wait = patience.wait(self.words.completeness);
            let stalled = self.words.changed_at.map(|at| at + wait.stall);
            Some(silent_since + wait.silence).max(stalled)?
        } else if expects_words {
            silent_since + patience.unheard
        } else {
            silent_since + patience.without_words
        };
        let by_provider = self.is_ended_by_provider().then(|| silent_since + patience.provider);
        Some(by_provider.map_or(at, |by_provider| by_provider.min(at)))
    }

    /// When it is likely over if nothing more is heard.
    pub(super) fn likely_at(&self, patience: &Patience) -> Option<Instant> {
        if self.is_likely {
            return None;
        }
        let silent_since = self.quiet_since()?;
        match self.provider {
            Some(ProviderTurn::Likely) => Some(silent_since),
            Some(ProviderTurn::Resumed) => None,
            Some(ProviderTurn::Ended) | None => {
                let is_complete = self.has_words() && self.words.completeness >= patience.complete_from;
                is_complete.then(|| silent_since + patience.likely_after)
            }
        }
    }

    /// Why it ends if the wait for it is over.
    pub(super) fn ending(&self, now: Instant, patience: &Patience) -> Ending {
        let silent_for = self.silence(now);
        if self.is_ended_by_provider() && silent_for >= patience.provider {
            Ending::Provider
        } else if self.has_words() {
            Ending::Words
        } else {
            Ending::Silence
        }
    }

    /// How long the caller has been silent in it.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        self.silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Speech that is too soft to be known for it has no end; its words tell when it was at the latest.
    fn quiet_since(&self) -> Option<Instant> {
        self.silent_since.or(self.words.changed_at).filter(|_| self.is_open)
    }

    fn is_ended_by_provider(&self) -> bool {
        self.provider == Some(ProviderTurn::Ended)
    }
}

/// Of words that nobody has judged.
const UNKNOWN: f32 = 0.5;
