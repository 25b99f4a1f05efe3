//! Why an offer or an answer cannot be used, with the warn-code of RFC 3261 20.43.

use std::net::{IpAddr, SocketAddr};

/// Why an offer or an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// No audio stream is offered.
    #[error("no audio stream is offered")]
    NoAudio,
    /// No codec in common.
    #[error("no codec in common; offered: {}", offered.join(", "))]
    NoCommonCodec {
        /// The peer's codecs as `NAME/rate`.
        offered: Vec<String>,
    },
    /// The transport or profile is not spoken, as `RTP/SAVP`.
    #[error("media protocol {protocol} is not supported")]
    UnsupportedProtocol {
        /// As written.
        protocol: String,
    },
    /// The peer's media address is a name, of another network, or of another family than ours.
    #[error("media address {address} is not supported")]
    UnsupportedAddress {
        /// As written.
        address: String,
    },
    /// The peer's media address is a broadcast address, or one that never names a host.
    #[error("media address {address} names no single host")]
    NotUnicast {
        /// The address.
        address: IpAddr,
    },
    /// The peer wants its media sent to a socket of this server.
    #[error("media address {address} is a port of this server itself")]
    OwnAddress {
        /// The address.
        address: SocketAddr,
    },
    /// The peer's media address is a multicast group.
    #[error("multicast media is not supported")]
    Multicast,
    /// The offer breaks RFC 3264 or RFC 8866.
    #[error("bad offer: {reason}")]
    BadOffer {
        /// What is wrong.
        reason: &'static str,
    },
    /// The answer does not fit our offer.
    #[error("bad answer: {reason}")]
    BadAnswer {
        /// What is wrong.
        reason: &'static str,
    },
    /// The answer refuses the audio stream with port 0.
    #[error("the answer refuses the audio stream")]
    Refused,
    /// The peer offers while our own offer waits for its answer: 491 (RFC 3261 14.2).
    #[error("an offer of ours waits for its answer")]
    OfferPending,
    /// There is no offer to which this could be the answer.
    #[error("an answer without an offer")]
    NoOffer,
}

impl NegotiationError {
    /// The code for the Warning header field of the 488 (RFC 3261 20.43).
    pub fn warning_code(&self) -> u16 {
        match self {
            Self::UnsupportedAddress { .. } | Self::NotUnicast { .. } | Self::OwnAddress { .. } => 301,
            Self::UnsupportedProtocol { .. } => 302,
            Self::NoAudio | Self::Refused => 304,
            Self::NoCommonCodec { .. } => 305,
            Self::Multicast => 330,
            Self::BadOffer { .. } | Self::BadAnswer { .. } | Self::OfferPending | Self::NoOffer => 399,
        }
    }
}
