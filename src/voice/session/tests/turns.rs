//! What mind and log are told of the caller's turns.

use super::super::super::exchange::{ProviderTurn, Transcript};
use super::*;

fn transcript(turn: u32, words: u16, completeness: f32) -> MindCommand {
    MindCommand::Transcript(Transcript {
        turn,
        words,
        revision: words.into(),
        is_backchannel: false,
        completeness,
    })
}

/// What was told of turns, and in which tick.
fn turns(bench: &Bench) -> Vec<(u32, VoiceEvent)> {
    let is_of_turn = |event: &VoiceEvent| {
        matches!(
            event,
            VoiceEvent::TurnLikely { .. }
                | VoiceEvent::TurnResumed { .. }
                | VoiceEvent::TurnCommitted { .. }
                | VoiceEvent::SpeechDismissed { .. }
                | VoiceEvent::Digit(_)
        )
    };
    bench.events.iter().filter(|(_, event)| is_of_turn(event)).cloned().collect()
}

fn why(bench: &Bench) -> Vec<(&str, u64)> {
    let why = |note| match note {
        &Dialogue::TurnCommitted { ref why, silence_ms, .. } => Some((why.as_str(), silence_ms)),
        _ => None,
    };
    bench.notes.iter().filter_map(why).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_mind_may_think_before_the_turn_is_over() {
    let mut bench = Bench::new();
    bench.command(MindCommand::ExpectWords(true));
    bench.run(50, SPEECH);
    bench.command(transcript(0, 4, 0.9));
    bench.run(30, QUIET);
    let committed = VoiceEvent::TurnCommitted { turn: 0, speech: SECOND };
    assert_eq!(turns(&bench), [(50 + 13, VoiceEvent::TurnLikely { turn: 0 }), (50 + 28, committed)]);
    assert_eq!(why(&bench), [("words", 560)]);
}

#[test]
fn without_words_it_waits_as_always_and_ends_of_a_provider_count() {
    let mut bench = Bench::new();
    bench.run(50, SPEECH);
    bench.run(15, QUIET);
    bench.command(MindCommand::ProviderTurn { turn: 0, opinion: ProviderTurn::Ended });
    bench.run(1, QUIET);
    assert_eq!(why(&bench), [("provider", 320)]);
    bench.run(50, SPEECH);
    bench.run(50, QUIET);
    assert_eq!(why(&bench)[1..], [("silence", 700)]);
}

#[test]
fn the_end_of_the_turn_is_told_before_the_key_that_ended_it() {
    let mut bench = Bench::new();
    bench.command(MindCommand::ExpectWords(true));
    bench.run(50, SPEECH);
    bench.press('#');
    bench.press('5');
    bench.run(1, SPEECH);
    let key = |key| VoiceEvent::Digit(Digit::from_char(key).unwrap());
    // What goes on counts from where it was known to be speech: the end of its second frame.
    let committed = VoiceEvent::TurnCommitted { turn: 0, speech: SECOND - FRAME * 2 };
    assert_eq!(turns(&bench), [(51, committed), (51, key('#')), (51, key('5'))]);
    assert_eq!(why(&bench), [("key", 0)]);
}

#[test]
fn speech_that_is_no_turn_is_dismissed_and_logged() {
    let mut bench = Bench::new();
    bench.run(10, SPEECH);
    bench.run(100, QUIET);
    assert_eq!(turns(&bench), [(10 + 35, VoiceEvent::SpeechDismissed { turn: 0 })]);
    assert_eq!(bench.noted(|note| matches!(note, Dialogue::SpeechDismissed)).len(), 1);
    bench.run(50, SPEECH);
    bench.run(100, QUIET);
    let committed = VoiceEvent::TurnCommitted { turn: 1, speech: SECOND };
    assert_eq!(turns(&bench)[1..], [(160 + 35, committed)]);
}

#[test]
fn words_of_a_turn_that_is_over_are_counted() {
    let mut bench = Bench::new();
    bench.command(transcript(1, 4, 0.9));
    bench.command(transcript(7, 4, 0.9));
    bench.run(100, QUIET);
    assert_eq!(turns(&bench), []);
    bench.voice.handle_end();
    bench.run(1, QUIET);
    let dropped = Dialogue::Dropped { kind: "transcripts".to_owned(), count: 2 };
    assert_eq!(bench.noted(|note| matches!(note, Dialogue::Dropped { .. })), [&dropped]);
}
