//! The non-INVITE client transaction (RFC 3261 17.1.2, figure 6).

use std::time::Duration;

use super::{ClientAction, ClientInput, Step, Timer};

/// The machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Client {
    /// Sent, nothing heard. Timer E was last set to this interval.
    Trying { interval: Duration },
    /// A provisional response came; retransmission goes on at T2.
    Proceeding,
    /// The final response came; its repeats are absorbed.
    Completed,
    /// Nothing left to do.
    Terminated,
}

impl Client {
    /// Arms timers E and F for a request that is being sent now.
    pub(crate) fn start(mut step: Step<'_>) -> Self {
        if !step.is_reliable {
            step.arm(Timer::E, step.values.t1);
        }
        step.arm(Timer::F, step.values.patience());
        Self::Trying { interval: step.values.t1 }
    }

    /// One transition.
    pub(crate) fn handle(&mut self, mut step: Step<'_>, input: ClientInput) -> ClientAction {
        use ClientInput::{Failure, Provisional, Success, TransportError};
        let (next, action) = match (*self, input) {
            (Self::Trying { interval }, ClientInput::Timer(Timer::E)) => {
                let interval = interval.saturating_mul(2).min(step.values.t2);
                step.arm(Timer::E, interval);
                (Self::Trying { interval }, ClientAction::Retransmit)
            }
            (Self::Proceeding, ClientInput::Timer(Timer::E)) => {
                step.arm(Timer::E, step.values.t2);
                (Self::Proceeding, ClientAction::Retransmit)
            }
            (Self::Trying { .. } | Self::Proceeding, ClientInput::Timer(_)) => {
                (Self::Terminated, ClientAction::TimedOut)
            }
            (Self::Trying { .. } | Self::Proceeding, Provisional) => {
                (Self::Proceeding, ClientAction::Deliver)
            }
            (Self::Trying { .. } | Self::Proceeding, Success | Failure) => {
                step.stop_all();
                (Self::complete(step), ClientAction::Deliver)
            }
            (Self::Trying { .. } | Self::Proceeding, TransportError) => {
                (Self::Terminated, ClientAction::TransportFailed)
            }
            (Self::Completed, ClientInput::Timer(_)) => (Self::Terminated, ClientAction::Absorb),
            (Self::Completed, Provisional | Success | Failure | TransportError)
            | (Self::Terminated, Provisional | Success | Failure | TransportError | ClientInput::Timer(_)) => {
                (*self, ClientAction::Absorb)
            }
        };
        *self = next;
        action
    }

    /// Timer K is zero on reliable transports.
    fn complete(mut step: Step<'_>) -> Self {
        if step.is_reliable {
            return Self::Terminated;
        }
        step.arm(Timer::K, step.values.t4);
        Self::Completed
    }
}
