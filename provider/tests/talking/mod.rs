//! A call in virtual time: a caller's sound goes in every 20 ms, and all that the client tells is kept.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::audio::{AudioFormat, Encoding};
use caly_provider::llm::ToolSpec;
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Patience, RetryConfig};
use caly_provider::realtime::{
    Event, Gemini, GeminiAuth, GeminiConfig, ItemId, OpenAiRealtime, OpenAiRealtimeConfig, Output, Provider,
    Realtime, Sessions, Setup, Vendor,
};
use caly_provider::secret::Secret;
use caly_vendors::audio::{Coding, Format};
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::voice::{caller, silence};

pub(crate) const OPENAI_HOST: &str = "api.openai.com";
pub(crate) const GEMINI_HOST: &str = "generativelanguage.googleapis.com";
/// What the caller says first.
pub(crate) const LINE: &str = "mera order kahan hai";

/// A caller, a client and its vendor.
pub(crate) struct Call {
    pub(crate) client: Box<dyn Realtime>,
    pub(crate) seen: Seen,
    /// What was told, in its order.
    pub(crate) events: Vec<Event>,
    /// The agent's words and its sound.
    pub(crate) words: String,
    pub(crate) sound: Vec<u8>,
    /// What the caller has said, silence too.
    pub(crate) said: Vec<u8>,
    world: InProcess,
    epoch: Instant,
    at: Duration,
    /// What the caller is about to say.
    next: VecDeque<u8>,
}

pub(crate) fn openai(change: impl FnOnce(&mut OpenAiRealtimeConfig)) -> Arc<dyn Vendor> {
    let mut config = OpenAiRealtimeConfig::new(Some(Secret::new(KEY)), "gpt-realtime-2.1");
    change(&mut config);
    Arc::new(OpenAiRealtime(config))
}

pub(crate) fn gemini(change: impl FnOnce(&mut GeminiConfig)) -> Arc<dyn Vendor> {
    let mut config = GeminiConfig::new(GeminiAuth::Key(Secret::new(KEY)), "models/gemini-3.8-live");
    change(&mut config);
    Arc::new(Gemini(config))
}

impl Call {
    /// A call with PCMU.
    pub(crate) fn new(vendor: Arc<dyn Vendor>, host: &str, stage: Stage, seen: &Seen) -> Self {
        Self::of_format(vendor, host, stage, seen, AudioFormat::MULAW_8K)
    }

    /// A call with that format. It has begun.
    pub(crate) fn of_format(
        vendor: Arc<dyn Vendor>,
        host: &str,
        stage: Stage,
        seen: &Seen,
        format: AudioFormat,
    ) -> Self {
        let parameters =
            serde_json::json!({ "type": "object", "properties": { "order": { "type": "string" } } });
        let (name, description) = ("track".to_owned(), "Where an order is.".to_owned());
        let tools = [ToolSpec { name, description, parameters }].into();
        let setup = Setup {
            instructions: "Be brief.".into(),
            tools,
            language: "hi-IN".to_owned(),
            ..Setup::default()
        };
        let sessions = Sessions { vendor, patience: Patience::REALTIME };
        let client = sessions.client(format, setup, LinkIds::of_client(0), RetryConfig::CONNECTION);
        let world = InProcess::default().with(host, stage, Distance::default());
        let mut call = Self {
            client,
            seen: seen.clone(),
            events: Vec::new(),
            words: String::new(),
            sound: Vec::new(),
            said: Vec::new(),
            world,
            epoch: Instant::now(),
            at: Duration::ZERO,
            next: VecDeque::new(),
        };
        call.does(|client, now| client.start(now));
        call
    }

    /// Something is done with the client.
    pub(crate) fn does(&mut self, deed: impl FnOnce(&mut dyn Realtime, Instant)) {
        deed(&mut *self.client, self.epoch + self.at);
        self.drain();
    }

    /// The caller says a line, from now on.
    pub(crate) fn says(&mut self, line: &str) {
        let format = self.client.formats().input;
        self.plays(&caller(simulated(format), &[line], FRAME));
    }

    /// These bytes come from the caller's telephone, from now on.
    pub(crate) fn plays(&mut self, bytes: &[u8]) {
        self.next.extend(bytes);
    }

    pub(crate) fn passes(&mut self, time: Duration) {
        let until = self.at + time;
        while self.at < until {
            self.step();
        }
    }

    /// Waits for the first event from now on that is of interest.
    pub(crate) fn until<T>(&mut self, longest: Duration, found: impl Fn(&Event) -> Option<T>) -> T {
        let (from, until) = (self.events.len(), self.at + longest);
        while self.at < until {
            self.step();
            if let Some(found) = self.events[from..].iter().find_map(&found) {
                return found;
            }
        }
        panic!("not within {longest:?}: {:?}; {:?}", self.kinds(), self.seen.complaints());
    }

    /// How much of the agent's sound came.
    pub(crate) fn heard(&self) -> Duration {
        self.client.formats().output.duration(self.sound.len() as u64)
    }

    pub(crate) fn last_item(&self) -> ItemId {
        let item = |event: &Event| match event {
            Event::Audio { item, .. } => Some(*item),
            _ => None,
        };
        self.events.iter().rev().find_map(item).unwrap()
    }

    /// The vendor was connected to so often, and has nothing to complain of; neither has the client.
    pub(crate) fn ends_well(mut self, arrivals: usize) {
        self.does(|client, now| client.close(now));
        self.passes(Duration::from_secs(1));
        assert_eq!((self.seen.complaints(), self.seen.arrivals()), (Vec::new(), arrivals));
        let warnings = self.events.iter().filter(|event| matches!(event, Event::Warning(_)));
        assert_eq!(warnings.collect::<Vec<_>>(), Vec::<&Event>::new());
        assert_eq!((self.world.open_links(), self.client.poll_timeout()), (0, None));
    }

    fn step(&mut self) {
        self.at += FRAME;
        let now = self.epoch + self.at;
        while let Some((link, event)) = self.world.poll(self.at) {
            self.client.handle_link(now, link, event);
            self.drain();
        }
        self.client.handle_timeout(now);
        let format = self.client.formats().input;
        let mut frame = silence(simulated(format), FRAME);
        let spoken = frame.len().min(self.next.len());
        for (byte, next) in frame.iter_mut().zip(self.next.drain(..spoken)) {
            *byte = next;
        }
        self.client.hear(now, &frame);
        self.said.extend(frame);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Link(order) => self.world.order(self.at, order),
                Output::Event(event) => {
                    match &event {
                        Event::Audio { bytes, .. } => self.sound.extend(bytes),
                        Event::AgentText { text, .. } => self.words.push_str(text),
                        _ => {}
                    }
                    self.events.push(event);
                }
            }
        }
    }

    /// What was told, without sound.
    fn kinds(&self) -> Vec<String> {
        let told = self.events.iter().filter(|event| !matches!(event, Event::Audio { .. }));
        told.map(|event| format!("{event:?}")).collect()
    }
}

fn simulated(format: AudioFormat) -> Format {
    let coding = match format.encoding {
        Encoding::Mulaw => Coding::Mulaw,
        Encoding::Alaw => Coding::Alaw,
        Encoding::Linear16 => Coding::Linear16,
    };
    Format::new(coding, format.rate_hz)
}

/// What a telephone sends at once.
const FRAME: Duration = Duration::from_millis(20);
