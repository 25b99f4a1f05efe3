//! What the caller's speech, words and keys do to what the agent is saying.

use std::time::{Duration, Instant};

use caly_rtp::playout::Cursor;

use super::{MICROS_PER_SAMPLE, Voice, millis};
use crate::call::dialogue::Dialogue;
use crate::voice::barge_in::Verdict;
use crate::voice::exchange::{Interruption, Transcript, VoiceEvent};
use crate::voice::hearing::Judged;
use crate::voice::hold::Until;
use crate::voice::turn::Input;

impl Voice {
    /// 20 ms of the caller were speech or were not: what that means for what the agent is saying.
    pub(super) fn weigh(&mut self, now: Instant, judged: Judged) {
        // What was lost says nothing against an interruption that begins.
        let is_unknown = judged.is_made_up && !self.barge_in.is_alarmed();
        if self.can_be_stopped() && !is_unknown {
            self.barge_in.expect_words(self.turn.expects_words());
            let is_speech = if self.barge_in.is_alarmed() { judged.goes_on } else { judged.is_speech };
            let verdict = self.barge_in.push(is_speech);
            self.judge(now, verdict, Until::Silence);
        }
    }

    /// The caller's words are others than they were. Those of a turn that is over stop nobody.
    pub(super) fn hear_words(&mut self, now: Instant, transcript: Transcript) {
        let is_present = transcript.turn == self.turn.turn();
        self.advance(now, Input::Words(transcript));
        if is_present && self.can_be_stopped() {
            let verdict = self.barge_in.hear_words(transcript.words, transcript.is_backchannel);
            self.judge(now, verdict, Until::Backchannel);
        }
    }

    fn can_be_stopped(&self) -> bool {
        !self.utterances.is_empty() && self.utterances.yields_to().speech
    }

    /// Does with what the agent is saying, or about to say, what was decided. If it is to go on, that is why.
    pub(super) fn judge(&mut self, now: Instant, verdict: Verdict, until: Until) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Duck => self.mixer.duck(),
            Verdict::Pause => self.mixer.pause(),
            Verdict::Restore => self.go_on_from(now, until),
            Verdict::Stop => self.interrupt(now, Interruption::Speech),
        }
    }

    /// Whatever was suspected, the agent goes on where it was, as loud as it was.
    pub(super) fn forgive(&mut self) {
        self.barge_in.reset();
        self.go_on();
    }

    fn go_on_from(&mut self, now: Instant, until: Until) {
        self.end_hold(now, until);
        self.go_on();
    }

    /// The agent goes on where it was, as loud as it was.
    pub(super) fn go_on(&mut self) {
        self.mixer.resume();
        self.mixer.restore();
    }

    /// Stops what is being said, if anything is.
    pub(super) fn interrupt(&mut self, now: Instant, by: Interruption) {
        if self.cut(now, by) {
            let input = match by {
                Interruption::Speech => Input::StoppedBySpeech,
                Interruption::Digit => Input::Stopped,
            };
            self.advance(now, input);
        }
    }

    /// Drops what is being said, if anything is, and tells what was heard of it.
    pub(super) fn cut(&mut self, now: Instant, by: Interruption) -> bool {
        let Some(first) = self.utterances.first() else { return false };
        let (word, until) = match by {
            Interruption::Speech => ("speech", Until::Speech),
            Interruption::Digit => ("digit", Until::Digit),
        };
        self.end_hold(now, until);
        let cursor = self.fall_silent().unwrap_or(Cursor { utterance: first, samples_heard: 0 });
        let Cursor { utterance, samples_heard } = cursor;
        let heard = Duration::from_micros(samples_heard.saturating_mul(MICROS_PER_SAMPLE));
        self.outbox.event(VoiceEvent::Interrupted { utterance, heard, by });
        self.outbox.note(Dialogue::BargeIn {
            utterance: utterance.0,
            heard_ms: millis(heard),
            by: word.to_owned(),
        });
        true
    }

    /// Drops what is being said and what waits; how much was heard of it.
    pub(super) fn fall_silent(&mut self) -> Option<Cursor> {
        let cursor = self.mixer.flush();
        self.utterances.end_all(&mut self.outbox);
        self.barge_in.reset();
        self.grant();
        cursor
    }
}
