//! Puts sentences together: fixed texts, values and words of lexicons become clips in a row.

use std::sync::Arc;

use serde_json::Value;

use super::super::format::Piece;
use super::ScriptMind;
use crate::mind::speech::{Part, Utterance, speak};

impl ScriptMind {
    pub(super) fn say(&mut self, prompts: &[usize]) {
        let parts = self.compose(prompts);
        self.utter(parts);
    }

    pub(super) fn utter(&mut self, parts: Vec<Part>) {
        if let Some(id) = self.outbox.say(Utterance { language: self.language, parts }) {
            self.awaited = Some(id);
        }
    }

    pub(super) fn compose(&mut self, prompts: &[usize]) -> Vec<Part> {
        let script = Arc::clone(&self.script);
        let mut parts = Vec::new();
        for prompt in prompts.iter().filter_map(|prompt| script.prompts.get(*prompt)) {
            for piece in prompt.get(&self.language).into_iter().flatten() {
                if self.piece(piece, &mut parts).is_none() {
                    self.unspoken += 1;
                }
            }
        }
        parts
    }

    pub(super) fn piece(&self, piece: &Piece, parts: &mut Vec<Part>) -> Option<()> {
        match piece {
            Piece::Fixed { language, text } => {
                parts.push(Part::clip(text, self.clips.clip(*language, text)?));
            }
            Piece::Word { path, lexicon } => {
                let word = self.text(path)?;
                let text = self.script.lexicons.get(lexicon)?.get(&word)?.get(&self.language)?;
                parts.push(Part::clip(text, self.clips.clip(self.language, text)?));
            }
            Piece::Value { path, form } => {
                let spoken = speak(self.language, *form, &self.text(path)?)?;
                let clip = |word: &&str| self.clips.clip(self.language, word);
                let clips = spoken.words.iter().map(clip).collect::<Option<Vec<_>>>()?;
                for (index, clip) in clips.into_iter().enumerate() {
                    let text = if index == 0 { spoken.text.as_str() } else { "" };
                    parts.push(Part::clip(text, clip));
                    parts.push(Part::silence(spoken.pause));
                }
            }
        }
        Some(())
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.value(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// A value by its path: `order.id`.
    pub(super) fn value(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let first = self.values.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }
}
