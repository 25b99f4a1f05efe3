//! Reads what an agent is about to say, piece by piece, and finds what must not be said also where it is spread over pieces.

use std::collections::VecDeque;

use super::normal::{is_separator, normal, words};
use super::{Guardrail, Rule, Verdict};
use crate::call::hop::RuleList;

/// What was read of one answer, as far as it may be the beginning of something that must not be said.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The last words, as many as the longest phrase has.
    words: VecDeque<String>,
    /// The last of the text, for patterns.
    text: String,
    /// The beginning of a word that may go on.
    open: String,
}

impl Watch {
    /// The next piece of the answer. A word at its end is judged when it is known that it is whole: with what follows, or by [`Watch::pause`].
    pub fn read(&mut self, guardrail: &Guardrail, piece: &str) -> Verdict {
        if guardrail.is_empty() {
            return Verdict::Pass;
        }
        let mut text = std::mem::take(&mut self.open);
        text.push_str(piece);
        let mut rest = text.as_str();
        while let Some(end) = end_of_word(rest) {
            let (word, after) = rest.split_at(end);
            rest = after;
            if let Some(number) = self.take(guardrail, &normal(word)) {
                return Verdict::Replace(Rule { list: RuleList::NeverSay, number });
            }
        }
        rest.clone_into(&mut self.open);
        let pattern = guardrail.patterns.iter().position(|pattern| pattern.is_in(&self.text));
        self.forget();
        pattern.map_or(Verdict::Pass, |at| {
            Verdict::Replace(Rule { list: RuleList::NeverSayPatterns, number: at + 1 })
        })
    }

    /// A piece of the answer at whose end a word ends, whatever follows.
    pub fn read_whole(&mut self, guardrail: &Guardrail, piece: &str) -> Verdict {
        match self.read(guardrail, piece) {
            Verdict::Pass => self.read(guardrail, " "),
            tripped @ Verdict::Replace(_) => tripped,
        }
    }

    /// Whether what was read may be heard if nothing follows it: its last word is whole. It may go on all the same.
    pub fn pause(&self, guardrail: &Guardrail) -> Verdict {
        if self.open.is_empty() { Verdict::Pass } else { self.clone().read(guardrail, " ") }
    }

    /// One more word, with the sign behind it. The first phrase that ends with it.
    fn take(&mut self, guardrail: &Guardrail, normal: &str) -> Option<usize> {
        let mut found = None;
        for word in words(normal) {
            self.words.push_back(word.to_owned());
            if self.words.len() > guardrail.longest {
                self.words.pop_front();
            }
            found = found.or_else(|| self.phrase_that_ends(guardrail, word));
        }
        // Blanks in a row are one.
        let is_known = normal == " " && self.text.ends_with(' ');
        if !guardrail.patterns.is_empty() && !is_known {
            self.text.push_str(normal);
        }
        found
    }

    /// The first phrase that the last words are.
    fn phrase_that_ends(&self, guardrail: &Guardrail, word: &str) -> Option<usize> {
        let ending = guardrail.by_last_word.get(word)?;
        let is_said = |at: &&usize| {
            let phrase = guardrail.phrases[**at].words();
            let before = self.words.len().checked_sub(phrase.len());
            before.is_some_and(|before| self.words.iter().skip(before).eq(phrase))
        };
        ending.iter().find(is_said).map(|at| at + 1)
    }

    /// Keeps what a pattern may begin in, from a word's beginning on.
    fn forget(&mut self) {
        let chars = self.text.chars().count();
        if chars > 2 * MAX_MATCH_CHARS {
            let from = self.text.char_indices().nth(chars - MAX_MATCH_CHARS).map_or(0, |(at, _)| at);
            let from = self.text[from..].find(' ').map_or(from, |blank| from + blank);
            self.text.drain(..from);
        }
    }
}

/// Where the first word ends that is whole: behind the first sign that is no part of one, or within something so long that it is no word. Where that is
/// depends on the text alone, not on the pieces in which it came.
fn end_of_word(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().enumerate();
    letters.find_map(|(count, (at, letter))| {
        if count >= MAX_WORD_CHARS {
            return Some(at);
        }
        is_separator(letter).then_some(at + letter.len_utf8())
    })
}

/// What is found by a pattern may be so long; of what is longer the end may be found, or nothing.
pub const MAX_MATCH_CHARS: usize = 512;
/// Nobody says a longer word; what is longer is read in pieces of this length.
const MAX_WORD_CHARS: usize = 512;

#[cfg(test)]
impl Watch {
    /// What it holds.
    pub(super) fn kept_bytes(&self) -> usize {
        self.words.iter().map(String::len).sum::<usize>() + self.text.len() + self.open.len()
    }
}
