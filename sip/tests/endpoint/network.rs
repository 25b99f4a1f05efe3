//! Two endpoints joined by a network that loses, repeats, delays and reorders by a seed.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caly_sip::endpoint::{Body, Endpoint, EndpointConfig, Event, Reply, SessionId, Transmit};
use caly_sip::message::StatusCode;
use caly_sip::transport::Flow;

use crate::agent::{address, id_of, name_of, outgoing, uri};

/// How bad the network is.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    /// Of a thousand packets, how many are lost.
    pub(crate) loss: u64,
    /// Of a thousand, how many come twice.
    pub(crate) repeats: u64,
    pub(crate) shortest_ms: u64,
    pub(crate) longest_ms: u64,
}

/// One side and its application: rings, answers, acknowledges, accepts every re-INVITE.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: SocketAddr,
    /// What each session saw, by name.
    pub(crate) story: BTreeMap<SessionId, Vec<&'static str>>,
}

/// Two sides in one virtual time.
pub(crate) struct Network {
    pub(crate) sides: [Side; 2],
    pub(crate) now: Instant,
    weather: Weather,
    random: Random,
    in_flight: BTreeMap<(Instant, u64), (usize, Transmit)>,
    sent: u64,
}

impl Network {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let side = |n: u64, text: &str| Side {
            endpoint: Endpoint::new(
                EndpointConfig { trace: false, ..EndpointConfig::default() },
                seed * 2 + n,
            ),
            address: address(text),
            story: BTreeMap::new(),
        };
        Self {
            sides: [side(0, "198.51.100.7:5060"), side(1, "192.0.2.9:5060")],
            now: Instant::now(),
            weather,
            random: Random(seed),
            in_flight: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Side 0 calls side 1.
    pub(crate) fn call(&mut self) -> SessionId {
        let id = self.sides[0].endpoint.invite(self.now, outgoing("sip:bob@192.0.2.9")).unwrap();
        self.exchange();
        id
    }

    /// Lets time pass; with `None` until nothing is waited for any more.
    pub(crate) fn run(&mut self, span: Option<Duration>) {
        let end = span.map(|s| self.now + s);
        self.exchange();
        loop {
            let timers = self.sides.iter().filter_map(|s| s.endpoint.poll_timeout());
            let next = timers.chain(self.in_flight.keys().map(|(at, _)| *at)).min();
            let Some(next) = next.filter(|at| end.is_none_or(|end| *at <= end)) else { break };
            self.now = next.max(self.now);
            self.sides.iter_mut().for_each(|side| side.endpoint.handle_timeout(self.now));
            while let Some(entry) = self.in_flight.first_entry().filter(|e| e.key().0 <= self.now) {
                let (to, transmit) = entry.remove();
                self.deliver(to, &transmit);
            }
            self.exchange();
        }
        self.now = end.unwrap_or(self.now);
    }

    fn deliver(&mut self, to: usize, transmit: &Transmit) {
        let flow = Flow {
            transport: transmit.target.transport,
            local: self.sides[to].address,
            remote: self.sides[1 - to].address,
        };
        self.sides[to].endpoint.handle_datagram(self.now, flow, &transmit.bytes);
    }

    /// Moves what the sides said onto the wire and what happened to their applications.
    pub(crate) fn exchange(&mut self) {
        for from in 0..2 {
            while self.sides[from].react(self.now) {}
            while let Some(transmit) = self.sides[from].endpoint.poll_transmit() {
                let copies = 1 + usize::from(self.random.below(1_000) < self.weather.repeats);
                for _ in 0..copies {
                    self.put_on_wire(1 - from, transmit.clone());
                }
            }
        }
    }

    fn put_on_wire(&mut self, to: usize, transmit: Transmit) {
        if self.random.below(1_000) < self.weather.loss {
            return;
        }
        let spread = self.weather.longest_ms - self.weather.shortest_ms + 1;
        let delay = Duration::from_millis(self.weather.shortest_ms + self.random.below(spread));
        self.sent += 1;
        self.in_flight.insert((self.now + delay, self.sent), (to, transmit));
    }

    /// Asserts that both sides have nothing left and every session ended exactly once, with its last event.
    pub(crate) fn assert_over(&self) {
        for side in &self.sides {
            assert_eq!(side.endpoint.session_count(), 0);
            assert_eq!(side.endpoint.transaction_count(), 0);
            assert_eq!(side.endpoint.poll_timeout(), None);
            for story in side.story.values() {
                assert_eq!(story.iter().filter(|name| **name == "Terminated").count(), 1, "{story:?}");
                assert_eq!(story.last(), Some(&"Terminated"), "{story:?}");
            }
        }
    }
}

impl Side {
    /// Takes one event; `false` if there is none.
    fn react(&mut self, now: Instant) -> bool {
        let Some(event) = self.endpoint.poll_event() else { return false };
        if let Some(id) = id_of(&event) {
            self.story.entry(id).or_default().push(name_of(&event));
        }
        let contact = uri(&format!("sip:{}", self.address));
        // A session may have ended between the event and its answer; then the command is refused, which is fine.
        let _refused = match event {
            Event::Invite { id, .. } => {
                let ringing = Reply::new(StatusCode::RINGING).with_contact(contact.clone());
                let rung = self.endpoint.provisional(now, id, ringing);
                rung.and(self.endpoint.accept(now, id, Body::sdp("v=0\r\n"), contact))
            }
            Event::Answered { id, .. } | Event::ReinviteAccepted { id, .. } => {
                self.endpoint.acknowledge(now, id, None)
            }
            Event::Reinvite { id, .. } => self.endpoint.accept_reinvite(now, id, Body::sdp("v=0\r\n")),
            _ => Ok(()),
        };
        true
    }

    /// How often a session of this side saw an event.
    pub(crate) fn count(&self, id: SessionId, name: &str) -> usize {
        self.story.get(&id).map_or(0, |story| story.iter().filter(|n| **n == name).count())
    }

    /// Sessions that saw an event.
    pub(crate) fn sessions_with(&self, name: &str) -> Vec<SessionId> {
        self.story.iter().filter(|(_, story)| story.contains(&name)).map(|(id, _)| *id).collect()
    }

    /// How often each event happened.
    pub(crate) fn totals(&self) -> HashMap<&'static str, usize> {
        let mut totals = HashMap::new();
        for name in self.story.values().flatten() {
            *totals.entry(*name).or_default() += 1;
        }
        totals
    }
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
