use super::*;

fn block() -> ReportBlock {
    ReportBlock {
        ssrc: Ssrc(0xAABB_CCDD),
        fraction_lost: 51,
        cumulative_lost: 1_234,
        highest_sequence: 0x0002_FFFE,
        jitter: 77,
        last_report: 0x1234_5678,
        delay_since_last_report: 0x0001_8000,
    }
}

fn sender() -> SenderInfo {
    SenderInfo { ntp_time: 0x0102_0304_0506_0708, rtp_time: RtpTime(0xFFFF_0000), packets: 9, octets: 1_440 }
}

fn written(write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut out = [0; CompoundWriter::MAX_LEN];
    let mut writer = CompoundWriter::new(&mut out);
    write(&mut writer);
    let length = writer.finish();
    out[..length].to_vec()
}

fn packets(datagram: &[u8]) -> Vec<Result<RtcpPacket<'_>, RtcpError>> {
    Compound::new(datagram).collect()
}

#[test]
fn a_sender_report_survives_the_wire() {
    let datagram = written(|writer| {
        writer.report(Ssrc(1), Some(sender()), Some(block()));
        writer.cname(Ssrc(1), b"leg@caly");
        writer.bye(Ssrc(1));
    });
    assert_eq!(datagram.len() % 4, 0);
    let packets = packets(&datagram);
    let [
        Ok(RtcpPacket::SenderReport { ssrc, sender: info, reports }),
        Ok(sdes),
        Ok(RtcpPacket::Bye { sources }),
    ] = packets[..]
    else {
        panic!("{packets:?}");
    };
    assert_eq!((ssrc, info), (Ssrc(1), sender()));
    assert_eq!(reports.collect::<Vec<_>>(), [block()]);
    assert_eq!(sdes, RtcpPacket::SourceDescription);
    assert_eq!(sources.collect::<Vec<_>>(), [Ssrc(1)]);
}

#[test]
fn a_receiver_report_without_blocks_is_eight_octets() {
    let datagram = written(|writer| writer.report(Ssrc(0x0A0B_0C0D), None, None));
    assert_eq!(datagram, [0x80, 201, 0, 1, 0x0A, 0x0B, 0x0C, 0x0D]);
}

#[test]
fn a_name_is_terminated_and_padded_to_a_word_whatever_its_length() {
    for length in 0..100 {
        let name = vec![b'x'; length];
        let datagram = written(|writer| writer.cname(Ssrc(1), &name));
        let carried = length.min(CNAME_LIMIT);
        assert_eq!(datagram.len() % 4, 0);
        assert_eq!(usize::from(datagram[3]) * 4 + 4, datagram.len());
        assert_eq!((datagram[8], usize::from(datagram[9])), (1, carried));
        let zeros = &datagram[10 + carried..];
        assert!((1..=4).contains(&zeros.len()) && zeros.iter().all(|zero| *zero == 0));
    }
}

#[test]
fn a_negative_loss_and_one_beyond_24_bits_are_carried_as_far_as_they_go() {
    for (lost, carried) in [(-3, -3), (i32::MIN, -0x80_0000), (i32::MAX, 0x7F_FFFF), (0x7F_FFFF, 0x7F_FFFF)] {
        let bytes = ReportBlock { cumulative_lost: lost, ..block() }.to_bytes();
        assert_eq!(ReportBlock::parse(&bytes), ReportBlock { cumulative_lost: carried, ..block() });
    }
}

#[test]
fn everything_a_writer_can_be_asked_for_fits() {
    let datagram = written(|writer| {
        writer.report(Ssrc(1), Some(sender()), Some(block()));
        writer.cname(Ssrc(1), &[b'x'; 200]);
        writer.bye(Ssrc(1));
    });
    assert_eq!(packets(&datagram).len(), 3);
    let mut small = [0; 30];
    let mut writer = CompoundWriter::new(&mut small);
    writer.report(Ssrc(1), Some(sender()), Some(block()));
    writer.bye(Ssrc(1));
    assert_eq!(writer.finish(), 8, "what does not fit is left out");
}

#[test]
fn extended_reports_feedback_and_application_packets_are_skipped() {
    let mut datagram = vec![];
    for packet_type in [207, 204, 205, 206, 192, 223] {
        datagram.extend([0x80, packet_type, 0, 2, 0, 0, 0, 9, 1, 2, 3, 4]);
    }
    datagram.extend([0x81, 203, 0, 1, 0, 0, 0, 9]);
    let packets = packets(&datagram);
    assert_eq!(packets.len(), 7);
    assert_eq!(packets[0], Ok(RtcpPacket::Other(207)));
    assert!(matches!(packets[6], Ok(RtcpPacket::Bye { .. })));
}

#[test]
fn reading_ends_at_the_first_broken_packet() {
    let good = [0x80, 201, 0, 1, 0, 0, 0, 9];
    let after = |rest: &[u8]| [&good[..], rest].concat();
    let cases: [(&[u8], RtcpError); 6] = [
        (&[0x80, 201, 0], RtcpError::TooShort(3)),
        (&[0x40, 201, 0, 1, 0, 0, 0, 9], RtcpError::Version(1)),
        (&[0x80, 201, 0, 2, 0, 0, 0, 9], RtcpError::Length { length: 12, available: 8 }),
        (&[0x81, 201, 0, 1, 0, 0, 0, 9], RtcpError::Truncated(201)),
        (&[0x80, 200, 0, 1, 0, 0, 0, 9], RtcpError::Truncated(200)),
        (&[0x82, 203, 0, 1, 0, 0, 0, 9], RtcpError::Truncated(203)),
    ];
    for (rest, error) in cases {
        let datagram = after(rest);
        let packets = packets(&datagram);
        assert_eq!(packets.len(), 2);
        assert!(packets[0].is_ok());
        assert_eq!(packets[1], Err(error));
    }
    assert_eq!(packets(&[]), []);
}

#[test]
fn padding_is_cut_off_and_impossible_padding_ignored() {
    let padded = [0xA1, 203, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
    let sources = |datagram: &[u8]| match Compound::new(datagram).next() {
        Some(Ok(RtcpPacket::Bye { sources })) => sources.collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(sources(&padded), [Ssrc(9)]);
    assert_eq!(sources(&[0xA1, 203, 0, 1, 0, 0, 0, 200]), [Ssrc(200)]);
}
