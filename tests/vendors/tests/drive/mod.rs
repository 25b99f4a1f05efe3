//! Plays a client by hand: arrivals with one thing wrong, and sessions in virtual time.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::time::Duration;

use caly_vendors::vendor::{Action, Answer, Arrival, Frame, Session, Vendor};
use serde_json::Value;

/// A session and what it has done.
pub(crate) struct Play {
    session: Box<dyn Session>,
    pub(crate) now: Duration,
    pub(crate) done: Vec<(Duration, Action)>,
}

/// The session that an arrival gets.
pub(crate) fn opened(vendor: &mut dyn Vendor, arrival: &Arrival) -> Play {
    match vendor.open(Duration::ZERO, arrival) {
        Answer::Upgrade(_, session) | Answer::Respond(_, session) => {
            Play { session, now: Duration::ZERO, done: Vec::new() }
        }
        Answer::Refuse(refusal) => panic!("refused with {}: {}", refusal.status, refusal.body),
        Answer::Nothing => panic!("no answer"),
    }
}

/// Status and body of a refusal.
pub(crate) fn refused(vendor: &mut dyn Vendor, arrival: &Arrival) -> (u16, Value) {
    match vendor.open(Duration::ZERO, arrival) {
        Answer::Refuse(refusal) => (refusal.status, serde_json::from_str(&refusal.body).unwrap()),
        Answer::Upgrade(..) | Answer::Respond(..) | Answer::Nothing => panic!("{arrival:?} was taken"),
    }
}

impl Play {
    /// Lets time pass.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.next().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let action = self.session.poll(self.now).unwrap();
            self.done.push((self.now, action));
        }
        self.now = end;
    }

    pub(crate) fn json(&mut self, value: &Value) {
        self.session.receive(self.now, Frame::json(value));
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.session.receive(self.now, Frame::Binary(bytes.to_vec()));
    }

    /// Sends audio as it is spoken, in pieces of 20 ms made into messages.
    pub(crate) fn audio(&mut self, bytes: &[u8], bytes_per_second: usize, message: impl Fn(&[u8]) -> Frame) {
        for piece in bytes.chunks(bytes_per_second / 50) {
            self.wait(Duration::from_millis(20));
            self.session.receive(self.now, message(piece));
        }
    }

    /// The text messages so far.
    pub(crate) fn texts(&self) -> Vec<Value> {
        let text = |(_, action): &(Duration, Action)| match action {
            Action::Send(Frame::Text(text)) => Some(serde_json::from_str(text).unwrap()),
            _ => None,
        };
        self.done.iter().filter_map(text).collect()
    }

    /// Those whose field has this value.
    pub(crate) fn texts_with(&self, name: &str, value: impl Into<Value>) -> Vec<Value> {
        let value = value.into();
        self.texts().into_iter().filter(|text| text[name] == value).collect()
    }

    /// All bytes that came.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let bytes = |(_, action): &(Duration, Action)| match action {
            Action::Send(Frame::Binary(bytes)) => bytes.clone(),
            _ => Vec::new(),
        };
        self.done.iter().flat_map(bytes).collect()
    }

    /// Code and reason with which it was closed.
    pub(crate) fn closed(&self) -> Option<(u16, &str)> {
        self.done.iter().find_map(|(_, action)| match action {
            Action::Close { code, reason } => Some((*code, reason.as_str())),
            _ => None,
        })
    }

    /// Data of the server-sent events so far.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = String::from_utf8(self.bytes()).unwrap();
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}
