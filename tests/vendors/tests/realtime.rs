//! Models that hear and speak take what the real ones take, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use caly_vendors::audio::{Coding, Format};
use caly_vendors::gemini_live::{GeminiLive, ServerFrames};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_realtime::OpenAiRealtime;
use caly_vendors::seen::Seen;
use caly_vendors::vendor::{Arrival, Frame};
use caly_vendors::voice::{MULAW_8K, caller};
use drive::{Play, opened, refused};
use serde_json::{Value, json};

const OPENAI: &str = "wss://api.openai.com/v1/realtime?model=gpt-realtime";
const GEMINI: &str = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService\
    .BidiGenerateContent?key=test-key";
const PCM_16K: Format = Format::new(Coding::Linear16, 16_000);

fn model() -> Model {
    let rules = [
        Rule::user("order").offered("track").call("track", r#"{"order":"12"}"#),
        Rule::tool("shipped").say("It is on its way and will be with you tomorrow in the morning."),
        Rule::always().say("Namaste."),
    ];
    Model::new(rules, TokenPace::default())
}

fn openai(lines: &[&str], seen: &Seen) -> Play {
    openai_with(model(), lines, seen)
}

fn openai_with(model: Model, lines: &[&str], seen: &Seen) -> Play {
    let mut vendor = OpenAiRealtime::new(&Script::new(lines.iter().copied()), Manner::default(), model, seen);
    let arrival = Arrival::new("GET", OPENAI).with_header("authorization", "Bearer test-key").upgrading();
    opened(&mut vendor, &arrival)
}

fn session() -> Value {
    let detection = json!({"type": "server_vad", "silence_duration_ms": 400});
    let input = json!({
        "format": {"type": "audio/pcmu"}, "transcription": {"model": "gpt-transcribe"}, "turn_detection": detection,
    });
    let tool = json!({"type": "function", "name": "track", "parameters": {"type": "object"}});
    json!({"type": "session.update", "session": {
        "type": "realtime", "instructions": "Be brief.", "output_modalities": ["audio"], "tools": [tool],
        "audio": {"input": input, "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"}},
    }})
}

fn append(piece: &[u8]) -> Frame {
    Frame::json(&json!({"type": "input_audio_buffer.append", "audio": BASE64.encode(piece)}))
}

fn say(play: &mut Play, line: &str, pause_ms: u64) {
    play.audio(&caller(MULAW_8K, &[line], Duration::from_millis(pause_ms)), 8_000, append);
}

fn output(call: &str) -> Value {
    json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": call, "output": "shipped"}})
}

fn kinds(play: &Play) -> Vec<String> {
    play.texts().iter().map(|text| text["type"].as_str().unwrap().to_owned()).collect()
}

fn codes(play: &Play) -> Vec<Value> {
    play.texts_with("type", "error").iter().map(|text| text["error"]["code"].clone()).collect()
}

#[test]
fn realtime_hears_calls_and_speaks() {
    let seen = Seen::default();
    let mut play = openai(&["mera order kahan hai"], &seen);
    play.json(&session());
    say(&mut play, "mera order kahan hai", 700);
    play.wait(Duration::from_secs(2));
    let done = &play.texts_with("type", "response.done")[0]["response"];
    assert_eq!((&done["status"], &done["output"][0]["call_id"]), (&json!("completed"), &json!("call_1")));
    let call = &play.texts_with("type", "response.function_call_arguments.done")[0];
    assert_eq!(call["arguments"], r#"{"order":"12"}"#);
    let heard = play.texts_with("type", "conversation.item.input_audio_transcription.completed");
    assert_eq!(heard[0]["transcript"], "mera order kahan hai");
    play.json(&output("call_1"));
    play.json(&json!({"type": "response.create"}));
    play.wait(Duration::from_secs(3));
    let said = play.texts_with("type", "response.output_audio_transcript.done");
    assert_eq!(said[0]["transcript"], "It is on its way and will be with you tomorrow in the morning.");
    let audio = play.texts_with("type", "response.output_audio.delta");
    let bytes: usize =
        audio.iter().map(|delta| BASE64.decode(delta["delta"].as_str().unwrap()).unwrap().len()).sum();
    assert!((3_500..4_500).contains(&(bytes / 8)), "{} ms", bytes / 8);
    assert_eq!(seen.complaints(), Vec::<String>::new());
    let mut order = kinds(&play);
    order.retain(|kind| kind.starts_with("input_audio_buffer") || kind == "response.created");
    let speech =
        ["speech_started", "speech_stopped", "committed"].map(|name| format!("input_audio_buffer.{name}"));
    assert_eq!(order[..3], speech);
}

#[test]
fn an_interrupter_cancels_and_the_item_is_truncated_to_what_was_sent() {
    let seen = Seen::default();
    let mut play = openai(&["haan"], &seen);
    play.json(&session());
    let user =
        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "my order"}]});
    play.json(&json!({"type": "conversation.item.create", "item": user}));
    play.json(&json!({"type": "response.create"}));
    play.wait(Duration::from_secs(2));
    play.json(&output("call_1"));
    play.json(&json!({"type": "response.create"}));
    play.wait(Duration::from_millis(500));
    say(&mut play, "haan", 40);
    let done = play.texts_with("type", "response.done");
    assert_eq!(done.last().unwrap()["response"]["status_details"]["reason"], "turn_detected");
    let audio = play.texts_with("type", "response.output_audio.delta");
    let item = audio[0]["item_id"].clone();
    let truncate = |ms: u64| json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms});
    play.json(&truncate(100));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.texts_with("type", "conversation.item.truncated").len(), 1);
    assert_eq!(seen.complaints(), Vec::<String>::new());
    play.json(&truncate(60_000));
    play.wait(Duration::from_millis(1));
    assert_eq!(codes(&play), ["invalid_value"]);
}

#[test]
fn the_instructions_of_one_answer_take_the_place_of_the_sessions() {
    let seen = Seen::default();
    let mut play = openai_with(Model::new([], TokenPace::default()), &[], &seen);
    play.json(&session());
    let wish = "Say exactly this, and nothing else: Namaste.";
    let mut said = |instructions: &str| {
        play.json(&json!({"type": "response.create", "response": {"instructions": instructions}}));
        play.wait(Duration::from_secs(3));
        let said = play.texts_with("type", "response.output_audio_transcript.done");
        (said.len(), said.last().unwrap()["transcript"].clone(), seen.complaints().len())
    };
    assert_eq!(said(&format!("Be brief.\n\n{wish}")), (1, json!("Namaste."), 0));
    assert_eq!(said(wish), (2, json!("Namaste."), 1), "those of the session are missing");
}

#[test]
fn realtime_refuses_in_words_and_goes_on() {
    let seen = Seen::default();
    let mut play = openai(&[], &seen);
    play.json(&session());
    play.json(&json!({"type": "response.create"}));
    play.json(&json!({"type": "response.create"}));
    play.wait(Duration::from_secs(3));
    play.json(&json!({"type": "response.cancel"}));
    play.json(&output("call_9"));
    play.json(&json!({"type": "input_audio_buffer.commit"}));
    let mut change = session();
    change["session"]["audio"]["output"]["voice"] = json!("cedar");
    play.json(&change);
    let mut beta = session();
    beta["session"]["modalities"] = json!(["audio", "text"]);
    play.json(&beta);
    let mut nested = session();
    nested["session"]["tools"] = json!([{"type": "function", "function": {"name": "track"}}]);
    play.json(&nested);
    play.json(&json!({"type": "conversation.item.created"}));
    play.binary(&[0]);
    play.wait(Duration::from_millis(1));
    let expected = [
        "conversation_already_has_active_response",
        "response_cancel_not_active",
        "invalid_tool_call_id",
        "input_audio_buffer_commit_empty",
        "invalid_value",
        "invalid_value",
        "invalid_value",
        "invalid_value",
        "invalid_request_error",
    ];
    assert_eq!(codes(&play), expected);
    assert_eq!((play.closed(), seen.complaints().len()), (None, expected.len()));
}

#[test]
fn a_realtime_session_ends_after_its_time_and_wants_a_key_and_a_model() {
    let seen = Seen::default();
    let mut vendor = OpenAiRealtime::new(&Script::new([]), Manner::default(), model(), &seen);
    let right = Arrival::new("GET", OPENAI).with_header("authorization", "Bearer test-key").upgrading();
    let mut play = opened(&mut vendor, &right);
    play.wait(Duration::from_secs(3_599));
    assert_eq!(play.closed(), None);
    play.wait(Duration::from_secs(2));
    assert_eq!(
        (codes(&play), play.closed()),
        (vec![json!("session_expired")], Some((1001, "session_expired")))
    );
    assert_eq!(refused(&mut vendor, &Arrival { headers: Vec::new(), ..right.clone() }).0, 401);
    assert_eq!(refused(&mut vendor, &Arrival { query: Vec::new(), ..right.clone() }).0, 400);
    assert_eq!(refused(&mut vendor, &right.with_header("openai-beta", "realtime=v1")).0, 400);
}

fn gemini(vendor: GeminiLive) -> Play {
    let mut vendor = vendor;
    opened(&mut vendor, &Arrival::new("GET", GEMINI).upgrading())
}

fn setup() -> Value {
    let declaration = json!({"name": "track", "parameters": {"type": "OBJECT", "properties": {}}});
    json!({"setup": {
        "model": "models/gemini-3.8-live", "generationConfig": {"responseModalities": ["AUDIO"]},
        "tools": [{"functionDeclarations": [declaration]}],
        "realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": 400}},
        "inputAudioTranscription": {}, "outputAudioTranscription": {}, "sessionResumption": {},
    }})
}

fn realtime_input(piece: &[u8]) -> Frame {
    let audio = json!({"mimeType": "audio/pcm;rate=16000", "data": BASE64.encode(piece)});
    Frame::json(&json!({"realtimeInput": {"audio": audio}}))
}

fn contents(play: &Play, pointer: &str) -> Vec<Value> {
    play.texts().iter().filter_map(|text| text.pointer(pointer).cloned()).collect()
}

#[test]
fn gemini_hears_calls_speaks_and_is_interrupted() {
    let seen = Seen::default();
    let script = Script::new(["mera order kahan hai", "haan"]);
    let mut play = gemini(GeminiLive::new(&script, Manner::default(), model(), &seen));
    play.json(&setup());
    play.audio(
        &caller(PCM_16K, &["mera order kahan hai"], Duration::from_millis(700)),
        32_000,
        realtime_input,
    );
    play.wait(Duration::from_secs(1));
    assert_eq!(contents(&play, "/setupComplete").len(), 1);
    assert_eq!(contents(&play, "/serverContent/inputTranscription/text"), ["mera order kahan hai"]);
    let calls = contents(&play, "/toolCall/functionCalls/0");
    assert_eq!((&calls[0]["name"], &calls[0]["args"]["order"]), (&json!("track"), &json!("12")));
    let response = json!({"id": calls[0]["id"], "name": "track", "response": {"result": "shipped"}});
    play.json(&json!({"toolResponse": {"functionResponses": [response]}}));
    play.wait(Duration::from_millis(500));
    assert!(!contents(&play, "/serverContent/modelTurn/parts/0/inlineData/data").is_empty());
    play.audio(&caller(PCM_16K, &["haan"], Duration::from_millis(20)), 32_000, realtime_input);
    assert_eq!(contents(&play, "/serverContent/interrupted"), [true]);
    assert!(contents(&play, "/sessionResumptionUpdate/newHandle").len() == 1);
    assert_eq!(seen.complaints(), Vec::<String>::new());
}

#[test]
fn gemini_says_when_it_goes_and_may_speak_in_binary_frames() {
    let seen = Seen::default();
    let vendor = GeminiLive::new(&Script::new([]), Manner::default(), model(), &seen);
    let mut play = gemini(vendor.clone().lasting(Duration::from_secs(100)));
    play.json(&setup());
    play.wait(Duration::from_secs(49));
    assert!(contents(&play, "/goAway").is_empty());
    play.wait(Duration::from_secs(1));
    assert_eq!(contents(&play, "/goAway/timeLeft"), ["50s"]);
    play.wait(Duration::from_secs(50));
    assert_eq!(play.closed().unwrap().0, 1001);
    let mut play = gemini(vendor.framing(ServerFrames::Binary));
    play.json(&setup());
    play.wait(Duration::from_millis(1));
    assert!(play.bytes().starts_with(br#"{"setupComplete""#));
}

#[test]
fn gemini_closes_on_what_is_wrong() {
    let declaration = json!({"name": "x", "parameters": {"type": "object"}});
    let changed = |name: &str, value: Value| {
        let mut message = setup();
        message["setup"][name] = value;
        message
    };
    let turn = json!({"clientContent": {"turns": [{"role": "assistant", "parts": []}]}});
    let audio = json!({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=8000", "data": ""}}});
    for messages in [
        vec![audio.clone()],
        vec![setup(), setup()],
        vec![setup(), audio],
        vec![setup(), turn],
        vec![setup(), json!({"realtimeInput": {"activityStart": {}}})],
        vec![setup(), json!({"toolResponse": {"functionResponses": []}})],
        vec![changed("model", json!("gemini-3.8-live"))],
        vec![changed("generationConfig", json!({"responseModalities": ["AUDIO", "TEXT"]}))],
        vec![changed("tools", json!([{"functionDeclarations": [declaration]}]))],
        vec![changed("system_instruction", json!("x"))],
    ] {
        let seen = Seen::default();
        let mut play = gemini(GeminiLive::new(&Script::new([]), Manner::default(), model(), &seen));
        messages.iter().for_each(|message| play.json(message));
        play.wait(Duration::from_millis(1));
        assert_eq!(
            (play.closed().map(|(code, _)| code), seen.complaints().len()),
            (Some(1007), 1),
            "{messages:?}"
        );
    }
    let mut vendor = GeminiLive::new(&Script::new([]), Manner::default(), model(), &Seen::default());
    assert_eq!(
        refused(&mut vendor, &Arrival::new("GET", &GEMINI.replace("test-key", "x")).upgrading()).0,
        403
    );
}
