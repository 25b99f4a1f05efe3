//! A seeded course of commands, messages, errors and time: no panic, and nothing is left at the end.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use caly_sip::endpoint::{Body, EndpointConfig, Limits, Reply, Transmit};
use caly_sip::message::{Message, StatusCode};
use caly_sip::transport::{Flow, Transport};

use crate::agent::{Agent, address, contact, in_dialog, invite, name_of, outgoing, reply, text_of};
use crate::network::Random;

/// The endpoint, and what the fuzzer remembers to build likely inputs from.
struct Fuzzer {
    agent: Agent,
    random: Random,
    happened: BTreeMap<&'static str, u64>,
    /// What the endpoint sent last.
    seen: Vec<Transmit>,
    /// What it was given last.
    given: Vec<String>,
    calls: u64,
}

impl Fuzzer {
    fn new(seed: u64) -> Self {
        let transactions = if seed.is_multiple_of(4) { 100 } else { 2_000 };
        let limits = Limits { sessions: 30, transactions, body_bytes: 1_000, queued_outputs: 100 };
        Self {
            agent: Agent::with_config(EndpointConfig { limits, ..EndpointConfig::default() }),
            random: Random(seed),
            happened: BTreeMap::new(),
            seen: Vec::new(),
            given: Vec::new(),
            calls: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..14 => self.command(),
            14..16 => self.new_invite(),
            16..30 => self.answer(),
            30 => self.repeat(),
            31 => self.echo(),
            32 => self.transport_error(),
            33 => self.resolve(),
            _ => {
                let longest = [5, 600, 600, 600, 5_000, 60_000][self.random.below(6) as usize];
                let span = Duration::from_millis(self.random.below(longest));
                self.agent.advance(span);
            }
        }
        self.collect();
    }

    /// Remembers what came out, checking that it parses and that the tables obey their limits.
    fn collect(&mut self) {
        self.agent.drain();
        for transmit in self.agent.take_sent() {
            if Message::parse_datagram(&transmit.bytes).is_ok() {
                self.seen.push(transmit);
                continue;
            }
            // What is broken in a request is echoed broken.
            let text = text_of(&transmit);
            assert!(text.starts_with("SIP/2.0 400 ") || text.starts_with("SIP/2.0 505 "), "{text}");
        }
        for event in self.agent.events.drain(..) {
            *self.happened.entry(name_of(&event)).or_default() += 1;
        }
        self.agent.ladder.clear();
        self.seen.drain(..self.seen.len().saturating_sub(12));
        self.given.drain(..self.given.len().saturating_sub(12));
        assert!(self.agent.endpoint.session_count() <= 30);
        assert!(self.agent.endpoint.transaction_count() <= 2_000 + 3 * 30);
    }

    fn pick<T: Clone>(random: &mut Random, list: &[T]) -> Option<T> {
        if list.is_empty() { None } else { list.get(random.below(list.len() as u64) as usize).cloned() }
    }

    fn body(&mut self) -> Body {
        let size = [0, 5, 5, 1_400][self.random.below(4) as usize];
        Body::sdp("v".repeat(size))
    }

    /// Any command on any session, in any state.
    fn command(&mut self) {
        let body = self.body();
        let optional = Some(body.clone()).filter(|_| self.random.below(2) == 0);
        let kind = self.random.below(24);
        if kind < 1 {
            let target =
                ["sip:bob@192.0.2.9", "sip:bob@name.example", "sip:bob@192.0.2.9;transport=tcp", "tel:+1"];
            let mut call = outgoing(target[self.random.below(4) as usize]);
            call.body = optional;
            let _refused = self.agent.endpoint.invite(self.agent.now, call);
            return;
        }
        let alive = self.agent.alive();
        let Some(id) = Self::pick(&mut self.random, &alive).or(self.agent.known.first().copied()) else {
            return;
        };
        let status = StatusCode::new(100 + self.random.below(600) as u16).unwrap();
        let (endpoint, now) = (&mut self.agent.endpoint, self.agent.now);
        let _refused = match kind {
            1 | 2 => endpoint.provisional(now, id, Reply::new(status).with_contact(contact())),
            3..8 => endpoint.accept(now, id, body, contact()),
            8 => endpoint.reject(now, id, Reply::new(status)),
            9..14 => endpoint.acknowledge(now, id, optional),
            14 => endpoint.cancel(now, id),
            15 => endpoint.bye(now, id, Some("Q.850;cause=16\r\nX: y".to_owned())),
            16..19 => endpoint.reinvite(now, id, optional),
            _ if status.as_u16().is_multiple_of(2) => endpoint.accept_reinvite(now, id, body),
            _ => endpoint.reject_reinvite(now, id, Reply::new(status)),
        };
    }

    fn give(&mut self, text: String) {
        let text = if self.random.below(30) == 0 { self.damaged(text) } else { text };
        self.agent.flow.transport = if self.random.below(4) == 0 { Transport::Tcp } else { Transport::Udp };
        self.agent.receive(&text);
        self.given.push(text);
    }

    fn new_invite(&mut self) {
        self.calls += 1;
        let call = self.random.below(self.calls) + self.random.below(3);
        let text = invite(&format!("z9hG4bKf{}", self.calls)).replace("call-1@", &format!("call-f{call}@"));
        self.give(text);
    }

    /// A request inside a dialog, or a response, that fits something the endpoint sent.
    fn answer(&mut self) {
        let Some(transmit) = Self::pick(&mut self.random, &self.seen) else { return };
        match Message::parse_datagram(&transmit.bytes).unwrap() {
            Message::Request(request) => {
                let status = [100, 180, 200, 200, 200, 200, 200, 200, 302, 408, 481, 486, 487, 491, 491, 503];
                let status = status[self.random.below(16) as usize];
                let tag = ["bob", "bob", "bob", "bob", "carol", ""][self.random.below(6) as usize];
                self.give(reply(&request, status, tag));
            }
            Message::Response(response) => {
                let essentials = response.headers.essentials().unwrap();
                let method = [
                    "ACK", "ACK", "ACK", "ACK", "ACK", "BYE", "INVITE", "INVITE", "CANCEL", "OPTIONS", "INFO",
                ];
                let method = method[self.random.below(11) as usize];
                let is_same_number = matches!(method, "ACK" | "CANCEL") && self.random.below(8) > 0;
                let number = essentials.cseq.number + u32::from(!is_same_number);
                self.calls += 1;
                let is_same_branch = method == "CANCEL" || (method == "ACK" && !response.status.is_success());
                let branch = if is_same_branch {
                    essentials.via.branch().unwrap_or("z9hG4bKnone").to_owned()
                } else {
                    format!("z9hG4bKd{}", self.calls)
                };
                let text = in_dialog(method, number, essentials.to.tag().unwrap_or("none"), &branch);
                self.give(text.replace("call-1@192.0.2.9", &essentials.call_id));
            }
        }
    }

    /// Something that was received before.
    fn repeat(&mut self) {
        if let Some(text) = Self::pick(&mut self.random, &self.given) {
            self.give(text);
        }
    }

    /// The endpoint's own message comes back to it.
    fn echo(&mut self) {
        if let Some(transmit) = Self::pick(&mut self.random, &self.seen) {
            self.give(text_of(&transmit));
        }
    }

    fn transport_error(&mut self) {
        if self.random.below(4) > 0 {
            return;
        }
        let remote =
            Self::pick(&mut self.random, &self.seen).map_or(address("192.0.2.9:5060"), |t| t.target.remote);
        let transport = if self.random.below(2) == 0 { Transport::Tcp } else { Transport::Udp };
        let flow = Flow { transport, remote, ..self.agent.flow };
        self.agent.endpoint.handle_transport_error(self.agent.now, flow);
    }

    /// Answers the question asked last, if it is still open.
    fn resolve(&mut self) {
        if self.agent.endpoint.session_count() > 15 {
            return;
        }
        let call = outgoing("sip:bob@other.example");
        if self.agent.endpoint.invite(self.agent.now, call).is_err() {
            return;
        }
        self.agent.drain();
        let query = self.agent.last_query();
        let ips: Vec<_> = (0..self.random.below(4)).map(|n| IpAddr::from([203, 0, 113, n as u8])).collect();
        self.agent.endpoint.handle_resolved(self.agent.now, query, &ips);
    }

    fn damaged(&mut self, text: String) -> String {
        let mut bytes = text.into_bytes();
        for _ in 0..=self.random.below(3) {
            let at = self.random.below(bytes.len() as u64) as usize;
            match self.random.below(3) {
                0 => bytes[at] = self.random.below(128) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n ;,:<>\"@"[self.random.below(10) as usize]),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The application lets go of everything, and time passes.
    fn finish(&mut self) {
        for round in 0..3 {
            for id in self.agent.known.clone() {
                let (endpoint, now) = (&mut self.agent.endpoint, self.agent.now);
                let _refused = endpoint
                    .bye(now, id, None)
                    .or_else(|_| endpoint.reject(now, id, Reply::new(StatusCode::TEMPORARILY_UNAVAILABLE)));
            }
            self.agent.drain();
            if round < 2 {
                self.agent.advance(Duration::from_secs(200));
            }
        }
        self.agent.settle();
        self.agent.assert_empty();
    }
}

#[test]
fn a_hundred_thousand_operations_leave_nothing_behind() {
    let mut happened: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..20 {
        let mut fuzzer = Fuzzer::new(seed);
        (0..5_000).for_each(|_| fuzzer.step());
        let counters = *fuzzer.agent.endpoint.counters();
        for (name, times) in [
            ("malformed", counters.malformed),
            ("stray responses", counters.stray_responses),
            ("stray requests", counters.stray_requests),
            ("dropped by limit", counters.dropped_by_limit),
            ("failovers", counters.failovers),
            ("forked answers", counters.forked_answers),
            ("glare", counters.glare),
        ] {
            *fuzzer.happened.entry(name).or_default() += times;
        }
        fuzzer.happened.iter().for_each(|(name, times)| *happened.entry(name).or_default() += times);
        fuzzer.finish();
    }
    assert_eq!(happened.len(), 15 + 7, "every kind of event happened: {happened:?}");
    assert!(happened.values().all(|times| *times >= 5), "{happened:?}");
}
