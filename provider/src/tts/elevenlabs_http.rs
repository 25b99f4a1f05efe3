//! ElevenLabs' synthesis over HTTP, a request for each chunk (2026-11). It says nothing of words.

use serde_json::json;

use super::elevenlabs::{ElevenLabsConfig, FORMATS, format_name};
use super::wav::Plain;
use super::{AudioDecoder, RequestVendor};
use crate::audio::AudioFormat;
use crate::link::{Endpoint, HttpRequest, Method, Request, Url};
use crate::secret::Secret;

/// The vendor. What its configuration says of contexts and schedules is of no meaning here.
#[derive(Debug)]
pub struct ElevenLabsHttp(pub ElevenLabsConfig);

impl RequestVendor for ElevenLabsHttp {
    fn formats(&self) -> &[AudioFormat] {
        FORMATS
    }

    fn request(&self, format: AudioFormat, language: &str, text: &str) -> Request {
        let config = &self.0;
        let mut body =
            json!({ "text": text, "model_id": config.model, "voice_settings": config.settings.json() });
        if let Some(code) = config.language_code(language) {
            body["language_code"] = code.into();
        }
        let (url, voice) = (config.url.trim_end_matches('/'), super::voice_for(&config.voices, language));
        // One configuration serves both ways.
        let url = url.strip_prefix("ws").map_or_else(|| url.to_owned(), |rest| format!("http{rest}"));
        let base = format!("{url}/v1/text-to-speech/{voice}/stream");
        let headers =
            vec![("content-type", Secret::new("application/json")), ("xi-api-key", config.key.clone())];
        let url = Url::with_query(&base, [("output_format", format_name(format).as_str())]);
        let endpoint = Endpoint { url, headers };
        Request::Http(HttpRequest { method: Method::Post, endpoint, body: body.to_string().into_bytes() })
    }

    fn decoder(&self, format: AudioFormat) -> Box<dyn AudioDecoder> {
        Box::new(Plain::new(format))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::link::ResponseHead;
    use crate::policy::FaultKind;

    #[test]
    fn the_request_names_voice_language_and_format() {
        let mut config = ElevenLabsConfig::new(Secret::new("xi"), "anna");
        config.voices.insert("hi".to_owned(), "asha".to_owned());
        config.url = "wss://api.in.residency.elevenlabs.io/".to_owned();
        let Request::Http(request) = ElevenLabsHttp(config).request(AudioFormat::MULAW_8K, "hi-IN", "नमस्ते")
        else {
            panic!()
        };
        assert_eq!(
            request.endpoint.url.as_str(),
            "https://api.in.residency.elevenlabs.io/v1/text-to-speech/asha/stream?output_format=ulaw_8000"
        );
        assert_eq!(request.endpoint.headers[1], ("xi-api-key", Secret::new("xi")));
        let expected = json!({ "text": "नमस्ते", "model_id": "eleven_flash_v2_5", "language_code": "hi",
            "voice_settings": { "stability": 0.7, "similarity_boost": 0.8, "style": 0.5, "use_speaker_boost": true, "speed": 1.0 } });
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
    }

    #[test]
    fn sound_is_raw_and_a_text_is_none() {
        let vendor = ElevenLabsHttp(ElevenLabsConfig::new(Secret::new("xi"), "anna"));
        let mut audio = Vec::new();
        let mut decoder = vendor.decoder(AudioFormat::MULAW_8K);
        decoder.receive(&[0x7f; 20], &mut audio).unwrap();
        decoder.end().unwrap();
        assert_eq!(audio, [0x7f; 20]);
        let head = ResponseHead { content_type: Some("application/json".to_owned()), request_id: None };
        let fault = vendor.decoder(AudioFormat::MULAW_8K).head(&head).unwrap_err();
        assert_eq!(fault.kind, FaultKind::WrongAudio);
    }
}
