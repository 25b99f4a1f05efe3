//! What is said while an answer is waited for, or the rest of one.

use std::time::Instant;

use super::RealtimeMind;
use super::saying::{Kind, Saying};
use crate::mind::conversation::BETWEEN_FILLERS;
use crate::voice::exchange::YieldsTo;

impl RealtimeMind {
    /// Says something if the caller has waited for too long.
    pub(super) fn break_silence(&mut self, now: Instant) {
        let has_stalled = self.close_what_stalls(now);
        if !has_stalled && (!self.quiet.is_over(now) || !self.is_awaited()) {
            return;
        }
        let (line, in_a_row) = self.quiet.next_filler(&self.config.lines.fillers);
        if in_a_row > MOST_FILLERS {
            // The model does not know that anybody waits, whatever it was asked for.
            self.is_asked = false;
            self.ask_if_owed(now);
        }
        // Without fillers the sound of waiting goes on.
        let Some(line) = line else { return self.sound_on(now) };
        let filler = self.say_clip(&line, YieldsTo::ANYTHING);
        self.quiet.says(filler.as_ref().map(|(utterance, _)| *utterance));
        if let Some((utterance, text)) = filler {
            self.add_saying(utterance, Kind::Aside, &text);
        }
    }

    /// Closes what is being said if no more of it has come for too long, so that something else can be said; what comes is another utterance.
    fn close_what_stalls(&mut self, now: Instant) -> bool {
        if !self.quiet.may_have_stalled(now) || self.is_ending {
            return false;
        }
        let stalled = self.outbox.stalled().filter(|_| !self.turns.is_heard());
        let Some(utterance) = stalled else {
            if self.outbox.has_open() {
                self.quiet.look_again(now);
            }
            return false;
        };
        let is_it = |saying: &Saying| saying.utterance == Some(utterance);
        let (Some(at), Some(answer)) = (self.sayings.iter().position(is_it), &mut self.answer) else {
            return false;
        };
        let Some((heard, rest)) = self.sayings[at].goes_on_later() else { return false };
        answer.stalls_behind(&heard);
        self.sayings.push_back(rest);
        self.outbox.close(utterance);
        true
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
        said.into_iter().for_each(|utterance| self.add_saying(utterance, Kind::Aside, ""));
    }

    /// Whether an answer is being made of which nothing is heard.
    fn is_awaited(&self) -> bool {
        let has_stalled = self.answer.as_ref().is_some_and(|answer| answer.has_stalled);
        let is_owed = self.owed.is_some() || self.tools.at_work() > 0 || has_stalled;
        is_owed && self.outbox.is_empty() && !self.is_ending
    }
}

/// Behind so many a model that owes an answer is asked again.
const MOST_FILLERS: usize = 2;
