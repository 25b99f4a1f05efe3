//! The agent's head: what to say and do. A mind is a synchronous machine; one task per call drives it and runs the tools that
//! it asks for. It knows voice only through [`crate::voice::exchange`].

pub mod cascade;
pub mod conversation;
pub mod end_of_turn;
pub mod guardrail;
pub mod history;
mod normal_form;
pub mod realtime;
pub mod script;
pub mod speech;
pub mod understanding;

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::link::{LinkEvent, LinkId, LinkOrder};
use serde_json::Value;

use crate::tools::ToolError;
use crate::voice::exchange::{FRAME_SAMPLES, MindCommand, VoiceEvent};

/// A head of whatever kind. Everything random or slow is outside of it; drain [`Mind::poll`] after every input.
pub trait Mind: Send + std::fmt::Debug {
    /// Something happened in the call.
    fn handle(&mut self, now: Instant, event: VoiceEvent);

    /// A tool that it asked for has answered.
    fn handle_tool(&mut self, now: Instant, id: ToolCallId, answer: Result<Value, ToolError>);

    /// What is known of the caller from before, as a model may read it: told once, soon after the call has begun, if anything is known. Minds without
    /// a model have no use for it.
    fn learn(&mut self, _now: Instant, _facts: Arc<str>) {}

    /// What became of a link that it asked for. Minds that ask for none are told of none.
    fn handle_link(&mut self, _now: Instant, _link: LinkId, _event: LinkEvent) {}

    /// How often it wants the caller's audio ([`Mind::hear`]); `None` for minds that do not listen.
    fn listens_every(&self) -> Option<Duration> {
        None
    }

    /// The caller's audio since it was asked last, in order; perhaps none.
    fn hear(&mut self, _now: Instant, _audio: &mut dyn Iterator<Item = CallerFrame>) {}

    /// The time that it asked for has come.
    fn handle_timeout(&mut self, now: Instant);

    /// When it wants to be called next, if nothing else happens.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The call is over: links are to be closed in peace. Of what it wants then, only links are taken up.
    fn finish(&mut self, _now: Instant) {}

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
    /// By a link to a provider.
    Link(LinkOrder),
}

/// 20 ms of the caller's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerFrame {
    /// The audio.
    pub audio: CallerAudio,
    /// It was taken for speech.
    pub is_speech: bool,
}

/// The caller's audio in one of two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerAudio {
    /// G.711 as it was received, in the call's codec.
    Payload([u8; FRAME_SAMPLES]),
    /// Samples at 8 kHz without echo, and as loud as recognizers like it.
    Samples([i16; FRAME_SAMPLES]),
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
