//! Asks every configured provider for real, as a call would, and tells how that went: what `caly check --live` prints. Nothing else is opened.

mod model;
mod realtime;
mod recognizer;
mod synthesizer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use caly_provider::link::{LinkEvent, LinkId};
use caly_provider::policy::{Fault, FaultKind, RetryConfig};
use caly_provider::secret::Secret;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{sleep_until, timeout};

use self::recognizer::Proof;
use super::start::pump_config;
use crate::config::{AsrVendor, Config, Description, MindConfig};
use crate::mind::speech::Language;
use crate::pump::{Links, Pump, PumpError};

pub(super) use self::realtime::recite;
pub(super) use self::synthesizer::say;

/// How it went with one provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveReport {
    /// What it is for: `asr`, `llm`, `tts` or `realtime`.
    pub hop: &'static str,
    /// Its name in the configuration.
    pub name: String,
    /// Its `kind` in the configuration.
    pub kind: &'static str,
    /// Whether it did what a call needs.
    pub is_ok: bool,
    /// From asking until it was ready, until its first words or its first sound; until it failed, if it did.
    pub took_ms: u64,
    /// The kind of fault, if it failed.
    pub fault: Option<&'static str>,
    /// What it did, or what it or the system said about the fault. Never its key.
    pub detail: String,
    /// What to do about the fault.
    pub advice: Option<&'static str>,
    /// The provider's name of the request, to ask its support about.
    pub request_id: Option<String>,
}

/// A provider that did what was asked.
#[derive(Debug)]
struct Answered {
    /// What it did first.
    what: &'static str,
    /// How long that took.
    after: Duration,
    /// Its audio.
    audio: Option<String>,
    request_id: Option<String>,
}

/// A provider that is about to be asked.
struct Probe {
    subject: Subject,
    asking: Pin<Box<dyn Future<Output = Result<Answered, Fault>>>>,
}

/// Of whom is reported.
#[derive(Debug)]
struct Subject {
    hop: &'static str,
    name: String,
    kind: &'static str,
    model: String,
    key: Option<Secret>,
}

/// Why a client of a provider is to be called.
#[derive(Debug)]
enum Woken {
    /// Something became of one of its links.
    Link(LinkId, LinkEvent),
    /// It is time.
    Due,
}

/// Asks all providers of a configuration at once and waits for each no longer than `within`: recognizers first, then models, then synthesizers, then
/// who does all three, each by their names.
///
/// # Errors
/// When nobody can be asked, because the certificates that are to be trusted are none.
pub async fn ask_providers(config: &Config, within: Duration) -> Result<Vec<LiveReport>, PumpError> {
    let pump = Pump::new(&pump_config(config))?;
    Ok(join_all(probes(config, &pump).into_iter().map(|probe| probe.run(within))).await)
}

fn probes(config: &Config, pump: &Pump) -> Vec<Probe> {
    let providers = &config.providers;
    let asr = providers.asr.iter().map(|known| {
        let (pump, provider) = (pump.clone(), known.provider());
        let proof = match &known.vendor {
            AsrVendor::Whisper(..) => Proof::Answer,
            AsrVendor::Deepgram(_)
            | AsrVendor::Flux(_)
            | AsrVendor::OpenAi(_)
            | AsrVendor::Sarvam(_)
            | AsrVendor::ElevenLabs(_)
            | AsrVendor::AssemblyAi(_) => Proof::Ready,
        };
        let asking = Box::pin(async move { recognizer::listen(&provider, proof, &pump).await });
        Probe { subject: Subject::new("asr", &known.name, known.vendor.describe()), asking }
    });
    let llm = providers.llm.iter().map(|known| {
        let (pump, vendor) = (pump.clone(), known.provider());
        let asking = Box::pin(async move { model::ask(vendor, &pump).await });
        Probe { subject: Subject::new("llm", &known.name, known.vendor.describe()), asking }
    });
    let tts = providers.tts.iter().map(|known| {
        let (pump, provider, language) = (pump.clone(), known.provider(), language(config, &known.name));
        let asking = Box::pin(async move { synthesizer::speak(&provider, language, &pump).await });
        Probe { subject: Subject::new("tts", &known.name, known.vendor.describe()), asking }
    });
    let realtime = providers.realtime.iter().map(|known| {
        let (pump, provider, voice) = (pump.clone(), known.provider(), known.vendor.voice().to_owned());
        let asking = Box::pin(async move { realtime::talk(&provider, &voice, &pump).await });
        Probe { subject: Subject::new("realtime", &known.name, known.vendor.describe()), asking }
    });
    asr.chain(llm).chain(tts).chain(realtime).collect()
}

/// That of the first agent that speaks by this synthesizer: it may have no voice for another.
fn language(config: &Config, synthesizer: &str) -> Language {
    let of_agent = |mind: &MindConfig| match mind {
        MindConfig::Cascade(cascade) => {
            cascade.tts.iter().any(|name| name == synthesizer).then_some(cascade.persona.language)
        }
        MindConfig::Script(_) | MindConfig::Realtime(_) => None,
    };
    config.agents.iter().find_map(|agent| of_agent(&agent.mind)).unwrap_or(Language::En)
}

/// Waits for what comes first.
async fn woken(links: &mut Links, due: Option<Instant>) -> Woken {
    tokio::select! {
        (link, event) = links.next() => Woken::Link(link, event),
        () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => Woken::Due,
    }
}

impl Probe {
    async fn run(self, within: Duration) -> LiveReport {
        let begun = Instant::now();
        let outcome = timeout(within, self.asking).await.unwrap_or_else(|_| {
            Err(Fault::new(FaultKind::Timeout, format!("not done within {} ms", within.as_millis())))
        });
        self.subject.report(begun.elapsed(), outcome)
    }
}

impl Subject {
    fn new(hop: &'static str, name: &str, description: Description<'_>) -> Self {
        let Description { kind, model, key } = description;
        let key = key.filter(|key| !key.reveal().is_empty()).cloned();
        Self { hop, name: name.to_owned(), kind, model: model.to_owned(), key }
    }

    fn report(self, took: Duration, outcome: Result<Answered, Fault>) -> LiveReport {
        let (took, fault, detail, request_id) = match outcome {
            Ok(answered) => {
                let Answered { what, after, audio, request_id } = answered;
                let did = format!("{what} after {} ms", after.as_millis());
                let whose = [self.kind, &self.model].join(" ");
                let parts = [Some(did), Some(whose.trim_end().to_owned()), audio];
                let detail: Vec<String> = parts.into_iter().flatten().collect();
                (after, None, detail.join(", "), request_id)
            }
            Err(fault) => (took, Some(fault.kind), fault.detail, fault.request_id),
        };
        LiveReport {
            hop: self.hop,
            kind: self.kind,
            is_ok: fault.is_none(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            fault: fault.map(FaultKind::word),
            detail: self.shown(&detail),
            advice: fault.map(FaultKind::advice),
            request_id: request_id.map(|id| self.shown(&id)),
            name: self.name,
        }
    }

    /// What others have said, on one line and without the key: some servers repeat the one that they refuse.
    fn shown(&self, text: &str) -> String {
        let text = match &self.key {
            Some(key) => text.replace(key.reveal(), "(key)"),
            None => text.to_owned(),
        };
        let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().map(plain).collect()
    }
}

impl fmt::Display for LiveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hop, name, fault, detail, advice, request_id, .. } = self;
        write!(f, "{hop}.{name}: ")?;
        if let Some(fault) = fault {
            write!(f, "{fault}: ")?;
        }
        f.write_str(&detail[..detail.floor_char_boundary(MAX_SHOWN_BYTES)])?;
        if detail.len() > MAX_SHOWN_BYTES {
            f.write_str("...")?;
        }
        if let Some(id) = request_id {
            write!(f, ", request {id}")?;
        }
        advice.map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// What a call tries again is told here.
const ONCE: RetryConfig = RetryConfig { retries: 0, apart: Duration::ZERO, factor: 1 };

/// Of what a provider said: three lines of a terminal. The JSON report has all of it that was kept.
const MAX_SHOWN_BYTES: usize = 300;
