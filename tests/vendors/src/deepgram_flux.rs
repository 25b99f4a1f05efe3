//! Deepgram's recognizer that knows turns (Flux): `wss://api.deepgram.com/v2/listen`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::hearing::{Burst, Heard, Manner, Script};
use crate::listening::{Desk, Opening, seconds};
use crate::seen::Seen;
use crate::strict::{self, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct DeepgramFlux {
    seen: Seen,
    script: Script,
    manner: Manner,
    sessions: u64,
}

impl DeepgramFlux {
    /// A recognizer that hears this script; a turn ends after the manner's silence.
    pub fn new(script: &Script, manner: Manner, seen: &Seen) -> Self {
        Self { seen: seen.clone(), script: script.clone(), manner, sessions: 0 }
    }

    fn listen(&self, now: Duration, arrival: &Arrival) -> Result<Flux, String> {
        let query = Query::checked(arrival, PARAMETERS, &["keyterm", "language_hint", "tag"])?;
        let model = query.required("model")?;
        if !["flux-general-en", "flux-general-multi"].contains(&model) {
            return Err(format!("No such model: {model}"));
        }
        if query.optional("language_hint").is_some() && model != "flux-general-multi" {
            return Err("language_hint needs flux-general-multi".to_owned());
        }
        let format = query.raw_audio("encoding", "sample_rate", &[8_000, 16_000, 24_000, 44_100, 48_000])?;
        let threshold = query.number("eot_threshold", 0.5, 1.0)?.unwrap_or(0.7);
        let eager = query.number("eager_eot_threshold", 0.3, 0.9)?;
        if eager.is_some_and(|eager| eager > threshold) {
            return Err("eager_eot_threshold is above eot_threshold".to_owned());
        }
        query.number("eot_timeout_ms", 500.0, 60_000.0)?;
        let silence =
            if threshold < 1.0 { self.manner.silence.max(EAGER_AFTER + STEP) } else { Duration::MAX };
        let manner = Manner { silence, partials_every: Duration::from_millis(250), ..self.manner };
        let opening = Opening {
            name: "deepgram flux",
            format,
            manner,
            longest_piece: Duration::from_secs(10),
            idle_limit: Duration::from_secs(10),
        };
        Ok(Flux {
            desk: Desk::new(now, &self.script, &self.seen, &opening),
            request_id: format!("flux-{}", self.sessions),
            is_eager: eager.is_some(),
            turn: 0,
            sequence: 0,
            state: Turn::Before,
        })
    }
}

impl Vendor for DeepgramFlux {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.sessions += 1;
        let refuse = |status: u16, code: &str, message: &str| {
            Answer::Refuse(Refusal::json(
                status,
                &json!({"err_code": code, "err_msg": message, "request_id": "x"}),
            ))
        };
        if arrival.path != "/v2/listen" || !arrival.is_websocket {
            return refuse(404, "Not Found", "Not found.");
        }
        if !strict::has_key(arrival, "Token") {
            return refuse(401, "INVALID_AUTH", "Invalid credentials.");
        }
        match self.listen(now, arrival) {
            Ok(mut session) => {
                let connected =
                    json!({"type": "Connected", "request_id": session.request_id, "sequence_id": 0});
                session.desk.outbox.json_at(now, &connected);
                Answer::Upgrade(
                    vec![("dg-request-id".to_owned(), session.request_id.clone())],
                    Box::new(session),
                )
            }
            Err(error) => refuse(400, "Bad Request", &error),
        }
    }
}

struct Flux {
    desk: Desk,
    request_id: String,
    is_eager: bool,
    turn: u64,
    sequence: u64,
    state: Turn,
}

/// How far the present turn is.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Before,
    Begun,
    Eager,
}

impl Session for Flux {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if !self.desk.takes() {
            return;
        }
        let done = match frame {
            Frame::Binary(bytes) => self.hear(now, &bytes),
            Frame::Text(text) => self.control(now, &text),
        };
        if let Err(error) = done {
            let message = json!({"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": error});
            self.desk.fail(now, &error, Some(&message), (1008, "UNPARSABLE_CLIENT_MESSAGE"));
        }
    }

    fn next(&self) -> Option<Duration> {
        self.desk.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if self.desk.is_idle(now) {
            self.desk.fail(
                now,
                "no audio for 10 s, and KeepAlive does not exist here",
                None,
                (1011, "NET-0001"),
            );
        }
        self.desk.outbox.poll(now)
    }
}

impl Flux {
    fn hear(&mut self, now: Duration, bytes: &[u8]) -> Result<(), String> {
        self.desk.alive(now);
        for heard in self.desk.hear(bytes)? {
            match heard {
                Heard::Started { .. } => {}
                Heard::Partial(burst) if self.state == Turn::Before => {
                    self.state = Turn::Begun;
                    self.turn_event(now, "StartOfTurn", &burst, 0.1);
                }
                Heard::Partial(burst) => self.turn_event(now, "Update", &burst, 0.2),
                Heard::Ended(burst) => self.end(now, &burst, "model"),
            }
        }
        let (Some(quiet), Some(burst)) = (self.desk.ear.quiet_for(), self.desk.ear.preview()) else {
            return Ok(());
        };
        if self.state != Turn::Eager && self.is_eager && quiet >= EAGER_AFTER && !burst.words.is_empty() {
            if self.state == Turn::Before {
                self.turn_event(now, "StartOfTurn", &burst, 0.1);
            }
            self.state = Turn::Eager;
            self.turn_event(now, "EagerEndOfTurn", &burst, 0.55);
        } else if self.state == Turn::Eager && quiet < STEP {
            self.state = Turn::Begun;
            self.turn_event(now, "TurnResumed", &burst, 0.2);
        }
        Ok(())
    }

    fn end(&mut self, now: Duration, burst: &Burst, trigger: &str) {
        if burst.words.is_empty() {
            // A cough is no turn.
            return;
        }
        if self.state == Turn::Before {
            self.turn_event(now, "StartOfTurn", burst, 0.1);
        }
        let mut event = self.event("EndOfTurn", burst, 0.9);
        event["trigger"] = Value::from(trigger);
        self.desk.tell(now, &event);
        self.state = Turn::Before;
        self.turn += 1;
    }

    fn turn_event(&mut self, now: Duration, name: &str, burst: &Burst, confidence: f64) {
        let event = self.event(name, burst, confidence);
        self.desk.tell(now, &event);
    }

    fn event(&mut self, name: &str, burst: &Burst, confidence: f64) -> Value {
        self.sequence += 1;
        let words = burst.words.iter().map(|word| {
            json!({"word": word.text, "confidence": 0.99, "start": seconds(word.start), "end": seconds(word.end)})
        });
        json!({
            "type": "TurnInfo", "event": name, "request_id": self.request_id, "sequence_id": self.sequence,
            "turn_index": self.turn, "audio_window_start": seconds(burst.start),
            "audio_window_end": seconds(self.desk.ear.position()), "transcript": burst.text(),
            "words": words.collect::<Vec<_>>(), "end_of_turn_confidence": confidence,
        })
    }

    fn control(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        match strict::text(&message, "type")? {
            "CloseStream" => {
                strict::only(&message, &["type"])?;
                if let Some(burst) = self.desk.ear.flush() {
                    self.end(now, &burst, "forced");
                }
                self.desk.finish(now);
            }
            "ForceEndTurn" => {
                strict::only(&message, &["type"])?;
                if let Some(burst) = self.desk.ear.flush() {
                    self.end(now, &burst, "forced");
                }
            }
            "Configure" => {
                strict::only(&message, &["type", "thresholds", "keyterms", "language_hints"])?;
                let known = ["eot_threshold", "eager_eot_threshold", "eot_timeout_ms"];
                let thresholds = &message["thresholds"];
                let is_well = thresholds.is_null() || strict::only(thresholds, &known).is_ok();
                let answer = if is_well { "ConfigureSuccess" } else { "ConfigureFailure" };
                self.desk.outbox.json_at(now, &json!({"type": answer}));
            }
            other => return Err(format!("unknown message type `{other}`")),
        }
        Ok(())
    }
}

/// An eager end comes after so much silence.
const EAGER_AFTER: Duration = Duration::from_millis(250);

const STEP: Duration = Duration::from_millis(10);

const PARAMETERS: &[&str] = &[
    "model",
    "encoding",
    "sample_rate",
    "eot_threshold",
    "eager_eot_threshold",
    "eot_timeout_ms",
    "numerals",
    "mip_opt_out",
    "profanity_filter",
];
