//! A tiny file system of a test's own: the test runs itself again in a mount namespace where nobody else is.

use std::path::Path;
use std::process::Command;

/// A tmpfs to be mounted.
pub(crate) struct Mount {
    /// Its size as mount(8) takes it.
    pub(crate) size: &'static str,
    /// True to mount it read-only.
    pub(crate) is_read_only: bool,
}

/// Runs `inside` with the path of a tmpfs that only it sees. `test` is the path of the calling test in its crate.
///
/// # Panics
/// When no such file system can be made, or `inside` panics.
pub(crate) fn with_tmpfs(test: &str, mount: Mount, inside: impl FnOnce(&Path)) {
    if let Some(dir) = std::env::var_os(MARKER) {
        inside(Path::new(&dir));
        println!("{PROOF}");
        return;
    }
    let dir = super::scratch::Scratch::new("tmpfs");
    let access = if mount.is_read_only { "ro" } else { "rw" };
    let script = format!(
        "mount -t tmpfs -o size={},{access} none '{}' && exec \"$@\"",
        mount.size,
        dir.path().display()
    );
    let this = std::env::current_exe().expect("the test knows its own file");
    let output = Command::new("unshare")
        .args(namespace_options())
        .args(["sh", "-c", &script, "sh"])
        .arg(this)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARKER, dir.path())
        .output()
        .expect("unshare can be started");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "on its own file system {test} failed:\n{stdout}\n{stderr}");
    assert!(stdout.contains(PROOF), "{test} did not run on its own file system; is this its name?\n{stdout}");
}

/// As root a mount namespace, else one of a user namespace.
fn namespace_options() -> &'static [&'static str] {
    let works = |options: &[&str]| {
        let tried =
            Command::new("unshare").args(options).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    [&["-m"][..], &["-Urm"][..]]
        .into_iter()
        .find(|options| works(options))
        .expect("this test needs a mount namespace: root, or user namespaces allowed")
}

/// Tells the inner process where its file system is.
const MARKER: &str = "CALY_TEST_TMPFS";

const PROOF: &str = "ran on a file system of its own";
