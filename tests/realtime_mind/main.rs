//! The mind whose model hears and speaks alone, with models that do what the test says: what must hold whatever happens, and in what order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

#[path = "../minds/agent.rs"]
mod agent;
mod broken;
mod call;
mod fakes;
mod guardrail;
mod stalled;

use std::time::Duration;

use caly::mind::Mind;
use caly::voice::exchange::{Codec, Digit, Interruption, VoiceEvent};
use caly_provider::realtime::Habits;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use call::Call;

const OPENAI: Habits = Habits {
    ends_turns: true,
    answers_ended_turns: false,
    answers_results: false,
    stops_when_interrupted: true,
};
const GEMINI: Habits = Habits { answers_ended_turns: true, answers_results: true, ..OPENAI };
/// One that is told when a turn is over.
const TOLD: Habits = Habits { ends_turns: false, stops_when_interrupted: false, ..OPENAI };

fn speaks(call: &mut Call) {
    call.voice(VoiceEvent::SpeechStarted);
}

/// He pauses, the model answers, he goes on: what the model broke off is not heard, only its answer to all of it.
#[test]
fn an_answer_that_the_model_breaks_off_before_the_turn_is_over_is_not_heard() {
    for end in [&["interrupted", "cancelled"][..], &["cancelled"], &["broken"]] {
        let mut call = Call::new(1, GEMINI);
        speaks(&mut call);
        call.model(&["begin 1", "text 1 i1 Kaun sa?", "sound 1 i1 700"]);
        call.model(end);
        call.model(&["begin 2", "text 2 i2 Raste mein hai.", "sound 2 i2 900", "done"]);
        let before = call.sound_ms;
        call.commits();
        assert!(!call.said().contains(&"Kaun sa?".to_owned()), "{end:?}: {:?}", call.said());
        assert_eq!(call.sound_ms - before, 900, "{end:?}");
    }
}

/// And where it says nothing else it is asked when the turn is over.
#[test]
fn who_broke_off_and_says_nothing_is_asked() {
    let mut call = Call::new(1, OPENAI);
    speaks(&mut call);
    call.model(&["begin 1", "sound 1 i1 700", "broken"]);
    call.sent();
    call.commits();
    assert_eq!(call.sent(), ["commit", "respond"]);
}

/// The caller's "hmm" drops the answer to it, and the tool with it; the next tool is waited for alone.
#[test]
fn a_tool_of_a_turn_that_was_none_keeps_no_later_answer_back() {
    let mut call = Call::new(1, OPENAI);
    speaks(&mut call);
    call.model(&["begin 1", "sound 1 i1 20", "tool t1 look", "done"]);
    call.dismisses();
    assert!(call.tools.is_empty());
    assert!(call.sent().contains(&"result t1".to_owned()));
    speaks(&mut call);
    call.commits();
    call.model(&["begin 2", "tool t2 look", "done"]);
    call.sent();
    call.tool_answers();
    assert_eq!(call.sent(), ["result t2", "respond"]);
}

/// What is said before a tool does not keep the filler back, nor what is said behind it in the same breath.
#[test]
fn a_tool_in_the_midst_of_an_answer_leaves_no_silence() {
    let mut call = Call::new(1, GEMINI);
    speaks(&mut call);
    call.commits();
    call.model(&["begin 1", "text 1 i1 Dekhti hoon.", "sound 1 i1 700", "tool t1 look"]);
    call.plays();
    call.waits(1_900);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
    call.plays();
    call.tool_answers();
    let before = call.sound_ms;
    call.model(&["text 1 i1 Mil gaya.", "sound 1 i1 600", "done"]);
    assert_eq!(call.sound_ms - before, 600);
    call.plays();
    let said = call.said().len();
    call.waits(10_000);
    assert_eq!(call.said().len(), said, "a filler behind the answer: {:?}", call.said());
    // The vendor counts from the item's first sound.
    call.voice(VoiceEvent::Idle { silence: Duration::from_secs(10) });
    assert_eq!(call.said().last().unwrap(), "Aap wahan hain?");
}

/// A model that uses tools without end is told to stop, and then the caller is asked; whether it does so in one answer or in many.
#[test]
fn tools_without_end_come_to_one() {
    for habits in [GEMINI, OPENAI] {
        let mut call = Call::new(1, habits);
        speaks(&mut call);
        call.commits();
        for round in 1..=6 {
            if habits == OPENAI || round == 1 {
                call.model(&[&format!("begin {round}")]);
            }
            call.model(&[&format!("tool t{round} look")]);
            if habits == OPENAI && round < 6 {
                call.model(&["done"]);
            }
            if round <= 4 {
                call.tool_answers();
            }
        }
        assert_eq!(call.said().last().unwrap(), "Phir se boliye.", "{habits:?}: {:?}", call.said());
    }
}

/// The rest of a long answer is heard, and is cut where it was heard.
#[test]
fn an_answer_of_more_than_a_minute_is_heard_to_its_end() {
    let mut call = Call::new(1, OPENAI);
    speaks(&mut call);
    call.commits();
    let before = call.sound_ms;
    call.model(&["begin 1"]);
    for _ in 0..900 {
        call.model(&["sound 1 i1 100"]);
    }
    assert_eq!(call.sound_ms - before, 90_000);
    call.sent();
    call.interrupts(20_000, Interruption::Speech);
    assert!(call.sent().contains(&"cut i1 70000".to_owned()));
}

/// He coughs over a filler: he waits on, and is told so.
#[test]
fn who_speaks_over_a_filler_and_says_nothing_is_still_answered() {
    let mut call = Call::new(1, TOLD);
    speaks(&mut call);
    call.commits();
    call.waits(1_000);
    assert_eq!(call.said().last().unwrap(), "Ek minute.");
    speaks(&mut call);
    call.interrupts(200, Interruption::Speech);
    call.dismisses();
    call.waits(2_000);
    assert_eq!(call.said().last().unwrap(), "Bas ek second.");
}

/// The model stops at a noise that nobody else hears, before its first sound.
#[test]
fn who_waits_for_an_answer_that_stopped_unheard_is_not_left_in_silence() {
    let mut call = Call::new(1, GEMINI);
    speaks(&mut call);
    call.commits();
    call.sent();
    call.model(&["begin 1", "interrupted", "cancelled"]);
    for _ in 0..4 {
        call.waits(2_000);
        call.plays();
    }
    assert!(call.said().contains(&"Ek minute.".to_owned()));
    assert!(call.sent().contains(&"respond".to_owned()), "it is asked again");
}

/// An agent that says nothing while its caller waits knows all the same how long he does.
#[test]
fn without_fillers_a_model_that_owes_an_answer_is_asked_for_it() {
    let mut call = Call::without_fillers(1, GEMINI);
    speaks(&mut call);
    call.model(&["starts", "stops"]);
    call.commits();
    assert_eq!(call.sent(), [] as [String; 0], "it has heard the turn's end itself");
    call.waits(8_000);
    assert!(call.sent().contains(&"respond".to_owned()), "it is asked");
}

/// What was said behind a turn whose answer had not begun is answered, too.
#[test]
fn two_turns_before_the_first_answer_are_both_asked_for() {
    let mut call = Call::new(1, TOLD);
    speaks(&mut call);
    call.commits();
    speaks(&mut call);
    call.commits();
    assert_eq!(call.sent(), ["commit", "respond", "commit"]);
    call.model(&["begin 1", "sound 1 i1 100", "done"]);
    assert_eq!(call.sent(), ["respond"]);
}

/// Words that are written to a model stop some: they wait until no answer is due or given, and keys are answered behind it.
#[test]
fn keys_before_an_answer_has_begun_are_answered_behind_it() {
    let mut call = Call::new(1, GEMINI);
    speaks(&mut call);
    call.commits();
    call.sent();
    call.voice(VoiceEvent::Digit(Digit::from_char('4').unwrap()));
    call.voice(VoiceEvent::Digit(Digit::from_char('#').unwrap()));
    assert!(call.sent().is_empty());
    call.model(&["begin 1", "sound 1 i1 100", "done"]);
    assert_eq!(call.sent(), ["User [keys pressed: 4]", "respond"]);
}

/// Something that happens in a call. Times are in milliseconds.
#[derive(Clone, Debug)]
enum Step {
    Event(VoiceEvent),
    Commits,
    Dismisses,
    Interrupts(u64, Interruption),
    Plays,
    Key(char),
    /// The model begins another answer.
    Begins,
    Model(&'static str),
    Breaks,
    Tool,
    Waits(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let model = prop::sample::select(vec![
        "starts",
        "stops",
        "sound",
        "sound",
        "sound",
        "text",
        "forbidden",
        "tool t1 look",
        "tool t2 cancel",
        "tool t3 unknown",
        "tool t4 end_call",
        "untool t1",
        "interrupted",
        "done",
        "done",
        "cancelled",
        "broken",
    ]);
    let by = prop::sample::select(vec![Interruption::Speech, Interruption::Digit]);
    let event = prop::sample::select(vec![
        VoiceEvent::SpeechStarted,
        VoiceEvent::SpeechStarted,
        VoiceEvent::SpeechEnded { duration: Duration::from_millis(700) },
        VoiceEvent::Media { codec: Codec::Pcma },
        VoiceEvent::Media { codec: Codec::Pcmu },
        VoiceEvent::Idle { silence: Duration::from_secs(10) },
        VoiceEvent::IdleTooLong,
    ]);
    prop_oneof![
        5 => event.prop_map(Step::Event),
        6 => Just(Step::Commits),
        4 => Just(Step::Dismisses),
        3 => (0..3_000_u64, by).prop_map(|(heard, by)| Step::Interrupts(heard, by)),
        6 => Just(Step::Plays),
        2 => prop::sample::select(vec!['1', '7', '#']).prop_map(Step::Key),
        8 => Just(Step::Begins),
        20 => model.prop_map(Step::Model),
        1 => Just(Step::Breaks),
        5 => Just(Step::Tool),
        8 => (1..4_000_u64).prop_map(Step::Waits),
    ]
}

fn take(call: &mut Call, answers: &mut u32, step: Step) {
    match step {
        Step::Event(event) => call.voice(event),
        Step::Commits => call.commits(),
        Step::Dismisses => call.dismisses(),
        Step::Interrupts(heard, by) => call.interrupts(heard, by),
        Step::Plays => call.plays(),
        Step::Key(key) => call.voice(VoiceEvent::Digit(Digit::from_char(key).unwrap())),
        Step::Begins => {
            *answers += 1;
            call.model(&[&format!("begin {answers}")]);
        }
        Step::Model("sound") => call.model(&[&format!("sound {answers} i{answers} 400")]),
        Step::Model("text") => call.model(&[&format!("text {answers} i{answers} Ji, dekhti hoon.")]),
        Step::Model("forbidden") => call.model(&[&format!("text {answers} i{answers}  Acme ji.")]),
        Step::Model(line) => call.model(&[line]),
        Step::Breaks => call.breaks(),
        Step::Tool => call.tool_answers(),
        Step::Waits(ms) => call.waits(ms),
    }
}

/// When everything is answered and heard, nobody waits for anything: the caller's silence is his own.
fn comes_to_rest(call: &mut Call, answers: &mut u32) {
    speaks(call);
    call.commits();
    for _ in 0..12 {
        call.waits(2_500);
        while !call.tools.is_empty() {
            call.tool_answers();
        }
        let asked = call.sent().iter().any(|line| line == "respond" || line == "commit");
        *answers += u32::from(asked);
        if asked {
            call.model(&[&format!("begin {answers}"), &format!("sound {answers} i{answers} 400")]);
        }
        call.model(&["done"]);
        call.plays();
    }
    if call.hangs_up() || call.gave_up() > 0 {
        return;
    }
    call.voice(VoiceEvent::Idle { silence: Duration::from_secs(10) });
    assert_eq!(call.said().last().unwrap(), "Aap wahan hain?", "{:?}", call.mind);
}

#[test]
fn whatever_happens_in_whatever_order_the_mind_keeps_its_promises() {
    let config = Config { cases: 1_000, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let habits = prop::sample::select(vec![OPENAI, GEMINI, TOLD]);
    let calls = (1..=2_usize, habits, prop::collection::vec(steps(), 1..120));
    let outcome = runner.run(&calls, |(models, habits, steps)| {
        let (mut call, mut answers) = (Call::new(models, habits), 0);
        steps.into_iter().for_each(|step| take(&mut call, &mut answers, step));
        comes_to_rest(&mut call, &mut answers);
        assert!(call.gave_up() <= 1, "the script took over twice");
        assert!(!call.said().iter().any(|text| text.contains("Acme")), "{:?}", call.said());
        call.mind.finish(call.now);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
