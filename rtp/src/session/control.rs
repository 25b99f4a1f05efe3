//! RTCP within a session: where it goes, and what it adds to the quality figures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::packet::Ssrc;
use crate::quality::{ReceivedQuality, ReportedQuality, SentQuality, mean_opinion_score, percent};
use crate::rtcp::{Heard, Reception, RemoteReport, Reporter, Sent};

use super::config::MediaConfig;
use super::receive::Inbound;
use super::send::SendCounters;

/// The session's side of RTCP.
#[derive(Clone, Debug)]
pub(super) struct Control {
    reporter: Reporter,
    /// Where the peer's RTCP comes from.
    source: Option<SocketAddr>,
    last_heard: Option<Instant>,
    has_said_bye: bool,
}

impl Control {
    pub(super) fn new(cname: &str, seed: u64, now: Instant) -> Self {
        Self {
            reporter: Reporter::new(cname, seed, now),
            source: None,
            last_heard: None,
            has_said_bye: false,
        }
    }

    pub(super) fn handle_datagram(
        &mut self,
        arrival: Instant,
        sent: &Sent,
        peer: Option<Ssrc>,
        datagram: &[u8],
    ) -> Heard {
        let heard = self.reporter.handle_datagram(arrival, sent, peer, datagram);
        if heard.packets > 0 {
            self.last_heard = Some(arrival);
        }
        heard
    }

    pub(super) fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// Another source may say goodbye again.
    pub(super) fn handle_source_change(&mut self) {
        self.reporter.handle_source_change();
        self.has_said_bye = false;
    }

    pub(super) fn is_first_bye(&mut self, heard: &Heard) -> bool {
        heard.is_bye && !std::mem::replace(&mut self.has_said_bye, true)
    }

    pub(super) fn fix_source(&mut self, source: SocketAddr) {
        self.source = Some(source);
    }

    pub(super) fn forget_source(&mut self) {
        self.source = None;
    }

    /// Where reports go: to where the peer's come from; else to the announced address, its host corrected if the peer's RTP comes
    /// from another one (a NAT), which then usually keeps RTP and RTCP on neighbouring ports.
    pub(super) fn destination(&self, media: &MediaConfig, peer: Option<SocketAddr>) -> Option<SocketAddr> {
        let announced = media.remote_rtcp?;
        if self.source.is_some() {
            return self.source;
        }
        let is_multiplexed = media.remote_rtcp == media.remote_rtp;
        match peer {
            Some(peer) if is_multiplexed => Some(peer),
            Some(peer) if peer.ip() != announced.ip().to_canonical() => {
                Some(SocketAddr::new(peer.ip(), peer.port().checked_add(1)?))
            }
            Some(_) | None => Some(announced),
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.reporter.is_due(now)
    }

    pub(super) fn report(
        &mut self,
        now: Instant,
        sent: Sent,
        reception: &mut Reception,
        out: &mut [u8],
    ) -> usize {
        self.reporter.report(now, sent, reception, out)
    }

    pub(super) fn goodbye(
        &mut self,
        now: Instant,
        sent: Sent,
        reception: &mut Reception,
        out: &mut [u8],
    ) -> usize {
        self.reporter.goodbye(now, sent, reception, out)
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.reporter.round_trip()
    }

    pub(super) fn sent_quality(&self, counters: &SendCounters, clock_rate: u32) -> SentQuality {
        SentQuality {
            packets: counters.packets,
            octets: counters.octets,
            skipped_ticks: counters.skipped_ticks,
            reported: self.reporter.remote().map(|report| reported_quality(report, clock_rate)),
        }
    }
}

impl Inbound {
    /// The received half of the quality figures.
    pub(super) fn quality(&self) -> ReceivedQuality {
        let totals = self.reception.totals();
        let jitter = self.jitter().counters();
        let unheard = totals.lost + jitter.late + jitter.overflow;
        let loss_percent = percent(unheard, totals.received + totals.lost);
        ReceivedQuality {
            packets: totals.received,
            octets: self.counters.octets,
            lost: totals.lost,
            late: jitter.late,
            duplicate: totals.duplicate,
            reordered: totals.reordered,
            overflow: jitter.overflow,
            slips_removed: jitter.slips_removed,
            slips_inserted: jitter.slips_inserted,
            concealed_ms: self.counters.concealed_frames * FRAME_MS,
            jitter_p50_ms: self.reception.deviation_ms(0.5),
            jitter_p95_ms: self.reception.deviation_ms(0.95),
            jitter_max_ms: self.reception.largest_deviation_ms(),
            jitter: self.reception.jitter(),
            loss_percent,
            mos: mean_opinion_score(loss_percent),
            comfort_noise: self.counters.comfort_noise,
            restarts: self.counters.restarts,
            digits: self.digits(),
        }
    }
}

fn reported_quality(report: RemoteReport, clock_rate: u32) -> ReportedQuality {
    // Duplicates make the figure negative.
    let lost = u64::try_from(report.lost).unwrap_or(0);
    let loss_percent = percent(lost, u64::from(report.packets_sent));
    ReportedQuality {
        lost,
        loss_percent,
        jitter: Duration::from_micros(u64::from(report.jitter) * 1_000_000 / u64::from(clock_rate.max(1))),
        mos: mean_opinion_score(loss_percent),
    }
}

const FRAME_MS: u64 = 20;
