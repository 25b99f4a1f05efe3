//! Calls as a shard would log them.

use caly::call::cause::HangupCause;
use caly::call::log::{
    CallDirection, CallId, CallLog, CallTime, Ended, Event, LegQuality, MediaAgreed, Opened, Pacing, Room,
    UnixMicros,
};
use caly::store::EventSender;

/// The id of call number `n`.
pub(crate) fn call_id(n: u8) -> CallId {
    CallId::new(UnixMicros(1_700_000_000_000_000 + i64::from(n) * 1_000_000), [n; 10])
}

/// The events of one call, each with its time in milliseconds.
pub(crate) struct Script {
    call: CallId,
    events: Vec<(u64, Event)>,
}

impl Script {
    /// Answered after 40 ms, recorded, ended by the caller after another 5 s.
    pub(crate) fn answered(n: u8) -> Self {
        let call = call_id(n);
        let file = caly::recorder::file_name(call);
        let quality = Event::Quality { leg: LegQuality::default(), pacing: Pacing::default() };
        let ended = Ended { cause: HangupCause::RemoteBye, status: Some(200), reason: None, talk_ms: 5_000 };
        let events = vec![
            (0, opened(call)),
            (10, Event::Ringing { status: 180 }),
            (39, media()),
            (40, Event::Answered),
            (41, Event::RecordingStarted { file: file.clone() }),
            (550, Event::Acknowledged),
            (5_040, quality),
            (5_040, Event::Ended(ended)),
            (5_300, Event::RecordingFinished { file, duration_ms: 5_000, missing_blocks: 0 }),
        ];
        Self { call, events }
    }

    /// Only what happened before `at_ms`.
    pub(crate) fn cut_at(mut self, at_ms: u64) -> Self {
        self.events.retain(|(time, _)| *time < at_ms);
        self
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Logs the call; there must be room.
    pub(crate) fn append_to(&self, sender: &mut EventSender) {
        let mut log = CallLog::new(self.call);
        for (at_ms, event) in &self.events {
            assert_eq!(sender.room(), Room::Plenty);
            log.push(CallTime(at_ms * 1_000), event.clone(), Room::Plenty, |record| sender.append(record));
        }
    }
}

fn opened(call: CallId) -> Event {
    Event::Opened(Opened {
        started_at: call.made_at(),
        direction: CallDirection::Inbound,
        trunk: None,
        peer: "192.0.2.7:5060".parse().unwrap(),
        transport: "udp".to_owned(),
        from: "sip:alice@192.0.2.7".to_owned(),
        to: "sip:echo@192.0.2.1".to_owned(),
        number: "echo".to_owned(),
        sip_call_id: format!("{call}@192.0.2.7"),
        destination: Some("echo".to_owned()),
    })
}

fn media() -> Event {
    Event::Media(MediaAgreed {
        codec: "PCMU".to_owned(),
        payload_type: 0,
        dtmf_payload_type: None,
        local: "192.0.2.1:10000".parse().unwrap(),
        remote: None,
        direction: "sendrecv".to_owned(),
    })
}
