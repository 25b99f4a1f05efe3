//! Where messages come from and where they go: the transport layer seen from above (RFC 3261 18).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::event::SessionId;

/// A transport protocol of RFC 3261 18 and 26.2.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// One datagram is one message; retransmission timers run.
    Udp,
    /// A byte stream framed by Content-Length.
    Tcp,
    /// TCP under TLS. Named in URIs and Vias; the shell decides whether it can send it.
    Tls,
}

impl Transport {
    /// Whether the transport itself delivers or reports failure (RFC 3261 17: timers A, E and G stay off; D, I,
    /// J and K are zero).
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The port that a SIP URI without one means (RFC 3261 19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// The token of a Via header: `UDP`, `TCP` or `TLS`.
    pub fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Reads the token of a Via header or of a URI's `transport` parameter, in any case.
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|t| t.via_token().eq_ignore_ascii_case(token))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_token())
    }
}

/// The pair of addresses that a message travelled over. For TCP and TLS it names the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our address: for UDP the one that the datagram was sent to, so that the answer can leave from it.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

/// Where a message is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The protocol.
    pub transport: Transport,
    /// The address to send from; `None` leaves the choice to the shell.
    pub local: Option<SocketAddr>,
    /// The address to send to. For TCP and TLS an existing connection to it is used, else one is opened.
    pub remote: SocketAddr,
}

impl From<Flow> for Target {
    fn from(flow: Flow) -> Self {
        Self { transport: flow.transport, local: Some(flow.local), remote: flow.remote }
    }
}

/// One message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where to.
    pub target: Target,
    /// Only on TCP and TLS, and only when the message belongs on a connection that the peer opened: if no
    /// connection to `target.remote` exists any more, open one to this address instead of to `target.remote`
    /// (RFC 3261 18.2.2: the response follows the Via's sent-by).
    pub fallback: Option<SocketAddr>,
    /// The message. Retransmissions share the buffer and are identical byte for byte.
    pub bytes: Arc<[u8]>,
    /// The session that the message belongs to.
    pub session: Option<SessionId>,
}
