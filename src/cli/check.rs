//! `caly check`: reads a configuration file as `caly serve` would and lists every fault in it; with `--live` it asks the providers, too.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime;

use super::{CheckArgs, Failure, Format, Output, capacity};
use crate::app::{self, LiveReport};
use crate::call::destination::TestDestination;
use crate::config::{AgentConfig, CascadeConfig, Config, Fault, Faults, MindConfig};
use crate::mind::speech::Language;
use crate::prompt::{self, Espeak};
use crate::store::DataDir;

/// What `caly check` found.
#[derive(Debug, Serialize)]
struct Report {
    /// The file as it was named.
    file: String,
    /// Whether the server would start with it.
    is_sound: bool,
    /// How many trunks there are, if it is sound.
    trunks: Option<usize>,
    /// How many routes there are, if it is sound.
    routes: Option<usize>,
    /// The agents, if it is sound.
    agents: Option<Vec<AgentReport>>,
    /// Every fault, in the order of the file; those of the agents' files behind it.
    faults: Vec<Fault>,
    /// What the server would start with, but had better not.
    warnings: Vec<String>,
    /// How it went with each provider, if they were asked.
    live: Option<Vec<LiveReport>>,
}

/// An agent that routes can lead to.
#[derive(Debug, Serialize)]
struct AgentReport {
    /// Routes call it `agent:NAME`.
    name: String,
    /// What it calls itself.
    title: String,
    /// What it thinks by.
    #[serde(flatten)]
    mind: MindReport,
    /// In which languages it speaks.
    languages: Vec<&'static str>,
    /// The tools that it uses, each once.
    tools: Vec<String>,
    /// What it must never say, if it has a model that could.
    #[serde(skip_serializing_if = "Option::is_none")]
    guardrail: Option<GuardrailReport>,
}

/// The rules of what an agent must never say.
#[derive(Debug, Serialize)]
struct GuardrailReport {
    /// How many phrases.
    never_say: usize,
    /// How many regular expressions.
    never_say_patterns: usize,
}

/// What an agent thinks by.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum MindReport {
    /// A dialogue.
    Script {
        /// How many states it has.
        states: usize,
    },
    /// Providers, each purpose's in the order in which they are asked.
    Cascade {
        /// Who listens.
        asr: Vec<String>,
        /// Who thinks.
        llm: Vec<String>,
        /// Who speaks.
        tts: Vec<String>,
        /// The agent whose script goes on without them.
        fallback: String,
    },
    /// Models that hear and speak, in the order in which they are asked.
    Realtime {
        /// Who talks.
        realtime: Vec<String>,
        /// The agent whose script goes on without them.
        fallback: String,
    },
}

/// Runs the command.
///
/// # Errors
/// Exit code 2 if the file has faults, or if a provider failed; they stand on standard output.
pub(super) fn run(args: &CheckArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let file = args.config.display().to_string();
    let destinations = TestDestination::ALL.map(TestDestination::name);
    let outcome = Config::load(Some(&args.config), &destinations);
    let to_ask = outcome.as_ref().ok().filter(|_| args.live).cloned();
    let mut report = Report::of(file, outcome);
    if out.format() == Format::Text {
        report.lines().iter().try_for_each(|line| out.line(line))?;
    }
    if let Some(config) = to_ask {
        report.live = Some(ask_providers(&config)?);
    }
    match out.format() {
        Format::Text => report.live_lines().iter().try_for_each(|line| out.line(line))?,
        Format::Json => out.json(&report)?,
    }
    report.verdict()
}

fn ask_providers(config: &Config) -> Result<Vec<LiveReport>, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("no provider can be asked: {error}")))?;
    let reports = runtime.block_on(app::ask_providers(config, LONGEST));
    // A name server that does not answer holds a thread for longer than anybody waits.
    runtime.shutdown_background();
    reports.map_err(|error| Failure::refused(format!("no provider can be asked: {error}")))
}

impl Report {
    /// The report on a file that was read.
    fn of(file: String, outcome: Result<Config, Faults>) -> Self {
        let (config, faults) = match outcome {
            Ok(config) => (Some(config), Vec::new()),
            Err(faults) => (None, faults.iter().cloned().collect()),
        };
        let warnings = config.as_ref().map_or(Vec::new(), warnings);
        Self {
            file,
            warnings,
            live: None,
            is_sound: faults.is_empty(),
            trunks: config.as_ref().map(|config| config.trunks.len()),
            routes: config.as_ref().map(|config| config.routes.len()),
            agents: config.as_ref().map(|config| config.agents.iter().map(AgentReport::of).collect()),
            faults,
        }
    }

    fn verdict(&self) -> Result<(), Failure> {
        let asked = self.live.iter().flatten();
        let failed = asked.clone().filter(|report| !report.is_ok).count();
        let what = match (self.faults.len(), failed) {
            (0, 0) => return Ok(()),
            (0, failed) => format!("{failed} of {} failed", counted(asked.count(), "provider")),
            (faults, _) => counted(faults, "fault"),
        };
        Err(Failure::refused(format!("{}: {what}", self.file))
            .advise("mend what is listed on standard output and check again"))
    }

    /// What the providers did, one line each.
    fn live_lines(&self) -> Vec<String> {
        match &self.live {
            Some(reports) if reports.is_empty() => {
                vec![format!("{}: there is no provider to ask", self.file)]
            }
            Some(reports) => reports.iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        }
    }

    /// The report as lines of text, but for the providers.
    fn lines(&self) -> Vec<String> {
        if !self.is_sound {
            return self.faults.iter().map(ToString::to_string).collect();
        }
        let trunks = counted(self.trunks.unwrap_or(0), "trunk");
        let routes = counted(self.routes.unwrap_or(0), "route");
        let agents = self.agents.iter().flatten().map(|agent| format!("{}: {agent}", self.file));
        let warnings = self.warnings.iter().map(|warning| format!("{}: warning: {warning}", self.file));
        agents.chain(warnings).chain([format!("{}: no faults; {trunks}, {routes}", self.file)]).collect()
    }
}

impl AgentReport {
    fn of(agent: &AgentConfig) -> Self {
        let tools: BTreeSet<String> = match &agent.mind {
            MindConfig::Script(script) => script.tools().map(str::to_owned).collect(),
            MindConfig::Cascade(cascade) => cascade.persona.tools.iter().cloned().collect(),
            MindConfig::Realtime(realtime) => realtime.persona.tools.iter().cloned().collect(),
        };
        Self {
            name: agent.name.clone(),
            title: agent.mind.title().to_owned(),
            mind: MindReport::of(&agent.mind),
            languages: agent.mind.languages().into_iter().map(Language::code).collect(),
            tools: tools.into_iter().collect(),
            guardrail: agent.mind.persona().map(|persona| {
                let (never_say, never_say_patterns) = persona.guardrail.counts();
                GuardrailReport { never_say, never_say_patterns }
            }),
        }
    }
}

impl MindReport {
    fn of(mind: &MindConfig) -> Self {
        match mind {
            MindConfig::Script(script) => Self::Script { states: script.state_count() },
            MindConfig::Cascade(cascade) => {
                let CascadeConfig { persona, asr, llm, tts, .. } = &**cascade;
                let (asr, llm, tts) = (asr.clone(), llm.clone(), tts.clone());
                Self::Cascade { asr, llm, tts, fallback: persona.fallback.name.clone() }
            }
            MindConfig::Realtime(realtime) => Self::Realtime {
                realtime: realtime.realtime.clone(),
                fallback: realtime.persona.fallback.name.clone(),
            },
        }
    }
}

impl fmt::Display for MindReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script { states } => f.write_str(&counted(*states, "state")),
            Self::Cascade { asr, llm, tts, fallback } => {
                let [asr, llm, tts] = [asr, llm, tts].map(|names| names.join(", "));
                write!(f, "cascade: asr {asr}; llm {llm}; tts {tts}; falls back to agent:{fallback}")
            }
            Self::Realtime { realtime, fallback } => {
                write!(f, "realtime: {}; falls back to agent:{fallback}", realtime.join(", "))
            }
        }
    }
}

impl fmt::Display for AgentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, title, mind, languages, tools, guardrail } = self;
        write!(f, "agent:{name} ({title:?}): {mind}; speaks {}", languages.join(", "))?;
        if !tools.is_empty() {
            write!(f, "; uses {}", tools.join(", "))?;
        }
        match guardrail {
            None | Some(GuardrailReport { never_say: 0, never_say_patterns: 0 }) => Ok(()),
            Some(GuardrailReport { never_say, never_say_patterns }) => {
                let [phrases, patterns] = [(*never_say, "phrase"), (*never_say_patterns, "pattern")]
                    .map(|(count, noun)| counted(count, noun));
                write!(f, "; never says {phrases}, {patterns}")
            }
        }
    }
}

fn warnings(config: &Config) -> Vec<String> {
    let ports = capacity::shortage_of_ports(config);
    let espeak = Espeak::default();
    let files = app::shortage_of_files(config.limits.calls);
    ports
        .into_iter()
        .chain(files)
        .chain(config.providers.unprotected())
        .chain(config.agents.iter().filter_map(|agent| voiceless(agent, config, &espeak)))
        .collect()
}

/// What an agent says that cannot be made audible: one line is tried for each of its voices.
fn voiceless(agent: &AgentConfig, config: &Config, espeak: &Espeak) -> Option<String> {
    let cache = DataDir::new(&config.data.dir).prompts();
    let mut lines = prompt::unrendered(prompt::lines_of_mind(&agent.mind), &cache);
    let count = lines.len();
    lines.dedup_by(|one, other| one.voice == other.voice);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let why = lines.iter().find_map(|line| runtime.block_on(espeak.speak(&line.voice, &line.text)).err())?;
    let (name, lines) = (&agent.name, counted(count, "line"));
    Some(format!("agent:{name} has {lines} to be rendered: {why}; {}", why.advice()))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Each provider has so long: a caller would have hung up.
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::Arc;

    use caly_vendors::model::{Model, Rule, TokenPace};
    use caly_vendors::openai_chat::{Dialect, OpenAiChat};
    use caly_vendors::seen::Seen;
    use caly_vendors::sockets::Server;
    use caly_vendors::stage::Stage;

    use crate::cli::Style;
    use crate::mind::script::Script;

    const DEMO: &str = "agent:demo (\"Caly\"): 30 states; speaks hi, en; uses cancel_order, lookup_order, open_ticket, \
        refund_order, return_order";

    fn check(path: &str, format: Format) -> (String, Option<u8>) {
        let (printed, failure) = run_check(CheckArgs { config: PathBuf::from(path), live: false }, format);
        (printed, failure.map(|failure| failure.exit_code()))
    }

    fn run_check(args: CheckArgs, format: Format) -> (String, Option<Failure>) {
        let mut printed = Vec::new();
        let outcome = run(&args, &mut Output::new(&mut printed, format, Style::Plain));
        (String::from_utf8(printed).unwrap(), outcome.err())
    }

    #[test]
    fn a_sound_file_is_said_to_be_sound() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/trunks/twilio.toml");
        assert_eq!(
            check(path, Format::Text),
            (format!("{path}: {DEMO}\n{path}: no faults; 1 trunk, 1 route\n"), None)
        );
        let (json, code) = check(path, Format::Json);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((json["is_sound"].as_bool(), json["trunks"].as_u64(), code), (Some(true), Some(1), None));
        let agent = &json["agents"][0];
        assert_eq!((agent["name"].as_str(), agent["states"].as_u64()), (Some("demo"), Some(30)));
        assert_eq!(
            (agent["languages"][1].as_str(), agent["tools"].as_array().unwrap().len()),
            (Some("en"), 5)
        );
    }

    #[test]
    fn calls_for_which_there_are_no_ports_are_a_warning() {
        let text = "[rtp]\nports = \"46000-46010\"\n[limits]\ncalls = 6\n";
        let report = Report::of("caly.toml".to_owned(), Config::parse("caly.toml", text, &[]));
        let expected = [
            &format!("caly.toml: {DEMO}"),
            "caly.toml: warning: [rtp] ports = 46000-46010 carry 5 of [limits] calls = 6, the rest gets 503; widen \
             ports (two for each call) or lower calls",
            "caly.toml: no faults; 0 trunks, 0 routes",
        ];
        assert_eq!(report.lines(), expected);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((json["is_sound"].as_bool(), json["warnings"].as_array().unwrap().len()), (Some(true), 1));
    }

    #[test]
    fn lines_that_nobody_can_speak_are_a_warning() {
        let script = "[agent]\nname = \"A\"\nlanguage = \"en\"\nvoice = { en = \"en\" }\nstart = \"end\"\n\
            give_up = \"end\"\nno_input = \"bye\"\nno_match = \"bye\"\nno_speech = \"bye\"\ngoodbye = \"bye\"\n\
            [prompt]\nbye = { en = \"Goodbye.\" }\n[state.end]\nkind = \"hang_up\"\nsay = [\"bye\"]\n";
        let script = Script::parse("shop.toml", script, &[]).unwrap_or_else(|faults| panic!("{faults}"));
        let (name, turn_taking) = ("shop".to_owned(), crate::config::TurnTakingConfig::default());
        let agent = AgentConfig { name, mind: MindConfig::Script(Arc::new(script)), turn_taking };
        let said = voiceless(&agent, &Config::default(), &Espeak::at("/nonexistent/espeak-ng")).unwrap();
        let expected = "agent:shop has 1 line to be rendered: espeak-ng cannot be run: ";
        assert!(said.starts_with(expected), "{said}");
    }

    fn report_on_sample(change: impl Fn(&str) -> String) -> Report {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/samples/thinking.toml");
        let text = change(include_str!("../../config/samples/thinking.toml"));
        let key = |_: &str| Some("key".into());
        Report::of("caly.toml".to_owned(), Config::parse_in(&key, path, &text, &[]))
    }

    #[test]
    fn agents_that_think_are_told_with_their_providers() {
        let report = report_on_sample(str::to_owned);
        let expected = "caly.toml: agent:asha (\"Asha\"): cascade: asr deepgram; llm gpt; tts elevenlabs, aura, espeak; falls \
            back to agent:demo; speaks hi, en; uses cancel_order, end_call, lookup_order, open_ticket, refund_order, return_order; \
            never says 4 phrases, 1 pattern";
        assert_eq!(report.lines()[1], expected);
        let agent = &serde_json::to_value(&report).unwrap()["agents"][1];
        assert_eq!(
            (&agent["kind"], &agent["llm"][0], &agent["fallback"]),
            (&"cascade".into(), &"gpt".into(), &"demo".into())
        );
    }

    #[test]
    fn keys_that_leave_the_host_unprotected_are_a_warning() {
        let is_warned = |url: &str| {
            let report = report_on_sample(|text| text.replace("https://api.openai.com", url));
            assert!(report.is_sound, "{:?}", report.lines());
            report.lines().iter().any(|line| line.contains("warning: [llm.gpt] url has no TLS"))
        };
        for url in [
            "http://10.0.0.7:8000",
            "http://models.example",
            "http://[2001:db8::1]:80",
            "http://localhost.example",
        ] {
            assert!(is_warned(url), "{url}");
        }
        for url in
            ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000", "https://models.example"]
        {
            assert!(!is_warned(url), "{url}");
        }
    }

    #[test]
    fn live_asks_the_providers_and_fails_if_one_does() {
        let seen = Seen::default();
        let model = Model::new([Rule::always().say("OK.")], TokenPace::default());
        let vendor = Stage::new(OpenAiChat::new(model, Dialect::SelfHosted), &seen);
        let others = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = others.block_on(Server::start(vendor)).unwrap();
        let folder = crate::store::scratch::Folder::new("check-live");
        let file = folder.path().join("caly.toml");
        let live = |text: &str, format| {
            std::fs::write(&file, text).unwrap();
            run_check(CheckArgs { config: file.clone(), live: true }, format)
        };
        let llm = |name: &str, url: &str| {
            format!(
                "[llm.{name}]\nkind = \"openai\"\nmodel = \"m\"\ntoken_limit = \"max_tokens\"\nurl = \"{url}/v1\"\n"
            )
        };
        let well = llm("brain", &server.http_base());
        let (printed, failure) = live(&well, Format::Text);
        let last = printed.lines().last().unwrap();
        assert!(last.starts_with("llm.brain: answered after ") && failure.is_none(), "{printed}");
        let (printed, failure) = live(&(well + &llm("gone", "http://127.0.0.1:1")), Format::Json);
        let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let [brain, gone] = report["live"].as_array().unwrap().as_slice() else { panic!("{printed}") };
        assert_eq!((&brain["is_ok"], &brain["fault"]), (&true.into(), &serde_json::Value::Null));
        let told = ["hop", "name", "kind", "fault", "advice"].map(|key| gone[key].as_str().unwrap());
        assert_eq!(told[..4], ["llm", "gone", "openai", "connect"], "{printed}");
        let failure = failure.unwrap();
        assert_eq!(failure.to_string(), format!("{}: 1 of 2 providers failed", file.display()));
        assert_eq!(failure.exit_code(), 2);
        let (printed, failure) = live("", Format::Text);
        assert!(
            printed.ends_with("caly.toml: there is no provider to ask\n") && failure.is_none(),
            "{printed}"
        );
        assert_eq!((seen.arrivals(), seen.complaints()), (2, Vec::new()));
    }

    #[test]
    fn a_faulty_file_asks_nobody() {
        let folder = crate::store::scratch::Folder::new("check-live-faulty");
        let file = folder.path().join("caly.toml");
        std::fs::write(&file, "[rtp]\njitter_ms = 500\n").unwrap();
        let (printed, failure) = run_check(CheckArgs { config: file, live: true }, Format::Json);
        let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            (&report["live"], report["faults"].as_array().unwrap().len()),
            (&serde_json::Value::Null, 1)
        );
        assert!(failure.unwrap().to_string().ends_with("caly.toml: 1 fault"));
    }

    #[test]
    fn a_file_that_is_not_there_is_one_fault() {
        let (text, code) = check("/nonexistent/caly.toml", Format::Text);
        assert!(text.starts_with("/nonexistent/caly.toml: cannot be read: "), "{text}");
        assert_eq!((text.lines().count(), code), (1, Some(2)));
    }

    #[test]
    fn faults_are_listed_one_a_line_in_text_and_in_json() {
        let text = "[rtp]\njitter_ms = 500\n[sip]\nlisten = 5060\n";
        let report = Report::of("caly.toml".to_owned(), Config::parse("caly.toml", text, &[]));
        let expected = [
            "caly.toml:2:13: [rtp] jitter_ms = 500: must be 20..=200 ms",
            "caly.toml:4:10: [sip] listen = 5060: must be an IP address and port, as \"0.0.0.0:5060\" or \"[::]:5060\"",
        ];
        assert_eq!(report.lines(), expected);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["faults"][0]["line"], 2);
        assert_eq!(json["faults"][1]["key"], "[sip] listen");
        assert_eq!(json["is_sound"], false);
    }
}
