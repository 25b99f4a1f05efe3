//! The INVITE client transaction (RFC 3261 17.1.1, figure 5, with the Accepted state of RFC 6026 7.2).

use std::time::Duration;

use super::{ClientAction, ClientInput, Step, Timer};

/// The machine. It sees classes of responses and timers only; messages are the table's business.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientInvite {
    /// Sent, nothing heard. Timer A was last set to this interval.
    Calling { interval: Duration },
    /// A provisional response came; the callee may take as long as it likes.
    Proceeding,
    /// Nobody waits for the outcome any more. A final response is still taken in and acknowledged, for as long as a
    /// first response may take; RFC 3261 leaves such an INVITE in Proceeding for ever.
    Abandoned,
    /// A response of 300 or above came and was acknowledged; its repeats are acknowledged again.
    Completed,
    /// A 2xx came; further ones, from this or other branches, belong to the core.
    Accepted,
    /// Nothing left to do.
    Terminated,
}

impl ClientInvite {
    /// Arms timers A and B for an INVITE that is being sent now.
    pub(crate) fn start(mut step: Step<'_>) -> Self {
        if !step.is_reliable {
            step.arm(Timer::A, step.values.t1);
        }
        step.arm(Timer::B, step.values.patience());
        Self::Calling { interval: step.values.t1 }
    }

    /// One transition.
    pub(crate) fn handle(&mut self, mut step: Step<'_>, input: ClientInput) -> ClientAction {
        use ClientInput::{Failure, Provisional, Success, TransportError};
        let (next, action) = match (*self, input) {
            (Self::Calling { interval }, ClientInput::Timer(Timer::A)) => {
                let interval = interval.saturating_mul(2);
                step.arm(Timer::A, interval);
                (Self::Calling { interval }, ClientAction::Retransmit)
            }
            (Self::Calling { .. } | Self::Abandoned, ClientInput::Timer(_)) => {
                (Self::Terminated, ClientAction::TimedOut)
            }
            (Self::Calling { .. } | Self::Proceeding, Provisional) => {
                step.stop_all();
                (Self::Proceeding, ClientAction::Deliver)
            }
            (Self::Calling { .. } | Self::Proceeding | Self::Abandoned, Success) => {
                step.stop_all();
                step.arm(Timer::M, step.values.patience());
                (Self::Accepted, ClientAction::Deliver)
            }
            (Self::Calling { .. } | Self::Proceeding | Self::Abandoned, Failure) => {
                step.stop_all();
                (Self::complete(step), ClientAction::DeliverAndAck)
            }
            (Self::Calling { .. }, TransportError) => (Self::Terminated, ClientAction::TransportFailed),
            (Self::Completed, Failure) => (Self::Completed, ClientAction::Ack),
            (Self::Accepted, Success) => (Self::Accepted, ClientAction::Deliver),
            (Self::Completed | Self::Accepted, ClientInput::Timer(_)) | (Self::Completed, TransportError) => {
                (Self::Terminated, ClientAction::Absorb)
            }
            // The final response may come over another connection (RFC 3261 18.2.2).
            (Self::Proceeding, ClientInput::Timer(_) | TransportError)
            | (Self::Abandoned, Provisional | TransportError)
            | (Self::Completed, Provisional | Success)
            | (Self::Accepted, Provisional | Failure | TransportError)
            | (Self::Terminated, Provisional | Success | Failure | TransportError | ClientInput::Timer(_)) => {
                (*self, ClientAction::Absorb)
            }
        };
        *self = next;
        action
    }

    /// The session that the INVITE belongs to is over.
    pub(crate) fn abandon(&mut self, mut step: Step<'_>) {
        match self {
            Self::Calling { .. } | Self::Proceeding => {
                step.stop_all();
                step.arm(Timer::B, step.values.patience());
                *self = Self::Abandoned;
            }
            Self::Abandoned | Self::Completed | Self::Accepted | Self::Terminated => {}
        }
    }

    /// Timer D is zero on reliable transports.
    fn complete(mut step: Step<'_>) -> Self {
        if step.is_reliable {
            return Self::Terminated;
        }
        step.arm(Timer::D, step.values.patience());
        Self::Completed
    }
}
