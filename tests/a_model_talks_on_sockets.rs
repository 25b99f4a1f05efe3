//! Whole calls with models that hear and speak, over real sockets: the server as a process, WebSockets to the simulated vendors, one of them by TLS,
//! and callers who listen. A tool that is slow, an interruption, another language and a goodbye; the call's log, its RTP at the caller's end and
//! its recording tell the same. In virtual time: `an_agent_talks`.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

mod common;
mod on_sockets;

use std::path::Path;
use std::time::{Duration, Instant};

use caly_vendors::hearing::Script;
use caly_vendors::model::{Model, Rule, TokenPace};
use serde_json::Value;

use common::raw_call::RawCall;
use common::records::{assert_whole, count, leg_quality, missed, text};
use common::rtp_peer::{RtpArrived, decode};
use common::server::{Server, ServerSetup};
use common::stalls::{StallWatch, Stalls};
use common::{wait, wav};
use on_sockets::caller::{Saying, When};
use on_sockets::cast::TALKERS;
use on_sockets::{Act, Asked, Asking, House, dialogue, said};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// What both callers say.
const SAYS: [Saying; 5] = [
    after(500, "mujhe sab kuch batao"),
    Saying { when: When::OverAgent(Duration::from_millis(1_500)), text: "ruko ruko mera order kahan hai" },
    // Behind the fillers and the answer.
    after(6_000, "what about my refund please"),
    after(6_000, "thank you goodbye"),
    after(60_000, "nobody is left"),
];

const fn after(ms: u64, text: &'static str) -> Saying {
    Saying { when: When::AfterAgent(Duration::from_millis(ms)), text }
}

/// What is said at first, and cut before its second sentence is over.
const EVERYTHING: &str = "Aapke paas teen order hain. Pehla order jootey ka hai. Doosra order kitab ka hai.";

fn model() -> Model {
    let look_up = |words: &str| Rule::user(words).call("lookup_order", r#"{"order":"ABC123"}"#);
    let rules = [
        Rule::user("goodbye").say("Have a nice day.").call("end_call", "{}"),
        look_up("refund"),
        look_up("order kahan"),
        Rule::user("sab kuch").say(EVERYTHING),
        Rule::tool("in_transit").times(1).say("Aapka order raste mein hai."),
        Rule::tool("in_transit").say("Your refund was sent yesterday."),
    ];
    Model::new(rules, TokenPace::default())
}

#[test]
fn a_whole_call_is_in_its_log_and_its_recording_as_it_was_heard() {
    let mut house = House::new("talks");
    let numbers = TALKERS.map(|kind| {
        let script = Script::new(SAYS.iter().map(|saying| saying.text));
        let act = if kind == "gemini" { Act::WellByTls } else { Act::Well };
        house.talker(kind, kind, (&script, model()), &act);
        // What is cut is to be the answer's words alone.
        house.talking_agent("hi", MS(3_000), &[kind])
    });
    let config = format!("{}[demo_shop]\ndelay_ms = 2500\n", house.config());
    let server = ServerSetup::default().config(&config).start();
    let stalls = StallWatch::start(server.pid());
    let mut calls = numbers.map(|number| Asking::talking(RawCall::place(server.sip(), &number), &SAYS));
    wait::until("the agents' goodbye", MS(90_000), || {
        let up = calls.iter_mut().map(Asking::is_over).filter(|is_over| !is_over).count();
        (up == 0).then_some(())
    });
    let ended = calls.map(Asking::end);
    let stalls = stalls.stop();
    // A recording is finished a moment after its call.
    let rows = wait::until("finished recordings", MS(10_000), || {
        let rows = server.ended_calls(TALKERS.len());
        rows.iter().all(|row| row["recording_ms"].is_u64()).then_some(rows)
    });
    for (kind, call) in TALKERS.iter().zip(&ended) {
        let record = server.records().call_of(&rows, &call.call_id);
        check_log(kind, call, &record);
        check_rtp(kind, call, &record, &stalls);
        check_recording(kind, &server, call, &record);
    }
    let cut = told_to_cut(&house);
    let record = server.records().call_of(&rows, &ended[0].call_id);
    assert_eq!(cut, [count(&dialogue(&record, "barge_in")[0], "heard_ms")], "{record:#}");
    assert_eq!(house.seen.complaints(), Vec::<String>::new());
    drop(server);
    house.close();
}

/// Who said what, and what of it was heard.
fn check_log(kind: &str, call: &Asked, record: &Value) {
    assert!(call.by_agent && record["cause"] == "local_bye", "{kind}: {record:#}");
    assert_whole(record);
    let hops = dialogue(record, "hop");
    let transcripts: Vec<&str> = hops
        .iter()
        .filter(|event| event["step"] == "transcript" && event["is_committed"] == true)
        .map(|event| text(event, "text"))
        .collect();
    let sayings: Vec<&str> = SAYS[..4].iter().map(|saying| saying.text).collect();
    assert_eq!(transcripts, sayings, "{kind}: {record:#}");
    let said = said(record);
    // The second filler is cut by the answer or comes before it.
    let order = [
        "Namaste.",
        "Aapke paas teen order hain.",
        "Ek minute.",
        "Aapka order raste mein hai.",
        "One moment.",
        "Your refund was sent yesterday.",
        "Have a nice day.",
    ];
    let mut rest = said.iter();
    for line in order {
        assert!(
            rest.any(|text| text.starts_with(line)),
            "{kind}: {line:?} is missing in {said:?}: {record:#}"
        );
    }
    let tools = ["tool_called", "tool_answered"].map(|what| dialogue(record, what).len());
    assert_eq!(tools, [3, 2], "{kind}, with the one that ends the call: {record:#}");
    let cut = hops.iter().find(|event| event["step"] == "heard_text");
    let cut = text(cut.unwrap_or_else(|| panic!("{kind}: nothing was cut: {record:#}")), "text");
    assert!(cut.starts_with("Aapke paas") && !cut.contains("Doosra"), "{kind}: {cut}");
    assert!(!hops.iter().any(|event| event["step"] == "fault"), "{kind}: {record:#}");
}

/// The stream is whole, and the agent's words end where the log says that they were cut.
fn check_rtp(kind: &str, call: &Asked, record: &Value, stalls: &Stalls) {
    stalls
        .check_whole(&call.heard, missed(record))
        .unwrap_or_else(|what| panic!("{kind}: {what}: {record:#}"));
    let quality = leg_quality(record);
    let (received, lost) = (count(&quality, "received"), count(&quality, "lost"));
    assert!(lost == 0 && received + 5 > u64::from(call.sent), "{kind}: {received} of {}", call.sent);
    let interrupts = call.said[1].0;
    let (from, until) = around(call, interrupts);
    let words = until - from;
    let heard = MS(count(&dialogue(record, "barge_in")[0], "heard_ms"));
    let slack = MS(200) + stalls.between(from, until);
    assert!(
        words.abs_diff(heard) <= slack,
        "{kind}: {words:?} of the words were heard, {heard:?} by the log"
    );
    let late = until.saturating_duration_since(interrupts);
    assert!(late <= MS(1_200) + stalls.between(interrupts, until), "{kind}: went on for {late:?}");
}

/// From when until when the agent spoke around this time, with pauses of half a second at most.
fn around(call: &Asked, at: Instant) -> (Instant, Instant) {
    let loud = call.loud();
    let loud = call.heard.iter().zip(&loud).filter(|(_, is_loud)| **is_loud).map(|(packet, _)| packet.at);
    let mut run: Option<(Instant, Instant)> = None;
    for packet in loud {
        run = match run {
            Some((from, until)) if packet <= until + MS(500) => Some((from, packet)),
            Some(known) if known.1 >= at => break,
            _ => Some((packet, packet)),
        };
    }
    run.expect("the agent speaks")
}

/// The agent's words as they came are in the right channel, and the caller's in the left one.
fn check_recording(kind: &str, server: &Server, call: &Asked, record: &Value) {
    let file = server.data().join("recordings").join(text(record, "recording_file"));
    assert_eq!(count(record, "recording_missing_blocks"), 0, "{kind}: {record:#}");
    let [left, right] = <[Vec<f64>; 2]>::try_from(read(&file)).expect("two channels");
    let right: Vec<i16> = right.into_iter().map(pcm).collect();
    // Beyond the first and the last packets, which may cross the answer or the BYE.
    let heard = &call.heard[EDGE..call.heard.len() - EDGE];
    let samples = |packet: &RtpArrived| decode(std::slice::from_ref(packet)).into_iter().map(pcm).collect();
    let heard: Vec<(u32, Vec<i16>)> = heard
        .iter()
        .map(|packet| (packet.timestamp.wrapping_sub(heard[0].timestamp), samples(packet)))
        .collect();
    let is_loud = |(_, samples): &&(u32, Vec<i16>)| samples.iter().any(|sample| sample.unsigned_abs() > 500);
    let (at, sample) = heard.iter().find(is_loud).expect("the agent speaks");
    // Where the agent is turned down the recording is finer than G.711: half a step of its largest segment.
    let near = |(a, b): (&i16, &i16)| a.abs_diff(*b) <= 8 + a.unsigned_abs() / 16;
    let are_same = |a: &[i16], b: &[i16]| a.iter().zip(b).all(near);
    let found = right.windows(sample.len()).position(|window| are_same(window, sample));
    let found = found.unwrap_or_else(|| panic!("{kind}: the greeting is not in {}", file.display()));
    let begins = found.checked_sub(*at as usize).expect("the recording begins with the call");
    let differ: Vec<u32> = heard
        .iter()
        .filter(|(at, samples)| !are_same(&right[begins + *at as usize..][..samples.len()], samples))
        .map(|(at, _)| at / 8)
        .collect();
    assert_eq!(differ, [0; 0], "{kind}: of {} packets these, by ms, are other sound", heard.len());
    let spoken: Duration = call.said.iter().take(4).map(|(from, until)| *until - *from).sum();
    let loud = left.chunks(160).filter(|frame| frame.iter().any(|sample| sample.abs() > 0.015)).count();
    let loud = MS(20) * u32::try_from(loud).expect("a short call");
    // Between syllables it is quiet.
    assert!(loud > spoken / 2 && loud < spoken + MS(200), "{kind}: {loud:?} of {spoken:?} are recorded");
}

fn read(file: &Path) -> Vec<Vec<f64>> {
    assert!(file.exists(), "{} is missing", file.display());
    wav::read(file)
}

fn pcm(sample: f64) -> i16 {
    (sample * f64::from(i16::MAX)) as i16
}

/// How many milliseconds of an answer the model was told to have been heard, where it was cut.
fn told_to_cut(house: &House) -> Vec<u64> {
    let texts = house.seen.texts();
    let messages = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let cut = messages.filter(|message| message["type"] == "conversation.item.truncate");
    cut.map(|message| count(&message, "audio_end_ms")).collect()
}

/// Packets.
const EDGE: usize = 5;
