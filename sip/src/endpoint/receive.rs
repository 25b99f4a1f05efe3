//! The core's first look at received messages (RFC 3261 8.2, 18.1.2): what belongs to a transaction, what the endpoint
//! refuses by itself, what goes to a session.

use std::time::Instant;

use super::Endpoint;
use super::event::SessionId;
use super::outbound::Repeat;
use super::refuse::Refusal;
use super::reply::{ReplyPath, stamp_via};
use crate::dialog::DialogId;
use crate::message::{Essentials, Malformed, Message, Method, Request};
use crate::transaction::key::ServerKey;
use crate::transaction::{ServerAction, ServerInput};
use crate::transport::Flow;

/// A received request and what was read from it once.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) flow: Flow,
    pub(crate) request: Request,
    pub(crate) essentials: Essentials,
    pub(crate) key: ServerKey,
    pub(crate) path: ReplyPath,
    /// The session that it was found to belong to.
    pub(crate) session: Option<SessionId>,
}

impl Arrival {
    /// What stays the same when the request is sent again.
    pub(crate) fn identity(&self) -> [&str; 4] {
        let essentials = &self.essentials;
        [
            &essentials.call_id,
            essentials.from.tag().unwrap_or_default(),
            essentials.via.branch().unwrap_or_default(),
            self.request.method.as_str(),
        ]
    }
}

impl Endpoint {
    pub(crate) fn receive(&mut self, now: Instant, flow: Flow, framed: Result<Message, Malformed>) {
        self.outputs.counters.received += 1;
        if self.outputs.waiting() >= self.config.limits.queued_outputs {
            self.outputs.counters.dropped_by_backlog += 1;
            return;
        }
        match framed {
            Ok(Message::Request(request)) => self.receive_request(now, flow, request),
            Ok(Message::Response(response)) => self.receive_response(now, flow, response),
            Err(malformed) => self.receive_malformed(flow, malformed),
        }
    }

    fn receive_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        let Ok(essentials) = request.essentials() else {
            self.outputs.counters.malformed += 1;
            return;
        };
        let path = ReplyPath::new(flow, &essentials.via);
        stamp_via(&mut request.headers, &essentials.via, flow.remote);
        let key = ServerKey::of(&request, &essentials);
        let mut arrival = Arrival { flow, request, essentials, key, path, session: None };
        if arrival.request.method == Method::Ack {
            return self.receive_ack(now, arrival);
        }
        if let Some(server) = self.servers.find(&arrival.key) {
            arrival.session = self.servers.transaction(server).and_then(|t| t.session);
            self.trace_request(&arrival, Repeat::Again);
            self.outputs.counters.retransmissions_received += 1;
            if self.servers.step(&mut self.schedule, now, server, ServerInput::Repeat) == ServerAction::Resend
            {
                self.resend_response(server);
            }
            return;
        }
        match arrival.request.method {
            Method::Cancel => self.receive_cancel(now, arrival),
            _ => self.receive_new(now, arrival),
        }
    }

    /// A request that opens a server transaction (RFC 3261 8.2.1 to 8.2.3, 12.2.2).
    fn receive_new(&mut self, now: Instant, arrival: Arrival) {
        match self.inspect(&arrival) {
            Some(Refusal::Merged) => return self.refuse_invite(now, &arrival, Refusal::Merged),
            Some(refusal) => return self.refuse(&arrival, refusal),
            None => {}
        }
        if arrival.essentials.to.tag().is_none() {
            return match arrival.request.method {
                Method::Invite => self.receive_invite(now, arrival),
                Method::Options => self.answer_options(&arrival),
                _ => self.refuse(&arrival, Refusal::NoDialog),
            };
        }
        match self.dialogs.get(&DialogId::of_request(&arrival.essentials)).copied() {
            Some(id) => self.receive_in_dialog(now, id, arrival),
            None => self.refuse(&arrival, Refusal::NoDialog),
        }
    }
}
