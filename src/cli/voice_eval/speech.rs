//! espeak-ng as the voice of callers: a process for each phrase, the text by standard input.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::eval::{Synthesize, Talker};
use crate::sound::wav;

/// The program that is found by its name.
#[derive(Debug)]
pub(super) struct Espeak;

impl Synthesize for Espeak {
    fn speak(&self, talker: &Talker, text: &str) -> Result<Vec<i16>, String> {
        let missing = |error: std::io::Error| {
            format!("espeak-ng cannot be run: {error}; install it: apt-get install espeak-ng")
        };
        let mut child = Command::new("espeak-ng")
            .args(["-v", talker.voice, "-s", &talker.words_per_minute.to_string()])
            .args(["-p", &talker.pitch.to_string(), "-b", "1", "--stdin", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(missing)?;
        if let Some(mut stdin) = child.stdin.take() {
            // Dropped at the end of the block, which ends the text. A process that died does not read; its status tells why.
            let _ = stdin.write_all(text.as_bytes());
        }
        let output = child.wait_with_output().map_err(missing)?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().next().unwrap_or_default().trim();
        // It says that it has no such voice, speaks with another one and calls that a success.
        if !output.status.success() || !complaint.is_empty() {
            let voice = talker.voice;
            return Err(format!(
                "espeak-ng failed with the voice {voice}: {} {complaint}; try: espeak-ng -v {voice} hello",
                output.status
            ));
        }
        wav::decode(output.stdout, "what espeak-ng spoke").map_err(|error| error.to_string())
    }
}
