use super::*;
use crate::rtcp::Arrival;

struct Member {
    reporter: Reporter,
    reception: Reception,
    sent: Sent,
}

impl Member {
    fn new(ssrc: u32, now: Instant) -> Self {
        Self {
            reporter: Reporter::new("member", ssrc.into(), now),
            reception: Reception::new(8_000),
            sent: Sent { ssrc: Ssrc(ssrc), ..Sent::default() },
        }
    }

    fn report(&mut self, now: Instant) -> Vec<u8> {
        let mut out = [0; CompoundWriter::MAX_LEN];
        let length = self.reporter.report(now, self.sent, &mut self.reception, &mut out);
        out[..length].to_vec()
    }

    fn hear(&mut self, now: Instant, datagram: &[u8]) -> Heard {
        self.reporter.handle_datagram(now, &self.sent, Some(Ssrc(2)), datagram)
    }
}

fn is_sender_report(datagram: &[u8]) -> bool {
    matches!(Compound::new(datagram).next(), Some(Ok(RtcpPacket::SenderReport { .. })))
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn a_round_trip_is_the_time_away_less_the_time_held() {
    let start = Instant::now();
    // The members' clocks begin at different times.
    let (mut one, mut two) = (Member::new(1, start), Member::new(2, start + ms(700)));
    one.sent.packets = 50;
    let report = one.report(start + ms(1_000));
    two.hear(start + ms(1_015), &report);
    let arrival = Arrival { at: start + ms(1_100), sequence: 9, timestamp: None };
    two.reception.handle_packet(Ssrc(1), 9, arrival);
    let answer = two.report(start + ms(3_000));
    one.hear(start + ms(3_025), &answer);
    let round_trip = one.reporter.round_trip().unwrap();
    assert!(round_trip.abs_diff(ms(40)) < Duration::from_micros(50), "{round_trip:?}");
    let remote = RemoteReport { lost: 0, fraction_lost: 0, jitter: 0, packets_sent: 50 };
    assert_eq!(one.reporter.remote(), Some(remote));
}

#[test]
fn a_block_that_echoes_nothing_of_ours_gives_no_round_trip() {
    let start = Instant::now();
    for (last_report, delay) in [(0, 0), (0x7000_0000, 0), (0x0001_8000, 0xFFFF_FFFF)] {
        let mut one = Member::new(1, start);
        let mut out = [0; CompoundWriter::MAX_LEN];
        let mut writer = CompoundWriter::new(&mut out);
        let block = ReportBlock {
            ssrc: Ssrc(1),
            fraction_lost: 0,
            cumulative_lost: 0,
            highest_sequence: 0,
            jitter: 0,
            last_report,
            delay_since_last_report: delay,
        };
        writer.report(Ssrc(2), None, Some(block));
        let length = writer.finish();
        one.hear(start + ms(5_000), &out[..length]);
        assert_eq!(one.reporter.round_trip(), None);
        assert!(one.reporter.remote().is_some());
    }
}

#[test]
fn who_has_sent_since_the_last_report_but_one_is_a_sender() {
    let start = Instant::now();
    let mut one = Member::new(1, start);
    let mut kinds = vec![is_sender_report(&one.report(start))];
    one.sent.packets = 10;
    for _ in 0..3 {
        kinds.push(is_sender_report(&one.report(start)));
    }
    assert_eq!(kinds, [false, true, true, false]);
}

#[test]
fn reports_on_other_sources_are_not_about_us() {
    let start = Instant::now();
    let (mut one, mut two) = (Member::new(1, start), Member::new(2, start));
    two.reception.handle_packet(Ssrc(99), 9, Arrival { at: start, sequence: 9, timestamp: None });
    let report = two.report(start);
    one.hear(start, &report);
    assert_eq!(one.reporter.remote(), None);
}

#[test]
fn only_the_source_that_is_received_can_leave() {
    let start = Instant::now();
    let mut one = Member::new(1, start);
    assert!(!one.hear(start, &[0x81, 203, 0, 1, 0, 0, 0, 99]).is_bye);
    assert!(one.hear(start, &[0x82, 203, 0, 2, 0, 0, 0, 99, 0, 0, 0, 2]).is_bye);
    assert!(!one.hear(start, &[0x80, 203, 0, 0]).is_bye, "a goodbye of nobody");
}

#[test]
fn a_goodbye_is_a_report_a_name_and_a_bye() {
    let start = Instant::now();
    let mut one = Member::new(1, start);
    let mut out = [0; CompoundWriter::MAX_LEN];
    let length = one.reporter.goodbye(start, one.sent, &mut one.reception, &mut out);
    let packets: Vec<_> = Compound::new(&out[..length]).map(Result::unwrap).collect();
    assert!(matches!(
        packets[..],
        [RtcpPacket::ReceiverReport { .. }, RtcpPacket::SourceDescription, RtcpPacket::Bye { .. }]
    ));
}

#[test]
fn a_block_on_another_source_does_not_echo_the_report_of_the_one_before() {
    let start = Instant::now();
    let (mut one, mut two) = (Member::new(1, start), Member::new(2, start));
    two.sent.packets = 1;
    let report = two.report(start);
    let echoed = |one: &mut Member, sequence| {
        let arrival = Arrival { at: start, sequence, timestamp: None };
        one.reception.handle_packet(Ssrc(2), 9, arrival);
        let report = one.report(start + ms(100));
        match Compound::new(&report).next() {
            Some(Ok(RtcpPacket::ReceiverReport { mut reports, .. })) => {
                reports.next().map(|block| block.last_report)
            }
            other => panic!("{other:?}"),
        }
    };
    one.hear(start, &report);
    assert_ne!(echoed(&mut one, 9), Some(0));
    one.reporter.handle_source_change();
    assert_eq!(echoed(&mut one, 10), Some(0));
}
