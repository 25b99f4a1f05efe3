//! Tools at work: what the model wants done is done once the caller's turn is over, and what came of it is told to the model.

use std::time::Instant;

use caly_provider::llm::ToolRequest;
use serde_json::Value;

use super::CascadeMind;
use super::saying::Saying;
use crate::call::dialogue::Dialogue;
use crate::mind::conversation::{Answered, END_CALL, Handed, UseOf};
use crate::mind::history::SaidId;
use crate::mind::{ToolCallId, Wish};
use crate::tools::ToolError;
use crate::voice::exchange::MindCommand;

impl CascadeMind {
    /// Sets the tools of a round to work.
    pub(super) fn use_tools(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        let calls = answer.calls.clone();
        if calls.iter().all(|call| call.name == END_CALL) {
            return self.end_call(now);
        }
        if answer.rounds >= self.config.answers.max_rounds {
            return self.no_more_tools(now);
        }
        self.command(MindCommand::Think);
        if self.answer.as_ref().is_none_or(|answer| answer.speech.is_none()) {
            self.quiet.begin(now, self.config.answers.tool_filler_after);
        }
        calls.into_iter().for_each(|call| self.use_tool(now, call));
        self.tools_are_done(now);
    }

    /// It was told to use no more of them, and does: they are not used.
    fn no_more_tools(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        answer.calls.clear();
        if answer.text.is_empty() {
            return self.no_answer(now, false);
        }
        self.remember_answer();
    }

    fn use_tool(&mut self, now: Instant, call: ToolRequest) {
        let refusal = (call.name == END_CALL).then(|| {
            "the call goes on: tell the caller what came of the other tools, then call this alone".to_owned()
        });
        let (note, handed) = self.tools.hand(now, call, refusal);
        self.command(MindCommand::Note(note));
        match handed {
            Handed::ToUse(call) => {
                if let Some(answer) = &mut self.answer {
                    answer.pending += 1;
                }
                self.wishes.push_back(Wish::Tool(call));
            }
            Handed::Refused(answered) => self.take_result(answered),
        }
    }

    /// A tool has answered.
    pub(super) fn tool_answered(&mut self, now: Instant, id: ToolCallId, outcome: Result<Value, ToolError>) {
        let Some(answered) = self.tools.answered(now, id, outcome) else { return };
        match answered.use_of {
            UseOf::Awaited => {
                if let Some(answer) = &mut self.answer {
                    answer.pending = answer.pending.saturating_sub(1);
                }
                self.take_result(answered);
                self.tools_are_done(now);
            }
            UseOf::Late => {
                self.late_answers.push(answered.late_words());
                self.command(MindCommand::Note(answered.note));
                self.tell_late_answers(now);
            }
            UseOf::Unwanted => self.command(MindCommand::Note(answered.note)),
        }
    }

    /// The model goes on without tools that take longer.
    pub(super) fn tools_are_slow(&mut self, now: Instant) {
        let slow = self.tools.slow(now, self.config.answers.tool_patience);
        let Some(answer) = self.answer.as_mut().filter(|_| !slow.is_empty()) else { return };
        answer.pending = answer.pending.saturating_sub(slow.len());
        answer.results.extend(slow);
        self.tools_are_done(now);
    }

    /// What has come late is told to the caller when nobody speaks; who speaks before that hears of it in the answer to him.
    pub(super) fn tell_late_answers(&mut self, now: Instant) {
        if self.late_answers.is_empty() || self.script.is_some() {
            return;
        }
        let is_quiet = self.sayings.is_empty() && self.outbox.is_empty() && !self.is_caller_speaking;
        if is_quiet && self.answer.is_none() && !self.is_ending && self.understanding.text().is_empty() {
            self.remember_late_answers();
            self.answer_again(now);
        }
    }

    /// Enters them in what the model is told.
    pub(super) fn remember_late_answers(&mut self) {
        for words in std::mem::take(&mut self.late_answers) {
            self.history.user(&words);
        }
    }

    fn take_result(&mut self, Answered { note, result, .. }: Answered) {
        self.command(MindCommand::Note(note));
        if let Some(answer) = &mut self.answer {
            answer.results.push(result);
        }
    }

    /// When all have answered the model goes on.
    fn tools_are_done(&mut self, now: Instant) {
        let Some(answer) =
            self.answer.as_mut().filter(|answer| answer.pending == 0 && !answer.calls.is_empty())
        else {
            return;
        };
        let (text, calls) = (answer.text.clone(), std::mem::take(&mut answer.calls));
        let results = std::mem::take(&mut answer.results);
        let more_words = std::mem::take(&mut answer.more_words);
        answer.rounds += 1;
        let (said, speech) = (SaidId(self.next_said), answer.speech);
        self.next_said += 1;
        self.history.used_tools(said, &text, calls, results);
        let is_it = |saying: &&mut Saying| saying.speech.is_some() && saying.speech == speech;
        if let Some(saying) = self.sayings.iter_mut().find(is_it) {
            saying.said = Some(said);
        }
        more_words.iter().for_each(|words| self.history.user(words));
        self.quiet.begin(now, self.config.answers.filler_after);
        self.ask(now);
    }

    /// What was said with it are the last words; else the agent has some of its own.
    fn end_call(&mut self, now: Instant) {
        let (name, arguments) = (END_CALL.to_owned(), "{}".to_owned());
        self.command(MindCommand::Note(Dialogue::ToolCalled { name, arguments }));
        let Some(answer) = &mut self.answer else { return };
        answer.calls.clear();
        if answer.text.is_empty() {
            self.answer = None;
            let line = self.config.lines.goodbye.clone();
            return self.say_last(now, &line);
        }
        self.is_ending = true;
        self.remember_answer();
    }
}

/// So many may be written before the model is stopped. Not all of them are done at once, and it hears of that.
pub(super) const MAX_CALLS: usize = 16;
