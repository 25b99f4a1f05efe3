//! The TCP connections of the signaling thread (RFC 3261 18): reused in both directions, framed by Content-Length,
//! bounded in number, in idle time and in the time that one message may take to arrive.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use caly_sip::endpoint::Transmit;
use caly_sip::message::{Framed, StreamFramer};
use caly_sip::transport::{Flow, Transport};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::capture::{Capture, Way};

/// Everything that speaks SIP over TCP.
#[derive(Debug)]
pub(super) struct Connections {
    listener: TcpListener,
    local: SocketAddr,
    connections: HashMap<Token, Connection>,
    by_peer: HashMap<SocketAddr, Token>,
    next_token: usize,
    /// Connections wait that could not be accepted.
    has_unaccepted: bool,
    /// Connections with more to read than one turn allows.
    unfinished: Vec<Token>,
    buffer: Box<[u8; READ_BYTES]>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    flow: Flow,
    framer: StreamFramer,
    unsent: Vec<u8>,
    is_connected: bool,
    /// A message came, which may have to be answered.
    has_spoken: bool,
    active_at: Instant,
    /// Nothing more is read: the peer has closed its side, or sent what cannot be followed. Until then it may still be
    /// answered.
    leaves_at: Option<Instant>,
}

/// What came over a connection.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A message, or what was left of one.
    Framed(Flow, Framed),
    /// The connection is gone.
    Closed(Flow),
}

impl Connections {
    /// Listens on `address`.
    pub(super) fn listen(address: SocketAddr, registry: &Registry, listener: Token) -> io::Result<Self> {
        let mut socket = TcpListener::bind(address)?;
        registry.register(&mut socket, listener, Interest::READABLE)?;
        Ok(Self {
            local: socket.local_addr()?,
            listener: socket,
            connections: HashMap::new(),
            by_peer: HashMap::new(),
            next_token: listener.0 + 1,
            has_unaccepted: false,
            unfinished: Vec::new(),
            buffer: Box::new([0; READ_BYTES]),
        })
    }

    /// Takes the connections that wait; `is_allowed` decides by address, and nobody else gets a byte.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        registry: &Registry,
        mut is_allowed: impl FnMut(SocketAddr) -> bool,
    ) {
        self.has_unaccepted = false;
        loop {
            let (stream, peer) = match self.listener.accept() {
                Ok((stream, peer)) => (stream, canonical(peer)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) =>
                {
                    continue;
                }
                Err(error) => {
                    // No descriptor is free. There is no new readiness for who waits already: the sweep asks again.
                    tracing::warn!(%error, "TCP connections wait to be accepted");
                    self.has_unaccepted = true;
                    return;
                }
            };
            if !is_allowed(peer) || self.connections.len() >= MAX_CONNECTIONS {
                tracing::debug!(%peer, "a TCP connection is refused");
                continue;
            }
            let local = canonical(stream.local_addr().unwrap_or(self.local));
            let flow = Flow { transport: Transport::Tcp, local, remote: peer };
            self.insert(registry, Connection::new(now, stream, flow, true));
        }
    }

    /// Whether connections wait that could not be accepted.
    pub(super) fn has_unaccepted(&self) -> bool {
        self.has_unaccepted
    }

    /// Whether a connection is not read to its end; the poll must not wait then.
    pub(super) fn has_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// The connections that were not read to their end.
    pub(super) fn take_unfinished(&mut self) -> Vec<Token> {
        std::mem::take(&mut self.unfinished)
    }

    /// Reads what one connection holds.
    pub(super) fn read(
        &mut self,
        now: Instant,
        token: Token,
        registry: &Registry,
        capture: &mut Capture,
    ) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let Some(connection) = self.connections.get_mut(&token) else { return arrivals };
        if connection.leaves_at.is_some() {
            return arrivals;
        }
        connection.active_at = now;
        let (mut is_open, mut is_followed) = (true, true);
        let mut reads = 0;
        while is_open && is_followed && reads < READS_PER_TURN {
            match connection.stream.read(&mut self.buffer[..]) {
                Ok(0) => is_followed = false,
                Ok(len) => {
                    let (flow, bytes) = (connection.flow, &self.buffer[..len]);
                    capture.record(Way::tcp(flow.remote, flow.local), None, bytes);
                    is_followed = connection.frame(now, bytes, &mut arrivals);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => is_open = false,
            }
            reads += 1;
        }
        if !is_followed && connection.has_spoken {
            connection.leaves_at = Some(now + LAST_WORDS_TIME);
        } else if !is_open || !is_followed {
            arrivals.extend(self.close(token, registry).map(Arrival::Closed));
        } else if reads == READS_PER_TURN {
            self.unfinished.push(token);
        }
        arrivals
    }

    /// The connection can be written: it is connected, or its buffer has room again.
    pub(super) fn write(&mut self, now: Instant, token: Token, registry: &Registry) -> Option<Flow> {
        let connection = self.connections.get_mut(&token)?;
        if !connection.is_connected {
            match connection.stream.peer_addr() {
                Ok(_) => connection.is_connected = true,
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    let failed = !matches!(connection.stream.take_error(), Ok(None));
                    return if failed { self.close(token, registry) } else { None };
                }
                Err(_) => return self.close(token, registry),
            }
        }
        connection.active_at = now;
        if connection.flush().is_err() { self.close(token, registry) } else { None }
    }

    /// Sends a message on the connection it belongs to, or on a new one. The flow of a connection that failed at once
    /// is returned.
    pub(super) fn send(
        &mut self,
        now: Instant,
        transmit: &Transmit,
        registry: &Registry,
    ) -> Result<(), Flow> {
        let target = transmit.target.remote;
        let token = match self.by_peer.get(&target) {
            Some(&token) => token,
            None => {
                let peer = transmit.fallback.unwrap_or(target);
                let failed = Flow { transport: Transport::Tcp, local: self.local, remote: target };
                match self.by_peer.get(&peer).copied() {
                    Some(token) => token,
                    None => self.connect(now, peer, registry).map_err(|_| failed)?,
                }
            }
        };
        let Some(connection) = self.connections.get_mut(&token) else { return Ok(()) };
        connection.active_at = now;
        if connection.unsent.len() + transmit.bytes.len() > MAX_UNSENT_BYTES {
            return self.close(token, registry).map_or(Ok(()), Err);
        }
        connection.unsent.extend_from_slice(&transmit.bytes);
        if connection.is_connected && connection.flush().is_err() {
            return self.close(token, registry).map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// Answers a keep-alive (RFC 5626 4.4.1).
    pub(super) fn pong(&mut self, flow: Flow) {
        let Some(connection) =
            self.by_peer.get(&flow.remote).and_then(|token| self.connections.get_mut(token))
        else {
            return;
        };
        connection.unsent.extend_from_slice(b"\r\n");
        // A failure shows again at the next read.
        let _ = connection.flush();
    }

    /// Closes what is idle, takes too long to send one message or has been left.
    pub(super) fn sweep(&mut self, now: Instant, registry: &Registry) -> Vec<Flow> {
        let is_stale = |connection: &Connection| {
            let idle = now.saturating_duration_since(connection.active_at);
            let is_slow = connection.framer.poll_timeout().is_some_and(|deadline| deadline <= now);
            let has_left = connection.leaves_at.is_some_and(|until| until <= now);
            has_left || is_slow || idle >= if connection.is_connected { IDLE_TIME } else { CONNECT_TIME }
        };
        let stale: Vec<Token> = self
            .connections
            .iter()
            .filter(|(_, connection)| is_stale(connection))
            .map(|(&token, _)| token)
            .collect();
        stale.into_iter().filter_map(|token| self.close(token, registry)).collect()
    }

    /// Connections that are open.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    fn connect(&mut self, now: Instant, peer: SocketAddr, registry: &Registry) -> io::Result<Token> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Err(io::Error::other("too many TCP connections"));
        }
        let stream = TcpStream::connect(peer)?;
        let local = stream.local_addr().unwrap_or(self.local);
        let flow = Flow { transport: Transport::Tcp, local, remote: peer };
        self.insert(registry, Connection::new(now, stream, flow, false))
            .ok_or_else(|| io::Error::other("cannot watch the connection"))
    }

    fn insert(&mut self, registry: &Registry, mut connection: Connection) -> Option<Token> {
        let token = Token(self.next_token);
        self.next_token += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = registry.register(&mut connection.stream, token, interest) {
            tracing::warn!(%error, "a TCP connection cannot be watched");
            return None;
        }
        self.by_peer.insert(connection.flow.remote, token);
        self.connections.insert(token, connection);
        Some(token)
    }

    fn close(&mut self, token: Token, registry: &Registry) -> Option<Flow> {
        let mut connection = self.connections.remove(&token)?;
        if self.by_peer.get(&connection.flow.remote) == Some(&token) {
            self.by_peer.remove(&connection.flow.remote);
        }
        // The descriptor is closed by the drop in any case.
        let _ = registry.deregister(&mut connection.stream);
        let _ = connection.stream.shutdown(Shutdown::Both);
        Some(connection.flow)
    }
}

impl Connection {
    fn new(now: Instant, stream: TcpStream, flow: Flow, is_connected: bool) -> Self {
        // Small messages must not wait for more; failing to say so only costs time.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            flow,
            framer: StreamFramer::new(),
            unsent: Vec::new(),
            is_connected,
            has_spoken: false,
            active_at: now,
            leaves_at: None,
        }
    }

    /// Frames what was read; false if the stream cannot be followed any more.
    fn frame(&mut self, now: Instant, bytes: &[u8], arrivals: &mut Vec<Arrival>) -> bool {
        self.framer.push(now, bytes);
        loop {
            match self.framer.next() {
                Some(Ok(framed)) => {
                    self.has_spoken = true;
                    arrivals.push(Arrival::Framed(self.flow, framed));
                }
                Some(Err(error)) => {
                    tracing::debug!(peer = %self.flow.remote, %error, "a TCP connection is closed");
                    return false;
                }
                None => return true,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.stream.write(&self.unsent[sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..sent);
        Ok(())
    }
}

/// A listener for both families maps IPv4 addresses (RFC 4291 2.5.5.2); nobody else should have to know.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const READ_BYTES: usize = 16 * 1024;
/// 512 kB from one peer before the others have their turn.
const READS_PER_TURN: usize = 32;
/// Trunks keep a handful; the rest is room for softphones and for load tests.
const MAX_CONNECTIONS: usize = 4096;
/// A peer that does not read this much is not listening.
const MAX_UNSENT_BYTES: usize = 1024 * 1024;
/// Longer than a carrier's OPTIONS interval and than a keep-alive; calls outlive their connection.
const IDLE_TIME: Duration = Duration::from_secs(600);
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// For the answers to what a peer said before it closed its side. What takes longer, as a ringing call's, goes over a new
/// connection (RFC 3261 18.2.2).
const LAST_WORDS_TIME: Duration = Duration::from_secs(2);
