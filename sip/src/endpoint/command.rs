//! What the application asks of the endpoint.

use std::net::SocketAddr;

use super::event::SessionId;
use crate::message::{HeaderName, Headers, NameAddr, Request, Response, StatusCode, Uri};
use crate::transport::Transport;

/// A message body and its Content-Type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// The value of Content-Type.
    pub content_type: String,
    /// The octets.
    pub bytes: Vec<u8>,
}

impl Body {
    /// A session description (RFC 4566).
    pub fn sdp(bytes: impl Into<Vec<u8>>) -> Self {
        Self { content_type: SDP_CONTENT_TYPE.to_owned(), bytes: bytes.into() }
    }

    /// The body of a received request.
    pub fn of_request(request: Request) -> Option<Self> {
        Self::of(&request.headers, request.body)
    }

    /// The body of a received response.
    pub fn of_response(response: Response) -> Option<Self> {
        Self::of(&response.headers, response.body)
    }

    fn of(headers: &Headers, bytes: Vec<u8>) -> Option<Self> {
        let content_type = headers.first(&HeaderName::ContentType).unwrap_or_default().to_owned();
        (!bytes.is_empty()).then_some(Self { content_type, bytes })
    }
}

/// A response of the application.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status; `provisional` takes 101-199, `reject` and `reject_reinvite` 300-699.
    pub status: StatusCode,
    /// The reason phrase; `None` takes the RFC's.
    pub reason: Option<String>,
    /// Our address inside the early dialog that a provisional response opens (RFC 3261 12.1.1).
    pub contact: Option<Uri>,
    /// Further headers: Retry-After, Warning, Reason, Contact of a 3xx and so on.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Option<Body>,
}

impl Reply {
    /// A response without body or further headers.
    pub fn new(status: StatusCode) -> Self {
        Self { status, reason: None, contact: None, headers: Vec::new(), body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds our address.
    #[must_use]
    pub fn with_contact(mut self, contact: Uri) -> Self {
        self.contact = Some(contact);
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }
}

/// An INVITE to send (RFC 3261 13.2.1).
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Whom to call: the Request-URI.
    pub target: Uri,
    /// The From header; its tag is made by the endpoint.
    pub from: NameAddr,
    /// The To header.
    pub to: NameAddr,
    /// Our address: the Contact header, and its host and port are the sent-by of our Vias.
    pub contact: Uri,
    /// Pre-loaded route set: outbound proxies. Empty: the packet goes to `target`.
    pub routes: Vec<NameAddr>,
    /// The protocol; `None` follows the URI (RFC 3263 4.1) and lets a large request start on TCP (RFC 3261 18.1.1).
    pub transport: Option<Transport>,
    /// The local address to send from.
    pub local: Option<SocketAddr>,
    /// Further headers.
    pub headers: Headers,
    /// The offer; `None` leaves it to the peer (late offer).
    pub body: Option<Body>,
}

/// Why a command was not carried out. Nothing was sent and no state changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionError {
    /// The session never existed or has terminated.
    #[error("session {0:?} is not known")]
    Unknown(SessionId),
    /// The session is not in a state that allows the command.
    #[error("session {id:?} does not allow this command: it is {state}")]
    WrongState {
        /// The session.
        id: SessionId,
        /// Its state, for the log.
        state: &'static str,
    },
    /// Another INVITE is in progress in this dialog (RFC 3261 14.1).
    #[error("session {0:?} has an INVITE in progress")]
    InvitePending(SessionId),
    /// The status does not fit the command.
    #[error("status {0:?} does not fit this command")]
    Status(StatusCode),
    /// A table is full.
    #[error("the limit of {limit} {what} is reached")]
    Full {
        /// Which table.
        what: &'static str,
        /// Its limit.
        limit: usize,
    },
    /// No packet can be sent to this URI: not sip or sips, and no route given.
    #[error("the target is not a SIP URI")]
    Unroutable,
}

/// The only content type that the endpoint hands up in an INVITE (RFC 3261 13.2.1 makes it mandatory).
pub(crate) const SDP_CONTENT_TYPE: &str = "application/sdp";
