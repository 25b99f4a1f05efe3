//! An agent of three hops talks with a caller: everything but the vendors is the product, and all of it runs in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::collections::BTreeMap;
use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, Mark};
use caly::mind::cascade::Answers;
use caly_vendors::faults::{Fault, Faults, When as Which};
use caly_vendors::model::{Rule, TokenPace};
use serde_json::json;

use thinking::{Saying, Scene, When};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn after(ms: u64, text: &'static str) -> Saying {
    Saying { when: When::AfterAgent(MS(ms)), text }
}

#[test]
fn a_question_is_answered_and_the_call_ends_politely() {
    let scene = Scene {
        says: vec![after(500, "mera order kahan hai"), after(500, "theek hai dhanyavaad")],
        rules: vec![
            Rule::user("order").say("Aapka order raste mein hai. Kal tak pahunch jayega."),
            Rule::user("dhanyavaad").say("Aapka din shubh ho!").call("end_call", "{}"),
        ],
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    let said = outcome.said_by_agent().join(" | ");
    assert!(said.contains("Aapka order raste mein hai."), "{shown}");
    assert!(said.contains("Aapka din shubh ho!"), "{shown}");
    assert!(outcome.ended.is_some(), "{shown}");
    for mark in Mark::ALL {
        assert!(outcome.mark(0, mark).is_some(), "{mark}\n{shown}");
    }
    assert!(outcome.waited(0) < MS(1_600), "{:?}\n{shown}", outcome.waited(0));
}

/// The words of a call lie where they were said, also when another recognizer has taken over.
#[test]
fn the_log_says_when_each_word_was_said() {
    for kinds in [vec!["deepgram"], vec!["assemblyai"], vec!["deepgram", "assemblyai"]] {
        // The first is cut off while it listens to the second saying.
        let faults = match kinds.as_slice() {
            [_] => Faults::default(),
            _ => Faults::default().with(Which::Nth(1), Fault::DropAfter(12)),
        };
        let scene = Scene {
            says: vec![after(500, "mera order kahan hai"), after(500, "theek hai aur refund batao")],
            rules: vec![
                Rule::user("refund").say("Refund kal aayega."),
                Rule::user("order").say("Aapka order raste mein hai."),
            ],
            cast: [kinds.clone(), vec!["openai"], vec!["deepgram"]],
            faults: [faults, Faults::default(), Faults::default()],
            lasts: MS(20_000),
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kinds:?}: {:?}\n{}", outcome.said, outcome.shown());
        let times: Vec<&Vec<(u32, u32)>> = outcome
            .hops()
            .filter_map(|(_, event)| match event {
                HopEvent::Transcript { word_times_ms, is_committed: true, .. } => Some(word_times_ms),
                _ => None,
            })
            .collect();
        assert!(times.len() == 2 && times.iter().all(|words| words.len() >= 4), "{shown}");
        for (words, (begins, ends)) in times.iter().zip(&outcome.said) {
            let near = |ms: u32, at: Duration| MS(ms.into()).abs_diff(at) <= MS(50);
            assert!(near(words[0].0, *begins), "{words:?} {shown}");
            // Behind each word comes the pause between two. Who takes over is told the first text once more, which is not what was said.
            let is_whole = kinds.len() == 1;
            assert!(!is_whole || near(words[words.len() - 1].1, *ends - MS(60)), "{words:?} {shown}");
            assert!(
                words.is_sorted() && words.iter().all(|(begins, ends)| begins < ends),
                "{words:?} {shown}"
            );
        }
    }
}

#[test]
fn a_tool_is_used_and_meanwhile_something_is_said() {
    let answer = json!({ "result": "found", "status": "in_transit" });
    let scene = Scene {
        says: vec![after(500, "order number ABC123 ka status batao")],
        rules: vec![
            Rule::user("order").call("lookup_order", r#"{"order":"ABC123"}"#),
            Rule::tool("in_transit").say("Aapka order raste mein hai."),
        ],
        tools: BTreeMap::from([("lookup_order", (MS(1_500), answer))]),
        lasts: MS(15_000),
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    let said = outcome.said_by_agent();
    assert_eq!(said[1..], ["Ek minute.", "Aapka order raste mein hai."], "{shown}");
    let called = outcome.log.iter().find(|(_, what)| matches!(what, Dialogue::ToolCalled { .. })).unwrap().0;
    let filler = outcome
        .log
        .iter()
        .find(|(_, what)| matches!(what, Dialogue::Said { text, .. } if text == "Ek minute."));
    assert!(filler.unwrap().0 <= called + MS(500), "{shown}");
}

#[test]
fn a_tool_that_is_slow_does_not_keep_the_caller_waiting() {
    let answer = json!({ "result": "found", "status": "in_transit" });
    let scene = Scene {
        says: vec![after(500, "order number ABC123 ka status batao")],
        rules: vec![
            Rule::tool("still running").say("Thoda waqt lagega, main batati hoon."),
            Rule::user("in_transit").say("Aapka order raste mein hai."),
            Rule::user("order").call("lookup_order", r#"{"order":"ABC123"}"#),
        ],
        tools: BTreeMap::from([("lookup_order", (MS(4_500), answer))]),
        lasts: MS(20_000),
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    let answers: Vec<String> = outcome
        .said_by_agent()
        .into_iter()
        .filter(|text| text.contains("batati") || text.contains("raste"))
        .collect();
    assert_eq!(answers, ["Thoda waqt lagega, main batati hoon.", "Aapka order raste mein hai."], "{shown}");
    let answered = outcome.log.iter().filter(|(_, what)| matches!(what, Dialogue::ToolAnswered { .. }));
    assert_eq!(answered.count(), 1, "{shown}");
    assert!(outcome.longest_silence_until(0, "raste").unwrap() < MS(2_500), "{shown}");
}

#[test]
fn somebody_types_while_a_tool_works() {
    let answer = json!({ "result": "found", "status": "in_transit" });
    let scene = Scene {
        says: vec![after(500, "order number ABC123 ka status batao")],
        rules: vec![
            Rule::tool("in_transit").say("Aapka order raste mein hai."),
            Rule::user("order").call("lookup_order", r#"{"order":"ABC123"}"#),
        ],
        tools: BTreeMap::from([("lookup_order", (MS(4_500), answer))]),
        answers: Answers { tool_patience: MS(5_000), ..Answers::default() },
        types: true,
        lasts: MS(20_000),
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    let said = outcome.said_by_agent().join(" | ");
    assert!(
        said.starts_with("Namaste! | Ek minute. | Bas ek second. |"),
        "fillers come as ever: {said}\n{shown}"
    );
    let began = |text: &str| {
        let is_it =
            |what: &Dialogue| matches!(what, Dialogue::Said { text: said, .. } if said.contains(text));
        outcome.log.iter().find(|(_, what)| is_it(what)).unwrap().0
    };
    // From the filler's end to the next one, and from there to the answer.
    for (from, until) in [(began("Ek minute."), began("Bas ek")), (began("Bas ek"), began("raste mein"))] {
        let gap = outcome.sent.iter().filter(|sent| (from + MS(700)..until).contains(&sent.at));
        let typed: Vec<bool> =
            gap.map(|sent| sent.samples.iter().any(|sample| sample.unsigned_abs() > 40)).collect();
        let heard = typed.iter().filter(|is_typed| **is_typed).count();
        assert!(heard > 10 && heard > typed.len() / 6, "{heard} of {}\n{shown}", typed.len());
    }
    // The answer does not wait for the sound's end: voice has 400 ms of it at most.
    let tool = outcome.log.iter().find(|(_, what)| matches!(what, Dialogue::ToolAnswered { .. })).unwrap().0;
    assert!(began("raste mein") < tool + MS(1_500), "{shown}");
}

#[test]
fn what_is_known_of_a_caller_from_before_stands_beside_the_facts() {
    let scene = Scene {
        says: vec![after(500, "mera order kahan hai")],
        rules: vec![Rule::user("order").say("Aapka order raste mein hai.")],
        record: Some((MS(300), "He asked for \"shoes\" before.")),
        lasts: MS(9_000),
        ..Scene::default()
    };
    let outcome = scene.play();
    assert!(outcome.complaints().is_empty(), "{:?}\n{}", outcome.complaints(), outcome.shown());
    let asked = outcome.seen[1].record().arrivals;
    let prompt: serde_json::Value = serde_json::from_slice(&asked.last().unwrap().1.body).unwrap();
    let first = &prompt["messages"][0];
    assert_eq!(first["role"], "system");
    let system = first["content"].to_string();
    let [facts, record] = ["Today is Saturday.", "He asked for"].map(|text| system.find(text).unwrap());
    assert!(facts < record, "{system}");
}

#[test]
fn an_interruption_leaves_in_the_history_what_was_heard() {
    let scene = Scene {
        says: vec![
            after(500, "mujhe sab kuch batao"),
            Saying { when: When::OverAgent(MS(1_500)), text: "ruko ruko mera order cancel karo abhi" },
        ],
        rules: vec![
            Rule::user("cancel").say("Theek hai, cancel kar diya."),
            Rule::user("sab kuch")
                .say("Aapke paas teen order hain. Pehla order jootey ka hai. Doosra order kitab ka hai."),
        ],
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    assert!(outcome.log.iter().any(|(_, what)| matches!(what, Dialogue::BargeIn { .. })), "{shown}");
    let record = outcome.seen[1].record();
    let body: serde_json::Value = serde_json::from_slice(&record.arrivals.last().unwrap().1.body).unwrap();
    let told: Vec<&str> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|message| message["content"].as_str())
        .collect();
    let cut = told.iter().find(|text| text.ends_with('—')).unwrap_or_else(|| panic!("{told:?}\n{shown}"));
    assert!(cut.starts_with("Aapke") && !cut.contains("Doosra"), "{told:?}");
    assert!(outcome.said_by_agent().iter().any(|text| text.contains("cancel kar diya")), "{shown}");
}

#[test]
fn a_slow_synthesizer_is_covered_by_a_filler_that_the_answer_cuts() {
    let scene = Scene {
        says: vec![after(500, "mera order kahan hai")],
        rules: vec![Rule::user("order").say("Aapka order raste mein hai.")],
        pace: TokenPace { first: MS(1_600), each: MS(20) },
        lasts: MS(12_000),
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert_eq!(outcome.said_by_agent()[1..], ["Ek minute.", "Aapka order raste mein hai."], "{shown}");
    assert!(outcome.longest_silence_until(0, "raste mein").unwrap() < MS(2_000), "{shown}");
}

/// Every turn of a real call in one: an interruption, a slow tool, another language, and a goodbye.
#[test]
fn a_whole_call_stands_in_the_log_and_in_the_history_as_it_was_heard() {
    let outcome = whole_call().play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    let said = outcome.said_by_agent();
    let answers =
        ["Aapke paas teen order hain.", "Aapka order raste mein hai.", "Your refund was sent yesterday."];
    let places: Vec<_> =
        answers.iter().map(|text| said.iter().position(|one| one.starts_with(text))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said:?}\n{shown}");
    assert!(
        said.contains(&"Ek minute.".to_owned()) && said.contains(&"Bas ek second.".to_owned()),
        "{said:?}"
    );
    assert_eq!(said[said.len() - 2..], ["Your refund was sent yesterday.", "Have a nice day."], "{shown}");
    assert!(outcome.ended.is_some(), "{shown}");
    let heard: Vec<(&str, Option<&str>)> = outcome
        .hops()
        .filter_map(|(_, event)| match event {
            HopEvent::Transcript { text, language, is_committed: true, .. } => {
                Some((text.as_str(), language.as_deref()))
            }
            _ => None,
        })
        .collect();
    let hindi = Some("hi-IN");
    assert_eq!(heard[..2], [("mujhe sab kuch batao", hindi), ("ruko ruko mera order kahan hai", hindi)]);
    assert_eq!(
        heard[2..],
        [("what about my refund please", Some("en-IN")), ("thank you goodbye", Some("en-IN"))]
    );
    let tools = outcome.log.iter().filter_map(|(_, what)| match what {
        Dialogue::ToolAnswered { name, took_ms, is_ok, .. } => {
            Some((name.as_str(), *took_ms >= 3_000, *is_ok))
        }
        _ => None,
    });
    assert_eq!(tools.collect::<Vec<_>>(), [("lookup_order", true, true)], "{shown}");
    check_history(&outcome, &shown);
    check_marks(&outcome, &shown);
    for (_, event) in outcome.hops() {
        if let HopEvent::Audio { untouched, recoded, resampled, .. } = event {
            assert!(*untouched > 0 && recoded + resampled == 0, "{event:?}");
        }
    }
}

fn whole_call() -> Scene {
    let answer = json!({ "result": "found", "status": "in_transit" });
    Scene {
        says: vec![
            after(500, "mujhe sab kuch batao"),
            Saying { when: When::OverAgent(MS(1_500)), text: "ruko ruko mera order kahan hai" },
            after(5_500, "what about my refund please"),
            after(800, "thank you goodbye"),
        ],
        rules: vec![
            Rule::user("goodbye").say("Have a nice day.").call("end_call", "{}"),
            Rule::user("refund").say("Your refund was sent yesterday."),
            Rule::user("order kahan").call("lookup_order", r#"{"order":"ABC123"}"#),
            Rule::user("sab kuch")
                .say("Aapke paas teen order hain. Pehla order jootey ka hai. Doosra order kitab ka hai."),
            Rule::tool("in_transit").say("Aapka order raste mein hai."),
        ],
        tools: BTreeMap::from([("lookup_order", (MS(3_000), answer))]),
        // The caller waits through two fillers.
        answers: Answers { tool_patience: MS(5_000), ..Answers::default() },
        lasts: MS(60_000),
        ..Scene::default()
    }
}

/// What the model was told when it was asked last.
fn check_history(outcome: &thinking::Outcome, shown: &str) {
    let record = outcome.seen[1].record();
    let body: serde_json::Value = serde_json::from_slice(&record.arrivals.last().unwrap().1.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let told: Vec<String> = messages
        .iter()
        .filter(|message| message["role"] != "system" && message["role"] != "developer")
        .map(|message| {
            let what = message["content"].as_str().unwrap_or("");
            let tool = message["tool_calls"][0]["function"]["name"].as_str().unwrap_or("");
            format!("{}: {what}{tool}", message["role"].as_str().unwrap())
        })
        .collect();
    assert!(told[2].starts_with("assistant: Aapke paas teen") && told[2].ends_with('—'), "{told:?}\n{shown}");
    assert!(!told[2].contains("Doosra"), "{told:?}");
    let expected = [
        "assistant: Namaste!",
        "user: mujhe sab kuch batao",
        told[2].as_str(),
        "user: ruko ruko mera order kahan hai",
        "assistant: lookup_order",
        r#"tool: {"result":"found","status":"in_transit"}"#,
        "assistant: Aapka order raste mein hai.",
        "user: what about my refund please",
        "assistant: Your refund was sent yesterday.",
        "user: thank you goodbye",
    ];
    assert_eq!(told, expected, "{shown}");
}

/// Each turn has come to its points one after the other.
fn check_marks(outcome: &thinking::Outcome, shown: &str) {
    let order = [Mark::LlmStart, Mark::LlmToken, Mark::TtsStart, Mark::TtsFrame];
    let turns: Vec<u32> = outcome
        .hops()
        .filter_map(|(_, event)| match event {
            HopEvent::Transcript { turn, is_committed: true, .. } => Some(*turn),
            _ => None,
        })
        .collect();
    for turn in turns {
        assert!(
            outcome.mark(turn, Mark::SttPartial) <= outcome.mark(turn, Mark::SttFinal),
            "{turn}\n{shown}"
        );
        let reached: Vec<_> = order.iter().map(|mark| outcome.mark(turn, *mark)).collect();
        assert!(reached.iter().all(Option::is_some) && reached.is_sorted(), "{turn}: {reached:?}\n{shown}");
    }
}
