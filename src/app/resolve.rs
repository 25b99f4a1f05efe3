//! Answers the signaling thread's questions for addresses, so that no packet waits for a name server.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::signaling::{Control, NameQuery, SignalingHandle};

/// Runs until the signaling thread has dropped its end.
pub(super) fn start(mut queries: Receiver<NameQuery>, signaling: SignalingHandle) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut running = JoinSet::new();
        while let Some(query) = queries.recv().await {
            while running.try_join_next().is_some() {}
            let signaling = signaling.clone();
            running.spawn(async move {
                let addresses = lookup(&query.host).await;
                if !signaling.send(Control::Resolved { id: query.id, addresses }) {
                    tracing::warn!("an address came when nobody waited for it");
                }
            });
        }
    })
}

/// A and AAAA records, in the resolver's order; empty if there are none in time.
pub(crate) async fn lookup(host: &str) -> Vec<IpAddr> {
    let found = timeout(LOOKUP_TIME, lookup_host((host, 0))).await;
    found
        .ok()
        .and_then(Result::ok)
        .map(|addresses| addresses.map(|address| address.ip()).collect())
        .unwrap_or_default()
}

/// A caller hears nothing meanwhile.
const LOOKUP_TIME: Duration = Duration::from_secs(5);
