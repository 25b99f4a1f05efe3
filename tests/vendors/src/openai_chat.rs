//! Chat completions as OpenAI and those who imitate it stream them: `POST {base}/chat/completions`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{Heard, Model, Question, Streamed, Token};
use crate::stage::Body;
use crate::strict;
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct OpenAiChat {
    model: Model,
    dialect: Dialect,
    answers: u64,
}

/// Whose imitation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI: `max_completion_tokens`, and a key.
    OpenAi,
    /// Servers of one's own: `max_tokens`, any key or none.
    SelfHosted,
}

/// A refusal of OpenAI's API: its status, what it says, the parameter and the code.
pub struct ApiError {
    status: u16,
    message: String,
    parameter: Option<String>,
    code: Option<&'static str>,
}

impl ApiError {
    /// 400.
    pub fn invalid(message: impl Into<String>, parameter: &str) -> Self {
        Self { status: 400, message: message.into(), parameter: Some(parameter.to_owned()), code: None }
    }

    /// The same with a code.
    #[must_use]
    pub fn with_code(mut self, status: u16, code: &'static str) -> Self {
        self.status = status;
        self.code = Some(code);
        self
    }

    /// As a response.
    pub fn refusal(&self) -> Refusal {
        let error = json!({
            "message": self.message, "type": "invalid_request_error", "param": self.parameter, "code": self.code,
        });
        Refusal::json(self.status, &json!({ "error": error }))
    }
}

/// What every request to OpenAI has to have.
///
/// # Errors
///
/// If the key is missing or wrong, or the body is none of JSON.
pub fn authorized_json(arrival: &Arrival) -> Result<Value, ApiError> {
    if !strict::has_key(arrival, "Bearer") {
        let said = if arrival.header("authorization").is_none() {
            "You didn't provide an API key."
        } else {
            "Incorrect API key provided."
        };
        return Err(ApiError::invalid(said, "").with_code(401, "invalid_api_key"));
    }
    json_body(arrival)
}

/// The body as JSON.
///
/// # Errors
///
/// If it is none, or does not say that it is.
pub fn json_body(arrival: &Arrival) -> Result<Value, ApiError> {
    let kind = arrival.header("content-type").unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        let said = format!("Unsupported content type: '{kind}'. Use 'application/json'.");
        return Err(ApiError::invalid(said, "").with_code(415, "unsupported_content_type"));
    }
    serde_json::from_slice(&arrival.body)
        .map_err(|error| ApiError::invalid(format!("We could not parse the JSON body: {error}"), ""))
}

impl OpenAiChat {
    /// A service that answers with this model.
    pub fn new(model: Model, dialect: Dialect) -> Self {
        Self { model, dialect, answers: 0 }
    }

    fn answer(&mut self, now: Duration, arrival: &Arrival) -> Result<Answer, ApiError> {
        if !arrival.path.ends_with("/chat/completions") {
            return Err(ApiError::invalid("Invalid URL", "").with_code(404, "not_found"));
        }
        if arrival.method != "POST" {
            return Err(ApiError::invalid("Not allowed to GET on this path.", "")
                .with_code(405, "method_not_allowed"));
        }
        let request = match self.dialect {
            Dialect::OpenAi => authorized_json(arrival)?,
            Dialect::SelfHosted => json_body(arrival)?,
        };
        let max_tokens = self.check(&request)?;
        let tools = check_tools(&request)?;
        let heard = check_messages(&request["messages"])?;
        let reads = std::iter::once(request["tools"].to_string())
            .chain(request["messages"].as_array().into_iter().flatten().map(Value::to_string));
        let question = Question { heard, tools, reads: reads.collect(), max_tokens };
        let streamed = self.model.answer(now, &question);
        self.answers += 1;
        let id = format!("chatcmpl-{}", self.answers);
        let headers = |kind: &str| {
            let request_id = ("x-request-id".to_owned(), format!("req-{}", self.answers));
            vec![("content-type".to_owned(), kind.to_owned()), request_id]
        };
        let whose =
            json!({"id": id, "object": "chat.completion.chunk", "created": 1, "model": request["model"]});
        let include_usage = request["stream_options"]["include_usage"] == true;
        let body = Body(stream(now, &streamed, &whose, include_usage));
        Ok(Answer::Respond(headers("text/event-stream; charset=utf-8"), Box::new(body)))
    }

    fn check(&self, request: &Value) -> Result<usize, ApiError> {
        if let Err(error) = strict::only(request, FIELDS) {
            return Err(ApiError::invalid(format!("Unrecognized request argument supplied: {error}"), ""));
        }
        let model = strict::text(request, "model").map_err(|error| ApiError::invalid(error, "model"))?;
        if self.dialect == Dialect::OpenAi && !MODELS.contains(&model) {
            let said = format!("The model `{model}` does not exist or you do not have access to it.");
            return Err(ApiError::invalid(said, "model").with_code(404, "model_not_found"));
        }
        if request["stream"] != true {
            return Err(ApiError::invalid("this simulation streams: `stream` has to be true", "stream"));
        }
        if !request["stream_options"].is_null() {
            strict::only(&request["stream_options"], &["include_usage", "include_obfuscation"])
                .map_err(|error| ApiError::invalid(error, "stream_options"))?;
        }
        let (due, other) = match self.dialect {
            Dialect::OpenAi => ("max_completion_tokens", "max_tokens"),
            Dialect::SelfHosted => ("max_tokens", "max_completion_tokens"),
        };
        if !request[other].is_null() {
            let said = format!(
                "Unsupported parameter: '{other}' is not supported with this model. Use '{due}' instead."
            );
            return Err(ApiError::invalid(said, other).with_code(400, "unsupported_parameter"));
        }
        for (name, least, most) in [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), (due, 1.0, 128_000.0)] {
            strict::number(request, name, least, most).map_err(|error| ApiError::invalid(error, name))?;
        }
        Ok(request[due].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(4_096))
    }
}

impl Vendor for OpenAiChat {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.answer(now, arrival).unwrap_or_else(|error| Answer::Refuse(error.refusal()))
    }
}

fn check_tools(request: &Value) -> Result<Vec<&str>, ApiError> {
    let wrong = |error: String| ApiError::invalid(error, "tools");
    let mut names = Vec::new();
    if !request["tools"].is_null() {
        let tools = request["tools"].as_array().filter(|tools| !tools.is_empty());
        for tool in tools.ok_or_else(|| wrong("[] is too short - 'tools'".to_owned()))? {
            strict::only(tool, &["type", "function"]).map_err(wrong)?;
            let function = &tool["function"];
            strict::only(function, &["name", "description", "parameters", "strict"]).map_err(wrong)?;
            let name = strict::text(function, "name").map_err(wrong)?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if tool["type"] != "function" || name.is_empty() || name.len() > 64 || !name.chars().all(is_name)
            {
                return Err(wrong(format!(
                    "'{name}' does not match '^[a-zA-Z0-9_-]{{1,64}}$', or is no function"
                )));
            }
            if !function["parameters"].is_null() && function["parameters"]["type"] != "object" {
                return Err(wrong(format!(
                    "Invalid schema for function '{name}': schema must be of type object"
                )));
            }
            if names.contains(&name) {
                return Err(wrong(format!("function '{name}' stands twice")));
            }
            names.push(name);
        }
    }
    let choice = &request["tool_choice"];
    if !choice.is_null() && names.is_empty() {
        return Err(ApiError::invalid(
            "'tool_choice' is only allowed when 'tools' are specified.",
            "tool_choice",
        ));
    }
    let is_word = choice.as_str().is_none_or(|word| ["auto", "none", "required"].contains(&word));
    let is_named =
        choice.as_object().is_none_or(|_| names.iter().any(|name| choice["function"]["name"] == *name));
    if !is_word || !is_named {
        return Err(ApiError::invalid(format!("Invalid value: {choice}"), "tool_choice"));
    }
    Ok(if *choice == "none" { Vec::new() } else { names })
}

/// Checks the messages and returns the last thing that was said.
fn check_messages(messages: &Value) -> Result<Heard, ApiError> {
    let list = messages.as_array().filter(|list| !list.is_empty());
    let list =
        list.ok_or_else(|| ApiError::invalid("Missing required parameter: 'messages'.", "messages"))?;
    let mut open_calls: Vec<String> = Vec::new();
    let mut heard = None;
    for (number, message) in list.iter().enumerate() {
        let at = format!("messages[{number}]");
        let wrong = |error: String| ApiError::invalid(format!("{at}: {error}"), &at);
        strict::only(message, &["role", "content", "name", "tool_calls", "tool_call_id", "refusal"])
            .map_err(wrong)?;
        let role = strict::text(message, "role").map_err(wrong)?;
        if role == "tool" {
            let id = strict::text(message, "tool_call_id").map_err(wrong)?;
            let Some(found) = open_calls.iter().position(|open| open == id) else {
                let said =
                    "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err(wrong(format!("{said} `{id}` is none of them")));
            };
            open_calls.remove(found);
            heard = Some(Heard::Tool(content(message).map_err(wrong)?));
            continue;
        }
        if !open_calls.is_empty() {
            return Err(wrong(unanswered(&open_calls)));
        }
        match role {
            "system" | "developer" => drop(content(message).map_err(wrong)?),
            "user" => heard = Some(Heard::User(content(message).map_err(wrong)?)),
            "assistant" => open_calls = check_assistant(message).map_err(wrong)?,
            other => return Err(wrong(format!("Invalid value: '{other}'"))),
        }
    }
    if !open_calls.is_empty() {
        return Err(ApiError::invalid(unanswered(&open_calls), "messages"));
    }
    heard.ok_or_else(|| ApiError::invalid("neither a user nor a tool has said anything", "messages"))
}

fn unanswered(calls: &[String]) -> String {
    format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
         The following tool_call_ids did not have response messages: {}",
        calls.join(", ")
    )
}

fn check_assistant(message: &Value) -> Result<Vec<String>, String> {
    let mut ids = Vec::new();
    if message["tool_calls"].is_null() {
        content(message)?;
        return Ok(ids);
    }
    let calls = message["tool_calls"].as_array().filter(|calls| !calls.is_empty());
    for call in calls.ok_or("'tool_calls' has to be an array that is not empty")? {
        strict::only(call, &["id", "type", "function"])?;
        strict::only(&call["function"], &["name", "arguments"])?;
        strict::text(&call["function"], "name")?;
        let arguments = strict::text(&call["function"], "arguments")?;
        if serde_json::from_str::<Value>(arguments).is_ok_and(|value| !value.is_object())
            || call["type"] != "function"
        {
            return Err(format!("{call} is no call of a function"));
        }
        ids.push(strict::text(call, "id")?.to_owned());
    }
    Ok(ids)
}

/// A text, or its parts joined.
fn content(message: &Value) -> Result<String, String> {
    match &message["content"] {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) if !parts.is_empty() => {
            let texts = parts.iter().map(|part| {
                let text = strict::text(part, "text")?;
                if part["type"] == "text" { Ok(text) } else { Err(format!("Invalid part: {part}")) }
            });
            texts.collect::<Result<String, String>>()
        }
        other => Err(format!("Invalid type for 'content': {other}")),
    }
}

fn stream(now: Duration, streamed: &Streamed, whose: &Value, include_usage: bool) -> Outbox {
    let mut outbox = Outbox::default();
    let mut put = |due: Duration, choices: Value, usage: Value| {
        let mut chunk = whose.clone();
        chunk["choices"] = choices;
        if include_usage {
            chunk["usage"] = usage;
        }
        outbox.at(due, event(&chunk.to_string()));
    };
    let delta = |delta: Value| json!([{"index": 0, "delta": delta, "finish_reason": null}]);
    let first = streamed.tokens.first().map_or(now, |(due, _)| *due);
    put(first, delta(json!({"role": "assistant", "content": ""})), Value::Null);
    let mut calls = 0_u64;
    for (due, token) in &streamed.tokens {
        let said = match token {
            Token::Text(text) => json!({"content": text}),
            Token::Call { id, name } => {
                calls += 1;
                let function = json!({"name": name, "arguments": ""});
                let id = format!("call_{id}");
                json!({"tool_calls": [{"index": calls - 1, "id": id, "type": "function", "function": function}]})
            }
            Token::Arguments(piece) => {
                json!({"tool_calls": [{"index": calls.saturating_sub(1), "function": {"arguments": piece}}]})
            }
        };
        put(*due, delta(said), Value::Null);
    }
    let reason = match (streamed.is_cut, calls) {
        (true, _) => "length",
        (false, 0) => "stop",
        (false, _) => "tool_calls",
    };
    put(streamed.end, json!([{"index": 0, "delta": {}, "finish_reason": reason}]), Value::Null);
    if include_usage {
        let usage = streamed.usage;
        let counted = json!({
            "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
        });
        put(streamed.end, json!([]), counted);
    }
    outbox.at(streamed.end, event("[DONE]"));
    outbox.at(streamed.end, Action::End);
    outbox
}

/// A server-sent event of this data.
fn event(data: &str) -> Action {
    Action::Send(Frame::Binary(format!("data: {data}\n\n").into_bytes()))
}

const MODELS: &[&str] = &[
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5.1",
    "gpt-5.2",
];

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "user",
    "metadata",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
];
