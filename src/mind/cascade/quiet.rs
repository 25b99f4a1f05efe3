//! No dead air: when the caller waits for an answer of which nothing is heard, something is said.

use std::time::{Duration, Instant};

use super::CascadeMind;
use super::saying::Saying;
use crate::voice::exchange::UtteranceId;

/// How long the caller has been waiting.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// When something is said.
    at: Option<Instant>,
    /// The filler that is being said.
    filler: Option<UtteranceId>,
    /// Fillers so far, in the whole call: no two answers begin with the same one.
    said: usize,
    /// Fillers for this answer.
    in_a_row: usize,
}

impl Quiet {
    /// The caller waits from now on.
    pub(super) fn begin(&mut self, now: Instant, patience: Duration) {
        if self.filler.is_none() {
            let at = now + patience;
            self.at = Some(self.at.map_or(at, |before| before.min(at)));
        }
    }

    /// He hears something, or nothing is owed to him.
    pub(super) fn end(&mut self) {
        self.at = None;
        self.in_a_row = 0;
    }

    /// He speaks himself.
    pub(super) fn caller_speaks(&mut self) {
        self.at = None;
    }

    /// When something is to be said.
    pub(super) fn due(&self) -> Option<Instant> {
        self.at
    }

    /// The filler that is being said.
    pub(super) fn filler(&self) -> Option<UtteranceId> {
        self.filler
    }

    /// That one is over.
    pub(super) fn filler_is_over(&mut self) {
        self.filler = None;
    }
}

impl CascadeMind {
    /// Says a filler if it is time.
    pub(super) fn break_silence(&mut self, now: Instant) {
        if self.quiet.at.take_if(|at| *at <= now).is_none() || !self.is_awaited() {
            return;
        }
        self.quiet.in_a_row += 1;
        if self.is_hearing_again && self.quiet.in_a_row > MOST_WHILE_HEARING_AGAIN {
            self.is_hearing_again = false;
            return self.not_understood(now);
        }
        let fillers = &self.config.lines.fillers;
        let Some(line) = fillers.get(self.quiet.said % fillers.len().max(1)).cloned() else { return };
        self.quiet.said += 1;
        self.quiet.filler = self.say_filler(now, &line);
    }

    /// Whether an answer is being made of which nothing is heard.
    pub(super) fn is_awaited(&self) -> bool {
        let is_silent = |saying: &Saying| saying.utterance.is_none();
        let is_thought_of =
            self.answer.as_ref().is_some_and(|answer| answer.is_committed && answer.speech.is_none());
        (self.is_hearing_again || is_thought_of || self.sayings.iter().any(is_silent))
            && self.outbox.is_empty()
    }
}

/// Words that another recognizer finds come within a second or two.
const MOST_WHILE_HEARING_AGAIN: usize = 2;
/// After a filler the next one follows later: two seconds of silence are not to pass unexplained.
pub(super) const BETWEEN_FILLERS: Duration = Duration::from_millis(1_700);
