//! A cascade agent as its file and the server's providers make it; all its calls share it.

use std::sync::Arc;
use std::time::Duration;

use caly_provider::llm::{self, ToolSpec};
use caly_provider::{asr, tts};

use crate::mind::conversation::{Hops, Lines};
use crate::mind::guardrail::Guardrail;
use crate::mind::script::Script;
use crate::mind::speech::{Language, WaitingSound};
use crate::mind::understanding::UnderstandingConfig;

/// The agent.
#[derive(Clone, Debug)]
pub struct Cascade {
    /// What it calls itself.
    pub name: String,
    /// The language in which it begins.
    pub language: Language,
    /// Who listens for it, the best first.
    pub asr: Hops<dyn asr::Provider>,
    /// Who thinks for it.
    pub llm: Hops<dyn llm::Vendor>,
    /// Who speaks for it.
    pub tts: Hops<dyn tts::Provider>,
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
    /// How it understands its callers.
    pub understanding: UnderstandingConfig,
    /// How it answers.
    pub answers: Answers,
    /// What goes on when nobody can think or speak any more.
    pub fallback: Arc<Script>,
}

/// How an agent answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Sentences of one answer; more are not said.
    pub max_sentences: usize,
    /// Tokens of one answer.
    pub max_tokens: u32,
    /// Whether the model is asked when a turn is probably over.
    pub think_ahead: bool,
    /// After a turn's end without a sound of the answer a filler is said.
    pub filler_after: Duration,
    /// After a tool is asked a filler is said.
    pub tool_filler_after: Duration,
    /// A second provider is asked beside a model that has said nothing for so long.
    pub hedge_after: Option<Duration>,
    /// A tool that has not answered after so long is told to the model as still running; it goes on, and hears of the answer later.
    pub tool_patience: Duration,
    /// How often tools may be used before the caller is answered.
    pub max_rounds: u8,
    /// Silence of the caller after which he is asked again.
    pub idle: Duration,
    /// What each step should take at most; more is noted.
    pub budgets: Budgets,
}

/// What each step should take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// From when the caller has stopped until the last words of his turn are known.
    pub asr: Duration,
    /// From asking the model until its first words.
    pub llm: Duration,
    /// From the first text until its first sound.
    pub tts: Duration,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            max_sentences: 3,
            max_tokens: 300,
            think_ahead: true,
            filler_after: Duration::from_millis(900),
            tool_filler_after: Duration::from_millis(200),
            tool_patience: Duration::from_millis(2_000),
            hedge_after: None,
            max_rounds: 4,
            idle: Duration::from_secs(10),
            budgets: Budgets {
                asr: Duration::from_millis(300),
                llm: Duration::from_millis(2_000),
                tts: Duration::from_millis(350),
            },
        }
    }
}
