//! `[realtime.NAME]`: models that hear and speak by themselves.

use std::sync::Arc;
use std::time::Duration;

use caly_provider::policy::Patience;
use caly_provider::realtime::{
    Gemini, GeminiAuth, GeminiConfig, GeminiTurns, OpenAiRealtime, OpenAiRealtimeConfig, OpenAiTurns,
    Provider, Sessions, Transcription, Vendor,
};
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::key::Keys;
use super::values::{STREAMS, fields, line, number, patience, set, url, whole};
use super::{Description, wants_key};
use crate::config::table::{Table, boolean, word};

/// A model that hears and speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct RealtimeProvider {
    /// How agents call it.
    pub name: String,
    /// Whose it is.
    pub vendor: RealtimeVendor,
    /// How long it is waited for.
    pub patience: Patience,
}

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum RealtimeVendor {
    /// `openai`, and servers that have its realtime interface.
    OpenAi(OpenAiRealtimeConfig),
    /// `gemini`
    Gemini(GeminiConfig),
}

impl RealtimeProvider {
    /// The provider, to be used by all calls.
    pub fn provider(&self) -> Arc<dyn Provider> {
        let vendor: Arc<dyn Vendor> = match &self.vendor {
            RealtimeVendor::OpenAi(config) => Arc::new(OpenAiRealtime(config.clone())),
            RealtimeVendor::Gemini(config) => Arc::new(Gemini(config.clone())),
        };
        Arc::new(Sessions { vendor, patience: self.patience })
    }
}

impl RealtimeVendor {
    /// Where it is.
    pub fn url(&self) -> &str {
        match self {
            Self::OpenAi(config) => &config.url,
            Self::Gemini(config) => &config.url,
        }
    }

    /// Who speaks.
    pub fn voice(&self) -> &str {
        match self {
            Self::OpenAi(config) => &config.voice,
            Self::Gemini(config) => &config.voice,
        }
    }

    /// Who that is.
    pub fn describe(&self) -> Description<'_> {
        let (kind, model, key) = match self {
            Self::OpenAi(config) => ("openai", config.model.as_str(), config.key.as_ref()),
            Self::Gemini(config) => {
                let (GeminiAuth::Key(key) | GeminiAuth::Token(key)) = &config.auth;
                ("gemini", config.model.as_str(), Some(key))
            }
        };
        Description { kind, model, key }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    OpenAi,
    Gemini,
}

pub(super) fn read(name: &str, table: &mut Table<'_>, keys: &Keys<'_>) -> Option<RealtimeProvider> {
    let vendor = match table.require("kind", word(KINDS))? {
        Kind::OpenAi => RealtimeVendor::OpenAi(openai(table, keys)),
        Kind::Gemini => RealtimeVendor::Gemini(gemini(table, keys)),
    };
    Some(RealtimeProvider { name: name.to_owned(), vendor, patience: patience(table, Patience::REALTIME) })
}

fn openai(table: &mut Table<'_>, keys: &Keys<'_>) -> OpenAiRealtimeConfig {
    let key = keys.optional(table);
    let has_key = key.is_some();
    let model = table.require("model", line).unwrap_or_default();
    let mut config = OpenAiRealtimeConfig::new(key, &model);
    set(&mut config.url, table.get("url", url(STREAMS)));
    wants_key(table, &config.url, has_key);
    set(&mut config.voice, table.get("voice", line));
    config.speed = table.get("speed", number(0.25..=1.5));
    config.turns = openai_turns(table, config.turns);
    if config.turns == OpenAiTurns::Manual {
        out_of_place(table, &["interrupts"], "with turns = \"caly\": the vendor does not listen for turns");
    } else {
        set(&mut config.stops_when_interrupted, table.get("interrupts", boolean));
    }
    config.transcription = transcription(table, config.transcription);
    config.noise_reduction = table.get("noise_reduction", word(NOISE_REDUCTIONS)).map(str::to_owned);
    config.max_output_tokens = table.get("max_output_tokens", whole(1..=4_096, "tokens"));
    let recycle = table.get("recycle_after_seconds", whole(MIN_RECYCLE_S..=OPENAI_RECYCLE_S, "s"));
    set(&mut config.recycle_after, recycle.map(seconds));
    set(&mut config.extra, table.get("extra", further_fields(OPENAI_FIELDS)));
    out_of_place(table, &["auth", "cue"], "for kind = \"openai\"; only gemini has it");
    config
}

/// Each way to find the end of a turn has keys of its own.
fn openai_turns(table: &mut Table<'_>, usual: OpenAiTurns) -> OpenAiTurns {
    const SILENCE: &[&str] = &["threshold", "prefix_padding_ms", "silence_ms"];
    match table.get("turns", word(OPENAI_TURNS)).unwrap_or(Turns::Server) {
        Turns::Server => {
            out_of_place(
                table,
                &["eagerness"],
                "with turns = \"server\"; it belongs to turns = \"semantic\"",
            );
            let mut turns = usual;
            if let OpenAiTurns::Server { threshold, prefix_padding_ms, silence_ms } = &mut turns {
                set(threshold, table.get("threshold", number(0.0..=1.0)));
                set(prefix_padding_ms, table.get("prefix_padding_ms", whole(0..=10_000, "ms")));
                set(silence_ms, table.get("silence_ms", whole(50..=10_000, "ms")));
            }
            turns
        }
        Turns::Semantic => {
            out_of_place(table, SILENCE, "with turns = \"semantic\"; it belongs to turns = \"server\"");
            let eagerness = table.get("eagerness", word(EAGERNESS)).unwrap_or("auto").to_owned();
            OpenAiTurns::Semantic { eagerness }
        }
        Turns::Caly => {
            out_of_place(table, SILENCE, "with turns = \"caly\"; it belongs to turns = \"server\"");
            out_of_place(table, &["eagerness"], "with turns = \"caly\"; it belongs to turns = \"semantic\"");
            OpenAiTurns::Manual
        }
    }
}

fn transcription(table: &mut Table<'_>, usual: Option<Transcription>) -> Option<Transcription> {
    const KEYS: &[&str] = &["transcription_model", "transcription_names_language"];
    if !table.get("transcribes", boolean).unwrap_or(true) {
        out_of_place(table, KEYS, "with transcribes = false");
        return None;
    }
    let mut transcription = usual?;
    set(&mut transcription.model, table.get("transcription_model", line));
    set(&mut transcription.names_language, table.get("transcription_names_language", boolean));
    Some(transcription)
}

fn gemini(table: &mut Table<'_>, keys: &Keys<'_>) -> GeminiConfig {
    let key = keys.required(table);
    let auth = match table.get("auth", word(AUTHS)).unwrap_or(Auth::Key) {
        Auth::Key => GeminiAuth::Key(key),
        Auth::Token => GeminiAuth::Token(key),
    };
    let model = table.require("model", gemini_model).unwrap_or_default();
    let mut config = GeminiConfig::new(auth, &model);
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.voice, table.get("voice", line));
    config.turns = gemini_turns(table, config.turns);
    set(&mut config.transcribes, table.get("transcribes", boolean));
    set(&mut config.cue, table.get("cue", line));
    let recycle = table.get("recycle_after_seconds", whole(MIN_RECYCLE_S..=GEMINI_RECYCLE_S, "s"));
    set(&mut config.recycle_after, recycle.map(seconds));
    set(&mut config.extra, table.get("extra", further_fields(GEMINI_FIELDS)));
    out_of_place(table, OPENAI_KEYS, "for kind = \"gemini\"; only openai has it");
    config
}

/// A model of Google is named with where it is.
fn gemini_model(value: &DeValue<'_>) -> Result<String, String> {
    let model = line(value)?;
    if !model.contains('/') {
        return Err(format!(
            "must say where the model is: \"models/{model}\", or \"projects/..\" with all that follows at Vertex"
        ));
    }
    Ok(model)
}

fn gemini_turns(table: &mut Table<'_>, usual: GeminiTurns) -> GeminiTurns {
    match table.get("turns", word(GEMINI_TURNS)).unwrap_or(Listener::Vendor) {
        Listener::Vendor => {
            let silence = table.get("silence_ms", whole(50..=10_000, "ms"));
            silence.map_or(usual, |silence_ms| GeminiTurns::Automatic { silence_ms })
        }
        Listener::Caly => {
            let why = "with turns = \"caly\"; it belongs to turns = \"automatic\"";
            out_of_place(table, &["silence_ms"], why);
            GeminiTurns::Manual
        }
    }
}

/// Keys that others have and that would do nothing here. They are not among those that a fault lists as known.
fn out_of_place(table: &mut Table<'_>, keys: &[&'static str], why: &str) {
    for key in keys {
        if table.has(key) {
            table.get::<()>(key, |_| Err(format!("has no meaning {why}; remove it")));
        }
    }
}

/// Fields of the vendor's own, but for those that Caly writes.
fn further_fields(
    own: &'static [(&'static str, &'static str)],
) -> impl Fn(&DeValue<'_>) -> Result<Map<String, Value>, String> {
    move |value| {
        let fields = fields(value)?;
        match own.iter().find(|(field, _)| fields.contains_key(*field)) {
            Some((field, instead)) => {
                Err(format!("must not hold `{field}`, which Caly writes itself: {instead}"))
            }
            None => Ok(fields),
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

#[derive(Clone, Copy)]
enum Turns {
    Server,
    Semantic,
    Caly,
}

#[derive(Clone, Copy)]
enum Listener {
    Vendor,
    Caly,
}

#[derive(Clone, Copy)]
enum Auth {
    Key,
    Token,
}

const KINDS: &[(&str, Kind)] = &[("openai", Kind::OpenAi), ("gemini", Kind::Gemini)];

const OPENAI_TURNS: &[(&str, Turns)] =
    &[("server", Turns::Server), ("semantic", Turns::Semantic), ("caly", Turns::Caly)];

const GEMINI_TURNS: &[(&str, Listener)] = &[("automatic", Listener::Vendor), ("caly", Listener::Caly)];

const EAGERNESS: &[(&str, &str)] =
    &[("low", "low"), ("medium", "medium"), ("high", "high"), ("auto", "auto")];

const NOISE_REDUCTIONS: &[(&str, &str)] = &[("near_field", "near_field"), ("far_field", "far_field")];

const AUTHS: &[(&str, Auth)] = &[("key", Auth::Key), ("token", Auth::Token)];

/// What only one of the kinds has.
const OPENAI_KEYS: &[&str] = &[
    "speed",
    "threshold",
    "prefix_padding_ms",
    "eagerness",
    "interrupts",
    "transcription_model",
    "transcription_names_language",
    "noise_reduction",
    "max_output_tokens",
];

/// Fields of a session that are written from other keys, and which.
const OPENAI_FIELDS: &[(&str, &str)] = &[
    ("type", "it is always \"realtime\""),
    ("instructions", "they come from the agent's file"),
    ("output_modalities", "it is always sound"),
    ("audio", "its fields have keys of their own here"),
    ("max_output_tokens", "use the key of that name"),
    ("tools", "they come from the agent's file"),
    ("tool_choice", "it is always \"auto\""),
    ("model", "use the key of that name"),
];

/// The same of `generationConfig`.
const GEMINI_FIELDS: &[(&str, &str)] =
    &[("responseModalities", "it is always sound"), ("speechConfig", "use the key `voice`")];

/// A session that is made anew more often is not one.
const MIN_RECYCLE_S: u32 = 10;
/// A tenth more is waited for a quiet moment, and the vendor ends a session after an hour.
const OPENAI_RECYCLE_S: u32 = 54 * 60;
/// The same of ten minutes.
const GEMINI_RECYCLE_S: u32 = 9 * 60;
