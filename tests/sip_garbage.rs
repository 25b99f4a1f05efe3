//! Garbage on the SIP port while a call is up: the call hears none of it.

mod common;

use std::time::Duration;

use common::caller::{Caller, offer};
use common::rtp_peer::{self, RtpArrived, RtpPeer};
use common::seeded::SplitMix;
use common::server::Server;
use common::sip_text::SipText;
use common::sipp::Transport;
use common::socket::UdpPeer;
use common::{tone, wait};

#[test]
fn garbage_of_every_kind_leaves_a_running_call_alone() {
    let mut server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let mut media = RtpPeer::new();
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    peer.send(caller.invite(&offer(media.local())));
    let answer = peer.expect_status(200).text();
    peer.send(caller.ack(&answer));
    media.start(answer.rtp_address(), 1_000.0, SAID_DB);

    let stranger = UdpPeer::new(server.sip());
    let mut prober = Caller::new("echo", server.sip(), stranger.local(), Transport::Udp);
    for kind in garbage(&mut caller) {
        for datagram in kind {
            stranger.send(datagram);
        }
        wait_until_worked_through(&stranger, &mut prober);
    }
    assert!(server.is_alive());

    // A second of undisturbed call, to hear whether the echo is still whole.
    wait::last(Duration::from_secs(1));
    peer.send(caller.bye(&answer));
    peer.expect("the 200 to BYE", |text| text.values("CSeq") == ["2 BYE"] && text.status() == 200);
    assert_undisturbed(&media.stop());
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye", "one call, ended by its caller");
}

/// What was sent before is worked through once the server answers this; what it says to garbage is passed over. The
/// question is repeated, since the kernel drops datagrams that a server without a core has no room for.
#[track_caller]
fn wait_until_worked_through(stranger: &UdpPeer, prober: &mut Caller) {
    let question = SipText::new(prober.options().as_bytes());
    wait::until("the answer to OPTIONS", Duration::from_secs(10), || {
        stranger.send(question.as_str());
        let answers = std::iter::from_fn(|| stranger.receive(Duration::from_millis(300)));
        let texts = answers.map(|arrived| arrived.text());
        let same = |text: &SipText, name| text.values(name) == question.values(name);
        let is_answer = |text: &SipText| text.status() == 200 && same(text, "Call-ID") && same(text, "CSeq");
        texts.take(MANY).any(|text| is_answer(&text)).then_some(())
    });
}

/// The echo came back whole: no packet lost, no other audio.
#[track_caller]
fn assert_undisturbed(packets: &[RtpArrived]) {
    assert!(packets.len() >= 50, "{} packets", packets.len());
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "a packet is missing");
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
    let audio = rtp_peer::decode(packets);
    let end = &audio[audio.len() - 8_000 / 2..];
    assert!((tone::tone_db(end, 1_000.0) - SAID_DB).abs() < 1.0, "{} dB", tone::tone_db(end, 1_000.0));
}

/// Lists of datagrams, each a kind of its own. `caller` is in the call that must not be harmed.
fn garbage(caller: &mut Caller) -> Vec<Vec<Vec<u8>>> {
    let good = caller.request("OPTIONS", "", "", "").into_bytes();
    let text = String::from_utf8_lossy(&good).into_owned();
    let status_line = |line: &str| [line, &text[text.find("\r\n").unwrap_or(0)..]].concat().into_bytes();
    let replaced = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let long = "a".repeat(60_000);
    let mut random = SplitMix(20_261_121);
    let noise = (0..200).map(|_| random.bytes(1_200)).collect();
    let mutations = (0..500).map(|_| random.damage(&good)).collect();
    let cuts = (0..good.len()).step_by(7).map(|length| good[..length].to_vec()).collect();
    vec![
        vec![Vec::new(), b"\r\n\r\n".to_vec(), b"\0".to_vec(), vec![0; 60_000], vec![0xff; 1_400]],
        noise,
        mutations,
        cuts,
        // RTP, STUN and DTLS that lost their way.
        vec![
            [&[0x80, 0, 0, 1], &[0; 168][..]].concat(),
            [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], &[7; 12][..]].concat(),
        ],
        vec![[&[22, 0xfe, 0xfd], &[0; 60][..]].concat(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()],
        vec![
            replaced("Content-Length: 0", "Content-Length: -1"),
            replaced("Content-Length: 0", "Content-Length: 99999999999999999999"),
            replaced("Content-Length: 0", "Content-Length: 7\r\nContent-Length: 8"),
            replaced("CSeq: ", "CSeq: 99999999999"),
            replaced("Max-Forwards: 70", "Max-Forwards: 4294967296"),
            replaced("SIP/2.0\r\n", "SIP/7.0\r\n"),
            replaced("Via: ", "Via: ,,,;;;"),
            replaced("From: ", "From: \u{0}"),
            replaced("To: <sip:", "To: <sip:%%%%"),
            replaced("Call-ID: ", &format!("Call-ID: {long}")),
            replaced("Max-Forwards: 70", &format!("Max-Forwards: 70\r\nX-Long: {long}")),
            replaced("Max-Forwards: 70\r\n", &"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n".repeat(1_000)),
            replaced("Max-Forwards: 70\r\n", &"X: y\r\n".repeat(9_000)),
        ],
        // Requests of the running call from somebody who does not know its tags, and responses nobody asked for.
        vec![
            caller.request("BYE", ";tag=guessed", "", "").into_bytes(),
            caller.request("CANCEL", "", "", "").into_bytes(),
            caller.request("ACK", ";tag=guessed", "", "").into_bytes(),
            status_line("SIP/2.0 200 OK"),
            status_line("SIP/2.0 999 What"),
            status_line("SIP/2.0 -20 Minus"),
        ],
    ]
}

/// More responses than any kind of garbage here can provoke.
const MANY: usize = 2_000;
/// What the caller says, in dB below full scale.
const SAID_DB: f64 = -10.0;
