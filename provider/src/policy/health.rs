//! Whether a provider is worth asking: the circuit breaker that all calls of a process share. It is a few numbers, and nobody waits for
//! anybody.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Fault;

/// What is known of one provider.
#[derive(Debug)]
pub struct Health {
    epoch: Instant,
    /// Failures in a row.
    failed: AtomicU32,
    /// Nobody asks before that many milliseconds since the epoch.
    shut_until_ms: AtomicU64,
}

impl Health {
    /// Of a provider that nobody has asked yet. All times given later lie behind `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, failed: AtomicU32::new(0), shut_until_ms: AtomicU64::new(0) }
    }

    /// Whether to ask. Of all who wonder after it was left alone for a while, one is told yes; the others when that one had success.
    pub fn may_try(&self, now: Instant) -> bool {
        if self.failed.load(Ordering::Relaxed) < FAILURES_TO_SHUT {
            return true;
        }
        let (now_ms, until) = (self.millis(now), self.shut_until_ms.load(Ordering::Relaxed));
        let trial = now_ms + as_millis(TRIAL);
        now_ms >= until
            && self.shut_until_ms.compare_exchange(until, trial, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The same without becoming the one who tries.
    pub fn is_shut(&self, now: Instant) -> bool {
        self.failed.load(Ordering::Relaxed) >= FAILURES_TO_SHUT
            && self.millis(now) < self.shut_until_ms.load(Ordering::Relaxed)
    }

    /// It did what it was asked.
    pub fn succeeded(&self) {
        self.failed.store(0, Ordering::Relaxed);
    }

    /// It did not. What will not change by itself shuts it at once, and for longer.
    pub fn failed(&self, now: Instant, fault: &Fault) {
        let failed = if fault.kind.is_permanent() {
            self.failed.fetch_max(FAILURES_TO_SHUT, Ordering::Relaxed).max(FAILURES_TO_SHUT)
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed).saturating_add(1)
        };
        if failed < FAILURES_TO_SHUT {
            return;
        }
        let least = if fault.kind.is_permanent() { SHUT_PERMANENT } else { SHUT };
        let shut = least.max(fault.retry_after.unwrap_or_default()).min(LONGEST_SHUT);
        self.shut_until_ms.fetch_max(self.millis(now) + as_millis(shut), Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        as_millis(now.saturating_duration_since(self.epoch))
    }
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One failure is an accident, and so may a second be.
const FAILURES_TO_SHUT: u32 = 3;
/// Long enough to recover a little, short enough that calls do not stay with a worse provider.
const SHUT: Duration = Duration::from_secs(20);
/// A wrong key is mended by people; then nobody wants to wait for long.
const SHUT_PERMANENT: Duration = Duration::from_secs(60);
/// Some vendors name the end of the month.
const LONGEST_SHUT: Duration = Duration::from_secs(300);
/// So long the one who tries has the provider to himself.
const TRIAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::FaultKind;

    fn at(health: &Health, seconds: u64) -> Instant {
        health.epoch + Duration::from_secs(seconds)
    }

    #[test]
    fn three_failures_in_a_row_shut_it_and_one_call_tries_it_again() {
        let health = Health::new(Instant::now());
        let fault = Fault::new(FaultKind::Timeout, "");
        for _ in 0..2 {
            health.failed(at(&health, 1), &fault);
        }
        health.succeeded();
        for _ in 0..3 {
            assert!(health.may_try(at(&health, 1)));
            health.failed(at(&health, 1), &fault);
        }
        assert!(!health.may_try(at(&health, 20)) && health.is_shut(at(&health, 20)));
        assert!(health.may_try(at(&health, 21)), "the one who tries");
        assert!(!health.may_try(at(&health, 21)), "somebody tries already");
        health.succeeded();
        assert!(health.may_try(at(&health, 21)) && health.may_try(at(&health, 21)));
    }

    #[test]
    fn a_trial_that_fails_or_never_ends_is_followed_by_another() {
        let health = Health::new(Instant::now());
        let fault = Fault::new(FaultKind::Connect, "");
        (0..3).for_each(|_| health.failed(at(&health, 0), &fault));
        assert!(health.may_try(at(&health, 20)));
        assert!(health.may_try(at(&health, 25)), "nothing was heard of the first");
        health.failed(at(&health, 26), &fault);
        assert!(!health.may_try(at(&health, 45)) && health.may_try(at(&health, 46)));
    }

    #[test]
    fn a_wrong_key_shuts_it_at_once() {
        let health = Health::new(Instant::now());
        health.failed(at(&health, 0), &Fault::new(FaultKind::Unauthorized, ""));
        assert!(!health.may_try(at(&health, 59)) && health.may_try(at(&health, 60)));
    }

    #[test]
    fn a_providers_own_time_is_kept_within_reason() {
        let health = Health::new(Instant::now());
        let mut fault = Fault::new(FaultKind::RateLimited, "");
        fault.retry_after = Some(Duration::from_secs(86_400));
        (0..3).for_each(|_| health.failed(at(&health, 0), &fault));
        assert!(!health.may_try(at(&health, 299)) && health.may_try(at(&health, 300)));
    }
}
