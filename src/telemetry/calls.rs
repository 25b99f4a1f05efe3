//! The milestones of calls in the server's own log: an observer of the calls' events like the store, and as far away from the
//! threads that serve them.

use super::Redacted;
use crate::call::log::{CallDirection, Ended, Event, LegQuality, Opened, Record};

/// Writes the line that an event of a call deserves: its beginning, its answer, its end, and what went wrong with its
/// recording; the figures of its audio at debug level, or as a warning if they are bad.
pub fn announce(record: &Record) {
    let (call_id, ms) = (record.call, record.at.as_duration().as_millis() as u64);
    match &record.event {
        Event::Opened(opened) => announce_opened(record, opened),
        Event::Answered => tracing::info!(%call_id, setup_ms = ms, "call answered"),
        Event::Ended(ended) => announce_ended(record, ended),
        Event::Quality { leg, .. } => announce_quality(record, leg),
        Event::RecordingFailed { file, error, .. } => tracing::warn!(
            %call_id,
            file,
            error,
            "a recording failed and the call goes on; make room on the disk of the data directory"
        ),
        Event::Gap { missing } => {
            tracing::warn!(%call_id, missing, "details of a call were dropped: its log has a gap");
        }
        Event::Dialogue(_)
        | Event::Sip(_)
        | Event::Ringing { .. }
        | Event::Acknowledged
        | Event::Media(_)
        | Event::Latched { .. }
        | Event::ForeignSource { .. }
        | Event::Dtmf { .. }
        | Event::StreamReset { .. }
        | Event::UnknownPayloadType { .. }
        | Event::ReoffersRefused { .. }
        | Event::SlotMoved { .. }
        | Event::TickLate { .. }
        | Event::RecordingStarted { .. }
        | Event::RecordingFinished { .. } => {}
    }
}

fn announce_opened(record: &Record, opened: &Opened) {
    tracing::info!(
        call_id = %record.call,
        direction = match opened.direction {
            CallDirection::Inbound => "inbound",
            CallDirection::Outbound => "outbound",
        },
        trunk = opened.trunk.as_deref().unwrap_or("local"),
        peer = %opened.peer,
        transport = %opened.transport,
        from = %Redacted(&opened.from),
        to = %Redacted(&opened.to),
        number = %Redacted(&opened.number),
        destination = opened.destination.as_deref().unwrap_or("none"),
        "call opened"
    );
}

fn announce_ended(record: &Record, ended: &Ended) {
    tracing::info!(
        call_id = %record.call,
        cause = %ended.cause,
        status = ended.status,
        reason = ended.reason.as_deref(),
        talk_ms = ended.talk_ms,
        "call ended"
    );
}

fn announce_quality(record: &Record, leg: &LegQuality) {
    let call_id = record.call;
    let loss_percent = percent(leg.lost, leg.received);
    let is_bad = loss_percent > BAD_LOSS_PERCENT || leg.mos.is_some_and(|mos| mos < BAD_MOS);
    if is_bad && leg.received >= FEW_PACKETS {
        tracing::warn!(
            %call_id,
            loss_percent,
            late = leg.late,
            jitter_p95_ms = leg.jitter_p95_ms,
            mos = leg.mos,
            "the caller's audio was bad; compare other calls of this trunk, then its network path"
        );
    } else {
        tracing::debug!(%call_id, received = leg.received, sent = leg.sent, loss_percent, mos = leg.mos, "call audio");
    }
}

/// Loss in per cent with one decimal.
fn percent(lost: u64, received: u64) -> f64 {
    let expected = lost.saturating_add(received).max(1);
    (1000.0 * lost as f64 / expected as f64).round() / 10.0
}

/// Concealment hides less; above it words are missed.
const BAD_LOSS_PERCENT: f64 = 3.0;
/// Where listeners begin to complain (ITU-T G.107: many users dissatisfied).
const BAD_MOS: f64 = 3.1;
/// Two seconds: a call that was hardly there says nothing about a network.
const FEW_PACKETS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_a_part_of_what_was_expected() {
        assert_eq!([percent(0, 0), percent(5, 95), percent(1, 999), percent(7, 0)], [0.0, 5.0, 0.1, 100.0]);
    }
}
