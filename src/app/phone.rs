//! A telephone: one signaling thread and one shard that place a call, without store, HTTP or trunks. `caly call` is made
//! of it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::thread::JoinHandle;

use caly_sip::message::{Host, Uri};
use tokio::task;

use super::start::{Built, MAX_NAME_QUERIES, ShardWays, build_shards};
use super::{resolve, seed};
use crate::call::destination::Destination;
use crate::call::log::{CallId, Record, UnixMicros};
use crate::call::route::Routing;
use crate::capture::{Capture, CaptureWriter, Captured};
use crate::config::{Config, PortRange, Trunk};
use crate::recorder::{Recorder, RecorderHandle};
use crate::seed::Seeds;
use crate::signaling::{
    Control, Destinations, Dial, Signaling, SignalingConfig, SignalingHandle, SignalingLinks,
};
use crate::store::{EventReceiver, event_ring};

/// What a phone is made from.
#[derive(Debug)]
pub struct PhoneConfig<'a> {
    /// Whom it will call: its address is chosen so that it reaches them.
    pub target: &'a Uri,
    /// Where recordings go.
    pub recordings: &'a Path,
    /// Where packets are captured, if they are.
    pub capture: Option<&'a Path>,
}

/// A phone that is ready to place a call.
#[derive(Debug)]
pub struct Phone {
    local: IpAddr,
    signaling: SignalingHandle,
    events: Vec<EventReceiver>,
    threads: Vec<JoinHandle<()>>,
    resolver: task::JoinHandle<()>,
    recorder: RecorderHandle,
    capture: Option<CaptureWriter>,
}

/// Why a phone cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The target is no SIP URI with a host.
    #[error("{0} is not a SIP URI with a host")]
    Target(String),
    /// The target's name has no address.
    #[error("{0} has no A or AAAA record")]
    Unresolved(String),
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl Phone {
    /// Starts the threads. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the target has no address, or a socket, thread or file cannot be had.
    pub async fn start(config: PhoneConfig<'_>) -> Result<Self, PhoneError> {
        let local = local_address(config.target).await?;
        let mut seeds = seed::from_kernel().map_err(system("no randomness from the kernel"))?;
        let signaling =
            Signaling::bind(signaling_config(local, &mut seeds)).map_err(system("no SIP socket"))?;
        let handle = signaling.handle();
        let (capture, mut captures) = match config.capture {
            Some(path) => {
                let (writer, captures) =
                    CaptureWriter::start(path, 2).map_err(system("the capture cannot be written"))?;
                (Some(writer), captures)
            }
            None => (None, Vec::new()),
        };
        let (recorder, mut recorders) =
            Recorder::start(config.recordings, 1).map_err(system("the recorder cannot be started"))?;
        let (shard_events, from_shard) = event_ring();
        let (signaling_events, from_signaling) = event_ring();
        let server = Config { rtp: rtp_config(seeds.next_u64()), ..Config::default() };
        let shard_ways = recorders.pop().map(|recorder| ShardWays {
            events: shard_events,
            recorder,
            capture: captures.pop().unwrap_or_else(Capture::off),
        });
        let Built { shards, ports } =
            build_shards(&server, shard_ways.into_iter().collect(), &handle, &mut seeds);
        let (queries, questions) = tokio::sync::mpsc::channel(MAX_NAME_QUERIES);
        let resolver = resolve::start(questions, handle.clone());
        let links = SignalingLinks {
            shards: ports,
            events: signaling_events,
            resolver: queries,
            capture: captures.pop().unwrap_or_else(Capture::off),
        };
        let mut threads = Vec::new();
        for (index, shard) in shards.into_iter().enumerate() {
            threads.push(shard.spawn(index).map_err(system("a thread cannot be started"))?);
        }
        threads.push(signaling.spawn(links).map_err(system("a thread cannot be started"))?);
        let events = vec![from_shard, from_signaling];
        Ok(Self { local, signaling: handle, events, threads, resolver, recorder, capture })
    }

    /// The address it calls from.
    pub fn local(&self) -> IpAddr {
        self.local
    }

    /// Places the call; what happens is told by [`Phone::next_record`].
    ///
    /// # Errors
    /// When the signaling thread is gone.
    pub fn dial(
        &self,
        target: &Uri,
        destination: Box<dyn Destination>,
        record: bool,
    ) -> Result<CallId, PhoneError> {
        let mut seeds = seed::from_kernel().map_err(system("no randomness from the kernel"))?;
        let call = CallId::random(UnixMicros::from(std::time::SystemTime::now()), &mut seeds);
        let dial = Dial {
            call,
            target: target.clone(),
            from: Uri::sip(Some("caly"), self.local, None),
            transport: None,
            local: self.local,
            destination,
            record,
        };
        if self.signaling.send(Control::Dial(Box::new(dial))) {
            return Ok(call);
        }
        let error = io::Error::other("the signaling thread takes no orders");
        Err(PhoneError::System { what: "the call cannot be placed", error })
    }

    /// The next event of the call that has not been looked at.
    pub fn next_record(&mut self) -> Option<Record> {
        self.events.iter_mut().find_map(EventReceiver::next)
    }

    /// Cancels or ends the call.
    pub fn hang_up(&self) {
        // If the thread is gone, so is the call.
        let _ = self.signaling.send(Control::HangUpAll);
    }

    /// Ends everything; the rest of the events and what became of the capture.
    pub async fn stop(self) -> (Vec<Record>, Option<io::Result<Captured>>) {
        let Self { signaling, mut events, threads, resolver, recorder, capture, .. } = self;
        let _ = signaling.send(Control::Stop);
        let joined = task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread had panicked");
                }
            }
            recorder.shutdown();
            capture.map(CaptureWriter::finish)
        });
        let captured =
            joined.await.unwrap_or_else(|_| Some(Err(io::Error::other("the threads could not be joined"))));
        if resolver.await.is_err() {
            tracing::error!("the resolver had panicked");
        }
        let rest = events.iter_mut().flat_map(|ring| std::iter::from_fn(|| ring.next())).collect();
        (rest, captured)
    }
}

/// The address of this host from which the target is reached.
async fn local_address(target: &Uri) -> Result<IpAddr, PhoneError> {
    if !target.is_sip() {
        return Err(PhoneError::Target(target.to_string()));
    }
    let addresses = match &target.host {
        Host::Name(name) => resolve::lookup(name).await,
        Host::V4(address) => vec![(*address).into()],
        Host::V6(address) => vec![(*address).into()],
    };
    let remote = *addresses.first().ok_or_else(|| PhoneError::Unresolved(target.host.to_string()))?;
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let probe = UdpSocket::bind(any).map_err(system("no socket"))?;
    // Connecting a datagram socket sends nothing; it only asks the routing table.
    probe.connect((remote, 5060)).map_err(system("the target cannot be reached"))?;
    Ok(probe.local_addr().map_err(system("no local address"))?.ip())
}

/// Whoever is called may answer from any address; nobody is let in.
fn signaling_config(local: IpAddr, seeds: &mut Seeds) -> SignalingConfig {
    let everybody =
        Trunk { name: "called".to_owned(), signaling: EVERYBODY.into(), media: Vec::new(), advertise: None };
    SignalingConfig {
        listen: SocketAddr::new(local, 0),
        advertise: None,
        user_agent: Some(concat!("caly/", env!("CARGO_PKG_VERSION")).to_owned()),
        routing: Routing::new(vec![everybody], Vec::new(), Vec::new()),
        destinations: Destinations::default(),
        max_calls: 1,
        invites_per_second: 1,
        seeds: Seeds::new(seeds.next_key()),
    }
}

/// Ports outside a server's own range, spread so that several phones on one host rarely try the same.
fn rtp_config(seed: u64) -> crate::config::RtpConfig {
    let first = FIRST_PORT + u16::try_from(seed % u64::from(PORT_SPREAD)).unwrap_or(0) * 2;
    let ports = PortRange::new(first, first + 63).unwrap_or(crate::config::RtpConfig::default().ports);
    crate::config::RtpConfig { ports, ..Default::default() }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> PhoneError {
    move |error| PhoneError::System { what, error }
}

const EVERYBODY: [ipnet::IpNet; 2] = [
    ipnet::IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0)),
    ipnet::IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0)),
];
/// Above the default range of a server and below the kernel's ephemeral ports.
const FIRST_PORT: u16 = 20_002;
const PORT_SPREAD: u16 = 5_000;
