//! What goes out is 160 octets, 160 samples and one number after the packet before, whatever the calls' rhythm is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use network::{Sent, address, at, config, media, read, send, session, tick};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::{collection, prop_assert, prop_assert_eq, proptest};

use caly_rtp::codec::Codec;
use caly_rtp::session::{Direction, Session};

const TEN_MINUTES: u64 = 10 * 60 * 50;

fn assert_follows(before: &Sent, after: &Sent, ticks: u32) {
    assert_eq!(after.payload.len(), 160);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(160 * ticks));
    assert_eq!(after.ssrc, before.ssrc);
}

#[test]
fn for_ten_minutes_every_packet_follows_the_one_before() {
    for seed in 0..4 {
        let mut session = Session::new(config(), seed, at(0));
        let mut before = send(&mut session, at(0), &[0; 160]).unwrap();
        assert!(before.marker, "the first packet begins a talkspurt");
        for number in 1..TEN_MINUTES {
            let level = i16::try_from(number % 8_000).unwrap();
            let after = send(&mut session, tick(number), &[level; 160]).unwrap();
            assert_follows(&before, &after, 1);
            assert!(!after.marker);
            before = after;
        }
        let sent = session.quality().sent;
        assert_eq!((sent.packets, sent.octets), (TEN_MINUTES, TEN_MINUTES * 160));
        assert_eq!(session.transcoding().encoded_frames, TEN_MINUTES);
    }
}

/// What the shard may do in a tick.
#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Pass(Vec<u8>),
    Skip(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..400).prop_map(Step::Send),
        3 => collection::vec(any::<u8>(), 0..400).prop_map(Step::Pass),
        1 => (0_u32..2_000).prop_map(Step::Skip),
    ]
}

proptest! {
    #[test]
    fn missed_ticks_move_the_timestamp_and_not_the_sequence(
        steps in collection::vec(step(), 1..200),
        seed in any::<u64>(),
    ) {
        let mut session = Session::new(config(), seed, at(0));
        let mut before: Option<Sent> = None;
        let mut missed = 0;
        for (number, step) in steps.iter().enumerate() {
            let now = tick(number as u64);
            let outgoing = match step {
                Step::Send(samples) => session.send(now, &vec![100; *samples]),
                Step::Pass(payload) => session.send_payload(now, payload),
                Step::Skip(ticks) => {
                    session.skip_ticks(*ticks);
                    missed += ticks;
                    continue;
                }
            };
            let outgoing = outgoing.unwrap();
            let after = read(outgoing.destination, outgoing.datagram);
            prop_assert_eq!(after.payload.len(), 160);
            if let Some(before) = before {
                prop_assert_eq!(after.sequence, before.sequence.wrapping_add(1));
                prop_assert_eq!(after.timestamp, before.timestamp.wrapping_add(160 * (missed + 1)));
                prop_assert_eq!(after.marker, missed > 0);
            }
            if let Step::Pass(payload) = step {
                let carried = payload.len().min(160);
                prop_assert_eq!(&after.payload[..carried], &payload[..carried]);
                prop_assert!(after.payload[carried..].iter().all(|octet| *octet == 0xFF));
            }
            before = Some(after);
            missed = 0;
        }
    }
}

#[test]
fn a_payload_passes_through_byte_by_byte() {
    for (codec, payload_type) in [(Codec::Pcmu, 0), (Codec::Pcma, 8)] {
        let mut config = config();
        config.media.codec = codec;
        config.media.send_payload_type = payload_type;
        let mut session = Session::new(config, 5, at(0));
        for number in 0..256_u64 {
            let payload: Vec<u8> = (0..160).map(|octet| (octet + number * 7) as u8).collect();
            let outgoing = session.send_payload(tick(number), &payload).unwrap();
            let sent = read(outgoing.destination, outgoing.datagram);
            assert_eq!(sent.payload, payload);
            assert_eq!(sent.payload_type, payload_type);
        }
        assert_eq!(session.transcoding().encoded_frames, 0);
    }
}

#[test]
fn a_new_agreement_changes_type_and_destination_and_leaves_the_numbers() {
    let mut session = session();
    let before = send(&mut session, tick(0), &[0; 160]).unwrap();
    let mut media = media();
    media.codec = Codec::Pcma;
    media.send_payload_type = 8;
    media.receive_payload_type = 8;
    media.remote_rtp = Some(address("192.0.2.1:7000"));
    session.renegotiate(tick(1), media);
    let after = send(&mut session, tick(1), &[0; 160]).unwrap();
    assert_follows(&before, &after, 1);
    assert_eq!(after.payload_type, 8);
    assert_eq!(after.destination, address("192.0.2.1:7000"));
    assert_eq!(after.payload, vec![0xD5; 160]);
}

#[test]
fn hold_sends_nothing_while_time_goes_on_and_the_marker_tells_of_the_return() {
    for held in [Direction::Inactive, Direction::RecvOnly] {
        let mut session = session();
        let before = send(&mut session, tick(0), &[0; 160]).unwrap();
        let mut media = media();
        media.direction = held;
        session.renegotiate(tick(1), media.clone());
        for number in 1..=500 {
            assert_eq!(send(&mut session, tick(number), &[0; 160]), None);
        }
        media.direction = Direction::SendRecv;
        session.renegotiate(tick(501), media);
        let after = send(&mut session, tick(501), &[0; 160]).unwrap();
        assert_follows(&before, &after, 501);
        assert!(after.marker);
        assert!(!send(&mut session, tick(502), &[0; 160]).unwrap().marker);
    }
}

#[test]
fn a_peer_without_an_address_is_sent_nothing() {
    let mut session = session();
    let mut media = media();
    media.remote_rtp = None;
    session.renegotiate(tick(0), media);
    assert_eq!(send(&mut session, tick(0), &[0; 160]), None);
}

#[test]
fn sessions_of_different_seeds_begin_at_different_numbers() {
    let first = |seed| send(&mut Session::new(config(), seed, at(0)), at(0), &[0; 160]).unwrap();
    let (one, two) = (first(1), first(2));
    assert_eq!(one, first(1));
    assert!(one.ssrc != two.ssrc && one.sequence != two.sequence && one.timestamp != two.timestamp);
}
