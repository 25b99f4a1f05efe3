//! The endpoint: one user agent core with its transactions and INVITE sessions (RFC 3261 8, 12, 13, 14, 15, 17).
//!
//! It holds no socket, clock, thread or lock. Four families of methods:
//!
//! - **inputs** `handle_*`: messages, transport errors, answers to address questions, the passing of time;
//! - **commands** of the application: `invite`, `accept`, `bye` and so on;
//! - **outputs** `poll_transmit` and `poll_event`: drain both after every input and every command;
//! - `poll_timeout`: call `handle_timeout` when that instant has come.
//!
//! Instants passed in must not run backwards.

mod command;
mod config;
mod event;
mod flow;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

pub use command::{Body, OutgoingInvite, Reply, SessionError};
pub use config::{Counters, EndpointConfig, Limits};
pub use event::{Event, Failure, QueryId, SessionId, SipDirection, SipTrace};
pub use flow::{Flow, Target, Transmit, Transport};

use crate::message::{Malformed, Message, Uri};

/// A SIP user agent for INVITE sessions. See the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    counters: Counters,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    is_accepting: bool,
}

/// Inputs.
impl Endpoint {
    /// Makes an endpoint. The seed must be unpredictable in production: tags, branches and Call-IDs, which tell our
    /// dialogs from forged ones, come from it (RFC 3261 19.3).
    pub fn new(config: EndpointConfig, _seed: u64) -> Self {
        Self { config, counters: Counters::default(), transmits: VecDeque::new(), events: VecDeque::new(), is_accepting: true }
    }

    /// Takes one datagram.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        let parsed = Message::parse_datagram(bytes);
        self.handle_message(now, flow, parsed);
    }

    /// Takes one message that a stream framer cut.
    pub fn handle_message(&mut self, _now: Instant, _flow: Flow, _framed: Result<Message, Malformed>) {
        self.counters.received += 1;
    }

    /// A connection failed or closed, or an ICMP error came back for a datagram.
    pub fn handle_transport_error(&mut self, _now: Instant, _flow: Flow) {}

    /// The addresses for [`Event::Resolve`], best first; none means that the name has none.
    pub fn handle_resolved(&mut self, _now: Instant, _query: QueryId, _addresses: &[IpAddr]) {}

    /// Time has passed.
    pub fn handle_timeout(&mut self, _now: Instant) {}
}

/// Outputs.
impl Endpoint {
    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sessions that have not terminated.
    pub fn session_count(&self) -> usize {
        0
    }
}

/// Commands of the application.
impl Endpoint {
    /// Sends a provisional response (101-199) to an INVITE.
    pub fn provisional(&mut self, _now: Instant, id: SessionId, _reply: Reply) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Accepts an INVITE with 200. The response is repeated until the ACK comes; after 64*T1 without one a BYE is
    /// sent (RFC 3261 13.3.1.4).
    pub fn accept(&mut self, _now: Instant, id: SessionId, _body: Body, _contact: Uri) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Refuses or redirects an INVITE with a final response of 300 or above.
    pub fn reject(&mut self, _now: Instant, id: SessionId, _reply: Reply) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Places a call.
    pub fn invite(&mut self, _now: Instant, _invite: OutgoingInvite) -> Result<SessionId, SessionError> {
        Err(SessionError::Full { what: "sessions", limit: 0 })
    }

    /// Acknowledges [`Event::Answered`] or [`Event::ReinviteAccepted`]. The body is our answer when the 2xx carried an
    /// offer. The endpoint repeats the same ACK for every repeat of the 2xx.
    pub fn acknowledge(&mut self, _now: Instant, id: SessionId, _body: Option<Body>) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Gives up an INVITE of ours that is not answered yet. The CANCEL waits for a provisional response (RFC 3261 9.1).
    pub fn cancel(&mut self, _now: Instant, id: SessionId) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Hangs up. On a call of ours that is not answered yet it cancels; on one that we answered and whose ACK has not
    /// come the BYE waits for the ACK or its timeout (RFC 3261 15). `reason` is the value of a Reason header.
    pub fn bye(&mut self, _now: Instant, id: SessionId, _reason: Option<String>) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Sends a re-INVITE with an offer, or asks the peer for one. 491 is retried after the RFC's random wait.
    pub fn reinvite(&mut self, _now: Instant, id: SessionId, _body: Option<Body>) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Accepts the peer's re-INVITE with 200.
    pub fn accept_reinvite(&mut self, _now: Instant, id: SessionId, _body: Body) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// Refuses the peer's re-INVITE; the session stands as it was.
    pub fn reject_reinvite(&mut self, _now: Instant, id: SessionId, _reply: Reply) -> Result<(), SessionError> {
        Err(SessionError::Unknown(id))
    }

    /// While `false`, OPTIONS is answered 503 with Retry-After, so that carriers' probes fail over. New INVITEs are still
    /// handed up: refusing them is the application's policy.
    pub fn set_accepting(&mut self, accepting: bool) {
        self.is_accepting = accepting;
    }
}
