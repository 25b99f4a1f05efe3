//! Marks of a caller's turn and of the agent's first speech behind it.

use super::*;
use crate::call::hop::{HopEvent, Mark};

/// When which turn was marked so, and by which utterance.
fn marked(bench: &Bench, wanted: Mark) -> Vec<(u32, Instant, Option<u64>)> {
    let of = |(at, what): &(Instant, Dialogue)| match what {
        Dialogue::Hop(HopEvent::Mark { turn, mark, utterance, .. }) if *mark == wanted => {
            Some((*turn, *at, *utterance))
        }
        _ => None,
    };
    bench.dated.iter().filter_map(of).collect()
}

#[test]
fn a_turn_is_marked_by_the_arrival_of_its_last_speech_and_the_departure_of_the_first_audible_answer() {
    let mut bench = Bench::new();
    bench.run(50, SPEECH);
    let last_speech = bench.now() - WAITED;
    bench.run(60, QUIET);
    assert_eq!(marked(&bench, Mark::MediaIn), [(0, last_speech, None)]);
    assert_eq!(marked(&bench, Mark::MediaOut), []);
    // 60 ms of what a synthesizer begins with, then speech.
    let samples = [vec![3; 3 * FRAME_SAMPLES], sound(SPEECH).repeat(20)].concat();
    bench.say_this(4, samples);
    bench.run(10, QUIET);
    let said_at = bench.start + FRAME * 114;
    assert_eq!(marked(&bench, Mark::MediaOut), [(0, said_at, Some(4))]);
    bench.say(5, 4_000);
    bench.run(40, QUIET);
    assert_eq!(marked(&bench, Mark::MediaOut).len(), 1, "once a turn");
}

#[test]
fn a_cough_is_no_beginning_of_the_next_turn() {
    let mut bench = Bench::new();
    bench.run(5, SPEECH);
    bench.run(60, QUIET);
    assert_eq!(bench.noted(|note| matches!(note, Dialogue::SpeechDismissed)).len(), 1);
    bench.command(MindCommand::ExpectWords(true));
    bench.press('#');
    bench.say(1, 4_000);
    bench.run(60, QUIET);
    assert_eq!((marked(&bench, Mark::MediaIn), marked(&bench, Mark::MediaOut)), (Vec::new(), Vec::new()));
}

#[test]
fn turns_that_are_answered_together_have_one_end() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.run(50, SPEECH);
        bench.run(60, QUIET);
    }
    bench.say(1, 4_000);
    bench.run(2, QUIET);
    let turns = |mark| marked(&bench, mark).iter().map(|(turn, ..)| *turn).collect::<Vec<_>>();
    assert_eq!((turns(Mark::MediaIn), turns(Mark::MediaOut)), (vec![0, 1], vec![1]));
}
