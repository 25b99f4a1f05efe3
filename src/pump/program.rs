//! A local program: what it prints is told as it comes.

use std::io;
use std::process::{ExitStatus, Stdio};

use caly_provider::link::{LinkEnd, LinkEvent, LinkFailure, Message, ProgramRequest, ResponseHead};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use super::link::Teller;

/// Runs it to its end. It is killed when this is dropped.
pub(super) async fn run(request: ProgramRequest, teller: &Teller) -> LinkEnd {
    let mut child = match start(&request) {
        Ok(child) => child,
        Err(error) => return failed(why_not_started(&request.program, &error)),
    };
    teller.tell(LinkEvent::Opened(ResponseHead::default())).await;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feeding = feed(stdin, &request.stdin);
    let (_, heard_bytes, complaint) = tokio::join!(feeding, hear(stdout, teller), first_line(stderr));
    let program = &request.program;
    match (child.wait().await, complaint) {
        (Ok(status), complaint) if !status.success() => failed(why_failed(program, status, &complaint)),
        // Many programs chat on standard error and do well; one that has brought nothing but complaints has not.
        (Ok(_), complaint) if heard_bytes == 0 && !complaint.is_empty() => {
            failed(format!("{program} brought nothing and said: {complaint}"))
        }
        (Ok(_), _) => LinkEnd::Complete,
        (Err(error), _) => failed(format!("{program}: {error}")),
    }
}

/// With an environment of its own: the server's may hold keys that are no business of the program.
fn start(request: &ProgramRequest) -> io::Result<Child> {
    Command::new(&request.program)
        .args(&request.arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn feed(stdin: Option<ChildStdin>, bytes: &[u8]) {
    if let Some(mut stdin) = stdin {
        // A program that has read enough closes early; what it makes of it, its status tells.
        let _taken = stdin.write_all(bytes).await;
    }
}

/// Tells all that comes, and counts it.
async fn hear(output: Option<impl AsyncRead + Unpin>, teller: &Teller) -> usize {
    let Some(mut output) = output else { return 0 };
    let (mut buffer, mut bytes) = (vec![0; MAX_PART_BYTES], 0);
    // An error of a pipe is its end; the program's status follows.
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        bytes += length;
        teller.tell(LinkEvent::Received(Message::Binary(buffer[..length].to_vec()))).await;
    }
    bytes
}

/// The first line that says something. The rest is read and dropped, so that the program is never held by it.
async fn first_line(errors: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut errors) = errors else { return String::new() };
    let (mut beginning, mut buffer) = (Vec::new(), [0; 512]);
    while let Ok(length @ 1..) = errors.read(&mut buffer).await {
        let room = MAX_COMPLAINT_BYTES.saturating_sub(beginning.len());
        beginning.extend_from_slice(&buffer[..length.min(room)]);
    }
    let text = String::from_utf8_lossy(&beginning);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default().to_owned()
}

fn failed(why: String) -> LinkEnd {
    LinkEnd::Failed(LinkFailure::Program(why))
}

fn why_failed(program: &str, status: ExitStatus, complaint: &str) -> String {
    let said = if complaint.is_empty() { "it said nothing" } else { complaint };
    format!("{program} ended with {status}: {said}")
}

fn why_not_started(program: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') => {
            format!("{program} does not exist: mend the path in the configuration")
        }
        io::ErrorKind::NotFound => format!(
            "{program} is not installed: install it (on Debian: apt-get install {program}), or give its whole path"
        ),
        io::ErrorKind::PermissionDenied => format!("{program} may not be run: make it executable (chmod +x)"),
        // Foreign and not exhaustive.
        _ => format!("{program} cannot be run: {error}"),
    }
}

/// Of its output at a time.
const MAX_PART_BYTES: usize = 16 * 1024;

/// Of what it complains about.
const MAX_COMPLAINT_BYTES: usize = 1_024;

/// Where programs are found that are named without a path.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
