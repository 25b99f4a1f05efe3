//! What an RTP session reports, in the words of the call's log.

use std::time::Duration;

use caly_rtp::dtmf::{Digit, DtmfTiming};
use caly_rtp::quality::Quality;
use caly_rtp::session;

use super::log::{Event, LegQuality, Way};

/// The log's event for a session's, if it is worth one.
pub(super) fn session_event(event: session::Event) -> Option<Event> {
    let reset = |what: String| Some(Event::StreamReset { what });
    match event {
        session::Event::Latched { source, ssrc } => Some(Event::Latched { source, ssrc: ssrc.0 }),
        session::Event::ForeignSource { source } => Some(Event::ForeignSource { source }),
        session::Event::Dtmf { digit, duration } => {
            Some(Event::Dtmf { way: Way::Received, digit: digit.as_char(), duration_ms: millis(duration) })
        }
        session::Event::DtmfStarted { .. } => None,
        session::Event::SsrcChanged { from, to } => reset(format!("ssrc {:08x} became {:08x}", from.0, to.0)),
        session::Event::UnknownPayloadType(payload_type) => Some(Event::UnknownPayloadType { payload_type }),
        session::Event::RemoteBye => reset("rtcp bye".to_owned()),
        session::Event::BufferReset => reset("the stream's numbers jumped".to_owned()),
    }
}

/// The key whose press has just begun: the destination reacts to the press, the log tells the whole key.
pub(super) fn pressed_digit(event: &session::Event) -> Option<Digit> {
    match event {
        session::Event::DtmfStarted { digit } => Some(*digit),
        session::Event::Latched { .. }
        | session::Event::ForeignSource { .. }
        | session::Event::Dtmf { .. }
        | session::Event::SsrcChanged { .. }
        | session::Event::UnknownPayloadType(_)
        | session::Event::RemoteBye
        | session::Event::BufferReset => None,
    }
}

/// The events of keys that we send.
pub(super) fn sent_digits(digits: &[Digit]) -> impl Iterator<Item = Event> {
    let duration_ms = millis(DtmfTiming::default().tone);
    digits.iter().map(move |digit| Event::Dtmf { way: Way::Sent, digit: digit.as_char(), duration_ms })
}

/// A session's figures for the log.
pub(super) fn leg_quality(quality: &Quality) -> LegQuality {
    let received = &quality.received;
    let refused = &quality.refused;
    LegQuality {
        received: received.packets,
        sent: quality.sent.packets,
        lost: received.lost,
        late: received.late,
        duplicate: received.duplicate,
        reordered: received.reordered,
        slips: received.slips_removed + received.slips_inserted,
        concealed_ms: received.concealed_ms,
        jitter_p50_ms: finite(received.jitter_p50_ms.into()).unwrap_or(0.0),
        jitter_p95_ms: finite(received.jitter_p95_ms.into()).unwrap_or(0.0),
        jitter_max_ms: finite(received.jitter_max_ms.into()).unwrap_or(0.0),
        rtt_ms: quality.round_trip.and_then(|time| finite(time.as_secs_f64() * 1000.0)),
        remote_loss_percent: quality.sent.reported.and_then(|reported| finite(reported.loss_percent)),
        mos: (received.packets > 0).then_some(received.mos).and_then(finite),
        foreign: refused.foreign,
        invalid: refused.malformed,
        unknown_payload_type: refused.unknown_payload_type,
    }
}

/// JSON has no word for what is not a number: it would be written as nothing, and the record could not be read again.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use caly_rtp::quality::ReportedQuality;

    use super::*;

    #[test]
    fn figures_that_are_no_numbers_leave_a_record_that_can_be_read_again() {
        let mut quality = Quality::default();
        quality.received.packets = 1;
        quality.received.mos = f64::NAN;
        quality.sent.reported = Some(ReportedQuality { loss_percent: f64::INFINITY, ..Default::default() });
        let leg = leg_quality(&quality);
        assert_eq!((leg.mos, leg.remote_loss_percent), (None, None));
        let text = serde_json::to_string(&leg).unwrap();
        assert_eq!(serde_json::from_str::<LegQuality>(&text).unwrap(), leg);
    }
}
