//! The way from the caller's microphone to the server: packets of 20 ms, some of them lost, each delayed by its own time; and the
//! agent's voice that comes back on it.

use std::time::Duration;

use caly_rtp::codec::Codec;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};

use super::labels::{Echo, Label, Network};
use super::random::Random;

/// A packet on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival {
    /// When it arrives, from the beginning of the call.
    pub(super) at: Duration,
    /// Which 20 ms of the caller it carries.
    pub(super) block: usize,
}

/// The packets of a trial in the order of their arrival. A packet leaves when its last sample is taken; the caller's first sample is
/// taken `phase` after the call began.
pub(super) fn arrivals(blocks: usize, phase: Duration, label: &Label, random: &mut Random) -> Vec<Arrival> {
    let network = label.network.unwrap_or(Network { loss: 0.0, jitter_ms: 0 });
    let mut arrivals = Vec::with_capacity(blocks);
    for block in 0..blocks {
        let (is_lost, share) = (random.fraction() < network.loss, random.fraction());
        let delay = 2.0 * network.jitter_ms as f32 * share;
        if !is_lost {
            // The block's number is bounded by the length of a sound.
            let left = phase + FRAME * (block as u32 + 1);
            arrivals.push(Arrival { at: left + Duration::from_micros((1000.0 * delay) as u64), block });
        }
    }
    arrivals.sort();
    arrivals
}

/// The caller's packets as bytes.
#[derive(Debug)]
pub(super) struct Sender {
    datagram: [u8; HEADER_BYTES + FRAME_SAMPLES],
}

impl Sender {
    pub(super) fn new() -> Self {
        Self { datagram: [0; HEADER_BYTES + FRAME_SAMPLES] }
    }

    /// One packet.
    pub(super) fn packet(&mut self, block: usize, samples: &[i16; FRAME_SAMPLES]) -> &[u8] {
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcmu.encode(samples, &mut payload);
        // Both wrap, as they do on the wire.
        let (sequence, timestamp) = (SeqNo(block as u16), RtpTime(block as u32 * FRAME_SAMPLES as u32));
        let packet = Packet {
            marker: block == 0,
            payload_type: PayloadType(0),
            sequence,
            timestamp,
            ssrc: Ssrc(0x0ca1_1e4a),
            payload: &payload,
        };
        // The buffer has room for exactly this packet.
        let length = packet.write_to(&mut self.datagram).unwrap_or(0);
        &self.datagram[..length]
    }
}

/// The agent's voice on its way back: through the caller's room or a hybrid, softer, later, and a little smeared.
#[derive(Debug)]
pub(super) struct EchoPath {
    taps: Vec<f32>,
    delay_samples: i64,
}

impl EchoPath {
    pub(super) fn new(echo: Echo, random: &mut Random) -> Self {
        let mut taps: Vec<f32> = (0..TAPS).map(|n| (-(n as f32) / 6.0).exp() * random.normal()).collect();
        taps[0] = 2.0;
        let power: f32 = taps.iter().map(|tap| tap * tap).sum();
        let gain = 10f32.powf(-echo.below_db / 20.0) / power.sqrt();
        taps.iter_mut().for_each(|tap| *tap *= gain);
        Self { taps, delay_samples: i64::from(echo.delay_ms) * 8 }
    }

    /// What comes back at a sample of the wire's timeline.
    pub(super) fn at(&self, wire: &[i16], sample: i64) -> f32 {
        let begin = sample - self.delay_samples;
        let heard = |n: usize| usize::try_from(begin - n as i64).ok().and_then(|at| wire.get(at));
        self.taps.iter().enumerate().map(|(n, tap)| tap * heard(n).map_or(0.0, |&s| f32::from(s))).sum()
    }
}

const FRAME: Duration = Duration::from_millis(20);
/// RFC 3550 section 5.1, without contributing sources.
const HEADER_BYTES: usize = 12;
/// 4 ms of dispersion, as a hybrid has.
const TAPS: usize = 32;
