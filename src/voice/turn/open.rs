//! The caller's turn that is not over: what is known of it, and when it will be over if nothing more comes.

use std::time::{Duration, Instant};

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
    /// What the speech provider believes, and since when.
    provider: Option<(ProviderTurn, Instant)>,
    words: Words,
}

#[derive(Debug, Default)]
struct Words {
    count: u16,
    revision: u32,
    completeness: f32,
    is_backchannel: bool,
    /// When they were last others than before.
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

    /// How many there are, and whether they only tell the agent to go on; `None` if there are none.
    pub(super) fn words(&self) -> Option<(u16, bool)> {
        self.has_words().then_some((self.words.count, self.words.is_backchannel))
    }

    /// The caller speaks: what was believed of his silence is void.
    pub(super) fn speak_on(&mut self) {
        self.is_open = true;
        self.silent_since = None;
        self.provider = None;
    }

    /// Takes words; true if they are others than before.
    pub(super) fn hear_words(&mut self, now: Instant, transcript: Transcript) -> bool {
        let Transcript { turn: _, words, revision, is_backchannel, completeness } = transcript;
        self.words.is_backchannel = is_backchannel;
        self.words.completeness =
            if completeness.is_finite() { completeness.clamp(0.0, 1.0) } else { UNKNOWN };
        self.is_open |= words > 0;
        let is_other = words != self.words.count || words > 0 && revision != self.words.revision;
        if is_other {
            (self.words.count, self.words.revision) = (words, revision);
            self.words.changed_at = Some(now);
            self.provider = None;
        }
        is_other
    }

    /// Takes an opinion of the speech provider.
    pub(super) fn believe(&mut self, now: Instant, opinion: ProviderTurn) {
        self.provider = Some((opinion, now));
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
        let by_provider = self.ended_at().map(|_| silent_since + patience.provider);
        Some(by_provider.map_or(at, |by_provider| by_provider.min(at)))
    }

    /// When the turn is over if speech is heard without end, since then, and nothing of it becomes a word: in a loud room, or where
    /// others talk. What lacks something is waited for as long as a turn may be.
    pub(super) fn ends_in_speech_at(&self, patience: &Patience, speaks_since: Instant) -> Option<Instant> {
        let stall = patience.loud(self.words.completeness).filter(|_| self.has_words());
        let stalled = self.words.changed_at.zip(stall).map(|(at, stall)| at.max(speaks_since) + stall);
        let by_provider = self.ended_at().map(|at| at + patience.loud_provider);
        stalled.into_iter().chain(by_provider).min()
    }

    /// When it is likely over if nothing more is heard.
    pub(super) fn likely_at(&self, patience: &Patience) -> Option<Instant> {
        if self.is_likely {
            return None;
        }
        let silent_since = self.quiet_since()?;
        match self.provider.map(|(opinion, _)| opinion) {
            Some(ProviderTurn::Likely) => Some(silent_since),
            Some(ProviderTurn::Resumed) => None,
            Some(ProviderTurn::Ended) | None => {
                let is_complete = self.has_words() && self.words.completeness >= patience.complete_from;
                is_complete.then(|| silent_since + patience.likely_after)
            }
        }
    }

    /// Whether the speech provider says that it is over, and has been right for long enough.
    pub(super) fn is_ended_by_provider(&self, now: Instant, patience: &Patience, is_speaking: bool) -> bool {
        self.ended_at().is_some_and(|at| {
            if is_speaking {
                now >= at + patience.loud_provider
            } else {
                self.silence(now) >= patience.provider
            }
        })
    }

    /// How long the caller has been silent in it.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        self.silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Speech that is too soft to be known for it has no end; its words tell when it was at the latest.
    fn quiet_since(&self) -> Option<Instant> {
        self.silent_since.or(self.words.changed_at).filter(|_| self.is_open)
    }

    /// When the speech provider said that it is over, if that holds.
    fn ended_at(&self) -> Option<Instant> {
        self.provider.filter(|(opinion, _)| *opinion == ProviderTurn::Ended).map(|(_, at)| at)
    }
}

/// Of words that nobody has judged.
const UNKNOWN: f32 = 0.5;
