//! The speech endpoint of OpenAI (2026-11), and of all that speak the same: speaches, CosyVoice and OpenVoice servers by their `url`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wav::Plain;
use super::{AudioDecoder, RequestVendor};
use crate::audio::AudioFormat;
use crate::link::{Endpoint, HttpRequest, Method, Request, Url};
use crate::secret::Secret;

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAiSpeechConfig {
    /// What comes before `/audio/speech`.
    pub url: String,
    /// The API key; servers of one's own often want none.
    pub key: Option<Secret>,
    /// The model's name.
    pub model: String,
    /// The voice for each language (`hi`, `en`); `*` for all others.
    pub voices: BTreeMap<String, String>,
    /// `pcm`, which is raw, or `wav`.
    pub response_format: String,
    /// What the server gives: OpenAI always 24 kHz, others what they are told or made for.
    pub format: AudioFormat,
    /// 0.25 to 4.
    pub speed: Option<f64>,
    /// How to speak, in words.
    pub instructions: Option<String>,
    /// Other fields of the request as they are, for example `sample_rate`.
    pub extra: Map<String, Value>,
}

/// The vendor.
#[derive(Debug)]
pub struct OpenAiSpeech {
    config: OpenAiSpeechConfig,
    formats: [AudioFormat; 1],
}

impl OpenAiSpeechConfig {
    /// A model with one voice at that base.
    pub fn new(url: &str, key: Option<Secret>, model: &str, voice: &str) -> Self {
        Self {
            url: url.to_owned(),
            key,
            model: model.to_owned(),
            voices: BTreeMap::from([("*".to_owned(), voice.to_owned())]),
            response_format: "pcm".to_owned(),
            format: AudioFormat::PCM_24K,
            speed: None,
            instructions: None,
            extra: Map::new(),
        }
    }
}

impl OpenAiSpeech {
    /// The vendor of that configuration.
    pub fn new(config: OpenAiSpeechConfig) -> Self {
        let formats = [config.format];
        Self { config, formats }
    }
}

impl RequestVendor for OpenAiSpeech {
    fn formats(&self) -> &[AudioFormat] {
        &self.formats
    }

    fn request(&self, _format: AudioFormat, language: &str, text: &str) -> Request {
        let config = &self.config;
        let mut body = config.extra.clone();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("model", config.model.as_str().into());
        put("input", text.into());
        put("voice", super::voice_for(&config.voices, language).into());
        put("response_format", config.response_format.as_str().into());
        if let Some(speed) = config.speed {
            put("speed", speed.into());
        }
        if let Some(instructions) = &config.instructions {
            put("instructions", instructions.as_str().into());
        }
        let mut headers = vec![("content-type", Secret::new("application/json"))];
        headers.extend(
            config.key.iter().map(|key| ("authorization", Secret::new(format!("Bearer {}", key.reveal())))),
        );
        let url = Url::new(format!("{}/audio/speech", config.url.trim_end_matches('/')));
        let endpoint = Endpoint { url, headers };
        Request::Http(HttpRequest {
            method: Method::Post,
            endpoint,
            body: Value::Object(body).to_string().into_bytes(),
        })
    }

    fn decoder(&self, format: AudioFormat) -> Box<dyn AudioDecoder> {
        Box::new(Plain::new(format))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_request_names_model_voice_and_format() {
        let mut config =
            OpenAiSpeechConfig::new("http://tts:8000/v1/", Some(Secret::new("k")), "cosyvoice", "anna");
        config.voices.insert("hi".to_owned(), "asha".to_owned());
        config.speed = Some(1.1);
        config.extra.insert("sample_rate".to_owned(), json!(24_000));
        let speech = OpenAiSpeech::new(config);
        let Request::Http(request) = speech.request(AudioFormat::PCM_24K, "hi-IN", "नमस्ते")
        else {
            panic!()
        };
        assert_eq!(request.endpoint.url.as_str(), "http://tts:8000/v1/audio/speech");
        assert_eq!(request.endpoint.headers[1], ("authorization", Secret::new("Bearer k")));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({ "model": "cosyvoice", "input": "नमस्ते", "voice": "asha", "response_format": "pcm",
            "speed": 1.1, "sample_rate": 24_000 });
        assert_eq!(body, expected);
        let Request::Http(request) = speech.request(AudioFormat::PCM_24K, "en-IN", "hello") else { panic!() };
        assert!(String::from_utf8(request.body).unwrap().contains("anna"));
    }
}
