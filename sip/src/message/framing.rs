//! Cuts a byte stream into messages (RFC 3261 18.3, RFC 5626 3.5.1).

use std::time::{Duration, Instant};

use super::error::{HeaderError, Malformed, ParseError};
use super::parse::{Draft, head_end};
use super::{HeaderName, MAX_MESSAGE_BYTES, Message};

/// What a stream carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Framed {
    /// A valid message.
    Message(Message),
    /// A message with known bounds that is not valid. The stream goes on behind it.
    Malformed(Malformed),
    /// CRLF CRLF, to be answered with CRLF (RFC 5626 4.4.1).
    Ping,
}

/// Why a stream must be closed: where the next message starts is unknown, or waiting for it costs too much.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum FramingError {
    /// Content-Length is missing, repeated or no number. What could be answered was handed out before, as
    /// [`Framed::Malformed`].
    #[error("no usable Content-Length on a stream")]
    ContentLength,
    /// A message is longer than [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES).
    #[error("message is too long")]
    TooLong,
    /// A message was not complete [`MESSAGE_PATIENCE`] after its first byte.
    #[error("message takes too long")]
    TooSlow,
    /// More was pushed than taken out.
    #[error("framer was not drained")]
    Overrun,
}

/// Cuts the bytes of one connection into messages. After every [`push`](Self::push) and
/// [`handle_timeout`](Self::handle_timeout), call [`next`](Self::next) until it returns `None`.
#[derive(Debug, Default)]
pub struct StreamFramer {
    /// Bytes before `start` are done with.
    buffer: Vec<u8>,
    start: usize,
    state: State,
    /// Line ends since the last message; two are a ping.
    newlines: u8,
    last_push: Option<Instant>,
    /// When the first byte of the message came that is not complete.
    begun: Option<Instant>,
}

#[derive(Debug, Default)]
enum State {
    /// Between two messages.
    #[default]
    Idle,
    /// In the header. Its end is not among the first `searched` bytes.
    Head { searched: usize },
    /// The header is read, the body is not complete.
    Body { draft: Box<Draft>, bytes: usize },
    /// To be handed out by the next call.
    Failed(FramingError),
    /// Handed out. Nothing more will come.
    Closed,
}

impl StreamFramer {
    /// A framer at the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the connection, as they come.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) {
        if matches!(self.state, State::Failed(_) | State::Closed) {
            return;
        }
        self.last_push = Some(now);
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.len() + bytes.len() > MAX_BUFFER_BYTES {
            return self.fail(FramingError::Overrun);
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives up on a message that takes too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.fail(FramingError::TooSlow);
        }
    }

    /// Whether the stream stands between two messages.
    pub fn is_empty(&self) -> bool {
        self.begun.is_none() && self.start == self.buffer.len()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). `None` between messages: how long a connection may be
    /// idle is for its owner to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.begun.map(|begun| begun + MESSAGE_PATIENCE)
    }
}

impl Iterator for StreamFramer {
    type Item = Result<Framed, FramingError>;

    /// What is complete. `None` means that more bytes are needed, or that an error was handed out.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match std::mem::take(&mut self.state) {
                State::Idle => {
                    if self.skip_newline()? == Newline::Second {
                        return Some(Ok(Framed::Ping));
                    }
                }
                State::Head { searched } => {
                    if let Some(malformed) = self.read_head(searched)? {
                        return Some(Ok(Framed::Malformed(malformed)));
                    }
                }
                State::Body { draft, bytes } => return self.read_body(draft, bytes).map(Ok),
                State::Failed(error) => {
                    self.state = State::Closed;
                    return Some(Err(error));
                }
                State::Closed => {
                    self.state = State::Closed;
                    return None;
                }
            }
        }
    }
}

/// What stood between two messages.
#[derive(PartialEq, Eq)]
enum Newline {
    First,
    Second,
    /// A message begins instead.
    No,
}

impl StreamFramer {
    /// In `Idle`: takes one line end, or sees that there is none.
    fn skip_newline(&mut self) -> Option<Newline> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let bytes = match rest {
            [] => return self.rest(),
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            [b'\r'] => return None,
            _ => {
                self.newlines = 0;
                self.begun = self.last_push;
                self.state = State::Head { searched: 0 };
                return Some(Newline::No);
            }
        };
        self.start += bytes;
        self.newlines += 1;
        if self.newlines < 2 {
            return Some(Newline::First);
        }
        self.newlines = 0;
        Some(Newline::Second)
    }

    /// Nothing is left: gives the memory of a large message back.
    fn rest(&mut self) -> Option<Newline> {
        self.start = 0;
        self.buffer.clear();
        self.buffer.shrink_to(IDLE_BUFFER_BYTES);
        None
    }

    /// In `Head`: reads the header once its end is there. `Some(Some(_))` is a message without known bounds.
    fn read_head(&mut self, searched: usize) -> Option<Option<Malformed>> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let within_limit = rest.get(..MAX_MESSAGE_BYTES).unwrap_or(rest);
        let Some(head) = head_end(within_limit, searched).and_then(|end| rest.get(..end)) else {
            if rest.len() >= MAX_MESSAGE_BYTES {
                self.fail(FramingError::TooLong);
                return Some(None);
            }
            // The last two bytes may be the start of the empty line.
            self.state = State::Head { searched: rest.len().saturating_sub(2) };
            return None;
        };
        let (head_bytes, draft) = (head.len(), Draft::read(head));
        self.start += head_bytes;
        let missing = HeaderError::Missing(HeaderName::ContentLength);
        match draft.headers.content_length().and_then(|length| length.ok_or(missing)) {
            Ok(bytes) if bytes <= MAX_MESSAGE_BYTES - head_bytes => {
                self.state = State::Body { draft: Box::new(draft), bytes };
                Some(None)
            }
            Ok(_) => {
                self.fail(FramingError::TooLong);
                Some(Some(draft.into_malformed(ParseError::TooLong)))
            }
            Err(error) => {
                self.fail(FramingError::ContentLength);
                Some(Some(draft.into_malformed(error.into())))
            }
        }
    }

    /// In `Body`: hands the message out once its last byte is there.
    fn read_body(&mut self, draft: Box<Draft>, bytes: usize) -> Option<Framed> {
        let Some(body) = self.buffer.get(self.start..self.start + bytes).map(<[u8]>::to_vec) else {
            self.state = State::Body { draft, bytes };
            return None;
        };
        self.start += bytes;
        self.begun = None;
        Some(match draft.into_message(body) {
            Ok(message) => Framed::Message(message),
            Err(malformed) => Framed::Malformed(malformed),
        })
    }

    fn fail(&mut self, error: FramingError) {
        self.state = State::Failed(error);
        self.begun = None;
        self.newlines = 0;
        self.start = 0;
        self.buffer = Vec::new();
    }
}

/// How long a message may take from its first byte to its last. After 64*T1 the transaction that it belongs to is dead
/// (RFC 3261 17), and a connection that sends a byte now and then only holds memory.
pub const MESSAGE_PATIENCE: Duration = Duration::from_secs(32);

/// One message that is not complete and one read of the same size behind it.
const MAX_BUFFER_BYTES: usize = 2 * MAX_MESSAGE_BYTES;

/// Kept by an idle connection: enough for a usual INVITE, little enough for thousands of connections.
const IDLE_BUFFER_BYTES: usize = 2048;
