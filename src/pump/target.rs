//! What a URL says of where to connect, and the headers that go there.

use caly_provider::link::{Endpoint, LinkFailure, Url};
use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

/// Where a connection goes; one that is kept is good for all that goes there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    /// With TLS.
    pub(super) is_secure: bool,
    /// A name or an address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// A URL, taken apart.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) origin: Origin,
    /// Path and query, as they stand in the request's first line.
    pub(super) path: String,
}

/// A URL's scheme without and with TLS.
pub(super) struct Schemes(pub(super) &'static str, pub(super) &'static str);

pub(super) const HTTP: Schemes = Schemes("http", "https");
pub(super) const WEBSOCKET: Schemes = Schemes("ws", "wss");

impl Target {
    pub(super) fn parse(url: &Url, schemes: &Schemes) -> Result<Self, LinkFailure> {
        let Schemes(plain, secure) = schemes;
        let not_a_url = || {
            LinkFailure::Connect(format!(
                "{} is not a URL of {plain}:// or {secure}://: mend it where this provider is configured",
                url.shown()
            ))
        };
        let uri: Uri = url.as_str().parse().map_err(|_| not_a_url())?;
        let is_secure = match uri.scheme_str() {
            Some(scheme) if scheme == *plain => false,
            Some(scheme) if scheme == *secure => true,
            Some(_) | None => return Err(not_a_url()),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16());
        // The parser takes a port that is too large for none.
        if host.is_empty() || (port.is_none() && !authority.ends_with(host)) {
            return Err(not_a_url());
        }
        let port = port.unwrap_or(if is_secure { 443 } else { 80 });
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { origin: Origin { is_secure, host, port }, path })
    }

    /// The client's headers, with Host and User-Agent where it gives none.
    pub(super) fn headers(&self, endpoint: &Endpoint) -> Result<HeaderMap, LinkFailure> {
        let mut headers = HeaderMap::new();
        let host = HeaderValue::try_from(self.origin.authority());
        headers.insert(HOST, host.map_err(|_| LinkFailure::Connect("no host in the URL".to_owned()))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for (name, value) in &endpoint.headers {
            // Whether the value is a key is not known here, so it is not shown.
            let unfit = |_| {
                let what =
                    "has characters that no header may have: mend the key or value in the configuration";
                LinkFailure::Connect(format!("the header {name} {what}"))
            };
            let mut value = HeaderValue::from_str(value.reveal()).map_err(unfit)?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| LinkFailure::Connect(format!("{name} is not the name of a header")))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

impl Origin {
    /// As it stands in Host (RFC 9110 section 7.2): the port only if it is not the scheme's own.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.is_secure { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

const AGENT: &str = concat!("caly/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = |url: &str| Target::parse(&Url::new(url), &WEBSOCKET).map(|it| (it.origin, it.path));
        let origin = |is_secure, host: &str, port| Origin { is_secure, host: host.to_owned(), port };
        assert_eq!(target("wss://h/v1?a=b").unwrap(), (origin(true, "h", 443), "/v1?a=b".to_owned()));
        assert_eq!(target("ws://[::1]:81").unwrap(), (origin(false, "::1", 81), "/".to_owned()));
        for bad in ["https://h/", "h", "wss:///x", "ws://a b/", "ws://h:99999/", ""] {
            assert!(matches!(target(bad), Err(LinkFailure::Connect(_))), "{bad}");
        }
        let shown = target("https://h/?key=sk").unwrap_err().to_string();
        assert!(!shown.contains("sk"), "{shown}");
    }

    #[test]
    fn the_host_names_its_port_unless_it_is_the_schemes_own() {
        let authority = |url: &str| Target::parse(&Url::new(url), &HTTP).unwrap().origin.authority();
        assert_eq!(authority("https://h:443/"), "h");
        assert_eq!(authority("http://h:443/"), "h:443");
        assert_eq!(authority("http://[::1]:8080/"), "[::1]:8080");
    }

    #[test]
    fn a_bad_header_is_named_but_its_value_is_not_shown() {
        let url = Url::new("https://h/");
        let headers = vec![("authorization", caly_provider::secret::Secret::new("Bearer sk\n"))];
        let target = Target::parse(&url, &HTTP).unwrap();
        let fault = target.headers(&Endpoint { url, headers }).unwrap_err().to_string();
        assert!(fault.contains("authorization") && !fault.contains("sk"), "{fault}");
    }
}
