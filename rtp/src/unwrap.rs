//! Extends a stream's 16-bit sequence numbers and 32-bit timestamps to 64 bits, across wraps and restarts: RFC 3550 appendix A.1.

use std::time::{Duration, Instant};

use crate::packet::{Packet, RtpTime, SeqNo, Ssrc};

/// Follows the numbering of one received stream.
///
/// Numbers never run back: where the peer restarts its numbering, the new packets continue after the old ones, their
/// timestamps as far on as the time that passed between the arrivals.
#[derive(Clone, Debug)]
pub struct Unwrapper {
    clock_rate: u32,
    newest: Option<Newest>,
    suspect: Option<Suspect>,
}

/// What a packet's numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwrapped {
    /// The stream goes on, perhaps out of order.
    Continues(Position),
    /// The peer has restarted its numbering; what was buffered of the old one cannot be joined to it.
    Restarted(Position, Restart),
    /// Far from the stream: not to be used. The stream restarts if the next packet follows on this one.
    OnTrial,
}

/// A packet's place in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its sequence number; the first packet's is [`ORIGIN`].
    pub sequence: u64,
    /// Its timestamp; the first packet's is [`ORIGIN`].
    pub timestamp: u64,
}

/// What told that the peer restarted its numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Packets of another source.
    Ssrc,
    /// A jump of the sequence number.
    Sequence,
    /// A jump of the timestamp that the time between the arrivals does not explain.
    Timestamp,
}

impl Unwrapper {
    /// An unwrapper that has seen no packet, for timestamps that count `clock_rate` units a second.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate: clock_rate.max(1), newest: None, suspect: None }
    }

    /// Places a packet.
    pub fn unwrap(&mut self, arrival: Instant, packet: &Packet<'_>) -> Unwrapped {
        let header = Header { sequence: packet.sequence, timestamp: packet.timestamp, ssrc: packet.ssrc };
        let Some(newest) = self.newest else {
            let position = Position { sequence: ORIGIN, timestamp: ORIGIN };
            self.newest = Some(Newest { header, position, arrival });
            return Unwrapped::Continues(position);
        };
        match self.find_restart(&newest, header, arrival) {
            None => self.follow(newest, header, arrival),
            Some(reason) => self.consider_restart(newest, header, arrival, reason),
        }
    }

    fn follow(&mut self, newest: Newest, header: Header, arrival: Instant) -> Unwrapped {
        self.suspect = None;
        let packets = header.sequence.distance_from(newest.header.sequence);
        let units = header.timestamp.distance_from(newest.header.timestamp);
        let position = Position {
            sequence: newest.position.sequence.saturating_add_signed(packets.into()),
            timestamp: newest.position.timestamp.saturating_add_signed(units.into()),
        };
        if packets > 0 {
            self.newest = Some(Newest { header, position, arrival });
        }
        Unwrapped::Continues(position)
    }

    fn consider_restart(
        &mut self,
        newest: Newest,
        header: Header,
        arrival: Instant,
        reason: Restart,
    ) -> Unwrapped {
        let is_confirmed = self.suspect.is_some_and(|suspect| {
            suspect.ssrc == header.ssrc && suspect.sequence.advanced_by(1) == header.sequence
        });
        if !is_confirmed {
            self.suspect = Some(Suspect { ssrc: header.ssrc, sequence: header.sequence });
            return Unwrapped::OnTrial;
        }
        self.suspect = None;
        let elapsed = arrival.saturating_duration_since(newest.arrival);
        let position = Position {
            sequence: newest.position.sequence.saturating_add(RESTART_STEP),
            timestamp: newest.position.timestamp.saturating_add(units_in(elapsed, self.clock_rate)),
        };
        self.newest = Some(Newest { header, position, arrival });
        Unwrapped::Restarted(position, reason)
    }

    fn find_restart(&self, newest: &Newest, header: Header, arrival: Instant) -> Option<Restart> {
        if header.ssrc != newest.header.ssrc {
            return Some(Restart::Ssrc);
        }
        let packets = header.sequence.distance_from(newest.header.sequence);
        if !(-MAX_MISORDER..=MAX_DROPOUT).contains(&packets) {
            return Some(Restart::Sequence);
        }
        let units = i64::from(header.timestamp.distance_from(newest.header.timestamp));
        let elapsed = arrival.saturating_duration_since(newest.arrival);
        let steps = u32::from(packets.unsigned_abs());
        let furthest =
            units_in(elapsed.saturating_add(MAX_PACKET * steps).saturating_add(SLACK), self.clock_rate);
        let furthest = i64::try_from(furthest).unwrap_or(i64::MAX);
        let slack = units_in(SLACK, self.clock_rate).cast_signed();
        let is_explained = if packets > 0 {
            (-slack..=furthest).contains(&units)
        } else {
            (-furthest..=slack).contains(&units)
        };
        if is_explained { None } else { Some(Restart::Timestamp) }
    }
}

/// Sequence number and timestamp of a stream's first packet. Well above zero, so that a reordered start has room before it.
pub const ORIGIN: u64 = 1 << 32;

/// The newest packet in sequence.
#[derive(Clone, Copy, Debug)]
struct Newest {
    header: Header,
    position: Position,
    arrival: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    sequence: SeqNo,
    timestamp: RtpTime,
    ssrc: Ssrc,
}

/// A packet that was far from the stream.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    ssrc: Ssrc,
    sequence: SeqNo,
}

fn units_in(duration: Duration, clock_rate: u32) -> u64 {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    us.saturating_mul(clock_rate.into()) / 1_000_000
}

/// A forward jump of more packets is a restart: RFC 3550 A.1 recommends 3000, a minute of 20 ms packets.
const MAX_DROPOUT: i16 = 3_000;

/// A backward jump of more packets is a restart, not reordering: RFC 3550 A.1 recommends 100, two seconds.
const MAX_MISORDER: i16 = 100;

/// The longest packet: what a timestamp may move on for each packet when a burst comes after a stall.
const MAX_PACKET: Duration = Duration::from_millis(200);

/// How far a timestamp may be off in both directions: an event's timestamp (RFC 4733) is its beginning, before audio that was
/// already sent.
const SLACK: Duration = Duration::from_millis(400);

/// Sequence numbers left out at a restart, so that the new stream's reordered start cannot meet the old stream's end.
const RESTART_STEP: u64 = 1_000;

#[cfg(test)]
mod tests;
