//! Deepgram's live recognition, `/v1/listen` (2026-11).
//!
//! Audio goes as binary messages, control and results as JSON in text. A result that is not final replaces the one before it; a final one
//! is followed by those of the next segment. `speech_final` says that the speaker has paused for as long as `endpointing`; `UtteranceEnd`
//! says that no word has come for `utterance_end_ms`.

use std::time::Duration;

use serde::Deserialize;

use super::{HeardWord, Told, TurnOpinion, Vendor, Wire, Words};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of Deepgram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeepgramConfig {
    /// `wss://api.deepgram.com` or a host of one's own.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// `nova-3`, `nova-2-phonecall`, ...
    pub model: String,
    /// `hi`, `en-IN`, ... or `multi` for callers who mix languages.
    pub language: String,
    /// Silence after which the speaker is taken to have paused.
    pub endpointing_ms: u32,
    /// Time without words after which the utterance is over; 1000 at least, 0 for never.
    pub utterance_end_ms: u32,
    /// Formats numbers, dates and the like.
    pub smart_format: bool,
    /// Adds punctuation.
    pub punctuate: bool,
    /// Words to be expected (`nova-3`).
    pub keyterms: Vec<String>,
}

/// The vendor.
#[derive(Debug)]
pub struct Deepgram(pub DeepgramConfig);

impl DeepgramConfig {
    /// For callers in Hindi, English and both.
    pub fn new(key: Secret) -> Self {
        Self {
            url: "wss://api.deepgram.com".to_owned(),
            key,
            model: "nova-3".to_owned(),
            language: "multi".to_owned(),
            endpointing_ms: 300,
            utterance_end_ms: 1_000,
            smart_format: true,
            punctuate: true,
            keyterms: Vec::new(),
        }
    }
}

impl Vendor for Deepgram {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat) -> Box<dyn Wire> {
        Box::new(DeepgramWire { config: self.0.clone(), format, has_ended: true })
    }
}

#[derive(Debug)]
struct DeepgramWire {
    config: DeepgramConfig,
    format: AudioFormat,
    /// The end of the present utterance was told.
    has_ended: bool,
}

impl Wire for DeepgramWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let (rate, endpointing) = (self.format.rate_hz.to_string(), config.endpointing_ms.to_string());
        let utterance_end = config.utterance_end_ms.to_string();
        let mut query = vec![
            ("model", config.model.as_str()),
            ("language", config.language.as_str()),
            ("encoding", encoding_name(self.format.encoding)),
            ("sample_rate", rate.as_str()),
            ("channels", "1"),
            ("interim_results", "true"),
            ("endpointing", endpointing.as_str()),
            ("vad_events", "true"),
            ("smart_format", flag(config.smart_format)),
            ("punctuate", flag(config.punctuate)),
        ];
        if config.utterance_end_ms > 0 {
            query.push(("utterance_end_ms", utterance_end.as_str()));
        }
        query.extend(config.keyterms.iter().map(|term| ("keyterm", term.as_str())));
        let base = format!("{}/v1/listen", config.url.trim_end_matches('/'));
        Request::WebSocket(Endpoint {
            url: Url::with_query(&base, query),
            headers: vec![("authorization", Secret::new(format!("Token {}", config.key.reveal())))],
        })
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        Message::Binary(bytes.to_vec())
    }

    fn finalize(&mut self) -> Option<Message> {
        Some(Message::Text(r#"{"type":"Finalize"}"#.to_owned()))
    }

    /// Ten seconds without anything and the connection is closed.
    fn keep_alive(&self) -> Option<(Duration, Message)> {
        Some((Duration::from_secs(4), Message::Text(r#"{"type":"KeepAlive"}"#.to_owned())))
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(Message::Text(r#"{"type":"CloseStream"}"#.to_owned()))
    }

    /// The code has changed over the years; the reason's text has not.
    fn closed(&self, _code: Option<u16>, reason: &str) -> Option<Fault> {
        reason.contains("DATA-0000").then(|| Fault::new(FaultKind::WrongAudio, reason))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let Message::Text(text) = message else {
            return Err(Fault::malformed("a binary message where only JSON is due"));
        };
        match serde_json::from_str(text).map_err(Fault::malformed)? {
            Said::Results(results) => self.results(results, told),
            Said::UtteranceEnd {} => self.ended(told),
            Said::SpeechStarted {} => told.push(Told::SpeechStarted),
            Said::Metadata { duration } => {
                if let Ok(duration) = Duration::try_from_secs_f64(duration) {
                    told.push(Told::Metered(duration));
                }
            }
            Said::Error { variant, description, code, message } => {
                let parts = [code, variant, message, description];
                let detail: Vec<String> = parts.into_iter().flatten().collect();
                return Err(Fault::new(FaultKind::Unavailable, detail.join(": ")));
            }
            Said::Other => {}
        }
        Ok(())
    }
}

impl DeepgramWire {
    fn results(&mut self, results: Results, told: &mut Vec<Told>) {
        let Some(best) = results.channel.alternatives.into_iter().next() else { return };
        let language = best.languages.into_iter().next();
        if !best.transcript.is_empty() {
            self.has_ended = false;
        }
        told.push(Told::Words(Words {
            text: best.transcript,
            words: best.words.into_iter().filter_map(Word::timed).collect(),
            is_final: results.is_final,
            language,
            until: Duration::try_from_secs_f64(results.start + results.duration).ok(),
        }));
        if results.speech_final {
            self.ended(told);
        }
    }

    /// `UtteranceEnd` often follows `speech_final`, and says the same.
    fn ended(&mut self, told: &mut Vec<Told>) {
        if !std::mem::replace(&mut self.has_ended, true) {
            told.push(Told::Turn(TurnOpinion::Ended));
        }
    }
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Mulaw => "mulaw",
        Encoding::Alaw => "alaw",
        Encoding::Linear16 => "linear16",
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    Results(Results),
    UtteranceEnd {},
    SpeechStarted {},
    Metadata {
        #[serde(default)]
        duration: f64,
    },
    Error {
        variant: Option<String>,
        description: Option<String>,
        code: Option<String>,
        message: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    speech_final: bool,
    channel: Channel,
}

#[derive(Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    transcript: String,
    #[serde(default)]
    languages: Vec<String>,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    word: String,
    punctuated_word: Option<String>,
    start: f64,
    end: f64,
    confidence: Option<f32>,
}

impl Word {
    /// A word whose times are none is left to the text.
    fn timed(self) -> Option<HeardWord> {
        Some(HeardWord {
            text: self.punctuated_word.unwrap_or(self.word),
            begins: Duration::try_from_secs_f64(self.start).ok()?,
            ends: Duration::try_from_secs_f64(self.end).ok()?,
            confidence: self.confidence,
        })
    }
}

#[cfg(test)]
mod tests;
