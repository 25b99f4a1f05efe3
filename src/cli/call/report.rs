//! What is told about a placed call: lines while it runs, figures when it is over, an exit code.

use std::fs;
use std::path::Path;

use hound::{WavReader, WavWriter};
use serde::Serialize;

use crate::call::cause::HangupCause;
use crate::call::log::{Event, LegQuality, Record, Way};
use crate::capture::Captured;
use crate::cli::{Failure, Format, Output};

/// A call as it is reported.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    uri: String,
    /// INVITE to the first 18x, in ms.
    ringing_ms: Option<f64>,
    /// INVITE to 200, in ms.
    answered_ms: Option<f64>,
    codec: Option<String>,
    remote: Option<String>,
    digits_received: String,
    digits_sent: String,
    quality: Option<LegQuality>,
    cause: Option<HangupCause>,
    status: Option<u16>,
    reason: Option<String>,
    talk_ms: Option<u64>,
    recording: Option<String>,
    capture: Option<String>,
    captured_packets: Option<u64>,
    capture_missed_packets: Option<u64>,
    #[serde(skip)]
    recorded_file: Option<String>,
}

impl Report {
    pub(super) fn new(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            ringing_ms: None,
            answered_ms: None,
            codec: None,
            remote: None,
            digits_received: String::new(),
            digits_sent: String::new(),
            quality: None,
            cause: None,
            status: None,
            reason: None,
            talk_ms: None,
            recording: None,
            capture: None,
            captured_packets: None,
            capture_missed_packets: None,
            recorded_file: None,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.cause.is_some()
    }

    /// Takes note of an event and tells what people want to see at once.
    pub(super) fn observe(&mut self, record: &Record, out: &mut Output<'_>) -> Result<(), Failure> {
        let ms = record.at.as_duration().as_secs_f64() * 1000.0;
        let line = match &record.event {
            Event::Ringing { status } => {
                self.ringing_ms.get_or_insert(ms);
                Some(format!("ringing ({status}) after {ms:.1} ms"))
            }
            Event::Answered => {
                self.answered_ms = Some(ms);
                Some(format!("answered after {ms:.1} ms"))
            }
            Event::Media(agreed) => {
                self.codec = Some(agreed.codec.clone());
                self.remote = agreed.remote.map(|remote| remote.to_string());
                let remote = self.remote.as_deref().unwrap_or("nowhere (held)");
                Some(format!("{} from {} to {remote}", agreed.codec, agreed.local))
            }
            Event::Dtmf { way: Way::Received, digit, .. } => {
                self.digits_received.push(*digit);
                Some(format!("key {digit} received at {:.2} s", ms / 1000.0))
            }
            Event::Dtmf { way: Way::Sent, digit, .. } => {
                self.digits_sent.push(*digit);
                Some(format!("key {digit} sent at {:.2} s", ms / 1000.0))
            }
            Event::Quality { leg, .. } => {
                self.quality = Some(leg.clone());
                None
            }
            Event::Ended(ended) => {
                self.cause = Some(ended.cause);
                self.status = ended.status;
                self.reason.clone_from(&ended.reason);
                self.talk_ms = Some(ended.talk_ms);
                None
            }
            Event::RecordingFinished { file, .. } => {
                self.recorded_file = Some(file.clone());
                None
            }
            Event::RecordingFailed { error, .. } => Some(format!("the recording failed: {error}")),
            Event::Opened(_)
            | Event::Sip(_)
            | Event::Acknowledged
            | Event::Latched { .. }
            | Event::ForeignSource { .. }
            | Event::StreamReset { .. }
            | Event::SlotMoved { .. }
            | Event::TickLate { .. }
            | Event::RecordingStarted { .. }
            | Event::Gap { .. } => None,
        };
        match (line, out.format()) {
            (Some(line), Format::Text) => out.line(line),
            (Some(_) | None, _) => Ok(()),
        }
    }

    pub(super) fn captured(&mut self, path: Option<&Path>, captured: Captured) {
        self.capture = path.map(|path| path.display().to_string());
        self.captured_packets = Some(captured.packets);
        self.capture_missed_packets = Some(captured.missed);
    }

    /// Puts the recording where it is wanted. The recorder has the peer left, whoever called; here the caller, this
    /// side, goes left.
    pub(super) fn keep_recording(&mut self, recordings: &Path, wanted: &Path) -> Result<(), Failure> {
        let Some(file) = &self.recorded_file else {
            // Nothing was recorded of a call that was not answered; leave no empty file that looks like a recording.
            let _ = fs::remove_file(wanted);
            return Ok(());
        };
        let fault = |error: hound::Error| Failure::failed(format!("{}: {error}", wanted.display()));
        let mut reader = WavReader::open(recordings.join(file)).map_err(fault)?;
        let mut writer = WavWriter::create(wanted, reader.spec()).map_err(fault)?;
        let samples: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>().map_err(fault)?;
        for pair in samples.chunks_exact(2) {
            writer.write_sample(pair[1]).map_err(fault)?;
            writer.write_sample(pair[0]).map_err(fault)?;
        }
        writer.finalize().map_err(fault)?;
        self.recording = Some(wanted.display().to_string());
        Ok(())
    }

    pub(super) fn print(&self, out: &mut Output<'_>) -> Result<(), Failure> {
        if out.format() == Format::Json {
            return out.json(self);
        }
        if let Some(talk_ms) = self.talk_ms.filter(|_| self.answered_ms.is_some()) {
            let who = match self.cause {
                Some(HangupCause::RemoteBye) => "the other side hung up",
                Some(HangupCause::LocalBye) => "hung up",
                Some(_) | None => "ended",
            };
            out.line(format_args!("{who} after {:.2} s", talk_ms as f64 / 1000.0))?;
        }
        if let Some(quality) = &self.quality {
            self.print_quality(quality, out)?;
        }
        if let Some(recording) = &self.recording {
            out.line(format_args!("recorded to {recording} (left: this side, right: the other)"))?;
        }
        if let (Some(capture), Some(packets)) = (&self.capture, self.captured_packets) {
            let missed = self.capture_missed_packets.unwrap_or(0);
            out.line(format_args!("captured {packets} packets to {capture}, {missed} missed"))?;
        }
        Ok(())
    }

    fn print_quality(&self, quality: &LegQuality, out: &mut Output<'_>) -> Result<(), Failure> {
        out.line(format_args!(
            "sent {} packets; received {}, {} lost, {} late, {} out of order",
            quality.sent, quality.received, quality.lost, quality.late, quality.reordered
        ))?;
        let optional = |value: Option<f64>, unit: &str| {
            value.map_or("-".to_owned(), |value| format!("{value:.1}{unit}"))
        };
        let mos = quality.mos.map_or("-".to_owned(), |mos| format!("{mos:.2}"));
        out.line(format_args!(
            "jitter {:.0}/{:.0}/{:.0} ms (p50/p95/max), round trip {}, loss at the other side {}, MOS {mos}",
            quality.jitter_p50_ms,
            quality.jitter_p95_ms,
            quality.jitter_max_ms,
            optional(quality.rtt_ms, " ms"),
            optional(quality.remote_loss_percent, " %"),
        ))
    }

    /// Success if the call was answered and ended as a call does.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        let cause = self.cause.unwrap_or(HangupCause::InternalError);
        let status = self.status.map_or(String::new(), |status| format!(" ({status})"));
        let reason = self.reason.as_deref().filter(|reason| !reason.is_empty());
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        match cause {
            HangupCause::RemoteBye | HangupCause::LocalBye if self.answered_ms.is_some() => Ok(()),
            HangupCause::Shutdown => Err(Failure::failed("interrupted")),
            HangupCause::Unauthorized => {
                Err(Failure::failed(format!("the other side wants credentials{status}"))
                    .advise("this caller cannot log in: let its address call without, or use another target"))
            }
            HangupCause::Busy => Err(Failure::failed(format!("busy{status}"))),
            HangupCause::NoAnswer => Err(Failure::failed(format!("no answer{status}"))),
            HangupCause::NotFound => Err(Failure::failed(format!("not found{status}{reason}"))
                .advise("check the user part of the URI and the server's routes")),
            HangupCause::NotAcceptable => {
                Err(Failure::failed(format!("no codec in common, or an unusable answer{status}{reason}")))
            }
            HangupCause::Unreachable => {
                Err(Failure::failed(format!("{} cannot be reached{reason}", self.uri))
                    .advise("check that the server runs and that the port and transport are right"))
            }
            other => Err(Failure::failed(format!("the call ended by {other}{status}{reason}"))),
        }
    }
}
