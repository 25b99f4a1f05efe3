//! `tone`: the digital milliwatt of ITU-T G.711 at 1004 Hz, which carriers use to check a line's level.

use std::f64::consts::TAU;
use std::sync::LazyLock;
use std::time::Instant;

use caly_rtp::frame::FRAME_SAMPLES;

use super::{Begin, Destination};

/// Sends 1004 Hz at 0 dBm0 without end.
#[derive(Debug)]
pub struct Tone {
    position: usize,
}

impl Tone {
    /// A tone that starts at phase 0.
    pub fn new() -> Self {
        Self { position: 0 }
    }
}

impl Default for Tone {
    fn default() -> Self {
        Self::new()
    }
}

impl Destination for Tone {
    fn begin(&self) -> Begin {
        Begin::Answer
    }

    fn speak(&mut self, _now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        for sample in samples {
            *sample = MILLIWATT[self.position];
            self.position = (self.position + 1) % PERIOD;
        }
    }
}

/// 1004 Hz at 8000 Hz repeats after 2000 samples (251 cycles).
const PERIOD: usize = 2000;
/// A sine of this peak is 0 dBm0: full scale (32 636 in mu-law) is 3.17 dBm0.
const PEAK: f64 = 22_656.0;

static MILLIWATT: LazyLock<[i16; PERIOD]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let phase = TAU * 1004.0 * n as f64 / 8000.0;
        // The product lies within +-22 656, so the cast only rounds.
        (PEAK * phase.sin()).round() as i16
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_is_continuous_and_3_17_db_below_full_scale() {
        let (mut tone, now) = (Tone::new(), Instant::now());
        let mut heard = Vec::new();
        for _ in 0..100 {
            let mut frame = [0; FRAME_SAMPLES];
            tone.speak(now, &mut frame);
            heard.extend_from_slice(&frame);
        }
        let steepest = heard.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
        assert!(steepest < Some((PEAK * TAU * 1004.0 / 8000.0) as i32 + 2), "{steepest:?}");
        let energy: f64 = heard.iter().map(|&s| f64::from(s).powi(2)).sum();
        let rms = (energy / heard.len() as f64).sqrt();
        let below_full_scale = 20.0 * (rms * 2f64.sqrt() / 32_636.0).log10();
        assert!((below_full_scale + 3.17).abs() < 0.01, "{below_full_scale}");
    }
}
