//! What peers really write is read, kept in order, and printed again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use caly_sip::sdp::{
    Address, Attribute, Direction, MAX_BYTES, MAX_FORMATS, MAX_LINE_BYTES, MAX_LINES, MAX_MEDIA, MediaKind,
    Protocol, RtpMap, SdpError, SessionDescription,
};
use proptest::prelude::*;

const TWILIO: &[u8] = include_bytes!("sdp/twilio-udp.sdp");
const EXOTEL: &[u8] = include_bytes!("sdp/exotel-tcp.sdp");
const EXOTEL_TLS: &[u8] = include_bytes!("sdp/exotel-tls.sdp");

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_twilio_offer_is_read_and_printed_byte_for_byte() {
    let description = SessionDescription::parse(TWILIO).unwrap();
    assert_eq!(description.origin.session_id, "1311022221");
    assert_eq!(description.origin.address, Address::Ip(Ipv4Addr::new(172, 18, 165, 214).into()));
    assert_eq!(description.name, "Twilio Media Gateway");
    let audio = &description.media[0];
    assert_eq!((&audio.kind, audio.port, &audio.protocol), (&MediaKind::Audio, 12692, &Protocol::RtpAvp));
    assert_eq!(audio.formats, ["0", "8", "101"]);
    assert_eq!((audio.ptime_ms(), audio.maxptime_ms(), audio.fmtp(101)), (Some(20), Some(20), Some("0-16")));
    assert_eq!(description.connection_of(audio), Some(&Address::Ip(Ipv4Addr::new(203, 0, 113, 121).into())));
    assert_eq!(description.direction_of(audio), Direction::SendRecv);
    assert_eq!(description.to_string().as_bytes(), TWILIO);
}

#[test]
fn an_exotel_offer_without_a_name_is_read() {
    let description = SessionDescription::parse(EXOTEL).unwrap();
    assert_eq!(description.name, "-");
    let audio = &description.media[0];
    assert!(audio.attributes.contains(&Attribute::Rtcp { port: 37457, address: None }));
    let event =
        RtpMap { payload_type: 96, encoding: "telephone-event".into(), clock_rate: 8000, channels: None };
    assert_eq!(audio.rtpmap(96), Some(event));
    assert_eq!(audio.fmtp(96), Some("0-15"));
    let secure = SessionDescription::parse(EXOTEL_TLS).unwrap();
    assert_eq!(secure.media[0].protocol, Protocol::RtpSavp);
}

#[test]
fn the_torture_bodies_are_read_as_their_rfcs_say() {
    let read = |body: &[u8]| SessionDescription::parse(body);
    for body in [
        &include_bytes!("sdp/rfc4475-sdp01.sdp")[..],
        include_bytes!("sdp/rfc4475-ltgtruri.sdp"),
        include_bytes!("sdp/rfc4475-multi01.sdp"),
        include_bytes!("sdp/rfc4475-mismatch02.sdp"),
    ] {
        let description = read(body).unwrap();
        assert_eq!(description.media.len(), 2);
        let [audio, video] = &description.media[..] else { panic!("two streams") };
        assert_eq!(audio.payload_types().collect::<Vec<_>>(), [0, 12]);
        let lpc = Attribute::Other { name: "rtpmap".into(), value: Some("31 LPC".into()) };
        assert_eq!(video.attributes, [lpc], "an rtpmap without clock rate stays text");
    }
    assert_eq!(read(include_bytes!("sdp/rfc4475-inv2543.sdp")).unwrap().media.len(), 1);
    assert_eq!(
        read(include_bytes!("sdp/rfc4475-dblreq-tail.sdp")),
        Err(SdpError::Malformed { line: 7, reason: "no letter followed by =" })
    );
    let test = read(include_bytes!("sdp/rfc4475-test.sdp"));
    assert_eq!(test, Err(SdpError::Malformed { line: 2, reason: "no letter followed by =" }));
}

#[test]
fn ipv6_addresses_are_read() {
    let v6 = SessionDescription::parse(include_bytes!("sdp/rfc5118-ipv6-in-sdp.sdp")).unwrap();
    let expected: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x20).into();
    assert_eq!(v6.connection, Some(Address::Ip(expected)));
    let mapped = SessionDescription::parse(include_bytes!("sdp/rfc5118-ipv4-mapped-ipv6.sdp")).unwrap();
    assert_eq!(mapped.connection, Some(Address::Ip("::ffff:192.0.2.2".parse().unwrap())));
    let both = SessionDescription::parse(include_bytes!("sdp/rfc5118-mult-ip-in-sdp.sdp")).unwrap();
    assert_eq!(both.origin.address, Address::Other("IN IP4 host.example.com".into()));
    assert_eq!(both.connection_of(&both.media[0]), Some(&Address::Ip(Ipv4Addr::new(192, 0, 2, 1).into())));
    assert!(matches!(both.connection_of(&both.media[1]), Some(Address::Ip(IpAddr::V6(_)))));
}

#[test]
fn any_end_of_line_and_any_order_will_do() {
    let tidy =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let expected = parse(tidy);
    for untidy in [
        tidy.replace("\r\n", "\n"),
        tidy.replace("\r\n", "\r"),
        tidy.replace("\r\n", "\r\n\r\n"),
        tidy.trim_end().to_owned(),
        "v=0\nt=0 0\nc=IN IP4 192.0.2.1\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n".to_owned(),
        "v=0\no=- 1 1 IN IP4 192.0.2.1 \ns= \nc=IN IP4 192.0.2.1 \nm=audio  4000 rtp/avp 0 \nx=?\nq=!\n"
            .to_owned(),
    ] {
        assert_eq!(parse(&untidy), expected, "{untidy:?}");
        assert_eq!(parse(&untidy).to_string(), tidy);
    }
}

#[test]
fn what_is_not_understood_is_kept() {
    let text = "v=0\r\no=Cisco Systems 99999999999999999999999 7 IN IP4 sbc.example.net\r\ns=call\r\ni=about\r\n\
        c=IN IP4 224.2.36.42/127\r\nc=IN IP4 192.0.2.9\r\nb=AS:64\r\nt=1 2\r\nt=3 4\r\nr=7d 1h 0 25h\r\n\
        a=group:BUNDLE a v\r\na=ice-lite\r\nm=audio 49170/2 UDP/TLS/RTP/SAVPF 111 opus\r\ni=sound\r\n\
        c=ATM NSAP 47.0091\r\nb=TIAS:64000\r\nk=prompt\r\na=mid:a\r\na=rtpmap:111 opus/48000/2\r\n\
        a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ptime:20.5\r\na=sendonly\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    let description = parse(text);
    assert_eq!(description.to_string(), text);
    assert_eq!(description.origin.username, "Cisco Systems");
    assert_eq!(description.connection, Some(Address::Other("IN IP4 224.2.36.42/127".into())));
    let audio = &description.media[0];
    assert_eq!((audio.port, audio.port_count), (49170, Some(2)));
    assert_eq!(audio.rtpmap(111).and_then(|map| map.channels), Some(2));
    assert_eq!(audio.ptime_ms(), None);
    assert_eq!(description.direction_of(audio), Direction::SendOnly);
    assert_eq!(description.media[1].kind, MediaKind::Other("application".into()));
}

#[test]
fn a_session_direction_holds_for_streams_without_their_own() {
    let description = parse(
        "v=0\no=- 1 1 IN IP4 192.0.2.1\na=inactive\nm=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\na=recvonly\n",
    );
    let directions: Vec<_> = description.media.iter().map(|media| description.direction_of(media)).collect();
    assert_eq!(directions, [Direction::Inactive, Direction::RecvOnly]);
}

#[test]
fn a_body_that_is_no_description_says_why() {
    let malformed = |line, reason| Err(SdpError::Malformed { line, reason });
    let read = |text: &str| SessionDescription::parse(text.as_bytes());
    assert_eq!(read(""), Err(SdpError::NotSdp));
    assert_eq!(read("\r\n\r\n"), Err(SdpError::NotSdp));
    assert_eq!(read("v=1\r\n"), Err(SdpError::NotSdp));
    assert_eq!(read("{\"v\":0}"), Err(SdpError::NotSdp));
    assert_eq!(read("v=0\r\ns=-\r\n"), Err(SdpError::MissingOrigin));
    assert_eq!(read("v=0\nno equals"), malformed(2, "no letter followed by ="));
    assert_eq!(
        read("v=0\no=- 1 IN IP4 1"),
        malformed(2, "o= needs username, session id, version and address")
    );
    let with = |line: &str| read(&format!("v=0\no=- 1 1 IN IP4 192.0.2.1\n{line}\n"));
    assert_eq!(with("m=audio 4000 RTP/AVP"), malformed(3, "m= without a format"));
    assert_eq!(with("m=audio"), malformed(3, "m= needs media, port, protocol and a format"));
    assert_eq!(with("m=audio 65536 RTP/AVP 0"), malformed(3, "m= with a bad port"));
    assert_eq!(with("m=audio -1 RTP/AVP 0"), malformed(3, "m= with a bad port"));
    assert_eq!(with("m=audio 4000/x RTP/AVP 0"), malformed(3, "m= with a bad number of ports"));
    assert_eq!(with("s=a\0b"), malformed(3, "a NUL byte"));
}

#[test]
fn every_limit_holds_to_the_byte() {
    let head = "v=0\no=- 1 1 IN IP4 192.0.2.1\n";
    let read = |tail: &str| SessionDescription::parse(format!("{head}{tail}").as_bytes()).map(|_| ());

    let line = |bytes: usize| format!("a={}", "x".repeat(bytes - 2));
    assert_eq!(read(&line(MAX_LINE_BYTES)), Ok(()));
    assert_eq!(read(&line(MAX_LINE_BYTES + 1)), Err(SdpError::LineTooLong { line: 3 }));

    assert_eq!(read(&"a=x\n".repeat(MAX_LINES - 2)), Ok(()));
    assert_eq!(read(&"a=x\n".repeat(MAX_LINES - 1)), Err(SdpError::TooManyLines));

    assert_eq!(read(&"m=audio 0 RTP/AVP 0\n".repeat(MAX_MEDIA)), Ok(()));
    assert_eq!(read(&"m=audio 0 RTP/AVP 0\n".repeat(MAX_MEDIA + 1)), Err(SdpError::TooManyMedia));

    let formats = |count: usize| format!("m=audio 0 RTP/AVP{}", " 0".repeat(count));
    assert_eq!(read(&formats(MAX_FORMATS)), Ok(()));
    assert_eq!(
        read(&formats(MAX_FORMATS + 1)),
        Err(SdpError::Malformed { line: 3, reason: "m= with too many formats" })
    );

    let padding = MAX_BYTES - head.len();
    assert_eq!(read(&"\n".repeat(padding)), Ok(()));
    assert_eq!(read(&"\n".repeat(padding + 1)), Err(SdpError::TooLong { bytes: MAX_BYTES + 1 }));
}

#[test]
fn bytes_that_are_no_utf8_do_no_harm() {
    let description = SessionDescription::parse(b"v=0\no=\xff 1 1 IN IP4 192.0.2.1\ns=caf\xe9\n").unwrap();
    assert_eq!(
        (description.name.as_str(), description.origin.username.as_str()),
        ("caf\u{fffd}", "\u{fffd}")
    );
}

/// One line below `v=0`, well formed or nearly so.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[iuepbtrzkca]=[ -~]{0,30}",
        "m=(audio|video|IMAGE) [0-9]{1,5}(/[0-9]{1,2})? (RTP/AVP|rtp/savp|udptl) [0-9]{1,3}( [0-9a-z]{1,3}){0,4}",
        "c=IN IP[46] ([0-9]{1,3}\\.[0-9]{1,3}\\.1\\.2|[0-9a-f]{1,4}::[0-9a-f]{1,4}|host\\.example)(/127)?",
        "a=rtpmap:[0-9]{1,3} [A-Za-z0-9-]{1,8}/[0-9]{1,5}(/[12])?",
        "a=fmtp: {0,2}[0-9]{1,3} {1,2}[ -~]{0,20}",
        "a=(ptime|maxptime|rtcp):[0-9]{1,5}( IN IP4 192\\.0\\.2\\.[0-9])?",
        "a=(sendrecv|sendonly|RecvOnly|inactive)",
        "t=[0-9]{1,10} [0-9]{1,10}",
        "s=\\PC{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_as_the_same(lines in proptest::collection::vec(line(), 0..30)) {
        let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n{}\r\n", lines.join("\r\n"));
        if let Ok(description) = SessionDescription::parse(text.as_bytes()) {
            let printed = description.to_string();
            let again = SessionDescription::parse(printed.as_bytes());
            prop_assert_eq!(again.as_ref(), Ok(&description), "{}", printed);
            prop_assert_eq!(again.map(|again| again.to_string()), Ok(printed));
        }
    }
}
