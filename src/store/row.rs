//! A call's row: what its events add up to. Applying the same events in the same order gives the same row, wherever it
//! is done: in the database writer, at recovery, or over a spool that nobody has read yet.

use serde::Serialize;
use sqlx::FromRow;

use crate::call::dialogue::Dialogue;
use crate::call::log::{
    CallDirection, CallId, CallTime, Ended, Event, LegQuality, Opened, Pacing, UnixMicros, Way,
};

/// One call as `caly calls ls` lists it. Figures are empty until the call ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, FromRow)]
pub struct CallRow {
    /// The call's id.
    pub id: String,
    /// When the INVITE arrived or was sent, in microseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// When the 2xx was sent or received, in the same unit.
    pub answered_at: Option<i64>,
    /// When the call ended, in the same unit.
    pub ended_at: Option<i64>,
    /// `opened`, `ringing`, `answered` or `ended`.
    pub state: String,
    /// `inbound` or `outbound`; absent if the call's first event was lost.
    pub direction: Option<String>,
    /// The peer's trunk.
    pub trunk: Option<String>,
    /// The peer's signaling address.
    pub peer: Option<String>,
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// The From URI.
    pub from_uri: Option<String>,
    /// The To URI.
    pub to_uri: Option<String>,
    /// The number or user that was called.
    pub number: Option<String>,
    /// The SIP Call-ID.
    pub sip_call_id: Option<String>,
    /// Where the call was routed.
    pub destination: Option<String>,
    /// The encoding in use, the last one if it changed.
    pub codec: Option<String>,
    /// Why the call ended: the name of a [`HangupCause`](crate::call::cause::HangupCause).
    pub cause: Option<String>,
    /// Final SIP status of the INVITE.
    pub status: Option<i64>,
    /// The peer's Reason header.
    pub reason: Option<String>,
    /// Milliseconds from answer to end.
    pub talk_ms: Option<i64>,
    /// Events that the call had to drop.
    pub dropped_events: i64,
    /// File name inside the recordings folder.
    pub recording_file: Option<String>,
    /// Length of the recording in milliseconds.
    pub recording_ms: Option<i64>,
    /// Blocks of the recording that are silence because they came too late.
    pub recording_missing_blocks: Option<i64>,
    /// Why the recording stopped early.
    pub recording_error: Option<String>,
    /// The agent that took the call.
    pub agent: Option<String>,
    /// What the conversation came to, in the agent's own terms.
    pub outcome: Option<String>,
    /// How often the caller had spoken and it was the agent's turn.
    pub turns: i64,
    /// How often the caller interrupted the agent.
    pub barge_ins: i64,
    /// Keys that the caller pressed.
    pub digits: i64,
    /// The leg's figures.
    #[sqlx(flatten)]
    pub quality: QualityColumns,
}

/// The figures of [`LegQuality`] and [`Pacing`]; absent until the call ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, FromRow)]
#[expect(missing_docs, reason = "each is described at the event's field of the same name")]
pub struct QualityColumns {
    pub mos: Option<f64>,
    pub loss_percent: Option<f64>,
    pub jitter_p50_ms: Option<f64>,
    pub jitter_p95_ms: Option<f64>,
    pub jitter_max_ms: Option<f64>,
    pub rtt_ms: Option<f64>,
    pub remote_loss_percent: Option<f64>,
    pub packets_received: Option<i64>,
    pub packets_sent: Option<i64>,
    pub packets_lost: Option<i64>,
    pub packets_late: Option<i64>,
    pub packets_duplicate: Option<i64>,
    pub packets_reordered: Option<i64>,
    pub packets_foreign: Option<i64>,
    pub packets_invalid: Option<i64>,
    pub slips: Option<i64>,
    pub concealed_ms: Option<i64>,
    pub ticks: Option<i64>,
    pub ticks_missed: Option<i64>,
    pub pacing_p50_us: Option<i64>,
    pub pacing_p99_us: Option<i64>,
}

impl CallRow {
    /// The row of a call of which nothing is known but its id, which tells when it began.
    pub(crate) fn new(call: CallId) -> Self {
        let started_at = call.made_at().0;
        Self { id: call.to_string(), started_at, state: OPENED.to_owned(), ..Self::default() }
    }

    /// Adds what `event` tells.
    pub(crate) fn apply(&mut self, at: CallTime, event: &Event) {
        match event {
            Event::Opened(opened) => self.open(opened),
            Event::Ringing { .. } => {
                if self.state == OPENED {
                    RINGING.clone_into(&mut self.state);
                }
            }
            Event::Answered => {
                self.answered_at = Some(self.wall_clock(at));
                if self.ended_at.is_none() {
                    ANSWERED.clone_into(&mut self.state);
                }
            }
            Event::Media(media) => self.codec = Some(media.codec.clone()),
            Event::RecordingStarted { file } => self.recording_file = Some(file.clone()),
            Event::RecordingFinished { file, duration_ms, missing_blocks } => {
                self.recording_file = Some(file.clone());
                self.recording_ms = Some(int(*duration_ms));
                self.recording_missing_blocks = Some(int(*missing_blocks));
            }
            Event::RecordingFailed { file, error, duration_ms } => {
                self.recording_file = Some(file.clone());
                self.recording_ms = Some(int(*duration_ms));
                self.recording_error = Some(error.clone());
            }
            Event::Gap { missing } => self.dropped_events = self.dropped_events.saturating_add(int(*missing)),
            Event::Quality { leg, pacing } => self.quality = QualityColumns::new(leg, pacing),
            Event::Ended(ended) => self.end(at, ended),
            Event::Dialogue(dialogue) => self.add_dialogue(dialogue),
            Event::Dtmf { way: Way::Received, .. } => self.digits = self.digits.saturating_add(1),
            Event::Dtmf { way: Way::Sent, .. }
            | Event::Sip(_)
            | Event::Acknowledged
            | Event::Latched { .. }
            | Event::ForeignSource { .. }
            | Event::StreamReset { .. }
            | Event::UnknownPayloadType { .. }
            | Event::ReoffersRefused { .. }
            | Event::SlotMoved { .. }
            | Event::TickLate { .. } => {}
        }
    }

    /// True while a recording was begun and nobody has told how it ended.
    pub(crate) fn has_open_recording(&self) -> bool {
        self.recording_file.is_some() && self.recording_ms.is_none() && self.recording_error.is_none()
    }

    fn open(&mut self, opened: &Opened) {
        self.started_at = opened.started_at.0;
        self.direction = Some(direction_name(opened.direction).to_owned());
        self.trunk.clone_from(&opened.trunk);
        self.peer = Some(opened.peer.to_string());
        self.transport = Some(opened.transport.clone());
        self.from_uri = Some(opened.from.clone());
        self.to_uri = Some(opened.to.clone());
        self.number = Some(opened.number.clone());
        self.sip_call_id = Some(opened.sip_call_id.clone());
        self.destination.clone_from(&opened.destination);
    }

    fn add_dialogue(&mut self, dialogue: &Dialogue) {
        match dialogue {
            Dialogue::Agent { name } => self.agent = Some(name.clone()),
            Dialogue::Outcome { name } => self.outcome = Some(name.clone()),
            Dialogue::TurnCommitted { .. } => self.turns = self.turns.saturating_add(1),
            Dialogue::BargeIn { .. } => self.barge_ins = self.barge_ins.saturating_add(1),
            Dialogue::Said { .. }
            | Dialogue::SaidOn { .. }
            | Dialogue::Heard { .. }
            | Dialogue::SpeechStarted
            | Dialogue::SpeechEnded { .. }
            | Dialogue::SpeechDismissed
            | Dialogue::Idle { .. }
            | Dialogue::State { .. }
            | Dialogue::ToolCalled { .. }
            | Dialogue::ToolAnswered { .. }
            | Dialogue::Message { .. }
            | Dialogue::DrySlots { .. }
            | Dialogue::Unfinished { .. }
            | Dialogue::HeldBack { .. }
            | Dialogue::Hop(_)
            | Dialogue::Echo { .. }
            | Dialogue::Dropped { .. } => {}
        }
    }

    fn end(&mut self, at: CallTime, ended: &Ended) {
        self.ended_at = Some(self.wall_clock(at));
        ENDED.clone_into(&mut self.state);
        self.cause = Some(ended.cause.as_str().to_owned());
        self.status = ended.status.map(i64::from);
        self.reason.clone_from(&ended.reason);
        self.talk_ms = Some(int(ended.talk_ms));
    }

    fn wall_clock(&self, at: CallTime) -> i64 {
        self.started_at.saturating_add(int(at.0))
    }
}

impl QualityColumns {
    fn new(leg: &LegQuality, pacing: &Pacing) -> Self {
        Self {
            mos: leg.mos,
            loss_percent: loss_percent(leg),
            jitter_p50_ms: Some(leg.jitter_p50_ms),
            jitter_p95_ms: Some(leg.jitter_p95_ms),
            jitter_max_ms: Some(leg.jitter_max_ms),
            rtt_ms: leg.rtt_ms,
            remote_loss_percent: leg.remote_loss_percent,
            packets_received: Some(int(leg.received)),
            packets_sent: Some(int(leg.sent)),
            packets_lost: Some(int(leg.lost)),
            packets_late: Some(int(leg.late)),
            packets_duplicate: Some(int(leg.duplicate)),
            packets_reordered: Some(int(leg.reordered)),
            packets_foreign: Some(int(leg.foreign)),
            packets_invalid: Some(int(leg.invalid)),
            slips: Some(int(leg.slips)),
            concealed_ms: Some(int(leg.concealed_ms)),
            ticks: Some(int(pacing.ticks)),
            ticks_missed: Some(int(pacing.missed)),
            pacing_p50_us: Some(i64::from(pacing.error_p50_us)),
            pacing_p99_us: Some(i64::from(pacing.error_p99_us)),
        }
    }
}

/// The name of an event in the `type` column and in JSON.
pub(crate) fn event_type(event: &Event) -> &'static str {
    match event {
        Event::Opened(_) => "opened",
        Event::Sip(_) => "sip",
        Event::Ringing { .. } => "ringing",
        Event::Answered => "answered",
        Event::Acknowledged => "acknowledged",
        Event::Media(_) => "media",
        Event::Latched { .. } => "latched",
        Event::ForeignSource { .. } => "foreign_source",
        Event::Dtmf { .. } => "dtmf",
        Event::StreamReset { .. } => "stream_reset",
        Event::UnknownPayloadType { .. } => "unknown_payload_type",
        Event::ReoffersRefused { .. } => "reoffers_refused",
        Event::SlotMoved { .. } => "slot_moved",
        Event::TickLate { .. } => "tick_late",
        Event::RecordingStarted { .. } => "recording_started",
        Event::RecordingFinished { .. } => "recording_finished",
        Event::RecordingFailed { .. } => "recording_failed",
        Event::Dialogue(_) => "dialogue",
        Event::Gap { .. } => "gap",
        Event::Quality { .. } => "quality",
        Event::Ended(_) => "ended",
    }
}

/// A count as databases keep it.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The time of `at` in a call that began at `started_at`.
pub(crate) fn call_time(started_at: i64, at: UnixMicros) -> CallTime {
    CallTime(u64::try_from(at.0.saturating_sub(started_at)).unwrap_or(0))
}

fn direction_name(direction: CallDirection) -> &'static str {
    match direction {
        CallDirection::Inbound => "inbound",
        CallDirection::Outbound => "outbound",
    }
}

fn loss_percent(leg: &LegQuality) -> Option<f64> {
    let expected = leg.received.saturating_add(leg.lost);
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 53 bits")]
    (expected > 0).then(|| leg.lost as f64 * 100.0 / expected as f64)
}

const OPENED: &str = "opened";
const RINGING: &str = "ringing";
const ANSWERED: &str = "answered";
const ENDED: &str = "ended";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn a_row_follows_its_call() {
        let call = sample::call(1);
        let mut row = CallRow::new(call);
        assert_eq!(row.started_at, call.made_at().0);
        let mut states = Vec::new();
        for record in sample::answered_call(call) {
            row.apply(record.at, &record.event);
            states.push(row.state.clone());
        }
        states.dedup();
        assert_eq!(states, [OPENED, RINGING, ANSWERED, ENDED]);
        assert_eq!(row.number.as_deref(), Some("echo"));
        assert_eq!(row.answered_at, Some(row.started_at + 40_000));
        assert_eq!(row.ended_at, Some(row.started_at + 5_040_000));
        assert_eq!((row.cause.as_deref(), row.talk_ms), (Some("remote_bye"), Some(5_000)));
        assert_eq!(row.quality.loss_percent, Some(2.0));
        assert_eq!(row.recording_ms, Some(5_000));
        assert!(!row.has_open_recording());
    }

    #[test]
    fn the_type_column_is_the_serialized_tag() {
        for record in sample::one_of_each(sample::call(1)) {
            let json = serde_json::to_value(&record.event).unwrap();
            assert_eq!(json["type"], event_type(&record.event));
        }
    }
}
