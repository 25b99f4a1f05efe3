//! A recognizer that knows the words beforehand: each is told some time after it was said, as one would that listens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::labels::Label;
use super::random::Random;
use crate::mind::understanding::{Recognized, Understanding, Word};
use crate::voice::exchange::{MindCommand, VoiceEvent};

/// Tells words in time.
#[derive(Debug)]
pub(super) struct Recognizer {
    /// Words that were not told yet.
    untold: VecDeque<Said>,
    /// All that were.
    told: Vec<Said>,
    understanding: Understanding,
}

/// A word, when it begins and ends in the caller's audio, and when it is told after the call began.
#[derive(Clone, Debug)]
struct Said {
    text: String,
    times: (Duration, Duration),
    told_at: Duration,
}

impl Recognizer {
    /// One for the words of a label. The first sample of the caller is taken `phase` after the call began.
    pub(super) fn new(
        label: &Label,
        phase: Duration,
        mut understanding: Understanding,
        random: &mut Random,
    ) -> Self {
        let mut told_at = Duration::ZERO;
        let mut untold = VecDeque::new();
        for word in &label.word {
            let time = |ms: u32| phase + Duration::from_millis(ms.into());
            told_at = told_at.max(time(word.end_ms) + delay(random));
            // Partial results have no full stops, and a sentence must be known for one without.
            let text = word.text.trim_end_matches(['.', ',', '?', '!', '।']).to_owned();
            untold.push_back(Said { text, times: (time(word.begin_ms), time(word.end_ms)), told_at });
        }
        understanding.set_language(Some(&label.language));
        Self { untold, told: Vec::new(), understanding }
    }

    /// What voice says of turns.
    pub(super) fn handle(&mut self, event: &VoiceEvent) {
        self.understanding.handle(event);
    }

    /// What it has heard since it was asked last, if anything that voice has to know.
    pub(super) fn poll(&mut self, now: Instant, answered: Instant) -> Option<MindCommand> {
        let before = self.told.len();
        while let Some(said) = self.untold.pop_front_if(|said| answered + said.told_at <= now) {
            self.told.push(said);
        }
        if self.told.len() == before {
            return None;
        }
        let words: Vec<Word<'_>> =
            self.told.iter().map(|said| Word { text: &said.text, times: Some(said.times) }).collect();
        let recognized = Recognized { words: &words, is_final: false };
        self.understanding.hear(recognized, &[]).map(MindCommand::Transcript)
    }
}

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
        let text = "kind = \"sentence\"\nagent = \"asks\"\n\
            word = [{ text = \"mera\", begin_ms = 0, end_ms = 200 }, { text = \"order\", begin_ms = 200, end_ms = 500 },\
            { text = \"number.\", begin_ms = 3500, end_ms = 4000 }]";
        let label: Label = toml::from_str(text).unwrap();
        let mut recognizer =
            Recognizer::new(&label, Duration::ZERO, Understanding::default(), &mut Random::new(1));
        let start = Instant::now();
        let mut told = Vec::new();
        for ms in (0..6000).step_by(20) {
            let since = Duration::from_millis(ms);
            if ms == 3000 {
                recognizer.handle(&VoiceEvent::SpeechDismissed { turn: 0 });
            }
            if let Some(MindCommand::Transcript(transcript)) = recognizer.poll(start + since, start) {
                told.push((transcript.turn, transcript.words));
            }
        }
        assert_eq!(told, [(0, 1), (0, 2), (1, 1)]);
    }
}
