//! The callee's side of a session until the ACK (RFC 3261 8.2, 9.2, 13.3).

use std::time::{Duration, Instant};

use super::Endpoint;
use super::command::{Body, Reply, SessionError};
use super::event::{Event, SessionId};
use super::outbound::Repeat;
use super::receive::Arrival;
use super::refuse::Refusal;
use super::reply::Echo;
use super::transmit::Transmit;
use crate::dialog::exchange::{Exchange, UnackedAnswer};
use crate::dialog::invite_uas::PendingInvite;
use crate::dialog::session::{Established, Session, SessionTimer, State};
use crate::dialog::{Dialog, DialogId};
use crate::message::{HeaderName, Response, StatusCode, Uri};
use crate::transaction::key::{MergeKey, ServerKey};
use crate::transaction::{Opening, ServerAction, ServerId, ServerInput};

impl Endpoint {
    /// A new INVITE that passed the checks: 100 at once, then the application's turn.
    pub(crate) fn receive_invite(&mut self, now: Instant, arrival: Arrival) {
        if !self.has_room() {
            return self.refuse(&arrival, Refusal::Full);
        }
        let tag = self.next_tag.take().unwrap_or_else(|| self.tokens.tag());
        let Ok(dialog) = Dialog::uas(&arrival.request, &arrival.essentials, &tag, arrival.flow) else {
            return self.refuse(&arrival, Refusal::BadRequest("Bad Contact or Record-Route"));
        };
        let id = self.new_session_id();
        let invite = self.open_invite(&arrival, id, &tag);
        let trying = invite.trying();
        let server = invite.server;
        self.dialogs.insert(dialog.id.clone(), id);
        self.sessions.insert(id, Session::new(State::Incoming { invite, dialog }));
        let trace = self.trace_of_request(Some(id), &arrival, Repeat::First);
        let expires = arrival.request.headers.seconds(&HeaderName::Expires);
        self.outputs.event(Event::Invite { id, flow: arrival.flow, request: arrival.request });
        self.outputs.events.extend(trace);
        self.respond(now, server, trying);
        if let Some(seconds) = expires {
            self.arm_session(id, SessionTimer::Expires, now + Duration::from_secs(seconds.into()));
        }
    }

    /// Opens the server transaction of an INVITE or re-INVITE.
    pub(crate) fn open_invite(&mut self, arrival: &Arrival, session: SessionId, tag: &str) -> PendingInvite {
        let essentials = &arrival.essentials;
        let is_new = essentials.to.tag().is_none();
        let server = self.servers.open(Opening {
            key: arrival.key.clone(),
            merge_key: is_new.then(|| MergeKey::of(essentials)),
            path: arrival.path,
            session: Some(session),
            to_tag: essentials.to.tag().unwrap_or(tag).into(),
        });
        let target = arrival.request.headers.contact().ok().flatten().map(|c| c.uri);
        let echo = Echo::new(&arrival.request, essentials, tag);
        PendingInvite::new(server, essentials.cseq.number, target, echo)
    }

    /// CANCEL (RFC 3261 9.2): 200 if the INVITE is known, and 487 for it if it has no final response.
    pub(crate) fn receive_cancel(&mut self, now: Instant, mut arrival: Arrival) {
        let key = ServerKey::cancelled(&arrival.request, &arrival.essentials);
        let Some(invite) = self.servers.find(&key) else {
            return self.refuse(&arrival, Refusal::NoDialog);
        };
        let Some(transaction) = self.servers.transaction(invite) else { return };
        let (session, to_tag) = (transaction.session, transaction.to_tag.clone());
        arrival.session = session;
        self.trace_request(&arrival, Repeat::First);
        self.accept_request(now, &arrival, &to_tag);
        if let Some(session) = session {
            self.cancel_pending(now, session, invite);
        }
    }

    /// Ends the INVITE of this transaction with 487 if it still lies with the application.
    fn cancel_pending(&mut self, now: Instant, id: SessionId, server: ServerId) {
        match self.sessions.get_mut(&id).map(|s| &mut s.state) {
            Some(State::Incoming { invite, .. }) if invite.server == server => {
                self.terminate_incoming(now, id)
            }
            Some(State::Established(established)) => {
                let Exchange::Received(invite) = &established.exchange else { return };
                if invite.server != server {
                    return;
                }
                let response = invite.terminated();
                established.exchange = Exchange::Idle;
                self.respond(now, server, response);
                self.outputs.event(Event::ReinviteCancelled { id });
            }
            Some(
                State::Incoming { .. } | State::Declined { .. } | State::Outgoing(_) | State::Closing { .. },
            )
            | None => {}
        }
    }

    /// 487 to an INVITE that lies with the application: CANCEL, BYE or Expires.
    pub(crate) fn terminate_incoming(&mut self, now: Instant, id: SessionId) {
        let Some(State::Incoming { invite, .. }) = self.sessions.get(&id).map(|s| &s.state) else { return };
        let response = invite.terminated();
        self.outputs.event(Event::Cancelled { id });
        self.decline(now, id, response);
    }

    /// Sends the final response of 300 or above; what remains is its ACK.
    fn decline(&mut self, now: Instant, id: SessionId, response: Response) {
        let mut server = None;
        self.transition(id, |state| match state {
            State::Incoming { invite, dialog } => {
                server = Some(invite.server);
                State::Declined { server: invite.server, dialog }
            }
            State::Declined { .. } | State::Outgoing(_) | State::Established(_) | State::Closing { .. } => {
                state
            }
        });
        self.disarm_session(id);
        if let Some(server) = server {
            self.respond(now, server, response);
        }
    }

    /// 200 to a CANCEL or BYE, in a transaction of its own so that its repeats get the same. With the table full it
    /// goes without one: a repeat then gets 481, which ends it as well.
    pub(crate) fn accept_request(&mut self, now: Instant, arrival: &Arrival, tag: &str) {
        let response = Echo::new(&arrival.request, &arrival.essentials, tag).response(StatusCode::OK);
        if !self.has_transaction_room() {
            self.outputs.counters.dropped_by_limit += 1;
            return self.respond_stateless(arrival, response);
        }
        let server = self.servers.open(Opening {
            key: arrival.key.clone(),
            merge_key: None,
            path: arrival.path,
            session: arrival.session,
            to_tag: tag.into(),
        });
        self.respond(now, server, response);
    }

    /// ACK: of a response of 300 or above inside its transaction, of a 2xx by its dialog (RFC 3261 17.1.1.3, 13.3.1.4).
    pub(crate) fn receive_ack(&mut self, now: Instant, mut arrival: Arrival) {
        if let Some(server) = self.servers.find(&arrival.key) {
            arrival.session = self.servers.transaction(server).and_then(|t| t.session);
            match self.servers.step(&mut self.schedule, now, server, ServerInput::Ack) {
                ServerAction::Acknowledged => {
                    self.trace_request(&arrival, Repeat::First);
                    self.servers.take_terminated(server);
                    return self.declined_is_over(arrival.session, server);
                }
                ServerAction::DeliverAck => {}
                ServerAction::Absorb | ServerAction::Send | ServerAction::Resend | ServerAction::TimedOut => {
                    self.trace_request(&arrival, Repeat::Again);
                    self.outputs.counters.retransmissions_received += 1;
                    return;
                }
            }
        }
        match self.dialogs.get(&DialogId::of_request(&arrival.essentials)).copied() {
            Some(id) => self.receive_ack_of_answer(now, id, arrival),
            None => self.outputs.counters.stray_acks += 1,
        }
    }

    fn receive_ack_of_answer(&mut self, now: Instant, id: SessionId, mut arrival: Arrival) {
        arrival.session = Some(id);
        let sequence = arrival.essentials.cseq.number;
        let established = match self.sessions.get_mut(&id).map(|s| &mut s.state) {
            Some(State::Established(established)) => Some(established),
            Some(
                State::Incoming { .. } | State::Declined { .. } | State::Outgoing(_) | State::Closing { .. },
            )
            | None => None,
        };
        let Some(established) = established.filter(|e| e.awaits_ack(sequence)) else {
            self.outputs.counters.retransmissions_received += 1;
            return self.trace_request(&arrival, Repeat::Again);
        };
        established.exchange = Exchange::Idle;
        established.is_confirmed = true;
        // The ACK may come over another connection than the INVITE: that is where the caller is now.
        established.dialog.observe_flow(arrival.flow);
        let hangup = established.hangup.take();
        self.disarm_session_timer(id, SessionTimer::RepeatAnswer);
        self.disarm_session_timer(id, SessionTimer::AckPatience);
        self.trace_request(&arrival, Repeat::First);
        match hangup {
            Some(hangup) => self.send_bye(now, id, hangup.reason),
            None => self.outputs.event(Event::Acknowledged { id, body: Body::of_request(arrival.request) }),
        }
    }

    /// The ACK came, or will never come: a refused session has nothing left.
    pub(crate) fn declined_is_over(&mut self, session: Option<SessionId>, acknowledged: ServerId) {
        let Some(id) = session else { return };
        if let Some(State::Declined { server, .. }) = self.sessions.get(&id).map(|s| &s.state)
            && *server == acknowledged
        {
            self.finish(id);
        }
    }
}

/// Commands.
impl Endpoint {
    pub(crate) fn send_provisional(
        &mut self,
        now: Instant,
        id: SessionId,
        reply: Reply,
    ) -> Result<(), SessionError> {
        if reply.status == StatusCode::TRYING || !reply.status.is_provisional() {
            return Err(SessionError::Status(reply.status));
        }
        let invite = self.incoming(id)?;
        let (server, response) = (invite.server, invite.provisional(reply));
        self.respond(now, server, response);
        self.arm_session(id, SessionTimer::RepeatProvisional, now + PROVISIONAL_INTERVAL);
        Ok(())
    }

    pub(crate) fn send_answer(
        &mut self,
        now: Instant,
        id: SessionId,
        body: Body,
        contact: Uri,
    ) -> Result<(), SessionError> {
        let invite = self.incoming(id)?;
        let (server, sequence) = (invite.server, invite.sequence);
        let response = invite.accepted(body, &contact.to_string());
        self.disarm_session(id);
        self.transition(id, |state| match state {
            State::Incoming { mut dialog, .. } => {
                dialog.contact = Some(contact);
                State::Established(Established::new(dialog, Exchange::Idle))
            }
            State::Declined { .. } | State::Outgoing(_) | State::Established(_) | State::Closing { .. } => {
                state
            }
        });
        if let Some(answer) = self.respond(now, server, response) {
            self.await_ack(now, id, answer, sequence);
        }
        Ok(())
    }

    pub(crate) fn send_rejection(
        &mut self,
        now: Instant,
        id: SessionId,
        reply: Reply,
    ) -> Result<(), SessionError> {
        if reply.status < StatusCode::MULTIPLE_CHOICES {
            return Err(SessionError::Status(reply.status));
        }
        let response = self.incoming(id)?.refused(reply);
        self.decline(now, id, response);
        Ok(())
    }

    /// Keeps the 2xx just sent to repeat it until its ACK comes (RFC 3261 13.3.1.4).
    pub(crate) fn await_ack(&mut self, now: Instant, id: SessionId, answer: Transmit, sequence: u32) {
        let values = self.schedule.values;
        let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else {
            return;
        };
        established.exchange = Exchange::AwaitingAck(UnackedAnswer::new(answer, sequence, &values));
        self.arm_session(id, SessionTimer::RepeatAnswer, now + values.t1);
        self.arm_session(id, SessionTimer::AckPatience, now + values.patience());
    }

    fn incoming(&self, id: SessionId) -> Result<&PendingInvite, SessionError> {
        match &self.session(id)?.state {
            State::Incoming { invite, .. } => Ok(invite),
            state @ (State::Declined { .. }
            | State::Outgoing(_)
            | State::Established(_)
            | State::Closing { .. }) => Err(SessionError::WrongState { id, state: state.name() }),
        }
    }
}

/// RFC 3261 13.3.1.1: a provisional response every minute keeps proxies from cancelling.
pub(crate) const PROVISIONAL_INTERVAL: Duration = Duration::from_secs(60);
