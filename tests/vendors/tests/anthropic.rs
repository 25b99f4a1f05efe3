//! Messages take what Anthropic takes, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use caly_vendors::anthropic::Anthropic;
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::vendor::Arrival;
use drive::{opened, refused};
use serde_json::{Value, json};

const URL: &str = "https://api.anthropic.com/v1/messages";

fn vendor() -> Anthropic {
    let rules = [
        Rule::user("order").offered("track").say("Let me see.").call("track", r#"{"awb":"12"}"#),
        Rule::tool("shipped").say("It is on its way."),
    ];
    Anthropic::new(Model::new(rules, TokenPace::default()).caching_from(1))
}

fn asked() -> Value {
    json!({
        "model": "claude-haiku-4-5", "max_tokens": 400, "stream": true,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "Where is my order?"}],
        "tools": [{"name": "track", "description": "x", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
    })
}

fn arrival(body: &Value) -> Arrival {
    let arrival = Arrival::new("POST", URL).with_header("x-api-key", "test-key").with_json(body);
    arrival.with_header("anthropic-version", "2026-10-21")
}

fn answered(vendor: &mut Anthropic, body: &Value) -> Vec<Value> {
    let mut play = opened(vendor, &arrival(body));
    play.wait(Duration::from_secs(10));
    play.events().iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

fn joined(events: &[Value], name: &str) -> String {
    events.iter().filter_map(|event| event["delta"][name].as_str()).collect()
}

#[test]
fn blocks_are_streamed_in_their_order_and_counted() {
    let mut vendor = vendor();
    let events = answered(&mut vendor, &asked());
    let mut kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let expected =
        [&["message_start", "ping"][..], &block, &block, &["message_delta", "message_stop"]].concat();
    assert_eq!(kinds, expected);
    assert_eq!(joined(&events, "text"), "Let me see.");
    assert_eq!(joined(&events, "partial_json"), r#"{"awb":"12"}"#);
    assert_eq!(joined(&events, "stop_reason"), "tool_use");

    let mut next = asked();
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "track", "input": {"awb": "12"}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "shipped"});
    let more = [
        json!({"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, call]}),
        json!({"role": "user", "content": [result]}),
    ];
    next["messages"].as_array_mut().unwrap().extend(more);
    let events = answered(&mut vendor, &next);
    assert_eq!(joined(&events, "text"), "It is on its way.");
    assert!(events[0]["message"]["usage"]["cache_read_input_tokens"].as_u64().unwrap() > 10);
}

#[test]
fn wrong_requests_are_refused() {
    let mut vendor = vendor();
    let call = json!({"type": "tool_use", "id": "c1", "name": "track", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "x"});
    let text = json!({"type": "text", "text": "x"});
    let mark = json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}});
    let user = json!({"role": "user", "content": "x"});
    let after_call = |content: Value| json!([user, {"role": "assistant", "content": [call]}, {"role": "user", "content": content}]);
    for (name, value) in [
        ("temperature", json!(0.5)),
        ("top_p", json!(0.5)),
        ("top_k", json!(5)),
        ("max_tokens", Value::Null),
        ("stream", json!(false)),
        ("max_completion_tokens", json!(5)),
        ("system", json!([{"type": "text", "text": ""}])),
        ("system", json!([mark, mark, mark, mark, mark])),
        ("tools", json!([{"type": "function", "function": {"name": "track"}}])),
        ("tools", json!([{"name": "track"}])),
        ("tool_choice", json!("auto")),
        ("tool_choice", json!({"type": "tool", "name": "other"})),
        ("messages", json!([])),
        ("messages", json!([{"role": "system", "content": "x"}])),
        ("messages", json!([{"role": "assistant", "content": "x"}, user])),
        ("messages", json!([user, {"role": "assistant", "content": "x"}])),
        ("messages", json!([{"role": "user", "content": ""}])),
        ("messages", json!([user, {"role": "assistant", "content": [call]}])),
        ("messages", json!([{"role": "user", "content": [result]}])),
        ("messages", after_call(json!([text]))),
        ("messages", after_call(json!([text, result]))),
    ] {
        let mut body = asked();
        body[name] = value.clone();
        let (status, said) = refused(&mut vendor, &arrival(&body));
        assert_eq!(
            (status, &said["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{name} {value}"
        );
    }
    let mut good = asked();
    good["messages"] = after_call(json!([result, text]));
    drop(opened(&mut vendor, &arrival(&good)));
    good["model"] = json!("claude-0");
    assert_eq!(refused(&mut vendor, &arrival(&good)).0, 404);
}

#[test]
fn keys_and_versions_are_asked_for() {
    let mut vendor = vendor();
    let without = |name: &str| {
        let mut arrival = arrival(&asked());
        arrival.headers.retain(|(is, _)| is != name);
        arrival
    };
    assert_eq!(refused(&mut vendor, &without("x-api-key")).0, 401);
    assert_eq!(refused(&mut vendor, &without("anthropic-version")).0, 400);
    drop(opened(&mut vendor, &without("x-api-key").with_header("authorization", "Bearer test-key")));
    let old = without("anthropic-version").with_header("anthropic-version", "2023-06-01");
    let mut warm = asked();
    warm["temperature"] = json!(0.5);
    drop(opened(&mut vendor, &Arrival { body: warm.to_string().into_bytes(), ..old }));
}
