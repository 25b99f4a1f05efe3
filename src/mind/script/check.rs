//! Reads a dialogue's file and finds what is wrong with it: names that nothing has, states that nobody reaches, texts that are
//! missing, loops without an end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::format::{GlobalKey, Kind, Piece, Script, State, ToolUse};
use crate::config::{Fault, Faults, Place};
use crate::mind::speech::{Form, Language};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    agent: RawAgent,
    #[serde(default)]
    keys: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    lexicon: BTreeMap<String, BTreeMap<String, Spanned<Texts>>>,
    prompt: BTreeMap<String, Spanned<Texts>>,
    state: BTreeMap<String, Spanned<RawState>>,
}

type Texts = BTreeMap<Language, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgent {
    name: String,
    language: Language,
    voice: BTreeMap<Language, String>,
    start: Spanned<String>,
    give_up: Spanned<String>,
    no_input: Spanned<String>,
    no_match: Spanned<String>,
    no_speech: Spanned<String>,
    goodbye: Spanned<String>,
    tries: Option<Spanned<u8>>,
    idle_seconds: Option<Spanned<u64>>,
    goodbye_seconds: Option<Spanned<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawKind {
    Say,
    Menu,
    Collect,
    Tool,
    Choose,
    Confirm,
    Record,
    HangUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Taker {
    Keys,
    Speech,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawState {
    kind: RawKind,
    #[serde(default)]
    say: Vec<Spanned<String>>,
    next: Option<Spanned<String>>,
    #[serde(default)]
    keys: BTreeMap<String, Spanned<String>>,
    yes: Option<Spanned<String>>,
    no: Option<Spanned<String>>,
    into: Option<String>,
    from: Option<String>,
    each: Option<Spanned<String>>,
    min_digits: Option<Spanned<u64>>,
    max_digits: Option<Spanned<u64>>,
    timeout_seconds: Option<Spanned<u64>>,
    max_seconds: Option<Spanned<u64>>,
    silence_seconds: Option<Spanned<u64>>,
    tool: Option<Spanned<String>>,
    #[serde(default)]
    arguments: BTreeMap<String, String>,
    filler: Option<Spanned<String>>,
    #[serde(default)]
    results: BTreeMap<String, Spanned<String>>,
    language: Option<Language>,
    outcome: Option<String>,
    no_input: Option<Spanned<String>>,
    no_match: Option<Spanned<String>>,
    tries: Option<Spanned<u8>>,
    give_up: Option<Spanned<String>>,
    interruptible: Option<Vec<Taker>>,
}

/// A key; where it stands, if it is there and that is known; the kinds that use it, for us and in words.
type KeyUse = (&'static str, Option<Option<Range<usize>>>, &'static [RawKind], &'static str);

impl RawState {
    /// Keys that are there and that the kind does not use: each with its place and the kinds that do.
    fn strange_keys(&self) -> Vec<(&'static str, Option<Range<usize>>, &'static str)> {
        use RawKind::{Choose, Collect, Confirm, Menu, Record, Say, Tool};
        let span = |value: &Option<Spanned<String>>| value.as_ref().map(|value| Some(value.span()));
        let number = |value: &Option<Spanned<u64>>| value.as_ref().map(|value| Some(value.span()));
        let map =
            |map: &BTreeMap<String, Spanned<String>>| map.values().next().map(|value| Some(value.span()));
        let rows: [KeyUse; 15] = [
            (
                "next",
                span(&self.next),
                &[Say, Collect, Choose, Record],
                "a `say`, `collect`, `choose` or `record`",
            ),
            ("keys", map(&self.keys), &[Menu], "a `menu`"),
            ("yes", span(&self.yes), &[Confirm], "a `confirm`"),
            ("no", span(&self.no), &[Confirm], "a `confirm`"),
            (
                "into",
                self.into.as_ref().map(|_| None),
                &[Collect, Choose, Tool],
                "a `collect`, `choose` or `tool`",
            ),
            ("from", self.from.as_ref().map(|_| None), &[Choose], "a `choose`"),
            ("each", span(&self.each), &[Choose], "a `choose`"),
            ("min_digits", number(&self.min_digits), &[Collect], "a `collect`"),
            ("max_digits", number(&self.max_digits), &[Collect], "a `collect`"),
            ("timeout_seconds", number(&self.timeout_seconds), &[Collect], "a `collect`"),
            ("max_seconds", number(&self.max_seconds), &[Record], "a `record`"),
            ("silence_seconds", number(&self.silence_seconds), &[Record], "a `record`"),
            ("tool", span(&self.tool), &[Tool], "a `tool`"),
            ("filler", span(&self.filler), &[Tool], "a `tool`"),
            ("results", map(&self.results), &[Tool], "a `tool`"),
        ];
        let strange = rows.into_iter().filter(|(_, _, kinds, _)| !kinds.contains(&self.kind));
        strange.filter_map(|(key, place, _, users)| Some((key, place?, users))).collect()
    }
}

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
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
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
        let languages: Vec<_> = raw.agent.voice.keys().copied().collect();
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
        }
        script
    }

    fn lexicons(
        &mut self,
        raw: &RawScript,
        languages: &[Language],
    ) -> BTreeMap<String, BTreeMap<String, Texts>> {
        let mut lexicons = BTreeMap::new();
        for (name, words) in &raw.lexicon {
            for (word, texts) in words {
                self.languages(&format!("[lexicon.{name}] {word}"), texts, languages);
            }
            let words = words.iter().map(|(word, texts)| (word.clone(), texts.get_ref().clone()));
            lexicons.insert(name.clone(), words.collect());
        }
        lexicons
    }

    fn languages(&mut self, key: &str, texts: &Spanned<Texts>, languages: &[Language]) {
        for language in languages {
            if texts.get_ref().get(language).is_none_or(|text| text.trim().is_empty()) {
                self.fault(
                    texts.span(),
                    key,
                    format!("needs a text for `{language}`, for which the agent has a voice"),
                );
            }
        }
    }

    fn prompt(
        &mut self,
        name: &str,
        texts: &Spanned<Texts>,
        languages: &[Language],
        lexicons: &BTreeMap<String, BTreeMap<String, Texts>>,
    ) -> BTreeMap<Language, Vec<Piece>> {
        let key = format!("[prompt.{name}]");
        self.languages(&key, texts, languages);
        let mut prompt = BTreeMap::new();
        for (language, text) in texts.get_ref() {
            match pieces((*language, text), languages, lexicons) {
                Ok(pieces) => drop(prompt.insert(*language, pieces)),
                Err(message) => self.fault(texts.span(), &format!("{key} {language}"), message),
            }
        }
        prompt
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
            self.fault(at_key.unwrap_or(spanned.span()), &format!("{at} {key}"), message);
        }
        let takers = raw.interruptible.clone().unwrap_or_else(|| vec![Taker::Keys, Taker::Speech]);
        let tries = raw.tries.as_ref().or(agent.tries.as_ref());
        if let Some(tries) = tries.filter(|tries| !(1..=9).contains(tries.get_ref())) {
            self.fault(tries.span(), &format!("{at} tries"), "must be 1..=9".to_owned());
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
            yields_to_keys: takers.contains(&Taker::Keys),
            yields_to_speech: takers.contains(&Taker::Speech),
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
        ToolUse {
            name: self.tool_name(at, raw, span.clone()),
            arguments: raw.arguments.clone().into_iter().collect(),
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
            let distance = |known: &&&str| strsim::damerau_levenshtein(known, name.get_ref());
            let near = self.tools.iter().min_by_key(distance).filter(|known| distance(known) <= 3);
            let remedy = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", self.tools.join(", ")),
            };
            let message = format!("there is no tool `{}`; {remedy}", name.get_ref());
            self.fault(name.span(), &format!("{at} tool"), message);
        }
        name.get_ref().clone()
    }

    /// Faults that only a walk through all states shows.
    fn walk(&mut self, script: &Script, raw: &RawScript) {
        let mut reached = vec![false; script.states.len()];
        let mut open = vec![script.start];
        open.extend(script.keys.iter().filter_map(|(_, key)| match key {
            GlobalKey::GoTo(to) => Some(*to),
            GlobalKey::Repeat => None,
        }));
        while let Some(at) = open.pop() {
            if let Some(state) = script.states.get(at).filter(|_| !std::mem::replace(&mut reached[at], true))
            {
                open.extend(state.kind.automatic().into_iter().chain(state.kind.by_caller()));
                open.push(state.give_up);
            }
        }
        for (index, (name, state)) in raw.state.iter().enumerate() {
            let key = format!("[state.{name}]");
            if !reached.get(index).copied().unwrap_or_default() {
                self.fault(state.span(), &key, "is never reached: lead to it or remove it".to_owned());
            } else if loops(script, index) {
                let message = "leads back to itself although the caller does nothing right: let `give_up` or `next` end in a `hang_up`";
                self.fault(state.span(), &key, message.to_owned());
            }
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
        let distance = |known: &&String| strsim::damerau_levenshtein(known, name.get_ref());
        let near = known.iter().min_by_key(distance).filter(|known| distance(known) <= 3);
        let remedy = match near {
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

    fn word(&mut self, at: &str, key: &str, value: &Option<String>, span: Range<usize>) -> String {
        if value.is_none() {
            self.missing(at, key, span);
        }
        value.clone().unwrap_or_default()
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

/// Whether a state can come back to itself by giving up and by what needs no key.
fn loops(script: &Script, from: usize) -> bool {
    let mut seen = vec![false; script.states.len()];
    let mut open = vec![from];
    let mut is_first = true;
    while let Some(at) = open.pop() {
        if at == from && !is_first {
            return true;
        }
        let Some(state) =
            script.states.get(at).filter(|_| is_first || !std::mem::replace(&mut seen[at], true))
        else {
            continue;
        };
        is_first = false;
        open.extend(state.kind.automatic());
        if matches!(
            state.kind,
            Kind::Menu { .. } | Kind::Collect { .. } | Kind::Choose { .. } | Kind::Record { .. }
        ) {
            open.push(state.give_up);
        }
    }
    false
}

/// Splits a prompt's text at its placeholders.
fn pieces(
    (language, text): (Language, &str),
    voiced: &[Language],
    lexicons: &BTreeMap<String, BTreeMap<String, Texts>>,
) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        fixed(before, language, &mut pieces);
        let (inside, after) = behind.split_once('}').ok_or("has a { without }")?;
        if let Some((foreign, text)) = foreign(inside) {
            if !voiced.contains(&foreign) {
                return Err(format!("is partly in `{foreign}`, for which the agent has no voice"));
            }
            fixed(text, foreign, &mut pieces);
            rest = after;
            continue;
        }
        let (path, form) = inside.split_once(':').ok_or_else(|| {
            format!("{{{inside}}} does not say how to speak it; write {{{inside}:spell}}, number, date, amount or lexicon.NAME")
        })?;
        let path = path.trim().to_owned();
        let piece = match form.trim().strip_prefix("lexicon.") {
            Some(name) if lexicons.contains_key(name) => Piece::Word { path, lexicon: name.to_owned() },
            Some(name) => return Err(format!("there is no lexicon `{name}`; add [lexicon.{name}]")),
            None => {
                let known = Form::ALL.into_iter().find(|(name, _)| *name == form.trim());
                let (_, form) = known.ok_or_else(|| {
                    format!("{form:?} is no way to speak; write spell, number, date, amount or lexicon.NAME")
                })?;
                Piece::Value { path, form }
            }
        };
        pieces.push(piece);
        rest = after;
    }
    fixed(rest, language, &mut pieces);
    Ok(pieces)
}

/// A sentence in another language than the rest: `en:For English, press eight.`
fn foreign(inside: &str) -> Option<(Language, &str)> {
    let (code, text) = inside.split_once(':')?;
    Some((Language::from_code(code.trim())?, text))
}

/// A piece that has something to pronounce. What stands before its first letter belongs to the value before it, and a
/// synthesizer may read it aloud.
fn fixed(text: &str, language: Language, pieces: &mut Vec<Piece>) {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric()).trim_end();
    if !text.is_empty() {
        pieces.push(Piece::Fixed { language, text: text.to_owned() });
    }
}
