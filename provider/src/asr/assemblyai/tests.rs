use super::*;

fn wire(change: impl Fn(&mut AssemblyAiConfig)) -> Box<dyn Wire> {
    let mut config = AssemblyAiConfig::new(Secret::new("aai-key"));
    change(&mut config);
    AssemblyAi(config).wire(AudioFormat::MULAW_8K)
}

fn hear(wire: &mut dyn Wire, json: &str) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(json.to_owned()), &mut told).map(|()| told)
}

fn turn(number: u32, text: &str, is_over: bool, is_formatted: bool) -> String {
    format!(
        r#"{{"type":"Turn","turn_order":{number},"end_of_turn":{is_over},"turn_is_formatted":{is_formatted},
        "transcript":"{text}","end_of_turn_confidence":0.8,"words":[]}}"#
    )
}

fn words(text: &str, is_final: bool) -> Told {
    Told::Words(Words { text: text.to_owned(), is_final, ..Words::default() })
}

#[test]
fn every_setting_is_in_the_request() {
    let url = |wire: &dyn Wire| {
        let Request::WebSocket(endpoint) = wire.request() else { panic!("no WebSocket") };
        assert_eq!(endpoint.headers, [("authorization", Secret::new("aai-key"))]);
        endpoint.url.as_str().to_owned()
    };
    assert_eq!(
        url(&*wire(|_| {})),
        "wss://streaming.assemblyai.com/v3/ws?speech_model=universal-streaming-multilingual&sample_rate=8000\
         &encoding=pcm_mulaw&format_turns=true"
    );
    let full = wire(|config| {
        config.model = "whisper-rt".to_owned();
        config.format_turns = false;
        config.end_of_turn_percent = Some(40);
        config.min_turn_silence_ms = Some(160);
        config.max_turn_silence_ms = Some(1_200);
        config.keyterms = vec!["Caly".to_owned()];
    });
    assert_eq!(
        url(&*full),
        "wss://streaming.assemblyai.com/v3/ws?speech_model=whisper-rt&sample_rate=8000&encoding=pcm_mulaw\
         &format_turns=false&end_of_turn_confidence_threshold=0.4&min_turn_silence=160&max_turn_silence=1200\
         &keyterms_prompt=%5B%22Caly%22%5D"
    );
}

#[test]
fn control_is_text_and_audio_is_not() {
    let mut wire = wire(|_| {});
    let text = |kind: &str| Message::Text(format!(r#"{{"type":"{kind}"}}"#));
    assert_eq!(wire.audio(&[1, 2]), Message::Binary(vec![1, 2]));
    assert_eq!(wire.least_piece(), Duration::from_millis(50));
    assert_eq!(wire.finalize(), Some(text("ForceEndpoint")));
    assert_eq!(wire.goodbye(), Some(text("Terminate")));
    assert_eq!(wire.keep_alive().unwrap().1, text("KeepAlive"));
}

#[test]
fn a_turn_is_final_when_its_punctuation_is_there() {
    let mut wire = wire(|_| {});
    assert!(wire.confirms());
    let mut hear = |json: &str| hear(&mut *wire, json).unwrap();
    assert_eq!(
        hear(r#"{"type":"Begin","id":"b1","expires_at":1}"#),
        [Told::Ready { request_id: Some("b1".to_owned()) }]
    );
    assert_eq!(hear(r#"{"type":"SpeechStarted","timestamp":100}"#), [Told::SpeechStarted]);
    assert_eq!(hear(&turn(0, "mera", false, false)), [words("mera", false)]);
    assert_eq!(
        hear(&turn(0, "mera order", true, false)),
        [words("mera order", false), Told::Turn(TurnOpinion::Ended)]
    );
    assert_eq!(hear(&turn(0, "Mera order.", true, true)), [words("Mera order.", true)]);
    assert_eq!(hear(&turn(0, "Mera order.", true, true)), [], "it was told");
    assert_eq!(hear(&turn(1, "haan", true, false)).len(), 2);
    assert_eq!(
        hear(&turn(2, "kahan", false, false)),
        [words("haan", true), words("kahan", false)],
        "its punctuation never came"
    );
    assert_eq!(
        hear(&turn(2, "Kahan?", true, true)),
        [words("Kahan?", true), Told::Turn(TurnOpinion::Ended)],
        "some models tell it once"
    );
}

#[test]
fn without_formatting_a_turn_is_final_at_once() {
    let mut wire = wire(|config| config.format_turns = false);
    let told = hear(&mut *wire, &turn(0, "haan", true, false)).unwrap();
    assert_eq!(told, [words("haan", true), Told::Turn(TurnOpinion::Ended)]);
}

#[test]
fn words_carry_their_times() {
    let json = r#"{"type":"Turn","turn_order":0,"transcript":"haan","language_code":"hi","words":[
        {"text":"haan","start":120,"end":480,"confidence":0.9,"word_is_final":true},{"text":"ji"}]}"#;
    let told = hear(&mut *wire(|_| {}), json).unwrap();
    let [Told::Words(words)] = &told[..] else { panic!("{told:?}") };
    let haan = HeardWord {
        text: "haan".to_owned(),
        begins: Duration::from_millis(120),
        ends: Duration::from_millis(480),
        confidence: Some(0.9),
    };
    assert_eq!((words.words.as_slice(), words.language.as_deref()), (&[haan][..], Some("hi")));
}

#[test]
fn codes_say_what_is_to_be_done_on_the_close_and_in_errors() {
    let mut wire = wire(|_| {});
    hear(&mut *wire, r#"{"type":"Begin","id":"b1"}"#).unwrap();
    for (code, kind) in [
        (3005, FaultKind::Unavailable),
        (3006, FaultKind::Refused),
        (3007, FaultKind::Refused),
        (3008, FaultKind::Dropped),
        (3009, FaultKind::RateLimited),
        (4001, FaultKind::Unauthorized),
        (4029, FaultKind::RateLimited),
        (4031, FaultKind::Dropped),
    ] {
        let closed = wire.closed(Some(code), "why").unwrap();
        assert_eq!((closed.kind, closed.request_id.as_deref()), (kind, Some("b1")), "{code}");
        assert_eq!(closed.detail, format!("code {code}: why"));
        let error = format!(r#"{{"type":"Error","error_code":{code},"error":"why"}}"#);
        let fault = hear(&mut *wire, &error).unwrap_err();
        assert_eq!((fault.kind, fault.detail.as_str()), (kind, &*format!("{code}: why")));
    }
    assert_eq!((wire.closed(Some(1000), ""), wire.closed(None, "")), (None, None));
    let unknown = hear(&mut *wire, r#"{"type":"Error","error":"why"}"#).unwrap_err();
    assert_eq!(unknown.kind, FaultKind::Unavailable);
}

#[test]
fn the_rest_is_metered_warned_of_or_ignored() {
    let mut wire = wire(|_| {});
    let mut hear = |json: &str| hear(&mut *wire, json);
    let over = r#"{"type":"Termination","audio_duration_seconds":8,"session_duration_seconds":9.5}"#;
    assert_eq!(hear(over).unwrap(), [Told::Metered(Duration::from_millis(9_500))]);
    let warning = r#"{"type":"Warning","warning_code":7,"warning":"slow"}"#;
    assert_eq!(hear(warning).unwrap(), [Told::Warning("7: slow".to_owned())]);
    assert_eq!(hear(r#"{"type":"Novelty","x":1}"#), Ok(Vec::new()));
    assert_eq!(hear(r#"{"type":"Turn","turn_order":-1}"#).unwrap_err().kind, FaultKind::Malformed);
    assert!(wire.receive(&Message::Binary(vec![0]), &mut Vec::new()).is_err());
}
