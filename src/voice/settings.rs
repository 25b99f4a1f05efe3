//! What an operator may set of how an agent listens and speaks: one value for each agent.

use super::detection::Detection;
use super::turn::Patience;

/// How an agent shares the line with its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TurnTaking {
    /// What is speech, and when it stops the agent.
    pub detection: Detection,
    /// How patient it is.
    pub patience: Patience,
    /// What is done to the audio before it is judged or said.
    pub audio: AudioSettings,
}

/// What is done to the caller's audio before the agent's ears, and to the agent's own before it goes out. Recordings and
/// what is passed on as it came are never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSettings {
    /// Takes the agent's own voice out of what comes back from the caller.
    pub echo_cancellation: EchoCancellation,
    /// Brings the caller to one level for those who recognize speech.
    pub caller_gain: bool,
    /// Brings what the agent says to one loudness.
    pub loudness: bool,
    /// Takes steady noise out of what the ears hear.
    pub noise_suppression: bool,
}

/// When the agent's echo is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoCancellation {
    /// Where enough of it comes back to matter.
    Auto,
    /// Never.
    Off,
}

impl Default for AudioSettings {
    fn default() -> Self {
        Self {
            echo_cancellation: EchoCancellation::Auto,
            caller_gain: true,
            loudness: true,
            // It takes something of the voice with it, and the level gate bears noise.
            noise_suppression: false,
        }
    }
}
