//! What became of the agent's voice on the wire: what was sent is held against what would have been sent without a caller. Nothing is
//! taken from what the machines say of themselves.

/// What was done to the agent's voice, in samples of the wire from the beginning of the call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Played {
    /// Where it had become softer, and was not yet as loud as before.
    pub(super) ducks: Vec<Stretch>,
    /// Where it was silent although there was something to say.
    pub(super) pauses: Vec<Stretch>,
    /// How it went on after each pause that ended.
    pub(super) resumes: Vec<Resume>,
    /// How much softer the softer stretches were; `None` if there was none that lasted.
    pub(super) duck_db: Option<f32>,
    /// Frames that are neither.
    pub(super) strange_frames: usize,
}

impl Played {
    /// What was found in a later stretch of the same wire, from there to there. If it was stopped there for good, what was still
    /// going on ended there.
    pub(super) fn append(&mut self, later: Self, from: usize, to: usize, is_stopped: bool) {
        let end = is_stopped.then_some(to);
        let moved = |stretch: Stretch| Stretch {
            from: stretch.from + from,
            to: stretch.to.map(|to| to + from).or(end),
        };
        self.ducks.extend(later.ducks.into_iter().map(moved));
        self.pauses.extend(later.pauses.into_iter().map(moved));
        self.resumes.extend(later.resumes);
        // The one that is farther from what it should be tells more.
        let depths = self.duck_db.into_iter().chain(later.duck_db);
        self.duck_db = depths.max_by(|a, b| (a - DUCK_DB).abs().total_cmp(&(b - DUCK_DB).abs()));
        self.strange_frames += later.strange_frames;
    }
}

/// From where to where; `None` if it lasted to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: usize,
    pub(super) to: Option<usize>,
}

/// How it went on after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resume {
    /// Samples that were said a second time.
    pub(super) repeated: usize,
    /// Samples that were not said.
    pub(super) skipped: usize,
}

/// Follows a wire against its reference, frame by frame. Both begin with the call.
pub(super) fn follow(wire: &[i16], reference: &[i16]) -> Played {
    let mut follower = Follower {
        reference,
        place: 0,
        state: State::Full,
        faded_at: None,
        ducked: Energy::default(),
        played: Played::default(),
    };
    for (n, frame) in wire.chunks_exact(FRAME).enumerate() {
        follower.push(n * FRAME, frame);
    }
    follower.played.duck_db = follower.ducked.gain_db();
    follower.played
}

struct Follower<'a> {
    reference: &'a [i16],
    /// Where in the reference the next frame is expected.
    place: usize,
    state: State,
    /// Where in the reference the frame lies that faded out.
    faded_at: Option<usize>,
    ducked: Energy,
    played: Played,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Full,
    Ducked,
    Silent,
}

/// What of the reference is found in soft frames.
#[derive(Clone, Copy, Debug, Default)]
struct Energy {
    product: f64,
    power: f64,
}

impl Follower<'_> {
    fn push(&mut self, at: usize, frame: &[i16]) {
        let expected = self.reference.get(self.place..self.place + FRAME);
        let is_nothing_to_say = expected.is_none_or(|expected| peak(expected) <= SILENCE_PEAK);
        if peak(frame) <= SILENCE_PEAK {
            if is_nothing_to_say {
                self.place += FRAME;
            } else {
                self.silent(at);
            }
            return;
        }
        let end = &frame[HALF..];
        if peak(end) <= SILENCE_PEAK && !is_nothing_to_say {
            // It fades out in this frame; what comes later says whether for good.
            let last = frame.iter().rposition(|sample| sample.unsigned_abs() > SILENCE_PEAK).unwrap_or(0);
            self.faded_at = Some(self.place);
            self.place += FRAME;
            return self.silent(at + last + 1);
        }
        if self.state != State::Silent
            && let Some(gain) = self.gain_of(end, self.place + HALF)
        {
            self.loud(at, frame, gain);
            return;
        }
        match self.search(end) {
            Some((place, gain)) => {
                self.resumed(at, place);
                self.loud(at, frame, gain);
            }
            None => {
                self.played.strange_frames += 1;
                self.place += FRAME;
            }
        }
    }

    fn silent(&mut self, from: usize) {
        if self.state != State::Silent {
            self.close_duck(from);
            self.state = State::Silent;
            self.played.pauses.push(Stretch { from, to: None });
        }
    }

    fn resumed(&mut self, at: usize, place: usize) {
        if self.state == State::Silent {
            if let Some(pause) = self.played.pauses.last_mut() {
                pause.to = Some(at);
            }
            let faded_at = self.faded_at.take();
            let (heard_to, cut_at) = faded_at.map_or((self.place, self.place), |at| (at + FRAME, at));
            self.played.resumes.push(Resume {
                repeated: heard_to.saturating_sub(place),
                skipped: place.saturating_sub(cut_at),
            });
            self.state = State::Full;
        } else if place != self.place {
            // It jumped without a pause.
            let (repeated, skipped) = (self.place.saturating_sub(place), place.saturating_sub(self.place));
            self.played.resumes.push(Resume { repeated, skipped });
        }
        self.place = place;
    }

    fn loud(&mut self, at: usize, frame: &[i16], gain: f32) {
        let is_soft = gain < SOFT_GAIN;
        match (self.state, is_soft) {
            (State::Ducked, true) => {
                let begin_gain = self.gain_of(&frame[..HALF], self.place);
                let expected = &self.reference[self.place..self.place + FRAME];
                // The steps of G.711 are too coarse for what is soft already.
                let is_steady = begin_gain.is_some_and(|begin| (begin / gain - 1.0).abs() < 0.05);
                if is_steady && peak(expected) >= LOUD_PEAK {
                    self.ducked.add(frame, expected);
                }
            }
            (State::Full | State::Silent, true) => {
                self.state = State::Ducked;
                self.played.ducks.push(Stretch { from: at + HALF, to: None });
            }
            (State::Ducked | State::Silent, false) => {
                self.close_duck(at + HALF);
                self.state = State::Full;
            }
            (State::Full, false) => {}
        }
        self.place += FRAME;
    }

    fn close_duck(&mut self, to: usize) {
        if self.state == State::Ducked
            && let Some(duck) = self.played.ducks.last_mut()
        {
            duck.to = Some(to);
        }
    }

    /// How loud this is, if it is the reference from there on.
    fn gain_of(&self, heard: &[i16], place: usize) -> Option<f32> {
        let likeness = self.compare(heard, place)?;
        (likeness.part >= LEAST_LIKENESS).then_some(likeness.gain)
    }

    fn compare(&self, heard: &[i16], place: usize) -> Option<Likeness> {
        let expected = self.reference.get(place..place + heard.len())?;
        let (mut product, mut power, mut heard_power) = (0.0, 0.0, 0.0);
        for (&heard, &expected) in heard.iter().zip(expected) {
            let (heard, expected) = (f64::from(heard), f64::from(expected));
            product += heard * expected;
            power += expected * expected;
            heard_power += heard * heard;
        }
        if power <= 0.0 || heard_power <= 0.0 || product <= 0.0 {
            return None;
        }
        Some(Likeness { part: product * product / (power * heard_power), gain: (product / power) as f32 })
    }

    /// Where around the expected place this is found. Vowels are like themselves a few periods later: the place that is most
    /// like it is taken, whole frames first, because there it usually is.
    fn search(&self, end: &[i16]) -> Option<(usize, f32)> {
        let first = self.place.saturating_sub(SEARCH);
        let best = |places: &mut dyn Iterator<Item = usize>| {
            let likely = places.filter_map(|place| Some((place, self.compare(end, place + HALF)?)));
            let best = likely.max_by(|(_, a), (_, b)| a.part.total_cmp(&b.part))?;
            (best.1.part >= LEAST_LIKENESS).then_some((best.0, best.1.gain))
        };
        let behind = self.place + SEARCH;
        let frames = (self.place % FRAME..=behind).step_by(FRAME).filter(|place| *place >= first);
        best(&mut frames.into_iter()).or_else(|| best(&mut (first..=behind)))
    }
}

/// How much two sounds are alike, whatever their loudness.
#[derive(Clone, Copy, Debug)]
struct Likeness {
    /// 1 if they are the same but for their loudness.
    part: f64,
    gain: f32,
}

impl Energy {
    fn add(&mut self, heard: &[i16], expected: &[i16]) {
        for (&heard, &expected) in heard.iter().zip(expected) {
            self.product += f64::from(heard) * f64::from(expected);
            self.power += f64::from(expected) * f64::from(expected);
        }
    }

    fn gain_db(&self) -> Option<f32> {
        (self.power > 0.0 && self.product > 0.0).then(|| (20.0 * (self.product / self.power).log10()) as f32)
    }
}

/// The loudest sample.
pub(super) fn peak(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

const FRAME: usize = 160;
/// Gains move within the first half of a frame.
const HALF: usize = 80;
/// About -66 dBFS: the agents of trials are never softer while they talk, not even 12 dB down.
pub(super) const SILENCE_PEAK: u16 = 16;
/// About -24 dBFS.
const LOUD_PEAK: u16 = 2000;
/// What a duck should be.
pub(super) const DUCK_DB: f32 = -12.0;
/// -6 dB: half way to -12.
const SOFT_GAIN: f32 = 0.5;
/// G.711 of soft sounds leaves a likeness of 0.99.
const LEAST_LIKENESS: f64 = 0.9;
/// 200 ms: whoever goes on further away skips or repeats far too much.
const SEARCH: usize = 1600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::random::Random;
    use crate::voice::exchange::UtteranceId;
    use crate::voice::mixer::Mixer;

    fn speech() -> Vec<i16> {
        let mut random = Random::new(5);
        (0..16_000).map(|n| (random.normal() * if n % 4000 < 3000 { 3000.0 } else { 100.0 }) as i16).collect()
    }

    type Action = (usize, fn(&mut Mixer));

    /// What the mixer sends when these things are done to it before these frames.
    fn sent(actions: &[Action]) -> Vec<i16> {
        let (mut mixer, speech) = (Mixer::new(), speech());
        let (mut pushed, mut wire) = (0, Vec::new());
        for n in 0..80 {
            pushed += mixer.push(UtteranceId(1), &speech[pushed..]);
            actions.iter().filter(|(at, _)| *at == n).for_each(|(_, act)| act(&mut mixer));
            let mut frame = [0; FRAME];
            mixer.pull(&mut frame);
            wire.extend(frame);
        }
        wire
    }

    #[test]
    fn an_undisturbed_agent_is_nothing_but_its_reference() {
        assert_eq!(follow(&sent(&[]), &speech()), Played::default());
    }

    #[test]
    fn a_duck_is_found_with_its_depth() {
        let played = follow(&sent(&[(10, Mixer::duck), (20, Mixer::restore)]), &speech());
        assert_eq!(played.ducks, [Stretch { from: 10 * FRAME + HALF, to: Some(20 * FRAME + HALF) }]);
        assert!((played.duck_db.unwrap() + 12.0).abs() < 0.02, "{played:?}");
        assert_eq!((played.pauses, played.strange_frames), (vec![], 0));
    }

    #[test]
    fn a_pause_that_ends_repeats_a_frame_and_skips_nothing() {
        let played = follow(
            &sent(&[
                (10, Mixer::duck),
                (14, Mixer::pause),
                (25, |mixer| {
                    mixer.resume();
                    mixer.restore();
                }),
            ]),
            &speech(),
        );
        let [pause] = played.pauses[..] else { panic!("{played:?}") };
        assert!((14 * FRAME..=14 * FRAME + HALF).contains(&pause.from) && pause.to == Some(25 * FRAME));
        assert_eq!(played.resumes, [Resume { repeated: FRAME, skipped: 0 }]);
        assert_eq!(played.ducks.len(), 1);
        assert_eq!(played.strange_frames, 0);
    }

    #[test]
    fn what_is_skipped_is_seen() {
        let (speech, mut wire) = (speech(), sent(&[(10, Mixer::pause)]));
        wire.truncate(20 * FRAME);
        wire.extend(&speech[13 * FRAME..40 * FRAME]);
        let played = follow(&wire, &speech);
        assert_eq!(played.resumes, [Resume { repeated: 0, skipped: 3 * FRAME }]);
    }

    #[test]
    fn a_vowel_is_not_taken_for_itself_one_period_later() {
        let vowel = |n: usize| {
            let slow = 1.0 + 0.1 * (n as f32 / 900.0).sin();
            (4000.0 * slow * (n as f32 * std::f32::consts::TAU / 80.0).sin()) as i16
        };
        let speech: Vec<i16> = (0..16_000).map(vowel).collect();
        let mut wire = speech[..10 * FRAME].to_vec();
        wire.extend(
            speech[10 * FRAME..10 * FRAME + HALF]
                .iter()
                .enumerate()
                .map(|(n, s)| (f32::from(*s) * (HALF - n) as f32 / HALF as f32) as i16),
        );
        wire.resize(15 * FRAME, 0);
        wire.extend(&speech[10 * FRAME..40 * FRAME]);
        assert_eq!(follow(&wire, &speech).resumes, [Resume { repeated: FRAME, skipped: 0 }]);
    }

    #[test]
    fn a_flush_is_a_pause_without_an_end() {
        let played = follow(&sent(&[(10, |mixer| assert!(mixer.flush().is_some()))]), &speech());
        // What was flushed does not come back, but what is pushed behind it is not what was expected.
        assert_eq!(played.pauses.len(), 1);
        assert!(played.pauses[0].from < 10 * FRAME + HALF);
    }
}
