//! Keys that the caller presses instead of speaking: a number is complete with `#`, or when no more keys come.

use std::time::{Duration, Instant};

use super::CascadeMind;

/// Keys so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pressed: String,
    until: Option<Instant>,
    /// The turn that they took, and the words of it that were known then.
    took: Option<(u32, String)>,
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

    /// What of a turn's words was not answered with keys; `None` if all was.
    pub(super) fn left_of<'a>(&mut self, turn: u32, text: &'a str) -> Option<&'a str> {
        let Some((_, words)) = self.took.take_if(|(took, _)| *took == turn) else { return Some(text) };
        let left = text.strip_prefix(words.as_str()).unwrap_or(text).trim_start();
        (!left.is_empty()).then_some(left)
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
            // What he was saying meanwhile may be dismissed, as the mind takes this turn, or may be followed by more.
            let words = self.understanding.text();
            let separator = if words.is_empty() { "" } else { " " };
            self.answer_turn(now, turn, &format!("{words}{separator}[keys pressed: {pressed}]"));
            self.keys.took = (!words.is_empty()).then_some((turn, words));
        }
    }
}

/// People look for the next key for about as long.
const PATIENCE: Duration = Duration::from_millis(2_000);
/// The longest number that anybody types.
const MAX_KEYS: usize = 32;
