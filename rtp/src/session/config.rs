//! What a session is told by the negotiation, and what it reports.

use std::net::SocketAddr;
use std::time::Duration;

use crate::codec::Codec;
use crate::dtmf::Digit;
use crate::jitter::{JitterConfig, Release};
use crate::latch::LatchPolicy;
use crate::packet::Ssrc;

/// All that a session needs to know at its beginning.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// What offer and answer agreed on.
    pub media: MediaConfig,
    /// Where the peer's packets may come from.
    pub latch: LatchPolicy,
    /// Delay and clock of the jitter buffer.
    pub jitter: JitterConfig,
    /// To whom the received audio goes: to listeners in order, or paced to a peer's ear.
    pub release: Release,
    /// The canonical name in RTCP (RFC 3550 section 6.5.1); more than [`CNAME_LIMIT`](crate::rtcp::CNAME_LIMIT) octets are cut off.
    pub cname: String,
}

/// What offer and answer agreed on for one audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// The codec of both directions.
    pub codec: Codec,
    /// The payload type that the peer wants to receive the codec under.
    pub send_payload_type: u8,
    /// The payload type under which the peer sends the codec.
    pub receive_payload_type: u8,
    /// Digits as events (RFC 4733), if both sides take them.
    pub telephone_event: Option<TelephoneEvent>,
    /// The direction from our side.
    pub direction: Direction,
    /// The peer's RTP address in its SDP; `None` if it has none (port 0, `0.0.0.0`), and then nothing is sent.
    pub remote_rtp: Option<SocketAddr>,
    /// The peer's RTCP address: `a=rtcp`, else the port after the RTP port, or the RTP address itself with rtcp-mux.
    pub remote_rtcp: Option<SocketAddr>,
}

/// The payload types of telephone events, which may differ each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The one that the peer wants to receive.
    pub send_payload_type: u8,
    /// The one that the peer sends.
    pub receive_payload_type: u8,
}

/// Which way audio may flow, seen from our side (RFC 3264 section 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send; what arrives is discarded.
    SendOnly,
    /// We listen and send nothing.
    RecvOnly,
    /// Neither: the call is on hold.
    Inactive,
}

impl Direction {
    /// True if we may send.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// True if we listen.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// What happened in a session that its owner may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer's source is found and fixed.
    Latched {
        /// Where its packets come from, and ours go from now on.
        source: SocketAddr,
        /// Its synchronisation source.
        ssrc: Ssrc,
    },
    /// A third party sends to this session; reported once for each source, for the first
    /// [`FOREIGN_SOURCE_LIMIT`](super::FOREIGN_SOURCE_LIMIT) of them. All its packets are counted and dropped.
    ForeignSource {
        /// Who it is.
        source: SocketAddr,
    },
    /// A key went down, as known from the first packet of its event.
    DtmfStarted {
        /// The key.
        digit: Digit,
    },
    /// A key was pressed and is released: exactly one for each `DtmfStarted`.
    Dtmf {
        /// The key.
        digit: Digit,
        /// How long it was down.
        duration: Duration,
    },
    /// The peer sends under another synchronisation source; its timeline begins anew.
    SsrcChanged {
        /// The one before.
        from: Ssrc,
        /// The one now.
        to: Ssrc,
    },
    /// The peer sends a payload type that was not negotiated; reported once for each of the first eight types.
    UnknownPayloadType(u8),
    /// The peer said goodbye by RTCP; the dialog's BYE is still to come.
    RemoteBye,
    /// The timeline jumped and the jitter buffer began anew.
    BufferReset,
}

/// A datagram to be sent now. It lies in a buffer of the session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Where to.
    pub destination: SocketAddr,
    /// The whole datagram.
    pub datagram: &'a [u8],
}
