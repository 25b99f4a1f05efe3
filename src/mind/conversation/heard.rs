//! What of an utterance was heard: by the times of its words where the synthesizer tells them, else by how much of its sound there is.

use std::time::Duration;

use caly_provider::tts::SpokenWord;

/// The text of an utterance as it came to be spoken.
#[derive(Clone, Debug, Default)]
pub(in crate::mind) struct SpokenText {
    chunks: Vec<SpokenChunk>,
    words: Vec<SpokenWord>,
    /// Sound so far.
    sound: Duration,
}

#[derive(Clone, Debug)]
struct SpokenChunk {
    text: String,
    ends: Option<Duration>,
}

impl SpokenText {
    /// One more chunk of text.
    pub(in crate::mind) fn chunk(&mut self, text: &str) {
        self.chunks.push(SpokenChunk { text: text.to_owned(), ends: None });
    }

    /// More text of the chunk that is being said.
    pub(in crate::mind) fn more(&mut self, text: &str) {
        match self.chunks.last_mut().filter(|chunk| chunk.ends.is_none()) {
            Some(chunk) => chunk.text.push_str(text),
            None => self.chunk(text),
        }
    }

    /// More sound.
    pub(in crate::mind) fn sound(&mut self, sound: Duration) {
        self.sound += sound;
    }

    /// The sound of one more chunk is complete.
    pub(in crate::mind) fn chunk_ends(&mut self) {
        let sound = self.sound;
        if let Some(chunk) = self.chunks.iter_mut().find(|chunk| chunk.ends.is_none()) {
            chunk.ends = Some(sound);
        }
    }

    /// When words are heard.
    pub(in crate::mind) fn words(&mut self, words: &[SpokenWord]) {
        self.words.extend_from_slice(words);
    }

    /// How much sound there is so far.
    pub(in crate::mind) fn sound_so_far(&self) -> Duration {
        self.sound
    }

    /// Whether most of its sound has come, as far as can be told.
    pub(in crate::mind) fn is_mostly_sound(&self) -> bool {
        let whole: Duration = self.chunks.iter().map(|chunk| spoken_time(&chunk.text)).sum();
        self.chunks.iter().all(|chunk| chunk.ends.is_some()) || self.sound >= whole.mul_f64(MOST)
    }

    /// What was heard once all sound that has come is.
    pub(in crate::mind) fn so_far(&self) -> String {
        self.heard(self.sound)
    }

    /// What was heard after so long a time: whole words.
    pub(in crate::mind) fn heard(&self, heard: Duration) -> String {
        if !self.words.is_empty() {
            let middle = |word: &&SpokenWord| word.begins.midpoint_to(word.ends) <= heard;
            let words: Vec<&str> =
                self.words.iter().take_while(middle).map(|word| word.text.as_str()).collect();
            return words.join(" ");
        }
        let (mut begins, mut texts) = (Duration::ZERO, Vec::new());
        for chunk in &self.chunks {
            if heard <= begins {
                break;
            }
            let ends = chunk.ends.unwrap_or_else(|| begins + spoken_time(&chunk.text));
            texts.push(part(&chunk.text, heard - begins, ends.saturating_sub(begins)));
            begins = ends;
        }
        texts.retain(|text| !text.is_empty());
        texts.join(" ")
    }
}

trait Midpoint {
    fn midpoint_to(self, other: Self) -> Self;
}

impl Midpoint for Duration {
    fn midpoint_to(self, other: Self) -> Self {
        (self + other) / 2
    }
}

/// How long a text takes to say, roughly: of both languages and their voices.
pub(in crate::mind) fn spoken_time(text: &str) -> Duration {
    CHARACTER * u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The words of a text that are spoken in a part of its time.
fn part(text: &str, heard: Duration, whole: Duration) -> &str {
    if heard >= whole {
        return text;
    }
    let share = heard.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
    let reached = (text.chars().count() as f64 * share) as usize;
    let at = text.char_indices().nth(reached).map_or(text.len(), |(at, _)| at);
    // A word of which the end was not heard was not heard.
    let end = if text[at..].starts_with(char::is_whitespace) {
        at
    } else {
        text[..at].rfind(char::is_whitespace).unwrap_or(0)
    };
    text[..end].trim_end()
}

/// Fast voices take so much of the time that a text takes, roughly.
const MOST: f64 = 0.6;
/// Fifteen characters a second.
const CHARACTER: Duration = Duration::from_millis(66);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn by_proportion_whole_words_are_heard() {
        let mut spoken = SpokenText::default();
        spoken.chunk("Aapka order kal aayega.");
        spoken.chunk("Aur kuch?");
        spoken.sound(ms(2_300));
        spoken.chunk_ends();
        spoken.sound(ms(900));
        spoken.chunk_ends();
        let table = [
            (0, ""),
            (100, ""),
            (1_150, "Aapka order"),
            (2_300, "Aapka order kal aayega."),
            (2_700, "Aapka order kal aayega. Aur"),
            (9_000, "Aapka order kal aayega. Aur kuch?"),
        ];
        for (heard, text) in table {
            assert_eq!(spoken.heard(ms(heard)), text, "{heard}");
        }
    }

    #[test]
    fn where_words_have_times_these_count() {
        let mut spoken = SpokenText::default();
        spoken.chunk("ek do teen");
        let word = |text: &str, begins, ends| SpokenWord {
            text: text.to_owned(),
            begins: ms(begins),
            ends: ms(ends),
        };
        spoken.words(&[word("ek", 0, 200), word("do", 1_000, 1_200), word("teen", 1_200, 1_500)]);
        assert_eq!(spoken.heard(ms(900)), "ek");
        assert_eq!(spoken.heard(ms(1_110)), "ek do");
        assert_eq!(spoken.heard(ms(5_000)), "ek do teen");
    }

    #[test]
    fn sound_that_is_not_complete_is_guessed() {
        let mut spoken = SpokenText::default();
        spoken.chunk("a sentence of which the sound is still on its way");
        spoken.sound(ms(500));
        let heard = spoken.heard(ms(700));
        assert!(heard.starts_with("a sentence") && heard.len() < 20, "{heard}");
    }
}
