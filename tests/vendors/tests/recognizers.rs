//! The recognizers beside Deepgram's first take what the real ones take, and refuse the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod drive;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use caly_vendors::assemblyai::AssemblyAi;
use caly_vendors::audio::wav;
use caly_vendors::deepgram_flux::DeepgramFlux;
use caly_vendors::elevenlabs_scribe::ElevenLabsScribe;
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::openai_chat::Dialect;
use caly_vendors::openai_files::OpenAiFiles;
use caly_vendors::openai_transcription::OpenAiTranscription;
use caly_vendors::sarvam_listen::SarvamListen;
use caly_vendors::seen::Seen;
use caly_vendors::vendor::{Arrival, Frame, Vendor};
use caly_vendors::voice::{MULAW_8K, caller};
use drive::{Play, opened, refused};
use serde_json::{Value, json};

const LINES: [&str; 2] = ["Mera order kahan hai?", "haan"];
const FLUX: &str = "wss://api.deepgram.com/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000";
const ASSEMBLY: &str = "wss://streaming.assemblyai.com/v3/ws?speech_model=universal-streaming-english&sample_rate=8000\
    &encoding=pcm_mulaw&format_turns=true";
const SARVAM: &str = "wss://api.sarvam.ai/speech-to-text-realtime/ws?language_code=hi-IN&model=saaras:v3-realtime\
    &stream_type=balanced&mode=codemix&endpointing=vad&encoding=mulaw&sample_rate=8000";
const SCRIBE: &str = "wss://api.elevenlabs.io/v1/speech-to-text/realtime?model_id=scribe_v2_realtime\
    &audio_format=ulaw_8000&commit_strategy=vad&vad_silence_threshold_secs=0.5&include_timestamps=true";
const OPENAI: &str = "wss://api.openai.com/v1/realtime?intent=transcription";

fn arrival(url: &str, name: &str, key: &str) -> Arrival {
    Arrival::new("GET", url).with_header(name, key).upgrading()
}

fn script() -> Script {
    Script::new(LINES)
}

fn raw(piece: &[u8]) -> Frame {
    Frame::Binary(piece.to_vec())
}

fn speech() -> Vec<u8> {
    caller(MULAW_8K, &LINES, Duration::from_millis(900))
}

fn say(play: &mut Play, message: impl Fn(&[u8]) -> Frame) {
    play.audio(&speech(), 8_000, message);
    play.wait(Duration::from_millis(300));
}

fn all(texts: &[Value], name: &str) -> Vec<String> {
    texts.iter().map(|text| text[name].as_str().unwrap().to_owned()).collect()
}

/// Each of these changes of a URL is refused with this status.
fn wrong(vendor: &mut dyn Vendor, right: &Arrival, status: u16, changes: &[(&str, &str)]) {
    for (name, value) in changes {
        let mut arrival = right.clone();
        arrival.query.retain(|(is, _)| is != name);
        if !value.is_empty() {
            arrival.query.push(((*name).to_owned(), (*value).to_owned()));
        }
        assert_eq!(refused(vendor, &arrival).0, status, "{name}={value}");
    }
    assert!([401, 403].contains(&refused(vendor, &Arrival { headers: Vec::new(), ..right.clone() }).0));
    assert_eq!(refused(vendor, &Arrival { path: "/else".to_owned(), ..right.clone() }).0, 404);
}

#[test]
fn flux_tells_turns_and_eager_ends() {
    let seen = Seen::default();
    let right = arrival(FLUX, "authorization", "Token test-key");
    let manner = Manner { silence: Duration::from_millis(600), ..Manner::default() };
    let mut vendor = DeepgramFlux::new(&script(), manner, &seen);
    let mut play = opened(
        &mut vendor,
        &arrival(&format!("{FLUX}&eager_eot_threshold=0.4"), "authorization", "Token test-key"),
    );
    say(&mut play, raw);
    assert_eq!(all(&play.texts_with("event", "EndOfTurn"), "transcript"), LINES);
    assert_eq!(all(&play.texts_with("event", "EagerEndOfTurn"), "transcript"), LINES);
    assert_eq!(play.texts_with("event", "StartOfTurn").len(), 2);
    assert_eq!(play.texts_with("event", "EndOfTurn")[1]["turn_index"], 1);
    assert_eq!((play.texts_with("type", "Connected").len(), seen.complaints()), (1, Vec::new()));
    play.json(&json!({"type": "KeepAlive"}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed().unwrap().0, 1008);
    wrong(
        &mut vendor,
        &right,
        400,
        &[
            ("model", ""),
            ("model", "nova-3"),
            ("encoding", ""),
            ("sample_rate", ""),
            ("language", "hi"),
            ("eot_threshold", "0.4"),
            ("eager_eot_threshold", "0.8"),
            ("eot_timeout_ms", "100"),
            ("language_hint", "hi"),
        ],
    );
}

#[test]
fn a_flux_turn_resumes_after_an_eager_end_and_is_forced() {
    let seen = Seen::default();
    let manner = Manner { silence: Duration::from_secs(2), ..Manner::default() };
    let url = format!("{FLUX}&eager_eot_threshold=0.4");
    let mut vendor = DeepgramFlux::new(&Script::new(["ek do teen"]), manner, &seen);
    let mut play = opened(&mut vendor, &arrival(&url, "authorization", "Token test-key"));
    play.audio(&caller(MULAW_8K, &["ek do", "teen"], Duration::from_millis(500)), 8_000, raw);
    play.json(&json!({"type": "ForceEndTurn"}));
    play.wait(Duration::from_millis(300));
    assert_eq!(play.texts_with("event", "TurnResumed").len(), 1);
    let ends = play.texts_with("event", "EndOfTurn");
    assert_eq!((ends.len(), &ends[0]["trigger"]), (1, &json!("forced")));
    play.wait(Duration::from_secs(10));
    assert_eq!(play.closed(), Some((1011, "NET-0001")));
}

#[test]
fn assemblyai_formats_turns_and_terminates() {
    let seen = Seen::default();
    let mut vendor = AssemblyAi::new(&script(), Manner::default(), &seen);
    let right = arrival(ASSEMBLY, "authorization", "test-key");
    let mut play = opened(&mut vendor, &right);
    for piece in speech().chunks(400) {
        play.wait(Duration::from_millis(50));
        if piece.len() == 400 {
            play.binary(piece);
        }
    }
    play.wait(Duration::from_millis(300));
    let formatted = play.texts_with("turn_is_formatted", true);
    assert_eq!(all(&formatted, "transcript"), LINES);
    assert_eq!(play.texts_with("end_of_turn", true)[0]["transcript"], "mera order kahan hai");
    play.json(&json!({"type": "Terminate"}));
    play.wait(Duration::from_secs(1));
    assert_eq!((play.texts_with("type", "Termination").len(), play.closed()), (1, Some((1000, ""))));
    assert_eq!(seen.complaints(), Vec::<String>::new());
    wrong(
        &mut vendor,
        &right,
        400,
        &[
            ("speech_model", ""),
            ("speech_model", "best"),
            ("sample_rate", ""),
            ("encoding", "mulaw"),
            ("model", "x"),
        ],
    );
    assert_eq!(refused(&mut vendor, &arrival(ASSEMBLY, "authorization", "Bearer test-key")).0, 401);
    for (code, send) in [(3_007, 160_usize), (3_007, 16_000)] {
        let mut play = opened(&mut vendor, &right);
        play.binary(&vec![0xff; send]);
        play.wait(Duration::from_millis(1));
        assert_eq!(play.closed().unwrap().0, code);
    }
    let mut play = opened(&mut vendor, &right);
    (0..7).for_each(|_| play.binary(&[0xff; 8_000]));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed().unwrap().0, 4_029);
}

#[test]
fn sarvam_tells_partials_and_finals() {
    let seen = Seen::default();
    let mut vendor = SarvamListen::new(&script(), Manner::default(), &seen);
    let right = arrival(SARVAM, "api-subscription-key", "test-key");
    let mut play = opened(&mut vendor, &right);
    say(&mut play, |piece| Frame::json(&json!({"event": "audio_input", "audio": BASE64.encode(piece)})));
    assert_eq!(all(&play.texts_with("event", "transcript.final"), "text"), LINES);
    assert!(play.texts_with("event", "transcript.partial").len() >= 3);
    assert_eq!(play.texts_with("event", "vad.speech_start").len(), 2);
    play.json(&json!({"event": "end"}));
    play.wait(Duration::from_secs(1));
    assert_eq!((play.texts_with("event", "session.end").len(), seen.complaints()), (1, Vec::new()));
    wrong(
        &mut vendor,
        &right,
        400,
        &[
            ("language_code", ""),
            ("language_code", "od-IN"),
            ("model", "saaras:v2"),
            ("mode", "fast"),
            ("encoding", "pcm_s16"),
            ("sample_rate", "44100"),
            ("language-code", "hi-IN"),
        ],
    );
    let mut play = opened(&mut vendor, &right);
    play.json(&json!({"event": "speech_end"}));
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed().unwrap().0, 1003);
}

#[test]
fn scribe_commits_by_silence_and_by_hand() {
    let seen = Seen::default();
    let mut vendor = ElevenLabsScribe::new(&script(), Manner::default(), &seen);
    let right = arrival(SCRIBE, "xi-api-key", "test-key");
    let chunk = |piece: &[u8]| {
        Frame::json(
            &json!({"message_type": "input_audio_chunk", "audio_base_64": BASE64.encode(piece), "sample_rate": 8_000}),
        )
    };
    let mut play = opened(&mut vendor, &right);
    say(&mut play, chunk);
    let kind = "committed_transcript_with_timestamps";
    assert_eq!(all(&play.texts_with("message_type", kind), "text"), LINES);
    assert_eq!(seen.complaints(), Vec::<String>::new());
    let manual = SCRIBE.replace("=vad&vad_silence_threshold_secs=0.5", "=manual");
    let mut vendor = ElevenLabsScribe::new(&Script::new(["haan ji"]), Manner::default(), &seen);
    let mut play = opened(&mut vendor, &arrival(&manual, "xi-api-key", "test-key"));
    let commit = json!({"message_type": "input_audio_chunk", "audio_base_64": "", "commit": true});
    say(&mut play, chunk);
    assert!(play.texts_with("message_type", "committed_transcript").is_empty());
    play.json(&commit);
    play.json(&commit);
    play.wait(Duration::from_secs(1));
    assert_eq!(all(&play.texts_with("message_type", "committed_transcript"), "text"), ["haan ji"]);
    assert_eq!((play.texts_with("message_type", "commit_throttled").len(), seen.complaints().len()), (1, 1));
    play.binary(&[1, 2]);
    play.wait(Duration::from_millis(1));
    assert_eq!(play.closed(), Some((1008, "input_error")));
    wrong(
        &mut vendor,
        &right,
        400,
        &[
            ("model_id", ""),
            ("model_id", "scribe_v1"),
            ("audio_format", "mulaw_8000"),
            ("vad_silence_threshold_secs", "9"),
            ("language", "hi"),
        ],
    );
}

fn append(piece: &[u8]) -> Frame {
    Frame::json(&json!({"type": "input_audio_buffer.append", "audio": BASE64.encode(piece)}))
}

fn update(detection: &Value) -> Value {
    let transcription = json!({"model": "gpt-transcribe", "language": "hi"});
    let input = json!({"format": {"type": "audio/pcmu"}, "transcription": transcription, "turn_detection": detection});
    json!({"type": "session.update", "session": {"type": "transcription", "audio": {"input": input}}})
}

#[test]
fn openai_transcribes_turns_and_commits() {
    let seen = Seen::default();
    let right = arrival(OPENAI, "authorization", "Bearer test-key");
    let kind = "conversation.item.input_audio_transcription.completed";
    let mut vendor = OpenAiTranscription::new(&script(), Manner::default(), &seen);
    let mut play = opened(&mut vendor, &right);
    play.json(&update(&json!({"type": "server_vad", "silence_duration_ms": 400})));
    say(&mut play, append);
    assert_eq!(all(&play.texts_with("type", kind), "transcript"), LINES);
    assert_eq!(play.texts_with("type", "input_audio_buffer.speech_started").len(), 2);
    let deltas = play.texts_with("type", kind.replace("completed", "delta"));
    assert_eq!(all(&deltas, "delta").concat(), LINES.concat());

    let mut vendor = OpenAiTranscription::new(&Script::new(["haan ji"]), Manner::default(), &seen);
    let mut play = opened(&mut vendor, &right);
    play.json(&update(&Value::Null));
    say(&mut play, append);
    play.json(&json!({"type": "input_audio_buffer.commit"}));
    play.wait(Duration::from_secs(1));
    assert_eq!(all(&play.texts_with("type", kind), "transcript"), ["haan ji"]);
    assert_eq!(seen.complaints(), Vec::<String>::new());
    play.json(&json!({"type": "input_audio_buffer.commit", "event_id": "e9"}));
    play.wait(Duration::from_millis(1));
    let error = &play.texts_with("type", "error")[0]["error"];
    assert_eq!(
        (&error["code"], &error["event_id"]),
        (&json!("input_audio_buffer_commit_empty"), &json!("e9"))
    );
    assert_eq!(play.closed(), None);
    wrong(
        &mut vendor,
        &right,
        400,
        &[("intent", ""), ("intent", "conversation"), ("model", "gpt-transcribe")],
    );
    assert_eq!(refused(&mut vendor, &right.clone().with_header("OpenAI-Beta", "realtime=v1")).0, 400);
}

#[test]
fn openai_refuses_wrong_sessions_in_words() {
    let right = arrival(OPENAI, "authorization", "Bearer test-key");
    let change = |pointer: &str, value: Value| {
        let mut message = update(&json!({"type": "server_vad"}));
        let (above, name) = pointer.rsplit_once('/').unwrap();
        message.pointer_mut(above).unwrap()[name] = value;
        message
    };
    for message in [
        change("/session/type", json!("realtime")),
        change("/session/input_audio_format", json!("g711_ulaw")),
        change("/session/audio/input/format", json!({"type": "audio/pcm", "rate": 16_000})),
        change("/session/audio/input/format", json!({"type": "audio/pcmu", "rate": 8_000})),
        change("/session/audio/input/transcription/model", json!("nova-3")),
        change("/session/audio/input/transcription/model", json!("gpt-realtime-whisper")),
        change("/session/audio/input/transcription/delay", json!("low")),
        change("/session/audio/input/transcription/language", json!("hi-IN")),
        change("/session/audio/input/turn_detection", json!({"type": "vad"})),
        json!({"type": "transcription_session.update"}),
    ] {
        let seen = Seen::default();
        let mut play = opened(&mut OpenAiTranscription::new(&script(), Manner::default(), &seen), &right);
        play.json(&message);
        play.wait(Duration::from_millis(1));
        assert_eq!((play.texts_with("type", "error").len(), seen.complaints().len()), (1, 1), "{message}");
        assert!(play.texts_with("type", "session.updated").is_empty(), "{message}");
    }
}

fn form(file: &[u8], fields: &[(&str, &str)]) -> Arrival {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .into_bytes(),
        );
    }
    let head = "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n";
    body.extend([head.as_bytes(), file, b"\r\n--b0--\r\n"].concat());
    let arrival = Arrival::new("POST", "https://api.openai.com/v1/audio/transcriptions");
    let arrival = arrival.with_header("authorization", "Bearer test-key");
    Arrival { body, ..arrival.with_header("content-type", "multipart/form-data; boundary=b0") }
}

#[test]
fn files_have_the_words_of_their_window() {
    let mut vendor = OpenAiFiles::new(&script(), Manner::default(), Dialect::OpenAi);
    let samples = MULAW_8K.decoded(&speech());
    let mut heard = |to: usize, shape: &str| {
        let fields = [("model", "gpt-transcribe"), ("response_format", shape)];
        let mut play = opened(&mut vendor, &form(&wav(8_000, &samples[..to]), &fields));
        play.wait(Duration::from_secs(1));
        String::from_utf8(play.bytes()).unwrap()
    };
    assert_eq!(heard(8_000 * 17 / 10, "text"), "Mera order\n");
    let whole: Value = serde_json::from_str(&heard(samples.len(), "json")).unwrap();
    assert_eq!(whole["text"], "Mera order kahan hai? haan");
}

#[test]
fn wrong_files_are_refused() {
    let mut vendor = OpenAiFiles::new(&script(), Manner::default(), Dialect::OpenAi);
    let file = wav(8_000, &[0; 8_000]);
    let model = ("model", "gpt-transcribe");
    for (what, arrival) in [
        ("no model", form(&file, &[])),
        ("an unknown model", form(&file, &[("model", "nova-3")])),
        ("an unknown field", form(&file, &[model, ("colour", "red")])),
        ("a region", form(&file, &[model, ("language", "hi-IN")])),
        ("no WAV", form(b"ID3", &[model])),
        ("too short", form(&wav(8_000, &[0; 80]), &[model])),
        (
            "no form",
            Arrival {
                headers: vec![("authorization".to_owned(), "Bearer test-key".to_owned())],
                ..form(&file, &[model])
            },
        ),
        ("no file", Arrival { body: b"--b0--\r\n".to_vec(), ..form(&file, &[model]) }),
        (
            "cut",
            Arrival {
                body: b"--b0\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx".to_vec(),
                ..form(&file, &[])
            },
        ),
    ] {
        assert_eq!(refused(&mut vendor, &arrival).0, 400, "{what}");
    }
    let mut keyless = form(&file, &[model]);
    keyless.headers.remove(0);
    assert_eq!(refused(&mut vendor, &keyless).0, 401);
}
