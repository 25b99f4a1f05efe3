use super::*;

fn config(change: impl Fn(&mut OpenAiConfig)) -> OpenAi {
    let mut config = OpenAiConfig::new(Secret::new("sk-1"));
    change(&mut config);
    OpenAi(config)
}

fn hear(wire: &mut dyn Wire, json: &str) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(json.to_owned()), &mut told).map(|()| told)
}

fn endpoint(wire: &dyn Wire) -> Endpoint {
    let Request::WebSocket(endpoint) = wire.request() else { panic!("no WebSocket") };
    endpoint
}

fn said(message: &Message) -> Value {
    let Message::Text(text) = message else { panic!("not text") };
    serde_json::from_str(text).unwrap()
}

fn vad(config: &mut OpenAiConfig) {
    config.turns =
        OpenAiTurns::ServerVad { threshold_percent: 60, prefix_padding_ms: 300, silence_duration_ms: 400 };
}

fn words(text: &str, is_final: bool, until_ms: Option<u64>) -> Told {
    let until = until_ms.map(Duration::from_millis);
    Told::Words(Words { text: text.to_owned(), is_final, until, ..Words::default() })
}

fn item(kind: &str, rest: &str) -> String {
    format!(
        r#"{{"type":"conversation.item.input_audio_transcription.{kind}","event_id":"e","content_index":0,{rest}}}"#
    )
}

#[test]
fn it_is_greeted_with_the_session_and_ready_when_that_is_confirmed() {
    let mut wire = config(|_| {}).wire(AudioFormat::MULAW_8K);
    let endpoint = endpoint(&*wire);
    assert_eq!(endpoint.url.as_str(), "wss://api.openai.com/v1/realtime?intent=transcription");
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Bearer sk-1"))]);
    let expected = json!({"type": "session.update", "session": {"type": "transcription", "audio": {"input": {
        "format": {"type": "audio/pcmu"},
        "transcription": {"model": "gpt-live-transcribe", "languages": ["hi", "en"]},
        "turn_detection": null,
    }}}});
    assert_eq!(said(&wire.greeting()[0]), expected);
    assert!(wire.confirms() && wire.keep_alive().is_none() && wire.goodbye().is_none());
    let created =
        r#"{"type":"session.created","event_id":"e1","session":{"id":"sess_1","type":"transcription"}}"#;
    assert_eq!(hear(&mut *wire, created), Ok(Vec::new()));
    let updated = r#"{"type":"session.updated","event_id":"e2","session":{"type":"transcription"}}"#;
    assert_eq!(hear(&mut *wire, updated).unwrap(), [Told::Ready { request_id: Some("sess_1".to_owned()) }]);
    let beta = r#"{"type":"transcription_session.updated","session":{"id":"sess_2"}}"#;
    assert_eq!(hear(&mut *wire, beta).unwrap(), [Told::Ready { request_id: Some("sess_2".to_owned()) }]);
}

#[test]
fn every_setting_is_in_the_greeting() {
    let openai = config(|config| {
        config.model = "gpt-realtime-whisper".to_owned();
        config.languages = vec!["hi".to_owned()];
        config.prompt = "orders".to_owned();
        config.keywords = vec!["Caly".to_owned()];
        config.delay = Some("low".to_owned());
        config.noise_reduction = Some("near_field".to_owned());
        vad(config);
    });
    let input = |format| said(&openai.wire(format).greeting()[0])["session"]["audio"]["input"].clone();
    let expected = json!({
        "format": {"type": "audio/pcm", "rate": 24000},
        "transcription": {"model": "gpt-realtime-whisper", "language": "hi", "prompt": "orders", "keywords": ["Caly"],
            "delay": "low"},
        "turn_detection": {"type": "server_vad", "threshold": 0.6, "prefix_padding_ms": 300,
            "silence_duration_ms": 400},
        "noise_reduction": {"type": "near_field"},
    });
    assert_eq!(input(AudioFormat::PCM_24K), expected);
    assert_eq!(input(AudioFormat::ALAW_8K)["format"], json!({"type": "audio/pcma"}));
    let semantic = config(|config| {
        config.languages = Vec::new();
        config.turns = OpenAiTurns::SemanticVad { eagerness: "high".to_owned() };
    });
    let greeting = said(&semantic.wire(AudioFormat::MULAW_8K).greeting()[0]);
    let input = &greeting["session"]["audio"]["input"];
    assert_eq!(input["turn_detection"], json!({"type": "semantic_vad", "eagerness": "high"}));
    assert_eq!(input["transcription"], json!({"model": "gpt-live-transcribe"}));
}

#[test]
fn audio_is_committed_when_the_owner_says_so_and_words_reach_as_far() {
    let mut wire = config(|_| {}).wire(AudioFormat::MULAW_8K);
    let piece = json!({"type": "input_audio_buffer.append", "audio": "AQID"});
    assert_eq!(said(&wire.audio(&[1, 2, 3])), piece);
    assert_eq!(wire.finalize(), None, "the server takes no commit of so little");
    let _ = wire.audio(&[0; 1_597]);
    assert_eq!(said(&wire.finalize().unwrap()), json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(wire.finalize(), None, "nothing came since");
    let _ = wire.audio(&[0; 800]);
    let deltas = ["mera ", "order"].map(|delta| format!(r#""item_id":"i1","delta":"{delta}""#));
    let mut hear = |json: &str| hear(&mut *wire, json).unwrap();
    assert_eq!(hear(&item("delta", &deltas[0])), [words("mera ", false, None)]);
    assert_eq!(hear(r#"{"type":"input_audio_buffer.committed","item_id":"i1","previous_item_id":null}"#), []);
    assert_eq!(hear(&item("delta", &deltas[1])), [words("mera order", false, Some(200))]);
    let completed = item(
        "completed",
        r#""item_id":"i1","transcript":"Mera order.","usage":{"type":"duration","seconds":1.5},"languages":["hi"]"#,
    );
    let told = hear(&completed);
    let until = Some(Duration::from_millis(200));
    let language = Some("hi".to_owned());
    let last = Words { text: "Mera order.".to_owned(), is_final: true, language, until, ..Words::default() };
    assert_eq!(told, [Told::Words(last), Told::Metered(Duration::from_millis(1_500))]);
}

#[test]
fn utterances_that_overlap_are_told_one_after_the_other() {
    let mut wire = config(vad).wire(AudioFormat::MULAW_8K);
    assert_eq!(wire.finalize(), None, "nobody speaks");
    let mut hear = |json: &str| hear(&mut *wire, json).unwrap();
    let started = |id: &str| {
        format!(r#"{{"type":"input_audio_buffer.speech_started","audio_start_ms":100,"item_id":"{id}"}}"#)
    };
    assert_eq!(hear(&started("a")), [Told::SpeechStarted]);
    hear(r#"{"type":"input_audio_buffer.speech_stopped","audio_end_ms":900,"item_id":"a"}"#);
    assert_eq!(hear(&started("b")), [Told::SpeechStarted]);
    assert_eq!(hear(&item("delta", r#""item_id":"b","delta":"kahan""#)), []);
    let completed = item("completed", r#""item_id":"a","transcript":"mera order","usage":{"type":"tokens"}"#);
    assert_eq!(hear(&completed), [words("mera order", true, Some(900)), words("kahan", false, None)]);
    hear(r#"{"type":"input_audio_buffer.speech_stopped","audio_end_ms":1900,"item_id":"b"}"#);
    let completed = item("completed", r#""item_id":"b","transcript":"kahan hai""#);
    assert_eq!(hear(&completed), [words("kahan hai", true, Some(1_900)), Told::Turn(TurnOpinion::Ended)]);
    hear(&started("c"));
    assert!(wire.finalize().is_some(), "somebody speaks");
}

#[test]
fn errors_end_the_session_only_if_they_have_to() {
    let of = |is_ready: bool, family: &str, code: &str| {
        let mut wire = config(|_| {}).wire(AudioFormat::MULAW_8K);
        let kind = if is_ready { "session.updated" } else { "session.created" };
        hear(&mut *wire, &format!(r#"{{"type":"{kind}","session":{{"id":"s1"}}}}"#)).unwrap();
        let error = format!(
            r#"{{"type":"error","event_id":"e","error":{{"type":"{family}","code":"{code}","message":"m","param":null}}}}"#
        );
        hear(&mut *wire, &error)
    };
    for (family, code, kind) in [
        ("invalid_request_error", "invalid_api_key", FaultKind::Unauthorized),
        ("authentication_error", "", FaultKind::Unauthorized),
        ("insufficient_quota", "insufficient_quota", FaultKind::RateLimited),
        ("rate_limit_error", "x", FaultKind::RateLimited),
        ("invalid_request_error", "model_not_found", FaultKind::NotFound),
        ("invalid_request_error", "session_expired", FaultKind::Dropped),
    ] {
        let fault = of(true, family, code).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("s1")), "{family} {code}");
    }
    let empty = "input_audio_buffer_commit_empty";
    let warning = Told::Warning(format!("invalid_request_error: {empty}: m"));
    assert_eq!(of(true, "invalid_request_error", empty).unwrap(), [warning]);
    assert_eq!(of(false, "invalid_request_error", "x").unwrap_err().kind, FaultKind::Refused);
    assert_eq!(of(false, "server_error", "x").unwrap_err().kind, FaultKind::Unavailable);
}

#[test]
fn an_utterance_that_fails_ends_with_what_is_known_of_it() {
    let mut wire = config(|_| {}).wire(AudioFormat::MULAW_8K);
    hear(&mut *wire, r#"{"type":"session.updated","session":{}}"#).unwrap();
    hear(&mut *wire, &item("delta", r#""item_id":"a","delta":"mera""#)).unwrap();
    let failed = item("failed", r#""item_id":"a","error":{"type":"server_error","message":"m"}"#);
    let warning = Told::Warning("server_error: m".to_owned());
    assert_eq!(hear(&mut *wire, &failed).unwrap(), [warning, words("mera", true, None)]);
}

#[test]
fn what_is_not_known_is_ignored_and_what_is_no_json_is_a_fault() {
    let mut wire = config(|_| {}).wire(AudioFormat::MULAW_8K);
    for kind in ["rate_limits.updated", "conversation.item.created", "conversation.item.added", "novelty"] {
        assert_eq!(hear(&mut *wire, &format!(r#"{{"type":"{kind}","item":{{}}}}"#)), Ok(Vec::new()));
    }
    assert_eq!(hear(&mut *wire, "{").unwrap_err().kind, FaultKind::Malformed);
    assert!(wire.receive(&Message::Binary(vec![0]), &mut Vec::new()).is_err());
}

#[test]
fn speaches_has_its_model_in_the_url_and_a_flat_session() {
    let speaches = config(|config| {
        config.url = "ws://127.0.0.1:8000/v1".to_owned();
        config.key = Secret::new("");
        config.dialect = OpenAiDialect::Speaches;
        config.model = "Systran/faster-whisper-small".to_owned();
        config.languages = vec!["hi".to_owned()];
        vad(config);
    });
    assert_eq!(speaches.formats(), [AudioFormat::PCM_24K]);
    let mut wire = speaches.wire(AudioFormat::PCM_24K);
    let endpoint = endpoint(&*wire);
    assert_eq!(
        endpoint.url.as_str(),
        "ws://127.0.0.1:8000/v1/realtime?intent=transcription&model=Systran%2Ffaster-whisper-small"
    );
    assert!(endpoint.headers.is_empty());
    let session = said(&wire.greeting()[0])["session"].clone();
    assert_eq!(session["input_audio_format"], "pcm16");
    assert_eq!(session["turn_detection"]["type"], "server_vad");
    assert_eq!(session["input_audio_transcription"]["language"], "hi");
    let told = hear(&mut *wire, r#"{"type":"session.created","session":{"id":"s"}}"#).unwrap();
    assert_eq!(told, [Told::Ready { request_id: Some("s".to_owned()) }]);
}

#[test]
fn vllm_is_told_to_begin_again_after_every_end() {
    let vllm = config(|config| {
        config.dialect = OpenAiDialect::Vllm;
        config.model = "voxtral".to_owned();
    });
    assert_eq!(vllm.formats(), [AudioFormat::PCM_16K]);
    let mut wire = vllm.wire(AudioFormat::PCM_16K);
    assert!(wire.greeting().is_empty());
    assert_eq!(endpoint(&*wire).url.as_str(), "wss://api.openai.com/v1/realtime");
    let begin = Told::Answer(vllm_commit(false));
    let told = hear(&mut *wire, r#"{"type":"session.created","id":"s"}"#).unwrap();
    let Told::Answer(update) = &told[0] else { panic!("{told:?}") };
    assert_eq!(said(update), json!({"type": "session.update", "model": "voxtral"}));
    assert_eq!(told[1..], [begin.clone(), Told::Ready { request_id: Some("s".to_owned()) }]);
    let _ = wire.audio(&[0; 6_400]);
    let delta = r#"{"type":"transcription.delta","delta":"haan"}"#;
    assert_eq!(hear(&mut *wire, delta).unwrap(), [words("haan", false, None)]);
    let last = json!({"type": "input_audio_buffer.commit", "final": true});
    assert_eq!(said(&wire.finalize().unwrap()), last);
    let done = hear(&mut *wire, r#"{"type":"transcription.done","text":"Haan.","usage":{}}"#).unwrap();
    assert_eq!(done, [begin, words("Haan.", true, Some(200))]);
    assert_eq!(hear(&mut *wire, delta).unwrap(), [words("haan", false, None)]);
    let error = hear(&mut *wire, r#"{"type":"error","error":"engine is dead","code":null}"#).unwrap_err();
    assert_eq!(error.to_string(), "unavailable: engine is dead");
}
