//! The pitch that is found, the joins, the fade, and samples of any kind in pieces of any length.

use std::f64::consts::TAU;

use super::*;

fn tone(hz: f64, rate: u32, samples: std::ops::Range<usize>) -> Vec<i16> {
    samples.map(|index| (9_000.0 * (TAU * hz * index as f64 / f64::from(rate)).sin()) as i16).collect()
}

fn steepest(samples: &[i16]) -> i32 {
    samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap()
}

#[test]
fn the_pitch_of_a_voice_is_found_at_both_rates() {
    for rate in [8_000, 16_000] {
        for hz in [80.0, 100.0, 125.0, 160.0] {
            let mut history = vec![0; Rate::new(rate).history()];
            let voiced = tone(hz, rate, 0..history.len());
            let overtone = tone(3.0 * hz, rate, 0..history.len());
            for ((sample, voiced), overtone) in history.iter_mut().zip(voiced).zip(overtone) {
                *sample = voiced / 2 + overtone / 2;
            }
            let period = f64::from(rate) / hz;
            let pitch = find_pitch(&history, &Rate::new(rate)) as f64;
            assert!((pitch - period).abs() <= 1.0, "{pitch} for {hz} Hz at {rate}");
        }
    }
}

#[test]
fn a_loss_of_any_length_stays_smooth_at_both_rates() {
    for rate in [8_000, 16_000] {
        let frame = rate as usize / 50;
        for lost_frames in 1..6 {
            let mut concealer = Concealer::new(rate);
            let mut heard = Vec::new();
            for index in 0..30 {
                let mut samples = tone(210.0, rate, index * frame..(index + 1) * frame);
                if (10..10 + lost_frames).contains(&index) {
                    concealer.conceal(&mut samples);
                } else {
                    concealer.hear(&mut samples);
                }
                heard.extend(samples);
            }
            let natural = steepest(&tone(210.0, rate, 0..frame));
            assert!(steepest(&heard) <= natural * 5 / 4, "{lost_frames} frames lost at {rate}");
        }
    }
}

#[test]
fn it_is_silent_after_60_ms_and_says_so() {
    let mut concealer = Concealer::new(8_000);
    let mut samples = tone(300.0, 8_000, 0..800);
    concealer.hear(&mut samples);
    let mut frame = [0; 160];
    for _ in 0..3 {
        assert!(concealer.is_audible());
        concealer.conceal(&mut frame);
        assert!(frame.iter().any(|sample| *sample != 0));
    }
    assert!(!concealer.is_audible());
    concealer.conceal(&mut frame);
    assert_eq!(frame, [0; 160]);
}

#[test]
fn what_was_never_heard_is_concealed_by_silence() {
    let mut frame = [7; 160];
    Concealer::new(8_000).conceal(&mut frame);
    assert_eq!(frame, [0; 160]);
}

#[test]
fn received_samples_pass_unchanged_but_for_the_join() {
    let mut concealer = Concealer::new(8_000);
    let original = tone(440.0, 8_000, 0..160);
    let mut samples = original.clone();
    concealer.hear(&mut samples);
    assert_eq!(samples, original);
    concealer.conceal(&mut [0; 160]);
    concealer.hear(&mut samples);
    assert_eq!(samples[80..], original[80..], "the join takes 10 ms at most");
}

#[test]
fn full_scale_noise_in_pieces_of_any_length_does_no_harm() {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for rate in [0, 8_000, 11_025, 16_000, u32::MAX] {
        let mut concealer = Concealer::new(rate);
        for _ in 0..2_000 {
            let mut samples: Vec<i16> = (0..random() % 1_100)
                .map(|_| if random() % 2 == 0 { i16::MIN } else { (random() % 65_536) as u16 as i16 })
                .collect();
            match random() % 3 {
                0 => concealer.hear(&mut samples),
                1 => concealer.hear_after_cut(&mut samples),
                _ => concealer.conceal(&mut samples),
            }
        }
    }
}
