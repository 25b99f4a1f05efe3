//! Who may call, and whom they reach: sources are matched against the trunks, numbers against the routes. First match
//! wins.

use std::net::IpAddr;

use super::destination::TestDestination;
use crate::config::{Route, Trunk};

/// The trunks and routes of a configuration, with this host's own addresses.
#[derive(Clone, Debug)]
pub struct Routing {
    trunks: Vec<Trunk>,
    routes: Vec<Route>,
    own: Vec<IpAddr>,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'a> {
    /// The address belongs to a configured trunk.
    Trunk(&'a Trunk),
    /// Loopback, or one of this host's own addresses.
    Local,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Name of the destination.
    pub destination: String,
    /// Whether the route asks for a recording.
    pub record: bool,
}

impl Routing {
    /// `own` are this host's addresses besides loopback.
    pub fn new(trunks: Vec<Trunk>, routes: Vec<Route>, own: Vec<IpAddr>) -> Self {
        Self { trunks, routes, own }
    }

    /// Who is behind an address; `None` if nobody who may call: such packets are dropped without an answer.
    pub fn source(&self, address: IpAddr) -> Option<Source<'_>> {
        let address = address.to_canonical();
        let trunk = self.trunks.iter().find(|trunk| trunk.signaling.iter().any(|net| net.contains(&address)));
        match trunk {
            Some(trunk) => Some(Source::Trunk(trunk)),
            None if self.is_local(address) => Some(Source::Local),
            None => None,
        }
    }

    /// Whether an address is loopback or this host's own.
    pub fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.own.contains(&address)
    }

    /// Where a call to `number` goes; `None` if no route leads there. Local sources reach the test destinations and
    /// the demo agent by name when no route says otherwise.
    pub fn route(&self, source: Source<'_>, address: IpAddr, number: &str) -> Option<Routed> {
        let address = address.to_canonical();
        let matches = |route: &&Route| {
            let trunk_fits = route.trunk.as_deref().is_none_or(|name| match source {
                Source::Trunk(trunk) => trunk.name == name,
                Source::Local => false,
            });
            trunk_fits
                && route.source.as_ref().is_none_or(|net| net.contains(&address))
                && route.number.matches(number)
        };
        if let Some(route) = self.routes.iter().find(matches) {
            return Some(Routed { destination: route.destination.clone(), record: route.record });
        }
        match source {
            Source::Local => {
                let test = TestDestination::named(number).map(TestDestination::name);
                let destination = test.or((number == DEMO.0).then_some(DEMO.1))?;
                Some(Routed { destination: destination.to_owned(), record: false })
            }
            Source::Trunk(_) => None,
        }
    }
}

/// The name by which local sources reach the demo agent, and its destination.
const DEMO: (&str, &str) = ("demo", "agent:demo");
