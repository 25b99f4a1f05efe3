//! What a replay has brought: the log of every call, and the same in short.

use std::time::Duration;

use serde::Serialize;

use super::bare_rtp::ChosenStream;
use super::stage::Stage;
use super::timing::{Timing, millis};
use super::unusable;
use crate::call::log::{Event, Record, UnixMicros, Way};
use crate::capture::read::ReadCounters;

/// The outcome of a replay; the same for every run of the same capture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The calls, by their beginning.
    pub calls: Vec<ReplayedCall>,
    /// Virtual time from the first packet to the end of the last call.
    pub duration_ms: u64,
    /// The stream that was taken for the caller's, if the capture was taken for RTP alone.
    pub stream: Option<ChosenStream>,
    /// SIP messages that were fed; with RTP alone, those that were written for it.
    pub sip_messages: u64,
    /// SIP messages that were not fed: what they answer never came.
    pub sip_withheld: u64,
    /// RTP and RTCP packets that reached a call.
    pub media_packets: u64,
    /// RTP and RTCP packets for which there was no call any more, or not yet.
    pub media_undelivered: u64,
    /// RTP packets that our side has sent.
    pub media_sent: u64,
    /// Packets of the capture that the server had sent, or that belong to others.
    pub passed_over: u64,
    /// Frames of the capture that hold no whole packet.
    pub unusable_frames: u64,
    /// Calls that were still up when the capture ended, and were hung up then.
    pub unfinished_calls: usize,
    /// The last whole frame, if the file is cut or broken behind it, and what is wrong there.
    pub broken_after: Option<(u64, String)>,
    /// Every event, by call and number.
    #[serde(skip)]
    pub records: Vec<Record>,
}

/// One call in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReplayedCall {
    /// Its id.
    pub call: String,
    /// The SIP Call-ID.
    pub sip_call_id: String,
    /// When it began, in microseconds since 1970 UTC.
    pub started_at: i64,
    /// Whom the caller wanted.
    pub number: String,
    /// The destination that it met.
    pub destination: Option<String>,
    /// When it was answered, in milliseconds from its INVITE.
    pub answered_ms: Option<u64>,
    /// When it ended, in milliseconds from its INVITE.
    pub ended_ms: Option<u64>,
    /// Why it ended.
    pub cause: Option<String>,
    /// The keys that the caller pressed.
    pub keys: String,
    /// RTP packets of the caller.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that we sent.
    pub sent: u64,
    /// The recording, below the folder for it.
    pub recording: Option<String>,
    /// How fast it went.
    pub timing: Timing,
}

impl Outcome {
    /// What the records tell; `start` is the wall-clock time at which the stage's time began.
    pub(super) fn of(mut records: Vec<Record>, start: Duration, stage: &Stage) -> Self {
        records.sort_by_key(|record| (record.call, record.seq));
        let media = stage.counters();
        Self {
            calls: records
                .chunk_by(|a, b| a.call == b.call)
                .map(|call| replayed(call, start, stage))
                .collect(),
            duration_ms: 0,
            stream: None,
            sip_messages: 0,
            sip_withheld: 0,
            media_packets: media.delivered,
            media_undelivered: media.undelivered,
            media_sent: media.sent,
            passed_over: 0,
            unusable_frames: 0,
            unfinished_calls: 0,
            broken_after: None,
            records,
        }
    }

    pub(super) fn note_capture(&mut self, counters: ReadCounters, broken_after: Option<(u64, String)>) {
        self.unusable_frames = unusable(&counters);
        self.broken_after = broken_after;
    }
}

/// One call's records in short.
fn replayed(records: &[Record], start: Duration, stage: &Stage) -> ReplayedCall {
    let mut call = ReplayedCall::default();
    let (mut port, mut length) = (None, Duration::ZERO);
    for record in records {
        call.note(record);
        length = length.max(record.at.as_duration());
        if let Event::Media(media) = &record.event {
            port = Some(media.local.port());
        }
    }
    let began = Duration::from_micros(u64::try_from(call.started_at).unwrap_or(0)).saturating_sub(start);
    let mut heard = port.map(|port| stage.heard(port, began, began + length)).unwrap_or_default();
    for span in &mut heard {
        (span.from, span.until) = (span.from - began, span.until - began);
    }
    call.timing = Timing::of(records, &heard);
    call
}

impl ReplayedCall {
    fn note(&mut self, record: &Record) {
        let at_ms = Some(millis(record.at.as_duration()));
        match &record.event {
            Event::Opened(opened) => {
                let UnixMicros(started_at) = opened.started_at;
                self.call = record.call.to_string();
                self.sip_call_id.clone_from(&opened.sip_call_id);
                self.started_at = started_at;
                self.number.clone_from(&opened.number);
                self.destination.clone_from(&opened.destination);
            }
            Event::Answered => self.answered_ms = at_ms,
            Event::Dtmf { way: Way::Received, digit, .. } => self.keys.push(*digit),
            Event::Quality { leg, .. } => {
                (self.received, self.lost, self.sent) = (leg.received, leg.lost, leg.sent);
            }
            Event::RecordingFinished { file, .. } => self.recording = Some(file.clone()),
            Event::Ended(ended) => {
                self.ended_ms = at_ms;
                self.cause = Some(ended.cause.to_string());
            }
            // The rest stands in the events.
            Event::Sip(_)
            | Event::Ringing { .. }
            | Event::Acknowledged
            | Event::Media(_)
            | Event::Latched { .. }
            | Event::ForeignSource { .. }
            | Event::Dtmf { way: Way::Sent, .. }
            | Event::StreamReset { .. }
            | Event::UnknownPayloadType { .. }
            | Event::ReoffersRefused { .. }
            | Event::SlotMoved { .. }
            | Event::TickLate { .. }
            | Event::Dialogue(_)
            | Event::RecordingStarted { .. }
            | Event::RecordingFailed { .. }
            | Event::Gap { .. } => {}
        }
    }
}
