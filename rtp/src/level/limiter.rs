//! Keeps what was amplified within 16 bits without clipping it: loud frames are turned down as a whole, within 2.5 ms and without
//! looking ahead, and what is too fast for that is bent, never cut.

use crate::level::LANES;

/// A limiter for frames or pieces of any length.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    gain: f32,
}

impl Limiter {
    /// One that has limited nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { gain: 1.0 }
    }

    /// Limits samples, which may be beyond full scale, and rounds them.
    pub fn limit(&mut self, from: &[f32], to: &mut [i16]) {
        let peak = peak(from).min(BEYOND_ALL);
        let wanted = if peak > KNEE { KNEE / peak } else { 1.0 };
        let released = self.gain * RELEASE.powi(i32::try_from(from.len() / 80).unwrap_or(i32::MAX).max(1));
        let target = wanted.min(released);
        let step = (target - self.gain) / RAMP as f32;
        for (n, (from, to)) in from.iter().zip(to.iter_mut()).enumerate() {
            let gain = if n < RAMP { self.gain + step * (n + 1) as f32 } else { target };
            // Within 16 bits by the bend, whatever comes.
            *to = super::rounded(bend(from * gain));
        }
        self.gain = target;
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

fn peak(samples: &[f32]) -> f32 {
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut peaks = [0.0_f32; LANES];
    for chunk in chunks {
        for (peak, sample) in peaks.iter_mut().zip(chunk) {
            *peak = peak.max(sample.abs());
        }
    }
    rest.iter().map(|sample| sample.abs()).chain(peaks).fold(0.0, f32::max)
}

/// Unchanged up to the knee, and beyond it ever flatter towards full scale.
fn bend(sample: f32) -> f32 {
    // The smaller of something and no number is the something.
    let size = sample.abs().min(BEYOND_ALL);
    let over = (size - KNEE).max(0.0) / (HIGHEST - KNEE);
    let bent = KNEE + (HIGHEST - KNEE) * over / (1.0 + over);
    if size > KNEE { bent.copysign(sample) } else { sample }
}

/// -3 dBFS.
const KNEE: f32 = 23_197.0;
const HIGHEST: f32 = 32_700.0;
/// No gain takes 16 bits so far.
const BEYOND_ALL: f32 = 1e9;
/// 2.5 ms.
const RAMP: usize = 20;
/// 0.2 dB every 10 ms.
const RELEASE: f32 = 1.023_3;

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(from: &[f32]) -> Vec<i16> {
        let mut limiter = Limiter::new();
        let mut to = vec![0; from.len()];
        for (from, to) in from.chunks(160).zip(to.chunks_mut(160)) {
            limiter.limit(from, to);
        }
        to
    }

    #[test]
    fn nothing_clips_and_what_is_soft_is_left_alone() {
        let tone =
            |amplitude: f32| -> Vec<f32> { (0..1_600).map(|n| amplitude * (n as f32 * 0.3).sin()).collect() };
        let soft = tone(20_000.0);
        assert!(limited(&soft).iter().zip(&soft).all(|(to, from)| (f32::from(*to) - from).abs() <= 0.5));
        let loud = limited(&tone(300_000.0));
        assert!(loud.iter().all(|sample| sample.unsigned_abs() <= 32_700));
        let settled = loud[160..].iter().map(|sample| sample.unsigned_abs()).max();
        assert!(settled <= Some(23_300), "a loud tone is turned down, not bent: {settled:?}");
    }

    #[test]
    fn what_is_no_number_does_no_harm() {
        let wild = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];
        assert!(limited(&wild).iter().all(|sample| sample.unsigned_abs() <= 32_700));
        let mut limiter = Limiter::new();
        limiter.limit(&wild, &mut [0; 4]);
        let mut out = [0; 160];
        for _ in 0..2_000 {
            limiter.limit(&[100.0; 160], &mut out);
        }
        assert_eq!(out, [100; 160], "it recovers");
    }
}
