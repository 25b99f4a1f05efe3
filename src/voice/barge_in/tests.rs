use std::collections::HashSet;
use std::time::Duration;

use super::*;

/// The numbers of these tests, whatever agents are tuned to.
fn usual() -> Detection {
    Detection {
        pause_after: Duration::from_millis(160),
        longest_pause: Duration::from_millis(600),
        stop_unheard_after: Duration::from_millis(700),
        ..Detection::default()
    }
}

/// Plays a text to the machine: `s` speech, `.` none, `w` words that are no backchannel, `b` a backchannel. What it said, and at
/// which frame, counted from 1.
fn verdicts(machine: &mut BargeIn, text: &str) -> Vec<(usize, Verdict)> {
    let mut frame = 0;
    let mut said = Vec::new();
    for input in text.chars() {
        frame += usize::from(matches!(input, 's' | '.'));
        let verdict = match input {
            's' => machine.push(true),
            '.' => machine.push(false),
            'w' => machine.hear_words(3, false),
            'b' => machine.hear_words(1, true),
            other => panic!("{other}"),
        };
        if verdict != Verdict::Nothing {
            said.push((frame, verdict));
        }
    }
    said
}

fn without_words(text: &str) -> Vec<(usize, Verdict)> {
    verdicts(&mut BargeIn::new(&usual()), text)
}

fn with_words(text: &str) -> Vec<(usize, Verdict)> {
    let mut machine = BargeIn::new(&usual());
    machine.expect_words(true);
    verdicts(&mut machine, text)
}

/// `s` and `.` in runs: `"s10 .5"`.
fn runs(text: &str) -> String {
    text.split_whitespace()
        .map(|run| {
            let (input, count) = run.split_at(1);
            input.repeat(count.parse().unwrap_or(1))
        })
        .collect()
}

use Verdict::{Duck, Pause, Restore, Stop};

#[test]
fn speech_that_lasts_ducks_pauses_and_stops() {
    assert_eq!(without_words(&runs("s25")), [(2, Duck), (8, Pause), (25, Stop)]);
    // A detector loses a frame here and there.
    assert_eq!(without_words(&("sss.".repeat(6) + "s")), [(2, Duck), (10, Pause), (25, Stop)]);
}

#[test]
fn a_click_does_nothing_and_a_cough_is_forgiven() {
    assert_eq!(without_words("s.s.s.s.s.s.s."), []);
    assert_eq!(without_words(&runs("s3 .40")), [(2, Duck), (13, Restore)]);
    assert_eq!(without_words(&runs("s9 .40")), [(2, Duck), (8, Pause), (19, Restore)]);
    // Voices here and there are no speech that goes on.
    assert_eq!(without_words(&"s...".repeat(20)), []);
    assert_eq!(without_words(&format!("s{}", "s...".repeat(4))), [(2, Duck), (17, Restore)]);
}

#[test]
fn a_backchannel_pauses_the_agent_and_does_not_stop_it() {
    for frames in 8..25 {
        let said = without_words(&runs(&format!("s{frames} .40")));
        assert_eq!(said, [(2, Duck), (8, Pause), (frames + 10, Restore)]);
    }
    // Two of them, a pause apart, are two.
    let said = without_words(&runs("s20 .10 s20 .40"));
    let expected = [(2, Duck), (8, Pause), (30, Restore), (32, Duck), (38, Pause), (60, Restore)];
    assert_eq!(said, expected);
}

#[test]
fn words_decide_where_they_are_expected() {
    assert_eq!(with_words(&runs("s12 w1")), [(2, Duck), (8, Pause), (12, Stop)]);
    assert_eq!(with_words(&runs("s12 .5 b1 .90")), [(2, Duck), (8, Pause), (17, Restore)]);
    // Already while it is only turned down.
    assert_eq!(with_words(&runs("s3 .2 w1")), [(2, Duck), (5, Stop)]);
    assert_eq!(with_words(&runs("s3 .2 b1 .90")), [(2, Duck), (5, Restore)]);
    // Nothing was heard that they could belong to.
    assert_eq!(with_words("w.s.wb"), []);
}

#[test]
fn without_any_words_the_agent_goes_on_unless_the_caller_does() {
    assert_eq!(with_words(&runs("s12 .90")), [(2, Duck), (8, Pause), (38, Restore)]);
    assert_eq!(with_words(&runs("s36")), [(2, Duck), (8, Pause), (35, Stop)]);
    // Nobody is spoken over, however long the pause is; a gap within a word is no silence.
    let patient = Detection { stop_unheard_after: Duration::from_millis(900), ..usual() };
    for (text, expected) in [("s45", (45, Stop)), ("s36 .2 s7", (45, Stop)), ("s40 .10", (43, Restore))] {
        let mut machine = BargeIn::new(&patient);
        machine.expect_words(true);
        assert_eq!(verdicts(&mut machine, &runs(text)), [(2, Duck), (8, Pause), expected], "{text}");
    }
    // Sounds here and there do not hold it.
    let here_and_there = format!("{}{}", "s".repeat(9), "...s".repeat(20));
    assert_eq!(with_words(&here_and_there)[..3], [(2, Duck), (8, Pause), (38, Restore)]);
}

#[test]
fn words_that_come_after_it_went_on_still_stop_it() {
    assert_eq!(with_words(&runs("s12 .60 w1")), [(2, Duck), (8, Pause), (38, Restore), (72, Stop)]);
    assert_eq!(with_words(&runs("s4 .40 w1")), [(2, Duck), (14, Restore), (44, Stop)]);
    // More was said than the first word, which was a backchannel.
    assert_eq!(with_words(&runs("s12 b1 s5 .10 w1")), [(2, Duck), (8, Pause), (12, Restore), (27, Stop)]);
    // Not when it was told that nothing more will come.
    let mut machine = BargeIn::new(&usual());
    machine.expect_words(true);
    verdicts(&mut machine, &runs("s12 .60"));
    machine.settle();
    assert_eq!(machine.hear_words(3, false), Verdict::Nothing);
}

#[test]
fn who_speaks_on_after_a_backchannel_is_not_turned_down_twice_but_heard() {
    // What its words were is known: only what comes behind them may be more than a backchannel.
    assert_eq!(with_words(&runs("s12 b1 s36")), [(2, Duck), (8, Pause), (12, Restore), (47, Stop)]);
    let twice = with_words(&runs("s12 b1 s30 b1 s30 b1 .40"));
    assert_eq!(twice, [(2, Duck), (8, Pause), (12, Restore)], "\"haan haan theek hai\"");
    let said = with_words(&runs("s12 b1 s5 .10 s3"));
    assert_eq!(said, [(2, Duck), (8, Pause), (12, Restore), (29, Duck)]);
}

#[test]
fn fewer_words_than_an_agent_wants_do_not_stop_it() {
    let patient = Detection { min_words: 3, ..usual() };
    let mut machine = BargeIn::new(&patient);
    machine.expect_words(true);
    verdicts(&mut machine, &runs("s10"));
    assert_eq!(machine.hear_words(2, false), Verdict::Nothing);
    assert_eq!(machine.hear_words(0, true), Verdict::Nothing, "an empty transcript is none");
    assert_eq!(machine.hear_words(3, false), Stop);
}

#[test]
fn whoever_stops_before_it_ducks_or_pauses_does_neither() {
    let at_once = Detection { stop_after: Duration::ZERO, ..usual() };
    assert_eq!(verdicts(&mut BargeIn::new(&at_once), ".ss"), [(3, Stop)]);
    let no_pause = Detection { pause_after: Duration::from_secs(9), ..usual() };
    assert_eq!(verdicts(&mut BargeIn::new(&no_pause), &runs("s12")), [(2, Duck), (12 + 5, Restore)][..1]);
}

/// What the agent is at, as far as anybody hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Heard {
    Loud,
    Soft,
    Waiting,
}

/// What came before, as far as a rule needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Walked {
    state: State,
    expects_words: bool,
    heard: Heard,
    /// Frames in this.
    since: u32,
    /// Frames of the longest burst that may be going on, by the rule's own count, and the silence behind it.
    burst: (u32, u32),
}

/// A small machine, so that every state can be walked through.
fn small() -> Detection {
    let frames = |count: u64| Duration::from_millis(20 * count);
    Detection {
        duck_after: frames(2),
        pause_after: frames(3),
        forgive_after: frames(4),
        longest_pause: frames(6),
        end_after: frames(3),
        stop_after: frames(6),
        stop_unheard_after: frames(8),
        min_words: 2,
        ..usual()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Frame(bool),
    Words(u16, bool),
    Expect(bool),
    Settle,
}

const STEPS: [Step; 9] = [
    Step::Frame(true),
    Step::Frame(false),
    Step::Words(0, false),
    Step::Words(1, false),
    Step::Words(2, false),
    Step::Words(2, true),
    Step::Expect(true),
    Step::Expect(false),
    Step::Settle,
];

fn walk(machine: &BargeIn, walked: &Walked, step: Step) -> (BargeIn, Walked) {
    let mut machine = machine.clone();
    let (limits, was) = (machine.limits, walked.heard);
    let verdict = match step {
        Step::Frame(is_speech) => machine.push(is_speech),
        Step::Words(words, is_backchannel) => machine.hear_words(words, is_backchannel),
        Step::Expect(expects_words) => {
            machine.expect_words(expects_words);
            Verdict::Nothing
        }
        Step::Settle => {
            machine.settle();
            Verdict::Nothing
        }
    };
    let place = format!("{walked:?} {step:?} -> {verdict:?}");
    let (frames, silence) = walked.burst;
    let burst = match step {
        Step::Frame(true) if silence >= limits.end || frames == 0 => (1, 0),
        Step::Frame(true) => (frames + silence + 1, 0),
        Step::Frame(false) => (frames, silence + 1),
        Step::Words(..) | Step::Expect(_) | Step::Settle => (frames, silence),
    };
    // Who hears what: a verdict never asks for what already is, and nothing gets worse without a frame of speech.
    let heard = match verdict {
        Verdict::Nothing => was,
        Verdict::Duck => {
            assert_eq!((was, matches!(step, Step::Frame(true))), (Heard::Loud, true), "{place}");
            Heard::Soft
        }
        Verdict::Pause => {
            assert_eq!((was, matches!(step, Step::Frame(true))), (Heard::Soft, true), "{place}");
            Heard::Waiting
        }
        Verdict::Restore => {
            assert!(was != Heard::Loud, "{place}");
            Heard::Loud
        }
        Verdict::Stop => Heard::Loud,
    };
    // Without words, only speech of that length stops it; with them, words do.
    if verdict == Verdict::Stop {
        match step {
            Step::Frame(_) if walked.expects_words => assert!(burst.0 >= limits.stop_with_words, "{place}"),
            Step::Frame(_) => assert!(burst.0 >= limits.stop_without_words, "{place}"),
            Step::Words(words, is_backchannel) => assert!(words >= 2 && !is_backchannel, "{place}"),
            Step::Expect(_) | Step::Settle => panic!("{place}"),
        }
    }
    let is_same = heard == was && verdict != Verdict::Stop;
    let is_frame = matches!(step, Step::Frame(_));
    let since = if is_same { walked.since + u32::from(is_frame) } else { 0 };
    // Never longer turned down or waiting than this.
    match heard {
        Heard::Loud => {}
        Heard::Soft => assert!(since < limits.forgive, "{place}"),
        Heard::Waiting => {
            let gap = GAP.min(limits.end);
            let longest = limits.longest_pause + if burst.1 < gap { limits.stop_with_words + gap } else { 0 };
            assert!(since < longest, "{place}");
        }
    }
    let expects_words = machine.expects_words;
    let since = if heard == Heard::Loud { 0 } else { since };
    // Beyond these, more of it makes no difference to any rule.
    let burst = (burst.0.min(limits.stop_with_words), burst.1.min(limits.end));
    let walked = Walked { state: machine.state, expects_words, heard, since, burst };
    (machine, walked)
}

#[test]
fn every_way_through_it_ends_each_alarm_in_time() {
    let machine = BargeIn::new(&small());
    let begin =
        Walked { state: State::Quiet, expects_words: false, heard: Heard::Loud, since: 0, burst: (0, 0) };
    let mut seen = HashSet::from([begin.clone()]);
    let mut open = vec![(machine, begin)];
    while let Some((machine, walked)) = open.pop() {
        for step in STEPS {
            let (machine, walked) = walk(&machine, &walked, step);
            if seen.insert(walked.clone()) {
                open.push((machine, walked));
            }
        }
    }
    let reached = |wanted: fn(&State) -> bool| seen.iter().any(|walked| wanted(&walked.state));
    assert!(reached(|state| matches!(state, State::Rising(_))));
    assert!(reached(|state| matches!(state, State::Paused { .. })));
    assert!(reached(|state| matches!(state, State::Resumed { goes_on: Some(_), .. })));
    assert!(reached(|state| matches!(state, State::Resumed { goes_on: None, rising: 1 })));
    assert!((500..200_000).contains(&seen.len()), "{} states", seen.len());
}

#[test]
fn without_words_no_run_shorter_than_its_time_stops_it() {
    // All of them, wherever in 25 frames; then silence.
    let usual = Detection { stop_after: Duration::from_millis(240), ..usual() };
    for pattern in 0_u32..1 << 11 {
        let mut machine = BargeIn::new(&usual);
        let said: Vec<Verdict> =
            (0..60).map(|frame| machine.push(frame < 11 && pattern & (1 << frame) != 0)).collect();
        assert!(!said.contains(&Verdict::Stop), "{pattern:b}");
        let count = |wanted| said.iter().filter(|verdict| **verdict == wanted).count();
        assert_eq!(count(Duck), count(Restore), "{pattern:b}");
    }
}
