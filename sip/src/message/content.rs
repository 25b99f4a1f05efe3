//! Media types of bodies (RFC 3261 20.1 and 20.15).

use std::fmt;
use std::str::FromStr;

use super::error::Syntax;
use super::params::Params;
use super::scan::{is_token, trim};

/// A media type or, in Accept, a range of them (`*/*`, `text/*`). Names compare without case.
#[derive(Clone, Debug)]
pub struct MediaType {
    /// What stands before the slash, `application`.
    pub kind: String,
    /// What stands behind the slash, `sdp`.
    pub subtype: String,
    /// The parameters.
    pub params: Params,
}

impl MediaType {
    /// A type without parameters.
    pub fn new(kind: &str, subtype: &str) -> Self {
        Self { kind: kind.to_owned(), subtype: subtype.to_owned(), params: Params::new() }
    }

    /// `application/sdp`
    pub fn sdp() -> Self {
        Self::new("application", "sdp")
    }

    /// Whether it is this type, parameters aside.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this range includes the type. `;q=0` excludes it.
    pub fn includes(&self, other: &Self) -> bool {
        let has = |range: &str, name: &str| range == "*" || range.eq_ignore_ascii_case(name);
        let is_excluded =
            self.params.value("q").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
        !is_excluded && has(&self.kind, &other.kind) && has(&self.subtype, &other.subtype)
    }
}

impl FromStr for MediaType {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        let end = text.find(';').unwrap_or(text.len());
        let (name, params) = text.split_at_checked(end).ok_or(Syntax::Token)?;
        let (kind, subtype) = name.split_once('/').ok_or(Syntax::Token)?;
        let (kind, subtype) = (trim(kind), trim(subtype));
        if !is_token(kind) || !is_token(subtype) {
            return Err(Syntax::Token);
        }
        Ok(Self { params: Params::parse_header(params)?, ..Self::new(kind, subtype) })
    }
}

impl PartialEq for MediaType {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.kind, &other.subtype) && self.params == other.params
    }
}

impl Eq for MediaType {}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_ranges() {
        let read = |text: &str| text.parse::<MediaType>().unwrap();
        assert_eq!(read("Application / SDP"), MediaType::sdp());
        assert_eq!(read("multipart/mixed; boundary=\"a b\"").params.text("boundary").as_deref(), Some("a b"));
        for (range, includes) in
            [("*/*", true), ("application/*;q=0.1", true), ("application/sdp;q=0", false), ("text/*", false)]
        {
            assert_eq!(read(range).includes(&MediaType::sdp()), includes, "{range}");
        }
        for bad in ["", "sdp", "application/", "/sdp", "a b/c", "a/b;"] {
            assert!(bad.parse::<MediaType>().is_err(), "{bad}");
        }
    }
}
