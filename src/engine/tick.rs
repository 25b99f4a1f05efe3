//! One call's turn on its shard: receive, tick, send.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::clock::Wake;
use super::entry::Live;
use super::pacing::PacingHistogram;
use super::shard::ShardStats;
use super::surroundings::{MediaIo, Surroundings};
use super::wheel::{TICK, Turn};
use crate::capture::{Capture, Way};

/// The shell of one call's tick: its sockets and what is counted.
pub(super) struct TickIo<'a, S> {
    pub(super) surroundings: &'a S,
    pub(super) stats: &'a ShardStats,
    pub(super) pacing: &'a mut PacingHistogram,
    pub(super) buffer: &'a mut [u8],
    pub(super) capture: &'a mut Capture,
    /// Datagrams of strangers that may still be taken and dropped in this wake-up.
    pub(super) refusals_left: &'a mut usize,
}

impl<S: Surroundings> TickIo<'_, S> {
    /// Takes what the call's sockets hold, runs its tick and sends one packet.
    pub(super) fn tick(&mut self, live: &mut Live<S::Sockets>, turn: Turn, wake: &Wake) {
        let missed = live.last_due.map_or(0, |last| missed_between(last, turn.due));
        let cap = ACCEPTED_PER_TICK.saturating_add(missed as usize * 2).min(ACCEPTED_AFTER_STALL);
        self.receive(live, wake, Some(turn.due), cap);
        self.serve_rtcp(live, wake);
        live.last_due = Some(turn.due);
        live.missed += u64::from(missed);
        self.stats.ticks_missed.fetch_add(u64::from(missed), Ordering::Relaxed);
        let outgoing = live.call.tick(self.surroundings.now(), missed, &mut live.tap);
        let (Some(outgoing), Some(sockets)) = (outgoing, &live.sockets) else { return };
        let local = sockets.rtp_local();
        self.capture.record(Way::udp(local, outgoing.destination), None, outgoing.datagram);
        let sent = match sockets.send_rtp(outgoing.datagram, outgoing.destination) {
            Ok(()) => &self.stats.sent,
            Err(_) => &self.stats.send_failed,
        };
        sent.fetch_add(1, Ordering::Relaxed);
        let error = self.surroundings.now().saturating_duration_since(turn.due);
        live.ticks += 1;
        live.pacing.record(error);
        self.pacing.record(error);
    }

    /// Empties a flooded call's socket between its ticks, before the kernel's buffer is full and drops the peer's packets.
    pub(super) fn relieve(&mut self, live: &mut Live<S::Sockets>, wake: &Wake) {
        self.receive(live, wake, None, ACCEPTED_PER_TICK);
    }

    /// Takes at most `cap` packets of the peer's. What others send is dropped on the way to them, as far as the slot's
    /// allowance goes. `due`: the tick that the packets have waited for.
    fn receive(&mut self, live: &mut Live<S::Sockets>, wake: &Wake, due: Option<Instant>, cap: usize) {
        let Some(sockets) = &live.sockets else { return };
        let earliest = live.drained_at;
        let local = sockets.rtp_local();
        let allowance = (*self.refusals_left).clamp(REFUSED_AT_LEAST, REFUSED_PER_CALL);
        let (mut accepted, mut refused) = (0, 0);
        while accepted < cap && refused < allowance {
            // An error here is an ICMP message about what was sent; the next tick goes on.
            let Ok(Some(received)) = sockets.receive_rtp(self.buffer) else {
                live.drained_at = wake.now();
                break;
            };
            let datagram = &self.buffer[..received.len];
            self.capture.record(Way::udp(received.source, local), received.stamp, datagram);
            let arrival = wake.arrival(received.stamp, earliest);
            if !live.call.handle_rtp(arrival, received.source, datagram, &mut live.tap) {
                refused += 1;
                continue;
            }
            accepted += 1;
            if let Some(due) = due {
                live.phase.record(arrival, due);
            }
        }
        live.is_flooded = refused >= FLOOD;
        *self.refusals_left = self.refusals_left.saturating_sub(refused);
        self.stats.received.fetch_add(accepted as u64, Ordering::Relaxed);
        self.stats.refused.fetch_add(refused as u64, Ordering::Relaxed);
        let is_cut_short = accepted == cap || refused == allowance;
        self.stats.cut_short.fetch_add(u64::from(is_cut_short), Ordering::Relaxed);
    }

    fn serve_rtcp(&mut self, live: &mut Live<S::Sockets>, wake: &Wake) {
        let Some(sockets) = &live.sockets else { return };
        live.turns += 1;
        if !live.turns.is_multiple_of(RTCP_EVERY_TURNS) {
            return;
        }
        for _ in 0..RTCP_DATAGRAMS_PER_POLL {
            let Ok(Some(received)) = sockets.receive_rtcp(self.buffer) else { break };
            let (local, datagram) = (sockets.rtcp_local(), &self.buffer[..received.len]);
            self.capture.record(Way::udp(received.source, local), received.stamp, datagram);
            let arrival = wake.arrival(received.stamp, live.rtcp_drained_at);
            live.call.handle_rtcp(arrival, received.source, &self.buffer[..received.len]);
        }
        live.rtcp_drained_at = wake.now();
        if let Some(report) = live.call.poll_rtcp(wake.now()) {
            self.capture.record(Way::udp(sockets.rtcp_local(), report.destination), None, report.datagram);
            // A lost report is made good by the next one.
            let _ = sockets.send_rtcp(report.datagram, report.destination);
        }
    }
}

/// Whole ticks that lie between two served ones; a move to another slot (25-35 ms) is none.
fn missed_between(last: Instant, due: Instant) -> u32 {
    let ticks = due.saturating_duration_since(last).as_nanos() / TICK.as_nanos();
    u32::try_from(ticks).unwrap_or(u32::MAX).saturating_sub(1)
}

/// Packets of the peer's taken in a tick: 1.2 s of audio. A peer that sends more than 3,200 a second waits in the kernel.
const ACCEPTED_PER_TICK: usize = 64;
/// As many after missed ticks, two for each of them (10 ms packets): about what the kernel's buffer holds.
const ACCEPTED_AFTER_STALL: usize = 512;
/// Datagrams of others that are dropped for one call at each look at its socket. One costs about a microsecond, and a
/// flooded call is looked at every 5 ms: 200,000 a second.
const REFUSED_PER_CALL: usize = 1024;
/// The same for all calls of a wake-up: some 2 ms of 5, so that neighbours of flooded calls are on time.
pub(super) const REFUSED_PER_WAKE: usize = 2048;
/// What every call may drop though others have used up the allowance.
const REFUSED_AT_LEAST: usize = 16;
/// So many datagrams of others at one look are a flood: 1,600 a second and more.
const FLOOD: usize = 32;
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
