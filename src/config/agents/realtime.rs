//! An agent's file with `[mind] kind = "realtime"`: which models hear and speak for it, and how it talks.

use super::Scripts;
use super::folder::AgentText;
use super::lines::Required;
use super::persona::{self, Persona, chain, max_rounds, time};
use crate::config::fault::Faults;
use crate::config::providers::ProviderNames;
use crate::config::table::Table;
use crate::mind::realtime::Talk;

/// An agent whose model hears and speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct RealtimeConfig {
    /// Who it is.
    pub persona: Persona,
    /// Names of its models, the best first.
    pub realtime: Vec<String>,
    /// How it talks.
    pub talk: Talk,
}

/// Reads an agent's file; none if all that is wrong is with the agent that it falls back to.
///
/// # Errors
/// Every fault of the file at once.
pub(super) fn read(
    agent: &AgentText,
    providers: &ProviderNames,
    scripts: &Scripts,
) -> Result<Option<RealtimeConfig>, Faults> {
    let read = persona::read(agent, scripts, Required::AllButNotUnderstood, |mind| {
        (chain(mind, "realtime", &providers.realtime), talk(mind))
    })?;
    Ok(read.map(|(persona, (realtime, talk))| {
        let talk = Talk { idle: persona.idle, ..talk };
        RealtimeConfig { persona, realtime, talk }
    }))
}

fn talk(mind: &mut Table<'_>) -> Talk {
    let usual = Talk::default();
    Talk {
        filler_after: time(mind, "filler_after_ms", usual.filler_after),
        tool_filler_after: time(mind, "tool_filler_after_ms", usual.tool_filler_after),
        tool_patience: time(mind, "tool_patience_ms", usual.tool_patience),
        max_rounds: max_rounds(mind, usual.max_rounds),
        idle: usual.idle,
        budget: time(mind, "answer_ms", usual.budget),
    }
}

#[cfg(test)]
mod tests;
