//! A process that is killed in the middle of calls: its successor closes them truthfully and their recordings play.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "here a failure is the test's failure"
)]

#[path = "common/scratch.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod scratch;
#[path = "store/script.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use caly::recorder::{BLOCK_SAMPLES, Channel, Recorder, file_name};
use caly::store::{Lookup, SpoolWriter, Store, StoreReader, event_ring};
use scratch::Scratch;
use script::{Script, call_id};

#[test]
fn calls_are_closed_and_recordings_play() {
    if let Some(dir) = std::env::var_os(MARKER) {
        live_until_killed(Path::new(&dir));
    }
    let dir = Scratch::new("killed");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["calls_are_closed_and_recordings_play", "--exact", "--nocapture"])
        .env(MARKER, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let ready = lines.map(Result::unwrap).any(|line| line.contains(READY));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(ready, "the victim died by itself");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = runtime.block_on(async {
        let mut store = Store::open(dir.path()).await.unwrap();
        let recovered = store.recover().await.unwrap();
        assert_eq!((recovered.closed_calls, recovered.repaired_recordings), (1, 1), "{recovered:?}");
        store.close().await.unwrap();
        let mut reader = StoreReader::open(dir.path()).await.unwrap();
        let Lookup::Found(whole) = reader.find(&call_id(1).to_string()).await.unwrap() else { panic!() };
        assert_eq!(whole.row.cause.as_deref(), Some("remote_bye"));
        let Lookup::Found(lost) = reader.find(&call_id(2).to_string()).await.unwrap() else { panic!() };
        lost
    });
    let row = &log.row;
    assert_eq!((row.cause.as_deref(), row.state.as_str()), (Some("server_lost"), "ended"));
    let mut wav = hound::WavReader::open(dir.join("recordings").join(file_name(call_id(2)))).unwrap();
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let recorded_ms = i64::try_from(samples.len() / 16).unwrap();
    assert!(recorded_ms >= 1_000, "{recorded_ms} ms");
    assert!(samples.chunks(2).all(|frame| frame == [0, 5]));
    assert_eq!(
        row.ended_at,
        Some(row.started_at + 41_000 + recorded_ms * 1_000),
        "the recording lived longest"
    );
    assert!(row.recording_error.as_deref().is_some_and(|error| error.contains("were saved")), "{row:?}");
}

/// One whole call, one that goes on for ever.
fn live_until_killed(dir: &Path) -> ! {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _runtime = runtime.enter();
    let store = runtime.block_on(Store::open(dir)).unwrap();
    let (mut sender, receiver) = event_ring();
    let spool = SpoolWriter::start(&dir.join("spool"), vec![receiver], 1024 * 1024).unwrap();
    let _writer = store.start_writer(spool.stats());
    let (_recorder, mut ports) = Recorder::start(&dir.join("recordings"), 1).unwrap();
    Script::answered(1).append_to(&mut sender);
    Script::answered(2).cut_at(550).append_to(&mut sender);
    let mut tap = ports[0].open(call_id(2), file_name(call_id(2)), 8_000).unwrap();
    for index in 0..u32::MAX {
        tap.push(Channel::Agent, index, &[5; BLOCK_SAMPLES]);
        std::thread::park_timeout(Duration::from_millis(10));
        let part = dir.join("recordings").join(file_name(call_id(2)) + ".part");
        if index >= 100 && part.metadata().is_ok_and(|metadata| metadata.len() > 32_000) {
            println!("{READY}");
        }
    }
    unreachable!("the victim is killed long before")
}

const MARKER: &str = "CALY_TEST_VICTIM";
const READY: &str = "ready to be killed";
