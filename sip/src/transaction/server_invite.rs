//! The INVITE server transaction (RFC 3261 17.2.1, figure 7, with the Accepted state of RFC 6026 7.1).

use std::time::Duration;

use super::{ServerAction, ServerInput, StatusClass, Step, Timer};

/// The machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ServerInvite {
    /// No final response yet; repeats of the INVITE get the last provisional one.
    Proceeding,
    /// A response of 300 or above was sent and waits for its ACK. Timer G was last set to this interval.
    Completed { interval: Duration },
    /// The ACK came; its repeats are absorbed.
    Confirmed,
    /// A 2xx was sent; the core repeats it, repeats of the INVITE are absorbed.
    Accepted,
    /// Nothing left to do.
    Terminated,
}

impl ServerInvite {
    /// An INVITE has come. The table sends 100 at once, so no 200 ms timer is needed (RFC 3261 17.2.1).
    pub(crate) fn start() -> Self {
        Self::Proceeding
    }

    /// One transition.
    pub(crate) fn handle(&mut self, mut step: Step<'_>, input: ServerInput) -> ServerAction {
        use ServerInput::{Ack, Repeat, Respond};
        let (next, action) = match (*self, input) {
            (Self::Proceeding, Repeat) => (Self::Proceeding, ServerAction::Resend),
            (Self::Proceeding, Respond(StatusClass::Provisional)) => (Self::Proceeding, ServerAction::Send),
            (Self::Proceeding, Respond(StatusClass::Success)) => {
                step.arm(Timer::L, step.values.patience());
                (Self::Accepted, ServerAction::Send)
            }
            (Self::Proceeding, Respond(StatusClass::Failure)) => {
                if !step.is_reliable {
                    step.arm(Timer::G, step.values.t1);
                }
                step.arm(Timer::H, step.values.patience());
                (Self::Completed { interval: step.values.t1 }, ServerAction::Send)
            }
            (Self::Completed { interval }, ServerInput::Timer(Timer::G)) => {
                let interval = interval.saturating_mul(2).min(step.values.t2);
                step.arm(Timer::G, interval);
                (Self::Completed { interval }, ServerAction::Resend)
            }
            (Self::Completed { .. }, ServerInput::Timer(_)) => (Self::Terminated, ServerAction::TimedOut),
            (Self::Completed { .. }, Repeat) => (*self, ServerAction::Resend),
            (Self::Completed { .. }, Ack) => {
                step.stop_all();
                (Self::confirm(step), ServerAction::Acknowledged)
            }
            (Self::Accepted, Respond(StatusClass::Success)) => (Self::Accepted, ServerAction::Send),
            (Self::Accepted, Ack) => (Self::Accepted, ServerAction::DeliverAck),
            (Self::Confirmed | Self::Accepted, ServerInput::Timer(_)) => {
                (Self::Terminated, ServerAction::Absorb)
            }
            (Self::Proceeding, Ack | ServerInput::Timer(_))
            | (Self::Completed { .. } | Self::Confirmed, Respond(_))
            | (Self::Confirmed, Repeat | Ack)
            | (Self::Accepted, Repeat | Respond(StatusClass::Provisional | StatusClass::Failure))
            | (Self::Terminated, Repeat | Ack | Respond(_) | ServerInput::Timer(_)) => {
                (*self, ServerAction::Absorb)
            }
        };
        *self = next;
        action
    }

    /// Timer I is zero on reliable transports.
    fn confirm(mut step: Step<'_>) -> Self {
        if step.is_reliable {
            return Self::Terminated;
        }
        step.arm(Timer::I, step.values.t4);
        Self::Confirmed
    }
}
