//! RTCP between two sessions: what one reports of the other's packets is what happened to them, and reports are neither too
//! many nor too few (RFC 3550 section 6).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use std::time::{Duration, Instant};

use network::{Link, Talker, address, at, config, events, media, peer, session, tick};

use caly_rtp::latch::LatchPolicy;
use caly_rtp::packet::Ssrc;
use caly_rtp::quality::Quality;
use caly_rtp::rtcp::{Compound, RtcpPacket};
use caly_rtp::session::{Event, MediaConfig, Session, SessionConfig};

/// One side of a call and the network towards it.
struct Side {
    session: Session,
    host: &'static str,
    rtp: Link,
    rtcp: Link,
    /// When reports went out, and whether they were a sender's.
    reports: Vec<(Instant, bool)>,
}

impl Side {
    fn new(seed: u64, host: &'static str, towards: &str) -> Self {
        let media = MediaConfig {
            remote_rtp: Some(address(&format!("{towards}:4000"))),
            remote_rtcp: Some(address(&format!("{towards}:4001"))),
            ..media()
        };
        let config = SessionConfig { media, latch: LatchPolicy::default(), ..config() };
        Self {
            session: Session::new(config, seed, at(0)),
            host,
            rtp: Link::new(seed, Duration::from_millis(20)),
            rtcp: Link::new(seed, Duration::from_millis(20)),
            reports: Vec::new(),
        }
    }

    fn speak(&mut self, now: Instant, other: &mut Link) {
        if let Some(outgoing) = self.session.send(now, &[500; 160]) {
            other.send(now, outgoing.datagram);
        }
    }

    fn report(&mut self, now: Instant, other: &mut Link) {
        if let Some(outgoing) = self.session.poll_rtcp(now) {
            let first = Compound::new(outgoing.datagram).next();
            self.reports.push((now, matches!(first, Some(Ok(RtcpPacket::SenderReport { .. })))));
            assert_eq!(outgoing.destination.port(), 4001);
            other.send(now, outgoing.datagram);
        }
    }

    fn listen(&mut self, now: Instant, from: &str) {
        for (arrival, datagram) in self.rtp.arrived(now) {
            self.session.handle_rtp(arrival, address(&format!("{from}:4000")), &datagram);
        }
        for (arrival, datagram) in self.rtcp.arrived(now) {
            self.session.handle_rtcp(arrival, address(&format!("{from}:4001")), &datagram);
        }
        while self.session.next_in_order(now).is_some() {}
    }
}

struct Call {
    one: Side,
    two: Side,
}

impl Call {
    fn new() -> Self {
        Self { one: Side::new(11, "192.0.2.1", "192.0.2.2"), two: Side::new(22, "192.0.2.2", "192.0.2.1") }
    }

    fn run(&mut self, ticks: std::ops::Range<u64>) {
        for number in ticks {
            let now = tick(number);
            let Self { one, two } = self;
            one.speak(now, &mut two.rtp);
            two.speak(now, &mut one.rtp);
            one.report(now, &mut two.rtcp);
            two.report(now, &mut one.rtcp);
            one.listen(now, two.host);
            two.listen(now, one.host);
        }
    }

    fn qualities(&self) -> (Quality, Quality) {
        (self.one.session.quality(), self.two.session.quality())
    }
}

#[test]
fn both_sides_measure_a_round_trip_of_40_ms_and_no_loss() {
    let mut call = Call::new();
    call.run(0..60 * 50);
    let (one, two) = call.qualities();
    for quality in [one, two] {
        let round_trip = quality.round_trip.unwrap();
        assert!(
            round_trip.abs_diff(Duration::from_millis(40)) < Duration::from_micros(100),
            "{round_trip:?}"
        );
        let reported = quality.sent.reported.unwrap();
        assert_eq!((reported.lost, reported.jitter), (0, Duration::ZERO));
        assert!(reported.mos > 4.4 && quality.received.mos > 4.4);
        assert_eq!(quality.received.packets, 60 * 50 - 1, "one is under way");
        assert_eq!(quality.sent.packets, 60 * 50);
        assert_eq!(quality.refused, Default::default());
    }
}

#[test]
fn the_sender_learns_of_the_loss_that_its_packets_meet() {
    let mut call = Call::new();
    call.two.rtp.loss_percent = 5;
    call.run(0..120 * 50);
    let (one, two) = call.qualities();
    let lost = two.received.lost;
    assert_eq!(lost, call.two.rtp.lost);
    assert!((240..=360).contains(&lost), "{lost}");
    // What the last report could not know yet was lost in the seconds after it.
    let reported = one.sent.reported.unwrap();
    assert!(reported.lost <= lost && reported.lost + 40 >= lost, "{} of {lost}", reported.lost);
    assert!((reported.loss_percent - 5.0).abs() < 1.0, "{}", reported.loss_percent);
    assert!((3.7..4.1).contains(&reported.mos) && (3.7..4.1).contains(&two.received.mos));
    assert_eq!((one.received.lost, two.sent.reported.unwrap().lost), (0, 0), "the other way is clean");
    assert!(two.received.concealed_ms >= lost * 20);
}

#[test]
fn jitter_is_measured_where_it_is_and_reported_to_where_it_comes_from() {
    let mut call = Call::new();
    call.two.rtp.jitter_ms = 30;
    call.run(0..60 * 50);
    let (one, two) = call.qualities();
    // Two independent delays of 0-30 ms differ by 10 ms on average, by 25 ms at most in 95 of 100.
    let jitter = two.received.jitter.as_secs_f64() * 1_000.0;
    assert!((6.0..14.0).contains(&jitter), "{jitter}");
    assert!((7..=11).contains(&two.received.jitter_p50_ms), "{}", two.received.jitter_p50_ms);
    assert!((20..=27).contains(&two.received.jitter_p95_ms), "{}", two.received.jitter_p95_ms);
    assert!((26..=31).contains(&two.received.jitter_max_ms), "{}", two.received.jitter_max_ms);
    let reported = one.sent.reported.unwrap().jitter.as_secs_f64() * 1_000.0;
    assert!((5.0..15.0).contains(&reported), "{reported}");
    assert_eq!(one.received.jitter_max_ms, 0);
}

#[test]
fn reports_come_every_two_to_six_seconds_and_the_two_sides_are_out_of_step() {
    let mut call = Call::new();
    call.run(0..300 * 50);
    for side in [&call.one, &call.two] {
        let waits: Vec<f64> =
            side.reports.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect();
        assert!(side.reports[0].0 - at(0) < Duration::from_millis(3_100));
        assert!(waits.iter().all(|wait| (2.0..6.2).contains(wait)), "{waits:?}");
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        assert!((3.3..4.9).contains(&mean), "5 s over e - 3/2: {mean}");
        assert!(side.reports.iter().all(|(_, is_senders)| *is_senders));
    }
    assert_ne!(call.one.reports, call.two.reports);
}

#[test]
fn who_stops_sending_becomes_a_receiver_and_says_so() {
    let mut call = Call::new();
    call.run(0..30 * 50);
    let held =
        MediaConfig { direction: caly_rtp::session::Direction::RecvOnly, ..call.one.session.media().clone() };
    call.one.session.renegotiate(tick(30 * 50), held);
    call.run(30 * 50..90 * 50);
    let kinds: Vec<bool> = call.one.reports.iter().map(|(_, is_senders)| *is_senders).collect();
    let (last, before) = kinds.split_last().unwrap();
    assert!(!last && before.first() == Some(&true), "{kinds:?}");
    assert!(call.two.reports.iter().all(|(_, is_senders)| *is_senders));
}

#[test]
fn a_goodbye_reaches_the_other_side_once() {
    let mut call = Call::new();
    call.run(0..500);
    events(&mut call.two.session);
    let goodbye = call.one.session.goodbye(tick(500)).unwrap();
    assert_eq!(goodbye.destination, address("192.0.2.2:4001"));
    let datagram = goodbye.datagram.to_vec();
    for _ in 0..2 {
        call.two.session.handle_rtcp(tick(501), address("192.0.2.1:4001"), &datagram);
    }
    assert_eq!(events(&mut call.two.session), [Event::RemoteBye]);
}

#[test]
fn a_goodbye_of_another_source_is_none() {
    let mut session = session();
    session.handle_rtp(tick(0), peer(), &Talker::new(7).audio(&[0; 160]));
    events(&mut session);
    session.handle_rtcp(tick(1), address("198.51.100.7:4001"), &[0x81, 203, 0, 1, 0, 0, 0, 8]);
    assert_eq!(events(&mut session), []);
}

#[test]
fn reports_go_to_where_the_peers_rtcp_is() {
    let destination = |rtcp: Option<&str>, rtp_source: &str, rtcp_source: Option<&str>| {
        let mut config = config();
        config.media.remote_rtcp = rtcp.map(address);
        let mut session = Session::new(config, 1, at(0));
        let mut talker = Talker::new(7);
        for number in 0..5 {
            session.handle_rtp(tick(number), address(rtp_source), &talker.audio(&[0; 160]));
        }
        if let Some(source) = rtcp_source {
            session.handle_rtcp(tick(5), address(source), &[0x80, 201, 0, 1, 0, 0, 0, 7]);
        }
        session.poll_rtcp(at(10_000)).map(|outgoing| outgoing.destination.to_string())
    };
    let announced = Some("198.51.100.7:4001");
    let nat = "203.0.113.9:62000";
    let expected = |text: &str| Some(text.to_owned());
    assert_eq!(destination(announced, "198.51.100.7:4000", None), expected("198.51.100.7:4001"));
    assert_eq!(
        destination(Some("198.51.100.9:53020"), "198.51.100.9:4000", None),
        expected("198.51.100.9:53020")
    );
    assert_eq!(destination(None, "198.51.100.7:4000", None), None, "none was announced");
    assert_eq!(destination(announced, nat, None), expected("203.0.113.9:62001"), "beside the RTP");
    assert_eq!(destination(announced, nat, Some("203.0.113.9:1234")), expected("203.0.113.9:1234"));
    assert_eq!(destination(Some("198.51.100.7:4000"), nat, None), expected(nat), "rtcp-mux");
    assert_eq!(destination(announced, nat, Some("203.0.113.66:1234")), expected("203.0.113.9:62001"));
}

#[test]
fn reports_follow_the_peer_to_a_new_address() {
    let mut session = session();
    session.handle_rtp(tick(0), peer(), &Talker::new(7).audio(&[0; 160]));
    session.handle_rtcp(tick(0), address("198.51.100.7:5555"), &[0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert_eq!(session.poll_rtcp(at(10_000)).unwrap().destination, address("198.51.100.7:5555"));
    let mut media = media();
    media.remote_rtp = Some(address("192.0.2.50:7000"));
    media.remote_rtcp = Some(address("192.0.2.50:7001"));
    session.renegotiate(at(10_000), media);
    assert_eq!(session.poll_rtcp(at(20_000)).unwrap().destination, address("192.0.2.50:7001"));
}

#[test]
fn a_new_source_says_a_goodbye_of_its_own() {
    let mut session = session();
    let rtcp = address("198.51.100.7:4001");
    for (first, ssrc) in [(0, 7), (50, 8)] {
        let mut talker = Talker::new(ssrc);
        for number in first..first + 10 {
            session.handle_rtp(tick(number), peer(), &talker.audio(&[0; 160]));
        }
        events(&mut session);
        session.handle_rtcp(tick(first + 10), rtcp, &[0x81, 203, 0, 1, 0, 0, 0, u8::try_from(ssrc).unwrap()]);
        assert_eq!(events(&mut session), [Event::RemoteBye]);
    }
}

#[test]
fn rtcp_on_the_rtp_port_is_read_as_what_it_is() {
    let mut session = session();
    session.handle_rtp(tick(0), peer(), &Talker::new(7).audio(&[0; 160]));
    events(&mut session);
    session.handle_rtp(tick(1), peer(), &[0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 203, 0, 1, 0, 0, 0, 7]);
    assert_eq!(events(&mut session), [Event::RemoteBye]);
    assert_eq!(session.quality().refused.malformed, 0);
}

#[test]
fn two_members_with_one_source_part_and_a_reflector_is_left_alone() {
    let mut session = session();
    let own = session.ssrc();
    let mut namesake = Talker::new(own.0);
    session.handle_rtp(tick(0), peer(), &namesake.audio(&[0; 160]));
    assert_ne!(session.ssrc(), own);
    assert_eq!(session.remote_ssrc(), Some(own));

    let mut session = network::session();
    let own = session.ssrc();
    let mut heard = 0;
    for number in 0..100 {
        let datagram = session.send(tick(number), &[900; 160]).unwrap().datagram.to_vec();
        session.handle_rtp(tick(number), peer(), &datagram);
        while session.next_in_order(tick(number)).is_some() {
            heard += 1;
        }
    }
    assert_eq!((session.ssrc(), heard), (own, 100));
    assert_eq!(session.remote_ssrc(), Some(Ssrc(own.0)));
    assert_eq!(session.quality().refused.reflected, 100);
}
