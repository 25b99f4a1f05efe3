//! Levels, the telephone's band, and sounds put together.

/// RMS level in dBFS; -300 for silence.
pub(super) fn level(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return SILENCE_DBFS;
    }
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
    if power <= 0.0 { SILENCE_DBFS } else { (10.0 * (power / FULL_SCALE_POWER).log10()).max(SILENCE_DBFS) }
}

/// Level of what is not silence: blocks of 20 ms within 25 dB of the loudest. `None` if all is silence.
pub(super) fn active_level(samples: &[f32]) -> Option<f32> {
    let levels: Vec<f32> = samples.chunks(160).map(level).collect();
    let loudest = levels.iter().copied().fold(SILENCE_DBFS, f32::max);
    if loudest <= SILENCE_DBFS {
        return None;
    }
    let is_active = |level: &&f32| **level > loudest - ACTIVE_DB;
    let powers: Vec<f32> = levels.iter().filter(is_active).map(|level| 10f32.powf(level / 10.0)).collect();
    Some(10.0 * (powers.iter().sum::<f32>() / powers.len() as f32).log10())
}

/// Brings the active level to so many dBFS.
pub(super) fn scale_to(samples: &mut [f32], dbfs: f32) {
    let Some(level) = active_level(samples) else { return };
    amplify(samples, dbfs - level);
}

/// So many dB louder.
pub(super) fn amplify(samples: &mut [f32], db: f32) {
    let gain = amplitude(db);
    samples.iter_mut().for_each(|sample| *sample *= gain);
}

/// The factor of so many dB.
pub(super) fn amplitude(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Adds a sound that begins at a sample, as far as there is room for it.
pub(super) fn add(track: &mut [f32], from: usize, sound: &[f32]) {
    let Some(place) = track.get_mut(from..) else { return };
    place.iter_mut().zip(sound).for_each(|(sample, more)| *sample += more);
}

/// Adds a sound that has no beginning and no end, from so far into it, so many dB louder than it is.
pub(super) fn add_endless(track: &mut [f32], sound: &[f32], from: usize, db: f32) {
    if sound.is_empty() {
        return;
    }
    let gain = amplitude(db);
    for (n, sample) in track.iter_mut().enumerate() {
        *sample += gain * sound[(from + n) % sound.len()];
    }
}

/// Samples as they are sent; what is too loud is clipped, as a telephone does.
pub(super) fn to_pcm(track: &[f32]) -> Vec<i16> {
    // The clamp keeps the cast within 16 bits.
    track.iter().map(|sample| sample.clamp(-32_768.0, 32_767.0).round() as i16).collect()
}

/// A band filter: sections of second order (Butterworth, bilinear transform) at 8 kHz.
#[derive(Clone, Debug)]
pub(super) struct Band(Vec<Section>);

impl Band {
    /// 250 Hz to 3.5 kHz, fourth order at each end.
    pub(super) fn telephone() -> Self {
        Self(vec![
            Section::high_pass(250.0, 0.541),
            Section::high_pass(250.0, 1.307),
            Section::low_pass(3500.0, 0.541),
            Section::low_pass(3500.0, 1.307),
        ])
    }

    /// What lies below a frequency.
    pub(super) fn below(frequency: f32) -> Self {
        Self(vec![Section::low_pass(frequency, 0.707)])
    }

    /// What lies around a frequency.
    pub(super) fn around(frequency: f32, quality: f32) -> Self {
        Self(vec![Section::band_pass(frequency, quality)])
    }

    /// One sample through it.
    pub(super) fn pass(&mut self, sample: f32) -> f32 {
        self.0.iter_mut().fold(sample, |sample, section| section.pass(sample))
    }
}

/// Direct form II transposed.
#[derive(Clone, Debug)]
struct Section {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Section {
    fn low_pass(frequency: f32, quality: f32) -> Self {
        let (cos, alpha) = angle(frequency, quality);
        let b = (1.0 - cos) / 2.0;
        Self::normalised([b, 1.0 - cos, b], cos, alpha)
    }

    fn high_pass(frequency: f32, quality: f32) -> Self {
        let (cos, alpha) = angle(frequency, quality);
        let b = f32::midpoint(1.0, cos);
        Self::normalised([b, -1.0 - cos, b], cos, alpha)
    }

    fn band_pass(frequency: f32, quality: f32) -> Self {
        let (cos, alpha) = angle(frequency, quality);
        Self::normalised([alpha, 0.0, -alpha], cos, alpha)
    }

    fn normalised(b: [f32; 3], cos: f32, alpha: f32) -> Self {
        let a0 = 1.0 + alpha;
        Self { b: b.map(|b| b / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0], state: [0.0; 2] }
    }

    fn pass(&mut self, sample: f32) -> f32 {
        let out = self.b[0] * sample + self.state[0];
        self.state[0] = self.b[1] * sample - self.a[0] * out + self.state[1];
        self.state[1] = self.b[2] * sample - self.a[1] * out;
        out
    }
}

fn angle(frequency: f32, quality: f32) -> (f32, f32) {
    let omega = std::f32::consts::TAU * frequency / SAMPLE_RATE;
    (omega.cos(), omega.sin() / (2.0 * quality))
}

pub(super) const SAMPLE_RATE: f32 = 8000.0;
/// Below whatever is computed with, however small.
const SILENCE_DBFS: f32 = -300.0;
const FULL_SCALE_POWER: f32 = 32_768.0 * 32_768.0;
const ACTIVE_DB: f32 = 25.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f32, samples: usize) -> Vec<f32> {
        let step = std::f32::consts::TAU * frequency / SAMPLE_RATE;
        (0..samples).map(|n| 10_000.0 * (step * n as f32).sin()).collect()
    }

    #[test]
    fn the_telephone_takes_what_is_low_and_leaves_what_is_speech() {
        let through = |frequency| {
            let mut band = Band::telephone();
            let passed: Vec<f32> = tone(frequency, 8000).into_iter().map(|s| band.pass(s)).collect();
            level(&passed[4000..]) - level(&tone(frequency, 8000))
        };
        assert!(through(50.0) < -40.0, "{}", through(50.0));
        assert!(through(250.0) < -2.0 && through(250.0) > -4.0, "{}", through(250.0));
        assert!(through(1000.0).abs() < 0.2, "{}", through(1000.0));
        assert!(through(3950.0) < -20.0, "{}", through(3950.0));
    }

    #[test]
    fn a_level_is_that_of_the_speech_and_not_of_the_pauses() {
        let mut speech = [tone(500.0, 8000), vec![0.0; 16_000], tone(700.0, 8000)].concat();
        scale_to(&mut speech, -26.0);
        assert!((level(&speech[..8000]) + 26.0).abs() < 0.1, "{}", level(&speech[..8000]));
        assert_eq!(active_level(&[0.0; 400]), None);
    }
}
