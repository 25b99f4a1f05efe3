//! The waterfall as lines of a terminal: for each turn its steps over time, one below the other.

use console::Style as Colour;

use super::{Recorded, word};
use crate::call::hop::Mark;
use crate::call::log::CallTime;
use crate::call::waterfall::{Figure, Incident, TurnPath, Waterfall};
use crate::cli::Style;
use crate::cli::calls::columns::{clipped, columns, fixed, printable};

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawing {
    /// Columns of the terminal; without one as many as every terminal has.
    pub(super) width: Option<usize>,
    pub(super) style: Style,
}

/// One step of a turn.
#[derive(Debug)]
struct Step {
    name: String,
    from: CallTime,
    /// Where something begins to come of it.
    turning: Option<CallTime>,
    /// Absent if it is not known.
    until: Option<CallTime>,
    /// Up to where others wait for it, if that is not its end.
    awaited_until: Option<CallTime>,
    /// Who did it, or what was wrong.
    note: String,
    is_incident: bool,
}

/// The time that a turn's bars stand for.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: CallTime,
    until: CallTime,
    columns: usize,
}

impl Drawing {
    pub(super) fn lines(self, id: &str, waterfall: &Waterfall, recorded: &[Option<Recorded>]) -> Vec<String> {
        let mut lines = vec![format!("call {id}")];
        lines.extend(waterfall.before.iter().map(|incident| self.incident_alone(incident)));
        for (turn, recorded) in waterfall.turns.iter().zip(recorded) {
            lines.push(String::new());
            lines.extend(self.turn(turn, recorded.as_ref()));
        }
        lines.push(String::new());
        if waterfall.turns.is_empty() {
            lines.push("no turn of the caller is marked in this call's log".to_owned());
        } else {
            lines.extend(totals(waterfall));
        }
        lines
    }

    fn turn(self, turn: &TurnPath, recorded: Option<&Recorded>) -> Vec<String> {
        let mut lines = vec![self.head(turn)];
        let mut steps = steps(turn);
        steps.sort_by_key(|step| (step.from, step.is_incident));
        if let Some(span) = self.span(turn, &steps) {
            lines.extend(steps.iter().flat_map(|step| {
                if step.is_incident { self.incident(span, step) } else { vec![self.step(span, step)] }
            }));
        }
        if let Some(recorded) = recorded {
            lines.push(recorded_line(turn, *recorded));
        }
        lines
    }

    fn head(self, turn: &TurnPath) -> String {
        let waited = match (turn.voice_to_voice_ms(), turn.first_speech()) {
            (Some(ms), Some(first)) => format!("voice to voice {ms} ms ({})", word(first)),
            (None, Some(_)) => "not known when the caller's speech ended".to_owned(),
            (_, None) => "no speech of the agent behind it".to_owned(),
        };
        let words =
            turn.words.as_ref().map_or_else(String::new, |words| format!("  \"{}\"", printable(words)));
        let place = turn.begin().map_or_else(String::new, |at| format!(" at {}", clock(at)));
        let left = format!("turn {}{place}{words}", turn.turn);
        let room = self.columns().saturating_sub(columns(&waited) + 2);
        let line = format!("{}  {waited}", fixed(&left, room));
        self.painted(&line, Colour::new().bold())
    }

    fn step(self, span: Span, step: &Step) -> String {
        let took = match step.awaited_until.or(step.until) {
            Some(until) => format!("{} ms", (until.0.saturating_sub(step.from.0) + 500) / 1_000),
            None => "...".to_owned(),
        };
        let (name, bar) = (fixed(&step.name, NAME), span.bar(step));
        let room = self.columns().saturating_sub(LEFT + span.columns + 1 + TOOK + 1);
        format!("  {name} {bar} {took:>TOOK$} {}", clipped(&step.note, room)).trim_end().to_owned()
    }

    /// What went wrong, where it did; in words beside it, or below where there is no room.
    fn incident(self, span: Span, step: &Step) -> Vec<String> {
        let bar = span.bar(step);
        let mut line = format!("  {} {}", fixed(&step.name, NAME), bar.trim_end());
        let room = self.columns().saturating_sub(columns(&line) + 1);
        let mut below = None;
        if room < NARROWEST_NOTE && columns(&step.note) > room {
            let note = clipped(&step.note, self.columns().saturating_sub(LEFT));
            below = Some(format!("{}{note}", " ".repeat(LEFT)));
        } else {
            line = format!("{line} {}", clipped(&step.note, room));
        }
        let red = |line: String| self.painted(&line, Colour::new().red());
        std::iter::once(line).chain(below).map(red).collect()
    }

    fn incident_alone(self, incident: &Incident) -> String {
        let line = format!("  {}  {}: {}", clock(incident.at), incident.kind, incident.what);
        self.painted(&clipped(&line, self.columns()), Colour::new().red())
    }

    /// From the end of the caller's speech to what the caller hears of the answer; what lies outside is cut off.
    fn span(self, turn: &TurnPath, steps: &[Step]) -> Option<Span> {
        let first = turn.at(Mark::MediaIn).or_else(|| steps.iter().map(|step| step.from).min())?;
        let heard = turn.at(Mark::MediaOut).max(turn.answered_at());
        let last = heard.or_else(|| steps.iter().map(|step| step.until.unwrap_or(step.from)).max())?;
        // What the agent says is seen to begin.
        let rest = (last.0.saturating_sub(first.0) / 12).max(1_000);
        let columns = self.columns().saturating_sub(LEFT + 1 + TOOK + 1 + NOTE).max(NARROWEST_BAR);
        Some(Span { from: first, until: CallTime(last.0.saturating_add(rest)), columns })
    }

    fn columns(self) -> usize {
        self.width.unwrap_or(USUAL_COLUMNS).clamp(NARROWEST, WIDEST)
    }

    fn painted(self, line: &str, colour: Colour) -> String {
        match self.style {
            Style::Plain => line.to_owned(),
            Style::Coloured => colour.force_styling(true).apply_to(line).to_string(),
        }
    }
}

impl Span {
    /// The bar of a step: `-` while it is waited for, `=` while something comes of it, `<` and `>` where it goes on outside.
    fn bar(self, step: &Step) -> String {
        let (first, last) = (self.place(step.from), self.place(step.until.unwrap_or(step.from)));
        let turning = step.turning.map(|at| self.place(at));
        let sign = |column: usize| match column {
            _ if column < first || column > last => ' ',
            _ if step.is_incident => '!',
            _ if column == first && step.from < self.from => '<',
            _ if column == last && step.until.is_some_and(|until| until > self.until) => '>',
            _ if turning.is_some_and(|turning| column >= turning) => '=',
            _ => '-',
        };
        (0..self.columns).map(sign).collect()
    }

    fn place(self, at: CallTime) -> usize {
        let whole = self.until.0.saturating_sub(self.from.0).max(1);
        let passed = at.0.saturating_sub(self.from.0).min(whole - 1);
        // Below `columns`, which is small.
        (u128::from(passed) * self.columns as u128 / u128::from(whole)) as usize
    }
}

fn steps(turn: &TurnPath) -> Vec<Step> {
    let mut steps = Vec::new();
    let provider = |marks: [Mark; 3]| {
        let named = marks.into_iter().find_map(|mark| turn.marks.get(&mark)?.provider.clone());
        named.unwrap_or_default()
    };
    let mut add = |name: &str, [from, turning, until]: [Mark; 3]| {
        let reached = [from, turning, until].map(|mark| turn.at(mark));
        let Some(begin) = reached.into_iter().flatten().min() else { return };
        let note = provider([from, turning, until]);
        let (turning, until) = (reached[1], reached.into_iter().flatten().max());
        let (name, is_incident, awaited_until) = (name.to_owned(), false, turning);
        steps.push(Step { name, from: begin, turning, until, awaited_until, note, is_incident });
    };
    add("asr", [Mark::SttPartial, Mark::SttFinal, Mark::SttFinal]);
    add("llm", [Mark::LlmStart, Mark::LlmToken, Mark::LlmEnd]);
    add("tts", [Mark::TtsStart, Mark::TtsFrame, Mark::TtsEnd]);
    if let Some((committed, why)) = &turn.committed {
        let from = turn.at(Mark::MediaIn).unwrap_or(*committed);
        let (name, until, note) = ("end of turn".to_owned(), Some(*committed), why.clone());
        steps.push(Step { name, from, turning: None, until, awaited_until: None, note, is_incident: false });
    }
    steps.extend(turn.tools.iter().map(|tool| Step {
        name: format!("tool {}", tool.name),
        from: tool.from,
        turning: None,
        until: tool.answered.map(|(at, _)| at),
        note: if tool.answered.is_some_and(|(_, is_ok)| !is_ok) {
            "failed".to_owned()
        } else {
            String::new()
        },
        awaited_until: None,
        is_incident: false,
    }));
    let answer = turn.marks.get(&Mark::TtsFrame).and_then(|reached| reached.utterance);
    let has_model = turn.marks.contains_key(&Mark::LlmStart);
    steps.extend(turn.sayings.iter().map(|saying| Step {
        name: if Some(saying.utterance) == answer || !has_model { "answer" } else { "filler" }.to_owned(),
        from: saying.from,
        turning: Some(saying.from),
        until: saying.until,
        note: if saying.is_cut { "cut".to_owned() } else { String::new() },
        awaited_until: None,
        is_incident: false,
    }));
    steps.extend(turn.incidents.iter().map(|incident| Step {
        name: incident.kind.to_owned(),
        from: incident.at,
        turning: None,
        until: None,
        note: printable(&incident.what),
        awaited_until: None,
        is_incident: true,
    }));
    steps
}

fn recorded_line(turn: &TurnPath, recorded: Recorded) -> String {
    let ms = recorded.voice_to_voice_ms();
    let off = turn
        .voice_to_voice_ms()
        .map_or_else(String::new, |marked| format!(", {} ms off", marked.abs_diff(ms)));
    format!("  in the recording {ms} ms{off}")
}

fn totals(waterfall: &Waterfall) -> Vec<String> {
    let totals = waterfall.totals();
    let mut lines = vec![format!("{:24}{:>10}{:>10}{:>8}", "in milliseconds", "p50", "p95", "turns")];
    let rows: [(&str, Figure); 7] = [
        ("voice to voice", totals.voice_to_voice),
        ("  wait for turn's end", totals.end_of_turn),
        ("  server's own share", totals.own),
        ("  asr: last words", totals.asr),
        ("  llm: first token", totals.llm),
        ("  llm: first sentence", totals.text),
        ("  tts: first sound", totals.tts),
    ];
    lines.extend(rows.into_iter().map(|(name, figure)| {
        let ms = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        format!("{name:24}{:>10}{:>10}{:>8}", ms(figure.p50_ms), ms(figure.p95_ms), figure.count)
    }));
    lines
}

/// Minutes, seconds and milliseconds since the call began.
fn clock(at: CallTime) -> String {
    let ms = at.0 / 1_000;
    format!("{:02}:{:02}.{:03}", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
}

const USUAL_COLUMNS: usize = 80;
const NARROWEST: usize = 60;
/// Wider bars tell nothing more.
const WIDEST: usize = 160;
/// Columns of a step's name, of how long it took, and of who did it.
const NAME: usize = 12;
const TOOK: usize = 9;
const NOTE: usize = 14;
/// Where the bars begin.
const LEFT: usize = 2 + NAME + 1;
const NARROWEST_BAR: usize = 20;
/// What is shorter is no help.
const NARROWEST_NOTE: usize = 30;
