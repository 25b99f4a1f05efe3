//! Rules that hold whatever comes in whatever order.

use super::*;
use crate::seed::Seeds;

/// Callers, recognizers, minds and clocks that do anything at any time.
struct Anything {
    seeds: Seeds,
    machine: TurnMachine,
    patience: Patience,
    now: Instant,
    is_speaking: bool,
    spoken: Duration,
    open: Open,
}

/// What is known of the present turn from what went in and came out.
#[derive(Debug, Default)]
struct Open {
    turn: u32,
    took_floor_at: Option<Instant>,
    is_likely: bool,
    has_words: bool,
    /// How many, and their revision.
    heard: (u16, u32),
    heard_at: Option<Instant>,
}

impl Anything {
    fn new(seed: u64) -> Self {
        let (now, patience) = (Instant::now(), Patience::default());
        Self {
            seeds: Seeds::new([11, seed]),
            machine: TurnMachine::new(patience, now),
            patience,
            now,
            is_speaking: false,
            spoken: Duration::ZERO,
            open: Open::default(),
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.seeds.next_u64() % limit
    }

    /// The present turn, or at times the one before.
    fn turn(&mut self) -> u32 {
        self.machine.turn().wrapping_sub(u32::from(self.below(8) == 0))
    }

    fn input(&mut self) -> Input {
        match self.below(22) {
            0..=3 if !self.is_speaking => Input::SpeechStarted,
            0..=3 => {
                let silence = Duration::from_millis(200);
                Input::SpeechEnded { speech: self.spoken.saturating_sub(silence), silence }
            }
            4 => Input::PlaybackStarted,
            5 => Input::PlaybackEnded,
            6 => Input::StoppedBySpeech,
            7 => Input::Stopped,
            8 => Input::Think,
            9 => Input::Listen,
            10 => KEY,
            11 => END_KEY,
            12 => Input::ExpectWords(self.below(4) > 0),
            13 => provider(self.turn(), ProviderTurn::Likely),
            14 => provider(self.turn(), ProviderTurn::Ended),
            15 => provider(self.turn(), ProviderTurn::Resumed),
            _ => {
                let (turn, count) = (self.turn(), u16::try_from(self.below(5)).unwrap());
                let completeness = self.below(11) as f32 / 10.0;
                revised(turn, count, u32::try_from(self.below(5)).unwrap(), completeness)
            }
        }
    }

    fn step(&mut self) {
        let input = self.input();
        match input {
            Input::SpeechStarted => (self.is_speaking, self.spoken) = (true, Duration::ZERO),
            Input::SpeechEnded { .. } => self.is_speaking = false,
            Input::StoppedBySpeech => {
                self.open.took_floor_at.get_or_insert(self.now);
            }
            Input::Words(words) if words.turn == self.open.turn => {
                if self.open.heard != (words.words, words.revision) {
                    self.open.heard_at = Some(self.now);
                }
                (self.open.has_words, self.open.heard) = (words.words > 0, (words.words, words.revision));
            }
            _ => {}
        }
        self.handle(input);
        let ticks = if self.below(40) == 0 { 1000 } else { self.below(30) };
        for _ in 0..ticks {
            self.now += Duration::from_millis(20);
            self.spoken += Duration::from_millis(20);
            while let Some(timer) = self.machine.poll_timer(self.now) {
                self.handle(Input::Timer(timer));
            }
            let waits_for = self.open.took_floor_at.map(|at| self.now - at);
            assert!(waits_for <= Some(Duration::from_secs(31)), "an interruption without an end");
        }
    }

    fn handle(&mut self, input: Input) {
        match self.machine.handle(self.now, input) {
            None | Some(Output::Idle(_) | Output::IdleTooLong) => {}
            Some(Output::Likely { turn }) => {
                assert_eq!((turn, self.open.is_likely), (self.open.turn, false));
                self.open.is_likely = true;
                assert!(!self.is_speaking, "a guess while the caller speaks");
            }
            Some(Output::Resumed { turn }) => {
                assert_eq!((turn, self.open.is_likely), (self.open.turn, true));
                self.open.is_likely = false;
            }
            Some(Output::Committed(committed)) => {
                let Committed { turn, speech, silence: _, ending } = committed;
                assert_eq!(turn, self.open.turn, "one end for each turn, in their order");
                let is_cut = matches!(ending, Ending::Longest | Ending::Key | Ending::Provider);
                let stands_still =
                    self.open.heard_at.is_some_and(|at| self.now - at >= self.patience.loud_complete);
                assert_eq!(ending == Ending::Stalled, self.is_speaking && !is_cut, "{committed:?}");
                assert!(ending != Ending::Stalled || stands_still, "{committed:?} while words come");
                let is_long = speech >= self.patience.shortest_turn;
                assert!(is_long || self.open.has_words || self.is_speaking, "{committed:?}");
                self.open = Open { turn: turn + 1, ..Open::default() };
            }
            Some(Output::Dismissed { turn }) => {
                assert_eq!(turn, self.open.turn, "one end for each turn, in their order");
                self.open = Open { turn: turn + 1, ..Open::default() };
            }
        }
        assert_eq!(self.machine.turn(), self.open.turn, "a turn that ended without a word");
        self.check_timers();
    }

    /// None runs that its state has no use for.
    fn check_timers(&self) {
        let runs = |timer| self.machine.timers.runs(timer);
        let of_turn = [Timer::EndOfTurn, Timer::LongestTurn, Timer::Likely];
        let idle = [Timer::Idle, Timer::IdleTooLong];
        let useless: &[Timer] = match self.machine.state() {
            State::Listening | State::Interrupted => &[],
            State::Thinking => &of_turn,
            State::Speaking => &[Timer::LongestTurn, Timer::Likely, Timer::Idle, Timer::IdleTooLong],
        };
        let is_open = self.machine.turn.is_open;
        for timer in of_turn.into_iter().chain(idle) {
            let is_useless = useless.contains(&timer) || !is_open && of_turn.contains(&timer);
            assert!(!(is_useless && runs(timer)), "{timer:?} in {:?}", self.machine.state());
        }
        let can_end = is_open && matches!(self.machine.state(), State::Listening | State::Interrupted);
        assert!(!can_end || runs(Timer::EndOfTurn) || runs(Timer::LongestTurn), "a turn that nothing ends");
    }
}

#[test]
fn each_turn_ends_once_and_never_within_speech() {
    let mut turns = 0;
    for seed in 0..20 {
        let mut anything = Anything::new(seed);
        (0..3000).for_each(|_| anything.step());
        turns += anything.open.turn;
    }
    assert!(turns > 5000, "{turns}");
}

#[test]
fn words_of_a_turn_that_is_over_change_nothing() {
    for seed in 0..10 {
        let (mut plain, mut disturbed) = (Anything::new(seed), Anything::new(seed));
        disturbed.now = plain.now;
        plain.machine = TurnMachine::new(plain.patience, plain.now);
        disturbed.machine = TurnMachine::new(plain.patience, plain.now);
        let mut stale = 0;
        for _ in 0..2000 {
            let input = plain.input();
            let mut ghost = disturbed.machine.turn();
            ghost = ghost.wrapping_add(if plain.below(2) == 0 { 1 } else { u32::MAX });
            assert_eq!(disturbed.machine.handle(plain.now, words(ghost, 9, 0.9)), None);
            assert_eq!(disturbed.machine.handle(plain.now, provider(ghost, ProviderTurn::Ended)), None);
            stale += 1;
            let outputs =
                [&mut plain.machine, &mut disturbed.machine].map(|machine| machine.handle(plain.now, input));
            assert_eq!(outputs[0], outputs[1]);
            let ticks = plain.below(30);
            plain.now += Duration::from_millis(20 * ticks);
            let due =
                [&mut plain.machine, &mut disturbed.machine].map(|machine| machine.poll_timer(plain.now));
            assert_eq!(due[0], due[1]);
            if let Some(timer) = due[0] {
                let outputs = [&mut plain.machine, &mut disturbed.machine]
                    .map(|machine| machine.handle(plain.now, Input::Timer(timer)));
                assert_eq!(outputs[0], outputs[1]);
            }
        }
        let counted = disturbed.machine.take_stale();
        assert!(counted.words >= stale && counted.opinions >= stale, "{counted:?}");
    }
}
