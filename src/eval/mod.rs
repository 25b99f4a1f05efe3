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
