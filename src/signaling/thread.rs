//! The thread: one readiness loop over the SIP sockets, the orders and the shards' answers, with the switchboard's
//! next timer as its timeout.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use caly_sip::endpoint::Transmit;
use caly_sip::message::Framed;
use caly_sip::transport::{Flow, Transport};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::switchboard::{Moment, Step, Switchboard};
use super::tcp::{Arrival, Connections};
use super::{
    Control, NameQuery, SignalingConfig, SignalingHandle, SignalingLinks, SignalingStats, SwitchboardLinks,
};
use crate::capture::{Capture, Way};
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

/// The running thread: the switchboard, its sockets and the ways to everybody else.
#[derive(Debug)]
struct Worker {
    switchboard: Switchboard,
    stats: Arc<SignalingStats>,
    resolver: tokio::sync::mpsc::Sender<NameQuery>,
    capture: Capture,
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
        let Signaling { config, stats, orders, poll, udp, tcp, handle: _ } = bound;
        let SignalingLinks { shards, events, resolver, capture } = links;
        let links = SwitchboardLinks { shards, events };
        Self {
            switchboard: Switchboard::new(config, udp.local(), links, Arc::clone(&stats)),
            stats,
            resolver,
            capture,
            orders,
            poll,
            udp,
            tcp,
            buffer: Box::new([0; DATAGRAM_BYTES]),
            swept_at: Instant::now(),
        }
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
                self.switchboard.handle_order(present(), order);
            }
            while self.switchboard.handle_answer(Instant::now()) {}
            let now = Instant::now();
            self.switchboard.handle_timeout(now);
            self.sweep(now);
            self.drain();
            self.switchboard.publish();
            if self.switchboard.is_done(now) {
                self.switchboard.handle_end(now);
                self.drain();
                return self.switchboard.stop_shards();
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
            let now = Instant::now();
            if !self.switchboard.admits_datagram(now, flow.remote.ip(), datagram) {
                continue;
            }
            self.capture.record(Way::udp(flow.remote, flow.local), None, datagram);
            self.switchboard.handle_datagram(now, flow, datagram);
        }
        true
    }

    /// ICMP said that datagrams did not get where they went: requests that wait for an answer from there fail now.
    fn serve_unreachable(&mut self) {
        for _ in 0..UNREACHABLE_PER_TURN {
            let Some(remote) = self.udp.take_unreachable() else { return };
            let flow = Flow { transport: Transport::Udp, local: self.udp.local(), remote };
            self.switchboard.handle_transport_error(Instant::now(), flow);
        }
    }

    fn accept(&mut self) {
        let now = Instant::now();
        let switchboard = &mut self.switchboard;
        self.tcp.accept(now, self.poll.registry(), |peer| switchboard.admits_connection(now, peer.ip()));
    }

    fn serve_connection(&mut self, token: Token, is_readable: bool) {
        let now = Instant::now();
        if let Some(closed) = self.tcp.write(now, token, self.poll.registry()) {
            return self.switchboard.handle_transport_error(now, closed);
        }
        if !is_readable {
            return;
        }
        for arrival in self.tcp.read(now, token, self.poll.registry(), &mut self.capture) {
            match arrival {
                Arrival::Framed(flow, Framed::Message(message)) => {
                    self.switchboard.handle_message(now, flow, Ok(message))
                }
                Arrival::Framed(flow, Framed::Malformed(fault)) => {
                    self.switchboard.handle_message(now, flow, Err(fault))
                }
                Arrival::Framed(flow, Framed::Ping) => self.tcp.pong(flow),
                Arrival::Closed(flow) => self.switchboard.handle_transport_error(now, flow),
            }
        }
    }

    /// Events and messages to send, until there are neither.
    fn drain(&mut self) {
        loop {
            let mut is_idle = true;
            loop {
                match self.switchboard.handle_event(present()) {
                    Step::Idle => break,
                    Step::Done => {}
                    Step::Ask(query) => self.ask(query),
                }
                is_idle = false;
            }
            while let Some(transmit) = self.switchboard.poll_transmit() {
                is_idle = false;
                self.send(&transmit);
            }
            if is_idle {
                return;
            }
        }
    }

    fn ask(&mut self, query: NameQuery) {
        let id = query.id;
        if self.resolver.try_send(query).is_err() {
            self.switchboard.handle_resolved(Instant::now(), id, &[]);
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
        self.capture.record(way, None, &transmit.bytes);
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
                    self.switchboard.handle_transport_error(now, flow);
                }
            }
            Transport::Tcp => {
                if let Err(flow) = self.tcp.send(now, transmit, self.poll.registry()) {
                    self.stats.send_failed.fetch_add(1, Ordering::Relaxed);
                    self.switchboard.handle_transport_error(now, flow);
                }
            }
            Transport::Tls => {
                let local = target.local.unwrap_or(self.udp.local());
                let flow = Flow { transport: Transport::Tls, local, remote: target.remote };
                self.switchboard.handle_transport_error(now, flow);
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
            self.switchboard.handle_transport_error(now, flow);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let sweep = (self.tcp.len() > 0).then(|| self.swept_at + SWEEP_INTERVAL);
        let next = [self.switchboard.poll_timeout(), sweep].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

/// The present, read off both clocks.
fn present() -> Moment {
    Moment { now: Instant::now(), wall: SystemTime::now().into() }
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
