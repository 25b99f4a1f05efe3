//! Whisper-style recognition of whole recordings over HTTP (2026-11): OpenAI's `POST /v1/audio/transcriptions` and those who copy it
//! (faster-whisper, vLLM, Ollama), and whisper.cpp's `POST /inference`.
//!
//! A request is a form (RFC 7578) with a WAV; the answer is JSON with the text, and with each word's time if it was asked for and the
//! server knows it. [`super::Windows`] makes a recognizer of it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::json;
use super::windows::Token;
use crate::audio::AudioFormat;
use crate::link::{Endpoint, HttpRequest, Method, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhisperConfig {
    /// What stands before the path: `https://api.openai.com/v1`, `http://127.0.0.1:8080`, ... No default.
    pub url: String,
    /// `/audio/transcriptions` (the default), or `/inference` for whisper.cpp.
    pub path: String,
    /// The API key; empty, the default, for servers that want none.
    pub key: Secret,
    /// The model; empty, the default, for servers that have only one.
    pub model: String,
    /// ISO 639-1 language, such as `hi`; `None`, the default, if the server is to find out.
    pub language: Option<String>,
    /// What the conversation is about, or words to be expected; empty by default.
    pub prompt: String,
    /// Whether to ask for each word's time (`verbose_json`); no by default. Windows overlap less blindly with it, but some models refuse
    /// it.
    pub word_times: bool,
}

/// A server with all that its configuration says.
#[derive(Clone, Debug)]
pub struct Whisper(pub WhisperConfig);

/// What a server makes of a recording.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Transcription {
    /// The words; times are counted from the recording's beginning.
    pub(super) words: Vec<Token>,
    pub(super) language: Option<String>,
}

impl WhisperConfig {
    /// A server without a key that has one model.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            path: "/audio/transcriptions".to_owned(),
            key: Secret::new(""),
            model: String::new(),
            language: None,
            prompt: String::new(),
            word_times: false,
        }
    }
}

impl Whisper {
    /// The formats that it takes: what it works with, and the telephone's.
    pub fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::PCM_16K, AudioFormat::PCM_8K] }
    }

    /// Asks for the words of this PCM.
    pub(super) fn request(&self, format: AudioFormat, pcm: &[u8]) -> Request {
        let config = &self.0;
        let mut fields = vec![("response_format", if config.word_times { "verbose_json" } else { "json" })];
        if config.word_times {
            fields.push(("timestamp_granularities[]", "word"));
        }
        let settings = [
            ("model", config.model.as_str()),
            ("language", config.language.as_deref().unwrap_or_default()),
            ("prompt", config.prompt.as_str()),
        ];
        fields.extend(settings.into_iter().filter(|(_, value)| !value.is_empty()));
        let boundary = boundary(pcm);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let mut headers = vec![("content-type", Secret::new(content_type))];
        let key = config.key.reveal();
        if !key.is_empty() {
            headers.push(("authorization", Secret::new(format!("Bearer {key}"))));
        }
        let url = Url::new(format!("{}{}", config.url.trim_end_matches('/'), config.path));
        let body = form(&boundary, &fields, format, pcm);
        Request::Http(HttpRequest { method: Method::Post, endpoint: Endpoint { url, headers }, body })
    }

    /// Understands an answer.
    ///
    /// # Errors
    /// When it makes no sense, or complains.
    pub(super) fn read(&self, body: &[u8]) -> Result<Transcription, Fault> {
        let answer: Answer = serde_json::from_slice(body).map_err(Fault::malformed)?;
        if let Some(error) = answer.error.filter(|error| !error.is_null()) {
            let message = error.get("message").unwrap_or(&error);
            return Err(Fault::new(FaultKind::Unavailable, json::shown(Some(message))));
        }
        let Some(text) = answer.text else { return Err(Fault::malformed("an answer without a text")) };
        let segments = answer.segments.into_iter().flatten();
        let timed: Vec<Word> = match answer.words {
            Some(words) if !words.is_empty() => words,
            Some(_) | None => segments.flat_map(|segment| segment.words.unwrap_or_default()).collect(),
        };
        let timed = timed.into_iter().map(Word::token).filter(|token| !token.text.is_empty()).collect();
        Ok(Transcription { words: joined(&text, timed), language: answer.language })
    }
}

/// The text's words, which have their punctuation, with the times of the words that were told one by one, if these are the same.
fn joined(text: &str, timed: Vec<Token>) -> Vec<Token> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if timed.is_empty() {
        return words.into_iter().map(Token::untimed).collect();
    }
    if timed.len() != words.len() {
        return timed;
    }
    words.into_iter().zip(timed).map(|(text, token)| Token { text: text.to_owned(), ..token }).collect()
}

/// A form with a WAV in it.
fn form(boundary: &str, fields: &[(&str, &str)], format: AudioFormat, pcm: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(pcm.len() + 1_024);
    for (name, value) in fields {
        let part =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let part = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio.wav\"\r\n\
         Content-Type: audio/wav\r\n\r\n"
    );
    body.extend_from_slice(part.as_bytes());
    body.extend_from_slice(&wav_head(format, pcm.len()));
    body.extend_from_slice(pcm);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

/// A line that does not stand in the audio, whatever the caller sends (RFC 2046 section 5.1.1).
fn boundary(pcm: &[u8]) -> String {
    let mut boundary = "caly-7f1d0b9e52c84a36".to_owned();
    while pcm.windows(boundary.len()).any(|window| window == boundary.as_bytes()) {
        boundary.push('x');
    }
    boundary
}

/// The head of a WAV of 16-bit PCM with one channel.
fn wav_head(format: AudioFormat, bytes: usize) -> Vec<u8> {
    const PCM: u16 = 1;
    const CHANNELS: u16 = 1;
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX - 36);
    let mut head = Vec::with_capacity(44);
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&(bytes + 36).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt ");
    head.extend_from_slice(&16_u32.to_le_bytes());
    head.extend_from_slice(&PCM.to_le_bytes());
    head.extend_from_slice(&CHANNELS.to_le_bytes());
    head.extend_from_slice(&format.rate_hz.to_le_bytes());
    head.extend_from_slice(&format.bytes_per_second().to_le_bytes());
    head.extend_from_slice(&2_u16.to_le_bytes());
    head.extend_from_slice(&16_u16.to_le_bytes());
    head.extend_from_slice(b"data");
    head.extend_from_slice(&bytes.to_le_bytes());
    head
}

#[derive(Deserialize)]
struct Answer {
    text: Option<String>,
    language: Option<String>,
    words: Option<Vec<Word>>,
    segments: Option<Vec<Segment>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Segment {
    words: Option<Vec<Word>>,
}

#[derive(Deserialize)]
struct Word {
    #[serde(default)]
    word: String,
    start: Option<f64>,
    end: Option<f64>,
    probability: Option<f32>,
}

impl Word {
    fn token(self) -> Token {
        let times = self.start.and_then(json::seconds).zip(self.end.and_then(json::seconds));
        let times = times.filter(|(begins, ends)| begins <= ends && *ends <= LONGEST_RECORDING);
        Token { text: self.word.trim().to_owned(), times, confidence: self.probability }
    }
}

/// Windows are of seconds: a word later than this has no time.
const LONGEST_RECORDING: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests;
