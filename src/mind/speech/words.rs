//! The closed vocabulary: every word that spoken values are made of.

use super::Language;

/// Every word out of which values are spoken, each once: a clip of each makes all of them sayable.
pub fn inventory(language: Language) -> impl Iterator<Item = &'static str> {
    let words = Words::of(language);
    let scales = [words.hundred, words.thousand, words.lakh, words.crore, words.rupee, words.rupees];
    let rest = [words.paisa, words.paise, words.and, words.minus];
    let ones = words.below_hundred.iter().copied();
    ones.chain(words.months.iter().copied()).chain(LETTERS.iter().copied()).chain(scales).chain(rest)
}

/// The words of one language.
pub(super) struct Words {
    /// 0 to 99.
    pub(super) below_hundred: &'static [&'static str; 100],
    pub(super) months: &'static [&'static str; 12],
    pub(super) hundred: &'static str,
    pub(super) thousand: &'static str,
    pub(super) lakh: &'static str,
    pub(super) crore: &'static str,
    pub(super) rupee: &'static str,
    pub(super) rupees: &'static str,
    pub(super) paisa: &'static str,
    pub(super) paise: &'static str,
    pub(super) and: &'static str,
    pub(super) minus: &'static str,
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Hi => &HINDI,
            Language::En => &ENGLISH,
        }
    }
}

/// The Latin letters are the same words in both languages.
pub(super) const LETTERS: [&str; 26] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U",
    "V", "W", "X", "Y", "Z",
];

static HINDI: Words = Words {
    below_hundred: &HINDI_BELOW_HUNDRED,
    months: &[
        "जनवरी",
        "फ़रवरी",
        "मार्च",
        "अप्रैल",
        "मई",
        "जून",
        "जुलाई",
        "अगस्त",
        "सितंबर",
        "अक्टूबर",
        "नवंबर",
        "दिसंबर",
    ],
    hundred: "सौ",
    thousand: "हज़ार",
    lakh: "लाख",
    crore: "करोड़",
    rupee: "रुपया",
    rupees: "रुपये",
    paisa: "पैसा",
    paise: "पैसे",
    and: "और",
    minus: "माइनस",
};

static ENGLISH: Words = Words {
    below_hundred: &ENGLISH_BELOW_HUNDRED,
    months: &[
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    hundred: "hundred",
    thousand: "thousand",
    lakh: "lakh",
    crore: "crore",
    rupee: "rupee",
    rupees: "rupees",
    paisa: "paisa",
    paise: "paise",
    and: "and",
    minus: "minus",
};

/// All of them are words of their own.
#[rustfmt::skip]
static HINDI_BELOW_HUNDRED: [&str; 100] = [
    "शून्य", "एक", "दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ", "नौ",
    "दस", "ग्यारह", "बारह", "तेरह", "चौदह", "पंद्रह", "सोलह", "सत्रह", "अठारह", "उन्नीस",
    "बीस", "इक्कीस", "बाईस", "तेईस", "चौबीस", "पच्चीस", "छब्बीस", "सत्ताईस", "अट्ठाईस", "उनतीस",
    "तीस", "इकतीस", "बत्तीस", "तैंतीस", "चौंतीस", "पैंतीस", "छत्तीस", "सैंतीस", "अड़तीस", "उनतालीस",
    "चालीस", "इकतालीस", "बयालीस", "तैंतालीस", "चौवालीस", "पैंतालीस", "छियालीस", "सैंतालीस", "अड़तालीस", "उनचास",
    "पचास", "इक्यावन", "बावन", "तिरपन", "चौवन", "पचपन", "छप्पन", "सत्तावन", "अट्ठावन", "उनसठ",
    "साठ", "इकसठ", "बासठ", "तिरसठ", "चौंसठ", "पैंसठ", "छियासठ", "सड़सठ", "अड़सठ", "उनहत्तर",
    "सत्तर", "इकहत्तर", "बहत्तर", "तिहत्तर", "चौहत्तर", "पचहत्तर", "छिहत्तर", "सतहत्तर", "अठहत्तर", "उन्यासी",
    "अस्सी", "इक्यासी", "बयासी", "तिरासी", "चौरासी", "पचासी", "छियासी", "सत्तासी", "अट्ठासी", "नवासी",
    "नब्बे", "इक्यानवे", "बानवे", "तिरानवे", "चौरानवे", "पंचानवे", "छियानवे", "सत्तानवे", "अट्ठानवे", "निन्यानवे",
];

/// Whole words up to 99, so that a number is spoken in as few clips as possible.
#[rustfmt::skip]
static ENGLISH_BELOW_HUNDRED: [&str; 100] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty", "twenty-one", "twenty-two", "twenty-three", "twenty-four", "twenty-five", "twenty-six", "twenty-seven", "twenty-eight", "twenty-nine",
    "thirty", "thirty-one", "thirty-two", "thirty-three", "thirty-four", "thirty-five", "thirty-six", "thirty-seven", "thirty-eight", "thirty-nine",
    "forty", "forty-one", "forty-two", "forty-three", "forty-four", "forty-five", "forty-six", "forty-seven", "forty-eight", "forty-nine",
    "fifty", "fifty-one", "fifty-two", "fifty-three", "fifty-four", "fifty-five", "fifty-six", "fifty-seven", "fifty-eight", "fifty-nine",
    "sixty", "sixty-one", "sixty-two", "sixty-three", "sixty-four", "sixty-five", "sixty-six", "sixty-seven", "sixty-eight", "sixty-nine",
    "seventy", "seventy-one", "seventy-two", "seventy-three", "seventy-four", "seventy-five", "seventy-six", "seventy-seven", "seventy-eight", "seventy-nine",
    "eighty", "eighty-one", "eighty-two", "eighty-three", "eighty-four", "eighty-five", "eighty-six", "eighty-seven", "eighty-eight", "eighty-nine",
    "ninety", "ninety-one", "ninety-two", "ninety-three", "ninety-four", "ninety-five", "ninety-six", "ninety-seven", "ninety-eight", "ninety-nine",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_there_once() {
        for language in Language::ALL {
            let mut words: Vec<_> = inventory(language).collect();
            assert_eq!(words.len(), 100 + 12 + 26 + 10);
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), 148, "{language}");
        }
    }
}
