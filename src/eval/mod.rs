//! Measures turn-taking: callers made of synthetic speech and noise, or anybody's recordings with labels, are run through the real
//! call in virtual time, and what went out on the wire is held against what should have. `docs/turn-taking.md` tells what is
//! measured and what came out.
//!
//! Nothing here does IO: speech comes through [`Synthesize`], files are the caller's business.

mod channel;
mod corpus;
mod labels;
mod measure;
mod meter;
mod mind;
mod random;
mod recognizer;
mod report;
mod runner;
mod thresholds;
mod voice_of_agent;
mod wire;

pub use corpus::{CONDITIONS, Condition, Corpus, Planned, Size, Synthesize, Talker};
pub use labels::{AgentPart, Echo, Kind, Label, Network, Span, Word};
pub use measure::{Answer, Begun, Outcome, Over, Pause, Resumed, SpeechLevel, Undisturbed, measure};
pub use mind::Lines;
pub use report::{Figures, Interruptions, Levels, Percentiles, Report, Share, plots, table};
pub use runner::{Settings, Trial};
pub use thresholds::{Judgement, Miss, Threshold, ThresholdError, Thresholds, Unjudged};
pub use voice_of_agent::shipped_lines;

/// What an agent sends that nobody disturbs, for as long as the longest trial of a set.
pub fn reference(settings: &Settings) -> Vec<i16> {
    runner::reference(settings, REFERENCE_S)
}

/// Longer than any trial in which the agent talks.
const REFERENCE_S: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mind::understanding::UnderstandingConfig;
    use crate::voice::TurnTaking;

    #[test]
    fn an_agent_who_talks_begins_when_the_set_believes_it_does() {
        let settings = Settings {
            turn_taking: TurnTaking::default(),
            understanding: UnderstandingConfig::default(),
            has_words: false,
            lines: shipped_lines(),
            seed: 1,
            start: std::time::Instant::now(),
        };
        let wire = runner::reference(&settings, 1);
        let first = wire.iter().position(|sample| sample.unsigned_abs() > 100).unwrap();
        // The wire begins 20 ms after the call does, and the caller's first sample is taken within its first 15 ms.
        let since_caller_ms = 20 + first as u32 / 8;
        assert!(since_caller_ms.abs_diff(corpus::AGENT_BEGINS_MS) <= 20, "{since_caller_ms}");
    }
}
