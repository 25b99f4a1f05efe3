use std::sync::Arc;

use super::*;
use crate::realtime::Usage;

fn config() -> GeminiConfig {
    GeminiConfig::new(GeminiAuth::Key(Secret::new("k&y")), "models/gemini-3.8-live")
}

fn wire_of(config: GeminiConfig, handle: Option<&str>) -> Box<dyn Wire> {
    let vendor = Gemini(config);
    let tool = |name: &str, parameters| ToolSpec {
        name: name.to_owned(),
        description: "Does it".to_owned(),
        parameters,
    };
    let parameters = json!({ "type": "object", "additionalProperties": false, "required": ["awb"], "properties": {
        "awb": { "type": ["string", "null"], "description": "The number" },
        "all": { "type": "array", "items": { "type": "integer", "$comment": "x" } } } });
    let tools =
        Arc::new([tool("track", parameters), tool("end", json!({ "type": "object", "properties": {} }))]);
    let setup =
        Setup { instructions: "Be brief.".into(), tools, language: "hi".to_owned(), ..Setup::default() };
    vendor.wire(vendor.formats()[0], &setup, handle)
}

fn wire() -> Box<dyn Wire> {
    wire_of(config(), None)
}

fn hear(wire: &mut dyn Wire, json: &Value) -> Vec<Told> {
    let (mut told, mut binary) = (Vec::new(), Vec::new());
    wire.receive(&Message::Binary(json.to_string().into_bytes()), &mut told).unwrap();
    // Text says the same.
    wire_of(config(), None).receive(&say(json), &mut binary).unwrap();
    told
}

fn json_of(messages: &[Message]) -> Vec<Value> {
    let one = |message: &Message| match message {
        Message::Text(text) => serde_json::from_str(text).unwrap(),
        Message::Binary(_) => panic!("binary"),
    };
    messages.iter().map(one).collect()
}

fn sound(kind: &str) -> Value {
    json!({ "serverContent": { "modelTurn": { "parts": [{ "inlineData": { "mimeType": kind, "data": "AAEC" } }, { "text": "thought" }] } } })
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn the_session_is_set_up() {
    let mut wire = wire();
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(
        endpoint.url.as_str(),
        "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k%26y"
    );
    assert!(!format!("{endpoint:?}").contains("k%26y"));
    let expected = json!({ "setup": {
        "model": "models/gemini-3.8-live",
        "generationConfig": { "responseModalities": ["AUDIO"],
            "speechConfig": { "voiceConfig": { "prebuiltVoiceConfig": { "voiceName": "Kore" } } } },
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "realtimeInputConfig": { "automaticActivityDetection": { "silenceDurationMs": 500 } },
        "sessionResumption": {}, "inputAudioTranscription": {}, "outputAudioTranscription": {},
        "tools": [{ "functionDeclarations": [
            { "name": "track", "description": "Does it", "parameters": { "type": "OBJECT", "required": ["awb"], "properties": {
                "awb": { "type": "STRING", "nullable": true, "description": "The number" },
                "all": { "type": "ARRAY", "items": { "type": "INTEGER" } } } } },
            { "name": "end", "description": "Does it" }] }] } });
    assert_eq!(json_of(&wire.greeting()), [expected]);
    assert_eq!(hear(&mut *wire, &json!({ "setupComplete": {} })), [Told::Ready { request_id: None }]);
    assert_eq!(wire.lifetime(), Some(Duration::from_secs(540)));
    assert!(wire.habits().ends_turns && wire.habits().answers_results && !wire.is_resumed());
}

#[test]
fn a_token_goes_with_the_headers_and_a_handle_with_the_setup() {
    let mut config = config();
    config.auth = GeminiAuth::Token(Secret::new("ya29"));
    config.url = "https://vertex/ws".to_owned();
    config.transcribes = false;
    config.extra.insert("temperature".to_owned(), json!(0.5));
    let mut wire = wire_of(config, Some("h1"));
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(endpoint.url.as_str(), "wss://vertex/ws");
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Bearer ya29"))]);
    let setup = json_of(&wire.greeting()).remove(0)["setup"].take();
    assert_eq!(setup["sessionResumption"], json!({ "handle": "h1" }));
    assert_eq!(setup["generationConfig"]["temperature"], 0.5);
    assert!(setup.get("inputAudioTranscription").is_none() && wire.is_resumed());
}

#[test]
fn what_the_client_says_has_its_messages() {
    let mut wire = wire();
    let audio =
        json!({ "realtimeInput": { "audio": { "mimeType": "audio/pcm;rate=16000", "data": "AAEC" } } });
    assert_eq!(json_of(&wire.audio(&[0, 1, 2])), std::slice::from_ref(&audio));
    assert_eq!(json_of(&wire.end_turn()), [json!({ "realtimeInput": { "audioStreamEnd": true } })]);
    assert!(wire.cancel().is_empty());
    assert!(wire.truncate("x", Duration::ZERO).is_empty());
    let turn = |role: &str, text: &str, is_complete: bool| json!({ "clientContent": { "turns": [{ "role": role, "parts": [{ "text": text }] }], "turnComplete": is_complete } });
    assert_eq!(json_of(&wire.respond(None)), [turn("user", "(Go on.)", true)]);
    assert_eq!(json_of(&wire.respond(Some("Greet."))), [turn("user", "(Greet.)", true)]);
    assert_eq!(json_of(&wire.note(Speaker::User, "hi")), [turn("user", "hi", false)]);
    assert_eq!(json_of(&wire.note(Speaker::Assistant, "hi")), [turn("model", "hi", false)]);
    assert_eq!(json_of(&wire.note(Speaker::System, "hi")), [turn("user", "(hi)", false)]);
    let mut manual = config();
    manual.turns = GeminiTurns::Manual;
    let mut manual = wire_of(manual, None);
    let setup = json_of(&manual.greeting()).remove(0);
    let input = &setup["setup"]["realtimeInputConfig"];
    let told =
        json!({ "automaticActivityDetection": { "disabled": true }, "activityHandling": "NO_INTERRUPTION" });
    assert_eq!(input, &told);
    let start = json!({ "realtimeInput": { "activityStart": {} } });
    assert_eq!(json_of(&manual.audio(&[0, 1, 2])), [start, audio.clone()]);
    assert_eq!(json_of(&manual.audio(&[0, 1, 2])), [audio]);
    assert_eq!(json_of(&manual.end_turn()), [json!({ "realtimeInput": { "activityEnd": {} } })]);
    assert!(manual.end_turn().is_empty() && !manual.habits().stops_when_interrupted);
}

#[test]
fn what_was_said_before_is_told_at_once() {
    let call = ToolRequest { id: text("c"), name: text("track"), arguments: text("{}") };
    let turns = [
        Turn::Assistant { text: text("Namaste!"), calls: Vec::new() },
        Turn::User(text("mera order?")),
        Turn::Assistant { text: String::new(), calls: vec![call] },
        Turn::Results(vec![ToolResult { id: text("c"), content: text("here"), is_error: false }]),
    ];
    let content = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
    let contents = [
        content("model", "Namaste!"),
        content("user", "mera order?"),
        content("user", "(The tool track was used with {}.)"),
        content("user", "(The tool answered: here)"),
    ];
    let expected = json!({ "clientContent": { "turns": contents, "turnComplete": false } });
    assert_eq!(json_of(&wire().replay(&turns)), [expected]);
    assert!(wire().replay(&[]).is_empty());
}

#[test]
fn an_exchange_is_understood() {
    let mut wire = wire();
    let heard = |text: &str| json!({ "serverContent": { "inputTranscription": { "text": text } } });
    let told = |words: &str, is_final| Told::Transcript { item: text("user-0"), text: text(words), is_final };
    assert_eq!(hear(&mut *wire, &heard("mera ")), [told("mera ", false)]);
    assert_eq!(hear(&mut *wire, &heard("order")), [told("mera order", false)]);
    let (answer, item) = (text("answer-0"), text("agent-0"));
    let audio = Told::Audio { answer: answer.clone(), item: item.clone(), bytes: vec![0, 1, 2] };
    let expected = [
        Told::Turn { item: text("user-0") },
        told("mera order", true),
        Told::AnswerStarted { answer: answer.clone() },
        audio.clone(),
    ];
    assert_eq!(hear(&mut *wire, &sound("audio/pcm;rate=24000")), expected);
    assert_eq!(hear(&mut *wire, &sound("audio/pcm;rate=24000")), [audio]);
    let words = json!({ "serverContent": { "outputTranscription": { "text": "Ek minute" } } });
    assert_eq!(hear(&mut *wire, &words), [Told::AgentText { answer, item, text: text("Ek minute") }]);
    let complete = json!({ "serverContent": { "generationComplete": true } });
    assert_eq!(hear(&mut *wire, &complete), [Told::SoundComplete]);
    let done = json!({ "serverContent": { "turnComplete": true }, "usageMetadata": { "promptTokenCount": 9, "responseTokenCount": 4,
        "cachedContentTokenCount": 2, "totalTokenCount": 13, "promptTokensDetails": [{ "modality": "AUDIO", "tokenCount": 7 }, { "modality": "TEXT", "tokenCount": 2 }],
        "responseTokensDetails": [{ "modality": "AUDIO", "tokenCount": 3 }] } });
    let usage = Usage {
        input_tokens: 9,
        input_audio_tokens: 7,
        cached_tokens: 2,
        output_tokens: 4,
        output_audio_tokens: 3,
    };
    let done_told = Told::AnswerDone { status: AnswerStatus::Completed, usage: Some(usage) };
    assert_eq!(hear(&mut *wire, &done), [done_told]);
    let again = json!({ "serverContent": { "turnComplete": true } });
    assert_eq!(hear(&mut *wire, &again), [], "it was over");
    let told = hear(&mut *wire, &sound("audio/pcm;rate=24000"));
    assert_eq!(told[1], Told::AnswerStarted { answer: text("answer-1") });
    let interrupted = json!({ "serverContent": { "interrupted": true } });
    assert_eq!(
        hear(&mut *wire, &interrupted),
        [Told::Interrupted, Told::AnswerDone { status: AnswerStatus::Cancelled, usage: None }]
    );
}

#[test]
fn tools_are_asked_for_answered_and_cancelled() {
    let mut wire = wire();
    let call = json!({ "toolCall": { "functionCalls": [{ "id": "f1", "name": "track", "args": { "awb": "7" } }, { "id": "f2", "name": "end" }] } });
    let told = hear(&mut *wire, &call);
    let tool = |id: &str, name: &str, arguments: &str| {
        Told::Tool(ToolRequest { id: text(id), name: text(name), arguments: text(arguments) })
    };
    assert_eq!(told[2..], [tool("f1", "track", "{\"awb\":\"7\"}"), tool("f2", "end", "{}")]);
    let mut result = ToolResult { id: text("f1"), content: text("{\"ok\":1}"), is_error: false };
    let answered = |id: &str, name: &str, response: Value| json!({ "toolResponse": { "functionResponses": [{ "id": id, "name": name, "response": response }] } });
    assert_eq!(json_of(&wire.result(&result)), [answered("f1", "track", json!({ "ok": 1 }))]);
    (result.id, result.content) = (text("f2"), text("plain"));
    assert_eq!(json_of(&wire.result(&result)), [answered("f2", "end", json!({ "result": "plain" }))]);
    result.is_error = true;
    assert_eq!(json_of(&wire.result(&result)), [answered("f2", "", json!({ "error": "plain" }))]);
    let cancelled = json!({ "toolCallCancellation": { "ids": ["f1"] } });
    assert_eq!(hear(&mut *wire, &cancelled), [Told::ToolsCancelled(vec![text("f1")])]);
}

#[test]
fn the_end_of_the_connection_is_prepared() {
    let mut wire = wire();
    let update = |handle: &str, resumable: bool| json!({ "sessionResumptionUpdate": { "newHandle": handle, "resumable": resumable } });
    assert_eq!(hear(&mut *wire, &update("h1", true)), [Told::Handle(Some(text("h1")))]);
    assert_eq!(hear(&mut *wire, &update("h1", false)), [Told::Handle(None)]);
    let away = |left: Value| json!({ "goAway": { "timeLeft": left } });
    let left = |ms| [Told::GoAway { left: Duration::from_millis(ms) }];
    assert_eq!(hear(&mut *wire, &away(json!("9.5s"))), left(9_500));
    assert_eq!(hear(&mut *wire, &away(json!("soon"))), left(0));
    assert_eq!(hear(&mut *wire, &json!({ "goAway": {} })), left(0));
}

#[test]
fn nonsense_and_closes_are_faults_and_what_is_new_is_ignored() {
    let mut wire = wire();
    assert_eq!(
        hear(&mut *wire, &json!({ "new": { "x": 1 }, "serverContent": { "groundingMetadata": {} } })),
        []
    );
    for bad in ["{", "7", r#"{"serverContent":3}"#, r#"{"toolCall":{"functionCalls":[{}]}}"#] {
        let fault = wire.receive(&Message::Text(text(bad)), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{bad}");
    }
    let fault = wire.receive(&say(&sound("audio/opus")), &mut Vec::new()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::WrongAudio);
    let kind = |code, reason| wire.closed(code, reason).map(|fault| fault.kind);
    assert_eq!(kind(Some(1007), "Request contains a strange argument"), Some(FaultKind::Refused));
    assert_eq!(kind(Some(1008), "API key not valid"), Some(FaultKind::Unauthorized));
    assert_eq!(kind(Some(1011), "You exceeded your current quota"), Some(FaultKind::RateLimited));
    assert_eq!(kind(Some(1008), "models/x is not found"), Some(FaultKind::NotFound));
    assert_eq!((kind(Some(1000), ""), kind(None, "")), (None, None));
}
