//! ElevenLabs' streaming synthesizer with several contexts on one connection:
//! `wss://api.elevenlabs.io/v1/text-to-speech/{voice_id}/multi-stream-input`.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Session, Vendor};
use crate::voice::{Pace, Piece, Studio, Voice};

/// The service.
#[derive(Clone, Debug)]
pub struct ElevenLabsContexts {
    seen: Seen,
    pace: Pace,
    voice: Voice,
}

impl ElevenLabsContexts {
    /// A synthesizer that is this fast.
    pub fn new(voice: Voice, pace: Pace, seen: &Seen) -> Self {
        Self { seen: seen.clone(), pace, voice }
    }

    fn speak(&self, now: Duration, arrival: &Arrival) -> Result<Contexts, String> {
        let query = Query::checked(arrival, PARAMETERS, &[])?;
        let settings = settings(&query)?;
        query.one_of("apply_text_normalization", &["auto", "on", "off"])?;
        query.number("seed", 0.0, 4_294_967_295.0)?;
        for flag in ["sync_alignment", "enable_logging", "enable_ssml_parsing"] {
            query.flag(flag)?;
        }
        let timeout = query.number("inactivity_timeout", 1.0, 300.0)?.unwrap_or(20.0);
        Ok(Contexts {
            seen: self.seen.clone(),
            voice: self.voice,
            pace: self.pace,
            format: settings,
            is_auto: query.flag("auto_mode")?,
            timeout: Duration::from_secs_f64(timeout),
            contexts: BTreeMap::new(),
            outbox: Outbox::default(),
            heard_at: now,
            is_closing: false,
        })
    }
}

/// What both kinds of streaming share: the model, the language and the format.
///
/// # Errors
///
/// Which of them is unknown.
pub fn settings(query: &Query<'_>) -> Result<Format, String> {
    let model = query.one_of("model_id", MODELS)?.unwrap_or("eleven_multilingual_v2");
    if query.optional("language_code").is_some() && !SPEAKS_BY_CODE.contains(&model) {
        return Err(format!("Model {model} does not support language_code"));
    }
    output_format(query.optional("output_format").unwrap_or("mp3_44100_128"))
}

/// A format that this simulation can make.
///
/// # Errors
///
/// If the vendor has none of that name, or only packs it.
pub fn output_format(name: &str) -> Result<Format, String> {
    match name {
        "ulaw_8000" => Ok(Format::new(Coding::Mulaw, 8_000)),
        "alaw_8000" => Ok(Format::new(Coding::Alaw, 8_000)),
        "pcm_8000" => Ok(Format::new(Coding::Linear16, 8_000)),
        "pcm_16000" => Ok(Format::new(Coding::Linear16, 16_000)),
        "pcm_22050" => Ok(Format::new(Coding::Linear16, 22_050)),
        "pcm_24000" => Ok(Format::new(Coding::Linear16, 24_000)),
        "pcm_44100" => Ok(Format::new(Coding::Linear16, 44_100)),
        "pcm_48000" => Ok(Format::new(Coding::Linear16, 48_000)),
        other => Err(format!("output_format {other}: no raw format")),
    }
}

/// A piece as a message.
pub fn audio_message(piece: &Piece) -> Value {
    let list = |of: fn(&(char, u64, u64)) -> Value| piece.characters.iter().map(of).collect::<Vec<_>>();
    let alignment = json!({
        "chars": list(|(letter, _, _)| Value::from(letter.to_string())),
        "charStartTimesMs": list(|(_, at, _)| Value::from(*at)),
        "charDurationsMs": list(|(_, _, lasts)| Value::from(*lasts)),
    });
    let alignment = if piece.characters.is_empty() { Value::Null } else { alignment };
    json!({
        "audio": BASE64.encode(&piece.bytes), "alignment": alignment, "normalizedAlignment": alignment,
        "isFinal": null,
    })
}

/// Whether voice settings are what the vendor takes.
///
/// # Errors
///
/// Which is not.
pub fn check_voice_settings(settings: &Value) -> Result<(), String> {
    if settings.is_null() {
        return Ok(());
    }
    strict::only(settings, &["stability", "similarity_boost", "style", "use_speaker_boost", "speed"])?;
    for name in ["stability", "similarity_boost", "style"] {
        strict::number(settings, name, 0.0, 1.0)?;
    }
    strict::number(settings, "speed", 0.7, 1.2).map(|_| ())
}

impl Vendor for ElevenLabsContexts {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, name: &str, message: &str| {
            Answer::Refuse(Refusal::json(status, &json!({"detail": {"status": name, "message": message}})))
        };
        let path: Vec<_> = arrival.path.trim_start_matches('/').split('/').collect();
        let ["v1", "text-to-speech", voice, "multi-stream-input"] = path.as_slice() else {
            return refuse(404, "not_found", "Not Found");
        };
        if arrival.header("xi-api-key") != Some(KEY) {
            return refuse(401, "invalid_api_key", "Invalid API key");
        }
        if !arrival.is_websocket {
            return refuse(404, "not_found", "Not Found");
        }
        if voice.is_empty() || *voice == UNKNOWN_VOICE {
            return refuse(404, "voice_not_found", "A voice with this id was not found.");
        }
        match self.speak(now, arrival) {
            Ok(session) => Answer::Upgrade(Vec::new(), Box::new(session)),
            Err(error) => refuse(422, "invalid_parameters", &error),
        }
    }
}

struct Contexts {
    seen: Seen,
    voice: Voice,
    pace: Pace,
    format: Format,
    is_auto: bool,
    timeout: Duration,
    contexts: BTreeMap<String, Context>,
    outbox: Outbox,
    heard_at: Duration,
    is_closing: bool,
}

struct Context {
    studio: Studio,
    text: String,
    pieces: usize,
    is_closed: bool,
}

impl Session for Contexts {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if self.is_closing {
            self.seen.complain("elevenlabs: a message after close_socket");
            return;
        }
        self.heard_at = now;
        let done = match frame {
            Frame::Binary(_) => Err(("invalid_message", "a binary message where text is due".to_owned())),
            Frame::Text(text) => self.message(now, &text),
        };
        if let Err((name, error)) = done {
            self.fail(now, name, &error);
        }
    }

    fn next(&self) -> Option<Duration> {
        let deadline = (!self.is_closing).then(|| self.heard_at + self.timeout);
        self.outbox.next().into_iter().chain(deadline).min()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if !self.is_closing && now >= self.heard_at + self.timeout {
            let error =
                format!("nothing came for {} s; a message keeps a context alive", self.timeout.as_secs());
            self.fail(now, "input_timeout_exceeded", &error);
        }
        self.outbox.poll(now)
    }
}

impl Contexts {
    fn message(&mut self, now: Duration, text: &str) -> Result<(), (&'static str, String)> {
        let invalid = |error| ("invalid_message", error);
        let message = strict::json(text).map_err(invalid)?;
        strict::only(&message, FIELDS).map_err(invalid)?;
        check_voice_settings(&message["voice_settings"]).map_err(invalid)?;
        if message["close_socket"] == true {
            self.finish(now);
            return Ok(());
        }
        let id = message["context_id"].as_str().unwrap_or("default").to_owned();
        if self.contexts.is_empty() && message["text"] != " " {
            return Err(invalid("the first message's text has to be one space".to_owned()));
        }
        if !self.contexts.contains_key(&id) {
            if message["text"].is_null() {
                self.seen.complain(format_args!("elevenlabs: context {id} does not exist"));
                return Ok(());
            }
            self.begin(&id)?;
        } else if !message["voice_settings"].is_null() || !message["generation_config"].is_null() {
            return Err(invalid(format!("settings stand in the first message of context {id} alone")));
        }
        self.told(now, &id, &message)
    }

    fn begin(&mut self, id: &str) -> Result<(), (&'static str, String)> {
        let live = self.contexts.values().filter(|context| !context.is_closed).count();
        if live >= MAX_CONTEXTS {
            return Err(("max_active_conversations", format!("more than {MAX_CONTEXTS} contexts are open")));
        }
        let studio = Studio::new(self.voice, self.pace, self.format);
        self.contexts
            .insert(id.to_owned(), Context { studio, text: String::new(), pieces: 0, is_closed: false });
        Ok(())
    }

    fn told(&mut self, now: Duration, id: &str, message: &Value) -> Result<(), (&'static str, String)> {
        let Some(context) = self.contexts.get_mut(id) else { return Ok(()) };
        if context.is_closed {
            // Its owner may not have heard yet; real servers say nothing either.
            self.seen.complain(format_args!("elevenlabs: context {id} is closed"));
            return Ok(());
        }
        let flushes = message["flush"] == true;
        match &message["text"] {
            Value::Null => {}
            Value::String(text) => {
                if !text.is_empty() && !text.ends_with(' ') && !flushes {
                    self.seen
                        .complain(format_args!("elevenlabs: a piece of text that does not end with a space"));
                }
                context.text.push_str(text);
            }
            other => return Err(("invalid_message", format!("text: {other} is no string"))),
        }
        let limit = SCHEDULE.get(context.pieces).or(SCHEDULE.last()).copied().unwrap_or(0);
        let is_enough = context.text.chars().count() >= limit;
        let is_closed = message["close_context"] == true;
        if flushes || is_closed || self.is_auto || is_enough {
            self.make(now, id);
        }
        if is_closed {
            self.close(now, id);
        }
        Ok(())
    }

    fn make(&mut self, now: Duration, id: &str) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        let text = std::mem::take(&mut context.text);
        if text.trim().is_empty() {
            return;
        }
        context.pieces += 1;
        for piece in context.studio.make(now, text.trim_start()) {
            let mut message = audio_message(&piece);
            message["contextId"] = Value::from(id);
            self.outbox.at_for(piece.due, id, Action::Send(Frame::json(&message)));
        }
    }

    fn close(&mut self, now: Duration, id: &str) {
        let Some(context) = self.contexts.get_mut(id) else { return };
        context.is_closed = true;
        let last = context.studio.free_at().max(now);
        let message = json!({"isFinal": true, "audio": null, "contextId": id});
        self.outbox.at_for(last, id, Action::Send(Frame::json(&message)));
    }

    fn finish(&mut self, now: Duration) {
        let ids: Vec<_> = self
            .contexts
            .iter()
            .filter(|(_, context)| !context.is_closed)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.make(now, &id);
            self.close(now, &id);
        }
        let last = self.outbox.last().map_or(now, |last| last.max(now));
        self.outbox.at(last, Action::Close { code: 1000, reason: String::new() });
        self.is_closing = true;
    }

    fn fail(&mut self, now: Duration, name: &str, error: &str) {
        self.seen.complain(format_args!("elevenlabs: {name}: {error}"));
        self.is_closing = true;
        self.outbox.clear();
        self.outbox.json_at(now, &json!({"message": error, "error": name, "code": 1008}));
        self.outbox.at(now, Action::Close { code: 1008, reason: name.to_owned() });
    }
}

/// A voice that does not exist.
pub const UNKNOWN_VOICE: &str = "no-such-voice";

const MAX_CONTEXTS: usize = 5;

/// How many characters are waited for before each piece is made.
const SCHEDULE: &[usize] = &[120, 160, 250, 290];

/// The models.
pub const MODELS: &[&str] =
    &["eleven_flash_v2_5", "eleven_turbo_v2_5", "eleven_flash_v2", "eleven_multilingual_v2", "eleven_v3"];

const SPEAKS_BY_CODE: &[&str] = &["eleven_flash_v2_5", "eleven_turbo_v2_5", "eleven_v3"];

const FIELDS: &[&str] = &[
    "text",
    "context_id",
    "voice_settings",
    "generation_config",
    "pronunciation_dictionary_locators",
    "flush",
    "close_context",
    "close_socket",
];

const PARAMETERS: &[&str] = &[
    "model_id",
    "language_code",
    "output_format",
    "inactivity_timeout",
    "auto_mode",
    "sync_alignment",
    "apply_text_normalization",
    "seed",
    "enable_logging",
    "enable_ssml_parsing",
];
