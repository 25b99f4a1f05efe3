//! What a call says: a WAV file, a capture or spoken text, as 8 kHz mono samples.

use std::fs::File;
use std::io::{Cursor, Read, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use hound::{SampleFormat, WavReader};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::cli::{CallArgs, Failure};

/// The sound that the arguments name; `None` for a silent call.
pub(super) fn load(args: &CallArgs) -> Result<Option<Vec<i16>>, Failure> {
    if let Some(path) = &args.wav {
        let file =
            File::open(path).map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
        return read_wav(file, &path.display().to_string()).map(Some);
    }
    if let Some(path) = &args.pcap {
        return super::stream::read_capture(path).map(Some);
    }
    args.say.as_deref().map(speak).transpose()
}

fn read_wav(file: impl Read, name: &str) -> Result<Vec<i16>, Failure> {
    let fault = |error: hound::Error| {
        Failure::refused(format!("{name}: {error}"))
            .advise(format!("convert it: sox {name} -r 8000 -c 1 -b 16 out.wav"))
    };
    let mut reader = WavReader::new(file).map_err(fault)?;
    let spec = reader.spec();
    if spec.sample_rate == 0 || spec.channels == 0 || spec.sample_rate > MAX_RATE {
        return Err(fault(hound::Error::Unsupported));
    }
    let samples: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        SampleFormat::Int => {
            let full_scale = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().map(|sample| sample.map(|value| value as f32 / full_scale)).collect()
        }
        SampleFormat::Float => reader.samples::<f32>().collect(),
    };
    let samples = samples.map_err(fault)?;
    let channels = usize::from(spec.channels);
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let mono = if spec.sample_rate == RATE { mono } else { resample(mono, spec.sample_rate, name)? };
    Ok(mono.into_iter().map(to_pcm).collect())
}

fn resample(samples: Vec<f32>, rate: u32, name: &str) -> Result<Vec<f32>, Failure> {
    let fault = |error: &dyn std::fmt::Display| {
        Failure::refused(format!("{name}: {rate} Hz cannot be converted to {RATE} Hz: {error}"))
    };
    let mut resampler = Fft::<f32>::new(rate as usize, RATE as usize, CHUNK, 1, FixedSync::Both)
        .map_err(|error| fault(&error))?;
    let frames = samples.len();
    let input = InterleavedOwned::new_from(samples, 1, frames).map_err(|error| fault(&error))?;
    let output = resampler.process_all(&input, frames, None).map_err(|error| fault(&error))?;
    Ok(output.take_data())
}

/// Speaks through espeak-ng; the text goes in by standard input, so that it stands in no process list.
fn speak(text: &str) -> Result<Vec<i16>, Failure> {
    let missing = |error: std::io::Error| {
        Failure::failed(format!("espeak-ng cannot be run: {error}"))
            .advise("install it: apt-get install espeak-ng")
    };
    let mut child = Command::new("espeak-ng")
        .args(["--stdin", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(missing)?;
    }
    let output = child.wait_with_output().map_err(missing)?;
    if !output.status.success() {
        return Err(Failure::failed(format!("espeak-ng failed: {}", output.status)));
    }
    read_wav(Cursor::new(streamed_wav(output.stdout)), "espeak-ng")
}

/// A WAV that was written to a pipe carries placeholders for its sizes: put in the real ones.
fn streamed_wav(mut wav: Vec<u8>) -> Vec<u8> {
    let total = u32::try_from(wav.len().saturating_sub(8)).unwrap_or(u32::MAX);
    let data = u32::try_from(wav.len().saturating_sub(WAV_HEADER_BYTES)).unwrap_or(u32::MAX);
    if wav.len() >= WAV_HEADER_BYTES && wav.get(36..40) == Some(b"data") {
        wav[4..8].copy_from_slice(&total.to_le_bytes());
        wav[40..44].copy_from_slice(&data.to_le_bytes());
    }
    wav
}

fn to_pcm(sample: f32) -> i16 {
    // The clamp keeps the product within i16, so the cast only rounds towards zero.
    (sample.clamp(-1.0, 1.0) * 32_767.0) as i16
}

/// Whether a path is there to be written, found out before the call is placed.
pub(super) fn check_writable(path: &Path) -> Result<(), Failure> {
    File::create(path).map(drop).map_err(|error| Failure::refused(format!("{}: {error}", path.display())))
}

/// The rate of G.711.
const RATE: u32 = 8000;
const MAX_RATE: u32 = 384_000;
/// Frames converted at once; rubato rounds it to what the two rates need.
const CHUNK: usize = 1024;
/// RIFF, fmt and data headers of plain PCM.
const WAV_HEADER_BYTES: usize = 44;

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
            let samples = read_wav(Cursor::new(wav(spec, 1.0)), "test.wav").unwrap();
            assert!(samples.len().abs_diff(8000) <= 2, "{spec:?}: {}", samples.len());
            assert!((amplitude(&samples) - 0.5).abs() < 0.02, "{spec:?}: {}", amplitude(&samples));
        }
    }

    #[test]
    fn what_is_no_sound_is_refused_with_a_remedy() {
        let spec =
            WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let whole = wav(spec, 0.1);
        for broken in [&b""[..], b"RIFF", b"not a wav at all, not even a little", &whole[..60]] {
            let failure = read_wav(Cursor::new(broken), "x.wav").unwrap_err();
            assert!(failure.to_string().contains("x.wav"), "{failure}");
        }
    }

    #[test]
    fn a_wav_from_a_pipe_gets_its_real_sizes() {
        let spec =
            WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut piped = wav(spec, 0.5);
        piped[4..8].copy_from_slice(&0x7fff_f024u32.to_le_bytes());
        piped[40..44].copy_from_slice(&0x7fff_f000u32.to_le_bytes());
        assert_eq!(read_wav(Cursor::new(streamed_wav(piped)), "pipe").unwrap().len(), 4000);
    }
}
