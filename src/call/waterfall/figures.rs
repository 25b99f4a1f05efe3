//! How long the parts of a turn's way took.
//!
//! The server's own share of what the caller waits is what neither a provider nor the wait for the end of the turn takes: from the turn's
//! end to the request to the model, and from the first synthesized sound to its departure. The text is given to the synthesizer in the step in
//! which it can be spoken, which takes no time that a log could show. Where a filler still sounds, or the caller speaks, the answer waits on
//! purpose: such turns have no share.

use serde::Serialize;

use super::{FirstSpeech, TurnPath};
use crate::call::hop::Mark;
use crate::call::log::CallTime;

/// A part's time over all turns that have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// In how many turns.
    pub count: usize,
    /// The time in milliseconds that half of them do not exceed.
    pub p50_ms: Option<u64>,
    /// And 95 of 100.
    pub p95_ms: Option<u64>,
}

/// The parts' times over a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// From the caller's last speech to the agent's first.
    pub voice_to_voice: Figure,
    /// From the caller's last speech to the end of the turn.
    pub end_of_turn: Figure,
    /// The server's share.
    pub own: Figure,
    /// From the caller's last speech to the last of its words.
    pub asr: Figure,
    /// From the request to the first of the model's answer.
    pub llm: Figure,
    /// From there to what can be spoken.
    pub text: Figure,
    /// From the request to the first sound.
    pub tts: Figure,
}

impl Totals {
    pub(super) fn of(turns: &[TurnPath]) -> Self {
        let figure = |part: fn(&TurnPath) -> Option<u64>| Figure::of(turns.iter().filter_map(part).collect());
        Self {
            voice_to_voice: figure(TurnPath::voice_to_voice_ms),
            end_of_turn: figure(TurnPath::end_of_turn_ms),
            own: figure(TurnPath::own_ms),
            asr: figure(|turn| turn.between_ms(Mark::MediaIn, Mark::SttFinal)),
            llm: figure(|turn| turn.between_ms(Mark::LlmStart, Mark::LlmToken)),
            text: figure(|turn| turn.between_ms(Mark::LlmToken, Mark::TtsStart)),
            tts: figure(|turn| turn.between_ms(Mark::TtsStart, Mark::TtsFrame)),
        }
    }
}

impl Figure {
    fn of(mut times_ms: Vec<u64>) -> Self {
        times_ms.sort_unstable();
        let count = times_ms.len();
        // The nearest rank.
        let percentile =
            |percent: usize| times_ms.get((count * percent).div_ceil(100).saturating_sub(1)).copied();
        Self { count, p50_ms: percentile(50), p95_ms: percentile(95) }
    }
}

impl TurnPath {
    /// What the caller waited: from the arrival of his last speech to the departure of the agent's first, in milliseconds.
    pub fn voice_to_voice_ms(&self) -> Option<u64> {
        self.between_ms(Mark::MediaIn, Mark::MediaOut)
    }

    /// The wait for the end of the turn.
    pub fn end_of_turn_ms(&self) -> Option<u64> {
        let (committed, _) = self.committed.as_ref()?;
        Some(passed_ms(self.at(Mark::MediaIn)?, *committed))
    }

    /// The server's share. A model that was asked before the turn was over did not wait.
    pub fn own_ms(&self) -> Option<u64> {
        if self.first_speech()? == FirstSpeech::Filler || self.was_held() {
            return None;
        }
        let (committed, _) = self.committed.as_ref()?;
        let asked_us = self.at(Mark::LlmStart)?.0.saturating_sub(committed.0);
        let sent_us = self.answered_at()?.0.saturating_sub(self.at(Mark::TtsFrame)?.0);
        Some((asked_us + sent_us + 500) / 1_000)
    }

    /// From one point to another, in milliseconds; 0 if the second was first.
    pub fn between_ms(&self, from: Mark, to: Mark) -> Option<u64> {
        Some(passed_ms(self.at(from)?, self.at(to)?))
    }
}

fn passed_ms(from: CallTime, to: CallTime) -> u64 {
    (to.0.saturating_sub(from.0) + 500) / 1_000
}
