//! The transition table, whole, and the machine over time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_order;
mod with_words;
mod without_words;

use super::*;

const SPOKEN: Duration = Duration::from_millis(500);
const ENDED: Input = Input::SpeechEnded { speech: SPOKEN, silence: Duration::ZERO };
const KEY: Input = Input::Digit(Digit::from_char('5').unwrap());
const END_KEY: Input = Input::Digit(Digit::from_char('#').unwrap());
/// Three words of the first turn.
const WORDS: Input = words(0, 3, 0.5);
/// Words of a turn that is none, or no more.
const STALE: Input = words(7, 3, 0.5);
const STALE_OPINION: Input = provider(7, ProviderTurn::Ended);

/// For each state, where each input leads and what is said. A pair that is missing fails the test.
const TABLE: &[(State, Input, State, Option<Said>)] = {
    use Input as I;
    use ProviderTurn as P;
    use State::{Interrupted, Listening, Speaking, Thinking};
    use Timer as T;
    &[
        (Listening, I::SpeechStarted, Listening, None),
        (Listening, ENDED, Listening, None),
        (Listening, KEY, Listening, None),
        (Listening, END_KEY, Listening, None),
        (Listening, I::PlaybackStarted, Speaking, None),
        (Listening, I::PlaybackEnded, Listening, None),
        (Listening, I::StoppedBySpeech, Interrupted, None),
        (Listening, I::Stopped, Listening, None),
        (Listening, I::Think, Thinking, Some(Said::Dismissed)),
        (Listening, I::Listen, Listening, None),
        (Listening, I::ExpectWords(true), Listening, None),
        (Listening, I::ExpectWords(false), Listening, None),
        (Listening, WORDS, Listening, None),
        (Listening, STALE, Listening, None),
        (Listening, STALE_OPINION, Listening, None),
        (Listening, provider(0, P::Likely), Listening, None),
        (Listening, provider(0, P::Ended), Listening, None),
        (Listening, provider(0, P::Resumed), Listening, None),
        (Listening, I::Timer(T::EndOfTurn), Thinking, Some(Said::Committed)),
        (Listening, I::Timer(T::LongestTurn), Thinking, Some(Said::Committed)),
        (Listening, I::Timer(T::Likely), Listening, Some(Said::Likely)),
        (Listening, I::Timer(T::Idle), Listening, Some(Said::Idle)),
        (Listening, I::Timer(T::IdleTooLong), Listening, Some(Said::IdleTooLong)),
        (Thinking, I::SpeechStarted, Listening, None),
        (Thinking, ENDED, Thinking, None),
        (Thinking, KEY, Thinking, None),
        (Thinking, END_KEY, Thinking, None),
        (Thinking, I::PlaybackStarted, Speaking, None),
        (Thinking, I::PlaybackEnded, Thinking, None),
        (Thinking, I::StoppedBySpeech, Interrupted, None),
        (Thinking, I::Stopped, Listening, None),
        (Thinking, I::Think, Thinking, None),
        (Thinking, I::Listen, Listening, None),
        (Thinking, I::ExpectWords(true), Thinking, None),
        (Thinking, I::ExpectWords(false), Thinking, None),
        (Thinking, WORDS, Listening, None),
        (Thinking, STALE, Thinking, None),
        (Thinking, STALE_OPINION, Thinking, None),
        (Thinking, provider(0, P::Likely), Thinking, None),
        (Thinking, provider(0, P::Ended), Thinking, None),
        (Thinking, provider(0, P::Resumed), Thinking, None),
        (Thinking, I::Timer(T::EndOfTurn), Thinking, None),
        (Thinking, I::Timer(T::LongestTurn), Thinking, None),
        (Thinking, I::Timer(T::Likely), Thinking, None),
        (Thinking, I::Timer(T::Idle), Thinking, Some(Said::Idle)),
        (Thinking, I::Timer(T::IdleTooLong), Thinking, Some(Said::IdleTooLong)),
        (Speaking, I::SpeechStarted, Speaking, None),
        (Speaking, ENDED, Speaking, None),
        (Speaking, KEY, Speaking, None),
        (Speaking, END_KEY, Speaking, None),
        (Speaking, I::PlaybackStarted, Speaking, None),
        (Speaking, I::PlaybackEnded, Listening, None),
        (Speaking, I::StoppedBySpeech, Interrupted, None),
        (Speaking, I::Stopped, Listening, None),
        (Speaking, I::Think, Speaking, None),
        (Speaking, I::Listen, Speaking, None),
        (Speaking, I::ExpectWords(true), Speaking, None),
        (Speaking, I::ExpectWords(false), Speaking, None),
        (Speaking, WORDS, Speaking, None),
        (Speaking, STALE, Speaking, None),
        (Speaking, STALE_OPINION, Speaking, None),
        (Speaking, provider(0, P::Likely), Speaking, None),
        (Speaking, provider(0, P::Ended), Speaking, None),
        (Speaking, provider(0, P::Resumed), Speaking, None),
        (Speaking, I::Timer(T::EndOfTurn), Speaking, None),
        (Speaking, I::Timer(T::LongestTurn), Speaking, None),
        (Speaking, I::Timer(T::Likely), Speaking, None),
        (Speaking, I::Timer(T::Idle), Speaking, None),
        (Speaking, I::Timer(T::IdleTooLong), Speaking, None),
        (Interrupted, I::SpeechStarted, Interrupted, None),
        (Interrupted, ENDED, Interrupted, None),
        (Interrupted, KEY, Interrupted, None),
        (Interrupted, END_KEY, Interrupted, None),
        (Interrupted, I::PlaybackStarted, Speaking, Some(Said::Dismissed)),
        (Interrupted, I::PlaybackEnded, Interrupted, None),
        (Interrupted, I::StoppedBySpeech, Interrupted, None),
        (Interrupted, I::Stopped, Listening, None),
        (Interrupted, I::Think, Thinking, Some(Said::Dismissed)),
        (Interrupted, I::Listen, Listening, None),
        (Interrupted, I::ExpectWords(true), Interrupted, None),
        (Interrupted, I::ExpectWords(false), Interrupted, None),
        (Interrupted, WORDS, Interrupted, None),
        (Interrupted, STALE, Interrupted, None),
        (Interrupted, STALE_OPINION, Interrupted, None),
        (Interrupted, provider(0, P::Likely), Interrupted, None),
        (Interrupted, provider(0, P::Ended), Interrupted, None),
        (Interrupted, provider(0, P::Resumed), Interrupted, None),
        (Interrupted, I::Timer(T::EndOfTurn), Thinking, Some(Said::Committed)),
        (Interrupted, I::Timer(T::LongestTurn), Thinking, Some(Said::Committed)),
        (Interrupted, I::Timer(T::Likely), Interrupted, Some(Said::Likely)),
        (Interrupted, I::Timer(T::Idle), Interrupted, None),
        (Interrupted, I::Timer(T::IdleTooLong), Interrupted, None),
    ]
};

const STATES: [State; 4] = [State::Listening, State::Thinking, State::Speaking, State::Interrupted];
const INPUTS: [Input; 23] = [
    Input::SpeechStarted,
    ENDED,
    KEY,
    END_KEY,
    Input::PlaybackStarted,
    Input::PlaybackEnded,
    Input::StoppedBySpeech,
    Input::Stopped,
    Input::Think,
    Input::Listen,
    Input::ExpectWords(true),
    Input::ExpectWords(false),
    WORDS,
    STALE,
    STALE_OPINION,
    provider(0, ProviderTurn::Likely),
    provider(0, ProviderTurn::Ended),
    provider(0, ProviderTurn::Resumed),
    Input::Timer(Timer::EndOfTurn),
    Input::Timer(Timer::LongestTurn),
    Input::Timer(Timer::Likely),
    Input::Timer(Timer::Idle),
    Input::Timer(Timer::IdleTooLong),
];

const fn words(turn: u32, words: u16, completeness: f32) -> Input {
    revised(turn, words, words as u32, completeness)
}

const fn revised(turn: u32, words: u16, revision: u32, completeness: f32) -> Input {
    Input::Words(Transcript { turn, words, revision, is_backchannel: false, completeness })
}

const fn provider(turn: u32, opinion: ProviderTurn) -> Input {
    Input::Provider { turn, opinion }
}

fn ended(speech_ms: u64, silence_ms: u64) -> Input {
    Input::SpeechEnded {
        speech: Duration::from_millis(speech_ms),
        silence: Duration::from_millis(silence_ms),
    }
}

/// A turn that is over.
fn committed(turn: u32, speech_ms: u64, silence_ms: u64, ending: Ending) -> Output {
    let (speech, silence) = (Duration::from_millis(speech_ms), Duration::from_millis(silence_ms));
    Output::Committed(Committed { turn, speech, silence, ending })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Likely,
    Resumed,
    Committed,
    Dismissed,
    Idle,
    IdleTooLong,
}

fn said(output: Output) -> Said {
    match output {
        Output::Likely { .. } => Said::Likely,
        Output::Resumed { .. } => Said::Resumed,
        Output::Committed(_) => Said::Committed,
        Output::Dismissed { .. } => Said::Dismissed,
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
    assert_eq!(TABLE.len(), STATES.len() * INPUTS.len());
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

/// What the table leaves open: what a turn holds, and whether words are expected, decides these.
#[test]
fn what_the_turn_holds_decides_the_rest() {
    use State::{Interrupted, Listening, Speaking, Thinking};
    let rows: &[(&[Input], State, Option<Said>)] = &[
        // The key that ends turns: where words are expected, and with speech that is not its own tone.
        (&[Input::ExpectWords(true), Input::SpeechStarted, ENDED, END_KEY], Thinking, Some(Said::Committed)),
        (&[Input::ExpectWords(true), Input::SpeechStarted, ended_100(), END_KEY], Listening, None),
        (&[Input::ExpectWords(true), WORDS, END_KEY], Thinking, Some(Said::Committed)),
        (&[Input::ExpectWords(true), WORDS, KEY], Listening, None),
        (&[Input::ExpectWords(true), END_KEY], Listening, None),
        // A turn that is too short, with and without words.
        (
            &[Input::SpeechStarted, ended_100(), Input::Timer(Timer::EndOfTurn)],
            Listening,
            Some(Said::Dismissed),
        ),
        (
            &[Input::SpeechStarted, ended_100(), WORDS, Input::Timer(Timer::EndOfTurn)],
            Thinking,
            Some(Said::Committed),
        ),
        (
            &[
                Input::PlaybackStarted,
                Input::SpeechStarted,
                ended_100(),
                Input::StoppedBySpeech,
                Input::Timer(Timer::EndOfTurn),
            ],
            Listening,
            Some(Said::Dismissed),
        ),
        // Likely, and not so.
        (&[WORDS, Input::Timer(Timer::Likely), Input::SpeechStarted], Listening, Some(Said::Resumed)),
        (&[WORDS, Input::Timer(Timer::Likely), words(0, 4, 0.5)], Listening, Some(Said::Resumed)),
        (&[WORDS, Input::Timer(Timer::Likely), words(0, 3, 0.9)], Listening, None),
        (
            &[WORDS, Input::Timer(Timer::Likely), provider(0, ProviderTurn::Resumed)],
            Listening,
            Some(Said::Resumed),
        ),
        (&[WORDS, Input::Timer(Timer::Likely), Input::Think], Thinking, Some(Said::Dismissed)),
        // Over the agent: dismissed when it ends, the caller's if it outlasts the agent.
        (
            &[Input::PlaybackStarted, Input::SpeechStarted, ENDED, Input::Timer(Timer::EndOfTurn)],
            Speaking,
            Some(Said::Dismissed),
        ),
        (
            &[Input::PlaybackStarted, Input::SpeechStarted, ENDED, Input::PlaybackEnded],
            Listening,
            Some(Said::Dismissed),
        ),
        (
            &[Input::PlaybackStarted, Input::SpeechStarted, ENDED, WORDS, Input::PlaybackEnded],
            Listening,
            None,
        ),
        (&[Input::PlaybackStarted, Input::SpeechStarted, Input::PlaybackEnded], Listening, None),
        // Who takes the turn from whom.
        (&[Input::SpeechStarted, Input::Think], Thinking, Some(Said::Dismissed)),
        (&[Input::ExpectWords(true), Input::SpeechStarted, Input::Think], Listening, None),
        (&[Input::SpeechStarted, Input::PlaybackStarted], Speaking, None),
        (
            &[Input::PlaybackStarted, Input::StoppedBySpeech, Input::PlaybackStarted],
            Speaking,
            Some(Said::Dismissed),
        ),
        (
            &[Input::PlaybackStarted, Input::StoppedBySpeech, Input::Listen, Input::PlaybackStarted],
            Speaking,
            Some(Said::Dismissed),
        ),
        // Words that were not known when the turn ended give the floor back, but not once the answer is heard; no words do nothing.
        (&[Input::Think, words(0, 0, 0.5)], Thinking, None),
        (
            &[Input::Think, WORDS, words(0, 0, 0.5), Input::Timer(Timer::EndOfTurn)],
            Listening,
            Some(Said::Dismissed),
        ),
        (&[Input::Think, WORDS, Input::Timer(Timer::EndOfTurn)], Thinking, Some(Said::Committed)),
        (&[Input::Think, WORDS, Input::PlaybackStarted], Speaking, None),
        (&[Input::Think, Input::PlaybackStarted, WORDS], Speaking, None),
        (
            &[Input::Think, WORDS, Input::PlaybackStarted, Input::Timer(Timer::EndOfTurn)],
            Speaking,
            Some(Said::Dismissed),
        ),
        // Other words are news, be there as many or not.
        (&[WORDS, Input::Timer(Timer::Likely), revised(0, 3, 8, 0.5)], Listening, Some(Said::Resumed)),
        // The rest of a turn that was as long as one may be is the next, unless words are expected.
        (&[Input::SpeechStarted, Input::Timer(Timer::LongestTurn), ended_100()], Thinking, None),
        (
            &[Input::ExpectWords(true), Input::SpeechStarted, Input::Timer(Timer::LongestTurn), ENDED],
            Thinking,
            None,
        ),
        (&[Input::PlaybackStarted, Input::StoppedBySpeech, Input::Listen], Listening, None),
        (&[Input::PlaybackStarted, Input::StoppedBySpeech, Input::SpeechStarted], Interrupted, None),
    ];
    let now = Instant::now();
    for (way, state, last) in rows {
        let mut machine = TurnMachine::new(Patience::default(), now);
        let output = way.iter().map(|&input| machine.handle(now, input)).last().unwrap();
        assert_eq!((machine.state(), output.map(said)), (*state, *last), "{way:?}");
    }
}

const fn ended_100() -> Input {
    Input::SpeechEnded { speech: Duration::from_millis(100), silence: Duration::ZERO }
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
