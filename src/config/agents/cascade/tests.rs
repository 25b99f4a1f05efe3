//! Agents that think by providers: what their files say, and what is told of those that are wrong.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::config::{AsrVendor, Config, LlmVendor, MindConfig, TtsVendor};

const SAMPLE: &str = include_str!("../../../../config/samples/thinking.toml");
const ASHA: &str = include_str!("../../../../config/samples/agents/asha.toml");

fn with_keys(name: &str) -> Option<OsString> {
    let known = ["DEEPGRAM_API_KEY", "OPENAI_API_KEY", "ELEVENLABS_API_KEY"];
    known.contains(&name).then(|| OsString::from(format!("key of {name}").replace(' ', "-")))
}

fn sample_path() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/samples/thinking.toml").to_owned()
}

fn asha(config: &Config) -> &CascadeConfig {
    let agent = config.agents.iter().find(|agent| agent.name == "asha").unwrap();
    match &agent.mind {
        MindConfig::Cascade(cascade) => cascade,
        MindConfig::Script(_) | MindConfig::Realtime(_) => panic!("asha is another kind of agent"),
    }
}

/// The sample beside an agent's file of one's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("caly-cascade-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("agents")).unwrap();
        for (file, text) in files {
            fs::write(folder.join("agents").join(file), text).unwrap();
        }
        Self(folder)
    }

    /// Faults are told relative to the folder.
    fn parse(&self, text: &str) -> Result<Config, String> {
        let path = self.0.join("caly.toml").display().to_string();
        let here = format!("{}/", self.0.display());
        Config::parse_in(&with_keys, &path, text, &["echo"])
            .map_err(|faults| faults.to_string().replace(&here, ""))
    }

    /// What is wrong with an agent's file.
    fn faults(agent: &str) -> String {
        let name = std::thread::current().name().unwrap_or("?").replace("::", "-");
        let files = [("asha.toml", agent), ("asha.txt", "You are Asha.")];
        Self::new(&name, &files).parse(SAMPLE).unwrap_err()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn the_sample_is_sound_once_its_keys_are_set() {
    let config = Config::parse_in(&with_keys, &sample_path(), SAMPLE, &[]).unwrap_or_else(|f| panic!("{f}"));
    let AsrVendor::Deepgram(deepgram) = &config.providers.asr[0].vendor else { panic!() };
    assert_eq!(deepgram.key.reveal(), "key-of-DEEPGRAM_API_KEY");
    let LlmVendor::OpenAi(gpt) = &config.providers.llm[0].vendor else { panic!() };
    assert_eq!(gpt.url, "https://api.openai.com/v1");
    assert!(config.providers.tts.iter().any(|tts| matches!(tts.vendor, TtsVendor::Espeak(_))));
    let asha = asha(&config);
    assert_eq!(
        (asha.asr.as_slice(), asha.llm.as_slice()),
        (&["deepgram".to_owned()][..], &["gpt".to_owned()][..])
    );
    assert_eq!(asha.tts, ["elevenlabs", "aura", "espeak"]);
    assert!(
        asha.persona.instructions.starts_with("You are Asha")
            && asha.persona.tools.iter().any(|tool| tool == "end_call")
    );
    assert_eq!((asha.persona.fallback.name.as_str(), asha.persona.fallback.script.name()), ("demo", "Caly"));
    assert_eq!(asha.persona.lines.fillers.len(), 2);
    assert!(!format!("{config:?}").contains("key-of-"), "keys are not printed");
}

#[test]
fn keys_that_are_missing_are_told_each_in_its_place() {
    let told = Config::parse_in(&|_| None, &sample_path(), SAMPLE, &[]).unwrap_err().to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    let expected = ":11:11: [asr.deepgram] key_env: the environment has no DEEPGRAM_API_KEY; set it for this process, \
                    or use key_file = \"path\"";
    assert!(lines[0].ends_with(expected), "{told}");
}

#[test]
fn all_that_is_wrong_with_an_agent_is_told_at_once() {
    let agent = r#"
[agent]
name = "Asha"
language = "en"
voice = { hi = "hi" }
fallback = "dmeo"
idel_seconds = 4
[mind]
kind = "cascade"
asr = ["deepgrm"]
llm = ["gpt", "gpt"]
tts = []
tools = ["end_cal", "fly"]
hears = "all"
max_tokens = 0
[line]
greeting = { en = "Hello" }
trouble = { hi = "x", en = "x" }
not_understood = { hi = "" }
idle = "x"
sorry = { hi = "x", fr = "x" }
"#;
    let expected = "agents/asha.toml:4:12: [agent] language = \"en\": needs a voice for en, in which the agent begins; add it to `voice`
agents/asha.toml:6:12: [agent] fallback = \"dmeo\": must be an agent with a script, which needs no provider; did you mean \"demo\"?
agents/asha.toml:7:1: [agent] idel_seconds: unknown key; did you mean `idle_seconds`?
agents/asha.toml:8:1: [mind]: needs `instructions`: what the agent is and does, or an `instructions_file`
agents/asha.toml:10:8: [mind] asr = \"deepgrm\": there is no [asr.NAME] of that name; did you mean \"deepgram\"?
agents/asha.toml:11:7: [mind] llm = [\"gpt\", \"gpt\"]: names \"gpt\" twice; remove one of the two
agents/asha.toml:12:7: [mind] tts = []: must not be empty
agents/asha.toml:13:10: [mind] tools = \"end_cal\": there is no such tool; did you mean \"end_call\"?
agents/asha.toml:13:21: [mind] tools = \"fly\": there is no such tool; there are lookup_order, cancel_order, return_order, refund_order, open_ticket, end_call
agents/asha.toml:14:9: [mind] hears = \"all\": must be \"payload\" or \"samples\"
agents/asha.toml:15:14: [mind] max_tokens = 0: must be 1..=4096
agents/asha.toml:16:1: [line]: needs the key `goodbye`
agents/asha.toml:17:12: [line] greeting = { en = \"Hello\" }: has a text in en, for which [agent] voice has no voice; add one there, or remove the text
agents/asha.toml:18:11: [line] trouble = { hi = \"x\", en = \"x\" }: has a text in en, for which [agent] voice has no voice; add one there, or remove the text
agents/asha.toml:19:18: [line] not_understood = { hi = \"\" }: must have 1 to 1000 bytes in hi
agents/asha.toml:20:8: [line] idle = \"x\": must be a text for each language, as { hi = \"..\", en = \"..\" }
agents/asha.toml:21:9: [line] sorry = { hi = \"x\", fr = \"x\" }: names a language that is not spoken here; there are hi, en";
    assert_eq!(Folder::faults(agent), expected);
}

#[test]
fn a_line_has_to_be_there_in_every_language_that_is_spoken() {
    let agent = ASHA.replace(", en = \"Are you still there?\"", "");
    let told = Folder::faults(&agent);
    assert!(told.contains("[line] idle"), "{told}");
    assert!(told.ends_with("has no text in en, which the agent speaks by [agent] voice; add it"), "{told}");
}

#[test]
fn another_cascade_is_nobody_to_fall_back_to() {
    let (asha, mira) = (ASHA.replace("\"demo\"", "\"mira\""), ASHA);
    let files = [("asha.toml", asha.as_str()), ("mira.toml", mira), ("asha.txt", "You are Asha.")];
    let told = Folder::new("two", &files).parse(SAMPLE).unwrap_err();
    assert!(
        told.contains("must be an agent with a script, which needs no provider; there are demo"),
        "{told}"
    );
}

#[test]
fn who_falls_back_to_a_faulty_script_has_no_fault_of_its_own() {
    let files = [("asha.toml", ASHA), ("asha.txt", "You are Asha."), ("demo.toml", "[agent]\nname = 1\n")];
    let told = Folder::new("faulty", &files).parse(SAMPLE).unwrap_err();
    assert!(told.lines().all(|line| line.starts_with("agents/demo.toml:")), "{told}");
}

#[test]
fn a_script_may_say_that_it_is_one_and_nothing_more() {
    let demo = include_str!("../../../../config/agents/demo.toml");
    let fine = format!("{demo}\n[mind]\nkind = \"script\"\n");
    let folder = Folder::new("script", &[("demo.toml", &fine)]);
    assert!(folder.parse("[agents]\ndir = \"agents\"\n").is_ok());
    let strange = format!("{demo}\n[mind]\nllm = [\"gpt\"]\n");
    let told = Folder::new("strange", &[("demo.toml", &strange)]).parse("[agents]\ndir = \"agents\"\n");
    assert!(told.unwrap_err().ends_with("[mind] llm: unknown key; known here: kind"));
}

#[test]
fn what_is_wrong_with_a_guardrail_is_told_with_what_to_do() {
    let before = ASHA.lines().take_while(|line| *line != "[guardrail]").count();
    let rest: String = ASHA.lines().take(before).map(|line| format!("{line}\n")).collect();
    let faults = |table: &str| {
        let told = Folder::faults(&format!("{rest}[guardrail]\n{table}"));
        told.lines()
            .map(|line| line.split_once(": [").map_or(line, |(_, what)| what).to_owned())
            .collect::<Vec<_>>()
    };
    let empty = "guardrail]: needs `never_say` or `never_say_patterns` with something in it; without them remove the table";
    for table in ["", "never_say = []\n", "instead = { hi = \"x\", en = \"x\" }\n"] {
        assert_eq!(faults(table), [empty], "{table}");
    }
    let told = faults("never_say = [\"--\", 5]\nnever_say_patterns = ['(ab', 'x?']\nnever_sya = 1\n");
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(
        told[0].ends_with("has no letter or digit; write the words that are not to be said, or remove it"),
        "{told:?}"
    );
    assert!(
        told[2].contains("is no regular expression: unclosed group; see https://docs.rs/regex"),
        "{told:?}"
    );
    assert!(told[3].contains("is found in every text, so that nothing could be said"), "{told:?}");
    assert!(told[4].ends_with("unknown key; did you mean `never_say`?"), "{told:?}");
    let own = faults("never_say = [\"Asha\", \"sorry\"]\ninstead = { hi = \"x\", en = \"Sorry!\" }\n");
    let expected = "says in en what [guardrail] never_say 2 forbids; change one of the two";
    assert_eq!(own.iter().filter(|line| line.ends_with(expected)).count(), 4, "{own:?}");
    assert!(
        own.iter().any(|line| line.starts_with("line] greeting") && line.contains("never_say 1")),
        "{own:?}"
    );
    let many: String = (0..501).map(|n| format!("\"w{n}\",")).collect();
    let many = faults(&format!("never_say = [{many}]\n"));
    assert!(many[0].ends_with("has 501 items; at most 500 are allowed"), "{many:?}");
}

#[test]
fn without_a_line_of_its_own_for_what_is_withheld_the_agent_says_its_trouble() {
    let load = |agent: &str| {
        let name = std::thread::current().name().unwrap_or("?").replace("::", "-");
        let folder = Folder::new(&name, &[("asha.toml", agent), ("asha.txt", "You are Asha.")]);
        asha(&folder.parse(SAMPLE).unwrap()).persona.clone()
    };
    let whole = load(ASHA);
    assert_eq!(whole.guardrail.counts(), (4, 1));
    assert!(
        whole.lines.texts().any(|(_, text)| text.starts_with("Sorry, I cannot say anything about that."))
    );
    let instead = ASHA.lines().find(|line| line.starts_with("instead")).unwrap();
    let bare = load(&ASHA.replace(instead, ""));
    assert_eq!(bare.lines.withheld, bare.lines.trouble);
    let none = load(ASHA.split("# What the model must never say").next().unwrap());
    assert!(none.guardrail.is_empty() && none.lines.withheld.0.is_empty());
}

#[test]
fn every_key_of_an_agents_file_is_documented() {
    let strange = ASHA.replace("\n[", "\nzzzzzzzzzzzz = 1\n[") + "\nzzzzzzzzzzzz = 1\n";
    let told = Folder::faults(&strange.replacen("zzzzzzzzzzzz = 1\n", "", 1));
    let documented =
        include_str!("../../../../docs/agents.md").split("## Agents that think by providers").nth(1).unwrap();
    let tables: Vec<&str> = told.lines().filter_map(|line| line.split("known here: ").nth(1)).collect();
    assert_eq!(tables.len(), 4, "{told}");
    for key in tables.iter().flat_map(|keys| keys.split(", ")) {
        assert!(documented.contains(&format!("`{key}`")), "docs/agents.md lacks {key}");
    }
}
