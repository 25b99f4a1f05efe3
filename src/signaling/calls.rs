//! The calls as signaling knows them: which session belongs to which call of which shard, and how far it has come.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use caly_sip::endpoint::SessionId;
use caly_sip::message::Uri;

use crate::call::exchange::CallKey;
use crate::call::log::CallLog;

/// A call that a shard has, or had.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) key: CallKey,
    pub(super) shard: usize,
    pub(super) stage: Stage,
    pub(super) contact: Uri,
}

/// How far a call's dialog has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The shard has been asked and has not answered.
    Offered,
    /// The INVITE has no final response.
    Ringing,
    /// We sent an INVITE that has no final response.
    Calling,
    /// 2xx was sent or received.
    Answered,
    /// The call is over; the dialog's last messages are on their way.
    Over,
}

/// What becomes of a session's messages.
#[derive(Debug)]
pub(super) enum Fate {
    /// They belong to a call on a shard.
    Leg(Leg),
    /// The call was refused before it reached a shard; its log is written here.
    Refused {
        /// The rest of the log.
        log: CallLog,
        /// The call's time zero.
        started: Instant,
    },
}

/// All sessions, with their keys and deadlines.
#[derive(Debug, Default)]
pub(super) struct Calls {
    by_session: HashMap<SessionId, Fate>,
    by_key: HashMap<CallKey, SessionId>,
    /// Calls that wait for their shard's first answer, oldest first.
    unanswered: VecDeque<(Instant, CallKey)>,
    per_shard: Vec<usize>,
    next_key: u64,
}

impl Calls {
    /// No calls on so many shards.
    pub(super) fn new(shards: usize) -> Self {
        Self { per_shard: vec![0; shards], ..Self::default() }
    }

    /// A key that was never used.
    pub(super) fn new_key(&mut self) -> CallKey {
        self.next_key += 1;
        CallKey(self.next_key)
    }

    /// The shard with the fewest calls.
    pub(super) fn emptiest_shard(&self) -> usize {
        (0..self.per_shard.len()).min_by_key(|&shard| self.per_shard[shard]).unwrap_or(0)
    }

    /// Calls that are not over.
    pub(super) fn active(&self) -> usize {
        self.per_shard.iter().sum()
    }

    /// A shard takes a call, whose session may not exist yet.
    pub(super) fn place(&mut self, shard: usize) {
        if let Some(count) = self.per_shard.get_mut(shard) {
            *count += 1;
        }
    }

    /// A placed call that never became a session is over.
    pub(super) fn unplace(&mut self, shard: usize) {
        if let Some(count) = self.per_shard.get_mut(shard) {
            *count = count.saturating_sub(1);
        }
    }

    /// A placed call has its session.
    pub(super) fn insert(&mut self, session: SessionId, leg: Leg) {
        self.by_key.insert(leg.key, session);
        self.by_session.insert(session, Fate::Leg(leg));
    }

    /// The shard was asked at `now`.
    pub(super) fn await_answer(&mut self, now: Instant, key: CallKey) {
        self.unanswered.push_back((now + SHARD_ANSWER_TIME, key));
    }

    /// A call was refused here.
    pub(super) fn insert_refused(&mut self, session: SessionId, log: CallLog, started: Instant) {
        self.by_session.insert(session, Fate::Refused { log, started });
    }

    /// What a session's messages belong to.
    pub(super) fn fate(&mut self, session: SessionId) -> Option<&mut Fate> {
        self.by_session.get_mut(&session)
    }

    /// The call of a session.
    pub(super) fn leg(&mut self, session: SessionId) -> Option<&mut Leg> {
        match self.fate(session)? {
            Fate::Leg(leg) => Some(leg),
            Fate::Refused { .. } => None,
        }
    }

    /// The session of a call.
    pub(super) fn session(&self, key: CallKey) -> Option<SessionId> {
        self.by_key.get(&key).copied()
    }

    /// The call no longer counts; its last messages still belong to it. False if it was over before.
    pub(super) fn end(&mut self, session: SessionId) -> bool {
        let Some(Fate::Leg(leg)) = self.by_session.get_mut(&session) else { return false };
        let was_active = leg.stage != Stage::Over;
        leg.stage = Stage::Over;
        let shard = leg.shard;
        if was_active {
            self.unplace(shard);
        }
        was_active
    }

    /// The session is gone.
    pub(super) fn remove(&mut self, session: SessionId) -> Option<Fate> {
        self.end(session);
        let fate = self.by_session.remove(&session)?;
        if let Fate::Leg(leg) = &fate {
            self.by_key.remove(&leg.key);
        }
        Some(fate)
    }

    /// The next call whose shard has let its time pass.
    pub(super) fn poll_unanswered(&mut self, now: Instant) -> Option<SessionId> {
        while let Some(&(deadline, key)) = self.unanswered.front() {
            let session = self.by_key.get(&key).copied();
            let is_waiting = session.is_some_and(|session| {
                matches!(self.by_session.get(&session), Some(Fate::Leg(leg)) if leg.stage == Stage::Offered)
            });
            if is_waiting && now < deadline {
                return None;
            }
            self.unanswered.pop_front();
            if is_waiting {
                return session;
            }
        }
        None
    }

    /// When the oldest unanswered call's time is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.unanswered.front().map(|&(deadline, _)| deadline)
    }

    /// The sessions of all calls that are not over.
    pub(super) fn active_sessions(&self) -> Vec<SessionId> {
        let is_active = |fate: &Fate| matches!(fate, Fate::Leg(leg) if leg.stage != Stage::Over);
        self.by_session.iter().filter(|(_, fate)| is_active(fate)).map(|(&session, _)| session).collect()
    }

    /// Whether any session is left, over or not.
    pub(super) fn is_empty(&self) -> bool {
        self.by_session.is_empty()
    }
}

/// A shard reads its inbox every 5 ms; one that needs a hundred times as long is not working.
pub(super) const SHARD_ANSWER_TIME: Duration = Duration::from_millis(500);
