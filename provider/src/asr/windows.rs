//! A recognizer made of a server that knows only whole recordings: it is asked again and again while the caller speaks, each time for
//! what is not settled, with one request at a time. Nobody speaks: nothing is asked.
//!
//! The words of a window replace those of the window before it, but for those that are settled ([`transcript`]). The last window of a
//! segment, asked for when the owner finalizes or after silence, may revise all that is not settled: there punctuation comes late.

mod segment;
mod transcript;

pub(super) use transcript::Token;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::whisper::{Transcription, Whisper};
use super::{AsrEvent, Audio, Heard, Output, Recognizer};
use crate::audio::AudioFormat;
use crate::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, LinkOrder, Message};
use crate::policy::connection::LinkIds;
use crate::policy::{Fault, FaultKind, Patience, Retry, RetryConfig, earliest};
use segment::{LEAST_SPEECH, Segment};
use transcript::{Settle, Transcript};

/// How the server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowsConfig {
    /// [`WindowsMode::Rolling`] by default.
    pub mode: WindowsMode,
    /// New audio after which it is asked again, in milliseconds: 200 to 300 for rolling windows (250 by default), 500 to 800 for chunks. A
    /// server that takes longer to answer is asked when it has.
    pub every_ms: u32,
    /// How far a window reaches back into what is settled, in milliseconds; 50 by default.
    pub overlap_ms: u32,
    /// Audio that is kept, and so the longest window, in milliseconds: 3000 to 5000; 4000 by default. Shortly before a window gets as long,
    /// its words are settled.
    pub longest_ms: u32,
    /// Silence after which a segment is final without being finalized, in milliseconds; 800 by default, 0 for never.
    pub silence_ms: u32,
}

/// Which audio a window has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowsMode {
    /// All since the last settled word: words come early and are revised.
    Rolling,
    /// What is new: each piece is heard once, for servers that are too slow for more.
    Chunked,
}

impl WindowsConfig {
    /// For servers that take less than half of the audio's time.
    pub const ROLLING: Self = Self {
        mode: WindowsMode::Rolling,
        every_ms: 250,
        overlap_ms: 50,
        longest_ms: 4_000,
        silence_ms: 800,
    };
    /// For those that are slower.
    pub const CHUNKED: Self = Self { mode: WindowsMode::Chunked, every_ms: 600, ..Self::ROLLING };
}

/// The recognizer. Positions are bytes since the first audio.
#[derive(Debug)]
pub struct Windows {
    server: Whisper,
    format: AudioFormat,
    config: WindowsConfig,
    patience: Patience,
    retry: Retry,
    links: LinkIds,
    ring: VecDeque<u8>,
    ring_from: u64,
    present: Option<Segment>,
    /// Speech behind the present segment's end, whose last answer is not here.
    next: Option<Segment>,
    exchange: Option<Exchange>,
    /// Not before that is it asked again.
    not_before: Option<Instant>,
    last_audio: Option<Instant>,
    is_open: bool,
    segment: u32,
    revision: u32,
    outputs: VecDeque<Output>,
    lost_bytes: u64,
}

#[derive(Debug)]
struct Exchange {
    link: LinkId,
    from: u64,
    to: u64,
    by: Instant,
    body: Vec<u8>,
    request_id: Option<String>,
}

impl Windows {
    /// A recognizer that has not begun. A request has `patience.connect` and `patience.first` together until its answer is complete.
    pub fn new(
        server: Whisper,
        config: WindowsConfig,
        links: LinkIds,
        patience: Patience,
        retry: RetryConfig,
    ) -> Self {
        let format = server.formats().first().copied().unwrap_or(AudioFormat::PCM_16K);
        Self {
            server,
            format,
            config,
            patience,
            retry: Retry::new(retry),
            links,
            ring: VecDeque::new(),
            ring_from: 0,
            present: None,
            next: None,
            exchange: None,
            not_before: None,
            last_audio: None,
            is_open: false,
            segment: 0,
            revision: 0,
            outputs: VecDeque::new(),
            lost_bytes: 0,
        }
    }

    /// The same for audio of another of the server's formats.
    #[must_use]
    pub fn with_format(mut self, format: AudioFormat) -> Self {
        self.format = format;
        self
    }

    /// Audio of speech that nobody was asked about, as the server took too long, in bytes.
    pub fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    fn position(&self) -> u64 {
        self.ring_from + self.ring.len() as u64
    }

    fn bytes(&self, ms: u32) -> u64 {
        self.format.bytes(Duration::from_millis(ms.into())) as u64
    }

    /// Speech belongs to the present segment until that has an end.
    fn spoken(&mut self, from: u64, speech: Duration) {
        let to = self.position();
        let lead = self.format.bytes(LEAD) as u64;
        let format = self.format;
        let floor = self.ring_from;
        let open = |floor: u64| {
            let begins = from.saturating_sub(lead).max(floor);
            let tail = format.bytes(TAIL) as u64;
            Segment::begun(begins, tail, Transcript::begun(format.duration(begins)))
        };
        let segment = match &mut self.present {
            Some(present) if present.ends.is_none() => present,
            Some(present) => {
                let floor = floor.max(present.ends.unwrap_or(floor));
                let next = self.next.get_or_insert_with(|| open(floor));
                // There is no room for a third one: the server is behind by two, and they become one.
                next.ends = None;
                next
            }
            none @ None => none.insert(open(floor)),
        };
        segment.spoken += speech;
        segment.speech_to = to;
    }

    /// Only what a window may still need is kept.
    fn keep_bounded(&mut self) {
        let overlap = self.bytes(self.config.overlap_ms);
        let needed = match &self.present {
            Some(present) => self.position_of(present.transcript.settled_to()).saturating_sub(overlap),
            None => self.position().saturating_sub(self.format.bytes(LEAD) as u64),
        };
        let least = self.position().saturating_sub(self.bytes(self.config.longest_ms));
        let from = needed.max(least).clamp(self.ring_from, self.position());
        let spent = usize::try_from(from - self.ring_from).unwrap_or(usize::MAX).min(self.ring.len());
        // Samples stay whole.
        let spent = spent - spent % self.format.bytes_per_sample() as usize;
        self.ring.drain(..spent);
        self.ring_from += spent as u64;
    }

    fn position_of(&self, time: Duration) -> u64 {
        self.format.bytes(time) as u64
    }

    /// Ends the last segment here, to be told once all of it is answered.
    fn end_segment(&mut self, now: Instant) {
        let position = self.position();
        if let Some(last) = self.next.as_mut().or(self.present.as_mut()) {
            last.ends.get_or_insert(position);
        }
        self.go_on(now);
    }

    fn last_segment(&self) -> Option<&Segment> {
        self.next.as_ref().or(self.present.as_ref())
    }

    /// Finishes what is complete, and asks for what is due.
    fn go_on(&mut self, now: Instant) {
        while self.is_open && self.exchange.is_none() {
            let Some(present) = &self.present else { break };
            if present.is_complete() {
                self.finish();
                continue;
            }
            if self.is_due(now, present) {
                self.ask(now);
            }
            break;
        }
        self.keep_bounded();
    }

    fn is_due(&self, now: Instant, segment: &Segment) -> bool {
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return false;
        }
        let asked = match self.config.mode {
            WindowsMode::Rolling => segment.asked_to,
            WindowsMode::Chunked => self.position_of(segment.transcript.settled_to()),
        };
        let is_news = segment.has_more_than(segment.asked_to) && segment.spoken >= LEAST_SPEECH;
        let is_enough = self.position().saturating_sub(asked) >= self.bytes(self.config.every_ms);
        segment.ends.is_some() || (is_news && is_enough)
    }

    fn ask(&mut self, now: Instant) {
        let (position, overlap) = (self.position(), self.bytes(self.config.overlap_ms));
        let Some(present) = &mut self.present else { return };
        let to = present.ends.unwrap_or(position);
        let settled_to = self.format.bytes(present.transcript.settled_to()) as u64;
        // What fell out of the ring before it was ever asked about is lost.
        let heard_to = settled_to.max(present.answered_to);
        self.lost_bytes += self.ring_from.min(to).saturating_sub(heard_to);
        present.answered_to = heard_to.max(self.ring_from.min(to));
        let from = settled_to.saturating_sub(overlap).max(present.begins).max(self.ring_from).min(to);
        present.asked_to = to;
        // The whole segment may have fallen out: then nothing is left of it.
        let at =
            |position: u64| usize::try_from(position.saturating_sub(self.ring_from)).unwrap_or(usize::MAX);
        let pcm: Vec<u8> = self.ring.range(at(from)..at(to).min(self.ring.len())).copied().collect();
        if pcm.is_empty() {
            // All of it fell out: what is known is all that will be.
            present.answered_to = to;
            self.finish_if_complete();
            return;
        }
        let link = self.links.fresh();
        let deed = LinkDeed::Open(self.server.request(self.format, &pcm));
        self.outputs.push_back(Output::Link(LinkOrder { link, deed }));
        let by = now + self.patience.connect + self.patience.first;
        self.exchange = Some(Exchange { link, from, to, by, body: Vec::new(), request_id: None });
    }

    fn finish_if_complete(&mut self) {
        if self.present.as_ref().is_some_and(Segment::is_complete) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.tell_words(true);
        self.present = self.next.take();
    }

    fn answered(&mut self, now: Instant, exchange: &Exchange, answer: Transcription) {
        self.retry.succeeded();
        let heard = self.format.duration(exchange.to - exchange.from);
        self.tell(AsrEvent::Metered(heard));
        let settle = self.settle(exchange);
        let begins = self.format.duration(exchange.from);
        let until = self.format.duration(exchange.to);
        let Some(present) = &mut self.present else { return };
        let mut words = answer.words;
        for word in &mut words {
            word.times = word.times.map(|(from, to)| (begins + from.min(heard), begins + to.min(heard)));
        }
        present.answered_to = exchange.to;
        present.language = answer.language.or(present.language.take());
        present.transcript.hear(words, until, settle);
        if present.transcript.len() > MAX_WORDS {
            present.ends.get_or_insert(exchange.to);
        }
        if !present.is_complete() {
            self.tell_words(false);
        }
        self.go_on(now);
    }

    fn settle(&self, exchange: &Exchange) -> Settle {
        let is_last = self
            .present
            .as_ref()
            .is_some_and(|present| present.ends.is_some() && !present.has_more_than(exchange.to));
        let length = exchange.to - exchange.from;
        let longest = self.bytes(self.config.longest_ms);
        match self.config.mode {
            WindowsMode::Chunked => Settle::All,
            WindowsMode::Rolling if is_last => Settle::All,
            // A second before the ring is full, or too late already.
            WindowsMode::Rolling if length >= longest / 4 * 3 || exchange.from < self.ring_from => {
                Settle::Most
            }
            // Servers hear better with something before the words.
            WindowsMode::Rolling if length >= longest / 2 => Settle::Agreed,
            WindowsMode::Rolling => Settle::Nothing,
        }
    }

    fn tell_words(&mut self, is_final: bool) {
        let Some(present) = &mut self.present else { return };
        let text = present.transcript.text();
        let is_news = is_final || text != present.told;
        // A segment without words is no news to anybody.
        if !is_news || (text.is_empty() && self.revision == 0) {
            return;
        }
        present.told.clone_from(&text);
        let (words, language) = (present.transcript.words(), present.language.clone());
        let (segment, revision) = (self.segment, self.revision);
        self.revision += 1;
        if is_final {
            self.segment += 1;
            self.revision = 0;
        }
        self.tell(AsrEvent::Heard(Heard { segment, revision, text, words, is_final, language }));
    }

    /// Nothing was settled by it: the next window has all of its audio.
    fn failed(&mut self, now: Instant, fault: Fault) {
        let Some(exchange) = self.exchange.take() else { return };
        let fault = fault.with_request_id(exchange.request_id.as_deref());
        if let Some(present) = &mut self.present {
            present.asked_to = present.answered_to;
        }
        self.not_before = self.retry.failed(now, &fault);
        if self.not_before.is_none() {
            self.is_open = false;
            self.tell(AsrEvent::Failed(fault));
            return;
        }
        self.tell(AsrEvent::Lost(fault));
        self.go_on(now);
    }

    fn close_exchange(&mut self) {
        if let Some(exchange) = &self.exchange {
            let order = LinkOrder { link: exchange.link, deed: LinkDeed::Close };
            self.outputs.push_back(Output::Link(order));
        }
    }

    fn ended(&mut self, now: Instant, end: &LinkEnd) {
        let LinkEnd::Complete = end else {
            return self.failed(now, Fault::of_end(end));
        };
        let Some(exchange) = &self.exchange else { return };
        match self.server.read(&exchange.body) {
            Ok(answer) => {
                if let Some(exchange) = self.exchange.take() {
                    self.answered(now, &exchange, answer);
                }
            }
            Err(fault) => self.failed(now, fault),
        }
    }

    fn silence_due(&self) -> Option<Instant> {
        let is_open = self.last_segment().is_some_and(|last| last.ends.is_none());
        let silence = Duration::from_millis(self.config.silence_ms.into());
        (is_open && self.is_open && !silence.is_zero()).then_some(self.last_audio? + silence)
    }

    fn tell(&mut self, event: AsrEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Recognizer for Windows {
    fn format(&self) -> AudioFormat {
        self.format
    }

    /// There is no connection between requests: it listens at once.
    fn start(&mut self, _now: Instant) {
        self.is_open = true;
        self.tell(AsrEvent::Ready { request_id: None });
    }

    fn hear(&mut self, now: Instant, audio: Audio<'_>) {
        if !self.is_open {
            return;
        }
        let from = self.position();
        self.ring.extend(audio.bytes);
        self.last_audio = Some(now);
        if !audio.speech.is_zero() {
            self.spoken(from, audio.speech);
        }
        let (position, silence) = (self.position(), self.bytes(self.config.silence_ms));
        let is_silent = self.last_segment().is_some_and(|last| position - last.speech_to >= silence);
        if self.config.silence_ms > 0 && is_silent {
            self.end_segment(now);
        } else {
            self.go_on(now);
        }
    }

    fn finalize(&mut self, now: Instant) {
        self.end_segment(now);
    }

    fn close(&mut self, _now: Instant) {
        self.close_exchange();
        self.exchange = None;
        self.is_open = false;
    }

    fn unsettled(&self) -> Vec<u8> {
        self.ring.iter().copied().collect()
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.link == link) else { return };
        match event {
            LinkEvent::Opened(head) => exchange.request_id = head.request_id,
            LinkEvent::Received(message) => {
                let part = match message {
                    Message::Text(text) => text.into_bytes(),
                    Message::Binary(bytes) => bytes,
                };
                if exchange.body.len() + part.len() > MAX_ANSWER_BYTES {
                    let fault = Fault::new(FaultKind::TooLong, "an answer without an end");
                    self.close_exchange();
                    self.failed(now, fault);
                } else {
                    exchange.body.extend(part);
                }
            }
            LinkEvent::Ended(end) => self.ended(now, &end),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.exchange.as_ref().is_some_and(|exchange| exchange.by <= now) {
            let waited = self.patience.connect + self.patience.first;
            let fault = Fault::new(FaultKind::Timeout, format!("no answer within {} ms", waited.as_millis()));
            self.close_exchange();
            self.failed(now, fault);
        }
        if self.silence_due().is_some_and(|due| due <= now) {
            self.end_segment(now);
        }
        if self.not_before.is_some_and(|not_before| not_before <= now) {
            self.not_before = None;
            self.go_on(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let not_before = self.not_before.filter(|_| self.is_open);
        earliest([self.exchange.as_ref().map(|exchange| exchange.by), self.silence_due(), not_before])
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

/// Audio before the first speech: detectors are late by so much, and first sounds are soft.
const LEAD: Duration = Duration::from_millis(200);
/// Audio behind the last speech that is heard with it: last sounds are soft, too.
const TAIL: Duration = Duration::from_millis(100);
/// Who talks for so long is told in two segments: two minutes of speech.
const MAX_WORDS: usize = 400;
/// Four seconds of words with their times take a few kilobytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
