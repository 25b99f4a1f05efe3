//! The thread: one readiness loop over the SIP sockets, the orders and the shards' answers, with the endpoint's next
//! timer as its timeout.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use caly_sip::endpoint::{Endpoint, EndpointConfig, Transmit};
use caly_sip::message::Framed;
use caly_sip::transport::{Flow, Transport};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::answers::Dialing;
use super::calls::Calls;
use super::strangers::{self, Strangers};
use super::tcp::{Arrival, Connections};
use super::{Control, SignalingConfig, SignalingHandle, SignalingLinks, SignalingStats};
use crate::call::admission::InviteRate;
use crate::call::exchange::CallKey;
use crate::capture::Way;
use crate::engine::sockets::{DatagramSocket, Purpose};

/// The signaling thread, bound but not yet running.
#[derive(Debug)]
pub struct Signaling {
    config: SignalingConfig,
    stats: Arc<SignalingStats>,
    handle: SignalingHandle,
    orders: Receiver<Control>,
    poll: Poll,
    udp: DatagramSocket,
    tcp: Connections,
}

/// The running thread: sockets, endpoint, calls and the ways to everybody else.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) config: SignalingConfig,
    pub(super) endpoint: Endpoint,
    pub(super) calls: Calls,
    pub(super) links: SignalingLinks,
    pub(super) rate: InviteRate,
    strangers: Strangers,
    pub(super) stats: Arc<SignalingStats>,
    pub(super) is_draining: bool,
    /// Calls that we place and whose INVITE waits for the shard's offer.
    pub(super) dialing: Vec<(CallKey, Dialing)>,
    /// Stopping; the last transactions have until then.
    pub(super) stopping: Option<Instant>,
    orders: Receiver<Control>,
    poll: Poll,
    udp: DatagramSocket,
    tcp: Connections,
    buffer: Box<[u8; DATAGRAM_BYTES]>,
    swept_at: Instant,
}

impl Signaling {
    /// Binds UDP and TCP on the configured address. With port 0, both get the same free port.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(config: SignalingConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let (udp, tcp) = bind_both(config.listen, &poll)?;
        poll.registry().register(&mut SourceFd(&udp.as_raw_fd()), UDP, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (handle, orders) = SignalingHandle::new(waker);
        Ok(Self { config, stats: Arc::default(), handle, orders, poll, udp, tcp })
    }

    /// The SIP address with its real port.
    pub fn local(&self) -> SocketAddr {
        self.udp.local()
    }

    /// The way to the thread.
    pub fn handle(&self) -> SignalingHandle {
        self.handle.clone()
    }

    /// Its figures.
    pub fn stats(&self) -> Arc<SignalingStats> {
        Arc::clone(&self.stats)
    }

    /// Starts the thread; it runs until [`Control::Stop`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(self, links: SignalingLinks) -> io::Result<JoinHandle<()>> {
        let mut worker = Worker::new(self, links);
        thread::Builder::new().name("caly-signaling".to_owned()).spawn(move || worker.run())
    }
}

impl Worker {
    fn new(bound: Signaling, links: SignalingLinks) -> Self {
        let Signaling { mut config, stats, orders, poll, udp, tcp, handle: _ } = bound;
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
            is_draining: false,
            dialing: Vec::new(),
            stopping: None,
            orders,
            poll,
            udp,
            tcp,
            buffer: Box::new([0; DATAGRAM_BYTES]),
            swept_at: Instant::now(),
        }
    }

    /// The SIP address with its real port.
    pub(super) fn local(&self) -> SocketAddr {
        self.udp.local()
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        let mut has_more = false;
        let mut failures = 0;
        loop {
            let timeout = if has_more { Some(Duration::ZERO) } else { self.timeout() };
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => failures = 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if failures == POLL_FAILURES => {
                    tracing::error!(%error, "the readiness loop cannot go on: the signaling thread ends");
                    return;
                }
                Err(_) => failures += 1,
            }
            has_more = self.serve_sockets(&events);
            while let Ok(order) = self.orders.try_recv() {
                self.handle_order(order);
            }
            self.handle_answers();
            let now = Instant::now();
            self.endpoint.handle_timeout(now);
            self.check_shards(now);
            self.sweep(now);
            self.drain_endpoint();
            self.stats.calls.store(self.calls.active() + self.dialing.len(), Ordering::Relaxed);
            self.stats.publish(self.endpoint.counters());
            self.stats.is_draining.store(self.is_draining, Ordering::Release);
            if self.is_done(now) {
                self.endpoint.bye_unacknowledged(now);
                self.drain_endpoint();
                return self.stop_shards();
            }
        }
    }

    /// Reads what is ready; true if something is left to read.
    fn serve_sockets(&mut self, events: &Events) -> bool {
        let mut has_more = self.serve_udp();
        for event in events {
            match event.token() {
                UDP if event.is_error() => self.serve_unreachable(),
                UDP | WAKER => {}
                LISTENER => self.accept(),
                token => self.serve_connection(token, event.is_readable() || event.is_read_closed()),
            }
        }
        for token in self.tcp.take_unfinished() {
            self.serve_connection(token, true);
        }
        has_more |= self.tcp.has_unfinished();
        has_more
    }

    fn serve_udp(&mut self) -> bool {
        for _ in 0..DATAGRAMS_PER_TURN {
            let received = match self.udp.receive(&mut self.buffer[..]) {
                Ok(Some(received)) => received,
                Ok(None) => return false,
                Err(_) => {
                    self.serve_unreachable();
                    continue;
                }
            };
            let local = received.local.unwrap_or(self.udp.local().ip());
            let local = SocketAddr::new(local, self.udp.local().port());
            let flow = Flow { transport: Transport::Udp, local, remote: received.source };
            let datagram = &self.buffer[..received.len];
            if self.config.routing.source(flow.remote.ip()).is_none() {
                self.stats.foreign.fetch_add(1, Ordering::Relaxed);
                if strangers::is_invite(datagram) {
                    self.strangers.report(Instant::now(), flow.remote.ip());
                }
                continue;
            }
            self.links.capture.record(Way::udp(flow.remote, flow.local), None, datagram);
            self.endpoint.handle_datagram(Instant::now(), flow, datagram);
        }
        true
    }

    /// ICMP said that datagrams did not get where they went: requests that wait for an answer from there fail now.
    fn serve_unreachable(&mut self) {
        for _ in 0..UNREACHABLE_PER_TURN {
            let Some(remote) = self.udp.take_unreachable() else { return };
            let flow = Flow { transport: Transport::Udp, local: self.udp.local(), remote };
            self.endpoint.handle_transport_error(Instant::now(), flow);
        }
    }

    fn accept(&mut self) {
        let (routing, stats, strangers) = (&self.config.routing, &self.stats, &mut self.strangers);
        let now = Instant::now();
        self.tcp.accept(now, self.poll.registry(), |peer| {
            let is_known = routing.source(peer.ip()).is_some();
            if !is_known {
                stats.foreign.fetch_add(1, Ordering::Relaxed);
                strangers.report(now, peer.ip());
            }
            is_known
        });
    }

    fn serve_connection(&mut self, token: Token, is_readable: bool) {
        let now = Instant::now();
        if let Some(closed) = self.tcp.write(now, token, self.poll.registry()) {
            return self.endpoint.handle_transport_error(now, closed);
        }
        if !is_readable {
            return;
        }
        for arrival in self.tcp.read(now, token, self.poll.registry(), &mut self.links.capture) {
            match arrival {
                Arrival::Framed(flow, Framed::Message(message)) => {
                    self.endpoint.handle_message(now, flow, Ok(message))
                }
                Arrival::Framed(flow, Framed::Malformed(fault)) => {
                    self.endpoint.handle_message(now, flow, Err(fault))
                }
                Arrival::Framed(flow, Framed::Ping) => self.tcp.pong(flow),
                Arrival::Closed(flow) => self.endpoint.handle_transport_error(now, flow),
            }
        }
    }

    /// Events and messages to send, until the endpoint has neither.
    pub(super) fn drain_endpoint(&mut self) {
        loop {
            let mut is_idle = true;
            while let Some(event) = self.endpoint.poll_event() {
                is_idle = false;
                self.handle_event(event);
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                is_idle = false;
                self.send(&transmit);
            }
            if is_idle {
                return;
            }
        }
    }

    fn send(&mut self, transmit: &Transmit) {
        let now = Instant::now();
        let target = transmit.target;
        let local = target.local.unwrap_or(self.udp.local());
        let way = match target.transport {
            Transport::Udp => Way::udp(local, target.remote),
            Transport::Tcp | Transport::Tls => Way::tcp(local, target.remote),
        };
        self.links.capture.record(way, None, &transmit.bytes);
        match target.transport {
            Transport::Udp => {
                let sent = match target.local {
                    Some(local) if !local.ip().is_unspecified() => {
                        self.udp.send_from(&transmit.bytes, target.remote, local.ip())
                    }
                    Some(_) | None => self.udp.send(&transmit.bytes, target.remote),
                };
                let Err(error) = sent else { return };
                self.stats.send_failed.fetch_add(1, Ordering::Relaxed);
                // A full buffer is like a lost datagram: timers repeat it. Anything else will not get better.
                if error.kind() != io::ErrorKind::WouldBlock {
                    let local = target.local.unwrap_or(self.udp.local());
                    let flow = Flow { transport: Transport::Udp, local, remote: target.remote };
                    self.endpoint.handle_transport_error(now, flow);
                }
            }
            Transport::Tcp => {
                if let Err(flow) = self.tcp.send(now, transmit, self.poll.registry()) {
                    self.stats.send_failed.fetch_add(1, Ordering::Relaxed);
                    self.endpoint.handle_transport_error(now, flow);
                }
            }
            Transport::Tls => {
                let local = target.local.unwrap_or(self.udp.local());
                let flow = Flow { transport: Transport::Tls, local, remote: target.remote };
                self.endpoint.handle_transport_error(now, flow);
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept_at) < SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        if self.tcp.has_unaccepted() {
            self.accept();
        }
        for flow in self.tcp.sweep(now, self.poll.registry()) {
            self.endpoint.handle_transport_error(now, flow);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let sweep = (self.tcp.len() > 0).then(|| self.swept_at + SWEEP_INTERVAL);
        let deadlines = [self.endpoint.poll_timeout(), self.calls.next_deadline(), sweep, self.stopping];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Stopping, and the last transactions are through or their time is over.
    fn is_done(&self, now: Instant) -> bool {
        self.stopping.is_some_and(|until| now >= until || self.calls.is_empty())
    }
}

/// With port 0 the free UDP port may be taken for TCP: try others.
fn bind_both(listen: SocketAddr, poll: &Poll) -> io::Result<(DatagramSocket, Connections)> {
    let mut attempts = if listen.port() == 0 { BIND_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let udp = DatagramSocket::bind(listen, Purpose::Signaling)?;
        match Connections::listen(udp.local(), poll.registry(), LISTENER) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

const UDP: Token = Token(0);
const WAKER: Token = Token(1);
const LISTENER: Token = Token(2);
/// Readiness taken at once; what does not fit comes with the next poll.
const EVENTS: usize = 256;
/// Largest UDP payload there is.
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams before timers and shards have their turn.
const DATAGRAMS_PER_TURN: usize = 128;
/// Reports of unreachable destinations looked at together; more wait for the next turn, or are lost with their queue.
const UNREACHABLE_PER_TURN: usize = 64;
/// A readiness loop that fails so often without a success in between cannot go on.
const POLL_FAILURES: u32 = 100;
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const BIND_ATTEMPTS: usize = 16;
