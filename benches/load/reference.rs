//! The comparison: the same callers, and sipp's own `-rtp_echo`, which sends every packet back as it came - no jitter
//! buffer, no decoding, no clock.

use std::time::Duration;

use super::level::{Timing, plan, ramp, unix_now};
use super::pacing::{self, Missing};
use crate::common::load::{Load, Reflector, Tally};
use crate::common::ports::PortBlock;
use crate::common::process::CpuTimes;
use crate::common::rtp_callers::{Callee, Habit, RtpCallers};

/// What was seen.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) calls: usize,
    /// Per cent of a core.
    pub(crate) cpu_total: f64,
    pub(crate) missing: Missing,
    pub(crate) tally: Tally,
}

impl Reference {
    /// Per cent of a core for one call.
    pub(crate) fn cpu_per_call(&self) -> f64 {
        self.cpu_total / self.calls as f64
    }
}

/// Runs `calls` calls to sipp.
pub(crate) fn measure(calls: usize, timing: Timing) -> Reference {
    println!("sipp -rtp_echo, {calls} calls ...");
    let ports = PortBlock::claim();
    let reflector = Reflector::start(ports.peer(2));
    std::thread::sleep(START_TIME);
    let callee = Callee::At(reflector.rtp());
    let callers = RtpCallers::start(calls, callee, Habit::Hum, timing.hold(calls) + ramp(calls));
    let load = Load::start(plan(reflector.sip(), "echo", calls, timing, callers.ports()));
    std::thread::sleep(ramp(calls) + timing.settle);
    let (from, before) = (unix_now(), CpuTimes::of(reflector.pid()));
    std::thread::sleep(timing.window);
    let (until, after) = (unix_now(), CpuTimes::of(reflector.pid()));
    let tally = load.finish();
    let heard = pacing::by_caller(&callers.stop().heard, from, until);
    let used: Duration = after.since(&before).values().sum();
    Reference {
        calls,
        cpu_total: 100.0 * used.as_secs_f64() / (until - from).as_secs_f64(),
        missing: pacing::missing(&heard),
        tally,
    }
}

/// sipp prints no line when it listens.
const START_TIME: Duration = Duration::from_secs(1);
