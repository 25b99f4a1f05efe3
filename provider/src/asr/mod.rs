//! Recognizers: who turns a caller's audio into words while he speaks.
//!
//! A vendor is a [`Vendor`], which makes the [`Wire`] of each connection: a pure codec. [`Streaming`] is the client around it, the same for
//! all vendors that take a stream; [`Windows`] is the one for servers that know only whole recordings ([`Whisper`]). Their owner sees a
//! [`Recognizer`].

mod assemblyai;
mod deepgram;
mod elevenlabs;
mod flux;
mod json;
mod openai;
mod sarvam;
mod streaming;
mod utterances;
mod whisper;
mod windows;

pub use assemblyai::{AssemblyAi, AssemblyAiConfig};
pub use deepgram::{Deepgram, DeepgramConfig};
pub use elevenlabs::{ElevenLabs, ElevenLabsCommit, ElevenLabsConfig};
pub use flux::{Flux, FluxConfig};
pub use openai::{OpenAi, OpenAiConfig, OpenAiDialect, OpenAiTurns};
pub use sarvam::{Sarvam, SarvamAudio, SarvamConfig, SarvamEndpoint};
pub use streaming::Streaming;
pub use whisper::{Whisper, WhisperConfig};
pub use windows::{Windows, WindowsConfig, WindowsMode};

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::AudioFormat;
use crate::link::{LinkEvent, LinkId, LinkOrder, Message, Request};
use crate::policy::connection::LinkIds;
use crate::policy::{Fault, Patience, RetryConfig};

/// A client of a recognizer. After every input, drain [`Recognizer::poll`].
pub trait Recognizer: Send + fmt::Debug {
    /// What audio it wants.
    fn format(&self) -> AudioFormat;

    /// Connects. Audio that comes before the provider is ready waits.
    fn start(&mut self, now: Instant);

    /// The next of the caller's audio, in its format and without gaps.
    fn hear(&mut self, now: Instant, audio: Audio<'_>);

    /// The caller has stopped: whatever is known is to be said now.
    fn finalize(&mut self, now: Instant);

    /// Says goodbye, and is of no more use.
    fn close(&mut self, now: Instant);

    /// Audio whose words are not final: who comes in its place begins with it.
    fn unsettled(&self) -> Vec<u8>;

    /// What became of one of its links; those of others are ignored.
    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent);

    /// A deadline may have passed.
    fn handle_timeout(&mut self, now: Instant);

    /// When to call [`Recognizer::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;

    /// What it wants, or has to tell.
    fn poll(&mut self) -> Option<Output>;
}

/// A piece of the caller's audio.
#[derive(Clone, Copy, Debug)]
pub struct Audio<'a> {
    /// In the recognizer's format.
    pub bytes: &'a [u8],
    /// How much of it was taken for speech.
    pub speech: Duration,
}

/// What a recognizer wants or tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be done with a link.
    Link(LinkOrder),
    /// To be known.
    Event(AsrEvent),
}

/// What a recognizer tells.
#[derive(Clone, Debug, PartialEq)]
pub enum AsrEvent {
    /// The provider listens.
    Ready {
        /// The vendor's name of the session.
        request_id: Option<String>,
    },
    /// Words.
    Heard(Heard),
    /// The provider hears speech.
    SpeechStarted,
    /// What the provider believes about the caller's turn.
    Turn(TurnOpinion),
    /// Audio that the provider has counted, for who pays.
    Metered(Duration),
    /// The provider complains, and goes on.
    Warning(String),
    /// The connection broke and is being mended; what was said meanwhile is not lost.
    Lost(Fault),
    /// The provider is of no use any more.
    Failed(Fault),
}

/// What was recognized of one segment of speech. The next result of the same segment replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Number of the segment within the call.
    pub segment: u32,
    /// Number of the result within the segment: 0, then one more each time.
    pub revision: u32,
    /// All of the segment's words, with their punctuation.
    pub text: String,
    /// The same one by one, if the vendor says when each was said.
    pub words: Vec<HeardWord>,
    /// It will not be revised.
    pub is_final: bool,
    /// BCP 47 tag of its language, if the vendor says so.
    pub language: Option<String>,
}

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub struct HeardWord {
    /// With its punctuation.
    pub text: String,
    /// When it begins, counted from the first audio that the recognizer was given.
    pub begins: Duration,
    /// When it ends.
    pub ends: Duration,
    /// 0 to 1.
    pub confidence: Option<f32>,
}

/// A provider's opinion on the caller's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnOpinion {
    /// It is probably over.
    Likely,
    /// It is over.
    Ended,
    /// It is not over, whatever was said before.
    Resumed,
}

/// A vendor with all that its configuration says.
pub trait Vendor: Send + Sync + fmt::Debug {
    /// The formats that it takes, the one that it likes best first.
    fn formats(&self) -> &[AudioFormat];

    /// The codec of a new connection.
    fn wire(&self, format: AudioFormat) -> Box<dyn Wire>;
}

/// The codec of one connection.
pub trait Wire: Send + fmt::Debug {
    /// What to connect to.
    fn request(&self) -> Request;

    /// What is said when the connection is open.
    fn greeting(&mut self) -> Vec<Message> {
        Vec::new()
    }

    /// Whether the vendor says by itself ([`Told::Ready`]) that it listens; else it does once the connection is open.
    fn confirms(&self) -> bool {
        false
    }

    /// The least that one piece of audio has to be.
    fn least_piece(&self) -> Duration {
        Duration::from_millis(20)
    }

    /// How much more audio it may be given than time has passed since it listens; more is given as time passes.
    fn most_ahead(&self) -> Duration {
        Duration::MAX
    }

    /// A piece of audio, never empty.
    fn audio(&mut self, bytes: &[u8]) -> Message;

    /// Asks for what is known of the words so far.
    fn finalize(&mut self) -> Option<Message> {
        None
    }

    /// How much more speech than others it may hear without a word: those who tell no words before a speaker has paused.
    fn holds_back(&self) -> Duration {
        Duration::ZERO
    }

    /// What keeps the connection when there is no audio, and how long it does without.
    fn keep_alive(&self) -> Option<(Duration, Message)> {
        None
    }

    /// The same of vendors who know no such message: how long they do without audio until they are given silence. It counts as audio in
    /// what they tell.
    fn silence_after(&self) -> Option<Duration> {
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

/// What a message says; times are counted from the connection's first audio.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The session has begun.
    Ready {
        /// The vendor's name of it.
        request_id: Option<String>,
    },
    /// The words of the present segment, all of them.
    Words(Words),
    /// Speech was heard.
    SpeechStarted,
    /// An opinion on the turn.
    Turn(TurnOpinion),
    /// Audio that was counted.
    Metered(Duration),
    /// A complaint.
    Warning(String),
    /// What the vendor has said is to be answered so.
    Answer(Message),
}

/// The words of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// As text.
    pub text: String,
    /// One by one, if it is known when each was said.
    pub words: Vec<HeardWord>,
    /// They will not be revised; the next ones are of another segment.
    pub is_final: bool,
    /// Their language, if it is told.
    pub language: Option<String>,
    /// Up to where the audio is dealt with, if it is told.
    pub until: Option<Duration>,
}

/// A provider as an agent has it in its chain: makes the client of each call.
pub trait Provider: Send + Sync + fmt::Debug {
    /// A client for a call whose own audio is of this format. It has not begun.
    fn client(&self, call: AudioFormat, links: LinkIds, retry: RetryConfig) -> Box<dyn Recognizer>;
}

/// A vendor that takes a stream, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct Streams {
    /// The vendor.
    pub vendor: Arc<dyn Vendor>,
    /// How long to wait.
    pub patience: Patience,
}

/// A server that knows only whole recordings, how it is asked, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The server.
    pub server: Whisper,
    /// When it is asked, and for what.
    pub windows: WindowsConfig,
    /// How long to wait.
    pub patience: Patience,
}

impl Provider for Asked {
    fn client(&self, call: AudioFormat, links: LinkIds, retry: RetryConfig) -> Box<dyn Recognizer> {
        let format = AudioFormat::cheapest(call, self.server.formats()).unwrap_or(AudioFormat::PCM_16K);
        let windows = Windows::new(self.server.clone(), self.windows, links, self.patience, retry);
        Box::new(windows.with_format(format))
    }
}

impl Provider for Streams {
    fn client(&self, call: AudioFormat, links: LinkIds, retry: RetryConfig) -> Box<dyn Recognizer> {
        let format = AudioFormat::cheapest(call, self.vendor.formats()).unwrap_or(call);
        Box::new(Streaming::new(Arc::clone(&self.vendor), format, links, self.patience, retry))
    }
}
