//! When nothing of a peer arrives for so long that it must be gone.

use std::time::Instant;

use caly_rtp::session::{Direction, Session};

use super::interface::CallPolicy;

/// Whether nothing of the peer came for the timeout: RTP where it should send; on hold, where it may be silent, RTCP is life too.
pub(super) fn is_starved(
    policy: &CallPolicy,
    session: &Session,
    acknowledged_at: Instant,
    now: Instant,
) -> bool {
    let (timeout, heard) = match session.direction() {
        Direction::SendRecv => (policy.rtp_timeout, session.last_received()),
        Direction::SendOnly | Direction::RecvOnly | Direction::Inactive => {
            (policy.hold_timeout, session.last_received().max(session.last_rtcp()))
        }
    };
    let since = acknowledged_at.max(session.negotiated_at());
    let last = heard.map_or(since, |heard| heard.max(since));
    !timeout.is_zero() && now.saturating_duration_since(last) >= timeout
}
