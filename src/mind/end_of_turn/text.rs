//! A score from the words alone. Hindi ends its sentences with the verb, English begins them with it, and both say with
//! their small words that something must follow; a number has as many digits as such numbers have.

mod announced;
mod numbers;

use super::lexicon::{
    ANSWERERS, CLOSE_PARTICLES, CONTRACTIONS, DENIALS, DENIED, ENGLISH, GIVERS, HELPERS, HINDI, Kind,
    OPENERS, PARTICIPLE_ENDINGS, PARTICLE_VERBS, PARTICLES, SAYERS, STEMS, WISHERS, has_finite_ending,
    has_past_ending,
};
use super::tokens::{Mark, tokens};
use super::{EndOfTurn, Heard, Score};

/// Judges by the text. Without state: one text always has one score.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextEndOfTurn;

impl EndOfTurn for TextEndOfTurn {
    fn score(&mut self, heard: &Heard<'_>) -> Score {
        let (words, mark) = tokens(heard.text);
        if words.is_empty() {
            return Score::UNKNOWN;
        }
        let language = Language::of(&words, heard.language);
        let sentence = Sentence { words: &words, language };
        let expected = heard.expects.and_then(|expects| sentence.as_expected(expects));
        Score::new(expected.unwrap_or_else(|| marked(sentence.score(), mark)))
    }
}

/// The language of a text, if anything in it tells.
pub(super) fn language_of(text: &str) -> Option<crate::mind::speech::Language> {
    let (words, _) = tokens(text);
    if words.is_empty() {
        return None;
    }
    // Where nothing tells, the two hints lead to different answers.
    match (Language::of(&words, Some("hi")), Language::of(&words, Some("en"))) {
        (Language::Hindi, Language::Hindi) => Some(crate::mind::speech::Language::Hi),
        (Language::English, Language::English) => Some(crate::mind::speech::Language::En),
        (Language::Hindi, Language::English) | (Language::English, Language::Hindi) => None,
    }
}

/// Recognizers guess punctuation. It decides where the words leave it open, and turns no judgement of theirs round.
fn marked(score: f32, mark: Mark) -> f32 {
    match mark {
        Mark::Stop if score >= NEUTRAL => score.max(LIKELY),
        Mark::Open => score.min(NEUTRAL),
        Mark::Stop | Mark::Bare => score,
    }
}

/// The language whose grammar holds the sentence; its nouns may be of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Hindi,
    English,
}

impl Language {
    fn of(words: &[String], hint: Option<&str>) -> Self {
        if words.iter().any(|word| word.chars().any(|letter| ('\u{900}'..='\u{97f}').contains(&letter))) {
            return Self::Hindi;
        }
        let (mut hindi, mut english) = (0, 0);
        for word in words {
            match (HINDI.kind(word), ENGLISH.kind(word)) {
                (Some(Kind::Tag | Kind::Slot | Kind::Filler), _) | (Some(_), Some(_)) | (None, None) => {}
                (Some(_), None) => hindi += 1,
                (None, Some(Kind::Finite | Kind::Slot | Kind::Answer)) => {}
                (None, Some(_)) => english += 1,
            }
        }
        let is_hindi = match hint.map(|hint| hint.get(..2).unwrap_or(hint)) {
            Some("en") => hindi > english,
            Some("hi") => hindi >= english,
            Some(_) | None => hindi > 0 && hindi >= english,
        };
        if is_hindi { Self::Hindi } else { Self::English }
    }
}

/// Words in one grammar. Never empty.
#[derive(Clone, Copy)]
struct Sentence<'a> {
    words: &'a [String],
    language: Language,
}

impl<'a> Sentence<'a> {
    fn score(self) -> f32 {
        let kinds = || self.words.iter().map(|word| self.kind(word));
        let is_answer = |kind| matches!(kind, Some(Kind::Answer | Kind::Tag | Kind::Filler));
        let is_courtesy =
            |word: &String| matches!(word.as_str(), "hai" | "you" | "bye" | "है" | "baat" | "so" | "much");
        let answers = kinds().zip(self.words).all(|(kind, word)| is_answer(kind) || is_courtesy(word));
        if answers
            && kinds().any(|kind| kind == Some(Kind::Answer))
            && kinds().next_back() != Some(Some(Kind::Filler))
        {
            return CLEAR;
        }
        if self.is_short_denial() {
            return LIKELY;
        }
        let sentence = self.without_tags();
        if let Some(score) = sentence.number() {
            return score;
        }
        if sentence.awaits_value() || sentence.is_dictation() {
            return OPEN;
        }
        let score = match self.language {
            Language::Hindi => sentence.hindi(),
            Language::English => sentence.english(),
        };
        let is_asked_for = sentence.words.len() < self.words.len();
        // "please" and "ji" are said at an end, if there may be one; "again" is one.
        let is_repeated = self.words[sentence.words.len()..].iter().any(|word| word == "again");
        if is_repeated || is_asked_for && score > DOUBTFUL { score.max(LIKELY) } else { score }
    }

    fn kind(self, word: &str) -> Option<Kind> {
        match self.language {
            Language::English => ENGLISH.kind(word).or_else(|| HINDI.kind(word)),
            Language::Hindi => HINDI.kind(word).or_else(|| {
                let is_verb = has_finite_ending(word);
                // Verbs of English are nouns there: "order cancel karo".
                let is_noun = |kind: &Kind| matches!(kind, Kind::Finite | Kind::Wants | Kind::Object);
                if is_verb { Some(Kind::Finite) } else { ENGLISH.kind(word).filter(|kind| !is_noun(kind)) }
            }),
        }
    }

    fn has(self, kind: Kind) -> bool {
        self.words.iter().any(|word| self.kind(word) == Some(kind))
    }

    fn has_word(self, words: &[&str]) -> bool {
        self.words.iter().any(|word| words.contains(&word.as_str()))
    }

    fn last(self) -> &'a str {
        self.words.last().map_or("", String::as_str)
    }

    fn before_last(self) -> Option<&'a str> {
        self.words.len().checked_sub(2).and_then(|at| self.words.get(at)).map(String::as_str)
    }

    fn without_last(self) -> Self {
        Self { words: &self.words[..self.words.len() - 1], ..self }
    }

    fn without_tags(self) -> Self {
        let mut rest = self;
        while rest.words.len() > 1 && rest.kind(rest.last()) == Some(Kind::Tag) {
            rest = rest.without_last();
        }
        rest
    }

    fn hindi(self) -> f32 {
        let last = self.last();
        let before = self.before_last();
        let before_kind = before.and_then(|word| self.kind(word));
        let is_after_stem = before.is_some_and(|word| STEMS.contains(&word));
        if is_after_stem
            && matches!(last, "do" | "दो" | "lo" | "लो" | "dena" | "देना" | "lena" | "लेना" | "na" | "ke")
        {
            return if last == "ke" { OPEN } else { CLEAR };
        }
        match self.kind(last) {
            Some(Kind::Finite) => self.hindi_verb_last(before, before_kind),
            // "Aaunga main", "nahi hai mere paas": said behind its verb.
            Some(Kind::Subject | Kind::Place) if self.is_afterthought() => LIKELY,
            Some(Kind::Joins | Kind::Owns | Kind::Subject | Kind::Filler) => OPEN,
            // Who denies leaves the last verb out: "nahi dikh raha".
            Some(Kind::HalfVerb) if self.is_denied() => LIKELY,
            Some(Kind::Place | Kind::HalfVerb | Kind::Auxiliary) => LACKING,
            Some(Kind::Infinitive) if self.has_word(WISHERS) => LACKING,
            Some(Kind::Infinitive) => NEUTRAL,
            // "Kya hai ye", but "mujhe ye".
            Some(Kind::Points) => {
                // "Jo saman aaya tha vo": of which something is to be said.
                let is_topic = self.has_word(OPENERS) && ANSWERERS.contains(&last);
                if before_kind == Some(Kind::Finite) && !is_topic { LIKELY } else { LACKING }
            }
            Some(Kind::Asks) if before_kind == Some(Kind::Finite) => CLEAR,
            Some(Kind::Asks) if self.words.len() == 1 => LIKELY,
            Some(Kind::Asks) => LACKING,
            // "Abhi tak nahi": the verb may be left out, or come.
            Some(Kind::Answer) => {
                let is_denied = self.words.len() <= 3 && before.is_some_and(|word| DENIED.contains(&word));
                if before_kind == Some(Kind::Finite) || is_denied { LIKELY } else { NEUTRAL }
            }
            Some(Kind::Tag | Kind::Slot | Kind::Object | Kind::Wants) | None => self.hindi_noun_last(),
        }
    }

    fn hindi_verb_last(self, before: Option<&str>, before_kind: Option<Kind>) -> f32 {
        // "Baat ye hai": what it is comes now. "Haan wahi hai": that one, of which we speak.
        let is_that_one = before.is_some_and(|word| SAME_ONES.contains(&word));
        if before_kind == Some(Kind::Points) && !is_that_one && self.words.len() > 2 && !self.has(Kind::Asks)
        {
            return LACKING;
        }
        let begins = self.words.iter().position(|word| OPENERS.contains(&word.as_str()));
        if let Some(at) = begins {
            let answered = self.words[at + 1..].iter().any(|word| ANSWERERS.contains(&word.as_str()));
            return if answered { LIKELY } else { LACKING };
        }
        if self.words.len() == 1
            && !has_finite_ending(self.last())
            && matches!(self.last(), "hai" | "है" | "tha" | "था")
        {
            return NEUTRAL;
        }
        let is_half = before.is_some_and(|word| ENGLISH.kind(word) == Some(Kind::Wants));
        if is_half { LIKELY } else { CLEAR }
    }

    /// Who does it, or has it, behind the verb that ends the sentence.
    fn is_afterthought(self) -> bool {
        let back = |count: usize| self.words.len().checked_sub(count).and_then(|at| self.words.get(at));
        let is_verb = |word: Option<&String>| word.is_some_and(|word| self.kind(word) == Some(Kind::Finite));
        let is_done_by = |verb: &String| match self.last() {
            "main" | "mai" | "मैं" => FIRST_PERSON.iter().any(|ending| verb.ends_with(ending)),
            "maine" | "mene" | "मैंने" => !COPULAS.contains(&verb.as_str()),
            _ => false,
        };
        let is_had = matches!(self.last(), "pas" | "पास")
            && back(2).is_some_and(|word| self.kind(word) == Some(Kind::Owns))
            && is_verb(back(3));
        is_had || is_verb(back(2)) && back(2).is_some_and(is_done_by)
    }

    /// "Nahi" stands close before the last word, which is a participle and no stem.
    fn is_denied(self) -> bool {
        if !PARTICIPLE_ENDINGS.iter().any(|ending| self.last().ends_with(ending)) {
            return false;
        }
        let mut near = self.words.iter().rev().skip(1).take(DENIAL_REACH);
        near.any(|word| DENIALS.contains(&word.as_str()))
    }

    /// A noun at the end: said behind its verb, or before it.
    fn hindi_noun_last(self) -> f32 {
        // "Mujhe nahi pata".
        if matches!(self.last(), "pata" | "पता")
            && self.before_last().is_some_and(|word| DENIALS.contains(&word))
        {
            return CLEAR;
        }
        let kinds: Vec<Option<Kind>> = self.words.iter().map(|word| self.kind(word)).collect();
        let verb = kinds.iter().rposition(|kind| *kind == Some(Kind::Finite));
        if let Some(verb) = verb {
            let behind = &kinds[verb + 1..];
            let is_new =
                behind.iter().any(|kind| matches!(kind, Some(Kind::Joins | Kind::Subject | Kind::Place)));
            let owns = behind.contains(&Some(Kind::Owns));
            let is_short = behind.len() <= 3 && !is_new && (!owns || self.has(Kind::Asks));
            return if is_short { LIKELY } else { DOUBTFUL };
        }
        let named = kinds.iter().position(|kind| *kind == Some(Kind::Slot));
        if named.is_some_and(|at| at + 1 < kinds.len()) && self.has(Kind::Owns) {
            // "Mera naam Rahul".
            return LIKELY;
        }
        let leans = |kind: &Option<Kind>| {
            matches!(
                kind,
                Some(
                    Kind::Subject
                        | Kind::Owns
                        | Kind::Place
                        | Kind::Joins
                        | Kind::Points
                        | Kind::Asks
                        | Kind::HalfVerb
                )
            )
        };
        let begins_or_joins =
            |kind: &Option<Kind>| matches!(kind, Some(Kind::Subject | Kind::Joins | Kind::Place));
        let is_one_of_them = ONES.contains(&self.last()) && !kinds.iter().any(begins_or_joins);
        let is_all = matches!(self.words[0].as_str(), "bas" | "बस") && kinds.len() <= 3;
        if kinds.len() > 1 && (is_one_of_them || is_all && !kinds.iter().any(leans)) {
            // "Ye wala", "bas itna hi".
            LIKELY
        } else if kinds.iter().any(leans) {
            LACKING
        } else if kinds.len() <= 3 {
            NEUTRAL
        } else {
            DOUBTFUL
        }
    }

    fn english(self) -> f32 {
        let last = self.last();
        let before = self.before_last();
        let before_kind = before.and_then(|word| self.kind(word));
        let is_question = self.has(Kind::Asks);
        let is_confirmed = self.words.len() <= 5
            && self.words.first().is_some_and(|word| self.kind(word) == Some(Kind::Answer));
        match self.kind(last) {
            Some(Kind::Joins | Kind::Filler) => OPEN,
            _ if self.ends_in_particle() => LIKELY,
            // "That one".
            None if matches!(last, "one" | "ones") && before_kind == Some(Kind::Points) => LIKELY,
            _ if self.is_question_begun() => OPEN,
            None if last == "not" => {
                if is_confirmed || is_question {
                    LIKELY
                } else {
                    LACKING
                }
            }
            Some(Kind::Place) => {
                if is_question && self.words.len() > 2 {
                    NEUTRAL
                } else {
                    OPEN
                }
            }
            Some(Kind::Owns) => OPEN,
            Some(Kind::Subject) => OPEN,
            Some(Kind::Points) => {
                let is_said = |word| SAYERS.contains(&word) || matches!(word, "is" | "vas") && !is_question;
                let is_said_to = before_kind == Some(Kind::Object)
                    && self.words.iter().rev().nth(2).is_some_and(|word| SAYERS.contains(&word.as_str()));
                let is_clause = last == "that" && (is_said_to || before.is_some_and(is_said));
                let has_verb = self.has(Kind::Finite) || self.has(Kind::Wants) || self.has(Kind::Auxiliary);
                if is_clause || !has_verb { OPEN } else { LIKELY }
            }
            Some(Kind::Auxiliary) if CONTRACTIONS.contains(&last) => OPEN,
            // "Yes, it is": an answer, or the beginning of one.
            Some(Kind::Auxiliary) if is_confirmed && matches!(last, "is" | "vas" | "are") => DOUBTFUL,
            Some(Kind::Auxiliary) if is_confirmed => LIKELY,
            // "Where my parcel is", but "what I want is".
            Some(Kind::Auxiliary) if is_question && before_kind != Some(Kind::Asks) => {
                let is_named = matches!(last, "is" | "vas" | "are") && self.has_word(&["vhat"]);
                let is_asked = matches!(last, "is" | "are");
                if is_named {
                    LACKING
                } else if is_asked {
                    LIKELY
                } else {
                    NEUTRAL
                }
            }
            Some(Kind::Auxiliary) => OPEN,
            Some(Kind::Wants) if is_question => LIKELY,
            Some(Kind::Wants) => {
                if is_confirmed {
                    NEUTRAL
                } else {
                    OPEN
                }
            }
            Some(Kind::Asks) => {
                if self.words.len() == 1 {
                    LIKELY
                } else {
                    LACKING
                }
            }
            Some(Kind::Answer) => LIKELY,
            Some(
                Kind::Finite | Kind::Infinitive | Kind::HalfVerb | Kind::Tag | Kind::Slot | Kind::Object,
            )
            | None => self.english_content(),
        }
    }

    /// "Not yet", "nothing more".
    fn is_short_denial(self) -> bool {
        let is_denial = matches!(self.words[0].as_str(), "not" | "nothing" | "no");
        is_denial
            && self.words.len() == 2
            && matches!(self.last(), "yet" | "more" | "nov" | "today" | "really")
    }

    /// "Call me back", "come in".
    fn ends_in_particle(self) -> bool {
        let reach = if CLOSE_PARTICLES.contains(&self.last()) { 1 } else { 3 };
        let mut near = self.words.iter().rev().skip(1).take(reach);
        PARTICLES.contains(&self.last()) && near.any(|word| PARTICLE_VERBS.contains(&word.as_str()))
    }

    /// "When will it": the verb has to follow.
    fn is_question_begun(self) -> bool {
        let (last, before) = (self.last(), self.before_last());
        if self.words.first().is_some_and(|word| self.kind(word) == Some(Kind::Answer)) {
            return false;
        }
        let is_pronoun = matches!(self.kind(last), Some(Kind::Object | Kind::Points));
        let has_verb = self.has(Kind::Finite) || self.has(Kind::Wants);
        let is_asked = is_pronoun && !has_verb && before.is_some_and(|word| HELPERS.contains(&word));
        let is_offered = matches!(last, "me" | "us") && before.is_some_and(|word| GIVERS.contains(&word));
        is_asked || is_offered || matches!(last, "does" | "did") && self.has(Kind::Asks) && !has_verb
    }

    /// A word with a meaning of its own at the end: a sentence if there is a verb, and no clause that only prepares another.
    fn english_content(self) -> f32 {
        let verbs = self
            .words
            .iter()
            .filter(|word| matches!(self.kind(word), Some(Kind::Finite | Kind::Wants)))
            .count();
        let has_verb = verbs > 0 || self.has(Kind::Auxiliary);
        let kind_of = |at: usize| self.words.get(at).and_then(|word| self.kind(word));
        let first = self.words.first().map_or("", String::as_str);
        let prepares = matches!(first, "if" | "vhile" | "although" | "since" | "unless")
            || first == "vhen" && kind_of(1) != Some(Kind::Auxiliary);
        if prepares && verbs < 2 {
            return LACKING;
        }
        let (mut pairs, is_told) = (self.words.windows(2), |word: &String| has_past_ending(word));
        // "The payment failed twice", but "my registered".
        let has_past = pairs.any(|pair| is_told(&pair[1]) && self.kind(&pair[0]) != Some(Kind::Owns));
        // "No problem", but "yes, it".
        let is_answer = self.words.len() == 2
            && kind_of(0) == Some(Kind::Answer)
            && matches!(kind_of(1), None | Some(Kind::Finite | Kind::Answer));
        // "Please block my card", "any offers today".
        let is_asked_for = self.words.len() > 2 && matches!(first, "please" | "any");
        if has_verb || has_past || is_answer || is_asked_for {
            LIKELY
        } else if kind_of(0) == Some(Kind::Owns) || kind_of(0) == Some(Kind::Subject) {
            LACKING
        } else {
            NEUTRAL
        }
    }
}

/// Something must follow.
const OPEN: f32 = 0.1;
/// Something should.
const LACKING: f32 = 0.25;
/// Rather not over.
const DOUBTFUL: f32 = 0.4;
const NEUTRAL: f32 = 0.5;
/// Rather over.
const LIKELY: f32 = 0.75;
/// A whole sentence or answer.
const CLEAR: f32 = 0.9;

/// "Nahi kar pa raha".
const DENIAL_REACH: usize = 3;
/// "That very one".
const SAME_ONES: &[&str] = &["vahi", "yahi", "yehi", "वही", "यही"];
/// "Karunga", "आऊंगी".
const FIRST_PERSON: [&str; 4] = ["unga", "ungi", "ूंगा", "ूंगी"];
/// What comes behind them is a new sentence.
const COPULAS: [&str; 8] = ["hai", "hain", "tha", "thi", "है", "हैं", "था", "थी"];
/// "The blue one".
const ONES: &[&str] = &["vala", "vali", "vale", "वाला", "वाली", "वाले"];
