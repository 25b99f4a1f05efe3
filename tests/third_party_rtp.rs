//! RTP from somebody who is not the peer, while a call is up: it is neither heard nor answered, even with the peer's
//! SSRC and the sequence numbers that come next, and the call's log tells of it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use common::raw_call::RawCall;
use common::records::{assert_whole, count, events_of, leg_quality, text};
use common::rtp_peer::RtpArrived;
use common::server::Server;
use common::stalls::StallWatch;
use common::{rtp_line, rtp_peer, tone, wait};

#[test]
fn nobody_but_the_peer_is_heard_or_answered() {
    let server = Server::start();
    let watch = StallWatch::start(server.pid());
    let call = RawCall::speaking(server.sip(), "echo", PEER_HZ);
    // The other one shares the peer's address and only its port is another.
    let strangers = [Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::LOCALHOST].map(Stranger::new);
    wait::last(Duration::from_millis(500));
    for _ in 0..BURSTS {
        strangers.iter().for_each(|stranger| stranger.burst(&call));
        wait::last(Duration::from_millis(70));
    }
    wait::last(Duration::from_millis(500));

    let call_id = call.call_id();
    let heard = call.hang_up();
    watch.stop().assert_unbroken("the peer", &heard, 100);
    let audio = rtp_peer::decode(&heard[25..]);
    let (own, foreign) = (tone::tone_db(&audio, PEER_HZ), tone::tone_db(&audio, STRANGER_HZ));
    assert!(own > -15.0 && foreign < -50.0, "own {own} dB, the strangers' {foreign} dB");
    for stranger in &strangers {
        assert!(!stranger.was_answered());
    }

    let records = server.records();
    let ended = records.call_of(&records.ended_calls(1), &call_id);
    assert_eq!(assert_whole(&ended)["cause"], "remote_bye");
    let told = events_of(&ended, "foreign_source");
    let mut sources: Vec<&str> = told.iter().map(|event| text(event, "source")).collect();
    sources.sort_unstable();
    let mut expected = strangers.map(|stranger| stranger.address());
    expected.sort_unstable();
    assert_eq!(sources, expected, "each of them is told of once");
    let sent = expected.len() * BURSTS * BURST_PACKETS;
    assert_eq!(count(&leg_quality(&ended), "foreign"), sent as u64);
    assert_eq!(events_of(&ended, "latched").len(), 1);
}

#[test]
fn a_flood_of_strangers_packets_does_not_silence_a_call() {
    let server = Server::start();
    let watch = StallWatch::start(server.pid());
    let call = RawCall::speaking(server.sip(), "echo", PEER_HZ);
    wait::last(Duration::from_millis(500));
    let begun = Instant::now();
    let flooded = Stranger::new(Ipv4Addr::new(127, 0, 0, 55)).flood(&call);
    let ended = Instant::now();
    wait::last(Duration::from_millis(200));

    let call_id = call.call_id();
    let heard: Vec<RtpArrived> =
        call.hang_up().into_iter().filter(|packet| packet.at > begun && packet.at < ended).collect();
    let stalled = watch.stop().between(begun, ended);
    let frames = (ended - begun).as_millis() / 20;
    let is_voice = |packet: &&RtpArrived| {
        tone::tone_db(&rtp_peer::decode(std::slice::from_ref(*packet)), PEER_HZ) > -20.0
    };
    let voice = heard.iter().filter(is_voice).count() as u128;
    // A machine that stands still for longer than the kernel's buffer lasts loses what comes meanwhile.
    let excused = stalled.as_millis() * 2 / 20;
    assert!(
        (voice + excused) * 100 >= frames * 95,
        "{voice} of {frames} frames are voice beside {flooded} packets; the machine stood still for {stalled:?}"
    );

    let records = server.records();
    let ended = records.call_of(&records.ended_calls(1), &call_id);
    assert_eq!(assert_whole(&ended)["cause"], "remote_bye");
    let (counted, sent) = (count(&leg_quality(&ended), "foreign"), flooded as u64);
    assert!(counted <= sent && counted * 2 >= sent, "{counted} of {sent} were seen");
}

/// Sends what the peer would send next, but for its audio.
struct Stranger {
    socket: UdpSocket,
    audio: Vec<u8>,
}

impl Stranger {
    fn new(address: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let audio = tone::sine(STRANGER_HZ, -6.0, 1.0).into_iter().map(rtp_peer::mu_law).collect();
        Self { socket, audio }
    }

    fn burst(&self, call: &RawCall) {
        let next = call.rtp().next_sequence();
        for (ahead, payload) in (0..).zip(self.audio.chunks_exact(160).take(BURST_PACKETS)) {
            let packet = rtp_line::packet(next.wrapping_add(ahead), payload);
            self.socket.send_to(&packet, call.remote_rtp()).unwrap();
        }
    }

    /// 30 packets in each millisecond, for two seconds; returns how many.
    fn flood(&self, call: &RawCall) -> usize {
        let packet = rtp_line::packet(call.rtp().next_sequence(), &self.audio[..160]);
        let (begun, mut sent) = (Instant::now(), 0);
        while begun.elapsed() < FLOOD_TIME {
            let next = Instant::now() + Duration::from_millis(1);
            for _ in 0..PACKETS_PER_MS {
                sent += usize::from(self.socket.send_to(&packet, call.remote_rtp()).is_ok());
            }
            wait::last(next.saturating_duration_since(Instant::now()));
        }
        sent
    }

    fn was_answered(&self) -> bool {
        self.socket.recv(&mut [0; 16]).is_ok()
    }

    fn address(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }
}

/// A frame holds whole periods of it, so that a frame more or less does not bend the tone.
const PEER_HZ: f64 = 450.0;
const STRANGER_HZ: f64 = 1_900.0;
const BURSTS: usize = 30;
/// 200 ms of audio at once: more than the jitter buffer holds.
const BURST_PACKETS: usize = 10;
/// 30,000 packets a second from one stranger.
const PACKETS_PER_MS: usize = 30;
const FLOOD_TIME: Duration = Duration::from_secs(2);
