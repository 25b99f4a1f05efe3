//! A fault in the code of one call, injected as a panic at each place where a destination is asked something: that
//! call ends, with one cause and a message to its peer, and its neighbours on the same thread miss nothing.

mod common;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use caly::call::destination::{Begin, Destination, Wish};
use caly::signaling::Destinations;
use caly_rtp::frame::{FRAME_SAMPLES, Frame};
use caly_rtp::jitter::Release;
use common::in_process::InProcess;
use common::raw_call::RawCall;
use common::records::{assert_whole, count, events_of, leg_quality, text};
use common::stalls::StallWatch;
use common::{rtp_peer, tone, wait, wav};
use serde_json::Value;

#[test]
fn a_panic_in_an_answered_call_ends_it_with_a_bye() {
    with_neighbours(|server| {
        let places = [Place::Hear, Place::Speak, Place::Wish];
        let calls: Vec<String> = places.iter().map(|&place| ended_by_the_server(server, place)).collect();
        assert_eq!(panics(server), 3);
        calls.iter().for_each(|call_id| assert_ended_after_talking(server, call_id));
        calls.len()
    });
}

#[test]
fn a_panic_before_the_answer_refuses_the_call_with_500() {
    with_neighbours(|server| {
        let places = [Place::Build, Place::Begin, Place::Release];
        for (number, place) in (1..).zip(places) {
            let refusal = RawCall::refused(server.app().sip(), place.number());
            assert_eq!(refusal.response.status(), 500, "{place:?}");
            let call = ended_call(server, number, &refusal.call_id);
            let end = assert_whole(&call);
            assert_eq!((text(&end, "cause"), count(&end, "status")), ("internal_error", 500), "{call}");
            assert_eq!(count(&end, "talk_ms"), 0);
        }
        places.len()
    });
}

#[test]
fn a_panic_while_an_ended_call_is_put_away_changes_nothing_about_its_end() {
    with_neighbours(|server| {
        for number in 1..=2 {
            let call = RawCall::speaking(server.app().sip(), Place::Drop.number(), 700.0);
            wait::last(SHORT_TALK);
            let call_id = call.call_id();
            call.hang_up();
            let end = assert_whole(&ended_call(server, number, &call_id));
            assert_eq!((text(&end, "cause"), count(&end, "status")), ("remote_bye", 200));
        }
        assert_eq!(panics(server), 2);
        2
    });
}

/// Runs `faults` between two echo calls that hold all ports but one pair; it tells how many calls it made.
#[track_caller]
fn with_neighbours(faults: impl FnOnce(&InProcess) -> usize) {
    let server = start();
    let watch = StallWatch::start(std::process::id());
    // Of multiples of 50 Hz a frame holds whole periods, so that a frame more or less does not bend the tone.
    let tones = [450.0, 1_350.0];
    let neighbours = tones.map(|tone| RawCall::speaking(server.app().sip(), "echo", tone));
    wait::last(SHORT_TALK);
    let victims = faults(&server);
    // The pair of the last of them is free again, and the thread still takes calls.
    let another = RawCall::speaking(server.app().sip(), "echo", 600.0);
    wait::last(SHORT_TALK);
    another.hang_up();
    let heard = neighbours.map(RawCall::hang_up);
    let stalls = watch.stop();
    for (packets, tone) in heard.iter().zip(tones) {
        stalls.assert_unbroken(&format!("the neighbour with {tone} Hz"), packets, 50);
        let audio = rtp_peer::decode(&packets[packets.len() / 2..]);
        assert!(tone::tone_db(&audio, tone) > -15.0, "{tone} Hz at {} dB", tone::tone_db(&audio, tone));
    }
    let rows = server.records().ended_calls(victims + 3);
    let ended_by_peers =
        rows.iter().filter(|row| row["cause"] == "remote_bye" && row["destination"] == "echo");
    assert_eq!(ended_by_peers.count(), 3, "{rows:?}");
}

/// Calls a destination that panics when it has spoken for a while, and returns the Call-ID.
#[track_caller]
fn ended_by_the_server(server: &InProcess, place: Place) -> String {
    let call = RawCall::speaking(server.app().sip(), place.number(), 700.0);
    let bye = call.expect_bye();
    assert_eq!(bye.header("Reason"), "Q.850;cause=41;text=\"internal_error\"");
    assert!(call.is_left_alone_for(Duration::from_millis(700)), "one BYE that was answered is enough");
    let call_id = call.call_id();
    let heard = call.heard().len();
    assert!(heard >= FAULTY_TICK as usize - 2, "{heard} packets of {FAULTY_TICK}");
    call_id
}

/// The row, the log and the recording of a call that was ended by a panic.
#[track_caller]
fn assert_ended_after_talking(server: &InProcess, call_id: &str) {
    let what = format!("the end of the recording of {call_id}");
    let call = wait::until(&what, Duration::from_secs(10), || {
        let call = server.records().call_of(&server.records().calls(), call_id);
        (!events_of(&call, "recording_finished").is_empty()).then_some(call)
    });
    let end = assert_whole(&call);
    assert_eq!((text(&end, "cause"), count(&end, "status")), ("internal_error", 200), "{call}");
    let spoken_ms = u64::from(FAULTY_TICK) * 20;
    assert!(count(&end, "talk_ms") + 40 >= spoken_ms, "{end}");
    assert!(count(&leg_quality(&call), "sent") + 2 >= FAULTY_TICK.into(), "{call}");
    let recorded = &events_of(&call, "recording_finished")[0];
    assert!(count(recorded, "duration_ms") + 40 >= spoken_ms, "{recorded}");
    let channels = wav::read(text(&call, "recording_path").as_ref());
    let as_recorded = f64::from(SPOKEN) / f64::from(i16::MAX);
    let spoken = channels[1].iter().filter(|&&sample| (sample - as_recorded).abs() < 1e-6).count();
    assert!(spoken as u64 / 8 + 40 >= spoken_ms, "{spoken} samples of {spoken_ms} ms");
}

/// The call with this Call-ID, once so many calls of the faulty destinations have ended.
#[track_caller]
fn ended_call(server: &InProcess, number: usize, call_id: &str) -> Value {
    let records = server.records();
    let rows = wait::until("the row's end", Duration::from_secs(10), || {
        let rows = records.calls();
        (rows.iter().filter(|row| row["cause"].is_string()).count() == number).then_some(rows)
    });
    records.call_of(&rows, call_id)
}

fn panics(server: &InProcess) -> u64 {
    server.app().shard_stats().iter().map(|stats| stats.panics.load(Ordering::Relaxed)).sum()
}

/// One thread for all calls, three pairs of ports, and a route to each fault whose calls are recorded.
fn start() -> InProcess {
    let mut destinations = Destinations::for_testing();
    let mut toml = "[engine]\nshards = 1\n".to_owned();
    for place in Place::ALL {
        let number = place.number();
        destinations.register(number, false, move |_| Box::new(Faulty::new(place)));
        toml.push_str(&format!(
            "[[route]]\nnumber = \"{number}\"\ndestination = \"{number}\"\nrecord = true\n"
        ));
    }
    InProcess::start(&toml, &Place::ALL.map(Place::number), destinations, 3)
}

/// Where the panic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Build,
    Begin,
    Release,
    Hear,
    Speak,
    Wish,
    Drop,
}

impl Place {
    const ALL: [Self; 7] =
        [Self::Build, Self::Begin, Self::Release, Self::Hear, Self::Speak, Self::Wish, Self::Drop];

    /// The number that leads there.
    fn number(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Begin => "begin",
            Self::Release => "release",
            Self::Hear => "hear",
            Self::Speak => "speak",
            Self::Wish => "wish",
            Self::Drop => "drop",
        }
    }
}

/// An answering destination with one fault.
#[derive(Debug)]
struct Faulty {
    place: Place,
    ticks: u32,
}

impl Faulty {
    fn new(place: Place) -> Self {
        fault_at(Place::Build, place);
        Self { place, ticks: 0 }
    }
}

impl Destination for Faulty {
    fn begin(&self) -> Begin {
        fault_at(Place::Begin, self.place);
        Begin::Answer
    }

    fn release(&self) -> Release {
        fault_at(Place::Release, self.place);
        Release::InOrder
    }

    fn hear(&mut self, _now: Instant, _frame: &Frame) {
        if self.ticks >= FAULTY_TICK {
            fault_at(Place::Hear, self.place);
        }
    }

    fn speak(&mut self, _now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        samples.fill(SPOKEN);
        self.ticks += 1;
        if self.ticks >= FAULTY_TICK {
            fault_at(Place::Speak, self.place);
        }
    }

    fn poll_wish(&mut self, _now: Instant) -> Option<Wish> {
        if self.ticks >= FAULTY_TICK {
            fault_at(Place::Wish, self.place);
        }
        None
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        fault_at(Place::Drop, self.place);
    }
}

fn fault_at(here: Place, place: Place) {
    assert!(here != place, "injected at {place:?}");
}

/// The answered ones fail in their 25th tick.
const FAULTY_TICK: u32 = 25;
/// What a faulty destination says until then.
const SPOKEN: i16 = 1_000;
/// Some tens of packets.
const SHORT_TALK: Duration = Duration::from_millis(500);
