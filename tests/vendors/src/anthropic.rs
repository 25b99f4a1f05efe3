//! Anthropic's Messages, streamed: `POST https://api.anthropic.com/v1/messages`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{Heard, Model, Question, Streamed, Token};
use crate::stage::Body;
use crate::strict::{self, KEY};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct Anthropic {
    model: Model,
    answers: u64,
}

/// Status, type and message of a refusal.
type Refused = (u16, &'static str, String);

impl Anthropic {
    /// A service that answers with this model.
    pub fn new(model: Model) -> Self {
        Self { model, answers: 0 }
    }

    fn answer(&mut self, now: Duration, arrival: &Arrival) -> Result<Answer, Refused> {
        if arrival.path != "/v1/messages" || arrival.method != "POST" {
            return Err((404, "not_found_error", "Not Found".to_owned()));
        }
        let is_known = match arrival.header("x-api-key") {
            Some(key) => key == KEY,
            None => strict::has_key(arrival, "Bearer"),
        };
        if !is_known {
            return Err((401, "authentication_error", "invalid x-api-key".to_owned()));
        }
        let version = arrival.header("anthropic-version").unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return Err(invalid(format!("anthropic-version: \"{version}\" is not a valid version")));
        }
        if arrival.header("content-type") != Some("application/json") {
            return Err(invalid("content-type: application/json is required"));
        }
        let request: Value = serde_json::from_slice(&arrival.body)
            .map_err(|error| invalid(format!("The request body is no JSON: {error}")))?;
        let max_tokens = check(&request, version).map_err(invalid)?;
        let model = request["model"].as_str().unwrap_or_default();
        if !MODELS.contains(&model) {
            return Err((404, "not_found_error", format!("model: {model}")));
        }
        let tools = check_tools(&request).map_err(invalid)?;
        let heard = check_messages(&request["messages"], version).map_err(invalid)?;
        let caches = count_cache_marks(&request);
        if caches > MAX_CACHE_MARKS {
            return Err(invalid(format!(
                "A maximum of 4 blocks with cache_control may be provided. Found {caches}."
            )));
        }
        let question = Question { heard, tools, reads: reads(&request), max_tokens };
        let mut streamed = self.model.answer(now, &question);
        if caches == 0 {
            // Nothing is kept that was not marked.
            streamed.usage.cached = 0;
        }
        self.answers += 1;
        let headers = [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("request-id", &format!("req_{}", self.answers)),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = Body(stream(now, &streamed, model, self.answers));
        Ok(Answer::Respond(headers.to_vec(), Box::new(body)))
    }
}

impl Vendor for Anthropic {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.answer(now, arrival).unwrap_or_else(|(status, kind, message)| {
            let error = json!({"type": kind, "message": message});
            let mut refusal =
                Refusal::json(status, &json!({"type": "error", "error": error, "request_id": "req_x"}));
            refusal.headers.push(("request-id".to_owned(), "req_x".to_owned()));
            Answer::Refuse(refusal)
        })
    }
}

fn invalid(message: impl Into<String>) -> Refused {
    (400, "invalid_request_error", message.into())
}

/// Checks what stands outside of messages and tools; returns the limit of tokens.
fn check(request: &Value, version: &str) -> Result<usize, String> {
    strict::only(request, FIELDS).map_err(|error| format!("{error}: Extra inputs are not permitted"))?;
    strict::text(request, "model")?;
    if request["stream"] != true {
        return Err("stream: this simulation streams".to_owned());
    }
    for (name, most) in [("temperature", 1.0), ("top_p", 1.0), ("top_k", 500.0)] {
        if version == NEWEST && !request[name].is_null() {
            return Err(format!("{name}: not supported in version {version}; leave it out"));
        }
        strict::number(request, name, 0.0, most)?;
    }
    check_system(&request["system"])?;
    let limit = request["max_tokens"].as_u64().filter(|limit| *limit >= 1);
    let limit = limit.ok_or("max_tokens: Field required")?;
    usize::try_from(limit).map_err(|_| "max_tokens: too many".to_owned())
}

fn check_system(system: &Value) -> Result<(), String> {
    match system {
        Value::Null => Ok(()),
        Value::String(text) if !text.is_empty() => Ok(()),
        Value::Array(blocks) => blocks.iter().try_for_each(|block| check_text(block, "system")),
        other => Err(format!("system: {other}")),
    }
}

fn check_text(block: &Value, at: &str) -> Result<(), String> {
    strict::only(block, &["type", "text", "cache_control"]).map_err(|error| format!("{at}: {error}"))?;
    let text = strict::text(block, "text").map_err(|error| format!("{at}: {error}"))?;
    if block["type"] != "text" || text.trim().is_empty() {
        return Err(format!("{at}: text content blocks must be non-empty"));
    }
    let cache = &block["cache_control"];
    if cache.is_null() || cache["type"] == "ephemeral" {
        Ok(())
    } else {
        Err(format!("{at}: cache_control: {cache}"))
    }
}

fn check_tools(request: &Value) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    for tool in request["tools"].as_array().into_iter().flatten() {
        strict::only(tool, &["name", "description", "input_schema", "cache_control", "type"])
            .map_err(|error| format!("tools: {error}"))?;
        let name = strict::text(tool, "name")?;
        if tool["input_schema"]["type"] != "object" {
            return Err(format!("tools.{name}.input_schema.type: Field required"));
        }
        if names.contains(&name) {
            return Err("tools: Tool names must be unique.".to_owned());
        }
        names.push(name);
    }
    let choice = &request["tool_choice"];
    if choice.is_null() {
        return Ok(names);
    }
    strict::only(choice, &["type", "name", "disable_parallel_tool_use"])
        .map_err(|error| format!("tool_choice: {error}"))?;
    match choice["type"].as_str() {
        Some("auto" | "any") if !names.is_empty() => Ok(names),
        Some("tool") if names.iter().any(|name| choice["name"] == *name) => Ok(names),
        Some("none") => Ok(Vec::new()),
        _ => Err(format!("tool_choice: {choice}")),
    }
}

/// Checks the messages and returns the last thing that was said.
fn check_messages(messages: &Value, version: &str) -> Result<Heard, String> {
    let list = messages
        .as_array()
        .filter(|list| !list.is_empty())
        .ok_or("messages: at least one message is required")?;
    let mut open_calls: Vec<String> = Vec::new();
    let mut heard = None;
    for (number, message) in list.iter().enumerate() {
        let at = format!("messages.{number}");
        strict::only(message, &["role", "content"]).map_err(|error| format!("{at}: {error}"))?;
        let text = json!([{"type": "text", "text": message["content"]}]);
        let content = if message["content"].is_string() { &text } else { &message["content"] };
        let blocks = content.as_array().filter(|blocks| !blocks.is_empty());
        let blocks = blocks.ok_or_else(|| format!("{at}: all messages must have non-empty content"))?;
        match message["role"].as_str() {
            Some("user") => heard = Some(check_user(blocks, &mut open_calls, &at)?),
            Some("assistant") if number == 0 => {
                return Err("messages: first message must use the \"user\" role".to_owned());
            }
            Some("assistant") => {
                if !open_calls.is_empty() {
                    return Err(unanswered(&at, &open_calls));
                }
                open_calls = check_assistant(blocks, version, &at)?;
            }
            _ => return Err(format!("{at}.role: Input should be 'user' or 'assistant'")),
        }
    }
    if !open_calls.is_empty() {
        return Err(unanswered("messages", &open_calls));
    }
    let is_users = list.last().is_some_and(|last| last["role"] == "user");
    heard
        .filter(|_| is_users)
        .ok_or_else(|| "This model does not support assistant message prefill.".to_owned())
}

fn check_user(blocks: &[Value], open_calls: &mut Vec<String>, at: &str) -> Result<Heard, String> {
    let mut said = String::new();
    let mut results = String::new();
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => {
                check_text(block, at)?;
                said.push_str(block["text"].as_str().unwrap_or_default());
            }
            Some("tool_result") => {
                strict::only(block, &["type", "tool_use_id", "content", "is_error", "cache_control"])?;
                let id = strict::text(block, "tool_use_id")?;
                if !said.is_empty() {
                    return Err(format!("{at}: tool_result blocks have to stand before text"));
                }
                let Some(found) = open_calls.iter().position(|open| open == id) else {
                    return Err(format!(
                        "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}"
                    ));
                };
                open_calls.remove(found);
                results.push_str(block["content"].as_str().unwrap_or(&block["content"].to_string()));
            }
            _ => return Err(format!("{at}: {block} is no block of a user")),
        }
    }
    if !open_calls.is_empty() {
        return Err(unanswered(at, open_calls));
    }
    Ok(if said.is_empty() { Heard::Tool(results) } else { Heard::User(said) })
}

fn check_assistant(blocks: &[Value], version: &str, at: &str) -> Result<Vec<String>, String> {
    let mut calls = Vec::new();
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => check_text(block, at)?,
            Some("tool_use") => {
                strict::only(block, &["type", "id", "name", "input", "cache_control"])?;
                strict::text(block, "name")?;
                if !block["input"].is_object() {
                    return Err(format!("{at}: tool_use.input: Input should be a valid dictionary"));
                }
                calls.push(strict::text(block, "id")?.to_owned());
            }
            Some("document") if version != NEWEST => {}
            Some("thinking" | "redacted_thinking") => {}
            _ => return Err(format!("{at}: {block} is no block of an assistant")),
        }
    }
    Ok(calls)
}

fn unanswered(at: &str, calls: &[String]) -> String {
    format!(
        "{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must \
         have a corresponding `tool_result` block in the next message.",
        calls.join(", ")
    )
}

fn reads(request: &Value) -> Vec<String> {
    let messages = request["messages"].as_array().into_iter().flatten();
    // A mark moves from turn to turn and is no part of what is read.
    let read =
        messages.map(|message| message.to_string().replace(r#","cache_control":{"type":"ephemeral"}"#, ""));
    [request["tools"].to_string(), request["system"].to_string()].into_iter().chain(read).collect()
}

fn count_cache_marks(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            let here = usize::from(fields.get("cache_control").is_some_and(|mark| !mark.is_null()));
            here + fields.values().map(count_cache_marks).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(count_cache_marks).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn stream(now: Duration, streamed: &Streamed, model: &str, number: u64) -> Outbox {
    let mut outbox = Outbox::default();
    let mut put = |due: Duration, event: &Value| {
        let name = event["type"].as_str().unwrap_or_default();
        let bytes = format!("event: {name}\ndata: {event}\n\n").into_bytes();
        outbox.at(due, Action::Send(Frame::Binary(bytes)));
    };
    let usage = streamed.usage;
    let message = json!({
        "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {
            "input_tokens": usage.input - usage.cached, "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": 0, "output_tokens": 1,
        },
    });
    let first = streamed.tokens.first().map_or(now, |(due, _)| *due);
    put(first, &json!({"type": "message_start", "message": message}));
    put(first, &json!({"type": "ping"}));
    let mut index = None::<u64>;
    let mut is_text = false;
    let mut calls = 0;
    for (due, token) in &streamed.tokens {
        let begins = match token {
            Token::Text(_) => (!is_text).then(|| json!({"type": "text", "text": ""})),
            Token::Call { id, name } => {
                calls += 1;
                Some(json!({"type": "tool_use", "id": format!("toolu_{id}"), "name": name, "input": {}}))
            }
            Token::Arguments(_) => None,
        };
        if let Some(block) = begins {
            if let Some(index) = index {
                put(*due, &json!({"type": "content_block_stop", "index": index}));
            }
            index = Some(index.map_or(0, |index| index + 1));
            put(*due, &json!({"type": "content_block_start", "index": index, "content_block": block}));
            is_text = matches!(token, Token::Text(_));
        }
        let delta = match token {
            Token::Text(text) => json!({"type": "text_delta", "text": text}),
            Token::Arguments(piece) => json!({"type": "input_json_delta", "partial_json": piece}),
            Token::Call { .. } => json!({"type": "input_json_delta", "partial_json": ""}),
        };
        put(*due, &json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    let end = streamed.end;
    if let Some(index) = index {
        put(end, &json!({"type": "content_block_stop", "index": index}));
    }
    let reason = match (streamed.is_cut, calls) {
        (true, _) => "max_tokens",
        (false, 0) => "end_turn",
        (false, _) => "tool_use",
    };
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    put(end, &json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage.output}}));
    put(end, &json!({"type": "message_stop"}));
    outbox.at(end, Action::End);
    outbox
}

/// The version that refuses sampling parameters.
const NEWEST: &str = "2026-10-21";

const VERSIONS: &[&str] = &["2023-06-01", NEWEST];

const MAX_CACHE_MARKS: usize = 4;

const MODELS: &[&str] = &[
    "claude-haiku-4-5",
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-opus-4-6",
];

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "stream",
    "system",
    "messages",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "metadata",
    "service_tier",
    "thinking",
];
