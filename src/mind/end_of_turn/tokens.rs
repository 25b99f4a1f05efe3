//! Words of a transcript in one spelling: romanised Hindi has as many as it has writers.

/// How a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// As a sentence.
    Stop,
    /// As something that goes on.
    Open,
    /// Without a mark.
    Bare,
}

/// The last words of a text, folded, and the mark at its end. Earlier ones say nothing about its end.
pub(super) fn tokens(text: &str) -> (Vec<String>, Mark) {
    let mut words: Vec<String> =
        text.rsplit(is_separator).filter(|word| !word.is_empty()).take(MAX_WORDS).map(fold).collect();
    words.retain(|word| !word.is_empty());
    words.reverse();
    (words, mark(text))
}

/// A word in the spelling of the word lists: small letters without accents that carry no difference, "ee" and "oo" as "i" and "u",
/// double letters once, nukta and chandrabindu left out.
pub(super) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    let mut letters = word.chars().flat_map(char::to_lowercase).filter_map(plain).peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        let (letter, takes_next) = match (letter, next) {
            ('e', Some('e')) => ('i', true),
            ('o', Some('o')) => ('u', true),
            ('p', Some('h')) => ('f', true),
            ('i', Some('y')) => ('i', true),
            ('w', _) => ('v', false),
            (letter, _) => (letter, false),
        };
        if takes_next {
            letters.next();
        }
        if letter.is_ascii_digit() || !folded.ends_with(letter) {
            folded.push(letter);
        }
    }
    folded
}

/// A letter without what spellings differ in; nothing for signs that are no letters of their own.
fn plain(letter: char) -> Option<char> {
    match letter {
        '\'' | '’' | '‘' | '\u{200c}' | '\u{200d}' | '\u{93c}' | '\u{307}' => None,
        '\u{958}' => Some('क'),
        '\u{959}' => Some('ख'),
        '\u{95a}' => Some('ग'),
        '\u{95b}' => Some('ज'),
        '\u{95c}' => Some('ड'),
        '\u{95d}' => Some('ढ'),
        '\u{95e}' => Some('फ'),
        '\u{95f}' => Some('य'),
        'ँ' => Some('ं'),
        '०'..='९' => char::from_digit(letter as u32 - '०' as u32, 10),
        other => Some(other),
    }
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, ',' | '.' | '?' | '!' | ';' | ':' | '-' | '–' | '—' | '…' | '।' | '"' | '“' | '”')
        || matches!(letter, '(' | ')' | '[' | ']' | '/' | '|')
}

fn mark(text: &str) -> Mark {
    let text = text.trim_end();
    if text.ends_with("..") || text.ends_with(['…', ',', '-', '–', '—', ';', ':']) {
        Mark::Open
    } else if text.ends_with(['.', '?', '!', '।', '|']) {
        Mark::Stop
    } else {
        Mark::Bare
    }
}

/// A longer turn is judged by its last words.
const MAX_WORDS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_word_are_one() {
        for (many, one) in [
            ("Kijiye kijie KIJIYE", "kijie"),
            ("nahee nahi NAHI", "nahi"),
            ("acha accha achaa", "acha"),
            ("woh voh", "voh"),
            ("phone fone", "fone"),
            ("don't dont don’t", "dont"),
            ("ज़ीरो जीरो", "जीरो"),
            ("हूँ हूं", "हूं"),
            ("पढ़ो पढ\u{93c}ो", "पढो"),
        ] {
            for word in many.split(' ') {
                assert_eq!(fold(word), one, "{word}");
            }
        }
    }

    #[test]
    fn a_text_is_its_last_words_and_its_mark() {
        let words = |text: &str| tokens(text).0.join(" ");
        assert_eq!(words("Uh-huh, it's ok."), "uh huh its ok");
        assert_eq!(words("नंबर ९८७६-99"), "नंबर 9876 99");
        assert_eq!(words(&"a b ".repeat(100)).split(' ').count(), MAX_WORDS);
        let marks = ["ok", "ok.", "ok...", "ok,", "है।", "kya?  ", ""].map(|text| tokens(text).1);
        use Mark::{Bare, Open, Stop};
        assert_eq!(marks, [Bare, Stop, Open, Open, Stop, Stop, Bare]);
    }
}
