//! The numbers of one call's events, and what happens to events that find no room on the way to the store.

use std::collections::VecDeque;

use super::{CallId, CallTime, Event, Record};

/// Room that the way to the store has left, as the shard sees it when it appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Anything may be appended.
    Plenty,
    /// Only milestones may be appended.
    MilestonesOnly,
    /// Nothing fits.
    None,
}

/// Numbers one call's events. It is kept beside the call, not in it, so that a call that panics still ends in order.
#[derive(Debug)]
pub struct CallLog {
    call: CallId,
    next_seq: u64,
    missing: u64,
    /// The latest time that was written: threads that look at the clock one after the other never turn a log back.
    latest: CallTime,
    /// Milestones that found no room at all, oldest first.
    held: VecDeque<(CallTime, Event)>,
}

impl CallLog {
    /// An empty log.
    pub fn new(call: CallId) -> Self {
        Self { call, next_seq: 0, missing: 0, latest: CallTime::default(), held: VecDeque::new() }
    }

    /// Whose log this is.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Gives `event` its number and hands it to `append`. Without room a detail is counted, and a milestone is held until
    /// [`CallLog::retry`] finds room; all that comes meanwhile waits behind it. Events that were dropped since the last
    /// one that fitted are told first, as one gap.
    pub fn push(&mut self, at: CallTime, event: Event, room: Room, append: impl FnMut(Record)) {
        if room == Room::None || self.is_holding() {
            return self.hold(at, event);
        }
        if room == Room::MilestonesOnly && !event.is_milestone() {
            self.missing += 1;
            return;
        }
        self.write(at, event, append);
    }

    /// Hands over the oldest event that is held, if there is room. To be called until [`CallLog::is_holding`] is false or
    /// there is no room.
    pub fn retry(&mut self, room: Room, append: impl FnMut(Record)) {
        if room == Room::None {
            return;
        }
        if let Some((at, event)) = self.held.pop_front() {
            self.write(at, event, append);
        }
    }

    /// Whether milestones wait for room.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    fn hold(&mut self, at: CallTime, event: Event) {
        // A call has one end; the offers that come before it can have any number.
        let limit = if matches!(event, Event::Ended(_)) { MAX_HELD } else { MAX_HELD_BEFORE_END };
        if event.is_milestone() && self.held.len() < limit {
            self.held.push_back((at, event));
        } else {
            self.missing += 1;
        }
    }

    fn write(&mut self, at: CallTime, event: Event, mut append: impl FnMut(Record)) {
        if self.missing > 0 {
            let missing = std::mem::take(&mut self.missing);
            append(self.number(at, Event::Gap { missing }));
        }
        append(self.number(at, event));
    }

    fn number(&mut self, at: CallTime, event: Event) -> Record {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.latest = self.latest.max(at);
        Record { call: self.call, seq, at: self.latest, event }
    }
}

/// Milestones that may wait: those that a call has once (opening, answer, recording, figures, end) and some agreements.
const MAX_HELD: usize = 16;
/// The end always finds its place.
const MAX_HELD_BEFORE_END: usize = MAX_HELD - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::cause::HangupCause;
    use crate::call::log::{Ended, UnixMicros};

    fn log() -> CallLog {
        CallLog::new(CallId::new(UnixMicros(1_700_000_000_000_000), [7; 10]))
    }

    fn ended() -> Event {
        Event::Ended(Ended { cause: HangupCause::RemoteBye, status: Some(200), reason: None, talk_ms: 1 })
    }

    #[test]
    fn dropped_details_leave_one_counted_gap_and_no_hole_in_the_numbers() {
        let mut log = log();
        let mut kept = Vec::new();
        let mut push = |event, room| log.push(CallTime(1), event, room, |record| kept.push(record));
        push(Event::Acknowledged, Room::Plenty);
        push(Event::TickLate { missed: 1 }, Room::MilestonesOnly);
        push(Event::TickLate { missed: 2 }, Room::MilestonesOnly);
        push(Event::Answered, Room::MilestonesOnly);
        let seqs: Vec<u64> = kept.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [0, 1, 2]);
        assert_eq!(kept[1].event, Event::Gap { missing: 2 });
        assert_eq!(kept[2].event, Event::Answered);
    }

    #[test]
    fn milestones_without_room_are_held_and_written_later_in_their_order() {
        let (mut log, mut kept) = (log(), Vec::new());
        log.push(CallTime(1), Event::Answered, Room::None, |_| panic!("there is no room"));
        log.push(CallTime(2), Event::Acknowledged, Room::None, |_| panic!("there is no room"));
        for n in 0..50 {
            let recording = Event::RecordingStarted { file: n.to_string() };
            log.push(CallTime(3), recording, Room::None, |_| panic!("there is no room"));
        }
        log.push(CallTime(4), ended(), Room::Plenty, |_| panic!("it waits behind the others"));
        while log.is_holding() {
            log.retry(Room::None, |_| panic!("there is no room"));
            log.retry(Room::MilestonesOnly, |record| kept.push(record));
        }
        let seqs: Vec<u64> = kept.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, (0..=MAX_HELD as u64).collect::<Vec<_>>());
        // One detail, and all but 14 of the fifty.
        assert_eq!(kept[0].event, Event::Gap { missing: 1 + 50 - 14 });
        assert_eq!((&kept[1].event, &kept[MAX_HELD].event), (&Event::Answered, &ended()));
    }

    #[test]
    fn times_never_run_backwards() {
        let (mut log, mut kept) = (log(), Vec::new());
        for at in [5, 3, 7] {
            log.push(CallTime(at), Event::Acknowledged, Room::Plenty, |record| kept.push(record.at.0));
        }
        assert_eq!(kept, [5, 5, 7]);
    }
}
