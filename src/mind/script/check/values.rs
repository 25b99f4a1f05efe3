//! The values that a dialogue speaks and gives to its tools: each must have been set on every way to where it is used, and
//! be of a kind that can be used so.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::raw::{RawAgent, RawScript, RawState};
use super::{Reader, near};
use crate::mind::script::format::{GlobalKey, Kind, Piece, Script};
use crate::mind::speech::Form;

/// Names of values.
type Roots<'s> = BTreeSet<&'s str>;

/// What a value is, as far as the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// The keys that the caller typed.
    Typed,
    /// All that a tool answered.
    Answer,
    /// One of a list.
    Chosen,
    /// The number of a choice.
    Counted,
}

/// How a prompt or a state uses a value.
#[derive(Clone, Copy)]
enum Use {
    Spoken(Form),
    Word,
    List,
    Argument,
}

struct Values<'s> {
    script: &'s Script,
    /// What each state may count on; nothing is known of states that nobody reaches.
    before: Vec<Option<Roots<'s>>>,
    sources: BTreeMap<&'s str, BTreeSet<Source>>,
}

impl Reader<'_> {
    /// Faults of values that are spoken or used.
    pub(super) fn values(&mut self, script: &Script, raw: &RawScript) {
        let values = Values::of(script);
        for (index, (name, state)) in raw.state.iter().enumerate() {
            if let Some(before) = values.before.get(index).and_then(Option::as_ref) {
                self.values_of_state(&values, before, (name, state.get_ref()), (index, &raw.agent));
            }
        }
        // These two are said wherever the caller is.
        let nothing = Roots::new();
        let agent = &raw.agent;
        for (key, at, prompt) in [
            ("no_speech", agent.no_speech.span(), script.no_speech),
            ("goodbye", agent.goodbye.span(), script.goodbye),
        ] {
            self.spoken(&values, &nothing, (&format!("[agent] {key}"), at), prompt);
        }
    }

    fn values_of_state(
        &mut self,
        values: &Values<'_>,
        before: &Roots<'_>,
        (name, raw): (&str, &RawState),
        (index, agent): (usize, &RawAgent),
    ) {
        let Some(state) = values.script.states.get(index) else { return };
        let at = format!("[state.{name}]");
        for (said, prompt) in raw.say.iter().zip(&state.say) {
            self.spoken(values, before, (&format!("{at} say"), said.span()), *prompt);
        }
        if state.kind.is_tried() {
            let written = raw.no_input.as_ref().unwrap_or(&agent.no_input).span();
            self.spoken(values, before, (&format!("{at} no_input"), written), state.no_input);
            let written = raw.no_match.as_ref().unwrap_or(&agent.no_match).span();
            self.spoken(values, before, (&format!("{at} no_match"), written), state.no_match);
        }
        match &state.kind {
            Kind::Tool(tool) => {
                if let (Some(filler), Some(written)) = (tool.filler, &raw.filler) {
                    self.spoken(values, before, (&format!("{at} filler"), written.span()), filler);
                }
                for (argument, path) in &raw.arguments {
                    let place = (format!("{at} arguments.{argument}"), path.span());
                    self.used(values, before, (&place.0, place.1), (path.get_ref(), Use::Argument));
                }
            }
            Kind::Choose { from, each, .. } => {
                let span = |key: &Option<Spanned<String>>| key.as_ref().map_or(0..0, Spanned::span);
                self.used(values, before, (&format!("{at} from"), span(&raw.from)), (from, Use::List));
                let with_choice: Roots<'_> = before.iter().copied().chain(["choice", "n"]).collect();
                self.spoken(values, &with_choice, (&format!("{at} each"), span(&raw.each)), *each);
            }
            Kind::Say { .. }
            | Kind::Menu { .. }
            | Kind::Collect { .. }
            | Kind::Record { .. }
            | Kind::HangUp => {}
        }
    }

    /// Every value of a prompt, once whatever the number of languages.
    fn spoken(&mut self, values: &Values<'_>, before: &Roots<'_>, at: (&str, Range<usize>), prompt: usize) {
        let Some(texts) = values.script.prompts.get(prompt) else { return };
        let mut told = BTreeSet::new();
        for piece in texts.values().flatten() {
            let (path, how) = match piece {
                Piece::Fixed { .. } => continue,
                Piece::Value { path, form } => (path, Use::Spoken(*form)),
                Piece::Word { path, .. } => (path, Use::Word),
            };
            if told.insert(path) {
                self.used(values, before, (at.0, at.1.clone()), (path, how));
            }
        }
    }

    fn used(
        &mut self,
        values: &Values<'_>,
        before: &Roots<'_>,
        (key, at): (&str, Range<usize>),
        (path, how): (&str, Use),
    ) {
        let root = path.split('.').next().unwrap_or_default();
        if let Some(message) = values.missing(before, path, root).or_else(|| values.misfit(path, root, how)) {
            self.fault(at, key, message);
        }
    }
}

impl<'s> Values<'s> {
    fn of(script: &'s Script) -> Self {
        let mut values = Self { script, before: vec![None; script.states.len()], sources: BTreeMap::new() };
        for state in &script.states {
            if let Some((into, source)) = set_by(&state.kind) {
                values.sources.entry(into).or_default().insert(source);
            }
        }
        values.sources.entry("choice").or_default().insert(Source::Chosen);
        values.sources.entry("n").or_default().insert(Source::Counted);
        values.flow();
        values
    }

    /// What is set on every way to each state: sets only shrink, so that this ends.
    fn flow(&mut self) {
        let mut open = vec![(self.script.start, Roots::new())];
        while let Some((to, arriving)) = open.pop() {
            let Some(before) = self.before.get_mut(to) else { continue };
            let known = match before {
                None => arriving,
                Some(known) if known.is_subset(&arriving) => continue,
                Some(known) => known.intersection(&arriving).copied().collect(),
            };
            *before = Some(known.clone());
            open.extend(self.leaving(to, &known));
        }
    }

    /// Where a state leads, and what is set by then.
    fn leaving(&self, from: usize, before: &Roots<'s>) -> Vec<(usize, Roots<'s>)> {
        let script: &'s Script = self.script;
        let Some(state) = script.states.get(from) else { return Vec::new() };
        let with = |root: &'s str| before.iter().copied().chain([root]).collect::<Roots<'s>>();
        let mut leaving: Vec<(usize, Roots<'s>)> = match &state.kind {
            Kind::Say { next } | Kind::Record { next, .. } => vec![(*next, before.clone())],
            Kind::Menu { keys } => keys.iter().map(|(_, to)| (*to, before.clone())).collect(),
            Kind::Collect { into, next, .. } | Kind::Choose { into, next, .. } => vec![(*next, with(into))],
            Kind::Tool(tool) => {
                // What a tool without an answer leaves behind is nothing, whatever was there before.
                let without = before.iter().copied().filter(|root| *root != tool.into).collect();
                let answered = tool.results.iter().filter(|(result, _)| result != "error");
                answered.map(|(_, to)| (*to, with(&tool.into))).chain([(tool.error, without)]).collect()
            }
            Kind::HangUp => Vec::new(),
        };
        if state.kind.is_tried() {
            leaving.push((state.give_up, before.clone()));
        }
        if matches!(state.kind, Kind::Menu { .. } | Kind::Collect { .. } | Kind::Choose { .. }) {
            leaving.extend(script.keys.iter().filter_map(|(_, key)| match key {
                GlobalKey::GoTo(to) => Some((*to, before.clone())),
                GlobalKey::Repeat => None,
            }));
        }
        leaving
    }

    fn missing(&self, before: &Roots<'_>, path: &str, root: &str) -> Option<String> {
        if before.contains(root) {
            return None;
        }
        if matches!(root, "choice" | "n") && !self.is_set_by(root, Source::Answer) {
            return Some(format!("uses `{path}`, but `{root}` is known only to the prompt under `each`"));
        }
        if self.sources.contains_key(root) {
            return Some(format!(
                "uses `{path}`, but `{root}` is not set on every way here; let the state with `into = \"{root}\"` come first"
            ));
        }
        let known = self.sources.keys().copied().filter(|known| !matches!(*known, "choice" | "n"));
        Some(match near(known, root) {
            Some(near) => format!("uses `{path}`, but nothing sets `{root}`; did you mean `{near}`?"),
            None => format!(
                "uses `{path}`, but nothing sets `{root}`; set it by `into` of a `collect`, `choose` or `tool`"
            ),
        })
    }

    fn misfit(&self, path: &str, root: &str, how: Use) -> Option<String> {
        let has_field = path.contains('.');
        let is_only = |source: Source| self.sources.get(root).is_some_and(|all| all.iter().eq([&source]));
        let (typed, counted) = (is_only(Source::Typed), is_only(Source::Counted));
        if (typed || counted) && has_field {
            return Some(format!("uses `{path}`, but `{root}` is a number without fields; write `{root}`"));
        }
        match how {
            Use::Spoken(Form::Date) if typed || counted => Some(format!(
                "speaks `{path}` as a date, which it never is; write {{{path}:spell}} or number"
            )),
            Use::List if typed => {
                Some(format!("`{root}` is what the caller typed; name a list in a tool's answer"))
            }
            Use::Spoken(_) | Use::Word | Use::List if is_only(Source::Answer) && !has_field => Some(format!(
                "uses `{path}`, which is a tool's whole answer; name a field of it, as `{path}.id`"
            )),
            Use::Spoken(_) | Use::Word | Use::List | Use::Argument => None,
        }
    }

    fn is_set_by(&self, root: &str, source: Source) -> bool {
        self.sources.get(root).is_some_and(|all| all.contains(&source))
    }
}

/// The value that a state sets.
fn set_by(kind: &Kind) -> Option<(&str, Source)> {
    match kind {
        Kind::Collect { into, .. } => Some((into, Source::Typed)),
        Kind::Choose { into, .. } => Some((into, Source::Chosen)),
        Kind::Tool(tool) => Some((&tool.into, Source::Answer)),
        Kind::Say { .. } | Kind::Menu { .. } | Kind::Record { .. } | Kind::HangUp => None,
    }
}
