//! The audio of a capture: the G.711 stream with the most sound in it, laid out by RTP timestamps.

use std::collections::HashMap;
use std::path::Path;

use caly_rtp::codec::Codec;
use caly_rtp::packet::{Packet, PayloadType, Ssrc};

use super::sound::Sound;
use crate::capture::read::{self, Content};
use crate::cli::Failure;

/// Reads a pcap or pcapng file. Of one that breaks off, what comes before is taken, and told.
///
/// # Errors
/// When it is no capture, or there is no sound in it.
pub(super) fn read_capture(path: &Path) -> Result<Sound, Failure> {
    let reading =
        read::read(path).map_err(|error| Failure::refused(error.to_string()).advise(CAPTURE_ANEW))?;
    let mut streams = Streams::default();
    for seen in &reading.packets {
        match &seen.what {
            Content::Datagram(datagram) => streams.take(datagram),
            Content::Stream(_) | Content::StreamEnd => {}
        }
    }
    let name = path.display();
    let note = reading.broken_after.map(|(frame, what)| {
        format!("{name} is broken behind frame {frame} ({what}); what comes before is played")
    });
    match streams.most_audible() {
        Some(samples) => Ok(Sound { samples, note }),
        None => {
            let end = if note.is_some() { " before its broken end" } else { "" };
            let cut = match reading.counters.cut {
                0 => String::new(),
                frames => format!(" ({frames} frames hold only their beginning)"),
            };
            let what = format!("{name}: no RTP with PCMU or PCMA (payload type 0 or 8) in it{end}{cut}");
            Err(Failure::refused(what).advise(CAPTURE_ANEW))
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
    fn take(&mut self, datagram: &[u8]) {
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

const CAPTURE_ANEW: &str = "name a pcap or pcapng file, as dumpcap -i any -w call.pcap writes it";
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
        assert!(
            note.contains("is broken behind frame 4") && note.ends_with("what comes before is played"),
            "{note}"
        );
        std::fs::write(&path, &bytes[..30]).unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().ends_with("in it before its broken end"));
        std::fs::write(&path, b"garbage").unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().contains("neither a pcap nor a pcapng"));
        std::fs::write(&path, b"").unwrap();
        assert!(read_capture(&path).unwrap_err().to_string().ends_with("is empty"));
        std::fs::remove_file(&path).unwrap();
    }
}
