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
