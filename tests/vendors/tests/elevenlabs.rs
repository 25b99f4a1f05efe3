//! ElevenLabs' services take what the real ones take, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use caly_vendors::elevenlabs_contexts::{ElevenLabsContexts, UNKNOWN_VOICE};
use caly_vendors::seen::Seen;
use caly_vendors::vendor::Arrival;
use caly_vendors::voice::{Pace, Voice};
use drive::{Play, opened, refused};
use serde_json::{Value, json};

const SPEAK: &str = "wss://api.elevenlabs.io/v1/text-to-speech/v1ce/multi-stream-input?model_id=eleven_flash_v2_5\
    &language_code=hi&output_format=ulaw_8000&inactivity_timeout=60";

fn arrival(url: &str) -> Arrival {
    Arrival::new("GET", url).with_header("xi-api-key", "test-key").upgrading()
}

fn speaking(seen: &Seen) -> Play {
    opened(&mut ElevenLabsContexts::new(Voice::default(), Pace::default(), seen), &arrival(SPEAK))
}

fn audio_of(texts: &[Value], context: &str) -> (usize, String) {
    let of = texts.iter().filter(|text| text["contextId"] == context);
    let bytes =
        of.clone().filter_map(|text| Some(BASE64.decode(text["audio"].as_str()?).unwrap().len())).sum();
    let letters = of.flat_map(|text| text["alignment"]["chars"].as_array().cloned().unwrap_or_default());
    (bytes, letters.map(|letter| letter.as_str().unwrap().to_owned()).collect())
}

#[test]
fn contexts_speak_and_end_each_for_itself() {
    let seen = Seen::default();
    let mut play = speaking(&seen);
    for id in ["t1", "t2"] {
        play.json(&json!({"text": " ", "context_id": id, "voice_settings": {"stability": 0.5}}));
    }
    play.json(&json!({"text": "Hello there. ", "context_id": "t1"}));
    play.wait(Duration::from_secs(2));
    assert!(play.texts().is_empty(), "audio before there was enough text");
    play.json(&json!({"context_id": "t1", "flush": true}));
    play.json(&json!({"text": "Namaste. ", "context_id": "t2", "flush": true}));
    play.json(&json!({"context_id": "t1", "close_context": true}));
    play.wait(Duration::from_secs(2));
    let texts = play.texts();
    let (bytes, letters) = audio_of(&texts, "t1");
    assert!((700..1_000).contains(&(bytes / 8)));
    assert_eq!((letters.as_str(), audio_of(&texts, "t2").1.as_str()), ("Hello there. ", "Namaste. "));
    let finals = play.texts_with("isFinal", true);
    assert_eq!((finals.len(), &finals[0]["contextId"]), (1, &json!("t1")));
    assert_eq!(seen.complaints(), Vec::<String>::new());
    play.json(&json!({"close_socket": true}));
    play.wait(Duration::from_secs(2));
    assert_eq!((play.texts_with("isFinal", true).len(), play.closed()), (2, Some((1000, ""))));
}

#[test]
fn long_text_is_spoken_without_a_flush() {
    let mut play = speaking(&Seen::default());
    play.json(&json!({"text": " ", "context_id": "t1"}));
    play.json(&json!({"text": "word ".repeat(30), "context_id": "t1"}));
    play.wait(Duration::from_secs(1));
    assert!(audio_of(&play.texts(), "t1").0 > 0);
}

#[test]
fn a_sixth_context_closes_the_socket() {
    let seen = Seen::default();
    let mut play = speaking(&seen);
    for n in 0..5 {
        play.json(&json!({"text": " ", "context_id": format!("t{n}")}));
    }
    play.json(&json!({"context_id": "t0", "close_context": true}));
    play.json(&json!({"text": " ", "context_id": "t5"}));
    play.wait(Duration::from_millis(1));
    assert_eq!((play.closed(), seen.complaints().len()), (None, 0));
    play.json(&json!({"text": " ", "context_id": "t6"}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed(), Some((1008, "max_active_conversations")));
    assert_eq!(seen.complaints().len(), 1);
}

#[test]
fn wrong_messages_end_the_connection_or_are_complained_of() {
    let fatal = [
        json!({"text": "Hello ", "context_id": "t1"}),
        json!({"text": " ", "context_id": "t1", "voice": "x"}),
        json!({"text": " ", "context_id": "t1", "voice_settings": {"stability": 3}}),
        json!({"text": 1, "context_id": "t1"}),
    ];
    for message in fatal {
        let mut play = speaking(&Seen::default());
        play.json(&message);
        play.wait(Duration::from_millis(1));
        assert_eq!(play.closed(), Some((1008, "invalid_message")), "{message}");
    }
    let seen = Seen::default();
    let mut play = speaking(&seen);
    play.json(&json!({"text": " ", "context_id": "t1"}));
    play.json(&json!({"text": "glued", "context_id": "t1"}));
    play.json(&json!({"context_id": "t2", "flush": true}));
    play.json(&json!({"context_id": "t1", "close_context": true}));
    play.json(&json!({"text": "late ", "context_id": "t1"}));
    assert_eq!(seen.complaints().len(), 3, "{:?}", seen.complaints());
    play.json(&json!({"text": " ", "context_id": "t3"}));
    play.json(&json!({"text": "a ", "context_id": "t3", "voice_settings": {"speed": 1.0}}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed(), Some((1008, "invalid_message")));
}

#[test]
fn who_says_nothing_is_closed_and_an_empty_text_keeps_alive() {
    let seen = Seen::default();
    let mut play = speaking(&seen);
    play.json(&json!({"text": " ", "context_id": "t1"}));
    play.wait(Duration::from_secs(50));
    play.json(&json!({"text": "", "context_id": "t1"}));
    play.wait(Duration::from_secs(50));
    assert_eq!((play.closed(), seen.complaints().len()), (None, 0));
    play.wait(Duration::from_secs(10));
    assert_eq!(play.closed(), Some((1008, "input_timeout_exceeded")));
}

#[test]
fn wrong_requests_are_refused() {
    let mut vendor = ElevenLabsContexts::new(Voice::default(), Pace::default(), &Seen::default());
    for (right, wrong) in [
        ("eleven_flash_v2_5", "eleven_9"),
        ("ulaw_8000", "mulaw_8000"),
        ("=60", "=1000"),
        ("&inact", "&colour=red&inact"),
    ] {
        assert_eq!(refused(&mut vendor, &arrival(&SPEAK.replacen(right, wrong, 1))).0, 422, "{wrong}");
    }
    assert_eq!(refused(&mut vendor, &arrival(&SPEAK.replacen("flash_v2_5", "multilingual_v2", 1))).0, 422);
    assert_eq!(refused(&mut vendor, &Arrival::new("GET", SPEAK).upgrading()).0, 401);
    assert_eq!(refused(&mut vendor, &arrival(&SPEAK.replace("v1ce", UNKNOWN_VOICE))).0, 404);
    assert_eq!(refused(&mut vendor, &arrival(&SPEAK.replace("multi-stream-input", "stream-inputs"))).0, 404);
}
