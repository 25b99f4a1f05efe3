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
pub(crate) mod hop;
mod in_dialog;
pub(crate) mod outbound;
mod output;
mod receive;
mod refuse;
pub(crate) mod reply;
mod responses;
pub(crate) mod schedule;
mod table;
mod timeouts;
pub(crate) mod token;
mod transmit;
mod uac;
mod uas;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

pub use crate::transaction::Timers;
pub use command::{Body, OutgoingInvite, Reply, SessionError};
pub use config::{Counters, EndpointConfig, Limits};
pub use event::{Event, Failure, QueryId, SessionId, SipDirection, SipTrace};
pub use transmit::{Target, Transmit};

use self::outbound::Query;
use self::output::Outputs;
use self::schedule::Schedule;
use self::token::{SeededHasher, Tokens};
use crate::dialog::DialogId;
use crate::dialog::session::Session;
use crate::message::{Malformed, Message, Uri};
use crate::transaction::{Clients, Servers};
use crate::transport::Flow;

/// A SIP user agent for INVITE sessions. See the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    tokens: Tokens,
    schedule: Schedule,
    clients: Clients,
    servers: Servers,
    sessions: HashMap<SessionId, Session, SeededHasher>,
    /// Which session a request inside a dialog belongs to.
    dialogs: HashMap<DialogId, SessionId, SeededHasher>,
    /// Requests that wait for addresses.
    queries: HashMap<QueryId, Query, SeededHasher>,
    outputs: Outputs,
    last_session: u64,
    last_query: u64,
    next_tag: Option<String>,
    is_accepting: bool,
}

/// Inputs.
impl Endpoint {
    /// Makes an endpoint. The seed must be unpredictable in production: tags, branches and Call-IDs, which tell our
    /// dialogs from forged ones, come from it (RFC 3261 19.3).
    pub fn new(config: EndpointConfig, seed: u64) -> Self {
        let mut tokens = Tokens::new(seed);
        let hasher = tokens.table_hasher();
        Self {
            schedule: Schedule::new(config.timers.at_least(SHORTEST_TIMER)),
            config,
            tokens,
            clients: Clients::new(hasher),
            servers: Servers::new(hasher),
            sessions: HashMap::with_hasher(hasher),
            dialogs: HashMap::with_hasher(hasher),
            queries: HashMap::with_hasher(hasher),
            outputs: Outputs::default(),
            last_session: 0,
            last_query: 0,
            next_tag: None,
            is_accepting: true,
        }
    }

    /// Takes one datagram.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        let parsed = Message::parse_datagram(bytes);
        self.handle_message(now, flow, parsed);
    }

    /// Takes one message that a stream framer cut.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, framed: Result<Message, Malformed>) {
        self.receive(now, flow, framed);
    }

    /// A connection failed or closed, or an ICMP error came back for a datagram. What counts is the protocol and the
    /// remote address: that of the message's target or of its fallback.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.flow_failed(now, flow);
    }

    /// The tag of ours that the next new INVITE's dialog takes instead of a random one; `None` takes it back. For calls that
    /// are run again from a capture: the captured ACK and BYE name the tag of then (RFC 3261 12.2.2).
    pub fn set_next_tag(&mut self, tag: Option<String>) {
        self.next_tag = tag;
    }

    /// The addresses for [`Event::Resolve`], best first; none means that the name has none.
    pub fn handle_resolved(&mut self, now: Instant, query: QueryId, addresses: &[IpAddr]) {
        self.resolved(now, query, addresses);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.run_timers(now);
    }
}

/// Outputs.
impl Endpoint {
    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outputs.transmits.pop_front()
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outputs.events.pop_front()
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.queue.next()
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.outputs.counters
    }

    /// Sessions that have not terminated.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Transactions that have not ended. Some outlive their session by up to 64*T1.
    pub fn transaction_count(&self) -> usize {
        self.clients.len() + self.servers.len()
    }
}

/// Commands of the application.
impl Endpoint {
    /// Sends a provisional response (101-199) to an INVITE.
    pub fn provisional(&mut self, now: Instant, id: SessionId, reply: Reply) -> Result<(), SessionError> {
        self.send_provisional(now, id, reply)
    }

    /// Accepts an INVITE with 200. The response is repeated until the ACK comes; after 64*T1 without one a BYE is
    /// sent (RFC 3261 13.3.1.4).
    pub fn accept(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Body,
        contact: Uri,
    ) -> Result<(), SessionError> {
        self.send_answer(now, id, body, contact)
    }

    /// Refuses or redirects an INVITE with a final response of 300 or above.
    pub fn reject(&mut self, now: Instant, id: SessionId, reply: Reply) -> Result<(), SessionError> {
        self.send_rejection(now, id, reply)
    }

    /// Places a call.
    pub fn invite(&mut self, now: Instant, invite: OutgoingInvite) -> Result<SessionId, SessionError> {
        self.place_call(now, invite)
    }

    /// Acknowledges [`Event::Answered`] or [`Event::ReinviteAccepted`]. The body is our answer when the 2xx carried an
    /// offer. The endpoint repeats the same ACK for every repeat of the 2xx.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Option<Body>,
    ) -> Result<(), SessionError> {
        self.send_ack(now, id, body)
    }

    /// Gives up an INVITE of ours that is not answered yet. The CANCEL waits for a provisional response (RFC 3261 9.1).
    pub fn cancel(&mut self, now: Instant, id: SessionId) -> Result<(), SessionError> {
        self.give_up(now, id)
    }

    /// Hangs up. On a call of ours that is not answered yet it cancels; on one that we answered and whose ACK has not
    /// come the BYE waits for the ACK or its timeout (RFC 3261 15). One that waits for our answer takes `reject` instead.
    /// `reason` is the value of a Reason header (RFC 3326).
    pub fn bye(&mut self, now: Instant, id: SessionId, reason: Option<String>) -> Result<(), SessionError> {
        self.hang_up(now, id, reason)
    }

    /// Sends BYE now on every session whose ACK has not come. RFC 3261 15 wants a BYE to wait for the ACK; this is for an
    /// application that is about to go away and has no later.
    pub fn bye_unacknowledged(&mut self, now: Instant) {
        self.give_up_on_acks(now);
    }

    /// Sends a re-INVITE with an offer, or asks the peer for one. 491 is retried after the RFC's random wait.
    pub fn reinvite(&mut self, now: Instant, id: SessionId, body: Option<Body>) -> Result<(), SessionError> {
        self.start_reinvite(now, id, body)
    }

    /// Accepts the peer's re-INVITE with 200.
    pub fn accept_reinvite(&mut self, now: Instant, id: SessionId, body: Body) -> Result<(), SessionError> {
        self.answer_reinvite(now, id, body)
    }

    /// Refuses the peer's re-INVITE; the session stands as it was.
    pub fn reject_reinvite(&mut self, now: Instant, id: SessionId, reply: Reply) -> Result<(), SessionError> {
        self.refuse_reinvite(now, id, reply)
    }

    /// While `false`, OPTIONS is answered 503 with Retry-After, so that carriers' probes fail over. New INVITEs are still
    /// handed up: refusing them is the application's policy.
    pub fn set_accepting(&mut self, accepting: bool) {
        self.is_accepting = accepting;
    }
}

/// A timer of zero would run out again at the instant at which it is set.
const SHORTEST_TIMER: Duration = Duration::from_millis(1);
