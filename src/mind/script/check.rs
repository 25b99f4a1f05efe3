//! Reads a dialogue's file and finds what is wrong with it: unknown keys and names, texts that are missing, states that nobody
//! reaches, loops without an end, values that are not there.

mod raw;
mod text;
mod values;
mod walk;

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::format::{GlobalKey, Kind, Script, State, ToolUse};
use crate::config::{Fault, Faults, Place};
use crate::mind::speech::Language;
use crate::voice::exchange::YieldsTo;
use raw::{RawAgent, RawKind, RawScript, RawState, Taker};

/// The longest file, in bytes; the demo has 10 kB.
pub const MAX_SCRIPT_BYTES: usize = 256 * 1024;

/// A dialogue being read, and what was found wrong so far.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
    states: Vec<String>,
    prompts: Vec<String>,
    tools: &'a [&'a str],
}

/// Reads and checks a file.
pub(super) fn read(file: &str, text: &str, tools: &[&str]) -> Result<Script, Faults> {
    if text.len() > MAX_SCRIPT_BYTES {
        let message =
            format!("is longer than {MAX_SCRIPT_BYTES} bytes; split the dialogue into several agents");
        let file = file.to_owned();
        return Err(Faults::from(Fault { file, place: None, key: None, value: None, message }));
    }
    let mut reader =
        Reader { file, text, faults: Vec::new(), states: Vec::new(), prompts: Vec::new(), tools };
    let raw: RawScript = toml::from_str(text).map_err(|error| {
        let message = advised(error.message());
        let place = error.span().map(|span| reader.place(span.start));
        Faults::from(Fault { file: file.to_owned(), place, key: None, value: None, message })
    })?;
    reader.states = raw.state.keys().cloned().collect();
    reader.prompts = raw.prompt.keys().cloned().collect();
    let script = reader.script(raw);
    match Faults::of(reader.faults) {
        Some(faults) => Err(faults),
        None => Ok(script),
    }
}

impl Reader<'_> {
    fn script(&mut self, raw: RawScript) -> Script {
        self.check_sizes(&raw);
        let languages: Vec<Language> = raw.agent.voice.keys().copied().collect();
        let agent = &raw.agent;
        if !languages.contains(&agent.language) {
            let message = format!("needs a voice for `{}`, in which it begins", agent.language);
            self.fault(agent.start.span(), "[agent.voice]", message);
        }
        let lexicons = self.lexicons(&raw, &languages);
        let prompts = raw.prompt.iter().map(|(name, texts)| self.prompt(name, texts, &languages, &lexicons));
        let prompts = prompts.collect();
        let keys = raw.keys.iter().filter_map(|(key, to)| self.global_key(key, to)).collect();
        let states: Vec<State> =
            raw.state.iter().map(|(name, state)| self.state(name, state, agent)).collect();
        let script = Script {
            name: agent.name.clone(),
            language: agent.language,
            voices: agent.voice.clone(),
            prompts,
            lexicons,
            start: self.target("[agent] start", &agent.start),
            no_speech: self.said("[agent] no_speech", &agent.no_speech),
            goodbye: self.said("[agent] goodbye", &agent.goodbye),
            keys,
            idle: self.seconds("[agent] idle_seconds", agent.idle_seconds.as_ref(), 10),
            give_up_after: self.seconds("[agent] goodbye_seconds", agent.goodbye_seconds.as_ref(), 60),
            states,
        };
        if self.faults.is_empty() {
            self.walk(&script, &raw);
            self.values(&script, &raw);
        }
        script
    }

    fn global_key(&mut self, key: &str, to: &Spanned<String>) -> Option<(char, GlobalKey)> {
        let key = self.key("[keys]", key, to.span())?;
        let what = if to.get_ref() == "repeat" {
            GlobalKey::Repeat
        } else {
            GlobalKey::GoTo(self.target(&format!("[keys] {key}"), to))
        };
        Some((key, what))
    }

    fn state(&mut self, name: &str, spanned: &Spanned<RawState>, agent: &RawAgent) -> State {
        let (raw, at) = (spanned.get_ref(), format!("[state.{name}]"));
        for (key, at_key, users) in raw.strange_keys() {
            let message = format!("is of no use in this kind of state; remove it, or make the state {users}");
            self.fault(at_key, &format!("{at} {key}"), message);
        }
        let takers = raw.interruptible.clone().unwrap_or_else(|| vec![Taker::Keys, Taker::Speech]);
        let tries = raw.tries.as_ref().or(agent.tries.as_ref());
        if let Some(tries) = tries.filter(|tries| !(1..=9).contains(tries.get_ref())) {
            self.fault(tries.span(), &format!("{at} tries"), "must be 1..=9".to_owned());
        }
        let max_visits = raw.max_visits.as_ref();
        if let Some(visits) = max_visits.filter(|visits| !(1..=99).contains(visits.get_ref())) {
            self.fault(visits.span(), &format!("{at} max_visits"), "must be 1..=99".to_owned());
        }
        State {
            name: name.to_owned(),
            say: raw.say.iter().map(|prompt| self.said(&format!("{at} say"), prompt)).collect(),
            kind: self.kind(&at, raw, spanned.span()),
            language: raw.language,
            outcome: raw.outcome.clone(),
            no_input: self.said(&format!("{at} no_input"), raw.no_input.as_ref().unwrap_or(&agent.no_input)),
            no_match: self.said(&format!("{at} no_match"), raw.no_match.as_ref().unwrap_or(&agent.no_match)),
            tries: tries.map_or(3, |tries| *tries.get_ref()),
            give_up: self.target(&format!("{at} give_up"), raw.give_up.as_ref().unwrap_or(&agent.give_up)),
            max_visits: max_visits.map(|visits| *visits.get_ref()),
            yields_to: YieldsTo {
                speech: takers.contains(&Taker::Speech),
                digits: takers.contains(&Taker::Keys),
            },
        }
    }

    fn kind(&mut self, at: &str, raw: &RawState, span: Range<usize>) -> Kind {
        let mut must = |key: &str, value: &Option<Spanned<String>>| match value {
            Some(value) => self.target(&format!("{at} {key}"), value),
            None => self.missing(at, key, span.clone()),
        };
        match raw.kind {
            RawKind::Say => Kind::Say { next: must("next", &raw.next) },
            RawKind::Confirm => {
                Kind::Menu { keys: vec![('1', must("yes", &raw.yes)), ('2', must("no", &raw.no))] }
            }
            RawKind::Menu => {
                let mut keys = Vec::new();
                for (key, to) in &raw.keys {
                    let target = self.target(&format!("{at} keys"), to);
                    keys.extend(self.key(at, key, to.span()).map(|key| (key, target)));
                }
                if keys.is_empty() {
                    self.missing(at, "keys", span);
                }
                Kind::Menu { keys }
            }
            RawKind::Collect => {
                let next = must("next", &raw.next);
                let min = self.number(at, "min_digits", raw.min_digits.as_ref(), 1);
                let max = self.number(at, "max_digits", raw.max_digits.as_ref(), 16);
                if min == 0 || min > max || max > 32 {
                    self.fault(span.clone(), at, "needs 1 <= min_digits <= max_digits <= 32".to_owned());
                }
                let timeout = self.seconds(&format!("{at} timeout_seconds"), raw.timeout_seconds.as_ref(), 4);
                Kind::Collect { into: self.word(at, "into", &raw.into, span), min, max, timeout, next }
            }
            RawKind::Choose => {
                let next = must("next", &raw.next);
                let each = match &raw.each {
                    Some(each) => self.said(&format!("{at} each"), each),
                    None => self.missing(at, "each", span.clone()),
                };
                let from = self.word(at, "from", &raw.from, span.clone());
                Kind::Choose { from, into: self.word(at, "into", &raw.into, span), each, next }
            }
            RawKind::Record => {
                let next = must("next", &raw.next);
                let longest = self.seconds(&format!("{at} max_seconds"), raw.max_seconds.as_ref(), 60);
                let silence = self.seconds(&format!("{at} silence_seconds"), raw.silence_seconds.as_ref(), 4);
                Kind::Record { longest, silence, next }
            }
            RawKind::Tool => Kind::Tool(self.tool(at, raw, span)),
            RawKind::HangUp => Kind::HangUp,
        }
    }

    fn tool(&mut self, at: &str, raw: &RawState, span: Range<usize>) -> ToolUse {
        let mut results = Vec::new();
        for (result, to) in &raw.results {
            results.push((result.clone(), self.target(&format!("{at} results.{result}"), to)));
        }
        let error = match results.iter().find(|(result, _)| result == "error") {
            Some((_, to)) => *to,
            None => self.missing(at, "results.error", span.clone()),
        };
        let arguments = raw.arguments.iter().map(|(name, path)| (name.clone(), path.get_ref().clone()));
        ToolUse {
            name: self.tool_name(at, raw, span.clone()),
            arguments: arguments.collect(),
            into: self.word(at, "into", &raw.into, span),
            filler: raw.filler.as_ref().map(|filler| self.said(&format!("{at} filler"), filler)),
            results,
            error,
        }
    }

    fn tool_name(&mut self, at: &str, raw: &RawState, span: Range<usize>) -> String {
        let Some(name) = &raw.tool else {
            self.missing(at, "tool", span);
            return String::new();
        };
        if !self.tools.contains(&name.get_ref().as_str()) {
            let remedy = match near(self.tools.iter().copied(), name.get_ref()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", self.tools.join(", ")),
            };
            let message = format!("there is no tool `{}`; {remedy}", name.get_ref());
            self.fault(name.span(), &format!("{at} tool"), message);
        }
        name.get_ref().clone()
    }

    /// A file may have 256 kB, and each of its lists a length that its walks and its audio can bear.
    fn check_sizes(&mut self, raw: &RawScript) {
        let words = raw.lexicon.values().map(|words| words.len()).sum();
        for (count, most, what) in [
            (raw.state.len(), MAX_STATES, "states"),
            (raw.prompt.len(), MAX_PROMPTS, "prompts"),
            (words, MAX_LEXICON_WORDS, "words in its lexicons"),
        ] {
            if count > most {
                let message = format!(
                    "the agent has {count} {what}; at most {most} are allowed: split it into several"
                );
                self.fault(0..0, "[agent]", message);
            }
        }
        for (name, state) in &raw.state {
            if state.get_ref().say.len() > MAX_SAID {
                let message =
                    format!("has {} prompts; at most {MAX_SAID} are allowed", state.get_ref().say.len());
                self.fault(state.span(), &format!("[state.{name}] say"), message);
            }
            self.check_name(state.span(), "state", name);
        }
        for (name, texts) in &raw.prompt {
            self.check_name(texts.span(), "prompt", name);
        }
    }

    fn check_name(&mut self, span: Range<usize>, what: &str, name: &str) {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
            let message = format!("the name must have 1 to {MAX_NAME_BYTES} bytes");
            self.fault(span, &format!("[{what}.{shown}]"), message);
        }
    }

    fn target(&mut self, key: &str, name: &Spanned<String>) -> usize {
        let known = self.states.clone();
        self.named(key, name, "state", &known)
    }

    fn said(&mut self, key: &str, name: &Spanned<String>) -> usize {
        let known = self.prompts.clone();
        self.named(key, name, "prompt", &known)
    }

    fn named(&mut self, key: &str, name: &Spanned<String>, what: &str, known: &[String]) -> usize {
        if let Some(index) = known.iter().position(|known| known == name.get_ref()) {
            return index;
        }
        let remedy = match near(known.iter().map(String::as_str), name.get_ref()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add [{what}.{}]", name.get_ref()),
        };
        self.fault(name.span(), key, format!("there is no {what} `{}`; {remedy}", name.get_ref()));
        0
    }

    fn key(&mut self, at: &str, key: &str, span: Range<usize>) -> Option<char> {
        let mut chars = key.chars();
        let found = chars.next().filter(|c| "0123456789*#".contains(*c) && chars.next().is_none());
        if found.is_none() {
            self.fault(span, at, format!("{key:?} is no key; write one of 0-9, * and #"));
        }
        found
    }

    fn word(&mut self, at: &str, key: &str, value: &Option<Spanned<String>>, span: Range<usize>) -> String {
        match value {
            Some(value) => value.get_ref().clone(),
            None => {
                self.missing(at, key, span);
                String::new()
            }
        }
    }

    fn number(&mut self, at: &str, key: &str, value: Option<&Spanned<u64>>, default: usize) -> usize {
        let Some(value) = value else { return default };
        if *value.get_ref() > 32 {
            self.fault(value.span(), &format!("{at} {key}"), "must be 1..=32".to_owned());
        }
        usize::try_from(*value.get_ref()).unwrap_or(default)
    }

    fn seconds(&mut self, key: &str, value: Option<&Spanned<u64>>, default: u64) -> Duration {
        let seconds = value.map_or(default, |value| *value.get_ref());
        if let Some(value) = value.filter(|_| !(1..=300).contains(&seconds)) {
            self.fault(value.span(), key, "must be 1..=300 seconds".to_owned());
        }
        Duration::from_secs(seconds)
    }

    fn missing(&mut self, at: &str, key: &str, span: Range<usize>) -> usize {
        self.fault(span, at, format!("needs the key `{key}`"));
        0
    }

    fn fault(&mut self, span: Range<usize>, key: &str, message: String) {
        let place = Some(self.place(span.start));
        self.faults.push(Fault {
            file: self.file.to_owned(),
            place,
            key: Some(key.to_owned()),
            value: None,
            message,
        });
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Place { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

/// What the deserializer says, as the rest of the configuration says it.
fn advised(message: &str) -> String {
    let line = message.lines().collect::<Vec<_>>().join(", ");
    let (what, rest) = match (line.strip_prefix("unknown field `"), line.strip_prefix("unknown variant `")) {
        (Some(rest), _) => ("unknown key", rest),
        (None, Some(rest)) => ("unknown word", rest),
        (None, None) => return line,
    };
    let Some((name, expected)) = rest.split_once('`') else { return line };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
    match near(known.iter().copied(), name) {
        Some(near) => format!("{what} `{shown}`; did you mean `{near}`?"),
        None => format!("{what} `{shown}`; known here: {}", known.join(", ")),
    }
}

/// The one that was probably meant.
fn near<'k>(known: impl Iterator<Item = &'k str>, name: &str) -> Option<&'k str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(known, name);
    let candidates = known.filter(|known| known.len().max(name.len()) <= MAX_NAME_BYTES);
    candidates.min_by_key(distance).filter(|known| distance(known) <= MAX_TYPOS.min(known.len() / 2))
}

/// A person cannot find the way through more.
const MAX_STATES: usize = 500;
/// Each has a clip or several in memory for each language.
const MAX_PROMPTS: usize = 1_000;
/// Likewise.
const MAX_LEXICON_WORDS: usize = 2_000;
/// A minute of speech, which is as much as is said in one piece.
const MAX_TEXT_CHARS: usize = 1_000;
/// Prompts that a state says in a row.
const MAX_SAID: usize = 8;
/// Names stand in the call's log.
const MAX_NAME_BYTES: usize = 64;
/// Letters that may be wrong in a name that is still recognised.
const MAX_TYPOS: usize = 3;
