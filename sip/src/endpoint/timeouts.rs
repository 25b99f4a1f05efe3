//! The passing of time: whose deadline has come, and what follows (RFC 3261 17, 13.3.1, 9.1, 14.1).

use std::time::Instant;

use super::Endpoint;
use super::event::{Event, Failure, SessionId};
use super::outbound::Repeat;
use super::schedule::Owner;
use crate::dialog::exchange::Exchange;
use crate::dialog::session::{SessionTimer, State};
use crate::transaction::{ClientAction, ClientId, ClientInput, ServerAction, ServerId};
use crate::transport::Flow;

impl Endpoint {
    pub(crate) fn run_timers(&mut self, now: Instant) {
        while let Some(owner) = self.schedule.queue.pop_due(now) {
            match owner {
                Owner::Client(id) => self.client_is_due(now, id),
                Owner::Server(id) => self.server_is_due(now, id),
                Owner::Session(id) => self.session_is_due(now, id),
                Owner::Query(id) => self.resolved(now, id, &[]),
            }
        }
    }

    fn client_is_due(&mut self, now: Instant, id: ClientId) {
        if let Some(timer) = self.clients.due(&mut self.schedule, now, id) {
            self.step_client(now, id, timer);
        }
    }

    /// A timer or a transport error of a client transaction.
    fn step_client(&mut self, now: Instant, id: ClientId, input: ClientInput) {
        match self.clients.step(&mut self.schedule, now, id, input) {
            ClientAction::Retransmit => {
                if let Some(transmit) = self.clients.transaction(id).map(|t| t.sent.clone()) {
                    self.send(transmit, Repeat::Again);
                }
            }
            ClientAction::TimedOut => self.failed(now, id, Failure::Timeout),
            ClientAction::TransportFailed => self.failed(now, id, Failure::Transport),
            ClientAction::Absorb
            | ClientAction::Deliver
            | ClientAction::DeliverAndAck
            | ClientAction::Ack => {}
        }
        self.clients.take_terminated(id);
    }

    /// RFC 3261 17.1.4, 18.4: what waits for an answer from this address has failed.
    pub(crate) fn flow_failed(&mut self, now: Instant, flow: Flow) {
        for id in self.clients.waiting_on(flow.transport, flow.remote) {
            self.step_client(now, id, ClientInput::TransportError);
        }
    }

    fn server_is_due(&mut self, now: Instant, id: ServerId) {
        let Some(timer) = self.servers.due(&mut self.schedule, now, id) else { return };
        match self.servers.step(&mut self.schedule, now, id, timer) {
            ServerAction::Resend => self.resend_response(id),
            ServerAction::TimedOut => {
                let session = self.servers.transaction(id).and_then(|t| t.session);
                self.outputs.counters.timeouts += 1;
                self.declined_is_over(session, id);
            }
            ServerAction::Absorb
            | ServerAction::Send
            | ServerAction::Acknowledged
            | ServerAction::DeliverAck => {}
        }
        self.servers.take_terminated(id);
    }

    pub(crate) fn resend_response(&mut self, id: ServerId) {
        if let Some(transmit) = self.servers.transaction(id).and_then(|t| t.last.clone()) {
            self.send(transmit, Repeat::Again);
        }
    }

    fn session_is_due(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.registered = None;
        let timer = session.timers.pop_due(now);
        self.reschedule_session(id);
        match timer {
            Some(SessionTimer::RepeatAnswer) => self.repeat_answer(now, id),
            Some(SessionTimer::AckPatience) => self.ack_never_came(now, id),
            Some(SessionTimer::RepeatProvisional) => self.repeat_provisional(now, id),
            Some(SessionTimer::Expires) => self.terminate_incoming(now, id),
            Some(SessionTimer::CancelPatience) => self.cancel_unanswered(id),
            Some(SessionTimer::RetryReinvite) => self.retry_reinvite(now, id),
            None => {}
        }
    }

    /// RFC 3261 13.3.1.4: the core repeats its 2xx, on reliable transports too.
    fn repeat_answer(&mut self, now: Instant, id: SessionId) {
        let values = self.schedule.values;
        let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else {
            return;
        };
        let Exchange::AwaitingAck(answer) = &mut established.exchange else { return };
        answer.repeated(&values);
        let (transmit, interval) = (answer.transmit.clone(), answer.interval());
        self.send(transmit, Repeat::Again);
        self.arm_session(id, SessionTimer::RepeatAnswer, now + interval);
    }

    pub(crate) fn give_up_on_acks(&mut self, now: Instant) {
        let is_waiting = |state: &State| {
            matches!(state, State::Established(established)
                if matches!(established.exchange, Exchange::AwaitingAck(_)))
        };
        let waiting = self.sessions.iter().filter(|(_, session)| is_waiting(&session.state));
        let mut waiting: Vec<SessionId> = waiting.map(|(&id, _)| id).collect();
        // A map has no order, and what is sent must not depend on it.
        waiting.sort_unstable();
        for id in waiting {
            self.ack_never_came(now, id);
        }
    }

    fn ack_never_came(&mut self, now: Instant, id: SessionId) {
        let Some(State::Established(established)) = self.sessions.get_mut(&id).map(|s| &mut s.state) else {
            return;
        };
        let hangup = established.hangup.take();
        self.outputs.counters.timeouts += 1;
        if hangup.is_none() {
            self.outputs.event(Event::AckTimeout { id });
        }
        self.send_bye(now, id, hangup.and_then(|h| h.reason));
    }

    fn repeat_provisional(&mut self, now: Instant, id: SessionId) {
        let Some(State::Incoming { invite, .. }) = self.sessions.get(&id).map(|s| &s.state) else { return };
        let server = invite.server;
        self.resend_response(server);
        self.arm_session(id, SessionTimer::RepeatProvisional, now + super::uas::PROVISIONAL_INTERVAL);
    }
}
