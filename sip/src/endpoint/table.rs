//! The table of sessions: their limits, their timers, their end.

use std::time::Instant;

use super::Endpoint;
use super::command::{Body, SessionError};
use super::event::{Event, SessionId};
use super::schedule::Owner;
use crate::dialog::session::{Session, SessionTimer, State};
use crate::message::{HeaderName, Request};

impl Endpoint {
    /// Whether another session fits.
    pub(crate) fn has_room(&self) -> bool {
        self.sessions.len() < self.config.limits.sessions && self.has_transaction_room()
    }

    /// Whether another transaction fits that the peer or the application begins. Our own requests
    /// inside a session that exists are always let in: a session has few of them.
    pub(crate) fn has_transaction_room(&self) -> bool {
        self.transaction_count() < self.config.limits.transactions
    }

    pub(crate) fn new_session_id(&mut self) -> SessionId {
        self.last_session += 1;
        SessionId(self.last_session)
    }

    pub(crate) fn session(&self, id: SessionId) -> Result<&Session, SessionError> {
        self.sessions.get(&id).ok_or(SessionError::Unknown(id))
    }

    pub(crate) fn session_mut(&mut self, id: SessionId) -> Result<&mut Session, SessionError> {
        self.sessions.get_mut(&id).ok_or(SessionError::Unknown(id))
    }

    /// Replaces the state of a session by one made from it.
    pub(crate) fn transition(&mut self, id: SessionId, next: impl FnOnce(State) -> State) {
        if let Some(session) = self.sessions.remove(&id) {
            self.sessions.insert(id, Session { state: next(session.state), ..session });
        }
    }

    pub(crate) fn arm_session(&mut self, id: SessionId, timer: SessionTimer, at: Instant) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.timers.arm(timer, at);
        }
        self.reschedule_session(id);
    }

    pub(crate) fn disarm_session_timer(&mut self, id: SessionId, timer: SessionTimer) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.timers.stop(timer);
        }
        self.reschedule_session(id);
    }

    pub(crate) fn disarm_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.timers.stop_all();
        }
        self.reschedule_session(id);
    }

    pub(crate) fn reschedule_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            let next = session.timers.next();
            self.schedule.queue.reschedule(Owner::Session(id), &mut session.registered, next);
        }
    }

    /// Forgets a session. Its last transactions go on alone.
    pub(crate) fn finish(&mut self, id: SessionId) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        self.schedule.queue.reschedule(Owner::Session(id), &mut session.registered, None);
        if let Some(dialog) = session.state.dialog() {
            self.dialogs.remove(&dialog.id);
        }
        self.outputs.event(Event::Terminated { id });
    }

    /// Adds who we are and the body.
    pub(crate) fn complete_request(&self, request: &mut Request, body: Option<Body>) {
        if let Some(user_agent) = &self.config.user_agent {
            request.headers.push(HeaderName::UserAgent, user_agent.as_str());
        }
        if let Some(body) = body {
            request.headers.push(HeaderName::ContentType, body.content_type);
            request.body = body.bytes;
        }
    }
}
