//! The way between a voice and its mind, as the voice sees it.

use std::fmt;
use std::time::Instant;

use crate::voice::exchange::{MindCommand, VoiceEvent};

/// Two bounded queues that never make the shard wait.
pub trait MindLine: Send + fmt::Debug {
    /// Hands over an event.
    ///
    /// # Errors
    /// When the mind has not taken the events before it, or is gone.
    fn send(&mut self, now: Instant, event: VoiceEvent) -> Result<(), NotSent>;

    /// The mind's next command.
    ///
    /// # Errors
    /// When the mind is gone and all that it said is taken.
    fn receive(&mut self, now: Instant) -> Result<Option<MindCommand>, MindGone>;
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// Too many wait: offer it again in the next tick.
    Full(VoiceEvent),
    /// Nobody is there any more.
    Gone,
}

/// The mind broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MindGone;
