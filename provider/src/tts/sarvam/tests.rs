use super::*;
use crate::policy::FaultKind;

fn config() -> SarvamSpeechConfig {
    let mut config = SarvamSpeechConfig::new(Secret::new("sk"), "shubh");
    config.speakers.insert("ta".to_owned(), "anu".to_owned());
    config
}

fn wire() -> Box<dyn Wire> {
    SarvamSpeech(config()).wire(AudioFormat::MULAW_8K, "hi")
}

fn hear(wire: &mut dyn Wire, text: &str) -> Vec<Told> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(text.to_owned()), &mut told).unwrap();
    told
}

fn json(messages: &[Message]) -> Vec<Value> {
    let one = |message: &Message| match message {
        Message::Text(text) => serde_json::from_str(text).unwrap(),
        Message::Binary(_) => panic!("binary"),
    };
    messages.iter().map(one).collect()
}

const AUDIO: &str =
    r#"{"type":"audio","data":{"content_type":"audio/x-mulaw","audio":"AAEC","request_id":"r"}}"#;
const FINAL: &str = r#"{"type":"event","data":{"event_type":"final","message":"done"}}"#;

#[test]
fn the_connection_begins_with_its_settings() {
    let mut wire = wire();
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.sarvam.ai/text-to-speech/ws?model=bulbul%3Av3&send_completion_event=true"
    );
    assert_eq!(endpoint.headers, [("api-subscription-key", Secret::new("sk"))]);
    let expected = json!({ "type": "config", "data": { "target_language_code": "hi-IN", "speaker": "shubh", "pace": 1.0,
        "speech_sample_rate": 8_000, "output_audio_codec": "mulaw", "min_buffer_size": 50, "max_chunk_length": 150 } });
    assert_eq!(json(&wire.greeting()), [expected]);
    assert!(wire.speaks("hi-IN") && !wire.speaks("en") && !wire.speaks("ta"));
    let (every, message) = wire.keep_alive().unwrap();
    assert_eq!((every.as_secs(), json(&[message])), (20, vec![json!({ "type": "ping" })]));
}

#[test]
fn the_language_and_its_setting_are_called_as_configured() {
    let mut config = config();
    config.language_key = "language_code".to_owned();
    config.language_codes.insert("or".to_owned(), "od-IN".to_owned());
    let mut wire = SarvamSpeech(config).wire(AudioFormat::PCM_16K, "or-IN");
    let settings = json(&wire.greeting()).remove(0)["data"].take();
    assert_eq!(settings["language_code"], "od-IN");
    assert!(settings.get("target_language_code").is_none());
    assert_eq!(
        (&settings["output_audio_codec"], &settings["speech_sample_rate"]),
        (&json!("linear16"), &json!(16_000))
    );
}

#[test]
fn one_chunk_at_a_time_is_with_the_vendor() {
    let (mut wire, one, two) = (wire(), SpeechId(1), SpeechId(2));
    let text = |text: &str| json!({ "type": "text", "data": { "text": text } });
    let flush = json!({ "type": "flush" });
    assert_eq!(json(&wire.text(one, "a")), [text("a"), flush.clone()]);
    assert!(wire.text(one, "b").is_empty() && wire.finish(one).is_empty());
    assert!(wire.text(two, "c").is_empty());
    let sound = |speech| vec![Told::Audio { speech, bytes: vec![0, 1, 2] }];
    assert_eq!(hear(&mut *wire, AUDIO), sound(one));
    let told = hear(&mut *wire, FINAL);
    let [Told::ChunkEnd { speech: SpeechId(1) }, Told::Say(said), Told::Say(flushed)] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(json(&[said.clone(), flushed.clone()]), [text("b"), flush.clone()]);
    assert_eq!(hear(&mut *wire, AUDIO), sound(one));
    let told = hear(&mut *wire, FINAL);
    assert_eq!(told[..2], [Told::ChunkEnd { speech: one }, Told::Done { speech: one }]);
    assert_eq!(told.len(), 4, "the other speech follows");
    assert_eq!(hear(&mut *wire, AUDIO), sound(two));
    assert_eq!(hear(&mut *wire, FINAL), [Told::ChunkEnd { speech: two }]);
    assert_eq!(json(&wire.finish(two)), [flush]);
    assert_eq!(hear(&mut *wire, FINAL), [Told::Done { speech: two }]);
    assert_eq!(hear(&mut *wire, AUDIO), []);
    assert_eq!(wire.cancel(two), None, "there is no word for it");
}

#[test]
fn a_long_text_goes_in_pieces() {
    let mut wire = wire();
    let long = "न".repeat(2_501);
    let said = json(&wire.text(SpeechId(1), &long));
    assert_eq!(said.len(), 3);
    assert_eq!(said[0]["data"]["text"].as_str().unwrap().chars().count(), 2_500);
    assert_eq!(said[1]["data"]["text"], "न");
}

#[test]
fn errors_have_their_kinds_and_what_is_new_is_ignored() {
    let mut wire = wire();
    let table = [
        (r#"{"message":"no","code":403,"request_id":"r1"}"#, FaultKind::Unauthorized),
        (r#"{"message":"no","code":"429","request_id":"r1"}"#, FaultKind::Unavailable),
        (r#"{"message":"no","code":429,"request_id":"r1"}"#, FaultKind::RateLimited),
        (r#"{"message":"no","code":"invalid_request_error","request_id":"r1"}"#, FaultKind::Refused),
        (r#"{"message":"Invalid subscription key","request_id":"r1"}"#, FaultKind::Unauthorized),
        (r#"{"request_id":"r1"}"#, FaultKind::Unavailable),
    ];
    for (error, kind) in table {
        let error = Message::Text(format!(r#"{{"type":"error","data":{error}}}"#));
        let fault = wire.receive(&error, &mut Vec::new()).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("r1")), "{fault}");
    }
    for new in [r#"{"type":"pong"}"#, r#"{"type":"event","data":{"event_type":"started"}}"#] {
        assert_eq!(hear(&mut *wire, new), []);
    }
    for bad in ["{", "7", r#"{"type":"audio"}"#, r#"{"type":"audio","data":{"audio":"%"}}"#] {
        let fault = wire.receive(&Message::Text(bad.to_owned()), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{bad}");
    }
}
