//! The words of one segment, put together from windows that overlap.

use std::time::Duration;

use crate::asr::HeardWord;

/// A word, and when it was said if that is known; times are counted from the first audio that the recognizer was given.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::asr) struct Token {
    /// With its punctuation.
    pub(in crate::asr) text: String,
    /// When it begins and ends.
    pub(in crate::asr) times: Option<(Duration, Duration)>,
    /// 0 to 1.
    pub(in crate::asr) confidence: Option<f32>,
}

/// What of a window's words is not to be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// None of them.
    Nothing,
    /// Those with times that the window before had too, if they are not at its very end.
    Agreed,
    /// All that are not at its very end; all of them if it is not known when they were said.
    Most,
    /// All of them.
    All,
}

/// The words of one segment.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// They stay as they are.
    settled: Vec<Token>,
    /// Up to where.
    settled_to: Duration,
    /// The next window tells them again.
    open: Vec<Token>,
}

impl Token {
    pub(in crate::asr) fn untimed(text: &str) -> Self {
        Self { text: text.to_owned(), times: None, confidence: None }
    }

    /// For comparison: without case and punctuation.
    fn plain(&self) -> String {
        self.text
            .chars()
            .filter(|c| !c.is_ascii_punctuation() && *c != '।')
            .flat_map(char::to_lowercase)
            .collect()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }
}

impl Transcript {
    /// Of a segment that begins there.
    pub(super) fn begun(at: Duration) -> Self {
        Self { settled_to: at, ..Self::default() }
    }

    /// Up to where the words are settled: the next window begins a little before it.
    pub(super) fn settled_to(&self) -> Duration {
        self.settled_to
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.settled.len() + self.open.len()
    }

    /// All words so far.
    pub(super) fn text(&self) -> String {
        let words: Vec<&str> = self.tokens().map(|token| token.text.as_str()).collect();
        words.join(" ")
    }

    /// All words with their times, or none if that is not known of all.
    pub(super) fn words(&self) -> Vec<HeardWord> {
        let word = |token: &Token| {
            let (begins, ends) = token.times?;
            Some(HeardWord { text: token.text.clone(), begins, ends, confidence: token.confidence })
        };
        self.tokens().map(word).collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// The words of a window that began at or before [`Transcript::settled_to`] and ended at `until`.
    pub(super) fn hear(&mut self, window: Vec<Token>, until: Duration, settle: Settle) {
        let mut fresh = self.without_overlap(window);
        let count = match settle {
            Settle::Nothing => 0,
            Settle::Agreed => {
                let agreed = fresh.iter().zip(&self.open).take_while(|(new, old)| new.is_same(old)).count();
                agreed.min(early(&fresh, until))
            }
            Settle::Most => match early(&fresh, until) {
                0 => fresh.len(),
                early => early,
            },
            Settle::All => fresh.len(),
        };
        self.open = fresh.split_off(count);
        let last = fresh.last().and_then(|token| token.times).map(|(_, ends)| ends);
        self.settled_to = match settle {
            Settle::All => until,
            Settle::Most if self.open.is_empty() => until,
            Settle::Nothing | Settle::Agreed | Settle::Most => last.unwrap_or(self.settled_to),
        };
        self.settled.append(&mut fresh);
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.settled.iter().chain(&self.open)
    }

    /// Without the words that are settled: known by their time, or, without times, by what they are.
    fn without_overlap(&self, mut window: Vec<Token>) -> Vec<Token> {
        let is_old = |token: &Token| {
            token.times.is_some_and(|(begins, ends)| begins + (ends - begins) / 2 < self.settled_to)
        };
        let by_time = window.iter().take_while(|token| is_old(token)).count();
        if by_time > 0 || window.first().is_some_and(|token| token.times.is_some()) {
            window.drain(..by_time);
            return window;
        }
        let most = LONGEST_OVERLAP.min(window.len()).min(self.settled.len());
        let repeats = |count: &usize| {
            let end = self.settled.get(self.settled.len() - count..).unwrap_or_default();
            end.iter().zip(&window).all(|(old, new)| old.is_same(new))
        };
        let count = (1..=most).rev().find(repeats).unwrap_or(0);
        window.drain(..count);
        window
    }
}

/// How many words end well before the window does: what stands at its edge may be half a word.
fn early(words: &[Token], until: Duration) -> usize {
    let is_early = |token: &&Token| token.times.is_some_and(|(_, ends)| ends + EDGE <= until);
    words.iter().take_while(is_early).count()
}

/// Nobody says more in what overlaps.
const LONGEST_OVERLAP: usize = 2;
/// Of a word that ends this close to the window's end more may follow.
const EDGE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn untimed(text: &str) -> Vec<Token> {
        text.split_whitespace().map(Token::untimed).collect()
    }

    /// Words of 200 ms each, one after the other.
    fn timed(text: &str, from: u64) -> Vec<Token> {
        let at = |(n, text): (usize, &str)| {
            let begins = from + 200 * n as u64;
            Token { text: text.to_owned(), times: Some((ms(begins), ms(begins + 200))), confidence: None }
        };
        text.split_whitespace().enumerate().map(at).collect()
    }

    #[test]
    fn what_two_windows_agree_on_is_settled_but_for_its_edge() {
        let mut transcript = Transcript::begun(ms(0));
        transcript.hear(timed("mera order", 0), ms(400), Settle::Agreed);
        assert_eq!((transcript.text().as_str(), transcript.settled_to()), ("mera order", ms(0)));
        transcript.hear(timed("Mera, order kahaan", 0), ms(600), Settle::Agreed);
        assert_eq!(transcript.settled_to(), ms(200), "the second word ends at the edge");
        transcript.hear(timed("mira order kahan hai", 0), ms(1_200), Settle::Agreed);
        assert_eq!(transcript.text(), "Mera, order kahan hai", "what is settled stays, the rest is revised");
        assert_eq!(transcript.settled_to(), ms(400));
        transcript.hear(timed("kahan hai?", 400), ms(1_400), Settle::All);
        assert_eq!((transcript.text().as_str(), transcript.len()), ("Mera, order kahan hai?", 4));
        assert_eq!(transcript.words().len(), 4);
    }

    #[test]
    fn words_without_times_are_told_apart_by_what_they_are() {
        let mut transcript = Transcript::begun(ms(0));
        transcript.hear(untimed("mera order"), ms(600), Settle::All);
        transcript.hear(untimed("Order kahan"), ms(1_200), Settle::All);
        transcript.hear(untimed("hai"), ms(1_800), Settle::Nothing);
        assert_eq!(transcript.text(), "mera order kahan hai");
        assert_eq!((transcript.settled_to(), transcript.words().len()), (ms(1_200), 0));
        transcript.hear(untimed("order kahan hai"), ms(2_000), Settle::All);
        assert_eq!(transcript.text(), "mera order kahan hai");
        transcript.hear(Vec::new(), ms(2_400), Settle::All);
        assert_eq!((transcript.len(), transcript.settled_to()), (4, ms(2_400)));
    }

    #[test]
    fn of_a_window_that_grew_too_long_all_but_its_edge_is_settled() {
        let mut transcript = Transcript::begun(ms(0));
        transcript.hear(timed("ek do teen", 0), ms(600), Settle::Most);
        assert_eq!((transcript.text().as_str(), transcript.settled_to()), ("ek do teen", ms(200)));
        transcript.hear(untimed("do teen"), ms(900), Settle::Most);
        assert_eq!((transcript.text().as_str(), transcript.settled_to()), ("ek do teen", ms(900)));
    }
}
