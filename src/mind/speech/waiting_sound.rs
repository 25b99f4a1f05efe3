//! What a caller hears of an agent that is at work: the keys of a keyboard, or a sound of the operator's own. It is so soft that nobody takes it for
//! the agent's voice, neither people nor what measures the voice's loudness.

use std::fmt;
use std::sync::Arc;

use super::SAMPLE_RATE_HZ;

/// A sound that goes on and on. Its end fits its beginning as well as the file's maker has made it.
#[derive(Clone, PartialEq, Eq)]
pub struct WaitingSound(Arc<[i16]>);

impl WaitingSound {
    /// Somebody types: always the same keys.
    pub fn typing() -> Self {
        let mut noise = Noise(0x5EED_CA11);
        let mut sound = vec![0.0; TYPING_SAMPLES];
        let mut at = 0;
        while at < TYPING_SAMPLES {
            let loud = 0.5 + 0.5 * noise.share();
            strike(&mut sound, at, loud, &mut noise);
            // The key comes up again.
            strike(&mut sound, at + millis(60) + noise.below(millis(30)), 0.3 * loud, &mut noise);
            // Words are typed in one go, and between them one thinks.
            let pause = if noise.below(5) == 0 { millis(300) } else { 0 };
            at += millis(90) + noise.below(millis(80)) + pause;
        }
        Self(soft(&sound))
    }

    /// A sound at 8 kHz; none if it has less than 200 ms, or nothing is heard of it.
    pub fn new(samples: &[i16]) -> Option<Self> {
        let is_heard = samples.iter().any(|sample| *sample != 0);
        let sound: Vec<f32> = samples.iter().map(|sample| f32::from(*sample)).collect();
        (is_heard && samples.len() >= LEAST_SAMPLES).then(|| Self(soft(&sound)))
    }

    /// So many samples from there on, again from the beginning behind the end. Begins and ends without a click.
    pub fn piece(&self, from: usize, samples: usize) -> Vec<i16> {
        let mut piece: Vec<i16> =
            self.0.iter().cycle().skip(from % self.0.len()).take(samples).copied().collect();
        let fade = FADE_SAMPLES.min(piece.len() / 2);
        let end = piece.len();
        for at in 0..fade {
            let share = |sample: i16| (i32::from(sample) * at as i32 / FADE_SAMPLES as i32) as i16;
            piece[at] = share(piece[at]);
            piece[end - 1 - at] = share(piece[end - 1 - at]);
        }
        piece
    }
}

impl fmt::Debug for WaitingSound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WaitingSound({} samples)", self.0.len())
    }
}

/// A key that is struck: a few milliseconds of noise that die away. What is behind the end is at the beginning, so that it can go round.
fn strike(sound: &mut [f32], at: usize, loud: f32, noise: &mut Noise) {
    let mut before = 0.0;
    for step in 0..millis(12) {
        let now = 2.0 * noise.share() - 1.0;
        let dies_away = (-(step as f32) / millis(2) as f32).exp();
        sound[(at + step) % TYPING_SAMPLES] += loud * dies_away * (now - before);
        before = 0.6 * now;
    }
}

/// As loud as it may be where it is loudest.
fn soft(sound: &[f32]) -> Arc<[i16]> {
    let power =
        |block: &[f32]| block.iter().map(|sample| sample * sample).sum::<f32>() / BLOCK_SAMPLES as f32;
    // Wherever a block begins.
    let loudest = sound.windows(BLOCK_SAMPLES).step_by(BLOCK_SAMPLES / 8).map(power).fold(0.0, f32::max);
    let gain = MOST_RMS / loudest.sqrt().max(f32::MIN_POSITIVE);
    let scale = |sample: &f32| (sample * gain).clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
    sound.iter().map(scale).collect()
}

/// Numbers that look random and are always the same (xorshift).
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn share(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 24) as f32
    }

    fn below(&mut self, most: usize) -> usize {
        self.next() as usize % most
    }
}

const fn millis(ms: usize) -> usize {
    ms * SAMPLE_RATE_HZ as usize / 1_000
}

/// Long enough not to be known again at once.
const TYPING_SAMPLES: usize = millis(2_800);
const LEAST_SAMPLES: usize = millis(200);
const FADE_SAMPLES: usize = millis(10);
/// 10 ms, as loudness is measured.
const BLOCK_SAMPLES: usize = millis(10);
/// -46 dBFS: below all that is taken for a voice, 26 dB below the agent.
const MOST_RMS: f32 = 164.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn loudest(samples: &[i16]) -> f32 {
        let rms = |block: &[i16]| {
            let sum: f32 = block.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
            (sum / block.len() as f32).sqrt()
        };
        samples.chunks(BLOCK_SAMPLES).map(rms).fold(0.0, f32::max)
    }

    #[test]
    fn typing_is_soft_goes_round_and_is_always_the_same() {
        let typing = WaitingSound::typing();
        assert_eq!(typing, WaitingSound::typing());
        assert_eq!(typing.0.len(), TYPING_SAMPLES);
        let round = typing.piece(1_000, 3 * TYPING_SAMPLES);
        assert!((100.0..MOST_RMS * 1.1).contains(&loudest(&round)), "{}", loudest(&round));
        assert_eq!(round[FADE_SAMPLES], round[TYPING_SAMPLES + FADE_SAMPLES]);
        // Keys and the time between them: neither silence nor noise without end.
        let is_struck = |block: &&[i16]| block.iter().any(|sample| sample.abs() > 60);
        let struck = typing.0.chunks(BLOCK_SAMPLES).filter(is_struck).count();
        assert!((15..120).contains(&struck), "{struck}");
    }

    #[test]
    fn every_piece_begins_and_ends_softly() {
        let hum = WaitingSound::new(&[8_000; 4_000]).unwrap();
        let piece = hum.piece(3_900, 1_000);
        assert_eq!(piece.len(), 1_000);
        assert!(piece[0] == 0 && piece[999] == 0);
        assert!(piece.windows(2).all(|two| (two[0] - two[1]).abs() <= 4), "no step is heard");
        assert!(hum.piece(0, 0).is_empty());
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        assert_eq!(WaitingSound::new(&[0; 9_000]), None);
        assert_eq!(WaitingSound::new(&[900; 900]), None);
    }
}
