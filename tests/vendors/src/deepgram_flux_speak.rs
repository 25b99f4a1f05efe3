//! Deepgram's synthesizer for conversations (Flux): `wss://api.deepgram.com/v2/speak`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::seen::Seen;
use crate::strict::{self, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Session, Vendor};
use crate::voice::{Pace, Studio, Voice};

/// The service.
#[derive(Clone, Debug)]
pub struct DeepgramFluxSpeak {
    seen: Seen,
    pace: Pace,
    voice: Voice,
    sessions: u64,
}

impl DeepgramFluxSpeak {
    /// A synthesizer that is this fast.
    pub fn new(voice: Voice, pace: Pace, seen: &Seen) -> Self {
        Self { seen: seen.clone(), pace, voice, sessions: 0 }
    }

    fn speak(&self, arrival: &Arrival) -> Result<Speaking, String> {
        let query = Query::checked(arrival, &["model", "encoding", "sample_rate", "mip_opt_out"], &["tag"])?;
        let model = query.required("model")?;
        let parts: Vec<_> = model.split('-').collect();
        if !matches!(parts.as_slice(), ["flux", name, language] if !name.is_empty() && language.len() == 2) {
            return Err(format!("No such model: {model}; expected flux-<voice>-<language>"));
        }
        let coding = query.optional("encoding").map_or(Ok(Coding::Linear16), strict::coding)?;
        let rates: &[u32] = match coding {
            Coding::Linear16 => &[8_000, 16_000, 24_000, 32_000, 48_000],
            Coding::Mulaw | Coding::Alaw => &[8_000, 16_000],
        };
        let rate = query.optional("sample_rate").unwrap_or("24000");
        let rate_hz = rate.parse().ok().filter(|rate| rates.contains(rate));
        let rate_hz =
            rate_hz.ok_or_else(|| format!("sample_rate for {coding:?}: expected one of {rates:?}"))?;
        Ok(Speaking {
            seen: self.seen.clone(),
            studio: Studio::new(self.voice, self.pace, Format::new(coding, rate_hz)),
            outbox: Outbox::default(),
            turn: None,
            turns: 0,
            is_closing: false,
        })
    }
}

impl Vendor for DeepgramFluxSpeak {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.sessions += 1;
        let request_id = format!("dg-flux-tts-{}", self.sessions);
        let refuse = |status: u16, code: &str, message: &str| {
            let body = json!({"err_code": code, "err_msg": message, "request_id": request_id});
            Answer::Refuse(Refusal::json(status, &body))
        };
        if arrival.path != "/v2/speak" {
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
                session.outbox.json_at(now, &json!({"type": "Connected", "request_id": request_id}));
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
    /// The turn whose text comes, or whose sound is not all sent.
    turn: Option<Turn>,
    turns: u64,
    is_closing: bool,
}

/// What is said from one flush to the next.
struct Turn {
    /// Text of which no sound has been made.
    waiting: String,
    /// All of it, for what an interruption tells.
    text: String,
    /// When its first sound is ready.
    begins: Option<Duration>,
    /// When its last sound is ready, once it was flushed.
    ends: Option<Duration>,
}

impl Session for Speaking {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if self.is_closing {
            self.seen.complain("deepgram flux speak: a message after Close");
            return;
        }
        let done = match frame {
            Frame::Binary(_) => Err("a binary message where text is due".to_owned()),
            Frame::Text(text) => strict::json(&text).and_then(|message| self.control(now, &message)),
        };
        if let Err(error) = done {
            self.seen.complain(format_args!("deepgram flux speak: {error}"));
            self.is_closing = true;
            self.outbox.clear();
            let fatal = json!({"type": "Error", "code": "INVALID_MESSAGE", "description": error});
            self.outbox.json_at(now, &fatal);
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
    fn control(&mut self, now: Duration, message: &Value) -> Result<(), String> {
        // A turn that was flushed is over when its sound has been made.
        self.turn.take_if(|turn| turn.ends.is_some_and(|ends| ends <= now));
        match strict::text(message, "type")? {
            "Speak" => {
                strict::only(message, &["type", "text"])?;
                self.say(now, strict::text(message, "text")?)
            }
            "Flush" => {
                strict::only(message, &["type"])?;
                self.flush(now);
                Ok(())
            }
            "Interrupt" => {
                strict::only(message, &["type", "playback_offset"])?;
                self.interrupt(now, &message["playback_offset"])
            }
            "Close" => {
                strict::only(message, &["type"])?;
                self.flush(now);
                let last = self.outbox.last().map_or(now, |last| last.max(now));
                self.outbox.at(last, Action::Close { code: 1000, reason: String::new() });
                self.is_closing = true;
                Ok(())
            }
            other => Err(format!("unknown message type `{other}`")),
        }
    }

    fn say(&mut self, now: Duration, text: &str) -> Result<(), String> {
        if text.is_empty() || text.chars().count() > MAX_TEXT {
            return Err(format!("a Speak has 1 to {MAX_TEXT} characters"));
        }
        // The next turn may be written while this one is made.
        let is_next = self.turn.as_ref().is_none_or(|turn| turn.ends.is_some());
        if is_next {
            self.turns += 1;
            self.turn = Some(Turn { waiting: String::new(), text: String::new(), begins: None, ends: None });
        }
        if let Some(turn) = &mut self.turn {
            turn.waiting.push_str(text);
            turn.text.push_str(text);
        }
        self.make(now);
        Ok(())
    }

    /// Sound of what waits.
    fn make(&mut self, now: Duration) {
        let Some(turn) = &mut self.turn else { return };
        let text = std::mem::take(&mut turn.waiting);
        if text.trim().is_empty() {
            return;
        }
        let pieces = self.studio.make(now, &text);
        if let (None, Some(first)) = (turn.begins, pieces.first()) {
            turn.begins = Some(first.due);
            let started = json!({"type": "SpeechStarted", "speech_id": format!("speech-{}", self.turns)});
            self.outbox.at_for(first.due, SPEECH, Action::Send(Frame::json(&started)));
        }
        for piece in pieces {
            self.outbox.at_for(piece.due, SPEECH, Action::Send(Frame::Binary(piece.bytes)));
        }
    }

    fn flush(&mut self, now: Duration) {
        self.make(now);
        let made = self.studio.free_at().max(now);
        let Some(turn) = self.turn.as_mut().filter(|turn| turn.ends.is_none()) else { return };
        turn.ends = Some(made);
        let metadata = json!({"type": "SpeechMetadata", "speech_id": format!("speech-{}", self.turns)});
        let flushed = json!({"type": "Flushed", "sequence_id": self.turns});
        for message in [metadata, flushed] {
            self.outbox.at_for(made, SPEECH, Action::Send(Frame::json(&message)));
        }
    }

    fn interrupt(&mut self, now: Duration, offset: &Value) -> Result<(), String> {
        if !offset.is_null() {
            strict::only(offset, &["type", "value"])?;
            if offset["type"] != "time_ms" || offset["value"].as_u64().is_none() {
                return Err(format!("playback_offset {offset}: expected time_ms and milliseconds"));
            }
        }
        let Some(turn) = self.turn.take() else {
            let warning =
                json!({"type": "Warning", "code": "NO_ACTIVE_SPEECH", "description": "Nothing is spoken."});
            self.outbox.json_at(now, &warning);
            return Ok(());
        };
        self.outbox.take_back(SPEECH);
        self.studio.clear();
        let begun = turn.begins.filter(|begins| *begins <= now);
        let played = offset["value"].as_u64().filter(|_| begun.is_some()).unwrap_or(0);
        let interrupted = json!({
            "type": "SpeechInterrupted", "audio_played_ms": played, "text_spoken": "", "text_remaining": turn.text,
        });
        self.outbox.json_at(now, &interrupted);
        Ok(())
    }
}

/// What an interruption takes back.
const SPEECH: &str = "speech";

const MAX_TEXT: usize = 2_000;
