//! Why a call ended. Every call that was admitted ends with exactly one cause; it stands in the call's row and in its
//! last event.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The one reason for which a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// The peer sent BYE.
    RemoteBye,
    /// Our side finished: the destination was done, or the local user hung up.
    LocalBye,
    /// The caller sent CANCEL before the answer (487).
    Canceled,
    /// The destination or the called party was busy (486, 600).
    Busy,
    /// Nobody answered in time (480, 408).
    NoAnswer,
    /// No route leads to the number (404).
    NotFound,
    /// The offer or the answer cannot be used: no common codec, broken SDP (488).
    NotAcceptable,
    /// The configured number of simultaneous calls was reached (503).
    CallLimit,
    /// No RTP port was free (503).
    PortsExhausted,
    /// The media engine did not answer in time (503).
    Overloaded,
    /// The server was draining (503).
    Draining,
    /// The ACK to our 200 OK never came (RFC 3261 13.3.1.4).
    AckTimeout,
    /// No RTP arrived for the configured time while the peer should have sent.
    RtpTimeout,
    /// The configured maximum duration was reached.
    MaxDuration,
    /// The server stopped and the grace period was over.
    Shutdown,
    /// A fault inside the server ended this call, and only this call.
    InternalError,
    /// The server died while the call was up; written when it started again.
    ServerLost,
    /// The called party refused for another reason (other 4xx-6xx).
    Rejected,
    /// The called party wants credentials (401, 407).
    Unauthorized,
    /// The called party could not be reached: name, connection or transaction timeout.
    Unreachable,
}

impl HangupCause {
    /// Every cause, for tables and documentation.
    pub const ALL: [Self; 20] = [
        Self::RemoteBye,
        Self::LocalBye,
        Self::Canceled,
        Self::Busy,
        Self::NoAnswer,
        Self::NotFound,
        Self::NotAcceptable,
        Self::CallLimit,
        Self::PortsExhausted,
        Self::Overloaded,
        Self::Draining,
        Self::AckTimeout,
        Self::RtpTimeout,
        Self::MaxDuration,
        Self::Shutdown,
        Self::InternalError,
        Self::ServerLost,
        Self::Rejected,
        Self::Unauthorized,
        Self::Unreachable,
    ];

    /// The name used in the store, in JSON and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RemoteBye => "remote_bye",
            Self::LocalBye => "local_bye",
            Self::Canceled => "canceled",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::NotFound => "not_found",
            Self::NotAcceptable => "not_acceptable",
            Self::CallLimit => "call_limit",
            Self::PortsExhausted => "ports_exhausted",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::AckTimeout => "ack_timeout",
            Self::RtpTimeout => "rtp_timeout",
            Self::MaxDuration => "max_duration",
            Self::Shutdown => "shutdown",
            Self::InternalError => "internal_error",
            Self::ServerLost => "server_lost",
            Self::Rejected => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::Unreachable => "unreachable",
        }
    }

    /// The Q.850 cause value for a `Reason` header (RFC 3326), as carriers read it.
    pub fn q850(self) -> u8 {
        match self {
            Self::RemoteBye | Self::LocalBye | Self::Canceled => 16,
            Self::Busy => 17,
            Self::NoAnswer => 19,
            Self::NotFound => 1,
            Self::NotAcceptable => 88,
            Self::CallLimit | Self::PortsExhausted | Self::Overloaded => 42,
            Self::Draining | Self::Shutdown | Self::InternalError | Self::ServerLost => 41,
            Self::AckTimeout | Self::RtpTimeout | Self::MaxDuration => 102,
            Self::Rejected | Self::Unauthorized => 21,
            Self::Unreachable => 38,
        }
    }
}

impl fmt::Display for HangupCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_name_is_the_serialized_name() {
        for cause in HangupCause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
    }
}
