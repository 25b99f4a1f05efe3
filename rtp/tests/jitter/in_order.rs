//! Listeners get everything once, in order, as soon as it is there.

use caly_rtp::jitter::Release;

use crate::simulation::{
    Outcome, Peer, Random, Receiver, SECOND_US, Sent, in_order_of_arrival, with_jitter, with_loss,
};

#[test]
fn without_loss_every_frame_is_released_with_its_packet() {
    let mut receiver = Receiver::new(60, Release::InOrder, Peer::default().talks(5_000, 10_000));
    for index in 0..500 {
        let now_us = 5_000 + index * 20_000;
        receiver.receive(now_us);
        assert_eq!(receiver.in_order(now_us), Some((Outcome::Whole, index * 160)));
        assert_eq!(receiver.in_order(now_us), None);
    }
}

#[test]
fn while_the_network_is_unknown_a_gap_is_waited_for_60_ms_and_no_longer() {
    let mut packets = Peer::default().talks(5_000, 1_000);
    packets.remove(10);
    let mut receiver = Receiver::new(60, Release::InOrder, packets);
    let gap_seen_us = 5_000 + 11 * 20_000;
    let released = drain_each_ms(&mut receiver, 1_000);
    let (lost_at_us, _, _) = *released.iter().find(|(_, outcome, _)| *outcome == Outcome::Lost).unwrap();
    assert_eq!(lost_at_us, gap_seen_us + 60_000);
    let at_once = released.iter().filter(|(at_us, _, _)| *at_us == lost_at_us).count();
    assert_eq!(at_once, 5, "the lost frame and the four that waited behind it");
    assert_eq!(receiver.buffer.counters().lost, 1);
}

#[test]
fn a_packet_later_than_the_slowest_of_a_second_is_not_waited_for() {
    for slowest_us in [0, 30_000] {
        let mut packets = Peer::default().talks(5_000, 1_000);
        // Every fifth is slow, so that none overtakes another.
        packets.iter_mut().step_by(5).for_each(|packet| packet.arrival_us += slowest_us.min(19_000));
        packets[15].arrival_us += slowest_us - slowest_us.min(19_000);
        packets.remove(30);
        let mut receiver = Receiver::new(60, Release::InOrder, in_order_of_arrival(packets));
        let released = drain_each_ms(&mut receiver, 1_100);
        let (lost_at_us, _, _) = *released.iter().find(|(_, outcome, _)| *outcome == Outcome::Lost).unwrap();
        assert_eq!(lost_at_us, 5_000 + 30 * 20_000 + slowest_us + 20_000);
        assert_eq!(receiver.buffer.counters().lost, 1);
    }
}

#[test]
fn a_packet_that_fills_the_gap_in_time_is_released_at_once() {
    let mut packets = Peer::default().talks(5_000, 1_000);
    packets[10].arrival_us += 70_000;
    // By then it is known that one of them was 70 ms late.
    packets[20].arrival_us += 75_000;
    let mut receiver = Receiver::new(60, Release::InOrder, in_order_of_arrival(packets));
    let released = drain_each_ms(&mut receiver, 1_200);
    assert!(released.iter().all(|(_, outcome, _)| *outcome == Outcome::Whole));
    assert_eq!(released.len(), 50);
    for (number, late_us) in [(10, 70_000), (20, 75_000)] {
        let (filled_at_us, _, _) = released[number];
        assert_eq!(filled_at_us, 5_000 + number as i64 * 20_000 + late_us);
    }
}

#[test]
fn jitter_and_loss_leave_order_and_nothing_comes_twice() {
    for seed in 0..8 {
        let mut random = Random(seed);
        let packets = with_loss(Peer::default().talks(0, 60_000), 0.05, &mut random);
        let packets = with_jitter(packets, 25.0, &mut random);
        let sent = packets.len();
        let mut receiver = Receiver::new(60, Release::InOrder, packets);
        let released = drain_each_ms(&mut receiver, 61_000);
        assert!(released.windows(2).all(|pair| pair[1].2 == pair[0].2 + 160), "a frame missing or twice");
        let whole = released.iter().filter(|(_, outcome, _)| *outcome == Outcome::Whole).count();
        let counters = *receiver.buffer.counters();
        assert_eq!(whole as u64 + counters.late, sent as u64);
        assert_eq!(released.len() as u64, whole as u64 + counters.lost);
        assert!(counters.late * 50 <= sent as u64, "{} late", counters.late);
    }
}

#[test]
fn a_pause_is_a_jump_in_time_without_a_wait() {
    let mut packets = Peer::default().talks(0, 2_000);
    for packet in packets.iter_mut().skip(50) {
        packet.arrival_us += 500_000;
        packet.timestamp = packet.timestamp.wrapping_add(500 * 8);
    }
    let mut receiver = Receiver::new(60, Release::InOrder, packets);
    let released = drain_each_ms(&mut receiver, 3_000);
    assert_eq!(released.len(), 100);
    assert_eq!(released[50], (1_500_000, Outcome::Whole, 50 * 160 + 500 * 8));
    assert_eq!(receiver.buffer.counters().lost, 0);
}

#[test]
fn numbers_taken_by_events_are_neither_waited_for_nor_lost() {
    for release in [Release::InOrder, Release::Paced] {
        let packets = Peer::default().talks(5_000, 2_000);
        let mut receiver = Receiver::new(60, release, Vec::new());
        let mut lost = 0;
        for (index, packet) in packets.iter().enumerate() {
            let is_event = (40..52).contains(&index);
            let payload = if is_event { Vec::new() } else { packet.payload.clone() };
            let timestamp = if is_event { packets[40].timestamp } else { packet.timestamp };
            receiver.insert(&Sent { payload, timestamp, ..packet.clone() });
            match release {
                Release::InOrder => {
                    let slot = receiver.in_order(packet.arrival_us);
                    assert_eq!(slot.is_some(), !is_event, "packet {index}");
                }
                Release::Paced => {
                    lost += u32::from(receiver.tick(packet.arrival_us + 1_000).outcome == Outcome::Lost);
                }
            }
        }
        assert_eq!((lost, receiver.buffer.counters().lost), (0, 0));
        assert_eq!(receiver.buffer.counters().received, 88);
    }
}

#[test]
fn a_long_loss_is_counted_in_full_and_released_in_part() {
    let mut packets = Peer::default().talks(0, 10_000);
    packets.drain(100..300);
    let mut receiver = Receiver::new(60, Release::InOrder, packets);
    let released = drain_each_ms(&mut receiver, 11_000);
    let lost = released.iter().filter(|(_, outcome, _)| *outcome == Outcome::Lost).count();
    assert_eq!((lost, receiver.buffer.counters().lost), (10, 200));
    assert_eq!(released.last().unwrap().2, 499 * 160);
}

#[test]
fn who_is_served_may_change_and_nothing_is_released_twice() {
    let packets = with_jitter(Peer::default().talks(0, 20_000), 15.0, &mut Random(3));
    let mut receiver = Receiver::new(60, Release::InOrder, packets);
    let mut units = Vec::new();
    for second in 0..20 {
        let release = if second % 2 == 0 { Release::InOrder } else { Release::Paced };
        receiver.buffer.set_release(release);
        for now_us in (second * SECOND_US..(second + 1) * SECOND_US).step_by(20_000) {
            receiver.receive(now_us);
            match release {
                Release::InOrder => {
                    let slots = std::iter::from_fn(|| receiver.in_order(now_us));
                    units.extend(
                        slots.filter(|(outcome, _)| *outcome == Outcome::Whole).map(|(_, units)| units),
                    );
                }
                Release::Paced => {
                    let tick = receiver.tick(now_us);
                    units.extend(tick.units.filter(|_| tick.outcome == Outcome::Whole));
                }
            }
        }
    }
    assert!(units.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(units.len() > 950, "{} of 1000 frames", units.len());
}

/// Time, outcome and place of each slot, asked for every millisecond.
fn drain_each_ms(receiver: &mut Receiver, until_ms: i64) -> Vec<(i64, Outcome, i64)> {
    let mut released = Vec::new();
    for now_us in (0..until_ms * 1_000).step_by(1_000) {
        receiver.receive(now_us);
        while let Some((outcome, units)) = receiver.in_order(now_us) {
            released.push((now_us, outcome, units));
        }
    }
    released
}
