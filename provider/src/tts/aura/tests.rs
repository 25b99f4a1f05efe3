use super::*;

fn wire() -> Box<dyn Wire> {
    let mut config = AuraConfig::new(Secret::new("dg"), "aura-2-thalia-en");
    config.models.insert("hi".to_owned(), "aura-2-asha-hi".to_owned());
    let mut wire = Aura(config).wire(AudioFormat::MULAW_8K, "hi-IN");
    for speech in [1, 2] {
        wire.begin(SpeechId(speech));
    }
    wire
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

#[test]
fn flushes_are_kept_for_the_ends_and_the_speeches_that_follow() {
    let (mut wire, epoch) = (wire(), Instant::now());
    wire.clock(epoch);
    let flushes = |messages: Vec<Message>| {
        messages.iter().filter(|message| **message == text(r#"{"type":"Flush"}"#)).count()
    };
    let (one, two) = (SpeechId(1), SpeechId(2));
    let each: Vec<usize> = (0..8).map(|_| flushes(wire.text(one, "a"))).collect();
    assert_eq!(each, [1, 1, 1, 1, 1, 0, 0, 0], "what the two need to their ends is kept, and 12 for others");
    assert!(wire.holds_back(one) && !wire.holds_back(two));
    assert_eq!(flushes(wire.text(two, "b")), 2, "what waits of the first is spoken before it");
    assert_eq!(
        (flushes(wire.finish(one)), flushes(wire.text(two, "c")), flushes(wire.finish(two))),
        (0, 0, 1)
    );
    let flushed = text(r#"{"type":"Flushed","sequence_id":0}"#);
    let told: Vec<Told> = (0..8).flat_map(|_| hear(&mut *wire, flushed.clone())).collect();
    let ends = |speech| told.iter().filter(|told| **told == Told::ChunkEnd { speech }).count();
    assert_eq!((ends(one), ends(two)), (8, 2));
    assert_eq!(told.iter().rposition(|told| *told == Told::Done { speech: one }), Some(8));
    assert_eq!(told.last(), Some(&Told::Done { speech: two }));

    // Where there is none left for a speech, another connection is made, or the minute goes by.
    let mut speeches = 0;
    while wire.has_room() {
        speeches += 1;
        let speech = SpeechId(10 + speeches);
        wire.begin(speech);
        assert_eq!((flushes(wire.text(speech, "a")), flushes(wire.text(speech, "b"))), (1, 0));
        assert_eq!(flushes(wire.finish(speech)), 1);
    }
    assert_eq!(speeches, 6, "8 were used up before");
    wire.clock(epoch + MINUTE);
    assert!(wire.has_room());
}
