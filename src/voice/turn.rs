//! Whose turn it is: one state machine, moved by speech, by what is played, and by its named timers. It knows no audio.

use std::time::{Duration, Instant};

/// Who has the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The caller has it, speaking or not.
    Listening,
    /// The caller's turn is over and the agent prepares its own.
    Thinking,
    /// The agent has it.
    Speaking,
    /// The caller has taken it from the agent and speaks.
    Interrupted,
}

/// What moves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The caller began to speak.
    SpeechStarted,
    /// The caller stopped speaking.
    SpeechEnded {
        /// How long it was.
        speech: Duration,
        /// How long ago it ended.
        silence: Duration,
    },
    /// The caller pressed a key.
    Digit,
    /// The agent's first sample goes out.
    PlaybackStarted,
    /// Its last one has gone.
    PlaybackEnded,
    /// The caller's speech stopped the agent.
    StoppedBySpeech,
    /// A key, or the agent itself, stopped the agent.
    Stopped,
    /// The mind takes the turn.
    Think,
    /// The mind gives the floor to the caller.
    Listen,
    /// A timer ran out.
    Timer(Timer),
}

/// The timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// So long a silence ends the turn.
    EndOfTurn,
    /// No turn is longer.
    LongestTurn,
    /// Nobody said anything.
    Idle,
    /// Nobody said anything for too long.
    IdleTooLong,
}

/// What the machine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The caller's turn is over; so much of it was speech.
    Committed(Duration),
    /// Silence of both; the caller's is so long.
    Idle(Duration),
    /// It is too long.
    IdleTooLong,
}

/// How patient the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Silence that ends a turn.
    pub end_of_turn: Duration,
    /// Less speech than this is no turn.
    pub shortest_turn: Duration,
    /// A turn that does not end is ended.
    pub longest_turn: Duration,
    /// Silence of both sides until the agent asks again.
    pub idle: Duration,
    /// Silence of the caller, while the agent was silent too, until the call should end.
    pub idle_too_long: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            end_of_turn: Duration::from_millis(700),
            shortest_turn: Duration::from_millis(100),
            longest_turn: Duration::from_secs(30),
            idle: Duration::from_secs(8),
            idle_too_long: Duration::from_secs(60),
        }
    }
}

/// The machine.
#[derive(Debug)]
pub struct TurnMachine {
    patience: Patience,
    state: State,
    speaking: Option<Speaking>,
    /// Speech of the turn so far, without what goes on.
    speech: Duration,
    /// Deadlines, by [`Timer`].
    deadlines: [Option<Instant>; 4],
    /// Since when both are silent.
    silent_since: Option<Instant>,
    /// Silence of the caller before that, since it was last heard; the agent's own words do not count.
    silent_before: Duration,
}

/// The caller speaks.
#[derive(Clone, Copy, Debug)]
struct Speaking {
    /// Since when, as far as it belongs to this turn.
    since: Instant,
    /// What came before that belonged to a turn that is over.
    is_cut: bool,
}

impl TurnMachine {
    /// The caller has the floor.
    pub fn new(patience: Patience, now: Instant) -> Self {
        let mut machine = Self {
            patience,
            state: State::Listening,
            speaking: None,
            speech: Duration::ZERO,
            deadlines: [None; 4],
            silent_since: None,
            silent_before: Duration::ZERO,
        };
        machine.be_silent(now);
        machine
    }

    /// Who has the floor.
    pub fn state(&self) -> State {
        self.state
    }

    /// Moves the machine.
    pub fn handle(&mut self, now: Instant, input: Input) -> Option<Output> {
        self.note_silence(now, input);
        match (self.state, input) {
            (_, Input::SpeechStarted) => {
                self.speaking = Some(Speaking { since: now, is_cut: false });
                self.speech_started(now)
            }
            (State::Listening | State::Interrupted, Input::SpeechEnded { speech, silence }) => {
                self.speech_ended(now, speech, silence)
            }
            // Words that did not stop the agent are no turn; those that a turn left over when it was taken are none either.
            (State::Speaking | State::Thinking, Input::SpeechEnded { .. }) => {
                self.speaking = None;
                None
            }
            (State::Speaking, Input::StoppedBySpeech) => {
                self.state = State::Interrupted;
                self.begin_turn(now)
            }
            (State::Speaking, Input::PlaybackEnded | Input::Stopped)
            | (State::Thinking, Input::Listen | Input::Stopped) => {
                self.state = State::Listening;
                if self.speaking.is_some() { self.begin_turn(now) } else { None }
            }
            (State::Listening | State::Thinking | State::Interrupted, Input::PlaybackStarted) => {
                self.state = State::Speaking;
                self.end_turn(now);
                None
            }
            (State::Listening | State::Interrupted | State::Thinking, Input::Think) => {
                self.state = State::Thinking;
                self.end_turn(now);
                None
            }
            (State::Interrupted, Input::Listen | Input::Stopped) => {
                self.state = State::Listening;
                None
            }
            (State::Listening | State::Interrupted, Input::Timer(Timer::EndOfTurn | Timer::LongestTurn)) => {
                self.commit(now)
            }
            (State::Listening | State::Thinking, Input::Timer(Timer::Idle)) => self.idle(now),
            (State::Listening | State::Thinking, Input::Timer(Timer::IdleTooLong)) => {
                Some(Output::IdleTooLong)
            }
            // Nothing new: keys are the mind's business, what was stopped or played says so once, and who gives away the floor
            // while it speaks does so by coming to an end.
            (_, Input::Digit)
            | (State::Listening, Input::Listen | Input::Stopped)
            | (State::Speaking, Input::Think | Input::Listen | Input::PlaybackStarted | Input::Timer(_))
            | (
                State::Listening | State::Thinking | State::Interrupted,
                Input::PlaybackEnded | Input::StoppedBySpeech,
            )
            | (State::Thinking, Input::Timer(Timer::EndOfTurn | Timer::LongestTurn))
            | (State::Interrupted, Input::Timer(Timer::Idle | Timer::IdleTooLong)) => None,
        }
    }

    /// The next timer that has run out. Ask until there is none, and hand each to [`TurnMachine::handle`].
    pub fn poll_timer(&mut self, now: Instant) -> Option<Timer> {
        let timers = [Timer::EndOfTurn, Timer::LongestTurn, Timer::Idle, Timer::IdleTooLong];
        let due = timers.into_iter().find(|&timer| self.deadline(timer).is_some_and(|at| at <= now))?;
        *self.deadline(due) = None;
        Some(due)
    }

    fn speech_started(&mut self, now: Instant) -> Option<Output> {
        match self.state {
            State::Speaking => return None,
            // The caller was not done after all.
            State::Thinking => self.state = State::Listening,
            State::Listening | State::Interrupted => {}
        }
        *self.deadline(Timer::EndOfTurn) = None;
        self.arm_longest(now);
        None
    }

    fn speech_ended(&mut self, now: Instant, speech: Duration, silence: Duration) -> Option<Output> {
        let cut = self.speaking.take().filter(|speaking| speaking.is_cut);
        let own = cut.map_or(speech, |cut| {
            now.saturating_duration_since(cut.since).saturating_sub(silence).min(speech)
        });
        self.speech += own;
        *self.deadline(Timer::EndOfTurn) = Some(now + self.patience.end_of_turn.saturating_sub(silence));
        None
    }

    fn begin_turn(&mut self, now: Instant) -> Option<Output> {
        self.speech = Duration::ZERO;
        self.arm_longest(now);
        None
    }

    fn arm_longest(&mut self, now: Instant) {
        let longest = self.patience.longest_turn;
        self.deadline(Timer::LongestTurn).get_or_insert(now + longest);
    }

    /// The turn is over; so much of it was speech. Speech that goes on belongs to the next one from here.
    fn end_turn(&mut self, now: Instant) -> Duration {
        *self.deadline(Timer::EndOfTurn) = None;
        *self.deadline(Timer::LongestTurn) = None;
        let mut speech = std::mem::take(&mut self.speech);
        if let Some(speaking) = &mut self.speaking {
            speech += now.saturating_duration_since(speaking.since);
            *speaking = Speaking { since: now, is_cut: true };
        }
        speech
    }

    fn commit(&mut self, now: Instant) -> Option<Output> {
        let still_speaking = self.speaking.is_some();
        let speech = self.end_turn(now);
        if speech < self.patience.shortest_turn && !still_speaking {
            self.state = State::Listening;
            return None;
        }
        self.state = State::Thinking;
        Some(Output::Committed(speech))
    }

    fn idle(&mut self, now: Instant) -> Option<Output> {
        let again = now + self.patience.idle;
        *self.deadline(Timer::Idle) = Some(again);
        Some(Output::Idle(self.silence(now)))
    }

    fn silence(&self, now: Instant) -> Duration {
        self.silent_before
            + self.silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Silence is counted while neither side speaks, and begins anew when the caller is heard.
    fn note_silence(&mut self, now: Instant, input: Input) {
        match input {
            Input::SpeechStarted | Input::StoppedBySpeech => {
                self.break_silence(now);
                self.silent_before = Duration::ZERO;
            }
            Input::PlaybackStarted => self.break_silence(now),
            // Before the first instant there was nothing to be silent in.
            Input::SpeechEnded { silence, .. } if self.state != State::Speaking => {
                self.be_silent(now.checked_sub(silence).unwrap_or(now));
            }
            Input::PlaybackEnded | Input::Stopped if self.state == State::Speaking => {
                if self.speaking.is_none() {
                    self.be_silent(now);
                }
            }
            Input::Digit => {
                self.silent_before = Duration::ZERO;
                if self.silent_since.is_some() {
                    self.be_silent(now);
                }
            }
            Input::SpeechEnded { .. }
            | Input::PlaybackEnded
            | Input::Stopped
            | Input::Listen
            | Input::Think
            | Input::Timer(_) => {}
        }
    }

    fn be_silent(&mut self, now: Instant) {
        self.silent_since = Some(now);
        let left = self.patience.idle_too_long.saturating_sub(self.silent_before);
        *self.deadline(Timer::Idle) = Some(now + self.patience.idle);
        *self.deadline(Timer::IdleTooLong) = Some(now + left);
    }

    fn break_silence(&mut self, now: Instant) {
        self.silent_before = self.silence(now);
        self.silent_since = None;
        *self.deadline(Timer::Idle) = None;
        *self.deadline(Timer::IdleTooLong) = None;
    }

    fn deadline(&mut self, timer: Timer) -> &mut Option<Instant> {
        let index = match timer {
            Timer::EndOfTurn => 0,
            Timer::LongestTurn => 1,
            Timer::Idle => 2,
            Timer::IdleTooLong => 3,
        };
        &mut self.deadlines[index]
    }
}

#[cfg(test)]
mod tests;
