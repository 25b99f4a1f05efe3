//! The lines of an agent in its own voice, that of its synthesizer or of the model that speaks for it: said once, before the first caller or soon after, and kept on disk. Until a line is
//! there, and if that voice fails, it is heard in espeak-ng's voice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use caly_provider::audio::AudioFormat;
use caly_provider::policy::RetryConfig;
use caly_provider::{realtime, tts};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::app::live::{recite, say};
use crate::mind::speech::{Clips, Language};
use crate::prompt::Library;
use crate::pump::Pump;
use crate::sound::convert::Converter;

/// A line in one of its languages.
type Text = (Language, String);

/// An agent's clips: those in its own voice before all others.
#[derive(Debug)]
pub(super) struct OwnVoice {
    own: RwLock<HashMap<Text, Arc<[i16]>>>,
    others: Library,
}

/// What is to be said once.
#[derive(Debug)]
pub(super) struct Recital {
    /// Its name in the configuration, for the log.
    pub(super) provider_name: String,
    /// Whose voice it is.
    pub(super) reader: Reader,
    /// The lines.
    pub(super) lines: Vec<(Language, String)>,
    /// Where clips are kept.
    pub(super) cache: PathBuf,
}

/// Who has the agent's voice.
#[derive(Debug)]
pub(super) enum Reader {
    /// Its first synthesizer.
    Synthesizer(Arc<dyn tts::Provider>),
    /// Its first model that speaks by itself.
    Model(Arc<dyn realtime::Provider>),
}

impl OwnVoice {
    /// With nothing in the agent's own voice yet.
    pub(super) fn new(others: Library) -> Self {
        Self { own: RwLock::default(), others }
    }

    /// Says the lines that nobody has said before; one after the other, so that no vendor's limit is met. Ends when all are there, or when whoever
    /// has the voice has failed.
    pub(super) async fn recite(&self, recital: Recital, pump: Pump) {
        for (language, text) in &recital.lines {
            let file = recital.cache.join(address(&recital.reader, *language, text));
            let clip = match read(&file).await {
                Some(clip) => Some(clip),
                None => match timeout(LONGEST, said(&recital, *language, text, &pump)).await {
                    Ok(Ok(clip)) => {
                        keep(&file, &clip).await;
                        Some(clip)
                    }
                    Ok(Err(why)) => return warn(&recital.provider_name, &why),
                    Err(_) => return warn(&recital.provider_name, "it took too long"),
                },
            };
            if let Some(clip) = clip {
                let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
                own.insert((*language, text.clone()), clip.into());
            }
        }
    }
}

impl Clips for OwnVoice {
    fn clip(&self, language: Language, text: &str) -> Option<Arc<[i16]>> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let found = own.get(&(language, text.to_owned())).cloned();
        drop(own);
        found.or_else(|| self.others.clip(language, text))
    }
}

fn warn(provider: &str, why: &str) {
    tracing::warn!(
        provider,
        "the agent's own lines cannot be said by its own voice and are heard in espeak-ng's voice: {why}; \
         try `caly check --live`, and restart the server"
    );
}

/// Says one line; the telephone's samples of it.
async fn said(recital: &Recital, language: Language, text: &str, pump: &Pump) -> Result<Vec<i16>, String> {
    let ways = (pump, RetryConfig::CONNECTION);
    let said = match &recital.reader {
        Reader::Synthesizer(provider) => say(provider, language, text, ways).await,
        Reader::Model(provider) => recite(provider, language, text, ways).await,
    };
    let said = said.map_err(|fault| format!("{fault}; {}", fault.kind.advice()))?;
    let mut converter = Converter::new(said.format, AudioFormat::PCM_8K);
    let mut pcm = converter.convert(&said.bytes);
    pcm.extend(converter.finish());
    Ok(pcm.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect())
}

/// Of what is said by whom: another voice, model or text is another clip. Keys are no part of it, as they do not show themselves.
fn address(reader: &Reader, language: Language, text: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&format!("{reader:?}"), language.code(), text] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let hash: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("own-{hash}.pcm")
}

async fn read(file: &Path) -> Option<Vec<i16>> {
    let bytes = tokio::fs::read(file).await.ok()?;
    Some(bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect())
}

/// Writes beside and renames, so that a clip is whole or not there. Without it the line is said again after the next start.
async fn keep(file: &Path, clip: &[i16]) {
    let bytes: Vec<u8> = clip.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let part = file.with_extension("part");
    let written = async {
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        tokio::fs::write(&part, bytes).await?;
        tokio::fs::rename(&part, file).await
    };
    if let Err(error) = written.await {
        tracing::warn!(file = %file.display(), %error, "a line in the agent's own voice cannot be kept and is said again after the next start");
    }
}

/// For one line; the longest is a few seconds of speech.
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use caly_provider::policy::Patience;
    use caly_provider::secret::Secret;
    use caly_provider::tts::{Aura, AuraConfig, Streams};
    use caly_vendors::deepgram_speak::DeepgramSpeak;
    use caly_vendors::seen::Seen;
    use caly_vendors::sockets::Server;
    use caly_vendors::stage::Stage;
    use caly_vendors::strict::KEY;
    use caly_vendors::voice::{Pace, Voice};

    use super::*;
    use crate::pump::PumpConfig;

    fn recital(url: &str, cache: &Path) -> Recital {
        let mut config = AuraConfig::new(Secret::new(KEY), "aura-2-asha-hi");
        config.url = url.to_owned();
        let vendor = Arc::new(Aura(config));
        let reader = Reader::Synthesizer(Arc::new(Streams { vendor, patience: Patience::TTS }));
        let lines = vec![(Language::Hi, "Namaste!".to_owned()), (Language::Hi, "Ek minute.".to_owned())];
        Recital { provider_name: "aura".to_owned(), reader, lines, cache: cache.to_owned() }
    }

    #[tokio::test]
    async fn lines_are_said_once_and_kept() {
        let seen = Seen::default();
        let speak = DeepgramSpeak::new(Voice::default(), Pace::default(), &seen);
        let server = Server::start(Stage::new(speak, &seen)).await.unwrap();
        let folder = crate::store::scratch::Folder::new("own-voice");
        let pump = Pump::new(&PumpConfig::default()).unwrap();
        let url = server.websocket_base();
        let clips = OwnVoice::new(Library::default());
        clips.recite(recital(&url, folder.path()), pump.clone()).await;
        let clip = clips.clip(Language::Hi, "Ek minute.").unwrap();
        assert!((4_000..8_000).contains(&clip.len()), "{}", clip.len());
        assert_eq!(clips.clip(Language::En, "Ek minute."), None);
        let asked = seen.arrivals();
        let again = OwnVoice::new(Library::default());
        again.recite(recital(&url, folder.path()), pump).await;
        assert_eq!(again.clip(Language::Hi, "Ek minute."), Some(clip));
        assert_eq!((asked, seen.arrivals()), (2, 2), "{:?}", seen.complaints());
    }

    #[tokio::test]
    async fn without_a_synthesizer_the_other_clips_are_heard() {
        let folder = crate::store::scratch::Folder::new("own-voice-fails");
        let pump = Pump::new(&PumpConfig::default()).unwrap();
        let clips = OwnVoice::new(Library::default());
        clips.recite(recital("ws://127.0.0.1:1", folder.path()), pump).await;
        assert_eq!(clips.clip(Language::Hi, "Namaste!"), None);
    }
}
