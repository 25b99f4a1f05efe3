//! `caly calls waterfall`: where the time of each turn went, from the caller's last word to the agent's first.

mod drawing;
mod recorded;

use std::path::Path;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{lookup, terminal_columns};
use crate::call::hop::Mark;
use crate::call::log::{CallTime, Event};
use crate::call::waterfall::{FirstSpeech, TurnPath, Waterfall};
use crate::cli::{CallsWaterfallArgs, Failure, Format, Output};
use crate::store::{CallLog, StoredEvent};

use recorded::{Recorded, Recording};

pub(super) async fn run(args: &CallsWaterfallArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let (log, data) = lookup::call(&args.data, &args.id).await?;
    let events = known(&log.events);
    let waterfall = Waterfall::of(events.iter().map(|(at, event)| (*at, event)));
    let recorded = recorded_turns(&log, &data.recordings(), &events, &waterfall);
    match out.format() {
        Format::Json => out.json(&whole_json(&log.row.id, &waterfall, &recorded)),
        Format::Text => {
            let drawing = drawing::Drawing { width: terminal_columns(), style: out.style() };
            let lines = drawing.lines(&log.row.id, &waterfall, &recorded);
            lines.iter().try_for_each(|line| out.line(line))
        }
    }
}

/// Events of another version tell nothing.
fn known(events: &[StoredEvent]) -> Vec<(CallTime, Event)> {
    let event = |stored: &StoredEvent| Some((stored.at(), Event::deserialize(&stored.body).ok()?));
    events.iter().filter_map(event).collect()
}

/// What the recording says of each turn; nothing if there is none, or none that can be read.
fn recorded_turns(
    log: &CallLog,
    dir: &Path,
    events: &[(CallTime, Event)],
    waterfall: &Waterfall,
) -> Vec<Option<Recorded>> {
    let path = log.row.recording_file.as_ref().map(|file| dir.join(file));
    let recording = path.and_then(|path| Recording::open(&path, events));
    let turn = |path: &TurnPath| recording.as_ref()?.turn(path);
    waterfall.turns.iter().map(turn).collect()
}

fn whole_json(id: &str, waterfall: &Waterfall, recorded: &[Option<Recorded>]) -> Value {
    let turns = waterfall.turns.iter().zip(recorded);
    let incident = |incident: &crate::call::waterfall::Incident| json!({ "at_us": incident.at, "kind": incident.kind, "what": incident.what });
    json!({
        "call": id,
        "turns": turns.map(|(turn, recorded)| turn_json(turn, recorded.as_ref())).collect::<Vec<_>>(),
        "before": waterfall.before.iter().map(incident).collect::<Vec<_>>(),
        "totals": waterfall.totals(),
    })
}

fn turn_json(turn: &TurnPath, recorded: Option<&Recorded>) -> Value {
    let mark = |mark: &Mark| {
        let reached = turn.marks.get(mark)?;
        Some(json!({
            "mark": mark, "at_us": reached.at, "provider": reached.provider, "utterance": reached.utterance
        }))
    };
    let tools = turn.tools.iter().map(|tool| {
        let (until, is_ok) = tool.answered.unzip();
        json!({ "name": tool.name, "from_us": tool.from, "until_us": until, "is_ok": is_ok })
    });
    let sayings = turn.sayings.iter().map(|saying| {
        json!({
            "utterance": saying.utterance, "from_us": saying.from, "until_us": saying.until,
            "is_cut": saying.is_cut, "text": saying.text
        })
    });
    let incidents = turn
        .incidents
        .iter()
        .map(|incident| json!({ "at_us": incident.at, "kind": incident.kind, "what": incident.what }));
    let committed = turn.committed.as_ref();
    json!({
        "turn": turn.turn,
        "text": turn.words,
        "committed_us": committed.map(|(at, _)| at),
        "why": committed.map(|(_, why)| why),
        "marks": Mark::ALL.iter().filter_map(mark).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "said": sayings.collect::<Vec<_>>(),
        "incidents": incidents.collect::<Vec<_>>(),
        "first_speech": turn.first_speech().map(word),
        "voice_to_voice_ms": turn.voice_to_voice_ms(),
        "end_of_turn_ms": turn.end_of_turn_ms(),
        "own_ms": turn.own_ms(),
        "recorded": recorded.map(|recorded| json!({
            "voice_to_voice_ms": recorded.voice_to_voice_ms(),
            "caller_until_ms": recorded.caller_until_ms,
            "agent_from_ms": recorded.agent_from_ms,
        })),
    })
}

fn word(first: FirstSpeech) -> &'static str {
    match first {
        FirstSpeech::Answer => "answer",
        FirstSpeech::Filler => "filler",
    }
}

#[cfg(test)]
mod tests;
