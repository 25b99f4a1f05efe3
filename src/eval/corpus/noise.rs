//! What is heard of a caller besides speech: rooms, lines, machines, children. Made and not recorded, so that the same seed gives
//! the same noise.

use std::f32::consts::TAU;

use super::mix::{Band, SAMPLE_RATE, add, add_endless, amplitude, scale_to};
use crate::eval::random::Random;

/// Noise of the whole band.
pub(super) fn white(random: &mut Random, seconds: f32) -> Vec<f32> {
    let mut band = Band::telephone();
    levelled((0..samples(seconds)).map(|_| band.pass(random.normal())).collect())
}

/// A car: mostly below 500 Hz, and the engine in it.
pub(super) fn car(random: &mut Random, seconds: f32) -> Vec<f32> {
    let (mut low, mut band) = (Band::below(350.0), Band::telephone());
    let mut phase = 0.0;
    let noise = (0..samples(seconds)).map(|n| {
        let rpm = 38.0 + 4.0 * (TAU * n as f32 / (SAMPLE_RATE * 7.0)).sin();
        phase = (phase + rpm / SAMPLE_RATE).fract();
        let engine: f32 =
            (1..12).map(|harmonic| (TAU * phase * harmonic as f32).sin() / harmonic as f32).sum();
        band.pass(low.pass(random.normal() * 3.0) + 0.15 * engine)
    });
    levelled(noise.collect())
}

/// Many at once: each as loud as the others, each beginning somewhere else.
pub(super) fn crowd(voices: &[Vec<f32>], random: &mut Random, seconds: f32) -> Vec<f32> {
    let mut track = vec![0.0; samples(seconds)];
    for voice in voices {
        add_endless(&mut track, voice, random.below(voice.len()), 0.0);
    }
    levelled(track)
}

/// Clicks of a few milliseconds, one every two seconds on average.
pub(super) fn clicks(random: &mut Random, seconds: f32) -> Vec<f32> {
    let mut track = vec![0.0; samples(seconds)];
    let mut at = 0.0;
    while at < seconds {
        at += random.between(0.5, 3.5);
        let decay = random.between(0.5, 3.0) * SAMPLE_RATE / 1000.0;
        let peak = 32_768.0 * amplitude(random.between(-20.0, -8.0));
        let click: Vec<f32> =
            (0..240).map(|n| peak * random.normal() * (-(n as f32) / decay).exp()).collect();
        add(&mut track, samples(at), &click);
    }
    track
}

/// Music on hold: chords with a melody.
pub(super) fn music(random: &mut Random, seconds: f32) -> Vec<f32> {
    let mut track = vec![0.0; samples(seconds)];
    let step_s = 0.25;
    let chords = [[262.0, 330.0, 392.0], [220.0, 262.0, 330.0], [349.0, 440.0, 523.0], [392.0, 494.0, 587.0]];
    for step in 0..(seconds / step_s) as usize {
        let chord = chords[step / 8 % chords.len()];
        let melody = 2.0 * chord[random.below(3)];
        let notes = chord.map(|f| (f, 0.4)).into_iter().chain([(melody, 1.0)]);
        for (frequency, gain) in notes {
            add(&mut track, samples(step as f32 * step_s), &note(frequency, gain, step_s * 1.6));
        }
    }
    levelled(track)
}

fn note(frequency: f32, gain: f32, seconds: f32) -> Vec<f32> {
    let count = samples(seconds);
    let sample = |n: usize| {
        let t = n as f32 / SAMPLE_RATE;
        let envelope = (t / 0.01).min(1.0) * (-t * 4.0).exp();
        let tone: f32 = (1..5).map(|h| (TAU * frequency * h as f32 * t).sin() / (h * h) as f32).sum();
        gain * envelope * tone
    };
    (0..count).map(sample).collect()
}

/// The ringing tone of Indian exchanges: 400 Hz modulated with 25 Hz, 0.4 s on, 0.2 off, 0.4 on, 2 off.
pub(super) fn ringback(seconds: f32) -> Vec<f32> {
    let sample = |n: usize| {
        let t = n as f32 / SAMPLE_RATE;
        let within = t % 3.0;
        let is_on = within < 0.4 || (0.6..1.0).contains(&within);
        if is_on { (TAU * 400.0 * t).sin() * (1.0 + 0.8 * (TAU * 25.0 * t).sin()) } else { 0.0 }
    };
    levelled((0..samples(seconds)).map(sample).collect())
}

/// Mains hum: 50 Hz and its odd harmonics, as a bad handset lets it through.
pub(super) fn hum(seconds: f32) -> Vec<f32> {
    let sample = |n: usize| {
        let t = n as f32 / SAMPLE_RATE;
        [(50.0, 1.0), (100.0, 0.3), (150.0, 0.5), (250.0, 0.3), (350.0, 0.2)]
            .iter()
            .map(|(f, gain)| gain * (TAU * f * t).sin())
            .sum()
    };
    levelled((0..samples(seconds)).map(sample).collect())
}

/// Keys in the audio, 100 ms each (ITU-T Q.23), as a telephone without RFC 4733 sends them.
pub(super) fn dtmf(random: &mut Random, seconds: f32) -> Vec<f32> {
    let mut track = vec![0.0; samples(seconds)];
    let mut at = 0.3;
    while at < seconds {
        let low = [697.0, 770.0, 852.0, 941.0][random.below(4)];
        let high = [1209.0, 1336.0, 1477.0][random.below(3)];
        add(&mut track, samples(at), &tones(&[low, high], 0.1));
        at += random.between(0.2, 1.5);
    }
    levelled(track)
}

/// A calling fax: 1100 Hz, half a second every 3.5 s (ITU-T T.30).
pub(super) fn calling_fax(seconds: f32) -> Vec<f32> {
    let mut track = vec![0.0; samples(seconds)];
    for n in 0..(seconds / 3.5) as usize + 1 {
        add(&mut track, samples(0.5 + 3.5 * n as f32), &tones(&[1100.0], 0.5));
    }
    levelled(track)
}

/// An answering fax: 2100 Hz for 3.3 s (ITU-T T.30), again after a while.
pub(super) fn answering_fax(seconds: f32) -> Vec<f32> {
    let mut track = vec![0.0; samples(seconds)];
    for n in 0..(seconds / 6.0) as usize + 1 {
        add(&mut track, samples(0.5 + 6.0 * n as f32), &tones(&[2100.0], 3.3));
    }
    levelled(track)
}

/// A baby that screams: a second of 400-600 Hz and all its harmonics, a breath, and again.
pub(super) fn baby(random: &mut Random, seconds: f32) -> Vec<f32> {
    let (mut band, mut throat) = (Band::telephone(), Band::around(1200.0, 0.8));
    let mut track = Vec::new();
    while track.len() < samples(seconds) {
        let (pitch, length_s) = (random.between(380.0, 520.0), random.between(0.6, 1.4));
        let mut phase = 0.0;
        for n in 0..samples(length_s) {
            let part = n as f32 / samples(length_s) as f32;
            let bend = 1.0 + 0.25 * (std::f32::consts::PI * part).sin() + 0.01 * random.normal();
            phase = (phase + pitch * bend / SAMPLE_RATE).fract();
            let envelope = (part * 8.0).min(1.0) * ((1.0 - part) * 5.0).min(1.0);
            let cry = envelope * (2.0 * phase - 1.0 + 0.1 * random.normal());
            track.push(band.pass(throat.pass(cry)));
        }
        track.resize(track.len() + samples(random.between(0.25, 0.6)), 0.0);
    }
    levelled(track)
}

/// A cough: a burst of breath with a little voice in it, so long.
pub(super) fn cough(random: &mut Random, seconds: f32) -> Vec<f32> {
    let (mut band, mut throat) = (Band::telephone(), Band::around(900.0, 0.6));
    let mut phase = 0.0;
    let count = samples(seconds);
    let sample = |n: usize| {
        let part = n as f32 / count as f32;
        phase = (phase + 170.0 * (1.0 - 0.3 * part) / SAMPLE_RATE).fract();
        let envelope = (part * 20.0).min(1.0) * (1.0 - part).sqrt();
        band.pass(throat.pass(envelope * (random.normal() + 2.0 * (2.0 * phase - 1.0))))
    };
    levelled((0..count).map(sample).collect())
}

fn tones(frequencies: &[f32], seconds: f32) -> Vec<f32> {
    let sample = |n: usize| frequencies.iter().map(|f| (TAU * f * n as f32 / SAMPLE_RATE).sin()).sum();
    (0..samples(seconds)).map(sample).collect()
}

fn levelled(mut track: Vec<f32>) -> Vec<f32> {
    scale_to(&mut track, NOISE_DBFS);
    track
}

fn samples(seconds: f32) -> usize {
    (seconds.max(0.0) * SAMPLE_RATE) as usize
}

/// All of them have the level of a caller's speech; how much softer they are is for the trial to say.
pub(super) const NOISE_DBFS: f32 = super::speech::SPEECH_DBFS;

#[cfg(test)]
mod tests {
    use super::super::mix::active_level;
    use super::*;

    #[test]
    fn every_noise_is_as_loud_as_speech_and_the_same_for_the_same_seed() {
        let made = |seed| {
            let mut random = Random::new(seed);
            [
                white(&mut random, 3.0),
                car(&mut random, 3.0),
                music(&mut random, 3.0),
                ringback(3.0),
                hum(3.0),
                dtmf(&mut random, 3.0),
                calling_fax(3.0),
                answering_fax(3.0),
                baby(&mut random, 3.0),
                cough(&mut random, 0.3),
            ]
        };
        for (n, noise) in made(7).iter().enumerate() {
            let level = active_level(noise).unwrap();
            assert!((level - NOISE_DBFS).abs() < 0.5, "noise {n}: {level}");
        }
        assert_eq!(made(7), made(7));
        assert_ne!(made(7)[0], made(8)[0]);
    }
}
