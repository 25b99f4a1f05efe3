//! `echo`: the caller hears itself. Every frame passes the jitter buffer, the decoder, the playout ring and the
//! encoder, as a bridged call would.

use std::time::Instant;

use caly_rtp::frame::{FRAME_SAMPLES, Frame};
use caly_rtp::jitter::Release;
use caly_rtp::playout::PlayoutRing;

use super::{Begin, Destination};

/// Sends back what it hears.
#[derive(Debug)]
pub struct Echo {
    playout: PlayoutRing,
}

impl Echo {
    /// An echo with an empty playout ring.
    pub fn new() -> Self {
        Self { playout: PlayoutRing::live(8000) }
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

impl Destination for Echo {
    fn begin(&self) -> Begin {
        Begin::Answer
    }

    fn release(&self) -> Release {
        Release::Paced
    }

    fn hear(&mut self, _now: Instant, frame: &Frame) {
        self.playout.push_live(&frame.samples);
    }

    fn speak(&mut self, _now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        self.playout.pull(samples);
    }
}
