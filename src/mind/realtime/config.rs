//! An agent whose model hears and speaks, as its file and the server's providers make it; all its calls share it.

use std::sync::Arc;
use std::time::Duration;

use caly_provider::llm::ToolSpec;
use caly_provider::realtime;

use crate::mind::conversation::{Hops, Lines};
use crate::mind::guardrail::Guardrail;
use crate::mind::script::Script;
use crate::mind::speech::{Language, WaitingSound};

/// The agent.
#[derive(Clone, Debug)]
pub struct RealtimeAgent {
    /// What it calls itself.
    pub name: String,
    /// The language in which it begins.
    pub language: Language,
    /// Who talks for it, the best first.
    pub models: Hops<dyn realtime::Provider>,
    /// What the model is told to be and to do.
    pub instructions: Arc<str>,
    /// What the model may do besides speaking.
    pub tools: Arc<[ToolSpec]>,
    /// What it says by itself.
    pub lines: Lines,
    /// What it must never say.
    pub guardrail: Arc<Guardrail>,
    /// What is heard while it works, between fillers.
    pub waiting_sound: Option<WaitingSound>,
    /// How it answers.
    pub talk: Talk,
    /// What goes on when no model can talk any more.
    pub fallback: Arc<Script>,
}

/// How an agent talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// After a turn's end without a sound of the answer a filler is said.
    pub filler_after: Duration,
    /// After a tool is asked a filler is said.
    pub tool_filler_after: Duration,
    /// A tool that has not answered after so long is told to the model as still running; it goes on, and hears of the answer later.
    pub tool_patience: Duration,
    /// How often tools may be used before the caller is answered.
    pub max_rounds: u8,
    /// Silence of the caller after which he is asked again.
    pub idle: Duration,
    /// From a turn's end to the first sound of the answer; more is noted.
    pub budget: Duration,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            filler_after: Duration::from_millis(900),
            tool_filler_after: Duration::from_millis(200),
            tool_patience: Duration::from_millis(2_000),
            max_rounds: 4,
            idle: Duration::from_secs(10),
            budget: Duration::from_millis(1_000),
        }
    }
}
