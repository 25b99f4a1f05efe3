//! Any byte stream: cut in pieces it yields what it yields whole.

#![no_main]

use std::time::{Duration, Instant};

use caly_sip::message::{Framed, FramingError, MAX_MESSAGE_BYTES, StreamFramer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((seed, stream)) = bytes.split_last() else { return };
    let epoch = Instant::now();
    let whole = frame(epoch, stream, MAX_MESSAGE_BYTES);
    assert_eq!(frame(epoch, stream, usize::from(*seed).max(1)), whole);
    assert_eq!(frame(epoch, stream, 1), whole);
});

fn frame(epoch: Instant, stream: &[u8], piece_bytes: usize) -> Vec<Result<Framed, FramingError>> {
    let mut framer = StreamFramer::new();
    let mut framed = Vec::new();
    for (at, piece) in (0..).zip(stream.chunks(piece_bytes)) {
        let now = epoch + Duration::from_micros(at);
        framer.push(now, piece);
        framed.extend(framer.by_ref());
        framer.handle_timeout(now);
        assert!(framer.poll_timeout().is_none_or(|deadline| deadline > now));
    }
    framed
}
