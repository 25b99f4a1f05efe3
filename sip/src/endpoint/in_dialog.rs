//! Requests inside established dialogs, both ways: BYE, re-INVITE, OPTIONS (RFC 3261 12.2, 14, 15).

use std::time::Instant;

use super::Endpoint;
use super::command::{Body, Reply, SessionError};
use super::event::{Event, Failure, SessionId};
use super::hop::NextHop;
use super::outbound::{Outbound, Purpose, Repeat};
use super::receive::Arrival;
use super::refuse::Refusal;
use crate::dialog::exchange::{Admission, Exchange, MAX_REFUSALS, Offer, glare_wait};
use crate::dialog::session::{Established, Hangup, SessionTimer, State};
use crate::dialog::{Dialog, Order};
use crate::message::{Essentials, HeaderName, Method, Request, Response, StatusCode, Uri};
use crate::transaction::ClientId;

/// Received.
impl Endpoint {
    pub(crate) fn receive_in_dialog(&mut self, now: Instant, id: SessionId, mut arrival: Arrival) {
        arrival.session = Some(id);
        self.trace_request(&arrival, Repeat::First);
        let dialog = self.sessions.get_mut(&id).and_then(|s| s.state.dialog_mut());
        let Some(dialog) = dialog else { return self.refuse(&arrival, Refusal::NoDialog) };
        dialog.observe_flow(arrival.flow);
        if dialog.observe_sequence(arrival.essentials.cseq.number) == Order::OutOfOrder {
            return self.refuse(&arrival, Refusal::OutOfOrder);
        }
        match arrival.request.method {
            Method::Bye => self.receive_bye(now, id, arrival),
            Method::Invite => self.receive_reinvite(now, id, arrival),
            Method::Options => self.answer_options(&arrival),
            _ => self.refuse(&arrival, Refusal::Method),
        }
    }

    /// 200, and 487 for an INVITE of the peer's that lies with the application (RFC 3261 15.1.2).
    fn receive_bye(&mut self, now: Instant, id: SessionId, arrival: Arrival) {
        self.accept_request(now, &arrival, "");
        match self.sessions.get(&id).map(|s| &s.state) {
            Some(State::Incoming { .. }) => self.terminate_incoming(now, id),
            Some(State::Established(established)) => {
                let is_wanted = established.hangup.is_none();
                self.terminate_received(now, id);
                self.abandon_reinvite(now, id);
                if is_wanted {
                    let reason = arrival.request.headers.first(&HeaderName::Reason).map(str::to_owned);
                    self.outputs.event(Event::Bye { id, reason });
                }
                self.finish(id);
            }
            Some(State::Closing { .. }) => self.finish(id),
            Some(State::Declined { .. } | State::Outgoing(_)) | None => {}
        }
    }

    /// 487 to a re-INVITE that lies with the application.
    fn terminate_received(&mut self, now: Instant, id: SessionId) {
        if let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state)
            && let Exchange::Received(invite) = &established.exchange
        {
            let (server, response) = (invite.server, invite.terminated());
            established.exchange = Exchange::Idle;
            self.respond(now, server, response);
        }
    }

    /// RFC 3261 14.2.
    fn receive_reinvite(&mut self, now: Instant, id: SessionId, arrival: Arrival) {
        let admission = match self.sessions.get(&id).map(|s| &s.state) {
            Some(State::Established(established)) => established.admits(),
            Some(State::Incoming { .. }) => Admission::Busy,
            Some(State::Declined { .. } | State::Outgoing(_) | State::Closing { .. }) | None => {
                Admission::Gone
            }
        };
        match admission {
            Admission::Open if self.has_transaction_room() => {}
            Admission::Open => return self.refuse(&arrival, Refusal::Full),
            Admission::Pending => return self.refuse_invite(now, &arrival, Refusal::Pending),
            Admission::Busy => return self.refuse_invite(now, &arrival, Refusal::Busy),
            Admission::Gone => return self.refuse(&arrival, Refusal::NoDialog),
        }
        let invite = self.open_invite(&arrival, id, "");
        let (server, trying) = (invite.server, invite.trying());
        if let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) {
            established.exchange = Exchange::Received(invite);
        }
        self.respond(now, server, trying);
        self.outputs.event(Event::Reinvite { id, body: Body::of_request(arrival.request) });
    }

    pub(crate) fn reinvite_answered(
        &mut self,
        now: Instant,
        (id, client): (SessionId, ClientId),
        response: Response,
        essentials: &Essentials,
    ) {
        let sequence = essentials.cseq.number;
        let target = response.headers.contact().ok().flatten().map(|c| c.uri);
        match self.sessions.get_mut(&id).map(|s| &mut s.state) {
            Some(State::Established(established)) => {
                established.dialog.refresh_target(target);
                established.exchange = Exchange::Acknowledging { client, sequence };
                self.outputs.event(Event::ReinviteAccepted { id, body: Body::of_response(response) });
            }
            // We hung up meanwhile; the ACK only silences the peer.
            Some(State::Closing { dialog }) => {
                let dialog = dialog.clone();
                self.acknowledge_answer(now, (id, client), &dialog, (sequence, None));
            }
            Some(State::Incoming { .. } | State::Declined { .. } | State::Outgoing(_)) | None => {}
        }
    }

    /// Our re-INVITE has left.
    pub(crate) fn reinvite_launched(&mut self, id: SessionId, client: ClientId) {
        if let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state)
            && let Exchange::Sent { client: sent, .. } = &mut established.exchange
        {
            *sent = Some(client);
        }
    }

    /// The session ends while our re-INVITE has no final response, which may never come.
    fn abandon_reinvite(&mut self, now: Instant, id: SessionId) {
        if let Some(State::Established(established)) = self.sessions.get(&id).map(|s| &s.state)
            && let Exchange::Sent { client: Some(client), .. } = established.exchange
        {
            self.clients.abandon(&mut self.schedule, now, client);
        }
    }

    /// RFC 3261 14.1: 491 is tried again, 481 and silence end the dialog, anything else leaves it as it was.
    pub(crate) fn reinvite_failed(&mut self, now: Instant, id: SessionId, failure: &Failure) {
        let status = match failure {
            Failure::Response(response) => response.status,
            Failure::Timeout => StatusCode::REQUEST_TIMEOUT,
            Failure::Transport | Failure::Unresolved | Failure::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        };
        let random = self.tokens.number();
        let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else {
            return;
        };
        let Exchange::Sent { offer, .. } = &established.exchange else { return };
        if status == StatusCode::REQUEST_PENDING && offer.refusals < MAX_REFUSALS {
            established.retry = Some(Offer { body: offer.body.clone(), refusals: offer.refusals + 1 });
            established.exchange = Exchange::Idle;
            let wait = glare_wait(!established.dialog.is_uas, random);
            return self.arm_session(id, SessionTimer::RetryReinvite, now + wait);
        }
        established.exchange = Exchange::Idle;
        self.outputs.event(Event::ReinviteRejected { id, status });
        let is_lost =
            [StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if is_lost {
            self.outputs.event(Event::Lost { id });
            self.send_bye(now, id, None);
        }
    }

    /// The wait after 491 is over. If the peer's own re-INVITE is in progress, another wait follows.
    pub(crate) fn retry_reinvite(&mut self, now: Instant, id: SessionId) {
        let random = self.tokens.number();
        let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else {
            return;
        };
        match established.exchange {
            Exchange::Idle => {
                if let Some(offer) = established.retry.take() {
                    self.send_offer(now, id, offer);
                }
            }
            Exchange::AwaitingAck(_)
            | Exchange::Acknowledging { .. }
            | Exchange::Received(_)
            | Exchange::Sent { .. } => {
                let wait = glare_wait(!established.dialog.is_uas, random);
                self.arm_session(id, SessionTimer::RetryReinvite, now + wait);
            }
        }
    }

    /// The BYE has its final response, or will have none: nothing is left either way (RFC 3261 15.1.1).
    pub(crate) fn bye_is_over(&mut self, id: SessionId) {
        if let Some(State::Closing { .. }) = self.sessions.get(&id).map(|s| &s.state) {
            self.finish(id);
        }
    }
}

/// Commands.
impl Endpoint {
    pub(crate) fn hang_up(
        &mut self,
        now: Instant,
        id: SessionId,
        reason: Option<String>,
    ) -> Result<(), SessionError> {
        let session = self.session_mut(id)?;
        let established = match &mut session.state {
            State::Outgoing(_) => return self.give_up(now, id),
            State::Established(established) if established.hangup.is_none() => established,
            state @ (State::Incoming { .. }
            | State::Declined { .. }
            | State::Established(_)
            | State::Closing { .. }) => return Err(SessionError::WrongState { id, state: state.name() }),
        };
        if established.must_wait_for_ack() {
            established.hangup = Some(Hangup { reason });
            return Ok(());
        }
        if let Exchange::Acknowledging { .. } = established.exchange {
            self.send_ack(now, id, None)?;
        }
        self.terminate_received(now, id);
        self.send_bye(now, id, reason);
        Ok(())
    }

    /// Sends the BYE of an established session; only its response is still to come.
    pub(crate) fn send_bye(&mut self, now: Instant, id: SessionId, reason: Option<String>) {
        self.disarm_session(id);
        self.abandon_reinvite(now, id);
        let mut way = None;
        self.transition(id, |state| match state {
            State::Established(Established { mut dialog, .. }) => {
                way = Some((dialog.request(Method::Bye), dialog.clone()));
                State::Closing { dialog }
            }
            State::Incoming { .. } | State::Declined { .. } | State::Outgoing(_) | State::Closing { .. } => {
                state
            }
        });
        let Some(((mut request, uri), dialog)) = way else { return };
        if let Some(reason) = reason {
            request.headers.push(HeaderName::Reason, reason);
        }
        self.complete_request(&mut request, None);
        self.dispatch_in_dialog(now, &dialog, (request, uri), Purpose::Bye(id));
    }

    pub(crate) fn start_reinvite(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Option<Body>,
    ) -> Result<(), SessionError> {
        let established = self.established(id)?;
        if established.is_busy() {
            return Err(SessionError::InvitePending(id));
        }
        self.send_offer(now, id, Offer { body, refusals: 0 });
        Ok(())
    }

    fn send_offer(&mut self, now: Instant, id: SessionId, offer: Offer) {
        let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else {
            return;
        };
        let (mut request, uri) = established.dialog.request(Method::Invite);
        let dialog = established.dialog.clone();
        let body = offer.body.clone();
        established.exchange = Exchange::Sent { offer, client: None };
        self.complete_request(&mut request, body);
        self.dispatch_in_dialog(now, &dialog, (request, uri), Purpose::Reinvite(id));
    }

    pub(crate) fn answer_reinvite(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Body,
    ) -> Result<(), SessionError> {
        let established = self.established(id)?;
        let Exchange::Received(invite) = &established.exchange else {
            return Err(SessionError::WrongState { id, state: established.exchange.name() });
        };
        let contact = established.dialog.contact_uri().to_string();
        let (server, sequence) = (invite.server, invite.sequence);
        let (target, response) = (invite.target.clone(), invite.accepted(body, &contact));
        established.dialog.refresh_target(target);
        established.exchange = Exchange::Idle;
        if let Some(answer) = self.respond(now, server, response) {
            self.await_ack(now, id, answer, sequence);
        }
        Ok(())
    }

    pub(crate) fn refuse_reinvite(
        &mut self,
        now: Instant,
        id: SessionId,
        reply: Reply,
    ) -> Result<(), SessionError> {
        if reply.status < StatusCode::MULTIPLE_CHOICES {
            return Err(SessionError::Status(reply.status));
        }
        let established = self.established(id)?;
        let Exchange::Received(invite) = &established.exchange else {
            return Err(SessionError::WrongState { id, state: established.exchange.name() });
        };
        let (server, response) = (invite.server, invite.refused(reply));
        established.exchange = Exchange::Idle;
        self.respond(now, server, response);
        Ok(())
    }

    fn established(&mut self, id: SessionId) -> Result<&mut Established, SessionError> {
        let session = self.session_mut(id)?;
        let state = session.state.name();
        match &mut session.state {
            State::Established(established) if established.hangup.is_none() => Ok(established),
            State::Incoming { .. }
            | State::Declined { .. }
            | State::Outgoing(_)
            | State::Established(_)
            | State::Closing { .. } => Err(SessionError::WrongState { id, state }),
        }
    }

    /// Sends a request of a dialog over the dialog's way.
    pub(crate) fn dispatch_in_dialog(
        &mut self,
        now: Instant,
        dialog: &Dialog,
        (request, uri): (Request, Uri),
        purpose: Purpose,
    ) {
        match NextHop::new(&uri, None, dialog.hint()) {
            Some(next_hop) => {
                let outbound =
                    Outbound::new(request, purpose, next_hop, dialog.sent_by(), dialog.local_address());
                self.dispatch(now, outbound);
            }
            None => self.unreachable(now, purpose, Failure::Unresolved),
        }
    }
}
