use super::*;

/// A moment of virtual time; one epoch for a test is enough.
struct Clock(Instant);

impl Clock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn at(&self, ms: u64) -> Instant {
        self.0 + Duration::from_millis(ms)
    }
}

fn payload(key: char, is_end: bool, duration: u16) -> [u8; 4] {
    EventPayload { digit: digit(key), is_end, volume: 10, duration }.to_bytes()
}

fn digit(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

fn started(key: char) -> DtmfEvent {
    DtmfEvent::Started { digit: digit(key) }
}

fn ended(key: char, units: u64, is_inferred: bool) -> DtmfEvent {
    let duration = Duration::from_micros(units * 125);
    DtmfEvent::Ended { digit: digit(key), duration, volume: 10, is_inferred }
}

/// Hands in (ms, timestamp, payload) and collects what comes out, with the timeouts of every 20 ms.
fn receive(packets: &[(u64, u32, [u8; 4])]) -> Vec<DtmfEvent> {
    let clock = Clock::new();
    let mut receiver = DtmfReceiver::new(8_000);
    let mut events = Vec::new();
    let last = packets.iter().map(|(ms, ..)| *ms).max().unwrap();
    for ms in (0..last + 400).step_by(10) {
        events.extend(receiver.handle_timeout(clock.at(ms)));
        for (_, timestamp, payload) in packets.iter().filter(|(at, ..)| (ms..ms + 10).contains(at)) {
            events.extend(receiver.handle_packet(clock.at(ms), RtpTime(*timestamp), payload).unwrap());
        }
    }
    events
}

#[test]
fn a_payload_survives_the_wire() {
    for flags in 0..=255_u8 {
        let octets = [3, flags & 0xBF, 0x12, 0x34];
        let event = EventPayload::parse(&octets).unwrap();
        assert_eq!(event.to_bytes(), octets);
        assert_eq!((event.duration, event.volume, event.is_end), (0x1234, flags & 0x3F, flags & 0x80 != 0));
    }
    assert_eq!(EventPayload::parse(&[1, 2, 3]), Err(EventError::TooShort(3)));
    assert_eq!(EventPayload::parse(&[]), Err(EventError::TooShort(0)));
    assert_eq!(EventPayload::parse(&[32, 0, 0, 0]), Err(EventError::NotADigit(32)));
    assert!(EventPayload::parse(&[5, 0x8A, 3, 0x20, 0, 0, 0, 0]).is_ok(), "padding after the event");
}

#[test]
fn a_digit_starts_at_its_first_packet_and_ends_once() {
    let packets = [
        (0, 1_000, payload('5', false, 160)),
        (20, 1_000, payload('5', false, 320)),
        (40, 1_000, payload('5', true, 480)),
        (60, 1_000, payload('5', true, 480)),
        (80, 1_000, payload('5', true, 480)),
    ];
    assert_eq!(receive(&packets), [started('5'), ended('5', 480, false)]);
}

#[test]
fn a_lost_start_and_a_lone_end_packet_are_enough() {
    assert_eq!(receive(&[(0, 9, payload('#', true, 800))]), [started('#'), ended('#', 800, false)]);
    assert_eq!(receive(&[(0, 9, payload('#', false, 640))]), [started('#'), ended('#', 640, true)]);
}

#[test]
fn the_next_digit_ends_the_one_whose_end_packets_are_lost() {
    let packets = [
        (0, 0, payload('1', false, 160)),
        (20, 0, payload('1', false, 320)),
        (120, 960, payload('1', false, 160)),
        (140, 960, payload('1', true, 320)),
    ];
    let expected = [started('1'), ended('1', 320, true), started('1'), ended('1', 320, false)];
    assert_eq!(receive(&packets), expected);
}

#[test]
fn an_end_is_inferred_in_silence_and_late_packets_do_not_repeat_it() {
    let packets = [
        (0, 0, payload('8', false, 160)),
        (20, 0, payload('8', false, 320)),
        (400, 0, payload('8', false, 480)),
        (420, 0, payload('8', true, 640)),
    ];
    assert_eq!(receive(&packets), [started('8'), ended('8', 320, true)]);
}

#[test]
fn an_end_is_inferred_by_the_next_packet_if_nobody_asked_in_between() {
    let clock = Clock::new();
    let mut receiver = DtmfReceiver::new(8_000);
    receiver.handle_packet(clock.at(0), RtpTime(0), &payload('8', false, 160)).unwrap();
    let late = receiver.handle_packet(clock.at(400), RtpTime(0), &payload('8', true, 3_200)).unwrap();
    assert_eq!(late[..], [ended('8', 160, true)]);
}

#[test]
fn packets_of_the_digit_before_do_not_disturb_the_next() {
    let packets = [
        (0, 0, payload('1', false, 160)),
        (40, 480, payload('2', false, 160)),
        (41, 0, payload('1', true, 320)),
        (60, 480, payload('2', false, 320)),
        (61, 0, payload('1', true, 320)),
        (80, 480, payload('2', true, 480)),
        (90, 480, payload('2', false, 160)),
    ];
    let expected = [started('1'), ended('1', 160, true), started('2'), ended('2', 480, false)];
    assert_eq!(receive(&packets), expected);
}

#[test]
fn the_longest_duration_wins_over_reordered_updates() {
    let packets = [
        (0, 0, payload('4', false, 800)),
        (10, 0, payload('4', false, 160)),
        (20, 0, payload('4', false, 480)),
    ];
    assert_eq!(receive(&packets), [started('4'), ended('4', 800, true)]);
}

#[test]
fn an_event_of_several_segments_is_one_digit() {
    for segment in [65_535_u32, 65_440] {
        let mut packets: Vec<_> = (1..=409_u64)
            .map(|tick| (tick * 20, 0, payload('0', false, u16::try_from(tick * 160).unwrap())))
            .collect();
        let full = u16::try_from(segment).unwrap();
        packets.push((8_200, 0, payload('0', false, full)));
        packets.push((8_220, segment, payload('0', false, 160)));
        packets.push((8_240, segment, payload('0', true, 320)));
        let expected = [started('0'), ended('0', u64::from(segment) + 320, false)];
        assert_eq!(receive(&packets), expected);
    }
}

#[test]
fn a_wrap_of_the_timestamp_is_not_the_past() {
    let packets = [
        (0, u32::MAX - 100, payload('1', false, 160)),
        (20, u32::MAX - 100, payload('1', true, 320)),
        (200, 900, payload('2', true, 320)),
    ];
    let expected = [started('1'), ended('1', 320, false), started('2'), ended('2', 320, false)];
    assert_eq!(receive(&packets), expected);
}

#[test]
fn another_source_may_use_any_timestamp() {
    let clock = Clock::new();
    let mut receiver = DtmfReceiver::new(8_000);
    let first = receiver.handle_packet(clock.at(0), RtpTime(50_000), &payload('1', false, 160)).unwrap();
    assert_eq!(first[..], [started('1')]);
    assert_eq!(receiver.handle_source_change(), Some(ended('1', 160, true)));
    let second = receiver.handle_packet(clock.at(20), RtpTime(49_000), &payload('2', true, 160)).unwrap();
    assert_eq!(second[..], [started('2'), ended('2', 160, false)]);
}

#[test]
fn what_is_no_digit_is_counted() {
    let clock = Clock::new();
    let mut receiver = DtmfReceiver::new(8_000);
    assert!(receiver.handle_packet(clock.at(0), RtpTime(0), &[36, 0, 0, 1]).is_err());
    assert!(receiver.handle_packet(clock.at(0), RtpTime(0), &[]).is_err());
    receiver.handle_packet(clock.at(0), RtpTime(0), &payload('1', true, 1)).unwrap();
    receiver.handle_packet(clock.at(0), RtpTime(0), &payload('1', true, 1)).unwrap();
    let counters = ReceiverCounters { digits: 1, inferred_ends: 0, repeated: 1, not_understood: 2 };
    assert_eq!(*receiver.counters(), counters);
}
