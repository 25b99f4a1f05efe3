//! The agents of a configuration, made ready to take calls: their prompts in memory, their tools at hand.

mod task;

use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use tokio::runtime::{Handle, Runtime};

use self::task::{Head, Ways};
use crate::agent::{Agent, InlineMind, MindLine};
use crate::config::{AgentConfig, AgentsConfig};
use crate::mind::ToolCall;
use crate::mind::script::{Script, ScriptMind};
use crate::prompt::{self, Espeak, Library};
use crate::pump::Pump;
use crate::signaling::Destinations;
use crate::store::{Shop, StoreError};
use crate::tools::Toolbox;
use crate::tools::shop::{self, ClosedBook, OrderBook};
use crate::voice::TurnTaking;
use crate::voice::session::VoiceConfig;
use crate::voice::turn::Patience;
use crate::voice::vad::WebRtc;

/// Agents that can speak.
#[derive(Debug)]
pub(crate) struct Agents {
    ready: Vec<ReadyAgent>,
    tools: Arc<Toolbox>,
}

#[derive(Clone, Debug)]
struct ReadyAgent {
    name: String,
    script: Arc<Script>,
    turn_taking: TurnTaking,
    clips: Library,
}

impl Agents {
    /// Makes the agents of a server ready; the demo shop's orders are kept in `shop`. Prompts that are missing are told in the
    /// log, and the agent goes without them. A shop that cannot be opened stays closed, and nothing else with it.
    pub(super) async fn for_server(configured: &AgentsConfig, shop: &Path, prompts: &Path) -> Self {
        let book: Arc<dyn OrderBook> = match Shop::open(shop).await {
            Ok(shop) => Arc::new(shop),
            Err(error) => {
                tracing::error!(
                    "the demo shop is closed, its tools fail: {error}; {}, and restart the server",
                    error.advice()
                );
                Arc::new(ClosedBook { why: "the demo shop is closed, as the server's log tells".to_owned() })
            }
        };
        Self::prepare(configured, book, prompts).await
    }

    /// The same with a shop in memory, as it is on a given day.
    pub(crate) async fn for_replay(
        configured: &AgentsConfig,
        today: Date,
        prompts: &Path,
    ) -> Result<Self, StoreError> {
        Ok(Self::prepare(configured, Arc::new(Shop::in_memory(today).await?), prompts).await)
    }

    async fn prepare(configured: &AgentsConfig, book: Arc<dyn OrderBook>, prompts: &Path) -> Self {
        let tools = Arc::new(Toolbox::new(shop::tools(&book)));
        let mut ready = Vec::new();
        for AgentConfig { name, script, turn_taking } in configured.iter() {
            let (clips, report) = prompt::load(prompt::lines_of(script), prompts, &Espeak::default()).await;
            for warning in report.warnings() {
                tracing::warn!(agent = name, "{warning}");
            }
            let (name, script) = (name.clone(), Arc::clone(script));
            ready.push(ReadyAgent { name, script, turn_taking: turn_taking.voice, clips });
        }
        Self { ready, tools }
    }

    /// Lets calls reach the agents; each call's mind gets a task of its own on the runtime.
    pub(super) fn serve(self, destinations: &mut Destinations, runtime: &Handle, pump: &Pump) {
        for agent in self.ready {
            let (runtime, ways) =
                (runtime.clone(), Ways { tools: Arc::clone(&self.tools), pump: pump.clone() });
            agent.register(destinations, move |mind| {
                let head = Head { mind: Box::new(mind), feed: None };
                Box::new(task::start(&runtime, head, ways.clone()))
            });
        }
    }

    /// Lets calls in virtual time reach the agents: minds think on the spot, and tools answer after a fixed time.
    pub(crate) fn play(self, destinations: &mut Destinations, runtime: &Arc<Runtime>) {
        for agent in self.ready {
            let (runtime, tools) = (Arc::clone(runtime), Arc::clone(&self.tools));
            agent.register(destinations, move |mind| {
                let (runtime, tools) = (Arc::clone(&runtime), Arc::clone(&tools));
                let answer_tool =
                    move |call: &ToolCall| runtime.block_on(tools.call(&call.name, call.arguments.clone()));
                Box::new(InlineMind::new(Box::new(mind), Box::new(answer_tool)))
            });
        }
    }
}

impl ReadyAgent {
    fn register(
        self,
        destinations: &mut Destinations,
        line_to: impl Fn(ScriptMind) -> Box<dyn MindLine> + Send + Sync + 'static,
    ) {
        let name = format!("agent:{}", self.name);
        let is_recorded = self.script.records();
        let build = move |_: &_| {
            let clips = Arc::new(self.clips.clone());
            let mind = ScriptMind::new(Arc::clone(&self.script), clips);
            Box::new(Agent::new(line_to(mind), self.voice())) as Box<_>
        };
        destinations.register(&name, is_recorded, build);
    }

    fn voice(&self) -> VoiceConfig {
        let patience = Patience {
            idle: self.script.idle(),
            idle_too_long: self.script.give_up_after(),
            ..self.turn_taking.patience
        };
        VoiceConfig {
            detector: Box::new(WebRtc::new()),
            turn_taking: TurnTaking { patience, ..self.turn_taking },
            listener: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::tools::ToolError;

    #[test]
    fn each_agents_voice_is_made_of_its_own_settings() {
        let demo = AgentsConfig::default().iter().next().cloned().unwrap();
        let mut turn_taking = TurnTaking::default();
        turn_taking.detection.above_room_db = 9.0;
        turn_taking.patience.complete_from = 0.9;
        turn_taking.audio.loudness = false;
        let clips = Library::default();
        let agent = ReadyAgent { name: demo.name, script: demo.script, turn_taking, clips };
        let voice = agent.voice().turn_taking;
        assert_eq!((voice.detection, voice.audio), (turn_taking.detection, turn_taking.audio));
        let expected = Patience {
            idle: agent.script.idle(),
            idle_too_long: agent.script.give_up_after(),
            ..turn_taking.patience
        };
        assert_eq!(voice.patience, expected);
    }

    #[tokio::test]
    async fn a_shop_that_is_no_database_is_closed_and_agents_are_there() {
        let folder = crate::store::scratch::Folder::new("closed-shop");
        let file = folder.path().join("shop.db");
        std::fs::write(&file, [0x5A; 9000]).unwrap();
        let agents = Agents::for_server(&Config::default().agents, &file, folder.path()).await;
        let answer = agents.tools.call("lookup_order", json!({ "keypad": "222123" })).await;
        assert!(matches!(answer, Err(ToolError::Unavailable(_))), "{answer:?}");
        assert!(!agents.ready.is_empty());
    }
}
