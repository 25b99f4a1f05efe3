//! The peer, the network between, and a receiver that is driven as a shard drives it.

use std::f64::consts::TAU;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use caly_rtp::codec::Codec;
use caly_rtp::codec::decoder::FrameDecoder;
use caly_rtp::frame::Frame;
use caly_rtp::jitter::{Content, JitterBuffer, JitterConfig, Paced, Release, Slot};
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};
use caly_rtp::unwrap::{ORIGIN, Unwrapped, Unwrapper};

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) arrival_us: i64,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

/// A peer that sends a tone as PCMU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) ptime_ms: u32,
    /// How much faster than ours its clock runs.
    pub(crate) drift_ppm: f64,
    pub(crate) tone_hz: f64,
    pub(crate) ssrc: u32,
    pub(crate) first_sequence: u16,
    pub(crate) first_timestamp: u32,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            ptime_ms: 20,
            drift_ppm: 0.0,
            tone_hz: 1_000.0,
            ssrc: 7,
            first_sequence: 65_500,
            first_timestamp: u32::MAX - 4_000,
        }
    }
}

impl Peer {
    /// What it sends from `start_us` on for so many milliseconds, each packet arriving when it is complete.
    pub(crate) fn talks(&self, start_us: i64, length_ms: u32) -> Vec<Sent> {
        let units = self.ptime_ms * 8;
        let interval_us = f64::from(self.ptime_ms) * 1_000.0 / (1.0 + self.drift_ppm * 1e-6);
        (0..length_ms / self.ptime_ms)
            .map(|index| Sent {
                arrival_us: start_us + (f64::from(index) * interval_us).round() as i64,
                ssrc: self.ssrc,
                sequence: self.first_sequence.wrapping_add(index as u16),
                timestamp: self.first_timestamp.wrapping_add(index * units),
                payload: tone(self.tone_hz, index * units, units),
            })
            .collect()
    }
}

/// A tone in mu-law.
fn tone(tone_hz: f64, first: u32, units: u32) -> Vec<u8> {
    let samples: Vec<i16> = (first..first + units)
        .map(|index| (f64::from(TONE_PEAK) * (TAU * f64::from(index) * tone_hz / 8_000.0).sin()) as i16)
        .collect();
    let mut payload = vec![0; samples.len()];
    Codec::Pcmu.encode(&samples, &mut payload);
    payload
}

/// Puts packets in the order of their arrival.
pub(crate) fn in_order_of_arrival(mut packets: Vec<Sent>) -> Vec<Sent> {
    packets.sort_by_key(|packet| packet.arrival_us);
    packets
}

/// Delays each packet by its share of Gaussian jitter around 100 ms.
pub(crate) fn with_jitter(packets: Vec<Sent>, sigma_ms: f64, random: &mut Random) -> Vec<Sent> {
    let delayed = packets.into_iter().map(|packet| {
        let jitter_us = 1_000.0 * (100.0 + sigma_ms * random.gaussian());
        Sent { arrival_us: packet.arrival_us + jitter_us.max(0.0) as i64, ..packet }
    });
    in_order_of_arrival(delayed.collect())
}

/// Loses each packet with the given probability.
pub(crate) fn with_loss(packets: Vec<Sent>, probability: f64, random: &mut Random) -> Vec<Sent> {
    packets.into_iter().filter(|_| random.fraction() >= probability).collect()
}

/// Holds back all that would arrive in a stall of the network until its end.
pub(crate) fn with_stall(mut packets: Vec<Sent>, from_us: i64, until_us: i64) -> Vec<Sent> {
    for packet in &mut packets {
        if (from_us..until_us).contains(&packet.arrival_us) {
            packet.arrival_us = until_us;
        }
    }
    in_order_of_arrival(packets)
}

/// What one tick gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) at_us: i64,
    pub(crate) outcome: Outcome,
    /// The unwrapped timestamp, from the stream's first packet on.
    pub(crate) units: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Whole,
    Partial,
    Lost,
    AfterCut,
    Inserted,
    Empty,
}

/// Unwrapper and jitter buffer, fed with what has arrived.
pub(crate) struct Receiver {
    pub(crate) buffer: JitterBuffer,
    unwrapper: Unwrapper,
    packets: std::vec::IntoIter<Sent>,
    pending: Option<Sent>,
}

impl Receiver {
    pub(crate) fn new(target_ms: u64, release: Release, packets: Vec<Sent>) -> Self {
        let config = JitterConfig { target: Duration::from_millis(target_ms), clock_rate: 8_000 };
        let mut packets = packets.into_iter();
        let pending = packets.next();
        Self {
            buffer: JitterBuffer::new(config, release),
            unwrapper: Unwrapper::new(8_000),
            packets,
            pending,
        }
    }

    /// Inserts all that has arrived by `now_us`.
    pub(crate) fn receive(&mut self, now_us: i64) {
        while let Some(sent) = self.pending.take_if(|sent| sent.arrival_us <= now_us) {
            self.insert(&sent);
            self.pending = self.packets.next();
        }
    }

    pub(crate) fn insert(&mut self, sent: &Sent) {
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence: SeqNo(sent.sequence),
            timestamp: RtpTime(sent.timestamp),
            ssrc: Ssrc(sent.ssrc),
            payload: &sent.payload,
        };
        let arrival = at_us(sent.arrival_us);
        let position = match self.unwrapper.unwrap(arrival, &packet) {
            Unwrapped::Continues(position) => position,
            Unwrapped::Restarted(position, _) => {
                self.buffer.reset();
                position
            }
            Unwrapped::OnTrial => return,
        };
        if sent.payload.is_empty() {
            self.buffer.note_other(arrival, position.sequence, position.timestamp);
        } else {
            self.buffer.insert(arrival, position.sequence, position.timestamp, &sent.payload);
        }
    }

    /// The next slot in order, and its timestamp from the stream's first packet on.
    pub(crate) fn in_order(&mut self, now_us: i64) -> Option<(Outcome, i64)> {
        let slot = self.buffer.next_in_order(at_us(now_us))?;
        Some((outcome_of(&slot), slot.timestamp as i64 - ORIGIN as i64))
    }

    /// One paced tick.
    pub(crate) fn tick(&mut self, now_us: i64) -> Tick {
        self.receive(now_us);
        let (outcome, timestamp) = match self.buffer.next_paced(at_us(now_us)) {
            Paced::Frame(slot) => (outcome_of(&slot), Some(slot.timestamp)),
            Paced::SlipRemoved(slot) => (Outcome::AfterCut, Some(slot.timestamp)),
            Paced::SlipInserted { timestamp } => (Outcome::Inserted, Some(timestamp)),
            Paced::Empty => (Outcome::Empty, None),
        };
        let units = timestamp.map(|timestamp| timestamp as i64 - ORIGIN as i64);
        Tick { at_us: now_us, outcome, units }
    }

    /// One paced tick of which only whole payloads are of interest.
    pub(crate) fn paced_payload(&mut self, now_us: i64, mut heard: impl FnMut(&[u8]) -> usize) {
        self.receive(now_us);
        if let Paced::Frame(slot) | Paced::SlipRemoved(slot) = self.buffer.next_paced(at_us(now_us))
            && let Content::Payload(payload) = slot.content
        {
            heard(payload);
        }
    }

    /// All paced ticks in a span of time.
    pub(crate) fn ticks(&mut self, from_us: i64, until_us: i64) -> Vec<Tick> {
        (from_us..until_us).step_by(20_000).map(|now_us| self.tick(now_us)).collect()
    }

    /// All decoded paced frames in a span of time, silence where there is none.
    pub(crate) fn hear(&mut self, decoder: &mut FrameDecoder, from_us: i64, until_us: i64) -> Vec<Frame> {
        let ticks = (from_us..until_us).step_by(20_000);
        ticks
            .map(|now_us| {
                self.receive(now_us);
                let frame = decoder.next_paced(&mut self.buffer, at_us(now_us));
                frame.unwrap_or_else(|| Frame {
                    samples: std::iter::repeat_n(0, 160).collect(),
                    ..Frame::default()
                })
            })
            .collect()
    }
}

pub(crate) fn outcome_of(slot: &Slot<'_>) -> Outcome {
    match slot.content {
        Content::Payload(_) => Outcome::Whole,
        Content::Partial { .. } => Outcome::Partial,
        Content::Lost => Outcome::Lost,
    }
}

/// How far the delay of what is heard lies above the target, in milliseconds. It is measured from outside: against when
/// the undisturbed packet with that timestamp arrived.
pub(crate) fn excess_ms(tick: &Tick, peer: &Peer, start_us: i64, target_ms: i64) -> Option<f64> {
    let media_us = tick.units? as f64 * 125.0 / (1.0 + peer.drift_ppm * 1e-6);
    Some((tick.at_us - start_us) as f64 / 1_000.0 - media_us / 1_000.0 - target_ms as f64)
}

pub(crate) fn count(ticks: &[Tick], outcome: Outcome) -> u64 {
    ticks.iter().filter(|tick| tick.outcome == outcome).count() as u64
}

/// A moment of virtual time.
pub(crate) fn at_us(us: i64) -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now) + Duration::from_micros(us.unsigned_abs())
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn gaussian(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.fraction()).ln()).sqrt();
        radius * (TAU * self.fraction()).cos()
    }
}

pub(crate) const TONE_PEAK: i16 = 8_000;
pub(crate) const SECOND_US: i64 = 1_000_000;
