//! An agent that thinks by providers, on real sockets: a caller speaks to it, and vendors that refuse what the real ones refuse listen, think
//! and speak for it.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

mod common;

use std::fs;
use std::process::Command;
use std::time::Duration;

use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::seen::Seen;
use caly_vendors::sockets::{Authority, Server as Vendor};
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::voice::{Pace, Voice};
use serde_json::Value;
use tokio::runtime::Runtime;

use common::records::events_of;
use common::scratch::Scratch;
use common::server::{Server, ServerSetup};
use common::{tone, wait, wav};

const AGENT: &str = r#"
[agent]
name = "Asha"
language = "en"
voice = { en = "en" }
[mind]
kind = "cascade"
asr = ["ears"]
llm = ["brain"]
tts = ["mouth"]
tools = ["lookup_order", "end_call"]
instructions = "You answer the telephone of a shop."
# The machine of a test may stand still.
filler_after_ms = 5000
[line]
greeting = { en = "Hello, this is Asha." }
trouble = { en = "Sorry, something went wrong." }
not_understood = { en = "Sorry, I did not catch that." }
idle = { en = "Are you still there?" }
sorry = { en = "Sorry, we have a technical problem." }
goodbye = { en = "Goodbye." }
"#;

/// What the caller says, and how long he is silent before it and behind it.
const QUESTION: &str = "where is my order A B C one two three please";
const FAREWELL: &str = "no thank you that is all goodbye";

/// The three vendors of the agent, and what they see.
struct Vendors {
    runtime: Runtime,
    ears: Vendor,
    brain: Vendor,
    mouth: Vendor,
    seen: [Seen; 3],
    authority: Authority,
}

impl Vendors {
    fn start(model: Model) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let seen = [Seen::default(), Seen::default(), Seen::default()];
        let authority = Authority::new().expect("an authority");
        let script = Script::new([QUESTION, FAREWELL]);
        let ears = DeepgramListen::new(&script, Manner::default(), &seen[0]);
        let brain = OpenAiChat::new(model, Dialect::OpenAi);
        let mouth = DeepgramSpeak::new(Voice::default(), Pace::default(), &seen[2]);
        let (ears, brain, mouth) = runtime.block_on(async {
            let ears = Vendor::start(Stage::new(ears, &seen[0])).await.expect("a port");
            let brain = Vendor::start_tls(Stage::new(brain, &seen[1]), &authority).await.expect("a port");
            let mouth = Vendor::start(Stage::new(mouth, &seen[2])).await.expect("a port");
            (ears, brain, mouth)
        });
        Self { runtime, ears, brain, mouth, seen, authority }
    }

    /// A server whose only agent asks these vendors.
    fn server(&self, scratch: &Scratch) -> Server {
        let agents = scratch.join("agents");
        fs::create_dir_all(&agents).expect("a folder");
        fs::write(agents.join("asha.toml"), AGENT).expect("a file");
        let (ca, key) = (scratch.write("ca.pem", self.authority.pem()), scratch.write("key", KEY));
        let config = format!(
            "[agents]\ndir = {agents:?}\n[providers]\nca_file = {ca:?}\n\
             [asr.ears]\nkind = \"deepgram\"\nkey_env = \"EARS_KEY\"\nurl = \"{}\"\n\
             [llm.brain]\nkind = \"openai\"\nkey_file = {key:?}\nurl = \"{}/v1\"\nmodel = \"gpt-4.1-mini\"\n\
             [tts.mouth]\nkind = \"deepgram\"\nkey_env = \"EARS_KEY\"\nurl = \"{}\"\nmodels = {{ \"*\" = \"aura-2-thalia-en\" }}\n\
             [[route]]\nnumber = \"*\"\ndestination = \"agent:asha\"\n",
            self.ears.websocket_base(),
            self.brain.http_base(),
            self.mouth.websocket_base(),
        );
        ServerSetup::default().config(&config).environment("EARS_KEY", KEY).start()
    }

    /// Connections of whomever to the vendors that keep one for each call.
    fn open_streams(&self) -> usize {
        let table = fs::read_to_string("/proc/net/tcp").expect("the system's table of connections");
        let ports =
            [self.ears.address().port(), self.mouth.address().port()].map(|port| format!(":{port:04X}"));
        let is_open = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(3) == Some(&"01") && ports.iter().any(|port| fields[2].ends_with(port.as_str()))
        };
        table.lines().filter(is_open).count()
    }
}

/// Silence and speech in turns, as a caller who waits for answers.
fn caller(scratch: &Scratch) -> std::path::PathBuf {
    let silence = |seconds: f64| vec![0.0; (seconds * f64::from(tone::RATE_HZ)) as usize];
    let say = |text: &str| -> Vec<f64> {
        let spoken = Voice { seed: 5, ..Voice::default() }.speak(text, tone::RATE_HZ);
        spoken.samples.iter().map(|sample| f64::from(*sample) / f64::from(i16::MAX)).collect()
    };
    let samples = [silence(4.0), say(QUESTION), silence(9.0), say(FAREWELL), silence(12.0)].concat();
    let path = scratch.join("caller.wav");
    wav::write(&path, &samples);
    path
}

#[test]
fn a_spoken_question_is_answered_by_a_tool_and_the_call_ends_politely() {
    let model = Model::new(
        [
            Rule::tool("shoes").say("Your shoes are on their way. They arrive on Tuesday. Anything else?"),
            Rule::user("goodbye").say("Thank you for calling, goodbye.").call("end_call", "{}"),
            Rule::user("three please").offered("lookup_order").call("lookup_order", r#"{"order":"abc 123"}"#),
        ],
        TokenPace::default(),
    );
    let vendors = Vendors::start(model);
    let scratch = Scratch::new("cascade");
    let server = vendors.server(&scratch);
    let (wav, heard) = (caller(&scratch), scratch.join("heard.wav"));
    let uri = format!("sip:+919812345678@{}", server.sip());
    let output = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["call", &uri, "--duration", "60", "--json", "--wav"])
        .arg(&wav)
        .arg("--record")
        .arg(&heard)
        .output()
        .expect("caly can be started");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let call = server.ended_call();
    let told = || {
        format!(
            "{}\n{}",
            serde_json::to_string_pretty(&events_of(&call, "dialogue")).unwrap_or_default(),
            server.log()
        )
    };

    assert_eq!(report["cause"], "remote_bye", "the agent hangs up: {}", told());
    let said = texts(&call, "said", "text");
    assert_eq!(said[0], "Hello, this is Asha.", "{}", told());
    assert!(said.iter().any(|text| text.contains("Your shoes are on their way.")), "{}", told());
    assert!(said.iter().any(|text| text.contains("Thank you for calling, goodbye.")), "{}", told());
    assert_eq!(texts(&call, "tool_called", "name"), ["lookup_order", "end_call"], "{}", told());
    assert!(texts(&call, "tool_answered", "answer")[0].contains("ABC123"), "{}", told());
    for seen in &vendors.seen {
        assert_eq!(seen.complaints(), Vec::<String>::new(), "{}", told());
        assert!(seen.arrivals() > 0, "{}", told());
    }
    let loud = wav::read(&heard)[1].iter().filter(|sample| sample.abs() > 0.02).count();
    assert!(loud > 8_000, "the caller hears the agent: {loud} loud samples");
    let streams = "the ends of the call's connections to its vendors";
    wait::until(streams, Duration::from_secs(10), || (vendors.open_streams() == 0).then_some(()));
    assert!(!server.log().contains(KEY), "keys are not logged");
    drop(server);
    vendors.runtime.shutdown_background();
}

#[test]
fn without_any_provider_the_agent_says_so_and_goes_on_by_its_script() {
    let vendors = Vendors::start(Model::new([Rule::always().say("Never heard.")], TokenPace::default()));
    let scratch = Scratch::new("cascade-alone");
    let server = vendors.server(&scratch);
    // Nobody is there from now on.
    let Vendors { runtime, .. } = vendors;
    runtime.shutdown_timeout(Duration::from_secs(5));
    let uri = format!("sip:1@{}", server.sip());
    let output = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["call", &uri, "--dtmf", ",,,,,,,,,,,,8,1,222123#,,,5", "--duration", "60", "--json"])
        .output()
        .expect("caly can be started");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let call = server.ended_call();
    let said = texts(&call, "said", "text");
    assert!(
        said.iter().any(|text| text == "Sorry, we have a technical problem."),
        "{said:?}\n{}",
        server.log()
    );
    let states = texts(&call, "state", "name");
    assert!(
        states.iter().any(|state| state == "look_up"),
        "the script of the demo goes on: {states:?} {report}"
    );
}

/// A field of each event of one kind in the call's dialogue.
fn texts(call: &Value, what: &str, field: &str) -> Vec<String> {
    let dialogue = events_of(call, "dialogue");
    let of_kind = dialogue.iter().filter(|event| event["what"] == what);
    of_kind.map(|event| event[field].as_str().unwrap_or_default().to_owned()).collect()
}
