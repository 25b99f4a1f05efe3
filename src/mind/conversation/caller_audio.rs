//! The caller's frames in one piece, as providers take them.

use std::time::Duration;

use caly_provider::audio::{AudioFormat, Encoding};

use crate::mind::{CallerAudio, CallerFrame};
use crate::sound::convert::encode;

/// Frames that were heard one after the other.
#[derive(Debug)]
pub(in crate::mind) struct Joined {
    /// How they are written: the call's codec, or samples.
    pub(in crate::mind) format: AudioFormat,
    /// All of them.
    pub(in crate::mind) bytes: Vec<u8>,
    /// How much of it was taken for speech.
    pub(in crate::mind) speech: Duration,
}

impl Joined {
    /// Joins what was heard in a call of this codec.
    pub(in crate::mind) fn new(frames: &mut dyn Iterator<Item = CallerFrame>, call: AudioFormat) -> Self {
        let mut joined = Self { format: call, bytes: Vec::new(), speech: Duration::ZERO };
        for frame in frames {
            match frame.audio {
                CallerAudio::Payload(payload) => joined.bytes.extend(payload),
                CallerAudio::Samples(samples) => {
                    joined.format = AudioFormat::PCM_8K;
                    joined.bytes.extend(encode(Encoding::Linear16, &samples));
                }
            }
            joined.speech += if frame.is_speech { FRAME } else { Duration::ZERO };
        }
        joined
    }
}

const FRAME: Duration = Duration::from_millis(20);
