//! The agents that calls can be led to.

use std::sync::Arc;

use crate::mind::script::Script;

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// Routes call it `agent:NAME`.
    pub name: String,
    /// What it says and does.
    pub script: Arc<Script>,
}

/// All agents; the demo agent is always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentsConfig(Vec<AgentConfig>);

impl AgentsConfig {
    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &AgentConfig> {
        self.0.iter()
    }
}

impl Default for AgentsConfig {
    fn default() -> Self {
        // A test holds that the shipped agent has no fault.
        let demo = Script::parse("demo.toml", DEMO)
            .map(|script| AgentConfig { name: "demo".to_owned(), script: Arc::new(script) });
        Self(demo.into_iter().collect())
    }
}

const DEMO: &str = include_str!("../../config/agents/demo.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_agent_is_always_there() {
        assert_eq!(
            AgentsConfig::default().iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(),
            ["demo"]
        );
    }
}
