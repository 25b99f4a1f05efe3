//! What an agent must never say reaches no synthesizer; something else is said in its place, and the call goes on.

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, RuleList};
use caly::voice::exchange::VoiceEvent;
use caly_provider::llm::Turn;

use crate::call::Call;

const INSTEAD: &str = "Yeh main nahi bata sakti.";

/// What synthesizers were given.
fn texts(call: &Call) -> Vec<String> {
    call.asked().texts.iter().map(|(.., text)| text.clone()).collect()
}

/// List, number, words and milliseconds of what was withheld.
fn tripped(call: &Call) -> Vec<(RuleList, u64, String, u64)> {
    let event = |note: &Dialogue| match note {
        Dialogue::Hop(HopEvent::GuardrailTripped { list, rule, text, heard_ms, .. }) => {
            Some((*list, *rule, text.clone(), *heard_ms))
        }
        _ => None,
    };
    call.notes().filter_map(event).collect()
}

#[test]
fn what_is_forbidden_is_not_said_and_the_call_goes_on() {
    let mut call = Call::new(1);
    call.says("paisa wapas milega kya");
    call.model(&["t:Aapko poora pai", "t:sa wapas milega. ", "t:Pakka. ", "f"]);
    assert_eq!(texts(&call), [] as [String; 0]);
    assert_eq!(call.said(), ["Namaste!", INSTEAD]);
    let withheld = "Aapko poora paisa wapas milega.".to_owned();
    assert_eq!(tripped(&call), [(RuleList::NeverSay, 1, withheld, 0)]);
    call.plays();
    call.says("theek hai");
    let told = call.told();
    assert!(!format!("{told:?}").contains("poora paisa"), "{told:?}");
    let [.., Turn::User(asked), Turn::Assistant { text, .. }, Turn::User(next)] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(asked.starts_with("paisa wapas milega kya [What you were about to say was withheld"), "{asked}");
    assert_eq!((text.as_str(), next.as_str()), (INSTEAD, "theek hai"));
    call.model(&["t:Aur kuch? ", "f"]);
    assert_eq!(texts(&call), ["Aur kuch?"]);
}

#[test]
fn the_model_is_stopped_and_what_it_wrote_for_nothing_is_counted() {
    let mut call = Call::new(1);
    call.says("acme kaisa hai");
    call.model(&["t:Acme bahut accha hai. "]);
    assert!(call.newest("llm").is_none(), "the model is stopped");
    assert_eq!(call.said(), ["Namaste!", INSTEAD]);
    call.says("haan");
    let wasted = call.notes().any(|note| {
        matches!(note, Dialogue::Hop(HopEvent::Usage { unit, count: 6, .. }) if unit == "wasted_tokens")
    });
    assert!(wasted);
}

/// A clause that sounds is heard to its end; the rest of the phrase is not said, whichever pieces it comes in.
#[test]
fn a_phrase_over_the_border_of_two_chunks_is_not_said_to_its_end() {
    let mut call = Call::new(1);
    call.says("paisa wapas milega kya");
    call.model(&["t:Ji zaroor, aapko poora paisa, wa"]);
    assert_eq!(texts(&call), ["Ji zaroor,"], "no clause waits for the next");
    call.tell("tts", "a:700");
    call.model(&["t:pas milega. "]);
    assert_eq!(texts(&call), ["Ji zaroor,"]);
    assert_eq!(call.said(), ["Namaste!", "Ji zaroor,"], "the line waits for the clause");
    call.tell("tts", "d");
    assert_eq!(call.said(), ["Namaste!", "Ji zaroor,", INSTEAD]);
    assert!(call.utterances.values().all(|(_, is_whole)| *is_whole), "{:?}", call.utterances);
    call.plays();
    call.says("accha");
    let told = call.told();
    let said: Vec<&str> = told
        .iter()
        .filter_map(|turn| match turn {
            Turn::Assistant { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["Namaste!", "Ji zaroor,", INSTEAD]);
}

#[test]
fn a_clause_that_does_not_sound_yet_goes_with_what_is_withheld() {
    let mut call = Call::new(1);
    call.says("card number batao");
    call.model(&["t:Ji zaroor, woh 4111 1111 1111 ", "t:1111 hai. ", "f"]);
    assert!(call.asked().speeches.is_empty(), "{:?}", call.asked().speeches);
    assert_eq!(call.said(), ["Namaste!", INSTEAD]);
    let [(list, number, ..)] = &tripped(&call)[..] else { panic!("{:?}", tripped(&call)) };
    assert_eq!((*list, *number), (RuleList::NeverSayPatterns, 1));
    call.plays();
    assert!(!call.has_given_up() && !call.hangs_up());
}

#[test]
fn what_was_thought_ahead_is_withheld_too_and_none_of_its_tools_is_used() {
    let mut call = Call::new(1);
    call.hears("acme ka order cancel karo");
    call.likely();
    call.model(&["t:Acme se baat karti hoon. ", "c:1|cancel|{}", "f"]);
    assert!(tripped(&call).is_empty(), "nothing is decided ahead");
    call.commits();
    assert_eq!(call.said(), ["Namaste!", INSTEAD]);
    assert!(call.tools.is_empty() && tripped(&call).len() == 1);
}

/// Said over the line that stands for it: the model is asked again, and knows.
#[test]
fn who_interrupts_the_line_instead_and_says_nothing_is_answered() {
    let mut call = Call::new(1);
    call.says("acme kaisa hai");
    call.model(&["t:Acme bahut accha hai. "]);
    call.voice(VoiceEvent::SpeechStarted);
    call.interrupts(0);
    call.dismisses();
    let Some(Turn::User(asked)) = call.told().pop() else { panic!("{:?}", call.told()) };
    assert!(asked.contains("was withheld") && call.asked().prompts.len() == 2, "{asked}");
}
