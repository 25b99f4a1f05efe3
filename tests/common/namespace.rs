//! A network of a test's own: the test runs itself again inside a new network namespace.
//!
//! It cannot pass outside: the inner process checks that its namespace is another one, and the outer process wants to
//! see the token that the inner one prints at its end.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wait;

/// Runs `inside` in a network where nobody else is: loopback, and [`OWN_ADDRESS`] on an interface that is no
/// loopback.
///
/// `test` is the path of the calling `#[test]` function inside its crate.
///
/// # Panics
/// When no namespace can be made, or `inside` panics, or `test` is not the caller's name.
#[track_caller]
pub(crate) fn with_own_network(test: &str, inside: impl FnOnce()) {
    match std::env::var(MARKER) {
        Ok(marker) => run_inside(&marker, inside),
        Err(_) => run_again_inside(test),
    }
}

fn run_inside(marker: &str, inside: impl FnOnce()) {
    assert_ne!(marker, namespace(), "{MARKER} is set, but this is not a namespace of our own");
    ip("link set lo up");
    ip("link add caly0 type veth peer name caly1");
    ip(&format!("address add {OWN_ADDRESS}/24 dev caly0"));
    ip("link set caly0 up");
    ip("link set caly1 up");
    inside();
    println!("{}", proof(&namespace()));
}

#[track_caller]
fn run_again_inside(test: &str) {
    let unshare = usable_unshare();
    let this = std::env::current_exe().expect("the test knows its own file");
    let mut child = Command::new("unshare")
        .args(unshare)
        .arg(this)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARKER, namespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("unshare can be started");
    let group = ProcessGroup(child.id());
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let ended = wait::until(&format!("the end of {test} in its own network"), LIMIT, || ended(&mut child));
    drop(group);
    let stdout = stdout.join().unwrap_or_default();
    let stderr = stderr.join().unwrap_or_default();
    let why = panics(&stderr);
    assert!(ended.success(), "in its own network {test} failed:\n{stdout}\n{stderr}\n{why}");
    assert!(
        stdout.contains(PROOF),
        "{test} did not run in its own network; is this its name?\n{stdout}\n{stderr}"
    );
    assert!(!stdout.contains(&proof(&namespace())), "{test} ran in the network of everybody");
}

/// What a process said when it panicked, without the backtraces: once more behind a long log, whose end alone may be kept.
fn panics(stderr: &str) -> String {
    let mut is_panic = false;
    let is_said = |line: &&str| {
        let is_end = line.starts_with("stack backtrace:") || line.starts_with("note:");
        is_panic = !is_end && (is_panic || line.contains("panicked at"));
        is_panic
    };
    stderr.lines().filter(is_said).take(MAX_PANIC_LINES).collect::<Vec<_>>().join("\n")
}

/// What the inner process prints when `inside` has come to its end.
fn proof(namespace: &str) -> String {
    format!("{PROOF} {namespace}")
}

/// The name of this process's network namespace, e.g. `net:[4026531840]`.
fn namespace() -> String {
    let link = fs::read_link("/proc/self/ns/net").expect("Linux shows the network namespace in /proc");
    link.to_string_lossy().into_owned()
}

/// The options with which this machine lets us make a network namespace: as root, else with a user namespace.
#[track_caller]
fn usable_unshare() -> &'static [&'static str] {
    let candidates: [&[&str]; 2] = [&["-n", "--"], &["-Urn", "--"]];
    let works = |options: &&[&str]| {
        let mut trial = Command::new("unshare");
        trial.args(*options).arg("true").stdin(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    };
    let found = candidates.into_iter().find(works);
    found.expect("neither `unshare -n` nor `unshare -Urn` works here: this test needs a network of its own")
}

#[track_caller]
fn ip(arguments: &str) {
    let output =
        Command::new("ip").args(arguments.split(' ')).output().expect("ip can be started (iproute2)");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn reader(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn ended(child: &mut Child) -> Option<std::process::ExitStatus> {
    child.try_wait().expect("unshare is our child")
}

/// The inner process and everything that it started; killed on drop, so that a test that hangs leaves nothing behind.
struct ProcessGroup(u32);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let kill = format!("kill -KILL -- -{}", self.0);
        // An empty group is the good case.
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }
}

/// The address on the interface that is no loopback.
pub(crate) const OWN_ADDRESS: &str = "10.77.0.1";

/// Carries the outer network's name to the inner process.
const MARKER: &str = "CALY_TEST_OUTER_NETWORK";
const PROOF: &str = "caly test ran in";
/// Enough for what was expected and what was found.
const MAX_PANIC_LINES: usize = 40;
/// The longest test in a network of its own takes about 45 s.
const LIMIT: Duration = Duration::from_secs(90);
