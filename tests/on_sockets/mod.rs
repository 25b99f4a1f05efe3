//! Agents that think, on real sockets: simulated vendors of every kind as servers on loopback, the configuration that leads to them, and callers
//! who ask something again and again.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

#[path = "../thinking/cast.rs"]
pub(crate) mod cast;

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use caly_vendors::faults::{Fault, Faults, When};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::seen::Seen;
use caly_vendors::sockets::{Authority, Server as Vendor};
use caly_vendors::stage::Pause;
use caly_vendors::strict::KEY;
use caly_vendors::voice::{Pace, Voice};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::common::raw_call::RawCall;
use crate::common::records::events_of;
use crate::common::rtp_peer::{RtpArrived, decode};
use crate::common::scratch::Scratch;
use crate::common::tone;

/// What every caller asks.
pub(crate) const QUESTION: &str = "where is my order please";
/// What every model answers.
pub(crate) const ANSWER: &str = "Your order is on its way.";

/// The vendors, and a configuration that names them.
pub(crate) struct House {
    runtime: Runtime,
    /// With whether they keep a connection for each call.
    vendors: Vec<(Vendor, bool)>,
    authority: Authority,
    config: String,
    agents: usize,
    scratch: Scratch,
    /// What all of them saw.
    pub(crate) seen: Seen,
}

/// How a vendor is.
pub(crate) enum Act<'a> {
    /// As a real one on a good day.
    Well,
    /// It has this fault whoever comes.
    Fails(&'a Fault),
    /// It stands still when this says so.
    StandsStill(&'a Pause),
}

impl House {
    pub(crate) fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        fs::create_dir_all(scratch.join("agents")).expect("a folder");
        fs::write(scratch.join("agents/keypad.toml"), KEYPAD).expect("a file");
        fs::write(scratch.join("key"), KEY).expect("a file");
        let config = format!("[agents]\ndir = {:?}\n", scratch.join("agents"));
        Self {
            runtime: Runtime::new().expect("a runtime"),
            vendors: Vec::new(),
            authority: Authority::new().expect("an authority"),
            config,
            agents: 0,
            scratch,
            seen: Seen::default(),
        }
    }

    /// A provider of this kind and name, and its vendor.
    pub(crate) fn provider(&mut self, hop: usize, kind: &str, name: &str, act: &Act<'_>) {
        // Of many callers nobody knows who speaks next: all of them ask the same.
        let script = Script::new(std::iter::repeat_n(QUESTION, 100_000));
        let model = || Model::new([Rule::always().say(ANSWER)], TokenPace::default());
        let stage = match hop {
            0 => Some(cast::recognizer(kind, &script, Manner::default(), &self.seen)),
            1 => Some(cast::model(kind, model(), &self.seen)),
            _ => cast::synthesizer(kind, Pace::default(), &self.seen),
        };
        let Some(stage) = stage else {
            let program = if matches!(act, Act::Fails(_)) { "/nowhere/espeak-ng" } else { "espeak-ng" };
            self.config.push_str(&cast::table(hop, kind, name, (program, "")));
            return;
        };
        let stage = match act {
            Act::Well => stage,
            Act::Fails(fault) => stage.with_faults(Faults::default().with(When::From(1), (*fault).clone())),
            Act::StandsStill(pause) => stage.with_pause(pause),
        };
        let is_tls = matches!(act, Act::Fails(Fault::TlsFails));
        let vendor = self.runtime.block_on(async {
            if is_tls { Vendor::start_tls(stage, &self.authority).await } else { Vendor::start(stage).await }
        });
        let vendor = vendor.expect("a port");
        let (mut http, mut websocket) = (vendor.http_base(), vendor.websocket_base());
        if matches!(act, Act::Fails(Fault::Unresolved)) {
            http = "http://nobody.invalid".to_owned();
            websocket = "ws://nobody.invalid".to_owned();
        }
        self.vendors.push((vendor, cast::is_streaming(hop, kind)));
        let table = cast::table(hop, kind, name, (&http, &websocket));
        let key = format!("key_file = {:?}", self.scratch.join("key"));
        self.config.push_str(&table.replace("key_env = \"KEY\"", &key));
    }

    /// An agent with these providers. Returns the number by which it is called.
    pub(crate) fn agent(&mut self, providers: [&[&str]; 3]) -> String {
        let number = (1_000 + self.agents).to_string();
        self.agents += 1;
        let [asr, llm, tts] = providers;
        let agent = AGENT.replace("PROVIDERS", &format!("asr = {asr:?}\nllm = {llm:?}\ntts = {tts:?}"));
        fs::write(self.scratch.join(&format!("agents/a{number}.toml")), agent).expect("a file");
        write!(self.config, "[[route]]\nnumber = \"{number}\"\ndestination = \"agent:a{number}\"\n")
            .expect("a String takes all");
        number
    }

    /// The configuration of a server that has all of them.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// All vendors stand still from now on, for so long.
    pub(crate) fn stand_still(&self, pause: &Pause, lasts: Duration) {
        // They opened within a moment of each other; who opened first is meant.
        let now = self.vendors.iter().map(|(vendor, _)| vendor.now()).max().expect("a vendor");
        pause.set(now, now + lasts);
    }

    /// Connections that anybody has to vendors who keep one for each call, and to those who are asked by requests: these are kept for the next
    /// request, whichever call it is of.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let table = fs::read_to_string("/proc/net/tcp").expect("the system's table of connections");
        let count = |wanted: bool| {
            let of_kind = self.vendors.iter().filter(|(_, is_stream)| *is_stream == wanted);
            let ports: Vec<String> =
                of_kind.map(|(vendor, _)| format!(":{:04X}", vendor.address().port())).collect();
            let is_open = |line: &&str| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                fields.get(3) == Some(&"01") && ports.iter().any(|port| fields[2].ends_with(port.as_str()))
            };
            table.lines().filter(is_open).count()
        };
        (count(true), count(false))
    }

    /// Nobody is there any more.
    pub(crate) fn close(self) {
        self.runtime.shutdown_background();
    }
}

/// The caller's question with silence before and behind it.
pub(crate) fn asking(before_s: f64, behind_s: f64) -> Vec<f64> {
    let silence = |seconds: f64| vec![0.0; (seconds * f64::from(tone::RATE_HZ)) as usize];
    let spoken = Voice { seed: 5, ..Voice::default() }.speak(QUESTION, tone::RATE_HZ).samples;
    let spoken = spoken.iter().map(|sample| f64::from(*sample) / f64::from(i16::MAX)).collect();
    [silence(before_s), spoken, silence(behind_s)].concat()
}

/// How long it takes to ask.
pub(crate) fn asking_takes() -> Duration {
    Duration::from_secs_f64(asking(0.0, 0.0).len() as f64 / f64::from(tone::RATE_HZ))
}

/// A call with a caller who asks.
pub(crate) struct Asking {
    call: RawCall,
    begun: Instant,
    has_ended: bool,
}

/// A call that is over.
pub(crate) struct Asked {
    /// Whether the agent ended it.
    pub(crate) by_agent: bool,
    /// What was heard.
    pub(crate) heard: Vec<RtpArrived>,
    pub(crate) call_id: String,
    /// Packets that were sent.
    pub(crate) sent: u16,
}

impl Asking {
    pub(crate) fn new(mut call: RawCall, audio: &[f64]) -> Self {
        let begun = Instant::now();
        call.say(audio);
        Self { call, begun, has_ended: false }
    }

    /// Whether the agent has ended it.
    pub(crate) fn is_over(&mut self) -> bool {
        self.has_ended = self.has_ended || self.call.answers_bye();
        self.has_ended
    }

    /// When the caller began to send.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Ends it, if the agent has not.
    pub(crate) fn end(mut self) -> Asked {
        let (by_agent, call_id) = (self.is_over(), self.call.call_id());
        let sent = self.call.rtp().next_sequence();
        let heard = if by_agent { self.call.heard() } else { self.call.hang_up() };
        Asked { by_agent, heard, call_id, sent }
    }
}

impl Asked {
    /// Which of the packets that were heard are loud.
    pub(crate) fn loud(&self) -> Vec<bool> {
        let is_loud = |samples: &[f64]| samples.iter().any(|sample| sample.abs() > LOUD);
        decode(&self.heard).chunks(160).map(is_loud).collect()
    }
}

/// The events of one kind in the call's dialogue.
pub(crate) fn dialogue(call: &Value, what: &str) -> Vec<Value> {
    events_of(call, "dialogue").into_iter().filter(|event| event["what"] == what).collect()
}

/// The texts that the agent said.
pub(crate) fn said(call: &Value) -> Vec<String> {
    dialogue(call, "said").iter().map(|event| event["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// -36 dBFS: no noise of a line.
const LOUD: f64 = 0.015;

const AGENT: &str = r#"
[agent]
name = "Asha"
language = "en"
voice = { en = "en" }
fallback = "keypad"
[mind]
kind = "cascade"
PROVIDERS
instructions = "You answer the telephone of a shop."
filler_after_ms = 400
[line]
greeting = { en = "Hello." }
trouble = { en = "Say it again." }
not_understood = { en = "I did not hear that." }
idle = { en = "Are you there?" }
sorry = { en = "Sorry." }
goodbye = { en = "Goodbye." }
fillers = [{ en = "One moment." }, { en = "Just a second." }]
"#;

/// Whom the agents fall back to: says goodbye to who presses no key.
const KEYPAD: &str = r#"
[agent]
name = "Keypad"
language = "en"
voice = { en = "en" }
start = "menu"
give_up = "end"
no_input = "again"
no_match = "again"
no_speech = "again"
goodbye = "bye"
[prompt]
again = { en = "Again." }
menu = { en = "Press one." }
bye = { en = "Goodbye." }
[state.menu]
kind = "menu"
say = ["menu"]
keys = { "1" = "end" }
[state.end]
kind = "hang_up"
say = ["bye"]
"#;
