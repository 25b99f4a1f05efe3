//! Deepgram's synthesis, `/v1/speak` (Aura, 2026-11).
//!
//! Text and control go as JSON, sound comes as binary messages without a head. Every `Flush` is answered by `Flushed` behind the sound of the text before
//! it. There are no names of speeches: the sound belongs to the texts in their order. A voice speaks one language.
//!
//! A connection may flush 20 times in 60 s; what is flushed beyond that is not answered. As long as few are used up, each chunk is flushed. Then only the first
//! chunk of a speech is, and the others together at its end; a speech for which there would be none begins on another connection.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

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
        Box::new(AuraWire {
            config: self.0.clone(),
            model,
            format,
            open: Vec::new(),
            flushes: VecDeque::new(),
            clears: 0,
            flushed_at: VecDeque::new(),
            now: None,
        })
    }
}

#[derive(Debug)]
struct AuraWire {
    config: AuraConfig,
    model: String,
    format: AudioFormat,
    /// Speeches of which more text may come.
    open: Vec<Open>,
    /// What was flushed and not answered.
    flushes: VecDeque<Flush>,
    /// Sound is of no use to anybody until so many more `Cleared` have come.
    clears: u32,
    /// When it was flushed in the last minute.
    flushed_at: VecDeque<Instant>,
    now: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    speech: SpeechId,
    /// Its first chunk is flushed.
    has_begun: bool,
    /// Chunks that are not, and their characters.
    held: usize,
    held_chars: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flush {
    speech: SpeechId,
    /// How many chunks it ends.
    chunks: usize,
    /// It ends the speech too.
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

    fn clock(&mut self, now: Instant) {
        self.now = Some(now);
        self.flushed_at.retain(|at| now.saturating_duration_since(*at) < MINUTE);
    }

    /// Those that are open may yet need theirs.
    fn has_room(&self) -> bool {
        self.flushed_at.len() + self.needed() + FLUSHES_OF_SPEECH <= FLUSHES_A_MINUTE
    }

    fn begin(&mut self, speech: SpeechId) -> Vec<Message> {
        self.open.push(Open { speech, has_begun: false, held: 0, held_chars: 0 });
        Vec::new()
    }

    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message> {
        // What waits of another speech is not to be taken for this one's.
        let others =
            self.open.iter().find(|open| open.speech != speech && open.held > 0).map(|open| open.speech);
        let mut messages: Vec<Message> = others.into_iter().flat_map(|other| self.flush(other)).collect();
        messages.push(Message::Text(json!({ "type": "Speak", "text": text }).to_string()));
        let spare = (self.flushed_at.len() + self.needed() + KEPT) < FLUSHES_A_MINUTE;
        let Some(open) = self.open.iter_mut().find(|open| open.speech == speech) else { return messages };
        open.held += 1;
        open.held_chars += text.chars().count();
        if !open.has_begun || spare || open.held_chars > MAX_HELD_CHARS {
            messages.extend(self.flush(speech));
        }
        messages
    }

    fn holds_back(&self, speech: SpeechId) -> bool {
        self.open.iter().any(|open| open.speech == speech && open.held > 0)
    }

    /// The end of the last chunk is the end of the speech; one whose chunks have all ended needs an answer of its own.
    fn finish(&mut self, speech: SpeechId) -> Vec<Message> {
        let is_flushed = !self.holds_back(speech) && self.flushes.iter().any(|flush| flush.speech == speech);
        let messages = if is_flushed { Vec::new() } else { self.flush(speech) };
        if let Some(flush) = self.flushes.iter_mut().rfind(|flush| flush.speech == speech) {
            flush.is_last = true;
        }
        self.open.retain(|open| open.speech != speech);
        messages
    }

    /// Takes away all texts, those of other speeches too; there is one at a time that is worth saying.
    fn cancel(&mut self, speech: SpeechId) -> Option<Vec<Message>> {
        self.flushes.clear();
        self.open.retain(|open| open.speech != speech);
        self.open.iter_mut().for_each(|open| (open.held, open.held_chars) = (0, 0));
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
                if let Some(Flush { speech, chunks, is_last }) = self.flushes.pop_front() {
                    told.extend(std::iter::repeat_n(Told::ChunkEnd { speech }, chunks));
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

impl AuraWire {
    /// All that waits of a speech is spoken.
    fn flush(&mut self, speech: SpeechId) -> Vec<Message> {
        let mut chunks = 0;
        if let Some(open) = self.open.iter_mut().find(|open| open.speech == speech) {
            open.has_begun = true;
            (chunks, open.held, open.held_chars) = (open.held, 0, 0);
        }
        self.flushes.push_back(Flush { speech, chunks, is_last: false });
        self.flushed_at.extend(self.now);
        vec![Message::Text(r#"{"type":"Flush"}"#.to_owned())]
    }

    /// How many flushes the open speeches may need to their ends.
    fn needed(&self) -> usize {
        self.open.iter().map(|open| FLUSHES_OF_SPEECH - usize::from(open.has_begun)).sum()
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

/// What the vendor allows of one connection.
const FLUSHES_A_MINUTE: usize = 20;
/// A little longer than 60 s, as some come faster than others.
const MINUTE: Duration = Duration::from_secs(62);
/// Behind the first chunk and at the end.
const FLUSHES_OF_SPEECH: usize = 2;
/// Those that chunks in the middle leave to the next speeches.
const KEPT: usize = 12;
/// The vendor takes no more than 2000 at once.
const MAX_HELD_CHARS: usize = 1_000;

#[cfg(test)]
mod tests;
