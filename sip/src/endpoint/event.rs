//! What the endpoint tells its application.

use std::net::SocketAddr;

use super::command::Body;
use crate::message::{Request, Response, StatusCode};
use crate::transport::{Flow, Transport};

/// One INVITE session (RFC 3261 13), received or placed. Never reused by an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub(crate) u64);

impl SessionId {
    /// The number, for logs.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// One question for addresses, answered with [`Endpoint::handle_resolved`](super::Endpoint::handle_resolved).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueryId(pub(crate) u64);

/// What happened. Every session that the application knows ends with exactly one [`Event::Terminated`].
#[derive(Clone, Debug)]
pub enum Event {
    /// A new INVITE passed the checks of RFC 3261 8.2; `100 Trying` is already queued. Answer it with
    /// `provisional`, `accept` or `reject`.
    Invite {
        /// The new session.
        id: SessionId,
        /// Where the INVITE came from and to.
        flow: Flow,
        /// The INVITE as received.
        request: Request,
    },
    /// The peer acknowledged our 2xx, of the first INVITE or of a re-INVITE. The body is the answer to an offer
    /// that the 2xx made.
    Acknowledged {
        /// The session.
        id: SessionId,
        /// The ACK's body.
        body: Option<Body>,
    },
    /// No ACK came for our 2xx within 64*T1. A BYE is queued (RFC 3261 13.3.1.4).
    AckTimeout {
        /// The session.
        id: SessionId,
    },
    /// The caller cancelled the INVITE, hung up before the answer, or let it expire. 487 is already queued.
    Cancelled {
        /// The session.
        id: SessionId,
    },
    /// The peer hung up. 200 is already queued.
    Bye {
        /// The session.
        id: SessionId,
        /// The value of the Reason header (RFC 3326).
        reason: Option<String>,
    },
    /// The peer re-INVITEs. Answer with `accept_reinvite` or `reject_reinvite`.
    Reinvite {
        /// The session.
        id: SessionId,
        /// The peer's offer; `None` asks for one from us.
        body: Option<Body>,
    },
    /// The peer withdrew its re-INVITE before we answered. 487 is already queued; the session stands as it was.
    ReinviteCancelled {
        /// The session.
        id: SessionId,
    },
    /// Our re-INVITE was accepted. `acknowledge` must follow.
    ReinviteAccepted {
        /// The session.
        id: SessionId,
        /// The peer's answer, or its offer when our re-INVITE made none.
        body: Option<Body>,
    },
    /// Our re-INVITE was refused; the session stands as it was.
    ReinviteRejected {
        /// The session.
        id: SessionId,
        /// The final status; 408 stands for silence, 503 for a broken transport.
        status: StatusCode,
    },
    /// A provisional response other than 100 came. Responses with different To tags belong to different early
    /// dialogs (RFC 3261 12.1).
    Provisional {
        /// The session.
        id: SessionId,
        /// The response.
        response: Response,
    },
    /// The peer answered our INVITE. `acknowledge` must follow.
    Answered {
        /// The session.
        id: SessionId,
        /// The 2xx.
        response: Response,
    },
    /// Our INVITE failed.
    Rejected {
        /// The session.
        id: SessionId,
        /// Why.
        failure: Failure,
    },
    /// A request of ours inside the established dialog got 481, 408 or no answer: the peer no longer has the
    /// dialog. A BYE is queued (RFC 3261 12.2.1.2, 14.1).
    Lost {
        /// The session.
        id: SessionId,
    },
    /// Nothing of this session is left; no further event names it.
    Terminated {
        /// The session.
        id: SessionId,
    },
    /// An A/AAAA question for the shell.
    Resolve {
        /// Names the question in the answer.
        query: QueryId,
        /// The host name.
        host: String,
    },
    /// A message of a session was received or sent.
    Sip(SipTrace),
}

/// Why an INVITE of ours did not lead to a call.
#[derive(Clone, Debug)]
pub enum Failure {
    /// A final response of 300 or above; the transaction has acknowledged it. After `cancel` usually 487.
    Response(Response),
    /// No response at all, or no final response within 64*T1 of our CANCEL.
    Timeout,
    /// No address could be reached.
    Transport,
    /// The name had no address, or nobody answered the question in time.
    Unresolved,
    /// Cancelled before the INVITE left, or the peer's 2xx crossed our CANCEL and was ended by ACK and BYE.
    Cancelled,
}

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SipDirection {
    /// From the peer.
    Received,
    /// To the peer.
    Sent,
}

/// One step of a session's message ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SipTrace {
    /// The session.
    pub id: SessionId,
    /// Which way.
    pub direction: SipDirection,
    /// The protocol it travelled over.
    pub transport: Transport,
    /// The peer's address.
    pub peer: SocketAddr,
    /// Request line or status line.
    pub start_line: String,
    /// The CSeq value, which joins responses to requests.
    pub cseq: String,
    /// Size of its body, bytes.
    pub body_bytes: usize,
    /// Whether the same message was sent or received before.
    pub is_retransmission: bool,
}
