//! What an agent must never say reaches no synthesizer; something else is said in its place, and the call goes on.

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, RuleList};
use caly::voice::exchange::VoiceEvent;
use caly_provider::llm::Turn;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

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
    call.model(&["t:Ji aapko poora paisa, wa"]);
    assert_eq!(texts(&call), ["Ji aapko poora paisa,"], "no clause waits for the next");
    call.tell("tts", "a:700");
    call.model(&["t:pas milega. "]);
    assert_eq!(texts(&call), ["Ji aapko poora paisa,"]);
    assert_eq!(call.said(), ["Namaste!", "Ji aapko poora paisa,"], "the line waits for the clause");
    call.tell("tts", "d");
    assert_eq!(call.said(), ["Namaste!", "Ji aapko poora paisa,", INSTEAD]);
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
    assert_eq!(said, ["Namaste!", "Ji aapko poora paisa,", INSTEAD]);
}

#[test]
fn a_clause_that_does_not_sound_yet_goes_with_what_is_withheld() {
    let mut call = Call::new(1);
    call.says("card number batao");
    call.model(&["t:Ji zaroor, woh 4111 1111 1111 ", "t:1111 hai. ", "f"]);
    assert!(call.asked().speeches.is_empty(), "{:?}", call.asked().speeches);
    assert_eq!(call.said(), ["Namaste!", INSTEAD]);
    let withheld = "Ji zaroor, woh 4111 1111 1111 1111 hai.".to_owned();
    assert_eq!(tripped(&call), [(RuleList::NeverSayPatterns, 1, withheld, 0)]);
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

/// Answers in which the forbidden comes together by chance, over the borders of clauses, sentences and lines.
fn answers() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "poora ",
        "poora. ",
        "paisa ",
        "paisa, ",
        "paisa\n",
        "wapas ",
        "wapas. ",
        "poora paisa, ",
        "poora paisa. ",
        "mera poora paisa? ",
        "wapas",
        "-",
        "**",
        "Ji zaroor ",
        "Acme",
        "acmeist ",
        "raste mein hai ",
        "4111 1111 ",
        "1111, 1111",
    ]);
    prop::collection::vec(parts, 3..16).prop_map(|parts| parts.concat())
}

/// However a model cuts its answer into tokens and whenever its sound comes, the same is withheld, and no synthesizer is given what is forbidden.
#[test]
fn however_an_answer_comes_the_same_of_it_is_withheld() {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]));
    let withheld = std::cell::Cell::new(0);
    let tokens = prop::collection::vec((1..9_usize, any::<bool>()), 1..60);
    let outcome = runner.run(&(answers(), tokens), |(answer, tokens)| {
        let spoken = |tokens: &[(usize, bool)]| {
            let mut call = Call::new(1);
            call.says("batao");
            let (mut letters, mut sizes) = (answer.chars().peekable(), tokens.iter().cycle());
            while letters.peek().is_some() && tripped(&call).is_empty() {
                let (size, has_sound) = sizes.next().copied().unwrap_or((1, false));
                let token: String = letters.by_ref().take(size).collect();
                call.model(&[&format!("t:{token}")]);
                if has_sound {
                    call.tell("tts", "a:100");
                }
            }
            if tripped(&call).is_empty() {
                call.model(&["f"]);
            }
            (
                texts(&call),
                tripped(&call).into_iter().map(|(list, rule, ..)| (list, rule)).collect::<Vec<_>>(),
            )
        };
        let (whole, cut) = (spoken(&[(usize::MAX, false)]), spoken(&tokens));
        prop_assert_eq!(&whole, &cut, "{}", answer);
        let words = |text: &str| -> Vec<String> {
            let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
            words.map(str::to_lowercase).collect()
        };
        let heard = words(&cut.0.join(" ").replace("**", ""));
        for forbidden in ["poora paisa wapas", "acme"] {
            let phrase = words(forbidden);
            prop_assert!(!heard.windows(phrase.len()).any(|words| words == phrase), "{}: {:?}", answer, cut);
        }
        withheld.set(withheld.get() + usize::from(!cut.1.is_empty()));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!((40..390).contains(&withheld.get()), "neither all nor none: {}", withheld.get());
}
