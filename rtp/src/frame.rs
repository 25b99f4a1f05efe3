//! The one frame shape that moves through the server, and the time it is counted in.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use crate::unwrap::ORIGIN;

/// Samples since the stream's first packet, at the stream's clock rate. It does not run back when the peer restarts its
/// numbering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// The media time of an unwrapped timestamp. What a reordered start puts before the first packet counts as zero.
    #[must_use]
    pub fn from_unwrapped(timestamp: u64) -> Self {
        Self(timestamp.saturating_sub(ORIGIN))
    }

    /// The same time as a duration.
    #[must_use]
    pub fn as_duration(self, clock_rate: u32) -> Duration {
        let rate = u64::from(clock_rate.max(1));
        let rest_nanos = (self.0 % rate) * 1_000_000_000 / rate;
        Duration::from_secs(self.0 / rate) + Duration::from_nanos(rest_nanos)
    }
}

/// 20 ms of one direction of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// When its first sample was taken, on the sender's clock.
    pub media_time: MediaTime,
    /// Where the samples come from.
    pub kind: FrameKind,
    /// When the last packet of it was received, to the millisecond; `None` if nothing of it was.
    pub arrival: Option<Instant>,
    /// PCM at the codec's own rate.
    pub samples: ArrayVec<i16, MAX_FRAME_SAMPLES>,
    /// The same 20 ms as received, for who takes the codec itself; what was lost is the codec's silence.
    pub payload: ArrayVec<u8, MAX_FRAME_PAYLOAD_BYTES>,
}

/// Where a frame's samples come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// From the peer's packets.
    #[default]
    Voice,
    /// Made up, in part at least, for what was lost or late.
    Concealed,
    /// Silence put where the peer sends none.
    ComfortNoise,
}

/// Length of a frame, and of the server's tick.
pub const FRAME: Duration = Duration::from_millis(20);

/// Samples in a frame at the 8 kHz of G.711.
pub const FRAME_SAMPLES: usize = 160;

/// Samples in the longest frame: 20 ms at 16 kHz, the widest band that telephony codecs decode to here.
pub const MAX_FRAME_SAMPLES: usize = 320;

/// Bytes of the longest payload in a frame: 20 ms at 64 kbit/s, the rate of G.711 and G.722.
pub const MAX_FRAME_PAYLOAD_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_is_a_duration_at_its_clock_rate() {
        assert_eq!(MediaTime(160).as_duration(8_000), FRAME);
        assert_eq!(MediaTime(48_001).as_duration(48_000), Duration::from_nanos(1_000_020_833));
        assert_eq!(MediaTime(u64::MAX).as_duration(8_000).as_secs(), u64::MAX / 8_000);
        assert_eq!(MediaTime::from_unwrapped(ORIGIN - 160), MediaTime(0));
    }
}
