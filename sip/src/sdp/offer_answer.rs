//! Offer and answer for one audio stream (RFC 3264), telephone-event included (RFC 4733 2.4.1).
//!
//! Answers follow the offerer's order and name exactly one codec, the first that both sides have: whatever an answer
//! lists, the peer may send without notice (RFC 3264 7). Streams that are not wanted are refused with port 0.

mod error;
mod local;
mod remote;

use std::net::{IpAddr, SocketAddr};

pub use error::NegotiationError;

use super::{Address, Attribute, Direction, Media, MediaKind, Origin, SessionDescription};
use local::{Offering, events_of, refused, stream};

/// What this side can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs, the best first: the order of our offers. An answer follows the offerer's order instead.
    pub codecs: Vec<CodecCapability>,
    /// Whether digits are sent and received as RFC 4733 events.
    pub telephone_event: bool,
    /// Length of sound per packet that is sent and preferred, in milliseconds.
    pub ptime_ms: u32,
}

/// A codec by the name that SDP uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecCapability {
    /// Encoding name as in `a=rtpmap`; compares without case.
    pub encoding: String,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Channels; 1 for telephone codecs, 2 for Opus (RFC 7587 7).
    pub channels: u8,
    /// Number of RFC 3551 table 4; without one a dynamic number is offered.
    pub static_payload_type: Option<u8>,
}

/// Where this side's media lives, as the peer must see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Advertised address.
    pub address: IpAddr,
    /// UDP port of RTP.
    pub rtp_port: u16,
    /// UDP port of RTCP; announced by `a=rtcp` unless it is the next one.
    pub rtcp_port: u16,
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The codec to send, and normally the one received.
    pub codec: CodecCapability,
    /// Payload type to send it with: the peer's number.
    pub send_payload_type: u8,
    /// Payload type under which the peer sends it: our number.
    pub receive_payload_type: u8,
    /// Other codecs to which the peer may switch without notice. Empty after an offer of the peer.
    pub alternatives: Vec<Format>,
    /// Digits as events, if both sides can.
    pub telephone_event: Option<TelephoneEvent>,
    /// Where to send RTP; `None` if held by `c=0.0.0.0`, or if the stream was removed with port 0.
    pub remote_rtp: Option<SocketAddr>,
    /// Where to send RTCP: `a=rtcp`, else the port after RTP's.
    pub remote_rtcp: Option<SocketAddr>,
    /// Our direction.
    pub direction: Direction,
    /// Whether the peer does not want to hear us: `sendonly`, `inactive`, `c=0.0.0.0` or port 0.
    pub is_held: bool,
    /// Length of sound per packet to send, in milliseconds: our own; the peer's wish is only a wish (RFC 3264 6.1).
    pub ptime_ms: u32,
    /// `a=ptime` of the peer, in milliseconds.
    pub remote_ptime_ms: Option<u32>,
    /// `a=maxptime` of the peer, in milliseconds.
    pub remote_maxptime_ms: Option<u32>,
}

/// A codec with its payload types both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The codec.
    pub codec: CodecCapability,
    /// The peer's number.
    pub send_payload_type: u8,
    /// Our number.
    pub receive_payload_type: u8,
}

/// Payload types of RFC 4733 events, at the clock rate of the codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The peer's number.
    pub send_payload_type: u8,
    /// Our number.
    pub receive_payload_type: u8,
}

/// Makes and answers the offers of one dialog.
#[derive(Clone, Debug)]
pub struct Negotiator {
    capabilities: Capabilities,
    local: LocalMedia,
    session_id: u64,
    session_version: u64,
    wanted: Direction,
    /// The last description that went out; the next one differs or keeps its version.
    sent: Option<SessionDescription>,
    agreed: Option<Agreed>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Stable,
    /// Our offer `sent` waits for its answer; if it fails, `fallback` is wanted again.
    Offered {
        fallback: Direction,
    },
}

#[derive(Clone, Debug)]
struct Agreed {
    /// Our `m=` sections.
    media: Vec<Media>,
    negotiated: Negotiated,
}

impl Negotiator {
    /// A dialog's negotiator. `session_id` is any seed; RFC 3264 5 leaves 62 bits of it.
    pub fn new(capabilities: Capabilities, local: LocalMedia, session_id: u64) -> Self {
        Self {
            capabilities,
            local,
            session_id: session_id & MAX_SESSION_ID,
            session_version: 1,
            wanted: Direction::SendRecv,
            sent: None,
            agreed: None,
            state: State::Stable,
        }
    }

    /// An offer: everything we can in the first one of a call, later what was agreed, so that a refresh repeats the
    /// description with its version. While an offer waits for its answer, the same again.
    pub fn offer(&mut self) -> SessionDescription {
        self.make_offer(Offering::Agreed)
    }

    /// The offer that a peer asks for by an INVITE without one: everything we can, because the answer may come from
    /// somebody else than before (RFC 3725, RFC 6337 5.2.5). Payload types in use keep their meaning.
    pub fn late_offer(&mut self) -> SessionDescription {
        self.make_offer(Offering::Everything)
    }

    /// An offer that puts the peer on hold: `sendonly`, or `inactive` if the peer holds us already (RFC 3264 8.4).
    ///
    /// # Errors
    /// [`NegotiationError::OfferPending`].
    pub fn hold(&mut self) -> Result<SessionDescription, NegotiationError> {
        self.turn(Direction::SendOnly)
    }

    /// An offer that takes the peer back from hold.
    ///
    /// # Errors
    /// [`NegotiationError::OfferPending`].
    pub fn resume(&mut self) -> Result<SessionDescription, NegotiationError> {
        self.turn(Direction::SendRecv)
    }

    /// Moves our media; told to the peer by the next description.
    pub fn set_local(&mut self, local: LocalMedia) {
        self.local = local;
    }

    /// Our offer was rejected (488, 491) or its answer will never come: what was agreed before stays.
    pub fn withdraw_offer(&mut self) {
        match self.state {
            State::Stable => {}
            State::Offered { fallback } => {
                self.wanted = fallback;
                self.state = State::Stable;
            }
        }
    }

    /// Answers an offer. After an error what was agreed before stays.
    ///
    /// # Errors
    /// When there is nothing in the offer that can be accepted; see [`NegotiationError::warning_code`].
    pub fn handle_offer(
        &mut self,
        offer: &SessionDescription,
    ) -> Result<(SessionDescription, Negotiated), NegotiationError> {
        if self.is_offer_pending() {
            return Err(NegotiationError::OfferPending);
        }
        if self.agreed.as_ref().is_some_and(|agreed| agreed.media.len() > offer.media.len()) {
            return Err(NegotiationError::BadOffer { reason: "fewer streams than before" });
        }
        let (accepted, negotiated) = self.choose(offer)?;
        let mut media: Vec<Media> = offer.media.iter().map(refused).collect();
        if let Some((index, ours)) = accepted
            && let Some(slot) = media.get_mut(index)
        {
            *slot = ours;
        }
        let answer = self.seal(offer.timing.clone(), media.clone());
        self.agreed = Some(Agreed { media, negotiated: negotiated.clone() });
        Ok((answer, negotiated))
    }

    /// Takes the answer to our offer. After an error the offer is withdrawn and what was agreed before stays.
    ///
    /// # Errors
    /// When there was no offer, or the answer does not fit it, or refuses the stream.
    pub fn handle_answer(&mut self, answer: &SessionDescription) -> Result<Negotiated, NegotiationError> {
        let (State::Offered { .. }, Some(offer)) = (self.state, &self.sent) else {
            return Err(NegotiationError::NoOffer);
        };
        match self.read_answer(offer, answer) {
            Ok(negotiated) => {
                self.agreed = Some(Agreed { media: offer.media.clone(), negotiated: negotiated.clone() });
                self.state = State::Stable;
                Ok(negotiated)
            }
            Err(error) => {
                self.withdraw_offer();
                Err(error)
            }
        }
    }

    /// What is agreed at the moment.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.agreed.as_ref().map(|agreed| &agreed.negotiated)
    }

    /// Whether an offer of ours waits for its answer; the peer's own offer then gets 491 (RFC 3261 14.2).
    pub fn is_offer_pending(&self) -> bool {
        matches!(self.state, State::Offered { .. })
    }

    fn turn(&mut self, wanted: Direction) -> Result<SessionDescription, NegotiationError> {
        if self.is_offer_pending() {
            return Err(NegotiationError::OfferPending);
        }
        let fallback = std::mem::replace(&mut self.wanted, wanted);
        let offer = self.make_offer(Offering::Agreed);
        self.state = State::Offered { fallback };
        Ok(offer)
    }

    fn make_offer(&mut self, offering: Offering) -> SessionDescription {
        if let (State::Offered { .. }, Some(sent)) = (self.state, &self.sent) {
            return sent.clone();
        }
        let mut media = self.agreed.as_ref().map_or_else(Vec::new, |agreed| agreed.media.clone());
        let active = media.iter().position(is_active_audio);
        let slot = active.or_else(|| media.iter().position(|stream| stream.kind == MediaKind::Audio));
        let before = slot.and_then(|index| media.get(index));
        let stream = offering.stream(&self.capabilities, self.local, before, self.offered_direction());
        match slot.and_then(|index| media.get_mut(index)) {
            Some(slot) => *slot = stream,
            None => media.push(stream),
        }
        self.state = State::Offered { fallback: self.wanted };
        let timing = self.sent.as_ref().map_or_else(|| "0 0".to_owned(), |sent| sent.timing.clone());
        self.seal(timing, media)
    }

    /// We offer what we want, not what the peer's hold leaves of it: else nobody could ever resume (RFC 6337 5.3).
    fn offered_direction(&self) -> Direction {
        let is_held = self.negotiated().is_some_and(|negotiated| negotiated.is_held);
        match self.wanted {
            Direction::SendOnly if is_held => Direction::Inactive,
            wanted => wanted,
        }
    }

    fn read_answer(
        &self,
        offer: &SessionDescription,
        answer: &SessionDescription,
    ) -> Result<Negotiated, NegotiationError> {
        if answer.media.len() != offer.media.len() {
            return Err(NegotiationError::BadAnswer { reason: "another number of streams than the offer" });
        }
        let mut pairs = offer.media.iter().zip(&answer.media);
        let (ours, theirs) = pairs
            .find(|(ours, _)| is_active_audio(ours))
            .ok_or(NegotiationError::BadAnswer { reason: "nothing was offered" })?;
        remote::answered(&self.capabilities, self.local, ours, (answer, theirs))
    }

    /// The first stream that can be accepted with its index, or none if the peer removed it.
    fn choose(
        &self,
        offer: &SessionDescription,
    ) -> Result<(Option<(usize, Media)>, Negotiated), NegotiationError> {
        let mut refusal = None;
        for (index, theirs) in offer.media.iter().enumerate().filter(|(_, theirs)| is_active_audio(theirs)) {
            match remote::offered(&self.capabilities, self.local, self.wanted, (offer, theirs)) {
                Ok(negotiated) => {
                    let ours = self.answering(&negotiated, theirs);
                    return Ok((Some((index, ours)), negotiated));
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let is_removal = !offer.media.is_empty() && offer.media.iter().all(|theirs| theirs.port == 0);
        match (&self.agreed, refusal) {
            (_, Some(error)) => Err(error),
            (Some(agreed), None) if is_removal => Ok((None, removed(&agreed.negotiated))),
            (_, None) => Err(NegotiationError::NoAudio),
        }
    }

    fn answering(&self, negotiated: &Negotiated, theirs: &Media) -> Media {
        let codec = (negotiated.receive_payload_type, negotiated.codec.clone());
        let event = negotiated.telephone_event.map(|event| {
            let payload_type = event.receive_payload_type;
            (payload_type, negotiated.codec.clock_rate, events_of(theirs.fmtp(payload_type)))
        });
        let mut ours = stream(&[codec], event.as_slice(), self.capabilities.ptime_ms);
        local::place(&mut ours, self.local, negotiated.direction);
        ours
    }

    /// A description around `media`, its version grown if it differs from the last one.
    fn seal(&mut self, timing: String, media: Vec<Media>) -> SessionDescription {
        let address = Address::Ip(self.local.address);
        let mut description = SessionDescription {
            origin: Origin {
                username: "-".to_owned(),
                session_id: self.session_id.to_string(),
                session_version: self.session_version.to_string(),
                address: address.clone(),
            },
            name: "-".to_owned(),
            connection: Some(address),
            timing,
            other_lines: Vec::new(),
            attributes: Vec::new(),
            media,
        };
        if self.sent.as_ref().is_some_and(|sent| *sent != description) {
            self.session_version = self.session_version.saturating_add(1);
            description.origin.session_version = self.session_version.to_string();
        }
        self.sent = Some(description.clone());
        description
    }
}

impl CodecCapability {
    fn is(&self, encoding: &str, clock_rate: u32, channels: Option<u8>) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding)
            && self.clock_rate == clock_rate
            && self.channels == channels.unwrap_or(1)
    }
}

fn is_active_audio(media: &Media) -> bool {
    media.kind == MediaKind::Audio && media.port != 0
}

/// The peer took the stream away (RFC 3264 8.2) and may bring it back.
fn removed(before: &Negotiated) -> Negotiated {
    Negotiated {
        remote_rtp: None,
        remote_rtcp: None,
        direction: Direction::Inactive,
        is_held: true,
        ..before.clone()
    }
}

/// RFC 3264 5: representable with 64 bits and a sign, and at first below 2^62.
const MAX_SESSION_ID: u64 = (1 << 62) - 1;
