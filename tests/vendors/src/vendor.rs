//! What a simulated vendor is, without any IO: it is told of arrivals and of what a client sends, with the time at which
//! these happened, and asked what it sends. The drivers ([`crate::in_process`], [`crate::sockets`]) carry it out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// A vendor's service: whoever comes is answered here.
pub trait Vendor: Send {
    /// Whether a connection comes about at all. Faults say no ([`crate::faults`]).
    fn connect(&mut self, _now: Duration) -> Connection {
        Connection::Made
    }

    /// A request has arrived.
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer;
}

/// What becomes of an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It stands.
    Made,
    /// Nobody listens.
    Refused,
    /// The name has no address.
    Unresolved,
    /// Who answers speaks no TLS, or has the wrong certificate.
    TlsFails,
}

/// A request as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, percent-decoded, without the query.
    pub path: String,
    /// Names and values of the query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Headers: lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
    /// Whether it asks for a WebSocket.
    pub is_websocket: bool,
}

/// How a vendor answers a request.
pub enum Answer {
    /// With a status and a body that say why not.
    Refuse(Refusal),
    /// With 101, and with these headers: a WebSocket from here on.
    Upgrade(Headers, Box<dyn Session>),
    /// With 200, these headers, and a body that comes part by part.
    Respond(Headers, Box<dyn Session>),
    /// Not at all: the connection stands, and nothing comes.
    Nothing,
}

/// Header names in lower case, with their values.
pub type Headers = Vec<(String, String)>;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: String,
}

/// One WebSocket, or the body of one response.
pub trait Session: Send {
    /// The client has sent this.
    fn receive(&mut self, now: Duration, frame: Frame);

    /// The client has gone.
    fn closed(&mut self, _now: Duration) {}

    /// When it next wants to be polled; `None` if it waits for the client alone.
    fn next(&self) -> Option<Duration>;

    /// What is to be done; polled until there is nothing more at this time.
    fn poll(&mut self, now: Duration) -> Option<Action>;
}

/// A message of a WebSocket, or a part of a body, which is always binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// What a session does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends this.
    Send(Frame),
    /// Closes the WebSocket.
    Close {
        /// The code (RFC 6455 section 7.4).
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The body is whole.
    End,
    /// Resets the connection.
    Reset,
    /// Sends what is no frame of the protocol, and resets the connection.
    Garbage,
}

impl Arrival {
    /// A request by its URL, percent-encoded.
    pub fn new(method: &str, url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let target = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name, Plus::IsSpace), decoded(value, Plus::IsSpace))
        };
        Self {
            method: method.to_owned(),
            path: decoded(path, Plus::IsPlus),
            query: pairs.map(pair).collect(),
            ..Self::default()
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_lowercase(), value.to_owned()));
        self
    }

    /// The same as the beginning of a WebSocket.
    #[must_use]
    pub fn upgrading(mut self) -> Self {
        self.is_websocket = true;
        self
    }

    /// The same with a body of JSON.
    #[must_use]
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with_header("content-type", "application/json")
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }
}

impl Refusal {
    /// A refusal with a body of JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string(),
        }
    }
}

impl Frame {
    /// A text message of JSON.
    pub fn json(value: &Value) -> Self {
        Self::Text(value.to_string())
    }
}

/// What a session will do, in the order of time. Most sessions are this and what fills it. When more than [`MOST_WAITING`] actions wait it drops them
/// all, closes the connection and says [`OVERFULL`]; what comes afterwards is dropped.
#[derive(Debug, Default)]
pub struct Outbox {
    due: BTreeMap<(Duration, u64), (Option<String>, Action)>,
    number: u64,
    is_overfull: bool,
}

/// The longest text that any vendor takes has 5,000 characters: 5 minutes of sound in pieces of 20 ms, and its words.
pub const MOST_WAITING: usize = 32_768;

/// The reason of a simulation that closes a connection because more waits on it than [`MOST_WAITING`]; it is complained of.
pub const OVERFULL: &str = "the simulation has too much to say";

impl Outbox {
    /// Something to do at a time.
    pub fn at(&mut self, due: Duration, action: Action) {
        self.put(due, None, action);
    }

    /// Something to do at a time unless it is taken back by this name.
    pub fn at_for(&mut self, due: Duration, of: &str, action: Action) {
        self.put(due, Some(of.to_owned()), action);
    }

    /// A message of JSON at a time.
    pub fn json_at(&mut self, due: Duration, value: &Value) {
        self.at(due, Action::Send(Frame::json(value)));
    }

    /// Takes back what was to be done under a name. Returns how much that was.
    pub fn take_back(&mut self, of: &str) -> usize {
        let before = self.due.len();
        self.due.retain(|_, (name, _)| name.as_deref() != Some(of));
        before - self.due.len()
    }

    /// Takes back everything.
    pub fn clear(&mut self) {
        self.due.clear();
    }

    /// When the last of what goes under a name is due.
    pub fn last_of(&self, of: &str) -> Option<Duration> {
        let mut times = self.due.iter().rev().filter(|(_, (name, _))| name.as_deref() == Some(of));
        times.next().map(|((due, _), _)| *due)
    }

    /// When the last of all is due.
    pub fn last(&self) -> Option<Duration> {
        self.due.last_key_value().map(|((due, _), _)| *due)
    }

    /// When the first is due.
    pub fn next(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// The first, if it is due.
    pub fn poll(&mut self, now: Duration) -> Option<Action> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove().1)
    }

    fn put(&mut self, due: Duration, of: Option<String>, action: Action) {
        if self.is_overfull {
            return;
        }
        self.number += 1;
        self.due.insert((due, self.number), (of, action));
        if self.due.len() > MOST_WAITING {
            self.is_overfull = true;
            self.due.clear();
            let close = Action::Close { code: 1011, reason: OVERFULL.to_owned() };
            self.due.insert((Duration::ZERO, self.number), (None, close));
        }
    }
}

/// How `+` is read: in a query it is a space by custom of HTML forms.
#[derive(Clone, Copy, PartialEq)]
enum Plus {
    IsSpace,
    IsPlus,
}

fn decoded(text: &str, plus: Plus) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%');
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' && plus == Plus::IsSpace { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let arrival = Arrival::new("GET", "wss://host:1/v1/a%20b?keyterm=x%3D+y&flag&key=");
        assert_eq!(arrival.path, "/v1/a b");
        assert_eq!(arrival.parameter("keyterm"), Some("x= y"));
        assert_eq!(arrival.parameter("flag"), Some(""));
        assert_eq!(Arrival::new("GET", "ws://host?a=1").parameter("a"), Some("1"));
    }

    #[test]
    fn an_outbox_that_is_full_closes_the_connection() {
        let (mut outbox, ms) = (Outbox::default(), Duration::from_millis);
        for _ in 0..MOST_WAITING {
            outbox.at(ms(10), Action::Garbage);
        }
        assert_eq!((outbox.next(), outbox.last()), (Some(ms(10)), Some(ms(10))));
        outbox.at(ms(10), Action::Garbage);
        outbox.at(ms(10), Action::Garbage);
        let close = Action::Close { code: 1011, reason: OVERFULL.to_owned() };
        assert_eq!((outbox.poll(ms(0)), outbox.poll(ms(10))), (Some(close), None));
    }

    #[test]
    fn the_outbox_keeps_time_and_order() {
        let mut outbox = Outbox::default();
        let ms = Duration::from_millis;
        outbox.at_for(ms(20), "a", Action::End);
        outbox.at(ms(10), Action::Reset);
        outbox.at(ms(10), Action::Garbage);
        assert_eq!(outbox.poll(ms(9)), None);
        assert_eq!((outbox.poll(ms(10)), outbox.poll(ms(10))), (Some(Action::Reset), Some(Action::Garbage)));
        assert_eq!((outbox.next(), outbox.take_back("a")), (Some(ms(20)), 1));
        assert_eq!(outbox.poll(ms(30)), None);
    }
}
