//! The client of every vendor that is asked for one chunk at a time: over HTTP, or as a program. The next chunk is asked for before the one before it
//! has come, and heard behind it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::{Output, SpeechId, Synthesizer, TtsEvent};
use crate::audio::AudioFormat;
use crate::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, LinkOrder, Message, Request, ResponseHead};
use crate::onset::Onset;
use crate::policy::connection::LinkIds;
use crate::policy::{Fault, FaultKind, Patience, earliest};

/// A vendor with all that its configuration says.
pub trait RequestVendor: Send + Sync + fmt::Debug {
    /// The formats that it gives, the one that it likes best first.
    fn formats(&self) -> &[AudioFormat];

    /// Asks for the sound of a text.
    fn request(&self, format: AudioFormat, language: &str, text: &str) -> Request;

    /// Reads what one request brings.
    fn decoder(&self, format: AudioFormat) -> Box<dyn AudioDecoder>;
}

/// Finds the audio in what comes.
pub trait AudioDecoder: Send + fmt::Debug {
    /// What the response's head says.
    ///
    /// # Errors
    /// When its content is nothing that can be heard.
    fn head(&mut self, _head: &ResponseHead) -> Result<(), Fault> {
        Ok(())
    }

    /// The next part.
    ///
    /// # Errors
    /// When it is not what was asked for.
    fn receive(&mut self, part: &[u8], audio: &mut Vec<u8>) -> Result<(), Fault>;

    /// No more comes.
    ///
    /// # Errors
    /// When it is not complete.
    fn end(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// The client.
#[derive(Debug)]
pub struct Requests {
    vendor: Arc<dyn RequestVendor>,
    format: AudioFormat,
    patience: Patience,
    links: LinkIds,
    speeches: VecDeque<Speech>,
    outputs: VecDeque<Output>,
}

/// A speech whose sound has not all come.
#[derive(Debug)]
struct Speech {
    id: SpeechId,
    language: String,
    chunks: VecDeque<Chunk>,
    is_finished: bool,
}

#[derive(Debug)]
struct Chunk {
    text: String,
    request: Option<Asked>,
    is_complete: bool,
    /// Sound that comes before its turn.
    early: Vec<u8>,
}

#[derive(Debug)]
struct Asked {
    link: LinkId,
    decoder: Box<dyn AudioDecoder>,
    by: Instant,
    onset: Onset,
}

impl Requests {
    /// A client of a call.
    pub fn new(
        vendor: Arc<dyn RequestVendor>,
        format: AudioFormat,
        links: LinkIds,
        patience: Patience,
    ) -> Self {
        Self { vendor, format, patience, links, speeches: VecDeque::new(), outputs: VecDeque::new() }
    }

    /// Asks for what comes next, a few chunks ahead.
    fn ask(&mut self, now: Instant) {
        let mut open = 0;
        for speech in &mut self.speeches {
            for chunk in &mut speech.chunks {
                open += usize::from(!chunk.is_complete);
                if open > MAX_AT_ONCE {
                    return;
                }
                if chunk.is_complete || chunk.request.is_some() {
                    continue;
                }
                let request = self.vendor.request(self.format, &speech.language, &chunk.text);
                let (link, decoder) = (self.links.fresh(), self.vendor.decoder(self.format));
                let by = now + self.patience.first;
                let onset = Onset::new(self.format);
                chunk.request = Some(Asked { link, decoder, by, onset });
                self.outputs.push_back(Output::Link(LinkOrder { link, deed: LinkDeed::Open(request) }));
            }
        }
    }

    /// Tells what is due: sound and ends in the order of the text.
    fn deliver(&mut self) {
        while let Some(speech) = self.speeches.front_mut() {
            let id = speech.id;
            let Some(chunk) = speech.chunks.front_mut() else {
                if !speech.is_finished {
                    return;
                }
                self.speeches.pop_front();
                self.tell(TtsEvent::Done { speech: id });
                continue;
            };
            let (bytes, is_complete) = (std::mem::take(&mut chunk.early), chunk.is_complete);
            if is_complete {
                speech.chunks.pop_front();
            }
            if !bytes.is_empty() {
                self.tell(TtsEvent::Audio { speech: id, bytes });
            }
            if !is_complete {
                return;
            }
            self.tell(TtsEvent::ChunkEnd { speech: id });
        }
    }

    fn chunk(&mut self, link: LinkId) -> Option<(SpeechId, &mut Chunk)> {
        self.speeches.iter_mut().find_map(|speech| {
            let id = speech.id;
            let mut chunks = speech.chunks.iter_mut();
            let found = chunks.find(|chunk| chunk.request.as_ref().is_some_and(|asked| asked.link == link));
            found.map(|chunk| (id, chunk))
        })
    }

    fn received(&mut self, now: Instant, link: LinkId, part: &[u8]) -> Result<(), Fault> {
        let stall = self.patience.stall;
        let Some((_, chunk)) = self.chunk(link) else { return Ok(()) };
        let Some(asked) = &mut chunk.request else { return Ok(()) };
        let mut audio = Vec::new();
        let outcome = asked.decoder.receive(part, &mut audio);
        let sound = asked.onset.push(&audio)?;
        if asked.onset.has_sound() {
            asked.by = now + stall;
        }
        chunk.early.extend(sound);
        outcome
    }

    fn ended(&mut self, link: LinkId, end: &LinkEnd) -> Result<(), Fault> {
        let Some((_, chunk)) = self.chunk(link) else { return Ok(()) };
        let Some(asked) = &mut chunk.request else { return Ok(()) };
        if *end != LinkEnd::Complete {
            return Err(Fault::of_end(end));
        }
        asked.decoder.end()?;
        if !asked.onset.has_sound() {
            return Err(Fault::new(FaultKind::Silent, "no sound of a text"));
        }
        chunk.is_complete = true;
        chunk.request = None;
        Ok(())
    }

    /// Without one of its chunks the rest of a speech makes no sense.
    fn broke(&mut self, now: Instant, link: LinkId, fault: Fault) {
        let Some((speech, _)) = self.chunk(link) else { return };
        // What came before it is heard.
        self.deliver();
        self.cancel(now, speech);
        self.tell(TtsEvent::Broken { speech, fault });
    }

    fn tell(&mut self, event: TtsEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Synthesizer for Requests {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn start(&mut self, _now: Instant, _language: &str) {}

    fn begin(&mut self, _now: Instant, speech: SpeechId, language: &str) {
        let (language, chunks) = (language.to_owned(), VecDeque::new());
        self.speeches.push_back(Speech { id: speech, language, chunks, is_finished: false });
    }

    fn say(&mut self, now: Instant, speech: SpeechId, text: &str) {
        if let Some(open) = self.speeches.iter_mut().find(|open| open.id == speech) {
            let (text, early) = (text.to_owned(), Vec::new());
            open.chunks.push_back(Chunk { text, request: None, is_complete: false, early });
        }
        self.ask(now);
    }

    fn finish(&mut self, _now: Instant, speech: SpeechId) {
        if let Some(open) = self.speeches.iter_mut().find(|open| open.id == speech) {
            open.is_finished = true;
        }
        self.deliver();
    }

    fn cancel(&mut self, now: Instant, speech: SpeechId) {
        let Some(at) = self.speeches.iter().position(|open| open.id == speech) else { return };
        let Some(cancelled) = self.speeches.remove(at) else { return };
        for asked in cancelled.chunks.into_iter().filter_map(|chunk| chunk.request) {
            self.outputs.push_back(Output::Link(LinkOrder { link: asked.link, deed: LinkDeed::Close }));
        }
        self.deliver();
        self.ask(now);
    }

    fn close(&mut self, now: Instant) {
        while let Some(last) = self.speeches.back().map(|speech| speech.id) {
            self.cancel(now, last);
        }
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        let outcome = match event {
            LinkEvent::Opened(head) => {
                let Some((_, chunk)) = self.chunk(link) else { return };
                let verdict = chunk.request.as_mut().map_or(Ok(()), |asked| asked.decoder.head(&head));
                self.tell(TtsEvent::Ready { request_id: head.request_id });
                verdict
            }
            LinkEvent::Received(Message::Binary(part)) => self.received(now, link, &part),
            LinkEvent::Received(Message::Text(part)) => self.received(now, link, part.as_bytes()),
            LinkEvent::Ended(end) => self.ended(link, &end),
        };
        if let Err(fault) = outcome {
            self.broke(now, link, fault);
        }
        self.deliver();
        self.ask(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let chunks = self.speeches.iter().flat_map(|speech| &speech.chunks);
        let asked = chunks.filter_map(|chunk| chunk.request.as_ref());
        let late: Vec<LinkId> = asked.filter(|asked| asked.by <= now).map(|asked| asked.link).collect();
        for link in late {
            self.broke(now, link, Fault::new(FaultKind::Timeout, "the sound of a text did not come in time"));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let chunks = self.speeches.iter().flat_map(|speech| &speech.chunks);
        earliest(chunks.map(|chunk| chunk.request.as_ref().map(|asked| asked.by)))
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

/// The chunk that is heard, and the next one.
const MAX_AT_ONCE: usize = 2;

#[cfg(test)]
mod tests;
