//! What agents can do besides speaking. A tool takes JSON and gives JSON; it knows neither calls nor SIP.

pub mod shop;
mod toolbox;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

pub use toolbox::Toolbox;

/// The names of the tools that are always there.
pub const BUILT_IN: &[&str] = &shop::TOOL_NAMES;

/// One thing that an agent can do.
pub trait Tool: Send + Sync + std::fmt::Debug {
    /// The name by which agents call it.
    fn name(&self) -> &str;

    /// What it does, in a sentence that a person or a model reads.
    fn description(&self) -> &str;

    /// JSON schema of its arguments.
    fn parameters(&self) -> Value;

    /// Does it.
    fn call(&self, arguments: Value) -> Answering<'_>;
}

/// A tool that is slower has failed.
pub const TOOL_TIME: Duration = Duration::from_secs(5);

/// An answer that is in the making.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value, ToolError>> + Send + 'a>>;

/// Why a tool has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// No tool has this name.
    #[error("there is no tool named {0}")]
    Unknown(String),
    /// The arguments do not fit the schema.
    #[error("{0}")]
    Arguments(String),
    /// What stands behind the tool did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// What stands behind the tool cannot be used now.
    #[error("{0}")]
    Unavailable(String),
}
