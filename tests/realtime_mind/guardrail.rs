//! What a model must never say is stopped as soon as its words tell of it; something else is said, and the call goes on.

use caly::call::dialogue::Dialogue;
use caly::call::hop::HopEvent;
use caly::voice::exchange::{MindCommand, VoiceEvent};

use crate::call::Call;
use crate::{GEMINI, OPENAI, speaks};

const INSTEAD: &str = "Yeh main nahi bata sakti.";

/// Words and milliseconds heard of what was withheld.
fn tripped(call: &Call) -> Vec<(String, u64)> {
    let event = |note: &Dialogue| match note {
        Dialogue::Hop(HopEvent::GuardrailTripped { text, heard_ms, .. }) => Some((text.clone(), *heard_ms)),
        _ => None,
    };
    call.notes().filter_map(event).collect()
}

fn asked(habits: caly_provider::realtime::Habits) -> Call {
    let mut call = Call::new(1, habits);
    speaks(&mut call);
    call.commits();
    call.sent();
    call
}

#[test]
fn words_that_come_before_their_sound_are_never_heard() {
    for habits in [OPENAI, GEMINI] {
        let mut call = asked(habits);
        let before = call.sound_ms;
        call.model(&["begin 1", "text 1 i1 Aapko poora paisa", "text 1 i1  wapas milega.", "sound 1 i1 900"]);
        assert_eq!(tripped(&call), [("Aapko poora paisa wapas milega.".to_owned(), 0)]);
        assert_eq!(call.said(), ["Namaste!", INSTEAD]);
        assert_eq!(call.sound_ms - before, 500, "the line alone");
        assert_eq!(call.sent()[..1], ["cancel"]);
        call.model(&["cancelled"]);
        assert!(call.sent().iter().any(|line| line.starts_with("System [What you were about to say")));
        assert!(!call.commands.contains(&MindCommand::Stop), "nothing of it was to be stopped");
        call.plays();
        assert_eq!(call.sent(), [format!("Assistant {INSTEAD}")]);
        speaks(&mut call);
        call.commits();
        call.model(&["begin 2", "text 2 i2 Aur kuch?", "sound 2 i2 600", "done"]);
        assert_eq!(call.said().last().unwrap(), "Aur kuch?");
    }
}

/// The first credit is all that there is: what was sent counts as heard, and the rest is not sent.
#[test]
fn sound_that_came_before_its_words_is_stopped_and_taken_back() {
    let mut call = asked(OPENAI);
    call.model(&["begin 1", "text 1 i1 Haan ji,", "sound 1 i1 700", "text 1 i1  Acme"]);
    assert!(tripped(&call).is_empty(), "the word may go on");
    call.model(&["text 1 i1  se lijiye."]);
    let stop = call.commands.iter().position(|command| *command == MindCommand::Stop).unwrap();
    let line = |command: &MindCommand| matches!(command, MindCommand::Note(Dialogue::Said { text, .. }) if text == INSTEAD);
    assert!(call.commands.iter().position(line).unwrap() > stop);
    assert_eq!(call.sent()[..2], ["cancel", "cut i1 700"]);
    let [(text, heard_ms)] = &tripped(&call)[..] else { panic!("{:?}", tripped(&call)) };
    assert!(text.ends_with("se lijiye.") && *heard_ms == 700, "{text} {heard_ms}");
    call.model(&["sound 1 i1 2000", "done"]);
    assert_eq!(call.said().last().unwrap(), INSTEAD);
    call.plays();
    call.voice(VoiceEvent::Idle { silence: std::time::Duration::from_secs(10) });
    assert_eq!(call.said().last().unwrap(), "Aap wahan hain?", "nothing is owed");
}

#[test]
fn the_last_word_of_an_answer_is_judged_when_nothing_follows_it() {
    let ends: [&[&str]; 3] = [&["done"], &["tool t1 look"], &["interrupted"]];
    for end in ends {
        let mut call = asked(GEMINI);
        call.model(&["begin 1", "text 1 i1 Woh hai Acme", "sound 1 i1 400"]);
        assert!(tripped(&call).is_empty());
        call.model(end);
        assert_eq!(tripped(&call).len(), 1, "{end:?}");
        assert!(call.tools.is_empty() && call.said().last().unwrap() == INSTEAD, "{end:?}");
    }
}

#[test]
fn an_answer_that_is_held_is_judged_when_it_may_be_heard() {
    let mut call = Call::new(1, GEMINI);
    speaks(&mut call);
    call.model(&["begin 1", "sound 1 i1 400", "text 1 i1 Acme se.", "tool t1 look", "done"]);
    assert!(tripped(&call).is_empty());
    let before = call.sound_ms;
    call.commits();
    assert_eq!(tripped(&call).len(), 1);
    assert!(call.tools.is_empty() && call.sent().contains(&"result t1".to_owned()));
    assert_eq!(call.said(), ["Namaste!", INSTEAD]);
    assert!(call.sound_ms - before <= 900, "{}", call.sound_ms - before);
}

/// Also where it is to say a line of the agent, it does not.
#[test]
fn a_model_that_says_it_again_and_again_is_given_up() {
    let mut call = asked(OPENAI);
    for answer in 1..=3 {
        assert_eq!(call.gave_up(), 0);
        call.model(&[&format!("begin {answer}"), &format!("text {answer} i{answer} Acme hai."), "cancelled"]);
    }
    assert_eq!(call.gave_up(), 1);
}
