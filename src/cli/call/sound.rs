//! What a call says: a WAV file, a capture or spoken text, as 8 kHz mono samples.

use super::stream;
use crate::cli::{CallArgs, Failure};
use crate::prompt::{Espeak, Voice};
use crate::sound::wav;

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
        let samples = wav::read(path).map_err(|error| {
            let what = Failure::refused(error.to_string());
            what.advise(error.advice())
        })?;
        return Ok(Some(Sound { samples, note: None }));
    }
    if let Some(path) = &args.pcap {
        return stream::read_capture(path).map(Some);
    }
    let spoken = args.say.as_deref().map(speak).transpose()?;
    Ok(spoken.map(|samples| Sound { samples, note: None }))
}

/// Speaks as the agents' prompts do where they are not shipped.
fn speak(text: &str) -> Result<Vec<i16>, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::refused("--say has nothing to say").advise("write a text behind it"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let voice = Voice { name: VOICE.to_owned(), words_per_minute: WORDS_PER_MINUTE };
    let spoken = runtime.block_on(Espeak::default().speak(&voice, text));
    spoken.map_err(|error| Failure::failed(error.to_string()).advise(error.advice()))
}

/// espeak-ng's own voice and pace.
const VOICE: &str = "en";
const WORDS_PER_MINUTE: u16 = 175;
