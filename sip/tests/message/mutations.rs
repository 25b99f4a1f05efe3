//! A hundred thousand broken messages: nothing panics, nobody answers what must not be answered, and what is valid
//! prints and reads back.

use caly_sip::message::{HeaderName, Malformed, Message, Method};

use crate::corpus::{Sample, frame, samples};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What parsers stumble over.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"=",
    b"@",
    b"?",
    b"&",
    b"%",
    b"%00",
    b"%zz",
    b"/",
    b"[",
    b"]",
    b"::",
    b":::",
    b"\0",
    b"\xff",
    b"\xc3\xbc",
    b"\xef\xbf\xbd",
    b"*",
    b"SIP/2.0",
    b"4294967296",
    b"-1",
    b"99999999999999999999",
    b"Content-Length: 4\r\n",
    b"l:0\r\n",
    b"Via: ",
    b"\r\nCSeq: 1 ACK\r\n",
    b"ACK ",
    b";tag=",
    b";branch=z9hG4bK",
    b";received=[::1]",
    b";rport",
    b"tel:+1",
    b"sips:",
    b"To: \"",
    b"\r\n\r\n",
];

fn mutate(random: &mut Random, samples: &[Sample]) -> Vec<u8> {
    let mut bytes = samples[random.below(samples.len())].bytes.clone();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(12)).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at.max(1)),
            4 => {
                let other = &samples[random.below(samples.len())].bytes;
                bytes.splice(at..end, other[random.below(other.len())..].iter().take(80).copied());
            }
            _ => drop(bytes.splice(at..end, random.pick(PIECES).iter().copied())),
        }
    }
    bytes
}

/// Reads everything that can be read.
fn read_all(message: &Message) {
    let headers = message.headers();
    let _ = (headers.contact(), headers.record_routes(), headers.routes(), headers.content_type());
    for name in
        [HeaderName::Contact, HeaderName::PAssertedIdentity, HeaderName::Diversion, HeaderName::ReferTo]
    {
        let _ = headers.addresses(&name);
    }
    for name in [HeaderName::Expires, HeaderName::MinSe, HeaderName::SessionExpires, HeaderName::RetryAfter] {
        let _ = headers.seconds(&name);
    }
    let _ = (headers.allow().count(), headers.reasons().count());
    let _ = headers.accepts(&caly_sip::message::MediaType::sdp());
    if let Message::Request(request) = message {
        let _ = (request.uri.subscriber(), request.uri.user_unescaped());
    }
}

#[test]
fn broken_messages_do_no_harm() {
    let samples = samples();
    let mut random = Random(20_261_121);
    let (mut valid, mut answered, mut dropped) = (0, 0, 0);
    for round in 0..100_000 {
        let bytes = mutate(&mut random, &samples);
        match Message::parse_datagram(&bytes) {
            Ok(message) => {
                valid += 1;
                read_all(&message);
                let again = Message::parse_datagram(&message.to_bytes());
                let again = again.unwrap_or_else(|error| panic!("round {round}: {error}\n{message:?}"));
                assert_eq!(again.to_bytes(), message.to_bytes(), "round {round}");
                let essentials = |message: &Message| message.headers().essentials();
                assert_eq!(essentials(&again), essentials(&message), "round {round}");
            }
            Err(Malformed { reply: Some(reply), .. }) => {
                answered += 1;
                assert!(!bytes.starts_with(b"SIP/2.0 ") && !bytes.starts_with(b"ACK "), "round {round}");
                let bytes = reply.to_bytes();
                assert_eq!(bytes.windows(4).filter(|end| *end == b"\r\n\r\n").count(), 1, "round {round}");
                assert!(reply.headers.contains(&HeaderName::Via));
            }
            Err(Malformed { reply: None, .. }) => dropped += 1,
        }
    }
    // The corpus must stay near the border between good and bad, else this proves little.
    assert!(valid > 10_000 && answered > 10_000 && dropped > 1_000, "{valid} {answered} {dropped}");
}

#[test]
fn broken_streams_do_no_harm() {
    let samples = samples();
    let mut random = Random(7);
    let mut framed = 0;
    for _ in 0..5_000 {
        let stream = [mutate(&mut random, &samples), mutate(&mut random, &samples)].concat();
        let whole = frame([&stream[..]]);
        let size = 1 + random.below(40);
        assert_eq!(frame(stream.chunks(size)), whole);
        framed += whole.len();
    }
    assert!(framed > 5_000, "{framed}");
}

#[test]
fn an_ack_is_never_answered() {
    let samples = samples();
    let mut random = Random(99);
    for _ in 0..10_000 {
        let bytes = mutate(&mut random, &samples);
        let Some(space) = bytes.iter().position(|&byte| byte == b' ') else { continue };
        let ack = [Method::Ack.as_str().as_bytes(), &bytes[space..]].concat();
        if let Err(malformed) = Message::parse_datagram(&ack) {
            assert_eq!(malformed.reply, None);
        }
    }
}
