use super::*;

fn config() -> ElevenLabsConfig {
    let mut config = ElevenLabsConfig::new(Secret::new("xi"), "anna");
    config.voices.insert("hi".to_owned(), "asha".to_owned());
    config
}

fn wire(config: ElevenLabsConfig) -> Box<dyn Wire> {
    ElevenLabs(config).wire(AudioFormat::MULAW_8K, "hi-IN")
}

fn hear(wire: &mut dyn Wire, json: &Value) -> Vec<Told> {
    let mut told = Vec::new();
    wire.receive(&say(json.clone()), &mut told).unwrap();
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

#[test]
fn the_connection_has_voice_language_and_format() {
    let mut wire_hi = wire(config());
    let Request::WebSocket(endpoint) = wire_hi.request() else { panic!() };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.elevenlabs.io/v1/text-to-speech/asha/multi-stream-input?model_id=eleven_flash_v2_5\
         &output_format=ulaw_8000&inactivity_timeout=180&sync_alignment=true&language_code=hi&auto_mode=true"
    );
    assert_eq!(endpoint.headers, [("xi-api-key", Secret::new("xi"))]);
    assert!(wire_hi.speaks("hi") && wire_hi.speaks("hi-IN") && !wire_hi.speaks("en"));
    let formats =
        ElevenLabs(config()).formats().iter().map(|format| format_name(*format)).collect::<Vec<_>>();
    assert_eq!(formats, ["ulaw_8000", "alaw_8000", "pcm_8000", "pcm_16000"]);
    let mut other = config();
    (other.names_language, other.auto_mode) = (false, false);
    other.url = "wss://api.in.residency.elevenlabs.io".to_owned();
    let mut other = ElevenLabs(other).wire(AudioFormat::PCM_16K, "en");
    let Request::WebSocket(endpoint) = other.request() else { panic!() };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.in.residency.elevenlabs.io/v1/text-to-speech/anna/multi-stream-input?model_id=eleven_flash_v2_5\
         &output_format=pcm_16000&inactivity_timeout=180&sync_alignment=true"
    );
    assert!(other.speaks("ta") && !other.speaks("hi"));
}

#[test]
fn a_speech_is_a_context() {
    let mut wire = wire(config());
    let settings = json!({ "stability": 0.7, "similarity_boost": 0.8, "style": 0.5, "use_speaker_boost": true, "speed": 1.0 });
    assert_eq!(
        json(&wire.greeting()),
        [json!({ "text": " ", "context_id": "keeper", "voice_settings": settings })]
    );
    let one = SpeechId(1);
    let mut said = json(&wire.begin(one));
    said.extend(json(&wire.text(one, "Namaste.")));
    said.extend(json(&wire.finish(one)));
    let expected = [
        json!({ "text": " ", "context_id": "s1", "voice_settings": settings }),
        json!({ "text": "Namaste. ", "context_id": "s1" }),
        json!({ "context_id": "s1", "flush": true }),
        json!({ "context_id": "s1", "close_context": true }),
    ];
    assert_eq!(said, expected);
    let (every, message) = wire.keep_alive().unwrap();
    assert_eq!(
        (every.as_secs(), json(&[message])),
        (10, vec![json!({ "text": "", "context_id": "keeper" })])
    );
    assert_eq!(json(&[wire.goodbye().unwrap()]), [json!({ "close_socket": true })]);
}

#[test]
fn a_schedule_is_sent_where_the_vendor_waits_for_text() {
    let mut config = config();
    config.chunk_length_schedule = vec![50, 120];
    (config.keeps_alive, config.auto_mode) = (false, false);
    let mut wire = wire(config);
    assert!(wire.greeting().is_empty() && wire.keep_alive().is_none());
    let begun = json(&wire.begin(SpeechId(1)));
    assert_eq!(begun[0]["generation_config"], json!({ "chunk_length_schedule": [50, 120] }));
}

#[test]
fn no_more_than_five_contexts_are_open() {
    let mut wire = wire(config());
    for speech in 1..=4 {
        assert!(wire.has_room());
        wire.begin(SpeechId(speech));
    }
    assert!(!wire.has_room());
    assert_eq!(
        json(&wire.cancel(SpeechId(2)).unwrap()),
        [json!({ "context_id": "s2", "close_context": true })]
    );
    assert!(wire.has_room());
    wire.begin(SpeechId(5));
    wire.finish(SpeechId(1));
    assert!(!wire.has_room(), "its sound has not all come");
    assert_eq!(wire.cancel(SpeechId(1)), Some(Vec::new()), "it is closed already");
    assert!(wire.has_room());
}

#[test]
fn sound_and_words_are_those_of_their_speeches() {
    let (mut wire, one) = (wire(config()), SpeechId(1));
    wire.begin(one);
    wire.finish(one);
    let letters = |text: &str, start: u32| {
        let chars: Vec<String> = text.chars().map(String::from).collect();
        let starts: Vec<u32> = (0..chars.len() as u32).map(|at| start + at * 10).collect();
        json!({ "chars": chars, "charStartTimesMs": starts, "charDurationsMs": vec![10; chars.len()] })
    };
    // 20 ms of mu-law.
    let audio = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0xff; 160]);
    let first = json!({ "contextId": "s1", "audio": audio, "alignment": letters("Hi yo", 0), "normalizedAlignment": null, "isFinal": null });
    let sound = Told::Audio { speech: one, bytes: vec![0xff; 160] };
    assert_eq!(
        hear(&mut *wire, &first),
        [sound.clone(), Told::Words { speech: one, words: vec![word("Hi", 0, 20)] }]
    );
    let second = json!({ "context_id": "s1", "audio": audio, "alignment": letters("u. ", 0), "new": {} });
    assert_eq!(
        hear(&mut *wire, &second),
        [sound.clone(), Told::Words { speech: one, words: vec![word("you.", 30, 40)] }]
    );
    let third = json!({ "contextId": "s1", "audio": audio, "alignment": letters("ok", 5) });
    assert_eq!(hear(&mut *wire, &third), [sound]);
    let last = json!({ "contextId": "s1", "audio": null, "isFinal": true });
    assert_eq!(
        hear(&mut *wire, &last),
        [Told::Words { speech: one, words: vec![word("ok", 45, 65)] }, Told::Done { speech: one }]
    );
    assert_eq!(hear(&mut *wire, &first), [], "its context is closed");
}

#[test]
fn what_was_cancelled_is_not_heard_and_what_the_vendor_closes_is_broken() {
    let mut wire = wire(config());
    let ends = |name: &str| json!({ "contextId": name, "audio": "AAAA", "isFinal": true });
    wire.begin(SpeechId(1));
    wire.begin(SpeechId(2));
    wire.cancel(SpeechId(1));
    for other in ["s1", "keeper", "s9", "sx", ""] {
        assert_eq!(hear(&mut *wire, &ends(other)), [], "{other}");
    }
    assert_eq!(hear(&mut *wire, &json!({ "audio": "AAAA" })), []);
    let told = hear(&mut *wire, &ends("s2"));
    assert!(matches!(&told[..], [Told::Audio { .. }, Told::Broken { speech: SpeechId(2), .. }]), "{told:?}");
}

#[test]
fn errors_and_closes_have_their_kinds() {
    let mut wire = wire(config());
    wire.begin(SpeechId(1));
    let table = [
        (json!({ "message": "no", "error": "invalid_api_key", "code": 1008 }), FaultKind::Unauthorized),
        (json!({ "message": "no", "error": "quota_exceeded", "code": 1008 }), FaultKind::RateLimited),
        (
            json!({ "message": "A voice with id x does not exist", "error": "x", "code": 1008 }),
            FaultKind::NotFound,
        ),
        (json!({ "message": "no", "error": "input_timeout_exceeded", "code": null }), FaultKind::Timeout),
        (json!({ "message": "no", "error": "x", "code": 429 }), FaultKind::RateLimited),
        (json!({ "error": { "a": 1 }, "code": "y" }), FaultKind::Unavailable),
    ];
    for (error, kind) in table {
        let fault = wire.receive(&say(error.clone()), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.kind, kind, "{error}");
    }
    for bad in ["{", "7", r#"{"contextId":"s1","audio":"%"}"#, r#"{"contextId":"s1","alignment":3}"#] {
        let fault = wire.receive(&Message::Text(bad.to_owned()), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{bad}");
    }
    let kind = |code, reason| wire.closed(code, reason).map(|fault| fault.kind);
    assert_eq!(kind(Some(1008), "max_active_conversations"), Some(FaultKind::RateLimited));
    assert_eq!(kind(Some(1008), "Invalid API key"), Some(FaultKind::Unauthorized));
    assert_eq!((kind(Some(1000), "bye"), kind(None, "")), (None, None));
}
