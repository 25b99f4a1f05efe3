//! The inbound half of a session: what an accepted packet is, where it belongs, and what comes out of it
//! (RFC 3550 appendix A.1, RFC 3551, RFC 4733 section 2.5.2, RFC 3389).

use std::time::Instant;

use crate::codec::decoder::FrameDecoder;
use crate::dtmf::{DtmfEvent, DtmfReceiver};
use crate::frame::{Frame, FrameKind};
use crate::jitter::{JitterBuffer, Release};
use crate::packet::{Packet, RtpTime, SeqNo, Ssrc};
use crate::rtcp::{Arrival, Reception};
use crate::unwrap::{Position, Restart, Unwrapped, Unwrapper};

use super::config::{Event, MediaConfig, SessionConfig};
use super::events::EventQueue;

/// Takes the peer's packets apart and releases its audio.
#[derive(Clone, Debug)]
pub(super) struct Inbound {
    unwrapper: Unwrapper,
    jitter: JitterBuffer,
    decoder: FrameDecoder,
    dtmf: DtmfReceiver,
    /// Whose event was heard last.
    dtmf_source: Option<Ssrc>,
    pub(super) reception: Reception,
    newest: Option<Newest>,
    last_received: Option<Instant>,
    /// Bit n: payload type n is not negotiated and has been reported.
    reported_types: u128,
    pub(super) counters: ReceiveCounters,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReceiveCounters {
    pub(super) octets: u64,
    pub(super) voice_frames: u64,
    pub(super) concealed_frames: u64,
    pub(super) comfort_noise: u64,
    pub(super) restarts: u64,
    pub(super) stray: u64,
    pub(super) unknown_payload_type: u64,
    pub(super) payload_size: u64,
    pub(super) telephone_event: u64,
    pub(super) direction: u64,
}

/// The source that is received, and the timestamp of its newest packet that has one of its own.
#[derive(Clone, Copy, Debug)]
struct Newest {
    ssrc: Ssrc,
    timestamp: RtpTime,
}

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Audio,
    TelephoneEvent,
    ComfortNoise,
    Unknown,
}

impl Inbound {
    pub(super) fn new(config: &SessionConfig) -> Self {
        let clock_rate = config.media.codec.clock_rate();
        Self {
            unwrapper: Unwrapper::new(clock_rate),
            jitter: JitterBuffer::new(config.jitter, config.release),
            decoder: FrameDecoder::new(config.media.codec),
            dtmf: DtmfReceiver::new(clock_rate),
            dtmf_source: None,
            reception: Reception::new(clock_rate),
            newest: None,
            last_received: None,
            reported_types: 0,
            counters: ReceiveCounters::default(),
        }
    }

    /// Takes a packet of the peer's. Says what restarted, if its numbering did.
    pub(super) fn handle_packet(
        &mut self,
        arrival: Instant,
        packet: &Packet<'_>,
        media: &MediaConfig,
        events: &mut EventQueue,
    ) -> Option<Restart> {
        self.last_received = Some(arrival);
        let format = format_of(packet.payload_type.0, media);
        if format == Format::Unknown {
            self.report_type(packet.payload_type.0, events);
        }
        if format == Format::TelephoneEvent && media.direction.receives() {
            self.handle_telephone_event(arrival, packet, events);
        }
        // Some gateways send events under a source of their own; only audio says whose numbering is followed.
        let is_followed = self.newest.is_none_or(|newest| newest.ssrc == packet.ssrc);
        if format != Format::Audio && !is_followed {
            return None;
        }
        let (position, restart) = self.place(arrival, packet, format, events)?;
        self.count(arrival, packet, format, position);
        match format {
            Format::Audio => self.buffer(arrival, packet, media, position),
            Format::TelephoneEvent | Format::ComfortNoise | Format::Unknown => {
                // An empty payload takes the place in the sequence, so that it is neither waited for nor concealed.
                self.jitter.insert(arrival, position.sequence, position.timestamp, &[]);
            }
        }
        restart
    }

    /// The digit that has fallen silent, if any. To be called at every tick.
    pub(super) fn handle_timeout(&mut self, now: Instant, events: &mut EventQueue) {
        if let Some(event) = self.dtmf.handle_timeout(now) {
            push_digit(event, events);
        }
    }

    pub(super) fn next_in_order(&mut self, now: Instant) -> Option<Frame> {
        let frame = self.decoder.next_in_order(&mut self.jitter, now)?;
        self.count_frame(&frame);
        Some(frame)
    }

    pub(super) fn next_paced(&mut self, now: Instant) -> Option<Frame> {
        let frame = self.decoder.next_paced(&mut self.jitter, now)?;
        self.count_frame(&frame);
        Some(frame)
    }

    pub(super) fn set_release(&mut self, release: Release) {
        self.jitter.set_release(release);
    }

    /// Goes over from one agreement to the next.
    pub(super) fn renegotiate(&mut self, before: &MediaConfig, after: &MediaConfig) {
        let is_stale =
            before.codec != after.codec || before.direction.receives() != after.direction.receives();
        if is_stale {
            self.jitter.reset();
            self.decoder.set_codec(after.codec);
        }
        if before.receive_payload_type != after.receive_payload_type {
            // The last packets of the old type are no surprise.
            self.reported_types |= type_bit(before.receive_payload_type);
        }
        self.reported_types &= !type_bit(after.receive_payload_type);
    }

    pub(super) fn jitter(&self) -> &JitterBuffer {
        &self.jitter
    }

    pub(super) fn digits(&self) -> u64 {
        self.dtmf.counters().digits
    }

    pub(super) fn ssrc(&self) -> Option<Ssrc> {
        self.newest.map(|newest| newest.ssrc)
    }

    pub(super) fn last_received(&self) -> Option<Instant> {
        self.last_received
    }

    fn place(
        &mut self,
        arrival: Instant,
        packet: &Packet<'_>,
        format: Format,
        events: &mut EventQueue,
    ) -> Option<(Position, Option<Restart>)> {
        // An event's timestamp is its beginning and says nothing about now; what is not audio stands where the audio is.
        let timestamp = match (format, self.newest) {
            (Format::TelephoneEvent | Format::Unknown, Some(newest)) => newest.timestamp,
            (Format::Audio | Format::ComfortNoise, _) | (_, None) => packet.timestamp,
        };
        match self.unwrapper.unwrap(arrival, &Packet { timestamp, ..*packet }) {
            Unwrapped::Continues(position) => {
                self.note_newest(packet.ssrc, timestamp);
                Some((position, None))
            }
            Unwrapped::Restarted(position, reason) => {
                self.restart(packet.ssrc, reason, events);
                self.newest = Some(Newest { ssrc: packet.ssrc, timestamp });
                Some((position, Some(reason)))
            }
            Unwrapped::OnTrial => {
                self.counters.stray += 1;
                None
            }
        }
    }

    fn note_newest(&mut self, ssrc: Ssrc, timestamp: RtpTime) {
        let newest = self.newest.get_or_insert(Newest { ssrc, timestamp });
        if timestamp.distance_from(newest.timestamp) > 0 {
            newest.timestamp = timestamp;
        }
    }

    fn restart(&mut self, ssrc: Ssrc, reason: Restart, events: &mut EventQueue) {
        self.counters.restarts += 1;
        self.jitter.reset();
        self.reception.restart();
        match (reason, self.newest) {
            (Restart::Ssrc, Some(newest)) => {
                events.extend(self.dtmf.handle_source_change().map(digit_event));
                events.push(Event::SsrcChanged { from: newest.ssrc, to: ssrc });
            }
            (Restart::Ssrc, None) | (Restart::Sequence | Restart::Timestamp, _) => {
                events.push(Event::BufferReset)
            }
        }
    }

    fn count(&mut self, arrival: Instant, packet: &Packet<'_>, format: Format, position: Position) {
        self.counters.octets += packet.payload.len() as u64;
        self.counters.comfort_noise += u64::from(format == Format::ComfortNoise);
        let has_own_time = format == Format::Audio || format == Format::ComfortNoise;
        let SeqNo(wire_sequence) = packet.sequence;
        self.reception.handle_packet(
            packet.ssrc,
            wire_sequence,
            Arrival {
                at: arrival,
                sequence: position.sequence,
                timestamp: has_own_time.then_some(packet.timestamp),
            },
        );
    }

    fn buffer(&mut self, arrival: Instant, packet: &Packet<'_>, media: &MediaConfig, position: Position) {
        if !media.direction.receives() {
            self.counters.direction += 1;
        } else if packet.payload.is_empty() || packet.payload.len() > AUDIO_PAYLOAD_LIMIT {
            self.counters.payload_size += 1;
        } else {
            self.jitter.insert(arrival, position.sequence, position.timestamp, packet.payload);
        }
    }

    fn handle_telephone_event(&mut self, arrival: Instant, packet: &Packet<'_>, events: &mut EventQueue) {
        // Timestamps of two sources have nothing to do with each other: equal ones are two keys. Who sends no audio restarts
        // nothing by a new source.
        if self.dtmf_source.replace(packet.ssrc).is_some_and(|before| before != packet.ssrc) {
            events.extend(self.dtmf.handle_source_change().map(digit_event));
        }
        match self.dtmf.handle_packet(arrival, packet.timestamp, packet.payload) {
            Ok(heard) => events.extend(heard.into_iter().map(digit_event)),
            Err(_) => self.counters.telephone_event += 1,
        }
    }

    fn report_type(&mut self, payload_type: u8, events: &mut EventQueue) {
        self.counters.unknown_payload_type += 1;
        let bit = type_bit(payload_type);
        if self.reported_types & bit == 0 && self.reported_types.count_ones() < REPORTED_TYPE_LIMIT {
            self.reported_types |= bit;
            events.push(Event::UnknownPayloadType(payload_type));
        }
    }

    fn count_frame(&mut self, frame: &Frame) {
        match frame.kind {
            FrameKind::Voice => self.counters.voice_frames += 1,
            FrameKind::Concealed => self.counters.concealed_frames += 1,
            FrameKind::ComfortNoise => {}
        }
    }
}

fn push_digit(event: DtmfEvent, events: &mut EventQueue) {
    events.push(digit_event(event));
}

fn digit_event(event: DtmfEvent) -> Event {
    match event {
        DtmfEvent::Started { digit } => Event::DtmfStarted { digit },
        DtmfEvent::Ended { digit, duration, .. } => Event::Dtmf { digit, duration },
    }
}

fn format_of(payload_type: u8, media: &MediaConfig) -> Format {
    let is_event = media.telephone_event.is_some_and(|types| types.receive_payload_type == payload_type);
    if payload_type == media.receive_payload_type {
        Format::Audio
    } else if is_event {
        Format::TelephoneEvent
    } else if payload_type == COMFORT_NOISE {
        Format::ComfortNoise
    } else {
        Format::Unknown
    }
}

fn type_bit(payload_type: u8) -> u128 {
    1_u128.checked_shl(u32::from(payload_type)).unwrap_or(0)
}

/// The longest audio payload that is taken: 200 ms of G.711, up to which a receiver should accept packets (RFC 3551 section 4.2).
pub const AUDIO_PAYLOAD_LIMIT: usize = 1_600;

/// Payload types that are told of, those that were given up in a negotiation included; the packets of all are counted.
const REPORTED_TYPE_LIMIT: u32 = 8;

/// The static payload type of comfort noise (RFC 3389 section 4).
const COMFORT_NOISE: u8 = 13;
