use super::*;
use crate::policy::FaultKind;

fn wire() -> Box<dyn Wire> {
    let mut config = FluxSpeechConfig::new(Secret::new("dg"), "flux-anna-en");
    config.models.insert("hi".to_owned(), "flux-asha-hi".to_owned());
    FluxSpeech(config).wire(AudioFormat::ALAW_8K, "hi-IN")
}

fn text(json: &str) -> Message {
    Message::Text(json.to_owned())
}

fn hear(wire: &mut dyn Wire, message: Message) -> Vec<Told> {
    let mut told = Vec::new();
    wire.receive(&message, &mut told).unwrap();
    told
}

fn sound(speech: SpeechId, byte: u8) -> Vec<Told> {
    vec![Told::Audio { speech, bytes: vec![byte] }]
}

const STARTED: &str = r#"{"type":"SpeechStarted","speech_id":"x"}"#;
const FLUSHED: &str = r#"{"type":"Flushed","sequence_id":0}"#;
const INTERRUPTED: &str = r#"{"type":"SpeechInterrupted","audio_played_ms":120,"text_spoken":"a"}"#;

#[test]
fn the_voice_is_that_of_the_language() {
    let mut wire = wire();
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.deepgram.com/v2/speak?model=flux-asha-hi&encoding=alaw&sample_rate=8000"
    );
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Token dg"))]);
    assert!(wire.speaks("hi") && !wire.speaks("en-IN"));
    assert_eq!(wire.goodbye(), Some(text(r#"{"type":"Close"}"#)));
}

#[test]
fn a_speech_is_a_turn_and_there_is_one_at_a_time() {
    let (mut wire, one, two) = (wire(), SpeechId(1), SpeechId(2));
    assert!(wire.has_room() && wire.begin(one).is_empty());
    assert!(!wire.has_room());
    assert_eq!(wire.text(one, "a"), [text(r#"{"text":"a","type":"Speak"}"#)]);
    assert_eq!(wire.text(one, "b"), [text(r#"{"text":"b","type":"Speak"}"#)]);
    assert_eq!(wire.finish(one), [text(r#"{"type":"Flush"}"#)]);
    assert_eq!(hear(&mut *wire, text(STARTED)), []);
    assert_eq!(hear(&mut *wire, Message::Binary(vec![7])), sound(one, 7));
    assert_eq!(hear(&mut *wire, text(FLUSHED)), [Told::ChunkEnd { speech: one }, Told::Done { speech: one }]);
    assert!(wire.has_room());
    wire.begin(two);
    assert_eq!(hear(&mut *wire, Message::Binary(vec![8])), sound(two, 8));
}

#[test]
fn what_was_interrupted_is_not_heard() {
    let (mut wire, one, two) = (wire(), SpeechId(1), SpeechId(2));
    wire.begin(one);
    hear(&mut *wire, text(STARTED));
    assert_eq!(wire.cancel(one), Some(vec![text(r#"{"type":"Interrupt"}"#)]));
    assert!(wire.has_room());
    wire.begin(two);
    assert_eq!(hear(&mut *wire, Message::Binary(vec![1])), []);
    assert_eq!(hear(&mut *wire, text(FLUSHED)), []);
    assert_eq!(hear(&mut *wire, text(INTERRUPTED)), []);
    assert_eq!(hear(&mut *wire, Message::Binary(vec![2])), sound(two, 2));
}

#[test]
fn the_start_of_something_else_is_the_end_of_what_was_interrupted() {
    let (mut wire, one, two) = (wire(), SpeechId(1), SpeechId(2));
    wire.begin(one);
    wire.cancel(one);
    wire.begin(two);
    assert_eq!(hear(&mut *wire, text(STARTED)), []);
    assert_eq!(hear(&mut *wire, Message::Binary(vec![1])), [], "of what was stopped before it began");
    hear(&mut *wire, text(STARTED));
    assert_eq!(hear(&mut *wire, Message::Binary(vec![2])), sound(two, 2));
}

#[test]
fn complaints_are_told_and_errors_are_faults() {
    let mut wire = wire();
    let warning = text(r#"{"type":"Warning","code":"W","description":"slow down"}"#);
    assert_eq!(hear(&mut *wire, warning), [Told::Warning("W slow down".to_owned())]);
    let connected = text(r#"{"type":"Connected","request_id":"r1"}"#);
    assert_eq!(hear(&mut *wire, connected), [Told::Ready { request_id: Some("r1".to_owned()) }]);
    assert_eq!(hear(&mut *wire, text(r#"{"type":"SpeechMetadata","new":1}"#)), []);
    let table = [
        (r#"{"type":"Error","code":"INVALID_AUTH","description":"Unauthorized"}"#, FaultKind::Unauthorized),
        (r#"{"type":"Error","code":"TOO_MANY_REQUESTS"}"#, FaultKind::RateLimited),
        (r#"{"type":"Error","code":"X"}"#, FaultKind::Unavailable),
        ("{", FaultKind::Malformed),
        ("7", FaultKind::Malformed),
    ];
    for (bad, kind) in table {
        assert_eq!(wire.receive(&text(bad), &mut Vec::new()).unwrap_err().kind, kind, "{bad}");
    }
}
