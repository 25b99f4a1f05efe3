//! How well the text judges: sentences and beginnings of sentences in Hindi, Hinglish and English. What a caller says has no
//! grammar to be held to, so the tests keep rates, not each line; the lines that fail are printed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// How lines were judged, by whether they are said to their end.
#[derive(Clone, Copy, Debug, Default)]
struct Judged {
    lines: u32,
    complete: u32,
    unfinished: u32,
}

/// Whole sentences, beginnings of some, and those that may be either.
#[derive(Debug, Default)]
struct Tally {
    whole: Judged,
    begun: Judged,
    either: u32,
}

impl Tally {
    fn of(list: &str) -> Self {
        let mut tally = Self::default();
        for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (label, text) = line.split_at(2);
            let score = score(text);
            let judged = match label {
                "+ " => &mut tally.whole,
                "- " => &mut tally.begun,
                "? " => {
                    tally.either += 1;
                    continue;
                }
                other => panic!("{other:?} is no label"),
            };
            judged.lines += 1;
            judged.complete += u32::from(score >= 0.7);
            judged.unfinished += u32::from(score <= 0.3);
            let is_wrong = if label == "+ " { score < 0.7 } else { score > 0.3 };
            if is_wrong {
                println!("{score:.2} {line}");
            }
        }
        tally
    }

    /// Precision and recall, in per cent, of "complete" and of "unfinished".
    fn rates(&self) -> [u32; 4] {
        let per_cent = |part: u32, all: u32| part * 100 / all.max(1);
        let (whole, begun) = (self.whole, self.begun);
        [
            per_cent(whole.complete, whole.complete + begun.complete),
            per_cent(whole.complete, whole.lines),
            per_cent(begun.unfinished, begun.unfinished + whole.unfinished),
            per_cent(begun.unfinished, begun.lines),
        ]
    }
}

fn score(text: &str) -> f32 {
    TextEndOfTurn.score(&Heard { text, ..Heard::default() }).value()
}

/// A caller who was asked for a number.
fn asked(min: u8, max: u8, text: &str) -> f32 {
    let expects = Some(Expected::Digits { min, max });
    TextEndOfTurn.score(&Heard { text, expects, ..Heard::default() }).value()
}

fn tell(name: &str, tally: &Tally) {
    let [complete, found, unfinished, kept] = tally.rates();
    println!(
        "{name}: complete {complete} % right, {found} % found; unfinished {unfinished} % right, {kept} % found; {tally:?}"
    );
}

#[test]
fn sentences_are_told_from_their_beginnings() {
    let known = Tally::of(include_str!("tests/sentences.txt"));
    tell("known", &known);
    let held_out = Tally::of(include_str!("tests/held_out.txt"));
    tell("held out", &held_out);
    let lines = |tally: &Tally| tally.whole.lines + tally.begun.lines + tally.either;
    assert!(lines(&known) >= 110 && lines(&held_out) >= 40);
    // The rules were made for the first list. The second one says what they are worth.
    let at_least =
        |rates: [u32; 4], least: [u32; 4]| rates.iter().zip(least).all(|(rate, least)| *rate >= least);
    assert!(at_least(known.rates(), [98, 98, 98, 98]), "{:?}", known.rates());
    assert!(at_least(held_out.rates(), [95, 92, 96, 86]), "{:?}", held_out.rates());
}

/// What was announced is waited for, and so is the rest of a number. Digits that may be all of it wait in between, as
/// [`DOUBTFUL`] says.
#[test]
fn what_was_announced_is_waited_for() {
    let lists = [
        include_str!("tests/on_the_phone.txt"),
        include_str!("tests/announced.txt"),
        include_str!("tests/first_sight.txt"),
    ];
    for list in lists {
        let lines = || list.lines().filter_map(|line| line.split_once(' '));
        let rate = |label: &str, is_right: fn(f32) -> bool| {
            let scores: Vec<f32> = lines().filter(|line| line.0 == label).map(|line| score(line.1)).collect();
            assert!(scores.len() >= 60, "{label} {}", scores.len());
            scores.iter().filter(|score| is_right(**score)).count() * 100 / scores.len()
        };
        let whole = rate("+", |score| score >= 0.7);
        let begun = rate("-", |score| score <= DOUBTFUL);
        let cut = rate("-", |score| score >= 0.7);
        println!("announced: {whole} % of the whole, {begun} % of the begun, {cut} % cut");
        assert!(whole >= 95 && begun >= 95 && cut <= 2, "{whole} {begun} {cut}");
    }
}

#[test]
fn a_number_is_over_when_it_is_as_long_as_it_has_to_be() {
    for (min, max, text, expected) in [
        (10, 10, "nine eight seven six", 0.1),
        (10, 10, "nine eight seven six five four", 0.1),
        (10, 10, "98765 43210", 0.9),
        (10, 10, "mera number hai nau aath saat chhe paanch chaar teen do ek shoonya", 0.9),
        (6, 6, "four one one", 0.1),
        (6, 6, "four one one zero zero one", 0.9),
        (4, 8, "ek do teen", 0.1),
        (4, 8, "ek do teen chaar", DOUBTFUL),
        (4, 8, "1234 5678", 0.9),
        (4, 4, "it is four seven one two", 0.9),
        (4, 4, "four seven double", 0.1),
        // Announced, and by words that would be an answer to another question.
        (4, 8, "yes it is", 0.1),
        (10, 10, "haan hai", 0.1),
        // No number at all is judged as ever.
        (10, 10, "ek minute rukiye", 0.9),
        (10, 10, "mujhe number nahi pata", 0.9),
        (10, 10, "haan", 0.9),
    ] {
        assert_eq!(asked(min, max, text), expected, "{min}-{max} {text}");
    }
    // Nobody has said how long it is.
    for (text, expected) in [
        ("nine eight seven six", DOUBTFUL),
        ("nine eight seven", 0.1),
        ("nine eight seven six five four three two one zero", 0.9),
        ("plus nine one nine eight seven six five four three two", 0.1),
        ("+91 98765 43210", 0.9),
        ("yes it", 0.5),
        ("yes it is", DOUBTFUL),
        ("yes it's", 0.1),
        ("yes I did", 0.75),
    ] {
        assert_eq!(score(text), expected, "{text}");
    }
}

/// Waits longer than what may be over, and not as long as what lacks something.
const DOUBTFUL: f32 = 0.4;

#[test]
fn any_text_has_a_score() {
    for text in ["", " ", "...", "?", "\u{93c}", "''", "\u{200d}", "🙂", "日本語", "a", "1", "।।", "İ", "é"]
    {
        let score = score(text);
        assert!((0.0..=1.0).contains(&score), "{text}");
    }
    assert_eq!(Score::new(f32::NAN), Score::UNKNOWN);
    assert_eq!((Score::new(-3.0).value(), Score::new(f32::INFINITY).value()), (0.0, 1.0));
}
