//! `caly voice-eval`: measures turn-taking on a labelled set of callers.

mod set;
mod speech;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Failure, Format, Output, VoiceEvalArgs};
use crate::config::{TurnTakingConfig, read_turn_taking};
use crate::eval::{
    self, CONDITIONS, Condition, Corpus, Judgement, Outcome, Planned, Report, Settings, Size, Thresholds,
    Trial,
};
use crate::voice::TurnTaking;

/// What is printed with `--json`, and stands in report.json.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// One line for each figure that is out of its bounds.
    missed: Vec<String>,
    /// One line for each figure that is bounded and too little was measured for.
    not_judged: Vec<String>,
    /// One line for conditions that no bound names, and one for bounds whose conditions were not run.
    not_bounded: Vec<String>,
}

impl<'a> Printed<'a> {
    fn new(report: &'a Report, judgement: &Judgement, is_whole_set: bool) -> Self {
        let mut not_bounded = Vec::new();
        if !judgement.unbounded.is_empty() {
            not_bounded.push(format!("no bound names the condition {}", judgement.unbounded.join(", ")));
        }
        // Who asked for some of the conditions knows that the others are missing.
        if is_whole_set && !judgement.unused.is_empty() {
            let unused = judgement.unused.join(", ");
            not_bounded
                .push(format!("bounds apply to nothing, because no trial has their condition: {unused}"));
        }
        Self {
            report,
            missed: judgement.missed.iter().map(ToString::to_string).collect(),
            not_judged: judgement.unjudged.iter().map(ToString::to_string).collect(),
            not_bounded,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Exit code 2 if the set or the thresholds cannot be used; 1 if the set cannot be made or a threshold is missed.
pub(super) fn run(args: &VoiceEvalArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let thresholds = thresholds(args)?;
    let conditions = conditions(args)?;
    let size = if args.small { Size::Small } else { Size::Full };
    if args.make {
        return make(args, &conditions, size, out);
    }
    let turn_taking = turn_taking(args)?;
    let settings = Settings {
        turn_taking: turn_taking.voice,
        understanding: turn_taking.understanding,
        has_words: !args.no_words,
        lines: eval::shipped_lines(),
        seed: args.seed,
        start: Instant::now(),
    };
    let outcomes = match &args.dir {
        Some(folder) => {
            let trials = set::read(folder)?;
            let is_wanted = |trial: &&Trial| {
                args.conditions.is_empty() || args.conditions.contains(&trial.label.condition)
            };
            let trials: Vec<&Trial> = trials.iter().filter(is_wanted).collect();
            measure_all(&trials, &settings, |trial| (*trial).clone())
        }
        None => {
            let corpus = build(args.seed, size)?;
            let planned: Vec<Planned<'_>> =
                conditions.iter().flat_map(|condition| corpus.trials(condition)).collect();
            measure_all(&planned, &settings, |planned| corpus.trial(*planned))
        }
    };
    let report = Report::of(&outcomes, args.seed, settings.has_words);
    let printed = Printed::new(&report, &thresholds.judge(&report), args.conditions.is_empty());
    write(&args.out, &printed, &outcomes)?;
    print(out, &printed)?;
    if printed.missed.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("{} thresholds are missed", printed.missed.len()))
        .advise(format!("see {} for each trial", args.out.join("trials.jsonl").display())))
}

fn build(seed: u64, size: Size) -> Result<Corpus, Failure> {
    Corpus::build(&speech::Espeak, seed, size).map_err(|error| match error.split_once("; ") {
        Some((what, advice)) => Failure::failed(what).advise(advice),
        None => Failure::failed(error),
    })
}

/// Writes the set so that people can listen to it, and change it.
fn make(
    args: &VoiceEvalArgs,
    conditions: &[&'static Condition],
    size: Size,
    out: &mut Output<'_>,
) -> Result<(), Failure> {
    let Some(folder) = &args.dir else {
        return Err(Failure::refused("--make needs a folder").advise("write: caly voice-eval DIR --make"));
    };
    let corpus = build(args.seed, size)?;
    let planned: Vec<Planned<'_>> =
        conditions.iter().flat_map(|condition| corpus.trials(condition)).collect();
    let bar = progress(planned.len(), "written");
    let mut bytes = 0;
    for planned in &planned {
        let trial = corpus.trial(*planned);
        bytes += 2 * trial.caller.len();
        set::write(folder, &trial)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    match out.format() {
        Format::Json => out.json(&serde_json::json!({ "folder": folder, "trials": planned.len() })),
        Format::Text => out.line(format_args!(
            "{}: {} sounds with their labels, {} MB",
            folder.display(),
            planned.len(),
            bytes / 1_000_000
        )),
    }
}

/// Measures all trials on all cores. The order of the outcomes is that of the trials.
fn measure_all<T: Sync>(
    trials: &[T],
    settings: &Settings,
    make: impl Fn(&T) -> Trial + Sync,
) -> Vec<Outcome> {
    let reference = eval::reference(settings);
    let (next, bar) = (AtomicUsize::new(0), progress(trials.len(), "measured"));
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(trial) = trials.get(place) else { return done };
            done.push((place, eval::measure(&make(trial), settings, &reference)));
            bar.inc(1);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<(usize, Outcome)> = thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = handles.into_iter().map(|handle| handle.join());
        joined.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    bar.finish_and_clear();
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Shown on a terminal only; indicatif hides it elsewhere.
fn progress(length: usize, done: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    let template = format!("{{bar:40}} {{pos}}/{{len}} trials {done}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// What an operator has set for an agent.
fn turn_taking(args: &VoiceEvalArgs) -> Result<TurnTakingConfig, Failure> {
    let Some(path) = &args.agent else { return Ok(TurnTakingConfig::default()) };
    let file = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::refused(format!("{file}: {error}")).advise("name an agent's file"))?;
    read_turn_taking(&file, &text, &TurnTaking::default()).map_err(|faults| Failure::faulty_agent(&faults))
}

fn thresholds(args: &VoiceEvalArgs) -> Result<Thresholds, Failure> {
    let Some(path) = &args.thresholds else {
        return Thresholds::usual().map_err(|error| Failure::failed(error.to_string()));
    };
    let refused = |error: &dyn std::fmt::Display| {
        Failure::refused(format!("{}: {error}", path.display()))
            .advise("docs/turn-taking.md tells the format of thresholds")
    };
    let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
    Thresholds::parse(&text).map_err(|error| refused(&error))
}

fn conditions(args: &VoiceEvalArgs) -> Result<Vec<&'static Condition>, Failure> {
    let known = |name: &str| CONDITIONS.iter().find(|condition| condition.name == name);
    if args.dir.is_some() && !args.make {
        // A set of one's own has conditions of its own.
        return Ok(Vec::new());
    }
    if args.conditions.is_empty() {
        return Ok(CONDITIONS.iter().collect());
    }
    let names: Vec<&str> = CONDITIONS.iter().map(|condition| condition.name).collect();
    let find = |name: &String| {
        known(name).ok_or_else(|| {
            Failure::refused(format!("--conditions: there is no {name}"))
                .advise(format!("there are {}", names.join(", ")))
        })
    };
    args.conditions.iter().map(find).collect()
}

/// Leaves the report, each trial's outcome and the plots in a folder.
fn write(folder: &Path, printed: &Printed<'_>, outcomes: &[Outcome]) -> Result<(), Failure> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: {error}", path.display())).advise("name another folder with --out")
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let mut trials = Vec::new();
    for outcome in outcomes {
        serde_json::to_writer(&mut trials, outcome).map_err(|error| failed(folder, &error))?;
        trials.push(b'\n');
    }
    let mut report = serde_json::to_vec_pretty(printed).map_err(|error| failed(folder, &error))?;
    report.push(b'\n');
    let mut files = vec![
        ("report.json", report),
        ("report.md", eval::table(printed.report).into_bytes()),
        ("trials.jsonl", trials),
    ];
    files.extend(eval::plots(printed.report).into_iter().map(|(name, svg)| (name, svg.into_bytes())));
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

fn print(out: &mut Output<'_>, printed: &Printed<'_>) -> Result<(), Failure> {
    match out.format() {
        Format::Json => out.json(printed),
        Format::Text => {
            out.line(eval::table(printed.report).trim_end())?;
            for line in &printed.not_bounded {
                out.line(format_args!("not bounded: {line}"))?;
            }
            for line in &printed.not_judged {
                out.line(format_args!("not judged: {line}"))?;
            }
            for line in &printed.missed {
                out.line(format_args!("missed: {line}"))?;
            }
            Ok(())
        }
    }
}
