//! Simulated vendors to be talked with: a recognizer, a language model, a synthesizer and a model that does all three on loopback, each as strict as the
//! real one. Writes into the folder it is given a configuration for `caly serve` that uses them and what a caller says as a WAV file; then serves until its standard input ends,
//! and tells what it had to complain of. With `--load` every caller says the same, and there may be many of them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program of its own")]

use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use caly_vendors::audio;
use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::openai_realtime::OpenAiRealtime;
use caly_vendors::seen::Seen;
use caly_vendors::sockets::{Authority, Server};
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::voice::{Pace, Voice};

/// What the caller says, each so many seconds after the one before it. The second one is said over the agent's answer.
const SAYS: [(f64, &str); 4] = [
    (4.0, "namaste mera order number ABC123 kahan hai batao"),
    (8.0, "ruko ruko ye batao kitne paise ka hai"),
    (8.0, "okay please tell me that in English"),
    (9.0, "thank you that is all goodbye"),
];

fn rules() -> [Rule; 5] {
    [
        Rule::tool("in_transit").say(
            "Aapka order raste mein hai. Usme ek jodi jootey hain, kal tak pahunch jayenge. Kya main aur kuch bataun aapko?",
        ),
        Rule::user("kahan hai").call("lookup_order", r#"{"order":"ABC123"}"#),
        Rule::user("kitne paise").say("Ye ₹1,299 ka hai."),
        Rule::user("english").say("Your shoes cost ₹1,299. They are on their way."),
        Rule::user("goodbye").say("Thank you for calling, goodbye!").call("end_call", "{}"),
    ]
}

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: vendors FOLDER [--load]");
        return ExitCode::from(2);
    };
    let is_load = env::args_os().nth(2).is_some_and(|option| option == "--load");
    match serve(&folder, is_load) {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            complaints.iter().for_each(|complaint| eprintln!("a vendor complains: {complaint}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the simulated vendors cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(folder: &Path, is_load: bool) -> io::Result<Vec<String>> {
    let seen = [Seen::default(), Seen::default(), Seen::default(), Seen::default()];
    let authority = Authority::new().map_err(io::Error::other)?;
    // Of many callers nobody knows who speaks next: all of them say the same.
    let script = || match is_load {
        true => Script::new(std::iter::repeat_n(SAYS[0].1, 100_000)),
        false => Script::new(SAYS.iter().map(|(_, text)| *text)),
    };
    let ears = DeepgramListen::new(&script(), Manner::default(), &seen[0]);
    let brain = OpenAiChat::new(Model::new(rules(), TokenPace::default()), Dialect::OpenAi);
    let mouth = DeepgramSpeak::new(Voice::default(), Pace::default(), &seen[2]);
    let ears = Server::start_tls(Stage::new(ears, &seen[0]), &authority).await?;
    let brain = Server::start_tls(Stage::new(brain, &seen[1]), &authority).await?;
    let mouth = Server::start_tls(Stage::new(mouth, &seen[2]), &authority).await?;
    let all = OpenAiRealtime::new(
        &script(),
        Manner::default(),
        Model::new(rules(), TokenPace::default()),
        &seen[3],
    );
    let all = Server::start_tls(Stage::new(all, &seen[3]), &authority).await?;
    fs::create_dir_all(folder.join("agents"))?;
    fs::write(folder.join("ca.pem"), authority.pem())?;
    fs::write(folder.join("key"), KEY)?;
    fs::write(folder.join("agents/asha.toml"), [HEAD, CASCADE, REST, NOT_UNDERSTOOD].concat())?;
    fs::write(folder.join("agents/meera.toml"), [HEAD, REALTIME, REST].concat())?;
    fs::write(folder.join("caller.wav"), caller())?;
    // Nobody else takes it in the moment between.
    let sip = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = format!(
        "[sip]\nlisten = \"{sip}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[agents]\ndir = \"agents\"\n\
         [providers]\nca_file = \"ca.pem\"\n[demo_shop]\ndelay_ms = {}\n\
         [asr.ears]\nkind = \"deepgram\"\nkey_file = \"key\"\nurl = \"{}\"\n\
         [llm.brain]\nkind = \"openai\"\nkey_file = \"key\"\nurl = \"{}/v1\"\nmodel = \"gpt-4.1-mini\"\n\
         [tts.mouth]\nkind = \"deepgram\"\nkey_file = \"key\"\nurl = \"{}\"\nmodels = {{ \"*\" = \"aura-2-asha-hi\" }}\n\
         [realtime.all]\nkind = \"openai\"\nkey_file = \"key\"\nurl = \"{}/v1\"\nmodel = \"gpt-realtime-2.1\"\n\
         [[route]]\nnumber = \"meera*\"\ndestination = \"agent:meera\"\nrecord = true\n\
         [[route]]\nnumber = \"*\"\ndestination = \"agent:asha\"\nrecord = true\n",
        if is_load { 0 } else { SHOP_DELAY_MS },
        ears.websocket_base(),
        brain.http_base(),
        mouth.websocket_base(),
        all.websocket_base(),
    );
    fs::write(folder.join("caly.toml"), config)?;
    println!("{sip}");
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()))
        .await
        .map_err(io::Error::other)??;
    Ok(seen.iter().flat_map(Seen::complaints).collect())
}

/// Silence and speech in turns.
fn caller() -> Vec<u8> {
    let silence = |seconds: f64| vec![0_i16; (seconds * 8_000.0) as usize];
    let voice = Voice { seed: 5, ..Voice::default() };
    let said = SAYS.iter().flat_map(|(pause, text)| [silence(*pause), voice.speak(text, 8_000).samples]);
    let samples: Vec<i16> = said.chain([silence(8.0)]).flatten().collect();
    audio::wav(8_000, &samples)
}

const HEAD: &str = r#"
[agent]
name = "Asha"
language = "hi"
voice = { hi = "hi", en = "en-in" }
[mind]
tools = ["lookup_order", "end_call"]
instructions = "You answer the telephone of a shop, briefly, in the caller's language."
"#;

const CASCADE: &str = r#"
kind = "cascade"
asr = ["ears"]
llm = ["brain"]
tts = ["mouth"]
"#;

const REALTIME: &str = r#"
kind = "realtime"
realtime = ["all"]
"#;

const REST: &str = r#"
[line]
greeting = { hi = "Namaste! Main Asha hoon.", en = "Hello, this is Asha." }
trouble = { hi = "Maaf kijiye, phir se boliye.", en = "Sorry, please say that again." }
idle = { hi = "Kya aap line par hain?", en = "Are you still there?" }
sorry = { hi = "Maaf kijiye, system mein dikkat hai.", en = "Sorry, we have a technical problem." }
goodbye = { hi = "Dhanyavaad, namaste!", en = "Thank you, goodbye!" }
fillers = [{ hi = "Ek minute.", en = "One moment." }]
"#;

const NOT_UNDERSTOOD: &str = r#"
not_understood = { hi = "Maaf kijiye, sunai nahi diya.", en = "Sorry, I did not catch that." }
"#;

/// The shop is slow enough for a filler.
const SHOP_DELAY_MS: u64 = 1_500;
