//! What a trial came to: how soon the agent was softer, silent, stopped; what false alarms did; where a turn ended.

use serde::Serialize;

use super::labels::{AgentPart, Kind, Label};
use super::mind::samples_in;
use super::runner::{Recording, Settings, Trial, run};
use super::wire::{Played, Stretch, follow};
use crate::voice::exchange::VoiceEvent;

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
    /// How long the call was.
    pub length_ms: f32,
    /// Turns that ended although nobody had spoken.
    pub false_turns: usize,
    /// How much softer the agent was while it was turned down, in dB.
    pub duck_db: Option<f32>,
    /// Frames on the wire that are neither the agent's words nor silence.
    pub strange_frames: usize,
}

/// False alarms: what happened while the caller said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Undisturbed {
    /// So long the agent talked and no caller did, the beginning of the call left out.
    pub talked_ms: f32,
    /// Times it was turned down in that time.
    pub ducks: usize,
    /// Times it fell silent.
    pub pauses: usize,
    /// Times it was stopped for good.
    pub stops: usize,
    /// Times it was turned down in the first three seconds of the call, while nothing is known of the room.
    pub early_ducks: usize,
    /// Times it was stopped in them.
    pub early_stops: usize,
}

/// What a caller did who spoke over the agent. Times from where it began to speak; none if it did not happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Over {
    /// Until the agent was 12 dB softer.
    pub duck_ms: Option<f32>,
    /// Until it was silent.
    pub pause_ms: Option<f32>,
    /// Until it was told that it is stopped.
    pub stop_ms: Option<f32>,
    /// Until the end of what the caller said.
    pub speech_ms: f32,
    /// The longest pause that ended.
    pub longest_pause_ms: f32,
    /// How it went on after each of its pauses.
    pub resumes: Vec<Resumed>,
}

/// How the agent went on after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Resumed {
    /// What was said twice.
    pub repeated_ms: f32,
    /// What was left out.
    pub skipped_ms: f32,
}

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

impl Over {
    /// Whether it stopped the agent: for good, or for longer than anybody waits.
    pub fn is_stopped(&self) -> bool {
        self.stop_ms.is_some() || self.longest_pause_ms > LONGEST_PAUSE_MS
    }

    /// Whether the agent went on where it was after each of its pauses.
    pub fn is_resumed_right(&self) -> bool {
        let is_right =
            |resumed: &Resumed| resumed.repeated_ms <= MOST_REPEATED_MS && resumed.skipped_ms <= 0.0;
        self.resumes.iter().all(is_right)
    }

    /// Whether an interruption came through: before the caller gave up.
    pub fn is_heard(&self) -> bool {
        self.stop_ms.is_some_and(|stop_ms| stop_ms <= self.speech_ms + LATEST_STOP_MS)
    }
}

impl Answer {
    /// Whether the agent took the turn before the caller was done.
    pub fn is_cut(&self) -> bool {
        self.is_talked_over || self.pauses.iter().any(|pause| pause.is_cut)
    }
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
        length_ms: ms_of(recording.wire.len()),
        false_turns: false_turns(label, &recording),
        duck_db: None,
        strange_frames: 0,
    };
    match label.agent {
        AgentPart::Talks => {
            let talk = Talk::of(label, &recording, reference);
            outcome.undisturbed = talk.undisturbed();
            outcome.over = talk.over();
            outcome.duck_db = talk.played.duck_db;
            outcome.strange_frames = talk.played.strange_frames;
        }
        AgentPart::Asks | AgentPart::Listens => {
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
        | VoiceEvent::IdleTooLong => None,
    };
    recording.told.iter().filter_map(stop).collect()
}

/// A trial in which the agent talks. Who is stopped by nobody goes on when it has the floor again, so there may be several stretches
/// of talk; what comes behind the stop that the caller meant is not looked at.
struct Talk<'a> {
    label: &'a Label,
    recording: &'a Recording,
    /// On the wire's clock.
    onset_ms: Option<f32>,
    /// Where the agent talked.
    talked: Vec<Talked>,
    played: Played,
    false_stops: Vec<Stop>,
    stopped: Option<Stop>,
}

/// One stretch of talk, in samples of the wire.
#[derive(Clone, Copy, Debug)]
struct Talked {
    from: usize,
    to: usize,
}

impl<'a> Talk<'a> {
    fn of(label: &'a Label, recording: &'a Recording, reference: &[i16]) -> Self {
        let onset_ms = label.begin_ms().map(|ms| ms as f32 + recording.caller_at_ms);
        let is_false = |stop: &Stop| onset_ms.is_none_or(|onset_ms| stop.at_ms < onset_ms);
        let (false_stops, meant): (Vec<Stop>, Vec<Stop>) = stops(recording).into_iter().partition(is_false);
        let stopped = meant.first().copied();
        let mut talk = Self {
            label,
            recording,
            onset_ms,
            talked: Vec::new(),
            played: Played::default(),
            false_stops,
            stopped,
        };
        talk.follow(reference);
        talk
    }

    fn follow(&mut self, reference: &[i16]) {
        // The reference begins to talk when every call does.
        let begin = first_talk(reference, 0).unwrap_or(0);
        let (mut from, mut said) = (begin, 0);
        for stop in self.false_stops.iter().copied().map(Some).chain([self.stopped]) {
            let wire = &self.recording.wire;
            let to = stop.map_or(wire.len(), |stop| sample_at(stop.at_ms) + FRAME).min(wire.len());
            let Some(what) = reference.get((begin + said).min(reference.len())..) else { return };
            if from < to {
                let played = follow(&wire[from..to], what);
                self.played.append(played, from, to, stop.is_some());
                self.talked.push(Talked { from, to });
            }
            let Some(stop) = stop else { return };
            said += stop.heard;
            let Some(next) = first_talk(wire, to) else { return };
            from = next;
        }
    }

    fn undisturbed(&self) -> Undisturbed {
        let until_ms = self.onset_ms.unwrap_or(f32::INFINITY);
        let overlap =
            |talked: &Talked| (ms_of(talked.to).min(until_ms) - ms_of(talked.from).max(EARLY_MS)).max(0.0);
        let count = |stretches: &[Stretch], from_ms: f32, to_ms: f32| {
            let begins = stretches.iter().map(|stretch| ms_of(stretch.from));
            begins.filter(|at_ms| (from_ms..to_ms).contains(at_ms)).count()
        };
        let early_stops = self.false_stops.iter().filter(|stop| stop.at_ms < EARLY_MS).count();
        Undisturbed {
            talked_ms: self.talked.iter().map(overlap).sum(),
            ducks: count(&self.played.ducks, EARLY_MS, until_ms),
            pauses: count(&self.played.pauses, EARLY_MS, until_ms),
            stops: self.false_stops.len() - early_stops,
            early_ducks: count(&self.played.ducks, 0.0, EARLY_MS.min(until_ms)),
            early_stops,
        }
    }

    fn over(&self) -> Option<Over> {
        let (onset_ms, end_ms) = (self.onset_ms?, self.label.end_ms()?);
        let is_talking = |talked: &Talked| (ms_of(talked.from)..ms_of(talked.to)).contains(&onset_ms);
        if !self.talked.last().is_some_and(is_talking) {
            // A false alarm had stopped the agent, and it was not talking again.
            return None;
        }
        let stop_ms = self.stopped.map(|stop| stop.at_ms - onset_ms);
        let lasts = |stretch: &&Stretch| stretch.to.is_none_or(|to| ms_of(to) > onset_ms);
        let first = |stretches: &[Stretch]| {
            stretches.iter().find(lasts).map(|stretch| (ms_of(stretch.from) - onset_ms).max(0.0))
        };
        let pause_ms = first(&self.played.pauses);
        // Who is silent is softer.
        let duck_ms = first(&self.played.ducks).into_iter().chain(pause_ms).reduce(f32::min);
        let pauses = self.played.pauses.iter().filter(lasts);
        let open_end = self.stopped.map_or(self.recording.wire.len(), |stop| sample_at(stop.at_ms));
        let lengths = pauses.map(|pause| ms_of(pause.to.unwrap_or(open_end)) - ms_of(pause.from));
        let resumes = self
            .played
            .resumes
            .iter()
            .map(|resume| Resumed { repeated_ms: ms_of(resume.repeated), skipped_ms: ms_of(resume.skipped) });
        Some(Over {
            duck_ms,
            pause_ms,
            stop_ms,
            speech_ms: end_ms as f32 + self.recording.caller_at_ms - onset_ms,
            longest_pause_ms: lengths.fold(0.0, f32::max),
            resumes: resumes.collect(),
        })
    }
}

/// The frame in which the agent is first heard from there on.
fn first_talk(wire: &[i16], from: usize) -> Option<usize> {
    let begin = from.next_multiple_of(FRAME);
    let is_heard = |frame: &[i16]| frame.iter().any(|sample| sample.unsigned_abs() > AUDIBLE);
    wire.get(begin..)?.chunks_exact(FRAME).position(is_heard).map(|frames| begin + frames * FRAME)
}

/// Where on the wire a time is: the first sample of its tick.
fn sample_at(at_ms: f32) -> usize {
    (at_ms.max(0.0) * 8.0).round() as usize
}

/// When the caller's turns ended, on the caller's clock.
fn commits(recording: &Recording) -> Vec<f32> {
    let is_commit = |event: &VoiceEvent| matches!(event, VoiceEvent::TurnCommitted { .. });
    let told = recording.told.iter().filter(|(_, event)| is_commit(event));
    told.map(|(at_ms, _)| at_ms - recording.caller_at_ms).collect()
}

/// Turns that ended before the caller had said a word, or without one.
fn false_turns(label: &Label, recording: &Recording) -> usize {
    let begin_ms = label.begin_ms().map_or(f32::INFINITY, |ms| ms as f32);
    commits(recording).into_iter().filter(|at_ms| *at_ms < begin_ms).count()
}

fn answer(label: &Label, recording: &Recording) -> Answer {
    let (begin_ms, end_ms) = (label.begin_ms().unwrap_or(0) as f32, label.end_ms().unwrap_or(0) as f32);
    let commits = commits(recording);
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

/// When the agent is heard, at that time of the caller's clock or later.
fn heard_from(recording: &Recording, from_ms: f32) -> Option<f32> {
    let from = ((from_ms + recording.caller_at_ms).max(0.0) * 8.0) as usize;
    let audible = recording.wire.get(from..)?.iter().position(|sample| sample.unsigned_abs() > AUDIBLE)?;
    Some(ms_of(from + audible) - recording.caller_at_ms)
}

fn ms_of(samples: usize) -> f32 {
    samples as f32 / 8.0
}

const FRAME: usize = 160;
/// So long it takes to know a room.
const EARLY_MS: f32 = 3000.0;
/// Who waits longer than this before it goes on has stopped.
const LONGEST_PAUSE_MS: f32 = 600.0;
/// Nobody minds 40 ms heard twice.
const MOST_REPEATED_MS: f32 = 40.0;
/// An interruption that takes effect so long after the caller has fallen silent comes too late.
const LATEST_STOP_MS: f32 = 500.0;
/// Speech is noticed after two frames of it, and told one later.
const ONSET_MS: f32 = 60.0;
/// About -50 dBFS.
const AUDIBLE: u16 = 100;
