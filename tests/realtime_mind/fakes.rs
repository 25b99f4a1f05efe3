//! A model that hears and speaks as a test tells it, line by line over its link: no vendor, no network, no time of its own.

use caly_provider::audio::AudioFormat;
use caly_provider::link::{Endpoint, Message, Request, Url};
use caly_provider::llm::{ToolRequest, ToolResult, Turn};
use caly_provider::policy::Fault;
use caly_provider::realtime::{AnswerStatus, Formats, Habits, Setup, Speaker, Told, Vendor, Wire};
use std::time::Duration;

/// A vendor whose messages are plain words.
#[derive(Debug)]
pub(crate) struct Plain(pub(crate) Habits);

#[derive(Debug)]
struct PlainWire(Habits);

impl Vendor for Plain {
    fn formats(&self) -> &[Formats] {
        &[Formats { input: AudioFormat::MULAW_8K, output: AudioFormat::MULAW_8K }]
    }

    fn wire(&self, _formats: Formats, _setup: &Setup, _handle: Option<&str>) -> Box<dyn Wire> {
        Box::new(PlainWire(self.0))
    }
}

fn one(text: &str) -> Vec<Message> {
    vec![Message::Text(text.to_owned())]
}

impl Wire for PlainWire {
    fn request(&self) -> Request {
        Request::WebSocket(Endpoint { url: Url::new("wss://plain"), headers: Vec::new() })
    }

    fn greeting(&mut self) -> Vec<Message> {
        one("setup")
    }

    fn habits(&self) -> Habits {
        self.0
    }

    fn replay(&mut self, turns: &[Turn]) -> Vec<Message> {
        one(&format!("replay {}", turns.len()))
    }

    fn audio(&mut self, _bytes: &[u8]) -> Vec<Message> {
        Vec::new()
    }

    fn end_turn(&mut self) -> Vec<Message> {
        one("commit")
    }

    fn note(&mut self, by: Speaker, text: &str) -> Vec<Message> {
        one(&format!("{by:?} {text}"))
    }

    fn respond(&mut self, instructions: Option<&str>) -> Vec<Message> {
        one(format!("respond {}", instructions.unwrap_or_default()).trim_end())
    }

    fn cancel(&mut self) -> Vec<Message> {
        one("cancel")
    }

    fn truncate(&mut self, item: &str, heard: Duration) -> Vec<Message> {
        one(&format!("cut {item} {}", heard.as_millis()))
    }

    fn result(&mut self, result: &ToolResult) -> Vec<Message> {
        one(&format!("result {}", result.id))
    }

    /// `begin 1`, `sound 1 i1 500`, `text 1 i1 words`, `tool id name`: the numbers are the answer's.
    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let Message::Text(text) = message else { return Ok(()) };
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let word = |at: usize| words.get(at).cloned().unwrap_or_default();
        told.push(match words[0].as_str() {
            "ready" => Told::Ready { request_id: None },
            "starts" => Told::SpeechStarted,
            "stops" => Told::SpeechStopped,
            "begin" => Told::AnswerStarted { answer: word(1) },
            "sound" => {
                let bytes = vec![0; word(3).parse::<usize>().unwrap() * 8];
                Told::Audio { answer: word(1), item: word(2), bytes }
            }
            "text" => Told::AgentText { answer: word(1), item: word(2), text: words[3..].join(" ") },
            "tool" => Told::Tool(ToolRequest { id: word(1), name: word(2), arguments: String::new() }),
            "untool" => Told::ToolsCancelled(vec![word(1)]),
            "interrupted" => Told::Interrupted,
            "done" => Told::AnswerDone { status: AnswerStatus::Completed, usage: None },
            "cancelled" => Told::AnswerDone { status: AnswerStatus::Cancelled, usage: None },
            "broken" => {
                Told::AnswerDone { status: AnswerStatus::Failed(Fault::malformed("broken")), usage: None }
            }
            _ => return Err(Fault::malformed(text)),
        });
        Ok(())
    }
}
