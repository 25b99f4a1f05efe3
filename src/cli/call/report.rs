//! What is told about a placed call: lines while it runs, figures when it is over, an exit code.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use hound::{WavReader, WavWriter};
use serde::Serialize;

use super::kept::{KeptFile, KeptFiles};
use crate::call::cause::HangupCause;
use crate::call::log::{Event, LegQuality, Record, Way};
use crate::capture::Captured;
use crate::cli::{Failure, Format, Output};

/// A call as it is reported.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    uri: String,
    /// What the user should know about the sound that was sent.
    notes: Vec<String>,
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
    /// Files that were asked for and could not be written.
    faults: Vec<String>,
    /// Whether the user broke the call off.
    interrupted: bool,
    #[serde(skip)]
    recorded_file: Option<String>,
    #[serde(skip)]
    wants_recording: bool,
}

/// Which of the user's signals it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    Now,
    Before,
}

impl Report {
    pub(super) fn new(uri: &str, notes: Vec<String>) -> Self {
        Self { uri: uri.to_owned(), notes, ..Self::default() }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.cause.is_some()
    }

    /// What is going on, for people who wait.
    pub(super) fn state(&self) -> &'static str {
        match (self.answered_ms, self.ringing_ms) {
            _ if self.interrupted => "hanging up",
            (Some(_), _) => "in the call, Ctrl-C hangs up",
            (None, Some(_)) => "ringing",
            (None, None) => "waiting for an answer",
        }
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
            Event::RecordingFailed { error, .. } => {
                self.faults.push(format!("the recording failed: {error}"));
                None
            }
            Event::Dialogue(_)
            | Event::Opened(_)
            | Event::Sip(_)
            | Event::Acknowledged
            | Event::Latched { .. }
            | Event::ForeignSource { .. }
            | Event::StreamReset { .. }
            | Event::UnknownPayloadType { .. }
            | Event::ReoffersRefused { .. }
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

    /// Says what is going to happen.
    pub(super) fn begin(&self, local: IpAddr, out: &mut Output<'_>) -> Result<(), Failure> {
        match out.format() {
            Format::Json => Ok(()),
            Format::Text => {
                self.notes.iter().try_for_each(|note| out.line(note))?;
                out.line(format_args!("calling {} from {local}", self.uri))
            }
        }
    }

    /// The user broke the call off; whether that was so before.
    pub(super) fn interrupt(&mut self) -> Interrupted {
        let before = self.interrupted;
        self.interrupted = true;
        if before { Interrupted::Before } else { Interrupted::Now }
    }

    /// Puts the files that the call left where they are wanted. What cannot be put there is told as a fault.
    pub(super) fn keep(
        &mut self,
        files: KeptFiles,
        recordings: &Path,
        captured: Option<io::Result<Captured>>,
    ) {
        if let (Some(file), Some(captured)) = (files.capture, captured)
            && let Err(error) = captured.and_then(|captured| self.keep_capture(file, captured))
        {
            self.faults.push(format!("the capture could not be kept: {error}"));
        }
        self.wants_recording = files.recording.is_some();
        if let (Some(file), Some(recorded)) = (files.recording, self.recorded_file.take()) {
            match keep_recording(file, &recordings.join(recorded)) {
                Ok(shown) => self.recording = shown,
                Err(error) => self.faults.push(format!("the recording could not be kept: {error}")),
            }
        }
    }

    fn keep_capture(&mut self, file: KeptFile, captured: Captured) -> io::Result<()> {
        if captured.packets > 0 {
            self.capture = Some(file.put()?);
        }
        self.captured_packets = Some(captured.packets);
        self.capture_missed_packets = Some(captured.missed);
        Ok(())
    }

    pub(super) fn print(&self, out: &mut Output<'_>) -> Result<(), Failure> {
        if out.format() == Format::Json {
            return out.json(self);
        }
        if let Some(talk_ms) = self.talk_ms.filter(|_| self.answered_ms.is_some()) {
            let who = match self.cause {
                Some(HangupCause::RemoteBye) => "the other side hung up",
                Some(HangupCause::LocalBye | HangupCause::Shutdown) => "hung up",
                Some(_) | None => "ended",
            };
            out.line(format_args!("{who} after {:.2} s", talk_ms as f64 / 1000.0))?;
        }
        if let Some(quality) = &self.quality {
            self.print_quality(quality, out)?;
        }
        match &self.recording {
            Some(recording) => {
                out.line(format_args!("recorded to {recording} (left: this side, right: the other)"))?;
            }
            None if self.wants_recording => out.line("nothing was recorded")?,
            None => {}
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

    /// Success if the call was answered, ended as a call does and left what it should.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        let is_answered = self.answered_ms.is_some();
        let faults = self.faults.join("; ");
        match self.cause {
            _ if self.interrupted && is_answered => Err(Failure::failed("interrupted; the call was hung up")),
            _ if self.interrupted => Err(Failure::failed("interrupted before the call was answered")),
            Some(HangupCause::RemoteBye | HangupCause::LocalBye) if is_answered && faults.is_empty() => {
                Ok(())
            }
            Some(HangupCause::RemoteBye | HangupCause::LocalBye) if is_answered => {
                Err(Failure::failed(faults).advise("make room on the disk or name another file"))
            }
            Some(cause) => Err(self.failure(cause)),
            None => Err(Failure::failed("the call came to no end").advise(LOOK_CLOSER)),
        }
    }

    fn failure(&self, cause: HangupCause) -> Failure {
        let status = self.status.map_or(String::new(), |status| format!(" ({status})"));
        // The phrase that every response of that status has tells nothing.
        let reason = self.reason.as_deref().filter(|reason| !reason.is_empty() && *reason != "Not Found");
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        let (message, advice) = match cause {
            HangupCause::Unauthorized => (
                format!("the other side wants credentials{status}"),
                "this caller cannot log in: let its address call without, or use another target",
            ),
            HangupCause::Busy => (format!("busy{status}"), "call again later"),
            HangupCause::NoAnswer => {
                (format!("no answer{status}"), "call again later, or check that somebody answers there")
            }
            HangupCause::NotFound => (
                format!("not found{status}{reason}"),
                "check the user part of the URI and the server's routes",
            ),
            HangupCause::NotAcceptable => (
                format!("no codec in common, or an unusable answer{status}{reason}"),
                "let the other side take PCMU or PCMA",
            ),
            HangupCause::Unreachable => (
                format!("{} cannot be reached{reason}", self.uri),
                "check that the server runs, that address, port and transport are right, and that it serves this host",
            ),
            HangupCause::RtpTimeout => (
                format!("the call was ended because no RTP came{reason}"),
                "let UDP from the other side through the firewalls in between",
            ),
            HangupCause::Rejected => (format!("refused{status}{reason}"), LOOK_CLOSER),
            HangupCause::RemoteBye
            | HangupCause::LocalBye
            | HangupCause::Canceled
            | HangupCause::CallLimit
            | HangupCause::PortsExhausted
            | HangupCause::Overloaded
            | HangupCause::Draining
            | HangupCause::AckTimeout
            | HangupCause::MaxDuration
            | HangupCause::Shutdown
            | HangupCause::InternalError
            | HangupCause::ServerLost => (format!("the call ended by {cause}{status}{reason}"), LOOK_CLOSER),
        };
        Failure::failed(message).advise(advice)
    }
}

/// Swaps the sides and puts the recording into its place, unless there is nothing in it. The recorder has the peer left, whoever called; here the
/// caller, this side, goes left.
fn keep_recording(file: KeptFile, recorded: &Path) -> io::Result<Option<String>> {
    let mut reader = WavReader::open(recorded).map_err(plain)?;
    if reader.duration() == 0 {
        return Ok(None);
    }
    let mut writer = WavWriter::create(file.part(), reader.spec()).map_err(plain)?;
    let mut samples = reader.samples::<i16>();
    while let (Some(peer), Some(own)) = (samples.next(), samples.next()) {
        writer.write_sample(own.map_err(plain)?).map_err(plain)?;
        writer.write_sample(peer.map_err(plain)?).map_err(plain)?;
    }
    writer.finalize().map_err(plain)?;
    file.put().map(Some)
}

fn plain(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

const LOOK_CLOSER: &str = "run it again with --capture call.pcap and look at what was said";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Style;
    use crate::store::sample;

    /// A report on a whole call, with the events that `change` leaves of it.
    fn report(change: impl Fn(&mut Event)) -> Report {
        let mut printed = Vec::new();
        let mut out = Output::new(&mut printed, Format::Json, Style::Plain);
        let mut report = Report::new("sip:echo@192.0.2.1", Vec::new());
        for mut record in sample::answered_call(sample::call(1)) {
            change(&mut record.event);
            report.observe(&record, &mut out).unwrap();
        }
        report
    }

    fn said(report: &Report) -> Option<String> {
        let mut printed = Vec::new();
        report.outcome().err()?.print(&mut printed, Format::Text).unwrap();
        Some(String::from_utf8(printed).unwrap())
    }

    #[test]
    fn a_call_that_leaves_less_than_it_should_has_failed() {
        assert_eq!(said(&report(|_| {})), None);
        let failed = report(|event| {
            if let Event::RecordingFinished { file, .. } = event {
                *event = Event::RecordingFailed {
                    file: file.clone(),
                    error: "no space".to_owned(),
                    duration_ms: 0,
                };
            }
        });
        let told = "caly: the recording failed: no space; make room on the disk or name another file\n";
        assert_eq!(said(&failed).as_deref(), Some(told));
    }

    #[test]
    fn every_end_but_the_usual_one_is_a_failure_with_an_advice() {
        for cause in HangupCause::ALL {
            let ended = report(|event| {
                if let Event::Ended(ended) = event {
                    ended.cause = cause;
                }
            });
            let is_usual = matches!(cause, HangupCause::RemoteBye | HangupCause::LocalBye);
            assert_eq!(said(&ended).is_none(), is_usual, "{cause}");
            assert!(said(&ended).is_none_or(|told| told.contains("; ") && told.lines().count() == 1));
        }
    }
}
