//! The words of the caller's present turn. A recognizer revises what it has said and is behind the caller; voice wants to know only
//! how many words there are and how complete they look, and only when that has changed. For every mind that has a recognizer.
//!
//! A turn has the words that were known when it ended; what comes to be known later is the beginning of the next, whenever it was
//! said. So no word is lost, and none is in two turns: a caller whose last word came too late for its turn gets the floor back
//! with it, as long as nothing is heard of the answer.

use std::time::Duration;

use super::end_of_turn::{Backchannels, EndOfTurn, Expected, Heard, Model, are_same_words};
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
    /// Where it begins and ends in the caller's audio, counted from his first sample; if the recognizer says so.
    pub times: Option<(Duration, Duration)>,
}

/// A turn that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTurn {
    /// Its number.
    pub turn: u32,
    /// Its words as far as they are known.
    pub text: String,
    /// Where each word of `text` begins and ends in the caller's audio; empty if that is not known of all.
    pub times: Vec<(Duration, Duration)>,
    /// It is to be answered; else it was none.
    pub is_committed: bool,
}

/// What an agent's file says of how it understands its callers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnderstandingConfig {
    /// What judges whether they have said all.
    pub model: Model,
    /// What only tells the agent to go on.
    pub backchannels: Backchannels,
}

/// Keeps the words of one call.
pub struct Understanding {
    model: Box<dyn EndOfTurn>,
    backchannels: Backchannels,
    language: Option<String>,
    expects: Option<Expected>,
    turn: u32,
    /// Words that will not be revised.
    settled: Vec<Known>,
    /// Words of the segment that the recognizer is at.
    pending: Vec<Known>,
    /// So many words of that segment belong to turns that are over.
    spent: usize,
    /// Where the last word begins that is known, if the recognizer says so.
    last_begins: Option<Duration>,
    /// Words that begin no later than this belong to turns that are over, and may yet be revised there.
    spent_until: Option<Duration>,
    revision: u32,
    /// The words that had that number.
    revised: String,
    told: Option<Transcript>,
    dropped_words: u64,
}

/// A word of the present turn.
#[derive(Clone, Debug)]
struct Known {
    text: String,
    times: Option<(Duration, Duration)>,
}

impl Default for Understanding {
    fn default() -> Self {
        Self::of(&UnderstandingConfig::default())
    }
}

impl Understanding {
    /// Of a call to an agent that begins.
    pub fn of(config: &UnderstandingConfig) -> Self {
        Self::new(config.model.for_call(), config.backchannels.clone())
    }

    /// The same with a judge and a list from elsewhere.
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
            last_begins: None,
            spent_until: None,
            revision: 0,
            revised: String::new(),
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
        let words: Vec<&str> = self.known().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }

    /// Words of turns that were longer than any.
    pub fn dropped_words(&self) -> u64 {
        self.dropped_words
    }

    /// The recognizer's latest result; what voice is to be told, if that changes anything for it. `audio` is the latest of the caller's
    /// for a model that hears, or empty.
    pub fn hear(&mut self, recognized: Recognized<'_>, audio: &[i16]) -> Option<Transcript> {
        let all: Vec<(&str, Option<(Duration, Duration)>)> = recognized
            .words
            .iter()
            .flat_map(|word| word.text.split_whitespace().map(|text| (text, word.times)))
            .collect();
        let is_spent = |(_, times): &&(&str, Option<(Duration, Duration)>)| {
            self.spent_until.zip(*times).is_some_and(|(until, (at, _))| at <= until + SAME_WORD)
        };
        // Where it tells no times, or one for several words, their number tells which of them were known.
        let is_timed = all.len() == recognized.words.len() && all.iter().all(|(_, times)| times.is_some());
        let before = if is_timed { all.iter().take_while(is_spent).count() } else { self.spent };
        let before = before.min(all.len());
        self.spent = self.spent.max(before);
        self.last_begins =
            all[before..].last().and_then(|(_, times)| *times).map(|(at, _)| at).or(self.last_begins);
        let known = |&(text, times): &(&str, Option<(Duration, Duration)>)| Known {
            text: text.to_owned(),
            // Of several words in a row it is not known where each lies.
            times: times.filter(|_| is_timed),
        };
        self.pending = all[before..].iter().map(known).collect();
        self.keep_bounded();
        if recognized.is_final {
            self.settled.append(&mut self.pending);
            self.spent = 0;
        }
        self.transcript(audio)
    }

    /// Tells of ended turns: those of voice's events that end one.
    pub fn handle(&mut self, event: &VoiceEvent) -> Option<EndedTurn> {
        let (turn, is_committed) = match event {
            VoiceEvent::TurnCommitted { turn, .. } => (*turn, true),
            VoiceEvent::SpeechDismissed { turn } => (*turn, false),
            VoiceEvent::Answered
            | VoiceEvent::Media { .. }
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
        let times = self.known().map(|word| word.times).collect::<Option<_>>().unwrap_or_default();
        self.turn = turn.wrapping_add(1);
        self.settled.clear();
        self.spent += self.pending.len();
        self.pending.clear();
        self.spent_until = self.last_begins;
        self.revised.clear();
        self.told = None;
        Some(EndedTurn { turn, text, times, is_committed })
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        self.settled.iter().chain(&self.pending)
    }

    /// What voice is to know, if it does not.
    fn transcript(&mut self, audio: &[i16]) -> Option<Transcript> {
        let text = self.text();
        let count = self.settled.len() + self.pending.len();
        let revision = self.revision_of(&text);
        let heard = Heard { text: &text, language: self.language.as_deref(), expects: self.expects, audio };
        let transcript = Transcript {
            turn: self.turn,
            words: u16::try_from(count).unwrap_or(u16::MAX),
            revision,
            is_backchannel: self.backchannels.covers(&text),
            completeness: self.model.score(&heard).value(),
        };
        let is_news = match self.told {
            Some(told) => told != transcript,
            None => count > 0,
        };
        is_news.then(|| *self.told.insert(transcript))
    }

    fn revision_of(&mut self, text: &str) -> u32 {
        if !are_same_words(text, &self.revised) {
            self.revision = self.revision.wrapping_add(1);
            self.revised = text.to_owned();
        }
        self.revision
    }

    fn keep_bounded(&mut self) {
        let room = MAX_WORDS.saturating_sub(self.settled.len());
        self.dropped_words += self.pending.len().saturating_sub(room) as u64;
        self.pending.truncate(room);
        for word in &mut self.pending {
            word.text.truncate(word.text.floor_char_boundary(MAX_WORD_BYTES));
        }
    }
}

impl std::fmt::Debug for Understanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What callers say is theirs.
        f.debug_struct("Understanding").field("turn", &self.turn).finish_non_exhaustive()
    }
}

/// A revised word may begin a little later than before; no two words begin so close to each other.
const SAME_WORD: Duration = Duration::from_millis(80);
/// Of one turn: who reads a text aloud says three words a second, and no turn is longer than a minute.
const MAX_WORDS: usize = 512;
/// No word of any language is longer.
const MAX_WORD_BYTES: usize = 128;

#[cfg(test)]
mod tests;
