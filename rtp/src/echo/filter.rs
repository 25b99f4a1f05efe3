//! The model of an echo's way and what it takes out: a Kalman filter in the frequency domain, one block of 20 ms at a time and without
//! delay (overlap-save with 512 samples, of which 160 are new: 352 taps, 44 ms).
//!
//! Each of the 257 bins keeps how unsure it is of its coefficient. Where what was not explained is loud - the caller speaks, or it is
//! noisy - the step becomes small by itself: there is no detector of double talk that could be wrong. (Enzner and Vary, "Frequency-
//! domain adaptive Kalman filter for acoustic echo control in hands-free telephones", Signal Processing 86, 2006.)

use crate::fft;
use crate::frame::FRAME_SAMPLES;
use crate::level::mean_square;

/// Coefficients and what is thought of them.
#[derive(Debug)]
pub(super) struct Filter {
    re: [f32; BINS],
    im: [f32; BINS],
    /// How far each coefficient may be off, squared.
    doubt: [f32; BINS],
    /// Power of what was not explained lately.
    unexplained: [f32; BINS],
    is_fresh: bool,
}

/// What one frame gave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Powers {
    /// Mean squares: of what came,
    pub(super) heard: f32,
    /// of the echo in it, as the filter has it,
    pub(super) echo: f32,
    /// and of what is left.
    pub(super) left: f32,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            re: [0.0; BINS],
            im: [0.0; BINS],
            doubt: [0.0; BINS],
            unexplained: [0.0; BINS],
            is_fresh: true,
        }
    }

    /// Begins anew, for an echo whose power is `return_gain` of what was sent.
    pub(super) fn reset(&mut self, return_gain: f32) {
        self.re.fill(0.0);
        self.im.fill(0.0);
        self.doubt.fill(return_gain.clamp(LEAST_DOUBT, 1.0) * FIRST_DOUBT);
        self.is_fresh = true;
    }

    /// Takes the echo of `sent`, which ends where the frame does, out of a frame, and learns from what is left.
    pub(super) fn cancel(&mut self, sent: &[f32; BLOCK], frame: &mut [f32; FRAME_SAMPLES]) -> Powers {
        let (mut re, mut im) = ([0.0; BINS], [0.0; BINS]);
        fft::forward::<HALF>(sent, &mut re, &mut im);
        let echo = self.echo(&re, &im);
        let mut left = [0.0; BLOCK];
        for ((left, heard), echo) in left[TAPS..].iter_mut().zip(frame.iter()).zip(&echo) {
            *left = heard - echo;
        }
        let powers =
            Powers { heard: mean_square(frame), echo: mean_square(&echo), left: mean_square(&left[TAPS..]) };
        frame.copy_from_slice(&left[TAPS..]);
        self.learn((&re, &im), &left);
        powers
    }

    /// What would be left of a frame if this were the echo in it.
    pub(super) fn left_of(&self, sent: &[f32; BLOCK], frame: &[f32; FRAME_SAMPLES]) -> f32 {
        let (mut re, mut im) = ([0.0; BINS], [0.0; BINS]);
        fft::forward::<HALF>(sent, &mut re, &mut im);
        let mut left = self.echo(&re, &im);
        left.iter_mut().zip(frame).for_each(|(left, heard)| *left = heard - *left);
        mean_square(&left)
    }

    /// Moves the taps back by so many samples, or forward if it is negative; what falls off the end is forgotten.
    pub(super) fn shift(&mut self, by: i64) {
        let mut taps = self.taps();
        let count = (by.unsigned_abs() as usize).min(TAPS);
        if by >= 0 {
            taps.copy_within(..TAPS - count, count);
            taps[..count].fill(0.0);
        } else {
            taps.copy_within(count..TAPS, 0);
            taps[TAPS - count..TAPS].fill(0.0);
        }
        fft::forward::<HALF>(&taps, &mut self.re, &mut self.im);
    }

    /// The tap with the most of the echo.
    pub(super) fn strongest_tap(&self) -> usize {
        let taps = self.taps();
        let stronger = |best: usize, n: usize| if taps[n].abs() > taps[best].abs() { n } else { best };
        (0..TAPS).fold(0, stronger)
    }

    fn taps(&self) -> [f32; BLOCK] {
        let mut taps = [0.0; BLOCK];
        fft::inverse::<HALF>(&self.re, &self.im, &mut taps);
        taps[TAPS..].fill(0.0);
        taps
    }

    fn echo(&self, re: &[f32; BINS], im: &[f32; BINS]) -> [f32; FRAME_SAMPLES] {
        let (mut out_re, mut out_im) = ([0.0; BINS], [0.0; BINS]);
        for n in 0..BINS {
            out_re[n] = re[n] * self.re[n] - im[n] * self.im[n];
            out_im[n] = re[n] * self.im[n] + im[n] * self.re[n];
        }
        let mut time = [0.0; BLOCK];
        fft::inverse::<HALF>(&out_re, &out_im, &mut time);
        let mut echo = [0.0; FRAME_SAMPLES];
        echo.copy_from_slice(&time[TAPS..]);
        echo
    }

    fn learn(&mut self, (re, im): (&[f32; BINS], &[f32; BINS]), left: &[f32; BLOCK]) {
        let (mut left_re, mut left_im) = ([0.0; BINS], [0.0; BINS]);
        fft::forward::<HALF>(left, &mut left_re, &mut left_im);
        let memory = if self.is_fresh { 0.0 } else { MEMORY };
        self.is_fresh = false;
        let (mut step_re, mut step_im) = ([0.0; BINS], [0.0; BINS]);
        for n in 0..BINS {
            let now = left_re[n] * left_re[n] + left_im[n] * left_im[n];
            self.unexplained[n] = memory * self.unexplained[n] + (1.0 - memory) * now;
            let sent = re[n] * re[n] + im[n] * im[n];
            // What stands out of the past is the caller, from his first frame on.
            let noise = self.unexplained[n].max(now * 0.5) * (1.0 / SHARE);
            let trust = self.doubt[n] / (sent * self.doubt[n] + noise + QUIET);
            step_re[n] = trust * (re[n] * left_re[n] + im[n] * left_im[n]);
            step_im[n] = trust * (re[n] * left_im[n] - im[n] * left_re[n]);
            let size = self.re[n] * self.re[n] + self.im[n] * self.im[n];
            let learnt = (1.0 - SHARE * trust * sent).max(0.0);
            self.doubt[n] = (STAYS * learnt * self.doubt[n] + (1.0 - STAYS) * size).max(LEAST_DOUBT * 1e-3);
        }
        // Only as many taps as a block has room for besides the frame.
        let mut taps = [0.0; BLOCK];
        fft::inverse::<HALF>(&step_re, &step_im, &mut taps);
        taps[TAPS..].fill(0.0);
        fft::forward::<HALF>(&taps, &mut step_re, &mut step_im);
        for n in 0..BINS {
            self.re[n] += step_re[n];
            self.im[n] += step_im[n];
        }
    }
}

pub(super) const BLOCK: usize = 512;
/// 44 ms of echo.
pub(super) const TAPS: usize = BLOCK - FRAME_SAMPLES;
const HALF: usize = BLOCK / 2;
const BINS: usize = HALF + 1;
/// How much of a block is the frame's.
const SHARE: f32 = FRAME_SAMPLES as f32 / BLOCK as f32;
/// Over about 60 ms.
const MEMORY: f32 = 0.7;
/// How much an echo's way stays the same from frame to frame, in power.
const STAYS: f32 = 0.98;
const FIRST_DOUBT: f32 = 4.0;
/// -60 dB.
const LEAST_DOUBT: f32 = 1e-6;
/// Bins of silence teach nothing: mean square 16, 512 samples.
const QUIET: f32 = 16.0 * 512.0;
