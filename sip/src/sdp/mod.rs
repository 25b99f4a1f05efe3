//! Session descriptions (SDP, RFC 8866, formerly RFC 4566) and their offer/answer exchange (RFC 3264) for audio.
//!
//! [`SessionDescription`] keeps everything a peer wrote, in its order; what is understood is typed, the rest stays
//! text. [`Negotiator`] makes and answers offers for one dialog.

mod direction;
mod offer_answer;
mod parse;
mod print;

use std::net::IpAddr;

pub use direction::Direction;
pub use offer_answer::{
    Capabilities, CodecCapability, Format, LocalMedia, Negotiated, NegotiationError, Negotiator,
    TelephoneEvent,
};
pub use parse::{MAX_BYTES, MAX_FORMATS, MAX_LINE_BYTES, MAX_LINES, MAX_MEDIA, SdpError};

/// The media type of a body that holds a session description.
pub const CONTENT_TYPE: &str = "application/sdp";

/// A session description: the part for the session, then one part per media stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`: who made the description, and which version of it this is.
    pub origin: Origin,
    /// `s=`; `-` when the peer left the line out.
    pub name: String,
    /// `c=` for all media that have none of their own.
    pub connection: Option<Address>,
    /// The first `t=`; `0 0` when the peer left the line out. An answer repeats the offer's (RFC 3264 6).
    pub timing: String,
    /// Lines that nothing here looks at, in the order in which RFC 8866 5 wants them.
    pub other_lines: Vec<Line>,
    /// `a=` lines above the first `m=`.
    pub attributes: Vec<Attribute>,
    /// `m=` sections; count and order never shrink or change within a dialog (RFC 3264 8).
    pub media: Vec<Media>,
}

/// `o=`: names a description across its versions. Numbers stay text: some peers write more digits than fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Login, usually `-`.
    pub username: String,
    /// Number of the session.
    pub session_id: String,
    /// Grows by one with every changed description (RFC 3264 8).
    pub session_version: String,
    /// The machine that made the description; often private and never used to send media.
    pub address: Address,
}

/// Where media goes: the value of `c=`, and the end of `o=` and `a=rtcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `IN IP4 …` or `IN IP6 …` with a plain address.
    Ip(IpAddr),
    /// Anything else as written: a name, a multicast address with its TTL, another network.
    Other(Box<str>),
}

/// A line other than `v o s c t a m`, or a repeated `c=` or `t=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The letter before `=`.
    pub kind: char,
    /// What stands after it.
    pub value: String,
}

/// One `m=` line and what follows up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What is sent.
    pub kind: MediaKind,
    /// Port of the side that wrote this; 0 refuses or removes the stream.
    pub port: u16,
    /// Number of ports after a slash, as in `49170/2`.
    pub port_count: Option<u16>,
    /// Transport and profile.
    pub protocol: Protocol,
    /// Formats, the best first; payload type numbers for RTP. At least one.
    pub formats: Vec<String>,
    /// `c=` of this stream alone.
    pub connection: Option<Address>,
    /// Lines that nothing here looks at, in the order in which RFC 8866 5 wants them.
    pub other_lines: Vec<Line>,
    /// `a=` lines in their order.
    pub attributes: Vec<Attribute>,
}

/// Media type of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`, `image`, `application` and the like, in lower case.
    Other(Box<str>),
}

/// Transport and RTP profile of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `RTP/AVP` (RFC 3551)
    RtpAvp,
    /// `RTP/SAVP`: SRTP (RFC 3711)
    RtpSavp,
    /// Anything else as written.
    Other(Box<str>),
}

/// An `a=` line. Those that offer/answer needs are typed if they are well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `a=rtpmap`
    RtpMap(RtpMap),
    /// `a=fmtp`: parameters of one format.
    Fmtp {
        /// The format they belong to.
        format: String,
        /// As written.
        parameters: String,
    },
    /// `a=ptime`: length of sound per packet that the writer likes to receive, in milliseconds.
    Ptime(u32),
    /// `a=maxptime`: the most sound per packet that the writer takes, in milliseconds.
    MaxPtime(u32),
    /// `a=rtcp` (RFC 3605): where RTCP goes if not to the next port.
    Rtcp {
        /// UDP port.
        port: u16,
        /// Address if it is not that of the stream.
        address: Option<Address>,
    },
    /// `a=sendrecv` and its kin.
    Direction(Direction),
    /// Everything else.
    Other {
        /// Before the colon.
        name: String,
        /// After the colon, if there is one.
        value: Option<String>,
    },
}

/// `a=rtpmap:0 PCMU/8000`: what a payload type number means (RFC 8866 6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    /// 0 to 127.
    pub payload_type: u8,
    /// Name of the encoding; compares without case.
    pub encoding: String,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Channels, `Some` only if written.
    pub channels: Option<u8>,
}

impl SessionDescription {
    /// Reads the body of a message.
    ///
    /// Forgives what real peers do: missing `s=` and `t=`, bare LF or CR, lines out of order, unknown lines.
    ///
    /// # Errors
    /// When it is no SDP, when a line that matters cannot be read, or when a limit is exceeded.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        parse::session_description(body)
    }

    /// The direction of one of this description's streams: its own, else the session's, else both ways.
    pub fn direction_of(&self, media: &Media) -> Direction {
        direction_in(&media.attributes).or_else(|| direction_in(&self.attributes)).unwrap_or_default()
    }

    /// The address of one of this description's streams: its own, else the session's.
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Address> {
        media.connection.as_ref().or(self.connection.as_ref())
    }
}

impl Media {
    /// What a payload type means: its `a=rtpmap`, else the static assignment of RFC 3551 6.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        let written = self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::RtpMap(map) if map.payload_type == payload_type => Some(map.clone()),
            _ => None,
        });
        written.or_else(|| RtpMap::of_static(payload_type))
    }

    /// The payload types of the formats, in order; formats that are none are left out.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|&number| number <= MAX_PAYLOAD_TYPE)
    }

    /// The first `a=fmtp` of a format.
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Fmtp { format, parameters } if format.parse() == Ok(payload_type) => {
                Some(parameters.as_str())
            }
            _ => None,
        })
    }

    /// `a=ptime` in milliseconds.
    pub fn ptime_ms(&self) -> Option<u32> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Ptime(ptime_ms) => Some(*ptime_ms),
            _ => None,
        })
    }

    /// `a=maxptime` in milliseconds.
    pub fn maxptime_ms(&self) -> Option<u32> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::MaxPtime(maxptime_ms) => Some(*maxptime_ms),
            _ => None,
        })
    }
}

impl RtpMap {
    /// The audio encodings with numbers of their own (RFC 3551 6, table 4).
    pub fn of_static(payload_type: u8) -> Option<Self> {
        let &(_, encoding, clock_rate) = STATIC.iter().find(|(number, ..)| *number == payload_type)?;
        Some(Self { payload_type, encoding: encoding.to_owned(), clock_rate, channels: None })
    }
}

fn direction_in(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::Direction(direction) => Some(*direction),
        _ => None,
    })
}

/// Seven bits of the RTP header (RFC 3550 5.1).
const MAX_PAYLOAD_TYPE: u8 = 127;

/// Mono encodings of RFC 3551 table 4; L16 (10, 11) and the video numbers are of no use here.
const STATIC: [(u8, &str, u32); 14] = [
    (0, "PCMU", 8000),
    (3, "GSM", 8000),
    (4, "G723", 8000),
    (5, "DVI4", 8000),
    (6, "DVI4", 16000),
    (7, "LPC", 8000),
    (8, "PCMA", 8000),
    (9, "G722", 8000),
    (12, "QCELP", 8000),
    (13, "CN", 8000),
    (15, "G728", 8000),
    (16, "DVI4", 11025),
    (17, "DVI4", 22050),
    (18, "G729", 8000),
];
