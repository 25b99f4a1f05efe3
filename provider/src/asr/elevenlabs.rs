//! ElevenLabs' realtime recognition, `/v1/speech-to-text/realtime` (2026-11).
//!
//! All is JSON in text, audio included. A partial transcript replaces the one before it; a committed one is followed by those of the next
//! segment. Its message kinds are also its error codes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{HeardWord, Told, TurnOpinion, Vendor, Wire, Words, json};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of ElevenLabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElevenLabsConfig {
    /// `wss://api.elevenlabs.io` (the default), or the host of a region: `wss://api.in.residency.elevenlabs.io`, ...
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// `scribe_v2_realtime` (the default), `scribe_v3_live`.
    pub model: String,
    /// ISO 639 code of the language; `None`, the default, if it is to find out.
    pub language: Option<String>,
    /// Other languages to be expected; none by default.
    pub secondary_languages: Vec<String>,
    /// Words to be expected; none by default.
    pub keyterms: Vec<String>,
    /// Who commits; [`ElevenLabsCommit::Vad`] by default.
    pub commit: ElevenLabsCommit,
    /// Silence after which the server commits, in milliseconds: 300 to 3000, 500 by default. With [`ElevenLabsCommit::Vad`] only.
    pub vad_silence_ms: u32,
    /// How sure it has to be of speech, in percent: 10 to 90; `None`, the default, leaves it to the server. With
    /// [`ElevenLabsCommit::Vad`] only.
    pub vad_percent: Option<u32>,
    /// Whether committed words come with their times; no by default. Servers then commit the same text twice, and the second is dropped.
    pub include_timestamps: bool,
}

/// Who decides that a segment is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElevenLabsCommit {
    /// Whoever owns the recognizer, by `finalize`.
    Manual,
    /// The server, by silence.
    Vad,
    /// The server, by what was said.
    TurnPrediction,
}

/// The vendor.
#[derive(Debug)]
pub struct ElevenLabs(pub ElevenLabsConfig);

impl ElevenLabsConfig {
    /// For callers in Hindi, English and both.
    pub fn new(key: Secret) -> Self {
        Self {
            url: "wss://api.elevenlabs.io".to_owned(),
            key,
            model: "scribe_v2_realtime".to_owned(),
            language: None,
            secondary_languages: Vec::new(),
            keyterms: Vec::new(),
            commit: ElevenLabsCommit::Vad,
            vad_silence_ms: 500,
            vad_percent: None,
            include_timestamps: false,
        }
    }
}

impl Vendor for ElevenLabs {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K, AudioFormat::PCM_24K] }
    }

    fn wire(&self, format: AudioFormat) -> Box<dyn Wire> {
        Box::new(ElevenLabsWire { config: self.0.clone(), format, session_id: None, committed: None })
    }
}

#[derive(Debug)]
struct ElevenLabsWire {
    config: ElevenLabsConfig,
    format: AudioFormat,
    session_id: Option<String>,
    /// What was committed last and may be committed once more: with its times, or without.
    committed: Option<Committed>,
}

#[derive(Debug, PartialEq, Eq)]
struct Committed {
    text: String,
    has_times: bool,
}

impl Wire for ElevenLabsWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let format = format_name(self.format);
        let silence = (f64::from(config.vad_silence_ms) / 1_000.0).to_string();
        let threshold = config.vad_percent.map(|percent| (f64::from(percent) / 100.0).to_string());
        let mut query = vec![("model_id", config.model.as_str()), ("audio_format", format.as_str())];
        query.push(("commit_strategy", config.commit.word()));
        if config.commit == ElevenLabsCommit::Vad {
            query.push(("vad_silence_threshold_secs", silence.as_str()));
            query.extend(threshold.iter().map(|threshold| ("vad_threshold", threshold.as_str())));
        }
        query.extend(config.language.iter().map(|language| ("language_code", language.as_str())));
        query.extend(config.secondary_languages.iter().map(|code| ("secondary_languages", code.as_str())));
        query.extend(config.keyterms.iter().map(|term| ("keyterms", term.as_str())));
        query.push(("include_timestamps", if config.include_timestamps { "true" } else { "false" }));
        let base = format!("{}/v1/speech-to-text/realtime", config.url.trim_end_matches('/'));
        let headers = vec![("xi-api-key", config.key.clone())];
        Request::WebSocket(Endpoint { url: Url::with_query(&base, query), headers })
    }

    fn confirms(&self) -> bool {
        true
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        self.chunk(bytes, false)
    }

    /// Where the server commits, a commit more is an error.
    fn finalize(&mut self) -> Option<Message> {
        (self.config.commit == ElevenLabsCommit::Manual).then(|| self.chunk(&[], true))
    }

    /// How long it does without audio is not written down.
    fn silence_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(5))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let said: Said = json::read(message)?;
        match said.message_type.as_str() {
            "session_started" => {
                self.session_id.clone_from(&said.session_id);
                told.push(Told::Ready { request_id: said.session_id });
            }
            "partial_transcript" => {
                if !said.text.is_empty() {
                    self.committed = None;
                }
                told.push(Told::Words(Words { text: said.text, ..Words::default() }));
            }
            "committed_transcript" => self.committed(said, false, told),
            "committed_transcript_with_timestamps" => self.committed(said, true, told),
            // They say that a commit came too early, and harm nothing.
            "warning" | "commit_throttled" | "insufficient_audio_activity" => {
                told.push(Told::Warning(said.detail()));
            }
            kind => {
                // Kinds that are new are ignored, unless they say what is wrong.
                if let Some(kind) = fault_kind(kind, said.error.is_some()) {
                    return Err(Fault::new(kind, said.detail()).with_request_id(self.session_id.as_deref()));
                }
            }
        }
        Ok(())
    }
}

impl ElevenLabsWire {
    fn chunk(&self, bytes: &[u8], commit: bool) -> Message {
        json::text(&json!({
            "message_type": "input_audio_chunk",
            "audio_base_64": json::audio(bytes),
            "commit": commit,
            "sample_rate": self.format.rate_hz,
        }))
    }

    fn committed(&mut self, said: Said, has_times: bool, told: &mut Vec<Told>) {
        let twin = Committed { text: said.text.clone(), has_times: !has_times };
        if self.committed.as_ref() == Some(&twin) {
            self.committed = None;
            return;
        }
        self.committed = Some(Committed { has_times, ..twin });
        let has_words = !said.text.is_empty();
        told.push(Told::Words(Words {
            text: said.text,
            words: said.words.into_iter().filter_map(Word::timed).collect(),
            is_final: true,
            language: said.language_code,
            until: None,
        }));
        if has_words && self.config.commit != ElevenLabsCommit::Manual {
            told.push(Told::Turn(TurnOpinion::Ended));
        }
    }
}

impl ElevenLabsCommit {
    fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Vad => "vad",
            Self::TurnPrediction => "turn_prediction",
        }
    }
}

fn format_name(format: AudioFormat) -> String {
    match format.encoding {
        Encoding::Mulaw => format!("ulaw_{}", format.rate_hz),
        Encoding::Alaw => format!("alaw_{}", format.rate_hz),
        Encoding::Linear16 => format!("pcm_{}", format.rate_hz),
    }
}

/// `None` if it is no error.
fn fault_kind(kind: &str, has_error: bool) -> Option<FaultKind> {
    Some(match kind {
        "auth_error" | "unaccepted_terms" => FaultKind::Unauthorized,
        "quota_exceeded" | "rate_limited" | "resource_exhausted" => FaultKind::RateLimited,
        "input_error" | "chunk_size_exceeded" => FaultKind::Refused,
        "session_time_limit_exceeded" | "queue_overflow" => FaultKind::Dropped,
        "transcriber_error" | "error" => FaultKind::Unavailable,
        _ if has_error || kind.ends_with("_error") => FaultKind::Unavailable,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Said {
    message_type: String,
    session_id: Option<String>,
    #[serde(default)]
    text: String,
    language_code: Option<String>,
    #[serde(default)]
    words: Vec<Word>,
    error: Option<Value>,
    message: Option<Value>,
    warning: Option<Value>,
}

impl Said {
    fn detail(&self) -> String {
        let [error, message, warning] =
            [&self.error, &self.message, &self.warning].map(|text| json::shown(text.as_ref()));
        json::detail(&[&self.message_type, &error, &message, &warning])
    }
}

#[derive(Deserialize)]
struct Word {
    #[serde(default)]
    text: String,
    start: Option<f64>,
    end: Option<f64>,
    /// `word`, or `spacing` and the like, which are none.
    #[serde(rename = "type")]
    kind: Option<String>,
    logprob: Option<f32>,
}

impl Word {
    /// A word whose times are none is left to the text.
    fn timed(self) -> Option<HeardWord> {
        if self.kind.is_some_and(|kind| kind != "word") {
            return None;
        }
        Some(HeardWord {
            text: self.text,
            begins: self.start.and_then(json::seconds)?,
            ends: self.end.and_then(json::seconds)?,
            confidence: self.logprob.map(|logprob| logprob.exp().clamp(0.0, 1.0)),
        })
    }
}

#[cfg(test)]
mod tests;
