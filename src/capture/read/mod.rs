//! Reads capture files: pcap and pcapng, of the usual link types, down to UDP datagrams and TCP streams in order. What is
//! neither, or broken, is counted and passed over: a capture taken on a busy machine holds much that is not the call.

mod file;
mod frame;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use frame::{Frame, FrameReader, Segment};
use stream::Streams;

/// Something that a capture saw arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Wall-clock time since 1970-01-01 UTC.
    pub at: Duration,
    /// Number of the frame in the file, from 1, as capture tools count.
    pub frame: u64,
    /// Who sent it.
    pub from: SocketAddr,
    /// Who got it.
    pub to: SocketAddr,
    /// What it was.
    pub what: Content,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole UDP datagram.
    Datagram(Vec<u8>),
    /// The next bytes of a TCP stream.
    Stream(Vec<u8>),
    /// The sender closed its side of the stream, or the capture lacks a part of it and what follows means nothing.
    StreamEnd,
}

/// All that a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// In the order of their times.
    pub packets: Vec<Seen>,
    /// What else there was.
    pub counters: ReadCounters,
    /// Where the file is cut or broken: the last whole frame before it, and what is wrong behind it.
    pub broken_after: Option<(u64, String)>,
}

/// What a file held besides whole packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounters {
    /// Frames in the file.
    pub frames: u64,
    /// Frames that are neither UDP nor TCP over IP, or of an unknown link type.
    pub foreign: u64,
    /// Frames of which the capture kept only the beginning (snap length), or whose headers are broken.
    pub cut: u64,
    /// Frames that were written later than one with a later time.
    pub out_of_order: u64,
    /// IP fragments whose other parts are missing.
    pub fragments_lost: u64,
    /// TCP segments that carried nothing new.
    pub repeated_segments: u64,
    /// TCP streams that end early because a part of them is missing.
    pub broken_streams: u64,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refuses.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another kind of file.
    #[error("{path}: {what}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// More than can be held in memory.
    #[error("{path}: more than {limit} {what}; cut it with: editcap -c 1000000 {path} part.pcap")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How many are allowed.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
}

/// Reads a whole file.
///
/// # Errors
/// When the file cannot be opened, is no capture, or is too large. A file that is cut in the middle is read up to there.
pub fn read(path: &Path) -> Result<Reading, ReadError> {
    read_up_to(path, MAX_PACKETS, MAX_BYTES)
}

fn read_up_to(path: &Path, max_packets: u64, max_bytes: u64) -> Result<Reading, ReadError> {
    let mut file = file::Frames::open(path)?;
    let mut reading = Reading::default();
    let (mut frames, mut streams) = (FrameReader::default(), Streams::default());
    let (mut bytes, mut latest) = (0_u64, Duration::ZERO);
    let too_large = |limit, what| ReadError::TooLarge { path: path.to_owned(), limit, what };
    loop {
        let raw = match file.next_frame() {
            Ok(Some(raw)) => raw,
            Ok(None) => break,
            Err(what) => {
                reading.broken_after = Some((reading.counters.frames, what));
                break;
            }
        };
        let (counters, packets) = (&mut reading.counters, &mut reading.packets);
        counters.frames += 1;
        counters.out_of_order += u64::from(raw.at < latest);
        latest = latest.max(raw.at);
        let (at, frame) = (raw.at, counters.frames);
        match frames.read(&raw) {
            Frame::Datagram { from, to, payload } => {
                bytes += payload.len() as u64;
                packets.push(Seen { at, frame, from, to, what: Content::Datagram(payload) });
            }
            Frame::Segment(segment) => {
                bytes += segment.payload.len() as u64;
                streams.take(Segment { at, frame, ..segment }, packets, counters);
            }
            Frame::Part => {}
            Frame::Foreign => counters.foreign += 1,
            Frame::Cut => counters.cut += 1,
        }
        if bytes > max_bytes {
            return Err(too_large(max_bytes, "bytes"));
        }
        if packets.len() as u64 > max_packets {
            return Err(too_large(max_packets, "packets"));
        }
    }
    reading.counters.fragments_lost = frames.fragments_lost();
    // Stable: what has the same time stays in the file's order.
    reading.packets.sort_by_key(|seen| seen.at);
    Ok(reading)
}

/// A day of a call in both directions is 8.6 million packets.
const MAX_PACKETS: u64 = 10_000_000;
const MAX_BYTES: u64 = 2 << 30;

#[cfg(test)]
mod tests;
