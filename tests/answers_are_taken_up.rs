//! An answer whose provider breaks in its middle is heard to its end: whole calls in virtual time, by both kinds of mind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::HopEvent;
use caly_vendors::faults::{Fault, Faults, When as Which};
use caly_vendors::model::Rule;

use thinking::caller::is_loud;
use thinking::cast::TALKERS;
use thinking::{Outcome, Saying, Scene, When};

const MS: fn(u64) -> Duration = Duration::from_millis;
const ANSWER: &str =
    "Aapka order raste mein hai, aur woh abhi Pune se nikla hai, kal subah das baje tak ghar aayega.";

fn scene() -> Scene {
    Scene {
        says: vec![Saying { when: When::AfterAgent(MS(500)), text: "mera order kahan hai" }],
        rules: vec![Rule::user("Go on from there").say("Yeh baaki tha."), Rule::user("order").say(ANSWER)],
        lasts: MS(20_000),
        ..Scene::default()
    }
}

fn faults_of_hops(outcome: &Outcome) -> usize {
    outcome.hops().filter(|(_, event)| matches!(event, HopEvent::Fault { .. })).count()
}

/// Wherever the connection of a model breaks while it speaks, the model behind it or a new session says the rest, and nobody waits in silence.
#[test]
fn a_model_that_breaks_while_it_is_heard_is_taken_up() {
    let mut taken_up = 0;
    for kind in TALKERS {
        for models in [vec![kind], vec![kind, "openai"]] {
            for messages in [20, 30, 40, 60] {
                let faults = Faults::default().with(Which::Nth(1), Fault::DropAfter(messages));
                let scene = Scene {
                    realtime: models.clone(),
                    faults: [Faults::default(), faults, Faults::default()],
                    ..scene()
                };
                let outcome = scene.play();
                let shown = format!("{models:?} after {messages}\n{}", outcome.shown());
                let said = outcome.said_by_agent().join(" ");
                let is_taken_up = said.contains("Yeh baaki tha.");
                taken_up += u32::from(is_taken_up);
                assert!(!said.contains("Maaf kijiye."), "{shown}");
                if faults_of_hops(&outcome) == 0 {
                    continue;
                }
                // Whole, or to where it broke and the rest, or anew.
                assert!(is_taken_up || said.contains("ghar aayega."), "{shown}");
                let silence = longest_silence(&outcome);
                assert!(silence <= MS(2_000), "{silence:?}\n{shown}");
            }
        }
    }
    assert!(taken_up >= 4, "{taken_up}");
}

/// After the question, until nobody is owed anything.
fn longest_silence(outcome: &Outcome) -> Duration {
    let idle = outcome.log.iter().find(|(_, what)| matches!(what, Dialogue::Idle { .. }));
    let heard = outcome.log.iter().filter(|(_, what)| matches!(what, Dialogue::Heard { .. }));
    let heard = heard.filter(|(at, _)| idle.is_none_or(|(idle, _)| at < idle));
    let last = heard.map(|(at, _)| *at).max().unwrap();
    let (_, end) = outcome.said[0];
    outcome.longest_silence(end + MS(1_000), last)
}

/// Wherever a language model breaks while it writes, the next one, or the same one once more, writes the rest.
#[test]
fn a_language_model_that_breaks_while_it_writes_is_taken_up() {
    let mut taken_up = 0;
    for models in [vec!["openai"], vec!["anthropic"], vec!["openai", "anthropic"]] {
        for messages in [4, 8, 12, 16] {
            let faults = Faults::default().with(Which::Nth(1), Fault::DropAfter(messages));
            let scene = Scene {
                cast: [vec!["deepgram"], models.clone(), vec!["deepgram"]],
                faults: [Faults::default(), faults, Faults::default()],
                ..scene()
            };
            let outcome = scene.play();
            let shown = format!("{models:?} after {messages}\n{}", outcome.shown());
            let said = outcome.said_by_agent().join(" ");
            assert!(!said.contains("Maaf kijiye."), "{shown}");
            let is_taken_up = said.contains("Yeh baaki tha.");
            taken_up += u32::from(is_taken_up);
            // Whole, or to where it broke and the rest, or anew.
            assert!(is_taken_up || said.contains("ghar aayega."), "{shown}");
            let silence = longest_silence(&outcome);
            assert!(silence <= MS(2_000), "{silence:?}\n{shown}");
        }
    }
    assert!(taken_up >= 4, "{taken_up}");
}

/// How much of the agent's voice was heard behind the question.
fn voice_ms(outcome: &Outcome) -> u64 {
    let (_, end) = outcome.said[0];
    let until = outcome.log.iter().find(|(_, what)| matches!(what, Dialogue::Idle { .. })).unwrap().0;
    let loud = outcome.sent.iter().filter(|sent| (end..until).contains(&sent.at) && is_loud(&sent.samples));
    loud.count() as u64 * 20
}

/// Wherever a synthesizer breaks, the next one goes on where it was: nothing of the answer is missing, and hardly a word is heard twice.
#[test]
fn a_voice_that_breaks_is_taken_up_where_it_was() {
    let mut broken = 0;
    for kind in ["deepgram", "elevenlabs", "cartesia", "sarvam", "openai"] {
        let cast = [vec!["deepgram"], vec!["openai"], vec![kind, "deepgram"]];
        let whole = voice_ms(&Scene { cast: cast.clone(), ..scene() }.play());
        for messages in [3, 6, 10, 15, 25] {
            let faults = Faults::default().with(Which::Nth(1), Fault::DropAfter(messages));
            let scene = Scene {
                cast: cast.clone(),
                faults: [Faults::default(), Faults::default(), faults],
                ..scene()
            };
            let outcome = scene.play();
            let shown = format!("{kind} after {messages}\n{}", outcome.shown());
            broken += usize::from(faults_of_hops(&outcome) > 0);
            assert!(!outcome.said_by_agent().contains(&"Maaf kijiye.".to_owned()), "{shown}");
            let fillers =
                outcome.said_by_agent().iter().filter(|text| *text == "Ek minute.").count() as u64 * 600;
            let heard = voice_ms(&outcome).saturating_sub(fillers);
            assert!(heard + 300 >= whole && heard <= whole + 900, "{heard} ms of {whole}\n{shown}");
        }
    }
    assert!(broken >= 10, "{broken}");
}
