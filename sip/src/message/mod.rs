//! SIP messages (RFC 3261 7): requests, responses, their header fields and bodies.
//!
//! Reading is forgiving where real peers err and no harm comes of it, and bounded everywhere. What was read is *valid*:
//! the fields without which nothing can be done ([`Essentials`]) are there once and can be read, the CSeq names the
//! method, Content-Length and body agree. Everything else is judged by who needs it: header values are kept as
//! received, and the accessors of [`Headers`] read them on demand.

mod content;
mod cseq;
mod error;
mod fields;
mod framing;
mod header;
mod header_name;
mod host;
mod method;
mod name_addr;
mod params;
mod parse;
mod print;
mod reason;
mod scan;
mod status;
mod uri;
mod via;

pub use content::MediaType;
pub use cseq::CSeq;
pub use error::{HeaderError, Malformed, ParseError, Syntax};
pub use fields::Essentials;
pub use framing::{Framed, FramingError, MESSAGE_PATIENCE, StreamFramer};
pub use header::{Header, Headers};
pub use header_name::HeaderName;
pub use host::Host;
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::{Param, Params};
pub use reason::Reason;
pub use status::StatusCode;
pub use uri::{Scheme, Uri};
pub use via::Via;

/// A SIP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Asks for something.
    Request(Request),
    /// Answers a request.
    Response(Response),
}

/// A request (RFC 3261 7.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// The Request-URI: whom it is asked.
    pub uri: Uri,
    /// The header fields. Content-Length need not be among them, printing adds it.
    pub headers: Headers,
    /// The body, empty if there is none.
    pub body: Vec<u8>,
}

/// A response (RFC 3261 7.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The outcome.
    pub status: StatusCode,
    /// The outcome in words, for people.
    pub reason: String,
    /// The header fields. Content-Length need not be among them, printing adds it.
    pub headers: Headers,
    /// The body, empty if there is none.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads a datagram (RFC 3261 18.3). Empty lines in front and bytes beyond Content-Length are ignored; without
    /// Content-Length all that follows the header is the body.
    ///
    /// # Errors
    /// Everything that makes the message not valid, together with the answer that it deserves.
    pub fn parse_datagram(bytes: &[u8]) -> Result<Self, Malformed> {
        parse::datagram(bytes)
    }

    /// The header fields of either.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The message as it goes over the wire; see [`Request::to_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Vec::new() }
    }

    /// The fields that every message needs. Cannot fail for requests that were read from bytes and not changed.
    ///
    /// # Errors
    /// The first of the fields that is missing or broken.
    pub fn essentials(&self) -> Result<Essentials, HeaderError> {
        self.headers.essentials()
    }

    /// The response to this request with the fields that every response copies (RFC 3261 8.2.6.2): all Via, From, To,
    /// Call-ID, CSeq, and in a 100 the Timestamp. The To tag is up to the caller.
    pub fn response(&self, status: StatusCode) -> Response {
        Response::echo(&self.headers, status)
    }

    /// The message as it goes over the wire: canonical names, Content-Length last and computed. Line ends inside of
    /// values become spaces, so that no value can smuggle in another line.
    pub fn to_bytes(&self) -> Vec<u8> {
        print::request(self)
    }
}

impl Response {
    /// A response without header fields and body, with the usual reason phrase.
    pub fn new(status: StatusCode) -> Self {
        let reason = status.default_reason().to_owned();
        Self { status, reason, headers: Headers::new(), body: Vec::new() }
    }

    /// The fields that every message needs. Cannot fail for responses that were read from bytes and not changed.
    ///
    /// # Errors
    /// The first of the fields that is missing or broken.
    pub fn essentials(&self) -> Result<Essentials, HeaderError> {
        self.headers.essentials()
    }

    /// The message as it goes over the wire; see [`Request::to_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        print::response(self)
    }

    fn echo(request: &Headers, status: StatusCode) -> Self {
        let mut response = Self::new(status);
        for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        {
            response.headers.copy_from(request, &name);
        }
        if status == StatusCode::TRYING {
            response.headers.copy_from(request, &HeaderName::Timestamp);
        }
        response
    }
}

/// The longest message. UDP cannot carry more, and no carrier's message is near it (they stay below 4 kB).
pub const MAX_MESSAGE_BYTES: usize = 65_535;

/// Header lines in one message. Real ones have 15 to 40; a thousand would only burn time.
pub const MAX_HEADERS: usize = 256;
