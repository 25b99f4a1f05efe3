//! What an agent must never say is heard by nobody, whoever thinks for it: everything but the vendors is the product, and all of it runs in virtual
//! time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::time::Duration;

use caly::call::hop::{HopEvent, RuleList};
use caly_vendors::model::Rule;

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
