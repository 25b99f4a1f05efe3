//! What every client does the same way whoever the vendor is: what its failures mean, how long it waits, when it tries again, whom it
//! leaves alone for a while, and how it keeps a connection.

pub mod chain;
pub mod connection;
mod fault;
mod health;
mod retry;

pub use fault::{Fault, FaultKind};
pub use health::Health;
pub use retry::{Retry, RetryConfig};

use std::time::Duration;

/// How long a client waits for its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From asking for a link until it is open and, where the vendor says so, ready.
    pub connect: Duration,
    /// From asking until the first of the answer: a token, a sample, a word.
    pub first: Duration,
    /// Between two parts of an answer that is not complete.
    pub stall: Duration,
}

impl Patience {
    /// Who listens: a recognizer that has heard two seconds of speech and says nothing is of no use.
    pub const ASR: Self = Self {
        connect: Duration::from_millis(2_500),
        first: Duration::from_millis(2_500),
        stall: Duration::from_millis(2_500),
    };
    /// Who thinks.
    pub const LLM: Self = Self {
        connect: Duration::from_millis(2_500),
        first: Duration::from_secs(5),
        stall: Duration::from_secs(3),
    };
    /// Who speaks.
    pub const TTS: Self = Self {
        connect: Duration::from_millis(2_500),
        first: Duration::from_millis(2_000),
        stall: Duration::from_millis(1_500),
    };
    /// Who does all three: a session is set up, not only opened, and a model that is told what was said before takes longer to begin.
    pub const REALTIME: Self = Self {
        connect: Duration::from_secs(3),
        first: Duration::from_secs(5),
        stall: Duration::from_secs(4),
    };
}

/// The earliest of some deadlines.
pub fn earliest<T: Ord>(deadlines: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    deadlines.into_iter().flatten().min()
}
