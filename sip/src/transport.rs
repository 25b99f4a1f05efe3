//! Transports and flows: what the transport layer (RFC 3261 18) tells the layers above about where a message
//! travelled.

use std::fmt;
use std::net::SocketAddr;

/// A transport protocol of RFC 3261 18 and 26.2.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// One datagram is one message; retransmission timers run.
    Udp,
    /// A byte stream framed by Content-Length.
    Tcp,
    /// TCP under TLS.
    Tls,
}

impl Transport {
    /// Whether the transport itself delivers or reports failure (RFC 3261 17: timers A, E and G stay off; D, I, J and
    /// K are zero).
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The port that is meant where none is written (RFC 3261 18.2.2 and 19.1.2).
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

    /// The value of a URI's `transport` parameter: `udp`, `tcp` or `tls`.
    pub fn uri_token(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Reads the token of a Via header or of a URI's `transport` parameter, in any case. `None` if the transport is
    /// not one of ours.
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

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.transport, self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_in_any_case() {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            assert_eq!(Transport::from_token(transport.via_token()), Some(transport));
            assert_eq!(Transport::from_token(transport.uri_token()), Some(transport));
        }
        assert_eq!(Transport::from_token("Tls"), Some(Transport::Tls));
        assert_eq!(Transport::from_token("SCTP"), None);
        assert_eq!(Transport::from_token(""), None);
    }

    #[test]
    fn only_tls_has_a_port_of_its_own() {
        assert_eq!(
            [Transport::Udp, Transport::Tcp, Transport::Tls].map(Transport::default_port),
            [5060, 5060, 5061]
        );
    }
}
