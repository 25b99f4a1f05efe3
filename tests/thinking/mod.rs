//! A call with a thinking agent in virtual time: the real voice and mind, simulated vendors, and a caller who speaks when it is his turn. One loop
//! moves them all.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caly::agent::{Agent, FeedKind, InlineMind, LinkDriver, caller_feed};
use caly::call::destination::{Destination, Wish};
use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, Mark};
use caly::mind::cascade::{Answers, Cascade, CascadeMind};
use caly::mind::conversation::{END_CALL, Hops, Line, Lines};
use caly::mind::script::Script;
use caly::mind::speech::{Clips, Language};
use caly::tools::ToolError;
use caly::voice::TurnTaking;
use caly::voice::exchange::Digit;
use caly::voice::session::VoiceConfig;
use caly::voice::vad::WebRtc;
use caly_provider::asr::{self, Deepgram, DeepgramConfig};
use caly_provider::link::{LinkEvent, LinkId, LinkOrder};
use caly_provider::llm::{self, OpenAi, OpenAiConfig, ToolSpec};
use caly_provider::policy::chain::Member;
use caly_provider::policy::{Health, Patience};
use caly_provider::secret::Secret;
use caly_provider::tts::{self, Aura, AuraConfig};
use caly_rtp::codec::Codec;
use caly_rtp::frame::{FRAME_SAMPLES, Frame, FrameKind, MediaTime};
use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::faults::Faults;
use caly_vendors::hearing::{Manner, Script as Utterances};
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::voice::{Pace, Voice};
use serde_json::{Value, json};

/// What a call is made of.
pub(crate) struct Scene {
    /// What the caller says, one after the other.
    pub(crate) says: Vec<Saying>,
    /// What the model answers.
    pub(crate) rules: Vec<Rule>,
    /// How fast it is.
    pub(crate) pace: TokenPace,
    /// Faults of the recognizers, the models and the synthesizers: the first of each has these, a second one that is well stands behind it
    /// if there are two.
    pub(crate) faults: [Faults; 3],
    /// How many providers each hop has.
    pub(crate) providers: usize,
    /// What tools answer, and how long they take.
    pub(crate) tools: BTreeMap<&'static str, (Duration, Value)>,
    /// How the agent answers.
    pub(crate) answers: Answers,
    /// What the caller presses when the agent has gone on by its script for four seconds.
    pub(crate) key: Option<char>,
    /// How long the call is watched.
    pub(crate) lasts: Duration,
}

/// Something that the caller says.
#[derive(Clone, Copy)]
pub(crate) struct Saying {
    /// When: so long after the agent fell silent, or after it began to speak.
    pub(crate) when: When,
    /// The words.
    pub(crate) text: &'static str,
}

/// When the caller speaks.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// So long after the agent has said something and fallen silent.
    AfterAgent(Duration),
    /// So long into the agent's next utterance.
    OverAgent(Duration),
}

/// What became of it.
pub(crate) struct Outcome {
    /// What was logged, with its time since the answer.
    pub(crate) log: Vec<(Duration, Dialogue)>,
    /// What the vendors saw: recognizers, models, synthesizers.
    pub(crate) seen: [Seen; 3],
    /// What left, frame by frame.
    pub(crate) agent: Vec<[i16; FRAME_SAMPLES]>,
    /// When the agent ended the call.
    pub(crate) ended: Option<Duration>,
    /// When the caller pressed his key.
    pub(crate) pressed: Option<Duration>,
    /// When each of the caller's sayings began and ended.
    pub(crate) said: Vec<(Duration, Duration)>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            says: Vec::new(),
            rules: Vec::new(),
            pace: TokenPace::default(),
            faults: [Faults::default(), Faults::default(), Faults::default()],
            providers: 1,
            tools: BTreeMap::new(),
            answers: Answers::default(),
            key: None,
            lasts: Duration::from_secs(30),
        }
    }
}

impl Scene {
    /// Plays it.
    pub(crate) fn play(self) -> Outcome {
        let epoch = Instant::now();
        let seen = [Seen::default(), Seen::default(), Seen::default()];
        let world = self.world(&seen);
        let tools: BTreeMap<String, (Duration, Value)> =
            self.tools.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect();
        let answer_tool = move |call: &caly::mind::ToolCall| match tools.get(&call.name) {
            Some((_, answer)) => Ok(answer.clone()),
            None => Err(ToolError::Unknown(call.name.clone())),
        };
        let cascade = Arc::new(self.cascade(epoch));
        let (listener, feed) = caller_feed(FeedKind::Payload);
        let mind = CascadeMind::new(cascade, Arc::new(Tones), "Today is Saturday.".into());
        let slow = self.tools.values().map(|(took, _)| *took).max().unwrap_or_default();
        let mind = InlineMind::new(Box::new(mind), Box::new(answer_tool))
            .with_links(Box::new(World { world, epoch }))
            .with_tool_time(slow.max(Duration::from_millis(50)))
            .with_feed(feed);
        let voice = VoiceConfig {
            detector: Box::new(WebRtc::new()),
            turn_taking: TurnTaking::default(),
            listener: Some(listener),
        };
        let mut agent = Agent::new(Box::new(mind), voice);
        agent.handle_media(Codec::Pcmu);
        let mut caller = Caller::new(&self.says);
        let mut outcome = Outcome::of(seen);
        let ticks = self.lasts.as_millis() / 20;
        for tick in 0..ticks {
            let at = Duration::from_millis(20) * u32::try_from(tick).unwrap();
            let now = epoch + at;
            if outcome.script_since().is_some_and(|since| at >= since + LISTENS_FIRST)
                && let Some(key) = self.key.filter(|_| outcome.pressed.is_none())
            {
                outcome.pressed = Some(at);
                agent.handle_digit(now, Digit::from_char(key).unwrap());
            }
            agent.hear(now, &frame(u64::try_from(tick).unwrap(), caller.next(at)));
            let mut samples = [0; FRAME_SAMPLES];
            agent.speak(now, &mut samples);
            caller.hears(at, &samples);
            outcome.agent.push(samples);
            while let Some(noted) = agent.poll_event() {
                let at = noted.at.map_or(at, |noted| noted.saturating_duration_since(epoch));
                outcome.log.push((at, noted.what));
            }
            while let Some(wish) = agent.poll_wish(now) {
                assert!(!matches!(wish, Wish::Fail), "the mind broke off");
                if matches!(wish, Wish::HangUp) {
                    outcome.ended = Some(at);
                }
            }
            if outcome.ended.is_some() {
                break;
            }
        }
        outcome.said = caller.said;
        outcome
    }

    fn world(&self, seen: &[Seen; 3]) -> InProcess {
        let [hears, thinks, speaks] = seen;
        let mut world = InProcess::default();
        for number in 0..self.providers {
            let faults = |hop: usize| if number == 0 { self.faults[hop].clone() } else { Faults::default() };
            // Each has ears of its own: one that says nothing has heard all the same.
            let utterances = Utterances::new(self.says.iter().map(|saying| saying.text));
            let listen = DeepgramListen::new(&utterances, Manner::default(), hears);
            let listen = Stage::new(listen, hears).with_faults(faults(0));
            let chat = OpenAiChat::new(Model::new(self.rules.clone(), self.pace), Dialect::OpenAi);
            let chat = Stage::new(chat, thinks).with_faults(faults(1));
            let speak = DeepgramSpeak::new(Voice::default(), Pace::default(), speaks);
            let speak = Stage::new(speak, speaks).with_faults(faults(2));
            world = world
                .with(&format!("asr{number}"), listen, Distance::default())
                .with(&format!("llm{number}"), chat, Distance::default())
                .with(&format!("tts{number}"), speak, Distance::default());
        }
        world
    }

    fn cascade(&self, epoch: Instant) -> Cascade {
        let member = |name: String| Member { name: name.into(), health: Arc::new(Health::new(epoch)) };
        let (mut listen, mut think, mut speak) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..self.providers {
            let mut config = DeepgramConfig::new(Secret::new(KEY));
            config.url = format!("wss://asr{number}");
            let vendor = Arc::new(Deepgram(config));
            let streams = asr::Streams { vendor, patience: Patience::ASR };
            listen.push((member(format!("asr{number}")), Arc::new(streams) as Arc<dyn asr::Provider>));
            let chat = OpenAi(OpenAiConfig::new(
                &format!("https://llm{number}/v1"),
                Some(Secret::new(KEY)),
                "gpt-4.1-mini",
            ));
            think.push((member(format!("llm{number}")), Arc::new(chat) as Arc<dyn llm::Vendor>));
            let mut config = AuraConfig::new(Secret::new(KEY), "aura-2-thalia-en");
            config.url = format!("wss://tts{number}");
            let streams = tts::Streams { vendor: Arc::new(Aura(config)), patience: Patience::TTS };
            speak.push((member(format!("tts{number}")), Arc::new(streams) as Arc<dyn tts::Provider>));
        }
        let fallback =
            Script::parse("fallback.toml", FALLBACK, &[]).unwrap_or_else(|faults| panic!("{faults}"));
        Cascade {
            name: "Asha".to_owned(),
            language: Language::Hi,
            asr: Hops(listen),
            llm: Hops(think),
            tts: Hops(speak),
            instructions: "Be brief.".into(),
            tools: self.tools.keys().copied().chain([END_CALL]).map(spec).collect(),
            lines: lines(),
            understanding: Default::default(),
            answers: self.answers,
            fallback: Arc::new(fallback),
        }
    }
}

fn spec(name: &str) -> ToolSpec {
    let parameters = json!({ "type": "object", "properties": {} });
    ToolSpec { name: name.to_owned(), description: format!("{name}."), parameters }
}

fn lines() -> Lines {
    let line =
        |text: &str| Line(BTreeMap::from([(Language::Hi, text.to_owned()), (Language::En, text.to_owned())]));
    Lines {
        greeting: line("Namaste!"),
        fillers: vec![line("Ek minute."), line("Bas ek second.")],
        trouble: line("Phir se boliye."),
        not_understood: line("Sunai nahi diya."),
        idle: line("Aap wahan hain?"),
        sorry: line("Maaf kijiye."),
        goodbye: line("Dhanyavaad."),
    }
}

impl Outcome {
    fn of(seen: [Seen; 3]) -> Self {
        let (log, agent, said) = (Vec::new(), Vec::new(), Vec::new());
        Self { log, seen, agent, ended: None, pressed: None, said }
    }

    /// Since when the agent goes on by its script.
    pub(crate) fn script_since(&self) -> Option<Duration> {
        let state = self.log.iter().find(|(_, what)| matches!(what, Dialogue::State { .. }));
        state.map(|(at, _)| *at)
    }

    /// Everything that the vendors had to complain of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.seen.iter().flat_map(Seen::complaints).collect()
    }

    /// What the agent said, in the log's words.
    pub(crate) fn said_by_agent(&self) -> Vec<String> {
        let said = self.log.iter().filter_map(|(_, dialogue)| match dialogue {
            Dialogue::Said { text, .. } | Dialogue::SaidOn { text, .. } => Some(text.clone()),
            _ => None,
        });
        said.collect()
    }

    /// Events of hops.
    pub(crate) fn hops(&self) -> impl Iterator<Item = (Duration, &HopEvent)> {
        self.log.iter().filter_map(|(at, dialogue)| match dialogue {
            Dialogue::Hop(event) => Some((*at, event)),
            _ => None,
        })
    }

    /// When a turn came to a point.
    pub(crate) fn mark(&self, turn: u32, wanted: Mark) -> Option<Duration> {
        self.hops().find_map(|(at, event)| match event {
            HopEvent::Mark { turn: of, mark, .. } if *of == turn && *mark == wanted => Some(at),
            _ => None,
        })
    }

    /// The longest silence of both between the beginning and then, in which the agent owed an answer: from the end of the caller's saying.
    pub(crate) fn waited(&self, saying: usize) -> Duration {
        let (_, end) = self.said[saying];
        let from = usize::try_from(end.as_millis() / 20).unwrap();
        let silent =
            self.agent.get(from..).unwrap_or_default().iter().take_while(|frame| !is_loud(frame)).count();
        Duration::from_millis(20) * u32::try_from(silent).unwrap()
    }

    /// The longest silence of the agent between the end of that saying and when he says this.
    pub(crate) fn longest_silence_until(&self, saying: usize, text: &str) -> Option<Duration> {
        let (_, end) = self.said[saying];
        let (until, _) = self.log.iter().find(
            |(at, what)| matches!(what, Dialogue::Said { text: said, .. } if *at > end && said.contains(text)),
        )?;
        let tick = |at: Duration| usize::try_from(at.as_millis() / 20).unwrap();
        let (mut longest, mut run) = (0, 0);
        for frame in &self.agent[tick(end)..=tick(*until).min(self.agent.len() - 1)] {
            run = if is_loud(frame) { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        Some(Duration::from_millis(20) * longest)
    }

    /// The whole log, for a failing test.
    pub(crate) fn shown(&self) -> String {
        let line =
            |(at, dialogue): &(Duration, Dialogue)| format!("{:>6} ms  {dialogue:?}\n", at.as_millis());
        self.log.iter().map(line).collect()
    }
}

/// The links of a call in the vendors' world.
struct World {
    world: InProcess,
    epoch: Instant,
}

impl LinkDriver for World {
    fn order(&mut self, now: Instant, order: LinkOrder) {
        self.world.order(now - self.epoch, order);
    }

    fn poll(&mut self, now: Instant) -> Option<(LinkId, LinkEvent)> {
        self.world.poll(now - self.epoch)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
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

static CLIPS: Mutex<BTreeMap<String, Arc<[i16]>>> = Mutex::new(BTreeMap::new());

/// Speaks when it is his turn.
struct Caller {
    waiting: VecDeque<Saying>,
    audio: VecDeque<i16>,
    speaks_at: Option<Duration>,
    agent_since: Option<Duration>,
    agent_until: Option<Duration>,
    said: Vec<(Duration, Duration)>,
}

impl Caller {
    fn new(says: &[Saying]) -> Self {
        Self {
            waiting: says.iter().copied().collect(),
            audio: VecDeque::new(),
            speaks_at: None,
            agent_since: None,
            agent_until: None,
            said: Vec::new(),
        }
    }

    fn hears(&mut self, now: Duration, samples: &[i16; FRAME_SAMPLES]) {
        if is_loud(samples) {
            let is_new = self.agent_until.is_none_or(|until| until + PAUSE < now);
            if is_new {
                self.agent_since = Some(now);
            }
            self.agent_until = Some(now);
        }
        if !self.audio.is_empty() || self.speaks_at.is_some() {
            return;
        }
        let (Some(next), Some(since), Some(until)) =
            (self.waiting.front(), self.agent_since, self.agent_until)
        else {
            return;
        };
        let last = self.said.last().map_or(Duration::ZERO, |(_, end)| *end);
        if since < last {
            return;
        }
        let at = match next.when {
            When::AfterAgent(pause) => (now >= until + PAUSE).then_some(until + pause),
            When::OverAgent(into) => Some(since + into),
        };
        self.speaks_at = at.map(|at| at.max(now));
    }

    fn next(&mut self, now: Duration) -> [i16; FRAME_SAMPLES] {
        if self.speaks_at.is_some_and(|at| at <= now)
            && let Some(saying) = self.waiting.pop_front()
        {
            self.speaks_at = None;
            let spoken = Voice { seed: 6, character_ms: 65 }.speak(saying.text, 8_000).samples;
            let lasts = Duration::from_micros(spoken.len() as u64 * 125);
            self.said.push((now, now + lasts));
            self.audio.extend(spoken);
        }
        let mut samples = [0; FRAME_SAMPLES];
        samples.iter_mut().for_each(|sample| *sample = self.audio.pop_front().unwrap_or(0));
        samples
    }
}

fn is_loud(samples: &[i16; FRAME_SAMPLES]) -> bool {
    samples.iter().any(|sample| sample.unsigned_abs() > 500)
}

fn frame(tick: u64, samples: [i16; FRAME_SAMPLES]) -> Frame {
    let mut payload = [0; FRAME_SAMPLES];
    Codec::Pcmu.encode(&samples, &mut payload);
    Frame {
        media_time: MediaTime(tick * FRAME_SAMPLES as u64),
        kind: FrameKind::Voice,
        arrival: None,
        samples: samples.iter().copied().collect(),
        payload: payload.iter().copied().collect(),
    }
}

/// The agent has said all when it is silent for so long.
const PAUSE: Duration = Duration::from_millis(600);

/// A caller hears the menu before he presses anything.
const LISTENS_FIRST: Duration = Duration::from_secs(4);

/// Goes on by the keypad.
const FALLBACK: &str = r#"
[agent]
name = "Fallback"
language = "hi"
voice = { hi = "hi", en = "en" }
start = "menu"
give_up = "end"
no_input = "again"
no_match = "again"
no_speech = "again"
goodbye = "bye"
[prompt]
again = { hi = "Phir se.", en = "Again." }
menu = { hi = "Ek dabaiye.", en = "Press one." }
bye = { hi = "Namaste.", en = "Goodbye." }
[state.menu]
kind = "menu"
say = ["menu"]
keys = { "1" = "end" }
[state.end]
kind = "hang_up"
say = ["bye"]
"#;
