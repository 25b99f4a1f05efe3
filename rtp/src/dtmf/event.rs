//! The telephone-event payload (RFC 4733 section 2.3) and the receiver of events (section 2.5.2): one digit comes out
//! for each event that was pressed, whatever the network does to its packets.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use thiserror::Error;

use super::Digit;
use crate::packet::RtpTime;

/// What one event packet says (RFC 4733 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// The key.
    pub digit: Digit,
    /// The E bit: the event is over and `duration` is its whole length.
    pub is_end: bool,
    /// Tone level in dBm0 with the sign dropped, 0-63.
    pub volume: u8,
    /// Length of the event so far, in timestamp units.
    pub duration: u16,
}

impl EventPayload {
    /// Octets of one event on the wire.
    pub const LEN: usize = 4;

    /// Reads the first event of a payload. Octets after it are ignored: some senders pad, and a padded zero would read as
    /// the key 0.
    pub fn parse(payload: &[u8]) -> Result<Self, EventError> {
        let Some(&[code, flags, high, low]) = payload.first_chunk::<{ Self::LEN }>() else {
            return Err(EventError::TooShort(payload.len()));
        };
        let digit = Digit::from_event_code(code).ok_or(EventError::NotADigit(code))?;
        Ok(Self {
            digit,
            is_end: flags & END_BIT != 0,
            volume: flags & VOLUME_MASK,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The event's four octets; a volume above 63 is sent as 63.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let end = if self.is_end { END_BIT } else { 0 };
        let [high, low] = self.duration.to_be_bytes();
        [self.digit.event_code(), end | self.volume.min(VOLUME_MASK), high, low]
    }
}

/// What the receiver has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfEvent {
    /// A key went down. Reported with the first packet that arrives of the event, so that it can interrupt at once.
    Started {
        /// The key.
        digit: Digit,
    },
    /// The key came up: reported once for each event, after its `Started`.
    Ended {
        /// The key.
        digit: Digit,
        /// How long it was down, as far as the packets that arrived tell.
        duration: Duration,
        /// Tone level in dBm0 with the sign dropped.
        volume: u8,
        /// True if no end packet arrived and the end was inferred.
        is_inferred: bool,
    },
}

/// What one packet brings forth: at most the end of the event before it, a start and an end.
pub type DtmfEvents = ArrayVec<DtmfEvent, 3>;

/// Why an event packet was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EventError {
    /// Shorter than one event.
    #[error("telephone-event payload of {0} octets, 4 needed")]
    TooShort(usize),
    /// An event that is no key: fax tones, line states.
    #[error("telephone event {0} is no DTMF digit")]
    NotADigit(u8),
}

/// How many packets were turned away or stood in for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// Events whose end was reported.
    pub digits: u64,
    /// Events whose end packets were all lost.
    pub inferred_ends: u64,
    /// Packets of an event that is already over: the repeated ends, duplicates, late ones.
    pub repeated: u64,
    /// Packets that hold no event or one that is no key.
    pub not_understood: u64,
}

/// Turns event packets into digits.
///
/// An event is known by the timestamp at which it began (RFC 4733 section 2.5.2.2), so repeated, duplicated and late packets
/// of an event that has been reported are recognised. An end is inferred when the next event begins or when no packet of the
/// event has come for [`SILENCE_BEFORE_END`].
#[derive(Clone, Debug)]
pub struct DtmfReceiver {
    clock_rate: u32,
    open: Option<OpenEvent>,
    /// Begin of the newest event (of its newest segment) that was seen.
    newest: Option<RtpTime>,
    counters: ReceiverCounters,
}

impl DtmfReceiver {
    /// A receiver of events whose timestamps count at `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            open: None,
            newest: None,
            counters: ReceiverCounters::default(),
        }
    }

    /// Takes the payload of one event packet and says what it means.
    pub fn handle_packet(
        &mut self,
        arrival: Instant,
        timestamp: RtpTime,
        payload: &[u8],
    ) -> Result<DtmfEvents, EventError> {
        let event = EventPayload::parse(payload).inspect_err(|_| {
            self.counters.not_understood += 1;
        })?;
        let mut events = DtmfEvents::new();
        events.extend(self.handle_timeout(arrival));
        self.take(arrival, timestamp, event, &mut events);
        Ok(events)
    }

    /// Infers the end of an event that has fallen silent. To be called at every tick.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<DtmfEvent> {
        let open = self.open?;
        let silence = now.saturating_duration_since(open.last_packet);
        (silence >= SILENCE_BEFORE_END).then(|| self.close(open, EndSeen::No))
    }

    /// Begins anew with another synchronisation source, whose timestamps are unrelated. An open event ends.
    pub fn handle_source_change(&mut self) -> Option<DtmfEvent> {
        self.newest = None;
        self.open.map(|open| self.close(open, EndSeen::No))
    }

    /// What was counted so far.
    pub fn counters(&self) -> &ReceiverCounters {
        &self.counters
    }

    fn take(&mut self, arrival: Instant, timestamp: RtpTime, event: EventPayload, events: &mut DtmfEvents) {
        match self.place(timestamp, event.digit) {
            Place::Repeated => self.counters.repeated += 1,
            Place::SameSegment(mut open) => {
                open.segment_duration = open.segment_duration.max(event.duration);
                self.update(arrival, open, event, events);
            }
            Place::NextSegment(mut open, length) => {
                open.earlier_segments = open.earlier_segments.saturating_add(length);
                open.segment_start = timestamp;
                open.segment_duration = event.duration;
                self.update(arrival, open, event, events);
            }
            Place::NewEvent => {
                events.extend(self.open.map(|open| self.close(open, EndSeen::No)));
                events.push(DtmfEvent::Started { digit: event.digit });
                let open = OpenEvent {
                    digit: event.digit,
                    volume: event.volume,
                    segment_start: timestamp,
                    segment_duration: event.duration,
                    earlier_segments: 0,
                    last_packet: arrival,
                };
                self.update(arrival, open, event, events);
            }
        }
    }

    fn place(&self, timestamp: RtpTime, digit: Digit) -> Place {
        let Some(newest) = self.newest else {
            return Place::NewEvent;
        };
        let since_newest = timestamp.0.wrapping_sub(newest.0);
        let open = self.open.filter(|open| open.digit == digit);
        match (open, since_newest) {
            (Some(open), 0) => Place::SameSegment(open),
            (Some(open), SHORTEST_FULL_SEGMENT..=LONGEST_SEGMENT) => Place::NextSegment(open, since_newest),
            (None, 0) => Place::Repeated,
            _ => {
                let until_newest = newest.0.wrapping_sub(timestamp.0);
                let late = LATE_SECONDS.saturating_mul(self.clock_rate);
                if until_newest <= late { Place::Repeated } else { Place::NewEvent }
            }
        }
    }

    fn update(
        &mut self,
        arrival: Instant,
        mut open: OpenEvent,
        event: EventPayload,
        events: &mut DtmfEvents,
    ) {
        open.last_packet = arrival;
        self.newest = Some(open.segment_start);
        self.open = Some(open);
        if event.is_end {
            events.push(self.close(open, EndSeen::Yes));
        }
    }

    fn close(&mut self, open: OpenEvent, end: EndSeen) -> DtmfEvent {
        self.open = None;
        self.counters.digits += 1;
        let is_inferred = end == EndSeen::No;
        self.counters.inferred_ends += u64::from(is_inferred);
        let units = u64::from(open.earlier_segments) + u64::from(open.segment_duration);
        DtmfEvent::Ended {
            digit: open.digit,
            duration: Duration::from_micros(units * 1_000_000 / u64::from(self.clock_rate)),
            volume: open.volume,
            is_inferred,
        }
    }
}

/// The key that is down at this moment.
#[derive(Clone, Copy, Debug)]
struct OpenEvent {
    digit: Digit,
    volume: u8,
    segment_start: RtpTime,
    segment_duration: u16,
    /// Length in timestamp units of the segments before this one (RFC 4733 section 2.5.1.3).
    earlier_segments: u32,
    last_packet: Instant,
}

/// Where a packet belongs.
enum Place {
    SameSegment(OpenEvent),
    NextSegment(OpenEvent, u32),
    NewEvent,
    Repeated,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EndSeen {
    Yes,
    No,
}

/// How long an event may be silent before it counts as ended. Senders repeat every 20-50 ms, so two losses in a row are
/// survived; a slower guess would hold back the digit whose three end packets were lost.
pub const SILENCE_BEFORE_END: Duration = Duration::from_millis(160);

/// A segment of a long event ends at the largest duration that 16 bits hold (RFC 4733 section 2.5.1.3).
const LONGEST_SEGMENT: u32 = 0xFFFF;

/// Some senders end a segment at a whole packet before that: up to 60 ms at 8 kHz.
const SHORTEST_FULL_SEGMENT: u32 = LONGEST_SEGMENT - 480;

/// Timestamps up to this far in the past belong to events that are over; what lies further back is a restarted clock.
const LATE_SECONDS: u32 = 10;

const END_BIT: u8 = 0x80;
const VOLUME_MASK: u8 = 0x3F;

#[cfg(test)]
mod tests;
