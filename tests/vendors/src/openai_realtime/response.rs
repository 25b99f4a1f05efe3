//! One answer of the model: its words and audio as they come, its calls, and its end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Talking, Wrong, check_tools};
use crate::model::{Heard, Question, Streamed, Token};
use crate::strict;

/// An answer that is under way.
#[derive(Clone, Debug)]
pub(super) struct Running {
    id: String,
    end: Duration,
    /// When each piece of audio is sent, and how many milliseconds it adds to which item.
    audio: Vec<(Duration, String, u64)>,
    calls: Vec<String>,
}

impl Talking {
    pub(super) fn create_response(&mut self, now: Duration, options: &Value) -> Result<(), Wrong> {
        if !options.is_null() {
            let invalid = |error| ("invalid_value", error);
            strict::only(options, OPTIONS).map_err(invalid)?;
            check_tools(&options["tools"]).map_err(invalid)?;
        }
        if let Some(running) = &self.speaks {
            let said = format!("Conversation already has an active response in progress: {}.", running.id);
            return Err(("conversation_already_has_active_response", said));
        }
        if !self.open_calls.is_empty() {
            // The real one answers, without knowing what its tools said.
            self.desk
                .complain(&format!("response.create before the output of {}", self.open_calls.join(", ")));
        }
        let wish = options["instructions"].as_str().map(|text| Heard::User(self.wish(text)));
        let heard = wish.or_else(|| self.heard.clone()).unwrap_or(Heard::User(String::new()));
        let tools = self.settings["tools"].clone();
        let names = tools.as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str()).collect();
        let instructions = self.settings["instructions"].to_string();
        let reads = [instructions].into_iter().chain(self.history.iter().cloned()).collect();
        let question = Question { heard, tools: names, reads, max_tokens: 4_096 };
        let streamed = self.service.model.answer(now, &question);
        self.responses += 1;
        let id = format!("resp_{}", self.responses);
        let created = json!({"object": "realtime.response", "id": id, "status": "in_progress", "output": []});
        self.event_of(now, &id, json!({"type": "response.created", "response": created}));
        self.stream(now, &id, &streamed);
        Ok(())
    }

    /// What the instructions of one answer say behind those of the session, which they take the place of.
    fn wish(&self, instructions: &str) -> String {
        let own = self.settings["instructions"].as_str().unwrap_or_default();
        let wish = instructions.strip_prefix(own);
        if wish.is_none() {
            self.desk.complain(&format!("an answer without the session's own instructions: {instructions}"));
        }
        wish.unwrap_or(instructions).trim_start().to_owned()
    }

    /// Ends the answer that is under way. Returns whether there was one.
    pub(super) fn cancel(&mut self, now: Duration, reason: &str) -> bool {
        self.settle(now);
        let Some(running) = self.speaks.take() else { return false };
        self.desk.outbox.take_back(&running.id);
        let details = json!({"type": "cancelled", "reason": reason});
        let response = json!({
            "object": "realtime.response", "id": running.id, "status": "cancelled", "status_details": details,
            "output": [], "usage": null,
        });
        self.event(now, json!({"type": "response.done", "response": response}));
        true
    }

    /// Takes note of an answer that has come to its end, and of how much audio has been sent of one that has not.
    pub(super) fn settle(&mut self, now: Duration) {
        let Some(running) = self.speaks.clone() else { return };
        for (item, ms) in sent(&running, now) {
            match self.items.iter_mut().find(|(known, _)| *known == item) {
                Some((_, known_ms)) => *known_ms = (*known_ms).max(ms),
                None => self.items.push((item, ms)),
            }
        }
        if now >= running.end {
            self.open_calls.extend(running.calls);
            self.speaks = None;
        }
    }

    fn stream(&mut self, now: Duration, id: &str, streamed: &Streamed) {
        let mut running =
            Running { id: id.to_owned(), end: streamed.end, audio: Vec::new(), calls: Vec::new() };
        let mut output = Vec::new();
        let words = streamed.tokens.iter().filter_map(|(due, token)| match token {
            Token::Text(text) => Some((*due, text.as_str())),
            Token::Call { .. } | Token::Arguments(_) => None,
        });
        let words: Vec<_> = words.collect();
        if !words.is_empty() {
            output.push(self.speak(&mut running, &words));
        }
        for call in calls_of(streamed) {
            let number = output.len();
            output.push(self.call(&mut running, number, &call));
        }
        let status = if streamed.is_cut { "incomplete" } else { "completed" };
        let usage = streamed.usage;
        let response = json!({
            "object": "realtime.response", "id": id, "status": status, "output": output,
            "usage": {
                "total_tokens": usage.input + usage.output, "input_tokens": usage.input, "output_tokens": usage.output,
                "input_token_details": {"text_tokens": usage.input, "audio_tokens": 0, "cached_tokens": usage.cached},
                "output_token_details": {"text_tokens": usage.output, "audio_tokens": 0},
            },
        });
        let end = running.end.max(now);
        self.event_of(end, id, json!({"type": "response.done", "response": response}));
        self.speaks = Some(running);
    }

    /// Text as audio with its transcript, or as text alone.
    fn speak(&mut self, running: &mut Running, words: &[(Duration, &str)]) -> Value {
        self.item += 1;
        let item = format!("item_{}", self.item);
        let id = running.id.clone();
        let text: String = words.iter().map(|(_, word)| *word).collect();
        let begins = words.first().map_or(running.end, |(due, _)| *due);
        let is_audio = self.settings["output_modalities"] != json!(["text"]);
        let ids = json!({"response_id": id, "item_id": item, "output_index": 0, "content_index": 0});
        let with = |kind: &str, name: &str, value: &str| {
            let mut event = ids.clone();
            event["type"] = Value::from(kind);
            event[name] = Value::from(value);
            event
        };
        let shown = json!({"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []});
        let added = json!({"type": "response.output_item.added", "response_id": id, "output_index": 0, "item": shown});
        self.event_of(begins, &id, added);
        let kind = if is_audio { "output_audio_transcript" } else { "output_text" };
        for (due, word) in words {
            self.event_of(*due, &id, with(&format!("response.{kind}.delta"), "delta", word));
        }
        if is_audio {
            self.has_spoken = true;
            self.studio.clear();
            let format = self.studio.format();
            let mut bytes = 0;
            for piece in self.studio.make(begins, &text) {
                bytes += piece.bytes.len();
                let ms = bytes as u64 * 1_000 / format.bytes_per_second() as u64;
                running.audio.push((piece.due, item.clone(), ms));
                self.event_of(
                    piece.due,
                    &id,
                    with("response.output_audio.delta", "delta", &BASE64.encode(&piece.bytes)),
                );
            }
            running.end = running.end.max(self.studio.free_at());
            self.event_of(running.end, &id, with("response.output_audio.done", "delta", ""));
        }
        let name = if is_audio { "transcript" } else { "text" };
        self.event_of(running.end, &id, with(&format!("response.{kind}.done"), name, &text));
        let part = json!({"type": if is_audio { "output_audio" } else { "output_text" }, name: text});
        let done = json!({"id": item, "type": "message", "role": "assistant", "status": "completed", "content": [part]});
        self.history.push(text);
        self.event_of(
            running.end,
            &id,
            json!({"type": "response.output_item.done", "response_id": id, "output_index": 0, "item": done}),
        );
        done
    }

    fn call(&mut self, running: &mut Running, number: usize, call: &Call) -> Value {
        self.item += 1;
        let (id, item) = (running.id.clone(), format!("item_{}", self.item));
        running.calls.push(call.id.clone());
        let whole = |status: &str, arguments: &str| {
            json!({
                "id": item, "type": "function_call", "status": status, "call_id": call.id, "name": call.name,
                "arguments": arguments,
            })
        };
        let ids = json!({"response_id": id, "item_id": item, "output_index": number, "call_id": call.id});
        let added = json!({"response_id": id, "output_index": number, "item": whole("in_progress", ""), "type": "response.output_item.added"});
        self.event_of(call.due, &id, added);
        for (due, piece) in &call.pieces {
            let mut delta = ids.clone();
            delta["type"] = Value::from("response.function_call_arguments.delta");
            delta["delta"] = Value::from(piece.as_str());
            self.event_of(*due, &id, delta);
        }
        let arguments: String = call.pieces.iter().map(|(_, piece)| piece.as_str()).collect();
        let mut done = ids;
        done["type"] = Value::from("response.function_call_arguments.done");
        done["arguments"] = Value::from(arguments.as_str());
        done["name"] = Value::from(call.name.as_str());
        self.event_of(running.end, &id, done);
        let done = whole("completed", &arguments);
        self.event_of(running.end, &id, json!({"type": "response.output_item.done", "response_id": id, "output_index": number, "item": done}));
        done
    }
}

struct Call {
    id: String,
    name: String,
    due: Duration,
    pieces: Vec<(Duration, String)>,
}

fn calls_of(streamed: &Streamed) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for (due, token) in &streamed.tokens {
        match token {
            Token::Text(_) => {}
            Token::Call { id, name } => {
                calls.push(Call {
                    id: format!("call_{id}"),
                    name: name.clone(),
                    due: *due,
                    pieces: Vec::new(),
                });
            }
            Token::Arguments(piece) => {
                if let Some(call) = calls.last_mut() {
                    call.pieces.push((*due, piece.clone()));
                }
            }
        }
    }
    calls
}

/// Milliseconds of audio that have been sent of each item.
fn sent(running: &Running, now: Duration) -> Vec<(String, u64)> {
    let mut items: Vec<(String, u64)> = Vec::new();
    for (_, item, ms) in running.audio.iter().filter(|(due, _, _)| *due <= now) {
        match items.iter_mut().find(|(known, _)| known == item) {
            Some((_, known_ms)) => *known_ms = *ms,
            None => items.push((item.clone(), *ms)),
        }
    }
    items
}

const OPTIONS: &[&str] = &[
    "instructions",
    "output_modalities",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "audio",
    "metadata",
    "input",
    "conversation",
];
