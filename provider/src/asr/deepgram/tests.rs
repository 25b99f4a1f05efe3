use super::*;

fn wire(change: impl Fn(&mut DeepgramConfig)) -> Box<dyn Wire> {
    let mut config = DeepgramConfig::new(Secret::new("dg-key"));
    change(&mut config);
    Deepgram(config).wire(AudioFormat::MULAW_8K)
}

fn hear(wire: &mut dyn Wire, json: &str) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(json.to_owned()), &mut told).map(|()| told)
}

#[test]
fn every_setting_is_in_the_request() {
    let wire = wire(|config| {
        config.model = "nova-2".to_owned();
        config.language = "hi".to_owned();
        config.keyterms = vec!["Caly".to_owned(), "order number".to_owned()];
    });
    let Request::WebSocket(endpoint) = wire.request() else { panic!("no WebSocket") };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.deepgram.com/v1/listen?model=nova-2&language=hi&encoding=mulaw&sample_rate=8000&channels=1\
         &interim_results=true&endpointing=300&vad_events=true&smart_format=true&punctuate=true&utterance_end_ms=1000\
         &keyterm=Caly&keyterm=order%20number"
    );
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Token dg-key"))]);
}

#[test]
fn control_is_text_and_audio_is_not() {
    let mut wire = wire(|_| {});
    assert_eq!(wire.audio(&[1, 2]), Message::Binary(vec![1, 2]));
    assert_eq!(wire.finalize(), Some(Message::Text(r#"{"type":"Finalize"}"#.to_owned())));
    assert_eq!(wire.goodbye(), Some(Message::Text(r#"{"type":"CloseStream"}"#.to_owned())));
    let (every, message) = wire.keep_alive().unwrap();
    assert!(every < Duration::from_secs(5) && message == Message::Text(r#"{"type":"KeepAlive"}"#.to_owned()));
}

#[test]
fn results_are_words_with_their_times() {
    let mut wire = wire(|_| {});
    let told = hear(
        &mut *wire,
        r#"{"type":"Results","channel_index":[0,1],"start":1.2,"duration":1.0,"is_final":true,"speech_final":true,
            "from_finalize":false,"channel":{"alternatives":[{"transcript":"Mera order","confidence":0.97,"languages":["hi"],
            "words":[{"word":"mera","punctuated_word":"Mera","start":1.2,"end":1.4,"confidence":0.98,"language":"hi"},
            {"word":"order","start":1.5,"end":1.9,"confidence":0.9}]}]},
            "metadata":{"request_id":"r1","model_uuid":"u","model_info":{"name":"n","version":"v","arch":"a"}}}"#,
    )
    .unwrap();
    let word = |text: &str, begins, ends, confidence| HeardWord {
        text: text.to_owned(),
        begins: Duration::from_millis(begins),
        ends: Duration::from_millis(ends),
        confidence: Some(confidence),
    };
    let words = Words {
        text: "Mera order".to_owned(),
        words: vec![word("Mera", 1_200, 1_400, 0.98), word("order", 1_500, 1_900, 0.9)],
        is_final: true,
        language: Some("hi".to_owned()),
        until: Some(Duration::from_millis(2_200)),
    };
    assert_eq!(told, [Told::Words(words), Told::Turn(TurnOpinion::Ended)]);
}

#[test]
fn the_end_of_an_utterance_is_told_once() {
    let mut wire = wire(|_| {});
    let results = |text: &str, speech_final: bool| {
        format!(
            r#"{{"type":"Results","is_final":true,"speech_final":{speech_final},"channel":{{"alternatives":[{{"transcript":"{text}"}}]}}}}"#
        )
    };
    let ends = |told: Vec<Told>| told.contains(&Told::Turn(TurnOpinion::Ended));
    let utterance_end = r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":2.2}"#;
    assert!(!ends(hear(&mut *wire, &results("", true)).unwrap()), "nothing was said");
    assert!(ends(hear(&mut *wire, &results("haan", true)).unwrap()));
    assert!(!ends(hear(&mut *wire, utterance_end).unwrap()));
    assert!(!ends(hear(&mut *wire, &results("theek hai", false)).unwrap()));
    assert!(ends(hear(&mut *wire, utterance_end).unwrap()));
}

#[test]
fn what_is_not_known_is_ignored_and_what_is_no_json_is_a_fault() {
    let mut wire = wire(|_| {});
    assert_eq!(hear(&mut *wire, r#"{"type":"Sentiment","value":1}"#), Ok(Vec::new()));
    assert_eq!(
        hear(&mut *wire, r#"{"type":"Metadata","request_id":"r","duration":9.5,"channels":1}"#).unwrap(),
        [Told::Metered(Duration::from_millis(9_500))]
    );
    assert_eq!(hear(&mut *wire, r#"{"type":"Results","channel":"#).unwrap_err().kind, FaultKind::Malformed);
    let fault = hear(&mut *wire, r#"{"type":"Error","variant":"v","description":"d"}"#).unwrap_err();
    assert_eq!(fault.to_string(), "unavailable: v: d");
    assert!(wire.receive(&Message::Binary(vec![0]), &mut Vec::new()).is_err());
    let closed = |reason: &str| wire.closed(Some(1011), reason).map(|fault| fault.kind);
    assert_eq!(closed("DATA-0000: cannot be decoded"), Some(FaultKind::WrongAudio));
    assert_eq!(closed("NET-0001"), None);
}
