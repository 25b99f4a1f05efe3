//! Speech over HTTP, in one request for each text: OpenAI's `POST {base}/audio/speech`, and ElevenLabs'
//! `POST /v1/text-to-speech/{voice_id}/stream`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::{Coding, Format, wav};
use crate::elevenlabs_contexts::{self, UNKNOWN_VOICE};
use crate::openai_chat::{ApiError, authorized_json};
use crate::stage::Body;
use crate::strict::{self, KEY, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Vendor};
use crate::voice::{Pace, Studio, Voice};

/// OpenAI's service.
#[derive(Clone, Debug)]
pub struct OpenAiSpeech {
    voice: Voice,
    pace: Pace,
}

/// ElevenLabs' service.
#[derive(Clone, Debug)]
pub struct ElevenLabsStream {
    voice: Voice,
    pace: Pace,
}

impl OpenAiSpeech {
    /// A synthesizer that is this fast.
    pub fn new(voice: Voice, pace: Pace) -> Self {
        Self { voice, pace }
    }

    fn answer(&self, now: Duration, arrival: &Arrival) -> Result<Answer, ApiError> {
        if !arrival.path.ends_with("/audio/speech") || arrival.method != "POST" {
            return Err(ApiError::invalid("Invalid URL", "").with_code(404, "not_found"));
        }
        let request = authorized_json(arrival)?;
        let wrong = |name: &'static str| move |error: String| ApiError::invalid(error, name);
        strict::only(&request, FIELDS).map_err(wrong(""))?;
        let model = strict::text(&request, "model").map_err(wrong("model"))?;
        if !MODELS.contains(&model) {
            let said = format!("The model `{model}` does not exist or you do not have access to it.");
            return Err(ApiError::invalid(said, "model").with_code(404, "model_not_found"));
        }
        if !request["instructions"].is_null() && model.starts_with("tts-1") {
            return Err(ApiError::invalid(
                format!("'instructions' is not supported by {model}"),
                "instructions",
            ));
        }
        let voice = strict::text(&request, "voice").map_err(wrong("voice"))?;
        if !VOICES.contains(&voice) {
            return Err(ApiError::invalid(format!("Input should be one of {}", VOICES.join(", ")), "voice"));
        }
        strict::number(&request, "speed", 0.25, 4.0).map_err(wrong("speed"))?;
        let input = strict::text(&request, "input").map_err(wrong("input"))?;
        if input.trim().is_empty() || input.chars().count() > MAX_INPUT {
            return Err(ApiError::invalid("string too short or longer than 4096 characters", "input"));
        }
        let format = Format::new(Coding::Linear16, 24_000);
        let (kind, body) = match request["response_format"].as_str().unwrap_or("mp3") {
            "pcm" => ("audio/pcm", spoken(now, Studio::new(self.voice, self.pace, format), input)),
            "wav" => ("audio/wav", self.file(now, input, format)),
            other => {
                let said = format!("this simulation makes pcm and wav alone, not {other}");
                return Err(ApiError::invalid(said, "response_format"));
            }
        };
        Ok(Answer::Respond(vec![("content-type".to_owned(), kind.to_owned())], Box::new(Body(body))))
    }

    fn file(&self, now: Duration, input: &str, format: Format) -> Outbox {
        let samples = self.voice.speak(input, format.rate_hz).samples;
        let mut outbox = Outbox::default();
        let lasts = Duration::from_secs_f64(samples.len() as f64 / f64::from(format.rate_hz));
        let pieces = samples.len().div_ceil(FILE_PIECE_SAMPLES).max(1);
        for (number, part) in wav(format.rate_hz, &samples).chunks(FILE_PIECE_SAMPLES * 2).enumerate() {
            let made = lasts.div_f64(self.pace.speed).mul_f64(number as f64 / pieces as f64);
            let due = now + self.pace.first_byte + made;
            outbox.at(due, Action::Send(Frame::Binary(part.to_vec())));
        }
        outbox.at(outbox.last().unwrap_or(now), Action::End);
        outbox
    }
}

impl Vendor for OpenAiSpeech {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.answer(now, arrival).unwrap_or_else(|error| Answer::Refuse(error.refusal()))
    }
}

impl ElevenLabsStream {
    /// A synthesizer that is this fast.
    pub fn new(voice: Voice, pace: Pace) -> Self {
        Self { voice, pace }
    }

    fn answer(&self, now: Duration, arrival: &Arrival) -> Result<Answer, (u16, &'static str, String)> {
        let path: Vec<_> = arrival.path.trim_start_matches('/').split('/').collect();
        let ["v1", "text-to-speech", voice, "stream"] = path.as_slice() else {
            return Err((404, "not_found", "Not Found".to_owned()));
        };
        if arrival.method != "POST" {
            return Err((405, "method_not_allowed", "Method Not Allowed".to_owned()));
        }
        if arrival.header("xi-api-key") != Some(KEY) {
            return Err((401, "invalid_api_key", "Invalid API key".to_owned()));
        }
        if voice.is_empty() || *voice == UNKNOWN_VOICE {
            return Err((404, "voice_not_found", "A voice with this id was not found.".to_owned()));
        }
        let invalid = |error: String| (422, "invalid_parameters", error);
        let query =
            Query::checked(arrival, &["output_format", "enable_logging", "optimize_streaming_latency"], &[])
                .map_err(invalid)?;
        let named = query.optional("output_format").unwrap_or("mp3_44100_128");
        let format = elevenlabs_contexts::output_format(named).map_err(invalid)?;
        let request: Value =
            serde_json::from_slice(&arrival.body).map_err(|error| invalid(error.to_string()))?;
        self.check(&request).map_err(invalid)?;
        let text = strict::text(&request, "text").map_err(invalid)?;
        if text.trim().is_empty() {
            return Err(invalid("text is empty".to_owned()));
        }
        let body = spoken(now, Studio::new(self.voice, self.pace, format), text);
        let kind = match format.coding {
            Coding::Mulaw | Coding::Alaw => "audio/basic",
            Coding::Linear16 => "audio/pcm",
        };
        Ok(Answer::Respond(vec![("content-type".to_owned(), kind.to_owned())], Box::new(Body(body))))
    }

    fn check(&self, request: &Value) -> Result<(), String> {
        strict::only(request, ELEVENLABS_FIELDS)?;
        elevenlabs_contexts::check_voice_settings(&request["voice_settings"])?;
        let model = request["model_id"].as_str().unwrap_or("eleven_multilingual_v2");
        if !elevenlabs_contexts::MODELS.contains(&model) {
            return Err(format!("A model with model ID {model} does not exist"));
        }
        Ok(())
    }
}

impl Vendor for ElevenLabsStream {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.answer(now, arrival).unwrap_or_else(|(status, name, message)| {
            Answer::Refuse(Refusal::json(status, &json!({"detail": {"status": name, "message": message}})))
        })
    }
}

fn spoken(now: Duration, mut studio: Studio, text: &str) -> Outbox {
    let mut outbox = Outbox::default();
    for piece in studio.make(now, text) {
        outbox.at(piece.due, Action::Send(Frame::Binary(piece.bytes)));
    }
    outbox.at(studio.free_at(), Action::End);
    outbox
}

/// A tenth of a second.
const FILE_PIECE_SAMPLES: usize = 2_400;

const MAX_INPUT: usize = 4_096;

const MODELS: &[&str] = &["tts-1", "tts-1-hd", "gpt-4o-mini-tts"];

const VOICES: &[&str] = &[
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin",
    "cedar",
];

const FIELDS: &[&str] =
    &["model", "input", "voice", "response_format", "speed", "instructions", "stream_format"];

const ELEVENLABS_FIELDS: &[&str] = &[
    "text",
    "model_id",
    "language_code",
    "voice_settings",
    "seed",
    "previous_text",
    "next_text",
    "apply_text_normalization",
    "pronunciation_dictionary_locators",
];
