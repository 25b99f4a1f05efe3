//! Lets a model that hears and speaks say something outside of a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::audio::AudioFormat;
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, FaultKind, RetryConfig};
use caly_provider::realtime::{AnswerStatus, Event, Output, Provider, Realtime, Setup};

use super::synthesizer::Said;
use super::{Answered, ONCE, Woken, synthesizer, woken};
use crate::mind::end_of_turn::are_same_words;
use crate::mind::speech::Language;
use crate::pump::{Links, Pump};

/// A model that is asked for one line.
struct Talk {
    client: Box<dyn Realtime>,
    links: Links,
    begun: Instant,
    /// What it is asked for.
    line: String,
    /// When the session was set up.
    ready: Option<Duration>,
    request_id: Option<String>,
    /// When the first sound came.
    first: Option<Duration>,
    bytes: Vec<u8>,
    /// What it says that it says.
    words: String,
    /// What it complained of last: it may be why nothing comes.
    complaint: Option<String>,
}

/// Sets up a session as a call with PCMU would, asks for one short sentence and listens whether that is speech.
pub(super) async fn talk(provider: &Arc<dyn Provider>, voice: &str, pump: &Pump) -> Result<Answered, Fault> {
    let mut talk = Talk::new(provider, Language::En, SENTENCE, (pump, ONCE));
    talk.listen().await?;
    let format = talk.client.formats().output;
    synthesizer::check(&talk.bytes, format).map_err(|fault| talk.explained(fault))?;
    let lasts = format.duration(talk.bytes.len() as u64).as_millis();
    let ready = talk.ready.unwrap_or_default().as_millis();
    let audio = Some(format!("session set up in {ready} ms, voice {voice}, {lasts} ms of {format}"));
    let (after, request_id) = (talk.first.unwrap_or_default(), talk.request_id.take());
    talk.close().await;
    Ok(Answered { what: "first sound", after, audio, request_id })
}

/// Lets it say one line, word for word as far as it tells what it says. Who calls this decides for how long it may take.
pub(in crate::app) async fn recite(
    provider: &Arc<dyn Provider>,
    language: Language,
    text: &str,
    (pump, retry): (&Pump, RetryConfig),
) -> Result<Said, Fault> {
    let mut talk = Talk::new(provider, language, text, (pump, retry));
    talk.listen().await?;
    if !talk.words.is_empty() && !are_same_words(&talk.words, text) {
        let detail = format!("it was to say {text:?} and said {:?}", talk.words);
        return Err(talk.explained(Fault::new(FaultKind::Refused, detail)));
    }
    let format = talk.client.formats().output;
    let bytes = std::mem::take(&mut talk.bytes);
    synthesizer::check(&bytes, format).map_err(|fault| talk.explained(fault))?;
    let (first, request_id) = (talk.first.unwrap_or_default(), talk.request_id.take());
    talk.close().await;
    Ok(Said { bytes, format, first, request_id })
}

impl Talk {
    /// A session that is being set up to say this and nothing else.
    fn new(
        provider: &Arc<dyn Provider>,
        language: Language,
        text: &str,
        (pump, retry): (&Pump, RetryConfig),
    ) -> Self {
        let begun = Instant::now();
        let (instructions, language) = (INSTRUCTIONS.into(), language.tag().to_owned());
        let setup = Setup { instructions, language, ..Setup::default() };
        let client = provider.client(AudioFormat::MULAW_8K, setup, LinkIds::of_client(0), retry);
        let links = Links::new(pump.clone());
        let (ready, request_id, first, bytes, complaint) = (None, None, None, Vec::new(), None);
        let line = format!("Say exactly this, and nothing else: {text}");
        let words = String::new();
        let mut talk = Self { client, links, begun, line, ready, request_id, first, bytes, words, complaint };
        talk.client.start(begun);
        talk
    }

    /// Until all is said.
    async fn listen(&mut self) -> Result<(), Fault> {
        loop {
            match self.drain() {
                Ok(false) => self.wait().await,
                Ok(true) => return Ok(()),
                Err(fault) => return Err(self.explained(fault)),
            }
        }
    }

    /// Does what the client wants and notes what it tells. Returns whether all is said.
    fn drain(&mut self) -> Result<bool, Fault> {
        while let Some(output) = self.client.poll() {
            let event = match output {
                Output::Link(order) => {
                    self.links.order(order);
                    continue;
                }
                Output::Event(event) => event,
            };
            match event {
                Event::Ready { request_id } => {
                    self.ready = Some(self.begun.elapsed());
                    self.request_id = request_id;
                    self.client.respond(Instant::now(), Some(&self.line));
                }
                Event::Audio { bytes, .. } => self.hear(&bytes)?,
                Event::AnswerDone { status, .. } => return whole(status).map(|()| true),
                Event::Warning(complaint) => self.complaint = Some(complaint),
                Event::Lost(fault) | Event::Failed(fault) => return Err(fault),
                Event::ToolRequest(request) => {
                    let detail = format!("it wants a tool, {}, that it was not offered", request.name);
                    return Err(Fault::new(FaultKind::Malformed, detail));
                }
                Event::AgentText { text, .. } => self.words.push_str(&text),
                Event::SpeechStarted
                | Event::SpeechStopped
                | Event::Transcript { .. }
                | Event::AnswerStarted
                | Event::ToolsCancelled(_)
                | Event::Interrupted
                | Event::RateLimits(_)
                | Event::Recycled => {}
            }
        }
        Ok(false)
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.first.get_or_insert_with(|| self.begun.elapsed());
        self.bytes.extend(bytes);
        if self.bytes.len() > self.client.formats().output.bytes(LONGEST) {
            let detail = format!("more than {} s of sound for one sentence", LONGEST.as_secs());
            return Err(Fault::new(FaultKind::TooLong, detail));
        }
        Ok(())
    }

    /// A fault with what the vendor said before it, and its name of the session. Who complains and then is silent has refused.
    fn explained(&mut self, fault: Fault) -> Fault {
        let fault = match self.complaint.take() {
            Some(complaint) if fault.kind == FaultKind::Timeout => {
                Fault::new(FaultKind::Refused, format!("{complaint}; then {}", fault.detail))
            }
            Some(_) | None => fault,
        };
        fault.with_request_id(self.request_id.as_deref())
    }

    async fn wait(&mut self) {
        match woken(&mut self.links, self.client.poll_timeout()).await {
            Woken::Link(link, event) => self.client.handle_link(Instant::now(), link, event),
            Woken::Due => self.client.handle_timeout(Instant::now()),
        }
    }

    async fn close(mut self) {
        self.client.close(Instant::now());
        while let Some(output) = self.client.poll() {
            if let Output::Link(order) = output {
                self.links.order(order);
            }
        }
        self.links.finish().await;
    }
}

/// Whether an answer was said to its end.
fn whole(status: AnswerStatus) -> Result<(), Fault> {
    match status {
        AnswerStatus::Completed => Ok(()),
        AnswerStatus::Cancelled => {
            Err(Fault::new(FaultKind::Dropped, "it stopped its answer, which nobody interrupted"))
        }
        AnswerStatus::Incomplete(why) => {
            Err(Fault::new(FaultKind::Refused, format!("it did not say all of one sentence: {why}")))
        }
        AnswerStatus::Failed(fault) => Err(fault),
    }
}

/// What it is told to be.
const INSTRUCTIONS: &str =
    "You read lines aloud. Say exactly what you are asked to say, word for word, and nothing else.";

/// What it is asked for.
const SENTENCE: &str = "Hello, this is a test.";

/// A model may say more than it was asked for; nobody pays for a speech.
const LONGEST: Duration = Duration::from_secs(15);
