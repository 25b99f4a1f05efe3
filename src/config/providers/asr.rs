//! `[asr.NAME]`: recognizers.

use std::sync::Arc;

use caly_provider::asr::{
    Asked, AssemblyAi, AssemblyAiConfig, Deepgram, DeepgramConfig, ElevenLabs, ElevenLabsCommit,
    ElevenLabsConfig, Flux, FluxConfig, OpenAi, OpenAiConfig, OpenAiDialect, OpenAiTurns, Provider, Sarvam,
    SarvamAudio, SarvamConfig, SarvamEndpoint, Streams, Vendor, Whisper, WhisperConfig, WindowsConfig,
    WindowsMode,
};
use caly_provider::policy::Patience;
use caly_provider::secret::Secret;

use super::key::Keys;
use super::values::{MAX_WORDS, REQUESTS, STREAMS, line, patience, prose, set, url, whole};
use super::{Description, wants_key};
use crate::config::table::{Table, boolean, word};

/// A recognizer.
#[derive(Clone, Debug, PartialEq)]
pub struct AsrProvider {
    /// How agents call it.
    pub name: String,
    /// Whose it is.
    pub vendor: AsrVendor,
    /// How long it is waited for.
    pub patience: Patience,
}

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum AsrVendor {
    /// `deepgram`
    Deepgram(DeepgramConfig),
    /// `deepgram-flux`
    Flux(FluxConfig),
    /// `openai`
    OpenAi(OpenAiConfig),
    /// `sarvam`
    Sarvam(SarvamConfig),
    /// `elevenlabs`
    ElevenLabs(ElevenLabsConfig),
    /// `assemblyai`
    AssemblyAi(AssemblyAiConfig),
    /// `whisper`
    Whisper(WhisperConfig, WindowsConfig),
}

impl AsrProvider {
    /// The provider, to be used by all calls.
    pub fn provider(&self) -> Arc<dyn Provider> {
        let vendor: Arc<dyn Vendor> = match &self.vendor {
            AsrVendor::Deepgram(config) => Arc::new(Deepgram(config.clone())),
            AsrVendor::Flux(config) => Arc::new(Flux(config.clone())),
            AsrVendor::OpenAi(config) => Arc::new(OpenAi(config.clone())),
            AsrVendor::Sarvam(config) => Arc::new(Sarvam(config.clone())),
            AsrVendor::ElevenLabs(config) => Arc::new(ElevenLabs(config.clone())),
            AsrVendor::AssemblyAi(config) => Arc::new(AssemblyAi(config.clone())),
            AsrVendor::Whisper(config, windows) => {
                let server = Whisper(config.clone());
                return Arc::new(Asked { server, windows: *windows, patience: self.patience });
            }
        };
        Arc::new(Streams { vendor, patience: self.patience })
    }
}

impl AsrVendor {
    /// Where it is.
    pub fn url(&self) -> &str {
        match self {
            Self::Deepgram(config) => &config.url,
            Self::Flux(config) => &config.url,
            Self::OpenAi(config) => &config.url,
            Self::Sarvam(config) => &config.url,
            Self::ElevenLabs(config) => &config.url,
            Self::AssemblyAi(config) => &config.url,
            Self::Whisper(config, _) => &config.url,
        }
    }

    /// Who that is.
    pub fn describe(&self) -> Description<'_> {
        let (kind, model, key) = match self {
            Self::Deepgram(config) => ("deepgram", config.model.as_str(), Some(&config.key)),
            Self::Flux(config) => ("deepgram-flux", config.model.as_str(), Some(&config.key)),
            Self::OpenAi(config) => ("openai", config.model.as_str(), Some(&config.key)),
            Self::Sarvam(config) => ("sarvam", config.model.as_str(), Some(&config.key)),
            Self::ElevenLabs(config) => ("elevenlabs", config.model.as_str(), Some(&config.key)),
            Self::AssemblyAi(config) => ("assemblyai", config.model.as_str(), Some(&config.key)),
            Self::Whisper(config, _) => ("whisper", config.model.as_str(), Some(&config.key)),
        };
        Description { kind, model, key }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Deepgram,
    Flux,
    OpenAi,
    Sarvam,
    ElevenLabs,
    AssemblyAi,
    Whisper,
}

pub(super) fn read(name: &str, table: &mut Table<'_>, keys: &Keys<'_>) -> Option<AsrProvider> {
    let vendor = match table.require("kind", word(KINDS))? {
        Kind::Deepgram => AsrVendor::Deepgram(deepgram(keys.required(table), table)),
        Kind::Flux => AsrVendor::Flux(flux(keys.required(table), table)),
        Kind::OpenAi => AsrVendor::OpenAi(openai(table, keys)),
        Kind::Sarvam => AsrVendor::Sarvam(sarvam(keys.required(table), table)),
        Kind::ElevenLabs => AsrVendor::ElevenLabs(elevenlabs(keys.required(table), table)),
        Kind::AssemblyAi => AsrVendor::AssemblyAi(assemblyai(keys.required(table), table)),
        Kind::Whisper => AsrVendor::Whisper(whisper(table, keys), windows(table)),
    };
    Some(AsrProvider { name: name.to_owned(), vendor, patience: patience(table, Patience::ASR) })
}

fn deepgram(key: Secret, table: &mut Table<'_>) -> DeepgramConfig {
    let mut config = DeepgramConfig::new(key);
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.model, table.get("model", line));
    set(&mut config.language, table.get("language", line));
    set(&mut config.endpointing_ms, table.get("endpointing_ms", whole(10..=10_000, "ms")));
    set(&mut config.utterance_end_ms, table.get("utterance_end_ms", whole(0..=10_000, "ms")));
    if (1..1_000).contains(&config.utterance_end_ms) {
        table.fault_at("utterance_end_ms", "must be 1000 ms at least, or 0 for never".to_owned());
    }
    set(&mut config.smart_format, table.get("smart_format", boolean));
    set(&mut config.punctuate, table.get("punctuate", boolean));
    set(&mut config.keyterms, table.list("keyterms", MAX_WORDS, line));
    config
}

fn flux(key: Secret, table: &mut Table<'_>) -> FluxConfig {
    let mut config = FluxConfig::new(key);
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.model, table.get("model", line));
    set(&mut config.language_hints, table.list("language_hints", MAX_WORDS, line));
    set(&mut config.eot_percent, table.get("eot_percent", whole(50..=100, "%")));
    config.eager_eot_percent = table.get("eager_eot_percent", whole(30..=90, "%"));
    set(&mut config.eot_timeout_ms, table.get("eot_timeout_ms", whole(500..=60_000, "ms")));
    set(&mut config.keyterms, table.list("keyterms", MAX_WORDS, line));
    config
}

fn openai(table: &mut Table<'_>, keys: &Keys<'_>) -> OpenAiConfig {
    let key = keys.optional(table);
    let has_key = key.is_some();
    let mut config = OpenAiConfig::new(key.unwrap_or_else(|| Secret::new("")));
    set(&mut config.url, table.get("url", url(STREAMS)));
    wants_key(table, &config.url, has_key);
    set(&mut config.model, table.get("model", line));
    set(&mut config.languages, table.list("languages", MAX_WORDS, line));
    set(&mut config.prompt, table.get("prompt", prose));
    set(&mut config.keywords, table.list("keywords", MAX_WORDS, line));
    config.delay = table.get("delay", word(DELAYS)).map(str::to_owned);
    config.noise_reduction = table.get("noise_reduction", word(NOISE_REDUCTIONS)).map(str::to_owned);
    set(&mut config.dialect, table.get("dialect", word(DIALECTS)));
    set(&mut config.holds_back_ms, table.get("holds_back_ms", whole(0..=60_000, "ms")));
    config.turns = match table.get("turns", word(TURNS)).unwrap_or(Turns::Manual) {
        Turns::Manual => OpenAiTurns::Manual,
        Turns::ServerVad => {
            let mut time = |key, usual| table.get(key, whole(0..=10_000, "ms")).unwrap_or(usual);
            let prefix_padding_ms = time("vad_prefix_padding_ms", 300);
            let silence_duration_ms = time("vad_silence_ms", 500);
            let threshold_percent = table.get("vad_threshold_percent", whole(0..=100, "%")).unwrap_or(50);
            OpenAiTurns::ServerVad { threshold_percent, prefix_padding_ms, silence_duration_ms }
        }
        Turns::SemanticVad => {
            let eagerness = table.get("eagerness", word(EAGERNESS)).unwrap_or("auto").to_owned();
            OpenAiTurns::SemanticVad { eagerness }
        }
    };
    config
}

fn sarvam(key: Secret, table: &mut Table<'_>) -> SarvamConfig {
    let endpoint = table.get("endpoint", word(ENDPOINTS)).unwrap_or(SarvamEndpoint::Realtime);
    let mut config = match endpoint {
        SarvamEndpoint::Realtime => SarvamConfig::new(key),
        SarvamEndpoint::Legacy => SarvamConfig::legacy(key),
    };
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.model, table.get("model", line));
    set(&mut config.language, table.get("language", line));
    set(&mut config.mode, table.get("mode", line));
    if endpoint == SarvamEndpoint::Realtime {
        set(&mut config.stream_type, table.get("stream_type", line));
        config.threshold_percent = table.get("threshold_percent", whole(0..=100, "%"));
        config.silence_duration_ms = table.get("silence_duration_ms", whole(50..=10_000, "ms"));
        set(&mut config.keyterms, table.list("keyterms", MAX_WORDS, line));
        set(&mut config.prompt, table.get("prompt", prose));
        set(&mut config.audio, table.get("audio", word(AUDIO)));
    }
    config
}

fn elevenlabs(key: Secret, table: &mut Table<'_>) -> ElevenLabsConfig {
    let mut config = ElevenLabsConfig::new(key);
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.model, table.get("model", line));
    config.language = table.get("language", line);
    set(&mut config.secondary_languages, table.list("secondary_languages", MAX_WORDS, line));
    set(&mut config.keyterms, table.list("keyterms", MAX_WORDS, line));
    set(&mut config.commit, table.get("commit", word(COMMITS)));
    if config.commit == ElevenLabsCommit::Vad {
        set(&mut config.vad_silence_ms, table.get("vad_silence_ms", whole(300..=3_000, "ms")));
        config.vad_percent = table.get("vad_percent", whole(10..=90, "%"));
    }
    set(&mut config.include_timestamps, table.get("include_timestamps", boolean));
    config
}

fn assemblyai(key: Secret, table: &mut Table<'_>) -> AssemblyAiConfig {
    let mut config = AssemblyAiConfig::new(key);
    set(&mut config.url, table.get("url", url(STREAMS)));
    set(&mut config.model, table.get("model", line));
    set(&mut config.format_turns, table.get("format_turns", boolean));
    config.end_of_turn_percent = table.get("end_of_turn_percent", whole(0..=100, "%"));
    config.min_turn_silence_ms = table.get("min_turn_silence_ms", whole(50..=10_000, "ms"));
    config.max_turn_silence_ms = table.get("max_turn_silence_ms", whole(50..=60_000, "ms"));
    set(&mut config.keyterms, table.list("keyterms", MAX_WORDS, line));
    config
}

fn whisper(table: &mut Table<'_>, keys: &Keys<'_>) -> WhisperConfig {
    let key = keys.optional(table);
    let mut config = WhisperConfig::new(table.require("url", url(REQUESTS)).unwrap_or_default());
    wants_key(table, &config.url, key.is_some());
    set(&mut config.key, key);
    set(&mut config.path, table.get("path", line));
    set(&mut config.model, table.get("model", line));
    config.language = table.get("language", line);
    set(&mut config.prompt, table.get("prompt", prose));
    set(&mut config.word_times, table.get("word_times", boolean));
    config
}

fn windows(table: &mut Table<'_>) -> WindowsConfig {
    let mut windows = match table.get("mode", word(MODES)).unwrap_or(WindowsMode::Rolling) {
        WindowsMode::Rolling => WindowsConfig::ROLLING,
        WindowsMode::Chunked => WindowsConfig::CHUNKED,
    };
    set(&mut windows.every_ms, table.get("every_ms", whole(100..=2_000, "ms")));
    set(&mut windows.overlap_ms, table.get("overlap_ms", whole(0..=500, "ms")));
    set(&mut windows.longest_ms, table.get("longest_ms", whole(3_000..=5_000, "ms")));
    set(&mut windows.silence_ms, table.get("silence_ms", whole(0..=5_000, "ms")));
    windows
}

#[derive(Clone, Copy)]
enum Turns {
    Manual,
    ServerVad,
    SemanticVad,
}

const KINDS: &[(&str, Kind)] = &[
    ("deepgram", Kind::Deepgram),
    ("deepgram-flux", Kind::Flux),
    ("openai", Kind::OpenAi),
    ("sarvam", Kind::Sarvam),
    ("elevenlabs", Kind::ElevenLabs),
    ("assemblyai", Kind::AssemblyAi),
    ("whisper", Kind::Whisper),
];

const DELAYS: &[(&str, &str)] =
    &[("minimal", "minimal"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "xhigh")];

const NOISE_REDUCTIONS: &[(&str, &str)] = &[("near_field", "near_field"), ("far_field", "far_field")];

const DIALECTS: &[(&str, OpenAiDialect)] = &[
    ("openai", OpenAiDialect::OpenAi),
    ("speaches", OpenAiDialect::Speaches),
    ("vllm", OpenAiDialect::Vllm),
];

const TURNS: &[(&str, Turns)] =
    &[("manual", Turns::Manual), ("server_vad", Turns::ServerVad), ("semantic_vad", Turns::SemanticVad)];

const EAGERNESS: &[(&str, &str)] =
    &[("low", "low"), ("medium", "medium"), ("high", "high"), ("auto", "auto")];

const ENDPOINTS: &[(&str, SarvamEndpoint)] =
    &[("realtime", SarvamEndpoint::Realtime), ("legacy", SarvamEndpoint::Legacy)];

const AUDIO: &[(&str, SarvamAudio)] = &[("json", SarvamAudio::Json), ("binary", SarvamAudio::Binary)];

const COMMITS: &[(&str, ElevenLabsCommit)] = &[
    ("manual", ElevenLabsCommit::Manual),
    ("vad", ElevenLabsCommit::Vad),
    ("turn_prediction", ElevenLabsCommit::TurnPrediction),
];

const MODES: &[(&str, WindowsMode)] = &[("rolling", WindowsMode::Rolling), ("chunked", WindowsMode::Chunked)];
