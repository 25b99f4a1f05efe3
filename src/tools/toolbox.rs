//! The tools of an agent, by name.

use std::sync::Arc;

use serde_json::Value;

use super::{Tool, ToolError};

/// A set of tools; minds call them by name.
#[derive(Clone, Debug, Default)]
pub struct Toolbox(Vec<Arc<dyn Tool>>);

impl Toolbox {
    /// A box of these tools. Of two with one name the first counts.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self(tools.into_iter().collect())
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.iter().find(|tool| tool.name() == name)
    }

    /// Uses a tool.
    ///
    /// # Errors
    /// When there is no such tool, or it has no answer.
    pub async fn call(&self, name: &str, arguments: Value) -> Result<Value, ToolError> {
        let tool = self.tool(name).ok_or_else(|| ToolError::Unknown(name.to_owned()))?;
        tool.call(arguments).await
    }
}
