//! An agent whose model hears and speaks by itself talks with a caller: everything but the vendors is the product, and all of it runs in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::collections::BTreeMap;
use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, Mark};
use caly::mind::cascade::Answers;
use caly_rtp::codec::Codec;
use caly_vendors::faults::{Fault, Faults, When as CallWhen};
use caly_vendors::model::Rule;
use serde_json::json;

use thinking::cast::TALKERS;
use thinking::{Outcome, Saying, Scene, When};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn after(ms: u64, text: &'static str) -> Saying {
    Saying { when: When::AfterAgent(MS(ms)), text }
}

#[test]
fn a_question_is_answered_and_the_call_ends_politely() {
    for kind in TALKERS {
        let scene = Scene {
            realtime: vec![kind],
            says: vec![after(500, "mera order kahan hai"), after(500, "theek hai dhanyavaad")],
            rules: vec![
                Rule::user("order").say("Aapka order raste mein hai. Kal tak pahunch jayega."),
                Rule::user("dhanyavaad").say("Aapka din shubh ho!").call("end_call", "{}"),
            ],
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kind}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let said = outcome.said_by_agent().join(" ");
        assert!(said.contains("Aapka order raste mein hai. Kal tak pahunch jayega."), "{shown}");
        assert!(said.contains("Aapka din shubh ho!"), "{shown}");
        assert!(outcome.ended.is_some(), "{shown}");
        assert!(outcome.waited(0) < MS(1_600), "{:?}\n{shown}", outcome.waited(0));
        assert_eq!(
            transcripts(&outcome),
            [(0, "mera order kahan hai"), (1, "theek hai dhanyavaad")],
            "{shown}"
        );
        let marks =
            [Mark::SttFinal, Mark::LlmStart, Mark::LlmToken, Mark::TtsFrame, Mark::LlmEnd, Mark::MediaOut];
        assert!(marks.iter().all(|mark| outcome.mark(0, *mark).is_some()), "{shown}");
    }
}

/// The first one has heard the words, and perhaps told them, and its connection breaks before it answers: nobody has to say them again.
#[test]
fn words_that_were_heard_are_not_lost_with_the_connection() {
    let order = || Rule::user("order").say("Aapka order raste mein hai.");
    for (kinds, messages) in [(["gemini", "openai"], 2), (["gemini", "openai"], 3), (["openai", "gemini"], 8)]
    {
        let breaks = Faults::default().with(CallWhen::From(1), Fault::DropAfter(messages));
        let scene = Scene {
            realtime: kinds.to_vec(),
            says: vec![after(500, "mera order kahan hai")],
            rules: vec![order(), Rule::user("go on").say("Aapka order raste mein hai.")],
            faults: [Faults::default(), breaks, Faults::default()],
            lasts: MS(12_000),
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kinds:?} {messages}\n{}", outcome.shown());
        assert!(outcome.hops().any(|(_, event)| matches!(event, HopEvent::Fault { .. })), "{shown}");
        assert_eq!(outcome.said_by_agent().last().unwrap(), "Aapka order raste mein hai.", "{shown}");
    }
}

#[test]
fn a_tool_is_used_and_meanwhile_something_is_said() {
    for kind in TALKERS {
        let answer = json!({ "result": "found", "status": "in_transit" });
        let scene = Scene {
            realtime: vec![kind],
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
        let shown = format!("{kind}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let said = outcome.said_by_agent();
        assert_eq!(said[1..], ["Ek minute.", "Aapka order raste mein hai."], "{shown}");
        let called =
            outcome.log.iter().find(|(_, what)| matches!(what, Dialogue::ToolCalled { .. })).unwrap().0;
        let filler = outcome
            .log
            .iter()
            .find(|(_, what)| matches!(what, Dialogue::Said { text, .. } if text == "Ek minute."));
        assert!(filler.unwrap().0 <= called + MS(500), "{shown}");
    }
}

/// What the model is sent are the caller's own bytes, and what it says leaves as it came.
#[test]
fn the_telephones_own_bytes_pass() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let scene = Scene {
            realtime: vec!["echo"],
            realtime_keys: "turns = \"caly\"".to_owned(),
            codec,
            says: vec![after(500, "mera order kahan hai")],
            lasts: MS(8_000),
            ..Scene::default()
        };
        let heard = scene.echo.clone();
        let outcome = scene.play();
        let heard = heard.bytes();
        let shown = format!("{codec:?}, {} bytes\n{}", heard.len(), outcome.shown());
        assert!(heard.len() > 8_000 && contains(&outcome.caller, &heard), "{shown}");
        let left: Vec<u8> = outcome.sent.iter().flat_map(|packet| packet.payload).collect();
        // Silence before the first sound is not waited for.
        let silence = if codec == Codec::Pcmu { 0x7f } else { 0x55 };
        let from = heard.iter().position(|byte| byte & 0x7f != silence).unwrap();
        assert!(contains(&left, &heard[from..]), "{shown}");
        let counted: Vec<(u64, u64)> = outcome
            .hops()
            .filter_map(|(_, event)| match event {
                HopEvent::Audio { untouched, recoded, resampled, .. } => {
                    Some((*untouched, recoded + resampled))
                }
                _ => None,
            })
            .collect();
        assert!(counted.iter().all(|(as_it_came, others)| *as_it_came > 0 && *others == 0), "{shown}");
        assert!(!counted.is_empty(), "{shown}");
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// Whoever ends the caller's turns, he is answered once.
#[test]
fn turns_may_be_ended_by_either() {
    for turns in ["server", "semantic", "caly"] {
        let scene = Scene {
            realtime: vec!["openai"],
            realtime_keys: format!("turns = \"{turns}\""),
            says: vec![after(500, "mera order kahan hai"), after(500, "theek hai dhanyavaad")],
            rules: vec![
                Rule::user("order").say("Aapka order raste mein hai."),
                Rule::user("dhanyavaad").say("Aapka din shubh ho!").call("end_call", "{}"),
            ],
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{turns}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let said = outcome.said_by_agent();
        assert_eq!(said, ["Namaste!", "Aapka order raste mein hai.", "Aapka din shubh ho!"], "{shown}");
        assert_eq!(transcripts(&outcome).len(), 2, "{shown}");
        assert!(outcome.ended.is_some() && outcome.waited(0) < MS(1_800), "{:?}\n{shown}", outcome.waited(0));
    }
}

#[test]
fn a_tool_that_is_slow_does_not_keep_the_caller_waiting() {
    for kind in TALKERS {
        let answer = json!({ "result": "found", "status": "in_transit" });
        let scene = Scene {
            realtime: vec![kind],
            says: vec![after(500, "order number ABC123 ka status batao")],
            rules: vec![
                Rule::tool("still running").say("Thoda waqt lagega, main batati hoon."),
                Rule::user("in_transit").say("Aapka order raste mein hai."),
                // Of what it reads the simulated model answers the last: here the word to go on.
                Rule::user("go on").say("Aapka order raste mein hai."),
                Rule::user("order").call("lookup_order", r#"{"order":"ABC123"}"#),
            ],
            tools: BTreeMap::from([("lookup_order", (MS(4_500), answer))]),
            lasts: MS(20_000),
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kind}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let said = outcome.said_by_agent().join(" ");
        let [first, second] = ["main batati hoon.", "raste mein hai."].map(|text| said.find(text));
        assert!(first.is_some() && first < second, "{said}\n{shown}");
        let answered = outcome.log.iter().filter(|(_, what)| matches!(what, Dialogue::ToolAnswered { .. }));
        assert_eq!(answered.count(), 1, "{shown}");
    }
}

#[test]
fn somebody_types_while_a_tool_works() {
    for kind in TALKERS {
        let answer = json!({ "result": "found", "status": "in_transit" });
        let scene = Scene {
            realtime: vec![kind],
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
        let shown = format!("{kind}\n{}", outcome.shown());
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
        let tool =
            outcome.log.iter().find(|(_, what)| matches!(what, Dialogue::ToolAnswered { .. })).unwrap().0;
        let later = outcome.log.iter().filter(|(at, _)| *at >= tool);
        let answered =
            later.filter(|(_, what)| matches!(what, Dialogue::Said { .. })).map(|(at, _)| *at).min();
        let answered = answered.unwrap();
        // From the filler's end to the next one, and from there to the answer.
        for (from, until) in [(began("Ek minute."), began("Bas ek")), (began("Bas ek"), answered)] {
            let gap = outcome.sent.iter().filter(|sent| (from + MS(700)..until).contains(&sent.at));
            let typed: Vec<bool> =
                gap.map(|sent| sent.samples.iter().any(|sample| sample.unsigned_abs() > 40)).collect();
            let heard = typed.iter().filter(|is_typed| **is_typed).count();
            assert!(heard > 10 && heard > typed.len() / 6, "{heard} of {}\n{shown}", typed.len());
        }
        // The answer does not wait for the sound's end: voice has 400 ms of it at most.
        assert!(answered < tool + MS(1_500), "{shown}");
    }
}

#[test]
fn what_is_known_of_a_caller_from_before_is_told_whenever_it_comes() {
    for (kind, known) in TALKERS.iter().flat_map(|kind| [(kind, MS(0)), (kind, MS(300))]) {
        let scene = Scene {
            realtime: vec![kind],
            says: vec![after(500, "mera order kahan hai")],
            rules: vec![Rule::user("order").say("Aapka order raste mein hai.")],
            record: Some((known, "He asked for shoes before.")),
            lasts: MS(9_000),
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kind} {known:?}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let told: Vec<String> =
            outcome.seen[1].texts().into_iter().filter(|text| text.contains("shoes before")).collect();
        assert_eq!(told.len(), 1, "{told:?}\n{shown}");
        assert!(outcome.said_by_agent().join(" ").contains("raste mein hai"), "{shown}");
    }
}

/// What the caller said in the turns that were answered.
fn transcripts(outcome: &Outcome) -> Vec<(u32, &str)> {
    let transcript = |(_, event)| match event {
        &HopEvent::Transcript { turn, ref text, is_committed: true, .. } => Some((turn, text.as_str())),
        _ => None,
    };
    outcome.hops().filter_map(transcript).collect()
}

/// Every turn of a real call in one: an interruption, a slow tool, another language, and a goodbye.
#[test]
fn a_whole_call_stands_in_the_log_as_it_was_heard() {
    for kind in TALKERS {
        let outcome = whole_call(kind).play();
        let shown = format!("{kind}\n{}", outcome.shown());
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let said = outcome.said_by_agent();
        let answers =
            ["Aapke paas teen order hain.", "Aapka order raste mein hai.", "Your refund was sent yesterday."];
        let places: Vec<_> =
            answers.iter().map(|text| said.iter().position(|one| one.starts_with(text))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said:?}\n{shown}");
        assert!(said.contains(&"Ek minute.".to_owned()), "{said:?}\n{shown}");
        assert!(outcome.ended.is_some() && said.last().unwrap() == "Have a nice day.", "{shown}");
        let expected = [
            (0, "mujhe sab kuch batao"),
            (1, "ruko ruko mera order kahan hai"),
            (2, "what about my refund please"),
            (3, "thank you goodbye"),
        ];
        assert_eq!(transcripts(&outcome), expected, "{shown}");
        let heard = outcome.hops().find_map(|(_, event)| match event {
            HopEvent::HeardText { text, .. } => Some(text.clone()),
            _ => None,
        });
        let heard = heard.unwrap_or_else(|| panic!("nothing was cut: {shown}"));
        assert!(heard.starts_with("Aapke paas") && !heard.contains("Doosra"), "{heard}\n{shown}");
        for (_, event) in outcome.hops() {
            if let HopEvent::Audio { untouched, recoded, resampled, .. } = event {
                let is_untouched = *untouched > 0 && recoded + resampled == 0;
                assert_eq!(is_untouched, kind == "openai", "{event:?}");
            }
        }
    }
}

fn whole_call(kind: &'static str) -> Scene {
    let answer = json!({ "result": "found", "status": "in_transit" });
    Scene {
        realtime: vec![kind],
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

/// The model is told how much of its words was heard, never more than it has sent.
#[test]
fn what_was_not_heard_is_taken_back() {
    let outcome = whole_call("openai").play();
    let shown = outcome.shown();
    let cut: Vec<serde_json::Value> = outcome.seen[1]
        .texts()
        .iter()
        .filter_map(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .filter(|message| message["type"] == "conversation.item.truncate")
        .collect();
    assert_eq!(cut.len(), 1, "{cut:?}\n{shown}");
    let heard = cut[0]["audio_end_ms"].as_u64().unwrap();
    let in_log = outcome.log.iter().find_map(|(_, what)| match what {
        Dialogue::BargeIn { heard_ms, .. } => Some(*heard_ms),
        _ => None,
    });
    assert_eq!(Some(heard), in_log, "{shown}");
}

#[test]
fn a_listeners_word_is_not_answered_and_does_not_stop_the_agent() {
    for kind in TALKERS {
        let long = "Aapke paas teen order hain. Pehla order jootey ka hai. Doosra order kitab ka hai. Teesra order ghadi ka hai.";
        let scene = Scene {
            realtime: vec![kind],
            says: vec![
                after(500, "mujhe sab kuch batao"),
                Saying { when: When::OverAgent(MS(1_500)), text: "haan" },
            ],
            rules: vec![Rule::user("sab kuch").say(long), Rule::user("haan").say("Never to be heard.")],
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kind}\n{}", outcome.shown());
        let said = outcome.said_by_agent().join(" ");
        assert!(said.contains("Teesra order ghadi ka hai."), "{shown}");
        assert!(!said.contains("Never"), "{shown}");
        assert!(!outcome.log.iter().any(|(_, what)| matches!(what, Dialogue::BargeIn { .. })), "{shown}");
    }
}
