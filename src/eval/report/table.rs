//! The figures as tables for people: plain text that is a table in Markdown too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Figures, Report, Share};

/// All tables of a run.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    for (title, columns) in [
        ("Interruptions, ms from the first sound until the agent is changed on the wire", INTERRUPTIONS),
        ("Interruptions 300-1500 ms after the agent's first sound", EARLY_INTERRUPTIONS),
        (
            "False alarms while the agent talks: calls in whose first 3 s there was one, and one per minute of the whole call",
            FALSE_ALARMS,
        ),
        ("What listeners say, and how the agent goes on", LISTENERS),
        ("Level of what a recognizer gets of callers, in dBov; settled: behind a second of speech", LEVELS),
        ("Answers: the agent took the turn in a pause, and ms until it answered", ANSWERS),
    ] {
        let rows: Vec<Vec<String>> = report
            .conditions
            .iter()
            .filter(|figures| columns.iter().skip(1).any(|(_, cell)| cell(figures) != NONE))
            .map(|figures| columns.iter().map(|(_, cell)| cell(figures)).collect())
            .collect();
        let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{title}\n\n{}", lined_up(&heads, &rows));
    }
    text
}

type Cell = fn(&Figures) -> String;

const INTERRUPTIONS: &[(&str, Cell)] = &[
    ("condition", |f| f.condition.clone()),
    ("n", |f| count(f.interruptions.duck.count)),
    ("untimed", |f| share(f.interruptions.untimed)),
    ("duck p50", |f| ms(f.interruptions.duck.p50)),
    ("p95", |f| ms(f.interruptions.duck.p95)),
    ("<= 120", |f| percent(f.interruptions.duck_within_120)),
    ("pause p50", |f| ms(f.interruptions.pause.p50)),
    ("p95", |f| ms(f.interruptions.pause.p95)),
    ("<= 250", |f| percent(f.interruptions.pause_within_250)),
    ("stop p50", |f| ms(f.interruptions.stop.p50)),
    ("p95", |f| ms(f.interruptions.stop.p95)),
    ("missed", |f| share(f.interruptions.missed)),
    ("resumed over", |f| share(f.interruptions.resumed_over_caller)),
];

const EARLY_INTERRUPTIONS: &[(&str, Cell)] = &[
    ("condition", |f| f.condition.clone()),
    ("n", |f| count(f.early_interruptions.duck.count)),
    ("untimed", |f| share(f.early_interruptions.untimed)),
    ("duck p50", |f| ms(f.early_interruptions.duck.p50)),
    ("p95", |f| ms(f.early_interruptions.duck.p95)),
    ("pause p50", |f| ms(f.early_interruptions.pause.p50)),
    ("p95", |f| ms(f.early_interruptions.pause.p95)),
    ("stop p50", |f| ms(f.early_interruptions.stop.p50)),
    ("p95", |f| ms(f.early_interruptions.stop.p95)),
    ("missed", |f| share(f.early_interruptions.missed)),
    ("resumed over", |f| share(f.early_interruptions.resumed_over_caller)),
];

const FALSE_ALARMS: &[(&str, Cell)] = &[
    ("condition", |f| f.condition.clone()),
    ("early ducks", |f| share(f.early_ducks)),
    ("early pauses", |f| share(f.early_pauses)),
    ("early stops", |f| share(f.early_stops)),
    ("min", |f| number((f.talked_min > 0.0).then_some(f.talked_min), 1)),
    ("ducks/min", |f| number(f.false_ducks_per_min, 2)),
    ("pauses/min", |f| number(f.false_pauses_per_min, 2)),
    ("stops/min", |f| number(f.false_stops_per_min, 2)),
    ("questions stopped", |f| share(f.stopped_questions)),
    ("false turns/min", |f| number(f.false_turns_per_min, 2)),
];

const LISTENERS: &[(&str, Cell)] = &[
    ("condition", |f| f.condition.clone()),
    ("backchannel stops", |f| share(f.stopped_by_backchannel)),
    ("said twice", |f| share(f.stopped_by_doubled)),
    ("cough stops", |f| share(f.stopped_by_noise)),
    ("wrong resumes", |f| share(f.wrong_resumes)),
    ("repeats", |f| ms(f.repeated_max)),
    ("skips", |f| ms(f.skipped_max)),
    ("duck dB off", |f| number(f.duck_error_db, 2)),
];

const LEVELS: &[(&str, Cell)] = &[
    ("condition", |f| f.condition.clone()),
    ("n", |f| count(f.level.count)),
    ("p5", |f| number(f.level.p5, 1)),
    ("p50", |f| number(f.level.p50, 1)),
    ("p95", |f| number(f.level.p95, 1)),
    ("settled n", |f| count(f.settled_level.count)),
    ("p5", |f| number(f.settled_level.p5, 1)),
    ("p50", |f| number(f.settled_level.p50, 1)),
    ("p95", |f| number(f.settled_level.p95, 1)),
];

const ANSWERS: &[(&str, Cell)] = &[
    ("condition", |f| f.condition.clone()),
    ("cut 200", |f| cut(&f.cut_pauses, 200)),
    ("300", |f| cut(&f.cut_pauses, 300)),
    ("500", |f| cut(&f.cut_pauses, 500)),
    ("700", |f| cut(&f.cut_pauses, 700)),
    ("1000", |f| cut(&f.cut_pauses, 1000)),
    ("lead-in 500", |f| cut(&f.cut_lead_ins, 500)),
    ("700", |f| cut(&f.cut_lead_ins, 700)),
    ("1000", |f| cut(&f.cut_lead_ins, 1000)),
    ("1300", |f| cut(&f.cut_lead_ins, 1300)),
    ("digits 300", |f| cut(&f.cut_digits, 300)),
    ("500", |f| cut(&f.cut_digits, 500)),
    ("700", |f| cut(&f.cut_digits, 700)),
    ("talked over", |f| share(f.talked_over)),
    ("wait p50", |f| ms(f.sentence_wait.p50)),
    ("p95", |f| ms(f.sentence_wait.p95)),
    ("digits p50", |f| ms(f.digits_wait.p50)),
    ("longest", |f| ms(f.longest_wait)),
    ("never", |f| share(f.unanswered)),
];

fn count(count: usize) -> String {
    if count == 0 { NONE.to_owned() } else { count.to_string() }
}

fn ms(value: Option<f32>) -> String {
    number(value, 0)
}

fn number(value: Option<f32>, digits: usize) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:.digits$}"))
}

fn percent(share: Share) -> String {
    share.part().map_or(NONE.to_owned(), |part| format!("{:.0} %", 100.0 * part))
}

fn share(share: Share) -> String {
    if share.of == 0 { NONE.to_owned() } else { format!("{}/{}", share.count, share.of) }
}

fn cut(cuts: &BTreeMap<u32, Share>, pause_ms: u32) -> String {
    cuts.get(&pause_ms).map_or(NONE.to_owned(), |cut| percent(*cut))
}

/// A table whose columns are as wide as their longest cell.
fn lined_up(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells.chain([heads[column].len(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).enumerate().map(|(n, (cell, width))| {
            if n == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(&mut heads.iter().copied());
    text += &line(&mut rule.iter().map(String::as_str));
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

const NONE: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_lined_up_and_is_markdown() {
        let rows =
            vec![vec!["clean".to_owned(), "41".to_owned()], vec!["babble-10".to_owned(), "-".to_owned()]];
        let text = lined_up(&["condition", "p50"], &rows);
        assert_eq!(
            text,
            "| condition | p50 |\n| --------- | --- |\n| clean     |  41 |\n| babble-10 |   - |\n"
        );
    }
}
