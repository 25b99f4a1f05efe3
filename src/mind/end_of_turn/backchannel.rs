//! Words that tell a speaker to go on: who says them over the agent wants to hear more of it, not less.

use std::collections::BTreeSet;

use super::tokens::{fold, tokens};

/// A list of backchannels, those of several words included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backchannels {
    phrases: BTreeSet<Vec<String>>,
    longest: usize,
}

impl Default for Backchannels {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl Backchannels {
    /// A list; each item is a word or a phrase in any script and spelling. Items without a letter, and those of more than eight
    /// words, are left out.
    pub fn new<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Self {
        let phrases: BTreeSet<_> = phrases.into_iter().filter_map(Self::words_of).collect();
        let longest = phrases.iter().map(Vec::len).max().unwrap_or(0);
        Self { phrases, longest }
    }

    /// What is on the list if an agent does not want another.
    pub fn usual() -> &'static [&'static str] {
        &DEFAULT
    }

    /// The words of a phrase as they are compared, if it has any and not more than anybody says to be told to go on.
    pub fn words_of(phrase: &str) -> Option<Vec<String>> {
        let words = phrase.split(|letter: char| letter.is_whitespace() || letter == '-').map(fold);
        let words: Vec<String> = words.filter(|word| word.chars().any(char::is_alphanumeric)).collect();
        (1..=MAX_WORDS).contains(&words.len()).then_some(words)
    }

    /// Whether all of `text` is made of phrases of the list: "haan haan ji" is, "haan lekin" is not. An empty text is not.
    pub fn covers(&self, text: &str) -> bool {
        let (words, _) = tokens(text);
        if words.is_empty() || words.len() > MAX_WORDS {
            return false;
        }
        // Whether the first so many words are covered; a phrase may begin where another one ends.
        let mut is_covered = [false; MAX_WORDS + 1];
        is_covered[0] = true;
        for end in 1..=words.len() {
            is_covered[end] = (1..=self.longest.min(end))
                .any(|length| is_covered[end - length] && self.phrases.contains(&words[end - length..end]));
        }
        is_covered[words.len()]
    }
}

/// Who says more than this has something to say.
const MAX_WORDS: usize = 8;

/// "haan na", "ji nahi" and a bare "nahi", "no", "stop" or "wait" are none: they are answers, or orders.
const DEFAULT: [&str; 62] = [
    "haan",
    "han",
    "haa",
    "ha",
    "haanji",
    "hanji",
    "haan ji",
    "ji",
    "ji haan",
    "jee",
    "hmm",
    "hm",
    "hmmm",
    "hum hum",
    "mhm",
    "mm",
    "mmm",
    "mm hmm",
    "mm-hm",
    "uh-huh",
    "uhuh",
    "aha",
    "ah",
    "oh",
    "oh ok",
    "achha",
    "acha",
    "accha",
    "achchha",
    "theek",
    "theek hai",
    "thik hai",
    "tik hai",
    "sahi",
    "sahi hai",
    "sahi baat",
    "bilkul",
    "ok",
    "okay",
    "okk",
    "okey",
    "k",
    "right",
    "yeah",
    "yah",
    "yep",
    "yup",
    "yes",
    "i see",
    "got it",
    "sure",
    "alright",
    "हां",
    "हाँ जी",
    "जी",
    "हम्म",
    "हूं",
    "अच्छा",
    "ठीक",
    "ठीक है",
    "सही",
    "ओके",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_utterances_are_backchannels_and_parts_are_not() {
        let list = Backchannels::default();
        for text in [
            "haan",
            "Haan haan.",
            "haan ji, theek hai",
            "Hmm...",
            "mm-hmm",
            "uh huh",
            "achha achha ok",
            "OK",
            "okay okay",
            "हाँ",
            "हां जी",
            "ठीक है।",
            "जी हाँ",
            "अच्छा",
            "theek hai ji",
            "Right, right",
            "oh okay",
            "I see.",
            "हाँ हाँ ठीक है",
        ] {
            assert!(list.covers(text), "{text}");
        }
        for text in [
            "",
            "   ",
            "...",
            "haan lekin",
            "nahi",
            "no",
            "ok wait",
            "ruko",
            "haan mera order",
            "theek nahi hai",
            "hai",
            "yes please cancel",
            "हाँ लेकिन",
            "नहीं",
            "रुकिए",
            "is it ok",
            "haan to suno",
            "ok ok ok ok ok ok ok ok ok",
        ] {
            assert!(!list.covers(text), "{text}");
        }
    }

    #[test]
    fn an_agent_may_have_a_list_of_its_own() {
        let list = Backchannels::new(["si", "claro que si", "", " - "]);
        assert!(list.covers("si claro que sí si".replace('í', "i").as_str()));
        assert!(!list.covers("claro") && !list.covers("haan"));
        assert!(!Backchannels::new([]).covers("haan"));
        assert_eq!(Backchannels::new(Backchannels::usual().iter().copied()), Backchannels::default());
    }
}
