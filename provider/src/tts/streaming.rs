//! The client of every vendor that takes text on a WebSocket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::{Output, SpeechId, SpokenWord, Synthesizer, Told, TtsEvent, Vendor, Wire};
use crate::audio::AudioFormat;
use crate::link::{LinkEvent, LinkId, Message};
use crate::onset::Onset;
use crate::policy::connection::{Connection, ConnectionEvent, LinkIds};
use crate::policy::{Fault, FaultKind, Patience, RetryConfig, earliest};

/// The client.
#[derive(Debug)]
pub struct Streaming {
    vendor: Arc<dyn Vendor>,
    format: AudioFormat,
    language: String,
    patience: Patience,
    wire: Box<dyn Wire>,
    connection: Connection,
    speeches: VecDeque<Speech>,
    outputs: VecDeque<Output>,
}

/// A speech whose sound has not all come.
#[derive(Debug)]
struct Speech {
    id: SpeechId,
    language: String,
    /// What waits for the connection.
    unsent: Vec<Text>,
    is_finished: bool,
    /// Sound is due by then.
    by: Option<Instant>,
    onset: Onset,
    has_text: bool,
}

#[derive(Debug)]
enum Text {
    Begin,
    Chunk(String),
    Finish,
}

impl Streaming {
    /// A client that has not begun.
    pub fn new(
        vendor: Arc<dyn Vendor>,
        format: AudioFormat,
        links: LinkIds,
        patience: Patience,
        retry: RetryConfig,
    ) -> Self {
        Self {
            wire: vendor.wire(format, ""),
            vendor,
            format,
            language: String::new(),
            patience,
            connection: Connection::new(links, patience.connect, retry),
            speeches: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    fn open(&mut self, now: Instant) {
        if self.connection.is_closed() {
            self.wire = self.vendor.wire(self.format, &self.language);
            self.connection.open(now, self.wire.request());
        }
    }

    /// Another connection, for what this one cannot do.
    fn reopen(&mut self, now: Instant) {
        self.goodbye(now);
        self.open(now);
    }

    fn goodbye(&mut self, now: Instant) {
        if self.connection.is_ready()
            && let Some(message) = self.wire.goodbye()
        {
            self.connection.send(now, message);
        }
        self.connection.close();
    }

    fn handle_connection(&mut self, now: Instant, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(head) => {
                for message in self.wire.greeting() {
                    self.connection.send(now, message);
                }
                if !self.wire.confirms() {
                    self.ready(now, head.request_id);
                }
            }
            ConnectionEvent::Received(message) => self.received(now, &message),
            ConnectionEvent::Lost(fault) => {
                self.wire = self.vendor.wire(self.format, &self.language);
                self.break_speeches(&fault);
                self.tell(TtsEvent::Lost(fault));
            }
            ConnectionEvent::Failed(fault) => {
                self.break_speeches(&fault);
                self.tell(TtsEvent::Failed(fault));
            }
        }
    }

    /// Who owns the speeches knows what was heard of them, and whether the rest is worth another try.
    fn break_speeches(&mut self, fault: &Fault) {
        for speech in std::mem::take(&mut self.speeches) {
            self.tell(TtsEvent::Broken { speech: speech.id, fault: fault.clone() });
        }
    }

    fn ready(&mut self, now: Instant, request_id: Option<String>) {
        self.connection.ready(now);
        if let Some((every, message)) = self.wire.keep_alive() {
            self.connection.keep_alive(every, message);
        }
        self.tell(TtsEvent::Ready { request_id });
        self.send_texts(now);
    }

    /// Whatever waits in all speeches, in their order.
    fn send_texts(&mut self, now: Instant) {
        if !self.connection.is_ready() {
            return;
        }
        self.wire.clock(now);
        for at in 0..self.speeches.len() {
            if !self.may_begin(now, at) {
                // Nothing is due of what waits for others.
                self.speeches.iter_mut().skip(at).for_each(|speech| speech.by = None);
                return;
            }
            let speech = &mut self.speeches[at];
            for text in speech.unsent.drain(..) {
                let messages = match &text {
                    Text::Begin => self.wire.begin(speech.id),
                    Text::Chunk(text) => self.wire.text(speech.id, text),
                    Text::Finish => self.wire.finish(speech.id),
                };
                speech.by = match text {
                    Text::Begin => None,
                    Text::Chunk(_) if self.wire.holds_back(speech.id) => speech.by,
                    Text::Chunk(_) => speech.by.or(Some(now + self.patience.first)),
                    Text::Finish => Some(now + self.patience.first),
                };
                messages.into_iter().for_each(|message| self.connection.send(now, message));
            }
        }
    }

    /// Whether a speech goes on, or can begin on this connection. What is still being said is heard to its end before there is another one.
    fn may_begin(&mut self, now: Instant, at: usize) -> bool {
        let speech = &self.speeches[at];
        let begins = matches!(speech.unsent.first(), Some(Text::Begin));
        if !begins || (self.wire.speaks(&speech.language) && self.wire.has_room()) {
            return true;
        }
        if at == 0 {
            self.language.clone_from(&speech.language);
            self.reopen(now);
        }
        false
    }

    fn queue(&mut self, now: Instant, speech: SpeechId, text: Text) {
        if let Some(open) = self.speeches.iter_mut().find(|open| open.id == speech) {
            open.is_finished |= matches!(text, Text::Finish);
            open.has_text |= matches!(text, Text::Chunk(_));
            open.unsent.push(text);
        }
        self.send_texts(now);
    }

    fn received(&mut self, now: Instant, message: &Message) {
        let mut told = Vec::new();
        let outcome = self.wire.receive(message, &mut told);
        told.into_iter().for_each(|told| self.told(now, told));
        if let Err(fault) = outcome {
            self.fail(now, fault);
        }
    }

    fn told(&mut self, now: Instant, told: Told) {
        match told {
            Told::Ready { request_id } if !self.connection.is_ready() => self.ready(now, request_id),
            Told::Ready { .. } => {}
            Told::Audio { speech, bytes } => self.audio(now, speech, bytes),
            Told::Words { speech, words } => self.words(speech, words),
            Told::ChunkEnd { speech } => self.chunk_end(now, speech),
            Told::Done { speech } => self.done(now, speech),
            Told::Broken { speech, fault } => {
                if self.is_open(speech) {
                    self.speeches.retain(|open| open.id != speech);
                    self.tell(TtsEvent::Broken { speech, fault });
                    self.send_texts(now);
                }
            }
            Told::Say(message) => self.connection.send(now, message),
            Told::Warning(text) => self.tell(TtsEvent::Warning(text)),
        }
    }

    fn audio(&mut self, now: Instant, speech: SpeechId, bytes: Vec<u8>) {
        let stall = self.patience.stall;
        let Some(open) = self.speeches.iter_mut().find(|open| open.id == speech) else { return };
        match open.onset.push(&bytes) {
            Ok(sound) => {
                if open.onset.has_sound() {
                    // When the text is not all there, who knows whether more sound is due.
                    open.by = open.is_finished.then(|| now + stall);
                }
                if !sound.is_empty() {
                    self.tell(TtsEvent::Audio { speech, bytes: sound });
                }
            }
            Err(fault) => self.fail(now, fault),
        }
    }

    /// What was left out before the first sound is no time that anybody hears.
    fn words(&mut self, speech: SpeechId, mut words: Vec<SpokenWord>) {
        let Some(open) = self.speeches.iter().find(|open| open.id == speech) else { return };
        let trimmed = open.onset.trimmed();
        for word in &mut words {
            word.begins = word.begins.saturating_sub(trimmed);
            word.ends = word.ends.saturating_sub(trimmed);
        }
        self.tell(TtsEvent::Words { speech, words });
    }

    fn chunk_end(&mut self, now: Instant, speech: SpeechId) {
        if self.is_heard(now, speech) {
            self.tell(TtsEvent::ChunkEnd { speech });
        }
    }

    /// A text of which there is no sound is a fault.
    fn is_heard(&mut self, now: Instant, speech: SpeechId) -> bool {
        let Some(open) = self.speeches.iter().find(|open| open.id == speech) else { return false };
        let is_heard = open.onset.has_sound() || !open.has_text;
        if !is_heard {
            self.fail(now, Fault::new(FaultKind::Silent, "no sound of a text"));
        }
        is_heard
    }

    fn done(&mut self, now: Instant, speech: SpeechId) {
        if !self.is_heard(now, speech) {
            return;
        }
        self.speeches.retain(|open| open.id != speech);
        self.tell(TtsEvent::Done { speech });
        self.send_texts(now);
    }

    fn fail(&mut self, now: Instant, fault: Fault) {
        let event = self.connection.fail(now, fault);
        self.handle_connection(now, event);
    }

    fn is_open(&self, speech: SpeechId) -> bool {
        self.speeches.iter().any(|open| open.id == speech)
    }

    fn tell(&mut self, event: TtsEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Synthesizer for Streaming {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn start(&mut self, now: Instant, language: &str) {
        language.clone_into(&mut self.language);
        self.open(now);
    }

    fn begin(&mut self, now: Instant, speech: SpeechId, language: &str) {
        if self.speeches.is_empty() && self.language != language {
            language.clone_into(&mut self.language);
            if !self.connection.is_closed() && !self.connection.is_ready() && !self.wire.speaks(language) {
                self.reopen(now);
            }
        }
        self.open(now);
        let by = Some(now + self.patience.connect + self.patience.first);
        let (language, unsent, onset) = (language.to_owned(), vec![Text::Begin], Onset::new(self.format));
        let (is_finished, has_text) = (false, false);
        self.speeches.push_back(Speech { id: speech, language, unsent, is_finished, by, onset, has_text });
        self.send_texts(now);
    }

    fn say(&mut self, now: Instant, speech: SpeechId, text: &str) {
        self.queue(now, speech, Text::Chunk(text.to_owned()));
    }

    fn finish(&mut self, now: Instant, speech: SpeechId) {
        self.queue(now, speech, Text::Finish);
    }

    fn cancel(&mut self, now: Instant, speech: SpeechId) {
        let Some(at) = self.speeches.iter().position(|open| open.id == speech) else { return };
        let cancelled = self.speeches.remove(at);
        let is_known = cancelled.is_some_and(|speech| !matches!(speech.unsent.first(), Some(Text::Begin)));
        if !is_known || !self.connection.is_ready() {
            return self.send_texts(now);
        }
        match self.wire.cancel(speech) {
            Some(messages) => {
                messages.into_iter().for_each(|message| self.connection.send(now, message));
                self.send_texts(now);
            }
            None => {
                let fault =
                    Fault::new(FaultKind::Dropped, "the vendor stops a speech only with its connection");
                self.break_speeches(&fault);
                self.reopen(now);
            }
        }
    }

    fn close(&mut self, now: Instant) {
        self.speeches.clear();
        self.goodbye(now);
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        let why = |code, reason: &str| self.wire.closed(code, reason);
        if let Some(event) = self.connection.handle_link(now, link, event, why) {
            self.handle_connection(now, event);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(event) = self.connection.handle_timeout(now) {
            self.handle_connection(now, event);
        }
        if self.speeches.iter().any(|speech| speech.by.is_some_and(|by| by <= now)) {
            self.fail(now, Fault::new(FaultKind::Timeout, "the sound of a text did not come in time"));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.speeches.iter().map(|speech| speech.by).chain([self.connection.poll_timeout()]))
    }

    fn poll(&mut self) -> Option<Output> {
        self.connection.poll_order().map(Output::Link).or_else(|| self.outputs.pop_front())
    }
}

#[cfg(test)]
mod tests;
