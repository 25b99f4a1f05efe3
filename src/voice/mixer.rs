//! What goes out: the playout ring through a gain that never jumps. Nothing is queued behind it, so what is decided in a tick is
//! on the wire in the same tick.

use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::level;
use caly_rtp::playout::{Cursor, PlayoutRing, Pulled, UtteranceId};

/// The agent's voice on its way out.
#[derive(Debug)]
pub struct Mixer {
    ring: PlayoutRing,
    next: Next,
    gain: f32,
    target: f32,
    /// How much of which utterance was heard.
    heard: Option<Cursor>,
}

/// What the next pull gives.
#[derive(Debug)]
enum Next {
    /// What waits in the ring.
    Ring,
    /// The same, fading out; it is kept to be said again.
    Pause,
    /// Silence, until it goes on with what was kept, if there was anything.
    Hold(Option<Kept>),
    /// What was kept, from its beginning.
    Resume(Kept),
    /// What was cut still fades out.
    Fade([i16; FADE_SAMPLES]),
}

/// The frame that was fading out when the agent paused.
#[derive(Debug)]
struct Kept {
    samples: [i16; FRAME_SAMPLES],
    pulled: Pulled,
}

impl Mixer {
    /// A mixer with an empty ring of 400 ms.
    pub fn new() -> Self {
        let ring = PlayoutRing::new(SAMPLE_RATE);
        Self { ring, next: Next::Ring, gain: 1.0, target: 1.0, heard: None }
    }

    /// Samples of an utterance; how many were taken.
    pub fn push(&mut self, utterance: UtteranceId, samples: &[i16]) -> usize {
        self.ring.push(utterance, samples)
    }

    /// No more samples of this utterance will come.
    pub fn finish(&mut self, utterance: UtteranceId) {
        self.ring.finish(utterance);
    }

    /// Samples that it can take, all that wait being at most 400 ms.
    pub fn room(&self) -> usize {
        self.ring.credit().saturating_sub(self.kept())
    }

    /// Samples that wait.
    pub fn queued(&self) -> usize {
        self.ring.queued() + self.kept()
    }

    /// How much of which utterance was heard; `None` before the first.
    pub fn cursor(&self) -> Option<Cursor> {
        self.heard
    }

    /// Samples that it could not take although their utterance is not over.
    pub fn refused_samples(&self) -> u64 {
        self.ring.counters().refused_samples
    }

    /// 12 dB down, from the next frame on.
    pub fn duck(&mut self) {
        self.target = DUCKED;
    }

    /// As loud as it was made.
    pub fn restore(&mut self) {
        self.target = 1.0;
    }

    /// Silence within 10 ms, from the next frame on. Nothing is lost.
    pub(crate) fn pause(&mut self) {
        match std::mem::replace(&mut self.next, Next::Pause) {
            Next::Ring | Next::Pause => {}
            // Still silent: it need not begin again only to fade out.
            Next::Resume(kept) => self.next = Next::Hold(Some(kept)),
            next @ (Next::Hold(_) | Next::Fade(_)) => self.next = next,
        }
    }

    /// Nothing of what waits is heard until it [goes on](Mixer::resume), as nothing of it has begun.
    pub(crate) fn hold(&mut self) {
        if let Next::Ring = self.next {
            self.next = Next::Hold(None);
        }
    }

    /// Goes on where it paused. The frame that faded out comes again, so 20 ms are repeated and nothing is skipped.
    pub(crate) fn resume(&mut self) {
        self.next = match std::mem::replace(&mut self.next, Next::Ring) {
            Next::Pause | Next::Hold(None) => Next::Ring,
            Next::Hold(Some(kept)) => Next::Resume(kept),
            next @ (Next::Ring | Next::Resume(_) | Next::Fade(_)) => next,
        };
    }

    /// Stops within 5 ms, drops all that waits, and is as loud as before for what comes then. What was playing, or would have
    /// been next, and how much of it was heard.
    pub fn flush(&mut self) -> Option<Cursor> {
        self.target = 1.0;
        match std::mem::replace(&mut self.next, Next::Ring) {
            Next::Ring | Next::Pause => self.cut(),
            Next::Hold(None) => {
                self.gain = 1.0;
                self.drop_waiting(Pulled::default(), 0)
            }
            Next::Hold(Some(kept)) | Next::Resume(kept) => {
                self.gain = 1.0;
                self.drop_waiting(kept.pulled, RAMP_SAMPLES)
            }
            Next::Fade(tail) => {
                self.next = Next::Fade(tail);
                self.drop_waiting(Pulled::default(), 0)
            }
        }
    }

    /// The next 20 ms.
    pub fn pull(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> Pulled {
        match std::mem::replace(&mut self.next, Next::Ring) {
            Next::Ring => {
                let pulled = self.ring.pull(frame);
                self.follow_gain(frame, self.target);
                self.heard = self.ring.cursor();
                if pulled.samples_filled == 0 {
                    // Nobody hears it change.
                    self.gain = self.target;
                }
                pulled
            }
            Next::Pause => {
                let pulled = self.ring.pull(frame);
                let is_any = pulled.samples_filled > 0 || pulled.finished.is_some();
                self.next = Next::Hold(is_any.then_some(Kept { samples: *frame, pulled }));
                self.follow_gain(frame, 0.0);
                Pulled::default()
            }
            Next::Hold(kept) => {
                self.next = Next::Hold(kept);
                frame.fill(0);
                Pulled::default()
            }
            Next::Resume(kept) => {
                *frame = kept.samples;
                self.follow_gain(frame, self.target);
                self.heard = self.ring.cursor();
                kept.pulled
            }
            Next::Fade(tail) => {
                frame.fill(0);
                for (n, (sample, out)) in tail.iter().zip(frame.iter_mut()).enumerate() {
                    let left = (FADE_SAMPLES - n) as f32 / FADE_SAMPLES as f32;
                    *out = scaled(*sample, self.gain * left);
                }
                self.gain = self.target;
                Pulled::default()
            }
        }
    }
}

impl Mixer {
    fn kept(&self) -> usize {
        match &self.next {
            Next::Hold(Some(kept)) | Next::Resume(kept) => kept.pulled.samples_filled,
            Next::Ring | Next::Pause | Next::Hold(None) | Next::Fade(_) => 0,
        }
    }

    fn cut(&mut self) -> Option<Cursor> {
        let mut frame = [0; FRAME_SAMPLES];
        let pulled = self.ring.pull(&mut frame);
        if pulled.samples_filled > 0 {
            let mut tail = [0; FADE_SAMPLES];
            tail.copy_from_slice(&frame[..FADE_SAMPLES]);
            self.next = Next::Fade(tail);
        } else {
            self.gain = 1.0;
        }
        self.drop_waiting(pulled, FADE_SAMPLES)
    }

    /// Empties the ring, whose last frame was `pulled` and could be heard for so many samples only.
    fn drop_waiting(&mut self, pulled: Pulled, audible: usize) -> Option<Cursor> {
        let last = self.ring.cursor();
        let waiting = self.ring.flush();
        // An utterance that ended in that frame fills it up to where the next one begins. It was not heard to its end.
        let ended = pulled.finished.map(|utterance| {
            let of_next =
                last.filter(|last| last.utterance != utterance).map_or(0, |last| last.samples_heard);
            let own = (pulled.samples_filled as u64).saturating_sub(of_next);
            (utterance, own)
        });
        // One without samples has no end to be cut off, if there is another one after it.
        let ended = ended.filter(|&(utterance, own)| {
            own > 0 || waiting.is_none() || self.heard.is_some_and(|heard| heard.utterance == utterance)
        });
        let (utterance, own) =
            ended.or(waiting.map(|waiting| (waiting.utterance, pulled.samples_filled as u64)))?;
        let earlier = self.heard.filter(|heard| heard.utterance == utterance);
        let samples_heard = earlier.map_or(0, |heard| heard.samples_heard) + own.min(audible as u64);
        let cursor = Cursor { utterance, samples_heard };
        if samples_heard > 0 {
            self.heard = Some(cursor);
        }
        Some(cursor)
    }

    fn follow_gain(&mut self, frame: &mut [i16; FRAME_SAMPLES], target: f32) {
        if self.gain == 1.0 && target == 1.0 {
            return;
        }
        let step = (target - self.gain) / RAMP_SAMPLES as f32;
        for (n, sample) in frame.iter_mut().enumerate() {
            let gain = if n < RAMP_SAMPLES { self.gain + step * (n + 1) as f32 } else { target };
            *sample = scaled(*sample, gain);
        }
        self.gain = target;
    }
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

fn scaled(sample: i16, gain: f32) -> i16 {
    // Gains do not exceed 1, so the product stays within 16 bits.
    level::rounded(f32::from(sample) * gain)
}

const SAMPLE_RATE: u32 = 8000;
/// -12 dB.
const DUCKED: f32 = 0.251_188_64;
/// 10 ms: fast enough for half of the frame to have the new level, slow enough not to click.
const RAMP_SAMPLES: usize = 80;
/// 5 ms.
const FADE_SAMPLES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: UtteranceId = UtteranceId(1);

    fn speaking() -> Mixer {
        let mut mixer = Mixer::new();
        assert_eq!(mixer.push(ONE, &[10_000; 3200]), 3200);
        mixer
    }

    fn next(mixer: &mut Mixer) -> [i16; FRAME_SAMPLES] {
        let mut frame = [0; FRAME_SAMPLES];
        mixer.pull(&mut frame);
        frame
    }

    #[test]
    fn ducking_is_12_db_within_the_next_frame_and_never_jumps() {
        let mut mixer = speaking();
        assert_eq!(next(&mut mixer), [10_000; FRAME_SAMPLES]);
        mixer.duck();
        let ramp = next(&mut mixer);
        let ducked = next(&mut mixer);
        let db = 20.0 * (f32::from(ducked[0]) / 10_000.0).log10();
        assert!((db + 12.0).abs() < 0.1, "{db}");
        assert_eq!(ramp[RAMP_SAMPLES..], ducked[RAMP_SAMPLES..]);
        mixer.restore();
        let back = next(&mut mixer);
        assert_eq!(next(&mut mixer), [10_000; FRAME_SAMPLES]);
        let all = [&[10_000][..], &ramp, &ducked, &back].concat();
        assert!(all.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 120), "a step is a click");
    }

    #[test]
    fn a_flush_fades_out_within_5_ms_and_counts_what_was_heard() {
        let mut mixer = speaking();
        next(&mut mixer);
        let cursor = mixer.flush().unwrap();
        assert_eq!((cursor.utterance, cursor.samples_heard), (ONE, 160 + FADE_SAMPLES as u64));
        let last = next(&mut mixer);
        assert!(last[..FADE_SAMPLES].is_sorted_by(|a, b| a > b));
        assert!(last[FADE_SAMPLES..].iter().all(|&sample| sample == 0));
        assert_eq!(next(&mut mixer), [0; FRAME_SAMPLES]);
        assert_eq!((mixer.queued(), mixer.room()), (0, 3200));
        assert_eq!(mixer.push(ONE, &[1; 10]), 0, "what is flushed does not come back");
        assert_eq!(mixer.push(UtteranceId(2), &[7; 160]), 160);
        assert_eq!(next(&mut mixer), [7; FRAME_SAMPLES], "a new utterance is as loud as it was made");
    }

    #[test]
    fn a_pause_is_silent_at_once_and_what_follows_repeats_20_ms_and_skips_nothing() {
        let mut mixer = Mixer::new();
        let ramp: Vec<i16> = (0..3200).map(|n| 5000 + n).collect();
        mixer.push(ONE, &ramp);
        assert_eq!(next(&mut mixer), ramp[..160]);
        mixer.pause();
        let fading = next(&mut mixer);
        assert!(fading[..RAMP_SAMPLES].is_sorted_by(|a, b| a > b));
        assert!(fading[RAMP_SAMPLES..].iter().all(|&sample| sample == 0));
        for _ in 0..7 {
            assert_eq!(next(&mut mixer), [0; FRAME_SAMPLES]);
        }
        assert_eq!(mixer.cursor().unwrap().samples_heard, 160, "what is said again is heard then");
        assert_eq!((mixer.queued(), mixer.room()), (3200 - 160, 160));
        mixer.resume();
        let back = next(&mut mixer);
        assert!(back[..RAMP_SAMPLES].is_sorted_by(|a, b| a < b));
        assert_eq!(back[RAMP_SAMPLES..], ramp[160 + RAMP_SAMPLES..320]);
        assert_eq!(next(&mut mixer), ramp[320..480]);
        assert_eq!(mixer.cursor().unwrap().samples_heard, 480);
        let all = [&ramp[..160], &fading, &back].concat();
        assert!(all.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 120), "a step is a click");
    }

    #[test]
    fn a_pause_that_is_over_before_it_began_is_not_heard() {
        let mut mixer = speaking();
        mixer.pause();
        mixer.resume();
        assert_eq!(next(&mut mixer), [10_000; FRAME_SAMPLES]);
        mixer.pause();
        next(&mut mixer);
        mixer.resume();
        mixer.pause();
        assert_eq!(next(&mut mixer), [0; FRAME_SAMPLES], "nothing was to be heard of it");
        mixer.resume();
        assert_eq!(next(&mut mixer)[RAMP_SAMPLES..], [10_000; FRAME_SAMPLES - RAMP_SAMPLES]);
        assert_eq!((mixer.queued(), mixer.cursor().unwrap().samples_heard), (3200 - 320, 320));
    }

    #[test]
    fn what_ends_in_a_pause_ends_when_it_is_heard() {
        let mut mixer = Mixer::new();
        mixer.push(ONE, &[10_000; 100]);
        mixer.finish(ONE);
        mixer.pause();
        let mut frame = [0; FRAME_SAMPLES];
        assert_eq!(mixer.pull(&mut frame).finished, None);
        assert_eq!(mixer.pull(&mut frame).finished, None);
        mixer.resume();
        assert_eq!(mixer.pull(&mut frame).finished, Some(ONE));
        assert_eq!(frame[99], 10_000);
    }

    #[test]
    fn a_flush_in_a_pause_counts_what_faded_out_and_the_next_utterance_is_loud() {
        let mut mixer = speaking();
        next(&mut mixer);
        mixer.duck();
        mixer.pause();
        next(&mut mixer);
        next(&mut mixer);
        let cursor = mixer.flush();
        assert_eq!(cursor, Some(Cursor { utterance: ONE, samples_heard: 160 + RAMP_SAMPLES as u64 }));
        assert_eq!(mixer.cursor(), cursor);
        mixer.push(UtteranceId(2), &[7000; 160]);
        assert_eq!(next(&mut mixer), [7000; FRAME_SAMPLES]);
    }

    #[test]
    fn the_cursor_never_says_more_than_was_heard() {
        let mut mixer = speaking();
        next(&mut mixer);
        let flushed = mixer.flush();
        assert_eq!(mixer.cursor(), flushed);
        next(&mut mixer);
        assert_eq!(mixer.cursor(), flushed, "the frame that was cut is not heard later");
        // Of an utterance that ends in the frame that is cut, and one that begins in it.
        let (two, three) = (UtteranceId(2), UtteranceId(3));
        mixer.push(two, &[10_000; 170]);
        mixer.push(three, &[10_000; 800]);
        next(&mut mixer);
        assert_eq!(mixer.flush(), Some(Cursor { utterance: two, samples_heard: 170 }));
        // One without a sample was not interrupted: the one after it was.
        let mut mixer = Mixer::new();
        mixer.finish(UtteranceId(4));
        mixer.push(UtteranceId(5), &[10_000; 800]);
        let cursor = mixer.flush().unwrap();
        assert_eq!((cursor.utterance, cursor.samples_heard), (UtteranceId(5), FADE_SAMPLES as u64));
    }

    #[test]
    fn a_second_flush_does_not_cut_off_the_fading() {
        let mut mixer = speaking();
        next(&mut mixer);
        mixer.flush();
        mixer.push(UtteranceId(2), &[3000; 160]);
        assert_eq!(mixer.flush(), Some(Cursor { utterance: UtteranceId(2), samples_heard: 0 }));
        assert_eq!(next(&mut mixer)[0], 10_000);
        assert_eq!(next(&mut mixer), [0; FRAME_SAMPLES]);
    }

    #[test]
    fn an_empty_mixer_has_nothing_to_flush() {
        let mut mixer = Mixer::new();
        assert_eq!(mixer.flush(), None);
        assert_eq!(next(&mut mixer), [0; FRAME_SAMPLES]);
    }
}
