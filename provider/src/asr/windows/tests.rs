use super::*;
use crate::asr::WhisperConfig;
use crate::link::{LinkFailure, RefusedStatus, Request, ResponseHead};

const NOTHING: [u64; 0] = [];

/// A recognizer that hears 20 ms at a time, and what it asked for and told.
struct Stage {
    asr: Windows,
    epoch: Instant,
    ms: u64,
    /// How much audio each request has had, in milliseconds.
    asked: Vec<u64>,
    link: LinkId,
    closed: usize,
    events: Vec<AsrEvent>,
}

impl Stage {
    fn new(config: WindowsConfig) -> Self {
        let server = Whisper(WhisperConfig::new("http://127.0.0.1"));
        let ids = LinkIds::of_client(1);
        let asr = Windows::new(server, config, ids, Patience::ASR, RetryConfig::REQUEST)
            .with_format(AudioFormat::PCM_8K);
        let (epoch, link) = (Instant::now(), LinkId(u64::MAX));
        let mut stage = Self { asr, epoch, ms: 0, asked: Vec::new(), link, closed: 0, events: Vec::new() };
        stage.asr.start(stage.now());
        stage.drain();
        stage
    }

    fn now(&self) -> Instant {
        self.epoch + Duration::from_millis(self.ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.asr.poll() {
            match output {
                Output::Event(AsrEvent::Metered(_)) => {}
                Output::Event(event) => self.events.push(event),
                Output::Link(order) => match order.deed {
                    LinkDeed::Open(Request::Http(request)) => {
                        self.link = order.link;
                        let wav = request.body.windows(4).position(|at| at == b"RIFF").unwrap() + 36;
                        let bytes: [u8; 4] = request.body[wav + 4..wav + 8].try_into().unwrap();
                        self.asked.push(u64::from(u32::from_le_bytes(bytes)) / 16);
                    }
                    LinkDeed::Open(other) => panic!("{other:?}"),
                    LinkDeed::Send(_) => panic!("an exchange is sent nothing"),
                    LinkDeed::Close => self.closed += 1,
                },
            }
        }
    }

    fn hear(&mut self, ms: u64, speech: bool) {
        for _ in 0..ms / 20 {
            let speech = Duration::from_millis(if speech { 20 } else { 0 });
            self.asr.hear(self.now(), Audio { bytes: &[0; 320], speech });
            self.drain();
            self.ms += 20;
        }
    }

    fn link(&mut self, event: LinkEvent) {
        self.asr.handle_link(self.now(), self.link, event);
        self.drain();
    }

    fn answer(&mut self, json: &str) {
        self.link(LinkEvent::Opened(ResponseHead::default()));
        let (first, second) = json.as_bytes().split_at(json.len() / 2);
        self.link(LinkEvent::Received(Message::Binary(first.to_vec())));
        self.link(LinkEvent::Received(Message::Binary(second.to_vec())));
        self.link(LinkEvent::Ended(LinkEnd::Complete));
    }

    fn says(&mut self, text: &str) {
        self.answer(&format!(r#"{{"text":"{text}"}}"#));
    }

    fn finalize(&mut self) {
        self.asr.finalize(self.now());
        self.drain();
    }

    fn timeout(&mut self) {
        self.asr.handle_timeout(self.now());
        self.drain();
    }

    fn asked(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.asked)
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

fn partial(segment: u32, revision: u32, text: &str) -> (u32, u32, String, bool) {
    (segment, revision, text.to_owned(), false)
}

fn last(segment: u32, revision: u32, text: &str) -> (u32, u32, String, bool) {
    (segment, revision, text.to_owned(), true)
}

#[test]
fn nobody_speaks_and_nothing_is_asked() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    assert_eq!(stage.events, [AsrEvent::Ready { request_id: None }]);
    stage.hear(20_000, false);
    stage.finalize();
    stage.hear(40, true);
    stage.hear(2_000, false);
    assert_eq!(stage.asked(), NOTHING, "a click is no speech");
    assert!(stage.asr.ring.len() <= stage.asr.format.bytes(LEAD) + 320, "{}", stage.asr.ring.len());
    assert_eq!((stage.heard(), stage.asr.lost_bytes()), (Vec::new(), 0));
}

#[test]
fn windows_grow_while_the_caller_speaks_and_the_last_one_is_final() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(1_000, false);
    stage.hear(300, true);
    assert_eq!(stage.asked(), [260], "with what came before the speech, as soon as there is enough");
    stage.hear(400, true);
    assert_eq!(stage.asked(), NOTHING, "one at a time");
    stage.says("mera");
    assert_eq!(stage.asked(), [900], "the next one begins when the last was answered");
    stage.says("mira order");
    stage.hear(200, true);
    assert_eq!(stage.asked(), NOTHING, "too little is new");
    stage.hear(100, true);
    assert_eq!(stage.asked(), [1_160]);
    stage.says("mera order");
    stage.finalize();
    assert_eq!(stage.asked(), [1_200]);
    stage.says("Mera order.");
    let expected = [
        partial(0, 0, "mera"),
        partial(0, 1, "mira order"),
        partial(0, 2, "mera order"),
        last(0, 3, "Mera order."),
    ];
    assert_eq!(stage.heard(), expected);
}

#[test]
fn silence_makes_a_segment_final_and_the_next_one_begins_behind_it() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.says("haan");
    stage.hear(600, false);
    assert_eq!(stage.asked().len(), 2, "the end of the speech is new");
    stage.says("haan ji");
    stage.hear(180, false);
    assert_eq!(stage.heard(), [partial(0, 0, "haan"), partial(0, 1, "haan ji")]);
    stage.hear(40, false);
    assert_eq!(stage.heard(), [last(0, 2, "haan ji")], "all of it was answered: nothing is asked");
    assert_eq!(stage.asked(), NOTHING);
    stage.hear(400, true);
    stage.says("order");
    // No audio at all is silence too.
    stage.ms += 800;
    assert!(stage.asr.poll_timeout().unwrap() <= stage.now());
    stage.timeout();
    stage.says("order kahan");
    assert_eq!(stage.heard(), [partial(1, 0, "order"), last(1, 1, "order kahan")]);
}

#[test]
fn the_last_sound_is_not_cut_off() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(260, true);
    stage.says("haa");
    stage.hear(40, false);
    stage.finalize();
    assert_eq!(stage.asked(), [260, 300], "what the detector took for silence may be a part of the word");
    stage.says("haan");
    assert_eq!(stage.heard(), [partial(0, 0, "haa"), last(0, 1, "haan")]);
}

#[test]
fn speech_behind_an_end_is_another_segment() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.finalize();
    stage.hear(400, true);
    stage.says("haan");
    assert_eq!(stage.heard(), [partial(0, 0, "haan")], "its end was not asked for");
    stage.says("haan ji");
    assert_eq!(stage.heard(), [last(0, 1, "haan ji")]);
    assert_eq!(stage.asked(), [260, 400, 400], "without what was told");
    stage.finalize();
    stage.says("order");
    assert_eq!(stage.heard(), [last(1, 0, "order")]);
}

#[test]
fn who_is_behind_by_two_segments_makes_one_of_them() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(260, true);
    for _ in 0..3 {
        stage.finalize();
        stage.hear(300, true);
    }
    stage.finalize();
    for text in ["haan", "ji order kahan"] {
        stage.says(text);
    }
    assert_eq!(stage.asked(), [260, 900]);
    assert_eq!(stage.heard(), [last(0, 0, "haan"), last(1, 0, "ji order kahan")]);
}

#[test]
fn a_long_talk_is_settled_before_it_falls_out_of_the_ring() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    let mut spoken = 0;
    for n in 1..=40 {
        stage.hear(300, true);
        spoken += 300;
        // A word every 500 ms, of 400 ms each.
        let asked = stage.asked.last().copied().unwrap();
        let begins = stage.asr.exchange.as_ref().map(|exchange| exchange.from / 16).unwrap();
        let words = (0..spoken / 500).map(|word| (word, word * 500)).filter(|(_, at)| *at >= begins);
        let words = words.filter(|(_, at)| at + 400 <= begins + asked).map(|(word, at)| {
            let (from, to) = ((at - begins) as f64 / 1e3, (at + 400 - begins) as f64 / 1e3);
            format!(r#"{{"word":"w{word}","start":{from},"end":{to}}}"#)
        });
        let words: Vec<String> = words.collect();
        stage.answer(&format!(r#"{{"text":"","words":[{}]}}"#, words.join(",")));
        assert!(asked <= 4_000, "window {n} of {asked} ms");
    }
    let heard = stage.heard();
    let expected: Vec<String> = (0..23).map(|word| format!("w{word}")).collect();
    assert_eq!(heard.last().unwrap().2, expected.join(" "));
    assert_eq!(stage.asr.lost_bytes(), 0);
}

#[test]
fn chunks_are_heard_once_each() {
    let mut stage = Stage::new(WindowsConfig::CHUNKED);
    stage.hear(600, true);
    stage.says("mera");
    stage.hear(600, true);
    stage.says("mera order");
    stage.hear(400, true);
    stage.finalize();
    stage.says("kahan hai");
    assert_eq!(stage.asked(), [600, 650, 450], "50 ms of each are heard twice");
    let expected = [partial(0, 0, "mera"), partial(0, 1, "mera order"), last(0, 2, "mera order kahan hai")];
    assert_eq!(stage.heard(), expected);
}

#[test]
fn a_server_that_fails_is_asked_once_more_for_all_of_it() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.link(LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Broken("reset".to_owned()))));
    assert!(matches!(stage.events.last(), Some(AsrEvent::Lost(fault)) if fault.kind == FaultKind::Dropped));
    assert_eq!(stage.asked(), [260, 400]);
    stage.says("haan");
    stage.hear(300, true);
    assert_eq!(stage.asked(), [660], "a success counts anew");
    stage.ms += 5_000;
    stage.timeout();
    assert!(matches!(stage.events.last(), Some(AsrEvent::Heard(_)) | Some(AsrEvent::Lost(_))));
    assert_eq!(stage.closed, 1, "who does not answer is not waited for");
    stage.answer("<html>");
    let Some(AsrEvent::Failed(fault)) = stage.events.last() else { panic!("{:?}", stage.events) };
    assert_eq!(fault.kind, FaultKind::Malformed);
    stage.asked();
    stage.hear(2_000, true);
    assert_eq!((stage.asked(), stage.asr.poll_timeout()), (Vec::new(), None));
}

#[test]
fn a_refusal_is_final_and_a_busy_server_is_left_alone_for_its_time() {
    let refused = |status: u16, after: Option<u64>| {
        let retry_after = after.map(Duration::from_secs);
        let refused = RefusedStatus { status, retry_after, body: String::new(), request_id: None };
        LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Status(Box::new(refused))))
    };
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.link(refused(401, None));
    let failed = AsrEvent::Failed(Fault::new(FaultKind::Unauthorized, "status 401"));
    assert_eq!(stage.events.last(), Some(&failed));
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.link(refused(429, Some(2)));
    stage.asked();
    stage.hear(1_900, true);
    assert_eq!(stage.asked(), NOTHING);
    stage.ms = 2_400;
    stage.timeout();
    assert_eq!(stage.asked(), [2_300]);
}

#[test]
fn what_falls_out_of_the_ring_unheard_is_counted() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(6_000, true);
    stage.says("mera");
    assert_eq!(stage.asked(), [260, 4_000]);
    assert_eq!(stage.asr.lost_bytes(), (6_000 - 4_000 - 260) * 16);
    stage.asr.close(stage.now());
    stage.drain();
    assert_eq!((stage.closed, stage.asr.poll_timeout()), (1, None));
}

#[test]
fn a_segment_that_fell_out_of_the_ring_is_lost_and_the_next_one_is_heard() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.finalize();
    stage.hear(5_000, false);
    stage.link(LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Broken("reset".to_owned()))));
    assert_eq!((stage.asked(), stage.asr.lost_bytes()), (vec![260], 400 * 16));
    assert!(matches!(stage.events.last(), Some(AsrEvent::Lost(_))));
    stage.hear(400, true);
    // With a little of what was before it.
    assert!(matches!(stage.asked()[..], [260..=600]), "it is asked about what is said now");
    stage.says("haan");
    assert_eq!(stage.heard().last(), Some(&partial(0, 0, "haan")));
}

#[test]
fn an_answer_without_end_is_not_kept() {
    let mut stage = Stage::new(WindowsConfig::ROLLING);
    stage.hear(400, true);
    stage.link(LinkEvent::Received(Message::Binary(vec![b' '; MAX_ANSWER_BYTES])));
    stage.link(LinkEvent::Received(Message::Text(" ".to_owned())));
    assert!(matches!(stage.events.last(), Some(AsrEvent::Lost(fault)) if fault.kind == FaultKind::TooLong));
    assert_eq!(stage.closed, 1);
}

#[test]
fn as_a_provider_it_makes_a_client_for_the_calls_own_audio() {
    use crate::asr::{Asked, Provider};
    let mut config = WhisperConfig::new("http://127.0.0.1");
    config.language = Some("hi".to_owned());
    let asked = Asked { server: Whisper(config), windows: WindowsConfig::ROLLING, patience: Patience::ASR };
    for call in [AudioFormat::MULAW_8K, AudioFormat::ALAW_8K] {
        let mut client = asked.client(call, LinkIds::of_client(1), RetryConfig::REQUEST);
        assert!(asked.server.formats().contains(&client.format()), "{:?}", client.format());
        assert_eq!(client.format().rate_hz, call.rate_hz, "nothing is resampled");
        client.start(Instant::now());
        assert!(matches!(client.poll(), Some(Output::Event(AsrEvent::Ready { .. }))));
    }
}
