//! Who may not call gets no answer: a scanner must not learn that somebody listens. The operator must: a carrier whose address
//! is missing in the configuration looks just like a scanner.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Remembers which strangers the log has named.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    named: VecDeque<IpAddr>,
    quiet_until: Option<Instant>,
}

impl Strangers {
    /// Names the source of an INVITE, or of a connection, that was dropped: each source once as long as it is remembered, and
    /// one a second at most.
    pub(super) fn report(&mut self, now: Instant, source: IpAddr) {
        if self.is_news(now, source) {
            tracing::warn!(
                %source,
                "a caller was dropped without an answer: no [[trunk]] lists its address; if it is your carrier's, add it to \
                 that trunk's `signaling`"
            );
        }
    }

    fn is_news(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.quiet_until.is_some_and(|until| now < until) || self.named.contains(&source) {
            return false;
        }
        if self.named.len() == MAX_NAMED {
            self.named.pop_front();
        }
        self.named.push_back(source);
        self.quiet_until = Some(now + QUIET);
        true
    }
}

/// Whether a datagram wants to place a call.
pub(super) fn is_invite(datagram: &[u8]) -> bool {
    datagram.starts_with(b"INVITE ")
}

/// Looked through for every dropped INVITE, so few enough to be cheap under a flood.
const MAX_NAMED: usize = 256;
const QUIET: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_named_once_and_a_flood_of_sources_slowly() {
        let mut strangers = Strangers::default();
        let start = Instant::now();
        let source = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(strangers.is_news(start, source(1)));
        assert!(!strangers.is_news(start + QUIET * 5, source(1)));
        let named = (0..10_000_u32).filter(|&n| {
            strangers.is_news(start + QUIET * 10 + Duration::from_millis(n.into()), source(n + 2))
        });
        assert_eq!(named.count(), 10);
        for n in 0..1_000 {
            strangers.is_news(start + QUIET * (100 + n), source(n + 100_000));
        }
        assert_eq!(strangers.named.len(), MAX_NAMED);
    }
}
