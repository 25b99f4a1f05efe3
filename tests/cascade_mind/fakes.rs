//! Providers that do what a test tells them, line by line over their links: no vendor, no network, no time of their own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caly_provider::asr::{self, AsrEvent, Audio, Heard, HeardWord, Recognizer};
use caly_provider::audio::AudioFormat;
use caly_provider::link::{
    Endpoint, HttpRequest, LinkDeed, LinkEvent, LinkId, LinkOrder, Message, Method, Request, Url,
};
use caly_provider::llm::{self, Decoder, Finish, Piece, Prompt, ToolRequest};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, FaultKind, RetryConfig};
use caly_provider::tts::{self, SpeechId, Synthesizer, TtsEvent};

/// What the providers of a call were asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// By the model's requests, in order.
    pub(crate) prompts: Vec<Prompt>,
    /// Texts that synthesizers were given: by which client, and of which speech.
    pub(crate) texts: Vec<(LinkId, SpeechId, String)>,
    /// Speeches that are to be said and were neither done nor cancelled.
    pub(crate) speeches: Vec<(LinkId, SpeechId)>,
}

/// Shared by all fakes of a call.
pub(crate) type Book = Arc<Mutex<Asked>>;

fn web_socket(name: &str) -> Request {
    Request::WebSocket(Endpoint { url: Url::new(format!("wss://{name}")), headers: Vec::new() })
}

fn text_of(event: &LinkEvent) -> Option<String> {
    match event {
        LinkEvent::Received(Message::Text(text)) => Some(text.clone()),
        LinkEvent::Received(Message::Binary(_)) | LinkEvent::Opened(_) | LinkEvent::Ended(_) => None,
    }
}

/// A model: `t:text`, `b:tool`, `c:id|tool|arguments`, `f` for finished, `x` for nonsense.
#[derive(Debug)]
pub(crate) struct FakeModel(pub(crate) Book);

impl llm::Vendor for FakeModel {
    fn request(&self, prompt: &Prompt) -> HttpRequest {
        self.0.lock().unwrap().prompts.push(prompt.clone());
        let endpoint = Endpoint { url: Url::new("https://llm"), headers: Vec::new() };
        HttpRequest { method: Method::Post, endpoint, body: Vec::new() }
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Lines)
    }
}

#[derive(Debug)]
struct Lines;

impl Decoder for Lines {
    fn receive(&mut self, part: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        let line = std::str::from_utf8(part).unwrap();
        let (kind, rest) = line.split_once(':').unwrap_or((line, ""));
        pieces.push(match kind {
            "t" => Piece::Text(rest.to_owned()),
            "b" => Piece::ToolBegun { name: rest.to_owned() },
            "c" => {
                let mut parts = rest.splitn(3, '|').map(str::to_owned);
                let mut next = || parts.next().unwrap_or_default();
                Piece::Tool(ToolRequest { id: next(), name: next(), arguments: next() })
            }
            "f" => Piece::Finished(Finish::Stop),
            _ => return Err(Fault::malformed("nonsense")),
        });
        Ok(())
    }

    fn end(&mut self, _pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        Err(Fault::new(FaultKind::Dropped, "the answer is not whole"))
    }

    fn argument_bytes(&self) -> usize {
        0
    }
}

/// A recognizer: `h:words so far`, `H:final words`, `T:milliseconds|final words` that begin there and take 300 ms each; the link's end is its own.
#[derive(Debug)]
pub(crate) struct FakeEars;

impl asr::Provider for FakeEars {
    fn client(&self, call: AudioFormat, mut links: LinkIds, _retry: RetryConfig) -> Box<dyn Recognizer> {
        Box::new(Listener {
            format: call,
            link: links.fresh(),
            is_open: false,
            segment: 0,
            outputs: VecDeque::new(),
        })
    }
}

#[derive(Debug)]
struct Listener {
    format: AudioFormat,
    link: LinkId,
    is_open: bool,
    segment: u32,
    outputs: VecDeque<asr::Output>,
}

impl Listener {
    fn order(&mut self, deed: LinkDeed) {
        self.outputs.push_back(asr::Output::Link(LinkOrder { link: self.link, deed }));
    }
}

impl Recognizer for Listener {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn start(&mut self, _now: Instant) {
        self.is_open = true;
        self.order(LinkDeed::Open(web_socket("asr")));
    }

    fn hear(&mut self, _now: Instant, _audio: Audio<'_>) {}

    fn finalize(&mut self, _now: Instant) {}

    fn close(&mut self, _now: Instant) {
        if std::mem::take(&mut self.is_open) {
            self.order(LinkDeed::Close);
        }
    }

    fn unsettled(&self) -> Vec<u8> {
        Vec::new()
    }

    fn handle_link(&mut self, _now: Instant, link: LinkId, event: LinkEvent) {
        if link != self.link || !self.is_open {
            return;
        }
        if let LinkEvent::Ended(end) = &event {
            self.is_open = false;
            return self.outputs.push_back(asr::Output::Event(AsrEvent::Failed(Fault::of_end(end))));
        }
        let Some(line) = text_of(&event) else { return };
        let (kind, words) = line.split_once(':').unwrap_or((&line, ""));
        let is_final = kind != "h";
        let (from, text) = words.split_once('|').unwrap_or(("", words));
        let timed = |(text, at): (&str, u64)| {
            let begins = Duration::from_millis(from.parse::<u64>().ok()? + 300 * at);
            let (text, ends) = (text.to_owned(), begins + Duration::from_millis(300));
            Some(HeardWord { text, begins, ends, confidence: None })
        };
        let words = text.split(' ').zip(0..).filter_map(timed).collect();
        let (segment, text) = (self.segment, text.to_owned());
        self.segment += u32::from(is_final);
        let heard = Heard { segment, revision: 0, text, words, is_final, language: None };
        self.outputs.push_back(asr::Output::Event(AsrEvent::Heard(heard)));
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll(&mut self) -> Option<asr::Output> {
        self.outputs.pop_front()
    }
}

/// A synthesizer: `a:milliseconds` of sound of its first speech, `e` for the end of a chunk, `d` for done; the link's end is its own.
#[derive(Debug)]
pub(crate) struct FakeVoice(pub(crate) Book);

impl tts::Provider for FakeVoice {
    fn client(&self, call: AudioFormat, mut links: LinkIds, _retry: RetryConfig) -> Box<dyn Synthesizer> {
        let (link, book) = (links.fresh(), Arc::clone(&self.0));
        Box::new(Speaker {
            book,
            format: call,
            link,
            is_open: false,
            speeches: VecDeque::new(),
            outputs: VecDeque::new(),
        })
    }
}

#[derive(Debug)]
struct Speaker {
    book: Book,
    format: AudioFormat,
    link: LinkId,
    is_open: bool,
    speeches: VecDeque<SpeechId>,
    outputs: VecDeque<tts::Output>,
}

impl Speaker {
    fn order(&mut self, deed: LinkDeed) {
        self.outputs.push_back(tts::Output::Link(LinkOrder { link: self.link, deed }));
    }

    fn tell(&mut self, event: TtsEvent) {
        self.outputs.push_back(tts::Output::Event(event));
    }

    fn is_over(&mut self, speech: SpeechId) {
        self.speeches.retain(|open| *open != speech);
        let link = self.link;
        self.book.lock().unwrap().speeches.retain(|open| *open != (link, speech));
    }
}

impl Synthesizer for Speaker {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn start(&mut self, _now: Instant, _language: &str) {
        self.is_open = true;
        self.order(LinkDeed::Open(web_socket("tts")));
    }

    fn begin(&mut self, _now: Instant, speech: SpeechId, _language: &str) {
        self.speeches.push_back(speech);
        self.book.lock().unwrap().speeches.push((self.link, speech));
    }

    fn say(&mut self, _now: Instant, speech: SpeechId, text: &str) {
        self.book.lock().unwrap().texts.push((self.link, speech, text.to_owned()));
    }

    fn finish(&mut self, _now: Instant, _speech: SpeechId) {}

    fn cancel(&mut self, _now: Instant, speech: SpeechId) {
        self.is_over(speech);
    }

    fn close(&mut self, _now: Instant) {
        while let Some(speech) = self.speeches.front().copied() {
            self.is_over(speech);
        }
        if std::mem::take(&mut self.is_open) {
            self.order(LinkDeed::Close);
        }
    }

    fn handle_link(&mut self, _now: Instant, link: LinkId, event: LinkEvent) {
        if link != self.link || !self.is_open {
            return;
        }
        if let LinkEvent::Ended(end) = &event {
            self.is_open = false;
            let fault = Fault::of_end(end);
            while let Some(speech) = self.speeches.front().copied() {
                self.is_over(speech);
                self.tell(TtsEvent::Broken { speech, fault: fault.clone() });
            }
            return self.tell(TtsEvent::Failed(fault));
        }
        let (Some(line), Some(speech)) = (text_of(&event), self.speeches.front().copied()) else { return };
        match line.split_once(':') {
            Some(("a", ms)) => {
                let bytes = vec![0x80; 8 * ms.parse::<usize>().unwrap()];
                self.tell(TtsEvent::Audio { speech, bytes });
            }
            _ if line == "e" => self.tell(TtsEvent::ChunkEnd { speech }),
            _ => {
                self.is_over(speech);
                self.tell(TtsEvent::Done { speech });
            }
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll(&mut self) -> Option<tts::Output> {
        self.outputs.pop_front()
    }
}
