//! AssemblyAI's streaming recognition, `/v3/ws` (2026-11).
//!
//! Audio goes as binary messages of at least 50 ms, control and results as JSON in text. Every result carries the whole turn so far. With
//! formatting a turn ends twice: first as it was heard, then, a moment later, with punctuation. It is paid by the time that the connection
//! is open, so that goodbye is always said.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{HeardWord, Told, TurnOpinion, Vendor, Wire, Words, json};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of AssemblyAI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssemblyAiConfig {
    /// `wss://streaming.assemblyai.com` (the default) or `wss://streaming.eu.assemblyai.com`.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// `universal-streaming-multilingual` (the default), ... Hindi is understood by `whisper-rt` alone.
    pub model: String,
    /// Whether turns are told once more with punctuation; yes by default. They are final a moment later then.
    pub format_turns: bool,
    /// How sure it has to be that a turn is over, in percent; `None`, the default, leaves it to the server.
    pub end_of_turn_percent: Option<u32>,
    /// Silence after which a turn is over if it is that sure, in milliseconds; `None`, the default, leaves it to the server.
    pub min_turn_silence_ms: Option<u32>,
    /// Silence after which it is over in any case, in milliseconds; `None`, the default, leaves it to the server.
    pub max_turn_silence_ms: Option<u32>,
    /// Words to be expected; none by default.
    pub keyterms: Vec<String>,
}

/// The vendor.
#[derive(Debug)]
pub struct AssemblyAi(pub AssemblyAiConfig);

impl AssemblyAiConfig {
    /// For callers who mix languages; see [`AssemblyAiConfig::model`] for Hindi.
    pub fn new(key: Secret) -> Self {
        Self {
            url: "wss://streaming.assemblyai.com".to_owned(),
            key,
            model: "universal-streaming-multilingual".to_owned(),
            format_turns: true,
            end_of_turn_percent: None,
            min_turn_silence_ms: None,
            max_turn_silence_ms: None,
            keyterms: Vec::new(),
        }
    }
}

impl Vendor for AssemblyAi {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat) -> Box<dyn Wire> {
        Box::new(AssemblyAiWire {
            config: self.0.clone(),
            format,
            session_id: None,
            unformatted: None,
            ended: None,
        })
    }
}

#[derive(Debug)]
struct AssemblyAiWire {
    config: AssemblyAiConfig,
    format: AudioFormat,
    session_id: Option<String>,
    /// A turn that has ended and is still to be told with punctuation.
    unformatted: Option<(u64, Words)>,
    /// The last turn whose words are final.
    ended: Option<u64>,
}

impl Wire for AssemblyAiWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let rate = self.format.rate_hz.to_string();
        let confidence = config.end_of_turn_percent.map(|percent| (f64::from(percent) / 100.0).to_string());
        let min_silence = config.min_turn_silence_ms.map(|ms| ms.to_string());
        let max_silence = config.max_turn_silence_ms.map(|ms| ms.to_string());
        let keyterms = (!config.keyterms.is_empty()).then(|| json!(config.keyterms).to_string());
        let mut query = vec![
            ("speech_model", config.model.as_str()),
            ("sample_rate", rate.as_str()),
            ("encoding", encoding_name(self.format.encoding)),
            ("format_turns", if config.format_turns { "true" } else { "false" }),
        ];
        let settings = [
            ("end_of_turn_confidence_threshold", &confidence),
            ("min_turn_silence", &min_silence),
            ("max_turn_silence", &max_silence),
            ("keyterms_prompt", &keyterms),
        ];
        query.extend(settings.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        let base = format!("{}/v3/ws", config.url.trim_end_matches('/'));
        let headers = vec![("authorization", config.key.clone())];
        Request::WebSocket(Endpoint { url: Url::with_query(&base, query), headers })
    }

    fn confirms(&self) -> bool {
        true
    }

    /// Less is refused with code 3007.
    fn least_piece(&self) -> Duration {
        Duration::from_millis(50)
    }

    /// It wants audio as fast as it is spoken, and closes with code 4029 who is too far ahead; how far that is it does not say.
    fn most_ahead(&self) -> Duration {
        Duration::from_millis(4_500)
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        Message::Binary(bytes.to_vec())
    }

    fn finalize(&mut self) -> Option<Message> {
        Some(control("ForceEndpoint"))
    }

    fn keep_alive(&self) -> Option<(Duration, Message)> {
        Some((Duration::from_secs(5), control("KeepAlive")))
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(control("Terminate"))
    }

    fn closed(&self, code: Option<u16>, reason: &str) -> Option<Fault> {
        let fault = Fault::new(kind_of(u64::from(code?))?, format!("code {}: {reason}", code?));
        Some(fault.with_request_id(self.session_id.as_deref()))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        match json::read(message)? {
            Said::Begin { id } => {
                self.session_id.clone_from(&id);
                told.push(Told::Ready { request_id: id });
            }
            Said::SpeechStarted {} => told.push(Told::SpeechStarted),
            Said::Turn(turn) => self.turn(turn, told),
            Said::Termination { session_duration_seconds } => {
                let open = session_duration_seconds.and_then(json::seconds);
                told.extend(open.map(Told::Metered));
            }
            Said::Warning(complaint) => told.push(Told::Warning(complaint.detail())),
            Said::Error(complaint) => {
                let kind = complaint.code().and_then(kind_of).unwrap_or(FaultKind::Unavailable);
                let fault = Fault::new(kind, complaint.detail());
                return Err(fault.with_request_id(self.session_id.as_deref()));
            }
            Said::Other => {}
        }
        Ok(())
    }
}

impl AssemblyAiWire {
    fn turn(&mut self, turn: Turn, told: &mut Vec<Told>) {
        let number = turn.turn_order;
        if self.ended.is_some_and(|ended| number <= ended) {
            return;
        }
        // The next one has begun: the punctuation of the one before it does not come.
        if let Some((_, words)) = self.unformatted.take_if(|(unformatted, _)| *unformatted < number) {
            self.ended = Some(number.saturating_sub(1));
            told.push(Told::Words(Words { is_final: true, ..words }));
        }
        let is_over = turn.end_of_turn || self.unformatted.is_some();
        let is_final = turn.end_of_turn && (turn.turn_is_formatted || !self.config.format_turns);
        let was_over = self.unformatted.take().is_some();
        let words = Words {
            text: turn.transcript,
            words: turn.words.into_iter().filter_map(Word::timed).collect(),
            is_final,
            language: turn.language_code,
            until: None,
        };
        let has_words = !words.text.is_empty();
        if is_final {
            self.ended = Some(number);
        } else if is_over {
            self.unformatted = Some((number, words.clone()));
        }
        told.push(Told::Words(words));
        if is_over && !was_over && has_words {
            told.push(Told::Turn(TurnOpinion::Ended));
        }
    }
}

fn control(kind: &str) -> Message {
    json::text(&json!({"type": kind}))
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Mulaw => "pcm_mulaw",
        Encoding::Alaw => "pcm_alaw",
        Encoding::Linear16 => "pcm_s16le",
    }
}

/// What its codes mean, on the close and in errors.
fn kind_of(code: u64) -> Option<FaultKind> {
    Some(match code {
        3005 => FaultKind::Unavailable,
        3006 | 3007 => FaultKind::Refused,
        // The session is as old as it may become, or nothing was heard for too long.
        3008 | 4031 => FaultKind::Dropped,
        3009 | 4029 => FaultKind::RateLimited,
        4001 => FaultKind::Unauthorized,
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    Begin {
        id: Option<String>,
    },
    SpeechStarted {},
    Turn(Turn),
    Termination {
        session_duration_seconds: Option<f64>,
    },
    Warning(Complaint),
    Error(Complaint),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Turn {
    #[serde(default)]
    turn_order: u64,
    #[serde(default)]
    end_of_turn: bool,
    #[serde(default)]
    turn_is_formatted: bool,
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<Word>,
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct Word {
    text: String,
    start: Option<f64>,
    end: Option<f64>,
    confidence: Option<f32>,
}

impl Word {
    /// A word whose times are none is left to the text.
    fn timed(self) -> Option<HeardWord> {
        Some(HeardWord {
            text: self.text,
            begins: self.start.and_then(json::millis)?,
            ends: self.end.and_then(json::millis)?,
            confidence: self.confidence,
        })
    }
}

#[derive(Deserialize)]
struct Complaint {
    error_code: Option<Value>,
    error: Option<Value>,
    warning_code: Option<Value>,
    warning: Option<Value>,
}

impl Complaint {
    fn code(&self) -> Option<u64> {
        json::shown(self.error_code.as_ref()).parse().ok()
    }

    fn detail(&self) -> String {
        let parts = [&self.error_code, &self.error, &self.warning_code, &self.warning]
            .map(|part| json::shown(part.as_ref()));
        json::detail(&parts.each_ref().map(String::as_str))
    }
}

#[cfg(test)]
mod tests;
