//! WAV files as 8 kHz mono samples: PCM, float and G.711, of any rate; channels are mixed.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::path::Path;

use caly_rtp::codec::Codec;
use hound::{SampleFormat, WavReader};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler as _};

/// Why a file is not a sound that can be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct WavError {
    what: String,
    advice: String,
}

impl WavError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), advice: String::new() }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }

    /// What to do next.
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

/// Reads a file.
///
/// # Errors
/// When it is no sound file, or not a whole one; always with what to do about it.
pub fn read(path: &Path) -> Result<Vec<i16>, WavError> {
    let name = path.display().to_string();
    let unreadable =
        |error: std::io::Error| WavError::new(format!("{name}: {error}")).advise("name a WAV file");
    if path.is_dir() {
        return Err(WavError::new(format!("{name} is a directory")).advise("name a WAV file in it"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(WavError::new(format!("{name} is longer than {MAX_FILE_BYTES} bytes"))
            .advise(format!("take a part of it: sox {} call.wav trim 0 3600", quoted(&name))));
    }
    decode(bytes, &name)
}

/// Reads the content of a file that is called `name`.
///
/// # Errors
/// As [`read`].
pub fn decode(mut bytes: Vec<u8>, name: &str) -> Result<Vec<i16>, WavError> {
    let sound = SoundChunk::find(&bytes, name)?;
    sound.mend_placeholders(&mut bytes);
    let unsupported = |why: &dyn std::fmt::Display| {
        WavError::new(format!("{name}: {why}"))
            .advise(format!("convert it: sox {} -r 8000 -c 1 -b 16 -e signed-integer call.wav", quoted(name)))
    };
    let (samples, channels, rate) = match sound.codec(&bytes) {
        Some((codec, channels, rate)) => (decode_g711(codec, &bytes[sound.body..sound.end]), channels, rate),
        None => decode_linear(bytes).map_err(|error| unsupported(&error))?,
    };
    if rate == 0 || rate > MAX_RATE || channels == 0 {
        return Err(unsupported(&format_args!("{channels} channels at {rate} Hz are not supported")));
    }
    let channels = usize::from(channels);
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    if mono.is_empty() {
        return Err(WavError::new(format!("{name} has no sound in it")).advise("record it again"));
    }
    let mono = match rate {
        RATE => mono,
        other => resample(mono, other).map_err(|why| {
            unsupported(&format_args!("{other} Hz cannot be converted to {RATE} Hz: {why}"))
        })?,
    };
    Ok(mono.into_iter().map(to_pcm).collect())
}

/// Where the samples lie in the file.
#[derive(Clone, Copy, Debug)]
struct SoundChunk {
    /// Where the format chunk's body begins.
    format: Option<usize>,
    body: usize,
    end: usize,
    /// Whether the header has placeholders because it was written to a pipe.
    is_streamed: bool,
}

impl SoundChunk {
    fn find(bytes: &[u8], name: &str) -> Result<Self, WavError> {
        if bytes.is_empty() {
            return Err(WavError::new(format!("{name} is empty")).advise("record it again"));
        }
        let is_wav = bytes.starts_with(b"RIFF") && bytes.get(8..12).is_none_or(|form| form == b"WAVE");
        if !is_wav {
            return Err(WavError::new(format!("{name} is no WAV file"))
                .advise(format!("convert it: sox {} -r 8000 -c 1 -b 16 call.wav", quoted(name))));
        }
        let cut = |whole: usize| {
            WavError::new(format!("{name} ends after {} of {whole} bytes", bytes.len())).advise(format!(
                "copy it again, or take what is there: sox --ignore-length {} call.wav",
                quoted(name)
            ))
        };
        let whole = length_at(bytes, 4).map_or(HEADER_BYTES, |length| length.saturating_add(8));
        let (mut at, mut format) = (12, None);
        while let Some(length) = length_at(bytes, at + 4) {
            let (body, end) = (at + 8, (at + 8).saturating_add(length));
            match &bytes[at..at + 4] {
                b"fmt " if end <= bytes.len() => format = Some(body),
                b"data" if length >= PLACEHOLDER => {
                    return Ok(Self { format, body, end: bytes.len(), is_streamed: true });
                }
                b"data" if end > bytes.len() => return Err(cut(end.max(whole))),
                b"data" => return Ok(Self { format, body, end, is_streamed: false }),
                _ => {}
            }
            // Chunks begin at even places.
            at = end.saturating_add(length % 2);
        }
        if whole > bytes.len() {
            return Err(cut(whole));
        }
        Err(WavError::new(format!("{name} has no sound in it")).advise("record it again"))
    }

    /// Puts the real sizes into a header that was written before they were known.
    fn mend_placeholders(&self, bytes: &mut [u8]) {
        if !self.is_streamed {
            return;
        }
        let frame_bytes = self.format.and_then(|format| short_at(bytes, format + 12)).map_or(1, usize::from);
        let present = self.end - self.body;
        let whole_frames = present - present % frame_bytes.max(1);
        let real = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let total = real(bytes.len() - 8);
        bytes[4..8].copy_from_slice(&total);
        bytes[self.body - 4..self.body].copy_from_slice(&real(whole_frames));
    }

    /// Codec, channels and rate if the samples are G.711, which recorders of telephone calls like to write.
    fn codec(&self, bytes: &[u8]) -> Option<(Codec, u16, u32)> {
        let format = self.format?;
        let codec = match short_at(bytes, format)? {
            FORMAT_ALAW => Codec::Pcma,
            FORMAT_MULAW => Codec::Pcmu,
            _ => return None,
        };
        let rate = u32::try_from(length_at(bytes, format + 4)?).ok()?;
        Some((codec, short_at(bytes, format + 2)?, rate))
    }
}

fn decode_g711(codec: Codec, payload: &[u8]) -> Vec<f32> {
    let mut samples = vec![0; payload.len()];
    codec.decode(payload, &mut samples);
    samples.into_iter().map(|sample| f32::from(sample) / FULL_SCALE).collect()
}

/// Samples, channels and rate.
fn decode_linear(bytes: Vec<u8>) -> Result<(Vec<f32>, u16, u32), hound::Error> {
    let mut reader = WavReader::new(Cursor::new(bytes))?;
    let spec = reader.spec();
    let samples: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        SampleFormat::Int => {
            let full_scale = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().map(|sample| sample.map(|value| value as f32 / full_scale)).collect()
        }
        SampleFormat::Float => reader.samples::<f32>().collect(),
    };
    Ok((samples?, spec.channels, spec.sample_rate))
}

fn resample(samples: Vec<f32>, rate: u32) -> Result<Vec<f32>, String> {
    let mut resampler = Fft::<f32>::new(rate as usize, RATE as usize, CHUNK, 1, FixedSync::Both)
        .map_err(|error| error.to_string())?;
    let frames = samples.len();
    let input = InterleavedOwned::new_from(samples, 1, frames).map_err(|error| error.to_string())?;
    let output = resampler.process_all(&input, frames, None).map_err(|error| error.to_string())?;
    Ok(output.take_data())
}

fn to_pcm(sample: f32) -> i16 {
    // The clamp keeps the product within i16, so the cast only rounds towards zero.
    (sample.clamp(-1.0, 1.0) * 32_767.0) as i16
}

/// The 32 bits in which RIFF writes a length or a rate.
fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(field)).ok()
}

fn short_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// A file's name as a shell takes it.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if name.chars().all(is_plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}

/// The rate of G.711.
const RATE: u32 = 8000;
const MAX_RATE: u32 = 384_000;
/// Frames converted at once; rubato rounds it to what the two rates need.
const CHUNK: usize = 1024;
/// RIFF, fmt and data headers of plain PCM: what is expected of a file that ends before it tells its length.
const HEADER_BYTES: usize = 44;
/// Programs that write to a pipe put something from here on up where the length should stand.
const PLACEHOLDER: usize = 0x7fff_0000;
/// WAVE_FORMAT_ALAW and WAVE_FORMAT_MULAW.
const FORMAT_ALAW: u16 = 6;
const FORMAT_MULAW: u16 = 7;
/// 2^15.
const FULL_SCALE: f32 = 32_768.0;
/// An hour of stereo at 48 kHz and 16 bits is 690 MB; a telephone call needs a hundredth of it.
const MAX_FILE_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use hound::{WavSpec, WavWriter};

    use super::*;

    fn wav(spec: WavSpec, seconds: f32) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for n in 0..(spec.sample_rate as f32 * seconds) as u32 {
            let sample = 0.5 * (TAU * 1000.0 * n as f32 / spec.sample_rate as f32).sin();
            for _ in 0..spec.channels {
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(sample).unwrap(),
                    SampleFormat::Int => {
                        let full_scale = 2f32.powi(i32::from(spec.bits_per_sample) - 1) - 1.0;
                        writer.write_sample((sample * full_scale) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    /// Amplitude of 1 kHz in the middle half of 8 kHz samples.
    fn amplitude(samples: &[i16]) -> f32 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let (mut re, mut im) = (0f32, 0f32);
        for (n, &sample) in middle.iter().enumerate() {
            let phase = TAU * n as f32 / 8.0;
            re += f32::from(sample) * phase.cos();
            im += f32::from(sample) * phase.sin();
        }
        2.0 * re.hypot(im) / middle.len() as f32 / 32_767.0
    }

    #[test]
    fn files_of_every_kind_become_8_khz_mono_at_the_same_level() {
        use SampleFormat::{Float, Int};
        for (sample_rate, channels, bits_per_sample, sample_format) in [
            (8000, 1, 16, Int),
            (16_000, 1, 16, Int),
            (44_100, 2, 24, Int),
            (48_000, 2, 32, Float),
            (22_050, 1, 8, Int),
        ] {
            let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
            let samples = decode(wav(spec, 1.0), "test.wav").unwrap();
            assert!(samples.len().abs_diff(8000) <= 2, "{spec:?}: {}", samples.len());
            assert!((amplitude(&samples) - 0.5).abs() < 0.02, "{spec:?}: {}", amplitude(&samples));
        }
    }

    #[test]
    fn recordings_of_telephone_calls_in_g711_are_read() {
        for (codec, tag) in [(Codec::Pcmu, FORMAT_MULAW), (Codec::Pcma, FORMAT_ALAW)] {
            let said: Vec<i16> =
                (0..8000).map(|n| ((TAU * n as f32 / 8.0).sin() * 16_000.0) as i16).collect();
            let mut payload = vec![0; said.len()];
            codec.encode(&said, &mut payload);
            let mut file = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0".to_vec();
            for field in [tag, 1, 8000, 0, 8000, 0, 1, 8, 0] {
                file.extend(field.to_le_bytes());
            }
            file.extend(b"data");
            file.extend(8000u32.to_le_bytes());
            file.extend(&payload);
            let samples = decode(file, "call.wav").unwrap();
            assert_eq!(samples.len(), 8000);
            assert!((amplitude(&samples) - 0.488).abs() < 0.02, "{}", amplitude(&samples));
        }
    }

    fn told_of(outcome: Result<Vec<i16>, WavError>) -> String {
        let error = outcome.unwrap_err();
        format!("{error}; {}", error.advice())
    }

    #[test]
    fn what_is_no_whole_sound_is_refused_with_a_remedy() {
        let whole = wav(TELEPHONE, 0.1);
        assert_eq!(whole.len(), 1644);
        for (broken, told) in [
            (&b""[..], "x.wav is empty; record it again"),
            (b"RIFF", "x.wav ends after 4 of 44 bytes; copy it again"),
            (b"not a wav at all, not even a little", "x.wav is no WAV file; convert it: sox x.wav -r 8000"),
            (&whole[..30], "x.wav ends after 30 of 1644 bytes; copy it again"),
            (
                &whole[..60],
                "x.wav ends after 60 of 1644 bytes; copy it again, or take what is there: sox --ignore",
            ),
            (&wav(TELEPHONE, 0.0), "x.wav has no sound in it"),
        ] {
            let printed = told_of(decode(broken.to_vec(), "x.wav"));
            assert!(printed.contains(told), "{printed}");
        }
    }

    #[test]
    fn a_format_that_is_not_known_and_a_rate_that_is_none_are_refused() {
        let (mut adpcm, mut still) = (wav(TELEPHONE, 0.1), wav(TELEPHONE, 0.1));
        adpcm[20] = 2;
        still[24..28].copy_from_slice(&0u32.to_le_bytes());
        for broken in [adpcm, still] {
            let printed = told_of(decode(broken, "my call.wav"));
            assert!(printed.contains("; convert it: sox 'my call.wav' -r 8000 -c 1 -b 16"), "{printed}");
        }
    }

    #[test]
    fn a_wav_from_a_pipe_gets_its_real_sizes() {
        for (total, data) in [(0x7fff_f024u32, 0x7fff_f000u32), (u32::MAX, u32::MAX)] {
            let mut piped = wav(TELEPHONE, 0.5);
            piped[4..8].copy_from_slice(&total.to_le_bytes());
            piped[40..44].copy_from_slice(&data.to_le_bytes());
            // Half a sample, because the pipe was closed.
            piped.push(0);
            assert_eq!(decode(piped, "pipe").unwrap().len(), 4000);
        }
    }

    #[test]
    fn a_name_in_an_advice_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("a/b-1.wav"), "a/b-1.wav");
        assert_eq!(quoted("it's.wav"), r"'it'\''s.wav'");
    }

    const TELEPHONE: WavSpec =
        WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
}
