//! What the model writes and the agent must not say: it is withheld before it is made sound, and something else is said in its place.

use std::time::Instant;

use super::CascadeMind;
use super::answering::Answer;
use crate::call::hop::HopEvent;
use crate::mind::guardrail::{Rule, Verdict, WITHHELD};
use crate::mind::history::SaidId;
use crate::mind::speech::chunker::Chunker;

impl CascadeMind {
    /// Says the next chunk of the answer, if it may be heard behind what was said before. That is decided at once, and holds back nothing that may.
    pub(super) fn say_unless_withheld(&mut self, now: Instant, chunk: &str) {
        let Some(answer) = &mut self.answer else { return };
        let (guardrail, watch) = (&self.config.guardrail, &mut answer.watch);
        let verdict = if Chunker::is_cut_in_word(chunk) {
            // What is heard of it ends here, and what is written goes on.
            match watch.read(guardrail, chunk) {
                Verdict::Pass => watch.pause(guardrail),
                tripped @ Verdict::Replace(_) => tripped,
            }
        } else {
            watch.read_whole(guardrail, chunk)
        };
        match verdict {
            Verdict::Pass => self.say_chunk(now, chunk),
            Verdict::Replace(rule) => self.withhold(now, chunk, rule),
        }
    }

    /// Nothing more of the answer is said, and none of its tools used. What has begun to sound is said to its end, what has not is not said at all.
    fn withhold(&mut self, now: Instant, chunk: &str, rule: Rule) {
        let Some(answer) = self.answer.take() else { return };
        if let Some(ask) = answer.ask {
            self.llm.cancel(ask);
        }
        let unsaid = answer.written.saturating_sub(answer.text.chars().count());
        self.used.add(answer.provider, "wasted_tokens", (unsaid as u64).div_ceil(4));
        let is_sounding = self.keep_what_sounds(now, &answer);
        let text = match answer.text.as_str() {
            unheard if !is_sounding && !unheard.is_empty() => format!("{unheard} {chunk}"),
            _ => chunk.to_owned(),
        };
        self.note(HopEvent::GuardrailTripped {
            turn: answer.turn,
            list: rule.list,
            rule: rule.number as u64,
            text,
            // It has no sound.
            heard_ms: 0,
        });
        self.history.user(WITHHELD);
        if let Some(filler) = self.quiet.filler() {
            self.outbox.shorten(filler);
        }
        let line = self.config.lines.withheld.clone();
        self.say_line(now, &line);
    }

    /// What has begun to sound of the answer is said to its end, what has not is not said. Whether anything of it is heard.
    pub(super) fn keep_what_sounds(&mut self, now: Instant, answer: &Answer) -> bool {
        let Some(speech) = answer.speech else { return false };
        let said = SaidId(self.next_said);
        let sounding = self.sayings.iter_mut().find(|saying| saying.speech == Some(speech));
        let Some(saying) = sounding.filter(|saying| saying.utterance.is_some() || saying.was_begun()) else {
            self.mouth.cancel(now, speech);
            self.drop_unheard(speech);
            return false;
        };
        saying.said = Some(said);
        self.next_said += 1;
        let is_sounding = saying.utterance.is_some();
        self.history.said(said, &answer.text);
        if is_sounding {
            self.mouth.finish(now, speech);
        } else {
            // It has stalled, and what was heard of it is all.
            self.mouth.cancel(now, speech);
            self.drop_unheard(speech);
        }
        true
    }
}
