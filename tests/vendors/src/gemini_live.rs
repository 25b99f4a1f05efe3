//! Google's Gemini Live: a model that hears and speaks,
//! `wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::hearing::{Heard as EarHeard, Manner, Script};
use crate::listening::{Desk, Opening};
use crate::model::{Heard, Model, Question, Streamed, Token};
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};
use crate::voice::{Pace, Studio, Voice};

/// The service.
#[derive(Clone, Debug)]
pub struct GeminiLive {
    seen: Seen,
    script: Script,
    manner: Manner,
    model: Model,
    lasts: Duration,
    framing: ServerFrames,
}

/// In which kind of frames the server's JSON comes: both have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFrames {
    /// Text.
    Text,
    /// Binary.
    Binary,
}

impl GeminiLive {
    /// A model that hears this script and answers by these rules. A connection lasts ten minutes.
    pub fn new(script: &Script, manner: Manner, model: Model, seen: &Seen) -> Self {
        let lasts = Duration::from_secs(600);
        Self { seen: seen.clone(), script: script.clone(), manner, model, lasts, framing: ServerFrames::Text }
    }

    /// The same whose connections last this long.
    #[must_use]
    pub fn lasting(mut self, lasts: Duration) -> Self {
        self.lasts = lasts;
        self
    }

    /// The same with frames of this kind.
    #[must_use]
    pub fn framing(mut self, framing: ServerFrames) -> Self {
        self.framing = framing;
        self
    }
}

impl Vendor for GeminiLive {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, message: &str| {
            Answer::Refuse(Refusal::json(status, &json!({"error": {"code": status, "message": message}})))
        };
        if arrival.path != PATH || !arrival.is_websocket {
            return refuse(404, "Not Found");
        }
        let key = Query::checked(arrival, &["key"], &[]).map(|query| query.optional("key"));
        match key {
            Ok(Some(KEY)) => {}
            Ok(_) if arrival.header("x-goog-api-key") == Some(KEY) => {}
            Ok(_) => return refuse(403, "API key not valid. Please pass a valid API key."),
            Err(error) => return refuse(400, &error),
        }
        let input = Format::new(Coding::Linear16, 16_000);
        let opening = Opening {
            name: "gemini live",
            format: input,
            manner: self.manner,
            longest_piece: Duration::from_secs(5),
            idle_limit: Duration::MAX,
        };
        let output = Format::new(Coding::Linear16, 24_000);
        let session = Talking {
            desk: Desk::new(now, &self.script, &self.seen, &opening),
            service: self.clone(),
            opened: now,
            opening,
            studio: Studio::new(Voice::default(), Pace::default(), output),
            setup: None,
            history: Vec::new(),
            calls: Vec::new(),
            turn_ends: Duration::ZERO,
            interrupts: true,
            has_warned: false,
            is_over: false,
        };
        Answer::Upgrade(Vec::new(), Box::new(session))
    }
}

struct Talking {
    service: GeminiLive,
    desk: Desk,
    opened: Duration,
    opening: Opening,
    studio: Studio,
    setup: Option<Value>,
    history: Vec<String>,
    /// Calls that wait for their response: ids and names.
    calls: Vec<(String, String)>,
    /// When the model's turn ends.
    turn_ends: Duration,
    /// Whether it stops when the caller begins to speak, or the client says so.
    interrupts: bool,
    has_warned: bool,
    is_over: bool,
}

impl Session for Talking {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if !self.desk.takes() {
            return;
        }
        let text = match frame {
            Frame::Text(text) => Ok(text),
            Frame::Binary(bytes) => String::from_utf8(bytes).map_err(|error| error.to_string()),
        };
        let done = text.and_then(|text| strict::json(&text)).and_then(|message| self.message(now, &message));
        if let Err(error) = done {
            self.is_over = true;
            let reason: String = error.chars().take(100).collect();
            self.desk.fail(now, &error, None, (1007, &reason));
        }
    }

    fn next(&self) -> Option<Duration> {
        let end = self.opened + self.service.lasts;
        let deadline = if self.has_warned { end } else { end.saturating_sub(WARNING) };
        self.desk.next().into_iter().chain((!self.is_over).then_some(deadline)).min()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        let end = self.opened + self.service.lasts;
        if !self.is_over && now >= end {
            self.is_over = true;
            self.desk.fail(now, "the connection went on after goAway", None, (1001, "The session has ended"));
        } else if !self.is_over && !self.has_warned && now + WARNING >= end {
            self.has_warned = true;
            self.send(now, "", &json!({"goAway": {"timeLeft": format!("{}s", WARNING.as_secs())}}));
        }
        self.desk.outbox.poll(now)
    }
}

impl Talking {
    fn send(&mut self, due: Duration, of: &str, message: &Value) {
        let frame = match self.service.framing {
            ServerFrames::Text => Frame::json(message),
            ServerFrames::Binary => Frame::Binary(message.to_string().into_bytes()),
        };
        self.desk.outbox.at_for(due, of, Action::Send(frame));
    }

    fn message(&mut self, now: Duration, message: &Value) -> Result<(), String> {
        strict::only(message, &["setup", "realtimeInput", "clientContent", "toolResponse"])?;
        let fields: Vec<_> = message.as_object().into_iter().flatten().collect();
        let [(kind, value)] = fields.as_slice() else {
            return Err("exactly one of the message's fields has to be set".to_owned());
        };
        match (kind.as_str(), &self.setup) {
            ("setup", None) => self.set_up(now, value),
            ("setup", Some(_)) => Err("setup stands in the first message alone".to_owned()),
            (_, None) => Err("the first message has to be setup".to_owned()),
            ("realtimeInput", Some(_)) => self.realtime_input(now, value),
            ("clientContent", Some(_)) => self.client_content(now, value),
            (_, Some(_)) => self.tool_response(now, value),
        }
    }

    fn set_up(&mut self, now: Duration, setup: &Value) -> Result<(), String> {
        strict::only(setup, SETUP)?;
        if !strict::text(setup, "model")?.starts_with("models/") {
            return Err(format!("model {}: expected models/<name>", setup["model"]));
        }
        let generation = &setup["generationConfig"];
        if !generation.is_null() {
            strict::only(generation, GENERATION)?;
            let modalities = &generation["responseModalities"];
            if *modalities != json!(["AUDIO"]) && *modalities != json!(["TEXT"]) {
                return Err(format!("responseModalities {modalities}: one modality for a session"));
            }
        }
        for tool in setup["tools"].as_array().into_iter().flatten() {
            strict::only(tool, &["functionDeclarations", "googleSearch"])?;
            for function in tool["functionDeclarations"].as_array().into_iter().flatten() {
                strict::only(function, &["name", "description", "parameters", "behavior", "response"])?;
                strict::text(function, "name")?;
                if !function["parameters"].is_null() && function["parameters"]["type"] != "OBJECT" {
                    return Err(format!("parameters of {}: type has to be OBJECT", function["name"]));
                }
            }
        }
        let detection = &setup["realtimeInputConfig"]["automaticActivityDetection"];
        let silence = strict::number(detection, "silenceDurationMs", 0.0, 10_000.0)?;
        if let Some(silence) = silence {
            self.opening.manner.silence = Duration::from_secs_f64(silence / 1_000.0);
        }
        if detection["disabled"] == true {
            self.opening.manner.silence = Duration::MAX;
        }
        match setup["realtimeInputConfig"]["activityHandling"].as_str() {
            None | Some("START_OF_ACTIVITY_INTERRUPTS") => self.interrupts = true,
            Some("NO_INTERRUPTION") => self.interrupts = false,
            Some(other) => return Err(format!("activityHandling {other}")),
        }
        self.desk = Desk::new(now, &self.service.script, &self.service.seen, &self.opening);
        self.setup = Some(setup.clone());
        self.send(now, "", &json!({"setupComplete": {}}));
        self.tell_handle(now);
        Ok(())
    }

    fn asked_for(&self, name: &str) -> bool {
        self.setup.as_ref().is_some_and(|setup| setup[name].is_object())
    }

    fn tell_handle(&mut self, due: Duration) {
        if self.asked_for("sessionResumption") {
            let handle = format!("handle-{}", self.history.len());
            self.send(due, "", &json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}}));
        }
    }

    fn realtime_input(&mut self, now: Duration, input: &Value) -> Result<(), String> {
        strict::only(input, &["audio", "text", "activityStart", "activityEnd", "audioStreamEnd"])?;
        if input["activityStart"].is_object() || input["activityEnd"].is_object() {
            if self.opening.manner.silence != Duration::MAX {
                return Err("Explicit activity control is not supported when automatic activity detection is enabled.".to_owned());
            }
            if input["activityStart"].is_object() {
                self.activity_starts(now);
            }
            if input["activityEnd"].is_object() {
                self.flush(now);
            }
        }
        if input["audioStreamEnd"] == true {
            self.flush(now);
        }
        if input["audio"].is_null() {
            return Ok(());
        }
        strict::only(&input["audio"], &["mimeType", "data"])?;
        if input["audio"]["mimeType"] != "audio/pcm;rate=16000" {
            return Err(format!("mimeType {}: expected audio/pcm;rate=16000", input["audio"]["mimeType"]));
        }
        let audio = BASE64
            .decode(strict::text(&input["audio"], "data")?)
            .map_err(|error| format!("data: {error}"))?;
        for heard in self.desk.hear(&audio)? {
            match heard {
                // Who does not listen for speech is told of it.
                EarHeard::Started { .. } if self.opening.manner.silence == Duration::MAX => {}
                EarHeard::Started { .. } => self.activity_starts(now),
                EarHeard::Partial(_) => {}
                EarHeard::Ended(burst) => self.said(now, &burst.text()),
            }
        }
        Ok(())
    }

    fn flush(&mut self, now: Duration) {
        if let Some(burst) = self.desk.ear.flush() {
            self.said(now, &burst.text());
        }
    }

    fn activity_starts(&mut self, now: Duration) {
        if self.interrupts {
            self.interrupt(now);
        }
    }

    fn interrupt(&mut self, now: Duration) {
        if now < self.turn_ends {
            self.desk.outbox.take_back(TURN);
            self.turn_ends = now;
            self.send(now, "", &json!({"serverContent": {"interrupted": true}}));
            self.send(now, "", &json!({"serverContent": {"turnComplete": true}}));
            if !self.calls.is_empty() {
                let ids: Vec<_> = self.calls.drain(..).map(|(id, _)| id).collect();
                self.send(now, "", &json!({"toolCallCancellation": {"ids": ids}}));
            }
        }
    }

    fn said(&mut self, now: Duration, text: &str) {
        let later = now + self.opening.manner.latency;
        if text.is_empty() {
            return;
        }
        if self.asked_for("inputAudioTranscription") {
            self.send(later, "", &json!({"serverContent": {"inputTranscription": {"text": text}}}));
        }
        self.history.push(text.to_owned());
        self.answer(later, Heard::User(text.to_owned()));
    }

    fn client_content(&mut self, now: Duration, content: &Value) -> Result<(), String> {
        strict::only(content, &["turns", "turnComplete"])?;
        let mut last = None;
        for turn in content["turns"].as_array().into_iter().flatten() {
            strict::only(turn, &["role", "parts"])?;
            if turn["role"] != "user" && turn["role"] != "model" {
                return Err(format!("role {}: expected user or model", turn["role"]));
            }
            for part in turn["parts"].as_array().into_iter().flatten() {
                let text = strict::text(part, "text")?.to_owned();
                self.history.push(text.clone());
                last = Some(text);
            }
        }
        if content["turnComplete"] == true {
            self.interrupt(now);
            self.answer(now, Heard::User(last.unwrap_or_default()));
        }
        Ok(())
    }

    fn tool_response(&mut self, now: Duration, response: &Value) -> Result<(), String> {
        strict::only(response, &["functionResponses"])?;
        let mut results = String::new();
        for answer in response["functionResponses"].as_array().into_iter().flatten() {
            strict::only(answer, &["id", "name", "response", "scheduling"])?;
            let (id, name) = (strict::text(answer, "id")?, strict::text(answer, "name")?);
            if !answer["response"].is_object() {
                return Err(format!("response of {name} is no object"));
            }
            let found = self.calls.iter().position(|(open, of)| open == id && of == name);
            match found {
                Some(found) => drop(self.calls.remove(found)),
                // Calls are cancelled while their answers are under way; the real one ignores these.
                None => self.desk.complain(&format!("no call {id} of {name} is open")),
            }
            results.push_str(&answer["response"].to_string());
        }
        if results.is_empty() {
            return Err("functionResponses is empty".to_owned());
        }
        self.history.push(results.clone());
        if self.calls.is_empty() {
            self.answer(now, Heard::Tool(results));
        }
        Ok(())
    }

    fn answer(&mut self, now: Duration, heard: Heard) {
        let setup = self.setup.clone().unwrap_or_default();
        let tools = setup["tools"].as_array().into_iter().flatten();
        let functions = tools.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten());
        let names = functions.filter_map(|function| function["name"].as_str()).collect();
        let question = Question { heard, tools: names, reads: self.history.clone(), max_tokens: 8_192 };
        let streamed = self.service.model.answer(now, &question);
        let text = self.speak(&streamed);
        let calls = calls_of(&streamed);
        let end = if text.is_empty() { streamed.end } else { self.studio.free_at().max(streamed.end) };
        self.turn_ends = end;
        if !calls.is_empty() {
            let listed: Vec<_> =
                calls.iter().map(|(id, name, args)| json!({"id": id, "name": name, "args": args})).collect();
            self.calls.extend(calls.into_iter().map(|(id, name, _)| (id, name)));
            self.send(end, TURN, &json!({"toolCall": {"functionCalls": listed}}));
            return;
        }
        self.history.push(text);
        self.send(end, TURN, &json!({"serverContent": {"generationComplete": true}}));
        let usage = streamed.usage;
        let counted = json!({
            "promptTokenCount": usage.input, "responseTokenCount": usage.output,
            "totalTokenCount": usage.input + usage.output, "cachedContentTokenCount": usage.cached,
        });
        self.send(end, TURN, &json!({"serverContent": {"turnComplete": true}, "usageMetadata": counted}));
        self.tell_handle(end);
    }

    fn speak(&mut self, streamed: &Streamed) -> String {
        let mut text = String::new();
        for (due, token) in &streamed.tokens {
            if let Token::Text(word) = token {
                text.push_str(word);
                if self.asked_for("outputAudioTranscription") {
                    let said = json!({"serverContent": {"outputTranscription": {"text": word}}});
                    self.send(*due, TURN, &said);
                }
            }
        }
        if !text.is_empty() {
            self.studio.clear();
            let begins = streamed.tokens.first().map_or(streamed.end, |(due, _)| *due);
            for piece in self.studio.make(begins, &text) {
                let data = json!({"mimeType": "audio/pcm;rate=24000", "data": BASE64.encode(&piece.bytes)});
                let turn = json!({"parts": [{"inlineData": data}], "role": "model"});
                self.send(piece.due, TURN, &json!({"serverContent": {"modelTurn": turn}}));
            }
        }
        text
    }
}

fn calls_of(streamed: &Streamed) -> Vec<(String, String, Value)> {
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for (_, token) in &streamed.tokens {
        match token {
            Token::Text(_) => {}
            Token::Call { id, name } => calls.push((format!("f{id}"), name.clone(), String::new())),
            Token::Arguments(piece) => {
                calls.iter_mut().last().into_iter().for_each(|call| call.2.push_str(piece))
            }
        }
    }
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!({}));
    calls.into_iter().map(|(id, name, arguments)| (id, name, parsed(&arguments))).collect()
}

const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// What an interruption takes back.
const TURN: &str = "turn";

/// How long before its end a connection is announced to end.
const WARNING: Duration = Duration::from_secs(50);

const GENERATION: &[&str] = &[
    "responseModalities",
    "speechConfig",
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "thinkingConfig",
    "mediaResolution",
];

const SETUP: &[&str] = &[
    "model",
    "generationConfig",
    "systemInstruction",
    "tools",
    "realtimeInputConfig",
    "inputAudioTranscription",
    "outputAudioTranscription",
    "sessionResumption",
    "contextWindowCompression",
    "proactivity",
];
