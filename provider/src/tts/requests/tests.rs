use std::time::Duration;

use super::*;
use crate::link::{Endpoint, HttpRequest, LinkFailure, Method, RefusedStatus, Url};
use crate::tts::wav::Plain;

#[derive(Debug)]
struct Echo;

impl RequestVendor for Echo {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::PCM_8K] }
    }

    fn request(&self, _format: AudioFormat, _language: &str, text: &str) -> Request {
        let endpoint = Endpoint { url: Url::new(text), headers: Vec::new() };
        Request::Http(HttpRequest { method: Method::Post, endpoint, body: Vec::new() })
    }

    fn decoder(&self, format: AudioFormat) -> Box<dyn AudioDecoder> {
        Box::new(Plain::new(format))
    }
}

struct Stage {
    tts: Requests,
    epoch: Instant,
    links: Vec<LinkId>,
    told: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let tts = Requests::new(Arc::new(Echo), AudioFormat::PCM_8K, LinkIds::of_client(2), Patience::TTS);
        Self { tts, epoch: Instant::now(), links: Vec::new(), told: Vec::new() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.epoch + Duration::from_millis(ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.tts.poll() {
            self.told.push(match output {
                Output::Link(LinkOrder { link, deed: LinkDeed::Open(Request::Http(request)) }) => {
                    self.links.push(link);
                    format!("ask {}", request.endpoint.url.as_str())
                }
                Output::Link(LinkOrder { link, .. }) => {
                    format!("close {}", self.links.iter().position(|opened| *opened == link).unwrap())
                }
                Output::Event(TtsEvent::Audio { speech, bytes }) => {
                    format!("sound {} {}", speech.0, bytes.len())
                }
                Output::Event(TtsEvent::ChunkEnd { speech }) => format!("chunk of {}", speech.0),
                Output::Event(TtsEvent::Done { speech }) => format!("done {}", speech.0),
                Output::Event(TtsEvent::Broken { speech, fault }) => {
                    format!("broken {} {}", speech.0, fault.kind)
                }
                Output::Event(event) => panic!("{event:?}"),
            });
        }
    }

    fn speak(&mut self, speech: u64, chunks: &[&str]) {
        let now = self.at(0);
        self.tts.begin(now, SpeechId(speech), "hi");
        chunks.iter().for_each(|chunk| self.tts.say(now, SpeechId(speech), chunk));
        self.tts.finish(now, SpeechId(speech));
        self.drain();
    }

    fn sound(&mut self, ms: u64, link: usize, bytes: usize) {
        let event = LinkEvent::Received(Message::Binary(vec![1; bytes]));
        self.tts.handle_link(self.at(ms), self.links[link], event);
        self.drain();
    }

    fn ended(&mut self, ms: u64, link: usize, end: LinkEnd) {
        self.tts.handle_link(self.at(ms), self.links[link], LinkEvent::Ended(end));
        self.drain();
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn the_next_chunk_is_asked_for_ahead_and_heard_behind() {
    let mut stage = Stage::new();
    stage.speak(1, &["a", "b", "c"]);
    assert_eq!(stage.told(), ["ask a", "ask b"]);
    stage.sound(100, 1, 40);
    stage.ended(110, 1, LinkEnd::Complete);
    assert_eq!(stage.told(), ["ask c"], "b has come and waits for a");
    stage.sound(120, 0, 21);
    assert_eq!(stage.told(), ["sound 1 20"]);
    stage.sound(130, 0, 1);
    stage.ended(140, 0, LinkEnd::Complete);
    assert_eq!(stage.told(), ["sound 1 2", "chunk of 1", "sound 1 40", "chunk of 1"]);
    stage.sound(150, 2, 30);
    stage.ended(160, 2, LinkEnd::Complete);
    assert_eq!(stage.told(), ["sound 1 30", "chunk of 1", "done 1"]);
    assert_eq!(stage.tts.poll_timeout(), None);
}

#[test]
fn a_chunk_that_fails_breaks_its_speech_behind_what_came() {
    let refused = RefusedStatus { status: 500, retry_after: None, body: String::new(), request_id: None };
    let ends = [
        (LinkEnd::Failed(LinkFailure::Status(Box::new(refused))), "unavailable"),
        (LinkEnd::Failed(LinkFailure::Broken(String::new())), "dropped"),
        (LinkEnd::Complete, "silent"),
    ];
    for (end, kind) in ends {
        let mut stage = Stage::new();
        stage.speak(1, &["a", "b"]);
        stage.sound(100, 0, 40);
        stage.told();
        stage.ended(110, 1, end);
        let told = stage.told();
        assert_eq!(told.last().unwrap(), &format!("broken 1 {kind}"));
        assert!(told.contains(&"close 0".to_owned()), "{told:?}");
    }
}

#[test]
fn what_does_not_come_in_time_is_a_fault() {
    let mut stage = Stage::new();
    stage.speak(1, &["a"]);
    stage.tts.handle_timeout(stage.at(1_999));
    stage.tts.handle_timeout(stage.at(2_000));
    stage.drain();
    assert_eq!(stage.told(), ["ask a", "close 0", "broken 1 timeout"]);
}

#[test]
fn what_was_cancelled_makes_room_for_the_next() {
    let mut stage = Stage::new();
    stage.speak(1, &["a", "b", "c"]);
    stage.speak(2, &["d"]);
    assert_eq!(stage.told(), ["ask a", "ask b"]);
    stage.tts.cancel(stage.at(10), SpeechId(1));
    stage.drain();
    assert_eq!(stage.told(), ["close 0", "close 1", "ask d"]);
    stage.sound(20, 0, 40);
    stage.sound(30, 2, 40);
    stage.ended(40, 2, LinkEnd::Complete);
    assert_eq!(stage.told(), ["sound 2 40", "chunk of 2", "done 2"]);
}
