//! Keys that the caller presses instead of speaking: a number is complete with `#`, or when no more keys come.

use std::time::{Duration, Instant};

/// Keys so far.
#[derive(Debug, Default)]
pub(in crate::mind) struct Keys {
    pressed: String,
    until: Option<Instant>,
    /// The turn that they took, and the words of it that were known then.
    took: Option<(u32, String)>,
}

impl Keys {
    /// One more.
    pub(in crate::mind) fn press(&mut self, now: Instant, key: char) {
        if key == '#' {
            self.until = Some(now);
        } else if self.pressed.len() < MAX_KEYS {
            self.pressed.push(key);
            self.until = Some(now + PATIENCE);
        }
    }

    /// When they are complete.
    pub(in crate::mind) fn due(&self) -> Option<Instant> {
        self.until
    }

    /// All of them, as the model is told, once they are complete.
    pub(in crate::mind) fn take(&mut self, now: Instant) -> Option<String> {
        self.until.take_if(|until| *until <= now)?;
        let pressed = std::mem::take(&mut self.pressed);
        (!pressed.is_empty()).then(|| format!("[keys pressed: {pressed}]"))
    }

    /// They took a turn of which these words were known.
    pub(in crate::mind) fn take_turn(&mut self, turn: u32, words: String) {
        self.took = (!words.is_empty()).then_some((turn, words));
    }

    /// What of a turn's words was not answered with keys; `None` if all was.
    pub(in crate::mind) fn left_of<'a>(&mut self, turn: u32, text: &'a str) -> Option<&'a str> {
        let Some((_, words)) = self.took.take_if(|(took, _)| *took == turn) else { return Some(text) };
        let left = text.strip_prefix(words.as_str()).unwrap_or(text).trim_start();
        (!left.is_empty()).then_some(left)
    }
}

/// People look for the next key for about as long.
const PATIENCE: Duration = Duration::from_millis(2_000);
/// The longest number that anybody types.
const MAX_KEYS: usize = 32;
