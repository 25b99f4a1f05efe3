//! OpenAI's realtime interface on a WebSocket (general availability, 2026-11), and servers that speak the same, also by its older names.
//!
//! All messages are JSON; sound goes in base64, in the telephone's own codec where the call has it. There is one answer at a time. The server does not
//! know what was played, and is told where an answer was cut off.

mod said;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{AnswerStatus, Formats, Habits, Setup, Speaker, Told, Vendor, Wire};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::llm::{ToolRequest, ToolResult, ToolSpec, Turn};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;
use said::{Said, rate_limits};

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAiRealtimeConfig {
    /// What comes before `/realtime`: `wss://api.openai.com/v1`.
    pub url: String,
    /// The API key; servers of one's own often want none.
    pub key: Option<Secret>,
    /// The model: `gpt-realtime-2.1`.
    pub model: String,
    /// The voice: `marin`. It stays the same for a whole session.
    pub voice: String,
    /// 0.25 to 1.5 times the usual speed; not sent by default.
    pub speed: Option<f64>,
    /// Who finds out that the caller's turn is over.
    pub turns: OpenAiTurns,
    /// Whether the vendor stops its answer when it hears the caller; not by default, as who owns the call decides what is an interruption.
    pub stops_when_interrupted: bool,
    /// Who writes down what the caller says; `None` for nobody.
    pub transcription: Option<Transcription>,
    /// `near_field` or `far_field`; nothing is done about noise by default.
    pub noise_reduction: Option<String>,
    /// The longest answer in tokens, 1 to 4096; no limit by default.
    pub max_output_tokens: Option<u32>,
    /// After so long a connection is made anew at a quiet moment: 52 minutes, as the vendor ends a session after 60 without a word.
    pub recycle_after: Duration,
    /// Other fields of the session as they are, for example `reasoning`.
    pub extra: Map<String, Value>,
}

/// Who finds out that the caller's turn is over.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenAiTurns {
    /// The vendor, by silence.
    Server {
        /// 0 to 1: how sure it is to be that it hears speech; 0.5.
        threshold: f64,
        /// How much of what was before speech belongs to it, in milliseconds; 300.
        prefix_padding_ms: u32,
        /// The silence that ends a turn, in milliseconds; 500.
        silence_ms: u32,
    },
    /// The vendor, by what is said.
    Semantic {
        /// `low` waits up to 8 s, `medium` 4 s, `high` 2 s; `auto` is `medium`.
        eagerness: String,
    },
    /// Who owns the call.
    Manual,
}

/// Who writes down what the caller says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcription {
    /// The model: `gpt-transcribe`.
    pub model: String,
    /// Whether it is told the language; it is by default.
    pub names_language: bool,
}

/// The vendor.
#[derive(Debug)]
pub struct OpenAiRealtime(pub OpenAiRealtimeConfig);

impl OpenAiRealtimeConfig {
    /// A model of that name.
    pub fn new(key: Option<Secret>, model: &str) -> Self {
        Self {
            url: "wss://api.openai.com/v1".to_owned(),
            key,
            model: model.to_owned(),
            voice: "marin".to_owned(),
            speed: None,
            turns: OpenAiTurns::Server { threshold: 0.5, prefix_padding_ms: 300, silence_ms: 500 },
            stops_when_interrupted: false,
            transcription: Some(Transcription { model: "gpt-transcribe".to_owned(), names_language: true }),
            noise_reduction: None,
            max_output_tokens: None,
            recycle_after: Duration::from_secs(52 * 60),
            extra: Map::new(),
        }
    }
}

impl Vendor for OpenAiRealtime {
    fn formats(&self) -> &[Formats] {
        const MULAW: Formats = Formats { input: AudioFormat::MULAW_8K, output: AudioFormat::MULAW_8K };
        const ALAW: Formats = Formats { input: AudioFormat::ALAW_8K, output: AudioFormat::ALAW_8K };
        const PCM: Formats = Formats { input: AudioFormat::PCM_24K, output: AudioFormat::PCM_24K };
        const { &[MULAW, ALAW, PCM] }
    }

    fn wire(&self, formats: Formats, setup: &Setup, _handle: Option<&str>) -> Box<dyn Wire> {
        Box::new(OpenAiWire {
            config: self.0.clone(),
            formats,
            setup: setup.clone(),
            request_id: None,
            transcripts: VecDeque::new(),
            calls: VecDeque::new(),
        })
    }
}

#[derive(Debug)]
struct OpenAiWire {
    config: OpenAiRealtimeConfig,
    formats: Formats,
    setup: Setup,
    request_id: Option<String>,
    /// What is being written down, by item.
    transcripts: VecDeque<(String, String)>,
    /// Tools that were asked for last: their ids, their names, and whether that was told.
    calls: VecDeque<Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    is_told: bool,
}

impl Wire for OpenAiWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let base = format!("{}/realtime", super::web_socket(&config.url));
        let key = config.key.iter();
        let headers =
            key.map(|key| ("authorization", Secret::new(format!("Bearer {}", key.reveal())))).collect();
        let url = Url::with_query(&base, [("model", config.model.as_str())]);
        Request::WebSocket(Endpoint { url, headers })
    }

    fn greeting(&mut self) -> Vec<Message> {
        vec![say(&json!({ "type": "session.update", "event_id": SETUP, "session": self.session() }))]
    }

    fn habits(&self) -> Habits {
        Habits {
            ends_turns: self.config.turns != OpenAiTurns::Manual,
            answers_ended_turns: false,
            answers_results: false,
            stops_when_interrupted: self.config.stops_when_interrupted
                && self.config.turns != OpenAiTurns::Manual,
        }
    }

    fn lifetime(&self) -> Option<Duration> {
        Some(self.config.recycle_after)
    }

    /// Tools go as words: the session does not know their names of use.
    fn replay(&mut self, turns: &[Turn]) -> Vec<Message> {
        let mut messages = Vec::new();
        for turn in turns {
            match turn {
                Turn::User(text) => messages.extend(self.note(Speaker::User, text)),
                Turn::Assistant { text, calls } => {
                    if !text.is_empty() {
                        messages.extend(self.note(Speaker::Assistant, text));
                    }
                    for call in calls {
                        let text = format!("The tool {} was used with {}.", call.name, call.arguments);
                        messages.extend(self.note(Speaker::System, &text));
                    }
                }
                Turn::Results(results) => {
                    for result in results {
                        messages.extend(
                            self.note(Speaker::System, &format!("The tool answered: {}", result.content)),
                        );
                    }
                }
            }
        }
        messages
    }

    fn audio(&mut self, bytes: &[u8]) -> Vec<Message> {
        vec![say(&json!({ "type": "input_audio_buffer.append", "audio": super::base64(bytes) }))]
    }

    fn end_turn(&mut self) -> Vec<Message> {
        vec![say(&json!({ "type": "input_audio_buffer.commit" }))]
    }

    fn note(&mut self, by: Speaker, text: &str) -> Vec<Message> {
        let (role, kind) = match by {
            Speaker::User => ("user", "input_text"),
            Speaker::Assistant => ("assistant", "output_text"),
            Speaker::System => ("system", "input_text"),
        };
        let content = json!([{ "type": kind, "text": text }]);
        let item = json!({ "type": "message", "role": role, "content": content });
        vec![say(&json!({ "type": "conversation.item.create", "item": item }))]
    }

    /// The instructions of one answer take the place of the session's, which are to hold for it too.
    fn respond(&mut self, instructions: Option<&str>) -> Vec<Message> {
        let mut message = json!({ "type": "response.create" });
        if let Some(wish) = instructions {
            let own = &self.setup.instructions;
            let both = if own.is_empty() { wish.to_owned() } else { format!("{own}\n\n{wish}") };
            message["response"] = json!({ "instructions": both });
        }
        vec![say(&message)]
    }

    fn cancel(&mut self) -> Vec<Message> {
        vec![say(&json!({ "type": "response.cancel" }))]
    }

    fn truncate(&mut self, item: &str, heard: Duration) -> Vec<Message> {
        let heard_ms = u64::try_from(heard.as_millis()).unwrap_or(u64::MAX);
        vec![say(
            &json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": heard_ms }),
        )]
    }

    fn result(&mut self, result: &ToolResult) -> Vec<Message> {
        let output = if result.is_error {
            json!({ "error": result.content }).to_string()
        } else {
            result.content.clone()
        };
        let item = json!({ "type": "function_call_output", "call_id": result.id, "output": output });
        vec![say(&json!({ "type": "conversation.item.create", "item": item }))]
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let said: Said = match message {
            Message::Text(text) => serde_json::from_str(text),
            Message::Binary(bytes) => serde_json::from_slice(bytes),
        }
        .map_err(Fault::malformed)?;
        self.said(said, told)
    }
}

impl OpenAiWire {
    fn session(&self) -> Value {
        let config = &self.config;
        let mut input = json!({ "format": format(self.formats.input), "turn_detection": self.turn_detection(),
            "transcription": self.transcription() });
        if let Some(kind) = &config.noise_reduction {
            input["noise_reduction"] = json!({ "type": kind });
        }
        let mut output = json!({ "format": format(self.formats.output), "voice": config.voice });
        if let Some(speed) = config.speed {
            output["speed"] = speed.into();
        }
        let mut session = Value::Object(config.extra.clone());
        session["type"] = "realtime".into();
        session["instructions"] = (*self.setup.instructions).into();
        session["output_modalities"] = json!(["audio"]);
        session["audio"] = json!({ "input": input, "output": output });
        if let Some(limit) = config.max_output_tokens {
            session["max_output_tokens"] = limit.into();
        }
        if !self.setup.tools.is_empty() {
            session["tools"] = self.setup.tools.iter().map(tool).collect();
            session["tool_choice"] = "auto".into();
        }
        session
    }

    fn turn_detection(&self) -> Value {
        let interrupts = self.config.stops_when_interrupted;
        match &self.config.turns {
            OpenAiTurns::Server { threshold, prefix_padding_ms, silence_ms } => json!({
                "type": "server_vad", "threshold": threshold, "prefix_padding_ms": prefix_padding_ms,
                "silence_duration_ms": silence_ms, "create_response": true, "interrupt_response": interrupts }),
            OpenAiTurns::Semantic { eagerness } => json!({
                "type": "semantic_vad", "eagerness": eagerness, "create_response": true,
                "interrupt_response": interrupts }),
            OpenAiTurns::Manual => Value::Null,
        }
    }

    fn transcription(&self) -> Value {
        let Some(transcription) = &self.config.transcription else { return Value::Null };
        let mut block = json!({ "model": transcription.model });
        let language = self.setup.language.split('-').next().unwrap_or_default();
        if transcription.names_language && !language.is_empty() {
            block["language"] = language.into();
        }
        block
    }

    fn said(&mut self, said: Said, told: &mut Vec<Told>) -> Result<(), Fault> {
        match said.kind.as_str() {
            "session.created" => self.request_id = said.session.and_then(|session| session.id),
            "session.updated" => told.push(Told::Ready { request_id: self.request_id.clone() }),
            "input_audio_buffer.speech_started" => told.push(Told::SpeechStarted),
            "input_audio_buffer.speech_stopped" => told.push(Told::SpeechStopped),
            "input_audio_buffer.committed" => {
                told.extend(said.item_id.map(|item| Told::Turn { item }));
            }
            "conversation.item.input_audio_transcription.delta" => self.transcript(said, false, told),
            "conversation.item.input_audio_transcription.completed" => self.transcript(said, true, told),
            "conversation.item.input_audio_transcription.failed" => {
                let why = said.error.map(|error| error.detail()).unwrap_or_default();
                told.push(Told::Warning(format!("the caller's words were not written down: {why}")));
            }
            "response.created" => {
                let answer = said.response.and_then(|response| response.id).unwrap_or_default();
                told.push(Told::AnswerStarted { answer });
            }
            "response.output_audio.delta" | "response.audio.delta" => {
                let bytes = super::sound(&said.delta.unwrap_or_default())?;
                let (answer, item) = (said.response_id.unwrap_or_default(), said.item_id.unwrap_or_default());
                if !bytes.is_empty() {
                    told.push(Told::Audio { answer, item, bytes });
                }
            }
            "response.output_audio_transcript.delta"
            | "response.audio_transcript.delta"
            | "response.output_text.delta"
            | "response.text.delta" => {
                let (answer, item) = (said.response_id.unwrap_or_default(), said.item_id.unwrap_or_default());
                let text = said.delta.filter(|text| !text.is_empty());
                told.extend(text.map(|text| Told::AgentText { answer, item, text }));
            }
            "response.output_item.added" | "response.output_item.done" => self.item(said.item, told),
            "response.function_call_arguments.done" => {
                self.call(said.call_id, said.name, said.arguments, told);
            }
            "response.done" => self.answer_done(said, told),
            "rate_limits.updated" => {
                told.push(Told::RateLimits(rate_limits(said.rate_limits.unwrap_or_default())));
            }
            "error" => {
                let name = self.request_id.as_deref();
                return error(said, told).map_err(|fault| fault.with_request_id(name));
            }
            _ => {}
        }
        Ok(())
    }

    /// What is written down comes in parts; all of it so far is told.
    fn transcript(&mut self, said: Said, is_final: bool, told: &mut Vec<Told>) {
        let Some(item) = said.item_id else { return };
        let at = self.transcripts.iter().position(|(name, _)| *name == item);
        if is_final {
            at.and_then(|at| self.transcripts.remove(at));
            let text = said.transcript.unwrap_or_default();
            return told.push(Told::Transcript { item, text, is_final });
        }
        let at = at.unwrap_or_else(|| {
            if self.transcripts.len() >= MAX_OPEN {
                self.transcripts.pop_front();
            }
            self.transcripts.push_back((item.clone(), String::new()));
            self.transcripts.len() - 1
        });
        let text = &mut self.transcripts[at].1;
        text.push_str(&said.delta.unwrap_or_default());
        text.truncate(text.floor_char_boundary(MAX_TRANSCRIPT_BYTES));
        told.push(Told::Transcript { item, text: text.clone(), is_final });
    }

    /// An item of an answer: where it is a tool, its name is known from here on. By the older names it is known from nowhere else.
    fn item(&mut self, item: Option<said::Item>, told: &mut Vec<Told>) {
        let Some(item) = item.filter(|item| item.kind.as_deref() == Some("function_call")) else { return };
        let is_done = item.status.as_deref() == Some("completed");
        if is_done {
            return self.call(item.call_id, item.name, item.arguments, told);
        }
        if let (Some(id), Some(name)) = (item.call_id, item.name) {
            self.open_call(&id, name);
        }
    }

    fn open_call(&mut self, id: &str, name: String) -> usize {
        if let Some(at) = self.calls.iter().position(|call| call.id == id) {
            return at;
        }
        if self.calls.len() >= MAX_OPEN {
            self.calls.pop_front();
        }
        self.calls.push_back(Call { id: id.to_owned(), name, is_told: false });
        self.calls.len() - 1
    }

    /// A tool that is to be used is told once, whichever message says it first.
    fn call(
        &mut self,
        id: Option<String>,
        name: Option<String>,
        arguments: Option<String>,
        told: &mut Vec<Told>,
    ) {
        let Some(id) = id else { return };
        let at = self.open_call(&id, name.clone().unwrap_or_default());
        let call = &mut self.calls[at];
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| call.name.clone());
        if !name.is_empty() && !std::mem::replace(&mut call.is_told, true) {
            told.push(Told::Tool(ToolRequest { id, name, arguments: arguments.unwrap_or_default() }));
        }
    }

    fn answer_done(&mut self, said: Said, told: &mut Vec<Told>) {
        let Some(response) = said.response else {
            return told.push(Told::AnswerDone { status: AnswerStatus::Completed, usage: None });
        };
        let details = response.status_details.unwrap_or_default();
        let status = match response.status.as_deref() {
            Some("cancelled") => AnswerStatus::Cancelled,
            Some("incomplete") => AnswerStatus::Incomplete(details.reason.unwrap_or_default()),
            Some("failed") => {
                let unknown = || Fault::new(FaultKind::Unavailable, "the answer failed");
                AnswerStatus::Failed(details.error.map_or_else(unknown, said::RawError::fault))
            }
            // `completed`, and what is not known yet.
            Some(_) | None => AnswerStatus::Completed,
        };
        if status == AnswerStatus::Completed {
            for item in response.output.unwrap_or_default() {
                if item.kind.as_deref() == Some("function_call") {
                    self.call(item.call_id, item.name, item.arguments, told);
                }
            }
        }
        told.push(Told::AnswerDone { status, usage: response.usage.map(Into::into) });
    }
}

/// Most errors leave the session as it is.
fn error(said: Said, told: &mut Vec<Told>) -> Result<(), Fault> {
    let Some(error) = said.error else { return Ok(()) };
    match error.code.as_deref().unwrap_or_default() {
        // It was over before the word came.
        "response_cancel_not_active" => return Ok(()),
        "conversation_already_has_active_response" => {
            told.push(Told::Busy);
            return Ok(());
        }
        "session_expired" => return Err(Fault::new(FaultKind::Dropped, error.detail())),
        _ => {}
    }
    let is_of_setup = error.event_id.as_deref() == Some(SETUP);
    let detail = error.detail();
    let fault = error.fault();
    if is_of_setup || matches!(fault.kind, FaultKind::Unauthorized | FaultKind::NotFound) {
        return Err(fault);
    }
    told.push(Told::Warning(detail));
    Ok(())
}

fn format(format: AudioFormat) -> Value {
    match format.encoding {
        Encoding::Mulaw => json!({ "type": "audio/pcmu" }),
        Encoding::Alaw => json!({ "type": "audio/pcma" }),
        Encoding::Linear16 => json!({ "type": "audio/pcm", "rate": format.rate_hz }),
    }
}

fn tool(tool: &ToolSpec) -> Value {
    json!({ "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters })
}

fn say(json: &Value) -> Message {
    Message::Text(json.to_string())
}

/// Tells the errors of the setup from others.
const SETUP: &str = "setup";
/// Turns that are being written down, and tools that are being asked for: a few at once.
const MAX_OPEN: usize = 16;
/// Nobody speaks longer in one turn.
const MAX_TRANSCRIPT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
