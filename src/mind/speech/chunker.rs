//! Cuts a text that is still being written into pieces that can be spoken one after the other: the first as soon as it makes sense, the others
//! as sentences, and none within a number, an abbreviation or a word.

/// Cuts one answer.
#[derive(Clone, Debug)]
pub struct Chunker {
    text: String,
    /// Chunks so far.
    chunks: usize,
    /// Sentences that may still come; what follows them is not said.
    sentences_left: usize,
    dropped_chars: usize,
}

impl Chunker {
    /// For an answer of at most so many sentences.
    pub fn new(max_sentences: usize) -> Self {
        Self { text: String::new(), chunks: 0, sentences_left: max_sentences, dropped_chars: 0 }
    }

    /// More of the text; the chunks that it completes.
    pub fn push(&mut self, more: &str) -> Vec<String> {
        self.text.push_str(more);
        let mut chunks = Vec::new();
        while let Some((end, is_sentence)) = self.end_of_chunk() {
            let rest = self.text.split_off(end);
            let chunk = std::mem::replace(&mut self.text, rest);
            chunks.extend(self.take(&chunk, is_sentence));
        }
        chunks
    }

    /// The text is complete; what is left of it.
    pub fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.text);
        self.take(&rest, true)
    }

    /// Whether all is said that may be: more of the text is not needed.
    pub fn is_full(&self) -> bool {
        self.sentences_left == 0
    }

    /// Sentences that may still come.
    pub fn sentences_left(&self) -> usize {
        self.sentences_left
    }

    /// Characters that were too many.
    pub fn dropped_chars(&self) -> usize {
        self.dropped_chars
    }

    /// Whether a chunk was cut within something so long that it is no word: the next one goes on without a blank.
    pub fn is_cut_in_word(chunk: &str) -> bool {
        chunk.chars().count() > LONGEST_CHARS && !chunk.contains(char::is_whitespace)
    }

    fn take(&mut self, chunk: &str, is_sentence: bool) -> Option<String> {
        let chunk = chunk.trim();
        if !chunk.chars().any(char::is_alphanumeric) {
            return None;
        }
        if self.sentences_left == 0 {
            self.dropped_chars += chunk.chars().count();
            return None;
        }
        self.chunks += 1;
        self.sentences_left -= usize::from(is_sentence);
        Some(chunk.to_owned())
    }

    /// Where the next chunk ends, and whether a sentence does with it. What follows must be known: a full stop may belong to a number.
    fn end_of_chunk(&self) -> Option<(usize, bool)> {
        let least = if self.chunks == 0 { FIRST_CLAUSE_CHARS } else { CLAUSE_CHARS };
        let mut chars = self.text.char_indices().enumerate().peekable();
        let mut last_space = None;
        while let Some((count, (at, letter))) = chars.next() {
            let (_, (next_at, next)) = *chars.peek()?;
            if letter.is_whitespace() {
                last_space = Some(at);
            }
            match letter {
                '\n' => return Some((next_at, true)),
                '।' | '?' | '!' | '…' if !is_closing(next) => return Some((next_at, true)),
                '.' if next.is_whitespace() && !self.is_abbreviation(at) => return Some((next_at, true)),
                ',' | ';' | ':' | '—' if next.is_whitespace() && count + 1 >= least => {
                    return Some((next_at, false));
                }
                _ => {}
            }
            if count >= LONGEST_CHARS {
                return Some((last_space.map_or(next_at, |space| space + 1), false));
            }
        }
        None
    }

    /// Whether the full stop there belongs to the word before it: "Mr.", "Rs.", a single letter, the number of a list.
    fn is_abbreviation(&self, stop: usize) -> bool {
        let before = &self.text[..stop];
        let word =
            before.rsplit(|letter: char| letter.is_whitespace() || letter == '(').next().unwrap_or_default();
        let is_letter = word.chars().count() == 1 && word.chars().all(char::is_alphabetic) && word != "I";
        let is_number = before.trim().chars().all(|letter| letter.is_ascii_digit());
        is_letter || is_number || ABBREVIATIONS.iter().any(|known| word.eq_ignore_ascii_case(known))
    }
}

/// What belongs to the sentence that ended before it.
fn is_closing(letter: char) -> bool {
    matches!(letter, '"' | '\'' | ')' | '”' | '’' | '?' | '!' | '…')
}

/// An agent should begin to speak after a second of its sentence: "Ji, zaroor," is enough.
const FIRST_CLAUSE_CHARS: usize = 10;
/// A second and a half of speech.
const CLAUSE_CHARS: usize = 24;
/// Nobody speaks so long without a breath.
const LONGEST_CHARS: usize = 160;
const ABBREVIATIONS: &[&str] = &[
    "Mr",
    "Mrs",
    "Ms",
    "Dr",
    "Prof",
    "Sr",
    "Jr",
    "St",
    "Rs",
    "No",
    "vs",
    "etc",
    "approx",
    "e.g",
    "i.e",
    "a.m",
    "p.m",
    "Ltd",
    "Pvt",
    "डॉ",
    "रु",
    "नं",
    "श्री",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunks of a text that comes letter by letter.
    fn cut(text: &str) -> Vec<String> {
        cut_to(text, 99)
    }

    fn cut_to(text: &str, sentences: usize) -> Vec<String> {
        let mut chunker = Chunker::new(sentences);
        let mut chunks: Vec<String> =
            text.chars().flat_map(|letter| chunker.push(letter.encode_utf8(&mut [0; 4]))).collect();
        chunks.extend(chunker.finish());
        chunks
    }

    #[test]
    fn sentences_are_cut_in_both_languages() {
        assert_eq!(
            cut("आपका ऑर्डर रास्ते में है। कल पहुँचेगा! ठीक है?"),
            ["आपका ऑर्डर रास्ते में है।", "कल पहुँचेगा!", "ठीक है?"]
        );
        assert_eq!(cut("It is on its way. Tomorrow, I think."), ["It is on its way.", "Tomorrow, I think."]);
        assert_eq!(cut("\"Really?\" she said. Yes."), ["\"Really?\" she said.", "Yes."]);
    }

    #[test]
    fn the_first_chunk_comes_early_and_later_clauses_are_longer() {
        assert_eq!(
            cut("Ji zaroor, main abhi check karti hoon, aapka number bataiye, please"),
            ["Ji zaroor,", "main abhi check karti hoon,", "aapka number bataiye, please"]
        );
        assert_eq!(cut("Haan, ek minute."), ["Haan, ek minute."]);
    }

    #[test]
    fn numbers_and_abbreviations_stay_whole() {
        for whole in [
            "The amount is Rs. 1,299.50 in all.",
            "Dr. Rao lives at no. 3.5 B. Street now.",
            "1. Shoes are 2.5 kg.",
        ] {
            assert_eq!(cut(whole), [whole]);
        }
    }

    #[test]
    fn what_is_longer_than_a_breath_is_cut_between_words() {
        let chunks = cut(&"bahut lamba vaakya ".repeat(30));
        assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk.chars().count() <= LONGEST_CHARS));
        assert_eq!(chunks.join(" "), "bahut lamba vaakya ".repeat(30).trim());
        let pieces = cut(&"x".repeat(400));
        assert_eq!(pieces.concat(), "x".repeat(400));
        assert_eq!(
            pieces.iter().map(|piece| Chunker::is_cut_in_word(piece)).collect::<Vec<_>>(),
            [true, true, false]
        );
        assert!(!chunks.iter().any(|chunk| Chunker::is_cut_in_word(chunk)));
    }

    #[test]
    fn more_sentences_than_allowed_are_not_said() {
        assert_eq!(cut_to("One. Two. Three.", 2), ["One.", "Two."]);
        let mut chunker = Chunker::new(1);
        chunker.push("One. Two. ");
        assert!(chunker.is_full());
        assert_eq!(chunker.dropped_chars(), 4);
    }

    #[test]
    fn what_nobody_can_say_is_no_chunk() {
        assert_eq!(cut("... \n\n -- "), Vec::<String>::new());
    }
}
