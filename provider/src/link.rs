//! Links: the connections that clients ask for and hear of. A link is a WebSocket (RFC 6455), one HTTP exchange (RFC 9110), or a local
//! program. Whoever carries links out moves bytes and decides nothing: all deadlines are the clients'.
//!
//! The order of what is told of a link: [`LinkEvent::Opened`] at most once, then any number of [`LinkEvent::Received`], then
//! [`LinkEvent::Ended`] exactly once, unless the client itself has closed the link: after [`LinkDeed::Close`] it hears nothing more of it.

use std::fmt;
use std::time::Duration;

use crate::secret::Secret;

/// Names a link among all that one driver has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What is to be done with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkOrder {
    /// Which.
    pub link: LinkId,
    /// What.
    pub deed: LinkDeed,
}

/// One deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkDeed {
    /// Open it. The first order of every link.
    Open(Request),
    /// Send this, once it is open; WebSockets only.
    Send(Message),
    /// Send what was ordered before, close it, and say nothing more of it. An exchange that is not over is broken off.
    Close,
}

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A WebSocket: `ws://` or `wss://`.
    WebSocket(Endpoint),
    /// One HTTP exchange; what is received are parts of its body.
    Http(HttpRequest),
    /// A program of this machine; what is received are parts of its standard output. It is killed when the link closes.
    Program(ProgramRequest),
}

/// Where, and with what in the headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The whole URL with its query.
    pub url: Url,
    /// Headers beyond those of the protocol: lower-case names.
    pub headers: Vec<(&'static str, Secret)>,
}

/// A URL. Some vendors want their key in it, so that only what stands before the query is printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url(String);

/// An HTTP request. Content-Length, Host and what belongs to the connection are added by who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Where.
    pub endpoint: Endpoint,
    /// The body; empty for a GET.
    pub body: Vec<u8>,
}

/// The methods that providers' APIs use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 9110 section 9.3.1.
    Get,
    /// RFC 9110 section 9.3.3.
    Post,
}

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRequest {
    /// Its path, or the name by which it is found.
    pub program: String,
    /// What it is given; texts of callers go by `stdin`, so that they stand in no process list.
    pub arguments: Vec<String>,
    /// What it reads.
    pub stdin: Vec<u8>,
}

/// A WebSocket's message, or a part of what an exchange or a program brings, which is always [`Message::Binary`].
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// What became of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is open: the WebSocket is upgraded, the response's head is here and says that all is well (2xx), the program runs.
    Opened(ResponseHead),
    /// A message, or a part of the body.
    Received(Message),
    /// It is over.
    Ended(LinkEnd),
}

/// Of the response's head what clients use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The vendor's name of this request, from whichever header it stands in; for the log.
    pub request_id: Option<String>,
    /// Content-Type, lower-case, without parameters.
    pub content_type: Option<String>,
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The body is whole, or the program came to a good end.
    Complete,
    /// The peer closed the WebSocket.
    Closed {
        /// Its status code (RFC 6455 section 7.4); `None` if it gave none.
        code: Option<u16>,
        /// Its reason, often the only cause that is told.
        reason: String,
    },
    /// It came to no good end.
    Failed(LinkFailure),
}

/// Why a link came to no good end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFailure {
    /// The host's name has no address.
    #[error("the name cannot be resolved: {0}")]
    Resolve(String),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// No TLS with who answered.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// Another status than 2xx, or 101 for a WebSocket.
    #[error("{0}")]
    Status(Box<RefusedStatus>),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// A message or a head that is longer than any is allowed to be.
    #[error("a message of more than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// What came is not the protocol.
    #[error("not the protocol: {0}")]
    Protocol(String),
    /// The program cannot be run, or failed.
    #[error("{0}")]
    Program(String),
}

/// The response of a server that did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedStatus {
    /// The status.
    pub status: u16,
    /// When to come again (RFC 9110 section 10.2.3), if it says so in seconds.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, at most [`MAX_REFUSAL_BYTES`].
    pub body: String,
    /// The vendor's name of this request.
    pub request_id: Option<String>,
}

impl Url {
    /// A URL that is already encoded.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// A base, which may have a query of its own, and what is asked: names and values that are encoded here.
    pub fn with_query<'a>(base: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut url = base.to_owned();
        for (name, value) in query {
            url.push(if url.contains('?') { '&' } else { '?' });
            encode(name, &mut url);
            url.push('=');
            encode(value, &mut url);
        }
        Self(url)
    }

    /// The whole of it, for who connects.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What may be printed: without the query.
    pub fn shown(&self) -> &str {
        self.0.split_once('?').map_or(&self.0, |(before, _)| before)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shown(), f)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What callers say is theirs.
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

impl fmt::Display for RefusedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        let body = self.body.trim();
        if body.is_empty() { Ok(()) } else { write!(f, ": {body}") }
    }
}

/// Percent-encodes what RFC 3986 section 2.3 does not call unreserved.
fn encode(text: &str, to: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => to.push(char::from(byte)),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                to.push('%');
                to.push(char::from(HEX[usize::from(byte >> 4)]));
                to.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

/// Of a refusal's body: enough for what vendors say is wrong.
pub const MAX_REFUSAL_BYTES: usize = 2_048;

/// The longest message of a WebSocket and the longest event of a stream: a second of 48 kHz PCM in base64 takes 128 kB, and vendors send
/// whole sentences at once.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_and_not_printed() {
        let url = Url::with_query("wss://host/v1/listen", [("keyterm", "aapka naam?"), ("language", "hi")]);
        assert_eq!(url.as_str(), "wss://host/v1/listen?keyterm=aapka%20naam%3F&language=hi");
        assert_eq!(format!("{url:?}"), "\"wss://host/v1/listen\"");
        let more = Url::with_query("wss://host/x?region=in", [("key", "क")]);
        assert_eq!(more.as_str(), "wss://host/x?region=in&key=%E0%A4%95");
    }

    #[test]
    fn what_is_said_and_who_pays_is_not_printed() {
        let endpoint = Endpoint {
            url: Url::new("https://host/v1"),
            headers: vec![("authorization", Secret::new("Bearer sk"))],
        };
        let open = LinkOrder { link: LinkId(1), deed: LinkDeed::Open(Request::WebSocket(endpoint)) };
        let send =
            LinkOrder { link: LinkId(1), deed: LinkDeed::Send(Message::Text("mera order".to_owned())) };
        let printed = format!("{open:?} {send:?}");
        assert!(!printed.contains("sk") && !printed.contains("order\""), "{printed}");
    }
}
