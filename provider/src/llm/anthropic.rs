//! Anthropic's messages (version 2026-10-21 of the interface, and 2023-06-01 where it differs).
//!
//! The answer is a stream of server-sent events: blocks of text, of thinking, and of tools whose arguments come in parts. What it costs is told
//! at the beginning and again at the end; each time it counts from the beginning. An error may come in the middle of an answer.

mod messages;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::sse::{SseEvent, SseParser};
use super::{Decoder, Finish, Piece, Prompt, ToolChoice, ToolRequest, ToolSpec, Usage, Vendor};
use crate::link::{Endpoint, HttpRequest, Method, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of Anthropic.
#[derive(Clone, Debug, PartialEq)]
pub struct AnthropicConfig {
    /// What comes before `/v1/messages`; `https://api.anthropic.com` unless there is a gateway of one's own.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// The version of the interface: `2026-10-21`, or `2023-06-01`, which is the last one that takes `temperature`, `top_p` and `top_k`.
    pub version: String,
    /// Features that are being tried out, separated by commas; none by default.
    pub beta: Option<String>,
    /// The model's name.
    pub model: String,
    /// 0 to 1; not sent by default, nor to a version that refuses it.
    pub temperature: Option<f64>,
    /// Whether one answer may want several tools used; not by default.
    pub uses_tools_in_parallel: bool,
    /// Whether the vendor is asked to keep what it made of the instructions and of the conversation so far; it is by default. What is
    /// kept costs a quarter more the first time and a tenth each time after it.
    pub caches: bool,
    /// Said in the caller's place where the agent speaks first, as a conversation must begin with the user: `(The call begins.)`.
    pub opening: String,
    /// Said in the caller's place where the agent is to speak again after its own words: `(The caller says nothing.)`.
    pub silence: String,
    /// Other fields of the request as they are, for example `service_tier`. `thinking` is not among those to set: its blocks would have to go
    /// back with the tools' results, and a caller would wait for them.
    pub extra: Map<String, Value>,
}

/// The vendor.
#[derive(Debug)]
pub struct Anthropic(pub AnthropicConfig);

impl AnthropicConfig {
    /// A model of that name.
    pub fn new(key: Secret, model: &str) -> Self {
        Self {
            url: "https://api.anthropic.com".to_owned(),
            key,
            version: "2026-10-21".to_owned(),
            beta: None,
            model: model.to_owned(),
            temperature: None,
            uses_tools_in_parallel: false,
            caches: true,
            opening: "(The call begins.)".to_owned(),
            silence: "(The caller says nothing.)".to_owned(),
            extra: Map::new(),
        }
    }

    /// Later versions answer 400 to all that changes how a model chooses its words, whatever the value.
    fn takes_sampling(&self) -> bool {
        self.version == "2023-06-01"
    }
}

impl Vendor for Anthropic {
    fn request(&self, prompt: &Prompt) -> HttpRequest {
        let config = &self.0;
        let mut body = config.extra.clone();
        if !config.takes_sampling() {
            ["temperature", "top_p", "top_k"].into_iter().for_each(|field| drop(body.remove(field)));
        }
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("model", config.model.as_str().into());
        put("max_tokens", prompt.max_tokens.into());
        put("stream", true.into());
        if let Some(temperature) = config.temperature.filter(|_| config.takes_sampling()) {
            put("temperature", temperature.into());
        }
        let system = system(prompt, config.caches);
        if !system.is_empty() {
            put("system", system.into());
        }
        put("messages", messages::of_prompt(prompt, config).into());
        if !prompt.tools.is_empty() {
            put("tools", prompt.tools.iter().map(tool).collect());
            put(
                "tool_choice",
                match prompt.tool_choice {
                    ToolChoice::Auto => {
                        json!({ "type": "auto", "disable_parallel_tool_use": !config.uses_tools_in_parallel })
                    }
                    ToolChoice::None => json!({ "type": "none" }),
                },
            );
        }
        let mut headers = vec![
            ("content-type", Secret::new("application/json")),
            ("x-api-key", config.key.clone()),
            ("anthropic-version", Secret::new(config.version.as_str())),
        ];
        headers.extend(config.beta.iter().map(|beta| ("anthropic-beta", Secret::new(beta.as_str()))));
        let url = Url::new(format!("{}/v1/messages", config.url.trim_end_matches('/')));
        let endpoint = Endpoint { url, headers };
        HttpRequest { method: Method::Post, endpoint, body: Value::Object(body).to_string().into_bytes() }
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(AnthropicDecoder::default())
    }
}

/// The instructions; the last part that stays the same is the end of what is kept, tools included. Empty blocks are refused.
fn system(prompt: &Prompt, caches: bool) -> Vec<Value> {
    let parts = || prompt.system.iter().filter(|part| !part.text.trim().is_empty());
    let last_stable = parts().take_while(|part| part.is_stable).count().checked_sub(1).filter(|_| caches);
    let block = |(at, part): (usize, &super::SystemPart)| {
        let mut block = json!({ "type": "text", "text": &*part.text });
        if last_stable == Some(at) {
            block["cache_control"] = json!({ "type": "ephemeral" });
        }
        block
    };
    parts().enumerate().map(block).collect()
}

fn tool(tool: &ToolSpec) -> Value {
    json!({ "name": tool.name, "description": tool.description, "input_schema": tool.parameters })
}

#[derive(Debug, Default)]
struct AnthropicDecoder {
    sse: SseParser,
    /// Tools that are wanted, by the index of their blocks.
    calls: BTreeMap<u64, ToolRequest>,
    argument_bytes: usize,
    usage: RawUsage,
    finish: Option<Finish>,
    is_done: bool,
}

impl Decoder for AnthropicDecoder {
    fn receive(&mut self, part: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        let mut events = Vec::new();
        let outcome = self.sse.parse(part, &mut events);
        for event in events {
            self.event(&event, pieces)?;
        }
        outcome
    }

    /// What came is complete once the reason is known why it stopped.
    fn end(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        if self.finish.is_none() && !self.is_done {
            return Err(Fault::new(FaultKind::Dropped, "the answer ended before it was complete"));
        }
        self.done(pieces);
        Ok(())
    }

    fn argument_bytes(&self) -> usize {
        self.argument_bytes
    }
}

impl AnthropicDecoder {
    fn event(&mut self, event: &SseEvent, pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        match serde_json::from_str(&event.data).map_err(Fault::malformed)? {
            Said::MessageStart { message } => self.usage(message.usage, pieces),
            Said::ContentBlockStart { index, content_block } => {
                self.begin_block(index, content_block, pieces)
            }
            Said::ContentBlockDelta { index, delta } => return self.delta(index, delta, pieces),
            Said::MessageDelta { delta, usage } => {
                self.usage(usage, pieces);
                if let Some(reason) = delta.stop_reason {
                    self.finish = Some(finish(&reason));
                }
            }
            Said::MessageStop {} => {
                if self.finish.is_none() {
                    return Err(Fault::new(
                        FaultKind::Malformed,
                        "the answer is done and has no stop_reason",
                    ));
                }
                self.done(pieces);
            }
            Said::Error { error, request_id } => {
                return Err(error.fault().with_request_id(request_id.as_deref()));
            }
            Said::Other => {}
        }
        Ok(())
    }

    fn begin_block(&mut self, index: u64, block: Block, pieces: &mut Vec<Piece>) {
        match block {
            Block::Text { text } => {
                pieces.extend(text.filter(|text| !text.is_empty()).map(Piece::Text));
            }
            Block::ToolUse { id, name, input } => {
                if self.calls.len() >= MAX_CALLS {
                    return;
                }
                pieces.push(Piece::ToolBegun { name: name.clone() });
                // A whole input instead of parts of one; `{}` is only a place for the parts.
                let arguments = match input {
                    Some(Value::Object(input)) if !input.is_empty() => Value::Object(input).to_string(),
                    Some(_) | None => String::new(),
                };
                self.calls.insert(index, ToolRequest { id, name, arguments });
            }
            Block::Other => {}
        }
    }

    fn delta(&mut self, index: u64, delta: Delta, pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        match delta {
            Delta::Text { text } if !text.is_empty() => pieces.push(Piece::Text(text)),
            Delta::InputJson { partial_json } => {
                if let Some(call) = self.calls.get_mut(&index) {
                    self.argument_bytes += partial_json.len();
                    return call.push_arguments(&partial_json);
                }
            }
            // Thinking and its signature are not for the caller's ears.
            Delta::Text { .. } | Delta::Other => {}
        }
        Ok(())
    }

    /// Each count is from the beginning of the answer; what is not told has not changed.
    fn usage(&mut self, told: Option<RawUsage>, pieces: &mut Vec<Piece>) {
        let Some(told) = told else { return };
        let last = self.usage;
        self.usage = RawUsage {
            input_tokens: told.input_tokens.or(last.input_tokens),
            cache_read_input_tokens: told.cache_read_input_tokens.or(last.cache_read_input_tokens),
            cache_creation_input_tokens: told
                .cache_creation_input_tokens
                .or(last.cache_creation_input_tokens),
            output_tokens: told.output_tokens.or(last.output_tokens),
        };
        let count = |tokens: Option<u64>| tokens.unwrap_or(0);
        let cached = count(self.usage.cache_read_input_tokens);
        let written = count(self.usage.cache_creation_input_tokens);
        pieces.push(Piece::Usage(Usage {
            input_tokens: count(self.usage.input_tokens).saturating_add(cached).saturating_add(written),
            cached_tokens: cached,
            output_tokens: count(self.usage.output_tokens),
        }));
    }

    fn done(&mut self, pieces: &mut Vec<Piece>) {
        if std::mem::replace(&mut self.is_done, true) {
            return;
        }
        let finish = self.finish.unwrap_or(Finish::Stop);
        for (_, mut call) in std::mem::take(&mut self.calls) {
            if call.arguments.is_empty() {
                call.arguments.push_str("{}");
            }
            // At the limit the last tool's arguments are cut off: half an order is not placed.
            let is_whole = serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok();
            if finish != Finish::Length || is_whole {
                pieces.push(Piece::Tool(call));
            }
        }
        pieces.push(Piece::Finished(finish));
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "tool_use" => Finish::Tools,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Filtered,
        // `end_turn`, `stop_sequence`, `pause_turn`, and what is not known yet.
        _ => Finish::Stop,
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: MessageDelta,
        usage: Option<RawUsage>,
    },
    MessageStop {},
    Error {
        error: RawError,
        request_id: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    usage: Option<RawUsage>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: Option<String>,
    },
    ToolUse {
        id: String,
        name: String,
        input: Option<Value>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct RawUsage {
    input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct RawError {
    #[serde(rename = "type")]
    kind: String,
    message: Option<String>,
}

impl RawError {
    fn fault(self) -> Fault {
        let kind = match self.kind.as_str() {
            "invalid_request_error" | "request_too_large" => FaultKind::Refused,
            "authentication_error" | "permission_error" | "billing_error" => FaultKind::Unauthorized,
            "not_found_error" => FaultKind::NotFound,
            "rate_limit_error" => FaultKind::RateLimited,
            "timeout_error" => FaultKind::Timeout,
            // `overloaded_error`, `api_error`, and what is not known yet.
            _ => FaultKind::Unavailable,
        };
        Fault::new(kind, format!("{}: {}", self.kind, self.message.unwrap_or_default()))
    }
}

/// Tools that one answer may want; a conversation uses one or two.
const MAX_CALLS: usize = 8;

#[cfg(test)]
mod tests;
