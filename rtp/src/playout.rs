//! The playout ring: samples that are ready to be sent, and the cursor that knows which of them were heard.
//!
//! Synthesized speech comes faster than it is spoken: it is tagged with its utterance, and bounded by the credit that the ring
//! grants. Live audio of a bridge or an echo comes as fast as it is heard: where it runs ahead, the oldest is dropped.

use std::collections::VecDeque;
use std::time::Duration;

use crate::frame::FRAME_SAMPLES;

/// Samples on their way to the peer. They take memory while there are any: an agent listens for most of a call.
#[derive(Clone, Debug)]
pub struct PlayoutRing {
    /// As long as the capacity, or empty while nothing waits.
    samples: Box<[i16]>,
    capacity: usize,
    /// Index of the oldest sample.
    head: usize,
    len: usize,
    /// Samples of live audio above which the oldest are dropped.
    live_limit: usize,
    /// Samples over which a drop is cross-faded.
    join_samples: usize,
    segments: VecDeque<Segment>,
    /// The utterance that is being pulled, or was last.
    cursor: Option<Cursor>,
    is_cursor_open: bool,
    /// Utterances below this number are not accepted any more.
    stale_below: u64,
    counters: PlayoutCounters,
}

/// Numbers a call's utterances in the order in which they are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub u64);

/// How much of which utterance has been pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The utterance that is playing, or played last.
    pub utterance: UtteranceId,
    /// Its samples that were pulled.
    pub samples_heard: u64,
}

/// What one pull gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Samples from the ring; the rest of the frame is silence.
    pub samples_filled: usize,
    /// The slot was dry: an utterance is still open, and its samples were not there in time.
    pub is_dry: bool,
    /// The utterance that ended in this frame.
    pub finished: Option<UtteranceId>,
}

/// What happened to a ring's samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutCounters {
    /// Frames that were not full although an utterance was open.
    pub dry_slots: u64,
    /// Samples that were refused because their utterance was flushed or is over.
    pub stale_samples: u64,
    /// Samples that were refused because their number exceeds the credit, or because too many utterances wait.
    pub refused_samples: u64,
    /// Live samples that were dropped because they ran ahead.
    pub live_dropped_samples: u64,
}

impl PlayoutRing {
    /// A ring for 400 ms of synthesized speech.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self::with_capacity(clock_rate, SPEECH_CAPACITY)
    }

    /// A ring for 200 ms of live audio.
    #[must_use]
    pub fn live(clock_rate: u32) -> Self {
        Self::with_capacity(clock_rate, LIVE_LIMIT)
    }

    /// A ring that holds `capacity` of audio, 20 ms at least and 2 s at most.
    #[must_use]
    pub fn with_capacity(clock_rate: u32, capacity: Duration) -> Self {
        let rate = clock_rate.clamp(MIN_CLOCK_RATE, MAX_CLOCK_RATE) as usize;
        let samples_in = |duration: Duration| rate * duration.as_millis() as usize / 1_000;
        let capacity_samples = samples_in(capacity.min(MAX_CAPACITY)).max(FRAME_SAMPLES);
        Self {
            samples: Box::default(),
            capacity: capacity_samples,
            head: 0,
            len: 0,
            live_limit: samples_in(LIVE_LIMIT).min(capacity_samples),
            join_samples: samples_in(JOIN),
            segments: VecDeque::with_capacity(MAX_SEGMENTS),
            cursor: None,
            is_cursor_open: false,
            stale_below: 0,
            counters: PlayoutCounters::default(),
        }
    }

    /// Queues samples of an utterance behind those that wait, and says how many were accepted: no more than the credit, and
    /// none of an utterance that was flushed or that a newer one has followed.
    pub fn push(&mut self, utterance: UtteranceId, samples: &[i16]) -> usize {
        if utterance.0 < self.stale_below {
            self.counters.stale_samples += samples.len() as u64;
            return 0;
        }
        let accepted = samples.len().min(self.credit());
        let accepted = if self.open_segment(Source::Utterance(utterance)) { accepted } else { 0 };
        self.counters.refused_samples += (samples.len() - accepted) as u64;
        self.append(&samples[..accepted]);
        accepted
    }

    /// No more samples of this utterance will come: its end will be reported, and is no dry slot.
    pub fn finish(&mut self, utterance: UtteranceId) {
        if utterance.0 < self.stale_below {
            return;
        }
        if self.open_segment(Source::Utterance(utterance))
            && let Some(segment) = self.segments.back_mut()
        {
            segment.is_finished = true;
        }
        self.stale_below = utterance.0.saturating_add(1);
    }

    /// Queues live audio. Above 200 ms the oldest live audio is dropped, or the new where speech is queued before it.
    pub fn push_live(&mut self, samples: &[i16]) {
        let samples = &samples[samples.len().saturating_sub(self.live_limit)..];
        let excess = (self.len + samples.len()).saturating_sub(self.live_limit);
        if excess > 0 {
            self.drop_oldest_live(excess);
        }
        let room = self.live_limit.saturating_sub(self.len).min(samples.len());
        let accepted = if self.open_segment(Source::Live) { room } else { 0 };
        self.counters.live_dropped_samples += (samples.len() - accepted) as u64;
        self.append(&samples[..accepted]);
    }

    /// Takes the next frame. Call it once a tick.
    pub fn pull(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> Pulled {
        let mut pulled = Pulled::default();
        while let Some(segment) = self.segments.front().copied() {
            let count = segment.samples.min(FRAME_SAMPLES - pulled.samples_filled);
            let ends = count == segment.samples && segment.is_finished;
            if (count == 0 && !ends) || (ends && pulled.finished.is_some()) {
                break;
            }
            self.take(&mut frame[pulled.samples_filled..][..count]);
            pulled.samples_filled += count;
            self.advance(segment.source, count);
            if ends {
                pulled.finished = self.close_front();
            }
        }
        if self.segments.is_empty() {
            self.samples = Box::default();
        }
        frame[pulled.samples_filled..].fill(0);
        pulled.is_dry = pulled.samples_filled < FRAME_SAMPLES && self.is_utterance_open();
        self.counters.dry_slots += u64::from(pulled.is_dry);
        pulled
    }

    /// Drops all that waits, refuses from now on the utterances that were queued, and says how much was heard of the one that
    /// was playing or would have been next; `None` if there was none.
    pub fn flush(&mut self) -> Option<Cursor> {
        let waiting = self.segments.iter().find_map(|segment| match segment.source {
            Source::Utterance(utterance) => Some(Cursor { utterance, samples_heard: 0 }),
            Source::Live => None,
        });
        let interrupted = if self.is_cursor_open { self.cursor } else { waiting };
        let newest = self.segments.iter().filter_map(|segment| match segment.source {
            Source::Utterance(utterance) => Some(utterance.0),
            Source::Live => None,
        });
        if let Some(newest) = newest.chain(interrupted.map(|cursor| cursor.utterance.0)).max() {
            self.stale_below = self.stale_below.max(newest.saturating_add(1));
        }
        self.segments.clear();
        self.is_cursor_open = false;
        self.len = 0;
        self.samples = Box::default();
        interrupted
    }

    /// Samples that the ring can take now.
    #[must_use]
    pub fn credit(&self) -> usize {
        self.capacity - self.len
    }

    /// Samples that wait to be pulled.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.len
    }

    /// How much of which utterance was pulled; `None` before the first.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &PlayoutCounters {
        &self.counters
    }

    /// Makes the newest segment one of this source, which ends the one before it; false if too many wait.
    fn open_segment(&mut self, source: Source) -> bool {
        if self.segments.back().is_some_and(|segment| segment.source == source) {
            return true;
        }
        if self.segments.len() == MAX_SEGMENTS {
            return false;
        }
        if let Source::Utterance(utterance) = source {
            self.stale_below = self.stale_below.max(utterance.0);
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.is_finished = true;
        }
        self.segments.push_back(Segment { source, samples: 0, is_finished: false });
        true
    }

    fn append(&mut self, samples: &[i16]) {
        if let Some(segment) = self.segments.back_mut() {
            segment.samples += samples.len();
        }
        if samples.is_empty() {
            return;
        }
        if self.samples.is_empty() {
            self.samples = vec![0; self.capacity].into_boxed_slice();
            self.head = 0;
        }
        let place = (self.head + self.len) % self.samples.len();
        let (head, tail) = samples.split_at(samples.len().min(self.samples.len() - place));
        self.samples[place..place + head.len()].copy_from_slice(head);
        self.samples[..tail.len()].copy_from_slice(tail);
        self.len += samples.len();
    }

    fn take(&mut self, out: &mut [i16]) {
        if out.is_empty() {
            return;
        }
        let (head, tail) = out.split_at_mut(out.len().min(self.samples.len() - self.head));
        head.copy_from_slice(&self.samples[self.head..self.head + head.len()]);
        tail.copy_from_slice(&self.samples[..tail.len()]);
        self.discard(out.len());
    }

    fn discard(&mut self, count: usize) {
        self.head = (self.head + count) % self.samples.len();
        self.len -= count;
    }

    fn advance(&mut self, source: Source, count: usize) {
        if let Some(segment) = self.segments.front_mut() {
            segment.samples -= count;
        }
        let Source::Utterance(utterance) = source else { return };
        match &mut self.cursor {
            Some(cursor) if cursor.utterance == utterance => cursor.samples_heard += count as u64,
            _ => self.cursor = Some(Cursor { utterance, samples_heard: count as u64 }),
        }
        self.is_cursor_open = true;
    }

    /// The front segment is finished and pulled to its end.
    fn close_front(&mut self) -> Option<UtteranceId> {
        self.is_cursor_open = false;
        match self.segments.pop_front()?.source {
            Source::Utterance(utterance) => Some(utterance),
            Source::Live => None,
        }
    }

    fn is_utterance_open(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment.source, Source::Utterance(_)))
    }

    /// Drops live samples from the front, fading over from what would have been next to what is next now.
    fn drop_oldest_live(&mut self, count: usize) {
        let Some(front) = self.segments.front_mut().filter(|segment| segment.source == Source::Live) else {
            return;
        };
        let count = count.min(front.samples);
        front.samples -= count;
        let join = self.join_samples.min(count).min(front.samples);
        for index in 0..join {
            let old = i32::from(self.samples[(self.head + index) % self.samples.len()]);
            let place = (self.head + count + index) % self.samples.len();
            let new = i32::from(self.samples[place]);
            let (weight, whole) = (index as i32 + 1, join as i32 + 1);
            self.samples[place] = ((old * (whole - weight) + new * weight) / whole) as i16;
        }
        self.discard(count);
        self.counters.live_dropped_samples += count as u64;
    }
}

/// A run of queued samples from one source.
#[derive(Clone, Copy, Debug)]
struct Segment {
    source: Source,
    samples: usize,
    is_finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Utterance(UtteranceId),
    Live,
}

/// Enough to ride out a pause on the synthesizer's side.
const SPEECH_CAPACITY: Duration = Duration::from_millis(400);

/// A ring is not a store: what has not been spoken for longer waits with the mind.
const MAX_CAPACITY: Duration = Duration::from_secs(2);

/// Bridged speech that is older disturbs a conversation more than a cut does.
const LIVE_LIMIT: Duration = Duration::from_millis(200);

/// A cut of live audio is cross-faded over so much.
const JOIN: Duration = Duration::from_millis(5);

/// Utterances that can wait at once: no sentence is shorter than 25 ms.
const MAX_SEGMENTS: usize = 16;

const MIN_CLOCK_RATE: u32 = 8_000;
const MAX_CLOCK_RATE: u32 = 48_000;

#[cfg(test)]
mod tests;
