//! What has to be there as audio before an agent can speak.

use super::Voice;
use crate::config::{MindConfig, Persona};
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

/// Everything that an agent may say without anybody who speaks for it.
pub fn lines_of_mind(mind: &MindConfig) -> Vec<Line> {
    match mind {
        MindConfig::Script(script) => lines_of(script),
        MindConfig::Cascade(cascade) => lines_of_persona(&cascade.persona),
        MindConfig::Realtime(realtime) => lines_of_persona(&realtime.persona),
    }
}

/// Its own lines, and those of the script by which it goes on when it has to.
fn lines_of_persona(persona: &Persona) -> Vec<Line> {
    let spoken = persona.lines.texts().filter_map(|(language, text)| {
        let voice = Voice::named(persona.voices.get(&language)?);
        Some(Line { language, voice, text: text.to_owned() })
    });
    spoken.chain(lines_of(&persona.fallback.script)).collect()
}

/// Everything that a script may say as it stands: its fixed lines, the words of its lexicons and, for each language that it
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
