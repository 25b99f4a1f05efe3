//! What surrounds the shard in a replay: a time that somebody else moves, and sockets made of memory.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::wire::{Span, Wire};
use crate::engine::ports::PortError;
use crate::engine::sockets::Received;
use crate::engine::{MediaIo, Surroundings};

/// The shard's surroundings; whoever has a clone moves the time and delivers packets.
#[derive(Clone, Debug)]
pub(super) struct Stage(Rc<RefCell<Scene>>);

#[derive(Debug)]
struct Scene {
    start: Instant,
    now: Instant,
    wire: Wire,
    next_port: u16,
    /// What waits to be received, by local port.
    waiting: HashMap<u16, VecDeque<Arrived>>,
    /// Packets for captured addresses whose call has not answered yet.
    early: HashMap<SocketAddr, VecDeque<Arrived>>,
    /// Which of our ports stands for a captured address.
    ports: HashMap<SocketAddr, u16>,
    counters: StageCounters,
}

/// What happened to media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StageCounters {
    /// Datagrams that a call's socket got.
    pub(super) delivered: u64,
    /// Datagrams for a call that had no socket any more, or too many for one that had none yet.
    pub(super) undelivered: u64,
    /// RTP packets that our side sent.
    pub(super) sent: u64,
}

/// A datagram on its way to a socket.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// When, since the Unix epoch.
    pub(super) at: Duration,
    /// What.
    pub(super) bytes: Vec<u8>,
}

impl Stage {
    /// A stage whose time begins at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self(Rc::new(RefCell::new(Scene {
            start: now,
            now,
            wire: Wire::default(),
            next_port: FIRST_PORT,
            waiting: HashMap::new(),
            early: HashMap::new(),
            ports: HashMap::new(),
            counters: StageCounters::default(),
        })))
    }

    /// Moves the time.
    pub(super) fn set_now(&self, now: Instant) {
        self.0.borrow_mut().now = now;
    }

    /// The RTP address `captured` and the next port, its RTCP, are now those of our `port`.
    pub(super) fn map(&self, captured: SocketAddr, port: u16) {
        let mut scene = self.0.borrow_mut();
        for (captured, port) in [(captured, port), (next(captured), port.saturating_add(1))] {
            scene.ports.insert(captured, port);
            for arrived in scene.early.remove(&captured).unwrap_or_default() {
                scene.deliver(port, arrived);
            }
        }
    }

    /// A datagram for a captured address.
    pub(super) fn deliver(&self, captured: SocketAddr, arrived: Arrived) {
        let mut scene = self.0.borrow_mut();
        if let Some(&port) = scene.ports.get(&captured) {
            return scene.deliver(port, arrived);
        }
        let early = scene.early.entry(captured).or_default();
        if early.len() < MAX_EARLY {
            early.push_back(arrived);
        } else {
            scene.counters.undelivered += 1;
        }
    }

    /// When a port of ours could be heard between two times since the begin.
    pub(super) fn heard(&self, port: u16, from: Duration, until: Duration) -> Vec<Span> {
        self.0.borrow().wire.spans(port, from, until)
    }

    /// What happened so far. Packets that still wait for an answer count as undelivered.
    pub(super) fn counters(&self) -> StageCounters {
        let scene = self.0.borrow();
        let early: usize = scene.early.values().map(VecDeque::len).sum();
        let mut counters = scene.counters;
        counters.undelivered += early as u64;
        counters
    }
}

impl Scene {
    fn deliver(&mut self, port: u16, arrived: Arrived) {
        match self.waiting.get_mut(&port) {
            Some(queue) if queue.len() < MAX_WAITING => {
                queue.push_back(arrived);
                self.counters.delivered += 1;
            }
            Some(_) | None => self.counters.undelivered += 1,
        }
    }
}

impl Surroundings for Stage {
    type Sockets = StageSockets;

    fn now(&self) -> Instant {
        self.0.borrow().now
    }

    fn bind(&mut self, address: IpAddr) -> Result<StageSockets, PortError> {
        let mut scene = self.0.borrow_mut();
        // 27,000 pairs; a port comes again when its call is long over.
        let port = scene.next_port;
        scene.next_port = if port >= LAST_PORT { FIRST_PORT } else { port + 2 };
        if scene.waiting.contains_key(&port) {
            return Err(PortError::Exhausted);
        }
        scene.waiting.insert(port, VecDeque::new());
        scene.waiting.insert(port + 1, VecDeque::new());
        Ok(StageSockets { stage: self.clone(), rtp: SocketAddr::new(address, port) })
    }

    fn release(&mut self, sockets: StageSockets) {
        let mut scene = self.0.borrow_mut();
        scene.waiting.remove(&sockets.rtp.port());
        scene.waiting.remove(&next(sockets.rtp).port());
    }

    fn wake_signaling(&mut self) {}
}

/// A call's two sockets.
#[derive(Debug)]
pub(super) struct StageSockets {
    stage: Stage,
    rtp: SocketAddr,
}

impl StageSockets {
    fn receive(&self, port: u16, buffer: &mut [u8]) -> Option<Received> {
        let mut scene = self.stage.0.borrow_mut();
        let arrived = scene.waiting.get_mut(&port)?.pop_front()?;
        let len = arrived.bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&arrived.bytes[..len]);
        Some(Received { len, source: arrived.from, local: None, stamp: Some(arrived.at) })
    }
}

impl MediaIo for StageSockets {
    fn rtp_local(&self) -> SocketAddr {
        self.rtp
    }

    fn rtcp_local(&self) -> SocketAddr {
        next(self.rtp)
    }

    fn receive_rtp(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        Ok(self.receive(self.rtp.port(), buffer))
    }

    fn receive_rtcp(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        Ok(self.receive(next(self.rtp).port(), buffer))
    }

    fn send_rtp(&self, datagram: &[u8], _destination: SocketAddr) -> io::Result<()> {
        let mut scene = self.stage.0.borrow_mut();
        scene.counters.sent += 1;
        let at = scene.now.saturating_duration_since(scene.start);
        scene.wire.note(self.rtp.port(), at, datagram);
        Ok(())
    }

    fn send_rtcp(&self, _datagram: &[u8], _destination: SocketAddr) -> io::Result<()> {
        Ok(())
    }
}

/// The port above: RTCP (RFC 3550 11).
pub(super) fn next(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port().saturating_add(1))
}

const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 65_000;
/// What a kernel's socket buffer holds, about.
const MAX_WAITING: usize = 1024;
/// A second of packets that came before the answer did.
const MAX_EARLY: usize = 64;
