//! What has to be heard, a legal notice perhaps, is heard to its end; what the caller does meanwhile is not lost, and no mistake.

use super::*;

/// The demo with changes.
fn with(changes: &[(&str, &str)]) -> Call {
    let text = changes.iter().fold(DEMO.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    Call::of(Arc::new(Script::parse("demo.toml", &text, BUILT_IN).unwrap()))
}

const NOTICE: (&str, &str) = ("greet = { kind = \"say\",", "greet = { kind = \"say\", interruptible = [],");
const MENU: (&str, &str) = ("menu = { kind = \"menu\",", "menu = { kind = \"menu\", interruptible = [],");

fn speech(call: &mut Call) {
    call.event(VoiceEvent::SpeechStarted);
    call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(1) });
}

#[test]
fn a_notice_is_said_so_and_keys_typed_over_it_are_kept() {
    let mut call = with(&[NOTICE]);
    assert_eq!(call.yields_to, YieldsTo::NOTHING);
    speech(&mut call);
    call.event(VoiceEvent::SpeechDismissed { turn: 0 });
    for key in "1222".chars() {
        call.event(VoiceEvent::Digit(Digit::from_char(key).unwrap()));
    }
    call.ends_with("greet");
    assert_eq!((call.playing.len(), call.said.len()), (1, 1));
    call.play();
    call.ends_with("greet menu ask_order");
    assert_eq!(call.yields_to, YieldsTo::ANYTHING);
    assert_eq!(call.mind.ignored_keys(), 0);
}

#[test]
fn keys_do_not_cut_a_menu_that_has_to_be_heard_and_choose_when_it_is() {
    let mut call = with(&[MENU]);
    // One typed ahead, one over the menu itself.
    call.event(VoiceEvent::Digit(Digit::from_char('1').unwrap()));
    let greeting = call.playing.remove(0);
    call.event(VoiceEvent::Played { utterance: greeting });
    call.ends_with("greet menu");
    for key in "2221".chars() {
        call.event(VoiceEvent::Digit(Digit::from_char(key).unwrap()));
    }
    call.ends_with("greet menu");
    assert_eq!(call.playing.len(), 1, "it is not stopped");
    call.play();
    call.ends_with("greet menu ask_order");
    call.press("23#");
    assert_eq!(call.asked.clone().unwrap().1, r#"lookup_order {"keypad":"222123"}"#);
    let mut call = with(&[MENU]);
    call.play();
    call.press("8");
    call.event(VoiceEvent::Digit(Digit::from_char('5').unwrap()));
    call.play();
    call.ends_with("english menu");
    let mut call = with(&[MENU]);
    call.playing.remove(0);
    call.event(VoiceEvent::Played { utterance: UtteranceId(1) });
    call.drain();
    (0..1_000).for_each(|_| call.event(VoiceEvent::Digit(Digit::from_char('7').unwrap())));
    assert_eq!(call.mind.ignored_keys(), 1_000 - 32);
}

#[test]
fn speech_over_a_notice_is_no_wrong_answer_even_if_it_outlasts_it() {
    let turn = VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(2) };
    let complaint = |call: &Call| call.said.iter().any(|said| said.contains("कीपैड इस्तेमाल"));
    let mut call = with(&[MENU]);
    call.play();
    call.press("7");
    call.event(VoiceEvent::SpeechStarted);
    call.event(turn.clone());
    assert!(complaint(&call), "it is one to a menu that could have been cut");
    let mut call = with(&[MENU]);
    let greeting = call.playing.remove(0);
    call.event(VoiceEvent::Played { utterance: greeting });
    call.event(VoiceEvent::SpeechStarted);
    call.event(turn.clone());
    assert_eq!((complaint(&call), call.playing.len()), (false, 1));
    call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(2) });
    call.event(VoiceEvent::SpeechStarted);
    call.play();
    call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(2) });
    call.event(turn.clone());
    assert!(!complaint(&call), "he began before he could have known what to answer");
    call.event(VoiceEvent::SpeechStarted);
    call.event(turn);
    assert!(complaint(&call));
}

#[test]
fn what_is_cut_before_a_notice_does_not_take_the_notice_with_it() {
    let status = ("status = { kind = \"say\",", "status = { kind = \"say\", interruptible = [],");
    let mut call = with(&[status]);
    call.play();
    call.press("1222123#");
    let (id, _) = call.asked.take().unwrap();
    // The filler still plays when the answer comes, and the caller talks it down.
    let answer = json!({"result": "found", "orders": [order("ABC123")]});
    call.playing = vec![UtteranceId(4)];
    call.mind.handle_tool(call.now, id, Ok(answer));
    call.event(VoiceEvent::SpeechStarted);
    let filler = *call.playing.iter().min().unwrap();
    let notice = *call.playing.iter().max().unwrap();
    assert!(notice > filler);
    let heard = Duration::from_millis(200);
    call.event(VoiceEvent::Interrupted { utterance: filler, heard, by: Interruption::Speech });
    call.ends_with("several status =order_status");
    call.playing = vec![notice];
    call.play();
    call.ends_with("status =order_status actions");
}

#[test]
fn coughs_and_backchannels_are_no_answers() {
    let mut call = Call::begin();
    call.play();
    for turn in 0..5 {
        speech(&mut call);
        call.event(VoiceEvent::SpeechDismissed { turn });
    }
    call.ends_with("greet menu");
    assert_eq!(call.said.len(), 2);
    // An interruption that came to nothing: what was cut counts as said, and the dialogue goes on.
    let mut call = Call::begin();
    call.event(VoiceEvent::SpeechStarted);
    call.cut();
    call.ends_with("greet");
    call.event(VoiceEvent::SpeechDismissed { turn: 0 });
    call.ends_with("greet menu");
    assert_eq!(call.said.len(), 2, "no word about a wrong answer");
    // And over the menu itself it waits, and asks again in the usual time.
    call.event(VoiceEvent::SpeechStarted);
    call.cut();
    call.event(VoiceEvent::SpeechDismissed { turn: 1 });
    call.ends_with("greet menu");
    assert_eq!(call.said.len(), 2);
    call.event(VoiceEvent::Idle { silence: Duration::from_secs(10) });
    assert!(call.said.last().unwrap().contains("दबाएँ"), "{:?}", call.said);
}
