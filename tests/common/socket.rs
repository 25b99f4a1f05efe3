//! Raw SIP sockets: they send exactly the bytes that they are given and tell when and from where bytes arrived.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::sip_text::SipText;

/// One message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// When it was read.
    pub(crate) at: Instant,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Arrived {
    /// As text.
    pub(crate) fn text(&self) -> SipText {
        SipText::new(&self.bytes)
    }
}

/// A UDP socket that is not connected, so that an answer from a wrong address is seen.
pub(crate) struct UdpPeer {
    socket: UdpSocket,
    server: SocketAddr,
}

impl UdpPeer {
    /// On a free port of 127.0.0.1.
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self::bound_to(Ipv4Addr::LOCALHOST.into(), server)
    }

    /// On a free port of `address`.
    pub(crate) fn bound_to(address: IpAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("a free UDP port");
        Self { socket, server }
    }

    /// Its own address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Sends one datagram to the server.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        self.socket.send_to(bytes.as_ref(), self.server).expect("loopback takes a datagram");
    }

    /// The next datagram, if one comes.
    pub(crate) fn receive(&self, within: Duration) -> Option<Arrived> {
        let mut buffer = vec![0; 65_536];
        // Zero would mean: wait for ever.
        self.socket
            .set_read_timeout(Some(within.max(Duration::from_millis(1))))
            .expect("a time-out can be set");
        match self.socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                buffer.truncate(length);
                Some(Arrived { at: Instant::now(), from, bytes: buffer })
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("reading the UDP socket: {error}"),
        }
    }

    /// The next datagram for which `wanted` is true; others are passed over.
    #[track_caller]
    pub(crate) fn expect(&self, what: &str, wanted: impl Fn(&SipText) -> bool) -> Arrived {
        next_matching(what, wanted, |within| self.receive(within))
    }

    /// The next response with this status.
    #[track_caller]
    pub(crate) fn expect_status(&self, status: u16) -> Arrived {
        self.expect(&format!("a {status}"), |text| text.status() == status)
    }
}

/// A TCP connection to the server.
pub(crate) struct TcpPeer {
    stream: TcpStream,
    unread: Vec<u8>,
    /// True once the server has closed its side.
    is_closed: bool,
}

impl TcpPeer {
    /// Connects.
    pub(crate) fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).expect("the server takes TCP connections");
        stream.set_nodelay(true).expect("every write is to be a segment of its own");
        Self { stream, unread: Vec::new(), is_closed: false }
    }

    /// Its own address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Writes all bytes at once; false if the server has closed the connection.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Ends our side.
    pub(crate) fn shut_down(&self) {
        // The server may have been first.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next whole message (or a lone CRLF), if one comes.
    pub(crate) fn receive(&mut self, within: Duration) -> Option<Arrived> {
        let deadline = Instant::now() + within;
        let from = self.stream.peer_addr().unwrap_or_else(|_| self.local());
        loop {
            if let Some(length) = whole_message(&self.unread) {
                let bytes = self.unread.drain(..length).collect();
                return Some(Arrived { at: Instant::now(), from, bytes });
            }
            if self.is_closed || !self.read_more(deadline) {
                return None;
            }
        }
    }

    /// The next message for which `wanted` is true; others are passed over.
    #[track_caller]
    pub(crate) fn expect(&mut self, what: &str, wanted: impl Fn(&SipText) -> bool) -> Arrived {
        next_matching(what, wanted, |within| self.receive(within))
    }

    /// The next response with this status.
    #[track_caller]
    pub(crate) fn expect_status(&mut self, status: u16) -> Arrived {
        self.expect(&format!("a {status}"), |text| text.status() == status)
    }

    /// True if the server closes the connection in time.
    pub(crate) fn is_closed_within(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while !self.is_closed && self.read_more(deadline) {}
        self.is_closed
    }

    /// Reads once; false when the deadline has passed.
    fn read_more(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.stream.set_read_timeout(Some(left)).expect("a time-out can be set");
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.is_closed = true,
            Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(_) => self.is_closed = true,
        }
        true
    }
}

#[track_caller]
fn next_matching(
    what: &str,
    wanted: impl Fn(&SipText) -> bool,
    mut receive: impl FnMut(Duration) -> Option<Arrived>,
) -> Arrived {
    let deadline = Instant::now() + ANSWER_LIMIT;
    let mut others = String::new();
    while let Some(arrived) = receive(deadline.saturating_duration_since(Instant::now())) {
        let text = arrived.text();
        if wanted(&text) {
            return arrived;
        }
        others.push_str(text.start_line());
        others.push('\n');
    }
    panic!("waited {ANSWER_LIMIT:?} in vain for {what}; what came was:\n{others}");
}

/// The length of the first message in a stream, once all of it is there.
fn whole_message(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = SipText::new(&bytes[..head]);
    let body: usize = text.values("Content-Length").first().and_then(|value| value.parse().ok()).unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}

/// Everything that is waited for comes at once, unless the machine stands still.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
