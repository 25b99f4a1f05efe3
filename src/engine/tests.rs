//! One shard without its thread: what it tells signaling and the store, driven by hand.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use mio::{Poll, Token, Waker};
use rtrb::{Consumer, RingBuffer};

use super::ports::PortPool;
use super::shard::{Shard, ShardLinks};
use super::surroundings::{Kernel, Surroundings};
use crate::call::cause::HangupCause;
use crate::call::destination::TestDestination;
use crate::call::exchange::{CallAnswer, CallInput, CallKey, MediaAddress, Offer, OpenCall, ShardAnswer};
use crate::call::log::{CallId, CallTime, Event, Record};
use crate::call::{CallPolicy, Codec};
use crate::capture::Capture;
use crate::recorder::{Recorder, RecorderHandle};
use crate::seed::Seeds;
use crate::store::sample;
use crate::store::scratch::Folder;
use crate::store::{EventReceiver, event_ring};

/// A shard and its neighbours' ends.
struct Bench {
    shard: Shard,
    answers: Consumer<ShardAnswer>,
    events: EventReceiver,
    recorder: Option<RecorderHandle>,
    _poll: Poll,
    _folder: Folder,
}

impl Bench {
    fn new() -> Self {
        let folder = Folder::new("shard");
        let (recorder, mut ports) = Recorder::start(folder.path(), 1).unwrap();
        let (sender, events) = event_ring();
        let (_, inbox) = RingBuffer::new(8);
        let (outbox, answers) = RingBuffer::new(64);
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let recorder_port = ports.pop().unwrap();
        let links =
            ShardLinks { inbox, outbox, events: sender, recorder: recorder_port, capture: Capture::off() };
        let pool = PortPool::split(42_000, 42_007, 1).pop().unwrap();
        let policy = CallPolicy {
            codecs: vec![Codec::Pcmu],
            jitter: Duration::from_millis(60),
            rtp_timeout: Duration::from_secs(30),
            hold_timeout: Duration::from_secs(3600),
            max_duration: Duration::from_secs(3600),
            ring_timeout: Duration::from_secs(180),
        };
        let shard = Shard::new(policy, links, Kernel::new(pool, waker), Seeds::new([1, 2]));
        Self { shard, answers, events, recorder: Some(recorder), _poll: poll, _folder: folder }
    }

    fn open(&mut self, at: Instant, now: Instant, answer_by: Option<Instant>) {
        let call = call();
        let Event::Opened(opened) = sample::opened(call) else { unreachable!() };
        // Other processes may run the same tests at this moment.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, high, low, NEXT_HOST.fetch_add(1, Ordering::Relaxed)).into();
        let open = OpenCall {
            key: KEY,
            call,
            at,
            opened,
            destination: TestDestination::Record.build(),
            offer: Offer::Early(OFFER.to_vec()),
            media: MediaAddress { bind: address, advertised: address },
            media_sources: Vec::new(),
            record: true,
            answer_by,
        };
        self.shard.open(open, now);
        self.shard.send_answers();
    }

    fn answers(&mut self) -> Vec<CallAnswer> {
        std::iter::from_fn(|| self.answers.pop().ok()).map(|answer| answer.answer).collect()
    }

    fn records(&mut self) -> Vec<Record> {
        std::iter::from_fn(|| self.events.next()).collect()
    }

    fn names(&mut self) -> Vec<String> {
        let name =
            |record: Record| serde_json::to_value(record.event).unwrap()["type"].as_str().unwrap().to_owned();
        self.records().into_iter().map(name).collect()
    }
}

fn call() -> CallId {
    CallId::new(crate::call::log::UnixMicros(1_700_000_000_000_000), [7; 10])
}

fn bye() -> CallInput {
    CallInput::Ended { cause: HangupCause::RemoteBye, status: None, reason: None }
}

#[test]
fn a_call_whose_caller_was_refused_meanwhile_is_not_begun() {
    let mut bench = Bench::new();
    let at = bench.shard.surroundings.now();
    let deadline = at + Duration::from_millis(500);
    bench.open(at, at + Duration::from_millis(700), Some(deadline));
    let ports = &bench.shard.surroundings.ports;
    assert_eq!(ports.free(), ports.size(), "no ports are bound");
    let [CallAnswer::End { cause: HangupCause::Overloaded, refusal }] = &bench.answers()[..] else {
        panic!()
    };
    assert_eq!(refusal.status, 503);
    // Signaling's word comes later and with the time at which it gave up.
    let ended = CallInput::Ended { cause: HangupCause::Overloaded, status: Some(503), reason: None };
    bench.shard.input(KEY, deadline, ended);
    let records = bench.records();
    let [Event::Opened(_), Event::Ended(ended)] = [&records[0].event, &records[1].event] else {
        panic!("{records:?}")
    };
    assert_eq!((records.len(), ended.cause, ended.status), (2, HangupCause::Overloaded, Some(503)));
    assert!(records[0].at <= records[1].at);
}

#[test]
fn a_call_in_time_is_answered_and_its_row_says_so_once_the_answer_has_left() {
    let mut bench = Bench::new();
    let at = bench.shard.surroundings.now();
    bench.open(at, at, Some(at + Duration::from_millis(500)));
    assert!(matches!(&bench.answers()[..], [CallAnswer::Accept { .. }]));
    assert_eq!(bench.names(), ["opened", "recording_started"]);
    bench.shard.input(KEY, at, CallInput::Accepted);
    assert_eq!(bench.names(), ["answered", "media"]);
}

#[test]
fn a_panic_before_the_answer_is_known_to_have_left_leaves_a_true_row() {
    let mut bench = Bench::new();
    let at = bench.shard.surroundings.now();
    bench.open(at, at, None);
    bench.shard.end_panicked(0, at);
    assert_eq!(bench.names(), ["opened", "recording_started", "answered", "quality", "ended"]);
}

#[test]
fn the_end_of_a_call_is_written_when_there_is_room_again() {
    let mut bench = Bench::new();
    let at = bench.shard.surroundings.now();
    bench.open(at, at, None);
    let filler = || Record { call: call(), seq: 0, at: CallTime(0), event: Event::Answered };
    while bench.shard.links.events.room() != crate::call::log::Room::None {
        bench.shard.links.events.append(filler());
    }
    bench.shard.input(KEY, at, CallInput::Accepted);
    bench.shard.input(KEY, at, bye());
    bench.shard.forget(KEY);
    bench.shard.write_held();
    let before = bench.records();
    assert!(!before.iter().any(|record| matches!(record.event, Event::Ended(_))));
    bench.shard.write_held();
    assert_eq!(bench.names(), ["answered", "media", "quality", "ended"]);
    assert!(bench.shard.holding.is_empty());
    bench.recorder.take().unwrap().shutdown();
    bench.shard.serve_recorder();
    assert_eq!(bench.names(), ["recording_finished"]);
    assert!(bench.shard.by_key.is_empty(), "nothing more can come");
}

#[test]
fn a_recorder_that_stands_still_keeps_the_log_open_but_not_for_ever() {
    let mut bench = Bench::new();
    let at = bench.shard.surroundings.now();
    bench.open(at, at, None);
    bench.shard.input(KEY, at, CallInput::Accepted);
    bench.shard.input(KEY, at, bye());
    bench.shard.forget(KEY);
    bench.names();
    for minutes in 2..50 {
        bench.shard.forget_closed(at + Duration::from_secs(60 * minutes));
        assert_eq!(bench.shard.by_key.len(), 1, "after {minutes} minutes");
    }
    bench.recorder.take().unwrap().shutdown();
    bench.shard.serve_recorder();
    assert_eq!(bench.names(), ["recording_finished"]);
    assert!(bench.shard.by_key.is_empty());

    let mut bench = Bench::new();
    bench.open(at, at, None);
    bench.shard.input(KEY, at, bye());
    for minutes in 2..90 {
        bench.shard.forget_closed(at + Duration::from_secs(60 * minutes));
    }
    assert!(bench.shard.by_key.is_empty());
    assert_eq!(bench.shard.stats.logs_cut.load(Ordering::Relaxed), 1);
}

/// Each shard of these tests has its ports on an address of its own.
static NEXT_HOST: AtomicU8 = AtomicU8::new(1);
const KEY: CallKey = CallKey(1);
const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
