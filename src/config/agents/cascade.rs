//! An agent's file with `[mind] kind = "cascade"`: who listens, thinks and speaks for it, and how it answers.

use std::time::Duration;

use super::Scripts;
use super::folder::AgentText;
use super::lines::Required;
use super::persona::{self, MAX_WAIT_MS, Persona, chain, max_rounds, time};
use crate::config::fault::Faults;
use crate::config::providers::ProviderNames;
use crate::config::table::{Table, boolean, integer};
use crate::mind::cascade::{Answers, Budgets};

/// A cascade agent.
#[derive(Clone, Debug, PartialEq)]
pub struct CascadeConfig {
    /// Who it is.
    pub persona: Persona,
    /// Names of its recognizers, the best first.
    pub asr: Vec<String>,
    /// Names of its language models.
    pub llm: Vec<String>,
    /// Names of its synthesizers.
    pub tts: Vec<String>,
    /// How it answers.
    pub answers: Answers,
}

/// Reads an agent's file; none if all that is wrong is with the agent that it falls back to.
///
/// # Errors
/// Every fault of the file at once.
pub(super) fn read(
    agent: &AgentText,
    providers: &ProviderNames,
    scripts: &Scripts,
) -> Result<Option<CascadeConfig>, Faults> {
    let read = persona::read(agent, scripts, Required::All, |mind| {
        let hops = [("asr", &providers.asr), ("llm", &providers.llm), ("tts", &providers.tts)];
        (hops.map(|(purpose, known)| chain(mind, purpose, known)), answers(mind))
    })?;
    Ok(read.map(|(persona, ([asr, llm, tts], answers))| {
        let answers = Answers { idle: persona.idle, ..answers };
        CascadeConfig { persona, asr, llm, tts, answers }
    }))
}

fn answers(mind: &mut Table<'_>) -> Answers {
    let usual = Answers::default();
    let count = |mind: &mut Table<'_>, key, most: u64| mind.get(key, integer(1..=most, ""));
    let sentences = count(mind, "max_sentences", 50).and_then(|count| usize::try_from(count).ok());
    let tokens = count(mind, "max_tokens", 4_096).and_then(|count| u32::try_from(count).ok());
    Answers {
        max_sentences: sentences.unwrap_or(usual.max_sentences),
        max_tokens: tokens.unwrap_or(usual.max_tokens),
        max_rounds: max_rounds(mind, usual.max_rounds),
        think_ahead: mind.get("think_ahead", boolean).unwrap_or(usual.think_ahead),
        filler_after: time(mind, "filler_after_ms", usual.filler_after),
        tool_filler_after: time(mind, "tool_filler_after_ms", usual.tool_filler_after),
        tool_patience: time(mind, "tool_patience_ms", usual.tool_patience),
        hedge_after: mind.get("hedge_after_ms", integer(100..=MAX_WAIT_MS, "ms")).map(Duration::from_millis),
        idle: usual.idle,
        budgets: Budgets {
            asr: time(mind, "asr_ms", usual.budgets.asr),
            llm: time(mind, "llm_ms", usual.budgets.llm),
            tts: time(mind, "tts_ms", usual.budgets.tts),
        },
    }
}

#[cfg(test)]
mod tests;
