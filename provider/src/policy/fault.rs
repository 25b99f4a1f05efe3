//! Why a provider was of no use, in one vocabulary for all of them.

use std::fmt;
use std::time::Duration;

use crate::link::{LinkEnd, LinkFailure, MAX_REFUSAL_BYTES};

/// What went wrong with a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Fault {
    /// What kind of thing.
    pub kind: FaultKind,
    /// What the other side, or the system, said.
    pub detail: String,
    /// When to come again, if it said so.
    pub retry_after: Option<Duration>,
    /// The vendor's name of the request, to ask its support about.
    pub request_id: Option<String>,
}

/// Kinds of faults. What they have in common is what is to be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// Its name has no address.
    Resolve,
    /// It cannot be connected to.
    Connect,
    /// No TLS with it.
    Tls,
    /// The key is missing, wrong, or not allowed to do this.
    Unauthorized,
    /// No such model, voice or path.
    NotFound,
    /// It does not take the request as it is.
    Refused,
    /// Too many requests, or the account's means are used up.
    RateLimited,
    /// It has a fault of its own.
    Unavailable,
    /// It did not answer in time, or stopped answering.
    Timeout,
    /// The connection broke, or was closed before all was said.
    Dropped,
    /// What it says makes no sense.
    Malformed,
    /// Its audio is not of the format that was agreed on.
    WrongAudio,
    /// It sent more than anybody needs.
    TooLong,
    /// It answers, and with nothing: no words of clear speech, no sound of a text.
    Silent,
}

impl Fault {
    /// A fault of that kind.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        detail.truncate(detail.floor_char_boundary(MAX_REFUSAL_BYTES));
        Self { kind, detail, retry_after: None, request_id: None }
    }

    /// What an HTTP status means (RFC 9110 section 15), also where a vendor tells one inside of its messages.
    pub fn of_status(status: u16, detail: impl Into<String>) -> Self {
        let kind = match status {
            401..=403 => FaultKind::Unauthorized,
            404 | 410 => FaultKind::NotFound,
            408 | 504 => FaultKind::Timeout,
            429 => FaultKind::RateLimited,
            500..=599 => FaultKind::Unavailable,
            _ => FaultKind::Refused,
        };
        Self::new(kind, detail)
    }

    /// What the words mean that a vendor uses instead of a status: codes like `quota_exceeded`, names of errors, reasons of a close.
    /// Whose words are not known has a fault of its own.
    pub fn of_words(words: &str, detail: impl Into<String>) -> Self {
        let words = words.to_lowercase().replace([' ', '-'], "_");
        let found = WORDS.iter().find(|(some, _)| some.iter().any(|word| words.contains(word)));
        Self::new(found.map_or(FaultKind::Unavailable, |(_, kind)| *kind), detail)
    }

    /// Why a link came to no good end.
    pub fn of_failure(failure: &LinkFailure) -> Self {
        let kind = match failure {
            LinkFailure::Resolve(_) => FaultKind::Resolve,
            LinkFailure::Connect(_) => FaultKind::Connect,
            LinkFailure::Tls(_) => FaultKind::Tls,
            LinkFailure::Broken(_) => FaultKind::Dropped,
            LinkFailure::TooLong { .. } => FaultKind::TooLong,
            LinkFailure::Protocol(_) => FaultKind::Malformed,
            LinkFailure::Program(_) => FaultKind::Unavailable,
            LinkFailure::Status(refused) => {
                return Self {
                    retry_after: refused.retry_after,
                    request_id: refused.request_id.clone(),
                    ..Self::of_status(refused.status, refused.to_string())
                };
            }
        };
        Self::new(kind, failure.to_string())
    }

    /// What the end of a link means that was still needed.
    pub fn of_end(end: &LinkEnd) -> Self {
        match end {
            LinkEnd::Complete => Self::new(FaultKind::Dropped, "the answer ended before it was complete"),
            LinkEnd::Closed { code, reason } => {
                let code =
                    code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"));
                Self::new(FaultKind::Dropped, format!("it closed the connection {code} {reason}").trim_end())
            }
            LinkEnd::Failed(failure) => Self::of_failure(failure),
        }
    }

    /// A message that cannot be understood.
    pub fn malformed(detail: impl fmt::Display) -> Self {
        Self::new(FaultKind::Malformed, detail.to_string())
    }

    /// The same with the vendor's name of the request, if it has none yet.
    #[must_use]
    pub fn with_request_id(mut self, request_id: Option<&str>) -> Self {
        self.request_id = self.request_id.or_else(|| request_id.map(str::to_owned));
        self
    }
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Unauthorized,
        Self::NotFound,
        Self::Refused,
        Self::RateLimited,
        Self::Unavailable,
        Self::Timeout,
        Self::Dropped,
        Self::Malformed,
        Self::WrongAudio,
        Self::TooLong,
        Self::Silent,
    ];

    /// Whether it stays as it is until somebody changes the configuration or the account: there is no use in trying again in this call.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::Unauthorized | Self::NotFound | Self::Refused | Self::WrongAudio | Self::Tls => true,
            Self::Resolve
            | Self::Connect
            | Self::RateLimited
            | Self::Unavailable
            | Self::Timeout
            | Self::Dropped
            | Self::Malformed
            | Self::TooLong
            | Self::Silent => false,
        }
    }

    /// The word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Dropped => "dropped",
            Self::Malformed => "malformed",
            Self::WrongAudio => "wrong_audio",
            Self::TooLong => "too_long",
            Self::Silent => "silent",
        }
    }

    /// What an operator does about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Resolve => "check the host in `url` and this machine's DNS",
            Self::Connect => "check that `url` can be reached from this machine: address, port, firewall",
            Self::Tls => {
                "check `url`, this machine's clock, and `ca_file` if the server has a certificate of your own"
            }
            Self::Unauthorized => "check the key, what it may do, and the account's balance",
            Self::NotFound => "check `model`, `voice` and `url`: the provider has none of that name",
            Self::Refused => "check the settings that the provider complains of",
            Self::RateLimited => {
                "raise the account's limits with the provider, or put a second provider behind it"
            }
            Self::Unavailable => {
                "the provider has a fault; put a second provider behind it, and ask its status page"
            }
            Self::Timeout => {
                "the provider is slow; choose a nearer region or a faster model, or put a second provider behind it"
            }
            Self::Dropped => {
                "the provider or the network broke the connection; if it happens often, ask its support with the request id"
            }
            Self::Malformed => {
                "the provider's answers are not what its interface promises; check `kind` and `url`"
            }
            Self::WrongAudio => {
                "the provider sends audio of another format than it was asked for; check `model` and `format`"
            }
            Self::TooLong => "the provider sent a message that is too long; check `kind` and `url`",
            Self::Silent => "the provider answers with nothing; check `model`, `language` and `voice`",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What vendors call their errors; the first that fits.
const WORDS: &[(&[&str], FaultKind)] = &[
    (
        &[
            "quota",
            "rate_limit",
            "too_many",
            "limit_exceeded",
            "limit_reached",
            "max_active",
            "concurren",
            "credit",
        ],
        FaultKind::RateLimited,
    ),
    (
        &["unauthori", "authenticat", "auth_error", "api_key", "subscription_key", "forbidden", "permission"],
        FaultKind::Unauthorized,
    ),
    (&["not_found", "not_exist"], FaultKind::NotFound),
    (&["timeout", "timed_out", "inactiv", "expired"], FaultKind::Timeout),
    (&["invalid", "unsupported", "not_supported", "bad_request", "validation"], FaultKind::Refused),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::RefusedStatus;

    #[test]
    fn what_vendors_call_their_errors_is_understood() {
        let table = [
            ("invalid_api_key", FaultKind::Unauthorized),
            ("Rate limit reached", FaultKind::RateLimited),
            ("insufficient_quota", FaultKind::RateLimited),
            ("max_active_conversations", FaultKind::RateLimited),
            ("voice_not_found", FaultKind::NotFound),
            ("input_timeout_exceeded", FaultKind::Timeout),
            ("invalid_request_error", FaultKind::Refused),
            ("server_error", FaultKind::Unavailable),
            ("", FaultKind::Unavailable),
        ];
        for (words, kind) in table {
            assert_eq!(Fault::of_words(words, "why"), Fault::new(kind, "why"), "{words}");
        }
    }

    #[test]
    fn a_status_says_what_is_to_be_done() {
        let table = [
            (400, FaultKind::Refused),
            (401, FaultKind::Unauthorized),
            (403, FaultKind::Unauthorized),
            (404, FaultKind::NotFound),
            (422, FaultKind::Refused),
            (429, FaultKind::RateLimited),
            (500, FaultKind::Unavailable),
            (504, FaultKind::Timeout),
            (529, FaultKind::Unavailable),
        ];
        for (status, kind) in table {
            let refused = RefusedStatus {
                status,
                retry_after: Some(Duration::from_secs(7)),
                body: "why".to_owned(),
                request_id: Some("r1".to_owned()),
            };
            let fault = Fault::of_failure(&LinkFailure::Status(Box::new(refused)));
            assert_eq!(fault.kind, kind, "{status}");
            assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
            assert_eq!(fault.to_string(), format!("{}: status {status}: why", kind.word()));
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let mut words: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), FaultKind::ALL.len());
    }
}
