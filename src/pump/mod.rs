//! The pump: carries out the links that clients of providers ask for ([`caly_provider::link`]). It moves bytes and decides nothing:
//! all deadlines, retries and choices are the clients', who order a link closed when they have waited long enough.
//!
//! [`Pump`] is made once for the process and shared: trust in certificates, connections that are kept for a next request, name
//! resolution. [`Links`] belong to one call; when they are dropped, every task and socket of the call's links goes with them.
//!
//! Nothing is read from the environment: no proxies, no certificates of the system.

mod connect;
mod failure;
mod http;
mod link;
mod links;
mod pool;
mod program;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use self::pool::{MAX_IDLE, Pool};

pub use self::links::Links;

/// What a pump is told of the world.
#[derive(Clone, Debug, Default)]
pub struct PumpConfig {
    /// Root certificates that are trusted beyond those of Mozilla: of a company's own providers.
    pub extra_roots: Vec<ExtraRoots>,
}

/// Certificates that are trusted.
#[derive(Clone, Debug)]
pub struct ExtraRoots {
    /// Where they come from, for who has to mend them: the file's path.
    pub source: String,
    /// One certificate or several, in PEM (RFC 7468).
    pub pem: Vec<u8>,
}

/// Why there is no pump.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// What is given is no certificate.
    #[error("{source_name}: {why}; give certificates in PEM, from BEGIN CERTIFICATE to END CERTIFICATE")]
    BadRoots {
        /// Where it comes from.
        source_name: String,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// What all links of the process share. Cheap to clone.
#[derive(Clone)]
pub struct Pump {
    shared: Arc<Shared>,
}

struct Shared {
    tls: TlsConnector,
    pool: Pool,
    /// A name server that does not answer must not take every thread that tokio has for blocking work.
    lookups: Arc<Semaphore>,
    counters: Counters,
}

/// What has happened since the pump was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PumpCounts {
    /// Links that were ordered open.
    pub links: u64,
    /// Connections that were made, with TLS where it was asked for.
    pub connections: u64,
    /// Requests that went over a connection which an earlier one had left.
    pub reused: u64,
    /// Connections that were dropped because as many as may lie idle did.
    pub pool_full: u64,
    /// Links that failed because their peer did not take what was sent as fast as it was ordered.
    pub not_reading: u64,
    /// Links that were refused because their call had as many as a call may have.
    pub too_many: u64,
    /// Refusals of which even the word was lost, because nobody asked for what had happened.
    pub untold: u64,
}

#[derive(Default)]
struct Counters {
    links: AtomicU64,
    connections: AtomicU64,
    reused: AtomicU64,
    not_reading: AtomicU64,
    too_many: AtomicU64,
    untold: AtomicU64,
}

impl Pump {
    /// # Errors
    ///
    /// An extra root that is no certificate.
    pub fn new(config: &PumpConfig) -> Result<Self, PumpError> {
        let shared = Shared {
            tls: TlsConnector::from(Arc::new(tls::client_config(&config.extra_roots)?)),
            pool: Pool::new(MAX_IDLE),
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            counters: Counters::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What has happened so far.
    pub fn counts(&self) -> PumpCounts {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PumpCounts {
            links: read(&counters.links),
            connections: read(&counters.connections),
            reused: read(&counters.reused),
            pool_full: self.shared.pool.dropped(),
            not_reading: read(&counters.not_reading),
            too_many: read(&counters.too_many),
            untold: read(&counters.untold),
        }
    }
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("counts", &self.counts()).finish()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Names that are asked for at a time; each takes a thread until the system's resolver gives up. Others wait for their turn, and their
/// clients' deadlines run.
const MAX_LOOKUPS: usize = 32;
