//! What the signaling thread knows and decides, without its sockets: the endpoint, the calls, who may call and where calls
//! lead. It owns no clock either: the moment comes in with every input, so that a capture runs through the same code.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use caly_sip::endpoint::{Endpoint, EndpointConfig, QueryId, Transmit};
use caly_sip::message::{Malformed, Message};
use caly_sip::transport::Flow;

use super::answers::Dialing;
use super::calls::Calls;
use super::strangers::{self, Strangers};
use super::{NameQuery, SignalingConfig, SignalingStats, SwitchboardLinks};
use crate::call::admission::InviteRate;
use crate::call::exchange::CallKey;
use crate::call::log::UnixMicros;

/// Signaling without IO. After every input: [`handle_event`](Self::handle_event) and
/// [`handle_answer`](Self::handle_answer) until they are idle, and [`poll_transmit`](Self::poll_transmit) until it has nothing.
#[derive(Debug)]
pub struct Switchboard {
    pub(super) config: SignalingConfig,
    pub(super) endpoint: Endpoint,
    pub(super) calls: Calls,
    pub(super) links: SwitchboardLinks,
    pub(super) rate: InviteRate,
    strangers: Strangers,
    pub(super) stats: Arc<SignalingStats>,
    /// The SIP address with its real port.
    pub(super) local: SocketAddr,
    pub(super) is_draining: bool,
    /// Calls that we place and whose INVITE waits for the shard's offer.
    pub(super) dialing: Vec<(CallKey, Dialing)>,
    /// Stopping; the last transactions have until then.
    pub(super) stopping: Option<Instant>,
}

/// One moment in both kinds of time: what drives everything, and what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic.
    pub now: Instant,
    /// Wall clock; it stands in rows and times nothing.
    pub wall: UnixMicros,
}

/// What [`Switchboard::handle_event`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: no event waits.
    Idle,
    /// One event is dealt with.
    Done,
    /// A name has to be resolved: the answer comes by [`Switchboard::handle_resolved`].
    Ask(NameQuery),
}

impl Switchboard {
    /// Signaling on the SIP address `local`, whose port is the real one.
    pub fn new(
        mut config: SignalingConfig,
        local: SocketAddr,
        links: SwitchboardLinks,
        stats: Arc<SignalingStats>,
    ) -> Self {
        let endpoint_config =
            EndpointConfig { user_agent: config.user_agent.clone(), ..EndpointConfig::default() };
        Self {
            endpoint: Endpoint::new(endpoint_config, config.seeds.next_u64()),
            calls: Calls::new(links.shards.len()),
            rate: InviteRate::new(config.invites_per_second),
            strangers: Strangers::default(),
            config,
            links,
            stats,
            local,
            is_draining: false,
            dialing: Vec::new(),
            stopping: None,
        }
    }

    /// Whether a datagram's source may speak to us; a stranger is counted, and named if it wants to call.
    pub fn admits_datagram(&mut self, now: Instant, source: IpAddr, datagram: &[u8]) -> bool {
        let is_known = self.config.routing.source(source).is_some();
        if !is_known {
            self.stats.foreign.fetch_add(1, Ordering::Relaxed);
            if strangers::is_invite(datagram) {
                self.strangers.report(now, source);
            }
        }
        is_known
    }

    /// Whether a connection's peer may speak to us; a stranger is counted and named.
    pub fn admits_connection(&mut self, now: Instant, peer: IpAddr) -> bool {
        let is_known = self.config.routing.source(peer).is_some();
        if !is_known {
            self.stats.foreign.fetch_add(1, Ordering::Relaxed);
            self.strangers.report(now, peer);
        }
        is_known
    }

    /// A datagram of a source that [is admitted](Self::admits_datagram).
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, datagram: &[u8]) {
        self.endpoint.handle_datagram(now, flow, datagram);
    }

    /// A message of a connection whose peer [is admitted](Self::admits_connection), or what was left of one.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, framed: Result<Message, Malformed>) {
        self.endpoint.handle_message(now, flow, framed);
    }

    /// The tag of ours that the next new INVITE's dialog takes instead of a random one: that of a captured call.
    pub fn set_next_tag(&mut self, tag: Option<String>) {
        self.endpoint.set_next_tag(tag);
    }

    /// What was sent over a flow does not get there, or the flow is gone.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.endpoint.handle_transport_error(now, flow);
    }

    /// Addresses for a name, best first; none if it could not be resolved.
    pub fn handle_resolved(&mut self, now: Instant, query: QueryId, addresses: &[IpAddr]) {
        self.endpoint.handle_resolved(now, query, addresses);
    }

    /// Timers that are due, of transactions and of shards that owe an answer.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.check_shards(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next, or the end of a stop is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [self.endpoint.poll_timeout(), self.calls.next_deadline(), self.stopping];
        deadlines.into_iter().flatten().min()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit()
    }

    /// Calls that are up or being set up.
    pub fn active_calls(&self) -> usize {
        self.calls.active() + self.dialing.len()
    }

    /// Brings the figures up to date.
    pub fn publish(&self) {
        self.stats.calls.store(self.active_calls(), Ordering::Relaxed);
        self.stats.publish(self.endpoint.counters());
        self.stats.is_draining.store(self.is_draining, Ordering::Release);
    }

    /// Stopping, and the last transactions are through or their time is over.
    pub fn is_done(&self, now: Instant) -> bool {
        self.stopping.is_some_and(|until| now >= until || self.calls.is_empty())
    }

    /// Ends what is left when it is done: the messages for it have to be sent, and then the shards stopped.
    pub fn handle_end(&mut self, now: Instant) {
        self.endpoint.bye_unacknowledged(now);
    }
}
