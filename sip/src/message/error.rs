//! What can be wrong with a message, and where.

use super::{HeaderName, Response};

/// What is wrong with a piece of text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Syntax {
    /// A URI holds white space, control characters, brackets, quotes, or an empty parameter.
    #[error("bad URI")]
    Uri,
    /// The scheme of a URI is missing or no scheme.
    #[error("bad URI scheme")]
    Scheme,
    /// The user of a URI is empty, or the number of a tel URI is none.
    #[error("bad user")]
    User,
    /// Neither a host name nor an address.
    #[error("bad host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("bad port")]
    Port,
    /// Parameters are empty, badly quoted or badly named.
    #[error("bad parameters")]
    Params,
    /// More parameters than anybody needs.
    #[error("too many parameters")]
    TooManyParams,
    /// A quoted string or an angle bracket is not closed.
    #[error("unbalanced quotes or brackets")]
    Unbalanced,
    /// The display name needs quotes and has none.
    #[error("bad display name")]
    DisplayName,
    /// Not a token where one must stand.
    #[error("bad token")]
    Token,
    /// No number, or a number out of its range.
    #[error("bad number")]
    Number,
    /// The protocol of a Via is not SIP/2.0.
    #[error("bad protocol")]
    Protocol,
    /// Bytes that are not UTF-8 where they matter.
    #[error("not UTF-8")]
    Utf8,
    /// The value is empty.
    #[error("empty value")]
    Empty,
    /// More values than the limit.
    #[error("too many values")]
    TooMany,
}

/// What is wrong with a header field.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum HeaderError {
    /// The field is not there.
    #[error("{0} is missing")]
    Missing(HeaderName),
    /// The field may occur once, and occurs again.
    #[error("{0} occurs more than once")]
    Repeated(HeaderName),
    /// The field cannot be read.
    #[error("{header}: {syntax}")]
    Malformed {
        /// The field.
        header: HeaderName,
        /// What is wrong with it.
        syntax: Syntax,
    },
}

impl HeaderError {
    pub(super) fn malformed(header: &HeaderName) -> impl Fn(Syntax) -> Self + use<'_> {
        move |syntax| Self::Malformed { header: header.clone(), syntax }
    }
}

/// Why bytes are not a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 3.5.1), not an attack.
    #[error("empty datagram")]
    Empty,
    /// More than [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES).
    #[error("message is too long")]
    TooLong,
    /// The empty line behind the header fields is missing.
    #[error("the header has no end")]
    Unterminated,
    /// The first line is neither a request line nor a status line.
    #[error("bad start line")]
    StartLine,
    /// The Request-URI cannot be read.
    #[error("bad Request-URI: {0}")]
    RequestUri(Syntax),
    /// A SIP version other than 2.0.
    #[error("unsupported SIP version")]
    Version,
    /// The status code is not between 100 and 699.
    #[error("bad status code")]
    Status,
    /// A line has no colon, a name that is no token, or a carriage return in its middle.
    #[error("header line {line} is malformed")]
    HeaderLine {
        /// Its number; the start line is 1, folded lines count with the line that they continue.
        line: usize,
    },
    /// More than [`MAX_HEADERS`](super::MAX_HEADERS) header lines.
    #[error("too many header lines")]
    TooManyHeaders,
    /// A field that no message can do without is missing, repeated or broken.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The CSeq names another method than the request line.
    #[error("the method of the CSeq is not the method of the request")]
    MethodMismatch,
    /// The body is shorter than Content-Length says.
    #[error("Content-Length says {announced} bytes, there are {present}")]
    Truncated {
        /// The value of Content-Length.
        announced: usize,
        /// The bytes that follow the header.
        present: usize,
    },
}

/// Bytes that are no valid message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Malformed {
    /// Why.
    pub error: ParseError,
    /// The answer to send, if the bytes are recognizably a request other than ACK and say in a Via where answers go.
    /// It echoes what it can (RFC 3261 8.2.6.2) and carries a To tag; `received` and `rport` are not filled in.
    pub reply: Option<Response>,
}
