//! Limits on what is let in: INVITEs per second and source, calls at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A token bucket per source address.
#[derive(Debug)]
pub struct InviteRate {
    per_second: f64,
    burst: f64,
    buckets: HashMap<IpAddr, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl InviteRate {
    /// `per_second` INVITEs of one source, with bursts of twice as many.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, burst: 2.0 * per_second, buckets: HashMap::new() }
    }

    /// Takes one token of `source`; false if it has none left.
    pub fn admit(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.buckets.len() >= MAX_SOURCES && !self.buckets.contains_key(&source) {
            self.forget_idle(now);
        }
        if self.buckets.len() >= MAX_SOURCES && !self.buckets.contains_key(&source) {
            return false;
        }
        let bucket = self.buckets.entry(source).or_insert(Bucket { tokens: self.burst, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// A bucket that has had time to fill up says nothing any more.
    fn forget_idle(&mut self, now: Instant) {
        self.buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < TIME_TO_FILL);
    }
}

/// Sources that are remembered at once; only addresses of trunks and of this host get here, so that more is an attack
/// from within a trunk's network.
const MAX_SOURCES: usize = 4096;
/// Burst divided by rate.
const TIME_TO_FILL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x7f00_0000 + n).into()
    }

    #[test]
    fn a_burst_of_twice_the_rate_passes_and_then_the_rate() {
        let (mut rate, start) = (InviteRate::new(10), Instant::now());
        let burst = (0..100).filter(|_| rate.admit(start, address(1))).count();
        assert_eq!(burst, 20);
        let second =
            (1..=100).filter(|n| rate.admit(start + Duration::from_millis(n * 10), address(1))).count();
        assert_eq!(second, 10);
        assert!(rate.admit(start, address(2)), "another source has its own bucket");
    }

    #[test]
    fn sources_beyond_the_table_are_refused_until_old_ones_are_idle() {
        let (mut rate, start) = (InviteRate::new(10), Instant::now());
        for n in 0..MAX_SOURCES as u32 {
            assert!(rate.admit(start, address(n)));
        }
        assert!(!rate.admit(start, address(1_000_000)));
        assert!(rate.admit(start + TIME_TO_FILL, address(1_000_000)));
        assert_eq!(rate.buckets.len(), 1);
    }
}
