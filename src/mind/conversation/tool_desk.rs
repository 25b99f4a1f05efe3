//! The tools of a call: what a model wants used is checked and numbered, and what comes of it is written as the model reads it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::llm::{ToolRequest, ToolResult, ToolSpec};
use serde_json::Value;

use crate::call::dialogue::Dialogue;
use crate::mind::{ToolCall, ToolCallId};
use crate::tools::ToolError;

/// Tools at work.
#[derive(Debug)]
pub(in crate::mind) struct ToolDesk {
    known: Arc<[ToolSpec]>,
    in_use: BTreeMap<ToolCallId, ToolInUse>,
    next: u64,
}

/// A tool that has not answered.
#[derive(Debug)]
struct ToolInUse {
    /// The model's name of this use.
    request: String,
    name: String,
    asked: Instant,
    /// The model waits for it.
    is_wanted: bool,
    /// The model was told that it takes longer, and waits no more.
    is_late: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub(in crate::mind) enum Handed {
    /// The tool is to be used.
    ToUse(ToolCall),
    /// It is not: the model is told what is wrong, and may do better.
    Refused(Answered),
}

/// What came of a tool.
#[derive(Debug)]
pub(in crate::mind) struct Answered {
    /// The tool.
    name: String,
    /// For the call's log.
    pub(in crate::mind) note: Dialogue,
    /// For the model.
    pub(in crate::mind) result: ToolResult,
    /// What becomes of it.
    pub(in crate::mind) use_of: UseOf,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mind) enum UseOf {
    /// The model waits for it.
    Awaited,
    /// The model has gone on without it, and is told when it comes to that.
    Late,
    /// Nobody wants it any more.
    Unwanted,
}

impl ToolDesk {
    /// Nothing is at work.
    pub(in crate::mind) fn new(known: Arc<[ToolSpec]>) -> Self {
        Self { known, in_use: BTreeMap::new(), next: FIRST }
    }

    /// How many tools the model waits for.
    pub(in crate::mind) fn at_work(&self) -> usize {
        self.in_use.values().filter(|tool| tool.is_awaited()).count()
    }

    /// When the model is to be told that a tool takes longer.
    pub(in crate::mind) fn due(&self, patience: Duration) -> Option<Instant> {
        self.in_use.values().filter(|tool| tool.is_awaited()).map(|tool| tool.asked + patience).min()
    }

    /// What the model is told in the place of answers that have not come in that time; each is told once.
    pub(in crate::mind) fn slow(&mut self, now: Instant, patience: Duration) -> Vec<ToolResult> {
        let slow = self.in_use.values_mut().filter(|tool| tool.is_awaited() && tool.asked + patience <= now);
        let told = slow.map(|tool| {
            tool.is_late = true;
            let (id, content) = (tool.request.clone(), STILL_RUNNING.to_owned());
            ToolResult { id, content, is_error: false }
        });
        told.collect()
    }

    /// The model does not wait for these any more. They cannot be called back.
    pub(in crate::mind) fn cancel(&mut self, requests: &[String]) {
        for tool in self.in_use.values_mut().filter(|tool| requests.contains(&tool.request)) {
            tool.is_wanted = false;
        }
    }

    /// Whether this use has its number from here. A script that goes on counts its own from 1.
    pub(in crate::mind) fn is_own(&self, id: ToolCallId) -> bool {
        id.0 >= FIRST
    }

    /// A use that the model wishes for. `refusal` says why it is not done, for reasons that only the mind knows.
    pub(in crate::mind) fn hand(
        &mut self,
        now: Instant,
        request: ToolRequest,
        refusal: Option<String>,
    ) -> (Dialogue, Handed) {
        let ToolRequest { id, name, arguments } = request;
        let note = Dialogue::ToolCalled { name: name.clone(), arguments: arguments.clone() };
        let checked = match refusal {
            Some(why) => Err(ToolError::Unavailable(why)),
            None => self.check(&name, &arguments),
        };
        let handed = match checked {
            Ok(arguments) => {
                let number = ToolCallId(self.next);
                self.next += 1;
                self.in_use.insert(
                    number,
                    ToolInUse {
                        request: id,
                        name: name.clone(),
                        asked: now,
                        is_wanted: true,
                        is_late: false,
                    },
                );
                Handed::ToUse(ToolCall { id: number, name, arguments })
            }
            Err(error) => Handed::Refused(write(id, name, Duration::ZERO, Err(error))),
        };
        (note, handed)
    }

    /// A tool has answered; `None` if nobody waits for it.
    pub(in crate::mind) fn answered(
        &mut self,
        now: Instant,
        id: ToolCallId,
        outcome: Result<Value, ToolError>,
    ) -> Option<Answered> {
        let tool = self.in_use.remove(&id)?;
        let use_of = match (tool.is_wanted, tool.is_late) {
            (false, _) => UseOf::Unwanted,
            (true, true) => UseOf::Late,
            (true, false) => UseOf::Awaited,
        };
        let answered = write(tool.request, tool.name, now.saturating_duration_since(tool.asked), outcome);
        Some(Answered { use_of, ..answered })
    }

    fn check(&self, name: &str, arguments: &str) -> Result<Value, ToolError> {
        let text = if arguments.trim().is_empty() { "{}" } else { arguments };
        let arguments: Value = serde_json::from_str(text).map_err(|error| {
            ToolError::Arguments(format!("the arguments are no JSON: {error}; write them again"))
        })?;
        if self.in_use.len() >= MAX_AT_ONCE {
            return Err(ToolError::Unavailable(format!(
                "not done: no more than {MAX_AT_ONCE} tools at once; call it again after these"
            )));
        }
        // The mind does this itself, or has said why not.
        if name == END_CALL || !self.known.iter().any(|tool| tool.name == name) {
            return Err(ToolError::Unknown(name.to_owned()));
        }
        if !arguments.is_object() {
            return Err(ToolError::Arguments("the arguments must be a JSON object".to_owned()));
        }
        Ok(arguments)
    }
}

fn write(id: String, name: String, took: Duration, outcome: Result<Value, ToolError>) -> Answered {
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
    let note =
        Dialogue::ToolAnswered { name: name.clone(), answer: content.clone(), took_ms, is_ok: !is_error };
    Answered { name, note, result: ToolResult { id, content, is_error }, use_of: UseOf::Awaited }
}

impl ToolInUse {
    fn is_awaited(&self) -> bool {
        self.is_wanted && !self.is_late
    }
}

impl Answered {
    /// As the model is told that has gone on without it: by words, as each use has its result.
    pub(in crate::mind) fn late_words(&self) -> String {
        format!("[{}, which was still running, has answered: {}]", self.name, self.result.content)
    }
}

/// The tool by which a model ends a call. It is the mind's own: no toolbox has it.
pub const END_CALL: &str = "end_call";
/// What a model is told of a tool that takes longer.
const STILL_RUNNING: &str = r#"{"status":"still running","note":"The answer will be told to you when it is there. Do not call it again: tell the caller that it takes a moment longer and that you will let him know, and go on."}"#;
/// Nobody asks for more in one breath; a model that does has lost its way.
const MAX_AT_ONCE: usize = 8;
/// A page or two: more costs time at every later turn, and nobody reads it to a caller.
const MAX_ANSWER_BYTES: usize = 8 * 1024;
/// Far above what a script that goes on counts.
const FIRST: u64 = 1 << 32;
