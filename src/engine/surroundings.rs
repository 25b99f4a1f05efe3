//! What a shard has around it: the time, the sockets of its calls and the way to wake signaling. The server's are the
//! kernel's; a capture that is run again brings its own, and the shard's code is the same.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;

use super::clock::Clock;
use super::ports::{MediaSockets, PortError, PortPool};
use super::sockets::Received;

/// What a shard asks of the world. Dispatched statically: a packet's way has no indirection.
pub trait Surroundings: Debug {
    /// The two sockets of a call.
    type Sockets: MediaIo;

    /// The present.
    fn now(&self) -> Instant;

    /// A pair of ports for a call, bound on `address`.
    ///
    /// # Errors
    /// When no pair is free, or none can be bound.
    fn bind(&mut self, address: IpAddr) -> Result<Self::Sockets, PortError>;

    /// A call has ended: its ports are free again.
    fn release(&mut self, sockets: Self::Sockets);

    /// Answers wait for signaling.
    fn wake_signaling(&mut self);
}

/// The RTP and RTCP sockets of a call (RFC 3550 11). None of these waits.
pub trait MediaIo: Debug {
    /// The even port.
    fn rtp_local(&self) -> SocketAddr;

    /// The odd port.
    fn rtcp_local(&self) -> SocketAddr;

    /// Takes one datagram from the even port; `None` if none waits.
    ///
    /// # Errors
    /// What became of an earlier datagram.
    fn receive_rtp(&self, buffer: &mut [u8]) -> io::Result<Option<Received>>;

    /// Takes one datagram from the odd port; `None` if none waits.
    ///
    /// # Errors
    /// What became of an earlier datagram.
    fn receive_rtcp(&self, buffer: &mut [u8]) -> io::Result<Option<Received>>;

    /// Sends from the even port.
    ///
    /// # Errors
    /// When the datagram was not taken.
    fn send_rtp(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<()>;

    /// Sends from the odd port.
    ///
    /// # Errors
    /// When the datagram was not taken.
    fn send_rtcp(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<()>;
}

/// The surroundings of a shard of the server: the kernel's clock and sockets.
#[derive(Debug)]
pub struct Kernel {
    pub(super) clock: Clock,
    pub(super) ports: PortPool,
    waker: Arc<Waker>,
}

impl Kernel {
    /// Over a shard's part of the ports; `waker` wakes the signaling thread.
    pub fn new(ports: PortPool, waker: Arc<Waker>) -> Self {
        Self { clock: Clock::new(), ports, waker }
    }
}

impl Surroundings for Kernel {
    type Sockets = MediaSockets;

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn bind(&mut self, address: IpAddr) -> Result<MediaSockets, PortError> {
        self.ports.bind(address)
    }

    fn release(&mut self, sockets: MediaSockets) {
        self.ports.release(sockets);
    }

    fn wake_signaling(&mut self) {
        if self.waker.wake().is_err() {
            tracing::error!("the signaling thread cannot be woken; it will look at its timers");
        }
    }
}

impl MediaIo for MediaSockets {
    fn rtp_local(&self) -> SocketAddr {
        self.rtp.local()
    }

    fn rtcp_local(&self) -> SocketAddr {
        self.rtcp.local()
    }

    fn receive_rtp(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        self.rtp.receive(buffer)
    }

    fn receive_rtcp(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        self.rtcp.receive(buffer)
    }

    fn send_rtp(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<()> {
        self.rtp.send(datagram, destination)
    }

    fn send_rtcp(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<()> {
        self.rtcp.send(datagram, destination)
    }
}
