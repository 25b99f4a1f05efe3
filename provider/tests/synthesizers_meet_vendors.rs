//! Each synthesizer's client gets its speeches from a strict simulation of its vendor, which has nothing to complain of.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::audio::AudioFormat;
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Patience, RetryConfig};
use caly_provider::secret::Secret;
use caly_provider::tts::{
    Aura, AuraConfig, Cartesia, CartesiaConfig, ElevenLabs, ElevenLabsConfig, ElevenLabsHttp, FluxSpeech,
    FluxSpeechConfig, OpenAiSpeech, OpenAiSpeechConfig, Output, RequestVendor, Requests, SarvamSpeech,
    SarvamSpeechConfig, SpeechId, Streaming, Synthesizer, TtsEvent, Vendor,
};
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::openai_speech::{self, ElevenLabsStream};
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::vendor::Vendor as Simulated;
use caly_vendors::voice::{Pace, Voice};
use caly_vendors::{cartesia, deepgram_flux_speak, deepgram_speak, elevenlabs_contexts, sarvam_speak};

const FIRST: SpeechId = SpeechId(1);
const CUT: SpeechId = SpeechId(2);
const LAST: SpeechId = SpeechId(3);
const CHUNKS: [&str; 2] = ["Your order is on its way.", "It will be with you tomorrow."];

fn key() -> Secret {
    Secret::new(KEY)
}

fn streaming(vendor: impl Vendor + 'static, format: AudioFormat) -> Streaming {
    Streaming::new(Arc::new(vendor), format, LinkIds::of_client(0), Patience::TTS, RetryConfig::CONNECTION)
}

fn requests(vendor: impl RequestVendor + 'static, format: AudioFormat) -> Requests {
    Requests::new(Arc::new(vendor), format, LinkIds::of_client(0), Patience::TTS)
}

/// Speaks one speech to its end, cuts a second one and speaks a third: those that are not cut are whole, and the vendor is content.
fn speak(mut client: impl Synthesizer, host: &str, simulated: impl Simulated + 'static, seen: &Seen) {
    let mut world = InProcess::default().with(host, Stage::new(simulated, seen), Distance::default());
    let epoch = Instant::now();
    let mut lengths: BTreeMap<SpeechId, usize> = BTreeMap::new();
    let mut done = Vec::new();
    client.start(epoch, "en");
    for step in 0..1_500_u64 {
        let at = Duration::from_millis(step * 20);
        let now = epoch + at;
        while let Some((link, event)) = world.poll(at) {
            client.handle_link(now, link, event);
        }
        client.handle_timeout(now);
        match step {
            10 | 400 => {
                let speech = if step == 10 { FIRST } else { LAST };
                client.begin(now, speech, "en");
                CHUNKS.iter().for_each(|chunk| client.say(now, speech, chunk));
                client.finish(now, speech);
            }
            300 => {
                client.begin(now, CUT, "en");
                client.say(now, CUT, CHUNKS[0]);
            }
            315 => client.cancel(now, CUT),
            _ => {}
        }
        while let Some(output) = client.poll() {
            match output {
                Output::Link(order) => world.order(at, order),
                Output::Event(TtsEvent::Audio { speech, bytes }) => {
                    *lengths.entry(speech).or_default() += bytes.len()
                }
                Output::Event(TtsEvent::Done { speech }) => done.push(speech),
                Output::Event(
                    TtsEvent::Ready { .. } | TtsEvent::Words { .. } | TtsEvent::ChunkEnd { .. },
                ) => {}
                Output::Event(wrong) => panic!("{wrong:?} after {at:?}; {:?}", seen.complaints()),
            }
        }
    }
    assert_eq!((seen.complaints(), &done[..]), (Vec::new(), &[FIRST, LAST][..]));
    let characters = CHUNKS.iter().map(|chunk| chunk.len()).sum::<usize>() as u64;
    for speech in [FIRST, LAST] {
        let ms = client.format().duration(lengths[&speech] as u64).as_millis() as u64;
        assert!((60 * characters..75 * characters).contains(&ms), "{ms} ms of {speech:?}");
    }
}

#[test]
fn aura_speaks_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = deepgram_speak::DeepgramSpeak::new(Voice::default(), Pace::default(), &seen);
    let vendor = Aura(AuraConfig::new(key(), "aura-2-thalia-en"));
    speak(streaming(vendor, AudioFormat::MULAW_8K), "api.deepgram.com", simulated, &seen);
}

/// Thirteen answers a minute take more flushes than the vendor allows.
#[test]
fn aura_speaks_in_a_busy_conversation_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = deepgram_speak::DeepgramSpeak::new(Voice::default(), Pace::default(), &seen);
    let vendor = Aura(AuraConfig::new(key(), "aura-2-thalia-en"));
    let mut client = streaming(vendor, AudioFormat::MULAW_8K);
    let mut world =
        InProcess::default().with("api.deepgram.com", Stage::new(simulated, &seen), Distance::default());
    let epoch = Instant::now();
    let mut ends: BTreeMap<SpeechId, (usize, usize)> = BTreeMap::new();
    client.start(epoch, "en");
    for step in 0..8_000_u64 {
        let (at, speech) = (Duration::from_millis(step * 20), SpeechId(step / 225));
        let now = epoch + at;
        while let Some((link, event)) = world.poll(at) {
            client.handle_link(now, link, event);
        }
        client.handle_timeout(now);
        // The last chunk is long in coming.
        match step % 225 {
            0 => client.begin(now, speech, "en"),
            1 | 11 | 21 | 31 | 200 => client.say(now, speech, CHUNKS[0]),
            210 => client.finish(now, speech),
            _ => {}
        }
        while let Some(output) = client.poll() {
            match output {
                Output::Link(order) => world.order(at, order),
                Output::Event(TtsEvent::ChunkEnd { speech }) => ends.entry(speech).or_default().0 += 1,
                Output::Event(TtsEvent::Done { speech }) => ends.entry(speech).or_default().1 += 1,
                Output::Event(TtsEvent::Ready { .. } | TtsEvent::Audio { .. }) => {}
                Output::Event(wrong) => panic!("{wrong:?} after {at:?}; {:?}", seen.complaints()),
            }
        }
    }
    assert_eq!(seen.complaints(), Vec::<String>::new());
    let whole: Vec<SpeechId> =
        ends.into_iter().filter(|(_, ends)| *ends == (5, 1)).map(|one| one.0).collect();
    assert_eq!(whole, (0..35).map(SpeechId).collect::<Vec<_>>());
}

#[test]
fn flux_speaks_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = deepgram_flux_speak::DeepgramFluxSpeak::new(Voice::default(), Pace::default(), &seen);
    let vendor = FluxSpeech(FluxSpeechConfig::new(key(), "flux-simulated-en"));
    speak(streaming(vendor, AudioFormat::MULAW_8K), "api.deepgram.com", simulated, &seen);
}

#[test]
fn elevenlabs_speaks_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = elevenlabs_contexts::ElevenLabsContexts::new(Voice::default(), Pace::default(), &seen);
    let vendor = ElevenLabs(ElevenLabsConfig::new(key(), "v1ce"));
    speak(streaming(vendor, AudioFormat::MULAW_8K), "api.elevenlabs.io", simulated, &seen);
}

#[test]
fn elevenlabs_speaks_over_http_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = ElevenLabsStream::new(Voice::default(), Pace::default());
    let vendor = ElevenLabsHttp(ElevenLabsConfig::new(key(), "v1ce"));
    speak(requests(vendor, AudioFormat::MULAW_8K), "api.elevenlabs.io", simulated, &seen);
}

#[test]
fn cartesia_speaks_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = cartesia::Cartesia::new(Voice::default(), Pace::default(), &seen);
    let vendor = Cartesia(CartesiaConfig::new(key(), "v1"));
    speak(streaming(vendor, AudioFormat::MULAW_8K), "api.cartesia.ai", simulated, &seen);
}

#[test]
fn sarvam_speaks_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated =
        sarvam_speak::SarvamSpeak::new(Voice::default(), Pace::default(), "target_language_code", &seen);
    let vendor = SarvamSpeech(SarvamSpeechConfig::new(key(), "shubh"));
    speak(streaming(vendor, AudioFormat::MULAW_8K), "api.sarvam.ai", simulated, &seen);
}

#[test]
fn openai_speaks_and_complains_of_nothing() {
    let seen = Seen::default();
    let simulated = openai_speech::OpenAiSpeech::new(Voice::default(), Pace::default());
    let config =
        OpenAiSpeechConfig::new("https://api.openai.com/v1", Some(key()), "gpt-4o-mini-tts", "marin");
    speak(requests(OpenAiSpeech::new(config), AudioFormat::PCM_24K), "api.openai.com", simulated, &seen);
}
