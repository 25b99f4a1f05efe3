//! A trial in which the agent talks: how soon it made way for a caller who spoke over it, how it went on if it did, and what disturbed
//! it although nobody spoke.

use serde::Serialize;

use super::{AUDIBLE, FRAME, Stop, ms_of, sample_at, stops};
use crate::eval::labels::Label;
use crate::eval::runner::Recording;
use crate::eval::wire::{Played, SILENCE_PEAK, Stretch, follow, peak};

/// False alarms: what happened while the caller said nothing, from the first moment of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Undisturbed {
    /// So long no caller spoke, whether the agent talked or a false alarm had stopped it.
    pub quiet_ms: f32,
    /// So long the agent talked in that time.
    pub talked_ms: f32,
    /// Times it was turned down in that time.
    pub ducks: usize,
    /// Times it fell silent.
    pub pauses: usize,
    /// Times it was stopped for good.
    pub stops: usize,
    /// Those of them that were in the first three seconds of the call; none if the caller spoke in them.
    pub begun: Option<Begun>,
}

/// False alarms of a call's first three seconds, which are counted among all of them too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Begun {
    /// Times the agent was turned down.
    pub ducks: usize,
    /// Times it fell silent.
    pub pauses: usize,
    /// Times it was stopped for good.
    pub stops: usize,
}

/// What a caller did who spoke over the agent. Times from where it began to speak; none if it did not happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Over {
    /// The agent was softer or silent already, by a false alarm: the times below tell nothing of how soon it notices a caller.
    pub is_down_before: bool,
    /// Until the agent was 12 dB softer.
    pub duck_ms: Option<f32>,
    /// Until it was silent.
    pub pause_ms: Option<f32>,
    /// Until it was told that it is stopped.
    pub stop_ms: Option<f32>,
    /// Until the end of what the caller said.
    pub speech_ms: f32,
    /// Until it was heard again although the caller had more to say, and did not fall silent at once.
    pub heard_again_ms: Option<f32>,
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

/// The agent's talk in one trial. Who is stopped by nobody goes on when it has the floor again, so there may be several stretches of
/// it; what comes behind the stop that the caller meant is looked at only for whether it came too soon.
pub(super) struct Talk<'a> {
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
    pub(super) fn of(label: &'a Label, recording: &'a Recording, reference: &[i16]) -> Self {
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

    /// How much softer the agent was while it was turned down.
    pub(super) fn duck_db(&self) -> Option<f32> {
        self.played.duck_db
    }

    /// Frames that are neither the agent's words nor silence.
    pub(super) fn strange_frames(&self) -> usize {
        self.played.strange_frames
    }

    pub(super) fn undisturbed(&self) -> Undisturbed {
        let (quiet, whole_ms) = (self.quiet(), ms_of(self.recording.wire.len()));
        let overlap = |talked: &Talked| -> f32 {
            let within = quiet.iter().map(|(from_ms, to_ms)| {
                (ms_of(talked.to).min(*to_ms) - ms_of(talked.from).max(*from_ms)).max(0.0)
            });
            within.sum()
        };
        let is_quiet = |at_ms: &f32| quiet.iter().any(|(from_ms, to_ms)| (*from_ms..*to_ms).contains(at_ms));
        let begins = |stretches: &[Stretch]| -> Vec<f32> {
            stretches.iter().map(|stretch| ms_of(stretch.from)).filter(is_quiet).collect()
        };
        let (ducks, pauses) = (begins(&self.played.ducks), begins(&self.played.pauses));
        let early = |times: &[f32]| times.iter().filter(|at_ms| **at_ms < EARLY_MS).count();
        let stops: Vec<f32> = self.false_stops.iter().map(|stop| stop.at_ms).collect();
        let is_begun_quietly = self.onset_ms.is_none_or(|onset_ms| onset_ms >= EARLY_MS);
        Undisturbed {
            quiet_ms: quiet.iter().map(|(from_ms, to_ms)| (to_ms.min(whole_ms) - from_ms).max(0.0)).sum(),
            talked_ms: self.talked.iter().map(overlap).sum(),
            ducks: ducks.len(),
            pauses: pauses.len(),
            stops: stops.len(),
            begun: is_begun_quietly.then(|| Begun {
                ducks: early(&ducks),
                pauses: early(&pauses),
                stops: early(&stops),
            }),
        }
    }

    /// From where to where no caller speaks. What follows speech at once is still caused by it.
    fn quiet(&self) -> Vec<(f32, f32)> {
        let (Some(onset_ms), Some(end_ms)) = (self.onset_ms, self.label.end_ms()) else {
            return vec![(0.0, f32::INFINITY)];
        };
        let mut quiet = vec![(0.0, onset_ms)];
        if self.stopped.is_none() {
            quiet.push((end_ms as f32 + self.recording.caller_at_ms + SETTLED_MS, f32::INFINITY));
        }
        quiet
    }

    pub(super) fn over(&self) -> Option<Over> {
        let (onset_ms, end_ms) = (self.onset_ms?, self.label.end_ms()?);
        let end_ms = end_ms as f32 + self.recording.caller_at_ms;
        let is_talking = |talked: &Talked| (ms_of(talked.from)..ms_of(talked.to)).contains(&onset_ms);
        if !self.talked.last().is_some_and(is_talking) {
            // A false alarm had stopped the agent, and it was not talking again.
            return None;
        }
        let Played { ducks, pauses, resumes, .. } = &self.played;
        let begins_after = |stretch: &&Stretch| ms_of(stretch.from) >= onset_ms;
        let lasts = |stretch: &&Stretch| stretch.to.is_none_or(|to| ms_of(to) > onset_ms);
        let is_down = |stretch: Stretch| !begins_after(&&stretch) && lasts(&&stretch);
        let first = |stretches: &[Stretch]| {
            stretches.iter().find(begins_after).map(|stretch| ms_of(stretch.from) - onset_ms)
        };
        let pause_ms = first(pauses);
        let open_end = self.stopped.map_or(self.recording.wire.len(), |stop| sample_at(stop.at_ms));
        let lengths =
            pauses.iter().filter(lasts).map(|pause| ms_of(pause.to.unwrap_or(open_end)) - ms_of(pause.from));
        let resumed = resumes
            .iter()
            .map(|resume| Resumed { repeated_ms: ms_of(resume.repeated), skipped_ms: ms_of(resume.skipped) });
        Some(Over {
            is_down_before: ducks.iter().chain(pauses).copied().any(is_down),
            // Who is silent is softer.
            duck_ms: first(ducks).into_iter().chain(pause_ms).reduce(f32::min),
            pause_ms,
            stop_ms: self.stopped.map(|stop| stop.at_ms - onset_ms),
            speech_ms: end_ms - onset_ms,
            heard_again_ms: heard_again(&self.recording.wire, onset_ms, end_ms).map(|ms| ms - onset_ms),
            longest_pause_ms: lengths.fold(0.0, f32::max),
            resumes: resumed.collect(),
        })
    }
}

/// When an agent that had made way was heard again while its caller still spoke. The last words of a caller, and a beginning that
/// ends at once, are forgiven.
fn heard_again(wire: &[i16], onset_ms: f32, end_ms: f32) -> Option<f32> {
    let is_silent: Vec<bool> = wire.chunks_exact(FRAME).map(|frame| peak(frame) <= SILENCE_PEAK).collect();
    let (from, to) = (sample_at(onset_ms) / FRAME, sample_at(end_ms - FORGIVEN_MS) / FRAME);
    let begins = (from + 1..to.min(is_silent.len())).filter(|&n| is_silent[n - 1] && !is_silent[n]);
    let mut lasting = begins.filter(|&n| !is_silent[n..].iter().take(FORGIVEN_FRAMES).any(|silent| *silent));
    lasting.next().map(|n| ms_of(n * FRAME))
}

/// The frame in which the agent is first heard from there on.
fn first_talk(wire: &[i16], from: usize) -> Option<usize> {
    let begin = from.next_multiple_of(FRAME);
    let is_heard = |frame: &[i16]| peak(frame) > AUDIBLE;
    wire.get(begin..)?.chunks_exact(FRAME).position(is_heard).map(|frames| begin + frames * FRAME)
}

/// What callers hear first: a false alarm in a greeting is worse than one later.
const EARLY_MS: f32 = 3000.0;
/// So long after the caller's last sound nothing is his doing any more.
const SETTLED_MS: f32 = 1000.0;
/// Who waits longer than this before it goes on has stopped.
const LONGEST_PAUSE_MS: f32 = 600.0;
/// Nobody minds 40 ms heard twice.
const MOST_REPEATED_MS: f32 = 40.0;
/// An interruption that takes effect so long after the caller has fallen silent comes too late.
const LATEST_STOP_MS: f32 = 500.0;
/// Two people who talk into each other for so long do not notice.
const FORGIVEN_MS: f32 = 200.0;
const FORGIVEN_FRAMES: usize = 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::eval::random::Random;
    use crate::voice::exchange::{Interruption, UtteranceId, VoiceEvent};

    fn reference() -> Vec<i16> {
        let mut random = Random::new(5);
        (0..10 * 8000).map(|_| (random.normal() * 3000.0) as i16).collect()
    }

    /// What goes out when the agent is as loud as that from these frames on; while it is silent it says nothing.
    fn wire(gains: &[(usize, f32)], frames: usize) -> Vec<i16> {
        let (reference, mut said, mut gain, mut wire) = (reference(), 0, 1.0, Vec::new());
        for n in 0..frames {
            gain = gains.iter().find(|(at, _)| *at == n).map_or(gain, |(_, gain)| *gain);
            if gain > 0.0 {
                let frame = &reference[said..said + FRAME];
                wire.extend(frame.iter().map(|sample| (f32::from(*sample) * gain) as i16));
                said += FRAME;
            } else {
                wire.extend([0; FRAME]);
            }
        }
        wire
    }

    fn label(kind: &str, begin_ms: u32, end_ms: u32) -> Label {
        let speech = format!("speech = [{{ begin_ms = {begin_ms}, end_ms = {end_ms} }}]");
        toml::from_str(&format!("kind = \"{kind}\"\nagent = \"talks\"\n{speech}")).unwrap()
    }

    fn recording(wire: Vec<i16>, stops_ms: &[f32]) -> Recording {
        let stop = |at_ms: &f32| {
            let heard = Duration::from_secs_f32(at_ms / 1000.0);
            let event =
                VoiceEvent::Interrupted { utterance: UtteranceId(1), heard, by: Interruption::Speech };
            (*at_ms, event)
        };
        let told = stops_ms.iter().map(stop).collect();
        Recording { wire, caller_at_ms: 0.0, told, heard: Vec::new() }
    }

    fn over(label: &Label, recording: &Recording) -> Over {
        Talk::of(label, recording, &reference()).over().unwrap()
    }

    const SOFT: f32 = 0.25;

    #[test]
    fn times_count_from_the_callers_first_sound() {
        let recording = recording(wire(&[(100, SOFT), (106, 0.0)], 150), &[2500.0]);
        let over = over(&label("interruption", 1900, 3500), &recording);
        assert_eq!((over.duck_ms, over.pause_ms, over.stop_ms), (Some(110.0), Some(220.0), Some(600.0)));
        assert!(!over.is_down_before && over.is_heard() && over.heard_again_ms.is_none());
    }

    #[test]
    fn an_agent_that_was_turned_down_already_was_not_quick() {
        let recording = recording(wire(&[(80, SOFT), (110, 1.0), (120, SOFT), (130, 1.0)], 200), &[]);
        let over = over(&label("interruption", 2000, 3500), &recording);
        assert!(over.is_down_before);
        assert_eq!(over.duck_ms, Some(410.0), "the one that follows, not the one that was there");
        assert_eq!((over.pause_ms, over.is_heard()), (None, false));
        let paused = wire(&[(80, 0.0), (110, 1.0)], 200);
        assert!(self::over(&label("interruption", 2000, 3500), &self::recording(paused, &[])).is_down_before);
    }

    #[test]
    fn a_false_alarm_counts_from_the_first_moment_of_the_call() {
        let recording = recording(wire(&[(5, SOFT), (20, 1.0), (200, 0.0), (210, 1.0)], 300), &[]);
        let all = |kind, begin_ms| {
            let label = label(kind, begin_ms, begin_ms + 300);
            Talk::of(&label, &recording, &reference()).undisturbed()
        };
        let undisturbed = all("backchannel", 5000);
        assert_eq!((undisturbed.ducks, undisturbed.pauses, undisturbed.stops), (1, 1, 0));
        assert_eq!(undisturbed.begun, Some(Begun { ducks: 1, pauses: 0, stops: 0 }));
        assert!((undisturbed.talked_ms - 5000.0).abs() < 1.0, "{undisturbed:?}");
        let soon = all("early_interruption", 1000);
        assert_eq!((soon.ducks, soon.begun), (1, None), "its caller spoke too soon to tell");
    }

    #[test]
    fn what_happens_long_after_the_caller_is_a_false_alarm_again() {
        let with_duck_at = |frame| {
            let recording = recording(wire(&[(frame, SOFT), (frame + 10, 1.0)], 300), &[]);
            Talk::of(&label("noise", 1000, 1300), &recording, &reference()).undisturbed()
        };
        assert_eq!((with_duck_at(80).ducks, with_duck_at(200).ducks), (0, 1));
        // A second before the caller, and all but a second behind.
        assert!((with_duck_at(80).talked_ms - 4700.0).abs() < 1.0, "{:?}", with_duck_at(80));
    }

    #[test]
    fn an_agent_that_goes_on_over_its_caller_is_seen() {
        let heard_again = |gains: &[(usize, f32)], stops_ms: &[f32]| {
            let recording = recording(wire(gains, 250), stops_ms);
            over(&label("interruption", 2000, 4000), &recording).heard_again_ms
        };
        assert_eq!(heard_again(&[(110, 0.0), (130, 1.0)], &[]), Some(600.0));
        assert_eq!(heard_again(&[(110, 0.0), (195, 1.0)], &[]), None, "over the last 100 ms");
        assert_eq!(heard_again(&[(110, 0.0), (130, 1.0), (135, 0.0)], &[]), None, "silent at once");
        let stopped = heard_again(&[(110, 0.0), (150, 1.0)], &[2400.0]);
        assert_eq!(stopped, Some(1000.0), "it was stopped, and began anew");
    }

    #[test]
    fn a_false_stop_leaves_nothing_to_interrupt() {
        let recording = recording(wire(&[(50, 0.0)], 300), &[1100.0]);
        let label = label("interruption", 3000, 4000);
        let talk = Talk::of(&label, &recording, &reference());
        let undisturbed = talk.undisturbed();
        assert_eq!((talk.over(), undisturbed.stops), (None, 1));
        assert!((undisturbed.talked_ms - 1120.0).abs() < 1.0, "{undisturbed:?}");
        // Until the caller, and behind him.
        assert!((undisturbed.quiet_ms - 4000.0).abs() < 1.0, "{undisturbed:?}");
    }
}
