use std::sync::Arc;

use super::*;
use crate::llm::{SystemPart, ToolResult, Turn};

fn config() -> AnthropicConfig {
    AnthropicConfig::new(Secret::new("sk-ant"), "claude-haiku-4-5")
}

fn call(id: &str, arguments: &str) -> ToolRequest {
    ToolRequest { id: id.to_owned(), name: "track".to_owned(), arguments: arguments.to_owned() }
}

fn result(id: &str, content: &str) -> ToolResult {
    ToolResult { id: id.to_owned(), content: content.to_owned(), is_error: false }
}

fn agent(text: &str, calls: Vec<ToolRequest>) -> Turn {
    Turn::Assistant { text: text.to_owned(), calls }
}

fn prompt(turns: Vec<Turn>) -> Prompt {
    Prompt { turns, max_tokens: 400, ..Prompt::default() }
}

fn body(config: AnthropicConfig, prompt: &Prompt) -> Value {
    serde_json::from_slice(&Anthropic(config).request(prompt).body).unwrap()
}

fn messages(turns: Vec<Turn>) -> Value {
    let config = AnthropicConfig { caches: false, ..config() };
    body(config, &prompt(turns))["messages"].clone()
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn answered(id: &str, content: &str, is_error: bool) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error })
}

fn used(id: &str, input: Value) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "track", "input": input })
}

fn answer(body: &str, cut: usize) -> Result<Vec<Piece>, Fault> {
    let (one, other) = body.as_bytes().split_at(cut);
    let mut decoder = Anthropic(config()).decoder();
    let mut pieces = Vec::new();
    decoder.receive(one, &mut pieces)?;
    decoder.receive(other, &mut pieces)?;
    decoder.end(&mut pieces)?;
    Ok(pieces)
}

fn events(events: &[&str]) -> String {
    let event = |data: &&str| {
        let kind = serde_json::from_str::<Value>(data).unwrap()["type"].as_str().unwrap().to_owned();
        format!("event: {kind}\ndata: {data}\n\n")
    };
    events.iter().map(event).collect()
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"output_tokens":1}}}"#;

#[test]
fn the_request_has_the_whole_conversation_and_says_what_to_keep() {
    let system = |text: &str, is_stable| SystemPart { text: text.into(), is_stable };
    let prompt = Prompt {
        system: vec![system("Be brief.", true), system("The shop.", true)],
        turns: vec![
            agent("Namaste!", Vec::new()),
            Turn::User("mera parcel?".to_owned()),
            agent("Ek minute. ", vec![call("toolu_1", "{\"awb\":\"7\"}")]),
            Turn::Results(vec![result("toolu_1", "{\"ok\":true}")]),
        ],
        tools: Arc::new([ToolSpec {
            name: "track".to_owned(),
            description: "Finds it".to_owned(),
            parameters: json!({ "type": "object", "properties": {} }),
        }]),
        tool_choice: ToolChoice::Auto,
        max_tokens: 400,
    };
    let request = Anthropic(config()).request(&prompt);
    assert_eq!(request.endpoint.url.as_str(), "https://api.anthropic.com/v1/messages");
    let header = |name, value| (name, Secret::new(value));
    assert_eq!(
        request.endpoint.headers,
        [
            header("content-type", "application/json"),
            header("x-api-key", "sk-ant"),
            header("anthropic-version", "2026-10-21")
        ]
    );
    let mut last = answered("toolu_1", "{\"ok\":true}", false);
    last["cache_control"] = json!({ "type": "ephemeral" });
    let expected = json!({
        "model": "claude-haiku-4-5", "max_tokens": 400, "stream": true,
        "system": [text("Be brief."),
            { "type": "text", "text": "The shop.", "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": [text("(The call begins.)")] },
            { "role": "assistant", "content": [text("Namaste!")] },
            { "role": "user", "content": [text("mera parcel?")] },
            { "role": "assistant", "content": [text("Ek minute."), used("toolu_1", json!({ "awb": "7" }))] },
            { "role": "user", "content": [last] }],
        "tools": [{ "name": "track", "description": "Finds it", "input_schema": { "type": "object", "properties": {} } }],
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true }
    });
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
    let silent = Prompt { tool_choice: ToolChoice::None, ..prompt };
    assert_eq!(body(config(), &silent)["tool_choice"], json!({ "type": "none" }));
}

#[test]
fn only_what_stays_the_same_is_kept() {
    let system = |text: &str, is_stable| SystemPart { text: text.into(), is_stable };
    let mut prompt = prompt(vec![Turn::User("hi".to_owned())]);
    prompt.system = vec![system("Be brief.", true), system("  ", true), system("It is noon.", false)];
    let kept = body(config(), &prompt);
    let marked = json!({ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } });
    assert_eq!(kept["system"], json!([marked, text("It is noon.")]));
    assert_eq!(kept["messages"][0]["content"], json!([text("hi")]));
    prompt.system[0].is_stable = false;
    assert_eq!(body(config(), &prompt)["system"], json!([text("Be brief."), text("It is noon.")]));
    prompt.system.clear();
    let marked = json!({ "type": "text", "text": "hi", "cache_control": { "type": "ephemeral" } });
    assert_eq!(body(config(), &prompt)["messages"][0]["content"], json!([marked]));
}

#[test]
fn sampling_is_sent_only_to_the_version_that_takes_it() {
    let mut config = config();
    config.temperature = Some(0.4);
    config.beta = Some("a,b".to_owned());
    config.uses_tools_in_parallel = true;
    config.extra.insert("top_k".to_owned(), json!(20));
    config.extra.insert("service_tier".to_owned(), json!("auto"));
    let prompt = prompt(vec![Turn::User("hi".to_owned())]);
    let new = body(config.clone(), &prompt);
    assert!(new.get("temperature").is_none() && new.get("top_k").is_none());
    assert_eq!(new["service_tier"], "auto");
    config.version = "2023-06-01".to_owned();
    let old = Anthropic(config.clone()).request(&prompt);
    assert_eq!(old.endpoint.headers[2].1.reveal(), "2023-06-01");
    assert_eq!(old.endpoint.headers[3], ("anthropic-beta", Secret::new("a,b")));
    let old: Value = serde_json::from_slice(&old.body).unwrap();
    assert_eq!((&old["temperature"], &old["top_k"]), (&json!(0.4), &json!(20)));
}

#[test]
fn the_two_take_turns_and_results_stand_first() {
    let turns = vec![
        Turn::User("a".to_owned()),
        Turn::User("b".to_owned()),
        agent("c", Vec::new()),
        agent("", vec![call("x", "{}"), call("y", "not json")]),
        Turn::User("and?".to_owned()),
        Turn::Results(vec![result("x", "1"), result("y", "2")]),
        agent(" ", Vec::new()),
        Turn::User(String::new()),
    ];
    let expected = json!([
        { "role": "user", "content": [text("a"), text("b")] },
        { "role": "assistant", "content": [text("c"), used("x", json!({})), used("y", json!({}))] },
        { "role": "user", "content": [answered("x", "1", false), answered("y", "2", false), text("and?")] }
    ]);
    assert_eq!(messages(turns), expected);
}

#[test]
fn what_was_interrupted_is_answered_and_what_nobody_asked_is_left_out() {
    let none = "There is no result: it was interrupted.";
    let turns = vec![
        Turn::Results(vec![result("old", "0")]),
        Turn::User("a".to_owned()),
        agent("", vec![call("x", "{}")]),
        agent("b", vec![call("x", "[]"), call("p:q", "{}")]),
        Turn::Results(vec![result("p:q", "2")]),
        agent("c", Vec::new()),
    ];
    let expected = json!([
        { "role": "user", "content": [text("a")] },
        { "role": "assistant", "content": [used("x", json!({}))] },
        { "role": "user", "content": [answered("x", none, true)] },
        { "role": "assistant", "content": [text("b"), used("x_2", json!({})), used("p_q", json!({}))] },
        { "role": "user", "content": [answered("p_q", "2", false), answered("x_2", none, true)] },
        { "role": "assistant", "content": [text("c")] },
        { "role": "user", "content": [text("(The caller says nothing.)")] }
    ]);
    assert_eq!(messages(turns), expected);
    let opening = json!([{ "role": "user", "content": [text("(The call begins.)")] }]);
    assert_eq!(messages(Vec::new()), opening);
}

#[test]
fn text_and_usage_come_in_pieces_and_thinking_is_not_spoken() {
    let body = events(&[
        START,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hmm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"xx"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"something_new","index":"x"}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Dekhta हूँ।","new":1}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{}}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":44}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let usage = |output_tokens| Usage { input_tokens: 2_125, cached_tokens: 2_000, output_tokens };
    let expected = [
        Piece::Usage(usage(1)),
        Piece::Text("Dekhta हूँ।".to_owned()),
        Piece::Usage(usage(44)),
        Piece::Finished(Finish::Stop),
    ];
    for cut in 0..body.len() {
        assert_eq!(answer(&body, cut).unwrap(), expected, "cut at {cut}");
    }
}

#[test]
fn tools_are_put_together_from_their_parts() {
    let body = events(&[
        START,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"track","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"awb\":"}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_2","name":"end","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"7}"}}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_3","name":"say","input":{"a":1}}}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"server_tool_use","id":"s","name":"web"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":44}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let pieces = answer(&body, 0).unwrap();
    let begun = |name: &str| Piece::ToolBegun { name: name.to_owned() };
    let tool = |id: &str, name: &str, arguments: &str| {
        Piece::Tool(ToolRequest { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() })
    };
    assert_eq!(pieces[1..4], [begun("track"), begun("end"), begun("say")]);
    let expected = [
        tool("toolu_1", "track", "{\"awb\":7}"),
        tool("toolu_2", "end", "{}"),
        tool("toolu_3", "say", "{\"a\":1}"),
        Piece::Finished(Finish::Tools),
    ];
    assert_eq!(pieces[5..], expected);
}

#[test]
fn half_a_tool_at_the_limit_is_not_used() {
    let body = events(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"track","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"awb\":"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#,
    ]);
    let begun = Piece::ToolBegun { name: "track".to_owned() };
    assert_eq!(answer(&body, 0).unwrap(), [begun, Piece::Finished(Finish::Length)]);
}

#[test]
fn every_reason_to_stop_has_a_meaning() {
    let table = [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("pause_turn", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("refusal", Finish::Filtered),
        ("tool_use", Finish::Tools),
        ("one_of_tomorrow", Finish::Stop),
    ];
    for (reason, finish) in table {
        let stop = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}}}}"#);
        assert_eq!(answer(&events(&[&stop]), 0).unwrap(), [Piece::Finished(finish)], "{reason}");
    }
}

#[test]
fn an_answer_that_breaks_off_or_complains_is_a_fault() {
    assert_eq!(answer(&events(&[START]), 0).unwrap_err().kind, FaultKind::Dropped);
    assert_eq!(answer("", 0).unwrap_err().kind, FaultKind::Dropped);
    for bad in ["{", "7", r#"{"type":"content_block_delta"}"#, r#"{"type":"message_stop"}"#] {
        let fault = answer(&format!("data: {bad}\n\n"), 0).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{bad}");
    }
    let kinds = [
        ("overloaded_error", FaultKind::Unavailable),
        ("api_error", FaultKind::Unavailable),
        ("rate_limit_error", FaultKind::RateLimited),
        ("authentication_error", FaultKind::Unauthorized),
        ("permission_error", FaultKind::Unauthorized),
        ("not_found_error", FaultKind::NotFound),
        ("invalid_request_error", FaultKind::Refused),
        ("timeout_error", FaultKind::Timeout),
        ("new_error", FaultKind::Unavailable),
    ];
    for (name, kind) in kinds {
        let error =
            format!(r#"{{"type":"error","error":{{"type":"{name}","message":"Why"}},"request_id":"req_1"}}"#);
        let fault = answer(&events(&[START, &error]), 0).unwrap_err();
        assert_eq!((fault.kind, fault.request_id.as_deref()), (kind, Some("req_1")), "{name}");
        assert_eq!(fault.detail, format!("{name}: Why"));
    }
}

#[test]
fn arguments_without_an_end_are_a_fault() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"track","input":{}}}"#;
    let part = "x".repeat(100_000);
    let part = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":"{part}"}}}}"#
    );
    let fault = answer(&events(&[start, &part, &part, &part]), 0).unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLong);
}
