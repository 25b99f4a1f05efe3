//! Agents that think, on real sockets: simulated vendors of every kind as servers on loopback, the configuration that leads to them, and callers
//! who ask something again and again.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

#[path = "../thinking/caller.rs"]
pub(crate) mod caller;
#[path = "../thinking/cast.rs"]
pub(crate) mod cast;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use caly_vendors::faults::{Fault, Faults, When};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::seen::Seen;
use caly_vendors::sockets::{Authority, Server as Vendor};
use caly_vendors::stage::{Pause, Stage};
use caly_vendors::strict::KEY;
use caly_vendors::voice::{Pace, Voice};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::common::raw_call::RawCall;
use crate::common::records::events_of;
use crate::common::rtp_peer::{RtpArrived, decode, mu_law};
use crate::common::scratch::Scratch;
use crate::common::{tone, wait};
use caller::{Caller, Saying};

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
    /// The same over TLS.
    WellByTls,
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
        let authority = Authority::new().expect("an authority");
        fs::write(scratch.join("ca.pem"), authority.pem()).expect("a file");
        let (agents, trusted) = (scratch.join("agents"), scratch.join("ca.pem"));
        let config = format!("[agents]\ndir = {agents:?}\n[providers]\nca_file = {trusted:?}\n");
        Self {
            runtime: Runtime::new().expect("a runtime"),
            vendors: Vec::new(),
            authority,
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
            let program = self.program(name, act);
            return self.config.push_str(&cast::table(hop, kind, name, (&program, "")));
        };
        let (http, websocket) = self.open(stage, act, cast::is_streaming(hop, kind));
        self.name(&cast::table(hop, kind, name, (&http, &websocket)));
    }

    /// A program that speaks, or that fails: a script of the shell in its place.
    fn program(&self, name: &str, act: &Act<'_>) -> String {
        let Act::Fails(fault) = act else { return "espeak-ng".to_owned() };
        let script = match fault {
            Fault::ServerError(_) => "echo 'no such voice' >&2\nexit 1",
            Fault::NoAnswer => "exec sleep 60",
            // A head, a little sound, and then nothing.
            Fault::Stall => "espeak-ng \"$@\" | head -c 4000\nexec sleep 60",
            Fault::WrongAudio => {
                "i=0\nwhile [ $i -lt 500 ]; do echo 'this is no wave file at all'; i=$((i + 1)); done"
            }
            Fault::DropAfter(_) => "espeak-ng \"$@\" | head -c 20",
            // Half as fast as it is heard.
            Fault::Drip(_) => {
                "espeak-ng \"$@\" > \"$0.$$\"\nexec < \"$0.$$\"\nrm \"$0.$$\"\nwhile [ \"$(head -c 4000 | tee /dev/fd/3 | wc -c)\" -gt 0 ]; do sleep 0.18; done 3>&1"
            }
            _ => return "/nowhere/espeak-ng".to_owned(),
        };
        let path = self.scratch.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file of our own");
        path.display().to_string()
    }

    /// A model of this kind and name that hears and speaks: it hears the script and answers by the model's rules.
    pub(crate) fn talker(
        &mut self,
        kind: &str,
        name: &str,
        (script, model): (&Script, Model),
        act: &Act<'_>,
    ) {
        let stage = cast::talker(kind, script, Manner::default(), model, &self.seen);
        let (_, websocket) = self.open(stage, act, true);
        self.name(&cast::talker_table(kind, name, &websocket));
    }

    /// Opens a vendor. Returns what stands before the paths of its URLs, for HTTP and for WebSockets.
    fn open(&mut self, stage: Stage, act: &Act<'_>, is_stream: bool) -> (String, String) {
        let stage = match act {
            Act::Well | Act::WellByTls => stage,
            Act::Fails(fault) => stage.with_faults(Faults::default().with(When::From(1), (*fault).clone())),
            Act::StandsStill(pause) => stage.with_pause(pause),
        };
        let is_tls = matches!(act, Act::WellByTls | Act::Fails(Fault::TlsFails));
        let vendor = self.runtime.block_on(async {
            if is_tls { Vendor::start_tls(stage, &self.authority).await } else { Vendor::start(stage).await }
        });
        let vendor = vendor.expect("a port");
        let bases = (vendor.http_base(), vendor.websocket_base());
        self.vendors.push((vendor, is_stream));
        if matches!(act, Act::Fails(Fault::Unresolved)) {
            return ("http://nobody.invalid".to_owned(), "ws://nobody.invalid".to_owned());
        }
        bases
    }

    /// Adds the table of a provider, whose key is in a file.
    fn name(&mut self, table: &str) {
        let key = format!("key_file = {:?}", self.scratch.join("key"));
        self.config.push_str(&table.replace("key_env = \"KEY\"", &key));
    }

    /// An agent with these providers. Returns the number by which it is called.
    pub(crate) fn agent(&mut self, providers: [&[&str]; 3]) -> String {
        let [asr, llm, tts] = providers;
        self.hire(&AGENT.replace("PROVIDERS", &format!("asr = {asr:?}\nllm = {llm:?}\ntts = {tts:?}")))
    }

    /// An agent whose models hear and speak. It begins in this language, and says something after so long where no answer comes.
    pub(crate) fn talking_agent(
        &mut self,
        language: &str,
        filler_after: Duration,
        models: &[&str],
    ) -> String {
        let agent = TALKING_AGENT.replace("MODELS", &format!("{models:?}")).replace("LANGUAGE", language);
        self.hire(&agent.replace("FILLER_AFTER", &filler_after.as_millis().to_string()))
    }

    /// An agent of this file. Its calls are recorded.
    fn hire(&mut self, agent: &str) -> String {
        let number = (1_000 + self.agents).to_string();
        self.agents += 1;
        fs::write(self.scratch.join(&format!("agents/a{number}.toml")), agent).expect("a file");
        let route =
            format!("[[route]]\nnumber = \"{number}\"\ndestination = \"agent:a{number}\"\nrecord = true\n");
        self.config.push_str(&route);
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
    caller: Option<Arc<Mutex<Caller>>>,
    /// Once the agent has ended it: packets that were sent by then.
    sent: Option<u16>,
}

/// A call that is over.
pub(crate) struct Asked {
    /// Whether the agent ended it.
    pub(crate) by_agent: bool,
    /// What was heard.
    pub(crate) heard: Vec<RtpArrived>,
    pub(crate) call_id: String,
    /// Packets that were sent until its end.
    pub(crate) sent: u16,
    /// When each saying of a caller who listens began and ended.
    pub(crate) said: Vec<(Instant, Instant)>,
}

impl Asking {
    pub(crate) fn new(mut call: RawCall, audio: &[f64]) -> Self {
        let begun = Instant::now();
        call.say(audio);
        Self { call, begun, caller: None, sent: None }
    }

    /// With a caller who says these things, each when it is his turn.
    pub(crate) fn talking(mut call: RawCall, says: &[Saying]) -> Self {
        let begun = Instant::now();
        let caller = Arc::new(Mutex::new(Caller::new(says)));
        let speaker = Arc::clone(&caller);
        call.converse(move |heard| {
            let mut caller = speaker.lock().unwrap_or_else(PoisonError::into_inner);
            for packet in heard {
                let at = packet.at.saturating_duration_since(begun);
                let samples: Vec<i16> = decode(std::slice::from_ref(packet)).into_iter().map(pcm).collect();
                caller.hears(at, &samples.try_into().expect("20 ms in every packet"));
            }
            let said = caller.next(begun.elapsed());
            said.iter().map(|sample| mu_law(f64::from(*sample) / f64::from(i16::MAX))).collect()
        });
        Self { call, begun, caller: Some(caller), sent: None }
    }

    /// Whether the agent has ended it.
    pub(crate) fn is_over(&mut self) -> bool {
        if self.sent.is_none() && self.call.answers_bye() {
            self.sent = Some(self.call.rtp().next_sequence());
        }
        self.sent.is_some()
    }

    /// When the caller began to send.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Ends it, if the agent has not.
    pub(crate) fn end(mut self) -> Asked {
        let (by_agent, call_id) = (self.is_over(), self.call.call_id());
        let sent = self.sent.unwrap_or_else(|| self.call.rtp().next_sequence());
        let heard = if by_agent { self.call.heard() } else { self.call.hang_up() };
        let caller = self.caller.as_ref().map(|caller| caller.lock().unwrap_or_else(PoisonError::into_inner));
        let said = caller.map(|caller| caller.said.clone()).unwrap_or_default();
        let said = said.into_iter().map(|(from, until)| (self.begun + from, self.begun + until)).collect();
        Asked { by_agent, heard, call_id, sent, said }
    }
}

fn pcm(sample: f64) -> i16 {
    (sample * f64::from(i16::MAX)) as i16
}

impl Asked {
    /// Which of the packets that were heard are loud.
    pub(crate) fn loud(&self) -> Vec<bool> {
        let is_loud = |samples: &[f64]| samples.iter().any(|sample| sample.abs() > LOUD);
        decode(&self.heard).chunks(160).map(is_loud).collect()
    }
}

/// Waits until this has told the same for a second: programs' own threads that have nothing to do end after that.
#[track_caller]
pub(crate) fn steady<T: PartialEq>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let mut known: Option<(T, Instant)> = None;
    wait::until(what, within, || {
        let found = look();
        known = match (known.take(), found) {
            (Some((before, since)), Some(now)) if before == now => Some((before, since)),
            (_, Some(now)) => Some((now, Instant::now())),
            (_, None) => None,
        };
        known.take_if(|(_, since)| since.elapsed() >= STEADY).map(|(last, _)| last)
    })
}

/// Idle threads of tokio's end after a second.
const STEADY: Duration = Duration::from_millis(1_200);

/// The events of one kind in the call's dialogue.
pub(crate) fn dialogue(call: &Value, what: &str) -> Vec<Value> {
    events_of(call, "dialogue").into_iter().filter(|event| event["what"] == what).collect()
}

/// The texts that the agent said.
pub(crate) fn said(call: &Value) -> Vec<String> {
    let is_said = |event: &Value| event["what"] == "said" || event["what"] == "said_on";
    let said = events_of(call, "dialogue").into_iter().filter(is_said);
    said.map(|event| event["text"].as_str().unwrap_or_default().to_owned()).collect()
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

const TALKING_AGENT: &str = r#"
[agent]
name = "Meera"
language = "LANGUAGE"
voice = { hi = "hi", en = "en" }
fallback = "keypad"
[mind]
kind = "realtime"
realtime = MODELS
instructions = "You answer the telephone of a shop."
tools = ["lookup_order", "end_call"]
filler_after_ms = FILLER_AFTER
tool_patience_ms = 5000
[line]
greeting = { hi = "Namaste.", en = "Hello." }
trouble = { hi = "Phir se boliye.", en = "Say it again." }
idle = { hi = "Aap wahan hain?", en = "Are you there?" }
sorry = { hi = "Maaf kijiye.", en = "Sorry." }
goodbye = { hi = "Dhanyavaad.", en = "Thank you." }
fillers = [{ hi = "Ek minute.", en = "One moment." }, { hi = "Bas ek second.", en = "Just a second." }]
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
