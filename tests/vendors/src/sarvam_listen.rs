//! Sarvam's streaming recognizer: `wss://api.sarvam.ai/speech-to-text-realtime/ws`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::hearing::{Burst, Heard, Manner, Script};
use crate::listening::{Desk, Opening, seconds};
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct SarvamListen {
    seen: Seen,
    script: Script,
    manner: Manner,
}

impl SarvamListen {
    /// A recognizer that hears this script; an utterance ends after `silence_duration_ms`, or the manner's silence.
    pub fn new(script: &Script, manner: Manner, seen: &Seen) -> Self {
        Self { seen: seen.clone(), script: script.clone(), manner }
    }

    fn listen(&self, now: Duration, arrival: &Arrival) -> Result<Utterances, String> {
        let query = Query::checked(arrival, PARAMETERS, &["keyterms"])?;
        query.required("language_code")?;
        let language = query.one_of("language_code", LANGUAGES)?.unwrap_or_default().to_owned();
        query.required("model")?;
        query.one_of("model", &["saaras:v3-realtime", "saaras:v4"])?;
        let kind = query.one_of("stream_type", &["fast", "balanced", "simulated"])?;
        query.one_of("mode", &["transcribe", "translate", "verbatim", "translit", "codemix"])?;
        let format = query.raw_audio("encoding", "sample_rate", &[8_000, 16_000])?;
        let is_manual = query.one_of("endpointing", &["vad", "manual"])? == Some("manual");
        query.number("threshold", 0.0, 1.0)?;
        let silence = query.number("silence_duration_ms", 100.0, 5_000.0)?;
        let silence = silence.map_or(self.manner.silence, |ms| Duration::from_secs_f64(ms / 1_000.0));
        let silence = if is_manual { Duration::MAX } else { silence };
        let opening = Opening {
            name: "sarvam listen",
            format,
            manner: Manner { silence, ..self.manner },
            longest_piece: Duration::from_secs(5),
            idle_limit: Duration::from_secs(60),
        };
        let desk = Desk::new(now, &self.script, &self.seen, &opening);
        Ok(Utterances { desk, language, is_manual, tells_partials: kind != Some("simulated") })
    }
}

impl Vendor for SarvamListen {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, code: &str, message: &str| {
            Answer::Refuse(Refusal::json(status, &json!({"error": {"message": message, "code": code}})))
        };
        if arrival.path != "/speech-to-text-realtime/ws" || !arrival.is_websocket {
            return refuse(404, "not_found_error", "Not Found");
        }
        if arrival.header("api-subscription-key") != Some(KEY) {
            return refuse(403, "invalid_api_key_error", "Invalid API key");
        }
        match self.listen(now, arrival) {
            Ok(mut session) => {
                session
                    .desk
                    .outbox
                    .json_at(now, &json!({"event": "session.begin", "request_id": "simulated"}));
                Answer::Upgrade(Vec::new(), Box::new(session))
            }
            Err(error) => refuse(400, "invalid_request_error", &error),
        }
    }
}

struct Utterances {
    desk: Desk,
    language: String,
    is_manual: bool,
    tells_partials: bool,
}

impl Session for Utterances {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if !self.desk.takes() {
            return;
        }
        self.desk.alive(now);
        let done = match frame {
            Frame::Binary(bytes) => self.hear(now, &bytes),
            Frame::Text(text) => self.control(now, &text),
        };
        if let Err(error) = done {
            let message =
                json!({"event": "error", "code": "invalid_input", "is_fatal": true, "message": error});
            self.desk.fail(now, &error, Some(&message), (1003, "invalid_input"));
        }
    }

    fn next(&self) -> Option<Duration> {
        self.desk.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if self.desk.is_idle(now) {
            self.desk.fail(now, "neither audio nor ping for 60 s", None, (1000, "idle"));
        }
        self.desk.outbox.poll(now)
    }
}

impl Utterances {
    fn hear(&mut self, now: Duration, bytes: &[u8]) -> Result<(), String> {
        for heard in self.desk.hear(bytes)? {
            match heard {
                Heard::Started { .. } => self.vad(now, "vad.speech_start"),
                Heard::Partial(burst) if self.tells_partials => {
                    let text = burst.text();
                    let partial =
                        json!({"event": "transcript.partial", "utterance_idx": burst.number, "text": text});
                    self.desk.tell(now, &partial);
                }
                Heard::Partial(_) => {}
                Heard::Ended(burst) => {
                    self.vad(now, "vad.speech_end");
                    self.end(now, &burst);
                }
            }
        }
        Ok(())
    }

    fn vad(&mut self, now: Duration, event: &str) {
        if !self.is_manual {
            self.desk.tell(now, &json!({"event": event, "utterance_idx": 0}));
        }
    }

    fn end(&mut self, now: Duration, burst: &Burst) {
        let last = json!({
            "event": "transcript.final", "utterance_idx": burst.number, "text": burst.text(),
            "language": self.language, "language_confidence": 0.98,
            "start_s": seconds(burst.start), "end_s": seconds(burst.end),
        });
        self.desk.tell(now, &last);
    }

    fn flush(&mut self, now: Duration) {
        if let Some(burst) = self.desk.ear.flush() {
            self.end(now, &burst);
        }
    }

    fn control(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        match strict::text(&message, "event")? {
            "audio_input" => {
                strict::only(&message, &["event", "audio"])?;
                let audio = BASE64.decode(strict::text(&message, "audio")?);
                self.hear(now, &audio.map_err(|error| format!("audio is no base64: {error}"))?)
            }
            "ping" => {
                self.desk.outbox.json_at(now, &json!({"event": "pong"}));
                strict::only(&message, &["event"])
            }
            "flush" => {
                self.flush(now);
                strict::only(&message, &["event"])
            }
            event @ ("speech_start" | "speech_end") => {
                if !self.is_manual {
                    return Err(format!("{event} needs endpointing=manual"));
                }
                if event == "speech_end" {
                    self.flush(now);
                }
                strict::only(&message, &["event"])
            }
            "config.update" => {
                strict::only(&message, &["event", "keyterms", "prompt", "threshold", "silence_duration_ms"])
            }
            "end" => {
                strict::only(&message, &["event"])?;
                self.flush(now);
                let end =
                    json!({"event": "session.end", "audio_duration_s": seconds(self.desk.ear.position())});
                self.desk.tell(now, &end);
                self.desk.finish(now);
                Ok(())
            }
            other => Err(format!("unknown event `{other}`")),
        }
    }
}

const LANGUAGES: &[&str] = &[
    "auto", "hi-IN", "en-IN", "bn-IN", "ta-IN", "te-IN", "mr-IN", "gu-IN", "kn-IN", "ml-IN", "pa-IN",
    "or-IN", "as-IN", "ur-IN",
];

const PARAMETERS: &[&str] = &[
    "language_code",
    "model",
    "stream_type",
    "mode",
    "encoding",
    "sample_rate",
    "endpointing",
    "threshold",
    "silence_duration_ms",
    "prompt",
];
