//! What goes out: the playout ring through a gain that never jumps. Nothing is queued behind it, so what is decided in a tick is
//! on the wire in the same tick.

use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::playout::{Cursor, PlayoutRing, Pulled, UtteranceId};

/// The agent's voice on its way out.
#[derive(Debug)]
pub struct Mixer {
    ring: PlayoutRing,
    gain: f32,
    target: f32,
    /// What was cut: it still fades out.
    tail: Option<[i16; FADE_SAMPLES]>,
}

impl Mixer {
    /// A mixer with an empty ring of 400 ms.
    pub fn new() -> Self {
        Self { ring: PlayoutRing::new(SAMPLE_RATE), gain: 1.0, target: 1.0, tail: None }
    }

    /// Samples of an utterance; how many were taken.
    pub fn push(&mut self, utterance: UtteranceId, samples: &[i16]) -> usize {
        self.ring.push(utterance, samples)
    }

    /// No more samples of this utterance will come.
    pub fn finish(&mut self, utterance: UtteranceId) {
        self.ring.finish(utterance);
    }

    /// Samples that the ring can take.
    pub fn room(&self) -> usize {
        self.ring.credit()
    }

    /// Samples that wait.
    pub fn queued(&self) -> usize {
        self.ring.queued()
    }

    /// How much of which utterance was heard.
    pub fn cursor(&self) -> Option<Cursor> {
        self.ring.cursor()
    }

    /// 12 dB down, from the next frame on.
    pub fn duck(&mut self) {
        self.target = DUCKED;
    }

    /// As loud as it was made.
    pub fn restore(&mut self) {
        self.target = 1.0;
    }

    /// Stops within 5 ms. What was playing, or would have been next, and how much of it was heard.
    pub fn flush(&mut self) -> Option<Cursor> {
        let mut next = [0; FRAME_SAMPLES];
        let before = self.ring.cursor();
        let pulled = self.ring.pull(&mut next);
        let mut tail = [0; FADE_SAMPLES];
        tail.copy_from_slice(&next[..FADE_SAMPLES]);
        self.tail = (pulled.samples_filled > 0).then_some(tail);
        let flushed = self.ring.flush();
        let audible = FADE_SAMPLES.min(pulled.samples_filled) as u64;
        // The pull above ended an utterance whose end nobody will hear.
        let ended = pulled.finished.map(|utterance| Cursor { utterance, samples_heard: 0 });
        ended.or(flushed).map(|cursor| heard_of(cursor, before, audible))
    }

    /// The next 20 ms.
    pub fn pull(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> Pulled {
        let pulled = if let Some(tail) = self.tail.take() {
            frame.fill(0);
            self.fade_out(&tail, frame);
            Pulled::default()
        } else {
            let pulled = self.ring.pull(frame);
            self.apply_gain(frame);
            pulled
        };
        if self.ring.queued() == 0 && pulled.samples_filled == 0 {
            self.gain = self.target;
        }
        pulled
    }

    fn fade_out(&mut self, tail: &[i16; FADE_SAMPLES], frame: &mut [i16; FRAME_SAMPLES]) {
        for (n, (sample, out)) in tail.iter().zip(frame.iter_mut()).enumerate() {
            let factor = self.gain * (FADE_SAMPLES - n) as f32 / FADE_SAMPLES as f32;
            *out = scaled(*sample, factor);
        }
        self.gain = 1.0;
        self.target = 1.0;
    }

    fn apply_gain(&mut self, frame: &mut [i16; FRAME_SAMPLES]) {
        if self.gain == 1.0 && self.target == 1.0 {
            return;
        }
        let step = (self.target - self.gain) / RAMP_SAMPLES as f32;
        for (n, sample) in frame.iter_mut().enumerate() {
            let gain = if n < RAMP_SAMPLES { self.gain + step * (n + 1) as f32 } else { self.target };
            *sample = scaled(*sample, gain);
        }
        self.gain = self.target;
    }
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

/// How much of the flushed utterance was heard: what was before, and the part of the last frame that fades out.
fn heard_of(cursor: Cursor, before: Option<Cursor>, audible: u64) -> Cursor {
    let earlier = before.filter(|before| before.utterance == cursor.utterance);
    Cursor { samples_heard: earlier.map_or(0, |before| before.samples_heard) + audible, ..cursor }
}

fn scaled(sample: i16, gain: f32) -> i16 {
    // Gains do not exceed 1, so the product stays within 16 bits.
    (f32::from(sample) * gain).round() as i16
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
    fn an_empty_mixer_has_nothing_to_flush() {
        let mut mixer = Mixer::new();
        assert_eq!(mixer.flush(), None);
        assert_eq!(next(&mut mixer), [0; FRAME_SAMPLES]);
    }
}
