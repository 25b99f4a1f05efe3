//! A fixture's caller as sipp plays it: its RTP alone, as Ethernet frames; and a fixture moved to another time.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use caly::capture::read::{Content, Seen, read};
use etherparse::PacketBuilder;
use pcap_file::pcap::{PcapPacket, PcapWriter};

/// The datagrams of a capture that are neither SIP nor RTCP, in the order of time.
pub(crate) fn rtp_alone(capture: &Path) -> Vec<u8> {
    let reading = read(capture).unwrap();
    let is_rtp = |seen: &&Seen| matches!(&seen.what, Content::Datagram(bytes) if bytes[0] >> 6 == 2 && !(200..=204).contains(&bytes[1]));
    written(reading.packets.iter().filter(is_rtp), Duration::ZERO)
}

/// All datagrams of a capture, moved so that the first one is seen at `begin` (since the Unix epoch).
pub(crate) fn moved(capture: &Path, begin: Duration, to: &Path) {
    let reading = read(capture).unwrap();
    let first = reading.packets[0].at;
    fs::write(to, written(reading.packets.iter(), begin - first)).unwrap();
}

fn written<'a>(packets: impl Iterator<Item = &'a Seen>, later: Duration) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for seen in packets {
        let Content::Datagram(payload) = &seen.what else {
            panic!("a fixture for sipp has no TCP: {seen:?}")
        };
        let frame = frame(seen.from, seen.to, payload);
        let length = u32::try_from(frame.len()).unwrap();
        writer.write_packet(&PcapPacket::new_owned(seen.at + later, length, frame)).unwrap();
    }
    writer.into_writer()
}

fn frame(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), 64),
        (from, to) => panic!("{from} to {to}"),
    };
    let mut bytes = Vec::new();
    ip.udp(from.port(), to.port()).write(&mut bytes, payload).unwrap();
    bytes
}
