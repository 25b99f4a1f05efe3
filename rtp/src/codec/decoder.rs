//! From what the jitter buffer releases to frames: decoding, concealment and the joins around slips.

use std::time::Instant;

use arrayvec::ArrayVec;

use super::Codec;
use super::conceal::Concealer;
use crate::frame::{Frame, FrameKind, MediaTime};
use crate::jitter::{Content, JitterBuffer, Paced};

/// Decodes one stream. It keeps the history that concealment needs, so a stream has one decoder for its life.
#[derive(Clone, Debug)]
pub struct FrameDecoder {
    codec: Codec,
    concealer: Concealer,
}

impl FrameDecoder {
    /// A decoder that has heard nothing.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, concealer: Concealer::new(codec.clock_rate()) }
    }

    /// Continues with another codec.
    pub fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// The next frame for a listener: call it until it returns `None`, after each batch of packets and at each tick.
    pub fn next_in_order(&mut self, buffer: &mut JitterBuffer, now: Instant) -> Option<Frame> {
        let slot = buffer.next_in_order(now)?;
        let mut frame = Frame { media_time: MediaTime::from_unwrapped(slot.timestamp), ..Frame::default() };
        self.fill(&slot.content, &mut frame);
        Some(frame)
    }

    /// The frame for a peer's ear: call it exactly once a tick. `None` while there is nothing to hear.
    pub fn next_paced(&mut self, buffer: &mut JitterBuffer, now: Instant) -> Option<Frame> {
        let mut frame = Frame::default();
        match buffer.next_paced(now) {
            Paced::Frame(slot) | Paced::SlipRemoved(slot) => {
                frame.media_time = MediaTime::from_unwrapped(slot.timestamp);
                self.fill(&slot.content, &mut frame);
            }
            Paced::SlipInserted { timestamp } => {
                frame.media_time = MediaTime::from_unwrapped(timestamp);
                self.fill(&Content::Lost, &mut frame);
            }
            Paced::Empty => return None,
        }
        Some(frame)
    }

    fn fill(&mut self, content: &Content<'_>, frame: &mut Frame) {
        let count = self.codec.frame_samples();
        frame.samples = std::iter::repeat_n(0, count).collect();
        match content {
            Content::Payload(payload) => {
                frame.kind = FrameKind::Voice;
                frame.payload = payload.iter().copied().collect();
                self.codec.decode(payload, &mut frame.samples);
                self.concealer.heard(&mut frame.samples);
            }
            Content::Partial { .. } | Content::Lost => {
                frame.kind = FrameKind::Concealed;
                frame.payload = silence(self.codec);
                self.concealer.conceal(&mut frame.samples);
            }
        }
    }
}

fn silence<const N: usize>(codec: Codec) -> ArrayVec<u8, N> {
    std::iter::repeat_n(codec.silence_byte(), codec.frame_samples()).take(N).collect()
}
