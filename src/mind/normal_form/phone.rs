//! Telephone numbers that are read out.

use super::digit_words::{Spoken, spoken};

/// The telephone numbers in a text, in the form of E.164. A mobile number of India needs no prefix; every other one needs its plus.
pub(super) fn phones(text: &str) -> Vec<String> {
    let spaced = text.replace('+', " + ");
    let words: Vec<Option<Spoken>> =
        spaced.split(is_separator).filter(|word| !word.is_empty()).map(spoken).collect();
    let runs = words.split(Option::is_none).filter(|run| !run.is_empty());
    runs.filter_map(|run| phone(&run.iter().flatten().collect::<Vec<_>>())).collect()
}

/// The number that a run of words says. The word at either end may belong to the sentence: "do" is "two" and "give".
fn phone(run: &[&Spoken]) -> Option<String> {
    let ends = [(0, 0), (1, 0), (0, 1), (1, 1)];
    ends.into_iter().find_map(|(first, last)| e164(run.get(first..run.len().checked_sub(last)?)?))
}

fn e164(run: &[&Spoken]) -> Option<String> {
    let (has_plus, run) = match run.split_first()? {
        (Spoken::Plus, rest) => (true, rest),
        (Spoken::Digits(_) | Spoken::Tens(_) | Spoken::Times(_), _) => (false, run),
    };
    let digits = digits(run)?;
    let mobile = |digits: &str| digits.len() == 10 && digits.starts_with(['6', '7', '8', '9']);
    if has_plus && !digits.starts_with("91") {
        return (8..=15).contains(&digits.len()).then(|| format!("+{digits}"));
    }
    let prefixes: &[&str] = if has_plus { &["91"] } else { &["", "0", "91", "0091"] };
    let national =
        prefixes.iter().filter_map(|prefix| digits.strip_prefix(prefix)).find(|rest| mobile(rest))?;
    Some(format!("+91{national}"))
}

/// None if the words do not come to an end, or are longer than any number.
fn digits(run: &[&Spoken]) -> Option<String> {
    let (mut digits, mut times, mut ten) = (String::new(), 1, None::<u8>);
    for word in run {
        let next = match word {
            Spoken::Plus => return None,
            Spoken::Times(more) => {
                times = *more;
                continue;
            }
            Spoken::Tens(value) => {
                digits.extend(ten.replace(*value).map(|ten| ten.to_string()));
                continue;
            }
            Spoken::Digits(next) => next,
        };
        match (ten.take(), next.as_str()) {
            // "Ninety eight" is 98.
            (Some(ten), "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9") => {
                digits.push_str(&ten.to_string()[..1]);
            }
            (Some(ten), _) => digits.push_str(&ten.to_string()),
            (None, _) => {}
        }
        let first = next.get(..1)?;
        digits.push_str(&first.repeat(times - 1));
        digits.push_str(next);
        times = 1;
        if digits.len() > MAX_DIGITS {
            return None;
        }
    }
    digits.extend(ten.map(|ten| ten.to_string()));
    (times == 1).then_some(digits)
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || ",.?!;:-–—…।\"'()/|".contains(letter)
}

/// With the longest prefix.
const MAX_DIGITS: usize = 20;
