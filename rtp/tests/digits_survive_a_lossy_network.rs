//! Digits sent by one session are the digits that the other hears, whatever the network does to their packets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use std::time::Duration;

use network::{Link, Random, Sent, Talker, at, config, digits, events, media, peer, read, session, tick};

use caly_rtp::dtmf::{Digit, EventPayload};
use caly_rtp::session::{Event, Session, TelephoneEvent};

const KEYS: &str = "0123456789*#ABCD";

fn keys(text: &str) -> Vec<Digit> {
    text.chars().map(|key| Digit::from_char(key).unwrap()).collect()
}

/// Sends keys through the link until all is quiet, and gives what was heard.
fn dial(session: &mut Session, other: &mut Session, link: &mut Link, text: &str) -> String {
    session.queue_dtmf(&keys(text)).unwrap();
    let mut heard = String::new();
    let mut quiet = 0;
    let mut number = 0;
    while quiet < 30 {
        let now = tick(number);
        let outgoing = session.send(now, &[0; 160]).unwrap();
        link.send(now, outgoing.datagram);
        for (arrival, datagram) in link.arrived(now) {
            other.handle_rtp(arrival, peer(), &datagram);
        }
        while other.next_in_order(now).is_some() {}
        heard.push_str(&digits(other));
        quiet = if session.is_sending_dtmf() { 0 } else { quiet + 1 };
        number += 1;
    }
    heard
}

#[test]
fn all_sixteen_keys_and_the_flash_arrive_under_either_payload_type() {
    for payload_type in [96, 101] {
        let mut config = config();
        let types = TelephoneEvent { send_payload_type: payload_type, receive_payload_type: payload_type };
        config.media.telephone_event = Some(types);
        let mut one = Session::new(config.clone(), 1, at(0));
        let mut two = Session::new(config, 2, at(0));
        let mut link = Link::new(1, Duration::from_millis(30));
        let text = format!("{KEYS}!00##");
        assert_eq!(dial(&mut one, &mut two, &mut link, &text), text);
    }
}

#[test]
fn the_payload_types_may_differ_each_way() {
    let mut config = config();
    config.media.telephone_event = Some(TelephoneEvent { send_payload_type: 96, receive_payload_type: 101 });
    let mut one = Session::new(config.clone(), 1, at(0));
    config.media.telephone_event = Some(TelephoneEvent { send_payload_type: 101, receive_payload_type: 96 });
    let mut two = Session::new(config, 2, at(0));
    let mut link = Link::new(1, Duration::ZERO);
    assert_eq!(dial(&mut one, &mut two, &mut link, "19*"), "19*");
    assert_eq!(dial(&mut two, &mut one, &mut link, "#2"), "#2");
}

#[test]
fn random_numbers_pass_through_loss_delay_reordering_and_duplicates_without_an_error() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let text: String = (0..20).map(|_| KEYS.as_bytes()[random.below(16) as usize] as char).collect();
        let mut one = Session::new(config(), seed, at(0));
        let mut two = Session::new(config(), seed + 1_000, at(0));
        let mut link = Link::new(seed, Duration::from_millis(40));
        // A digit is seven packets, of which one has to arrive.
        link.loss_percent = 20;
        link.duplicate_percent = 10;
        link.jitter_ms = 45;
        assert_eq!(dial(&mut one, &mut two, &mut link, &text), text, "seed {seed}");
        assert!(link.lost > 0);
    }
}

/// The packets of one key: 100 ms, the end three times.
fn key_packets(session: &mut Session, key: char) -> Vec<(Sent, Vec<u8>)> {
    session.queue_dtmf(&keys(&key.to_string())).unwrap();
    let packets = (0..7).map(|number| {
        let outgoing = session.send(tick(number), &[0; 160]).unwrap();
        (read(outgoing.destination, outgoing.datagram), outgoing.datagram.to_vec())
    });
    packets.collect()
}

#[test]
fn any_packet_of_a_digit_is_enough_for_exactly_one() {
    let packets = key_packets(&mut session(), '6');
    // Every set of lost packets but the one that leaves nothing.
    for arrived in 1_u32..128 {
        let mut session = session();
        let mut heard = String::new();
        for (number, (_, datagram)) in packets.iter().enumerate().filter(|(n, _)| arrived >> n & 1 == 1) {
            session.handle_rtp(tick(number as u64), peer(), datagram);
            heard.push_str(&digits(&mut session));
        }
        while session.next_in_order(at(1_000)).is_some() {}
        heard.push_str(&digits(&mut session));
        assert_eq!(heard, "6", "{arrived:07b}");
        assert_eq!(session.quality().received.digits, 1);
    }
}

#[test]
fn any_order_of_a_digits_packets_is_one_digit() {
    let packets = key_packets(&mut session(), '6');
    let mut random = Random::new(3);
    for _ in 0..500 {
        let mut session = session();
        let mut order: Vec<usize> = (0..7).collect();
        order.sort_by_cached_key(|_| random.next());
        for place in order {
            session.handle_rtp(at(0), peer(), &packets[place].1);
        }
        while session.next_in_order(at(1_000)).is_some() {}
        assert_eq!(digits(&mut session), "6");
    }
}

#[test]
fn a_digit_is_told_when_it_begins_and_when_it_ends() {
    let packets = key_packets(&mut session(), '6');
    let digit = keys("6")[0];
    let mut session = session();
    session.handle_rtp(tick(0), peer(), &packets[0].1);
    let first = events(&mut session);
    assert_eq!(first[1..], [Event::DtmfStarted { digit }]);
    for (number, (_, datagram)) in packets.iter().enumerate().skip(1) {
        session.handle_rtp(tick(number as u64), peer(), datagram);
    }
    assert_eq!(events(&mut session), [Event::Dtmf { digit, duration: Duration::from_millis(100) }]);
}

#[test]
fn a_key_held_for_ten_seconds_is_one_digit_of_ten_seconds() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let mut heard = vec![];
    for number in 1..=500_u32 {
        let (segment, length) =
            if number * 160 <= 65_535 { (0, number * 160) } else { (65_535, number * 160 - 65_535) };
        let payload = EventPayload {
            digit: keys("9")[0],
            is_end: number == 500,
            volume: 10,
            duration: u16::try_from(length).unwrap(),
        };
        session.handle_rtp(tick(number.into()), peer(), &talker.other(101, segment, &payload.to_bytes()));
        while session.next_in_order(tick(number.into())).is_some() {}
        heard.extend(events(&mut session));
    }
    let ends: Vec<_> = heard.iter().filter(|event| matches!(event, Event::Dtmf { .. })).collect();
    assert_eq!(ends, [&Event::Dtmf { digit: keys("9")[0], duration: Duration::from_secs(10) }]);
}

/// A gateway that generates the events itself: another source, other timestamps, and the audio goes on beside them or pauses.
#[test]
fn events_under_a_source_of_their_own_are_heard_and_leave_the_audio_alone() {
    for does_audio_pause in [false, true] {
        let mut session = session();
        let mut talker = Talker::new(7);
        let mut gateway = Talker::new(1_234);
        let mut frames = 0;
        for number in 0..100_u64 {
            let is_pressed = (40..45).contains(&number);
            if is_pressed {
                let duration = u16::try_from((number - 39) * 160).unwrap();
                let payload =
                    EventPayload { digit: keys("3")[0], is_end: number == 44, volume: 10, duration };
                session.handle_rtp(tick(number), peer(), &gateway.other(101, 77_777, &payload.to_bytes()));
            }
            if is_pressed && does_audio_pause {
                talker.timestamp = talker.timestamp.wrapping_add(160);
            } else {
                session.handle_rtp(tick(number), peer(), &talker.audio(&[0x55; 160]));
            }
            while session.next_in_order(tick(number)).is_some() {
                frames += 1;
            }
        }
        assert_eq!(digits(&mut session), "3");
        assert_eq!(frames, if does_audio_pause { 95 } else { 100 });
        let received = session.quality().received;
        assert_eq!((received.restarts, received.concealed_ms, received.lost), (0, 0, 0));
    }
}

/// A peer without audio that begins every string of keys with another source, and with the same timestamps.
#[test]
fn equal_timestamps_of_two_sources_are_two_digits() {
    let mut session = session();
    let mut heard = String::new();
    for (number, (source, key)) in [(7, "1"), (8, "2"), (9, "2")].into_iter().enumerate() {
        let mut talker = Talker::new(source);
        for packet in 1..=8_u64 {
            let duration = u16::try_from(packet.min(6) * 160).unwrap();
            let payload = EventPayload { digit: keys(key)[0], is_end: packet >= 6, volume: 10, duration };
            let now = tick(number as u64 * 20 + packet);
            session.handle_rtp(now, peer(), &talker.other(101, 24_400, &payload.to_bytes()));
        }
        heard.push_str(&digits(&mut session));
    }
    assert_eq!(heard, "122");
}

#[test]
fn digits_are_refused_when_the_peer_takes_none() {
    let mut session = session();
    let mut media = media();
    session.queue_dtmf(&keys("12")).unwrap();
    media.telephone_event = None;
    session.renegotiate(tick(0), media);
    assert!(!session.is_sending_dtmf(), "what waited is forgotten");
    assert!(session.queue_dtmf(&keys("1")).is_err());
    let outgoing = session.send(tick(0), &[0; 160]).unwrap();
    assert_eq!(read(outgoing.destination, outgoing.datagram).payload_type, 0);
}
