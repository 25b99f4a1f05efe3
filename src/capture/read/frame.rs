//! From a frame to what it carries: link layer, IP (with fragments put together), UDP or TCP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::defrag::IpDefragPool;
use etherparse::{NetSlice, SlicedPacket, TcpSlice, TransportSlice, UdpSlice, ip_number};
use pcap_file::DataLink;

use super::file::RawFrame;

/// What a frame holds.
#[derive(Debug)]
pub(super) enum Frame {
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        payload: Vec<u8>,
    },
    Segment(Segment),
    /// A fragment; the rest is still to come.
    Part,
    /// Not UDP or TCP over IP.
    Foreign,
    /// The capture did not keep enough of it, or its headers contradict each other.
    Cut,
}

/// A TCP segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) at: Duration,
    pub(super) frame: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) is_syn: bool,
    /// FIN or RST: the sender says no more.
    pub(super) is_end: bool,
    pub(super) payload: Vec<u8>,
}

/// Reads frames and keeps fragments until they are whole.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    fragments: IpDefragPool<u64>,
    /// Fragments seen; the age of one that waits.
    fragments_seen: u64,
    datagrams_begun: u64,
    datagrams_whole: u64,
}

impl FrameReader {
    pub(super) fn read(&mut self, raw: &RawFrame) -> Frame {
        let Some((ether_type, bytes)) = network_layer(raw.link, &raw.bytes) else { return Frame::Foreign };
        let sliced = match ether_type {
            Network::Ethernet => SlicedPacket::from_ethernet(bytes),
            Network::Ip => SlicedPacket::from_ip(bytes),
        };
        let Ok(packet) = sliced else {
            // A frame that is cut is what the capture's snap length did, whatever it was.
            return if raw.is_cut || is_ip(ether_type, bytes) { Frame::Cut } else { Frame::Foreign };
        };
        let Some(addresses) = addresses(&packet) else { return Frame::Foreign };
        match &packet.transport {
            Some(TransportSlice::Udp(udp)) => datagram(addresses, udp),
            Some(TransportSlice::Tcp(tcp)) => segment(addresses, tcp),
            Some(_) => Frame::Foreign,
            None => self.fragment(addresses, &packet),
        }
    }

    /// Fragments whose datagram never became whole.
    pub(super) fn fragments_lost(&self) -> u64 {
        self.datagrams_begun.saturating_sub(self.datagrams_whole)
    }

    fn fragment(&mut self, addresses: (IpAddr, IpAddr), packet: &SlicedPacket<'_>) -> Frame {
        let payload = packet.net.as_ref().and_then(NetSlice::ip_payload_ref);
        let Some(payload) = payload.filter(|payload| payload.fragmented) else { return Frame::Foreign };
        if !matches!(payload.ip_number, ip_number::UDP | ip_number::TCP) {
            return Frame::Foreign;
        }
        self.fragments_seen += 1;
        let oldest = self.fragments_seen.saturating_sub(FRAGMENTS_KEPT);
        self.fragments.retain(|seen| *seen >= oldest);
        self.datagrams_begun += u64::from(is_first(packet));
        let Ok(whole) = self.fragments.process_sliced_packet(packet, self.fragments_seen, ()) else {
            return Frame::Cut;
        };
        let Some(whole) = whole else { return Frame::Part };
        self.datagrams_whole += 1;
        let frame = match whole.ip_number {
            ip_number::UDP => UdpSlice::from_slice(&whole.payload).map(|udp| datagram(addresses, &udp)).ok(),
            _ => TcpSlice::from_slice(&whole.payload).map(|tcp| segment(addresses, &tcp)).ok(),
        };
        self.fragments.return_buf(whole);
        frame.unwrap_or(Frame::Cut)
    }
}

/// How the bytes behind the capture's own header begin.
#[derive(Clone, Copy)]
enum Network {
    Ethernet,
    Ip,
}

/// Takes off the headers that capture devices put before the network layer.
fn network_layer(link: DataLink, bytes: &[u8]) -> Option<(Network, &[u8])> {
    match link {
        DataLink::ETHERNET => Some((Network::Ethernet, bytes)),
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Some((Network::Ip, bytes)),
        // BSD loopback: the address family in four bytes, of either byte order.
        DataLink::NULL | DataLink::LOOP => Some((Network::Ip, bytes.get(4..)?)),
        // Linux "any" device: the protocol in the last two bytes of the first header, in the first two of the second.
        DataLink::LINUX_SLL => behind_protocol(bytes, 14, 16),
        DataLink::LINUX_SLL2 => behind_protocol(bytes, 0, 20),
        _ => None,
    }
}

fn behind_protocol(bytes: &[u8], protocol_at: usize, header: usize) -> Option<(Network, &[u8])> {
    let protocol = bytes.get(protocol_at..protocol_at + 2)?;
    let is_ip = matches!(protocol, [0x08, 0x00] | [0x86, 0xdd]);
    is_ip.then_some((Network::Ip, bytes.get(header..)?))
}

fn is_ip(network: Network, bytes: &[u8]) -> bool {
    match network {
        Network::Ip => true,
        Network::Ethernet => matches!(bytes.get(12..14), Some([0x08, 0x00] | [0x86, 0xdd])),
    }
}

fn is_first(packet: &SlicedPacket<'_>) -> bool {
    match &packet.net {
        Some(NetSlice::Ipv4(ip)) => ip.header().fragments_offset().value() == 0,
        Some(NetSlice::Ipv6(ip)) => ip.extensions().clone().into_iter().any(|extension| match extension {
            etherparse::Ipv6ExtensionSlice::Fragment(fragment) => fragment.fragment_offset().value() == 0,
            _ => false,
        }),
        Some(NetSlice::Arp(_)) | None => false,
    }
}

fn addresses(packet: &SlicedPacket<'_>) -> Option<(IpAddr, IpAddr)> {
    match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => Some((ip.header().source_addr().into(), ip.header().destination_addr().into())),
        NetSlice::Ipv6(ip) => Some((ip.header().source_addr().into(), ip.header().destination_addr().into())),
        NetSlice::Arp(_) => None,
    }
}

fn datagram((from, to): (IpAddr, IpAddr), udp: &UdpSlice<'_>) -> Frame {
    Frame::Datagram {
        from: SocketAddr::new(from, udp.source_port()),
        to: SocketAddr::new(to, udp.destination_port()),
        payload: udp.payload().to_vec(),
    }
}

fn segment((from, to): (IpAddr, IpAddr), tcp: &TcpSlice<'_>) -> Frame {
    Frame::Segment(Segment {
        at: Duration::ZERO,
        frame: 0,
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        is_syn: tcp.syn(),
        is_end: tcp.fin() || tcp.rst(),
        payload: tcp.payload().to_vec(),
    })
}

/// Fragments follow each other closely; one that waited for so many others is not completed any more.
const FRAGMENTS_KEPT: u64 = 1024;
