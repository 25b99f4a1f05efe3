//! sipp as a peer: runs a scenario of `tests/sipp` against the server and fails loudly when sipp does.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::scratch::{Scratch, tail};
use super::server::Server;
use super::wait;

/// The transport of the signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    /// Both, for behaviour that must not depend on it.
    pub(crate) const BOTH: [Self; 2] = [Self::Udp, Self::Tcp];
}

/// One run of one scenario.
pub(crate) struct Sipp {
    scenario: String,
    user: String,
    transport: Transport,
    calls: u32,
    rate: u32,
    echoes: bool,
    ignores_unexpected: bool,
    local: IpAddr,
    server: Option<IpAddr>,
    played: Option<PlayedRtp>,
}

/// The RTP that a scenario plays as `caller.pcap`.
struct PlayedRtp {
    pcap: Vec<u8>,
    codec: (u8, String),
    dtmf: u8,
    length: Duration,
}

impl Sipp {
    /// A call of `tests/sipp/{scenario}.xml` to `user`, over UDP.
    pub(crate) fn new(scenario: &str, user: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            user: user.to_owned(),
            transport: Transport::Udp,
            calls: 1,
            rate: 10,
            echoes: false,
            ignores_unexpected: false,
            local: Ipv4Addr::LOCALHOST.into(),
            server: None,
            played: None,
        }
    }

    /// Over this transport.
    pub(crate) fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// `calls` calls, `rate` new ones per second.
    pub(crate) fn calls(mut self, calls: u32, rate: u32) -> Self {
        self.calls = calls;
        self.rate = rate;
        self
    }

    /// From this loopback address to the server at the same one, which listens on all addresses.
    pub(crate) fn at(mut self, address: IpAddr) -> Self {
        self.local = address;
        self.server = Some(address);
        self
    }

    /// Plays the RTP of a capture, in this codec (payload type and name) and with keys of payload type `dtmf`, and hangs up
    /// after `length`.
    pub(crate) fn playing(mut self, pcap: Vec<u8>, codec: (u8, &str), dtmf: u8, length: Duration) -> Self {
        self.played = Some(PlayedRtp { pcap, codec: (codec.0, codec.1.to_owned()), dtmf, length });
        self
    }

    /// Sends every RTP packet back to where it came from.
    pub(crate) fn echoing(mut self) -> Self {
        self.echoes = true;
        self
    }

    /// Passes over messages that the scenario does not expect; what it does expect must still come.
    pub(crate) fn ignoring_unexpected(mut self) -> Self {
        self.ignores_unexpected = true;
        self
    }

    /// Runs to the end.
    ///
    /// # Panics
    /// When any call did not go exactly as the scenario says; the message shows what sipp complained about and the
    /// last messages on the wire.
    #[track_caller]
    pub(crate) fn run(&self, server: &Server) {
        let scratch = Scratch::new("sipp");
        let screen = File::create(scratch.join("screen.log")).expect("a file in the scratch directory");
        let mut child = self
            .command(server, &scratch)
            .stdin(Stdio::null())
            .stdout(screen)
            .stderr(File::create(scratch.join("stderr.log")).expect("a file in the scratch directory"))
            .spawn()
            .expect("sipp can be started (Debian: sip-tester)");
        let limit = Duration::from_secs(RUN_LIMIT_S + 5);
        let ended = wait::until(&format!("the end of sipp {}", self.scenario), limit, || {
            child.try_wait().expect("sipp is our child")
        });
        assert!(ended.success(), "{}", self.complaint(&scratch, ended));
    }

    fn command(&self, server: &Server, scratch: &Scratch) -> Command {
        let ports = server.ports();
        let first = next_peer_port();
        let mut sipp = Command::new("sipp");
        let server_sip =
            self.server.map_or(server.sip(), |address| SocketAddr::new(address, server.sip().port()));
        sipp.arg(server_sip.to_string()).arg("-sf").arg(scenario_file(&self.scenario));
        sipp.args(["-s", &self.user, "-i", &self.local.to_string(), "-mi", &self.local.to_string()]);
        sipp.args(["-p", &ports.peer(first).to_string(), "-cp", &ports.peer(first + 1).to_string()]);
        sipp.args(["-mp", &ports.peer(first + 2).to_string()]);
        sipp.args(["-t", if self.transport == Transport::Udp { "u1" } else { "t1" }]);
        sipp.args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string()]);
        sipp.args(["-timeout", &format!("{RUN_LIMIT_S}s"), "-timeout_error", "-nostdin"]);
        sipp.args(["-trace_err", "-error_file"]).arg(scratch.join("errors.log"));
        sipp.args(["-trace_msg", "-message_file"]).arg(scratch.join("messages.log"));
        if let Some(PlayedRtp { pcap, codec: (codec, name), dtmf, length }) = &self.played {
            fs::write(scratch.join("caller.pcap"), pcap).expect("a file in the scratch directory");
            sipp.args(["-key", "codec", &codec.to_string(), "-key", "name", name]);
            sipp.args(["-key", "dtmf", &dtmf.to_string(), "-d", &length.as_millis().to_string()]);
        }
        if self.echoes {
            sipp.arg("-rtp_echo");
        }
        if self.ignores_unexpected {
            sipp.args(["-default_behaviors", "all,-abortunexp"]);
        }
        sipp.current_dir(scratch.path());
        sipp
    }

    fn complaint(&self, scratch: &Scratch, ended: ExitStatus) -> String {
        let Self { scenario, user, transport, .. } = self;
        let errors = tail(&scratch.join("errors.log"), 30);
        let stderr = tail(&scratch.join("stderr.log"), 10);
        let messages = tail(&scratch.join("messages.log"), 80);
        format!(
            "sipp {scenario} to {user} over {transport:?} ended with {ended}\n--- errors\n{errors}\n{stderr}\n\
             --- the last messages\n{messages}\n---"
        )
    }
}

fn scenario_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(format!("{name}.xml"))
}

/// Numbers of four peer ports (SIP, control, RTP, RTCP) that the runs before this one did not use: a port that was
/// closed a moment ago may still be sent to.
fn next_peer_port() -> u16 {
    static RUNS: AtomicU16 = AtomicU16::new(0);
    const RUNS_PER_BLOCK: u16 = 10;
    // Even numbers, since RTP wants an even port and blocks begin at one.
    2 + 4 * (RUNS.fetch_add(1, Ordering::Relaxed) % RUNS_PER_BLOCK)
}

/// No scenario takes longer by itself; a stalled machine has the rest.
const RUN_LIMIT_S: u64 = 20;
