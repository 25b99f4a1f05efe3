//! The signaling thread: the only one that speaks SIP. It owns the SIP sockets and the endpoint (transactions, dialogs,
//! their timers), lets in or refuses, picks a shard for each call, and carries requests and answers between the two.

mod answers;
mod calls;
mod contact;
mod events;
mod strangers;
mod switchboard;
mod tcp;
mod thread;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use caly_sip::endpoint::{Counters, QueryId};
use caly_sip::message::Uri;
use caly_sip::transport::Transport;
use mio::Waker;
use rtrb::{Consumer, Producer};

use crate::call::destination::{CallInfo, Destination, TestDestination};
use crate::call::exchange::{ShardAnswer, ShardRequest};
use crate::call::log::CallId;
use crate::call::route::Routing;
use crate::capture::Capture;
use crate::seed::Seeds;
use crate::store::EventSender;

pub use switchboard::{Moment, Step, Switchboard};
pub use thread::Signaling;

/// What the signaling thread is built from.
#[derive(Debug)]
pub struct SignalingConfig {
    /// The SIP address, UDP and TCP; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The address that peers outside this host are told, if it is not the one they reach.
    pub advertise: Option<IpAddr>,
    /// Value of Server and User-Agent.
    pub user_agent: Option<String>,
    /// Trunks and routes.
    pub routing: Routing,
    /// What the routes lead to.
    pub destinations: Destinations,
    /// Calls at once.
    pub max_calls: usize,
    /// INVITEs per second from one source.
    pub invites_per_second: u32,
    /// Tags, branches and ids come from here.
    pub seeds: Seeds,
}

/// The rings to and from one shard.
#[derive(Debug)]
pub struct ShardPort {
    /// Requests to it.
    pub requests: Producer<ShardRequest>,
    /// Its answers.
    pub answers: Consumer<ShardAnswer>,
}

/// The destinations by name; each call gets a new one.
#[derive(Clone, Default)]
pub struct Destinations(HashMap<String, Registered>);

/// Makes a destination for one call.
type Build = dyn Fn(&CallInfo) -> Box<dyn Destination> + Send + Sync;

#[derive(Clone)]
struct Registered {
    build: Arc<Build>,
    is_recorded: bool,
}

impl Destinations {
    /// The test destinations.
    pub fn for_testing() -> Self {
        let mut destinations = Self::default();
        for test in TestDestination::ALL {
            let registered =
                Registered { build: Arc::new(move |_| test.build()), is_recorded: test.is_recorded() };
            destinations.0.insert(test.name().to_owned(), registered);
        }
        destinations
    }

    /// Adds one; `build` makes it for each call, and its calls are recorded whatever their route says if `is_recorded`.
    pub fn register(
        &mut self,
        name: &str,
        is_recorded: bool,
        build: impl Fn(&CallInfo) -> Box<dyn Destination> + Send + Sync + 'static,
    ) {
        self.0.insert(name.to_owned(), Registered { build: Arc::new(build), is_recorded });
    }

    /// A destination for a new call, and whether its calls are always recorded.
    fn build(&self, name: &str, call: &CallInfo) -> Option<(Box<dyn Destination>, bool)> {
        self.0.get(name).map(|registered| ((registered.build)(call), registered.is_recorded))
    }
}

impl std::fmt::Debug for Destinations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A question for addresses that the signaling thread must not wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameQuery {
    /// Comes back with the answer.
    pub id: QueryId,
    /// The host name.
    pub host: String,
}

/// A call to place.
#[derive(Debug)]
pub struct Dial {
    /// The call's name.
    pub call: CallId,
    /// Whom to call.
    pub target: Uri,
    /// Our own address of record in From.
    pub from: Uri,
    /// The protocol; `None` follows the URI.
    pub transport: Option<Transport>,
    /// The local address for SIP and RTP.
    pub local: IpAddr,
    /// Our side of the call.
    pub destination: Box<dyn Destination>,
    /// Whether to keep a recording.
    pub record: bool,
}

/// Orders to the signaling thread.
#[derive(Debug)]
pub enum Control {
    /// Refuse new calls; tell when the last one has ended through [`SignalingStats::calls`].
    Drain,
    /// End every call now.
    HangUpAll,
    /// Stop the shards and the thread, once the last transactions are through or their time is over.
    Stop,
    /// Addresses for a name; none if it could not be resolved.
    Resolved {
        /// Which question.
        id: QueryId,
        /// The addresses, best first.
        addresses: Vec<IpAddr>,
    },
    /// Place a call.
    Dial(Box<Dial>),
}

/// The way to the signaling thread for everybody else.
#[derive(Clone, Debug)]
pub struct SignalingHandle {
    orders: SyncSender<Control>,
    waker: Arc<Waker>,
}

impl SignalingHandle {
    fn new(waker: Arc<Waker>) -> (Self, Receiver<Control>) {
        let (orders, inbox) = sync_channel(MAX_ORDERS);
        (Self { orders, waker }, inbox)
    }

    /// Hands over an order; false if the thread is gone or far behind.
    pub fn send(&self, order: Control) -> bool {
        self.orders.try_send(order).is_ok() && self.waker.wake().is_ok()
    }

    /// Wakes the thread; shards do so when they have answered.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}

/// What the signaling thread shows to the rest of the server.
#[derive(Debug, Default)]
pub struct SignalingStats {
    /// Calls that are up or being set up.
    pub calls: AtomicUsize,
    /// [`Control::Drain`] was obeyed: `calls`, read after this, misses no INVITE that was let in before.
    pub is_draining: AtomicBool,
    /// Datagrams and connections from addresses that may not call.
    pub foreign: AtomicU64,
    /// INVITEs refused because their source sent too many.
    pub rate_limited: AtomicU64,
    /// Calls that no shard answered for in time.
    pub shard_timeouts: AtomicU64,
    /// Messages that the kernel refused to send.
    pub send_failed: AtomicU64,
    /// Messages that could not be parsed; requests among them were answered 400 where that was possible.
    pub malformed: AtomicU64,
    /// Requests that were refused before they reached a call (405, 415, 420, 481 ...).
    pub refused: AtomicU64,
    /// Requests refused because a table of transactions or dialogs was full.
    pub dropped_by_limit: AtomicU64,
    /// Our requests that nobody answered.
    pub timeouts: AtomicU64,
}

impl SignalingStats {
    fn publish(&self, counters: &Counters) {
        let limits = counters.dropped_by_limit + counters.dropped_by_backlog;
        for (shown, now) in [
            (&self.malformed, counters.malformed),
            (&self.refused, counters.refused),
            (&self.dropped_by_limit, limits),
            (&self.timeouts, counters.timeouts),
        ] {
            shown.store(now, Ordering::Relaxed);
        }
    }
}

/// Everything that leads from the signaling thread to other threads.
#[derive(Debug)]
pub struct SignalingLinks {
    /// The shards.
    pub shards: Vec<ShardPort>,
    /// The way to the store, for calls that reach no shard.
    pub events: EventSender,
    /// Where names are resolved.
    pub resolver: tokio::sync::mpsc::Sender<NameQuery>,
    /// Where copies of the messages go.
    pub capture: Capture,
}

/// What leads from the switchboard to other threads; all of it is memory.
#[derive(Debug)]
pub struct SwitchboardLinks {
    /// The shards.
    pub shards: Vec<ShardPort>,
    /// The way to the store, for calls that reach no shard.
    pub events: EventSender,
}

/// Orders that may wait; they come at human speed, answers to name queries one per outgoing call.
const MAX_ORDERS: usize = 256;
