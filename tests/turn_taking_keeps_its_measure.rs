//! A small fixed part of the evaluation: callers in silence, in babble, on a bad network and with an echo, against bounds that
//! hold today. What breaks turn-taking breaks this test; the figures themselves are `make voice-eval`'s.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn voice_eval(arguments: &[&str], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["voice-eval", "--out", out.to_str().unwrap()])
        .args(arguments)
        .output()
        .unwrap()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("caly-voice-eval-{name}-{}", std::process::id()))
}

#[test]
fn a_small_set_of_callers_is_served_within_bounds() {
    let out = scratch("small");
    let bounds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/voice_eval/bounds.toml");
    let conditions = "clean,babble-10,echo-30,lossy,silence";
    let output = voice_eval(&["--small", "--conditions", conditions, "--thresholds", bounds], &out);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn two_runs_of_one_seed_give_the_same_bytes_and_another_seed_gives_others() {
    let out = scratch("seeds");
    let files = |seed: &str| {
        voice_eval(&["--small", "--conditions", "babble-10-lossy", "--seed", seed], &out);
        ["report.json", "trials.jsonl", "interruptions.svg"]
            .map(|name| std::fs::read(out.join(name)).unwrap())
    };
    let first = files("7");
    assert_eq!(first, files("7"));
    assert_ne!(first[1], files("8")[1]);
    std::fs::remove_dir_all(&out).unwrap();
}

#[test]
fn a_set_that_was_written_is_measured_as_it_was_made() {
    let (out, set) = (scratch("out"), scratch("set"));
    let small = ["--small", "--conditions", "clean"];
    let made = voice_eval(&[&[set.to_str().unwrap(), "--make"], &small[..]].concat(), &out);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    // Samples are rounded on their way through a file, so the figures may differ by a frame here and there.
    let shape = |trial: Value| {
        let is_answered = trial["answer"]["wait_ms"].is_number();
        (trial["name"].to_string(), trial["condition"].to_string(), is_answered, trial["over"].is_object())
    };
    let shapes = || {
        let text = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
        let mut shapes: Vec<_> =
            text.lines().map(|line| shape(serde_json::from_str(line).unwrap())).collect();
        shapes.sort();
        shapes
    };
    voice_eval(&small, &out);
    let synthetic = shapes();
    voice_eval(&[set.to_str().unwrap()], &out);
    assert_eq!(synthetic, shapes());
    assert!(synthetic.len() > 30);
    for folder in [out, set] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_missed_threshold_is_one_line_and_exit_code_1() {
    let out = scratch("missed");
    let bounds = out.with_extension("toml");
    let impossible = "least_samples = 1\n[[threshold]]\nconditions = [\"silence\"]\nmeasure = \"false_turns_per_min\"\nat_most = -1\n";
    std::fs::write(&bounds, impossible).unwrap();
    let arguments =
        ["--small", "--conditions", "silence", "--thresholds", bounds.to_str().unwrap(), "--json"];
    let output = voice_eval(&arguments, &out);
    assert_eq!(output.status.code(), Some(1));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["missed"][0], "silence: false_turns_per_min is 0.000 and should be at most -1");
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
    std::fs::remove_dir_all(&out).unwrap();
    std::fs::remove_file(&bounds).unwrap();
}

#[test]
fn what_no_bound_judges_is_told_and_does_not_fail() {
    let (out, set) = (scratch("judged"), scratch("street"));
    let made = voice_eval(&[set.to_str().unwrap(), "--make", "--small", "--conditions", "silence"], &out);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let lines = || {
        let output = voice_eval(&[set.to_str().unwrap()], &out);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let few = lines();
    assert!(
        few.contains("not judged: silence: false_stops_per_min is not judged: it has 6 samples and needs 20")
    );
    assert!(
        few.contains("not bounded: bounds apply to nothing, because no trial has their condition: clean,")
    );
    for entry in std::fs::read_dir(set.join("silence")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "toml") {
            let label = std::fs::read_to_string(&path).unwrap().replace("silence", "street");
            std::fs::write(&path, label).unwrap();
        }
    }
    let street = lines();
    assert!(street.contains("not bounded: no bound names the condition street\n"), "{street}");
    assert!(!street.contains("not judged:"), "{street}");
    for folder in [out, set] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_2() {
    let out = scratch("refused");
    for (arguments, told) in [
        (&["--conditions", "underwater"][..], "there are clean"),
        (&["--thresholds", "/nowhere.toml"], "docs/turn-taking.md"),
        (&["/nowhere"], "add --make"),
        (&["--make"], "DIR"),
    ] {
        let output = voice_eval(arguments, &out);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told) && stderr.lines().count() == 1, "{stderr}");
    }
}
