//! A recognizer that knows the words beforehand: each is told some time after it was said, as one would that listens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::labels::Word;
use super::random::Random;
use crate::voice::exchange::{MindCommand, Transcript};

/// Tells words in time.
#[derive(Debug)]
pub(super) struct Recognizer {
    /// Words that were not told yet, and when they are.
    untold: VecDeque<(Duration, String)>,
    /// What the caller has said in this turn.
    text: String,
    words: u16,
    turn: u32,
}

impl Recognizer {
    /// One for these words. The first sample of the caller is taken `phase` after the call began.
    pub(super) fn new(words: &[Word], phase: Duration, random: &mut Random) -> Self {
        let mut told_at = Duration::ZERO;
        let mut untold = VecDeque::new();
        for word in words {
            let said = phase + Duration::from_millis(word.end_ms.into());
            told_at = told_at.max(said + delay(random));
            untold.push_back((told_at, word.text.clone()));
        }
        Self { untold, text: String::new(), words: 0, turn: 0 }
    }

    /// A turn is over: words that are told from now on belong to the next one.
    pub(super) fn end_turn(&mut self, turn: u32) {
        self.turn = turn.wrapping_add(1);
        self.text.clear();
        self.words = 0;
    }

    /// What it has heard since it was asked last, if anything.
    pub(super) fn poll(&mut self, now: Instant, answered: Instant) -> Option<MindCommand> {
        let mut is_new = false;
        while let Some((_, word)) = self.untold.pop_front_if(|(at, _)| answered + *at <= now) {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(&word);
            self.words = self.words.saturating_add(1);
            is_new = true;
        }
        is_new.then(|| MindCommand::Transcript(self.transcript()))
    }

    fn transcript(&self) -> Transcript {
        let completeness = if self.text.ends_with(['.', '?', '!', '।']) { 0.9 } else { 0.2 };
        let is_backchannel = self.text.split_whitespace().all(|word| LISTENING.contains(&word));
        Transcript { turn: self.turn, words: self.words, is_backchannel, completeness }
    }
}

/// What a listener says.
const LISTENING: &[&str] = &[
    "haan",
    "ji",
    "hmm",
    "achha",
    "ok",
    "okay",
    "theek",
    "hai",
    "yes",
    "right",
    "uh-huh",
    "हाँ",
    "अच्छा",
    "जी",
];

/// Half of the words are told 300 ms after their end, 95 % within 500.
fn delay(random: &mut Random) -> Duration {
    Duration::from_secs_f32(MEDIAN_S * (SPREAD * random.normal()).clamp(-1.0, 1.0).exp())
}

const MEDIAN_S: f32 = 0.3;
/// ln(500/300) / 1.645: the 95th percentile of the normal distribution is at 1.645 deviations.
const SPREAD: f32 = 0.310_5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_after_300_ms_and_nearly_all_within_500() {
        let mut random = Random::new(3);
        let mut delays: Vec<u128> = (0..2000).map(|_| delay(&mut random).as_millis()).collect();
        delays.sort_unstable();
        assert!(delays[1000].abs_diff(300) <= 10 && delays[1900].abs_diff(500) <= 20, "{}", delays[1900]);
    }

    #[test]
    fn words_come_one_after_the_other_and_begin_anew_with_each_turn() {
        let word = |text: &str, end_ms| Word { text: text.to_owned(), begin_ms: 0, end_ms };
        let words = [word("mera", 200), word("order", 500), word("number", 4000)];
        let mut recognizer = Recognizer::new(&words, Duration::ZERO, &mut Random::new(1));
        let start = Instant::now();
        let mut told = Vec::new();
        for ms in (0..6000).step_by(20) {
            if ms == 3000 {
                recognizer.end_turn(0);
            }
            let polled = recognizer.poll(start + Duration::from_millis(ms), start);
            if let Some(MindCommand::Transcript(transcript)) = polled {
                told.push((transcript.turn, transcript.words));
            }
        }
        assert_eq!(told, [(0, 1), (0, 2), (1, 1)]);
    }
}
