//! Speech by a synthesizer, made to sound like a caller's, and where in it is speech: measured on the clean audio and not taken
//! from the text.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use super::mix::{Band, active_level, scale_to};
use super::phrases::{Phrase, Tongue};
use crate::eval::labels::{Span, Word};

/// Somebody who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Talker {
    /// espeak-ng's name of the voice.
    pub voice: &'static str,
    /// Words per minute.
    pub words_per_minute: u16,
    /// Pitch, 0-99; 50 is the voice's own.
    pub pitch: u8,
}

/// Speaks texts as 8 kHz mono.
pub trait Synthesize: Sync + fmt::Debug {
    /// Speaks one text.
    ///
    /// # Errors
    /// One line that says why nothing was spoken, and what to do about it.
    fn speak(&self, talker: &Talker, text: &str) -> Result<Vec<i16>, String>;
}

/// Something that was said, clean and at the usual level, with its labels.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    /// From the first sound of the first part to the last of the last.
    pub(super) samples: Vec<f32>,
    /// Where there is speech; the pauses between parts are left out.
    pub(super) speech: Vec<Span>,
    pub(super) words: Vec<Word>,
    pub(super) language: &'static str,
}

/// A part of a phrase: the speech between two pauses.
#[derive(Clone, Debug)]
pub(super) struct Part {
    samples: Vec<f32>,
    words: Vec<(String, f32)>,
}

/// A phrase as one talker says it, its pauses not yet made.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    parts: Vec<Part>,
    language: &'static str,
}

impl Spoken {
    /// Has it spoken.
    pub(super) fn render(
        synthesizer: &dyn Synthesize,
        talker: &Talker,
        phrase: &Phrase,
    ) -> Result<Self, String> {
        let written = phrase.written.split('|').map(str::trim);
        let parts = phrase.spoken.split('|').map(str::trim).zip(written);
        let parts = parts.map(|(spoken, written)| Part::render(synthesizer, talker, spoken, written));
        let language = match phrase.tongue {
            Tongue::English => "en",
            Tongue::Hindi => "hi",
            Tongue::Hinglish => "hi-Latn",
        };
        Ok(Self { parts: parts.collect::<Result<_, _>>()?, language })
    }

    /// With pauses of so many milliseconds.
    pub(super) fn with_pauses(&self, pause_ms: u32) -> Clip {
        let (mut samples, mut speech, mut words) = (Vec::new(), Vec::new(), Vec::new());
        for (n, part) in self.parts.iter().enumerate() {
            if n > 0 {
                samples.resize(samples.len() + pause_ms as usize * SAMPLES_PER_MS, 0.0);
            }
            let begin_ms = ms_of(samples.len());
            samples.extend(&part.samples);
            let end_ms = ms_of(samples.len());
            speech.push(Span { begin_ms, end_ms });
            let mut word_begin = begin_ms as f32;
            for (text, share) in &part.words {
                let word_end = word_begin + share * (end_ms - begin_ms) as f32;
                words.push(Word {
                    text: text.clone(),
                    begin_ms: word_begin.round() as u32,
                    end_ms: word_end.round() as u32,
                });
                word_begin = word_end;
            }
        }
        Clip { samples, speech, words, language: self.language }
    }
}
impl Part {
    fn render(
        synthesizer: &dyn Synthesize,
        talker: &Talker,
        spoken: &str,
        written: &str,
    ) -> Result<Self, String> {
        let samples = telephone(&synthesizer.speak(talker, spoken)?);
        let Some(range) = audible(&samples) else {
            return Err(format!("espeak-ng spoke nothing for {spoken:?} with the voice {}", talker.voice));
        };
        let mut samples = samples[range].to_vec();
        scale_to(&mut samples, SPEECH_DBFS);
        let weights: Vec<(String, f32)> =
            written.split_whitespace().map(|word| (word.to_owned(), weight(word))).collect();
        let total: f32 = weights.iter().map(|(_, weight)| weight).sum();
        let words = weights.into_iter().map(|(word, weight)| (word, weight / total)).collect();
        Ok(Self { samples, words })
    }
}

/// What the telephone leaves of a voice.
pub(super) fn telephone(samples: &[i16]) -> Vec<f32> {
    let mut band = Band::telephone();
    samples.iter().map(|&sample| band.pass(f32::from(sample))).collect()
}

/// How long a word is among others: its letters, and a little for its beginning. Boundaries between words matter only for the
/// moment in which a recognizer tells of them, which is scattered by far more.
fn weight(word: &str) -> f32 {
    2.0 + word.chars().filter(|letter| letter.is_alphanumeric()).count() as f32
}

/// From the first 5 ms with sound to the last: what lies 30 dB or more below the speech is not heard as speech.
fn audible(samples: &[f32]) -> Option<std::ops::Range<usize>> {
    let floor = active_level(samples)? - AUDIBLE_DB;
    let is_audible = |block: &[f32]| super::mix::level(block) > floor;
    let first = samples.chunks(BLOCK).position(is_audible)?;
    let last = samples.chunks(BLOCK).rposition(is_audible)?;
    Some(first * BLOCK..((last + 1) * BLOCK).min(samples.len()))
}

/// All phrases that a set needs, each said by its talkers.
#[derive(Debug, Default)]
pub(super) struct Spoke(BTreeMap<(Talker, &'static str), Spoken>);

impl Spoke {
    /// What this talker said.
    pub(super) fn phrase(
        &mut self,
        synthesizer: &dyn Synthesize,
        talker: &Talker,
        phrase: &Phrase,
    ) -> Result<&Spoken, String> {
        match self.0.entry((*talker, phrase.written)) {
            Entry::Occupied(spoken) => Ok(spoken.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Spoken::render(synthesizer, talker, phrase)?)),
        }
    }
}

fn ms_of(samples: usize) -> u32 {
    u32::try_from(samples / SAMPLES_PER_MS).unwrap_or(u32::MAX)
}

/// Callers: two languages, high and low voices, fast and slow.
pub(super) fn talkers(tongue: Tongue) -> &'static [Talker] {
    match tongue {
        Tongue::English => ENGLISH,
        Tongue::Hindi | Tongue::Hinglish => HINDI,
    }
}

const fn talker(voice: &'static str, words_per_minute: u16, pitch: u8) -> Talker {
    Talker { voice, words_per_minute, pitch }
}

const ENGLISH: &[Talker] = &[
    talker("en-gb", 150, 50),
    talker("en-us+f3", 165, 60),
    talker("en-gb+m3", 140, 40),
    talker("en-us+f2", 175, 55),
];
const HINDI: &[Talker] =
    &[talker("hi", 150, 50), talker("hi+f2", 165, 60), talker("hi+m3", 140, 38), talker("hi+f4", 175, 50)];
/// Those who are only heard in the background.
pub(super) const CROWD: &[Talker] = &[
    talker("en-us+m1", 150, 45),
    talker("hi+f1", 160, 55),
    talker("en-gb+f5", 170, 62),
    talker("hi+m7", 145, 35),
    talker("en-us+f4", 155, 48),
    talker("hi+m1", 175, 55),
    talker("en-gb+m5", 165, 42),
    talker("hi+f3", 140, 65),
];

pub(super) const SAMPLES_PER_MS: usize = 8;
/// 5 ms.
const BLOCK: usize = 40;
const AUDIBLE_DB: f32 = 30.0;
/// Loudness of callers before their own gain.
pub(super) const SPEECH_DBFS: f32 = -24.0;
