//! What waits for the mind and for the log. Bounded: a caller who floods the keypad, or a mind that does not listen, costs no
//! memory; what moves the conversation on is never lost.

use std::collections::VecDeque;

use super::exchange::{Digit, VoiceEvent};
use crate::call::dialogue::{Dialogue, Noted};

/// Events and notes on their way out of a voice.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    events: VecDeque<VoiceEvent>,
    digits: usize,
    /// Only the last limit counts.
    credit: Option<u64>,
    notes: VecDeque<Noted>,
    dropped: Dropped,
}

/// What found no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped {
    events: u64,
    digits: u64,
    notes: u64,
}

impl Outbox {
    pub(super) fn event(&mut self, event: VoiceEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        } else {
            self.dropped.events += 1;
        }
    }

    /// A key; of a flood, the first ones.
    pub(super) fn digit(&mut self, digit: Digit) {
        if self.digits < MAX_DIGITS && self.events.len() < MAX_EVENTS {
            self.digits += 1;
            self.events.push_back(VoiceEvent::Digit(digit));
        } else {
            self.dropped.digits += 1;
        }
    }

    pub(super) fn credit(&mut self, samples: u64) {
        self.credit = Some(samples);
    }

    pub(super) fn note(&mut self, note: impl Into<Noted>) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push_back(note.into());
        } else {
            self.dropped.notes += 1;
        }
    }

    /// Enters what was dropped, here and elsewhere, in the log: once, when the call is over.
    pub(super) fn note_dropped(&mut self, elsewhere: [(&str, u64); 4]) {
        let Dropped { events, digits, notes } = std::mem::take(&mut self.dropped);
        let here = [("events", events), ("keys", digits), ("notes", notes)];
        for (kind, count) in here.into_iter().chain(elsewhere) {
            if count > 0 {
                // Seven at most, for which there is always room.
                self.notes.push_back(Dialogue::Dropped { kind: kind.to_owned(), count }.into());
            }
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<VoiceEvent> {
        let Some(event) = self.events.pop_front() else {
            return self.credit.take().map(|samples| VoiceEvent::Credit { samples });
        };
        self.digits -= usize::from(matches!(event, VoiceEvent::Digit(_)));
        Some(event)
    }

    pub(super) fn poll_note(&mut self) -> Option<Noted> {
        self.notes.pop_front()
    }

    #[cfg(test)]
    pub(super) fn lens(&self) -> (usize, usize) {
        (self.events.len(), self.notes.len())
    }
}

/// Polled every 20 ms; a mind that does not take them for so long is gone.
pub(super) const MAX_EVENTS: usize = 256;
/// Of these, keys: the rest is for what moves the conversation on.
const MAX_DIGITS: usize = 64;
pub(super) const MAX_NOTES: usize = 256;
