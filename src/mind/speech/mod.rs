//! How an agent speaks: words out of a closed inventory for all that varies (numbers, ids, dates, amounts), clips for what is
//! fixed, and an outbox that sends utterances as voice grants credit.

pub mod chunker;
mod outbox;
pub mod speakable;
mod spoken;
mod waiting_sound;
mod words;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use outbox::{MAX_UTTERANCE, MAX_WAITING, Outbox, OutboxCounters, Part, Sound, Utterance};
pub use spoken::{Form, MAX_WORDS, Spoken, speak};
pub use waiting_sound::WaitingSound;
pub use words::inventory;

/// A language in which an agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Hindi, and the English words that belong to it.
    Hi,
    /// English as it is spoken in India.
    En,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hi, Self::En];

    /// How files name it: `hi`, `en`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hi => "hi",
            Self::En => "en",
        }
    }

    /// BCP 47: `hi-IN`, `en-IN`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Hi => "hi-IN",
            Self::En => "en-IN",
        }
    }

    /// The language that files name so.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The audio of what an agent says: one clip for each fixed text and each word of the [`inventory`].
pub trait Clips: Send + Sync + fmt::Debug {
    /// The samples, 8 kHz mono. The text is the key, as [`inventory`] and the script's lines have it.
    fn clip(&self, language: Language, text: &str) -> Option<Arc<[i16]>>;
}

/// Samples per second of every clip.
pub const SAMPLE_RATE_HZ: u32 = 8_000;
