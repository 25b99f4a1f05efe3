//! Sarvam's recognition (2026-11): the realtime endpoint, which tells words while the caller speaks, and the older one, which tells only
//! what is final.
//!
//! The server hears by itself where utterances begin and end; [`super::Recognizer::finalize`] asks for what it has. All is JSON in text,
//! but for the realtime endpoint's audio, which may go as binary messages.

mod legacy;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::utterances::Utterances;
use super::{Told, TurnOpinion, Vendor, Wire, Words, json};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;
use legacy::LegacyWire;

/// What is asked of Sarvam.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SarvamConfig {
    /// `wss://api.sarvam.ai` (the default).
    pub url: String,
    /// The API subscription key.
    pub key: Secret,
    /// Which of its two interfaces; [`SarvamEndpoint::Realtime`] by default.
    pub endpoint: SarvamEndpoint,
    /// `saaras:v3-realtime` (the default), `saaras:v4`; on the older endpoint `saaras:v3`.
    pub model: String,
    /// `hi-IN` (the default), `en-IN`, `or-IN`, ... or `auto`.
    pub language: String,
    /// How final words are written: `transcribe`, `translate`, `verbatim`, `translit` or `codemix` (the default).
    pub mode: String,
    /// `fast`, `balanced` (the default), or `simulated`, which tells nothing before it is final. Realtime only.
    pub stream_type: String,
    /// How clear speech has to be, in percent; `None`, the default, leaves it to the server. Realtime only.
    pub threshold_percent: Option<u32>,
    /// Silence that ends an utterance, in milliseconds; `None`, the default, leaves it to the server. Realtime only.
    pub silence_duration_ms: Option<u32>,
    /// Words to be expected; none by default. Realtime only.
    pub keyterms: Vec<String>,
    /// What the conversation is about; empty by default. Realtime only.
    pub prompt: String,
    /// How audio is sent; [`SarvamAudio::Json`] by default. Realtime only.
    pub audio: SarvamAudio,
}

/// Its interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SarvamEndpoint {
    /// `/speech-to-text-realtime/ws`.
    Realtime,
    /// `/speech-to-text/ws`: finals only, PCM only.
    Legacy,
}

/// How audio is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SarvamAudio {
    /// As `audio_input` events with base64.
    Json,
    /// As binary messages: a quarter less to send, for servers that take it.
    Binary,
}

/// The vendor.
#[derive(Debug)]
pub struct Sarvam(pub SarvamConfig);

impl SarvamConfig {
    /// For callers in Hindi with English in it.
    pub fn new(key: Secret) -> Self {
        Self {
            url: "wss://api.sarvam.ai".to_owned(),
            key,
            endpoint: SarvamEndpoint::Realtime,
            model: "saaras:v3-realtime".to_owned(),
            language: "hi-IN".to_owned(),
            mode: "codemix".to_owned(),
            stream_type: "balanced".to_owned(),
            threshold_percent: None,
            silence_duration_ms: None,
            keyterms: Vec::new(),
            prompt: String::new(),
            audio: SarvamAudio::Json,
        }
    }

    /// The same for accounts that the realtime endpoint is not open to.
    pub fn legacy(key: Secret) -> Self {
        let model = "saaras:v3".to_owned();
        Self { endpoint: SarvamEndpoint::Legacy, model, ..Self::new(key) }
    }

    fn open(&self, path: &str, query: Vec<(&str, &str)>) -> Request {
        let base = format!("{}{path}", self.url.trim_end_matches('/'));
        let headers = vec![("api-subscription-key", self.key.clone())];
        Request::WebSocket(Endpoint { url: Url::with_query(&base, query), headers })
    }
}

impl Vendor for Sarvam {
    fn formats(&self) -> &[AudioFormat] {
        match self.0.endpoint {
            SarvamEndpoint::Realtime => {
                const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
            }
            SarvamEndpoint::Legacy => const { &[AudioFormat::PCM_8K, AudioFormat::PCM_16K] },
        }
    }

    fn wire(&self, format: AudioFormat) -> Box<dyn Wire> {
        let config = self.0.clone();
        match config.endpoint {
            SarvamEndpoint::Realtime => Box::new(RealtimeWire {
                config,
                format,
                request_id: None,
                utterances: Utterances::default(),
                pauses: Pauses::default(),
            }),
            SarvamEndpoint::Legacy => Box::new(LegacyWire::new(config, format)),
        }
    }
}

#[derive(Debug)]
struct RealtimeWire {
    config: SarvamConfig,
    format: AudioFormat,
    request_id: Option<String>,
    utterances: Utterances,
    pauses: Pauses,
}

impl Wire for RealtimeWire {
    fn request(&self) -> Request {
        let config = &self.config;
        // The two endpoints have names of their own for Odia.
        let language = if config.language == "od-IN" { "or-IN" } else { config.language.as_str() };
        let rate = self.format.rate_hz.to_string();
        let threshold = config.threshold_percent.map(|percent| (f64::from(percent) / 100.0).to_string());
        let silence = config.silence_duration_ms.map(|ms| ms.to_string());
        let mut query = vec![
            ("language_code", language),
            ("model", config.model.as_str()),
            ("stream_type", config.stream_type.as_str()),
            ("mode", config.mode.as_str()),
            ("endpointing", "vad"),
            ("encoding", encoding_name(self.format.encoding)),
            ("sample_rate", rate.as_str()),
        ];
        query.extend(threshold.iter().map(|threshold| ("threshold", threshold.as_str())));
        query.extend(silence.iter().map(|silence| ("silence_duration_ms", silence.as_str())));
        query.extend(config.keyterms.iter().map(|term| ("keyterms", term.as_str())));
        if !config.prompt.is_empty() {
            query.push(("prompt", config.prompt.as_str()));
        }
        config.open("/speech-to-text-realtime/ws", query)
    }

    fn confirms(&self) -> bool {
        true
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        match self.config.audio {
            SarvamAudio::Json => json::text(&json!({"event": "audio_input", "audio": json::audio(bytes)})),
            SarvamAudio::Binary => Message::Binary(bytes.to_vec()),
        }
    }

    fn finalize(&mut self) -> Option<Message> {
        Some(event("flush"))
    }

    fn holds_back(&self) -> Duration {
        if self.config.stream_type == "simulated" { FINALS_ONLY } else { Duration::ZERO }
    }

    fn keep_alive(&self) -> Option<(Duration, Message)> {
        Some((Duration::from_secs(5), event("ping")))
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(event("end"))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        match json::read(message)? {
            Said::Begin { request_id } => {
                self.request_id.clone_from(&request_id);
                told.push(Told::Ready { request_id });
            }
            Said::SpeechStart { utterance_idx } => {
                self.utterances.begin(&utterance_idx.to_string());
                told.push(self.pauses.begun());
            }
            Said::SpeechEnd {} => told.extend(self.pauses.ended()),
            Said::Partial { utterance_idx, text } => {
                self.utterances.replace(&utterance_idx.to_string(), text);
                self.utterances.tell(told);
            }
            Said::Final(last) => {
                let has_words = !last.text.is_empty();
                let until = last.end_s.and_then(json::seconds);
                let words = Words { text: last.text, language: last.language, until, ..Words::default() };
                self.utterances.end(&last.utterance_idx.to_string(), words);
                self.utterances.tell(told);
                told.extend(self.pauses.heard(has_words));
            }
            Said::End { audio_duration_s } => {
                told.extend(audio_duration_s.and_then(json::seconds).map(Told::Metered));
            }
            Said::Error(complaint) => complaint.judge(self.request_id.as_deref(), told)?,
            Said::Other => {}
        }
        Ok(())
    }
}

/// Joins what the server says of pauses with its words, of which either may come first.
#[derive(Debug, Default)]
struct Pauses {
    is_speaking: bool,
    /// There were words since it was said last that the turn is over.
    has_words: bool,
}

impl Pauses {
    fn begun(&mut self) -> Told {
        self.is_speaking = true;
        Told::SpeechStarted
    }

    fn ended(&mut self) -> Option<Told> {
        self.is_speaking = false;
        self.heard(false)
    }

    fn heard(&mut self, has_words: bool) -> Option<Told> {
        self.has_words |= has_words;
        let is_over = self.has_words && !self.is_speaking;
        self.has_words &= !is_over;
        is_over.then_some(Told::Turn(TurnOpinion::Ended))
    }
}

fn event(name: &str) -> Message {
    json::text(&json!({"event": name}))
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Mulaw => "mulaw",
        Encoding::Alaw => "alaw",
        Encoding::Linear16 => "linear16",
    }
}

#[derive(Deserialize)]
#[serde(tag = "event")]
enum Said {
    #[serde(rename = "session.begin")]
    Begin { request_id: Option<String> },
    #[serde(rename = "vad.speech_start")]
    SpeechStart {
        #[serde(default)]
        utterance_idx: u64,
    },
    #[serde(rename = "vad.speech_end")]
    SpeechEnd {},
    #[serde(rename = "transcript.partial")]
    Partial {
        #[serde(default)]
        utterance_idx: u64,
        #[serde(default)]
        text: String,
    },
    #[serde(rename = "transcript.final")]
    Final(Final),
    #[serde(rename = "session.end")]
    End { audio_duration_s: Option<f64> },
    #[serde(rename = "error")]
    Error(Complaint),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Final {
    #[serde(default)]
    utterance_idx: u64,
    #[serde(default)]
    text: String,
    language: Option<String>,
    end_s: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Complaint {
    code: Option<Value>,
    message: Option<Value>,
    error: Option<Value>,
    is_fatal: Option<bool>,
}

impl Complaint {
    /// Whoever does not say that it is not fatal means it.
    fn judge(&self, request_id: Option<&str>, told: &mut Vec<Told>) -> Result<(), Fault> {
        let [code, message, error] =
            [&self.code, &self.message, &self.error].map(|part| json::shown(part.as_ref()));
        let detail = json::detail(&[&code, &message, &error]);
        if self.is_fatal == Some(false) {
            told.push(Told::Warning(detail));
            return Ok(());
        }
        let kind = match code.trim_end_matches("_error") {
            "invalid_api_key" | "authentication" | "unauthorized" | "forbidden" => FaultKind::Unauthorized,
            "insufficient_quota" | "rate_limit_exceeded" | "rate_limited" | "quota_exceeded" => {
                FaultKind::RateLimited
            }
            "invalid_request" | "unprocessable_entity" | "validation" => FaultKind::Refused,
            "not_found" => FaultKind::NotFound,
            "session_expired" | "session_timeout" | "timeout" => FaultKind::Dropped,
            // Of the words that are not known here none is taken for a reason to give up.
            other => match other.parse() {
                Ok(status @ 400..=599) => Fault::of_status(status, "").kind,
                Ok(_) | Err(_) => FaultKind::Unavailable,
            },
        };
        Err(Fault::new(kind, detail).with_request_id(request_id))
    }
}

/// Who tells only what is final waits for a pause.
const FINALS_ONLY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
