//! Language models may answer anything, cut anywhere: the decoders say what is wrong and never panic.

use caly_provider::llm::{Anthropic, AnthropicConfig, Decoder, OpenAi, OpenAiConfig, Piece, Vendor};
use caly_provider::secret::Secret;
use proptest::prelude::*;

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n",
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"नमस्ते\"}}\n\n",
    "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\",\"input\":{}}}\n\n",
    "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n",
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":44}}\n\n",
    "data: {\"type\":\"message_stop\"}\n\n",
);

const OPENAI: &str = concat!(
    "data: {\"choices\":[{\"delta\":{\"content\":\"नमस्ते\"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"n\",\"arguments\":\"{}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":9}}\n\n",
    "data: [DONE]\n\n",
);

fn decoders() -> Vec<Box<dyn Decoder>> {
    let anthropic = Anthropic(AnthropicConfig::new(Secret::new("k"), "m"));
    let openai = OpenAi(OpenAiConfig::new("http://x", None, "m"));
    vec![anthropic.decoder(), openai.decoder()]
}

/// Reads a body in parts of that size; an answer that is complete says so once.
fn read(body: &[u8], part: usize) {
    for mut decoder in decoders() {
        let mut pieces = Vec::new();
        let outcome = body.chunks(part.max(1)).try_for_each(|part| decoder.receive(part, &mut pieces));
        let outcome = outcome.and_then(|()| decoder.end(&mut pieces));
        let finished = pieces.iter().filter(|piece| matches!(piece, Piece::Finished(_))).count();
        assert!(finished <= 1 && (outcome.is_err() || finished == 1));
    }
}

/// What comes on the wire is JSON of some shape or other.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "type",
        "message",
        "usage",
        "index",
        "delta",
        "content_block",
        "text",
        "text_delta",
        "tool_use",
        "id",
        "name",
        "choices",
        "tool_calls",
        "function",
        "error",
        "message_delta",
        "message_stop",
        "stop_reason",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "input_json_delta",
        "finish_reason",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        words.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let fields = prop::collection::vec((words.clone(), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Into::into),
            fields.prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read(body in prop::collection::vec(any::<u8>(), 0..300), part in 1usize..50) {
        read(&body, part);
    }

    #[test]
    fn any_json_is_read(events in prop::collection::vec(json(), 0..6)) {
        let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        read(body.as_bytes(), 64);
    }

    #[test]
    fn answers_are_read_cut_off_and_with_wrong_bytes(at in 0usize..800, byte: u8, end in 0usize..1_000) {
        for golden in [ANTHROPIC, OPENAI] {
            let mut body = golden.as_bytes().to_vec();
            let at = at % body.len();
            body[at] = byte;
            body.truncate(end);
            read(&body, 7);
        }
    }
}

#[test]
fn whole_answers_are_complete() {
    let bodies = [ANTHROPIC, OPENAI];
    for (mut decoder, body) in decoders().into_iter().zip(bodies) {
        let mut pieces = Vec::new();
        decoder.receive(body.as_bytes(), &mut pieces).unwrap();
        decoder.end(&mut pieces).unwrap();
        assert!(matches!(pieces.last(), Some(Piece::Finished(_))), "{pieces:?}");
    }
}
