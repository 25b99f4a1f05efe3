//! OpenAI's streaming recognizer: a Realtime session that only transcribes,
//! `wss://api.openai.com/v1/realtime?intent=transcription`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::hearing::{Burst, Heard, Manner, Script};
use crate::listening::{Desk, Opening, milliseconds};
use crate::seen::Seen;
use crate::strict::{self, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct OpenAiTranscription {
    seen: Seen,
    script: Script,
    manner: Manner,
}

impl OpenAiTranscription {
    /// A recognizer that hears this script; what is said ends after the client's `silence_duration_ms`, or where it commits.
    pub fn new(script: &Script, manner: Manner, seen: &Seen) -> Self {
        Self { seen: seen.clone(), script: script.clone(), manner }
    }
}

/// Audio as Realtime names it.
///
/// # Errors
///
/// If it has no such format.
pub fn realtime_format(format: &Value) -> Result<Format, String> {
    match (format["type"].as_str(), &format["rate"]) {
        (Some("audio/pcm"), rate) if *rate == 24_000 => Ok(Format::new(Coding::Linear16, 24_000)),
        (Some("audio/pcmu"), Value::Null) => Ok(Format::new(Coding::Mulaw, 8_000)),
        (Some("audio/pcma"), Value::Null) => Ok(Format::new(Coding::Alaw, 8_000)),
        _ => Err(format!("Invalid audio format: {format}")),
    }
}

/// The silence that ends a turn, if turns are detected at all.
///
/// # Errors
///
/// If that is no known way to detect turns.
pub fn turn_silence(detection: &Value) -> Result<Option<Duration>, String> {
    match detection["type"].as_str() {
        Some("server_vad") => {
            let known = [
                "type",
                "threshold",
                "prefix_padding_ms",
                "silence_duration_ms",
                "idle_timeout_ms",
                "create_response",
                "interrupt_response",
            ];
            strict::only(detection, &known)?;
            strict::number(detection, "threshold", 0.0, 1.0)?;
            let silence = strict::number(detection, "silence_duration_ms", 0.0, 10_000.0)?.unwrap_or(500.0);
            Ok(Some(Duration::from_secs_f64(silence / 1_000.0)))
        }
        Some("semantic_vad") => {
            strict::only(detection, &["type", "eagerness", "create_response", "interrupt_response"])?;
            Ok(Some(Duration::from_millis(600)))
        }
        None if detection.is_null() => Ok(None),
        _ => Err(format!("Invalid turn_detection: {detection}")),
    }
}

impl Vendor for OpenAiTranscription {
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
        let checked = Query::checked(arrival, &["intent"], &[]).and_then(|query| query.required("intent"));
        match checked {
            Ok("transcription") => {}
            Ok(other) => return refuse(400, "invalid_value", &format!("Invalid intent: {other}")),
            Err(error) => return refuse(400, "invalid_value", &error),
        }
        let opening =
            opening(self.manner, Format::new(Coding::Linear16, 24_000), Some(Duration::from_millis(500)));
        let mut session = Transcribing {
            service: self.clone(),
            desk: Desk::new(now, &self.script, &self.seen, &opening),
            format: opening.format,
            is_configured: false,
            is_manual: false,
            told: String::new(),
            item: 0,
            events: 0,
            uncommitted: 0,
        };
        session.event(
            now,
            json!({"type": "session.created", "session": {"type": "transcription", "id": "sess_1"}}),
        );
        Answer::Upgrade(Vec::new(), Box::new(session))
    }
}

fn opening(manner: Manner, format: Format, silence: Option<Duration>) -> Opening {
    Opening {
        name: "openai transcription",
        format,
        manner: Manner { silence: silence.unwrap_or(Duration::MAX), ..manner },
        longest_piece: Duration::from_secs(60),
        idle_limit: Duration::from_secs(3_600),
    }
}

struct Transcribing {
    service: OpenAiTranscription,
    desk: Desk,
    format: Format,
    is_configured: bool,
    is_manual: bool,
    /// What was told of the present item.
    told: String,
    item: u64,
    events: u64,
    /// Bytes since the last commit.
    uncommitted: usize,
}

impl Session for Transcribing {
    fn receive(&mut self, now: Duration, frame: Frame) {
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
            // The session stays open.
            self.desk.complain(&error);
            let error =
                json!({"type": "invalid_request_error", "code": code, "message": error, "event_id": id});
            self.event(now, json!({"type": "error", "error": error}));
        }
    }

    fn next(&self) -> Option<Duration> {
        self.desk.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if self.desk.is_idle(now) {
            self.desk.fail(now, "a session lasts 60 minutes", None, (1001, "session_expired"));
        }
        self.desk.outbox.poll(now)
    }
}

impl Transcribing {
    fn event(&mut self, due: Duration, mut event: Value) {
        self.events += 1;
        event["event_id"] = Value::from(format!("event_{}", self.events));
        self.desk.outbox.json_at(due, &event);
    }

    fn later(&self, now: Duration) -> Duration {
        now + self.service.manner.latency
    }

    fn message(&mut self, now: Duration, message: &Value) -> Result<(), (&'static str, String)> {
        let kind = strict::text(message, "type").map_err(|error| ("missing_required_parameter", error))?;
        match kind {
            "session.update" => self.update(now, message).map_err(|error| ("invalid_value", error)),
            "input_audio_buffer.append" => {
                let audio = strict::text(message, "audio").map_err(|error| ("invalid_value", error))?;
                let audio = BASE64
                    .decode(audio)
                    .map_err(|error| ("invalid_value", format!("Invalid 'audio': {error}")))?;
                if !self.is_configured {
                    self.desk.complain("audio before session.update: it is taken as 24 kHz PCM");
                }
                self.uncommitted += audio.len();
                let heard = self.desk.hear(&audio).map_err(|error| ("invalid_value", error))?;
                heard.into_iter().for_each(|heard| self.heard(now, &heard));
                Ok(())
            }
            "input_audio_buffer.commit" => {
                if self.uncommitted < self.format.bytes_per_second() / 10 {
                    let said = "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio";
                    return Err(("input_audio_buffer_commit_empty", said.to_owned()));
                }
                let at = self.desk.ear.position();
                let nothing = Burst { number: 0, start: at, end: at, words: Vec::new() };
                let burst = self.desk.ear.flush().unwrap_or(nothing);
                self.end(now, &burst);
                Ok(())
            }
            "input_audio_buffer.clear" => {
                self.desk.ear.flush();
                self.uncommitted = 0;
                self.event(now, json!({"type": "input_audio_buffer.cleared"}));
                Ok(())
            }
            other => Err(("invalid_value", format!("Invalid value: '{other}' for 'type'"))),
        }
    }

    fn update(&mut self, now: Duration, message: &Value) -> Result<(), String> {
        strict::only(message, &["type", "event_id", "session"])?;
        let session = &message["session"];
        strict::only(session, &["type", "audio", "include"])?;
        if session["type"] != "transcription" {
            return Err("session.type has to be 'transcription' here".to_owned());
        }
        strict::only(&session["audio"], &["input"])?;
        let input = &session["audio"]["input"];
        strict::only(input, &["format", "transcription", "turn_detection", "noise_reduction"])?;
        let transcription = &input["transcription"];
        strict::only(transcription, &["model", "language", "prompt", "languages", "keywords", "delay"])?;
        let model = strict::text(transcription, "model")?;
        if !MODELS.contains(&model) {
            return Err(format!("Invalid model: {model}"));
        }
        let is_whisper = model == "gpt-realtime-whisper";
        if is_whisper && !(input["turn_detection"].is_null() && transcription["prompt"].is_null()) {
            return Err(format!("{model} takes neither turn_detection nor a prompt"));
        }
        if !transcription["delay"].is_null() && !is_whisper {
            return Err(format!("{model} takes no delay"));
        }
        if transcription["language"].as_str().is_some_and(|language| language.len() != 2) {
            return Err("Invalid language: ISO-639-1 has two letters".to_owned());
        }
        if self.uncommitted > 0 || self.item > 0 {
            self.desk.complain("the session is changed after audio has come");
        }
        // What stands for nothing is server_vad, and null turns it off.
        let is_given = input.get("turn_detection").is_some();
        let detection =
            if is_given { input["turn_detection"].clone() } else { json!({"type": "server_vad"}) };
        let silence = turn_silence(&detection)?;
        let format = if input["format"].is_null() { self.format } else { realtime_format(&input["format"])? };
        let opening = opening(self.service.manner, format, silence);
        let waiting = std::mem::take(&mut self.desk.outbox);
        self.desk = Desk::new(now, &self.service.script, &self.service.seen, &opening);
        self.desk.outbox = waiting;
        (self.format, self.is_configured, self.is_manual) = (format, true, silence.is_none());
        self.event(now, json!({"type": "session.updated", "session": session}));
        Ok(())
    }

    fn heard(&mut self, now: Duration, heard: &Heard) {
        let later = self.later(now);
        let item = format!("item_{}", self.item + 1);
        match heard {
            Heard::Started { at } if !self.is_manual => {
                let at = milliseconds(*at);
                self.event(later, json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": at, "item_id": item}));
            }
            Heard::Started { .. } => {}
            Heard::Partial(burst) => self.delta(later, &burst.text()),
            Heard::Ended(burst) => {
                let at = milliseconds(self.desk.ear.position());
                self.event(
                    later,
                    json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at, "item_id": item}),
                );
                self.end(now, burst);
            }
        }
    }

    fn delta(&mut self, due: Duration, text: &str) {
        let more = text.strip_prefix(self.told.as_str()).unwrap_or_default().to_owned();
        if more.is_empty() {
            return;
        }
        let item = format!("item_{}", self.item + 1);
        let kind = "conversation.item.input_audio_transcription.delta";
        self.event(due, json!({"type": kind, "item_id": item, "content_index": 0, "delta": more}));
        self.told = text.to_owned();
    }

    fn end(&mut self, now: Duration, burst: &Burst) {
        let later = self.later(now);
        let item = format!("item_{}", self.item + 1);
        let previous = (self.item > 0).then(|| format!("item_{}", self.item));
        let committed =
            json!({"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": previous});
        self.event(later, committed);
        let text = burst.text();
        self.delta(later, &text);
        let usage =
            json!({"type": "duration", "seconds": burst.end.saturating_sub(burst.start).as_secs_f64()});
        let kind = "conversation.item.input_audio_transcription.completed";
        self.event(
            later,
            json!({"type": kind, "item_id": item, "content_index": 0, "transcript": text, "usage": usage}),
        );
        self.told.clear();
        self.item += 1;
        self.uncommitted = 0;
    }
}

const MODELS: &[&str] = &[
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "whisper-1",
];
