//! Figures of each condition out of the outcomes of its trials, as a table, as JSON and as plots.

mod plot;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

pub use plot::plots;
pub use table::table;

use super::labels::{AgentPart, Kind};
use super::measure::{Outcome, Over};

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
    /// From the first sound of an interruption until the agent was 12 dB softer on the wire.
    pub duck: Percentiles,
    /// Of these, within 120 ms.
    pub duck_within_120: Share,
    /// Until it was silent on the wire.
    pub pause: Percentiles,
    /// Of these, within 250 ms.
    pub pause_within_250: Share,
    /// Until the agent was told that it is stopped.
    pub stop: Percentiles,
    /// Calls in whose first three seconds the agent was turned down although nobody spoke.
    pub early_ducks: Share,
    /// Calls in whose first three seconds it was stopped.
    pub early_stops: Share,
    /// Minutes behind these in which the agent talked and no caller spoke.
    pub talked_min: f32,
    /// Times the agent was turned down in one such minute.
    pub false_ducks_per_min: Option<f32>,
    /// Times it fell silent in one.
    pub false_pauses_per_min: Option<f32>,
    /// Times it was stopped for good in one.
    pub false_stops_per_min: Option<f32>,
    /// Interruptions that did not stop the agent.
    pub missed_interruptions: Share,
    /// Backchannels that stopped it.
    pub stopped_by_backchannel: Share,
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
    /// The longest of all these waits.
    pub longest_wait: Option<f32>,
    /// From the beginning of an answer until the agent's own, at most.
    pub longest_turn: Option<f32>,
    /// Answers that were not cut off and that the agent never took.
    pub unanswered: Share,
    /// Turns that ended in a minute without a caller.
    pub false_turns_per_min: Option<f32>,
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
        let over = |kind: Kind| -> Vec<&Over> {
            outcomes.iter().filter(|o| o.kind == kind).filter_map(|o| o.over.as_ref()).collect()
        };
        let (interruptions, backchannels, noises) =
            (over(Kind::Interruption), over(Kind::Backchannel), over(Kind::Noise));
        let within = |limit: f32, time: fn(&Over) -> Option<f32>| {
            Share::of(&interruptions, |over| time(over).is_some_and(|ms| ms <= limit))
        };
        let undisturbed = Undisturbed::of(outcomes);
        let talks: Vec<&&Outcome> = outcomes.iter().filter(|o| o.agent == AgentPart::Talks).collect();
        let resumes: Vec<_> =
            outcomes.iter().filter_map(|o| o.over.as_ref()).flat_map(|over| &over.resumes).collect();
        let resumed: Vec<&Over> =
            outcomes.iter().filter_map(|o| o.over.as_ref()).filter(|over| !over.resumes.is_empty()).collect();
        let answers = Answers::of(outcomes);
        let whole = || answers.all.iter().map(|(_, answer)| answer).filter(|answer| !answer.is_cut());
        Self {
            condition: condition.to_owned(),
            trials: outcomes.len(),
            duck: Percentiles::of(interruptions.iter().map(|over| over.duck_ms)),
            duck_within_120: within(120.0, |over| over.duck_ms),
            pause: Percentiles::of(interruptions.iter().map(|over| over.pause_ms)),
            pause_within_250: within(250.0, |over| over.pause_ms),
            stop: Percentiles::of(interruptions.iter().map(|over| over.stop_ms)),
            early_ducks: Share::of(&talks, |o| o.undisturbed.early_ducks > 0),
            early_stops: Share::of(&talks, |o| o.undisturbed.early_stops > 0),
            talked_min: undisturbed.minutes,
            false_ducks_per_min: undisturbed.per_minute(undisturbed.ducks),
            false_pauses_per_min: undisturbed.per_minute(undisturbed.pauses),
            false_stops_per_min: undisturbed.per_minute(undisturbed.stops),
            missed_interruptions: Share::of(&interruptions, |over| !over.is_heard()),
            stopped_by_backchannel: Share::of(&backchannels, |over| over.is_stopped()),
            stopped_by_noise: Share::of(&noises, |over| over.is_stopped()),
            wrong_resumes: Share::of(&resumed, |over| !over.is_resumed_right()),
            repeated_max: largest(resumes.iter().map(|resumed| resumed.repeated_ms)),
            skipped_max: largest(resumes.iter().map(|resumed| resumed.skipped_ms)),
            duck_error_db: largest(outcomes.iter().filter_map(|o| o.duck_db).map(|db| (db + 12.0).abs())),
            cut_pauses: answers.cuts(&[Kind::Pause]),
            cut_lead_ins: answers.cuts(&[Kind::LeadIn]),
            cut_digits: answers.cuts(&[Kind::Digits]),
            cut_to_500: answers.cuts_up_to(500),
            talked_over: Share::of(&answers.all, |(_, answer)| answer.is_talked_over),
            sentence_wait: answers.waits(&[Kind::Sentence]),
            pause_wait: answers.waits(&[Kind::Pause]),
            digits_wait: answers.waits(&[Kind::LeadIn, Kind::Digits]),
            longest_wait: largest(whole().filter_map(|answer| answer.wait_ms)),
            longest_turn: largest(whole().filter_map(|answer| answer.turn_ms)),
            unanswered: Share::of(&whole().collect::<Vec<_>>(), |answer| answer.wait_ms.is_none()),
            false_turns_per_min: false_turns(outcomes),
            strange_frames: outcomes.iter().map(|outcome| outcome.strange_frames).sum(),
        }
    }
}

/// The agent's talk that nobody meant to disturb.
#[derive(Clone, Copy, Debug)]
struct Undisturbed {
    minutes: f32,
    ducks: usize,
    pauses: usize,
    stops: usize,
}

impl Undisturbed {
    fn of(outcomes: &[&Outcome]) -> Self {
        let all = || outcomes.iter().map(|outcome| outcome.undisturbed);
        Self {
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

/// What callers answered.
struct Answers<'a> {
    all: Vec<(Kind, &'a super::measure::Answer)>,
}

impl<'a> Answers<'a> {
    fn of(outcomes: &[&'a Outcome]) -> Self {
        let answer = |outcome: &&'a Outcome| Some((outcome.kind, outcome.answer.as_ref()?));
        Self { all: outcomes.iter().filter_map(answer).collect() }
    }

    fn cuts(&self, kinds: &[Kind]) -> BTreeMap<u32, Share> {
        let mut cuts: BTreeMap<u32, Share> = BTreeMap::new();
        let answers = self.all.iter().filter(|(kind, _)| kinds.contains(kind));
        for pause in answers.flat_map(|(_, answer)| &answer.pauses) {
            let share = cuts.entry(pause.length_ms).or_default();
            share.of += 1;
            share.count += usize::from(pause.is_cut);
        }
        cuts
    }

    fn cuts_up_to(&self, longest_ms: u32) -> Share {
        let short: Vec<_> = self
            .all
            .iter()
            .flat_map(|(_, answer)| &answer.pauses)
            .filter(|pause| pause.length_ms <= longest_ms)
            .collect();
        Share::of(&short, |pause| pause.is_cut)
    }

    fn waits(&self, kinds: &[Kind]) -> Percentiles {
        let of_kinds = self.all.iter().filter(|(kind, _)| kinds.contains(kind));
        // Who was cut off is counted there and does not wait.
        let whole = of_kinds.filter(|(_, answer)| !answer.is_cut());
        Percentiles::of(whole.map(|(_, answer)| answer.wait_ms))
    }
}

fn false_turns(outcomes: &[&Outcome]) -> Option<f32> {
    let is_empty = |o: &&&Outcome| o.kind == Kind::Nothing && o.agent != AgentPart::Talks;
    let turns: usize = outcomes.iter().filter(is_empty).map(|o| o.false_turns).sum();
    let minutes = outcomes.iter().filter(is_empty).map(|o| o.length_ms).sum::<f32>() / 60_000.0;
    (minutes > 0.0).then(|| turns as f32 / minutes)
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
