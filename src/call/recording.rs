//! Puts the caller's and the agent's audio onto one timeline of 20 ms blocks, for the stereo recording.

use std::fmt;

use caly_rtp::frame::{FRAME_SAMPLES, Frame};

/// Takes the blocks of a recording. Block n of both channels belongs to the same 20 ms.
pub trait MediaTap: fmt::Debug {
    /// A block of the caller's channel. Blocks may come late by some hundred milliseconds, but in order.
    fn caller(&mut self, block: u32, samples: &[i16; FRAME_SAMPLES]);
    /// A block of the agent's channel: what left in that tick.
    fn agent(&mut self, block: u32, samples: &[i16; FRAME_SAMPLES]);
}

/// Nobody records.
#[derive(Clone, Copy, Debug)]
pub struct NoTap;

impl MediaTap for NoTap {
    fn caller(&mut self, _block: u32, _samples: &[i16; FRAME_SAMPLES]) {}
    fn agent(&mut self, _block: u32, _samples: &[i16; FRAME_SAMPLES]) {}
}

/// Cuts the caller's frames, of any length, into blocks and places them by media time. The first frame is placed in
/// the tick in which it was heard; the place is taken anew when the stream has drifted or jumped away from the ticks.
#[derive(Debug)]
pub(super) struct CallerTimeline {
    anchor: Option<Anchor>,
    block: [i16; FRAME_SAMPLES],
    /// The block being filled, and how far.
    position: u64,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    media_time: u64,
    position: u64,
}

impl CallerTimeline {
    /// An empty timeline.
    pub(super) fn new() -> Self {
        Self { anchor: None, block: [0; FRAME_SAMPLES], position: 0 }
    }

    /// Places a frame heard in tick `tick`; complete blocks go to `tap`.
    pub(super) fn push(&mut self, tick: u32, frame: &Frame, tap: &mut dyn MediaTap) {
        let start = self.place(tick, frame);
        if start != self.position {
            self.flush(tap);
            self.position = start;
        }
        let mut samples = frame.samples.as_slice();
        while !samples.is_empty() {
            let offset = self.offset();
            let (now, later) = samples.split_at(samples.len().min(FRAME_SAMPLES - offset));
            self.block[offset..][..now.len()].copy_from_slice(now);
            self.position += now.len() as u64;
            samples = later;
            if self.offset() == 0 {
                self.emit(tap);
            }
        }
    }

    /// Hands out the block that is not full; what is missing is silence.
    pub(super) fn flush(&mut self, tap: &mut dyn MediaTap) {
        let filled = self.offset();
        if filled > 0 {
            self.block[filled..].fill(0);
            self.position += (FRAME_SAMPLES - filled) as u64;
            self.emit(tap);
        }
    }

    fn place(&mut self, tick: u32, frame: &Frame) -> u64 {
        let expected = u64::from(tick) * FRAME_SAMPLES as u64;
        let anchored = self.anchor.and_then(|anchor| {
            let passed = frame.media_time.0.checked_sub(anchor.media_time)?;
            let start = anchor.position.checked_add(passed)?;
            let is_near = start + MAX_LAG_SAMPLES >= expected && start <= expected + MAX_LEAD_SAMPLES;
            (is_near && start >= self.position).then_some(start)
        });
        anchored.unwrap_or_else(|| {
            let position = expected.max(self.position.next_multiple_of(FRAME_SAMPLES as u64));
            self.anchor = Some(Anchor { media_time: frame.media_time.0, position });
            position
        })
    }

    /// The block that ends at `position` is complete.
    fn emit(&mut self, tap: &mut dyn MediaTap) {
        let index = (self.position / FRAME_SAMPLES as u64).saturating_sub(1);
        tap.caller(u32::try_from(index).unwrap_or(u32::MAX), &self.block);
        self.block = [0; FRAME_SAMPLES];
    }

    fn offset(&self) -> usize {
        (self.position % FRAME_SAMPLES as u64) as usize
    }
}

impl Default for CallerTimeline {
    fn default() -> Self {
        Self::new()
    }
}

/// The recorder waits 500 ms for the caller's side of a block; 400 ms leave it room.
const MAX_LAG_SAMPLES: u64 = 20 * FRAME_SAMPLES as u64;
/// A stream this far ahead of the ticks has jumped or drifted: two frames.
const MAX_LEAD_SAMPLES: u64 = 2 * FRAME_SAMPLES as u64;

/// A paced frame is one tick long and belongs to this tick.
pub(super) fn tap_paced(tick: u32, frame: &Frame, tap: &mut dyn MediaTap) {
    if let Ok(samples) = <&[i16; FRAME_SAMPLES]>::try_from(frame.samples.as_slice()) {
        tap.caller(tick, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caly_rtp::frame::{FrameKind, MediaTime};

    #[derive(Debug, Default)]
    struct Blocks(Vec<(u32, i16, i16)>);

    impl MediaTap for Blocks {
        fn caller(&mut self, block: u32, samples: &[i16; FRAME_SAMPLES]) {
            self.0.push((block, samples[0], samples[FRAME_SAMPLES - 1]));
        }
        fn agent(&mut self, _block: u32, _samples: &[i16; FRAME_SAMPLES]) {}
    }

    fn frame(media_time: u64, len: usize, value: i16) -> Frame {
        Frame {
            media_time: MediaTime(media_time),
            kind: FrameKind::Voice,
            arrival: None,
            samples: std::iter::repeat_n(value, len).collect(),
            payload: Default::default(),
        }
    }

    #[test]
    fn frames_that_arrive_in_clumps_keep_their_distance() {
        let (mut timeline, mut blocks) = (CallerTimeline::new(), Blocks::default());
        for (tick, n) in [(10, 0), (13, 1), (13, 2), (13, 3), (14, 4)] {
            timeline.push(tick, &frame(n * 160, 160, n as i16), &mut blocks);
        }
        assert_eq!(blocks.0, [(10, 0, 0), (11, 1, 1), (12, 2, 2), (13, 3, 3), (14, 4, 4)]);
    }

    #[test]
    fn a_gap_in_media_time_is_left_open_and_short_packets_fill_blocks_together() {
        let (mut timeline, mut blocks) = (CallerTimeline::new(), Blocks::default());
        timeline.push(0, &frame(0, 80, 1), &mut blocks);
        timeline.push(0, &frame(80, 80, 2), &mut blocks);
        timeline.push(3, &frame(480, 160, 3), &mut blocks);
        timeline.push(4, &frame(640, 80, 4), &mut blocks);
        timeline.flush(&mut blocks);
        assert_eq!(blocks.0, [(0, 1, 2), (3, 3, 3), (4, 4, 0)]);
    }

    #[test]
    fn a_stream_that_has_drifted_away_is_placed_anew_and_never_backwards() {
        let (mut timeline, mut blocks) = (CallerTimeline::new(), Blocks::default());
        timeline.push(0, &frame(0, 160, 1), &mut blocks);
        timeline.push(30, &frame(160, 160, 2), &mut blocks);
        timeline.push(31, &frame(160_000, 160, 3), &mut blocks);
        timeline.push(31, &frame(0, 160, 4), &mut blocks);
        assert_eq!(blocks.0, [(0, 1, 1), (30, 2, 2), (31, 3, 3), (32, 4, 4)]);
    }
}
