//! Sarvam's synthesis on a WebSocket (Bulbul, 2026-11), for the languages of India.
//!
//! A connection has one language and one voice, told first. There are no names of speeches, and nothing says which text a sound belongs to: so one chunk
//! at a time is with the vendor, and the next one goes when its end has been told. There is no word to stop a speech; the connection is made anew.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{SpeechId, Told, Vendor, Wire};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::Fault;
use crate::secret::Secret;

/// What is asked of Sarvam.
#[derive(Clone, Debug, PartialEq)]
pub struct SarvamSpeechConfig {
    /// `wss://api.sarvam.ai` or a host of one's own.
    pub url: String,
    /// The API subscription key.
    pub key: Secret,
    /// The model: `bulbul:v3`.
    pub model: String,
    /// The speaker for each language (`hi`, `en`); `*` for all others.
    pub speakers: BTreeMap<String, String>,
    /// What the vendor calls a language, for those that are not called by their own code and `-IN`.
    pub language_codes: BTreeMap<String, String>,
    /// What the setting of the language is called: `target_language_code`; some versions of the interface say `language_code`.
    pub language_key: String,
    /// 0.5 to 2 times the usual pace; 1.
    pub pace: f64,
    /// The vendor begins with so many characters: 50. A chunk is flushed, so that this is of no weight.
    pub min_buffer_size: u32,
    /// The vendor speaks at most so many characters in one piece: 150.
    pub max_chunk_length: u32,
}

/// The vendor.
#[derive(Debug)]
pub struct SarvamSpeech(pub SarvamSpeechConfig);

impl SarvamSpeechConfig {
    /// One speaker for all languages.
    pub fn new(key: Secret, speaker: &str) -> Self {
        Self {
            url: "wss://api.sarvam.ai".to_owned(),
            key,
            model: "bulbul:v3".to_owned(),
            speakers: BTreeMap::from([("*".to_owned(), speaker.to_owned())]),
            language_codes: BTreeMap::new(),
            language_key: "target_language_code".to_owned(),
            pace: 1.0,
            min_buffer_size: 50,
            max_chunk_length: 150,
        }
    }

    fn language_code(&self, language: &str) -> String {
        let short = language.split('-').next().unwrap_or(language);
        let named = self.language_codes.get(language).or_else(|| self.language_codes.get(short));
        named.cloned().unwrap_or_else(|| format!("{}-IN", if short.is_empty() { "en" } else { short }))
    }
}

impl Vendor for SarvamSpeech {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat, language: &str) -> Box<dyn Wire> {
        let (config, language) = (self.0.clone(), language.to_owned());
        Box::new(SarvamWire { config, language, format, chunks: VecDeque::new() })
    }
}

#[derive(Debug)]
struct SarvamWire {
    config: SarvamSpeechConfig,
    language: String,
    format: AudioFormat,
    /// The first one is with the vendor.
    chunks: VecDeque<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    speech: SpeechId,
    text: String,
    is_last: bool,
}

impl Wire for SarvamWire {
    fn request(&self) -> Request {
        let base = format!("{}/text-to-speech/ws", super::web_socket(&self.config.url));
        let query = [("model", self.config.model.as_str()), ("send_completion_event", "true")];
        let headers = vec![("api-subscription-key", self.config.key.clone())];
        Request::WebSocket(Endpoint { url: Url::with_query(&base, query), headers })
    }

    fn greeting(&mut self) -> Vec<Message> {
        let config = &self.config;
        let codec = match self.format.encoding {
            Encoding::Mulaw => "mulaw",
            Encoding::Alaw => "alaw",
            Encoding::Linear16 => "linear16",
        };
        let mut settings = json!({
            "speaker": super::voice_for(&config.speakers, &self.language),
            "pace": config.pace,
            "speech_sample_rate": self.format.rate_hz,
            "output_audio_codec": codec,
            "min_buffer_size": config.min_buffer_size,
            "max_chunk_length": config.max_chunk_length,
        });
        settings[&config.language_key] = config.language_code(&self.language).into();
        vec![say(&json!({ "type": "config", "data": settings }))]
    }

    fn speaks(&mut self, language: &str) -> bool {
        let config = &self.config;
        config.language_code(language) == config.language_code(&self.language)
            && super::voice_for(&config.speakers, language)
                == super::voice_for(&config.speakers, &self.language)
    }

    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message> {
        let is_idle = self.chunks.is_empty();
        self.chunks.push_back(Chunk { speech, text: text.to_owned(), is_last: false });
        if is_idle { self.chunk() } else { Vec::new() }
    }

    /// The end of the last chunk is the end of the speech; where it has been told already, the end of nothing is asked for.
    fn finish(&mut self, speech: SpeechId) -> Vec<Message> {
        if let Some(chunk) = self.chunks.iter_mut().rfind(|chunk| chunk.speech == speech) {
            chunk.is_last = true;
            return Vec::new();
        }
        let is_idle = self.chunks.is_empty();
        self.chunks.push_back(Chunk { speech, text: String::new(), is_last: true });
        if is_idle { self.chunk() } else { Vec::new() }
    }

    fn cancel(&mut self, _speech: SpeechId) -> Option<Vec<Message>> {
        None
    }

    fn keep_alive(&self) -> Option<(Duration, Message)> {
        Some((PING_EVERY, say(&json!({ "type": "ping" }))))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        // Nothing is said in binary.
        let Message::Text(text) = message else { return Ok(()) };
        match serde_json::from_str(text).map_err(Fault::malformed)? {
            Said::Audio { data: Audio { audio } } => {
                let bytes = super::sound(&audio)?;
                if let Some(chunk) = self.chunks.front().filter(|_| !bytes.is_empty()) {
                    told.push(Told::Audio { speech: chunk.speech, bytes });
                }
            }
            Said::Event { data } if data.event_type == "final" => {
                if let Some(Chunk { speech, text, is_last }) = self.chunks.pop_front() {
                    told.extend((!text.is_empty()).then_some(Told::ChunkEnd { speech }));
                    told.extend(is_last.then_some(Told::Done { speech }));
                    told.extend(self.chunk().into_iter().map(Told::Say));
                }
            }
            Said::Error { data } => return Err(data.fault()),
            Said::Event { .. } | Said::Other => {}
        }
        Ok(())
    }
}

impl SarvamWire {
    /// What says the first chunk.
    fn chunk(&self) -> Vec<Message> {
        let Some(chunk) = self.chunks.front() else { return Vec::new() };
        let mut said: Vec<Message> = pieces(&chunk.text)
            .map(|text| say(&json!({ "type": "text", "data": { "text": text } })))
            .collect();
        said.push(say(&json!({ "type": "flush" })));
        said
    }
}

/// A text in pieces that the vendor takes, cut between letters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(MAX_TEXT_CHARS).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn say(json: &Value) -> Message {
    Message::Text(json.to_string())
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Audio {
        data: Audio,
    },
    Event {
        data: Event,
    },
    Error {
        data: Complaint,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Audio {
    audio: String,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
}

#[derive(Deserialize)]
struct Complaint {
    message: Option<String>,
    code: Option<Value>,
    request_id: Option<String>,
}

impl Complaint {
    fn fault(self) -> Fault {
        let message = self.message.unwrap_or_default();
        let status = self.code.as_ref().and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let code = self
            .code
            .map_or_else(String::new, |code| code.as_str().map_or_else(|| code.to_string(), str::to_owned));
        let detail = format!("{code} {message}");
        let fault = match status {
            Some(status @ 400..=599) => Fault::of_status(status, detail.trim()),
            Some(_) | None => Fault::of_words(&detail, detail.trim()),
        };
        fault.with_request_id(self.request_id.as_deref())
    }
}

/// The vendor closes what is silent for a minute.
const PING_EVERY: Duration = Duration::from_secs(20);
/// What one message may have.
const MAX_TEXT_CHARS: usize = 2_500;

#[cfg(test)]
mod tests;
