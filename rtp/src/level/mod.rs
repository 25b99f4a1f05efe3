//! How loud 8 kHz audio is, and what makes it as loud as it should be. Levels are in dB below full scale, of a square wave of which is 0:
//! what telephony calls dBov.

mod caller;
mod limiter;
mod loudness;
mod low_cut;

pub use caller::CallerGain;
pub use limiter::Limiter;
pub use loudness::Loudness;
pub use low_cut::LowCut;

/// Mean square of some samples; 0 of none.
#[must_use]
pub fn mean_square(samples: &[f32]) -> f32 {
    // Several sums side by side: one after the other, each addition would wait for the one before.
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, sample) in sums.iter_mut().zip(chunk) {
            *sum += sample * sample;
        }
    }
    let rest: f32 = rest.iter().map(|sample| sample * sample).sum();
    (sums.iter().sum::<f32>() + rest) / samples.len().max(1) as f32
}

/// Mean square of samples of 16 bits.
#[must_use]
pub fn power(samples: &[i16]) -> f32 {
    let sum: i64 = samples.iter().map(|&sample| i64::from(i32::from(sample) * i32::from(sample))).sum();
    sum as f32 / samples.len().max(1) as f32
}

/// A mean square of samples of 16 bits as a level; -96 for silence.
#[must_use]
pub fn dbfs(power: f32) -> f32 {
    (10.0 * (power.max(1e-9) / FULL_SCALE).log10()).max(LOWEST)
}

const LANES: usize = 8;
const FULL_SCALE: f32 = 32_768.0 * 32_768.0;
/// What 16 bits cannot be softer than.
const LOWEST: f32 = -96.0;
