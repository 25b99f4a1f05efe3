//! Deepgram's synthesis, `/v1/speak` (Aura, 2026-11).
//!
//! Text and control go as JSON, sound comes as binary messages without a head. Every `Flush` is answered by `Flushed` behind the sound of the text before
//! it. There are no names of speeches: the sound belongs to the texts in their order. A voice speaks one language.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::json;

use super::{SpeechId, Told, Vendor, Wire};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of Deepgram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuraConfig {
    /// `wss://api.deepgram.com` or a host of one's own.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// The model, which is the voice, for each language (`en`, `hi`); `*` for all others.
    pub models: BTreeMap<String, String>,
}

/// The vendor.
#[derive(Debug)]
pub struct Aura(pub AuraConfig);

impl AuraConfig {
    /// One voice for all languages.
    pub fn new(key: Secret, model: &str) -> Self {
        let models = BTreeMap::from([("*".to_owned(), model.to_owned())]);
        Self { url: "wss://api.deepgram.com".to_owned(), key, models }
    }
}

impl Vendor for Aura {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat, language: &str) -> Box<dyn Wire> {
        let model = super::voice_for(&self.0.models, language).to_owned();
        Box::new(AuraWire { config: self.0.clone(), model, format, flushes: VecDeque::new(), clears: 0 })
    }
}

#[derive(Debug)]
struct AuraWire {
    config: AuraConfig,
    model: String,
    format: AudioFormat,
    /// What was flushed and not answered: of which speech, and whether it was its last.
    flushes: VecDeque<Flush>,
    /// Sound is of no use to anybody until so many more `Cleared` have come.
    clears: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flush {
    speech: SpeechId,
    is_last: bool,
}

impl Wire for AuraWire {
    fn request(&self) -> Request {
        let rate = self.format.rate_hz.to_string();
        let encoding = match self.format.encoding {
            Encoding::Mulaw => "mulaw",
            Encoding::Alaw => "alaw",
            Encoding::Linear16 => "linear16",
        };
        let query = [("model", self.model.as_str()), ("encoding", encoding), ("sample_rate", rate.as_str())];
        let base = format!("{}/v1/speak", self.config.url.trim_end_matches('/'));
        Request::WebSocket(Endpoint {
            url: Url::with_query(&base, query),
            headers: vec![("authorization", Secret::new(format!("Token {}", self.config.key.reveal())))],
        })
    }

    fn speaks(&mut self, language: &str) -> bool {
        super::voice_for(&self.config.models, language) == self.model
    }

    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message> {
        self.flushes.push_back(Flush { speech, is_last: false });
        let speak = json!({ "type": "Speak", "text": text }).to_string();
        vec![Message::Text(speak), Message::Text(r#"{"type":"Flush"}"#.to_owned())]
    }

    /// The end of the last chunk is the end of the speech; one without a chunk needs an answer of its own.
    fn finish(&mut self, speech: SpeechId) -> Vec<Message> {
        if let Some(flush) = self.flushes.iter_mut().rfind(|flush| flush.speech == speech) {
            flush.is_last = true;
            return Vec::new();
        }
        self.flushes.push_back(Flush { speech, is_last: true });
        vec![Message::Text(r#"{"type":"Flush"}"#.to_owned())]
    }

    /// Takes away all texts, those of other speeches too; there is one at a time that is worth saying.
    fn cancel(&mut self, _speech: SpeechId) -> Option<Vec<Message>> {
        self.flushes.clear();
        self.clears += 1;
        Some(vec![Message::Text(r#"{"type":"Clear"}"#.to_owned())])
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(Message::Text(r#"{"type":"Close"}"#.to_owned()))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let text = match message {
            Message::Binary(bytes) => {
                if self.clears == 0
                    && let Some(Flush { speech, .. }) = self.flushes.front().copied()
                {
                    told.push(Told::Audio { speech, bytes: bytes.clone() });
                }
                return Ok(());
            }
            Message::Text(text) => text,
        };
        match serde_json::from_str(text).map_err(Fault::malformed)? {
            Said::Flushed {} if self.clears == 0 => {
                if let Some(Flush { speech, is_last }) = self.flushes.pop_front() {
                    told.push(Told::ChunkEnd { speech });
                    told.extend(is_last.then_some(Told::Done { speech }));
                }
            }
            Said::Cleared {} => self.clears = self.clears.saturating_sub(1),
            Said::Warning { code, description } => {
                told.push(Told::Warning(format!(
                    "{} {}",
                    code.unwrap_or_default(),
                    description.unwrap_or_default()
                )));
            }
            Said::Error { code, description, message } => {
                let parts = [code, description, message];
                let detail: Vec<String> = parts.into_iter().flatten().collect();
                return Err(Fault::new(FaultKind::Unavailable, detail.join(": ")));
            }
            Said::Flushed {} | Said::Other => {}
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    Flushed {},
    Cleared {},
    Warning {
        code: Option<String>,
        description: Option<String>,
    },
    Error {
        code: Option<String>,
        description: Option<String>,
        message: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests;
