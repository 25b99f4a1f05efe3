//! Providers: every key of every kind, and what is told of those that are wrong.

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use caly_provider::policy::Patience;
use caly_provider::realtime::{GeminiAuth, GeminiTurns, OpenAiTurns};

use crate::config::{AsrVendor, Config, LlmVendor, RealtimeProvider, RealtimeVendor, TtsVendor};

fn environment(name: &str) -> Option<OsString> {
    match name {
        "KEY" => Some("secret-1".into()),
        "EMPTY_KEY" => Some(" ".into()),
        "BROKEN_KEY" => Some("two words".into()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Config, String> {
    Config::parse_in(&environment, "caly.toml", text, &[]).map_err(|faults| faults.to_string())
}

fn sound(text: &str) -> Config {
    read(text).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn what_is_not_said_is_as_the_client_has_it() {
    let config = sound(
        "[asr.a]\nkind = \"deepgram\"\nkey_env = \"KEY\"\n[llm.b]\nkind = \"anthropic\"\nmodel = \"m\"\nkey_env = \"KEY\"\n\
         [tts.c]\nkind = \"cartesia\"\nkey_env = \"KEY\"\nvoices = { \"*\" = \"v\" }\n\
         [realtime.d]\nkind = \"openai\"\nmodel = \"m\"\nkey_env = \"KEY\"\n\
         [realtime.e]\nkind = \"gemini\"\nmodel = \"models/m\"\nkey_env = \"KEY\"\n",
    );
    let key = || caly_provider::secret::Secret::new("secret-1");
    let AsrVendor::Deepgram(deepgram) = &config.providers.asr[0].vendor else { panic!() };
    assert_eq!(*deepgram, caly_provider::asr::DeepgramConfig::new(key()));
    assert_eq!(config.providers.asr[0].patience, caly_provider::policy::Patience::ASR);
    let LlmVendor::Anthropic(anthropic) = &config.providers.llm[0].vendor else { panic!() };
    assert_eq!(*anthropic, caly_provider::llm::AnthropicConfig::new(key(), "m"));
    let TtsVendor::Cartesia(cartesia) = &config.providers.tts[0].vendor else { panic!() };
    assert_eq!(*cartesia, caly_provider::tts::CartesiaConfig::new(key(), "v"));
    let [openai, gemini] = config.providers.realtime.as_slice() else { panic!() };
    let RealtimeVendor::OpenAi(told) = &openai.vendor else { panic!() };
    assert_eq!(*told, caly_provider::realtime::OpenAiRealtimeConfig::new(Some(key()), "m"));
    let RealtimeVendor::Gemini(told) = &gemini.vendor else { panic!() };
    assert_eq!(*told, caly_provider::realtime::GeminiConfig::new(GeminiAuth::Key(key()), "models/m"));
    assert_eq!((openai.patience, gemini.patience), (Patience::REALTIME, Patience::REALTIME));
}

#[test]
fn keys_are_told_to_be_wrong_and_never_shown() {
    let key = |line: &str| read(&format!("[asr.a]\nkind = \"deepgram\"\n{line}\n")).unwrap_err();
    let folder = std::env::temp_dir().join(format!("caly-keys-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("empty"), "\n").unwrap();
    let cases = [
        ("", "caly.toml:1:1: [asr.a]: needs its API key: name"),
        ("key_env = \"NO_KEY\"", "caly.toml:3:11: [asr.a] key_env: the environment has no NO_KEY;"),
        ("key_env = \"EMPTY_KEY\"", "caly.toml:3:11: [asr.a] key_env: EMPTY_KEY is empty; set it"),
        ("key_env = \"BROKEN_KEY\"", "caly.toml:3:11: [asr.a] key_env: BROKEN_KEY has blanks"),
        (
            "key_env = \"sk-abc\"",
            "caly.toml:3:11: [asr.a] key_env: must be the name of an environment variable",
        ),
        (
            "key_env = [\"sk-abc\"]",
            "caly.toml:3:11: [asr.a] key_env: must be the name of an environment variable",
        ),
        ("key_file = { x = \"sk-abc\" }", "caly.toml:3:12: [asr.a] key_file: must be the path of a file"),
        ("key = \"sk-abc\"", "caly.toml:1:1: [asr.a]: needs its API key: name"),
        ("key_file = \"/nonexistent/sk-abc\"", "caly.toml:3:12: [asr.a] key_file: cannot be read: No such"),
        ("key_file = \"/dev/null\"", "caly.toml:3:12: [asr.a] key_file: is no file;"),
        (
            "key_env = \"KEY\"\nkey_file = \"x\"",
            "caly.toml:4:12: [asr.a] key_file: a key cannot come from two",
        ),
    ];
    for (line, expected) in cases {
        let told = key(line);
        assert!(told.starts_with(expected), "{line}: {told}");
        assert!(!told.contains("sk-abc"), "{told}");
    }
    let empty = folder.join("empty");
    let told = key(&format!("key_file = \"{}\"", empty.display()));
    assert!(told.starts_with("caly.toml:3:12: [asr.a] key_file: the file is empty;"), "{told}");
    fs::write(&empty, "secret-2\n").unwrap();
    let config = sound(&format!("[asr.a]\nkind = \"deepgram\"\nkey_file = \"{}\"\n", empty.display()));
    let AsrVendor::Deepgram(deepgram) = &config.providers.asr[0].vendor else { panic!() };
    assert_eq!(deepgram.key.reveal(), "secret-2");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_wrong_is_told_with_what_to_write() {
    let told = read(
        "[asr.\"a b\"]\nkind = \"deepgram\"\nkey_env = \"KEY\"\nmodle = \"nova-3\"\nurl = \"https://x\"\nutterance_end_ms = 500\n\
         [llm.b]\nkind = \"gpt\"\n[llm.c]\nkind = \"openai\"\nurl = \"https://api.openai.com/v1\"\ntemperature = 3\n\
         [tts.d]\nkind = \"openai\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\nfirst_ms = 1\n[providers]\nca_file = \"/dev/null\"\n",
    );
    let expected = "caly.toml:1:1: [asr.a b]: the name of a provider must be 1 to 64 letters, digits, dots, dashes or underscores
caly.toml:4:1: [asr.a b] modle: unknown key; did you mean `model`?
caly.toml:5:7: [asr.a b] url = \"https://x\": must be a URL, as \"wss://host/path\" or \"ws://host/path\"
caly.toml:6:20: [asr.a b] utterance_end_ms = 500: must be 1000 ms at least, or 0 for never
caly.toml:8:8: [llm.b] kind = \"gpt\": must be \"openai\" or \"anthropic\"
caly.toml:9:1: [llm.c]: api.openai.com needs a key: write key_env = \"OPENAI_API_KEY\" or key_file = \"path\"
caly.toml:9:1: [llm.c]: needs the key `model`
caly.toml:12:15: [llm.c] temperature = 3: must be 0..=2
caly.toml:13:1: [tts.d]: needs the key `voices`
caly.toml:17:12: [tts.d] first_ms = 1: must be 50..=60000 ms
caly.toml:19:11: [providers] ca_file = \"/dev/null\": has no certificate in it; name a file in PEM, from BEGIN CERTIFICATE to END CERTIFICATE";
    assert_eq!(told.unwrap_err(), expected);
}

#[test]
fn a_provider_has_a_name_and_there_are_not_too_many() {
    let nameless = "caly.toml:2:8: [asr.kind]: must be a table: write [asr.NAME] above its keys";
    assert_eq!(read("[asr]\nkind = \"deepgram\"\n").unwrap_err(), nameless);
    let listed = "caly.toml:1:7: [llm]: must be tables with names: write [llm.NAME] above each";
    assert_eq!(read("llm = [1]\n").unwrap_err(), listed);
    let many: String = (0..65).map(|number| format!("[tts.a{number}]\nkind = \"espeak\"\n")).collect();
    let told = read(&many).unwrap_err();
    assert!(told.ends_with("[tts]: there are 65; at most 64 are allowed"), "{told}");
}

#[test]
fn what_the_chosen_kind_or_turns_do_not_have_is_told_and_not_ignored() {
    let told = read(
        "[realtime.a]\nkind = \"openai\"\nmodel = \"m\"\nturns = \"caly\"\nsilence_ms = 400\neagerness = \"low\"\ninterrupts = true\n\
         transcribes = false\ntranscription_model = \"t\"\ncue = \"c\"\nextra = { audio = { input = 1 } }\n\
         [realtime.b]\nkind = \"openai\"\nkey_env = \"KEY\"\nmodel = \"m\"\nturns = \"semantic\"\nthreshold = 0.5\neagerness = \"eager\"\n\
         [realtime.c]\nkind = \"openai\"\nkey_env = \"KEY\"\nmodel = \"m\"\neagerness = \"low\"\nspeed = 2\nrecycle_after_seconds = 3600\n\
         [realtime.d]\nkind = \"gemini\"\nkey_env = \"KEY\"\nmodel = \"gemini-live\"\nturns = \"caly\"\nsilence_ms = 400\nspeed = 1\n\
         [realtime.e]\nkind = \"gemini\"\nmodel = \"models/m\"\nturns = \"server\"\nextra = { speechConfig = 1 }\n",
    );
    let expected = "caly.toml:1:1: [realtime.a]: api.openai.com needs a key: write key_env = \"OPENAI_API_KEY\" or key_file = \"path\"
caly.toml:5:14: [realtime.a] silence_ms = 400: has no meaning with turns = \"caly\"; it belongs to turns = \"server\"; remove it
caly.toml:6:13: [realtime.a] eagerness = \"low\": has no meaning with turns = \"caly\"; it belongs to turns = \"semantic\"; remove it
caly.toml:7:14: [realtime.a] interrupts = true: has no meaning with turns = \"caly\": the vendor does not listen for turns; remove it
caly.toml:9:23: [realtime.a] transcription_model = \"t\": has no meaning with transcribes = false; remove it
caly.toml:10:7: [realtime.a] cue = \"c\": has no meaning for kind = \"openai\"; only gemini has it; remove it
caly.toml:11:9: [realtime.a] extra = { audio = { input = 1 } }: must not hold `audio`, which Caly writes itself: its fields have keys of their own here
caly.toml:17:13: [realtime.b] threshold = 0.5: has no meaning with turns = \"semantic\"; it belongs to turns = \"server\"; remove it
caly.toml:18:13: [realtime.b] eagerness = \"eager\": must be \"low\" or \"medium\" or \"high\" or \"auto\"
caly.toml:23:13: [realtime.c] eagerness = \"low\": has no meaning with turns = \"server\"; it belongs to turns = \"semantic\"; remove it
caly.toml:24:9: [realtime.c] speed = 2: must be 0.25..=1.5
caly.toml:25:25: [realtime.c] recycle_after_seconds = 3600: must be 10..=3240 s
caly.toml:29:9: [realtime.d] model = \"gemini-live\": must say where the model is: \"models/gemini-live\", or \"projects/..\" with all that follows at Vertex
caly.toml:31:14: [realtime.d] silence_ms = 400: has no meaning with turns = \"caly\"; it belongs to turns = \"automatic\"; remove it
caly.toml:32:9: [realtime.d] speed = 1: has no meaning for kind = \"gemini\"; only openai has it; remove it
caly.toml:33:1: [realtime.e]: needs its API key: name the environment variable that holds it, as key_env = \"SOME_API_KEY\", or a file, as key_file = \"path\"
caly.toml:36:9: [realtime.e] turns = \"server\": must be \"automatic\" or \"caly\"
caly.toml:37:9: [realtime.e] extra = { speechConfig = 1 }: must not hold `speechConfig`, which Caly writes itself: use the key `voice`";
    assert_eq!(told.unwrap_err(), expected);
}

#[test]
fn turns_are_ended_by_whom_the_table_names() {
    let config = sound(EVERYTHING);
    let vendors: Vec<&RealtimeVendor> = config.providers.realtime.iter().map(|known| &known.vendor).collect();
    let turns = |name: &str| {
        let known = config.providers.realtime.iter().find(|known| known.name == name).unwrap();
        match &known.vendor {
            RealtimeVendor::OpenAi(config) => config.turns.clone(),
            RealtimeVendor::Gemini(_) => panic!("{name}"),
        }
    };
    let server = OpenAiTurns::Server { threshold: 0.6, prefix_padding_ms: 200, silence_ms: 400 };
    assert_eq!(turns("openai"), server);
    assert_eq!(turns("openai-semantic"), OpenAiTurns::Semantic { eagerness: "high".to_owned() });
    assert_eq!(turns("openai-caly"), OpenAiTurns::Manual);
    let of_gemini: Vec<(GeminiTurns, bool)> = vendors
        .iter()
        .filter_map(|vendor| match vendor {
            RealtimeVendor::OpenAi(_) => None,
            RealtimeVendor::Gemini(config) => {
                Some((config.turns, matches!(config.auth, GeminiAuth::Token(_))))
            }
        })
        .collect();
    // In the order of their names.
    assert_eq!(of_gemini, [(GeminiTurns::Automatic { silence_ms: 400 }, true), (GeminiTurns::Manual, false)]);
}

#[test]
fn a_realtime_provider_without_tls_is_warned_of() {
    let at = |url: &str| {
        let text = format!("[realtime.a]\nkind = \"openai\"\nmodel = \"m\"\nurl = \"{url}\"\n");
        sound(&text).providers.unprotected()
    };
    let warned = at("ws://models.example/v1");
    assert!(warned.len() == 1 && warned[0].starts_with("[realtime.a] url has no TLS"), "{warned:?}");
    assert_eq!(at("ws://127.0.0.1:8000/v1"), [""; 0]);
}

/// One of each kind, with every key that it has.
const EVERYTHING: &str = include_str!("every_key.toml");

#[test]
fn every_key_of_every_kind_is_read_and_documented() {
    let config = sound(EVERYTHING);
    let providers = &config.providers;
    let counted = [providers.asr.len(), providers.llm.len(), providers.tts.len(), providers.realtime.len()];
    assert_eq!(counted, [9, 2, 8, 5]);
    assert_eq!(providers.llm[0].provider().patience().first, Duration::from_millis(900));
    let documented = include_str!("../../../docs/configuration.md");
    // What a table does not know it tells with all that it knows.
    for (title, body) in tables() {
        let purpose = title.split('.').next().unwrap();
        let kind = body.lines().find_map(|line| line.strip_prefix("kind = ")).unwrap().trim_matches('"');
        let told = read(&format!("[{title}]\n{body}\nzzzzzzzzzzzz = 1\n")).unwrap_err();
        let known = told.split("known here: ").nth(1).unwrap_or_else(|| panic!("{told}"));
        let chapter = format!("#### `[{purpose}.NAME] kind = \"{kind}\"`");
        let chapter = documented
            .split(&chapter)
            .nth(1)
            .unwrap_or_else(|| panic!("docs/configuration.md lacks {chapter}"));
        let chapter = chapter.split("\n#").next().unwrap();
        let missing: Vec<&str> = known
            .trim()
            .split(", ")
            .filter(|key| !COMMON.contains(key) && !chapter.contains(&format!("| `{key}` |")))
            .collect();
        assert!(missing.is_empty(), "docs/configuration.md, {purpose} {kind}: {missing:?} lack a row");
        let unused: Vec<&str> =
            known.trim().split(", ").filter(|key| !body.contains(&format!("{key} = "))).collect();
        let unused: Vec<&&str> = unused.iter().filter(|key| !["key_file", "key_env"].contains(key)).collect();
        assert!(unused.is_empty(), "every_key.toml, {title}: {unused:?}");
    }
}

#[test]
fn a_provider_is_described_as_its_table_has_it() {
    let config = sound(EVERYTHING);
    let providers = &config.providers;
    let asr = providers.asr.iter().map(|known| (format!("asr.{}", known.name), known.vendor.describe()));
    let llm = providers.llm.iter().map(|known| (format!("llm.{}", known.name), known.vendor.describe()));
    let tts = providers.tts.iter().map(|known| (format!("tts.{}", known.name), known.vendor.describe()));
    let realtime = |known: &RealtimeProvider| format!("realtime.{}", known.name);
    let realtime = providers.realtime.iter().map(|known| (realtime(known), known.vendor.describe()));
    let mut described = 0;
    for (title, description) in asr.chain(llm).chain(tts).chain(realtime) {
        let (_, body) = tables().into_iter().find(|(table, _)| *table == title).unwrap();
        assert!(body.contains(&format!("kind = \"{}\"\n", description.kind)), "{title}: {description:?}");
        let is_told = |line: &str| line.contains(&format!("\"{}\"", description.model));
        let models = ["model = ", "models = "].map(|key| body.lines().find(|line| line.starts_with(key)));
        let model = models.into_iter().flatten().next();
        assert!(model.map_or(description.model.is_empty(), is_told), "{title}: {description:?}");
        let key = description.key.map_or("", |key| key.reveal());
        let has_key = body.contains("key_env") || body.contains("key_file");
        assert_eq!(key, if has_key { "secret-1" } else { "" }, "{title}");
        described += 1;
    }
    assert_eq!(described, 24);
}

/// Described once for all kinds.
const COMMON: &[&str] = &["kind", "key_env", "key_file", "connect_ms", "first_ms", "stall_ms"];

fn tables() -> Vec<(&'static str, &'static str)> {
    let tables = EVERYTHING.split("\n[").skip(1);
    tables.map(|table| table.split_once("]\n").unwrap()).collect()
}
