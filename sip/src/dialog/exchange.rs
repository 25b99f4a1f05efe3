//! The one INVITE that may be in progress in an established dialog, in either direction (RFC 3261 14), and the 2xx
//! that the callee's core repeats until it is acknowledged (13.3.1.4).

use std::time::Duration;

use super::invite_uas::PendingInvite;
use crate::endpoint::{Body, Transmit};
use crate::transaction::{ClientId, Timers};

/// Where the INVITE in progress stands.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// None.
    Idle,
    /// We accepted the peer's; its ACK has not come.
    AwaitingAck(UnackedAnswer),
    /// The peer accepted ours; the application has not acknowledged.
    Acknowledging {
        /// The transaction that received the 2xx and repeats the ACK.
        client: ClientId,
        /// The CSeq number of the INVITE, which the ACK takes over.
        sequence: u32,
    },
    /// The peer's re-INVITE lies with the application.
    Received(PendingInvite),
    /// Our re-INVITE waits for its final response.
    Sent {
        offer: Offer,
        /// Its transaction, once it was sent.
        client: Option<ClientId>,
    },
}

/// What a peer's re-INVITE meets (RFC 3261 14.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// It goes to the application.
    Open,
    /// 491 Request Pending: ours is in progress.
    Pending,
    /// 500 with Retry-After: the peer's own earlier one has no final response yet.
    Busy,
    /// 481: the session is over or not established.
    Gone,
}

impl Exchange {
    /// Whether a re-INVITE of the peer may begin.
    pub(crate) fn admits(&self) -> Admission {
        match self {
            Self::Idle => Admission::Open,
            Self::AwaitingAck(_) | Self::Acknowledging { .. } | Self::Sent { .. } => Admission::Pending,
            Self::Received(_) => Admission::Busy,
        }
    }

    /// The state's name, for errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Idle => "established",
            Self::AwaitingAck(_) => "waiting for the ACK",
            Self::Acknowledging { .. } => "waiting for acknowledge",
            Self::Received(_) => "answering a re-INVITE",
            Self::Sent { .. } => "sending a re-INVITE",
        }
    }
}

/// A re-INVITE of ours, kept to be sent again after 491.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) body: Option<Body>,
    /// How often it was refused with 491.
    pub(crate) refusals: u8,
}

/// A 2xx that repeats at T1, doubling to T2, on every transport.
#[derive(Debug)]
pub(crate) struct UnackedAnswer {
    pub(crate) transmit: Transmit,
    /// The CSeq number that the ACK must carry.
    pub(crate) sequence: u32,
    interval: Duration,
}

impl UnackedAnswer {
    pub(crate) fn new(transmit: Transmit, sequence: u32, timers: &Timers) -> Self {
        Self { transmit, sequence, interval: timers.t1 }
    }

    /// How long to wait before the next repeat.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Notes that the response was repeated.
    pub(crate) fn repeated(&mut self, timers: &Timers) {
        self.interval = self.interval.saturating_mul(2).min(timers.t2);
    }
}

/// How long to wait after 491 before the re-INVITE is tried again (RFC 3261 14.1), in steps of 10 ms: 2.1-4 s for
/// the side that made the Call-ID, 0-2 s for the other.
pub(crate) fn glare_wait(owns_call_id: bool, random: u64) -> Duration {
    let steps = if owns_call_id { 210 + random % 191 } else { random % 201 };
    Duration::from_millis(steps * 10)
}

/// How often 491 is answered by another try: two sides that both obey the RFC part after one or two.
pub(crate) const MAX_REFUSALS: u8 = 5;

#[cfg(test)]
mod tests {
    use super::glare_wait;
    use std::time::Duration;

    #[test]
    fn the_wait_after_491_stays_inside_the_windows_of_rfc_3261_14_1() {
        for random in 0..1_000 {
            let owner = glare_wait(true, random);
            assert!((Duration::from_millis(2_100)..=Duration::from_secs(4)).contains(&owner));
            assert!(glare_wait(false, random) <= Duration::from_secs(2));
            assert_eq!(owner.as_millis() % 10, 0);
        }
        assert_eq!(glare_wait(true, 190), Duration::from_secs(4));
        assert_eq!(glare_wait(false, 200), Duration::from_secs(2));
    }
}
