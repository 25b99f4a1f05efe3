//! The recognizers of one call: the best that is well listens; when it fails, the next one goes on with the audio whose words were not final.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_provider::asr::{self, AsrEvent, Audio, Heard, Recognizer, TurnOpinion};
use caly_provider::audio::AudioFormat;
use caly_provider::link::{LinkEvent, LinkId, LinkOrder};
use caly_provider::policy::chain::{Chain, Tried};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, FaultKind, RetryConfig, earliest};

use crate::call::hop::{Hop, HopEvent};
use crate::mind::CallerFrame;
use crate::mind::conversation::{Hops, Joined, RETURN_AFTER, Used};
use crate::sound::convert::{ConversionCounters, Converter};

/// Who listens in a call.
#[derive(Debug)]
pub(super) struct Ears {
    hops: Hops<dyn asr::Provider>,
    chain: Chain,
    tried: Tried,
    /// The call's codec.
    call: AudioFormat,
    listener: Option<Listener>,
    /// Clients so far: each has names of links of its own.
    clients: u32,
    outputs: VecDeque<EarsOutput>,
    audio: ConversionCounters,
    used: Used,
    /// The connection broke and is being mended.
    is_lost: bool,
    /// When a provider failed last in this call.
    failed_at: Option<Instant>,
    has_given_up: bool,
    /// Speech since the last words that were final: whoever begins to listen is told of it.
    unsettled_speech: Duration,
    /// The caller has stopped since he spoke.
    has_stopped: bool,
    /// How much of the caller's audio there was in the call.
    heard: Duration,
}

#[derive(Debug)]
struct Listener {
    number: usize,
    client: Box<dyn Recognizer>,
    /// Where in the caller's audio the first lies that it was given: it counts from there.
    origin: Duration,
    /// What it began with was over before it listened, and it has told no words of it yet: it must be told that it is over.
    owes_end: bool,
    /// From the feed's format to the client's.
    converter: Converter,
}

/// What the ears want or tell.
#[derive(Debug, PartialEq)]
pub(super) enum EarsOutput {
    /// To be done with a link.
    Link(LinkOrder),
    /// Words, by this provider.
    Heard(usize, Heard),
    /// An opinion on the caller's turn.
    Turn(TurnOpinion),
    /// For the log.
    Note(HopEvent),
    /// Nobody listens any more.
    GaveUp,
}

impl Ears {
    pub(super) fn new(hops: Hops<dyn asr::Provider>) -> Self {
        Self {
            chain: hops.chain(),
            hops,
            tried: Tried::default(),
            call: AudioFormat::MULAW_8K,
            listener: None,
            clients: 0,
            outputs: VecDeque::new(),
            audio: ConversionCounters::default(),
            used: Used::default(),
            is_lost: false,
            failed_at: None,
            has_given_up: false,
            unsettled_speech: Duration::ZERO,
            has_stopped: false,
            heard: Duration::ZERO,
        }
    }

    /// The call's codec is known, or is another one from now on.
    pub(super) fn start(&mut self, now: Instant, call: AudioFormat) {
        let has_changed = self.call != call;
        self.call = call;
        match &mut self.listener {
            None => self.engage(now, Vec::new()),
            // The client keeps its own format.
            Some(listener) if has_changed => {
                listener.converter = Converter::new(call, listener.client.format());
            }
            Some(_) => {}
        }
    }

    /// The caller's audio.
    pub(super) fn hear(&mut self, now: Instant, frames: &mut dyn Iterator<Item = CallerFrame>) {
        let Joined { format, bytes, speech } = Joined::new(frames, self.call);
        self.unsettled_speech += speech;
        self.has_stopped &= speech.is_zero();
        self.heard += format.duration(bytes.len() as u64);
        let Some(listener) = &mut self.listener else { return };
        if bytes.is_empty() {
            return;
        }
        listener.owes_end &= self.has_stopped;
        if listener.converter.formats().0 != format {
            listener.converter = Converter::new(format, listener.client.format());
        }
        let audio = listener.converter.convert(&bytes);
        self.audio += listener.converter.take_counters();
        listener.client.hear(now, Audio { bytes: &audio, speech });
        let sent = listener.client.format().duration(audio.len() as u64);
        self.used.add(listener.number, "audio_ms", u64::try_from(sent.as_millis()).unwrap_or(u64::MAX));
        self.drain(now);
    }

    /// The caller has stopped, perhaps in the middle of his turn: whatever is known is to be said now.
    pub(super) fn finalize(&mut self, now: Instant) {
        self.has_stopped = true;
        if let Some(listener) = &mut self.listener {
            listener.client.finalize(now);
        }
        self.drain(now);
    }

    /// The caller has said something of which no word has come. Whether somebody else listens to it now.
    pub(super) fn missed(&mut self, now: Instant) -> bool {
        let Some(number) = self.listener.as_ref().map(|listener| listener.number) else { return false };
        let fault = Fault::new(FaultKind::Silent, "the caller has spoken and no words have come");
        if !self.chain.has_untried(&self.tried) {
            self.fault_of(number, fault);
            return false;
        }
        self.event(now, number, AsrEvent::Failed(fault));
        self.drain(now);
        self.listener.is_some()
    }

    /// A quiet moment: back to a better provider, if one is well again.
    pub(super) fn improve(&mut self, now: Instant) {
        let Some(listener) = &self.listener else { return };
        if self.failed_at.is_none_or(|failed| now < failed + RETURN_AFTER) {
            return;
        }
        if let Some(better) = self.chain.better_than(now, listener.number) {
            self.tried = Tried::default();
            self.failed_at = None;
            self.dismiss(now);
            self.engage_with(now, better, Vec::new());
        }
    }

    /// The call is over.
    pub(super) fn close(&mut self, now: Instant) {
        self.dismiss(now);
    }

    /// Enters in the log what was done and used since it was told last.
    pub(super) fn tell_used(&mut self) {
        let ConversionCounters { untouched, recoded, resampled } = std::mem::take(&mut self.audio);
        if untouched + recoded + resampled > 0 {
            let hop = Hop::Asr;
            self.note(HopEvent::Audio { hop, untouched, recoded, resampled });
        }
        for event in self.used.take(Hop::Asr, |number| self.hops.name(number).to_owned()) {
            self.note(event);
        }
    }

    pub(super) fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        if let Some(listener) = &mut self.listener {
            listener.client.handle_link(now, link, event);
        }
        self.drain(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(listener) = &mut self.listener
            && listener.client.poll_timeout().is_some_and(|due| due <= now)
        {
            listener.client.handle_timeout(now);
            self.drain(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.listener.as_ref().and_then(|listener| listener.client.poll_timeout())])
    }

    pub(super) fn poll(&mut self) -> Option<EarsOutput> {
        self.outputs.pop_front()
    }

    /// Whether words come late, as the connection is being mended.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether somebody listens, or may yet.
    pub(super) fn is_at_work(&self) -> bool {
        self.listener.is_some()
    }

    /// The next provider; it begins with what was not settled.
    fn engage(&mut self, now: Instant, unsettled: Vec<(AudioFormat, Vec<u8>)>) {
        let Some(number) = self.chain.pick(now, &self.tried) else {
            if !std::mem::replace(&mut self.has_given_up, true) {
                self.outputs.push_back(EarsOutput::GaveUp);
            }
            return;
        };
        self.engage_with(now, number, unsettled);
    }

    fn engage_with(&mut self, now: Instant, number: usize, unsettled: Vec<(AudioFormat, Vec<u8>)>) {
        let Some(provider) = self.hops.provider(number) else { return };
        self.tried.mark(number);
        // Where nobody else is left, it is worth trying for longer.
        let is_last = !self.chain.has_untried(&self.tried);
        let retry = if is_last {
            RetryConfig::CONNECTION
        } else {
            RetryConfig { retries: 0, ..RetryConfig::CONNECTION }
        };
        let links = LinkIds::of_client(ASR_CLIENTS + self.clients);
        self.clients += 1;
        let mut client = provider.client(self.call, links, retry);
        client.start(now);
        let owes_end = self.has_stopped && !unsettled.is_empty();
        let known = unsettled.iter().map(|(format, bytes)| format.duration(bytes.len() as u64)).sum();
        let origin = self.heard.saturating_sub(known);
        for (format, bytes) in unsettled {
            let audio = Converter::new(format, client.format()).convert(&bytes);
            let speech = self.unsettled_speech.min(client.format().duration(audio.len() as u64));
            client.hear(now, Audio { bytes: &audio, speech });
        }
        let converter = Converter::new(self.call, client.format());
        self.listener = Some(Listener { number, client, origin, converter, owes_end });
        self.drain(now);
    }

    fn dismiss(&mut self, now: Instant) {
        if let Some(mut listener) = self.listener.take() {
            listener.client.close(now);
            while let Some(output) = listener.client.poll() {
                if let asr::Output::Link(order) = output {
                    self.outputs.push_back(EarsOutput::Link(order));
                }
            }
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(listener) = &mut self.listener {
            let number = listener.number;
            match listener.client.poll() {
                None => return,
                Some(asr::Output::Link(order)) => self.outputs.push_back(EarsOutput::Link(order)),
                Some(asr::Output::Event(event)) => self.event(now, number, event),
            }
        }
    }

    fn event(&mut self, now: Instant, number: usize, event: AsrEvent) {
        match event {
            AsrEvent::Ready { request_id } => {
                self.is_lost = false;
                // As often as it begins anew.
                if let Some(listener) = self.listener.as_mut().filter(|listener| listener.owes_end) {
                    listener.client.finalize(now);
                }
                let provider = self.hops.name(number).to_owned();
                self.note(HopEvent::Uses { hop: Hop::Asr, provider, request_id });
            }
            AsrEvent::Heard(mut heard) => {
                let origin = self.listener.as_ref().map_or(Duration::ZERO, |listener| listener.origin);
                for word in &mut heard.words {
                    word.begins += origin;
                    word.ends += origin;
                }
                // Who has told words works, and so may the others by now.
                self.chain.succeeded(number);
                self.tried = Tried::default();
                self.tried.mark(number);
                if heard.is_final {
                    self.unsettled_speech = Duration::ZERO;
                    self.listener.iter_mut().for_each(|listener| listener.owes_end = false);
                }
                self.outputs.push_back(EarsOutput::Heard(number, heard));
            }
            AsrEvent::Turn(opinion) => self.outputs.push_back(EarsOutput::Turn(opinion)),
            AsrEvent::Warning(detail) => self.fault(number, "warning", detail, None),
            AsrEvent::Lost(fault) => {
                self.is_lost = true;
                self.fault_of(number, fault);
            }
            AsrEvent::Failed(fault) => {
                self.chain.failed(now, number, &fault);
                self.fault_of(number, fault);
                self.failed_at = Some(now);
                let kept = self.listener.as_ref().map(|one| (one.client.format(), one.client.unsettled()));
                self.dismiss(now);
                self.engage(now, kept.into_iter().collect());
            }
            // What is sent is counted here; voice knows better when speech begins.
            AsrEvent::Metered(_) | AsrEvent::SpeechStarted => {}
        }
    }

    fn fault_of(&mut self, number: usize, fault: Fault) {
        self.fault(number, fault.kind.word(), fault.detail, fault.request_id);
    }

    fn fault(&mut self, number: usize, kind: &str, detail: String, request_id: Option<String>) {
        let (provider, kind) = (self.hops.name(number).to_owned(), kind.to_owned());
        self.note(HopEvent::Fault { hop: Hop::Asr, provider, kind, detail, request_id });
    }

    fn note(&mut self, event: HopEvent) {
        self.outputs.push_back(EarsOutput::Note(event));
    }
}

/// Clients of recognizers are numbered from here on, those of others elsewhere.
const ASR_CLIENTS: u32 = 0x1000_0000;
