//! What a guardrail finds, and that it finds the same however the text is cut.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::call::hop::RuleList;

fn guardrail(phrases: &[&str], patterns: &[&str]) -> Guardrail {
    let phrases = phrases.iter().map(|text| Phrase::parse(text).unwrap()).collect();
    let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    Guardrail::new(phrases, patterns)
}

fn phrase(number: usize) -> Verdict {
    Verdict::Replace(Rule { list: RuleList::NeverSay, number })
}

fn pattern(number: usize) -> Verdict {
    Verdict::Replace(Rule { list: RuleList::NeverSayPatterns, number })
}

#[test]
fn a_phrase_is_found_as_whole_words_however_they_are_written() {
    let rules =
        guardrail(&["money back guarantee", "Acme", "पैसे वापस की गारंटी", "don't worry", "ज़रूर मिलेगा"], &[]);
    for (text, verdict) in [
        ("We give a money-back guarantee.", phrase(1)),
        ("MONEY\u{a0}back — (Guarantee)", phrase(1)),
        ("money  back,\nguarantee", phrase(1)),
        ("ｍｏｎｅｙ **back** guar\u{ad}antee", phrase(1)),
        ("money back the guarantee", Verdict::Pass),
        ("money back guarantees", Verdict::Pass),
        ("Try Acme's.", phrase(2)),
        ("acmeist", Verdict::Pass),
        ("macme", Verdict::Pass),
        ("जी, पैसे वापस की गारंटी है।", phrase(3)),
        ("पैसे वापस की गारंटियाँ", Verdict::Pass),
        ("Don’t worry!", phrase(4)),
        ("\u{91c}\u{93c}रूर मिलेगा।", phrase(5)),
        ("", Verdict::Pass),
    ] {
        assert_eq!(rules.judge(text), verdict, "{text}");
    }
}

#[test]
fn a_pattern_is_found_over_the_borders_of_what_was_said() {
    let rules = guardrail(&[], &[r"(?:[0-9][ .,-]*){13,16}", r"\bguarant\w*"]);
    for (pieces, verdict) in [
        (&["The card is 4111 1111,", "1111 1111."][..], pattern(1)),
        (&["कार्ड ४१११-११११-११११-११११"], pattern(1)),
        (&["My number is 98123 45678."], Verdict::Pass),
        (&["We GUARANTEE it"], pattern(2)),
        (&["unguaranteed"], Verdict::Pass),
    ] {
        let mut watch = Watch::default();
        let told: Vec<Verdict> = pieces.iter().map(|piece| watch.read_whole(&rules, piece)).collect();
        let (last, before) = told.split_last().unwrap();
        assert_eq!(*last, verdict, "{pieces:?}");
        assert!(before.iter().all(|verdict| *verdict == Verdict::Pass), "{pieces:?}");
    }
}

#[test]
fn a_word_is_judged_when_it_is_known_to_be_whole() {
    let rules = guardrail(&["comp"], &[r"\bcat\b"]);
    let mut watch = Watch::default();
    assert_eq!(watch.read(&rules, "our comp"), Verdict::Pass);
    assert_eq!(watch.pause(&rules), phrase(1), "if nothing follows");
    assert_eq!(watch.read(&rules, "any has a cat"), Verdict::Pass);
    assert_eq!(watch.pause(&rules), pattern(1));
    assert_eq!(watch.read(&rules, "alogue, comp"), Verdict::Pass);
    assert_eq!(watch.read(&rules, "."), phrase(1));
}

#[test]
fn what_is_kept_of_an_endless_answer_is_bounded() {
    let rules = guardrail(&["a b c"], &["zebra"]);
    let mut watch = Watch::default();
    for _ in 0..10_000 {
        assert_eq!(watch.read(&rules, "lorem ipsum, "), Verdict::Pass);
        assert_eq!(watch.read(&rules, &"x".repeat(100)), Verdict::Pass);
        assert!(watch.kept_bytes() < 8_192, "{}", watch.kept_bytes());
    }
    assert_eq!(watch.read(&rules, " a, b, c."), phrase(1));
    assert_eq!(watch.read(&rules, " a zebra."), pattern(1));
}

/// Pieces of text out of which the forbidden comes together by chance, and signs that make one of what was cut.
fn texts() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "money",
        "back",
        "guarantee",
        "mon",
        "ey",
        " ",
        " ",
        " ",
        "-",
        ", ",
        ". ",
        "।",
        "**",
        "\u{200d}",
        "पैसे",
        "वा",
        "पस",
        "\u{93c}",
        "\u{301}",
        "4",
        "1",
        "११",
        "ß",
        "SS",
        "㎏",
        "’",
        "=",
        "\n",
        "x",
        "ﬁ",
    ]);
    prop::collection::vec(parts, 0..60).prop_map(|parts| parts.concat())
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]))
}

/// Cut after any character into any number of pieces, a text has the verdict that it has as a whole; and what was let through by then is something that
/// may be said.
#[test]
fn however_a_text_is_cut_the_verdict_is_the_same() {
    let rules = guardrail(&["money back", "पैसे वापस", "ss kg", "fi"], &["4.?1", r"guarantee\W+money"]);
    let tripped = std::cell::Cell::new(0);
    let outcome = runner(1_500).run(&(texts(), prop::collection::vec(0..6_usize, 0..80)), |(text, sizes)| {
        let whole = rules.judge(&text);
        let mut watch = Watch::default();
        let (mut letters, mut sizes) = (text.chars().peekable(), sizes.into_iter());
        let mut let_through = String::new();
        let mut verdict = Verdict::Pass;
        while letters.peek().is_some() && verdict == Verdict::Pass {
            let piece: String = letters.by_ref().take(sizes.next().unwrap_or(7)).collect();
            verdict = watch.read(&rules, &piece);
            if verdict == Verdict::Pass && watch.pause(&rules) == Verdict::Pass {
                let_through.push_str(&piece);
                prop_assert_eq!(rules.judge(&let_through), Verdict::Pass, "{}", let_through);
            } else if verdict == Verdict::Pass {
                let_through.push_str(&piece);
            }
        }
        if verdict == Verdict::Pass {
            verdict = watch.pause(&rules);
        }
        prop_assert_eq!(verdict == Verdict::Pass, whole == Verdict::Pass, "{}", text);
        tripped.set(tripped.get() + usize::from(whole != Verdict::Pass));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!((100..1_400).contains(&tripped.get()), "neither all nor none are found: {}", tripped.get());
}

/// Whatever stands in an agent's file becomes a rule that can be used, or is refused with what to do.
#[test]
fn whatever_is_written_is_a_rule_or_told_why_not() {
    let written = prop_oneof![
        any::<String>(),
        "[a-z0-9\\\\(){}\\[\\]|*+?.^$wdsWDS, -]{0,40}",
        "(\\\\w\\{[0-9]{1,4}\\}){1,4}",
    ];
    let outcome = runner(300).run(&(written, texts()), |(written, text)| {
        match Pattern::parse(&written) {
            Ok(pattern) => {
                prop_assert_eq!(Guardrail::new(Vec::new(), vec![pattern]).judge(""), Verdict::Pass)
            }
            Err(error) => prop_assert!(error.to_string().contains(';') || error.to_string().contains(':')),
        }
        if let Ok(phrase) = Phrase::parse(&written) {
            let rules = Guardrail::new(vec![phrase], Vec::new());
            prop_assert_ne!(rules.judge(&format!("{text}, {written}")), Verdict::Pass);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
