//! The agent's head: what to say and do. A mind is a synchronous machine; one task per call drives it and runs the tools that
//! it asks for. It knows voice only through [`crate::voice::exchange`].

pub mod end_of_turn;
pub mod script;
pub mod speech;
pub mod understanding;

use std::time::Instant;

use serde_json::Value;

use crate::tools::ToolError;
use crate::voice::exchange::{MindCommand, VoiceEvent};

/// A head of whatever kind. Everything random or slow is outside of it; drain [`Mind::poll`] after every input.
pub trait Mind: Send + std::fmt::Debug {
    /// Something happened in the call.
    fn handle(&mut self, now: Instant, event: VoiceEvent);

    /// A tool that it asked for has answered.
    fn handle_tool(&mut self, now: Instant, id: ToolCallId, answer: Result<Value, ToolError>);

    /// The time that it asked for has come.
    fn handle_timeout(&mut self, now: Instant);

    /// When it wants to be called next, if nothing else happens.
    fn poll_timeout(&self) -> Option<Instant>;

    /// What it wants.
    fn poll(&mut self) -> Option<Wish>;
}

/// What a mind wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// By voice.
    Voice(MindCommand),
    /// By a tool.
    Tool(ToolCall),
}

/// Names one use of a tool within a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolCallId(pub u64);

/// One use of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Comes back with the answer.
    pub id: ToolCallId,
    /// Which tool.
    pub name: String,
    /// What it is given.
    pub arguments: Value,
}
