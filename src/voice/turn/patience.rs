//! How long a turn may be silent, and how long it may last: the numbers that each agent may set.

use std::time::Duration;

use crate::voice::exchange::Digit;

/// How patient the machine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// Silence that ends a turn where no words are expected.
    pub without_words: Duration,
    /// What ends a turn whose words are a whole sentence.
    pub complete: Wait,
    /// What ends one that may be over or not. Below the middle between the two, the wait grows to that of one which lacks something.
    pub neutral: Wait,
    /// What ends one that lacks something: "my order number is".
    pub unfinished: Wait,
    /// Silence that ends a turn where words are expected and none came.
    pub unheard: Duration,
    /// Completeness, 0 to 1, that is no less is a whole sentence.
    pub complete_from: f32,
    /// Completeness that is no more lacks something.
    pub unfinished_to: f32,
    /// Silence that ends a turn once the speech provider says that it is over.
    pub provider: Duration,
    /// Where speech is heard without end, as in a loud room: time without new words that ends a turn whose words are a whole sentence.
    pub loud_complete: Duration,
    /// The same where they may be over or not. What lacks something is waited for as long as a turn may be.
    pub loud_neutral: Duration,
    /// The same since the speech provider has said that the turn is over.
    pub loud_provider: Duration,
    /// Silence after a whole sentence until the turn is called likely to be over.
    pub likely_after: Duration,
    /// Less speech than this is no turn, unless there are words in it.
    pub shortest_turn: Duration,
    /// A turn that does not end is ended so long after its first speech. Where no words are expected.
    pub longest_turn: Duration,
    /// The same where words are expected: what was said until then can be answered.
    pub longest_turn_with_words: Duration,
    /// The key that ends a turn where words are expected.
    pub ends_turn_on: Option<Digit>,
    /// Silence of both sides until the agent asks again.
    pub idle: Duration,
    /// Silence of the caller, while the agent was silent too, until the call should end.
    pub idle_too_long: Duration,
}

/// What has to pass until a turn with words is over; both must have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Silence since the caller's last sound.
    pub silence: Duration,
    /// Time since the recognizer's last new word: it is behind the caller, so that silence alone may come before the words.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let wait = |silence_ms, stall_ms| Wait {
            silence: Duration::from_millis(silence_ms),
            stall: Duration::from_millis(stall_ms),
        };
        Self {
            without_words: Duration::from_millis(700),
            complete: wait(550, 200),
            neutral: wait(800, 600),
            unfinished: wait(1800, 600),
            unheard: Duration::from_millis(1500),
            complete_from: 0.7,
            unfinished_to: 0.3,
            provider: Duration::from_millis(200),
            loud_complete: Duration::from_millis(1500),
            loud_neutral: Duration::from_millis(2500),
            loud_provider: Duration::from_millis(600),
            likely_after: Duration::from_millis(250),
            shortest_turn: Duration::from_millis(350),
            longest_turn: Duration::from_secs(8),
            longest_turn_with_words: Duration::from_secs(8),
            ends_turn_on: Digit::from_char('#'),
            idle: Duration::from_secs(8),
            idle_too_long: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// The longest that a turn may last.
    pub(super) fn longest(&self, expects_words: bool) -> Duration {
        if expects_words { self.longest_turn_with_words } else { self.longest_turn }
    }

    /// How long words that look so complete have to stand still while speech is heard; none if that is no end.
    pub(super) fn loud(&self, completeness: f32) -> Option<Duration> {
        if completeness >= self.complete_from {
            Some(self.loud_complete)
        } else {
            (completeness > self.unfinished_to).then_some(self.loud_neutral)
        }
    }

    /// What has to pass after words that look so complete.
    pub(super) fn wait(&self, completeness: f32) -> Wait {
        if completeness >= self.complete_from {
            self.complete
        } else if completeness <= self.unfinished_to {
            self.unfinished
        } else if completeness < UNDECIDED {
            let share = (UNDECIDED - completeness) / (UNDECIDED - self.unfinished_to);
            self.neutral.towards(self.unfinished, share)
        } else {
            self.neutral
        }
    }
}

impl Wait {
    /// So much of the way to another one, in whole milliseconds.
    fn towards(self, other: Self, share: f32) -> Self {
        let between = |from: Duration, to: Duration| {
            let more_ms = (to.saturating_sub(from).as_millis() as f32 * share).round();
            from + Duration::from_millis(more_ms as u64)
        };
        Self { silence: between(self.silence, other.silence), stall: between(self.stall, other.stall) }
    }
}

/// Completeness that says nothing.
const UNDECIDED: f32 = 0.5;
