//! Sarvam's streaming synthesizer: `wss://api.sarvam.ai/text-to-speech/ws`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Session, Vendor};
use crate::voice::{Pace, Studio, Voice};

/// The service.
#[derive(Clone, Debug)]
pub struct SarvamSpeak {
    seen: Seen,
    voice: Voice,
    pace: Pace,
    language_field: &'static str,
}

impl SarvamSpeak {
    /// A synthesizer that is this fast. Clients disagree on what the language's field is called; `language_field` is what this
    /// one takes.
    pub fn new(voice: Voice, pace: Pace, language_field: &'static str, seen: &Seen) -> Self {
        Self { seen: seen.clone(), voice, pace, language_field }
    }
}

impl Vendor for SarvamSpeak {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, code: &str, message: &str| {
            Answer::Refuse(Refusal::json(status, &json!({"error": {"message": message, "code": code}})))
        };
        if arrival.path != "/text-to-speech/ws" || !arrival.is_websocket {
            return refuse(404, "not_found_error", "Not Found");
        }
        if arrival.header("api-subscription-key") != Some(KEY) {
            return refuse(403, "invalid_api_key_error", "Invalid API key");
        }
        let checked = Query::checked(arrival, &["model", "send_completion_event"], &[]).and_then(|query| {
            let model = query.one_of("model", MODELS)?.unwrap_or("bulbul:v2");
            Ok((model.to_owned(), query.flag("send_completion_event")?))
        });
        match checked {
            Ok((model, tells_end)) => {
                let service = self.clone();
                let outbox = Outbox::default();
                let session = Speaking {
                    service,
                    model,
                    tells_end,
                    studio: None,
                    text: String::new(),
                    outbox,
                    heard_at: now,
                    is_over: false,
                };
                Answer::Upgrade(Vec::new(), Box::new(session))
            }
            Err(error) => refuse(400, "invalid_request_error", &error),
        }
    }
}

struct Speaking {
    service: SarvamSpeak,
    model: String,
    tells_end: bool,
    studio: Option<Studio>,
    text: String,
    outbox: Outbox,
    heard_at: Duration,
    is_over: bool,
}

impl Session for Speaking {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if self.is_over {
            return;
        }
        self.heard_at = now;
        let done = match frame {
            Frame::Binary(_) => Err("a binary message where text is due".to_owned()),
            Frame::Text(text) => self.message(now, &text),
        };
        if let Err(error) = done {
            self.fail(now, &error, 1003);
        }
    }

    fn next(&self) -> Option<Duration> {
        let deadline = (!self.is_over).then(|| self.heard_at + IDLE);
        self.outbox.next().into_iter().chain(deadline).min()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if !self.is_over && now >= self.heard_at + IDLE {
            self.fail(now, "neither text nor ping for 60 s", 1000);
        }
        self.outbox.poll(now)
    }
}

impl Speaking {
    fn message(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        strict::only(&message, &["type", "data"])?;
        match strict::text(&message, "type")? {
            "config" => self.configure(&message["data"]),
            "ping" => Ok(()),
            other if self.studio.is_none() => Err(format!("{other} before config")),
            "text" => {
                strict::only(&message["data"], &["text"])?;
                let text = strict::text(&message["data"], "text")?;
                if text.trim().is_empty() || text.chars().count() > MAX_TEXT {
                    return Err(format!("a text has from 1 to {MAX_TEXT} characters"));
                }
                self.text.push_str(text);
                Ok(())
            }
            "flush" => {
                self.make(now);
                Ok(())
            }
            other => Err(format!("unknown message type `{other}`")),
        }
    }

    fn configure(&mut self, config: &Value) -> Result<(), String> {
        let field = self.service.language_field;
        let known = [
            field,
            "speaker",
            "pace",
            "speech_sample_rate",
            "output_audio_codec",
            "min_buffer_size",
            "max_chunk_length",
            "pitch",
            "loudness",
            "temperature",
            "enable_preprocessing",
            "output_audio_bitrate",
        ];
        strict::only(config, &known)?;
        let language = strict::text(config, field)?;
        if !LANGUAGES.contains(&language) {
            return Err(format!("{field}: {language}"));
        }
        strict::text(config, "speaker")?;
        strict::number(config, "pace", 0.3, 3.0)?;
        strict::number(config, "min_buffer_size", 30.0, 200.0)?;
        strict::number(config, "max_chunk_length", 50.0, 500.0)?;
        if self.model != "bulbul:v2" && !(config["pitch"].is_null() && config["loudness"].is_null()) {
            return Err(format!("pitch and loudness are not supported by {}", self.model));
        }
        let coding = match config["output_audio_codec"].as_str() {
            Some(name @ ("linear16" | "mulaw" | "alaw")) => strict::coding(name)?,
            other => return Err(format!("output_audio_codec {other:?}: no raw format")),
        };
        let rate = strict::number(config, "speech_sample_rate", 8_000.0, 48_000.0)?.unwrap_or(24_000.0);
        if coding != Coding::Linear16 && rate != 8_000.0 {
            return Err("G.711 has 8 kHz".to_owned());
        }
        let format = Format::new(coding, rate as u32);
        self.studio = Some(Studio::new(self.service.voice, self.service.pace, format));
        Ok(())
    }

    fn make(&mut self, now: Duration) {
        let text = std::mem::take(&mut self.text);
        let Some(studio) = self.studio.as_mut().filter(|_| !text.trim().is_empty()) else { return };
        let kind = match studio.format().coding {
            Coding::Mulaw => "audio/mulaw",
            Coding::Alaw => "audio/alaw",
            Coding::Linear16 => "audio/linear16",
        };
        for piece in studio.make(now, &text) {
            let data = json!({"content_type": kind, "audio": BASE64.encode(&piece.bytes)});
            self.outbox.json_at(piece.due, &json!({"type": "audio", "data": data}));
        }
        if self.tells_end {
            self.outbox.json_at(studio.free_at(), &json!({"type": "event", "data": {"event_type": "final"}}));
        }
    }

    fn fail(&mut self, now: Duration, error: &str, code: u16) {
        self.service.seen.complain(format_args!("sarvam speak: {error}"));
        self.is_over = true;
        self.outbox.clear();
        self.outbox.json_at(now, &json!({"type": "error", "data": {"message": error, "code": 422}}));
        self.outbox.at(now, Action::Close { code, reason: String::new() });
    }
}

const IDLE: Duration = Duration::from_secs(60);

const MAX_TEXT: usize = 2_500;

const MODELS: &[&str] = &["bulbul:v2", "bulbul:v3", "bulbul:v4-flash"];

const LANGUAGES: &[&str] =
    &["hi-IN", "en-IN", "bn-IN", "ta-IN", "te-IN", "mr-IN", "gu-IN", "kn-IN", "ml-IN", "pa-IN", "od-IN"];
