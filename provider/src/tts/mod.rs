//! Synthesizers: who turns an agent's words into sound while more words are being thought of.
//!
//! What is said as a whole, and can be cancelled as a whole, is a speech; its text comes in chunks, each a sentence or a part of one. Two clients
//! do the same for all vendors: [`Streaming`] for those that take text on a WebSocket, [`Requests`] for those that are asked for one chunk at a
//! time. Their owner sees a [`Synthesizer`].

mod aura;
mod cartesia;
mod elevenlabs;
mod elevenlabs_http;
mod espeak;
mod flux;
mod openai;
mod requests;
mod sarvam;
mod streaming;
pub mod wav;

pub use aura::{Aura, AuraConfig};
pub use cartesia::{Cartesia, CartesiaConfig};
pub use elevenlabs::{ElevenLabs, ElevenLabsConfig, VoiceSettings};
pub use elevenlabs_http::ElevenLabsHttp;
pub use espeak::{Espeak, EspeakConfig};
pub use flux::{FluxSpeech, FluxSpeechConfig};
pub use openai::{OpenAiSpeech, OpenAiSpeechConfig};
pub use requests::{AudioDecoder, RequestVendor, Requests};
pub use sarvam::{SarvamSpeech, SarvamSpeechConfig};
pub use streaming::Streaming;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;

use crate::audio::AudioFormat;
use crate::link::{LinkEvent, LinkId, LinkOrder, Message, Request};
use crate::policy::connection::LinkIds;
use crate::policy::{Fault, Patience, RetryConfig};

/// Names a speech of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpeechId(pub u64);

/// A client of a synthesizer. After every input, drain [`Synthesizer::poll`].
pub trait Synthesizer: Send + fmt::Debug {
    /// What audio it gives.
    fn format(&self) -> AudioFormat;

    /// Connects ahead of the first speech, which will probably be in this language (BCP 47).
    fn start(&mut self, now: Instant, language: &str);

    /// Begins a speech. Those before it are still heard to their ends.
    fn begin(&mut self, now: Instant, speech: SpeechId, language: &str);

    /// The next chunk of a speech that has begun. It is spoken at once, without waiting for more.
    fn say(&mut self, now: Instant, speech: SpeechId, text: &str);

    /// No more text comes for this speech.
    fn finish(&mut self, now: Instant, speech: SpeechId);

    /// Nobody wants to hear it any more; nothing more is told of it.
    fn cancel(&mut self, now: Instant, speech: SpeechId);

    /// Says goodbye, and is of no more use.
    fn close(&mut self, now: Instant);

    /// What became of one of its links; those of others are ignored.
    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent);

    /// A deadline may have passed.
    fn handle_timeout(&mut self, now: Instant);

    /// When to call [`Synthesizer::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;

    /// What it wants, or has to tell.
    fn poll(&mut self) -> Option<Output>;
}

/// What a synthesizer wants or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be done with a link.
    Link(LinkOrder),
    /// To be known.
    Event(TtsEvent),
}

/// What a synthesizer tells. Of a speech: any number of [`TtsEvent::Audio`], [`TtsEvent::Words`] and [`TtsEvent::ChunkEnd`], then one of
/// [`TtsEvent::Done`] and [`TtsEvent::Broken`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TtsEvent {
    /// The provider takes text.
    Ready {
        /// The vendor's name of the session, or of the request.
        request_id: Option<String>,
    },
    /// The next sound of a speech.
    Audio {
        /// Which.
        speech: SpeechId,
        /// Whole samples.
        bytes: Vec<u8>,
    },
    /// When words of a speech are heard.
    Words {
        /// Which.
        speech: SpeechId,
        /// In order.
        words: Vec<SpokenWord>,
    },
    /// All sound of one more chunk has come. Not every vendor says so.
    ChunkEnd {
        /// Of which speech.
        speech: SpeechId,
    },
    /// All sound of a speech has come.
    Done {
        /// Which.
        speech: SpeechId,
    },
    /// No more sound will come of a speech that is not complete.
    Broken {
        /// Which.
        speech: SpeechId,
        /// Why.
        fault: Fault,
    },
    /// The provider complains, and goes on.
    Warning(String),
    /// The connection broke and is being mended.
    Lost(Fault),
    /// The provider is of no use any more.
    Failed(Fault),
}

/// When a word is heard, counted from the beginning of its speech.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenWord {
    /// The word as it stands in the text, or nearly so.
    pub text: String,
    /// When it begins.
    pub begins: Duration,
    /// When it ends.
    pub ends: Duration,
}

/// A vendor that takes text on a WebSocket, with all that its configuration says.
pub trait Vendor: Send + Sync + fmt::Debug {
    /// The formats that it gives, the one that it likes best first.
    fn formats(&self) -> &[AudioFormat];

    /// The codec of a new connection for a language.
    fn wire(&self, format: AudioFormat, language: &str) -> Box<dyn Wire>;
}

/// The codec of one connection.
pub trait Wire: Send + fmt::Debug {
    /// What to connect to.
    fn request(&self) -> Request;

    /// What is said when the connection is open.
    fn greeting(&mut self) -> Vec<Message> {
        Vec::new()
    }

    /// Whether the vendor says by itself ([`Told::Ready`]) that it takes text; else it does once the connection is open.
    fn confirms(&self) -> bool {
        false
    }

    /// What time it is, told before any of the questions and texts below, for vendors that count what they are sent in a minute.
    fn clock(&mut self, _now: Instant) {}

    /// Whether the next speech, which is about to begin, may be in this language; if not, another connection is made once all that is
    /// being said is said.
    fn speaks(&mut self, language: &str) -> bool;

    /// Whether one more speech may begin; if not, it waits until another one is done.
    fn has_room(&self) -> bool {
        true
    }

    /// Begins a speech.
    fn begin(&mut self, _speech: SpeechId) -> Vec<Message> {
        Vec::new()
    }

    /// A chunk of a speech, to be spoken at once, unless it is [held back](Wire::holds_back).
    fn text(&mut self, speech: SpeechId, text: &str) -> Vec<Message>;

    /// Whether the last text of a speech is spoken only with what follows it: no sound is due of it yet.
    fn holds_back(&self, _speech: SpeechId) -> bool {
        false
    }

    /// No more text comes for this speech.
    fn finish(&mut self, speech: SpeechId) -> Vec<Message>;

    /// Stops a speech; `None` if the vendor has no word for that, so that another connection has to be made.
    fn cancel(&mut self, speech: SpeechId) -> Option<Vec<Message>>;

    /// What keeps the connection when there is nothing to say, and how long it does without.
    fn keep_alive(&self) -> Option<(Duration, Message)> {
        None
    }

    /// The last word.
    fn goodbye(&mut self) -> Option<Message> {
        None
    }

    /// What the end of the connection means, where the vendor tells it by code or reason alone.
    fn closed(&self, _code: Option<u16>, _reason: &str) -> Option<Fault> {
        None
    }

    /// Understands a message.
    ///
    /// # Errors
    /// When it makes no sense, or tells why the session is over.
    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault>;
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The session has begun.
    Ready {
        /// The vendor's name of it.
        request_id: Option<String>,
    },
    /// Sound.
    Audio {
        /// Of which speech.
        speech: SpeechId,
        /// As it came.
        bytes: Vec<u8>,
    },
    /// When words are heard, counted from the beginning of the speech.
    Words {
        /// Of which speech.
        speech: SpeechId,
        /// In order.
        words: Vec<SpokenWord>,
    },
    /// All sound of one more chunk has come.
    ChunkEnd {
        /// Of which speech.
        speech: SpeechId,
    },
    /// All sound has come.
    Done {
        /// Of which speech.
        speech: SpeechId,
    },
    /// Nothing more comes of a speech, and all others go on.
    Broken {
        /// Which.
        speech: SpeechId,
        /// Why.
        fault: Fault,
    },
    /// What has to be said now to the vendor.
    Say(Message),
    /// A complaint.
    Warning(String),
}

/// The voice for a language: of the tag itself, of its language without the region, or of `*`.
fn voice_for<'a>(voices: &'a std::collections::BTreeMap<String, String>, language: &str) -> &'a str {
    let short = language.split('-').next().unwrap_or(language);
    let found = [language, short, "*"].into_iter().find_map(|name| voices.get(name));
    found.or_else(|| voices.values().next()).map_or("", String::as_str)
}

/// What stands before the host of a WebSocket, whichever way the configuration wrote it.
fn web_socket(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_prefix("http").map_or_else(|| url.to_owned(), |rest| format!("ws{rest}"))
}

/// Audio that comes in a JSON text.
fn sound(base64: &str) -> Result<Vec<u8>, Fault> {
    base64::engine::general_purpose::STANDARD.decode(base64).map_err(Fault::malformed)
}

/// A provider as an agent has it in its chain: makes the client of each call.
pub trait Provider: Send + Sync + fmt::Debug {
    /// A client for a call whose own audio is of this format. It has not begun.
    fn client(&self, call: AudioFormat, links: LinkIds, retry: RetryConfig) -> Box<dyn Synthesizer>;
}

/// A vendor that takes text on a WebSocket, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct Streams {
    /// The vendor.
    pub vendor: Arc<dyn Vendor>,
    /// How long to wait.
    pub patience: Patience,
}

/// A vendor that is asked for one chunk at a time, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The vendor.
    pub vendor: Arc<dyn RequestVendor>,
    /// How long to wait.
    pub patience: Patience,
}

impl Provider for Streams {
    fn client(&self, call: AudioFormat, links: LinkIds, retry: RetryConfig) -> Box<dyn Synthesizer> {
        let format = AudioFormat::cheapest(call, self.vendor.formats()).unwrap_or(call);
        Box::new(Streaming::new(Arc::clone(&self.vendor), format, links, self.patience, retry))
    }
}

impl Provider for Asked {
    fn client(&self, call: AudioFormat, links: LinkIds, _retry: RetryConfig) -> Box<dyn Synthesizer> {
        let format = AudioFormat::cheapest(call, self.vendor.formats()).unwrap_or(call);
        Box::new(Requests::new(Arc::clone(&self.vendor), format, links, self.patience))
    }
}
