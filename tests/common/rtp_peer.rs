//! An RTP sender and receiver with its own thread, for calls placed by a raw socket: 20 ms of µ-law tone per packet.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::tone;

/// A stream in both directions; it runs until [`RtpPeer::stop`].
pub(crate) struct RtpPeer {
    local: SocketAddr,
    stop: Arc<AtomicBool>,
    socket: UdpSocket,
    thread: Option<JoinHandle<Exchanged>>,
}

/// What went both ways.
#[derive(Debug, Default)]
pub(crate) struct Exchanged {
    /// When each packet was sent; packet n holds the n-th 20 ms of the audio.
    pub(crate) sent: Vec<Instant>,
    /// What came, in the order of arrival.
    pub(crate) arrived: Vec<RtpArrived>,
}

/// One packet that arrived.
#[derive(Clone, Debug)]
pub(crate) struct RtpArrived {
    /// When it was read.
    pub(crate) at: Instant,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    /// µ-law bytes.
    pub(crate) payload: Vec<u8>,
}

impl RtpPeer {
    /// A socket on a free port of 127.0.0.1; nothing is sent yet.
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
        let local = socket.local_addr().expect("a bound socket has an address");
        Self { local, stop: Arc::new(AtomicBool::new(false)), socket, thread: None }
    }

    /// Its own address, for the offer.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to send a tone to `remote` and to keep what comes.
    pub(crate) fn start(&mut self, remote: SocketAddr, frequency_hz: f64, level_db: f64) {
        // One second holds a whole number of periods of every whole frequency, so that it can be repeated.
        self.play(remote, &tone::sine(frequency_hz, level_db, 1.0));
    }

    /// Begins to send `audio` to `remote`, again and again, and to keep what comes.
    pub(crate) fn play(&mut self, remote: SocketAddr, audio: &[f64]) {
        let socket = self.socket.try_clone().expect("a socket can be shared");
        let stop = Arc::clone(&self.stop);
        let audio: Vec<u8> = audio.iter().map(|&sample| mu_law(sample)).collect();
        self.thread = Some(std::thread::spawn(move || stream(&socket, remote, &audio, &stop)));
    }

    /// Ends the stream and returns every packet that came, in the order of arrival.
    pub(crate) fn stop(self) -> Vec<RtpArrived> {
        self.stop_both().arrived
    }

    /// Ends the stream and tells of both directions.
    pub(crate) fn stop_both(mut self) -> Exchanged {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("the stream was started");
        thread.join().expect("the stream's thread does not panic")
    }
}

impl Drop for RtpPeer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The audio of packets in their order.
pub(crate) fn decode(packets: &[RtpArrived]) -> Vec<f64> {
    packets.iter().flat_map(|packet| packet.payload.iter().map(|&byte| from_mu_law(byte))).collect()
}

fn stream(socket: &UdpSocket, remote: SocketAddr, audio: &[u8], stop: &AtomicBool) -> Exchanged {
    let mut exchanged = Exchanged::default();
    let start = Instant::now();
    let mut buffer = [0; 2048];
    for (sequence, payload) in (0_u16..).zip(audio.chunks_exact(160).cycle()) {
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
        packet.extend_from_slice(&SSRC.to_be_bytes());
        packet.extend_from_slice(payload);
        exchanged.sent.push(Instant::now());
        // Gone when the call is over; the test looks at what came back.
        let _ = socket.send_to(&packet, remote);
        let next = start + Duration::from_millis(20) * (u32::from(sequence) + 1);
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("a time-out can be set");
            if let Ok(length) = socket.recv(&mut buffer) {
                exchanged.arrived.extend(parse(&buffer[..length]));
            }
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    exchanged
}

fn parse(packet: &[u8]) -> Option<RtpArrived> {
    let (header, payload) = packet.split_at_checked(12)?;
    (header[0] == 0x80).then(|| RtpArrived {
        at: Instant::now(),
        sequence: u16::from_be_bytes([header[2], header[3]]),
        timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        payload_type: header[1] & 0x7f,
        payload: payload.to_vec(),
    })
}

/// G.711 µ-law by its definition (segments of doubling step), not by the table that the server uses.
pub(crate) fn mu_law(sample: f64) -> u8 {
    let magnitude = (sample.abs() * 8_192.0).min(8_158.0) + 33.0;
    let segment = (magnitude.log2().floor() as u32).saturating_sub(5).min(7);
    let step = ((magnitude / f64::from(1_u32 << (segment + 1))) as u32).saturating_sub(16).min(15);
    let sign = if sample < 0.0 { 0x80 } else { 0 };
    !(sign | (segment << 4) | step) as u8
}

/// The sample of a µ-law byte.
pub(crate) fn from_mu_law(byte: u8) -> f64 {
    let code = u32::from(!byte);
    let (segment, step) = ((code >> 4) & 7, code & 15);
    let magnitude = f64::from(((2 * step + 33) << segment) - 33) / 8_192.0;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

const SSRC: u32 = 0x0ca1_1e4f;
