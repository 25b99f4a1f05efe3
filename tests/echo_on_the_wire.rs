//! The echo as its RTP packets show it: byte for byte what was sent, one packet every 20 ms, a jitter buffer later.

mod common;

use std::time::Duration;

use common::caller::{Caller, offer};
use common::rtp_peer::{Exchanged, RtpArrived, RtpPeer, mu_law};
use common::server::ServerSetup;
use common::sipp::Transport;
use common::socket::UdpPeer;
use common::{tone, wait};

#[test]
fn what_was_sent_comes_back_byte_for_byte_after_the_jitter_buffer() {
    for jitter_ms in [20, 100] {
        let sweep = tone::sweep(300.0, 3_000.0, -10.0, 8.0);
        let Exchanged { sent, arrived } = echo_call(jitter_ms, &sweep);
        let payloads: Vec<Vec<u8>> =
            sweep.chunks(160).map(|frame| frame.iter().map(|&s| mu_law(s)).collect()).collect();
        let delays: Vec<Duration> = arrived
            .iter()
            .filter_map(|packet| {
                let number = payloads.iter().position(|payload| *payload == packet.payload)?;
                Some(packet.at.saturating_duration_since(*sent.get(number)?))
            })
            .collect();
        assert!(
            delays.len() * 10 >= sent.len() * 9,
            "{} of {} packets came back whole",
            delays.len(),
            sent.len()
        );
        // The buffer, up to a tick until the next packet leaves, and what this machine's scheduler adds.
        let (least, typical) = (delays.iter().min(), median(delays.clone()));
        let expected = Duration::from_millis(jitter_ms);
        assert!(least.is_some_and(|least| *least >= expected / 2), "{least:?} with {jitter_ms} ms");
        let allowed = expected / 2..expected + Duration::from_millis(60);
        assert!(allowed.contains(&typical), "{typical:?} with {jitter_ms} ms");
    }
}

#[test]
fn packets_leave_evenly_and_numbered_without_a_hole() {
    let Exchanged { arrived, .. } = echo_call(60, &tone::sine(1_000.0, -10.0, 1.0));
    for pair in arrived.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!((after.ssrc, after.payload_type, after.payload.len()), (before.ssrc, 0, 160));
        // More than one step only where the machine stood still and ticks were skipped.
        let step = after.timestamp.wrapping_sub(before.timestamp);
        assert!(step >= 160 && step % 160 == 0, "timestamp went on by {step}");
    }
    let gaps: Vec<Duration> = arrived.windows(2).map(|pair: &[RtpArrived]| pair[1].at - pair[0].at).collect();
    let typical = median(gaps);
    assert!((Duration::from_millis(18)..Duration::from_millis(22)).contains(&typical), "{typical:?}");
}

/// Two seconds of call over plain sockets.
fn echo_call(jitter_ms: u64, audio: &[f64]) -> Exchanged {
    let server = ServerSetup::default().config(&format!("[rtp]\njitter_ms = {jitter_ms}")).start();
    let peer = UdpPeer::new(server.sip());
    let mut media = RtpPeer::new();
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    peer.send(caller.invite(&offer(media.local())));
    let answer = peer.expect_status(200).text();
    peer.send(caller.ack(&answer));
    media.play(answer.rtp_address(), audio);
    wait::last(Duration::from_secs(2));
    let exchanged = media.stop_both();
    peer.send(caller.bye(&answer));
    peer.expect("the 200 to BYE", |text| text.header("CSeq") == "2 BYE");
    server.ended_call();
    exchanged
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}
