//! Values as they are spoken: lists of words out of the inventory.

use std::time::Duration;

use super::Language;
use super::words::{LETTERS, Words};

/// How a value is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole number: "two lakh five".
    Number,
    /// Character by character: "A B C one two three". What is neither letter nor digit is left out.
    Spell,
    /// A day, written `YYYY-MM-DD`: "twenty-one November".
    Date,
    /// Money, written as whole paise: "one hundred rupees fifty paise".
    Amount,
}

impl Form {
    /// All of them with their names in scripts.
    pub const ALL: [(&'static str, Self); 4] =
        [("number", Self::Number), ("spell", Self::Spell), ("date", Self::Date), ("amount", Self::Amount)];
}

/// A value, ready to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Words of the inventory, in order; at most [`MAX_WORDS`].
    pub words: Vec<&'static str>,
    /// Silence between any two of them.
    pub pause: Duration,
    /// How a log shows it: `ABC123`, `21 November`, `₹1,23,456.50`.
    pub text: String,
}

/// Speaks a value; `None` if it is not of that form: too long, no date, no number.
pub fn speak(language: Language, form: Form, value: &str) -> Option<Spoken> {
    match form {
        Form::Number => {
            let number: i64 = value.trim().parse().ok()?;
            Some(Spoken { words: signed(language, number), pause: Duration::ZERO, text: number.to_string() })
        }
        Form::Spell => spell(language, value),
        Form::Date => date(language, value),
        Form::Amount => {
            let paise: u64 = value.trim().parse().ok()?;
            Some(Spoken { words: amount(language, paise), pause: Duration::ZERO, text: rupees_text(paise) })
        }
    }
}

fn signed(language: Language, number: i64) -> Vec<&'static str> {
    let mut words = Vec::new();
    if number < 0 {
        words.push(Words::of(language).minus);
    }
    cardinal(language, number.unsigned_abs(), &mut words);
    words
}

/// Crore, lakh, thousand, hundred, and a word for the rest.
fn cardinal(language: Language, number: u64, words: &mut Vec<&'static str>) {
    let names = Words::of(language);
    let before = words.len();
    let mut rest = number;
    for (scale, name) in
        [(CRORE, names.crore), (LAKH, names.lakh), (1_000, names.thousand), (100, names.hundred)]
    {
        if rest >= scale {
            cardinal(language, rest / scale, words);
            words.push(name);
            rest %= scale;
        }
    }
    if rest > 0 || words.len() == before {
        let index = usize::try_from(rest).unwrap_or_default();
        words.extend(names.below_hundred.get(index));
    }
}

fn amount(language: Language, paise: u64) -> Vec<&'static str> {
    let names = Words::of(language);
    let (rupees, rest) = (paise / 100, paise % 100);
    let mut words = Vec::new();
    if rupees > 0 || rest == 0 {
        cardinal(language, rupees, &mut words);
        words.push(if rupees == 1 { names.rupee } else { names.rupees });
    }
    if rupees > 0 && rest > 0 {
        words.push(names.and);
    }
    if rest > 0 {
        cardinal(language, rest, &mut words);
        words.push(if rest == 1 { names.paisa } else { names.paise });
    }
    words
}

fn spell(language: Language, value: &str) -> Option<Spoken> {
    let names = Words::of(language);
    let word = |c: char| -> Option<&'static str> {
        let upper = c.to_ascii_uppercase();
        match upper {
            'A'..='Z' => LETTERS.get(usize::from(upper as u8 - b'A')).copied(),
            '0'..='9' => names.below_hundred.get(usize::from(upper as u8 - b'0')).copied(),
            _ => None,
        }
    };
    let words: Vec<_> = value.chars().take(MAX_WORDS + 1).filter_map(word).collect();
    let fits = !words.is_empty() && value.chars().nth(MAX_WORDS).is_none();
    fits.then(|| Spoken { words, pause: SPELLING_PAUSE, text: value.to_ascii_uppercase() })
}

fn date(language: Language, value: &str) -> Option<Spoken> {
    let mut fields = value.trim().splitn(3, '-');
    let year: u16 = fields.next()?.parse().ok()?;
    let month: usize = fields.next()?.parse().ok()?;
    let day: usize = fields.next()?.parse().ok()?;
    let name = Words::of(language).months.get(month.checked_sub(1)?)?;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + usize::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let words = vec![*Words::of(language).below_hundred.get(day)?, name];
    Some(Spoken { words, pause: Duration::ZERO, text: format!("{day} {name}") })
}

/// Grouped as in India: the last three digits, then by two.
fn rupees_text(paise: u64) -> String {
    let digits = (paise / 100).to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && (left == 3 || (left > 3 && left % 2 == 1)) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match paise % 100 {
        0 => format!("₹{grouped}"),
        rest => format!("₹{grouped}.{rest:02}"),
    }
}

const LAKH: u64 = 100_000;
const CRORE: u64 = 10_000_000;

/// Nothing longer is remembered by who hears it; the largest number has fewer words.
pub const MAX_WORDS: usize = 64;
/// Long enough to write a character down.
const SPELLING_PAUSE: Duration = Duration::from_millis(120);

#[cfg(test)]
mod tests {
    use super::super::inventory;
    use super::*;

    fn said(language: Language, form: Form, value: &str) -> String {
        speak(language, form, value).map_or_else(|| "-".to_owned(), |spoken| spoken.words.join(" "))
    }

    #[test]
    fn values_are_spoken_as_people_say_them() {
        use Form::{Amount, Date, Number, Spell};
        for (form, value, hindi, english) in [
            (Number, "0", "शून्य", "zero"),
            (Number, "29", "उनतीस", "twenty-nine"),
            (Number, "100", "एक सौ", "one hundred"),
            (Number, "1999", "एक हज़ार नौ सौ निन्यानवे", "one thousand nine hundred ninety-nine"),
            (Number, "250000", "दो लाख पचास हज़ार", "two lakh fifty thousand"),
            (Number, "10000001", "एक करोड़ एक", "one crore one"),
            (Number, "-5", "माइनस पाँच", "minus five"),
            (Number, "five", "-", "-"),
            (Spell, "abc-123", "A B C एक दो तीन", "A B C one two three"),
            (Spell, "--", "-", "-"),
            (Date, "2026-11-21", "इक्कीस नवंबर", "twenty-one November"),
            (Date, "2024-02-29", "उनतीस फ़रवरी", "twenty-nine February"),
            (Date, "2026-02-29", "-", "-"),
            (Date, "2026-13-01", "-", "-"),
            (Date, "tomorrow", "-", "-"),
            (Amount, "129900", "एक हज़ार दो सौ निन्यानवे रुपये", "one thousand two hundred ninety-nine rupees"),
            (Amount, "100", "एक रुपया", "one rupee"),
            (Amount, "1050", "दस रुपये और पचास पैसे", "ten rupees and fifty paise"),
            (Amount, "1", "एक पैसा", "one paisa"),
            (Amount, "0", "शून्य रुपये", "zero rupees"),
        ] {
            assert_eq!(said(Language::Hi, form, value), hindi, "{value}");
            assert_eq!(said(Language::En, form, value), english, "{value}");
        }
    }

    #[test]
    fn numbers_and_money_are_counted_as_in_india() {
        for (number, hindi, english) in [
            (0, "शून्य", "zero"),
            (1, "एक", "one"),
            (10, "दस", "ten"),
            (11, "ग्यारह", "eleven"),
            (19, "उन्नीस", "nineteen"),
            (21, "इक्कीस", "twenty-one"),
            (99, "निन्यानवे", "ninety-nine"),
            (100, "एक सौ", "one hundred"),
            (101, "एक सौ एक", "one hundred one"),
            (999, "नौ सौ निन्यानवे", "nine hundred ninety-nine"),
            (1_000, "एक हज़ार", "one thousand"),
            (1_299, "एक हज़ार दो सौ निन्यानवे", "one thousand two hundred ninety-nine"),
            (99_999, "निन्यानवे हज़ार नौ सौ निन्यानवे", "ninety-nine thousand nine hundred ninety-nine"),
            (100_000, "एक लाख", "one lakh"),
            (10_000_000, "एक करोड़", "one crore"),
        ] {
            for (language, expected, one, many, and, paise) in [
                (Language::Hi, hindi, "रुपया", "रुपये", "और", "निन्यानवे पैसे"),
                (Language::En, english, "rupee", "rupees", "and", "ninety-nine paise"),
            ] {
                let rupees = if number == 1 { one } else { many };
                assert_eq!(said(language, Form::Number, &number.to_string()), expected);
                let amount = said(language, Form::Amount, &format!("{}", number * 100));
                assert_eq!(amount, format!("{expected} {rupees}"));
                let with_paise = said(language, Form::Amount, &format!("{}", number * 100 + 99));
                match number {
                    0 => assert_eq!(with_paise, paise),
                    _ => assert_eq!(with_paise, format!("{expected} {rupees} {and} {paise}")),
                }
            }
        }
    }

    #[test]
    fn an_order_id_is_spelled_letter_by_letter() {
        for (id, hindi, english) in [
            ("ABC123", "A B C एक दो तीन", "A B C one two three"),
            ("zq-090", "Z Q शून्य नौ शून्य", "Z Q zero nine zero"),
            ("T42", "T चार दो", "T four two"),
        ] {
            for (language, expected) in [(Language::Hi, hindi), (Language::En, english)] {
                assert_eq!(said(language, Form::Spell, id), expected);
                assert!(speak(language, Form::Spell, id).unwrap().pause > Duration::ZERO);
            }
        }
    }

    #[test]
    fn every_day_of_a_year_has_its_words() {
        let ends = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for language in Language::ALL {
            for (month, last) in (1..).zip(ends) {
                for day in 1..=31 {
                    let words = speak(language, Form::Date, &format!("2026-{month:02}-{day:02}"));
                    assert_eq!(
                        words.map(|spoken| spoken.words.len()),
                        (day <= last).then_some(2),
                        "{day} {month}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_log_shows_values_as_they_are_written() {
        let text = |form, value| speak(Language::En, form, value).unwrap().text;
        assert_eq!(text(Form::Amount, "12345650"), "₹1,23,456.50");
        assert_eq!(text(Form::Amount, "99900"), "₹999");
        assert_eq!(text(Form::Amount, "123456700"), "₹12,34,567");
        assert_eq!(text(Form::Date, "2026-11-01"), "1 November");
        assert_eq!(text(Form::Spell, "abc123"), "ABC123");
    }

    #[test]
    fn the_largest_values_stay_within_the_inventory() {
        for language in Language::ALL {
            let known: Vec<_> = inventory(language).collect();
            for (form, value) in [
                (Form::Number, i64::MIN.to_string()),
                (Form::Number, i64::MAX.to_string()),
                (Form::Amount, u64::MAX.to_string()),
                (Form::Spell, "Z9".repeat(MAX_WORDS / 2)),
            ] {
                let words = speak(language, form, &value).unwrap().words;
                assert!(words.len() <= MAX_WORDS, "{} words", words.len());
                assert!(words.iter().all(|word| known.contains(word)));
            }
            assert_eq!(speak(language, Form::Spell, &"1".repeat(MAX_WORDS + 1)), None);
        }
    }
}
