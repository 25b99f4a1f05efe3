//! What OpenAI and those who speak like it say, as far as it is of use.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::asr::json;
use crate::policy::FaultKind;

#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Said {
    #[serde(rename = "session.created", alias = "transcription_session.created")]
    Created(Session),
    #[serde(rename = "session.updated", alias = "transcription_session.updated")]
    Updated(Session),
    #[serde(rename = "input_audio_buffer.speech_started")]
    SpeechStarted {
        #[serde(default)]
        item_id: String,
    },
    #[serde(rename = "input_audio_buffer.speech_stopped")]
    SpeechStopped {
        #[serde(default)]
        item_id: String,
        audio_end_ms: Option<f64>,
    },
    #[serde(rename = "input_audio_buffer.committed")]
    Committed {
        #[serde(default)]
        item_id: String,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    Delta {
        #[serde(default)]
        item_id: String,
        #[serde(default)]
        delta: String,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Completed(Completed),
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    Failed {
        #[serde(default)]
        item_id: String,
        #[serde(default)]
        error: Value,
    },
    #[serde(rename = "transcription.delta")]
    VllmDelta {
        #[serde(default)]
        delta: String,
    },
    #[serde(rename = "transcription.done")]
    VllmDone {
        #[serde(default)]
        text: String,
        usage: Option<Usage>,
    },
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        error: Value,
        code: Option<Value>,
    },
    #[serde(other)]
    Other,
}

/// The session's name stands in its object, or beside it.
#[derive(Deserialize)]
pub(super) struct Session {
    session: Option<SessionObject>,
    id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SessionObject {
    id: Option<String>,
}

impl Session {
    pub(super) fn id(self) -> Option<String> {
        self.session.and_then(|session| session.id).or(self.id)
    }
}

#[derive(Deserialize)]
pub(super) struct Completed {
    #[serde(default)]
    pub(super) item_id: String,
    #[serde(default)]
    pub(super) transcript: String,
    #[serde(default)]
    pub(super) languages: Vec<Value>,
    pub(super) usage: Option<Usage>,
}

/// Some models count tokens, and tell no time.
#[derive(Deserialize)]
pub(super) struct Usage {
    seconds: Option<f64>,
}

impl Usage {
    pub(super) fn audio(self) -> Option<Duration> {
        self.seconds.and_then(json::seconds)
    }
}

/// What `error` says: an object, or a text with the code beside it.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    family: String,
    code: String,
    message: String,
}

impl Complaint {
    pub(super) fn of(error: Value, code: Option<Value>) -> Self {
        if let Value::Object(fields) = &error {
            let field = |name: &str| json::shown(fields.get(name));
            return Self { family: field("type"), code: field("code"), message: field("message") };
        }
        Self { family: String::new(), code: json::shown(code.as_ref()), message: json::shown(Some(&error)) }
    }

    /// `None` if it need not end the session.
    pub(super) fn kind(&self) -> Option<FaultKind> {
        let of = |word: &str| match word {
            "invalid_api_key"
            | "authentication_error"
            | "permission_error"
            | "invalid_authentication"
            | "401"
            | "403" => Some(FaultKind::Unauthorized),
            "insufficient_quota"
            | "rate_limit_exceeded"
            | "rate_limit_error"
            | "billing_hard_limit_reached"
            | "429" => Some(FaultKind::RateLimited),
            "model_not_found" => Some(FaultKind::NotFound),
            "session_expired" => Some(FaultKind::Dropped),
            _ => None,
        };
        of(&self.code).or_else(|| of(&self.family))
    }

    pub(super) fn is_ours(&self) -> bool {
        self.family == "invalid_request_error"
    }

    pub(super) fn detail(&self) -> String {
        json::detail(&[&self.family, &self.code, &self.message])
    }
}
