//! When to try again.

use std::time::{Duration, Instant};

use super::Fault;

/// How often, and how far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Tries after the first one.
    pub retries: u32,
    /// Before the first of them.
    pub apart: Duration,
    /// Each waits so many times as long as the one before it.
    pub factor: u32,
}

impl RetryConfig {
    /// A connection that is to be there for the whole call: three times, a second apart.
    pub const CONNECTION: Self = Self { retries: 3, apart: Duration::from_secs(1), factor: 1 };
    /// One request: once more, at once.
    pub const REQUEST: Self = Self { retries: 1, apart: Duration::ZERO, factor: 2 };
}

/// Counts the tries of one thing that is to succeed.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    config: RetryConfig,
    failed: u32,
}

impl Retry {
    /// Nothing failed yet.
    pub fn new(config: RetryConfig) -> Self {
        Self { config, failed: 0 }
    }

    /// It succeeded: the next failure is the first.
    pub fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// It failed. When to try again; `None` if there is no use in it. A provider that names its own time is not asked before it, and not at
    /// all if no caller would wait so long.
    pub fn failed(&mut self, now: Instant, fault: &Fault) -> Option<Instant> {
        if fault.kind.is_permanent() || self.failed >= self.config.retries {
            return None;
        }
        let growth = self.config.factor.saturating_pow(self.failed);
        let wait = self.config.apart.saturating_mul(growth).max(fault.retry_after.unwrap_or_default());
        self.failed += 1;
        (wait <= LONGEST_WAIT).then(|| now + wait)
    }
}

/// With fillers a caller holds out so long.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::FaultKind;

    fn waits(config: RetryConfig, fault: &Fault) -> Vec<u64> {
        let (mut retry, now) = (Retry::new(config), Instant::now());
        let wait = |retry: &mut Retry| Some((retry.failed(now, fault)? - now).as_millis() as u64);
        std::iter::from_fn(|| wait(&mut retry)).collect()
    }

    #[test]
    fn a_connection_is_tried_three_times_a_second_apart() {
        let dropped = Fault::new(FaultKind::Dropped, "");
        assert_eq!(waits(RetryConfig::CONNECTION, &dropped), [1_000, 1_000, 1_000]);
        assert_eq!(
            waits(RetryConfig { factor: 2, ..RetryConfig::CONNECTION }, &dropped),
            [1_000, 2_000, 4_000]
        );
    }

    #[test]
    fn what_stays_as_it_is_is_not_tried_again() {
        let permanent = Fault::new(FaultKind::Unauthorized, "");
        assert!(waits(RetryConfig::CONNECTION, &permanent).is_empty());
    }

    #[test]
    fn a_providers_own_time_is_kept_or_not_waited_for() {
        let mut limited = Fault::new(FaultKind::RateLimited, "");
        limited.retry_after = Some(Duration::from_secs(2));
        assert_eq!(waits(RetryConfig::REQUEST, &limited), [2_000]);
        limited.retry_after = Some(Duration::from_secs(30));
        assert!(waits(RetryConfig::REQUEST, &limited).is_empty());
    }

    #[test]
    fn success_counts_anew() {
        let (mut retry, now) = (Retry::new(RetryConfig::REQUEST), Instant::now());
        let fault = Fault::new(FaultKind::Timeout, "");
        assert!(retry.failed(now, &fault).is_some() && retry.failed(now, &fault).is_none());
        retry.succeeded();
        assert!(retry.failed(now, &fault).is_some());
    }
}
