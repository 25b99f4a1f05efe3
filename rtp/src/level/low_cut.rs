//! Takes out what lies below the telephone band: a constant offset, the hum of the mains and rumble make a line look loud and are no
//! voice.

/// A high-pass of 100 Hz, second order (Butterworth), at 8 kHz: nothing is left of an offset, 12 dB less of a hum of 50 Hz, 3 dB at 100 Hz
/// and 0.1 dB less at 250 Hz.
#[derive(Clone, Debug, Default)]
pub struct LowCut {
    /// What goes on from sample to sample (direct form II, transposed).
    state: [f32; 2],
}

impl LowCut {
    /// The next samples, in place.
    pub fn apply(&mut self, samples: &mut [i16]) {
        let [mut first, mut second] = self.state;
        for sample in samples {
            let input = f32::from(*sample);
            let output = B0 * input + first;
            first = B1 * input - A1 * output + second;
            second = B0 * input - A2 * output;
            // Saturates: an offset that ends may swing as far.
            *sample = super::rounded(output);
        }
        // What silence leaves of it becomes too small to be computed with at full speed.
        self.state = [first, second].map(|state| if state.abs() < 1.0e-3 { 0.0 } else { state });
    }
}

// Written out, so that every machine computes with the same: w = 2 pi 100 / 8000, alpha = sin w / sqrt 2.
const B0: f32 = 0.945_976_86;
const B1: f32 = -1.891_953_7;
const A1: f32 = -1.889_033_1;
const A2: f32 = 0.894_874_34;

#[cfg(test)]
mod tests {
    use super::*;

    fn level_left(hz: f32) -> f32 {
        let tone = |n: usize| (8_000.0 * (std::f32::consts::TAU * hz * n as f32 / 8_000.0).sin()) as i16;
        let mut samples: Vec<i16> = (0..8_000).map(tone).collect();
        let before = crate::level::power(&samples[4_000..]);
        let mut cut = LowCut::default();
        samples.chunks_mut(160).for_each(|frame| cut.apply(frame));
        10.0 * (crate::level::power(&samples[4_000..]) / before).log10()
    }

    #[test]
    fn voices_stay_and_what_is_below_them_goes() {
        for (hz, least, most) in
            [(50.0, -13.0, -11.5), (100.0, -3.2, -2.8), (250.0, -0.2, 0.0), (1_000.0, -0.05, 0.05)]
        {
            let level = level_left(hz);
            assert!((least..=most).contains(&level), "{hz} Hz: {level} dB");
        }
    }

    #[test]
    fn an_offset_is_gone_within_a_frame_or_two_and_full_scale_does_not_wrap() {
        let mut cut = LowCut::default();
        let mut samples = [9_000; 800];
        cut.apply(&mut samples);
        assert!(samples[240..].iter().all(|sample| sample.abs() <= 60), "{:?}", &samples[240..260]);
        let mut cut = LowCut::default();
        cut.apply(&mut [i16::MIN; 160]);
        let mut samples = [i16::MAX; 160];
        cut.apply(&mut samples);
        assert_eq!(samples[0], i16::MAX);
    }

    #[test]
    fn silence_behind_sound_is_silence() {
        let mut cut = LowCut::default();
        cut.apply(&mut [12_345; 160]);
        for _ in 0..100 {
            cut.apply(&mut [0; 160]);
        }
        assert_eq!(cut.state, [0.0; 2]);
    }
}
