//! Chat completions take what OpenAI takes, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::vendor::Arrival;
use drive::{opened, refused};
use serde_json::{Value, json};

const URL: &str = "https://api.openai.com/v1/chat/completions";

fn vendor(dialect: Dialect) -> OpenAiChat {
    let rules = [
        Rule::user("order").offered("track").say("Let me see. ").call("track", r#"{"order":"12"}"#),
        Rule::tool("shipped").say("It is on its way."),
    ];
    OpenAiChat::new(Model::new(rules, TokenPace::default()).caching_from(1), dialect)
}

fn asked() -> Value {
    json!({
        "model": "gpt-4.1-mini", "stream": true, "stream_options": {"include_usage": true},
        "max_completion_tokens": 300,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my order?"}],
        "tools": [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}],
    })
}

fn arrival(body: &Value) -> Arrival {
    Arrival::new("POST", URL).with_header("authorization", "Bearer test-key").with_json(body)
}

fn answered(vendor: &mut OpenAiChat, body: &Value) -> Vec<Value> {
    let mut play = opened(vendor, &arrival(body));
    play.wait(Duration::from_secs(10));
    let mut events = play.events();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    assert_eq!(play.done.last().unwrap().1, caly_vendors::vendor::Action::End);
    events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

fn joined(chunks: &[Value], pointer: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk.pointer(pointer)?.as_str()).collect()
}

#[test]
fn text_and_calls_are_streamed_and_counted() {
    let mut vendor = vendor(Dialect::OpenAi);
    let chunks = answered(&mut vendor, &asked());
    assert_eq!(joined(&chunks, "/choices/0/delta/content"), "Let me see. ");
    let arguments = joined(&chunks, "/choices/0/delta/tool_calls/0/function/arguments");
    assert_eq!(arguments, r#"{"order":"12"}"#);
    assert_eq!(joined(&chunks, "/choices/0/delta/tool_calls/0/id"), "call_1");
    assert_eq!(joined(&chunks, "/choices/0/finish_reason"), "tool_calls");
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!(
        (
            chunks.last().unwrap()["choices"] == json!([]),
            usage["prompt_tokens_details"]["cached_tokens"] == 0
        ),
        (true, true)
    );

    let mut next = asked();
    let function = json!({"name": "track", "arguments": arguments});
    next["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": "Let me see. ", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}),
        json!({"role": "tool", "tool_call_id": "call_1", "content": "shipped"}),
    ]);
    let chunks = answered(&mut vendor, &next);
    assert_eq!(joined(&chunks, "/choices/0/delta/content"), "It is on its way.");
    assert!(chunks.last().unwrap()["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap() > 10);
}

#[test]
fn the_first_token_and_the_others_take_their_time_and_a_limit_cuts() {
    let mut body = asked();
    body["max_completion_tokens"] = json!(2);
    let mut play = opened(&mut vendor(Dialect::OpenAi), &arrival(&body));
    play.wait(Duration::from_millis(299));
    assert!(play.done.is_empty());
    play.wait(Duration::from_secs(1));
    assert_eq!(play.done[0].0, Duration::from_millis(300));
    assert!(play.events().iter().any(|event| event.contains(r#""finish_reason":"length""#)));
}

#[test]
fn wrong_requests_are_refused() {
    let mut vendor = vendor(Dialect::OpenAi);
    let mut wrong = |pointer: &str, value: Value| {
        let mut body = asked();
        let (above, name) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(above).unwrap() {
            Value::Array(list) => list.push(value),
            object => object[name] = value,
        }
        refused(&mut vendor, &arrival(&body))
    };
    let call = json!([{"id": "c1", "type": "function", "function": {"name": "track", "arguments": "{}"}}]);
    for (pointer, value) in [
        ("/top_k", json!(5)),
        ("/stream", json!(false)),
        ("/max_tokens", json!(5)),
        ("/temperature", json!(3)),
        ("/messages", json!([])),
        ("/messages/-", json!({"role": "robot", "content": "x"})),
        ("/messages/-", json!({"role": "user", "content": null})),
        ("/messages/-", json!({"role": "user", "content": "x", "cache_control": {}})),
        ("/messages/-", json!({"role": "tool", "tool_call_id": "c1", "content": "x"})),
        ("/messages/-", json!({"role": "assistant", "content": null, "tool_calls": call})),
        ("/messages/-", json!({"role": "assistant", "content": null, "tool_calls": []})),
        ("/tools", json!([])),
        ("/tools/-", json!({"type": "function", "function": {"name": "a b"}})),
        ("/tools/-", json!({"type": "function", "function": {"name": "track"}})),
        ("/tools/-", json!({"name": "flat", "input_schema": {}})),
        ("/tool_choice", json!("any")),
        ("/stream_options", json!({"usage": true})),
    ] {
        let (status, body) = wrong(pointer, value.clone());
        assert_eq!(
            (status, &body["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{pointer} {value}"
        );
    }
    let (status, body) = wrong("/model", json!("gpt-0"));
    assert_eq!((status, &body["error"]["code"]), (404, &json!("model_not_found")));
    let keyless = Arrival::new("POST", URL).with_json(&asked());
    assert_eq!(refused(&mut vendor, &keyless).1["error"]["code"], "invalid_api_key");
    let mut untyped = arrival(&asked());
    untyped.headers.retain(|(name, _)| name != "content-type");
    assert_eq!(refused(&mut vendor, &untyped).0, 415);
}

#[test]
fn servers_of_ones_own_want_the_other_limit_and_no_key() {
    let mut body = asked();
    let mut vendor = vendor(Dialect::SelfHosted);
    let unsigned = |body: &Value| Arrival::new("POST", "http://llm:8080/v1/chat/completions").with_json(body);
    assert_eq!(refused(&mut vendor, &unsigned(&body)).0, 400);
    body["max_tokens"] = body["max_completion_tokens"].take();
    body.as_object_mut().unwrap().remove("max_completion_tokens");
    drop(opened(&mut vendor, &unsigned(&body)));
}
