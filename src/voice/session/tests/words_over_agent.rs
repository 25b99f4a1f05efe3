//! What words over the agent do to it, where a recognizer is at work.

use super::super::super::exchange::Transcript;
use super::*;

fn speaking() -> Bench {
    let mut bench = Bench::new();
    bench.command(MindCommand::ExpectWords(true));
    bench.say_this(1, vec![10_000; 80_000]);
    bench.run(20, QUIET);
    bench
}

fn words(bench: &mut Bench, turn: u32, words: u16, is_backchannel: bool) {
    let completeness = 0.5;
    bench.command(MindCommand::Transcript(Transcript {
        turn,
        words,
        revision: words.into(),
        is_backchannel,
        completeness,
    }));
    bench.mind();
}

fn interruptions(bench: &Bench) -> usize {
    bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })).len()
}

fn endings(bench: &Bench) -> (usize, usize) {
    (
        bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len(),
        bench.ticks_of(|event| matches!(event, VoiceEvent::SpeechDismissed { .. })).len(),
    )
}

#[test]
fn words_stop_the_agent_in_the_next_frame() {
    let mut bench = speaking();
    bench.run(15, SPEECH);
    assert_eq!((interruptions(&bench), bench.peak()), (0, 0), "it waits");
    words(&mut bench, 0, 2, false);
    assert_eq!(interruptions(&bench), 1);
    bench.run(1, QUIET);
    assert_eq!(bench.peak(), 0);
    bench.run(150, QUIET);
    assert_eq!(endings(&bench), (1, 0));
}

#[test]
fn a_backchannel_lets_it_go_on_in_the_next_frame_and_is_no_turn() {
    let mut bench = speaking();
    bench.run(12, SPEECH);
    bench.run(6, QUIET);
    assert_eq!(bench.peak(), 0);
    words(&mut bench, 0, 1, true);
    bench.run(1, QUIET);
    assert_eq!(bench.peak(), 10_000);
    bench.run(120, QUIET);
    assert_eq!((interruptions(&bench), endings(&bench)), (0, (0, 1)));
    // Its words are over: what is said of them now is about another turn, and stops nobody.
    words(&mut bench, 0, 3, false);
    words(&mut bench, 1, 3, false);
    assert_eq!(interruptions(&bench), 0);
    // The next one is heard again.
    bench.run(12, SPEECH);
    words(&mut bench, 2, 3, false);
    assert_eq!(interruptions(&bench), 0, "a turn that has not begun");
    words(&mut bench, 1, 4, false);
    assert_eq!(interruptions(&bench), 1);
}

#[test]
fn it_goes_on_within_600_ms_without_any_words_and_late_ones_still_stop_it() {
    let mut bench = speaking();
    bench.run(12, SPEECH);
    bench.run(25, QUIET);
    assert_eq!(bench.peak(), 0);
    bench.run(1, QUIET);
    assert_eq!(bench.peak(), 10_000, "600 ms after it began to wait");
    bench.run(10, QUIET);
    words(&mut bench, 0, 2, false);
    assert_eq!(interruptions(&bench), 1);
    bench.run(150, QUIET);
    assert_eq!(endings(&bench), (1, 0));
}

#[test]
fn who_speaks_longer_than_any_backchannel_stops_it_before_the_words_come() {
    let mut bench = speaking();
    bench.run(34, SPEECH);
    assert_eq!(interruptions(&bench), 0);
    bench.run(1, SPEECH);
    assert_eq!(interruptions(&bench), 1);
}

#[test]
fn a_cough_over_the_agent_is_dismissed_without_a_recognizer_too() {
    let mut bench = Bench::new();
    bench.say_this(1, vec![10_000; 80_000]);
    bench.run(20, QUIET);
    for cough in [3, 12, 20] {
        bench.run(cough, SPEECH);
        bench.run(60, QUIET);
    }
    assert_eq!((interruptions(&bench), endings(&bench)), (0, (0, 3)));
    bench.run(30, SPEECH);
    bench.run(60, QUIET);
    assert_eq!((interruptions(&bench), endings(&bench)), (1, (1, 3)));
}
