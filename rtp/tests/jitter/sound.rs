//! What is heard has no clicks: no step between samples is much larger than the steepest slope of the tone that was sent.

use std::f64::consts::TAU;

use caly_rtp::codec::Codec;
use caly_rtp::codec::decoder::FrameDecoder;
use caly_rtp::frame::FrameKind;
use caly_rtp::jitter::Release;

use crate::simulation::{
    Peer, Random, Receiver, SECOND_US, Sent, TONE_PEAK, with_jitter, with_loss, with_stall,
};

/// 1 kHz fits in a frame twenty times, so that frames join in any order; the others do not.
const TONES_HZ: [f64; 4] = [1_000.0, 1_004.0, 437.0, 330.0];

#[test]
fn the_measure_hears_frames_that_are_joined_without_care() {
    let peer = Peer { tone_hz: 437.0, drift_ppm: 300.0, ..Peer::default() };
    let mut receiver = Receiver::new(60, Release::Paced, peer.talks(5_000, 300_000));
    let mut samples = Vec::new();
    for now_us in (0..299 * SECOND_US).step_by(20_000) {
        let mut frame = [0; 160];
        receiver.paced_payload(now_us, |payload| Codec::Pcmu.decode(payload, &mut frame));
        samples.extend(frame);
    }
    assert!(steepest(&samples) > 1.5 * slope(437.0), "the plain join is not steep enough to prove anything");
}

#[test]
fn two_percent_loss_does_not_click() {
    for (seed, tone_hz) in TONES_HZ.into_iter().enumerate() {
        let peer = Peer { tone_hz, ..Peer::default() };
        let packets = with_loss(peer.talks(5_000, 120_000), 0.02, &mut Random(seed as u64));
        let heard = hear(packets, 120);
        assert!(heard.concealed > 80, "{} frames concealed", heard.concealed);
        assert_smooth(&heard, &peer);
    }
}

#[test]
fn bursts_of_loss_fade_out_and_in_without_a_click() {
    for tone_hz in TONES_HZ {
        let peer = Peer { tone_hz, ..Peer::default() };
        let mut random = Random(21);
        let mut packets = peer.talks(5_000, 120_000);
        let mut index = 50;
        while index < packets.len() - 20 {
            packets.drain(index..index + 1 + (random.next() % 9) as usize);
            index += 2 + (random.next() % 20) as usize;
        }
        assert_smooth(&hear(packets, 119), &peer);
    }
}

#[test]
fn slips_do_not_click() {
    for tone_hz in TONES_HZ {
        for drift_ppm in [300.0, -300.0] {
            let peer = Peer { drift_ppm, tone_hz, ..Peer::default() };
            let heard = hear(peer.talks(5_000, 300_000), 299);
            assert!(heard.slips >= 3);
            assert_smooth(&heard, &peer);
        }
    }
}

#[test]
fn jitter_and_stalls_do_not_click() {
    for tone_hz in TONES_HZ {
        let peer = Peer { tone_hz, ..Peer::default() };
        let jittered = with_jitter(peer.talks(5_000, 60_000), 30.0, &mut Random(4));
        assert_smooth(&hear(jittered, 59), &peer);
        let stalled = with_stall(peer.talks(5_000, 20_000), 5 * SECOND_US, 5_300_000);
        assert_smooth(&hear(stalled, 19), &peer);
    }
}

#[test]
fn a_pause_and_a_restart_of_the_peer_do_not_click() {
    for tone_hz in TONES_HZ {
        let peer = Peer { tone_hz, ..Peer::default() };
        let mut pausing = peer.talks(5_000, 20_000);
        for packet in pausing.iter_mut().skip(400) {
            packet.arrival_us += 700_000;
            packet.timestamp = packet.timestamp.wrapping_add(700 * 8);
        }
        assert_smooth(&hear(pausing, 20), &peer);
        let mut restarting = peer.talks(5_000, 3_000);
        restarting.extend(Peer { ssrc: 8, first_timestamp: 77, ..peer }.talks(3_012_000, 3_000));
        assert_smooth(&hear(restarting, 5), &peer);
    }
}

#[test]
fn packets_of_odd_lengths_lost_in_part_do_not_click() {
    for tone_hz in TONES_HZ {
        for ptime_ms in [10, 30] {
            let peer = Peer { ptime_ms, tone_hz, ..Peer::default() };
            let packets = with_loss(peer.talks(5_000, 60_000), 0.03, &mut Random(8));
            assert_smooth(&hear(packets, 59), &peer);
        }
    }
}

#[test]
fn what_is_received_passes_unchanged() {
    let packets = Peer::default().talks(5_000, 10_000);
    let mut sent = vec![0; 80_000];
    for (packet, samples) in packets.iter().zip(sent.chunks_mut(160)) {
        Codec::Pcmu.decode(&packet.payload, samples);
    }
    let heard = hear(packets, 10).samples;
    let begin = first_frame(&heard);
    assert_eq!(heard[begin..], sent[..heard.len() - begin]);
}

#[test]
fn concealment_goes_on_with_the_tone_for_10_ms_and_then_fades() {
    for tone_hz in TONES_HZ {
        let mut packets = Peer { tone_hz, ..Peer::default() }.talks(5_000, 2_000);
        packets.drain(50..55);
        let samples = hear(packets, 2).samples;
        let lost = &samples[first_frame(&samples) + 50 * 160..][..5 * 160];
        // Periods are matched to whole samples, so the phase of a high tone runs off by up to 20 degrees.
        for (index, sample) in lost[..80].iter().enumerate() {
            let ideal = f64::from(TONE_PEAK) * (TAU * (8_000 + index) as f64 * tone_hz / 8_000.0).sin();
            let error = (f64::from(*sample) - ideal).abs() / f64::from(TONE_PEAK);
            assert!(error < 0.4, "{error} off at {index} with {tone_hz} Hz");
        }
        let peak = |part: &[i16]| part.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        let peaks: Vec<u16> = lost.chunks(80).map(peak).collect();
        assert!(peaks[1..6].windows(2).all(|pair| pair[1] < pair[0]), "{peaks:?}");
        assert_eq!(peaks[6..], [0; 4]);
    }
}

struct Heard {
    samples: Vec<i16>,
    concealed: usize,
    slips: u64,
}

fn hear(packets: Vec<Sent>, seconds: i64) -> Heard {
    let mut receiver = Receiver::new(60, Release::Paced, packets);
    let frames = receiver.hear(&mut FrameDecoder::new(Codec::Pcmu), 0, seconds * SECOND_US);
    let counters = receiver.buffer.counters();
    Heard {
        concealed: frames.iter().filter(|frame| frame.kind == FrameKind::Concealed).count(),
        samples: frames.iter().flat_map(|frame| frame.samples.iter().copied()).collect(),
        slips: counters.slips_removed + counters.slips_inserted,
    }
}

/// The index of the first frame that is not silent.
fn first_frame(samples: &[i16]) -> usize {
    samples.iter().position(|sample| *sample != 0).unwrap() / 160 * 160
}

/// The steps between samples stay below 1.3 times the tone's steepest slope: its quantisation alone makes 1.15.
fn assert_smooth(heard: &Heard, peer: &Peer) {
    let ratio = steepest(&heard.samples) / slope(peer.tone_hz);
    assert!(ratio <= 1.3, "a step of {ratio:.2} slopes at {} Hz", peer.tone_hz);
}

fn steepest(samples: &[i16]) -> f64 {
    let steps = samples.windows(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0]));
    steps.map(f64::abs).fold(0.0, f64::max)
}

fn slope(tone_hz: f64) -> f64 {
    f64::from(TONE_PEAK) * TAU * tone_hz / 8_000.0
}
