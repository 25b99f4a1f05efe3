//! What networks do to packets: jitter, reordering, loss, duplicates, delays that change.

use caly_rtp::jitter::Release;

use crate::simulation::{
    Outcome, Peer, Random, Receiver, SECOND_US, Sent, Tick, count, excess_ms, in_order_of_arrival,
    with_jitter, with_loss,
};

#[test]
fn gaussian_jitter_causes_no_storm_of_slips() {
    for (sigma_ms, target_ms, lost_at_most) in
        [(10.0, 60, 0.0001), (20.0, 60, 0.002), (30.0, 60, 0.02), (30.0, 120, 0.0005)]
    {
        let packets = with_jitter(Peer::default().talks(5_000, 600_000), sigma_ms, &mut Random(11));
        let mut receiver = Receiver::new(target_ms, Release::Paced, packets);
        let ticks = receiver.ticks(0, 599 * SECOND_US);
        let counters = receiver.buffer.counters();
        let slips = counters.slips_removed + counters.slips_inserted;
        assert!(slips <= 4 && counters.skipped == 0, "{slips} slips at {sigma_ms} ms");
        let lost = count(&ticks, Outcome::Lost) as f64 / ticks.len() as f64;
        assert!(lost <= lost_at_most, "{lost} lost at {sigma_ms} ms");
    }
}

#[test]
fn a_packet_overtaken_by_three_others_is_never_late_at_60_ms() {
    for phase_us in (0..20_000).step_by(1_900) {
        let mut random = Random(phase_us as u64);
        let mut packets = Peer::default().talks(phase_us, 60_000);
        for packet in &mut packets {
            if random.fraction() < 0.1 {
                // Just behind the first, second or third packet after it.
                packet.arrival_us += 20_000 * (1 + (random.next() % 3) as i64) + 900;
            }
        }
        let mut receiver = Receiver::new(60, Release::Paced, in_order_of_arrival(packets));
        let ticks = receiver.ticks(0, 59 * SECOND_US);
        let counters = receiver.buffer.counters();
        assert!(counters.reordered > 200, "{counters:?}");
        assert_eq!((counters.late, counters.lost, counters.starved), (0, 0, 0), "phase {phase_us} us");
        assert_plays_everything_once(&ticks);
    }
}

#[test]
fn packets_that_trade_places_within_three_are_never_late_at_60_ms() {
    let mut random = Random(5);
    let mut packets = Peer::default().talks(7_000, 60_000);
    for first in 0..packets.len() - 3 {
        if random.fraction() < 0.05 {
            let second = first + 1 + (random.next() % 3) as usize;
            let (earlier_us, later_us) = (packets[first].arrival_us, packets[second].arrival_us);
            if later_us - earlier_us <= 60_000 && later_us > earlier_us {
                (packets[first].arrival_us, packets[second].arrival_us) = (later_us, earlier_us);
            }
        }
    }
    let packets = packets_displaced_by_at_most(packets, 60_000);
    let mut receiver = Receiver::new(60, Release::Paced, packets);
    assert_plays_everything_once(&receiver.ticks(0, 59 * SECOND_US));
    assert_eq!((receiver.buffer.counters().late, receiver.buffer.counters().lost), (0, 0));
}

#[test]
fn each_lost_packet_is_one_lost_frame() {
    for (probability, seed) in [(0.02, 1), (0.05, 2), (0.2, 3)] {
        let all = Peer::default().talks(5_000, 120_000);
        let sent = all.len() as u64;
        // The first and the last packet arrive, so that every loss lies between two that show it.
        let (ends, between) = ([&all[..1], &all[all.len() - 1..]], all[1..all.len() - 1].to_vec());
        let between = with_loss(between, probability, &mut Random(seed));
        let arriving = [ends[0], &between, ends[1]].concat();
        let lost = sent - arriving.len() as u64;
        let mut receiver = Receiver::new(60, Release::Paced, arriving);
        let ticks = receiver.ticks(0, 121 * SECOND_US);
        let counters = *receiver.buffer.counters();
        assert_eq!((counters.lost, counters.late, counters.slips_removed), (lost, 0, 0), "{probability}");
        assert_eq!(count(&ticks, Outcome::Whole), sent - lost);
    }
}

#[test]
fn a_long_loss_is_counted_in_full_and_playing_goes_on_at_the_target() {
    let peer = Peer::default();
    let mut packets = peer.talks(5_000, 10_000);
    packets.drain(200..230);
    let mut receiver = Receiver::new(60, Release::Paced, packets);
    let ticks = receiver.ticks(0, 9 * SECOND_US);
    assert_eq!(receiver.buffer.counters().lost, 30);
    for tick in ticks.iter().filter(|tick| tick.outcome == Outcome::Whole) {
        assert!((0.0..40.0).contains(&excess_ms(tick, &peer, 5_000, 60).unwrap()));
    }
}

#[test]
fn duplicates_are_counted_and_never_heard() {
    for behind_us in [0, 1_000, 45_000, 300_000] {
        let packets = Peer::default().talks(5_000, 20_000);
        let again =
            packets.iter().map(|packet| Sent { arrival_us: packet.arrival_us + behind_us, ..packet.clone() });
        let both = in_order_of_arrival(packets.iter().cloned().chain(again).collect());
        let mut receiver = Receiver::new(60, Release::Paced, both);
        assert_plays_everything_once(&receiver.ticks(0, 20 * SECOND_US));
        receiver.receive(25 * SECOND_US);
        let counters = receiver.buffer.counters();
        assert_eq!((counters.received, counters.duplicate, counters.late), (2_000, 1_000, 0));
    }
}

#[test]
fn a_packet_that_comes_after_its_time_is_counted_and_never_heard() {
    let mut packets = Peer::default().talks(5_000, 10_000);
    packets[100].arrival_us += 200_000;
    packets[300].arrival_us += 1_500_000;
    let mut receiver = Receiver::new(60, Release::Paced, in_order_of_arrival(packets));
    let ticks = receiver.ticks(0, 10 * SECOND_US);
    let counters = receiver.buffer.counters();
    assert_eq!((counters.late, counters.lost, counters.duplicate), (2, 2, 0));
    for late in [100, 300] {
        let tick = ticks.iter().find(|tick| tick.units == Some(late * 160)).unwrap();
        assert_eq!(tick.outcome, Outcome::Lost);
    }
}

#[test]
fn the_delay_returns_to_the_target_when_the_networks_delay_changes_for_good() {
    for change_ms in [-150_i64, -100, -50, 30, 50, 100, 150, 400] {
        let peer = Peer::default();
        let (start_us, change_at_us) = (405_000, 5 * SECOND_US);
        let mut packets = peer.talks(start_us, 20_000);
        for packet in packets.iter_mut().filter(|packet| packet.arrival_us >= change_at_us) {
            packet.arrival_us += change_ms * 1_000;
        }
        let mut receiver = Receiver::new(60, Release::Paced, in_order_of_arrival(packets));
        let ticks = receiver.ticks(0, 20 * SECOND_US);
        let settled_us = change_at_us + change_ms.max(0) * 1_000 + 2 * SECOND_US;
        for tick in ticks.iter().filter(|tick| tick.at_us > settled_us) {
            assert!(matches!(tick.outcome, Outcome::Whole), "{change_ms} ms: {tick:?}");
            let excess_ms = excess_ms(tick, &peer, start_us + change_ms * 1_000, 60).unwrap();
            assert!((0.0..=40.0).contains(&excess_ms), "{excess_ms} ms off after {change_ms} ms");
        }
    }
}

#[test]
fn a_pause_of_the_peer_is_no_loss() {
    for pause_ms in [60, 100, 400, 1_000, 2_000, 60_000] {
        let peer = Peer::default();
        let mut packets = peer.talks(5_000, 6_000);
        for packet in packets.iter_mut().skip(150) {
            packet.arrival_us += pause_ms * 1_000;
            packet.timestamp = packet.timestamp.wrapping_add(pause_ms as u32 * 8);
        }
        let mut receiver = Receiver::new(60, Release::Paced, packets);
        let ticks = receiver.ticks(0, (6_000 + pause_ms) * 1_000);
        let counters = receiver.buffer.counters();
        assert_eq!((counters.lost, counters.late), (0, 0), "{pause_ms} ms");
        assert!(counters.starved <= 3, "{pause_ms} ms: {}", counters.starved);
        assert_eq!(counters.slips_removed + counters.slips_inserted + counters.skipped + counters.resets, 0);
        assert!(count(&ticks, Outcome::Whole) >= 295, "{pause_ms} ms");
        for tick in ticks.iter().filter(|tick| tick.outcome == Outcome::Whole) {
            assert!(
                (0.0..=40.0).contains(&excess_ms(tick, &peer, 5_000, 60).unwrap()),
                "{pause_ms} ms: {tick:?}"
            );
        }
    }
}

#[test]
fn after_a_pause_of_any_length_frames_and_packets_keep_step() {
    for pause_ms in [5, 23, 50, 130, 1_111] {
        let mut packets = Peer::default().talks(5_000, 6_000);
        for (index, packet) in packets.iter_mut().enumerate().skip(150) {
            let overtaken_us = if index % 10 == 0 { 60_900 } else { 0 };
            packet.arrival_us += pause_ms * 1_000 + overtaken_us;
            packet.timestamp = packet.timestamp.wrapping_add(pause_ms as u32 * 8);
        }
        packets.truncate(295);
        let mut receiver = Receiver::new(60, Release::Paced, in_order_of_arrival(packets));
        let ticks = receiver.ticks(0, 8 * SECOND_US);
        let counters = receiver.buffer.counters();
        assert_eq!((counters.late, counters.lost), (0, 0), "{pause_ms} ms: {counters:?}");
        assert_eq!(
            (count(&ticks, Outcome::Partial), count(&ticks, Outcome::Whole)),
            (0, 295),
            "{pause_ms} ms"
        );
    }
}

#[test]
fn who_talks_before_we_listen_or_long_after_is_heard_at_the_target_from_the_first_frame() {
    for (start_us, first_tick_us) in [(5_000, 1_000_000), (5_000, 200_000), (5_000, 60_000), (7_000_000, 0)] {
        let peer = Peer::default();
        let mut receiver = Receiver::new(60, Release::Paced, peer.talks(start_us, 10_000));
        let ticks = receiver.ticks(first_tick_us, 9 * SECOND_US);
        let first = ticks.iter().find(|tick| tick.outcome != Outcome::Empty).unwrap();
        assert!(first.at_us <= first_tick_us.max(start_us + 60_000) + 21_000, "begins at {} us", first.at_us);
        for tick in ticks.iter().filter(|tick| tick.outcome != Outcome::Empty) {
            assert_eq!(tick.outcome, Outcome::Whole);
            assert!((0.0..=40.0).contains(&excess_ms(tick, &peer, start_us, 60).unwrap()), "{tick:?}");
        }
    }
}

#[test]
fn a_peer_that_pauses_without_moving_its_timestamps_is_heard_again() {
    for pause_ms in [200, 500, 1_200, 5_000] {
        let peer = Peer::default();
        let mut packets = peer.talks(5_000, 6_000);
        for packet in packets.iter_mut().skip(150) {
            packet.arrival_us += pause_ms * 1_000;
        }
        let mut receiver = Receiver::new(60, Release::Paced, packets);
        receiver.ticks(0, 3_000_000 + pause_ms * 1_000);
        let ticks = receiver.ticks(3_000_000 + pause_ms * 1_000, 5_900_000 + pause_ms * 1_000);
        let heard = count(&ticks, Outcome::Whole);
        assert!(heard > 130, "{heard} frames after {pause_ms} ms");
        let last = excess_ms(ticks.last().unwrap(), &peer, 5_000 + pause_ms * 1_000, 60).unwrap();
        assert!((0.0..=40.0).contains(&last), "{last} ms off after {pause_ms} ms");
    }
}

/// Every frame whole, each one the frame after the one before.
fn assert_plays_everything_once(ticks: &[Tick]) {
    let begun: Vec<_> = ticks.iter().skip_while(|tick| tick.outcome == Outcome::Empty).collect();
    assert!(begun.len() > 500);
    let first = begun[0].units.unwrap();
    for (index, tick) in begun.iter().enumerate() {
        assert_eq!(
            (tick.outcome, tick.units),
            (Outcome::Whole, Some(first + index as i64 * 160)),
            "{tick:?}"
        );
    }
}

/// Chains of trades can carry a packet further than one trade does: those go back to where they belong.
fn packets_displaced_by_at_most(mut packets: Vec<Sent>, limit_us: i64) -> Vec<Sent> {
    let start_us = 7_000;
    for (index, packet) in packets.iter_mut().enumerate() {
        let nominal_us = start_us + index as i64 * 20_000;
        packet.arrival_us = packet.arrival_us.min(nominal_us + limit_us);
    }
    in_order_of_arrival(packets)
}
