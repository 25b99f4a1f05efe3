//! After a stall of the machine or of the network the delay is back at its target within a second.

use caly_rtp::jitter::Release;

use crate::simulation::{Outcome, Peer, Receiver, SECOND_US, Sent, Tick, count, excess_ms, with_stall};

const STALL_AT_US: i64 = 5 * SECOND_US;
const START_US: i64 = 5_000;

/// Packets arrive at any time between two ticks.
const STARTS_US: [i64; 5] = [0, 3_700, 9_100, 14_000, 19_999];

#[test]
fn a_stall_of_the_machine_is_made_up_within_a_second() {
    for stall_ms in [40, 60, 100, 300, 700, 2_000] {
        for start_us in STARTS_US {
            stall_of_the_machine(Peer::default().talks(start_us, 20_000), start_us, stall_ms);
        }
    }
}

#[test]
fn a_stall_of_the_machine_in_which_the_kernel_stamps_nothing_is_made_up_within_a_second() {
    for stall_ms in [40, 60, 100, 300, 700] {
        let until_us = STALL_AT_US + stall_ms * 1_000;
        for start_us in STARTS_US {
            let packets = with_stall(Peer::default().talks(start_us, 20_000), STALL_AT_US, until_us);
            stall_of_the_machine(packets, start_us, stall_ms);
        }
    }
}

#[test]
fn a_stall_of_the_network_is_made_up_within_a_second() {
    for stall_ms in [100, 200, 300, 350, 600, 1_000] {
        let until_us = STALL_AT_US + stall_ms * 1_000;
        for start_us in STARTS_US {
            let packets = with_stall(Peer::default().talks(start_us, 20_000), STALL_AT_US, until_us);
            let mut receiver = Receiver::new(60, Release::Paced, packets);
            receiver.ticks(0, STALL_AT_US);
            let stalled = receiver.ticks(STALL_AT_US, until_us);
            let concealed = count(&stalled, Outcome::Lost);
            assert!(concealed >= 1 || stall_ms <= 100, "{concealed} frames concealed in {stall_ms} ms");
            assert_on_target_a_second_after(&mut receiver, start_us, until_us);
        }
    }
}

#[test]
fn what_a_stall_of_the_network_held_up_is_late_and_not_heard() {
    let packets = with_stall(Peer::default().talks(START_US, 20_000), STALL_AT_US, STALL_AT_US + 300_000);
    let mut receiver = Receiver::new(60, Release::Paced, packets);
    let ticks = receiver.ticks(0, 19 * SECOND_US);
    let counters = receiver.buffer.counters();
    // 300 ms less the 60 to 80 ms that were buffered.
    assert!((11..=12).contains(&counters.late), "{counters:?}");
    assert_eq!(counters.lost, counters.late);
    assert_eq!((counters.skipped, counters.overflow, counters.resets), (0, 0, 0));
    let heard: Vec<i64> =
        ticks.iter().filter(|tick| tick.outcome == Outcome::Whole).filter_map(|tick| tick.units).collect();
    assert!(heard.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_late_tick_alone_slips_nothing() {
    let mut receiver = Receiver::new(60, Release::Paced, Peer::default().talks(START_US, 60_000));
    for tick in 0..2_900_i64 {
        let late_us = if tick % 7 == 0 { 19_000 } else { 0 };
        receiver.tick(tick * 20_000 + late_us);
    }
    let counters = receiver.buffer.counters();
    assert_eq!((counters.slips_removed, counters.slips_inserted, counters.skipped), (0, 0, 0));
    assert_eq!((counters.lost, counters.starved, counters.late), (0, 0, 0));
}

#[test]
fn a_long_stall_fills_the_buffer_to_its_limit_and_no_further() {
    let mut receiver = Receiver::new(60, Release::Paced, Peer::default().talks(START_US, 20_000));
    receiver.ticks(0, STALL_AT_US);
    receiver.receive(STALL_AT_US + 2 * SECOND_US);
    let counters = receiver.buffer.counters();
    // 400 ms stay of 2 s and the 60 to 80 ms that were buffered before.
    assert!((83..=84).contains(&counters.overflow), "{counters:?}");
}

fn stall_of_the_machine(packets: Vec<Sent>, start_us: i64, stall_ms: i64) {
    let until_us = STALL_AT_US + stall_ms * 1_000;
    let mut receiver = Receiver::new(60, Release::Paced, packets);
    receiver.ticks(0, STALL_AT_US);
    // The missed ticks are gone; the next one is due at its own time.
    let next_tick_us = (until_us + 19_999) / 20_000 * 20_000;
    let counters = *receiver.buffer.counters();
    assert_eq!(counters.skipped + counters.slips_removed, 0);
    assert_on_target_a_second_after(&mut receiver, start_us, next_tick_us);
    let left_out = receiver.buffer.counters().skipped + receiver.buffer.counters().slips_removed;
    assert!(left_out > 0 || stall_ms <= 40, "nothing was left out after {stall_ms} ms");
}

fn assert_on_target_a_second_after(receiver: &mut Receiver, start_us: i64, end_us: i64) {
    let settling = receiver.ticks(end_us, end_us + SECOND_US);
    let settled = receiver.ticks(end_us + SECOND_US, 19 * SECOND_US);
    let heard: Vec<&Tick> =
        settling.iter().chain(&settled).filter(|tick| tick.outcome == Outcome::Whole).collect();
    assert!(heard.windows(2).all(|pair| pair[0].units < pair[1].units), "something was heard twice");
    for tick in &settled {
        assert_eq!(tick.outcome, Outcome::Whole, "{tick:?}");
        let excess_ms = excess_ms(tick, &Peer::default(), start_us, 60).unwrap();
        assert!(
            (0.0..=40.0).contains(&excess_ms),
            "{excess_ms} ms off, stall until {end_us} us, at {} us",
            tick.at_us
        );
    }
}
