//! Whatever packet length the peer chose, 20 ms come out at each tick.

use std::time::Duration;

use caly_rtp::codec::Codec;
use caly_rtp::codec::decoder::FrameDecoder;
use caly_rtp::jitter::{Content, JitterBuffer, JitterConfig, Paced, Release};

use crate::simulation::{Outcome, Peer, Receiver, SECOND_US, Sent, at_us, count, excess_ms};

#[test]
fn every_packet_length_is_heard_whole_and_in_order() {
    for ptime_ms in [10, 20, 30, 40, 60, 100] {
        let packets = Peer { ptime_ms, ..Peer::default() }.talks(5_000, 30_000);
        let sent: Vec<u8> = packets.iter().flat_map(|packet| packet.payload.clone()).collect();
        let mut receiver = Receiver::new(60, Release::Paced, packets.clone());
        let mut decoder = FrameDecoder::new(Codec::Pcmu);
        let frames = receiver.hear(&mut decoder, 0, 31 * SECOND_US);
        let heard: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
        assert_eq!(heard[..sent.len()], sent, "{ptime_ms} ms paced");

        let mut receiver = Receiver::new(60, Release::InOrder, packets);
        let mut decoder = FrameDecoder::new(Codec::Pcmu);
        let mut heard = Vec::new();
        for now_us in (0..31 * SECOND_US).step_by(20_000) {
            receiver.receive(now_us);
            while let Some(frame) = decoder.next_in_order(&mut receiver.buffer, at_us(now_us)) {
                heard.extend(frame.payload);
            }
        }
        assert_eq!(heard[..], sent[..heard.len()], "{ptime_ms} ms in order");
        assert!(sent.len() - heard.len() < 160);
    }
}

#[test]
fn drift_is_met_at_every_packet_length() {
    for ptime_ms in [10, 30, 40, 60] {
        for drift_ppm in [100.0, -100.0] {
            let peer = Peer { ptime_ms, drift_ppm, ..Peer::default() };
            let mut receiver = Receiver::new(60, Release::Paced, peer.talks(5_000, 600_000));
            let ticks = receiver.ticks(0, 599 * SECOND_US);
            for tick in ticks.iter().skip_while(|tick| tick.outcome == Outcome::Empty) {
                let excess_ms = excess_ms(tick, &peer, 5_000, 60).unwrap();
                assert!((-1.0..=40.0).contains(&excess_ms), "{excess_ms} ms off at {ptime_ms} ms packets");
            }
            let counters = receiver.buffer.counters();
            assert!((2..=4).contains(&(counters.slips_removed + counters.slips_inserted)), "{counters:?}");
            assert_eq!((counters.lost, counters.late, counters.starved), (0, 0, 0));
        }
    }
}

#[test]
fn a_lost_packet_costs_the_frames_that_it_touches() {
    // Packet length, frames lost whole, frames lost in part.
    for (ptime_ms, whole, partial) in [(10, 0, 1), (20, 1, 0), (30, 1, 1), (40, 2, 0), (60, 3, 0)] {
        let mut packets = Peer { ptime_ms, ..Peer::default() }.talks(5_000, 6_000);
        packets.remove(51);
        let mut receiver = Receiver::new(60, Release::Paced, packets);
        let ticks = receiver.ticks(0, 5 * SECOND_US);
        assert_eq!(
            (count(&ticks, Outcome::Lost), count(&ticks, Outcome::Partial)),
            (whole, partial),
            "{ptime_ms} ms"
        );
        assert_eq!(receiver.buffer.counters().lost, whole + partial, "{ptime_ms} ms");
    }
}

#[test]
fn a_peer_may_change_its_packet_length() {
    let lengths = [20, 60, 10, 30];
    let mut packets: Vec<Sent> = Vec::new();
    for (part, ptime_ms) in lengths.into_iter().enumerate() {
        let start_units = part as u32 * 16_000;
        let sequence = packets.last().map_or(65_500, |last: &Sent| last.sequence.wrapping_add(1));
        let peer =
            Peer { ptime_ms, first_sequence: sequence, first_timestamp: start_units, ..Peer::default() };
        // 1980 ms hold a whole number of packets of each length; 20 ms of pause make it two seconds.
        packets.extend(peer.talks(5_000 + part as i64 * 2 * SECOND_US, 1_980));
    }
    let mut receiver = Receiver::new(60, Release::Paced, packets);
    let ticks = receiver.ticks(0, 8_200_000);
    assert_eq!(count(&ticks, Outcome::Whole), 4 * 99);
    let counters = receiver.buffer.counters();
    assert_eq!((counters.lost, counters.late, counters.slips_removed, counters.slips_inserted), (0, 0, 0, 0));
}

#[test]
fn other_clock_rates_have_frames_of_20_ms_as_well() {
    for clock_rate in [8_000, 16_000, 48_000] {
        let units = clock_rate / 50;
        let config = JitterConfig { target: Duration::from_millis(60), clock_rate };
        let mut buffer = JitterBuffer::new(config, Release::Paced);
        let payload = vec![0x42; units as usize];
        let mut whole = 0;
        for index in 0..500 {
            let arrival_us = index as i64 * 20_000;
            buffer.insert(at_us(arrival_us), index, index * u64::from(units), &payload);
            if let Paced::Frame(slot) = buffer.next_paced(at_us(arrival_us + 3_000)) {
                assert_eq!(slot.content, Content::Payload(&payload));
                whole += 1;
            }
        }
        assert_eq!((whole, buffer.counters().lost), (497, 0), "{clock_rate} Hz");
    }
}
