//! Simulated providers for many conversations at once, in a process of their own: this program, started once more. What they use is not
//! the server's, and their memory neither.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::seen::Seen;
use caly_vendors::sockets::{Authority, Server};
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::vendor::Vendor;
use caly_vendors::voice::{Pace, Voice};

use crate::common::scratch::Scratch;

/// How the server reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As real ones.
    Tls,
    /// Without TLS, so that what TLS takes can be told.
    Plain,
}

/// A recognizer, a language model and a synthesizer; stopped on drop.
pub(crate) struct Vendors {
    child: Child,
    folder: Scratch,
}

impl Vendors {
    /// Starts them and waits until they listen.
    pub(crate) fn start(wire: Wire) -> Self {
        let folder = Scratch::new("vendors");
        let wire = if wire == Wire::Tls { TLS } else { "plain" };
        let program = env::current_exe().expect("a program knows its own file");
        let mut child = Command::new(program)
            .args([WORD, wire])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut ready).expect("the vendors say when they listen");
        assert_eq!(ready.trim(), READY, "the vendors did not start");
        Self { child, folder }
    }

    /// What a server's configuration has to say of them, and of the agent that uses them.
    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.folder.join("caly.toml")).expect("the vendors have written it")
    }

    /// Ends them. What they had to complain of was printed.
    pub(crate) fn finish(mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        // Over already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the vendors, if that is what the program was started for: serves until its standard input ends. Tells whether nothing was to complain of.
pub(crate) fn serve(arguments: &[String]) -> Option<bool> {
    let [word, wire, folder] = arguments else { return None };
    if word != WORD {
        return None;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime for the vendors");
    Some(runtime.block_on(run(wire == TLS, Path::new(folder))))
}

async fn run(is_secure: bool, folder: &Path) -> bool {
    let seen = [Seen::default(), Seen::default(), Seen::default()];
    let authority = Authority::new().expect("a certificate");
    // Of many callers nobody knows who speaks next: all of them say the same.
    let script = Script::new(std::iter::repeat_n(SAID, MOST_TURNS));
    let ears = DeepgramListen::new(&script, Manner::default(), &seen[0]);
    let brain = OpenAiChat::new(Model::new(rules(), TokenPace::default()), Dialect::OpenAi);
    let mouth = DeepgramSpeak::new(Voice::default(), Pace::default(), &seen[2]);
    let authority = is_secure.then_some(authority);
    let ears = start(Stage::new(ears, &seen[0]), authority.as_ref()).await;
    let brain = start(Stage::new(brain, &seen[1]), authority.as_ref()).await;
    let mouth = start(Stage::new(mouth, &seen[2]), authority.as_ref()).await;
    let place = folder.display();
    let roots = match &authority {
        Some(authority) => {
            write(folder, "ca.pem", authority.pem());
            format!("[providers]\nca_file = \"{place}/ca.pem\"\n")
        }
        None => String::new(),
    };
    write(folder, "key", KEY);
    fs::create_dir_all(folder.join("agents")).expect("a folder for the agent");
    write(folder, "agents/asha.toml", AGENT);
    let config = format!(
        "[agents]\ndir = \"{place}/agents\"\n{roots}\
         [asr.ears]\nkind = \"deepgram\"\nkey_file = \"{place}/key\"\nurl = \"{}\"\n\
         [llm.brain]\nkind = \"openai\"\nkey_file = \"{place}/key\"\nurl = \"{}/v1\"\nmodel = \"gpt-4.1-mini\"\n\
         [tts.mouth]\nkind = \"deepgram\"\nkey_file = \"{place}/key\"\nurl = \"{}\"\nmodels = {{ \"*\" = \"aura-2-asha-hi\" }}\n\
         [[route]]\nnumber = \"*\"\ndestination = \"agent:asha\"\nrecord = true\n",
        ears.websocket_base(),
        brain.http_base(),
        mouth.websocket_base(),
    );
    write(folder, "caly.toml", &config);
    println!("{READY}");
    let until_the_end = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(until_the_end).await.expect("a thread").expect("standard input can be read");
    let complaints: Vec<String> = seen.iter().flat_map(Seen::complaints).collect();
    complaints.iter().for_each(|complaint| eprintln!("a vendor complains: {complaint}"));
    complaints.is_empty()
}

async fn start(vendor: impl Vendor + 'static, authority: Option<&Authority>) -> Server {
    let started = match authority {
        Some(authority) => Server::start_tls(vendor, authority).await,
        None => Server::start(vendor).await,
    };
    started.expect("a port to listen on")
}

fn write(folder: &Path, name: &str, content: &str) {
    fs::write(folder.join(name), content).expect("the vendors' folder can be written");
}

fn rules() -> [Rule; 2] {
    [
        Rule::tool("in_transit").say(
            "Aapka order raste mein hai. Usme ek jodi jootey hain, kal tak pahunch jayenge. Kya main aur kuch bataun aapko?",
        ),
        Rule::user("kahan hai").call("lookup_order", r#"{"order":"ABC123"}"#),
    ]
}

const WORD: &str = "be-the-vendors";
const TLS: &str = "tls";
const READY: &str = "ready";

/// What every caller says.
pub(crate) const SAID: &str = "namaste mera order number ABC123 kahan hai batao";
const MOST_TURNS: usize = 100_000;

/// It waits without a word for as long as it can, so that calls in which nobody speaks are that.
const AGENT: &str = r#"
[agent]
name = "Asha"
language = "hi"
voice = { hi = "hi", en = "en-in" }
idle_seconds = 300
goodbye_seconds = 300
[mind]
kind = "cascade"
asr = ["ears"]
llm = ["brain"]
tts = ["mouth"]
tools = ["lookup_order", "end_call"]
instructions = "You answer the telephone of a shop, briefly, in the caller's language."
[line]
greeting = { hi = "Namaste! Main Asha hoon.", en = "Hello, this is Asha." }
trouble = { hi = "Maaf kijiye, phir se boliye.", en = "Sorry, please say that again." }
not_understood = { hi = "Maaf kijiye, sunai nahi diya.", en = "Sorry, I did not catch that." }
idle = { hi = "Kya aap line par hain?", en = "Are you still there?" }
sorry = { hi = "Maaf kijiye, system mein dikkat hai.", en = "Sorry, we have a technical problem." }
goodbye = { hi = "Dhanyavaad, namaste!", en = "Thank you, goodbye!" }
fillers = [{ hi = "Ek minute.", en = "One moment." }]
"#;
