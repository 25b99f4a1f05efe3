//! What turn-taking has to be like: one line for each figure that is bounded, in TOML. The usual ones come with the program.

use serde::Deserialize;

use super::report::{Figures, Levels, Percentiles, Report, Share};

/// All bounds of a run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// A bound behind whose figure there are fewer samples is not judged: trials, pauses, or stretches of 10 s for what is counted
    /// by the minute. What is the worst of all is judged by a single one.
    #[serde(default = "least_samples")]
    pub least_samples: usize,
    /// The bounds, in the order in which they are checked.
    pub threshold: Vec<Threshold>,
}

/// One bound.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The conditions that it holds for.
    pub conditions: Vec<String>,
    /// The figure, by one of the names of `MEASURES`.
    pub measure: String,
    /// The largest value that is good.
    pub at_most: f64,
}

/// What the bounds say of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Bounds that were not kept.
    pub missed: Vec<Miss>,
    /// Bounds of figures that too little was measured for.
    pub unjudged: Vec<Unjudged>,
    /// Conditions of the run that no bound names.
    pub unbounded: Vec<String>,
    /// Conditions that are bounded and were not run.
    pub unused: Vec<String>,
}

/// A bound that was not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// Where.
    pub condition: String,
    /// Which figure.
    pub measure: String,
    /// What it is; none if what it measures never happened.
    pub value: Option<f64>,
    /// What it should be at most.
    pub at_most: f64,
}

/// A bound that was not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// Where.
    pub condition: String,
    /// Which figure.
    pub measure: String,
    /// So many samples it has.
    pub samples: usize,
    /// So many it would need.
    pub least: usize,
}

/// Why a file holds no thresholds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// It is no TOML, or not of this shape.
    #[error("{0}")]
    Format(String),
    /// There is no such figure.
    #[error("there is no measure {0:?}; there are {known}", known = names())]
    Measure(String),
    /// The bound is no number.
    #[error("{0}: at_most must be a number")]
    Bound(String),
}

impl Thresholds {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no TOML, names a figure that does not exist, or bounds it by nothing.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let thresholds: Self =
            toml::from_str(text).map_err(|error| ThresholdError::Format(error.to_string()))?;
        for threshold in &thresholds.threshold {
            if find(&threshold.measure).is_none() {
                return Err(ThresholdError::Measure(threshold.measure.clone()));
            }
            if !threshold.at_most.is_finite() {
                return Err(ThresholdError::Bound(threshold.measure.clone()));
            }
        }
        Ok(thresholds)
    }

    /// Those that come with the program.
    ///
    /// # Errors
    /// Never: a test reads them.
    pub fn usual() -> Result<Self, ThresholdError> {
        Self::parse(USUAL)
    }

    /// What the bounds say of a run. Conditions that were not run are not judged.
    pub fn judge(&self, report: &Report) -> Judgement {
        let mut judgement = Judgement::default();
        let ran = |name: &String| report.conditions.iter().any(|figures| figures.condition == *name);
        for threshold in &self.threshold {
            for name in threshold.conditions.iter().filter(|name| !ran(name)) {
                if !judgement.unused.contains(name) {
                    judgement.unused.push(name.clone());
                }
            }
        }
        for figures in &report.conditions {
            let mut of_condition = self
                .threshold
                .iter()
                .filter(|bound| bound.conditions.contains(&figures.condition))
                .peekable();
            if of_condition.peek().is_none() {
                judgement.unbounded.push(figures.condition.clone());
            }
            of_condition.for_each(|bound| self.judge_one(bound, figures, &mut judgement));
        }
        judgement
    }

    fn judge_one(&self, bound: &Threshold, figures: &Figures, judgement: &mut Judgement) {
        // Names were checked when the bounds were read.
        let Some((_, measured)) = find(&bound.measure) else { return };
        let Measured { value, samples } = measured(figures);
        let (condition, measure) = (figures.condition.clone(), bound.measure.clone());
        if samples < self.least_samples {
            judgement.unjudged.push(Unjudged { condition, measure, samples, least: self.least_samples });
        } else if value.is_none_or(|value| value > bound.at_most) {
            judgement.missed.push(Miss { condition, measure, value, at_most: bound.at_most });
        }
    }
}

impl std::fmt::Display for Unjudged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { condition, measure, samples, least } = self;
        write!(f, "{condition}: {measure} is not judged: it has {samples} samples and needs {least}")
    }
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { condition, measure, value, at_most } = self;
        match value {
            Some(value) => write!(f, "{condition}: {measure} is {value:.3} and should be at most {at_most}"),
            None => write!(f, "{condition}: {measure} has no value and should be at most {at_most}"),
        }
    }
}

/// A figure, and how much was measured for it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Measured {
    /// None if what it measures never happened, or not to so many.
    value: Option<f64>,
    samples: usize,
}

type Measure = fn(&Figures) -> Measured;

/// The figures that can be bounded.
const MEASURES: &[(&str, Measure)] = &[
    ("duck_p50_ms", |f| median(f.interruptions.duck)),
    ("duck_p95_ms", |f| p95(f.interruptions.duck)),
    ("pause_p50_ms", |f| median(f.interruptions.pause)),
    ("pause_p95_ms", |f| p95(f.interruptions.pause)),
    ("stop_p50_ms", |f| median(f.interruptions.stop)),
    ("stop_p95_ms", |f| p95(f.interruptions.stop)),
    ("untimed_interruptions", |f| part(f.interruptions.untimed)),
    ("missed_interruptions", |f| part(f.interruptions.missed)),
    ("resumed_over_caller", |f| part(f.interruptions.resumed_over_caller)),
    ("early_interruption_duck_p50_ms", |f| median(f.early_interruptions.duck)),
    ("early_interruption_duck_p95_ms", |f| p95(f.early_interruptions.duck)),
    ("early_interruption_pause_p50_ms", |f| median(f.early_interruptions.pause)),
    ("early_interruption_pause_p95_ms", |f| p95(f.early_interruptions.pause)),
    ("untimed_early_interruptions", |f| part(f.early_interruptions.untimed)),
    ("missed_early_interruptions", |f| part(f.early_interruptions.missed)),
    ("early_resumed_over_caller", |f| part(f.early_interruptions.resumed_over_caller)),
    ("early_ducks", |f| part(f.early_ducks)),
    ("early_pauses", |f| part(f.early_pauses)),
    ("early_stops", |f| part(f.early_stops)),
    ("false_ducks_per_min", |f| rate(f.false_ducks_per_min, f.quiet_min)),
    ("false_pauses_per_min", |f| rate(f.false_pauses_per_min, f.quiet_min)),
    ("false_stops_per_min", |f| rate(f.false_stops_per_min, f.quiet_min)),
    ("false_turns_per_min", |f| rate(f.false_turns_per_min, f.unasked_min)),
    ("stopped_questions", |f| part(f.stopped_questions)),
    ("stopped_by_backchannel", |f| part(f.stopped_by_backchannel)),
    ("stopped_by_doubled", |f| part(f.stopped_by_doubled)),
    ("stopped_by_noise", |f| part(f.stopped_by_noise)),
    ("wrong_resumes", |f| part(f.wrong_resumes)),
    ("repeated_max_ms", |f| worst(f.repeated_max.or(Some(0.0)))),
    ("skipped_max_ms", |f| worst(f.skipped_max.or(Some(0.0)))),
    ("duck_error_db", |f| worst(f.duck_error_db)),
    ("cut_to_500", |f| part(f.cut_to_500)),
    ("talked_over", |f| part(f.talked_over)),
    ("sentence_wait_p50_ms", |f| median(f.sentence_wait)),
    ("sentence_wait_p95_ms", |f| p95(f.sentence_wait)),
    ("longest_wait_ms", |f| worst(f.longest_wait)),
    ("longest_turn_ms", |f| worst(f.longest_turn)),
    ("unanswered", |f| part(f.unanswered)),
    ("level_error_p95_db", |f| level(f.level)),
    ("settled_level_error_p95_db", |f| level(f.settled_level)),
    ("strange_frames", |f| worst(Some(f.strange_frames as f32))),
];

fn median(times: Percentiles) -> Measured {
    Measured { value: times.p50.map(f64::from), samples: times.count }
}

fn p95(times: Percentiles) -> Measured {
    Measured { value: times.p95.map(f64::from), samples: times.count }
}

fn level(levels: Levels) -> Measured {
    Measured { value: levels.error_p95.map(f64::from), samples: levels.count }
}

fn part(share: Share) -> Measured {
    // As exact as the bound: one of 20 is not more than 0.05.
    let value = (share.of > 0).then(|| share.count as f64 / share.of as f64);
    Measured { value, samples: share.of }
}

/// `minutes` is for how long it was looked at: an agent that is stopped at once by every call talks for less than that, and must
/// not escape its bound by it.
fn rate(per_minute: Option<f32>, minutes: f32) -> Measured {
    // Never negative, and no run takes years.
    Measured { value: per_minute.map(f64::from), samples: (minutes * STRETCHES_PER_MIN) as usize }
}

/// The worst of all is what it is, however many there are.
fn worst(value: Option<f32>) -> Measured {
    let samples = if value.is_some() { usize::MAX } else { 0 };
    Measured { value: value.map(f64::from), samples }
}

fn find(name: &str) -> Option<&'static (&'static str, Measure)> {
    MEASURES.iter().find(|(known, _)| *known == name)
}

fn names() -> String {
    MEASURES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn least_samples() -> usize {
    LEAST_SAMPLES
}

/// Of fewer, one alone is more than 5 %.
const LEAST_SAMPLES: usize = 20;
/// Of 10 s.
const STRETCHES_PER_MIN: f32 = 6.0;
const USUAL: &str = include_str!("thresholds.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::labels::Kind;
    use crate::eval::measure::Outcome;
    use crate::eval::report;

    fn outcome(condition: &str) -> Outcome {
        Outcome { condition: condition.to_owned(), ..report::an_outcome(Kind::Nothing) }
    }

    #[test]
    fn the_usual_thresholds_can_be_read_and_name_conditions_that_exist() {
        let usual = Thresholds::usual().unwrap();
        let known = |name: &String| crate::eval::CONDITIONS.iter().any(|condition| condition.name == *name);
        assert!(usual.threshold.len() > 10);
        assert!(usual.threshold.iter().all(|threshold| threshold.conditions.iter().all(known)));
    }

    #[test]
    fn what_bounds_nothing_is_refused() {
        let read = |text: &str| Thresholds::parse(text).unwrap_err().to_string();
        let line = "[[threshold]]\nconditions = [\"clean\"]\nmeasure = \"duck_p95_ms\"\nat_most = 120\n";
        assert!(Thresholds::parse(line).is_ok());
        assert!(read(&line.replace("duck_p95", "duck_p96")).contains("there are duck_p50_ms"));
        assert!(read(&line.replace("120", "nan")).contains("must be a number"));
        assert!(read(&line.replace("measure", "measures")).contains("unknown field"));
    }

    /// A run with so many backchannels, of which so many stopped the agent, and so long without a caller.
    fn ran(condition: &str, (stopped, backchannels): (usize, usize), quiet_min: f32) -> Report {
        let mut report = Report::of(&[outcome(condition)], 1, true);
        let figures = &mut report.conditions[0];
        figures.stopped_by_backchannel = Share { count: stopped, of: backchannels };
        (figures.quiet_min, figures.false_ducks_per_min) = (quiet_min, Some(2.0));
        // Stopped for most of the time.
        figures.talked_min = 0.1;
        report
    }

    fn bounds() -> Thresholds {
        let bound = |measure: &str, at_most: f64| Threshold {
            conditions: vec!["clean".to_owned()],
            measure: measure.to_owned(),
            at_most,
        };
        let threshold = vec![bound("stopped_by_backchannel", 0.05), bound("false_ducks_per_min", 1.0)];
        Thresholds { least_samples: LEAST_SAMPLES, threshold }
    }

    #[test]
    fn a_bound_that_is_not_kept_is_told() {
        let judgement = bounds().judge(&ran("clean", (2, 20), 4.0));
        let told: Vec<String> = judgement.missed.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "clean: stopped_by_backchannel is 0.100 and should be at most 0.05",
                "clean: false_ducks_per_min is 2.000 and should be at most 1"
            ]
        );
        assert_eq!((judgement.unjudged, judgement.unbounded, judgement.unused), (vec![], vec![], vec![]));
        assert_eq!(bounds().judge(&ran("clean", (1, 20), 4.0)).missed.len(), 1);
    }

    #[test]
    fn what_was_hardly_measured_is_not_judged_and_that_is_told() {
        let judgement = bounds().judge(&ran("clean", (3, 3), 3.0));
        assert_eq!(judgement.missed, []);
        let told: Vec<String> = judgement.unjudged.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "clean: stopped_by_backchannel is not judged: it has 3 samples and needs 20",
                "clean: false_ducks_per_min is not judged: it has 18 samples and needs 20"
            ]
        );
        let lenient = Thresholds { least_samples: 3, ..bounds() };
        assert_eq!(lenient.judge(&ran("clean", (3, 3), 3.0)).missed.len(), 2);
    }

    #[test]
    fn a_condition_without_a_bound_and_a_bound_without_a_condition_are_told() {
        let judgement = bounds().judge(&ran("street", (20, 20), 4.0));
        assert_eq!((judgement.missed, judgement.unjudged), (vec![], vec![]));
        assert_eq!(
            (judgement.unbounded, judgement.unused),
            (vec!["street".to_owned()], vec!["clean".to_owned()])
        );
    }

    #[test]
    fn the_worst_of_all_is_judged_by_one_and_what_never_happened_is_missed() {
        assert_eq!(worst(Some(3.0)), Measured { value: Some(3.0), samples: usize::MAX });
        assert_eq!(worst(None).samples, 0);
        let mut report = ran("clean", (0, 20), 4.0);
        let figures = &mut report.conditions[0];
        figures.false_ducks_per_min = None;
        assert_eq!(bounds().judge(&report).missed[0].value, None);
    }
}
