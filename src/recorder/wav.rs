//! The 44 bytes before the samples of a WAV file (RIFF, PCM, 16 bit, two channels).

use crate::recorder::tap::BLOCK_SAMPLES;

/// The header of a file with `data_bytes` of samples.
pub(super) fn header(sample_rate: u32, data_bytes: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RIFF");
    put(4, &(data_bytes.saturating_add(RIFF_REST)).to_le_bytes());
    put(8, b"WAVEfmt ");
    put(16, &16_u32.to_le_bytes());
    put(20, &PCM.to_le_bytes());
    put(22, &CHANNELS.to_le_bytes());
    put(24, &sample_rate.to_le_bytes());
    put(28, &(sample_rate.saturating_mul(FRAME_BYTES)).to_le_bytes());
    put(32, &FRAME_BYTES_U16.to_le_bytes());
    put(34, &BITS.to_le_bytes());
    put(36, b"data");
    put(40, &data_bytes.to_le_bytes());
    header
}

/// The sample rate in a header of ours; `None` if it is none.
pub(super) fn sample_rate(header: &[u8; HEADER_BYTES]) -> Option<u32> {
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let rate = word(24);
    let mut expected = self::header(rate, 0);
    // The two sizes may be anything: they are what a repair is for.
    expected[4..8].copy_from_slice(&header[4..8]);
    expected[40..44].copy_from_slice(&header[40..44]);
    (RATES.contains(&rate) && *header == expected).then_some(rate)
}

/// Milliseconds that `frames` samples of each channel last.
pub(super) fn duration_ms(frames: u64, sample_rate: u32) -> u64 {
    frames.saturating_mul(1000) / u64::from(sample_rate.max(1))
}

/// Size of the header.
pub(super) const HEADER_BYTES: usize = 44;

/// Bytes of one sample of both channels.
pub(super) const FRAME_BYTES: u32 = 4;

/// Bytes of one block of both channels.
pub(super) const BLOCK_BYTES: u64 = (BLOCK_SAMPLES * 4) as u64;

/// Blocks that fit into a file whose sizes are 32-bit numbers: 37 hours at 8 kHz.
pub(super) const MAX_BLOCKS: u32 = (u32::MAX - RIFF_REST) / (BLOCK_SAMPLES as u32 * FRAME_BYTES);

/// Sample rates that a call can have.
pub(super) const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;

/// What the RIFF size counts besides the samples.
const RIFF_REST: u32 = 36;

const PCM: u16 = 1;
const CHANNELS: u16 = 2;
const BITS: u16 = 16;
const FRAME_BYTES_U16: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_readers_understand_the_header() {
        let mut file = header(16_000, 8).to_vec();
        for sample in [1_i16, -2, 3, -4] {
            file.extend_from_slice(&sample.to_le_bytes());
        }
        let mut reader = hound::WavReader::new(file.as_slice()).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 16_000, 16));
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, -2, 3, -4]);
    }

    #[test]
    fn a_header_is_known_again_whatever_its_sizes() {
        let mut ours = header(8_000, 640);
        ours[40] = 99;
        assert_eq!(sample_rate(&ours), Some(8_000));
        ours[22] = 1;
        assert_eq!(sample_rate(&ours), None);
        assert_eq!(sample_rate(&[0; HEADER_BYTES]), None);
    }
}
