//! The agent's own voice, coming back from the caller: found, measured, and taken out. A call without an echo pays for the search
//! alone.
//!
//! Three steps, each of which has to succeed before the next: `delay` finds a delay at which the caller's loudness moves like ours
//! did; `filter` has to explain what comes back by what was sent; then what it explains is taken out of what is heard. From the
//! first of them on there is a level below which a frame may be echo ([`EchoCanceller::hear`]).

mod delay;
mod filter;
mod reference;

use std::time::Duration;

use self::delay::{Candidate, DelayFinder};
use self::filter::{Filter, Powers, TAPS};
use self::reference::{Alignment, Reference};
use crate::frame::{FRAME_SAMPLES, MediaTime};
use crate::level::{dbfs, mean_square, power, rounded};

/// Takes what was sent out of what comes back, at 8 kHz. About 45 kB; nothing is allocated after construction.
#[derive(Debug)]
pub struct EchoCanceller {
    reference: Reference,
    alignment: Alignment,
    finder: DelayFinder,
    /// Places and powers of the caller's last frames.
    heard: [(u64, f32); HEARD],
    heard_count: usize,
    /// Powers of the last frames that were sent.
    sent: [f32; SENT],
    sent_count: usize,
    /// Frames until a delay would have stood out if there were an echo.
    unknown_frames: u32,
    filter: Box<Filter>,
    stage: Stage,
    /// Frames in which no delay is tried: the last one did not prove true.
    pause_frames: u32,
    gain: f32,
}

/// How a call's echo is, as it comes to the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EchoPath {
    /// From sending a sample to hearing it, measured on the caller's clock.
    pub delay: Duration,
    /// By how many dB it is softer than what was sent.
    pub return_loss_db: f32,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// No delay stands out.
    Searching,
    /// One does: does the filter agree?
    Trying(Way),
    /// It does.
    Cancelling(Way),
}

/// An echo's way, as far as it is known.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Samples from sending to the filter's first tap.
    offset: u64,
    /// Power that comes back of what was sent, by its loudness.
    return_gain: f32,
    /// Frames with something to cancel.
    frames: u32,
    sums: Powers,
    sent: f32,
    leak: Leak,
    /// How much of the echo may be left because the filter is young.
    unsettled: f32,
    /// Frames in a row that the filter made louder.
    failures: u32,
    /// The delay that the finder sees, and how often in a row it was another one than ours.
    elsewhere: (u64, u32),
}

/// How much of the echo is left, by how what is left moves with it. What the caller says moves otherwise.
#[derive(Clone, Copy, Debug)]
struct Leak {
    echo: f32,
    left: f32,
    both: f32,
    echo_squares: f32,
}

impl EchoCanceller {
    /// One that has sent and heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reference: Reference::new(),
            alignment: Alignment::default(),
            finder: DelayFinder::new(),
            heard: [(0, 0.0); HEARD],
            heard_count: 0,
            sent: [0.0; SENT],
            sent_count: 0,
            unknown_frames: UNKNOWN_FRAMES,
            filter: Box::new(Filter::new()),
            stage: Stage::Searching,
            pause_frames: 0,
            gain: 1.0,
        }
    }

    /// The next 20 ms that are sent; silence too, and for ticks that were missed.
    pub fn send(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        self.reference.push(frame);
        self.finder.send(frame);
        self.sent[self.sent_count % SENT] = power(frame);
        self.sent_count = self.sent_count.wrapping_add(1);
    }

    /// 20 ms of the caller, whose first sample has this media time. Takes the echo out where there is one, and returns the level
    /// in dB below full scale up to which what is left may still be echo: -96 where there is none. Frames come in the order of their media
    /// time; one that does not move it on is taken to follow the one before.
    pub fn hear(&mut self, media_time: MediaTime, frame: &mut [i16; FRAME_SAMPLES]) -> f32 {
        let (place, continues) = self.alignment.place(media_time, self.reference.end());
        if !continues {
            self.finder.reset();
            self.stage = Stage::Searching;
            self.unknown_frames = UNKNOWN_FRAMES;
        }
        self.heard[self.heard_count % HEARD] = (place, power(frame));
        self.heard_count = self.heard_count.wrapping_add(1);
        self.pause_frames = self.pause_frames.saturating_sub(1);
        let candidate = self.finder.hear(place, frame);
        let power = match self.stage {
            Stage::Searching => {
                if let Some(candidate) = candidate.filter(|_| self.pause_frames == 0) {
                    self.begin(candidate);
                }
                self.possible()
            }
            Stage::Trying(way) => self.attempt(way, place, frame),
            Stage::Cancelling(way) => self.cancel(way, place, frame),
        };
        self.reconsider(candidate);
        dbfs(power)
    }

    /// The echo that is being taken out; `None` as long as there is none, or it is too soft to be told from noise.
    #[must_use]
    pub fn path(&self) -> Option<EchoPath> {
        let Stage::Cancelling(way) = self.stage else { return None };
        if way.frames < SURE_FRAMES {
            return None;
        }
        let samples = way.offset + self.filter.strongest_tap() as u64;
        let loss = way.sent / way.sums.echo.max(f32::MIN_POSITIVE);
        Some(EchoPath {
            delay: MediaTime(samples).as_duration(CLOCK_RATE),
            return_loss_db: 10.0 * loss.max(f32::MIN_POSITIVE).log10(),
        })
    }
}

impl EchoCanceller {
    /// The power that may be echo while nobody can know yet whether there is one: the agent is not to be interrupted by the echo of
    /// its first words.
    fn possible(&mut self) -> f32 {
        if self.unknown_frames == 0 {
            return 0.0;
        }
        let loudest = self.sent.iter().copied().fold(0.0, f32::max);
        if loudest < AUDIBLE {
            return 0.0;
        }
        self.unknown_frames -= 1;
        loudest * POSSIBLE_ECHO
    }

    fn begin(&mut self, candidate: Candidate) {
        let return_gain = self.return_gain(candidate.delay);
        self.filter.reset(return_gain);
        self.stage = Stage::Trying(Way {
            offset: candidate.delay.saturating_sub(MARGIN),
            return_gain,
            frames: 0,
            sums: Powers::default(),
            sent: 0.0,
            leak: Leak::unknown(),
            unsettled: 1.0,
            failures: 0,
            elsewhere: (0, 0),
        });
    }

    /// Learns, and changes nothing yet. The power that may be echo.
    fn attempt(&mut self, mut way: Way, place: u64, frame: &[i16; FRAME_SAMPLES]) -> f32 {
        let Some(sent) = self.sent(&way, place) else { return 0.0 };
        let mut left = frame.map(f32::from);
        let powers = self.filter.cancel(&sent, &mut left);
        way.note(&powers, mean_square(&sent));
        // A caller who happened to speak like an echo must not be silenced by the suspicion for longer.
        let is_suspect = way.frames <= SUSPECT_FRAMES;
        let suspected = if is_suspect { loudest(&sent) * way.return_gain.min(LOUDEST_ECHO) } else { 0.0 };
        let power = suspected.max(self.possible());
        self.stage = if !way.is_finite() {
            self.give_up()
        } else if way.frames >= FEWEST_FRAMES && way.sums.heard > PROOF * way.sums.left {
            Stage::Cancelling(way)
        } else if way.frames >= MOST_FRAMES {
            self.give_up()
        } else {
            Stage::Trying(way)
        };
        power
    }

    /// Takes out what the filter explains. The power of what it leaves.
    fn cancel(&mut self, mut way: Way, place: u64, frame: &mut [i16; FRAME_SAMPLES]) -> f32 {
        let Some(sent) = self.sent(&way, place) else {
            self.soften(frame, 1.0);
            return 0.0;
        };
        let heard = frame.map(f32::from);
        let mut left = heard;
        let powers = self.filter.cancel(&sent, &mut left);
        way.note(&powers, mean_square(&sent));
        let unsettled = loudest(&sent) * way.return_gain.min(LOUDEST_ECHO) * way.unsettled;
        let residue = way.leak.of(&powers);
        if powers.left < powers.heard {
            for (out, left) in frame.iter_mut().zip(&left) {
                // Saturates: what is left may be above full scale where the echo clipped.
                *out = rounded(*left);
            }
        }
        let is_residue = powers.left < residue * GATE;
        self.soften(frame, if is_residue { SOFTENED } else { 1.0 });
        self.stage = Stage::Cancelling(way);
        if !way.is_finite() {
            self.stage = self.give_up();
        } else if way.failures >= PROBE_AFTER {
            self.search_near(way, place, &heard);
        } else if way.frames.is_multiple_of(CENTRE_FRAMES) {
            self.centre(way);
        }
        // A filter that makes it louder is wrong, and what it took for echo may be: no more of it, for the caller is not silenced by
        // an echo that nobody would hear beside him.
        let mistaken = if powers.left < powers.heard { 0.0 } else { powers.heard.min(powers.echo * WRONG) };
        residue.max(unsettled).max(mistaken)
    }

    /// The echo is not where it was. A jitter buffer moves by whole packets: does the filter fit there?
    fn search_near(&mut self, mut way: Way, place: u64, heard: &[f32; FRAME_SAMPLES]) {
        let mut best = (mean_square(heard) * FITS, None);
        for packets in [-3, -2, -1, 1, 2, 3] {
            let Some(offset) = way.offset.checked_add_signed(packets * FRAME_SAMPLES as i64) else {
                continue;
            };
            let Some(sent) = self.sent(&Way { offset, ..way }, place) else { continue };
            let left = self.filter.left_of(&sent, heard);
            if left < best.0 {
                best = (left, Some(offset));
            }
        }
        if let (_, Some(offset)) = best {
            way.offset = offset;
            way.failures = 0;
            self.finder.reset();
            self.stage = Stage::Cancelling(way);
        } else if way.failures >= FAILED {
            self.finder.reset();
            self.pause_frames = 0;
            self.stage = Stage::Searching;
        }
    }

    /// Keeps the echo in the middle of the taps although two clocks are never the same.
    fn centre(&mut self, mut way: Way) {
        let tap = self.filter.strongest_tap() as i64;
        let off = tap - MARGIN as i64;
        if off.abs() < FURTHEST_OFF {
            return;
        }
        if let Some(offset) = way.offset.checked_add_signed(off) {
            way.offset = offset;
            self.filter.shift(-off);
            self.stage = Stage::Cancelling(way);
        }
    }

    /// Where the finder sees the echo elsewhere again and again, and the filter explains little, it is right.
    fn reconsider(&mut self, candidate: Option<Candidate>) {
        let Some(candidate) = candidate else { return };
        let (Stage::Trying(way) | Stage::Cancelling(way)) = &mut self.stage else { return };
        let is_ours = (way.offset..way.offset + TAPS as u64 - MARGIN).contains(&candidate.delay);
        if is_ours || way.sums.heard > PROOF * way.sums.left {
            way.elsewhere = (0, 0);
            return;
        }
        let (delay, times) = way.elsewhere;
        let times = if delay.abs_diff(candidate.delay) <= MARGIN { times + 1 } else { 1 };
        way.elsewhere = (candidate.delay, times);
        if times >= ELSEWHERE {
            self.begin(candidate);
        }
    }

    fn give_up(&mut self) -> Stage {
        self.pause_frames = PAUSE_FRAMES;
        Stage::Searching
    }

    /// What was sent and may be heard now; `None` if nobody would hear it.
    fn sent(&self, way: &Way, place: u64) -> Option<[f32; filter::BLOCK]> {
        let mut sent = [0.0; filter::BLOCK];
        let end = (place + FRAME_SAMPLES as u64).checked_sub(way.offset)?;
        self.reference.before(end, &mut sent);
        (mean_square(&sent) > AUDIBLE).then_some(sent)
    }

    /// How much of what was sent came back lately with this delay, by loudness alone: the median over the frames in which something
    /// was sent, so that it does not matter what the caller said in some of them.
    fn return_gain(&self, delay: u64) -> f32 {
        let mut ratios = [0.0; HEARD];
        let mut count = 0;
        for &(place, heard) in &self.heard[..self.heard_count.min(HEARD)] {
            let Some(end) = (place + FRAME_SAMPLES as u64).checked_sub(delay) else { continue };
            let mut sent = [0.0; FRAME_SAMPLES];
            self.reference.before(end, &mut sent);
            let sent = mean_square(&sent);
            if sent > AUDIBLE * 30.0 {
                ratios[count] = heard / sent;
                count += 1;
            }
        }
        let ratios = &mut ratios[..count];
        ratios.sort_unstable_by(f32::total_cmp);
        ratios.get(count / 2).copied().unwrap_or(0.0).min(1.0)
    }

    /// Turns a frame down, without a step.
    fn soften(&mut self, frame: &mut [i16; FRAME_SAMPLES], target: f32) {
        if self.gain == 1.0 && target == 1.0 {
            return;
        }
        let step = (target - self.gain) / RAMP as f32;
        for (n, sample) in frame.iter_mut().enumerate() {
            let gain = if n < RAMP { self.gain + step * (n + 1) as f32 } else { target };
            // At most 1: stays within 16 bits.
            *sample = rounded(f32::from(*sample) * gain);
        }
        self.gain = target;
    }
}

impl Default for EchoCanceller {
    fn default() -> Self {
        Self::new()
    }
}

impl Way {
    fn note(&mut self, powers: &Powers, sent: f32) {
        self.frames = self.frames.saturating_add(1);
        self.sums.heard = FORGET * self.sums.heard + powers.heard;
        self.sums.left = FORGET * self.sums.left + powers.left;
        self.sums.echo = FORGET * self.sums.echo + powers.echo;
        self.sent = FORGET * self.sent + sent;
        self.leak.note(powers);
        self.unsettled *= SETTLES;
        let is_worse = powers.echo > 0.3 * powers.heard && powers.left > 0.8 * powers.heard;
        self.failures = if is_worse { self.failures + 1 } else { self.failures.saturating_sub(2) };
    }

    fn is_finite(&self) -> bool {
        (self.sums.heard + self.sums.left + self.sums.echo).is_finite()
    }
}

impl Leak {
    fn unknown() -> Self {
        Self { echo: 0.0, left: 0.0, both: 0.0, echo_squares: 0.0 }
    }

    fn note(&mut self, powers: &Powers) {
        let (echo, left) = (powers.echo - self.echo, powers.left - self.left);
        self.echo += LEAK_SPEED * echo;
        self.left += LEAK_SPEED * left;
        self.both += LEAK_SPEED * (echo * left - self.both);
        self.echo_squares += LEAK_SPEED * (echo * echo - self.echo_squares);
    }

    /// The power of the echo that is left in a frame.
    fn of(&self, powers: &Powers) -> f32 {
        let share = self.both / self.echo_squares.max(f32::MIN_POSITIVE);
        powers.echo.max(self.echo * 0.25) * share.clamp(LEAST_LEAK, 1.0)
    }
}

/// The mean square of the loudest 16 ms.
fn loudest(samples: &[f32]) -> f32 {
    samples.chunks(128).map(mean_square).fold(0.0, f32::max)
}

const CLOCK_RATE: u32 = 8_000;
/// Frames of the caller whose power is kept: 1.3 s, more than 0.6 s of them with what was sent still at hand.
const HEARD: usize = 64;
/// 600 ms: no echo takes longer.
const SENT: usize = 30;
/// 1 s of the agent's voice: the finder needs 0.7 if it is heard all the time, and the filter 0.2 to agree.
const UNKNOWN_FRAMES: u32 = 50;
/// -22 dB. With more, soft callers would not get a word in while the agent greets; less would let the echo of a poor line interrupt it.
const POSSIBLE_ECHO: f32 = 0.006;
/// 8 ms: so much earlier than the finder says the echo may begin.
const MARGIN: u64 = 64;
/// 5 ms off the middle before the taps are moved.
const FURTHEST_OFF: i64 = 40;
const CENTRE_FRAMES: u32 = 50;
/// Frames that a filter needs to show that it is right, and has to.
const FEWEST_FRAMES: u32 = 8;
const MOST_FRAMES: u32 = 75;
/// 500 ms in which a delay alone makes a level of echo.
const SUSPECT_FRAMES: u32 = 25;
/// -10 dB.
const LOUDEST_ECHO: f32 = 0.1;
/// 3 dB less: what has nothing to do with what was sent does not become softer.
const PROOF: f32 = 2.0;
/// One second, before the way is told.
const SURE_FRAMES: u32 = 50;
const PAUSE_FRAMES: u32 = 50;
/// Frames made louder before the echo is looked for one packet off, and before it is given up.
const PROBE_AFTER: u32 = 3;
const FAILED: u32 = 12;
/// What has to be left at most for a place to be the right one.
const FITS: f32 = 0.4;
/// Searches (80 ms apart) that see the echo elsewhere.
const ELSEWHERE: u32 = 4;
/// Over about 10 frames.
const FORGET: f32 = 0.9;
/// To a half in 500 ms.
const SETTLES: f32 = 0.973;
const LEAK_SPEED: f32 = 0.05;
/// -30 dB: G.711 leaves as much.
const LEAST_LEAK: f32 = 1e-3;
/// 6 dB.
const GATE: f32 = 4.0;
/// 3 dB.
const WRONG: f32 = 2.0;
/// -14 dB.
const SOFTENED: f32 = 0.2;
/// 5 ms.
const RAMP: usize = 40;
/// -60 dBFS: its echo is nothing.
const AUDIBLE: f32 = 1_074.0;

#[cfg(test)]
mod tests;
