//! The agents of a configuration, made ready to take calls: their prompts in memory, their tools at hand.

mod facts;
mod late;
mod memory;
mod own_voice;
mod providers;
mod task;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;

use self::late::Late;
use self::memory::{Memory, Recall, Recalls};
use self::own_voice::{OwnVoice, Reader, Recital};
use self::providers::Providers;
use self::task::{Head, Ways};
use crate::agent::{Agent, FeedKind, InlineMind, MindLine, caller_feed};
use crate::call::destination::CallInfo;
use crate::config::{Config, MindConfig};
use crate::mind::ToolCall;
use crate::mind::cascade::{Cascade, CascadeMind};
use crate::mind::conversation::END_CALL;
use crate::mind::realtime::{RealtimeAgent, RealtimeMind};
use crate::mind::script::{Script, ScriptMind};
use crate::mind::speech::Clips;
use crate::prompt::{self, Espeak, Library};
use crate::pump::Pump;
use crate::signaling::Destinations;
use crate::store::{DataDir, EarlierCalls, Shop, StoreError};
use crate::tools::shop::{self, ClosedBook, OrderBook};
use crate::tools::{Tool, Toolbox};
use crate::voice::session::VoiceConfig;
use crate::voice::turn::Patience;
use crate::voice::vad::WebRtc;
use crate::voice::{CallerListener, TurnTaking};

/// Agents that can speak.
#[derive(Debug)]
pub(crate) struct Agents {
    ready: Vec<ReadyAgent>,
    tools: Arc<Toolbox>,
    clock: Clock,
    /// Where clips are kept.
    prompts: PathBuf,
    /// What is known of callers; none of those of a call that is played again.
    memory: Option<Arc<Memory>>,
}

#[derive(Clone, Debug)]
struct ReadyAgent {
    name: String,
    mind: ReadyMind,
    turn_taking: TurnTaking,
    /// What it wants to know of its callers.
    recalls: Option<Recalls>,
}

/// What makes the mind of each call.
#[derive(Clone, Debug)]
enum ReadyMind {
    Script(Arc<Script>, Library),
    Cascade {
        cascade: Arc<Cascade>,
        clips: Arc<OwnVoice>,
        hears: FeedKind,
        /// Silence of the caller after which the call ends.
        give_up_after: Duration,
    },
    Realtime {
        agent: Arc<RealtimeAgent>,
        clips: Arc<OwnVoice>,
        hears: FeedKind,
        /// Silence of the caller after which the call ends.
        give_up_after: Duration,
    },
}

/// What time it is for those who ask.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Present,
    /// That of a call that is played again.
    Past(Timestamp),
}

impl Clock {
    fn now(self) -> Timestamp {
        match self {
            Self::Present => Timestamp::now(),
            Self::Past(at) => at,
        }
    }
}

impl Agents {
    /// Makes the agents of a server ready; its calls, the demo shop's orders and the agents' clips are kept in `data`. Prompts that are missing are
    /// told in the log, and the agent goes without them. A shop that cannot be opened stays closed, and nothing else with it.
    pub(super) async fn for_server(config: &Config, data: &DataDir) -> Self {
        let book: Arc<dyn OrderBook> = match Shop::open(&data.shop()).await {
            Ok(shop) => Arc::new(shop),
            Err(error) => {
                tracing::error!(
                    "the demo shop is closed, its tools fail: {error}; {}, and restart the server",
                    error.advice()
                );
                Arc::new(ClosedBook { why: "the demo shop is closed, as the server's log tells".to_owned() })
            }
        };
        let memory = Memory { calls: EarlierCalls::new(data), book: Arc::clone(&book) };
        let agents = Self::prepare(config, book, &data.prompts(), Clock::Present).await;
        Self { memory: Some(Arc::new(memory)), ..agents }
    }

    /// The same with a shop in memory, as it is on a given day.
    pub(crate) async fn for_replay(config: &Config, today: Date, prompts: &Path) -> Result<Self, StoreError> {
        let book = Arc::new(Shop::in_memory(today).await?);
        let then = today.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |day| day.timestamp());
        Ok(Self::prepare(config, book, prompts, Clock::Past(then)).await)
    }

    async fn prepare(config: &Config, book: Arc<dyn OrderBook>, prompts: &Path, clock: Clock) -> Self {
        let delay = config.demo_shop.delay;
        let late =
            |tool| if delay.is_zero() { tool } else { Arc::new(Late { tool, delay }) as Arc<dyn Tool> };
        let tools = Arc::new(Toolbox::new(shop::tools(&book).into_iter().map(late)));
        let providers = Providers::new(&config.providers, Instant::now());
        let mut ready = Vec::new();
        for agent in config.agents.iter() {
            let lines = prompt::lines_of_mind(&agent.mind);
            let (clips, report) = prompt::load(lines, prompts, &Espeak::default()).await;
            for warning in report.warnings() {
                tracing::warn!(agent = agent.name, "{warning}");
            }
            let mind = match &agent.mind {
                MindConfig::Script(script) => ReadyMind::Script(Arc::clone(script), clips),
                MindConfig::Cascade(cascade) => ReadyMind::Cascade {
                    clips: Arc::new(OwnVoice::new(clips)),
                    hears: cascade.persona.hears,
                    give_up_after: cascade.persona.give_up_after,
                    cascade: Arc::new(providers.cascade(cascade, &agent.turn_taking, &tools)),
                },
                MindConfig::Realtime(realtime) => ReadyMind::Realtime {
                    clips: Arc::new(OwnVoice::new(clips)),
                    hears: realtime.persona.hears,
                    give_up_after: realtime.persona.give_up_after,
                    agent: Arc::new(providers.realtime(realtime, &tools)),
                },
            };
            let (name, turn_taking) = (agent.name.clone(), agent.turn_taking.voice);
            ready.push(ReadyAgent { name, mind, turn_taking, recalls: recalls(&agent.mind) });
        }
        Self { ready, tools, clock, prompts: prompts.to_owned(), memory: None }
    }

    /// Lets calls reach the agents; each call's mind gets a task of its own on the runtime. The tasks that come back say the agents' lines in
    /// their own voices, and end when they have.
    pub(super) fn serve(self, destinations: &mut Destinations, runtime: &Handle, pump: &Pump) -> JoinSet<()> {
        let mut reciting = JoinSet::new();
        for agent in self.ready {
            if let Some((clips, recital)) = agent.recital(&self.prompts) {
                let pump = pump.clone();
                reciting.spawn_on(async move { clips.recite(recital, pump).await }, runtime);
            }
            let (runtime, ways) =
                (runtime.clone(), Ways { tools: Arc::clone(&self.tools), pump: pump.clone() });
            agent.register(destinations, self.clock, self.memory.clone(), move |head| {
                Box::new(task::start(&runtime, head, ways.clone()))
            });
        }
        reciting
    }

    /// Lets calls in virtual time reach the agents: minds think on the spot, tools answer after a fixed time, and providers cannot be
    /// reached, so that whoever needs them goes on by its script.
    pub(crate) fn play(self, destinations: &mut Destinations, runtime: &Arc<Runtime>) {
        for agent in self.ready {
            let (runtime, tools) = (Arc::clone(runtime), Arc::clone(&self.tools));
            agent.register(destinations, self.clock, None, move |head| {
                let (runtime, tools) = (Arc::clone(&runtime), Arc::clone(&tools));
                let answer_tool =
                    move |call: &ToolCall| runtime.block_on(tools.call(&call.name, call.arguments.clone()));
                let mind = InlineMind::new(head.mind, Box::new(answer_tool));
                Box::new(match head.feed {
                    Some(feed) => mind.with_feed(feed),
                    None => mind,
                })
            });
        }
    }
}

impl ReadyAgent {
    fn register(
        self,
        destinations: &mut Destinations,
        clock: Clock,
        memory: Option<Arc<Memory>>,
        line_to: impl Fn(Head) -> Box<dyn MindLine> + Send + Sync + 'static,
    ) {
        let name = self.destination();
        let is_recorded = self.mind.records();
        let build = move |call: &CallInfo| {
            let (head, listener) = self.head(clock, call);
            let recall = memory.as_ref().and_then(|memory| self.recall(memory, call));
            let head = Head { recall, ..head };
            Box::new(Agent::new(line_to(head), self.voice(listener))) as Box<_>
        };
        destinations.register(&name, is_recorded, build);
    }

    /// As routes name it.
    fn destination(&self) -> String {
        format!("agent:{}", self.name)
    }

    /// What is asked about the caller while the call begins.
    fn recall(&self, memory: &Arc<Memory>, call: &CallInfo) -> Option<Recall> {
        Recall::new(memory, &call.from, self.destination(), self.recalls?)
    }

    /// The mind of a new call, and what listens for it on the call's shard.
    fn head(&self, clock: Clock, call: &CallInfo) -> (Head, Option<Box<dyn CallerListener>>) {
        match &self.mind {
            ReadyMind::Script(script, clips) => {
                let mind = Box::new(ScriptMind::new(Arc::clone(script), Arc::new(clips.clone())));
                (Head { mind, feed: None, recall: None }, None)
            }
            ReadyMind::Cascade { cascade, clips, hears, .. } => {
                let facts = facts::facts(clock.now(), &call.from);
                let clips = Arc::clone(clips) as Arc<dyn Clips>;
                let mind = Box::new(CascadeMind::new(Arc::clone(cascade), clips, facts));
                let (listener, feed) = caller_feed(*hears);
                (Head { mind, feed: Some(feed), recall: None }, Some(listener))
            }
            ReadyMind::Realtime { agent, clips, hears, .. } => {
                let facts = facts::facts(clock.now(), &call.from);
                let clips = Arc::clone(clips) as Arc<dyn Clips>;
                let mind = Box::new(RealtimeMind::new(Arc::clone(agent), clips, &facts));
                let (listener, feed) = caller_feed(*hears);
                (Head { mind, feed: Some(feed), recall: None }, Some(listener))
            }
        }
    }

    /// What it says by itself, for whoever has its voice to say.
    fn recital(&self, prompts: &Path) -> Option<(Arc<OwnVoice>, Recital)> {
        let (clips, lines, name, reader) = match &self.mind {
            ReadyMind::Script(..) => return None,
            ReadyMind::Cascade { cascade, clips, .. } => {
                let reader = Reader::Synthesizer(Arc::clone(cascade.tts.provider(0)?));
                (clips, &cascade.lines, cascade.tts.name(0), reader)
            }
            ReadyMind::Realtime { agent, clips, .. } => {
                let reader = Reader::Model(Arc::clone(agent.models.provider(0)?));
                (clips, &agent.lines, agent.models.name(0), reader)
            }
        };
        let recital = Recital {
            provider_name: name.to_owned(),
            reader,
            lines: lines.texts().map(|(language, text)| (language, text.to_owned())).collect(),
            cache: prompts.to_owned(),
        };
        Some((Arc::clone(clips), recital))
    }

    fn voice(&self, listener: Option<Box<dyn CallerListener>>) -> VoiceConfig {
        let (idle, idle_too_long) = self.mind.idle();
        let patience = Patience { idle, idle_too_long, ..self.turn_taking.patience };
        VoiceConfig {
            detector: Box::new(WebRtc::new()),
            turn_taking: TurnTaking { patience, ..self.turn_taking },
            listener,
        }
    }
}

/// What an agent with this mind wants to know of its callers; scripts have no use for it.
fn recalls(mind: &MindConfig) -> Option<Recalls> {
    let persona = mind.persona()?;
    let asks_shop = persona.tools.iter().any(|tool| tool != END_CALL);
    (persona.memory > 0).then_some(Recalls { calls: persona.memory, asks_shop })
}

impl ReadyMind {
    /// Whether calls are recorded whatever the route says.
    fn records(&self) -> bool {
        match self {
            Self::Script(script, _) => script.records(),
            // It may go on by its script.
            Self::Cascade { cascade, .. } => cascade.fallback.records(),
            Self::Realtime { agent, .. } => agent.fallback.records(),
        }
    }

    /// Silence of the caller after which he is asked again, and after which the call ends.
    fn idle(&self) -> (Duration, Duration) {
        match self {
            Self::Script(script, _) => (script.idle(), script.give_up_after()),
            Self::Cascade { cascade, give_up_after, .. } => (cascade.answers.idle, *give_up_after),
            Self::Realtime { agent, give_up_after, .. } => (agent.talk.idle, *give_up_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::tools::ToolError;

    #[test]
    fn each_agents_voice_is_made_of_its_own_settings() {
        let demo = Config::default().agents.iter().next().cloned().unwrap();
        let MindConfig::Script(script) = demo.mind else { panic!("the demo follows a script") };
        let mut turn_taking = TurnTaking::default();
        turn_taking.detection.above_room_db = 9.0;
        turn_taking.patience.complete_from = 0.9;
        turn_taking.audio.loudness = false;
        let mind = ReadyMind::Script(Arc::clone(&script), Library::default());
        let agent = ReadyAgent { name: demo.name, mind, turn_taking, recalls: None };
        let voice = agent.voice(None).turn_taking;
        assert_eq!((voice.detection, voice.audio), (turn_taking.detection, turn_taking.audio));
        let expected =
            Patience { idle: script.idle(), idle_too_long: script.give_up_after(), ..turn_taking.patience };
        assert_eq!(voice.patience, expected);
    }

    #[tokio::test]
    async fn a_shop_that_is_no_database_is_closed_and_agents_are_there() {
        let folder = crate::store::scratch::Folder::new("closed-shop");
        let data = DataDir::new(folder.path());
        std::fs::write(data.shop(), [0x5A; 9000]).unwrap();
        let agents = Agents::for_server(&Config::default(), &data).await;
        let answer = agents.tools.call("lookup_order", json!({ "keypad": "222123" })).await;
        assert!(matches!(answer, Err(ToolError::Unavailable(_))), "{answer:?}");
        assert!(!agents.ready.is_empty());
    }
    #[tokio::test]
    async fn an_agent_that_thinks_has_its_providers_its_tools_and_the_callers_audio() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/samples/thinking.toml");
        let text = include_str!("../../../config/samples/thinking.toml");
        let key = |_: &str| Some("key".into());
        let config = Config::parse_in(&key, path, text, &[]).unwrap_or_else(|faults| panic!("{faults}"));
        let folder = crate::store::scratch::Folder::new("thinking");
        let today = "2026-11-21".parse().unwrap();
        let agents = Agents::for_replay(&config, today, folder.path()).await.unwrap();
        let asha = agents.ready.iter().find(|agent| agent.name == "asha").unwrap();
        let ReadyMind::Cascade { cascade, .. } = &asha.mind else { panic!("asha follows a script") };
        assert_eq!(
            (cascade.asr.name(0), cascade.llm.name(0), cascade.tts.name(2)),
            ("deepgram", "gpt", "espeak")
        );
        let tools: Vec<&str> = cascade.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(tools[0], "lookup_order");
        assert_eq!(*tools.last().unwrap(), "end_call");
        assert_eq!(tools.len(), 6, "a name that no tool has would be missing: {tools:?}");
        assert!(
            cascade
                .tools
                .iter()
                .all(|tool| tool.parameters["type"] == "object" && !tool.description.is_empty())
        );

        let (from, number) = ("sip:+919812345678@203.0.113.7".to_owned(), "5".to_owned());
        let call = "0192f5c4-0000-7000-8000-000000000000".parse().unwrap();
        let call = CallInfo { call, from, number };
        let (head, listener) = asha.head(agents.clock, &call);
        assert!(head.feed.is_some() && listener.is_some(), "it hears the caller");
        assert_eq!(asha.mind.idle(), (Duration::from_secs(10), Duration::from_secs(60)));
        let demo = agents.ready.iter().find(|agent| agent.name == "demo").unwrap();
        let (head, listener) = demo.head(agents.clock, &call);
        assert!(head.feed.is_none() && listener.is_none(), "a script does not listen");
    }
}
