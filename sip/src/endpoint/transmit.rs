//! Messages on their way out.

use std::net::SocketAddr;
use std::sync::Arc;

use super::event::SessionId;
use crate::transport::{Flow, Transport};

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
