//! Tools are deeds: none is done twice for one wish, none before its time, and what came of each is told to the model.

use caly::call::dialogue::Dialogue;
use caly::voice::exchange::VoiceEvent;
use caly_provider::llm::Turn;
use serde_json::json;

use crate::call::Call;

fn results(turns: &[Turn]) -> Vec<(String, bool)> {
    let results = turns.iter().filter_map(|turn| match turn {
        Turn::Results(results) => Some(results.iter().map(|result| (result.id.clone(), result.is_error))),
        Turn::User(_) | Turn::Assistant { .. } => None,
    });
    results.flatten().collect()
}

#[test]
fn a_deed_that_two_models_have_wished_for_is_done_once() {
    let mut call = Call::new(2);
    call.says("order cancel karo");
    call.model(&["c:1|cancel|{}"]);
    call.breaks("llm");
    call.model(&["c:9|cancel|{}", "f"]);
    assert_eq!(call.tools.len(), 1, "{:?}", call.tools);
    call.tool_answers(json!({ "ok": true }));
    assert_eq!(results(&call.told()), [("9".to_owned(), false)]);
}

#[test]
fn what_is_thought_ahead_is_done_when_the_turn_is_over() {
    let mut call = Call::new(1);
    call.hears("order cancel karo");
    call.likely();
    call.model(&["c:1|cancel|{}", "f"]);
    assert!(call.tools.is_empty());
    call.commits();
    assert_eq!(call.tools.len(), 1);
    assert_eq!(call.asked().prompts.len(), 1);
}

#[test]
fn a_deed_behind_more_sentences_than_are_said_is_done() {
    for ahead in [false, true] {
        let mut call = Call::new(1);
        call.hears("order cancel karo");
        let written =
            ["t:Theek hai. Main karti hoon. Ek minute. Bas ho gaya. ", "c:1|cancel|{}", "c:2|look|{}", "f"];
        if ahead {
            call.likely();
            call.model(&written);
            call.commits();
        } else {
            call.commits();
            call.model(&written);
        }
        assert_eq!(call.tools.len(), 2, "ahead: {ahead}");
        call.tool_answers(json!(1));
        call.tool_answers(json!(2));
        assert_eq!(results(&call.told()).len(), 2);
    }
}

#[test]
fn a_model_that_does_not_stop_writing_is_stopped() {
    let mut call = Call::new(1);
    call.says("kuch bolo");
    let before = call.links.len();
    for _ in 0..200 {
        call.tell("llm", "t:Yeh ek lamba vaakya hai jo kabhi khatam nahi hota. ");
    }
    assert_eq!(call.links.len(), before - 1, "the link is closed");
    assert_eq!(call.asked().texts.len(), 3);
}

#[test]
fn goodbye_behind_more_sentences_than_are_said_is_taken() {
    let mut call = Call::new(1);
    call.says("bas dhanyavaad");
    call.model(&["t:Shukriya. Aapka din shubh ho. Namaste ji. Phir milenge. ", "c:1|end_call|{}", "f"]);
    call.tell("tts", "a:900");
    assert!(!call.hangs_up());
    call.tell("tts", "d");
    assert!(call.hangs_up());
}

#[test]
fn goodbye_among_other_deeds_waits_for_them() {
    let mut call = Call::new(1);
    call.says("cancel karo aur bye");
    call.model(&["c:1|cancel|{}", "c:2|end_call|{}", "f"]);
    assert_eq!(call.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["cancel"]);
    assert!(!call.hangs_up());
    call.tool_answers(json!({ "ok": true }));
    assert_eq!(results(&call.told()), [("2".to_owned(), true), ("1".to_owned(), false)]);
    call.model(&["c:3|end_call|{}", "f"]);
    assert!(call.hangs_up());
    assert_eq!(call.said().last().unwrap(), "Dhanyavaad.");
}

#[test]
fn a_model_that_does_nothing_but_use_tools_is_stopped() {
    let mut call = Call::new(1);
    call.says("mera order");
    for round in 0..20 {
        if call.asked().prompts.len() > round {
            call.model(&["c:1|look|{}", "f"]);
        }
        if !call.tools.is_empty() {
            call.tool_answers(json!(round));
        }
    }
    let used = call.notes().filter(|note| matches!(note, Dialogue::ToolCalled { .. })).count();
    assert_eq!(used, 4);
    assert!(call.said().contains(&"Phir se boliye.".to_owned()), "{:?}", call.said());
}

#[test]
fn of_a_flood_of_deeds_the_first_are_done_and_the_model_hears_of_the_others() {
    let mut call = Call::new(1);
    call.says("sab cancel karo");
    for n in 0..200 {
        call.tell("llm", &format!("c:{n}|cancel|{{}}"));
    }
    call.model(&["f"]);
    assert_eq!(call.tools.len(), 8);
    while !call.tools.is_empty() {
        call.tool_answers(json!(1));
    }
    let results = results(&call.told());
    assert_eq!(results.iter().filter(|(_, is_error)| !is_error).count(), 8);
    assert!(results.len() <= 16, "{}", results.len());
}

#[test]
fn a_long_answer_of_a_tool_is_cut() {
    let mut call = Call::new(1);
    call.says("mera order");
    call.model(&["c:1|look|{}", "f"]);
    call.tool_answers(json!({ "text": "क".repeat(100_000) }));
    let told = call.told();
    let Some(Turn::Results(results)) = told.last() else { panic!("{told:?}") };
    assert!(
        results[0].content.len() < 20_000 && results[0].content.contains("cut"),
        "{}",
        results[0].content.len()
    );
}

#[test]
fn what_a_tool_answers_is_logged_when_the_script_goes_on_already() {
    let mut call = Call::new(1);
    call.says("order cancel karo");
    call.model(&["t:Ji abhi karti hoon. ", "c:1|cancel|{}", "f"]);
    call.breaks("tts");
    assert!(call.has_given_up());
    call.tool_answers(json!({ "ok": true }));
    assert!(call.notes().any(|note| matches!(note, Dialogue::ToolAnswered { name, .. } if name == "cancel")));
}

#[test]
fn what_a_tool_has_done_is_told_to_the_caller_before_the_script_goes_on_for_want_of_ears() {
    let mut call = Call::new(1);
    call.says("order cancel karo");
    call.model(&["c:1|cancel|{}", "f"]);
    call.breaks("asr");
    assert!(!call.has_given_up());
    call.tool_answers(json!({ "ok": true }));
    call.model(&["t:Order cancel ho gaya. ", "f"]);
    call.tell("tts", "a:1200");
    call.tell("tts", "d");
    assert_eq!(call.said().last().unwrap(), "Order cancel ho gaya.");
    assert!(!call.has_given_up());
    call.plays();
    assert!(call.has_given_up() && call.said().contains(&"Ek dabaiye.".to_owned()));
}

#[test]
fn an_answer_of_a_tool_is_told_to_the_caller_after_an_interruption_that_came_to_nothing() {
    let mut call = Call::new(1);
    call.says("order cancel karo");
    call.model(&["t:Main abhi cancel karti hoon aapka order. ", "c:1|cancel|{}", "f"]);
    call.tell("tts", "a:4000");
    call.tell("tts", "d");
    call.tool_answers(json!({ "ok": true }));
    call.model(&["t:Ho gaya ji. "]);
    call.voice(caly::voice::exchange::VoiceEvent::SpeechStarted);
    call.interrupts(1_000);
    call.dismisses();
    let told = call.told();
    assert!(matches!(told.last(), Some(Turn::Results(_))), "{told:?}");
    let Turn::Assistant { text, .. } = &told[told.len() - 2] else { panic!("{told:?}") };
    assert!(text.starts_with("Main") && text.ends_with('—') && !text.contains("order"), "{text}");
    assert_eq!(call.asked().prompts.len(), 3);
    assert!(call.tools.is_empty());
}

#[test]
fn what_the_caller_adds_while_a_tool_is_at_work_is_answered_with_it() {
    let mut call = Call::new(1);
    call.says("order cancel karo");
    call.model(&["c:1|cancel|{}", "f"]);
    call.says("aur refund bhi");
    assert_eq!(call.tools.len(), 1);
    call.tool_answers(json!({ "ok": true }));
    let told = call.told();
    assert_eq!(told.last(), Some(&Turn::User("aur refund bhi".to_owned())));
    assert_eq!(results(&told), [("1".to_owned(), false)]);
}

#[test]
fn a_tool_that_is_slow_is_told_as_running_and_its_answer_in_the_next_turn() {
    let mut call = Call::new(1);
    call.says("order dekho aur cancel karo");
    call.model(&["c:1|look|{}", "c:2|cancel|{}", "f"]);
    call.waits(1_990);
    assert_eq!(call.asked().prompts.len(), 1, "not yet");
    let quick = call.tools[1].id;
    call.tool(quick, Ok(json!("gone")));
    call.waits(20);
    assert_eq!(call.asked().prompts.len(), 2, "the model goes on");
    let told = format!("{:?}", call.told());
    assert!(told.contains("still running") && told.contains("gone"), "{told}");
    call.model(&["t:Ek pal.", "f"]);
    call.tell("tts", "a:400");
    call.tell("tts", "d");
    // The answer comes while the agent speaks, and the caller is faster than silence.
    call.tool_answers(json!("found"));
    assert_eq!(call.asked().prompts.len(), 2);
    call.says("accha aur kuch");
    let Some(Turn::User(words)) = call.told().pop() else { panic!("{:?}", call.told()) };
    assert!(words.starts_with("[look, which was still running, has answered: \"found\"]"), "{words}");
    assert!(words.ends_with("accha aur kuch"), "{words}");
    let answered = call.notes().filter(|note| matches!(note, Dialogue::ToolAnswered { .. }));
    assert_eq!(answered.count(), 2);
}

#[test]
fn what_comes_late_is_told_as_soon_as_nobody_speaks_and_once() {
    let mut call = Call::new(1);
    call.says("order dekho");
    call.model(&["c:1|look|{}", "f"]);
    call.waits(2_010);
    call.model(&["t:Ek pal.", "f"]);
    call.tell("tts", "a:400");
    call.tell("tts", "d");
    call.tool_answers(json!("found"));
    call.plays();
    let prompts = call.asked().prompts.len();
    assert_eq!(prompts, 3, "the model is asked by the silence");
    call.model(&["t:Mil gaya.", "f"]);
    call.tell("tts", "a:400");
    call.tell("tts", "d");
    call.plays();
    assert_eq!(call.asked().prompts.len(), prompts, "nothing is left to tell");
    assert!(call.said().iter().any(|text| text == "Mil gaya."), "{:?}", call.said());
}

#[test]
fn who_speaks_when_an_answer_comes_late_is_not_talked_over() {
    let mut call = Call::new(1);
    call.says("order dekho");
    call.model(&["c:1|look|{}", "f"]);
    call.waits(2_010);
    call.model(&["t:Ek pal.", "f"]);
    call.tell("tts", "a:400");
    call.tell("tts", "d");
    call.plays();
    call.voice(VoiceEvent::SpeechStarted);
    call.tool_answers(json!("found"));
    assert_eq!(call.asked().prompts.len(), 2);
    call.dismisses();
    assert_eq!(call.asked().prompts.len(), 3, "it was no turn");
}
