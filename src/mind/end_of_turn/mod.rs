//! Whether a caller has said all that he wants to say, from what was recognized of it so far. Silence alone does not tell: people
//! pause in the middle of a sentence for as long as they do between two.

mod backchannel;
mod digits;
mod lexicon;
mod text;
mod tokens;

pub use backchannel::Backchannels;
pub use text::TextEndOfTurn;

/// The language that a text is in, by its letters and its small words; `None` if they do not tell.
pub(super) fn language_of(words: &str) -> Option<crate::mind::speech::Language> {
    text::language_of(words)
}

/// A word in the spelling of word lists: romanised Hindi has as many as it has writers.
pub(super) fn folded(word: &str) -> String {
    tokens::fold(word)
}

/// Whether two texts are the same words at their end, however they are spelled and marked.
pub(crate) fn are_same_words(one: &str, other: &str) -> bool {
    tokens::tokens(one).0 == tokens::tokens(other).0
}

/// What judges the ends of turns for an agent. One value for all of its calls: what is loaded is loaded once, here.
///
/// A model that hears, from an ONNX file for example, is another variant, which holds what was loaded from the path that the agent's file
/// names; `[turn_taking] end_of_turn_model` is kept for that path, and refused as long as there is no such variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Model {
    /// The words alone.
    #[default]
    Text,
}

impl Model {
    /// The judge of one call, with the model's state of that call.
    pub fn for_call(&self) -> Box<dyn EndOfTurn> {
        match self {
            Self::Text => Box::new(TextEndOfTurn),
        }
    }
}

/// Judges whether a turn is over.
///
/// A mind asks once for each change of the words, so an answer must not take longer than about a millisecond: what is
/// slower delays the mind's other work in the same call. A model that hears reads [`Heard::audio`]; where it needs longer than that, it
/// scores on a thread of its own and answers with its latest score.
pub trait EndOfTurn: Send {
    /// How much this looks like something that was said to its end.
    fn score(&mut self, heard: &Heard<'_>) -> Score;
}

/// What was heard of a turn so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard<'a> {
    /// The words, as the recognizer wrote them: any script, with punctuation or without.
    pub text: &'a str,
    /// BCP 47 tag of the language, where the recognizer or the agent knows it. Helps with words that mean different things in Hindi
    /// and English; callers mix the two.
    pub language: Option<&'a str>,
    /// What the agent has asked for, where its mind knows it: how long a number is that is not read to its end cannot be told from
    /// the digits.
    pub expects: Option<Expected>,
    /// The latest of the caller's audio, linear at 8 kHz; empty where nobody keeps it.
    pub audio: &'a [i16],
}

/// What the caller was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A number that is read out digit by digit: 10 and 10 for a telephone number of India, 6 and 6 for a PIN code.
    Digits {
        /// The fewest that it has.
        min: u8,
        /// The most that it has.
        max: u8,
    },
}

/// 0: something is clearly missing. 1: clearly a whole sentence or answer. Always a number between the two.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Score(f32);

impl Score {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self(0.5);

    /// Brings `value` between 0 and 1; what is no number is [`Score::UNKNOWN`].
    pub const fn new(value: f32) -> Self {
        if value.is_nan() { Self::UNKNOWN } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// The number.
    pub const fn value(self) -> f32 {
        self.0
    }
}

#[cfg(test)]
mod tests;
