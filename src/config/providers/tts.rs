//! `[tts.NAME]`: synthesizers.

use std::collections::BTreeMap;
use std::sync::Arc;

use caly_provider::audio::{AudioFormat, Encoding};
use caly_provider::policy::Patience;
use caly_provider::secret::Secret;
use caly_provider::tts::{
    Asked, Aura, AuraConfig, Cartesia, CartesiaConfig, ElevenLabs, ElevenLabsConfig, ElevenLabsHttp, Espeak,
    EspeakConfig, FluxSpeech, FluxSpeechConfig, OpenAiSpeech, OpenAiSpeechConfig, Provider, RequestVendor,
    SarvamSpeech, SarvamSpeechConfig, Streams, Vendor,
};

use super::key::Keys;
use super::values::{
    MAX_WORDS, REQUESTS, STREAMS, by_language, fields, line, number, patience, prose, set, url, whole,
};
use super::{Description, wants_key};
use crate::config::table::{Table, boolean, word};

/// A synthesizer.
#[derive(Clone, Debug, PartialEq)]
pub struct TtsProvider {
    /// How agents call it.
    pub name: String,
    /// Whose it is.
    pub vendor: TtsVendor,
    /// How long it is waited for.
    pub patience: Patience,
}

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum TtsVendor {
    /// `deepgram`
    Aura(AuraConfig),
    /// `deepgram-flux`
    Flux(FluxSpeechConfig),
    /// `cartesia`
    Cartesia(CartesiaConfig),
    /// `elevenlabs`
    ElevenLabs(ElevenLabsConfig),
    /// `elevenlabs-http`
    ElevenLabsHttp(ElevenLabsConfig),
    /// `openai`, and all servers that have its speech interface.
    OpenAi(OpenAiSpeechConfig),
    /// `sarvam`
    Sarvam(SarvamSpeechConfig),
    /// `espeak`
    Espeak(EspeakConfig),
}

impl TtsProvider {
    /// The provider, to be used by all calls.
    pub fn provider(&self) -> Arc<dyn Provider> {
        let patience = self.patience;
        let streams =
            |vendor: Arc<dyn Vendor>| -> Arc<dyn Provider> { Arc::new(Streams { vendor, patience }) };
        let asked =
            |vendor: Arc<dyn RequestVendor>| -> Arc<dyn Provider> { Arc::new(Asked { vendor, patience }) };
        match &self.vendor {
            TtsVendor::Aura(config) => streams(Arc::new(Aura(config.clone()))),
            TtsVendor::Flux(config) => streams(Arc::new(FluxSpeech(config.clone()))),
            TtsVendor::Cartesia(config) => streams(Arc::new(Cartesia(config.clone()))),
            TtsVendor::ElevenLabs(config) => streams(Arc::new(ElevenLabs(config.clone()))),
            TtsVendor::ElevenLabsHttp(config) => asked(Arc::new(ElevenLabsHttp(config.clone()))),
            TtsVendor::OpenAi(config) => asked(Arc::new(OpenAiSpeech::new(config.clone()))),
            TtsVendor::Sarvam(config) => streams(Arc::new(SarvamSpeech(config.clone()))),
            TtsVendor::Espeak(config) => asked(Arc::new(Espeak(config.clone()))),
        }
    }
}

impl TtsVendor {
    /// Where it is; nowhere if it is a program.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Aura(config) => Some(&config.url),
            Self::Flux(config) => Some(&config.url),
            Self::Cartesia(config) => Some(&config.url),
            Self::ElevenLabs(config) | Self::ElevenLabsHttp(config) => Some(&config.url),
            Self::OpenAi(config) => Some(&config.url),
            Self::Sarvam(config) => Some(&config.url),
            Self::Espeak(_) => None,
        }
    }

    /// Who that is.
    pub fn describe(&self) -> Description<'_> {
        let (kind, model, key) = match self {
            Self::Aura(config) => ("deepgram", single(&config.models), Some(&config.key)),
            Self::Flux(config) => ("deepgram-flux", single(&config.models), Some(&config.key)),
            Self::Cartesia(config) => ("cartesia", config.model.as_str(), Some(&config.key)),
            Self::ElevenLabs(config) => ("elevenlabs", config.model.as_str(), Some(&config.key)),
            Self::ElevenLabsHttp(config) => ("elevenlabs-http", config.model.as_str(), Some(&config.key)),
            Self::OpenAi(config) => ("openai", config.model.as_str(), config.key.as_ref()),
            Self::Sarvam(config) => ("sarvam", config.model.as_str(), Some(&config.key)),
            Self::Espeak(_) => ("espeak", "", None),
        };
        Description { kind, model, key }
    }
}

/// The model of all languages, if there is one.
fn single(models: &BTreeMap<String, String>) -> &str {
    let mut models = models.values();
    let first = models.next().map_or("", String::as_str);
    if models.all(|model| model == first) { first } else { "" }
}

#[derive(Clone, Copy)]
enum Kind {
    Aura,
    Flux,
    Cartesia,
    ElevenLabs,
    ElevenLabsHttp,
    OpenAi,
    Sarvam,
    Espeak,
}

pub(super) fn read(name: &str, table: &mut Table<'_>, keys: &Keys<'_>) -> Option<TtsProvider> {
    let vendor = match table.require("kind", word(KINDS))? {
        Kind::Aura => {
            let mut config = AuraConfig::new(keys.required(table), "");
            (config.url, config.models) = at_deepgram(table, config.url);
            TtsVendor::Aura(config)
        }
        Kind::Flux => {
            let mut config = FluxSpeechConfig::new(keys.required(table), "");
            (config.url, config.models) = at_deepgram(table, config.url);
            TtsVendor::Flux(config)
        }
        Kind::Cartesia => TtsVendor::Cartesia(cartesia(keys.required(table), table)),
        Kind::ElevenLabs => {
            let mut config = elevenlabs(keys.required(table), table);
            elevenlabs_stream(table, &mut config);
            TtsVendor::ElevenLabs(config)
        }
        Kind::ElevenLabsHttp => TtsVendor::ElevenLabsHttp(elevenlabs(keys.required(table), table)),
        Kind::OpenAi => TtsVendor::OpenAi(openai(table, keys)),
        Kind::Sarvam => TtsVendor::Sarvam(sarvam(keys.required(table), table)),
        Kind::Espeak => TtsVendor::Espeak(espeak(table)),
    };
    Some(TtsProvider { name: name.to_owned(), vendor, patience: patience(table, Patience::TTS) })
}

/// Who speaks: without a voice nobody does.
fn voices(table: &mut Table<'_>, key: &'static str) -> BTreeMap<String, String> {
    table.require(key, by_language).unwrap_or_default()
}

fn at_deepgram(table: &mut Table<'_>, usual: String) -> (String, BTreeMap<String, String>) {
    (table.get("url", url(STREAMS)).unwrap_or(usual), voices(table, "models"))
}

fn cartesia(key: Secret, table: &mut Table<'_>) -> CartesiaConfig {
    let mut config = CartesiaConfig::new(key, "");
    config.voices = voices(table, "voices");
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.version, table.get("version", line));
    set(&mut config.model, table.get("model", line));
    set(&mut config.max_buffer_delay_ms, table.get("max_buffer_delay_ms", whole(0..=5_000, "ms")));
    set(&mut config.flushes, table.get("flushes", boolean));
    set(&mut config.tells_words, table.get("tells_words", boolean));
    set(&mut config.times_begin_anew, table.get("times_begin_anew", boolean));
    config
}

fn elevenlabs(key: Secret, table: &mut Table<'_>) -> ElevenLabsConfig {
    let mut config = ElevenLabsConfig::new(key, "");
    config.voices = voices(table, "voices");
    set(&mut config.url, table.get("url", url(&["https", "http", "wss", "ws"])));
    set(&mut config.model, table.get("model", line));
    set(&mut config.names_language, table.get("names_language", boolean));
    let settings = &mut config.settings;
    set(&mut settings.stability, table.get("stability", number(0.0..=1.0)));
    set(&mut settings.similarity, table.get("similarity", number(0.0..=1.0)));
    set(&mut settings.style, table.get("style", number(0.0..=1.0)));
    set(&mut settings.speaker_boost, table.get("speaker_boost", boolean));
    set(&mut settings.speed, table.get("speed", number(0.7..=1.2)));
    config
}

/// What is of meaning on a WebSocket alone.
fn elevenlabs_stream(table: &mut Table<'_>, config: &mut ElevenLabsConfig) {
    set(&mut config.auto_mode, table.get("auto_mode", boolean));
    let schedule = table.list("chunk_length_schedule", MAX_WORDS, whole(5..=500, "characters"));
    set(&mut config.chunk_length_schedule, schedule);
    set(&mut config.inactivity_timeout_s, table.get("inactivity_timeout_s", whole(20..=180, "s")));
    set(&mut config.keeps_alive, table.get("keeps_alive", boolean));
}

fn openai(table: &mut Table<'_>, keys: &Keys<'_>) -> OpenAiSpeechConfig {
    let key = keys.optional(table);
    let base = table.require("url", url(REQUESTS)).unwrap_or_default();
    wants_key(table, &base, key.is_some());
    let model = table.require("model", line).unwrap_or_default();
    let mut config = OpenAiSpeechConfig::new(&base, key, &model, "");
    config.voices = voices(table, "voices");
    let format = table.get("response_format", word(RESPONSE_FORMATS));
    set(&mut config.response_format, format.map(str::to_owned));
    let rate = table.get("sample_rate_hz", whole(8_000..=48_000, "Hz"));
    set(&mut config.format, rate.map(|rate_hz| AudioFormat { encoding: Encoding::Linear16, rate_hz }));
    config.speed = table.get("speed", number(0.25..=4.0));
    config.instructions = table.get("instructions", prose);
    set(&mut config.extra, table.get("extra", fields));
    config
}

fn sarvam(key: Secret, table: &mut Table<'_>) -> SarvamSpeechConfig {
    let mut config = SarvamSpeechConfig::new(key, "");
    config.speakers = voices(table, "speakers");
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.model, table.get("model", line));
    set(&mut config.language_codes, table.get("language_codes", by_language));
    set(&mut config.language_key, table.get("language_key", line));
    set(&mut config.pace, table.get("pace", number(0.5..=2.0)));
    set(&mut config.min_buffer_size, table.get("min_buffer_size", whole(1..=500, "characters")));
    set(&mut config.max_chunk_length, table.get("max_chunk_length", whole(10..=1_000, "characters")));
    config
}

fn espeak(table: &mut Table<'_>) -> EspeakConfig {
    let mut config = EspeakConfig::default();
    set(&mut config.program, table.get("program", line));
    set(&mut config.voices, table.get("voices", by_language));
    let pace = table.get("words_per_minute", whole(80..=450, "words"));
    // The range says that it fits.
    set(&mut config.words_per_minute, pace.map(|words| u16::try_from(words).unwrap_or(u16::MAX)));
    config
}

const KINDS: &[(&str, Kind)] = &[
    ("deepgram", Kind::Aura),
    ("deepgram-flux", Kind::Flux),
    ("cartesia", Kind::Cartesia),
    ("elevenlabs", Kind::ElevenLabs),
    ("elevenlabs-http", Kind::ElevenLabsHttp),
    ("openai", Kind::OpenAi),
    ("sarvam", Kind::Sarvam),
    ("espeak", Kind::Espeak),
];

const RESPONSE_FORMATS: &[(&str, &str)] = &[("pcm", "pcm"), ("wav", "wav")];
