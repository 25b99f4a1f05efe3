//! An answer whose first sound comes while its caller speaks does not begin over him: whole calls in virtual time, by both kinds of mind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly_vendors::model::{Rule, TokenPace};

use thinking::caller::is_loud;
use thinking::{Outcome, Saying, Scene, When};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A call of three hops, or of a model that hears and speaks and leaves the turns to others.
fn scene(is_realtime: bool, says: Vec<Saying>) -> Scene {
    Scene {
        realtime: if is_realtime { vec!["openai"] } else { Vec::new() },
        realtime_keys: "turns = \"caly\"".to_owned(),
        says,
        rules: vec![
            Rule::user("kab tak").say("Woh kal tak pahunch jayega."),
            Rule::user("order").say("Aapka order raste mein hai, aur woh abhi Pune se nikla hai."),
        ],
        pace: TokenPace { first: MS(600), each: MS(20) },
        lasts: MS(14_000),
        ..Scene::default()
    }
}

fn question() -> Saying {
    Saying { when: When::AfterAgent(MS(500)), text: "mera order kahan hai" }
}

/// When the answer to the question is heard if nothing comes between.
fn answered_at(is_realtime: bool) -> Duration {
    let outcome = scene(is_realtime, vec![question()]).play();
    let (_, end) = outcome.said[0];
    outcome.sent.iter().find(|sent| sent.at > end && is_loud(&sent.samples)).unwrap().at
}

/// The question, and something said from a time on, counted from where the answer would begin.
fn spoken_into(is_realtime: bool, before: Duration, text: &'static str) -> Outcome {
    let at = answered_at(is_realtime) - before;
    scene(is_realtime, vec![question(), Saying { when: When::At(at), text }]).play()
}

fn held(outcome: &Outcome) -> Vec<&str> {
    let mut held = Vec::new();
    for (_, what) in &outcome.log {
        if let Dialogue::HeldBack { until, .. } = what {
            held.push(until.as_str());
        }
    }
    held
}

/// Of the agent's sound, what left in the time of a saying.
fn sound_over(outcome: &Outcome, saying: usize) -> Duration {
    let (from, to) = outcome.said[saying];
    let over = outcome.sent.iter().filter(|sent| (from..to).contains(&sent.at) && is_loud(&sent.samples));
    MS(20) * u32::try_from(over.count()).unwrap()
}

#[test]
fn who_speaks_on_before_the_answer_hears_one_answer_to_all_he_said() {
    for is_realtime in [false, true] {
        for before in [160, 400] {
            let outcome = spoken_into(is_realtime, MS(before), "aur batao woh kab tak aayega mere ghar par");
            let shown = format!("realtime {is_realtime}, {before} ms before\n{}", outcome.shown());
            assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
            assert_eq!(sound_over(&outcome, 1), MS(0), "{shown}");
            assert_eq!(held(&outcome), ["speech"], "{shown}");
            let cut = |(_, what): &(Duration, Dialogue)| match what {
                Dialogue::BargeIn { heard_ms, .. } => Some(*heard_ms),
                _ => None,
            };
            assert_eq!(outcome.log.iter().filter_map(cut).collect::<Vec<_>>(), [0], "{shown}");
            let (_, end) = outcome.said[1];
            let begun = outcome.log.iter().filter(|(at, _)| *at > end);
            let said: Vec<&str> = begun
                .filter_map(|(_, what)| match what {
                    Dialogue::Said { text, .. } | Dialogue::SaidOn { text, .. } => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            assert_eq!(said.last(), Some(&"Woh kal tak pahunch jayega."), "{shown}");
            assert!(!said.join(" ").contains("Pune"), "{shown}");
            assert!(outcome.waited(1) < MS(2_000), "{:?}\n{shown}", outcome.waited(1));
        }
    }
}

/// The model of three hops reads what the caller said as one turn, and nothing of an answer in between.
#[test]
fn both_pieces_are_one_turn_to_the_model() {
    let outcome = spoken_into(false, MS(200), "aur batao woh kab tak aayega mere ghar par");
    let shown = outcome.shown();
    let body: serde_json::Value =
        serde_json::from_slice(&outcome.seen[1].record().arrivals.last().unwrap().1.body).unwrap();
    let told: Vec<(&str, &str)> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] != "system")
        .map(|message| (message["role"].as_str().unwrap(), message["content"].as_str().unwrap()))
        .collect();
    let both = "mera order kahan hai aur batao woh kab tak aayega mere ghar par";
    assert_eq!(told.last(), Some(&("user", both)), "{told:?}\n{shown}");
    assert!(!told.iter().any(|(_, text)| text.contains("Pune")), "{told:?}\n{shown}");
}

#[test]
fn behind_a_listeners_word_the_answer_begins_soon_and_whole() {
    for is_realtime in [false, true] {
        let outcome = spoken_into(is_realtime, MS(120), "hmm");
        let shown = format!("realtime {is_realtime}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        assert_eq!(sound_over(&outcome, 1), MS(0), "{shown}");
        assert!(outcome.waited(1) <= MS(400), "{:?}\n{shown}", outcome.waited(1));
        assert!(matches!(held(&outcome)[..], ["silence" | "backchannel"]), "{shown}");
        let said = outcome.said_by_agent().join(" ");
        assert!(said.ends_with("Aapka order raste mein hai, aur woh abhi Pune se nikla hai."), "{shown}");
        assert!(!outcome.log.iter().any(|(_, what)| matches!(what, Dialogue::BargeIn { .. })), "{shown}");
    }
}
