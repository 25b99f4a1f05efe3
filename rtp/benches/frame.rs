//! What 20 ms of one direction of a call cost, stage by stage and as a whole.

// A bench that cannot be set up has failed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caly_rtp::codec::Codec;
use caly_rtp::codec::conceal::Concealer;
use caly_rtp::echo::EchoCanceller;
use caly_rtp::frame::{FRAME, FRAME_SAMPLES, MediaTime};
use caly_rtp::jitter::{JitterBuffer, JitterConfig, Release};
use caly_rtp::latch::LatchPolicy;
use caly_rtp::level::{CallerGain, Loudness, LowCut};
use caly_rtp::noise::NoiseSuppressor;
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};
use caly_rtp::playout::{PlayoutRing, UtteranceId};
use caly_rtp::session::{Direction, MediaConfig, Session, SessionConfig};
use caly_rtp::tone::is_tone;
use caly_rtp::unwrap::{ORIGIN, Unwrapper};
use criterion::{Criterion, criterion_group, criterion_main};

fn wire(criterion: &mut Criterion) {
    let mut peer = Peer::new();
    let datagram = peer.next_datagram().to_vec();
    let packet = Packet::parse(&datagram).unwrap();
    criterion.bench_function("parse", |bencher| bencher.iter(|| Packet::parse(black_box(&datagram))));
    criterion.bench_function("write", |bencher| {
        let mut out = [0; 200];
        bencher.iter(|| black_box(&packet).write_to(black_box(&mut out)));
    });
    criterion.bench_function("unwrap", |bencher| {
        let (mut unwrapper, mut now) = (Unwrapper::new(8_000), Instant::now());
        let mut packet = packet;
        bencher.iter(|| {
            now += FRAME;
            packet.sequence = packet.sequence.advanced_by(1);
            packet.timestamp = packet.timestamp.advanced_by(160);
            unwrapper.unwrap(now, &packet)
        });
    });
}

fn jitter(criterion: &mut Criterion) {
    let config = JitterConfig { target: Duration::from_millis(60), clock_rate: 8_000 };
    let payload = [0x5a; FRAME_SAMPLES];
    criterion.bench_function("insert and paced pull", |bencher| {
        let mut buffer = JitterBuffer::new(config, Release::Paced);
        let (mut now, mut index) = (Instant::now(), 0);
        bencher.iter(|| {
            now += FRAME;
            index += 1;
            // A little jitter, so that the arrivals have to be sorted.
            let arrival = now + Duration::from_micros(index * 7_919 % 5_000);
            buffer.insert(arrival, ORIGIN + index, ORIGIN + index * 160, &payload);
            black_box(buffer.next_paced(now));
        });
    });
    criterion.bench_function("insert and pull in order", |bencher| {
        let mut buffer = JitterBuffer::new(config, Release::InOrder);
        let (mut now, mut index) = (Instant::now(), 0);
        bencher.iter(|| {
            now += FRAME;
            index += 1;
            buffer.insert(now, ORIGIN + index, ORIGIN + index * 160, &payload);
            black_box(buffer.next_in_order(now));
        });
    });
}

fn codec(criterion: &mut Criterion) {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let samples = speech();
        let mut payload = [0; FRAME_SAMPLES];
        codec.encode(&samples, &mut payload);
        criterion.bench_function(&format!("decode {}", codec.encoding_name()), |bencher| {
            let mut out = [0; FRAME_SAMPLES];
            bencher.iter(|| codec.decode(black_box(&payload), black_box(&mut out)));
        });
        criterion.bench_function(&format!("encode {}", codec.encoding_name()), |bencher| {
            let mut out = [0; FRAME_SAMPLES];
            bencher.iter(|| codec.encode(black_box(&samples), black_box(&mut out)));
        });
    }
}

fn concealment(criterion: &mut Criterion) {
    criterion.bench_function("history of a heard frame", |bencher| {
        let (mut concealer, mut samples) = (Concealer::new(8_000), speech());
        bencher.iter(|| concealer.hear(black_box(&mut samples)));
    });
    criterion.bench_function("conceal a frame and join the next", |bencher| {
        let mut concealer = Concealer::new(8_000);
        let mut samples = speech();
        concealer.hear(&mut samples);
        let samples = samples;
        bencher.iter(|| {
            concealer.conceal(black_box(&mut [0; FRAME_SAMPLES]));
            concealer.hear(&mut black_box(samples));
        });
    });
}

fn playout(criterion: &mut Criterion) {
    let samples = speech();
    let mut frame = [0; FRAME_SAMPLES];
    criterion.bench_function("playout push and pull", |bencher| {
        let mut ring = PlayoutRing::new(8_000);
        bencher.iter(|| {
            ring.push(UtteranceId(1), black_box(&samples));
            ring.pull(black_box(&mut frame))
        });
    });
    criterion.bench_function("live push and pull", |bencher| {
        let mut ring = PlayoutRing::live(8_000);
        bencher.iter(|| {
            ring.push_live(black_box(&samples));
            ring.pull(black_box(&mut frame))
        });
    });
}

fn echo(criterion: &mut Criterion) {
    // Noise in bursts, sent and coming back 20 dB softer after 200 ms; or nothing but the caller's own.
    let mut state = 1_u32;
    let mut noise = |amplitude: i32, syllable: usize| -> Vec<i16> {
        (0..100 * FRAME_SAMPLES)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let loud = if (n * n / syllable).is_multiple_of(3) { 20 } else { 1 };
                (((state >> 16) as i32 - 32_768) * amplitude / loud / 32_768) as i16
            })
            .collect()
    };
    let (sent, other) = (noise(9_000, 2_000_000), noise(3_000, 3_137_000));
    for (name, has_echo) in [("echo: search", false), ("echo: cancel", true)] {
        criterion.bench_function(name, |bencher| {
            let mut canceller = EchoCanceller::new();
            let mut n = 0;
            let mut tick = || {
                let at = n % 100 * FRAME_SAMPLES;
                let back = (n + 90) % 100 * FRAME_SAMPLES;
                let mut frame: [i16; FRAME_SAMPLES] =
                    std::array::from_fn(|k| if has_echo { sent[back + k] / 10 } else { other[at + k] });
                let level = canceller.hear(MediaTime(n as u64 * 160), black_box(&mut frame));
                canceller.send(sent[at..at + FRAME_SAMPLES].try_into().unwrap());
                n += 1;
                (level, canceller.path().is_some())
            };
            let found = (0..500).any(|_| tick().1);
            assert_eq!(found, has_echo);
            bencher.iter(tick);
        });
    }
}

fn level(criterion: &mut Criterion) {
    let speech = speech();
    criterion.bench_function("caller gain", |bencher| {
        let mut gain = CallerGain::new();
        bencher.iter(|| gain.apply(black_box(&mut speech.clone()), true));
    });
    criterion.bench_function("loudness", |bencher| {
        let mut loudness = Loudness::new();
        bencher.iter(|| loudness.apply(black_box(&mut speech.map(|sample| sample / 5))));
    });
    criterion.bench_function("low cut", |bencher| {
        let mut low_cut = LowCut::default();
        bencher.iter(|| low_cut.apply(black_box(&mut speech.clone())));
    });
    criterion.bench_function("tone or voice", |bencher| bencher.iter(|| is_tone(black_box(&speech))));
    criterion.bench_function("noise suppression", |bencher| {
        let mut suppressor = NoiseSuppressor::new();
        bencher.iter(|| suppressor.apply(black_box(&mut speech.clone())));
    });
}

fn whole(criterion: &mut Criterion) {
    for (name, release) in [("echo, paced", Release::Paced), ("echo, in order", Release::InOrder)] {
        criterion.bench_function(&format!("whole frame: {name}"), |bencher| {
            let mut now = Instant::now();
            let mut session = Session::new(session_config(release), 1, now);
            let (mut peer, mut ring) = (Peer::new(), PlayoutRing::live(8_000));
            bencher.iter(|| {
                now += FRAME;
                session.handle_rtp(now, peer_address(), peer.next_datagram());
                let heard = match release {
                    Release::Paced => session.next_paced(now),
                    Release::InOrder => session.next_in_order(now),
                };
                heard.iter().for_each(|frame| ring.push_live(&frame.samples));
                let mut frame = [0; FRAME_SAMPLES];
                ring.pull(&mut frame);
                black_box(session.send(now, &frame));
                while session.poll_event().is_some() {}
            });
        });
    }
}

/// A peer that sends the same frame over and over.
struct Peer {
    sequence: SeqNo,
    timestamp: RtpTime,
    payload: [u8; FRAME_SAMPLES],
    datagram: [u8; FRAME_SAMPLES + 12],
}

impl Peer {
    fn new() -> Self {
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcmu.encode(&speech(), &mut payload);
        Self { sequence: SeqNo(0), timestamp: RtpTime(0), payload, datagram: [0; FRAME_SAMPLES + 12] }
    }

    fn next_datagram(&mut self) -> &[u8] {
        self.sequence = self.sequence.advanced_by(1);
        self.timestamp = self.timestamp.advanced_by(160);
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: Ssrc(1),
            payload: &self.payload,
        };
        packet.write_to(&mut self.datagram).unwrap();
        &self.datagram
    }
}

/// A frame with the spectrum of a voiced sound, at the level of speech.
fn speech() -> [i16; FRAME_SAMPLES] {
    std::array::from_fn(|index| {
        let phase = std::f64::consts::TAU * index as f64 * 125.0 / 8_000.0;
        (2_500.0 * (phase.sin() + 0.7 * (3.0 * phase).sin() + 0.4 * (9.0 * phase).cos())) as i16
    })
}

fn session_config(release: Release) -> SessionConfig {
    SessionConfig {
        media: MediaConfig {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            direction: Direction::SendRecv,
            remote_rtp: Some(peer_address()),
            remote_rtcp: None,
        },
        latch: LatchPolicy::default(),
        jitter: JitterConfig { target: Duration::from_millis(60), clock_rate: 8_000 },
        release,
        cname: "leg@caly".to_owned(),
    }
}

fn peer_address() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 4_000))
}

criterion_group!(benches, wire, jitter, codec, concealment, playout, echo, level, whole);
criterion_main!(benches);
