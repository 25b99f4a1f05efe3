//! Turns of calls in which nobody recognizes words: silence alone ends them.

use super::*;

#[test]
fn a_turn_ends_700_ms_after_the_last_word_and_pauses_do_not_end_it() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(patient(), start);
    for (from, to) in [(0, 400), (1000, 1500)] {
        machine.handle(at(from), Input::SpeechStarted);
        assert_eq!(run(&mut machine, start, from, to), []);
        machine.handle(at(to), ended(to - from, 0));
        assert_eq!(run(&mut machine, start, to, to + 600), []);
    }
    let said = run(&mut machine, start, 2100, 3000);
    assert_eq!(said, [(2200, committed(0, 900, 700, Ending::Silence))]);
}

#[test]
fn a_click_is_no_turn_and_endless_speech_is_cut() {
    let start = Instant::now();
    let mut machine = TurnMachine::new(patient(), start);
    machine.handle(start, Input::SpeechStarted);
    machine.handle(start, ended(60, 0));
    assert_eq!(run(&mut machine, start, 0, 2000), [(700, Output::Dismissed { turn: 0 })]);
    assert_eq!(machine.state(), State::Listening);
    machine.handle(start, Input::SpeechStarted);
    let said = run(&mut machine, start, 0, 40_000);
    assert_eq!(said, [(30_000, committed(1, 30_000, 0, Ending::Longest))]);
}

#[test]
fn the_silence_before_the_end_was_noticed_counts() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(patient(), start);
    machine.handle(at(0), Input::SpeechStarted);
    machine.handle(at(1200), ended(1000, 200));
    let over = committed(0, 1000, 700, Ending::Silence);
    assert_eq!(run(&mut machine, start, 1200, 3000), [(1700, over)]);
    machine.handle(at(3000), Input::SpeechStarted);
    machine.handle(at(4000), Input::Think);
    // Both are silent since the last word, not since it was known to be the last.
    machine.handle(at(5200), ended(2000, 200));
    let idle = Output::Idle(Duration::from_secs(8));
    assert_eq!(run(&mut machine, start, 5200, 13_300), [(13_000, idle)]);
}

#[test]
fn speech_of_a_turn_that_was_cut_is_none_of_the_next() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(patient(), start);
    machine.handle(at(0), Input::SpeechStarted);
    let cut = |turn| committed(turn, 30_000, 0, Ending::Longest);
    assert_eq!(run(&mut machine, start, 0, 31_000), [(30_000, cut(0))]);
    // What is too short to be a turn is no rest either.
    machine.handle(at(31_000), ended(30_300, 700));
    machine.handle(at(33_000), Input::SpeechStarted);
    machine.handle(at(33_060), ended(60, 0));
    assert_eq!(run(&mut machine, start, 33_060, 35_000), [(33_760, Output::Dismissed { turn: 1 })]);
    // The mind does not answer a turn that was cut: the rest of what is said is a turn.
    machine.handle(at(40_000), Input::SpeechStarted);
    assert_eq!(run(&mut machine, start, 40_000, 70_020), [(70_000, cut(2))]);
    machine.handle(at(71_000), Input::Listen);
    machine.handle(at(72_200), ended(32_000, 200));
    let rest = committed(3, 2000, 700, Ending::Silence);
    assert_eq!(run(&mut machine, start, 72_200, 75_000), [(72_700, rest)]);
}

#[test]
fn what_is_said_on_behind_a_forced_end_is_the_next_turn() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(patient(), start);
    machine.handle(at(0), Input::SpeechStarted);
    assert_eq!(run(&mut machine, start, 0, 31_000), [(30_000, committed(0, 30_000, 0, Ending::Longest))]);
    machine.handle(at(31_000), ended(30_800, 200));
    assert_eq!(machine.state(), State::Listening);
    let rest = committed(1, 800, 700, Ending::Silence);
    assert_eq!(run(&mut machine, start, 31_000, 35_000), [(31_500, rest)]);
    // The mind takes the turn within speech: what is left of it is nobody's.
    machine.handle(at(40_000), Input::SpeechStarted);
    machine.handle(at(41_000), Input::Think);
    machine.handle(at(43_000), ended(3000, 0));
    assert_eq!((machine.state(), run(&mut machine, start, 43_000, 50_000)), (State::Thinking, vec![]));
}

#[test]
fn a_caller_whom_nobody_answers_is_cut_again() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(patient(), start);
    machine.handle(at(0), Input::SpeechStarted);
    assert_eq!(run(&mut machine, start, 0, 31_000).len(), 1);
    machine.handle(at(31_000), Input::Listen);
    let again = committed(1, 31_000, 0, Ending::Longest);
    assert_eq!(run(&mut machine, start, 31_000, 70_000), [(61_000, again)]);
}

#[test]
fn silence_of_both_is_told_every_8_s_and_ends_after_60() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(patient(), start);
    // Three prompts of 10 s do not count; the caller says nothing.
    let mut told = Vec::new();
    for prompt in 0..3_u64 {
        let begin = prompt * 30_000;
        machine.handle(at(begin), Input::PlaybackStarted);
        told.extend(run(&mut machine, start, begin, begin + 10_000));
        machine.handle(at(begin + 10_000), Input::PlaybackEnded);
        told.extend(run(&mut machine, start, begin + 10_000, begin + 30_000));
    }
    told.extend(run(&mut machine, start, 90_000, 91_000));
    let times: Vec<u64> = told.iter().map(|(ms, _)| *ms).collect();
    assert_eq!(times, [18_000, 26_000, 48_000, 56_000, 78_000, 86_000, 90_000]);
    assert_eq!(told[6].1, Output::IdleTooLong);
    assert_eq!(told[2].1, Output::Idle(Duration::from_secs(28)));
    machine.handle(at(91_000), KEY);
    let told = run(&mut machine, start, 91_000, 100_000);
    assert_eq!(told, [(99_000, Output::Idle(Duration::from_secs(8)))]);
}

/// Turns may last for half a minute here.
fn patient() -> Patience {
    Patience { longest_turn: Duration::from_secs(30), ..Patience::default() }
}
