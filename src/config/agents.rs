//! `[agents]`: the agents that calls can be led to. Each is a file in one folder, read and checked with the configuration.

mod folder;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::fault::Faults;
use super::table::{Table, text};
use super::turn_taking::{self, TurnTakingConfig};
use crate::mind::script::Script;
use crate::tools::BUILT_IN;

/// One agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentConfig {
    /// Routes call it `agent:NAME`: the name of its file without `.toml`.
    pub name: String,
    /// What it says and does.
    pub script: Arc<Script>,
    /// How it listens and when it speaks.
    pub turn_taking: TurnTakingConfig,
}

/// All agents; one that is called `demo` is always among them.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentsConfig(Vec<AgentConfig>);

/// The agents, and what was found wrong in their files.
pub(super) struct ReadAgents {
    pub(super) agents: AgentsConfig,
    /// How routes call them, faulty ones too: a route to a faulty agent is no fault of its own.
    pub(super) destinations: Vec<String>,
    /// Of each file that has any.
    pub(super) faults: Vec<Faults>,
}

impl AgentsConfig {
    /// The demo agent first, the others in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &AgentConfig> {
        self.0.iter()
    }

    /// Reads the table and the folder that it names, which is relative to the folder `base` of the configuration file.
    pub(super) fn read(table: &mut Table<'_>, base: &Path) -> ReadAgents {
        let dir = table.get("dir", |value| text(value).and_then(folder_name));
        let found = match dir.map(|dir| folder::list(&base.join(dir))) {
            None => Vec::new(),
            Some(Ok(found)) => found,
            Some(Err(message)) => {
                table.fault_at("dir", message);
                Vec::new()
            }
        };
        let mut read = ReadAgents { agents: Self(Vec::new()), destinations: Vec::new(), faults: Vec::new() };
        if !found.iter().any(|file| file.name == DEMO_NAME) {
            read.agents = Self::default();
            read.destinations.push(format!("agent:{DEMO_NAME}"));
        }
        for file in found {
            match file.read(BUILT_IN) {
                Ok((script, turn_taking)) => {
                    let (name, script) = (file.name.clone(), Arc::new(script));
                    read.agents.0.push(AgentConfig { name, script, turn_taking });
                }
                Err(faults) => read.faults.push(faults),
            }
            read.destinations.push(format!("agent:{}", file.name));
        }
        read.agents.0.sort_by_key(|agent| (agent.name != DEMO_NAME, agent.name.clone()));
        read
    }
}

impl Default for AgentsConfig {
    fn default() -> Self {
        Self(SHIPPED.iter().cloned().collect())
    }
}

/// The demo agent, read once: a test holds that it has no fault.
static SHIPPED: LazyLock<Option<AgentConfig>> = LazyLock::new(|| {
    let script = Arc::new(Script::parse("demo.toml", DEMO, BUILT_IN).ok()?);
    let turn_taking = turn_taking::read("demo.toml", DEMO).ok()?;
    Some(AgentConfig { name: DEMO_NAME.to_owned(), script, turn_taking })
});

fn folder_name(path: String) -> Result<String, String> {
    if path.is_empty() || path.contains('\0') {
        return Err("must be the path of a folder, relative to that of this file".to_owned());
    }
    Ok(path)
}

/// Local callers reach the agent of this name without a route.
const DEMO_NAME: &str = "demo";

const DEMO: &str = include_str!("../../config/agents/demo.toml");

#[cfg(test)]
mod tests;
