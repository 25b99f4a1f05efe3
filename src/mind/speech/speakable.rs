//! Text as a model writes it, turned into text as a voice should read it: numbers, money, dates, times and ids in words, and nothing of what is made
//! for eyes. Synthesizers read digits each in their own way, and most of them in English.

use super::Language;
use super::spoken::{Form, speak};

/// What a voice is to read for this text.
pub fn speakable(language: Language, text: &str) -> String {
    let plain = without_markup(text);
    let mut read: Vec<String> = Vec::new();
    let mut words = plain.split_whitespace().peekable();
    while let Some(word) = words.next() {
        // "Rs. 500" and "₹ 500" are written in two words.
        if is_currency(word)
            && let Some(amount) = words.peek().and_then(|next| around(next, |core| rupees(language, core)))
        {
            words.next();
            read.push(amount);
            continue;
        }
        if is_dialled(word) {
            let mut number = word.to_owned();
            while let Some(next) = words.next_if(|next| is_dialled(next)) {
                number.push_str(next);
            }
            read.push(spoken(language, &number));
            continue;
        }
        read.push(spoken(language, word));
    }
    read.join(" ")
}

/// Links, emphasis, headings, bullets and pictures.
fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if letter == '['
            && let Some((shown, after)) = link(rest)
        {
            plain.push_str(shown);
            rest = after;
            continue;
        }
        rest = &rest[letter.len_utf8()..];
        match letter {
            '*' | '`' | '#' | '~' | '|' | '>' => {}
            '_' => plain.push(' '),
            '\u{200b}'..='\u{200f}' | '\u{fe0f}' | '\u{2190}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}' => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The text of `[text](address)`, and what follows it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (shown, rest) = text.strip_prefix('[')?.split_once(']')?;
    let (_, after) = rest.strip_prefix('(')?.split_once(')')?;
    Some((shown, after))
}

/// One word, with the punctuation around it.
fn spoken(language: Language, word: &str) -> String {
    if word.chars().all(|letter| matches!(letter, '-' | '–' | '—')) {
        // A dash between words is a pause.
        return ",".to_owned();
    }
    around(word, |core| read(language, core)).unwrap_or_else(|| word.to_owned())
}

/// Reads what stands within the punctuation of a word, which stays.
fn around(word: &str, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    // What ends an amount looks like punctuation.
    let core = word.trim_start_matches(is_punctuation);
    let core = if core.ends_with("/-") { core } else { core.trim_end_matches(is_punctuation) };
    let begin = word.find(core).filter(|_| !core.is_empty())?;
    let (before, after) = (&word[..begin], &word[begin + core.len()..]);
    Some(format!("{before}{}{after}", read(core)?))
}

fn is_punctuation(letter: char) -> bool {
    matches!(
        letter,
        ',' | '.'
            | ';'
            | ':'
            | '!'
            | '?'
            | '।'
            | '"'
            | '\''
            | '('
            | ')'
            | '“'
            | '”'
            | '‘'
            | '’'
            | '–'
            | '—'
            | '-'
    )
}

/// A word that is no word.
fn read(language: Language, core: &str) -> Option<String> {
    if !core.chars().any(|letter| letter.is_ascii_digit()) {
        return core.contains('@').then(|| address(language, core)).flatten();
    }
    money(language, core)
        .or_else(|| date(language, core))
        .or_else(|| time(language, core))
        .or_else(|| number(language, core))
        .or_else(|| id(language, core))
}

fn say(language: Language, form: Form, value: &str) -> Option<String> {
    let spoken = speak(language, form, value)?;
    // Letters and digits one by one need a moment each.
    let between = if form == Form::Spell { ", " } else { " " };
    Some(spoken.words.join(between))
}

fn is_currency(word: &str) -> bool {
    SIGNS.iter().any(|sign| word.eq_ignore_ascii_case(sign))
}

/// `₹1,299.50`, `Rs.500`, `INR500`, `250/-`.
fn money(language: Language, word: &str) -> Option<String> {
    let signed = SIGNS.iter().find_map(|sign| word.strip_prefix(sign));
    let amount = signed.or_else(|| word.strip_suffix("/-"))?;
    rupees(language, amount.strip_suffix("/-").unwrap_or(amount))
}

/// An amount whose sign stands elsewhere: `1,299.50`.
fn rupees(language: Language, amount: &str) -> Option<String> {
    let (rupees, paise) = amount.split_once('.').unwrap_or((amount, ""));
    let rupees: u64 = rupees.replace(',', "").parse().ok()?;
    let paise: u64 = match paise.len() {
        0 => 0,
        1 => paise.parse::<u64>().ok()? * 10,
        2 => paise.parse().ok()?,
        _ => return None,
    };
    say(language, Form::Amount, &rupees.checked_mul(100)?.checked_add(paise)?.to_string())
}

/// `2026-11-24`, `24/11/2026`, `24-11-2026`.
fn date(language: Language, word: &str) -> Option<String> {
    let fields: Vec<&str> = word.split(['-', '/']).collect();
    let [one, two, three] = fields.as_slice() else { return None };
    let iso = match (one.len(), two.len(), three.len()) {
        (4, 2, 2) => word.replace('/', "-"),
        (1 | 2, 1 | 2, 4) => format!("{three}-{two:0>2}-{one:0>2}"),
        _ => return None,
    };
    say(language, Form::Date, &iso)
}

/// `10:30`, `10:30am`.
fn time(language: Language, word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let half = ["am", "pm"].into_iter().find(|half| lower.ends_with(half));
    let clock = half.map_or(lower.as_str(), |half| lower.trim_end_matches(half));
    let (hours, minutes) = match clock.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        None if half.is_some() => (clock, "00"),
        Some(_) | None => return None,
    };
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 24 || minutes > 59 {
        return None;
    }
    let say = |number: u8| say(language, Form::Number, &number.to_string());
    let read = match (language, minutes) {
        (Language::Hi, 0) => format!("{} बजे", say(hours)?),
        (Language::Hi, _) => format!("{} बजकर {} मिनट", say(hours)?, say(minutes)?),
        (Language::En, 0) if half.is_some() => say(hours)?,
        (Language::En, 0) => format!("{} o'clock", say(hours)?),
        (Language::En, _) => format!("{} {}", say(hours)?, say(minutes)?),
    };
    Some(match (language, half) {
        (Language::En, Some(half)) => format!("{read} {}", half.to_ascii_uppercase()),
        (Language::Hi, Some(_)) | (_, None) => read,
    })
}

/// Numbers that count something, and those that only name it.
fn number(language: Language, word: &str) -> Option<String> {
    let (number, percent) = match word.strip_suffix('%') {
        Some(number) => (number, percent(language)),
        None => (word, ""),
    };
    let (whole, decimals) = match number.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() && is_digits(decimals) => (whole, Some(decimals)),
        Some(_) => return None,
        None => (number, None),
    };
    let digits = whole.trim_start_matches(['-', '+']).replace(',', "");
    if !is_digits(&digits) {
        return None;
    }
    let is_name = !whole.contains(',')
        && decimals.is_none()
        && (digits.len() >= NAME_DIGITS || digits.starts_with("00"));
    if is_name {
        return say(language, Form::Spell, &digits);
    }
    let mut read = say(language, Form::Number, &whole.trim_start_matches('+').replace(',', ""))?;
    if let Some(decimals) = decimals {
        let spelled = speak(language, Form::Spell, decimals)?.words.join(" ");
        read = format!("{read} {} {spelled}", point(language));
    }
    if !percent.is_empty() {
        read = format!("{read} {percent}");
    }
    Some(read)
}

/// `ABC123`, `AWB-99871`: letter by letter. What is a word with a number in it ("1st", "COVID19") is left to the voice.
fn id(language: Language, word: &str) -> Option<String> {
    let is_written_so =
        |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || matches!(letter, '-' | '/');
    let letters = word.chars().filter(char::is_ascii_uppercase).count();
    let is_id = word.chars().all(is_written_so) && (1..=MOST_LETTERS).contains(&letters);
    if is_id { say(language, Form::Spell, word) } else { None }
}

/// `help@shop.in`.
fn address(language: Language, word: &str) -> Option<String> {
    let (name, host) = word.split_once('@')?;
    let (at, dot) = match language {
        Language::Hi => ("ऐट", "डॉट"),
        Language::En => ("at", "dot"),
    };
    Some(format!(
        "{} {at} {}",
        name.replace('.', &format!(" {dot} ")),
        host.replace('.', &format!(" {dot} "))
    ))
}

/// A part of a telephone number: `+91`, `98765`, `43210`; at least two of them, or ten digits, make one.
fn is_dialled(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_number = word.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '+' | '-'));
    is_number && (word.starts_with('+') || digits == NAME_DIGITS)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit())
}

fn percent(language: Language) -> &'static str {
    match language {
        Language::Hi => "प्रतिशत",
        Language::En => "percent",
    }
}

fn point(language: Language) -> &'static str {
    match language {
        Language::Hi => "दशमलव",
        Language::En => "point",
    }
}

const SIGNS: &[&str] = &["₹", "Rs.", "Rs", "rs.", "rs", "INR", "रु.", "रु"];
/// From here on a number without commas is a name: of an order, of a place (PIN code), of a telephone.
const NAME_DIGITS: usize = 5;
/// More capitals in a row are a word that is shouted.
const MOST_LETTERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn en(text: &str) -> String {
        speakable(Language::En, text)
    }

    fn hi(text: &str) -> String {
        speakable(Language::Hi, text)
    }

    #[test]
    fn money_is_read_in_rupees() {
        assert_eq!(
            en("You get ₹1,299.50 back."),
            "You get one thousand two hundred ninety-nine rupees and fifty paise back."
        );
        assert_eq!(
            en("Rs. 500 or Rs.500, INR 500"),
            "five hundred rupees or five hundred rupees, five hundred rupees"
        );
        assert_eq!(hi("आपको ₹999 मिलेंगे।"), "आपको नौ सौ निन्यानवे रुपये मिलेंगे।");
        assert_eq!(en("It costs 250/- only"), "It costs two hundred fifty rupees only");
    }

    #[test]
    fn dates_and_times_are_read() {
        assert_eq!(en("It comes on 2026-11-24."), "It comes on twenty-four November.");
        assert_eq!(hi("24/11/2026 को 10:30 पर"), "चौबीस नवंबर को दस बजकर तीस मिनट पर");
        assert_eq!(en("at 10:30am or 5pm, or 17:00"), "at ten thirty AM or five PM, or seventeen o'clock");
    }

    #[test]
    fn what_counts_is_a_number_and_what_names_is_spelled() {
        assert_eq!(
            en("3 items, 12,500 points, 2.5 kg, 20% off"),
            "three items, twelve thousand five hundred points, two point five kg, twenty percent off"
        );
        assert_eq!(
            en("order ABC123 to 560001"),
            "order A, B, C, one, two, three to five, six, zero, zero, zero, one"
        );
        assert_eq!(
            en("call +91 98765 43210 now"),
            "call nine, one, nine, eight, seven, six, five, four, three, two, one, zero now"
        );
        assert_eq!(hi("ऑर्डर XY-77 में 2 जूते"), "ऑर्डर X, Y, सात, सात में दो जूते");
    }

    #[test]
    fn what_is_made_for_eyes_is_left_out() {
        assert_eq!(en("**Done!** See [our page](https://x.in/a_b) 🙂 `ok`"), "Done! See our page ok");
        assert_eq!(en("- first - second"), ", first , second");
        assert_eq!(en("write to help@shop.in"), "write to help at shop dot in");
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        for text in [
            "Aapka order raste mein hai.",
            "आपका ऑर्डर कल पहुँचेगा।",
            "OK, NASA and 1st place",
            "I'm here (really).",
        ] {
            assert_eq!(en(text), text);
            assert_eq!(hi(text), text);
        }
    }

    #[test]
    fn nothing_that_anybody_writes_is_too_much() {
        for text in [
            "",
            "₹",
            "₹₹₹1",
            "99999999999999999999999",
            "1.2.3.4",
            "24/13/2026",
            "25:99",
            "[a](",
            "+",
            "-",
            "@",
            "@@",
            "a@",
            "1,,2",
            "%",
            "१२३",
        ] {
            let _ = (en(text), hi(text));
        }
    }
}
