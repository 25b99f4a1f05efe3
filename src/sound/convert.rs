//! Between the audio of a call, G.711 or its samples at 8 kHz, and the formats that providers take and give. What needs no conversion is passed
//! on byte by byte; everything else is decoded once and resampled once, and counted.

use std::ops::AddAssign;

use caly_provider::audio::{AudioFormat, Encoding};
use caly_rtp::codec::Codec;
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler as _};

/// Audio that was turned from one format into another, in samples of the telephone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversionCounters {
    /// Passed on as it came.
    pub untouched: u64,
    /// Written in another way at the same rate.
    pub recoded: u64,
    /// Brought to another rate.
    pub resampled: u64,
}

impl AddAssign for ConversionCounters {
    fn add_assign(&mut self, more: Self) {
        self.untouched += more.untouched;
        self.recoded += more.recoded;
        self.resampled += more.resampled;
    }
}

/// Turns a stream of one format into another; samples of a stream that is cut anywhere come out the same.
pub struct Converter {
    from: AudioFormat,
    to: AudioFormat,
    resampler: Option<Resampler>,
    /// Half a sample.
    rest: Vec<u8>,
    counters: ConversionCounters,
}

struct Resampler {
    fft: Fft<f32>,
    /// What does not fill a block yet.
    waiting: Vec<f32>,
    /// The filter's delay, which is taken off the beginning.
    skip: usize,
}

impl Converter {
    /// For a stream of one format that is wanted in another.
    pub fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let resampler =
            (from.rate_hz != to.rate_hz).then(|| Resampler::new(from.rate_hz, to.rate_hz)).flatten();
        Self { from, to, resampler, rest: Vec::new(), counters: ConversionCounters::default() }
    }

    /// What it turns into what.
    pub fn formats(&self) -> (AudioFormat, AudioFormat) {
        (self.from, self.to)
    }

    /// The next of the stream. With another rate the last few milliseconds wait for what follows, or for [`Converter::finish`].
    pub fn convert(&mut self, bytes: &[u8]) -> Vec<u8> {
        let samples =
            u64::try_from(bytes.len()).unwrap_or(u64::MAX) / u64::from(self.from.bytes_per_sample());
        let telephone = samples * u64::from(TELEPHONE_HZ) / u64::from(self.from.rate_hz.max(1));
        if self.from == self.to {
            self.counters.untouched += telephone;
            return bytes.to_vec();
        }
        let samples = self.decode(bytes);
        match &mut self.resampler {
            None => {
                self.counters.recoded += telephone;
                encode(self.to.encoding, &samples)
            }
            Some(resampler) => {
                self.counters.resampled += telephone;
                let out = resampler.push(&samples);
                encode(self.to.encoding, &out)
            }
        }
    }

    /// The rest of a stream that is over; what comes then is another one.
    pub fn finish(&mut self) -> Vec<u8> {
        self.rest.clear();
        let out = self.resampler.as_mut().map(Resampler::finish).unwrap_or_default();
        encode(self.to.encoding, &out)
    }

    /// What was done since this was asked last.
    pub fn take_counters(&mut self) -> ConversionCounters {
        std::mem::take(&mut self.counters)
    }

    fn decode(&mut self, bytes: &[u8]) -> Vec<i16> {
        let codec = match self.from.encoding {
            Encoding::Linear16 => {
                self.rest.extend_from_slice(bytes);
                let whole = self.rest.len() / 2 * 2;
                let samples =
                    self.rest[..whole].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
                let samples = samples.collect();
                self.rest.drain(..whole);
                return samples;
            }
            Encoding::Mulaw => Codec::Pcmu,
            Encoding::Alaw => Codec::Pcma,
        };
        let mut samples = vec![0; bytes.len()];
        codec.decode(bytes, &mut samples);
        samples
    }
}

impl std::fmt::Debug for Converter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converter").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

impl Resampler {
    fn new(from_hz: u32, to_hz: u32) -> Option<Self> {
        // Ten milliseconds: a block more would be heard as delay, a block less makes a poor filter.
        let block = (from_hz / 100) as usize;
        let fft = Fft::new(from_hz as usize, to_hz as usize, block, 1, FixedSync::Both).ok()?;
        let skip = fft.output_delay();
        Some(Self { fft, waiting: Vec::new(), skip })
    }

    fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        self.waiting.extend(samples.iter().map(|sample| f32::from(*sample)));
        let mut out = Vec::new();
        let block = self.fft.input_frames_next();
        let whole = self.waiting.len() / block * block;
        let blocks: Vec<f32> = self.waiting.drain(..whole).collect();
        for block in blocks.chunks_exact(block) {
            self.block(block.to_vec(), &mut out);
        }
        out
    }

    fn block(&mut self, block: Vec<f32>, out: &mut Vec<i16>) {
        let frames = block.len();
        let converted = InterleavedOwned::new_from(block, 1, frames)
            .ok()
            .and_then(|input| self.fft.process(&input, None).ok())
            .map(InterleavedOwned::take_data)
            .unwrap_or_default();
        let skipped = self.skip.min(converted.len());
        self.skip -= skipped;
        out.extend(converted[skipped..].iter().map(|sample| to_pcm(*sample)));
    }

    /// As much as was put in comes out.
    fn finish(&mut self) -> Vec<i16> {
        let block = self.fft.input_frames_next();
        let mut out = Vec::new();
        let waiting = self.waiting.len();
        // The filter's delay is still inside; if nothing went in, nothing comes out.
        if self.skip < self.fft.output_delay() || waiting > 0 {
            let (inside, ratio) = (self.fft.output_delay() - self.skip, self.fft.resample_ratio());
            let due = inside + (waiting as f64 * ratio).round() as usize;
            let mut last = std::mem::take(&mut self.waiting);
            last.resize(block * (due / self.fft.output_frames_next().max(1) + 2), 0.0);
            for block in last.chunks_exact(block) {
                self.block(block.to_vec(), &mut out);
            }
            out.truncate(due);
        }
        self.fft.reset();
        self.skip = self.fft.output_delay();
        out
    }
}

/// Samples as an encoding writes them.
pub fn encode(encoding: Encoding, samples: &[i16]) -> Vec<u8> {
    let codec = match encoding {
        Encoding::Linear16 => return samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        Encoding::Mulaw => Codec::Pcmu,
        Encoding::Alaw => Codec::Pcma,
    };
    let mut bytes = vec![0; samples.len()];
    codec.encode(samples, &mut bytes);
    bytes
}

/// G.711 as samples that become the same bytes again when they are encoded: mu-law has two zeros, and the negative one is not lost here.
pub fn decode_g711(encoding: Encoding, bytes: &[u8], samples: &mut Vec<i16>) {
    let begin = samples.len();
    samples.resize(begin + bytes.len(), 0);
    match encoding {
        Encoding::Alaw => {
            Codec::Pcma.decode(bytes, &mut samples[begin..]);
        }
        Encoding::Mulaw => {
            Codec::Pcmu.decode(bytes, &mut samples[begin..]);
            let zeros = samples[begin..].iter_mut().zip(bytes).filter(|(_, byte)| **byte == NEGATIVE_ZERO);
            zeros.for_each(|(sample, _)| *sample = -1);
        }
        Encoding::Linear16 => samples.truncate(begin),
    }
}

fn to_pcm(sample: f32) -> i16 {
    // The clamp keeps it within i16.
    sample.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

/// Of mu-law; the other one is 0xff.
const NEGATIVE_ZERO: u8 = 0x7f;
const TELEPHONE_HZ: u32 = 8_000;

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(format: AudioFormat, hz: f32, seconds: f32) -> Vec<u8> {
        let samples: Vec<i16> = (0..(format.rate_hz as f32 * seconds) as u32)
            .map(|n| (8_000.0 * (TAU * hz * n as f32 / format.rate_hz as f32).sin()) as i16)
            .collect();
        encode(format.encoding, &samples)
    }

    fn whole(from: AudioFormat, to: AudioFormat, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut converter = Converter::new(from, to);
        let mut out: Vec<u8> = bytes.chunks(piece).flat_map(|piece| converter.convert(piece)).collect();
        out.extend(converter.finish());
        out
    }

    /// How loud a tone of this frequency is, against the 8000 that it was.
    fn loudness(format: AudioFormat, bytes: &[u8], hz: f32) -> f32 {
        let samples = Converter::new(format, AudioFormat::PCM_8K).decode(bytes);
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let phase = TAU * hz * n as f32 / format.rate_hz as f32;
            re += f32::from(*sample) * phase.cos();
            im += f32::from(*sample) * phase.sin();
        }
        re.hypot(im) * 2.0 / samples.len() as f32 / 8_000.0
    }

    #[test]
    fn every_byte_of_g711_comes_back_as_it_was() {
        let bytes: Vec<u8> = (0..=255).collect();
        for encoding in [Encoding::Mulaw, Encoding::Alaw] {
            let mut samples = Vec::new();
            decode_g711(encoding, &bytes, &mut samples);
            assert_eq!(encode(encoding, &samples), bytes, "{encoding:?}");
        }
    }

    #[test]
    fn a_tone_is_as_long_and_as_loud_at_any_rate_wherever_it_is_cut() {
        let espeak = AudioFormat { encoding: Encoding::Linear16, rate_hz: 22_050 };
        let pairs = [
            (AudioFormat::MULAW_8K, AudioFormat::PCM_16K),
            (AudioFormat::MULAW_8K, AudioFormat::PCM_24K),
            (AudioFormat::PCM_24K, AudioFormat::MULAW_8K),
            (AudioFormat::PCM_16K, AudioFormat::ALAW_8K),
            (espeak, AudioFormat::MULAW_8K),
            (AudioFormat::MULAW_8K, AudioFormat::ALAW_8K),
        ];
        for (from, to) in pairs {
            let tone = tone(from, 1_000.0, 0.5);
            let at_once = whole(from, to, &tone, tone.len());
            assert_eq!(at_once.len(), to.bytes(std::time::Duration::from_millis(500)), "{from:?} to {to:?}");
            let loud = loudness(to, &at_once, 1_000.0);
            assert!((0.95..1.05).contains(&loud), "{from:?} to {to:?}: {loud}");
            for piece in [1, 7, 160, 999] {
                assert_eq!(whole(from, to, &tone, piece), at_once, "{from:?} to {to:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_does_not_come_back_as_something_else() {
        let out =
            whole(AudioFormat::PCM_24K, AudioFormat::PCM_8K, &tone(AudioFormat::PCM_24K, 5_000.0, 0.5), 960);
        assert!(loudness(AudioFormat::PCM_8K, &out, 3_000.0) < 0.02);
    }

    #[test]
    fn what_was_done_is_counted() {
        let count = |from, to| {
            let mut converter = Converter::new(from, to);
            converter.convert(&tone(from, 400.0, 1.0));
            converter.take_counters()
        };
        let none = ConversionCounters::default();
        let mulaw = AudioFormat::MULAW_8K;
        assert_eq!(count(mulaw, mulaw), ConversionCounters { untouched: 8_000, ..none });
        assert_eq!(count(mulaw, AudioFormat::PCM_8K), ConversionCounters { recoded: 8_000, ..none });
        assert_eq!(count(AudioFormat::PCM_24K, mulaw), ConversionCounters { resampled: 8_000, ..none });
    }

    #[test]
    fn the_end_of_one_stream_is_not_heard_in_the_next() {
        let mut converter = Converter::new(AudioFormat::PCM_24K, AudioFormat::PCM_8K);
        converter.convert(&tone(AudioFormat::PCM_24K, 400.0, 0.1));
        converter.finish();
        assert!(converter.finish().is_empty());
        let mut silence = converter.convert(&[0; 4_800]);
        silence.extend(converter.finish());
        assert!(silence.len() == 1_600 && silence.iter().all(|byte| *byte == 0));
    }
}
