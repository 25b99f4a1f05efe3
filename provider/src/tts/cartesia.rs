//! Cartesia's synthesis on a WebSocket (2026-11).
//!
//! Each speech is a context; its chunks are told to be continued, and each is flushed so that it is spoken at once. Voice and language belong to the
//! message, so that one connection speaks them all. A context that gets no text for a while is over by itself: what comes after that goes to
//! another one of the same speech.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{SpeechId, SpokenWord, Told, Vendor, Wire};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of Cartesia.
#[derive(Clone, Debug, PartialEq)]
pub struct CartesiaConfig {
    /// `wss://api.cartesia.ai` or a host of one's own.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// The version of the interface: `2026-03-01`.
    pub version: String,
    /// The model: `sonic-3.5`.
    pub model: String,
    /// The voice's id for each language (`hi`, `en`); `*` for all others.
    pub voices: BTreeMap<String, String>,
    /// How long the vendor may wait for more text before it speaks, in milliseconds: 0, as chunks are whole phrases.
    pub max_buffer_delay_ms: u32,
    /// Whether each chunk is flushed; it is by default. Without it the end of a chunk is not told.
    pub flushes: bool,
    /// Whether it is told when words are heard; it is by default.
    pub tells_words: bool,
    /// Whether the times of words begin anew with each flushed chunk; by default they count from the beginning of the context.
    pub times_begin_anew: bool,
}

/// The vendor.
#[derive(Debug)]
pub struct Cartesia(pub CartesiaConfig);

impl CartesiaConfig {
    /// One voice for all languages.
    pub fn new(key: Secret, voice: &str) -> Self {
        Self {
            url: "wss://api.cartesia.ai".to_owned(),
            key,
            version: "2026-03-01".to_owned(),
            model: "sonic-3.5".to_owned(),
            voices: BTreeMap::from([("*".to_owned(), voice.to_owned())]),
            max_buffer_delay_ms: 0,
            flushes: true,
            tells_words: true,
            times_begin_anew: false,
        }
    }
}

impl Vendor for Cartesia {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K] }
    }

    fn wire(&self, format: AudioFormat, language: &str) -> Box<dyn Wire> {
        let (config, language) = (self.0.clone(), language.to_owned());
        Box::new(CartesiaWire { config, language, format, contexts: Vec::new() })
    }
}

#[derive(Debug)]
struct CartesiaWire {
    config: CartesiaConfig,
    /// Of the next speech.
    language: String,
    format: AudioFormat,
    /// Of speeches that are not done, and that somebody wants to hear.
    contexts: Vec<Context>,
}

#[derive(Debug)]
struct Context {
    speech: SpeechId,
    language: String,
    /// How many contexts of this speech were over before it was.
    number: u32,
    /// Some of its text was sent to the present context.
    has_text: bool,
    is_finished: bool,
    bytes: u64,
    /// How many bytes came before the vendor's clock began.
    clock_from: u64,
}

impl Wire for CartesiaWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let url = Url::new(format!("{}/tts/websocket", super::web_socket(&config.url)));
        let headers = vec![
            ("x-api-key", config.key.clone()),
            ("cartesia-version", Secret::new(config.version.as_str())),
        ];
        Request::WebSocket(Endpoint { url, headers })
    }

    fn speaks(&mut self, language: &str) -> bool {
        language.clone_into(&mut self.language);
        true
    }

    fn begin(&mut self, speech: SpeechId) -> Vec<Message> {
        self.contexts.push(Context {
            speech,
            language: self.language.clone(),
            number: 0,
            has_text: false,
            is_finished: false,
            bytes: 0,
            clock_from: 0,
        });
        Vec::new()
    }

    /// A text ends in a space: the vendor joins what it is given.
    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message> {
        let Some(at) = self.place(speech) else { return Vec::new() };
        self.contexts[at].has_text = true;
        let text = format!("{} ", text.trim_end());
        vec![self.generation(&self.contexts[at], &text, true)]
    }

    fn finish(&mut self, speech: SpeechId) -> Vec<Message> {
        let Some(at) = self.place(speech) else { return Vec::new() };
        self.contexts[at].is_finished = true;
        vec![self.generation(&self.contexts[at], "", false)]
    }

    fn cancel(&mut self, speech: SpeechId) -> Option<Vec<Message>> {
        let context = self.place(speech).map(|at| self.contexts.remove(at));
        let cancel = |context: Context| say(&json!({ "context_id": context.name(), "cancel": true }));
        Some(context.filter(|context| context.has_text).map(cancel).into_iter().collect())
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        // Nothing is said in binary.
        let Message::Text(text) = message else { return Ok(()) };
        let said: Said = serde_json::from_str(text).map_err(Fault::malformed)?;
        let name = said.context_id.as_deref().unwrap_or_default();
        let at = self.contexts.iter().position(|context| context.name() == name);
        if said.kind == "error" {
            return self.error(at, said, told);
        }
        let Some(at) = at else { return Ok(()) };
        let (format, context) = (self.format, &mut self.contexts[at]);
        let speech = context.speech;
        match said.kind.as_str() {
            "chunk" => {
                let bytes = super::sound(said.audio.as_deref().unwrap_or_default())?;
                context.bytes += bytes.len() as u64;
                if !bytes.is_empty() {
                    told.push(Told::Audio { speech, bytes });
                }
            }
            "timestamps" => {
                let before = format.duration(context.clock_from);
                let words = said.word_timestamps.map(|times| times.words(before)).unwrap_or_default();
                if !words.is_empty() {
                    told.push(Told::Words { speech, words });
                }
            }
            "flush_done" => {
                if self.config.times_begin_anew {
                    context.clock_from = context.bytes;
                }
                told.push(Told::ChunkEnd { speech });
            }
            "done" if context.is_finished => {
                self.contexts.remove(at);
                told.push(Told::Done { speech });
            }
            "done" => context.begin_anew(),
            _ => {}
        }
        Ok(())
    }
}

impl CartesiaWire {
    fn generation(&self, context: &Context, text: &str, goes_on: bool) -> Message {
        let config = &self.config;
        let encoding = match self.format.encoding {
            Encoding::Mulaw => "pcm_mulaw",
            Encoding::Alaw => "pcm_alaw",
            Encoding::Linear16 => "pcm_s16le",
        };
        let mut message = json!({
            "context_id": context.name(),
            "model_id": config.model,
            "transcript": text,
            "continue": goes_on,
            "voice": { "mode": "id", "id": super::voice_for(&config.voices, &context.language) },
            "output_format": { "container": "raw", "encoding": encoding, "sample_rate": self.format.rate_hz },
            "add_timestamps": config.tells_words,
            "max_buffer_delay_ms": config.max_buffer_delay_ms,
        });
        if let Some(language) = context.language.split('-').next().filter(|language| !language.is_empty()) {
            message["language"] = language.into();
        }
        if config.flushes && goes_on {
            message["flush"] = true.into();
        }
        say(&message)
    }

    /// An error of one context ends that speech; one of the account or of the connection ends them all.
    fn error(&mut self, at: Option<usize>, said: Said, told: &mut Vec<Told>) -> Result<(), Fault> {
        let status = said.status_code.and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
        let parts = [said.error_code.as_ref().map(words), said.title, said.message];
        let detail = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let fault = Fault::of_status(status, detail).with_request_id(said.request_id.as_deref());
        let is_of_one = match fault.kind {
            FaultKind::Unauthorized | FaultKind::RateLimited | FaultKind::NotFound => false,
            FaultKind::Resolve
            | FaultKind::Connect
            | FaultKind::Tls
            | FaultKind::Refused
            | FaultKind::Unavailable
            | FaultKind::Timeout
            | FaultKind::Dropped
            | FaultKind::Malformed
            | FaultKind::WrongAudio
            | FaultKind::TooLong
            | FaultKind::Silent => true,
        };
        match at {
            Some(at) if is_of_one => {
                let context = self.contexts.remove(at);
                let speech = context.speech;
                // Nothing was left to say: the end of an empty context is no harm.
                let is_empty = context.is_finished && !context.has_text;
                told.push(if is_empty { Told::Done { speech } } else { Told::Broken { speech, fault } });
                Ok(())
            }
            // The last words of what was cancelled.
            None if said.context_id.is_some() && is_of_one => Ok(()),
            Some(_) | None => Err(fault),
        }
    }

    fn place(&self, speech: SpeechId) -> Option<usize> {
        self.contexts.iter().position(|context| context.speech == speech)
    }
}

impl Context {
    fn name(&self) -> String {
        format!("s{}-{}", self.speech.0, self.number)
    }

    /// The vendor has ended the context before the text was complete.
    fn begin_anew(&mut self) {
        self.number += 1;
        self.has_text = false;
        self.clock_from = self.bytes;
    }
}

fn say(json: &Value) -> Message {
    Message::Text(json.to_string())
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    context_id: Option<String>,
    #[serde(rename = "data")]
    audio: Option<String>,
    word_timestamps: Option<Times>,
    status_code: Option<u64>,
    title: Option<String>,
    message: Option<String>,
    error_code: Option<Value>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Times {
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    start: Vec<f64>,
    #[serde(default)]
    end: Vec<f64>,
}

impl Times {
    fn words(self, before: Duration) -> Vec<SpokenWord> {
        let times = self.start.into_iter().zip(self.end);
        let word = |(text, (start, end)): (String, (f64, f64))| {
            let begins = before + seconds(start);
            SpokenWord { text, begins, ends: begins.max(before + seconds(end)) }
        };
        self.words.into_iter().zip(times).map(word).collect()
    }
}

/// No sound lasts a day, whatever is said of it.
fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(if s.is_finite() { s.clamp(0.0, 86_400.0) } else { 0.0 })
}

#[cfg(test)]
mod tests;
