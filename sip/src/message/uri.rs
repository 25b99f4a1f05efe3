//! URIs: SIP and SIPS (RFC 3261 19.1), tel (RFC 3966), and any other as opaque text.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::error::Syntax;
use super::host::Host;
use super::params::Params;
use super::scan::{percent_decode, percent_encode};

/// The scheme of a URI; it compares without case.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// Any other, in lower case.
    Other(Box<str>),
}

impl Scheme {
    /// The scheme in lower case, without the colon.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(scheme) => scheme,
        }
    }

    fn parse(text: &str) -> Result<Self, Syntax> {
        let is_scheme = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let known =
            [Self::Sip, Self::Sips, Self::Tel].into_iter().find(|s| s.as_str().eq_ignore_ascii_case(text));
        known
            .or_else(|| is_scheme.then(|| Self::Other(text.to_ascii_lowercase().into())))
            .ok_or(Syntax::Scheme)
    }
}

/// A URI. Equality is by parts as written; only schemes and host names compare without case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uri {
    /// The scheme, which decides what the other fields mean.
    pub scheme: Scheme,
    /// sip, sips: what stands before `@` (and before a password), escapes still in it. tel: the number as written.
    pub user: Option<String>,
    /// sip, sips: the password, escapes still in it.
    pub password: Option<String>,
    /// sip, sips: the host. Other schemes have none: an empty name.
    pub host: Host,
    /// sip, sips: the port.
    pub port: Option<u16>,
    /// sip, sips, tel: the parameters.
    pub params: Params,
    /// sip, sips: the headers behind `?`, escapes still in them. Never acted on (RFC 3261 19.1.5).
    pub headers: Vec<(String, String)>,
    /// Schemes other than sip, sips and tel: all that follows the colon.
    pub opaque: Option<String>,
}

impl Uri {
    /// A `sip:` URI without parameters. The user is escaped as needed.
    pub fn sip(user: Option<&str>, host: impl Into<Host>, port: Option<u16>) -> Self {
        let user = user.map(|user| percent_encode(user, is_user_byte));
        Self { user, host: host.into(), port, ..Self::empty(Scheme::Sip) }
    }

    /// Whether the scheme is sip or sips.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user without its escapes; for tel the number.
    pub fn user_unescaped(&self) -> Option<Cow<'_, str>> {
        self.user.as_deref().map(percent_decode)
    }

    /// Who is meant, for routing and display: the user of a SIP URI without escapes and without the parameters that
    /// telephone numbers carry in it (`;phone-context=..`, RFC 3261 19.1.6), the number of a tel URI. `None` if the
    /// URI names nobody.
    pub fn subscriber(&self) -> Option<String> {
        let user = self.user.as_deref()?;
        let number = user.split_once(';').map_or(user, |(number, _)| number);
        Some(percent_decode(number).into_owned()).filter(|number| !number.is_empty())
    }

    /// The URI for people: rows, ladders and log lines. Without the password (RFC 3261 19.1.1 calls it a security
    /// risk) and without the headers behind `?`, which may hold credentials too. Not for the wire.
    pub fn redacted(&self) -> impl fmt::Display {
        RedactedUri(self)
    }

    fn empty(scheme: Scheme) -> Self {
        Self {
            scheme,
            user: None,
            password: None,
            host: Host::Name(String::new()),
            port: None,
            params: Params::new(),
            headers: Vec::new(),
            opaque: None,
        }
    }

    fn parse_sip(scheme: Scheme, text: &str) -> Result<Self, Syntax> {
        // '@' is legal nowhere else, ';' and '?' are legal in the user: so the first '@' ends it, before anything
        // else is looked for.
        let (user, password, rest) = match text.split_once('@') {
            Some((user_info, rest)) => match user_info.split_once(':') {
                Some((user, password)) => (Some(user), Some(password), rest),
                None => (Some(user_info), None, rest),
            },
            None => (None, None, text),
        };
        if user == Some("") {
            return Err(Syntax::User);
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, parse_headers(headers)?),
            None => (rest, Vec::new()),
        };
        let (host_port, params) = match rest.split_once(';') {
            Some((host_port, params)) => (host_port, Params::parse_uri(params)?),
            None => (rest, Params::new()),
        };
        let (host, port) = Host::parse_with_port(host_port)?;
        let (user, password) = (user.map(str::to_owned), password.map(str::to_owned));
        Ok(Self { scheme, user, password, host, port, params, headers, opaque: None })
    }

    fn parse_tel(text: &str) -> Result<Self, Syntax> {
        let (number, params) = match text.split_once(';') {
            Some((number, params)) => (number, Params::parse_uri(params)?),
            None => (text, Params::new()),
        };
        let is_number_byte = |byte: u8| byte.is_ascii_hexdigit() || b"+-.()*#".contains(&byte);
        if number.is_empty() || !number.bytes().all(is_number_byte) {
            return Err(Syntax::User);
        }
        Ok(Self { user: Some(number.to_owned()), params, ..Self::empty(Scheme::Tel) })
    }
}

impl FromStr for Uri {
    type Err = Syntax;

    /// Reads a URI that stands alone: no angle brackets, no white space.
    fn from_str(text: &str) -> Result<Self, Syntax> {
        let is_forbidden = |byte: u8| byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f);
        if text.bytes().any(is_forbidden) || text.contains('\u{fffd}') {
            return Err(Syntax::Uri);
        }
        let (scheme, rest) = text.split_once(':').ok_or(Syntax::Scheme)?;
        match Scheme::parse(scheme)? {
            scheme @ (Scheme::Sip | Scheme::Sips) => Self::parse_sip(scheme, rest),
            Scheme::Tel => Self::parse_tel(rest),
            scheme @ Scheme::Other(_) => Ok(Self { opaque: Some(rest.to_owned()), ..Self::empty(scheme) }),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        match self.scheme {
            Scheme::Sip | Scheme::Sips => fmt_authority(self, self.password.as_deref(), f)?,
            Scheme::Tel => f.write_str(self.user.as_deref().unwrap_or_default())?,
            Scheme::Other(_) => return f.write_str(self.opaque.as_deref().unwrap_or_default()),
        }
        self.params.fmt(f)?;
        for (index, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

struct RedactedUri<'a>(&'a Uri);

impl fmt::Display for RedactedUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.0;
        write!(f, "{}:", uri.scheme.as_str())?;
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => fmt_authority(uri, None, f)?,
            Scheme::Tel => f.write_str(uri.user.as_deref().unwrap_or_default())?,
            Scheme::Other(_) => return fmt_opaque_redacted(uri.opaque.as_deref().unwrap_or_default(), f),
        }
        uri.params.fmt(f)
    }
}

/// Other schemes write a password as SIP does, perhaps behind `//` (RFC 3986 3.2.1): what stands between the first
/// colon and the last `@`.
fn fmt_opaque_redacted(opaque: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some((user_info, rest)) = opaque.rsplit_once('@') else {
        return f.write_str(opaque.split_once('?').map_or(opaque, |(before, _)| before));
    };
    let user = user_info.split_once(':').map_or(user_info, |(user, _)| user);
    write!(f, "{user}@{}", rest.split_once('?').map_or(rest, |(before, _)| before))
}

fn fmt_authority(uri: &Uri, password: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(user) = &uri.user {
        f.write_str(user)?;
        if let Some(password) = password {
            write!(f, ":{password}")?;
        }
        f.write_str("@")?;
    }
    write!(f, "{}", uri.host)?;
    uri.port.map_or(Ok(()), |port| write!(f, ":{port}"))
}

fn parse_headers(text: &str) -> Result<Vec<(String, String)>, Syntax> {
    let mut headers = Vec::new();
    for header in text.split('&') {
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        if name.is_empty() || headers.len() == MAX_HEADERS {
            return Err(Syntax::Uri);
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    Ok(headers)
}

/// RFC 3261 25.1: `unreserved` and `user-unreserved`.
fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte)
}

/// Headers inside one URI. They are shown, never used, so this only bounds the work.
const MAX_HEADERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Uri {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn uris_print_as_they_were_read() {
        for text in [
            "sip:example.com",
            "sip:user@example.com:5070;transport=tcp;lr?Subject=a%20b&X=",
            "sips:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip:user;par=u%40example.net@example.com",
            "sip:user:@example.com",
            "sip:[2001:db8::10]:5070;maddr=[::1]",
            "tel:+91-22-1234;phone-context=example.com",
            "tel:*21#",
            "soap.beep://192.0.2.103:3002",
            "isbn:2983792873",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("SIP:a@B.example"), read("sip:a@b.EXAMPLE"));
    }

    #[test]
    fn parts() {
        let uri = read("sip:user;par=u%40example.net@example.com:5070;transport=tls");
        assert_eq!(uri.user_unescaped().as_deref(), Some("user;par=u@example.net"));
        assert_eq!((uri.port, uri.params.value("Transport")), (Some(5070), Some("tls")));
        let uri = read("sip:a:b@c?d=e");
        assert_eq!((uri.password.as_deref(), uri.headers.len()), (Some("b"), 1));
        assert_eq!(read("nobody:knows@this").opaque.as_deref(), Some("knows@this"));
        assert!(!read("tel:+1").is_sip() && read("sips:a").is_sip());
    }

    #[test]
    fn subscribers() {
        for (text, subscriber) in [
            ("sip:+15550100001@example.net;user=phone", Some("+15550100001")),
            ("sip:%2B1555;phone-context=x@example.net", Some("+1555")),
            ("tel:+1555;ext=1", Some("+1555")),
            ("sip:example.net", None),
            ("sip:;a=b@example.net", None),
        ] {
            assert_eq!(read(text).subscriber().as_deref(), subscriber, "{text}");
        }
    }

    #[test]
    fn people_see_neither_passwords_nor_headers() {
        for (text, shown) in [
            ("sip:alice:s3cret@example.com:5070;lr", "sip:alice@example.com:5070;lr"),
            ("sips:alice:s3cret@example.com?Authorization=s3cret", "sips:alice@example.com"),
            ("sip:alice:@example.com", "sip:alice@example.com"),
            ("tel:+1555;ext=1", "tel:+1555;ext=1"),
            ("https://alice:s3cret@example.com/x?token=s3cret", "https://alice@example.com/x"),
            ("xmpp:alice:s3@cret@example.com", "xmpp:alice@example.com"),
            ("soap.beep://192.0.2.103:3002?s3cret", "soap.beep://192.0.2.103:3002"),
        ] {
            assert_eq!(read(text).redacted().to_string(), shown);
            assert_eq!(read(text).to_string(), text, "the wire form keeps all");
        }
    }

    #[test]
    fn ours_escape_the_user() {
        let host = Host::Name("example.net".into());
        assert_eq!(Uri::sip(Some("a@b c"), host, Some(5060)).to_string(), "sip:a%40b%20c@example.net:5060");
    }

    #[test]
    fn broken_uris() {
        for (bad, syntax) in [
            ("", Syntax::Scheme),
            ("example.com", Syntax::Scheme),
            ("1sip:a", Syntax::Scheme),
            ("sip:", Syntax::Host),
            ("sip:@a", Syntax::User),
            ("sip:a@b@c", Syntax::Host),
            ("sip:2001:db8::10", Syntax::Port),
            ("sip:a;", Syntax::Uri),
            ("sip:a?", Syntax::Uri),
            ("sip:a b", Syntax::Uri),
            ("<sip:a>", Syntax::Uri),
            ("sip:a\0", Syntax::Uri),
            ("tel:", Syntax::User),
            ("tel:abc xyz", Syntax::Uri),
            ("tel:xyz", Syntax::User),
        ] {
            assert_eq!(bad.parse::<Uri>(), Err(syntax), "{bad}");
        }
    }
}
