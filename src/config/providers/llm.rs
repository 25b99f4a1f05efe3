//! `[llm.NAME]`: language models.

use std::sync::Arc;

use caly_provider::llm::{Anthropic, AnthropicConfig, Awaited, OpenAi, OpenAiConfig, TokenLimit, Vendor};
use caly_provider::policy::Patience;
use caly_provider::secret::Secret;

use super::key::Keys;
use super::values::{REQUESTS, answer_patience, fields, line, number, set, url};
use super::{Description, wants_key};
use crate::config::table::{Table, boolean, word};

/// A language model.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmProvider {
    /// How agents call it.
    pub name: String,
    /// Whose it is.
    pub vendor: LlmVendor,
    /// How long it is waited for.
    pub patience: Patience,
}

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum LlmVendor {
    /// `openai`, and all servers that have its chat interface.
    OpenAi(OpenAiConfig),
    /// `anthropic`
    Anthropic(AnthropicConfig),
}

impl LlmProvider {
    /// The provider, to be used by all calls.
    pub fn provider(&self) -> Arc<dyn Vendor> {
        let vendor: Arc<dyn Vendor> = match &self.vendor {
            LlmVendor::OpenAi(config) => Arc::new(OpenAi(config.clone())),
            LlmVendor::Anthropic(config) => Arc::new(Anthropic(config.clone())),
        };
        Arc::new(Awaited { vendor, patience: self.patience })
    }
}

impl LlmVendor {
    /// Where it is.
    pub fn url(&self) -> &str {
        match self {
            Self::OpenAi(config) => &config.url,
            Self::Anthropic(config) => &config.url,
        }
    }

    /// Who that is.
    pub fn describe(&self) -> Description<'_> {
        let (kind, model, key) = match self {
            Self::OpenAi(config) => ("openai", config.model.as_str(), config.key.as_ref()),
            Self::Anthropic(config) => ("anthropic", config.model.as_str(), Some(&config.key)),
        };
        Description { kind, model, key }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    OpenAi,
    Anthropic,
}

pub(super) fn read(name: &str, table: &mut Table<'_>, keys: &Keys<'_>) -> Option<LlmProvider> {
    let vendor = match table.require("kind", word(KINDS))? {
        Kind::OpenAi => LlmVendor::OpenAi(openai(table, keys)),
        Kind::Anthropic => LlmVendor::Anthropic(anthropic(keys.required(table), table)),
    };
    Some(LlmProvider { name: name.to_owned(), vendor, patience: answer_patience(table, Patience::LLM) })
}

fn openai(table: &mut Table<'_>, keys: &Keys<'_>) -> OpenAiConfig {
    let key = keys.optional(table);
    let base = table.require("url", url(REQUESTS)).unwrap_or_default();
    wants_key(table, &base, key.is_some());
    let model = table.require("model", line).unwrap_or_default();
    let mut config = OpenAiConfig::new(&base, key, &model);
    set(&mut config.token_limit, table.get("token_limit", word(TOKEN_LIMITS)));
    set(&mut config.asks_usage, table.get("asks_usage", boolean));
    config.temperature = table.get("temperature", number(0.0..=2.0));
    set(&mut config.extra, table.get("extra", fields));
    config
}

fn anthropic(key: Secret, table: &mut Table<'_>) -> AnthropicConfig {
    let model = table.require("model", line).unwrap_or_default();
    let mut config = AnthropicConfig::new(key, &model);
    set(&mut config.url, table.get("url", url(REQUESTS)));
    set(&mut config.version, table.get("version", line));
    config.beta = table.get("beta", line);
    config.temperature = table.get("temperature", number(0.0..=1.0));
    set(&mut config.uses_tools_in_parallel, table.get("uses_tools_in_parallel", boolean));
    set(&mut config.caches, table.get("caches", boolean));
    set(&mut config.opening, table.get("opening", line));
    set(&mut config.silence, table.get("silence", line));
    set(&mut config.extra, table.get("extra", fields));
    config
}

const KINDS: &[(&str, Kind)] = &[("openai", Kind::OpenAi), ("anthropic", Kind::Anthropic)];

const TOKEN_LIMITS: &[(&str, TokenLimit)] =
    &[("max_completion_tokens", TokenLimit::MaxCompletionTokens), ("max_tokens", TokenLimit::MaxTokens)];
