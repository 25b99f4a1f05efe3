//! `caly replay`: runs a capture through the server's own code and keeps what comes of it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::runtime;

use super::{Failure, Format, Output, ReplayArgs};
use crate::app::{self, Agents};
use crate::call::destination::TestDestination;
use crate::capture::read::{self, ReadCounters, Reading};
use crate::config::Config;
use crate::replay::{
    self, BareRtp, BargeIn, ChosenStream, Outcome, ReplayConfig, ReplayError, ReplayedCall, Timing, Turn,
    TurnBy,
};
use crate::signaling::Destinations;
use crate::store::DataDir;

/// What is printed.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    files: &'a [WrittenFile],
    /// Virtual time for one second of real time.
    speed: f64,
}

/// What stands in turns.json for each call.
#[derive(Debug, Serialize)]
struct CallTurns<'a> {
    call: &'a str,
    turns: &'a [Turn],
    barge_ins: &'a [BargeIn],
}

impl<'a> CallTurns<'a> {
    fn of(call: &'a ReplayedCall) -> Self {
        Self { call: &call.call, turns: &call.timing.turns, barge_ins: &call.timing.barge_ins }
    }
}

/// A file that the replay wrote.
#[derive(Debug, Serialize)]
struct WrittenFile {
    path: PathBuf,
    sha256: String,
}

/// Runs the command.
///
/// # Errors
/// Exit code 2 if the file or the folder cannot be used; 1 if there is no call in the capture.
pub(super) fn run(args: &ReplayArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let config = Config::default();
    let agent = destination_of(&args.agent, &config)?;
    let start = Instant::now();
    let reading = read::read(&args.file).map_err(|error| {
        Failure::refused(error.to_string())
            .advise("name a pcap or pcapng file, as dumpcap or --capture write it")
    })?;
    make_empty(&args.out)?;
    let config = ReplayConfig {
        local: args.local,
        bare_rtp: args.rtp.map(|to| BareRtp { to, dtmf: args.dtmf_pt }),
        agent,
        destinations: destinations(&config, &reading)?,
        policy: app::call_policy(&config),
        recordings: &args.out,
        start,
    };
    let began = Instant::now();
    let (counters, is_broken) = (reading.counters, reading.broken_after.is_some());
    let outcome =
        replay::run(reading, config).map_err(|error| unplayable(&args.file, error, &counters, is_broken))?;
    let took = began.elapsed();
    let files = write(&args.out, &outcome)?;
    let speed = outcome.duration_ms as f64 / 1000.0 / took.max(Duration::from_micros(1)).as_secs_f64();
    match out.format() {
        Format::Json => out.json(&Report { outcome: &outcome, files: &files, speed }),
        Format::Text => print(out, &outcome, &files, speed),
    }
}

/// Test destinations are named as they are, agents with or without `agent:`.
fn destination_of(name: &str, config: &Config) -> Result<String, Failure> {
    let tests = TestDestination::ALL.map(TestDestination::name);
    if tests.contains(&name) {
        return Ok(name.to_owned());
    }
    let wanted = name.strip_prefix("agent:").unwrap_or(name);
    if config.agents.iter().any(|agent| agent.name == wanted) {
        return Ok(format!("agent:{wanted}"));
    }
    let agents = config.agents.iter().map(|agent| agent.name.as_str());
    let known: Vec<&str> = agents.chain(tests).collect();
    Err(Failure::refused(format!("--agent {name}: no such agent"))
        .advise(format!("there are {}", known.join(", "))))
}

/// All destinations, with the demo shop as it was on the day of the capture.
fn destinations(config: &Config, reading: &Reading) -> Result<Destinations, Failure> {
    let runtime = Arc::new(runtime::Builder::new_current_thread().enable_all().build()?);
    let begins = reading.packets.first().map_or(Duration::ZERO, |packet| packet.at);
    let today = SignedDuration::try_from(begins)
        .and_then(Timestamp::from_duration)
        .map_or(Date::ZERO, |begins| begins.to_zoned(TimeZone::UTC).date());
    let prompts = DataDir::new(&config.data.dir).prompts();
    let agents = runtime
        .block_on(Agents::for_replay(config, today, &prompts))
        .map_err(|error| Failure::failed(error.to_string()).advise(error.advice()))?;
    let mut destinations = Destinations::for_testing();
    agents.play(&mut destinations, &runtime);
    Ok(destinations)
}

/// What a capture without a call holds instead.
fn holds(counters: &ReadCounters, is_broken: bool) -> String {
    let ReadCounters { frames, foreign, cut, .. } = counters;
    let end = if is_broken { ", and is broken behind them" } else { "" };
    format!("it holds {frames} frames, {foreign} of them neither UDP nor TCP, {cut} only in part{end}")
}

fn unplayable(file: &Path, error: ReplayError, counters: &ReadCounters, is_broken: bool) -> Failure {
    let holds = holds(counters, is_broken);
    let ReadCounters { frames, foreign, cut, .. } = *counters;
    let advice = match error {
        _ if cut > frames / 2 => "capture whole packets: dumpcap -s 0 -i any -w call.pcap",
        _ if frames == 0 => {
            "the file is empty or broken at its beginning: capture again, or mend it with pcapfix"
        }
        _ if foreign == frames => {
            "capture where there is IP over Ethernet, or on all interfaces: dumpcap -i any -w call.pcap"
        }
        ReplayError::NoInvite => "if it holds RTP without its SIP, add --rtp",
        ReplayError::NoRtp => "capture the call again with: dumpcap -i any -w call.pcap udp",
        ReplayError::NoRtpTo(_) => "give --rtp without an address, or one that RTP went to",
        ReplayError::NoInviteTo(_) => "leave --local out, or name the address that the INVITE went to",
    };
    Failure::failed(format!("{}: {error} ({holds})", file.display())).advise(advice)
}

/// Old results must not be taken for new ones.
fn make_empty(folder: &Path) -> Result<(), Failure> {
    let refused = |what: String| Failure::refused(format!("{}: {what}", folder.display()));
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(refused("the folder is not empty".to_owned()).advise("name a new one with --out")),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(folder)
            .map_err(|error| refused(error.to_string()).advise("name a folder that can be made with --out")),
        Err(error) => Err(refused(error.to_string()).advise("name another folder with --out")),
    }
}

fn write(folder: &Path, outcome: &Outcome) -> Result<Vec<WrittenFile>, Failure> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: {error}", path.display())).advise("see whether the disk is full")
    };
    let mut events = Vec::new();
    for record in &outcome.records {
        serde_json::to_writer(&mut events, record).map_err(|error| failed(folder, &error))?;
        events.push(b'\n');
    }
    let mut report = serde_json::to_vec_pretty(outcome).map_err(|error| failed(folder, &error))?;
    report.push(b'\n');
    let turns: Vec<_> = outcome.calls.iter().map(CallTurns::of).collect();
    let mut turns = serde_json::to_vec_pretty(&turns).map_err(|error| failed(folder, &error))?;
    turns.push(b'\n');
    for (name, bytes) in [("events.jsonl", &events), ("report.json", &report), ("turns.json", &turns)] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|error| failed(&path, &error))?;
    }
    let recordings = outcome.calls.iter().filter_map(|call| call.recording.as_deref());
    let mut files = Vec::new();
    for name in ["events.jsonl", "report.json", "turns.json"].into_iter().chain(recordings) {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|error| failed(&path, &error))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        files.push(WrittenFile { path, sha256 });
    }
    Ok(files)
}

fn print(out: &mut Output<'_>, outcome: &Outcome, files: &[WrittenFile], speed: f64) -> Result<(), Failure> {
    if let Some(ChosenStream { from, to, codec, packets }) = &outcome.stream {
        out.line(format_args!(
            "took the RTP from {from} to {to} for the caller: {packets} packets of {codec}; its SIP is made up"
        ))?;
    }
    for call in &outcome.calls {
        out.line(line_of(call))?;
        for line in timing_lines(&call.timing) {
            out.line(format_args!("  {line}"))?;
        }
    }
    if outcome.unfinished_calls > 0 {
        let calls = outcome.unfinished_calls;
        out.line(format_args!("{calls} of them were still up when the capture ended, and were hung up"))?;
    }
    if outcome.sip_withheld > 0 {
        let messages = outcome.sip_withheld;
        out.line(format_args!(
            "{messages} SIP messages were not fed: the answers that they follow did not come"
        ))?;
    }
    if let Some((frame, what)) = &outcome.broken_after {
        out.line(format_args!("the capture is broken behind frame {frame}: {what}; it was run up to there"))?;
    }
    out.line(format_args!(
        "fed {} SIP messages and {} media packets ({} found no call); passed over {} packets, {} unusable frames",
        outcome.sip_messages,
        outcome.media_packets,
        outcome.media_undelivered,
        outcome.passed_over,
        outcome.unusable_frames
    ))?;
    for file in files {
        out.line(format_args!("{}  {}", file.sha256, file.path.display()))?;
    }
    let seconds = outcome.duration_ms as f64 / 1000.0;
    out.line(format_args!("{seconds:.1} s of virtual time, {speed:.0} times as fast as the clock"))
}

fn line_of(call: &ReplayedCall) -> String {
    let cause = call.cause.as_deref().unwrap_or("not ended");
    let talk = match (call.answered_ms, call.ended_ms) {
        (Some(answered), Some(ended)) => {
            format!("answered after {answered} ms, ended after {:.1} s", ended as f64 / 1000.0)
        }
        (Some(_), None) | (None, Some(_)) | (None, None) => "not answered".to_owned(),
    };
    let keys = if call.keys.is_empty() { "none" } else { &call.keys };
    let (number, received, lost, sent) = (&call.number, call.received, call.lost, call.sent);
    format!(
        "call to {number}: {talk}, {cause}; received {received} packets ({lost} lost), sent {sent}; keys {keys}"
    )
}

/// The times of a call for people: the answer, the caller's network, and each turn as far as a screen holds them.
fn timing_lines(timing: &Timing) -> Vec<String> {
    let ms = |value: Option<u64>| value.map_or("-".to_owned(), |value| format!("{value} ms"));
    let mut lines = vec![format!(
        "set up in {}, acknowledged after {}, first audio {} after that",
        ms(timing.setup_ms),
        ms(timing.acknowledged_ms),
        ms(timing.first_audio_after_ack_ms)
    )];
    if let Some(leg) = &timing.quality {
        lines.push(format!(
            "caller's RTP: {} lost, {} late, {} twice, {} out of order; jitter {:.1}/{:.1}/{:.1} ms (p50/p95/max)",
            leg.lost, leg.late, leg.duplicate, leg.reordered, leg.jitter_p50_ms, leg.jitter_p95_ms, leg.jitter_max_ms
        ));
    }
    lines.extend(timing.turns.iter().take(SHOWN).map(|turn| {
        let what = match turn.by {
            TurnBy::Speech => "spoke".to_owned(),
            TurnBy::Keys => format!("pressed {}", turn.keys),
        };
        let (stopped, answer) = (turn.stopped_ms as f64 / 1000.0, ms(turn.response_ms));
        format!("{stopped:7.2} s  caller {what}; the agent was heard after {answer}")
    }));
    lines.extend(timing.barge_ins.iter().take(SHOWN).map(|barge_in| {
        let BargeIn { by, onset_ms, took_ms, .. } = barge_in;
        format!(
            "{:7.2} s  interrupted by {by}; the agent was silent after {took_ms} ms",
            *onset_ms as f64 / 1000.0
        )
    }));
    let hidden = timing.turns.len().saturating_sub(SHOWN) + timing.barge_ins.len().saturating_sub(SHOWN);
    if hidden > 0 {
        lines.push(format!("{hidden} more in turns.json"));
    }
    for (cause, slots) in &timing.dry_slots {
        lines.push(format!("{slots} slots of 20 ms without the agent's next words, because of: {cause}"));
    }
    lines
}

/// Turns of one call on the screen; the files have all.
const SHOWN: usize = 20;
