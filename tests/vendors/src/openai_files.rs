//! Transcription of files: `POST {base}/audio/transcriptions`, `multipart/form-data` (RFC 7578) with a WAV file.

use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::wav_decoded;
use crate::hearing::{Burst, Ear, Heard, Manner, Script};
use crate::openai_chat::{ApiError, Dialect};
use crate::stage::Body;
use crate::strict;
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct OpenAiFiles {
    script: Script,
    manner: Manner,
    dialect: Dialect,
}

/// A part of a form.
struct Part<'a> {
    name: String,
    file_name: Option<String>,
    body: &'a [u8],
}

impl OpenAiFiles {
    /// A recognizer that hears this script: each burst of speech in a file has the next utterance, unless the file ends before the
    /// burst does, so that a client may send a growing window again and again.
    pub fn new(script: &Script, manner: Manner, dialect: Dialect) -> Self {
        Self { script: script.clone(), manner, dialect }
    }

    fn answer(&self, now: Duration, arrival: &Arrival) -> Result<Answer, ApiError> {
        if !arrival.path.ends_with("/audio/transcriptions") || arrival.method != "POST" {
            return Err(ApiError::invalid("Invalid URL", "").with_code(404, "not_found"));
        }
        if self.dialect == Dialect::OpenAi && !strict::has_key(arrival, "Bearer") {
            return Err(
                ApiError::invalid("Incorrect API key provided.", "").with_code(401, "invalid_api_key")
            );
        }
        let parts = parts(arrival).map_err(|error| ApiError::invalid(error, ""))?;
        let wrong = |name: &'static str| move |error: String| ApiError::invalid(error, name);
        if let Some(part) = parts.iter().find(|part| !FIELDS.contains(&part.name.as_str())) {
            return Err(ApiError::invalid(format!("Unknown parameter: '{}'.", part.name), &part.name));
        }
        let value = |name: &str| {
            let part = parts.iter().find(|part| part.name == name);
            part.map(|part| String::from_utf8_lossy(part.body).into_owned())
        };
        let model =
            value("model").ok_or_else(|| ApiError::invalid("you must provide a model parameter", "model"))?;
        if self.dialect == Dialect::OpenAi && !MODELS.contains(&model.as_str()) {
            return Err(ApiError::invalid(format!("invalid model ID: {model}"), "model"));
        }
        let is_code = |code: &String| code.len() == 2 && code.chars().all(|c| c.is_ascii_lowercase());
        if let Some(code) = value("language").filter(|code| !is_code(code)) {
            return Err(ApiError::invalid(
                format!("Invalid language '{code}'. Language should be ISO-639-1."),
                "language",
            ));
        }
        let shape = value("response_format").unwrap_or_else(|| "json".to_owned());
        if !["json", "text", "verbose_json"].contains(&shape.as_str()) {
            return Err(ApiError::invalid(format!("response_format '{shape}'"), "response_format"));
        }
        let file = parts.iter().find(|part| part.name == "file");
        let file = file.ok_or_else(|| ApiError::invalid("you must provide a file parameter", "file"))?;
        let samples = checked(file).map_err(wrong("file"))?;
        let bursts = self.hear(&samples);
        let (kind, answer) = shaped(&shape, &bursts, &samples);
        let mut body = Outbox::default();
        body.at(now + self.manner.latency, Action::Send(Frame::Binary(answer.into_bytes())));
        body.at(now + self.manner.latency, Action::End);
        Ok(Answer::Respond(vec![("content-type".to_owned(), kind.to_owned())], Box::new(Body(body))))
    }

    fn hear(&self, (rate_hz, samples): &(u32, Vec<i16>)) -> Vec<Burst> {
        let mut ear = Ear::new(self.script.clone(), self.manner, *rate_hz);
        let mut bursts = Vec::new();
        let mut open = None;
        for heard in ear.hear(samples) {
            match heard {
                Heard::Started { .. } => {}
                Heard::Partial(burst) => open = Some(burst),
                Heard::Ended(burst) => {
                    open = None;
                    bursts.push(burst);
                }
            }
        }
        // What goes on at the end of the window is heard as far as it goes, and is heard again in the next window.
        bursts.extend(open);
        bursts
    }
}

impl Vendor for OpenAiFiles {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.answer(now, arrival).unwrap_or_else(|error| Answer::Refuse(error.refusal()))
    }
}

fn checked(file: &Part<'_>) -> Result<(u32, Vec<i16>), String> {
    let name = file.file_name.as_deref().ok_or("the file has no filename")?;
    if !name.to_lowercase().ends_with(".wav") {
        return Err(format!("Unrecognized file format: {name}"));
    }
    if file.body.len() > MAX_FILE_BYTES {
        return Err("Maximum content size limit (26214400) exceeded".to_owned());
    }
    let (rate_hz, samples) = wav_decoded(file.body)?;
    if samples.len() < rate_hz as usize / 10 {
        return Err("Audio file is too short. Minimum audio length is 0.1 seconds.".to_owned());
    }
    Ok((rate_hz, samples))
}

fn shaped(shape: &str, bursts: &[Burst], (rate_hz, samples): &(u32, Vec<i16>)) -> (&'static str, String) {
    let texts: Vec<_> = bursts.iter().map(Burst::text).filter(|text| !text.is_empty()).collect();
    let text = texts.join(" ");
    let seconds = samples.len() as f64 / f64::from(*rate_hz);
    let words = bursts.iter().flat_map(|burst| &burst.words).map(
        |word| json!({"word": word.text, "start": word.start.as_secs_f64(), "end": word.end.as_secs_f64()}),
    );
    match shape {
        "text" => ("text/plain", format!("{text}\n")),
        "verbose_json" => {
            let words: Vec<Value> = words.collect();
            let body = json!({
                "task": "transcribe", "language": "english", "duration": seconds, "text": text, "words": words,
                "segments": [],
            });
            ("application/json", body.to_string())
        }
        _ => {
            let usage = json!({"type": "duration", "seconds": seconds.ceil()});
            ("application/json", json!({"text": text, "usage": usage}).to_string())
        }
    }
}

/// The parts of a form, each of which ends where RFC 2046 section 5.1.1 says.
fn parts(arrival: &Arrival) -> Result<Vec<Part<'_>>, String> {
    let kind = arrival.header("content-type").unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
    let boundary = boundary.map(|(_, boundary)| boundary.trim_matches('"'));
    let boundary = boundary
        .ok_or_else(|| format!("content-type '{kind}': expected multipart/form-data with a boundary"))?;
    let mark = format!("--{boundary}");
    let mut rest =
        arrival.body.strip_prefix(mark.as_bytes()).ok_or("the body does not begin with the boundary")?;
    let next = format!("\r\n{mark}");
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or("no line end behind the boundary")?;
        let end = find(rest, next.as_bytes()).ok_or("no boundary at the end of a part")?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + next.len()..];
    }
}

fn part(bytes: &[u8]) -> Result<Part<'_>, String> {
    let head = find(bytes, b"\r\n\r\n").ok_or("a part without an empty line behind its headers")?;
    let headers = String::from_utf8_lossy(&bytes[..head]);
    let disposition =
        headers.lines().find(|line| line.to_lowercase().starts_with("content-disposition: form-data"));
    let disposition = disposition.ok_or("a part without Content-Disposition: form-data")?;
    let parameter = |name: &str| {
        let found = disposition
            .split(';')
            .map(str::trim)
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.map(|value| value.trim_matches('"').to_owned())
    };
    Ok(Part {
        name: parameter("name").ok_or("a part without a name")?,
        file_name: parameter("filename"),
        body: &bytes[head + 4..],
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

const MAX_FILE_BYTES: usize = 25 * 1024 * 1024;

const MODELS: &[&str] = &["gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1"];

const FIELDS: &[&str] = &[
    "file",
    "model",
    "language",
    "prompt",
    "response_format",
    "temperature",
    "timestamp_granularities[]",
    "stream",
    "languages[]",
    "keywords[]",
];
