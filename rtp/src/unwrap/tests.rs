//! Wraps, reordering, pauses, stalls and restarts, packet by packet.

use super::*;
use crate::packet::PayloadType;

struct Stream {
    unwrapper: Unwrapper,
    epoch: Instant,
}

impl Stream {
    fn new() -> Self {
        Self { unwrapper: Unwrapper::new(8_000), epoch: Instant::now() }
    }

    fn take(&mut self, at_ms: u64, ssrc: u32, sequence: u16, timestamp: u32) -> Unwrapped {
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence: SeqNo(sequence),
            timestamp: RtpTime(timestamp),
            ssrc: Ssrc(ssrc),
            payload: &[],
        };
        self.unwrapper.unwrap(self.epoch + Duration::from_millis(at_ms), &packet)
    }
}

fn at(packets: i64, units: i64) -> Position {
    Position {
        sequence: ORIGIN.saturating_add_signed(packets),
        timestamp: ORIGIN.saturating_add_signed(units),
    }
}

#[test]
fn both_numbers_go_on_past_their_wraps_in_any_order() {
    let mut stream = Stream::new();
    assert_eq!(stream.take(0, 1, u16::MAX, u32::MAX - 159), Unwrapped::Continues(at(0, 0)));
    assert_eq!(stream.take(40, 1, 1, 160), Unwrapped::Continues(at(2, 320)));
    assert_eq!(stream.take(41, 1, 0, 0), Unwrapped::Continues(at(1, 160)));
    assert_eq!(stream.take(42, 1, u16::MAX - 1, u32::MAX - 319), Unwrapped::Continues(at(-1, -160)));
    assert_eq!(stream.take(60, 1, 2, 320), Unwrapped::Continues(at(3, 480)));
}

#[test]
fn a_pause_of_hours_goes_on() {
    let mut stream = Stream::new();
    stream.take(0, 1, 10, 0);
    let hours_ms = 20 * 3_600_000;
    assert_eq!(
        stream.take(hours_ms, 1, 11, hours_ms as u32 * 8),
        Unwrapped::Continues(at(1, hours_ms as i64 * 8))
    );
}

#[test]
fn a_burst_after_a_stall_goes_on() {
    let mut stream = Stream::new();
    stream.take(0, 1, 10, 0);
    for index in 1..100 {
        let expected = at(i64::from(index), i64::from(index) * 160);
        assert_eq!(stream.take(2_000, 1, 10 + index, u32::from(index) * 160), Unwrapped::Continues(expected));
    }
}

#[test]
fn an_event_that_begins_before_audio_already_sent_goes_on() {
    let mut stream = Stream::new();
    stream.take(0, 1, 10, 8_000);
    assert_eq!(stream.take(20, 1, 11, 7_200), Unwrapped::Continues(at(1, -800)));
    assert_eq!(stream.take(200, 1, 12, 9_600), Unwrapped::Continues(at(2, 1_600)));
}

#[test]
fn a_restart_is_believed_at_the_second_packet() {
    for (ssrc, sequence, timestamp, reason) in [
        (2, 11, 160, Restart::Ssrc),
        (1, 9_000, 160, Restart::Sequence),
        (1, 11, 900_000, Restart::Timestamp),
    ] {
        let mut stream = Stream::new();
        stream.take(0, 1, 10, 0);
        assert_eq!(stream.take(100, ssrc, sequence, timestamp), Unwrapped::OnTrial);
        let Unwrapped::Restarted(position, why) = stream.take(120, ssrc, sequence + 1, timestamp + 160)
        else {
            panic!("no restart after {reason:?}");
        };
        assert_eq!(why, reason);
        assert!(position.sequence > ORIGIN + 1);
        assert_eq!(position.timestamp, ORIGIN + 960, "media time goes on by the 120 ms that passed");
        let next = Position { sequence: position.sequence + 1, timestamp: position.timestamp + 160 };
        assert_eq!(stream.take(140, ssrc, sequence + 2, timestamp + 320), Unwrapped::Continues(next));
    }
}

#[test]
fn a_stray_packet_is_dropped_and_forgotten() {
    let mut stream = Stream::new();
    stream.take(0, 1, 10, 0);
    assert_eq!(stream.take(10, 2, 500, 77), Unwrapped::OnTrial);
    assert_eq!(stream.take(20, 1, 11, 160), Unwrapped::Continues(at(1, 160)));
    assert_eq!(stream.take(30, 2, 501, 237), Unwrapped::OnTrial);
}
