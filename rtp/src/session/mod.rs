//! One leg's RTP session (RFC 3550): source check, jitter buffer, decoder, digits, packetiser, RTCP and statistics behind one
//! owner.
//!
//! The owner hands in datagrams with the kernel's time of their arrival (`handle_*`), calls [`Session::send`] or
//! [`Session::send_payload`] exactly once in each 20 ms tick (or [`Session::skip_ticks`] for those it missed), takes audio by
//! [`Session::next_in_order`] until it returns `None` or by [`Session::next_paced`] once a tick, whichever the release is, and
//! drains [`Session::poll_event`] and [`Session::poll_rtcp`]. The session has no socket and no clock.

mod config;
mod control;
mod events;
mod receive;
mod send;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use thiserror::Error;

use crate::dtmf::{Digit, DtmfTiming, QueueFull};
use crate::frame::Frame;
use crate::jitter::Release;
use crate::latch::{Latch, Verdict};
use crate::packet::{Packet, Ssrc};
use crate::quality::{Quality, Refused};
use crate::seed::Seeded;
use crate::unwrap::Restart;

use control::Control;
use events::EventQueue;
use receive::Inbound;
use send::{Audio, Outbound};

pub use config::{Direction, Event, MediaConfig, Outgoing, SessionConfig, TelephoneEvent};
pub use events::EVENT_LIMIT;
pub use receive::AUDIO_PAYLOAD_LIMIT;

/// One leg's media.
#[derive(Clone, Debug)]
pub struct Session {
    media: MediaConfig,
    latch: Latch,
    inbound: Inbound,
    outbound: Outbound,
    control: Control,
    events: EventQueue,
    foreign: ArrayVec<SocketAddr, FOREIGN_SOURCE_LIMIT>,
    refused: Refused,
    negotiated_at: Instant,
    /// What our next source is called, if the peer turns out to have the same; taken at most once.
    spare_ssrc: Option<Ssrc>,
}

/// Why digits cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DtmfError {
    /// Telephone events were not negotiated.
    #[error("the peer takes no telephone events")]
    NotNegotiated,
    /// Too many are waiting already.
    #[error(transparent)]
    Full(#[from] QueueFull),
}

/// Frames that went through a codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transcoding {
    /// Frames decoded from the peer's packets.
    pub decoded_frames: u64,
    /// Frames encoded for the peer.
    pub encoded_frames: u64,
}

impl Session {
    /// A session that begins now. Source, first sequence number, first timestamp and the times of reports come from the seed,
    /// which has to be unpredictable to others.
    pub fn new(config: SessionConfig, seed: u64, now: Instant) -> Self {
        let mut seeded = Seeded::new(seed);
        let outbound = Outbound::new(&mut seeded, config.media.codec.clock_rate(), DtmfTiming::default());
        let spare_ssrc = Some(Ssrc(seeded.next_u32()));
        let control = Control::new(&config.cname, seeded.next_u64(), now);
        let inbound = Inbound::new(&config);
        let latch = Latch::new(config.latch, config.media.remote_rtp);
        Self {
            media: config.media,
            latch,
            inbound,
            outbound,
            control,
            events: EventQueue::default(),
            foreign: ArrayVec::new(),
            refused: Refused::default(),
            negotiated_at: now,
            spare_ssrc,
        }
    }

    /// Takes a datagram that came to the RTP port. `arrival` is when the kernel received it. RTCP on this port (RFC 5761) is
    /// recognised. True if it was RTP of the peer's: everything else is counted, and costs next to nothing.
    pub fn handle_rtp(&mut self, arrival: Instant, source: SocketAddr, datagram: &[u8]) -> bool {
        if is_rtcp(datagram) {
            self.handle_rtcp(arrival, source, datagram);
            return false;
        }
        let Ok(packet) = Packet::parse(datagram) else {
            self.refused.malformed += 1;
            return false;
        };
        match self.latch.handle_packet(arrival, source, packet.ssrc, packet.sequence) {
            Verdict::Accepted => {}
            Verdict::Latched => {
                // Reports went to whoever was taken for the peer.
                self.control.forget_source();
                self.events.push(Event::Latched { source, ssrc: packet.ssrc });
            }
            Verdict::OnTrial => {
                self.refused.on_trial += 1;
                return false;
            }
            Verdict::Foreign => {
                self.refuse_foreign(source);
                return false;
            }
        }
        self.resolve_collision(&packet);
        let restart = self.inbound.handle_packet(arrival, &packet, &self.media, &mut self.events);
        if restart == Some(Restart::Ssrc) {
            self.control.handle_source_change();
        }
        true
    }

    /// Takes a datagram that came to the RTCP port.
    pub fn handle_rtcp(&mut self, arrival: Instant, source: SocketAddr, datagram: &[u8]) {
        if !self.latch.trusts_host(source) {
            self.refused.foreign_rtcp += 1;
            return;
        }
        let sent = self.outbound.sent();
        let heard = self.control.handle_datagram(arrival, &sent, self.inbound.ssrc(), datagram);
        if heard.error.is_some() {
            self.refused.malformed += 1;
        }
        if heard.packets > 0 && self.latch.peer().is_some() {
            self.control.fix_source(source);
        }
        if self.control.is_first_bye(&heard) {
            self.events.push(Event::RemoteBye);
        }
    }

    /// Goes over to what a new offer and answer agreed on. Source, numbers and statistics go on; the latch opens again only if
    /// the peer's RTP address changed.
    pub fn renegotiate(&mut self, now: Instant, media: MediaConfig) {
        self.inbound.handle_timeout(now, &mut self.events);
        if media.remote_rtp != self.media.remote_rtp || media.remote_rtcp != self.media.remote_rtcp {
            self.control.forget_source();
        }
        self.latch.renegotiate(media.remote_rtp);
        self.inbound.renegotiate(&self.media, &media);
        if media.telephone_event.is_none() {
            self.outbound.clear_dtmf();
        }
        self.media = media;
        self.negotiated_at = now;
    }

    /// Serves someone else from now on.
    pub fn set_release(&mut self, release: Release) {
        self.inbound.set_release(release);
    }

    /// What happened, in order. To be called until it returns `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// With [`Release::InOrder`]: the next frame that is ready. To be called until it returns `None`.
    pub fn next_in_order(&mut self, now: Instant) -> Option<Frame> {
        self.inbound.handle_timeout(now, &mut self.events);
        self.inbound.next_in_order(now)
    }

    /// With [`Release::Paced`]: the frame to be heard in this tick, to be called exactly once in each. `None` while nothing is to
    /// be heard; a lost frame comes out concealed.
    pub fn next_paced(&mut self, now: Instant) -> Option<Frame> {
        self.inbound.handle_timeout(now, &mut self.events);
        self.inbound.next_paced(now)
    }

    /// The packet of this tick from 160 samples, encoded here: exactly one call in each tick, or one of [`Self::send_payload`]. Fewer
    /// samples are filled up with silence, more are cut off. While a digit is going out the packet is its telephone event.
    /// `None` if direction or address permit nothing; the timeline goes on all the same.
    pub fn send(&mut self, now: Instant, samples: &[i16]) -> Option<Outgoing<'_>> {
        self.send_audio(now, &Audio::Samples(samples))
    }

    /// Like [`Self::send`], from 160 octets in the session's codec, which go out as they are.
    pub fn send_payload(&mut self, now: Instant, payload: &[u8]) -> Option<Outgoing<'_>> {
        self.send_audio(now, &Audio::Payload(payload))
    }

    /// So many ticks were missed: their time passes, no packet of theirs is made up for, and the next one carries the marker.
    pub fn skip_ticks(&mut self, missed: u32) {
        self.outbound.skip(missed);
    }

    /// Sends digits, one after the other, in place of audio.
    ///
    /// # Errors
    /// The peer takes none, or too many wait already; then none of these is sent.
    pub fn queue_dtmf(&mut self, digits: &[Digit]) -> Result<(), DtmfError> {
        if self.media.telephone_event.is_none() {
            return Err(DtmfError::NotNegotiated);
        }
        Ok(self.outbound.queue_dtmf(digits)?)
    }

    /// True while digits wait or one is going out.
    pub fn is_sending_dtmf(&self) -> bool {
        self.outbound.is_sending_dtmf()
    }

    /// The RTCP report that is due, if one is. To be called at least every 100 ms or so.
    pub fn poll_rtcp(&mut self, now: Instant) -> Option<Outgoing<'_>> {
        if !self.control.is_due(now) {
            return None;
        }
        let sent = self.outbound.sent();
        let destination = self.control.destination(&self.media, self.latch.peer());
        let length = self.control.report(now, sent, &mut self.inbound.reception, self.outbound.scratch());
        let datagram = self.outbound.scratch().get(..length)?;
        destination.map(|destination| Outgoing { destination, datagram })
    }

    /// A last RTCP report with BYE, when the session ends. `None` if there is nowhere to send it.
    pub fn goodbye(&mut self, now: Instant) -> Option<Outgoing<'_>> {
        let sent = self.outbound.sent();
        let destination = self.control.destination(&self.media, self.latch.peer())?;
        let length = self.control.goodbye(now, sent, &mut self.inbound.reception, self.outbound.scratch());
        let datagram = self.outbound.scratch().get(..length)?;
        Some(Outgoing { destination, datagram })
    }

    /// When the peer's last RTP packet came, of whatever kind.
    pub fn last_received(&self) -> Option<Instant> {
        self.inbound.last_received()
    }

    /// When the last RTCP of a host that is believed to be the peer's came.
    pub fn last_rtcp(&self) -> Option<Instant> {
        self.control.last_heard()
    }

    /// Where the peer's packets come from, once that is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.latch.peer()
    }

    /// Our synchronisation source.
    pub fn ssrc(&self) -> Ssrc {
        self.outbound.ssrc
    }

    /// The synchronisation source that is received.
    pub fn remote_ssrc(&self) -> Option<Ssrc> {
        self.inbound.ssrc()
    }

    /// What was negotiated last.
    pub fn media(&self) -> &MediaConfig {
        &self.media
    }

    /// The direction that was negotiated last, from our side.
    pub fn direction(&self) -> Direction {
        self.media.direction
    }

    /// When it was negotiated last.
    pub fn negotiated_at(&self) -> Instant {
        self.negotiated_at
    }

    /// The delay of the jitter buffer at this moment.
    pub fn jitter_depth(&self) -> Duration {
        self.inbound.jitter().depth()
    }

    /// Frames that went through a codec.
    pub fn transcoding(&self) -> Transcoding {
        Transcoding {
            decoded_frames: self.inbound.counters.voice_frames,
            encoded_frames: self.outbound.counters.encoded_frames,
        }
    }

    /// How well both sides are heard.
    pub fn quality(&self) -> Quality {
        let inbound = &self.inbound.counters;
        Quality {
            received: self.inbound.quality(),
            sent: self.control.sent_quality(&self.outbound.counters, self.media.codec.clock_rate()),
            round_trip: self.control.round_trip(),
            refused: Refused {
                unknown_payload_type: inbound.unknown_payload_type,
                payload_size: inbound.payload_size,
                telephone_event: inbound.telephone_event,
                direction: inbound.direction,
                stray: inbound.stray,
                dropped_events: self.events.dropped(),
                ..self.refused
            },
        }
    }

    fn send_audio(&mut self, now: Instant, audio: &Audio<'_>) -> Option<Outgoing<'_>> {
        self.inbound.handle_timeout(now, &mut self.events);
        let announced = self.media.remote_rtp.filter(|_| self.media.direction.sends());
        let Some(announced) = announced else {
            self.outbound.pass();
            return None;
        };
        let destination = self.latch.peer().unwrap_or(announced);
        let datagram = self.outbound.packet(&self.media, audio)?;
        Some(Outgoing { destination, datagram })
    }

    fn refuse_foreign(&mut self, source: SocketAddr) {
        self.refused.foreign += 1;
        if !self.foreign.contains(&source) && self.foreign.try_push(source).is_ok() {
            self.events.push(Event::ForeignSource { source });
        }
    }

    /// RFC 3550 section 8.2: two members with one source; the one that finds it out takes another. A peer that sends our own packets
    /// back does so whatever our source is, so that is only counted.
    fn resolve_collision(&mut self, packet: &Packet<'_>) {
        if packet.ssrc != self.outbound.ssrc {
            return;
        }
        if self.outbound.has_sent(packet.sequence) {
            self.refused.reflected += 1;
        } else if let Some(ssrc) = self.spare_ssrc.take() {
            self.outbound.change_source(ssrc);
        }
    }
}

/// Packet types 192-223 are RTCP (RFC 5761 section 4).
fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [_, 192..=223, ..])
}

/// Third parties that are named in an event; the packets of more of them are counted.
pub const FOREIGN_SOURCE_LIMIT: usize = 4;
