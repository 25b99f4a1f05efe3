//! The audio of a capture: the G.711 stream with the most sound in it, laid out by RTP timestamps.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use caly_rtp::codec::Codec;
use caly_rtp::packet::{Packet, PayloadType, Ssrc};
use etherparse::{LaxSlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError};

use super::sound::Sound;
use crate::cli::Failure;

/// Reads a pcap or pcapng file. Of one that breaks off, what comes before is taken, and told.
///
/// # Errors
/// When it is no capture, or there is no sound in it.
pub(super) fn read_capture(path: &Path) -> Result<Sound, Failure> {
    let name = path.display();
    let fault = |error: &dyn std::fmt::Display| Failure::refused(format!("{name}: {error}"));
    let unreadable =
        |error: std::io::Error| fault(&error).advise("name a capture as dumpcap and tcpdump write it");
    let file = std::fs::metadata(path).map_err(unreadable)?;
    if file.is_dir() {
        return Err(Failure::refused(format!("{name} is a directory")).advise("name a capture in it"));
    }
    if file.is_file() && file.len() == 0 {
        return Err(Failure::refused(format!("{name} is empty")).advise(CAPTURE_ANEW));
    }
    let mut streams = Streams::default();
    let open = || File::open(path).map(BufReader::new).map_err(unreadable);
    let read = match PcapReader::new(open()?) {
        Ok(reader) => streams.take_pcap(reader),
        Err(_) => streams.take_pcapng(PcapNgReader::new(open()?).map_err(|_| {
            fault(&"neither a pcap nor a pcapng file")
                .advise("name a capture as dumpcap and tcpdump write it")
        })?),
    };
    let note = read.err().map(|broken| format!("{name} {broken}"));
    match streams.most_audible() {
        Some(samples) => Ok(Sound { samples, note }),
        None => {
            let end = if note.is_some() { " before its broken end" } else { "" };
            Err(fault(&format_args!("no RTP with PCMU or PCMA (payload type 0 or 8) in it{end}"))
                .advise(CAPTURE_ANEW))
        }
    }
}

/// Where a capture breaks off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("is cut off in packet {packet}; what comes before is played")]
    Cut { packet: u64 },
    #[error("cannot be read from packet {packet} on ({error}); what comes before is played")]
    Garbled { packet: u64, error: PcapError },
}

impl Broken {
    fn new(packet: u64, error: PcapError) -> Self {
        match error {
            PcapError::IncompleteBuffer => Self::Cut { packet },
            PcapError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => Self::Cut { packet },
            error => Self::Garbled { packet, error },
        }
    }
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
    fn take_pcap(&mut self, mut reader: PcapReader<impl Read>) -> Result<(), Broken> {
        let link = reader.header().datalink;
        let mut packets = 0;
        while let Some(packet) = reader.next_packet() {
            packets += 1;
            let packet = packet.map_err(|error| Broken::new(packets, error))?;
            self.take(link, &packet.data);
        }
        Ok(())
    }

    fn take_pcapng(&mut self, mut reader: PcapNgReader<impl Read>) -> Result<(), Broken> {
        let mut link = DataLink::ETHERNET;
        let mut packets = 0;
        while let Some(block) = reader.next_block() {
            match block.map_err(|error| Broken::new(packets + 1, error))? {
                Block::InterfaceDescription(interface) => link = interface.linktype,
                Block::EnhancedPacket(packet) => {
                    packets += 1;
                    self.take(link, &packet.data);
                }
                _ => {}
            }
        }
        Ok(())
    }

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

const CAPTURE_ANEW: &str = "capture with: dumpcap -i any -w call.pcap udp";
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
        let Sound { samples, note } = read_capture(&path).unwrap();
        assert_eq!((samples.len(), note), (480, None));
        assert_eq!([samples[0], samples[159], samples[160], samples[319]], [32_124, 32_124, 0, 0]);
        assert_eq!(samples[320], -32_124);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
        let cut = read_capture(&path).unwrap();
        assert_eq!(cut.samples.len(), 160, "a capture cut in a packet ends before it");
        let note = cut.note.unwrap();
        assert!(note.ends_with("is cut off in packet 5; what comes before is played"), "{note}");
        std::fs::write(&path, &bytes[..30]).unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().ends_with("in it before its broken end"));
        std::fs::write(&path, b"garbage").unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().contains("neither a pcap nor a pcapng"));
        std::fs::write(&path, b"").unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().ends_with("is empty"));
        std::fs::remove_file(&path).unwrap();
    }
}
