//! Captures are written by hand, byte by byte where a tool would not write them so.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use etherparse::PacketBuilder;
use pcap_file::pcap::{PcapHeader, PcapWriter, RawPcapPacket};
use pcap_file::{DataLink, TsResolution};

use super::*;

struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn temporary(name: &str, bytes: &[u8]) -> Temporary {
    let path = std::env::temp_dir().join(format!("caly-read-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    Temporary(path)
}

/// A pcap of frames with times in microseconds.
fn pcap(link: DataLink, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let header =
        PcapHeader { datalink: link, ts_resolution: TsResolution::MicroSecond, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (micros, frame) in frames {
        let length = u32::try_from(frame.len()).unwrap();
        let packet = RawPcapPacket {
            ts_sec: u32::try_from(micros / 1_000_000).unwrap(),
            ts_frac: u32::try_from(micros % 1_000_000).unwrap(),
            incl_len: length,
            orig_len: length,
            data: frame.as_slice().into(),
        };
        writer.write_raw_packet(&packet).unwrap();
    }
    writer.into_writer()
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .udp(4000, 5060)
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

fn tcp(sequence: u32, flags: &str, payload: &[u8]) -> Vec<u8> {
    let mut builder =
        PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).tcp(4000, 5060, sequence, 1000).ack(1);
    if flags.contains('S') {
        builder = builder.syn();
    }
    if flags.contains('F') {
        builder = builder.fin();
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

fn read_bytes(name: &str, bytes: &[u8]) -> Result<Reading, ReadError> {
    read(&temporary(name, bytes).0)
}

fn datagrams(reading: &Reading) -> Vec<&[u8]> {
    reading
        .packets
        .iter()
        .map(|seen| match &seen.what {
            Content::Datagram(payload) => payload.as_slice(),
            Content::Stream(_) | Content::StreamEnd => panic!("{seen:?}"),
        })
        .collect()
}

#[test]
fn every_link_type_leads_to_the_same_datagram() {
    let ip = udp(b"hello");
    let ethernet = |tag: &[u8]| [&[2; 12], tag, &[8, 0], ip.as_slice()].concat();
    let sll = [&[0; 14], [8, 0].as_slice(), &ip].concat();
    let sll2 = [[8, 0].as_slice(), &[0; 18], &ip].concat();
    let loopback = [&[2, 0, 0, 0], ip.as_slice()].concat();
    let cases = [
        (DataLink::ETHERNET, ethernet(&[])),
        (DataLink::ETHERNET, ethernet(&[0x81, 0, 0, 7])),
        (DataLink::RAW, ip.clone()),
        (DataLink::IPV4, ip.clone()),
        (DataLink::LINUX_SLL, sll),
        (DataLink::LINUX_SLL2, sll2),
        (DataLink::NULL, loopback),
    ];
    for (number, (link, frame)) in cases.into_iter().enumerate() {
        let reading = read_bytes(&format!("link{number}"), &pcap(link, &[(1_000_007, frame)])).unwrap();
        assert_eq!(datagrams(&reading), [b"hello"], "{link:?}");
        let seen = &reading.packets[0];
        assert_eq!((seen.at, seen.frame), (Duration::from_micros(1_000_007), 1));
        assert_eq!((seen.from.to_string().as_str(), seen.to.port()), ("192.0.2.1:4000", 5060));
    }
}

#[test]
fn ipv6_datagrams_are_read() {
    let mut bytes = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(1, 2).write(&mut bytes, b"six").unwrap();
    let reading = read_bytes("six", &pcap(DataLink::RAW, &[(0, bytes)])).unwrap();
    assert_eq!(datagrams(&reading), [b"six"]);
    assert!(reading.packets[0].from.is_ipv6());
}

#[test]
fn what_is_written_late_is_put_in_its_place_and_what_is_foreign_is_counted() {
    let arp = [&[2; 12], [8, 6].as_slice(), &[0; 28]].concat();
    let frames = [(3, udp(b"c")), (1, udp(b"a")), (2, udp(b"b"))]
        .map(|(at, ip)| (at, [&[2; 12], [8, 0].as_slice(), ip.as_slice()].concat()));
    let mut frames = frames.to_vec();
    frames.push((4, arp));
    let mut cut = frames[0].clone();
    cut.1.truncate(30);
    frames.push(cut);
    let reading = read_bytes("order", &pcap(DataLink::ETHERNET, &frames)).unwrap();
    let expected: [&[u8]; 3] = [b"a", b"b", b"c"];
    assert_eq!(datagrams(&reading), expected);
    let counters = reading.counters;
    assert_eq!((counters.frames, counters.foreign, counters.cut, counters.out_of_order), (5, 1, 1, 3));
}

#[test]
fn a_file_that_is_cut_is_read_up_to_there_and_says_so() {
    let bytes = pcap(DataLink::RAW, &[(1, udp(b"one")), (2, udp(b"two"))]);
    let reading = read_bytes("cut", &bytes[..bytes.len() - 2]).unwrap();
    assert_eq!(datagrams(&reading), [b"one"]);
    let (after, what) = reading.broken_after.unwrap();
    assert_eq!((after, what.as_str()), (1, "the file ends in the middle of a packet"));
    let said = |name, bytes: &[u8]| read_bytes(name, bytes).unwrap_err().to_string();
    assert!(said("empty", b"").ends_with("is empty"));
    assert!(said("text", b"hello world, this is text").ends_with("neither a pcap nor a pcapng file"));
    assert!(said("gz", &[0x1f, 0x8b, 8, 0, 0]).contains("gunzip"));
    assert!(read(&std::env::temp_dir()).unwrap_err().to_string().contains("directory"));
}

#[test]
fn a_file_with_more_than_fits_into_memory_is_refused_with_a_remedy() {
    let file = temporary("huge", &pcap(DataLink::RAW, &[(1, udp(b"one")), (2, udp(b"two"))]));
    for (packets, bytes, wanted) in [(1, 100, "more than 1 packets"), (100, 5, "more than 5 bytes")] {
        let said = read_up_to(&file.0, packets, bytes).unwrap_err().to_string();
        assert!(said.contains(wanted) && said.contains("editcap -c"), "{said}");
    }
    assert_eq!(read_up_to(&file.0, 2, 6).unwrap().packets.len(), 2);
}

#[test]
fn the_times_of_a_pcapng_are_in_its_interfaces_units() {
    for (resolution, units, micros) in
        [(None, 1_500_000, 1_500_000), (Some(9), 1_500_000, 1_500), (Some(3), 1_500, 1_500_000)]
    {
        let name = format!("ng{resolution:?}");
        let reading = read_bytes(&name, &pcapng(resolution, units, &udp(b"x"))).unwrap();
        assert_eq!(reading.packets[0].at, Duration::from_micros(micros), "{resolution:?}");
        assert_eq!(datagrams(&reading), [b"x"]);
    }
}

/// A section, an interface of raw IP packets and one packet, little-endian.
fn pcapng(resolution: Option<u8>, units: u64, packet: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: Vec<u8>| {
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [kind.to_le_bytes().as_slice(), &length, &body, &length].concat()
    };
    let section = [0x1a2b_3c4d_u32.to_le_bytes().as_slice(), &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut interface = vec![101, 0, 0, 0, 0, 0, 4, 0];
    if let Some(resolution) = resolution {
        interface.extend([9, 0, 1, 0, resolution, 0, 0, 0, 0, 0, 0, 0]);
    }
    let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let high = u32::try_from(units >> 32).unwrap().to_le_bytes();
    let low = (units as u32).to_le_bytes();
    let padding = vec![0; packet.len().next_multiple_of(4) - packet.len()];
    let body = [&[0; 4], high.as_slice(), &low, &length, &length, packet, &padding].concat();
    [block(0x0a0d_0d0a, section), block(1, interface), block(6, body)].concat()
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let whole = udp(&[7; 3000]);
    let (header, body) = whole.split_at(20);
    let fragment = |offset: usize, bytes: &[u8], more: bool| {
        let mut frame = header.to_vec();
        frame[2..4].copy_from_slice(&u16::try_from(20 + bytes.len()).unwrap().to_be_bytes());
        let flags = u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 };
        frame[6..8].copy_from_slice(&flags.to_be_bytes());
        frame.extend(bytes);
        frame
    };
    let parts = [
        (1, fragment(1480, &body[1480..2960], true)),
        (2, fragment(0, &body[..1480], true)),
        (3, fragment(2960, &body[2960..], false)),
    ];
    let reading = read_bytes("fragments", &pcap(DataLink::RAW, &parts)).unwrap();
    assert_eq!(datagrams(&reading), [[7; 3000]]);
    assert_eq!((reading.packets[0].frame, reading.counters.fragments_lost), (3, 0));
    let reading = read_bytes("lost", &pcap(DataLink::RAW, &parts[..2])).unwrap();
    assert_eq!((reading.packets.len(), reading.counters.fragments_lost), (0, 1));
}

#[test]
fn a_stream_is_delivered_once_and_in_order_whatever_the_network_did() {
    let start = u32::MAX - 2;
    let at = |n: u32| start.wrapping_add(1).wrapping_add(n);
    let frames = [
        tcp(start, "S", b""),
        tcp(at(3), "", b"def"),
        tcp(at(0), "", b"abc"),
        tcp(at(0), "", b"abc"),
        tcp(at(4), "", b"efgh"),
        tcp(at(8), "F", b"i"),
        tcp(at(9), "", b"never"),
    ];
    let frames: Vec<_> = (1..).zip(frames).collect();
    let reading = read_bytes("stream", &pcap(DataLink::RAW, &frames)).unwrap();
    let seen: Vec<_> = reading.packets.iter().map(|seen| (seen.frame, seen.what.clone())).collect();
    let bytes = |bytes: &[u8]| Content::Stream(bytes.to_vec());
    let expected = [
        (3, bytes(b"abc")),
        (3, bytes(b"def")),
        (5, bytes(b"gh")),
        (6, bytes(b"i")),
        (6, Content::StreamEnd),
    ];
    assert_eq!(seen, expected);
    assert_eq!(reading.counters.repeated_segments, 1);
}

#[test]
fn a_stream_with_a_hole_ends_when_too_much_waits_behind_it() {
    let mut frames = vec![(0, tcp(0, "S", b""))];
    frames.extend((0..300_u32).map(|n| (u64::from(n) + 1, tcp(2 + n, "", b"x"))));
    let reading = read_bytes("hole", &pcap(DataLink::RAW, &frames)).unwrap();
    assert_eq!(reading.packets.iter().map(|seen| &seen.what).collect::<Vec<_>>(), [&Content::StreamEnd]);
    assert_eq!(reading.counters.broken_streams, 1);
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let good = [
        pcap(DataLink::ETHERNET, &[(1, [&[2; 12], [8, 0].as_slice(), &udp(b"abc")].concat())]),
        pcap(DataLink::RAW, &[(1, tcp(5, "", b"abc")), (2, tcp(6, "F", b"abc"))]),
        pcapng(Some(0x8a), 77, &udp(b"x")),
    ];
    let mut seeds = crate::seed::Seeds::new([1, 2]);
    for turn in 0..600_usize {
        let mut bytes = good[turn % good.len()].clone();
        for _ in 0..4 {
            let place = usize::try_from(seeds.next_u64()).unwrap_or(0) % bytes.len();
            bytes[place] = seeds.next_u64() as u8;
        }
        if turn.is_multiple_of(5) {
            bytes.truncate(usize::try_from(seeds.next_u64()).unwrap_or(0) % bytes.len());
        }
        let _ = read_bytes("noise", &bytes);
    }
}
