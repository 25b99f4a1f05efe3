//! The turns of a conversation: what the agent said and how much of it was heard, what the caller spoke and typed, where
//! messages are. Like a call's row they are what its events add up to, whoever adds them and in whatever pieces.

use serde::{Deserialize as _, Serialize};
use sqlx::FromRow;

use super::query::StoredEvent;
use super::row::int;
use crate::call::dialogue::{Dialogue, MAX_TEXT_BYTES};
use crate::call::hop::HopEvent;
use crate::call::log::{CallTime, Event, Way};

/// One turn as the table `turns` keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, FromRow)]
pub struct Turn {
    /// The call's id.
    #[serde(skip)]
    pub call_id: String,
    /// Number of the event that began it.
    pub seq: i64,
    /// When it began, in microseconds since the call began.
    pub at_us: i64,
    /// `agent` or `caller`.
    pub role: String,
    /// `said` of the agent; `keys`, `speech` or `message` of the caller.
    pub kind: String,
    /// The words, or the keys in their order. Of `speech` what a recognizer has made of it, if there was one.
    pub text: Option<String>,
    /// BCP 47 language tag of the words.
    pub language: Option<String>,
    /// Number of the utterance within the call.
    pub utterance: Option<i64>,
    /// Milliseconds of the utterance that the caller heard; absent while it is not known.
    pub heard_ms: Option<i64>,
    /// Who cut the utterance short: `speech` or `digit` of the caller, the `agent` itself, the `end` of the call.
    pub interrupted_by: Option<String>,
    /// Speech of the caller in milliseconds; absent until a first pause.
    pub speech_ms: Option<i64>,
    /// Where the message begins in the recording, in milliseconds.
    pub from_ms: Option<i64>,
    /// Where it ends.
    pub to_ms: Option<i64>,
}

/// The turns of one call, or its latest ones.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    call_id: String,
    turns: Vec<Turn>,
}

impl Turns {
    /// Goes on where `turns` stop: all of a call, or at least its latest [`OPEN_TURNS`] in the order of their numbers.
    pub(super) fn new(call_id: String, turns: Vec<Turn>) -> Self {
        Self { call_id, turns }
    }

    /// In the order of their numbers.
    pub(super) fn into_inner(self) -> Vec<Turn> {
        self.turns
    }

    /// Adds what `event` tells. Each event is to come once, in the order of their numbers.
    pub(super) fn apply(&mut self, seq: u64, at: CallTime, event: &Event) {
        match event {
            Event::Dialogue(dialogue) => self.apply_dialogue(seq, int(at.0), dialogue),
            Event::Dtmf { way: Way::Received, digit, duration_ms } => {
                // Logged when it is released.
                let pressed_us = int(at.0).saturating_sub(i64::from(*duration_ms) * 1_000).max(0);
                let keys = self.joined(seq, pressed_us, KEYS);
                keys.text.get_or_insert_default().push(*digit);
            }
            Event::Ended(_) => self.end(int(at.0)),
            Event::Dtmf { way: Way::Sent, .. }
            | Event::Opened(_)
            | Event::Sip(_)
            | Event::Ringing { .. }
            | Event::Answered
            | Event::Acknowledged
            | Event::Media(_)
            | Event::Latched { .. }
            | Event::ForeignSource { .. }
            | Event::StreamReset { .. }
            | Event::UnknownPayloadType { .. }
            | Event::ReoffersRefused { .. }
            | Event::SlotMoved { .. }
            | Event::TickLate { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingFinished { .. }
            | Event::RecordingFailed { .. }
            | Event::Gap { .. }
            | Event::Quality { .. } => {}
        }
    }

    fn apply_dialogue(&mut self, seq: u64, at_us: i64, dialogue: &Dialogue) {
        match dialogue {
            Dialogue::Said { utterance, text, language } => {
                let said = self.begin(seq, at_us, SAID);
                said.utterance = Some(int(*utterance));
                said.text = Some(text.clone());
                said.language = Some(language.clone());
            }
            Dialogue::SaidOn { utterance, text } => self.said_on(int(*utterance), text),
            Dialogue::Heard { utterance } => self.heard(int(*utterance), at_us),
            Dialogue::BargeIn { utterance, heard_ms, by } => {
                self.interrupted(int(*utterance), int(*heard_ms), by);
            }
            Dialogue::SpeechStarted => {
                self.joined(seq, at_us, SPEECH);
            }
            Dialogue::SpeechEnded { duration_ms } => self.speech_ended(seq, at_us, int(*duration_ms)),
            Dialogue::Hop(HopEvent::Transcript { text, language, .. }) => {
                let spoken = self.spoken(seq, at_us);
                add_words(spoken, text);
                if language.is_some() {
                    spoken.language.clone_from(language);
                }
            }
            Dialogue::Message { from_ms, to_ms } => {
                let (from_ms, to_ms) = (int(*from_ms), int(*to_ms));
                let length_us = to_ms.saturating_sub(from_ms).saturating_mul(1_000);
                let message = self.begin(seq, at_us.saturating_sub(length_us).max(0), MESSAGE);
                message.from_ms = Some(from_ms);
                message.to_ms = Some(to_ms);
            }
            Dialogue::Agent { .. }
            | Dialogue::TurnCommitted { .. }
            | Dialogue::SpeechDismissed
            | Dialogue::Idle { .. }
            | Dialogue::State { .. }
            | Dialogue::ToolCalled { .. }
            | Dialogue::ToolAnswered { .. }
            | Dialogue::DrySlots { .. }
            | Dialogue::Unfinished { .. }
            | Dialogue::HeldBack { .. }
            | Dialogue::Hop(
                HopEvent::Mark { .. }
                | HopEvent::HeardText { .. }
                | HopEvent::Uses { .. }
                | HopEvent::Fault { .. }
                | HopEvent::Usage { .. }
                | HopEvent::OverBudget { .. }
                | HopEvent::Audio { .. }
                | HopEvent::GaveUp { .. }
                | HopEvent::GuardrailTripped { .. },
            )
            | Dialogue::Echo { .. }
            | Dialogue::Dropped { .. }
            | Dialogue::Outcome { .. } => {}
        }
    }

    fn begin(&mut self, seq: u64, at_us: i64, kind: &str) -> &mut Turn {
        let role = if kind == SAID { AGENT } else { CALLER };
        let index = self.turns.len();
        self.turns.push(Turn {
            call_id: self.call_id.clone(),
            seq: int(seq),
            at_us,
            role: role.to_owned(),
            kind: kind.to_owned(),
            ..Turn::default()
        });
        &mut self.turns[index]
    }

    /// The turn that had begun last at this time, if it is of this kind: a caller's keys in a row are one turn. Else a
    /// new one.
    fn joined(&mut self, seq: u64, at_us: i64, kind: &str) -> &mut Turn {
        let first = self.first_open();
        let latest = (first..self.turns.len())
            .filter(|&index| self.turns[index].at_us <= at_us)
            .max_by_key(|&index| (self.turns[index].at_us, index));
        match latest.filter(|&index| self.turns[index].kind == kind) {
            Some(index) => &mut self.turns[index],
            None => self.begin(seq, at_us, kind),
        }
    }

    fn speech_ended(&mut self, seq: u64, at_us: i64, duration_ms: i64) {
        let first = self.first_open();
        let found = self.turns[first..].iter().rposition(|turn| turn.kind == SPEECH);
        let speech = match found {
            Some(index) => &mut self.turns[first + index],
            // Its beginning was dropped on its way.
            None => self.begin(seq, at_us.saturating_sub(duration_ms.saturating_mul(1_000)).max(0), SPEECH),
        };
        speech.speech_ms = Some(speech.speech_ms.unwrap_or(0).saturating_add(duration_ms));
    }

    /// The speech that words belong to which come when the caller's turn is over: the last one, unless it has its words and the agent has
    /// spoken since. Then these are of speech too soft to be taken for it, and are a turn of their own.
    fn spoken(&mut self, seq: u64, at_us: i64) -> &mut Turn {
        let first = self.first_open();
        let found = self.turns[first..].iter().rposition(|turn| turn.kind == SPEECH).filter(|index| {
            let has_agent_since = self.turns[first + index..].iter().any(|turn| turn.kind == SAID);
            self.turns[first + index].text.is_none() || !has_agent_since
        });
        match found {
            Some(index) => &mut self.turns[first + index],
            None => self.begin(seq, at_us, SPEECH),
        }
    }

    /// More words of an utterance that has begun.
    fn said_on(&mut self, utterance: i64, text: &str) {
        if let Some(said) = self.open_utterance(utterance) {
            add_words(said, text);
        }
    }

    /// The utterance was heard to its end, which is now; those before it were cut by the agent.
    fn heard(&mut self, utterance: i64, at_us: i64) {
        self.close_before(utterance);
        let began_us = self.began_to_sound(utterance);
        if let Some(said) = self.open_utterance(utterance) {
            said.heard_ms = Some(at_us.saturating_sub(began_us).max(0) / 1_000);
        }
    }

    /// The utterance was cut; what was to follow it was not heard at all.
    fn interrupted(&mut self, utterance: i64, heard_ms: i64, by: &str) {
        self.close_before(utterance);
        let first = self.first_open();
        for said in &mut self.turns[first..] {
            if said.is_open() && said.utterance >= Some(utterance) {
                said.heard_ms = Some(if said.utterance == Some(utterance) { heard_ms } else { 0 });
                said.interrupted_by = Some(by.to_owned());
            }
        }
    }

    /// The call is over: what was being said was cut by that.
    fn end(&mut self, at_us: i64) {
        let first = self.first_open();
        let open: Vec<usize> =
            (first..self.turns.len()).filter(|&index| self.turns[index].is_open()).collect();
        let Some(&last) = open.last() else { return };
        let was_just_announced = self.turns[last].at_us > at_us.saturating_sub(ANNOUNCED_AHEAD_US);
        // Then the one before it still sounded.
        let before = open.iter().rev().nth(1).filter(|_| was_just_announced);
        let sounding = before.copied().unwrap_or(last);
        self.close_before(self.turns[sounding].utterance.unwrap_or(0));
        for index in [sounding, last] {
            let began_us = self.began_to_sound(self.turns[index].utterance.unwrap_or(0));
            let said = &mut self.turns[index];
            if said.is_open() {
                said.heard_ms = Some(at_us.saturating_sub(began_us).max(0) / 1_000);
                said.interrupted_by = Some(END.to_owned());
            }
        }
    }

    /// Utterances before this one that nobody told the end of: the agent itself had stopped them, to say the next one.
    fn close_before(&mut self, utterance: i64) {
        let first = self.first_open();
        for index in first..self.turns.len() {
            let turn = &self.turns[index];
            let next = self.turns[index + 1..].iter().find(|turn| turn.kind == SAID);
            if let (true, Some(next)) = (turn.is_open() && turn.utterance < Some(utterance), next) {
                let heard_us = next.at_us.saturating_sub(self.began_to_sound(turn.utterance.unwrap_or(0)));
                let turn = &mut self.turns[index];
                turn.heard_ms = Some(heard_us.max(0) / 1_000);
                turn.interrupted_by = Some(AGENT.to_owned());
            }
        }
    }

    /// An utterance is announced while the one before it still sounds.
    fn began_to_sound(&self, utterance: i64) -> i64 {
        let open = &self.turns[self.first_open()..];
        let Some(index) = open.iter().rposition(|turn| turn.utterance == Some(utterance)) else { return 0 };
        let before = open[..index].iter().rfind(|turn| turn.kind == SAID);
        let end_us = before
            .map_or(0, |said| said.at_us.saturating_add(said.heard_ms.unwrap_or(0).saturating_mul(1_000)));
        open[index].at_us.max(end_us)
    }

    fn open_utterance(&mut self, utterance: i64) -> Option<&mut Turn> {
        let first = self.first_open();
        self.turns[first..].iter_mut().rfind(|turn| turn.is_open() && turn.utterance == Some(utterance))
    }

    fn first_open(&self) -> usize {
        self.turns.len().saturating_sub(OPEN_TURNS)
    }
}

/// The turns that a call's events add up to, in the order of their numbers. Events of another version tell nothing.
pub(super) fn turns_of(call_id: &str, events: &[StoredEvent]) -> Vec<Turn> {
    let mut turns = Turns::new(call_id.to_owned(), Vec::new());
    for event in events {
        if let Ok(known) = Event::deserialize(&event.body) {
            turns.apply(event.seq, event.at(), &known);
        }
    }
    turns.into_inner()
}

/// A turn's text is no longer than an event's.
fn add_words(turn: &mut Turn, text: &str) {
    let words = turn.text.get_or_insert_default();
    if words.len() + text.len() < MAX_TEXT_BYTES {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(text);
    }
}

impl Turn {
    fn is_open(&self) -> bool {
        self.kind == SAID && self.heard_ms.is_none()
    }
}

/// Turns that later events still change. At most a few utterances are announced ahead, and what a caller does meanwhile
/// is joined.
pub(super) const OPEN_TURNS: usize = 16;

/// Utterances are announced while up to 400 ms of the one before wait to be heard; this leaves room for late ticks.
const ANNOUNCED_AHEAD_US: i64 = 600_000;

const AGENT: &str = "agent";
const CALLER: &str = "caller";
const END: &str = "end";
const SAID: &str = "said";
const KEYS: &str = "keys";
const SPEECH: &str = "speech";
const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::cause::HangupCause;
    use crate::call::log::Ended;
    use crate::store::sample;

    fn turns(events: Vec<(u64, Event)>) -> Vec<Turn> {
        turns_of("call", &sample::stored(&sample::numbered(sample::call(1), events)))
    }

    fn said(utterance: u64) -> Event {
        let (text, language) = ("Hello".to_owned(), "en-IN".to_owned());
        Event::Dialogue(Dialogue::Said { utterance, text, language })
    }

    fn heard(utterance: u64) -> Event {
        Event::Dialogue(Dialogue::Heard { utterance })
    }

    fn cut(utterance: u64, heard_ms: u64) -> Event {
        Event::Dialogue(Dialogue::BargeIn { utterance, heard_ms, by: "speech".to_owned() })
    }

    fn key(digit: char) -> Event {
        Event::Dtmf { way: Way::Received, digit, duration_ms: 100 }
    }

    fn ended() -> Event {
        Event::Ended(Ended { cause: HangupCause::RemoteBye, status: None, reason: None, talk_ms: 0 })
    }

    /// Milliseconds heard and who cut it, of each utterance.
    fn heard_of(turns: &[Turn]) -> Vec<(Option<i64>, Option<&str>)> {
        let said = turns.iter().filter(|turn| turn.kind == SAID);
        said.map(|turn| (turn.heard_ms, turn.interrupted_by.as_deref())).collect()
    }

    #[test]
    fn an_utterance_announced_ahead_sounds_when_the_one_before_it_ends() {
        let turns = turns(vec![(0, said(1)), (600, said(2)), (1_000, heard(1)), (3_000, heard(2))]);
        assert_eq!(heard_of(&turns), [(Some(1_000), None), (Some(2_000), None)]);
    }

    #[test]
    fn who_interrupts_cuts_what_was_to_follow_too() {
        let turns = turns(vec![(0, said(1)), (600, said(2)), (700, cut(1, 650)), (900, said(3))]);
        assert_eq!(heard_of(&turns), [(Some(650), Some("speech")), (Some(0), Some("speech")), (None, None)]);
    }

    #[test]
    fn the_agent_and_the_end_of_the_call_cut_too() {
        let turns =
            turns(vec![(0, said(1)), (400, said(2)), (2_000, heard(2)), (3_000, said(3)), (3_500, ended())]);
        let expected = [(Some(400), Some("agent")), (Some(1_600), None), (Some(500), Some("end"))];
        assert_eq!(heard_of(&turns), expected);
    }

    #[test]
    fn an_utterance_announced_at_the_very_end_was_not_heard() {
        let turns = turns(vec![(0, said(1)), (1_900, said(2)), (2_000, ended())]);
        assert_eq!(heard_of(&turns), [(Some(2_000), Some("end")), (Some(0), Some("end"))]);
    }

    #[test]
    fn keys_are_joined_until_the_agent_speaks_and_stand_where_they_were_pressed() {
        let events =
            vec![(0, said(1)), (1_000, key('1')), (1_010, said(2)), (1_100, key('2')), (1_300, key('3'))];
        let turns = turns(events);
        let keys: Vec<(i64, &str)> = turns
            .iter()
            .filter(|turn| turn.kind == KEYS)
            .map(|turn| (turn.at_us / 1_000, turn.text.as_deref().unwrap()))
            .collect();
        // The second key was held when the agent went on: it was pressed before.
        assert_eq!(keys, [(900, "12"), (1_200, "3")]);
    }

    #[test]
    fn pauses_within_a_turn_are_not_speech() {
        let started = || Event::Dialogue(Dialogue::SpeechStarted);
        let spoke = |duration_ms| Event::Dialogue(Dialogue::SpeechEnded { duration_ms });
        let turns = turns(vec![(100, started()), (900, spoke(800)), (1_500, started()), (2_000, spoke(500))]);
        assert_eq!(turns.len(), 1);
        assert_eq!((turns[0].at_us, turns[0].speech_ms), (100_000, Some(1_300)));
    }

    #[test]
    fn a_callers_words_belong_to_what_was_spoken_last() {
        let started = || Event::Dialogue(Dialogue::SpeechStarted);
        let words = |turn, text: &str| {
            let (text, language) = (text.to_owned(), Some("hi-IN".to_owned()));
            let (word_times_ms, is_committed) = (Vec::new(), true);
            Event::Dialogue(Dialogue::Hop(HopEvent::Transcript {
                turn,
                text,
                word_times_ms,
                language,
                is_committed,
            }))
        };
        let events = vec![
            (100, started()),
            (900, words(0, "mera order")),
            (1_500, started()),
            (2_000, words(1, "kahan hai")),
            (2_100, said(1)),
            (2_500, started()),
            (3_000, words(2, "haan")),
            (4_000, heard(1)),
            (5_000, said(2)),
            // A whisper.
            (8_000, words(3, "theek hai")),
            (8_100, words(4, "x".repeat(MAX_TEXT_BYTES).as_str())),
        ];
        let turns = turns(events);
        let spoken: Vec<(i64, Option<&str>)> = turns
            .iter()
            .filter(|turn| turn.kind == SPEECH)
            .map(|turn| (turn.at_us / 1_000, turn.text.as_deref()))
            .collect();
        let expected =
            [(100, Some("mera order kahan hai")), (2_500, Some("haan")), (8_000, Some("theek hai"))];
        assert_eq!(spoken, expected, "what would be too long is left to the events");
        assert!(turns.iter().filter(|turn| turn.kind == SPEECH).all(|turn| turn.language.is_some()));
    }

    #[test]
    fn ends_of_what_was_dropped_on_its_way_do_no_harm() {
        let spoke = Event::Dialogue(Dialogue::SpeechEnded { duration_ms: 300 });
        let turns = turns(vec![(100, heard(7)), (200, cut(8, 10)), (1_000, spoke), (1_100, ended())]);
        assert_eq!(turns.len(), 1);
        assert_eq!((turns[0].at_us, turns[0].speech_ms), (700_000, Some(300)));
    }
}
