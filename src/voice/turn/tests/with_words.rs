//! Turns of calls with a recognizer: how long they wait depends on what was said.

use super::*;

/// A machine that expects words, and its clock.
struct Call {
    machine: TurnMachine,
    start: Instant,
    told: Vec<(u64, Output)>,
    ms: u64,
}

impl Call {
    fn new() -> Self {
        let start = Instant::now();
        let mut call =
            Self { machine: TurnMachine::new(Patience::default(), start), start, told: Vec::new(), ms: 0 };
        call.input(Input::ExpectWords(true));
        call
    }

    fn input(&mut self, input: Input) -> &mut Self {
        let output = self.machine.handle(self.start + Duration::from_millis(self.ms), input);
        self.told.extend(output.map(|output| (self.ms, output)));
        self
    }

    fn until(&mut self, ms: u64) -> &mut Self {
        self.told.extend(run(&mut self.machine, self.start, self.ms, ms));
        self.ms = ms;
        self
    }

    /// One second of speech, which is known to be over after 200 ms of silence: at 1,200 ms.
    fn speak(&mut self) -> &mut Self {
        let begin = self.ms;
        self.input(Input::SpeechStarted).until(begin + 1200).input(ended(1000, 200))
    }

    fn told(&mut self) -> Vec<(u64, Output)> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn the_more_is_missing_the_longer_it_waits() {
    for (completeness, end_ms) in [
        (1.0, 1560),
        (0.7, 1560),
        (0.69, 1800),
        (f32::NAN, 1800),
        (0.5, 1800),
        (0.45, 2060),
        (0.4, 2300),
        (0.31, 2760),
        (0.3, 2800),
        (0.0, 2800),
        (f32::NEG_INFINITY, 1800),
        (7.0, 1560),
    ] {
        let mut call = Call::new();
        call.input(Input::SpeechStarted).until(1000).input(words(0, 4, completeness)).until(1200);
        call.input(ended(1000, 200)).until(4000);
        let over = committed(0, 1000, end_ms - 1000, Ending::Words);
        assert_eq!(call.told().last(), Some(&(end_ms, over)), "{completeness}");
    }
}

#[test]
fn words_that_come_late_are_waited_for() {
    // The last word comes 480 ms after its sound: 200 ms later it is over.
    let mut call = Call::new();
    call.speak().until(1480).input(words(0, 4, 0.9)).until(4000);
    let likely = Output::Likely { turn: 0 };
    assert_eq!(call.told(), [(1480, likely), (1680, committed(0, 1000, 680, Ending::Words))]);
    // One more word is another 200 ms; the same words are no news, whatever is thought of them.
    let mut call = Call::new();
    call.speak().until(1400).input(words(0, 4, 0.9)).until(1500).input(words(0, 5, 0.9));
    call.until(1600).input(words(0, 5, 0.95)).until(4000);
    let resumed = Output::Resumed { turn: 0 };
    let over = committed(0, 1000, 700, Ending::Words);
    assert_eq!(call.told(), [(1400, likely), (1500, resumed), (1500, likely), (1700, over)]);
    // A later result may find that the sentence goes on, or that it does not.
    let mut call = Call::new();
    call.speak().input(words(0, 5, 0.1)).until(1600).input(words(0, 5, 0.9)).until(4000);
    assert_eq!(call.told(), [(1600, committed(0, 1000, 600, Ending::Words))]);
}

#[test]
fn other_words_are_waited_for_even_if_there_are_as_many() {
    // "mera order number hai", and then "mera order number das".
    let mut call = Call::new();
    call.speak()
        .until(1400)
        .input(revised(0, 4, 1, 0.9))
        .until(1500)
        .input(revised(0, 4, 2, 0.9))
        .until(4000);
    let (likely, resumed) = (Output::Likely { turn: 0 }, Output::Resumed { turn: 0 });
    let over = committed(0, 1000, 700, Ending::Words);
    assert_eq!(call.told(), [(1400, likely), (1500, resumed), (1500, likely), (1700, over)]);
}

#[test]
fn words_that_were_not_known_when_the_turn_ended_are_answered_too() {
    let mut call = Call::new();
    call.speak().until(1400).input(words(0, 3, 0.9)).until(1700);
    assert_eq!(call.told().last(), Some(&(1600, committed(0, 1000, 600, Ending::Words))));
    // The mind still thinks: the floor is the caller's for as long as the word makes it wait.
    call.input(words(1, 1, 0.9));
    assert_eq!(call.machine.state(), State::Listening);
    call.until(4000);
    let likely = Output::Likely { turn: 1 };
    assert_eq!(call.told(), [(1960, likely), (2260, committed(1, 0, 0, Ending::Words))]);
    // Where the answer is heard already, nobody is stopped by it, and it is told as no turn.
    let mut call = Call::new();
    call.speak().until(1400).input(words(0, 3, 0.9)).until(1700).input(Input::PlaybackStarted);
    call.told();
    call.until(1800).input(words(1, 1, 0.9)).until(4000);
    assert_eq!(
        (call.told(), call.machine.state()),
        (vec![(2360, Output::Dismissed { turn: 1 })], State::Speaking)
    );
}

#[test]
fn the_words_behind_a_forced_end_are_the_next_turn() {
    // The caller is silent 300 ms after it, and its last words are told when the mind thinks.
    let mut call = Call::new();
    call.input(Input::SpeechStarted).until(7900).input(words(0, 20, 0.5)).until(8600);
    assert_eq!(call.told(), [(8000, committed(0, 8000, 0, Ending::Longest))]);
    call.input(ended(8400, 200)).until(8700).input(words(1, 2, 0.9)).until(12_000);
    let likely = Output::Likely { turn: 1 };
    assert_eq!(call.told(), [(8960, likely), (9260, committed(1, 0, 0, Ending::Words))]);
}

#[test]
fn speech_that_is_heard_without_end_does_not_keep_a_turn_open() {
    for (completeness, end_ms, ending) in [
        (0.9, 2500, Ending::Stalled),
        (0.5, 3500, Ending::Stalled),
        // Something is missing: as long as a turn may be.
        (0.2, 8000, Ending::Longest),
    ] {
        let mut call = Call::new();
        call.input(Input::SpeechStarted).until(1000).input(words(0, 4, completeness)).until(9000);
        let over = committed(0, end_ms, 0, ending);
        assert_eq!(call.told().first(), Some(&(end_ms, over)), "{completeness}");
        // What goes on belongs to nobody until it has words.
        call.told();
        call.input(ended(8800, 200)).until(20_000);
        assert!(call.told().iter().all(|(_, told)| matches!(told, Output::Idle(_))));
    }
    // New words, and speech that has begun since, are waited for.
    let mut call = Call::new();
    call.speak().until(1300).input(words(0, 4, 0.9)).until(1500).input(Input::SpeechStarted).until(2900);
    call.input(words(0, 5, 0.9)).until(4300);
    let (likely, resumed) = (Output::Likely { turn: 0 }, Output::Resumed { turn: 0 });
    assert_eq!(call.told(), [(1300, likely), (1500, resumed)]);
    call.until(5000);
    assert_eq!(call.told(), [(4400, committed(0, 1000 + 2900, 0, Ending::Stalled))]);
}

#[test]
fn the_speech_provider_is_believed_where_speech_is_heard_without_end() {
    let mut call = Call::new();
    call.input(Input::SpeechStarted).until(1000).input(words(0, 4, 0.2)).until(1200);
    call.input(provider(0, ProviderTurn::Ended)).until(4000);
    assert_eq!(call.told(), [(1800, committed(0, 1800, 0, Ending::Provider))]);
    // New words prove it wrong.
    let mut call = Call::new();
    call.input(Input::SpeechStarted).until(1000).input(words(0, 4, 0.2)).until(1200);
    call.input(provider(0, ProviderTurn::Ended)).until(1700).input(words(0, 5, 0.2)).until(4000);
    assert_eq!(call.told(), []);
}

#[test]
fn opinions_on_a_turn_that_is_over_change_nothing_and_are_counted() {
    let mut call = Call::new();
    call.speak().until(1400).input(words(0, 3, 0.9)).until(1700);
    call.told();
    call.input(Input::SpeechStarted).until(2500).input(ended(600, 200));
    call.input(provider(0, ProviderTurn::Ended)).input(provider(0, ProviderTurn::Likely)).until(2700);
    assert_eq!((call.told(), call.machine.take_stale()), (vec![], Stale { words: 0, opinions: 2 }));
    call.input(provider(1, ProviderTurn::Ended)).until(2800);
    assert_eq!(call.told(), [(2700, committed(1, 600, 400, Ending::Provider))]);
    assert_eq!(call.machine.take_stale(), Stale::default());
}

#[test]
fn speech_without_words_waits_for_them() {
    let mut call = Call::new();
    call.speak().until(4000);
    assert_eq!(call.told(), [(2500, committed(0, 1000, 1500, Ending::Silence))]);
    // The recognizer has broken off.
    let mut call = Call::new();
    call.speak().until(1300).input(Input::ExpectWords(false)).until(4000);
    assert_eq!(call.told(), [(1700, committed(0, 1000, 700, Ending::Silence))]);
}

#[test]
fn words_without_speech_are_a_turn() {
    let mut call = Call::new();
    call.until(1000).input(words(0, 2, 0.5)).until(4000);
    assert_eq!(call.told(), [(1800, committed(0, 0, 0, Ending::Words))]);
    let mut call = Call::new();
    call.until(7000).input(words(0, 0, 0.5)).until(9000);
    assert_eq!(call.told(), [(8000, Output::Idle(Duration::from_secs(8)))], "no words are no turn");
}

#[test]
fn the_speech_provider_may_be_faster_and_may_not_be_believed_alone() {
    let mut call = Call::new();
    call.speak().input(words(0, 3, 0.5)).until(1300).input(provider(0, ProviderTurn::Ended)).until(4000);
    assert_eq!(call.told(), [(1300, committed(0, 1000, 300, Ending::Provider))]);
    // Not while the caller speaks, but as soon as he does not.
    let mut call = Call::new();
    call.input(Input::SpeechStarted).input(words(0, 3, 0.5)).until(1100);
    call.input(provider(0, ProviderTurn::Ended)).until(1200).input(ended(1000, 200)).until(4000);
    assert_eq!(call.told(), [(1200, committed(0, 1000, 200, Ending::Provider))]);
    // Nor if there are new words or new speech after that, or if it takes it back.
    let after: [fn(&mut Call); 3] = [
        |call| {
            call.input(words(0, 4, 0.5));
        },
        |call| {
            call.input(provider(0, ProviderTurn::Resumed));
        },
        |call| {
            call.input(Input::SpeechStarted).until(1150).input(ended(40, 0));
        },
    ];
    for more in after {
        let mut call = Call::new();
        call.input(Input::SpeechStarted).input(words(0, 3, 0.5)).until(1000).input(ended(1000, 0));
        call.until(1100).input(provider(0, ProviderTurn::Ended));
        more(&mut call);
        call.until(1600);
        assert_eq!(call.told(), []);
        call.until(3000);
        assert_eq!(call.told().len(), 1);
    }
    // A caller who has said nothing has no turn that could end.
    let mut call = Call::new();
    call.until(1000).input(provider(0, ProviderTurn::Ended)).until(4000);
    assert_eq!(call.told(), []);
}

#[test]
fn what_is_likely_over_is_told_once_and_taken_back_once() {
    let (likely, resumed) = (Output::Likely { turn: 0 }, Output::Resumed { turn: 0 });
    let mut call = Call::new();
    call.input(Input::SpeechStarted).input(words(0, 4, 0.9)).until(1200).input(ended(1000, 200));
    call.until(1400).input(Input::SpeechStarted).until(2600).input(ended(1000, 200)).until(4000);
    let told = call.told();
    assert_eq!(told[..3], [(1260, likely), (1400, resumed), (2660, likely)]);
    assert_eq!(told[3..], [(2960, committed(0, 2000, 560, Ending::Words))]);
    // The provider knows more than the words say; silence alone says nothing.
    let mut call = Call::new();
    call.speak().input(words(0, 4, 0.5)).until(1300).input(provider(0, ProviderTurn::Likely));
    call.until(1400).input(provider(0, ProviderTurn::Resumed)).until(4000);
    let over = committed(0, 1000, 800, Ending::Words);
    assert_eq!(call.told(), [(1300, likely), (1400, resumed), (1800, over)]);
}

#[test]
fn a_key_ends_the_turn_of_a_caller_who_speaks() {
    let mut call = Call::new();
    call.input(Input::SpeechStarted).until(900).input(END_KEY).until(1200).input(ended(1000, 200));
    call.until(4000);
    assert_eq!(call.told(), [(900, committed(0, 900, 0, Ending::Key))]);
    // Which key, each agent says; perhaps none.
    let start = Instant::now();
    let patience = Patience { ends_turn_on: None, ..Patience::default() };
    let mut machine = TurnMachine::new(patience, start);
    for input in [Input::ExpectWords(true), Input::SpeechStarted, ENDED, END_KEY] {
        assert_eq!(machine.handle(start, input), None);
    }
}

#[test]
fn endless_speech_is_cut_after_8_s_and_its_rest_is_the_next_turn() {
    let mut call = Call::new();
    call.input(Input::SpeechStarted).until(4000).input(words(0, 9, 0.1)).until(9000);
    assert_eq!(call.told(), [(8000, committed(0, 8000, 0, Ending::Longest))]);
    // Its words belong to the next turn, and words of the last one come too late.
    call.input(words(0, 12, 0.9)).input(words(1, 2, 0.1)).input(Input::Listen).until(11_000);
    assert_eq!((call.told(), call.machine.take_stale().words), (vec![], 1));
    call.input(ended(11_000, 0)).until(14_000);
    assert_eq!(call.told(), [(12_800, committed(1, 3000, 1800, Ending::Words))]);
}

#[test]
fn who_answers_before_the_question_is_over_has_answered() {
    // "haan", over the last word of the question; the recognizer is behind.
    let mut call = Call::new();
    call.input(Input::PlaybackStarted).until(2000).input(Input::SpeechStarted).until(2500);
    call.input(ended(300, 200)).until(2600).input(Input::PlaybackEnded).until(2700);
    call.input(words(0, 1, 0.9)).until(5000);
    let likely = Output::Likely { turn: 0 };
    assert_eq!(call.told(), [(2700, likely), (2900, committed(0, 300, 600, Ending::Words))]);
    // In the middle of it it was none.
    let mut call = Call::new();
    call.input(Input::PlaybackStarted).until(2000).input(Input::SpeechStarted).until(2500);
    call.input(ended(300, 200)).until(2700).input(words(0, 1, 0.9)).until(5000);
    call.input(Input::PlaybackEnded).until(6000);
    assert_eq!(call.told(), [(2900, Output::Dismissed { turn: 0 })]);
}

#[test]
fn words_before_the_agent_began_and_after_are_one_turn() {
    // The caller goes on while the answer is already on its way, and stops it.
    let mut call = Call::new();
    call.speak().until(1400).input(words(0, 3, 0.9)).until(1700);
    assert_eq!(call.told().last(), Some(&(1600, committed(0, 1000, 600, Ending::Words))));
    call.input(Input::SpeechStarted).until(1800).input(Input::Think).input(Input::PlaybackStarted);
    call.until(2100).input(words(1, 2, 0.2)).input(Input::StoppedBySpeech).until(2900);
    call.input(ended(1000, 200)).until(3100).input(words(1, 4, 0.9)).until(5000);
    let likely = Output::Likely { turn: 1 };
    assert_eq!(call.told(), [(3100, likely), (3300, committed(1, 1000, 600, Ending::Words))]);
}

#[test]
fn an_interruption_whose_speech_is_already_over_ends_too() {
    // Its words came late, and stop the agent when the caller is silent again.
    let mut call = Call::new();
    call.input(Input::PlaybackStarted).until(1000).input(Input::SpeechStarted).until(1400);
    call.input(ended(200, 200)).until(1700).input(words(0, 2, 0.5)).input(Input::StoppedBySpeech);
    call.until(4000);
    assert_eq!(call.told(), [(2300, committed(0, 200, 1100, Ending::Words))]);
    // Without words it comes to nothing.
    let mut call = Call::new();
    call.input(Input::ExpectWords(false)).input(Input::PlaybackStarted).until(1000);
    call.input(Input::SpeechStarted).until(1400).input(ended(200, 200)).input(Input::StoppedBySpeech);
    call.until(4000);
    assert_eq!(call.told(), [(1900, Output::Dismissed { turn: 0 })]);
    // Nor does one in which no run of speech was found.
    let mut call = Call::new();
    call.input(Input::ExpectWords(false)).input(Input::PlaybackStarted).until(1000);
    call.input(Input::StoppedBySpeech).until(4000);
    assert_eq!(call.told(), [(1700, Output::Dismissed { turn: 0 })]);
}

#[test]
fn who_interrupts_and_falls_silent_is_asked_again_when_his_turn_is_over() {
    let start = Instant::now();
    let patience = Patience { idle: Duration::from_secs(1), ..Patience::default() };
    let machine = TurnMachine::new(patience, start);
    let mut call = Call { machine, start, told: Vec::new(), ms: 0 };
    call.input(Input::ExpectWords(true)).input(Input::PlaybackStarted).input(Input::SpeechStarted).until(600);
    call.input(Input::StoppedBySpeech).input(words(0, 3, 0.1)).until(1000).input(ended(1000, 0)).until(3900);
    let idle = |ms| (ms, Output::Idle(Duration::from_millis(ms - 1000)));
    assert_eq!(call.told(), [(2800, committed(0, 1000, 1800, Ending::Words)), idle(3000)]);
}
