//! Measuring tones in PCM: the level of one frequency (Goertzel), the frequency of a tone, and when it is there.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// G.711's sampling rate, the only one that these tests use.
pub(crate) const RATE_HZ: u32 = 8_000;

/// Level in dB of the whole signal; 0 dB is a sine of full scale.
pub(crate) fn level_db(samples: &[f64]) -> f64 {
    to_db(rms(samples) / FRAC_1_SQRT_2)
}

/// Level in dB of the part of the signal at `frequency_hz`; 0 dB is a sine of full scale.
pub(crate) fn tone_db(samples: &[f64], frequency_hz: f64) -> f64 {
    to_db(amplitude(samples, frequency_hz))
}

/// The strongest frequency between 100 and 3,900 Hz in the first second, to about a tenth of a hertz.
pub(crate) fn frequency_hz(samples: &[f64]) -> f64 {
    let samples = &samples[..samples.len().min(RATE_HZ as usize)];
    let strongest = |candidates: &mut dyn Iterator<Item = f64>| {
        candidates
            .map(|hz| (hz, amplitude(samples, hz)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((0.0, 0.0))
            .0
    };
    // One bin of the transform is the reciprocal of the length; half of it cannot miss a peak.
    let step = f64::from(RATE_HZ) / count(samples) / 2.0;
    let bins = ((3_900.0 - 100.0) / step) as u32;
    let coarse = strongest(&mut (0..=bins).map(|bin| 100.0 + f64::from(bin) * step));
    strongest(&mut (-50..=50).map(|part| coarse + f64::from(part) * step / 50.0))
}

/// Splits the signal into blocks of `block_ms` and tells each one's level at `frequency_hz` in dB.
pub(crate) fn tone_db_by_block(samples: &[f64], frequency_hz: f64, block_ms: u32) -> Vec<f64> {
    let block = (RATE_HZ / 1000 * block_ms) as usize;
    samples.chunks_exact(block).map(|part| tone_db(part, frequency_hz)).collect()
}

/// By how many samples `later` comes after `earlier` (0 to `at_most`), found by the greatest correlation.
pub(crate) fn delay_samples(earlier: &[f64], later: &[f64], at_most: usize) -> usize {
    let match_at =
        |delay: usize| -> f64 { earlier.iter().zip(later.iter().skip(delay)).map(|(a, b)| a * b).sum() };
    let best = (0..=at_most).map(|delay| (delay, match_at(delay))).max_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(0, |(delay, _)| delay)
}

/// `seconds` of a sine; `level_db` below a sine of full scale.
pub(crate) fn sine(frequency_hz: f64, level_db: f64, seconds: f64) -> Vec<f64> {
    let peak = 10_f64.powf(level_db / 20.0);
    let total = (seconds * f64::from(RATE_HZ)) as u32;
    (0..total).map(|n| peak * (TAU * frequency_hz * f64::from(n) / f64::from(RATE_HZ)).sin()).collect()
}

/// `seconds` of a sine whose frequency glides: it is like itself at no other time.
pub(crate) fn sweep(from_hz: f64, to_hz: f64, level_db: f64, seconds: f64) -> Vec<f64> {
    let peak = 10_f64.powf(level_db / 20.0);
    let total = (seconds * f64::from(RATE_HZ)) as u32;
    let phase = |n: u32| {
        let at = f64::from(n) / f64::from(RATE_HZ);
        TAU * (from_hz * at + (to_hz - from_hz) * at * at / (2.0 * seconds))
    };
    (0..total).map(|n| peak * phase(n).sin()).collect()
}

fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|sample| sample * sample).sum::<f64>() / count(samples)).sqrt()
}

/// The amplitude at one frequency, under a Hann window: without it a strong neighbour would leak in.
fn amplitude(samples: &[f64], frequency_hz: f64) -> f64 {
    let length = count(samples);
    let coefficient = 2.0 * (TAU * frequency_hz / f64::from(RATE_HZ)).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for (n, sample) in (0_u32..).zip(samples) {
        let window = 1.0 - (TAU * f64::from(n) / length).cos();
        (before, last) = (last, window * sample + coefficient * last - before);
    }
    let power = before * before + last * last - coefficient * before * last;
    2.0 * power.max(0.0).sqrt() / length
}

fn to_db(amplitude: f64) -> f64 {
    20.0 * amplitude.max(1e-9).log10()
}

fn count(samples: &[f64]) -> f64 {
    f64::from(u32::try_from(samples.len().max(1)).expect("a test's recording is short"))
}

/// Level of the 0 dBm0 milliwatt in dB below a sine of full 16-bit scale: the overload point of G.711 (+3.17 dBm0 in
/// µ-law, +3.14 dBm0 in A-law) lies just below it.
pub(crate) const MILLIWATT_DB: f64 = -3.2;
