//! What stands around a vendor: who writes down what it sees, several vendors behind one name, and the faults that are
//! played ([`crate::faults`]).

use std::time::Duration;

use serde_json::json;

use crate::faults::{Fault, Faults, Troubled};
use crate::seen::Seen;
use crate::vendor::{Action, Answer, Arrival, Connection, Frame, Refusal, Session, Vendor};

/// A vendor that is watched, and that fails as a script says.
pub struct Stage {
    vendor: Box<dyn Vendor>,
    seen: Seen,
    faults: Faults,
    connections: usize,
    arrivals: usize,
}

impl Stage {
    /// Watches a vendor.
    pub fn new(vendor: impl Vendor + 'static, seen: &Seen) -> Self {
        Self {
            vendor: Box::new(vendor),
            seen: seen.clone(),
            faults: Faults::default(),
            connections: 0,
            arrivals: 0,
        }
    }

    /// The same with these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

impl Vendor for Stage {
    fn connect(&mut self, now: Duration) -> Connection {
        self.connections += 1;
        let mut faults = self.faults.of(self.connections, now);
        let found = faults.find_map(Fault::of_connection);
        found.unwrap_or_else(|| self.vendor.connect(now))
    }

    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.arrivals += 1;
        let number = self.seen.arrival(now, arrival);
        let faults: Vec<_> = self.faults.of(self.arrivals, now).cloned().collect();
        if let Some(answer) = faults.iter().find_map(Fault::instead_of_answer) {
            return answer;
        }
        let around = |inner: Box<dyn Session>| -> Box<dyn Session> {
            let inner = faults.into_iter().fold(inner, |inner, fault| Box::new(Troubled::new(inner, fault)));
            Box::new(Watched { inner, seen: self.seen.clone(), number })
        };
        match self.vendor.open(now, arrival) {
            Answer::Upgrade(headers, session) => Answer::Upgrade(headers, around(session)),
            Answer::Respond(headers, session) => Answer::Respond(headers, around(session)),
            Answer::Refuse(refusal) => {
                let target = format!("{} {}", arrival.method, arrival.path);
                self.seen
                    .complain(format_args!("{target}: refused with {}: {}", refusal.status, refusal.body));
                Answer::Refuse(refusal)
            }
            Answer::Nothing => Answer::Nothing,
        }
    }
}

/// A session whose messages are written down.
struct Watched {
    inner: Box<dyn Session>,
    seen: Seen,
    number: usize,
}

impl Session for Watched {
    fn receive(&mut self, now: Duration, frame: Frame) {
        self.seen.frame(now, self.number, &frame);
        self.inner.receive(now, frame);
    }

    fn closed(&mut self, now: Duration) {
        self.inner.closed(now);
    }

    fn next(&self) -> Option<Duration> {
        self.inner.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        self.inner.poll(now)
    }
}

/// Several vendors' services at one name, told apart by how their paths begin. The first that fits is taken.
#[derive(Default)]
pub struct Paths(Vec<(String, Box<dyn Vendor>)>);

impl Paths {
    /// The same with a service below a path.
    #[must_use]
    pub fn with(mut self, beginning: &str, vendor: impl Vendor + 'static) -> Self {
        self.0.push((beginning.to_owned(), Box::new(vendor)));
        self
    }
}

impl Vendor for Paths {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        let found = self.0.iter_mut().find(|(beginning, _)| arrival.path.starts_with(beginning.as_str()));
        match found {
            Some((_, vendor)) => vendor.open(now, arrival),
            None => Answer::Refuse(Refusal::json(404, &json!({"error": {"message": "no such path"}}))),
        }
    }
}

/// A script of what an HTTP response brings, all of it prepared when it begins.
#[derive(Debug, Default)]
pub struct Body(pub crate::vendor::Outbox);

impl Session for Body {
    fn receive(&mut self, _now: Duration, _frame: Frame) {}

    fn next(&self) -> Option<Duration> {
        self.0.next()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        self.0.poll(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::Outbox;

    struct Echo;

    impl Vendor for Echo {
        fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
            let mut body = Outbox::default();
            body.at(now, Action::Send(Frame::Text(arrival.path.clone())));
            Answer::Respond(Vec::new(), Box::new(Body(body)))
        }
    }

    #[test]
    fn what_comes_is_written_down_and_paths_are_told_apart() {
        let seen = Seen::default();
        let mut stage = Stage::new(Paths::default().with("/v1", Echo), &seen);
        let Answer::Respond(_, mut session) = stage.open(Duration::ZERO, &Arrival::new("GET", "/v1/a"))
        else {
            panic!("refused");
        };
        session.receive(Duration::ZERO, Frame::Text("x".to_owned()));
        assert_eq!(session.poll(Duration::ZERO), Some(Action::Send(Frame::Text("/v1/a".to_owned()))));
        assert!(matches!(stage.open(Duration::ZERO, &Arrival::new("GET", "/v2")), Answer::Refuse(_)));
        let record = seen.record();
        assert_eq!((record.arrivals.len(), record.frames.len(), record.complaints.len()), (2, 1, 1));
    }
}
