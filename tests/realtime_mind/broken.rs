//! An answer that breaks off while it is heard is taken up, once, and not over a caller who has begun to speak.

use caly::voice::exchange::{Digit, Interruption, VoiceEvent};
use caly_provider::realtime::Habits;

use crate::call::Call;
use crate::{GEMINI, OPENAI, TOLD, speaks};

const BROKE: &str =
    "The connection broke while you spoke. Of your last answer the caller has heard only this:";
const GO_ON: &str =
    "Go on from there: say only what is missing, without repeating any of it and without an apology.";

/// Half of an answer was heard when the connection broke, or the model failed.
fn broken(models: usize, habits: Habits, ends: &str) -> Call {
    let mut call = Call::new(models, habits);
    speaks(&mut call);
    call.commits();
    call.model(&["begin 1", "text 1 i1 Aapka order raste mein hai aur kal", "sound 1 i1 1500"]);
    call.sent();
    match ends {
        "link" => call.breaks(),
        end => call.model(&[end]),
    }
    call
}

fn asked(call: &mut Call) -> Vec<String> {
    call.sent().into_iter().filter(|line| line.starts_with("respond")).collect()
}

#[test]
fn the_rest_is_asked_for_of_whoever_talks_then() {
    for habits in [OPENAI, GEMINI, TOLD] {
        for (models, end) in [(1, "link"), (2, "link"), (1, "broken"), (2, "broken")] {
            let mut call = broken(models, habits, end);
            call.waits(2_500);
            // As much of the words as has a sound: 1.5 s are about 23 characters.
            let expected = format!("respond {BROKE} \"Aapka order raste mein\". {GO_ON}");
            let sent = call.sent();
            assert!(sent.contains(&expected), "{models} {end}: {sent:?} {:?}", call.said());
            call.plays();
            let before = call.sound_ms;
            call.model(&["begin 2", "text 2 i2 hai aur kal pahunchega.", "sound 2 i2 900", "done"]);
            assert_eq!(call.sound_ms - before, 900, "{models} {end}");
            call.plays();
            let said = call.said().len();
            call.waits(10_000);
            assert_eq!(
                (call.said().len(), call.gave_up()),
                (said, 0),
                "nothing more is owed: {:?}",
                call.said()
            );
        }
    }
}

#[test]
fn a_filler_covers_the_wait_for_the_rest() {
    let mut call = broken(1, OPENAI, "broken");
    call.plays();
    call.waits(1_000);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
}

#[test]
fn it_is_tried_once_and_then_the_caller_is_asked() {
    let mut call = broken(1, OPENAI, "broken");
    call.model(&["begin 2", "text 2 i2 hai aur", "sound 2 i2 300", "broken"]);
    assert_eq!(asked(&mut call).len(), 1);
    assert_eq!(call.said().last().unwrap(), "Phir se boliye.");
    call.plays();
    // The next turn may be taken up again.
    speaks(&mut call);
    call.commits();
    call.sent();
    call.model(&["begin 3", "text 3 i3 Aapka order", "sound 3 i3 500", "broken"]);
    assert_eq!(asked(&mut call).len(), 1);
}

#[test]
fn a_caller_who_speaks_comes_first() {
    // Before it broke: what he says is answered, by a model that knows what he has heard.
    let mut call = Call::new(1, TOLD);
    speaks(&mut call);
    call.commits();
    call.model(&["begin 1", "text 1 i1 Aapka order raste mein hai aur kal", "sound 1 i1 1500"]);
    speaks(&mut call);
    call.sent();
    call.model(&["broken"]);
    assert_eq!(asked(&mut call), [] as [String; 0]);
    call.commits();
    let told = format!("System {BROKE} \"Aapka order raste mein\".");
    assert_eq!(call.sent(), [&told, "commit", "respond"]);
    // Behind it: nobody asks for the rest any more.
    let mut call = broken(1, TOLD, "broken");
    assert_eq!(asked(&mut call).len(), 1);
    speaks(&mut call);
    assert_eq!(call.sent(), ["cancel"]);
    call.interrupts(700, Interruption::Speech);
    call.commits();
    assert!(call.sent().contains(&"respond".to_owned()));
    // It was a cough: the rest is asked for.
    let mut call = broken(1, TOLD, "broken");
    call.sent();
    speaks(&mut call);
    call.dismisses();
    assert_eq!(asked(&mut call).len(), 1);
}

/// Keys are another turn: whoever answers them is to know what was not heard, and the rest is not asked for beside them.
#[test]
fn keys_come_before_the_rest_too() {
    let mut call = broken(1, TOLD, "broken");
    assert_eq!(asked(&mut call).len(), 1);
    for key in ['1', '#'] {
        call.voice(VoiceEvent::Digit(Digit::from_char(key).unwrap()));
    }
    let sent = call.sent();
    let place = |line: &str| sent.iter().position(|sent| sent.starts_with(line));
    let (cancelled, told, respond) = (place("cancel"), place(&format!("System {BROKE}")), place("respond"));
    assert!(cancelled.is_some() && cancelled < told && told < respond, "{sent:?}");
}
