//! The way of each of the caller's turns to its answer, read off a call's log: which points it reached when, what else happened on it, and
//! how long which part took. Logs with holes, and logs without marks, give what they have.

mod figures;

use std::collections::BTreeMap;

use super::dialogue::Dialogue;
use super::hop::{HopEvent, Mark};
use super::log::{CallTime, Event};

pub use figures::{Figure, Totals};

/// The ways of a call's turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waterfall {
    /// In the order of their numbers; only turns of which something is known.
    pub turns: Vec<TurnPath>,
    /// What went wrong before the first of them.
    pub before: Vec<Incident>,
}

/// One turn's way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnPath {
    /// The turn's number within the call.
    pub turn: u32,
    /// The caller's words.
    pub words: Option<String>,
    /// When the turn was over, and what ended it.
    pub committed: Option<(CallTime, String)>,
    /// The points that it reached.
    pub marks: BTreeMap<Mark, Reached>,
    /// Tools that were used for the answer.
    pub tools: Vec<ToolUse>,
    /// What the agent said until the next turn.
    pub sayings: Vec<Saying>,
    /// What went wrong or took too long.
    pub incidents: Vec<Incident>,
}

/// A point of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// When.
    pub at: CallTime,
    /// By which provider.
    pub provider: Option<String>,
    /// By the sound of which utterance.
    pub utterance: Option<u64>,
}

/// One use of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolUse {
    /// The tool's name.
    pub name: String,
    /// When it was asked.
    pub from: CallTime,
    /// When it answered, and whether it did what it was asked; `None` if the log does not say.
    pub answered: Option<(CallTime, bool)>,
}

/// One utterance of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// Its number.
    pub utterance: u64,
    /// When its first sample left.
    pub from: CallTime,
    /// When it was heard to its end or cut; `None` if the log does not say.
    pub until: Option<CallTime>,
    /// The caller cut it.
    pub is_cut: bool,
    /// Its words.
    pub text: String,
}

/// Something that went wrong or took too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// When.
    pub at: CallTime,
    /// `fault`, `budget`, `gave up`, `dry`, `held`, `late` or `gap`.
    pub kind: &'static str,
    /// What, in words.
    pub what: String,
}

/// What the agent said first behind a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSpeech {
    /// The answer.
    Answer,
    /// Something to bridge the wait for it, or instead of it.
    Filler,
}

impl Waterfall {
    /// Reads a log in the order of its numbers.
    pub fn of<'a>(events: impl IntoIterator<Item = (CallTime, &'a Event)>) -> Self {
        let mut reader = Reader::default();
        for (at, event) in events {
            reader.read(at, event);
        }
        reader.finish()
    }

    /// How long the parts took, over all turns.
    pub fn totals(&self) -> Totals {
        Totals::of(&self.turns)
    }
}

impl TurnPath {
    /// When a point was reached.
    pub fn at(&self, mark: Mark) -> Option<CallTime> {
        self.marks.get(&mark).map(|reached| reached.at)
    }

    /// When anything of the turn was known first.
    pub fn begin(&self) -> Option<CallTime> {
        let committed = self.committed.as_ref().map(|(at, _)| *at);
        self.marks.values().map(|reached| reached.at).chain(committed).min()
    }

    /// What was said first; `None` if nothing was. Where no model was asked (agents by script) it is the answer. Else the answer is what was
    /// synthesized for this turn.
    pub fn first_speech(&self) -> Option<FirstSpeech> {
        let first = self.marks.get(&Mark::MediaOut)?;
        let synthesized = self.marks.get(&Mark::TtsFrame).and_then(|reached| reached.utterance);
        let is_answer = !self.marks.contains_key(&Mark::LlmStart) || first.utterance == synthesized;
        Some(if is_answer { FirstSpeech::Answer } else { FirstSpeech::Filler })
    }

    /// Whether something that was to be said waited because the caller spoke.
    pub fn was_held(&self) -> bool {
        self.incidents.iter().any(|incident| incident.kind == HELD)
    }

    /// When the first sample of the answer left.
    pub fn answered_at(&self) -> Option<CallTime> {
        let utterance = self.marks.get(&Mark::TtsFrame).and_then(|reached| reached.utterance);
        let saying = self.sayings.iter().find(|saying| Some(saying.utterance) == utterance);
        let said_at = saying.map(|saying| saying.from);
        said_at
            .or_else(|| self.at(Mark::MediaOut).filter(|_| self.first_speech() == Some(FirstSpeech::Answer)))
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reader {
    turns: BTreeMap<u32, TurnPath>,
    /// Turns that ended so far: the number of the next one, in logs that do not name it.
    ended: u32,
    tools: Vec<ToolUse>,
    sayings: Vec<Saying>,
    incidents: Vec<Incident>,
}

impl Reader {
    fn read(&mut self, at: CallTime, event: &Event) {
        match event {
            Event::Dialogue(dialogue) => self.read_dialogue(at, dialogue),
            Event::Gap { missing } => self.incident(at, "gap", format!("{missing} events were dropped here")),
            Event::TickLate { missed } => {
                self.incident(at, "late", format!("the machine stood still for {} ms", missed * 20));
            }
            Event::Ended(_) => self.close_sayings(at),
            Event::Opened(_)
            | Event::Sip(_)
            | Event::Ringing { .. }
            | Event::Answered
            | Event::Acknowledged
            | Event::Media(_)
            | Event::Latched { .. }
            | Event::ForeignSource { .. }
            | Event::Dtmf { .. }
            | Event::StreamReset { .. }
            | Event::UnknownPayloadType { .. }
            | Event::ReoffersRefused { .. }
            | Event::SlotMoved { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingFinished { .. }
            | Event::RecordingFailed { .. }
            | Event::Quality { .. } => {}
        }
    }

    fn read_dialogue(&mut self, at: CallTime, dialogue: &Dialogue) {
        match dialogue {
            Dialogue::Said { utterance, text, .. } => {
                let text = text.clone();
                self.sayings.push(Saying {
                    utterance: *utterance,
                    from: at,
                    until: None,
                    is_cut: false,
                    text,
                });
            }
            Dialogue::Heard { utterance } => self.end_saying(at, *utterance, false),
            Dialogue::BargeIn { utterance, .. } => self.end_saying(at, *utterance, true),
            Dialogue::TurnCommitted { why, turn, .. } => {
                let turn = turn.unwrap_or(self.ended);
                self.ended = turn.saturating_add(1);
                self.turn(turn).committed = Some((at, why.clone()));
            }
            Dialogue::SpeechDismissed => self.ended = self.ended.saturating_add(1),
            Dialogue::ToolCalled { name, .. } => {
                self.tools.push(ToolUse { name: name.clone(), from: at, answered: None });
            }
            Dialogue::ToolAnswered { name, is_ok, .. } => {
                let asked = |tool: &&mut ToolUse| tool.name == *name && tool.answered.is_none();
                if let Some(tool) = self.tools.iter_mut().find(asked) {
                    tool.answered = Some((at, *is_ok));
                }
            }
            Dialogue::DrySlots { cause, count } => {
                self.incident(at, "dry", format!("{} ms without sound, the {cause} was late", count * 20));
            }
            Dialogue::HeldBack { utterance, held_ms, until } => {
                let end = if is_begun(until) { "before it began" } else { "and was not begun" };
                let what =
                    format!("utterance {utterance} waited {held_ms} ms for the caller {end} ({until})");
                self.incident(at, HELD, what);
            }
            Dialogue::Hop(event) => self.read_hop(at, event),
            Dialogue::Agent { .. }
            | Dialogue::SaidOn { .. }
            | Dialogue::SpeechStarted
            | Dialogue::SpeechEnded { .. }
            | Dialogue::Idle { .. }
            | Dialogue::State { .. }
            | Dialogue::Message { .. }
            | Dialogue::Unfinished { .. }
            | Dialogue::Echo { .. }
            | Dialogue::Dropped { .. }
            | Dialogue::Outcome { .. } => {}
        }
    }

    fn read_hop(&mut self, at: CallTime, event: &HopEvent) {
        match event {
            HopEvent::Mark { turn, mark, at_us, utterance, provider } => {
                let reached =
                    Reached { at: at_us.unwrap_or(at), provider: provider.clone(), utterance: *utterance };
                self.turn(*turn).marks.entry(*mark).or_insert(reached);
            }
            HopEvent::Transcript { turn, text, is_committed: true, .. } => {
                self.turn(*turn).words = Some(text.clone());
            }
            HopEvent::Fault { hop, provider, kind, detail, .. } => {
                self.incident(at, "fault", format!("{hop} by {provider}, {kind}: {detail}"));
            }
            HopEvent::OverBudget { hop, budget_ms, took_ms, .. } => {
                self.incident(at, "budget", format!("{hop} took {took_ms} ms where {budget_ms} are allowed"));
            }
            HopEvent::GaveUp { hop } => self.incident(at, "gave up", format!("nobody is left for {hop}")),
            HopEvent::GuardrailTripped { list, rule, heard_ms, .. } => {
                let what = format!("withheld by {} {rule}, {heard_ms} ms of it were heard", list.word());
                self.incident(at, "guardrail", what);
            }
            HopEvent::Transcript { is_committed: false, .. }
            | HopEvent::HeardText { .. }
            | HopEvent::Uses { .. }
            | HopEvent::Usage { .. }
            | HopEvent::Audio { .. } => {}
        }
    }

    fn turn(&mut self, turn: u32) -> &mut TurnPath {
        self.turns.entry(turn).or_insert_with(|| TurnPath { turn, ..TurnPath::default() })
    }

    fn incident(&mut self, at: CallTime, kind: &'static str, what: String) {
        self.incidents.push(Incident { at, kind, what });
    }

    /// Those before it were cut by the agent itself, those behind it are not heard.
    fn end_saying(&mut self, at: CallTime, utterance: u64, is_cut: bool) {
        for saying in self.sayings.iter_mut().filter(|saying| saying.until.is_none()) {
            if is_cut || saying.utterance <= utterance {
                saying.until = Some(at);
                saying.is_cut = is_cut;
            }
        }
    }

    fn close_sayings(&mut self, at: CallTime) {
        self.end_saying(at, u64::MAX, false);
    }

    /// What names no turn belongs to the one that had begun last.
    fn finish(self) -> Waterfall {
        let mut turns: Vec<TurnPath> = self.turns.into_values().collect();
        let begins: Vec<(CallTime, usize)> = {
            let begun = |(place, turn): (usize, &TurnPath)| turn.begin().map(|at| (at, place));
            turns.iter().enumerate().filter_map(begun).collect()
        };
        let place =
            |at: CallTime| begins.iter().filter(|(begin, _)| *begin <= at).max().map(|(_, place)| *place);
        let mut before = Vec::new();
        for incident in self.incidents {
            match place(incident.at) {
                Some(place) => turns[place].incidents.push(incident),
                None => before.push(incident),
            }
        }
        for tool in self.tools {
            place(tool.from).into_iter().for_each(|place| turns[place].tools.push(tool.clone()));
        }
        for saying in self.sayings {
            place(saying.from).into_iter().for_each(|place| turns[place].sayings.push(saying.clone()));
        }
        Waterfall { turns, before }
    }
}

/// The incident of an utterance that was held back.
const HELD: &str = "held";

/// Whether an utterance that was held back until then was begun.
fn is_begun(until: &str) -> bool {
    matches!(until, "silence" | "backchannel" | "longest")
}

#[cfg(test)]
mod tests;
