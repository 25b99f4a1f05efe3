//! What is said while an answer is waited for.

use std::time::Instant;

use super::CascadeMind;
use super::saying::Saying;
use crate::mind::conversation::BETWEEN_FILLERS;

impl CascadeMind {
    /// Says a filler if it is time.
    pub(super) fn break_silence(&mut self, now: Instant) {
        if !self.quiet.is_over(now) || !self.is_awaited() {
            return;
        }
        let (line, in_a_row) = self.quiet.next_filler(&self.config.lines.fillers);
        if self.is_hearing_again && in_a_row > MOST_WHILE_HEARING_AGAIN {
            self.is_hearing_again = false;
            return self.not_understood(now);
        }
        // Without fillers the sound of waiting goes on.
        let Some(line) = line else { return self.sound_on(now) };
        let filler = self.say_filler(now, &line);
        self.quiet.says(filler);
    }

    /// What is waited for is still waited for.
    pub(super) fn wait_on(&mut self, now: Instant) {
        if self.is_awaited() {
            self.quiet.begin(now, BETWEEN_FILLERS);
            self.sound_on(now);
        }
    }

    /// Lets the caller hear that somebody is at work, until the next filler or the answer.
    fn sound_on(&mut self, now: Instant) {
        // Where there is no next filler, the clock goes on all the same: more than fillers depends on it.
        self.quiet.begin(now, BETWEEN_FILLERS);
        let Some(sound) = &self.config.waiting_sound else { return };
        let Some(piece) = self.quiet.sound(now, sound) else { return };
        let said = self.outbox.say(piece);
        self.quiet.says(said);
        said.into_iter().for_each(|utterance| self.add_saying(utterance, None, ""));
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
