//! Sarvam's older endpoint, `/speech-to-text/ws`: PCM in JSON, and words only when they are final.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Complaint, FINALS_ONLY, Pauses, SarvamConfig};
use crate::asr::{Told, Wire, Words, json};
use crate::audio::AudioFormat;
use crate::link::{Message, Request};
use crate::policy::Fault;

#[derive(Debug)]
pub(super) struct LegacyWire {
    config: SarvamConfig,
    format: AudioFormat,
    request_id: Option<String>,
    pauses: Pauses,
}

impl LegacyWire {
    pub(super) fn new(config: SarvamConfig, format: AudioFormat) -> Self {
        Self { config, format, request_id: None, pauses: Pauses::default() }
    }
}

impl Wire for LegacyWire {
    fn request(&self) -> Request {
        // This endpoint has names of its own.
        let language = match self.config.language.as_str() {
            "or-IN" => "od-IN",
            "auto" => "unknown",
            other => other,
        };
        let rate = self.format.rate_hz.to_string();
        let query = vec![
            ("language-code", language),
            ("model", self.config.model.as_str()),
            ("mode", self.config.mode.as_str()),
            ("sample_rate", rate.as_str()),
            ("vad_signals", "true"),
            ("flush_signal", "true"),
            ("input_audio_codec", "pcm_s16le"),
        ];
        self.config.open("/speech-to-text/ws", query)
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        let audio = json::audio(bytes);
        json::text(&json!({
            "audio": {"data": audio, "sample_rate": self.format.rate_hz, "encoding": "audio/wav"}
        }))
    }

    fn finalize(&mut self) -> Option<Message> {
        Some(json::text(&json!({"type": "flush"})))
    }

    fn holds_back(&self) -> Duration {
        FINALS_ONLY
    }

    fn silence_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(5))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let said: Value = json::read(message)?;
        let Some(kind) = said["type"].as_str() else {
            return Err(Fault::malformed("a message without a type"));
        };
        if !["data", "events", "error"].contains(&kind) {
            return Ok(());
        }
        // What is said stands in `data`, or beside the type.
        let fields = if said["data"].is_object() { &said["data"] } else { &said };
        let fields = Fields::deserialize(fields).map_err(Fault::malformed)?;
        match kind {
            "data" => {
                self.request_id = fields.request_id.or(self.request_id.take());
                let has_words = !fields.transcript.is_empty();
                told.push(Told::Words(Words {
                    text: fields.transcript,
                    is_final: true,
                    language: fields.language_code,
                    ..Words::default()
                }));
                told.extend(self.pauses.heard(has_words));
                let audio = fields.metrics.and_then(|metrics| metrics.audio_duration);
                told.extend(audio.and_then(json::seconds).map(Told::Metered));
            }
            "events" => match fields.signal_type.as_deref() {
                Some("START_SPEECH") => told.push(self.pauses.begun()),
                Some("END_SPEECH") => told.extend(self.pauses.ended()),
                Some(_) | None => {}
            },
            "error" => fields.complaint.judge(self.request_id.as_deref(), told)?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Fields {
    request_id: Option<String>,
    #[serde(default)]
    transcript: String,
    language_code: Option<String>,
    signal_type: Option<String>,
    metrics: Option<Metrics>,
    #[serde(flatten)]
    complaint: Complaint,
}

#[derive(Deserialize)]
struct Metrics {
    audio_duration: Option<f64>,
}
