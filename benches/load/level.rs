//! One measurement: so many calls to one destination of a fresh server.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::heartbeat::{Heartbeat, Weather};
use super::pacing::{self, Missing, WirePacing};
use super::scene::Scene;
use super::vendors::Vendors;
use crate::common::load::{Load, LoadPlan, Tally};
use crate::common::process::{CpuTimes, Footprint};
use crate::common::rtp_callers::{Callee, RtpCallers};
use crate::common::server::{Server, ServerSetup};

/// How long the parts of a measurement take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Between the last call's beginning and the measured window.
    pub(crate) settle: Duration,
    /// The measured window.
    pub(crate) window: Duration,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) destination: String,
    pub(crate) calls: usize,
    /// The measured window.
    pub(crate) window: Duration,
    /// Per cent of a core, by thread name.
    pub(crate) cpu_percent: BTreeMap<String, f64>,
    pub(crate) idle: Footprint,
    pub(crate) loaded: Footprint,
    pub(crate) wire: WirePacing,
    pub(crate) missing: Missing,
    pub(crate) weather: Weather,
    /// As the shard counts it, from its tick to the end of the send, over its whole life.
    pub(crate) shard_p50_us: u64,
    pub(crate) shard_p99_us: u64,
    /// From the calls' rows.
    pub(crate) rows: RowFigures,
    pub(crate) tally: Tally,
    /// The load generator's own use: per cent of a core of this process's RTP thread.
    pub(crate) callers_percent: f64,
}

/// Sums over the calls' rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowFigures {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) ticks_missed: u64,
    pub(crate) answered: usize,
}

impl Timing {
    /// The same with a window that is at least as long as a conversation.
    pub(crate) fn of_conversations(self) -> Self {
        Self { window: self.window.max(Duration::from_secs(60)), ..self }
    }

    /// The same with time for an agent's greeting before the window.
    pub(crate) fn behind_a_greeting(self) -> Self {
        Self {
            settle: self.settle.max(Duration::from_secs(8)),
            window: self.window.max(Duration::from_secs(30)),
        }
    }

    /// 3 s and 15 s; `CALY_BENCH_WINDOW_S` sets another window.
    pub(crate) fn from_environment() -> Self {
        let window = std::env::var("CALY_BENCH_WINDOW_S").ok().and_then(|seconds| seconds.parse().ok());
        Self { settle: Duration::from_secs(3), window: Duration::from_secs(window.unwrap_or(15)) }
    }

    /// How long a call has to stay up so that the window lies between the last call's beginning and the first one's end.
    pub(crate) fn hold(&self, calls: usize) -> Duration {
        ramp(calls) + self.settle + self.window + Duration::from_secs(1)
    }
}

impl Level {
    /// Per cent of a core, all threads together.
    pub(crate) fn cpu_total(&self) -> f64 {
        self.cpu_percent.values().sum()
    }

    /// The same for one call.
    pub(crate) fn cpu_per_call(&self) -> f64 {
        self.cpu_total() / self.calls as f64
    }

    /// Memory that came with the calls, in KiB for each.
    pub(crate) fn memory_per_call_kib(&self) -> f64 {
        (self.loaded.proportional_kib as f64 - self.idle.proportional_kib as f64) / self.calls as f64
    }
}

/// Runs `calls` calls of a scene.
pub(crate) fn measure(scene: Scene, calls: usize, timing: Timing) -> Level {
    println!("{}, {calls} calls ...", scene.name());
    let (vendors, timing) = (scene.vendors(), scene.timing(timing));
    let setup = ServerSetup::default().config(LOAD_CONFIG).rtp_ports(RTP_PORTS);
    let mut server = match &vendors {
        Some(vendors) => setup.config(&vendors.config()).start(),
        None => setup.start(),
    };
    std::thread::sleep(if vendors.is_some() { RECITAL_TIME } else { IDLE_TIME });
    let idle = Footprint::of(server.pid());
    let patience = timing.hold(calls) + ramp(calls);
    let callers = RtpCallers::start(calls, Callee::Answering, scene.habit(), patience);
    let heartbeat = Heartbeat::start();
    let load = Load::start(plan(server.sip(), scene.number(), calls, timing, callers.ports()));
    std::thread::sleep(ramp(calls) + timing.settle);
    let (from, before, own) = (unix_now(), CpuTimes::of(server.pid()), CpuTimes::of(std::process::id()));
    std::thread::sleep(timing.window);
    let (until, after) = (unix_now(), CpuTimes::of(server.pid()));
    let own = CpuTimes::of(std::process::id()).since(&own);
    let loaded = Footprint::of(server.pid());
    let tally = load.finish();
    let weather = heartbeat.stop(from, until);
    let heard = callers.stop().heard;
    let heard = pacing::by_caller(&heard, from, until);
    let rows = row_figures(&server.ended_calls(calls));
    let (shard_p50_us, shard_p99_us) = shard_pacing(&mut server);
    let is_uncomplained = vendors.is_none_or(Vendors::finish);
    assert!(is_uncomplained, "the vendors complain of what the server sent them");
    let percent = |used: Duration| 100.0 * used.as_secs_f64() / (until - from).as_secs_f64();
    Level {
        destination: scene.name().to_owned(),
        calls,
        window: timing.window,
        cpu_percent: after.since(&before).into_iter().map(|(name, used)| (name, percent(used))).collect(),
        idle,
        loaded,
        wire: pacing::measure(&heard, &weather),
        missing: pacing::missing(&heard),
        weather,
        shard_p50_us,
        shard_p99_us,
        rows,
        tally,
        callers_percent: own.get("rtp-callers").copied().map_or(0.0, percent),
    }
}

/// How the calls of a level are placed.
pub(crate) fn plan<'a>(
    server: std::net::SocketAddr,
    user: &'a str,
    calls: usize,
    timing: Timing,
    ports: &'a [u16],
) -> LoadPlan<'a> {
    LoadPlan { server, user, calls, rate: CALLS_PER_SECOND, at_once: calls, hold: timing.hold(calls), ports }
}

/// How long the calls take to come up.
pub(crate) fn ramp(calls: usize) -> Duration {
    Duration::from_secs_f64(calls as f64 / CALLS_PER_SECOND as f64)
}

pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is past 1970")
}

/// Stops the server, whose shard then tells how precisely it worked.
fn shard_pacing(server: &mut Server) -> (u64, u64) {
    server.signal("TERM");
    let status = server.wait_for_exit(Duration::from_secs(20));
    assert!(status.success(), "the server ended with {status}");
    let log = server.log();
    let figure = |name: &str| {
        let value = log.rsplit_once(name).and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in the server's log:\n{log}"))
    };
    (figure("pacing_p50_us="), figure("pacing_p99_us="))
}

fn row_figures(rows: &[Value]) -> RowFigures {
    let sum = |field: &str| rows.iter().filter_map(|row| row["quality"][field].as_u64()).sum();
    RowFigures {
        received: sum("packets_received"),
        sent: sum("packets_sent"),
        lost: sum("packets_lost"),
        late: sum("packets_late"),
        ticks_missed: sum("ticks_missed"),
        answered: rows.iter().filter(|row| row["status"] == 200).count(),
    }
}

/// One shard, so that machines with more cores measure the same.
const LOAD_CONFIG: &str =
    "[engine]\nshards = 1\n[limits]\ncalls = 2000\ninvites_per_second_per_source = 2000\n";
/// Two for each of 1,000 calls.
const RTP_PORTS: &str = "30000-31999";
const CALLS_PER_SECOND: usize = 100;
/// Until the server has done what it does at its start.
const IDLE_TIME: Duration = Duration::from_secs(1);
/// Until an agent's synthesizer has said its lines as well.
const RECITAL_TIME: Duration = Duration::from_secs(6);
