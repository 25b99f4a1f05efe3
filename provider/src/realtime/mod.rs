//! Models that hear and speak by themselves: the caller's sound goes in, the agent's sound comes out, and tools are used in between.
//!
//! A vendor is a [`Vendor`], and its [`Wire`] the codec of one connection. [`Client`] is the same for all: it keeps the connection for as long as
//! a call lasts, longer than vendors allow, and what was said with it. Whoever owns it sees a [`Realtime`].

mod client;
mod gemini;
mod history;
mod openai;

pub use client::{Client, ClientConfig};
pub use gemini::{Gemini, GeminiAuth, GeminiConfig, GeminiTurns};
pub use openai::{OpenAiRealtime, OpenAiRealtimeConfig, OpenAiTurns, Transcription};

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;

use crate::audio::{AudioFormat, Encoding};
use crate::link::{LinkEvent, LinkId, LinkOrder, Message, Request};
use crate::llm::{ToolRequest, ToolResult, ToolSpec, Turn};
use crate::policy::connection::LinkIds;
use crate::policy::{Fault, Patience, RetryConfig};

/// Names what one of the two says without a break, in a call: of the caller a turn, of the agent a piece of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(pub u64);

/// What the agent is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// What it is to do.
    pub instructions: Arc<str>,
    /// What it may do besides speaking.
    pub tools: Arc<[ToolSpec]>,
    /// What the caller speaks, as far as that is known (BCP 47); may be empty.
    pub language: String,
    /// What was said and done before, by whomever.
    pub history: Vec<Turn>,
}

/// The audio of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// The caller's.
    pub input: AudioFormat,
    /// The agent's.
    pub output: AudioFormat,
}

/// A client of a model that hears and speaks. After every input, drain [`Realtime::poll`].
pub trait Realtime: Send + fmt::Debug {
    /// What audio it takes and gives.
    fn formats(&self) -> Formats;

    /// What the vendor does unasked.
    fn habits(&self) -> Habits;

    /// What was said and done so far, for another client that goes on in its place.
    fn history(&self) -> Vec<Turn>;

    /// Connects.
    fn start(&mut self, now: Instant);

    /// The next sound of the caller.
    fn hear(&mut self, now: Instant, audio: &[u8]);

    /// The caller begins to speak, as far as others than the vendor know: what he says is kept until it is part of the conversation, at most 15 s of it.
    fn caller_begins(&mut self);

    /// What he said was nothing.
    fn caller_said_nothing(&mut self);

    /// The caller's turn is over, and the agent is to answer. A vendor that finds that out by itself may be told when it takes too long.
    fn end_turn(&mut self, now: Instant);

    /// Something that was written, not said: by the caller, or as a word of the house ([`Speaker::System`]). Nobody answers it before
    /// [`Realtime::respond`].
    fn note(&mut self, now: Instant, by: Speaker, text: &str);

    /// The agent is to speak, as soon as it does not. What for, if that is not clear from what was said.
    fn respond(&mut self, now: Instant, instructions: Option<&str>);

    /// Nobody wants to hear the rest of the answer. Of its last item that was played so much was heard; what comes after it, and later items, were
    /// not heard at all.
    fn interrupt(&mut self, now: Instant, heard: Option<(ItemId, Duration)>);

    /// A tool has answered.
    fn tool_result(&mut self, now: Instant, result: ToolResult, then: Then);

    /// The caller's sound that is no part of the conversation yet, as it was heard: for another client that goes on in its place.
    fn unsettled(&self) -> Vec<u8>;

    /// Says goodbye, and is of no more use.
    fn close(&mut self, now: Instant);

    /// What became of one of its links; those of others are ignored.
    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent);

    /// A deadline may have passed.
    fn handle_timeout(&mut self, now: Instant);

    /// When to call [`Realtime::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;

    /// What it wants, or has to tell.
    fn poll(&mut self) -> Option<Output>;
}

/// What follows the answer of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The agent goes on, when all tools have answered that were asked.
    Answer,
    /// Nothing that anybody waits for. Some vendors answer all the same.
    Nothing,
}

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The caller's.
    User,
    /// The agent's.
    Assistant,
    /// Nobody's: of the house.
    System,
}

/// What the client wants or tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be done with a link.
    Link(LinkOrder),
    /// To be known.
    Event(Event),
}

/// What the client tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The session has begun, also each time that it has begun anew.
    Ready {
        /// The vendor's name of it.
        request_id: Option<String>,
    },
    /// The caller begins to speak, as the vendor hears it.
    SpeechStarted,
    /// The caller does not speak any more, as the vendor hears it.
    SpeechStopped,
    /// What the caller says.
    Transcript {
        /// In which turn.
        item: ItemId,
        /// All of it so far.
        text: String,
        /// It stays as it is.
        is_final: bool,
    },
    /// The agent begins to answer.
    AnswerStarted,
    /// The next sound of the agent, as it came.
    Audio {
        /// Of which piece of the answer.
        item: ItemId,
        /// The sound.
        bytes: Vec<u8>,
    },
    /// The next words of the agent, often before their sound.
    AgentText {
        /// Of which piece of the answer.
        item: ItemId,
        /// The words.
        text: String,
    },
    /// It wants this tool used.
    ToolRequest(ToolRequest),
    /// It does not want these tools used any more; their answers are ignored.
    ToolsCancelled(Vec<String>),
    /// The vendor has stopped the answer, as the caller speaks: what is left of it is not to be played. [`Realtime::interrupt`] tells it what was heard.
    Interrupted,
    /// The answer is over.
    AnswerDone {
        /// How.
        status: AnswerStatus,
        /// What it cost, if that was told.
        usage: Option<Usage>,
    },
    /// What the account still has.
    RateLimits(Vec<RateLimit>),
    /// The session is about to reach the vendor's limit and is made anew.
    Recycled,
    /// The vendor complains, and goes on.
    Warning(String),
    /// The connection broke and is being mended; what was said is told to the next one.
    Lost(Fault),
    /// The vendor is of no use any more.
    Failed(Fault),
}

/// How an answer came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerStatus {
    /// All is said.
    Completed,
    /// It was interrupted.
    Cancelled,
    /// It would have been longer than it may be, or the vendor does not want it said.
    Incomplete(String),
    /// The vendor has a fault, or the connection broke.
    Failed(Fault),
}

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that went in.
    pub input_tokens: u64,
    /// Of them, those of sound.
    pub input_audio_tokens: u64,
    /// Of them, those that were kept from before.
    pub cached_tokens: u64,
    /// All that came out.
    pub output_tokens: u64,
    /// Of them, those of sound.
    pub output_audio_tokens: u64,
}

/// What an account still has of something.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Of what: `requests`, `tokens`.
    pub name: String,
    /// How much there is in all.
    pub limit: u64,
    /// How much of it is left.
    pub remaining: u64,
    /// When it is whole again.
    pub reset: Duration,
}

/// A vendor with all that its configuration says.
pub trait Vendor: Send + Sync + fmt::Debug {
    /// The formats that it takes and gives, the ones that it likes best first.
    fn formats(&self) -> &[Formats];

    /// The codec of a new connection; `handle` is what the last one left behind ([`Told::Handle`]).
    fn wire(&self, formats: Formats, setup: &Setup, handle: Option<&str>) -> Box<dyn Wire>;
}

/// Whoever can be asked to talk with callers; all calls share it.
pub trait Provider: Send + Sync + fmt::Debug {
    /// A client for a call whose own audio is of this format. It has not begun.
    fn client(
        &self,
        call: AudioFormat,
        setup: Setup,
        links: LinkIds,
        retry: RetryConfig,
    ) -> Box<dyn Realtime>;
}

/// A vendor, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The vendor.
    pub vendor: Arc<dyn Vendor>,
    /// How long to wait: until the session is set up, until the first sound of an answer, and between two parts of it.
    pub patience: Patience,
}

impl Provider for Sessions {
    fn client(
        &self,
        call: AudioFormat,
        setup: Setup,
        links: LinkIds,
        retry: RetryConfig,
    ) -> Box<dyn Realtime> {
        let formats = Formats::for_call(call, self.vendor.formats());
        let config = ClientConfig { patience: self.patience, retry };
        Box::new(Client::new(Arc::clone(&self.vendor), formats, setup, links, config))
    }
}

impl Formats {
    /// Of those that a vendor takes, the ones that leave the call's bytes as they are, or else the vendor's best.
    fn for_call(call: AudioFormat, taken: &[Self]) -> Self {
        let is_untouched = |formats: &&Self| formats.input == call && formats.output == call;
        let is_whole = |formats: &&Self| formats.input.encoding == Encoding::Linear16;
        let found = taken.iter().find(is_untouched).or_else(|| taken.iter().find(is_whole));
        found.or(taken.first()).copied().unwrap_or(Self { input: call, output: call })
    }
}

/// What a vendor does unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// It finds out that the caller's turn is over, and answers it.
    pub ends_turns: bool,
    /// It answers a turn of which it is told that it is over.
    pub answers_ended_turns: bool,
    /// It goes on when all tools have answered.
    pub answers_results: bool,
    /// It stops when the caller speaks.
    pub stops_when_interrupted: bool,
}

/// The codec of one connection. It says when the session is ready ([`Told::Ready`]).
pub trait Wire: Send + fmt::Debug {
    /// What to connect to.
    fn request(&self) -> Request;

    /// What is said when the connection is open.
    fn greeting(&mut self) -> Vec<Message>;

    /// What it does unasked.
    fn habits(&self) -> Habits;

    /// How long a connection is good, if the vendor ends it without a word.
    fn lifetime(&self) -> Option<Duration> {
        None
    }

    /// Whether the session knows what was said on the connection before it.
    fn is_resumed(&self) -> bool {
        false
    }

    /// What was said and done before.
    fn replay(&mut self, turns: &[Turn]) -> Vec<Message>;

    /// The next sound of the caller.
    fn audio(&mut self, bytes: &[u8]) -> Vec<Message>;

    /// The caller's turn is over.
    fn end_turn(&mut self) -> Vec<Message>;

    /// Something that was written.
    fn note(&mut self, by: Speaker, text: &str) -> Vec<Message>;

    /// The agent is to speak.
    fn respond(&mut self, instructions: Option<&str>) -> Vec<Message>;

    /// Nobody wants to hear the rest of the answer.
    fn cancel(&mut self) -> Vec<Message>;

    /// Of this item, by the vendor's name, so much was heard and no more; never more than came.
    fn truncate(&mut self, item: &str, heard: Duration) -> Vec<Message>;

    /// A tool of this connection has answered.
    fn result(&mut self, result: &ToolResult) -> Vec<Message>;

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

/// What a message says. Items and answers have the vendor's names here.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The session is set up.
    Ready {
        /// The vendor's name of it.
        request_id: Option<String>,
    },
    /// The caller begins to speak.
    SpeechStarted,
    /// The caller does not speak any more.
    SpeechStopped,
    /// What the caller has said is part of the conversation now.
    Turn {
        /// Its name.
        item: String,
    },
    /// What the caller says.
    Transcript {
        /// In which turn.
        item: String,
        /// All of it so far.
        text: String,
        /// It stays as it is.
        is_final: bool,
    },
    /// An answer begins.
    AnswerStarted {
        /// Its name.
        answer: String,
    },
    /// Sound.
    Audio {
        /// Of which answer.
        answer: String,
        /// Of which piece of it.
        item: String,
        /// As it came.
        bytes: Vec<u8>,
    },
    /// Words.
    AgentText {
        /// Of which answer.
        answer: String,
        /// Of which piece of it.
        item: String,
        /// The next ones.
        text: String,
    },
    /// A tool is to be used.
    Tool(ToolRequest),
    /// Tools are not to be used any more.
    ToolsCancelled(Vec<String>),
    /// The answer is stopped, as the caller speaks.
    Interrupted,
    /// All sound of the answer has come; its end may be told much later.
    SoundComplete,
    /// The answer is over.
    AnswerDone {
        /// How.
        status: AnswerStatus,
        /// What it cost.
        usage: Option<Usage>,
    },
    /// An answer was asked for while there was one: it has to be asked for again.
    Busy,
    /// What the account still has.
    RateLimits(Vec<RateLimit>),
    /// The connection will be closed.
    GoAway {
        /// In so long a time.
        left: Duration,
    },
    /// What brings the next connection into the same session; `None` if nothing does at the moment.
    Handle(Option<String>),
    /// A complaint.
    Warning(String),
}

/// What stands before the host of a WebSocket, whichever way the configuration wrote it.
fn web_socket(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_prefix("http").map_or_else(|| url.to_owned(), |rest| format!("ws{rest}"))
}

/// Audio in a JSON text.
fn base64(audio: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(audio)
}

/// Audio out of a JSON text.
fn sound(base64: &str) -> Result<Vec<u8>, Fault> {
    base64::engine::general_purpose::STANDARD.decode(base64).map_err(Fault::malformed)
}
