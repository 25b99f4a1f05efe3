//! An INVITE session from its INVITE to its end (RFC 3261 13, 15). Received and placed calls differ only in how they
//! begin; from the 2xx on both are [`Established`].

use std::time::Instant;

use super::Dialog;
use super::exchange::{Admission, Exchange, Offer};
use super::invite_uac::InviteUac;
use super::invite_uas::PendingInvite;
use crate::transaction::{ClientId, ServerId, TimerTable};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) state: State,
    pub(crate) timers: TimerTable<SessionTimer, 3>,
    pub(crate) registered: Option<Instant>,
}

impl Session {
    pub(crate) fn new(state: State) -> Self {
        Self { state, timers: TimerTable::new(), registered: None }
    }
}

/// How far a session has come.
#[derive(Debug)]
pub(crate) enum State {
    /// The peer's INVITE lies with the application. The dialog is early.
    Incoming { invite: PendingInvite, dialog: Dialog },
    /// Refused or cancelled: only the ACK is still to come.
    Declined { server: ServerId, dialog: Dialog },
    /// Our INVITE has no final response.
    Outgoing(OutgoingCall),
    /// A 2xx has passed.
    Established(Established),
    /// Our BYE waits for its response.
    Closing { dialog: Dialog },
}

impl State {
    /// The state's name, for errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Incoming { .. } => "not answered yet",
            Self::Declined { .. } => "refused",
            Self::Outgoing(_) => "calling",
            Self::Established(established) if established.hangup.is_some() => "hanging up",
            Self::Established(established) => established.exchange.name(),
            Self::Closing { .. } => "hung up",
        }
    }

    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        match self {
            Self::Incoming { dialog, .. } | Self::Declined { dialog, .. } | Self::Closing { dialog } => {
                Some(dialog)
            }
            Self::Established(established) => Some(&established.dialog),
            Self::Outgoing(_) => None,
        }
    }

    pub(crate) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Incoming { dialog, .. } | Self::Declined { dialog, .. } | Self::Closing { dialog } => {
                Some(dialog)
            }
            Self::Established(established) => Some(&mut established.dialog),
            Self::Outgoing(_) => None,
        }
    }
}

/// A call of ours without a final response. Its early dialogs are the application's to tell apart, by the To tags of
/// the provisional responses; nothing is sent inside them.
#[derive(Debug)]
pub(crate) struct OutgoingCall {
    pub(crate) progress: InviteUac,
    /// The INVITE's transaction, once it was sent.
    pub(crate) client: Option<ClientId>,
}

/// A session with a confirmed dialog.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) dialog: Dialog,
    pub(crate) exchange: Exchange,
    /// A re-INVITE that got 491 and waits for another try.
    pub(crate) retry: Option<Offer>,
    /// The application hung up before the ACK of our 2xx came; the BYE waits for it (RFC 3261 15).
    pub(crate) hangup: Option<Hangup>,
    /// Whether the first INVITE was acknowledged.
    pub(crate) is_confirmed: bool,
}

impl Established {
    pub(crate) fn new(dialog: Dialog, exchange: Exchange) -> Self {
        let is_confirmed = !dialog.is_uas;
        Self { dialog, exchange, retry: None, hangup: None, is_confirmed }
    }

    /// What a re-INVITE of the peer meets.
    pub(crate) fn admits(&self) -> Admission {
        if self.hangup.is_some() { Admission::Gone } else { self.exchange.admits() }
    }

    /// Whether a re-INVITE of ours has to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.retry.is_some() || self.exchange.admits() != Admission::Open
    }

    /// Whether an ACK with this CSeq number is the one that our 2xx waits for.
    pub(crate) fn awaits_ack(&self, sequence: u32) -> bool {
        match &self.exchange {
            Exchange::AwaitingAck(answer) => answer.sequence == sequence,
            Exchange::Idle
            | Exchange::Acknowledging { .. }
            | Exchange::Received(_)
            | Exchange::Sent { .. } => false,
        }
    }

    /// The callee must not send BYE before the ACK of its first 2xx (RFC 3261 15).
    pub(crate) fn must_wait_for_ack(&self) -> bool {
        !self.is_confirmed
    }
}

/// A BYE to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Hangup {
    /// The value of the Reason header.
    pub(crate) reason: Option<String>,
}

/// What a session waits for by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionTimer {
    /// To repeat our 2xx: T1, doubling to T2.
    RepeatAnswer,
    /// To give up waiting for the ACK: 64*T1.
    AckPatience,
    /// To repeat a provisional response every minute, so that proxies do not cancel (RFC 3261 13.3.1.1).
    RepeatProvisional,
    /// To end an INVITE that its Expires header has limited (RFC 3261 13.3.1).
    Expires,
    /// To give up waiting for the final response to a cancelled INVITE: 64*T1 (RFC 3261 9.1).
    CancelPatience,
    /// To send a re-INVITE again after 491.
    RetryReinvite,
}
