//! The mind of three hops alone, with providers that do what the test says: what must hold whatever happens, and in what order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

#[path = "../minds/agent.rs"]
mod agent;
mod call;
mod fakes;
mod guardrail;
mod speech;
mod stalled;
mod tools;

use std::collections::BTreeMap;
use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::mind::cascade::Answers;
use caly::tools::ToolError;
use caly::voice::exchange::{Codec, Interruption, UtteranceId, VoiceEvent};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use call::Call;

/// Something that happens in a call. Times are in milliseconds.
#[derive(Clone, Debug)]
enum Step {
    Event(VoiceEvent),
    Hears(&'static str),
    Likely,
    Commits,
    Dismisses,
    Interrupts(u64, Interruption),
    Plays,
    Key(char),
    Model(&'static str),
    Voice(&'static str),
    Breaks(&'static str),
    Tool(bool),
    Waits(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let words = prop::sample::select(vec!["", "haan", "mera order kahan hai", "what is my order", "ruko"]);
    let model = prop::sample::select(vec![
        "t:Ji zaroor, main dekhti hoon. ",
        "t:It is on its way. It comes tomorrow. All is well. That is all. ",
        "t:... ",
        "t:Poora paisa, ",
        "t:wapas milega. ",
        "b:look",
        "c:1|look|{}",
        "c:1|cancel|{\"order\":1}",
        "c:2|cancel|{broken",
        "c:3|unknown|{}",
        "c:4|end_call|{}",
        "f",
        "f",
        "x",
    ]);
    let voice = prop::sample::select(vec!["a:40", "a:900", "e", "d", "d"]);
    let hop = prop::sample::select(vec!["asr", "llm", "tts"]);
    let by = prop::sample::select(vec![Interruption::Speech, Interruption::Digit]);
    let event = prop::sample::select(vec![
        VoiceEvent::SpeechStarted,
        VoiceEvent::SpeechEnded { duration: Duration::from_millis(700) },
        VoiceEvent::Media { codec: Codec::Pcma },
        VoiceEvent::Media { codec: Codec::Pcmu },
        VoiceEvent::Idle { silence: Duration::from_secs(10) },
    ]);
    prop_oneof![
        4 => event.prop_map(Step::Event),
        1 => Just(Step::Event(VoiceEvent::TurnResumed { turn: 0 })),
        5 => words.prop_map(Step::Hears),
        4 => Just(Step::Likely),
        8 => Just(Step::Commits),
        3 => Just(Step::Dismisses),
        3 => (0..3_000_u64, by).prop_map(|(heard, by)| Step::Interrupts(heard, by)),
        6 => Just(Step::Plays),
        2 => prop::sample::select(vec!['1', '7', '#']).prop_map(Step::Key),
        20 => model.prop_map(Step::Model),
        12 => voice.prop_map(Step::Voice),
        1 => hop.prop_map(Step::Breaks),
        6 => any::<bool>().prop_map(Step::Tool),
        8 => (1..4_000_u64).prop_map(Step::Waits),
    ]
}

fn take(call: &mut Call, step: Step) {
    match step {
        Step::Event(event) => call.voice(event),
        Step::Hears(words) => call.hears(words),
        Step::Likely => call.likely(),
        Step::Commits => call.commits(),
        Step::Dismisses => call.dismisses(),
        Step::Interrupts(heard, by) => {
            let utterance = UtteranceId(call.utterances.keys().next_back().copied().unwrap_or(1));
            call.voice(VoiceEvent::Interrupted { utterance, heard: Duration::from_millis(heard), by });
        }
        Step::Plays => call.plays(),
        Step::Key(key) => call.presses(key),
        Step::Model(line) => call.tell("llm", line),
        Step::Voice(line) => call.tell("tts", line),
        Step::Breaks(hop) => call.breaks(hop),
        Step::Tool(is_well) => {
            if let Some(id) = call.tools.first().map(|tool| tool.id) {
                let answer =
                    if is_well { Ok(json!({ "ok": true })) } else { Err(ToolError::Timeout(Duration::ZERO)) };
                call.tool(id, answer);
            }
        }
        Step::Waits(ms) => call.waits(ms),
    }
}

/// What the call itself checks at every step is in [`Call`]; here is what holds at the end.
fn check_end(mut call: Call) {
    let called = call.notes().filter(|note| matches!(note, Dialogue::ToolCalled { .. })).count();
    let answered = call.notes().filter(|note| matches!(note, Dialogue::ToolAnswered { .. })).count();
    let ends =
        call.notes().filter(|note| matches!(note, Dialogue::ToolCalled { name, .. } if name == "end_call"));
    let unanswered = called - answered;
    assert!(unanswered <= call.tools.len() + ends.count(), "{called} called, {answered} answered");
    assert!(unanswered >= call.tools.len(), "{called} called, {answered} answered, {:?}", call.tools);
    let mut texts: BTreeMap<_, String> = BTreeMap::new();
    for (link, speech, text) in &call.asked().texts {
        *texts.entry((*link, *speech)).or_default() += &format!("{text} ");
    }
    let is_forbidden = |text: &String| text.to_lowercase().contains("poora paisa, wapas");
    assert!(!texts.values().any(is_forbidden), "forbidden, and said: {texts:?}");
    call.finish();
    call.waits(10_000);
    assert!(call.links.is_empty(), "left open: {:?}", call.links);
}

#[test]
fn whatever_happens_in_whatever_order_the_mind_keeps_its_promises() {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let calls = (1..=2_usize, prop::collection::vec(steps(), 1..120));
    let outcome = runner.run(&calls, |(providers, steps)| {
        let mut call = Call::silent(providers, Answers::default());
        call.voice(VoiceEvent::Answered);
        call.voice(VoiceEvent::Media { codec: Codec::Pcmu });
        call.voice(VoiceEvent::Credit { samples: 8_000 * 600 });
        steps.into_iter().for_each(|step| take(&mut call, step));
        check_end(call);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
