//! What is said is said once, is heard to its end, and stands in the history as it was heard.

use caly::call::dialogue::Dialogue;
use caly::call::hop::{Hop, HopEvent, Mark};
use caly::mind::cascade::{Answers, Budgets};
use caly::voice::exchange::VoiceEvent;
use caly_provider::llm::Turn;
use std::time::Duration;

use crate::call::Call;

const ANSWER: &str = "t:Aapka order raste mein hai. ";

#[test]
fn after_giving_up_in_the_middle_of_an_answer_the_script_is_heard_and_takes_keys() {
    for hop in ["asr", "tts"] {
        let mut call = Call::new(1);
        call.says("mera order");
        call.model(&[ANSWER, "f"]);
        call.tell("tts", "a:500");
        call.breaks(hop);
        // Without ears what was asked before is answered first.
        assert_eq!(call.has_given_up(), hop == "tts");
        call.tell("tts", "d");
        call.plays();
        assert!(call.has_given_up());
        assert!(call.said().contains(&"Ek dabaiye.".to_owned()), "{hop}: {:?}", call.said());
        assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{hop}: {:?}", call.utterances);
        call.plays();
        call.presses('1');
        assert_eq!(call.said().last().unwrap(), "Namaste.", "{hop}");
        call.plays();
        assert!(call.hangs_up(), "{hop}");
    }
}

#[test]
fn the_next_voice_says_all_that_the_one_that_broke_had_to_say() {
    let mut call = Call::new(2);
    call.says("mera order");
    call.model(&["t:Main dekhti hoon aapka order. ", "c:1|look|{}", "f"]);
    call.tell("tts", "a:100");
    call.tool_answers(serde_json::json!({}));
    call.model(&[ANSWER, "f"]);
    let before = call.asked().texts.len();
    call.breaks("tts");
    let texts: Vec<String> = call.asked().texts[before..].iter().map(|(.., text)| text.clone()).collect();
    assert_eq!(texts, ["Main dekhti hoon aapka order.", "Aapka order raste mein hai."]);
    for line in ["a:2000", "d", "a:1500", "d"] {
        call.tell("tts", line);
    }
    assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{:?}", call.utterances);
    assert!(call.said().contains(&"Aapka order raste mein hai.".to_owned()), "{:?}", call.said());
}

/// Neither half a sentence is lost nor is one heard twice.
#[test]
fn the_next_voice_goes_on_where_the_one_before_it_broke() {
    for (sound, rest) in [
        ("a:200", vec!["Aapka order raste mein hai.", "Woh kal pahunchega."]),
        ("a:1000", vec!["raste mein hai.", "Woh kal pahunchega."]),
        ("a:1500", vec!["mein hai.", "Woh kal pahunchega."]),
        ("a:2100", vec!["hai.", "Woh kal pahunchega."]),
        ("a:2300", vec!["Woh kal pahunchega."]),
        ("a:2600", vec!["kal pahunchega."]),
    ] {
        let mut call = Call::new(2);
        call.says("mera order");
        call.model(&["t:Aapka order raste mein hai. Woh kal pahunchega. ", "f"]);
        call.tell("tts", sound);
        let before = call.asked().texts.len();
        call.breaks("tts");
        let texts: Vec<String> = call.asked().texts[before..].iter().map(|(.., text)| text.clone()).collect();
        assert_eq!(texts, rest, "{sound}");
        let chunks = rest.len();
        for line in ["a:800", "e", "a:900", "e"].iter().take(2 * chunks).chain(&["d"]) {
            call.tell("tts", line);
        }
        assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{:?}", call.utterances);
        assert!(!call.has_given_up());
        call.plays();
        call.says("theek hai");
        let told = call.told();
        let said = "Aapka order raste mein hai. Woh kal pahunchega.";
        let is_it = |turn: &Turn| matches!(turn, Turn::Assistant { text, .. } if text == said);
        assert!(told.iter().any(is_it), "{told:?}");
    }
}

#[test]
fn a_step_that_takes_longer_than_it_should_is_in_the_log() {
    let budget = Duration::from_millis(100);
    let budgets = Budgets { asr: budget, llm: budget, tts: budget };
    for (slow, took_ms) in [(Hop::Asr, 150), (Hop::Llm, 250), (Hop::Tts, 350)] {
        let mut call = Call::answered(1, Answers { budgets, ..Answers::default() });
        let takes = |hop: Hop| if hop == slow { took_ms } else { 50 };
        call.voice(VoiceEvent::SpeechStarted);
        call.voice(VoiceEvent::SpeechEnded { duration: Duration::from_secs(1) });
        call.waits(takes(Hop::Asr));
        call.hears("mera order");
        call.voice(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) });
        call.waits(takes(Hop::Llm));
        call.model(&[ANSWER, "f"]);
        call.waits(takes(Hop::Tts));
        call.tell("tts", "a:900");
        let over: Vec<_> = call
            .notes()
            .filter_map(|note| match note {
                Dialogue::Hop(HopEvent::OverBudget { hop, budget_ms, took_ms, turn: 0 }) => {
                    Some((*hop, *budget_ms, *took_ms))
                }
                _ => None,
            })
            .collect();
        assert_eq!(over, [(slow, 100, took_ms)]);
    }
}

/// A recognizer counts from the first audio that it was given. Whoever takes over later is understood all the same, and his words lie where
/// they were said.
#[test]
fn who_takes_over_the_listening_counts_from_there() {
    let mut call = Call::new(2);
    call.hears_silence(60_000);
    call.voice(VoiceEvent::SpeechStarted);
    call.tell("asr", "T:58000|mera order");
    call.commits();
    call.model(&[ANSWER, "f"]);
    call.tell("tts", "a:900");
    call.tell("tts", "d");
    call.plays();
    call.breaks("asr");
    call.hears_silence(10_000);
    call.voice(VoiceEvent::SpeechStarted);
    call.tell("asr", "T:8000|kahan hai");
    call.commits();
    assert_eq!(call.asked().prompts.len(), 2, "the second turn has words");
    let times: Vec<_> = call
        .notes()
        .filter_map(|note| match note {
            Dialogue::Hop(HopEvent::Transcript { word_times_ms, .. }) => Some(word_times_ms.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(times, [[(58_000, 58_300), (58_300, 58_600)], [(68_000, 68_300), (68_300, 68_600)]]);
}

/// Back to the better recognizer in a quiet moment, and not while the caller begins his answer over the agent's last word.
#[test]
fn a_better_recognizer_comes_back_when_nobody_speaks() {
    let mut call = Call::new(2);
    let first = call.newest("asr");
    call.breaks("asr");
    let second = call.newest("asr");
    assert!(second.is_some() && second != first);
    call.waits(61_000);
    let answered = |call: &mut Call| {
        call.says("mera order");
        call.model(&[ANSWER, "f"]);
        call.tell("tts", "a:900");
        call.tell("tts", "d");
    };
    answered(&mut call);
    call.voice(VoiceEvent::SpeechStarted);
    call.plays();
    assert_eq!(call.newest("asr"), second, "he speaks");
    call.dismisses();
    answered(&mut call);
    call.plays();
    assert_ne!(call.newest("asr"), second);
}

/// A voice may tell of ends that nobody asked for; none of them is a reason to stop.
#[test]
fn a_voice_that_tells_of_more_ends_than_it_was_given_texts_is_replaced_as_any_other() {
    let mut call = Call::new(2);
    call.says("mera order");
    call.model(&[ANSWER]);
    for line in ["a:900", "e", "e", "e"] {
        call.tell("tts", line);
    }
    call.breaks("tts");
    call.model(&["t:Woh kal pahunchega. ", "f"]);
    for line in ["a:900", "e", "d"] {
        call.tell("tts", line);
    }
    assert!(call.said().contains(&"Woh kal pahunchega.".to_owned()), "{:?}", call.said());
    assert!(!call.has_given_up());
}

#[test]
fn the_only_voice_is_asked_again_when_it_has_failed_while_nothing_was_to_be_said() {
    let mut call = Call::new(1);
    call.breaks("tts");
    call.says("mera order");
    call.model(&[ANSWER, "f"]);
    assert!(!call.has_given_up());
    for line in ["a:900", "d"] {
        call.tell("tts", line);
    }
    assert!(call.said().contains(&"Aapka order raste mein hai.".to_owned()), "{:?}", call.said());
}

/// What a model had begun and not ended is said by the next one, or by the same one once more, and nothing of it twice.
#[test]
fn an_answer_whose_model_breaks_in_its_middle_is_said_to_its_end() {
    for models in [1, 2] {
        let mut call = Call::new(models);
        call.says("mera order kahan hai");
        call.model(&["t:Aapka order raste mein hai. Woh kal su"]);
        call.tell("tts", "a:900");
        call.breaks("llm");
        let told = call.told();
        let [.., Turn::User(asked), Turn::Assistant { text, .. }, Turn::User(note)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((asked.as_str(), text.as_str()), ("mera order kahan hai", "Aapka order raste mein hai."));
        assert!(note.contains("Go on from there"), "{note}");
        call.model(&["t:Woh kal subah pahunchega. ", "f"]);
        let texts: Vec<String> = call.asked().texts.iter().map(|(.., text)| text.clone()).collect();
        assert!(
            texts.ends_with(&[
                "Aapka order raste mein hai.".to_owned(),
                "Woh kal subah pahunchega.".to_owned()
            ]),
            "{texts:?}"
        );
        for line in ["d", "a:900", "d"] {
            call.tell("tts", line);
        }
        call.plays();
        assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{:?}", call.utterances);
        assert!(call.said().ends_with(&texts[texts.len() - 2..]), "{:?}", call.said());
        assert!(!call.has_given_up());
    }
}

#[test]
fn an_answer_that_breaks_twice_is_asked_for_again() {
    let mut call = Call::new(2);
    call.says("mera order kahan hai");
    call.model(&["t:Aapka order raste mein hai. Woh"]);
    call.tell("tts", "a:900");
    call.breaks("llm");
    call.model(&["t:Woh kal pahunchega, aur uske saath bill"]);
    call.breaks("llm");
    // What sounds is heard to its end first.
    call.tell("tts", "d");
    assert_eq!(call.said().last().unwrap(), "Phir se boliye.", "{:?}", call.said());
    assert!(!call.said().iter().any(|said| said.contains("Woh")), "it has no sound: {:?}", call.said());
    call.says("haan");
    call.model(&["t:Kal pahunchega. ", "f"]);
    assert!(!call.has_given_up());
}

#[test]
fn a_rest_in_which_nothing_was_missing_leaves_no_trouble() {
    let mut call = Call::new(1);
    call.says("mera order kahan hai");
    call.model(&["t:Aapka order raste mein hai. "]);
    call.tell("tts", "a:900");
    call.breaks("llm");
    call.model(&["f"]);
    call.tell("tts", "d");
    call.plays();
    call.waits(5_000);
    assert_eq!(call.said().last().unwrap(), "Aapka order raste mein hai.");
    assert_eq!(call.asked().prompts.len(), 2);
}

#[test]
fn a_voice_that_breaks_behind_its_last_word_leaves_nothing_to_say() {
    let mut call = Call::new(2);
    call.says("mera order");
    call.model(&[ANSWER, "f"]);
    call.tell("tts", "a:2600");
    let before = call.asked().texts.len();
    call.breaks("tts");
    assert_eq!(call.asked().texts.len(), before);
    call.tell("tts", "d");
    call.plays();
    assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{:?}", call.utterances);
    assert!(!call.has_given_up() && call.asked().speeches.is_empty());
}

#[test]
fn an_answer_that_nobody_has_heard_is_not_said_after_the_caller_has_said_more() {
    let mut call = Call::new(1);
    call.says("mera order kahan hai");
    call.model(&[ANSWER, "f"]);
    call.says("nahi, cancel karo");
    assert!(call.asked().speeches.is_empty(), "{:?}", call.asked().speeches);
    assert_eq!(call.told().last(), Some(&Turn::User("mera order kahan hai nahi, cancel karo".to_owned())));
}

#[test]
fn last_words_that_cannot_be_said_are_replaced() {
    let mut call = Call::new(1);
    call.says("bas dhanyavaad");
    call.model(&["t:Aapka din shubh ho ji. ", "c:1|end_call|{}", "f"]);
    call.breaks("tts");
    assert_eq!(call.said().last().unwrap(), "Dhanyavaad.");
    assert!(call.hangs_up() && !call.has_given_up());
}

#[test]
fn who_interrupts_a_farewell_is_answered() {
    let mut call = Call::new(1);
    call.says("bas dhanyavaad");
    call.model(&["t:Aapka din shubh ho ji. ", "c:1|end_call|{}", "f"]);
    call.tell("tts", "a:300");
    call.voice(VoiceEvent::SpeechStarted);
    call.interrupts(200);
    assert!(!call.hangs_up());
    call.says("ruko ek aur baat");
    call.model(&["t:Ji boliye. ", "f"]);
    assert!(!call.hangs_up());
    assert_eq!(call.asked().speeches.len(), 1);
}

#[test]
fn an_interruption_of_a_farewell_that_comes_to_nothing_ends_the_call_all_the_same() {
    let mut call = Call::new(1);
    call.says("bas dhanyavaad");
    call.model(&["t:Aapka din shubh ho ji. ", "c:1|end_call|{}", "f"]);
    call.tell("tts", "a:300");
    call.voice(VoiceEvent::SpeechStarted);
    call.interrupts(200);
    assert!(!call.hangs_up());
    call.dismisses();
    assert!(call.hangs_up());
    assert_eq!(call.said().last().unwrap(), "Dhanyavaad.");
}

#[test]
fn a_model_that_answers_with_nothing_is_asked_again_before_the_caller_is() {
    let mut call = Call::new(1);
    call.says("mera order");
    call.model(&["t:... ", "f"]);
    call.model(&[ANSWER, "f"]);
    assert!(!call.said().contains(&"Phir se boliye.".to_owned()), "{:?}", call.said());
    assert_eq!(call.asked().texts.len(), 1);
}

#[test]
fn a_model_that_never_answers_with_anything_is_given_up() {
    let mut call = Call::new(1);
    for turn in 0..2 {
        call.says("mera order");
        call.model(&["f"]);
        call.model(&["t: ?! ", "f"]);
        assert_eq!(call.has_given_up(), turn == 1);
        call.plays();
    }
    assert!(call.said().contains(&"Ek dabaiye.".to_owned()), "{:?}", call.said());
}

#[test]
fn an_answer_given_again_belongs_to_the_turn_that_it_answers() {
    let mut call = Call::new(1);
    call.says("mera order");
    call.model(&[ANSWER, "f"]);
    call.tell("tts", "a:1500");
    call.voice(VoiceEvent::SpeechStarted);
    call.interrupts(0);
    call.dismisses();
    call.model(&[ANSWER, "f"]);
    call.tell("tts", "a:1500");
    call.tell("tts", "d");
    call.plays();
    let turns: Vec<u32> = call
        .notes()
        .filter_map(|note| match note {
            Dialogue::Hop(HopEvent::Mark { turn, mark: Mark::LlmStart, .. }) => Some(*turn),
            _ => None,
        })
        .collect();
    assert_eq!(turns, [0]);
    call.says("theek hai");
    let is_third =
        |note: &Dialogue| matches!(note, Dialogue::Hop(HopEvent::Mark { turn: 2, mark: Mark::LlmStart, .. }));
    assert!(call.notes().any(is_third));
}

#[test]
fn words_said_while_keys_are_pressed_are_answered_with_them() {
    let mut call = Call::new(1);
    call.voice(VoiceEvent::SpeechStarted);
    call.hears("mera number hai");
    for key in ['4', '2', '#'] {
        call.presses(key);
    }
    assert_eq!(call.told().last(), Some(&Turn::User("mera number hai [keys pressed: 42]".to_owned())));
}

#[test]
fn words_that_were_answered_with_keys_are_not_answered_again() {
    for (more, told) in
        [("", "mera number hai [keys pressed: 4]"), ("batao", "mera number hai [keys pressed: 4] batao")]
    {
        let mut call = Call::new(1);
        call.voice(VoiceEvent::SpeechStarted);
        call.hears("mera number hai");
        call.presses('4');
        call.presses('#');
        if !more.is_empty() {
            call.hears(more);
        }
        call.commits();
        assert_eq!(call.told().last(), Some(&Turn::User(told.to_owned())));
        assert_eq!(call.asked().prompts.len(), 1 + usize::from(!more.is_empty()));
        assert_eq!(call.said(), ["Namaste!"]);
    }
}

#[test]
fn nobody_is_asked_whether_he_is_there_while_his_answer_is_on_its_way() {
    let mut call = Call::new(1);
    call.says("mera order");
    call.model(&[ANSWER, "f"]);
    call.voice(VoiceEvent::Idle { silence: Duration::from_secs(10) });
    assert!(!call.said().contains(&"Aap wahan hain?".to_owned()));
}

#[test]
fn last_words_that_are_on_their_way_need_no_filler() {
    for name in ["end_call", "look"] {
        let mut call = Call::new(1);
        call.says("bas dhanyavaad");
        call.model(&["t:Aapka din shubh ho ji. ", &format!("b:{name}")]);
        call.waits(500);
        assert_eq!(call.said(), ["Namaste!"], "{name}");
        // The patience that begins with the turn's end goes on.
        call.waits(500);
        assert_eq!(call.said(), ["Namaste!", "Ek minute."], "{name}");
    }
}

#[test]
fn what_is_thought_ahead_is_bounded_and_thought_of_again_when_it_is_needed() {
    let mut call = Call::new(1);
    call.hears("kuch bolo");
    call.likely();
    for _ in 0..2_048 {
        call.tell("llm", "t:a");
    }
    assert!(call.newest("llm").is_some());
    call.tell("llm", "t:a");
    assert!(call.newest("llm").is_none(), "the model is stopped");
    call.commits();
    assert_eq!(call.asked().prompts.len(), 2);
}

#[test]
fn an_answer_of_which_there_is_no_sound_stands_in_no_history() {
    let mut call = Call::new(1);
    call.says("mera order");
    call.model(&[ANSWER, "f"]);
    call.tell("tts", "d");
    call.says("hello");
    assert_eq!(call.told().last(), Some(&Turn::User("mera order hello".to_owned())));
}

#[test]
fn a_number_that_is_read_out_is_told_in_its_normal_form() {
    for ahead in [false, true] {
        let mut call = Call::new(1);
        call.hears("mera number nau aath ek do teen char panch che sat aath");
        if ahead {
            call.likely();
        }
        call.commits();
        call.model(&["t:Theek hai.", "f"]);
        let Some(caly_provider::llm::Turn::User(words)) = call.told().pop() else { panic!("ahead: {ahead}") };
        assert!(
            words.starts_with("mera number nau") && words.ends_with(" [phone: +919812345678]"),
            "{words}"
        );
        assert_eq!(call.asked().prompts.len(), 1, "the words are the same: {ahead}");
    }
}

/// An agent that says nothing while its caller waits knows all the same how long he does.
#[test]
fn without_fillers_a_caller_whom_no_recognizer_understands_is_told() {
    let mut call = Call::without_fillers(2);
    call.voice(VoiceEvent::SpeechStarted);
    call.commits();
    assert!(!call.said().contains(&"Sunai nahi diya.".to_owned()), "the other one listens to it first");
    call.waits(8_000);
    assert_eq!(call.said().last().unwrap(), "Sunai nahi diya.");
}
