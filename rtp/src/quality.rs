//! How well a leg is heard, each way: counts, loss, jitter, round trip, and an estimate of the listener's opinion by the
//! E-model (ITU-T G.107, with the impairment of G.711 by random loss after G.113).

use std::time::Duration;

/// Both directions of one leg, at one moment. All counts are since the leg's beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quality {
    /// What came from the peer.
    pub received: ReceivedQuality,
    /// What went to the peer.
    pub sent: SentQuality,
    /// Round trip of the network, measured by RTCP.
    pub round_trip: Option<Duration>,
    /// What was turned away.
    pub refused: Refused,
}

/// The peer's audio as it reached us.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReceivedQuality {
    /// RTP packets, each counted once.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came too late to be heard.
    pub late: u64,
    /// Packets that came once more.
    pub duplicate: u64,
    /// Packets that came after a newer one.
    pub reordered: u64,
    /// Packets for which the jitter buffer had no room.
    pub overflow: u64,
    /// 20 ms frames left out to keep the delay.
    pub slips_removed: u64,
    /// 20 ms frames put in to keep the delay.
    pub slips_inserted: u64,
    /// Audio made up for what was missing, in ms.
    pub concealed_ms: u64,
    /// Deviation between consecutive packets' transit times: the median, in ms.
    pub jitter_p50_ms: u32,
    /// The deviation that 95 % of the packets stayed within, in ms.
    pub jitter_p95_ms: u32,
    /// The largest deviation, in ms.
    pub jitter_max_ms: u32,
    /// The smoothed interarrival jitter of RFC 3550, as reported to the peer.
    pub jitter: Duration,
    /// Share of the packets that could not be heard - lost, late or without room - in per cent.
    pub loss_percent: f64,
    /// Mean opinion score for that loss, 1 to 4.41.
    pub mos: f64,
    /// Comfort noise packets (RFC 3389), which are not played.
    pub comfort_noise: u64,
    /// Times the peer's numbering began anew, under the same or another synchronisation source.
    pub restarts: u64,
    /// Digits heard.
    pub digits: u64,
}

/// Our audio, and what the peer reports of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SentQuality {
    /// RTP packets.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// Ticks for which no packet went out because they were missed.
    pub skipped_ticks: u64,
    /// What the peer's newest report says; `None` if none came.
    pub reported: Option<ReportedQuality>,
}

/// What a peer's RTCP says about our packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReportedQuality {
    /// Packets that it never got.
    pub lost: u64,
    /// Share of the packets that it never got, in per cent.
    pub loss_percent: f64,
    /// Interarrival jitter at its end.
    pub jitter: Duration,
    /// Mean opinion score for that loss, 1 to 4.41.
    pub mos: f64,
}

/// Datagrams that were turned away, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// From a third party.
    pub foreign: u64,
    /// RTCP from a third party.
    pub foreign_rtcp: u64,
    /// From a source that was not yet trusted.
    pub on_trial: u64,
    /// No RTP, or no RTCP.
    pub malformed: u64,
    /// RTP under a payload type that was not negotiated.
    pub unknown_payload_type: u64,
    /// Audio of no octets or of more than a packet may hold.
    pub payload_size: u64,
    /// Telephone events that are no digit.
    pub telephone_event: u64,
    /// Audio while the direction forbids it, as on hold.
    pub direction: u64,
    /// Far from the stream's numbering and not followed by more of the kind.
    pub stray: u64,
    /// Our own packets come back: the peer reflects.
    pub reflected: u64,
    /// Events that nobody fetched.
    pub dropped_events: u64,
}

/// The mean opinion score that the E-model gives for G.711 with concealment and `loss_percent` of random loss; delay is left
/// out. A figure of a model, not of listeners.
pub fn mean_opinion_score(loss_percent: f64) -> f64 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let impairment = EQUIPMENT_IMPAIRMENT + (95.0 - EQUIPMENT_IMPAIRMENT) * loss / (loss + LOSS_ROBUSTNESS);
    let rating = (BASE_RATING - impairment).clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    score.clamp(1.0, 4.5)
}

/// The share of `part` in `whole`, in per cent; nothing of nothing is none.
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part.min(whole) as f64 / whole as f64 }
}

/// R0 - Is with all of G.107's defaults.
const BASE_RATING: f64 = 93.2;

/// Ie of G.711 (G.113 table I.1).
const EQUIPMENT_IMPAIRMENT: f64 = 0.0;

/// Bpl of G.711 with the concealment of its Appendix I (G.113 table I.4).
const LOSS_ROBUSTNESS: f64 = 25.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_e_model_gives_its_published_scores() {
        for (loss, score) in [(0.0, 4.41), (1.0, 4.33), (2.0, 4.23), (3.0, 4.13), (5.0, 3.92), (10.0, 3.41)] {
            let estimate = mean_opinion_score(loss);
            assert!((estimate - score).abs() < 0.02, "{loss} %: {estimate}, not {score}");
        }
    }

    #[test]
    fn the_score_never_rises_with_loss_and_stays_a_score() {
        let scores: Vec<f64> = (0..=1000).map(|loss| mean_opinion_score(f64::from(loss) / 10.0)).collect();
        assert!(scores.windows(2).all(|pair| pair[1] <= pair[0]), "{scores:?}");
        assert!(scores.iter().all(|score| (1.0..=4.5).contains(score)));
        assert!(mean_opinion_score(-5.0) <= 4.42 && mean_opinion_score(900.0) >= 1.0);
    }

    #[test]
    fn shares_of_nothing_are_no_fault() {
        assert!(percent(3, 0).abs() < f64::EPSILON);
        assert!((percent(5, 4) - 100.0).abs() < f64::EPSILON);
    }
}
