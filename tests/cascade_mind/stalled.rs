//! An answer that stalls behind its first sound: the caller is told that it goes on, and what he heard of it is known all the same.

use caly::call::dialogue::Dialogue;
use caly::call::hop::HopEvent;
use caly::voice::exchange::{MindCommand, VoiceEvent};
use caly_provider::llm::Turn;

use crate::call::Call;

/// The model has stalled behind its first clause, which was heard, and a filler is said.
fn stalled() -> Call {
    let mut call = Call::new(1);
    call.says("mera order kahan hai");
    call.model(&["t:Ji zaroor, "]);
    call.tell("tts", "a:700");
    call.waits(1_700);
    assert_eq!(call.said().last().unwrap(), "Ji zaroor,", "so long is a breath");
    call.waits(300);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
    call
}

fn is_told(call: &Call, said: &str) -> bool {
    call.told().iter().any(|turn| matches!(turn, Turn::Assistant { text, .. } if text == said))
}

#[test]
fn a_model_that_stalls_behind_its_first_clause_leaves_no_silence() {
    let mut call = stalled();
    call.plays();
    call.waits(900);
    // As slowly as no model is given up for.
    call.model(&["t:aapka "]);
    call.waits(900);
    assert_eq!(call.said().last().unwrap(), "Bas ek second.");
    call.model(&["t:order raste mein hai. ", "f"]);
    for line in ["a:1500", "d"] {
        call.tell("tts", line);
    }
    assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{:?}", call.utterances);
    call.plays();
    assert_eq!(call.commands.last(), Some(&MindCommand::Listen));
    let before = call.said().len();
    call.waits(10_000);
    assert_eq!(call.said().len(), before, "nothing more is owed: {:?}", call.said());
    call.says("theek hai");
    assert!(is_told(&call, "Ji zaroor, aapka order raste mein hai."), "{:?}", call.told());
}

#[test]
fn who_interrupts_the_filler_has_heard_what_came_before_it() {
    let mut call = stalled();
    call.interrupts(100);
    call.says("ruko");
    assert!(is_told(&call, "Ji zaroor, —"), "{:?}", call.told());
}

#[test]
fn who_interrupts_the_rest_has_heard_both_parts() {
    let mut call = stalled();
    call.model(&["t:aapka order raste mein hai. ", "f"]);
    call.tell("tts", "a:1500");
    call.interrupts(400);
    let heard = call.notes().find_map(|note| match note {
        Dialogue::Hop(HopEvent::HeardText { text, .. }) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(heard.unwrap(), "aapka", "of this utterance");
    call.says("ruko");
    assert!(is_told(&call, "Ji zaroor, aapka —"), "{:?}", call.told());
}

#[test]
fn an_answer_of_which_nothing_was_missing_stands_as_it_was_heard() {
    let mut call = stalled();
    call.plays();
    call.model(&["f"]);
    call.tell("tts", "d");
    assert_eq!(call.commands.last(), Some(&MindCommand::Listen), "{:?}", call.mind);
    call.says("theek hai");
    assert!(is_told(&call, "Ji zaroor,"), "{:?}", call.told());
}

/// A model that stalls and then breaks is asked for the rest, which is said behind the filler.
#[test]
fn what_stalls_and_breaks_is_taken_up() {
    let mut call = stalled();
    call.breaks("llm");
    call.tell("tts", "d");
    call.plays();
    call.model(&["t:Aapka order raste mein hai. ", "f"]);
    for line in ["a:1500", "d"] {
        call.tell("tts", line);
    }
    call.plays();
    assert_eq!(call.said().last().unwrap(), "Aapka order raste mein hai.");
    call.says("theek hai");
    assert!(
        is_told(&call, "Ji zaroor,") && is_told(&call, "Aapka order raste mein hai."),
        "{:?}",
        call.told()
    );
}

#[test]
fn a_forbidden_rest_is_withheld_and_the_first_clause_stands_as_heard() {
    let mut call = stalled();
    call.plays();
    call.model(&["t:Acme achha hai. "]);
    assert_eq!(call.said().last().unwrap(), "Yeh main nahi bata sakti.");
    call.plays();
    assert_eq!(call.commands.last(), Some(&MindCommand::Listen), "{:?}", call.mind);
    call.says("theek hai");
    let is_begun =
        |turn: &Turn| matches!(turn, Turn::Assistant { text, .. } if text.starts_with("Ji zaroor, —"));
    assert!(call.told().iter().any(is_begun), "{:?}", call.told());
}

/// A synthesizer may say late that it has said all.
#[test]
fn an_answer_that_is_whole_and_not_ended_needs_no_filler() {
    let mut call = Call::new(1);
    call.says("mera order kahan hai");
    call.model(&["t:Aapka order raste mein hai. ", "f"]);
    call.tell("tts", "a:1500");
    call.waits(4_000);
    assert_eq!(call.said().last().unwrap(), "Aapka order raste mein hai.");
}

#[test]
fn nothing_is_said_over_a_caller_who_speaks_into_the_silence() {
    let mut call = Call::new(1);
    call.says("mera order kahan hai");
    call.model(&["t:Ji zaroor, "]);
    call.tell("tts", "a:700");
    call.voice(VoiceEvent::SpeechStarted);
    call.waits(2_500);
    assert_eq!(call.said().last().unwrap(), "Ji zaroor,");
    call.model(&["t:aapka "]);
    call.dismisses();
    call.waits(1_300);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
}
