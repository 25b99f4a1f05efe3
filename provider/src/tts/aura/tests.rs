use super::*;

fn wire() -> Box<dyn Wire> {
    let mut config = AuraConfig::new(Secret::new("dg"), "aura-2-thalia-en");
    config.models.insert("hi".to_owned(), "aura-2-asha-hi".to_owned());
    Aura(config).wire(AudioFormat::MULAW_8K, "hi-IN")
}

fn hear(wire: &mut dyn Wire, message: Message) -> Vec<Told> {
    let mut told = Vec::new();
    wire.receive(&message, &mut told).unwrap();
    told
}

fn text(json: &str) -> Message {
    Message::Text(json.to_owned())
}

#[test]
fn the_voice_is_that_of_the_language() {
    let mut wire = wire();
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.deepgram.com/v1/speak?model=aura-2-asha-hi&encoding=mulaw&sample_rate=8000"
    );
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Token dg"))]);
    assert!(wire.speaks("hi") && !wire.speaks("en-IN"));
}

#[test]
fn sound_belongs_to_the_texts_in_their_order() {
    let (mut wire, one, two) = (wire(), SpeechId(1), SpeechId(2));
    assert_eq!(
        wire.text(one, "a \"b\""),
        [text(r#"{"text":"a \"b\"","type":"Speak"}"#), text(r#"{"type":"Flush"}"#)]
    );
    wire.text(one, "c");
    assert!(wire.finish(one).is_empty());
    wire.text(two, "d");
    let sound = |speech| vec![Told::Audio { speech, bytes: vec![7] }];
    assert_eq!(hear(&mut *wire, Message::Binary(vec![7])), sound(one));
    assert_eq!(
        hear(&mut *wire, text(r#"{"type":"Flushed","sequence_id":0}"#)),
        [Told::ChunkEnd { speech: one }]
    );
    assert_eq!(hear(&mut *wire, Message::Binary(vec![7])), sound(one));
    let flushed = text(r#"{"type":"Flushed","sequence_id":1}"#);
    assert_eq!(
        hear(&mut *wire, flushed.clone()),
        [Told::ChunkEnd { speech: one }, Told::Done { speech: one }]
    );
    assert_eq!(hear(&mut *wire, Message::Binary(vec![7])), sound(two));
    assert_eq!(wire.finish(two), []);
    assert_eq!(hear(&mut *wire, flushed).len(), 2);
}

#[test]
fn what_was_cancelled_is_not_heard() {
    let (mut wire, one, two) = (wire(), SpeechId(1), SpeechId(2));
    wire.text(one, "a");
    assert_eq!(wire.cancel(one), Some(vec![text(r#"{"type":"Clear"}"#)]));
    wire.text(two, "b");
    assert_eq!(hear(&mut *wire, Message::Binary(vec![1])), []);
    assert_eq!(hear(&mut *wire, text(r#"{"type":"Flushed","sequence_id":0}"#)), []);
    assert_eq!(hear(&mut *wire, text(r#"{"type":"Cleared","sequence_id":0}"#)), []);
    assert_eq!(hear(&mut *wire, Message::Binary(vec![2])), [Told::Audio { speech: two, bytes: vec![2] }]);
}

#[test]
fn complaints_are_told_and_errors_are_faults() {
    let mut wire = wire();
    let warning = text(r#"{"type":"Warning","code":"EXCESSIVE_FLUSH","description":"slow down"}"#);
    assert_eq!(hear(&mut *wire, warning), [Told::Warning("EXCESSIVE_FLUSH slow down".to_owned())]);
    assert_eq!(hear(&mut *wire, text(r#"{"type":"Metadata","request_id":"r"}"#)), []);
    for bad in [r#"{"type":"Error","code":"X"}"#, "{", "7"] {
        assert!(wire.receive(&text(bad), &mut Vec::new()).is_err(), "{bad}");
    }
}
