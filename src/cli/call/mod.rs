//! `caly call`: places one real call with the server's own signaling thread and shard, and tells how it went.

mod kept;
mod program;
mod report;
mod sound;
mod stream;
mod target;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caly_sip::message::Uri;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;

use self::kept::{KeptFile, KeptFiles};
use self::program::{Key, Program};
use self::report::{Interrupted, Report};
use super::{CallArgs, Failure, Format, Output};
use crate::app::{Phone, PhoneConfig, PhoneError};
use crate::telemetry::{self, LogFormat, PhoneNumbers};

/// Places the call.
///
/// # Errors
/// Exit code 2 if the arguments are wrong, 1 if the call failed.
pub(super) fn run(args: &CallArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let target = target::parse(&args.uri)?;
    let log = match out.format() {
        Format::Json => LogFormat::Json,
        Format::Text => LogFormat::Text,
    };
    let _log = telemetry::init("warn", log, PhoneNumbers::Masked)
        .map_err(|error| Failure::failed(error.to_string()))?;
    kept::refuse_one_file_twice(args)?;
    let (samples, note) = sound::load(args)?.map_or((None, None), |sound| (Some(sound.samples), sound.note));
    let keys: Vec<Key> = args.dtmf.iter().flat_map(|keys| keys.chars()).filter_map(Key::from_char).collect();
    let program = Program::new(samples, keys, args.duration);
    let report = Report::new(&args.uri, note.into_iter().collect());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| cannot_start(&error))?;
    let report = runtime.block_on(place(args, &target, program, report, out))?;
    report.print(out)?;
    report.outcome()
}

async fn place(
    args: &CallArgs,
    target: &Uri,
    program: Program,
    mut report: Report,
    out: &mut Output<'_>,
) -> Result<Report, Failure> {
    // From here on a signal does not end the process before the call is ended and the files are in their places.
    let mut signals = Signals::new()?;
    let scratch = Scratch::new()?;
    let files = KeptFiles::reserve(args)?;
    let capture = files.capture.as_ref().map(KeptFile::part);
    let starting = Phone::start(PhoneConfig { target, recordings: scratch.path(), capture });
    let mut phone = tokio::select! {
        started = starting => started.map_err(|error| phone_failure(&error))?,
        () = signals.next() => return Err(Failure::failed("interrupted before the call was placed")),
    };
    report.begin(phone.local(), out)?;
    phone
        .dial(target, Box::new(program), files.recording.is_some())
        .map_err(|error| phone_failure(&error))?;
    let mut printed = follow(&mut phone, &mut report, &mut signals, out).await;
    let (rest, captured) = phone.stop().await;
    for record in &rest {
        printed = printed.and(report.observe(record, out));
    }
    report.keep(files, scratch.path(), captured);
    printed.map(|()| report)
}

/// Watches the call until it has ended; a second signal does not wait for that. If nobody reads what is printed any more,
/// the call is hung up.
async fn follow(
    phone: &mut Phone,
    report: &mut Report,
    signals: &mut Signals,
    out: &mut Output<'_>,
) -> Result<(), Failure> {
    let spinner = spinner(out.format());
    let began = Instant::now();
    let mut look = interval(LOOK_INTERVAL);
    let mut printed = Ok(());
    while !report.has_ended() {
        tokio::select! {
            _ = look.tick() => {}
            () = signals.next() => {
                phone.hang_up();
                if report.interrupt() == Interrupted::Before {
                    break;
                }
            }
        }
        while let Some(record) = phone.next_record() {
            let told = spinner.suspend(|| report.observe(&record, out));
            if told.is_err() && printed.is_ok() {
                phone.hang_up();
                printed = told;
            }
        }
        let seconds = began.elapsed().as_secs();
        spinner.set_message(format!("{}:{:02} {}", seconds / 60, seconds % 60, report.state()));
        spinner.tick();
    }
    spinner.finish_and_clear();
    printed
}

/// The signals by which people and programs end a command, and a terminal that is closed.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let open = |kind| signal(kind).map_err(|error| cannot_start(&error));
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
            hangup: open(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

fn cannot_start(error: &io::Error) -> Failure {
    Failure::failed(format!("the call cannot be started: {error}"))
        .advise("the system is out of threads or files: end other programs or raise its limits")
}

/// Shown on a terminal only; indicatif hides it elsewhere.
fn spinner(format: Format) -> ProgressBar {
    match format {
        Format::Json => ProgressBar::hidden(),
        Format::Text => ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner()),
    }
}

fn phone_failure(error: &PhoneError) -> Failure {
    let advice = match error {
        PhoneError::Target(_) => "write it like sip:echo@127.0.0.1:5060",
        PhoneError::Unresolved(_) => "check the name, or give an address",
        PhoneError::System { .. } => "check this machine's network and limits (ip route, ulimit -a)",
    };
    Failure::failed(error.to_string()).advise(advice)
}

/// A folder of our own for the recording until it is put where it is wanted; removed in the end.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let base = std::env::temp_dir();
        let mut outcome = Err(io::ErrorKind::AlreadyExists.into());
        for attempt in 0..MAX_SCRATCH_NAMES {
            let path = base.join(format!("caly-call-{}-{attempt}", std::process::id()));
            // What is said in a call is nobody else's business, and a folder that is there already may be somebody's.
            outcome = DirBuilder::new().mode(0o700).create(&path);
            match &outcome {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        let why = outcome.err().map_or(String::new(), |error: io::Error| format!(": {error}"));
        Err(Failure::failed(format!("no temporary folder can be made in {}{why}", base.display()))
            .advise("name another with TMPDIR=DIR"))
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
/// Left behind by processes that had our number and were killed.
const MAX_SCRATCH_NAMES: u32 = 16;
