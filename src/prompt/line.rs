//! What has to be there as audio before an agent can speak.

use super::Voice;
use crate::mind::script::Script;
use crate::mind::speech::{Language, inventory};

/// Something that is said as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// In which language.
    pub language: Language,
    /// Who says it.
    pub voice: Voice,
    /// The words.
    pub text: String,
}

/// Everything that an agent may say as it stands: its fixed lines, the words of its lexicons and, for each language that it
/// speaks, every word out of which values are spoken. A line may come more than once.
pub fn lines_of(script: &Script) -> Vec<Line> {
    let mut lines = Vec::new();
    for (language, name) in script.voices() {
        let line = |text: &str| Line { language, voice: Voice::named(name), text: text.to_owned() };
        lines.extend(script.lines().filter(|(spoken, _)| *spoken == language).map(|(_, text)| line(text)));
        lines.extend(inventory(language).map(line));
    }
    lines
}
