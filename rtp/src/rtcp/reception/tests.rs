use super::*;
use crate::unwrap::ORIGIN;

struct Stream {
    began: Instant,
    reception: Reception,
}

impl Stream {
    fn new() -> Self {
        Self { began: Instant::now(), reception: Reception::new(8_000) }
    }

    /// Packet `number` of a 20 ms stream, `late_ms` after its time; the first has the number 65530 on the wire.
    fn packet(&mut self, number: u64, late_ms: u64) {
        let arrival = Arrival {
            at: self.began + Duration::from_millis(1_000 + number * 20 + late_ms),
            sequence: ORIGIN + number,
            timestamp: Some(RtpTime(u32::MAX - 400).advanced_by(number as u32 * 160)),
        };
        self.reception.handle_packet(Ssrc(7), 65_530_u16.wrapping_add(number as u16), arrival);
    }
}

#[test]
fn an_undisturbed_stream_has_neither_loss_nor_jitter() {
    let mut stream = Stream::new();
    (0..100).for_each(|number| stream.packet(number, 0));
    let totals = ReceptionTotals { received: 100, ..ReceptionTotals::default() };
    assert_eq!(stream.reception.totals(), totals);
    assert_eq!(stream.reception.jitter(), Duration::ZERO);
    let block = stream.reception.report().unwrap();
    assert_eq!((block.fraction_lost, block.cumulative_lost, block.jitter), (0, 0, 0));
    assert_eq!(block.highest_sequence, 65_530 + 99, "one wrap counted in the upper half");
}

#[test]
fn the_fraction_is_about_the_time_since_the_last_report_and_the_sum_about_all() {
    let mut stream = Stream::new();
    (0..100).filter(|number| number % 4 != 1).for_each(|number| stream.packet(number, 0));
    let block = stream.reception.report().unwrap();
    assert_eq!((block.fraction_lost, block.cumulative_lost), (64, 25));
    (100..200).for_each(|number| stream.packet(number, 0));
    let block = stream.reception.report().unwrap();
    assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 25));
    assert_eq!(stream.reception.report(), None, "nothing came since");
}

#[test]
fn duplicates_and_reordered_packets_are_counted_once_each() {
    let mut stream = Stream::new();
    for number in [0, 1, 1, 3, 2, 3, 5, 4, 4] {
        stream.packet(number, 0);
    }
    let totals = ReceptionTotals { received: 6, lost: 0, duplicate: 3, reordered: 2 };
    assert_eq!(stream.reception.totals(), totals);
}

#[test]
fn a_packet_from_before_the_first_belongs_to_the_stream() {
    let mut stream = Stream::new();
    for number in [3, 2, 0] {
        stream.packet(number, 0);
    }
    let totals = ReceptionTotals { received: 3, lost: 1, duplicate: 0, reordered: 2 };
    assert_eq!(stream.reception.totals(), totals);
}

#[test]
fn a_packet_too_late_to_be_told_from_a_duplicate_stays_lost() {
    let mut stream = Stream::new();
    (0..200).filter(|number| *number != 50).for_each(|number| stream.packet(number, 0));
    stream.packet(50, 0);
    let totals = ReceptionTotals { received: 199, lost: 1, duplicate: 0, reordered: 0 };
    assert_eq!(stream.reception.totals(), totals);
}

#[test]
fn jitter_settles_at_the_mean_deviation() {
    let mut stream = Stream::new();
    // Every second packet is 10 ms late: each transit differs from the one before by 10 ms.
    (0..500).for_each(|number| stream.packet(number, number % 2 * 10));
    let jitter = stream.reception.jitter();
    assert!((9_000..=10_000).contains(&jitter.as_micros()), "{jitter:?}");
    assert_eq!(stream.reception.deviation_ms(0.5), 10);
    assert_eq!(stream.reception.largest_deviation_ms(), 10);
}

#[test]
fn quantiles_tell_the_usual_deviation_from_the_rare_one() {
    let mut stream = Stream::new();
    (0..1_000).for_each(|number| stream.packet(number, if number % 50 == 25 { 100 } else { 0 }));
    let reception = &stream.reception;
    assert_eq!((reception.deviation_ms(0.5), reception.deviation_ms(0.95)), (0, 0));
    assert_eq!((reception.deviation_ms(0.99), reception.largest_deviation_ms()), (100, 100));
}

#[test]
fn packets_without_a_time_of_their_own_leave_the_jitter_alone() {
    let mut stream = Stream::new();
    (0..10).for_each(|number| stream.packet(number, 0));
    let at = stream.began + Duration::from_secs(9);
    let arrival = Arrival { at, sequence: ORIGIN + 10, timestamp: None };
    stream.reception.handle_packet(Ssrc(7), 4, arrival);
    assert_eq!(stream.reception.jitter(), Duration::ZERO);
    assert_eq!(stream.reception.totals().received, 11);
}

#[test]
fn a_restart_keeps_the_sums_and_reports_on_the_new_source_alone() {
    let mut stream = Stream::new();
    [0, 1, 3].into_iter().for_each(|number| stream.packet(number, 0));
    stream.reception.restart();
    assert_eq!(stream.reception.report(), None);
    let arrival = Arrival { at: stream.began, sequence: ORIGIN + 1_000, timestamp: None };
    stream.reception.handle_packet(Ssrc(8), 77, arrival);
    let block = stream.reception.report().unwrap();
    assert_eq!((block.ssrc, block.highest_sequence, block.cumulative_lost), (Ssrc(8), 77, 0));
    let totals = ReceptionTotals { received: 4, lost: 1, duplicate: 0, reordered: 0 };
    assert_eq!(stream.reception.totals(), totals);
}

#[test]
fn a_jump_of_hours_is_not_jitter() {
    let mut stream = Stream::new();
    (0..10).for_each(|number| stream.packet(number, 0));
    stream.packet(10, 3_600_000);
    assert_eq!(stream.reception.jitter(), Duration::ZERO);
    assert_eq!(stream.reception.largest_deviation_ms(), 0);
}
