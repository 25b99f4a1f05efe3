//! Offers in the shape of IMS cores, session border controllers and browsers: answered where plain RTP is among them,
//! refused with a reason where it is not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use caly_sip::sdp::{
    Capabilities, CodecCapability, Direction, LocalMedia, Negotiated, NegotiationError, Negotiator,
    SessionDescription,
};

const LOCAL: LocalMedia =
    LocalMedia { address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), rtp_port: 10_000, rtcp_port: 10_001 };

/// AMR-WB, EVS and AMR of a VoLTE phone, transcoding offered by the border controller below them.
const IMS: &str = "m=audio 4000 RTP/AVP 96 97 98 99 8 0 100 101\n\
    b=AS:80\nb=RS:600\nb=RR:2000\n\
    a=rtpmap:96 EVS/16000\na=fmtp:96 br=5.9-24.4;bw=nb-swb;ch-aw-recv=-1;max-red=0\n\
    a=rtpmap:97 AMR-WB/16000/1\na=fmtp:97 mode-set=0,1,2;mode-change-capability=2;max-red=0\n\
    a=rtpmap:98 AMR-WB/16000/1\na=fmtp:98 octet-align=1;mode-set=0,1,2\n\
    a=rtpmap:99 AMR/8000/1\na=fmtp:99 octet-align=1;mode-change-capability=2\n\
    a=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n\
    a=rtpmap:100 telephone-event/16000\na=fmtp:100 0-15\n\
    a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n\
    a=curr:qos local none\na=curr:qos remote none\na=des:qos optional local sendrecv\n\
    a=des:qos optional remote sendrecv\na=ptime:20\na=maxptime:240\na=sendrecv";

/// ICE with candidates in both families and components, as WebRTC gateways leave it in on plain RTP.
const ICE: &str = "m=audio 4000 RTP/AVP 0 13 126\n\
    a=rtpmap:126 telephone-event/8000\na=ice-ufrag:F7gI\na=ice-pwd:x9cml/YzichV2+XlhiMu8g\na=ice-options:trickle\n\
    a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host\n\
    a=candidate:1 2 UDP 2130706430 10.0.1.1 8999 typ host\n\
    a=candidate:2 1 TCP 1694498815 2001:db8::1 9 typ srflx raddr 10.0.1.1 rport 8998 tcptype active\n\
    a=end-of-candidates\na=rtcp-mux\na=rtcp-fb:* nack\na=mid:audio\na=ssrc:1 cname:x\na=extmap:1 urn:x\na=sendrecv";

const CRYPTO: &str =
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";

fn answered(lines: &str) -> Result<(String, Negotiated), NegotiationError> {
    let codec = |name: &str, number| CodecCapability {
        encoding: name.to_owned(),
        clock_rate: 8000,
        channels: 1,
        static_payload_type: Some(number),
    };
    let codecs = vec![codec("PCMU", 0), codec("PCMA", 8)];
    let capabilities = Capabilities { codecs, telephone_event: true, ptime_ms: 20 };
    let text = format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{lines}\n");
    let offer = SessionDescription::parse(text.as_bytes()).unwrap();
    let (answer, negotiated) = Negotiator::new(capabilities, LOCAL, 4711).handle_offer(&offer)?;
    let answer = answer.to_string();
    assert_eq!(answer.matches("m=").count(), lines.matches("m=").count(), "one m= for each offered one");
    Ok((answer, negotiated))
}

#[test]
fn an_ims_offer_is_answered_with_the_transcoded_codec() {
    let (answer, negotiated) = answered(IMS).unwrap();
    assert!(answer.contains("m=audio 10000 RTP/AVP 8 101\r\n"), "events at the rate of the codec:\n{answer}");
    for other in ["AMR", "EVS", "qos", "16000", "maxptime"] {
        assert!(!answer.contains(other), "{other} in:\n{answer}");
    }
    assert_eq!(negotiated.codec.encoding, "PCMA");
    assert_eq!((negotiated.remote_ptime_ms, negotiated.remote_maxptime_ms), (Some(20), Some(240)));
}

#[test]
fn an_ims_offer_without_transcoding_is_refused_by_the_names_of_its_codecs() {
    let error = answered(&IMS.replacen("98 99 8 0 100", "98 99 100", 1)).unwrap_err();
    assert_eq!(error.warning_code(), 305);
    let text = error.to_string();
    assert!(text.starts_with("no codec in common; offered: EVS/16000, AMR-WB/16000, "), "{text}");
    assert!(text.contains(", AMR/8000"), "{text}");
}

#[test]
fn sdes_keys_are_refused_with_their_profile_and_ignored_on_plain_rtp() {
    let error = answered(&format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}")).unwrap_err();
    assert_eq!(
        (error.warning_code(), error.to_string().as_str()),
        (302, "media protocol RTP/SAVP is not supported")
    );
    // RFC 4568 6.1: keys on RTP/AVP are best effort, which the answer declines by silence.
    let (answer, _) = answered(&format!("m=audio 4000 RTP/AVP 0\n{CRYPTO}")).unwrap();
    assert!(!answer.contains("crypto"), "{answer}");
    let both = format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}\nm=audio 4002 RTP/AVP 0\na=ptime:20");
    let (answer, negotiated) = answered(&both).unwrap();
    assert!(
        answer.contains("m=audio 0 RTP/SAVP 0\r\n") && answer.contains("m=audio 10000 RTP/AVP 0\r\n"),
        "{answer}"
    );
    assert_eq!(negotiated.remote_rtp, Some(SocketAddr::from(([192, 0, 2, 1], 4002))));
}

#[test]
fn ice_is_declined_by_silence_and_media_goes_to_the_default_address() {
    let (answer, negotiated) = answered(ICE).unwrap();
    for other in ["ice", "candidate", "rtcp-mux", "mid", "extmap", "ssrc"] {
        assert!(!answer.contains(other), "{other} in:\n{answer}");
    }
    assert!(answer.contains("m=audio 10000 RTP/AVP 0 126\r\n"), "{answer}");
    assert_eq!(negotiated.remote_rtp, Some(SocketAddr::from(([192, 0, 2, 1], 4000))));
    assert_eq!(negotiated.remote_rtcp, Some(SocketAddr::from(([192, 0, 2, 1], 4001))));
}

/// RFC 3264 6.1: ptime is a wish; ours is said in the answer.
#[test]
fn packet_times_other_than_ours_are_noted_and_ours_is_answered() {
    for ptime_ms in [10, 30, 40, 60] {
        let (answer, negotiated) =
            answered(&format!("m=audio 4000 RTP/AVP 0\na=ptime:{ptime_ms}\na=maxptime:150")).unwrap();
        assert!(answer.contains("a=ptime:20\r\n"), "{answer}");
        assert_eq!((negotiated.ptime_ms, negotiated.remote_ptime_ms), (20, Some(ptime_ms)));
        assert_eq!(negotiated.remote_maxptime_ms, Some(150));
    }
}

#[test]
fn a_direction_of_the_session_holds_unless_the_stream_has_its_own() {
    for (lines, direction) in [
        ("a=sendonly\nm=audio 4000 RTP/AVP 0", Direction::RecvOnly),
        ("a=inactive\nm=audio 4000 RTP/AVP 0", Direction::Inactive),
        ("a=inactive\nm=audio 4000 RTP/AVP 0\na=sendrecv", Direction::SendRecv),
        ("a=recvonly\nm=video 0 RTP/AVP 31\nm=audio 4000 RTP/AVP 0", Direction::SendOnly),
    ] {
        let (answer, negotiated) = answered(lines).unwrap();
        assert_eq!(negotiated.direction, direction, "{lines}");
        assert!(answer.contains(&format!("a={}\r\n", direction.as_str())), "{answer}");
    }
}
