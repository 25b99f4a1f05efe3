//! Calls for tests.

use super::StoredEvent;
use super::row::{CallRow, event_type};
use crate::call::cause::HangupCause;
use crate::call::log::{
    CallDirection, CallId, CallTime, Ended, Event, LegQuality, MediaAgreed, Opened, Pacing, Record,
    SipMessage, UnixMicros, Way,
};

/// Call number `n`, one second after the call before.
pub(crate) fn call(n: u8) -> CallId {
    CallId::new(UnixMicros(1_700_000_000_000_000 + i64::from(n) * 1_000_000), [n; 10])
}

/// Numbers `events`, given with their times in milliseconds.
pub(crate) fn numbered(call: CallId, events: Vec<(u64, Event)>) -> Vec<Record> {
    let number = |(seq, (at_ms, event)): (usize, (u64, Event))| Record {
        call,
        seq: u64::try_from(seq).unwrap(),
        at: CallTime(at_ms * 1000),
        event,
    };
    events.into_iter().enumerate().map(number).collect()
}

/// A call of five seconds to `echo`, recorded.
pub(crate) fn answered_call(call: CallId) -> Vec<Record> {
    let file = format!("2023-11-14/{call}.wav");
    let mut events = vec![
        (0, opened(call)),
        (0, sip(Way::Received, "INVITE sip:echo@192.0.2.1", "1 INVITE", false)),
        (1, sip(Way::Sent, "100 Trying", "1 INVITE", false)),
        (10, sip(Way::Sent, "180 Ringing", "1 INVITE", false)),
        (10, Event::Ringing { status: 180 }),
        (39, media()),
        (40, sip(Way::Sent, "200 OK", "1 INVITE", false)),
        (40, Event::Answered),
        (41, Event::RecordingStarted { file: file.clone() }),
        (540, sip(Way::Sent, "200 OK", "1 INVITE", true)),
        (550, sip(Way::Received, "ACK sip:echo@192.0.2.1", "1 ACK", false)),
        (550, Event::Acknowledged),
        (5_040, sip(Way::Received, "BYE sip:echo@192.0.2.1", "2 BYE", false)),
        (5_040, sip(Way::Sent, "200 OK", "2 BYE", false)),
        (5_040, quality()),
    ];
    let ended = Ended { cause: HangupCause::RemoteBye, status: Some(200), reason: None, talk_ms: 5_000 };
    events.push((5_040, Event::Ended(ended)));
    events.push((5_300, Event::RecordingFinished { file, duration_ms: 5_000, missing_blocks: 0 }));
    numbered(call, events)
}

/// Every kind of event once, for tests of how they are stored and shown.
pub(crate) fn one_of_each(call: CallId) -> Vec<Record> {
    let address = "192.0.2.7:4000".parse().unwrap();
    let mut records = answered_call(call);
    let more = [
        Event::Latched { source: address, ssrc: 7 },
        Event::ForeignSource { source: address },
        Event::Dtmf { way: Way::Received, digit: '5', duration_ms: 100 },
        Event::StreamReset { what: "SSRC 7 became 8".to_owned() },
        Event::UnknownPayloadType { payload_type: 122 },
        Event::ReoffersRefused { count: 4 },
        Event::SlotMoved { from: 1, to: 3 },
        Event::TickLate { missed: 2 },
        Event::Gap { missing: 3 },
        Event::RecordingFailed {
            file: "x.wav".to_owned(),
            error: "No space left on device".to_owned(),
            duration_ms: 1_500,
        },
    ];
    for event in more {
        let seq = u64::try_from(records.len()).unwrap();
        records.push(Record { call, seq, at: CallTime(5_400_000), event });
    }
    records
}

/// The records as they come back from the store.
pub(crate) fn stored(records: &[Record]) -> Vec<StoredEvent> {
    let store = |record: &Record| StoredEvent {
        seq: record.seq,
        at_us: record.at.0,
        r#type: event_type(&record.event).to_owned(),
        body: serde_json::to_value(&record.event).unwrap(),
    };
    records.iter().map(store).collect()
}

/// The row that the records of one call add up to.
pub(crate) fn row(records: &[Record]) -> CallRow {
    let mut row = CallRow::new(records[0].call);
    records.iter().for_each(|record| row.apply(record.at, &record.event));
    row
}

/// The beginning of a call.
pub(crate) fn opened(call: CallId) -> Event {
    Event::Opened(Opened {
        started_at: call.made_at(),
        direction: CallDirection::Inbound,
        trunk: Some("office".to_owned()),
        peer: "192.0.2.7:5060".parse().unwrap(),
        transport: "udp".to_owned(),
        from: "sip:alice@192.0.2.7".to_owned(),
        to: "sip:echo@192.0.2.1".to_owned(),
        number: "echo".to_owned(),
        sip_call_id: format!("{call}@192.0.2.7"),
        destination: Some("echo".to_owned()),
    })
}

fn sip(way: Way, start_line: &str, cseq: &str, is_retransmission: bool) -> Event {
    Event::Sip(SipMessage {
        way,
        transport: "udp".to_owned(),
        peer: "192.0.2.7:5060".parse().unwrap(),
        start_line: start_line.to_owned(),
        cseq: cseq.to_owned(),
        body_bytes: 0,
        is_retransmission,
    })
}

fn media() -> Event {
    Event::Media(MediaAgreed {
        codec: "PCMU".to_owned(),
        payload_type: 0,
        dtmf_payload_type: Some(101),
        local: "192.0.2.1:10000".parse().unwrap(),
        remote: Some("192.0.2.7:4000".parse().unwrap()),
        direction: "sendrecv".to_owned(),
    })
}

fn quality() -> Event {
    let leg = LegQuality { received: 245, sent: 250, lost: 5, mos: Some(4.2), ..LegQuality::default() };
    Event::Quality { leg, pacing: Pacing { ticks: 250, ..Pacing::default() } }
}
