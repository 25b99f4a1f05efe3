//! The non-INVITE server transaction (RFC 3261 17.2.2, figure 8).

use super::{ServerAction, ServerInput, StatusClass, Step, Timer};

/// The machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Server {
    /// No response yet; repeats of the request are dropped.
    Trying,
    /// A provisional response was sent.
    Proceeding,
    /// The final response was sent; repeats of the request get it again.
    Completed,
    /// Nothing left to do.
    Terminated,
}

impl Server {
    /// A request has come.
    pub(crate) fn start() -> Self {
        Self::Trying
    }

    /// One transition.
    pub(crate) fn handle(&mut self, step: Step<'_>, input: ServerInput) -> ServerAction {
        use ServerInput::{Ack, Repeat, Respond};
        let (next, action) = match (*self, input) {
            (Self::Trying | Self::Proceeding, Respond(StatusClass::Provisional)) => {
                (Self::Proceeding, ServerAction::Send)
            }
            (Self::Trying | Self::Proceeding, Respond(StatusClass::Success | StatusClass::Failure)) => {
                (Self::complete(step), ServerAction::Send)
            }
            (Self::Proceeding | Self::Completed, Repeat) => (*self, ServerAction::Resend),
            (Self::Completed, ServerInput::Timer(_)) => (Self::Terminated, ServerAction::Absorb),
            (Self::Trying, Repeat | Ack | ServerInput::Timer(_))
            | (Self::Proceeding, Ack | ServerInput::Timer(_))
            | (Self::Completed, Ack | Respond(_))
            | (Self::Terminated, Repeat | Ack | Respond(_) | ServerInput::Timer(_)) => {
                (*self, ServerAction::Absorb)
            }
        };
        *self = next;
        action
    }

    /// Timer J is zero on reliable transports.
    fn complete(mut step: Step<'_>) -> Self {
        if step.is_reliable {
            return Self::Terminated;
        }
        step.arm(Timer::J, step.values.patience());
        Self::Completed
    }
}
