//! What an endpoint is built from, and what it counts.

use crate::transaction::Timers;

/// Configuration of an endpoint, fixed for its life.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Value of User-Agent in requests and Server in responses; `None` omits both, so that scanners learn nothing.
    pub user_agent: Option<String>,
    /// The timer values of RFC 3261 17.
    pub timers: Timers,
    /// Sizes of the tables.
    pub limits: Limits,
    /// Whether each message of a session becomes an [`Event::Sip`](super::Event::Sip).
    pub trace: bool,
    /// Retry-After of the responses that the endpoint refuses by itself (full, draining), seconds.
    pub retry_after_s: u32,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            user_agent: None,
            timers: Timers::default(),
            limits: Limits::default(),
            trace: true,
            retry_after_s: 5,
        }
    }
}

/// Sizes of the endpoint's tables. What does not fit is refused and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Sessions at once. A new INVITE beyond it gets 503. The default is ten times the calls of a busy machine.
    pub sessions: usize,
    /// Transactions at once, client and server together. A finished call leaves its BYE behind for 32 s
    /// (timer J), so the default carries 1,000 calls a second of UDP with their INVITEs.
    pub transactions: usize,
    /// Largest body of an INVITE, bytes; beyond it 513. No session description of a phone comes near 16 KiB.
    pub body_bytes: usize,
    /// Outputs that may wait. While more wait, received messages are dropped, as the network would drop them.
    pub queued_outputs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 20_000, transactions: 100_000, body_bytes: 16 * 1024, queued_outputs: 20_000 }
    }
}

/// What the endpoint counted since it was made. None of these ever falls.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Messages taken in.
    pub received: u64,
    /// Messages handed to `poll_transmit`.
    pub sent: u64,
    /// Messages that could not be parsed.
    pub malformed: u64,
    /// Requests received again and answered from the transaction or absorbed.
    pub retransmissions_received: u64,
    /// Messages sent again because a timer ran out or the peer repeated its own.
    pub retransmissions_sent: u64,
    /// Responses that match no transaction of ours, or carry more than one Via. Dropped.
    pub stray_responses: u64,
    /// ACKs that match nothing. Ignored.
    pub stray_acks: u64,
    /// Requests inside a dialog that does not exist; answered 481.
    pub stray_requests: u64,
    /// Requests that the endpoint refused by itself with a final response (400, 405, 415, 416, 420, 481 ...).
    pub refused: u64,
    /// INVITEs answered 503, and commands and other requests refused, because a table was full.
    pub dropped_by_limit: u64,
    /// Messages dropped because too many outputs waited to be polled.
    pub dropped_by_backlog: u64,
    /// Merged requests answered 482.
    pub merged: u64,
    /// INVITEs refused with 491 or 500 because another was in progress.
    pub glare: u64,
    /// Client transactions that ended without a final response.
    pub timeouts: u64,
    /// Client transactions that ended because the transport failed.
    pub transport_errors: u64,
    /// Requests sent again to another address of the same target.
    pub failovers: u64,
    /// 2xx responses of other branches of a forked INVITE, ended by ACK and BYE.
    pub forked_answers: u64,
}
