//! Offers and answers between Caly and carriers, clients, and itself (RFC 3264).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use caly_sip::sdp::{
    Capabilities, CodecCapability, Direction, LocalMedia, NegotiationError, Negotiator, SessionDescription,
    TelephoneEvent,
};

const LOCAL: LocalMedia =
    LocalMedia { address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), rtp_port: 10_000, rtcp_port: 10_001 };

const THEIRS: LocalMedia =
    LocalMedia { address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), rtp_port: 10_000, rtcp_port: 10_001 };

fn codec(encoding: &str, clock_rate: u32, channels: u8, static_payload_type: Option<u8>) -> CodecCapability {
    CodecCapability { encoding: encoding.to_owned(), clock_rate, channels, static_payload_type }
}

fn telephone() -> Capabilities {
    let codecs = vec![codec("PCMU", 8000, 1, Some(0)), codec("PCMA", 8000, 1, Some(8))];
    Capabilities { codecs, telephone_event: true, ptime_ms: 20 }
}

fn negotiator() -> Negotiator {
    Negotiator::new(telephone(), LOCAL, 4711)
}

/// A description with these lines below its `t=`.
fn description(lines: &str) -> SessionDescription {
    let text = format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{lines}\n");
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn fixture(body: &[u8]) -> SessionDescription {
    SessionDescription::parse(body).unwrap()
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

fn version(description: &SessionDescription) -> u64 {
    description.origin.session_version.parse().unwrap()
}

#[test]
fn twilio_is_answered_with_its_first_codec_and_its_event_number() {
    let (answer, negotiated) =
        negotiator().handle_offer(&fixture(include_bytes!("sdp/twilio-udp.sdp"))).unwrap();
    let expected = "v=0\r\no=- 4711 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
        m=audio 10000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(answer.to_string(), expected);
    assert_eq!((negotiated.codec.encoding.as_str(), negotiated.codec.clock_rate), ("PCMU", 8000));
    assert_eq!((negotiated.send_payload_type, negotiated.receive_payload_type), (0, 0));
    assert_eq!(
        negotiated.telephone_event,
        Some(TelephoneEvent { send_payload_type: 101, receive_payload_type: 101 })
    );
    assert_eq!(negotiated.remote_rtp, address("203.0.113.121:12692"));
    assert_eq!(negotiated.remote_rtcp, address("203.0.113.121:12693"));
    assert_eq!((negotiated.direction, negotiated.is_held), (Direction::SendRecv, false));
    assert_eq!((negotiated.remote_ptime_ms, negotiated.remote_maxptime_ms), (Some(20), Some(20)));
    assert!(negotiated.alternatives.is_empty());
}

#[test]
fn exotel_is_answered_with_pcma_and_event_96() {
    let (answer, negotiated) =
        negotiator().handle_offer(&fixture(include_bytes!("sdp/exotel-tcp.sdp"))).unwrap();
    assert_eq!(answer.media[0].formats, ["8", "96"]);
    assert_eq!(answer.media[0].fmtp(96), Some("0-15"));
    assert_eq!(negotiated.codec.encoding, "PCMA");
    assert_eq!(negotiated.telephone_event.map(|event| event.send_payload_type), Some(96));
    assert_eq!(negotiated.remote_rtcp, address("203.0.113.61:37457"));
}

#[test]
fn an_offer_that_cannot_be_taken_says_why_with_its_warn_code() {
    let refusal = |lines: &str| negotiator().handle_offer(&description(lines)).unwrap_err();
    let table = [
        ("", 304, "no audio stream is offered"),
        ("m=video 4000 RTP/AVP 31", 304, "no audio stream is offered"),
        ("m=audio 0 RTP/AVP 0", 304, "no audio stream is offered"),
        ("m=audio 4000 RTP/AVP 18\na=rtpmap:18 G729/8000", 305, "no codec in common; offered: G729/8000"),
        ("m=audio 4000 RTP/AVP 0\na=rtpmap:0 PCMU/16000", 305, "no codec in common; offered: PCMU/16000"),
        ("m=audio 4000 RTP/AVP 96 x 300", 305, "no codec in common; offered: 96, x, 300"),
        ("m=audio 4000 RTP/AVP 128", 305, "no codec in common; offered: 128"),
        (
            "m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000",
            305,
            "no codec in common; offered: telephone-event/8000",
        ),
        ("m=audio 4000 RTP/SAVP 0", 302, "media protocol RTP/SAVP is not supported"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 0", 302, "media protocol UDP/TLS/RTP/SAVPF is not supported"),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::1",
            301,
            "media address IN IP6 2001:db8::1 is not supported",
        ),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 a.example",
            301,
            "media address IN IP4 a.example is not supported",
        ),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 224.2.36.42/127", 330, "multicast media is not supported"),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 224.2.36.42", 330, "multicast media is not supported"),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 255.255.255.255",
            301,
            "media address 255.255.255.255 names no single host",
        ),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.1.2.3", 301, "media address 0.1.2.3 names no single host"),
        (
            "m=audio 4000 RTP/AVP 0\na=rtcp:4001 IN IP4 255.255.255.255",
            301,
            "media address 255.255.255.255 names no single host",
        ),
        ("m=audio 4000 RTP/AVP 0\na=rtcp:4001 IN IP4 224.2.36.42", 330, "multicast media is not supported"),
        (
            "m=audio 10000 RTP/AVP 0\nc=IN IP4 198.51.100.7",
            301,
            "media address 198.51.100.7:10000 is a port of this server itself",
        ),
        (
            "m=audio 4000 RTP/AVP 0\na=rtcp:10001 IN IP4 198.51.100.7",
            301,
            "media address 198.51.100.7:10001 is a port of this server itself",
        ),
    ];
    for (lines, code, text) in table {
        let error = refusal(lines);
        assert_eq!((error.warning_code(), error.to_string().as_str()), (code, text), "{lines}");
    }
    let bare = SessionDescription::parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n").unwrap();
    let error = negotiator().handle_offer(&bare).unwrap_err();
    assert_eq!(
        (error.warning_code(), error),
        (399, NegotiationError::BadOffer { reason: "a stream without c=" })
    );
    for secure in [&include_bytes!("sdp/twilio-tls.sdp")[..], include_bytes!("sdp/exotel-tls.sdp")] {
        assert_eq!(negotiator().handle_offer(&fixture(secure)).unwrap_err().warning_code(), 302);
    }
}

#[test]
fn a_refusal_repeats_little_of_the_offer() {
    let numbers: String = (0..100).map(|number| format!(" {number}")).collect();
    let maps: String =
        (0..100).map(|number| format!("\na=rtpmap:{number} {}/8000", "x".repeat(250))).collect();
    let offer = description(&format!("m=audio 4000 RTP/AVP{numbers}{maps}"));
    let text = negotiator().handle_offer(&offer).unwrap_err().to_string();
    assert!(text.len() < 1300 && text.contains("x/8000"), "{} bytes", text.len());
}

#[test]
fn the_torture_offers_are_answered_or_refused() {
    let (answer, negotiated) =
        negotiator().handle_offer(&fixture(include_bytes!("sdp/rfc4475-sdp01.sdp"))).unwrap();
    assert_eq!(answer.media[0].port, 10_000);
    assert_eq!((answer.media[1].port, &answer.media[1].formats[..]), (0, &["31".to_owned()][..]));
    assert_eq!((negotiated.codec.encoding.as_str(), negotiated.telephone_event), ("PCMU", None));

    let (answer, _) =
        negotiator().handle_offer(&fixture(include_bytes!("sdp/rfc4475-ltgtruri.sdp"))).unwrap();
    assert_eq!(answer.timing, "3149328700 0", "RFC 3264 6: as in the offer");

    let (_, negotiated) =
        negotiator().handle_offer(&fixture(include_bytes!("sdp/rfc5118-mult-ip-in-sdp.sdp"))).unwrap();
    assert_eq!(negotiated.remote_rtp, address("192.0.2.1:22334"));
    for unknown in [
        &include_bytes!("sdp/rfc5118-ipv6-in-sdp.sdp")[..],
        include_bytes!("sdp/rfc5118-ipv4-mapped-ipv6.sdp"),
    ] {
        let error = negotiator().handle_offer(&fixture(unknown)).unwrap_err();
        assert_eq!(error, NegotiationError::NoCommonCodec { offered: vec!["G726-32/8000".to_owned()] });
    }
}

#[test]
fn addresses_are_understood_in_both_families() {
    let offer = description("m=audio 4000 RTP/AVP 0\nc=IN IP6 ::ffff:192.0.2.9");
    let (_, negotiated) = negotiator().handle_offer(&offer).unwrap();
    assert_eq!(negotiated.remote_rtp, address("192.0.2.9:4000"), "a mapped address is an IPv4 address");

    let local = LocalMedia { address: "2001:db8::7".parse().unwrap(), ..LOCAL };
    let offer = description("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::1");
    let (answer, negotiated) = Negotiator::new(telephone(), local, 1).handle_offer(&offer).unwrap();
    assert_eq!(negotiated.remote_rtp, address("[2001:db8::1]:4000"));
    assert!(answer.to_string().contains("c=IN IP6 2001:db8::7\r\n"));
}

#[test]
fn rtcp_goes_where_the_peer_says() {
    let rtcp = |lines: &str| {
        let offer = description(&format!("m=audio 4000 RTP/AVP 0\n{lines}"));
        negotiator().handle_offer(&offer).unwrap().1.remote_rtcp
    };
    assert_eq!(rtcp(""), address("192.0.2.1:4001"));
    assert_eq!(rtcp("a=rtcp:5000"), address("192.0.2.1:5000"));
    assert_eq!(rtcp("a=rtcp:5000 IN IP4 192.0.2.2"), address("192.0.2.2:5000"));
    assert_eq!(rtcp("a=rtcp:9 IN IP4 0.0.0.0"), None);
    assert_eq!(rtcp("a=rtcp:9 IN IP4 nowhere.example"), None);
    assert_eq!(rtcp("a=rtcp:0"), None);
    let last = description("m=audio 65535 RTP/AVP 0");
    assert_eq!(negotiator().handle_offer(&last).unwrap().1.remote_rtcp, None);

    let local = LocalMedia { rtcp_port: 12_345, ..LOCAL };
    let mut odd = Negotiator::new(telephone(), local, 1);
    let (answer, _) = odd.handle_offer(&description("m=audio 4000 RTP/AVP 0\na=rtcp-mux")).unwrap();
    assert!(answer.to_string().contains("a=rtcp:12345\r\n"));
    assert!(!answer.to_string().contains("mux"), "rtcp-mux is refused by silence (RFC 5761 5.1.1)");
}

#[test]
fn every_stream_but_one_is_refused_in_its_place() {
    let offer = description(
        "m=image 6000 udptl t38\nm=audio 4000 RTP/SAVP 0\nm=audio 4002 RTP/AVP 18\nm=audio 4004/2 RTP/AVP 97 8 0\n\
         a=rtpmap:97 speex/16000\nm=audio 4006 RTP/AVP 0\nm=video 4008 RTP/AVP 31 34",
    );
    let (answer, negotiated) = negotiator().handle_offer(&offer).unwrap();
    let lines: Vec<String> =
        answer.to_string().lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect();
    let expected = [
        "m=image 0 udptl t38",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 18",
        "m=audio 10000 RTP/AVP 8",
        "m=audio 0 RTP/AVP 0",
        "m=video 0 RTP/AVP 31 34",
    ];
    assert_eq!(lines, expected);
    assert_eq!(negotiated.codec.encoding, "PCMA");
    assert_eq!(negotiated.remote_rtp, address("192.0.2.1:4004"));
}

#[test]
fn names_match_without_case_and_rtpmaps_win_over_static_numbers() {
    let offer = description("m=audio 4000 RTP/AVP 0 96 8\na=rtpmap:0 G722/8000\na=rtpmap:96 pcmu/8000/1");
    let (answer, negotiated) = negotiator().handle_offer(&offer).unwrap();
    assert_eq!(negotiated.send_payload_type, 96);
    assert!(answer.to_string().contains("m=audio 10000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\n"));
}

#[test]
fn events_are_taken_at_the_clock_rate_of_the_codec() {
    let capabilities = Capabilities {
        codecs: vec![codec("PCMU", 8000, 1, Some(0)), codec("opus", 48_000, 2, None)],
        ..telephone()
    };
    let offer = description(
        "m=audio 4000 RTP/AVP 107 0 101 102\na=rtpmap:107 opus/48000/2\na=rtpmap:101 telephone-event/8000\n\
         a=rtpmap:102 telephone-event/48000\na=fmtp:102 0-15,66,70",
    );
    let (answer, negotiated) = Negotiator::new(capabilities.clone(), LOCAL, 1).handle_offer(&offer).unwrap();
    assert_eq!(answer.media[0].formats, ["107", "102"]);
    assert_eq!(answer.media[0].fmtp(102), Some("0-15"));
    assert_eq!(negotiated.telephone_event.map(|event| event.send_payload_type), Some(102));

    let text = Negotiator::new(capabilities, LOCAL, 1).offer().to_string();
    assert!(text.contains("m=audio 10000 RTP/AVP 0 96 101 97\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:96 opus/48000/2\r\n"));
    assert!(text.contains("a=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 telephone-event/48000\r\n"));

    let deaf = Capabilities { telephone_event: false, ..telephone() };
    let (answer, negotiated) = Negotiator::new(deaf.clone(), LOCAL, 1).handle_offer(&offer).unwrap();
    assert_eq!(
        (answer.media[0].formats.as_slice(), negotiated.telephone_event),
        (&["0".to_owned()][..], None)
    );
    assert!(!Negotiator::new(deaf, LOCAL, 1).offer().to_string().contains("telephone-event"));
}

#[test]
fn our_offer_names_everything_we_can() {
    let offer = Negotiator::new(telephone(), LOCAL, u64::MAX).offer();
    let expected = "v=0\r\no=- 4611686018427387903 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
        m=audio 10000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(offer.to_string(), expected);
}

#[test]
fn an_answer_in_the_ack_completes_a_late_offer() {
    let mut ours = negotiator();
    let offer = ours.late_offer();
    assert_eq!(ours.late_offer(), offer, "repeated in every retransmission");
    let answer = description("m=audio 4000 RTP/AVP 8 0 96\na=rtpmap:96 telephone-event/8000\na=recvonly");
    let negotiated = ours.handle_answer(&answer).unwrap();
    assert_eq!((negotiated.codec.encoding.as_str(), negotiated.send_payload_type), ("PCMA", 8));
    assert_eq!(
        negotiated.alternatives.iter().map(|format| format.send_payload_type).collect::<Vec<_>>(),
        [0]
    );
    let event = TelephoneEvent { send_payload_type: 96, receive_payload_type: 101 };
    assert_eq!(negotiated.telephone_event, Some(event), "each side sends with the other's number");
    assert_eq!(negotiated.direction, Direction::SendOnly);
    assert_eq!(ours.handle_answer(&answer), Err(NegotiationError::NoOffer), "only once");
}

#[test]
fn an_answer_that_does_not_fit_is_refused_and_nothing_is_agreed() {
    let bad = |reason| NegotiationError::BadAnswer { reason };
    let table = [
        ("", bad("another number of streams than the offer")),
        ("m=audio 1 RTP/AVP 0\nm=audio 0 RTP/AVP 0", bad("another number of streams than the offer")),
        ("m=video 4000 RTP/AVP 0", bad("another kind of stream than the offer")),
        ("m=audio 0 RTP/AVP 0", NegotiationError::Refused),
        ("m=audio 4000 RTP/SAVP 0", NegotiationError::UnsupportedProtocol { protocol: "RTP/SAVP".into() }),
        ("m=audio 4000 RTP/AVP 18", NegotiationError::NoCommonCodec { offered: vec!["G729/8000".into()] }),
    ];
    for (lines, error) in table {
        let mut ours = negotiator();
        ours.offer();
        assert_eq!(ours.handle_answer(&description(lines)), Err(error), "{lines}");
        assert_eq!((ours.negotiated(), ours.is_offer_pending()), (None, false));
    }
    assert_eq!(negotiator().handle_answer(&description("")), Err(NegotiationError::NoOffer));
}

#[test]
fn an_identical_offer_gets_the_identical_answer() {
    let mut ours = negotiator();
    let offer = fixture(include_bytes!("sdp/twilio-udp.sdp"));
    let first = ours.handle_offer(&offer).unwrap();
    assert_eq!(ours.handle_offer(&offer).unwrap(), first);
    assert_eq!(version(&first.0), 1);
    let refresh = ours.offer();
    assert_eq!(refresh, first.0, "a refresh of ours repeats the description too");
}

#[test]
fn the_peer_holds_and_resumes() {
    let mut ours = negotiator();
    let with = |tail: &str| description(&format!("m=audio 4000 RTP/AVP 0\n{tail}"));
    let table = [
        ("", Direction::SendRecv, false, address("192.0.2.1:4000"), 1),
        ("a=sendonly", Direction::RecvOnly, true, address("192.0.2.1:4000"), 2),
        ("a=sendonly", Direction::RecvOnly, true, address("192.0.2.1:4000"), 2),
        ("a=inactive", Direction::Inactive, true, address("192.0.2.1:4000"), 3),
        ("a=sendrecv", Direction::SendRecv, false, address("192.0.2.1:4000"), 4),
        ("c=IN IP4 0.0.0.0", Direction::RecvOnly, true, None, 5),
        ("c=IN IP4 0.0.0.0\na=inactive", Direction::Inactive, true, None, 6),
        ("", Direction::SendRecv, false, address("192.0.2.1:4000"), 7),
        ("a=recvonly", Direction::SendOnly, false, address("192.0.2.1:4000"), 8),
    ];
    for (tail, direction, is_held, remote, expected_version) in table {
        let (answer, negotiated) = ours.handle_offer(&with(tail)).unwrap();
        assert_eq!(answer.direction_of(&answer.media[0]), direction, "{tail}");
        let agreed = (negotiated.direction, negotiated.is_held, negotiated.remote_rtp);
        assert_eq!(agreed, (direction, is_held, remote), "{tail}");
        assert_eq!(version(&answer), expected_version, "{tail}");
    }
}

#[test]
fn we_hold_and_resume() {
    let (mut ours, mut theirs) = (negotiator(), Negotiator::new(telephone(), THEIRS, 1));
    let mut exchange = |offer: SessionDescription, ours: &mut Negotiator| {
        let (answer, at_them) = theirs.handle_offer(&offer).unwrap();
        (ours.handle_answer(&answer).unwrap(), at_them)
    };
    let first = ours.offer();
    exchange(first, &mut ours);
    let hold = ours.hold().unwrap();
    assert_eq!((version(&hold), hold.direction_of(&hold.media[0])), (2, Direction::SendOnly));
    let (at_us, at_them) = exchange(hold, &mut ours);
    assert_eq!((at_us.direction, at_us.is_held), (Direction::SendOnly, false));
    assert_eq!((at_them.direction, at_them.is_held), (Direction::RecvOnly, true));

    let resume = ours.resume().unwrap();
    assert_eq!(version(&resume), 3);
    let (at_us, at_them) = exchange(resume, &mut ours);
    assert_eq!((at_us.direction, at_them.direction), (Direction::SendRecv, Direction::SendRecv));
}

#[test]
fn two_holds_are_lifted_one_after_the_other() {
    let (mut ours, mut theirs) = (negotiator(), Negotiator::new(telephone(), THEIRS, 1));
    let offer = ours.offer();
    ours.handle_answer(&theirs.handle_offer(&offer).unwrap().0).unwrap();

    let they_hold = theirs.hold().unwrap();
    theirs.handle_answer(&ours.handle_offer(&they_hold).unwrap().0).unwrap();
    let we_hold = ours.hold().unwrap();
    assert_eq!(we_hold.direction_of(&we_hold.media[0]), Direction::Inactive, "RFC 3264 8.4");
    ours.handle_answer(&theirs.handle_offer(&we_hold).unwrap().0).unwrap();
    assert_eq!(theirs.negotiated().unwrap().direction, Direction::Inactive);

    let they_resume = theirs.resume().unwrap();
    theirs.handle_answer(&ours.handle_offer(&they_resume).unwrap().0).unwrap();
    assert_eq!(ours.negotiated().unwrap().direction, Direction::SendOnly, "our own hold stays");
    let we_resume = ours.resume().unwrap();
    ours.handle_answer(&theirs.handle_offer(&we_resume).unwrap().0).unwrap();
    assert_eq!(ours.negotiated().unwrap().direction, Direction::SendRecv);
    assert_eq!(theirs.negotiated().unwrap().direction, Direction::SendRecv);
}

#[test]
fn a_rejected_hold_changes_nothing_but_the_version() {
    let mut ours = negotiator();
    let offer = description("m=audio 4000 RTP/AVP 0");
    let (_, before) = ours.handle_offer(&offer).unwrap();
    ours.hold().unwrap();
    assert_eq!(ours.handle_offer(&offer), Err(NegotiationError::OfferPending));
    assert_eq!(ours.hold(), Err(NegotiationError::OfferPending));
    ours.withdraw_offer();
    assert_eq!(ours.negotiated(), Some(&before));
    let (answer, after) = ours.handle_offer(&offer).unwrap();
    assert_eq!(after, before);
    assert_eq!(version(&answer), 3, "the peer has seen version 2");
}

#[test]
fn a_stream_is_removed_and_comes_back() {
    let mut ours = negotiator();
    ours.handle_offer(&description("m=audio 4000 RTP/AVP 8")).unwrap();
    let (answer, negotiated) = ours.handle_offer(&description("m=audio 0 RTP/AVP 8")).unwrap();
    assert_eq!(answer.media[0].port, 0);
    assert_eq!((negotiated.remote_rtp, negotiated.direction), (None, Direction::Inactive));
    assert!(negotiated.is_held);
    let fax = description("m=audio 0 RTP/AVP 8\nm=image 5000 udptl t38");
    assert_eq!(ours.handle_offer(&fax), Err(NegotiationError::NoAudio));
    let again = ours.offer();
    assert_eq!((again.media.len(), again.media[0].port), (1, 10_000));
    ours.withdraw_offer();
    let (_, negotiated) = ours.handle_offer(&description("m=audio 4000 RTP/AVP 8")).unwrap();
    assert_eq!(negotiated.direction, Direction::SendRecv);
}

#[test]
fn codec_address_and_port_change_in_mid_call() {
    let mut ours = negotiator();
    ours.handle_offer(&description("m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000")).unwrap();
    let moved =
        description("m=audio 6000 RTP/AVP 8 97\na=rtpmap:97 telephone-event/8000\nc=IN IP4 192.0.2.77");
    let (answer, negotiated) = ours.handle_offer(&moved).unwrap();
    assert_eq!(negotiated.codec.encoding, "PCMA");
    assert_eq!(negotiated.remote_rtp, address("192.0.2.77:6000"));
    assert_eq!(negotiated.telephone_event.map(|event| event.send_payload_type), Some(97));
    assert_eq!(version(&answer), 2);
    let fewer = SessionDescription { media: Vec::new(), ..moved.clone() };
    assert_eq!(
        ours.handle_offer(&fewer),
        Err(NegotiationError::BadOffer { reason: "fewer streams than before" })
    );
    ours.set_local(LocalMedia { rtp_port: 20_000, rtcp_port: 20_001, ..LOCAL });
    let (answer, _) = ours.handle_offer(&moved).unwrap();
    assert_eq!((answer.media[0].port, version(&answer)), (20_000, 3));
}

#[test]
fn later_offers_keep_streams_and_numbers() {
    let mut ours = negotiator();
    let offer = description(
        "m=video 4002 RTP/AVP 31\nm=audio 4000 RTP/AVP 8 101 96\na=rtpmap:101 speex/8000\n\
         a=rtpmap:96 telephone-event/8000",
    );
    ours.handle_offer(&offer).unwrap();
    let hold = ours.hold().unwrap();
    let lines: Vec<String> =
        hold.to_string().lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 31", "m=audio 10000 RTP/AVP 8 96"]);
    ours.withdraw_offer();
    let late = ours.late_offer().to_string();
    assert!(late.contains("m=video 0 RTP/AVP 31\r\nm=audio 10000 RTP/AVP 8 0 96\r\n"), "{late}");
    let answer =
        description("m=video 0 RTP/AVP 31\nm=audio 4000 RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000");
    assert_eq!(ours.handle_answer(&answer).unwrap().codec.encoding, "PCMU");
}
