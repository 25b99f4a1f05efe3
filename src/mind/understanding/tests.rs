#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::end_of_turn::Score;
use super::*;

fn committed(turn: u32) -> VoiceEvent {
    VoiceEvent::TurnCommitted { turn, speech: Duration::from_secs(1) }
}

fn result(text: &str, is_final: bool) -> (Vec<Word<'_>>, bool) {
    (
        text.split(' ').filter(|word| !word.is_empty()).map(|text| Word { text, times: None }).collect(),
        is_final,
    )
}

/// Words that begin every 300 ms from `first_ms`.
fn timed(text: &str, first_ms: u64, is_final: bool) -> (Vec<Word<'_>>, bool) {
    let words = text.split(' ').zip(0..).map(|(text, at)| {
        let begins = Duration::from_millis(first_ms + 300 * at);
        Word { text, times: Some((begins, begins + Duration::from_millis(250))) }
    });
    (words.collect(), is_final)
}

fn hear(understanding: &mut Understanding, (words, is_final): (Vec<Word<'_>>, bool)) -> Option<Transcript> {
    understanding.hear(Recognized { words: &words, is_final }, &[])
}

/// Number, words and whether they only tell the agent to go on.
fn told(transcript: Option<Transcript>) -> (u32, u16, bool) {
    let transcript = transcript.expect("voice has to know");
    (transcript.turn, transcript.words, transcript.is_backchannel)
}

#[test]
fn the_words_of_a_turn_have_their_times_if_all_are_known() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, timed("mera order", 1_000, true));
    hear(&mut understanding, timed("kahan hai", 2_000, false));
    let ended = understanding.handle(&VoiceEvent::TurnCommitted { turn: 0, speech: Duration::ZERO }).unwrap();
    let begins: Vec<u128> = ended.times.iter().map(|(begins, _)| begins.as_millis()).collect();
    assert_eq!((ended.text.as_str(), begins), ("mera order kahan hai", vec![1_000, 1_300, 2_000, 2_300]));
    hear(&mut understanding, timed("batao", 4_000, true));
    hear(&mut understanding, result("na", true));
    let ended = understanding.handle(&VoiceEvent::TurnCommitted { turn: 1, speech: Duration::ZERO }).unwrap();
    assert_eq!((ended.text.as_str(), ended.times), ("batao na", Vec::new()));
}

#[test]
fn voice_is_told_of_changes_and_of_nothing_else() {
    let mut understanding = Understanding::default();
    assert_eq!(hear(&mut understanding, result("", false)), None);
    assert_eq!(told(hear(&mut understanding, result("haan", false))), (0, 1, true));
    assert_eq!(hear(&mut understanding, result("Haan", false)), None);
    assert_eq!(told(hear(&mut understanding, result("haan mera order", false))), (0, 3, false));
    // A revision may take words back, and a final result may bring none.
    assert_eq!(told(hear(&mut understanding, result("haan mera", false))), (0, 2, false));
    assert_eq!(told(hear(&mut understanding, result("haan mera order", true))), (0, 3, false));
    assert_eq!(hear(&mut understanding, result("", false)), None);
    assert_eq!(told(hear(&mut understanding, result("cancel kar do", false))), (0, 6, false));
    assert_eq!(understanding.text(), "haan mera order cancel kar do");
    let more = hear(&mut understanding, result("cancel kar do aur", false));
    assert!(more.unwrap().completeness <= 0.3);
}

#[test]
fn a_turn_takes_its_words_with_it() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, result("order kahan hai", true));
    assert_eq!(understanding.handle(&VoiceEvent::TurnLikely { turn: 0 }), None);
    let ended = understanding.handle(&committed(0));
    let text = "order kahan hai".to_owned();
    assert_eq!(ended, Some(EndedTurn { turn: 0, text, times: Vec::new(), is_committed: true }));
    assert_eq!((understanding.turn(), understanding.text().as_str()), (1, ""));
    hear(&mut understanding, result("hmm", true));
    let ended = understanding.handle(&VoiceEvent::SpeechDismissed { turn: 1 });
    assert_eq!(
        ended,
        Some(EndedTurn { turn: 1, text: "hmm".to_owned(), times: Vec::new(), is_committed: false })
    );
    // The same words again are news.
    assert_eq!(told(hear(&mut understanding, result("hmm", false))), (2, 1, true));
}

#[test]
fn words_that_come_after_the_end_begin_the_next_turn() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, timed("mera order cancel", 0, false));
    understanding.handle(&committed(0));
    // Said before the turn ended, and known only now; a revision of what was known is no news.
    assert_eq!(told(hear(&mut understanding, timed("mera order cancel karo", 0, false))), (1, 1, false));
    assert_eq!(hear(&mut understanding, timed("meraa older cancel karo", 0, false)), None);
    assert_eq!(
        told(hear(&mut understanding, timed("mera order cancel karo aur paisa", 20, true))),
        (1, 3, false)
    );
    assert_eq!(told(hear(&mut understanding, timed("wapas do", 2600, true))), (1, 5, false));
    assert_eq!(understanding.text(), "karo aur paisa wapas do");
    // A turn that ended before any of its words was known has none; they are all of the next.
    understanding.handle(&committed(1));
    understanding.handle(&VoiceEvent::SpeechDismissed { turn: 2 });
    assert_eq!(told(hear(&mut understanding, timed("jaldi karo", 4000, false))), (3, 2, false));
}

#[test]
fn no_word_is_lost_or_said_twice_wherever_turns_end() {
    let all = "mera order number hai ek do teen";
    for is_timed in [true, false] {
        for ends_after in 0..=7 {
            let (mut understanding, mut turns) = (Understanding::default(), Vec::new());
            let words: Vec<&str> = all.split(' ').collect();
            for known in 1..=words.len() {
                if known == ends_after + 1 {
                    turns.extend(understanding.handle(&committed(0)).map(|turn| turn.text));
                }
                let text = words[..known].join(" ");
                hear(
                    &mut understanding,
                    if is_timed { timed(&text, 0, false) } else { result(&text, false) },
                );
            }
            turns.push(understanding.text());
            assert_eq!(turns.join(" ").trim(), all, "{is_timed} {ends_after}");
        }
    }
}

#[test]
fn other_words_are_another_revision_and_another_spelling_is_none() {
    let mut understanding = Understanding::default();
    let mut revision = |text| hear(&mut understanding, result(text, false)).map(|told| told.revision);
    let first = revision("mera order number hai").unwrap();
    assert_eq!(revision("Meraa Order number hai."), None);
    let second = revision("mera order number das").unwrap();
    assert_ne!(first, second);
    // The words of before are others again.
    assert_ne!(revision("mera order number hai").unwrap(), second);
}

#[test]
fn without_times_what_was_known_belongs_to_the_turn_before() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, result("mera order cancel", false));
    understanding.handle(&committed(0));
    assert_eq!(hear(&mut understanding, result("mera older cancel", false)), None);
    assert_eq!(told(hear(&mut understanding, result("mera order cancel karo", true))), (1, 1, false));
    // The next segment has nothing of it, and a segment may see more than one turn end.
    assert_eq!(told(hear(&mut understanding, result("jaldi", false))), (1, 2, false));
    understanding.handle(&committed(1));
    assert_eq!(told(hear(&mut understanding, result("jaldi karo", false))), (2, 1, false));
    understanding.handle(&committed(2));
    assert_eq!(told(hear(&mut understanding, result("jaldi karo na", true))), (3, 1, false));
    // One time for several words is none.
    let phrase = |text| vec![Word { text, times: Some((Duration::from_secs(9), Duration::from_secs(10))) }];
    hear(&mut understanding, (phrase("aur"), false));
    understanding.handle(&committed(3));
    assert_eq!(told(hear(&mut understanding, (phrase("aur paisa"), false))), (4, 1, false));
}

#[test]
fn what_exceeds_every_turn_is_dropped_and_counted() {
    let mut understanding = Understanding::default();
    let long = "naa ".repeat(300);
    hear(&mut understanding, result(long.trim_end(), true));
    assert_eq!(told(hear(&mut understanding, result(long.trim_end(), true))).1, 512);
    assert_eq!(understanding.dropped_words(), 88);
    let mut understanding = Understanding::default();
    hear(&mut understanding, result(&"न".repeat(1000), true));
    assert_eq!(understanding.text().len(), 126);
}

/// Hears, reads the language, and knows what was asked.
struct Ears;

const PIN_CODE: Expected = Expected::Digits { min: 6, max: 6 };

impl EndOfTurn for Ears {
    fn score(&mut self, heard: &Heard<'_>) -> Score {
        let knows_all = heard.language == Some("hi-IN") && heard.expects == Some(PIN_CODE);
        Score::new(if heard.audio.is_empty() || !knows_all { 0.0 } else { 1.0 })
    }
}

#[test]
fn a_model_is_given_all_that_is_known() {
    let mut understanding = Understanding::new(Box::new(Ears), Backchannels::new(["si"]));
    understanding.set_language(Some("hi-IN"));
    understanding.expect(Some(PIN_CODE));
    let words = [Word { text: "si", times: None }];
    let told = understanding.hear(Recognized { words: &words, is_final: false }, &[1, 2, 3]);
    let transcript = Transcript { turn: 0, words: 1, revision: 1, is_backchannel: true, completeness: 1.0 };
    assert_eq!(told, Some(transcript));
}
