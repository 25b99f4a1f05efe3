//! The words of the caller's present turn. A recognizer revises what it has said and is behind the caller; voice wants to know only
//! how many words there are and how complete they look, and only when that has changed. For every mind that has a recognizer.

use std::time::Duration;

use super::end_of_turn::{Backchannels, EndOfTurn, Expected, Heard, TextEndOfTurn};
use crate::voice::exchange::{Transcript, VoiceEvent};

/// What a recognizer has found in the segment of speech that it is at.
#[derive(Clone, Copy, Debug)]
pub struct Recognized<'a> {
    /// All of the segment's words, those of earlier results included.
    pub words: &'a [Word<'a>],
    /// It will not be revised: the next result is of another segment.
    pub is_final: bool,
}

/// A word, or several in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// As the recognizer writes it, with its punctuation.
    pub text: &'a str,
    /// Where it begins in the call's audio, counted from the first sample that the recognizer was given; if it says so.
    pub begins: Option<Duration>,
}

/// What a result has changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Tell voice.
    pub transcript: Option<Transcript>,
    /// These words are the end of the turn before, and were not known when it ended. Voice need not know.
    pub late: Option<String>,
}

/// A turn that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTurn {
    /// Its number.
    pub turn: u32,
    /// Its words as far as they are known.
    pub text: String,
    /// It is to be answered; else it was none.
    pub is_committed: bool,
}

/// Keeps the words of one call.
pub struct Understanding {
    model: Box<dyn EndOfTurn>,
    backchannels: Backchannels,
    language: Option<String>,
    expects: Option<Expected>,
    turn: u32,
    /// Words that will not be revised.
    settled: Vec<String>,
    /// Words of the segment that the recognizer is at.
    pending: Vec<String>,
    /// So many words of that segment belong to the turn before, and are known there.
    spent: usize,
    /// Words that begin before this belong to the turn before.
    begins: Duration,
    told: Option<Transcript>,
    dropped_words: u64,
}

impl Default for Understanding {
    fn default() -> Self {
        Self::new(Box::new(TextEndOfTurn), Backchannels::default())
    }
}

impl Understanding {
    /// Of a call that begins.
    pub fn new(model: Box<dyn EndOfTurn>, backchannels: Backchannels) -> Self {
        Self {
            model,
            backchannels,
            language: None,
            expects: None,
            turn: 0,
            settled: Vec::new(),
            pending: Vec::new(),
            spent: 0,
            begins: Duration::ZERO,
            told: None,
            dropped_words: 0,
        }
    }

    /// The language that the caller speaks, as a BCP 47 tag, if it is known.
    pub fn set_language(&mut self, tag: Option<&str>) {
        self.language = tag.map(str::to_owned);
    }

    /// What the agent has asked for, until it says otherwise; set it before the question is heard.
    pub fn expect(&mut self, expects: Option<Expected>) {
        self.expects = expects;
    }

    /// Number of the present turn.
    pub fn turn(&self) -> u32 {
        self.turn
    }

    /// Words of the present turn so far.
    pub fn text(&self) -> String {
        let words: Vec<&str> = self.settled.iter().chain(&self.pending).map(String::as_str).collect();
        words.join(" ")
    }

    /// Words of turns that were longer than any.
    pub fn dropped_words(&self) -> u64 {
        self.dropped_words
    }

    /// The recognizer's latest result. `audio` is the latest of the caller's for a model that hears, or empty.
    pub fn hear(&mut self, recognized: Recognized<'_>, audio: &[i16]) -> Change {
        let all: Vec<(&str, Option<Duration>)> = recognized
            .words
            .iter()
            .flat_map(|word| word.text.split_whitespace().map(|text| (text, word.begins)))
            .collect();
        let timed_before =
            |(_, begins): &&(&str, Option<Duration>)| begins.is_some_and(|at| at < self.begins);
        // Where the recognizer tells no times, what was known when the turn before ended is all that can belong to it.
        let is_timed = all.iter().all(|(_, begins)| begins.is_some());
        let before = if is_timed { all.iter().take_while(timed_before).count() } else { self.spent };
        let before = before.min(all.len());
        let late: Vec<&str> = all[..before].iter().skip(self.spent).map(|(text, _)| *text).collect();
        self.spent = self.spent.max(before);
        self.pending = all[before..].iter().map(|(text, _)| (*text).to_owned()).collect();
        self.keep_bounded();
        if recognized.is_final {
            self.settled.append(&mut self.pending);
            self.spent = 0;
        }
        let late = (!late.is_empty()).then(|| late.join(" "));
        Change { transcript: self.transcript(audio), late }
    }

    /// Tells of ended turns: those of voice's events that end one. `heard` is how much of the caller's audio the recognizer has
    /// been given so far.
    pub fn handle(&mut self, event: &VoiceEvent, heard: Duration) -> Option<EndedTurn> {
        let (turn, is_committed) = match event {
            VoiceEvent::TurnCommitted { turn, .. } => (*turn, true),
            VoiceEvent::SpeechDismissed { turn } => (*turn, false),
            VoiceEvent::Answered
            | VoiceEvent::SpeechStarted
            | VoiceEvent::SpeechEnded { .. }
            | VoiceEvent::TurnLikely { .. }
            | VoiceEvent::TurnResumed { .. }
            | VoiceEvent::Digit(_)
            | VoiceEvent::Interrupted { .. }
            | VoiceEvent::Played { .. }
            | VoiceEvent::Credit { .. }
            | VoiceEvent::Idle { .. }
            | VoiceEvent::IdleTooLong => return None,
        };
        let text = self.text();
        self.turn = turn.wrapping_add(1);
        self.settled.clear();
        self.spent += self.pending.len();
        self.pending.clear();
        self.begins = heard;
        self.told = None;
        Some(EndedTurn { turn, text, is_committed })
    }

    /// What voice is to know, if it does not.
    fn transcript(&mut self, audio: &[i16]) -> Option<Transcript> {
        let text = self.text();
        let count = self.settled.len() + self.pending.len();
        let heard = Heard { text: &text, language: self.language.as_deref(), expects: self.expects, audio };
        let transcript = Transcript {
            turn: self.turn,
            words: u16::try_from(count).unwrap_or(u16::MAX),
            is_backchannel: self.backchannels.covers(&text),
            completeness: self.model.score(&heard).value(),
        };
        let is_news = match self.told {
            Some(told) => told != transcript,
            None => count > 0,
        };
        is_news.then(|| *self.told.insert(transcript))
    }

    fn keep_bounded(&mut self) {
        let room = MAX_WORDS.saturating_sub(self.settled.len());
        self.dropped_words += self.pending.len().saturating_sub(room) as u64;
        self.pending.truncate(room);
        for word in &mut self.pending {
            word.truncate(word.floor_char_boundary(MAX_WORD_BYTES));
        }
    }
}

impl std::fmt::Debug for Understanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What callers say is theirs.
        f.debug_struct("Understanding").field("turn", &self.turn).finish_non_exhaustive()
    }
}

/// Of one turn: who reads a text aloud says three words a second, and no turn is longer than a minute.
const MAX_WORDS: usize = 512;
/// No word of any language is longer.
const MAX_WORD_BYTES: usize = 128;

#[cfg(test)]
mod tests;
