//! What turn-taking has to be like: one line for each figure that is bounded, in TOML. The usual ones come with the program.

use serde::Deserialize;

use super::report::{Figures, Report};

/// All bounds of a run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
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

    /// The bounds that a run did not keep. Conditions that were not run are not judged.
    pub fn misses(&self, report: &Report) -> Vec<Miss> {
        let mut misses = Vec::new();
        for threshold in &self.threshold {
            let named = |figures: &&Figures| threshold.conditions.contains(&figures.condition);
            for figures in report.conditions.iter().filter(named) {
                let value = find(&threshold.measure).and_then(|(_, value)| value(figures));
                if value.is_none_or(|value| value > threshold.at_most) {
                    misses.push(Miss {
                        condition: figures.condition.clone(),
                        measure: threshold.measure.clone(),
                        value,
                        at_most: threshold.at_most,
                    });
                }
            }
        }
        misses
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

type Value = fn(&Figures) -> Option<f64>;

/// The figures that can be bounded. A share of nothing is 0: there was nothing to do wrong.
const MEASURES: &[(&str, Value)] = &[
    ("duck_p50_ms", |f| f.duck.p50.map(f64::from)),
    ("duck_p95_ms", |f| f.duck.p95.map(f64::from)),
    ("pause_p50_ms", |f| f.pause.p50.map(f64::from)),
    ("pause_p95_ms", |f| f.pause.p95.map(f64::from)),
    ("early_stops", |f| part(f.early_stops)),
    ("false_ducks_per_min", |f| f.false_ducks_per_min.map(f64::from)),
    ("false_pauses_per_min", |f| f.false_pauses_per_min.map(f64::from)),
    ("false_stops_per_min", |f| f.false_stops_per_min.map(f64::from)),
    ("missed_interruptions", |f| part(f.missed_interruptions)),
    ("stopped_by_backchannel", |f| part(f.stopped_by_backchannel)),
    ("stopped_by_noise", |f| part(f.stopped_by_noise)),
    ("wrong_resumes", |f| part(f.wrong_resumes)),
    ("repeated_max_ms", |f| Some(f.repeated_max.map_or(0.0, f64::from))),
    ("skipped_max_ms", |f| Some(f.skipped_max.map_or(0.0, f64::from))),
    ("duck_error_db", |f| f.duck_error_db.map(f64::from)),
    ("cut_to_500", |f| part(f.cut_to_500)),
    ("talked_over", |f| part(f.talked_over)),
    ("sentence_wait_p50_ms", |f| f.sentence_wait.p50.map(f64::from)),
    ("sentence_wait_p95_ms", |f| f.sentence_wait.p95.map(f64::from)),
    ("longest_wait_ms", |f| f.longest_wait.map(f64::from)),
    ("longest_turn_ms", |f| f.longest_turn.map(f64::from)),
    ("unanswered", |f| part(f.unanswered)),
    ("false_turns_per_min", |f| f.false_turns_per_min.map(f64::from)),
    ("strange_frames", |f| Some(f.strange_frames as f64)),
];

fn part(share: super::report::Share) -> Option<f64> {
    Some(share.part().map_or(0.0, f64::from))
}

fn find(name: &str) -> Option<&'static (&'static str, Value)> {
    MEASURES.iter().find(|(known, _)| *known == name)
}

fn names() -> String {
    MEASURES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

const USUAL: &str = include_str!("thresholds.toml");

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_bound_that_is_not_kept_and_one_without_a_value_are_told() {
        let report = Report::of(&[], 1, false);
        let thresholds = Thresholds::usual().unwrap();
        assert_eq!(thresholds.misses(&report), [], "nothing was run");
    }
}
