use super::*;

fn wire(change: impl Fn(&mut ElevenLabsConfig)) -> Box<dyn Wire> {
    let mut config = ElevenLabsConfig::new(Secret::new("el-key"));
    change(&mut config);
    ElevenLabs(config).wire(AudioFormat::MULAW_8K)
}

fn hear(wire: &mut dyn Wire, json: &str) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(json.to_owned()), &mut told).map(|()| told)
}

fn url(wire: &dyn Wire) -> String {
    let Request::WebSocket(endpoint) = wire.request() else { panic!("no WebSocket") };
    assert_eq!(endpoint.headers, [("xi-api-key", Secret::new("el-key"))]);
    endpoint.url.as_str().to_owned()
}

fn said(message: &Message) -> Value {
    let Message::Text(text) = message else { panic!("not text") };
    serde_json::from_str(text).unwrap()
}

fn words(text: &str, is_final: bool) -> Told {
    Told::Words(Words { text: text.to_owned(), is_final, ..Words::default() })
}

#[test]
fn every_setting_is_in_the_request() {
    assert_eq!(
        url(&*wire(|_| {})),
        "wss://api.elevenlabs.io/v1/speech-to-text/realtime?model_id=scribe_v2_realtime&audio_format=ulaw_8000\
         &commit_strategy=vad&vad_silence_threshold_secs=0.5&include_timestamps=false"
    );
    let full = wire(|config| {
        config.url = "wss://api.in.residency.elevenlabs.io/".to_owned();
        config.language = Some("hi".to_owned());
        config.secondary_languages = vec!["en".to_owned()];
        config.keyterms = vec!["Caly".to_owned(), "order number".to_owned()];
        config.vad_percent = Some(40);
        config.include_timestamps = true;
    });
    assert_eq!(
        url(&*full),
        "wss://api.in.residency.elevenlabs.io/v1/speech-to-text/realtime?model_id=scribe_v2_realtime\
         &audio_format=ulaw_8000&commit_strategy=vad&vad_silence_threshold_secs=0.5&vad_threshold=0.4&language_code=hi\
         &secondary_languages=en&keyterms=Caly&keyterms=order%20number&include_timestamps=true"
    );
    let predicted = wire(|config| config.commit = ElevenLabsCommit::TurnPrediction);
    assert!(url(&*predicted).ends_with("commit_strategy=turn_prediction&include_timestamps=false"));
    assert_eq!(format_name(AudioFormat::PCM_16K), "pcm_16000");
}

#[test]
fn audio_is_json_and_only_a_manual_commit_is_sent() {
    let mut vad = wire(|_| {});
    let chunk = |audio: &str, commit: bool| json!({"message_type": "input_audio_chunk", "audio_base_64": audio, "commit": commit, "sample_rate": 8000});
    assert_eq!(said(&vad.audio(&[1, 2, 3])), chunk("AQID", false));
    assert_eq!(vad.finalize(), None);
    assert!(vad.silence_after().is_some() && vad.keep_alive().is_none() && vad.goodbye().is_none());
    let mut manual = wire(|config| config.commit = ElevenLabsCommit::Manual);
    assert_eq!(said(&manual.finalize().unwrap()), chunk("", true));
    let told = hear(&mut *manual, r#"{"message_type":"committed_transcript","text":"haan"}"#).unwrap();
    assert_eq!(told, [words("haan", true)], "the owner knows that the turn is over");
}

#[test]
fn partial_words_are_replaced_until_they_are_committed() {
    let mut wire = wire(|_| {});
    assert!(wire.confirms());
    let mut hear = |json: &str| hear(&mut *wire, json).unwrap();
    assert_eq!(
        hear(r#"{"message_type":"session_started","session_id":"s1","config":{"model_id":"x"}}"#),
        [Told::Ready { request_id: Some("s1".to_owned()) }]
    );
    assert_eq!(hear(r#"{"message_type":"partial_transcript","text":"mera"}"#), [words("mera", false)]);
    assert_eq!(
        hear(r#"{"message_type":"committed_transcript","text":"Mera order."}"#),
        [words("Mera order.", true), Told::Turn(TurnOpinion::Ended)]
    );
    assert_eq!(hear(r#"{"message_type":"committed_transcript","text":""}"#), [words("", true)]);
    assert_eq!(hear(r#"{"message_type":"novelty","text":"x"}"#), []);
}

#[test]
fn what_is_committed_with_its_times_and_without_is_told_once() {
    let plain = r#"{"message_type":"committed_transcript","text":"haan ji"}"#;
    let timed = r#"{"message_type":"committed_transcript_with_timestamps","text":"haan ji","language_code":"hi","words":[
        {"text":"haan","start":0.1,"end":0.4,"type":"word","speaker_id":null,"logprob":0.0},
        {"text":" ","start":0.4,"end":0.5,"type":"spacing"},{"text":"ji","type":"word"}]}"#;
    let mut wire = wire(|config| config.include_timestamps = true);
    let told = hear(&mut *wire, timed).unwrap();
    let Told::Words(words) = &told[0] else { panic!("{told:?}") };
    let haan = HeardWord {
        text: "haan".to_owned(),
        begins: Duration::from_millis(100),
        ends: Duration::from_millis(400),
        confidence: Some(1.0),
    };
    assert_eq!(
        (words.words.as_slice(), words.language.as_deref(), words.is_final),
        (&[haan][..], Some("hi"), true)
    );
    assert_eq!(hear(&mut *wire, plain).unwrap(), []);
    let mut count = |json: &str| hear(&mut *wire, json).unwrap().len();
    assert_eq!([count(plain), count(timed)], [2, 0]);
    assert_eq!([count(plain), count(plain)], [2, 2], "the caller has said it twice");
    assert_eq!(count(r#"{"message_type":"partial_transcript","text":"haan"}"#), 1);
    assert_eq!(count(timed), 2, "it is another one");
}

#[test]
fn errors_say_what_is_to_be_done() {
    let mut wire = wire(|_| {});
    hear(&mut *wire, r#"{"message_type":"session_started","session_id":"s1"}"#).unwrap();
    for (code, kind) in [
        ("auth_error", FaultKind::Unauthorized),
        ("quota_exceeded", FaultKind::RateLimited),
        ("rate_limited", FaultKind::RateLimited),
        ("session_time_limit_exceeded", FaultKind::Dropped),
        ("input_error", FaultKind::Refused),
        ("transcriber_error", FaultKind::Unavailable),
        ("something_new", FaultKind::Unavailable),
    ] {
        let fault = hear(&mut *wire, &format!(r#"{{"message_type":"{code}","error":"e"}}"#)).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("s1")), "{code}");
        assert_eq!(fault.detail, format!("{code}: e"));
    }
    let throttled = hear(&mut *wire, r#"{"message_type":"commit_throttled","error":"wait"}"#).unwrap();
    assert_eq!(throttled, [Told::Warning("commit_throttled: wait".to_owned())]);
    let warned = hear(&mut *wire, r#"{"message_type":"warning","warning":"w"}"#).unwrap();
    assert_eq!(warned, [Told::Warning("warning: w".to_owned())]);
    assert_eq!(hear(&mut *wire, r#"{"text":"x"}"#).unwrap_err().kind, FaultKind::Malformed);
    assert!(wire.receive(&Message::Binary(vec![0]), &mut Vec::new()).is_err());
}
