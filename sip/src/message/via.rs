//! Via: the way that a response takes back (RFC 3261 18.2 and 20.42, RFC 3581).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::error::Syntax;
use super::host::{Host, parse_address};
use super::params::Params;
use super::scan::{digits, is_token, trim};
use crate::transport::Transport;

/// One element of a Via header field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Via {
    /// The transport as written, `UDP` or anything else; [`Transport::from_token`] tells whether it is one of ours.
    pub transport: String,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params,
}

impl Via {
    /// A Via for a request of ours.
    pub fn new(transport: Transport, host: impl Into<Host>, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        Self { transport: transport.via_token().to_owned(), host: host.into(), port, params }
    }

    /// Names the transaction.
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// RFC 3581: `None` if the parameter is absent, `Some(None)` if the sender asks for it to be filled in. A value
    /// that is no port counts as absent.
    pub fn rport(&self) -> Option<Option<u16>> {
        match self.params.find("rport")?.value.as_deref() {
            None | Some("") => Some(None),
            Some(port) => digits(port).map(Some),
        }
    }

    /// The address that the request really came from, if somebody noted it. IPv6 with brackets or without.
    pub fn received(&self) -> Option<IpAddr> {
        parse_address(self.params.value("received")?)
    }

    /// The address that responses must go to, if the sender asks for one (RFC 3261 18.2.2).
    pub fn maddr(&self) -> Option<&str> {
        self.params.value("maddr")
    }

    /// Notes the source address (RFC 3261 18.2.1).
    pub fn set_received(&mut self, source: IpAddr) {
        self.params.set("received", Some(&source.to_string()));
    }

    /// Notes the source port (RFC 3581 4).
    pub fn set_rport(&mut self, port: u16) {
        self.params.set("rport", Some(&port.to_string()));
    }

    /// Asks the server for the source port (RFC 3581 3).
    pub fn request_rport(&mut self) {
        self.params.set("rport", None);
    }

    /// Reads one element of whatever SIP version, and says which. Only the answer to a broken request needs it: who
    /// speaks another version must hear 505 (RFC 3261 21.5.6).
    pub(super) fn parse_any_version(text: &str) -> Result<(&str, Self), Syntax> {
        let (name, rest) = text.split_once('/').ok_or(Syntax::Protocol)?;
        let (version, rest) = rest.split_once('/').ok_or(Syntax::Protocol)?;
        if !trim(name).eq_ignore_ascii_case("SIP") {
            return Err(Syntax::Protocol);
        }
        Ok((trim(version), Self::parse_behind_version(rest)?))
    }

    fn parse_behind_version(rest: &str) -> Result<Self, Syntax> {
        let (transport, rest) = trim(rest).split_once([' ', '\t']).ok_or(Syntax::Protocol)?;
        if !is_token(transport) {
            return Err(Syntax::Token);
        }
        let (sent_by, params) =
            rest.split_at_checked(rest.find(';').unwrap_or(rest.len())).ok_or(Syntax::Host)?;
        let (host, port) = Host::parse_with_port(trim(sent_by))?;
        let params = Params::parse_header(params)?;
        let has_bad_byte =
            params.iter().filter_map(|p| p.value.as_deref()).any(|value| value.contains('\u{fffd}'));
        if has_bad_byte {
            return Err(Syntax::Utf8);
        }
        Ok(Self { transport: transport.to_owned(), host, port, params })
    }
}

impl FromStr for Via {
    type Err = Syntax;

    /// Reads one element; white space may stand around every delimiter.
    fn from_str(text: &str) -> Result<Self, Syntax> {
        match Self::parse_any_version(text)? {
            ("2.0", via) => Ok(via),
            _ => Err(Syntax::Protocol),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Via {
        text.parse().unwrap()
    }

    #[test]
    fn white_space_may_stand_anywhere() {
        for (text, canonical) in [
            ("SIP  /   2.0 /UDP  192.0.2.2;branch=390skdjuw", "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw"),
            (
                "SIP / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8",
                "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
            ),
            ("sip/2.0/UNKNOWN t4.example.com : 5060", "SIP/2.0/UNKNOWN t4.example.com:5060"),
        ] {
            assert_eq!(read(text).to_string(), canonical);
        }
    }

    #[test]
    fn rport_and_received() {
        assert_eq!(read("SIP/2.0/UDP a;branch=x").rport(), None);
        assert_eq!(read("SIP/2.0/UDP a;rport;branch=x").rport(), Some(None));
        assert_eq!(read("SIP/2.0/UDP a;rport=").rport(), Some(None));
        assert_eq!(read("SIP/2.0/UDP a;rport=5060").rport(), Some(Some(5060)));
        assert_eq!(read("SIP/2.0/UDP a;rport=70000").rport(), None);
        let mut via = read("SIP/2.0/UDP a;rport;branch=x");
        via.set_received(IpAddr::from([192, 0, 2, 7]));
        via.set_rport(4000);
        assert_eq!(via.to_string(), "SIP/2.0/UDP a;rport=4000;branch=x;received=192.0.2.7");
        let delimited = read("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]").received();
        assert!(delimited.is_some());
        assert_eq!(read("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255").received(), delimited);
    }

    #[test]
    fn ours_ask_for_the_port() {
        let mut via = Via::new(Transport::Tcp, IpAddr::from([192, 0, 2, 1]), Some(5062), "z9hG4bKx");
        via.request_rport();
        assert_eq!(via.to_string(), "SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bKx;rport");
        assert_eq!((via.branch(), via.maddr()), (Some("z9hG4bKx"), None));
    }

    #[test]
    fn broken_vias() {
        for (bad, syntax) in [
            ("", Syntax::Protocol),
            ("SIP/2.0/UDP", Syntax::Protocol),
            ("SIP/7.0/UDP a", Syntax::Protocol),
            ("HTTP/2.0/UDP a", Syntax::Protocol),
            ("SIP/2.0/U<P a", Syntax::Token),
            ("SIP/2.0/UDP ;branch=a", Syntax::Host),
            ("SIP/2.0/UDP 192.0.2.15;;", Syntax::Params),
            ("SIP/2.0/UDP a;branch=\u{fffd}", Syntax::Params),
        ] {
            assert!(bad.parse::<Via>().is_err_and(|e| e == syntax || e == Syntax::Utf8), "{bad}");
        }
    }
}
