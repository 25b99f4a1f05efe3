//! Calls come and go, and the server is what it was before: no call lost, and nothing of them left.

use std::fs;
use std::time::{Duration, Instant};

use super::load::{Load, LoadPlan, Tally};
use super::process::{Footprint, bound_udp_ports};
use super::rtp_callers::{Callee, Habit, RtpCallers};
use super::server::{Server, ServerSetup};
use super::wait;

/// How much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoakPlan {
    /// Calls that are up together.
    pub(crate) steady_calls: usize,
    /// For how long.
    pub(crate) steady: Duration,
    /// Calls that end as soon as they are answered, after them.
    pub(crate) short_calls: usize,
    pub(crate) short_calls_per_second: usize,
    /// Short calls in the first round, which is not judged. Once every slot of every ring was used and the database's
    /// cache is full, memory should not grow any more.
    pub(crate) warm_up_calls: usize,
    /// What is waited after the last call before looking, besides what has to be done then.
    pub(crate) settle: Duration,
    /// By how much resident memory may grow, if that is looked at: it says something when the transactions of ended
    /// calls are forgotten, 32 s (64 x T1) after the last one.
    pub(crate) memory_growth_percent: Option<f64>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Soaked {
    pub(crate) plan: SoakPlan,
    /// After a first round of calls, when all that is made on first use had been made.
    pub(crate) baseline: Footprint,
    pub(crate) baseline_ports: usize,
    /// With the steady calls up.
    pub(crate) loaded: Footprint,
    /// When the last call had ended.
    pub(crate) after: Footprint,
    pub(crate) after_ports: usize,
    pub(crate) steady: Tally,
    pub(crate) short: Tally,
    /// Packets that the server missed of the callers', by their numbers.
    pub(crate) lost: u64,
    /// Rows in the database, and those of them that were answered and ended by the caller.
    pub(crate) rows: usize,
    pub(crate) whole: usize,
}

impl Soaked {
    /// By how much resident memory has grown, in per cent.
    pub(crate) fn growth_percent(&self) -> f64 {
        let (before, after) = (self.baseline.resident_kib as f64, self.after.resident_kib as f64);
        100.0 * (after - before) / before
    }

    /// What is not as it has to be, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let Self { plan, baseline, after, .. } = self;
        let mut faults = Vec::new();
        let mut expect = |is_met: bool, what: String| {
            if !is_met {
                faults.push(what);
            }
        };
        for (tally, calls) in [(self.steady, plan.steady_calls), (self.short, plan.short_calls)] {
            let is_whole = tally.failed == 0 && tally.successful == calls as u64;
            expect(is_whole, format!("{calls} calls ended as {tally:?}"));
        }
        expect(self.whole == self.rows, format!("{} of {} rows are whole", self.whole, self.rows));
        expect(self.lost == 0, format!("{} packets were lost", self.lost));
        let (before, now) = (baseline.descriptors, after.descriptors);
        expect(before == now, format!("{before} file descriptors became {now}"));
        let (before, now) = (baseline.sockets, after.sockets);
        expect(before == now, format!("{before} sockets became {now}"));
        let (before, now) = (baseline.threads, after.threads);
        expect(before == now, format!("{before} threads became {now}"));
        let (before, now) = (self.baseline_ports, self.after_ports);
        expect(before == now, format!("{before} bound ports became {now}"));
        let growth = self.growth_percent();
        let is_within = plan.memory_growth_percent.is_none_or(|limit| growth <= limit);
        expect(is_within, format!("resident memory grew by {growth:.1} %"));
        faults
    }
}

/// Runs a first round for warming up, then the plan.
#[track_caller]
pub(crate) fn run(plan: SoakPlan) -> Soaked {
    println!("{} calls for {:?}, then {} short ones ...", plan.steady_calls, plan.steady, plan.short_calls);
    let server =
        ServerSetup::default().config(CONFIG).rtp_ports(&format!("{}-{}", RTP_PORTS.0, RTP_PORTS.1)).start();
    let mut round = Round { server: &server, plan, placed: 0 };
    round.steady(WARM_UP_TIME);
    round.short(plan.warm_up_calls);
    let (baseline, baseline_ports) = round.footprint();
    let (steady, loaded) = round.steady(plan.steady);
    let short = round.short(plan.short_calls);
    let (after, after_ports) = round.footprint();
    let rows = server.ended_calls(round.placed);
    let whole = rows.iter().filter(|row| row["status"] == 200 && row["cause"] == "remote_bye").count();
    let lost = rows.iter().filter_map(|row| row["quality"]["packets_lost"].as_u64()).sum();
    let rows = rows.len();
    Soaked { plan, baseline, baseline_ports, loaded, after, after_ports, steady, short, lost, rows, whole }
}

struct Round<'a> {
    server: &'a Server,
    plan: SoakPlan,
    placed: usize,
}

impl Round<'_> {
    /// All the steady calls at once.
    fn steady(&mut self, time: Duration) -> (Tally, Footprint) {
        let calls = self.plan.steady_calls;
        let ramp = Duration::from_secs_f64(calls as f64 / STEADY_CALLS_PER_SECOND as f64);
        let callers = RtpCallers::start(calls, Callee::Answering, Habit::Hum, time + ramp * 2);
        let load = Load::start(LoadPlan {
            server: self.server.sip(),
            user: "echo",
            calls,
            rate: STEADY_CALLS_PER_SECOND,
            at_once: calls,
            hold: ramp + time,
            ports: callers.ports(),
        });
        std::thread::sleep(ramp + time / 2);
        let loaded = Footprint::of(self.server.pid());
        let tally = load.finish();
        callers.stop();
        self.placed += calls;
        (tally, loaded)
    }

    /// Calls that end as soon as they are answered.
    fn short(&mut self, calls: usize) -> Tally {
        let callers = RtpCallers::start(SHORT_PORTS, Callee::Answering, Habit::Hum, Duration::ZERO);
        let load = Load::start(LoadPlan {
            server: self.server.sip(),
            user: "echo",
            calls,
            rate: self.plan.short_calls_per_second,
            at_once: calls,
            hold: SHORT_HOLD,
            ports: callers.ports(),
        });
        let tally = load.finish();
        callers.stop();
        self.placed += calls;
        tally
    }

    /// When every row is closed, the spool is empty and no thread of a pool that was busy is left over.
    fn footprint(&self) -> (Footprint, usize) {
        self.server.ended_calls(self.placed);
        let ports = wait::until("all ports to be free", SETTLE_LIMIT, || {
            Some(bound_udp_ports(RTP_PORTS.0, RTP_PORTS.1)).filter(|&ports| ports == 0)
        });
        let spool = self.server.data().join("spool");
        wait::until("an empty spool", SETTLE_LIMIT, || {
            fs::read_dir(&spool).ok()?.next().is_none().then_some(())
        });
        wait::last(self.plan.settle);
        let held = || {
            let footprint = Footprint::of(self.server.pid());
            (footprint.descriptors, footprint.sockets, footprint.threads)
        };
        let (mut last, mut since) = (held(), Instant::now());
        wait::until("descriptors and threads that stay the same", SETTLE_LIMIT, || {
            let now = held();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() >= STABLE_TIME).then_some(())
        });
        (Footprint::of(self.server.pid()), ports)
    }
}

const CONFIG: &str = "[limits]\ncalls = 2000\ninvites_per_second_per_source = 2000\n";
/// Two for each of 600 calls, below the ports that the kernel hands out: one of these would count as never freed.
const RTP_PORTS: (u16, u16) = (31_500, 32_699);
const STEADY_CALLS_PER_SECOND: usize = 100;
const WARM_UP_TIME: Duration = Duration::from_secs(2);
const SHORT_HOLD: Duration = Duration::from_millis(100);
/// Callers behind the short calls; several calls share one.
const SHORT_PORTS: usize = 50;

/// Spool segments are closed after 10 s.
const SETTLE_LIMIT: Duration = Duration::from_secs(40);
/// Threads of the runtime's pool that have nothing to do end after a second.
const STABLE_TIME: Duration = Duration::from_secs(3);
