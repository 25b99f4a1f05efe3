//! Any course of messages, commands, errors and time: no panic, what is sent is valid, the tables keep their limits, and
//! when the application has let go of everything, nothing is left.

#![no_main]

mod peer;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use caly_sip::endpoint::{
    Body, Endpoint, EndpointConfig, Event, Limits, OutgoingInvite, QueryId, Reply, SessionId,
};
use caly_sip::message::{Headers, Message, NameAddr, StatusCode, Uri};
use caly_sip::transport::{Flow, Transport};
use libfuzzer_sys::fuzz_target;

use peer::{Ask, answer, request};

#[derive(Arbitrary, Debug)]
enum Step {
    /// A request of the peer.
    Ask(Ask),
    /// The peer answers something that was sent.
    Answer {
        which: u8,
        status: u16,
        tag: u8,
        has_body: bool,
    },
    /// Something is received once more, as it was or with an octet changed.
    Repeat {
        which: u8,
        change: Option<(u16, u8)>,
    },
    /// What was sent comes back.
    Echo {
        which: u8,
    },
    Raw(Vec<u8>),
    Command {
        kind: Kind,
        which: u8,
        status: u16,
        has_body: bool,
    },
    Call {
        target: u8,
        has_body: bool,
    },
    Resolved {
        count: u8,
    },
    TransportError {
        is_udp: bool,
    },
    Wait {
        ms: u16,
    },
    WaitLong {
        s: u8,
    },
    Accepting(bool),
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Provisional,
    Accept,
    Reject,
    Acknowledge,
    Cancel,
    Bye,
    Reinvite,
    AcceptReinvite,
    RejectReinvite,
}

struct Course {
    endpoint: Endpoint,
    now: Instant,
    ids: BTreeSet<SessionId>,
    ended: BTreeSet<SessionId>,
    queries: Vec<QueryId>,
    /// What was sent and received last.
    sent: Vec<Message>,
    received: Vec<Vec<u8>>,
}

fuzz_target!(|steps: Vec<Step>| {
    let limits = Limits { sessions: 8, transactions: 30, body_bytes: 500, queued_outputs: 40 };
    let config = EndpointConfig { limits, ..EndpointConfig::default() };
    let mut course = Course {
        endpoint: Endpoint::new(config, 1),
        now: Instant::now(),
        ids: BTreeSet::new(),
        ended: BTreeSet::new(),
        queries: Vec::new(),
        sent: Vec::new(),
        received: Vec::new(),
    };
    for step in steps.into_iter().take(MAX_STEPS) {
        course.take(step);
        course.drain();
        assert!(course.endpoint.session_count() <= limits.sessions);
        assert!(course.endpoint.transaction_count() <= limits.transactions + 3 * limits.sessions);
    }
    course.finish();
});

impl Course {
    fn take(&mut self, step: Step) {
        match step {
            Step::Ask(ask) => self.receive(ask.is_tcp, request(&ask, &self.sent)),
            Step::Answer { which, status, tag, has_body } => {
                let asked =
                    pick(&self.sent, which).and_then(|sent| answer(sent, 100 + status % 600, tag, has_body));
                if let Some(bytes) = asked {
                    self.receive(false, bytes);
                }
            }
            Step::Repeat { which, change } => {
                let Some(mut bytes) = pick(&self.received, which).cloned() else { return };
                if let Some((at, octet)) = change
                    && let Some(old) = bytes.get_mut(usize::from(at))
                {
                    *old = octet;
                }
                self.receive(false, bytes);
            }
            Step::Echo { which } => {
                if let Some(bytes) = pick(&self.sent, which).map(Message::to_bytes) {
                    self.receive(false, bytes);
                }
            }
            Step::Raw(bytes) => self.receive(false, bytes),
            Step::Command { kind, which, status, has_body } => self.command(&kind, which, status, has_body),
            Step::Call { target, has_body } => self.call(target, has_body),
            Step::Resolved { count } => {
                let Some(query) = self.queries.pop() else { return };
                let addresses: Vec<_> =
                    (0..count % 4).map(|host| IpAddr::from([203, 0, 113, host])).collect();
                self.endpoint.handle_resolved(self.now, query, &addresses);
            }
            Step::TransportError { is_udp } => self.endpoint.handle_transport_error(self.now, flow(!is_udp)),
            Step::Wait { ms } => self.advance(Duration::from_millis(ms.into())),
            Step::WaitLong { s } => self.advance(Duration::from_secs(s.into())),
            Step::Accepting(is_accepting) => self.endpoint.set_accepting(is_accepting),
        }
    }

    fn receive(&mut self, is_tcp: bool, bytes: Vec<u8>) {
        if is_tcp {
            self.endpoint.handle_message(self.now, flow(true), Message::parse_datagram(&bytes));
        } else {
            self.endpoint.handle_datagram(self.now, flow(false), &bytes);
        }
        remember(&mut self.received, bytes);
    }

    fn command(&mut self, kind: &Kind, which: u8, status: u16, has_body: bool) {
        let ids: Vec<_> = self.ids.iter().copied().collect();
        let Some(&id) = pick(&ids, which) else { return };
        let (endpoint, now) = (&mut self.endpoint, self.now);
        let body = Body::sdp("v=0\r\n");
        let maybe = has_body.then(|| body.clone());
        let reply =
            Reply::new(StatusCode::new(100 + status % 600).expect("it is in range")).with_contact(contact());
        // A command that does not fit the state is refused with an error: that is the contract.
        let _refused = match kind {
            Kind::Provisional => endpoint.provisional(now, id, reply),
            Kind::Accept => endpoint.accept(now, id, body, contact()),
            Kind::Reject => endpoint.reject(now, id, reply),
            Kind::Acknowledge => endpoint.acknowledge(now, id, maybe),
            Kind::Cancel => endpoint.cancel(now, id),
            Kind::Bye => endpoint.bye(now, id, Some("Q.850;cause=16\r\nX: y".to_owned())),
            Kind::Reinvite => endpoint.reinvite(now, id, maybe),
            Kind::AcceptReinvite => endpoint.accept_reinvite(now, id, body),
            Kind::RejectReinvite => endpoint.reject_reinvite(now, id, reply),
        };
    }

    fn call(&mut self, target: u8, has_body: bool) {
        let targets =
            ["sip:bob@192.0.2.9", "sip:bob@name.example", "sip:bob@192.0.2.9;transport=tcp", "tel:+1"];
        let target: Uri = targets[usize::from(target) % targets.len()].parse().expect("it is valid");
        let invite = OutgoingInvite {
            from: NameAddr::new(contact()),
            to: NameAddr::new(target.clone()),
            target,
            contact: contact(),
            routes: Vec::new(),
            transport: None,
            local: None,
            headers: Headers::new(),
            body: has_body.then(|| Body::sdp("v=0\r\n")),
        };
        if let Ok(id) = self.endpoint.invite(self.now, invite) {
            self.ids.insert(id);
        }
    }

    fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            match Message::parse_datagram(&transmit.bytes) {
                Ok(message) => remember(&mut self.sent, message),
                // The answer to a broken request echoes what is broken in it.
                Err(malformed) => {
                    let is_refusal = [&b"SIP/2.0 4"[..], b"SIP/2.0 5"]
                        .iter()
                        .any(|start| transmit.bytes.starts_with(start));
                    assert!(is_refusal, "{malformed}");
                }
            }
        }
        while let Some(event) = self.endpoint.poll_event() {
            let id = session_of(&event);
            assert!(id.is_none_or(|id| !self.ended.contains(&id)), "after the end: {event:?}");
            self.ids.extend(id);
            match event {
                Event::Terminated { id } => {
                    self.ids.remove(&id);
                    self.ended.insert(id);
                }
                Event::Resolve { query, .. } => self.queries.push(query),
                _ => {}
            }
        }
    }

    /// The application lets go of everything, and time passes.
    fn finish(&mut self) {
        for _ in 0..3 {
            for id in self.ids.clone() {
                let refusal = Reply::new(StatusCode::TEMPORARILY_UNAVAILABLE);
                let (endpoint, now) = (&mut self.endpoint, self.now);
                let _refused = endpoint.bye(now, id, None).or_else(|_| endpoint.reject(now, id, refusal));
                self.drain();
            }
            self.advance(Duration::from_secs(200));
        }
        assert_eq!((self.endpoint.session_count(), self.endpoint.transaction_count()), (0, 0), "left behind");
        assert_eq!(self.endpoint.poll_timeout(), None, "a timer for nothing");
    }
}

fn pick<T>(from: &[T], which: u8) -> Option<&T> {
    from.get(usize::from(which) % from.len().max(1))
}

fn remember<T>(list: &mut Vec<T>, item: T) {
    if list.len() == MEMORY {
        list.remove(0);
    }
    list.push(item);
}

fn session_of(event: &Event) -> Option<SessionId> {
    match event {
        Event::Invite { id, .. }
        | Event::Acknowledged { id, .. }
        | Event::AckTimeout { id }
        | Event::Cancelled { id }
        | Event::Bye { id, .. }
        | Event::Reinvite { id, .. }
        | Event::ReinviteCancelled { id }
        | Event::ReinviteAccepted { id, .. }
        | Event::ReinviteRejected { id, .. }
        | Event::Provisional { id, .. }
        | Event::Answered { id, .. }
        | Event::Rejected { id, .. }
        | Event::Lost { id }
        | Event::Terminated { id } => Some(*id),
        Event::Sip(trace) => Some(trace.id),
        Event::Resolve { .. } => None,
    }
}

fn flow(is_tcp: bool) -> Flow {
    Flow {
        transport: if is_tcp { Transport::Tcp } else { Transport::Udp },
        local: ([198, 51, 100, 7], 5060).into(),
        remote: ([192, 0, 2, 9], 5060).into(),
    }
}

fn contact() -> Uri {
    "sip:caly@198.51.100.7:5060".parse().expect("it is valid")
}

/// More would only make single inputs slow.
const MAX_STEPS: usize = 200;

/// Messages of either direction that later steps may refer to.
const MEMORY: usize = 16;
