//! The audio of a capture: the G.711 stream with the most sound in it, laid out by RTP timestamps.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use caly_rtp::codec::Codec;
use caly_rtp::packet::{Packet, PayloadType, Ssrc};
use etherparse::{LaxSlicedPacket, TransportSlice};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::cli::Failure;

/// Reads a pcap or pcapng file.
pub(super) fn read_capture(path: &Path) -> Result<Vec<i16>, Failure> {
    let name = path.display();
    let fault = |error: &dyn std::fmt::Display| Failure::refused(format!("{name}: {error}"));
    let mut streams = Streams::default();
    let open = || File::open(path).map(BufReader::new).map_err(|error| fault(&error));
    match PcapReader::new(open()?) {
        Ok(mut reader) => {
            let link = reader.header().datalink;
            // A capture that was cut off in the middle of a packet ends there.
            while let Some(Ok(packet)) = reader.next_packet() {
                streams.take(link, &packet.data);
            }
        }
        Err(_) => {
            let reader = PcapNgReader::new(open()?);
            let mut reader = reader.map_err(|_| fault(&"neither a pcap nor a pcapng file"))?;
            let mut link = DataLink::ETHERNET;
            while let Some(Ok(block)) = reader.next_block() {
                match block {
                    Block::InterfaceDescription(interface) => link = interface.linktype,
                    Block::EnhancedPacket(packet) => streams.take(link, &packet.data),
                    _ => {}
                }
            }
        }
    }
    streams.most_audible().ok_or_else(|| {
        fault(&"no RTP with PCMU or PCMA (payload type 0 or 8) in it")
            .advise("capture with: dumpcap -i any -w call.pcap udp")
    })
}

/// Every stream of a capture.
#[derive(Debug, Default)]
struct Streams(HashMap<Ssrc, Stream>);

#[derive(Debug)]
struct Stream {
    codec: Codec,
    first: Option<u32>,
    samples: Vec<i16>,
    /// Samples that are louder than a quiet line.
    audible: usize,
}

impl Streams {
    fn take(&mut self, link: DataLink, frame: &[u8]) {
        let Some(datagram) = udp_payload(link, frame) else { return };
        let Ok(packet) = Packet::parse(datagram) else { return };
        let codec = match packet.payload_type {
            PayloadType(0) => Codec::Pcmu,
            PayloadType(8) => Codec::Pcma,
            PayloadType(_) => return,
        };
        if packet.payload.is_empty() || (self.0.len() >= MAX_STREAMS && !self.0.contains_key(&packet.ssrc)) {
            return;
        }
        let stream = self.0.entry(packet.ssrc).or_insert_with(|| Stream::new(codec));
        if stream.codec == codec {
            stream.take(&packet);
        }
    }

    fn most_audible(self) -> Option<Vec<i16>> {
        self.0
            .into_values()
            .max_by_key(|stream| (stream.audible, stream.samples.len()))
            .map(|stream| stream.samples)
    }
}

impl Stream {
    fn new(codec: Codec) -> Self {
        Self { codec, first: None, samples: Vec::new(), audible: 0 }
    }

    fn take(&mut self, packet: &Packet<'_>) {
        let first = *self.first.get_or_insert(packet.timestamp.0);
        // What was sent before the first packet wraps round to far beyond the limit.
        let start = packet.timestamp.0.wrapping_sub(first) as usize;
        let end = start + packet.payload.len();
        if end > MAX_SAMPLES {
            return;
        }
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        let decoded = &mut self.samples[start..end];
        self.codec.decode(packet.payload, decoded);
        self.audible += decoded.iter().filter(|sample| sample.unsigned_abs() > QUIET).count();
    }
}

fn udp_payload(link: DataLink, frame: &[u8]) -> Option<&[u8]> {
    let sliced = match link {
        DataLink::ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok()?,
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => LaxSlicedPacket::from_ip(frame).ok()?,
        DataLink::LINUX_SLL => LaxSlicedPacket::from_ip(frame.get(16..)?).ok()?,
        DataLink::LINUX_SLL2 => LaxSlicedPacket::from_ip(frame.get(20..)?).ok()?,
        _ => return None,
    };
    match sliced.transport? {
        TransportSlice::Udp(udp) => Some(udp.payload()),
        _ => None,
    }
}

/// About -50 dBFS.
const QUIET: u16 = 100;
/// More would be a trunk's capture, not a call's.
const MAX_STREAMS: usize = 256;
/// An hour.
const MAX_SAMPLES: usize = 3600 * 8000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use caly_rtp::packet::{RtpTime, SeqNo};

    use super::*;
    use crate::capture::{CaptureWriter, Way};

    fn rtp(payload_type: u8, ssrc: u32, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(payload_type),
            sequence: SeqNo(0),
            timestamp: RtpTime(timestamp),
            ssrc: Ssrc(ssrc),
            payload,
        };
        let mut datagram = vec![0; 12 + payload.len()];
        packet.write_to(&mut datagram).unwrap();
        datagram
    }

    #[test]
    fn the_stream_with_the_most_sound_is_laid_out_by_its_timestamps() {
        let path = std::env::temp_dir().join(format!("caly-stream-{}.pcap", std::process::id()));
        let (writer, mut captures) = CaptureWriter::start(&path, 1).unwrap();
        let way = Way::udp("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:4002".parse().unwrap());
        let start = u32::MAX - 159;
        for datagram in [
            rtp(8, 1, 0, &[0xd5; 160]),
            rtp(0, 2, start, &[0x80; 160]),
            rtp(101, 2, start, &[5, 0, 0, 160]),
            b"not rtp".to_vec(),
            // The packet between is lost; the timestamp wraps.
            rtp(0, 2, start.wrapping_add(320), &[0x00; 160]),
        ] {
            captures[0].record(way, Some(Duration::from_secs(1)), &datagram);
        }
        writer.finish().unwrap();
        let samples = read_capture(&path).unwrap();
        assert_eq!(samples.len(), 480);
        assert_eq!([samples[0], samples[159], samples[160], samples[319]], [32_124, 32_124, 0, 0]);
        assert_eq!(samples[320], -32_124);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
        assert_eq!(read_capture(&path).unwrap().len(), 160, "a capture cut in a packet ends before it");
        std::fs::write(&path, b"garbage").unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().contains("neither a pcap nor a pcapng"));
        std::fs::remove_file(&path).unwrap();
    }
}
