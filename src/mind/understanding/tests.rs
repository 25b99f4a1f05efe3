#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::end_of_turn::Score;
use super::*;

fn committed(turn: u32) -> VoiceEvent {
    VoiceEvent::TurnCommitted { turn, speech: Duration::from_secs(1) }
}

fn result(text: &str, is_final: bool) -> (Vec<Word<'_>>, bool) {
    (
        text.split(' ').filter(|word| !word.is_empty()).map(|text| Word { text, begins: None }).collect(),
        is_final,
    )
}

/// Words that begin every 300 ms from `first_ms`.
fn timed(text: &str, first_ms: u64, is_final: bool) -> (Vec<Word<'_>>, bool) {
    let words = text.split(' ').zip(0..).map(|(text, at)| {
        let begins = Some(Duration::from_millis(first_ms + 300 * at));
        Word { text, begins }
    });
    (words.collect(), is_final)
}

fn hear(understanding: &mut Understanding, (words, is_final): (Vec<Word<'_>>, bool)) -> Change {
    understanding.hear(Recognized { words: &words, is_final }, &[])
}

/// Number, words and whether they only tell the agent to go on.
fn told(change: Change) -> (u32, u16, bool) {
    let transcript = change.transcript.expect("voice has to know");
    (transcript.turn, transcript.words, transcript.is_backchannel)
}

#[test]
fn voice_is_told_of_changes_and_of_nothing_else() {
    let mut understanding = Understanding::default();
    assert_eq!(hear(&mut understanding, result("", false)), Change::default());
    assert_eq!(told(hear(&mut understanding, result("haan", false))), (0, 1, true));
    assert_eq!(hear(&mut understanding, result("Haan", false)), Change::default());
    assert_eq!(told(hear(&mut understanding, result("haan mera order", false))), (0, 3, false));
    // A revision may take words back, and a final result may bring none.
    assert_eq!(told(hear(&mut understanding, result("haan mera", false))), (0, 2, false));
    assert_eq!(told(hear(&mut understanding, result("haan mera order", true))), (0, 3, false));
    assert_eq!(hear(&mut understanding, result("", false)), Change::default());
    assert_eq!(told(hear(&mut understanding, result("cancel kar do", false))), (0, 6, false));
    assert_eq!(understanding.text(), "haan mera order cancel kar do");
    let more = hear(&mut understanding, result("cancel kar do aur", false));
    assert!(more.transcript.unwrap().completeness <= 0.3);
}

#[test]
fn a_turn_takes_its_words_with_it() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, result("order kahan hai", true));
    assert_eq!(understanding.handle(&VoiceEvent::TurnLikely { turn: 0 }, Duration::ZERO), None);
    let ended = understanding.handle(&committed(0), Duration::from_secs(3));
    let text = "order kahan hai".to_owned();
    assert_eq!(ended, Some(EndedTurn { turn: 0, text, is_committed: true }));
    assert_eq!((understanding.turn(), understanding.text().as_str()), (1, ""));
    hear(&mut understanding, result("hmm", true));
    let ended = understanding.handle(&VoiceEvent::SpeechDismissed { turn: 1 }, Duration::from_secs(5));
    assert_eq!(ended, Some(EndedTurn { turn: 1, text: "hmm".to_owned(), is_committed: false }));
    // The same words again are news.
    assert_eq!(told(hear(&mut understanding, result("hmm", false))), (2, 1, true));
}

#[test]
fn late_words_are_known_by_their_time() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, timed("mera order cancel", 0, false));
    understanding.handle(&committed(0), Duration::from_millis(1500));
    // The rest of the turn before, then words of this one in the same segment.
    let late = Change { transcript: None, late: Some("karo".to_owned()) };
    assert_eq!(hear(&mut understanding, timed("mera order cancel karo", 0, false)), late);
    assert_eq!(hear(&mut understanding, timed("mera order cancel karo", 0, false)), Change::default());
    let (mut words, _) = timed("mera order cancel karo", 0, false);
    words.push(Word { text: "aur paisa", begins: Some(Duration::from_millis(2000)) });
    assert_eq!(told(hear(&mut understanding, (words, true))), (1, 2, false));
    assert_eq!(told(hear(&mut understanding, timed("wapas do", 2600, true))), (1, 4, false));
    assert_eq!(understanding.text(), "aur paisa wapas do");
}

#[test]
fn one_result_may_end_the_turn_before_and_begin_the_next() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, timed("mera order cancel", 0, false));
    understanding.handle(&committed(0), Duration::from_millis(1500));
    let (mut words, _) = timed("mera order cancel karo", 0, false);
    words.push(Word { text: "aur", begins: Some(Duration::from_millis(2000)) });
    let change = hear(&mut understanding, (words, false));
    assert_eq!(change.late.as_deref(), Some("karo"));
    assert_eq!(told(change), (1, 1, false));
}

#[test]
fn without_times_what_was_known_belongs_to_the_turn_before() {
    let mut understanding = Understanding::default();
    hear(&mut understanding, result("mera order cancel", false));
    understanding.handle(&committed(0), Duration::from_secs(2));
    assert_eq!(hear(&mut understanding, result("mera older cancel", false)), Change::default());
    assert_eq!(told(hear(&mut understanding, result("mera order cancel karo", true))), (1, 1, false));
    // The next segment has nothing of it, and a segment may see more than one turn end.
    assert_eq!(told(hear(&mut understanding, result("jaldi", false))), (1, 2, false));
    understanding.handle(&committed(1), Duration::from_secs(4));
    assert_eq!(told(hear(&mut understanding, result("jaldi karo", false))), (2, 1, false));
    understanding.handle(&committed(2), Duration::from_secs(5));
    assert_eq!(told(hear(&mut understanding, result("jaldi karo na", true))), (3, 1, false));
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

/// Hears, and reads the language.
struct Ears;

impl EndOfTurn for Ears {
    fn score(&mut self, heard: &Heard<'_>) -> Score {
        Score::new(if heard.audio.is_empty() || heard.language != Some("hi-IN") { 0.0 } else { 1.0 })
    }
}

#[test]
fn a_model_is_given_all_that_is_known() {
    let mut understanding = Understanding::new(Box::new(Ears), Backchannels::new(["si"]));
    understanding.set_language(Some("hi-IN"));
    let words = [Word { text: "si", begins: None }];
    let change = understanding.hear(Recognized { words: &words, is_final: false }, &[1, 2, 3]);
    let transcript = Transcript { turn: 0, words: 1, is_backchannel: true, completeness: 1.0 };
    assert_eq!(change, Change { transcript: Some(transcript), late: None });
}
