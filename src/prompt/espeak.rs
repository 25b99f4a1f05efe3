//! espeak-ng: the speech synthesis that needs no key and no network. It runs as a process of its own; the text goes in by
//! standard input, so that it stands in no process list.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::sound::wav;

/// How something is to be spoken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Voice {
    /// espeak-ng's name of the voice: `hi`, `en-in`, `en+f3`.
    pub name: String,
    /// Words per minute, 80-450.
    pub words_per_minute: u16,
}

impl Voice {
    /// A voice at the pace of the agents.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), words_per_minute: WORDS_PER_MINUTE }
    }
}

/// Why nothing was spoken.
#[derive(Debug, thiserror::Error)]
pub enum EspeakError {
    /// There is no such program.
    #[error("espeak-ng cannot be run: {0}")]
    Missing(std::io::Error),
    /// It did not come to an end.
    #[error("espeak-ng did not finish within {0:?}")]
    Slow(Duration),
    /// It failed, and said why.
    #[error("espeak-ng failed: {0}")]
    Failed(String),
}

impl EspeakError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Missing(_) => "install it: apt-get install espeak-ng",
            Self::Slow(_) => "speak a shorter text",
            Self::Failed(_) => "try it by hand: espeak-ng hello; its voices: espeak-ng --voices",
        }
    }
}

/// The program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Espeak {
    /// Its path, or the name by which it is found.
    program: PathBuf,
}

impl Default for Espeak {
    fn default() -> Self {
        Self::at("espeak-ng")
    }
}

impl Espeak {
    /// The one that stands there.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Speaks `text` as 8 kHz mono.
    ///
    /// # Errors
    /// When espeak-ng is not installed, has no such voice, or hangs.
    pub async fn speak(&self, voice: &Voice, text: &str) -> Result<Vec<i16>, EspeakError> {
        let mut child = Command::new(&self.program)
            .args([
                "-v",
                &voice.name,
                "-s",
                &voice.words_per_minute.to_string(),
                "-b",
                "1",
                "--stdin",
                "--stdout",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(EspeakError::Missing)?;
        let stdin = child.stdin.take();
        let speaking = async {
            if let Some(mut stdin) = stdin {
                // A process that died does not read; its status tells why.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = timeout(TIME_LIMIT, speaking).await.map_err(|_| EspeakError::Slow(TIME_LIMIT))?;
        let output = output.map_err(EspeakError::Missing)?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().next().unwrap_or_default().trim();
        // It says that it has no such voice, speaks with another one and calls that a success.
        if !output.status.success() || !complaint.is_empty() {
            return Err(EspeakError::Failed(format!("{} {complaint}", output.status)));
        }
        wav::decode(output.stdout, "what espeak-ng spoke")
            .map_err(|error| EspeakError::Failed(error.to_string()))
    }
}

/// A minute of speech takes half a second to synthesize.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// A little slower than espeak-ng's 175: a telephone takes away what makes fast speech clear.
const WORDS_PER_MINUTE: u16 = 150;
