//! Every provider for which there is a key, asked by `caly check --live` and then talked with in a call: it listens, thinks or speaks, and simulated
//! ones do the rest, or it does all three. `make test-live` runs it against the real vendors; here the same is done with simulated ones in their place.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]
#![allow(clippy::print_stdout, reason = "what was skipped and what was heard is what it is run for")]

mod common;
mod on_sockets;

use std::env;
use std::process::Command;
use std::time::Duration;

use caly::config::Config;
use caly_vendors::audio::wav_decoded;
use caly_vendors::hearing::Script;
use caly_vendors::model::{Model, Rule, TokenPace};
use serde_json::Value;

use common::raw_call::RawCall;
use common::scratch::Scratch;
use common::server::ServerSetup;
use common::wait;
use on_sockets::cast::{HOPS, KINDS, TALKERS};
use on_sockets::{ANSWER, Act, Asking, House, QUESTION, dialogue, said};

/// A provider to be talked with.
struct Subject {
    hop: usize,
    name: String,
    /// Its table of the configuration; `None` if the house has it.
    table: Option<String>,
    is_real: bool,
}

/// Each with where its key is, and what it cannot do without.
const REAL: [(usize, &str, &str, &str); 17] = [
    (0, "deepgram", "DEEPGRAM_API_KEY", ""),
    (0, "deepgram-flux", "DEEPGRAM_API_KEY", ""),
    (0, "openai", "OPENAI_API_KEY", ""),
    (0, "elevenlabs", "ELEVENLABS_API_KEY", ""),
    (0, "sarvam", "SARVAM_API_KEY", "language = \"en-IN\""),
    (0, "assemblyai", "ASSEMBLYAI_API_KEY", ""),
    (0, "whisper", "OPENAI_API_KEY", "url = \"https://api.openai.com/v1\"\nmodel = \"whisper-1\""),
    (1, "openai", "OPENAI_API_KEY", "url = \"https://api.openai.com/v1\"\nmodel = \"gpt-4.1-mini\""),
    (1, "anthropic", "ANTHROPIC_API_KEY", "model = \"claude-haiku-4-5\""),
    (2, "deepgram", "DEEPGRAM_API_KEY", "models = { \"*\" = \"aura-2-thalia-en\" }"),
    (2, "elevenlabs", "ELEVENLABS_API_KEY", "voices = { \"*\" = \"21m00Tcm4TlvDq8ikWAM\" }"),
    (2, "elevenlabs-http", "ELEVENLABS_API_KEY", "voices = { \"*\" = \"21m00Tcm4TlvDq8ikWAM\" }"),
    (2, "cartesia", "CARTESIA_API_KEY", "voices = { \"*\" = \"f786b574-daa5-4673-aa0c-cbe3e8534c02\" }"),
    (2, "sarvam", "SARVAM_API_KEY", "speakers = { \"*\" = \"anushka\" }"),
    (
        2,
        "openai",
        "OPENAI_API_KEY",
        "url = \"https://api.openai.com/v1\"\nmodel = \"gpt-4o-mini-tts\"\nvoices = { \"*\" = \"nova\" }",
    ),
    (TALKS, "openai", "OPENAI_API_KEY", "model = \"gpt-realtime-2.1\""),
    (TALKS, "gemini", "GEMINI_API_KEY", "model = \"models/gemini-3.8-live\""),
];

/// The place of those who do all three.
const TALKS: usize = 3;

/// What a hop is called in a configuration.
fn word(hop: usize) -> &'static str {
    HOPS.get(hop).unwrap_or(&"realtime")
}

#[test]
#[ignore = "asks the real vendors, whose keys must be in the environment: make test-live"]
fn real_vendors_are_well() {
    let has_key = |key: &&str| env::var(key).is_ok_and(|key| !key.trim().is_empty());
    let mut subjects = Vec::new();
    for (hop, kind, key, rest) in &REAL {
        let name = format!("real-{kind}");
        if has_key(key) {
            let table = format!("[{}.{name}]\nkind = \"{kind}\"\nkey_env = \"{key}\"\n{rest}\n", word(*hop));
            subjects.push(Subject { hop: *hop, name, table: Some(table), is_real: true });
        } else {
            println!("{}.{kind}: skipped, {key} is not set", word(*hop));
        }
    }
    let keys = "DEEPGRAM_API_KEY, OPENAI_API_KEY, ELEVENLABS_API_KEY, SARVAM_API_KEY, ASSEMBLYAI_API_KEY, ANTHROPIC_API_KEY, CARTESIA_API_KEY, GEMINI_API_KEY";
    assert!(!subjects.is_empty(), "there is no key in the environment; set one of {keys} and try again");
    talk(subjects, House::new("real"));
}

#[test]
fn vendors_that_are_well_are_found_well() {
    let mut house = House::new("live");
    let mut subjects = Vec::new();
    for (hop, kind) in [(0, "openai"), (1, "anthropic"), (2, "cartesia")] {
        let name = format!("real-{kind}");
        house.provider(hop, kind, &name, &Act::Well);
        subjects.push(Subject { hop, name, table: None, is_real: false });
    }
    for kind in TALKERS {
        let name = format!("real-{kind}-talks");
        let script = Script::new(std::iter::repeat_n(QUESTION, 100));
        let model = Model::new([Rule::user("order").say(ANSWER)], TokenPace::default());
        house.talker(kind, &name, (&script, model), &Act::Well);
        subjects.push(Subject { hop: TALKS, name, table: None, is_real: false });
    }
    talk(subjects, house);
}

#[test]
fn the_tables_of_real_vendors_are_sound() {
    for (hop, kind, key, rest) in &REAL {
        let table = format!("[{}.a]\nkind = \"{kind}\"\nkey_env = \"{key}\"\n{rest}\n", word(*hop));
        let config = Config::parse_in(&|_| Some("key".into()), "caly.toml", &table, &[]);
        config.unwrap_or_else(|faults| panic!("{faults}\n{table}"));
    }
}

/// Asks all, and calls an agent of each: `check --live` first, as it says best what to do about what.
fn talk(subjects: Vec<Subject>, mut house: House) {
    for (hop, word) in HOPS.iter().enumerate() {
        house.provider(hop, KINDS[hop][0], &format!("{word}-simulated"), &Act::Well);
    }
    let mut config = String::new();
    let mut calls = Vec::new();
    for subject in &subjects {
        config.extend(subject.table.as_deref());
        let mut providers = ["asr-simulated", "llm-simulated", "tts-simulated"];
        calls.push(match providers.get_mut(subject.hop) {
            Some(provider) => {
                *provider = &subject.name;
                house.agent(providers.each_ref().map(std::slice::from_ref))
            }
            None => house.talking_agent("en", Duration::from_millis(900), &[&subject.name]),
        });
    }
    config.insert_str(0, house.config());
    let scratch = Scratch::new("live");
    let file = scratch.write("caly.toml", &config);
    let checked = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["check", "--live", "--config"])
        .arg(&file)
        .output()
        .expect("caly can be started");
    println!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));

    let server = ServerSetup::default().config(&config).start();
    let caller = caller();
    let up: Vec<Asking> =
        calls.iter().map(|number| Asking::new(RawCall::place(server.sip(), number), &caller)).collect();
    wait::last(LASTS);
    let ended: Vec<_> = up.into_iter().map(Asking::end).collect();
    let rows = server.ended_calls(subjects.len());
    let mut wrong = Vec::new();
    for (subject, call) in subjects.iter().zip(&ended) {
        let record = server.records().call_of(&rows, &call.call_id);
        let name = format!("{}.{}", word(subject.hop), subject.name);
        match judge(subject, &record, call.loud().iter().filter(|is_loud| **is_loud).count()) {
            Ok(what) => println!("{name}: {what}"),
            Err(what) => wrong.push(format!("{name}: {what}")),
        }
    }
    assert!(checked.status.success() && wrong.is_empty(), "{}", wrong.join("\n"));
    drop(server);
    house.close();
}

/// What a vendor did in its call, or what was wrong.
fn judge(subject: &Subject, record: &Value, loud: usize) -> Result<String, String> {
    let hops = dialogue(record, "hop");
    let fault =
        hops.iter().find(|event| event["step"] == "fault" && event["provider"] == subject.name.as_str());
    if let Some(fault) = fault {
        return Err(format!("{}: {}", fault["kind"], fault["detail"]));
    }
    let heard = hops.iter().find(|event| event["step"] == "transcript" && event["is_committed"] == true);
    let heard = heard.map(|event| event["text"].as_str().unwrap_or_default()).unwrap_or_default();
    let answer = said(record).into_iter().skip(1).collect::<Vec<_>>().join(" ");
    match subject.hop {
        0 if !subject.is_real && heard != QUESTION => {
            Err(format!("heard {heard:?} where {QUESTION:?} was said"))
        }
        0 if heard.split_whitespace().count() < 2 => {
            Err(format!("heard {heard:?} where {QUESTION:?} was said"))
        }
        0 => Ok(format!("heard {heard:?}")),
        1 if answer.trim().is_empty() => Err("answered nothing".to_owned()),
        1 => Ok(format!("answered {answer:?}")),
        // Half a second and more behind the greeting.
        TALKS if heard.split_whitespace().count() < 2 || answer.trim().is_empty() || loud < 40 => {
            Err(format!("heard {heard:?} and said {answer:?}, {loud} loud frames"))
        }
        TALKS if !subject.is_real && !answer.contains(ANSWER) => Err(format!("said {answer:?}")),
        TALKS => Ok(format!("heard {heard:?} and said {answer:?}")),
        _ if !answer.contains(ANSWER) || loud < 40 => Err(format!("said {answer:?}, {loud} loud frames")),
        _ => Ok(format!("said {answer:?}")),
    }
}

/// The question in espeak-ng's voice, which real recognizers understand.
fn caller() -> Vec<f64> {
    let scratch = Scratch::new("spoken");
    let file = scratch.join("question.wav");
    let spoken =
        Command::new("espeak-ng").args(["-v", "en-us", "-s", "140", QUESTION, "-w"]).arg(&file).status();
    assert!(
        spoken.is_ok_and(|status| status.success()),
        "espeak-ng cannot speak; install the package espeak-ng"
    );
    let wav = std::fs::read(&file).expect("espeak-ng has written it");
    let (rate_hz, samples) = wav_decoded(&wav).expect("espeak-ng writes WAV");
    let step = f64::from(rate_hz) / 8_000.0;
    let count = (samples.len() as f64 / step) as usize;
    // The mean of what lies between two samples at 8 kHz: no more than a low-pass is needed here.
    let spoken = (0..count).map(|number| {
        let from = (number as f64 * step) as usize;
        let until = (((number + 1) as f64 * step) as usize).clamp(from + 1, samples.len());
        let sum: f64 = samples[from..until].iter().map(|sample| f64::from(*sample)).sum();
        sum / (until - from) as f64 / f64::from(i16::MAX)
    });
    let silence = |seconds: usize| vec![0.0; seconds * 8_000];
    [silence(2), spoken.collect(), silence(60)].concat()
}

/// Enough for one question and its answer by any vendor.
const LASTS: Duration = Duration::from_secs(10);
