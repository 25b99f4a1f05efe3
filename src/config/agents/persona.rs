//! What every agent that converses by providers says of itself in its file, whichever providers these are: who it is, what its model is told, and what
//! it says by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::folder::AgentText;
use super::guardrail;
use super::lines::{self, Required, by_language};
use super::{DEMO_NAME, Scripts};
use crate::agent::FeedKind;
use crate::config::fault::Faults;
use crate::config::read_file;
use crate::config::table::{Document, Table, integer, nearest, text, word};
use crate::mind::conversation::{END_CALL, Lines};
use crate::mind::guardrail::Guardrail;
use crate::mind::script::Script;
use crate::mind::speech::{Language, WaitingSound};
use crate::sound::wav;
use crate::tools::BUILT_IN;

/// Who an agent is.
#[derive(Clone, Debug, PartialEq)]
pub struct Persona {
    /// What it calls itself.
    pub title: String,
    /// The language in which it begins.
    pub language: Language,
    /// espeak-ng's voice for each language that it speaks: for what it says by itself.
    pub voices: BTreeMap<Language, String>,
    /// What the model is told to be and to do.
    pub instructions: Arc<str>,
    /// What the model may use.
    pub tools: Vec<String>,
    /// How many earlier calls of the caller the model is told of; none, and no name, if 0.
    pub memory: u8,
    /// Which of the caller's audio its providers get.
    pub hears: FeedKind,
    /// What it says by itself.
    pub lines: Lines,
    /// What its model must never say.
    pub guardrail: Arc<Guardrail>,
    /// What is heard while it works, between fillers.
    pub waiting_sound: Option<WaitingSound>,
    /// Silence of the caller after which he is asked again.
    pub idle: Duration,
    /// Silence of the caller after which it ends the call.
    pub give_up_after: Duration,
    /// The agent that goes on when no provider is left.
    pub fallback: Fallback,
}

/// An agent that goes on by a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// Its name.
    pub name: String,
    /// What it says and does.
    pub script: Arc<Script>,
}

/// Reads an agent's file: `read_mind` reads from `[mind]` what is of its kind alone. None if all that is wrong is with the agent that it falls back to.
///
/// # Errors
/// Every fault of the file at once.
pub(super) fn read<M>(
    agent: &AgentText,
    scripts: &Scripts,
    required: Required,
    read_mind: impl FnOnce(&mut Table<'_>) -> M,
) -> Result<Option<(Persona, M)>, Faults> {
    let document = Document::new(&agent.file, &agent.text);
    let (keys, errors) = DeTable::parse_recoverable(&agent.text);
    errors.iter().for_each(|error| document.syntax_fault(error));
    let read = read_tables(Table::root(&document, &keys), agent, scripts, required, read_mind);
    match Faults::of(document.into_faults()) {
        None => Ok(read),
        Some(faults) => Err(faults),
    }
}

fn read_tables<M>(
    mut root: Table<'_>,
    file: &AgentText,
    scripts: &Scripts,
    required: Required,
    read_mind: impl FnOnce(&mut Table<'_>) -> M,
) -> Option<(Persona, M)> {
    // Read by those who make the agent's voice.
    root.section("turn_taking");
    let (mut agent, mut mind) = (root.section("agent"), root.section("mind"));
    let (mut line, mut rules) = (root.section("line"), root.section("guardrail"));
    let voices = agent.require("voice", |value| by_language(value, "a voice of espeak-ng", "\"..\""));
    let voices = voices.unwrap_or_default();
    let seconds = |agent: &mut Table<'_>, key, usual| {
        Duration::from_secs(agent.get(key, integer(1..=300, "seconds")).unwrap_or(usual))
    };
    let idle = seconds(&mut agent, "idle_seconds", 10);
    let give_up_after = seconds(&mut agent, "goodbye_seconds", 60);
    let title = agent.require("name", title).unwrap_or_default();
    let language = begins_in(&mut agent, &voices);
    let fallback = fallback(&mut agent, scripts);
    let of_kind = read_mind(&mut mind);
    let (instructions, tools) = (instructions(&mut mind, &file.folder), tools(&mut mind));
    let memory = mind.get("memory", integer(0..=10, "")).and_then(|calls| u8::try_from(calls).ok());
    let memory = memory.unwrap_or(USUAL_MEMORY);
    let waiting_sound = mind.get("waiting_sound", |value| waiting_sound(value, &file.folder));
    let hears = mind.get("hears", word(HEARS)).unwrap_or(FeedKind::Payload);
    let mut lines = lines::read(&mut line, &voices, required);
    let guardrail = guardrail::read(&mut rules, &line, &voices, &mut lines);
    mind.get("kind", text);
    [agent, mind, line, rules, root].into_iter().for_each(Table::finish);
    let fallback = fallback?;
    let persona = Persona {
        title,
        language,
        voices,
        instructions,
        tools,
        memory,
        hears,
        lines,
        guardrail: Arc::new(guardrail),
        waiting_sound,
        idle,
        give_up_after,
        fallback,
    };
    Some((persona, of_kind))
}

fn title(value: &DeValue<'_>) -> Result<String, String> {
    let title = text(value)?;
    if title.trim().is_empty() || title.len() > MAX_TITLE_BYTES {
        return Err(format!("must have 1 to {MAX_TITLE_BYTES} bytes"));
    }
    Ok(title)
}

fn begins_in(agent: &mut Table<'_>, voices: &BTreeMap<Language, String>) -> Language {
    let language = agent.require("language", word(LANGUAGES)).unwrap_or(Language::Hi);
    if agent.has("language") && !voices.is_empty() && !voices.contains_key(&language) {
        let message = format!("needs a voice for {language}, in which the agent begins; add it to `voice`");
        agent.fault_at("language", message);
    }
    language
}

/// The names of providers in the order in which they are asked.
pub(super) fn chain(mind: &mut Table<'_>, purpose: &'static str, known: &[String]) -> Vec<String> {
    let name = |value: &DeValue<'_>| {
        let name = text(value)?;
        if known.contains(&name) {
            return Ok(name);
        }
        Err(match nearest(known.iter().map(String::as_str), &name) {
            Some(near) => format!("there is no [{purpose}.NAME] of that name; did you mean \"{near}\"?"),
            None if known.is_empty() => {
                format!(
                    "the server's configuration has no [{purpose}.NAME] at all; add [{purpose}.{name}] there"
                )
            }
            None => format!("there is no [{purpose}.NAME] of that name; there are {}", known.join(", ")),
        })
    };
    let names = mind.require_list(purpose, MAX_CHAIN, name);
    twice(mind, purpose, &names);
    names
}

fn twice(mind: &Table<'_>, key: &str, names: &[String]) {
    if let Some(name) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        mind.fault_at(key, format!("names \"{}\" twice; remove one of the two", name.1));
    }
}

fn instructions(mind: &mut Table<'_>, folder: &Path) -> Arc<str> {
    let (written, file) = (mind.get("instructions", text), mind.get("instructions_file", text));
    let (key, found) = match (written, file) {
        (Some(_), Some(_)) => {
            let message = "instructions cannot come from two places; remove one of `instructions` and this";
            ("instructions_file", Err(message.to_owned()))
        }
        (Some(written), None) => ("instructions", Ok(written)),
        (None, Some(file)) => ("instructions_file", read_instructions(&folder.join(file))),
        (None, None) => {
            if !mind.has("instructions") && !mind.has("instructions_file") {
                mind.fault(
                    "needs `instructions`: what the agent is and does, or an `instructions_file`".to_owned(),
                );
            }
            return Arc::from("");
        }
    };
    let checked = found.and_then(|text| {
        let is_empty = text.trim().is_empty();
        if is_empty { Err("is empty; write what the agent is and what it does".to_owned()) } else { Ok(text) }
    });
    match checked {
        Ok(text) if text.len() as u64 <= MAX_INSTRUCTIONS_BYTES => text.into(),
        Ok(text) => {
            let message = format!("has {} bytes; at most {MAX_INSTRUCTIONS_BYTES} are allowed", text.len());
            mind.fault_at(key, message);
            Arc::from("")
        }
        Err(message) => {
            mind.fault_at(key, message);
            Arc::from("")
        }
    }
}

fn read_instructions(path: &Path) -> Result<String, String> {
    // Opening anything else, a named pipe perhaps, could wait for ever.
    match fs::metadata(path) {
        Ok(kind) if kind.is_file() => read_file(path, MAX_INSTRUCTIONS_BYTES),
        Ok(_) => Err("is no file; name a text file, relative to this file".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}; name a text file, relative to this file")),
    }
}

fn tools(mind: &mut Table<'_>) -> Vec<String> {
    let known = || BUILT_IN.iter().copied().chain([END_CALL]);
    let name = |value: &DeValue<'_>| {
        let name = text(value)?;
        if known().any(|known| known == name) {
            return Ok(name);
        }
        Err(match nearest(known(), &name) {
            Some(near) => format!("there is no such tool; did you mean \"{near}\"?"),
            None => format!("there is no such tool; there are {}", known().collect::<Vec<_>>().join(", ")),
        })
    };
    let tools = mind.list("tools", MAX_TOOLS, name).unwrap_or_default();
    twice(mind, "tools", &tools);
    tools
}

/// One that is made here, or a WAV file.
fn waiting_sound(value: &DeValue<'_>, folder: &Path) -> Result<WaitingSound, String> {
    let name = text(value)?;
    if name == "typing" {
        return Ok(WaitingSound::typing());
    }
    let path = folder.join(&name);
    if !fs::metadata(&path).is_ok_and(|kind| kind.is_file()) {
        let path = path.display();
        return Err(format!("must be \"typing\" or a WAV file, relative to this file; {path} is no file"));
    }
    let samples = wav::read(&path).map_err(|error| format!("{error}; {}", error.advice()))?;
    if samples.len() > MAX_SOUND_SAMPLES {
        return Err("is longer than a minute; take a part of it".to_owned());
    }
    WaitingSound::new(&samples)
        .ok_or_else(|| "is silence, or shorter than 200 ms; take a longer sound".to_owned())
}

/// A time of `[mind]`, in milliseconds.
pub(super) fn time(mind: &mut Table<'_>, key: &'static str, usual: Duration) -> Duration {
    mind.get(key, integer(0..=MAX_WAIT_MS, "ms")).map_or(usual, Duration::from_millis)
}

/// How often tools may be used before the caller is answered.
pub(super) fn max_rounds(mind: &mut Table<'_>, usual: u8) -> u8 {
    let rounds = mind.get("max_rounds", integer(1..=16, ""));
    rounds.and_then(|count| u8::try_from(count).ok()).unwrap_or(usual)
}

/// None if the agent is there and faulty itself, which is told with its own file.
fn fallback(agent: &mut Table<'_>, scripts: &Scripts) -> Option<Fallback> {
    let name = agent.get("fallback", text).unwrap_or_else(|| DEMO_NAME.to_owned());
    let name = name.strip_prefix("agent:").unwrap_or(&name).to_owned();
    if let Some(script) = scripts.get(&name) {
        return script.clone().map(|script| Fallback { name, script });
    }
    let known: Vec<&str> = scripts.keys().map(String::as_str).collect();
    let near = nearest(known.iter().copied(), &name);
    let advice = near.map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    );
    agent.fault_at("fallback", format!("must be an agent with a script, which needs no provider; {advice}"));
    None
}

const HEARS: &[(&str, FeedKind)] = &[("payload", FeedKind::Payload), ("samples", FeedKind::Samples)];

const LANGUAGES: &[(&str, Language)] = &[("hi", Language::Hi), ("en", Language::En)];

/// A call has no time for more.
const MAX_CHAIN: usize = 8;

/// What somebody calls about again is seldom older.
const USUAL_MEMORY: u8 = 3;

/// Models that are offered more choose badly.
const MAX_TOOLS: usize = 32;

/// A name.
const MAX_TITLE_BYTES: usize = 128;

/// Ten pages; all of them are sent with every turn.
const MAX_INSTRUCTIONS_BYTES: u64 = 32 * 1024;

/// A minute: it goes round.
const MAX_SOUND_SAMPLES: usize = 60 * 8_000;

/// Longer than any caller waits.
pub(super) const MAX_WAIT_MS: u64 = 60_000;
