//! Every provider of every hop fails in every way in a whole call, alone and with another one behind it: the caller is answered or taken care of,
//! is never left in silence, and the cause stands in the log. In virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::time::Duration;

use caly::call::hop::{HopEvent, Mark};
use caly::mind::cascade::Answers;
use caly_vendors::faults::{Fault, Faults, When as CallWhen};
use caly_vendors::model::Rule;

use thinking::cast::{self, HOPS, KINDS, MODELS, RECOGNIZERS, SYNTHESIZERS, TALKERS};
use thinking::{Outcome, Saying, Scene, When};

/// The place of those who do all three.
const TALKS: usize = 3;

/// What the agent says where it is the caller's turn again.
const ASKS: [&str; 3] = ["Phir se boliye.", "Sunai nahi diya.", "Aap wahan hain?"];
/// Behind so many messages somebody stalls: tokens, pieces of sound, and what comes before them.
const STALLS: [usize; 9] = [2, 3, 5, 7, 9, 12, 16, 21, 27];

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn whichever_recognizer_fails_the_caller_is_answered_or_taken_care_of() {
    check_hop(0, &RECOGNIZERS);
}

#[test]
fn whichever_model_fails_the_caller_is_answered_or_taken_care_of() {
    check_hop(1, &MODELS);
}

#[test]
fn whichever_synthesizer_fails_the_caller_is_answered_or_taken_care_of() {
    check_hop(2, &SYNTHESIZERS);
}

#[test]
fn whichever_model_that_speaks_fails_the_caller_is_answered_or_taken_care_of() {
    check_hop(TALKS, &TALKERS);
}

/// Without the second one the first would be waited for, 5 s long.
#[test]
fn a_model_that_says_nothing_is_overtaken_by_another_vendor() {
    for (kinds, fault) in [
        (["openai", "anthropic"], Fault::NoAnswer),
        (["anthropic", "openai"], Fault::NoAnswer),
        (["openai", "anthropic"], Fault::Stall),
        (["anthropic", "openai"], Fault::Stall),
    ] {
        let stands_still = Faults::default().with(CallWhen::From(1), fault.clone());
        let scene = Scene {
            says: vec![Saying { when: When::AfterAgent(MS(1_500)), text: "mera order kahan hai batao" }],
            rules: vec![Rule::always().say("Aapka order raste mein hai.")],
            faults: [Faults::default(), stands_still, Faults::default()],
            cast: [vec!["deepgram"], kinds.to_vec(), vec!["deepgram"]],
            answers: Answers { hedge_after: Some(MS(500)), ..Answers::default() },
            lasts: MS(15_000),
            ..Scene::default()
        };
        let outcome = scene.play();
        let shown = format!("{kinds:?}, {fault:?}\n{}", outcome.shown());
        assert_eq!(outcome.said_by_agent()[1], "Aapka order raste mein hai.", "no filler is needed: {shown}");
        assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
        let by = outcome.hops().find_map(|(_, event)| match event {
            HopEvent::Mark { mark: Mark::LlmToken, provider, .. } => provider.clone(),
            _ => None,
        });
        assert_eq!(by.as_deref(), Some("llm1"), "{shown}");
        let asked = outcome.mark(0, Mark::LlmStart).unwrap();
        let answered = outcome.mark(0, Mark::LlmToken).unwrap();
        assert!(answered - asked <= MS(1_000), "{:?}: {shown}", answered - asked);
    }
}

/// AssemblyAI wants audio no faster than it is spoken, and hears five seconds that somebody else has kept all the same.
#[test]
fn what_one_recognizer_has_kept_is_heard_by_one_who_wants_no_haste() {
    let hears_nothing = Faults::default().with(CallWhen::From(1), Fault::Silence(0xff));
    let scene = Scene {
        says: vec![Saying { when: When::AfterAgent(MS(1_500)), text: "mera order kahan hai batao" }],
        rules: vec![Rule::user("order").say("Aapka order raste mein hai.")],
        faults: [hears_nothing, Faults::default(), Faults::default()],
        cast: [vec!["sarvam", "assemblyai"], vec!["openai"], vec!["deepgram"]],
        lasts: MS(12_000),
        ..Scene::default()
    };
    let outcome = scene.play();
    let shown = outcome.shown();
    assert!(outcome.complaints().is_empty(), "{:?}\n{shown}", outcome.complaints());
    assert_eq!(outcome.said_by_agent().last().unwrap(), "Aapka order raste mein hai.", "{shown}");
    let faults = outcome.hops().filter(|(_, event)| matches!(event, HopEvent::Fault { .. })).count();
    assert_eq!(faults, 1, "{shown}");
}

/// Nor behind its first sound: what has stalled is explained until it goes on, is taken up by another one, or the caller is asked.
#[test]
fn an_answer_that_stalls_in_its_middle_leaves_no_silence() {
    let (mut wrong, mut calls, mut explained) = (Vec::new(), 0, 0);
    for (hop, kinds) in [(1, &MODELS[..]), (2, &SYNTHESIZERS), (TALKS, &TALKERS)] {
        for kind in kinds.iter().filter(|kind| concerns(hop, kind, &Fault::StallAfter(1))) {
            for (after, providers) in STALLS.into_iter().flat_map(|after| [(after, 2), (after, 1)]) {
                calls += 1;
                let mut scene = scene_of(hop, kind, &Fault::StallAfter(after), providers);
                scene.rules =
                    vec![Rule::always().say("Ji zaroor, main dekhti hoon. Aapka order raste mein hai.")];
                scene.lasts = MS(20_000);
                let outcome = scene.play();
                let silence = outcome.longest_silence_before(0, &ASKS);
                if silence > MS(2_000) {
                    let shown = outcome.shown();
                    wrong
                        .push(format!("{kind}, after {after}, {providers}: {silence:?} of silence\n{shown}"));
                }
                let said = outcome.said_by_agent();
                let begins = said.iter().position(|text| text.starts_with("Ji zaroor"));
                let fills = said.iter().rposition(|text| text == "Ek minute." || text == "Bas ek second.");
                explained += usize::from(begins.is_some_and(|at| fills.is_some_and(|filler| filler > at)));
            }
        }
    }
    let brief: Vec<&str> = wrong.iter().map(|what| what.lines().next().unwrap()).collect();
    let first = wrong.first().cloned().unwrap_or_default();
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{}\n\n{first}", wrong.len(), brief.join("\n"));
    assert!(explained >= 10, "of {calls} calls fillers came in the middle of {explained}");
}

fn check_hop(hop: usize, kinds: &[&'static str]) {
    let (mut wrong, mut calls) = (Vec::new(), 0);
    for kind in kinds {
        let mut by_script = 0;
        for fault in all_faults().into_iter().filter(|fault| concerns(hop, kind, fault)) {
            for providers in [2, 1] {
                calls += 1;
                match check_fault(hop, kind, &fault, providers) {
                    Ok(goes_on) => by_script += usize::from(goes_on),
                    Err(what) => wrong.push(format!("{kind}, {fault:?}, {providers}: {what}")),
                }
            }
        }
        if by_script < 3 {
            wrong.push(format!("{kind}: gone on by script: {by_script}"));
        }
    }
    let brief: Vec<&str> = wrong.iter().map(|what| what.lines().next().unwrap()).collect();
    let first = wrong.first().cloned().unwrap_or_default();
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{}\n\n{first}", wrong.len(), brief.join("\n"));
}

/// Whether the agent went on by its script and took a key there; or what is wrong.
fn check_fault(hop: usize, kind: &'static str, fault: &Fault, providers: usize) -> Result<bool, String> {
    let outcome = scene_of(hop, kind, fault, providers).play();
    judge(hop, fault, providers, &outcome)
}

/// A call in which the first one of this hop has this fault.
fn scene_of(hop: usize, kind: &'static str, fault: &Fault, providers: usize) -> Scene {
    // Where nobody is behind, it fails at first and is well later, or fails for good.
    let mut faults = [Faults::default(), Faults::default(), Faults::default()];
    faults[if hop == TALKS { 1 } else { hop }] = Faults::default().with(CallWhen::From(1), fault.clone());
    let mut cast = [vec!["deepgram"], vec!["openai"], vec!["deepgram"]];
    let mut realtime = Vec::new();
    let (kinds, place) = match cast.get_mut(hop) {
        Some(place) => (KINDS[hop], place),
        None => (&TALKERS[..], &mut realtime),
    };
    *place = vec![kind];
    if providers == 2 {
        let at = kinds.iter().position(|known| *known == kind).unwrap();
        place.push(kinds[(at + 1) % kinds.len()]);
    }
    let saying = Saying { when: When::AfterAgent(MS(1_500)), text: "mera order kahan hai batao" };
    // After a model that does not answer the caller is asked to say it again.
    let is_said_twice = hop == 1 && providers == 1;
    Scene {
        says: vec![saying; if is_said_twice { 2 } else { 1 }],
        rules: vec![Rule::always().say("Aapka order raste mein hai.")],
        faults,
        program_fault: (kind == "espeak").then(|| fault.clone()),
        cast,
        realtime,
        key: Some('1'),
        lasts: MS(45_000),
        ..Scene::default()
    }
}

fn judge(hop: usize, fault: &Fault, providers: usize, outcome: &Outcome) -> Result<bool, String> {
    let wrong = |what: String| Err(format!("{what}\n{}", outcome.shown()));
    let said = outcome.said_by_agent();
    let is_answered = said.iter().any(|text| text.contains("raste mein"));
    let has_cause = outcome.hops().any(|(_, event)| matches!(event, HopEvent::Fault { .. }));
    // A recognizer that found nothing in what another one has left it is not well either.
    let blames = |event: &HopEvent| match event {
        HopEvent::Fault { provider, .. } => !provider.starts_with(HOPS.get(hop).unwrap_or(&"realtime")),
        _ => false,
    };
    if outcome.hops().any(|(_, event)| blames(event)) {
        return wrong("another hop is blamed".to_owned());
    }
    let is_harmless =
        matches!(fault, Fault::Drip(_) | Fault::OutOfOrder | Fault::DropAfter(_) | Fault::GarbageAfter(_));
    if providers == 2 && !is_answered {
        return wrong("not answered".to_owned());
    }
    if !is_answered {
        if let Some(pressed) = outcome.pressed {
            let is_taken = outcome.ended.is_some_and(|ended| ended <= pressed + MS(3_000));
            if !is_taken || said.last().unwrap() != "Namaste." {
                return wrong("the script takes no keys".to_owned());
            }
        }
        if !outcome.said.is_empty() && outcome.waited(0) > MS(2_200) {
            return wrong(format!("{:?} until anything was heard", outcome.waited(0)));
        }
        let is_asked = said.iter().any(|text| ASKS.contains(&text.as_str()));
        if outcome.script_since().is_none() && !is_asked {
            return wrong("left alone".to_owned());
        }
    }
    if !has_cause && !is_harmless {
        return wrong("no cause in the log".to_owned());
    }
    let silence = outcome.said.first().and_then(|_| outcome.longest_silence_until(0, "raste mein"));
    if let Some(silence) = silence.filter(|silence| *silence > MS(2_000)) {
        return wrong(format!("{silence:?} of silence"));
    }
    Ok(outcome.pressed.is_some())
}

/// Models make no sound, recognizers take it, audio alone has no JSON that could be cut, and a program has faults of its own.
fn concerns(hop: usize, kind: &str, fault: &Fault) -> bool {
    let is_of_hop = match fault {
        Fault::WrongAudio => hop >= 2,
        Fault::Silence(_) => hop != 1,
        Fault::StallAfter(_) => hop >= 1,
        Fault::Malformed => hop != 2 || !matches!(kind, "elevenlabs-http" | "openai"),
        _ => true,
    };
    is_of_hop && (kind != "espeak" || cast::program(Some(fault)).is_some())
}

fn all_faults() -> Vec<Fault> {
    vec![
        Fault::Refused,
        Fault::Unresolved,
        Fault::TlsFails,
        Fault::Unauthorized,
        Fault::TooMany { retry_after_s: Some(2) },
        Fault::ServerError(500),
        Fault::NoAnswer,
        Fault::Stall,
        Fault::StallAfter(4),
        Fault::DropAfter(3),
        Fault::GarbageAfter(2),
        Fault::Drip(MS(400)),
        Fault::Malformed,
        Fault::WrongAudio,
        Fault::Oversized(8 * 1024 * 1024),
        Fault::Silence(0xff),
        Fault::OutOfOrder,
    ]
}
