//! The transition table, whole, and the machine over time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const SPOKEN: Duration = Duration::from_millis(500);
const ENDED: Input = Input::SpeechEnded { speech: SPOKEN, silence: Duration::ZERO };

/// For each state, where each input leads and whether something is said. A pair that is missing fails the test.
const TABLE: &[(State, Input, State, Option<Said>)] = {
    use Input as I;
    use State::{Interrupted, Listening, Speaking, Thinking};
    use Timer as T;
    &[
        (Listening, I::SpeechStarted, Listening, None),
        (Listening, ENDED, Listening, None),
        (Listening, I::Digit, Listening, None),
        (Listening, I::PlaybackStarted, Speaking, None),
        (Listening, I::PlaybackEnded, Listening, None),
        (Listening, I::StoppedBySpeech, Listening, None),
        (Listening, I::Stopped, Listening, None),
        (Listening, I::Think, Thinking, None),
        (Listening, I::Listen, Listening, None),
        (Listening, I::Timer(T::EndOfTurn), Thinking, Some(Said::Committed)),
        (Listening, I::Timer(T::LongestTurn), Thinking, Some(Said::Committed)),
        (Listening, I::Timer(T::Idle), Listening, Some(Said::Idle)),
        (Listening, I::Timer(T::IdleTooLong), Listening, Some(Said::IdleTooLong)),
        (Thinking, I::SpeechStarted, Listening, None),
        (Thinking, ENDED, Thinking, None),
        (Thinking, I::Digit, Thinking, None),
        (Thinking, I::PlaybackStarted, Speaking, None),
        (Thinking, I::PlaybackEnded, Thinking, None),
        (Thinking, I::StoppedBySpeech, Thinking, None),
        (Thinking, I::Stopped, Listening, None),
        (Thinking, I::Think, Thinking, None),
        (Thinking, I::Listen, Listening, None),
        (Thinking, I::Timer(T::EndOfTurn), Thinking, None),
        (Thinking, I::Timer(T::LongestTurn), Thinking, None),
        (Thinking, I::Timer(T::Idle), Thinking, Some(Said::Idle)),
        (Thinking, I::Timer(T::IdleTooLong), Thinking, Some(Said::IdleTooLong)),
        (Speaking, I::SpeechStarted, Speaking, None),
        (Speaking, ENDED, Speaking, None),
        (Speaking, I::Digit, Speaking, None),
        (Speaking, I::PlaybackStarted, Speaking, None),
        (Speaking, I::PlaybackEnded, Listening, None),
        (Speaking, I::StoppedBySpeech, Interrupted, None),
        (Speaking, I::Stopped, Listening, None),
        (Speaking, I::Think, Speaking, None),
        (Speaking, I::Listen, Speaking, None),
        (Speaking, I::Timer(T::EndOfTurn), Speaking, None),
        (Speaking, I::Timer(T::LongestTurn), Speaking, None),
        (Speaking, I::Timer(T::Idle), Speaking, None),
        (Speaking, I::Timer(T::IdleTooLong), Speaking, None),
        (Interrupted, I::SpeechStarted, Interrupted, None),
        (Interrupted, ENDED, Interrupted, None),
        (Interrupted, I::Digit, Interrupted, None),
        (Interrupted, I::PlaybackStarted, Speaking, None),
        (Interrupted, I::PlaybackEnded, Interrupted, None),
        (Interrupted, I::StoppedBySpeech, Interrupted, None),
        (Interrupted, I::Stopped, Listening, None),
        (Interrupted, I::Think, Thinking, None),
        (Interrupted, I::Listen, Listening, None),
        (Interrupted, I::Timer(T::EndOfTurn), Thinking, Some(Said::Committed)),
        (Interrupted, I::Timer(T::LongestTurn), Thinking, Some(Said::Committed)),
        (Interrupted, I::Timer(T::Idle), Interrupted, None),
        (Interrupted, I::Timer(T::IdleTooLong), Interrupted, None),
    ]
};

const STATES: [State; 4] = [State::Listening, State::Thinking, State::Speaking, State::Interrupted];
const INPUTS: [Input; 13] = [
    Input::SpeechStarted,
    ENDED,
    Input::Digit,
    Input::PlaybackStarted,
    Input::PlaybackEnded,
    Input::StoppedBySpeech,
    Input::Stopped,
    Input::Think,
    Input::Listen,
    Input::Timer(Timer::EndOfTurn),
    Input::Timer(Timer::LongestTurn),
    Input::Timer(Timer::Idle),
    Input::Timer(Timer::IdleTooLong),
];

fn ended(speech_ms: u64, silence_ms: u64) -> Input {
    Input::SpeechEnded {
        speech: Duration::from_millis(speech_ms),
        silence: Duration::from_millis(silence_ms),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Committed,
    Idle,
    IdleTooLong,
}

fn said(output: Output) -> Said {
    match output {
        Output::Committed(_) => Said::Committed,
        Output::Idle(_) => Said::Idle,
        Output::IdleTooLong => Said::IdleTooLong,
    }
}

/// A machine that came into a state as calls do.
fn machine_in(state: State, now: Instant) -> TurnMachine {
    let mut machine = TurnMachine::new(Patience::default(), now);
    let way: &[Input] = match state {
        State::Listening => &[Input::SpeechStarted, ENDED],
        State::Thinking => &[Input::Think],
        State::Speaking => &[Input::PlaybackStarted],
        State::Interrupted => &[Input::PlaybackStarted, Input::SpeechStarted, Input::StoppedBySpeech, ENDED],
    };
    for &input in way {
        assert_eq!(machine.handle(now, input), None);
    }
    assert_eq!(machine.state(), state);
    machine
}

#[test]
fn every_state_meets_every_input_as_the_table_says() {
    let now = Instant::now();
    for state in STATES {
        for input in INPUTS {
            let rows: Vec<_> = TABLE.iter().filter(|row| row.0 == state && row.1 == input).collect();
            assert_eq!(rows.len(), 1, "{state:?} {input:?}");
            let mut machine = machine_in(state, now);
            let output = machine.handle(now + Duration::from_millis(1), input);
            assert_eq!((machine.state(), output.map(said)), (rows[0].2, rows[0].3), "{state:?} {input:?}");
        }
    }
}

/// Lets time pass and tells what was said when, in milliseconds.
fn run(machine: &mut TurnMachine, start: Instant, from_ms: u64, to_ms: u64) -> Vec<(u64, Output)> {
    let mut outputs = Vec::new();
    for ms in (from_ms..to_ms).step_by(20) {
        let now = start + Duration::from_millis(ms);
        while let Some(timer) = machine.poll_timer(now) {
            outputs.extend(machine.handle(now, Input::Timer(timer)).map(|output| (ms, output)));
        }
    }
    outputs
}

#[test]
fn a_turn_ends_700_ms_after_the_last_word_and_pauses_do_not_end_it() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(Patience::default(), start);
    for (from, to) in [(0, 400), (1000, 1500)] {
        machine.handle(at(from), Input::SpeechStarted);
        assert_eq!(run(&mut machine, start, from, to), []);
        machine.handle(at(to), ended(to - from, 0));
        assert_eq!(run(&mut machine, start, to, to + 600), []);
    }
    let said = run(&mut machine, start, 2100, 3000);
    assert_eq!(said, [(2200, Output::Committed(Duration::from_millis(900)))]);
}

#[test]
fn a_click_is_no_turn_and_endless_speech_is_cut() {
    let start = Instant::now();
    let mut machine = TurnMachine::new(Patience::default(), start);
    machine.handle(start, Input::SpeechStarted);
    machine.handle(start, ended(60, 0));
    assert_eq!(run(&mut machine, start, 0, 2000), []);
    assert_eq!(machine.state(), State::Listening);
    machine.handle(start, Input::SpeechStarted);
    let said = run(&mut machine, start, 0, 40_000);
    assert_eq!(said, [(30_000, Output::Committed(Duration::from_secs(30)))]);
}

#[test]
fn the_silence_before_the_end_was_noticed_counts() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(Patience::default(), start);
    machine.handle(at(0), Input::SpeechStarted);
    machine.handle(at(1200), ended(1000, 200));
    let committed = Output::Committed(Duration::from_secs(1));
    assert_eq!(run(&mut machine, start, 1200, 3000), [(1700, committed)]);
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
    let mut machine = TurnMachine::new(Patience::default(), start);
    machine.handle(at(0), Input::SpeechStarted);
    let cut = Output::Committed(Duration::from_secs(30));
    assert_eq!(run(&mut machine, start, 0, 31_000), [(30_000, cut)]);
    machine.handle(at(31_000), ended(31_000, 0));
    machine.handle(at(33_000), Input::SpeechStarted);
    machine.handle(at(33_060), ended(60, 0));
    assert_eq!(run(&mut machine, start, 33_060, 35_000), [], "a click is no turn");
    // The mind does not answer a turn that was cut: the rest of what is said is a turn.
    machine.handle(at(40_000), Input::SpeechStarted);
    assert_eq!(run(&mut machine, start, 40_000, 70_020), [(70_000, cut)]);
    machine.handle(at(71_000), Input::Listen);
    machine.handle(at(72_200), ended(32_000, 200));
    let rest = Output::Committed(Duration::from_secs(2));
    assert_eq!(run(&mut machine, start, 72_200, 75_000), [(72_700, rest)]);
}

#[test]
fn a_caller_whom_nobody_answers_is_cut_again() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(Patience::default(), start);
    machine.handle(at(0), Input::SpeechStarted);
    assert_eq!(run(&mut machine, start, 0, 31_000).len(), 1);
    machine.handle(at(31_000), Input::Listen);
    let again = Output::Committed(Duration::from_secs(31));
    assert_eq!(run(&mut machine, start, 31_000, 70_000), [(61_000, again)]);
}

#[test]
fn silence_of_both_is_told_every_8_s_and_ends_after_60() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut machine = TurnMachine::new(Patience::default(), start);
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
    machine.handle(at(91_000), Input::Digit);
    let told = run(&mut machine, start, 91_000, 100_000);
    assert_eq!(told, [(99_000, Output::Idle(Duration::from_secs(8)))]);
}
