//! What was announced and not yet said: "my order number is", "mobile number likhiye", "I'll give you my address".

use super::super::digits;
use super::super::lexicon::{
    BETWEEN, DICTATED, DICTATED_STEMS, Kind, NOTERS, REQUESTS, SELVES, STEMS, TELLERS,
};
use super::{Language, Sentence};

impl<'a> Sentence<'a> {
    /// "My order number is": what has a value was named, and the value not yet said.
    pub(super) fn awaits_value(self) -> bool {
        let rest = self.without_openings().words;
        let named = match rest.split_last() {
            Some((last, named)) if is_copula(last) => named,
            Some(_) | None => rest,
        };
        let has_copula = named.len() < rest.len();
        let Some((slot, before)) = named.split_last() else { return false };
        let is_slot = self.kind(slot) == Some(Kind::Slot) && !self.is_knowledge(slot, before);
        // "It's the wrong number" says what it is.
        let owns = |word: &String| self.kind(word) == Some(Kind::Owns);
        if before.windows(2).any(|pair| owns(&pair[0]) && owns(&pair[1])) {
            return false;
        }
        let is_named = |word: &String| {
            let is_thing = self.kind(word).is_none() || self.kind(word) == Some(Kind::Slot);
            let is_of = has_copula && OF.contains(&word.as_str());
            owns(word) || is_of || is_thing && digits::digits(word) == 0
        };
        let is_judged = !has_copula && before.iter().any(|word| VERDICTS.contains(&word.as_str()));
        is_slot && !is_judged && before.len() <= MAX_NAME_WORDS && before.iter().all(is_named)
    }

    /// "Mobile number note kar lijiye", "order ID batata hoon", "please write down my address": the other one is told to be ready.
    pub(super) fn is_dictation(self) -> bool {
        if self.has(Kind::Asks) {
            return false;
        }
        // "Haan likhiye", "theek hai, suniye".
        let is_opening = |word: &String| is_copula(word) || self.is_opening(word);
        if DICTATED.contains(&self.last()) && self.words.iter().all(is_opening) {
            return true;
        }
        match self.language {
            Language::Hindi => self.is_dictation_of_hindi(),
            Language::English => self.is_dictation_of_english(),
        }
    }

    /// Without what says only that a sentence begins: "haan to", "yes", "likhiye".
    pub(super) fn without_openings(self) -> Self {
        let start = self.words.iter().position(|word| !self.is_opening(word)).unwrap_or(self.words.len());
        Self { words: &self.words[start..], ..self }
    }

    fn is_opening(self, word: &str) -> bool {
        let is_small = matches!(self.kind(word), Some(Kind::Answer | Kind::Filler | Kind::Tag | Kind::Joins));
        is_small && !word.starts_with("mat") || DICTATED.contains(&word)
    }

    /// What is named stands right before the request, so that nothing was said of it: "naam Rahul likhiye" is a whole sentence.
    fn is_dictation_of_hindi(self) -> bool {
        let is =
            |list: &[&str], word: Option<&'a String>| word.is_some_and(|word| list.contains(&word.as_str()));
        let last =
            |words: &'a [String], back: usize| words.len().checked_sub(back).and_then(|at| words.get(at));
        let words = self.words;
        let ends = |count: usize| &words[..words.len().saturating_sub(count)];
        let before = if is(REQUESTS, last(words, 1))
            && is(REQUESTS, last(words, 2))
            && is(DICTATED_STEMS, last(words, 3))
        {
            ends(3)
        } else if is(REQUESTS, last(words, 1)) && is(DICTATED_STEMS, last(words, 2)) {
            ends(2)
        } else if is(DICTATED, last(words, 1)) {
            ends(1)
        } else if is_self(words, 3) && is(TELLERS, last(words, 3)) {
            ends(3)
        } else if is_self(words, 2) && is(TELLERS, last(words, 2)) {
            ends(2)
        } else {
            return false;
        };
        let named = before.iter().rev().find(|word| !BETWEEN.contains(&word.as_str()));
        named.is_some_and(|word| self.kind(word) == Some(Kind::Slot))
    }

    fn is_dictation_of_english(self) -> bool {
        let rest = self.without_openings().words;
        let ends_in_slot = rest.last().is_some_and(|word| self.kind(word) == Some(Kind::Slot));
        if !ends_in_slot {
            return false;
        }
        let is_shown = matches!(rest[0].as_str(), "here" | "heres");
        let is_question = self.kind(&rest[0]) == Some(Kind::Auxiliary) && !rest[0].starts_with("il");
        let is_told = rest
            .windows(2)
            .any(|pair| matches!(pair[0].as_str(), "give" | "tel" | "send") && pair[1] == "you");
        let is_noted = rest.iter().take(MAX_WORDS_BEFORE_REQUEST).any(|word| NOTERS.contains(&word.as_str()));
        is_shown || !is_question && (is_told || is_noted)
    }

    /// "Pata hai" is "I know", unless it is somebody's.
    fn is_knowledge(self, slot: &str, before: &[String]) -> bool {
        let is_owned = |word: &String| self.kind(word) == Some(Kind::Owns) || OF.contains(&word.as_str());
        matches!(slot, "pata" | "पता") && !before.iter().any(is_owned)
    }
}

/// The last `count` words but the first of them say "I am", or "I am -ing".
fn is_self(words: &[String], count: usize) -> bool {
    words.len() >= count
        && words[words.len() + 1 - count..].iter().all(|word| SELVES.contains(&word.as_str()))
        && !words.last().is_some_and(|word| STEMS.contains(&word.as_str()))
}

fn is_copula(word: &str) -> bool {
    matches!(word, "hai" | "is" | "tha" | "vas" | "he" | "says" | "है" | "था")
}

/// Of what has the value: "date of birth", "flat ka number".
const OF: &[&str] = &["of", "ka", "ki", "ke", "का", "की", "के"];
/// "Wrong number" is all that there is to say of it.
const VERDICTS: &[&str] = &["vrong", "same", "correct", "right", "galat", "sahi", "गलत", "सही"];
/// Between a possessive and what has the value: "my registered mobile".
const MAX_NAME_WORDS: usize = 4;
/// "You can write down", "I want you to note".
const MAX_WORDS_BEFORE_REQUEST: usize = 5;
