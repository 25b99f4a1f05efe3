//! Whatever comes in, a session neither panics nor grows, and what it sends stays sound: 100,000 seeded mutations of RTP, RTCP
//! and telephone events, and random sequences of everything that an owner can do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use network::{Random, Talker, address, at, config, media, peer, read};

use caly_rtp::codec::Codec;
use caly_rtp::dtmf::{Digit, EventPayload};
use caly_rtp::jitter::Release;
use caly_rtp::packet::Ssrc;
use caly_rtp::session::{Direction, EVENT_LIMIT, Event, Session};

const MUTATIONS: u64 = 100_000;

/// One sound datagram of each kind that a peer sends.
fn originals() -> Vec<Vec<u8>> {
    let mut talker = Talker::new(7);
    let event = EventPayload { digit: Digit::FLASH, is_end: true, volume: 10, duration: 800 };
    let mut reporter = Session::new(config(), 3, at(0));
    reporter.handle_rtp(at(0), peer(), &talker.audio(&[0x55; 160]));
    for number in 0..10 {
        reporter.send(at(number * 20), &[0; 160]);
    }
    let report = reporter.poll_rtcp(at(10_000)).map(|outgoing| outgoing.datagram.to_vec());
    let goodbye = reporter.goodbye(at(10_000)).map(|outgoing| outgoing.datagram.to_vec());
    // Contributing sources, a header extension and padding.
    let mut dressed = talker.audio(&[0x55; 200]);
    dressed[0] = 0xB2;
    dressed[20..24].copy_from_slice(&[0xBE, 0xDE, 0, 1]);
    dressed[211] = 16;
    let events = (0..3).map(|_| talker.other(101, 900, &event.to_bytes())).collect::<Vec<_>>();
    let mut all =
        vec![talker.audio(&[0x55; 160]), talker.audio(&[0x55; 80]), talker.other(13, 5, &[70]), dressed];
    all.extend(events);
    all.extend(report);
    all.extend(goodbye);
    assert_eq!(all.len(), 9);
    all
}

fn mutate(random: &mut Random, original: &[u8]) -> Vec<u8> {
    let mut datagram = original.to_vec();
    for _ in 0..=random.below(4) {
        match random.below(6) {
            0 => datagram.truncate(random.below(datagram.len() as u64 + 1) as usize),
            1 => datagram.extend(std::iter::repeat_n(random.next() as u8, random.below(64) as usize)),
            2 => {
                // Headers more often than payloads.
                let place = random.below(datagram.len().clamp(1, 24) as u64) as usize;
                if let Some(octet) = datagram.get_mut(place) {
                    *octet = [0, 1, 0x7F, 0x80, 0xFF, random.next() as u8][random.below(6) as usize];
                }
            }
            3 => {
                let place = random.below(datagram.len().max(1) as u64) as usize;
                if let Some(octet) = datagram.get_mut(place) {
                    *octet ^= 1 << random.below(8);
                }
            }
            4 => {
                let twice = datagram.clone();
                datagram.extend(twice.iter().take(random.below(300) as usize));
            }
            _ => datagram.iter_mut().for_each(|octet| {
                if random.below(16) == 0 {
                    *octet = random.next() as u8;
                }
            }),
        }
    }
    datagram
}

/// Takes all that waits, and holds the promises that any input leaves standing.
fn drain(session: &mut Session, ms: u64, release: Release) {
    let mut waiting = 0;
    while session.poll_event().is_some() {
        waiting += 1;
    }
    assert!(waiting <= EVENT_LIMIT);
    match release {
        Release::InOrder => {
            let frames = std::iter::from_fn(|| session.next_in_order(at(ms))).take(1_000).count();
            assert!(frames < 1_000, "an endless supply of frames");
        }
        Release::Paced => {
            session.next_paced(at(ms));
        }
    }
    if let Some(outgoing) = session.send(at(ms), &[0; 160]) {
        let sent = read(outgoing.destination, outgoing.datagram);
        assert!(sent.payload.len() == 160 || sent.payload.len() == 4);
    }
    session.poll_rtcp(at(ms));
    let quality = session.quality();
    assert!((1.0..=4.5).contains(&quality.received.mos));
    assert!((0.0..=100.0).contains(&quality.received.loss_percent));
}

#[test]
fn mutated_datagrams_of_every_kind_are_no_panic() {
    for release in [Release::InOrder, Release::Paced] {
        let mut config = config();
        config.release = release;
        let mut session = Session::new(config, 1, at(0));
        let mut random = Random::new(2_026);
        let mut talker = Talker::new(7);
        let originals = originals();
        for round in 0..MUTATIONS {
            let ms = round / 2;
            let original = &originals[random.below(originals.len() as u64) as usize];
            let datagram = mutate(&mut random, original);
            if random.chance(80) {
                session.handle_rtp(at(ms), peer(), &datagram);
            } else {
                session.handle_rtcp(at(ms), peer(), &datagram);
            }
            if ms % 20 == 0 {
                session.handle_rtp(at(ms), peer(), &talker.audio(&[0x55; 160]));
                drain(&mut session, ms, release);
            }
        }
        let refused = session.quality().refused;
        assert!(refused.malformed > 1_000 && refused.unknown_payload_type > 100, "{refused:?}");
        assert!(
            refused.payload_size > 0 && refused.telephone_event > 0 && refused.stray > 1_000,
            "{refused:?}"
        );
        assert!(session.quality().received.digits > 0);
    }
}

#[test]
fn after_a_storm_of_garbage_the_peer_is_heard_again_at_once() {
    let mut session = Session::new(config(), 1, at(0));
    let mut random = Random::new(9);
    let originals = originals();
    for _ in 0..10_000 {
        let original = &originals[random.below(originals.len() as u64) as usize];
        session.handle_rtp(at(100), peer(), &mutate(&mut random, original));
    }
    drain(&mut session, 200, Release::InOrder);
    let mut talker = Talker { sequence: 3, timestamp: 0x1234_5678, ..Talker::new(0x5EED) };
    let mut heard = 0;
    for number in 0..50 {
        let ms = 1_000 + number * 20;
        session.handle_rtp(at(ms), peer(), &talker.audio(&[0x21; 160]));
        while let Some(frame) = session.next_in_order(at(ms)) {
            heard += usize::from(frame.payload[..] == [0x21; 160]);
        }
    }
    assert!(heard >= 48, "{heard} of 50 frames");
}

#[test]
fn events_that_nobody_fetches_are_dropped_at_the_limit_and_the_oldest_stay() {
    let mut session = Session::new(config(), 1, at(0));
    let mut talker = Talker::new(7);
    session.handle_rtp(at(0), peer(), &talker.audio(&[0x55; 160]));
    // Payload types that nobody negotiated, the first eight of which are told; 64-95 cannot be told from RTCP and 0, 13 and
    // 101 are known.
    for payload_type in (1..13).chain(14..64).chain(102..128) {
        session.handle_rtp(at(0), peer(), &talker.other(payload_type, 0, &[0; 20]));
    }
    assert_eq!(session.quality().refused.unknown_payload_type, 88);
    // Keys, each with its beginning and its end.
    for key in 1..=40 {
        session.handle_rtp(at(0), peer(), &talker.other(101, key * 1_000, &[1, 0x80, 0, 9]));
    }
    assert_eq!(session.quality().refused.dropped_events, 1 + 8 + 80 - EVENT_LIMIT as u64);
    let waiting = network::events(&mut session);
    assert_eq!(waiting.len(), EVENT_LIMIT);
    assert_eq!(waiting[0], Event::Latched { source: peer(), ssrc: Ssrc(7) });
    assert_eq!(waiting[1], Event::UnknownPayloadType(1));
}

#[test]
fn any_sequence_of_operations_is_no_panic() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut config = config();
        config.release = if random.chance(50) { Release::InOrder } else { Release::Paced };
        let mut release = config.release;
        let mut session = Session::new(config, seed, at(0));
        let originals = originals();
        let mut ms = 0;
        for _ in 0..500 {
            match random.below(12) {
                0..=3 => {
                    let original = &originals[random.below(originals.len() as u64) as usize];
                    let source = [peer(), address("203.0.113.5:9"), address("[2001:db8::1]:9")];
                    session.handle_rtp(at(ms), source[random.below(3) as usize], original);
                }
                4 => session.skip_ticks([0, 1, 3, 70_000, u32::MAX][random.below(5) as usize]),
                5 => {
                    let digit = Digit::from_event_code(random.below(17) as u8).unwrap();
                    session.queue_dtmf(&vec![digit; random.below(70) as usize]).ok();
                }
                6 => {
                    let mut media = media();
                    media.codec = if random.chance(50) { Codec::Pcmu } else { Codec::Pcma };
                    media.direction = [Direction::SendRecv, Direction::Inactive, Direction::SendOnly]
                        [random.below(3) as usize];
                    media.remote_rtp = random.chance(80).then(|| address("198.51.100.7:4000"));
                    media.remote_rtcp = random.chance(80).then(|| address("198.51.100.7:4001"));
                    media.send_payload_type = random.next() as u8;
                    if random.chance(30) {
                        media.telephone_event = None;
                    }
                    session.renegotiate(at(ms), media);
                }
                7 => {
                    release = if random.chance(50) { Release::InOrder } else { Release::Paced };
                    session.set_release(release);
                }
                8 => ms += random.below(100_000),
                9 => {
                    session.goodbye(at(ms));
                }
                // Time may stand still or be asked for out of order.
                _ => drain(&mut session, ms.saturating_sub(random.below(50)), release),
            }
            ms += random.below(25);
        }
    }
}
