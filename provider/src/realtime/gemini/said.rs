//! What the server says, as it stands in its messages: of each kind the fields that are used.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::realtime::Usage;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    pub setup_complete: Option<IgnoredAny>,
    pub server_content: Option<Content>,
    pub tool_call: Option<ToolCall>,
    pub tool_call_cancellation: Option<Cancellation>,
    pub go_away: Option<GoAway>,
    pub session_resumption_update: Option<Resumption>,
    pub usage_metadata: Option<RawUsage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    pub model_turn: Option<ModelTurn>,
    pub interrupted: Option<bool>,
    pub generation_complete: Option<bool>,
    pub turn_complete: Option<bool>,
    pub input_transcription: Option<Words>,
    pub output_transcription: Option<Words>,
}

#[derive(Deserialize)]
pub(super) struct ModelTurn {
    pub parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    pub inline_data: Option<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob {
    pub mime_type: Option<String>,
    pub data: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Words {
    pub text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolCall {
    pub function_calls: Option<Vec<FunctionCall>>,
}

#[derive(Deserialize)]
pub(super) struct FunctionCall {
    pub id: Option<String>,
    pub name: String,
    pub args: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Cancellation {
    pub ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GoAway {
    pub time_left: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resumption {
    pub new_handle: Option<String>,
    pub resumable: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawUsage {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    response_token_count: Option<u64>,
    prompt_tokens_details: Option<Vec<Modality>>,
    response_tokens_details: Option<Vec<Modality>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modality {
    modality: Option<String>,
    token_count: Option<u64>,
}

impl From<RawUsage> for Usage {
    fn from(usage: RawUsage) -> Self {
        let audio = |details: Option<Vec<Modality>>| {
            let of_audio = |one: &Modality| one.modality.as_deref() == Some("AUDIO");
            let details = details.unwrap_or_default();
            details
                .into_iter()
                .filter(of_audio)
                .filter_map(|one| one.token_count)
                .fold(0, u64::saturating_add)
        };
        Self {
            input_tokens: usage.prompt_token_count.unwrap_or(0),
            input_audio_tokens: audio(usage.prompt_tokens_details),
            cached_tokens: usage.cached_content_token_count.unwrap_or(0),
            output_tokens: usage.response_token_count.unwrap_or(0),
            output_audio_tokens: audio(usage.response_tokens_details),
        }
    }
}

/// A time as Google writes it: `9.5s`. What cannot be read is no time at all.
pub(super) fn seconds(text: &str) -> Duration {
    let seconds = text.trim_end_matches('s').parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    Duration::from_secs_f64(seconds.unwrap_or(0.0).clamp(0.0, 86_400.0))
}
