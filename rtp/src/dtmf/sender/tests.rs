use super::*;
use crate::dtmf::EventPayload;

fn sender(tone_ms: u64) -> DtmfSender {
    let timing = DtmfTiming { tone: Duration::from_millis(tone_ms), ..DtmfTiming::default() };
    DtmfSender::new(8_000, 160, timing)
}

fn digits(keys: &str) -> Vec<Digit> {
    keys.chars().map(|key| Digit::from_char(key).unwrap()).collect()
}

/// What goes out in each tick: (begin, marker, end bit, duration).
fn ticks(sender: &mut DtmfSender, first: u32, count: u32) -> Vec<Option<(u32, bool, bool, u16)>> {
    let timestamps = (0..count).map(|tick| RtpTime(first.wrapping_add(tick * 160)));
    let packets = timestamps.map(|timestamp| {
        let packet = sender.tick(timestamp)?;
        let event = EventPayload::parse(&packet.payload).unwrap();
        Some((packet.timestamp.0, packet.is_first, event.is_end, event.duration))
    });
    packets.collect()
}

#[test]
fn a_key_is_a_growing_duration_and_three_ends_with_one_timestamp() {
    let mut sender = sender(100);
    sender.queue(&digits("7")).unwrap();
    let expected = [
        Some((4_000, true, false, 160)),
        Some((4_000, false, false, 320)),
        Some((4_000, false, false, 480)),
        Some((4_000, false, false, 640)),
        Some((4_000, false, true, 800)),
        Some((4_000, false, true, 800)),
        Some((4_000, false, true, 800)),
        None,
        None,
    ];
    assert_eq!(ticks(&mut sender, 4_000, 9), expected);
    assert!(!sender.is_sending());
}

#[test]
fn keys_are_kept_apart() {
    let mut sender = sender(100);
    sender.queue(&digits("77")).unwrap();
    let sent = ticks(&mut sender, 0, 20);
    let begins: Vec<usize> = (0..20).filter(|tick| sent[*tick].is_some_and(|packet| packet.1)).collect();
    assert_eq!(begins, [0, 9], "five ticks of tone, four of silence");
    assert_eq!(sent[7..9], [None, None]);
}

#[test]
fn timestamps_wrap_in_the_middle_of_a_key() {
    let mut sender = sender(100);
    sender.queue(&digits("1")).unwrap();
    let start = u32::MAX - 200;
    let sent = ticks(&mut sender, start, 7);
    assert!(sent.iter().flatten().all(|packet| packet.0 == start));
    assert_eq!(sent[4], Some((start, false, true, 800)));
}

#[test]
fn a_key_held_longer_than_a_duration_can_say_goes_out_in_segments() {
    let mut sender = sender(20_000);
    sender.queue(&digits("5")).unwrap();
    let sent: Vec<_> = ticks(&mut sender, 0, 1_010).into_iter().flatten().collect();
    let mut begins: Vec<u32> = sent.iter().map(|packet| packet.0).collect();
    begins.dedup();
    assert_eq!(begins, [0, 65_535, 131_070]);
    assert_eq!(sent.iter().filter(|packet| packet.1).count(), 1, "one marker");
    let full: Vec<_> = sent.iter().filter(|packet| packet.3 == u16::MAX).collect();
    assert_eq!(full.len(), 2);
    assert!(full.iter().all(|packet| !packet.2), "a segment's end is not the event's");
    let ends: Vec<_> = sent.iter().filter(|packet| packet.2).collect();
    assert_eq!(ends, [&(131_070, false, true, 28_930); 3]);
}

#[test]
fn missed_ticks_are_part_of_the_key() {
    let mut sender = sender(100);
    sender.queue(&digits("5")).unwrap();
    ticks(&mut sender, 0, 2);
    assert_eq!(ticks(&mut sender, 160 * 8, 1), [Some((0, false, true, 160 * 9))]);
}

#[test]
fn a_suspended_key_is_given_up_and_the_next_one_goes_out() {
    let mut sender = sender(100);
    sender.queue(&digits("12")).unwrap();
    ticks(&mut sender, 0, 2);
    sender.suspend();
    let packet = sender.tick(RtpTime(160_000)).unwrap();
    assert!(packet.is_first);
    assert_eq!(EventPayload::parse(&packet.payload).unwrap().digit, digits("2")[0]);
}

#[test]
fn a_full_queue_takes_all_or_nothing() {
    let mut sender = sender(100);
    sender.queue(&[Digit::FLASH; QUEUE_LIMIT - 1]).unwrap();
    assert_eq!(sender.queue(&digits("12")), Err(QueueFull { offered: 2, room: 1 }));
    sender.queue(&digits("1")).unwrap();
    assert_eq!(sender.queue(&digits("1")), Err(QueueFull { offered: 1, room: 0 }));
    sender.clear();
    assert!(!sender.is_sending());
    assert_eq!(sender.tick(RtpTime(0)), None);
}

#[test]
fn odd_timing_still_gives_whole_ticks_and_room_for_the_repeated_ends() {
    let timing = DtmfTiming { tone: Duration::ZERO, gap: Duration::ZERO, volume: 200 };
    let mut sender = DtmfSender::new(8_000, 160, timing);
    sender.queue(&digits("12")).unwrap();
    let sent = ticks(&mut sender, 0, 7);
    let expected = [
        Some((0, true, true, 160)),
        Some((0, false, true, 160)),
        Some((0, false, true, 160)),
        Some((480, true, true, 160)),
        Some((480, false, true, 160)),
        Some((480, false, true, 160)),
        None,
    ];
    assert_eq!(sent, expected);
}
