//! A vendor with OpenAI's realtime interface that answers with the very bytes that it was sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::strict;
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Session, Vendor};

/// What it was sent until it was asked to answer; copies share it.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The vendor. It takes no turn by itself.
#[derive(Clone, Default)]
pub struct Echo(Heard);

impl Echo {
    /// One that tells here what it was sent.
    pub fn new(heard: &Heard) -> Self {
        Self(heard.clone())
    }
}

impl Vendor for Echo {
    fn open(&mut self, _now: Duration, _arrival: &Arrival) -> Answer {
        let (heard, buffer, outbox) = (self.0.clone(), Vec::new(), Outbox::default());
        Answer::Upgrade(Vec::new(), Box::new(Echoing { heard, buffer, outbox }))
    }
}

struct Echoing {
    heard: Heard,
    buffer: Vec<u8>,
    outbox: Outbox,
}

impl Session for Echoing {
    fn receive(&mut self, now: Duration, frame: Frame) {
        let Frame::Text(text) = frame else { return };
        let message = strict::json(&text).unwrap_or_default();
        let answers: Vec<Value> = match message["type"].as_str().unwrap_or_default() {
            "session.update" => vec![json!({"type": "session.updated"})],
            "input_audio_buffer.append" => {
                self.buffer
                    .extend(BASE64.decode(message["audio"].as_str().unwrap_or_default()).unwrap_or_default());
                Vec::new()
            }
            "input_audio_buffer.commit" => {
                *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner) =
                    std::mem::take(&mut self.buffer);
                vec![json!({"type": "input_audio_buffer.committed", "item_id": "u"})]
            }
            "response.create" => self.answer(),
            _ => Vec::new(),
        };
        for answer in answers {
            self.outbox.json_at(now, &answer);
        }
    }

    fn next(&self) -> Option<Duration> {
        self.outbox.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        self.outbox.poll(now)
    }
}

impl Echoing {
    /// In pieces of an odd length: no piece ends where a frame does.
    fn answer(&self) -> Vec<Value> {
        let mut said = vec![json!({"type": "response.created", "response": {"id": "r"}})];
        for piece in self.heard.bytes().chunks(777) {
            said.push(json!({
                "type": "response.output_audio.delta", "response_id": "r", "item_id": "a", "delta": BASE64.encode(piece),
            }));
        }
        said.push(json!({"type": "response.done", "response": {"id": "r", "status": "completed"}}));
        said
    }
}
