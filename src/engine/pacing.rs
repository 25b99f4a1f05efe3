//! How precisely packets leave: a histogram of send time minus tick time, small enough to keep one per call.

use std::time::Duration;

/// Counts durations in buckets that grow by a quarter octave, from 8 µs to half a second.
#[derive(Clone, Debug)]
pub struct PacingHistogram {
    buckets: [u32; BUCKETS],
    count: u64,
}

impl PacingHistogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self { buckets: [0; BUCKETS], count: 0 }
    }

    /// Counts one duration.
    pub fn record(&mut self, error: Duration) {
        let micros = u32::try_from(error.as_micros()).unwrap_or(u32::MAX);
        let bucket = &mut self.buckets[bucket_of(micros)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds what another histogram has counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
        self.count += other.count;
    }

    /// The bound in microseconds that `percent` of the durations do not exceed; 0 if none was counted.
    pub fn percentile_us(&self, percent: f64) -> u32 {
        let wanted = (self.count as f64 * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        for (index, &bucket) in self.buckets.iter().enumerate() {
            seen += u64::from(bucket);
            if bucket > 0 && seen >= wanted {
                return upper_bound(index);
            }
        }
        0
    }
}

impl Default for PacingHistogram {
    fn default() -> Self {
        Self::new()
    }
}

fn bucket_of(micros: u32) -> usize {
    if micros < SMALLEST {
        return 0;
    }
    let octave = micros.ilog2();
    let quarter = (micros >> (octave - 2)) & 3;
    let index = 1 + (octave - SMALLEST.ilog2()) * 4 + quarter;
    (index as usize).min(BUCKETS - 1)
}

fn upper_bound(index: usize) -> u32 {
    let Some(index) = index.checked_sub(1) else { return SMALLEST };
    let octave = SMALLEST.ilog2() + index as u32 / 4;
    let quarter = index as u32 % 4;
    (1 << octave) + ((quarter + 1) << (octave - 2))
}

/// Below this the difference is the clock's own.
const SMALLEST: u32 = 8;
/// 16 octaves above 8 µs end at 524 ms; longer stalls are counted there.
const BUCKETS: usize = 1 + 16 * 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_never_below_and_at_most_a_quarter_above_what_was_counted() {
        for micros in [9, 15, 16, 17, 100, 999, 1000, 20_000, 400_000] {
            let bound = upper_bound(bucket_of(micros));
            assert!(bound > micros && bound <= micros + micros / 4 + 1, "{micros}: {bound}");
        }
    }

    #[test]
    fn percentiles_of_a_ramp() {
        let mut histogram = PacingHistogram::new();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let (p50, p99) = (histogram.percentile_us(50.0), histogram.percentile_us(99.0));
        assert!((500..=640).contains(&p50) && (990..=1280).contains(&p99), "{p50} {p99}");
        assert_eq!(PacingHistogram::new().percentile_us(99.0), 0);
    }
}
