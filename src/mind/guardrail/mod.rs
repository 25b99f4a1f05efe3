//! What an agent must never say. Between what a model writes and what a caller hears stands a [`Watch`]: it reads the words as they come, and says of
//! each piece whether it may be heard ([`Verdict`]). Whoever speaks for the agent asks it before a word of the piece is made sound, and says something
//! else in the place of what may not be heard. A judge of another kind would stand at the same place and give the same verdict.

mod normal;
mod rules;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;

pub use rules::{
    MAX_PATTERN_BYTES, MAX_PATTERNS, MAX_PHRASE_BYTES, MAX_PHRASE_WORDS, MAX_PHRASES, Pattern, PatternError,
    Phrase, PhraseError,
};
pub use watch::{MAX_MATCH_CHARS, Watch};

use crate::call::hop::RuleList;

/// What one agent must never say; all its calls share it. Without a rule everything may be said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guardrail {
    phrases: Vec<Phrase>,
    patterns: Vec<Pattern>,
    /// Which phrases end in a word, by that word.
    by_last_word: BTreeMap<String, Vec<usize>>,
    /// Words of the longest phrase.
    longest: usize,
}

/// Whether something may be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Pass,
    /// Something else is to be said in its place, because of this rule.
    Replace(Rule),
}

/// One of an agent's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which list it stands in.
    pub list: RuleList,
    /// Its place there, from 1.
    pub number: usize,
}

impl Guardrail {
    /// With these rules, numbered as they stand.
    pub fn new(phrases: Vec<Phrase>, patterns: Vec<Pattern>) -> Self {
        let mut by_last_word: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, phrase) in phrases.iter().enumerate() {
            by_last_word.entry(phrase.last_word().to_owned()).or_default().push(at);
        }
        let longest = phrases.iter().map(|phrase| phrase.words().len()).max().unwrap_or(0);
        Self { phrases, patterns, by_last_word, longest }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty() && self.patterns.is_empty()
    }

    /// Phrases and patterns: how many there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.phrases.len(), self.patterns.len())
    }

    /// Whether a text may be heard that is complete in itself.
    pub fn judge(&self, text: &str) -> Verdict {
        Watch::default().read_whole(self, text)
    }
}

/// What a model is told in the place of its words, which it is not to read again.
pub(in crate::mind) const WITHHELD: &str = "[What you were about to say was withheld: it has something that you must never say. The caller \
                                            has heard the next words instead. Do not try to say it again.]";
