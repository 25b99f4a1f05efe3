//! `[line]` in the file of an agent that converses: what it says by itself, in every language that it speaks.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::config::table::Table;
use crate::mind::conversation::{Line, Lines};
use crate::mind::speech::Language;

/// Which lines an agent needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Required {
    /// Every one.
    All,
    /// A model that hears by itself says by itself that it has not understood.
    AllButNotUnderstood,
}

/// Reads the table. `voices` are those of the agent.
pub(super) fn read(table: &mut Table<'_>, voices: &BTreeMap<Language, String>, required: Required) -> Lines {
    let mut line = |key| table.require(key, |value| line(value, voices)).unwrap_or_default();
    Lines {
        greeting: line("greeting"),
        trouble: line("trouble"),
        not_understood: match required {
            Required::All => line("not_understood"),
            Required::AllButNotUnderstood => Line::default(),
        },
        idle: line("idle"),
        sorry: line("sorry"),
        goodbye: line("goodbye"),
        // Stands with the rules.
        withheld: Line::default(),
        fillers: table.list("fillers", MAX_FILLERS, |value| self::line(value, voices)).unwrap_or_default(),
    }
}

/// One text for each language of the voices.
pub(super) fn line(value: &DeValue<'_>, voices: &BTreeMap<Language, String>) -> Result<Line, String> {
    let texts = by_language(value, "a text", "\"..\"")?;
    for (language, text) in &texts {
        if !voices.is_empty() && !voices.contains_key(language) {
            return Err(format!(
                "has a text in {language}, for which [agent] voice has no voice; add one there, or remove the text"
            ));
        }
        if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES {
            return Err(format!("must have 1 to {MAX_TEXT_BYTES} bytes in {language}"));
        }
    }
    let missing: Vec<&str> = voices
        .keys()
        .filter(|language| !texts.contains_key(language))
        .map(|language| language.code())
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" and in ");
        return Err(format!("has no text in {missing}, which the agent speaks by [agent] voice; add it"));
    }
    Ok(Line(texts))
}

/// A text for each of some languages; `what` it is, and how it is written.
pub(super) fn by_language(
    value: &DeValue<'_>,
    what: &str,
    written: &str,
) -> Result<BTreeMap<Language, String>, String> {
    let advice = || format!("must be {what} for each language, as {{ hi = {written}, en = {written} }}");
    let mut texts = BTreeMap::new();
    for (code, text) in value.as_table().ok_or_else(advice)?.iter() {
        let known = || Language::ALL.map(Language::code).join(", ");
        let language = Language::from_code(code.get_ref())
            .ok_or_else(|| format!("names a language that is not spoken here; there are {}", known()))?;
        texts.insert(language, text.get_ref().as_str().ok_or_else(advice)?.to_owned());
    }
    if texts.is_empty() { Err(advice()) } else { Ok(texts) }
}

/// A caller hears one or two in a call.
const MAX_FILLERS: usize = 16;

/// Half a minute of Hindi.
const MAX_TEXT_BYTES: usize = 1_000;
