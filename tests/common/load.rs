//! Many calls at once: sipp speaks SIP for callers whose RTP is sent and received elsewhere.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::scratch::{Scratch, tail};
use super::wait;

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadPlan<'a> {
    /// The server.
    pub(crate) server: SocketAddr,
    /// The number that is called.
    pub(crate) user: &'a str,
    /// Calls in all.
    pub(crate) calls: usize,
    /// New calls per second.
    pub(crate) rate: usize,
    /// Calls at once, at most.
    pub(crate) at_once: usize,
    /// How long each is up.
    pub(crate) hold: Duration,
    /// The callers' RTP ports, used in turn.
    pub(crate) ports: &'a [u16],
}

/// A sipp that places calls; killed on drop.
pub(crate) struct Load {
    child: Child,
    scratch: Scratch,
    limit: Duration,
}

/// What became of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) successful: u64,
    pub(crate) failed: u64,
    /// Messages that sipp had to repeat.
    pub(crate) retransmissions: u64,
}

impl Load {
    /// Begins to place calls.
    #[track_caller]
    pub(crate) fn start(plan: LoadPlan<'_>) -> Self {
        let scratch = Scratch::new("load");
        let mut ports = "SEQUENTIAL\n".to_owned();
        for port in plan.ports {
            writeln!(ports, "{port};").expect("a String takes all");
        }
        let ports = scratch.write("ports.csv", &ports);
        let limit = plan.hold + Duration::from_secs((plan.calls / plan.rate.max(1)) as u64) + SLACK;
        let mut sipp = Command::new("sipp");
        sipp.arg(plan.server.to_string()).arg("-sf").arg(scenario("steady_call")).arg("-inf").arg(ports);
        sipp.args(["-s", plan.user, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin"]);
        sipp.args(["-m", &plan.calls.to_string(), "-r", &plan.rate.to_string()]);
        sipp.args(["-l", &plan.at_once.to_string(), "-d", &plan.hold.as_millis().to_string()]);
        sipp.args(["-timeout", &format!("{}s", limit.as_secs()), "-timeout_error"]);
        sipp.args(["-trace_stat", "-stf"]).arg(scratch.join("statistics.csv"));
        sipp.args(["-trace_err", "-error_file"]).arg(scratch.join("errors.log"));
        let child = spawn(&mut sipp, &scratch);
        Self { child, scratch, limit }
    }

    /// Waits for the end of the last call.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Tally {
        // 1 says that some call failed; the tally tells how many.
        let status = wait::until("the end of sipp's calls", self.limit + SLACK, || {
            self.child.try_wait().expect("sipp is our child")
        });
        let errors = tail(&self.scratch.join("errors.log"), 20);
        assert!(matches!(status.code(), Some(0 | 1)), "sipp ended with {status}\n{errors}");
        let tally = tally(&self.scratch.join("statistics.csv"));
        if tally.failed > 0 {
            eprintln!("sipp's errors end with\n{errors}");
        }
        tally
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// sipp as a server that answers every call and sends every RTP packet back as it came; killed on drop.
pub(crate) struct Reflector {
    child: Child,
    sip: SocketAddr,
    rtp: SocketAddr,
    _scratch: Scratch,
}

impl Reflector {
    /// Listens for SIP at `port` and for everybody's RTP two ports above.
    #[track_caller]
    pub(crate) fn start(port: u16) -> Self {
        let scratch = Scratch::new("reflector");
        let rtp = port + 2;
        let mut sipp = Command::new("sipp");
        sipp.arg("-sf").arg(scenario("reflector")).args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin"]);
        sipp.args(["-p", &port.to_string(), "-mp", &rtp.to_string(), "-rtp_echo"]);
        let child = spawn(&mut sipp, &scratch);
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { child, sip: loopback(port), rtp: loopback(rtp), _scratch: scratch }
    }

    /// Where it answers.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Where it reflects.
    pub(crate) fn rtp(&self) -> SocketAddr {
        self.rtp
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(sipp: &mut Command, scratch: &Scratch) -> Child {
    let file = |name: &str| File::create(scratch.join(name)).expect("a file in the scratch directory");
    sipp.current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(file("screen.log"))
        .stderr(file("stderr.log"));
    sipp.spawn().expect("sipp can be started (Debian: sip-tester)")
}

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(format!("{name}.xml"))
}

/// The last line of sipp's statistics; those that end in `(C)` count from the beginning.
#[track_caller]
fn tally(statistics: &Path) -> Tally {
    let text = fs::read_to_string(statistics).expect("sipp wrote its statistics");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a line of names").split(';').collect();
    let values: Vec<&str> = lines.next_back().expect("a line of values").split(';').collect();
    let field = |name: &str| {
        let place = names.iter().position(|other| *other == name);
        let value = place.and_then(|place| values.get(place)?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in sipp's statistics"))
    };
    Tally {
        successful: field("SuccessfulCall(C)"),
        failed: field("FailedCall(C)"),
        retransmissions: field("Retransmissions(C)"),
    }
}

/// For a machine that stands still, and for the last BYE.
const SLACK: Duration = Duration::from_secs(20);
