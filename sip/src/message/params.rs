//! Parameters of URIs and of header fields: `;name=value` (RFC 3261 7.3.1, 19.1.1 and 25.1).

use std::borrow::Cow;
use std::fmt;

use super::error::Syntax;
use super::scan::{is_token, quote, split_quoted, trim, unescape, unquoted_position};

/// One parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Param {
    /// The name as received; it compares without case.
    pub name: String,
    /// What stands behind `=`, as received: quotes, escapes and all. `None` if there is no `=`.
    pub value: Option<String>,
}

/// Parameters in their order. Names compare without case; of equal names the first counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Params(Vec<Param>);

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter: replaces the first of that name, or appends. The value stands in the message as given here;
    /// see [`set_quoted`](Self::set_quoted) for arbitrary text.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|param| param.name.eq_ignore_ascii_case(name)) {
            Some(param) => param.value = value,
            None => self.0.push(Param { name: name.to_owned(), value }),
        }
    }

    /// Sets a header parameter to a quoted string with this content.
    pub fn set_quoted(&mut self, name: &str, text: &str) {
        self.set(name, Some(&quote(text)));
    }

    /// Removes all parameters of the name; tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|param| !param.name.eq_ignore_ascii_case(name));
        self.0.len() < before
    }

    /// Whether the parameter is there, with a value or without.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value as received. `None` if the parameter is absent or has no `=`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.find(name)?.value.as_deref()
    }

    /// The value of a header parameter without its quotes and their escapes.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.value(name)?;
        Some(split_quoted(value).map_or(Cow::Borrowed(value), |(inner, _)| unescape(inner)))
    }

    /// The first parameter of that name.
    pub fn find(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Param> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `;a;b=c`: the rest of a header element behind its address, or nothing at all.
    pub(super) fn parse_header(text: &str) -> Result<Self, Syntax> {
        let mut params = Self::default();
        let mut rest = trim(text);
        while !rest.is_empty() {
            let body = rest.strip_prefix(';').ok_or(Syntax::Params)?;
            let end = unquoted_position(body, b';').unwrap_or(body.len());
            let (param, tail) = body.split_at_checked(end).ok_or(Syntax::Params)?;
            params.push(parse_header_param(param)?)?;
            rest = tail;
        }
        Ok(params)
    }

    /// Reads the parameters of a URI: `a;b=c`, what stands behind the first semicolon.
    pub(super) fn parse_uri(text: &str) -> Result<Self, Syntax> {
        let mut params = Self::default();
        for param in text.split(';') {
            let (name, value) = match param.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (param, None),
            };
            if name.is_empty() {
                return Err(Syntax::Uri);
            }
            params.push(Param { name: name.to_owned(), value })?;
        }
        Ok(params)
    }

    fn push(&mut self, param: Param) -> Result<(), Syntax> {
        if self.0.len() == MAX_PARAMS {
            return Err(Syntax::TooManyParams);
        }
        self.0.push(param);
        Ok(())
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for param in &self.0 {
            write!(f, ";{}", param.name)?;
            if let Some(value) = &param.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a Params {
    type Item = &'a Param;
    type IntoIter = std::slice::Iter<'a, Param>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn parse_header_param(text: &str) -> Result<Param, Syntax> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(text), None),
    };
    let is_value = value.is_none_or(|value| match split_quoted(value) {
        Some((_, after)) => after.is_empty(),
        None => !value.bytes().any(|byte| byte <= b' ' || matches!(byte, b'"' | b',' | b'<' | b'>')),
    });
    let param = Param { name: name.to_owned(), value: value.map(str::to_owned) };
    if is_token(name) && is_value { Ok(param) } else { Err(Syntax::Params) }
}

/// Parameters of one address. Real ones have up to ten; lookups are linear, so thousands would cost quadratic time.
const MAX_PARAMS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_parameters() {
        let params = Params::parse_header(" ; tag = 98asjd8 ;lr; text=\"a;\\\"b\";e=").unwrap();
        assert_eq!(params.value("TAG"), Some("98asjd8"));
        assert_eq!((params.contains("lr"), params.value("lr")), (true, None));
        assert_eq!(params.text("text").as_deref(), Some("a;\"b"));
        assert_eq!(params.value("e"), Some(""));
        assert_eq!(params.to_string(), ";tag=98asjd8;lr;text=\"a;\\\"b\";e=");
    }

    #[test]
    fn broken_header_parameters() {
        for bad in [";", ";;a", "a", ";=b", ";a b", ";a=b c", ";a=\"b", ";a=\"b\"c", ";a=b,c", ";a=<b>"] {
            assert_eq!(Params::parse_header(bad), Err(Syntax::Params), "{bad}");
        }
        let many = ";a".repeat(MAX_PARAMS + 1);
        assert_eq!(Params::parse_header(&many), Err(Syntax::TooManyParams));
    }

    #[test]
    fn set_replaces_and_remove_removes() {
        let mut params = Params::parse_uri("a=1;B;a=2").unwrap();
        params.set("A", Some("3"));
        params.set("c", None);
        params.set_quoted("d", "x\"");
        assert_eq!(params.to_string(), ";a=3;B;a=2;c;d=\"x\\\"\"");
        assert!(params.remove("a") && !params.remove("a"));
        assert_eq!(params.iter().count(), 3);
    }
}
