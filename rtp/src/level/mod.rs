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
    squares(samples) as f32 / samples.len().max(1) as f32
}

/// The sum of their squares.
#[must_use]
pub fn squares(samples: &[i16]) -> u64 {
    // Two squares fit 32 bits: half the additions are narrow, and processors have an instruction for such pairs.
    let (pairs, rest) = samples.as_chunks::<2>();
    let square = |sample: i16| i32::from(sample) * i32::from(sample);
    let pairs: u64 =
        pairs.iter().map(|[a, b]| u64::from(square(*a).wrapping_add(square(*b)).cast_unsigned())).sum();
    pairs + rest.iter().map(|sample| u64::from(square(*sample).cast_unsigned())).sum::<u64>()
}

/// The nearest of 16 bits; what is beyond them saturates, and what is no number is 0. Without a call into the system's library, as
/// [`f32::round`] is where the processor may be of any age: on the way of each sample that would be most of the work.
#[must_use]
pub fn rounded(sample: f32) -> i16 {
    (sample + 0.5_f32.copysign(sample)) as i16
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_exact_up_to_full_scale_and_of_any_count() {
        for samples in [&[i16::MIN; 161][..], &[i16::MAX; 160], &[-3, 4, 12], &[]] {
            let expected: u64 = samples.iter().map(|&sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
            assert_eq!(squares(samples), expected);
        }
    }

    #[test]
    fn samples_are_rounded_to_the_nearest_and_saturate() {
        for n in -70_000..70_000 {
            let sample = n as f32 / 2.0;
            assert_eq!(rounded(sample), sample.round() as i16, "{sample}");
        }
        assert_eq!([f32::NAN, 1e9, -1e9].map(rounded), [0, i16::MAX, i16::MIN]);
    }
}
