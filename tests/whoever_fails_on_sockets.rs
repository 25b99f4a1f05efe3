//! Providers fail in whole calls over real sockets: a real server, a connection for each, real callers. Every provider meets the faults that real
//! ones have most, of every hop one meets all that there are, and so do all models that hear and speak; each with another one behind it, and of every
//! hop one with nobody. The caller hears something soon and never nothing for long, his RTP goes on unbroken both ways, the cause stands in the log,
//! and nothing is left when the calls are over. In virtual time every provider meets every fault (`whoever_fails`).
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]
#![allow(clippy::print_stdout, reason = "the table is worth reading")]

mod common;
mod on_sockets;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caly::signaling::Destinations;
use caly_vendors::faults::Fault;
use caly_vendors::hearing::Script;
use caly_vendors::model::{Model, Rule, TokenPace};
use serde_json::Value;

use common::in_process::InProcess;
use common::process::Footprint;
use common::raw_call::RawCall;
use common::records::{count, leg_quality, missed};
use common::stalls::{StallWatch, Stalls};
use common::wait;
use on_sockets::cast::{HOPS, KINDS, TALKERS};
use on_sockets::{ANSWER, Act, Asked, Asking, House, QUESTION, asking, asking_takes, dialogue, said, steady};

/// A provider that fails, and whether another one is behind it.
struct Case {
    hop: usize,
    kind: &'static str,
    fault: Fault,
    is_alone: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = if self.is_alone { "nobody" } else { "another" };
        let fault = format!("{:?}", self.fault);
        write!(f, "{:>8} {:<15} {fault:<36} {behind:<8}", word(self.hop), self.kind)
    }
}

/// The place of those who do all three.
const TALKS: usize = 3;

/// What a hop is called in a configuration.
fn word(hop: usize) -> &'static str {
    HOPS.get(hop).unwrap_or(&"realtime")
}

/// Who may be in it.
fn kinds(hop: usize) -> &'static [&'static str] {
    KINDS.get(hop).copied().unwrap_or(&TALKERS)
}

/// A case's call.
struct Played {
    case: Case,
    begun: Instant,
    asked: Asked,
}

#[test]
fn whoever_fails_on_the_wire_the_caller_is_answered_and_nothing_is_left() {
    // One hop after the other: what is left is counted in the whole process.
    let wrong: Vec<String> = (0..=TALKS).flat_map(play_hop).collect();
    assert!(wrong.is_empty(), "{} calls:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is wrong with the calls in which a provider of this hop fails.
fn play_hop(hop: usize) -> Vec<String> {
    let cases = cases(hop);
    let mut house = House::new("fails");
    let numbers: Vec<String> =
        cases.iter().enumerate().map(|(number, case)| cast_one(&mut house, number, case)).collect();
    let calls = numbers.len();
    let server = InProcess::start(house.config(), &[], Destinations::for_testing(), AT_ONCE as u16 + 4);
    let sip = server.app().sip();
    let stalls = StallWatch::start(std::process::id());
    // What the agents say by themselves is made once, and what a first call makes.
    Asking::new(RawCall::place(sip, &numbers[calls - 1]), &asking(0.5, 0.5)).end();
    let idle = settled(&server, &house);

    let (played, refused) = play(sip, cases, numbers);
    let stalls = stalls.stop();
    let rows = wait::until("finished recordings", SETTLES, || {
        let rows = server.records().ended_calls(1 + calls + refused);
        let is_told = |row: &Value| row["recording_ms"].is_u64() || row["answered_at"].is_null();
        rows.iter().all(is_told).then_some(rows)
    });
    let mut wrong = Vec::new();
    for played in &played {
        let record = server.records().call_of(&rows, &played.asked.call_id);
        match judge(played, &record, &stalls) {
            Ok(figures) => println!("{} {figures}", played.case),
            Err(what) => {
                println!("{} WRONG: {what}", played.case);
                wrong.push(format!("{} {what}\n{}", played.case, told(&record)));
            }
        }
    }
    let after = settled(&server, &house);
    assert_eq!(after.tasks, idle.tasks, "tasks are left");
    assert_eq!(after.held.sockets - after.kept, idle.held.sockets - idle.kept, "sockets are left");
    assert!(after.held.descriptors - after.kept <= idle.held.descriptors - idle.kept + 2, "files are left");
    drop(server);
    house.close();
    wrong
}

/// What a simulated model says to nothing.
const UNTOLD: &str = "I have no rule for that.";
/// Calls at the same time: as many as two cores of a debug build carry with ease.
const AT_ONCE: usize = 21;
/// How long each is up, if the agent does not end it.
const LASTS: Duration = Duration::from_secs(12);
/// And if nobody is behind a model that fails: it is waited for more than once.
const LASTS_ALONE: Duration = Duration::from_secs(18);
/// When the caller asks.
const ASKS_AFTER_S: f64 = 1.5;
/// From the turn's end until something is to be heard: the fillers' 400 ms, and a tick or two.
const FILLER: Duration = Duration::from_millis(500);
/// The longest silence behind the question.
const SILENCE: Duration = Duration::from_millis(2_000);
/// Packets that may be under way when a call begins or ends.
const EDGE: u64 = 10;
/// What two cores that run everything may take beside it, where the watch for stalls saw nothing.
const SLACK: Duration = Duration::from_millis(300);

fn cases(hop: usize) -> Vec<Case> {
    // Those that last longest come first.
    let alone = [Fault::Unauthorized, Fault::Stall];
    let alone = alone.map(|fault| Case { hop, kind: kinds(hop)[0], fault, is_alone: true });
    let mut cases: Vec<Case> = alone.into();
    for kind in kinds(hop) {
        let faults = match (hop, *kind) {
            // A program is missing, fails, hangs before or after its first sound, writes what is no sound, ends too early, or is slow.
            (_, "espeak") => vec![
                Fault::Refused,
                Fault::ServerError(1),
                Fault::NoAnswer,
                Fault::Stall,
                Fault::WrongAudio,
                Fault::DropAfter(3),
                Fault::Drip(Duration::from_millis(180)),
            ],
            // These meet all of them.
            (0, "deepgram-flux") | (1, "anthropic") | (2, "cartesia") | (TALKS, _) => all_faults(hop),
            _ => vec![Fault::Refused, Fault::Unauthorized, Fault::Stall, Fault::DropAfter(3)],
        };
        cases.extend(faults.into_iter().map(|fault| Case { hop, kind, fault, is_alone: false }));
    }
    cases
}

fn all_faults(hop: usize) -> Vec<Fault> {
    let faults = vec![
        Fault::Refused,
        Fault::Unresolved,
        Fault::TlsFails,
        Fault::Unauthorized,
        Fault::TooMany { retry_after_s: Some(2) },
        Fault::ServerError(500),
        Fault::NoAnswer,
        Fault::Stall,
        Fault::DropAfter(3),
        Fault::GarbageAfter(2),
        // Of sound, slower than it is heard, and fast enough for the agent's own lines to be said before the calls.
        Fault::Drip(Duration::from_millis(if hop >= 2 { 150 } else { 400 })),
        Fault::Malformed,
        Fault::WrongAudio,
        Fault::Oversized(8 * 1024 * 1024),
        Fault::Silence(0xff),
        Fault::OutOfOrder,
    ];
    let concerns = |fault: &Fault| match fault {
        Fault::WrongAudio => hop >= 2,
        Fault::Silence(_) => hop != 1,
        _ => true,
    };
    faults.into_iter().filter(concerns).collect()
}

/// The case's own provider, and an agent that uses it; the other hops are well, and all agents share these.
fn cast_one(house: &mut House, number: usize, case: &Case) -> String {
    if case.hop == TALKS {
        return cast_talker(house, number, case);
    }
    if number == 0 {
        for (hop, kinds) in KINDS.iter().enumerate() {
            for kind in *kinds {
                house.provider(hop, kind, &format!("{}-{kind}", HOPS[hop]), &Act::Well);
            }
        }
    }
    let Case { hop, kind, fault, is_alone } = case;
    let name = format!("fails-{number}");
    house.provider(*hop, kind, &name, &Act::Fails(fault));
    let well = |hop: usize, kind: &str| vec![format!("{}-{kind}", HOPS[hop])];
    let mut providers = [0, 1, 2].map(|hop| well(hop, KINDS[hop][0]));
    let place = KINDS[*hop].iter().position(|known| known == kind).expect("a kind of the hop");
    let behind = KINDS[*hop][(place + 1) % KINDS[*hop].len()];
    providers[*hop] =
        std::iter::once(name).chain((!is_alone).then(|| well(*hop, behind).remove(0))).collect();
    let providers = providers.each_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
    house.agent(providers.each_ref().map(Vec::as_slice))
}

/// The same of a model that hears and speaks.
fn cast_talker(house: &mut House, number: usize, case: &Case) -> String {
    let script = || Script::new(std::iter::repeat_n(QUESTION, 1_000));
    // Who takes over has read or heard the question, and may be told to answer it. What it is to say word for word is no question.
    let rules = ["order", "go on"].map(|words| Rule::user(words).say(ANSWER));
    let model = || Model::new(rules.clone(), TokenPace::default());
    let well = |kind: &str| format!("realtime-{kind}");
    if number == 0 {
        for kind in TALKERS {
            house.talker(kind, &well(kind), (&script(), model()), &Act::Well);
        }
    }
    let name = format!("fails-{number}");
    house.talker(case.kind, &name, (&script(), model()), &Act::Fails(&case.fault));
    let behind = TALKERS.iter().find(|kind| **kind != case.kind).filter(|_| !case.is_alone);
    let models: Vec<String> = std::iter::once(name).chain(behind.map(|kind| well(kind))).collect();
    let models: Vec<&str> = models.iter().map(String::as_str).collect();
    house.talking_agent("en", FILLER - Duration::from_millis(100), &models)
}

/// Places all calls, some of them at the same time. Also tells how many were refused: where the machine stands still for half a second the server
/// sends callers elsewhere, and they come again.
fn play(sip: SocketAddr, cases: Vec<Case>, numbers: Vec<String>) -> (Vec<Played>, usize) {
    let audio = asking(ASKS_AFTER_S, 60.0);
    let limit = LASTS * u32::try_from(cases.len() / AT_ONCE + 3).expect("a few");
    let mut waiting: VecDeque<_> = cases.into_iter().zip(numbers).collect();
    let (mut up, mut played): (Vec<(Case, Asking)>, Vec<Played>) = (Vec::new(), Vec::new());
    let mut refused = 0;
    wait::until("the end of all calls", limit * 2, || {
        let is_over = |case: &Case, asking: &mut Asking| {
            let lasts = if case.is_alone && matches!(case.hop, 1 | TALKS) { LASTS_ALONE } else { LASTS };
            asking.is_over() || asking.begun().elapsed() > lasts
        };
        for (case, asking) in up.extract_if(.., |(case, asking)| is_over(case, asking)) {
            played.push(Played { case, begun: asking.begun(), asked: asking.end() });
        }
        if up.len() < AT_ONCE
            && let Some((case, number)) = waiting.pop_front()
        {
            match RawCall::try_place(sip, &number) {
                Ok(call) => up.push((case, Asking::new(call, &audio))),
                Err(refusal) => {
                    assert_eq!(refusal.status(), 503, "{}", refusal.as_str());
                    refused += 1;
                    waiting.push_back((case, number));
                }
            }
        }
        (up.is_empty() && waiting.is_empty()).then_some(())
    });
    (played, refused)
}

/// What the call shows of itself, or what is wrong with it.
fn judge(played: &Played, record: &Value, stalls: &Stalls) -> Result<String, String> {
    let Played { case, begun, asked } = played;
    let cause = if asked.by_agent { "local_bye" } else { "remote_bye" };
    if record["cause"] != cause {
        return Err(format!("ended by {}", record["cause"]));
    }
    let fails = |event: &Value| {
        event["step"] == "fault" && event["provider"].as_str().is_some_and(|name| name.starts_with("fails-"))
    };
    let is_harmless = matches!(
        case.fault,
        Fault::Drip(_) | Fault::OutOfOrder | Fault::DropAfter(_) | Fault::GarbageAfter(_)
    );
    let kinds: Vec<Value> =
        dialogue(record, "hop").into_iter().filter(fails).map(|event| event["kind"].clone()).collect();
    if kinds.is_empty() && !is_harmless {
        return Err("no cause in the log".to_owned());
    }
    let said = said(record);
    let is_answered = said.iter().any(|text| text == ANSWER);
    let asks = ["Say it again.", "I did not hear that.", "Sorry."];
    let is_asked = case.is_alone && said.iter().any(|text| asks.contains(&text.as_str()));
    // Who has erased the words and said nothing has the sound all the same: the next one speaks, and knows only that he is to.
    let is_asked = is_asked
        || case.hop == TALKS
            && matches!(case.fault, Fault::Silence(_))
            && said.iter().any(|text| text == UNTOLD);
    if !is_answered && !is_asked {
        return Err(format!("not answered: {said:?}"));
    }
    check_media(asked, record, stalls)?;
    let (first, slack) = (first_sound(record), SLACK + Duration::from_millis(20 * missed(record)));
    if first.is_none_or(|first| first > FILLER + slack) {
        return Err(format!("the first sound came {first:?} behind the turn's end"));
    }
    let (silence, at) = longest_silence(asked, *begun);
    let excused = stalls.between(at, at + silence) + slack;
    if silence > SILENCE + excused {
        return Err(format!("{silence:?} of silence, of which {excused:?} are the machine's"));
    }
    let first_ms = first.unwrap_or_default().as_millis();
    let kind = kinds.first().and_then(Value::as_str).unwrap_or("-");
    Ok(format!("{kind:<12} first sound {first_ms:>4} ms, longest silence {:>4} ms", silence.as_millis()))
}

/// What was sent came, both ways, and stands in the recording.
fn check_media(asked: &Asked, record: &Value, stalls: &Stalls) -> Result<(), String> {
    stalls.check_whole(&asked.heard, missed(record))?;
    let quality = leg_quality(record);
    let (received, lost) = (count(&quality, "received"), count(&quality, "lost"));
    // Some are under way when it ends.
    if lost > 0 || received + EDGE < u64::from(asked.sent) {
        return Err(format!("{received} packets of {} came, {lost} were lost", asked.sent));
    }
    let (recorded, lacking) = (count(record, "recording_ms"), count(record, "recording_missing_blocks"));
    if lacking > 0 || recorded + 20 * EDGE < 20 * received {
        return Err(format!(
            "{recorded} ms of {received} packets are recorded, {lacking} blocks are missing"
        ));
    }
    Ok(())
}

/// From the end of the turn to the first sound behind it, by the call's log; zero if something was being said.
fn first_sound(record: &Value) -> Option<Duration> {
    let (mut ended, mut is_speaking) = (None, false);
    for entry in record["events"].as_array()? {
        let (at, event) = (Duration::from_micros(entry["at_us"].as_u64()?), &entry["event"]);
        match event["what"].as_str() {
            Some("turn_committed") => ended = ended.or(Some(at)),
            Some("said") if ended.is_some() => return Some(at - ended?),
            Some("said") => is_speaking = true,
            Some("heard" | "barge_in") => is_speaking = false,
            _ => {}
        }
        if ended.is_some() && is_speaking {
            return Some(Duration::ZERO);
        }
    }
    None
}

/// The longest silence between the end of the question and the last that was heard in a call's usual time, by RTP, and when it began. Who is
/// asked to press a key is asked again only later.
fn longest_silence(asked: &Asked, begun: Instant) -> (Duration, Instant) {
    let end = begun + Duration::from_secs_f64(ASKS_AFTER_S) + asking_takes();
    let until = begun + LASTS;
    let mut loud = asked.loud();
    loud.truncate(asked.heard.iter().take_while(|packet| packet.at < until).count());
    let last = loud.iter().rposition(|is_loud| *is_loud).unwrap_or_default();
    let (mut longest, mut run, mut at) = (0, 0, end);
    for (packet, is_loud) in asked.heard.iter().zip(&loud).take(last).filter(|(packet, _)| packet.at >= end) {
        run = if *is_loud { 0 } else { run + 1 };
        if run > longest {
            longest = run;
            at = packet.at - Duration::from_millis(20) * run;
        }
    }
    (Duration::from_millis(20) * longest, at)
}

/// The dialogue, for a failing test.
fn told(record: &Value) -> String {
    let entries = record["events"].as_array().into_iter().flatten();
    let lines =
        entries.filter(|entry| entry["event"]["type"] == "dialogue" && entry["event"]["step"] != "usage");
    lines.map(|entry| format!("{:>9} {}\n", entry["at_us"], entry["event"])).collect()
}

/// What the process holds when no call is up.
struct Idle {
    tasks: usize,
    held: Footprint,
    /// Connections that are kept for the next request, at both ends.
    kept: usize,
}

fn settled(server: &InProcess, house: &House) -> Idle {
    let (tasks, held) = steady("a server that has settled", SETTLES, || {
        (house.connections().0 == 0).then(|| (server.tasks(), Held(Footprint::of(std::process::id()))))
    });
    Idle { tasks, held: held.0, kept: 2 * house.connections().1 }
}

/// What is held as far as it settles.
struct Held(Footprint);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        (self.0.descriptors, self.0.sockets) == (other.0.descriptors, other.0.sockets)
    }
}

const SETTLES: Duration = Duration::from_secs(40);
