//! Makes audio that a speech detector takes for a voice: pulses at a pitch that falls over the sentence, shaped by formants and
//! by an envelope for each letter, with breath between words. Nobody could understand it; it has speech's rhythm and length.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::audio::{Coding, Format};

/// Audio of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The samples.
    pub samples: Vec<i16>,
    /// Each character with when it begins and how long it lasts, in milliseconds.
    pub characters: Vec<(char, u64, u64)>,
}

/// A voice. The same text in the same voice is the same audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Which voice: pitch, colour and noise follow from it.
    pub seed: u64,
    /// How long a letter lasts, about.
    pub character_ms: u64,
}

/// How fast a vendor makes speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// From the text to the first byte.
    pub first_byte: Duration,
    /// Seconds of audio in a second.
    pub speed: f64,
    /// Audio in one piece.
    pub piece: Duration,
}

/// Speech being made: what has been asked for is made one after another.
#[derive(Clone, Debug)]
pub struct Studio {
    voice: Voice,
    pace: Pace,
    format: Format,
    free_at: Duration,
}

/// A piece of audio and when it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When.
    pub due: Duration,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The characters that begin in it, counted from its beginning, in milliseconds.
    pub characters: Vec<(char, u64, u64)>,
}

impl Default for Voice {
    fn default() -> Self {
        Self { seed: 1, character_ms: 65 }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { first_byte: Duration::from_millis(150), speed: 8.0, piece: Duration::from_millis(100) }
    }
}

impl Voice {
    /// Speaks a text.
    pub fn speak(self, text: &str, rate_hz: u32) -> Spoken {
        let mut noise = Noise(
            text.bytes().fold(self.seed, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        );
        let mut spoken = Spoken { samples: Vec::new(), characters: Vec::new() };
        let mut source =
            Source { phase: 0.0, loudness: 0.0, pitch_hz: 110.0 + (self.seed % 8) as f64 * 15.0 };
        let mut at_ms = 0;
        for letter in text.chars() {
            let lasts_ms = self.character_ms.saturating_sub(5) + noise.number() % 11;
            let end = (at_ms + lasts_ms) * u64::from(rate_hz) / 1000;
            let sound = Sound::of(letter);
            while (spoken.samples.len() as u64) < end {
                spoken.samples.push(source.sample(sound, rate_hz, &mut noise));
            }
            spoken.characters.push((letter, at_ms, lasts_ms));
            at_ms += lasts_ms;
            source.pitch_hz = (source.pitch_hz * 0.998).max(80.0);
        }
        spoken
    }
}

impl Studio {
    /// A studio that makes this format.
    pub fn new(voice: Voice, pace: Pace, format: Format) -> Self {
        Self { voice, pace, format, free_at: Duration::ZERO }
    }

    /// The format that it makes.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Speaks a text from now on, or when what was asked before is made.
    pub fn make(&mut self, now: Duration, text: &str) -> Vec<Piece> {
        let spoken = self.voice.speak(text, self.format.rate_hz);
        let begins = self.free_at.max(now + self.pace.first_byte);
        let piece_ms = u64::try_from(self.pace.piece.as_millis()).unwrap_or(u64::MAX).max(1);
        let piece_samples = (piece_ms * u64::from(self.format.rate_hz) / 1000).max(1);
        let samples_per_piece = usize::try_from(piece_samples).unwrap_or(usize::MAX);
        let mut pieces = Vec::new();
        for (number, samples) in spoken.samples.chunks(samples_per_piece).enumerate() {
            let from_ms = number as u64 * piece_ms;
            let is_within = |(_, at, _): &&(char, u64, u64)| (from_ms..from_ms + piece_ms).contains(at);
            let relative = |(letter, at, lasts): &(char, u64, u64)| (*letter, at - from_ms, *lasts);
            let made = self.pace.piece.mul_f64(number as f64 / self.pace.speed);
            pieces.push(Piece {
                due: begins + made,
                bytes: self.format.encoded(samples),
                characters: spoken.characters.iter().filter(is_within).map(relative).collect(),
            });
        }
        let lasts = Duration::from_secs_f64(spoken.samples.len() as f64 / f64::from(self.format.rate_hz));
        self.free_at = begins + lasts.div_f64(self.pace.speed);
        pieces
    }

    /// When everything that was asked for is made.
    pub fn free_at(&self) -> Duration {
        self.free_at
    }

    /// Forgets what was asked for.
    pub fn clear(&mut self) {
        self.free_at = Duration::ZERO;
    }
}

/// Seeded noise (SplitMix64).
#[derive(Clone, Debug)]
pub struct Noise(pub u64);

impl Noise {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from -1 to 1.
    fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// How a character sounds.
#[derive(Clone, Copy)]
struct Sound {
    loudness: f64,
    breath: f64,
    formants_hz: [f64; 2],
}

impl Sound {
    fn of(letter: char) -> Self {
        let code = u32::from(letter.to_ascii_lowercase());
        let formants_hz = [320.0 + f64::from(code % 5) * 110.0, 1_000.0 + f64::from(code % 7) * 190.0];
        let (loudness, breath) = match letter {
            letter if letter.is_whitespace() => (0.12, 0.01),
            '.' | '?' | '!' | ',' | ';' | ':' | '।' | '-' => (0.0, 0.004),
            'a' | 'e' | 'i' | 'o' | 'u' | 'A' | 'E' | 'I' | 'O' | 'U' => (1.0, 0.02),
            's' | 'f' | 'h' | 'S' | 'F' | 'H' => (0.45, 0.12),
            _ => (0.7, 0.04),
        };
        Self { loudness, breath, formants_hz }
    }

    fn at(&self, hz: f64) -> f64 {
        let peak = |centre: f64, width: f64| 1.0 / (1.0 + ((hz - centre) / width).powi(2));
        peak(self.formants_hz[0], 120.0)
            + 0.5 * peak(self.formants_hz[1], 180.0)
            + 0.15 * peak(2_600.0, 300.0)
            + 0.02
    }
}

struct Source {
    phase: f64,
    loudness: f64,
    pitch_hz: f64,
}

impl Source {
    fn sample(&mut self, sound: Sound, rate_hz: u32, noise: &mut Noise) -> i16 {
        let rate = f64::from(rate_hz);
        self.phase = (self.phase + self.pitch_hz / rate).fract();
        // 8 ms from one loudness to the next: no clicks, and syllables that can be told apart.
        self.loudness += (sound.loudness - self.loudness) / (0.008 * rate);
        let highest = 3_400.0_f64.min(rate * 0.45);
        let mut sum = 0.0;
        let mut harmonic = 1.0;
        while harmonic * self.pitch_hz < highest {
            sum += sound.at(harmonic * self.pitch_hz) * (TAU * self.phase * harmonic).sin();
            harmonic += 1.0;
        }
        let breath = sound.breath * noise.unit();
        (PEAK * (0.3 * sum * self.loudness + breath)).clamp(-30_000.0, 30_000.0) as i16
    }
}

/// Brings vowels to about -20 dBFS.
const PEAK: f64 = 9_000.0;

/// Silence in a format, for tests.
pub fn silence(format: Format, duration: Duration) -> Vec<u8> {
    let samples = (duration.as_secs_f64() * f64::from(format.rate_hz)).round() as usize;
    vec![format.coding.silence(); samples * format.coding.bytes()]
}

/// A caller's audio: these utterances with silence before and behind each.
pub fn caller(format: Format, utterances: &[&str], pause: Duration) -> Vec<u8> {
    let mut bytes = silence(format, pause);
    for utterance in utterances {
        let words = Voice { seed: 5, ..Voice::default() }.speak(utterance, format.rate_hz);
        bytes.extend(format.encoded(&words.samples));
        bytes.extend(silence(format, pause));
    }
    bytes
}

/// G.711 mu-law, what telephones carry.
pub const MULAW_8K: Format = Format::new(Coding::Mulaw, 8_000);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::rms;

    const TEXT: &str = "Namaste, aapka order kal tak pahunch jayega.";

    #[test]
    fn the_same_voice_says_the_same_thing_the_same_way() {
        let voice = Voice::default();
        assert_eq!(voice.speak(TEXT, 8_000), voice.speak(TEXT, 8_000));
        assert_ne!(voice.speak(TEXT, 8_000), Voice { seed: 2, ..voice }.speak(TEXT, 8_000));
    }

    #[test]
    fn it_lasts_as_long_as_speech_and_is_never_digital_silence() {
        for rate in [8_000, 16_000, 24_000] {
            let spoken = Voice::default().speak(TEXT, rate);
            let per_character = spoken.samples.len() as f64 / f64::from(rate) * 1000.0 / TEXT.len() as f64;
            assert!((60.0..=70.0).contains(&per_character), "{per_character} ms at {rate}");
            let level = rms(&spoken.samples);
            assert!((1_500.0..6_000.0).contains(&level), "{level} at {rate}");
            let quiet =
                spoken.samples.chunks(rate as usize / 100).filter(|ten_ms| ten_ms.iter().all(|s| *s == 0));
            assert_eq!(quiet.count(), 0);
        }
    }

    #[test]
    fn a_speech_detector_takes_it_for_a_voice() {
        for seed in 1..4 {
            let spoken = Voice { seed, ..Voice::default() }.speak(TEXT, 8_000);
            let mut vad = webrtc_vad::Vad::new_with_rate_and_mode(
                webrtc_vad::SampleRate::Rate8kHz,
                webrtc_vad::VadMode::Aggressive,
            );
            let frames: Vec<_> = spoken.samples.chunks_exact(160).collect();
            let heard = frames.iter().filter(|frame| vad.is_voice_segment(frame).unwrap()).count();
            assert!(heard * 10 >= frames.len() * 8, "{heard} of {} in voice {seed}", frames.len());
        }
    }

    #[test]
    fn a_studio_is_faster_than_speech_and_keeps_order() {
        let mut studio = Studio::new(Voice::default(), Pace::default(), MULAW_8K);
        let first = studio.make(Duration::from_secs(1), "Hello there.");
        assert_eq!(first[0].due, Duration::from_millis(1_150));
        let second = studio.make(Duration::from_secs(1), "And more.");
        assert!(second[0].due > first.last().unwrap().due);
        let bytes: usize = first.iter().map(|piece| piece.bytes.len()).sum();
        let audio = Duration::from_millis(bytes as u64 / 8);
        assert!(first.last().unwrap().due < Duration::from_secs(1) + audio);
        let text: String = first.iter().flat_map(|piece| &piece.characters).map(|(c, _, _)| *c).collect();
        assert_eq!(text, "Hello there.");
    }
}
