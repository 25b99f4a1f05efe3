//! What the server says, as it stands in its messages: of each kind the fields that are used.

use std::time::Duration;

use serde::Deserialize;

use crate::policy::Fault;
use crate::realtime::{RateLimit, Usage};

#[derive(Deserialize)]
pub(super) struct Said {
    #[serde(rename = "type")]
    pub kind: String,
    pub session: Option<Session>,
    pub response: Option<Response>,
    pub response_id: Option<String>,
    pub item: Option<Item>,
    pub item_id: Option<String>,
    pub call_id: Option<String>,
    pub name: Option<String>,
    pub arguments: Option<String>,
    pub delta: Option<String>,
    pub transcript: Option<String>,
    pub rate_limits: Option<Vec<RawRateLimit>>,
    pub error: Option<RawError>,
}

#[derive(Deserialize)]
pub(super) struct Session {
    pub id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Response {
    pub id: Option<String>,
    pub status: Option<String>,
    pub status_details: Option<StatusDetails>,
    pub output: Option<Vec<Item>>,
    pub usage: Option<RawUsage>,
}

#[derive(Default, Deserialize)]
pub(super) struct StatusDetails {
    pub reason: Option<String>,
    pub error: Option<RawError>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: Option<String>,
    pub call_id: Option<String>,
    pub name: Option<String>,
    pub arguments: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RawRateLimit {
    name: String,
    limit: Option<u64>,
    remaining: Option<u64>,
    reset_seconds: Option<f64>,
}

/// An error: an object, or with some servers a mere text.
#[derive(Deserialize)]
#[serde(from = "AnyError")]
pub(super) struct RawError {
    pub kind: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub event_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AnyError {
    Object {
        #[serde(rename = "type")]
        kind: Option<String>,
        code: Option<serde_json::Value>,
        message: Option<String>,
        event_id: Option<String>,
    },
    Text(String),
}

impl From<AnyError> for RawError {
    fn from(error: AnyError) -> Self {
        match error {
            AnyError::Object { kind, code, message, event_id } => {
                let word =
                    |code: serde_json::Value| code.as_str().map_or_else(|| code.to_string(), str::to_owned);
                Self { kind, code: code.filter(|code| !code.is_null()).map(word), message, event_id }
            }
            AnyError::Text(message) => {
                Self { kind: None, code: None, message: Some(message), event_id: None }
            }
        }
    }
}

impl RawError {
    /// What it says, in one line.
    pub(super) fn detail(&self) -> String {
        let parts = [&self.kind, &self.code, &self.message];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// What it means: the code says it, else the kind.
    pub(super) fn fault(self) -> Fault {
        let words = self.code.as_deref().unwrap_or_default();
        let found = Fault::of_words(words, self.detail());
        if found.kind != crate::policy::FaultKind::Unavailable {
            return found;
        }
        Fault::of_words(self.kind.as_deref().unwrap_or_default(), self.detail())
    }
}

#[derive(Deserialize)]
pub(super) struct RawUsage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    input_token_details: Option<TokenDetails>,
    output_token_details: Option<TokenDetails>,
}

#[derive(Default, Deserialize)]
struct TokenDetails {
    audio_tokens: Option<u64>,
    cached_tokens: Option<u64>,
}

impl From<RawUsage> for Usage {
    fn from(usage: RawUsage) -> Self {
        let input = usage.input_token_details.unwrap_or_default();
        let output = usage.output_token_details.unwrap_or_default();
        Self {
            input_tokens: usage.input_tokens,
            input_audio_tokens: input.audio_tokens.unwrap_or(0),
            cached_tokens: input.cached_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens,
            output_audio_tokens: output.audio_tokens.unwrap_or(0),
        }
    }
}

/// What the account still has.
pub(super) fn rate_limits(raw: Vec<RawRateLimit>) -> Vec<RateLimit> {
    let limit = |raw: RawRateLimit| {
        let seconds = raw.reset_seconds.filter(|seconds| seconds.is_finite()).unwrap_or(0.0);
        RateLimit {
            name: raw.name,
            limit: raw.limit.unwrap_or(0),
            remaining: raw.remaining.unwrap_or(0),
            reset: Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0)),
        }
    };
    raw.into_iter().map(limit).collect()
}
