//! The model of one call: the best that is well talks; when it fails, the next one goes on with what was said, done and not yet answered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_provider::audio::AudioFormat;
use caly_provider::link::{LinkEvent, LinkId, LinkOrder};
use caly_provider::llm::{ToolResult, Turn};
use caly_provider::policy::chain::{Chain, Tried};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, RetryConfig};
use caly_provider::realtime::{
    self, AnswerStatus, Event, ItemId, Output, Realtime, Setup, Speaker, Then, Usage,
};

use crate::call::hop::{Hop, HopEvent};
use crate::mind::CallerFrame;
use crate::mind::conversation::{Hops, Joined, RETURN_AFTER, Used};
use crate::sound::convert::{ConversionCounters, Converter};

/// Who talks in a call.
#[derive(Debug)]
pub(super) struct Talker {
    hops: Hops<dyn realtime::Provider>,
    chain: Chain,
    tried: Tried,
    setup: Setup,
    /// The call's codec.
    call: AudioFormat,
    model: Option<Model>,
    /// What the agent is to say as soon as there is a model.
    first: Option<String>,
    /// Clients so far: each has names of links of its own.
    clients: u32,
    outputs: VecDeque<TalkerOutput>,
    gate: Gate,
    audio: ConversionCounters,
    used: Used,
    /// When a provider failed last in this call.
    failed_at: Option<Instant>,
    /// What was told last, since somebody was ready.
    last_fault: Option<Fault>,
    /// The session is set up.
    is_ready: bool,
}

#[derive(Debug)]
struct Model {
    number: usize,
    client: Box<dyn Realtime>,
    /// From the call's audio to the client's.
    input: Converter,
    /// From the client's audio to the call's.
    output: Converter,
    /// Whose sound came last: each item is a stream of its own.
    item: Option<ItemId>,
}

/// Who does not find turns by itself hears the caller while he speaks, and a little of what was before.
#[derive(Debug, Default)]
struct Gate {
    is_open: bool,
    before: VecDeque<u8>,
}

/// What the talker wants or tells.
#[derive(Debug, PartialEq)]
pub(super) enum TalkerOutput {
    /// To be done with a link.
    Link(LinkOrder),
    /// For the log.
    Note(HopEvent),
    /// The model says or does something. Sound is in the call's codec.
    Model(Event),
    /// The model is ready from now on, or is not.
    Readiness,
    /// Another model talks from now on. What it owes has to be asked for again.
    Replaced,
    /// Nobody talks any more.
    GaveUp,
}

impl Talker {
    pub(super) fn new(hops: Hops<dyn realtime::Provider>, setup: Setup) -> Self {
        Self {
            chain: hops.chain(),
            hops,
            tried: Tried::default(),
            setup,
            call: AudioFormat::MULAW_8K,
            model: None,
            first: None,
            clients: 0,
            outputs: VecDeque::new(),
            gate: Gate::default(),
            audio: ConversionCounters::default(),
            used: Used::default(),
            failed_at: None,
            last_fault: None,
            is_ready: false,
        }
    }

    /// The call's codec is known, or is another one from now on.
    pub(super) fn start(&mut self, now: Instant, call: AudioFormat) {
        let has_changed = self.call != call;
        self.call = call;
        match &mut self.model {
            None => {
                self.engage(now, Vec::new());
                if let Some(first) = self.first.take() {
                    self.say(now, &first);
                }
            }
            // The client keeps its own formats.
            Some(model) if has_changed => {
                let formats = model.client.formats();
                model.input = Converter::new(call, formats.input);
                model.output = Converter::new(formats.output, call);
                self.gate.before.clear();
            }
            Some(_) => {}
        }
    }

    /// Whether the model is there and itself finds out that the caller's turn is over.
    pub(super) fn judges_turns(&self) -> bool {
        self.is_ready && self.ends_turns()
    }

    /// Whether the model itself finds out that the caller's turn is over.
    pub(super) fn ends_turns(&self) -> bool {
        self.model.as_ref().is_some_and(|model| model.client.habits().ends_turns)
    }

    /// Name of who talks.
    pub(super) fn name(&self) -> String {
        self.model.as_ref().map_or_else(String::new, |model| self.hops.name(model.number).to_owned())
    }

    /// The caller's audio.
    pub(super) fn hear(&mut self, now: Instant, frames: &mut dyn Iterator<Item = CallerFrame>) {
        let Joined { format, mut bytes, .. } = Joined::new(frames, self.call);
        if !self.ends_turns() {
            bytes = self.gate.pass(bytes, format);
        }
        let Some(model) = self.model.as_mut().filter(|_| !bytes.is_empty()) else { return };
        if model.input.formats().0 != format {
            model.input = Converter::new(format, model.client.formats().input);
        }
        let audio = model.input.convert(&bytes);
        self.audio += model.input.take_counters();
        let sent = model.client.formats().input.duration(audio.len() as u64);
        self.used.add(model.number, "audio_ms", u64::try_from(sent.as_millis()).unwrap_or(u64::MAX));
        model.client.hear(now, &audio);
        self.drain(now);
    }

    /// The caller begins to speak.
    pub(super) fn begin_turn(&mut self) {
        self.gate.is_open = true;
        self.model.iter_mut().for_each(|model| model.client.caller_begins());
    }

    /// What he said is no turn.
    pub(super) fn drop_turn(&mut self) {
        self.gate.is_open = false;
        self.model.iter_mut().for_each(|model| model.client.caller_said_nothing());
    }

    /// His turn is over, and is to be answered.
    pub(super) fn end_turn(&mut self, now: Instant) {
        self.gate.is_open = false;
        self.ask(now, |client| client.end_turn(now));
    }

    /// Something that was written, or said by others than the model.
    pub(super) fn note(&mut self, now: Instant, by: Speaker, text: &str) {
        self.ask(now, |client| client.note(now, by, text));
    }

    /// Something that every model of this call is to know: by a word of the house who is engaged already, who hands it on with all that was said; by
    /// its instructions who is not.
    pub(super) fn learn(&mut self, now: Instant, facts: &str) {
        if self.model.is_some() {
            return self.note(now, Speaker::System, facts);
        }
        self.setup.instructions = format!("{}\n\n{facts}", self.setup.instructions).into();
    }

    /// The agent is to speak, to what was said.
    pub(super) fn respond(&mut self, now: Instant) {
        self.ask(now, |client| client.respond(now, None));
    }

    /// The agent is to speak, and is told what.
    pub(super) fn say(&mut self, now: Instant, instructions: &str) {
        match &self.model {
            Some(_) => self.ask(now, |client| client.respond(now, Some(instructions))),
            // The call has no codec yet.
            None => self.first = Some(instructions.to_owned()),
        }
    }

    /// Nobody wants to hear the rest of the answer; so much of this item was heard.
    pub(super) fn interrupt(&mut self, now: Instant, heard: Option<(ItemId, Duration)>) {
        self.ask(now, |client| client.interrupt(now, heard));
    }

    /// A tool has answered.
    pub(super) fn tool_result(&mut self, now: Instant, result: ToolResult, then: Then) {
        self.ask(now, |client| client.tool_result(now, result, then));
    }

    /// A quiet moment: back to a better provider, if one is well again.
    pub(super) fn improve(&mut self, now: Instant) {
        let Some(model) = &self.model else { return };
        if self.failed_at.is_none_or(|failed| now < failed + RETURN_AFTER) {
            return;
        }
        if let Some(better) = self.chain.better_than(now, model.number) {
            self.tried = Tried::default();
            self.failed_at = None;
            let history = model.client.history();
            self.dismiss(now);
            self.engage_with(now, better, history);
        }
    }

    /// The call is over, or goes on without.
    pub(super) fn close(&mut self, now: Instant) {
        self.dismiss(now);
    }

    /// Enters in the log what was done and used since it was told last.
    pub(super) fn tell_used(&mut self) {
        let ConversionCounters { untouched, recoded, resampled } = std::mem::take(&mut self.audio);
        if untouched + recoded + resampled > 0 {
            self.note_hop(HopEvent::Audio { hop: Hop::Realtime, untouched, recoded, resampled });
        }
        for event in self.used.take(Hop::Realtime, |number| self.hops.name(number).to_owned()) {
            self.note_hop(event);
        }
    }

    pub(super) fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        self.ask(now, |client| client.handle_link(now, link, event));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.ask(now, |client| client.handle_timeout(now));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.model.as_ref().and_then(|model| model.client.poll_timeout())
    }

    pub(super) fn poll(&mut self) -> Option<TalkerOutput> {
        self.outputs.pop_front()
    }

    fn ask(&mut self, now: Instant, what: impl FnOnce(&mut dyn Realtime)) {
        if let Some(model) = &mut self.model {
            what(&mut *model.client);
            self.drain(now);
        }
    }

    /// The next provider; it begins with what was said and done.
    fn engage(&mut self, now: Instant, history: Vec<Turn>) {
        match self.chain.pick(now, &self.tried) {
            Some(number) => self.engage_with(now, number, history),
            None => self.outputs.push_back(TalkerOutput::GaveUp),
        }
    }

    fn engage_with(&mut self, now: Instant, number: usize, history: Vec<Turn>) {
        let Some(provider) = self.hops.provider(number) else { return };
        self.tried.mark(number);
        // Where nobody else is left, it is worth trying for longer.
        let is_last = !self.chain.has_untried(&self.tried);
        let retries = if is_last { RetryConfig::CONNECTION.retries } else { 0 };
        let retry = RetryConfig { retries, ..RetryConfig::CONNECTION };
        let links = LinkIds::of_client(REALTIME_CLIENTS + self.clients);
        self.clients += 1;
        let setup = Setup { history, ..self.setup.clone() };
        let mut client = provider.client(self.call, setup, links, retry);
        client.start(now);
        let formats = client.formats();
        let (input, output) =
            (Converter::new(self.call, formats.input), Converter::new(formats.output, self.call));
        self.model = Some(Model { number, client, input, output, item: None });
        self.drain(now);
    }

    fn dismiss(&mut self, now: Instant) {
        let Some(mut model) = self.model.take() else { return };
        model.client.close(now);
        while let Some(output) = model.client.poll() {
            if let Output::Link(order) = output {
                self.outputs.push_back(TalkerOutput::Link(order));
            }
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(model) = &mut self.model {
            let number = model.number;
            match model.client.poll() {
                None => return,
                Some(Output::Link(order)) => self.outputs.push_back(TalkerOutput::Link(order)),
                Some(Output::Event(event)) => self.event(now, number, event),
            }
        }
    }

    fn event(&mut self, now: Instant, number: usize, event: Event) {
        match event {
            Event::Ready { request_id } => {
                self.last_fault = None;
                self.set_ready(true);
                let provider = self.hops.name(number).to_owned();
                self.note_hop(HopEvent::Uses { hop: Hop::Realtime, provider, request_id });
            }
            Event::Audio { item, bytes } => self.sound(number, item, &bytes),
            Event::AnswerDone { status, usage } => {
                usage.into_iter().for_each(|usage| self.count(number, usage));
                self.tail();
                if let AnswerStatus::Failed(fault) = &status {
                    self.fault_of(number, fault.clone());
                }
                self.outputs.push_back(TalkerOutput::Model(Event::AnswerDone { status, usage }));
            }
            Event::Warning(detail) => self.fault(number, "warning", detail, None),
            Event::Lost(fault) => {
                self.set_ready(false);
                self.fault_of(number, fault);
            }
            Event::Failed(fault) => {
                self.set_ready(false);
                self.failed(now, number, fault);
            }
            Event::Recycled => self.set_ready(false),
            // The account's limits are told again when they are reached, as a fault.
            Event::RateLimits(_) => {}
            Event::SpeechStarted
            | Event::SpeechStopped
            | Event::Transcript { .. }
            | Event::AnswerStarted
            | Event::AgentText { .. }
            | Event::ToolRequest(_)
            | Event::ToolsCancelled(_)
            | Event::Interrupted => self.outputs.push_back(TalkerOutput::Model(event)),
        }
    }

    fn set_ready(&mut self, is_ready: bool) {
        if std::mem::replace(&mut self.is_ready, is_ready) != is_ready {
            self.outputs.push_back(TalkerOutput::Readiness);
        }
    }

    fn sound(&mut self, number: usize, item: ItemId, bytes: &[u8]) {
        // Who speaks works, and so may the others by now.
        self.chain.succeeded(number);
        self.tried = Tried::default();
        self.tried.mark(number);
        if self.model.as_ref().is_some_and(|model| model.item != Some(item)) {
            self.tail();
        }
        let Some(model) = &mut self.model else { return };
        model.item = Some(item);
        let bytes = model.output.convert(bytes);
        self.audio += model.output.take_counters();
        if !bytes.is_empty() {
            self.outputs.push_back(TalkerOutput::Model(Event::Audio { item, bytes }));
        }
    }

    /// The last milliseconds of an item, which waited for more.
    fn tail(&mut self) {
        let Some(model) = &mut self.model else { return };
        let Some(item) = model.item.take() else { return };
        let bytes = model.output.finish();
        if !bytes.is_empty() {
            self.outputs.push_back(TalkerOutput::Model(Event::Audio { item, bytes }));
        }
    }

    fn failed(&mut self, now: Instant, number: usize, fault: Fault) {
        self.chain.failed(now, number, &fault);
        self.fault_of(number, fault);
        self.failed_at = Some(now);
        let Some(model) = &self.model else { return };
        let (history, unsettled) = (model.client.history(), model.client.unsettled());
        let format = model.client.formats().input;
        self.dismiss(now);
        self.engage(now, history);
        let Some(model) = &mut self.model else { return };
        let audio = Converter::new(format, model.client.formats().input).convert(&unsettled);
        if !unsettled.is_empty() {
            model.client.caller_begins();
        }
        model.client.hear(now, &audio);
        self.outputs.push_back(TalkerOutput::Replaced);
        self.drain(now);
    }

    fn count(&mut self, number: usize, usage: Usage) {
        let Usage { input_tokens, input_audio_tokens, cached_tokens, output_tokens, output_audio_tokens } =
            usage;
        for (unit, count) in [
            ("input_tokens", input_tokens),
            ("input_audio_tokens", input_audio_tokens),
            ("cached_tokens", cached_tokens),
            ("output_tokens", output_tokens),
            ("output_audio_tokens", output_audio_tokens),
        ] {
            self.used.add(number, unit, count);
        }
    }

    /// What breaks an answer may break the connection, too: it is told once.
    fn fault_of(&mut self, number: usize, fault: Fault) {
        if self.last_fault.as_ref() == Some(&fault) {
            return;
        }
        self.last_fault = Some(fault.clone());
        self.fault(number, fault.kind.word(), fault.detail, fault.request_id);
    }

    fn fault(&mut self, number: usize, kind: &str, detail: String, request_id: Option<String>) {
        let (provider, kind) = (self.hops.name(number).to_owned(), kind.to_owned());
        self.note_hop(HopEvent::Fault { hop: Hop::Realtime, provider, kind, detail, request_id });
    }

    fn note_hop(&mut self, event: HopEvent) {
        self.outputs.push_back(TalkerOutput::Note(event));
    }
}

impl Gate {
    /// What passes.
    fn pass(&mut self, bytes: Vec<u8>, format: AudioFormat) -> Vec<u8> {
        self.before.extend(bytes);
        if self.is_open {
            return self.before.drain(..).collect();
        }
        let over = self.before.len().saturating_sub(format.bytes(BEFORE_SPEECH));
        self.before.drain(..over);
        Vec::new()
    }
}

/// Speech is known for it only when it has lasted for a while, and begins softly.
const BEFORE_SPEECH: Duration = Duration::from_millis(600);
/// Clients of models that hear and speak are numbered from here on, those of others elsewhere.
const REALTIME_CLIENTS: u32 = 0x4000_0000;
