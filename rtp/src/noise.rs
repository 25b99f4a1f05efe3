//! Takes steady noise - a car, a fan, a hiss - out of 8 kHz speech: each frequency is turned down by as much as noise fills it (a Wiener
//! filter with decision-directed estimates: Ephraim and Malah, IEEE Transactions ASSP 32, 1984). What follows it comes 12 ms later.

use crate::fft;
use crate::frame::FRAME_SAMPLES;

/// The noise of one caller. Nothing is allocated after construction.
#[derive(Clone, Debug)]
pub struct NoiseSuppressor {
    /// The end of the last frame.
    before: [f32; OVERLAP],
    /// What the last block leaves for the next frame.
    tail: [f32; OVERLAP],
    noise: [f32; BINS],
    /// Signal without noise in the last frame, by its power.
    clean: [f32; BINS],
    frames: u32,
}

impl NoiseSuppressor {
    /// A caller of whom nothing was heard.
    #[must_use]
    pub fn new() -> Self {
        Self {
            before: [0.0; OVERLAP],
            tail: [0.0; OVERLAP],
            noise: [0.0; BINS],
            clean: [0.0; BINS],
            frames: 0,
        }
    }

    /// Cleans the next 20 ms; what comes out begins 12 ms earlier.
    pub fn apply(&mut self, frame: &mut [i16; FRAME_SAMPLES]) {
        let mut block = [0.0; BLOCK];
        block[..OVERLAP].copy_from_slice(&self.before);
        for (out, sample) in block[OVERLAP..].iter_mut().zip(frame.iter()) {
            *out = f32::from(*sample);
        }
        self.before.copy_from_slice(&block[FRAME_SAMPLES..]);
        slope(&mut block);
        let (mut re, mut im) = ([0.0; BINS], [0.0; BINS]);
        fft::forward::<HALF>(&block, &mut re, &mut im);
        let gains = self.gains(&re, &im);
        for ((re, im), gain) in re.iter_mut().zip(&mut im).zip(&gains) {
            *re *= gain;
            *im *= gain;
        }
        fft::inverse::<HALF>(&re, &im, &mut block);
        slope(&mut block);
        for (out, tail) in block.iter_mut().zip(&self.tail) {
            *out += tail;
        }
        self.tail.copy_from_slice(&block[FRAME_SAMPLES..]);
        for (sample, out) in frame.iter_mut().zip(&block) {
            // Saturates where sums of bins exceed what came.
            *sample = crate::level::rounded(*out);
        }
    }

    fn gains(&mut self, re: &[f32; BINS], im: &[f32; BINS]) -> [f32; BINS] {
        self.frames = self.frames.saturating_add(1);
        let mut gains = [0.0; BINS];
        for n in 0..BINS {
            let power = re[n] * re[n] + im[n] * im[n] + 1.0;
            self.follow(n, power);
            let posterior = power / self.noise[n];
            let prior = MEMORY * self.clean[n] / self.noise[n] + (1.0 - MEMORY) * (posterior - 1.0).max(0.0);
            let gain = (prior / (1.0 + prior)).max(LEAST_GAIN);
            self.clean[n] = gain * gain * power;
            gains[n] = gain;
        }
        gains
    }

    /// The noise follows what is near it, and rises slowly to what lasts: speech leaves each frequency again within a second.
    fn follow(&mut self, n: usize, power: f32) {
        let noise = &mut self.noise[n];
        if self.frames <= FIRST_FRAMES {
            // What comes first is the room; speech in it is too little to stay.
            *noise = if self.frames == 1 { power } else { noise.min(power) + 0.2 * (power - *noise).abs() };
            return;
        }
        let near = power < NEAR * *noise;
        let speed = if near { 0.06 } else { 0.0 };
        *noise += speed * (power - *noise);
        if !near {
            *noise *= RISE;
        }
        *noise = noise.max(1.0);
    }
}

impl Default for NoiseSuppressor {
    fn default() -> Self {
        Self::new()
    }
}

/// Sine slopes at both ends, whose squares add up to 1 with the neighbours'.
fn slope(block: &mut [f32; BLOCK]) {
    for (n, slope) in SLOPE.iter().enumerate() {
        block[n] *= slope;
        block[BLOCK - 1 - n] *= slope;
    }
}

static SLOPE: std::sync::LazyLock<[f32; OVERLAP]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|n| ((n as f64 + 0.5) / OVERLAP as f64 * std::f64::consts::FRAC_PI_2).sin() as f32)
});

const BLOCK: usize = 256;
const HALF: usize = BLOCK / 2;
const BINS: usize = HALF + 1;
/// 12 ms.
const OVERLAP: usize = BLOCK - FRAME_SAMPLES;
/// 200 ms.
const FIRST_FRAMES: u32 = 10;
/// Above so many times the noise a bin is speech.
const NEAR: f32 = 5.0;
/// 4 dB in a second.
const RISE: f32 = 1.018_6;
/// Of the last frame's part in what is thought of the next.
const MEMORY: f32 = 0.97;
/// -14 dB: what is left of the noise sounds as it did.
const LEAST_GAIN: f32 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::level::power;

    fn speech() -> Vec<i16> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/prompts");
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|kind| kind == "ulaw"));
        paths.sort();
        let mut said = vec![0; 8_000];
        for path in paths.into_iter().take(8) {
            let mulaw = std::fs::read(path).unwrap();
            let mut samples = vec![0; mulaw.len()];
            Codec::Pcmu.decode(&mulaw, &mut samples);
            said.extend(samples);
            said.extend([0; 4_000]);
        }
        said.truncate(said.len() / FRAME_SAMPLES * FRAME_SAMPLES);
        said
    }

    fn cleaned(samples: &[i16]) -> Vec<i16> {
        let mut suppressor = NoiseSuppressor::new();
        let mut out = Vec::new();
        for frame in samples.chunks_exact(FRAME_SAMPLES) {
            let mut frame: [i16; FRAME_SAMPLES] = frame.try_into().unwrap();
            suppressor.apply(&mut frame);
            out.extend(frame);
        }
        out
    }

    /// What differs from the speech, 12 ms later.
    fn off(heard: &[i16], said: &[i16]) -> f32 {
        let off: Vec<i16> = heard[OVERLAP..].iter().zip(said).map(|(a, b)| a.saturating_sub(*b)).collect();
        power(&off)
    }

    #[test]
    fn white_noise_goes_down_and_the_voice_stays() {
        let said = speech();
        let mut state = 1_u32;
        let noise: Vec<i16> = said
            .iter()
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (((state >> 16) as i32 - 32_768) * 1_600 / 32_768) as i16
            })
            .collect();
        let noisy: Vec<i16> = said.iter().zip(&noise).map(|(a, b)| a.saturating_add(*b)).collect();
        let out = cleaned(&noisy);
        let gain_db = 10.0 * (power(&noise) / off(&out, &said)).log10();
        println!("SNR {:.1} dB, better by {gain_db:.1} dB", 10.0 * (power(&said) / power(&noise)).log10());
        assert!(gain_db > 3.0, "{gain_db}");
        let pause = 10.0 * (power(&noisy[4_000..7_000]) / power(&out[4_000..7_000])).log10();
        assert!(pause > 10.0, "{pause}");
        let voice = 10.0 * (power(&out[8_000..]) / power(&said[8_000..])).log10();
        assert!(voice.abs() < 1.5, "{voice}");
    }

    #[test]
    fn what_is_clean_stays_nearly_as_it_is_and_silence_is_silence() {
        let said = speech();
        let off = 10.0 * (power(&said) / off(&cleaned(&said), &said)).log10();
        assert!(off > 12.0, "{off}");
        assert!(cleaned(&[0; 8_000]).iter().all(|&sample| sample == 0));
        let loud = cleaned(&[i16::MIN; 8_000]);
        assert!(loud[2_000..].iter().all(|&sample| sample < 0));
    }
}
