//! How a caller's answer was taken: where in it the agent took the turn, and how long the caller waited behind it.

use serde::Serialize;

use super::{AUDIBLE, commits, ms_of, stops};
use crate::eval::labels::Label;
use crate::eval::runner::Recording;

/// How a caller's answer was taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The pauses within it, and which of them ended the turn.
    pub pauses: Vec<Pause>,
    /// From the end of the answer until the agent's own was on the wire; none if it never was.
    pub wait_ms: Option<f32>,
    /// From the beginning of the answer until then.
    pub turn_ms: Option<f32>,
    /// The agent took the turn while the caller spoke.
    pub is_talked_over: bool,
}

/// A pause within an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pause {
    /// How long it was.
    pub length_ms: u32,
    /// Whether the agent took the turn in it.
    pub is_cut: bool,
}

impl Answer {
    /// Whether the agent took the turn before the caller was done.
    pub fn is_cut(&self) -> bool {
        self.is_talked_over || self.pauses.iter().any(|pause| pause.is_cut)
    }
}

/// Measures an answer.
pub(super) fn answer(label: &Label, recording: &Recording) -> Answer {
    let (begin_ms, end_ms) = (label.begin_ms().unwrap_or(0) as f32, label.end_ms().unwrap_or(0) as f32);
    let commits = commits_of_caller(recording);
    let is_in = |from: f32, to: f32| commits.iter().any(|at_ms| (from..to).contains(at_ms));
    let pauses = label.speech.windows(2).map(|spans| {
        let (from, to) = (spans[0].end_ms, spans[1].begin_ms);
        Pause { length_ms: to - from, is_cut: is_in(from as f32, to as f32 + ONSET_MS) }
    });
    let pauses: Vec<Pause> = pauses.collect();
    let is_talked_over = label.speech.iter().any(|span| {
        // What is decided in the first moment after a pause was decided by the pause.
        let is_first = Some(span.begin_ms) == label.begin_ms();
        let from = span.begin_ms as f32 + if is_first { 0.0 } else { ONSET_MS };
        is_in(from, span.end_ms as f32)
    });
    let taken_ms = commits.iter().find(|at_ms| **at_ms >= end_ms).copied();
    // The answer leaves with the tick after the one in which the mind was told.
    let answered_ms = taken_ms.and_then(|taken_ms| heard_from(recording, taken_ms));
    Answer {
        pauses,
        wait_ms: answered_ms.map(|ms| ms - end_ms),
        turn_ms: answered_ms.map(|ms| ms - begin_ms),
        is_talked_over,
    }
}

/// What happened before the caller of a call in which the agent waits for an answer said a word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unasked {
    /// How long that was.
    pub(super) length_ms: f32,
    /// Turns that ended.
    pub(super) turns: usize,
    /// Times the agent's question was stopped.
    pub(super) stops: usize,
}

impl Unasked {
    pub(super) fn of(label: &Label, recording: &Recording) -> Self {
        let whole_ms = ms_of(recording.wire.len());
        let until_ms = label.begin_ms().map_or(whole_ms, |ms| ms as f32 + recording.caller_at_ms);
        Self {
            length_ms: until_ms,
            turns: commits(recording).into_iter().filter(|at_ms| *at_ms < until_ms).count(),
            stops: stops(recording).into_iter().filter(|stop| stop.at_ms < until_ms).count(),
        }
    }
}

/// When turns ended, on the caller's clock.
fn commits_of_caller(recording: &Recording) -> Vec<f32> {
    commits(recording).into_iter().map(|at_ms| at_ms - recording.caller_at_ms).collect()
}

/// When the agent is heard, at that time of the caller's clock or later.
fn heard_from(recording: &Recording, from_ms: f32) -> Option<f32> {
    let from = ((from_ms + recording.caller_at_ms).max(0.0) * 8.0) as usize;
    let audible = recording.wire.get(from..)?.iter().position(|sample| sample.unsigned_abs() > AUDIBLE)?;
    Some(ms_of(from + audible) - recording.caller_at_ms)
}

/// Speech is noticed after two frames of it, and told one later.
const ONSET_MS: f32 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::measure::FRAME;
    use crate::voice::exchange::VoiceEvent;

    /// Says something from 1000 to 2000 ms, and from 2500 to 3500.
    fn label() -> Label {
        let text = "kind = \"pause\"\nagent = \"asks\"\n\
            speech = [{ begin_ms = 1000, end_ms = 2000 }, { begin_ms = 2500, end_ms = 3500 }]";
        toml::from_str(text).unwrap()
    }

    /// Five seconds in which turns end at these times, and the agent is heard from there on.
    fn recording(turns_ms: &[f32], heard_ms: Option<usize>) -> Recording {
        let committed = |(turn, at_ms): (u32, &f32)| {
            (*at_ms, VoiceEvent::TurnCommitted { turn, speech: std::time::Duration::from_secs(1) })
        };
        let mut wire = vec![0; 250 * FRAME];
        if let Some(heard_ms) = heard_ms {
            wire[heard_ms * 8..].fill(1000);
        }
        let told = (0..).zip(turns_ms).map(committed).collect();
        Recording { wire, caller_at_ms: 0.0, told, heard: Vec::new() }
    }

    #[test]
    fn a_turn_that_ends_behind_the_answer_is_waited_for() {
        let answer = answer(&label(), &recording(&[4000.0], Some(4020)));
        assert_eq!((answer.wait_ms, answer.turn_ms), (Some(520.0), Some(3020.0)));
        assert!(!answer.is_cut());
    }

    #[test]
    fn a_turn_that_ends_sooner_cuts_the_caller_off() {
        let in_pause = answer(&label(), &recording(&[2400.0, 4000.0], Some(4020)));
        assert!(in_pause.pauses[0].is_cut && !in_pause.is_talked_over);
        let at_once = answer(&label(), &recording(&[2550.0, 4000.0], Some(4020)));
        assert!(at_once.pauses[0].is_cut && !at_once.is_talked_over, "the pause had decided it");
        let in_speech = answer(&label(), &recording(&[3000.0], None));
        assert!(in_speech.is_talked_over && !in_speech.pauses[0].is_cut);
        assert_eq!(in_speech.wait_ms, None, "what came behind it was never answered");
    }

    #[test]
    fn a_turn_without_a_word_is_a_false_one() {
        let unasked = Unasked::of(&label(), &recording(&[500.0, 900.0, 4000.0], None));
        assert_eq!(unasked, Unasked { length_ms: 1000.0, turns: 2, stops: 0 });
        let nobody: Label = toml::from_str("kind = \"nothing\"\nagent = \"asks\"").unwrap();
        let unasked = Unasked::of(&nobody, &recording(&[4000.0], None));
        assert_eq!(unasked, Unasked { length_ms: 5000.0, turns: 1, stops: 0 });
    }
}
