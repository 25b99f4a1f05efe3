//! A disk that is full while calls run: events wait in memory and arrive once there is room; a recording ends early and
//! stays playable.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "here a failure is the test's failure"
)]

#[path = "store/mount.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod mount;
#[path = "common/scratch.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod scratch;
#[path = "store/script.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use caly::recorder::{BLOCK_SAMPLES, Channel, Recorder, RecordingOutcome, file_name};
use caly::store::{Lookup, SpoolWriter, Store, StoreReader, event_ring};
use mount::{Mount, with_tmpfs};
use script::{Script, call_id};

const SMALL: Mount = Mount { size: "2m", is_read_only: false };

#[test]
fn events_wait_for_room() {
    with_tmpfs("events_wait_for_room", SMALL, |dir| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = runtime.block_on(Store::open(dir)).unwrap();
        let (mut sender, receiver) = event_ring();
        let spool = SpoolWriter::start(&dir.join("spool"), vec![receiver], 1024 * 1024).unwrap();
        let stats = spool.stats();
        fill(dir);
        for call in 1..=100 {
            Script::answered(call).append_to(&mut sender);
        }
        until("the disk's refusal", || stats.is_failing() && stats.waiting() > 0);
        assert_eq!((stats.dropped_details(), stats.dropped_milestones()), (0, 0));
        fs::remove_file(dir.join("filler")).unwrap();
        until("an empty backlog", || !stats.is_failing() && stats.waiting() == 0);
        assert!(stats.write_errors() > 0);
        spool.shutdown().unwrap();
        let _runtime = runtime.enter();
        runtime.block_on(store.start_writer(stats).shutdown());
        runtime.block_on(async {
            let mut reader = StoreReader::open(dir).await.unwrap();
            for call in 1..=100 {
                let Lookup::Found(log) = reader.find(&call_id(call).to_string()).await.unwrap() else {
                    panic!("{call}")
                };
                assert_eq!(log.events.len(), Script::answered(call).len());
                assert_eq!(log.events_in_spool, 0);
            }
        });
    });
}

#[test]
fn a_database_on_a_full_disk_leaves_the_events_in_the_spool() {
    with_tmpfs("a_database_on_a_full_disk_leaves_the_events_in_the_spool", SMALL, |dir| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = runtime.block_on(Store::open(dir)).unwrap();
        let (mut sender, receiver) = event_ring();
        let spool = SpoolWriter::start(&dir.join("spool"), vec![receiver], 1024 * 1024).unwrap();
        for call in 1..=200 {
            Script::answered(call).append_to(&mut sender);
        }
        let stats = spool.stats();
        spool.shutdown().unwrap();
        fill(dir);
        let _runtime = runtime.enter();
        let writer = store.start_writer(stats);
        let counters = writer.stats();
        until("the database's refusal", || counters.is_failing());
        fs::remove_file(dir.join("filler")).unwrap();
        until("all events", || counters.applied() == 200 * 9);
        runtime.block_on(writer.shutdown());
        assert_eq!(fs::read_dir(dir.join("spool")).unwrap().count(), 0);
    });
}

#[test]
fn a_recording_ends_early_and_can_be_played() {
    let tiny = Mount { size: "512k", is_read_only: false };
    with_tmpfs("a_recording_ends_early_and_can_be_played", tiny, |dir| {
        let (recorder, mut ports) = Recorder::start(dir, 1).unwrap();
        let mut port = ports.pop().unwrap();
        let mut tap = port.open(call_id(1), file_name(call_id(1)), 8_000).unwrap();
        let mut index = 0;
        let report = loop {
            // Faster than real time, in pieces that the tap can hold: the disk is full after 16 s of sound.
            for _ in 0..80 {
                tap.push(Channel::Agent, index, &[i16::try_from(index).unwrap(); BLOCK_SAMPLES]);
                index += 1;
            }
            assert!(index < 10_000, "the disk never became full");
            std::thread::park_timeout(Duration::from_millis(300));
            if let Some(report) = port.poll_report() {
                break report;
            }
        };
        let RecordingOutcome::Failed { file, error, duration_ms } = report.outcome else {
            panic!("{report:?}")
        };
        assert!(error.contains("No space left"), "{error}");
        until("the closed tap", || !tap.is_open());
        let mut wav = hound::WavReader::open(dir.join(file)).unwrap();
        let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
        let blocks = samples.len() / BLOCK_SAMPLES / 2;
        assert!((700..=819).contains(&blocks), "{blocks}");
        assert_eq!(duration_ms, blocks as u64 * 20, "what was kept is told");
        assert_eq!(recorder.stats().failed(), 1);
        recorder.shutdown();
    });
}

fn fill(dir: &Path) {
    let mut filler = File::create(dir.join("filler")).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
}

/// Waits for the threads under test, which work in real time.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
