//! Deepgram's streaming synthesizer (Aura): `wss://api.deepgram.com/v1/speak`.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::json;

use crate::audio::{Coding, Format};
use crate::seen::Seen;
use crate::strict::{self, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Session, Vendor};
use crate::voice::{Pace, Studio, Voice};

/// The service.
#[derive(Clone, Debug)]
pub struct DeepgramSpeak {
    seen: Seen,
    pace: Pace,
    voice: Voice,
    sessions: u64,
}

impl DeepgramSpeak {
    /// A synthesizer that is this fast.
    pub fn new(voice: Voice, pace: Pace, seen: &Seen) -> Self {
        Self { seen: seen.clone(), pace, voice, sessions: 0 }
    }

    fn speak(&self, arrival: &Arrival) -> Result<Speaking, String> {
        let known = ["model", "encoding", "sample_rate", "speed", "mip_opt_out", "container", "bit_rate"];
        let query = Query::checked(arrival, &known, &["tag"])?;
        let model = query.optional("model").unwrap_or("aura-asteria-en");
        let parts: Vec<_> = model.split('-').collect();
        let is_voice = match parts.as_slice() {
            ["aura", _, "en"] => true,
            ["aura", "2", name, language] => !name.is_empty() && language.len() == 2,
            _ => false,
        };
        if !is_voice {
            return Err(format!("No such model/voice: {model}"));
        }
        query.one_of("container", &["none"])?;
        query.number("speed", 0.7, 1.5)?;
        let coding = query.optional("encoding").map_or(Ok(Coding::Linear16), strict::coding)?;
        let rates: &[u32] = match coding {
            Coding::Linear16 => &[8_000, 16_000, 24_000, 32_000, 48_000],
            Coding::Mulaw | Coding::Alaw => &[8_000, 16_000],
        };
        let rate_hz = match query.optional("sample_rate") {
            Some(text) => text.parse().ok().filter(|rate| rates.contains(rate)),
            // What stands for nothing is 24 kHz, and G.711 has no such rate.
            None => Some(24_000).filter(|rate| rates.contains(rate)),
        };
        let rate_hz =
            rate_hz.ok_or_else(|| format!("sample_rate for {coding:?}: expected one of {rates:?}"))?;
        Ok(Speaking {
            seen: self.seen.clone(),
            studio: Studio::new(self.voice, self.pace, Format::new(coding, rate_hz)),
            outbox: Outbox::default(),
            text: String::new(),
            flushes: VecDeque::new(),
            sequence: 0,
            is_closing: false,
        })
    }
}

impl Vendor for DeepgramSpeak {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.sessions += 1;
        let request_id = format!("dg-tts-{}", self.sessions);
        let refuse = |status: u16, code: &str, message: &str| {
            let body = json!({"err_code": code, "err_msg": message, "request_id": request_id});
            Answer::Refuse(Refusal::json(status, &body))
        };
        if arrival.path != "/v1/speak" {
            return refuse(404, "Not Found", "Not found.");
        }
        if !strict::has_key(arrival, "Token") {
            return refuse(401, "INVALID_AUTH", "Invalid credentials.");
        }
        if !arrival.is_websocket {
            return refuse(400, "Bad Request", "this is the streaming endpoint: upgrade to a WebSocket");
        }
        match self.speak(arrival) {
            Ok(mut session) => {
                let metadata = json!({
                    "type": "Metadata", "request_id": request_id, "model_name": arrival.parameter("model"),
                    "model_version": "simulated", "model_uuid": "simulated",
                });
                session.outbox.json_at(now, &metadata);
                Answer::Upgrade(vec![("dg-request-id".to_owned(), request_id.clone())], Box::new(session))
            }
            Err(error) => refuse(400, "Bad Request", &error),
        }
    }
}

struct Speaking {
    seen: Seen,
    studio: Studio,
    outbox: Outbox,
    text: String,
    /// When the last flushes came.
    flushes: VecDeque<Duration>,
    sequence: u64,
    is_closing: bool,
}

impl Session for Speaking {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if self.is_closing {
            self.seen.complain("deepgram speak: a message after Close");
            return;
        }
        let done = match frame {
            Frame::Binary(_) => Err("a binary message where text is due".to_owned()),
            Frame::Text(text) => self.control(now, &text),
        };
        if let Err(error) = done {
            self.seen.complain(format_args!("deepgram speak: {error}"));
            self.is_closing = true;
            self.outbox.clear();
            self.outbox.at(now, Action::Close { code: 1008, reason: "DATA-0000".to_owned() });
        }
    }

    fn next(&self) -> Option<Duration> {
        self.outbox.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        self.outbox.poll(now)
    }
}

impl Speaking {
    fn control(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        match strict::text(&message, "type")? {
            "Speak" => {
                strict::only(&message, &["type", "text"])?;
                let text = strict::text(&message, "text")?;
                if text.chars().count() > MAX_TEXT {
                    return Err(format!("a Speak of more than {MAX_TEXT} characters"));
                }
                self.text.push_str(text);
            }
            "Flush" => {
                strict::only(&message, &["type"])?;
                self.flush(now);
            }
            "Clear" => {
                strict::only(&message, &["type"])?;
                self.text.clear();
                self.outbox.take_back(AUDIO);
                self.studio.clear();
                let cleared = json!({"type": "Cleared", "sequence_id": self.sequence});
                self.outbox.json_at(now, &cleared);
            }
            "Close" => {
                strict::only(&message, &["type"])?;
                self.make(now);
                let last = self.outbox.last().map_or(now, |last| last.max(now));
                self.outbox.at(last, Action::Close { code: 1000, reason: String::new() });
                self.is_closing = true;
            }
            other => return Err(format!("unknown message type `{other}`")),
        }
        Ok(())
    }

    fn flush(&mut self, now: Duration) {
        self.flushes.retain(|flush| now.saturating_sub(*flush) < Duration::from_secs(60));
        if self.flushes.len() >= FLUSHES_A_MINUTE {
            self.seen.complain("deepgram speak: more than 20 Flush in 60 s");
            let description = "Exceeded the number of flushes that are allowed in 60 seconds";
            let warning = json!({"type": "Warning", "code": "EXCESSIVE_FLUSH", "description": description});
            self.outbox.json_at(now, &warning);
            return;
        }
        self.flushes.push_back(now);
        let made = self.make(now);
        let flushed = json!({"type": "Flushed", "sequence_id": self.sequence});
        self.sequence += 1;
        self.outbox.at_for(made, AUDIO, Action::Send(Frame::json(&flushed)));
    }

    /// Returns when the audio is made.
    fn make(&mut self, now: Duration) -> Duration {
        let text = std::mem::take(&mut self.text);
        if text.trim().is_empty() {
            return self.studio.free_at().max(now);
        }
        for piece in self.studio.make(now, &text) {
            self.outbox.at_for(piece.due, AUDIO, Action::Send(Frame::Binary(piece.bytes)));
        }
        self.studio.free_at()
    }
}

/// What a Clear takes back.
const AUDIO: &str = "audio";

const MAX_TEXT: usize = 2_000;

const FLUSHES_A_MINUTE: usize = 20;
