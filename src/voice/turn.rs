//! Whose turn it is: one state machine, moved by speech, by words, by what is played, and by its named timers. It knows no audio
//! and no text.
//!
//! The caller's turns are numbered. One is open from the first that is heard in it, speech or words, and ends once: as a turn that
//! the mind is to answer ([`Output::Committed`]), or as none ([`Output::Dismissed`]). Speech over the agent is an open turn too:
//! it becomes the caller's when it stops the agent or outlasts him, and is dismissed when it does neither.

mod open;
mod patience;
mod quiet;
mod speaking;
mod timers;
mod told;

use std::time::{Duration, Instant};

pub use patience::{Patience, Wait};
pub use timers::Timer;

use open::Turn;
use quiet::Quiet;
use speaking::{Cut, Speaking};
use timers::Timers;

use super::exchange::{Digit, ProviderTurn, Transcript};

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
#[derive(Clone, Copy, Debug, PartialEq)]
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
    Digit(Digit),
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
    /// Whether a recognizer is at work.
    ExpectWords(bool),
    /// The caller's words are others than before.
    Words(Transcript),
    /// What the speech provider believes.
    Provider {
        /// Of this turn.
        turn: u32,
        /// That.
        opinion: ProviderTurn,
    },
    /// A timer ran out.
    Timer(Timer),
}

/// What the machine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The caller's turn is probably over.
    Likely {
        /// Its number.
        turn: u32,
    },
    /// It was not.
    Resumed {
        /// Its number.
        turn: u32,
    },
    /// The caller's turn is over.
    Committed(Committed),
    /// What was said was no turn.
    Dismissed {
        /// The number that it had.
        turn: u32,
    },
    /// Silence of both; the caller's is so long.
    Idle(Duration),
    /// It is too long.
    IdleTooLong,
}

/// A turn that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub turn: u32,
    /// Its speech, pauses left out.
    pub speech: Duration,
    /// Silence of the caller at its end.
    pub silence: Duration,
    /// What ended it.
    pub ending: Ending,
}

/// What ended a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Silence; there were no words.
    Silence,
    /// Silence, and no more words, for as long as the words before made it wait.
    Words,
    /// The speech provider said so.
    Provider,
    /// No more words for so long that the speech which is still heard is not the caller's.
    Stalled,
    /// It was as long as a turn may be.
    Longest,
    /// A key.
    Key,
}

/// The machine.
#[derive(Debug)]
pub struct TurnMachine {
    patience: Patience,
    state: State,
    speaking: Option<Speaking>,
    expects_words: bool,
    turn: Turn,
    timers: Timers,
    quiet: Quiet,
    stale: Stale,
}

/// What came for turns that were over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Words.
    pub words: u64,
    /// Opinions of the speech provider.
    pub opinions: u64,
}

impl TurnMachine {
    /// The caller has the floor. No words are expected.
    pub fn new(patience: Patience, now: Instant) -> Self {
        let (mut quiet, mut timers) = (Quiet::default(), Timers::default());
        quiet.begin(now, &patience, &mut timers);
        Self {
            patience,
            state: State::Listening,
            speaking: None,
            expects_words: false,
            turn: Turn::default(),
            timers,
            quiet,
            stale: Stale::default(),
        }
    }

    /// Who has the floor.
    pub fn state(&self) -> State {
        self.state
    }

    /// Number of the caller's present turn.
    pub fn turn(&self) -> u32 {
        self.turn.number
    }

    /// Whether words are to be waited for: a recognizer is at work, or has been in this turn.
    pub fn expects_words(&self) -> bool {
        self.expects_words || self.turn.has_words()
    }

    /// Whether the caller speaks in his present turn. Speech that was there when the turn before it ended is not known to be his.
    pub fn is_spoken_in(&self) -> bool {
        self.speaking.is_some_and(|by| by.cut.is_none())
    }

    /// What he has said in his present turn and is not done with: how much of it is over, and how many words it has with whether they only
    /// tell the agent to go on. `None` if the agent has the floor, or nothing is known but words of what he said before.
    pub fn unfinished(&self) -> Option<(Duration, Option<(u16, bool)>)> {
        let is_callers = matches!(self.state, State::Listening | State::Interrupted) && self.turn.is_open;
        let is_heard = self.speaking.is_some() || self.turn.silent_since.is_some();
        (is_callers && is_heard).then(|| (self.turn.speech, self.turn.words()))
    }

    /// How often something came for a turn that was over, since this was asked last.
    pub fn take_stale(&mut self) -> Stale {
        std::mem::take(&mut self.stale)
    }

    /// Moves the machine.
    pub fn handle(&mut self, now: Instant, input: Input) -> Option<Output> {
        self.note_silence(now, input);
        match (self.state, input) {
            (_, Input::SpeechStarted) => self.speech_started(now),
            (State::Thinking, Input::SpeechEnded { speech, silence }) => {
                self.rest_ended(now, speech, silence)
            }
            (
                State::Listening | State::Speaking | State::Interrupted,
                Input::SpeechEnded { speech, silence },
            ) => self.speech_ended(now, speech, silence),
            (State::Listening | State::Interrupted, Input::Digit(digit)) => self.key(now, digit),
            (State::Listening | State::Thinking | State::Speaking, Input::StoppedBySpeech) => {
                self.state = State::Interrupted;
                self.turn.took_floor = true;
                self.take_floor(now)
            }
            (State::Speaking, Input::PlaybackEnded | Input::Stopped)
            | (State::Thinking, Input::Listen | Input::Stopped) => {
                self.state = State::Listening;
                self.outlast(now)
            }
            (State::Listening | State::Thinking | State::Interrupted, Input::PlaybackStarted) => {
                self.playback_started(now)
            }
            (State::Listening | State::Interrupted | State::Thinking, Input::Think) => self.think(now),
            (State::Interrupted, Input::Listen | Input::Stopped) => {
                self.state = State::Listening;
                None
            }
            (_, Input::ExpectWords(expects_words)) => {
                self.expects_words = expects_words;
                self.wait()
            }
            (_, Input::Words(transcript)) => self.words(now, transcript),
            (_, Input::Provider { turn, opinion }) => self.provider(now, turn, opinion),
            (State::Listening | State::Interrupted, Input::Timer(Timer::EndOfTurn)) => {
                let ending = self.ending(now);
                self.commit(now, ending)
            }
            (State::Listening | State::Interrupted, Input::Timer(Timer::LongestTurn)) => {
                self.commit(now, Ending::Longest)
            }
            (State::Listening | State::Interrupted, Input::Timer(Timer::Likely)) => {
                self.turn.is_likely = true;
                Some(Output::Likely { turn: self.turn.number })
            }
            // Words that did not stop the agent are no turn.
            (State::Speaking, Input::Timer(Timer::EndOfTurn)) => self.dismiss(now),
            (State::Listening | State::Thinking, Input::Timer(Timer::Idle)) => self.idle(now),
            (State::Listening | State::Thinking, Input::Timer(Timer::IdleTooLong)) => {
                Some(Output::IdleTooLong)
            }
            // Nothing new: other keys are the mind's business, what was stopped or played says so once, who gives away the floor
            // while it speaks does so by coming to an end, and nobody ends a turn that the caller does not have.
            (State::Thinking | State::Speaking, Input::Digit(_))
            | (State::Listening, Input::Listen | Input::Stopped)
            | (State::Speaking, Input::Think | Input::Listen | Input::PlaybackStarted)
            | (
                State::Speaking,
                Input::Timer(Timer::LongestTurn | Timer::Likely | Timer::Idle | Timer::IdleTooLong),
            )
            | (State::Listening | State::Thinking | State::Interrupted, Input::PlaybackEnded)
            | (State::Interrupted, Input::StoppedBySpeech)
            | (State::Thinking, Input::Timer(Timer::EndOfTurn | Timer::LongestTurn | Timer::Likely))
            | (State::Interrupted, Input::Timer(Timer::IdleTooLong)) => None,
            // The caller has the floor, and is asked again if he does not use it when his turn is over.
            (State::Interrupted, Input::Timer(Timer::Idle)) => {
                self.idle(now);
                None
            }
        }
    }

    /// The next timer that has run out. Ask until there is none, and hand each to [`TurnMachine::handle`].
    pub fn poll_timer(&mut self, now: Instant) -> Option<Timer> {
        self.timers.poll(now)
    }
}

impl TurnMachine {
    fn speech_started(&mut self, now: Instant) -> Option<Output> {
        self.speaking = Some(Speaking { since: now, cut: None });
        // The caller was not done after all.
        if self.state == State::Thinking {
            self.state = State::Listening;
        }
        self.turn.speak_on();
        if self.state != State::Speaking {
            self.turn.since.get_or_insert(now);
        }
        self.wait();
        self.resume()
    }

    fn speech_ended(&mut self, now: Instant, speech: Duration, silence: Duration) -> Option<Output> {
        let own = self.speaking.take().map_or(speech, |by| by.own(now, speech, silence));
        self.turn.is_open = true;
        self.turn.speech += own;
        // Before the first instant there was nothing to be silent in.
        self.turn.silent_since = Some(now.checked_sub(silence).unwrap_or(now));
        self.wait()
    }

    /// Speech that went on when its turn was over has come to its end, and nothing is heard of the answer yet. After a turn that was
    /// as long as one may be it is the beginning of the next; where words are expected they tell whether it is.
    fn rest_ended(&mut self, now: Instant, speech: Duration, silence: Duration) -> Option<Output> {
        let rest = self.speaking.filter(|by| by.cut == Some(Cut::Longest));
        if let Some(rest) = rest
            && !self.expects_words()
            && rest.own(now, speech, silence) >= self.patience.shortest_turn
        {
            self.state = State::Listening;
            self.turn.since = Some(rest.since);
            return self.speech_ended(now, speech, silence);
        }
        self.speaking = None;
        None
    }

    /// The caller has the floor from here, with what he has said so far.
    fn take_floor(&mut self, now: Instant) -> Option<Output> {
        self.turn.is_open = true;
        self.turn.since = Some(now);
        if self.speaking.is_none() {
            self.turn.silent_since.get_or_insert(now);
        }
        self.wait()
    }

    /// The agent has come to its end. Who still speaks has the floor. Where words are expected, so has who spoke last: an answer
    /// may come before the question is over.
    fn outlast(&mut self, now: Instant) -> Option<Output> {
        if self.speaking.is_some() || (self.turn.is_open && self.expects_words()) {
            self.turn.is_open = true;
            self.turn.since = Some(now);
            self.wait()
        } else {
            self.dismiss(now)
        }
    }

    /// The agent speaks. What the caller says at the same moment is one turn, before and after: who of the two keeps the floor is
    /// not decided. But an agent that speaks to somebody who has stopped it has taken the turn.
    fn playback_started(&mut self, now: Instant) -> Option<Output> {
        let is_settled = self.turn.took_floor || self.state == State::Thinking && self.speaking.is_none();
        self.state = State::Speaking;
        if is_settled {
            return self.dismiss(now);
        }
        self.wait()
    }

    /// The mind takes the turn. Where words are expected it cannot take it from somebody who speaks: it did not know.
    fn think(&mut self, now: Instant) -> Option<Output> {
        if self.state == State::Thinking || self.speaking.is_some() && self.expects_words() {
            return None;
        }
        self.state = State::Thinking;
        self.dismiss(now)
    }

    /// The key that ends turns. Alone it is no turn: the tone of a key may itself be taken for speech.
    fn key(&mut self, now: Instant, digit: Digit) -> Option<Output> {
        let ends_turn = self.patience.ends_turn_on == Some(digit) && self.expects_words();
        if ends_turn && (self.turn.has_words() || self.speech(now) >= self.patience.shortest_turn) {
            return self.commit(now, Ending::Key);
        }
        None
    }

    fn resume(&mut self) -> Option<Output> {
        let turn = self.turn.number;
        std::mem::take(&mut self.turn.is_likely).then_some(Output::Resumed { turn })
    }

    /// Speech of the turn so far.
    fn speech(&self, now: Instant) -> Duration {
        let goes_on = self.speaking.map_or(Duration::ZERO, |by| now.saturating_duration_since(by.since));
        self.turn.speech + goes_on
    }

    fn commit(&mut self, now: Instant, ending: Ending) -> Option<Output> {
        let speech = self.speech(now);
        let is_long = speech >= self.patience.shortest_turn || self.speaking.is_some();
        if !is_long && !self.turn.has_words() {
            self.state = State::Listening;
            return self.dismiss(now);
        }
        let silence = self.turn.silence(now);
        self.state = State::Thinking;
        let turn = self.end_turn(now, Cut::by(ending)).number;
        Some(Output::Committed(Committed { turn, speech, silence, ending }))
    }

    /// What was said is no turn.
    fn dismiss(&mut self, now: Instant) -> Option<Output> {
        if !self.turn.is_open {
            self.cut(now, Cut::Taken);
            return self.wait();
        }
        Some(Output::Dismissed { turn: self.end_turn(now, Cut::Taken).number })
    }

    /// The turn is over. Speech that goes on belongs to the next one from here.
    fn end_turn(&mut self, now: Instant, cut: Cut) -> Turn {
        self.cut(now, cut);
        let over = self.turn.close();
        self.wait();
        over
    }

    fn cut(&mut self, now: Instant, cut: Cut) {
        if let Some(speaking) = &mut self.speaking {
            *speaking = Speaking { since: now, cut: Some(cut) };
        }
    }

    fn idle(&mut self, now: Instant) -> Option<Output> {
        self.timers.set(Timer::Idle, now + self.patience.idle);
        Some(Output::Idle(self.quiet.so_far(now)))
    }

    /// Counts the silence of both.
    fn note_silence(&mut self, now: Instant, input: Input) {
        match input {
            Input::SpeechStarted | Input::StoppedBySpeech => {
                self.quiet.end(now, &mut self.timers);
                self.quiet.forget(now, &self.patience, &mut self.timers);
            }
            Input::PlaybackStarted => self.quiet.end(now, &mut self.timers),
            // Before the first instant there was nothing to be silent in.
            Input::SpeechEnded { silence, .. } if self.state != State::Speaking => {
                let since = now.checked_sub(silence).unwrap_or(now);
                self.quiet.begin(since, &self.patience, &mut self.timers);
            }
            Input::PlaybackEnded | Input::Stopped if self.state == State::Speaking => {
                if self.speaking.is_none() {
                    self.quiet.begin(now, &self.patience, &mut self.timers);
                }
            }
            Input::Words(transcript) if transcript.words == 0 || transcript.turn != self.turn.number => {}
            Input::Digit(_) | Input::Words(_) => {
                self.quiet.forget(now, &self.patience, &mut self.timers);
            }
            Input::SpeechEnded { .. }
            | Input::PlaybackEnded
            | Input::Stopped
            | Input::Listen
            | Input::Think
            | Input::ExpectWords(_)
            | Input::Provider { .. }
            | Input::Timer(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
