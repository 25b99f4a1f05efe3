//! AssemblyAI's streaming recognizer: `wss://streaming.assemblyai.com/v3/ws`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::{Coding, Format};
use crate::hearing::{Burst, Heard, Manner, Script};
use crate::listening::{Desk, Opening, milliseconds, seconds};
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct AssemblyAi {
    seen: Seen,
    script: Script,
    manner: Manner,
}

impl AssemblyAi {
    /// A recognizer that hears this script; a turn ends after `min_turn_silence`, or the manner's silence.
    pub fn new(script: &Script, manner: Manner, seen: &Seen) -> Self {
        Self { seen: seen.clone(), script: script.clone(), manner }
    }

    fn listen(&self, now: Duration, arrival: &Arrival) -> Result<Turns, String> {
        let query = Query::checked(arrival, PARAMETERS, &["keyterms_prompt"])?;
        let model = query.required("speech_model")?;
        if !MODELS.contains(&model) {
            return Err(format!("speech_model {model}"));
        }
        let rate = query.required("sample_rate")?;
        let rate_hz = rate.parse().map_err(|_| format!("sample_rate {rate}"))?;
        let coding = match query.optional("encoding").unwrap_or("pcm_s16le") {
            "pcm_mulaw" => Coding::Mulaw,
            "pcm_s16le" => Coding::Linear16,
            other => return Err(format!("encoding {other}")),
        };
        query.number("end_of_turn_confidence_threshold", 0.0, 1.0)?;
        query.number("max_turn_silence", 0.0, 60_000.0)?;
        let silence = query.number("min_turn_silence", 0.0, 60_000.0)?;
        let silence = silence.map_or(self.manner.silence, |ms| Duration::from_secs_f64(ms / 1_000.0));
        let format = Format::new(coding, rate_hz);
        let opening = Opening {
            name: "assemblyai",
            format,
            manner: Manner { silence, ..self.manner },
            longest_piece: Duration::from_secs(1),
            idle_limit: Duration::from_secs(60),
        };
        Ok(Turns {
            desk: Desk::new(now, &self.script, &self.seen, &opening),
            opened: now,
            shortest: format.bytes_per_second() / 20,
            formats: query.flag("format_turns")?,
            turn: 0,
        })
    }
}

impl Vendor for AssemblyAi {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse =
            |status: u16, error: &str| Answer::Refuse(Refusal::json(status, &json!({"error": error})));
        if arrival.path != "/v3/ws" || !arrival.is_websocket {
            return refuse(404, "Not Found");
        }
        if arrival.header("authorization") != Some(KEY) {
            return refuse(401, "Not authorized: the key stands in Authorization by itself, without Bearer");
        }
        match self.listen(now, arrival) {
            Ok(mut session) => {
                let begin = json!({"type": "Begin", "id": "simulated", "expires_at": 1_795_000_000_u64});
                session.desk.outbox.json_at(now, &begin);
                Answer::Upgrade(Vec::new(), Box::new(session))
            }
            Err(error) => refuse(400, &error),
        }
    }
}

struct Turns {
    desk: Desk,
    opened: Duration,
    /// Bytes of 50 ms.
    shortest: usize,
    formats: bool,
    turn: u64,
}

/// Why a connection is ended: code, reason.
type Wrong = (u16, String);

impl Session for Turns {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if !self.desk.takes() {
            return;
        }
        self.desk.alive(now);
        let done = match frame {
            Frame::Binary(bytes) => self.hear(now, &bytes),
            Frame::Text(text) => self.control(now, &text).map_err(|error| (3_006, error)),
        };
        if let Err((code, error)) = done {
            let message = json!({"type": "Error", "error_code": code, "error": error});
            self.desk.fail(now, &error, Some(&message), (code, &error));
        }
    }

    fn next(&self) -> Option<Duration> {
        self.desk.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if self.desk.is_idle(now) {
            self.desk.fail(
                now,
                "neither audio nor KeepAlive for 60 s",
                None,
                (4_031, "Session idle for too long"),
            );
        }
        self.desk.outbox.poll(now)
    }
}

impl Turns {
    fn hear(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Wrong> {
        if bytes.len() < self.shortest {
            return Err((
                3_007,
                format!("Input duration violation: {} bytes are less than 50 ms", bytes.len()),
            ));
        }
        let heard = self.desk.hear(bytes).map_err(|error| (3_007, error))?;
        if self.desk.ear.position() > now.saturating_sub(self.opened) + LEAD {
            return Err((4_029, "Audio transmission rate exceeded".to_owned()));
        }
        for heard in heard {
            match heard {
                Heard::Started { at } => {
                    self.desk.tell(now, &json!({"type": "SpeechStarted", "timestamp": milliseconds(at)}));
                }
                Heard::Partial(burst) => self.turn(now, &burst, false, false),
                Heard::Ended(burst) => self.end(now, &burst),
            }
        }
        Ok(())
    }

    fn end(&mut self, now: Duration, burst: &Burst) {
        self.turn(now, burst, true, false);
        if self.formats {
            self.turn(now, burst, true, true);
        }
        self.turn += 1;
    }

    fn turn(&mut self, now: Duration, burst: &Burst, is_end: bool, is_formatted: bool) {
        let bare = |text: &str| text.trim_matches(|c: char| c.is_ascii_punctuation()).to_lowercase();
        let shown = |text: &str| if is_formatted { text.to_owned() } else { bare(text) };
        let words = burst.words.iter().map(|word| {
            json!({
                "text": shown(&word.text), "start": milliseconds(word.start), "end": milliseconds(word.end),
                "confidence": 0.98, "word_is_final": true,
            })
        });
        let transcript: Vec<_> = burst.words.iter().map(|word| shown(&word.text)).collect();
        let turn = json!({
            "type": "Turn", "turn_order": self.turn, "end_of_turn": is_end, "turn_is_formatted": is_formatted,
            "transcript": transcript.join(" "), "end_of_turn_confidence": if is_end { 0.9 } else { 0.1 },
            "words": words.collect::<Vec<Value>>(),
        });
        self.desk.tell(now, &turn);
    }

    fn control(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        match strict::text(&message, "type")? {
            "KeepAlive" => strict::only(&message, &["type"])?,
            "ForceEndpoint" => {
                strict::only(&message, &["type"])?;
                if let Some(burst) = self.desk.ear.flush() {
                    self.end(now, &burst);
                }
            }
            "UpdateConfiguration" => strict::only(&message, CONFIGURABLE)?,
            "Terminate" => {
                strict::only(&message, &["type"])?;
                if let Some(burst) = self.desk.ear.flush() {
                    self.end(now, &burst);
                }
                let audio = seconds(self.desk.ear.position());
                let session = seconds(now.saturating_sub(self.opened));
                let end = json!({
                    "type": "Termination", "audio_duration_seconds": audio, "session_duration_seconds": session,
                });
                self.desk.tell(now, &end);
                self.desk.finish(now);
            }
            other => return Err(format!("unknown message type `{other}`")),
        }
        Ok(())
    }
}

/// Audio may be ahead of time by so much: what was kept while a connection was made.
const LEAD: Duration = Duration::from_secs(5);

const MODELS: &[&str] =
    &["universal-streaming-english", "universal-streaming-multilingual", "u3-rt-pro", "whisper-rt"];

const CONFIGURABLE: &[&str] =
    &["type", "end_of_turn_confidence_threshold", "min_turn_silence", "max_turn_silence", "keyterms_prompt"];

const PARAMETERS: &[&str] = &[
    "speech_model",
    "sample_rate",
    "encoding",
    "format_turns",
    "end_of_turn_confidence_threshold",
    "min_turn_silence",
    "max_turn_silence",
    "language_detection",
    "inactivity_timeout",
];
