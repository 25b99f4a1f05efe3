//! Who plays whom: every kind of provider, the lines of configuration that name it, and the simulated vendor that it then meets.

use caly_vendors::anthropic::Anthropic;
use caly_vendors::assemblyai::AssemblyAi;
use caly_vendors::audio;
use caly_vendors::cartesia::Cartesia;
use caly_vendors::deepgram_flux::DeepgramFlux;
use caly_vendors::deepgram_flux_speak::DeepgramFluxSpeak;
use caly_vendors::deepgram_listen::DeepgramListen;
use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::elevenlabs_contexts::ElevenLabsContexts;
use caly_vendors::elevenlabs_scribe::ElevenLabsScribe;
use caly_vendors::faults::Fault;
use caly_vendors::gemini_live::GeminiLive;
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::in_process::Program;
use caly_vendors::model::Model;
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::openai_files::OpenAiFiles;
use caly_vendors::openai_realtime::OpenAiRealtime;
use caly_vendors::openai_speech::{ElevenLabsStream, OpenAiSpeech};
use caly_vendors::openai_transcription::OpenAiTranscription;
use caly_vendors::sarvam_listen::SarvamListen;
use caly_vendors::sarvam_speak::SarvamSpeak;
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use caly_vendors::voice::{Pace, Voice};

/// Who listens, by `kind` in the configuration.
pub(crate) const RECOGNIZERS: [&str; 7] =
    ["deepgram", "deepgram-flux", "openai", "elevenlabs", "sarvam", "assemblyai", "whisper"];
/// Who thinks.
pub(crate) const MODELS: [&str; 2] = ["openai", "anthropic"];
/// Who speaks.
pub(crate) const SYNTHESIZERS: [&str; 8] =
    ["deepgram", "deepgram-flux", "elevenlabs", "elevenlabs-http", "cartesia", "sarvam", "openai", "espeak"];

/// All of them, by the place of their hop in a call: who listens, who thinks, who speaks.
pub(crate) const KINDS: [&[&str]; 3] = [&RECOGNIZERS, &MODELS, &SYNTHESIZERS];

/// The hops' words in a configuration.
pub(crate) const HOPS: [&str; 3] = ["asr", "llm", "tts"];

/// The table of a provider in a configuration. `http` and `websocket` stand before the paths of its URLs; its key is in the environment
/// variable `KEY`.
pub(crate) fn table(hop: usize, kind: &str, name: &str, (http, websocket): (&str, &str)) -> String {
    let (base, rest) = match (HOPS[hop], kind) {
        ("asr", "openai") => (format!("{websocket}/v1"), ""),
        ("asr", "whisper") => (format!("{http}/v1"), "model = \"whisper-1\""),
        ("asr", _) => (websocket.to_owned(), ""),
        ("llm", "anthropic") => (http.to_owned(), "model = \"claude-haiku-4-5\""),
        ("llm", _) => (format!("{http}/v1"), "model = \"gpt-4.1-mini\""),
        ("tts", "deepgram") => (websocket.to_owned(), "models = { \"*\" = \"aura-2-thalia-en\" }"),
        ("tts", "deepgram-flux") => (websocket.to_owned(), "models = { \"*\" = \"flux-simulated-en\" }"),
        ("tts", "elevenlabs-http") => (http.to_owned(), "voices = { \"*\" = \"v\" }"),
        ("tts", "openai") => (format!("{http}/v1"), "model = \"tts-1\"\nvoices = { \"*\" = \"nova\" }"),
        ("tts", "sarvam") => (websocket.to_owned(), "speakers = { \"*\" = \"anushka\" }"),
        ("tts", "espeak") => return format!("[tts.{name}]\nkind = \"espeak\"\nprogram = \"{http}\"\n"),
        (..) => (websocket.to_owned(), "voices = { \"*\" = \"v\" }"),
    };
    format!("[{}.{name}]\nkind = \"{kind}\"\nkey_env = \"KEY\"\nurl = \"{base}\"\n{rest}\n", HOPS[hop])
}

/// Who hears and speaks at once.
pub(crate) const TALKERS: [&str; 2] = ["openai", "gemini"];

/// The table of one who hears and speaks, as [`table`] has them.
pub(crate) fn talker_table(kind: &str, name: &str, websocket: &str) -> String {
    let rest = match kind {
        "gemini" => {
            let path = "ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
            format!("url = \"{websocket}/{path}\"\nmodel = \"models/gemini-3.8-live\"")
        }
        _ => format!("url = \"{websocket}/v1\"\nmodel = \"gpt-realtime-2.1\""),
    };
    // An echo has the other's interface.
    let kind = if kind == "echo" { "openai" } else { kind };
    format!("[realtime.{name}]\nkind = \"{kind}\"\nkey_env = \"KEY\"\n{rest}\n")
}

/// One of this kind.
pub(crate) fn talker(kind: &str, script: &Script, manner: Manner, model: Model, seen: &Seen) -> Stage {
    match kind {
        "openai" => Stage::new(OpenAiRealtime::new(script, manner, model, seen), seen),
        "gemini" => Stage::new(GeminiLive::new(script, manner, model, seen), seen),
        other => panic!("no model plays {other}"),
    }
}

/// Whether a connection to it lasts as long as the call; the others are asked by requests.
pub(crate) fn is_streaming(hop: usize, kind: &str) -> bool {
    match HOPS[hop] {
        "asr" => kind != "whisper",
        "tts" => !matches!(kind, "elevenlabs-http" | "openai" | "espeak"),
        _ => false,
    }
}

/// A recognizer of this kind.
pub(crate) fn recognizer(kind: &str, script: &Script, manner: Manner, seen: &Seen) -> Stage {
    match kind {
        "deepgram" => Stage::new(DeepgramListen::new(script, manner, seen), seen),
        "deepgram-flux" => Stage::new(DeepgramFlux::new(script, manner, seen), seen),
        "openai" => Stage::new(OpenAiTranscription::new(script, manner, seen), seen),
        "elevenlabs" => Stage::new(ElevenLabsScribe::new(script, manner, seen), seen),
        "sarvam" => Stage::new(SarvamListen::new(script, manner, seen), seen),
        "assemblyai" => Stage::new(AssemblyAi::new(script, manner, seen), seen),
        "whisper" => Stage::new(OpenAiFiles::new(script, manner, Dialect::OpenAi), seen),
        other => panic!("no recognizer plays {other}"),
    }
}

/// A model of this kind.
pub(crate) fn model(kind: &str, model: Model, seen: &Seen) -> Stage {
    match kind {
        "openai" => Stage::new(OpenAiChat::new(model, Dialect::OpenAi), seen),
        "anthropic" => Stage::new(Anthropic::new(model), seen),
        other => panic!("no model plays {other}"),
    }
}

/// A synthesizer of this kind; `None` for one that is a program.
pub(crate) fn synthesizer(kind: &str, pace: Pace, seen: &Seen) -> Option<Stage> {
    let voice = Voice::default();
    Some(match kind {
        "deepgram" => Stage::new(DeepgramSpeak::new(voice, pace, seen), seen),
        "deepgram-flux" => Stage::new(DeepgramFluxSpeak::new(voice, pace, seen), seen),
        "elevenlabs" => Stage::new(ElevenLabsContexts::new(voice, pace, seen), seen),
        "elevenlabs-http" => Stage::new(ElevenLabsStream::new(voice, pace), seen),
        "cartesia" => Stage::new(Cartesia::new(voice, pace, seen), seen),
        "sarvam" => Stage::new(SarvamSpeak::new(voice, pace, "target_language_code", seen), seen),
        "openai" => Stage::new(OpenAiSpeech::new(voice, pace), seen),
        "espeak" => return None,
        other => panic!("no synthesizer plays {other}"),
    })
}

/// A program that speaks, or has this fault; `None` if a program has no such fault.
pub(crate) fn program(fault: Option<&Fault>) -> Option<Program> {
    let broken: fn(Vec<u8>) -> Result<Vec<u8>, String> = match fault {
        None => Ok,
        Some(Fault::Refused) => |_| Err("no such program".to_owned()),
        Some(Fault::ServerError(_)) => |_| Err("ended with exit status 1: no such voice".to_owned()),
        Some(Fault::WrongAudio) => |_| Ok(b"ID3\x04this is no wave file at all".repeat(40)),
        Some(Fault::Silence(_)) => {
            |wav| Ok(wav.iter().take(44).copied().chain(vec![0; wav.len() - 44]).collect())
        }
        Some(Fault::DropAfter(_)) => |wav| Ok(wav[..20].to_vec()),
        Some(_) => return None,
    };
    Some(Box::new(move |request| {
        let text = String::from_utf8_lossy(&request.stdin).into_owned();
        broken(audio::wav(22_050, &Voice::default().speak(&text, 22_050).samples))
    }))
}
