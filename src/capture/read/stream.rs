//! TCP streams in order: what was sent twice is dropped, what came early waits for what is missing.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::frame::Segment;
use super::{Content, ReadCounters, Seen};

/// Every direction of every connection of a capture.
#[derive(Debug, Default)]
pub(super) struct Streams(HashMap<(SocketAddr, SocketAddr), Stream>);

#[derive(Debug)]
enum Stream {
    Open {
        /// The sequence number of the next byte.
        next: u32,
        /// Segments that came early, by their distance from the stream's begin; with the stream's end, if it came.
        early: BTreeMap<u64, Segment>,
        /// Bytes delivered.
        delivered: u64,
    },
    Over,
}

impl Streams {
    /// Takes a segment and appends to `seen` what is now in order.
    pub(super) fn take(&mut self, segment: Segment, seen: &mut Vec<Seen>, counters: &mut ReadCounters) {
        let way = (segment.from, segment.to);
        if segment.is_syn {
            self.0.insert(way, Stream::beginning(segment.sequence.wrapping_add(1)));
            return;
        }
        if !self.0.contains_key(&way) && self.0.len() >= MAX_STREAMS {
            counters.foreign += 1;
            return;
        }
        // A capture that began later than the connection: the first segment is where we come in.
        let stream = self.0.entry(way).or_insert_with(|| Stream::beginning(segment.sequence));
        stream.take(segment, seen, counters);
    }
}

impl Stream {
    fn beginning(next: u32) -> Self {
        Self::Open { next, early: BTreeMap::new(), delivered: 0 }
    }

    fn take(&mut self, segment: Segment, seen: &mut Vec<Seen>, counters: &mut ReadCounters) {
        let Self::Open { next, early, delivered } = self else { return };
        // Positions within half of the number space lie ahead, the others behind.
        let ahead = segment.sequence.wrapping_sub(*next) as i32;
        let position = delivered.saturating_add_signed(ahead.into());
        if ahead > 0 {
            early.insert(position, segment);
            let waiting: usize = early.values().map(|segment| segment.payload.len()).sum();
            if early.len() > MAX_EARLY_SEGMENTS || waiting > MAX_EARLY_BYTES {
                self.give_up(seen, counters);
            }
            return;
        }
        let (at, frame) = (segment.at, segment.frame);
        let mut is_over = self.deliver(segment, (at, frame), seen, counters);
        while let (false, Some(segment)) = (is_over, self.pop_ready()) {
            is_over = self.deliver(segment, (at, frame), seen, counters);
        }
    }

    /// Delivers what is new in a segment that does not lie ahead; true if the stream is over.
    fn deliver(
        &mut self,
        mut segment: Segment,
        (at, frame): (std::time::Duration, u64),
        seen: &mut Vec<Seen>,
        counters: &mut ReadCounters,
    ) -> bool {
        let Self::Open { next, delivered, .. } = self else { return true };
        let behind = next.wrapping_sub(segment.sequence) as usize;
        if behind > segment.payload.len() || (behind == segment.payload.len() && behind > 0) {
            counters.repeated_segments += 1;
            return false;
        }
        let fresh = segment.payload.split_off(behind);
        let (from, to) = (segment.from, segment.to);
        *next = next.wrapping_add(u32::try_from(fresh.len()).unwrap_or(0));
        *delivered += fresh.len() as u64;
        if !fresh.is_empty() {
            seen.push(Seen { at, frame, from, to, what: Content::Stream(fresh) });
        }
        if segment.is_end {
            seen.push(Seen { at, frame, from, to, what: Content::StreamEnd });
            *self = Self::Over;
        }
        segment.is_end
    }

    /// The earliest waiting segment, if what it waited for has come.
    fn pop_ready(&mut self) -> Option<Segment> {
        let Self::Open { early, delivered, .. } = self else { return None };
        let (&position, _) = early.first_key_value()?;
        if position > *delivered { None } else { early.pop_first().map(|(_, segment)| segment) }
    }

    /// The missing part will not come: the capture lost it.
    fn give_up(&mut self, seen: &mut Vec<Seen>, counters: &mut ReadCounters) {
        let Self::Open { early, .. } = self else { return };
        counters.broken_streams += 1;
        if let Some((_, segment)) = early.last_key_value() {
            let Segment { at, frame, from, to, .. } = *segment;
            seen.push(Seen { at, frame, from, to, what: Content::StreamEnd });
        }
        *self = Self::Over;
    }
}

/// Connections of a trunk's capture; each takes some hundred bytes.
const MAX_STREAMS: usize = 65_536;
/// More than a window of a slow connection.
const MAX_EARLY_SEGMENTS: usize = 256;
const MAX_EARLY_BYTES: usize = 1 << 20;
