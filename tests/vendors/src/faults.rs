//! Faults that any vendor can be given, by the number of the connection or from a time on.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::vendor::{Action, Answer, Connection, Frame, Refusal, Session};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Nobody listens.
    Refused,
    /// The name has no address.
    Unresolved,
    /// TLS fails.
    TlsFails,
    /// 401: the key is wrong.
    Unauthorized,
    /// 429, with Retry-After in seconds if it is given.
    TooMany {
        /// Seconds.
        retry_after_s: Option<u64>,
    },
    /// A status of the 500s.
    ServerError(u16),
    /// The connection stands and no answer comes.
    NoAnswer,
    /// It is opened, and then says nothing.
    Stall,
    /// It says nothing more after so many messages.
    StallAfter(usize),
    /// The connection is reset after so many messages.
    DropAfter(usize),
    /// What is no frame of the protocol after so many messages.
    GarbageAfter(usize),
    /// A message at most that often.
    Drip(Duration),
    /// All JSON is cut in its middle.
    Malformed,
    /// Audio is an MP3 file, whatever was asked for.
    WrongAudio,
    /// A message of so many bytes comes first.
    Oversized(usize),
    /// Audio is silence, made of this byte, and transcripts are empty.
    Silence(u8),
    /// Every third message is followed by the first one again: the event of an older context.
    OutOfOrder,
}

/// When a fault is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// For the n-th, from 1.
    Nth(usize),
    /// From the n-th on.
    From(usize),
    /// For those that begin at this time or later.
    Since(Duration),
    /// For those that begin before this time.
    Until(Duration),
}

/// A script of faults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<(When, Fault)>);

impl Faults {
    /// The same with one more.
    #[must_use]
    pub fn with(mut self, when: When, fault: Fault) -> Self {
        self.0.push((when, fault));
        self
    }

    pub(crate) fn of(&self, number: usize, now: Duration) -> impl Iterator<Item = &Fault> {
        let is_due = move |when: &When| match *when {
            When::Nth(n) => number == n,
            When::From(n) => number >= n,
            When::Since(time) => now >= time,
            When::Until(time) => now < time,
        };
        self.0.iter().filter(move |(when, _)| is_due(when)).map(|(_, fault)| fault)
    }
}

impl Fault {
    pub(crate) fn of_connection(&self) -> Option<Connection> {
        match self {
            Self::Refused => Some(Connection::Refused),
            Self::Unresolved => Some(Connection::Unresolved),
            Self::TlsFails => Some(Connection::TlsFails),
            Self::Unauthorized
            | Self::TooMany { .. }
            | Self::ServerError(_)
            | Self::NoAnswer
            | Self::Stall
            | Self::StallAfter(_)
            | Self::DropAfter(_)
            | Self::GarbageAfter(_)
            | Self::Drip(_)
            | Self::Malformed
            | Self::WrongAudio
            | Self::Oversized(_)
            | Self::Silence(_)
            | Self::OutOfOrder => None,
        }
    }

    pub(crate) fn instead_of_answer(&self) -> Option<Answer> {
        let refuse = |status: u16, message: &str| {
            let body = json!({"error": {"message": message, "type": "simulated", "code": status}});
            Refusal::json(status, &body)
        };
        match self {
            Self::Unauthorized => Some(Answer::Refuse(refuse(401, "Invalid credentials."))),
            Self::TooMany { retry_after_s } => {
                let mut refusal = refuse(429, "Too many requests.");
                let seconds = retry_after_s.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
                refusal.headers.extend(seconds);
                Some(Answer::Refuse(refusal))
            }
            Self::ServerError(status) => Some(Answer::Refuse(refuse(*status, "Something broke."))),
            Self::NoAnswer => Some(Answer::Nothing),
            Self::Refused
            | Self::Unresolved
            | Self::TlsFails
            | Self::Stall
            | Self::StallAfter(_)
            | Self::DropAfter(_)
            | Self::GarbageAfter(_)
            | Self::Drip(_)
            | Self::Malformed
            | Self::WrongAudio
            | Self::Oversized(_)
            | Self::Silence(_)
            | Self::OutOfOrder => None,
        }
    }
}

/// A session that a fault is played on.
pub(crate) struct Troubled {
    inner: Box<dyn Session>,
    fault: Fault,
    sent: usize,
    first: Option<Frame>,
    extra: VecDeque<Action>,
    free_at: Duration,
    is_over: bool,
}

impl Troubled {
    pub(crate) fn new(inner: Box<dyn Session>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            sent: 0,
            first: None,
            extra: VecDeque::new(),
            free_at: Duration::ZERO,
            is_over: false,
        }
    }

    fn send(&mut self, now: Duration, frame: Frame) -> Action {
        self.sent += 1;
        match &self.fault {
            Fault::DropAfter(limit) if self.sent > *limit => self.over(Action::Reset),
            Fault::GarbageAfter(limit) if self.sent > *limit => self.over(Action::Garbage),
            Fault::Malformed => Action::Send(halved(frame)),
            Fault::WrongAudio => Action::Send(with_audio(frame, |_| MP3.repeat(8))),
            Fault::Silence(byte) => {
                let byte = *byte;
                let silent = with_audio(frame, |audio| vec![byte; audio.len()]);
                Action::Send(without_words(silent))
            }
            Fault::Oversized(bytes) if self.sent == 1 => {
                self.extra.push_back(Action::Send(frame));
                Action::Send(Frame::Text("x".repeat(*bytes)))
            }
            Fault::Drip(interval) => {
                self.free_at = now + *interval;
                Action::Send(frame)
            }
            Fault::OutOfOrder => {
                let first = self.first.get_or_insert_with(|| frame.clone()).clone();
                if self.sent.is_multiple_of(3) {
                    self.extra.push_back(Action::Send(first));
                }
                Action::Send(frame)
            }
            // These are played before a session begins, or where it is polled, or are not due yet.
            Fault::Refused
            | Fault::Unresolved
            | Fault::TlsFails
            | Fault::Unauthorized
            | Fault::TooMany { .. }
            | Fault::ServerError(_)
            | Fault::NoAnswer
            | Fault::Stall
            | Fault::StallAfter(_)
            | Fault::DropAfter(_)
            | Fault::GarbageAfter(_)
            | Fault::Oversized(_) => Action::Send(frame),
        }
    }

    fn is_still(&self) -> bool {
        self.fault == Fault::Stall || matches!(self.fault, Fault::StallAfter(limit) if self.sent >= limit)
    }

    fn over(&mut self, action: Action) -> Action {
        self.is_over = true;
        action
    }
}

impl Session for Troubled {
    fn receive(&mut self, now: Duration, frame: Frame) {
        self.inner.receive(now, frame);
    }

    fn closed(&mut self, now: Duration) {
        self.inner.closed(now);
    }

    fn next(&self) -> Option<Duration> {
        if self.is_over || self.is_still() {
            return None;
        }
        if self.extra.is_empty() {
            self.inner.next().map(|next| next.max(self.free_at))
        } else {
            Some(Duration::ZERO)
        }
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if self.is_over || self.is_still() || now < self.free_at {
            return None;
        }
        if let Some(action) = self.extra.pop_front() {
            return Some(action);
        }
        match self.inner.poll(now)? {
            Action::Send(frame) => Some(self.send(now, frame)),
            other => Some(other),
        }
    }
}

fn halved(frame: Frame) -> Frame {
    match frame {
        Frame::Text(text) => Frame::Text(first_half(&text)),
        Frame::Binary(bytes) => match String::from_utf8(bytes) {
            // A stream of events keeps its frame; what stands in it is cut.
            Ok(text) if text.contains("data:") => {
                Frame::Binary(format!("{}\n\n", first_half(text.trim_end())).into_bytes())
            }
            Ok(text) => Frame::Binary(first_half(&text).into_bytes()),
            Err(error) => Frame::Binary(error.into_bytes()),
        },
    }
}

fn first_half(text: &str) -> String {
    text.chars().take(text.chars().count() * 2 / 3).collect()
}

/// Audio of a message replaced: a binary message, or base64 within JSON.
fn with_audio(frame: Frame, make: impl Fn(&[u8]) -> Vec<u8> + Copy) -> Frame {
    match frame {
        Frame::Binary(bytes) => Frame::Binary(make(&bytes)),
        Frame::Text(text) => match serde_json::from_str::<Value>(&text) {
            Ok(mut value) => {
                replace_audio(&mut value, make);
                Frame::json(&value)
            }
            Err(_) => Frame::Text(text),
        },
    }
}

fn replace_audio(value: &mut Value, make: impl Fn(&[u8]) -> Vec<u8> + Copy) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let may_be = matches!(name.as_str(), "audio" | "data" | "delta");
                let audio = field.as_str().filter(|_| may_be).and_then(|text| BASE64.decode(text).ok());
                match audio.filter(|audio| audio.len() > 32) {
                    Some(audio) => *field = Value::from(BASE64.encode(make(&audio))),
                    None => replace_audio(field, make),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_audio(item, make)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_words(frame: Frame) -> Frame {
    let Frame::Text(text) = frame else { return frame };
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return Frame::Text(text) };
    erase_words(&mut value);
    Frame::json(&value)
}

fn erase_words(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // What OpenAI tells piece by piece.
            let has_pieces =
                fields.get("type").and_then(Value::as_str).is_some_and(|kind| kind.contains("transcription"));
            for (name, field) in fields {
                match name.as_str() {
                    "transcript" | "text" if field.is_string() => *field = Value::from(""),
                    "delta" if has_pieces && field.is_string() => *field = Value::from(""),
                    "words" => *field = json!([]),
                    _ => erase_words(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(erase_words),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The head of an MPEG-1 layer III frame and a little of its body.
const MP3: &[u8] = &[0xff, 0xfb, 0x90, 0x64, 0, 0x0f, 0xf0, 0, 0, 0x69, 0, 0, 0, 8, 0, 0, 0x0d, 0x20, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Body;
    use crate::vendor::Outbox;

    fn played(fault: Fault) -> Vec<Action> {
        let mut outbox = Outbox::default();
        let text = json!({"transcript": "haan", "words": [1], "audio": BASE64.encode([7; 64])}).to_string();
        outbox.at(Duration::ZERO, Action::Send(Frame::Text("a".to_owned())));
        for _ in 0..3 {
            outbox.at(Duration::ZERO, Action::Send(Frame::Text(text.clone())));
        }
        outbox.at(Duration::ZERO, Action::End);
        let mut session = Troubled::new(Box::new(Body(outbox)), fault);
        std::iter::from_fn(|| session.next().and_then(|due| session.poll(due))).collect()
    }

    fn text_of(action: &Action) -> &str {
        match action {
            Action::Send(Frame::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_fault_does_what_it_says() {
        assert_eq!(played(Fault::Stall), []);
        assert_eq!(played(Fault::StallAfter(2)).len(), 2);
        assert_eq!(played(Fault::DropAfter(2))[2..], [Action::Reset]);
        assert_eq!(played(Fault::GarbageAfter(1))[1..], [Action::Garbage]);
        assert_eq!(text_of(&played(Fault::Oversized(9))[0]), "xxxxxxxxx");
        assert!(serde_json::from_str::<Value>(text_of(&played(Fault::Malformed)[1])).is_err());
        assert_eq!(text_of(&played(Fault::OutOfOrder)[3]), "a");
        let silent: Value = serde_json::from_str(text_of(&played(Fault::Silence(0xff))[1])).unwrap();
        assert_eq!(silent, json!({"transcript": "", "words": [], "audio": BASE64.encode([0xff; 64])}));
        let mut piece = json!({"type": "conversation.item.input_audio_transcription.delta", "delta": "haan"});
        erase_words(&mut piece);
        assert_eq!(piece["delta"], "");
        let wrong: Value = serde_json::from_str(text_of(&played(Fault::WrongAudio)[1])).unwrap();
        assert!(BASE64.decode(wrong["audio"].as_str().unwrap()).unwrap().starts_with(MP3));
        assert_eq!(played(Fault::Drip(Duration::from_secs(1))).len(), 5);
    }

    #[test]
    fn faults_come_when_they_are_due() {
        let faults = Faults::default()
            .with(When::Nth(2), Fault::Stall)
            .with(When::From(3), Fault::Malformed)
            .with(When::Since(Duration::from_secs(9)), Fault::Refused);
        let of = |number, s| faults.of(number, Duration::from_secs(s)).cloned().collect::<Vec<_>>();
        assert_eq!(of(1, 0), []);
        assert_eq!(of(2, 0), [Fault::Stall]);
        assert_eq!(of(4, 9), [Fault::Malformed, Fault::Refused]);
    }
}
