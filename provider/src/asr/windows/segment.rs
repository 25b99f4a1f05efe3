//! A segment of speech on its way to being told. Positions are bytes since the first audio.

use std::time::Duration;

use super::transcript::Transcript;

/// The segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) begins: u64,
    pub(super) transcript: Transcript,
    pub(super) told: String,
    pub(super) language: Option<String>,
    pub(super) spoken: Duration,
    /// Where its last speech ends.
    pub(super) speech_to: u64,
    /// What a detector may have cut off behind it.
    pub(super) tail: u64,
    /// Where it ends, once that is known.
    pub(super) ends: Option<u64>,
    pub(super) asked_to: u64,
    pub(super) answered_to: u64,
}

impl Segment {
    pub(super) fn begun(begins: u64, tail: u64, transcript: Transcript) -> Self {
        Self {
            begins,
            transcript,
            told: String::new(),
            language: None,
            spoken: Duration::ZERO,
            speech_to: begins,
            tail,
            ends: None,
            asked_to: begins,
            answered_to: begins,
        }
    }

    /// Whether there may be words behind this that belong to it.
    pub(super) fn has_more_than(&self, position: u64) -> bool {
        let to = self.speech_to + self.tail;
        position < self.ends.map_or(to, |ends| to.min(ends))
    }

    /// It has an end, and all of its speech is answered, or it was too little to be any.
    pub(super) fn is_complete(&self) -> bool {
        self.ends.is_some() && (!self.has_more_than(self.answered_to) || self.spoken < LEAST_SPEECH)
    }
}

/// Less is a click, and servers make words of clicks.
pub(super) const LEAST_SPEECH: Duration = Duration::from_millis(60);
