use std::sync::Arc;

use super::*;
use crate::realtime::{RateLimit, Usage};

const MULAW: Formats = Formats { input: AudioFormat::MULAW_8K, output: AudioFormat::MULAW_8K };

fn config() -> OpenAiRealtimeConfig {
    OpenAiRealtimeConfig::new(Some(Secret::new("sk")), "gpt-realtime-2.1")
}

fn wire_of(config: OpenAiRealtimeConfig) -> Box<dyn Wire> {
    let tool = ToolSpec {
        name: "lookup_order".to_owned(),
        description: "Find an order".to_owned(),
        parameters: json!({ "type": "object", "properties": {} }),
    };
    let setup = Setup {
        instructions: "Be brief.".into(),
        tools: Arc::new([tool]),
        language: "hi-IN".to_owned(),
        ..Setup::default()
    };
    OpenAiRealtime(config).wire(MULAW, &setup, None)
}

fn wire() -> Box<dyn Wire> {
    wire_of(config())
}

fn hear(wire: &mut dyn Wire, text: &str) -> Vec<Told> {
    let mut told = Vec::new();
    wire.receive(&Message::Text(text.to_owned()), &mut told).unwrap();
    told
}

fn json_of(messages: &[Message]) -> Vec<Value> {
    let one = |message: &Message| match message {
        Message::Text(text) => serde_json::from_str(text).unwrap(),
        Message::Binary(_) => panic!("binary"),
    };
    messages.iter().map(one).collect()
}

#[test]
fn the_session_is_set_up_in_the_calls_own_codec() {
    let mut wire = wire();
    let Request::WebSocket(endpoint) = wire.request() else { panic!() };
    assert_eq!(endpoint.url.as_str(), "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1");
    assert_eq!(endpoint.headers, [("authorization", Secret::new("Bearer sk"))]);
    let expected = json!({ "type": "session.update", "event_id": "setup", "session": {
        "type": "realtime", "instructions": "Be brief.", "output_modalities": ["audio"],
        "audio": {
            "input": { "format": { "type": "audio/pcmu" },
                "transcription": { "model": "gpt-transcribe", "language": "hi" },
                "turn_detection": { "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                    "silence_duration_ms": 500, "create_response": true, "interrupt_response": false } },
            "output": { "format": { "type": "audio/pcmu" }, "voice": "marin" } },
        "tools": [{ "type": "function", "name": "lookup_order", "description": "Find an order",
            "parameters": { "type": "object", "properties": {} } }],
        "tool_choice": "auto" } });
    assert_eq!(json_of(&wire.greeting()), [expected]);
    assert_eq!(wire.lifetime(), Some(Duration::from_secs(3_120)));
    let formats: Vec<Value> =
        OpenAiRealtime(config()).formats().iter().map(|formats| format(formats.input)).collect();
    let expected = [
        json!({ "type": "audio/pcmu" }),
        json!({ "type": "audio/pcma" }),
        json!({ "type": "audio/pcm", "rate": 24_000 }),
    ];
    assert_eq!(formats, expected);
}

#[test]
fn all_that_is_configured_is_sent() {
    let mut config = config();
    config.turns = OpenAiTurns::Semantic { eagerness: "high".to_owned() };
    config.stops_when_interrupted = true;
    config.transcription = None;
    config.noise_reduction = Some("far_field".to_owned());
    config.speed = Some(1.1);
    config.max_output_tokens = Some(500);
    config.extra.insert("reasoning".to_owned(), json!({ "effort": "low" }));
    let mut wire = wire_of(config.clone());
    let session = json_of(&wire.greeting()).remove(0)["session"].take();
    let input = &session["audio"]["input"];
    let expected = json!({ "type": "semantic_vad", "eagerness": "high", "create_response": true, "interrupt_response": true });
    assert_eq!(input["turn_detection"], expected);
    assert_eq!(
        (&input["transcription"], &input["noise_reduction"]["type"]),
        (&Value::Null, &json!("far_field"))
    );
    assert_eq!(
        (&session["audio"]["output"]["speed"], &session["max_output_tokens"]),
        (&json!(1.1), &json!(500))
    );
    assert_eq!(session["reasoning"]["effort"], "low");
    assert!(wire.habits().ends_turns && wire.habits().stops_when_interrupted);
    config.turns = OpenAiTurns::Manual;
    let mut wire = wire_of(config);
    let session = json_of(&wire.greeting()).remove(0)["session"].take();
    assert_eq!(session["audio"]["input"]["turn_detection"], Value::Null);
    assert!(!wire.habits().ends_turns && !wire.habits().stops_when_interrupted);
}

#[test]
fn what_the_client_says_has_its_messages() {
    let mut wire = wire();
    assert_eq!(
        json_of(&wire.audio(&[0, 1, 2])),
        [json!({ "type": "input_audio_buffer.append", "audio": "AAEC" })]
    );
    assert_eq!(json_of(&wire.end_turn()), [json!({ "type": "input_audio_buffer.commit" })]);
    assert_eq!(json_of(&wire.cancel()), [json!({ "type": "response.cancel" })]);
    assert_eq!(json_of(&wire.respond(None)), [json!({ "type": "response.create" })]);
    assert_eq!(
        json_of(&wire.respond(Some("Greet."))),
        [json!({ "type": "response.create", "response": { "instructions": "Be brief.\n\nGreet." } })]
    );
    assert_eq!(
        json_of(&wire.truncate("item_1", Duration::from_millis(1_234))),
        [
            json!({ "type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 1_234 })
        ]
    );
    let mut result = ToolResult { id: "c7".to_owned(), content: "{\"ok\":1}".to_owned(), is_error: false };
    let item = |output: &str| {
        json!({ "type": "conversation.item.create",
            "item": { "type": "function_call_output", "call_id": "c7", "output": output } })
    };
    assert_eq!(json_of(&wire.result(&result)), [item("{\"ok\":1}")]);
    result.is_error = true;
    assert_eq!(json_of(&wire.result(&result)), [item("{\"error\":\"{\\\"ok\\\":1}\"}")]);
}

#[test]
fn what_was_said_before_is_told_as_text() {
    let call = ToolRequest { id: "c".to_owned(), name: "track".to_owned(), arguments: "{}".to_owned() };
    let turns = [
        Turn::Assistant { text: "Namaste!".to_owned(), calls: Vec::new() },
        Turn::User("mera order?".to_owned()),
        Turn::Assistant { text: String::new(), calls: vec![call] },
        Turn::Results(vec![ToolResult { id: "c".to_owned(), content: "here".to_owned(), is_error: false }]),
    ];
    let item = |role: &str, kind: &str, text: &str| {
        json!({ "type": "conversation.item.create", "item": { "type": "message", "role": role,
            "content": [{ "type": kind, "text": text }] } })
    };
    let expected = [
        item("assistant", "output_text", "Namaste!"),
        item("user", "input_text", "mera order?"),
        item("system", "input_text", "The tool track was used with {}."),
        item("system", "input_text", "The tool answered: here"),
    ];
    assert_eq!(json_of(&wire().replay(&turns)), expected);
}

#[test]
fn what_the_server_says_of_the_caller_is_understood() {
    let mut wire = wire();
    assert_eq!(
        hear(&mut *wire, r#"{"type":"session.created","event_id":"e","session":{"id":"sess_1"}}"#),
        []
    );
    assert_eq!(
        hear(&mut *wire, r#"{"type":"session.updated","event_id":"e","session":{"id":"sess_1"}}"#),
        [Told::Ready { request_id: Some("sess_1".to_owned()) }]
    );
    let started = r#"{"type":"input_audio_buffer.speech_started","audio_start_ms":100,"item_id":"i1"}"#;
    assert_eq!(hear(&mut *wire, started), [Told::SpeechStarted]);
    let stopped = r#"{"type":"input_audio_buffer.speech_stopped","audio_end_ms":900,"item_id":"i1"}"#;
    assert_eq!(hear(&mut *wire, stopped), [Told::SpeechStopped]);
    let committed = r#"{"type":"input_audio_buffer.committed","item_id":"i1","previous_item_id":null}"#;
    assert_eq!(hear(&mut *wire, committed), [Told::Turn { item: "i1".to_owned() }]);
    let told = |text: &str, is_final| {
        vec![Told::Transcript { item: "i1".to_owned(), text: text.to_owned(), is_final }]
    };
    let delta = |delta: &str| {
        json!({ "type": "conversation.item.input_audio_transcription.delta", "item_id": "i1", "content_index": 0, "delta": delta })
            .to_string()
    };
    assert_eq!(hear(&mut *wire, &delta("mera ")), told("mera ", false));
    assert_eq!(hear(&mut *wire, &delta("order")), told("mera order", false));
    let completed = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"i1","content_index":0,
        "transcript":"Mera order?","usage":{"type":"duration","seconds":2}}"#;
    assert_eq!(hear(&mut *wire, completed), told("Mera order?", true));
    let failed = r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"i1","error":{"message":"no"}}"#;
    let warning = "the caller's words were not written down: no".to_owned();
    assert_eq!(hear(&mut *wire, failed), [Told::Warning(warning)]);
    for quiet in [
        "input_audio_buffer.cleared",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.created",
        "conversation.item.truncated",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.output_text.done",
        "response.function_call_arguments.delta",
        "response.content_part.added",
        "one.of.tomorrow",
    ] {
        assert_eq!(
            hear(&mut *wire, &json!({ "type": quiet, "delta": "x", "new": {} }).to_string()),
            [],
            "{quiet}"
        );
    }
}

#[test]
fn an_answer_is_understood_by_its_new_and_its_old_names() {
    let mut wire = wire();
    let (answer, item) = ("r1".to_owned(), "i2".to_owned());
    assert_eq!(
        hear(&mut *wire, r#"{"type":"response.created","response":{"id":"r1","status":"in_progress"}}"#),
        [Told::AnswerStarted { answer: answer.clone() }]
    );
    for name in ["response.output_audio.delta", "response.audio.delta"] {
        let delta = json!({ "type": name, "response_id": "r1", "item_id": "i2", "output_index": 0, "content_index": 0, "delta": "AAEC" });
        let sound = Told::Audio { answer: answer.clone(), item: item.clone(), bytes: vec![0, 1, 2] };
        assert_eq!(hear(&mut *wire, &delta.to_string()), [sound], "{name}");
    }
    for name in [
        "response.output_audio_transcript.delta",
        "response.audio_transcript.delta",
        "response.output_text.delta",
        "response.text.delta",
    ] {
        let delta = json!({ "type": name, "response_id": "r1", "item_id": "i2", "delta": "Namaste" });
        let text = Told::AgentText { answer: answer.clone(), item: item.clone(), text: "Namaste".to_owned() };
        assert_eq!(hear(&mut *wire, &delta.to_string()), [text], "{name}");
    }
    let limits = r#"{"type":"rate_limits.updated","rate_limits":[{"name":"tokens","limit":100,"remaining":40,"reset_seconds":1.5}]}"#;
    let limit = RateLimit {
        name: "tokens".to_owned(),
        limit: 100,
        remaining: 40,
        reset: Duration::from_millis(1_500),
    };
    assert_eq!(hear(&mut *wire, limits), [Told::RateLimits(vec![limit])]);
}

#[test]
fn an_answers_end_says_how_and_what_it_cost() {
    let done =
        |rest: &str| format!(r#"{{"type":"response.done","response":{{"id":"r1","output":[],{rest}}}}}"#);
    let cost = r#""status":"cancelled","status_details":{"type":"cancelled","reason":"turn_detected"},
        "usage":{"total_tokens":310,"input_tokens":250,"output_tokens":60,
        "input_token_details":{"text_tokens":120,"audio_tokens":130,"cached_tokens":64},
        "output_token_details":{"text_tokens":14,"audio_tokens":46}}"#;
    let usage = Usage {
        input_tokens: 250,
        input_audio_tokens: 130,
        cached_tokens: 64,
        output_tokens: 60,
        output_audio_tokens: 46,
    };
    assert_eq!(
        hear(&mut *wire(), &done(cost)),
        [Told::AnswerDone { status: AnswerStatus::Cancelled, usage: Some(usage) }]
    );
    let failed = |kind, detail: &str| AnswerStatus::Failed(Fault::new(kind, detail));
    let table = [
        (r#""status":"completed""#, AnswerStatus::Completed),
        (r#""status":null"#, AnswerStatus::Completed),
        (
            r#""status":"incomplete","status_details":{"reason":"max_output_tokens"}"#,
            AnswerStatus::Incomplete("max_output_tokens".to_owned()),
        ),
        (
            r#""status":"failed","status_details":{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"pay"}}"#,
            failed(FaultKind::RateLimited, "insufficient_quota: insufficient_quota: pay"),
        ),
        (
            r#""status":"failed","status_details":{"error":{"type":"server_error","code":null,"message":"x"}}"#,
            failed(FaultKind::Unavailable, "server_error: x"),
        ),
        (r#""status":"failed""#, failed(FaultKind::Unavailable, "the answer failed")),
    ];
    for (rest, status) in table {
        assert_eq!(hear(&mut *wire(), &done(rest)), [Told::AnswerDone { status, usage: None }], "{rest}");
    }
}

#[test]
fn a_tool_is_told_once_whichever_message_says_it() {
    let tool = Told::Tool(ToolRequest {
        id: "c1".to_owned(),
        name: "lookup_order".to_owned(),
        arguments: "{\"n\":7}".to_owned(),
    });
    let call = r#""type":"function_call","call_id":"c1","name":"lookup_order","arguments":"{\"n\":7}""#;
    let done = format!(
        r#"{{"type":"response.done","response":{{"status":"completed","output":[{{{call},"status":"completed"}}]}}}}"#
    );
    let arguments = r#"{"type":"response.function_call_arguments.done","call_id":"c1","item_id":"i","arguments":"{\"n\":7}","name":"lookup_order"}"#;
    let nameless = r#"{"type":"response.function_call_arguments.done","call_id":"c1","item_id":"i","arguments":"{\"n\":7}"}"#;
    let added = r#"{"type":"response.output_item.added","item":{"type":"function_call","status":"in_progress","call_id":"c1","name":"lookup_order","arguments":""}}"#;
    let item_done =
        format!(r#"{{"type":"response.output_item.done","item":{{{call},"status":"completed"}}}}"#);
    let told = |said: &[&str]| {
        let mut wire = wire();
        let told: Vec<Told> = said.iter().flat_map(|said| hear(&mut *wire, said)).collect();
        told.into_iter().filter(|told| matches!(told, Told::Tool(_))).collect::<Vec<_>>()
    };
    assert_eq!(told(&[arguments, &item_done, &done]), std::slice::from_ref(&tool));
    assert_eq!(told(&[added, nameless, &done]), std::slice::from_ref(&tool));
    assert_eq!(told(&[&done]), std::slice::from_ref(&tool));
    assert_eq!(told(&[nameless]), [], "nobody knows which");
    let cancelled = done.replacen("completed", "cancelled", 1);
    assert_eq!(told(&[&cancelled]), []);
}

#[test]
fn errors_end_the_session_only_where_it_is_of_no_use() {
    let error = |error: &str| Message::Text(format!(r#"{{"type":"error","event_id":"e","error":{error}}}"#));
    let hear = |text: &str| {
        let mut told = Vec::new();
        wire().receive(&error(text), &mut told).map(|()| told).map_err(|fault| fault.kind)
    };
    let table = [
        (r#"{"type":"invalid_request_error","code":"response_cancel_not_active","message":"x"}"#, Ok(vec![])),
        (
            r#"{"type":"invalid_request_error","code":"conversation_already_has_active_response"}"#,
            Ok(vec![Told::Busy]),
        ),
        (
            r#"{"type":"invalid_request_error","code":"invalid_value","message":"audio_end_ms"}"#,
            Ok(vec![Told::Warning("invalid_request_error: invalid_value: audio_end_ms".to_owned())]),
        ),
        (r#""a mere text""#, Ok(vec![Told::Warning("a mere text".to_owned())])),
        (
            r#"{"type":"invalid_request_error","code":"invalid_value","event_id":"setup"}"#,
            Err(FaultKind::Refused),
        ),
        (r#"{"type":"invalid_request_error","code":"invalid_api_key"}"#, Err(FaultKind::Unauthorized)),
        (r#"{"type":"invalid_request_error","code":"model_not_found"}"#, Err(FaultKind::NotFound)),
        (r#"{"type":"invalid_request_error","code":"session_expired"}"#, Err(FaultKind::Dropped)),
    ];
    for (text, expected) in table {
        assert_eq!(hear(text), expected, "{text}");
    }
    for bad in ["{", "7", "{}", r#"{"type":"response.audio.delta","delta":"%"}"#] {
        let fault = wire().receive(&Message::Text(bad.to_owned()), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{bad}");
    }
}
