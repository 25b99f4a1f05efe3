//! Request methods (RFC 3261 7.1 and the RFCs that add to it).

use std::fmt;

use super::scan::is_token;

/// A method. Methods are case-sensitive tokens: `invite` is not INVITE, and `%49NVITE` is not either.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Method {
    /// Asks for a session (RFC 3261 13).
    Invite,
    /// Confirms a final response to INVITE (RFC 3261 13 and 17).
    Ack,
    /// Ends a session (RFC 3261 15).
    Bye,
    /// Gives an unanswered request up (RFC 3261 9).
    Cancel,
    /// Asks for capabilities (RFC 3261 11).
    Options,
    /// Binds an address (RFC 3261 10).
    Register,
    /// Acknowledges a reliable provisional response (RFC 3262).
    Prack,
    /// Changes a session without a re-INVITE (RFC 3311).
    Update,
    /// Carries application data in a session (RFC 6086).
    Info,
    /// Asks the peer to contact somebody else (RFC 3515).
    Refer,
    /// Tells of an event (RFC 6665).
    Notify,
    /// Asks for events (RFC 6665).
    Subscribe,
    /// Carries an instant message (RFC 3428).
    Message,
    /// Uploads event state (RFC 3903).
    Publish,
    /// Any other token.
    Other(Box<str>),
}

impl Method {
    /// Reads a method; `None` if the text is not a token.
    pub fn from_token(token: &str) -> Option<Self> {
        Some(match token {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "PRACK" => Self::Prack,
            "UPDATE" => Self::Update,
            "INFO" => Self::Info,
            "REFER" => Self::Refer,
            "NOTIFY" => Self::Notify,
            "SUBSCRIBE" => Self::Subscribe,
            "MESSAGE" => Self::Message,
            "PUBLISH" => Self::Publish,
            other if is_token(other) => Self::Other(other.into()),
            _ => return None,
        })
    }

    /// The token as it stands in a message.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Subscribe => "SUBSCRIBE",
            Self::Message => "MESSAGE",
            Self::Publish => "PUBLISH",
            Self::Other(token) => token,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_case_sensitive_tokens() {
        assert_eq!(Method::from_token("INVITE"), Some(Method::Invite));
        assert_eq!(Method::from_token("Invite"), Some(Method::Other("Invite".into())));
        assert_eq!(Method::from_token("RE%47IST%45R"), Some(Method::Other("RE%47IST%45R".into())));
        assert!(Method::from_token("!interesting-Method0123456789_*+`.%indeed'~").is_some());
        for bad in ["", "IN VITE", "INVITE/", "INVIT\u{c9}", "<INVITE>"] {
            assert_eq!(Method::from_token(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_known_method_reads_back() {
        let names =
            "INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK UPDATE INFO REFER NOTIFY SUBSCRIBE MESSAGE PUBLISH";
        for name in names.split(' ') {
            let method = Method::from_token(name).unwrap();
            assert!(!matches!(method, Method::Other(_)), "{name}");
            assert_eq!(method.to_string(), name);
        }
    }
}
