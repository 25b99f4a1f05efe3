use super::*;

fn wire(change: impl Fn(&mut FluxConfig)) -> Box<dyn Wire> {
    let mut config = FluxConfig::new(Secret::new("dg-key"));
    change(&mut config);
    Flux(config).wire(AudioFormat::MULAW_8K)
}

fn hear(wire: &mut dyn Wire, json: &str) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(json.to_owned()), &mut told).map(|()| told)
}

fn info(event: &str, transcript: &str) -> String {
    format!(
        r#"{{"type":"TurnInfo","event":"{event}","request_id":"r","sequence_id":12,"turn_index":3,"audio_window_start":0.0,
        "audio_window_end":2.4,"transcript":"{transcript}","words":[],"end_of_turn_confidence":0.55}}"#
    )
}

fn words(text: &str, is_final: bool) -> Told {
    let until = Some(Duration::from_millis(2_400));
    Told::Words(Words { text: text.to_owned(), is_final, until, ..Words::default() })
}

#[test]
fn every_setting_is_in_the_request() {
    let plain = wire(|_| {}).request();
    let Request::WebSocket(endpoint) = plain else { panic!("no WebSocket") };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://api.deepgram.com/v2/listen?model=flux-general-multi&encoding=mulaw&sample_rate=8000&eot_threshold=0.7\
         &eot_timeout_ms=5000"
    );
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Token dg-key"))]);
    let full = wire(|config| {
        config.eager_eot_percent = Some(45);
        config.eot_percent = 100;
        config.language_hints = vec!["hi".to_owned(), "en".to_owned()];
        config.keyterms = vec!["order number".to_owned()];
    });
    let Request::WebSocket(endpoint) = full.request() else { panic!("no WebSocket") };
    assert!(
        endpoint.url.as_str().ends_with(
            "&eot_threshold=1&eot_timeout_ms=5000&eager_eot_threshold=0.45&language_hint=hi&language_hint=en\
             &keyterm=order%20number"
        ),
        "{}",
        endpoint.url.as_str()
    );
}

#[test]
fn it_is_ready_when_it_says_so_and_wants_silence_when_there_is_no_audio() {
    let mut wire = wire(|_| {});
    assert!(wire.confirms() && wire.greeting().is_empty() && wire.keep_alive().is_none());
    assert_eq!(wire.silence_after(), Some(Duration::from_secs(2)));
    let told = hear(&mut *wire, r#"{"type":"Connected","request_id":"r1","sequence_id":0}"#);
    assert_eq!(told.unwrap(), [Told::Ready { request_id: Some("r1".to_owned()) }]);
    assert_eq!(wire.audio(&[1, 2]), Message::Binary(vec![1, 2]));
    assert_eq!(wire.goodbye(), Some(Message::Text(r#"{"type":"CloseStream"}"#.to_owned())));
}

#[test]
fn a_turn_is_told_from_its_start_to_its_end() {
    let mut wire = wire(|_| {});
    let mut told = |event, text| hear(&mut *wire, &info(event, text)).unwrap();
    assert_eq!(told("StartOfTurn", "mera"), [Told::SpeechStarted, words("mera", false)]);
    assert_eq!(told("Update", "mera order"), [words("mera order", false)]);
    assert_eq!(
        told("EagerEndOfTurn", "mera order"),
        [words("mera order", false), Told::Turn(TurnOpinion::Likely)]
    );
    assert_eq!(
        told("TurnResumed", "mera order kahan"),
        [words("mera order kahan", false), Told::Turn(TurnOpinion::Resumed)]
    );
    assert_eq!(
        told("EndOfTurn", "mera order kahan hai"),
        [words("mera order kahan hai", true), Told::Turn(TurnOpinion::Ended)]
    );
    assert_eq!(told("Yawned", "x"), []);
}

#[test]
fn only_a_turn_that_has_begun_is_ended() {
    let mut wire = wire(|_| {});
    assert_eq!(wire.finalize(), None);
    hear(&mut *wire, &info("Update", "haan")).unwrap();
    assert_eq!(wire.finalize(), Some(Message::Text(r#"{"type":"ForceEndTurn"}"#.to_owned())));
    hear(&mut *wire, &info("EndOfTurn", "haan")).unwrap();
    assert_eq!(wire.finalize(), None);
}

#[test]
fn words_carry_their_times_if_there_are_any() {
    let json = r#"{"type":"TurnInfo","event":"Update","turn_index":0,"transcript":"cancel my","new_field":[1],
        "words":[{"word":"cancel","confidence":0.99,"start":0.5,"end":0.9},{"word":"my","confidence":0.9}]}"#;
    let told = hear(&mut *wire(|_| {}), json).unwrap();
    let [Told::Words(words)] = &told[..] else { panic!("{told:?}") };
    let cancel = HeardWord {
        text: "cancel".to_owned(),
        begins: Duration::from_millis(500),
        ends: Duration::from_millis(900),
        confidence: Some(0.99),
    };
    assert_eq!((words.words.as_slice(), words.until), (&[cancel][..], None));
}

#[test]
fn complaints_are_warnings_and_errors_are_faults() {
    let mut wire = wire(|_| {});
    let warned = hear(&mut *wire, r#"{"type":"Warning","code":"SLOW","description":"audio is late"}"#);
    assert_eq!(warned.unwrap(), [Told::Warning("SLOW: audio is late".to_owned())]);
    let failed = hear(&mut *wire, r#"{"type":"ConfigureFailure","sequence_id":3}"#);
    assert_eq!(failed.unwrap(), [Told::Warning(String::new())]);
    assert_eq!(hear(&mut *wire, r#"{"type":"ConfigureSuccess","thresholds":{}}"#), Ok(Vec::new()));
    assert_eq!(hear(&mut *wire, r#"{"type":"Sentiment"}"#), Ok(Vec::new()));
    hear(&mut *wire, r#"{"type":"Connected","request_id":"r1"}"#).unwrap();
    for (code, kind) in [
        ("INTERNAL_SERVER_ERROR", FaultKind::Unavailable),
        ("BAD_REQUEST", FaultKind::Refused),
        ("FORBIDDEN", FaultKind::Unauthorized),
        ("TOO_MANY_REQUESTS", FaultKind::RateLimited),
        ("NET-0001", FaultKind::Dropped),
        ("DATA-0000", FaultKind::WrongAudio),
    ] {
        let json = format!(r#"{{"type":"Error","sequence_id":9,"code":"{code}","description":"d"}}"#);
        let fault = hear(&mut *wire, &json).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("r1")), "{code}");
        assert_eq!(fault.detail, format!("{code}: d"));
    }
    assert_eq!(hear(&mut *wire, r#"{"type":"TurnInfo"}"#).unwrap_err().kind, FaultKind::Malformed);
    assert!(wire.receive(&Message::Binary(vec![0]), &mut Vec::new()).is_err());
    assert_eq!(wire.closed(Some(1011), "DATA-0000").unwrap().kind, FaultKind::WrongAudio);
    assert!(wire.closed(Some(1011), "NET-0001").is_none());
}
