//! What an agent must never say is heard by nobody, whoever thinks for it: everything but the vendors is the product, and all of it runs in virtual
//! time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, Mark, RuleList};
use caly_vendors::model::Rule;

use thinking::cast::TALKERS;
use thinking::{Outcome, Saying, Scene, When};

const MS: fn(u64) -> Duration = Duration::from_millis;
const INSTEAD: &str = "Yeh main nahi bata sakti.";

fn after(ms: u64, text: &'static str) -> Saying {
    Saying { when: When::AfterAgent(MS(ms)), text }
}

/// A caller who asks for what is forbidden, then for something else, and says goodbye.
fn scene(answer: &str) -> Scene {
    Scene {
        says: vec![
            after(500, "refund pakka milega kya"),
            after(500, "mera order kahan hai"),
            after(500, "theek hai dhanyavaad"),
        ],
        rules: vec![
            Rule::user("order").say("Aapka order raste mein hai."),
            Rule::user("dhanyavaad").say("Aapka din shubh ho!").call("end_call", "{}"),
            Rule::user("refund").say(answer),
        ],
        never_says: vec!["poora paisa wapas", "Acme"],
        ..Scene::default()
    }
}

/// The list, the rule, the words and the milliseconds of each that tripped.
fn tripped(outcome: &Outcome) -> Vec<(RuleList, u64, String, u64)> {
    let tripped = outcome.hops().filter_map(|(_, event)| match event {
        HopEvent::GuardrailTripped { list, rule, text, heard_ms, .. } => {
            Some((*list, *rule, text.clone(), *heard_ms))
        }
        _ => None,
    });
    tripped.collect()
}

/// What the synthesizers were given to say.
fn spoken(outcome: &Outcome) -> String {
    outcome.seen[2].texts().join(" ")
}

#[test]
fn what_is_forbidden_is_never_made_sound_and_the_call_goes_on() {
    let outcome = scene("Aapko poora paisa wapas milega. Acme se bhi accha.").play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    let withheld = "Aapko poora paisa wapas milega.".to_owned();
    assert_eq!(tripped(&outcome), [(RuleList::NeverSay, 1, withheld, 0)], "{shown}");
    let said = outcome.said_by_agent();
    assert_eq!(said, ["Namaste!", INSTEAD, "Aapka order raste mein hai.", "Aapka din shubh ho!"], "{shown}");
    assert!(!spoken(&outcome).contains("paisa"), "{}", spoken(&outcome));
    assert!(outcome.ended.is_some(), "{shown}");
    assert!(outcome.waited(0) < MS(1_600), "{:?}\n{shown}", outcome.waited(0));
}

/// To the tick: what stands between the model and the synthesizer holds nothing back.
#[test]
fn what_may_be_said_is_said_as_early_as_without_rules() {
    let answers = |never_says: &[&'static str]| {
        let scene = scene("Ji haan, paisa aapko zaroor milega. Thoda samay lagta hai.");
        let outcome = Scene { never_says: never_says.to_vec(), ..scene }.play();
        let shown = outcome.shown();
        assert!(tripped(&outcome).is_empty() && outcome.ended.is_some(), "{shown}");
        (0..3).map(|turn| outcome.waited(turn)).collect::<Vec<_>>()
    };
    assert_eq!(answers(&["poora paisa wapas", "milega thoda dhan", "Acme"]), answers(&[]));
}

/// The words run ahead of their sound: what is cut is cut before it is heard, and the model is told how much was.
#[test]
fn a_model_that_speaks_by_itself_is_stopped_and_told_what_was_heard() {
    for kind in TALKERS {
        let answer =
            "Ji haan, main aapke liye abhi dekhti hoon. Aapko poora paisa wapas milega. Acme se bhi accha.";
        let outcome = Scene { realtime: vec![kind], ..scene(answer) }.play();
        let shown = format!("{kind}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let [(list, rule, withheld, heard_ms)] = &tripped(&outcome)[..] else { panic!("{shown}") };
        assert_eq!((*list, *rule), (RuleList::NeverSay, 1), "{shown}");
        assert!(withheld.contains("paisa wapas"), "{shown}");
        let said = outcome.said_by_agent().join(" | ");
        assert!(!said.contains("paisa wapas"), "{shown}");
        let order =
            [INSTEAD, "Aapka order raste mein hai.", "Aapka din shubh ho!"].map(|text| said.find(text));
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{said}\n{shown}");
        assert!(outcome.ended.is_some(), "{shown}");
        assert_eq!(heard_by(&outcome, kind), Some(*heard_ms), "{shown}");
        // What left of the answer: from its first sound to the line, 200 ms less than it is said to have been heard at most.
        let first = outcome.hops().find_map(|(at, event)| match event {
            HopEvent::Mark { turn: 0, mark: Mark::MediaOut, .. } => Some(at),
            _ => None,
        });
        let line = outcome
            .log
            .iter()
            .find(|(_, what)| matches!(what, Dialogue::Said { text, .. } if text == INSTEAD));
        let left = first.map_or(0, |first| (line.unwrap().0 - first).as_millis() as u64);
        assert!(*heard_ms <= left + 220 && left <= heard_ms + 60, "{left} {heard_ms}\n{shown}");
    }
}

/// How much of its answer the model was told was heard, in milliseconds.
fn heard_by(outcome: &Outcome, kind: &str) -> Option<u64> {
    let told = outcome.seen[1].texts();
    let cut = told
        .iter()
        .filter_map(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .find(|message| message["type"] == "conversation.item.truncate");
    if kind == "openai" {
        cut.and_then(|cut| cut["audio_end_ms"].as_u64())
    } else {
        tripped(outcome).first().map(|one| one.3)
    }
}
