//! The caller's side of a session until the ACK (RFC 3261 8.1, 9.1, 13.2).

use std::collections::VecDeque;
use std::time::Instant;

use super::Endpoint;
use super::command::{Body, OutgoingInvite, SessionError};
use super::event::{Event, Failure, SessionId};
use super::hop::{Hint, NextHop};
use super::outbound::{Outbound, Purpose, Repeat};
use super::transmit::Transmit;
use crate::dialog::exchange::Exchange;
use crate::dialog::invite_uac::{CallerAction, CallerInput, InviteUac};
use crate::dialog::invite_uas::ALLOW;
use crate::dialog::session::{Established, OutgoingCall, Session, SessionTimer, State};
use crate::dialog::{Dialog, MAX_FORWARDS, route};
use crate::message::{Essentials, HeaderName, Headers, Method, Request, Response, StatusCode};
use crate::transaction::ClientId;
use crate::transaction::follow_up::cancel_of;
use crate::transaction::key::SentBy;

/// Commands.
impl Endpoint {
    pub(crate) fn place_call(
        &mut self,
        now: Instant,
        invite: OutgoingInvite,
    ) -> Result<SessionId, SessionError> {
        if !self.has_room() {
            self.outputs.counters.dropped_by_limit += 1;
            return Err(SessionError::Full { what: "sessions", limit: self.config.limits.sessions });
        }
        let way = route::way(&invite.target, &invite.routes);
        let next_hop = NextHop::new(&way.next_hop, invite.transport, Hint::default());
        let next_hop = next_hop.ok_or(SessionError::Unroutable)?;
        let sent_by = SentBy::of(&invite.contact);
        let local = invite.local;
        let request = self.invite_request(invite, way);
        let id = self.new_session_id();
        let call = OutgoingCall { progress: InviteUac::Unsent, client: None };
        self.sessions.insert(id, Session::new(State::Outgoing(call)));
        self.dispatch(now, Outbound::new(request, Purpose::Invite(id), next_hop, sent_by, local));
        Ok(id)
    }

    fn invite_request(&mut self, invite: OutgoingInvite, way: route::Way) -> Request {
        let mut headers = Headers::new();
        for route in &way.routes {
            headers.push(HeaderName::Route, route.as_str());
        }
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        let mut from = invite.from;
        from.params.set("tag", Some(&self.tokens.tag()));
        headers.push(HeaderName::From, from.to_string());
        let mut to = invite.to;
        to.params.remove("tag");
        headers.push(HeaderName::To, to.to_string());
        headers.push(HeaderName::CallId, self.tokens.call_id());
        headers.push(HeaderName::CSeq, "1 INVITE");
        headers.push(HeaderName::Contact, format!("<{}>", invite.contact));
        headers.push(HeaderName::Allow, ALLOW);
        for header in &invite.headers {
            headers.push(header.name.clone(), header.value.as_str());
        }
        let mut request = Request { method: Method::Invite, uri: way.request_uri, headers, body: Vec::new() };
        self.complete_request(&mut request, invite.body);
        request
    }

    pub(crate) fn give_up(&mut self, now: Instant, id: SessionId) -> Result<(), SessionError> {
        let session = self.session_mut(id)?;
        let State::Outgoing(call) = &mut session.state else {
            return Err(SessionError::WrongState { id, state: session.state.name() });
        };
        let action = call.progress.handle(CallerInput::Cancel);
        self.continue_call(now, id, action);
        Ok(())
    }

    pub(crate) fn send_ack(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Option<Body>,
    ) -> Result<(), SessionError> {
        let session = self.session_mut(id)?;
        let State::Established(established) = &mut session.state else {
            return Err(SessionError::WrongState { id, state: session.state.name() });
        };
        let Exchange::Acknowledging { client, sequence } = established.exchange else {
            return Err(SessionError::WrongState { id, state: established.exchange.name() });
        };
        established.exchange = Exchange::Idle;
        let dialog = established.dialog.clone();
        self.acknowledge_answer(now, (id, client), &dialog, (sequence, body));
        Ok(())
    }
}

impl Endpoint {
    /// The INVITE has left, for the first time or to a further address.
    pub(crate) fn call_launched(&mut self, id: SessionId, client: ClientId) {
        if let Some(State::Outgoing(call)) = self.sessions.get_mut(&id).map(|s| &mut s.state) {
            call.client = Some(client);
            call.progress.handle(CallerInput::Sent);
        }
    }

    /// A provisional response to our INVITE.
    pub(crate) fn call_progresses(&mut self, now: Instant, id: SessionId, response: Response) {
        let Some(State::Outgoing(call)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else { return };
        let action = call.progress.handle(CallerInput::Provisional);
        if response.status != StatusCode::TRYING && !call.progress.is_cancelled() {
            self.outputs.event(Event::Provisional { id, response });
        }
        self.continue_call(now, id, action);
    }

    fn continue_call(&mut self, now: Instant, id: SessionId, action: CallerAction) {
        match action {
            CallerAction::Wait => {}
            CallerAction::SendCancel => self.send_cancel(now, id),
            CallerAction::Abandon => self.call_failed(id, Failure::Cancelled),
        }
    }

    /// CANCEL goes where the INVITE went, on its branch (RFC 3261 9.1).
    fn send_cancel(&mut self, now: Instant, id: SessionId) {
        let Some(State::Outgoing(OutgoingCall { client: Some(client), .. })) =
            self.sessions.get(&id).map(|s| &s.state)
        else {
            return;
        };
        let Some(invite) = self.clients.transaction(*client) else { return };
        let mut request = cancel_of(&invite.outbound.request);
        self.complete_request(&mut request, None);
        let Some(invite) = self.clients.transaction(*client) else { return };
        let outbound = Outbound {
            request,
            purpose: Purpose::Cancel(id),
            hops: VecDeque::new(),
            next_hop: invite.outbound.next_hop.clone(),
            sent_by: invite.outbound.sent_by.clone(),
            local: invite.outbound.local,
            branch: invite.outbound.branch.clone(),
        };
        let transmit = Transmit { bytes: outbound.request.to_bytes().into(), ..invite.sent.clone() };
        self.send(transmit.clone(), Repeat::First);
        self.clients.open(&mut self.schedule, now, outbound, transmit);
        self.arm_session(id, SessionTimer::CancelPatience, now + self.schedule.values.patience());
    }

    /// No final response within 64*T1 of our CANCEL: the INVITE counts as cancelled (RFC 3261 9.1).
    pub(crate) fn cancel_unanswered(&mut self, id: SessionId) {
        if let Some(State::Outgoing(OutgoingCall { client: Some(client), .. })) =
            self.sessions.get(&id).map(|s| &s.state)
        {
            self.clients.destroy(&mut self.schedule, *client);
            self.outputs.counters.timeouts += 1;
            self.call_failed(id, Failure::Timeout);
        }
    }

    /// Our INVITE has come to nothing.
    pub(crate) fn call_failed(&mut self, id: SessionId, failure: Failure) {
        if let Some(State::Outgoing(_)) = self.sessions.get(&id).map(|s| &s.state) {
            self.outputs.event(Event::Rejected { id, failure });
            self.finish(id);
        }
    }

    /// The first 2xx of a branch of our INVITE (RFC 3261 13.2.2.4).
    pub(crate) fn call_answered(
        &mut self,
        now: Instant,
        (id, client): (SessionId, ClientId),
        response: Response,
        essentials: &Essentials,
    ) {
        let Some(transaction) = self.clients.transaction(client) else { return };
        let dialog =
            Dialog::uac(&transaction.outbound.request, &response, essentials, transaction.sent.target);
        let progress = match self.sessions.get(&id).map(|s| &s.state) {
            Some(State::Outgoing(call)) => Some(call.progress),
            Some(
                State::Incoming { .. }
                | State::Declined { .. }
                | State::Established(_)
                | State::Closing { .. },
            )
            | None => None,
        };
        let sequence = essentials.cseq.number;
        match progress {
            Some(progress) if !progress.is_cancelled() => {
                let exchange = Exchange::Acknowledging { client, sequence };
                self.dialogs.insert(dialog.id.clone(), id);
                self.transition(id, |_| State::Established(Established::new(dialog, exchange)));
                self.outputs.event(Event::Answered { id, response });
            }
            Some(_) => {
                self.disarm_session(id);
                self.dialogs.insert(dialog.id.clone(), id);
                self.outputs.event(Event::Rejected { id, failure: Failure::Cancelled });
                self.acknowledge_answer(now, (id, client), &dialog, (sequence, None));
                self.transition(id, |_| State::Established(Established::new(dialog, Exchange::Idle)));
                self.send_bye(now, id, None);
            }
            None => {
                self.outputs.counters.forked_answers += 1;
                self.acknowledge_answer(now, (id, client), &dialog, (sequence, None));
                self.end_stray(now, id, dialog);
            }
        }
    }

    /// Sends the ACK of a 2xx: a request of its own, over the dialog's route set. It is kept with the INVITE's
    /// transaction to be repeated with the 2xx.
    pub(crate) fn acknowledge_answer(
        &mut self,
        now: Instant,
        (session, client): (SessionId, ClientId),
        dialog: &Dialog,
        (sequence, body): (u32, Option<Body>),
    ) {
        let (mut request, uri) = dialog.ack(sequence);
        self.complete_request(&mut request, body);
        let purpose = Purpose::Ack { session, client, to_tag: dialog.id.remote_tag.clone() };
        self.dispatch_in_dialog(now, dialog, (request, uri), purpose);
    }

    /// BYE to a branch that no session wants.
    fn end_stray(&mut self, now: Instant, id: SessionId, mut dialog: Dialog) {
        if !self.has_transaction_room() {
            self.outputs.counters.dropped_by_limit += 1;
            return;
        }
        let (mut request, uri) = dialog.request(Method::Bye);
        self.complete_request(&mut request, None);
        self.dispatch_in_dialog(now, &dialog, (request, uri), Purpose::StrayBye(id));
    }
}
