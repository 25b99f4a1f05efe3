//! `[guardrail]` in the file of an agent that converses: what it must never say, and what it says instead.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::lines::line;
use crate::config::table::{Table, text};
use crate::mind::conversation::{Line, Lines};
use crate::mind::guardrail::{Guardrail, MAX_PATTERNS, MAX_PHRASES, Pattern, Phrase, Verdict};
use crate::mind::speech::Language;

/// Reads the table, and enters among the lines what is said instead: without one of its own that is `trouble`. The agent's own lines, which stand in the
/// table `written`, are said as they are, so that none may break a rule.
pub(super) fn read(
    table: &mut Table<'_>,
    written: &Table<'_>,
    voices: &BTreeMap<Language, String>,
    lines: &mut Lines,
) -> Guardrail {
    let phrase = |value: &DeValue<'_>| Phrase::parse(&text(value)?).map_err(|error| error.to_string());
    let pattern = |value: &DeValue<'_>| Pattern::parse(&text(value)?).map_err(|error| error.to_string());
    let phrases = table.list("never_say", MAX_PHRASES, phrase);
    let patterns = table.list("never_say_patterns", MAX_PATTERNS, pattern);
    let has_rules = !table.is_empty_list("never_say") && phrases.is_some()
        || !table.is_empty_list("never_say_patterns") && patterns.is_some();
    let is_misread =
        table.has("never_say") && phrases.is_none() || table.has("never_say_patterns") && patterns.is_none();
    if table.is_there() && !has_rules && !is_misread {
        let advice =
            "needs `never_say` or `never_say_patterns` with something in it; without them remove the table";
        table.fault(advice.to_owned());
    }
    let guardrail = Guardrail::new(phrases.unwrap_or_default(), patterns.unwrap_or_default());
    let instead = table.get("instead", |value| line(value, voices));
    if let Some(instead) = &instead {
        hold_against(&guardrail, instead, |message| table.fault_at("instead", message));
    }
    for (key, line) in own_lines(lines) {
        hold_against(&guardrail, line, |message| written.fault_at(key, message));
    }
    if table.is_there() {
        lines.withheld = instead.unwrap_or_else(|| lines.trouble.clone());
    }
    guardrail
}

/// The lines with their keys.
fn own_lines(lines: &Lines) -> impl Iterator<Item = (&'static str, &Line)> {
    let Lines { greeting, fillers, trouble, not_understood, idle, sorry, goodbye, withheld: _ } = lines;
    let alone = [
        ("greeting", greeting),
        ("trouble", trouble),
        ("not_understood", not_understood),
        ("idle", idle),
        ("sorry", sorry),
        ("goodbye", goodbye),
    ];
    alone.into_iter().chain(fillers.iter().map(|filler| ("fillers", filler)))
}

fn hold_against(guardrail: &Guardrail, line: &Line, fault: impl Fn(String)) {
    for (language, text) in &line.0 {
        if let Verdict::Replace(rule) = guardrail.judge(text) {
            let (list, number) = (rule.list.word(), rule.number);
            fault(format!(
                "says in {language} what [guardrail] {list} {number} forbids; change one of the two"
            ));
        }
    }
}
