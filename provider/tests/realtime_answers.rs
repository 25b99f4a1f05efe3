//! Models that hear and speak may say anything at any time: their codecs never panic, and the client keeps its promises whatever is said and done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, Message, ResponseHead};
use caly_provider::llm::ToolResult;
use caly_provider::policy::connection::LinkIds;
use caly_provider::realtime::{
    Client, ClientConfig, Event, Gemini, GeminiAuth, GeminiConfig, ItemId, OpenAiRealtime,
    OpenAiRealtimeConfig, Output, Realtime, Setup, Speaker, Then, Vendor,
};
use caly_provider::secret::Secret;
use proptest::prelude::*;

fn vendors() -> [Arc<dyn Vendor>; 2] {
    let key = || Secret::new("k");
    [
        Arc::new(OpenAiRealtime(OpenAiRealtimeConfig::new(Some(key()), "m"))),
        Arc::new(Gemini(GeminiConfig::new(GeminiAuth::Key(key()), "m"))),
    ]
}

fn hear(message: &Message) {
    for vendor in vendors() {
        let mut wire = vendor.wire(vendor.formats()[0], &Setup::default(), None);
        let mut told = Vec::new();
        let _ = wire.receive(message, &mut told);
        let _ = wire.receive(message, &mut told);
    }
}

const OPENAI: &[&str] = &[
    r#"{"type":"session.updated","session":{"id":"s"}}"#,
    r#"{"type":"input_audio_buffer.speech_started","item_id":"u1"}"#,
    r#"{"type":"input_audio_buffer.speech_stopped","item_id":"u1"}"#,
    r#"{"type":"input_audio_buffer.committed","item_id":"u1"}"#,
    r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"u1","delta":"न"}"#,
    r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"u1","transcript":"नमस्ते"}"#,
    r#"{"type":"response.created","response":{"id":"r1"}}"#,
    r#"{"type":"response.created","response":{"id":"r2"}}"#,
    r#"{"type":"response.output_audio.delta","response_id":"r1","item_id":"a1","delta":"AAECAAECAAECAAEC"}"#,
    r#"{"type":"response.output_audio.delta","response_id":"r2","item_id":"a2","delta":"AAECAAECAAECAAEC"}"#,
    r#"{"type":"response.output_audio_transcript.delta","response_id":"r1","item_id":"a1","delta":"Namaste ji "}"#,
    r#"{"type":"response.function_call_arguments.done","call_id":"c1","name":"track","arguments":"{}"}"#,
    r#"{"type":"response.done","response":{"id":"r1","status":"completed","usage":{"input_tokens":3}}}"#,
    r#"{"type":"response.done","response":{"id":"r1","status":"failed","status_details":{"error":{"code":"x"}}}}"#,
    r#"{"type":"rate_limits.updated","rate_limits":[{"name":"tokens","reset_seconds":1e300}]}"#,
    r#"{"type":"error","error":{"code":"conversation_already_has_active_response"}}"#,
    r#"{"type":"error","error":{"code":"session_expired"}}"#,
];

const GEMINI: &[&str] = &[
    r#"{"setupComplete":{}}"#,
    r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAECAAECAAEC"}}]}}}"#,
    r#"{"serverContent":{"inputTranscription":{"text":"न"}}}"#,
    r#"{"serverContent":{"outputTranscription":{"text":"Namaste ji "}}}"#,
    r#"{"serverContent":{"generationComplete":true}}"#,
    r#"{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":3}}"#,
    r#"{"serverContent":{"interrupted":true}}"#,
    r#"{"toolCall":{"functionCalls":[{"id":"c1","name":"track","args":{}}]}}"#,
    r#"{"toolCallCancellation":{"ids":["c1"]}}"#,
    r#"{"goAway":{"timeLeft":"5s"}}"#,
    r#"{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}"#,
];

fn json() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "type",
        "session",
        "response",
        "item",
        "item_id",
        "delta",
        "error",
        "code",
        "status",
        "output",
        "usage",
        "response.done",
        "response.created",
        "response.output_audio.delta",
        "function_call",
        "call_id",
        "name",
        "arguments",
        "rate_limits",
        "rate_limits.updated",
        "serverContent",
        "modelTurn",
        "parts",
        "inlineData",
        "data",
        "toolCall",
        "functionCalls",
        "goAway",
        "timeLeft",
        "setupComplete",
        "sessionResumptionUpdate",
        "newHandle",
        "resumable",
        "usageMetadata",
        "AAEC",
        "interrupted",
        "turnComplete",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        words.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let fields = prop::collection::vec((words.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Into::into),
            fields.prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

/// What may be done with a client.
#[derive(Clone, Debug)]
enum Deed {
    Says(usize),
    Opens,
    Breaks,
    Passes(u64),
    Hears(usize),
    EndsTurn,
    Notes,
    Responds(bool),
    Interrupts(Option<(u64, u64)>),
    Answers,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => (0usize..64).prop_map(Deed::Says),
        2 => Just(Deed::Opens),
        1 => Just(Deed::Breaks),
        3 => (0u64..2_000).prop_map(Deed::Passes),
        1 => (400_000u64..4_000_000).prop_map(Deed::Passes),
        3 => (0usize..2_000).prop_map(Deed::Hears),
        1 => Just(Deed::EndsTurn),
        1 => Just(Deed::Notes),
        2 => any::<bool>().prop_map(Deed::Responds),
        3 => prop::option::of((0u64..6, 0u64..20)).prop_map(Deed::Interrupts),
        2 => Just(Deed::Answers),
    ]
}

/// A client, the links that are open, and what was told of answers.
struct Stage {
    client: Client,
    now: Instant,
    open: Vec<LinkId>,
    is_answering: bool,
    /// How much sound came of each item.
    bytes: std::collections::BTreeMap<u64, u64>,
}

impl Stage {
    fn new(vendor: Arc<dyn Vendor>) -> Self {
        let (formats, links) = (vendor.formats()[0], LinkIds::of_client(1));
        let client = Client::new(vendor, formats, Setup::default(), links, ClientConfig::default());
        let (open, bytes) = (Vec::new(), std::collections::BTreeMap::new());
        let mut stage = Self { client, now: Instant::now(), open, is_answering: false, bytes };
        stage.client.start(stage.now);
        stage.drain();
        stage.event(LinkEvent::Opened(ResponseHead::default()));
        stage
    }

    fn event(&mut self, event: LinkEvent) {
        let Some(&link) = self.open.last() else { return };
        if let LinkEvent::Ended(_) = event {
            self.open.pop();
        }
        self.client.handle_link(self.now, link, event);
        self.drain();
    }

    fn does(&mut self, deed: &Deed, goldens: &[&str]) {
        let now = self.now;
        match deed {
            Deed::Says(which) => {
                let text = goldens[which % goldens.len()].to_owned();
                self.event(LinkEvent::Received(Message::Text(text)));
            }
            Deed::Opens => self.event(LinkEvent::Opened(ResponseHead::default())),
            Deed::Breaks => {
                self.event(LinkEvent::Ended(LinkEnd::Closed { code: None, reason: String::new() }));
            }
            Deed::Passes(ms) => self.passes(Duration::from_millis(*ms)),
            Deed::Hears(bytes) => self.client.hear(now, &vec![0; *bytes]),
            Deed::EndsTurn => self.client.end_turn(now),
            Deed::Notes => self.client.note(now, Speaker::System, "noon"),
            Deed::Responds(why) => self.client.respond(now, why.then_some("Greet.")),
            Deed::Interrupts(heard) => {
                let heard = heard.map(|(item, ms)| (ItemId(item), Duration::from_millis(ms)));
                self.client.interrupt(now, heard);
            }
            Deed::Answers => {
                let (id, content) = ("c1".to_owned(), "{}".to_owned());
                self.client.tool_result(now, ToolResult { id, content, is_error: false }, Then::Answer);
            }
        }
        self.drain();
    }

    /// Time never stands still: what is due is done with.
    fn passes(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..10_000 {
            let Some(due) = self.client.poll_timeout().filter(|due| *due <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        panic!("a deadline is never over");
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Link(order) => match order.deed {
                    LinkDeed::Open(_) => self.open.push(order.link),
                    LinkDeed::Send(Message::Text(text)) => {
                        assert!(self.open.contains(&order.link), "{text} on a link that is gone");
                        self.check_cut(&text);
                    }
                    LinkDeed::Send(Message::Binary(_)) => panic!("binary"),
                    LinkDeed::Close => self.open.retain(|link| *link != order.link),
                },
                Output::Event(event) => self.told(event),
            }
        }
        assert!(self.open.len() <= 1);
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::AnswerStarted => {
                assert!(!self.is_answering, "an answer within an answer");
                self.is_answering = true;
            }
            Event::AnswerDone { .. } => self.is_answering = false,
            Event::Audio { item, bytes } => {
                assert!(self.is_answering, "sound without an answer");
                *self.bytes.entry(item.0).or_default() += bytes.len() as u64;
            }
            Event::AgentText { .. } => assert!(self.is_answering, "words without an answer"),
            _ => {}
        }
    }

    /// Nothing is cut off behind the end of what came: 8 bytes are a millisecond.
    fn check_cut(&self, text: &str) {
        let said: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        assert!(said.is_object(), "{text}");
        if said["type"] == "conversation.item.truncate" {
            let longest = self.bytes.values().copied().max().unwrap_or(0);
            assert!(said["audio_end_ms"].as_u64().is_some_and(|ms| ms * 8 <= longest), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        hear(&Message::Text(String::from_utf8_lossy(&bytes).into_owned()));
        hear(&Message::Binary(bytes));
    }

    #[test]
    fn any_json_is_read(value in json()) {
        hear(&Message::Text(value.to_string()));
    }

    #[test]
    fn messages_are_read_cut_off_and_with_wrong_letters(which: usize, at: usize, byte: u8, end: usize) {
        for goldens in [OPENAI, GEMINI] {
            let mut bytes = goldens[which % goldens.len()].as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            hear(&Message::Binary(bytes.clone()));
            bytes.truncate(end % bytes.len());
            hear(&Message::Binary(bytes));
        }
    }

    #[test]
    fn the_client_keeps_its_promises(deeds in prop::collection::vec(deed(), 0..60)) {
        for (vendor, goldens) in vendors().into_iter().zip([OPENAI, GEMINI]) {
            let mut stage = Stage::new(vendor);
            stage.does(&Deed::Says(0), goldens);
            deeds.iter().for_each(|deed| stage.does(deed, goldens));
            stage.client.close(stage.now);
            stage.drain();
            prop_assert!(stage.open.is_empty() && stage.client.poll_timeout().is_none());
        }
    }
}
