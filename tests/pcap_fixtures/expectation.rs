//! What stands beside a capture: NAME.toml. Every key is known; one that is not makes the file invalid.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fixture's description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    /// Who made the call and who captured it.
    pub(crate) origin: String,
    /// The command that makes the capture again.
    pub(crate) made_by: String,
    /// What it proves.
    pub(crate) purpose: String,
    /// Whom the calls meet in the replay.
    pub(crate) agent: String,
    /// How sipp plays its RTP to a running server; absent where the call is more than RTP.
    pub(crate) play: Option<Play>,
    /// What a replay must bring.
    pub(crate) expect: Expected,
}

/// What sipp offers and how long it stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Play {
    /// PCMU or PCMA.
    pub(crate) codec: String,
    /// Payload type of the keys.
    pub(crate) dtmf: u8,
    /// From the ACK to the BYE.
    pub(crate) length_ms: u64,
}

/// A replay's outcome without its times.
#[derive(Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) cause: String,
    /// The Reason of the peer's BYE.
    pub(crate) reason: String,
    pub(crate) codec: String,
    /// Payload type of the keys; 0 if none was agreed on.
    pub(crate) dtmf: u64,
    /// Our directions, one for each negotiation.
    pub(crate) directions: Vec<String>,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) duplicate: u64,
    pub(crate) reordered: u64,
    pub(crate) dialogue: Dialogue,
}

/// What was said and done, each in its order. The same for a replay and for the running server.
#[derive(Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dialogue {
    pub(crate) keys: String,
    pub(crate) states: Vec<String>,
    pub(crate) prompts: Vec<String>,
    /// By what the agent was interrupted.
    pub(crate) interruptions: Vec<String>,
    pub(crate) tools: Vec<String>,
    pub(crate) outcomes: Vec<String>,
}

impl Dialogue {
    /// Of a call's events, as the log writes them.
    pub(crate) fn of(events: &[Value]) -> Self {
        let mut dialogue = Self::default();
        for event in events {
            let text = |field: &str| event[field].as_str().unwrap_or("").to_owned();
            match (event["type"].as_str(), event["what"].as_str()) {
                (Some("dtmf"), _) => dialogue.keys.push_str(&text("digit")),
                (Some("dialogue"), Some("state")) => dialogue.states.push(text("name")),
                (Some("dialogue"), Some("said")) => dialogue.prompts.push(text("text")),
                (Some("dialogue"), Some("barge_in")) => dialogue.interruptions.push(text("by")),
                (Some("dialogue"), Some("tool_called")) => dialogue.tools.push(text("name")),
                (Some("dialogue"), Some("outcome")) => dialogue.outcomes.push(text("name")),
                _ => {}
            }
        }
        dialogue
    }
}

impl Expected {
    /// Of the events of a replay's only call.
    pub(crate) fn of(events: &[Value]) -> Self {
        let last = |kind: &str| events.iter().rev().find(|event| event["type"] == kind);
        let media = |field: &str| last("media").map_or(Value::Null, |media| media[field].clone());
        let leg =
            |field: &str| last("quality").map_or(0, |quality| quality["leg"][field].as_u64().unwrap_or(0));
        let ended = |field: &str| {
            last("ended").and_then(|ended| ended[field].as_str()).unwrap_or_default().to_owned()
        };
        let of_kind = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
        Self {
            cause: ended("cause"),
            reason: ended("reason"),
            codec: media("codec").as_str().unwrap_or_default().to_owned(),
            dtmf: media("dtmf_payload_type").as_u64().unwrap_or(0),
            directions: of_kind("media")
                .map(|media| media["direction"].as_str().unwrap_or_default().to_owned())
                .collect(),
            received: leg("received"),
            lost: leg("lost"),
            duplicate: leg("duplicate"),
            reordered: leg("reordered"),
            dialogue: Dialogue::of(events),
        }
    }
}
