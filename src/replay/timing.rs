//! How fast a call went: from its log, and from when our side could be heard on the wire. All times are milliseconds since the
//! call's INVITE.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::wire::Span;
use crate::call::dialogue::Dialogue;
use crate::call::log::{Event, LegQuality, Record, Way};

/// One call's times.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// From the INVITE to the answer.
    pub setup_ms: Option<u64>,
    /// When the caller's ACK was there.
    pub acknowledged_ms: Option<u64>,
    /// When the caller could first hear something.
    pub first_audio_ms: Option<u64>,
    /// The same from the ACK on.
    pub first_audio_after_ack_ms: Option<u64>,
    /// What the caller said or pressed, and how fast the agent answered.
    pub turns: Vec<Turn>,
    /// Where the caller interrupted the agent, and how fast it was silent.
    pub barge_ins: Vec<BargeIn>,
    /// Slots of 20 ms in which the agent had nothing to send in the middle of a sentence, by who was late.
    pub dry_slots: BTreeMap<String, u64>,
    /// The caller's RTP as it came.
    pub quality: Option<LegQuality>,
}

/// One turn of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// What the caller did.
    pub by: TurnBy,
    /// The keys, if any.
    pub keys: String,
    /// When the caller's speech was over, or the last key was pressed.
    pub stopped_ms: u64,
    /// When the agent took the turn for finished; keys need no such decision.
    pub committed_ms: Option<u64>,
    /// When the agent's answer could be heard.
    pub agent_ms: Option<u64>,
    /// From the one to the other.
    pub response_ms: Option<u64>,
    /// What the agent said.
    pub said: Option<String>,
}

/// How the caller took its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnBy {
    /// By speaking.
    Speech,
    /// By pressing keys.
    Keys,
}

/// One interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BargeIn {
    /// `speech` or `digit`.
    pub by: String,
    /// When the caller began.
    pub onset_ms: u64,
    /// When the agent's sentence could be heard no more.
    pub silent_ms: u64,
    /// From the one to the other.
    pub took_ms: u64,
}

impl Timing {
    /// The times of a call: its records by number, and when it was heard, with the INVITE as zero.
    pub(super) fn of(records: &[Record], heard: &[Span]) -> Self {
        let mut timing = Self::default();
        let mut speech_until = 0;
        for (place, record) in records.iter().enumerate() {
            let (at_ms, rest) = (millis(record.at.as_duration()), &records[place + 1..]);
            match &record.event {
                Event::Answered => timing.setup_ms = Some(at_ms),
                Event::Acknowledged => timing.take_acknowledged(at_ms, heard),
                Event::Quality { leg, .. } => timing.quality = Some(leg.clone()),
                Event::Dtmf { way: Way::Received, digit, duration_ms } => {
                    timing.take_key(*digit, at_ms.saturating_sub((*duration_ms).into()), (records, heard));
                }
                Event::Dialogue(Dialogue::SpeechEnded { duration_ms }) => {
                    speech_until = spoken_until(&records[..place], *duration_ms).unwrap_or(at_ms);
                }
                Event::Dialogue(Dialogue::TurnCommitted { .. }) => {
                    let turn = Turn::new(TurnBy::Speech, speech_until, Some(at_ms));
                    timing.turns.push(turn.answered((records, heard)));
                }
                Event::Dialogue(Dialogue::BargeIn { by, .. }) => {
                    let barge_in = BargeIn::of(by, (&records[..place], at_ms, rest), heard);
                    timing.barge_ins.push(barge_in);
                }
                Event::Dialogue(Dialogue::DrySlots { cause, count }) => {
                    *timing.dry_slots.entry(cause.clone()).or_default() += count;
                }
                // These take no time of their own.
                Event::Opened(_)
                | Event::Sip(_)
                | Event::Ringing { .. }
                | Event::Media(_)
                | Event::Latched { .. }
                | Event::ForeignSource { .. }
                | Event::Dtmf { way: Way::Sent, .. }
                | Event::StreamReset { .. }
                | Event::UnknownPayloadType { .. }
                | Event::ReoffersRefused { .. }
                | Event::SlotMoved { .. }
                | Event::TickLate { .. }
                | Event::Dialogue(_)
                | Event::RecordingStarted { .. }
                | Event::RecordingFinished { .. }
                | Event::RecordingFailed { .. }
                | Event::Gap { .. }
                | Event::Ended(_) => {}
            }
        }
        timing
    }

    /// Later ACKs belong to re-INVITEs.
    fn take_acknowledged(&mut self, at_ms: u64, heard: &[Span]) {
        if self.acknowledged_ms.is_some() {
            return;
        }
        self.acknowledged_ms = Some(at_ms);
        self.first_audio_ms = heard.first().map(|span| millis(span.from));
        self.first_audio_after_ack_ms = self.first_audio_ms.map(|heard_ms| heard_ms.saturating_sub(at_ms));
    }

    /// Keys that follow each other before the agent answers are one turn.
    fn take_key(&mut self, digit: char, pressed_ms: u64, call: (&[Record], &[Span])) {
        let mut turn = match self.turns.pop() {
            Some(last) if last.by == TurnBy::Keys && last.agent_ms.is_none_or(|at| at > pressed_ms) => last,
            last => {
                self.turns.extend(last);
                Turn::new(TurnBy::Keys, pressed_ms, None)
            }
        };
        turn.keys.push(digit);
        turn.stopped_ms = pressed_ms;
        self.turns.push(turn.answered(call));
    }
}

impl Turn {
    fn new(by: TurnBy, stopped_ms: u64, committed_ms: Option<u64>) -> Self {
        let keys = String::new();
        Self { by, keys, stopped_ms, committed_ms, agent_ms: None, response_ms: None, said: None }
    }

    /// With the next thing that the agent says, and when it is heard. A key's press has its effect before the log tells
    /// the whole key: so the agent's words may stand before it.
    fn answered(self, (records, heard): (&[Record], &[Span])) -> Self {
        let asked = Duration::from_millis(self.committed_ms.unwrap_or(self.stopped_ms));
        let Some((said_at, text)) = said_from(records, asked) else { return self };
        let agent_ms =
            heard.iter().find(|span| span.until > said_at).map(|span| millis(span.from.max(said_at)));
        let response_ms = agent_ms.map(|at_ms| at_ms.saturating_sub(self.stopped_ms));
        Self { agent_ms, response_ms, said: Some(text.to_owned()), ..self }
    }
}

impl BargeIn {
    fn of(by: &str, (before, at_ms, behind): (&[Record], u64, &[Record]), heard: &[Span]) -> Self {
        let at = Duration::from_millis(at_ms);
        let spoke = || last_speech(before).map(|at| millis(at.saturating_sub(DETECTION)));
        // Who speaks on into the next sentence interrupts it where it begins.
        let began = before.iter().rev().find_map(said_at).map_or(0, millis);
        let onset_ms = if by == "speech" { spoke().unwrap_or(at_ms).max(began) } else { at_ms };
        let next = said_from(behind, at).map(|(said_at, _)| said_at);
        let around = heard.iter().find(|span| span.from <= at && span.until > at);
        let silent = around.map_or(at, |span| span.until.min(next.unwrap_or(span.until)));
        let silent_ms = millis(silent);
        Self { by: by.to_owned(), onset_ms, silent_ms, took_ms: silent_ms.saturating_sub(onset_ms) }
    }
}

/// When the speech ended that had begun last and was so long.
fn spoken_until(before: &[Record], duration_ms: u64) -> Option<u64> {
    let began = last_speech(before)?.saturating_sub(DETECTION);
    Some(millis(began).saturating_add(duration_ms))
}

/// When speech was last noticed.
fn last_speech(before: &[Record]) -> Option<Duration> {
    let is_speech = |record: &&Record| matches!(record.event, Event::Dialogue(Dialogue::SpeechStarted));
    before.iter().rev().find(is_speech).map(|record| record.at.as_duration())
}

/// The first thing that the agent said then or later. What makes no sound has no words.
fn said_from(records: &[Record], from: Duration) -> Option<(Duration, &str)> {
    records.iter().find_map(|record| {
        let at = said_at(record)?;
        let Event::Dialogue(Dialogue::Said { text, .. }) = &record.event else { return None };
        (at >= from).then_some((at, text.as_str()))
    })
}

/// When the agent began to say something, if that is what the record tells.
fn said_at(record: &Record) -> Option<Duration> {
    let Event::Dialogue(Dialogue::Said { text, .. }) = &record.event else { return None };
    (!text.is_empty()).then(|| record.at.as_duration())
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Speech is noticed when two frames of it were heard.
const DETECTION: Duration = Duration::from_millis(40);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::{CallId, CallTime, UnixMicros};

    fn records(events: Vec<(u64, Event)>) -> Vec<Record> {
        let call = CallId::new(UnixMicros(0), [0; 10]);
        let record = |(seq, (at_ms, event))| Record { call, seq, at: CallTime(at_ms * 1000), event };
        (0..).zip(events).map(record).collect()
    }

    fn span(from: u64, until: u64) -> Span {
        Span { from: Duration::from_millis(from), until: Duration::from_millis(until) }
    }

    fn said(text: &str) -> Event {
        let (text, language) = (text.to_owned(), "en-IN".to_owned());
        Event::Dialogue(Dialogue::Said { utterance: 1, text, language })
    }

    fn key(digit: char) -> Event {
        Event::Dtmf { way: Way::Received, digit, duration_ms: 100 }
    }

    #[test]
    fn keys_in_a_row_are_one_turn_and_the_answer_is_taken_from_the_wire() {
        let log = records(vec![
            (3, Event::Answered),
            (8, Event::Acknowledged),
            (15, Event::Acknowledged),
            (20, said("hello")),
            (600, key('1')),
            (900, key('2')),
            (1010, said("twelve")),
            (1100, key('3')),
            (2000, key('4')),
        ]);
        let timing = Timing::of(&log, &[span(28, 700), span(1040, 1900)]);
        assert_eq!((timing.setup_ms, timing.first_audio_after_ack_ms), (Some(3), Some(20)));
        let [first, second] = timing.turns.as_slice() else { panic!("{:?}", timing.turns) };
        assert_eq!(
            (first.keys.as_str(), first.stopped_ms),
            ("123", 1000),
            "pressed before the agent was heard"
        );
        assert_eq!((first.agent_ms, first.response_ms), (Some(1040), Some(40)));
        assert_eq!((first.said.as_deref(), second.keys.as_str()), (Some("twelve"), "4"));
        assert_eq!((second.agent_ms, second.response_ms), (None, None));
    }

    #[test]
    fn the_answer_to_speech_counts_from_its_last_frame() {
        let log = records(vec![
            (1040, Event::Dialogue(Dialogue::SpeechStarted)),
            (2200, Event::Dialogue(Dialogue::SpeechEnded { duration_ms: 1000 })),
            (
                2700,
                Event::Dialogue(Dialogue::TurnCommitted {
                    speech_ms: 1000,
                    why: "silence".to_owned(),
                    silence_ms: 700,
                    turn: Some(0),
                }),
            ),
            (2720, said("yes")),
        ]);
        let timing = Timing::of(&log, &[span(2740, 3000)]);
        let turn = &timing.turns[0];
        assert_eq!((turn.by, turn.stopped_ms, turn.committed_ms), (TurnBy::Speech, 2000, Some(2700)));
        assert_eq!((turn.agent_ms, turn.response_ms), (Some(2740), Some(740)));
    }

    #[test]
    fn an_interruption_lasts_until_the_sentence_is_heard_no_more() {
        let barge_in =
            |by: &str| Event::Dialogue(Dialogue::BargeIn { utterance: 1, heard_ms: 1, by: by.to_owned() });
        let speech = Event::Dialogue(Dialogue::SpeechStarted);
        let log = records(vec![
            (540, speech),
            (700, barge_in("speech")),
            (720, said("and")),
            (900, barge_in("speech")),
            (1500, barge_in("digit")),
            (1510, said("next")),
            (2500, barge_in("digit")),
        ]);
        let timing = Timing::of(&log, &[span(0, 920), span(1000, 2000)]);
        let took: Vec<_> =
            timing.barge_ins.iter().map(|it| (it.onset_ms, it.silent_ms, it.took_ms)).collect();
        assert_eq!(took, [(500, 720, 220), (720, 920, 200), (1500, 1510, 10), (2500, 2500, 0)]);
    }
}
