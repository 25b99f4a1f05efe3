//! Asks a language model one short question, until its answer begins.

use std::sync::Arc;
use std::time::Instant;

use caly_provider::llm::{Client, ClientConfig, Output, Piece, Prompt, Turn, Vendor};
use caly_provider::policy::chain::{Chain, Member};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, FaultKind, Health};

use super::{Answered, Woken, woken};
use crate::pump::{Links, Pump};

/// Asks it. The first fault is told: in a call it would be asked once more.
pub(super) async fn ask(vendor: Arc<dyn Vendor>, pump: &Pump) -> Result<Answered, Fault> {
    let begun = Instant::now();
    let alone = Member { name: "live".into(), health: Arc::new(Health::new(begun)) };
    let config = ClientConfig { vendors: vec![vendor], chain: Chain::new(vec![alone]), hedge_after: None };
    let mut client = Client::new(config, LinkIds::of_client(0));
    let mut links = Links::new(pump.clone());
    let turns = vec![Turn::User("Say OK.".to_owned())];
    let question = client.ask(begun, Arc::new(Prompt { turns, max_tokens: MAX_TOKENS, ..Prompt::default() }));
    let mut accepted = None;
    loop {
        while let Some(output) = client.poll() {
            match output {
                Output::Link(order) => links.order(order),
                Output::Asked { .. } | Output::Piece { piece: Piece::Usage(_), .. } => {}
                Output::Accepted { request_id, .. } => accepted = request_id,
                Output::Piece { .. } => {
                    let after = begun.elapsed();
                    client.cancel(question);
                    while let Some(Output::Link(order)) = client.poll() {
                        links.order(order);
                    }
                    links.finish().await;
                    return Ok(Answered { what: "answered", after, audio: None, request_id: accepted });
                }
                Output::Fault { fault, .. } => return Err(fault.with_request_id(accepted.as_deref())),
                Output::Failed { .. } => return Err(Fault::new(FaultKind::Dropped, "no answer came")),
            }
        }
        match woken(&mut links, client.poll_timeout()).await {
            Woken::Link(link, event) => client.handle_link(Instant::now(), link, event),
            Woken::Due => client.handle_timeout(Instant::now()),
        }
    }
}

/// Two words need less; models that think first need some before them.
const MAX_TOKENS: u32 = 64;
