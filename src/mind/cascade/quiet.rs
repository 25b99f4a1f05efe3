//! What is said while an answer is waited for.

use std::time::Instant;

use super::CascadeMind;
use super::saying::Saying;
use crate::mind::conversation::BETWEEN_FILLERS;

impl CascadeMind {
    /// Says a filler if it is time.
    pub(super) fn break_silence(&mut self, now: Instant) {
        let has_stalled = self.close_what_stalls(now);
        if !has_stalled && (!self.quiet.is_over(now) || !self.is_awaited()) {
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

    /// Closes what is being said if no more of it has come for too long, so that something else can be said; what comes is another utterance.
    fn close_what_stalls(&mut self, now: Instant) -> bool {
        if !self.quiet.may_have_stalled(now) || self.is_ending {
            return false;
        }
        let stalled = self.outbox.stalled().filter(|_| !self.is_caller_speaking);
        let Some(utterance) = stalled else {
            if self.outbox.has_open() {
                self.quiet.look_again(now);
            }
            return false;
        };
        let is_it = |saying: &Saying| saying.utterance == Some(utterance);
        let Some(at) = self.sayings.iter().position(is_it) else { return false };
        if !self.is_more_to_come(&self.sayings[at]) {
            return false;
        }
        self.outbox.close(utterance);
        self.sayings[at].goes_on_later();
        true
    }

    /// Whether the answer is still being written, or a good part of what was written has no sound: what ends a speech may come late.
    fn is_more_to_come(&self, saying: &Saying) -> bool {
        let is_written_on =
            self.answer.as_ref().is_some_and(|answer| answer.speech == saying.speech && answer.ask.is_some());
        saying.speech.is_some() && (is_written_on || !saying.text.is_mostly_sound())
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
