use super::super::HeardWord;
use super::*;
use crate::link::Endpoint;
use crate::link::{LinkDeed, LinkEnd, Request, ResponseHead, Url};

/// A vendor of one letter: audio goes out as it is, and `F text` is a final result, `P text` one that is not, `W seconds` a word that
/// begins then, `A text` wants to be answered. Asked for what is known it is sent `!`. It takes audio so far ahead of time.
#[derive(Debug)]
struct Letters(Duration);

#[derive(Debug)]
struct LettersWire(Duration);

impl Vendor for Letters {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat::MULAW_8K] }
    }

    fn wire(&self, _format: AudioFormat) -> Box<dyn Wire> {
        Box::new(LettersWire(self.0))
    }
}

impl Wire for LettersWire {
    fn request(&self) -> Request {
        Request::WebSocket(Endpoint { url: Url::new("ws://letters"), headers: Vec::new() })
    }

    fn audio(&mut self, bytes: &[u8]) -> Message {
        Message::Binary(bytes.to_vec())
    }

    fn most_ahead(&self) -> Duration {
        self.0
    }

    fn finalize(&mut self) -> Option<Message> {
        Some(Message::Binary(vec![b'!']))
    }

    fn silence_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(2))
    }

    fn holds_back(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let Message::Text(text) = message else { return Err(Fault::malformed("binary")) };
        let (kind, text) = text.split_once(' ').ok_or_else(|| Fault::malformed(text))?;
        if kind == "A" {
            told.push(Told::Answer(Message::Binary(text.as_bytes().to_vec())));
            return Ok(());
        }
        if kind == "W" {
            let begins = Duration::try_from_secs_f64(text.parse().map_err(Fault::malformed)?);
            let begins = begins.map_err(Fault::malformed)?;
            let word = HeardWord { text: "word".to_owned(), begins, ends: begins, confidence: None };
            let text = word.text.clone();
            let words = Words { text, words: vec![word], is_final: true, ..Words::default() };
            told.push(Told::Words(words));
            return Ok(());
        }
        let (is_final, text) = (kind == "F", text.to_owned());
        told.push(Told::Words(Words { text, is_final, ..Words::default() }));
        Ok(())
    }
}

struct Stage {
    asr: Streaming,
    epoch: Instant,
    link: LinkId,
    sent: Vec<u8>,
    events: Vec<AsrEvent>,
}

impl Stage {
    fn new() -> Self {
        Self::of(Letters(Duration::MAX))
    }

    fn of(vendor: Letters) -> Self {
        let ids = LinkIds::of_client(0);
        let asr = Streaming::new(
            Arc::new(vendor),
            AudioFormat::MULAW_8K,
            ids,
            Patience::ASR,
            RetryConfig::CONNECTION,
        );
        let mut stage =
            Self { asr, epoch: Instant::now(), link: LinkId(u64::MAX), sent: Vec::new(), events: Vec::new() };
        stage.asr.start(stage.epoch);
        stage.drain();
        stage
    }

    fn drain(&mut self) {
        while let Some(output) = self.asr.poll() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Link(order) => match order.deed {
                    LinkDeed::Open(_) => self.link = order.link,
                    LinkDeed::Send(Message::Binary(bytes)) => self.sent.extend(bytes),
                    LinkDeed::Send(Message::Text(_)) | LinkDeed::Close => {}
                },
            }
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.epoch + Duration::from_millis(ms)
    }

    fn link(&mut self, ms: u64, event: LinkEvent) {
        self.asr.handle_link(self.at(ms), self.link, event);
        self.drain();
    }

    /// 20 ms, all bytes of that value.
    fn hear(&mut self, ms: u64, byte: u8, speech_ms: u64) {
        let speech = Duration::from_millis(speech_ms);
        self.asr.hear(self.at(ms), Audio { bytes: &[byte; 160], speech });
        self.drain();
    }

    fn says(&mut self, ms: u64, text: &str) {
        self.link(ms, LinkEvent::Received(Message::Text(text.to_owned())));
    }

    fn heard(&mut self) -> Vec<(u32, u32, String, bool)> {
        let events = std::mem::take(&mut self.events).into_iter();
        let heard = events.filter_map(|event| match event {
            AsrEvent::Heard(heard) => Some((heard.segment, heard.revision, heard.text, heard.is_final)),
            _ => None,
        });
        heard.collect()
    }
}

fn opened() -> LinkEvent {
    LinkEvent::Opened(ResponseHead::default())
}

#[test]
fn audio_waits_for_the_provider_and_none_is_lost() {
    let mut stage = Stage::new();
    (0..10).for_each(|n| stage.hear(u64::from(n) * 20, n, 0));
    assert!(stage.sent.is_empty());
    stage.link(200, opened());
    stage.hear(220, 10, 0);
    let expected: Vec<u8> = (0..=10).flat_map(|n| [n; 160]).collect();
    assert_eq!(stage.sent, expected);
    assert_eq!(stage.events, [AsrEvent::Ready { request_id: None }]);
}

#[test]
fn who_wants_audio_no_faster_than_it_is_spoken_gets_what_was_kept_in_time_and_all_of_it() {
    let mut stage = Stage::of(Letters(Duration::from_secs(1)));
    (0..150_u8).for_each(|number| stage.hear(u64::from(number) * 20, number, 20));
    stage.link(3_000, opened());
    assert_eq!(stage.sent.len(), 8_000, "a second at once");
    stage.asr.finalize(stage.at(3_000));
    stage.drain();
    let mut finished = None;
    for ms in (3_000..6_000).step_by(10) {
        if stage.asr.poll_timeout().is_some_and(|due| due <= stage.at(ms)) {
            stage.asr.handle_timeout(stage.at(ms));
            stage.drain();
        }
        let ahead = 8 * (1_000 + ms as usize - 3_000);
        assert!(stage.sent.len() <= ahead + 1, "{} bytes after {ms} ms", stage.sent.len());
        if stage.sent.last() == Some(&b'!') {
            finished = finished.or(Some(ms));
        }
    }
    let kept: Vec<u8> = (0..150).flat_map(|number| [number; 160]).collect();
    assert_eq!(stage.sent[..24_000], kept);
    assert_eq!((stage.sent[24_000], finished), (b'!', Some(5_000)), "asked behind the last of it");
    assert_eq!(stage.asr.lost_bytes(), 0);
}

#[test]
fn what_comes_while_others_wait_is_asked_for_where_it_ends() {
    let mut stage = Stage::of(Letters(Duration::from_secs(1)));
    (0..100_u8).for_each(|number| stage.hear(u64::from(number) * 20, 1, 20));
    stage.link(2_000, opened());
    stage.asr.finalize(stage.at(2_000));
    // The line goes on and is always a second behind.
    (0..150).for_each(|number| stage.hear(2_000 + number * 20, 2, 0));
    let asked = stage.sent.iter().position(|byte| *byte == b'!').unwrap();
    assert!((16_000..=16_000 + 1_600).contains(&asked), "{asked}");
}

#[test]
fn results_carry_segment_and_revision() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    for text in ["P mera", "P mera order", "F mera order", "F ", "P kahan"] {
        stage.says(10, text);
    }
    let expected = [
        (0, 0, "mera".to_owned(), false),
        (0, 1, "mera order".to_owned(), false),
        (0, 2, "mera order".to_owned(), true),
        (1, 0, "kahan".to_owned(), false),
    ];
    assert_eq!(stage.heard(), expected);
}

#[test]
fn after_a_break_what_was_not_final_is_said_again() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    stage.hear(0, 1, 20);
    stage.says(20, "F one");
    stage.hear(20, 2, 20);
    stage.says(30, "P two");
    stage.link(40, LinkEvent::Ended(LinkEnd::Closed { code: None, reason: String::new() }));
    assert!(matches!(stage.events.last(), Some(AsrEvent::Lost(_))));
    stage.hear(60, 3, 20);
    stage.sent.clear();
    stage.asr.handle_timeout(stage.at(1_040));
    stage.drain();
    stage.link(1_100, opened());
    assert_eq!(stage.sent, [[2; 160], [3; 160]].concat());
    stage.says(1_200, "F two three");
    let heard = stage.heard();
    assert_eq!(heard.last().unwrap(), &(1, 1, "two three".to_owned(), true));
}

#[test]
fn a_long_break_costs_what_is_older_than_five_seconds_and_it_is_counted() {
    let mut stage = Stage::new();
    (0..300).for_each(|n| stage.hear(n * 20, (n % 250) as u8, 0));
    assert_eq!(stage.asr.lost_bytes(), 50 * 160);
    stage.link(2_000, opened());
    assert_eq!((stage.sent.len(), stage.sent[0]), (250 * 160, 50));
}

#[test]
fn of_a_caller_who_is_silent_little_is_kept_unless_he_waits_for_words() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    (0..249).for_each(|n| stage.hear(n * 20, 1, 0));
    assert_eq!(stage.asr.unsettled().len(), 249 * 160);
    (249..300).for_each(|n| stage.hear(n * 20, 1, 0));
    assert_eq!((stage.asr.unsettled().len(), stage.asr.lost_bytes()), (25 * 160, 0), "half a second");
    assert_eq!(stage.sent.len(), 300 * 160, "all of it was sent");

    let mut stage = Stage::new();
    stage.link(0, opened());
    (0..10).for_each(|n| stage.hear(n * 20, 1, 20));
    (10..300).for_each(|n| stage.hear(n * 20, 2, 0));
    assert_eq!(stage.asr.unsettled().len(), 250 * 160, "his words may still come");
}

#[test]
fn speech_without_words_is_a_fault() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    (0..200).for_each(|n| stage.hear(n * 20, 1, 0));
    assert_eq!(stage.events.len(), 1, "silence needs no words");
    (200..349).for_each(|n| stage.hear(n * 20, 1, 20));
    assert_eq!(stage.events.len(), 1, "this vendor takes half a second more than others");
    stage.hear(6_980, 1, 20);
    let Some(AsrEvent::Lost(fault)) = stage.events.last() else { panic!("{:?}", stage.events) };
    assert_eq!(fault.kind, FaultKind::Silent);
}

#[test]
fn nonsense_breaks_the_connection() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    stage.says(10, "nonsense");
    assert!(matches!(stage.events.last(), Some(AsrEvent::Lost(fault)) if fault.kind == FaultKind::Malformed));
}

#[test]
fn who_wants_audio_is_given_silence_and_words_are_told_without_it() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    stage.hear(0, 1, 20);
    assert_eq!(stage.asr.poll_timeout(), Some(stage.at(2_000)));
    for ms in [1_999, 2_000, 4_000] {
        stage.asr.handle_timeout(stage.at(ms));
        stage.drain();
    }
    stage.hear(5_000, 2, 20);
    assert_eq!(stage.sent, [&[1; 160][..], &[0xFF; 1_600], &[2; 160]].concat());
    stage.events.clear();
    // On its clock the second piece begins at 220 ms, on ours at 20 ms; within the silence nothing happens on ours.
    for told in ["W 0.01", "W 0.1", "W 0.23"] {
        stage.says(5_100, told);
    }
    let begins = stage.events.iter().map(|event| match event {
        AsrEvent::Heard(heard) => heard.words[0].begins.as_millis(),
        other => panic!("{other:?}"),
    });
    assert_eq!(begins.collect::<Vec<_>>(), [10, 20, 30]);
}

#[test]
fn times_that_nobody_lives_to_see_harm_nothing() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    stage.hear(0, 1, 20);
    stage.says(10, "F one");
    stage.link(20, LinkEvent::Ended(LinkEnd::Closed { code: None, reason: String::new() }));
    stage.asr.handle_timeout(stage.at(1_020));
    stage.drain();
    stage.link(1_100, opened());
    stage.says(1_200, "W 18000000000000000000");
    assert_eq!(stage.heard().len(), 2);
}

#[test]
fn what_the_vendor_says_may_want_an_answer() {
    let mut stage = Stage::new();
    stage.link(0, opened());
    stage.says(10, "A go");
    assert_eq!(stage.sent, b"go");
}
