//! The transition table, whole, and the machine over time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const SPOKEN: Duration = Duration::from_millis(500);

/// For each state, where each input leads and whether something is said. A pair that is missing fails the test.
const TABLE: &[(State, Input, State, Option<Said>)] = {
    use Input as I;
    use State::{Interrupted, Listening, Speaking, Thinking};
    use Timer as T;
    &[
        (Listening, I::SpeechStarted, Listening, None),
        (Listening, I::SpeechEnded(SPOKEN), Listening, None),
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
        (Thinking, I::SpeechEnded(SPOKEN), Thinking, None),
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
        (Speaking, I::SpeechEnded(SPOKEN), Speaking, None),
        (Speaking, I::Digit, Speaking, None),
        (Speaking, I::PlaybackStarted, Speaking, None),
        (Speaking, I::PlaybackEnded, Listening, None),
        (Speaking, I::StoppedBySpeech, Interrupted, None),
        (Speaking, I::Stopped, Listening, None),
        (Speaking, I::Think, Speaking, None),
        (Speaking, I::Listen, Listening, None),
        (Speaking, I::Timer(T::EndOfTurn), Speaking, None),
        (Speaking, I::Timer(T::LongestTurn), Speaking, None),
        (Speaking, I::Timer(T::Idle), Speaking, None),
        (Speaking, I::Timer(T::IdleTooLong), Speaking, None),
        (Interrupted, I::SpeechStarted, Interrupted, None),
        (Interrupted, I::SpeechEnded(SPOKEN), Interrupted, None),
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
    Input::SpeechEnded(SPOKEN),
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
        State::Listening => &[Input::SpeechStarted, Input::SpeechEnded(SPOKEN)],
        State::Thinking => &[Input::Think],
        State::Speaking => &[Input::PlaybackStarted],
        State::Interrupted => &[
            Input::PlaybackStarted,
            Input::SpeechStarted,
            Input::StoppedBySpeech,
            Input::SpeechEnded(SPOKEN),
        ],
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
        machine.handle(at(to), Input::SpeechEnded(Duration::from_millis(to - from)));
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
    machine.handle(start, Input::SpeechEnded(Duration::from_millis(60)));
    assert_eq!(run(&mut machine, start, 0, 2000), []);
    assert_eq!(machine.state(), State::Listening);
    machine.handle(start, Input::SpeechStarted);
    let said = run(&mut machine, start, 0, 40_000);
    assert_eq!(said, [(30_000, Output::Committed(Duration::ZERO))]);
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
