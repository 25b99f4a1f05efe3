//! What stands around a vendor: who writes down what it sees, several vendors behind one name, and the faults that are
//! played ([`crate::faults`]).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::faults::{Fault, Faults, Troubled};
use crate::seen::Seen;
use crate::vendor::{Action, Answer, Arrival, Connection, Frame, OVERFULL, Refusal, Session, Vendor};

/// A vendor that is watched, and that fails as a script says.
pub struct Stage {
    vendor: Box<dyn Vendor>,
    seen: Seen,
    faults: Faults,
    pause: Pause,
    connections: usize,
    arrivals: usize,
}

/// A time in which a vendor stands still: its connections stay open and nothing comes on them, whether they were open before or begin
/// in it. Who came before is told afterwards what he would have been told; who came in it is not answered. Copies are one.
#[derive(Clone, Debug, Default)]
pub struct Pause(Arc<Mutex<Option<(Duration, Duration)>>>);

impl Pause {
    /// Stands still from one time until another, both since the vendor opened. The last one set holds.
    pub fn set(&self, from: Duration, until: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((from, until));
    }

    /// Until when it stands still, if it does at this time.
    fn until(&self, now: Duration) -> Option<Duration> {
        let window = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.filter(|(from, until)| (*from..*until).contains(&now)).map(|(_, until)| until)
    }
}

impl Stage {
    /// Watches a vendor.
    pub fn new(vendor: impl Vendor + 'static, seen: &Seen) -> Self {
        Self {
            vendor: Box::new(vendor),
            seen: seen.clone(),
            faults: Faults::default(),
            pause: Pause::default(),
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

    /// The same, standing still when this says so.
    #[must_use]
    pub fn with_pause(mut self, pause: &Pause) -> Self {
        self.pause = pause.clone();
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
        if self.pause.until(now).is_some() {
            return Answer::Nothing;
        }
        let faults: Vec<_> = self.faults.of(self.arrivals, now).cloned().collect();
        if let Some(answer) = faults.iter().find_map(Fault::instead_of_answer) {
            return answer;
        }
        let around = |inner: Box<dyn Session>| -> Box<dyn Session> {
            let inner = faults.into_iter().fold(inner, |inner, fault| Box::new(Troubled::new(inner, fault)));
            Box::new(Watched { inner, seen: self.seen.clone(), number, pause: self.pause.clone() })
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
    pause: Pause,
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
        self.inner.next().map(|due| self.pause.until(due).unwrap_or(due))
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        // What was due before the pause is done, however late it is asked for: it was under way.
        let is_held = self.pause.until(now).is_some() && self.next().is_none_or(|due| now < due);
        let action = if is_held { None } else { self.inner.poll(now) };
        if let Some(Action::Close { reason, .. }) = &action
            && reason == OVERFULL
        {
            self.seen.complain(OVERFULL);
        }
        action
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
    use crate::vendor::{MOST_WAITING, Outbox};

    struct Echo;

    /// Says more than anybody waits for.
    struct Endless;

    impl Vendor for Endless {
        fn open(&mut self, now: Duration, _arrival: &Arrival) -> Answer {
            let mut body = Outbox::default();
            (0..=MOST_WAITING).for_each(|_| body.at(now, Action::End));
            Answer::Respond(Vec::new(), Box::new(Body(body)))
        }
    }

    #[test]
    fn who_has_too_much_to_say_is_complained_of() {
        let seen = Seen::default();
        let Answer::Respond(_, mut session) =
            Stage::new(Endless, &seen).open(Duration::ZERO, &Arrival::new("GET", "/"))
        else {
            panic!("refused");
        };
        assert!(matches!(session.poll(Duration::ZERO), Some(Action::Close { code: 1011, .. })));
        assert_eq!(seen.complaints(), [OVERFULL]);
    }

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

    #[test]
    fn who_stands_still_says_it_later_and_answers_nobody_who_comes() {
        let (seen, pause) = (Seen::default(), Pause::default());
        let s = Duration::from_secs;
        let mut stage = Stage::new(Echo, &seen).with_pause(&pause);
        let mut open = |at| stage.open(at, &Arrival::new("GET", "/a"));
        let Answer::Respond(_, mut before) = open(s(4)) else { panic!("refused") };
        let Answer::Respond(_, mut within) = open(s(5)) else { panic!("refused") };
        pause.set(s(5), s(8));
        assert!(matches!(open(s(6)), Answer::Nothing));
        // The first was due before: that it is asked late does not hold it.
        assert!(before.next() == Some(s(4)) && before.poll(s(6)).is_some());
        assert_eq!((within.next(), within.poll(s(7))), (Some(s(8)), None));
        assert!(within.poll(s(8)).is_some() && matches!(open(s(8)), Answer::Respond(..)));
    }
}
