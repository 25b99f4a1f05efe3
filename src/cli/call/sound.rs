//! What a call says: a WAV file, a capture or spoken text, as 8 kHz mono samples.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{stream, wav};
use crate::cli::{CallArgs, Failure};

/// What a call says.
#[derive(Debug)]
pub(super) struct Sound {
    /// 8 kHz, mono.
    pub(super) samples: Vec<i16>,
    /// What the user should know about it, on one line.
    pub(super) note: Option<String>,
}

/// The sound that the arguments name; `None` for a silent call.
///
/// # Errors
/// When it cannot be had whole.
pub(super) fn load(args: &CallArgs) -> Result<Option<Sound>, Failure> {
    if let Some(path) = &args.wav {
        return wav::read(path).map(|samples| Some(Sound { samples, note: None }));
    }
    if let Some(path) = &args.pcap {
        return stream::read_capture(path).map(Some);
    }
    let spoken = args.say.as_deref().map(speak).transpose()?;
    Ok(spoken.map(|samples| Sound { samples, note: None }))
}

/// Speaks through espeak-ng; the text goes in by standard input, so that it stands in no process list.
fn speak(text: &str) -> Result<Vec<i16>, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::refused("--say has nothing to say").advise("write a text behind it"));
    }
    let missing = |error: std::io::Error| {
        Failure::failed(format!("espeak-ng cannot be run: {error}"))
            .advise("install it: apt-get install espeak-ng")
    };
    let mut child = Command::new("espeak-ng")
        .args(["--stdin", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(missing)?;
    }
    let output = child.wait_with_output().map_err(missing)?;
    if !output.status.success() {
        return Err(Failure::failed(format!("espeak-ng failed: {}", output.status))
            .advise("try it by hand: espeak-ng hello"));
    }
    wav::decode(output.stdout, "what espeak-ng spoke")
}
