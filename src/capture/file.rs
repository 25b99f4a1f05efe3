//! A pcap file of raw IP packets (link type 101) made from payloads and addresses.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use etherparse::{PacketBuilder, PacketBuilderStep};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};

use super::{Carrier, Packet};

/// A capture file that is being written.
#[derive(Debug)]
pub(super) struct CaptureFile {
    pcap: PcapWriter<BufWriter<File>>,
    /// Next sequence number of each direction of each TCP connection.
    sequences: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl CaptureFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let header = PcapHeader { datalink: DataLink::RAW, snaplen: SNAP_BYTES, ..PcapHeader::default() };
        let file = BufWriter::new(File::create(path)?);
        Ok(Self { pcap: PcapWriter::with_header(file, header).map_err(plain)?, sequences: HashMap::new() })
    }

    pub(super) fn write(&mut self, packet: &Packet) -> io::Result<()> {
        for piece in self.pieces(packet) {
            let mut bytes = Vec::with_capacity(piece.len() + 60);
            self.build(packet, piece, &mut bytes)?;
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.pcap.write_packet(&PcapPacket::new(packet.at, length, &bytes)).map_err(plain)?;
        }
        Ok(())
    }

    /// Writes what is buffered and closes the file.
    pub(super) fn finish(self) -> io::Result<()> {
        self.pcap.into_writer().flush()
    }

    /// A stream is cut into segments; a datagram stays whole.
    fn pieces<'a>(&self, packet: &'a Packet) -> Vec<&'a [u8]> {
        match packet.way.carrier {
            Carrier::Udp => vec![&packet.payload],
            Carrier::Tcp => packet.payload.chunks(SEGMENT_BYTES).collect(),
        }
    }

    fn build(&mut self, packet: &Packet, piece: &[u8], bytes: &mut Vec<u8>) -> io::Result<()> {
        let ip = ip_layer(packet.way.from.ip(), packet.way.to.ip())?;
        let (from, to) = (packet.way.from.port(), packet.way.to.port());
        match packet.way.carrier {
            Carrier::Udp => ip.udp(from, to).write(bytes, piece),
            Carrier::Tcp => {
                let acknowledged = *self.sequences.get(&(packet.way.to, packet.way.from)).unwrap_or(&1);
                let sequence = self.sequences.entry((packet.way.from, packet.way.to)).or_insert(1);
                let segment = ip.tcp(from, to, *sequence, u16::MAX).ack(acknowledged).psh();
                *sequence = sequence.wrapping_add(u32::try_from(piece.len()).unwrap_or(0));
                segment.write(bytes, piece)
            }
        }
        .map_err(io::Error::other)
    }
}

fn ip_layer(from: IpAddr, to: IpAddr) -> io::Result<PacketBuilderStep<etherparse::IpHeaders>> {
    match (from.to_canonical(), to.to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Ok(PacketBuilder::ipv4(from.octets(), to.octets(), HOP_LIMIT)),
        (IpAddr::V6(from), IpAddr::V6(to)) => Ok(PacketBuilder::ipv6(from.octets(), to.octets(), HOP_LIMIT)),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(io::Error::other("a packet between two address families"))
        }
    }
}

fn plain(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

const SNAP_BYTES: u32 = 262_144;
/// What fits into an Ethernet frame beside IPv6 and TCP headers.
const SEGMENT_BYTES: usize = 1440;
/// The usual default.
const HOP_LIMIT: u8 = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    use pcap_file::pcap::PcapReader;

    use super::super::{CaptureWriter, Captured, Way};
    use super::*;

    /// Writes packets and reads the file back as (time, source port, TCP sequence number, payload).
    fn round_trip(
        name: &str,
        packets: &[(Way, Duration, Vec<u8>)],
    ) -> Vec<(Duration, u16, Option<u32>, Vec<u8>)> {
        let path = std::env::temp_dir().join(format!("caly-capture-{}-{name}.pcap", std::process::id()));
        let (writer, mut captures) = CaptureWriter::start(&path, 1).unwrap();
        for (way, at, payload) in packets {
            captures[0].record(*way, Some(*at), payload);
        }
        let captured = writer.finish().unwrap();
        assert_eq!(captured, Captured { packets: packets.len() as u64, missed: 0 });
        let mut reader = PcapReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.header().datalink, DataLink::RAW);
        let mut read = Vec::new();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.unwrap();
            let sliced = SlicedPacket::from_ip(&packet.data).unwrap();
            assert!(matches!(sliced.net, Some(NetSlice::Ipv4(_) | NetSlice::Ipv6(_))));
            read.push(match sliced.transport.unwrap() {
                TransportSlice::Udp(udp) => {
                    (packet.timestamp, udp.source_port(), None, udp.payload().to_vec())
                }
                TransportSlice::Tcp(tcp) => {
                    (packet.timestamp, tcp.source_port(), Some(tcp.sequence_number()), tcp.payload().to_vec())
                }
                other => panic!("{other:?}"),
            });
        }
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn datagrams_of_both_families_are_read_back_with_their_times() {
        let at = Duration::new(1_700_000_000, 123_456_000);
        let v4 = Way::udp("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        let v6 = Way::udp("[2001:db8::1]:4002".parse().unwrap(), "[2001:db8::2]:5060".parse().unwrap());
        let read = round_trip(
            "udp",
            &[(v4, at, b"one".to_vec()), (v6, at + Duration::from_micros(7), vec![0; 5000])],
        );
        assert_eq!(read[0], (at, 4000, None, b"one".to_vec()));
        assert_eq!(read[1], (at + Duration::from_micros(7), 4002, None, vec![0; 5000]));
    }

    #[test]
    fn a_stream_is_cut_into_segments_whose_numbers_follow_each_other_each_way() {
        let (a, b) = ("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        let packets = [
            (Way::tcp(a, b), Duration::from_secs(1), vec![1; 2000]),
            (Way::tcp(b, a), Duration::from_secs(2), vec![2; 10]),
            (Way::tcp(a, b), Duration::from_secs(3), vec![3; 5]),
        ];
        let read = round_trip("tcp", &packets);
        let numbers: Vec<(u16, Option<u32>, usize)> =
            read.iter().map(|(_, port, number, payload)| (*port, *number, payload.len())).collect();
        assert_eq!(
            numbers,
            [(4000, Some(1), 1440), (4000, Some(1441), 560), (5060, Some(1), 10), (4000, Some(2001), 5)]
        );
    }
}
