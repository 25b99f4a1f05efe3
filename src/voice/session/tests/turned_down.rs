//! What is heard of an agent that is turned down or pauses, sample by sample, as it leaves the voice.

use std::f32::consts::TAU;

use super::*;

/// 400 Hz: a half of a frame has whole periods.
fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (10_000.0 * (TAU * 0.05 * n as f32).sin()).round() as i16).collect()
}

fn rms(samples: &[i16]) -> f64 {
    let squares: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (squares / samples.len() as f64).sqrt()
}

#[test]
fn it_is_12_db_softer_in_the_next_frame_and_as_loud_as_before_when_it_was_nothing() {
    for quiet in 5..40 {
        let mut bench = Bench::new();
        bench.say_this(1, tone(16_000));
        bench.run(quiet, QUIET);
        let loud = rms(&bench.heard[4 * FRAME_SAMPLES..][..FRAME_SAMPLES]);
        let db = |samples: &[i16]| 20.0 * (rms(samples) / loud).log10();
        let first = bench.tick(&sound(SPEECH));
        assert!(db(&first).abs() < 0.01, "one frame is a click");
        // The second frame of speech is in; what goes out next falls for 10 ms, and is where it should be.
        let next = bench.tick(&sound(SPEECH));
        assert!((db(&next[80..]) + 12.0).abs() < 0.1, "{} dB", db(&next[80..]));
        for _ in 0..9 {
            let ducked = bench.tick(&[QUIET; FRAME_SAMPLES]);
            assert!((db(&ducked) + 12.0).abs() < 0.1, "{} dB", db(&ducked));
        }
        let back = bench.tick(&[QUIET; FRAME_SAMPLES]);
        assert!(db(&back[80..]).abs() < 0.01, "{} dB", db(&back[80..]));
        assert!(db(&bench.tick(&[QUIET; FRAME_SAMPLES])).abs() < 0.01);
    }
}

/// Follows a ramp, in which every sample says where it is from, through what was heard: samples that came twice, and frames of
/// silence. Anything else that is not the ramp, loud or turned down, is a skip and fails.
fn follow(heard: &[i16], said: &[i16]) -> (usize, usize) {
    let (mut place, mut repeated, mut silent) = (0, 0, 0);
    for frame in heard.chunks(FRAME_SAMPLES) {
        let Some(expected) = said.get(place..place + FRAME_SAMPLES) else { break };
        let (half, of) = (&frame[80..], &expected[80..]);
        let is = |gain: f32| {
            half.iter()
                .zip(of)
                .all(|(&out, &sample)| (f32::from(out) - gain * f32::from(sample)).abs() <= 1.0)
        };
        if is(1.0) || is(0.251_19) {
            place += FRAME_SAMPLES;
        } else {
            assert!(half.iter().all(|&sample| sample == 0), "at {place}: {half:?}");
            if frame[0] == 0 {
                silent += 1;
            } else {
                // It fades out, and comes again.
                repeated += FRAME_SAMPLES;
            }
        }
    }
    assert_eq!(place, said.len(), "all of it was heard");
    (repeated, silent)
}

#[test]
fn a_pause_repeats_20_ms_skips_nothing_and_ends_within_600() {
    let said: Vec<i16> = (0..24_000).map(|n| 2000 + n).collect();
    for quiet in [5, 17, 30] {
        for speech in 1..25 {
            let mut bench = Bench::new();
            bench.say_this(1, said.clone());
            bench.run(quiet, QUIET);
            bench.run(speech, SPEECH);
            bench.run(200, QUIET);
            let (repeated, silent) = follow(&bench.heard, &said);
            let pauses = usize::from(speech >= 8);
            assert_eq!(repeated, pauses * FRAME_SAMPLES, "{speech} frames of speech");
            assert!(silent <= 30, "{silent} frames of silence");
            assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
        }
    }
}
