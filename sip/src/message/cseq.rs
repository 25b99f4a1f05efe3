//! CSeq: the order of requests in a dialog (RFC 3261 20.16).

use std::fmt;
use std::str::FromStr;

use super::error::Syntax;
use super::method::Method;
use super::scan::{digits, trim};

/// The value of a CSeq header field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CSeq {
    /// The sequence number.
    pub number: u32,
    /// The method of the request, or of the one that a response answers.
    pub method: Method,
}

impl FromStr for CSeq {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        let (number, method) = trim(text).split_once([' ', '\t']).ok_or(Syntax::Token)?;
        let number = digits(number).ok_or(Syntax::Number)?;
        let method = Method::from_token(trim(method)).ok_or(Syntax::Token)?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_methods() {
        let cseq: CSeq = "0009 \t INVITE".parse().unwrap();
        assert_eq!(cseq, CSeq { number: 9, method: Method::Invite });
        assert_eq!(cseq.to_string(), "9 INVITE");
        assert_eq!("4294967295 ACK".parse::<CSeq>().unwrap().number, u32::MAX);
        for (bad, syntax) in [
            ("", Syntax::Token),
            ("1", Syntax::Token),
            ("INVITE", Syntax::Token),
            ("x INVITE", Syntax::Number),
            ("-1 INVITE", Syntax::Number),
            ("4294967296 INVITE", Syntax::Number),
            ("36893488147419103232 REGISTER", Syntax::Number),
            ("1 INVITE ACK", Syntax::Token),
        ] {
            assert_eq!(bad.parse::<CSeq>(), Err(syntax), "{bad}");
        }
    }
}
