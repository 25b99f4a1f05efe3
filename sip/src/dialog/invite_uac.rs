//! The caller's side before the answer: when a CANCEL may be sent (RFC 3261 9.1, 13.2.2).

/// How far an INVITE of ours has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InviteUac {
    /// Waits for addresses; nothing was sent.
    Unsent,
    /// Sent, nothing heard.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// To be cancelled as soon as a provisional response shows that the peer has the INVITE.
    CancelWanted,
    /// CANCEL sent; a final response is due within 64*T1.
    Cancelling,
}

/// What happens to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallerInput {
    /// The INVITE left, for the first time or to a further address.
    Sent,
    /// A provisional response came, 100 included.
    Provisional,
    /// The application gives up.
    Cancel,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallerAction {
    /// Nothing.
    Wait,
    /// Send a CANCEL and start its patience.
    SendCancel,
    /// Nothing was sent yet: just end.
    Abandon,
}

impl InviteUac {
    /// One transition.
    pub(crate) fn handle(&mut self, input: CallerInput) -> CallerAction {
        use CallerInput::{Cancel, Provisional, Sent};
        let (next, action) = match (*self, input) {
            (Self::Unsent | Self::Calling | Self::Proceeding, Sent) => (Self::Calling, CallerAction::Wait),
            (Self::Unsent, Cancel) => (Self::Unsent, CallerAction::Abandon),
            (Self::Calling | Self::Proceeding, Provisional) => (Self::Proceeding, CallerAction::Wait),
            (Self::Calling, Cancel) => (Self::CancelWanted, CallerAction::Wait),
            (Self::Proceeding, Cancel) | (Self::CancelWanted, Provisional) => {
                (Self::Cancelling, CallerAction::SendCancel)
            }
            (Self::Unsent, Provisional)
            | (Self::CancelWanted, Sent | Cancel)
            | (Self::Cancelling, Sent | Provisional | Cancel) => (*self, CallerAction::Wait),
        };
        *self = next;
        action
    }

    /// Whether the application has given up, so that no further address is tried and a 2xx is ended at once.
    pub(crate) fn is_cancelled(self) -> bool {
        match self {
            Self::Unsent | Self::Calling | Self::Proceeding => false,
            Self::CancelWanted | Self::Cancelling => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CallerAction, CallerInput, InviteUac};

    #[test]
    fn a_cancel_waits_for_a_provisional_response_as_rfc_3261_9_1_demands() {
        let mut call = InviteUac::Unsent;
        assert_eq!(call.handle(CallerInput::Sent), CallerAction::Wait);
        assert_eq!(call.handle(CallerInput::Cancel), CallerAction::Wait);
        assert_eq!(call.handle(CallerInput::Provisional), CallerAction::SendCancel);
        assert_eq!(call.handle(CallerInput::Provisional), CallerAction::Wait);
        assert!(call.is_cancelled());
    }

    #[test]
    fn a_call_that_never_left_is_abandoned_without_a_cancel() {
        assert_eq!(InviteUac::Unsent.handle(CallerInput::Cancel), CallerAction::Abandon);
    }
}
