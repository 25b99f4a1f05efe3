//! Reason: why a request was sent (RFC 3326).

use std::fmt;
use std::str::FromStr;

use super::error::Syntax;
use super::params::Params;
use super::scan::{digits, is_token, trim};

/// One reason, `Q.850;cause=16;text="Normal call clearing"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// Whose causes these are: `SIP` or `Q.850`.
    pub protocol: String,
    /// The parameters, `cause` and `text` among them.
    pub params: Params,
}

impl Reason {
    /// A reason with a cause and a text.
    pub fn new(protocol: &str, cause: u16, text: &str) -> Self {
        let mut params = Params::new();
        params.set("cause", Some(&cause.to_string()));
        params.set_quoted("text", text);
        Self { protocol: protocol.to_owned(), params }
    }

    /// The number of the cause, in the protocol's own counting.
    pub fn cause(&self) -> Option<u16> {
        digits(self.params.value("cause")?)
    }

    /// The cause in words.
    pub fn text(&self) -> Option<String> {
        self.params.text("text").map(Into::into)
    }
}

impl FromStr for Reason {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        let end = text.find(';').unwrap_or(text.len());
        let (protocol, params) = text.split_at_checked(end).ok_or(Syntax::Token)?;
        let protocol = trim(protocol);
        if !is_token(protocol) {
            return Err(Syntax::Token);
        }
        Ok(Self { protocol: protocol.to_owned(), params: Params::parse_header(params)? })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_texts() {
        let text = "Q.850;cause=16;text=\"Normal call clearing\"";
        let reason: Reason = text.parse().unwrap();
        assert_eq!((reason.protocol.as_str(), reason.cause()), ("Q.850", Some(16)));
        assert_eq!(reason.text().as_deref(), Some("Normal call clearing"));
        assert_eq!(Reason::new("Q.850", 16, "Normal call clearing"), reason);
        assert_eq!(reason.to_string(), text);
        let bare: Reason = "SIP".parse().unwrap();
        assert_eq!((bare.cause(), bare.text()), (None, None));
        assert_eq!("SIP;cause=99999".parse::<Reason>().unwrap().cause(), None);
        assert!(";cause=1".parse::<Reason>().is_err());
    }
}
