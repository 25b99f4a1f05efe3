//! Calls for tests.

mod cascade;

use super::StoredEvent;
use super::row::{CallRow, event_type};
use crate::call::cause::HangupCause;
use crate::call::dialogue::Dialogue;
use crate::call::log::{
    CallDirection, CallId, CallTime, Ended, Event, LegQuality, MediaAgreed, Opened, Pacing, Record,
    SipMessage, UnixMicros, Way,
};

pub(crate) use cascade::cascade_call;

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
    for event in more.into_iter().chain(cascade::one_of_each_hop()) {
        let seq = u64::try_from(records.len()).unwrap();
        records.push(Record { call, seq, at: CallTime(5_400_000), event });
    }
    records
}

/// A call to the demo agent: keys that cut it short, an order that is cancelled, a message, and a caller who hangs up.
pub(crate) fn agent_call(call: CallId) -> Vec<Record> {
    let mut events = vec![
        (0, opened(call)),
        (2, Event::Answered),
        (2, Event::RecordingStarted { file: format!("2023-11-14/{call}.wav") }),
        (40, Event::Dialogue(Dialogue::Agent { name: "Caly".to_owned() })),
        (40, state("greet")),
        (40, said(1, "नमस्ते! मैं कैली हूँ, आपकी ऑर्डर सहायक।", "hi-IN")),
        (3_240, barge_in(1, 3_200, "digit")),
        (3_250, state("ask_order")),
        (3_260, said(3, "Please type your order number on the keypad, then press hash.", "en-IN")),
        (3_340, key('1', 100)),
        (4_660, Event::Dialogue(Dialogue::Heard { utterance: 3 })),
    ];
    for (at_ms, digit) in (5_000..).step_by(200).zip("222123#".chars()) {
        events.push((at_ms, key(digit, 80)));
    }
    let answer = "{\"result\":\"done\",\"amount_paise\":129900}".to_owned();
    let spoke = Dialogue::SpeechEnded { duration_ms: 1_400 };
    let turn = Dialogue::TurnCommitted {
        speech_ms: 1_400,
        why: "silence".to_owned(),
        silence_ms: 500,
        turn: Some(0),
    };
    events.extend([
        (
            6_300,
            Event::Dialogue(Dialogue::ToolCalled {
                name: "cancel_order".to_owned(),
                arguments: "{\"order\":\"ABC123\"}".to_owned(),
            }),
        ),
        (
            6_740,
            Event::Dialogue(Dialogue::ToolAnswered {
                name: "cancel_order".to_owned(),
                answer,
                took_ms: 440,
                is_ok: true,
            }),
        ),
        (6_740, said(4, "It is cancelled.", "en-IN")),
        (7_000, said(5, "Please leave a message behind the tone.", "en-IN")),
        (8_000, Event::Dialogue(Dialogue::Heard { utterance: 4 })),
        (9_100, Event::Dialogue(Dialogue::SpeechStarted)),
        (9_300, barge_in(5, 1_300, "speech")),
        (10_500, Event::Dialogue(spoke)),
        (11_000, Event::Dialogue(turn)),
        (11_000, Event::Dialogue(Dialogue::Message { from_ms: 9_100, to_ms: 10_900 })),
        (11_000, Event::Dialogue(Dialogue::Outcome { name: "message_taken".to_owned() })),
        (11_010, Event::Dialogue(Dialogue::DrySlots { cause: "mind".to_owned(), count: 5 })),
        (11_020, said(6, "Thank you, goodbye.", "en-IN")),
        (21_000, Event::Dialogue(Dialogue::Idle { silence_ms: 10_000 })),
    ]);
    let ended = Ended { cause: HangupCause::RemoteBye, status: Some(200), reason: None, talk_ms: 21_018 };
    events.push((21_020, Event::Ended(ended)));
    numbered(call, events)
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

fn state(name: &str) -> Event {
    Event::Dialogue(Dialogue::State { name: name.to_owned() })
}

fn said(utterance: u64, text: &str, language: &str) -> Event {
    Event::Dialogue(Dialogue::Said { utterance, text: text.to_owned(), language: language.to_owned() })
}

fn barge_in(utterance: u64, heard_ms: u64, by: &str) -> Event {
    Event::Dialogue(Dialogue::BargeIn { utterance, heard_ms, by: by.to_owned() })
}

fn key(digit: char, duration_ms: u32) -> Event {
    Event::Dtmf { way: Way::Received, digit, duration_ms }
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
