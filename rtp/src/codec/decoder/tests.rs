//! Frames as consumers get them: samples, payload, kind and time.

use std::time::Duration;

use super::*;
use crate::frame::FRAME;
use crate::jitter::{JitterConfig, Release};
use crate::unwrap::ORIGIN;

struct Call {
    decoder: FrameDecoder,
    buffer: JitterBuffer,
    start: Instant,
}

impl Call {
    fn new(codec: Codec, release: Release) -> Self {
        let config = JitterConfig { target: Duration::from_millis(20), clock_rate: codec.clock_rate() };
        Self {
            decoder: FrameDecoder::new(codec),
            buffer: JitterBuffer::new(config, release),
            start: Instant::now(),
        }
    }

    /// Packet `index` of 20 ms arrives in its time.
    fn receive(&mut self, index: u32, payload: &[u8]) {
        let place = u64::from(index);
        let timestamp = ORIGIN + place * 160;
        self.buffer.insert(self.start + FRAME * index, ORIGIN + place, timestamp, payload);
    }

    fn in_order(&mut self, index: u32) -> Option<Frame> {
        self.decoder.next_in_order(&mut self.buffer, self.start + FRAME * index)
    }

    fn paced(&mut self, index: u32) -> Option<Frame> {
        self.decoder.next_paced(&mut self.buffer, self.start + FRAME * index + Duration::from_millis(2))
    }
}

#[test]
fn a_frame_carries_samples_payload_and_media_time() {
    let mut call = Call::new(Codec::Pcma, Release::InOrder);
    let payload: Vec<u8> = (0..160).collect();
    call.receive(0, &payload);
    call.receive(1, &payload);
    call.in_order(1).unwrap();
    let frame = call.in_order(1).unwrap();
    assert_eq!((frame.kind, frame.media_time), (FrameKind::Voice, MediaTime(160)));
    assert_eq!(frame.payload[..], payload[..]);
    let mut samples = [0; 160];
    Codec::Pcma.decode(&payload, &mut samples);
    assert_eq!(frame.samples[..], samples[..]);
    assert_eq!(call.in_order(1), None);
}

#[test]
fn a_frame_tells_when_its_packet_arrived_and_one_of_several_when_the_last_of_them_did() {
    let mut call = Call::new(Codec::Pcmu, Release::InOrder);
    let start = call.start;
    // Packets of 30 ms: the second frame ends in the second packet.
    for (index, arrived_ms) in [(0_u64, 4), (1, 37)] {
        let arrival = start + Duration::from_millis(arrived_ms);
        call.buffer.insert(arrival, ORIGIN + index, ORIGIN + index * 240, &[0x35; 240]);
    }
    let arrived = |frame: Frame| frame.arrival.map(|at| at.duration_since(start).as_millis());
    let frames: Vec<_> = std::iter::from_fn(|| call.in_order(2)).map(arrived).collect();
    assert_eq!(frames, [Some(4), Some(37), Some(37)]);
    let mut call = Call::new(Codec::Pcmu, Release::InOrder);
    call.receive(0, &[0x35; 160]);
    call.receive(2, &[0x35; 160]);
    let frames: Vec<_> = std::iter::from_fn(|| call.in_order(9)).map(|frame| frame.arrival).collect();
    assert_eq!(frames[0..2], [Some(call.start), None], "nothing of a lost one arrived");
}

#[test]
fn a_lost_frame_is_silence_to_who_takes_the_payload() {
    for (codec, silence) in [(Codec::Pcmu, 0xff), (Codec::Pcma, 0xd5)] {
        let mut call = Call::new(codec, Release::InOrder);
        call.receive(0, &[0x20; 160]);
        call.receive(2, &[0x20; 160]);
        call.in_order(2).unwrap();
        let frame = call.in_order(6).unwrap();
        assert_eq!((frame.kind, frame.media_time), (FrameKind::Concealed, MediaTime(160)));
        assert_eq!(frame.payload[..], [silence; 160]);
    }
}

#[test]
fn half_a_frame_keeps_the_half_that_came() {
    let mut call = Call::new(Codec::Pcmu, Release::InOrder);
    let (start, now) = (call.start, call.start + Duration::from_millis(200));
    for (index, payload) in [(0, [1; 80]), (1, [2; 80]), (3, [4; 80]), (4, [5; 80]), (5, [6; 80])] {
        call.buffer.insert(start, ORIGIN + index, ORIGIN + index * 80, &payload);
    }
    call.decoder.next_in_order(&mut call.buffer, now).unwrap();
    let frame = call.decoder.next_in_order(&mut call.buffer, now).unwrap();
    assert_eq!(frame.kind, FrameKind::Concealed);
    assert_eq!((frame.payload[..80].to_vec(), frame.payload[80..].to_vec()), (vec![0xff; 80], vec![4; 80]));
    assert_eq!(frame.samples.len(), 160);
}

#[test]
fn a_pause_fades_out_in_three_frames_and_is_then_none() {
    let mut call = Call::new(Codec::Pcmu, Release::Paced);
    let mut payload = [0; 160];
    let samples: Vec<i16> = (0..160).map(|index| if index % 40 < 20 { 4_000 } else { -4_000 }).collect();
    Codec::Pcmu.encode(&samples, &mut payload);
    let mut kinds = Vec::new();
    for index in 0..20 {
        if index < 8 {
            call.receive(index, &payload);
        }
        kinds.push(call.paced(index).map(|frame| frame.kind));
    }
    let (voice, concealed) = (Some(FrameKind::Voice), Some(FrameKind::Concealed));
    assert_eq!(kinds[..1], [None], "the target delay passes first");
    assert_eq!(kinds[1..9], [voice; 8]);
    assert_eq!(kinds[9..12], [concealed; 3]);
    assert_eq!(kinds[12..], [None; 8]);
}
