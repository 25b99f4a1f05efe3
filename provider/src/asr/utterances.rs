//! Utterances that a vendor tells of side by side, put in a row: the words of one are told to their end before those of the next.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Told, Words};

/// The utterances that are not told to their end.
#[derive(Debug, Default)]
pub(super) struct Utterances {
    /// In the order in which they began.
    open: VecDeque<Utterance>,
    /// The vendor's names of those that ended last: what comes late for them is not wanted.
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct Utterance {
    id: String,
    words: Words,
    is_news: bool,
}

impl Utterances {
    /// One begins, if it has not begun.
    pub(super) fn begin(&mut self, id: &str) {
        let _ = self.of(id);
    }

    /// More words of one.
    pub(super) fn append(&mut self, id: &str, delta: &str) {
        let Some(utterance) = self.of(id) else { return };
        if utterance.words.text.len() + delta.len() <= MAX_TEXT_BYTES {
            utterance.words.text.push_str(delta);
            utterance.is_news = true;
        }
    }

    /// All the words of one so far.
    pub(super) fn replace(&mut self, id: &str, text: String) {
        let Some(utterance) = self.of(id) else { return };
        utterance.words.text = text;
        utterance.is_news = true;
    }

    /// Up to where the audio of one goes.
    pub(super) fn reaches(&mut self, id: &str, until: Option<Duration>) {
        if let Some(utterance) = self.of(id) {
            utterance.words.until = until;
        }
    }

    /// One is over; `words` are all of it. Where its audio ends stays if they do not say so.
    pub(super) fn end(&mut self, id: &str, words: Words) {
        let Some(utterance) = self.of(id) else { return };
        let until = words.until.or(utterance.words.until);
        utterance.words = Words { is_final: true, until, ..words };
    }

    /// One is over, and nothing more is known of it than was told before.
    pub(super) fn abandon(&mut self, id: &str) {
        if let Some(utterance) = self.of(id) {
            utterance.words.is_final = true;
        }
    }

    /// Tells what is new of those whose turn it is.
    pub(super) fn tell(&mut self, told: &mut Vec<Told>) {
        while self.open.len() > MAX_OPEN {
            // The vendor has forgotten it: so many others have begun since.
            if let Some(oldest) = self.open.front_mut()
                && !oldest.words.is_final
            {
                oldest.words.is_final = true;
                told.push(Told::Warning("an utterance was never ended".to_owned()));
            }
            self.tell_ended(told);
        }
        self.tell_ended(told);
        if let Some(present) = self.open.front_mut()
            && std::mem::take(&mut present.is_news)
        {
            told.push(Told::Words(present.words.clone()));
        }
    }

    fn tell_ended(&mut self, told: &mut Vec<Told>) {
        while let Some(ended) = self.open.pop_front_if(|oldest| oldest.words.is_final) {
            told.push(Told::Words(ended.words));
            self.ended.push_back(ended.id);
            if self.ended.len() > MAX_OPEN {
                self.ended.pop_front();
            }
        }
    }

    /// `None` of one that has ended.
    fn of(&mut self, id: &str) -> Option<&mut Utterance> {
        if self.ended.iter().any(|ended| ended == id) {
            return None;
        }
        let index = self.open.iter().position(|utterance| utterance.id == id).unwrap_or_else(|| {
            let words = Words::default();
            self.open.push_back(Utterance { id: id.to_owned(), words, is_news: false });
            self.open.len() - 1
        });
        self.open.get_mut(index).filter(|utterance| !utterance.words.is_final)
    }
}

/// A vendor is behind by one or two utterances; by more only if it has lost one.
const MAX_OPEN: usize = 8;
/// Nobody says more without a pause: a quarter of an hour of speech. What is beyond it is not told before the end.
const MAX_TEXT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, is_final: bool) -> Told {
        Told::Words(Words { text: text.to_owned(), is_final, ..Words::default() })
    }

    fn ending(text: &str) -> Words {
        Words { text: text.to_owned(), ..Words::default() }
    }

    fn tell(utterances: &mut Utterances) -> Vec<Told> {
        let mut told = Vec::new();
        utterances.tell(&mut told);
        told
    }

    #[test]
    fn the_next_one_waits_for_the_end_of_the_one_before_it() {
        let mut utterances = Utterances::default();
        utterances.append("a", "mera ");
        utterances.append("b", "kahan");
        assert_eq!(tell(&mut utterances), [words("mera ", false)]);
        assert_eq!(tell(&mut utterances), [], "that is no news");
        utterances.end("b", ending("kahan hai"));
        utterances.begin("c");
        utterances.append("c", "haan");
        assert_eq!(tell(&mut utterances), []);
        utterances.reaches("a", Some(Duration::from_secs(2)));
        utterances.end("a", ending("mera order"));
        let told = tell(&mut utterances);
        let Told::Words(first) = &told[0] else { panic!("{told:?}") };
        assert_eq!((first.text.as_str(), first.until), ("mera order", Some(Duration::from_secs(2))));
        assert_eq!(told[1..], [words("kahan hai", true), words("haan", false)]);
        utterances.append("a", "late");
        utterances.end("b", ending("late"));
        assert_eq!(tell(&mut utterances), []);
        utterances.abandon("c");
        assert_eq!(tell(&mut utterances), [words("haan", true)]);
    }

    #[test]
    fn one_that_is_never_ended_does_not_hold_up_the_others_for_ever() {
        let mut utterances = Utterances::default();
        for n in 0..MAX_OPEN {
            utterances.append(&n.to_string(), "x");
        }
        assert_eq!(tell(&mut utterances).len(), 1);
        utterances.append("one more", "y");
        let warning = Told::Warning("an utterance was never ended".to_owned());
        assert_eq!(tell(&mut utterances), [warning, words("x", true), words("x", false)]);
        utterances.replace("1", "z".to_owned());
        assert_eq!(tell(&mut utterances), [words("z", false)]);
    }

    #[test]
    fn a_text_without_end_is_cut_off() {
        let mut utterances = Utterances::default();
        for _ in 0..3 {
            utterances.append("a", &"x".repeat(MAX_TEXT_BYTES / 2));
        }
        assert_eq!(tell(&mut utterances), [words(&"x".repeat(MAX_TEXT_BYTES), false)]);
    }
}
