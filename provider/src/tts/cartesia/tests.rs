use super::*;

fn wire() -> Box<dyn Wire> {
    let mut config = CartesiaConfig::new(Secret::new("ck"), "anna");
    config.voices.insert("hi".to_owned(), "asha".to_owned());
    Cartesia(config).wire(AudioFormat::MULAW_8K, "hi-IN")
}

fn hear(wire: &mut dyn Wire, json: &Value) -> Vec<Told> {
    let mut told = Vec::new();
    wire.receive(&say(json), &mut told).unwrap();
    told
}

fn json(messages: &[Message]) -> Vec<Value> {
    let one = |message: &Message| match message {
        Message::Text(text) => serde_json::from_str(text).unwrap(),
        Message::Binary(_) => panic!("binary"),
    };
    messages.iter().map(one).collect()
}

fn word(text: &str, begins_ms: u64, ends_ms: u64) -> SpokenWord {
    let [begins, ends] = [begins_ms, ends_ms].map(Duration::from_millis);
    SpokenWord { text: text.to_owned(), begins, ends }
}

fn times(context: &str, start: f64) -> Value {
    json!({ "type": "timestamps", "context_id": context, "done": false, "status_code": 206,
        "word_timestamps": { "words": ["Aapka", "order"], "start": [start, start + 0.25], "end": [start + 0.25, start + 0.5] } })
}

fn done(context: &str) -> Value {
    json!({ "type": "done", "context_id": context, "done": true, "status_code": 200 })
}

#[test]
fn a_speech_is_a_context_that_goes_on() {
    let mut wire = wire();
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(endpoint.url.as_str(), "wss://api.cartesia.ai/tts/websocket");
    let headers = [("x-api-key", Secret::new("ck")), ("cartesia-version", Secret::new("2026-03-01"))];
    assert_eq!(endpoint.headers, headers);
    let one = SpeechId(1);
    assert!(wire.speaks("hi-IN"));
    assert!(wire.begin(one).is_empty() && wire.keep_alive().is_none());
    let mut expected = json!({
        "context_id": "s1-0", "model_id": "sonic-3.5", "transcript": "Aapka order ", "continue": true, "flush": true,
        "language": "hi", "voice": { "mode": "id", "id": "asha" }, "add_timestamps": true, "max_buffer_delay_ms": 0,
        "output_format": { "container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8_000 }
    });
    assert_eq!(json(&wire.text(one, "Aapka order")), [expected.clone()]);
    expected["transcript"] = "".into();
    expected["continue"] = false.into();
    expected.as_object_mut().unwrap().remove("flush");
    assert_eq!(json(&wire.finish(one)), [expected]);
    // Another language needs no other connection, and changes nothing of what is being said.
    assert!(wire.speaks("en"));
    wire.begin(SpeechId(2));
    let other = &json(&wire.text(SpeechId(2), "x"))[0];
    assert_eq!((&other["language"], &other["voice"]["id"]), (&json!("en"), &json!("anna")));
}

#[test]
fn sound_words_and_ends_are_those_of_their_speeches() {
    let (mut wire, one) = (wire(), SpeechId(1));
    wire.begin(one);
    wire.text(one, "Aapka order");
    let chunk = json!({ "type": "chunk", "context_id": "s1-0", "data": "AAEC", "done": false, "status_code": 206, "step_time": 9.5 });
    assert_eq!(hear(&mut *wire, &chunk), [Told::Audio { speech: one, bytes: vec![0, 1, 2] }]);
    let words = vec![word("Aapka", 500, 750), word("order", 750, 1_000)];
    assert_eq!(hear(&mut *wire, &times("s1-0", 0.5)), [Told::Words { speech: one, words }]);
    let flushed = json!({ "type": "flush_done", "context_id": "s1-0", "flush_id": 1, "flush_done": true });
    assert_eq!(hear(&mut *wire, &flushed), [Told::ChunkEnd { speech: one }]);
    wire.finish(one);
    assert_eq!(hear(&mut *wire, &done("s1-0")), [Told::Done { speech: one }]);
    assert_eq!(hear(&mut *wire, &chunk), []);
    assert_eq!(hear(&mut *wire, &json!({ "type": "new", "context_id": "s1-0" })), []);
}

#[test]
fn a_context_that_ends_too_early_is_followed_by_another() {
    let (mut wire, one) = (wire(), SpeechId(1));
    wire.begin(one);
    wire.text(one, "a");
    let audio = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0xff; 800]);
    hear(&mut *wire, &json!({ "type": "chunk", "context_id": "s1-0", "data": audio }));
    assert_eq!(hear(&mut *wire, &done("s1-0")), []);
    assert_eq!(json(&wire.text(one, "b"))[0]["context_id"], "s1-1");
    let words = vec![word("Aapka", 100, 350), word("order", 350, 600)];
    assert_eq!(hear(&mut *wire, &times("s1-1", 0.0)), [Told::Words { speech: one, words }]);
    assert_eq!(hear(&mut *wire, &done("s1-1")), []);
    // Nothing is left to say.
    assert_eq!(json(&wire.finish(one))[0]["context_id"], "s1-2");
    let error = json!({ "type": "error", "context_id": "s1-2", "status_code": 400, "message": "empty" });
    assert_eq!(hear(&mut *wire, &error), [Told::Done { speech: one }]);
}

#[test]
fn times_may_begin_anew_with_each_chunk() {
    let mut config = CartesiaConfig::new(Secret::new("ck"), "anna");
    config.times_begin_anew = true;
    let mut wire = Cartesia(config).wire(AudioFormat::PCM_8K, "hi");
    wire.begin(SpeechId(1));
    wire.text(SpeechId(1), "a");
    let audio = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0; 1_600]);
    hear(&mut *wire, &json!({ "type": "chunk", "context_id": "s1-0", "data": audio }));
    hear(&mut *wire, &json!({ "type": "flush_done", "context_id": "s1-0" }));
    let told = hear(&mut *wire, &times("s1-0", 0.0));
    let words = vec![word("Aapka", 100, 350), word("order", 350, 600)];
    assert_eq!(told, [Told::Words { speech: SpeechId(1), words }]);
}

#[test]
fn what_was_cancelled_is_not_heard() {
    let mut wire = wire();
    wire.begin(SpeechId(1));
    assert_eq!(wire.cancel(SpeechId(1)), Some(Vec::new()), "the vendor does not know of it");
    wire.begin(SpeechId(2));
    wire.text(SpeechId(2), "x");
    let cancelled = json(&wire.cancel(SpeechId(2)).unwrap());
    assert_eq!(cancelled, [json!({ "context_id": "s2-0", "cancel": true })]);
    assert_eq!(hear(&mut *wire, &json!({ "type": "chunk", "context_id": "s2-0", "data": "AAEC" })), []);
    assert_eq!(hear(&mut *wire, &done("s2-0")), []);
    let error = json!({ "type": "error", "context_id": "s2-0", "status_code": 500 });
    assert_eq!(hear(&mut *wire, &error), []);
}

#[test]
fn an_error_of_a_context_ends_its_speech_and_one_of_the_account_ends_all() {
    let mut wire = wire();
    wire.begin(SpeechId(1));
    wire.text(SpeechId(1), "a");
    let error = |status: u16, context: Option<&str>| {
        json!({ "type": "error", "status_code": status, "title": "T", "message": "why", "error_code": "e",
            "context_id": context, "request_id": "r1" })
    };
    let told = hear(&mut *wire, &error(400, Some("s1-0")));
    let [Told::Broken { speech: SpeechId(1), fault }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::Refused, "e: T: why"));
    let table = [
        (401, Some("s1-0"), FaultKind::Unauthorized),
        (402, None, FaultKind::Unauthorized),
        (429, Some("s1-0"), FaultKind::RateLimited),
        (404, None, FaultKind::NotFound),
        (500, None, FaultKind::Unavailable),
    ];
    for (status, context, kind) in table {
        let fault = wire.receive(&say(&error(status, context)), &mut Vec::new()).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("r1")), "{status}");
    }
    wire.begin(SpeechId(2));
    for bad in ["{", "7", "{}", r#"{"type":"chunk","context_id":"s2-0","data":"%"}"#] {
        let fault = wire.receive(&Message::Text(bad.to_owned()), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{bad}");
    }
}
