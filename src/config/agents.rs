//! `[agents]`: the agents that calls can be led to. Each is a file in one folder, read and checked with the configuration.

mod cascade;
mod folder;
mod guardrail;
mod lines;
mod persona;
mod realtime;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

pub use cascade::CascadeConfig;
pub use persona::{Fallback, Persona};
pub use realtime::RealtimeConfig;

use super::fault::Faults;
use super::providers::ProviderNames;
use super::table::{Table, text};
use super::turn_taking::{self, TurnTakingConfig};
use crate::mind::script::Script;
use crate::mind::speech::Language;
use crate::tools::BUILT_IN;
use crate::voice::TurnTaking;
use folder::{AgentFile, AgentText, MindKind};

/// One agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentConfig {
    /// Routes call it `agent:NAME`: the name of its file without `.toml`.
    pub name: String,
    /// What it thinks by.
    pub mind: MindConfig,
    /// How it listens and when it speaks.
    pub turn_taking: TurnTakingConfig,
}

/// What an agent thinks by: `[mind] kind`.
#[derive(Clone, Debug, PartialEq)]
pub enum MindConfig {
    /// `script`, or no such table: a dialogue by the telephone's keys.
    Script(Arc<Script>),
    /// `cascade`: a recognizer, a language model and a synthesizer.
    Cascade(Arc<CascadeConfig>),
    /// `realtime`: a model that hears and speaks.
    Realtime(Arc<RealtimeConfig>),
}

impl MindConfig {
    /// Who the agent is, if it converses by providers.
    pub fn persona(&self) -> Option<&Persona> {
        match self {
            Self::Script(_) => None,
            Self::Cascade(cascade) => Some(&cascade.persona),
            Self::Realtime(realtime) => Some(&realtime.persona),
        }
    }

    /// What the agent calls itself.
    pub fn title(&self) -> &str {
        match self {
            Self::Script(script) => script.name(),
            Self::Cascade(cascade) => &cascade.persona.title,
            Self::Realtime(realtime) => &realtime.persona.title,
        }
    }

    /// The languages that it speaks.
    pub fn languages(&self) -> Vec<Language> {
        match self {
            Self::Script(script) => script.voices().map(|(language, _)| language).collect(),
            Self::Cascade(cascade) => cascade.persona.voices.keys().copied().collect(),
            Self::Realtime(realtime) => realtime.persona.voices.keys().copied().collect(),
        }
    }
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
    pub(super) fn read(table: &mut Table<'_>, base: &Path, providers: &ProviderNames) -> ReadAgents {
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
        read.files(&found, providers);
        read.agents.0.sort_by_key(|agent| (agent.name != DEMO_NAME, agent.name.clone()));
        read
    }
}

/// The agents that others may fall back to; `None` for one whose file has faults.
type Scripts = BTreeMap<String, Option<Arc<Script>>>;

impl ReadAgents {
    /// Scripts are read first: other agents fall back to them.
    fn files(&mut self, found: &[AgentFile], providers: &ProviderNames) {
        let script = |agent: &AgentConfig| match &agent.mind {
            MindConfig::Script(script) => Some((agent.name.clone(), Some(Arc::clone(script)))),
            MindConfig::Cascade(_) | MindConfig::Realtime(_) => None,
        };
        let mut scripts: Scripts = self.agents.iter().filter_map(script).collect();
        let (mut texts, mut in_order) = (Vec::new(), BTreeMap::new());
        for file in found {
            self.destinations.push(format!("agent:{}", file.name));
            match file.read() {
                Ok(text) => texts.push(text),
                // It may have been a script.
                Err(faults) => {
                    scripts.insert(file.name.clone(), None);
                    in_order.insert(file.name.clone(), faults);
                }
            }
        }
        texts.sort_by_key(|text| text.kind != MindKind::Script);
        for text in texts {
            match text.agent(providers, &mut scripts) {
                Ok(agent) => self.agents.0.extend(agent),
                Err(faults) => drop(in_order.insert(text.name, faults)),
            }
        }
        self.faults.extend(in_order.into_values());
    }
}

impl MindKind {
    /// How such an agent takes turns if its file does not say so.
    fn turn_taking(self) -> TurnTaking {
        let mut usual = TurnTaking::default();
        // What a model says leaves as it came.
        usual.audio.loudness = self != Self::Realtime;
        usual
    }
}

impl AgentText {
    /// The agent; none if only the agent that it falls back to is faulty.
    fn agent(&self, providers: &ProviderNames, scripts: &mut Scripts) -> Result<Option<AgentConfig>, Faults> {
        let mind = match self.kind {
            MindKind::Script => {
                let script = Script::parse(&self.file, &self.text, BUILT_IN).map(Arc::new);
                scripts.insert(self.name.clone(), script.as_ref().ok().cloned());
                script.map(|script| Some(MindConfig::Script(script)))
            }
            MindKind::Cascade => {
                let read = cascade::read(self, providers, scripts);
                read.map(|read| read.map(|cascade| MindConfig::Cascade(Arc::new(cascade))))
            }
            MindKind::Realtime => {
                let read = realtime::read(self, providers, scripts);
                read.map(|read| read.map(|realtime| MindConfig::Realtime(Arc::new(realtime))))
            }
        };
        match (mind, turn_taking::read(&self.file, &self.text, &self.kind.turn_taking())) {
            (Ok(mind), Ok(turn_taking)) => {
                Ok(mind.map(|mind| AgentConfig { name: self.name.clone(), mind, turn_taking }))
            }
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
            (Err(faults), Err(others)) => Err(faults.and(others)),
        }
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
    let turn_taking = turn_taking::read("demo.toml", DEMO, &TurnTaking::default()).ok()?;
    Some(AgentConfig { name: DEMO_NAME.to_owned(), mind: MindConfig::Script(script), turn_taking })
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
