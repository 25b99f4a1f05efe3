//! One call with its media, driven packet by packet and tick by tick: no socket, no clock, no waiting.
#![allow(clippy::unwrap_used, reason = "here a failure is the test's failure")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caly::call::cause::HangupCause;
use caly::call::destination::TestDestination;
use caly::call::exchange::{BoundMedia, CallAnswer, CallInput, Offer};
use caly::call::log::{Event, MediaAgreed};
use caly::call::{Call, CallConfig, CallPolicy, Codec, End, MediaTap, Output};
use caly::seed::Seeds;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};

const TICK: Duration = Duration::from_millis(20);
const PEER: &str = "192.0.2.9:4000";

/// A call and the time it lives in.
struct Bench {
    call: Call,
    started: Instant,
    now: Instant,
    events: Vec<Event>,
    answers: Vec<CallAnswer>,
    ends: Vec<End>,
    sequence: u16,
    tap: Blocks,
}

/// What a recording gets of the caller: the block and its first sample.
#[derive(Debug, Default)]
struct Blocks(Vec<(u32, i16)>);

impl MediaTap for Blocks {
    fn caller(&mut self, block: u32, samples: &[i16; FRAME_SAMPLES]) {
        self.0.push((block, samples[0]));
    }
    fn agent(&mut self, _block: u32, _samples: &[i16; FRAME_SAMPLES]) {}
}

/// What left in one tick.
struct Sent {
    destination: SocketAddr,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

impl Bench {
    fn new(destination: TestDestination, policy: CallPolicy) -> Self {
        let started = Instant::now();
        let media = Some(BoundMedia {
            local: "192.0.2.1:10000".parse().unwrap(),
            advertised: "192.0.2.1".parse().unwrap(),
        });
        let config = CallConfig {
            at: started,
            destination: destination.build(),
            media,
            media_sources: Vec::new(),
            seeds: Seeds::new([7, 7]),
        };
        let call = Call::new(config, policy);
        let (events, answers, ends) = (Vec::new(), Vec::new(), Vec::new());
        let tap = Blocks::default();
        Self { call, started, now: started, events, answers, ends, sequence: 0, tap }
    }

    fn answered(destination: TestDestination, policy: CallPolicy) -> Self {
        let mut bench = Self::new(destination, policy);
        bench.begin(Offer::Early(offer("sendrecv")));
        bench.input(CallInput::Accepted);
        bench.input(CallInput::Acknowledged { answer: None });
        bench
    }

    fn begin(&mut self, offer: Offer) {
        self.call.begin(self.now, offer);
        self.drain();
    }

    fn input(&mut self, input: CallInput) {
        self.call.handle_input(self.now, input);
        self.drain();
    }

    /// One tick, `missed` of them late.
    fn tick(&mut self, missed: u32) -> Option<Sent> {
        self.now += TICK * (missed + 1);
        let sent = self.call.tick(self.now, missed, &mut self.tap).map(|outgoing| {
            let packet = Packet::parse(outgoing.datagram).unwrap();
            Sent {
                destination: outgoing.destination,
                sequence: packet.sequence.0,
                timestamp: packet.timestamp.0,
                payload: packet.payload.to_vec(),
            }
        });
        self.drain();
        sent
    }

    /// A packet of the caller's: 20 ms of one mu-law byte, arrived now.
    fn packet(&mut self, from: &str, ssrc: u32, byte: u8) {
        self.packet_at(self.now, from, ssrc, byte);
    }

    fn packet_at(&mut self, arrival: Instant, from: &str, ssrc: u32, byte: u8) {
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence: SeqNo(self.sequence),
            timestamp: RtpTime(u32::from(self.sequence) * 160),
            ssrc: Ssrc(ssrc),
            payload: &[byte; 160],
        };
        self.sequence += 1;
        let mut datagram = [0; 172];
        let length = packet.write_to(&mut datagram).unwrap();
        self.call.handle_rtp(arrival, from.parse().unwrap(), &datagram[..length], &mut self.tap);
    }

    fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Answer(answer) => self.answers.push(answer),
                Output::Event(_, event) => self.events.push(event),
                Output::Ended(_, end) => self.ends.push(end),
            }
        }
    }

    fn media(&self) -> &MediaAgreed {
        self.events
            .iter()
            .rev()
            .find_map(|event| if let Event::Media(agreed) = event { Some(agreed) } else { None })
            .unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.now - self.started
    }
}

fn policy() -> CallPolicy {
    CallPolicy {
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        jitter: Duration::from_millis(60),
        rtp_timeout: Duration::from_secs(30),
        hold_timeout: Duration::from_secs(600),
        max_duration: Duration::from_secs(3600),
        ring_timeout: Duration::from_secs(180),
    }
}

fn offer(direction: &str) -> Vec<u8> {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
    .into_bytes()
}

fn ended(bench: &Bench) -> HangupCause {
    assert_eq!(bench.ends.len(), 1, "a call ends once, with one cause: {:?}", bench.ends);
    bench.ends[0].cause
}

#[test]
fn an_early_offer_is_answered_and_the_caller_hears_itself_after_the_jitter_buffer() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    assert!(matches!(&bench.answers[..], [CallAnswer::Accept { .. }]));
    assert_eq!((bench.media().codec.as_str(), bench.media().dtmf_payload_type), ("PCMU", Some(101)));
    let mut heard_after = None;
    for tick in 0..50 {
        bench.packet(PEER, 1, 0x35);
        let sent = bench.tick(0).unwrap();
        assert_eq!(sent.destination, PEER.parse().unwrap());
        if heard_after.is_none() && sent.payload == [0x35; 160] {
            heard_after = Some(tick);
        }
    }
    // 60 ms of jitter buffer is three packets before the first is let go.
    assert!((2..=4).contains(&heard_after.unwrap()), "{heard_after:?}");
}

#[test]
fn a_late_offer_is_answered_in_the_ack_and_media_begins_then() {
    let mut bench = Bench::new(TestDestination::Tone, policy());
    bench.begin(Offer::Late);
    let [CallAnswer::Accept { sdp }] = &bench.answers[..] else { panic!("{:?}", bench.answers) };
    assert!(String::from_utf8_lossy(sdp).contains("m=audio 10000 RTP/AVP 0 8"));
    assert!(bench.tick(0).is_none(), "nobody knows yet where to send");
    bench.input(CallInput::Acknowledged { answer: Some(offer("sendrecv")) });
    assert_eq!(bench.tick(0).unwrap().payload.len(), 160);
}

#[test]
fn a_late_offer_without_an_answer_in_the_ack_ends_the_call() {
    let mut bench = Bench::new(TestDestination::Tone, policy());
    bench.begin(Offer::Late);
    bench.input(CallInput::Acknowledged { answer: None });
    assert_eq!(ended(&bench), HangupCause::NotAcceptable);
    assert!(matches!(bench.answers.last(), Some(CallAnswer::End { .. })), "the peer gets a BYE");
}

#[test]
fn offers_that_cannot_be_used_are_refused_with_their_reason() {
    for (sdp, status, code) in [
        (&b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"[..], 488, 305),
        (&b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=video 4000 RTP/AVP 31\r\n"[..], 488, 304),
        (&b"this is no session description"[..], 400, 399),
    ] {
        let mut bench = Bench::new(TestDestination::Echo, policy());
        bench.begin(Offer::Early(sdp.to_vec()));
        assert_eq!(ended(&bench), HangupCause::NotAcceptable);
        let Some(CallAnswer::End { refusal, .. }) = bench.answers.last() else { panic!("{:?}", bench.answers) };
        assert_eq!((refusal.status, refusal.warning.as_ref().unwrap().0), (status, code));
        assert_eq!(bench.ends[0].status, Some(status));
    }
}

#[test]
fn hold_stops_the_sound_and_the_rtp_timeout_and_resume_goes_on_in_the_same_stream() {
    let mut bench = Bench::answered(TestDestination::Tone, policy());
    let before = bench.tick(0).unwrap();
    bench.input(CallInput::Reoffer { offer: Some(offer("inactive")) });
    assert!(matches!(bench.answers.last(), Some(CallAnswer::AcceptReoffer { .. })));
    assert_eq!(bench.media().direction, "inactive");
    for _ in 0..3000 {
        assert!(bench.tick(0).is_none());
    }
    assert!(bench.ends.is_empty(), "a held call may be silent for a minute");
    bench.input(CallInput::Reoffer { offer: Some(offer("sendrecv")) });
    let after = bench.tick(0).unwrap();
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(160 * 3001));
}

#[test]
fn a_reoffer_that_cannot_be_used_is_refused_and_the_call_goes_on() {
    let mut bench = Bench::answered(TestDestination::Tone, policy());
    bench.input(CallInput::Reoffer { offer: Some(b"v=0\r\nm=audio 1 RTP/AVP 99\r\n".to_vec()) });
    assert!(matches!(bench.answers.last(), Some(CallAnswer::RefuseReoffer(_))), "{:?}", bench.answers);
    assert!(bench.tick(0).is_some() && bench.ends.is_empty());
}

#[test]
fn a_caller_that_sends_no_rtp_is_hung_up_on_after_the_timeout() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    for _ in 0..100 {
        bench.packet(PEER, 1, 0x35);
        bench.tick(0);
    }
    while bench.ends.is_empty() {
        bench.tick(0);
    }
    assert_eq!(ended(&bench), HangupCause::RtpTimeout);
    assert_eq!(bench.elapsed(), Duration::from_millis(31_980), "30 s after the last packet");
    assert_eq!(bench.ends[0].talk, bench.elapsed());
}

#[test]
fn a_call_on_hold_ends_when_its_peer_gives_no_sign_of_life() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    bench.packet(PEER, 1, 0x35);
    bench.tick(0);
    bench.input(CallInput::Reoffer { offer: Some(offer("inactive")) });
    // A receiver report every five seconds keeps it up, one of somebody else's does not.
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    for tick in 0..60_000 {
        if tick % 250 == 0 {
            let source = if tick < 45_000 { "192.0.2.9:4001" } else { "203.0.113.9:4001" };
            bench.call.handle_rtcp(bench.now, source.parse().unwrap(), &report);
        }
        bench.tick(0);
    }
    assert!(bench.ends.is_empty(), "{:?}", bench.ends);
    while bench.ends.is_empty() {
        bench.tick(0);
    }
    assert_eq!(ended(&bench), HangupCause::RtpTimeout);
    // The last report came at 44,750 ticks, 20 ms after the beginning.
    assert_eq!(bench.elapsed(), TICK * 44_751 + policy().hold_timeout);
}

#[test]
fn without_an_ack_it_is_not_the_rtp_that_is_missing() {
    let mut bench = Bench::new(TestDestination::Echo, policy());
    bench.begin(Offer::Early(offer("sendrecv")));
    bench.input(CallInput::Accepted);
    for _ in 0..1_600 {
        bench.tick(0);
    }
    assert!(bench.ends.is_empty(), "64*T1 are over, and signaling says what is missing: {:?}", bench.ends);
    bench.input(CallInput::Ended { cause: HangupCause::AckTimeout, status: None, reason: None });
    assert_eq!((ended(&bench), bench.ends[0].status), (HangupCause::AckTimeout, Some(200)));
}

#[test]
fn an_answer_that_never_left_is_not_in_the_log() {
    for (cause, status) in [(HangupCause::Canceled, 487), (HangupCause::Overloaded, 503)] {
        let mut bench = Bench::new(TestDestination::Echo, policy());
        bench.begin(Offer::Early(offer("sendrecv")));
        bench.tick(0);
        bench.input(CallInput::Ended { cause, status: Some(status), reason: None });
        assert_eq!((ended(&bench), bench.ends[0].status), (cause, Some(status)));
        assert_eq!((&bench.events[..], bench.ends[0].talk), (&[][..], Duration::ZERO));
    }
}

#[test]
fn an_answer_is_in_the_log_when_the_call_ends_itself_before_it_is_known_to_have_left() {
    let mut bench = Bench::new(TestDestination::Echo, policy());
    bench.begin(Offer::Early(offer("sendrecv")));
    bench.input(CallInput::HangUp { cause: HangupCause::Shutdown });
    assert!(matches!(&bench.answers[..], [CallAnswer::Accept { .. }, CallAnswer::End { .. }]));
    assert!(matches!(&bench.events[..], [Event::Answered, Event::Media(_)]), "{:?}", bench.events);
    assert_eq!(bench.ends[0].status, Some(200));
}

#[test]
fn a_flood_of_reinvites_is_refused_and_told_of_once() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    for _ in 0..1_000 {
        bench.input(CallInput::Reoffer { offer: Some(offer("sendrecv")) });
    }
    let refusals = bench.answers.iter().filter_map(|answer| match answer {
        CallAnswer::RefuseReoffer(refusal) => Some((refusal.status, refusal.retry_after_s.is_some())),
        _ => None,
    });
    assert_eq!(refusals.collect::<Vec<_>>(), [(500, true); 990]);
    let milestones = bench.events.iter().filter(|event| event.is_milestone()).count();
    assert_eq!(milestones, 12, "the answer, its media and ten new offers");
    bench.input(CallInput::HangUp { cause: HangupCause::LocalBye });
    assert_eq!(bench.events.last(), Some(&Event::ReoffersRefused { count: 990 }));
}

#[test]
fn payload_types_that_were_not_agreed_on_are_told_of_eight_times_at_most() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    bench.packet(PEER, 1, 0x35);
    for round in 0..3 {
        for payload_type in 20..100 {
            let datagram =
                [&[0x80, payload_type, round, payload_type, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 20]].concat();
            bench.call.handle_rtp(bench.now, PEER.parse().unwrap(), &datagram, &mut bench.tap);
        }
        bench.tick(0);
    }
    let told: Vec<&Event> =
        bench.events.iter().filter(|event| matches!(event, Event::UnknownPayloadType { .. })).collect();
    let expected: Vec<Event> =
        (20..28).map(|payload_type| Event::UnknownPayloadType { payload_type }).collect();
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
    assert_eq!(bench.call.quality().unwrap().unknown_payload_type, 240);
    assert!(!bench.events.iter().any(|event| matches!(event, Event::StreamReset { .. })));
}

#[test]
fn a_call_that_reaches_its_longest_duration_ends_then() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    while bench.ends.is_empty() {
        bench.packet(PEER, 1, 0x35);
        bench.tick(0);
        bench.sequence %= 30_000;
    }
    assert_eq!((ended(&bench), bench.elapsed()), (HangupCause::MaxDuration, Duration::from_secs(3600)));
}

#[test]
fn ring_rings_until_its_timeout_and_busy_is_busy_at_once() {
    let mut bench = Bench::new(TestDestination::Ring, policy());
    bench.begin(Offer::Early(offer("sendrecv")));
    assert_eq!(bench.answers, [CallAnswer::Ring]);
    while bench.ends.is_empty() {
        assert!(bench.tick(0).is_none());
    }
    assert_eq!((ended(&bench), bench.elapsed()), (HangupCause::NoAnswer, Duration::from_secs(180)));
    assert_eq!(bench.ends[0].status, Some(480));

    let mut bench = Bench::new(TestDestination::Busy, policy());
    bench.begin(Offer::Early(offer("sendrecv")));
    assert_eq!((ended(&bench), bench.ends[0].status), (HangupCause::Busy, Some(486)));
}

#[test]
fn whatever_comes_after_the_end_changes_nothing() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    let bye = CallInput::Ended {
        cause: HangupCause::RemoteBye,
        status: None,
        reason: Some("Q.850;cause=16".into()),
    };
    bench.input(bye.clone());
    let answers = bench.answers.len();
    bench.input(bye);
    bench.input(CallInput::HangUp { cause: HangupCause::Shutdown });
    bench.input(CallInput::Reoffer { offer: Some(offer("sendrecv")) });
    bench.packet(PEER, 1, 0x35);
    assert!(bench.tick(0).is_none());
    assert_eq!((ended(&bench), bench.answers.len()), (HangupCause::RemoteBye, answers));
}

#[test]
fn a_stall_of_the_machine_skips_timestamps_and_bursts_nothing() {
    let mut bench = Bench::answered(TestDestination::Tone, policy());
    let before = bench.tick(0).unwrap();
    let after = bench.tick(14).unwrap();
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(160 * 15));
    assert!(bench.events.contains(&Event::TickLate { missed: 14 }));
}

#[test]
fn a_stall_of_the_machine_loses_nothing_of_what_the_kernel_kept_for_a_recording() {
    let mut bench = Bench::answered(TestDestination::Tone, policy());
    for _ in 0..10 {
        bench.packet(PEER, 1, 0x80);
        bench.tick(0);
    }
    // One second, in which packet n arrives when it is due: all of them are read at once.
    let missed = 50;
    for n in 1..=missed + 1 {
        // One is overtaken by the next; its place is waited for as long as if the machine had gone on.
        bench.sequence = 10
            + match n {
                20 => 20,
                21 => 19,
                n => n as u16 - 1,
            };
        bench.packet_at(bench.now + TICK * n, PEER, 1, 0x80 + n as u8);
    }
    bench.sequence = 10 + missed as u16 + 1;
    bench.tick(missed);
    for _ in 0..5 {
        bench.packet(PEER, 1, 0x80);
        bench.tick(0);
    }
    let blocks: Vec<u32> = bench.tap.0.iter().map(|&(block, _)| block).collect();
    let expected: Vec<u32> = (blocks[0]..blocks[0] + 66).collect();
    assert_eq!(blocks, expected, "every block once, in its place");
    let mut in_stall: Vec<i16> = bench.tap.0[10..61].iter().map(|&(_, sample)| sample).collect();
    in_stall.dedup();
    assert_eq!(in_stall.len(), 51, "each of the packets is another sound");
    assert_eq!(bench.call.quality().unwrap().lost, 0);
}

#[test]
fn a_third_party_is_neither_heard_nor_answered() {
    let mut bench = Bench::answered(TestDestination::Echo, policy());
    for _ in 0..50 {
        bench.packet(PEER, 1, 0x35);
        bench.tick(0);
    }
    for _ in 0..100 {
        bench.packet("198.51.100.66:6666", 1, 0x12);
        bench.sequence -= 1;
        bench.packet(PEER, 1, 0x35);
        let sent = bench.tick(0).unwrap();
        assert_eq!((sent.destination, sent.payload[80]), (PEER.parse().unwrap(), 0x35));
    }
    let foreign = bench.events.iter().filter(|event| matches!(event, Event::ForeignSource { .. })).count();
    assert_eq!((foreign, bench.call.quality().unwrap().foreign), (1, 100));
}

#[test]
fn ten_minutes_of_echo_are_packets_of_160_bytes_one_sequence_number_and_160_samples_apart() {
    for skew_ppm in [-100i64, 0, 100] {
        let mut bench = Bench::answered(TestDestination::Echo, policy());
        let (mut last, mut sender_ns) = (None::<Sent>, 0i64);
        for tick in 0..30_000i64 {
            // The caller's clock runs by some parts per million beside ours.
            while sender_ns <= (tick + 1) * 20_000_000 {
                bench.packet(PEER, 1, 0x35);
                bench.sequence %= u16::MAX;
                sender_ns += 20_000_000 + 20 * skew_ppm;
            }
            let sent = bench.tick(0).unwrap();
            assert_eq!(sent.payload.len(), 160);
            if let Some(last) = last {
                assert_eq!(sent.sequence, last.sequence.wrapping_add(1));
                assert_eq!(sent.timestamp, last.timestamp.wrapping_add(160));
            }
            last = Some(sent);
        }
        let quality = bench.call.quality().unwrap();
        assert!((0..=6).contains(&quality.slips), "{skew_ppm} ppm: {quality:?}");
        assert_eq!((quality.lost, quality.late), (0, 0), "{skew_ppm} ppm: {quality:?}");
        assert!(
            skew_ppm == 0 || quality.slips >= 2,
            "{skew_ppm} ppm leaves 60 ms to be slipped: {quality:?}"
        );
    }
}
