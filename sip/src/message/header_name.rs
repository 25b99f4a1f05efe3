//! Names of header fields (RFC 3261 7.3 and 20, and the registry that grew from it).

use std::fmt;
use std::hash::{Hash, Hasher};

use super::scan::is_token;

macro_rules! header_names {
    ($($name:ident = $canonical:literal, $($lower:literal)|+, $rfc:literal;)*) => {
        /// The name of a header field. Names compare without case and by their long form: `v`, `via` and `VIA` are
        /// one name, which prints as `Via`.
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $canonical, "` (", $rfc, ")")]
                $name,
            )*
            /// Any other name, spelled as received.
            Other(Box<str>),
        }

        impl HeaderName {
            /// The long form with its usual capitals.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $canonical,)*
                    Self::Other(name) => name,
                }
            }

            fn from_lower_case(name: &[u8]) -> Option<Self> {
                match std::str::from_utf8(name).ok()? {
                    $($($lower)|+ => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        /// Every name that is not `Other`.
        #[cfg(test)]
        const KNOWN: &[HeaderName] = &[$(HeaderName::$name,)*];
    };
}

header_names! {
    Accept = "Accept", "accept", "RFC 3261 20.1";
    AcceptContact = "Accept-Contact", "accept-contact" | "a", "RFC 3841";
    AcceptEncoding = "Accept-Encoding", "accept-encoding", "RFC 3261 20.2";
    AcceptLanguage = "Accept-Language", "accept-language", "RFC 3261 20.3";
    AlertInfo = "Alert-Info", "alert-info", "RFC 3261 20.4";
    Allow = "Allow", "allow", "RFC 3261 20.5";
    AllowEvents = "Allow-Events", "allow-events" | "u", "RFC 6665";
    AuthenticationInfo = "Authentication-Info", "authentication-info", "RFC 3261 20.6";
    Authorization = "Authorization", "authorization", "RFC 3261 20.7";
    CallId = "Call-ID", "call-id" | "i", "RFC 3261 20.8";
    CallInfo = "Call-Info", "call-info", "RFC 3261 20.9";
    Contact = "Contact", "contact" | "m", "RFC 3261 20.10";
    ContentDisposition = "Content-Disposition", "content-disposition", "RFC 3261 20.11";
    ContentEncoding = "Content-Encoding", "content-encoding" | "e", "RFC 3261 20.12";
    ContentLanguage = "Content-Language", "content-language", "RFC 3261 20.13";
    ContentLength = "Content-Length", "content-length" | "l", "RFC 3261 20.14";
    ContentType = "Content-Type", "content-type" | "c", "RFC 3261 20.15";
    CSeq = "CSeq", "cseq", "RFC 3261 20.16";
    Date = "Date", "date", "RFC 3261 20.17";
    Diversion = "Diversion", "diversion", "RFC 5806";
    ErrorInfo = "Error-Info", "error-info", "RFC 3261 20.18";
    Event = "Event", "event" | "o", "RFC 6665";
    Expires = "Expires", "expires", "RFC 3261 20.19";
    From = "From", "from" | "f", "RFC 3261 20.20";
    Geolocation = "Geolocation", "geolocation", "RFC 6442";
    HistoryInfo = "History-Info", "history-info", "RFC 7044";
    Identity = "Identity", "identity" | "y", "RFC 8224";
    IdentityInfo = "Identity-Info", "identity-info" | "n", "RFC 4474";
    InReplyTo = "In-Reply-To", "in-reply-to", "RFC 3261 20.21";
    Join = "Join", "join", "RFC 3911";
    MaxForwards = "Max-Forwards", "max-forwards", "RFC 3261 20.22";
    MimeVersion = "MIME-Version", "mime-version", "RFC 3261 20.24";
    MinExpires = "Min-Expires", "min-expires", "RFC 3261 20.23";
    MinSe = "Min-SE", "min-se", "RFC 4028";
    Organization = "Organization", "organization", "RFC 3261 20.25";
    PAccessNetworkInfo = "P-Access-Network-Info", "p-access-network-info", "RFC 7315";
    PAssertedIdentity = "P-Asserted-Identity", "p-asserted-identity", "RFC 3325";
    PCalledPartyId = "P-Called-Party-ID", "p-called-party-id", "RFC 7315";
    PChargingVector = "P-Charging-Vector", "p-charging-vector", "RFC 7315";
    PEarlyMedia = "P-Early-Media", "p-early-media", "RFC 5009";
    PPreferredIdentity = "P-Preferred-Identity", "p-preferred-identity", "RFC 3325";
    Path = "Path", "path", "RFC 3327";
    Priority = "Priority", "priority", "RFC 3261 20.26";
    Privacy = "Privacy", "privacy", "RFC 3323";
    ProxyAuthenticate = "Proxy-Authenticate", "proxy-authenticate", "RFC 3261 20.27";
    ProxyAuthorization = "Proxy-Authorization", "proxy-authorization", "RFC 3261 20.28";
    ProxyRequire = "Proxy-Require", "proxy-require", "RFC 3261 20.29";
    RAck = "RAck", "rack", "RFC 3262";
    Reason = "Reason", "reason", "RFC 3326";
    RecordRoute = "Record-Route", "record-route", "RFC 3261 20.30";
    ReferSub = "Refer-Sub", "refer-sub", "RFC 4488";
    ReferTo = "Refer-To", "refer-to" | "r", "RFC 3515";
    ReferredBy = "Referred-By", "referred-by" | "b", "RFC 3892";
    RejectContact = "Reject-Contact", "reject-contact" | "j", "RFC 3841";
    RemotePartyId = "Remote-Party-ID", "remote-party-id", "draft-ietf-sip-privacy-04";
    Replaces = "Replaces", "replaces", "RFC 3891";
    ReplyTo = "Reply-To", "reply-to", "RFC 3261 20.31";
    RequestDisposition = "Request-Disposition", "request-disposition" | "d", "RFC 3841";
    Require = "Require", "require", "RFC 3261 20.32";
    RetryAfter = "Retry-After", "retry-after", "RFC 3261 20.33";
    Route = "Route", "route", "RFC 3261 20.34";
    RSeq = "RSeq", "rseq", "RFC 3262";
    Server = "Server", "server", "RFC 3261 20.35";
    ServiceRoute = "Service-Route", "service-route", "RFC 3608";
    SessionExpires = "Session-Expires", "session-expires" | "x", "RFC 4028";
    SessionId = "Session-ID", "session-id", "RFC 7989";
    SipETag = "SIP-ETag", "sip-etag", "RFC 3903";
    SipIfMatch = "SIP-If-Match", "sip-if-match", "RFC 3903";
    Subject = "Subject", "subject" | "s", "RFC 3261 20.36";
    SubscriptionState = "Subscription-State", "subscription-state", "RFC 6665";
    Supported = "Supported", "supported" | "k", "RFC 3261 20.37";
    Timestamp = "Timestamp", "timestamp", "RFC 3261 20.38";
    To = "To", "to" | "t", "RFC 3261 20.39";
    Unsupported = "Unsupported", "unsupported", "RFC 3261 20.40";
    UserAgent = "User-Agent", "user-agent", "RFC 3261 20.41";
    UserToUser = "User-to-User", "user-to-user", "RFC 7433";
    Via = "Via", "via" | "v", "RFC 3261 20.42";
    Warning = "Warning", "warning", "RFC 3261 20.43";
    WwwAuthenticate = "WWW-Authenticate", "www-authenticate", "RFC 3261 20.44";
}

impl HeaderName {
    /// Reads a name, long or compact, in any case. `None` if it is no token.
    pub fn from_token(name: &str) -> Option<Self> {
        let mut lower = [0; MAX_KNOWN_BYTES];
        let known = lower.get_mut(..name.len()).and_then(|lower| {
            lower.copy_from_slice(name.as_bytes());
            lower.make_ascii_lowercase();
            Self::from_lower_case(lower)
        });
        known.or_else(|| is_token(name).then(|| Self::Other(name.into())))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(_), _) | (_, Self::Other(_)) => self.as_str().eq_ignore_ascii_case(other.as_str()),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_str().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No known name is longer; see the test.
const MAX_KNOWN_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_known_name_reads_back_in_any_case() {
        for name in KNOWN {
            let text = name.as_str();
            for text in [text.to_owned(), text.to_ascii_lowercase(), text.to_ascii_uppercase()] {
                let read = HeaderName::from_token(&text).unwrap();
                assert_eq!(&read, name);
                assert!(!matches!(read, HeaderName::Other(_)), "{text}");
            }
        }
        assert_eq!(KNOWN.iter().collect::<HashSet<_>>().len(), KNOWN.len());
    }

    #[test]
    fn compact_forms() {
        for (compact, long) in [
            ("a", "Accept-Contact"),
            ("b", "Referred-By"),
            ("c", "Content-Type"),
            ("d", "Request-Disposition"),
            ("e", "Content-Encoding"),
            ("f", "From"),
            ("i", "Call-ID"),
            ("j", "Reject-Contact"),
            ("k", "Supported"),
            ("l", "Content-Length"),
            ("m", "Contact"),
            ("n", "Identity-Info"),
            ("o", "Event"),
            ("r", "Refer-To"),
            ("s", "Subject"),
            ("t", "To"),
            ("u", "Allow-Events"),
            ("v", "Via"),
            ("x", "Session-Expires"),
            ("y", "Identity"),
        ] {
            for text in [compact, &compact.to_uppercase()] {
                assert_eq!(HeaderName::from_token(text).unwrap().as_str(), long);
            }
        }
    }

    #[test]
    fn other_names_keep_their_spelling_and_compare_without_case() {
        let name = HeaderName::from_token("X-Twilio-CallSid").unwrap();
        assert_eq!(name.to_string(), "X-Twilio-CallSid");
        assert_eq!(HeaderName::from_token("x-twilio-callsid"), Some(name));
        assert_eq!(HeaderName::Other("VIA".into()), HeaderName::Via);
        assert_eq!(HeaderName::from_token(""), None);
        assert_eq!(HeaderName::from_token("a b"), None);
        assert_eq!(HeaderName::from_token("\u{fc}ber"), None);
        assert!(HeaderName::from_token(&"x".repeat(1000)).is_some());
    }
}
