//! The Fourier transform of short real frames. It is our own for one reason: a library that picks its code by the processor it finds
//! rounds differently from machine to machine, and a call that is run again elsewhere has to hear the same.
//!
//! Radix 2 in the self-sorting form (Stockham): every pass reads and writes in order, so that the compiler makes vectors of it.

use std::f64::consts::TAU;
use std::sync::LazyLock;

/// The spectrum of `2 * HALF` real samples: bins 0 to `HALF` of it, real and imaginary parts apart. `HALF` is a power of two, 256 at
/// most.
///
/// # Panics
///
/// If a slice has another length than `2 * HALF` samples and `HALF + 1` bins.
pub(crate) fn forward<const HALF: usize>(time: &[f32], re: &mut [f32], im: &mut [f32]) {
    let (time, re, im) = (&time[..2 * HALF], &mut re[..=HALF], &mut im[..=HALF]);
    let mut even = [0.0; HALF];
    let mut odd = [0.0; HALF];
    for ((pair, even), odd) in time.chunks_exact(2).zip(&mut even).zip(&mut odd) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    transform(&mut even, &mut odd);
    let stride = LARGEST_HALF / HALF;
    for bin in 0..=HALF {
        let (here, mirror) = (bin % HALF, (HALF - bin) % HALF);
        let (sum_re, sum_im) = (even[here] + even[mirror], odd[here] - odd[mirror]);
        let (diff_re, diff_im) = (even[here] - even[mirror], odd[here] + odd[mirror]);
        let (cos, sin) = TWIDDLES[bin * stride];
        re[bin] = 0.5 * (sum_re + cos * diff_im - sin * diff_re);
        im[bin] = 0.5 * (sum_im - cos * diff_re - sin * diff_im);
    }
}

/// The real samples of a spectrum: undoes [`forward`].
///
/// # Panics
///
/// If a slice has another length than `HALF + 1` bins and `2 * HALF` samples.
pub(crate) fn inverse<const HALF: usize>(re: &[f32], im: &[f32], time: &mut [f32]) {
    let (re, im, time) = (&re[..=HALF], &im[..=HALF], &mut time[..2 * HALF]);
    let mut even = [0.0; HALF];
    let mut odd = [0.0; HALF];
    let stride = LARGEST_HALF / HALF;
    for bin in 0..HALF {
        let mirror = HALF - bin;
        let (sum_re, sum_im) = (re[bin] + re[mirror], im[bin] - im[mirror]);
        let (diff_re, diff_im) = (re[bin] - re[mirror], im[bin] + im[mirror]);
        let (cos, sin) = TWIDDLES[bin * stride];
        even[bin] = sum_re - cos * diff_im - sin * diff_re;
        odd[bin] = sum_im + cos * diff_re - sin * diff_im;
    }
    // Real and imaginary part exchanged before and after: that turns the transform round.
    transform(&mut odd, &mut even);
    let scale = 0.5 / HALF as f32;
    for ((pair, even), odd) in time.chunks_exact_mut(2).zip(&even).zip(&odd) {
        (pair[0], pair[1]) = (even * scale, odd * scale);
    }
}

/// The complex transform, in place.
fn transform<const HALF: usize>(re: &mut [f32; HALF], im: &mut [f32; HALF]) {
    let mut other_re = [0.0; HALF];
    let mut other_im = [0.0; HALF];
    let (mut groups, mut width) = (HALF / 2, 1);
    let mut is_swapped = false;
    while groups > 0 {
        if is_swapped {
            pass((&other_re, &other_im), (re, im), groups, width);
        } else {
            pass((re, im), (&mut other_re, &mut other_im), groups, width);
        }
        is_swapped = !is_swapped;
        groups /= 2;
        width *= 2;
    }
    if is_swapped {
        *re = other_re;
        *im = other_im;
    }
}

/// One pass: `groups` butterflies, each over `width` neighbours. The narrow ones are made for their width, so that nothing is left of
/// the inner loop.
fn pass(from: (&[f32], &[f32]), to: (&mut [f32], &mut [f32]), groups: usize, width: usize) {
    match width {
        1 => pass_of::<1>(from, to, groups),
        2 => pass_of::<2>(from, to, groups),
        4 => pass_of::<4>(from, to, groups),
        8 => pass_of::<8>(from, to, groups),
        16 => pass_of::<16>(from, to, groups),
        32 => pass_of::<32>(from, to, groups),
        64 => pass_of::<64>(from, to, groups),
        _ => pass_of::<128>(from, to, groups),
    }
}

fn pass_of<const WIDTH: usize>(from: (&[f32], &[f32]), to: (&mut [f32], &mut [f32]), groups: usize) {
    let half = groups * WIDTH;
    let ((low_re, high_re), (low_im, high_im)) = (from.0.split_at(half), from.1.split_at(half));
    let lows = low_re.as_chunks::<WIDTH>().0.iter().zip(low_im.as_chunks::<WIDTH>().0);
    let highs = high_re.as_chunks::<WIDTH>().0.iter().zip(high_im.as_chunks::<WIDTH>().0);
    let out_re = to.0.as_chunks_mut::<WIDTH>().0.as_chunks_mut::<2>().0;
    let out_im = to.1.as_chunks_mut::<WIDTH>().0.as_chunks_mut::<2>().0;
    let turns = TWIDDLES.iter().step_by(LARGEST_HALF / groups);
    for (((low, high), (out_re, out_im)), (cos, sin)) in
        lows.zip(highs).zip(out_re.iter_mut().zip(out_im)).zip(turns)
    {
        for n in 0..WIDTH {
            out_re[0][n] = low.0[n] + high.0[n];
            out_im[0][n] = low.1[n] + high.1[n];
            let (re, im) = (low.0[n] - high.0[n], low.1[n] - high.1[n]);
            out_re[1][n] = cos * re + sin * im;
            out_im[1][n] = cos * im - sin * re;
        }
    }
}

const LARGEST_HALF: usize = 256;

/// Cosine and sine of every 512th of a turn, up to half a turn.
static TWIDDLES: LazyLock<[(f32, f32); LARGEST_HALF + 1]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let angle = TAU * n as f64 / (2 * LARGEST_HALF) as f64;
        (angle.cos() as f32, angle.sin() as f32)
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    fn signal<const N: usize>() -> [f32; N] {
        let mut state = 1_u32;
        std::array::from_fn(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 65_536.0 - 0.5 + (n as f32 * 0.37).sin()
        })
    }

    fn check<const N: usize, const HALF: usize>() {
        let time = signal::<N>();
        let (mut re, mut im) = (vec![0.0; HALF + 1], vec![0.0; HALF + 1]);
        forward::<HALF>(&time, &mut re, &mut im);
        for bin in 0..=HALF {
            let angle = |n: usize| -TAU * (n * bin % N) as f64 / N as f64;
            let sum = |part: fn(f64) -> f64| -> f64 {
                time.iter().enumerate().map(|(n, &x)| f64::from(x) * part(angle(n))).sum()
            };
            assert!((f64::from(re[bin]) - sum(f64::cos)).abs() < 1e-3, "{bin}");
            assert!((f64::from(im[bin]) - sum(f64::sin)).abs() < 1e-3, "{bin}");
        }
        let mut back = [0.0; N];
        inverse::<HALF>(&re, &im, &mut back);
        assert!(time.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn the_spectrum_is_that_of_the_definition_and_comes_back_as_it_was() {
        check::<512, 256>();
        check::<256, 128>();
    }
}
