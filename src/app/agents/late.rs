//! A tool that takes longer than it has to: for those who want to hear what an agent does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::tools::{Answering, Tool};

/// The tool.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) delay: Duration,
}

impl Tool for Late {
    fn name(&self) -> &str {
        self.tool.name()
    }

    fn description(&self) -> &str {
        self.tool.description()
    }

    fn parameters(&self) -> Value {
        self.tool.parameters()
    }

    fn call(&self, arguments: Value) -> Answering<'_> {
        Box::pin(async move {
            sleep(self.delay).await;
            self.tool.call(arguments).await
        })
    }
}
