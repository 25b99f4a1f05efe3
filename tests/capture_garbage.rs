//! Captures that are damaged in every way: `caly replay` reads what can be read and comes to an end.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use caly::app::call_policy;
use caly::capture::read;
use caly::config::Config;
use caly::replay::{self, BareRtp, Outcome, ReplayConfig, ReplayError};
use caly::signaling::Destinations;
use common::scratch::Scratch;
use common::seeded::SplitMix;

#[test]
fn a_damaged_capture_is_played_as_far_as_it_goes() {
    let scratch = Scratch::new("capture-garbage");
    let damaged = scratch.join("damaged.pcap");
    let mut random = SplitMix(20_261_121);
    let (mut played, mut refused) = (0, 0);
    for capture in captures() {
        let whole = fs::read(&capture).unwrap();
        for round in 0..ROUNDS {
            fs::write(&damaged, damage(&whole, &mut random)).unwrap();
            let bare_rtp = (round % 4 == 3).then_some(BareRtp { to: None, dtmf: 101 });
            match play(&damaged, bare_rtp, &scratch.join("out")) {
                Ok(outcome) => {
                    let has_ended = outcome.calls.iter().all(|call| call.ended_ms.is_some());
                    assert!(has_ended, "{} {round}: {:?}", capture.display(), outcome.calls);
                    played += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(played > refused, "{played} played, {refused} refused: the damage is too great to test much");
}

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcap-fixtures");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut captures: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|kind| kind == "pcap" || kind == "pcapng"))
        .collect();
    captures.sort();
    captures
}

fn play(
    capture: &Path,
    bare_rtp: Option<BareRtp>,
    recordings: &Path,
) -> Result<Outcome, Option<ReplayError>> {
    let reading = read::read(capture).map_err(|_| None)?;
    let config = ReplayConfig {
        local: None,
        bare_rtp,
        agent: "echo".to_owned(),
        destinations: Destinations::for_testing(),
        policy: call_policy(&Config::default()),
        recordings,
        start: Instant::now(),
    };
    replay::run(reading, config).map_err(Some)
}

/// Flips bits, or cuts, repeats, removes or exchanges parts.
fn damage(whole: &[u8], random: &mut SplitMix) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let mut below = |limit: usize| random.below(limit.max(1));
    match below(6) {
        0 => {
            for _ in 0..=below(40) {
                let place = below(bytes.len());
                bytes[place] ^= 1 << below(8);
            }
        }
        1 => {
            for _ in 0..=below(10) {
                let place = below(bytes.len());
                bytes[place] = [0x00, 0xFF, 0x7F, 0x80, b'\r', b':'][below(6)];
            }
        }
        2 => bytes.truncate(below(whole.len())),
        3 => {
            let (from, length) = (below(whole.len()), below(2_000));
            bytes.drain(from..(from + length).min(whole.len()));
        }
        4 => {
            let (from, length) = (below(whole.len()), below(2_000));
            let part = whole[from..(from + length).min(whole.len())].to_vec();
            let place = below(bytes.len());
            bytes.splice(place..place, part);
        }
        _ => {
            let (one, other, length) = (below(whole.len()), below(whole.len()), below(200));
            for n in 0..length {
                bytes.swap((one + n) % whole.len(), (other + n) % whole.len());
            }
        }
    }
    bytes
}

const ROUNDS: usize = 30;
