//! Hosts of URIs and of Via (RFC 3261 25.1, RFC 5118 4.10 for IPv6).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::Syntax;
use super::scan::{digits, trim};

/// A host: a name to be resolved, or an address. Names compare without case.
#[derive(Clone, Debug)]
pub enum Host {
    /// A host name, as written.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// The address, unless the host is a name.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some((*address).into()),
            Self::V6(address) => Some((*address).into()),
        }
    }

    /// Reads `host`, `host:port` or `[v6]:port`, white space around the colon allowed.
    pub(super) fn parse_with_port(text: &str) -> Result<(Self, Option<u16>), Syntax> {
        let end_of_host = match text.strip_prefix('[') {
            Some(inner) => inner.find(']').map(|at| at + 2),
            None => text.find(':'),
        };
        let (host, rest) = text.split_at_checked(end_of_host.unwrap_or(text.len())).ok_or(Syntax::Host)?;
        let host = trim(host).parse()?;
        let port = match trim(rest) {
            "" => None,
            rest => Some(Self::parse_port(rest)?),
        };
        Ok((host, port))
    }

    fn parse_port(text: &str) -> Result<u16, Syntax> {
        let port = text.strip_prefix(':').and_then(|port| digits::<u16>(trim(port)));
        port.filter(|&port| port != 0).ok_or(Syntax::Port)
    }

    fn parse_v6(text: &str) -> Option<Ipv6Addr> {
        // The ABNF of RFC 3261 lets "2001:db8:::192.0.2.1" through and some implementations send it.
        text.parse().ok().or_else(|| text.replacen(":::", "::", 1).parse().ok())
    }

    fn is_name(text: &str) -> bool {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_name_byte)
    }
}

impl FromStr for Host {
    type Err = Syntax;

    /// Reads a host. IPv6 addresses stand in brackets.
    fn from_str(text: &str) -> Result<Self, Syntax> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(Syntax::Host)?;
            return Self::parse_v6(inner).map(Self::V6).ok_or(Syntax::Host);
        }
        if text.starts_with(|c: char| c.is_ascii_digit())
            && let Ok(address) = text.parse()
        {
            return Ok(Self::V4(address));
        }
        if Self::is_name(text) { Ok(Self::Name(text.to_owned())) } else { Err(Syntax::Host) }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a), Self::V6(b)) => a == b,
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => false,
        }
    }
}

impl Eq for Host {}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Reads an address as it stands in `received` and `maddr`: IPv6 with brackets or without (RFC 5118 4.5).
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    match text.parse::<Host>() {
        Ok(host) => host.address(),
        Err(_) => Host::parse_v6(text).map(IpAddr::V6),
    }
}

/// A DNS name has 253 characters at most (RFC 1035 2.3.4), 254 with the dot of the root.
const MAX_NAME_BYTES: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    fn with_port(text: &str) -> Result<(String, Option<u16>), Syntax> {
        Host::parse_with_port(text).map(|(host, port)| (host.to_string(), port))
    }

    #[test]
    fn hosts_with_ports() {
        for (text, host, port) in [
            ("example.com", "example.com", None),
            ("example.com:5070", "example.com", Some(5070)),
            ("a_b : 1", "a_b", Some(1)),
            ("192.0.2.1:65535", "192.0.2.1", Some(65535)),
            ("[2001:db8::10]:5070", "[2001:db8::10]", Some(5070)),
            ("[2001:db8::10:5070]", "[2001:db8::10:5070]", None),
            ("[2001:db8:::192.0.2.1]", "[2001:db8::c000:201]", None),
            ("[::ffff:192.0.2.10]:19823", "[::ffff:192.0.2.10]", Some(19823)),
        ] {
            assert_eq!(with_port(text), Ok((host.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn broken_hosts() {
        for bad in
            ["", ":5060", "a b", "exa\u{308}mple", "[::1", "[]", "::1]", "a@b", "[1.2.3.4]", &"a".repeat(255)]
        {
            assert_eq!(with_port(bad), Err(Syntax::Host), "{bad}");
        }
        for bad in ["a:", "a:b", "a:0", "a:65536", "a:-1", "[::1]5060", "2001:db8::10"] {
            assert_eq!(with_port(bad), Err(Syntax::Port), "{bad}");
        }
    }

    #[test]
    fn names_compare_without_case() {
        assert_eq!("Example.COM".parse::<Host>(), "example.com".parse());
        assert_ne!("192.0.2.1".parse::<Host>(), "192.0.2.2".parse());
    }

    #[test]
    fn addresses_of_received() {
        let v6 = parse_address("2001:db8::9:255");
        assert!(v6.is_some());
        assert_eq!(parse_address("[2001:db8::9:255]"), v6);
        assert_eq!(parse_address("192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(parse_address("example.com"), None);
    }
}
