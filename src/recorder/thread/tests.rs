//! Recordings turn by turn, without the thread.

use std::fs;

use super::*;
use crate::call::log::{CallId, UnixMicros};
use crate::recorder::file_name;
use crate::recorder::tap::{Channel, Tap};
use crate::store::scratch::Folder;

fn desk(dir: &Folder) -> (Desk, RecorderPort) {
    let (port, peer) = tap::port();
    (Desk::new(dir.path().to_path_buf(), vec![peer], Arc::default()), port)
}

fn call(n: u8) -> CallId {
    CallId::new(UnixMicros(1_700_000_000_000_000), [n; 10])
}

fn block(value: i16) -> [i16; BLOCK_SAMPLES] {
    [value; BLOCK_SAMPLES]
}

/// One value for each block, after checking that the whole block has it: (caller, agent).
fn blocks_of(path: &Path) -> Vec<(i16, i16)> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8_000));
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let one = |block: &[i16]| {
        let pair = (block[0], block[1]);
        assert!(block.chunks(2).all(|frame| (frame[0], frame[1]) == pair), "a torn block");
        pair
    };
    samples.chunks(2 * BLOCK_SAMPLES).map(one).collect()
}

fn record(dir: &Folder, feed: impl FnOnce(&mut Tap, &mut Desk)) -> (RecordingOutcome, Vec<(i16, i16)>) {
    let (mut desk, mut port) = desk(dir);
    let mut tap = port.open(call(1), file_name(call(1)), 8_000).unwrap();
    feed(&mut tap, &mut desk);
    tap.finish();
    desk.turn(Turn::Ordinary);
    let report = port.poll_report().unwrap();
    assert_eq!(report.call, call(1));
    assert!(desk.recordings.is_empty());
    let blocks = blocks_of(&dir.path().join(file_name(call(1))));
    (report.outcome, blocks)
}

#[test]
fn both_sides_stand_side_by_side() {
    let dir = Folder::new("recorder-sides");
    let (outcome, blocks) = record(&dir, |tap, desk| {
        for index in 0..1_000_u32 {
            let value = i16::try_from(index).unwrap() + 1;
            tap.push(Channel::Agent, index, &block(value));
            if let Some(index) = index.checked_sub(10) {
                tap.push(Channel::Caller, index, &block(-i16::try_from(index).unwrap() - 1));
            }
            if index % 13 == 0 {
                desk.turn(Turn::Ordinary);
            }
        }
    });
    let file = file_name(call(1));
    assert_eq!(outcome, RecordingOutcome::Finished { file, duration_ms: 20_000, missing_blocks: 0 });
    assert_eq!(blocks.len(), 1_000);
    for (index, (caller, agent)) in blocks.into_iter().enumerate() {
        let value = i16::try_from(index).unwrap() + 1;
        assert_eq!((caller, agent), (if index < 990 { -value } else { 0 }, value), "{index}");
    }
}

#[test]
fn a_writer_that_stands_still_costs_counted_silence_and_no_shift() {
    let dir = Folder::new("recorder-stall");
    let (outcome, blocks) = record(&dir, |tap, desk| {
        for index in 0..400_u32 {
            if index == 50 || index == 300 {
                desk.turn(Turn::Ordinary);
            }
            tap.push(Channel::Agent, index, &block(7));
        }
    });
    let RecordingOutcome::Finished { duration_ms, missing_blocks, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (duration_ms, missing_blocks),
        (8_000, 40),
        "twenty chunks and the one being filled took 50..260"
    );
    let silent: Vec<usize> = (0..400).filter(|&index| blocks[index] == (0, 0)).collect();
    assert_eq!(silent, (260..300).collect::<Vec<_>>());
}

#[test]
fn silence_that_nobody_pushed_is_not_missing() {
    let dir = Folder::new("recorder-hold");
    let (outcome, blocks) = record(&dir, |tap, desk| {
        tap.push(Channel::Agent, 2, &block(1));
        desk.turn(Turn::Ordinary);
        tap.push(Channel::Caller, 5_000, &block(2));
    });
    assert!(matches!(outcome, RecordingOutcome::Finished { duration_ms: 100_020, missing_blocks: 0, .. }));
    assert_eq!(blocks.len(), 5_001);
    assert_eq!((blocks[2], blocks[5_000]), ((0, 1), (2, 0)));
    assert_eq!(blocks.iter().filter(|&&pair| pair != (0, 0)).count(), 2);
}

#[test]
fn a_file_that_is_still_written_can_be_repaired_to_what_was_written() {
    let dir = Folder::new("recorder-killed");
    let (mut desk, mut port) = desk(&dir);
    let mut tap = port.open(call(1), file_name(call(1)), 8_000).unwrap();
    for index in 0..200_u32 {
        tap.push(Channel::Agent, index, &block(3));
        if index % 12 == 0 {
            desk.turn(Turn::Ordinary);
        }
    }
    // A killed process runs no destructors; its files stay as they are.
    let repaired = crate::recorder::repair(dir.path()).unwrap();
    assert_eq!(repaired.len(), 1);
    assert!((2_000..4_000).contains(&repaired[0].duration_ms), "{repaired:?}");
    let blocks = blocks_of(&dir.path().join(&repaired[0].file));
    assert!(blocks.iter().all(|pair| *pair == (0, 3)));
}

#[test]
fn the_end_of_the_server_closes_files_whose_calls_still_run() {
    let dir = Folder::new("recorder-end");
    let (mut desk, mut port) = desk(&dir);
    let mut tap = port.open(call(1), file_name(call(1)), 8_000).unwrap();
    // The eleventh block is not handed over yet.
    (0..11).for_each(|index| tap.push(Channel::Caller, index, &block(9)));
    desk.turn(Turn::Last);
    let report = port.poll_report().unwrap();
    assert!(matches!(report.outcome, RecordingOutcome::Finished { duration_ms: 200, .. }));
    assert_eq!(blocks_of(&dir.path().join(file_name(call(1)))), [(9, 0); 10]);
    drop(desk);
    assert!(!tap.is_open());
    assert!(port.open(call(2), file_name(call(2)), 8_000).is_none(), "there is no recorder any more");
}

#[test]
fn what_cannot_be_written_is_reported_and_harms_nobody() {
    let dir = Folder::new("recorder-refused");
    let (mut desk, mut port) = desk(&dir);
    fs::write(dir.path().join("2023-11-14"), "a file in the folder's place").unwrap();
    let refused = [
        (file_name(call(1)), 8_000),
        ("../outside.wav".to_owned(), 8_000),
        ("/outside.wav".to_owned(), 8_000),
        (String::new(), 8_000),
        ("call.wav".to_owned(), 0),
    ];
    for (file, rate) in refused.clone() {
        let mut tap = port.open(call(1), file, rate).unwrap();
        tap.push(Channel::Caller, 0, &block(1));
    }
    let good = port.open(call(2), "2023-11-15/good.wav", 16_000).unwrap();
    good.finish();
    desk.turn(Turn::Ordinary);
    for (file, _) in refused {
        let RecordingOutcome::Failed { file: told, error, duration_ms: 0 } =
            port.poll_report().unwrap().outcome
        else {
            panic!()
        };
        assert!(told == file && !error.is_empty());
    }
    assert!(matches!(port.poll_report().unwrap().outcome, RecordingOutcome::Finished { duration_ms: 0, .. }));
    assert_eq!(desk.stats.failed(), 5);
}

#[test]
fn reports_wait_for_a_shard_that_does_not_read_them() {
    let dir = Folder::new("recorder-reports");
    let (mut desk, mut port) = desk(&dir);
    for round in 0..3 {
        for n in 0..200 {
            let tap = port.open(call(1), format!("day/{round}-{n}.wav"), 8_000).unwrap();
            tap.finish();
        }
        desk.turn(Turn::Ordinary);
    }
    let mut reports = 0;
    while reports < 600 {
        match port.poll_report() {
            Some(_) => reports += 1,
            None => {
                assert!(!desk.recordings.is_empty(), "only {reports} reports");
                desk.turn(Turn::Ordinary);
            }
        }
    }
    assert!(port.poll_report().is_none() && desk.recordings.is_empty());
}
