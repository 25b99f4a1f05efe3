//! OpenAI's realtime transcription, `/v1/realtime?intent=transcription` (2026-11), and two servers of one's own who speak much like it.
//!
//! All is JSON in text. Words come as deltas that are joined by the utterance's `item_id`, and whole once the audio is committed: by the
//! server when it hears a pause, or by [`super::Recognizer::finalize`]. The names of 2025's beta are understood too.

mod said;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::utterances::Utterances;
use super::{Told, TurnOpinion, Vendor, Wire, Words, json};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;
use said::{Complaint, Completed, Said, Session, Usage};

/// What is asked of OpenAI, or of who speaks like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAiConfig {
    /// Up to what stands before `/realtime`: `wss://api.openai.com/v1` (the default), `ws://127.0.0.1:8000/v1`, ...
    pub url: String,
    /// The API key; empty for servers that want none.
    pub key: Secret,
    /// `gpt-live-transcribe` (the default), `gpt-transcribe`, `gpt-realtime-whisper`, or what a server of one's own has.
    pub model: String,
    /// ISO 639-1 languages to be expected, `hi` and `en` by default; none if it is to find out. Only the `gpt-` models without `whisper`
    /// take more than one: with others name one or none.
    pub languages: Vec<String>,
    /// What the conversation is about; empty by default. `gpt-realtime-whisper` takes none.
    pub prompt: String,
    /// Words to be expected; none by default. `gpt-transcribe` and `gpt-live-transcribe` only.
    pub keywords: Vec<String>,
    /// How long it may wait for more before it says a word: `minimal`, `low`, `medium`, `high`, `xhigh`; `gpt-realtime-whisper` only.
    /// `None`, the default, leaves it to the server.
    pub delay: Option<String>,
    /// `near_field` or `far_field`; `None`, the default, for no noise reduction.
    pub noise_reduction: Option<String>,
    /// Who commits audio; [`OpenAiTurns::Manual`] by default.
    pub turns: OpenAiTurns,
    /// Who is spoken with; [`OpenAiDialect::OpenAi`] by default.
    pub dialect: OpenAiDialect,
    /// How much speech it may hear without a word beyond what other vendors may, in milliseconds: 10000 by default, as some models say
    /// nothing before audio is committed.
    pub holds_back_ms: u32,
}

/// Who decides that the caller has paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenAiTurns {
    /// Whoever owns the recognizer, by `finalize`. The only one for `gpt-realtime-whisper`.
    Manual,
    /// The server, by silence.
    ServerVad {
        /// How loud or clear speech has to be, in percent; the server's own default is 50.
        threshold_percent: u32,
        /// Audio before the speech that is taken along; its default is 300.
        prefix_padding_ms: u32,
        /// Silence that ends it; its default is 500.
        silence_duration_ms: u32,
    },
    /// The server, by what was said.
    SemanticVad {
        /// `low`, `medium`, `high` or `auto`: it waits for up to 8, 4, 2 or 4 seconds.
        eagerness: String,
    },
}

/// Who is spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenAiDialect {
    /// OpenAI.
    OpenAi,
    /// speaches: the beta's flat session, the model in the URL.
    Speaches,
    /// vLLM: a session without turns, whose words are final after each `finalize`.
    Vllm,
}

/// The vendor.
#[derive(Debug)]
pub struct OpenAi(pub OpenAiConfig);

impl OpenAiConfig {
    /// For callers in Hindi, English and both.
    pub fn new(key: Secret) -> Self {
        Self {
            url: "wss://api.openai.com/v1".to_owned(),
            key,
            model: "gpt-live-transcribe".to_owned(),
            languages: vec!["hi".to_owned(), "en".to_owned()],
            prompt: String::new(),
            keywords: Vec::new(),
            delay: None,
            noise_reduction: None,
            turns: OpenAiTurns::Manual,
            dialect: OpenAiDialect::OpenAi,
            holds_back_ms: 10_000,
        }
    }

    fn transcription(&self) -> Value {
        let mut block = json!({"model": self.model});
        match self.languages.as_slice() {
            [] => {}
            [one] => block["language"] = json!(one),
            several => block["languages"] = json!(several),
        }
        if !self.prompt.is_empty() {
            block["prompt"] = json!(self.prompt);
        }
        if !self.keywords.is_empty() {
            block["keywords"] = json!(self.keywords);
        }
        if let Some(delay) = &self.delay {
            block["delay"] = json!(delay);
        }
        block
    }

    fn turn_detection(&self) -> Value {
        match &self.turns {
            OpenAiTurns::Manual => Value::Null,
            OpenAiTurns::ServerVad { threshold_percent, prefix_padding_ms, silence_duration_ms } => json!({
                "type": "server_vad",
                "threshold": f64::from(*threshold_percent) / 100.0,
                "prefix_padding_ms": prefix_padding_ms,
                "silence_duration_ms": silence_duration_ms,
            }),
            OpenAiTurns::SemanticVad { eagerness } => json!({"type": "semantic_vad", "eagerness": eagerness}),
        }
    }
}

impl Vendor for OpenAi {
    fn formats(&self) -> &[AudioFormat] {
        match self.0.dialect {
            OpenAiDialect::OpenAi => {
                const { &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_24K] }
            }
            OpenAiDialect::Speaches => const { &[AudioFormat::PCM_24K] },
            OpenAiDialect::Vllm => const { &[AudioFormat::PCM_16K] },
        }
    }

    fn wire(&self, format: AudioFormat) -> Box<dyn Wire> {
        Box::new(OpenAiWire {
            config: self.0.clone(),
            format,
            utterances: Utterances::default(),
            session_id: None,
            is_ready: false,
            is_speaking: false,
            sent_bytes: 0,
            committed_bytes: 0,
            commits: VecDeque::new(),
            unnamed: 0,
        })
    }
}

#[derive(Debug)]
struct OpenAiWire {
    config: OpenAiConfig,
    format: AudioFormat,
    utterances: Utterances,
    session_id: Option<String>,
    is_ready: bool,
    /// The server hears speech.
    is_speaking: bool,
    sent_bytes: u64,
    committed_bytes: u64,
    /// Up to where the commits go that the server has not confirmed.
    commits: VecDeque<u64>,
    /// Number of the present utterance where utterances have no names.
    unnamed: u64,
}

impl Wire for OpenAiWire {
    fn request(&self) -> Request {
        let base = format!("{}/realtime", self.config.url.trim_end_matches('/'));
        let intent = ("intent", "transcription");
        let url = match self.config.dialect {
            // With a model it would be a conversation.
            OpenAiDialect::OpenAi => Url::with_query(&base, [intent]),
            OpenAiDialect::Speaches => {
                Url::with_query(&base, [intent, ("model", self.config.model.as_str())])
            }
            OpenAiDialect::Vllm => Url::new(base),
        };
        let key = self.config.key.reveal();
        let bearer = (!key.is_empty()).then(|| ("authorization", Secret::new(format!("Bearer {key}"))));
        Request::WebSocket(Endpoint { url, headers: bearer.into_iter().collect() })
    }

    fn greeting(&mut self) -> Vec<Message> {
        let session = match self.config.dialect {
            OpenAiDialect::OpenAi => {
                let mut input = json!({
                    "format": format_block(self.format),
                    "transcription": self.config.transcription(),
                    "turn_detection": self.config.turn_detection(),
                });
                if let Some(kind) = &self.config.noise_reduction {
                    input["noise_reduction"] = json!({"type": kind});
                }
                json!({"type": "transcription", "audio": {"input": input}})
            }
            OpenAiDialect::Speaches => json!({
                "input_audio_format": "pcm16",
                "input_audio_transcription": self.config.transcription(),
                "turn_detection": self.config.turn_detection(),
            }),
            // It speaks first.
            OpenAiDialect::Vllm => return Vec::new(),
        };
        vec![json::text(&json!({"type": "session.update", "session": session}))]
    }

    fn confirms(&self) -> bool {
        true
    }

    fn holds_back(&self) -> Duration {
        Duration::from_millis(self.config.holds_back_ms.into())
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        self.sent_bytes += bytes.len() as u64;
        json::text(&json!({"type": "input_audio_buffer.append", "audio": json::audio(bytes)}))
    }

    fn finalize(&mut self) -> Option<Message> {
        // Where the server commits too, there may be nothing left, and it would complain.
        let is_due = match self.config.turns {
            OpenAiTurns::Manual => {
                self.format.duration(self.sent_bytes - self.committed_bytes) >= LEAST_COMMIT
            }
            OpenAiTurns::ServerVad { .. } | OpenAiTurns::SemanticVad { .. } => self.is_speaking,
        };
        if !is_due || self.commits.len() >= MAX_COMMITS {
            return None;
        }
        self.committed_bytes = self.sent_bytes;
        self.is_speaking = false;
        self.commits.push_back(self.sent_bytes);
        Some(match self.config.dialect {
            OpenAiDialect::OpenAi | OpenAiDialect::Speaches => {
                json::text(&json!({"type": "input_audio_buffer.commit"}))
            }
            OpenAiDialect::Vllm => vllm_commit(true),
        })
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        match json::read(message)? {
            Said::Created(session) => self.created(session, told),
            Said::Updated(session) => self.ready(session, told),
            Said::SpeechStarted { item_id } => {
                self.is_speaking = true;
                self.utterances.begin(&item_id);
                told.push(Told::SpeechStarted);
            }
            Said::SpeechStopped { item_id, audio_end_ms } => {
                self.is_speaking = false;
                self.utterances.reaches(&item_id, audio_end_ms.and_then(json::millis));
            }
            Said::Committed { item_id } => {
                self.utterances.begin(&item_id);
                if let Some(bytes) = self.commits.pop_front() {
                    self.utterances.reaches(&item_id, Some(self.format.duration(bytes)));
                }
            }
            Said::Delta { item_id, delta } => self.utterances.append(&item_id, &delta),
            Said::Completed(completed) => self.completed(completed, told),
            Said::Failed { item_id, error } => self.failed(&item_id, error, told)?,
            Said::VllmDelta { delta } => self.utterances.append(&self.unnamed.to_string(), &delta),
            Said::VllmDone { text, usage } => self.vllm_done(text, usage, told),
            Said::Error { error, code } => self.complained(Complaint::of(error, code), told)?,
            Said::Other => {}
        }
        self.utterances.tell(told);
        Ok(())
    }
}

impl OpenAiWire {
    /// The servers of one's own confirm no update, or not always.
    fn created(&mut self, session: Session, told: &mut Vec<Told>) {
        match self.config.dialect {
            OpenAiDialect::OpenAi => self.session_id = session.id(),
            OpenAiDialect::Speaches => self.ready(session, told),
            OpenAiDialect::Vllm => {
                let model = json!({"type": "session.update", "model": self.config.model});
                told.extend([json::text(&model), vllm_commit(false)].map(Told::Answer));
                self.ready(session, told);
            }
        }
    }

    fn ready(&mut self, session: Session, told: &mut Vec<Told>) {
        self.is_ready = true;
        self.session_id = session.id().or(self.session_id.take());
        told.push(Told::Ready { request_id: self.session_id.clone() });
    }

    fn completed(&mut self, completed: Completed, told: &mut Vec<Told>) {
        let has_words = !completed.transcript.is_empty();
        let language = completed.languages.first().map(|language| json::shown(Some(language)));
        let words = Words { text: completed.transcript, language, ..Words::default() };
        self.utterances.end(&completed.item_id, words);
        self.utterances.tell(told);
        let server_decides = self.config.turns != OpenAiTurns::Manual;
        if has_words && server_decides && !self.is_speaking {
            told.push(Told::Turn(TurnOpinion::Ended));
        }
        told.extend(completed.usage.and_then(Usage::audio).map(Told::Metered));
    }

    /// Its next words need another beginning.
    fn vllm_done(&mut self, text: String, usage: Option<Usage>, told: &mut Vec<Told>) {
        let until = self.commits.pop_front().map(|bytes| self.format.duration(bytes));
        self.utterances.end(&self.unnamed.to_string(), Words { text, until, ..Words::default() });
        self.unnamed += 1;
        told.extend(usage.and_then(Usage::audio).map(Told::Metered));
        told.push(Told::Answer(vllm_commit(false)));
    }

    fn failed(&mut self, item_id: &str, error: Value, told: &mut Vec<Told>) -> Result<(), Fault> {
        self.utterances.abandon(item_id);
        self.complained(Complaint::of(error, None), told)
    }

    /// Most complaints leave the session as it is.
    fn complained(&self, complaint: Complaint, told: &mut Vec<Told>) -> Result<(), Fault> {
        let kind = match complaint.kind() {
            Some(kind) => kind,
            None if self.is_ready && self.config.dialect != OpenAiDialect::Vllm => {
                told.push(Told::Warning(complaint.detail()));
                return Ok(());
            }
            None if complaint.is_ours() => FaultKind::Refused,
            None => FaultKind::Unavailable,
        };
        Err(Fault::new(kind, complaint.detail()).with_request_id(self.session_id.as_deref()))
    }
}

fn format_block(format: AudioFormat) -> Value {
    match format.encoding {
        Encoding::Mulaw => json!({"type": "audio/pcmu"}),
        Encoding::Alaw => json!({"type": "audio/pcma"}),
        Encoding::Linear16 => json!({"type": "audio/pcm", "rate": format.rate_hz}),
    }
}

fn vllm_commit(is_last: bool) -> Message {
    json::text(&json!({"type": "input_audio_buffer.commit", "final": is_last}))
}

/// A commit of less is an error.
const LEAST_COMMIT: Duration = Duration::from_millis(100);
/// Commits that the server has not confirmed. It is stuck if there are more; audio goes on, and is committed later.
const MAX_COMMITS: usize = 16;

#[cfg(test)]
mod tests;
