//! Limits on what is let in: INVITEs per second and source, and re-INVITEs within one call.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::cause::HangupCause;
use super::exchange::Refusal;

/// A token bucket per source address, kept as the time at which it will be full again.
#[derive(Debug)]
pub struct InviteRate {
    /// Time in which one token comes back.
    interval: Duration,
    full_at: HashMap<IpAddr, Instant>,
}

impl InviteRate {
    /// `per_second` INVITEs of one source, with bursts of twice as many.
    pub fn new(per_second: u32) -> Self {
        Self { interval: TIME_TO_FILL / (BURST_SECONDS * per_second.max(1)), full_at: HashMap::new() }
    }

    /// Takes one token of `source`; false if it has none left.
    pub fn admit(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.full_at.len() >= MAX_SOURCES && !self.full_at.contains_key(&source) {
            self.forget_idle(now);
        }
        if self.full_at.len() >= MAX_SOURCES && !self.full_at.contains_key(&source) {
            return false;
        }
        let full_at = self.full_at.entry(source).or_insert(now);
        let after = (*full_at).max(now) + self.interval;
        if after.saturating_duration_since(now) > TIME_TO_FILL {
            return false;
        }
        *full_at = after;
        true
    }

    /// A full bucket says nothing any more.
    fn forget_idle(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
    }
}

/// A token bucket for the re-INVITEs of one call: each costs an answer, a negotiation and a milestone of the log.
#[derive(Clone, Debug)]
pub struct ReofferRate {
    full_at: Instant,
    refused: u64,
}

impl ReofferRate {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self { full_at: now, refused: 0 }
    }

    /// Takes one token; false, and counted, if there is none left.
    pub fn admit(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + REOFFER_INTERVAL;
        if full_at.saturating_duration_since(now) > REOFFER_INTERVAL * REOFFER_BURST {
            self.refused += 1;
            return false;
        }
        self.full_at = full_at;
        true
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// 500 with Retry-After, as RFC 3261 14.2 has it for a re-INVITE that comes too early; a 503 would make some peers give
    /// up the whole server.
    pub fn refusal() -> Refusal {
        Refusal { retry_after_s: Some(REOFFER_RETRY_S), ..Refusal::of(HangupCause::InternalError) }
    }
}

/// A phone that is put on hold and back by its user stays below two offers a second, and carriers refresh sessions every
/// few minutes.
const REOFFER_INTERVAL: Duration = Duration::from_millis(500);
/// Transfers and codec changes come in bursts of a few.
const REOFFER_BURST: u32 = 10;
const REOFFER_RETRY_S: u32 = 2;

/// Sources that are remembered at once; only addresses of trunks and of this host get here, so that more is an attack
/// from within a trunk's network.
const MAX_SOURCES: usize = 4096;
/// A burst is what this many seconds bring.
const BURST_SECONDS: u32 = 2;
const TIME_TO_FILL: Duration = Duration::from_secs(BURST_SECONDS as u64);

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
    fn reoffers_beyond_a_burst_come_at_their_rate_and_the_others_are_counted() {
        let start = Instant::now();
        let mut rate = ReofferRate::new(start);
        let burst = (0..1000).filter(|_| rate.admit(start)).count();
        assert_eq!((burst, rate.refused()), (10, 990));
        let later = (1..=1000).filter(|n| rate.admit(start + Duration::from_millis(n * 10))).count();
        assert_eq!(later, 20, "two a second for ten seconds");
    }

    #[test]
    fn sources_beyond_the_table_are_refused_until_old_ones_are_idle() {
        let (mut rate, start) = (InviteRate::new(10), Instant::now());
        for n in 0..MAX_SOURCES as u32 {
            assert!(rate.admit(start, address(n)));
        }
        assert!(!rate.admit(start, address(1_000_000)));
        assert!(rate.admit(start + TIME_TO_FILL, address(1_000_000)));
        assert_eq!(rate.full_at.len(), 1);
    }
}
