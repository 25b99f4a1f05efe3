//! The RTP side of many callers in one thread: 50 packets a second from each, every one on its own socket and at its own
//! phase. What comes back is read and written down with the kernel's time of its arrival.
//!
//! sipp speaks SIP for them. Its own `rtp_stream` reads nothing, so that the kernel drops what the server sends, and
//! sends in clumps.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use caly::engine::clock::Clock;
use caly::engine::sockets::{DatagramSocket, Purpose};

/// Callers that send and listen until they are stopped.
pub(crate) struct RtpCallers {
    ports: Vec<u16>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Conversation>>,
}

/// Where the callers send to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    /// To wherever their first packet comes from.
    Answering,
    /// To this address, and at once.
    At(SocketAddr),
}

/// What the callers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// They hum.
    Hum,
    /// They listen, and press `*` every five seconds.
    PressKeys,
    /// They say nothing; their line is not quite silent.
    Wait,
    /// They say this over and over, in G.711, each beginning elsewhere in it.
    Say(&'static [[u8; PAYLOAD_BYTES]]),
}

/// All that was sent and heard.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// Packets sent.
    pub(crate) sent: u64,
    /// Packets that were heard, in the order in which they were read.
    pub(crate) heard: Vec<Heard>,
}

/// One packet that was heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// When the kernel took it in, since the Unix epoch.
    pub(crate) at: Duration,
    pub(crate) caller: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

impl RtpCallers {
    /// Binds a port for each of `count` callers and begins. `patience` is how long they will be needed at most; it
    /// only reserves memory.
    pub(crate) fn start(count: usize, callee: Callee, habit: Habit, patience: Duration) -> Self {
        let callers: Vec<Caller> = (0..count).map(|number| Caller::new(number, callee, habit)).collect();
        let ports = callers.iter().map(|caller| caller.socket.local().port()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let packets = count * (patience.as_millis() / FRAME.as_millis()) as usize;
        let conversation = Conversation { sent: 0, heard: Vec::with_capacity(packets) };
        let thread = std::thread::Builder::new()
            .name("rtp-callers".to_owned())
            .spawn(move || talk(callers, conversation, &is_over))
            .expect("a thread for the callers");
        Self { ports, stop, thread: Some(thread) }
    }

    /// The ports at which they listen, one for each.
    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Falls silent and tells what was heard.
    pub(crate) fn stop(mut self) -> Conversation {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().expect("the callers' thread does not panic")
    }
}

impl Drop for RtpCallers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Caller {
    number: u32,
    socket: DatagramSocket,
    callee: Option<SocketAddr>,
    habit: Habit,
    packet: [u8; PACKET_BYTES],
    sequence: u16,
    timestamp: u32,
    /// Packets since the call began.
    ticks: u32,
}

impl Caller {
    fn new(number: usize, callee: Callee, habit: Habit) -> Self {
        let number = u32::try_from(number).expect("fewer callers than that");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = DatagramSocket::bind(any, Purpose::Media).expect("a free UDP port");
        let callee = match callee {
            Callee::Answering => None,
            Callee::At(address) => Some(address),
        };
        let mut packet = [0; PACKET_BYTES];
        packet[0] = 0x80;
        packet[8..12].copy_from_slice(&(0x5eed_0000 + number).to_be_bytes());
        for (index, byte) in packet[12..].iter_mut().enumerate() {
            *byte = match habit {
                // No two frames alike, and neither silent nor loud: codes of some hundred to some thousand.
                Habit::Hum => 0xa0 + ((index * 7 + number as usize) % 24) as u8,
                // The noise of a line, some units.
                Habit::PressKeys | Habit::Wait | Habit::Say(_) => {
                    0xfc + ((index * 7 + number as usize) % 4) as u8
                }
            };
        }
        Self { number, socket, callee, habit, packet, sequence: 0, timestamp: 0, ticks: 0 }
    }

    fn hear(&mut self, heard: &mut Vec<Heard>) {
        let mut buffer = [0; 512];
        while let Ok(Some(received)) = self.socket.receive(&mut buffer) {
            let Some(([_, kind, s0, s1, t0, t1, t2, t3], _)) = buffer.split_first_chunk::<8>() else {
                return;
            };
            // RTCP goes to the port above, which may be another caller's.
            let is_rtp = received.len >= 12 && !(192..=223).contains(kind);
            if !is_rtp || self.callee.is_some_and(|callee| callee != received.source) {
                continue;
            }
            self.callee = Some(received.source);
            heard.push(Heard {
                at: received.stamp.expect("media sockets stamp what they receive"),
                caller: self.number,
                sequence: u16::from_be_bytes([*s0, *s1]),
                timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
            });
        }
    }

    fn speak(&mut self) -> u64 {
        let Some(callee) = self.callee else { return 0 };
        let sent = match self.key() {
            Some(event) => self.socket.send(&event, callee),
            None => {
                self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
                self.packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
                if let Habit::Say(frames) = self.habit {
                    let place = self.ticks as usize + self.number as usize * STAGGER_FRAMES;
                    self.packet[12..].copy_from_slice(&frames[place % frames.len()]);
                }
                self.socket.send(&self.packet, callee)
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.ticks += 1;
        // After the call nobody listens any more.
        u64::from(sent.is_ok())
    }

    /// The packet of a key (RFC 4733), if one is pressed in this tick: 100 ms of it, and its end three times.
    fn key(&self) -> Option<[u8; EVENT_BYTES]> {
        let tick = self.ticks % TICKS_BETWEEN_KEYS;
        if self.habit != Habit::PressKeys || self.ticks < TICKS_BETWEEN_KEYS || tick >= KEY_TICKS + 3 {
            return None;
        }
        let begun = self.timestamp.wrapping_sub(160 * tick);
        let (end, held) = (tick >= KEY_TICKS, 160 * (tick + 1).min(KEY_TICKS) as u16);
        let mut event = [0; EVENT_BYTES];
        event[..12].copy_from_slice(&self.packet[..12]);
        event[1] = DTMF_PAYLOAD_TYPE | if tick == 0 { 0x80 } else { 0 };
        event[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        event[4..8].copy_from_slice(&begun.to_be_bytes());
        event[12] = STAR;
        event[13] = if end { 0x8a } else { 0x0a };
        event[14..16].copy_from_slice(&held.to_be_bytes());
        Some(event)
    }
}

/// Wakes up each millisecond for the callers whose phase it is.
fn talk(mut callers: Vec<Caller>, mut conversation: Conversation, is_over: &AtomicBool) -> Conversation {
    let clock = Clock::new();
    let start = clock.now();
    let phases = FRAME.as_millis() as usize;
    let mut served = 0_u32;
    while !is_over.load(Ordering::Relaxed) {
        clock.sleep_until(start + STEP * served);
        while start + STEP * served <= Instant::now() {
            let phase = served as usize % phases;
            for caller in callers.iter_mut().skip(phase).step_by(phases) {
                caller.hear(&mut conversation.heard);
                conversation.sent += caller.speak();
            }
            served += 1;
        }
    }
    conversation
}

const FRAME: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_millis(1);
/// A header and 20 ms of G.711.
const PACKET_BYTES: usize = 12 + PAYLOAD_BYTES;
const PAYLOAD_BYTES: usize = 160;
/// So much later in what it says is each caller than the one before.
const STAGGER_FRAMES: usize = 37;
/// A header and one event.
const EVENT_BYTES: usize = 12 + 4;
/// As the scenarios offer it.
const DTMF_PAYLOAD_TYPE: u8 = 101;
/// Event 10 is `*` (RFC 4733 3.2).
const STAR: u8 = 10;
const KEY_TICKS: u32 = 5;
/// 5 s.
const TICKS_BETWEEN_KEYS: u32 = 250;
