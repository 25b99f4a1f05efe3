//! Keys that the caller presses instead of speaking: a number is complete with `#`, or when no more keys come.

use std::time::{Duration, Instant};

use super::CascadeMind;

/// Keys so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pressed: String,
    until: Option<Instant>,
}

impl Keys {
    /// One more.
    pub(super) fn press(&mut self, now: Instant, key: char) {
        if key == '#' {
            self.until = Some(now);
        } else if self.pressed.len() < MAX_KEYS {
            self.pressed.push(key);
            self.until = Some(now + PATIENCE);
        }
    }

    /// When they are complete.
    pub(super) fn due(&self) -> Option<Instant> {
        self.until
    }

    fn take(&mut self, now: Instant) -> Option<String> {
        self.until.take_if(|until| *until <= now)?;
        Some(std::mem::take(&mut self.pressed)).filter(|pressed| !pressed.is_empty())
    }
}

impl CascadeMind {
    /// Answers keys as if they were words.
    pub(super) fn keys_are_complete(&mut self, now: Instant) {
        if let Some(pressed) = self.keys.take(now) {
            let turn = self.understanding.turn();
            // What he was saying meanwhile is no turn of its own any more: the mind takes this one.
            let words = self.understanding.text();
            let separator = if words.is_empty() { "" } else { " " };
            self.answer_turn(now, turn, &format!("{words}{separator}[keys pressed: {pressed}]"));
        }
    }
}

/// People look for the next key for about as long.
const PATIENCE: Duration = Duration::from_millis(2_000);
/// The longest number that anybody types.
const MAX_KEYS: usize = 32;
