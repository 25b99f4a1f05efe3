//! `caly serve` as a process of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ports::PortBlock;
use super::scratch::{Scratch, tail};
use super::wait;

/// A running server; killed on drop. When the test fails, its log is shown.
pub(crate) struct Server {
    child: Child,
    sip: SocketAddr,
    http: SocketAddr,
    log: PathBuf,
    stdout: Option<JoinHandle<()>>,
    ports: PortBlock,
    scratch: Scratch,
}

/// How to start one.
pub(crate) struct ServerSetup {
    config: String,
    listen: String,
    rtp_ports: Option<String>,
    environment: Vec<(String, String)>,
    log_is_unread: bool,
}

impl Default for ServerSetup {
    fn default() -> Self {
        let listen = "127.0.0.1:0".to_owned();
        Self { config: String::new(), listen, rtp_ports: None, environment: Vec::new(), log_is_unread: false }
    }
}

impl ServerSetup {
    /// Adds TOML to the configuration file.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// The SIP address to listen on instead of `127.0.0.1:0`.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// RTP ports instead of half a [`PortBlock`].
    pub(crate) fn rtp_ports(mut self, range: &str) -> Self {
        self.rtp_ports = Some(range.to_owned());
        self
    }

    /// Sets an environment variable for the server.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its log goes into a pipe that nobody reads.
    pub(crate) fn unread_log(mut self) -> Self {
        self.log_is_unread = true;
        self
    }

    /// Starts it and waits for its ready line.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let scratch = Scratch::new("server");
        let ports = PortBlock::claim();
        let rtp_ports =
            self.rtp_ports.unwrap_or_else(|| format!("{}-{}", ports.rtp().start(), ports.rtp().end()));
        let config = scratch.write("caly.toml", &self.config);
        let log = scratch.join("server.log");
        let file = File::create(&log).expect("a log file in the scratch directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_caly"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .args(["--sip", &self.listen, "--http", "127.0.0.1:0", "--rtp-ports", &rtp_ports])
            .arg("--data")
            .arg(scratch.join("data"))
            .envs(self.environment)
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if self.log_is_unread { Stdio::piped() } else { file.into() })
            .spawn()
            .expect("caly can be started");
        let (lines, stdout) = read_lines(child.stdout.take().expect("stdout is piped"));
        match wait_for_ready_line(&mut child, &lines) {
            Ok((sip, http)) => Server { child, sip, http, log, stdout: Some(stdout), ports, scratch },
            Err(why) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{why}; its log:\n{}", tail(&log, LOG_LINES));
            }
        }
    }
}

impl Server {
    /// Starts one on loopback without any configuration.
    #[track_caller]
    pub(crate) fn start() -> Self {
        ServerSetup::default().start()
    }

    /// Its SIP address, for UDP and TCP.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Its HTTP address.
    pub(crate) fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.join("data")
    }

    /// Ports for its peers.
    pub(crate) fn ports(&self) -> &PortBlock {
        &self.ports
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        tail(&self.log, usize::MAX)
    }

    /// True while the process runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by its name, e.g. `TERM`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &command]).status().expect("sh can be started");
        assert!(sent.success(), "{command}: {sent}");
    }

    /// Waits for its end and tells the exit status.
    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        wait::until("the server's exit", within, || self.child.try_wait().expect("the server is our child"))
    }

    /// Runs another `caly` command and returns its standard output.
    #[track_caller]
    pub(crate) fn caly(&self, arguments: &[&str]) -> String {
        run_caly(arguments, &self.data())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.stdout.take() {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log ends with\n{}\n---", tail(&self.log, LOG_LINES));
        }
    }
}

/// Runs `caly ARGUMENTS --data DATA` to its end.
#[track_caller]
pub(crate) fn run_caly(arguments: &[&str], data: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(arguments)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .expect("caly can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "caly {arguments:?} ended with {}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("caly prints UTF-8")
}

fn read_lines(stdout: ChildStdout) -> (Receiver<String>, JoinHandle<()>) {
    let (sender, lines) = mpsc::sync_channel(STDOUT_LINES);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Only the ready line matters; what nobody reads may go, but the pipe must not fill.
            let _ = sender.try_send(line);
        }
    });
    (lines, reader)
}

fn wait_for_ready_line(
    child: &mut Child,
    lines: &Receiver<String>,
) -> Result<(SocketAddr, SocketAddr), String> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match lines.recv_timeout(Duration::from_millis(20)) {
            Ok(line) if line.starts_with("caly ready ") => return addresses(&line),
            Ok(_) => continue,
            Err(mpsc::RecvTimeoutError::Timeout | mpsc::RecvTimeoutError::Disconnected) => {}
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the server ended at once with {status}"));
        }
        if Instant::now() > deadline {
            return Err(format!("no ready line within {START_LIMIT:?}"));
        }
    }
}

fn addresses(ready_line: &str) -> Result<(SocketAddr, SocketAddr), String> {
    let field = |name: &str| -> Option<SocketAddr> {
        ready_line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    match (field("sip"), field("http")) {
        (Some(sip), Some(http)) => Ok((sip, http)),
        _ => Err(format!("the ready line lacks addresses: {ready_line}")),
    }
}

/// A fresh database and a stalling machine included; normally a tenth of a second.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Only the first lines of standard output are looked at.
const STDOUT_LINES: usize = 64;
/// How much of the log a failing test shows.
const LOG_LINES: usize = 60;
