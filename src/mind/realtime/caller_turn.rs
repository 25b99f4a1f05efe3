//! What follows from the end of what the caller says: his words, whether an answer is owed to them, and who is asked for it.

use std::time::{Duration, Instant};

use super::RealtimeMind;
use super::turns::Words;
use crate::call::hop::{HopEvent, Mark};
use crate::mind::end_of_turn;
use crate::voice::exchange::MindCommand;

impl RealtimeMind {
    /// What the caller has said, as the model understood it.
    pub(super) fn transcript(&mut self, now: Instant, words: Words) {
        let Words { turn, text, is_committed } = words;
        if text.trim().is_empty() {
            return;
        }
        if let Some(language) = end_of_turn::language_of(&text) {
            self.language = language;
        }
        self.mark_turn(now, turn, Mark::SttFinal);
        let language = Some(self.language.tag().to_owned());
        self.note(HopEvent::Transcript { turn, text, word_times_ms: Vec::new(), language, is_committed });
    }

    /// The caller's turn is over.
    pub(super) fn turn_committed(&mut self, now: Instant, turn: u32) {
        let words = self.turns.ended(turn, true);
        words.into_iter().for_each(|words| self.transcript(now, words));
        (self.is_farewell_cut, self.is_cut_unheard) = (false, false);
        self.talker.tell_used();
        if self.is_ending {
            return self.talker.drop_turn();
        }
        self.tell_what_broke(now);
        self.owe(now, turn);
        if self.answer.is_none() {
            self.note_late_answers(now);
        }
        if self.answer.as_ref().is_some_and(|answer| !answer.is_free) {
            return self.release(now);
        }
        let does_model_know = self.talker.judges_turns() && self.turns.does_model_know(turn);
        if self.answer.is_some() {
            // It answers what was said before: one answer is for all of it.
            self.drop_answer(now);
            self.is_asked = true;
            return if does_model_know { self.talker.respond(now) } else { self.end_turn(now, turn) };
        }
        if !does_model_know {
            self.is_asked = true;
            self.end_turn(now, turn);
        }
    }

    pub(super) fn end_turn(&mut self, now: Instant, turn: u32) {
        self.turns.told_model(turn);
        self.talker.end_turn(now);
    }

    /// What the caller said is no turn.
    pub(super) fn speech_dismissed(&mut self, now: Instant, turn: u32) {
        let words = self.turns.ended(turn, false);
        words.into_iter().for_each(|words| self.transcript(now, words));
        self.talker.drop_turn();
        let (was_parting, was_unheard) =
            (std::mem::take(&mut self.is_farewell_cut), std::mem::take(&mut self.is_cut_unheard));
        if self.answer.as_ref().is_some_and(|answer| !answer.is_free) {
            if self.is_cut_by_model {
                return self.release(now);
            }
            self.drop_answer(now);
        }
        if was_parting {
            return self.part(now);
        }
        if self.taking_up.is_owed() && self.answer.is_none() {
            return self.take_up(now);
        }
        // Nothing was heard of the answer to what he said before.
        if was_unheard && self.answer.is_none() && !self.is_ending {
            self.owe(now, turn);
            if self.tools.at_work() == 0 {
                self.is_asked = true;
                self.talker.respond(now);
            }
        }
        self.wait_on(now);
    }

    /// The caller waits from now on.
    pub(super) fn owe(&mut self, now: Instant, turn: u32) {
        (self.rounds, self.withheld) = (0, 0);
        self.taking_up.begin_anew();
        self.owed = Some(now);
        self.command(MindCommand::Think);
        // Where the turn's end was long in coming the caller has waited for a part of it.
        let patience = self.config.talk.filler_after;
        let waited = self.silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.quiet.begin(now, patience.min((patience + TURN_END).saturating_sub(waited)));
        self.mark_turn(now, turn, Mark::LlmStart);
    }
}

/// A turn is over so long after its last speech is known to be, where nobody is slow.
const TURN_END: Duration = Duration::from_millis(400);
