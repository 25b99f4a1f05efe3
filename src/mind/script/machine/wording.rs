//! Puts sentences together: fixed texts, values and words of lexicons become clips in a row.

use std::sync::Arc;

use serde_json::Value;

use super::super::format::Piece;
use super::{Awaited, ScriptMind};
use crate::call::dialogue::Dialogue;
use crate::mind::speech::{Language, Part, Utterance, speak};

/// Why a piece of a sentence is not spoken.
enum Unspoken {
    /// Its value is none, or not of its form: the sentence goes without it.
    NoValue,
    /// Its audio is missing: the sentence is skipped.
    NoClip,
}

impl ScriptMind {
    pub(super) fn say(&mut self, prompts: &[usize]) {
        let parts = self.compose(prompts);
        self.utter(parts);
    }

    pub(super) fn utter(&mut self, parts: Vec<Part>) {
        let (language, yields_to) = (self.language, self.yields_to);
        if let Some(utterance) = self.outbox.say(Utterance { language, yields_to, parts }) {
            self.awaited = Some(Awaited { utterance, yields_to });
        }
    }

    pub(super) fn compose(&mut self, prompts: &[usize]) -> Vec<Part> {
        let script = Arc::clone(&self.script);
        let mut parts = Vec::new();
        let mut skipped = 0;
        for prompt in prompts.iter().filter_map(|prompt| script.prompts.get(*prompt)) {
            let begin = parts.len();
            for piece in prompt.get(&self.language).into_iter().flatten() {
                match self.piece(piece, &mut parts) {
                    Ok(()) => {}
                    Err(Unspoken::NoValue) => skipped += 1,
                    // Half a sentence may say the opposite of the whole.
                    Err(Unspoken::NoClip) => {
                        skipped += 1;
                        parts.truncate(begin);
                        break;
                    }
                }
            }
        }
        if skipped > 0 {
            self.unspoken += skipped;
            self.note(Dialogue::Dropped { kind: "pieces of sentences".to_owned(), count: skipped });
        }
        parts
    }

    fn piece(&self, piece: &Piece, parts: &mut Vec<Part>) -> Result<(), Unspoken> {
        let clip = |language: Language, text: &str| self.clips.clip(language, text).ok_or(Unspoken::NoClip);
        match piece {
            Piece::Fixed { language, text } => parts.push(Part::clip(text, clip(*language, text)?)),
            Piece::Word { path, lexicon } => {
                let text = self.word(path, lexicon).ok_or(Unspoken::NoValue)?;
                parts.push(Part::clip(text, clip(self.language, text)?));
            }
            Piece::Value { path, form } => {
                let value = self.text(path).ok_or(Unspoken::NoValue)?;
                let spoken = speak(self.language, *form, &value).ok_or(Unspoken::NoValue)?;
                for (index, word) in spoken.words.iter().enumerate() {
                    let text = if index == 0 { spoken.text.as_str() } else { "" };
                    parts.push(Part::clip(text, clip(self.language, word)?));
                    parts.push(Part::silence(spoken.pause));
                }
            }
        }
        Ok(())
    }

    /// How the lexicon says the word that the value is.
    fn word(&self, path: &str, lexicon: &str) -> Option<&str> {
        let words = self.script.lexicons.get(lexicon)?.get(&self.text(path)?)?;
        words.get(&self.language).map(String::as_str)
    }

    fn text(&self, path: &str) -> Option<String> {
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
