//! Requests on their way out: address questions, the topmost Via, and the next address when one fails (RFC 3261 8.1.2,
//! 18.1.1; RFC 3263 4.3).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::Endpoint;
use super::event::{Event, Failure, QueryId, SessionId};
use super::hop::{Hop, NextHop};
use super::schedule::Owner;
use super::transmit::{Target, Transmit};
use crate::dialog::session::State;
use crate::message::{HeaderName, Request};
use crate::transaction::ClientId;
use crate::transaction::key::SentBy;
use crate::transport::Transport;

/// Why a request is sent: who hears of its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Invite(SessionId),
    Reinvite(SessionId),
    Cancel(SessionId),
    Bye(SessionId),
    /// Ends a 2xx that no session wants (RFC 3261 13.2.2.4).
    StrayBye(SessionId),
    /// The ACK of a 2xx, which has no transaction; it is kept with the one of its INVITE.
    Ack {
        session: SessionId,
        client: ClientId,
        to_tag: Box<str>,
    },
}

impl Purpose {
    pub(crate) fn session(&self) -> SessionId {
        match self {
            Self::Invite(id) | Self::Reinvite(id) | Self::Cancel(id) | Self::Bye(id) | Self::StrayBye(id) => {
                *id
            }
            Self::Ack { session, .. } => *session,
        }
    }
}

/// A request and where it may go.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    /// Without a Via before it is sent, with ours on top after.
    pub(crate) request: Request,
    pub(crate) purpose: Purpose,
    pub(crate) next_hop: NextHop,
    /// Host and port that our Vias name.
    pub(crate) sent_by: SentBy,
    /// The address to send from.
    pub(crate) local: Option<SocketAddr>,
    /// The branch of the topmost Via, once sent.
    pub(crate) branch: String,
    /// Addresses not tried yet.
    pub(crate) hops: VecDeque<Hop>,
}

/// A request that waits for addresses.
#[derive(Debug)]
pub(crate) struct Query {
    outbound: Outbound,
    registered: Option<Instant>,
}

impl Endpoint {
    /// Sends a request, asking for addresses first where the next hop is a name.
    pub(crate) fn dispatch(&mut self, now: Instant, mut outbound: Outbound) {
        match outbound.next_hop.host.address() {
            Some(ip) => {
                outbound.hops = outbound.next_hop.hops(&[ip], outbound.size_bytes());
                self.launch(now, outbound);
            }
            None => self.ask(now, outbound),
        }
    }

    fn ask(&mut self, now: Instant, outbound: Outbound) {
        if self.queries.len() >= self.config.limits.transactions {
            self.outputs.counters.dropped_by_limit += 1;
            return self.unreachable(now, outbound.purpose, Failure::Unresolved);
        }
        self.last_query += 1;
        let query = QueryId(self.last_query);
        let host = outbound.next_hop.host.to_string();
        let mut registered = None;
        self.schedule.queue.reschedule(Owner::Query(query), &mut registered, Some(now + RESOLVE_PATIENCE));
        self.queries.insert(query, Query { outbound, registered });
        self.outputs.event(Event::Resolve { query, host });
    }

    pub(crate) fn resolved(&mut self, now: Instant, query: QueryId, addresses: &[IpAddr]) {
        let Some(Query { mut outbound, mut registered }) = self.queries.remove(&query) else { return };
        self.schedule.queue.reschedule(Owner::Query(query), &mut registered, None);
        if !self.is_wanted(&outbound.purpose) {
            return;
        }
        if addresses.is_empty() {
            return self.unreachable(now, outbound.purpose, Failure::Unresolved);
        }
        outbound.hops = outbound.next_hop.hops(addresses, outbound.size_bytes());
        self.launch(now, outbound);
    }

    /// Whether anybody still waits for this request to be sent.
    pub(crate) fn is_wanted(&self, purpose: &Purpose) -> bool {
        let state = self.sessions.get(&purpose.session()).map(|s| &s.state);
        match purpose {
            Purpose::Invite(_) => matches!(state, Some(State::Outgoing(c)) if !c.progress.is_cancelled()),
            Purpose::Reinvite(_) => matches!(state, Some(State::Established(_))),
            Purpose::Bye(_) => matches!(state, Some(State::Closing { .. })),
            Purpose::Cancel(_) | Purpose::StrayBye(_) | Purpose::Ack { .. } => true,
        }
    }

    /// Sends a request to its next address in a transaction of its own.
    fn launch(&mut self, now: Instant, mut outbound: Outbound) {
        let Some(hop) = outbound.hops.pop_front() else {
            return self.unreachable(now, outbound.purpose, Failure::Transport);
        };
        outbound.branch = self.tokens.branch();
        outbound.put_via(hop);
        let target = Target { transport: hop.transport, local: outbound.local, remote: hop.remote };
        let bytes = outbound.request.to_bytes().into();
        let session = Some(outbound.purpose.session());
        let transmit = Transmit { target, fallback: hop.fallback, bytes, session };
        self.send(transmit.clone(), Repeat::First);
        match outbound.purpose.clone() {
            Purpose::Ack { client, to_tag, .. } => {
                if let Some(invite) = self.clients.transaction_mut(client) {
                    invite.keep_ack(&to_tag, transmit);
                }
            }
            Purpose::Invite(id) => {
                let client = self.clients.open(&mut self.schedule, now, outbound, transmit);
                self.call_launched(id, client);
            }
            Purpose::Reinvite(id) => {
                let client = self.clients.open(&mut self.schedule, now, outbound, transmit);
                self.reinvite_launched(id, client);
            }
            Purpose::Cancel(_) | Purpose::Bye(_) | Purpose::StrayBye(_) => {
                self.clients.open(&mut self.schedule, now, outbound, transmit);
            }
        }
    }

    /// Tries the next address of a request whose transaction has failed. `false` if there is none.
    pub(crate) fn fail_over(&mut self, now: Instant, mut outbound: Outbound, failure: &Failure) -> bool {
        if !matches!(failure, Failure::Transport) {
            while outbound.hops.front().is_some_and(|hop| hop.is_second_choice) {
                outbound.hops.pop_front();
            }
        }
        if outbound.hops.is_empty() {
            return false;
        }
        self.outputs.counters.failovers += 1;
        self.launch(now, outbound);
        true
    }
}

impl Outbound {
    /// A request that was not sent yet.
    pub(crate) fn new(
        request: Request,
        purpose: Purpose,
        next_hop: NextHop,
        sent_by: SentBy,
        local: Option<SocketAddr>,
    ) -> Self {
        Self { request, purpose, next_hop, sent_by, local, branch: String::new(), hops: VecDeque::new() }
    }

    /// How large the request will be with our Via.
    fn size_bytes(&self) -> usize {
        let request = &self.request;
        let start = request.method.as_str().len() + request.uri.to_string().len() + " SIP/2.0\r\n".len() + 1;
        let via =
            self.sent_by.via(Transport::Udp, SAMPLE_BRANCH).to_string().len() + "Via".len() + LINE_BYTES;
        let lines = request.headers.iter().map(|h| h.name.as_str().len() + h.value.len() + LINE_BYTES);
        let length = "Content-Length: 1234\r\n\r\n".len();
        start + via + lines.sum::<usize>() + length + request.body.len()
    }

    /// Puts our Via on top, in the place of one for an earlier address.
    fn put_via(&mut self, hop: Hop) {
        let via = self.sent_by.via(hop.transport, &self.branch).to_string();
        self.request.headers.remove(&HeaderName::Via);
        self.request.headers.push_front(HeaderName::Via, via);
    }
}

/// Whether a message leaves for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    First,
    Again,
}

/// Longest wait for addresses. Resolvers give up after 5-10 s themselves.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(10);

/// The colon, space and line end of a header line.
const LINE_BYTES: usize = 4;

/// As long as every branch of ours.
const SAMPLE_BRANCH: &str = "z9hG4bK0123456789abcdef";
