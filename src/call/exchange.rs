//! What the signaling thread and the shard that owns a call say to each other. Both directions are bounded rings; a
//! call is named by a key that is never used twice, so that an answer which comes too late matches nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ipnet::IpNet;

use super::cause::HangupCause;
use super::destination::Destination;
use super::log::{CallId, Opened, SipMessage};

/// Names one call between signaling and its shard; never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);

/// From signaling to a shard.
#[derive(Debug)]
pub enum ShardRequest {
    /// Take this call. It is answered with one [`CallAnswer`], whatever happens.
    Open(Box<OpenCall>),
    /// Something happened in a call that the shard has taken.
    Call {
        /// Which call.
        key: CallKey,
        /// When it happened.
        at: Instant,
        /// What.
        input: CallInput,
    },
    /// The dialog is over on the wire; no further message of this call follows.
    Forget {
        /// Which call.
        key: CallKey,
    },
    /// Finish: end what is left and stop the thread.
    Stop,
}

/// Everything a shard needs to take a call.
#[derive(Debug)]
pub struct OpenCall {
    /// The call's key.
    pub key: CallKey,
    /// The call's lasting name.
    pub call: CallId,
    /// When the INVITE arrived, or when the order to call came: the call's time zero.
    pub at: Instant,
    /// The first event of its log.
    pub opened: Opened,
    /// Whom the caller meets.
    pub destination: Box<dyn Destination>,
    /// Inbound with the caller's offer, inbound without one, or outbound.
    pub offer: Offer,
    /// The local address for RTP.
    pub media: MediaAddress,
    /// Networks that the peer's RTP comes from, if its trunk names them.
    pub media_sources: Vec<IpNet>,
    /// Whether to keep a recording.
    pub record: bool,
    /// When signaling refuses the call if it was not answered; later it is not begun any more. `None` if nobody waits.
    pub answer_by: Option<Instant>,
}

/// How a call's first offer is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The INVITE carried it.
    Early(Vec<u8>),
    /// The INVITE carried none: our 200 makes it, the ACK answers it (RFC 3264 late offer).
    Late,
    /// We place the call: the INVITE that we send makes it.
    Ours,
}

/// Where RTP is received, and what the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaAddress {
    /// The local address to bind.
    pub bind: IpAddr,
    /// The address in our SDP.
    pub advertised: IpAddr,
}

/// What signaling tells a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallInput {
    /// Our 2xx has left: from now on the call is answered.
    Accepted,
    /// The ACK came; with an answer if our 2xx made an offer.
    Acknowledged {
        /// The ACK's SDP.
        answer: Option<Vec<u8>>,
    },
    /// A re-INVITE came; without an offer, we make one.
    Reoffer {
        /// The re-INVITE's SDP.
        offer: Option<Vec<u8>>,
    },
    /// The called party's phone rings (outbound).
    Progress {
        /// 180 or 183.
        status: u16,
    },
    /// The called party answered (outbound).
    Answered {
        /// The 2xx's SDP.
        answer: Option<Vec<u8>>,
    },
    /// The dialog ended: BYE, CANCEL, no ACK, refusal.
    Ended {
        /// Why.
        cause: HangupCause,
        /// Final status of the INVITE, if there is one.
        status: Option<u16>,
        /// The peer's Reason header.
        reason: Option<String>,
    },
    /// The server wants the call to end.
    HangUp {
        /// Why.
        cause: HangupCause,
    },
    /// A SIP message of this call crossed the wire.
    Sip(SipMessage),
}

/// From a shard to signaling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardAnswer {
    /// Which call.
    pub key: CallKey,
    /// What it wants.
    pub answer: CallAnswer,
}

/// What a call asks of signaling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAnswer {
    /// Send 180 Ringing.
    Ring,
    /// Send 200 OK with this SDP (an answer, or our offer if the INVITE made none).
    Accept {
        /// The SDP.
        sdp: Vec<u8>,
    },
    /// Send the INVITE with this offer (outbound).
    Invite {
        /// The SDP.
        sdp: Vec<u8>,
    },
    /// Accept the re-INVITE with this SDP.
    AcceptReoffer {
        /// The SDP.
        sdp: Vec<u8>,
    },
    /// Refuse the re-INVITE; the call goes on as it was.
    RefuseReoffer(Refusal),
    /// The call is over on the shard: refuse the INVITE if it is not answered, cancel ours, else send BYE.
    End {
        /// The call's one cause.
        cause: HangupCause,
        /// How to refuse an INVITE that is not answered yet.
        refusal: Refusal,
    },
}

/// How an INVITE is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The final status, 400-699.
    pub status: u16,
    /// Retry-After in seconds, for 503.
    pub retry_after_s: Option<u32>,
    /// Warning code and text (RFC 3261 20.43), for 488.
    pub warning: Option<(u16, String)>,
}

impl Refusal {
    /// The refusal that a cause stands for.
    pub fn of(cause: HangupCause) -> Self {
        let status = match cause {
            HangupCause::Busy => 486,
            HangupCause::NoAnswer => 480,
            HangupCause::NotFound => 404,
            HangupCause::NotAcceptable => 488,
            HangupCause::Canceled => 487,
            HangupCause::CallLimit
            | HangupCause::PortsExhausted
            | HangupCause::Overloaded
            | HangupCause::Draining
            | HangupCause::Shutdown => 503,
            HangupCause::Rejected => 403,
            HangupCause::RemoteBye
            | HangupCause::LocalBye
            | HangupCause::AckTimeout
            | HangupCause::RtpTimeout
            | HangupCause::MaxDuration
            | HangupCause::InternalError
            | HangupCause::ServerLost
            | HangupCause::Unauthorized
            | HangupCause::Unreachable => 500,
        };
        let retry_after_s = (status == 503).then_some(RETRY_AFTER_S);
        Self { status, retry_after_s, warning: None }
    }

    /// Adds the reason that the peer reads in a Warning header.
    #[must_use]
    pub fn with_warning(mut self, code: u16, text: impl Into<String>) -> Self {
        self.warning = Some((code, text.into()));
        self
    }
}

/// Long enough for a full server to lose some calls, short enough for a carrier to come back.
const RETRY_AFTER_S: u32 = 5;

/// The two sockets' local addresses of a leg, as the shell bound them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundMedia {
    /// Where RTP is received on this machine.
    pub local: SocketAddr,
    /// The address that the peer is told.
    pub advertised: IpAddr,
}
