//! Speech detection: is there a voice in 20 ms of telephone audio. What it says of one frame is a label and no decision.
#![allow(unsafe_code, reason = "the detector's state is a C object behind a raw pointer, see `WebRtc`")]

use std::fmt;

use caly_rtp::frame::FRAME_SAMPLES;
use webrtc_vad::{SampleRate, Vad, VadMode};

/// Labels frames of 8 kHz audio. The level of a frame and what follows from a run of labels are not its business.
pub trait SpeechDetector: Send + fmt::Debug {
    /// Whether there is speech in the next frame.
    fn is_speech(&mut self, frame: &[i16; FRAME_SAMPLES]) -> bool;

    /// Forgets what it has heard.
    fn reset(&mut self);
}

/// The WebRTC detector, one step below its strictest mode: that one takes the hiss at the beginning of "stop" for noise and is late
/// by it, and what it spares in noise the room's level does as well. 1-2 µs for a frame.
pub struct WebRtc(Vad);

// SAFETY: `Vad` is not `Send` only because it holds a raw pointer. It owns what that points to alone: a plain C struct made by
// `fvad_new` and freed by its `Drop`, without thread-local or shared state. `WebRtc` hands the pointer to nobody and every use of
// it needs `&mut self`, so it may be used by whichever thread owns it.
unsafe impl Send for WebRtc {}

impl WebRtc {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        Self(Vad::new_with_rate_and_mode(SampleRate::Rate8kHz, VadMode::Aggressive))
    }
}

impl Default for WebRtc {
    fn default() -> Self {
        Self::new()
    }
}

impl SpeechDetector for WebRtc {
    fn is_speech(&mut self, frame: &[i16; FRAME_SAMPLES]) -> bool {
        // It refuses only lengths that are not 10, 20 or 30 ms.
        self.0.is_voice_segment(frame).unwrap_or(false)
    }

    fn reset(&mut self) {
        *self = Self::new();
    }
}

impl fmt::Debug for WebRtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebRtc")
    }
}
