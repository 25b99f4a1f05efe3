//! Comfort noise, unknown types, odd sizes, pauses and restarts of the peer: counted, told once, and never heard as noise.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use std::time::Duration;

use network::{Talker, address, config, events, media, peer, session, tick};

use caly_rtp::codec::Codec;
use caly_rtp::frame::{Frame, FrameKind};
use caly_rtp::packet::Ssrc;
use caly_rtp::session::{AUDIO_PAYLOAD_LIMIT, Direction, Event, Session};

const VOICE: u8 = 0x21;

fn take(session: &mut Session, number: u64, datagram: &[u8]) -> Vec<Frame> {
    session.handle_rtp(tick(number), peer(), datagram);
    std::iter::from_fn(|| session.next_in_order(tick(number))).collect()
}

fn is_voice(frame: &Frame) -> bool {
    frame.kind == FrameKind::Voice && frame.payload[..] == [VOICE; 160]
}

#[test]
fn comfort_noise_is_counted_and_never_played() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let mut frames = vec![];
    for number in 0..100 {
        let is_speech = number % 20 < 10;
        if is_speech {
            frames.extend(take(&mut session, number, &talker.audio(&[VOICE; 160])));
        } else {
            // One update in the pause, as a peer with silence suppression sends.
            if number % 20 == 10 {
                let timestamp = talker.timestamp;
                frames.extend(take(&mut session, number, &talker.other(13, timestamp, &[70])));
            }
            talker.timestamp = talker.timestamp.wrapping_add(160);
        }
    }
    assert_eq!(frames.len(), 50);
    assert!(frames.iter().all(is_voice));
    let quality = session.quality();
    assert_eq!((quality.received.comfort_noise, quality.received.packets), (5, 55));
    assert_eq!((quality.received.lost, quality.received.concealed_ms, quality.received.restarts), (0, 0, 0));
    assert_eq!(quality.refused.unknown_payload_type, 0);
}

#[test]
fn an_unknown_type_is_told_once_and_is_no_loss() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let mut frames = vec![];
    for number in 0..100 {
        frames.extend(take(&mut session, number, &talker.audio(&[VOICE; 160])));
        if number % 10 == 5 {
            frames.extend(take(&mut session, number, &talker.other(18, 12_345, &[1; 20])));
        }
    }
    assert!(frames.len() == 100 && frames.iter().all(is_voice));
    let told: Vec<_> = events(&mut session).split_off(1);
    assert_eq!(told, [Event::UnknownPayloadType(18)]);
    let quality = session.quality();
    assert_eq!(quality.refused.unknown_payload_type, 10);
    assert_eq!((quality.received.lost, quality.received.concealed_ms), (0, 0));
}

#[test]
fn the_other_law_under_its_own_type_is_not_decoded_as_ours() {
    let mut session = session();
    let mut talker = Talker { payload_type: 8, ..Talker::new(7) };
    for number in 0..50 {
        assert_eq!(take(&mut session, number, &talker.audio(&[VOICE; 160])), []);
    }
    assert_eq!(session.quality().refused.unknown_payload_type, 50);
    assert_eq!(session.transcoding().decoded_frames, 0);
}

#[test]
fn packets_of_ten_to_two_hundred_milliseconds_are_all_heard() {
    for octets in [80, 160, 240, 320, 480, 800, 1_600] {
        let mut session = session();
        let mut talker = Talker::new(7);
        let mut heard = vec![];
        for number in 0..20 {
            let ticks = number * octets as u64 / 160;
            heard.extend(take(&mut session, ticks, &talker.audio(&vec![VOICE; octets])));
        }
        assert_eq!(heard.len(), 20 * octets / 160, "{octets}");
        assert!(heard.iter().all(is_voice), "{octets}");
        assert_eq!(session.quality().refused.payload_size, 0);
    }
}

#[test]
fn empty_packets_and_packets_beyond_the_limit_are_dropped_and_counted() {
    let mut session = session();
    let mut talker = Talker::new(7);
    take(&mut session, 0, &talker.audio(&[VOICE; 160]));
    for number in 1..11 {
        let timestamp = talker.timestamp;
        assert_eq!(take(&mut session, number, &talker.other(0, timestamp, &[])), []);
        assert_eq!(
            take(&mut session, number, &talker.other(0, timestamp, &[VOICE; AUDIO_PAYLOAD_LIMIT + 1])),
            []
        );
    }
    assert_eq!(session.quality().refused.payload_size, 20);
    assert_eq!(session.quality().received.packets, 21);
}

#[test]
fn another_source_of_the_peer_is_followed_and_told() {
    let mut session = session();
    let mut before = Talker::new(7);
    let mut after = Talker { sequence: 100, timestamp: 5, ..Talker::new(8) };
    let mut frames = vec![];
    for number in 0..50 {
        frames.extend(take(&mut session, number, &before.audio(&[VOICE; 160])));
    }
    for number in 50..100 {
        frames.extend(take(&mut session, number, &after.audio(&[VOICE; 160])));
    }
    let told = events(&mut session).split_off(1);
    assert_eq!(told, [Event::SsrcChanged { from: Ssrc(7), to: Ssrc(8) }]);
    assert_eq!(session.remote_ssrc(), Some(Ssrc(8)));
    assert!(frames.iter().all(is_voice));
    assert_eq!(frames.len(), 99, "the packet that was on trial is not heard");
    let times: Vec<u64> = frames.iter().map(|frame| frame.media_time.0).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "time does not run back");
    let quality = session.quality();
    assert_eq!((quality.received.restarts, quality.received.lost, quality.refused.stray), (1, 0, 1));
}

#[test]
fn a_stray_packet_of_another_source_changes_nothing() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let mut frames = vec![];
    for number in 0..100 {
        frames.extend(take(&mut session, number, &talker.audio(&[VOICE; 160])));
        if number % 10 == 0 {
            frames.extend(take(&mut session, number, &Talker::new(1_000).audio(&[0; 160])));
        }
    }
    assert!(frames.len() == 100 && frames.iter().all(is_voice));
    assert_eq!(session.remote_ssrc(), Some(Ssrc(7)));
    assert_eq!(session.quality().refused.stray, 10);
}

#[test]
fn a_restart_of_the_numbering_under_the_same_source_is_followed_and_told() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let mut frames = 0;
    for number in 0..100 {
        if number == 50 {
            talker.sequence = talker.sequence.wrapping_add(20_000);
            talker.timestamp = talker.timestamp.wrapping_sub(9_000_000);
        }
        frames += take(&mut session, number, &talker.audio(&[VOICE; 160])).len();
    }
    assert_eq!(frames, 99);
    assert_eq!(events(&mut session).split_off(1), [Event::BufferReset]);
    assert_eq!(session.quality().received.restarts, 1);
}

#[test]
fn on_hold_the_peers_audio_is_discarded_and_resumes_where_it_is() {
    let mut session = session();
    let mut talker = Talker::new(7);
    for number in 0..50 {
        assert_eq!(take(&mut session, number, &talker.audio(&[VOICE; 160])).len(), 1);
    }
    let mut held = media();
    held.direction = Direction::Inactive;
    session.renegotiate(tick(50), held);
    for number in 50..100 {
        assert_eq!(take(&mut session, number, &talker.audio(&[0; 160])), []);
    }
    assert_eq!(session.quality().refused.direction, 50);
    session.renegotiate(tick(100), media());
    for number in 100..150 {
        let frames = take(&mut session, number, &talker.audio(&[VOICE; 160]));
        assert!(frames.len() == 1 && is_voice(&frames[0]), "{number}");
    }
    let received = session.quality().received;
    assert_eq!((received.lost, received.concealed_ms, received.restarts), (0, 0, 0));
}

#[test]
fn another_codec_in_a_new_agreement_is_decoded_as_itself_from_its_first_packet() {
    let mut session = session();
    let mut talker = Talker::new(7);
    for number in 0..50 {
        take(&mut session, number, &talker.audio(&[VOICE; 160]));
    }
    events(&mut session);
    let mut media = media();
    (media.codec, media.send_payload_type, media.receive_payload_type) = (Codec::Pcma, 8, 8);
    session.renegotiate(tick(50), media);
    // The last packet of the old type is still under way.
    assert_eq!(take(&mut session, 50, &talker.audio(&[VOICE; 160])), []);
    talker.payload_type = 8;
    let mut expected = [0; 160];
    Codec::Pcma.decode(&[0x2A; 160], &mut expected);
    for number in 51..100 {
        let frames = take(&mut session, number, &talker.audio(&[0x2A; 160]));
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].samples[80..], expected[80..]);
    }
    assert_eq!(events(&mut session), [], "the old type is no surprise");
}

#[test]
fn lost_frames_are_concealed_for_listeners_and_are_silence_in_the_payload() {
    let mut session = session();
    let mut talker = Talker::new(7);
    let mut frames = vec![];
    for number in 0..100 {
        let datagram = talker.audio(&[VOICE; 160]);
        if number % 10 != 5 {
            frames.extend(take(&mut session, number, &datagram));
        }
    }
    frames.extend(std::iter::from_fn(|| session.next_in_order(tick(120))));
    let (voice, concealed): (Vec<_>, Vec<_>) =
        frames.iter().partition(|frame| frame.kind == FrameKind::Voice);
    assert_eq!((voice.len(), concealed.len()), (90, 10));
    assert!(concealed.iter().all(|frame| frame.payload[..] == [0xFF; 160]));
    let received = session.quality().received;
    assert_eq!((received.lost, received.concealed_ms), (10, 200));
    assert!((received.loss_percent - 10.0).abs() < 0.2 && (3.3..3.5).contains(&received.mos));
}

#[test]
fn a_peers_ear_gets_one_frame_a_tick_after_the_target_delay() {
    let mut config = config();
    config.release = caly_rtp::jitter::Release::Paced;
    let mut session = Session::new(config, 1, tick(0));
    let mut talker = Talker::new(7);
    let mut heard = vec![];
    for number in 0..200 {
        session.handle_rtp(tick(number), address("198.51.100.7:4000"), &talker.audio(&[VOICE; 160]));
        heard.push(session.next_paced(tick(number)).is_some());
    }
    let silent = heard.iter().take_while(|is_heard| !**is_heard).count();
    assert!((2..=5).contains(&silent), "{silent} ticks for a target of 60 ms");
    assert!(heard[silent..].iter().all(|is_heard| *is_heard));
    let depth = session.jitter_depth();
    assert!((Duration::from_millis(40)..=Duration::from_millis(100)).contains(&depth), "{depth:?}");
}
