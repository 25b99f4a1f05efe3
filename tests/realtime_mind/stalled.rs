//! An answer that stalls behind its first sound: the caller is told that it goes on, and the model what he heard of it.

use caly::voice::exchange::{Interruption, MindCommand, VoiceEvent};
use std::time::Duration;

use crate::call::Call;
use crate::{OPENAI, speaks};

/// The model has stalled behind its first words, which were heard, and a filler is said.
fn stalled() -> Call {
    let mut call = Call::new(1, OPENAI);
    speaks(&mut call);
    call.commits();
    call.model(&["begin 1", "text 1 i1 Ji zaroor main dekhti hoon", "sound 1 i1 700"]);
    call.waits(1_700);
    assert!(!call.said().contains(&"Ek minute.".to_owned()), "so long is a breath");
    call.waits(300);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
    call.sent();
    call
}

#[test]
fn a_model_that_stalls_behind_its_first_words_leaves_no_silence() {
    let mut call = stalled();
    call.plays();
    call.waits(1_500);
    call.waits(300);
    assert_eq!(call.said().last().unwrap(), "Bas ek second.");
    let before = call.sound_ms;
    call.model(&["text 1 i1  aapka order.", "sound 1 i1 900", "done"]);
    assert_eq!(call.sound_ms - before, 900);
    call.plays();
    assert_eq!(call.commands.last(), Some(&MindCommand::Listen));
    let said = call.said().len();
    call.waits(10_000);
    assert_eq!(call.said().len(), said, "nothing more is owed: {:?}", call.said());
    call.voice(VoiceEvent::Idle { silence: Duration::from_secs(10) });
    assert_eq!(call.said().last().unwrap(), "Aap wahan hain?");
}

#[test]
fn who_interrupts_has_heard_both_parts() {
    // Over the filler.
    let mut call = stalled();
    call.interrupts(100, Interruption::Speech);
    assert!(call.sent().contains(&"cut i1 700".to_owned()));
    // Over the rest.
    let mut call = stalled();
    call.model(&["sound 1 i1 900"]);
    call.interrupts(400, Interruption::Speech);
    assert!(call.sent().contains(&"cut i1 1100".to_owned()));
}

#[test]
fn what_stalls_and_breaks_is_asked_for_behind_what_was_heard() {
    for (rest, heard) in [(&[][..], "Ji zaroor"), (&["sound 1 i1 900"], "Ji zaroor main dekhti")] {
        let mut call = stalled();
        call.model(rest);
        call.model(&["broken"]);
        let (sent, wanted) = (call.sent(), format!("heard only this: \"{heard}\""));
        assert!(sent.iter().any(|line| line.contains(&wanted)), "{wanted}: {sent:?}");
    }
}

#[test]
fn an_answer_of_which_nothing_was_missing_ends_as_others_do() {
    for end in ["done", "interrupted", "cancelled"] {
        let mut call = stalled();
        call.plays();
        call.model(&[end]);
        assert_eq!(call.commands.last(), Some(&MindCommand::Listen), "{end}: {:?}", call.mind);
        let said = call.said().len();
        call.waits(10_000);
        assert_eq!(call.said().len(), said, "{end}: {:?}", call.said());
    }
}

#[test]
fn of_a_forbidden_rest_what_came_before_it_was_heard() {
    let mut call = stalled();
    call.plays();
    call.model(&["text 1 i1  Acme"]);
    call.model(&["text 1 i1  achha hai."]);
    assert!(call.sent().contains(&"cut i1 700".to_owned()));
    assert_eq!(call.said().last().unwrap(), "Yeh main nahi bata sakti.");
}

#[test]
fn nothing_is_said_over_a_caller_who_speaks_into_the_silence() {
    let mut call = Call::new(1, OPENAI);
    speaks(&mut call);
    call.commits();
    call.model(&["begin 1", "text 1 i1 Ji zaroor", "sound 1 i1 700"]);
    let said = call.said().len();
    speaks(&mut call);
    call.waits(3_000);
    assert_eq!(call.said().len(), said, "{:?}", call.said());
    call.dismisses();
    call.waits(1_300);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
}
