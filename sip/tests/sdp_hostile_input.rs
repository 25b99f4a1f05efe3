//! A hundred thousand mutated descriptions: none panics, and every answer has the offer's streams in their order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use caly_sip::sdp::{Capabilities, CodecCapability, LocalMedia, Negotiator, SessionDescription};

const SEEDS: [&[u8]; 9] = [
    include_bytes!("sdp/twilio-udp.sdp"),
    include_bytes!("sdp/twilio-opus.sdp"),
    include_bytes!("sdp/exotel-tcp.sdp"),
    include_bytes!("sdp/exotel-tls.sdp"),
    include_bytes!("sdp/rfc4475-sdp01.sdp"),
    include_bytes!("sdp/rfc5118-ipv4-mapped-ipv6.sdp"),
    include_bytes!("sdp/rfc5118-mult-ip-in-sdp.sdp"),
    b"v=0\no=- 1 1 IN IP6 ::1\nc=IN IP4 224.2.1.1/127\nt=0 0\nm=audio 5/2 RTP/AVP 0 8 96 97\na=rtpmap:96 opus/48000/2\n\
      a=rtpmap:97 telephone-event/48000\na=fmtp:97 0-15,66\na=rtcp:9 IN IP4 0.0.0.0\na=ptime:4294967295\na=sendonly\n",
    b"v=0\no=- 1 1 IN IP4 0.0.0.0\nc=IN IP4 0.0.0.0\na=inactive\nm=image 0 udptl t38\nm=audio 65535 RTP/AVP 0 101\n\
      a=rtpmap:101 telephone-event/8000\nm=audio 4000 RTP/AVP 8\nc=IN IP6 ::\na=maxptime:0\n",
];

/// Pieces of grammar to throw in.
const PIECES: [&[u8]; 14] = [
    b"\r\nm=audio 4000 RTP/AVP 0\r\n",
    b"\nm=video 0 X -1\n",
    b"\na=rtpmap:0 PCMU/8000\n",
    b"\na=fmtp:\n",
    b"\na=rtcp:65536\n",
    b"\nc=IN IP4 0.0.0.0\n",
    b"\nc=IN IP6 ::ffff:0.0.0.0\n",
    b"99999999999999999999",
    b"-1",
    b" ",
    b"\0",
    b"\xff\xfe",
    b"/",
    b"=",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

fn mutate(random: &mut Random) -> Vec<u8> {
    let mut bytes = SEEDS[random.below(SEEDS.len())].to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            4 => bytes.truncate(at),
            _ => {
                let other = SEEDS[random.below(SEEDS.len())];
                bytes.extend_from_slice(&other[random.below(other.len())..]);
            }
        }
    }
    bytes
}

fn capabilities() -> Capabilities {
    let codec = |encoding: &str, clock_rate, channels, static_payload_type| CodecCapability {
        encoding: encoding.to_owned(),
        clock_rate,
        channels,
        static_payload_type,
    };
    let codecs = vec![
        codec("PCMU", 8000, 1, Some(0)),
        codec("PCMA", 8000, 1, Some(8)),
        codec("opus", 48_000, 2, None),
    ];
    Capabilities { codecs, telephone_event: true, ptime_ms: 20 }
}

#[test]
fn a_hundred_thousand_mutations_are_answered_in_form_or_refused() {
    let mut random = Random(1);
    let local = LocalMedia { address: "198.51.100.7".parse().unwrap(), rtp_port: 10_000, rtcp_port: 10_001 };
    let (mut read, mut answered, mut completed) = (0, 0, 0);
    let mut dialog = Negotiator::new(capabilities(), local, 1);
    for round in 0..100_000 {
        let bytes = mutate(&mut random);
        let Ok(description) = SessionDescription::parse(&bytes) else { continue };
        read += 1;
        let printed = description.to_string();
        assert_eq!(SessionDescription::parse(printed.as_bytes()).as_ref(), Ok(&description), "{printed}");
        if round % 16 == 0 {
            dialog = Negotiator::new(capabilities(), local, round);
        }
        let Ok((answer, negotiated)) = dialog.handle_offer(&description) else { continue };
        answered += 1;
        assert_answer_fits(&description, &answer, negotiated.remote_rtp.is_some());
        let reread = SessionDescription::parse(answer.to_string().as_bytes());
        assert_eq!(reread.as_ref(), Ok(&answer), "our own description reads as itself");
        dialog.late_offer();
        completed += usize::from(dialog.handle_answer(&description).is_ok());
    }
    assert!(read > 30_000 && answered > 5_000 && completed > 1_000, "{read} {answered} {completed}");
}

fn assert_answer_fits(offer: &SessionDescription, answer: &SessionDescription, is_sent_to: bool) {
    assert_eq!(offer.media.len(), answer.media.len());
    let mut active = 0;
    for (theirs, ours) in offer.media.iter().zip(&answer.media) {
        assert_eq!((&theirs.kind, &theirs.protocol), (&ours.kind, &ours.protocol));
        assert!(theirs.port != 0 || ours.port == 0, "a refused stream stays refused");
        assert!(
            ours.formats.iter().all(|format| theirs.formats.contains(format) || format.parse::<u8>().is_ok())
        );
        active += usize::from(ours.port != 0);
    }
    assert!(active <= 1 && (active == 1 || !is_sent_to));
}
