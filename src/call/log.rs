//! A call is a log: everything that happens in it is one typed [`Event`] in one append-only sequence. Store, recording
//! index, transcripts and metrics only read that sequence.
//!
//! The shard that owns the call assigns the numbers ([`CallLog`]). Milestones always find room on the way to the store;
//! details may be dropped under pressure and then leave one [`Event::Gap`] that counts them.

mod sequence;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cause::HangupCause;
use super::dialogue::Dialogue;
use crate::seed::Seeds;

pub use sequence::{CallLog, Room};

/// Names one call for ever: time-ordered (UUID version 7), made where the INVITE arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(Uuid);

impl CallId {
    /// A new id for a call that began at `at`.
    pub fn random(at: UnixMicros, seeds: &mut Seeds) -> Self {
        let mut random = [0; 10];
        let [first, second] = seeds.next_key().map(u64::to_le_bytes);
        random[..8].copy_from_slice(&first);
        random[8..].copy_from_slice(&second[..2]);
        Self::new(at, random)
    }

    /// The id of a call that began at `at`; `random` makes it unique within that millisecond.
    pub fn new(at: UnixMicros, random: [u8; 10]) -> Self {
        let millis = u64::try_from(at.0 / 1000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// When the id was made, to the millisecond: the call's beginning.
    pub fn made_at(self) -> UnixMicros {
        let millis = self.0.as_u128() >> 80;
        UnixMicros(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Monotonic time within a call, in microseconds since its INVITE arrived (or was sent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallTime(pub u64);

impl CallTime {
    /// The offset as a duration.
    pub fn as_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl From<Duration> for CallTime {
    fn from(offset: Duration) -> Self {
        Self(u64::try_from(offset.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Wall-clock time in microseconds since 1970-01-01 UTC. Only for people and databases: nothing is timed with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl From<SystemTime> for UnixMicros {
    fn from(time: SystemTime) -> Self {
        let micros = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()),
            Err(before) => i64::try_from(before.duration().as_micros()).map(|micros| -micros),
        };
        Self(micros.unwrap_or(i64::MAX))
    }
}

/// One numbered event of one call, as it travels to the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose event this is.
    pub call: CallId,
    /// Position in the call's log: 0, 1, 2, ... without holes.
    pub seq: u64,
    /// When it happened.
    pub at: CallTime,
    /// What happened.
    pub event: Event,
}

/// Who placed the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// The peer called us.
    Inbound,
    /// We called the peer.
    Outbound,
}

/// Which way something crossed the wire, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From the peer to us.
    Received,
    /// From us to the peer.
    Sent,
}

/// What is known when a call begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Wall-clock time of the INVITE; `CallTime` counts from here.
    pub started_at: UnixMicros,
    /// Who placed the call.
    pub direction: CallDirection,
    /// Name of the trunk that the peer's address belongs to; `None` for local sources.
    pub trunk: Option<String>,
    /// The peer's signaling address.
    pub peer: SocketAddr,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The From URI.
    pub from: String,
    /// The To URI.
    pub to: String,
    /// The number or user that was called (user part of the Request-URI).
    pub number: String,
    /// The SIP Call-ID.
    pub sip_call_id: String,
    /// Where the call was routed; `None` if no route was found.
    pub destination: Option<String>,
}

/// One SIP message of the call, for the ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SipMessage {
    /// Sent or received.
    pub way: Way,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The other side's address.
    pub peer: SocketAddr,
    /// Request line without version, or status code and reason: `INVITE sip:..`, `200 OK`.
    pub start_line: String,
    /// CSeq: number and method.
    pub cseq: String,
    /// Size of the body in bytes.
    pub body_bytes: u32,
    /// True if the same bytes had been sent or received before.
    pub is_retransmission: bool,
}

/// What offer and answer agreed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaAgreed {
    /// Encoding name, e.g. `PCMU`.
    pub codec: String,
    /// Payload type that we send.
    pub payload_type: u8,
    /// Telephone-event payload type that we send, if DTMF was agreed.
    pub dtmf_payload_type: Option<u8>,
    /// Our RTP address on this machine.
    pub local: SocketAddr,
    /// The peer's RTP address from its SDP; `None` while it is held with an unspecified address.
    pub remote: Option<SocketAddr>,
    /// Our direction: `sendrecv`, `sendonly`, `recvonly` or `inactive`.
    pub direction: String,
}

/// The quality of a leg over its whole life (RFC 3550 terms).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegQuality {
    /// RTP packets received and accepted from the peer.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets that never arrived.
    pub lost: u64,
    /// Packets that arrived after their playout time.
    pub late: u64,
    /// Packets that arrived twice.
    pub duplicate: u64,
    /// Packets that arrived out of order.
    pub reordered: u64,
    /// 20 ms frames taken out or put in to follow the peer's clock.
    pub slips: u64,
    /// Milliseconds of concealed audio.
    pub concealed_ms: u64,
    /// Median interarrival jitter in milliseconds.
    pub jitter_p50_ms: f64,
    /// 95th percentile of the interarrival jitter in milliseconds.
    pub jitter_p95_ms: f64,
    /// Largest interarrival jitter in milliseconds.
    pub jitter_max_ms: f64,
    /// Round-trip time in milliseconds from RTCP, if the peer reports.
    pub rtt_ms: Option<f64>,
    /// Loss of our stream in percent as the peer reported it, if it reports.
    pub remote_loss_percent: Option<f64>,
    /// Estimated listening quality (E-model, 1..4.5) of what we received.
    pub mos: Option<f64>,
    /// Packets from other sources that were dropped.
    pub foreign: u64,
    /// Datagrams that were not usable RTP.
    pub invalid: u64,
    /// Packets of payload types that were not agreed on.
    #[serde(default)]
    pub unknown_payload_type: u64,
}

/// How precisely our packets left, over the whole call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pacing {
    /// Ticks that were sent at all.
    pub ticks: u64,
    /// Ticks that were skipped because the machine stood still.
    pub missed: u64,
    /// Median send time minus tick time in microseconds.
    pub error_p50_us: u32,
    /// 99th percentile of it.
    pub error_p99_us: u32,
}

/// How the call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The one cause.
    pub cause: HangupCause,
    /// Final SIP status of the INVITE, if there was one.
    pub status: Option<u16>,
    /// The peer's Reason header, if it sent one.
    pub reason: Option<String>,
    /// Time from answer to end in milliseconds; 0 if never answered.
    pub talk_ms: u64,
}

/// Everything that can happen in a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The INVITE was admitted (or placed). Always the first event.
    Opened(Opened),
    /// One SIP message.
    Sip(SipMessage),
    /// 18x was sent or received.
    Ringing {
        /// 180 or 183.
        status: u16,
    },
    /// 2xx was sent or received.
    Answered,
    /// The ACK arrived (or was sent): the dialog is confirmed.
    Acknowledged,
    /// Offer and answer agreed on media, at the start or after a re-INVITE.
    Media(MediaAgreed),
    /// The source of the peer's RTP is now fixed: once for each negotiated address, and once more if a stranger had to give way.
    Latched {
        /// Where the packets come from.
        source: SocketAddr,
        /// The stream's SSRC.
        ssrc: u32,
    },
    /// Packets from somebody else were dropped (reported once per source).
    ForeignSource {
        /// Where they came from.
        source: SocketAddr,
    },
    /// A key was pressed or sent.
    Dtmf {
        /// Who pressed it.
        way: Way,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long, in milliseconds.
        duration_ms: u32,
    },
    /// The peer's stream changed under way: new SSRC, restart of its numbers.
    StreamReset {
        /// What was seen.
        what: String,
    },
    /// The peer sends a payload type that was not agreed on; its packets are counted and not heard. Told once for each
    /// type, for the first few of them.
    UnknownPayloadType {
        /// The payload type.
        payload_type: u8,
    },
    /// Re-INVITEs that were refused because they came too fast (500 with Retry-After), told before the end.
    ReoffersRefused {
        /// How many.
        count: u64,
    },
    /// The call moved to another 5 ms slot of its shard to meet the peer's packets sooner.
    SlotMoved {
        /// Slot before.
        from: u8,
        /// Slot after.
        to: u8,
    },
    /// The machine stood still: ticks were skipped, timestamps with them.
    TickLate {
        /// How many ticks of 20 ms were skipped.
        missed: u32,
    },
    /// A recording is being written.
    RecordingStarted {
        /// File name inside the recordings folder.
        file: String,
    },
    /// The recording is complete.
    RecordingFinished {
        /// File name inside the recordings folder.
        file: String,
        /// Length in milliseconds.
        duration_ms: u64,
        /// 20 ms blocks that could not be handed to the writer in time and are silence in the file.
        missing_blocks: u64,
    },
    /// The recording stopped early; the call goes on.
    RecordingFailed {
        /// File name inside the recordings folder.
        file: String,
        /// What the file system said.
        error: String,
        /// How much was kept, in milliseconds.
        #[serde(default)]
        duration_ms: u64,
    },
    /// Something was said or done in the conversation.
    Dialogue(Dialogue),
    /// Events were dropped here because the way to the store was full.
    Gap {
        /// How many.
        missing: u64,
    },
    /// Figures of the leg, written before the end.
    Quality {
        /// What was received and sent.
        leg: LegQuality,
        /// How precisely.
        pacing: Pacing,
    },
    /// The call ended. Always the last event but for what the recorder reports.
    Ended(Ended),
}

impl Event {
    /// True for the events that must never be dropped: they make the call's row true.
    pub fn is_milestone(&self) -> bool {
        match self {
            Self::Opened(_)
            | Self::Answered
            | Self::Media(_)
            | Self::RecordingStarted { .. }
            | Self::RecordingFinished { .. }
            | Self::RecordingFailed { .. }
            | Self::Gap { .. }
            | Self::Quality { .. }
            | Self::Ended(_) => true,
            Self::Dialogue(dialogue) => dialogue.is_milestone(),
            Self::Sip(_)
            | Self::Ringing { .. }
            | Self::Acknowledged
            | Self::Latched { .. }
            | Self::ForeignSource { .. }
            | Self::Dtmf { .. }
            | Self::StreamReset { .. }
            | Self::UnknownPayloadType { .. }
            | Self::ReoffersRefused { .. }
            | Self::SlotMoved { .. }
            | Self::TickLate { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let early = CallId::new(UnixMicros(1_700_000_000_000_000), [255; 10]);
        let late = CallId::new(UnixMicros(1_700_000_000_001_000), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<CallId>().unwrap(), early);
        assert_eq!(late.made_at(), UnixMicros(1_700_000_000_001_000));
    }
}
