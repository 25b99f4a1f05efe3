//! What the connections of all streaming recognizers share: audio that is checked and heard, messages that come with the
//! recognizer's latency, and an end after which nothing is taken.

use std::time::Duration;

use serde_json::Value;

use crate::audio::Format;
use crate::framing::Framing;
use crate::hearing::{Ear, Heard, Manner, Script};
use crate::seen::Seen;
use crate::vendor::{Action, Outbox};

/// One connection.
#[derive(Debug)]
pub struct Desk {
    /// What hears.
    pub ear: Ear,
    /// What will be sent.
    pub outbox: Outbox,
    name: &'static str,
    seen: Seen,
    framing: Framing,
    latency: Duration,
    heard_at: Duration,
    idle_limit: Duration,
    is_closing: bool,
}

/// How a connection is begun.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whose connection, for complaints.
    pub name: &'static str,
    /// What was negotiated.
    pub format: Format,
    /// How it hears.
    pub manner: Manner,
    /// The longest piece of audio.
    pub longest_piece: Duration,
    /// For how long nothing may come.
    pub idle_limit: Duration,
}

impl Desk {
    /// A connection that begins now.
    pub fn new(now: Duration, script: &Script, seen: &Seen, opening: &Opening) -> Self {
        Self {
            ear: Ear::new(script.clone(), opening.manner, opening.format.rate_hz),
            outbox: Outbox::default(),
            name: opening.name,
            seen: seen.clone(),
            framing: Framing::new(opening.format, opening.longest_piece),
            latency: opening.manner.latency,
            heard_at: now,
            idle_limit: opening.idle_limit,
            is_closing: false,
        }
    }

    /// What a piece of audio brings.
    ///
    /// # Errors
    ///
    /// Why it is no audio of what was negotiated.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Vec<Heard>, String> {
        let samples = self.framing.decoded(bytes)?;
        Ok(self.ear.hear(&samples))
    }

    /// Something has come: silence on the wire is counted from now on.
    pub fn alive(&mut self, now: Duration) {
        self.heard_at = now;
    }

    /// Whether messages are still taken; a complaint if not.
    pub fn takes(&self) -> bool {
        if self.is_closing {
            self.complain("a message after the end was asked for");
        }
        !self.is_closing
    }

    /// Sends a message after the latency.
    pub fn tell(&mut self, now: Duration, message: &Value) {
        self.outbox.json_at(now + self.latency, message);
    }

    /// Writes down what is wrong.
    pub fn complain(&self, error: &str) {
        self.seen.complain(format_args!("{}: {error}", self.name));
    }

    /// Closes when everything is sent.
    pub fn finish(&mut self, now: Duration) {
        let last = self.outbox.last().map_or(now, |last| last.max(now));
        self.outbox.at(last, Action::Close { code: 1000, reason: String::new() });
        self.is_closing = true;
    }

    /// Complains, says why if there is a message for that, and closes.
    pub fn fail(&mut self, now: Duration, error: &str, message: Option<&Value>, (code, reason): (u16, &str)) {
        self.complain(error);
        self.is_closing = true;
        self.outbox.clear();
        if let Some(message) = message {
            self.outbox.json_at(now, message);
        }
        self.outbox.at(now, Action::Close { code, reason: reason.to_owned() });
    }

    /// When it is due.
    pub fn next(&self) -> Option<Duration> {
        let deadline = self.heard_at.checked_add(self.idle_limit).filter(|_| !self.is_closing);
        self.outbox.next().into_iter().chain(deadline).min()
    }

    /// Whether too long nothing has come.
    pub fn is_idle(&self, now: Duration) -> bool {
        let deadline = self.heard_at.checked_add(self.idle_limit);
        !self.is_closing && deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// Seconds, rounded to milliseconds as vendors print them.
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// Whole milliseconds.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
