//! Two clocks never run alike: the buffer keeps its target by slipping single frames.

use caly_rtp::jitter::Release;

use crate::simulation::{Outcome, Peer, Random, Receiver, SECOND_US, Tick, count, excess_ms, with_jitter};

#[test]
fn ten_minutes_of_100_ppm_stay_within_two_frames_of_the_target_by_three_slips() {
    let fast = ten_minutes(100.0, 60);
    assert_eq!(fast.inserted, 0);
    assert!((2..=3).contains(&fast.removed), "{} slips", fast.removed);
    let slow = ten_minutes(-100.0, 60);
    assert_eq!(slow.removed, 0);
    assert!((3..=4).contains(&slow.inserted), "{} slips", slow.inserted);
}

#[test]
fn ten_minutes_of_300_ppm_stay_within_two_frames_of_the_target_by_nine_slips() {
    let fast = ten_minutes(300.0, 60);
    assert_eq!(fast.inserted, 0);
    assert!((8..=9).contains(&fast.removed), "{} slips", fast.removed);
    let slow = ten_minutes(-300.0, 60);
    assert_eq!(slow.removed, 0);
    assert!((8..=10).contains(&slow.inserted), "{} slips", slow.inserted);
}

#[test]
fn every_target_is_kept() {
    for target_ms in [20, 40, 100, 200] {
        ten_minutes(100.0, target_ms);
        ten_minutes(-100.0, target_ms);
    }
}

#[test]
fn drift_under_jitter_slips_hardly_more_often() {
    for drift_ppm in [100.0, -100.0] {
        let packets = Peer { drift_ppm, ..Peer::default() }.talks(5_000, 600_000);
        let mut receiver = Receiver::new(80, Release::Paced, with_jitter(packets, 20.0, &mut Random(17)));
        receiver.ticks(0, 599 * SECOND_US);
        let counters = receiver.buffer.counters();
        assert!((2..=6).contains(&(counters.slips_removed + counters.slips_inserted)), "{counters:?}");
        assert!(counters.lost < 10 && counters.skipped == 0, "{counters:?}");
    }
}

#[test]
fn a_clock_that_runs_true_never_slips() {
    let steady = ten_minutes(0.0, 60);
    assert_eq!((steady.removed, steady.inserted), (0, 0));
}

#[test]
fn a_quiet_frame_is_slipped_before_the_edge_of_the_band_is_reached() {
    let slip_at = |is_quiet: bool| {
        let peer = Peer { drift_ppm: 300.0, ..Peer::default() };
        let mut receiver = Receiver::new(60, Release::Paced, peer.talks(5_000, 300_000));
        receiver.buffer.note_quiet(is_quiet);
        let ticks = receiver.ticks(0, 300 * SECOND_US);
        ticks.iter().find(|tick| tick.outcome == Outcome::AfterCut).map(|tick| tick.at_us).unwrap()
    };
    let earlier_us = slip_at(false) - slip_at(true);
    assert!((10 * SECOND_US..20 * SECOND_US).contains(&earlier_us), "{earlier_us} us earlier");
}

struct Slips {
    removed: u64,
    inserted: u64,
}

fn ten_minutes(drift_ppm: f64, target_ms: u64) -> Slips {
    let peer = Peer { drift_ppm, ..Peer::default() };
    let start_us = 13_000;
    let mut receiver = Receiver::new(target_ms, Release::Paced, peer.talks(start_us, 600_000));
    let ticks = receiver.ticks(0, 599 * SECOND_US);
    let begun: Vec<Tick> = ticks.into_iter().skip_while(|tick| tick.outcome == Outcome::Empty).collect();
    for tick in &begun {
        let excess_ms = excess_ms(tick, &peer, start_us, target_ms as i64).unwrap();
        assert!((-1.0..=40.0).contains(&excess_ms), "{excess_ms} ms off at {} us", tick.at_us);
    }
    let slips =
        Slips { removed: count(&begun, Outcome::AfterCut), inserted: count(&begun, Outcome::Inserted) };
    let counters = receiver.buffer.counters();
    assert_eq!((counters.slips_removed, counters.slips_inserted), (slips.removed, slips.inserted));
    assert_eq!(count(&begun, Outcome::Whole) + slips.removed + slips.inserted, begun.len() as u64);
    assert_eq!((counters.late, counters.lost, counters.starved, counters.overflow), (0, 0, 0, 0));
    assert_eq!((counters.skipped, counters.resets), (0, 0));
    slips
}
