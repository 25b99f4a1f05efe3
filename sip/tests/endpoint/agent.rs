//! One endpoint in virtual time, and a peer made of text.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caly_sip::endpoint::{
    Body, Endpoint, EndpointConfig, Event, OutgoingInvite, QueryId, SessionId, SipTrace, Transmit,
};
use caly_sip::message::{HeaderName, Headers, Message, NameAddr, Request, Response, Uri};
use caly_sip::transport::{Flow, Transport};

/// An endpoint with its clock and all that it said.
pub(crate) struct Agent {
    pub(crate) endpoint: Endpoint,
    pub(crate) epoch: Instant,
    pub(crate) now: Instant,
    /// What it sent, with the time since the epoch.
    pub(crate) sent: Vec<(Duration, Transmit)>,
    pub(crate) events: Vec<Event>,
    pub(crate) ladder: Vec<SipTrace>,
    /// Sessions that have terminated: no event may name them again.
    ended: HashSet<SessionId>,
    /// Sessions that any event has named.
    pub(crate) known: BTreeSet<SessionId>,
    pub(crate) flow: Flow,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self::with_config(EndpointConfig::default())
    }

    pub(crate) fn with_config(config: EndpointConfig) -> Self {
        let epoch = Instant::now();
        Self {
            endpoint: Endpoint::new(config, 7),
            epoch,
            now: epoch,
            sent: Vec::new(),
            events: Vec::new(),
            ladder: Vec::new(),
            ended: HashSet::new(),
            known: BTreeSet::new(),
            flow: Flow { transport: Transport::Udp, local: address(LOCAL), remote: address(PEER) },
        }
    }

    pub(crate) fn over(transport: Transport) -> Self {
        let mut agent = Self::new();
        agent.flow.transport = transport;
        agent
    }

    /// Hands over a message of the peer.
    pub(crate) fn receive(&mut self, text: &str) {
        self.receive_over(self.flow, text);
    }

    pub(crate) fn receive_over(&mut self, flow: Flow, text: &str) {
        match flow.transport {
            Transport::Udp => self.endpoint.handle_datagram(self.now, flow, text.as_bytes()),
            Transport::Tcp | Transport::Tls => {
                self.endpoint.handle_message(self.now, flow, Message::parse_datagram(text.as_bytes()));
            }
        }
        self.drain();
    }

    /// Lets time pass, serving each timer at its instant.
    pub(crate) fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets time pass until nothing is waited for.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let Some(at) = self.endpoint.poll_timeout() else { return };
            self.advance(at.saturating_duration_since(self.now));
        }
        panic!("timers never end");
    }

    pub(crate) fn drain(&mut self) {
        let since = self.now - self.epoch;
        self.sent.extend(std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|t| (since, t)));
        while let Some(event) = self.endpoint.poll_event() {
            if let Some(id) = id_of(&event) {
                assert!(!self.ended.contains(&id), "after its end: {event:?}");
                self.known.insert(id);
            }
            if let Event::Terminated { id } = event {
                self.ended.insert(id);
            }
            match event {
                Event::Sip(trace) => self.ladder.push(trace),
                event => self.events.push(event),
            }
        }
    }

    /// Sessions that have not terminated.
    pub(crate) fn alive(&self) -> Vec<SessionId> {
        self.known.iter().copied().filter(|id| !self.ended.contains(id)).collect()
    }

    /// Takes all that was sent so far.
    pub(crate) fn take_sent(&mut self) -> Vec<Transmit> {
        std::mem::take(&mut self.sent).into_iter().map(|(_, t)| t).collect()
    }

    /// Takes the texts of all that was sent so far.
    pub(crate) fn take_texts(&mut self) -> Vec<String> {
        self.take_sent().iter().map(text_of).collect()
    }

    /// Takes the one message that was sent.
    pub(crate) fn take_one(&mut self) -> Transmit {
        let mut sent = self.take_sent();
        assert_eq!(sent.len(), 1, "{:#?}", sent.iter().map(text_of).collect::<Vec<_>>());
        sent.remove(0)
    }

    pub(crate) fn take_request(&mut self) -> Request {
        request_of(&self.take_one())
    }

    pub(crate) fn take_response(&mut self) -> Response {
        response_of(&self.take_one())
    }

    /// Takes what happened, traces apart, as names.
    pub(crate) fn take_event_names(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.events).iter().map(name_of).collect()
    }

    /// Milliseconds since the epoch at which a message starting like this was sent.
    pub(crate) fn times_of(&self, start: &str) -> Vec<u128> {
        let is_meant = |t: &Transmit| text_of(t).starts_with(start);
        self.sent.iter().filter(|(_, t)| is_meant(t)).map(|(at, _)| at.as_millis()).collect()
    }

    /// Takes in an INVITE of the peer and returns its session.
    pub(crate) fn invited(&mut self) -> SessionId {
        self.receive(&invite("z9hG4bKa1"));
        let id = self.last_invite();
        self.take_event_names();
        self.take_sent();
        id
    }

    pub(crate) fn last_invite(&self) -> SessionId {
        let id = self.events.iter().rev().find_map(|e| match e {
            Event::Invite { id, .. } => Some(*id),
            _ => None,
        });
        id.expect("no INVITE was handed up")
    }

    /// Takes in an INVITE, answers it, and takes in the ACK. Returns the session and our tag.
    pub(crate) fn answered(&mut self) -> (SessionId, String) {
        let id = self.invited();
        self.endpoint.accept(self.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
        self.drain();
        let tag = to_tag(&self.take_response().headers);
        self.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKack"));
        assert_eq!(self.take_event_names(), ["Acknowledged"]);
        (id, tag)
    }

    /// Places a call and returns its session and the INVITE.
    pub(crate) fn calls(&mut self) -> (SessionId, Request) {
        let id = self.endpoint.invite(self.now, outgoing("sip:bob@192.0.2.9")).unwrap();
        self.drain();
        (id, self.take_request())
    }

    /// Places a call that the peer answers; acknowledges. Returns the session and the INVITE.
    pub(crate) fn called(&mut self) -> (SessionId, Request) {
        let (id, request) = self.calls();
        self.receive(&reply(&request, 200, "bob"));
        self.endpoint.acknowledge(self.now, id, None).unwrap();
        self.drain();
        self.take_sent();
        assert_eq!(self.take_event_names(), ["Answered"]);
        (id, request)
    }

    pub(crate) fn last_query(&self) -> QueryId {
        let query = self.events.iter().rev().find_map(|e| match e {
            Event::Resolve { query, .. } => Some(*query),
            _ => None,
        });
        query.expect("no name was asked for")
    }

    /// Asserts that nothing is left behind.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.endpoint.session_count(), 0, "sessions");
        assert_eq!(self.endpoint.transaction_count(), 0, "transactions");
        assert_eq!(self.endpoint.poll_timeout(), None, "timers");
        // The indexes beside the tables have no accessors, and need none but this.
        let state = format!("{:?}", self.endpoint);
        for (index, times) in [
            ("transactions: {}", 2),
            ("keys: {}", 3),
            ("remotes: {}", 1),
            ("dialogs: {}", 1),
            ("queries: {}", 1),
        ] {
            assert_eq!(state.matches(index).count(), times, "{index}");
        }
    }
}

pub(crate) const LOCAL: &str = "198.51.100.7:5060";
pub(crate) const PEER: &str = "192.0.2.9:5060";

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// Our Contact.
pub(crate) fn contact() -> Uri {
    uri("sip:caly@198.51.100.7:5060")
}

/// A call to this URI.
pub(crate) fn outgoing(target: &str) -> OutgoingInvite {
    OutgoingInvite {
        target: uri(target),
        from: NameAddr::new(uri("sip:caly@198.51.100.7")),
        to: NameAddr::new(uri(target)),
        contact: contact(),
        routes: Vec::new(),
        transport: None,
        local: None,
        headers: Headers::new(),
        body: Some(Body::sdp("v=0\r\n")),
    }
}

/// The peer's INVITE.
pub(crate) fn invite(branch: &str) -> String {
    invite_with(branch, "Content-Type: application/sdp\r\n", "v=0\r\n")
}

/// The peer's INVITE with these header lines and this body.
pub(crate) fn invite_with(branch: &str, lines: &str, body: &str) -> String {
    format!(
        "INVITE sip:caly@198.51.100.7 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\r\n\
         From: \"Alice\" <sip:alice@192.0.2.9>;tag=alice\r\n\
         To: <sip:caly@198.51.100.7>\r\n\
         Call-ID: call-1@192.0.2.9\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:alice@192.0.2.9:5060>\r\n\
         Max-Forwards: 70\r\n\
         {lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request of the peer inside the dialog that its INVITE opened; also ACK with its INVITE's number.
pub(crate) fn in_dialog(method: &str, number: u32, our_tag: &str, branch: &str) -> String {
    format!(
        "{method} sip:caly@198.51.100.7:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\r\n\
         From: \"Alice\" <sip:alice@192.0.2.9>;tag=alice\r\n\
         To: <sip:caly@198.51.100.7>;tag={our_tag}\r\n\
         Call-ID: call-1@192.0.2.9\r\n\
         CSeq: {number} {method}\r\n\
         Contact: <sip:alice@192.0.2.9:5060>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A request of the callee inside the dialog that our INVITE opened.
pub(crate) fn from_callee(invite: &Request, method: &str, number: u32, branch: &str) -> String {
    let value = |name| invite.headers.first(&name).unwrap().to_owned();
    format!(
        "{method} sip:caly@198.51.100.7:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\r\n\
         From: {};tag=bob\r\n\
         To: {}\r\n\
         Call-ID: {}\r\n\
         CSeq: {number} {method}\r\n\
         Contact: <sip:bob@192.0.2.9:5060>\r\n\
         Content-Length: 0\r\n\r\n",
        value(HeaderName::To),
        value(HeaderName::From),
        value(HeaderName::CallId),
    )
}

/// The peer's response to a request of ours.
pub(crate) fn reply(request: &Request, status: u16, tag: &str) -> String {
    reply_with(request, status, tag, "Contact: <sip:bob@192.0.2.9:5060>\r\n")
}

/// The peer's response with these header lines.
pub(crate) fn reply_with(request: &Request, status: u16, tag: &str, lines: &str) -> String {
    let value = |name| request.headers.first(&name).unwrap().to_owned();
    let to = value(HeaderName::To);
    let to = if to.contains(";tag=") || tag.is_empty() { to } else { format!("{to};tag={tag}") };
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         {lines}Content-Length: 0\r\n\r\n",
        value(HeaderName::Via),
        value(HeaderName::From),
        value(HeaderName::CallId),
        value(HeaderName::CSeq),
    )
}

pub(crate) fn text_of(transmit: &Transmit) -> String {
    String::from_utf8(transmit.bytes.to_vec()).unwrap()
}

pub(crate) fn start_line(text: &str) -> &str {
    text.lines().next().unwrap()
}

pub(crate) fn request_of(transmit: &Transmit) -> Request {
    match Message::parse_datagram(&transmit.bytes).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response: {}", text_of(transmit)),
    }
}

pub(crate) fn response_of(transmit: &Transmit) -> Response {
    match Message::parse_datagram(&transmit.bytes).unwrap() {
        Message::Response(response) => response,
        Message::Request(_) => panic!("a request: {}", text_of(transmit)),
    }
}

pub(crate) fn to_tag(headers: &Headers) -> String {
    headers.essentials().unwrap().to.tag().unwrap().to_owned()
}

pub(crate) fn branch_of(headers: &Headers) -> String {
    headers.essentials().unwrap().via.branch().unwrap().to_owned()
}

/// The session that an event names.
pub(crate) fn id_of(event: &Event) -> Option<SessionId> {
    match event {
        Event::Invite { id, .. }
        | Event::Acknowledged { id, .. }
        | Event::AckTimeout { id }
        | Event::Cancelled { id }
        | Event::Bye { id, .. }
        | Event::Reinvite { id, .. }
        | Event::ReinviteCancelled { id }
        | Event::ReinviteAccepted { id, .. }
        | Event::ReinviteRejected { id, .. }
        | Event::Provisional { id, .. }
        | Event::Answered { id, .. }
        | Event::Rejected { id, .. }
        | Event::Lost { id }
        | Event::Terminated { id } => Some(*id),
        Event::Sip(trace) => Some(trace.id),
        Event::Resolve { .. } => None,
    }
}

pub(crate) fn name_of(event: &Event) -> &'static str {
    match event {
        Event::Invite { .. } => "Invite",
        Event::Acknowledged { .. } => "Acknowledged",
        Event::AckTimeout { .. } => "AckTimeout",
        Event::Cancelled { .. } => "Cancelled",
        Event::Bye { .. } => "Bye",
        Event::Reinvite { .. } => "Reinvite",
        Event::ReinviteCancelled { .. } => "ReinviteCancelled",
        Event::ReinviteAccepted { .. } => "ReinviteAccepted",
        Event::ReinviteRejected { .. } => "ReinviteRejected",
        Event::Provisional { .. } => "Provisional",
        Event::Answered { .. } => "Answered",
        Event::Rejected { .. } => "Rejected",
        Event::Lost { .. } => "Lost",
        Event::Terminated { .. } => "Terminated",
        Event::Resolve { .. } => "Resolve",
        Event::Sip(_) => "Sip",
    }
}
