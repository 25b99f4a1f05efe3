//! The RTP of one call that is watched: a tone of 20 ms packets out, and what comes back with the kernel's time of its
//! arrival, so that the reader's own delays do not count.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use caly::engine::sockets::{DatagramSocket, Purpose, Received};

use super::rtp_peer::{RtpArrived, mu_law};
use super::tone;

/// A socket that listens and, once it was started, sends.
pub(crate) struct RtpLine {
    socket: Arc<DatagramSocket>,
    next: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<RtpArrived>>>,
}

impl RtpLine {
    /// On a free port of 127.0.0.1; nothing is sent yet.
    pub(crate) fn new() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = DatagramSocket::bind(any, Purpose::Media).expect("a free UDP port");
        Self { socket: Arc::new(socket), next: Arc::default(), stop: Arc::default(), thread: None }
    }

    /// Its own address, for the offer.
    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    /// Begins to send a tone to `remote`, or goes on with it, and to keep what comes.
    pub(crate) fn start(&mut self, remote: SocketAddr, frequency_hz: f64) {
        // One second holds a whole number of periods of every whole frequency, so that it can be repeated.
        self.play(remote, &tone::sine(frequency_hz, SPEECH_DB, 1.0));
    }

    /// Begins to send `audio` to `remote`, again and again, and to keep what comes.
    pub(crate) fn play(&mut self, remote: SocketAddr, audio: &[f64]) {
        let audio: Vec<u8> = audio.iter().map(|&sample| mu_law(sample)).collect();
        let (mut at, count) = (0, audio.len() / FRAME_BYTES);
        self.converse(remote, move |_| {
            let payload = audio[at * FRAME_BYTES..][..FRAME_BYTES].to_vec();
            at = (at + 1) % count;
            payload
        });
    }

    /// Begins to send to `remote` what is said to what comes: told of the packets since it was asked last, `say` has the next 20 ms.
    pub(crate) fn converse(
        &mut self,
        remote: SocketAddr,
        say: impl FnMut(&[RtpArrived]) -> Vec<u8> + Send + 'static,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        let stream = Stream {
            socket: Arc::clone(&self.socket),
            next: Arc::clone(&self.next),
            stop: Arc::clone(&stop),
            remote,
            say: Box::new(say),
        };
        self.stop = stop;
        self.thread = Some(std::thread::spawn(move || stream.run()));
    }

    /// The sequence number that comes next.
    pub(crate) fn next_sequence(&self) -> u16 {
        self.next.load(Ordering::Relaxed)
    }

    /// Ends the tone and tells what was heard since it began, in the order of arrival.
    pub(crate) fn stop(&mut self) -> Vec<RtpArrived> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("the tone was begun");
        thread.join().expect("the line's thread does not panic")
    }
}

impl Drop for RtpLine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A packet of the one stream that every line sends.
pub(crate) fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet.extend_from_slice(&SSRC.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// What a line's thread works with.
struct Stream {
    socket: Arc<DatagramSocket>,
    next: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    remote: SocketAddr,
    say: Speaker,
}

/// Told of what came, has the next 20 ms.
type Speaker = Box<dyn FnMut(&[RtpArrived]) -> Vec<u8> + Send>;

impl Stream {
    fn run(mut self) -> Vec<RtpArrived> {
        let (mut heard, mut known) = (Vec::new(), 0);
        let mut due = Instant::now();
        loop {
            let payload = (self.say)(&heard[known..]);
            known = heard.len();
            let sequence = self.next.load(Ordering::Relaxed);
            // Gone when the call is over; the test looks at what came back.
            let _ = self.socket.send(&packet(sequence, &payload), self.remote);
            self.next.store(sequence.wrapping_add(1), Ordering::Relaxed);
            due += FRAME;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.listen(&mut heard);
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        heard
    }

    fn listen(&self, heard: &mut Vec<RtpArrived>) {
        let mut buffer = [0; 2048];
        while let Ok(Some(received)) = self.socket.receive(&mut buffer) {
            heard.extend(parse(&received, &buffer[..received.len]));
        }
    }
}

fn parse(received: &Received, packet: &[u8]) -> Option<RtpArrived> {
    let (header, payload) = packet.split_at_checked(12)?;
    (header[0] == 0x80).then(|| RtpArrived {
        at: instant_of(received.stamp.expect("media sockets stamp what they receive")),
        sequence: u16::from_be_bytes([header[2], header[3]]),
        timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        payload_type: header[1] & 0x7f,
        payload: payload.to_vec(),
    })
}

/// The monotonic time of a moment that has just passed on the wall clock.
fn instant_of(stamp: Duration) -> Instant {
    let ago = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + stamp).unwrap_or_default();
    Instant::now() - ago
}

const FRAME: Duration = Duration::from_millis(20);
/// 20 ms of µ-law.
const FRAME_BYTES: usize = 160;
/// Loud enough to be told from silence, and not clipped.
const SPEECH_DB: f64 = -12.0;
const SSRC: u32 = 0x0ca1_1e4e;
