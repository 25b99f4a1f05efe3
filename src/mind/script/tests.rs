//! The demo's dialogue in virtual time, with a voice that plays at once what it is sent and tools that answer from a list.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Script, ScriptMind};
use crate::call::dialogue::Dialogue;
use crate::mind::speech::{Clips, Language};
use crate::mind::{Mind, ToolCallId, Wish};
use crate::tools::{BUILT_IN, ToolError};
use crate::voice::exchange::{Digit, Interruption, MindCommand, UtteranceId, VoiceEvent, YieldsTo};

mod callers;
mod faults;
mod notice;

const DEMO: &str = include_str!("../../../config/agents/demo.toml");

#[derive(Debug)]
struct Silent;

impl Clips for Silent {
    fn clip(&self, _: Language, text: &str) -> Option<Arc<[i16]>> {
        Some(vec![0; text.chars().count() * 80].into())
    }
}

fn demo() -> Arc<Script> {
    Arc::new(Script::parse("demo.toml", DEMO, BUILT_IN).unwrap())
}

struct Call {
    mind: ScriptMind,
    now: Instant,
    log: Vec<String>,
    said: Vec<String>,
    asked: Option<(ToolCallId, String)>,
    playing: Vec<UtteranceId>,
    /// What stops what was sent last.
    yields_to: YieldsTo,
    has_hung_up: bool,
}

impl Call {
    fn begin() -> Self {
        Self::of(demo())
    }

    fn of(script: Arc<Script>) -> Self {
        let now = Instant::now();
        let mind = ScriptMind::new(script, Arc::new(Silent));
        let (log, said, playing) = (Vec::new(), Vec::new(), Vec::new());
        let mut call = Self {
            mind,
            now,
            log,
            said,
            asked: None,
            playing,
            yields_to: YieldsTo::ANYTHING,
            has_hung_up: false,
        };
        call.event(VoiceEvent::Credit { samples: u64::MAX });
        call.event(VoiceEvent::Answered);
        call
    }

    fn event(&mut self, event: VoiceEvent) {
        self.mind.handle(self.now, event);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(wish) = self.mind.poll() {
            assert!(!self.has_hung_up || matches!(wish, Wish::Voice(MindCommand::Note(_))), "{wish:?}");
            match wish {
                Wish::Tool(call) => self.asked = Some((call.id, format!("{} {}", call.name, call.arguments))),
                Wish::Voice(MindCommand::Finish { utterance }) => self.playing.push(utterance),
                Wish::Voice(MindCommand::Stop) => self.playing.clear(),
                Wish::Voice(MindCommand::Speak { yields_to, .. }) => self.yields_to = yields_to,
                Wish::Voice(MindCommand::HangUp) => self.has_hung_up = true,
                Wish::Voice(MindCommand::Note(Dialogue::State { name })) => self.log.push(name),
                Wish::Voice(MindCommand::Note(Dialogue::Outcome { name })) => {
                    self.log.push(format!("={name}"))
                }
                Wish::Voice(MindCommand::Note(Dialogue::Said { text, .. })) => self.said.push(text),
                Wish::Voice(_) => {}
                Wish::Link(order) => panic!("a script needs no provider: {order:?}"),
            }
        }
    }

    fn play(&mut self) {
        while !self.playing.is_empty() {
            let utterance = self.playing.remove(0);
            self.now += Duration::from_secs(1);
            self.event(VoiceEvent::Played { utterance });
        }
    }

    /// The caller talks over what is being said.
    fn cut(&mut self) {
        let utterance = self.playing[0];
        self.playing.clear();
        let heard = Duration::from_millis(200);
        self.event(VoiceEvent::Interrupted { utterance, heard, by: Interruption::Speech });
    }

    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.event(VoiceEvent::Digit(Digit::from_char(key).unwrap()));
        }
        self.play();
    }

    fn answer(&mut self, answer: Result<Value, ToolError>) {
        let (id, _) = self.asked.take().unwrap();
        self.mind.handle_tool(self.now, id, answer);
        self.drain();
        self.play();
    }

    fn wait(&mut self) {
        self.now = self.mind.poll_timeout().unwrap();
        self.mind.handle_timeout(self.now);
        self.drain();
        self.play();
    }

    fn ends_with(&self, states: &str) {
        assert!(self.log.join(" ").ends_with(states), "{}", self.log.join(" "));
    }
}

fn order(id: &str) -> Value {
    json!({"id": id, "item": "shoes", "status": "in_transit", "date": "2026-11-24", "amount_paise": 129_900})
}

fn found() -> Call {
    let mut call = Call::begin();
    call.play();
    call.press("1222123#");
    call.answer(Ok(json!({"result": "found", "orders": [order("ABC123")]})));
    call
}

#[test]
fn an_order_is_found_and_its_status_spoken() {
    let mut call = Call::begin();
    assert!(call.said[0].starts_with("नमस्ते!"));
    call.play();
    call.press("1222123#");
    assert_eq!(call.asked.clone().unwrap().1, r#"lookup_order {"keypad":"222123"}"#);
    assert_eq!(call.said.last().unwrap(), "एक मिनट, चेक कर रही हूँ।");
    call.answer(Ok(json!({"result": "found", "orders": [order("ABC123")]})));
    let said = call.said.join(" ");
    assert!(said.contains("ABC123") && said.contains("24 नवंबर") && said.contains("₹1,299"), "{said}");
    call.press("5");
    assert_eq!(
        call.log.join(" "),
        "greet menu ask_order look_up several status =order_status actions goodbye"
    );
    assert!(call.has_hung_up);
    assert_eq!(call.mind.unspoken(), 0);
}

#[test]
fn orders_are_changed_after_a_confirmation() {
    for (keys, asks, answer, ends) in [
        (
            "11",
            "cancel_order",
            json!({"result": "done", "amount_paise": 100}),
            "cancelled =order_cancelled actions",
        ),
        (
            "21",
            "return_order",
            json!({"result": "done", "date": "2026-11-25"}),
            "returned =order_returned actions",
        ),
        ("31", "refund_order", json!({"result": "already"}), "already actions"),
        ("31", "refund_order", json!({"result": "not_possible"}), "not_possible actions"),
        (
            "41",
            "open_ticket",
            json!({"result": "done", "ticket": "T42"}),
            "ticket_open =ticket_opened actions",
        ),
        ("41", "open_ticket", json!({"result": "what"}), "tool_failed =tool_failed message"),
        ("41", "open_ticket", json!("nonsense"), "tool_failed =tool_failed message"),
    ] {
        let mut call = found();
        call.press(keys);
        assert_eq!(call.asked.clone().unwrap().1, format!(r#"{asks} {{"order":"ABC123"}}"#));
        call.answer(Ok(answer));
        call.ends_with(ends);
        assert_eq!(call.mind.unspoken(), 0, "{keys}");
    }
    let mut call = found();
    call.press("12");
    call.ends_with("sure_cancel actions");
    assert_eq!(call.asked, None);
}

#[test]
fn several_matches_are_read_out_and_one_is_chosen() {
    let mut call = Call::begin();
    call.play();
    call.press("1222123#");
    call.answer(Ok(json!({"result": "several", "orders": [order("ABC123"), order("BAC123")]})));
    assert!(call.said.last().unwrap().contains("BAC123"));
    call.press("3");
    call.press("2");
    call.ends_with("several status =order_status actions");
    assert!(call.said.iter().any(|said| said.starts_with("आपका ऑर्डर BAC123")));
}

#[test]
fn a_tool_that_fails_or_is_late_leads_to_a_message() {
    for failure in [Some(ToolError::Unavailable("locked".into())), None] {
        let mut call = Call::begin();
        call.play();
        call.press("1999#");
        match failure {
            Some(error) => call.answer(Err(error)),
            None => call.wait(),
        }
        call.ends_with("tool_failed =tool_failed message");
        call.event(VoiceEvent::SpeechStarted);
        call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(2) });
        call.wait();
        call.ends_with("message message_taken =message_taken goodbye");
        assert!(call.has_hung_up);
    }
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let mut call = Call::begin();
    call.play();
    call.press("1999#");
    let (id, _) = call.asked.clone().unwrap();
    call.wait();
    let before = call.log.clone();
    call.mind.handle_tool(call.now, id, Ok(json!({"result": "none"})));
    call.drain();
    assert_eq!(call.log, before);
}

#[test]
fn a_call_ends_although_voice_grants_nothing() {
    let now = Instant::now();
    let mut mind = ScriptMind::new(demo(), Arc::new(Silent));
    mind.handle(now, VoiceEvent::Answered);
    mind.handle(now, VoiceEvent::IdleTooLong);
    while let Some(wish) = mind.poll() {
        assert_ne!(wish, Wish::Voice(MindCommand::HangUp));
    }
    let ends = mind.poll_timeout().unwrap();
    assert_eq!(ends - now, Duration::from_secs(30));
    mind.handle_timeout(ends);
    let wishes: Vec<_> = std::iter::from_fn(|| mind.poll()).collect();
    assert_eq!(wishes.last(), Some(&Wish::Voice(MindCommand::HangUp)));
    assert_eq!(mind.poll_timeout(), None);
}

#[test]
fn an_order_that_does_not_exist_is_asked_for_again_three_times_in_all() {
    let none = || Ok(json!({"result": "none", "orders": []}));
    let mut call = Call::begin();
    call.play();
    call.press("1");
    for _ in 0..2 {
        call.press("999#");
        call.answer(none());
        call.ends_with("look_up none =order_unknown ask_order");
    }
    call.press("999#");
    call.answer(none());
    call.ends_with("look_up none_again =order_unknown message");
}

#[test]
fn what_is_typed_is_taken_when_nothing_follows() {
    let mut call = Call::begin();
    call.play();
    call.press("1222");
    call.wait();
    call.ends_with("ask_order look_up");
}

#[test]
fn text_before_the_first_letter_is_not_given_to_a_synthesizer() {
    let script = Script::parse("demo.toml", DEMO, BUILT_IN).unwrap();
    for (_, line) in script.lines() {
        assert!(line.starts_with(char::is_alphanumeric), "{line:?}");
    }
    assert!(
        script
            .lines()
            .any(|(language, line)| (language, line) == (Language::En, "For English, press eight."))
    );
}

#[test]
fn a_key_switches_the_language() {
    let mut call = Call::begin();
    call.play();
    call.press("8");
    assert!(call.said.last().unwrap().starts_with("For your order"));
}

#[test]
fn any_events_in_any_order_end_within_bounds() {
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut calls_ended = 0;
    let mut call = Call::begin();
    for _ in 0..100_000 {
        match random(9) {
            0..=2 => call.event(VoiceEvent::Digit(Digit::from_event_code(random(17) as u8).unwrap())),
            3 => call.event(VoiceEvent::SpeechStarted),
            4 => call.event(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) }),
            5 => call.event(VoiceEvent::Idle { silence: Duration::from_secs(10) }),
            6 => {
                let (utterance, by) = (UtteranceId(random(50)), Interruption::Speech);
                call.event(VoiceEvent::Interrupted { utterance, heard: Duration::ZERO, by });
            }
            7 => call.play(),
            _ if call.asked.is_some() => call.answer(Ok(json!({"result": "found", "orders": [order("A1")]}))),
            _ if call.mind.poll_timeout().is_some() => call.wait(),
            _ => call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(1) }),
        }
        assert!(call.log.len() <= 700, "{}", call.log.len());
        if call.has_hung_up {
            calls_ended += 1;
            call = Call::begin();
        }
    }
    assert!(calls_ended > 100, "{calls_ended}");
}

#[test]
fn silence_is_no_message() {
    let mut call = Call::begin();
    call.play();
    call.press("0");
    call.ends_with("menu message");
    call.wait();
    assert_eq!(call.said.iter().filter(|said| said.contains("सुनाई नहीं दिया")).count(), 1);
    call.wait();
    call.wait();
    call.ends_with("message sorry =gave_up goodbye");
    assert!(call.has_hung_up);
}

#[test]
fn what_voice_cut_before_it_heard_of_a_stop_does_not_cut_what_was_said_since() {
    let mut call = Call::begin();
    let greeting = call.playing.remove(0);
    call.event(VoiceEvent::Played { utterance: greeting });
    // A key is pressed while the menu is read; voice has cut the menu for another reason at the same moment.
    let menu = call.playing[0];
    call.event(VoiceEvent::Digit(Digit::from_char('0').unwrap()));
    let (heard, by) = (Duration::from_secs(1), Interruption::Speech);
    call.event(VoiceEvent::Interrupted { utterance: menu, heard, by });
    // The recording begins behind the prompt, not with it.
    assert_eq!(call.mind.poll_timeout(), None);
    call.play();
    assert!(call.mind.poll_timeout().is_some());
}

#[test]
fn who_talks_over_the_prompt_and_goes_on_leaves_a_message() {
    let mut call = Call::begin();
    call.play();
    call.event(VoiceEvent::Digit(Digit::from_char('0').unwrap()));
    call.event(VoiceEvent::SpeechStarted);
    let (utterance, by) = (call.playing[0], Interruption::Speech);
    call.playing.clear();
    call.event(VoiceEvent::Interrupted { utterance, heard: Duration::from_secs(1), by });
    // Ten seconds without a pause are no silence.
    assert_eq!(call.mind.poll_timeout(), Some(call.now + Duration::from_secs(60)));
    call.now += Duration::from_secs(10);
    call.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(11) });
    call.wait();
    call.ends_with("message message_taken =message_taken goodbye");
}

/// Has every clip but the one.
#[derive(Debug)]
struct Without(&'static str);

impl Clips for Without {
    fn clip(&self, language: Language, text: &str) -> Option<Arc<[i16]>> {
        if text == self.0 { None } else { Silent.clip(language, text) }
    }
}

#[test]
fn a_sentence_without_its_audio_is_skipped_and_counted_and_the_call_goes_on() {
    for (missing, unspoken) in [("रकम", 1), ("निन्यानवे", 1), ("Z", 0)] {
        let mut call = Call::begin();
        call.mind = ScriptMind::new(demo(), Arc::new(Without(missing)));
        call.event(VoiceEvent::Credit { samples: u64::MAX });
        call.event(VoiceEvent::Answered);
        call.play();
        call.press("1222123#");
        call.answer(Ok(json!({"result": "found", "orders": [order("ABC123")]})));
        assert_eq!(call.mind.unspoken(), unspoken, "{missing}");
        let is_heard = call.said.iter().any(|said| said.contains("ABC123"));
        assert_eq!(is_heard, unspoken == 0, "{missing}: {:?}", call.said);
        call.press("5");
        call.ends_with("status =order_status actions goodbye");
        assert!(call.has_hung_up);
    }
}

#[test]
fn an_agent_without_any_audio_still_ends_its_calls() {
    #[derive(Debug)]
    struct Mute;
    impl Clips for Mute {
        fn clip(&self, _: Language, _: &str) -> Option<Arc<[i16]>> {
            None
        }
    }
    let mut call = Call::begin();
    call.mind = ScriptMind::new(demo(), Arc::new(Mute));
    call.event(VoiceEvent::Credit { samples: u64::MAX });
    call.event(VoiceEvent::Answered);
    call.play();
    for _ in 0..3 {
        call.event(VoiceEvent::Idle { silence: Duration::from_secs(10) });
        call.play();
    }
    call.ends_with("menu sorry =gave_up goodbye");
    assert!(call.has_hung_up && call.mind.unspoken() > 5);
}
