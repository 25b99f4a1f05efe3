//! Numbers that are read out: digit by digit, in words of either language or as numerals, and not always to their end at once.

/// Digits at the end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// How many there are.
    pub(super) digits: usize,
    /// Words that they take.
    pub(super) words: usize,
    /// It ends in "double" or "triple", which wants one more.
    pub(super) is_open: bool,
}

/// The digits at the end of `words`, if there are any.
pub(super) fn trailing(words: &[String]) -> Option<Run> {
    let count = words.iter().rev().take_while(|word| digits(word) > 0 || times(word).is_some()).count();
    let run = &words[words.len() - count..];
    let mut factor = 1;
    let mut total = 0;
    for word in run {
        match times(word) {
            Some(more) => factor = more,
            None => {
                total += digits(word) * factor;
                factor = 1;
            }
        }
    }
    let is_open = factor > 1;
    (total > 0 || is_open).then_some(Run { digits: total, words: count, is_open })
}

/// How many digits a word stands for; none for other words.
pub(super) fn digits(word: &str) -> usize {
    let numerals = word.chars().filter(char::is_ascii_digit).count();
    if numerals > 0 {
        // "5th" and "2nd" are no digits; "a12" and "12b" are.
        // "+91" begins a number.
        let letters = word.chars().filter(|letter| *letter != '+').count() - numerals;
        return if letters <= 1 { numerals + letters } else { 0 };
    }
    if UNITS.contains(&word) {
        1
    } else if TENS.contains(&word) {
        2
    } else {
        0
    }
}

fn times(word: &str) -> Option<usize> {
    match word {
        "double" | "duble" | "dubl" | "dabal" | "डबल" => Some(2),
        "triple" | "tripl" | "tripal" | "ट्रिपल" => Some(3),
        _ => None,
    }
}

/// In the folded spelling.
const UNITS: &[&str] = &[
    "zero",
    "jero",
    "one",
    "tvo",
    "thri",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "shunya",
    "sunya",
    "ek",
    "do",
    "tin",
    "tein",
    "char",
    "panch",
    "che",
    "cheh",
    "chah",
    "sat",
    "ath",
    "nau",
    "शून्य",
    "जीरो",
    "एक",
    "दो",
    "तीन",
    "चार",
    "पांच",
    "छह",
    "छः",
    "छे",
    "छ",
    "सात",
    "आठ",
    "नौ",
    "वन",
    "टू",
    "थ्री",
    "फोर",
    "फाइव",
    "सिक्स",
    "सेवन",
    "एट",
    "नाइन",
];

/// Two digits in one word.
const TENS: &[&str] = &[
    "ten",
    "eleven",
    "tvelve",
    "thirtin",
    "fourtin",
    "fiftin",
    "sixtin",
    "seventin",
    "eightin",
    "ninetin",
    "tventy",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "das",
    "gyarah",
    "barah",
    "terah",
    "chaudah",
    "pandrah",
    "solah",
    "satrah",
    "atharah",
    "unis",
    "bis",
    "ikis",
    "pachis",
    "tis",
    "chalis",
    "pachas",
    "sath",
    "satar",
    "asi",
    "nabe",
    "दस",
    "ग्यारह",
    "बारह",
    "तेरह",
    "चौदह",
    "पंद्रह",
    "सोलह",
    "सत्रह",
    "अठारह",
    "उन्नीस",
    "बीस",
    "इक्कीस",
    "पच्चीस",
    "तीस",
    "चालीस",
    "पचास",
    "साठ",
    "सत्तर",
    "अस्सी",
    "नब्बे",
    "bais",
    "teis",
    "chaubis",
    "chabis",
    "satais",
    "athais",
    "untis",
    "iktis",
    "batis",
    "taintis",
    "chauntis",
    "paintis",
    "chatis",
    "saintis",
    "adtis",
    "untalis",
    "iktalis",
    "bayalis",
    "tetalis",
    "chauvalis",
    "paintalis",
    "chialis",
    "saintalis",
    "adtalis",
    "unchas",
    "ikyavan",
    "bavan",
    "tirpan",
    "chauvan",
    "pachpan",
    "chapan",
    "satavan",
    "athavan",
    "unsath",
    "iksath",
    "basath",
    "tirsath",
    "chaunsath",
    "painsath",
    "chiasath",
    "sadsath",
    "adsath",
    "unhatar",
    "ikhatar",
    "bahatar",
    "tihatar",
    "chauhatar",
    "pachatar",
    "chihatar",
    "sathatar",
    "athatar",
    "unasi",
    "ikyasi",
    "bayasi",
    "tirasi",
    "chaurasi",
    "pachasi",
    "chiasi",
    "satasi",
    "athasi",
    "navasi",
    "ikyanve",
    "banve",
    "tiranve",
    "chauranve",
    "pachanve",
    "panchanve",
    "chianve",
    "satanve",
    "athanve",
    "ninyanve",
    "पन्द्रह",
    "अट्ठारह",
    "बाईस",
    "तेईस",
    "चौबीस",
    "छब्बीस",
    "सत्ताईस",
    "अट्ठाईस",
    "उनतीस",
    "इकतीस",
    "बत्तीस",
    "तैंतीस",
    "चौंतीस",
    "पैंतीस",
    "छत्तीस",
    "सैंतीस",
    "अडतीस",
    "उनतालीस",
    "इकतालीस",
    "बयालीस",
    "तैंतालीस",
    "चौवालीस",
    "चवालीस",
    "पैंतालीस",
    "छियालीस",
    "सैंतालीस",
    "अडतालीस",
    "उनचास",
    "इक्यावन",
    "बावन",
    "तिरपन",
    "चौवन",
    "पचपन",
    "छप्पन",
    "सत्तावन",
    "अट्ठावन",
    "उनसठ",
    "इकसठ",
    "बासठ",
    "तिरसठ",
    "चौंसठ",
    "पैंसठ",
    "छियासठ",
    "सडसठ",
    "अडसठ",
    "उनहत्तर",
    "इकहत्तर",
    "बहत्तर",
    "तिहत्तर",
    "चौहत्तर",
    "पचहत्तर",
    "छिहत्तर",
    "सतहत्तर",
    "अठहत्तर",
    "उन्यासी",
    "इक्यासी",
    "बयासी",
    "तिरासी",
    "चौरासी",
    "पचासी",
    "छियासी",
    "सत्तासी",
    "अट्ठासी",
    "नवासी",
    "इक्यानवे",
    "बानवे",
    "तिरानवे",
    "चौरानवे",
    "पचानवे",
    "पंचानवे",
    "छियानवे",
    "सत्तानवे",
    "अट्ठानवे",
    "निन्यानवे",
    "निन्यानबे",
];

#[cfg(test)]
mod tests {
    use super::super::tokens::{fold, tokens};
    use super::*;

    #[test]
    fn digits_are_counted_in_words_and_numerals_of_both_languages() {
        for (text, digits) in [
            ("my number is nine eight seven six", 4),
            ("nau aath saat chhe paanch", 5),
            ("मेरा नंबर है नौ आठ सात", 3),
            ("98765 43210", 10),
            ("९८७६५", 5),
            ("double nine triple zero", 5),
            ("order A12", 3),
            ("flat twenty five", 3),
            ("pachas hazar", 0),
            ("on the 5th", 0),
            ("hello", 0),
            ("", 0),
        ] {
            let run = trailing(&tokens(text).0);
            assert_eq!(run.map_or(0, |run| run.digits), digits, "{text}");
        }
        let open = trailing(&tokens("nine eight double").0);
        assert_eq!(open, Some(Run { digits: 2, words: 3, is_open: true }));
    }

    #[test]
    fn the_lists_are_in_the_spelling_that_is_looked_up() {
        for word in UNITS.iter().chain(TENS) {
            assert_eq!(fold(word), *word);
        }
    }
}
