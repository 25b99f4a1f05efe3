//! `caly call`: places one real call with the server's own signaling thread and shard, and tells how it went.

mod program;
mod report;
mod sound;
mod stream;

use std::path::Path;
use std::time::{Duration, Instant};

use caly_rtp::dtmf::Digit;
use caly_sip::message::Uri;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::ctrl_c;
use tokio::time::interval;

use self::program::Program;
use self::report::Report;
use super::{CallArgs, Failure, Format, Output};
use crate::app::{Phone, PhoneConfig, PhoneError};
use crate::config::LogConfig;
use crate::telemetry;

/// Places the call.
///
/// # Errors
/// Exit code 2 if the arguments are wrong, 1 if the call failed.
pub(super) fn run(args: &CallArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let target: Uri = args.uri.parse().map_err(|error| {
        Failure::refused(format!("{}: {error}", args.uri)).advise("write it like sip:echo@127.0.0.1:5060")
    })?;
    let log = LogConfig::default();
    telemetry::init("warn", log.format, log.phone_numbers)
        .map_err(|error| Failure::failed(error.to_string()))?;
    let sound = sound::load(args)?;
    for path in args.record.iter().chain(&args.capture) {
        sound::check_writable(path)?;
    }
    let digits: Vec<Digit> =
        args.dtmf.iter().flat_map(|keys| keys.chars()).filter_map(Digit::from_char).collect();
    let program = Program::new(sound, digits, args.duration);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let report = runtime.block_on(place(args, &target, program, out))?;
    report.print(out)?;
    report.outcome()
}

async fn place(
    args: &CallArgs,
    target: &Uri,
    program: Program,
    out: &mut Output<'_>,
) -> Result<Report, Failure> {
    let scratch = Scratch::new()?;
    let config = PhoneConfig { target, recordings: scratch.path(), capture: args.capture.as_deref() };
    let mut phone = Phone::start(config).await.map_err(|error| phone_failure(&error))?;
    let mut report = Report::new(&args.uri);
    if out.format() == Format::Text {
        out.line(format_args!("calling {} from {}", args.uri, phone.local()))?;
    }
    phone.dial(target, Box::new(program), args.record.is_some()).map_err(|error| phone_failure(&error))?;
    follow(&mut phone, &mut report, out).await?;
    let (rest, captured) = phone.stop().await;
    for record in &rest {
        report.observe(record, out)?;
    }
    if let Some(captured) = captured {
        let captured =
            captured.map_err(|error| Failure::failed(format!("the capture is incomplete: {error}")))?;
        report.captured(args.capture.as_deref(), captured);
    }
    if let Some(path) = &args.record {
        report.keep_recording(scratch.path(), path)?;
    }
    Ok(report)
}

/// Watches the call until it has ended.
async fn follow(phone: &mut Phone, report: &mut Report, out: &mut Output<'_>) -> Result<(), Failure> {
    let spinner = spinner(out.format());
    let began = Instant::now();
    let mut look = interval(LOOK_INTERVAL);
    let mut interrupts = 0;
    while !report.has_ended() {
        tokio::select! {
            _ = look.tick() => {}
            _ = ctrl_c() => {
                interrupts += 1;
                phone.hang_up();
                if interrupts > 1 {
                    break;
                }
            }
        }
        while let Some(record) = phone.next_record() {
            spinner.suspend(|| report.observe(&record, out))?;
        }
        spinner.set_message(format!("{:.0} s", began.elapsed().as_secs_f64()));
        spinner.tick();
    }
    spinner.finish_and_clear();
    Ok(())
}

/// Shown on a terminal only; indicatif hides it elsewhere.
fn spinner(format: Format) -> ProgressBar {
    match format {
        Format::Json => ProgressBar::hidden(),
        Format::Text => ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner()),
    }
}

fn phone_failure(error: &PhoneError) -> Failure {
    match error {
        PhoneError::Target(_) => {
            Failure::refused(error.to_string()).advise("write it like sip:echo@127.0.0.1:5060")
        }
        PhoneError::Unresolved(_) => {
            Failure::failed(error.to_string()).advise("check the name, or give an address")
        }
        PhoneError::System { .. } => Failure::failed(error.to_string()),
    }
}

/// A folder for the recording until it is put where it is wanted; removed in the end.
#[derive(Debug)]
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("caly-call-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left in a temporary folder is swept by the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LOOK_INTERVAL: Duration = Duration::from_millis(50);
