//! Keeps what crossed the wire in a capture file. The threads that own the sockets push copies into bounded rings;
//! one thread writes them. A packet that finds no room is missing in the file and counted.

mod file;
pub mod read;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rtrb::{Consumer, Producer, RingBuffer};

use file::CaptureFile;

/// What carried a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// One datagram.
    Udp,
    /// A piece of a stream.
    Tcp,
}

/// Where a packet came from and where it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    carrier: Carrier,
    from: SocketAddr,
    to: SocketAddr,
}

impl Way {
    /// A datagram's way.
    pub fn udp(from: SocketAddr, to: SocketAddr) -> Self {
        Self { carrier: Carrier::Udp, from, to }
    }

    /// The way of a piece of a stream.
    pub fn tcp(from: SocketAddr, to: SocketAddr) -> Self {
        Self { carrier: Carrier::Tcp, from, to }
    }
}

/// One packet as it crossed the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    at: Duration,
    way: Way,
    payload: Box<[u8]>,
}

/// One thread's end of the capture; `off` costs one comparison per packet.
#[derive(Debug, Default)]
pub struct Capture {
    ring: Option<Producer<Packet>>,
    missed: Arc<AtomicU64>,
}

/// The writing end; dropping it without [`CaptureWriter::finish`] loses the last packets.
#[derive(Debug)]
pub struct CaptureWriter {
    thread: JoinHandle<io::Result<u64>>,
    stop: Arc<AtomicBool>,
    missed: Arc<AtomicU64>,
}

/// What became of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Packets in the file.
    pub packets: u64,
    /// Packets that found no room on the way to it.
    pub missed: u64,
}

impl Capture {
    /// Captures nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Keeps a copy of a packet. `at` is when the kernel took it in, if known.
    pub fn record(&mut self, way: Way, at: Option<Duration>, payload: &[u8]) {
        let Some(ring) = &mut self.ring else { return };
        let at = at.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        if ring.push(Packet { at, way, payload: payload.into() }).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl CaptureWriter {
    /// Creates `path` and starts the thread; one [`Capture`] for each of `threads` threads.
    ///
    /// # Errors
    /// When the file or the thread cannot be made.
    pub fn start(path: &Path, threads: usize) -> io::Result<(Self, Vec<Capture>)> {
        let file = CaptureFile::create(path)?;
        let missed = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (captures, mut rings): (Vec<_>, Vec<_>) = (0..threads)
            .map(|_| {
                let (ring, packets) = RingBuffer::new(RING_PACKETS);
                (Capture { ring: Some(ring), missed: Arc::clone(&missed) }, packets)
            })
            .unzip();
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("caly-capture".to_owned())
            .spawn(move || write_until(&stopped, &mut rings, file))?;
        Ok((Self { thread, stop, missed }, captures))
    }

    /// Writes what was pushed and closes the file.
    ///
    /// # Errors
    /// What the file system said.
    pub fn finish(self) -> io::Result<Captured> {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let packets = self.thread.join().map_err(|_| io::Error::other("the capture's thread panicked"))??;
        Ok(Captured { packets, missed: self.missed.load(Ordering::Relaxed) })
    }
}

fn write_until(stop: &AtomicBool, rings: &mut [Consumer<Packet>], mut file: CaptureFile) -> io::Result<u64> {
    let mut written = 0;
    loop {
        let is_last = stop.load(Ordering::Acquire);
        let mut batch: Vec<Packet> =
            rings.iter_mut().flat_map(|ring| std::iter::from_fn(|| ring.pop().ok())).collect();
        batch.sort_by_key(|packet| packet.at);
        for packet in &batch {
            file.write(packet)?;
            written += 1;
        }
        if is_last {
            file.finish()?;
            return Ok(written);
        }
        thread::park_timeout(WRITE_INTERVAL);
    }
}

/// 100 packets a second and call: room for a minute of one call, or for a second of sixty.
const RING_PACKETS: usize = 8192;
const WRITE_INTERVAL: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_a_capture_that_is_off_takes_nothing() {
        let (ring, _packets) = RingBuffer::new(2);
        let mut capture = Capture { ring: Some(ring), missed: Arc::default() };
        let way = Way::udp("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        for _ in 0..5 {
            capture.record(way, None, b"x");
        }
        assert_eq!(capture.missed.load(Ordering::Relaxed), 3);
        Capture::off().record(way, None, b"x");
    }
}
