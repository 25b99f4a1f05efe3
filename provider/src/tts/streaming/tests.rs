use std::time::Duration;

use super::*;
use crate::link::{Endpoint, LinkDeed, Request, ResponseHead, Url};

/// A vendor whose messages are plain words.
#[derive(Debug)]
struct Plain {
    can_cancel: bool,
}

#[derive(Debug)]
struct PlainWire {
    language: String,
    can_cancel: bool,
    /// There is room for two.
    open: usize,
}

impl Vendor for Plain {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::PCM_8K] }
    }

    fn wire(&self, _format: AudioFormat, language: &str) -> Box<dyn Wire> {
        Box::new(PlainWire { language: language.to_owned(), can_cancel: self.can_cancel, open: 0 })
    }
}

impl Wire for PlainWire {
    fn request(&self) -> Request {
        let url = Url::new(format!("ws://plain/{}", self.language));
        Request::WebSocket(Endpoint { url, headers: Vec::new() })
    }

    fn speaks(&mut self, language: &str) -> bool {
        self.language == language
    }

    fn has_room(&self) -> bool {
        self.open < 2
    }

    fn begin(&mut self, _speech: SpeechId) -> Vec<Message> {
        self.open += 1;
        Vec::new()
    }

    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message> {
        vec![Message::Text(format!("{}:{text}", speech.0))]
    }

    fn finish(&mut self, speech: SpeechId) -> Vec<Message> {
        vec![Message::Text(format!("{} ends", speech.0))]
    }

    fn cancel(&mut self, speech: SpeechId) -> Option<Vec<Message>> {
        self.can_cancel.then(|| vec![Message::Text(format!("{} stops", speech.0))])
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        match message {
            Message::Binary(bytes) => {
                told.push(Told::Audio { speech: SpeechId(u64::from(bytes[0])), bytes: bytes[1..].to_vec() });
            }
            Message::Text(text) if text == "ping" => told.push(Told::Say(Message::Text("pong".to_owned()))),
            Message::Text(text) => {
                if let Some(speech) = text.strip_prefix("broken ") {
                    let speech = SpeechId(speech.parse().map_err(Fault::malformed)?);
                    told.push(Told::Broken { speech, fault: Fault::new(FaultKind::Refused, "") });
                    return Ok(());
                }
                self.open -= 1;
                let speech = text.parse().map_err(Fault::malformed)?;
                told.push(Told::Done { speech: SpeechId(speech) });
            }
        }
        Ok(())
    }
}

struct Stage {
    tts: Streaming,
    epoch: Instant,
    link: LinkId,
    told: Vec<String>,
}

impl Stage {
    fn new(can_cancel: bool) -> Self {
        let vendor = Arc::new(Plain { can_cancel });
        let ids = LinkIds::of_client(2);
        let tts = Streaming::new(vendor, AudioFormat::PCM_8K, ids, Patience::TTS, RetryConfig::CONNECTION);
        let mut stage = Self { tts, epoch: Instant::now(), link: LinkId(0), told: Vec::new() };
        stage.tts.start(stage.epoch, "hi");
        stage.drain();
        stage
    }

    fn at(&self, ms: u64) -> Instant {
        self.epoch + Duration::from_millis(ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.tts.poll() {
            self.told.push(match output {
                Output::Link(order) => match order.deed {
                    LinkDeed::Open(Request::WebSocket(endpoint)) => {
                        self.link = order.link;
                        format!("open {}", endpoint.url.as_str().trim_start_matches("ws://plain/"))
                    }
                    LinkDeed::Open(_) => panic!("no WebSocket"),
                    LinkDeed::Send(Message::Text(text)) => text,
                    LinkDeed::Send(Message::Binary(_)) => panic!("binary"),
                    LinkDeed::Close => "close".to_owned(),
                },
                Output::Event(TtsEvent::Audio { speech, bytes }) => format!("sound {} {bytes:?}", speech.0),
                Output::Event(TtsEvent::Done { speech }) => format!("done {}", speech.0),
                Output::Event(TtsEvent::Broken { speech, fault }) => {
                    format!("broken {} {}", speech.0, fault.kind)
                }
                Output::Event(TtsEvent::Ready { .. }) => "ready".to_owned(),
                Output::Event(TtsEvent::Lost(fault)) => format!("lost {}", fault.kind),
                Output::Event(TtsEvent::Failed(fault)) => format!("failed {}", fault.kind),
                Output::Event(event) => panic!("{event:?}"),
            });
        }
    }

    fn link(&mut self, ms: u64, event: LinkEvent) {
        self.tts.handle_link(self.at(ms), self.link, event);
        self.drain();
    }

    fn opened(&mut self, ms: u64) {
        self.link(ms, LinkEvent::Opened(ResponseHead::default()));
    }

    fn until(&mut self, ms: u64) {
        while let Some(due) = self.tts.poll_timeout().filter(|due| *due <= self.at(ms)) {
            self.tts.handle_timeout(due);
            self.drain();
        }
    }

    fn speak(&mut self, ms: u64, speech: u64, chunks: &[&str]) {
        let now = self.at(ms);
        self.tts.begin(now, SpeechId(speech), "hi");
        chunks.iter().for_each(|chunk| self.tts.say(now, SpeechId(speech), chunk));
        self.drain();
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn binary(bytes: &[u8]) -> LinkEvent {
    LinkEvent::Received(Message::Binary(bytes.to_vec()))
}

fn done(speech: u64) -> LinkEvent {
    LinkEvent::Received(Message::Text(speech.to_string()))
}

#[test]
fn texts_wait_for_the_connection_and_samples_stay_whole() {
    let mut stage = Stage::new(true);
    stage.speak(0, 1, &["a", "b"]);
    assert_eq!(stage.told(), ["open hi"]);
    stage.opened(100);
    stage.tts.finish(stage.at(110), SpeechId(1));
    stage.drain();
    assert_eq!(stage.told(), ["1:a", "1:b", "ready", "1 ends"]);
    stage.link(200, binary(&[1, 10, 11, 12]));
    stage.link(210, binary(&[1, 13]));
    stage.link(220, done(1));
    assert_eq!(stage.told(), ["sound 1 [10, 11]", "sound 1 [12, 13]", "done 1"]);
    assert_eq!(stage.tts.poll_timeout(), None);
}

#[test]
fn what_was_cancelled_is_not_told_of() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.tts.cancel(stage.at(20), SpeechId(1));
    stage.drain();
    stage.link(30, binary(&[1, 1, 1]));
    stage.link(40, done(1));
    assert_eq!(stage.told(), ["open hi", "ready", "1:a", "1 stops"]);
    assert_eq!(stage.tts.poll_timeout(), None);
}

#[test]
fn where_there_is_no_word_for_it_the_connection_is_made_anew() {
    let mut stage = Stage::new(false);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.tts.cancel(stage.at(20), SpeechId(1));
    stage.speak(30, 2, &["b"]);
    assert_eq!(stage.told(), ["open hi", "ready", "1:a", "close", "open hi"]);
    stage.opened(100);
    assert_eq!(stage.told(), ["2:b", "ready"]);
}

#[test]
fn another_language_may_need_another_connection() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.tts.begin(stage.at(10), SpeechId(1), "en");
    stage.tts.say(stage.at(10), SpeechId(1), "x");
    stage.drain();
    assert_eq!(stage.told(), ["open hi", "ready", "close", "open en"]);
    stage.opened(100);
    assert_eq!(stage.told(), ["1:x", "ready"]);
}

#[test]
fn sound_that_does_not_come_breaks_the_speech() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.until(2_009);
    assert_eq!(stage.told(), ["open hi", "ready", "1:a"]);
    stage.until(2_010);
    assert_eq!(stage.told(), ["close", "broken 1 timeout", "lost timeout"]);
}

#[test]
fn a_speech_that_stands_still_is_broken_once_its_text_is_complete() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.link(100, binary(&[1, 9, 9]));
    stage.until(60_000);
    assert_eq!(stage.told().len(), 4, "more text may come");
    stage.tts.finish(stage.at(60_000), SpeechId(1));
    stage.drain();
    stage.link(60_100, binary(&[1, 9, 9]));
    stage.until(61_599);
    assert_eq!(stage.told(), ["1 ends", "sound 1 [9, 9]"]);
    stage.until(61_600);
    assert_eq!(stage.told(), ["close", "broken 1 timeout", "lost timeout"]);
}

#[test]
fn a_break_tells_of_every_speech_and_nonsense_is_one() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.speak(20, 2, &["b"]);
    stage.told();
    stage.link(30, LinkEvent::Received(Message::Text("nonsense".to_owned())));
    assert_eq!(stage.told(), ["close", "broken 1 malformed", "broken 2 malformed", "lost malformed"]);
}

#[test]
fn a_text_of_which_only_silence_comes_is_a_fault() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.link(100, binary(&[1, 0, 0, 0, 0]));
    stage.link(110, done(1));
    assert_eq!(stage.told(), ["open hi", "ready", "1:a", "close", "broken 1 silent", "lost silent"]);
}

#[test]
fn another_language_waits_for_what_is_being_said() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.speak(10, 1, &["a"]);
    stage.tts.finish(stage.at(10), SpeechId(1));
    stage.tts.begin(stage.at(20), SpeechId(2), "en");
    stage.tts.say(stage.at(20), SpeechId(2), "x");
    stage.speak(30, 3, &["b"]);
    assert_eq!(stage.told(), ["open hi", "ready", "1:a", "1 ends"]);
    stage.link(1_000, binary(&[1, 9, 9]));
    stage.link(2_400, binary(&[1, 9, 9]));
    stage.until(3_800);
    assert_eq!(stage.told().len(), 2, "nothing is due of what waits");
    stage.link(3_800, done(1));
    assert_eq!(stage.told(), ["close", "open en", "done 1"]);
    stage.opened(4_000);
    assert_eq!(stage.told(), ["2:x", "ready"]);
    stage.link(4_050, binary(&[2, 9, 9]));
    stage.link(4_100, done(2));
    assert_eq!(stage.told(), ["sound 2 [9, 9]", "close", "open hi", "done 2"]);
}

#[test]
fn a_speech_waits_for_room_and_begins_when_another_is_done_broken_or_cancelled() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    for speech in 1..=3 {
        stage.speak(10, speech, &["a"]);
    }
    assert_eq!(stage.told(), ["open hi", "ready", "1:a", "2:a"]);
    stage.link(15, binary(&[1, 9, 9]));
    stage.link(20, done(1));
    assert_eq!(stage.told(), ["sound 1 [9, 9]", "3:a", "done 1"]);
    stage.link(30, LinkEvent::Received(Message::Text("broken 2".to_owned())));
    assert_eq!(stage.told(), ["broken 2 refused"]);
    stage.link(40, LinkEvent::Received(Message::Text("broken 9".to_owned())));
    stage.link(50, binary(&[3, 9, 9]));
    assert_eq!(stage.told(), ["sound 3 [9, 9]"]);
}

#[test]
fn where_the_room_is_taken_by_what_nobody_waits_for_the_connection_is_made_anew() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    for speech in 1..=2 {
        stage.speak(10, speech, &[]);
        stage.tts.cancel(stage.at(10), SpeechId(speech));
    }
    stage.speak(20, 3, &["a"]);
    assert_eq!(stage.told(), ["open hi", "ready", "1 stops", "2 stops", "close", "open hi"]);
    stage.opened(100);
    assert_eq!(stage.told(), ["3:a", "ready"]);
}

#[test]
fn the_vendor_is_answered_at_once() {
    let mut stage = Stage::new(true);
    stage.opened(0);
    stage.told();
    stage.link(10, LinkEvent::Received(Message::Text("ping".to_owned())));
    assert_eq!(stage.told(), ["pong"]);
}
