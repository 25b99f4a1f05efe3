//! The way from a shard (or the signaling thread) to the spool: a bounded ring that one thread fills and the spool
//! thread empties. Appending costs a copy, never waits and never wakes anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::call::log::{Record, Room};

/// A ring for one writing thread. The receiver goes to [`SpoolWriter::start`](super::SpoolWriter::start).
pub fn event_ring() -> (EventSender, EventReceiver) {
    with_capacity(RING_RECORDS, RESERVED_FOR_MILESTONES)
}

/// The writing end; it belongs to one thread.
#[derive(Debug)]
pub struct EventSender {
    records: Producer<Box<Record>>,
    reserved: usize,
    dropped: Arc<AtomicU64>,
}

impl EventSender {
    /// Appends one record. Ask [`EventSender::room`] first, as [`CallLog::push`](crate::call::log::CallLog::push) does:
    /// a record that does not fit is dropped and counted.
    pub fn append(&mut self, record: Record) {
        if let Err(PushError::Full(_)) = self.records.push(Box::new(record)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What may be appended now. Anything but [`Room::None`] promises room for two records: one push into a call's log
    /// can become a gap and an event.
    pub fn room(&self) -> Room {
        let free = self.records.slots();
        if free < RECORDS_PER_PUSH {
            Room::None
        } else if free < self.reserved {
            Room::MilestonesOnly
        } else {
            Room::Plenty
        }
    }
}

/// The spool's end.
#[derive(Debug)]
pub struct EventReceiver {
    records: Consumer<Box<Record>>,
    dropped: Arc<AtomicU64>,
}

impl EventReceiver {
    /// The oldest record that waits.
    pub(crate) fn next(&mut self) -> Option<Record> {
        self.records.pop().ok().map(|record| *record)
    }

    /// How many records wait.
    pub(super) fn waiting(&self) -> usize {
        self.records.slots()
    }

    /// The counter of records that were appended to a full ring.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }
}

fn with_capacity(capacity: usize, reserved: usize) -> (EventSender, EventReceiver) {
    let (producer, consumer) = RingBuffer::new(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    (
        EventSender { records: producer, reserved, dropped: Arc::clone(&dropped) },
        EventReceiver { records: consumer, dropped },
    )
}

/// Records of one ring. The spool thread empties it every 20 ms; this is room for a disk that stands still for two
/// seconds while 400 calls a second come and go with a dozen events each. Records are boxed, so that an idle ring is
/// 128 kB and a full one about 5 MB.
const RING_RECORDS: usize = 16_384;

/// Slots that only milestones may take: every one of 500 calls may end at once (quality, recording, end and a gap
/// each) while the spool thread stands still.
const RESERVED_FOR_MILESTONES: usize = 4_096;

/// One push into a call's log appends at most a gap and an event.
const RECORDS_PER_PUSH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::{CallId, CallLog, CallTime, Event, UnixMicros};

    #[test]
    fn details_leave_room_for_milestones_and_a_full_ring_never_blocks() {
        let (mut sender, mut receiver) = with_capacity(8, 4);
        let mut log = CallLog::new(CallId::new(UnixMicros(1_700_000_000_000_000), [1; 10]));
        let mut push = |event, sender: &mut EventSender| {
            log.push(CallTime(0), event, sender.room(), |record| sender.append(record));
        };
        for missed in 0..20 {
            push(Event::TickLate { missed }, &mut sender);
        }
        assert_eq!(sender.room(), Room::MilestonesOnly);
        for _ in 0..20 {
            push(Event::Answered, &mut sender);
        }
        assert_eq!(sender.room(), Room::None);
        let kept: Vec<Record> = std::iter::from_fn(|| receiver.next()).collect();
        let seqs: Vec<u64> = kept.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [0, 1, 2, 3, 4, 5, 6], "no hole in the numbers");
        assert_eq!(kept[5].event, Event::Gap { missing: 15 });
        assert_eq!(kept[6].event, Event::Answered);
        assert_eq!(receiver.dropped().load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_record_appended_without_room_is_counted() {
        let (mut sender, receiver) = with_capacity(1, 0);
        let call = CallId::new(UnixMicros(1_700_000_000_000_000), [1; 10]);
        for seq in 0..3 {
            sender.append(Record { call, seq, at: CallTime(0), event: Event::Answered });
        }
        assert_eq!(receiver.waiting(), 1);
        assert_eq!(receiver.dropped().load(Ordering::Relaxed), 2);
    }
}
