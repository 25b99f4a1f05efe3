//! What callers answered: where they were cut off, and how long they waited.

use std::collections::BTreeMap;

use super::{Percentiles, Share, largest};
use crate::eval::labels::Kind;
use crate::eval::measure::{Answer, Outcome};

/// All answers of a condition.
pub(super) struct Answers<'a> {
    all: Vec<(Kind, &'a Answer)>,
}

impl<'a> Answers<'a> {
    /// Those of all trials that have one.
    pub(super) fn of(outcomes: &[&'a Outcome]) -> Self {
        let answer = |outcome: &&'a Outcome| Some((outcome.kind, outcome.answer.as_ref()?));
        Self { all: outcomes.iter().filter_map(answer).collect() }
    }

    /// Pauses in which the agent took the turn, by their length.
    pub(super) fn cuts(&self, kinds: &[Kind]) -> BTreeMap<u32, Share> {
        let mut cuts: BTreeMap<u32, Share> = BTreeMap::new();
        let answers = self.all.iter().filter(|(kind, _)| kinds.contains(kind));
        for pause in answers.flat_map(|(_, answer)| &answer.pauses) {
            let share = cuts.entry(pause.length_ms).or_default();
            share.of += 1;
            share.count += usize::from(pause.is_cut);
        }
        cuts
    }

    /// The same of all that are no longer than that.
    pub(super) fn cuts_up_to(&self, longest_ms: u32) -> Share {
        let short: Vec<_> = self
            .all
            .iter()
            .flat_map(|(_, answer)| &answer.pauses)
            .filter(|pause| pause.length_ms <= longest_ms)
            .collect();
        Share::of(&short, |pause| pause.is_cut)
    }

    /// How long the callers waited who were not cut off.
    pub(super) fn waits(&self, kinds: &[Kind]) -> Percentiles {
        let of_kinds = self.all.iter().filter(|(kind, _)| kinds.contains(kind));
        // Who was cut off is counted there and does not wait.
        let whole = of_kinds.filter(|(_, answer)| !answer.is_cut());
        Percentiles::of(whole.map(|(_, answer)| answer.wait_ms))
    }

    /// Of all answers, those.
    pub(super) fn share(&self, is_one: impl Fn(&Answer) -> bool) -> Share {
        Share::of(&self.all, |(_, answer)| is_one(answer))
    }

    /// The longest of these times.
    pub(super) fn longest(&self, time: impl Fn(&Answer) -> Option<f32>) -> Option<f32> {
        largest(self.all.iter().filter_map(|(_, answer)| time(answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::measure::Pause;
    use crate::eval::report::an_outcome;

    fn answered(kind: Kind, is_cut: bool, wait_ms: Option<f32>) -> Outcome {
        let pauses = vec![Pause { length_ms: 500, is_cut }];
        let answer = Answer { pauses, wait_ms, turn_ms: wait_ms, is_talked_over: false };
        Outcome { answer: Some(answer), ..an_outcome(kind) }
    }

    #[test]
    fn who_was_cut_off_does_not_wait_but_has_to_be_answered() {
        let outcomes = [
            answered(Kind::Pause, false, Some(600.0)),
            answered(Kind::Pause, true, Some(2000.0)),
            answered(Kind::LeadIn, true, None),
        ];
        let outcomes: Vec<&Outcome> = outcomes.iter().collect();
        let answers = Answers::of(&outcomes);
        assert_eq!(answers.waits(&[Kind::Pause]).max, Some(600.0));
        assert_eq!(answers.longest(|answer| answer.wait_ms), Some(2000.0));
        assert_eq!(answers.share(|answer| answer.wait_ms.is_none()), Share { count: 1, of: 3 });
        assert_eq!(answers.cuts(&[Kind::Pause])[&500], Share { count: 1, of: 2 });
        assert_eq!(answers.cuts_up_to(499), Share::default());
    }
}
