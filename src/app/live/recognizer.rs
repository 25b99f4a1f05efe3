//! Lets a recognizer listen for a moment: to quiet audio, or to soft noise if it answers only when it is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::asr::{AsrEvent, Audio, Output, Provider, Recognizer};
use caly_provider::audio::AudioFormat;
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, earliest};

use super::{Answered, ONCE, Woken, woken};
use crate::pump::{Links, Pump};
use crate::sound::convert::Converter;

/// What shows that a recognizer is of use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proof {
    /// It says that it listens, and takes audio.
    Ready,
    /// It answers a request: there is no connection between requests that could be ready.
    Answer,
}

/// A recognizer that listens for a moment.
struct Listening {
    client: Box<dyn Recognizer>,
    links: Links,
    begun: Instant,
    /// What is still to be heard.
    frames: Vec<Vec<u8>>,
    next_frame: Option<Instant>,
    /// When it was of use, and the vendor's name of the session.
    proven: Option<(Duration, Option<String>)>,
}

/// Asks it as a call with PCMU would.
pub(super) async fn listen(
    provider: &Arc<dyn Provider>,
    proof: Proof,
    pump: &Pump,
) -> Result<Answered, Fault> {
    let begun = Instant::now();
    let mut client = provider.client(AudioFormat::MULAW_8K, LinkIds::of_client(0), ONCE);
    client.start(begun);
    let format = client.format();
    let (links, frames) = (Links::new(pump.clone()), Vec::new());
    let mut listening = Listening { client, links, begun, frames, next_frame: None, proven: None };
    loop {
        listening.drain(proof)?;
        let is_heard = listening.frames.is_empty() && listening.next_frame.is_none();
        if let Some((after, request_id)) = listening.proven.take_if(|_| is_heard) {
            listening.close().await;
            let what = match proof {
                Proof::Ready => "ready",
                Proof::Answer => "answered",
            };
            return Ok(Answered { what, after, audio: Some(format.to_string()), request_id });
        }
        listening.wait().await;
    }
}

impl Listening {
    /// Does what the client wants and notes what it tells.
    fn drain(&mut self, proof: Proof) -> Result<(), Fault> {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Link(order) => self.links.order(order),
                Output::Event(AsrEvent::Ready { request_id }) => match proof {
                    Proof::Ready => {
                        self.proven = Some((self.begun.elapsed(), request_id));
                        self.frames = frames(QUIET, self.client.format());
                        self.next_frame = Some(Instant::now());
                    }
                    Proof::Answer => self.ask(),
                },
                Output::Event(AsrEvent::Metered(_)) => match proof {
                    Proof::Ready => {}
                    Proof::Answer => self.proven = Some((self.begun.elapsed(), None)),
                },
                Output::Event(AsrEvent::Lost(fault) | AsrEvent::Failed(fault)) => return Err(fault),
                Output::Event(
                    AsrEvent::Heard(_) | AsrEvent::SpeechStarted | AsrEvent::Turn(_) | AsrEvent::Warning(_),
                ) => {}
            }
        }
        Ok(())
    }

    /// Noise that it is told to be speech, so that it asks for the words.
    fn ask(&mut self) {
        let noise = frames(SOFT, self.client.format()).concat();
        let audio = Audio { bytes: &noise, speech: SOFT.lasts };
        self.client.hear(Instant::now(), audio);
        self.client.finalize(Instant::now());
    }

    async fn wait(&mut self) {
        let due = earliest([self.client.poll_timeout(), self.next_frame]);
        match woken(&mut self.links, due).await {
            Woken::Link(link, event) => self.client.handle_link(Instant::now(), link, event),
            Woken::Due => {
                let now = Instant::now();
                self.client.handle_timeout(now);
                if let Some(at) = self.next_frame.filter(|at| *at <= now) {
                    self.hear(now);
                    // The last one is given its time, too: who refuses audio does so at once.
                    self.next_frame = self.next_frame.map(|_| at + FRAME);
                }
            }
        }
    }

    /// The next frame, as a call would bring it.
    fn hear(&mut self, now: Instant) {
        match self.frames.pop() {
            Some(frame) => self.client.hear(now, Audio { bytes: &frame, speech: Duration::ZERO }),
            None => self.next_frame = None,
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

/// Noise.
#[derive(Clone, Copy, Debug)]
struct Noise {
    lasts: Duration,
    /// Of 32768.
    peak: i16,
}

/// Noise in frames of a call, the same each time.
fn frames(noise: Noise, format: AudioFormat) -> Vec<Vec<u8>> {
    let mut state = 1_u32;
    let samples = AudioFormat::PCM_8K.bytes(noise.lasts) / 2;
    let pcm = (0..samples).flat_map(|_| {
        // Numerical Recipes' generator; its upper bits are random enough to be heard as noise.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let unit = i32::from((state >> 16) as u16) - 32_768;
        let sample = unit * i32::from(noise.peak) / 32_768;
        i16::try_from(sample).unwrap_or(0).to_le_bytes()
    });
    let mut converter = Converter::new(AudioFormat::PCM_8K, format);
    let mut bytes = converter.convert(&pcm.collect::<Vec<u8>>());
    bytes.extend(converter.finish());
    bytes.chunks(format.bytes(FRAME).max(1)).map(<[u8]>::to_vec).collect()
}

/// A room in which nobody speaks.
const QUIET: Noise = Noise { lasts: Duration::from_millis(300), peak: 16 };

/// Loud enough to be asked about.
const SOFT: Noise = Noise { lasts: Duration::from_secs(1), peak: 400 };

const FRAME: Duration = Duration::from_millis(20);
