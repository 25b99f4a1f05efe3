//! The conversation as Anthropic wants it: it begins and ends with the user, the two take turns, every tool that was used is answered in the
//! very next message, and the answers stand before all else in it. What was said on a telephone is seldom like that.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::AnthropicConfig;
use crate::llm::{Prompt, ToolRequest, ToolResult, Turn};

/// The messages of a prompt.
pub(super) fn of_prompt(prompt: &Prompt, config: &AnthropicConfig) -> Vec<Value> {
    let mut conversation = Conversation::default();
    for turn in &prompt.turns {
        match turn {
            Turn::User(text) => conversation.user(text),
            Turn::Assistant { text, calls } => {
                if conversation.messages.is_empty() {
                    conversation.user(&config.opening);
                }
                conversation.assistant(text, calls);
            }
            Turn::Results(results) => results.iter().for_each(|result| conversation.result(result)),
        }
    }
    conversation.answer_all();
    if conversation.messages.last().is_none_or(|last| last.role == Role::Assistant) {
        let cue = if conversation.messages.is_empty() { &config.opening } else { &config.silence };
        conversation.user(cue);
    }
    // Behind instructions that change with every turn nothing would be found again.
    if config.caches && prompt.system.iter().all(|part| part.is_stable) {
        conversation.mark_last();
    }
    conversation.messages.into_iter().map(Message::into_json).collect()
}

#[derive(Debug, Default)]
struct Conversation {
    messages: Vec<Message>,
    /// Tools that were used last and have no answer: as they are called in the history, and as they are called here.
    unanswered: Vec<(String, String)>,
    /// Servers of one's own use the same name again; this vendor refuses that.
    names: BTreeSet<String>,
}

#[derive(Debug)]
struct Message {
    role: Role,
    /// How many of the blocks are answers of tools: they stand first.
    results: usize,
    blocks: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
}

impl Conversation {
    fn user(&mut self, text: &str) {
        // An empty block is refused.
        if !text.trim().is_empty() {
            self.message(Role::User).blocks.push(json!({ "type": "text", "text": text }));
        }
    }

    fn assistant(&mut self, text: &str, calls: &[ToolRequest]) {
        if text.trim().is_empty() && calls.is_empty() {
            return;
        }
        self.answer_all();
        if !text.trim().is_empty() {
            self.message(Role::Assistant).blocks.push(json!({ "type": "text", "text": text.trim_end() }));
        }
        for call in calls {
            let name = self.fresh_name(&call.id);
            let input = serde_json::from_str(&call.arguments).ok().filter(Value::is_object);
            let input = input.unwrap_or_else(|| json!({}));
            let block = json!({ "type": "tool_use", "id": name, "name": call.name, "input": input });
            self.message(Role::Assistant).blocks.push(block);
            self.unanswered.push((call.id.clone(), name));
        }
    }

    /// An answer to what nobody asked, for instance because the question was cut off the history, is refused and left out.
    fn result(&mut self, result: &ToolResult) {
        if let Some(at) = self.unanswered.iter().position(|(id, _)| *id == result.id) {
            let (_, name) = self.unanswered.remove(at);
            self.answer(&name, &result.content, result.is_error);
        }
    }

    /// What was interrupted needs an answer too.
    fn answer_all(&mut self) {
        for (_, name) in std::mem::take(&mut self.unanswered) {
            self.answer(&name, "There is no result: it was interrupted.", true);
        }
    }

    fn answer(&mut self, name: &str, content: &str, is_error: bool) {
        let block =
            json!({ "type": "tool_result", "tool_use_id": name, "content": content, "is_error": is_error });
        let message = self.message(Role::User);
        message.blocks.insert(message.results, block);
        message.results += 1;
    }

    /// The message of this role that goes on, or a new one.
    fn message(&mut self, role: Role) -> &mut Message {
        let at = match self.messages.last() {
            Some(last) if last.role == role => self.messages.len() - 1,
            Some(_) | None => {
                self.messages.push(Message { role, results: 0, blocks: Vec::new() });
                self.messages.len() - 1
            }
        };
        &mut self.messages[at]
    }

    /// A name of letters, digits, `_` and `-` that no other tool's use has.
    fn fresh_name(&mut self, id: &str) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
        let base: String = if id.is_empty() { "call".to_owned() } else { id.chars().map(plain).collect() };
        let mut name = base.clone();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{base}_{number}");
            number += 1;
        }
        name
    }

    fn mark_last(&mut self) {
        let last = self.messages.iter_mut().rfind(|message| message.role == Role::User);
        if let Some(block) = last.and_then(|message| message.blocks.last_mut()) {
            block["cache_control"] = json!({ "type": "ephemeral" });
        }
    }
}

impl Message {
    fn into_json(self) -> Value {
        let role = match self.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json!({ "role": role, "content": self.blocks })
    }
}
