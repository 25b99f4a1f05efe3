//! Callers who interrupt: how soon the agent made way, and whether it did.

use serde::Serialize;

use super::{Percentiles, Share};
use crate::eval::labels::Kind;
use crate::eval::measure::{Outcome, Over};

/// The figures of one kind of interruptions. Times are milliseconds from the first sound of the caller.
#[derive(Clone, Debug, Serialize)]
pub struct Interruptions {
    /// Those that cannot be timed, because a false alarm had turned the agent down or stopped it already. They are in none of the
    /// times.
    pub untimed: Share,
    /// Until the agent was 12 dB softer on the wire.
    pub duck: Percentiles,
    /// Of these, within 120 ms.
    pub duck_within_120: Share,
    /// Until it was silent on the wire.
    pub pause: Percentiles,
    /// Of these, within 250 ms.
    pub pause_within_250: Share,
    /// Until the agent was told that it is stopped.
    pub stop: Percentiles,
    /// Those over which the agent was talking and that did not stop it.
    pub missed: Share,
    /// Those in which the agent was heard again while its caller had more than 200 ms to say, for more than 200 ms.
    pub resumed_over_caller: Share,
}

impl Interruptions {
    pub(super) fn of(kind: Kind, outcomes: &[&Outcome]) -> Self {
        let made: Vec<Option<&Over>> =
            outcomes.iter().filter(|o| o.kind == kind).map(|o| o.over.as_ref()).collect();
        let over: Vec<&Over> = made.iter().copied().flatten().collect();
        let timed: Vec<&Over> = over.iter().copied().filter(|over| !over.is_down_before).collect();
        let within = |limit: f32, time: fn(&Over) -> Option<f32>| {
            Share::of(&timed, |over| time(over).is_some_and(|ms| ms <= limit))
        };
        Self {
            untimed: Share::of(&made, |over| over.is_none_or(|over| over.is_down_before)),
            duck: Percentiles::of(timed.iter().map(|over| over.duck_ms)),
            duck_within_120: within(120.0, |over| over.duck_ms),
            pause: Percentiles::of(timed.iter().map(|over| over.pause_ms)),
            pause_within_250: within(250.0, |over| over.pause_ms),
            stop: Percentiles::of(timed.iter().map(|over| over.stop_ms)),
            missed: Share::of(&over, |over| !over.is_heard()),
            resumed_over_caller: Share::of(&over, |over| over.heard_again_ms.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::report::an_outcome;

    fn interruption(over: Option<Over>) -> Outcome {
        Outcome { over, ..an_outcome(Kind::Interruption) }
    }

    fn over(duck_ms: f32) -> Over {
        Over {
            duck_ms: Some(duck_ms),
            pause_ms: Some(duck_ms + 80.0),
            stop_ms: Some(600.0),
            speech_ms: 1500.0,
            ..Over::default()
        }
    }

    fn figures(outcomes: &[Outcome]) -> Interruptions {
        Interruptions::of(Kind::Interruption, &outcomes.iter().collect::<Vec<_>>())
    }

    #[test]
    fn who_finds_the_agent_turned_down_already_is_not_among_the_quickest() {
        let down = Over { is_down_before: true, duck_ms: Some(0.0), ..over(0.0) };
        let figures =
            figures(&[interruption(Some(over(100.0))), interruption(Some(down)), interruption(None)]);
        assert_eq!((figures.duck.count, figures.duck.p50), (1, Some(100.0)));
        assert_eq!(figures.duck_within_120, Share { count: 1, of: 1 });
        assert_eq!(figures.untimed, Share { count: 2, of: 3 });
        assert_eq!(figures.missed, Share { count: 0, of: 2 }, "both stopped it");
    }

    #[test]
    fn who_is_not_heard_or_talked_over_again_is_counted() {
        let late = Over { stop_ms: Some(2100.0), ..over(60.0) };
        let never = Over { stop_ms: None, heard_again_ms: Some(900.0), ..over(60.0) };
        let figures = figures(&[late, never, over(60.0)].map(|over| interruption(Some(over))));
        assert_eq!(figures.missed, Share { count: 2, of: 3 });
        assert_eq!(figures.resumed_over_caller, Share { count: 1, of: 3 });
        assert_eq!(figures.stop.p95, None, "what never happened is longer than all others");
    }

    #[test]
    fn early_interruptions_are_counted_apart() {
        let early = Outcome { over: Some(over(500.0)), ..an_outcome(Kind::EarlyInterruption) };
        assert_eq!(figures(&[early, interruption(Some(over(60.0)))]).duck.p95, Some(60.0));
    }
}
