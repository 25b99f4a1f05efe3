//! Any session description: no panic, what is read prints and reads back, and every answer has the offer's streams.

#![no_main]

use std::net::Ipv4Addr;

use caly_sip::sdp::{Capabilities, CodecCapability, LocalMedia, Negotiator, SessionDescription};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(description) = SessionDescription::parse(bytes) else { return };
    let printed = description.to_string();
    let again = SessionDescription::parse(printed.as_bytes()).expect("what we print is valid");
    assert_eq!(again.to_string(), printed);

    let mut answerer = Negotiator::new(capabilities(), local(), 1);
    if let Ok((answer, _)) = answerer.handle_offer(&description) {
        assert_eq!(answer.media.len(), description.media.len());
        let answer = SessionDescription::parse(answer.to_string().as_bytes()).expect("our answer is valid");
        let mut peer = Negotiator::new(capabilities(), local(), 2);
        peer.offer();
        let _refused = peer.handle_answer(&answer);
        let _refused = answerer.handle_offer(&description).expect("the same offer again");
    }
    let mut offerer = Negotiator::new(capabilities(), local(), 3);
    offerer.offer();
    let _refused = offerer.handle_answer(&description);
    let _refused = offerer.handle_offer(&description);
});

fn capabilities() -> Capabilities {
    let codec = |encoding: &str, number| CodecCapability {
        encoding: encoding.to_owned(),
        clock_rate: 8000,
        channels: 1,
        static_payload_type: Some(number),
    };
    Capabilities { codecs: vec![codec("PCMU", 0), codec("PCMA", 8)], telephone_event: true, ptime_ms: 20 }
}

fn local() -> LocalMedia {
    LocalMedia { address: Ipv4Addr::new(192, 0, 2, 1).into(), rtp_port: 10_000, rtcp_port: 10_001 }
}
