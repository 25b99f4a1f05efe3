//! From what the jitter buffer releases to frames: decoding, concealment and the joins around slips.

use std::time::Instant;

use arrayvec::ArrayVec;

use super::Codec;
use super::conceal::Concealer;
use crate::frame::{Frame, FrameKind, MAX_FRAME_PAYLOAD_BYTES, MAX_FRAME_SAMPLES, MediaTime};
use crate::jitter::{Content, JitterBuffer, Paced, Slot};

/// Decodes one stream. It keeps the history that concealment needs, so a stream has one decoder for its life.
#[derive(Clone, Debug)]
pub struct FrameDecoder {
    codec: Codec,
    concealer: Concealer,
    next_media_time: MediaTime,
}

impl FrameDecoder {
    /// A decoder that has heard nothing.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, concealer: Concealer::new(codec.clock_rate()), next_media_time: MediaTime::default() }
    }

    /// Continues with another codec. What was heard stays as history if the new one has the same rate.
    pub fn set_codec(&mut self, codec: Codec) {
        if self.codec.clock_rate() != codec.clock_rate() {
            self.concealer = Concealer::new(codec.clock_rate());
        }
        self.codec = codec;
    }

    /// The next frame for a listener: call it until it returns `None`, after every few packets and at each tick.
    pub fn next_in_order(&mut self, buffer: &mut JitterBuffer, now: Instant) -> Option<Frame> {
        let slot = buffer.next_in_order(now)?;
        Some(self.decode(&slot, Join::Follows))
    }

    /// The frame for a peer's ear: call it exactly once a tick. `None` while there is nothing to hear. Where the peer pauses,
    /// up to three concealed frames fade out first.
    pub fn next_paced(&mut self, buffer: &mut JitterBuffer, now: Instant) -> Option<Frame> {
        let has_begun = self.next_media_time > MediaTime::default();
        let frame = match buffer.next_paced(now) {
            Paced::Frame(slot) => self.decode(&slot, Join::Follows),
            Paced::SlipRemoved(slot) => self.decode(&slot, Join::Cut),
            Paced::SlipInserted { timestamp } => self.conceal(MediaTime::from_unwrapped(timestamp)),
            Paced::Empty if has_begun && self.concealer.is_audible() => self.conceal(self.next_media_time),
            Paced::Empty => return None,
        };
        buffer.note_quiet(is_quiet(&frame.samples));
        Some(frame)
    }

    fn decode(&mut self, slot: &Slot<'_>, join: Join) -> Frame {
        let media_time = MediaTime::from_unwrapped(slot.timestamp);
        let (payload, missing_before) = match slot.content {
            Content::Lost => return self.conceal(media_time),
            Content::Payload(payload) => (payload, 0),
            Content::Partial { payload, missing_before } => (payload, missing_before),
        };
        let mut frame = self.silent_frame(media_time);
        frame.arrival = slot.arrival;
        let received = missing_before..missing_before.saturating_add(payload.len());
        if let Some(place) = frame.payload.get_mut(received.clone()) {
            place.copy_from_slice(payload);
        }
        let (before, rest) = frame.samples.split_at_mut(received.start.min(self.codec.frame_samples()));
        let (heard, after) = rest.split_at_mut(payload.len().min(rest.len()));
        if !before.is_empty() {
            self.concealer.conceal(before);
        }
        self.codec.decode(payload, heard);
        match join {
            Join::Follows => self.concealer.hear(heard),
            Join::Cut => self.concealer.hear_after_cut(heard),
        }
        if !after.is_empty() {
            self.concealer.conceal(after);
        }
        if !before.is_empty() || !after.is_empty() {
            frame.kind = FrameKind::Concealed;
        }
        frame
    }

    fn conceal(&mut self, media_time: MediaTime) -> Frame {
        let mut frame = self.silent_frame(media_time);
        frame.kind = FrameKind::Concealed;
        self.concealer.conceal(&mut frame.samples);
        frame
    }

    fn silent_frame(&mut self, media_time: MediaTime) -> Frame {
        let count = self.codec.frame_samples().min(MAX_FRAME_SAMPLES);
        self.next_media_time = MediaTime(media_time.0.saturating_add(count as u64));
        let mut samples = ArrayVec::from([0; MAX_FRAME_SAMPLES]);
        samples.truncate(count);
        let mut payload = ArrayVec::from([self.codec.silence_byte(); MAX_FRAME_PAYLOAD_BYTES]);
        payload.truncate(count);
        Frame { media_time, kind: FrameKind::Voice, arrival: None, samples, payload }
    }
}

/// How a frame joins the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    Follows,
    /// Something was left out between them.
    Cut,
}

fn is_quiet(samples: &[i16]) -> bool {
    // Without an early end, so that many samples are compared at once.
    let (lowest, highest) =
        samples.iter().fold((0_i16, 0_i16), |(low, high), sample| (low.min(*sample), high.max(*sample)));
    -QUIET_PEAK < lowest && highest < QUIET_PEAK
}

/// Peak of a frame that counts as quiet: 40 dB below full scale, well above the noise of a telephone line, below speech.
const QUIET_PEAK: i16 = 328;

#[cfg(test)]
mod tests;
