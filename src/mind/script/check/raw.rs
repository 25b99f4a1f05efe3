//! A dialogue's file as it is written, before anything in it is resolved.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use crate::mind::speech::Language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScript {
    pub(super) agent: RawAgent,
    #[serde(default)]
    pub(super) keys: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) lexicon: BTreeMap<String, BTreeMap<String, Spanned<Texts>>>,
    pub(super) prompt: BTreeMap<String, Spanned<Texts>>,
    pub(super) state: BTreeMap<String, Spanned<RawState>>,
    /// Read by those who choose the kind of agent.
    #[serde(default, rename = "mind")]
    _mind: IgnoredAny,
    /// Read by those who make the agent's voice.
    #[serde(default, rename = "turn_taking")]
    _turn_taking: IgnoredAny,
}

pub(super) type Texts = BTreeMap<Language, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAgent {
    pub(super) name: String,
    pub(super) language: Language,
    pub(super) voice: BTreeMap<Language, String>,
    pub(super) start: Spanned<String>,
    pub(super) give_up: Spanned<String>,
    pub(super) no_input: Spanned<String>,
    pub(super) no_match: Spanned<String>,
    pub(super) no_speech: Spanned<String>,
    pub(super) goodbye: Spanned<String>,
    pub(super) tries: Option<Spanned<u8>>,
    pub(super) idle_seconds: Option<Spanned<u64>>,
    pub(super) goodbye_seconds: Option<Spanned<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawKind {
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
pub(super) enum Taker {
    Keys,
    Speech,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawState {
    pub(super) kind: RawKind,
    #[serde(default)]
    pub(super) say: Vec<Spanned<String>>,
    pub(super) next: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) keys: BTreeMap<String, Spanned<String>>,
    pub(super) yes: Option<Spanned<String>>,
    pub(super) no: Option<Spanned<String>>,
    pub(super) into: Option<Spanned<String>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) each: Option<Spanned<String>>,
    pub(super) min_digits: Option<Spanned<u64>>,
    pub(super) max_digits: Option<Spanned<u64>>,
    pub(super) timeout_seconds: Option<Spanned<u64>>,
    pub(super) max_seconds: Option<Spanned<u64>>,
    pub(super) silence_seconds: Option<Spanned<u64>>,
    pub(super) tool: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) arguments: BTreeMap<String, Spanned<String>>,
    pub(super) filler: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) results: BTreeMap<String, Spanned<String>>,
    pub(super) language: Option<Language>,
    pub(super) outcome: Option<String>,
    pub(super) no_input: Option<Spanned<String>>,
    pub(super) no_match: Option<Spanned<String>>,
    pub(super) tries: Option<Spanned<u8>>,
    pub(super) give_up: Option<Spanned<String>>,
    pub(super) max_visits: Option<Spanned<u8>>,
    pub(super) interruptible: Option<Vec<Taker>>,
}

/// A key; where it stands, if it is there; the kinds that use it, for us and in words.
type KeyUse = (&'static str, Option<Range<usize>>, &'static [RawKind], &'static str);

impl RawState {
    /// Keys that are there and that the kind does not use: each with its place and the kinds that do.
    pub(super) fn strange_keys(&self) -> Vec<(&'static str, Range<usize>, &'static str)> {
        use RawKind::{Choose, Collect, Confirm, Menu, Record, Say, Tool};
        let span = |value: &Option<Spanned<String>>| value.as_ref().map(Spanned::span);
        let number = |value: &Option<Spanned<u64>>| value.as_ref().map(Spanned::span);
        let map = |map: &BTreeMap<String, Spanned<String>>| map.values().next().map(Spanned::span);
        let rows: [KeyUse; 16] = [
            (
                "next",
                span(&self.next),
                &[Say, Collect, Choose, Record],
                "a `say`, `collect`, `choose` or `record`",
            ),
            ("keys", map(&self.keys), &[Menu], "a `menu`"),
            ("yes", span(&self.yes), &[Confirm], "a `confirm`"),
            ("no", span(&self.no), &[Confirm], "a `confirm`"),
            ("into", span(&self.into), &[Collect, Choose, Tool], "a `collect`, `choose` or `tool`"),
            ("from", span(&self.from), &[Choose], "a `choose`"),
            ("each", span(&self.each), &[Choose], "a `choose`"),
            ("min_digits", number(&self.min_digits), &[Collect], "a `collect`"),
            ("max_digits", number(&self.max_digits), &[Collect], "a `collect`"),
            ("timeout_seconds", number(&self.timeout_seconds), &[Collect], "a `collect`"),
            ("max_seconds", number(&self.max_seconds), &[Record], "a `record`"),
            ("silence_seconds", number(&self.silence_seconds), &[Record], "a `record`"),
            ("tool", span(&self.tool), &[Tool], "a `tool`"),
            ("arguments", map(&self.arguments), &[Tool], "a `tool`"),
            ("filler", span(&self.filler), &[Tool], "a `tool`"),
            ("results", map(&self.results), &[Tool], "a `tool`"),
        ];
        let strange = rows.into_iter().filter(|(_, _, kinds, _)| !kinds.contains(&self.kind));
        strange.filter_map(|(key, place, _, users)| Some((key, place?, users))).collect()
    }
}
