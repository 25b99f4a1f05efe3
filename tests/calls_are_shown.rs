//! `caly calls` on a real data directory: what it lists, what it shows, and how it says that it cannot.
#![allow(clippy::unwrap_used, reason = "here a failure is the test's failure")]

#[path = "store/mount.rs"]
#[allow(dead_code, clippy::expect_used, clippy::print_stdout, reason = "each test file uses a part of it")]
mod mount;
#[path = "common/scratch.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod scratch;
#[path = "store/script.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::path::Path;
use std::process::Command;

use caly::cli::{self, Cli, Failure, Format, Output, Style};
use caly::store::{SpoolWriter, Store, event_ring};
use clap::Parser as _;
use mount::{Mount, with_tmpfs};
use scratch::Scratch;
use script::{Script, call_id};
use serde_json::Value;

fn caly(dir: &Path, args: &[&str]) -> Result<String, Failure> {
    let data = dir.display().to_string();
    let command = ["caly", "calls"].into_iter().chain(args.iter().copied()).chain(["--data", &data]);
    let cli = Cli::try_parse_from(command).unwrap();
    let mut printed = Vec::new();
    let format = if cli.json { Format::Json } else { Format::Text };
    cli::run(&cli.command, &mut Output::new(&mut printed, format, Style::Plain))?;
    Ok(String::from_utf8(printed).unwrap())
}

fn json(dir: &Path, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    caly(dir, &args).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_waterfall_of_a_call_without_turns_says_so_and_one_of_no_call_tells_what_to_do() {
    let dir = data();
    let id = call_id(1).to_string();
    let told = caly(dir.path(), &["waterfall", &id]).unwrap();
    assert!(told.ends_with("no turn of the caller is marked in this call's log\n"), "{told}");
    let told = &json(dir.path(), &["waterfall", &id])[0];
    assert_eq!((&told["call"], told["turns"].as_array().map(Vec::len)), (&Value::from(id), Some(0)));
    let failure = caly(dir.path(), &["waterfall", "ffffffff"]).unwrap_err();
    assert_eq!(failure.exit_code(), 1);
}

/// Calls 1 and 2 in the database, the beginning of call 3 in the spool: its server was killed.
fn data() -> Scratch {
    let dir = Scratch::new("calls");
    fill(dir.path());
    dir
}

fn fill(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut store = runtime.block_on(Store::open(dir)).unwrap();
    spool(dir, &[Script::answered(1), Script::answered(2)]);
    runtime.block_on(store.recover()).unwrap();
    runtime.block_on(store.close()).unwrap();
    spool(dir, &[Script::answered(3).cut_at(1_000)]);
}

fn spool(dir: &Path, scripts: &[Script]) {
    let (mut sender, receiver) = event_ring();
    let spool = SpoolWriter::start(&dir.join("spool"), vec![receiver], 1024 * 1024).unwrap();
    scripts.iter().for_each(|script| script.append_to(&mut sender));
    spool.shutdown().unwrap();
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn the_newest_calls_come_first_with_what_waits_in_the_spool() {
    let dir = data();
    let rows = json(dir.path(), &["ls"]);
    assert_eq!(ids(&rows), [3, 2, 1].map(|call| call_id(call).to_string()));
    assert_eq!((&rows[0]["state"], &rows[0]["cause"]), (&Value::from("answered"), &Value::Null));
    assert_eq!(rows[1]["started_at"], "2023-11-14T22:13:22.000000Z");
    assert_eq!(rows[1]["cause"], "remote_bye");
    let text = caly(dir.path(), &["ls"]).unwrap();
    assert_eq!(text.lines().count(), 1 + 3 + 2, "{text}");
    assert!(text.contains("6 events still wait in the spool"), "{text}");
}

#[test]
fn lists_can_be_narrowed() {
    let dir = data();
    assert_eq!(ids(&json(dir.path(), &["ls", "--limit", "1"])), [call_id(3).to_string()]);
    assert_eq!(json(dir.path(), &["ls", "--cause", "remote_bye"]).len(), 2);
    assert_eq!(json(dir.path(), &["ls", "--cause", "busy"]).len(), 0);
    assert_eq!(json(dir.path(), &["ls", "--number", "echo"]).len(), 3);
    assert_eq!(json(dir.path(), &["ls", "--number", "ec*"]).len(), 3);
    assert_eq!(json(dir.path(), &["ls", "--number", "ech"]).len(), 0);
    assert_eq!(json(dir.path(), &["ls", "--number", "e%"]).len(), 0);
    let since = json(dir.path(), &["ls", "--since", "2023-11-14T22:13:22Z"]);
    assert_eq!(ids(&since), [3, 2].map(|call| call_id(call).to_string()));
}

#[test]
fn a_call_is_shown_by_its_id_or_a_unique_end_of_it() {
    let dir = data();
    let id = call_id(2).to_string();
    for part in [id.as_str(), &id[24..], &id[30..], &id[..13], &id.to_uppercase()] {
        let call = json(dir.path(), &["show", part]).remove(0);
        assert_eq!(call["id"], id, "{part}");
        assert_eq!(call["events"].as_array().unwrap().len(), Script::answered(2).len());
        assert_eq!(call["events"][0]["event"]["type"], "opened");
        assert_eq!((&call["missing_events"], &call["events_in_spool"]), (&Value::from(0), &Value::from(0)));
        assert!(call["recording_path"].as_str().unwrap().ends_with(&format!("{id}.wav")));
    }
    let text = caly(dir.path(), &["show", &id]).unwrap();
    assert!(text.contains("2023-11-14T22:13:22.000000Z") && text.contains("+0.040000"), "{text}");
}

#[test]
fn a_call_that_only_the_spool_knows_is_shown_too() {
    let dir = data();
    let call = json(dir.path(), &["show", &call_id(3).to_string()]).remove(0);
    assert_eq!((&call["state"], &call["events_in_spool"]), (&Value::from("answered"), &Value::from(6)));
    let text = caly(dir.path(), &["show", &call_id(3).to_string()]).unwrap();
    assert!(text.contains("not yet (answered)") && text.contains("6 events have not reached"), "{text}");
}

#[test]
fn a_copy_that_nobody_can_write_is_read() {
    let mount = Mount { size: "8m", is_read_only: false };
    with_tmpfs("a_copy_that_nobody_can_write_is_read", mount, |dir| {
        fill(dir);
        let sealed = Command::new("mount").args(["-o", "remount,ro"]).arg(dir).status().unwrap();
        assert!(sealed.success() && std::fs::write(dir.join("x"), "x").is_err());
        assert_eq!(json(dir, &["ls"]).len(), 3);
        assert_eq!(json(dir, &["show", &call_id(1).to_string()]).len(), 1);
    });
}

#[test]
fn what_cannot_be_shown_is_told() {
    let dir = data();
    let refusal = |dir: &Path, args: &[&str], code: u8| {
        let mut printed = Vec::new();
        let failure = caly(dir, args).unwrap_err();
        failure.print(&mut printed, Format::Text).unwrap();
        assert_eq!(failure.exit_code(), code, "{failure}");
        String::from_utf8(printed).unwrap()
    };
    // Neither a stranger's id nor the middle of one, which anybody's could be.
    for part in ["ffffffff", &call_id(2).to_string()[9..23], "018b%5", "018bcfe5-%"] {
        let none = refusal(dir.path(), &["show", part], 1);
        assert!(
            none.contains(&format!("there is no call {part:?}")) && none.contains("caly calls ls"),
            "{none}"
        );
    }
    for part in ["", "0", "02020"] {
        let short = refusal(dir.path(), &["show", part], 2);
        assert!(short.contains("too short to name a call; write at least 6 characters"), "{short}");
    }
    let several = refusal(dir.path(), &["show", "018bcfe5"], 2);
    assert!(
        several.contains(&call_id(1).to_string()) && several.contains("write more of the id"),
        "{several}"
    );
    let empty = Scratch::new("nothing");
    for args in [&["ls"][..], &["show", "1"]] {
        let absent = refusal(empty.path(), args, 1);
        assert!(absent.contains("there is no database in") && absent.contains("--data"), "{absent}");
    }
}
