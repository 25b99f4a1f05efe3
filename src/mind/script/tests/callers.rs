//! What callers do, and what comes of it.

use super::*;

#[test]
fn who_does_nothing_right_is_sent_off_politely() {
    let idle = VoiceEvent::Idle { silence: Duration::from_secs(10) };
    let speech = VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) };
    let wrong = VoiceEvent::Digit(Digit::from_char('5').unwrap());
    for event in [idle, speech, wrong] {
        let mut call = Call::begin();
        call.play();
        for _ in 0..3 {
            assert!(!call.has_hung_up);
            call.event(VoiceEvent::SpeechStarted);
            call.event(event.clone());
            call.play();
        }
        call.ends_with("menu sorry =gave_up goodbye");
        assert!(call.has_hung_up);
    }
    let mut call = Call::begin();
    call.event(VoiceEvent::IdleTooLong);
    assert!(call.has_hung_up);
}

#[test]
fn keys_typed_during_a_prompt_count_and_a_flood_is_bounded() {
    let mut call = Call::begin();
    call.press("1222123#");
    call.ends_with("menu ask_order look_up");
    let mut call = Call::begin();
    call.press(&"7".repeat(1_000));
    assert!(call.mind.ignored_keys() >= 1_000 - 32);
}

#[test]
fn speech_over_a_prompt_is_no_wrong_answer_to_the_state_behind_it() {
    let mut call = Call::begin();
    call.event(VoiceEvent::SpeechStarted);
    call.cut();
    call.ends_with("greet");
    let said = call.said.len();
    call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(1) });
    call.event(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) });
    call.ends_with("greet menu");
    assert_eq!(call.said.len(), said + 1, "the menu, and no word about a wrong answer");
    call.play();
    call.event(VoiceEvent::SpeechStarted);
    call.event(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) });
    assert!(call.said.iter().any(|said| said.contains("कीपैड इस्तेमाल")), "{:?}", call.said);
}

#[test]
fn who_speaks_on_without_end_hears_that_it_leads_nowhere() {
    let talk = VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(8) };
    let mut call = Call::begin();
    call.event(VoiceEvent::SpeechStarted);
    call.cut();
    call.event(talk.clone());
    assert!(call.said[1].contains("कीपैड इस्तेमाल"), "{:?}", call.said);
    call.ends_with("greet menu");
    for _ in 0..3 {
        // What explains cannot be talked down; the menu behind it can.
        let utterance = call.playing.remove(0);
        call.event(VoiceEvent::Played { utterance });
        call.cut();
        call.event(talk.clone());
    }
    call.play();
    call.ends_with("menu sorry =gave_up goodbye");
}

#[test]
fn who_has_answered_already_is_not_asked() {
    let mut call = Call::begin();
    call.press("8");
    call.play();
    call.ends_with("greet menu english menu");
    assert_eq!(call.said.len(), 2, "the greeting and the menu in English: {:?}", call.said);
}

#[test]
fn while_a_message_is_asked_for_only_the_hash_has_a_meaning() {
    let mut call = Call::begin();
    call.play();
    call.press("0");
    let (said, ignored) = (call.said.len(), call.mind.ignored_keys());
    call.press("05*");
    assert_eq!((call.said.len(), call.mind.ignored_keys()), (said, ignored + 3));
    assert_eq!(call.yields_to, YieldsTo { digits: false, ..YieldsTo::ANYTHING });
    call.press("#");
    call.event(VoiceEvent::SpeechStarted);
    call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(2) });
    call.press("#");
    call.ends_with("message message_taken =message_taken goodbye");
}

#[test]
fn keys_hit_at_once_are_one_mistake_and_a_flood_of_them_ends() {
    let mut call = Call::begin();
    call.play();
    call.press("55555");
    call.ends_with("greet menu");
    for _ in 0..2 {
        call.now += Duration::from_secs(2);
        call.press("5");
    }
    call.ends_with("sorry =gave_up goodbye");
    let mut call = Call::begin();
    call.play();
    for _ in 0..400 {
        call.event(VoiceEvent::Digit(Digit::from_char('5').unwrap()));
        call.playing.clear();
    }
    call.play();
    assert!(call.has_hung_up);
}

#[test]
fn who_interrupts_is_heard_out_unless_it_is_by_a_key() {
    let mut call = Call::begin();
    call.event(VoiceEvent::SpeechStarted);
    call.cut();
    assert_eq!((call.said.len(), call.playing.len()), (1, 0));
    call.press("1");
    call.ends_with("greet menu ask_order");
    let mut call = Call::begin();
    call.event(VoiceEvent::SpeechStarted);
    call.cut();
    call.event(VoiceEvent::Idle { silence: Duration::from_secs(10) });
    call.ends_with("greet menu");
}

#[test]
fn last_words_cannot_be_interrupted() {
    let mut call = Call::begin();
    call.play();
    assert_eq!(call.yields_to, YieldsTo::ANYTHING);
    for _ in 0..3 {
        call.now += Duration::from_secs(2);
        call.press("5");
    }
    call.ends_with("sorry =gave_up goodbye");
    assert_eq!(call.yields_to, YieldsTo::NOTHING);
    let mut call = Call::begin();
    call.event(VoiceEvent::IdleTooLong);
    assert_eq!(call.yields_to, YieldsTo::NOTHING);
}

#[test]
fn who_talks_down_a_prompt_that_came_while_he_spoke_is_told_to_use_the_keypad() {
    let mut call = Call::begin();
    call.play();
    call.event(VoiceEvent::SpeechStarted);
    call.event(VoiceEvent::Digit(Digit::from_char('*').unwrap()));
    call.cut();
    call.event(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(5) });
    assert!(call.said.iter().any(|said| said.contains("कीपैड इस्तेमाल")), "{:?}", call.said);
}

#[test]
fn a_star_clears_an_entry_and_is_a_global_key_before_it() {
    let mut call = Call::begin();
    call.play();
    call.press("1999*222123#");
    assert_eq!(call.asked.clone().unwrap().1, r#"lookup_order {"keypad":"222123"}"#);
    let mut call = Call::begin();
    call.play();
    call.press("1*");
    call.ends_with("ask_order menu");
}

#[test]
fn nine_is_a_digit_within_a_collect_and_repeats_elsewhere() {
    let mut call = Call::begin();
    call.play();
    let first = call.said.last().unwrap().clone();
    call.press("9");
    assert_eq!(call.said.last(), Some(&first));
    call.ends_with("greet menu");
    call.press("1999#");
    assert_eq!(call.asked.clone().unwrap().1, r#"lookup_order {"keypad":"999"}"#);
}

#[test]
fn keys_typed_while_a_tool_works_are_kept_for_what_follows() {
    let mut call = Call::begin();
    call.play();
    call.press("1222123#");
    call.press("5");
    call.answer(Ok(json!({"result": "found", "orders": [order("ABC123")]})));
    call.ends_with("status =order_status actions goodbye");
    assert_eq!(call.mind.ignored_keys(), 0);
    let mut call = Call::begin();
    call.play();
    call.press("1222123#");
    call.press(&"0".repeat(1_000));
    assert_eq!(call.mind.ignored_keys(), 1_000 - 32);
}
