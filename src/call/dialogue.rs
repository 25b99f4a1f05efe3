//! What is said and done in a conversation, as the call's log keeps it: the dialogue is part of the call's one sequence of
//! events.

use serde::{Deserialize, Serialize};

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
    },
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
        /// Where it begins, in milliseconds since the call began.
        from_ms: u64,
        /// Where it ends.
        to_ms: u64,
    },
    /// Slots of 20 ms in which the agent had begun to speak and had nothing to send.
    DrySlots {
        /// Who was late: `mind` or `scheduler`.
        cause: String,
        /// How many.
        count: u64,
    },
    /// What the conversation came to, in the agent's own terms.
    Outcome {
        /// For example `order_status` or `message_taken`.
        name: String,
    },
}

impl Dialogue {
    /// True for what must never be dropped: who the agent was, what the conversation came to, where messages are.
    pub fn is_milestone(&self) -> bool {
        match self {
            Self::Agent { .. } | Self::Message { .. } | Self::Outcome { .. } => true,
            Self::Said { .. }
            | Self::Heard { .. }
            | Self::BargeIn { .. }
            | Self::SpeechStarted
            | Self::SpeechEnded { .. }
            | Self::TurnCommitted { .. }
            | Self::Idle { .. }
            | Self::State { .. }
            | Self::ToolCalled { .. }
            | Self::ToolAnswered { .. }
            | Self::DrySlots { .. } => false,
        }
    }
}
