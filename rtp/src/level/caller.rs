//! Brings a caller to the level that recognizers are trained with, slowly: what is loud stays louder than what is soft. Only what
//! was found to be speech moves the gain, so a pause does not bring up the noise in it.

use super::limiter::Limiter;
use super::{dbfs, power};
use crate::frame::FRAME_SAMPLES;

/// The gain of one caller.
#[derive(Clone, Copy, Debug)]
pub struct CallerGain {
    gain_db: f32,
    gain: f32,
    /// Mean square of speech, and frames that it is made of.
    speech: f32,
    frames: f32,
    limiter: Limiter,
}

impl CallerGain {
    /// A caller who has said nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { gain_db: 0.0, gain: 1.0, speech: 0.0, frames: 0.0, limiter: Limiter::new() }
    }

    /// Amplifies the next 20 ms, which are the caller's speech or are not.
    pub fn apply(&mut self, frame: &mut [i16; FRAME_SAMPLES], is_speech: bool) {
        let before = self.gain;
        if is_speech {
            self.follow(power(frame));
        }
        let step = (self.gain - before) / FRAME_SAMPLES as f32;
        let mut amplified = [0.0; FRAME_SAMPLES];
        for (n, (out, sample)) in amplified.iter_mut().zip(frame.iter()).enumerate() {
            *out = f32::from(*sample) * (before + step * (n + 1) as f32);
        }
        self.limiter.limit(&amplified, frame);
    }

    /// What the caller is amplified by, in dB.
    #[must_use]
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    fn follow(&mut self, power: f32) {
        self.frames = (self.frames + 1.0).min(MEMORY_FRAMES);
        self.speech += (power - self.speech) / self.frames;
        let wanted = (TARGET_DB - dbfs(self.speech)).clamp(LOWEST_DB, HIGHEST_DB);
        let step = if self.frames < MEMORY_FRAMES { FIRST_STEP_DB } else { STEP_DB };
        self.gain_db += (wanted - self.gain_db).clamp(-step, step);
        self.gain = 10.0_f32.powf(self.gain_db / 20.0);
    }
}

impl Default for CallerGain {
    fn default() -> Self {
        Self::new()
    }
}

/// ITU-T P.56: the active level that telephony is built for.
const TARGET_DB: f32 = -26.0;
/// More would bring up what is not meant to be heard.
const HIGHEST_DB: f32 = 30.0;
const LOWEST_DB: f32 = -20.0;
/// 3 s of speech.
const MEMORY_FRAMES: f32 = 150.0;
/// 40 dB in a second as long as the caller is new, 6 dB afterwards.
const FIRST_STEP_DB: f32 = 0.8;
const STEP_DB: f32 = 0.12;

#[cfg(test)]
mod tests {
    use super::*;

    /// Syllables of 200 ms with 100 ms between them, and what of it is speech.
    fn talk(level_db: f32, frames: usize) -> Vec<([i16; FRAME_SAMPLES], bool)> {
        let amplitude = 32_768.0 * 10.0_f32.powf(level_db / 20.0) * 2.0_f32.sqrt();
        let frame = |n: usize| {
            let is_speech = n % 15 < 10;
            let loudness = if is_speech { amplitude } else { 20.0 };
            let sample = |k: usize| {
                (loudness * ((n * FRAME_SAMPLES + k) as f32 * 0.4).sin()).clamp(-32_768.0, 32_767.0)
            };
            (std::array::from_fn(|k| sample(k) as i16), is_speech)
        };
        (0..frames).map(frame).collect()
    }

    fn level(frames: &[([i16; FRAME_SAMPLES], bool)]) -> f32 {
        let speech: Vec<f32> = frames.iter().filter(|(_, is)| *is).map(|(frame, _)| power(frame)).collect();
        dbfs(speech.iter().sum::<f32>() / speech.len() as f32)
    }

    fn amplified(gain: &mut CallerGain, level_db: f32, frames: usize) -> Vec<([i16; FRAME_SAMPLES], bool)> {
        let mut frames = talk(level_db, frames);
        frames.iter_mut().for_each(|(frame, is_speech)| gain.apply(frame, *is_speech));
        frames
    }

    #[test]
    fn callers_of_any_level_come_to_the_target_within_two_seconds() {
        for level_db in [-50.0, -45.0, -36.0, -26.0, -15.0, -6.0] {
            let frames = amplified(&mut CallerGain::new(), level_db, 300);
            let after = level(&frames[100..]);
            assert!((after + 26.0).abs() < 3.0, "{level_db}: {after}");
            assert!(
                frames.iter().all(|(frame, _)| frame.iter().all(|sample| sample.unsigned_abs() <= 32_700))
            );
        }
        let whisper = level(&amplified(&mut CallerGain::new(), -70.0, 300)[150..]);
        assert!((whisper + 40.0).abs() < 1.5, "no more than 30 dB: {whisper}");
    }

    #[test]
    fn pauses_move_nothing_and_steps_are_slow() {
        let mut gain = CallerGain::new();
        amplified(&mut gain, -36.0, 400);
        let before = gain.gain_db();
        for _ in 0..500 {
            gain.apply(&mut [30; FRAME_SAMPLES], false);
        }
        assert!((gain.gain_db() - before).abs() < f32::EPSILON);
        amplified(&mut gain, -20.0, 15);
        assert!((gain.gain_db() - before).abs() < 1.5, "one loud word is no new caller");
        amplified(&mut gain, -20.0, 400);
        assert!((gain.gain_db() + 6.0).abs() < 1.5, "{}", gain.gain_db());
    }
}
