//! What a call costs: the server under real load, beside a reference that ran in the same minutes.
//!
//! For `echo`, `tone` and `record` at 100, 200 and 400 calls: CPU and memory per call, and how precisely packets leave, as seen on
//! the wire. The same callers then talk to sipp's `-rtp_echo`, which reflects packets as they are. Then 100 callers talk with the
//! demo agent for a minute. Then 20 and 100 callers have an agent that thinks by providers, simulated ones in a process of their own: `hold`, in
//! which nobody speaks, over TLS and without it (`hold-plain`: what TLS takes), and `talk`. Last, 200 calls stay up for a minute and 1,000 short
//! ones follow, and the server has to be what it was before. Takes about a quarter of an hour.
//!
//! Words as arguments choose parts: `cargo bench --bench load -- echo reference 400`.
//!
//! Nothing here fails by the clock: figures are printed and written to `target/bench/load.json`. What fails is a lost call
//! or something that calls left behind.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark: it prints, and a failure ends it"
)]

#[path = "../../tests/common/mod.rs"]
mod common;

mod heartbeat;
mod level;
mod pacing;
mod reference;
mod report;
mod scene;
mod vendors;

use std::time::Duration;

use common::soak::{self, SoakPlan};
use level::Timing;
use scene::Scene;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(is_well) = vendors::serve(&arguments) {
        std::process::exit(i32::from(!is_well));
    }
    let asked = arguments.into_iter().filter(|argument| !argument.starts_with('-'));
    let (levels, parts): (Vec<String>, Vec<String>) = asked.partition(|word| word.parse::<usize>().is_ok());
    let levels: Vec<usize> = levels.iter().filter_map(|level| level.parse().ok()).collect();
    let is_asked =
        |usual: &[usize], calls: &usize| levels.contains(calls) || levels.is_empty() && usual.contains(calls);
    let is_wanted = |name: &str| parts.is_empty() || parts.iter().any(|word| word == name);
    let timing = Timing::from_environment();
    let mut report = report::Report::new(timing);
    let mut all: Vec<usize> = LEVELS.iter().copied().chain(levels.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    for calls in all {
        if is_wanted("reference") && is_asked(REFERENCES, &calls) {
            report.add_reference(reference::measure(calls, timing));
        }
        for (scene, usual) in Scene::ALL {
            if is_wanted(scene.name()) && is_asked(usual, &calls) {
                report.add_level(level::measure(scene, calls, timing));
            }
        }
    }
    if is_wanted("soak") {
        report.add_soak(soak::run(SOAK));
    }
    report.finish();
}

/// Calls at once.
const LEVELS: [usize; 4] = [20, 100, 200, 400];
/// To sipp's reflector.
const REFERENCES: &[usize] = &[100, 200, 400];

const SOAK: SoakPlan = SoakPlan {
    steady_calls: 200,
    steady: Duration::from_secs(60),
    short_calls: 1_000,
    short_calls_per_second: 100,
    warm_up_calls: 1_000,
    // Timers H, J and L of the last call run for 32 s; what was freed is given back a second or two later.
    settle: Duration::from_secs(46),
    memory_growth_percent: Some(5.0),
};
