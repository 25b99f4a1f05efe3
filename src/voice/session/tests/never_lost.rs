//! Whatever the caller does, what the mind says begins while he is silent, or after the bound, or the mind is told that it never began.

use super::super::super::hold::MOST_UNBEGUN;
use super::super::super::turn::State;
use super::held::words;
use super::*;
use crate::seed::Seeds;

/// What has become of a saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    Begun,
    Over,
}

/// One saying after the other, and how each came to its end.
struct Watched {
    bench: Bench,
    utterance: u64,
    fate: Fate,
    /// Sayings in a row that were never begun.
    in_a_row: u8,
    /// Frames of silence of the caller.
    silence: u32,
    /// Events and notes that were looked at.
    told: usize,
    noted: usize,
    held: u32,
    unbegun: u32,
}

impl Watched {
    fn new(expects_words: bool) -> Self {
        let mut bench = Bench::new();
        bench.command(MindCommand::ExpectWords(expects_words));
        Self {
            bench,
            utterance: 0,
            fate: Fate::Over,
            in_a_row: 0,
            silence: 0,
            told: 0,
            noted: 0,
            held: 0,
            unbegun: 0,
        }
    }

    /// The mind says something, the recognizer or the keypad does, and the caller speaks or is silent for a while.
    fn step(&mut self, seeds: &mut Seeds, place: &str) {
        let mut below = |limit: u64| u32::try_from(seeds.next_u64() % limit).unwrap();
        if self.fate == Fate::Over && below(3) == 0 {
            self.utterance += 1;
            self.fate = Fate::Waits;
            self.bench.yields_to = if below(6) == 0 { YieldsTo::NOTHING } else { YieldsTo::ANYTHING };
            self.bench.say_this(self.utterance, vec![10_000; 160 * (1 + below(60) as usize)]);
        }
        match below(12) {
            0 => words(&mut self.bench, 1 + below(3) as u16, false),
            1 => words(&mut self.bench, 1, true),
            2 => self.bench.press('1'),
            _ => {}
        }
        let (ticks, is_speech) = (below(25), below(2) == 0);
        for _ in 0..ticks {
            self.bench.run(1, if is_speech { SPEECH } else { QUIET });
            self.silence = if is_speech { 0 } else { self.silence + 1 };
            self.look_at_beginning(place);
            self.look_at_events(place);
        }
    }

    fn look_at_beginning(&mut self, place: &str) {
        let voice = &self.bench.voice;
        let is_over_him =
            voice.turn.state() == State::Speaking && voice.turn.is_spoken_in() && self.silence < 5;
        let until = self.bench.notes[self.noted..].iter().find_map(|note| match note {
            Dialogue::HeldBack { until, .. } => Some(until.as_str()),
            _ => None,
        });
        if self.fate == Fate::Waits && voice.utterances.is_begun() {
            let may = matches!(until, Some("longest" | "backchannel")) || self.in_a_row >= MOST_UNBEGUN;
            assert!(!is_over_him || may, "{place}: {until:?}");
            (self.fate, self.in_a_row) = (Fate::Begun, 0);
        }
        self.held += u32::from(until.is_some());
        self.noted = self.bench.notes.len();
    }

    fn look_at_events(&mut self, place: &str) {
        let is_it = |one: &UtteranceId| one.0 == self.utterance;
        for (_, event) in &self.bench.events[self.told..] {
            match event {
                VoiceEvent::Played { utterance } if is_it(utterance) => self.fate = Fate::Over,
                VoiceEvent::Interrupted { utterance, heard, by } if is_it(utterance) => {
                    // A key finds it before its first tick: then it fades out from its beginning.
                    let most = if *by == Interruption::Digit { 5 } else { 0 };
                    assert!(self.fate == Fate::Begun || heard.as_millis() <= most, "{place}");
                    assert!(self.bench.yields_to.speech, "{place}: what must be heard is");
                    let is_unbegun = self.fate == Fate::Waits && *by == Interruption::Speech;
                    self.in_a_row += u8::from(is_unbegun);
                    self.unbegun += u32::from(is_unbegun);
                    self.fate = Fate::Over;
                }
                _ => {}
            }
        }
        self.told = self.bench.events.len();
    }
}

#[test]
fn no_saying_is_lost_and_none_begins_over_a_caller() {
    let (mut held, mut unbegun) = (0, 0);
    for seed in 0..24 {
        let mut seeds = Seeds::new([11, seed]);
        let mut watched = Watched::new(seed % 2 == 0);
        for step in 0..600 {
            watched.step(&mut seeds, &format!("seed {seed} step {step}"));
        }
        watched.bench.run(300, QUIET);
        let last = watched.utterance;
        let is_its_end = |event: &VoiceEvent| match event {
            VoiceEvent::Played { utterance } | VoiceEvent::Interrupted { utterance, .. } => {
                utterance.0 == last
            }
            _ => false,
        };
        assert_eq!(
            watched.bench.ticks_of(is_its_end).len(),
            1,
            "seed {seed}: the last one is not lost either"
        );
        (held, unbegun) = (held + watched.held, unbegun + watched.unbegun);
    }
    assert!(held > 200 && unbegun > 50, "{held} held, {unbegun} never begun");
}
