//! How simulated recognizers hear: bursts of speech are found by their energy, and the n-th burst has the words of the n-th
//! utterance of a script.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::audio::rms;

/// What callers will say. Copies share how far they are: who reconnects goes on with the same utterance.
#[derive(Clone, Debug)]
pub struct Script(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    utterances: Vec<String>,
    next: usize,
}

/// How a recognizer hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Silence that ends a burst.
    pub silence: Duration,
    /// How often words are told while they are said, in audio.
    pub partials_every: Duration,
    /// From the audio to what is told of it.
    pub latency: Duration,
    /// How long a character takes to say.
    pub character: Duration,
}

/// A word and when it was said, from the beginning of the connection's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its beginning.
    pub start: Duration,
    /// Its end.
    pub end: Duration,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody begins to speak.
    Started {
        /// When, in audio.
        at: Duration,
    },
    /// The words so far.
    Partial(Burst),
    /// The words of a burst that is over.
    Ended(Burst),
}

/// A burst of speech.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Which one of this connection, from 0.
    pub number: usize,
    /// Where its speech begins.
    pub start: Duration,
    /// Where its speech ends, as far as it is known.
    pub end: Duration,
    /// Its words.
    pub words: Vec<Word>,
}

/// A recognizer's ear: samples go in, what is heard comes out.
#[derive(Clone, Debug)]
pub struct Ear {
    script: Script,
    manner: Manner,
    rate_hz: u32,
    rest: Vec<i16>,
    heard_frames: u32,
    loud_in_a_row: u32,
    bursts: usize,
    burst: Option<Open>,
}

/// A burst that is not over.
#[derive(Clone, Debug)]
struct Open {
    line: Vec<String>,
    start: Duration,
    loud_until: Duration,
    told: Duration,
    told_words: usize,
}

impl Script {
    /// These utterances.
    pub fn new<'a>(utterances: impl IntoIterator<Item = &'a str>) -> Self {
        let utterances = utterances.into_iter().map(str::to_owned).collect();
        Self(Arc::new(Mutex::new(Lines { utterances, next: 0 })))
    }

    /// How many utterances have been heard to their end.
    pub fn heard(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    fn current(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.utterances.get(lines.next);
        line.map(|line| line.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
    }

    fn advance(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next += 1;
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            silence: Duration::from_millis(300),
            partials_every: Duration::from_millis(120),
            latency: Duration::from_millis(150),
            character: Duration::from_millis(65),
        }
    }
}

impl Burst {
    /// Its words as a text.
    pub fn text(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }
}

impl Ear {
    /// An ear for audio of this rate.
    pub fn new(script: Script, manner: Manner, rate_hz: u32) -> Self {
        Self {
            script,
            manner,
            rate_hz,
            rest: Vec::new(),
            heard_frames: 0,
            loud_in_a_row: 0,
            bursts: 0,
            burst: None,
        }
    }

    /// How much audio came.
    pub fn position(&self) -> Duration {
        FRAME * self.heard_frames
    }

    /// Whether somebody is speaking, and silence has not lasted long enough to say that it is over.
    pub fn is_speech(&self) -> bool {
        self.burst.is_some()
    }

    /// For how long it has been quiet within speech that is not over; `None` outside of speech.
    pub fn quiet_for(&self) -> Option<Duration> {
        self.burst.as_ref().map(|open| self.position().saturating_sub(open.loud_until))
    }

    /// What a flush would bring, without the flush.
    pub fn preview(&self) -> Option<Burst> {
        self.burst.as_ref().map(|open| self.whole(open))
    }

    /// Hears samples.
    pub fn hear(&mut self, samples: &[i16]) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.rest.extend_from_slice(samples);
        let length = (self.rate_hz as usize / 100).max(1);
        let all = std::mem::take(&mut self.rest);
        let frames = all.chunks_exact(length);
        self.rest = frames.remainder().to_vec();
        for frame in frames {
            self.hear_frame(rms(frame) >= LOUD, &mut heard);
        }
        heard
    }

    /// Ends the burst at once, if there is one.
    pub fn flush(&mut self) -> Option<Burst> {
        self.burst.take().map(|open| self.end(&open))
    }

    fn hear_frame(&mut self, is_loud: bool, heard: &mut Vec<Heard>) {
        self.heard_frames += 1;
        let now = self.position();
        self.loud_in_a_row = if is_loud { self.loud_in_a_row + 1 } else { 0 };
        let Some(open) = &mut self.burst else {
            if self.loud_in_a_row == FRAMES_OF_SPEECH {
                let start = now.saturating_sub(FRAME * FRAMES_OF_SPEECH);
                let line = self.script.current();
                self.burst = Some(Open { line, start, loud_until: now, told: now, told_words: 0 });
                heard.push(Heard::Started { at: start });
            }
            return;
        };
        if is_loud {
            open.loud_until = now;
        }
        // Syllables are apart by up to 100 ms; no recognizer takes that for the end.
        if now - open.loud_until >= self.manner.silence.max(SHORTEST_SILENCE) {
            heard.extend(self.flush().map(Heard::Ended));
        } else if now - open.told >= self.manner.partials_every {
            open.told = now;
            let words = words_by(&open.line, open.start, open.loud_until, self.manner.character);
            if words.len() > open.told_words {
                open.told_words = words.len();
                let (number, start, end) = (self.bursts, open.start, open.loud_until);
                heard.push(Heard::Partial(Burst { number, start, end, words }));
            }
        }
    }

    fn end(&mut self, open: &Open) -> Burst {
        let burst = self.whole(open);
        self.script.advance();
        self.bursts += 1;
        burst
    }

    fn whole(&self, open: &Open) -> Burst {
        let characters: usize = open.line.iter().map(|word| word.chars().count() + 1).sum();
        let length = open.loud_until.saturating_sub(open.start);
        let character = length / u32::try_from(characters.max(1)).unwrap_or(u32::MAX);
        // What was said faster than expected is pressed together, so that every word lies within the speech.
        let words = words_by(&open.line, open.start, open.loud_until, character.min(self.manner.character));
        Burst { number: self.bursts, start: open.start, end: open.loud_until, words }
    }
}

/// The words whose last character has been said by a time.
fn words_by(line: &[String], start: Duration, by: Duration, character: Duration) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = start;
    for text in line {
        let end = at + character * u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        if end > by {
            break;
        }
        words.push(Word { text: text.clone(), start: at, end });
        at = end + character;
    }
    words
}

/// Audio is judged in pieces of this length.
const FRAME: Duration = Duration::from_millis(10);

/// 30 ms: clicks are shorter.
const FRAMES_OF_SPEECH: u32 = 3;

/// -36 dBFS: callers are louder, and lines are softer.
const LOUD: f64 = 500.0;

const SHORTEST_SILENCE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Coding, Format};
    use crate::voice;

    const PCM: Format = Format::new(Coding::Linear16, 8_000);

    fn hear(ear: &mut Ear, bytes: &[u8]) -> Vec<Heard> {
        PCM.decoded(bytes).chunks(160).flat_map(|samples| ear.hear(samples)).collect()
    }

    #[test]
    fn each_burst_has_the_words_of_its_utterance() {
        let lines = ["mera order kahan hai", "haan"];
        let script = Script::new(lines);
        let mut ear = Ear::new(script.clone(), Manner::default(), 8_000);
        let heard = hear(&mut ear, &voice::caller(PCM, &lines, Duration::from_millis(800)));
        let finals: Vec<_> = heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Ended(burst) => Some(burst.text()),
                Heard::Started { .. } | Heard::Partial(_) => None,
            })
            .collect();
        assert_eq!(finals, lines);
        assert_eq!(script.heard(), 2);
        let partials = heard.iter().filter(|heard| matches!(heard, Heard::Partial(_))).count();
        assert!(partials >= 3, "{heard:?}");
    }

    #[test]
    fn words_lie_within_the_speech_in_their_order() {
        let mut ear = Ear::new(Script::new(["ek do teen chaar paanch"]), Manner::default(), 8_000);
        let heard = hear(&mut ear, &voice::caller(PCM, &["ek do teen"], Duration::from_millis(700)));
        let Some(Heard::Ended(burst)) = heard.last() else { panic!("{heard:?}") };
        assert_eq!(burst.words.len(), 5);
        assert!(burst.start >= Duration::from_millis(680) && burst.words[0].start == burst.start);
        assert!(burst.words.windows(2).all(|two| two[0].end <= two[1].start));
        assert!(burst.words[4].end <= burst.end);
    }

    #[test]
    fn a_line_that_is_only_noisy_has_no_words_and_a_flush_ends_a_burst() {
        let mut ear = Ear::new(Script::new(["haan"]), Manner::default(), 8_000);
        let hiss: Vec<i16> = (0..8_000).map(|n| if n % 3 == 0 { 200 } else { -90 }).collect();
        assert!(ear.hear(&hiss).is_empty() && ear.flush().is_none());
        let heard = hear(&mut ear, &voice::caller(PCM, &["haan"], Duration::from_millis(50)));
        assert!(matches!(heard[0], Heard::Started { .. }));
        assert_eq!(ear.flush().map(|burst| burst.text()), Some("haan".to_owned()));
        assert!(ear.flush().is_none());
    }
}
