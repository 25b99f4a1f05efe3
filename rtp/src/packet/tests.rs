//! Packets read and written, and what is not one.

use proptest::prelude::*;

use super::*;

const PLAIN: [u8; 16] = [0x80, 0x80, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4];

fn with_flags(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut datagram = PLAIN[..HEADER_BYTES].to_vec();
    datagram[0] = 0x80 | flags;
    datagram.extend(body);
    datagram
}

#[test]
fn a_plain_packet_is_read() {
    let packet = Packet::parse(&PLAIN).unwrap();
    assert_eq!(
        packet,
        Packet {
            marker: true,
            payload_type: PayloadType(0),
            sequence: SeqNo(0x1234),
            timestamp: RtpTime(160),
            ssrc: Ssrc(0xdead_beef),
            payload: &[1, 2, 3, 4],
        }
    );
}

#[test]
fn contributing_sources_and_extensions_are_skipped() {
    let mut body = vec![0xaa; 8];
    body.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9, 42]);
    assert_eq!(Packet::parse(&with_flags(EXTENSION_FLAG | 2, &body)).unwrap().payload, [42]);
}

#[test]
fn padding_is_cut_off() {
    assert_eq!(Packet::parse(&with_flags(PADDING_FLAG, &[1, 2, 0, 0, 3])).unwrap().payload, [1, 2]);
    assert_eq!(Packet::parse(&with_flags(PADDING_FLAG, &[0, 2])).unwrap().payload, [0; 0]);
}

#[test]
fn an_empty_payload_is_a_packet() {
    assert!(Packet::parse(&PLAIN[..HEADER_BYTES]).unwrap().payload.is_empty());
}

#[test]
fn what_is_not_rtp_is_refused_with_its_reason() {
    let error = |datagram: &[u8]| Packet::parse(datagram).unwrap_err();
    assert_eq!(error(&[]), PacketError::TooShort(0));
    assert_eq!(error(&PLAIN[..11]), PacketError::TooShort(11));
    assert_eq!(error(&[0; 20]), PacketError::Version(0));
    assert_eq!(error(&with_flags(1, &[0; 3])), PacketError::ContributingSources);
    assert_eq!(error(&with_flags(EXTENSION_FLAG, &[0; 3])), PacketError::Extension);
    assert_eq!(error(&with_flags(EXTENSION_FLAG, &[0, 0, 0xff, 0xff, 0])), PacketError::Extension);
    assert_eq!(error(&with_flags(PADDING_FLAG, &[])), PacketError::Padding(0));
    assert_eq!(error(&with_flags(PADDING_FLAG, &[1, 0])), PacketError::Padding(0));
    assert_eq!(error(&with_flags(PADDING_FLAG, &[1, 3])), PacketError::Padding(3));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let packet = Packet::parse(&PLAIN).unwrap();
    assert_eq!(packet.write_to(&mut [0; 15]), Err(PacketError::NoRoom { length: 16, available: 15 }));
    assert_eq!(packet.write_to(&mut [0; 3]), Err(PacketError::NoRoom { length: 16, available: 3 }));
    let packet = Packet { payload_type: PayloadType(128), ..packet };
    assert_eq!(packet.write_to(&mut [0; 16]), Err(PacketError::PayloadType(128)));
}

#[test]
fn numbers_are_compared_by_the_shorter_way_around() {
    assert_eq!(SeqNo(2).distance_from(SeqNo(u16::MAX)), 3);
    assert_eq!(SeqNo(u16::MAX).distance_from(SeqNo(2)), -3);
    assert_eq!(SeqNo(u16::MAX).advanced_by(2), SeqNo(1));
    assert_eq!(RtpTime(160).distance_from(RtpTime(u32::MAX)), 161);
    assert_eq!(RtpTime(u32::MAX).advanced_by(160), RtpTime(159));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        marker: bool, format in 0_u8..128, sequence: u16, timestamp: u32, ssrc: u32,
        payload in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let packet = Packet {
            marker,
            payload_type: PayloadType(format),
            sequence: SeqNo(sequence),
            timestamp: RtpTime(timestamp),
            ssrc: Ssrc(ssrc),
            payload: &payload,
        };
        let mut datagram = [0; 600];
        let length = packet.write_to(&mut datagram).unwrap();
        prop_assert_eq!(length, HEADER_BYTES + payload.len());
        prop_assert_eq!(Packet::parse(&datagram[..length]).unwrap(), packet);
    }

    #[test]
    fn any_bytes_are_read_or_refused(first in 0x80_u8..=0xbf, rest in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut datagram = vec![first];
        datagram.extend(rest);
        if let Ok(packet) = Packet::parse(&datagram) {
            prop_assert!(packet.payload.len() <= datagram.len() - HEADER_BYTES);
        }
    }
}
