//! Builds the server from its parts and takes it down again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtrb::RingBuffer;
use tokio::runtime::Handle;
use tokio::task;

use super::agents::Agents;
use super::{descriptors, panics, resolve, seed, watch};
use crate::api::Api;
use crate::call::route::Routing;
use crate::call::{CallPolicy, Codec};
use crate::capture::Capture;
use crate::config::{CodecName, Config};
use crate::engine::ports::PortPool;
use crate::engine::{Kernel, Shard, ShardLinks, ShardStats};
use crate::pump::{ExtraRoots, Pump, PumpConfig, PumpError};
use crate::recorder::{Recorder, RecorderHandle, RecorderPort};
use crate::seed::Seeds;
use crate::signaling::{
    Control, Destinations, ShardPort, Signaling, SignalingConfig, SignalingHandle, SignalingLinks,
    SignalingStats,
};
use crate::store::{
    EventReceiver, EventSender, SpoolHandle, SpoolWriter, Store, StoreError, StoreWriter, event_ring,
};

/// A running server.
#[derive(Debug)]
pub struct App {
    sip: SocketAddr,
    config: Config,
    api: Api,
    signaling: SignalingHandle,
    signaling_stats: Arc<SignalingStats>,
    shard_stats: Vec<Arc<ShardStats>>,
    threads: Vec<JoinHandle<()>>,
    resolver: task::JoinHandle<()>,
    recorder: RecorderHandle,
    spool: SpoolHandle,
    store: StoreWriter,
    watch: task::JoinHandle<()>,
    /// Ends with the server, whatever is left to be said.
    reciting: task::JoinSet<()>,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{what} cannot listen on {address}: {error}")]
    Listen {
        /// `SIP` or `HTTP`.
        what: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Providers cannot be connected to.
    #[error(transparent)]
    Pump(#[from] PumpError),
    /// The system refuses a thread, a file or randomness.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl StartError {
    /// What to do about it.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Listen { what: "SIP", .. } => Some(
                "stop the program that holds the port, or choose another with --sip ADDR:PORT".to_owned(),
            ),
            Self::Listen { .. } => Some(
                "stop the program that holds the port, or choose another with --http ADDR:PORT".to_owned(),
            ),
            Self::Store(error) => Some(error.advice().to_owned()),
            Self::System { .. } | Self::Pump(_) => None,
        }
    }
}

impl App {
    /// Starts everything. When this returns, calls are answered. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When something cannot be had; nothing keeps running then.
    pub async fn start(config: Config, destinations: Destinations) -> Result<Self, StartError> {
        panics::tell_briefly_on_shards();
        descriptors::raise_limit(config.limits.calls);
        let mut seeds = seed::from_kernel().map_err(system("no randomness from the kernel"))?;
        let mut store = Store::open(&config.data.dir).await?;
        let data = store.data_dir().clone();
        let agents = Agents::for_server(&config, &data).await;
        let mut destinations = destinations;
        let pump = Pump::new(&pump_config(&config))?;
        let reciting = agents.serve(&mut destinations, &Handle::current(), &pump);
        let signaling = bind_signaling(&config, destinations, &mut seeds)?;
        let listen = config.http.listen;
        let api = Api::start(listen).await.map_err(|error| StartError::Listen {
            what: "HTTP",
            address: listen,
            error,
        })?;
        store.recover().await?;
        let shards = shard_count(&config);
        let (recorder, recorder_ports) =
            Recorder::start(&data.recordings(), shards).map_err(system("the recorder cannot be started"))?;
        // One ring for each shard and one for the signaling thread.
        let (mut senders, receivers): (Vec<EventSender>, Vec<EventReceiver>) =
            (0..=shards).map(|_| event_ring()).unzip();
        let spool =
            SpoolWriter::start(&data.spool(), receivers, config.data.spool_max_bytes).map_err(|error| {
                StartError::System { what: "the spool cannot be started", error: io::Error::other(error) }
            })?;
        let store = store.start_writer(spool.stats());
        let (queries, resolver_inbox) = tokio::sync::mpsc::channel(MAX_NAME_QUERIES);
        let resolver = resolve::start(resolver_inbox, signaling.handle());
        let sip = signaling.local();
        let (handle, signaling_stats) = (signaling.handle(), signaling.stats());
        let events =
            senders.pop().ok_or_else(|| io::Error::other("no ring")).map_err(system("no event ring"))?;
        let ways = senders.into_iter().zip(recorder_ports);
        let ways =
            ways.map(|(events, recorder)| ShardWays { events, recorder, capture: Capture::off() }).collect();
        let built = build_shards(&config, ways, &handle, &mut seeds);
        let links =
            SignalingLinks { shards: built.ports, events, resolver: queries, capture: Capture::off() };
        let mut threads = Vec::with_capacity(shards + 1);
        let mut shard_stats = Vec::with_capacity(shards);
        for (index, shard) in built.shards.into_iter().enumerate() {
            shard_stats.push(shard.stats());
            threads.push(shard.spawn(index).map_err(system("a shard's thread cannot be started"))?);
        }
        threads.push(signaling.spawn(links).map_err(system("the signaling thread cannot be started"))?);
        let watch = watch::start(watch::Sources {
            signaling: Arc::clone(&signaling_stats),
            shards: shard_stats.clone(),
            spool: spool.stats(),
            store: store.stats(),
        });
        Ok(Self {
            sip,
            config,
            api,
            signaling: handle,
            signaling_stats,
            shard_stats,
            threads,
            resolver,
            recorder,
            spool,
            store,
            watch,
            reciting,
        })
    }

    /// The SIP address with its real port; UDP and TCP share it.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// The HTTP address with its real port.
    pub fn http(&self) -> SocketAddr {
        self.api.local()
    }

    /// Shards that run.
    pub fn shards(&self) -> usize {
        self.shard_stats.len()
    }

    /// What it was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Calls that are up or being set up.
    pub fn calls(&self) -> usize {
        let on_shards: usize = self.shard_stats.iter().map(|stats| stats.calls.load(Ordering::Relaxed)).sum();
        on_shards.max(self.signaling_stats.calls.load(Ordering::Relaxed))
    }

    /// The shards' figures.
    pub fn shard_stats(&self) -> &[Arc<ShardStats>] {
        &self.shard_stats
    }

    /// The way to the signaling thread.
    pub fn signaling(&self) -> &SignalingHandle {
        &self.signaling
    }

    /// Refuses new calls and waits until the last one has ended, at most for `grace`, or until `hurry` is done; what is
    /// left then gets a BYE.
    pub async fn drain(&self, grace: Duration, hurry: impl Future<Output = ()>) {
        self.order(Control::Drain);
        tokio::select! {
            () = self.idle(Instant::now() + grace) => {}
            () = hurry => {}
            // Nobody is left who could end the calls or count them.
            () = self.broken() => {}
        }
        if self.calls() > 0 {
            tracing::info!(calls = self.calls(), "the remaining calls are ended now");
            self.order(Control::HangUpAll);
            self.idle(Instant::now() + BYE_TIME).await;
        }
    }

    /// Returns when the signaling thread or a shard has ended by itself, which only a fault in the server can bring about.
    pub async fn broken(&self) {
        while !self.is_broken() {
            tokio::time::sleep(BROKEN_POLL).await;
        }
    }

    /// Whether it has.
    pub fn is_broken(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops the threads in the order of the calls' way: signaling, shards, recorder, spool, store.
    pub async fn stop(self) {
        self.order(Control::Stop);
        let Self { api, threads, resolver, recorder, spool, store, watch, mut reciting, .. } = self;
        watch.abort();
        reciting.shutdown().await;
        let joined = task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread had panicked");
                }
            }
            recorder.shutdown();
            if let Err(error) = spool.shutdown() {
                tracing::error!(%error, "events are left in memory and lost");
            }
        });
        if joined.await.is_err() {
            tracing::error!("the threads could not be joined");
        }
        // The signaling thread has dropped its end, so the task is over or about to be.
        if resolver.await.is_err() {
            tracing::error!("the resolver had panicked");
        }
        store.shutdown().await;
        api.shutdown().await;
    }

    fn order(&self, order: Control) {
        if !self.signaling.send(order) {
            tracing::error!("the signaling thread takes no orders");
        }
    }

    /// Returns when draining has begun and no call is left: an INVITE that was let in just before the order counts only
    /// once the signaling thread has come to the order.
    async fn idle(&self, until: Instant) {
        let is_drained = || self.signaling_stats.is_draining.load(Ordering::Acquire) && self.calls() == 0;
        while !is_drained() && Instant::now() < until {
            tokio::time::sleep(IDLE_POLL).await;
        }
    }
}

/// Where one shard's events, recordings and packets go.
pub(super) struct ShardWays {
    pub(super) events: EventSender,
    pub(super) recorder: RecorderPort,
    pub(super) capture: Capture,
}

/// Shards that do not run yet, and the signaling thread's ends of their rings.
pub(super) struct Built {
    pub(super) shards: Vec<Shard>,
    pub(super) ports: Vec<ShardPort>,
}

/// One shard for each ring of events.
pub(super) fn build_shards(
    config: &Config,
    ways: Vec<ShardWays>,
    signaling: &SignalingHandle,
    seeds: &mut Seeds,
) -> Built {
    let range = config.rtp.ports;
    let pools = PortPool::split(range.first(), range.last(), ways.len());
    let policy = call_policy(config);
    let mut built = Built { shards: Vec::new(), ports: Vec::new() };
    for (way, ports) in ways.into_iter().zip(pools) {
        let ShardWays { events, recorder, capture } = way;
        let (requests, inbox) = RingBuffer::new(REQUEST_RING);
        let (outbox, answers) = RingBuffer::new(ANSWER_RING);
        let links = ShardLinks { inbox, outbox, events, recorder, capture };
        let shard_seeds = Seeds::new(seeds.next_key());
        built.shards.push(Shard::new(
            policy.clone(),
            links,
            Kernel::new(ports, signaling.waker()),
            shard_seeds,
        ));
        built.ports.push(ShardPort { requests, answers });
    }
    built
}

fn bind_signaling(
    config: &Config,
    destinations: Destinations,
    seeds: &mut Seeds,
) -> Result<Signaling, StartError> {
    let listen = config.sip.listen;
    let routing = Routing::new(config.trunks.clone(), config.routes.clone(), own_addresses());
    let signaling = SignalingConfig {
        listen,
        advertise: config.sip.advertise,
        user_agent: config.sip.user_agent.clone(),
        routing,
        destinations,
        max_calls: config.limits.calls,
        invites_per_second: config.limits.invites_per_second_per_source,
        seeds: Seeds::new(seeds.next_key()),
    };
    Signaling::bind(signaling).map_err(|error| StartError::Listen { what: "SIP", address: listen, error })
}

/// What the configuration says of connections to providers.
pub(super) fn pump_config(config: &Config) -> PumpConfig {
    let ca = config.providers.ca.iter();
    let extra_roots = ca.map(|ca| ExtraRoots { source: ca.path.clone(), pem: ca.pem.clone() });
    PumpConfig { extra_roots: extra_roots.collect() }
}

/// What the calls of this configuration have in common.
pub fn call_policy(config: &Config) -> CallPolicy {
    let codecs = config.rtp.codecs.iter().map(|codec| match codec {
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::Pcma => Codec::Pcma,
    });
    CallPolicy {
        codecs: codecs.collect(),
        jitter: config.rtp.jitter,
        rtp_timeout: config.rtp.timeout,
        hold_timeout: config.rtp.hold_timeout,
        max_duration: config.limits.max_duration,
        ring_timeout: config.limits.ring_timeout,
    }
}

fn shard_count(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    config.engine.shards.map_or(cores.saturating_sub(1).max(1), usize::from)
}

/// This host's addresses: peers that use one of them are local.
fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    interfaces.filter_map(address).collect()
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::System { what, error }
}

/// Requests to a shard that may wait 5 ms: 200 new calls with their ladders are some 2,000.
const REQUEST_RING: usize = 8192;
/// Answers of one slot: one per call at most, hang-ups of all calls at once included; more waits in the shard.
const ANSWER_RING: usize = 4096;
/// Names asked for at once; one per outgoing call or strange Contact.
pub(super) const MAX_NAME_QUERIES: usize = 64;
/// After the BYEs of the last calls their answers are due within a few round trips.
const BYE_TIME: Duration = Duration::from_secs(2);
const IDLE_POLL: Duration = Duration::from_millis(50);
const BROKEN_POLL: Duration = Duration::from_millis(500);
