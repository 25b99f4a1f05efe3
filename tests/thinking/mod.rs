//! A call with a thinking agent in virtual time: the real voice and mind, simulated vendors, and a caller who speaks when it is his turn. One loop
//! moves them all.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]

pub(crate) mod caller;
pub(crate) mod cast;
pub(crate) mod line;
pub(crate) mod outcome;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caly::agent::{Agent, FeedKind, InlineMind, caller_feed};
use caly::call::cause::HangupCause;
use caly::call::log::Event;
use caly::config::Config;
use caly::mind::Mind;
use caly::mind::cascade::{Answers, Cascade, CascadeMind};
use caly::mind::conversation::{END_CALL, Hops, Line as Words, Lines};
use caly::mind::guardrail::{Guardrail, Phrase};
use caly::mind::realtime::{RealtimeAgent, RealtimeMind, Talk};
use caly::mind::script::Script;
use caly::mind::speech::{Clips, Language, WaitingSound};
use caly::tools::ToolError;
use caly::voice::TurnTaking;
use caly::voice::session::VoiceConfig;
use caly::voice::vad::WebRtc;
use caly_provider::llm::ToolSpec;
use caly_provider::policy::Health;
use caly_provider::policy::chain::Member;
use caly_rtp::codec::Codec;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_vendors::echo;
use caly_vendors::faults::{Fault, Faults};
use caly_vendors::hearing::{Manner, Script as Utterances};
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::seen::Seen;
use caly_vendors::stage::{Pause, Stage};
use caly_vendors::strict::KEY;
use caly_vendors::voice::{Pace, Voice};
use serde_json::{Value, json};

use caller::Caller;
pub(crate) use caller::{Saying, When};
use line::{Line, World};
pub(crate) use outcome::Outcome;

/// What a call is made of.
#[derive(Clone)]
pub(crate) struct Scene {
    /// What the caller says, one after the other.
    pub(crate) says: Vec<Saying>,
    /// What the model answers.
    pub(crate) rules: Vec<Rule>,
    /// How fast it is.
    pub(crate) pace: TokenPace,
    /// Who listens, who thinks and who speaks, each by its kind, in the order in which they are asked.
    pub(crate) cast: [Vec<&'static str>; 3],
    /// Who hears and speaks in the place of all three, if anybody is named. Faults and figures of them are those of models.
    pub(crate) realtime: Vec<&'static str>,
    /// The call's codec.
    pub(crate) codec: Codec,
    /// What hears everything that is sent to a vendor of the kind `echo`.
    pub(crate) echo: echo::Heard,
    /// More of their configuration.
    pub(crate) realtime_keys: String,
    /// Faults of the first of each; those behind are well.
    pub(crate) faults: [Faults; 3],
    /// The fault of a program that speaks first.
    pub(crate) program_fault: Option<Fault>,
    /// When all of them stand still.
    pub(crate) pause: Pause,
    /// How far they are.
    pub(crate) distance: Distance,
    /// How the recognizers hear.
    pub(crate) manner: Manner,
    /// What tools answer, and how long they take.
    pub(crate) tools: BTreeMap<&'static str, (Duration, Value)>,
    /// How the agent answers.
    pub(crate) answers: Answers,
    /// What it must never say.
    pub(crate) never_says: Vec<&'static str>,
    /// Whether he hears somebody type while he waits.
    pub(crate) types: bool,
    /// What becomes known of the caller from before, and when.
    pub(crate) record: Option<(Duration, &'static str)>,
    /// Whether what the agent says by itself is there as audio when the call begins.
    pub(crate) has_clips: bool,
    /// What the caller presses when the agent has gone on by its script for four seconds.
    pub(crate) key: Option<char>,
    /// How often the mind may think: 20 ms at most.
    pub(crate) grain: Duration,
    /// How long the call is watched.
    pub(crate) lasts: Duration,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            says: Vec::new(),
            rules: Vec::new(),
            pace: TokenPace::default(),
            cast: [vec!["deepgram"], vec!["openai"], vec!["deepgram"]],
            realtime: Vec::new(),
            codec: Codec::Pcmu,
            echo: echo::Heard::default(),
            realtime_keys: String::new(),
            faults: [Faults::default(), Faults::default(), Faults::default()],
            program_fault: None,
            pause: Pause::default(),
            distance: Distance::default(),
            manner: Manner::default(),
            tools: BTreeMap::new(),
            answers: Answers::default(),
            never_says: Vec::new(),
            types: false,
            record: None,
            has_clips: true,
            key: None,
            grain: TICK,
            lasts: Duration::from_secs(30),
        }
    }
}

/// Plays calls of one agent beside each other. All are asked of the first one's cast.
pub(crate) fn play_together(scenes: Vec<Scene>) -> Vec<Outcome> {
    let epoch = Instant::now();
    let agent = scenes[0].agent(epoch);
    let (grain, lasts) = (scenes[0].grain, scenes.iter().map(|scene| scene.lasts).max().unwrap());
    let mut calls: Vec<Playing> =
        scenes.into_iter().map(|scene| Playing::new(scene, &agent, epoch)).collect();
    let mut at = Duration::ZERO;
    while at < lasts {
        for call in calls.iter_mut().filter(|call| !call.is_over(at)) {
            call.tick(at);
            let between = (1..).map(|step| grain * step).take_while(|step| *step < TICK);
            between.for_each(|step| call.line.think(epoch + at + step));
        }
        at += TICK;
    }
    calls.into_iter().map(|call| call.finish()).collect()
}

/// A call that is being played.
struct Playing {
    scene: Scene,
    epoch: Instant,
    world: World,
    line: Line,
    caller: Caller,
    outcome: Outcome,
}

/// By what the agent thinks.
enum Head {
    Cascade(Arc<Cascade>),
    Realtime(Arc<RealtimeAgent>),
}

impl Head {
    fn mind(&self, clips: Arc<dyn Clips>) -> Box<dyn Mind> {
        let facts = "Today is Saturday.";
        match self {
            Self::Cascade(agent) => Box::new(CascadeMind::new(Arc::clone(agent), clips, facts.into())),
            Self::Realtime(agent) => Box::new(RealtimeMind::new(Arc::clone(agent), clips, facts)),
        }
    }
}

impl Playing {
    fn new(scene: Scene, agent: &Head, epoch: Instant) -> Self {
        let seen = [Seen::default(), Seen::default(), Seen::default()];
        let world = World { world: Arc::new(Mutex::new(scene.world(&seen))), epoch };
        let tools: BTreeMap<String, Value> =
            scene.tools.iter().map(|(name, (_, answer))| ((*name).to_owned(), answer.clone())).collect();
        let answer_tool = move |call: &caly::mind::ToolCall| match tools.get(&call.name) {
            Some(answer) => Ok(answer.clone()),
            None => Err(ToolError::Unknown(call.name.clone())),
        };
        let clips: Arc<dyn Clips> = if scene.has_clips { Arc::new(Tones) } else { Arc::new(Mute) };
        let (listener, feed) = caller_feed(FeedKind::Payload);
        let slow = scene.tools.values().map(|(took, _)| *took).max().unwrap_or_default();
        let mind = InlineMind::new(agent.mind(clips), Box::new(answer_tool))
            .with_links(Box::new(world.clone()))
            .with_tool_time(slow.max(Duration::from_millis(50)))
            .with_feed(feed);
        let mut turn_taking = TurnTaking::default();
        // As agents' files have it.
        turn_taking.audio.loudness = scene.realtime.is_empty();
        let voice = VoiceConfig { detector: Box::new(WebRtc::new()), turn_taking, listener: Some(listener) };
        let line = Line::new(epoch, scene.codec, mind, |line| Agent::new(line, voice));
        let (caller, outcome) = (Caller::new(&scene.says), Outcome::of(seen));
        Self { scene, epoch, world, line, caller, outcome }
    }

    fn is_over(&self, at: Duration) -> bool {
        self.outcome.ended.is_some() || at >= self.scene.lasts
    }

    fn tick(&mut self, at: Duration) {
        let Self { scene, epoch, line, caller, outcome, .. } = self;
        if outcome.script_since().is_some_and(|since| at >= since + LISTENS_FIRST)
            && let Some(key) = scene.key.filter(|_| outcome.pressed.is_none())
        {
            outcome.pressed = Some(at);
            line.press(key);
        }
        if let Some((_, record)) = scene.record.take_if(|(known, _)| *known <= at) {
            line.learn(*epoch + at, record);
        }
        let said = caller.next(at);
        let mut payload = [0; FRAME_SAMPLES];
        scene.codec.encode(&said, &mut payload);
        outcome.caller.extend(payload);
        if let Some(sent) = line.tick(*epoch + at, at, &said) {
            caller.hears(at, &sent.samples);
            outcome.sent.push(sent);
        }
        let logged = outcome.events.len();
        let end = line.drain(&mut outcome.events);
        for (at, event) in &outcome.events[logged..] {
            if let Event::Dialogue(what) = event {
                outcome.log.push((at.as_duration(), what.clone()));
            }
        }
        if let Some(end) = end {
            assert_eq!(end.cause, HangupCause::LocalBye, "the mind broke off");
            outcome.ended = Some(at);
        }
    }

    fn finish(mut self) -> Outcome {
        self.outcome.quality = self.line.quality();
        self.outcome.said = self.caller.said;
        self.outcome.open_links = self.world.world.lock().unwrap().open_links();
        self.outcome
    }
}

impl Scene {
    /// Plays it.
    pub(crate) fn play(self) -> Outcome {
        play_together(vec![self]).pop().unwrap()
    }

    fn world(&self, seen: &[Seen; 3]) -> InProcess {
        let mut world = InProcess::default();
        for (number, kind) in self.realtime.iter().enumerate() {
            let utterances = Utterances::new(self.says.iter().map(|saying| saying.text));
            let model = Model::new(self.rules.clone(), self.pace);
            let stage = match *kind {
                "echo" => Stage::new(echo::Echo::new(&self.echo), &seen[1]),
                kind => cast::talker(kind, &utterances, self.manner, model, &seen[1]),
            };
            let faults = if number == 0 { self.faults[1].clone() } else { Faults::default() };
            let stage = stage.with_faults(faults).with_pause(&self.pause);
            world = world.with(&format!("realtime{number}"), stage, self.distance);
        }
        for hop in 0..3 {
            for (number, kind) in self.cast[hop].iter().enumerate() {
                let name = format!("{}{number}", cast::HOPS[hop]);
                let is_first = number == 0;
                // Each has ears of its own: one that says nothing has heard all the same.
                let utterances = Utterances::new(self.says.iter().map(|saying| saying.text));
                let stage = match hop {
                    0 => Some(cast::recognizer(kind, &utterances, self.manner, &seen[0])),
                    1 => Some(cast::model(kind, Model::new(self.rules.clone(), self.pace), &seen[1])),
                    _ => cast::synthesizer(kind, Pace::default(), &seen[2]),
                };
                let Some(stage) = stage else {
                    let fault = self.program_fault.as_ref().filter(|_| is_first);
                    world = world.with_program(&name, cast::program(fault).unwrap());
                    continue;
                };
                let faults = if is_first { self.faults[hop].clone() } else { Faults::default() };
                world = world.with(&name, stage.with_faults(faults).with_pause(&self.pause), self.distance);
            }
        }
        world
    }

    fn agent(&self, epoch: Instant) -> Head {
        if self.realtime.is_empty() {
            Head::Cascade(Arc::new(self.cascade(epoch)))
        } else {
            Head::Realtime(Arc::new(self.realtime(epoch)))
        }
    }

    fn guardrail(&self) -> Guardrail {
        let phrases = self.never_says.iter().map(|text| Phrase::parse(text).unwrap());
        Guardrail::new(phrases.collect(), Vec::new())
    }

    fn realtime(&self, epoch: Instant) -> RealtimeAgent {
        let table = |(number, kind): (usize, &&str)| {
            format!(
                "{}{}\n",
                cast::talker_table(kind, &format!("realtime{number}"), &format!("wss://realtime{number}")),
                self.realtime_keys
            )
        };
        let tables: String = self.realtime.iter().enumerate().map(table).collect();
        let config = Config::parse_in(&|_| Some(KEY.into()), "caly.toml", &tables, &[]);
        let providers = config.unwrap_or_else(|faults| panic!("{faults}\n{tables}")).providers;
        let member = |name: &str| Member { name: name.into(), health: Arc::new(Health::new(epoch)) };
        let models = providers.realtime.iter().map(|known| (member(&known.name), known.provider()));
        let Answers { filler_after, tool_filler_after, tool_patience, max_rounds, idle, .. } = self.answers;
        RealtimeAgent {
            name: "Asha".to_owned(),
            language: Language::Hi,
            models: Hops(models.collect()),
            instructions: "Be brief.".into(),
            tools: self.tools.keys().copied().chain([END_CALL]).map(spec).collect(),
            lines: lines(),
            guardrail: Arc::new(self.guardrail()),
            waiting_sound: self.types.then(WaitingSound::typing),
            talk: Talk {
                filler_after,
                tool_filler_after,
                tool_patience,
                max_rounds,
                idle,
                ..Talk::default()
            },
            fallback: Arc::new(fallback()),
        }
    }

    fn cascade(&self, epoch: Instant) -> Cascade {
        let mut tables = String::new();
        for (hop, kinds) in self.cast.iter().enumerate() {
            for (number, kind) in kinds.iter().enumerate() {
                let name = format!("{}{number}", cast::HOPS[hop]);
                let (http, websocket) = (format!("https://{name}"), format!("wss://{name}"));
                let http = if *kind == "espeak" { &name } else { &http };
                tables.push_str(&cast::table(hop, kind, &name, (http, &websocket)));
            }
        }
        let config = Config::parse_in(&|_| Some(KEY.into()), "caly.toml", &tables, &[]);
        let providers = config.unwrap_or_else(|faults| panic!("{faults}\n{tables}")).providers;
        let member = |name: &str| Member { name: name.into(), health: Arc::new(Health::new(epoch)) };
        let asr = providers.asr.iter().map(|known| (member(&known.name), known.provider()));
        let llm = providers.llm.iter().map(|known| (member(&known.name), known.provider()));
        let tts = providers.tts.iter().map(|known| (member(&known.name), known.provider()));
        Cascade {
            name: "Asha".to_owned(),
            language: Language::Hi,
            asr: Hops(asr.collect()),
            llm: Hops(llm.collect()),
            tts: Hops(tts.collect()),
            instructions: "Be brief.".into(),
            tools: self.tools.keys().copied().chain([END_CALL]).map(spec).collect(),
            lines: lines(),
            guardrail: Arc::new(self.guardrail()),
            waiting_sound: self.types.then(WaitingSound::typing),
            understanding: Default::default(),
            answers: self.answers,
            fallback: Arc::new(fallback()),
        }
    }
}

fn fallback() -> Script {
    Script::parse("fallback.toml", FALLBACK, &[]).unwrap_or_else(|faults| panic!("{faults}"))
}

fn spec(name: &str) -> ToolSpec {
    let parameters = json!({ "type": "object", "properties": {} });
    ToolSpec { name: name.to_owned(), description: format!("{name}."), parameters }
}

fn lines() -> Lines {
    let line = |text: &str| {
        Words(BTreeMap::from([(Language::Hi, text.to_owned()), (Language::En, text.to_owned())]))
    };
    Lines {
        greeting: line("Namaste!"),
        fillers: vec![line("Ek minute."), line("Bas ek second.")],
        trouble: line("Phir se boliye."),
        not_understood: line("Sunai nahi diya."),
        idle: line("Aap wahan hain?"),
        sorry: line("Maaf kijiye."),
        goodbye: line("Dhanyavaad."),
        withheld: line("Yeh main nahi bata sakti."),
    }
}

/// Every line is speech-like, and 40 ms a letter.
#[derive(Debug)]
struct Tones;

impl Clips for Tones {
    fn clip(&self, _language: Language, text: &str) -> Option<Arc<[i16]>> {
        let mut cache = CLIPS.lock().unwrap();
        let clip = cache
            .entry(text.to_owned())
            .or_insert_with(|| Voice { seed: 3, character_ms: 60 }.speak(text, 8_000).samples.into());
        Some(Arc::clone(clip))
    }
}

/// Has no line as audio.
#[derive(Debug)]
struct Mute;

impl Clips for Mute {
    fn clip(&self, _language: Language, _text: &str) -> Option<Arc<[i16]>> {
        None
    }
}

static CLIPS: Mutex<BTreeMap<String, Arc<[i16]>>> = Mutex::new(BTreeMap::new());

const TICK: Duration = Duration::from_millis(20);

/// A caller hears the menu before he presses anything.
const LISTENS_FIRST: Duration = Duration::from_secs(4);

/// Goes on by the keypad.
const FALLBACK: &str = include_str!("../minds/fallback.toml");
