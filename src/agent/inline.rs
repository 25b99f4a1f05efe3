//! A mind that thinks on the spot: for virtual time, where nothing may happen beside the loop that moves it. Its tools answer
//! after a fixed time.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::line::{MindGone, MindLine, NotSent};
use crate::mind::{Mind, ToolCall, ToolCallId, Wish};
use crate::tools::ToolError;
use crate::voice::exchange::{MindCommand, VoiceEvent};

/// Uses a tool and waits for what it answers.
pub type AnswerTool = Box<dyn FnMut(&ToolCall) -> Result<Value, ToolError> + Send>;

/// A mind, and what it has said and is waiting for.
pub struct InlineMind {
    mind: Box<dyn Mind>,
    answer_tool: AnswerTool,
    commands: VecDeque<MindCommand>,
    /// Answers that are not due yet, in the order of their time.
    answers: VecDeque<(Instant, ToolCallId, Result<Value, ToolError>)>,
}

impl InlineMind {
    /// Joins a mind with its tools.
    pub fn new(mind: Box<dyn Mind>, answer_tool: AnswerTool) -> Self {
        Self { mind, answer_tool, commands: VecDeque::new(), answers: VecDeque::new() }
    }

    /// Takes up what the mind wants, as long as somebody takes its commands.
    fn serve(&mut self, now: Instant) {
        while self.commands.len() < MAX_COMMANDS {
            match self.mind.poll() {
                Some(Wish::Voice(command)) => self.commands.push_back(command),
                Some(Wish::Tool(call)) => {
                    let answer = (self.answer_tool)(&call);
                    self.answers.push_back((now + TOOL_TIME, call.id, answer));
                }
                None => return,
            }
        }
    }

    /// Answers and deadlines that are due.
    fn catch_up(&mut self, now: Instant) {
        while self.answers.front().is_some_and(|(due, ..)| *due <= now) {
            if let Some((_, id, answer)) = self.answers.pop_front() {
                self.mind.handle_tool(now, id, answer);
                self.serve(now);
            }
        }
        if self.mind.poll_timeout().is_some_and(|due| due <= now) {
            self.mind.handle_timeout(now);
        }
    }
}

impl MindLine for InlineMind {
    fn send(&mut self, now: Instant, event: VoiceEvent) -> Result<(), NotSent> {
        if self.commands.len() >= MAX_COMMANDS {
            return Err(NotSent::Full(event));
        }
        self.mind.handle(now, event);
        self.serve(now);
        Ok(())
    }

    fn receive(&mut self, now: Instant) -> Result<Option<MindCommand>, MindGone> {
        if self.commands.is_empty() {
            self.catch_up(now);
            self.serve(now);
        }
        Ok(self.commands.pop_front())
    }
}

impl fmt::Debug for InlineMind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineMind").field("mind", &self.mind).finish_non_exhaustive()
    }
}

/// As many as the server's queue holds.
const MAX_COMMANDS: usize = 64;
/// How long a tool takes.
const TOOL_TIME: Duration = Duration::from_millis(50);
