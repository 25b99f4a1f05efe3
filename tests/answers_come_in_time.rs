//! The server's own share of what a caller waits, over 200 turns in virtual time: deterministic, and by the vendors' clocks as well as by the
//! call's own marks. What real sockets and threads add to it stands in the figures of `make demo`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]
#![allow(clippy::print_stdout, reason = "the figures are worth reading")]

mod thinking;

use std::sync::LazyLock;
use std::time::Duration;

use caly::call::hop::Mark;
use caly::call::waterfall::{TurnPath, Waterfall};
use caly_rtp::frame::FRAME_SAMPLES;
use caly_vendors::hearing::Manner;
use caly_vendors::in_process::Distance;
use caly_vendors::model::{Rule, TokenPace};
use caly_vendors::vendor::Frame;

use thinking::caller::is_loud;
use thinking::{Outcome, Saying, Scene, When, play_together};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const CALLS: u64 = 10;
const TURNS: usize = 20;
const TICK: Duration = ms(20);

/// What callers say, one after the other.
const SAYINGS: [&str; 4] =
    ["mera order kahan hai", "kitne paise lagenge", "aur kab aayega", "theek hai batao"];

/// No two calls are as far from their vendors, nor these as fast: what comes from them comes at every phase of the call's ticks.
fn scene(number: u64) -> Scene {
    Scene {
        says: (0..TURNS)
            .map(|turn| Saying { when: When::AfterAgent(ms(700)), text: SAYINGS[turn % SAYINGS.len()] })
            .collect(),
        rules: vec![Rule::always().say("Kal tak aayega.")],
        pace: TokenPace { first: ms(283 + 17 * number), each: ms(7) },
        distance: Distance { connect: ms(41 + 7 * number), one_way: ms(11 + 3 * number) },
        // A word is told as soon as it is said, and that takes the vendor 150 ms.
        manner: Manner { partials_every: ms(10), latency: ms(150), ..Manner::default() },
        grain: ms(1),
        lasts: Duration::from_secs(180),
        ..Scene::default()
    }
}

fn distance(call: usize) -> Distance {
    scene(call as u64).distance
}

static PLAYED: LazyLock<Vec<Outcome>> = LazyLock::new(|| {
    let played = play_together((0..CALLS).map(scene).collect());
    for call in &played {
        assert_eq!(call.said.len(), TURNS, "{}", call.shown());
        assert!(call.complaints().is_empty(), "{:?}", call.complaints());
    }
    played
});

/// The nearest rank.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100) - 1]
}

#[test]
fn the_servers_own_share_is_small() {
    let mut shares = Vec::new();
    for (number, call) in PLAYED.iter().enumerate() {
        let waterfall = Waterfall::of(call.events.iter().map(|(at, event)| (*at, event)));
        let record = call.seen[2].record();
        for turn in &waterfall.turns {
            // Where a filler still sounds the answer waits for it on purpose: there is no share.
            let share =
                turn.own_ms().unwrap_or_else(|| panic!("turn {}: {turn:?}\n{}", turn.turn, call.shown()));
            // The text is on its way to the synthesizer in the very step in which it can be spoken.
            let given = turn.at(Mark::TtsStart).unwrap().as_duration();
            let is_text = |frame: &Frame| matches!(frame, Frame::Text(text) if text.contains("Speak"));
            let came = record.frames.iter().find(|seen| seen.at >= given && is_text(&seen.frame)).unwrap().at;
            shares.push(ms(share) + (came - given).saturating_sub(distance(number).one_way));
            let asked = turn.at(Mark::LlmStart).unwrap().as_duration();
            let asked_at = asked + distance(number).connect;
            let models = call.seen[1].record();
            assert!(
                models.arrivals.iter().any(|(at, _)| *at == asked_at),
                "asked at {asked:?}: {}",
                call.shown()
            );
        }
    }
    assert!(shares.len() >= 200, "{} turns", shares.len());
    let [p50, p99] = [50, 99].map(|percent| percentile(&mut shares, percent));
    println!("own share of {} turns: p50 {p50:?}, p99 {p99:?}", shares.len());
    assert!(p50 <= ms(25) && p99 <= ms(45), "p50 {p50:?}, p99 {p99:?}");
}

/// From the model's first sound to the wire; what the caller says goes to the model all the while.
#[test]
fn the_share_is_as_small_with_a_model_that_hears_and_speaks() {
    let scenes = (0..CALLS).map(|number| Scene { realtime: vec!["openai"], ..scene(number) });
    let mut shares = Vec::new();
    for call in play_together(scenes.collect()) {
        assert!(call.complaints().is_empty(), "{:?}", call.complaints());
        let waterfall = Waterfall::of(call.events.iter().map(|(at, event)| (*at, event)));
        let turns = waterfall.turns.iter();
        let share =
            |turn: &TurnPath| turn.own_ms().map(ms).unwrap_or_else(|| panic!("{turn:?}\n{}", call.shown()));
        shares.extend(turns.map(share));
    }
    assert_eq!(shares.len(), CALLS as usize * TURNS);
    let [p50, p99] = [50, 99].map(|percent| percentile(&mut shares, percent));
    println!("own share of {} turns: p50 {p50:?}, p99 {p99:?}", shares.len());
    assert!(p50 <= ms(25) && p99 <= ms(45), "p50 {p50:?}, p99 {p99:?}");
}

#[test]
fn what_the_caller_says_is_with_the_recognizer_in_time() {
    let mut late = Vec::new();
    for (number, call) in PLAYED.iter().enumerate() {
        let mut samples = 0;
        for seen in call.seen[0].record().frames {
            let Frame::Binary(audio) = seen.frame else { continue };
            // The n-th packet came at the n-th tick. Silence may wait: nobody is to be understood by it.
            let packets = (samples..samples + audio.len()).step_by(FRAME_SAMPLES);
            let came = packets.map(|at| TICK * u32::try_from(at / FRAME_SAMPLES).unwrap());
            let is_speech = |at: &Duration| call.said.iter().any(|(from, to)| (*from..*to).contains(at));
            late.extend(
                came.filter(is_speech).map(|at| (seen.at - distance(number).one_way).saturating_sub(at)),
            );
            samples += audio.len();
        }
        assert!(samples / FRAME_SAMPLES + 10 > call.sent.len(), "all that is said is heard");
    }
    let p95 = percentile(&mut late, 95);
    println!("from a packet of speech to the recognizer, {} packets: p95 {p95:?}", late.len());
    assert!(p95 <= ms(120), "p95 {p95:?}");
}

#[test]
fn first_words_are_known_while_they_are_said() {
    let mut late = Vec::new();
    for call in &*PLAYED {
        for (turn, (began, _)) in call.said.iter().enumerate() {
            let word = SAYINGS[turn % SAYINGS.len()].split(' ').next().unwrap();
            let said = *began + Manner::default().character * u32::try_from(word.len()).unwrap();
            let known = call.mark(u32::try_from(turn).unwrap(), Mark::SttPartial).unwrap();
            late.push(known.saturating_sub(said));
        }
    }
    let p95 = percentile(&mut late, 95);
    println!("from a word to its text, {} turns: p95 {p95:?}", late.len());
    assert!(late.len() == 200 && p95 <= ms(300), "p95 {p95:?}");
}

#[test]
fn the_agent_is_heard_within_a_second_of_the_ack() {
    for has_clips in [true, false] {
        let calls = (0..40).map(|number| Scene {
            distance: Distance { connect: ms(30 + 6 * number), one_way: ms(5 + number) },
            has_clips,
            grain: ms(5),
            lasts: ms(1_500),
            ..Scene::default()
        });
        let mut heard: Vec<Duration> = play_together(calls.collect())
            .iter()
            .map(|call| {
                call.sent.iter().find(|sent| is_loud(&sent.samples)).map_or(Duration::MAX, |sent| sent.at)
            })
            .collect();
        let (p50, worst) = (percentile(&mut heard, 50), percentile(&mut heard, 100));
        println!("first sound of 40 agents, clips {has_clips}: p50 {p50:?}, at most {worst:?}");
        assert!(worst <= ms(1_000), "clips {has_clips}: {worst:?}");
    }
}
