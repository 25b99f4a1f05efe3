//! An agent whose model hears and speaks by itself talks with a caller: everything but the vendors is the product, and all of it runs in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::collections::BTreeMap;
use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, Mark};
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

/// What the caller said in the turns that were answered.
fn transcripts(outcome: &Outcome) -> Vec<(u32, &str)> {
    let transcript = |(_, event)| match event {
        &HopEvent::Transcript { turn, ref text, is_committed: true, .. } => Some((turn, text.as_str())),
        _ => None,
    };
    outcome.hops().filter_map(transcript).collect()
}
