//! Audio as providers name it. Who converts between formats stands outside: a codec only says what its provider takes.

use std::fmt;
use std::time::Duration;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// G.711 mu-law, a byte for each sample.
    Mulaw,
    /// G.711 A-law, a byte for each sample.
    Alaw,
    /// 16-bit signed PCM, little-endian.
    Linear16,
}

/// One channel of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// How samples are written.
    pub encoding: Encoding,
    /// Samples in a second.
    pub rate_hz: u32,
}

impl AudioFormat {
    /// G.711 mu-law at 8 kHz.
    pub const MULAW_8K: Self = Self { encoding: Encoding::Mulaw, rate_hz: 8_000 };
    /// G.711 A-law at 8 kHz.
    pub const ALAW_8K: Self = Self { encoding: Encoding::Alaw, rate_hz: 8_000 };
    /// PCM at 8 kHz.
    pub const PCM_8K: Self = Self { encoding: Encoding::Linear16, rate_hz: 8_000 };
    /// PCM at 16 kHz.
    pub const PCM_16K: Self = Self { encoding: Encoding::Linear16, rate_hz: 16_000 };
    /// PCM at 24 kHz.
    pub const PCM_24K: Self = Self { encoding: Encoding::Linear16, rate_hz: 24_000 };

    /// Bytes of a second.
    pub const fn bytes_per_second(self) -> u32 {
        self.rate_hz * self.bytes_per_sample()
    }

    /// Bytes of a sample.
    pub const fn bytes_per_sample(self) -> u32 {
        match self.encoding {
            Encoding::Mulaw | Encoding::Alaw => 1,
            Encoding::Linear16 => 2,
        }
    }

    /// How long so many bytes last.
    pub fn duration(self, bytes: u64) -> Duration {
        let rate = u64::from(self.bytes_per_second().max(1));
        Duration::from_secs(bytes / rate) + Duration::from_nanos(bytes % rate * 1_000_000_000 / rate)
    }

    /// Whole samples' bytes of so long a time, rounded down.
    pub fn bytes(self, duration: Duration) -> usize {
        let samples = duration.as_micros() * u128::from(self.rate_hz) / 1_000_000;
        usize::try_from(samples).unwrap_or(usize::MAX).saturating_mul(self.bytes_per_sample() as usize)
    }

    /// Of the formats that a provider takes, the one that costs the least for a call: its own if it is among them, then PCM at
    /// the telephone's rate, then the lowest rate. The first one if all else is equal; `None` of none.
    pub fn cheapest(call: Self, taken: &[Self]) -> Option<Self> {
        let cost = |format: &&Self| match **format {
            same if same == call => (0, 0),
            Self { encoding: Encoding::Linear16, rate_hz } => (1, rate_hz),
            Self { rate_hz, .. } => (2, rate_hz),
        };
        taken.iter().min_by_key(cost).copied()
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoding = match self.encoding {
            Encoding::Mulaw => "mulaw",
            Encoding::Alaw => "alaw",
            Encoding::Linear16 => "linear16",
        };
        write!(f, "{encoding} {} Hz", self.rate_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_time_are_each_others_inverse() {
        for format in [AudioFormat::MULAW_8K, AudioFormat::PCM_16K, AudioFormat::PCM_24K] {
            let bytes = format.bytes(Duration::from_millis(60));
            assert_eq!(format.duration(bytes as u64), Duration::from_millis(60));
        }
        assert_eq!(AudioFormat::PCM_16K.bytes(Duration::from_millis(20)), 640);
    }

    #[test]
    fn the_calls_own_codec_is_taken_before_anything_is_converted() {
        let taken = [AudioFormat::PCM_16K, AudioFormat::PCM_8K, AudioFormat::MULAW_8K];
        let cheapest = |call| AudioFormat::cheapest(call, &taken);
        assert_eq!(cheapest(AudioFormat::MULAW_8K), Some(AudioFormat::MULAW_8K));
        assert_eq!(cheapest(AudioFormat::ALAW_8K), Some(AudioFormat::PCM_8K));
        assert_eq!(
            AudioFormat::cheapest(AudioFormat::ALAW_8K, &[AudioFormat::PCM_24K]),
            Some(AudioFormat::PCM_24K)
        );
        assert_eq!(AudioFormat::cheapest(AudioFormat::ALAW_8K, &[]), None);
    }
}
