//! Any datagram as RTCP: no panic, no endless iteration, and a reporter that heard it still writes reports that can be read.

#![no_main]

use std::time::{Duration, Instant};

use caly_rtp::packet::Ssrc;
use caly_rtp::rtcp::{Compound, Reception, Reporter, Sent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let packets = Compound::new(bytes).take(bytes.len() / 4 + 2);
    let count = packets.inspect(|packet| drop(format!("{packet:?}"))).count();
    assert!(count <= bytes.len() / 4 + 1);

    let epoch = Instant::now();
    let sent = Sent { ssrc: Ssrc(1), ..Sent::default() };
    let mut reception = Reception::new(8000);
    let mut reporter = Reporter::new("caly", 1, epoch);
    let heard = reporter.handle_datagram(epoch + Duration::from_secs(1), &sent, Some(Ssrc(2)), bytes);
    assert!(usize::try_from(heard.packets).is_ok_and(|packets| packets <= count));
    let mut out = [0; 512];
    let length = reporter.report(epoch + Duration::from_secs(6), sent, &mut reception, &mut out);
    assert!(length > 0 && Compound::new(&out[..length]).all(|packet| packet.is_ok()));
});
