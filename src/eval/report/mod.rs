//! Figures of each condition out of the outcomes of its trials, as a table, as JSON and as plots.

mod answers;
mod interruptions;
mod levels;
mod plot;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

pub use interruptions::Interruptions;
pub use levels::Levels;
pub use plot::plots;
pub use table::table;

use super::labels::{AgentPart, Kind};
use super::measure::{Begun, Outcome, Over};
use super::wire::DUCK_DB;
use answers::Answers;

/// All figures of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed of the set and of the network.
    pub seed: u64,
    /// Whether the agents had a recognizer.
    pub has_words: bool,
    /// By condition, in the order of the set.
    pub conditions: Vec<Figures>,
}

/// The figures of one condition. Times are milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Which.
    pub condition: String,
    /// How many trials it has.
    pub trials: usize,
    /// Callers who interrupt after some seconds of the agent's talk.
    pub interruptions: Interruptions,
    /// Callers who interrupt in its first moments.
    pub early_interruptions: Interruptions,
    /// Calls in whose first three seconds the agent was turned down although nobody spoke.
    pub early_ducks: Share,
    /// Calls in whose first three seconds it fell silent.
    pub early_pauses: Share,
    /// Calls in whose first three seconds it was stopped.
    pub early_stops: Share,
    /// Minutes in which no caller spoke in calls in which the agent talks, from the first moment of each.
    pub quiet_min: f32,
    /// Minutes in which the agent talked in that time; less where false alarms had stopped it.
    pub talked_min: f32,
    /// Times the agent was turned down in a minute of such talk.
    pub false_ducks_per_min: Option<f32>,
    /// Times it fell silent in one.
    pub false_pauses_per_min: Option<f32>,
    /// Times it was stopped for good in one.
    pub false_stops_per_min: Option<f32>,
    /// Calls in which its question was stopped before the caller had said a word.
    pub stopped_questions: Share,
    /// Backchannels that stopped it, those said twice included.
    pub stopped_by_backchannel: Share,
    /// Those said twice alone.
    pub stopped_by_doubled: Share,
    /// Coughs that stopped it.
    pub stopped_by_noise: Share,
    /// Pauses that ended, after which more than 40 ms were said twice or something was left out.
    pub wrong_resumes: Share,
    /// The most that was said twice.
    pub repeated_max: Option<f32>,
    /// The most that was left out.
    pub skipped_max: Option<f32>,
    /// How far the ducked agent is from 12 dB softer, in dB, at worst.
    pub duck_error_db: Option<f32>,
    /// Pauses within what a caller says in which the agent took the turn, by their length.
    pub cut_pauses: BTreeMap<u32, Share>,
    /// The same after what announces a number.
    pub cut_lead_ins: BTreeMap<u32, Share>,
    /// The same between groups of digits.
    pub cut_digits: BTreeMap<u32, Share>,
    /// All pauses of at most 500 ms together.
    pub cut_to_500: Share,
    /// Answers in which the agent spoke while the caller did.
    pub talked_over: Share,
    /// From the end of a whole sentence until the agent's answer was on the wire.
    pub sentence_wait: Percentiles,
    /// The same after sentences with a pause.
    pub pause_wait: Percentiles,
    /// The same after announced numbers and digits.
    pub digits_wait: Percentiles,
    /// The longest wait behind any answer, those that were cut off included.
    pub longest_wait: Option<f32>,
    /// From the beginning of an answer until the agent's own, at most.
    pub longest_turn: Option<f32>,
    /// Answers behind whose end the agent never took the turn, those that were cut off included.
    pub unanswered: Share,
    /// Minutes in which the agent waited for an answer and nobody had spoken yet, its question included.
    pub unasked_min: f32,
    /// Turns that ended in one such minute.
    pub false_turns_per_min: Option<f32>,
    /// How loud a recognizer gets what callers say.
    pub level: Levels,
    /// The same behind the first second of each caller's speech.
    pub settled_level: Levels,
    /// Frames on the wire that are neither the agent's words nor silence.
    pub strange_frames: usize,
}

/// How values are spread; what never happened counts as longer than all others and shows as none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many values.
    pub count: usize,
    /// Half of them are no larger.
    pub p50: Option<f32>,
    /// 95 of 100 are no larger.
    pub p95: Option<f32>,
    /// The largest.
    pub max: Option<f32>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// So many.
    pub count: usize,
    /// Of these.
    pub of: usize,
}

impl Report {
    /// The figures of all outcomes, conditions in the order in which they come first.
    pub fn of(outcomes: &[Outcome], seed: u64, has_words: bool) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for outcome in outcomes {
            if !names.contains(&outcome.condition.as_str()) {
                names.push(&outcome.condition);
            }
        }
        let figures = |name: &&str| {
            let of_condition: Vec<&Outcome> = outcomes.iter().filter(|o| o.condition == **name).collect();
            Figures::of(name, &of_condition)
        };
        Self { seed, has_words, conditions: names.iter().map(figures).collect() }
    }
}

impl Figures {
    fn of(condition: &str, outcomes: &[&Outcome]) -> Self {
        let of_kind = |wanted: &[Kind]| -> Vec<&Over> {
            let is_wanted = |o: &&&Outcome| wanted.contains(&o.kind);
            outcomes.iter().filter(is_wanted).filter_map(|o| o.over.as_ref()).collect()
        };
        let stopped = |kinds: &[Kind]| Share::of(&of_kind(kinds), |over| over.is_stopped());
        let undisturbed = Undisturbed::of(outcomes);
        let begun: Vec<Begun> = outcomes.iter().filter_map(|o| o.undisturbed.begun).collect();
        let resumed: Vec<&Over> =
            outcomes.iter().filter_map(|o| o.over.as_ref()).filter(|over| !over.resumes.is_empty()).collect();
        let resumes = || resumed.iter().flat_map(|over| &over.resumes);
        let answers = Answers::of(outcomes);
        let asked: Vec<&&Outcome> = outcomes.iter().filter(|o| o.agent == AgentPart::Asks).collect();
        let (unasked_min, false_turns_per_min) = false_turns(outcomes);
        Self {
            condition: condition.to_owned(),
            trials: outcomes.len(),
            interruptions: Interruptions::of(Kind::Interruption, outcomes),
            early_interruptions: Interruptions::of(Kind::EarlyInterruption, outcomes),
            early_ducks: Share::of(&begun, |begun| begun.ducks > 0),
            early_pauses: Share::of(&begun, |begun| begun.pauses > 0),
            early_stops: Share::of(&begun, |begun| begun.stops > 0),
            quiet_min: undisturbed.quiet_min,
            talked_min: undisturbed.minutes,
            false_ducks_per_min: undisturbed.per_minute(undisturbed.ducks),
            false_pauses_per_min: undisturbed.per_minute(undisturbed.pauses),
            false_stops_per_min: undisturbed.per_minute(undisturbed.stops),
            stopped_questions: Share::of(&asked, |o| o.is_question_stopped),
            stopped_by_backchannel: stopped(&[Kind::Backchannel, Kind::DoubledBackchannel]),
            stopped_by_doubled: stopped(&[Kind::DoubledBackchannel]),
            stopped_by_noise: stopped(&[Kind::Noise]),
            wrong_resumes: Share::of(&resumed, |over| !over.is_resumed_right()),
            repeated_max: largest(resumes().map(|resumed| resumed.repeated_ms)),
            skipped_max: largest(resumes().map(|resumed| resumed.skipped_ms)),
            duck_error_db: largest(outcomes.iter().filter_map(|o| o.duck_db).map(|db| (db - DUCK_DB).abs())),
            cut_pauses: answers.cuts(&[Kind::Pause]),
            cut_lead_ins: answers.cuts(&[Kind::LeadIn]),
            cut_digits: answers.cuts(&[Kind::Digits]),
            cut_to_500: answers.cuts_up_to(500),
            talked_over: answers.share(|answer| answer.is_talked_over),
            sentence_wait: answers.waits(&[Kind::Sentence]),
            pause_wait: answers.waits(&[Kind::Pause]),
            digits_wait: answers.waits(&[Kind::LeadIn, Kind::Digits]),
            longest_wait: answers.longest(|answer| answer.wait_ms),
            longest_turn: answers.longest(|answer| answer.turn_ms),
            unanswered: answers.share(|answer| answer.wait_ms.is_none()),
            unasked_min,
            false_turns_per_min,
            level: Levels::of(outcomes.iter().filter_map(|o| Some(o.level?.whole_db))),
            settled_level: Levels::of(outcomes.iter().filter_map(|o| o.level?.settled_db)),
            strange_frames: outcomes.iter().map(|outcome| outcome.strange_frames).sum(),
        }
    }
}

/// The agent's talk that nobody meant to disturb.
#[derive(Clone, Copy, Debug)]
struct Undisturbed {
    quiet_min: f32,
    minutes: f32,
    ducks: usize,
    pauses: usize,
    stops: usize,
}

impl Undisturbed {
    fn of(outcomes: &[&Outcome]) -> Self {
        let all = || outcomes.iter().map(|outcome| outcome.undisturbed);
        Self {
            quiet_min: all().map(|u| u.quiet_ms).sum::<f32>() / 60_000.0,
            minutes: all().map(|u| u.talked_ms).sum::<f32>() / 60_000.0,
            ducks: all().map(|u| u.ducks).sum(),
            pauses: all().map(|u| u.pauses).sum(),
            stops: all().map(|u| u.stops).sum(),
        }
    }

    fn per_minute(&self, count: usize) -> Option<f32> {
        (self.minutes > 0.0).then(|| count as f32 / self.minutes)
    }
}

/// Minutes without a caller's word in which the agent waits for one, and turns that ended in one of them.
fn false_turns(outcomes: &[&Outcome]) -> (f32, Option<f32>) {
    let turns: usize = outcomes.iter().map(|o| o.false_turns).sum();
    let minutes = outcomes.iter().map(|o| o.unasked_ms).sum::<f32>() / 60_000.0;
    (minutes, (minutes > 0.0).then(|| turns as f32 / minutes))
}

impl Percentiles {
    fn of(values: impl Iterator<Item = Option<f32>>) -> Self {
        let mut values: Vec<f32> = values.map(|value| value.unwrap_or(f32::INFINITY)).collect();
        values.sort_by(f32::total_cmp);
        let count = values.len();
        let at = |percent: usize| {
            // The value that so many percent do not exceed.
            let place = (count * percent).div_ceil(100).max(1) - 1;
            values.get(place).copied().filter(|value| value.is_finite())
        };
        Self { count, p50: at(50), p95: at(95), max: at(100) }
    }
}

impl Share {
    fn of<T>(all: &[T], is_one: impl Fn(&T) -> bool) -> Self {
        Self { count: all.iter().filter(|one| is_one(one)).count(), of: all.len() }
    }

    /// As a part of one; `None` of nothing.
    pub fn part(self) -> Option<f32> {
        (self.of > 0).then(|| self.count as f32 / self.of as f32)
    }
}

fn largest(values: impl Iterator<Item = f32>) -> Option<f32> {
    values.reduce(f32::max)
}

#[cfg(test)]
/// A trial of which nothing is to be told, to be changed by tests.
pub(super) fn an_outcome(kind: Kind) -> Outcome {
    Outcome {
        name: String::new(),
        condition: "clean".to_owned(),
        kind,
        agent: if kind.is_over_agent() { AgentPart::Talks } else { AgentPart::Asks },
        undisturbed: super::measure::Undisturbed::default(),
        over: None,
        answer: None,
        unasked_ms: 0.0,
        false_turns: 0,
        is_question_stopped: false,
        level: None,
        duck_db: None,
        strange_frames: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::measure;

    fn figures(outcomes: &[Outcome]) -> Figures {
        Figures::of("clean", &outcomes.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_never_happened_is_longer_than_all_others() {
        let percentiles = Percentiles::of([Some(30.0), None, Some(10.0), Some(20.0)].into_iter());
        let wanted = Percentiles { count: 4, p50: Some(20.0), p95: None, max: None };
        assert_eq!(percentiles, wanted);
    }

    #[test]
    fn backchannels_said_twice_are_counted_among_all_and_alone() {
        let over = |stop_ms| Some(Over { stop_ms, ..Over::default() });
        let all = [
            Outcome { over: over(None), ..an_outcome(Kind::Backchannel) },
            Outcome { over: over(Some(700.0)), ..an_outcome(Kind::DoubledBackchannel) },
        ];
        let figures = figures(&all);
        assert_eq!(figures.stopped_by_backchannel, Share { count: 1, of: 2 });
        assert_eq!(figures.stopped_by_doubled, Share { count: 1, of: 1 });
    }

    #[test]
    fn alarms_at_the_beginning_are_among_all_and_counted_by_calls() {
        let talk = |ducks, begun| {
            let undisturbed =
                measure::Undisturbed { talked_ms: 30_000.0, ducks, begun, ..Default::default() };
            Outcome { undisturbed, ..an_outcome(Kind::Backchannel) }
        };
        let begun = |ducks| Some(Begun { ducks, pauses: 0, stops: 0 });
        let figures = figures(&[talk(3, begun(2)), talk(0, begun(0)), talk(1, None), talk(0, None)]);
        assert_eq!(figures.early_ducks, Share { count: 1, of: 2 }, "of calls whose caller let it begin");
        assert_eq!((figures.talked_min, figures.false_ducks_per_min), (2.0, Some(2.0)));
    }

    #[test]
    fn turns_without_a_word_are_counted_in_every_call_that_waits_for_one() {
        let waits = |false_turns, is_question_stopped| Outcome {
            unasked_ms: 15_000.0,
            false_turns,
            is_question_stopped,
            ..an_outcome(Kind::Sentence)
        };
        let figures = figures(&[waits(1, true), waits(0, false)]);
        assert_eq!((figures.unasked_min, figures.false_turns_per_min), (0.5, Some(2.0)));
        assert_eq!(figures.stopped_questions, Share { count: 1, of: 2 });
    }
}
