//! What a tick of 20 ms of an agent's voice costs: one frame heard, one frame spoken, the polls of events and notes, and the
//! samples that the mind sends.

#![allow(missing_docs)]

use std::f32::consts::TAU;
use std::hint::black_box;
use std::time::{Duration, Instant};

use caly::voice::TurnTaking;
use caly::voice::detection::Detection;
use caly::voice::exchange::{MindCommand, UtteranceId, VoiceEvent, YieldsTo};
use caly::voice::session::{Voice, VoiceConfig};
use caly::voice::vad::{SpeechDetector as _, WebRtc};
use caly_rtp::frame::{FRAME, FRAME_SAMPLES, Frame};
use criterion::{Criterion, criterion_group, criterion_main};

/// What the caller and the agent do.
#[derive(Clone, Copy)]
struct Scene {
    name: &'static str,
    caller_speaks: bool,
    agent_speaks: bool,
}

const SCENES: [Scene; 4] = [
    Scene { name: "voice, both silent", caller_speaks: false, agent_speaks: false },
    Scene { name: "voice listens", caller_speaks: true, agent_speaks: false },
    Scene { name: "voice speaks", caller_speaks: false, agent_speaks: true },
    Scene { name: "voice speaks, turned down", caller_speaks: true, agent_speaks: true },
];

fn voice(criterion: &mut Criterion) {
    let speech = speech();
    criterion.bench_function("speech detector", |bencher| {
        let mut detector = WebRtc::new();
        let frames: Vec<[i16; FRAME_SAMPLES]> =
            speech.iter().filter_map(|frame| frame.samples.as_slice().try_into().ok()).collect();
        let mut heard = frames.iter().cycle();
        bencher.iter(|| heard.next().map(|frame| detector.is_speech(black_box(frame))));
    });
    let silence = vec![Frame { samples: [0; FRAME_SAMPLES].into_iter().collect(), ..Frame::default() }];
    for scene in SCENES {
        let frames = if scene.caller_speaks { &speech } else { &silence };
        criterion.bench_function(scene.name, |bencher| {
            let mut call = Call::new(scene);
            let mut heard = frames.iter().cycle();
            bencher.iter(|| heard.next().map(|frame| call.tick(frame)));
        });
    }
}

/// A voice, and the mind at its other end.
struct Call {
    scene: Scene,
    voice: Voice,
    now: Instant,
    sent: u64,
    limit: u64,
    out: [i16; FRAME_SAMPLES],
}

impl Call {
    fn new(scene: Scene) -> Self {
        let now = Instant::now();
        let forever = Duration::from_secs(1_000_000);
        // It is turned down and stays so: neither stopped nor forgiven.
        let detection = Detection {
            pause_after: forever,
            stop_after: forever,
            forgive_after: forever,
            end_after: forever,
            ..Detection::default()
        };
        let turn_taking = TurnTaking { detection, ..TurnTaking::default() };
        let config = VoiceConfig { detector: Box::new(WebRtc::new()), turn_taking, listener: None };
        let voice = Voice::new(config, now);
        Self { scene, voice, now, sent: 0, limit: 0, out: [0; FRAME_SAMPLES] }
    }

    fn tick(&mut self, frame: &Frame) {
        self.now += FRAME;
        while let Some(event) = self.voice.poll_event() {
            if let VoiceEvent::Credit { samples } = event {
                self.limit = samples;
            }
        }
        if self.scene.agent_speaks && self.limit > self.sent {
            let samples = vec![1000; usize::try_from(self.limit - self.sent).unwrap_or(0)];
            self.sent = self.limit;
            let (utterance, yields_to) = (UtteranceId(1), YieldsTo::ANYTHING);
            self.voice.handle_command(self.now, MindCommand::Speak { utterance, yields_to, samples });
        }
        self.voice.hear(self.now, black_box(frame));
        self.voice.speak(self.now, black_box(&mut self.out));
        while let Some(note) = self.voice.poll_note() {
            black_box(note);
        }
    }
}

/// 4 s of a vowel in syllables, and one of silence.
fn speech() -> Vec<Frame> {
    let sample = |n: usize| {
        let time = n as f32 / 8000.0;
        let syllable = 0.55 + 0.45 * (TAU * 4.0 * time).sin();
        let sum: f32 = (1..25)
            .map(|harmonic| {
                let hz = 140.0 * harmonic as f32;
                let formant = |centre: f32, width: f32| 1.0 / (1.0 + ((hz - centre) / width).powi(2));
                (formant(700.0, 120.0) + 0.6 * formant(1200.0, 150.0)) * (TAU * hz * time).sin()
            })
            .sum();
        (sum * 4000.0 * syllable).clamp(-30_000.0, 30_000.0) as i16
    };
    (0..250)
        .map(|frame| {
            let samples = (0..FRAME_SAMPLES)
                .map(|n| if frame < 200 { sample(frame * FRAME_SAMPLES + n) } else { 0 })
                .collect();
            Frame { samples, ..Frame::default() }
        })
        .collect()
}

criterion_group!(benches, voice);
criterion_main!(benches);
