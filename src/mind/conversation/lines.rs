//! What an agent says by itself.

use std::collections::BTreeMap;

use crate::mind::speech::Language;

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
    /// In the place of what the guardrail withholds.
    pub withheld: Line,
}

impl Lines {
    /// Every text of them, in every language.
    pub fn texts(&self) -> impl Iterator<Item = (Language, &str)> {
        let Self { greeting, fillers, trouble, not_understood, idle, sorry, goodbye, withheld } = self;
        let alone = [greeting, trouble, not_understood, idle, sorry, goodbye, withheld];
        let lines = alone.into_iter().chain(fillers);
        lines.flat_map(|line| line.0.iter().map(|(language, text)| (*language, text.as_str())))
    }
}
