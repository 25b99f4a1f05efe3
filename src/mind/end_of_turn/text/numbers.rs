//! Numbers that are read out in groups: whether a pause behind a group is the end. How many digits there have to be is known where the
//! mind says what it asked for, and else guessed from what is named and from what numbers people read out.

use super::super::Expected;
use super::super::digits::{self, Run};
use super::super::lexicon::{Kind, NUMBERED, STEMS};
use super::{CLEAR, DOUBTFUL, LIKELY, Language, NEUTRAL, OPEN, Sentence};

impl Sentence<'_> {
    /// The score where the caller was asked for a number, if what he said is one or leads to one.
    pub(super) fn as_expected(self, expected: Expected) -> Option<f32> {
        let Expected::Digits { min, max } = expected;
        let (min, max) = (usize::from(min), usize::from(max));
        let sentence = self.without_tags();
        let Some(Run { digits, words, is_open }) = digits::trailing(sentence.words) else {
            let rest = sentence.without_openings().words;
            let is_announced =
                rest.iter().all(|word| matches!(word.as_str(), "it" | "is" | "its" | "hai" | "है"));
            // A bare "haan" may be all.
            return (is_announced && !rest.is_empty()).then_some(OPEN);
        };
        // "Ek minute", "I want two": no digits that were asked for.
        let is_other = words == 1 && digits == 1 && sentence.words.len() > 1;
        if is_other && !sentence.is_all_number(words) {
            return None;
        }
        Some(match digits {
            _ if is_open || digits < min => OPEN,
            _ if digits >= max => CLEAR,
            // It may be all, or not.
            _ => DOUBTFUL,
        })
    }

    /// A number that is being read out, or was.
    pub(super) fn number(self) -> Option<f32> {
        let Run { digits, words, is_open } = digits::trailing(self.words)?;
        let is_all = self.is_all_number(words);
        let follows_stem = self.before_last().is_some_and(|before| STEMS.contains(&before));
        if is_open {
            return Some(OPEN);
        }
        if words == 1
            && matches!(self.last(), "do" | "दो")
            && (follows_stem || self.language == Language::English)
        {
            return None;
        }
        if words == 1 && digits == 1 {
            // "one" of three, a key said aloud, or the first of ten digits; "ek" before a noun, "the other one" behind all.
            return (words == self.words.len()).then_some(NEUTRAL);
        }
        let is = |names: &[&str]| self.has_word(names);
        Some(match digits {
            // "+91" and ten more.
            2..12 if self.has_country_code(words) => OPEN,
            10.. => CLEAR,
            _ if is(&["fone", "mobile", "contact", "vhatsap", "मोबाइल", "फोन", "व्हाट्सएप"]) => {
                OPEN
            }
            6 if is(&["otp", "pin", "pincode", "code", "ओटीपी", "पिन", "पिनकोड", "कोड"]) => {
                LIKELY
            }
            // Of a card and of a message; a PIN code has six.
            4 if is(&["otp", "ओटीपी"]) => NEUTRAL,
            4 if is(&["pin", "code", "पिन", "कोड"]) => DOUBTFUL,
            6.. if is(&["order", "ऑर्डर", "आर्डर"]) => NEUTRAL,
            4.. if is(&["order", "ऑर्डर", "आर्डर"]) => DOUBTFUL,
            _ if is(COUNTED) => LIKELY,
            _ if is(NUMBERED) => OPEN,
            // People read out four or six digits as a whole number, and as a part of a longer one.
            4 | 6 => DOUBTFUL,
            // An age, a flat.
            2 if words == 1 => DOUBTFUL,
            _ if is_all || self.is_named_before(words) => OPEN,
            _ => DOUBTFUL,
        })
    }

    /// Nothing but an opening stands before the number.
    fn is_all_number(self, words: usize) -> bool {
        let before = Self { words: &self.words[..self.words.len() - words], ..self };
        before.without_openings().words.is_empty()
    }

    /// "Plus nine one" and what follows.
    fn has_country_code(self, words: usize) -> bool {
        let before = self.words.len().checked_sub(words + 1).and_then(|at| self.words.get(at));
        before.is_some_and(|word| matches!(word.as_str(), "plus" | "plas" | "प्लस"))
            || self.words[self.words.len() - words..].iter().any(|word| word.starts_with('+'))
    }

    /// "It is 98765".
    fn is_named_before(self, words: usize) -> bool {
        let before = self.words.len().checked_sub(words + 1).and_then(|at| self.words.get(at));
        before.is_some_and(|word| {
            matches!(word.as_str(), "is" | "its" | "hai" | "है") || self.kind(word) == Some(Kind::Slot)
        })
    }
}

/// Their numbers are short, of any length.
const COUNTED: &[&str] =
    &["rum", "flat", "house", "plot", "flur", "seat", "kamra", "makan", "कमरा", "फ्लैट", "मकान"];
