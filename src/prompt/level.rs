//! Makes what was synthesized sound like one prompt among others: no silence around it, and the same loudness.

/// Takes off the silence before and behind, and brings the speech between to the usual level.
pub(super) fn prepare(samples: &[i16]) -> Vec<i16> {
    let Some(range) = audible(samples) else { return Vec::new() };
    let mut prepared = samples[range].to_vec();
    let gain = gain_of(&prepared);
    for sample in &mut prepared {
        // The gain keeps the peak within full scale.
        *sample = (f32::from(*sample) * gain).round() as i16;
    }
    fade(&mut prepared);
    prepared
}

/// The samples from a little before the first block that is not silent to a little behind the last.
fn audible(samples: &[i16]) -> Option<std::ops::Range<usize>> {
    let is_audible = |block: &[i16]| block.iter().any(|sample| sample.unsigned_abs() > SILENCE_PEAK);
    let first = samples.chunks(BLOCK).position(is_audible)?;
    let last = samples.chunks(BLOCK).rposition(is_audible)?;
    let from = (first * BLOCK).saturating_sub(MARGIN);
    let to = ((last + 1) * BLOCK + MARGIN).min(samples.len());
    Some(from..to)
}

fn gain_of(samples: &[i16]) -> f32 {
    let squares = |block: &[i16]| block.iter().map(|&sample| f32::from(sample).powi(2)).sum::<f32>();
    let voiced: Vec<&[i16]> =
        samples.chunks(BLOCK).filter(|block| squares(block) / block.len() as f32 > VOICED_POWER).collect();
    let count: usize = voiced.iter().map(|block| block.len()).sum();
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    if count == 0 || peak == 0 {
        return 1.0;
    }
    let rms = (voiced.into_iter().map(squares).sum::<f32>() / count as f32).sqrt();
    (SPEECH_RMS / rms).min(HIGHEST_PEAK / f32::from(peak))
}

/// A cut in the middle of a breath would click.
fn fade(samples: &mut [i16]) {
    let length = FADE.min(samples.len() / 2);
    let count = samples.len();
    for n in 0..length {
        let factor = n as f32 / length as f32;
        for place in [n, count - 1 - n] {
            samples[place] = (f32::from(samples[place]) * factor).round() as i16;
        }
    }
}

/// 10 ms at 8 kHz.
const BLOCK: usize = 80;
/// About -50 dBFS.
const SILENCE_PEAK: u16 = 100;
/// 20 ms: soft consonants begin below the threshold.
const MARGIN: usize = 160;
/// 5 ms.
const FADE: usize = 40;
/// -45 dBFS: quieter blocks are pauses and do not count for the loudness.
const VOICED_POWER: f32 = 184.0 * 184.0;
/// -20 dBFS over the voiced parts, what telephone networks are built for (ITU-T P.56 level of -26 dBov and some).
const SPEECH_RMS: f32 = 3277.0;
/// -3 dBFS.
const HIGHEST_PEAK: f32 = 23_197.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, samples: usize) -> Vec<i16> {
        (0..samples).map(|n| (amplitude * (n as f32 * 0.3).sin()) as i16).collect()
    }

    fn rms(samples: &[i16]) -> f32 {
        (samples.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn silence_is_taken_off_and_every_voice_is_equally_loud() {
        for amplitude in [300.0, 3_000.0, 30_000.0] {
            let padded = [vec![0; 4000], tone(amplitude, 8000), vec![3; 8000]].concat();
            let prepared = prepare(&padded);
            assert!((8000..=8400).contains(&prepared.len()), "{}", prepared.len());
            let level = rms(&prepared[400..7800]);
            assert!((level / SPEECH_RMS - 1.0).abs() < 0.05, "{amplitude}: {level}");
            assert_eq!((prepared[0], *prepared.last().unwrap()), (0, 0));
        }
    }

    #[test]
    fn a_peak_is_never_clipped_and_silence_gives_nothing() {
        let mut click = vec![0; 8000];
        click[4000] = 32_000;
        assert!(prepare(&click).iter().all(|sample| f32::from(sample.unsigned_abs()) <= HIGHEST_PEAK + 1.0));
        assert!(prepare(&[0; 8000]).is_empty());
        assert!(prepare(&[]).is_empty());
    }
}
