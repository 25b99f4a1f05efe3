//! What the caller's speech, words and keys do to what the agent is saying.

use std::time::{Duration, Instant};

use caly_rtp::playout::Cursor;

use super::{MICROS_PER_SAMPLE, Voice, millis};
use crate::call::dialogue::Dialogue;
use crate::voice::barge_in::Verdict;
use crate::voice::exchange::{Interruption, Transcript, VoiceEvent};
use crate::voice::hearing::Judged;
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
            self.judge(now, verdict);
        }
    }

    /// The caller's words are others than they were. Those of a turn that is over stop nobody.
    pub(super) fn hear_words(&mut self, now: Instant, transcript: Transcript) {
        let is_present = transcript.turn == self.turn.turn();
        self.advance(now, Input::Words(transcript));
        if is_present && self.can_be_stopped() {
            let verdict = self.barge_in.hear_words(transcript.words, transcript.is_backchannel);
            self.judge(now, verdict);
        }
    }

    fn can_be_stopped(&self) -> bool {
        !self.utterances.is_empty() && self.utterances.yields_to().speech
    }

    /// Does with what the agent is saying what was decided.
    fn judge(&mut self, now: Instant, verdict: Verdict) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Duck => self.mixer.duck(),
            Verdict::Pause => self.mixer.pause(),
            Verdict::Restore => self.go_on(),
            Verdict::Stop => self.interrupt(now, Interruption::Speech),
        }
    }

    /// Whatever was suspected, the agent goes on where it was, as loud as it was.
    pub(super) fn forgive(&mut self) {
        self.barge_in.reset();
        self.go_on();
    }

    /// The agent goes on where it was, as loud as it was.
    fn go_on(&mut self) {
        self.mixer.resume();
        self.mixer.restore();
    }

    /// Stops what is being said, if anything is.
    pub(super) fn interrupt(&mut self, now: Instant, by: Interruption) {
        let Some(first) = self.utterances.first() else { return };
        let cursor = self.fall_silent().unwrap_or(Cursor { utterance: first, samples_heard: 0 });
        let Cursor { utterance, samples_heard } = cursor;
        let heard = Duration::from_micros(samples_heard.saturating_mul(MICROS_PER_SAMPLE));
        self.outbox.event(VoiceEvent::Interrupted { utterance, heard, by });
        let (word, input) = match by {
            Interruption::Speech => ("speech", Input::StoppedBySpeech),
            Interruption::Digit => ("digit", Input::Stopped),
        };
        self.outbox.note(Dialogue::BargeIn {
            utterance: utterance.0,
            heard_ms: millis(heard),
            by: word.to_owned(),
        });
        self.advance(now, input);
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
