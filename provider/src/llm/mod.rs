//! Language models: who decides what to say and what to do.
//!
//! A vendor is a [`Vendor`]: it writes a [`Prompt`] as a request and reads the answer with a [`Decoder`]. [`Client`] is the same for all:
//! it asks the best provider that is well, waits no longer than it should, and asks another one.

mod anthropic;
mod client;
mod openai;
pub mod sse;

pub use anthropic::{Anthropic, AnthropicConfig};
pub use client::{AskId, Client, ClientConfig, Output};
pub use openai::{OpenAi, OpenAiConfig, TokenLimit};

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::link::HttpRequest;
use crate::policy::{Fault, FaultKind, Patience};

/// All that a model is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// What it is to do, in parts; those that stay the same during a call come first, so that the vendor may keep what it made of them.
    pub system: Vec<SystemPart>,
    /// What was said and done so far.
    pub turns: Vec<Turn>,
    /// What it may do besides speaking.
    pub tools: Arc<[ToolSpec]>,
    /// Whether it may use them.
    pub tool_choice: ToolChoice,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}

/// A part of the instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPart {
    /// The text.
    pub text: Arc<str>,
    /// It stays the same for all turns of a call, or for all calls.
    pub is_stable: bool,
}

/// Something that was said or done.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// By the caller.
    User(String),
    /// By the agent: what it said, and what it wanted done.
    Assistant {
        /// The words; may be empty if it used tools.
        text: String,
        /// Tools that it used; [`Turn::Results`] follows.
        calls: Vec<ToolRequest>,
    },
    /// What the tools of the turn before it have answered, all of them.
    Results(Vec<ToolResult>),
}

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`; at most 64.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON schema of its arguments: an object.
    pub parameters: Value,
}

/// Whether the model may use tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It has to speak.
    None,
}

/// A tool that the model wants used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRequest {
    /// The vendor's name of this use.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// Its arguments: JSON as the model wrote it, which may be none.
    pub arguments: String,
}

impl ToolRequest {
    /// One more part of the arguments. Who writes them without an end is stopped.
    fn push_arguments(&mut self, part: &str) -> Result<(), Fault> {
        self.arguments.push_str(part);
        if self.arguments.len() > MAX_ARGUMENT_BYTES {
            return Err(Fault::new(FaultKind::TooLong, "a tool's arguments have no end"));
        }
        Ok(())
    }
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The name of the use that it answers.
    pub id: String,
    /// The answer, mostly JSON.
    pub content: String,
    /// It failed.
    pub is_error: bool,
}

/// What a model's answer consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next words.
    Text(String),
    /// It is about to want this tool used.
    ToolBegun {
        /// Which.
        name: String,
    },
    /// It wants this tool used.
    Tool(ToolRequest),
    /// What the answer costs. If told more than once, the last one holds.
    Usage(Usage),
    /// The answer is complete.
    Finished(Finish),
}

/// Why an answer came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// All is said.
    Stop,
    /// Tools are to be used.
    Tools,
    /// It would have been longer than it may be.
    Length,
    /// The vendor does not want it said.
    Filtered,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt, those that were kept from before included.
    pub input_tokens: u64,
    /// Of the prompt, those that were kept from before.
    pub cached_tokens: u64,
    /// Of the answer.
    pub output_tokens: u64,
}

/// A vendor with all that its configuration says.
pub trait Vendor: Send + Sync + fmt::Debug {
    /// Writes a prompt as a request whose answer is streamed.
    fn request(&self, prompt: &Prompt) -> HttpRequest;

    /// Reads the answer to one request.
    fn decoder(&self) -> Box<dyn Decoder>;

    /// How long it is waited for: `first` from asking until its first words, `stall` between two parts of its answer.
    fn patience(&self) -> Patience {
        Patience::LLM
    }
}

/// A vendor that is waited for longer than usual, or shorter.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// The vendor.
    pub vendor: Arc<dyn Vendor>,
    /// How long to wait.
    pub patience: Patience,
}

impl Vendor for Awaited {
    fn request(&self, prompt: &Prompt) -> HttpRequest {
        self.vendor.request(prompt)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        self.vendor.decoder()
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

/// Reads one answer.
pub trait Decoder: Send + fmt::Debug {
    /// The next part of the body.
    ///
    /// # Errors
    /// When it makes no sense, or tells of a fault.
    fn receive(&mut self, part: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Fault>;

    /// The body is complete.
    ///
    /// # Errors
    /// When the answer is not.
    fn end(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Fault>;

    /// How many bytes of tools' arguments have come. They make no piece before they are complete, which may take longer than an answer may
    /// stand still: while they grow it does not.
    fn argument_bytes(&self) -> usize;
}

/// Of one tool: a long message dictated on the telephone takes a few kilobytes.
const MAX_ARGUMENT_BYTES: usize = 256 * 1024;
