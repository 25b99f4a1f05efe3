use std::fs;
use std::path::Path;

use super::*;
use crate::codec::Codec;

/// All that the agents shipped with the server say, one clip after the other with 200 ms between them.
fn agent(seconds: usize) -> Vec<i16> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/prompts");
    let mut clips: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.retain(|path| path.extension().is_some_and(|kind| kind == "ulaw"));
    clips.sort();
    let mut said = Vec::new();
    for clip in clips {
        let mulaw = fs::read(clip).unwrap();
        let mut samples = vec![0; mulaw.len()];
        Codec::Pcmu.decode(&mulaw, &mut samples);
        said.extend(samples);
        said.extend([0; 1_600]);
        if said.len() >= seconds * 8_000 {
            break;
        }
    }
    said.resize(seconds * 8_000, 0);
    said
}

/// Another voice: syllables of a buzz through two resonances that move, at about -23 dBFS while it speaks.
fn caller(seconds: usize) -> Vec<i16> {
    let mut noise = Noise(7);
    let (mut phase, mut low, mut high) = (0.0_f32, [0.0_f32; 2], [0.0_f32; 2]);
    (0..seconds * 8_000)
        .map(|n| {
            let time = n as f32 / 8_000.0;
            let syllable = (3.3 * time).fract();
            let envelope = if syllable < 0.65 { (syllable / 0.65 * std::f32::consts::PI).sin() } else { 0.0 };
            let phrase = f32::from(u8::from((0.35 * time).fract() < 0.75));
            phase += (190.0 + 40.0 * (1.3 * time).sin()) / 8_000.0;
            let pulse = if phase >= 1.0 { 9.0 } else { 0.0 } + 0.4 * noise.next();
            phase = phase.fract();
            let vowel = (0.9 * time).sin();
            let voice = resonate(&mut low, pulse, 500.0 + 250.0 * vowel)
                + 0.5 * resonate(&mut high, pulse, 1_500.0 - 500.0 * vowel);
            (voice * envelope * phrase * 900.0).clamp(-30_000.0, 30_000.0) as i16
        })
        .collect()
}

fn resonate(state: &mut [f32; 2], input: f32, hz: f32) -> f32 {
    let radius = 0.96_f32;
    let output = input + 2.0 * radius * (std::f32::consts::TAU * hz / 8_000.0).cos() * state[0]
        - radius * radius * state[1];
    *state = [output, state[0]];
    output
}

struct Noise(u32);

impl Noise {
    /// White, within 1 of 0.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// What becomes of the agent's voice on its way back.
#[derive(Clone, Copy)]
struct EchoWay {
    loss_db: f32,
    delay_ms: usize,
    /// The second half of the call has another delay.
    later_delay_ms: usize,
    dispersion: usize,
    /// How fast the far end's clock is.
    ppm: f64,
    law: Option<Codec>,
    clip: f32,
}

const WAY: EchoWay = EchoWay {
    loss_db: 20.0,
    delay_ms: 180,
    later_delay_ms: 180,
    dispersion: 128,
    ppm: 0.0,
    law: Some(Codec::Pcma),
    clip: 32_767.0,
};

impl EchoWay {
    fn echo(&self, sent: &[i16]) -> Vec<i16> {
        let mut noise = Noise(3);
        let mut taps: Vec<f32> = (0..self.dispersion)
            .map(|n| noise.next() * (-4.0 * n as f32 / self.dispersion as f32).exp())
            .collect();
        taps[self.dispersion / 12] += 2.0;
        let energy: f32 = taps.iter().map(|tap| tap * tap).sum();
        let gain = 10.0_f32.powf(-self.loss_db / 20.0) / energy.sqrt();
        taps.iter_mut().for_each(|tap| *tap *= gain);
        let arrived = self.through_law(sent);
        (0..sent.len())
            .map(|n| {
                let delay = if n < sent.len() / 2 { self.delay_ms } else { self.later_delay_ms };
                let place = n as f64 * (1.0 + self.ppm * 1e-6) - (delay * 8) as f64;
                let (whole, part) = (place.floor() as i64, (place - place.floor()) as f32);
                let at = |k: i64| {
                    usize::try_from(k).ok().and_then(|k| arrived.get(k)).copied().map_or(0.0, f32::from)
                };
                let sum: f32 = taps
                    .iter()
                    .zip(0_i64..)
                    .map(|(tap, k)| tap * ((1.0 - part) * at(whole - k) + part * at(whole + 1 - k)))
                    .sum();
                sum.clamp(-self.clip, self.clip) as i16
            })
            .collect()
    }

    fn through_law(&self, samples: &[i16]) -> Vec<i16> {
        let Some(law) = self.law else { return samples.to_vec() };
        let (mut bytes, mut out) = (vec![0; samples.len()], vec![0; samples.len()]);
        law.encode(samples, &mut bytes);
        law.decode(&bytes, &mut out);
        out
    }
}

/// A call: what was left of each frame, and the level that may be echo.
struct Call {
    canceller: EchoCanceller,
    came: Vec<i16>,
    left: Vec<i16>,
    levels: Vec<f32>,
}

fn run(way: &EchoWay, sent: &[i16], caller: &[i16]) -> Call {
    let echo = way.echo(sent);
    let mut noise = Noise(11);
    let mixed: Vec<i16> = echo
        .iter()
        .zip(caller)
        .map(|(&echo, &caller)| echo.saturating_add(caller).saturating_add((8.0 * noise.next()) as i16))
        .collect();
    let came = way.through_law(&mixed);
    let mut call = Call { canceller: EchoCanceller::new(), came, left: Vec::new(), levels: Vec::new() };
    for (n, (sent, came)) in sent.chunks_exact(160).zip(call.came.chunks_exact(160)).enumerate() {
        let mut frame: [i16; FRAME_SAMPLES] = came.try_into().unwrap();
        call.levels.push(call.canceller.hear(MediaTime(n as u64 * 160), &mut frame));
        call.left.extend(frame);
        call.canceller.send(sent.try_into().unwrap());
    }
    call
}

impl Call {
    /// By how many dB less is left than came, between two times.
    fn erle(&self, from_ms: usize, to_ms: usize) -> f32 {
        let range = from_ms * 8..to_ms * 8;
        10.0 * (power(&self.came[range.clone()]) / power(&self.left[range]).max(1.0)).log10()
    }
}

#[test]
fn an_echo_is_found_within_a_second_and_a_half_measured_and_taken_out() {
    let sent = agent(6);
    let silent = vec![0; sent.len()];
    for (loss_db, least_db) in [(10.0, 15.0), (20.0, 15.0), (30.0, 15.0), (40.0, 7.0)] {
        for (delay_ms, dispersion) in [(40, 128), (180, 24), (480, 256)] {
            let way = EchoWay { loss_db, delay_ms, later_delay_ms: delay_ms, dispersion, ..WAY };
            let call = run(&way, &sent, &silent);
            let what = format!("{loss_db} dB, {delay_ms} ms, {dispersion} taps");
            let gated_ms = call.levels.iter().position(|&level| level > -90.0).unwrap() * 20;
            assert!(gated_ms < 1_500, "{what}: {gated_ms} ms");
            let erle = [call.erle(2_500, 3_500), call.erle(4_000, 6_000)];
            assert!(erle.iter().all(|&erle| erle > least_db), "{what}: {erle:?}");
            let path = call.canceller.path().unwrap();
            assert!((path.return_loss_db - loss_db).abs() < 2.5, "{what}: {path:?}");
            let delay = path.delay.as_secs_f32() * 1_000.0 - delay_ms as f32;
            assert!((-1.0..5.0).contains(&delay), "{what}: {path:?}");
        }
    }
}

#[test]
fn what_is_left_of_an_echo_lies_below_the_level_that_may_be_echo() {
    let sent = agent(8);
    let call = run(&WAY, &sent, &vec![0; sent.len()]);
    let frames = call.left.chunks_exact(160).zip(&call.levels).skip(100);
    let above = frames.filter(|&(left, &level)| dbfs(power(left)) > (level + 6.0).max(-60.0)).count();
    assert!(above <= 6, "{above} frames of 300 sound like a caller");
}

#[test]
fn a_caller_who_talks_over_the_agent_is_left_as_he_is() {
    let sent = agent(14);
    let mut speaks = caller(14);
    speaks[..4 * 8_000].fill(0);
    for loss_db in [10.0, 20.0, 30.0] {
        let call = run(&EchoWay { loss_db, ..WAY }, &sent, &speaks);
        for second in 4..13 {
            let range = second * 8_000..(second + 1) * 8_000;
            let (left, said) = (power(&call.left[range.clone()]), power(&speaks[range]));
            let change = 10.0 * (left / said).log10();
            // Where he is silent there is nothing to change.
            assert!(said < 1e5 || change.abs() < 1.0, "{loss_db} dB, second {second}: {change:.2} dB");
        }
        let off = |heard: &[i16]| -> f32 {
            let off: Vec<i16> = heard.iter().zip(&speaks).map(|(heard, said)| heard - said).collect();
            power(&off[6 * 8_000..])
        };
        assert!(off(&call.left) < 0.7 * off(&call.came), "{loss_db} dB: the echo under him is less");
        assert!(call.canceller.path().is_some());
    }
}

#[test]
fn without_an_echo_nothing_is_touched_or_suspected() {
    let sent = agent(12);
    // Another of the same kind, who says other things and faster.
    let other: Vec<i16> =
        agent(28)[12 * 8_000..].iter().enumerate().filter(|(n, _)| n % 8 > 0).map(|(_, &s)| s).collect();
    for speaks in [caller(12), vec![0; sent.len()], other[..sent.len()].to_vec()] {
        let call = run(&EchoWay { loss_db: 140.0, ..WAY }, &sent, &speaks);
        assert!(call.left == call.came);
        // As long as nobody can know, there may be an echo.
        let known = &call.levels[100..];
        let suspected = known.iter().filter(|&&level| level > -60.0).count();
        assert!(suspected <= 40, "{suspected} frames of 500");
        assert_eq!(call.canceller.path(), None);
    }
}

#[test]
fn an_echo_that_moves_is_followed() {
    let sent = agent(12);
    let silent = vec![0; sent.len()];
    // By a packet or two at once, by anything else within three seconds.
    for (later_delay_ms, within_ms) in [(200, 600), (140, 1_000), (213, 3_000), (313, 3_000)] {
        let call = run(&EchoWay { later_delay_ms, ..WAY }, &sent, &silent);
        let erle = call.erle(6_000 + within_ms, 6_000 + within_ms + 1_000);
        assert!(erle > 10.0, "{later_delay_ms} ms: {erle}");
        let delay = call.canceller.path().unwrap().delay.as_millis();
        assert!((later_delay_ms as u128..later_delay_ms as u128 + 5).contains(&delay), "{delay}");
    }
    for ppm in [100.0, -100.0] {
        let sent = agent(24);
        let call = run(&EchoWay { ppm, ..WAY }, &sent, &vec![0; sent.len()]);
        let erle = call.erle(16_000, 23_000);
        assert!(erle > 10.0, "{ppm}: {erle}");
    }
}

#[test]
fn either_law_and_a_clipped_echo_can_be_cancelled() {
    let sent = agent(6);
    let silent = vec![0; sent.len()];
    for (law, clip) in [(Some(Codec::Pcmu), 32_767.0), (None, 32_767.0), (Some(Codec::Pcma), 400.0)] {
        let call = run(&EchoWay { law, clip, ..WAY }, &sent, &silent);
        let erle = call.erle(3_000, 6_000);
        assert!(erle > 12.0, "{law:?}, {clip}: {erle}");
    }
}

#[test]
fn nothing_that_can_be_heard_breaks_it() {
    let mut noise = Noise(5);
    let mut wild = |n: usize| -> Vec<i16> {
        (0..n).map(|k| if k / 8_000 % 2 == 0 { i16::MIN } else { (noise.next() * 32_767.0) as i16 }).collect()
    };
    let (first, second) = (wild(32_000), wild(32_000));
    let sent = [agent(4), vec![0; 8_000], first, vec![i16::MAX; 8_000], agent(4)].concat();
    let caller = [vec![0; 40_000], second, vec![i16::MIN; 8_000], vec![0; 32_000]].concat();
    let call = run(&WAY, &sent, &caller);
    assert!(call.levels.iter().all(|level| level.is_finite() && (-96.0..=10.0).contains(level)));
    let again = run(&WAY, &sent, &caller);
    assert!(call.left == again.left, "the same call is heard the same way");
}

#[test]
fn frames_that_come_in_bursts_are_placed_by_their_media_time() {
    let sent = agent(6);
    let came = WAY.echo(&sent);
    let mut canceller = EchoCanceller::new();
    let mut left = vec![0; came.len()];
    let mut heard = 0;
    for n in 0..300 {
        // Up to 60 ms late, seven frames of a hundred lost.
        let arrived = n - n % 4;
        while heard <= arrived {
            let range = heard * 160..(heard + 1) * 160;
            let mut frame: [i16; FRAME_SAMPLES] = came[range.clone()].try_into().unwrap();
            if heard % 100 < 93 {
                canceller.hear(MediaTime(heard as u64 * 160), &mut frame);
                left[range].copy_from_slice(&frame);
            }
            heard += 1;
        }
        canceller.send(sent[n * 160..(n + 1) * 160].try_into().unwrap());
    }
    let range = 3 * 8_000..5 * 8_000;
    let erle = 10.0 * (power(&came[range.clone()]) / power(&left[range]).max(1.0)).log10();
    assert!(erle > 15.0, "{erle}");
}

#[test]
fn from_the_agents_first_word_on_its_echo_is_below_what_may_be_echo() {
    let sent = agent(8);
    let silent = vec![0; sent.len()];
    for loss_db in [20.0, 30.0] {
        for delay_ms in [60, 140, 220, 300] {
            let way = EchoWay { loss_db, delay_ms, later_delay_ms: delay_ms, dispersion: 32, ..WAY };
            let call = run(&way, &sent, &silent);
            let frames = call.left.chunks_exact(160).zip(&call.levels);
            let above = frames.filter(|&(left, &level)| dbfs(power(left)) > (level + 6.0).max(-50.0)).count();
            assert!(above <= 1, "{loss_db} dB, {delay_ms} ms: {above} frames of 400 sound like a caller");
        }
    }
}

#[test]
fn an_echo_that_hardly_is_one_does_not_hide_who_talks_over_it() {
    let sent = agent(14);
    let mut speaks = caller(14);
    speaks[..3 * 8_000].fill(0);
    for loss_db in [30.0, 40.0, 50.0] {
        let call = run(&EchoWay { loss_db, ..WAY }, &sent, &speaks);
        let said = speaks.chunks_exact(160).map(power).map(dbfs);
        let loud: Vec<(f32, f32)> =
            said.zip(call.levels.iter().copied()).filter(|(said, _)| *said > -35.0).collect();
        let hidden = loud.iter().filter(|(said, level)| *said < level + 6.0).count();
        assert!(loud.len() > 100 && hidden * 50 <= loud.len(), "{loss_db} dB: {hidden} of {}", loud.len());
    }
}

#[test]
fn a_caller_who_was_silent_for_long_finds_his_echo_known() {
    let sent = agent(14);
    let came = WAY.echo(&sent);
    for silent_ms in [900, 1_200, 2_000, 5_000] {
        let silence = 300..300 + silent_ms / 20;
        let mut canceller = EchoCanceller::new();
        let (mut heard, mut left) = (0.0, 0.0);
        for n in 0..(silence.end + 75).min(sent.len() / 160) {
            let range = n * 160..(n + 1) * 160;
            let mut frame: [i16; FRAME_SAMPLES] = came[range.clone()].try_into().unwrap();
            // Who is silent may send nothing (RFC 3551 section 4.1), and his clock goes on.
            if !silence.contains(&n) {
                canceller.hear(MediaTime(n as u64 * 160), &mut frame);
            }
            if n >= silence.end {
                heard += power(&came[range.clone()]);
                left += power(&frame);
            }
            canceller.send(sent[range].try_into().unwrap());
        }
        let erle = 10.0 * (heard / left.max(1.0_f32)).log10();
        assert!(erle > 15.0, "{silent_ms} ms: {erle}");
    }
}
