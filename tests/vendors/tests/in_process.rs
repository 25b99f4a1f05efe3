//! Orders of the product's clients, carried out in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::time::Duration;

use caly_provider::link::{
    Endpoint, HttpRequest, LinkDeed, LinkEnd, LinkEvent, LinkFailure, LinkId, LinkOrder, MAX_MESSAGE_BYTES,
    Message, Method, ProgramRequest, Request, Url,
};
use caly_provider::secret::Secret;
use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::faults::{Fault, Faults, When};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::seen::Seen;
use caly_vendors::stage::{Paths, Stage};
use caly_vendors::voice::{MULAW_8K, Pace, Voice, caller};
use serde_json::{Value, json};

const LINK: LinkId = LinkId(7);
const SPEAK: &str = "wss://api.deepgram.com/v1/speak?encoding=mulaw&sample_rate=8000&model=aura-2-thalia-en";

fn deepgram(seen: &Seen, faults: Faults) -> InProcess {
    let listen = DeepgramListen::new(&Script::new(["mera order"]), Manner::default(), seen);
    let speak = DeepgramSpeak::new(Voice::default(), Pace::default(), seen);
    let paths = Paths::default().with("/v1/listen", listen).with("/v1/speak", speak);
    InProcess::default().with(
        "api.deepgram.com",
        Stage::new(paths, seen).with_faults(faults),
        Distance::default(),
    )
}

fn websocket(url: &str) -> LinkDeed {
    let headers = vec![("authorization", Secret::new("Token test-key"))];
    LinkDeed::Open(Request::WebSocket(Endpoint { url: Url::new(url), headers }))
}

fn order(world: &mut InProcess, now_ms: u64, deed: LinkDeed) {
    world.order(Duration::from_millis(now_ms), LinkOrder { link: LINK, deed });
}

fn text(value: &Value) -> LinkDeed {
    LinkDeed::Send(Message::Text(value.to_string()))
}

/// All that is told until a time.
fn told(world: &mut InProcess, until_ms: u64) -> Vec<LinkEvent> {
    std::iter::from_fn(|| world.poll(Duration::from_millis(until_ms))).map(|(_, event)| event).collect()
}

fn end_of(faults: Faults) -> LinkEnd {
    let mut world = deepgram(&Seen::default(), faults);
    order(&mut world, 0, websocket(SPEAK));
    order(&mut world, 0, text(&json!({"type": "Speak", "text": "Namaste, kaise hain aap? "})));
    order(&mut world, 0, text(&json!({"type": "Flush"})));
    let events = told(&mut world, 60_000);
    assert_eq!(world.open_links(), 0);
    match events.last() {
        Some(LinkEvent::Ended(end)) => end.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recognizer_is_opened_fed_and_closed() {
    let seen = Seen::default();
    let mut world = deepgram(&seen, Faults::default());
    let url = "wss://api.deepgram.com/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&endpointing=300";
    order(&mut world, 0, websocket(url));
    assert!(told(&mut world, 79).is_empty());
    let opened = told(&mut world, 80);
    assert!(
        matches!(&opened[..], [LinkEvent::Opened(head)] if head.request_id.as_deref() == Some("dg-1")),
        "{opened:?}"
    );
    let mut at_ms = 100;
    let mut events = Vec::new();
    for piece in caller(MULAW_8K, &["mera order"], Duration::from_millis(500)).chunks(160) {
        order(&mut world, at_ms, LinkDeed::Send(Message::Binary(piece.to_vec())));
        at_ms += 20;
        events.extend(told(&mut world, at_ms));
    }
    order(&mut world, at_ms, text(&json!({"type": "CloseStream"})));
    events.extend(told(&mut world, at_ms + 1_000));
    let texts = events.iter().filter_map(|event| match event {
        LinkEvent::Received(Message::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    let texts: Vec<_> = texts.collect();
    assert!(texts[0].contains(r#""transcript":"mera order""#), "{texts:?}");
    assert_eq!(
        events.last(),
        Some(&LinkEvent::Ended(LinkEnd::Closed { code: Some(1000), reason: String::new() }))
    );
    assert_eq!((seen.complaints(), world.open_links()), (Vec::new(), 0));
}

#[test]
fn every_way_to_fail_is_told_as_such() {
    let fails = |fault| match end_of(Faults::default().with(When::Nth(1), fault)) {
        LinkEnd::Failed(failure) => failure,
        other => panic!("{other:?}"),
    };
    assert!(matches!(fails(Fault::Refused), LinkFailure::Connect(_)));
    assert!(matches!(fails(Fault::Unresolved), LinkFailure::Resolve(_)));
    assert!(matches!(fails(Fault::TlsFails), LinkFailure::Tls(_)));
    assert!(matches!(fails(Fault::DropAfter(2)), LinkFailure::Broken(_)));
    assert!(matches!(fails(Fault::GarbageAfter(2)), LinkFailure::Protocol(_)));
    assert!(matches!(fails(Fault::Oversized(MAX_MESSAGE_BYTES + 1)), LinkFailure::TooLong { .. }));
    let status = |fault| match fails(fault) {
        LinkFailure::Status(refused) => (refused.status, refused.retry_after),
        other => panic!("{other:?}"),
    };
    assert_eq!(status(Fault::Unauthorized), (401, None));
    assert_eq!(status(Fault::TooMany { retry_after_s: Some(3) }), (429, Some(Duration::from_secs(3))));
    assert_eq!(status(Fault::ServerError(503)), (503, None));
}

#[test]
fn a_stalled_link_says_nothing_and_a_second_one_is_well() {
    for (fault, heard) in [(Fault::NoAnswer, 0), (Fault::Stall, 1)] {
        let mut world = deepgram(&Seen::default(), Faults::default().with(When::Nth(1), fault));
        order(&mut world, 0, websocket(SPEAK));
        assert_eq!((told(&mut world, 100_000).len(), world.next_due()), (heard, None));
        order(&mut world, 100_000, LinkDeed::Close);
        assert!(told(&mut world, 101_000).is_empty());
        assert_eq!(world.open_links(), 0);
        order(&mut world, 101_000, websocket(SPEAK));
        assert_eq!(told(&mut world, 102_000).len(), 2);
    }
}

#[test]
fn nothing_is_told_of_a_link_that_its_owner_closed() {
    let seen = Seen::default();
    let mut world = deepgram(&seen, Faults::default());
    order(&mut world, 0, websocket(SPEAK));
    assert_eq!(told(&mut world, 100).len(), 2);
    order(&mut world, 100, text(&json!({"type": "Speak", "text": "Hello. "})));
    order(&mut world, 100, text(&json!({"type": "Flush"})));
    assert!(told(&mut world, 330).len() > 1);
    order(&mut world, 330, text(&json!({"type": "Clear"})));
    order(&mut world, 330, LinkDeed::Close);
    assert!(told(&mut world, 10_000).is_empty());
    assert_eq!((world.open_links(), seen.texts().len()), (0, 3), "what was sent before arrives");
}

#[test]
fn a_chat_is_one_exchange_and_an_unknown_name_has_no_address() {
    let model = Model::new([Rule::always().say("ek do")], TokenPace::default());
    let chat = Stage::new(OpenAiChat::new(model, Dialect::OpenAi), &Seen::default());
    let mut world = InProcess::default().with("api.openai.com", chat, Distance::default());
    let body = json!({"model": "gpt-4.1", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let open = |host: &str| {
        let headers = vec![
            ("authorization", Secret::new("Bearer test-key")),
            ("content-type", Secret::new("application/json")),
        ];
        let url = Url::new(format!("https://{host}/v1/chat/completions"));
        let endpoint = Endpoint { url, headers };
        LinkDeed::Open(Request::Http(HttpRequest {
            method: Method::Post,
            endpoint,
            body: body.to_string().into_bytes(),
        }))
    };
    order(&mut world, 0, open("api.openai.com"));
    let events = told(&mut world, 10_000);
    let LinkEvent::Opened(head) = &events[0] else { panic!("{events:?}") };
    assert_eq!(head.content_type.as_deref(), Some("text/event-stream"));
    assert_eq!(events.last(), Some(&LinkEvent::Ended(LinkEnd::Complete)));
    order(&mut world, 10_000, open("api.openai.invalid"));
    let events = told(&mut world, 20_000);
    assert!(
        matches!(&events[..], [LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Resolve(_)))]),
        "{events:?}"
    );
}

#[test]
fn programs_run_or_are_missing() {
    let speak = |request: &ProgramRequest| match request.stdin.as_slice() {
        b"haan" => Ok(vec![1; 20_000]),
        _ => Err("nothing to say".to_owned()),
    };
    let mut world = InProcess::default().with_program("espeak-ng", Box::new(speak));
    let mut run = |program: &str, stdin: &str| {
        let request =
            ProgramRequest { program: program.to_owned(), arguments: Vec::new(), stdin: stdin.into() };
        order(&mut world, 0, LinkDeed::Open(Request::Program(request)));
        told(&mut world, 0)
    };
    let events = run("espeak-ng", "haan");
    assert_eq!((events.len(), events.last()), (4, Some(&LinkEvent::Ended(LinkEnd::Complete))));
    for (program, stdin) in [("espeak-ng", ""), ("festival", "haan")] {
        let events = run(program, stdin);
        assert!(
            matches!(&events[..], [LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Program(_)))]),
            "{events:?}"
        );
    }
}

#[test]
fn the_same_orders_bring_the_same_events_at_the_same_times() {
    let run = |seed| {
        let seen = Seen::default();
        let speak = DeepgramSpeak::new(Voice { seed, ..Voice::default() }, Pace::default(), &seen);
        let stage =
            Stage::new(speak, &seen).with_faults(Faults::default().with(When::Nth(1), Fault::OutOfOrder));
        let mut world = InProcess::default().with("api.deepgram.com", stage, Distance::default());
        order(&mut world, 0, websocket(SPEAK));
        order(&mut world, 0, text(&json!({"type": "Speak", "text": "Namaste, kaise hain aap? "})));
        order(&mut world, 0, text(&json!({"type": "Flush"})));
        let mut events = Vec::new();
        while let Some(due) = world.next_due() {
            events.extend(world.poll(due).map(|(_, event)| (due, event)));
        }
        events
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
    assert!(run(3).len() > 10);
}
