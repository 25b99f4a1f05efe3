//! How loud a recognizer gets what a caller says.

use caly_rtp::level::dbfs;
use serde::Serialize;

use crate::eval::labels::Label;
use crate::eval::meter::Heard;

/// How loud a caller's speech is as a recognizer gets it, in dBov. Frames count that were taken for his speech while he spoke.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SpeechLevel {
    /// All of it.
    pub whole_db: f32,
    /// What follows its first second; none if it is hardly longer.
    pub settled_db: Option<f32>,
}

impl SpeechLevel {
    /// Of all frames that were taken for speech; none if there are hardly any.
    pub(super) fn of(label: &Label, heard: &[Heard]) -> Option<Self> {
        let is_spoken = |heard: &&Heard| {
            let mut spans = label.speech.iter();
            spans.any(|span| (span.begin_ms as f32..span.end_ms as f32).contains(&heard.at_ms))
        };
        let powers: Vec<f32> = heard.iter().filter(is_spoken).map(|heard| heard.power).collect();
        let level = |powers: &[f32]| {
            let is_enough = powers.len() >= LEAST_FRAMES;
            is_enough.then(|| dbfs(powers.iter().sum::<f32>() / powers.len() as f32))
        };
        let settled = powers.get(SETTLING_FRAMES..).and_then(level);
        Some(Self { whole_db: level(&powers)?, settled_db: settled })
    }
}

/// 500 ms: a syllable has no level.
const LEAST_FRAMES: usize = 25;
/// A second of speech.
const SETTLING_FRAMES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        let text = "kind = \"sentence\"\nagent = \"asks\"\nspeech = [{ begin_ms = 1000, end_ms = 4000 }]";
        toml::from_str(text).unwrap()
    }

    fn frames(from_ms: usize, count: usize, level_db: f32) -> Vec<Heard> {
        let power = 32_768.0 * 32_768.0 * 10f32.powf(level_db / 10.0);
        (0..count).map(|n| Heard { at_ms: (from_ms + 20 * n) as f32, power }).collect()
    }

    #[test]
    fn what_a_caller_says_counts_and_what_is_heard_before_does_not() {
        let heard = [frames(0, 50, -10.0), frames(1000, 50, -20.0), frames(2000, 100, -26.0)].concat();
        let level = SpeechLevel::of(&label(), &heard).unwrap();
        assert!((level.whole_db + 23.0).abs() < 0.1, "{level:?}");
        assert!((level.settled_db.unwrap() + 26.0).abs() < 0.01, "{level:?}");
    }

    #[test]
    fn a_syllable_has_no_level() {
        assert_eq!(SpeechLevel::of(&label(), &frames(1000, 24, -26.0)), None);
        assert_eq!(SpeechLevel::of(&label(), &frames(1000, 74, -26.0)).unwrap().settled_db, None);
    }
}
