//! Deepgram's recognizer and synthesizer take what the real ones take, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use caly_vendors::audio::rms;
use caly_vendors::deepgram_flux_speak::DeepgramFluxSpeak;
use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::seen::Seen;
use caly_vendors::vendor::{Arrival, Frame};
use caly_vendors::voice::{MULAW_8K, Pace, Voice, caller, silence};
use drive::{Play, opened, refused};
use serde_json::{Value, json};

const LISTEN: &str = "wss://api.deepgram.com/v1/listen?model=nova-3&language=multi&encoding=mulaw&sample_rate=8000\
    &interim_results=true&endpointing=300&utterance_end_ms=1000&vad_events=true&punctuate=true";
const SPEAK: &str = "wss://api.deepgram.com/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000";

fn arrival(url: &str) -> Arrival {
    Arrival::new("GET", url).with_header("authorization", "Token test-key").upgrading()
}

fn recognizer(lines: &[&str], seen: &Seen) -> DeepgramListen {
    DeepgramListen::new(&Script::new(lines.iter().copied()), Manner::default(), seen)
}

fn listening(lines: &[&str], url: &str, seen: &Seen) -> Play {
    opened(&mut recognizer(lines, seen), &arrival(url))
}

fn say(play: &mut Play, audio: &[u8]) {
    play.audio(audio, 8_000, |piece| Frame::Binary(piece.to_vec()));
    play.wait(Duration::from_millis(200));
}

fn transcript(result: &Value) -> &str {
    result["channel"]["alternatives"][0]["transcript"].as_str().unwrap()
}

#[test]
fn utterances_become_interims_finals_and_utterance_ends() {
    let seen = Seen::default();
    let lines = ["Mera order kahan hai?", "haan"];
    let mut play = listening(&lines, LISTEN, &seen);
    say(&mut play, &caller(MULAW_8K, &lines, Duration::from_millis(1_500)));
    let finals: Vec<_> = play.texts_with("is_final", true);
    assert_eq!(finals.iter().map(transcript).collect::<Vec<_>>(), lines);
    assert!(finals.iter().all(|result| result["speech_final"] == true && result["from_finalize"] == false));
    let word = &finals[0]["channel"]["alternatives"][0]["words"][3];
    assert_eq!((&word["word"], &word["punctuated_word"]), (&json!("hai"), &json!("hai?")));
    assert!(word["start"].as_f64().unwrap() > 1.5 && word["end"].as_f64() > word["start"].as_f64());
    assert!(play.texts_with("is_final", false).len() >= 3);
    assert_eq!(play.texts_with("type", "SpeechStarted").len(), 2);
    assert_eq!(play.texts_with("type", "UtteranceEnd").len(), 2);
    assert_eq!(seen.complaints(), Vec::<String>::new());
}

#[test]
fn a_final_comes_after_the_silence_asked_for_and_the_latency() {
    let seen = Seen::default();
    let mut play = listening(&["haan"], LISTEN, &seen);
    let speech = Voice { seed: 5, ..Voice::default() }.speak("haan ji", 8_000).samples.len() as u64 / 8;
    say(&mut play, &caller(MULAW_8K, &["haan ji"], Duration::from_millis(800)));
    let is_final =
        |action: &caly_vendors::vendor::Action| format!("{action:?}").contains("is_final\\\":true");
    let at = play.done.iter().find(|(_, action)| is_final(action)).unwrap().0.as_millis() as u64;
    let expected = 800 + speech + 300 + 150;
    assert!(at.abs_diff(expected) <= 60, "{at} ms, expected {expected}");
}

#[test]
fn finalize_and_close_stream_flush() {
    let seen = Seen::default();
    let mut play = listening(&["mera order"], LISTEN, &seen);
    say(&mut play, &caller(MULAW_8K, &["mera order"], Duration::from_millis(100)));
    assert!(play.texts_with("is_final", true).is_empty());
    play.json(&json!({"type": "Finalize"}));
    play.wait(Duration::from_millis(150));
    let finals = play.texts_with("from_finalize", true);
    assert_eq!(finals.iter().map(transcript).collect::<Vec<_>>(), ["mera order"]);
    play.json(&json!({"type": "CloseStream"}));
    play.wait(Duration::from_secs(1));
    assert_eq!(play.texts_with("type", "Metadata").len(), 1);
    assert_eq!(play.closed(), Some((1000, "")));
}

#[test]
fn long_speech_comes_in_segments_that_have_to_be_joined() {
    let seen = Seen::default();
    let line = "mera order number hai ek do teen chaar paanch chhah saat aath nau das gyarah barah terah chaudah bas";
    let mut play = listening(&[line], LISTEN, &seen);
    say(&mut play, &caller(MULAW_8K, &[line], Duration::from_millis(600)));
    let finals = play.texts_with("is_final", true);
    assert!(finals.len() >= 2 && finals[0]["speech_final"] == false, "{finals:?}");
    assert_eq!(finals.iter().map(transcript).collect::<Vec<_>>().join(" "), line);
}

#[test]
fn keep_alive_keeps_and_silence_on_the_wire_closes() {
    let seen = Seen::default();
    let mut play = listening(&[], LISTEN, &seen);
    for _ in 0..4 {
        play.wait(Duration::from_secs(5));
        play.json(&json!({"type": "KeepAlive"}));
    }
    assert_eq!((play.closed(), seen.complaints().len()), (None, 0));
    play.wait(Duration::from_secs(10));
    assert_eq!(play.closed(), Some((1011, "NET-0001")));
    assert_eq!(seen.complaints().len(), 1);
}

#[test]
fn wrong_messages_end_the_recognizers_connection() {
    type Wrong = (&'static str, fn(&mut Play));
    let wrong: [Wrong; 5] = [
        ("an empty frame", |play| play.binary(&[])),
        ("no JSON", |play| play.json(&json!("KeepAlive"))),
        ("an unknown type", |play| play.json(&json!({"type": "Flush"}))),
        ("an unknown field", |play| play.json(&json!({"type": "KeepAlive", "x": 1}))),
        ("PCM for mu-law", |play| {
            say(play, &silence(MULAW_8K, Duration::from_secs(1)).iter().map(|_| 0).collect::<Vec<_>>())
        }),
    ];
    for (what, send) in wrong {
        let seen = Seen::default();
        let mut play = listening(&[], LISTEN, &seen);
        send(&mut play);
        play.wait(Duration::from_millis(1));
        assert_eq!(play.closed(), Some((1008, "DATA-0000")), "{what}");
        assert!(!seen.complaints().is_empty(), "{what}");
    }
}

#[test]
fn wrong_requests_to_the_recognizer_are_refused() {
    let mut vendor = recognizer(&[], &Seen::default());
    let mut status = |arrival: &Arrival| refused(&mut vendor, arrival);
    let without = |part: &str| arrival(&LISTEN.replace(part, ""));
    for part in ["model=nova-3&", "&encoding=mulaw", "&sample_rate=8000", "&interim_results=true"] {
        assert_eq!(status(&without(part)).0, 400, "{part}");
    }
    for part in ["&colour=red", "&endpointing=no", "&diarize=yes", "&model=nova-3"] {
        assert_eq!(status(&arrival(&format!("{LISTEN}{part}"))).0, 400, "{part}");
    }
    for (right, wrong) in
        [("nova-3", "whisper-9"), ("multi", "tlh"), ("mulaw", "ulaw"), ("8000", "11025"), ("=1000", "=10")]
    {
        assert_eq!(status(&arrival(&LISTEN.replacen(right, wrong, 1))).0, 400, "{wrong}");
    }
    let (code, body) = status(&Arrival::new("GET", LISTEN).upgrading());
    assert_eq!((code, &body["err_code"]), (401, &json!("INVALID_AUTH")));
    assert_eq!(
        status(&Arrival::new("GET", LISTEN).with_header("authorization", "Bearer test-key").upgrading()).0,
        401
    );
    assert_eq!(status(&arrival(&LISTEN.replace("/v1/listen", "/v1/hear"))).0, 404);
}

#[test]
fn text_becomes_audio_that_ends_with_flushed() {
    let seen = Seen::default();
    let mut play = opened(&mut DeepgramSpeak::new(Voice::default(), Pace::default(), &seen), &arrival(SPEAK));
    play.json(&json!({"type": "Speak", "text": "Hello there. "}));
    play.wait(Duration::from_secs(1));
    assert!(play.bytes().is_empty(), "audio without a Flush");
    play.json(&json!({"type": "Flush"}));
    play.wait(Duration::from_secs(1));
    let audio = MULAW_8K.decoded(&play.bytes());
    let lasts_ms = audio.len() as u64 / 8;
    assert!((700..1_000).contains(&lasts_ms) && rms(&audio) > 1_000.0, "{lasts_ms} ms");
    assert_eq!(play.texts_with("type", "Metadata").len(), 1);
    assert_eq!(play.texts().last().unwrap(), &json!({"type": "Flushed", "sequence_id": 0}));
    play.json(&json!({"type": "Close"}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed(), Some((1000, "")));
    assert_eq!(seen.complaints(), Vec::<String>::new());
}

#[test]
fn clear_takes_back_what_is_not_sent() {
    let seen = Seen::default();
    let mut play = opened(&mut DeepgramSpeak::new(Voice::default(), Pace::default(), &seen), &arrival(SPEAK));
    play.json(
        &json!({"type": "Speak", "text": "A very long sentence that nobody wants to hear to its end."}),
    );
    play.json(&json!({"type": "Flush"}));
    play.wait(Duration::from_millis(200));
    let before = play.bytes().len();
    play.json(&json!({"type": "Clear"}));
    play.wait(Duration::from_secs(5));
    assert_eq!((before > 0, play.bytes().len()), (true, before));
    assert_eq!(play.texts().last().unwrap()["type"], "Cleared");
    assert!(play.texts_with("type", "Flushed").is_empty());
}

#[test]
fn too_many_flushes_are_warned_of_and_complained_of() {
    let seen = Seen::default();
    let mut play = opened(&mut DeepgramSpeak::new(Voice::default(), Pace::default(), &seen), &arrival(SPEAK));
    for _ in 0..21 {
        play.json(&json!({"type": "Speak", "text": "a "}));
        play.json(&json!({"type": "Flush"}));
    }
    play.wait(Duration::from_secs(10));
    assert_eq!(play.texts_with("type", "Warning").len(), 1);
    assert_eq!((play.texts_with("type", "Flushed").len(), seen.complaints().len()), (20, 1));
}

#[test]
fn wrong_uses_of_the_synthesizer_are_refused() {
    let mut vendor = DeepgramSpeak::new(Voice::default(), Pace::default(), &Seen::default());
    for (right, wrong) in
        [("aura-2-thalia-en", "nova-3"), ("mulaw", "mp3"), ("8000", "24000"), ("&sample_rate=8000", "")]
    {
        assert_eq!(refused(&mut vendor, &arrival(&SPEAK.replacen(right, wrong, 1))).0, 400, "{wrong}");
    }
    assert_eq!(refused(&mut vendor, &Arrival::new("GET", SPEAK).upgrading()).0, 401);
    let wrong = [
        json!({"type": "Speak"}),
        json!({"type": "Speak", "text": "a", "voice": "b"}),
        json!({"type": "Stop"}),
    ];
    for message in wrong {
        let mut play = opened(&mut vendor, &arrival(SPEAK));
        play.json(&message);
        play.wait(Duration::from_millis(1));
        assert_eq!(play.closed(), Some((1008, "DATA-0000")), "{message}");
    }
    let mut play = opened(&mut vendor, &arrival(SPEAK));
    play.binary(&[1]);
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed(), Some((1008, "DATA-0000")));
}

const FLUX_SPEAK: &str =
    "wss://api.deepgram.com/v2/speak?model=flux-simulated-en&encoding=mulaw&sample_rate=8000";

fn flux(seen: &Seen) -> DeepgramFluxSpeak {
    DeepgramFluxSpeak::new(Voice::default(), Pace::default(), seen)
}

#[test]
fn flux_speaks_a_turn_as_it_is_written() {
    let seen = Seen::default();
    let mut play = opened(&mut flux(&seen), &arrival(FLUX_SPEAK));
    play.json(&json!({"type": "Speak", "text": "Hello there. "}));
    play.wait(Duration::from_secs(1));
    assert!(!play.bytes().is_empty(), "no audio before the end of the turn");
    play.json(&json!({"type": "Speak", "text": "How are you?"}));
    play.json(&json!({"type": "Flush"}));
    play.wait(Duration::from_secs(1));
    let audio = MULAW_8K.decoded(&play.bytes());
    let lasts_ms = audio.len() as u64 / 8;
    assert!((1_400..2_000).contains(&lasts_ms) && rms(&audio) > 1_000.0, "{lasts_ms} ms");
    let kinds: Vec<_> = play.texts().iter().map(|text| text["type"].clone()).collect();
    assert_eq!(kinds, ["Connected", "SpeechStarted", "SpeechMetadata", "Flushed"]);
    play.json(&json!({"type": "Close"}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed(), Some((1000, "")));
    assert_eq!(seen.complaints(), Vec::<String>::new());
}

#[test]
fn an_interruption_takes_back_the_turn_of_flux() {
    let seen = Seen::default();
    let mut play = opened(&mut flux(&seen), &arrival(FLUX_SPEAK));
    play.json(
        &json!({"type": "Speak", "text": "A very long sentence that nobody wants to hear to its end."}),
    );
    play.json(&json!({"type": "Flush"}));
    play.wait(Duration::from_millis(200));
    let before = play.bytes().len();
    play.json(&json!({"type": "Interrupt", "playback_offset": {"type": "time_ms", "value": 40}}));
    play.wait(Duration::from_secs(5));
    assert_eq!((before > 0, play.bytes().len()), (true, before));
    let last = play.texts().last().unwrap().clone();
    assert_eq!((&last["type"], &last["audio_played_ms"]), (&json!("SpeechInterrupted"), &json!(40)));
    assert!(play.texts_with("type", "Flushed").is_empty());
    play.json(&json!({"type": "Interrupt"}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.texts().last().unwrap()["type"], "Warning", "nothing is spoken");
    assert_eq!(seen.complaints(), Vec::<String>::new());
}

#[test]
fn wrong_uses_of_flux_for_speech_are_refused() {
    let mut vendor = flux(&Seen::default());
    for (right, wrong) in [
        ("flux-simulated-en", "aura-2-thalia-en"),
        ("model=flux-simulated-en&", ""),
        ("mulaw", "mp3"),
        ("8000", "24000"),
        ("&sample_rate", "&speed"),
    ] {
        assert_eq!(refused(&mut vendor, &arrival(&FLUX_SPEAK.replacen(right, wrong, 1))).0, 400, "{wrong}");
    }
    assert_eq!(refused(&mut vendor, &Arrival::new("GET", FLUX_SPEAK).upgrading()).0, 401);
    let wrong = [
        json!({"type": "Speak"}),
        json!({"type": "Speak", "text": ""}),
        json!({"type": "Clear"}),
        json!({"type": "Interrupt", "playback_offset": 40}),
    ];
    for message in wrong {
        let mut play = opened(&mut vendor, &arrival(FLUX_SPEAK));
        play.json(&message);
        play.wait(Duration::from_millis(1));
        assert_eq!(play.closed(), Some((1008, "DATA-0000")), "{message}");
    }
}
