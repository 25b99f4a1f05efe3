//! Who listens to a caller in the place of a recognizer: it notes how loud what it would get is.

use caly_rtp::level::power;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::voice::{CallerListener, Conditioned};

/// How loud 20 ms were that were taken for the caller's speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Heard {
    /// When the first sample was taken, on the caller's clock.
    pub(super) at_ms: f32,
    /// Mean square of the samples.
    pub(super) power: f32,
}

/// The listener of a trial.
#[derive(Debug)]
pub(super) struct Meter(Producer<Heard>);

impl Meter {
    /// One, and where its notes are read.
    pub(super) fn new() -> (Self, Consumer<Heard>) {
        let (producer, notes) = RingBuffer::new(MAX_NOTES);
        (Self(producer), notes)
    }
}

impl CallerListener for Meter {
    fn listen(&mut self, heard: &Conditioned) {
        if heard.is_speech {
            let at_ms = heard.media_time.0 as f32 / 8.0;
            // The trial reads in every tick; what finds no room is not among its levels.
            let _ = self.0.push(Heard { at_ms, power: power(&heard.samples) });
        }
    }
}

/// More frames than come in one tick.
const MAX_NOTES: usize = 64;
