//! How loud a recognizer gets what callers say.

use serde::Serialize;

/// How levels are spread, in dBov.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Levels {
    /// How many callers.
    pub count: usize,
    /// 5 of 100 are no louder.
    pub p5: Option<f32>,
    /// Half of them are no louder.
    pub p50: Option<f32>,
    /// 95 of 100 are no louder.
    pub p95: Option<f32>,
    /// 95 of 100 are no farther from -26 dBov, in dB.
    pub error_p95: Option<f32>,
}

impl Levels {
    pub(super) fn of(levels: impl Iterator<Item = f32>) -> Self {
        let mut levels: Vec<f32> = levels.collect();
        levels.sort_by(f32::total_cmp);
        let mut errors: Vec<f32> = levels.iter().map(|level| (level - WANTED_DB).abs()).collect();
        errors.sort_by(f32::total_cmp);
        Self {
            count: levels.len(),
            p5: at(&levels, 5),
            p50: at(&levels, 50),
            p95: at(&levels, 95),
            error_p95: at(&errors, 95),
        }
    }
}

/// The value that so many percent of sorted ones do not exceed.
fn at(sorted: &[f32], percent: usize) -> Option<f32> {
    sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied()
}

/// ITU-T P.56, as recognizers want it.
const WANTED_DB: f32 = -26.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_who_is_too_loud_and_who_is_too_soft_are_far_off() {
        let levels = Levels::of((0..100).map(|n| -36.0 + 0.1 * n as f32).chain([-10.0]));
        assert_eq!((levels.count, levels.p5), (101, Some(-35.5)));
        assert_eq!((levels.p50, levels.p95), (Some(-31.0), Some(-26.5)));
        assert!((levels.error_p95.unwrap() - 9.6).abs() < 0.01, "{levels:?}");
        assert_eq!(Levels::of(std::iter::empty()), Levels::default());
    }
}
