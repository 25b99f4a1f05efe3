//! What every command owes to scripts and to people: help, exit codes, one line for an error, JSON when asked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::process::{Command, Output};

fn caly(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caly")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Settings under a name that nobody looks for would be lost without a word.
#[test]
fn the_allocator_has_its_settings() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caly"));
    let output = command.arg("--version").env("MALLOC_CONF", "stats_print:true").output().unwrap();
    let told = stderr(&output);
    for setting in ["background_thread: true", "dirty_decay_ms: 1000", "tcache_max: 1024"] {
        assert!(told.contains(&format!("opt.{setting}")), "{setting}: {told}");
    }
}

#[test]
fn every_help_page_tells_the_exit_codes() {
    for command in [
        &[][..],
        &["serve"],
        &["call"],
        &["check"],
        &["prompts"],
        &["voice-eval"],
        &["calls", "ls"],
        &["calls", "show"],
    ] {
        let output = caly(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(stdout(&output).contains("Exit codes:\n  0  done\n"), "{command:?}: {}", stdout(&output));
        assert!(!stdout(&output).contains('\x1b'), "colours in a pipe: {command:?}");
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_2() {
    for arguments in [
        &["answer"][..],
        &["serve", "--sip", "5060"],
        &["serve", "--rtp-ports", "20000-10000"],
        &["call"],
        &["call", "sip:echo@127.0.0.1", "--wav", "a.wav", "--say", "hello"],
        &["call", "sip:echo@127.0.0.1", "--dtmf", "12x"],
        &["calls", "ls", "--limit", "0"],
    ] {
        let output = caly(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.starts_with("caly: ") && said.contains("; ") && said.lines().count() == 1, "{said}");
        let output = caly(&[arguments, &["--json"]].concat());
        let error: serde_json::Value = serde_json::from_str(stderr(&output)).unwrap();
        assert_eq!((output.status.code(), error["exit_code"].as_i64()), (Some(2), Some(2)), "{error}");
    }
}

#[test]
fn an_unknown_call_fails_with_1_and_one_line() {
    let directory = std::env::temp_dir().join(format!("caly-nothing-here-{}", std::process::id()));
    let data = directory.to_str().unwrap();
    let output = caly(&["calls", "show", "0198", "--data", data]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).starts_with("caly: ") && stderr(&output).lines().count() == 1,
        "{}",
        stderr(&output)
    );
    assert!(!directory.exists(), "a question must not make a data directory");

    let output = caly(&["calls", "show", "0198", "--data", data, "--json"]);
    let error: serde_json::Value = serde_json::from_str(stderr(&output)).unwrap();
    assert_eq!(error["exit_code"], 1);
    assert!(error["error"].is_string());
}

#[test]
fn a_wrong_configuration_is_refused_with_2_by_check_and_by_serve() {
    let file = std::env::temp_dir().join(format!("caly-misspelt-{}.toml", std::process::id()));
    std::fs::write(&file, "[sip]\nlissten = \"0.0.0.0:5060\"\n[rtp]\njitter_ms = 500\n").unwrap();
    let file_name = file.to_str().unwrap();
    for command in ["check", "serve"] {
        let output = caly(&[command, "--config", file_name]);
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(said.contains("lissten") && said.contains("listen"), "{command}: {said}");
        assert_eq!(stderr(&output).lines().count(), 1, "{command}: {said}");
    }
    std::fs::remove_file(file).unwrap();
}
