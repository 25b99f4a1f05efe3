//! What a trial came to: how soon the agent was softer, silent, stopped; what false alarms did; where a turn ended.

mod answer;
mod level;
mod talk;

use serde::Serialize;

pub use answer::{Answer, Pause};
pub use level::SpeechLevel;
pub use talk::{Begun, Over, Resumed, Undisturbed};

use super::labels::{AgentPart, Kind};
use super::mind::samples_in;
use super::runner::{Recording, Settings, Trial, run};
use crate::voice::exchange::VoiceEvent;
use answer::{Unasked, answer};
use talk::Talk;

/// What one trial came to. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The trial.
    pub name: String,
    /// Among which it is counted.
    pub condition: String,
    /// What the caller did.
    pub kind: Kind,
    /// What the agent did.
    pub agent: AgentPart,
    /// The agent's talk that nobody meant to disturb.
    pub undisturbed: Undisturbed,
    /// What the caller's voice did to what the agent was saying, in trials where it spoke over it.
    pub over: Option<Over>,
    /// How the caller's answer was taken, in trials where it gave one.
    pub answer: Option<Answer>,
    /// How long nobody had spoken yet in a call in which the agent waits for an answer.
    pub unasked_ms: f32,
    /// Turns that ended in that time.
    pub false_turns: usize,
    /// Whether the agent's question was stopped in that time.
    pub is_question_stopped: bool,
    /// How loud a recognizer got what the caller said.
    pub level: Option<SpeechLevel>,
    /// How much softer the agent was while it was turned down, in dB; what is farthest from 12.
    pub duck_db: Option<f32>,
    /// Frames on the wire that are neither the agent's words nor silence.
    pub strange_frames: usize,
}

/// Runs a trial and measures it. `reference` is what the agent says if nobody disturbs it.
pub fn measure(trial: &Trial, settings: &Settings, reference: &[i16]) -> Outcome {
    let recording = run(trial, settings);
    let label = &trial.label;
    let mut outcome = Outcome {
        name: trial.name.clone(),
        condition: label.condition.clone(),
        kind: label.kind,
        agent: label.agent,
        undisturbed: Undisturbed::default(),
        over: None,
        answer: None,
        unasked_ms: 0.0,
        false_turns: 0,
        is_question_stopped: false,
        level: label.kind.is_speech().then(|| SpeechLevel::of(label, &recording.heard)).flatten(),
        duck_db: None,
        strange_frames: 0,
    };
    match label.agent {
        AgentPart::Talks => {
            let talk = Talk::of(label, &recording, reference);
            outcome.undisturbed = talk.undisturbed();
            outcome.over = talk.over();
            outcome.duck_db = talk.duck_db();
            outcome.strange_frames = talk.strange_frames();
        }
        AgentPart::Asks | AgentPart::Listens => {
            let unasked = Unasked::of(label, &recording);
            outcome.unasked_ms = unasked.length_ms;
            outcome.false_turns = unasked.turns;
            outcome.is_question_stopped = unasked.stops > 0;
            outcome.answer = label.kind.is_answer().then(|| answer(label, &recording));
        }
    }
    outcome
}

/// Where the agent was stopped for good.
#[derive(Clone, Copy, Debug)]
struct Stop {
    at_ms: f32,
    /// How much was heard of what was stopped, in samples.
    heard: usize,
}

/// All stops of a call.
fn stops(recording: &Recording) -> Vec<Stop> {
    let stop = |(at_ms, event): &(f32, VoiceEvent)| match event {
        VoiceEvent::Interrupted { heard, .. } => Some(Stop { at_ms: *at_ms, heard: samples_in(*heard) }),
        VoiceEvent::Answered
        | VoiceEvent::SpeechStarted
        | VoiceEvent::SpeechEnded { .. }
        | VoiceEvent::TurnLikely { .. }
        | VoiceEvent::TurnResumed { .. }
        | VoiceEvent::TurnCommitted { .. }
        | VoiceEvent::SpeechDismissed { .. }
        | VoiceEvent::Digit(_)
        | VoiceEvent::Played { .. }
        | VoiceEvent::Credit { .. }
        | VoiceEvent::Idle { .. }
        | VoiceEvent::Media { .. }
        | VoiceEvent::IdleTooLong => None,
    };
    recording.told.iter().filter_map(stop).collect()
}

/// When turns ended, on the wire's clock.
fn commits(recording: &Recording) -> Vec<f32> {
    let is_commit = |event: &VoiceEvent| matches!(event, VoiceEvent::TurnCommitted { .. });
    recording.told.iter().filter(|(_, event)| is_commit(event)).map(|(at_ms, _)| *at_ms).collect()
}

fn ms_of(samples: usize) -> f32 {
    samples as f32 / 8.0
}

/// Where on the wire a time is: the first sample of its tick.
fn sample_at(at_ms: f32) -> usize {
    (at_ms.max(0.0) * 8.0).round() as usize
}

const FRAME: usize = 160;
/// About -50 dBFS.
const AUDIBLE: u16 = 100;
