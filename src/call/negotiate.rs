//! The one place that knows both SDP and RTP: what offer and answer agree on becomes what an RTP session runs with.

use std::net::SocketAddr;

use caly_rtp::codec::Codec;
use caly_rtp::session::{self, MediaConfig};
use caly_sip::sdp::{
    Capabilities, CodecCapability, Direction, LocalMedia, Negotiated, NegotiationError, Negotiator, SdpError,
    SessionDescription,
};

use super::exchange::{BoundMedia, Refusal};
use super::log::MediaAgreed;
use crate::call::cause::HangupCause;

/// The media of one dialog as it is negotiated, over its whole life.
#[derive(Debug)]
pub(super) struct Negotiation {
    negotiator: Negotiator,
    local: SocketAddr,
}

/// One agreement: for the RTP session and for the log.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    /// What the RTP session runs with.
    pub(super) media: MediaConfig,
    /// The same for the log.
    pub(super) agreed: MediaAgreed,
}

/// Why an offer or answer cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum MediaError {
    /// The body is not SDP.
    #[error("the session description cannot be read: {0}")]
    Sdp(#[from] SdpError),
    /// It is SDP, but nothing in it fits.
    #[error("{0}")]
    Negotiation(#[from] NegotiationError),
    /// The answer picked a codec that no session runs.
    #[error("the codec {0} was agreed on but cannot be run")]
    Codec(String),
    /// Offer or answer is missing where one must be (RFC 3264).
    #[error("the peer sent no answer to our offer")]
    Missing,
}

impl MediaError {
    /// How an INVITE or re-INVITE with this fault is refused.
    pub(super) fn refusal(&self) -> Refusal {
        let refusal = Refusal::of(HangupCause::NotAcceptable);
        match self {
            Self::Sdp(error) => Refusal { status: 400, ..refusal }.with_warning(399, error.to_string()),
            Self::Negotiation(error) => refusal.with_warning(error.warning_code(), error.to_string()),
            Self::Codec(_) | Self::Missing => refusal.with_warning(399, self.to_string()),
        }
    }
}

impl Negotiation {
    /// The negotiation of a new dialog with the codecs in order of preference.
    pub(super) fn new(codecs: &[Codec], bound: BoundMedia, seed: u64) -> Self {
        let rtp_port = bound.local.port();
        let local = LocalMedia { address: bound.advertised, rtp_port, rtcp_port: rtp_port + 1 };
        let capabilities = Capabilities {
            codecs: codecs.iter().map(|codec| capability(*codec)).collect(),
            telephone_event: true,
            ptime_ms: 20,
        };
        Self { negotiator: Negotiator::new(capabilities, local, seed), local: bound.local }
    }

    /// Our offer, as SDP: of a call that we place, or where the peer's INVITE made none.
    pub(super) fn offer(&mut self) -> Vec<u8> {
        self.negotiator.late_offer().to_string().into_bytes()
    }

    /// Answers the peer's offer.
    pub(super) fn handle_offer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Agreement), MediaError> {
        let offer = SessionDescription::parse(offer)?;
        let (answer, negotiated) = self.negotiator.handle_offer(&offer)?;
        Ok((answer.to_string().into_bytes(), self.agreement(&negotiated)?))
    }

    /// Takes the peer's answer to our offer.
    pub(super) fn handle_answer(&mut self, answer: &[u8]) -> Result<Agreement, MediaError> {
        let answer = SessionDescription::parse(answer)?;
        let negotiated = self.negotiator.handle_answer(&answer)?;
        self.agreement(&negotiated)
    }

    fn agreement(&self, negotiated: &Negotiated) -> Result<Agreement, MediaError> {
        let codec = codec_of(&negotiated.codec)?;
        let telephone_event = negotiated.telephone_event.map(|event| session::TelephoneEvent {
            send_payload_type: event.send_payload_type,
            receive_payload_type: event.receive_payload_type,
        });
        let media = MediaConfig {
            codec,
            send_payload_type: negotiated.send_payload_type,
            receive_payload_type: negotiated.receive_payload_type,
            telephone_event,
            direction: direction_of(negotiated.direction),
            remote_rtp: negotiated.remote_rtp,
            remote_rtcp: negotiated.remote_rtcp,
        };
        let agreed = MediaAgreed {
            codec: negotiated.codec.encoding.clone(),
            payload_type: negotiated.send_payload_type,
            dtmf_payload_type: negotiated.telephone_event.map(|event| event.send_payload_type),
            local: self.local,
            remote: negotiated.remote_rtp,
            direction: negotiated.direction.as_str().to_owned(),
        };
        Ok(Agreement { media, agreed })
    }
}

fn capability(codec: Codec) -> CodecCapability {
    CodecCapability {
        encoding: codec.encoding_name().to_owned(),
        clock_rate: codec.clock_rate(),
        channels: 1,
        static_payload_type: codec.static_payload_type().map(|number| number.0),
    }
}

fn codec_of(agreed: &CodecCapability) -> Result<Codec, MediaError> {
    Codec::from_encoding(&agreed.encoding, agreed.clock_rate)
        .ok_or_else(|| MediaError::Codec(format!("{}/{}", agreed.encoding, agreed.clock_rate)))
}

fn direction_of(direction: Direction) -> session::Direction {
    match direction {
        Direction::SendRecv => session::Direction::SendRecv,
        Direction::SendOnly => session::Direction::SendOnly,
        Direction::RecvOnly => session::Direction::RecvOnly,
        Direction::Inactive => session::Direction::Inactive,
    }
}
