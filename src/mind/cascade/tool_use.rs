//! Tools at work: what the model wants done is done once the caller's turn is over, and what came of it is told to the model.

use std::time::{Duration, Instant};

use caly_provider::llm::{ToolRequest, ToolResult};
use serde_json::Value;

use super::CascadeMind;
use super::saying::Saying;
use crate::call::dialogue::Dialogue;
use crate::mind::history::SaidId;
use crate::mind::{ToolCall, ToolCallId, Wish};
use crate::tools::ToolError;
use crate::voice::exchange::MindCommand;

/// A tool that has not answered.
#[derive(Debug)]
pub(super) struct ToolInUse {
    /// The model's name of this use.
    request: String,
    name: String,
    asked: Instant,
}

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
        for (number, call) in calls.into_iter().enumerate() {
            self.use_tool(now, number, call);
        }
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

    fn use_tool(&mut self, now: Instant, number: usize, call: ToolRequest) {
        self.command(MindCommand::Note(Dialogue::ToolCalled {
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }));
        let text = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
        let is_known = self.config.tools.iter().any(|tool| tool.name == call.name);
        let outcome = match serde_json::from_str::<Value>(text) {
            Ok(_) if number >= MAX_AT_ONCE => Err(ToolError::Unavailable(format!(
                "not done: no more than {MAX_AT_ONCE} tools at once; call it again after these"
            ))),
            Ok(_) if call.name == END_CALL => Err(ToolError::Unavailable(
                "the call goes on: tell the caller what came of the other tools, then call this alone"
                    .to_owned(),
            )),
            Ok(arguments) if arguments.is_object() && is_known => Ok(arguments),
            Ok(_) if !is_known => Err(ToolError::Unknown(call.name.clone())),
            Ok(_) => Err(ToolError::Arguments("the arguments must be a JSON object".to_owned())),
            Err(error) => {
                Err(ToolError::Arguments(format!("the arguments are no JSON: {error}; write them again")))
            }
        };
        match outcome {
            Ok(arguments) => {
                let id = ToolCallId(self.next_tool);
                self.next_tool += 1;
                self.tools.insert(id, ToolInUse { request: call.id, name: call.name.clone(), asked: now });
                if let Some(answer) = &mut self.answer {
                    answer.pending += 1;
                }
                self.wishes.push_back(Wish::Tool(ToolCall { id, name: call.name, arguments }));
            }
            // The model is told what is wrong, and may do better.
            Err(error) => self.take_result(call.id, call.name, Duration::ZERO, Err(error)),
        }
    }

    /// A tool has answered.
    pub(super) fn tool_answered(&mut self, now: Instant, id: ToolCallId, outcome: Result<Value, ToolError>) {
        let Some(ToolInUse { request, name, asked }) = self.tools.remove(&id) else { return };
        if let Some(answer) = &mut self.answer {
            answer.pending = answer.pending.saturating_sub(1);
        }
        self.take_result(request, name, now.saturating_duration_since(asked), outcome);
        self.tools_are_done(now);
    }

    fn take_result(&mut self, id: String, name: String, took: Duration, outcome: Result<Value, ToolError>) {
        let is_error = outcome.is_err();
        let mut content = match outcome {
            Ok(value) => value.to_string(),
            Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
        };
        let whole = content.len();
        if whole > MAX_ANSWER_BYTES {
            content.truncate(content.floor_char_boundary(MAX_ANSWER_BYTES));
            content.push_str(&format!("... [cut: {whole} bytes in all]"));
        }
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let answer = content.clone();
        self.command(MindCommand::Note(Dialogue::ToolAnswered { name, answer, took_ms, is_ok: !is_error }));
        if let Some(answer) = &mut self.answer {
            answer.results.push(ToolResult { id, content, is_error });
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

/// The tool by which a model ends a call. It is the mind's own: no toolbox has it.
pub const END_CALL: &str = "end_call";
/// Nobody asks for more in one breath; a model that does has lost its way.
const MAX_AT_ONCE: usize = 8;
/// So many may be written before the model is stopped. Those beyond [`MAX_AT_ONCE`] are refused, and it hears of that.
pub(super) const MAX_CALLS: usize = 16;
/// A page or two: more costs time at every later turn, and nobody reads it to a caller.
const MAX_ANSWER_BYTES: usize = 8 * 1024;
