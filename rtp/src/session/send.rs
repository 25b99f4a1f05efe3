//! The outbound half of a session: one RTP packet a tick, audio or a telephone event, on one timeline
//! (RFC 3550 section 5.1, RFC 4733 section 2.6).

use crate::codec::Codec;
use crate::dtmf::{Digit, DtmfSender, DtmfTiming, QueueFull};
use crate::frame::{FRAME_SAMPLES, MAX_FRAME_PAYLOAD_BYTES};
use crate::packet::{HEADER_BYTES, Packet, PayloadType, RtpTime, SeqNo, Ssrc};
use crate::rtcp::{CompoundWriter, Sent};
use crate::seed::Seeded;

use super::config::MediaConfig;

/// Numbers and packetises what is sent.
#[derive(Clone, Debug)]
pub(super) struct Outbound {
    pub(super) ssrc: Ssrc,
    /// Of the next packet.
    sequence: SeqNo,
    /// Of the next tick.
    timestamp: RtpTime,
    is_interrupted: bool,
    dtmf: DtmfSender,
    pub(super) counters: SendCounters,
    scratch: [u8; DATAGRAM_LIMIT],
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SendCounters {
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) encoded_frames: u64,
    pub(super) skipped_ticks: u64,
}

/// What a tick's audio is made of.
pub(super) enum Audio<'a> {
    Samples(&'a [i16]),
    Payload(&'a [u8]),
}

impl Outbound {
    /// Source, first sequence number and first timestamp are random (RFC 3550 section 5.1).
    pub(super) fn new(seeded: &mut Seeded, clock_rate: u32, timing: DtmfTiming) -> Self {
        Self {
            ssrc: Ssrc(seeded.next_u32()),
            sequence: SeqNo((seeded.next_u32() >> 16) as u16),
            timestamp: RtpTime(seeded.next_u32()),
            is_interrupted: true,
            dtmf: DtmfSender::new(clock_rate, FRAME_UNITS, timing),
            counters: SendCounters::default(),
            scratch: [0; DATAGRAM_LIMIT],
        }
    }

    /// The packet of this tick.
    pub(super) fn packet(&mut self, media: &MediaConfig, audio: &Audio<'_>) -> Option<&[u8]> {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.advanced_by(FRAME_UNITS);
        let event = media.telephone_event.and_then(|types| {
            let packet = self.dtmf.tick(timestamp)?;
            Some((types.send_payload_type, packet))
        });
        if let Some((payload_type, event)) = event {
            return self.write(
                Headers { payload_type, marker: event.is_first, timestamp: event.timestamp },
                &event.payload,
            );
        }
        let mut payload = [media.codec.silence_byte(); MAX_FRAME_PAYLOAD_BYTES];
        self.fill(media.codec, audio, &mut payload);
        let headers =
            Headers { payload_type: media.send_payload_type, marker: self.is_interrupted, timestamp };
        let length = self.write(headers, &payload)?.len();
        self.is_interrupted = false;
        self.scratch.get(..length)
    }

    /// A tick in which nothing may be sent: its time passes.
    pub(super) fn pass(&mut self) {
        self.timestamp = self.timestamp.advanced_by(FRAME_UNITS);
        self.is_interrupted = true;
        self.dtmf.suspend();
    }

    /// Ticks that nobody served: their time has passed.
    pub(super) fn skip(&mut self, missed: u32) {
        if missed > 0 {
            self.timestamp = self.timestamp.advanced_by(missed.wrapping_mul(FRAME_UNITS));
            self.is_interrupted = true;
            self.counters.skipped_ticks += u64::from(missed);
        }
    }

    pub(super) fn queue_dtmf(&mut self, digits: &[Digit]) -> Result<(), QueueFull> {
        self.dtmf.queue(digits)
    }

    pub(super) fn clear_dtmf(&mut self) {
        self.dtmf.clear();
    }

    pub(super) fn is_sending_dtmf(&self) -> bool {
        self.dtmf.is_sending()
    }

    /// Another source, because the peer has the same; the numbering goes on.
    pub(super) fn change_source(&mut self, ssrc: Ssrc) {
        self.ssrc = ssrc;
        self.is_interrupted = true;
    }

    /// True if a packet of this number was sent a short while ago.
    pub(super) fn has_sent(&self, sequence: SeqNo) -> bool {
        let age = self.sequence.distance_from(sequence);
        (1..=REFLECTION_WINDOW).contains(&age)
            && i64::from(age) <= i64::try_from(self.counters.packets).unwrap_or(i64::MAX)
    }

    /// What reports tell about us.
    pub(super) fn sent(&self) -> Sent {
        Sent {
            ssrc: self.ssrc,
            packets: self.counters.packets as u32,
            octets: self.counters.octets as u32,
            rtp_time: self.timestamp,
        }
    }

    pub(super) fn scratch(&mut self) -> &mut [u8; DATAGRAM_LIMIT] {
        &mut self.scratch
    }

    fn fill(&mut self, codec: Codec, audio: &Audio<'_>, payload: &mut [u8]) {
        match audio {
            Audio::Samples(samples) => {
                codec.encode(samples, payload);
                self.counters.encoded_frames += 1;
            }
            Audio::Payload(given) => {
                for (to, from) in payload.iter_mut().zip(*given) {
                    *to = *from;
                }
            }
        }
    }

    fn write(&mut self, headers: Headers, payload: &[u8]) -> Option<&[u8]> {
        let packet = Packet {
            marker: headers.marker,
            payload_type: PayloadType(headers.payload_type),
            sequence: self.sequence,
            timestamp: headers.timestamp,
            ssrc: self.ssrc,
            payload,
        };
        // Fails for payload types above 127 alone, which no SDP can name.
        let length = packet.write_to(&mut self.scratch).ok()?;
        self.sequence = self.sequence.advanced_by(1);
        self.counters.packets += 1;
        self.counters.octets += payload.len() as u64;
        self.scratch.get(..length)
    }
}

struct Headers {
    payload_type: u8,
    marker: bool,
    timestamp: RtpTime,
}

/// A G.711 frame in timestamp units.
const FRAME_UNITS: u32 = FRAME_SAMPLES as u32;

/// The largest datagram: a frame of 64 kbit/s, or a compound report.
pub(super) const DATAGRAM_LIMIT: usize = {
    let rtp = HEADER_BYTES + MAX_FRAME_PAYLOAD_BYTES;
    if rtp > CompoundWriter::MAX_LEN { rtp } else { CompoundWriter::MAX_LEN }
};

/// A packet of ours that comes back within 5 s is a reflection, not another source with our SSRC.
const REFLECTION_WINDOW: i16 = 250;
