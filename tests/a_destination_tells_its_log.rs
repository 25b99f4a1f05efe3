//! What a destination enters in its call's log, and how its own failure ends the call: no socket, no clock, no waiting.
#![allow(clippy::unwrap_used, reason = "here a failure is the test's failure")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly::call::cause::HangupCause;
use caly::call::destination::{Begin, Destination, Wish};
use caly::call::dialogue::{Dialogue, Noted};
use caly::call::exchange::{BoundMedia, CallAnswer, CallInput, Offer};
use caly::call::log::{CallTime, Event};
use caly::call::{Call, CallConfig, CallPolicy, Codec, End, NoTap, Output};
use caly::seed::Seeds;
use caly_rtp::frame::FRAME_SAMPLES;

const TICK: Duration = Duration::from_millis(20);

/// Enters the state `speak N` when it speaks for the Nth time, and fails instead of speaking for the third time.
#[derive(Debug, Default)]
struct Talkative {
    spoken: u32,
    events: VecDeque<Dialogue>,
    latest: Option<Instant>,
}

impl Talkative {
    fn look_at(&mut self, now: Instant) {
        assert!(self.latest.is_none_or(|latest| latest <= now), "time ran backwards");
        self.latest = Some(now);
    }
}

impl Destination for Talkative {
    fn begin(&self) -> Begin {
        Begin::Answer
    }

    fn speak(&mut self, now: Instant, _samples: &mut [i16; FRAME_SAMPLES]) {
        self.look_at(now);
        self.spoken += 1;
        self.events.push_back(state(self.spoken));
    }

    fn handle_missed(&mut self, now: Instant, _ticks: u32) {
        self.look_at(now);
    }

    fn poll_wish(&mut self, now: Instant) -> Option<Wish> {
        self.look_at(now);
        let fails = self.spoken == 3;
        if fails {
            self.events.push_back(state(4));
        }
        fails.then_some(Wish::Fail)
    }

    fn poll_event(&mut self) -> Option<Noted> {
        self.events.pop_front().map(Noted::from)
    }
}

fn state(number: u32) -> Dialogue {
    Dialogue::State { name: format!("speak {number}") }
}

struct Bench {
    call: Call,
    now: Instant,
    told: Vec<(CallTime, Event)>,
    answers: Vec<CallAnswer>,
    ends: Vec<End>,
}

impl Bench {
    fn answered() -> Self {
        let now = Instant::now();
        let media = BoundMedia {
            local: "192.0.2.1:10000".parse().unwrap(),
            advertised: "192.0.2.1".parse().unwrap(),
        };
        let config = CallConfig {
            at: now,
            destination: Box::new(Talkative::default()),
            media: Some(media),
            media_sources: Vec::new(),
            seeds: Seeds::new([7, 7]),
        };
        let mut call = Call::new(config, policy());
        let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        call.begin(now, Offer::Early(offer.into()));
        call.handle_input(now, CallInput::Accepted);
        let mut bench = Self { call, now, told: Vec::new(), answers: Vec::new(), ends: Vec::new() };
        bench.drain();
        bench
    }

    fn tick(&mut self, missed: u32) {
        self.now += TICK * (missed + 1);
        self.call.tick(self.now, missed, &mut NoTap);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Event(at, event) if matches!(event, Event::Dialogue(_)) => {
                    self.told.push((at, event))
                }
                Output::Event(..) => {}
                Output::Answer(answer) => self.answers.push(answer),
                Output::Ended(_, end) => self.ends.push(end),
            }
        }
    }
}

fn policy() -> CallPolicy {
    CallPolicy {
        codecs: vec![Codec::Pcmu],
        jitter: Duration::from_millis(60),
        rtp_timeout: Duration::from_secs(30),
        hold_timeout: Duration::from_secs(600),
        max_duration: Duration::from_secs(3600),
        ring_timeout: Duration::from_secs(180),
    }
}

fn told(at_ms: u64, number: u32) -> (CallTime, Event) {
    (CallTime(at_ms * 1000), Event::Dialogue(state(number)))
}

#[test]
fn what_is_said_is_in_the_log_with_the_tick_in_which_it_was() {
    let mut bench = Bench::answered();
    bench.tick(0);
    bench.tick(3);
    assert_eq!(bench.told, [told(20, 1), told(100, 2)]);
}

#[test]
fn a_mind_that_breaks_off_ends_the_call_as_an_internal_error_with_a_bye() {
    let mut bench = Bench::answered();
    for _ in 0..5 {
        bench.tick(0);
    }
    // What it entered in the tick in which it broke off is there too.
    assert_eq!(bench.told, [told(20, 1), told(40, 2), told(60, 3), told(80, 4)]);
    assert_eq!(bench.ends.len(), 1, "{:?}", bench.ends);
    assert_eq!((bench.ends[0].cause, bench.ends[0].status), (HangupCause::InternalError, Some(200)));
    assert!(
        matches!(
            &bench.answers[..],
            [CallAnswer::Accept { .. }, CallAnswer::End { cause: HangupCause::InternalError, .. }]
        ),
        "{:?}",
        bench.answers
    );
}
