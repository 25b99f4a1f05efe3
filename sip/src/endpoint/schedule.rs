//! The endpoint's one timer queue and the values that timers are set from.

use std::time::Instant;

use crate::transaction::{Armed, ClientId, ServerId, Step, TimerQueue, Timers};

use super::event::{QueryId, SessionId};

/// Who waits for something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    Client(ClientId),
    Server(ServerId),
    Session(SessionId),
    Query(QueryId),
}

/// All deadlines of an endpoint.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) queue: TimerQueue<Owner>,
    pub(crate) values: Timers,
}

impl Schedule {
    pub(crate) fn new(values: Timers) -> Self {
        Self { queue: TimerQueue::new(), values }
    }

    /// What a transaction machine needs for one step.
    pub(crate) fn step<'a>(&'a self, now: Instant, is_reliable: bool, armed: &'a mut Armed) -> Step<'a> {
        Step { now, values: &self.values, is_reliable, armed }
    }
}
