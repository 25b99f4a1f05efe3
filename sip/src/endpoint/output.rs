//! What waits to be polled, and the trace of a session's messages.

use std::collections::VecDeque;
use std::time::Instant;

use super::Endpoint;
use super::config::Counters;
use super::event::{Event, SessionId, SipDirection, SipTrace};
use super::outbound::Repeat;
use super::receive::Arrival;
use super::transmit::Transmit;
use crate::message::{HeaderName, Response, Uri};
use crate::transaction::{ServerId, StatusClass};
use crate::transport::Flow;

/// Queued outputs. Messages are refused while more than the limit wait; what one input, command or timer adds is a
/// handful, so the queues stay near it.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
}

impl Outputs {
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.transmits.len() + self.events.len()
    }
}

impl Endpoint {
    /// Queues a message.
    pub(crate) fn send(&mut self, transmit: Transmit, repeat: Repeat) {
        self.outputs.counters.sent += 1;
        if repeat == Repeat::Again {
            self.outputs.counters.retransmissions_sent += 1;
        }
        if let Some(id) = self.traced(transmit.session) {
            self.outputs.event(Event::Sip(trace_of_sent(id, &transmit, repeat)));
        }
        self.outputs.transmits.push_back(transmit);
    }

    /// Sends a response through its transaction and returns what was sent.
    pub(crate) fn respond(&mut self, now: Instant, server: ServerId, response: Response) -> Option<Transmit> {
        let transaction = self.servers.transaction(server)?;
        let class = StatusClass::from(response.status);
        let transmit = Transmit {
            target: transaction.path.target,
            fallback: transaction.path.fallback,
            session: transaction.session,
            bytes: self.signed(response).to_bytes().into(),
        };
        let sent = self.servers.respond(&mut self.schedule, now, server, (class, transmit));
        if let Some(transmit) = &sent {
            self.send(transmit.clone(), Repeat::First);
        }
        self.servers.take_terminated(server);
        sent
    }

    /// Adds who we are, if that is configured.
    pub(crate) fn signed(&self, mut response: Response) -> Response {
        if let Some(user_agent) = &self.config.user_agent {
            response.headers.push(HeaderName::Server, user_agent.as_str());
        }
        response
    }

    pub(crate) fn trace_request(&mut self, arrival: &Arrival, repeat: Repeat) {
        let trace = self.trace_of_request(arrival.session, arrival, repeat);
        self.outputs.events.extend(trace);
    }

    pub(crate) fn trace_of_request(
        &self,
        session: Option<SessionId>,
        arrival: &Arrival,
        repeat: Repeat,
    ) -> Option<Event> {
        let request = &arrival.request;
        Some(Event::Sip(SipTrace {
            id: self.traced(session)?,
            direction: SipDirection::Received,
            transport: arrival.flow.transport,
            peer: arrival.flow.remote,
            start_line: format!("{} {} SIP/2.0", request.method, request.uri.redacted()),
            cseq: request.headers.first(&HeaderName::CSeq).unwrap_or_default().to_owned(),
            body_bytes: request.body.len(),
            is_retransmission: repeat == Repeat::Again,
        }))
    }

    pub(crate) fn trace_response(
        &mut self,
        session: Option<SessionId>,
        flow: Flow,
        response: &Response,
        repeat: Repeat,
    ) {
        let Some(id) = self.traced(session) else { return };
        self.outputs.event(Event::Sip(SipTrace {
            id,
            direction: SipDirection::Received,
            transport: flow.transport,
            peer: flow.remote,
            start_line: format!("SIP/2.0 {} {}", response.status, response.reason),
            cseq: response.headers.first(&HeaderName::CSeq).unwrap_or_default().to_owned(),
            body_bytes: response.body.len(),
            is_retransmission: repeat == Repeat::Again,
        }));
    }

    fn traced(&self, session: Option<SessionId>) -> Option<SessionId> {
        session.filter(|id| self.config.trace && self.sessions.contains_key(id))
    }
}

/// Our own messages carry one CSeq line, printed by us.
fn trace_of_sent(id: SessionId, transmit: &Transmit, repeat: Repeat) -> SipTrace {
    let text = String::from_utf8_lossy(&transmit.bytes);
    let (header, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = header.split("\r\n");
    let start_line = redacted(lines.next().unwrap_or_default());
    let cseq = lines.find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default().to_owned();
    SipTrace {
        id,
        direction: SipDirection::Sent,
        transport: transmit.target.transport,
        peer: transmit.target.remote,
        start_line,
        cseq,
        body_bytes: body.len(),
        is_retransmission: repeat == Repeat::Again,
    }
}

/// A start line as we print them, without what people must not see of its Request-URI.
fn redacted(start_line: &str) -> String {
    let mut parts = start_line.splitn(3, ' ');
    match (parts.next(), parts.next().map(str::parse::<Uri>), parts.next()) {
        (Some(method), Some(Ok(uri)), Some(version)) => format!("{method} {} {version}", uri.redacted()),
        // A status line: its second word is no URI.
        _ => start_line.to_owned(),
    }
}
