//! Nothing begins over a caller who speaks. What the agent is about to say waits until he is silent, or until it is clear what he says:
//! then it begins, or is interrupted before its first sound. What yields to nothing waits as well, and begins in any case.

use std::time::Instant;

use super::{Voice, millis};
use crate::call::dialogue::Dialogue;
use crate::voice::barge_in::Verdict;
use crate::voice::detection::frames_in;
use crate::voice::exchange::Interruption;
use crate::voice::hold::Until;

impl Voice {
    /// Decides whether what is to be said next may begin in this tick. What follows close behind something that is heard is no beginning.
    pub(super) fn hold_or_begin(&mut self, now: Instant) {
        if self.hold.is_on() {
            return self.hold_on(now);
        }
        let unbegun = self.utterances.unbegun().filter(|utterance| self.hold.may_hold(*utterance));
        let Some(utterance) = unbegun else { return };
        let Some((spoken, words)) = self.turn.unfinished() else { return };
        let is_speaking = self.turn.is_spoken_in();
        let yields = self.utterances.yields_to().speech;
        self.barge_in.expect_words(self.turn.expects_words());
        let is_turn = yields && self.barge_in.is_turn(words, frames_in(spoken));
        if !is_speaking && !is_turn {
            return;
        }
        self.hold.begin(now, utterance);
        self.mixer.hold();
        if is_turn {
            return self.interrupt(now, Interruption::Speech);
        }
        if let Some(run) = self.hearing.run().filter(|_| yields) {
            let verdict = self.barge_in.hold(run.frames, run.silence);
            self.judge(now, verdict, Until::Silence);
        }
        // What only tells the agent to go on is known already.
        if let Some((words, is_backchannel)) = words.filter(|_| self.hold.is_on()) {
            let verdict = self.barge_in.hear_words(words, is_backchannel);
            self.judge(now, verdict, Until::Backchannel);
        }
    }

    /// It waits on, unless it has waited for long enough or for nothing.
    fn hold_on(&mut self, now: Instant) {
        let is_waited_for = self.barge_in.is_held() || self.turn.is_spoken_in();
        let until = if self.hold.is_over(now) { Until::Longest } else { Until::Silence };
        if until == Until::Longest || !is_waited_for {
            self.barge_in.release();
            return self.judge(now, Verdict::Restore, until);
        }
        self.mixer.hold();
    }

    /// It waits no longer.
    pub(super) fn end_hold(&mut self, now: Instant, until: Until) {
        if let Some((utterance, held)) = self.hold.end(now, until) {
            let (utterance, held_ms, until) = (utterance.0, millis(held), until.word().to_owned());
            self.outbox.note(Dialogue::HeldBack { utterance, held_ms, until });
        }
    }

    /// The caller's turn is over that something waited for: that was an answer to less. What has to be heard is heard all the same.
    pub(super) fn drop_held(&mut self, now: Instant) {
        if !self.hold.is_on() {
            return;
        }
        if self.utterances.yields_to().speech {
            self.cut(now, Interruption::Speech);
        } else {
            self.judge(now, Verdict::Restore, Until::Silence);
        }
    }
}
