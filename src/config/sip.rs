//! `[sip]` and `[http]`: where the server listens and what it calls itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::table::{Table, advertised_address, socket_address, text};

/// `[sip]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipConfig {
    /// Where SIP arrives, over UDP and TCP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address in Contact and SDP, if peers reach this machine under another than the one their packets arrive
    /// at, as behind a cloud provider's NAT.
    pub advertise: Option<IpAddr>,
    /// Value of User-Agent and Server; neither is sent without it.
    pub user_agent: Option<String>,
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where HTTP is served; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 5060),
            advertise: None,
            user_agent: None,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 5050) }
    }
}

impl SipConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        Self {
            listen: table.get("listen", socket_address).unwrap_or(default.listen),
            advertise: table.get("advertise", advertised_address),
            user_agent: table.get("user_agent", |value| text(value).and_then(user_agent)),
        }
    }
}

impl HttpConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        Self { listen: table.get("listen", socket_address).unwrap_or(Self::default().listen) }
    }
}

fn user_agent(text: String) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_USER_AGENT_BYTES || text.chars().any(char::is_control) {
        return Err(format!(
            "must be 1 to {MAX_USER_AGENT_BYTES} bytes on one line; leave the key out to send none"
        ));
    }
    Ok(text)
}

/// It stands in every message, and over UDP every byte counts.
const MAX_USER_AGENT_BYTES: usize = 128;
