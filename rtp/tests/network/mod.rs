//! What the behaviour tests share: virtual time, a peer that speaks plain RTP, and a seeded network with loss and delay.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate of its own and uses a part of this")]

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use caly_rtp::codec::Codec;
use caly_rtp::jitter::{JitterConfig, Release};
use caly_rtp::latch::LatchPolicy;
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};
use caly_rtp::session::{Direction, Event, MediaConfig, Session, SessionConfig, TelephoneEvent};

pub const TICK: Duration = Duration::from_millis(20);

/// A moment of virtual time.
pub fn at(ms: u64) -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now) + Duration::from_millis(ms)
}

/// The beginning of the n-th tick.
pub fn tick(number: u64) -> Instant {
    at(number * 20)
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Where the peer of [`config`] says that it is.
pub fn peer() -> SocketAddr {
    address("198.51.100.7:4000")
}

pub fn media() -> MediaConfig {
    let types = TelephoneEvent { send_payload_type: 101, receive_payload_type: 101 };
    MediaConfig {
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
        telephone_event: Some(types),
        direction: Direction::SendRecv,
        remote_rtp: Some(peer()),
        remote_rtcp: Some(address("198.51.100.7:4001")),
    }
}

pub fn config() -> SessionConfig {
    SessionConfig {
        media: media(),
        latch: LatchPolicy::default(),
        jitter: JitterConfig { target: Duration::from_millis(60), clock_rate: 8_000 },
        release: Release::InOrder,
        cname: "leg@caly".to_owned(),
    }
}

pub fn session() -> Session {
    Session::new(config(), 1, at(0))
}

pub fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// The digits among the events, as they were pressed.
pub fn digits(session: &mut Session) -> String {
    let ended = events(session).into_iter().filter_map(|event| match event {
        Event::Dtmf { digit, .. } => Some(digit.as_char()),
        _ => None,
    });
    ended.collect()
}

/// The numbers of a packet that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub destination: SocketAddr,
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

/// One tick of sending.
pub fn send(session: &mut Session, now: Instant, samples: &[i16]) -> Option<Sent> {
    let outgoing = session.send(now, samples)?;
    Some(read(outgoing.destination, outgoing.datagram))
}

pub fn read(destination: SocketAddr, datagram: &[u8]) -> Sent {
    let packet = Packet::parse(datagram).unwrap();
    Sent {
        destination,
        marker: packet.marker,
        payload_type: packet.payload_type.0,
        sequence: packet.sequence.0,
        timestamp: packet.timestamp.0,
        ssrc: packet.ssrc.0,
        payload: packet.payload.to_vec(),
    }
}

/// A peer that writes RTP without a session of its own.
#[derive(Clone, Debug)]
pub struct Talker {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub payload_type: u8,
}

impl Talker {
    pub fn new(ssrc: u32) -> Self {
        Self { ssrc, sequence: 65_530, timestamp: 0xFFFF_FF00, payload_type: 0 }
    }

    /// The next packet of audio, one sample for each octet.
    pub fn audio(&mut self, payload: &[u8]) -> Vec<u8> {
        let datagram = self.write(self.payload_type, self.timestamp, payload);
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(payload.len()).unwrap());
        datagram
    }

    /// The next packet of another type, whose timestamp stands still.
    pub fn other(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.write(payload_type, timestamp, payload)
    }

    fn write(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(payload_type),
            sequence: SeqNo(self.sequence),
            timestamp: RtpTime(timestamp),
            ssrc: Ssrc(self.ssrc),
            payload,
        };
        let mut datagram = vec![0; 12 + payload.len()];
        packet.write_to(&mut datagram).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        datagram
    }
}

/// Random numbers for tests: xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// One direction of a network.
#[derive(Clone, Debug)]
pub struct Link {
    pub delay: Duration,
    pub jitter_ms: u64,
    pub loss_percent: u64,
    pub duplicate_percent: u64,
    random: Random,
    under_way: Vec<(Instant, Vec<u8>)>,
    pub lost: u64,
}

impl Link {
    pub fn new(seed: u64, delay: Duration) -> Self {
        Self {
            delay,
            jitter_ms: 0,
            loss_percent: 0,
            duplicate_percent: 0,
            random: Random::new(seed),
            under_way: Vec::new(),
            lost: 0,
        }
    }

    pub fn send(&mut self, now: Instant, datagram: &[u8]) {
        if self.random.chance(self.loss_percent) {
            self.lost += 1;
            return;
        }
        let copies = if self.random.chance(self.duplicate_percent) { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = self.random.below(self.jitter_ms + 1);
            self.under_way.push((now + self.delay + Duration::from_millis(jitter), datagram.to_vec()));
        }
    }

    /// What has arrived by now, in order of arrival.
    pub fn arrived(&mut self, now: Instant) -> Vec<(Instant, Vec<u8>)> {
        self.under_way.sort_by_key(|(arrival, _)| *arrival);
        let due = self.under_way.partition_point(|(arrival, _)| *arrival <= now);
        self.under_way.drain(..due).collect()
    }
}
