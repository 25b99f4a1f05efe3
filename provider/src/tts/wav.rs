//! Audio as it comes over HTTP or from a program: raw, or in a WAV file whose length nobody knew when its head was written.

use super::AudioDecoder;
use crate::audio::{AudioFormat, Encoding};
use crate::link::ResponseHead;
use crate::policy::{Fault, FaultKind};

/// Reads raw audio or WAV, and tells what is neither.
#[derive(Debug)]
pub struct Plain {
    expected: AudioFormat,
    state: State,
    head: Vec<u8>,
    /// Nothing but WAV is sound.
    is_wav_alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The beginning decides.
    Beginning,
    /// In the head of a WAV file; whether its format was seen.
    Wav { is_format_known: bool },
    /// All that comes is sound.
    Sound,
}

impl Plain {
    /// For audio of this format.
    pub fn new(expected: AudioFormat) -> Self {
        Self { expected, state: State::Beginning, head: Vec::new(), is_wav_alone: false }
    }

    /// For WAV of this format from who always writes its head: what has none is no sound.
    pub fn wav_alone(expected: AudioFormat) -> Self {
        Self { is_wav_alone: true, ..Self::new(expected) }
    }

    /// The chunks of a WAV file (RIFF, WAVE) up to the sound.
    fn wav(&mut self, audio: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            let State::Wav { is_format_known } = self.state else { return Ok(()) };
            let Some((name, length)) = chunk_head(&self.head) else { return Ok(()) };
            if &name == b"data" {
                if !is_format_known {
                    return Err(wrong("a WAV file whose sound comes before its format"));
                }
                self.state = State::Sound;
                audio.extend(self.head.drain(..).skip(8));
                return Ok(());
            }
            let whole = 8 + length + length % 2;
            if whole > MAX_HEAD_BYTES {
                return Err(wrong("a WAV file without an end of its head"));
            }
            if self.head.len() < whole {
                return Ok(());
            }
            if &name == b"fmt " {
                self.check(&self.head[8..8 + length])?;
                self.state = State::Wav { is_format_known: true };
            }
            self.head.drain(..whole);
        }
    }

    fn check(&self, format: &[u8]) -> Result<(), Fault> {
        let short = |at: usize| format.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let rate = format.get(4..8).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let (Some(tag), Some(channels), Some(rate), Some(bits)) = (short(0), short(2), rate, short(14))
        else {
            return Err(wrong("a WAV file without a format"));
        };
        let found = (tag, channels, rate, bits);
        let encoding = match self.expected.encoding {
            Encoding::Linear16 => (1, 16),
            Encoding::Alaw => (6, 8),
            Encoding::Mulaw => (7, 8),
        };
        // 0xFFFE says that the real tag stands further behind; what is meant by it is PCM.
        let tag = if tag == 0xfffe { 1 } else { tag };
        if ((tag, bits), channels, rate) == (encoding, 1, self.expected.rate_hz) {
            return Ok(());
        }
        let (tag, channels, rate, bits) = found;
        Err(wrong(format!("a WAV file of format {tag} with {channels} channels of {bits} bits at {rate} Hz")))
    }
}

impl AudioDecoder for Plain {
    fn head(&mut self, head: &ResponseHead) -> Result<(), Fault> {
        match head.content_type.as_deref() {
            Some(
                kind @ ("application/json" | "text/html" | "text/plain" | "audio/mpeg" | "audio/mp3"
                | "audio/ogg" | "audio/aac" | "audio/flac"),
            ) => Err(wrong(format!("{kind} where {:?} was asked for", self.expected))),
            Some(_) | None => Ok(()),
        }
    }

    fn receive(&mut self, part: &[u8], audio: &mut Vec<u8>) -> Result<(), Fault> {
        if self.state == State::Sound {
            audio.extend_from_slice(part);
            return Ok(());
        }
        self.head.extend_from_slice(part);
        if self.state == State::Beginning {
            if self.head.len() < BEGINNING {
                return Ok(());
            }
            match &self.head[..] {
                [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
                    self.head.drain(..BEGINNING);
                    self.state = State::Wav { is_format_known: false };
                }
                [b'I', b'D', b'3', ..] | [b'O', b'g', b'g', b'S', ..] | [b'f', b'L', b'a', b'C', ..] => {
                    return Err(wrong("a compressed file where plain audio was asked for"));
                }
                _ if self.is_wav_alone => return Err(wrong("no WAV file")),
                _ => {
                    self.state = State::Sound;
                    audio.append(&mut self.head);
                    return Ok(());
                }
            }
        }
        self.wav(audio)
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Sound => Ok(()),
            State::Beginning => Err(Fault::new(FaultKind::Silent, "no sound")),
            State::Wav { .. } => Err(wrong("a WAV file without sound")),
        }
    }
}

fn chunk_head(head: &[u8]) -> Option<([u8; 4], usize)> {
    let name: [u8; 4] = head.get(..4)?.try_into().ok()?;
    let length: [u8; 4] = head.get(4..8)?.try_into().ok()?;
    Some((name, usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX - 16)))
}

fn wrong(detail: impl Into<String>) -> Fault {
    Fault::new(FaultKind::WrongAudio, detail)
}

/// RIFF, a length, WAVE.
const BEGINNING: usize = 12;
/// What stands before the sound is some dozens of bytes; comments may be longer.
const MAX_HEAD_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_sound_where_a_wav_file_is_due() {
        let (mut plain, mut audio) = (Plain::wav_alone(AudioFormat::PCM_24K), Vec::new());
        let fault = plain.receive(b"espeak-ng: this is no wave file at all", &mut audio).unwrap_err();
        assert_eq!((fault.kind, audio.len()), (FaultKind::WrongAudio, 0));
    }

    /// A WAV head as it is streamed: nobody knows the length.
    fn head(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let mut head = b"RIFF\xff\xff\xff\xffWAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        head.extend(tag.to_le_bytes());
        head.extend(channels.to_le_bytes());
        head.extend(rate.to_le_bytes());
        head.extend([0; 6]);
        head.extend(bits.to_le_bytes());
        head.extend(b"data\xff\xff\xff\xff");
        head
    }

    fn read(body: &[u8], cut: usize) -> Result<Vec<u8>, Fault> {
        let (mut plain, mut audio) = (Plain::new(AudioFormat::PCM_24K), Vec::new());
        let (one, other) = body.split_at(cut);
        plain.receive(one, &mut audio)?;
        plain.receive(other, &mut audio)?;
        plain.end()?;
        Ok(audio)
    }

    #[test]
    fn raw_audio_and_wav_are_read_wherever_they_are_cut() {
        let sound: Vec<u8> = (0..100).collect();
        let wav = [head(1, 1, 24_000, 16), sound.clone()].concat();
        for cut in 0..wav.len() {
            assert_eq!(read(&wav, cut).unwrap(), sound, "cut at {cut}");
        }
        for cut in 0..sound.len() {
            assert_eq!(read(&sound, cut).unwrap(), sound, "cut at {cut}");
        }
    }

    #[test]
    fn what_was_not_asked_for_is_told() {
        for wrong in [head(1, 2, 24_000, 16), head(1, 1, 22_050, 16), head(7, 1, 24_000, 8)] {
            assert_eq!(read(&[wrong, vec![0; 10]].concat(), 0).unwrap_err().kind, FaultKind::WrongAudio);
        }
        let mp3 = [b"ID3\x04".as_slice(), &[0; 20]].concat();
        assert_eq!(read(&mp3, 0).unwrap_err().kind, FaultKind::WrongAudio);
        assert_eq!(read(&[1, 2, 3], 0).unwrap_err().kind, FaultKind::Silent);
        let mut plain = Plain::new(AudioFormat::PCM_24K);
        let head =
            |kind: &str| ResponseHead { content_type: Some(kind.to_owned()), ..ResponseHead::default() };
        assert!(plain.head(&head("audio/mpeg")).is_err() && plain.head(&head("audio/pcm")).is_ok());
    }
}
