//! A cascade agent as its file and the server's providers make it; all its calls share it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use caly_provider::llm::{self, ToolSpec};
use caly_provider::policy::chain::{Chain, Member};
use caly_provider::{asr, tts};

use crate::mind::script::Script;
use crate::mind::speech::Language;
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
    /// How it understands its callers.
    pub understanding: UnderstandingConfig,
    /// How it answers.
    pub answers: Answers,
    /// What goes on when nobody can think or speak any more.
    pub fallback: Arc<Script>,
}

/// The providers of one hop.
#[derive(Debug)]
pub struct Hops<P: ?Sized>(pub Vec<(Member, Arc<P>)>);

impl<P: ?Sized> Clone for Hops<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: ?Sized> Hops<P> {
    /// Whom to ask when.
    pub fn chain(&self) -> Chain {
        Chain::new(self.0.iter().map(|(member, _)| member.clone()).collect())
    }

    /// The provider of that number.
    pub fn provider(&self, number: usize) -> Option<&Arc<P>> {
        self.0.get(number).map(|(_, provider)| provider)
    }

    /// Its name; empty if there is none of that number.
    pub fn name(&self, number: usize) -> &str {
        self.0.get(number).map_or("", |(member, _)| &member.name)
    }
}

/// A text in each language that the agent speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub BTreeMap<Language, String>);

impl Line {
    /// In this language, or in any that there is.
    pub fn text(&self, language: Language) -> Option<(Language, &str)> {
        let found = self.0.get_key_value(&language).or_else(|| self.0.first_key_value());
        found.map(|(language, text)| (*language, text.as_str()))
    }
}

/// What an agent says by itself, without any model. Each is audio before the first call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// When the call is answered.
    pub greeting: Line,
    /// While a tool works or an answer is slow, one after the other.
    pub fillers: Vec<Line>,
    /// When there is no answer this once.
    pub trouble: Line,
    /// When something was said of which no word is known.
    pub not_understood: Line,
    /// When the caller says nothing for long.
    pub idle: Line,
    /// When the agent goes on by its script.
    pub sorry: Line,
    /// The last words of a call.
    pub goodbye: Line,
}

impl Lines {
    /// Every text of them, in every language.
    pub fn texts(&self) -> impl Iterator<Item = (Language, &str)> {
        let Self { greeting, fillers, trouble, not_understood, idle, sorry, goodbye } = self;
        let alone = [greeting, trouble, not_understood, idle, sorry, goodbye];
        let lines = alone.into_iter().chain(fillers);
        lines.flat_map(|line| line.0.iter().map(|(language, text)| (*language, text.as_str())))
    }
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
    /// From the turn's end until its last words are known.
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
