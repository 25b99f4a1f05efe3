//! When our side could be heard on the wire: the spans of audible RTP by the port that sent it. Timing is taken from what was
//! sent and not from what was meant to be.

use std::collections::HashMap;
use std::time::Duration;

use caly_rtp::codec::Codec;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::packet::Packet;

/// Audible RTP of every port, by the time since the replay's begin.
#[derive(Debug, Default)]
pub(super) struct Wire(HashMap<u16, Vec<Span>>);

/// Packets with something to hear in each, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// When the first one left.
    pub(super) from: Duration,
    /// When the last one was over.
    pub(super) until: Duration,
}

impl Wire {
    /// A datagram leaves.
    pub(super) fn note(&mut self, port: u16, at: Duration, datagram: &[u8]) {
        if !is_audible(datagram) {
            return;
        }
        let (spans, until) = (self.0.entry(port).or_default(), at + FRAME);
        match spans.last_mut() {
            Some(last) if at <= last.until + JITTER => last.until = until,
            Some(_) | None => spans.push(Span { from: at, until }),
        }
    }

    /// The spans of a port that begin within a call's life.
    pub(super) fn spans(&self, port: u16, from: Duration, until: Duration) -> Vec<Span> {
        let spans = self.0.get(&port).map_or(&[][..], Vec::as_slice);
        spans.iter().filter(|span| span.from >= from && span.from <= until).copied().collect()
    }
}

/// Whether more than the noise of a quiet line is in it.
fn is_audible(datagram: &[u8]) -> bool {
    let Ok(packet) = Packet::parse(datagram) else { return false };
    let Some(codec) = Codec::from_static_payload_type(packet.payload_type) else { return false };
    let mut samples = [0; FRAME_SAMPLES];
    let count = codec.decode(packet.payload, &mut samples);
    samples[..count].iter().any(|sample| sample.unsigned_abs() > QUIET)
}

const FRAME: Duration = Duration::from_millis(20);
/// Half a frame: a packet that is missing ends a span, one that moved by a slot does not.
const JITTER: Duration = Duration::from_millis(10);
/// About -50 dBFS.
const QUIET: u16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload_type: u8, byte: u8) -> Vec<u8> {
        let mut datagram = vec![byte; 172];
        datagram[..12].fill(0);
        datagram[0] = 0x80;
        datagram[1] = payload_type;
        datagram
    }

    #[test]
    fn spans_are_what_can_be_heard_without_a_pause() {
        let (mut wire, at) = (Wire::default(), Duration::from_millis);
        for (time, payload_type, byte) in [
            (0, 0, 0x80),
            (20, 0, 0x80),
            (40, 0, 0xff),
            (60, 8, 0x2a),
            (85, 8, 0x2a),
            (105, 8, 0xd5),
            (125, 101, 1),
        ] {
            wire.note(6, at(time), &packet(payload_type, byte));
        }
        let expected = [Span { from: at(0), until: at(40) }, Span { from: at(60), until: at(105) }];
        assert_eq!(wire.spans(6, at(0), at(500)), expected);
        assert_eq!(wire.spans(6, at(50), at(500)), expected[1..]);
        assert_eq!(wire.spans(8, at(0), at(500)), []);
    }
}
