//! The transaction layer (RFC 3261 17, with the Accepted states of RFC 6026).
//!
//! Four machines, each one enum with one `match`, speak one small vocabulary: what came in, and what is to be done.
//! They know neither messages nor tables.

pub(crate) mod client;
pub(crate) mod client_invite;
pub(crate) mod clients;
pub(crate) mod follow_up;
pub(crate) mod key;
pub(crate) mod server;
pub(crate) mod server_invite;
pub(crate) mod servers;
pub(crate) mod timer;

use std::time::{Duration, Instant};

use crate::message::StatusCode;
pub(crate) use clients::{Answer, ClientId, Clients};
pub(crate) use servers::{Opening, ServerId, Servers};
pub use timer::Timers;
pub(crate) use timer::{Timer, TimerQueue, TimerTable};

/// The timers of one transaction. No machine runs more than two at once: A and B, E and F, G and H.
pub(crate) type Armed = TimerTable<Timer, 2>;

/// What a machine consults and sets while it takes one step.
pub(crate) struct Step<'a> {
    pub(crate) now: Instant,
    pub(crate) values: &'a Timers,
    pub(crate) is_reliable: bool,
    pub(crate) armed: &'a mut Armed,
}

impl Step<'_> {
    fn arm(&mut self, timer: Timer, after: Duration) {
        self.armed.arm(timer, self.now + after);
    }

    fn stop_all(&mut self) {
        self.armed.stop_all();
    }
}

/// The classes of responses that transactions tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StatusClass {
    Provisional,
    Success,
    /// 300 and above.
    Failure,
}

impl From<StatusCode> for StatusClass {
    fn from(status: StatusCode) -> Self {
        if status.is_provisional() {
            Self::Provisional
        } else if status.is_success() {
            Self::Success
        } else {
            Self::Failure
        }
    }
}

/// What happens to a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientInput {
    Provisional,
    Success,
    Failure,
    Timer(Timer),
    TransportError,
}

impl From<StatusClass> for ClientInput {
    fn from(class: StatusClass) -> Self {
        match class {
            StatusClass::Provisional => Self::Provisional,
            StatusClass::Success => Self::Success,
            StatusClass::Failure => Self::Failure,
        }
    }
}

/// What a client transaction wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientAction {
    /// Nothing.
    Absorb,
    /// Send the request again.
    Retransmit,
    /// Hand the response to the core.
    Deliver,
    /// Acknowledge the response and hand it to the core.
    DeliverAndAck,
    /// Acknowledge a repeated response.
    Ack,
    /// Tell the core that nobody answered.
    TimedOut,
    /// Tell the core that the transport failed.
    TransportFailed,
}

/// What happens to a server transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ServerInput {
    /// The request came again.
    Repeat,
    Ack,
    Respond(StatusClass),
    Timer(Timer),
}

/// What a server transaction wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ServerAction {
    /// Nothing.
    Absorb,
    /// Send the new response.
    Send,
    /// Send the last response again.
    Resend,
    /// The ACK of a response of 300 or above came.
    Acknowledged,
    /// The ACK of a 2xx came inside the transaction, as older peers send it: the core's business.
    DeliverAck,
    /// The ACK never came.
    TimedOut,
}

#[cfg(test)]
mod tests;
