//! Tools at work: what they are asked, and where their answers lead.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::super::format::{Kind, ToolUse};
use super::{Phase, ScriptMind, millis};
use crate::call::dialogue::Dialogue;
use crate::mind::{ToolCall, ToolCallId, Wish};
use crate::tools::ToolError;
use crate::voice::exchange::MindCommand;

impl ScriptMind {
    pub(super) fn use_tool(&mut self, now: Instant, tool: &ToolUse) {
        if let Some(filler) = tool.filler {
            self.say(&[filler]);
        }
        let value = |path: &String| self.value(path).cloned().unwrap_or(Value::Null);
        let arguments: Value =
            tool.arguments.iter().map(|(name, path)| (name.clone(), value(path))).collect();
        let id = ToolCallId(self.next_tool);
        self.next_tool += 1;
        self.phase = Phase::Calling { id, asked: now };
        self.command(MindCommand::Think);
        self.note(Dialogue::ToolCalled { name: tool.name.clone(), arguments: arguments.to_string() });
        self.wishes.push_back(Wish::Tool(ToolCall { id, name: tool.name.clone(), arguments }));
    }

    pub(super) fn tool_answered(&mut self, now: Instant, asked: Instant, answer: Result<Value, ToolError>) {
        let script = Arc::clone(&self.script);
        let Some(Kind::Tool(tool)) = script.states.get(self.at).map(|state| &state.kind) else { return };
        let shown = match &answer {
            Ok(value) => value.to_string(),
            Err(error) => Value::from(error.to_string()).to_string(),
        };
        self.note(Dialogue::ToolAnswered {
            name: tool.name.clone(),
            answer: shown,
            took_ms: millis(now.saturating_duration_since(asked)),
            is_ok: answer.is_ok(),
        });
        let value = answer.unwrap_or(Value::Null);
        let result = value.get("result").and_then(Value::as_str).unwrap_or("error");
        let target = tool.results.iter().find(|(name, _)| name == result).map_or(tool.error, |(_, to)| *to);
        self.values.insert(tool.into.clone(), value);
        self.enter(now, target);
    }
}
