//! The providers of a server, made once: all calls share what is known of their health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use caly_provider::policy::Health;
use caly_provider::policy::chain::Member;
use caly_provider::{asr, llm, realtime, tts};

use crate::config::{CascadeConfig, Persona, ProvidersConfig, RealtimeConfig, TurnTakingConfig};
use crate::mind::cascade::Cascade;
use crate::mind::conversation::{END_CALL, Hops};
use crate::mind::realtime::RealtimeAgent;
use crate::tools::Toolbox;

/// Everybody who can be asked, by name.
#[derive(Debug)]
pub(super) struct Providers {
    asr: Known<dyn asr::Provider>,
    llm: Known<dyn llm::Vendor>,
    tts: Known<dyn tts::Provider>,
    realtime: Known<dyn realtime::Provider>,
}

/// The providers of one purpose.
#[derive(Debug)]
struct Known<P: ?Sized>(BTreeMap<Arc<str>, (Member, Arc<P>)>);

impl Providers {
    /// Makes them. No call begins before `epoch`.
    pub(super) fn new(config: &ProvidersConfig, epoch: Instant) -> Self {
        let asr = config.asr.iter().map(|known| (known.name.as_str(), known.provider()));
        let llm = config.llm.iter().map(|known| (known.name.as_str(), known.provider()));
        let tts = config.tts.iter().map(|known| (known.name.as_str(), known.provider()));
        let realtime = config.realtime.iter().map(|known| (known.name.as_str(), known.provider()));
        Self {
            asr: Known::new(asr, epoch),
            llm: Known::new(llm, epoch),
            tts: Known::new(tts, epoch),
            realtime: Known::new(realtime, epoch),
        }
    }

    /// An agent with its providers. All names were checked when the configuration was read.
    pub(super) fn cascade(
        &self,
        config: &CascadeConfig,
        turn_taking: &TurnTakingConfig,
        tools: &Toolbox,
    ) -> Cascade {
        let Persona { title, language, instructions, lines, guardrail, waiting_sound, fallback, .. } =
            &config.persona;
        Cascade {
            name: title.clone(),
            language: *language,
            asr: self.asr.hops(&config.asr),
            llm: self.llm.hops(&config.llm),
            tts: self.tts.hops(&config.tts),
            instructions: Arc::clone(instructions),
            tools: specs(&config.persona, tools),
            lines: lines.clone(),
            guardrail: Arc::clone(guardrail),
            waiting_sound: waiting_sound.clone(),
            understanding: turn_taking.understanding.clone(),
            answers: config.answers,
            fallback: Arc::clone(&fallback.script),
        }
    }

    /// The same for an agent whose model hears and speaks.
    pub(super) fn realtime(&self, config: &RealtimeConfig, tools: &Toolbox) -> RealtimeAgent {
        let Persona { title, language, instructions, lines, guardrail, waiting_sound, fallback, .. } =
            &config.persona;
        RealtimeAgent {
            name: title.clone(),
            language: *language,
            models: self.realtime.hops(&config.realtime),
            instructions: Arc::clone(instructions),
            tools: specs(&config.persona, tools),
            lines: lines.clone(),
            guardrail: Arc::clone(guardrail),
            waiting_sound: waiting_sound.clone(),
            talk: config.talk,
            fallback: Arc::clone(&fallback.script),
        }
    }
}

impl<P: ?Sized> Known<P> {
    fn new<'a>(providers: impl Iterator<Item = (&'a str, Arc<P>)>, epoch: Instant) -> Self {
        let known = providers.map(|(name, provider)| {
            let name: Arc<str> = name.into();
            let member = Member { name: Arc::clone(&name), health: Arc::new(Health::new(epoch)) };
            (name, (member, provider))
        });
        Self(known.collect())
    }

    fn hops(&self, names: &[String]) -> Hops<P> {
        Hops(names.iter().filter_map(|name| self.0.get(name.as_str()).cloned()).collect())
    }
}

fn specs(persona: &Persona, tools: &Toolbox) -> Arc<[llm::ToolSpec]> {
    persona.tools.iter().filter_map(|name| spec(name, tools)).collect()
}

/// A tool as the model is told of it.
fn spec(name: &str, tools: &Toolbox) -> Option<llm::ToolSpec> {
    if name == END_CALL {
        return Some(llm::ToolSpec {
            name: name.to_owned(),
            description:
                "Ends the call. Say goodbye in the same answer; use it when the caller has said goodbye or \
                wants nothing more."
                    .to_owned(),
            parameters: serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        });
    }
    let tool = tools.tool(name)?;
    let (name, description) = (tool.name().to_owned(), tool.description().to_owned());
    Some(llm::ToolSpec { name, description, parameters: tool.parameters() })
}

#[cfg(test)]
mod tests {
    use caly_provider::policy::{Fault, FaultKind};

    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_known_of_a_provider_is_known_to_all_agents() {
        let text = "[llm.a]\nkind = \"openai\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\n";
        let config = Config::parse("caly.toml", text, &[]).unwrap();
        let epoch = Instant::now();
        let providers = Providers::new(&config.providers, epoch);
        let [one, other] = [(), ()].map(|()| providers.llm.hops(&["a".to_owned()]).chain());
        assert!(!other.member(0).unwrap().health.is_shut(epoch));
        one.failed(epoch, 0, &Fault::new(FaultKind::Unauthorized, ""));
        assert!(other.member(0).unwrap().health.is_shut(epoch));
    }
}
