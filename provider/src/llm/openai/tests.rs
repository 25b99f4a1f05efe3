use std::sync::Arc;

use super::*;
use crate::llm::{SystemPart, ToolResult, ToolSpec};

fn prompt() -> Prompt {
    let part = |text: &str, is_stable| SystemPart { text: text.into(), is_stable };
    let call = ToolRequest {
        id: "call_1".to_owned(),
        name: "lookup".to_owned(),
        arguments: "{\"id\":7}".to_owned(),
    };
    let result = ToolResult { id: "call_1".to_owned(), content: "{\"ok\":true}".to_owned(), is_error: false };
    let parameters = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
    Prompt {
        system: vec![part("Be brief.", true), part("It is noon.", false)],
        turns: vec![
            Turn::Assistant { text: "Namaste!".to_owned(), calls: Vec::new() },
            Turn::User("mera order?".to_owned()),
            Turn::Assistant { text: String::new(), calls: vec![call] },
            Turn::Results(vec![result]),
        ],
        tools: Arc::new([ToolSpec {
            name: "lookup".to_owned(),
            description: "Finds it".to_owned(),
            parameters,
        }]),
        tool_choice: ToolChoice::Auto,
        max_tokens: 300,
    }
}

fn body(config: OpenAiConfig) -> (HttpRequest, Value) {
    let request = OpenAi(config).request(&prompt());
    let body = serde_json::from_slice(&request.body).unwrap();
    (request, body)
}

/// The pieces of a body that comes in two parts.
fn answer(body: &str, cut: usize) -> Result<Vec<Piece>, Fault> {
    let (one, other) = body.as_bytes().split_at(cut);
    let mut decoder = OpenAi(OpenAiConfig::new("http://x", None, "m")).decoder();
    let mut pieces = Vec::new();
    decoder.receive(one, &mut pieces)?;
    decoder.receive(other, &mut pieces)?;
    decoder.end(&mut pieces)?;
    Ok(pieces)
}

fn lines(chunks: &[&str]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

#[test]
fn the_request_has_the_whole_conversation() {
    let (request, body) =
        body(OpenAiConfig::new("https://api.openai.com/v1/", Some(Secret::new("sk")), "gpt-5-mini"));
    assert_eq!(request.endpoint.url.as_str(), "https://api.openai.com/v1/chat/completions");
    assert_eq!(request.endpoint.headers[1], ("authorization", Secret::new("Bearer sk")));
    let expected = json!({
        "model": "gpt-5-mini", "stream": true, "stream_options": { "include_usage": true }, "max_completion_tokens": 300,
        "messages": [
            { "role": "system", "content": "Be brief.\n\nIt is noon." },
            { "role": "assistant", "content": "Namaste!" },
            { "role": "user", "content": "mera order?" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_1", "type": "function", "function": { "name": "lookup", "arguments": "{\"id\":7}" } }] },
            { "role": "tool", "tool_call_id": "call_1", "content": "{\"ok\":true}" }],
        "tools": [{ "type": "function", "function": { "name": "lookup", "description": "Finds it",
            "parameters": { "type": "object", "properties": { "id": { "type": "integer" } } } } }],
        "tool_choice": "auto"
    });
    assert_eq!(body, expected);
}

#[test]
fn servers_of_ones_own_get_what_they_understand() {
    let mut config = OpenAiConfig::new("http://127.0.0.1:8080/v1", None, "local");
    config.token_limit = TokenLimit::MaxTokens;
    config.asks_usage = false;
    config.temperature = Some(0.4);
    config.extra.insert("top_k".to_owned(), json!(20));
    let (request, body) = body(config);
    assert!(request.endpoint.headers.iter().all(|(name, _)| *name != "authorization"));
    assert_eq!(
        (&body["max_tokens"], &body["temperature"], &body["top_k"]),
        (&json!(300), &json!(0.4), &json!(20))
    );
    assert!(body.get("stream_options").is_none() && body.get("max_completion_tokens").is_none());
}

#[test]
fn text_and_usage_come_in_pieces_wherever_the_body_is_cut() {
    let body = lines(&[
        r#"{"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Aapka order"},"finish_reason":null}],"obfuscation":"xx"}"#,
        r#"{"choices":[{"index":0,"delta":{"content":" रास्ते में है।","reasoning_content":"never spoken"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":12}}}"#,
        "[DONE]",
    ]);
    let text = |text: &str| Piece::Text(text.to_owned());
    let usage = Usage { input_tokens: 20, cached_tokens: 12, output_tokens: 9 };
    let expected =
        [text("Aapka order"), text(" रास्ते में है।"), Piece::Usage(usage), Piece::Finished(Finish::Stop)];
    for cut in 0..body.len() {
        assert_eq!(answer(&body, cut).unwrap(), expected, "cut at {cut}");
    }
}

#[test]
fn tools_are_put_together_by_their_index() {
    let body = lines(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"look","arguments":""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"end","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":":1}"}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    let tool = |id: &str, name: &str, arguments: &str| {
        Piece::Tool(ToolRequest { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() })
    };
    let begun = |name: &str| Piece::ToolBegun { name: name.to_owned() };
    let expected = [
        begun("look"),
        begun("end"),
        tool("a", "look", "{\"x\":1}"),
        tool("b", "end", "{}"),
        Piece::Finished(Finish::Tools),
    ];
    assert_eq!(answer(&body, 0).unwrap(), expected);
}

#[test]
fn arguments_without_an_end_are_a_fault() {
    let part = "x".repeat(64 * 1024);
    let line = format!(
        r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"a","function":{{"name":"look","arguments":"{part}"}}}}]}}}}]}}"#
    );
    let four = lines(&[line.as_str(); 4]);
    let mut decoder = OpenAi(OpenAiConfig::new("u", None, "m")).decoder();
    assert_eq!(decoder.receive(four.as_bytes(), &mut Vec::new()), Ok(()));
    let fault = decoder.receive(lines(&[&line]).as_bytes(), &mut Vec::new()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLong);
}

#[test]
fn servers_that_send_whole_tools_without_index_or_id_are_understood() {
    let body = lines(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"look","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"end","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
    ]);
    let names: Vec<(String, String)> = answer(&body, 0)
        .unwrap()
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Tool(tool) => Some((tool.id, tool.name)),
            _ => None,
        })
        .collect();
    let expected = [("call_0", "look"), ("call_1", "end")].map(|(id, name)| (id.to_owned(), name.to_owned()));
    assert_eq!(names, expected);
}

#[test]
fn an_answer_that_breaks_off_or_complains_is_a_fault() {
    let half = lines(&[r#"{"choices":[{"delta":{"content":"Aapka"}}]}"#]);
    assert_eq!(answer(&half, 0).unwrap_err().kind, FaultKind::Dropped);
    assert_eq!(answer("data: {\"choices\":[{\n\n", 0).unwrap_err().kind, FaultKind::Malformed);
    let errors = [
        (
            r#"{"error":{"message":"slow down","type":"rate_limit_exceeded","code":null}}"#,
            FaultKind::RateLimited,
        ),
        (r#"{"error":{"message":"no","type":"server_error","code":503}}"#, FaultKind::Unavailable),
        (r#"{"error":{"message":"no","type":"invalid_request_error","code":"x"}}"#, FaultKind::Refused),
        (r#"{"error":"out of memory"}"#, FaultKind::Unavailable),
    ];
    for (error, kind) in errors {
        assert_eq!(answer(&lines(&[error]), 0).unwrap_err().kind, kind, "{error}");
    }
}
