use super::*;

fn realtime(change: impl Fn(&mut SarvamConfig)) -> Box<dyn Wire> {
    let mut config = SarvamConfig::new(Secret::new("sv-key"));
    change(&mut config);
    Sarvam(config).wire(AudioFormat::MULAW_8K)
}

fn legacy() -> Box<dyn Wire> {
    Sarvam(SarvamConfig::legacy(Secret::new("sv-key"))).wire(AudioFormat::PCM_8K)
}

fn hear(wire: &mut dyn Wire, json: &str) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(json.to_owned()), &mut told).map(|()| told)
}

fn url(wire: &dyn Wire) -> String {
    let Request::WebSocket(endpoint) = wire.request() else { panic!("no WebSocket") };
    assert_eq!(endpoint.headers, [("api-subscription-key", Secret::new("sv-key"))]);
    endpoint.url.as_str().to_owned()
}

fn said(message: &Message) -> Value {
    let Message::Text(text) = message else { panic!("not text") };
    serde_json::from_str(text).unwrap()
}

fn words(text: &str, is_final: bool) -> Told {
    Told::Words(Words { text: text.to_owned(), is_final, ..Words::default() })
}

const ENDED: Told = Told::Turn(TurnOpinion::Ended);

#[test]
fn every_setting_is_in_the_request() {
    assert_eq!(
        url(&*realtime(|_| {})),
        "wss://api.sarvam.ai/speech-to-text-realtime/ws?language_code=hi-IN&model=saaras%3Av3-realtime\
         &stream_type=balanced&mode=codemix&endpointing=vad&encoding=mulaw&sample_rate=8000"
    );
    let full = realtime(|config| {
        config.language = "od-IN".to_owned();
        config.threshold_percent = Some(60);
        config.silence_duration_ms = Some(400);
        config.keyterms = vec!["Caly".to_owned(), "order".to_owned()];
        config.prompt = "a shop".to_owned();
    });
    let url = url(&*full);
    assert!(url.contains("language_code=or-IN&"), "{url}");
    assert!(
        url.ends_with("&threshold=0.6&silence_duration_ms=400&keyterms=Caly&keyterms=order&prompt=a%20shop"),
        "{url}"
    );
}

#[test]
fn realtime_audio_goes_as_it_is_configured_and_control_as_events() {
    let mut wire = realtime(|_| {});
    let event = |name: &str| json!({"event": name});
    assert_eq!(said(&wire.audio(&[1, 2, 3])), json!({"event": "audio_input", "audio": "AQID"}));
    assert_eq!(said(&wire.finalize().unwrap()), event("flush"));
    assert_eq!(said(&wire.goodbye().unwrap()), event("end"));
    assert_eq!(said(&wire.keep_alive().unwrap().1), event("ping"));
    assert_eq!(wire.holds_back(), Duration::ZERO);
    let mut binary = realtime(|config| {
        config.audio = SarvamAudio::Binary;
        config.stream_type = "simulated".to_owned();
    });
    assert_eq!(binary.audio(&[1, 2, 3]), Message::Binary(vec![1, 2, 3]));
    assert_eq!(binary.holds_back(), Duration::from_secs(10), "it tells nothing before a pause");
}

#[test]
fn a_realtime_session_is_told_from_its_beginning_to_its_end() {
    let mut wire = realtime(|_| {});
    assert!(wire.confirms());
    let mut hear = |json: &str| hear(&mut *wire, json).unwrap();
    let begun = hear(r#"{"event":"session.begin","request_id":"r1","config":{}}"#);
    assert_eq!(begun, [Told::Ready { request_id: Some("r1".to_owned()) }]);
    assert_eq!(hear(r#"{"event":"vad.speech_start","utterance_idx":0}"#), [Told::SpeechStarted]);
    let partial = r#"{"event":"transcript.partial","utterance_idx":0,"text":"mera"}"#;
    assert_eq!(hear(partial), [words("mera", false)]);
    assert_eq!(hear(r#"{"event":"vad.speech_end","utterance_idx":0}"#), [], "its words are to come");
    let next = r#"{"event":"transcript.partial","utterance_idx":1,"text":"kahan"}"#;
    assert_eq!(hear(next), [], "the first is not over");
    let last = r#"{"event":"transcript.final","utterance_idx":0,"text":"Mera order","language":"hi-IN",
        "language_confidence":0.9,"start_s":0.2,"end_s":1.4}"#;
    let expected = Words {
        text: "Mera order".to_owned(),
        is_final: true,
        language: Some("hi-IN".to_owned()),
        until: Some(Duration::from_millis(1_400)),
        ..Words::default()
    };
    assert_eq!(hear(last), [Told::Words(expected), words("kahan", false), ENDED]);
    let metered = hear(r#"{"event":"session.end","audio_duration_s":9.5}"#);
    assert_eq!(metered, [Told::Metered(Duration::from_millis(9_500))]);
    assert_eq!(hear(r#"{"event":"pong"}"#), []);
}

#[test]
fn the_end_of_a_turn_is_told_once_whatever_comes_first() {
    let mut wire = realtime(|_| {});
    let mut hear = |json: &str| hear(&mut *wire, json).unwrap();
    let (start, end) = (r#"{"event":"vad.speech_start"}"#, r#"{"event":"vad.speech_end"}"#);
    assert_eq!(hear(start), [Told::SpeechStarted]);
    assert_eq!(
        hear(r#"{"event":"transcript.final","utterance_idx":0,"text":"haan"}"#),
        [words("haan", true)]
    );
    assert_eq!(hear(end), [ENDED]);
    assert_eq!(hear(end), []);
    assert_eq!(hear(start), [Told::SpeechStarted]);
    assert_eq!(hear(end), [], "that was a cough");
}

#[test]
fn errors_say_what_is_to_be_done() {
    let mut wire = realtime(|_| {});
    hear(&mut *wire, r#"{"event":"session.begin","request_id":"r1"}"#).unwrap();
    for (code, kind) in [
        (r#""invalid_api_key_error""#, FaultKind::Unauthorized),
        ("403", FaultKind::Unauthorized),
        (r#""insufficient_quota_error""#, FaultKind::RateLimited),
        ("429", FaultKind::RateLimited),
        (r#""invalid_request_error""#, FaultKind::Refused),
        (r#""session_timeout""#, FaultKind::Dropped),
        (r#""what_is_this""#, FaultKind::Unavailable),
        ("7", FaultKind::Unavailable),
        ("null", FaultKind::Unavailable),
    ] {
        let error = format!(r#"{{"event":"error","code":{code},"is_fatal":true,"message":"m"}}"#);
        let fault = hear(&mut *wire, &error).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("r1")), "{code}");
    }
    let harmless = r#"{"event":"error","code":"late","is_fatal":false,"message":"m"}"#;
    assert_eq!(hear(&mut *wire, harmless).unwrap(), [Told::Warning("late: m".to_owned())]);
    assert_eq!(hear(&mut *wire, r#"{"event":7}"#).unwrap_err().kind, FaultKind::Malformed);
    assert!(wire.receive(&Message::Binary(vec![0]), &mut Vec::new()).is_err());
}

#[test]
fn the_older_endpoint_has_names_and_messages_of_its_own() {
    let mut wire = legacy();
    assert_eq!(
        url(&*wire),
        "wss://api.sarvam.ai/speech-to-text/ws?language-code=hi-IN&model=saaras%3Av3&mode=codemix&sample_rate=8000\
         &vad_signals=true&flush_signal=true&input_audio_codec=pcm_s16le"
    );
    let mut config = SarvamConfig::legacy(Secret::new("sv-key"));
    assert_eq!(Sarvam(config.clone()).formats(), [AudioFormat::PCM_8K, AudioFormat::PCM_16K]);
    for (language, name) in [("or-IN", "od-IN"), ("auto", "unknown")] {
        config.language = language.to_owned();
        let wire = Sarvam(config.clone()).wire(AudioFormat::PCM_8K);
        assert!(url(&*wire).contains(&format!("language-code={name}&")));
    }
    let audio = json!({"audio": {"data": "AQID", "sample_rate": 8000, "encoding": "audio/wav"}});
    assert_eq!(said(&wire.audio(&[1, 2, 3])), audio);
    assert_eq!(said(&wire.finalize().unwrap()), json!({"type": "flush"}));
    assert!(!wire.confirms() && wire.holds_back() >= Duration::from_secs(10));
}

#[test]
fn the_older_endpoint_tells_what_is_final_flat_or_not() {
    let mut wire = legacy();
    let mut hear = |json: &str| hear(&mut *wire, json);
    let events = |signal: &str| format!(r#"{{"type":"events","data":{{"signal_type":"{signal}"}}}}"#);
    assert_eq!(hear(&events("START_SPEECH")).unwrap(), [Told::SpeechStarted]);
    assert_eq!(hear(&events("END_SPEECH")).unwrap(), []);
    let nested = r#"{"type":"data","data":{"request_id":"r1","transcript":"haan ji","language_code":"hi-IN",
        "metrics":{"audio_duration":1.5,"processing_latency":0.2}}}"#;
    let expected = Words {
        text: "haan ji".to_owned(),
        is_final: true,
        language: Some("hi-IN".to_owned()),
        ..Words::default()
    };
    let metered = Told::Metered(Duration::from_millis(1_500));
    assert_eq!(hear(nested).unwrap(), [Told::Words(expected), ENDED, metered]);
    let flat = r#"{"type":"data","request_id":"r2","transcript":"order"}"#;
    assert_eq!(hear(flat).unwrap(), [words("order", true), ENDED]);
    for error in [
        r#"{"type":"error","data":{"error":"no credits","code":"insufficient_quota_error"}}"#,
        r#"{"type":"error","message":"no credits","code":"insufficient_quota_error"}"#,
    ] {
        let fault = hear(error).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (FaultKind::RateLimited, Some("r2")));
        assert_eq!(fault.detail, "insufficient_quota_error: no credits");
    }
    assert_eq!(hear(r#"{"type":"novelty","data":"x"}"#), Ok(Vec::new()));
    assert_eq!(hear(r#"{"data":{}}"#).unwrap_err().kind, FaultKind::Malformed);
}
