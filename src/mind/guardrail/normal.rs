//! Texts in the one form in which they are compared: compatibility composition (NFKC, UAX #15), folded case, digits of one kind, one blank where
//! there is space, and nothing of what is neither heard nor seen.

use icu_normalizer::ComposingNormalizerBorrowed;

/// The text in that form. Case is folded by way of the capital letters, so that "ß" and "ss", and the two small sigmas, are the same.
pub(super) fn normal(text: &str) -> String {
    let audible: String = text.chars().filter(|letter| !is_inaudible(*letter)).collect();
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(&audible);
    let folded = composed.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let mut normal = String::with_capacity(composed.len());
    for letter in folded {
        match letter {
            '०'..='९' => normal.extend(char::from_digit(letter as u32 - '०' as u32, 10)),
            space if space.is_whitespace() => normal.push(' '),
            // What composition has made of other signs.
            inaudible if is_inaudible(inaudible) => {}
            other => normal.push(other),
        }
    }
    normal
}

/// The words of a text in that form.
pub(super) fn words(normal: &str) -> impl Iterator<Item = &str> {
    normal.split(|letter| !is_part_of_word(letter)).filter(|word| !word.is_empty())
}

/// Whether a word ends before it, in a text as it was written: some signs stand for letters ("㎏").
pub(super) fn is_separator(letter: char) -> bool {
    if is_part_of_word(letter) || is_inaudible(letter) {
        return false;
    }
    letter.is_ascii() || !normal(letter.encode_utf8(&mut [0; 4])).chars().any(is_part_of_word)
}

/// Letters and digits of any script, with the signs that stand above, below and behind them. The scripts of India have vowel signs, nuktas and
/// viramas that are no letters of their own.
fn is_part_of_word(letter: char) -> bool {
    let is_sign = matches!(letter, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}');
    let is_mark = matches!(letter, '\u{964}' | '\u{965}' | '\u{970}');
    letter.is_alphanumeric() || (is_sign && !is_mark)
}

/// What a voice leaves out without a pause: joiners and marks of direction, soft hyphens, and the signs by which models mark up what is to be seen.
fn is_inaudible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    ) || matches!(letter, '*' | '`' | '#' | '~' | '|' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_has_one_form() {
        for (many, one) in [
            (&["Straße", "STRASSE", "strasse"][..], "strasse"),
            (&["Café", "Cafe\u{301}", "CAFÉ"], "café"),
            (&["ｒｅｆｕｎｄ", "re\u{ad}fund", "**Re**fund", "re\u{200d}fund"], "refund"),
            (&["ज़रूर", "ज\u{93c}रूर", "\u{95b}रूर"], "ज\u{93c}रूर"),
            (&["क्षत्रिय", "क्\u{200d}षत्रिय"], "क्षत्रिय"),
            (&["९८७\n12", "987 12"], "987 12"),
        ] {
            for text in many {
                assert_eq!(normal(text), one, "{text}");
            }
        }
    }

    #[test]
    fn words_stand_between_all_that_is_none() {
        let words = |text: &str| words(&normal(text)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words("Money-back, (guarantee)! It's"), ["money", "back", "guarantee", "it", "s"]);
        assert_eq!(words("पैसे वापस।गारंटी"), ["पैसे", "वापस", "गारंटी"]);
        assert_eq!(words("snake_case 4111-1111"), ["snake", "case", "4111", "1111"]);
    }
}
