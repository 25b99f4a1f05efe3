//! What a call is made from, and what it wants from its shell.

use std::time::{Duration, Instant};

use caly_rtp::codec::Codec;
use ipnet::IpNet;

use super::cause::HangupCause;
use super::destination::Destination;
use super::exchange::{BoundMedia, CallAnswer};
use super::log::{CallTime, Event};
use crate::seed::Seeds;

/// What every call of a server has in common.
#[derive(Clone, Debug)]
pub struct CallPolicy {
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// Jitter buffer target, 20-200 ms.
    pub jitter: Duration,
    /// A call without RTP from a peer that should send ends after this time; zero never.
    pub rtp_timeout: Duration,
    /// A call on hold of whose peer neither RTP nor RTCP comes ends after this time; zero never.
    pub hold_timeout: Duration,
    /// An answered call ends after this time.
    pub max_duration: Duration,
    /// A call that only rings ends with 480 after this time.
    pub ring_timeout: Duration,
}

/// What a call is made from.
#[derive(Debug)]
pub struct CallConfig {
    /// The call's time zero.
    pub at: Instant,
    /// Whom the caller meets.
    pub destination: Box<dyn Destination>,
    /// Where its media is bound; `None` for a destination that never answers.
    pub media: Option<BoundMedia>,
    /// Networks that the peer's RTP comes from, if known.
    pub media_sources: Vec<IpNet>,
    /// Everything random in the call comes from here.
    pub seeds: Seeds,
}

/// What a call wants from its shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell signaling.
    Answer(CallAnswer),
    /// Append to the log.
    Event(CallTime, Event),
    /// The call is over: append its end to the log and forget it.
    Ended(CallTime, End),
}

/// How a call ended, as the call itself knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The one cause.
    pub cause: HangupCause,
    /// Final status of the INVITE, if there is one.
    pub status: Option<u16>,
    /// The peer's Reason header.
    pub reason: Option<String>,
    /// From answer to end.
    pub talk: Duration,
}
