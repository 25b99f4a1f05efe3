//! A digit in the middle of speech: its packets take sequence numbers, its timestamp is its beginning, and the audio goes on
//! where time has got to (RFC 4733 sections 2.5.1.2 and 2.6). The listener misses nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use network::{Sent, events, media, peer, send, session, tick};

use caly_rtp::dtmf::{Digit, EventPayload};
use caly_rtp::frame::FrameKind;
use caly_rtp::session::{Direction, Event};

fn key(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

/// 40 ticks with one key queued at the tenth.
fn conversation() -> Vec<Sent> {
    let mut session = session();
    let packets = (0..40).map(|number| {
        if number == 10 {
            session.queue_dtmf(&[key('4')]).unwrap();
        }
        send(&mut session, tick(number), &[1_000; 160]).unwrap()
    });
    packets.collect()
}

#[test]
fn event_packets_carry_the_events_beginning_and_audio_goes_on_afterwards() {
    let packets = conversation();
    let (first, start) = (&packets[0], &packets[10]);
    for (number, packet) in packets.iter().enumerate() {
        let number = u16::try_from(number).unwrap();
        assert_eq!(packet.sequence, first.sequence.wrapping_add(number), "one number a packet");
        let is_event = (10..17).contains(&number);
        assert_eq!(packet.payload_type, if is_event { 101 } else { 0 });
        assert_eq!(packet.marker, number == 0 || number == 10, "the talkspurt and the event begin");
        let units = if is_event { 10 * 160 } else { u32::from(number) * 160 };
        assert_eq!(packet.timestamp, first.timestamp.wrapping_add(units));
    }
    let durations: Vec<(u16, bool)> = packets[10..17]
        .iter()
        .map(|packet| EventPayload::parse(&packet.payload).unwrap())
        .map(|event| (event.duration, event.is_end))
        .collect();
    let expected =
        [(160, false), (320, false), (480, false), (640, false), (800, true), (800, true), (800, true)];
    assert_eq!(durations, expected);
    assert_eq!(start.payload.len(), 4);
}

#[test]
fn the_listener_hears_the_digit_and_no_loss() {
    let mut sender = session();
    let mut listener = session();
    let mut voice = 0;
    for number in 0..200 {
        if number % 40 == 10 {
            sender.queue_dtmf(&[key('4')]).unwrap();
        }
        let outgoing = sender.send(tick(number), &[1_000; 160]).unwrap();
        listener.handle_rtp(tick(number), peer(), outgoing.datagram);
        while let Some(frame) = listener.next_in_order(tick(number)) {
            assert_eq!(frame.kind, FrameKind::Voice, "tick {number}");
            voice += 1;
        }
    }
    assert_eq!(voice, 200 - 5 * 7);
    let quality = listener.quality().received;
    assert_eq!((quality.packets, quality.lost, quality.concealed_ms, quality.restarts), (200, 0, 0, 0));
    assert_eq!(quality.digits, 5);
    assert_eq!(quality.jitter_max_ms, 0, "an event's timestamp is not its packet's time");
}

#[test]
fn missed_ticks_lengthen_a_digit_and_do_not_bend_the_timeline() {
    let mut session = session();
    let first = send(&mut session, tick(0), &[0; 160]).unwrap();
    session.queue_dtmf(&[key('1')]).unwrap();
    let start = send(&mut session, tick(1), &[0; 160]).unwrap();
    session.skip_ticks(6);
    let end = send(&mut session, tick(8), &[0; 160]).unwrap();
    assert_eq!((end.timestamp, end.sequence), (start.timestamp, first.sequence.wrapping_add(2)));
    let event = EventPayload::parse(&end.payload).unwrap();
    assert_eq!((event.duration, event.is_end), (8 * 160, true));
    let mut audio = (9..30).map(|number| send(&mut session, tick(number), &[0; 160]).unwrap());
    let audio = audio.find(|packet| packet.payload_type != 101).unwrap();
    assert_eq!(audio.timestamp, first.timestamp.wrapping_add(11 * 160));
    assert!(audio.marker, "time was lost since the last audio");
}

#[test]
fn hold_gives_up_the_digit_that_is_going_out_and_keeps_the_next() {
    let mut session = session();
    session.queue_dtmf(&[key('1'), key('2')]).unwrap();
    for number in 0..2 {
        send(&mut session, tick(number), &[0; 160]).unwrap();
    }
    let mut held = media();
    held.direction = Direction::Inactive;
    session.renegotiate(tick(2), held);
    for number in 2..100 {
        assert_eq!(send(&mut session, tick(number), &[0; 160]), None);
    }
    session.renegotiate(tick(100), media());
    let resumed = send(&mut session, tick(100), &[0; 160]).unwrap();
    let event = EventPayload::parse(&resumed.payload).unwrap();
    assert_eq!((event.digit, event.duration, resumed.marker), (key('2'), 160, true));
}

#[test]
fn a_digit_while_we_do_not_listen_is_not_reported() {
    let mut sender = session();
    let mut listener = session();
    let mut held = media();
    held.direction = Direction::SendOnly;
    listener.renegotiate(tick(0), held);
    sender.queue_dtmf(&[key('4')]).unwrap();
    for number in 0..20 {
        let outgoing = sender.send(tick(number), &[0; 160]).unwrap();
        listener.handle_rtp(tick(number), peer(), outgoing.datagram);
        assert_eq!(listener.next_in_order(tick(number)), None);
    }
    assert!(events(&mut listener).iter().all(|event| matches!(event, Event::Latched { .. })));
    assert_eq!(listener.quality().refused.direction, 13);
}
