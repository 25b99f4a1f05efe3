//! Google's Gemini Live on a WebSocket (`BidiGenerateContent`, 2026-11).
//!
//! All messages are JSON, in text or in binary frames. Sound is PCM, 16 kHz in and 24 kHz out. A connection lasts about ten minutes, and is told to go
//! before; a handle brings the next one into the same session. Items have no names here: the codec numbers them.

mod said;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{AnswerStatus, Formats, Habits, Setup, Speaker, Told, Vendor, Wire};
use crate::audio::AudioFormat;
use crate::link::{Endpoint, Message, Request, Url};
use crate::llm::{ToolRequest, ToolResult, ToolSpec, Turn};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;
use said::{Content, Said, seconds};

/// What is asked of Google.
#[derive(Clone, Debug, PartialEq)]
pub struct GeminiConfig {
    /// The whole URL without its query. By default that of Google AI; Vertex has another host and path.
    pub url: String,
    /// Who pays.
    pub auth: GeminiAuth,
    /// The model: `models/gemini-3.8-live`.
    pub model: String,
    /// The voice: `Kore`.
    pub voice: String,
    /// Who finds out that the caller's turn is over.
    pub turns: GeminiTurns,
    /// Whether it writes down what both say; it does by default, and without it nothing is known of the conversation when a session is lost.
    pub transcribes: bool,
    /// Said in the caller's place where the agent is to speak and nobody says what for: `(Go on.)`.
    pub cue: String,
    /// After so long a connection is made anew at a quiet moment, if the vendor has not asked for that before: 9 minutes.
    pub recycle_after: Duration,
    /// Other fields of `generationConfig` as they are, for example `temperature`.
    pub extra: Map<String, Value>,
}

/// Who pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeminiAuth {
    /// An API key of Google AI; it goes with the URL and is not printed.
    Key(Secret),
    /// An access token of Google Cloud, as Vertex wants it.
    Token(Secret),
}

/// Who finds out that the caller's turn is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeminiTurns {
    /// The vendor.
    Automatic {
        /// The silence that ends a turn, in milliseconds; 500.
        silence_ms: u32,
    },
    /// Who owns the call.
    Manual,
}

/// The vendor.
#[derive(Debug)]
pub struct Gemini(pub GeminiConfig);

impl GeminiConfig {
    /// A model of that name.
    pub fn new(auth: GeminiAuth, model: &str) -> Self {
        let url = "wss://generativelanguage.googleapis.com/ws/\
                   google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
        Self {
            url: url.to_owned(),
            auth,
            model: model.to_owned(),
            voice: "Kore".to_owned(),
            turns: GeminiTurns::Automatic { silence_ms: 500 },
            transcribes: true,
            cue: "(Go on.)".to_owned(),
            recycle_after: Duration::from_secs(9 * 60),
            extra: Map::new(),
        }
    }
}

impl Vendor for Gemini {
    fn formats(&self) -> &[Formats] {
        const { &[Formats { input: AudioFormat::PCM_16K, output: AudioFormat::PCM_24K }] }
    }

    fn wire(&self, formats: Formats, setup: &Setup, handle: Option<&str>) -> Box<dyn Wire> {
        Box::new(GeminiWire {
            config: self.0.clone(),
            formats,
            setup: setup.clone(),
            handle: handle.map(str::to_owned),
            number: 0,
            is_answering: false,
            heard: String::new(),
            usage: None,
            calls: VecDeque::new(),
            is_active: false,
        })
    }
}

#[derive(Debug)]
struct GeminiWire {
    config: GeminiConfig,
    formats: Formats,
    setup: Setup,
    handle: Option<String>,
    /// Of the exchange: the caller's turn and the answer to it.
    number: u32,
    is_answering: bool,
    /// What the caller has said in this turn, as far as it is written down.
    heard: String,
    usage: Option<super::Usage>,
    /// Tools that were asked for last: an answer needs their names.
    calls: VecDeque<(String, String)>,
    /// The vendor was told that the caller speaks.
    is_active: bool,
}

impl Wire for GeminiWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let base = super::web_socket(&config.url);
        let endpoint = match &config.auth {
            GeminiAuth::Key(key) => {
                Endpoint { url: Url::with_query(&base, [("key", key.reveal())]), headers: Vec::new() }
            }
            GeminiAuth::Token(token) => {
                let bearer = Secret::new(format!("Bearer {}", token.reveal()));
                Endpoint { url: Url::new(base), headers: vec![("authorization", bearer)] }
            }
        };
        Request::WebSocket(endpoint)
    }

    fn greeting(&mut self) -> Vec<Message> {
        let config = &self.config;
        let mut generation = Value::Object(config.extra.clone());
        generation["responseModalities"] = json!(["AUDIO"]);
        generation["speechConfig"] =
            json!({ "voiceConfig": { "prebuiltVoiceConfig": { "voiceName": config.voice } } });
        let input = match config.turns {
            GeminiTurns::Automatic { silence_ms } => {
                json!({ "automaticActivityDetection": { "silenceDurationMs": silence_ms } })
            }
            // The sound goes on behind a turn's end and begins the next one: that is no interruption.
            GeminiTurns::Manual => json!({
                "automaticActivityDetection": { "disabled": true }, "activityHandling": "NO_INTERRUPTION" }),
        };
        let resumption = self.handle.as_ref().map_or_else(|| json!({}), |handle| json!({ "handle": handle }));
        let mut setup = json!({
            "model": config.model,
            "generationConfig": generation,
            "systemInstruction": { "parts": [{ "text": &*self.setup.instructions }] },
            "realtimeInputConfig": input,
            "sessionResumption": resumption,
        });
        if config.transcribes {
            setup["inputAudioTranscription"] = json!({});
            setup["outputAudioTranscription"] = json!({});
        }
        if !self.setup.tools.is_empty() {
            let declarations: Vec<Value> = self.setup.tools.iter().map(declaration).collect();
            setup["tools"] = json!([{ "functionDeclarations": declarations }]);
        }
        vec![say(&json!({ "setup": setup }))]
    }

    fn habits(&self) -> Habits {
        let is_automatic = self.config.turns != GeminiTurns::Manual;
        Habits {
            ends_turns: is_automatic,
            answers_ended_turns: true,
            answers_results: true,
            stops_when_interrupted: is_automatic,
        }
    }

    fn lifetime(&self) -> Option<Duration> {
        Some(self.config.recycle_after)
    }

    fn is_resumed(&self) -> bool {
        self.handle.is_some()
    }

    fn replay(&mut self, turns: &[Turn]) -> Vec<Message> {
        let mut contents = Vec::new();
        let mut content = |role: &str, text: &str| {
            contents.push(json!({ "role": role, "parts": [{ "text": text }] }));
        };
        for turn in turns {
            match turn {
                Turn::User(text) => content("user", text),
                Turn::Assistant { text, calls } => {
                    if !text.is_empty() {
                        content("model", text);
                    }
                    for call in calls {
                        let text = format!("(The tool {} was used with {}.)", call.name, call.arguments);
                        content("user", &text);
                    }
                }
                Turn::Results(results) => {
                    for result in results {
                        content("user", &format!("(The tool answered: {})", result.content));
                    }
                }
            }
        }
        if contents.is_empty() {
            return Vec::new();
        }
        vec![say(&json!({ "clientContent": { "turns": contents, "turnComplete": false } }))]
    }

    fn audio(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        if self.config.turns == GeminiTurns::Manual && !std::mem::replace(&mut self.is_active, true) {
            messages.push(say(&json!({ "realtimeInput": { "activityStart": {} } })));
        }
        let kind = format!("audio/pcm;rate={}", self.formats.input.rate_hz);
        let audio = json!({ "mimeType": kind, "data": super::base64(bytes) });
        messages.push(say(&json!({ "realtimeInput": { "audio": audio } })));
        messages
    }

    fn end_turn(&mut self) -> Vec<Message> {
        if self.config.turns != GeminiTurns::Manual {
            // It answers what it has heard so far; the stream goes on with the next sound.
            return vec![say(&json!({ "realtimeInput": { "audioStreamEnd": true } }))];
        }
        if !std::mem::take(&mut self.is_active) {
            return Vec::new();
        }
        vec![say(&json!({ "realtimeInput": { "activityEnd": {} } }))]
    }

    /// There is no role for the house in a conversation.
    fn note(&mut self, by: Speaker, text: &str) -> Vec<Message> {
        let (role, text) = match by {
            Speaker::User => ("user", text.to_owned()),
            Speaker::Assistant => ("model", text.to_owned()),
            Speaker::System => ("user", format!("({text})")),
        };
        let turn = json!({ "role": role, "parts": [{ "text": text }] });
        vec![say(&json!({ "clientContent": { "turns": [turn], "turnComplete": false } }))]
    }

    fn respond(&mut self, instructions: Option<&str>) -> Vec<Message> {
        let text = instructions.map_or_else(|| self.config.cue.clone(), |text| format!("({text})"));
        let turn = json!({ "role": "user", "parts": [{ "text": text }] });
        vec![say(&json!({ "clientContent": { "turns": [turn], "turnComplete": true } }))]
    }

    /// There is no word for it: what still comes is not listened to.
    fn cancel(&mut self) -> Vec<Message> {
        Vec::new()
    }

    fn truncate(&mut self, _item: &str, _heard: Duration) -> Vec<Message> {
        Vec::new()
    }

    fn result(&mut self, result: &ToolResult) -> Vec<Message> {
        let at = self.calls.iter().position(|(id, _)| *id == result.id);
        let name = at.and_then(|at| self.calls.remove(at)).map(|(_, name)| name).unwrap_or_default();
        let content = serde_json::from_str::<Value>(&result.content);
        let content = content.unwrap_or_else(|_| result.content.as_str().into());
        let response = match content {
            error if result.is_error => json!({ "error": error }),
            Value::Object(object) => Value::Object(object),
            other => json!({ "result": other }),
        };
        let response = json!({ "id": result.id, "name": name, "response": response });
        vec![say(&json!({ "toolResponse": { "functionResponses": [response] } }))]
    }

    fn closed(&self, code: Option<u16>, reason: &str) -> Option<Fault> {
        let detail = format!("it closed the connection: {reason}");
        let found = Fault::of_words(reason, detail.as_str());
        match code {
            Some(1007 | 1008) if found.kind == FaultKind::Unavailable => {
                Some(Fault::new(FaultKind::Refused, detail))
            }
            Some(1007 | 1008 | 1011) => Some(found),
            Some(_) | None => None,
        }
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let said: Said = match message {
            Message::Text(text) => serde_json::from_str(text),
            Message::Binary(bytes) => serde_json::from_slice(bytes),
        }
        .map_err(Fault::malformed)?;
        if said.setup_complete.is_some() {
            told.push(Told::Ready { request_id: None });
        }
        if let Some(usage) = said.usage_metadata {
            self.usage = Some(usage.into());
        }
        if let Some(content) = said.server_content {
            self.content(content, told)?;
        }
        for call in said.tool_call.and_then(|call| call.function_calls).unwrap_or_default() {
            self.answer(told);
            if self.calls.len() >= MAX_CALLS {
                self.calls.pop_front();
            }
            let id = call.id.unwrap_or_else(|| format!("call_{}_{}", self.number, self.calls.len()));
            self.calls.push_back((id.clone(), call.name.clone()));
            let arguments = call.args.unwrap_or_else(|| json!({})).to_string();
            told.push(Told::Tool(ToolRequest { id, name: call.name, arguments }));
        }
        if let Some(ids) = said.tool_call_cancellation.and_then(|cancelled| cancelled.ids) {
            self.calls.retain(|(id, _)| !ids.contains(id));
            told.push(Told::ToolsCancelled(ids));
        }
        if let Some(update) = said.session_resumption_update {
            let is_resumable = update.resumable.unwrap_or(false);
            let handle = update.new_handle.filter(|handle| is_resumable && !handle.is_empty());
            told.push(Told::Handle(handle));
        }
        if let Some(away) = said.go_away {
            told.push(Told::GoAway { left: seconds(away.time_left.as_deref().unwrap_or_default()) });
        }
        Ok(())
    }
}

impl GeminiWire {
    fn content(&mut self, content: Content, told: &mut Vec<Told>) -> Result<(), Fault> {
        if let Some(text) = content.input_transcription.and_then(|words| words.text) {
            self.heard.push_str(&text);
            self.heard.truncate(self.heard.floor_char_boundary(MAX_TRANSCRIPT_BYTES));
            let (item, text) = (self.name("user"), self.heard.clone());
            told.push(Told::Transcript { item, text, is_final: false });
        }
        for part in content.model_turn.and_then(|turn| turn.parts).unwrap_or_default() {
            let Some(blob) = part.inline_data else { continue };
            if !blob.mime_type.as_deref().unwrap_or("audio/pcm").starts_with("audio/pcm") {
                return Err(Fault::new(
                    FaultKind::WrongAudio,
                    format!("sound of {:?} where PCM was asked for", blob.mime_type),
                ));
            }
            let bytes = super::sound(&blob.data.unwrap_or_default())?;
            self.answer(told);
            let (answer, item) = (self.name("answer"), self.name("agent"));
            if !bytes.is_empty() {
                told.push(Told::Audio { answer, item, bytes });
            }
        }
        if let Some(text) = content.output_transcription.and_then(|words| words.text) {
            self.answer(told);
            let (answer, item) = (self.name("answer"), self.name("agent"));
            told.push(Told::AgentText { answer, item, text });
        }
        if content.generation_complete == Some(true) {
            told.push(Told::SoundComplete);
        }
        if content.interrupted == Some(true) {
            told.push(Told::Interrupted);
            self.over(AnswerStatus::Cancelled, told);
        }
        if content.turn_complete == Some(true) {
            self.over(AnswerStatus::Completed, told);
        }
        Ok(())
    }

    /// An answer begins, if there is none: the caller's turn before it is complete.
    fn answer(&mut self, told: &mut Vec<Told>) {
        if std::mem::replace(&mut self.is_answering, true) {
            return;
        }
        let item = self.name("user");
        told.push(Told::Turn { item: item.clone() });
        let text = std::mem::take(&mut self.heard);
        if !text.is_empty() {
            told.push(Told::Transcript { item, text, is_final: true });
        }
        told.push(Told::AnswerStarted { answer: self.name("answer") });
    }

    fn over(&mut self, status: AnswerStatus, told: &mut Vec<Told>) {
        if std::mem::take(&mut self.is_answering) {
            told.push(Told::AnswerDone { status, usage: self.usage.take() });
            self.number = self.number.wrapping_add(1);
        }
    }

    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.number)
    }
}

fn declaration(tool: &ToolSpec) -> Value {
    let mut declaration = json!({ "name": tool.name, "description": tool.description });
    // An object without properties is refused.
    let has_properties = tool.parameters.get("properties").and_then(Value::as_object);
    if has_properties.is_some_and(|properties| !properties.is_empty()) {
        declaration["parameters"] = schema(&tool.parameters, MAX_DEPTH);
    }
    declaration
}

/// A JSON schema as the vendor takes it: types in capitals, and no word that it does not know.
fn schema(from: &Value, depth: usize) -> Value {
    let Some(object) = from.as_object().filter(|_| depth > 0) else { return json!({}) };
    let mut to = Map::new();
    for (name, value) in object {
        let value = match (name.as_str(), value) {
            ("type", Value::String(kind)) => kind.to_uppercase().into(),
            // One kind or nothing.
            ("type", Value::Array(kinds)) => {
                let mut named = kinds.iter().filter_map(Value::as_str);
                if kinds.iter().any(|kind| kind == "null") {
                    to.insert("nullable".to_owned(), true.into());
                }
                named.find(|kind| *kind != "null").unwrap_or("string").to_uppercase().into()
            }
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, property)| (name.clone(), schema(property, depth - 1)))
                .collect::<Map<_, _>>()
                .into(),
            ("items", items) => schema(items, depth - 1),
            ("anyOf", Value::Array(some)) => some.iter().map(|one| schema(one, depth - 1)).collect(),
            (
                "description" | "enum" | "format" | "required" | "nullable" | "minimum" | "maximum"
                | "minItems" | "maxItems" | "minLength" | "maxLength" | "pattern" | "title",
                value,
            ) => value.clone(),
            _ => continue,
        };
        to.insert(name.clone(), value);
    }
    Value::Object(to)
}

fn say(json: &Value) -> Message {
    Message::Text(json.to_string())
}

/// Tools that are being used at once.
const MAX_CALLS: usize = 16;
/// Nobody speaks longer in one turn.
const MAX_TRANSCRIPT_BYTES: usize = 16 * 1024;
/// Of schemas within schemas.
const MAX_DEPTH: usize = 12;

#[cfg(test)]
mod tests;
