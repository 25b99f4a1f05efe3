//! The rules of a guardrail as an agent's file writes them.

use regex::{Regex, RegexBuilder};

use super::normal::{normal, words};

/// Words that must not follow each other, whatever stands between them and however they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    words: Vec<String>,
}

/// Why a phrase is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// It would be found nowhere.
    #[error("has no letter or digit; write the words that are not to be said, or remove it")]
    NoWords,
    /// It is longer than anything that is said in one breath.
    #[error(
        "has {words} words in {bytes} bytes; at most {MAX_PHRASE_WORDS} words and {MAX_PHRASE_BYTES} bytes are allowed: keep the words that tell it \
         from everything else"
    )]
    TooLong {
        /// Its words.
        words: usize,
        /// Its bytes as it is written.
        bytes: usize,
    },
}

/// A regular expression of what must not be said.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no regular expression.
    #[error(
        "is no regular expression: {0}; see https://docs.rs/regex/latest/regex/#syntax, and write it in single quotes, in which TOML leaves \
         backslashes alone"
    )]
    Syntax(String),
    /// It is found in every text.
    #[error("is found in every text, so that nothing could be said; say what must be there")]
    Empty,
    /// What it is made into takes too much memory.
    #[error(
        "would take more than {MAX_PROGRAM_BYTES} bytes of memory; repeat less of it, or write [0-9] for \\d and [ .,-] for \\W"
    )]
    TooBig,
    /// It is longer than anybody can read.
    #[error("has {0} bytes; at most {MAX_PATTERN_BYTES} are allowed: make several patterns of it")]
    TooLong(usize),
}

impl Phrase {
    /// The phrase of these words.
    ///
    /// # Errors
    /// When it has no words, or too many.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let words: Vec<String> = words(&normal(text)).map(str::to_owned).collect();
        if words.is_empty() {
            return Err(PhraseError::NoWords);
        }
        if words.len() > MAX_PHRASE_WORDS || text.len() > MAX_PHRASE_BYTES {
            return Err(PhraseError::TooLong { words: words.len(), bytes: text.len() });
        }
        Ok(Self { words })
    }

    /// Its words in the form in which they are compared; never none.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn last_word(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }
}

impl Pattern {
    /// The pattern of this regular expression. Letter case does not count.
    ///
    /// # Errors
    /// When it is none, is too big, or is found in every text.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong(text.len()));
        }
        let built = RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(MAX_PROGRAM_BYTES)
            .dfa_size_limit(MAX_PROGRAM_BYTES)
            .nest_limit(MAX_NESTING)
            .build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooBig,
            other => {
                // The last line says what is wrong, those before it draw the place.
                let told = other.to_string();
                let what = told.lines().last().unwrap_or_default();
                PatternError::Syntax(what.trim().trim_start_matches("error: ").to_owned())
            }
        })?;
        if regex.is_match("") || regex.is_match(" ") {
            return Err(PatternError::Empty);
        }
        Ok(Self { regex })
    }

    pub(super) fn is_in(&self, normal: &str) -> bool {
        self.regex.is_match(normal)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

/// A list that somebody keeps up by hand. Each word is looked up, so that their number costs no time.
pub const MAX_PHRASES: usize = 500;
/// A long sentence.
pub const MAX_PHRASE_WORDS: usize = 16;
/// The same in Devanagari.
pub const MAX_PHRASE_BYTES: usize = 400;
/// Each is looked for in every piece of an answer.
pub const MAX_PATTERNS: usize = 16;
/// Two lines of a file.
pub const MAX_PATTERN_BYTES: usize = 256;
/// Nineteen digits of any script with blanks between them take a part of it; with its cache a pattern takes twice as much.
const MAX_PROGRAM_BYTES: usize = 512 * 1024;
/// Brackets within brackets: the compiler recurses.
const MAX_NESTING: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_phrase_is_told_with_what_to_do() {
        assert_eq!(Phrase::parse(" -- ।"), Err(PhraseError::NoWords));
        let long = "a ".repeat(MAX_PHRASE_WORDS + 1);
        assert_eq!(Phrase::parse(&long), Err(PhraseError::TooLong { words: 17, bytes: 34 }));
        assert!(Phrase::parse(&"क".repeat(MAX_PHRASE_BYTES)).is_err());
        assert!(Phrase::parse(&"a ".repeat(MAX_PHRASE_WORDS)).is_ok());
    }

    #[test]
    fn what_is_no_pattern_is_told_with_what_to_do() {
        let told = |text: &str| Pattern::parse(text).unwrap_err();
        let PatternError::Syntax(unclosed) = told("(abc") else { panic!("{:?}", told("(abc")) };
        assert_eq!(unclosed, "unclosed group");
        assert_eq!(told("x*"), PatternError::Empty);
        assert_eq!(told(r"\s"), PatternError::Empty);
        assert_eq!(told(r"(\w{100}){100}"), PatternError::TooBig);
        assert_eq!(told(&"a".repeat(257)), PatternError::TooLong(257));
        assert!(matches!(told(&"(".repeat(200)), PatternError::Syntax(_)));
        assert_eq!(told(r"(?:\d\W*){13,19}"), PatternError::TooBig);
        assert!(Pattern::parse(r"(?:[0-9][ .,-]*){13,19}").is_ok());
        assert!(Pattern::parse(r"(?:\d\s*){13,19}").is_ok());
    }
}
