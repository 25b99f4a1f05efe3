//! ElevenLabs' synthesis on a WebSocket with several contexts, `multi-stream-input` (2026-11).
//!
//! Each speech is a context of its own. A chunk is flushed at once, so that it is spoken without waiting for more; a speech that is complete or not
//! wanted any more closes its context. What the vendor says of letters becomes words. Voice and language belong to the connection.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{SpeechId, SpokenWord, Told, Vendor, Wire};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{Endpoint, Message, Request, Url};
use crate::policy::{Fault, FaultKind};
use crate::secret::Secret;

/// What is asked of ElevenLabs, on a WebSocket or over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct ElevenLabsConfig {
    /// `https://api.elevenlabs.io`, or where the account's audio has to stay: `https://api.us.elevenlabs.io`,
    /// `https://api.eu.residency.elevenlabs.io`, `https://api.in.residency.elevenlabs.io`, `https://api.sg.residency.elevenlabs.io`.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// The model: `eleven_flash_v2_5`.
    pub model: String,
    /// The voice's id for each language (`hi`, `en`); `*` for all others.
    pub voices: BTreeMap<String, String>,
    /// How the voice speaks.
    pub settings: VoiceSettings,
    /// Whether the model is told which language it speaks; it is by default. Models that speak only one refuse that.
    pub names_language: bool,
    /// Whether the vendor begins with whatever it is given, which is the fastest way for whole phrases; it does by default.
    pub auto_mode: bool,
    /// Without `auto_mode`: how many characters it waits for, each number for one piece of sound more. The vendor's own by default.
    pub chunk_length_schedule: Vec<u32>,
    /// How long the vendor keeps a connection without a word, in seconds: 180.
    pub inactivity_timeout_s: u32,
    /// Whether one of the five contexts does nothing but keep the connection; it does by default. Without it a connection is made anew
    /// after a long silence.
    pub keeps_alive: bool,
}

/// How a voice speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoiceSettings {
    /// 0 to 1: how little it varies; 0.7.
    pub stability: f64,
    /// 0 to 1: how close it keeps to its original; 0.8.
    pub similarity: f64,
    /// 0 to 1: how much it exaggerates; 0.5.
    pub style: f64,
    /// Whether it is made more like its original once more, which takes time; it is.
    pub speaker_boost: bool,
    /// 0.7 to 1.2 times its usual speed; 1.
    pub speed: f64,
}

/// The vendor.
#[derive(Debug)]
pub struct ElevenLabs(pub ElevenLabsConfig);

impl ElevenLabsConfig {
    /// One voice for all languages.
    pub fn new(key: Secret, voice: &str) -> Self {
        Self {
            url: "https://api.elevenlabs.io".to_owned(),
            key,
            model: "eleven_flash_v2_5".to_owned(),
            voices: BTreeMap::from([("*".to_owned(), voice.to_owned())]),
            settings: VoiceSettings::default(),
            names_language: true,
            auto_mode: true,
            chunk_length_schedule: Vec::new(),
            inactivity_timeout_s: 180,
            keeps_alive: true,
        }
    }

    /// The language as the vendor names it: without a region.
    pub(super) fn language_code<'a>(&self, language: &'a str) -> Option<&'a str> {
        language.split('-').next().filter(|code| self.names_language && !code.is_empty())
    }
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self { stability: 0.7, similarity: 0.8, style: 0.5, speaker_boost: true, speed: 1.0 }
    }
}

impl VoiceSettings {
    pub(super) fn json(&self) -> Value {
        json!({ "stability": self.stability, "similarity_boost": self.similarity, "style": self.style,
            "use_speaker_boost": self.speaker_boost, "speed": self.speed })
    }
}

/// What it gives: what a telephone speaks comes first.
pub(super) const FORMATS: &[AudioFormat] =
    &[AudioFormat::MULAW_8K, AudioFormat::ALAW_8K, AudioFormat::PCM_8K, AudioFormat::PCM_16K];

/// The vendor's name of a format.
pub(super) fn format_name(format: AudioFormat) -> String {
    let encoding = match format.encoding {
        Encoding::Mulaw => "ulaw",
        Encoding::Alaw => "alaw",
        Encoding::Linear16 => "pcm",
    };
    format!("{encoding}_{}", format.rate_hz)
}

impl Vendor for ElevenLabs {
    fn formats(&self) -> &[AudioFormat] {
        FORMATS
    }

    fn wire(&self, format: AudioFormat, language: &str) -> Box<dyn Wire> {
        let (config, language) = (self.0.clone(), language.to_owned());
        Box::new(ElevenLabsWire { config, language, format, contexts: Vec::new() })
    }
}

#[derive(Debug)]
struct ElevenLabsWire {
    config: ElevenLabsConfig,
    language: String,
    format: AudioFormat,
    /// Speeches that are not done, and that somebody wants to hear.
    contexts: Vec<Context>,
}

#[derive(Debug)]
struct Context {
    speech: SpeechId,
    is_finished: bool,
    bytes: u64,
    /// The word whose end has not come.
    word: Option<SpokenWord>,
}

impl Wire for ElevenLabsWire {
    fn request(&self) -> Request {
        let config = &self.config;
        let (format, inactivity) = (format_name(self.format), config.inactivity_timeout_s.to_string());
        let mut query = vec![
            ("model_id", config.model.as_str()),
            ("output_format", format.as_str()),
            ("inactivity_timeout", inactivity.as_str()),
            ("sync_alignment", "true"),
        ];
        query.extend(config.language_code(&self.language).map(|code| ("language_code", code)));
        query.extend(config.auto_mode.then_some(("auto_mode", "true")));
        let base = format!(
            "{}/v1/text-to-speech/{}/multi-stream-input",
            super::web_socket(&config.url),
            super::voice_for(&config.voices, &self.language)
        );
        let headers = vec![("xi-api-key", config.key.clone())];
        Request::WebSocket(Endpoint { url: Url::with_query(&base, query), headers })
    }

    fn greeting(&mut self) -> Vec<Message> {
        self.config.keeps_alive.then(|| self.opening(KEEPER)).into_iter().collect()
    }

    fn speaks(&mut self, language: &str) -> bool {
        let config = &self.config;
        let voice = |language| super::voice_for(&config.voices, language);
        voice(language) == voice(&self.language)
            && config.language_code(language) == config.language_code(&self.language)
    }

    fn has_room(&self) -> bool {
        self.contexts.len() + usize::from(self.config.keeps_alive) < MAX_CONTEXTS
    }

    fn begin(&mut self, speech: SpeechId) -> Vec<Message> {
        self.contexts.push(Context { speech, is_finished: false, bytes: 0, word: None });
        vec![self.opening(&name(speech))]
    }

    /// A text ends in a space, or its last word would wait for a letter more.
    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message> {
        let context = name(speech);
        let text = json!({ "text": format!("{} ", text.trim_end()), "context_id": context });
        [text, json!({ "context_id": context, "flush": true })].map(say).into()
    }

    fn finish(&mut self, speech: SpeechId) -> Vec<Message> {
        self.contexts
            .iter_mut()
            .filter(|context| context.speech == speech)
            .for_each(|context| context.is_finished = true);
        vec![close(speech)]
    }

    fn cancel(&mut self, speech: SpeechId) -> Option<Vec<Message>> {
        let context = self.take(speech);
        // One that is finished is closed already.
        Some(context.filter(|context| !context.is_finished).map(|_| close(speech)).into_iter().collect())
    }

    fn keep_alive(&self) -> Option<(Duration, Message)> {
        let message = say(json!({ "text": "", "context_id": KEEPER }));
        self.config.keeps_alive.then_some((KEEP_ALIVE_EVERY, message))
    }

    fn goodbye(&mut self) -> Option<Message> {
        Some(say(json!({ "close_socket": true })))
    }

    fn closed(&self, code: Option<u16>, reason: &str) -> Option<Fault> {
        (code == Some(1008)).then(|| Fault::of_words(reason, format!("it closed the connection: {reason}")))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        // Nothing is said in binary.
        let Message::Text(text) = message else { return Ok(()) };
        let said: Said = serde_json::from_str(text).map_err(Fault::malformed)?;
        if let Some(error) = said.error.filter(|error| !error.is_null()) {
            return Err(fault(&error, said.code.as_ref(), said.message));
        }
        let Some(speech) = said.context_id.as_deref().and_then(speech) else { return Ok(()) };
        let format = self.format;
        let Some(context) = self.contexts.iter_mut().find(|context| context.speech == speech) else {
            return Ok(());
        };
        let before = format.duration(context.bytes);
        if let Some(audio) = said.audio.filter(|audio| !audio.is_empty()) {
            let bytes = super::sound(&audio)?;
            context.bytes += bytes.len() as u64;
            told.push(Told::Audio { speech, bytes });
        }
        let mut words = said.alignment.map(|letters| context.words(&letters, before)).unwrap_or_default();
        let is_final = said.is_final == Some(true);
        words.extend(context.word.take_if(|_| is_final));
        if !words.is_empty() {
            told.push(Told::Words { speech, words });
        }
        if is_final && let Some(context) = self.take(speech) {
            told.push(if context.is_finished {
                Told::Done { speech }
            } else {
                let fault = Fault::new(FaultKind::Dropped, "it closed the context of a speech");
                Told::Broken { speech, fault }
            });
        }
        Ok(())
    }
}

impl ElevenLabsWire {
    /// The first message of a context: its text is one space.
    fn opening(&self, context: &str) -> Message {
        let mut message =
            json!({ "text": " ", "context_id": context, "voice_settings": self.config.settings.json() });
        if !self.config.auto_mode && !self.config.chunk_length_schedule.is_empty() {
            let schedule = json!({ "chunk_length_schedule": self.config.chunk_length_schedule });
            message["generation_config"] = schedule;
        }
        say(message)
    }

    fn take(&mut self, speech: SpeechId) -> Option<Context> {
        let at = self.contexts.iter().position(|context| context.speech == speech)?;
        Some(self.contexts.remove(at))
    }
}

impl Context {
    /// The words that are complete. The vendor's times begin anew with each piece of sound.
    fn words(&mut self, letters: &Letters, before: Duration) -> Vec<SpokenWord> {
        let mut words = Vec::new();
        let times = letters.starts_ms.iter().zip(&letters.durations_ms);
        for (letter, (&start, &lasts)) in letters.chars.iter().zip(times) {
            if letter.trim().is_empty() {
                words.extend(self.word.take());
                continue;
            }
            let begins = before + milliseconds(start);
            let ends = begins + milliseconds(lasts);
            let word = self.word.get_or_insert_with(|| SpokenWord { text: String::new(), begins, ends });
            word.text.push_str(letter);
            word.ends = ends;
            if word.text.len() > MAX_WORD_BYTES {
                words.extend(self.word.take());
            }
        }
        words
    }
}

/// No sound lasts a day, whatever is said of it.
fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(if ms.is_finite() { ms.clamp(0.0, 86_400_000.0) / 1_000.0 } else { 0.0 })
}

fn name(speech: SpeechId) -> String {
    format!("s{}", speech.0)
}

fn speech(name: &str) -> Option<SpeechId> {
    name.strip_prefix('s')?.parse().ok().map(SpeechId)
}

fn close(speech: SpeechId) -> Message {
    say(json!({ "context_id": name(speech), "close_context": true }))
}

fn say(json: Value) -> Message {
    Message::Text(json.to_string())
}

fn fault(error: &Value, code: Option<&Value>, message: Option<String>) -> Fault {
    let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let status = code.and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let (error, code) = (words(error), code.map(words).unwrap_or_default());
    let message = message.unwrap_or_default();
    let found = match Fault::of_words(&format!("{error} {code}"), "").kind {
        FaultKind::Unavailable => Fault::of_words(&message, "").kind,
        kind => kind,
    };
    let detail = format!("{error} {code}: {message}");
    match status {
        Some(status @ 400..=599) => Fault::of_status(status, detail),
        Some(_) | None => Fault::new(found, detail),
    }
}

#[derive(Deserialize)]
struct Said {
    #[serde(alias = "contextId")]
    context_id: Option<String>,
    audio: Option<String>,
    alignment: Option<Letters>,
    #[serde(rename = "isFinal", alias = "is_final")]
    is_final: Option<bool>,
    error: Option<Value>,
    code: Option<Value>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Letters {
    #[serde(default)]
    chars: Vec<String>,
    #[serde(default, rename = "charStartTimesMs", alias = "char_start_times_ms")]
    starts_ms: Vec<f64>,
    #[serde(default, rename = "charDurationsMs", alias = "char_durations_ms", alias = "charsDurationsMs")]
    durations_ms: Vec<f64>,
}

/// The vendor closes a connection with more.
const MAX_CONTEXTS: usize = 5;
/// The context that only keeps the connection.
const KEEPER: &str = "keeper";
/// Half of the shortest time after which the vendor closes what is silent, should it not know `inactivity_timeout`.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// What has no spaces is told in pieces.
const MAX_WORD_BYTES: usize = 256;

#[cfg(test)]
mod tests;
