//! What is said and done in a conversation, as the call's log keeps it: the dialogue is part of the call's one sequence of
//! events.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::hop::HopEvent;
use super::log::CallTime;

/// An entry for the call's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When it happened, if that was before it is entered.
    pub at: Option<Instant>,
    /// What.
    pub what: Dialogue,
}

impl From<Dialogue> for Noted {
    fn from(what: Dialogue) -> Self {
        Self { at: None, what }
    }
}

/// One event of the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Dialogue {
    /// An agent took the call.
    Agent {
        /// Its name.
        name: String,
    },
    /// The agent began to say something.
    Said {
        /// Number of the utterance within the call.
        utterance: u64,
        /// The words.
        text: String,
        /// BCP 47 language tag.
        language: String,
    },
    /// The agent went on with an utterance that had begun before all of it was known.
    SaidOn {
        /// Number of the utterance.
        utterance: u64,
        /// More words.
        text: String,
    },
    /// The agent's utterance was heard to its end.
    Heard {
        /// Number of the utterance.
        utterance: u64,
    },
    /// The caller interrupted the agent.
    BargeIn {
        /// Number of the utterance that was cut.
        utterance: u64,
        /// Milliseconds of it that were heard.
        heard_ms: u64,
        /// `speech` or `digit`.
        by: String,
    },
    /// The agent had something to say while the caller spoke, and waited with its first sound.
    HeldBack {
        /// Number of the utterance.
        utterance: u64,
        /// How long it waited, in milliseconds.
        held_ms: u64,
        /// Why it waited no longer: `silence` and `backchannel` (it began), `longest` (it began although the caller was still heard),
        /// `speech` or `digit` (it was never begun, as the caller took the floor), `stopped` (never either: the agent itself
        /// stopped it).
        until: String,
    },
    /// The caller began to speak.
    SpeechStarted,
    /// The caller stopped speaking.
    SpeechEnded {
        /// How long it was, in milliseconds.
        duration_ms: u64,
    },
    /// The caller's turn ended.
    TurnCommitted {
        /// Speech in the turn, in milliseconds.
        speech_ms: u64,
        /// What ended it: `silence`, `words` (silence, and no more words), `provider`, `longest` or `key`; empty in logs that
        /// are older than this.
        #[serde(default)]
        why: String,
        /// Silence of the caller at its end, in milliseconds.
        #[serde(default)]
        silence_ms: u64,
        /// Its number; absent in logs that are older than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<u32>,
    },
    /// What the caller said last is no turn: too short, or said over the agent without stopping it.
    SpeechDismissed,
    /// Nobody said anything for a while.
    Idle {
        /// Silence so far, in milliseconds.
        silence_ms: u64,
    },
    /// The agent's script entered a state.
    State {
        /// Its name.
        name: String,
    },
    /// The agent uses a tool.
    ToolCalled {
        /// The tool's name.
        name: String,
        /// Its arguments, as JSON.
        arguments: String,
    },
    /// The tool answered.
    ToolAnswered {
        /// The tool's name.
        name: String,
        /// Its answer, or why there is none, as JSON.
        answer: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// False if it failed.
        is_ok: bool,
    },
    /// The caller left a message, which is a part of the recording.
    Message {
        /// Where it begins, in milliseconds since the agent took the call, which is where its recording begins.
        from_ms: u64,
        /// Where it ends, likewise.
        to_ms: u64,
    },
    /// Slots of 20 ms in which the agent had begun to speak and had nothing to send.
    DrySlots {
        /// Who was late: `mind` or `scheduler`.
        cause: String,
        /// How many.
        count: u64,
    },
    /// The agent began to say something and for 5 s neither went on nor said that this was all: what was sent is all of it.
    Unfinished {
        /// Number of the utterance.
        utterance: u64,
    },
    /// The agent's voice comes back from the caller, and is taken out of what the agent hears. Told once.
    Echo {
        /// From sending to hearing it, in milliseconds.
        delay_ms: u64,
        /// By how many dB it is softer than what was sent.
        return_loss_db: u64,
    },
    /// What found no room between the call and the agent's mind, counted when the call is over.
    Dropped {
        /// `events` for the mind, `keys` pressed, `notes` for this log, `key_strings` to be sent, `samples` beyond the credit, or
        /// `transcripts` of a turn that was over.
        kind: String,
        /// How many.
        count: u64,
    },
    /// Something on the way from the caller's words to the agent's answer.
    Hop(HopEvent),
    /// What the conversation came to, in the agent's own terms.
    Outcome {
        /// For example `order_status` or `message_taken`.
        name: String,
    },
}

impl Dialogue {
    /// The event with the time at which it happened, if it is one that has a time of its own.
    #[must_use]
    pub fn dated(mut self, at: CallTime) -> Self {
        if let Self::Hop(HopEvent::Mark { at_us, .. }) = &mut self {
            *at_us = Some(at);
        }
        self
    }

    /// The event with its texts cut to [`MAX_TEXT_BYTES`] and its names to [`MAX_NAME_BYTES`]: an agent may say a minute of
    /// text, and a tool answer with anything. What was cut ends in `…`; JSON that was cut is no JSON any more.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Said { text, language, .. } => {
                cut(text, MAX_TEXT_BYTES);
                cut(language, MAX_NAME_BYTES);
            }
            Self::SaidOn { text, .. } => cut(text, MAX_TEXT_BYTES),
            Self::Hop(event) => {
                let (text, names) = event.texts();
                text.into_iter().for_each(|text| cut(text, MAX_TEXT_BYTES));
                names.into_iter().for_each(|name| cut(name, MAX_NAME_BYTES));
            }
            Self::ToolCalled { name, arguments: text } | Self::ToolAnswered { name, answer: text, .. } => {
                cut(name, MAX_NAME_BYTES);
                cut(text, MAX_TEXT_BYTES);
            }
            Self::Agent { name } | Self::State { name } | Self::Outcome { name } => cut(name, MAX_NAME_BYTES),
            Self::BargeIn { by: word, .. }
            | Self::HeldBack { until: word, .. }
            | Self::TurnCommitted { why: word, .. }
            | Self::DrySlots { cause: word, .. }
            | Self::Dropped { kind: word, .. } => cut(word, MAX_NAME_BYTES),
            Self::Heard { .. }
            | Self::SpeechStarted
            | Self::SpeechEnded { .. }
            | Self::SpeechDismissed
            | Self::Idle { .. }
            | Self::Unfinished { .. }
            | Self::Echo { .. }
            | Self::Message { .. } => {}
        }
        self
    }

    /// True for what must not be dropped as long as there is any room: who the agent was, what it did outside of the call
    /// (an order was cancelled, or was asked to be), what it was kept from saying, what the conversation came to, where messages are.
    pub fn is_milestone(&self) -> bool {
        match self {
            Self::Agent { .. }
            | Self::ToolCalled { .. }
            | Self::ToolAnswered { .. }
            | Self::Message { .. }
            | Self::Hop(
                HopEvent::Usage { .. } | HopEvent::GaveUp { .. } | HopEvent::GuardrailTripped { .. },
            )
            | Self::Outcome { .. } => true,
            Self::Said { .. }
            | Self::SaidOn { .. }
            | Self::Heard { .. }
            | Self::BargeIn { .. }
            | Self::HeldBack { .. }
            | Self::SpeechStarted
            | Self::SpeechEnded { .. }
            | Self::TurnCommitted { .. }
            | Self::SpeechDismissed
            | Self::Idle { .. }
            | Self::State { .. }
            | Self::DrySlots { .. }
            | Self::Unfinished { .. }
            | Self::Echo { .. }
            | Self::Hop(
                HopEvent::Mark { .. }
                | HopEvent::Transcript { .. }
                | HopEvent::HeardText { .. }
                | HopEvent::Uses { .. }
                | HopEvent::Fault { .. }
                | HopEvent::OverBudget { .. }
                | HopEvent::Audio { .. },
            )
            | Self::Dropped { .. } => false,
        }
    }
}

/// Cuts `text` to at most `max_bytes`, the mark of the cut included, between two characters.
fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes.saturating_sub(CUT.len_utf8())));
        text.push(CUT);
        text.shrink_to_fit();
    }
}

/// The most that one event keeps of what was said, asked or answered: a minute of Hindi takes about 3 kB. Escaped as JSON it
/// stays far below what the spool takes as one record.
pub const MAX_TEXT_BYTES: usize = 4_096;

/// The most that one event keeps of a name.
pub const MAX_NAME_BYTES: usize = 128;

/// Stands where a text was cut.
const CUT: char = '…';

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: String) -> Dialogue {
        Dialogue::Said { utterance: 1, text, language: "hi-IN".to_owned() }
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_marked() {
        // Three bytes each: the limit falls into the middle of one.
        let Dialogue::Said { text, .. } = said("न".repeat(MAX_TEXT_BYTES)).bounded() else {
            panic!("said")
        };
        assert!(text.len() <= MAX_TEXT_BYTES && text.len() > MAX_TEXT_BYTES - 4, "{}", text.len());
        assert_eq!(text.strip_suffix('…').map(|kept| kept.trim_end_matches('न')), Some(""));
        let exact = "x".repeat(MAX_TEXT_BYTES);
        assert_eq!(said(exact.clone()).bounded(), said(exact));
    }

    #[test]
    fn every_text_of_every_event_has_its_limit() {
        let huge = || "x".repeat(100_000);
        let all = [
            Dialogue::Agent { name: huge() },
            Dialogue::Said { utterance: 1, text: huge(), language: huge() },
            Dialogue::SaidOn { utterance: 1, text: huge() },
            Dialogue::BargeIn { utterance: 1, heard_ms: 1, by: huge() },
            Dialogue::HeldBack { utterance: 1, held_ms: 1, until: huge() },
            Dialogue::TurnCommitted { speech_ms: 1, why: huge(), silence_ms: 1, turn: Some(1) },
            Dialogue::State { name: huge() },
            Dialogue::ToolCalled { name: huge(), arguments: huge() },
            Dialogue::ToolAnswered { name: huge(), answer: huge(), took_ms: 1, is_ok: true },
            Dialogue::DrySlots { cause: huge(), count: 1 },
            Dialogue::Dropped { kind: huge(), count: 1 },
            Dialogue::Outcome { name: huge() },
        ];
        for dialogue in all {
            let json = serde_json::to_string(&dialogue.bounded()).unwrap();
            assert!(json.len() < MAX_TEXT_BYTES + MAX_NAME_BYTES + 128, "{}", json.len());
        }
    }

    #[test]
    fn a_turn_of_an_older_log_is_read() {
        let old = r#"{"what": "turn_committed", "speech_ms": 1400}"#;
        let turn = Dialogue::TurnCommitted { speech_ms: 1400, why: String::new(), silence_ms: 0, turn: None };
        assert_eq!(serde_json::from_str::<Dialogue>(old).unwrap(), turn);
    }
}
