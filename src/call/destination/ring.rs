//! `ring` and `busy`: destinations that never answer, for testing what a trunk does then.

use std::time::Instant;

use caly_rtp::frame::FRAME_SAMPLES;

use super::{Begin, Destination};
use crate::call::cause::HangupCause;

/// Rings until the ring timeout ends the call with 480.
#[derive(Clone, Copy, Debug)]
pub struct Ring;

impl Destination for Ring {
    fn begin(&self) -> Begin {
        Begin::Ring
    }

    fn speak(&mut self, _now: Instant, _samples: &mut [i16; FRAME_SAMPLES]) {}
}

/// Refuses with 486.
#[derive(Clone, Copy, Debug)]
pub struct Busy;

impl Destination for Busy {
    fn begin(&self) -> Begin {
        Begin::Refuse(HangupCause::Busy)
    }

    fn speak(&mut self, _now: Instant, _samples: &mut [i16; FRAME_SAMPLES]) {}
}
