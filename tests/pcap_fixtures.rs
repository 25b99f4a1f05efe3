//! The captures of `pcap-fixtures`: each has its description, comes out of a replay as described, twice byte for byte the
//! same, and its RTP leads to the same dialogue when sipp plays it to a running server.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

#[path = "pcap_fixtures/caller.rs"]
mod caller;
mod common;
#[path = "pcap_fixtures/expectation.rs"]
mod expectation;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::records::events;
use common::scratch::Scratch;
use common::server::Server;
use common::sipp::Sipp;
use expectation::{Description, Dialogue, Expected, Play};
use serde_json::Value;

/// The captures by name, with their descriptions.
fn fixtures() -> BTreeMap<String, (PathBuf, Description)> {
    let files = |extensions: &[&str]| -> BTreeMap<String, PathBuf> {
        let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
        let wanted = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
        };
        entries.filter(wanted).map(|path| (name(&path), path)).collect()
    };
    let (captures, descriptions) = (files(&["pcap", "pcapng"]), files(&["toml"]));
    let names = |files: &BTreeMap<String, PathBuf>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&captures), names(&descriptions), "each capture has its .toml, each .toml its capture");
    let described = |(name, path): (String, PathBuf)| {
        let text = fs::read_to_string(&descriptions[&name]).unwrap();
        let description = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
        (name, (path, description))
    };
    captures.into_iter().map(described).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pcap-fixtures")
}

/// Replays a capture and tells the digests of what was written and the events of its only call.
fn replay(capture: &Path, agent: &str, out: &Path) -> (Vec<String>, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_caly"))
        .arg("replay")
        .arg(capture)
        .args(["--agent", agent, "--json", "--out"])
        .arg(out)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = ["unfinished_calls", "sip_withheld", "unusable_frames"].map(|field| report[field].as_u64());
    assert_eq!(faults, [Some(0); 3], "{report}");
    assert_eq!(report["calls"].as_array().map(Vec::len), Some(1), "{report}");
    let digests = report["files"].as_array().unwrap().iter().map(|file| file["sha256"].to_string());
    let log = fs::read_to_string(out.join("events.jsonl")).unwrap();
    let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    (digests.collect(), records.map(|record| record["event"].clone()).collect())
}

#[test]
fn every_fixture_comes_out_as_described_and_twice_the_same() {
    let scratch = Scratch::new("fixtures");
    let mut faults = Vec::new();
    for (name, (capture, description)) in fixtures() {
        let out = |run: &str| scratch.join(&format!("{name}-{run}"));
        let (first, events) = replay(&capture, &description.agent, &out("first"));
        let (second, _) = replay(&capture, &description.agent, &out("second"));
        assert_eq!(first, second, "{name}: two runs differ");
        let came = Expected::of(&events);
        if came != description.expect {
            faults.push(format!(
                "{name}.toml should say, or the replay is wrong:\n{}",
                toml::to_string(&came).unwrap()
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn fixtures_are_small_and_say_where_they_come_from() {
    let mut all_bytes = 0;
    for (name, (capture, description)) in fixtures() {
        let bytes = fs::metadata(&capture).unwrap().len();
        assert!(bytes <= 300_000, "{name} has {bytes} bytes");
        all_bytes += bytes;
        for (field, text) in [
            ("origin", &description.origin),
            ("made_by", &description.made_by),
            ("purpose", &description.purpose),
        ] {
            assert!(text.len() > 10, "{name}.toml: {field} tells nothing");
        }
        let made_by = format!("pcap-fixtures/make.sh {name}: ");
        assert!(description.made_by.starts_with(&made_by), "{name}.toml: made_by");
    }
    assert!(all_bytes <= 3_000_000, "{all_bytes} bytes");
}

#[test]
fn a_description_with_an_unknown_key_is_refused() {
    let (_, text) = (fixtures(), fs::read_to_string(folder().join("cancel.toml")).unwrap());
    for (place, key) in [("agent =", "colour = 1"), ("keys =", "sound = \"loud\"")] {
        let faulty = text.replacen(place, &format!("{key}\n{place}"), 1);
        let refusal = toml::from_str::<Description>(&faulty).unwrap_err().to_string();
        assert!(refusal.contains("unknown field"), "{refusal}");
    }
}

#[test]
fn a_fixture_played_by_sipp_leads_to_the_same_dialogue() {
    let playable = fixtures().into_iter().filter_map(|(name, (capture, description))| {
        description.play.map(|play| (name, capture, description.agent, play))
    });
    let calls: Vec<_> = playable.map(|it| std::thread::spawn(move || play_and_compare(&it))).collect();
    assert!(calls.len() >= 4, "{} fixtures can be played", calls.len());
    for call in calls {
        call.join().expect("a fixture was played as it is replayed");
    }
}

/// One fixture: to a server of its own, since the demo shop's orders are the server's, and through the replay on the same
/// day, since the orders' dates are told.
fn play_and_compare((name, capture, agent, play): &(String, PathBuf, String, Play)) {
    let (server, scratch) = (Server::start(), Scratch::new("played"));
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let codec = if play.codec == "PCMA" { (8, "PCMA") } else { (0, "PCMU") };
    let length = Duration::from_millis(play.length_ms);
    Sipp::new("play_fixture", agent)
        .playing(caller::rtp_alone(capture), codec, play.dtmf, length)
        .run(&server);
    let live = Dialogue::of(&events(&server.ended_call()));
    let today = scratch.join("today.pcap");
    caller::moved(capture, begin, &today);
    let (_, replayed) = replay(&today, agent, &scratch.join("out"));
    assert_eq!(live, Dialogue::of(&replayed), "{name}: left what the server did, right what the replay did");
}
