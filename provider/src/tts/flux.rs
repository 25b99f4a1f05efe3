//! Deepgram's synthesis for conversations, `/v2/speak` (Flux, 2026-11).
//!
//! Text is spoken as it comes, and `Flush` says that a turn is complete; sound comes as binary messages without a head. There are no names of speeches:
//! the sound belongs to the turns in their order. `Interrupt` stops the turn that is being spoken. A voice speaks one language.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::json;

use super::{SpeechId, Told, Vendor, Wire};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::Fault;
use crate::secret::Secret;

/// What is asked of Deepgram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxSpeechConfig {
    /// `wss://api.deepgram.com` or a host of one's own.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// The model, which is the voice, for each language (`en`, `hi`); `*` for all others.
    pub models: BTreeMap<String, String>,
}

/// The vendor.
#[derive(Debug)]
pub struct FluxSpeech(pub FluxSpeechConfig);

impl FluxSpeechConfig {
    /// One voice for all languages.
    pub fn new(key: Secret, model: &str) -> Self {
        let models = BTreeMap::from([("*".to_owned(), model.to_owned())]);
        Self { url: "wss://api.deepgram.com".to_owned(), key, models }
    }
}

impl Vendor for FluxSpeech {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat, language: &str) -> Box<dyn Wire> {
        let model = super::voice_for(&self.0.models, language).to_owned();
        let (config, turns) = (self.0.clone(), VecDeque::new());
        Box::new(FluxWire { config, model, format, turns, has_started: false, interrupted: None })
    }
}

#[derive(Debug)]
struct FluxWire {
    config: FluxSpeechConfig,
    model: String,
    format: AudioFormat,
    /// Those whose sound has not all come, in their order.
    turns: VecDeque<SpeechId>,
    /// The first one is being spoken.
    has_started: bool,
    /// Sound is of no use to anybody until the vendor has understood.
    interrupted: Option<Interrupted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interrupted {
    /// The start of what was stopped has been told: the next one that is told is of something else.
    has_started: bool,
}

impl Wire for FluxWire {
    fn request(&self) -> Request {
        let rate = self.format.rate_hz.to_string();
        let encoding = match self.format.encoding {
            Encoding::Mulaw => "mulaw",
            Encoding::Alaw => "alaw",
            Encoding::Linear16 => "linear16",
        };
        let query = [("model", self.model.as_str()), ("encoding", encoding), ("sample_rate", rate.as_str())];
        let base = format!("{}/v2/speak", super::web_socket(&self.config.url));
        let headers = vec![("authorization", Secret::new(format!("Token {}", self.config.key.reveal())))];
        Request::WebSocket(Endpoint { url: Url::with_query(&base, query), headers })
    }

    fn speaks(&mut self, language: &str) -> bool {
        super::voice_for(&self.config.models, language) == self.model
    }

    /// A turn is stopped as a whole: the next one does not begin before this one is done.
    fn has_room(&self) -> bool {
        self.turns.is_empty()
    }

    fn begin(&mut self, speech: SpeechId) -> Vec<Message> {
        self.turns.push_back(speech);
        Vec::new()
    }

    fn text(&mut self, _speech: SpeechId, text: &str) -> Vec<Message> {
        vec![Message::Text(json!({ "type": "Speak", "text": text }).to_string())]
    }

    fn finish(&mut self, _speech: SpeechId) -> Vec<Message> {
        vec![Message::Text(r#"{"type":"Flush"}"#.to_owned())]
    }

    fn cancel(&mut self, speech: SpeechId) -> Option<Vec<Message>> {
        self.turns.retain(|turn| *turn != speech);
        self.interrupted = Some(Interrupted { has_started: std::mem::take(&mut self.has_started) });
        Some(vec![Message::Text(r#"{"type":"Interrupt"}"#.to_owned())])
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(Message::Text(r#"{"type":"Close"}"#.to_owned()))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let text = match message {
            Message::Binary(bytes) => {
                if self.interrupted.is_none()
                    && let Some(&speech) = self.turns.front()
                {
                    told.push(Told::Audio { speech, bytes: bytes.clone() });
                }
                return Ok(());
            }
            Message::Text(text) => text,
        };
        match serde_json::from_str(text).map_err(Fault::malformed)? {
            Said::Connected { request_id } => told.push(Told::Ready { request_id }),
            Said::SpeechStarted {} => match &mut self.interrupted {
                Some(stopped) if !stopped.has_started => stopped.has_started = true,
                Some(_) | None => {
                    self.interrupted = None;
                    self.has_started = true;
                }
            },
            Said::SpeechInterrupted {} => self.interrupted = None,
            Said::Flushed {} if self.interrupted.is_none() => {
                self.has_started = false;
                if let Some(speech) = self.turns.pop_front() {
                    told.extend([Told::ChunkEnd { speech }, Told::Done { speech }]);
                }
            }
            Said::Warning { code, description } => {
                let detail = [code, description].into_iter().flatten().collect::<Vec<_>>().join(" ");
                told.push(Told::Warning(detail));
            }
            Said::Error { code, description } => {
                let words = [code, description].into_iter().flatten().collect::<Vec<_>>().join(": ");
                return Err(Fault::of_words(&words, words.as_str()));
            }
            Said::Flushed {} | Said::Other => {}
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    Connected {
        request_id: Option<String>,
    },
    SpeechStarted {},
    SpeechInterrupted {},
    Flushed {},
    Warning {
        code: Option<String>,
        description: Option<String>,
    },
    Error {
        code: Option<String>,
        description: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests;
