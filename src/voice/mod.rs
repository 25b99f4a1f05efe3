//! The agent's ears and mouth, on the call's shard: speech detection, turn-taking, barge-in, mixer and playout cursor. It hears
//! frames and speaks frames; whom it speaks for is the mind, and the two know each other only through [`exchange`].

pub mod barge_in;
mod conditioning;
pub mod detection;
pub mod exchange;
mod hearing;
mod hold;
pub mod level;
pub mod mixer;
mod outbox;
mod response;
pub mod session;
mod settings;
pub mod turn;
mod utterances;
pub mod vad;

pub use conditioning::{CallerListener, Conditioned};
pub use settings::{AudioSettings, EchoCancellation, TurnTaking};
