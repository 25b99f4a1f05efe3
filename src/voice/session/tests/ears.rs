//! What is taken for the caller's speech.

use std::f32::consts::TAU;

use super::super::super::vad::WebRtc;
use super::*;

#[test]
fn a_room_full_of_voices_does_not_interrupt() {
    let mut bench = Bench::new();
    // Babble that the detector takes for speech: after a moment it is the room.
    bench.run(200, 900);
    bench.say(1, 80_000);
    bench.run(200, 900);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
    bench.run(30, SPEECH);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })).len(), 1);
}

#[test]
fn a_peer_that_sends_nothing_is_silent() {
    let mut bench = Bench::new();
    bench.run(30, SPEECH);
    for _ in 0..80 {
        bench.tick(&[]);
    }
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len(), 1);
}

#[test]
fn the_real_detector_hears_a_voice_and_no_noise() {
    let mut bench = Bench::with(Box::new(WebRtc::new()));
    bench.run(50, QUIET);
    let mut phase = 0_usize;
    for _ in 0..60 {
        let frame: Vec<i16> = (0..FRAME_SAMPLES)
            .map(|_| {
                phase += 1;
                voiced(phase)
            })
            .collect();
        bench.tick(&frame);
    }
    bench.run(80, QUIET);
    let count =
        |bench: &Bench| bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len();
    assert_eq!(count(&bench), 1, "{:?}", bench.events);
    let mut seeds = crate::seed::Seeds::new([3, 4]);
    let mut bench = Bench::with(Box::new(WebRtc::new()));
    for _ in 0..300 {
        let noise: Vec<i16> = (0..FRAME_SAMPLES).map(|_| (seeds.next_u64() % 400) as i16 - 200).collect();
        bench.tick(&noise);
    }
    assert_eq!(count(&bench), 0);
}

/// A vowel: a voice of 140 Hz through three formants, as loud as a telephone voice, with syllables of 250 ms.
fn voiced(n: usize) -> i16 {
    let time = n as f32 / 8000.0;
    let syllable = 0.6 + 0.4 * (TAU * 4.0 * time).sin();
    let sum: f32 = (1..25)
        .map(|harmonic| {
            let hz = 140.0 * harmonic as f32;
            let formant = |centre: f32, width: f32| 1.0 / (1.0 + ((hz - centre) / width).powi(2));
            let weight = formant(700.0, 120.0) + 0.6 * formant(1200.0, 150.0) + 0.3 * formant(2500.0, 200.0);
            weight * (TAU * hz * time).sin()
        })
        .sum();
    (sum * 4000.0 * syllable).clamp(-30_000.0, 30_000.0) as i16
}

#[test]
fn a_caller_who_talks_without_a_pause_is_heard_to_the_end() {
    for detector in [Box::new(Loud) as Box<dyn SpeechDetector>, Box::new(WebRtc::new())] {
        let mut bench = Bench::with(detector);
        bench.run(100, QUIET);
        let mut phase = 0;
        for _ in 0..25 * 50 {
            let frame: Vec<i16> = (0..FRAME_SAMPLES)
                .map(|_| {
                    phase += 1;
                    voiced(phase)
                })
                .collect();
            bench.tick(&frame);
        }
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::SpeechEnded { .. })), [] as [u32; 0]);
        bench.run(80, QUIET);
        let committed = bench.noted(|note| matches!(note, Dialogue::TurnCommitted { .. }));
        assert_eq!(committed.len(), 1);
        let Dialogue::TurnCommitted { speech_ms, .. } = committed[0] else { panic!("{committed:?}") };
        assert!((24_700..=25_200).contains(speech_ms), "{speech_ms}");
    }
}
