//! Each recognizer's client hears the words from a strict simulation of its vendor, which has nothing to complain of.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::asr::{
    AsrEvent, AssemblyAi, AssemblyAiConfig, Audio, Deepgram, DeepgramConfig, ElevenLabs, ElevenLabsConfig,
    Flux, FluxConfig, OpenAi, OpenAiConfig, OpenAiTurns, Output, Recognizer, Sarvam, SarvamConfig, Streaming,
    Vendor,
};
use caly_provider::audio::AudioFormat;
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Patience, RetryConfig};
use caly_provider::secret::Secret;
use caly_vendors::audio::{Coding, Format};
use caly_vendors::faults::{Fault, Faults, When};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::vendor::Vendor as Simulated;
use caly_vendors::voice::caller;
use caly_vendors::{
    assemblyai, deepgram_flux, deepgram_listen, elevenlabs_scribe, openai_transcription, sarvam_listen,
};

const LINES: [&str; 2] = ["mera order kahan hai", "haan theek hai"];

/// What a client has told at its end, and what its vendor has complained of.
struct Heard {
    finals: Vec<String>,
    interims: usize,
    losses: usize,
    faults: Vec<String>,
    complaints: Vec<String>,
}

fn key() -> Secret {
    Secret::new(KEY)
}

fn hear(
    vendor: Arc<dyn Vendor>,
    host: &str,
    simulated: impl Simulated + 'static,
    seen: &Seen,
    faults: Faults,
) -> Heard {
    let stage = Stage::new(simulated, seen).with_faults(faults);
    let mut world = InProcess::default().with(host, stage, Distance::default());
    let format = AudioFormat::cheapest(AudioFormat::MULAW_8K, vendor.formats()).unwrap();
    let coding = if format == AudioFormat::MULAW_8K { Coding::Mulaw } else { Coding::Linear16 };
    let mut client =
        Streaming::new(vendor, format, LinkIds::of_client(0), Patience::ASR, RetryConfig::CONNECTION);
    let epoch = Instant::now();
    let mut heard =
        Heard { finals: Vec::new(), interims: 0, losses: 0, faults: Vec::new(), complaints: Vec::new() };
    let mut segments = BTreeMap::new();
    let audio = caller(Format::new(coding, format.rate_hz), &LINES, Duration::from_millis(1_500));
    let frame = format.bytes(Duration::from_millis(20));
    client.start(epoch);
    let mut at = Duration::ZERO;
    for piece in audio.chunks(frame) {
        at += Duration::from_millis(20);
        while let Some((link, event)) = world.poll(at) {
            client.handle_link(epoch + at, link, event);
        }
        client.handle_timeout(epoch + at);
        client.hear(epoch + at, Audio { bytes: piece, speech: Duration::ZERO });
        while let Some(output) = client.poll() {
            match output {
                Output::Link(order) => world.order(at, order),
                Output::Event(AsrEvent::Heard(words)) => {
                    heard.interims += usize::from(!words.is_final);
                    if words.is_final && !words.text.is_empty() {
                        segments.insert(words.segment, words.text);
                    }
                }
                Output::Event(AsrEvent::Lost(_)) => heard.losses += 1,
                Output::Event(AsrEvent::Failed(fault)) => heard.faults.push(format!("{fault:?}")),
                Output::Event(AsrEvent::Warning(warning)) => heard.faults.push(warning),
                Output::Event(
                    AsrEvent::Ready { .. }
                    | AsrEvent::SpeechStarted
                    | AsrEvent::Turn(_)
                    | AsrEvent::Metered(_),
                ) => {}
            }
        }
    }
    heard.finals = segments.into_values().collect();
    heard.complaints = seen.complaints();
    heard
}

fn assert_well(heard: &Heard) {
    assert_eq!((&heard.complaints, &heard.faults), (&Vec::new(), &Vec::new()));
    assert_eq!(
        (heard.finals.iter().map(String::as_str).collect::<Vec<_>>(), heard.losses),
        (LINES.to_vec(), 0)
    );
    assert!(heard.interims > 0);
}

#[test]
fn deepgram_hears_and_complains_of_nothing() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = deepgram_listen::DeepgramListen::new(&script, Manner::default(), &seen);
    let config = DeepgramConfig { endpointing_ms: 300, ..DeepgramConfig::new(key()) };
    assert_well(&hear(Arc::new(Deepgram(config)), "api.deepgram.com", simulated, &seen, Faults::default()));
}

#[test]
fn deepgram_hears_all_words_across_a_connection_that_breaks() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = deepgram_listen::DeepgramListen::new(&script, Manner::default(), &seen);
    let faults = Faults::default().with(When::Nth(1), Fault::DropAfter(3));
    let config = DeepgramConfig { endpointing_ms: 300, ..DeepgramConfig::new(key()) };
    let heard = hear(Arc::new(Deepgram(config)), "api.deepgram.com", simulated, &seen, faults);
    assert_eq!(heard.finals, LINES);
    assert_eq!((heard.losses, heard.faults, heard.complaints), (1, Vec::new(), Vec::new()));
}

#[test]
fn flux_hears_and_complains_of_nothing() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = deepgram_flux::DeepgramFlux::new(&script, Manner::default(), &seen);
    let vendor = Arc::new(Flux(FluxConfig::new(key())));
    assert_well(&hear(vendor, "api.deepgram.com", simulated, &seen, Faults::default()));
}

#[test]
fn assemblyai_hears_and_complains_of_nothing() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = assemblyai::AssemblyAi::new(&script, Manner::default(), &seen);
    let vendor = Arc::new(AssemblyAi(AssemblyAiConfig::new(key())));
    assert_well(&hear(vendor, "streaming.assemblyai.com", simulated, &seen, Faults::default()));
}

#[test]
fn sarvam_hears_and_complains_of_nothing() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = sarvam_listen::SarvamListen::new(&script, Manner::default(), &seen);
    let vendor = Arc::new(Sarvam(SarvamConfig::new(key())));
    assert_well(&hear(vendor, "api.sarvam.ai", simulated, &seen, Faults::default()));
}

#[test]
fn elevenlabs_hears_and_complains_of_nothing() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = elevenlabs_scribe::ElevenLabsScribe::new(&script, Manner::default(), &seen);
    let vendor = Arc::new(ElevenLabs(ElevenLabsConfig::new(key())));
    assert_well(&hear(vendor, "api.elevenlabs.io", simulated, &seen, Faults::default()));
}

#[test]
fn openai_hears_and_complains_of_nothing() {
    let (seen, script) = (Seen::default(), Script::new(LINES));
    let simulated = openai_transcription::OpenAiTranscription::new(&script, Manner::default(), &seen);
    let turns = OpenAiTurns::SemanticVad { eagerness: "auto".to_owned() };
    let vendor = Arc::new(OpenAi(OpenAiConfig { turns, ..OpenAiConfig::new(key()) }));
    assert_well(&hear(vendor, "api.openai.com", simulated, &seen, Faults::default()));
}
