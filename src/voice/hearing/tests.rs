//! Talkers and rooms, to the real detector. The talkers are the shipped prompts, without their pauses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use caly_rtp::codec::Codec;

use super::super::settings::{AudioSettings, EchoCancellation};
use super::super::vad::WebRtc;
use super::*;
use crate::seed::Seeds;

const SECOND: usize = 8000;

/// Half a minute of speech without a pause of more than 80 ms, at -22 dBFS.
fn talk() -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prompts");
    let mut clips: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.retain(|path| path.extension().is_some_and(|extension| extension == "ulaw"));
    clips.sort();
    let mut talk = Vec::new();
    let mut quiet_frames = 0;
    for payload in clips.iter().flat_map(|path| {
        let payload = std::fs::read(path).unwrap();
        payload.chunks_exact(FRAME_SAMPLES).map(<[u8]>::to_vec).collect::<Vec<_>>()
    }) {
        let mut samples = [0; FRAME_SAMPLES];
        Codec::Pcmu.decode(&payload, &mut samples);
        quiet_frames = if level::dbfs(&samples) < -45.0 { quiet_frames + 1 } else { 0 };
        if quiet_frames <= 4 {
            talk.extend(samples.map(f32::from));
        }
        if talk.len() >= 30 * SECOND {
            break;
        }
    }
    assert!(talk.len() >= 30 * SECOND);
    at(-22.0, talk)
}

/// The samples at that level.
fn at(dbfs: f32, samples: Vec<f32>) -> Vec<f32> {
    let mean = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
    let factor = 32_768.0 * 10_f32.powf(dbfs / 20.0) / mean.sqrt();
    samples.into_iter().map(|sample| sample * factor).collect()
}

/// Eight at once, none of them louder than the others, at -30 dBFS.
fn babble(talk: &[f32]) -> Vec<f32> {
    let voice = |n: usize| talk.iter().cycle().skip(n * 29_000);
    let sum = (0..30 * SECOND).scan((0..8).map(voice).collect::<Vec<_>>(), |voices, _| {
        Some(voices.iter_mut().map(|voice| voice.next().unwrap()).sum())
    });
    at(-30.0, sum.collect())
}

fn noise(dbfs: f32) -> Vec<f32> {
    let mut seeds = Seeds::new([1, 2]);
    at(dbfs, (0..30 * SECOND).map(|_| (seeds.next_u64() % 20_001) as f32 - 10_000.0).collect())
}

/// One begins after so many seconds, the other was there before.
fn over(room: &[f32], seconds: usize, talker: &[f32]) -> Vec<f32> {
    let talker = std::iter::repeat_n(&0.0, seconds * SECOND).chain(talker);
    room.iter().zip(talker).map(|(room, talker)| room + talker).collect()
}

fn louder(db: f32, samples: &[f32]) -> Vec<f32> {
    samples.iter().map(|sample| sample * 10_f32.powf(db / 20.0)).collect()
}

fn frame(samples: &[f32]) -> Frame {
    Frame { samples: samples.iter().map(|sample| *sample as i16).collect(), ..Frame::default() }
}

fn ears() -> Hearing {
    Hearing::new(Box::new(WebRtc::new()), &Detection::default())
}

/// How much of the time from that second on is within runs of speech, in percent.
fn percent_spoken(samples: &[f32], from_second: usize) -> usize {
    let mut ears = ears();
    let runs: Vec<bool> = samples
        .chunks_exact(FRAME_SAMPLES)
        .map(|samples| {
            ears.hear(&frame(samples), &mut plain());
            ears.run.is_speech
        })
        .collect();
    let late = &runs[from_second * 50..];
    late.iter().filter(|&&is_speech| is_speech).count() * 100 / late.len()
}

#[test]
fn who_talks_without_a_pause_is_heard_however_softly_and_from_the_first_word() {
    let talk = talk();
    for db in [0.0, -12.0, -18.0] {
        let talk = louder(db, &talk);
        let spoken = percent_spoken(&talk, 4);
        assert!(spoken >= 90, "{db} dB, in silence: {spoken} %");
        for second in [0, 3] {
            let spoken = percent_spoken(&over(&noise(-42.0 + db), second, &talk), second + 4);
            assert!(spoken >= 80, "{db} dB, noise 20 dB below, {second} s before: {spoken} %");
        }
    }
    let spoken = percent_spoken(&over(&noise(-32.0), 3, &talk), 7);
    assert!(spoken >= 90, "noise 10 dB below: {spoken} %");
}

#[test]
fn a_room_full_of_voices_is_a_room_from_the_first_frame_or_later_and_who_is_louder_is_heard() {
    let talk = talk();
    let babble = babble(&talk);
    assert_eq!(percent_spoken(&babble, 5), 0);
    for rise in [10.0, 20.0, 40.0] {
        let rising = [&louder(-rise, &babble)[..6 * SECOND], &babble[..24 * SECOND]].concat();
        assert_eq!(percent_spoken(&rising, 11), 0, "by {rise} dB");
    }
    // Quieter again, it is what it was before.
    let falling = [&babble[..10 * SECOND], &louder(-20.0, &babble)[..20 * SECOND]].concat();
    assert_eq!(percent_spoken(&falling, 15), 0);
    // Who speaks from the first frame on without a pause is a part of the room that is learned then.
    for (second, most) in [(0, 60), (6, 90)] {
        let spoken = percent_spoken(&over(&babble, second, &louder(2.0, &talk)), second + 4);
        assert!(spoken >= most, "10 dB louder, after {second} s: {spoken} %");
    }
}

#[test]
fn frames_of_any_length_are_judged_by_20_ms() {
    let talk = talk();
    let whole: Vec<Judged> = {
        let (mut ears, mut plain) = (ears(), plain());
        talk.chunks_exact(FRAME_SAMPLES).flat_map(|samples| ears.hear(&frame(samples), &mut plain)).collect()
    };
    for length in [1, 80, 240, MAX_FRAME_SAMPLES] {
        let (mut ears, mut plain) = (ears(), plain());
        let judged: Vec<Judged> =
            talk.chunks(length).flat_map(|samples| ears.hear(&frame(samples), &mut plain)).collect();
        assert_eq!(judged, whole, "{length} samples");
    }
}

#[test]
fn what_is_made_up_begins_nothing_and_what_is_silence_ends_it() {
    let talk = talk();
    let known = Detection { learn_room: Duration::ZERO, ..Detection::default() };
    let mut ears = Hearing::new(Box::new(WebRtc::new()), &known);
    let mut hear = |n: usize, kind| {
        let mut frame = frame(&talk[n * FRAME_SAMPLES..][..FRAME_SAMPLES]);
        frame.kind = kind;
        ears.hear(&frame, &mut plain())[0]
    };
    let edges = |judged: Vec<Judged>| -> Vec<Edge> { judged.iter().filter_map(|one| one.edge).collect() };
    assert_eq!(edges((0..50).map(|n| hear(n, FrameKind::Concealed)).collect()), []);
    assert_eq!(edges((50..100).map(|n| hear(n, FrameKind::Voice)).collect()), [Edge::Begin]);
    assert!((100..120).any(|n| hear(n, FrameKind::Concealed).is_speech));
    (120..130).for_each(|n| assert_eq!(hear(n, FrameKind::Voice).edge, None));
    let ended = edges((130..160).map(|n| hear(n, FrameKind::ComfortNoise)).collect());
    let [Edge::End { speech, silence }] = ended[..] else { panic!("{ended:?}") };
    assert_eq!(silence, Duration::from_millis(200));
    assert!((1200..=1600).contains(&speech.as_millis()), "{speech:?}");
}

/// Nothing is done to what is heard.
fn plain() -> Conditioning {
    let audio = AudioSettings { echo_cancellation: EchoCancellation::Off, ..AudioSettings::default() };
    Conditioning::new(audio, None)
}
