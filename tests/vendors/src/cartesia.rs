//! Cartesia's streaming synthesizer: `wss://api.cartesia.ai/tts/websocket`.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::audio::Format;
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Session, Vendor};
use crate::voice::{Pace, Piece, Studio, Voice};

/// The service.
#[derive(Clone, Debug)]
pub struct Cartesia {
    seen: Seen,
    voice: Voice,
    pace: Pace,
}

impl Cartesia {
    /// A synthesizer that is this fast.
    pub fn new(voice: Voice, pace: Pace, seen: &Seen) -> Self {
        Self { seen: seen.clone(), voice, pace }
    }
}

impl Vendor for Cartesia {
    fn open(&mut self, _now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, message: &str| {
            Answer::Refuse(Refusal::json(
                status,
                &json!({"title": "Refused", "message": message, "status_code": status}),
            ))
        };
        if arrival.path != "/tts/websocket" || !arrival.is_websocket {
            return refuse(404, "Not Found");
        }
        if arrival.header("x-api-key") != Some(KEY) && !strict::has_key(arrival, "Bearer") {
            return refuse(401, "Invalid API key");
        }
        if !arrival.header("cartesia-version").is_some_and(|version| VERSIONS.contains(&version)) {
            return refuse(400, "the header Cartesia-Version is missing or no known version");
        }
        if let Err(error) = Query::checked(arrival, &[], &[]) {
            return refuse(400, &error);
        }
        let (service, contexts, outbox) = (self.clone(), BTreeMap::new(), Outbox::default());
        Answer::Upgrade(Vec::new(), Box::new(Contexts { service, contexts, outbox, number: 0 }))
    }
}

struct Contexts {
    service: Cartesia,
    contexts: BTreeMap<String, Context>,
    outbox: Outbox,
    number: u64,
}

struct Context {
    studio: Studio,
    settings: Value,
    text: String,
    said: Duration,
    is_over: bool,
}

impl Session for Contexts {
    fn receive(&mut self, now: Duration, frame: Frame) {
        let done = match frame {
            Frame::Binary(_) => Err((Value::Null, "a binary message where text is due".to_owned())),
            Frame::Text(text) => match strict::json(&text) {
                Ok(message) => {
                    self.message(now, &message).map_err(|error| (message["context_id"].clone(), error))
                }
                Err(error) => Err((Value::Null, error)),
            },
        };
        if let Err((context, error)) = done {
            self.service.seen.complain(format_args!("cartesia: {error}"));
            let message = json!({
                "type": "error", "status_code": 400, "title": "Bad request", "message": error, "done": true,
                "error_code": "bad_request", "context_id": context,
            });
            self.outbox.json_at(now, &message);
        }
    }

    fn next(&self) -> Option<Duration> {
        self.outbox.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        self.outbox.poll(now)
    }
}

impl Contexts {
    fn message(&mut self, now: Duration, message: &Value) -> Result<(), String> {
        let id = strict::text(message, "context_id")?.to_owned();
        if message["cancel"] == true {
            strict::only(message, &["context_id", "cancel"])?;
            self.outbox.take_back(&id);
            match self.contexts.get_mut(&id) {
                Some(context) => context.is_over = true,
                None => return Err(format!("context {id} does not exist")),
            }
            return Ok(());
        }
        strict::only(message, FIELDS)?;
        let transcript = strict::text(message, "transcript")?.to_owned();
        let goes_on = message["continue"] == true;
        self.begin(now, &id, message)?;
        let Some(context) = self.contexts.get_mut(&id) else { return Ok(()) };
        context.text.push_str(&transcript);
        let is_sentence = context.text.trim_end().ends_with(['.', '?', '!', '।']);
        if !goes_on || message["flush"] == true || is_sentence {
            self.make(now, &id, message["add_timestamps"] == true);
        }
        if message["flush"] == true {
            self.number += 1;
            let due = self.contexts.get(&id).map_or(now, |context| context.studio.free_at().max(now));
            let done =
                json!({"type": "flush_done", "flush_id": self.number, "context_id": id, "done": false});
            self.outbox.at_for(due, &id, Action::Send(Frame::json(&done)));
        }
        if !goes_on {
            self.end(now, &id);
        }
        Ok(())
    }

    /// Makes the context if it is new; holds the message against it if it is not.
    fn begin(&mut self, now: Duration, id: &str, message: &Value) -> Result<(), String> {
        let settings =
            json!([message["model_id"], message["voice"], message["output_format"], message["language"]]);
        if let Some(context) = self.contexts.get(id) {
            if context.is_over || now > context.said + EXPIRY {
                return Err(format!("context {id} is over: a context lives for 1 s after its last audio"));
            }
            return if context.settings == settings {
                Ok(())
            } else {
                Err(format!("context {id} has other settings"))
            };
        }
        let model = strict::text(message, "model_id")?;
        if !model.starts_with("sonic") {
            return Err(format!("unknown model {model}"));
        }
        let voice = &message["voice"];
        strict::only(voice, &["mode", "id"])?;
        if voice["mode"] != "id" || voice["id"].as_str().is_none_or(str::is_empty) {
            return Err(format!("voice {voice}"));
        }
        if message["language"].as_str().is_some_and(|language| language.len() != 2) {
            return Err(format!("language {}", message["language"]));
        }
        let output = &message["output_format"];
        strict::only(output, &["container", "encoding", "sample_rate"])?;
        if output["container"] != "raw" {
            return Err("output_format.container has to be raw on a WebSocket".to_owned());
        }
        let coding = strict::coding(strict::text(output, "encoding")?)?;
        let rate = output["sample_rate"].as_u64().and_then(|rate| u32::try_from(rate).ok());
        let rate = rate.filter(|rate| [8_000, 16_000, 22_050, 24_000, 44_100, 48_000].contains(rate));
        let format = Format::new(coding, rate.ok_or("output_format.sample_rate")?);
        let studio = Studio::new(self.service.voice, self.service.pace, format);
        let context = Context { studio, settings, text: String::new(), said: now, is_over: false };
        self.contexts.insert(id.to_owned(), context);
        Ok(())
    }

    fn make(&mut self, now: Duration, id: &str, tells_times: bool) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let text = std::mem::take(&mut context.text);
        if text.trim().is_empty() {
            return;
        }
        for piece in context.studio.make(now, &text) {
            let chunk = json!({
                "type": "chunk", "data": BASE64.encode(&piece.bytes), "done": false, "context_id": id,
                "step_time": 10.0, "status_code": 206,
            });
            self.outbox.at_for(piece.due, id, Action::Send(Frame::json(&chunk)));
            if tells_times && !piece.characters.is_empty() {
                let times = json!({
                    "type": "timestamps", "context_id": id, "status_code": 206, "done": false,
                    "word_timestamps": words(&piece),
                });
                self.outbox.at_for(piece.due, id, Action::Send(Frame::json(&times)));
            }
        }
        context.said = context.studio.free_at();
    }

    fn end(&mut self, now: Duration, id: &str) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        context.is_over = true;
        let due = context.studio.free_at().max(now);
        let done = json!({"type": "done", "done": true, "context_id": id, "status_code": 200});
        self.outbox.at_for(due, id, Action::Send(Frame::json(&done)));
    }
}

fn words(piece: &Piece) -> Value {
    let text: String = piece.characters.iter().map(|(letter, _, _)| *letter).collect();
    let first = piece.characters.first().map_or(0, |(_, at, _)| *at);
    let last = piece.characters.last().map_or(0, |(_, at, lasts)| at + lasts);
    json!({"words": [text], "start": [first as f64 / 1_000.0], "end": [last as f64 / 1_000.0]})
}

const EXPIRY: Duration = Duration::from_secs(1);

const VERSIONS: &[&str] = &["2025-04-16", "2026-03-01", "2026-08-14"];

const FIELDS: &[&str] = &[
    "context_id",
    "model_id",
    "transcript",
    "continue",
    "language",
    "voice",
    "output_format",
    "add_timestamps",
    "add_phoneme_timestamps",
    "max_buffer_delay_ms",
    "flush",
    "generation_config",
    "pronunciation_dict_id",
];
