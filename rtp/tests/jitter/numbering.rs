//! Sequence numbers wrap and restart, timestamps jump, sources change: the stream goes on.

use std::time::Duration;

use caly_rtp::codec::Codec;
use caly_rtp::codec::decoder::FrameDecoder;
use caly_rtp::jitter::{JitterBuffer, JitterConfig, Release};

use crate::simulation::{
    Outcome, Peer, Random, Receiver, SECOND_US, Sent, at_us, count, in_order_of_arrival,
};

#[test]
fn reordering_across_both_wraps_loses_nothing() {
    let peer = Peer { first_sequence: u16::MAX - 2, first_timestamp: u32::MAX - 400, ..Peer::default() };
    let mut packets = peer.talks(5_000, 2_000);
    for index in [1, 3, 5, 7] {
        packets[index].arrival_us += 25_000;
    }
    let mut receiver = Receiver::new(60, Release::Paced, in_order_of_arrival(packets));
    let ticks = receiver.ticks(0, 2 * SECOND_US);
    assert_eq!(count(&ticks, Outcome::Lost), 0);
    let counters = receiver.buffer.counters();
    assert_eq!((counters.reordered, counters.late, counters.lost, counters.resets), (4, 0, 0, 0));
}

#[test]
fn every_wrap_of_an_hour_goes_unnoticed() {
    // An hour has two wraps of the sequence number and, from here, one of the timestamp.
    let mut receiver = Receiver::new(40, Release::Paced, Peer::default().talks(5_000, 3_600_000));
    let ticks = receiver.ticks(0, 3_599 * SECOND_US);
    assert_eq!(count(&ticks, Outcome::Whole), ticks.len() as u64 - count(&ticks, Outcome::Empty));
    assert!(count(&ticks, Outcome::Empty) <= 4);
    assert_eq!(receiver.buffer.counters().resets, 0);
}

#[test]
fn a_new_source_restarts_the_buffer_once() {
    restarts(Peer { ssrc: 8, ..Peer::default() });
}

#[test]
fn a_sequence_that_starts_over_restarts_the_buffer_once() {
    restarts(Peer { first_sequence: 30_000, ..Peer::default() });
}

#[test]
fn a_timestamp_that_jumps_restarts_the_buffer_once() {
    for jump in [80_000, u32::MAX - 80_000, 1 << 31, 4_000_000] {
        let first_timestamp = Peer::default().first_timestamp.wrapping_add(150 * 160 + jump);
        let first_sequence = Peer::default().first_sequence.wrapping_add(150);
        restarts(Peer { first_sequence, first_timestamp, ..Peer::default() });
    }
}

#[test]
fn a_stray_packet_restarts_nothing() {
    let stray = [
        Peer { ssrc: 8, ..Peer::default() },
        Peer { first_sequence: 20_000, ..Peer::default() },
        Peer { first_timestamp: 1 << 30, ..Peer::default() },
    ];
    for (index, peer) in stray.into_iter().enumerate() {
        let mut packets = Peer::default().talks(5_000, 10_000);
        packets.extend(peer.talks(4 * SECOND_US + index as i64, 20));
        let mut receiver = Receiver::new(60, Release::Paced, in_order_of_arrival(packets));
        let ticks = receiver.ticks(0, 9 * SECOND_US);
        assert_eq!(receiver.buffer.counters().resets, 0);
        assert_eq!(count(&ticks, Outcome::Lost), 0);
    }
}

#[test]
fn numbers_without_any_sense_do_no_harm() {
    let mut random = Random(99);
    for release in [Release::Paced, Release::InOrder] {
        let mut receiver = Receiver::new(60, release, Vec::new());
        for step in 0..200_000_i64 {
            let wild = random.next().is_multiple_of(4);
            let sent = Sent {
                arrival_us: step * 5_000 + (random.next() % 9_000) as i64,
                ssrc: 7 + u32::from(random.next().is_multiple_of(50)),
                sequence: if wild { random.next() as u16 } else { step as u16 },
                timestamp: if random.next().is_multiple_of(4) {
                    random.next() as u32
                } else {
                    step as u32 * 40
                },
                payload: vec![0x55; (random.next() % 700) as usize],
            };
            receiver.insert(&sent);
            if step % 4 == 0 && release == Release::Paced {
                receiver.tick(step * 5_000);
            }
            // A million lost frames are never released one by one.
            let slots = std::iter::from_fn(|| receiver.in_order(step * 5_000)).take(100).count();
            assert!(slots < 100);
        }
    }
}

#[test]
fn numbers_at_the_ends_of_their_range_do_no_harm() {
    let mut random = Random(5);
    for release in [Release::Paced, Release::InOrder] {
        let config = JitterConfig { target: Duration::MAX, clock_rate: u32::MAX };
        let mut buffer = JitterBuffer::new(config, release);
        for step in 0..20_000 {
            let mut wild = |range: u64| {
                let ends = [0, u64::MAX - range, 1 << 63, step];
                ends[(random.next() % 4) as usize] + random.next() % range
            };
            let (sequence, timestamp) = (wild(300), wild(50_000));
            let arrival = at_us((random.next() % 50_000_000) as i64);
            let payload = [0; 2_000];
            buffer.insert(arrival, sequence, timestamp, &payload[..(random.next() % 2_000) as usize]);
            buffer.next_paced(at_us((random.next() % 50_000_000) as i64));
            let mut released = 0;
            while released < 100 && buffer.next_in_order(at_us((random.next() % 50_000_000) as i64)).is_some()
            {
                released += 1;
            }
            if step % 1_000 == 0 {
                buffer.reset();
                buffer.set_release(if step % 2_000 == 0 { Release::InOrder } else { Release::Paced });
            }
        }
    }
}

/// Three seconds of the usual peer, then another numbering: one reset, and whole frames again within 200 ms.
fn restarts(after: Peer) {
    let mut packets = Peer::default().talks(5_000, 3_000);
    let restart_us = 3_005_000;
    packets.extend(after.talks(restart_us, 3_000));
    let mut receiver = Receiver::new(60, Release::Paced, packets.clone());
    let ticks = receiver.ticks(0, 5_900_000);
    let counters = receiver.buffer.counters();
    assert_eq!((counters.resets, counters.late, counters.overflow), (1, 0, 0), "{after:?}");
    let missing = ticks.iter().filter(|tick| tick.at_us > restart_us && tick.outcome != Outcome::Whole);
    let last_missing_us = missing.map(|tick| tick.at_us).max().unwrap();
    assert!(last_missing_us < restart_us + 150_000, "{after:?}: whole again after {last_missing_us} us");

    let mut receiver = Receiver::new(60, Release::Paced, packets);
    let frames = receiver.hear(&mut FrameDecoder::new(Codec::Pcmu), 0, 5_900_000);
    let times: Vec<u64> =
        frames.iter().filter(|frame| !frame.payload.is_empty()).map(|frame| frame.media_time.0).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{after:?}: media time ran back");
    let elapsed_units = times.last().unwrap() - times.first().unwrap();
    assert!((5_700 * 8..5_900 * 8).contains(&elapsed_units), "{after:?}: {elapsed_units} units");
}
