//! ElevenLabs' streaming recognizer: `wss://api.elevenlabs.io/v1/speech-to-text/realtime`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::elevenlabs_contexts::output_format;
use crate::hearing::{Burst, Heard, Manner, Script};
use crate::listening::{Desk, Opening, seconds};
use crate::seen::Seen;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Refusal, Session, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct ElevenLabsScribe {
    seen: Seen,
    script: Script,
    manner: Manner,
}

impl ElevenLabsScribe {
    /// A recognizer that hears this script; what is said is committed by the client, or after `vad_silence_threshold_secs`.
    pub fn new(script: &Script, manner: Manner, seen: &Seen) -> Self {
        Self { seen: seen.clone(), script: script.clone(), manner }
    }

    fn listen(&self, now: Duration, arrival: &Arrival) -> Result<Commits, String> {
        let query = Query::checked(arrival, PARAMETERS, &["secondary_languages", "keyterms"])?;
        query.required("model_id")?;
        query.one_of("model_id", &["scribe_v2_realtime", "scribe_v3_live"])?;
        let format = output_format(query.optional("audio_format").unwrap_or("pcm_16000"))?;
        let is_manual = match query.one_of("commit_strategy", &["manual", "vad", "turn_prediction"])? {
            None | Some("manual") => true,
            Some(_) => false,
        };
        query.number("vad_threshold", 0.1, 0.9)?;
        let silence = query.number("vad_silence_threshold_secs", 0.3, 3.0)?.unwrap_or(1.5);
        let silence = if is_manual { Duration::MAX } else { Duration::from_secs_f64(silence) };
        let opening = Opening {
            name: "elevenlabs scribe",
            format,
            manner: Manner { silence, ..self.manner },
            longest_piece: Duration::from_secs(10),
            idle_limit: Duration::from_secs(60),
        };
        Ok(Commits {
            desk: Desk::new(now, &self.script, &self.seen, &opening),
            rate_hz: format.rate_hz,
            is_manual,
            tells_times: query.flag("include_timestamps")?,
            committed: Duration::ZERO,
            is_begun: false,
        })
    }
}

impl Vendor for ElevenLabsScribe {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let refuse = |status: u16, name: &str, message: &str| {
            Answer::Refuse(Refusal::json(status, &json!({"detail": {"status": name, "message": message}})))
        };
        if arrival.path != "/v1/speech-to-text/realtime" || !arrival.is_websocket {
            return refuse(404, "not_found", "Not Found");
        }
        if arrival.header("xi-api-key") != Some(KEY) {
            return refuse(401, "auth_error", "Invalid API key");
        }
        match self.listen(now, arrival) {
            Ok(mut session) => {
                let config =
                    json!({"sample_rate": session.rate_hz, "model_id": arrival.parameter("model_id")});
                let started =
                    json!({"message_type": "session_started", "session_id": "simulated", "config": config});
                session.desk.outbox.json_at(now, &started);
                Answer::Upgrade(Vec::new(), Box::new(session))
            }
            Err(error) => refuse(400, "invalid_parameters", &error),
        }
    }
}

struct Commits {
    desk: Desk,
    rate_hz: u32,
    is_manual: bool,
    tells_times: bool,
    /// Up to where audio is committed.
    committed: Duration,
    is_begun: bool,
}

impl Session for Commits {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if !self.desk.takes() {
            return;
        }
        self.desk.alive(now);
        let done = match frame {
            Frame::Binary(_) => Err("a binary message where text is due".to_owned()),
            Frame::Text(text) => self.message(now, &text),
        };
        if let Err(error) = done {
            let message = json!({"message_type": "input_error", "error": error});
            self.desk.fail(now, &error, Some(&message), (1008, "input_error"));
        }
    }

    fn next(&self) -> Option<Duration> {
        self.desk.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if self.desk.is_idle(now) {
            self.desk.fail(now, "no audio for 60 s", None, (1008, "session_time_limit_exceeded"));
        }
        self.desk.outbox.poll(now)
    }
}

impl Commits {
    fn message(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        strict::only(&message, &["message_type", "audio_base_64", "commit", "sample_rate", "previous_text"])?;
        if message["message_type"] != "input_audio_chunk" {
            return Err(format!("unknown message_type {}", message["message_type"]));
        }
        if !message["sample_rate"].is_null() && message["sample_rate"] != self.rate_hz {
            return Err(format!("sample_rate {} is not what was negotiated", message["sample_rate"]));
        }
        if !message["previous_text"].is_null() && self.is_begun {
            return Err("previous_text stands in the first message alone".to_owned());
        }
        self.is_begun = true;
        let audio = BASE64.decode(strict::text(&message, "audio_base_64")?);
        let audio = audio.map_err(|error| format!("audio_base_64: {error}"))?;
        if audio.is_empty() && message["commit"] != true {
            return Err("neither audio nor a commit".to_owned());
        }
        if !audio.is_empty() {
            self.hear(now, &audio)?;
        }
        if message["commit"] == true {
            self.commit(now);
        }
        Ok(())
    }

    fn hear(&mut self, now: Duration, audio: &[u8]) -> Result<(), String> {
        for heard in self.desk.hear(audio)? {
            match heard {
                Heard::Started { .. } => {}
                Heard::Partial(burst) => {
                    self.desk.tell(now, &json!({"message_type": "partial_transcript", "text": burst.text()}));
                }
                Heard::Ended(burst) => self.committed(now, &burst),
            }
        }
        Ok(())
    }

    fn commit(&mut self, now: Duration) {
        if !self.is_manual {
            self.desk.complain("a commit although commit_strategy is not manual");
        }
        let position = self.desk.ear.position();
        if position.saturating_sub(self.committed) < SHORTEST {
            self.desk.complain("a commit of less than 0.3 s of audio");
            let error = json!({"message_type": "commit_throttled", "error": "Commit request was throttled."});
            self.desk.outbox.json_at(now, &error);
            return;
        }
        self.committed = position;
        let nothing = Burst { number: 0, start: position, end: position, words: Vec::new() };
        let burst = self.desk.ear.flush().unwrap_or(nothing);
        self.committed(now, &burst);
    }

    fn committed(&mut self, now: Duration, burst: &Burst) {
        self.committed = self.desk.ear.position();
        let text = burst.text();
        self.desk.tell(now, &json!({"message_type": "committed_transcript", "text": text}));
        if self.tells_times {
            let words = burst.words.iter().map(|word| {
                let (start, end) = (seconds(word.start), seconds(word.end));
                json!({"text": word.text, "start": start, "end": end, "type": "word", "logprob": -0.1})
            });
            let words: Vec<Value> = words.collect();
            let kind = "committed_transcript_with_timestamps";
            self.desk.tell(
                now,
                &json!({"message_type": kind, "text": text, "language_code": "hi", "words": words}),
            );
        }
    }
}

const SHORTEST: Duration = Duration::from_millis(300);

const PARAMETERS: &[&str] = &[
    "model_id",
    "audio_format",
    "commit_strategy",
    "vad_silence_threshold_secs",
    "vad_threshold",
    "language_code",
    "include_timestamps",
    "min_speech_duration_ms",
    "min_silence_duration_ms",
    "include_language_detection",
];
