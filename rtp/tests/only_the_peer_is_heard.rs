//! Whose packets are the peer's: nothing that a third party sends moves the stream or is heard.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use network::{Talker, address, config, events, media, peer, send, session, tick};

use caly_rtp::packet::Ssrc;
use caly_rtp::session::{Event, FOREIGN_SOURCE_LIMIT, Session};

/// A payload that no other talker of these tests sends.
const PEER_OCTET: u8 = 0x21;
const STRANGER_OCTET: u8 = 0x42;

/// Speaks for so many ticks from the peer's address and gives the payloads that were heard.
fn listen(session: &mut Session, talker: &mut Talker, ticks: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    for number in ticks {
        session.handle_rtp(tick(number), peer(), &talker.audio(&[PEER_OCTET; 160]));
        while let Some(frame) = session.next_in_order(tick(number)) {
            heard.push(frame.payload.to_vec());
        }
    }
    heard
}

#[test]
fn the_announced_address_is_taken_at_its_first_packet() {
    let mut session = session();
    let heard = listen(&mut session, &mut Talker::new(7), 0..10);
    assert_eq!(heard, vec![vec![PEER_OCTET; 160]; 10]);
    assert_eq!(session.peer(), Some(peer()));
    assert_eq!(events(&mut session), [Event::Latched { source: peer(), ssrc: Ssrc(7) }]);
    assert_eq!(session.last_received(), Some(tick(9)));
}

#[test]
fn the_announced_host_is_taken_at_another_port_too() {
    let mut session = session();
    let source = address("198.51.100.7:51000");
    session.handle_rtp(tick(0), source, &Talker::new(7).audio(&[0; 160]));
    assert_eq!(session.peer(), Some(source));
    assert_eq!(send(&mut session, tick(0), &[0; 160]).unwrap().destination, source);
}

#[test]
fn a_third_party_is_counted_and_neither_heard_nor_answered() {
    // A stranger with a source of its own, one that continues the peer's numbers, and one that continues them under the peer's
    // port number.
    for stranger in ["203.0.113.66:4000", "203.0.113.66:9000", "198.51.100.7:4002"] {
        let stranger = address(stranger);
        for is_imitating in [false, true] {
            let mut session = session();
            let mut talker = Talker::new(7);
            let mut heard = listen(&mut session, &mut talker, 0..5);
            let mut other = if is_imitating { talker.clone() } else { Talker::new(99) };
            for number in 5..105 {
                for _ in 0..3 {
                    session.handle_rtp(tick(number), stranger, &other.audio(&[STRANGER_OCTET; 160]));
                }
                heard.extend(listen(&mut session, &mut talker, number..number + 1));
                assert_eq!(send(&mut session, tick(number), &[0; 160]).unwrap().destination, peer());
            }
            assert_eq!(heard, vec![vec![PEER_OCTET; 160]; 105], "{stranger} {is_imitating}");
            let quality = session.quality();
            assert_eq!(quality.refused.foreign, 300);
            let received = quality.received;
            assert_eq!(
                (received.packets, received.duplicate, received.lost, received.restarts),
                (105, 0, 0, 0)
            );
            assert_eq!(session.remote_ssrc(), Some(Ssrc(7)));
            let named =
                events(&mut session).into_iter().filter(|event| matches!(event, Event::ForeignSource { .. }));
            assert_eq!(named.collect::<Vec<_>>(), [Event::ForeignSource { source: stranger }]);
        }
    }
}

#[test]
fn a_third_party_does_not_keep_a_silent_call_alive() {
    let mut session = session();
    listen(&mut session, &mut Talker::new(7), 0..5);
    let mut other = Talker::new(99);
    for number in 5..500 {
        session.handle_rtp(tick(number), address("203.0.113.66:9000"), &other.audio(&[0; 160]));
    }
    assert_eq!(session.last_received(), Some(tick(4)));
}

#[test]
fn only_the_first_third_parties_are_named() {
    let mut session = session();
    listen(&mut session, &mut Talker::new(7), 0..1);
    for port in 0..1_000 {
        let stranger = address(&format!("203.0.113.66:{}", 9_000 + port));
        session.handle_rtp(tick(1), stranger, &Talker::new(99).audio(&[0; 160]));
    }
    let named = events(&mut session).into_iter().filter(|event| matches!(event, Event::ForeignSource { .. }));
    assert_eq!(named.count(), FOREIGN_SOURCE_LIMIT);
    assert_eq!(session.quality().refused.foreign, 1_000);
}

#[test]
fn a_peer_behind_a_nat_is_taken_after_four_consecutive_packets_of_one_source() {
    let mut config = config();
    config.media.remote_rtp = Some(address("192.168.1.20:4000"));
    config.media.remote_rtcp = Some(address("192.168.1.20:4001"));
    let mut session = Session::new(config, 1, tick(0));
    let real = address("203.0.113.9:62000");
    let mut talker = Talker::new(7);
    for number in 0..3 {
        session.handle_rtp(tick(number), real, &talker.audio(&[0; 160]));
        assert_eq!(session.peer(), None);
        assert_eq!(
            send(&mut session, tick(number), &[0; 160]).unwrap().destination,
            address("192.168.1.20:4000")
        );
    }
    session.handle_rtp(tick(3), real, &talker.audio(&[0; 160]));
    assert_eq!(session.peer(), Some(real));
    assert_eq!(send(&mut session, tick(3), &[0; 160]).unwrap().destination, real);
    assert_eq!(session.quality().refused.on_trial, 3);
    assert_eq!(session.quality().received.packets, 1);
}

#[test]
fn packets_that_do_not_follow_each_other_never_make_a_source_the_peer() {
    let mut config = config();
    config.media.remote_rtp = Some(address("192.168.1.20:4000"));
    let mut session = Session::new(config, 1, tick(0));
    for number in 0..200 {
        // Three in a row, then a gap; and another source each time.
        let mut talker = Talker::new(u32::try_from(number).unwrap());
        talker.sequence = u16::try_from(number * 10).unwrap();
        for _ in 0..3 {
            session.handle_rtp(tick(number), address("203.0.113.9:62000"), &talker.audio(&[0; 160]));
        }
    }
    assert_eq!(session.peer(), None);
    assert_eq!(session.quality().refused.on_trial, 600);
    assert_eq!(session.quality().received.packets, 0);
}

#[test]
fn a_source_in_the_trunks_media_network_is_taken_whatever_was_announced() {
    let mut config = config();
    config.latch.networks = vec![(address("168.86.128.0:0").ip(), 18)];
    let mut session = Session::new(config, 1, tick(0));
    session.handle_rtp(tick(0), address("168.87.0.1:12000"), &Talker::new(9).audio(&[0; 160]));
    assert_eq!(session.peer(), None, "outside the network");
    let gateway = address("168.86.150.3:12000");
    session.handle_rtp(tick(0), gateway, &Talker::new(7).audio(&[0; 160]));
    assert_eq!(session.peer(), Some(gateway));
    assert_eq!(send(&mut session, tick(0), &[0; 160]).unwrap().destination, gateway);
}

#[test]
fn a_new_address_in_a_new_offer_opens_the_latch_again_and_the_old_source_cannot_close_it() {
    let mut session = session();
    let mut talker = Talker::new(7);
    listen(&mut session, &mut talker, 0..10);
    let elsewhere = address("192.0.2.200:6000");
    let mut media = media();
    media.remote_rtp = Some(elsewhere);
    session.renegotiate(tick(10), media);
    assert_eq!(send(&mut session, tick(10), &[0; 160]).unwrap().destination, elsewhere);

    // What is still under way from the old address.
    listen(&mut session, &mut talker, 10..25);
    assert_eq!(session.peer(), None);

    session.handle_rtp(tick(25), elsewhere, &talker.audio(&[PEER_OCTET; 160]));
    assert_eq!(session.peer(), Some(elsewhere));
    listen(&mut session, &mut talker, 26..30);
    assert_eq!(session.peer(), Some(elsewhere), "the old source is a third party now");
    assert_eq!(session.quality().refused.foreign, 4);
}

#[test]
fn a_move_between_two_gateways_of_one_media_network_is_not_undone_by_the_first_ones_last_packets() {
    let mut config = config();
    config.latch.networks = vec![(address("198.51.100.0:0").ip(), 24)];
    let mut session = Session::new(config, 1, tick(0));
    let mut talker = Talker::new(7);
    listen(&mut session, &mut talker, 0..10);
    let elsewhere = address("198.51.100.200:6000");
    let mut media = media();
    media.remote_rtp = Some(elsewhere);
    session.renegotiate(tick(10), media);
    listen(&mut session, &mut talker, 10..30);
    assert_eq!(session.peer(), None);
    session.handle_rtp(tick(30), elsewhere, &talker.audio(&[PEER_OCTET; 160]));
    assert_eq!(session.peer(), Some(elsewhere));
}

#[test]
fn a_peer_that_announces_another_address_and_stays_where_it_is_is_found_after_a_second() {
    let mut session = session();
    let mut talker = Talker::new(7);
    listen(&mut session, &mut talker, 0..10);
    let mut media = media();
    media.remote_rtp = Some(address("192.168.1.77:6000"));
    session.renegotiate(tick(10), media);
    listen(&mut session, &mut talker, 10..59);
    assert_eq!(session.peer(), None);
    listen(&mut session, &mut talker, 59..60);
    assert_eq!(session.peer(), Some(peer()));
}

#[test]
fn a_peer_that_announces_the_address_it_already_sends_from_goes_on_without_a_gap() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let real = address("198.51.100.7:51000");
    session.handle_rtp(tick(0), real, &talker.audio(&[PEER_OCTET; 160]));
    let mut media = media();
    media.remote_rtp = Some(real);
    session.renegotiate(tick(1), media);
    session.handle_rtp(tick(1), real, &talker.audio(&[PEER_OCTET; 160]));
    assert_eq!(session.peer(), Some(real));
    assert_eq!(session.quality().refused.on_trial, 0);
}

#[test]
fn a_new_offer_with_the_same_address_moves_nothing() {
    let mut session = session();
    listen(&mut session, &mut Talker::new(7), 0..10);
    session.renegotiate(tick(10), media());
    assert_eq!(session.peer(), Some(peer()));
    session.handle_rtp(tick(10), address("203.0.113.66:4000"), &Talker::new(9).audio(&[0; 160]));
    assert_eq!(session.quality().refused.foreign, 1);
}

#[test]
fn rtcp_of_a_third_party_is_dropped() {
    let mut session = session();
    listen(&mut session, &mut Talker::new(7), 0..10);
    events(&mut session);
    let bye = [0x81, 203, 0, 1, 0, 0, 0, 7];
    session.handle_rtcp(tick(10), address("203.0.113.66:4001"), &bye);
    assert_eq!(events(&mut session), []);
    assert_eq!(session.quality().refused.foreign_rtcp, 1);
    session.handle_rtcp(tick(10), address("198.51.100.7:4001"), &bye);
    session.handle_rtcp(tick(10), address("198.51.100.7:4001"), &bye);
    assert_eq!(events(&mut session), [Event::RemoteBye]);
}
