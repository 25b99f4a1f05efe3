//! The chat completions of OpenAI (2026-11), and of all that speak the same: Groq, vLLM, llama.cpp, Ollama by their `url`.
//!
//! The answer is a stream of server-sent events. Tools come in parts that are told apart by their index; some servers send a whole one at once,
//! repeat its id or leave the index out.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::sse::{SseEvent, SseParser};
use super::{Decoder, Finish, Piece, Prompt, ToolChoice, ToolRequest, Turn, Usage, Vendor};
use crate::link::{Endpoint, HttpRequest, Method, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAiConfig {
    /// `https://api.openai.com/v1` or another base: what comes before `/chat/completions`.
    pub url: String,
    /// The API key; servers of one's own often want none.
    pub key: Option<Secret>,
    /// The model's name.
    pub model: String,
    /// How the server calls the limit of an answer.
    pub token_limit: TokenLimit,
    /// Whether it is asked what the answer costs; a few servers refuse the question.
    pub asks_usage: bool,
    /// 0 to 2; not sent if it is not given, as some models take none.
    pub temperature: Option<f64>,
    /// Other fields of the request as they are, for example `reasoning_effort`.
    pub extra: Map<String, Value>,
}

/// The name of the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenLimit {
    /// `max_completion_tokens`, as OpenAI wants it.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`, as servers of one's own do.
    MaxTokens,
}

/// The vendor.
#[derive(Debug)]
pub struct OpenAi(pub OpenAiConfig);

impl OpenAiConfig {
    /// A model of that name at that base.
    pub fn new(url: &str, key: Option<Secret>, model: &str) -> Self {
        Self {
            url: url.to_owned(),
            key,
            model: model.to_owned(),
            token_limit: TokenLimit::default(),
            asks_usage: true,
            temperature: None,
            extra: Map::new(),
        }
    }
}

impl Vendor for OpenAi {
    fn request(&self, prompt: &Prompt) -> HttpRequest {
        let config = &self.0;
        let mut body = config.extra.clone();
        body.insert("model".to_owned(), config.model.clone().into());
        body.insert("stream".to_owned(), true.into());
        if config.asks_usage {
            body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
        let limit = match config.token_limit {
            TokenLimit::MaxCompletionTokens => "max_completion_tokens",
            TokenLimit::MaxTokens => "max_tokens",
        };
        body.insert(limit.to_owned(), prompt.max_tokens.into());
        body.extend(config.temperature.map(|temperature| ("temperature".to_owned(), temperature.into())));
        body.insert("messages".to_owned(), messages(prompt));
        if !prompt.tools.is_empty() {
            body.insert("tools".to_owned(), tools(prompt));
            let choice = match prompt.tool_choice {
                ToolChoice::Auto => "auto",
                ToolChoice::None => "none",
            };
            body.insert("tool_choice".to_owned(), choice.into());
        }
        let mut headers = vec![("content-type", Secret::new("application/json"))];
        headers.extend(
            config.key.iter().map(|key| ("authorization", Secret::new(format!("Bearer {}", key.reveal())))),
        );
        let url = Url::new(format!("{}/chat/completions", config.url.trim_end_matches('/')));
        let endpoint = Endpoint { url, headers };
        HttpRequest { method: Method::Post, endpoint, body: Value::Object(body).to_string().into_bytes() }
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(OpenAiDecoder::default())
    }
}

fn messages(prompt: &Prompt) -> Value {
    let mut messages = Vec::with_capacity(prompt.turns.len() + 1);
    let system: Vec<&str> = prompt.system.iter().map(|part| &*part.text).collect();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.join("\n\n") }));
    }
    for turn in &prompt.turns {
        match turn {
            Turn::User(text) => messages.push(json!({ "role": "user", "content": text })),
            Turn::Assistant { text, calls } if calls.is_empty() => {
                messages.push(json!({ "role": "assistant", "content": text }));
            }
            Turn::Assistant { text, calls } => {
                let content = if text.is_empty() { Value::Null } else { text.as_str().into() };
                let calls: Vec<Value> = calls.iter().map(call).collect();
                messages.push(json!({ "role": "assistant", "content": content, "tool_calls": calls }));
            }
            Turn::Results(results) => messages.extend(results.iter().map(
                |result| json!({ "role": "tool", "tool_call_id": result.id, "content": result.content }),
            )),
        }
    }
    messages.into()
}

fn call(call: &ToolRequest) -> Value {
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
}

fn tools(prompt: &Prompt) -> Value {
    let tool = |tool: &super::ToolSpec| {
        json!({ "type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.parameters
        } })
    };
    prompt.tools.iter().map(tool).collect()
}

#[derive(Debug, Default)]
struct OpenAiDecoder {
    sse: SseParser,
    calls: Vec<Call>,
    argument_bytes: usize,
    /// Told once the usage has come, which follows it.
    finish: Option<Finish>,
    is_done: bool,
}

#[derive(Debug)]
struct Call {
    index: u64,
    request: ToolRequest,
}

impl Decoder for OpenAiDecoder {
    fn receive(&mut self, part: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        let mut events = Vec::new();
        let outcome = self.sse.parse(part, &mut events);
        for event in events {
            self.event(&event, pieces)?;
        }
        outcome
    }

    /// Some servers end the body instead of saying that it is done.
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

impl OpenAiDecoder {
    fn event(&mut self, event: &SseEvent, pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        if event.data.trim() == "[DONE]" {
            if self.finish.is_none() {
                return Err(Fault::new(FaultKind::Malformed, "the answer is done and has no finish_reason"));
            }
            self.done(pieces);
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(&event.data).map_err(Fault::malformed)?;
        if let Some(error) = chunk.error {
            return Err(error.fault());
        }
        for choice in chunk.choices.into_iter().take(1) {
            self.choice(choice, pieces)?;
        }
        if let Some(usage) = chunk.usage {
            pieces.push(Piece::Usage(Usage {
                input_tokens: usage.prompt_tokens,
                cached_tokens: usage.prompt_tokens_details.unwrap_or_default().cached_tokens.unwrap_or(0),
                output_tokens: usage.completion_tokens,
            }));
        }
        Ok(())
    }

    fn choice(&mut self, choice: Choice, pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        let delta = choice.delta.unwrap_or_default();
        if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
            pieces.push(Piece::Text(text));
        }
        for part in delta.tool_calls.unwrap_or_default() {
            self.call(part, pieces)?;
        }
        if let Some(reason) = choice.finish_reason {
            // Several servers say `stop` when tools are to be used.
            self.finish = Some(match reason.as_str() {
                _ if !self.calls.is_empty() => Finish::Tools,
                "length" => Finish::Length,
                "content_filter" => Finish::Filtered,
                _ => Finish::Stop,
            });
        }
        Ok(())
    }

    fn call(&mut self, part: CallPart, pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        let name = part.function.name.filter(|name| !name.is_empty());
        // Without an index a name begins a new one, and all else belongs to the last.
        let index = part.index.unwrap_or_else(|| {
            let last = self.calls.last().map_or(0, |call| call.index);
            if name.is_some() && !self.calls.is_empty() { last + 1 } else { last }
        });
        let at = self.calls.iter().position(|call| call.index == index);
        if at.is_none() && self.calls.len() >= MAX_CALLS {
            return Ok(());
        }
        let at = at.unwrap_or_else(|| {
            let request = ToolRequest { id: String::new(), name: String::new(), arguments: String::new() };
            self.calls.push(Call { index, request });
            self.calls.len() - 1
        });
        let request = &mut self.calls[at].request;
        if let Some(id) = part.id.filter(|_| request.id.is_empty()) {
            request.id = id;
        }
        if let Some(name) = name.filter(|_| request.name.is_empty()) {
            pieces.push(Piece::ToolBegun { name: name.clone() });
            request.name = name;
        }
        let arguments = part.function.arguments.unwrap_or_default();
        self.argument_bytes += arguments.len();
        request.push_arguments(&arguments)
    }

    fn done(&mut self, pieces: &mut Vec<Piece>) {
        if std::mem::replace(&mut self.is_done, true) {
            return;
        }
        for (number, mut call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            if call.request.id.is_empty() {
                call.request.id = format!("call_{number}");
            }
            pieces.push(Piece::Tool(call.request));
        }
        pieces.push(Piece::Finished(self.finish.unwrap_or(Finish::Stop)));
    }
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<RawUsage>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallPart>>,
}

#[derive(Deserialize)]
struct CallPart {
    index: Option<u64>,
    id: Option<String>,
    #[serde(default)]
    function: FunctionPart,
}

#[derive(Default, Deserialize)]
struct FunctionPart {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

/// An error in the middle of an answer: an object, or with some servers a mere text.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawError {
    Object {
        message: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
        code: Option<Value>,
    },
    Text(String),
}

impl RawError {
    fn fault(self) -> Fault {
        let (message, kind, code) = match self {
            Self::Text(text) => return Fault::new(FaultKind::Unavailable, text),
            Self::Object { message, kind, code } => {
                (message.unwrap_or_default(), kind.unwrap_or_default(), code)
            }
        };
        let status = code.as_ref().and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let code = code
            .map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned))
            .unwrap_or_default();
        let words = format!("{kind} {code}");
        let found = if words.contains("rate_limit") || words.contains("quota") {
            FaultKind::RateLimited
        } else if words.contains("invalid_request") {
            FaultKind::Refused
        } else {
            status.map_or(FaultKind::Unavailable, |status| Fault::of_status(status, "").kind)
        };
        Fault::new(found, message)
    }
}

/// Tools that one answer may want; a conversation uses one or two.
const MAX_CALLS: usize = 8;

#[cfg(test)]
mod tests;
