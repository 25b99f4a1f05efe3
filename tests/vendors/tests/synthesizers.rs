//! The synthesizers beside Deepgram's and ElevenLabs' contexts take what the real ones take, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use caly_vendors::audio::{rms, wav_decoded};
use caly_vendors::cartesia::Cartesia;
use caly_vendors::openai_speech::{ElevenLabsStream, OpenAiSpeech};
use caly_vendors::sarvam_speak::SarvamSpeak;
use caly_vendors::seen::Seen;
use caly_vendors::vendor::{Action, Arrival};
use caly_vendors::voice::{MULAW_8K, Pace, Voice};
use drive::{Play, opened, refused};
use serde_json::{Value, json};

const TEXT: &str = "Hello there.";
const CARTESIA: &str = "wss://api.cartesia.ai/tts/websocket";
const SARVAM: &str = "wss://api.sarvam.ai/text-to-speech/ws?model=bulbul:v3&send_completion_event=true";

fn is_spoken(bytes: usize, bytes_per_second: usize) -> bool {
    let ms = bytes * 1_000 / bytes_per_second;
    (60 * TEXT.len()..=71 * TEXT.len()).contains(&ms)
}

fn speech(change: &[(&str, Value)]) -> Arrival {
    let mut body =
        json!({"model": "gpt-4o-mini-tts", "input": TEXT, "voice": "marin", "response_format": "pcm"});
    for (name, value) in change {
        body[name] = value.clone();
    }
    let arrival = Arrival::new("POST", "https://api.openai.com/v1/audio/speech");
    arrival.with_header("authorization", "Bearer test-key").with_json(&body)
}

#[test]
fn openai_speaks_pcm_and_wav() {
    let mut vendor = OpenAiSpeech::new(Voice::default(), Pace::default());
    let mut play = opened(&mut vendor, &speech(&[]));
    play.wait(Duration::from_millis(149));
    assert!(play.done.is_empty());
    play.wait(Duration::from_secs(1));
    assert!(is_spoken(play.bytes().len(), 48_000) && play.done.last().unwrap().1 == Action::End);
    let mut play = opened(&mut vendor, &speech(&[("response_format", json!("wav"))]));
    play.wait(Duration::from_secs(1));
    let (rate, samples) = wav_decoded(&play.bytes()).unwrap();
    assert!(rate == 24_000 && is_spoken(samples.len(), 24_000) && rms(&samples) > 1_000.0);
}

#[test]
fn openai_refuses_what_it_does_not_speak() {
    let mut vendor = OpenAiSpeech::new(Voice::default(), Pace::default());
    for (name, value) in [
        ("voice", json!("thalia")),
        ("input", json!("")),
        ("input", json!("a".repeat(4_097))),
        ("speed", json!(5)),
        ("response_format", json!("ulaw_8000")),
        ("sample_rate", json!(8_000)),
    ] {
        assert_eq!(refused(&mut vendor, &speech(&[(name, value)])).0, 400, "{name}");
    }
    assert_eq!(
        refused(&mut vendor, &speech(&[("model", json!("tts-1")), ("instructions", json!("x"))])).0,
        400
    );
    assert_eq!(refused(&mut vendor, &speech(&[("model", json!("tts-9"))])).0, 404);
    assert_eq!(refused(&mut vendor, &Arrival { headers: Vec::new(), ..speech(&[]) }).0, 401);
}

fn stream(url: &str, body: &Value) -> Arrival {
    Arrival::new("POST", &format!("https://api.elevenlabs.io{url}"))
        .with_header("xi-api-key", "test-key")
        .with_json(body)
}

#[test]
fn elevenlabs_streams_a_body() {
    let mut vendor = ElevenLabsStream::new(Voice::default(), Pace::default());
    let url = "/v1/text-to-speech/v1ce/stream?output_format=ulaw_8000";
    let body = json!({"text": TEXT, "model_id": "eleven_flash_v2_5", "voice_settings": {"stability": 0.5}});
    let mut play = opened(&mut vendor, &stream(url, &body));
    play.wait(Duration::from_secs(1));
    assert!(is_spoken(play.bytes().len(), 8_000) && rms(&MULAW_8K.decoded(&play.bytes())) > 1_000.0);
    for body in [
        json!({}),
        json!({"text": ""}),
        json!({"text": "a", "voice": "b"}),
        json!({"text": "a", "model_id": "x"}),
    ] {
        assert_eq!(refused(&mut vendor, &stream(url, &body)).0, 422, "{body}");
    }
    for wrong in ["/v1/text-to-speech/v1ce/stream", "/v1/text-to-speech/v1ce/stream?output_format=ulaw_16000"]
    {
        assert_eq!(refused(&mut vendor, &stream(wrong, &body)).0, 422, "{wrong}");
    }
    assert_eq!(refused(&mut vendor, &stream("/v1/text-to-speech/no-such-voice/stream", &body)).0, 404);
    assert_eq!(refused(&mut vendor, &Arrival { headers: Vec::new(), ..stream(url, &body) }).0, 401);
}

fn cartesia(seen: &Seen) -> Play {
    let arrival = Arrival::new("GET", CARTESIA).with_header("x-api-key", "test-key").upgrading();
    let arrival = arrival.with_header("cartesia-version", "2026-03-01");
    opened(&mut Cartesia::new(Voice::default(), Pace::default(), seen), &arrival)
}

fn generation(id: &str, text: &str, goes_on: bool) -> Value {
    json!({
        "context_id": id, "model_id": "sonic-3.5", "transcript": text, "continue": goes_on, "language": "hi",
        "voice": {"mode": "id", "id": "v1"}, "add_timestamps": true,
        "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8_000},
    })
}

fn audio(texts: &[Value], pointer: &str) -> usize {
    texts
        .iter()
        .filter_map(|text| text.pointer(pointer)?.as_str())
        .map(|text| BASE64.decode(text).unwrap().len())
        .sum()
}

#[test]
fn cartesia_continues_a_context_and_cancels_one() {
    let seen = Seen::default();
    let mut play = cartesia(&seen);
    play.json(&generation("t1", "Hello ", true));
    play.wait(Duration::from_millis(500));
    assert!(play.texts().is_empty(), "half a sentence is waited for");
    play.json(&generation("t1", "there.", true));
    play.json(&generation("t1", "", false));
    play.wait(Duration::from_secs(1));
    assert!(is_spoken(audio(&play.texts_with("type", "chunk"), "/data"), 8_000));
    assert_eq!(play.texts().last().unwrap()["type"], "done");
    assert!(!play.texts_with("type", "timestamps").is_empty());
    let before = play.texts().len();
    play.json(&generation("t2", "A sentence that nobody hears.", true));
    play.json(&json!({"context_id": "t2", "cancel": true}));
    play.wait(Duration::from_secs(5));
    assert_eq!((play.texts().len(), seen.complaints()), (before, Vec::new()));
}

#[test]
fn cartesia_refuses_in_words_what_is_wrong() {
    let change = |name: &str, value: Value| {
        let mut message = generation("t1", "a", false);
        message[name] = value;
        message
    };
    for message in [
        change("context_id", Value::Null),
        change("transcript", Value::Null),
        change("voice", json!("v1")),
        change("model_id", json!("aura")),
        change("language", json!("hi-IN")),
        change("text", json!("x")),
        change("output_format", json!({"container": "wav", "encoding": "pcm_mulaw", "sample_rate": 8_000})),
        change("output_format", json!({"container": "raw", "encoding": "ulaw", "sample_rate": 8_000})),
        json!({"context_id": "t9", "cancel": true}),
    ] {
        let seen = Seen::default();
        let mut play = cartesia(&seen);
        play.json(&message);
        play.wait(Duration::from_millis(1));
        assert_eq!((play.texts_with("type", "error").len(), seen.complaints().len()), (1, 1), "{message}");
    }
    let seen = Seen::default();
    let mut play = cartesia(&seen);
    play.json(&generation("t1", "One.", true));
    play.wait(Duration::from_secs(3));
    play.json(&generation("t1", "Two.", false));
    play.wait(Duration::from_millis(1));
    assert!(seen.complaints()[0].contains("lives for 1 s"), "{:?}", seen.complaints());
    let mut vendor = Cartesia::new(Voice::default(), Pace::default(), &seen);
    let bare = Arrival::new("GET", CARTESIA).upgrading();
    assert_eq!(refused(&mut vendor, &bare).0, 401);
    assert_eq!(refused(&mut vendor, &bare.with_header("x-api-key", "test-key")).0, 400);
}

fn sarvam(seen: &Seen) -> Play {
    let arrival = Arrival::new("GET", SARVAM).with_header("api-subscription-key", "test-key").upgrading();
    opened(&mut SarvamSpeak::new(Voice::default(), Pace::default(), "target_language_code", seen), &arrival)
}

fn config(change: &[(&str, Value)]) -> Value {
    let mut data = json!({
        "target_language_code": "hi-IN", "speaker": "shubh", "pace": 1.0, "speech_sample_rate": 8_000,
        "output_audio_codec": "mulaw", "min_buffer_size": 50, "max_chunk_length": 150,
    });
    for (name, value) in change {
        data[name] = value.clone();
    }
    json!({"type": "config", "data": data})
}

#[test]
fn sarvam_speaks_after_its_configuration() {
    let seen = Seen::default();
    let mut play = sarvam(&seen);
    play.json(&config(&[]));
    play.json(&json!({"type": "text", "data": {"text": TEXT}}));
    play.json(&json!({"type": "flush"}));
    play.wait(Duration::from_secs(50));
    assert!(is_spoken(audio(&play.texts(), "/data/audio"), 8_000));
    assert_eq!(play.texts().last().unwrap()["data"]["event_type"], "final");
    play.json(&json!({"type": "ping"}));
    play.wait(Duration::from_secs(50));
    assert_eq!((play.closed(), seen.complaints()), (None, Vec::new()));
    play.wait(Duration::from_secs(10));
    assert_eq!(play.closed().unwrap().0, 1000);
}

#[test]
fn sarvam_refuses_what_is_wrong() {
    for message in [
        json!({"type": "text", "data": {"text": TEXT}}),
        config(&[("language_code", json!("hi-IN"))]),
        config(&[("target_language_code", json!("hi"))]),
        config(&[("output_audio_codec", json!("ulaw"))]),
        config(&[("speech_sample_rate", json!(16_000))]),
        config(&[("pitch", json!(0.1))]),
        json!({"type": "stop"}),
    ] {
        let seen = Seen::default();
        let mut play = sarvam(&seen);
        play.json(&message);
        play.wait(Duration::from_millis(1));
        assert_eq!((play.closed().is_some(), seen.complaints().len()), (true, 1), "{message}");
    }
    let mut vendor = SarvamSpeak::new(Voice::default(), Pace::default(), "language_code", &Seen::default());
    assert_eq!(refused(&mut vendor, &Arrival::new("GET", SARVAM).upgrading()).0, 403);
    let wrong =
        Arrival::new("GET", &SARVAM.replace("v3", "v9")).with_header("api-subscription-key", "test-key");
    assert_eq!(refused(&mut vendor, &wrong.upgrading()).0, 400);
}
