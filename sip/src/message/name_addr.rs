//! Addresses with a display name and parameters: From, To, Contact, Route and their like (RFC 3261 20.10 and 25.1).

use std::fmt;
use std::str::FromStr;

use super::error::Syntax;
use super::params::Params;
use super::scan::{is_token_byte, quote, split_quoted, trim, unescape};
use super::uri::Uri;

/// `"display name" <uri>;params`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameAddr {
    /// The display name without quotes and escapes; `None` if there is none or it is empty.
    pub display_name: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The parameters of the header field, not those of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address with nothing but a URI.
    pub fn new(uri: Uri) -> Self {
        Self { display_name: None, uri, params: Params::new() }
    }

    /// The `tag` parameter (RFC 3261 19.3).
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }

    /// Sets the `tag` parameter.
    pub fn set_tag(&mut self, tag: &str) {
        self.params.set("tag", Some(tag));
    }

    /// Reads an element of Route or Record-Route. Without angle brackets, RFC 3261 20 would make `;lr` a parameter of
    /// the header field; these two demand brackets, so whoever leaves them out means a parameter of the URI.
    pub fn parse_route(text: &str) -> Result<Self, Syntax> {
        let text = trim(text);
        if text.contains('<') { text.parse() } else { text.parse().map(Self::new) }
    }

    /// Reads the part from the opening bracket on.
    fn parse_bracketed(display_name: Option<String>, text: &str) -> Result<Self, Syntax> {
        let inner = text.strip_prefix('<').ok_or(Syntax::Unbalanced)?;
        let (uri, params) = inner.split_once('>').ok_or(Syntax::Unbalanced)?;
        Ok(Self { display_name, uri: trim(uri).parse()?, params: Params::parse_header(params)? })
    }

    /// Without brackets a semicolon starts the parameters of the header field, and the URI must not hold `,` or `?`
    /// (RFC 3261 20).
    fn parse_bare(text: &str) -> Result<Self, Syntax> {
        let end = text.find(';').unwrap_or(text.len());
        let (uri, params) = text.split_at_checked(end).ok_or(Syntax::Uri)?;
        if uri.contains([',', '?']) {
            return Err(Syntax::Uri);
        }
        Ok(Self { display_name: None, uri: trim(uri).parse()?, params: Params::parse_header(params)? })
    }
}

impl FromStr for NameAddr {
    type Err = Syntax;

    /// Reads one element: a comma outside of quotes and brackets is an error.
    fn from_str(text: &str) -> Result<Self, Syntax> {
        let text = trim(text);
        if text.starts_with('"') {
            let (name, rest) = split_quoted(text).ok_or(Syntax::Unbalanced)?;
            let name = Some(unescape(name).into_owned()).filter(|name| !name.is_empty());
            return Self::parse_bracketed(name, trim(rest));
        }
        let Some(bracket) = text.find('<') else {
            return Self::parse_bare(text);
        };
        let (name, rest) = text.split_at_checked(bracket).ok_or(Syntax::Unbalanced)?;
        // RFC 3261 wants tokens here. Parentheses, '@' and UTF-8 are common and harmless; what would make a list or
        // parameters of it is not.
        if name.contains(['"', ',', ';', '>']) {
            return Err(Syntax::DisplayName);
        }
        let name = Some(trim(name).to_owned()).filter(|name| !name.is_empty());
        Self::parse_bracketed(name, rest)
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.display_name {
            Some(name) if is_words(name) => write!(f, "{name} ")?,
            Some(name) => write!(f, "{} ", quote(name))?,
            None => {}
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// Whether the name may stand without quotes: tokens, one space between them.
fn is_words(name: &str) -> bool {
    name.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_token_byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NameAddr {
        text.parse().unwrap()
    }

    #[test]
    fn display_names() {
        for (text, name) in [
            ("<sip:a@b>", None),
            ("\"\" <sip:a@b>", None),
            ("caller<sip:a@b>", Some("caller")),
            ("Mr. J. User <sip:a@b>", Some("Mr. J. User")),
            ("\"J Rosenberg \\\\\\\"\"   <sip:a@b>", Some("J Rosenberg \\\"")),
            ("\"<sip:x>,;\" <sip:a@b>", Some("<sip:x>,;")),
            ("José (Büro) <sip:a@b>", Some("José (Büro)")),
        ] {
            let address = read(text);
            assert_eq!(address.display_name.as_deref(), name, "{text}");
            assert_eq!(read(&address.to_string()), address, "{text}");
        }
    }

    #[test]
    fn parameters_belong_to_the_uri_only_inside_brackets() {
        let bare = read("sip:a@b;transport=tcp ; tag=1");
        assert!(bare.uri.params.is_empty());
        assert_eq!((bare.params.value("transport"), bare.tag()), (Some("tcp"), Some("1")));
        let bracketed = read("<sip:a@b;transport=tcp>;tag=1");
        assert_eq!(bracketed.uri.params.value("transport"), Some("tcp"));
        assert_eq!(bracketed.params.to_string(), ";tag=1");
    }

    #[test]
    fn routes_without_brackets_mean_the_uri() {
        let route = NameAddr::parse_route(" sip:192.0.2.20:443;transport=tls;lr").unwrap();
        assert_eq!(route.to_string(), "<sip:192.0.2.20:443;transport=tls;lr>");
        let route = NameAddr::parse_route("<sip:192.0.2.10;lr>;x=y").unwrap();
        assert_eq!((route.uri.params.contains("lr"), route.params.contains("x")), (true, true));
    }

    #[test]
    fn broken_addresses() {
        for (bad, syntax) in [
            ("\"Mr. J. User <sip:a@b>", Syntax::Unbalanced),
            ("<sip:a@b", Syntax::Unbalanced),
            ("\"a\" sip:a@b", Syntax::Unbalanced),
            ("Bell, Alexander <sip:a@b>", Syntax::DisplayName),
            ("sip:a@b?Route=%3Csip:c%3E", Syntax::Uri),
            ("<sip:a b>", Syntax::Uri),
            ("\"Joe\" <sip:joe@b>;;;;", Syntax::Params),
            ("alan@jasomi.com", Syntax::Scheme),
            ("", Syntax::Scheme),
            ("*", Syntax::Scheme),
        ] {
            assert_eq!(bad.parse::<NameAddr>(), Err(syntax), "{bad}");
        }
    }
}
