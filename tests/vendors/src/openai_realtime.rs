//! OpenAI Realtime (GA): a model that hears and speaks, `wss://api.openai.com/v1/realtime?model=...`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::hearing::{Burst, Heard as EarHeard, Manner, Script};
use crate::listening::{Desk, Opening, milliseconds};
use crate::model::{Heard, Model};
use crate::openai_transcription::{realtime_format, turn_silence};
use crate::seen::Seen;
use crate::strict::{self, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};
use crate::voice::{Pace, Studio, Voice};

mod response;

/// The service.
#[derive(Clone, Debug)]
pub struct OpenAiRealtime {
    seen: Seen,
    script: Script,
    manner: Manner,
    model: Model,
    voice: Voice,
    pace: Pace,
    lasts: Duration,
}

impl OpenAiRealtime {
    /// A model that hears this script and answers by these rules.
    pub fn new(script: &Script, manner: Manner, model: Model, seen: &Seen) -> Self {
        Self {
            seen: seen.clone(),
            script: script.clone(),
            manner,
            model,
            voice: Voice::default(),
            pace: Pace::default(),
            lasts: Duration::from_secs(3_600),
        }
    }

    /// The same whose sessions end after this long, instead of 60 minutes.
    #[must_use]
    pub fn lasting(mut self, lasts: Duration) -> Self {
        self.lasts = lasts;
        self
    }

    fn begin(&self, now: Duration) -> Talking {
        let format = Format::new(Coding::Linear16, 24_000);
        Talking {
            desk: self.desk(now, format, Some(Duration::from_millis(500))),
            service: self.clone(),
            opened: now,
            input: format,
            uncommitted: 0,
            studio: Studio::new(self.voice, self.pace, format),
            settings: json!({"instructions": "", "tools": [], "tool_choice": "auto", "output_modalities": ["audio"]}),
            is_manual: false,
            creates: true,
            interrupts: true,
            has_spoken: false,
            history: Vec::new(),
            heard: None,
            open_calls: Vec::new(),
            items: Vec::new(),
            speaks: None,
            responses: 0,
            item: 0,
            events: 0,
        }
    }

    fn desk(&self, now: Duration, format: Format, silence: Option<Duration>) -> Desk {
        let opening = Opening {
            name: "openai realtime",
            format,
            manner: Manner { silence: silence.unwrap_or(Duration::MAX), ..self.manner },
            longest_piece: Duration::from_secs(60),
            idle_limit: Duration::MAX,
        };
        Desk::new(now, &self.script, &self.seen, &opening)
    }
}

impl Vendor for OpenAiRealtime {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, code: &str, message: &str| {
            let error =
                json!({"message": message, "type": "invalid_request_error", "code": code, "param": null});
            Answer::Refuse(Refusal::json(status, &json!({ "error": error })))
        };
        if arrival.path != "/v1/realtime" || !arrival.is_websocket {
            return refuse(404, "not_found", "Invalid URL");
        }
        if !strict::has_key(arrival, "Bearer") {
            return refuse(401, "invalid_api_key", "Incorrect API key provided.");
        }
        if arrival.header("openai-beta").is_some() {
            return refuse(400, "beta_api_shape_disabled", "The Realtime Beta API is no longer supported.");
        }
        let model = Query::checked(arrival, &["model"], &[]).and_then(|query| query.required("model"));
        match model {
            Ok(model) if MODELS.contains(&model) => {}
            Ok(model) => {
                return refuse(404, "model_not_found", &format!("The model `{model}` does not exist."));
            }
            Err(error) => return refuse(400, "invalid_value", &error),
        }
        let mut session = self.begin(now);
        session
            .event(now, json!({"type": "session.created", "session": {"type": "realtime", "id": "sess_1"}}));
        Answer::Upgrade(Vec::new(), Box::new(session))
    }
}

struct Talking {
    service: OpenAiRealtime,
    desk: Desk,
    opened: Duration,
    input: Format,
    /// Bytes since the last commit.
    uncommitted: usize,
    studio: Studio,
    settings: Value,
    is_manual: bool,
    creates: bool,
    interrupts: bool,
    has_spoken: bool,
    /// What the model reads.
    history: Vec<String>,
    heard: Option<Heard>,
    /// Calls that wait for their output.
    open_calls: Vec<String>,
    /// Items of the assistant, each with the milliseconds of its audio.
    items: Vec<(String, u64)>,
    speaks: Option<response::Running>,
    responses: u64,
    item: u64,
    events: u64,
}

/// Code and message of an error after which the session goes on.
type Wrong = (&'static str, String);

impl Session for Talking {
    fn receive(&mut self, now: Duration, frame: Frame) {
        self.settle(now);
        let done = match frame {
            Frame::Binary(_) => {
                Err(("invalid_request_error", "a binary message where text is due".to_owned(), Value::Null))
            }
            Frame::Text(text) => match strict::json(&text) {
                Ok(message) => {
                    let id = message["event_id"].clone();
                    self.message(now, &message).map_err(|(code, error)| (code, error, id))
                }
                Err(error) => Err(("invalid_json", error, Value::Null)),
            },
        };
        if let Err((code, error, id)) = done {
            self.desk.complain(&error);
            let error =
                json!({"type": "invalid_request_error", "code": code, "message": error, "event_id": id});
            self.event(now, json!({"type": "error", "error": error}));
        }
    }

    fn next(&self) -> Option<Duration> {
        self.desk.next().into_iter().chain([self.opened + self.service.lasts]).min()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if now >= self.opened + self.service.lasts {
            self.opened = Duration::MAX - self.service.lasts;
            let message = "Your session hit the maximum duration of 60 minutes.";
            let error =
                json!({"type": "invalid_request_error", "code": "session_expired", "message": message});
            self.desk.outbox.clear();
            self.event(now, json!({"type": "error", "error": error}));
            self.desk.outbox.at(now, Action::Close { code: 1001, reason: "session_expired".to_owned() });
        }
        self.desk.outbox.poll(now)
    }
}

impl Talking {
    fn event(&mut self, due: Duration, event: Value) {
        self.event_of(due, "", event);
    }

    /// An event that is taken back when its response is cancelled.
    fn event_of(&mut self, due: Duration, response: &str, mut event: Value) {
        self.events += 1;
        event["event_id"] = Value::from(format!("event_{}", self.events));
        self.desk.outbox.at_for(due, response, Action::Send(Frame::json(&event)));
    }

    fn message(&mut self, now: Duration, message: &Value) -> Result<(), Wrong> {
        let invalid = |error| ("invalid_value", error);
        let kind = strict::text(message, "type").map_err(|error| ("missing_required_parameter", error))?;
        match kind {
            "session.update" => self.update(now, message).map_err(invalid),
            "input_audio_buffer.append" => {
                strict::only(message, &["type", "event_id", "audio"]).map_err(invalid)?;
                let audio = strict::text(message, "audio").map_err(invalid)?;
                let audio =
                    BASE64.decode(audio).map_err(|error| invalid(format!("Invalid 'audio': {error}")))?;
                self.uncommitted += audio.len();
                let heard = self.desk.hear(&audio).map_err(invalid)?;
                heard.into_iter().for_each(|heard| self.hear(now, heard));
                Ok(())
            }
            "input_audio_buffer.commit" => {
                if self.uncommitted < self.input.bytes_per_second() / 10 {
                    let said = "buffer too small. Expected at least 100ms of audio".to_owned();
                    return Err(("input_audio_buffer_commit_empty", said));
                }
                let at = self.desk.ear.position();
                let nothing = Burst { number: 0, start: at, end: at, words: Vec::new() };
                let burst = self.desk.ear.flush().unwrap_or(nothing);
                self.commit(now, &burst);
                Ok(())
            }
            "input_audio_buffer.clear" => {
                self.desk.ear.flush();
                self.uncommitted = 0;
                self.event(now, json!({"type": "input_audio_buffer.cleared"}));
                Ok(())
            }
            "conversation.item.create" => self.create_item(now, message),
            "conversation.item.truncate" => self.truncate(now, message),
            "response.create" => self.create_response(now, &message["response"]),
            "response.cancel" => self.cancel(now, "client_cancelled").then_some(()).ok_or_else(|| {
                ("response_cancel_not_active", "Cancellation failed: no active response found".to_owned())
            }),
            other => Err(invalid(format!("Invalid value: '{other}' for 'type'"))),
        }
    }

    fn update(&mut self, now: Duration, message: &Value) -> Result<(), String> {
        strict::only(message, &["type", "event_id", "session"])?;
        let session = &message["session"];
        strict::only(session, SESSION)?;
        if session["type"] != "realtime" {
            return Err("Missing required parameter: 'session.type'".to_owned());
        }
        check_tools(&session["tools"])?;
        let modalities = &session["output_modalities"];
        if !modalities.is_null() && *modalities != json!(["audio"]) && *modalities != json!(["text"]) {
            return Err(format!("Invalid output_modalities: {modalities}"));
        }
        if !session["audio"].is_null() {
            strict::only(&session["audio"], &["input", "output"])?;
        }
        let (input, output) = (&session["audio"]["input"], &session["audio"]["output"]);
        if !output.is_null() {
            self.check_output(output)?;
        }
        if !input.is_null() {
            self.update_input(now, input)?;
        }
        if !output["format"].is_null() {
            self.studio =
                Studio::new(self.service.voice, self.service.pace, realtime_format(&output["format"])?);
        }
        for name in ["instructions", "tools", "tool_choice", "output_modalities"] {
            if !session[name].is_null() {
                self.settings[name] = session[name].clone();
            }
        }
        self.event(now, json!({"type": "session.updated", "session": session}));
        Ok(())
    }

    fn check_output(&self, output: &Value) -> Result<(), String> {
        strict::only(output, &["format", "voice", "speed"])?;
        if !output["format"].is_null() {
            realtime_format(&output["format"])?;
        }
        strict::number(output, "speed", 0.25, 1.5)?;
        let voice = &output["voice"];
        if voice.as_str().is_some_and(|voice| !VOICES.contains(&voice)) {
            return Err(format!("Invalid voice: {voice}"));
        }
        if self.has_spoken && !voice.is_null() {
            return Err("Cannot update a conversation's voice if assistant audio is present.".to_owned());
        }
        Ok(())
    }

    fn update_input(&mut self, now: Duration, input: &Value) -> Result<(), String> {
        strict::only(input, &["format", "transcription", "turn_detection", "noise_reduction"])?;
        if !input["transcription"].is_null() {
            let known = ["model", "language", "prompt", "languages", "keywords", "delay"];
            strict::only(&input["transcription"], &known)?;
            strict::text(&input["transcription"], "model")?;
        }
        let format = if input["format"].is_null() { self.input } else { realtime_format(&input["format"])? };
        let is_given = input.get("turn_detection").is_some();
        if is_given || format != self.input {
            let detection =
                if is_given { input["turn_detection"].clone() } else { json!({"type": "server_vad"}) };
            let silence = turn_silence(&detection)?;
            let waiting = std::mem::take(&mut self.desk.outbox);
            self.desk = self.service.desk(now, format, silence);
            self.desk.outbox = waiting;
            self.is_manual = silence.is_none();
            self.creates = detection["create_response"] != false;
            self.interrupts = detection["interrupt_response"] != false;
        }
        self.input = format;
        if !input["transcription"].is_null() {
            self.settings["transcription"] = input["transcription"].clone();
        }
        Ok(())
    }

    fn hear(&mut self, now: Duration, heard: EarHeard) {
        let later = now + self.service.manner.latency;
        let item = format!("item_{}", self.item + 1);
        match heard {
            EarHeard::Started { at } => {
                if self.is_manual {
                    return;
                }
                let started = json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": milliseconds(at), "item_id": item});
                self.event(now, started);
                if self.interrupts {
                    self.cancel(now, "turn_detected");
                }
            }
            EarHeard::Partial(_) => {}
            EarHeard::Ended(burst) => {
                let at = milliseconds(self.desk.ear.position());
                self.event(
                    now,
                    json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at, "item_id": item}),
                );
                self.commit(now, &burst);
                if self.creates && !burst.words.is_empty() && self.speaks.is_none() {
                    // It answers audio at once; what was said in words comes when it is known.
                    let _ = self.create_response(later, &Value::Null);
                }
            }
        }
    }

    fn commit(&mut self, now: Duration, burst: &Burst) {
        let later = now + self.service.manner.latency;
        let text = burst.text();
        let item = self.add_item(
            now,
            json!({"type": "message", "role": "user", "status": "completed",
            "content": [{"type": "input_audio"}]}),
        );
        self.event(now, json!({"type": "input_audio_buffer.committed", "item_id": item}));
        if !self.settings["transcription"].is_null() {
            let kind = "conversation.item.input_audio_transcription.completed";
            let usage = json!({"type": "duration", "seconds": 1});
            self.event(later, json!({"type": kind, "item_id": item, "content_index": 0, "transcript": text, "usage": usage}));
        }
        self.uncommitted = 0;
        self.history.push(text.clone());
        // To silence behind words that were written a model answers the words.
        if !text.is_empty() || self.heard.is_none() {
            self.heard = Some(Heard::User(text));
        }
    }

    fn add_item(&mut self, now: Duration, mut item: Value) -> String {
        self.item += 1;
        let id = format!("item_{}", self.item);
        item["id"] = Value::from(id.as_str());
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.event(now, json!({"type": kind, "item": item}));
        }
        id
    }

    fn create_item(&mut self, now: Duration, message: &Value) -> Result<(), Wrong> {
        let invalid = |error: String| ("invalid_value", error);
        strict::only(message, &["type", "event_id", "item", "previous_item_id"]).map_err(invalid)?;
        let item = &message["item"];
        match (item["type"].as_str(), item["role"].as_str()) {
            (Some("function_call_output"), _) => {
                strict::only(item, &["type", "call_id", "output", "id"]).map_err(invalid)?;
                let call = strict::text(item, "call_id").map_err(invalid)?;
                let output = strict::text(item, "output").map_err(invalid)?.to_owned();
                let Some(found) = self.open_calls.iter().position(|open| open == call) else {
                    return Err((
                        "invalid_tool_call_id",
                        format!("Tool call ID '{call}' not found in conversation."),
                    ));
                };
                self.open_calls.remove(found);
                self.history.push(output.clone());
                self.heard = Some(Heard::Tool(output));
            }
            (Some("message"), Some(role @ ("user" | "system" | "assistant"))) => {
                let due = if role == "assistant" { "output_text" } else { "input_text" };
                let parts = item["content"].as_array().filter(|parts| !parts.is_empty());
                for part in
                    parts.ok_or_else(|| invalid("Missing required parameter: 'item.content'".to_owned()))?
                {
                    let text = strict::text(part, "text").map_err(invalid)?.to_owned();
                    if part["type"] != due {
                        return Err(invalid(format!("Invalid content type for {role}: {}", part["type"])));
                    }
                    self.history.push(text.clone());
                    if role == "user" {
                        self.heard = Some(Heard::User(text));
                    }
                }
            }
            _ => return Err(invalid(format!("Invalid item: {item}"))),
        }
        self.add_item(now, item.clone());
        Ok(())
    }

    fn truncate(&mut self, now: Duration, message: &Value) -> Result<(), Wrong> {
        let invalid = |error: String| ("invalid_value", error);
        strict::only(message, &["type", "event_id", "item_id", "content_index", "audio_end_ms"])
            .map_err(invalid)?;
        let id = strict::text(message, "item_id").map_err(invalid)?;
        let end_ms = message["audio_end_ms"].as_u64().ok_or_else(|| invalid("audio_end_ms".to_owned()))?;
        if message["content_index"] != 0 {
            return Err(invalid(format!("content_index {}", message["content_index"])));
        }
        let Some((_, has_ms)) = self.items.iter_mut().find(|(item, _)| item == id) else {
            return Err((
                "item_truncate_invalid_item_id",
                format!("Item with item_id '{id}' not found or not audio."),
            ));
        };
        if end_ms > *has_ms {
            return Err(invalid(format!("Audio content of {has_ms}ms is already shorter than {end_ms}ms")));
        }
        *has_ms = end_ms;
        let done = json!({"type": "conversation.item.truncated", "item_id": id, "content_index": 0, "audio_end_ms": end_ms});
        self.event(now, done);
        Ok(())
    }
}

/// Tools as Realtime has them: flat, unlike those of chat completions.
fn check_tools(tools: &Value) -> Result<(), String> {
    for tool in tools.as_array().into_iter().flatten() {
        strict::only(tool, &["type", "name", "description", "parameters"])
            .map_err(|error| format!("session.tools: {error}"))?;
        strict::text(tool, "name")?;
        if tool["type"] != "function" || tool["parameters"]["type"] != "object" {
            return Err(format!("session.tools: {tool}"));
        }
    }
    Ok(())
}

const MODELS: &[&str] =
    &["gpt-realtime", "gpt-realtime-mini", "gpt-realtime-2", "gpt-realtime-2.1", "gpt-realtime-2.1-mini"];

const VOICES: &[&str] =
    &["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];

const SESSION: &[&str] = &[
    "type",
    "instructions",
    "output_modalities",
    "audio",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "model",
    "include",
    "truncation",
    "prompt",
    "tracing",
    "reasoning",
    "parallel_tool_calls",
];
