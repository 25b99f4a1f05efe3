//! Any datagram as RTP: no panic, and what is read and written reads back the same.

#![no_main]

use caly_rtp::packet::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(packet) = Packet::parse(bytes) else { return };
    let mut written = vec![0; bytes.len()];
    let length = packet.write_to(&mut written).expect("it is not longer than it was");
    assert_eq!(Packet::parse(&written[..length]), Ok(packet));
    assert!(packet.write_to(&mut written[..length - 1]).is_err());
});
