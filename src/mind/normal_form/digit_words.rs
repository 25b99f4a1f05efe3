//! What digits a spoken word stands for, in either language and in both scripts.

use crate::mind::end_of_turn::folded;

/// What a word says of a number that is read out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// These digits.
    Digits(String),
    /// An English ten, as "ninety", to which a unit may come.
    Tens(u8),
    /// The next digit comes so often.
    Times(usize),
    /// The number goes on behind a country's prefix.
    Plus,
}

/// What a word stands for; none for words that are no digits.
pub(super) fn spoken(word: &str) -> Option<Spoken> {
    if word.eq_ignore_ascii_case("plus") || word == "+" || word == "प्लस" {
        return Some(Spoken::Plus);
    }
    let word = folded(word);
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Spoken::Digits(word));
    }
    let place = |words: &[&str]| words.iter().position(|known| *known == word);
    if let Some(unit) = UNITS.iter().position(|words| words.contains(&word.as_str())) {
        return Some(Spoken::Digits(unit.to_string()));
    }
    if let Some(teen) = place(&TEENS) {
        return Some(Spoken::Digits((10 + teen).to_string()));
    }
    if let Some(ten) = place(&TENS) {
        return u8::try_from(20 + 10 * ten).ok().map(Spoken::Tens);
    }
    if DOUBLE.contains(&word.as_str()) {
        return Some(Spoken::Times(2));
    }
    if TRIPLE.contains(&word.as_str()) {
        return Some(Spoken::Times(3));
    }
    let two =
        [ROMAN, DEVANAGARI].iter().find_map(|words| words.split(' ').position(|known| known == word))?;
    Some(Spoken::Digits((10 + two).to_string()))
}

/// The words of 0 to 9, in the folded spelling like all that follow.
const UNITS: [&[&str]; 10] = [
    &["zero", "jero", "shunya", "sunya", "शून्य", "जीरो"],
    &["one", "ek", "एक", "वन"],
    &["tvo", "do", "दो", "टू"],
    &["thri", "three", "tin", "tein", "तीन", "थ्री"],
    &["four", "char", "चार", "फोर"],
    &["five", "panch", "पांच", "फाइव"],
    &["six", "che", "cheh", "chah", "छह", "छः", "छे", "छ", "सिक्स"],
    &["seven", "sat", "सात", "सेवन"],
    &["eight", "ath", "आठ", "एट"],
    &["nine", "nau", "नौ", "नाइन"],
];
const TEENS: [&str; 10] =
    ["ten", "eleven", "tvelve", "thirtin", "fourtin", "fiftin", "sixtin", "seventin", "eightin", "ninetin"];
const TENS: [&str; 8] = ["tventy", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const DOUBLE: &[&str] = &["double", "duble", "dubl", "dabal", "डबल"];
const TRIPLE: &[&str] = &["triple", "tripl", "tripal", "ट्रिपल"];

/// Hindi has a word of its own for each number: these are 10 to 99.
const ROMAN: &str = "\
    das gyarah barah terah chaudah pandrah solah satrah atharah unis bis ikis bais teis chaubis \
    pachis chabis satais athais untis tis iktis batis taintis chauntis paintis chatis saintis \
    adtis untalis chalis iktalis bayalis tetalis chauvalis paintalis chialis saintalis adtalis \
    unchas pachas ikyavan bavan tirpan chauvan pachpan chapan satavan athavan unsath sath \
    iksath basath tirsath chaunsath painsath chiasath sadsath adsath unhatar satar ikhatar \
    bahatar tihatar chauhatar pachatar chihatar sathatar athatar unasi asi ikyasi bayasi tirasi \
    chaurasi pachasi chiasi satasi athasi navasi nabe ikyanve banve tiranve chauranve pachanve \
    chianve satanve athanve ninyanve";
const DEVANAGARI: &str = "\
    दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस इक्कीस बाईस तेईस चौबीस पच्चीस \
    छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अडतीस \
    उनतालीस चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अडतालीस उनचास पचास \
    इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ \
    छियासठ सडसठ अडसठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर \
    अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी नब्बे \
    इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे";

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(word: &str) -> String {
        match spoken(word) {
            Some(Spoken::Digits(digits)) => digits,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_number_of_hindi_is_known_in_both_scripts() {
        for words in [ROMAN, DEVANAGARI] {
            assert_eq!(words.split(' ').count(), 90);
            for (value, word) in (10..).zip(words.split(' ')) {
                assert_eq!(digits(word), value.to_string(), "{word}");
            }
        }
        for (word, value) in [("अट्ठानवे", "98"), ("पैंतालीस", "45"), ("ikyavan", "51"), ("साठ", "60")]
        {
            assert_eq!(digits(word), value);
        }
    }

    #[test]
    fn words_are_known_however_they_are_spelled() {
        for (word, value) in [
            ("Two", "2"),
            ("three", "3"),
            ("paanch", "5"),
            ("aath", "8"),
            ("छह", "6"),
            ("fourteen", "14"),
            ("९८", "98"),
        ] {
            assert_eq!(digits(word), value, "{word}");
        }
        assert_eq!(spoken("Ninety"), Some(Spoken::Tens(90)));
        assert_eq!((spoken("double"), spoken("order"), spoken("")), (Some(Spoken::Times(2)), None, None));
        let all = UNITS.iter().copied().flatten().chain(&TEENS).chain(&TENS).chain(DOUBLE).chain(TRIPLE);
        for word in all.filter(|word| **word != "three") {
            assert_eq!(folded(word), *word, "not in the spelling that is looked up");
        }
    }
}
