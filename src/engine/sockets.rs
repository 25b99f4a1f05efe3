//! UDP sockets as the engine and the signaling thread need them: non-blocking, with the kernel's receive timestamp
//! and the address that a datagram was sent to.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, bind,
    recvmsg, sendmsg, setsockopt, socket, sockopt,
};

/// What a socket is for; it decides which facts the kernel reports with each datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// RTP and RTCP: receive timestamps, expedited forwarding.
    Media,
    /// SIP: the local address of each datagram, large buffers, and which destinations cannot be reached.
    Signaling,
}

/// One datagram as the kernel handed it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Octets written to the buffer; the rest of a longer datagram is lost.
    pub len: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// The local address it was sent to (`Purpose::Signaling`).
    pub local: Option<IpAddr>,
    /// When the kernel took it in, since the Unix epoch (`Purpose::Media`).
    pub stamp: Option<Duration>,
}

/// A non-blocking UDP socket.
#[derive(Debug)]
pub struct DatagramSocket {
    socket: UdpSocket,
    local: SocketAddr,
}

impl DatagramSocket {
    /// Binds to `address`. `[::]` takes both families for signaling; media sockets and other IPv6 addresses take their own only.
    pub fn bind(address: SocketAddr, purpose: Purpose) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        if address.is_ipv6() {
            let is_for_both = purpose == Purpose::Signaling && address.ip().is_unspecified();
            setsockopt(&fd, sockopt::Ipv6V6Only, &!is_for_both)?;
        }
        match purpose {
            Purpose::Media => {
                setsockopt(&fd, sockopt::ReceiveTimestampns, &true)?;
                setsockopt(&fd, sockopt::RcvBuf, &MEDIA_BUFFER_BYTES)?;
                mark_expedited(fd.as_fd(), address)?;
            }
            Purpose::Signaling => {
                // Bursts of INVITEs wait here while the thread works; the kernel grants what its limits allow.
                setsockopt(&fd, sockopt::RcvBuf, &SIGNALING_BUFFER_BYTES)?;
                setsockopt(&fd, sockopt::SndBuf, &SIGNALING_BUFFER_BYTES)?;
                match address {
                    SocketAddr::V4(_) => {
                        setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
                        setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
                    }
                    SocketAddr::V6(_) => {
                        setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &true)?;
                        setsockopt(&fd, sockopt::Ipv6RecvErr, &true)?;
                    }
                }
            }
        }
        bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
        let socket = UdpSocket::from(fd);
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// The address it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes one datagram, or `None` if none waits. An error belongs to an earlier send (ICMP): ask again.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = ControlSpace([0; CONTROL_BYTES]);
        let mut slices = [IoSliceMut::new(buffer)];
        let message = match recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control.0),
            MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(source) = message.address.as_ref().and_then(to_socket_addr).map(canonical) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "datagram without a source address"));
        };
        let mut received = Received { len: message.bytes, source, local: None, stamp: None };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => received.stamp = Some(time.into()),
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    received.local = Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()));
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    received.local = Some(IpAddr::from(info.ipi6_addr.s6_addr).to_canonical());
                }
                _ => {}
            }
        }
        Ok(Some(received))
    }

    /// The destination of an earlier datagram that did not get there, as a router or its host said by ICMP
    /// (`Purpose::Signaling`); `None` if none is reported.
    pub fn take_unreachable(&self) -> Option<SocketAddr> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
        for _ in 0..REPORTS_AT_ONCE {
            let mut control = ControlSpace([0; CONTROL_BYTES]);
            let mut quoted = [0; 1];
            let mut slices = [IoSliceMut::new(&mut quoted)];
            let fd = self.socket.as_raw_fd();
            let message = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control.0), flags).ok()?;
            let is_final = message.cmsgs().ok()?.any(|control| match control {
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    is_unreachable(error.ee_errno)
                }
                _ => false,
            });
            if is_final {
                return message.address.as_ref().and_then(to_socket_addr).map(canonical);
            }
        }
        None
    }

    /// Sends one datagram from the bound address.
    pub fn send(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<()> {
        let destination = self.in_own_family(destination);
        past_earlier_error(|| self.socket.send_to(datagram, destination).map(|_| ()))
    }

    /// Sends one datagram with `local` as its source address.
    pub fn send_from(&self, datagram: &[u8], destination: SocketAddr, local: IpAddr) -> io::Result<()> {
        past_earlier_error(|| self.try_send_from(datagram, destination, local))
    }

    fn try_send_from(&self, datagram: &[u8], destination: SocketAddr, local: IpAddr) -> io::Result<()> {
        let slices = [IoSlice::new(datagram)];
        let destination = SockaddrStorage::from(self.in_own_family(destination));
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        match self.in_own_family(SocketAddr::new(local, 0)).ip() {
            IpAddr::V4(address) => {
                let s_addr = u32::from_ne_bytes(address.octets());
                let unset = in_addr { s_addr: 0 };
                let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: in_addr { s_addr }, ipi_addr: unset };
                sendmsg(fd, &slices, &[ControlMessage::Ipv4PacketInfo(&info)], flags, Some(&destination))?;
            }
            IpAddr::V6(address) => {
                let ipi6_addr = in6_addr { s6_addr: address.octets() };
                let info = in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
                sendmsg(fd, &slices, &[ControlMessage::Ipv6PacketInfo(&info)], flags, Some(&destination))?;
            }
        }
        Ok(())
    }
}

impl DatagramSocket {
    /// An IPv6 socket that takes both families speaks to IPv4 by mapped addresses (RFC 4291 2.5.5.2).
    fn in_own_family(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) if self.local.is_ipv6() => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            other => other,
        }
    }
}

/// An address as it is written, not as the socket's family maps it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsRawFd for DatagramSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Whether an error means that the destination is not there. Others are of the moment or of the way: a repeated datagram may
/// get there.
fn is_unreachable(errno: u32) -> bool {
    let errno = i32::try_from(errno).map_or(Errno::UnknownErrno, Errno::from_raw);
    matches!(errno, Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH)
}

/// The kernel may answer with what became of an earlier datagram, to whomever that went, instead of sending this one; it does
/// so once.
fn past_earlier_error(send: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match send() {
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable) => {
            send()
        }
        outcome => outcome,
    }
}

/// Room for the control messages of one datagram, aligned as their headers want it.
#[repr(align(8))]
struct ControlSpace([u8; CONTROL_BYTES]);

/// DSCP EF (RFC 3246): voice goes first in every queue that looks at it.
fn mark_expedited(fd: BorrowedFd<'_>, address: SocketAddr) -> nix::Result<()> {
    match address {
        SocketAddr::V4(_) => setsockopt(&fd, sockopt::Ipv4Tos, &EXPEDITED_FORWARDING),
        SocketAddr::V6(_) => setsockopt(&fd, sockopt::Ipv6TClass, &EXPEDITED_FORWARDING),
    }
}

fn to_socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}

/// A timestamp (32 octets with its header) and one packet info (40), or an error with its source (60): 128 leaves room for
/// what kernels may add.
const CONTROL_BYTES: usize = 128;
/// 2 MiB hold some 1,400 INVITEs of 1.5 kB.
const SIGNALING_BUFFER_BYTES: usize = 2 * 1024 * 1024;
/// Some hundred packets as the kernel counts them, with the 208 kB that an untouched Linux grants: seconds of audio after a
/// stall, and 5 ms of a flood.
const MEDIA_BUFFER_BYTES: usize = 512 * 1024;
/// Reports of other errors passed over before the rest waits for the next look.
const REPORTS_AT_ONCE: usize = 64;
/// DSCP 46 in the upper six bits of the traffic class octet.
const EXPEDITED_FORWARDING: i32 = 46 << 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &DatagramSocket, buffer: &mut [u8]) -> Received {
        loop {
            if let Some(received) = socket.receive(buffer).unwrap() {
                return received;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn media_datagrams_carry_the_kernels_time() {
        let a = DatagramSocket::bind("127.0.0.1:0".parse().unwrap(), Purpose::Media).unwrap();
        let b = DatagramSocket::bind("127.0.0.1:0".parse().unwrap(), Purpose::Media).unwrap();
        a.send(b"hello", b.local()).unwrap();
        let mut buffer = [0; 16];
        let received = receive(&b, &mut buffer);
        assert_eq!((&buffer[..received.len], received.source), (&b"hello"[..], a.local()));
        assert!(received.stamp.unwrap() > Duration::from_secs(1_700_000_000));
        assert_eq!(b.receive(&mut buffer).unwrap(), None);
    }

    #[test]
    fn signaling_answers_from_the_address_that_was_called() {
        let server = DatagramSocket::bind("0.0.0.0:0".parse().unwrap(), Purpose::Signaling).unwrap();
        let client = DatagramSocket::bind("127.0.0.1:0".parse().unwrap(), Purpose::Signaling).unwrap();
        let called = SocketAddr::from(([127, 0, 0, 2], server.local().port()));
        client.send(b"ping", called).unwrap();
        let mut buffer = [0; 16];
        let received = receive(&server, &mut buffer);
        assert_eq!(received.local, Some(called.ip()));
        server.send_from(b"pong", received.source, called.ip()).unwrap();
        assert_eq!(receive(&client, &mut buffer).source, called);
    }

    #[test]
    fn a_destination_where_nobody_listens_is_named_and_harms_no_other() {
        let server = DatagramSocket::bind("127.0.0.1:0".parse().unwrap(), Purpose::Signaling).unwrap();
        let peer = DatagramSocket::bind("127.0.0.1:0".parse().unwrap(), Purpose::Signaling).unwrap();
        let gone = DatagramSocket::bind("127.0.0.1:0".parse().unwrap(), Purpose::Signaling).unwrap().local();
        assert_eq!(server.take_unreachable(), None);
        // On loopback the refusal is there when the call returns.
        server.send(b"anybody?", gone).unwrap();
        server.send_from(b"hello", peer.local(), server.local().ip()).unwrap();
        assert_eq!(receive(&peer, &mut [0; 16]).len, 5);
        assert_eq!(server.take_unreachable(), Some(gone));
        assert_eq!(server.take_unreachable(), None);
    }

    #[test]
    fn one_signaling_socket_serves_both_families() {
        let server = DatagramSocket::bind("[::]:0".parse().unwrap(), Purpose::Signaling).unwrap();
        let mut buffer = [0; 16];
        for address in ["127.0.0.2", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            let client = DatagramSocket::bind(SocketAddr::new(address, 0), Purpose::Signaling).unwrap();
            client.send(b"ping", SocketAddr::new(address, server.local().port())).unwrap();
            let received = receive(&server, &mut buffer);
            assert_eq!((received.source, received.local), (client.local(), Some(address)));
            server.send_from(b"pong", received.source, address).unwrap();
            assert_eq!(receive(&client, &mut buffer).source.ip(), address);
        }
    }
}
