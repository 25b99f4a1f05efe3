//! Plots as SVG: bars, which is all that figures of conditions need.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Figures, Report, Share};

/// The plots of a run: name and content of each file.
pub fn plots(report: &Report) -> Vec<(&'static str, String)> {
    let all = &report.conditions;
    vec![
        ("interruptions.svg", interruptions(all)),
        ("false-alarms.svg", false_alarms(all)),
        ("cut-offs.svg", cut_offs(all)),
        ("waits.svg", waits(all)),
    ]
}

fn interruptions(all: &[Figures]) -> String {
    let heard: Vec<&Figures> = all.iter().filter(|f| f.interruptions.duck.count > 0).collect();
    let p95 = |f: &&Figures| (f.condition.clone(), vec![f.interruptions.duck.p95, f.interruptions.pause.p95]);
    bars(&Chart {
        title: "From the first sound of an interruption until the agent is softer, and silent (ms, 95th percentile)",
        series: &["softer", "silent"],
        rows: heard.iter().map(p95).collect(),
        marks: &[(120.0, "120"), (250.0, "250")],
    })
}

fn false_alarms(all: &[Figures]) -> String {
    let rate = |f: &Figures| (f.condition.clone(), vec![f.false_ducks_per_min, f.false_pauses_per_min]);
    bars(&Chart {
        title: "False alarms while the agent talks (per minute)",
        series: &["turned down", "paused"],
        rows: all.iter().filter(|f| f.talked_min > 0.0).map(rate).collect(),
        marks: &[(1.0, "1")],
    })
}

fn cut_offs(all: &[Figures]) -> String {
    let lengths = [300, 500, 700, 1000];
    let cuts = |cuts: &BTreeMap<u32, Share>| -> Vec<Option<f32>> {
        let part = |ms: &u32| cuts.get(ms).and_then(|share| share.part()).map(|part| 100.0 * part);
        lengths.iter().map(part).collect()
    };
    let spoken: Vec<&Figures> = all.iter().filter(|f| !f.cut_pauses.is_empty()).collect();
    bars(&Chart {
        title: "Pauses in which the agent took the turn (%, by their length)",
        series: &["300 ms", "500 ms", "700 ms", "1000 ms"],
        rows: spoken.iter().map(|f| (f.condition.clone(), cuts(&f.cut_pauses))).collect(),
        marks: &[(5.0, "5")],
    })
}

fn waits(all: &[Figures]) -> String {
    let spoken: Vec<&Figures> = all.iter().filter(|f| f.sentence_wait.count > 0).collect();
    let wait = |f: &&Figures| (f.condition.clone(), vec![f.sentence_wait.p50, f.sentence_wait.p95]);
    bars(&Chart {
        title: "From the end of a whole sentence until the agent answers (ms)",
        series: &["median", "95th percentile"],
        rows: spoken.iter().map(wait).collect(),
        marks: &[(700.0, "700")],
    })
}

/// Groups of bars, one group for each row.
struct Chart<'a> {
    title: &'a str,
    series: &'a [&'a str],
    rows: Vec<(String, Vec<Option<f32>>)>,
    /// Values that a line stands at.
    marks: &'a [(f32, &'a str)],
}

fn bars(chart: &Chart<'_>) -> String {
    let group = BAR * chart.series.len() as f32 + GAP;
    let height = TOP + group * chart.rows.len() as f32 + BOTTOM;
    let values = chart.rows.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let largest = values.chain(chart.marks.iter().map(|mark| mark.0)).fold(0.0, f32::max).max(0.001);
    let x = |value: f32| LEFT + PLOT * value / largest;
    // Writing to a string does not fail.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(chart.title)
    );
    for (n, name) in chart.series.iter().enumerate() {
        let at = LEFT + 130.0 * n as f32;
        let _ = writeln!(
            svg,
            "<rect x=\"{at}\" y=\"32\" width=\"12\" height=\"12\" fill=\"{}\"/>",
            COLOURS[n % 4]
        );
        let _ = writeln!(svg, "<text x=\"{}\" y=\"43\">{}</text>", at + 18.0, escaped(name));
    }
    for (row, (label, values)) in chart.rows.iter().enumerate() {
        let y = TOP + group * row as f32;
        let middle = y + BAR * chart.series.len() as f32 / 2.0 + 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            escaped(label)
        );
        for (n, value) in values.iter().enumerate() {
            let y = y + BAR * n as f32;
            let (width, told) = value.map_or((0.0, "-".to_owned()), |v| (x(v) - LEFT, short(v)));
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"9\">{told}</text>",
                BAR - 1.0,
                COLOURS[n % 4],
                LEFT + width + 4.0,
                y + BAR - 2.0
            );
        }
    }
    for (value, label) in chart.marks {
        let at = x(*value);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#c00\" \
             stroke-dasharray=\"4 3\"/><text x=\"{at:.1}\" y=\"{:.1}\" fill=\"#c00\" text-anchor=\"middle\">{label}</text>",
            height - BOTTOM,
            height - BOTTOM + 14.0
        );
    }
    svg += "</svg>\n";
    svg
}

fn short(value: f32) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const WIDTH: f32 = 900.0;
const LEFT: f32 = 150.0;
const PLOT: f32 = 680.0;
const TOP: f32 = 58.0;
const BOTTOM: f32 = 26.0;
const BAR: f32 = 11.0;
const GAP: f32 = 8.0;
const COLOURS: [&str; 4] = ["#4878a8", "#e08e45", "#6a9f58", "#9d7660"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_bar_for_each_value_and_is_sound_xml() {
        let svg = bars(&Chart {
            title: "a < b & c",
            series: &["one", "two"],
            rows: vec![("x".to_owned(), vec![Some(5.0), None]), ("y".to_owned(), vec![Some(1.0), Some(2.5)])],
            marks: &[(4.0, "4")],
        });
        // The ground, two of the legend, four of the rows.
        assert_eq!(svg.matches("<rect").count(), 7);
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains(">2.50<") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    }
}
