//! An answer whose model breaks off in its middle is taken up: the next model, or the same one once more, reads how far it came and is asked for the
//! rest. Once for each answer.

use std::time::Instant;

use super::CascadeMind;
use crate::mind::speech::chunker::Chunker;

impl CascadeMind {
    /// The model broke off behind words that are being said. False if that was the second time: then the caller is to be asked instead.
    pub(super) fn take_up(&mut self, now: Instant) -> bool {
        let Some(answer) = &mut self.answer else { return true };
        // Whoever broke off may have wished for tools that are not whole.
        answer.calls.clear();
        if answer.chunker.is_full() {
            // All that may be said of it was written.
            self.written(now);
            return true;
        }
        if std::mem::replace(&mut answer.is_rest, true) {
            if let Some(answer) = self.answer.take() {
                self.keep_what_sounds(now, &answer);
            }
            return false;
        }
        let (speech, sentences) = (answer.speech, answer.chunker.sentences_left());
        if let Some(speech) = speech {
            self.mouth.finish(now, speech);
        }
        self.remember_said();
        // What it had begun of the next clause is not said: the rest begins with it.
        self.history.user(GO_ON);
        self.quiet.begin(now, self.config.answers.filler_after);
        self.ask(now);
        if let Some(answer) = &mut self.answer {
            answer.chunker = Chunker::new(sentences);
        }
        true
    }
}

const GO_ON: &str = "[The connection broke while you answered. The caller hears your words up to here. Go on from there: say only what is missing, \
                     without repeating any of it and without an apology.]";
