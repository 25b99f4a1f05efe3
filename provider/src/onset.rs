//! The beginning of what somebody says: what is no plain audio is noticed, and silence before the first sound is not waited for.

use std::time::Duration;

use crate::audio::{AudioFormat, Encoding};
use crate::policy::{Fault, FaultKind};

/// Finds where the sound of one speech begins.
#[derive(Debug)]
pub(crate) struct Onset {
    format: AudioFormat,
    /// What came and was silent, or half a sample.
    rest: Vec<u8>,
    has_sound: bool,
    trimmed_bytes: u64,
}

impl Onset {
    pub(crate) fn new(format: AudioFormat) -> Self {
        Self { format, rest: Vec::new(), has_sound: false, trimmed_bytes: 0 }
    }

    /// Whether there was any sound.
    pub(crate) fn has_sound(&self) -> bool {
        self.has_sound
    }

    /// Silence that was left out before the first sound.
    pub(crate) fn trimmed(&self) -> Duration {
        self.format.duration(self.trimmed_bytes)
    }

    /// More of the sound; what of it is to be heard, in whole samples.
    ///
    /// # Errors
    /// When it is a file of compressed audio.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.rest.extend_from_slice(bytes);
        if !self.has_sound && self.trimmed_bytes == 0 && is_file(&self.rest) {
            let detail = "a compressed file where plain audio was asked for";
            return Err(Fault::new(FaultKind::WrongAudio, detail));
        }
        let sample = self.format.bytes_per_sample() as usize;
        let whole = self.rest.len() - self.rest.len() % sample;
        if self.has_sound {
            return Ok(self.rest.drain(..whole).collect());
        }
        let silent = self.rest[..whole].chunks(sample).take_while(|one| self.is_silent(one)).count() * sample;
        self.has_sound = silent < whole;
        // A breath before the first word is not cut into.
        let kept = if self.has_sound { silent.min(self.format.bytes(BREATH)) } else { 0 };
        let trimmed = silent - kept;
        self.trimmed_bytes += trimmed as u64;
        self.rest.drain(..trimmed);
        Ok(self.rest.drain(..whole - trimmed).collect())
    }

    fn is_silent(&self, sample: &[u8]) -> bool {
        match (self.format.encoding, sample) {
            (Encoding::Mulaw, [byte]) => byte & 0x7f == 0x7f,
            (Encoding::Alaw, [byte]) => byte & 0x7f == 0x55,
            (Encoding::Linear16, [low, high]) => i16::from_le_bytes([*low, *high]).unsigned_abs() <= 1,
            (Encoding::Mulaw | Encoding::Alaw | Encoding::Linear16, _) => false,
        }
    }
}

/// MP3, Ogg, FLAC or WAV. A frame of MPEG audio begins with values between which no voice jumps at its onset.
fn is_file(bytes: &[u8]) -> bool {
    match bytes {
        [b'I', b'D', b'3', ..] | [b'O', b'g', b'g', b'S', ..] | [b'f', b'L', b'a', b'C', ..] => true,
        [b'R', b'I', b'F', b'F', ..] => true,
        [0xff, version, rates, ..] => {
            let is_layer_3 = matches!(version, 0xfa | 0xfb | 0xf2 | 0xf3);
            is_layer_3 && (0x1..=0xb).contains(&(rates >> 4)) && (rates >> 2) & 3 != 3
        }
        _ => false,
    }
}

const BREATH: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(format: AudioFormat, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Duration), Fault> {
        let (mut onset, mut heard) = (Onset::new(format), Vec::new());
        for piece in bytes.chunks(piece) {
            heard.extend(onset.push(piece)?);
        }
        Ok((heard, onset.trimmed()))
    }

    #[test]
    fn silence_before_the_first_sound_is_left_out_and_none_behind_it() {
        let silence = [0xff; 800];
        let bytes = [silence.as_slice(), &[0x90, 0xff, 0xff, 0x10]].concat();
        let (sound, trimmed) = heard(AudioFormat::MULAW_8K, &bytes, 1_000).unwrap();
        assert_eq!(sound, [&[0xff; 160], [0x90, 0xff, 0xff, 0x10].as_slice()].concat());
        assert_eq!(trimmed, Duration::from_millis(80));
        let pcm = [[0_u8; 1_601].as_slice(), &[9, 1, 2, 3]].concat();
        for piece in [1, 3, 2_000] {
            let (sound, _) = heard(AudioFormat::PCM_8K, &pcm, piece).unwrap();
            assert!(sound.ends_with(&[0, 9, 1, 2]) && sound.len() % 2 == 0, "{piece}");
        }
    }

    #[test]
    fn what_is_silent_all_over_has_no_sound() {
        for (format, byte) in
            [(AudioFormat::MULAW_8K, 0x7f), (AudioFormat::ALAW_8K, 0xd5), (AudioFormat::PCM_8K, 0)]
        {
            let mut onset = Onset::new(format);
            assert!(onset.push(&[byte; 8_000]).unwrap().is_empty() && !onset.has_sound(), "{format:?}");
        }
    }

    #[test]
    fn files_are_noticed() {
        for file in [b"ID3\x04".as_slice(), b"OggS\0", b"RIFF\0", b"fLaC", &[0xff, 0xfb, 0x90, 0x64]] {
            assert_eq!(
                heard(AudioFormat::MULAW_8K, file, 99).unwrap_err().kind,
                FaultKind::WrongAudio,
                "{file:?}"
            );
        }
        assert!(heard(AudioFormat::MULAW_8K, &[0xff, 0xfb, 0xe3, 0xd9], 99).is_ok(), "a soft voice");
    }
}
