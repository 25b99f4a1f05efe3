//! One call's turn on its shard: receive, tick, send.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::clock::{Clock, Wake};
use super::entry::Live;
use super::pacing::PacingHistogram;
use super::shard::ShardStats;
use super::wheel::{TICK, Turn};
use crate::capture::{Capture, Way};

/// The shell of one call's tick: its sockets and what is counted.
pub(super) struct TickIo<'a> {
    pub(super) clock: &'a Clock,
    pub(super) stats: &'a ShardStats,
    pub(super) pacing: &'a mut PacingHistogram,
    pub(super) buffer: &'a mut [u8],
    pub(super) capture: &'a mut Capture,
}

impl TickIo<'_> {
    /// Takes what the call's sockets hold, runs its tick and sends one packet.
    pub(super) fn tick(&mut self, live: &mut Live, turn: Turn, wake: &Wake) {
        self.receive(live, turn, wake);
        let missed = live.last_due.map_or(0, |last| missed_between(last, turn.due));
        live.last_due = Some(turn.due);
        live.missed += u64::from(missed);
        self.stats.ticks_missed.fetch_add(u64::from(missed), Ordering::Relaxed);
        let outgoing = live.call.tick(self.clock.now(), missed, &mut live.tap);
        let (Some(outgoing), Some(sockets)) = (outgoing, &live.sockets) else { return };
        let local = sockets.rtp.local();
        self.capture.record(Way::udp(local, outgoing.destination), None, outgoing.datagram);
        let sent = match sockets.rtp.send(outgoing.datagram, outgoing.destination) {
            Ok(()) => &self.stats.sent,
            Err(_) => &self.stats.send_failed,
        };
        sent.fetch_add(1, Ordering::Relaxed);
        let error = self.clock.now().saturating_duration_since(turn.due);
        live.ticks += 1;
        live.pacing.record(error);
        self.pacing.record(error);
    }

    fn receive(&mut self, live: &mut Live, turn: Turn, wake: &Wake) {
        let Some(sockets) = &live.sockets else { return };
        let earliest = live.drained_at;
        for _ in 0..DATAGRAMS_PER_TICK {
            // An error here is an ICMP message about what was sent; the next call goes on.
            let Ok(Some(received)) = sockets.rtp.receive(self.buffer) else { break };
            let (local, datagram) = (sockets.rtp.local(), &self.buffer[..received.len]);
            self.capture.record(Way::udp(received.source, local), received.stamp, datagram);
            let arrival = wake.arrival(received.stamp, earliest);
            live.call.handle_rtp(arrival, received.source, &self.buffer[..received.len]);
            live.phase.record(arrival, turn.due);
            self.stats.received.fetch_add(1, Ordering::Relaxed);
        }
        live.drained_at = wake.now();
        live.turns += 1;
        if !live.turns.is_multiple_of(RTCP_EVERY_TURNS) {
            return;
        }
        for _ in 0..RTCP_DATAGRAMS_PER_POLL {
            let Ok(Some(received)) = sockets.rtcp.receive(self.buffer) else { break };
            let (local, datagram) = (sockets.rtcp.local(), &self.buffer[..received.len]);
            self.capture.record(Way::udp(received.source, local), received.stamp, datagram);
            let arrival = wake.arrival(received.stamp, live.rtcp_drained_at);
            live.call.handle_rtcp(arrival, received.source, &self.buffer[..received.len]);
        }
        live.rtcp_drained_at = wake.now();
        if let Some(report) = live.call.poll_rtcp(wake.now()) {
            self.capture.record(Way::udp(sockets.rtcp.local(), report.destination), None, report.datagram);
            // A lost report is made good by the next one.
            let _ = sockets.rtcp.send(report.datagram, report.destination);
        }
    }
}

/// Whole ticks that lie between two served ones; a move to another slot (25-35 ms) is none.
fn missed_between(last: Instant, due: Instant) -> u32 {
    let ticks = due.saturating_duration_since(last).as_nanos() / TICK.as_nanos();
    u32::try_from(ticks).unwrap_or(u32::MAX).saturating_sub(1)
}

/// Packets taken from one call in a tick: 1.2 s of audio after a stall, and no more from a flood.
const DATAGRAMS_PER_TICK: usize = 64;
/// RTCP is looked at every 100 ms.
const RTCP_EVERY_TURNS: u64 = 5;
const RTCP_DATAGRAMS_PER_POLL: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_whole_ticks_between_two_served_ones_are_missed() {
        let last = Instant::now();
        let missed = |ms| missed_between(last, last + Duration::from_millis(ms));
        assert_eq!([20, 25, 35, 40, 300].map(missed), [0, 0, 0, 1, 14]);
    }
}
