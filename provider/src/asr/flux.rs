//! Deepgram's recognition by turns, Flux, `/v2/listen` (2026-11).
//!
//! Audio goes as binary messages, control and results as JSON in text. Every result carries the whole turn so far; the last one of a turn
//! is final. Flux knows no keep-alive: it wants audio, and a caller's silence is audio like any other. When there is none at all, as on
//! hold, it is given silence once in a while ([`Wire::silence_after`]).

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{HeardWord, Told, TurnOpinion, Vendor, Wire, Words, json};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of Flux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxConfig {
    /// `wss://api.deepgram.com` (the default) or a host of one's own.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// `flux-general-multi` (the default) or `flux-general-en`.
    pub model: String,
    /// Languages to be expected, such as `hi` and `en`; only of `flux-general-multi`. None by default: it finds out by itself.
    pub language_hints: Vec<String>,
    /// How sure it has to be that a turn is over, in percent: 50 to 100, 70 by default. With 100 it never is, and only
    /// [`super::Recognizer::finalize`] ends turns.
    pub eot_percent: u32,
    /// How sure it has to be to say that a turn is likely over, in percent: 30 to 90; `None`, the default, for never.
    pub eager_eot_percent: Option<u32>,
    /// Silence after which a turn is over however unsure it is: 500 to 60000, 5000 by default.
    pub eot_timeout_ms: u32,
    /// Words to be expected; none by default.
    pub keyterms: Vec<String>,
}

/// The vendor.
#[derive(Debug)]
pub struct Flux(pub FluxConfig);

impl FluxConfig {
    /// For callers in Hindi, English and both.
    pub fn new(key: Secret) -> Self {
        Self {
            url: "wss://api.deepgram.com".to_owned(),
            key,
            model: "flux-general-multi".to_owned(),
            language_hints: Vec::new(),
            eot_percent: 70,
            eager_eot_percent: None,
            eot_timeout_ms: 5_000,
            keyterms: Vec::new(),
        }
    }
}

impl Vendor for Flux {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat) -> Box<dyn Wire> {
        Box::new(FluxWire { config: self.0.clone(), format, in_turn: false, request_id: None })
    }
}

#[derive(Debug)]
struct FluxWire {
    config: FluxConfig,
    format: AudioFormat,
    /// There were words that are not final.
    in_turn: bool,
    request_id: Option<String>,
}

impl Wire for FluxWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let rate = self.format.rate_hz.to_string();
        let (eot, timeout) = (fraction(config.eot_percent), config.eot_timeout_ms.to_string());
        let eager = config.eager_eot_percent.map(fraction);
        let mut query = vec![
            ("model", config.model.as_str()),
            ("encoding", encoding_name(self.format.encoding)),
            ("sample_rate", rate.as_str()),
            ("eot_threshold", eot.as_str()),
            ("eot_timeout_ms", timeout.as_str()),
        ];
        query.extend(eager.iter().map(|eager| ("eager_eot_threshold", eager.as_str())));
        query.extend(config.language_hints.iter().map(|hint| ("language_hint", hint.as_str())));
        query.extend(config.keyterms.iter().map(|term| ("keyterm", term.as_str())));
        let base = format!("{}/v2/listen", config.url.trim_end_matches('/'));
        Request::WebSocket(Endpoint {
            url: Url::with_query(&base, query),
            headers: vec![("authorization", Secret::new(format!("Token {}", config.key.reveal())))],
        })
    }

    fn confirms(&self) -> bool {
        true
    }

    /// Smaller pieces bring no words earlier, and cost messages.
    fn least_piece(&self) -> Duration {
        Duration::from_millis(80)
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        Message::Binary(bytes.to_vec())
    }

    /// A turn that has not begun cannot be ended.
    fn finalize(&mut self) -> Option<Message> {
        self.in_turn.then(|| json::text(&json!({"type": "ForceEndTurn"})))
    }

    fn silence_after(&self) -> Option<Duration> {
        Some(SILENCE_AFTER)
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(json::text(&json!({"type": "CloseStream"})))
    }

    fn closed(&self, _code: Option<u16>, reason: &str) -> Option<Fault> {
        let fault = reason.contains("DATA-0000").then(|| Fault::new(FaultKind::WrongAudio, reason));
        fault.map(|fault| fault.with_request_id(self.request_id.as_deref()))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        match json::read(message)? {
            Said::Connected { request_id } => {
                self.request_id.clone_from(&request_id);
                told.push(Told::Ready { request_id });
            }
            Said::TurnInfo(info) => self.turn(info, told),
            Said::Warning(complaint) | Said::ConfigureFailure(complaint) => {
                told.push(Told::Warning(complaint.detail()));
            }
            Said::Error(complaint) => {
                return Err(complaint.fault().with_request_id(self.request_id.as_deref()));
            }
            Said::Other => {}
        }
        Ok(())
    }
}

impl FluxWire {
    fn turn(&mut self, info: TurnInfo, told: &mut Vec<Told>) {
        let (is_final, opinion) = match info.event {
            TurnEvent::StartOfTurn => {
                told.push(Told::SpeechStarted);
                (false, None)
            }
            TurnEvent::Update => (false, None),
            TurnEvent::EagerEndOfTurn => (false, Some(TurnOpinion::Likely)),
            TurnEvent::TurnResumed => (false, Some(TurnOpinion::Resumed)),
            TurnEvent::EndOfTurn => (true, Some(TurnOpinion::Ended)),
            TurnEvent::Other => return,
        };
        self.in_turn = !is_final && (self.in_turn || !info.transcript.is_empty());
        told.push(Told::Words(Words {
            text: info.transcript,
            words: info.words.into_iter().filter_map(Word::timed).collect(),
            is_final,
            language: info.languages.into_iter().next(),
            until: info.audio_window_end.and_then(json::seconds),
        }));
        told.extend(opinion.map(Told::Turn));
    }
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Mulaw => "mulaw",
        Encoding::Alaw => "alaw",
        Encoding::Linear16 => "linear16",
    }
}

/// `70` as `0.7`.
fn fraction(percent: u32) -> String {
    (f64::from(percent) / 100.0).to_string()
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    Connected {
        request_id: Option<String>,
    },
    TurnInfo(TurnInfo),
    ConfigureFailure(Complaint),
    Warning(Complaint),
    Error(Complaint),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct TurnInfo {
    event: TurnEvent,
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<Word>,
    #[serde(default)]
    languages: Vec<String>,
    audio_window_end: Option<f64>,
}

#[derive(Deserialize)]
enum TurnEvent {
    StartOfTurn,
    Update,
    EagerEndOfTurn,
    TurnResumed,
    EndOfTurn,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Word {
    word: String,
    start: Option<f64>,
    end: Option<f64>,
    confidence: Option<f32>,
}

impl Word {
    /// A word whose times are none is left to the text.
    fn timed(self) -> Option<HeardWord> {
        Some(HeardWord {
            text: self.word,
            begins: self.start.and_then(json::seconds)?,
            ends: self.end.and_then(json::seconds)?,
            confidence: self.confidence,
        })
    }
}

#[derive(Deserialize)]
struct Complaint {
    code: Option<Value>,
    description: Option<String>,
}

impl Complaint {
    fn detail(&self) -> String {
        let code = json::shown(self.code.as_ref());
        json::detail(&[&code, self.description.as_deref().unwrap_or_default()])
    }

    /// Its codes are not all written down: what is not known is a fault of the vendor's, and the connection is tried again.
    fn fault(&self) -> Fault {
        let code = json::shown(self.code.as_ref()).to_ascii_uppercase();
        let kind = match code.as_str() {
            "DATA-0000" => FaultKind::WrongAudio,
            "UNAUTHORIZED" | "INVALID_AUTH" | "INSUFFICIENT_PERMISSIONS" | "FORBIDDEN" => {
                FaultKind::Unauthorized
            }
            "TOO_MANY_REQUESTS" | "RATE_LIMIT_EXCEEDED" | "ASR_PAYMENT_REQUIRED" => FaultKind::RateLimited,
            "BAD_REQUEST" | "INVALID_QUERY_PARAMETER" | "UNPARSABLE_CLIENT_MESSAGE" => FaultKind::Refused,
            _ if code.starts_with("NET-") || code.contains("TIMEOUT") => FaultKind::Dropped,
            _ => FaultKind::Unavailable,
        };
        Fault::new(kind, self.detail())
    }
}

/// How long it waits for audio is not written down; its sibling waits ten seconds.
const SILENCE_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
