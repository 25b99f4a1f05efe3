//! The events of a session that wait for its owner.

use std::collections::VecDeque;

use super::config::Event;

/// A bounded queue of events.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<Event>,
    dropped: u64,
}

impl EventQueue {
    /// Adds an event; when the queue is full the new one is dropped and counted, for the older ones explain it.
    pub(super) fn push(&mut self, event: Event) {
        if self.waiting.len() < EVENT_LIMIT {
            self.waiting.push_back(event);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn extend(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.push(event);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Events that may wait. The owner fetches them at each tick, in which a peer sends a packet or two; a burst after a stall of
/// 300 ms holds some 15 packets, of which each brings forth three events at most.
pub const EVENT_LIMIT: usize = 48;
