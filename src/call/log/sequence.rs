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
    /// Milestones of the dialogue that went into the room kept for milestones, since there was plenty the last time.
    dialogue_in_reserve: usize,
}

impl CallLog {
    /// An empty log.
    pub fn new(call: CallId) -> Self {
        Self {
            call,
            next_seq: 0,
            missing: 0,
            latest: CallTime::default(),
            held: VecDeque::new(),
            dialogue_in_reserve: 0,
        }
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
        match room {
            Room::Plenty => self.dialogue_in_reserve = 0,
            Room::MilestonesOnly if !self.may_use_reserve(&event) => {
                self.missing += 1;
                return;
            }
            Room::MilestonesOnly | Room::None => {}
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

    /// A script can use hundreds of tools: one call must not take the room of all others.
    fn may_use_reserve(&mut self, event: &Event) -> bool {
        if event.is_milestone() && matches!(event, Event::Dialogue(_)) {
            self.dialogue_in_reserve += 1;
            return self.dialogue_in_reserve <= MAX_DIALOGUE_IN_RESERVE;
        }
        event.is_milestone()
    }

    fn hold(&mut self, at: CallTime, event: Event) {
        // A call has one end; the offers and the words that come before it can have any number.
        let limit = if matches!(event, Event::Ended(_)) {
            MAX_HELD
        } else if matches!(event, Event::Dialogue(_)) {
            MAX_HELD_WITH_DIALOGUE
        } else {
            MAX_HELD_BEFORE_END
        };
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

/// Milestones that may wait: those that a call has once (opening, answer, recording, figures, end), some agreements, and
/// some tools and results.
const MAX_HELD: usize = 24;
/// The end always finds its place.
const MAX_HELD_BEFORE_END: usize = MAX_HELD - 1;
/// Tools and results leave room for what makes the call's row.
const MAX_HELD_WITH_DIALOGUE: usize = MAX_HELD - 12;
/// A disk that stands still is noticed for seconds, in which a caller gets through one or two tools (call, answer, outcome
/// each). Of the 4,096 places that a ring keeps, 500 calls that end at once need half; the rest is for 250 such calls.
const MAX_DIALOGUE_IN_RESERVE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::cause::HangupCause;
    use crate::call::dialogue::Dialogue;
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
        // One detail, and all of the fifty but those that found a place between the answer and the end.
        assert_eq!(kept[0].event, Event::Gap { missing: 1 + 50 - (MAX_HELD as u64 - 2) });
        assert_eq!((&kept[1].event, &kept[MAX_HELD].event), (&Event::Answered, &ended()));
    }

    fn used_tool(took_ms: u64) -> Event {
        let (name, answer) = ("cancel_order".to_owned(), "{}".to_owned());
        Event::Dialogue(Dialogue::ToolAnswered { name, answer, took_ms, is_ok: true })
    }

    #[test]
    fn what_an_agent_did_is_kept_while_its_words_are_dropped() {
        let (mut log, mut kept) = (log(), Vec::new());
        let words = Event::Dialogue(Dialogue::Heard { utterance: 1 });
        for event in [words.clone(), used_tool(1), words] {
            log.push(CallTime(1), event, Room::MilestonesOnly, |record| kept.push(record.event));
        }
        assert_eq!(kept, [Event::Gap { missing: 1 }, used_tool(1)]);
    }

    #[test]
    fn one_call_does_not_take_the_room_of_all_others() {
        let (mut log, mut kept) = (log(), Vec::new());
        let mut push = |event, room| log.push(CallTime(1), event, room, |record| kept.push(record.event));
        for took_ms in 0..300 {
            push(used_tool(took_ms), Room::MilestonesOnly);
        }
        push(Event::Answered, Room::MilestonesOnly);
        push(used_tool(300), Room::Plenty);
        push(used_tool(301), Room::MilestonesOnly);
        let in_reserve = MAX_DIALOGUE_IN_RESERVE as u64;
        let mut expected: Vec<Event> = (0..in_reserve).map(used_tool).collect();
        expected.push(Event::Gap { missing: 300 - in_reserve });
        expected.extend([Event::Answered, used_tool(300), used_tool(301)]);
        assert_eq!(kept, expected);
    }

    #[test]
    fn tools_that_wait_leave_room_for_what_makes_the_row() {
        let (mut log, mut kept) = (log(), Vec::new());
        for took_ms in 0..300 {
            log.push(CallTime(1), used_tool(took_ms), Room::None, |_| panic!("there is no room"));
        }
        for n in 0..MAX_HELD_BEFORE_END - MAX_HELD_WITH_DIALOGUE {
            let recording = Event::RecordingStarted { file: n.to_string() };
            log.push(CallTime(2), recording, Room::None, |_| panic!("there is no room"));
        }
        log.push(CallTime(3), ended(), Room::None, |_| panic!("there is no room"));
        while log.is_holding() {
            log.retry(Room::MilestonesOnly, |record| kept.push(record.event));
        }
        let tools = kept.iter().filter(|event| matches!(event, Event::Dialogue(_))).count();
        assert_eq!(tools, MAX_HELD_WITH_DIALOGUE);
        assert_eq!(kept.len(), 1 + MAX_HELD, "the gap and all that was held");
        assert_eq!(kept.last(), Some(&ended()));
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
