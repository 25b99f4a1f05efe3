//! What a turn's end takes from words and opinions, and when it comes.

use std::time::Instant;

use super::timers::Timer;
use super::{Ending, Output, State, TurnMachine};
use crate::voice::exchange::{ProviderTurn, Transcript};

impl TurnMachine {
    pub(super) fn words(&mut self, now: Instant, transcript: Transcript) -> Option<Output> {
        if transcript.turn != self.turn.number {
            self.stale.words += 1;
            return None;
        }
        let is_new = self.turn.hear_words(now, transcript);
        // The caller had said more than was known when his turn ended, and nothing is heard of the answer yet.
        if self.state == State::Thinking && is_new && self.turn.has_words() {
            self.state = State::Listening;
        }
        if self.turn.is_open && matches!(self.state, State::Listening | State::Interrupted) {
            self.turn.since.get_or_insert(now);
        }
        let resumed = if is_new { self.resume() } else { None };
        self.wait();
        resumed
    }

    pub(super) fn provider(&mut self, now: Instant, turn: u32, opinion: ProviderTurn) -> Option<Output> {
        if turn != self.turn.number {
            self.stale.opinions += 1;
            return None;
        }
        let is_callers = matches!(self.state, State::Listening | State::Interrupted);
        if !is_callers || !self.turn.is_open {
            return None;
        }
        self.turn.believe(now, opinion);
        let resumed = if opinion == ProviderTurn::Resumed { self.resume() } else { None };
        self.wait();
        resumed
    }

    /// Sets the timers that a turn ends by.
    pub(super) fn wait(&mut self) -> Option<Output> {
        let expects_words = self.expects_words();
        let is_callers = matches!(self.state, State::Listening | State::Interrupted);
        let is_silent = self.speaking.is_none() && self.turn.is_open;
        let ends_at = match self.speaking {
            None => self.turn.ends_at(&self.patience, expects_words),
            Some(by) => self.turn.ends_in_speech_at(&self.patience, by.since).filter(|_| is_callers),
        };
        let likely_at = self.turn.likely_at(&self.patience);
        let longest = self.turn.since.map(|since| since + self.patience.longest(expects_words));
        let can_end = self.turn.is_open && self.state != State::Thinking;
        self.timers.set(Timer::EndOfTurn, ends_at.filter(|_| can_end));
        self.timers.set(Timer::Likely, likely_at.filter(|_| is_silent && is_callers));
        self.timers.set(Timer::LongestTurn, longest.filter(|_| self.turn.is_open && is_callers));
        None
    }

    /// Why the turn ends if the wait for it is over.
    pub(super) fn ending(&self, now: Instant) -> Ending {
        let is_speaking = self.speaking.is_some();
        if self.turn.is_ended_by_provider(now, &self.patience, is_speaking) {
            Ending::Provider
        } else if is_speaking {
            Ending::Stalled
        } else if self.turn.has_words() {
            Ending::Words
        } else {
            Ending::Silence
        }
    }
}
