//! Sends reports and reads the peer's (RFC 3550 section 6): joins the report timer, what was sent, what was received, and the
//! round trip that the peer's blocks reveal (section 6.4.1).
//!
//! The NTP field carries the time since the session began: RFC 3550 section 4 asks for the wall clock only where there is one,
//! and round trips need none.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::interval::Interval;
use super::packet::{CNAME_LIMIT, Compound, CompoundWriter, ReportBlock, RtcpError, RtcpPacket, SenderInfo};
use super::reception::Reception;
use crate::packet::{RtpTime, Ssrc};

/// One member's side of RTCP.
#[derive(Clone, Debug)]
pub struct Reporter {
    cname: ArrayVec<u8, CNAME_LIMIT>,
    began: Instant,
    interval: Interval,
    /// The packets that were sent when the last reports went out, newest first: a sender is who sent since the last but one.
    packets_at_reports: [u32; 2],
    peer_report: Option<PeerReport>,
    remote: Option<RemoteReport>,
    round_trip: Option<Duration>,
}

/// What was sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Our source.
    pub ssrc: Ssrc,
    /// Packets, modulo 2^32.
    pub packets: u32,
    /// Payload octets, modulo 2^32.
    pub octets: u32,
    /// The RTP time of this instant.
    pub rtp_time: RtpTime,
}

/// What the peer reported last about our packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteReport {
    /// Packets lost since the beginning, less duplicates.
    pub lost: i32,
    /// Loss since the report before in 1/256.
    pub fraction_lost: u8,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// How many packets we had sent when the report came.
    pub packets_sent: u32,
}

/// What a compound packet told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The peer left.
    pub is_bye: bool,
    /// Packets that were read.
    pub packets: u32,
    /// Why the rest of the datagram was not read.
    pub error: Option<RtcpError>,
}

#[derive(Clone, Copy, Debug)]
struct PeerReport {
    /// The middle of its NTP time.
    ntp_middle: u32,
    arrival: Instant,
}

impl Reporter {
    /// A member named `cname` whose session begins now. The seed spreads the reports.
    pub fn new(cname: &str, seed: u64, now: Instant) -> Self {
        Self {
            cname: cname.bytes().take(CNAME_LIMIT).collect(),
            began: now,
            interval: Interval::new(seed, now),
            packets_at_reports: [0; 2],
            peer_report: None,
            remote: None,
            round_trip: None,
        }
    }

    /// Takes a datagram of the peer's. `sent` tells what the peer can report on, `peer` is the source that we receive.
    pub fn handle_datagram(
        &mut self,
        arrival: Instant,
        sent: &Sent,
        peer: Option<Ssrc>,
        datagram: &[u8],
    ) -> Heard {
        let mut heard = Heard::default();
        for packet in Compound::new(datagram) {
            let packet = match packet {
                Ok(packet) => packet,
                Err(error) => {
                    heard.error = Some(error);
                    break;
                }
            };
            heard.packets += 1;
            match packet {
                RtcpPacket::SenderReport { sender, reports, .. } => {
                    self.peer_report =
                        Some(PeerReport { ntp_middle: (sender.ntp_time >> 16) as u32, arrival });
                    self.read_blocks(arrival, sent, reports);
                }
                RtcpPacket::ReceiverReport { reports, .. } => self.read_blocks(arrival, sent, reports),
                RtcpPacket::Bye { mut sources } => {
                    heard.is_bye |= sources.any(|source| peer.is_none_or(|peer| peer == source));
                }
                RtcpPacket::SourceDescription | RtcpPacket::Other(_) => {}
            }
        }
        if heard.packets > 0 {
            self.interval.handle_received(datagram.len());
        }
        heard
    }

    /// Another source is received from now on; its predecessor's SR says nothing about it.
    pub fn handle_source_change(&mut self) {
        self.peer_report = None;
    }

    /// True if a report is due.
    pub fn is_due(&self, now: Instant) -> bool {
        self.interval.is_due(now)
    }

    /// Writes the report that is due and says how long it is.
    pub fn report(&mut self, now: Instant, sent: Sent, reception: &mut Reception, out: &mut [u8]) -> usize {
        let mut writer = CompoundWriter::new(out);
        self.write_report(now, sent, reception, &mut writer);
        let octets = writer.finish();
        self.interval.handle_sent(now, octets);
        octets
    }

    /// Writes a last report with a BYE and says how long it is.
    pub fn goodbye(&mut self, now: Instant, sent: Sent, reception: &mut Reception, out: &mut [u8]) -> usize {
        let mut writer = CompoundWriter::new(out);
        self.write_report(now, sent, reception, &mut writer);
        writer.bye(sent.ssrc);
        writer.finish()
    }

    /// What the peer reported last about our packets.
    pub fn remote(&self) -> Option<RemoteReport> {
        self.remote
    }

    /// The round trip, from the newest report that echoes one of ours.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn write_report(
        &mut self,
        now: Instant,
        sent: Sent,
        reception: &mut Reception,
        writer: &mut CompoundWriter<'_>,
    ) {
        let [_, before_last] = self.packets_at_reports;
        let is_sender = sent.packets != before_last;
        let sender = is_sender.then(|| SenderInfo {
            ntp_time: self.ntp_time(now),
            rtp_time: sent.rtp_time,
            packets: sent.packets,
            octets: sent.octets,
        });
        let block = reception.report().map(|block| self.with_echo(now, block));
        writer.report(sent.ssrc, sender, block);
        writer.cname(sent.ssrc, &self.cname);
        self.packets_at_reports = [sent.packets, self.packets_at_reports[0]];
    }

    fn with_echo(&self, now: Instant, block: ReportBlock) -> ReportBlock {
        let Some(peer) = self.peer_report else { return block };
        let since = now.saturating_duration_since(peer.arrival);
        let delay = u32::try_from((since.as_nanos() << 16) / NANOS_PER_SECOND).unwrap_or(u32::MAX);
        ReportBlock { last_report: peer.ntp_middle, delay_since_last_report: delay, ..block }
    }

    fn read_blocks(&mut self, arrival: Instant, sent: &Sent, blocks: impl Iterator<Item = ReportBlock>) {
        for block in blocks.filter(|block| block.ssrc == sent.ssrc) {
            self.remote = Some(RemoteReport {
                lost: block.cumulative_lost,
                fraction_lost: block.fraction_lost,
                jitter: block.jitter,
                packets_sent: sent.packets,
            });
            if block.last_report != 0 {
                self.read_round_trip(arrival, block);
            }
        }
    }

    fn read_round_trip(&mut self, arrival: Instant, block: ReportBlock) {
        let now = (self.ntp_time(arrival) >> 16) as u32;
        let away = now.wrapping_sub(block.last_report);
        // A block that echoes no report of ours, or says that it was held longer than it was away, gives nothing to go by.
        let Some(units) = away.checked_sub(block.delay_since_last_report) else { return };
        if units < LONGEST_ROUND_TRIP {
            let nanos = (u128::from(units) * NANOS_PER_SECOND) >> 16;
            self.round_trip = Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        }
    }

    fn ntp_time(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.began) + NTP_START;
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        elapsed.as_secs() << 32 | fraction
    }
}

/// Our NTP time at the beginning: not zero, which in a block means that there was no report.
const NTP_START: Duration = Duration::from_secs(1);

/// 60 s in 1/65536 s: a longer round trip is an error of the peer's.
const LONGEST_ROUND_TRIP: u32 = 60 << 16;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests;
