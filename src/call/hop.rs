//! What happens on the way from a caller's words to an agent's answer, as the call's log keeps it: who was asked, when each step was done, what
//! failed and what it cost.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::log::CallTime;

/// A step that a provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// Speech recognition.
    Asr,
    /// The language model.
    Llm,
    /// Speech synthesis.
    Tts,
    /// All three at once.
    Realtime,
}

/// A point on the way of one turn. Each is marked once a turn, when it is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The packet with the last of the caller's speech has arrived.
    MediaIn,
    /// The first words of the turn are known.
    SttPartial,
    /// Its last words are.
    SttFinal,
    /// The model is asked.
    LlmStart,
    /// The first of its answer has come.
    LlmToken,
    /// All of it has.
    LlmEnd,
    /// The first text is given to the synthesizer.
    TtsStart,
    /// The first of its sound has come.
    TtsFrame,
    /// All of it has.
    TtsEnd,
    /// The packet with the first of the agent's speech has left, be it an answer, a filler or a line.
    MediaOut,
}

/// One event of a hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum HopEvent {
    /// A turn has come so far.
    Mark {
        /// Number of the caller's turn that is being answered.
        turn: u32,
        /// How far.
        mark: Mark,
        /// When, in microseconds since the call began: an entry of the log has the time at which it is entered, which is later where the
        /// mind or the end of a turn had to be waited for. Absent in logs that are older than this; then the entry's time counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_us: Option<CallTime>,
        /// Of [`Mark::TtsFrame`] and [`Mark::MediaOut`]: whose sound it is. A filler is one that left and was not synthesized for this turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        utterance: Option<u64>,
        /// By whom, if a provider did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// The caller's words in a turn that is over.
    Transcript {
        /// Number of the turn.
        turn: u32,
        /// The words.
        text: String,
        /// Where each word of the text begins and ends in the caller's audio, in milliseconds from the first that was heard of him; empty if
        /// his recognizer does not say so.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        word_times_ms: Vec<(u32, u32)>,
        /// BCP 47 tag of their language, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
        /// Whether they are to be answered.
        is_committed: bool,
    },
    /// Of an utterance that was cut, the words that were heard.
    HeardText {
        /// Number of the utterance.
        utterance: u64,
        /// The words.
        text: String,
    },
    /// A provider is in use from now on.
    Uses {
        /// For what.
        hop: Hop,
        /// Its name in the configuration.
        provider: String,
        /// The vendor's name of the session or request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// A provider was of no use.
    Fault {
        /// For what.
        hop: Hop,
        /// Its name in the configuration.
        provider: String,
        /// What kind of fault.
        kind: String,
        /// What the other side, or the system, said.
        detail: String,
        /// The vendor's name of the session or request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// What was used of a provider since it was told last; a call's sum is that of all.
    Usage {
        /// For what.
        hop: Hop,
        /// Its name in the configuration.
        provider: String,
        /// `input_tokens`, `cached_tokens`, `output_tokens`, of these `input_audio_tokens` and `output_audio_tokens`, `wasted_tokens`, `audio_ms` or
        /// `characters`.
        unit: String,
        /// How many.
        count: u64,
    },
    /// A step took longer than it should.
    OverBudget {
        /// Number of the turn.
        turn: u32,
        /// Which step.
        hop: Hop,
        /// How long it may take, in milliseconds.
        budget_ms: u64,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// What was done to the audio between the call and a provider since it was told last, in samples at 8 kHz.
    Audio {
        /// Which provider.
        hop: Hop,
        /// Passed on byte by byte.
        untouched: u64,
        /// Written in another way.
        recoded: u64,
        /// Brought to another rate.
        resampled: u64,
    },
    /// Nobody is left who could answer: the agent goes on by its script.
    GaveUp {
        /// The step that nobody takes any more.
        hop: Hop,
    },
    /// The model was about to say what its agent must never say. It was stopped, and something else is said.
    GuardrailTripped {
        /// Number of the caller's turn that was being answered.
        turn: u32,
        /// The list in which the rule stands that it would have broken.
        list: RuleList,
        /// The rule's place there, from 1.
        rule: u64,
        /// The words that were withheld, as far as they were written.
        text: String,
        /// How much was heard of the utterance in which they were to be said, in milliseconds.
        heard_ms: u64,
    },
}

/// A list of what an agent must never say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleList {
    /// Phrases.
    NeverSay,
    /// Regular expressions.
    NeverSayPatterns,
}

impl RuleList {
    /// The word in logs and in agents' files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NeverSay => "never_say",
            Self::NeverSayPatterns => "never_say_patterns",
        }
    }
}

impl Hop {
    /// The word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asr => "asr",
            Self::Llm => "llm",
            Self::Tts => "tts",
            Self::Realtime => "realtime",
        }
    }
}

impl Mark {
    /// All of them, in the order in which a turn comes to them if nothing overlaps.
    pub const ALL: [Self; 10] = [
        Self::MediaIn,
        Self::SttPartial,
        Self::SttFinal,
        Self::LlmStart,
        Self::LlmToken,
        Self::LlmEnd,
        Self::TtsStart,
        Self::TtsFrame,
        Self::TtsEnd,
        Self::MediaOut,
    ];

    /// The word in logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MediaIn => "MEDIA_IN",
            Self::SttPartial => "STT_PARTIAL",
            Self::SttFinal => "STT_FINAL",
            Self::LlmStart => "LLM_START",
            Self::LlmToken => "LLM_TOKEN",
            Self::LlmEnd => "LLM_END",
            Self::TtsStart => "TTS_START",
            Self::TtsFrame => "TTS_FRAME",
            Self::TtsEnd => "TTS_END",
            Self::MediaOut => "MEDIA_OUT",
        }
    }
}

impl HopEvent {
    /// A mark that nobody else has a part in.
    pub fn mark(turn: u32, mark: Mark) -> Self {
        Self::Mark { turn, mark, at_us: None, utterance: None, provider: None }
    }

    /// The texts that may be long, and those that are names.
    pub(super) fn texts(&mut self) -> (Option<&mut String>, Vec<&mut String>) {
        match self {
            Self::Mark { provider, .. } => (None, provider.iter_mut().collect()),
            Self::Transcript { text, language, .. } => (Some(text), language.iter_mut().collect()),
            Self::HeardText { text, .. } | Self::GuardrailTripped { text, .. } => (Some(text), Vec::new()),
            Self::Uses { provider, request_id, .. } => {
                (None, request_id.iter_mut().chain([provider]).collect())
            }
            Self::Fault { provider, kind, detail, request_id, .. } => {
                (Some(detail), request_id.iter_mut().chain([provider, kind]).collect())
            }
            Self::Usage { provider, unit, .. } => (None, vec![provider, unit]),
            Self::OverBudget { .. } | Self::Audio { .. } | Self::GaveUp { .. } => (None, Vec::new()),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
