//! What a call costs: the server under real load, beside a reference that ran in the same minutes.
//!
//! For `echo`, `tone` and `record` at 100, 200 and 400 calls: CPU and memory per call, and how precisely packets leave, as seen on
//! the wire. The same callers then talk to sipp's `-rtp_echo`, which reflects packets as they are. Then 100 callers talk with the
//! demo agent for a minute. Last, 200 calls stay up for a minute and 1,000 short ones follow, and the server has to be what it
//! was before. Takes about ten minutes.
//!
//! Words as arguments choose parts: `cargo bench --bench load -- echo reference 400`.
//!
//! Nothing here fails by the clock: figures are printed and written to `target/bench/load.json`. What fails is a lost call
//! or something that calls left behind.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark: it prints, and a failure ends it")]

#[path = "../../tests/common/mod.rs"]
mod common;

mod heartbeat;
mod level;
mod pacing;
mod reference;
mod report;

use std::time::Duration;

use common::soak::{self, SoakPlan};
use level::Timing;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (levels, parts): (Vec<String>, Vec<String>) =
        asked.into_iter().partition(|word| word.parse::<usize>().is_ok());
    let is_asked = |words: &[String], name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let is_wanted = |name: &str| is_asked(&parts, name);
    let timing = Timing::from_environment();
    let mut report = report::Report::new(timing);
    for calls in LEVELS.into_iter().filter(|calls| is_asked(&levels, &calls.to_string())) {
        if is_wanted("reference") {
            report.add_reference(reference::measure(calls, timing));
        }
        for destination in DESTINATIONS {
            if is_wanted(destination) {
                report.add_level(level::measure(destination, calls, timing));
            }
        }
    }
    if is_wanted(level::AGENT) {
        report.add_level(level::measure(level::AGENT, AGENT_CALLS, timing.of_conversations()));
    }
    if is_wanted("soak") {
        report.add_soak(soak::run(SOAK));
    }
    report.finish();
}

/// Calls at once.
const LEVELS: [usize; 3] = [100, 200, 400];
/// `record` is the tone, and both sides written to a WAV file.
const DESTINATIONS: [&str; 3] = ["echo", "tone", "record"];

/// Conversations with the demo agent at once.
const AGENT_CALLS: usize = 100;

const SOAK: SoakPlan = SoakPlan {
    steady_calls: 200,
    steady: Duration::from_secs(60),
    short_calls: 1_000,
    short_calls_per_second: 100,
    warm_up_calls: 1_000,
    // Timers H, J and L of the last call run for 32 s; after 34 s, looked at every 10 s, its memory is given back.
    settle: Duration::from_secs(46),
    memory_growth_percent: Some(5.0),
};
