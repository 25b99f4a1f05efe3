//! The agent's own echo, the level of its voice, and what a listener gets of the caller.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use caly_rtp::codec::Codec;
use caly_rtp::frame::MediaTime;

use super::*;
use crate::voice::vad::WebRtc;
use crate::voice::{CallerListener, Conditioned};

/// Half a minute of what the server's own agents say.
fn clips() -> Vec<i16> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prompts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "ulaw"));
    paths.sort();
    let mut said = Vec::new();
    for path in paths {
        let mulaw = std::fs::read(path).unwrap();
        let mut samples = vec![0; mulaw.len()];
        Codec::Pcmu.decode(&mulaw, &mut samples);
        said.extend(samples);
        if said.len() > 30 * 8_000 {
            break;
        }
    }
    said.truncate(30 * 8_000);
    said
}

#[derive(Debug)]
struct Ear(SyncSender<Conditioned>);

impl CallerListener for Ear {
    fn listen(&mut self, heard: &Conditioned) {
        self.0.try_send(*heard).unwrap();
    }
}

fn bench(audio: AudioSettings) -> (Bench, Receiver<Conditioned>) {
    let (sender, receiver) = sync_channel(10_000);
    let turn_taking = TurnTaking { audio, ..TurnTaking::default() };
    let listener: Option<Box<dyn CallerListener>> = Some(Box::new(Ear(sender)));
    (Bench::of(VoiceConfig { detector: Box::new(WebRtc::new()), turn_taking, listener }), receiver)
}

/// The agent speaks for half a minute, and comes back 200 ms later and so much softer.
fn echoes(echo_cancellation: EchoCancellation, softer_db: f32) -> (Bench, Receiver<Conditioned>) {
    let (mut bench, heard) = bench(AudioSettings { echo_cancellation, ..AudioSettings::default() });
    bench.yields_to = YieldsTo { speech: false, digits: false };
    bench.say_this(1, clips());
    let factor = 10.0_f32.powf(-softer_db / 20.0);
    for n in 0..1_500_usize {
        let from = n.checked_sub(10).map(|back| back * FRAME_SAMPLES);
        let mut frame = Frame { media_time: MediaTime(n as u64 * 160), ..Frame::default() };
        frame.samples.extend((0..FRAME_SAMPLES).map(|k| {
            let sample = from.and_then(|from| bench.heard.get(from + k)).copied().unwrap_or(0);
            (f32::from(sample) * factor) as i16
        }));
        bench.ticks += 1;
        let now = bench.now();
        bench.voice.hear(now, &frame);
        let mut samples = [0; FRAME_SAMPLES];
        bench.voice.speak(now, &mut samples);
        bench.heard.extend(samples);
        bench.notes.extend(std::iter::from_fn(|| bench.voice.poll_note()).map(|noted| noted.what));
        bench.mind();
    }
    (bench, heard)
}

#[test]
fn the_agents_own_echo_is_no_caller_and_stands_in_the_log_once() {
    for softer_db in [20.0, 30.0] {
        let (plain, _) = echoes(EchoCancellation::Off, softer_db);
        let (cancelled, _) = echoes(EchoCancellation::Auto, softer_db);
        let runs = |bench: &Bench| bench.noted(|note| *note == Dialogue::SpeechStarted).len();
        assert!(runs(&plain) > 5, "without it the echo is heard as speech: {}", runs(&plain));
        let late = cancelled.ticks_of(|event| *event == VoiceEvent::SpeechStarted);
        assert!(late.iter().all(|&tick| tick < 120), "in the first two seconds if at all: {late:?}");
        let echo = cancelled.noted(|note| matches!(note, Dialogue::Echo { .. }));
        let [Dialogue::Echo { delay_ms, return_loss_db }] = echo[..] else { panic!("{echo:?}") };
        // One tick on the way besides the ten.
        assert!((195..225).contains(delay_ms), "{delay_ms}");
        assert!((f64::from(softer_db) - *return_loss_db as f64).abs() < 2.0, "{return_loss_db}");
    }
}

#[test]
fn who_listens_gets_every_caller_at_one_level_and_the_switch_leaves_him_as_he_is() {
    for (caller_gain, softer_db, expected) in
        [(true, 20.0_f32, -26.0), (true, 0.0, -26.0), (false, 20.0, -40.0)]
    {
        let (mut bench, heard) = bench(AudioSettings { caller_gain, ..AudioSettings::default() });
        let factor = 10.0_f32.powf(-softer_db / 20.0);
        for frame in clips().chunks_exact(FRAME_SAMPLES) {
            let frame: Vec<i16> = frame.iter().map(|&sample| (f32::from(sample) * factor) as i16).collect();
            bench.tick(&frame);
        }
        let frames: Vec<Conditioned> = heard.try_iter().skip(150).filter(|frame| frame.is_speech).collect();
        assert!(frames.len() > 500, "{}", frames.len());
        let power = frames.iter().map(|frame| 10.0_f32.powf(level::dbfs(&frame.samples) / 10.0)).sum::<f32>();
        let level = 10.0 * (power / frames.len() as f32).log10();
        assert!((level - expected).abs() < 3.0, "{caller_gain}, {softer_db} dB: {level}");
        assert!(frames.iter().all(|frame| frame.samples.iter().all(|sample| sample.unsigned_abs() < 32_767)));
    }
}

#[test]
fn a_soft_voice_is_brought_up_unless_that_is_switched_off() {
    for (loudness, expected) in [(true, -20.0), (false, -34.0)] {
        let (mut bench, _heard) = bench(AudioSettings { loudness, ..AudioSettings::default() });
        let soft: Vec<i16> = clips().iter().map(|&sample| sample / 5).collect();
        bench.say_this(1, soft);
        for _ in 0..1_400 {
            bench.tick(&[]);
        }
        let said: Vec<f32> = bench.heard[8_000..]
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| level::dbfs(frame.try_into().unwrap()))
            .filter(|&level| level > -45.0)
            .map(|level| 10.0_f32.powf(level / 10.0))
            .collect();
        let level = 10.0 * (said.iter().sum::<f32>() / said.len() as f32).log10();
        assert!((level - expected).abs() < 2.5, "{loudness}: {level}");
    }
}
