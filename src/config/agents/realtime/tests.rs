//! Agents whose model hears and speaks: what their files say, and what is told of those that are wrong.

use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::config::{Config, MindConfig};
use crate::mind::speech::WaitingSound;

const SAMPLE: &str = include_str!("../../../../config/samples/thinking.toml");
const MEERA: &str = include_str!("../../../../config/samples/agents/meera.toml");

fn with_keys(_: &str) -> Option<OsString> {
    Some("key".into())
}

#[test]
fn the_sample_is_sound() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/samples/thinking.toml");
    let config = Config::parse_in(&with_keys, path, SAMPLE, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    let meera = config.agents.iter().find(|agent| agent.name == "meera").unwrap();
    let MindConfig::Realtime(realtime) = &meera.mind else { panic!("meera is another kind of agent") };
    assert_eq!((realtime.realtime.as_slice(), realtime.talk), (&["openai".to_owned()][..], Talk::default()));
    assert!(!meera.turn_taking.voice.audio.loudness, "what the model says leaves as it came");
    let persona = meera.mind.persona().unwrap();
    assert_eq!(persona.memory, 3, "unless the file says otherwise");
    assert_eq!((persona.title.as_str(), persona.fallback.name.as_str()), ("Meera", "demo"));
    assert!(persona.instructions.starts_with("You are Meera") && persona.tools.len() == 6);
    assert!(persona.lines.not_understood.0.is_empty() && persona.lines.fillers.len() == 2);
}

#[test]
fn each_key_has_its_meaning() {
    let more = "realtime = [\"openai\"]\nfiller_after_ms = 700\ntool_filler_after_ms = 100\ntool_patience_ms = 1200\nmax_rounds = 2\nanswer_ms = 1500\nhears = \"samples\"\nmemory = 0\nwaiting_sound = \"typing\"";
    let agent = MEERA
        .replace("realtime = [\"openai\"]", more)
        .replace("instructions_file = \"meera.txt\"", "instructions = \"Be brief.\"")
        .replace("language = \"hi\"", "language = \"hi\"\nidle_seconds = 7");
    let realtime = parse(&agent).unwrap().unwrap();
    let ms = Duration::from_millis;
    let expected = Talk {
        filler_after: ms(700),
        tool_filler_after: ms(100),
        tool_patience: ms(1_200),
        max_rounds: 2,
        idle: ms(7_000),
        budget: ms(1_500),
    };
    assert_eq!((realtime.talk, realtime.persona.hears), (expected, crate::agent::FeedKind::Samples));
    assert_eq!(
        (realtime.persona.memory, &realtime.persona.waiting_sound),
        (0, &Some(WaitingSound::typing()))
    );
    let faulty = agent.replace("\"typing\"", "\"typig\"");
    assert!(parse(&faulty).unwrap_err().to_string().contains("must be \"typing\" or a WAV file"));
    let faulty = agent.replace("memory = 0", "memory = 11");
    assert!(parse(&faulty).unwrap_err().to_string().contains("memory"), "as much as nobody reads");
}

#[test]
fn what_belongs_to_other_kinds_of_agents_is_told() {
    let agent = MEERA
        .replace("realtime = [\"openai\"]", "realtime = [\"opnai\"]\nasr = [\"deepgram\"]\nmax_sentences = 3")
        .replace("instructions_file = \"meera.txt\"", "instructions = \"Be brief.\"")
        .replace("idle = {", "not_understood = { hi = \"?\", en = \"?\" }\nidle = {");
    let told = parse(&agent).unwrap_err().to_string();
    for part in ["did you mean \"openai\"?", "asr", "max_sentences", "not_understood"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

fn parse(text: &str) -> Result<Option<RealtimeConfig>, Faults> {
    let providers = ProviderNames { realtime: vec!["openai".to_owned()], ..ProviderNames::default() };
    let config = Config::default();
    let demo = config.agents.iter().next().unwrap();
    let MindConfig::Script(script) = &demo.mind else { panic!("the demo follows a script") };
    let scripts = Scripts::from([("demo".to_owned(), Some(script.clone()))]);
    let kind = crate::config::agents::MindKind::Realtime;
    let (name, file) = ("meera".to_owned(), "meera.toml".to_owned());
    let agent = AgentText { name, file, folder: ".".into(), text: text.to_owned(), kind };
    read(&agent, &providers, &scripts)
}
