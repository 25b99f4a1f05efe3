//! Every provider is asked, over real sockets: vendors that take nothing wrong have nothing to complain of, and what fails is told.

mod realtime;

use std::ffi::OsString;

use caly_vendors::assemblyai::AssemblyAi;
use caly_vendors::cartesia::Cartesia;
use caly_vendors::deepgram_flux::DeepgramFlux;
use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::elevenlabs_contexts::ElevenLabsContexts;
use caly_vendors::elevenlabs_scribe::ElevenLabsScribe;
use caly_vendors::faults::{Fault as Played, Faults, When};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::openai_files::OpenAiFiles;
use caly_vendors::openai_speech::{ElevenLabsStream, OpenAiSpeech};
use caly_vendors::openai_transcription::OpenAiTranscription;
use caly_vendors::sarvam_listen::SarvamListen;
use caly_vendors::sarvam_speak::SarvamSpeak;
use caly_vendors::seen::{Seen, SeenFrame};
use caly_vendors::sockets::{Authority, Server};
use caly_vendors::stage::{Body, Paths, Stage};
use caly_vendors::strict::KEY;
use caly_vendors::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Vendor};
use caly_vendors::voice::{MULAW_8K, Pace, Voice};

use super::*;
use crate::config::CaFile;

fn environment(name: &str) -> Option<OsString> {
    match name {
        "KEY" => Some(KEY.into()),
        "BAD_KEY" => Some("sk-of-somebody-else".into()),
        _ => None,
    }
}

/// `HTTP` and `WS` stand for the server.
fn config(text: &str, server: &Server) -> Config {
    let text = text.replace("HTTP", &server.http_base()).replace("WS", &server.websocket_base());
    let config = Config::parse_in(&environment, "caly.toml", &text, &[]);
    config.unwrap_or_else(|faults| panic!("{faults}"))
}

/// Asks, and prints as `caly check` does, but for the times.
async fn lines(config: &Config, within: Duration) -> Vec<String> {
    let reports = ask_providers(config, within).await.unwrap();
    reports.iter().map(|report| timeless(&report.to_string())).collect()
}

fn timeless(line: &str) -> String {
    match line.split_once(" after ") {
        Some((before, rest)) => {
            format!("{before} after N{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}

/// All vendors of this crate's tests at one address.
fn everybody(seen: &Seen) -> Paths {
    let (script, manner, voice, pace) =
        (Script::new([]), Manner::default(), Voice::default(), Pace::default());
    let model = || Model::new([Rule::always().say("OK.")], TokenPace::default());
    Paths::default()
        .with("/v1/listen", DeepgramListen::new(&script, manner, seen))
        .with("/v2/listen", DeepgramFlux::new(&script, manner, seen))
        .with("/v1/realtime", OpenAiTranscription::new(&script, manner, seen))
        .with("/speech-to-text-realtime", SarvamListen::new(&script, manner, seen))
        .with("/v1/speech-to-text", ElevenLabsScribe::new(&script, manner, seen))
        .with("/v3/ws", AssemblyAi::new(&script, manner, seen))
        .with("/v1/audio/transcriptions", OpenAiFiles::new(&script, manner, Dialect::OpenAi))
        .with("/v1/chat", OpenAiChat::new(model(), Dialect::OpenAi))
        .with("/v1/messages", caly_vendors::anthropic::Anthropic::new(model()))
        .with("/v1/speak", DeepgramSpeak::new(voice, pace, seen))
        .with("/tts/websocket", Cartesia::new(voice, pace, seen))
        .with("/v1/text-to-speech/streamed", ElevenLabsContexts::new(voice, pace, seen))
        .with("/v1/text-to-speech/asked", ElevenLabsStream::new(voice, pace))
        .with("/v1/audio/speech", OpenAiSpeech::new(voice, pace))
        .with("/text-to-speech/ws", SarvamSpeak::new(voice, pace, "target_language_code", seen))
}

const EVERYBODY: &str = r#"
asr.deepgram = { kind = "deepgram", key_env = "KEY", url = "WS" }
asr.flux = { kind = "deepgram-flux", key_env = "KEY", url = "WS" }
asr.openai = { kind = "openai", key_env = "KEY", url = "WS/v1" }
asr.sarvam = { kind = "sarvam", key_env = "KEY", url = "WS" }
asr.elevenlabs = { kind = "elevenlabs", key_env = "KEY", url = "WS" }
asr.assemblyai = { kind = "assemblyai", key_env = "KEY", url = "WS" }
asr.whisper = { kind = "whisper", key_env = "KEY", url = "HTTP/v1", model = "whisper-1" }
llm.gpt = { kind = "openai", key_env = "KEY", url = "HTTP/v1", model = "gpt-4o-mini" }
llm.claude = { kind = "anthropic", key_env = "KEY", url = "HTTP", model = "claude-haiku-4-5" }
tts.aura = { kind = "deepgram", key_env = "KEY", url = "WS", models = { "*" = "aura-2-thalia-en" } }
tts.cartesia = { kind = "cartesia", key_env = "KEY", url = "WS", voices = { "*" = "v" } }
tts.elevenlabs = { kind = "elevenlabs", key_env = "KEY", url = "WS", voices = { "*" = "streamed" } }
tts.elevenlabs-http = { kind = "elevenlabs-http", key_env = "KEY", url = "HTTP", voices = { "*" = "asked" } }
tts.openai = { kind = "openai", key_env = "KEY", url = "HTTP/v1", model = "tts-1", voices = { "*" = "nova" } }
tts.sarvam = { kind = "sarvam", key_env = "KEY", url = "WS", speakers = { "*" = "anushka" } }
"#;

#[tokio::test]
async fn whoever_is_well_is_asked_as_a_call_would_ask() {
    let seen = Seen::default();
    let server = Server::start(Stage::new(everybody(&seen), &seen)).await.unwrap();
    let lines = lines(&config(EVERYBODY, &server), PATIENT).await;
    let expected = [
        "asr.assemblyai: ready after N ms, assemblyai universal-streaming-multilingual, mulaw 8000 Hz, request simulated",
        "asr.deepgram: ready after N ms, deepgram nova-3, mulaw 8000 Hz, request dg-1",
        "asr.elevenlabs: ready after N ms, elevenlabs scribe_v2_realtime, mulaw 8000 Hz, request simulated",
        "asr.flux: ready after N ms, deepgram-flux flux-general-multi, mulaw 8000 Hz, request flux-1",
        "asr.openai: ready after N ms, openai gpt-live-transcribe, mulaw 8000 Hz, request sess_1",
        "asr.sarvam: ready after N ms, sarvam saaras:v3-realtime, mulaw 8000 Hz, request simulated",
        "asr.whisper: answered after N ms, whisper whisper-1, linear16 8000 Hz",
        "llm.claude: answered after N ms, anthropic claude-haiku-4-5, request req_1",
        "llm.gpt: answered after N ms, openai gpt-4o-mini, request req-1",
        "tts.aura: first sound after N ms, deepgram aura-2-thalia-en, 1414 ms of mulaw 8000 Hz, request dg-tts-1",
        "tts.cartesia: first sound after N ms, cartesia sonic-3.5, 1520 ms of mulaw 8000 Hz",
        "tts.elevenlabs: first sound after N ms, elevenlabs eleven_flash_v2_5, 1520 ms of mulaw 8000 Hz",
        "tts.elevenlabs-http: first sound after N ms, elevenlabs-http eleven_flash_v2_5, 1414 ms of mulaw 8000 Hz",
        "tts.openai: first sound after N ms, openai tts-1, 1440 ms of linear16 24000 Hz",
        "tts.sarvam: first sound after N ms, sarvam bulbul:v3, 1414 ms of mulaw 8000 Hz",
    ];
    assert_eq!(lines, expected);
    assert_eq!(seen.complaints(), [""; 0]);
    assert_eq!(seen.arrivals(), 15, "each is asked once");
    let record = seen.record();
    let deepgram = record.arrivals.iter().position(|(_, arrival)| arrival.path == "/v1/listen").unwrap();
    let sent = |frame: &&SeenFrame| frame.arrival == deepgram;
    let (mut audio_bytes, mut texts) = (0, Vec::new());
    for seen in record.frames.iter().filter(sent) {
        match &seen.frame {
            Frame::Binary(bytes) => audio_bytes += bytes.len(),
            Frame::Text(text) => texts.push(text.as_str()),
        }
    }
    assert_eq!((audio_bytes, texts.as_slice()), (2_400, [r#"{"type":"CloseStream"}"#].as_slice()));
}

const THREE: &str = r#"
asr.ears = { kind = "deepgram", key_env = "KEY", url = "WS" }
llm.brain = { kind = "openai", key_env = "KEY", url = "HTTP/v1", model = "gpt-4o-mini" }
tts.mouth = { kind = "deepgram", key_env = "KEY", url = "WS", models = { "*" = "aura-2-thalia-en" } }
"#;

#[tokio::test]
async fn a_wrong_key_is_told_and_not_shown() {
    let seen = Seen::default();
    let server = Server::start(Stage::new(everybody(&seen), &seen)).await.unwrap();
    let config = config(&THREE.replace("\"KEY\"", "\"BAD_KEY\""), &server);
    let expected = [
        r#"asr.ears: unauthorized: status 401: {"err_code":"INVALID_AUTH","err_msg":"Invalid credentials.","request_id":"dg-1"}, request dg-1; check the key, what it may do, and the account's balance"#,
        r#"llm.brain: unauthorized: status 401: {"error":{"code":"invalid_api_key","message":"Incorrect API key provided.","param":"","type":"invalid_request_error"}}; check the key, what it may do, and the account's balance"#,
        r#"tts.mouth: unauthorized: status 401: {"err_code":"INVALID_AUTH","err_msg":"Invalid credentials.","request_id":"dg-tts-1"}; check the key, what it may do, and the account's balance"#,
    ];
    assert_eq!(lines(&config, PATIENT).await, expected);
    let server = Server::start(Tattler).await.unwrap();
    let config = self::config(&THREE.replace("\"KEY\"", "\"BAD_KEY\""), &server);
    let reports = serde_json::to_string(&ask_providers(&config, PATIENT).await.unwrap()).unwrap();
    assert_eq!(reports.matches("no such key: ").count(), 3, "{reports}");
    assert!(!reports.contains("somebody"), "{reports}");
}

/// Tells the key that it refuses.
struct Tattler;

impl Vendor for Tattler {
    fn open(&mut self, _now: Duration, arrival: &Arrival) -> Answer {
        let body = format!("no such key:\n{}", arrival.header("authorization").unwrap_or_default());
        Answer::Refuse(Refusal { status: 401, headers: Vec::new(), body })
    }
}

#[tokio::test]
async fn what_the_provider_does_not_have_is_told() {
    let seen = Seen::default();
    let server = Server::start(Stage::new(everybody(&seen), &seen)).await.unwrap();
    let text = THREE.replace("gpt-4o-mini", "gpt-0").replace("WS\" }", "WS\", model = \"nova-0\" }");
    let text = text.replace("aura-2-thalia-en", "nobody");
    let expected = [
        r#"asr.ears: refused: status 400: {"err_code":"Bad Request","err_msg":"No such model: nova-0","request_id":"dg-1"}, request dg-1; check the settings that the provider complains of"#,
        r#"llm.brain: not_found: status 404: {"error":{"code":"model_not_found","message":"The model `gpt-0` does not exist or you do not have access to it.","param":"model","type":"invalid_request_error"}}; check `model`, `voice` and `url`: the provider has none of that name"#,
        r#"tts.mouth: refused: status 400: {"err_code":"Bad Request","err_msg":"No such model/voice: nobody","request_id":"dg-tts-1"}; check the settings that the provider complains of"#,
    ];
    assert_eq!(lines(&config(&text, &server), PATIENT).await, expected);
}

#[tokio::test]
async fn who_cannot_be_reached_is_told() {
    let seen = Seen::default();
    let server = Server::start(Stage::new(everybody(&seen), &seen)).await.unwrap();
    let config = config(THREE, &server);
    drop(server);
    let lines = lines(&config, PATIENT).await;
    assert_eq!(lines.len(), 3);
    for (line, name) in lines.iter().zip(["asr.ears", "llm.brain", "tts.mouth"]) {
        let begins = format!("{name}: connect: no connection: ");
        let ends = "; check that `url` can be reached from this machine: address, port, firewall";
        assert!(line.starts_with(&begins) && line.ends_with(ends), "{line}");
    }
}

#[tokio::test]
async fn an_authority_is_trusted_if_the_configuration_says_so() {
    let (seen, authority) = (Seen::default(), Authority::new().unwrap());
    let server = Server::start_tls(Stage::new(everybody(&seen), &seen), &authority).await.unwrap();
    let mut config = config(THREE, &server);
    for report in ask_providers(&config, PATIENT).await.unwrap() {
        assert_eq!(report.fault, Some("tls"), "{report}");
        assert!(
            report.detail.contains("is from an unknown issuer")
                && report.advice.unwrap().contains("`ca_file`"),
            "{report}"
        );
    }
    config.providers.ca = Some(CaFile { path: "ca.pem".to_owned(), pem: authority.pem().into() });
    for report in ask_providers(&config, PATIENT).await.unwrap() {
        assert!(report.is_ok, "{report}");
    }
    config.providers.ca = Some(CaFile { path: "ca.pem".to_owned(), pem: b"none".to_vec() });
    assert!(ask_providers(&config, PATIENT).await.is_err());
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_the_deadline() {
    let seen = Seen::default();
    let stalls = Faults::default().with(When::From(1), Played::NoAnswer);
    let server = Server::start(Stage::new(everybody(&seen), &seen).with_faults(stalls)).await.unwrap();
    let lines = lines(&config(THREE, &server), Duration::from_millis(300)).await;
    let advice =
        "the provider is slow; choose a nearer region or a faster model, or put a second provider behind it";
    let expected = ["asr.ears", "llm.brain", "tts.mouth"]
        .map(|name| format!("{name}: timeout: not done within 300 ms; {advice}"));
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn wrong_audio_is_told() {
    let seen = Seen::default();
    let files = Faults::default().with(When::From(1), Played::WrongAudio);
    let speak = DeepgramSpeak::new(Voice::default(), Pace::default(), &seen);
    let server = Server::start(Stage::new(speak, &seen).with_faults(files)).await.unwrap();
    let mouth = THREE.lines().last().unwrap();
    let lines = lines(&config(mouth, &server), PATIENT).await;
    let expected = [
        "tts.mouth: wrong_audio: a compressed file where plain audio was asked for, request dg-tts-1; the provider sends audio of another format than it was asked for; check `model` and `format`",
    ];
    assert_eq!(lines, expected);
}

/// Speaks as telephones do, whatever it is asked for.
struct Telephone;

impl Vendor for Telephone {
    fn open(&mut self, now: Duration, _arrival: &Arrival) -> Answer {
        let spoken = Voice::default().speak("Hello, this is a test.", 8_000);
        let mut body = Outbox::default();
        body.at(now, Action::Send(Frame::Binary(MULAW_8K.encoded(&spoken.samples))));
        body.at(now, Action::End);
        Answer::Respond(Vec::new(), Box::new(Body(body)))
    }
}

#[tokio::test]
async fn plain_audio_of_another_format_is_told() {
    let server = Server::start(Telephone).await.unwrap();
    let mouth = EVERYBODY.lines().find(|line| line.starts_with("tts.openai")).unwrap();
    let expected = "tts.mouth: wrong_audio: read as linear16 24000 Hz, a sentence of five words lasts 235 ms; the provider \
        sends audio of another format than it was asked for; check `model` and `format`";
    let lines = lines(&config(&mouth.replace("tts.openai", "tts.mouth"), &server), PATIENT).await;
    assert_eq!(lines, [expected]);
}

#[test]
fn what_a_provider_says_stays_short_and_on_one_line() {
    let subject =
        Subject { hop: "llm", name: "a".to_owned(), kind: "openai", model: String::new(), key: None };
    let fault = Fault::new(FaultKind::Refused, format!("{{\n  \"why\":\t\"\x1b[2J{}\"", "ä".repeat(400)));
    let report = subject.report(Duration::from_millis(7), Err(fault));
    assert!(report.detail.starts_with("{ \"why\": \"\u{fffd}[2Jä") && report.detail.len() > 800);
    let line = report.to_string();
    assert!(line.ends_with("ä...; check the settings that the provider complains of"), "{line}");
    assert!(line.len() < 400 && report.took_ms == 7, "{line}");
}

/// Longer than any of this takes.
const PATIENT: Duration = Duration::from_secs(10);
